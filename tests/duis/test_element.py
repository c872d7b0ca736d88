"""XML that is hostile, malformed or odd gives a DuisError with its place; good XML comes back compact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.duis import element, limits
from smetslab.duis.element import DUIS_NAMESPACE, Children, Element, parse_document, write_document
from smetslab.errors import DuisError

BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><lolz>&c;</lolz>'
)
EXTERNAL_ENTITY = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
PARAMETER_ENTITY = b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]><a/>'


@pytest.mark.parametrize("document", [BILLION_LAUGHS, EXTERNAL_ENTITY, PARAMETER_ENTITY, b"<!DOCTYPE a><a/>"])
def test_a_document_type_is_refused_before_anything_in_it_counts(document: bytes) -> None:
    with pytest.raises(DuisError, match="document type not accepted") as refused:
        parse_document(document)
    assert refused.value.offset is not None
    assert refused.value.offset <= document.index(b"<!DOCTYPE") + len("<!DOCTYPE lolz [")


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (b"", "no element found"),
        (b"not xml", "not well-formed"),
        (b"<a>", "no element found"),
        (b"<a></b>", "mismatched tag"),
        (b"<a/><b/>", "junk after document element"),
        (b"<a>&undefined;</a>", "undefined entity"),
        (b'<a b="1" b="2"/>', "duplicate attribute"),
        (b"<x:a/>", "unbound prefix"),
        (b"<a>\x00</a>", "NUL"),
        (b"<a>\xff</a>", "not well-formed"),
        ("<a/>".encode("utf-16"), "NUL"),
        ("<a/>".encode("utf-16-be"), "NUL"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "encoding not accepted"),
        (b"<a>text<b/></a>", "text beside elements"),
        (b"<a><b/>text</a>", "text beside elements"),
    ],
)
def test_what_is_no_plain_document_is_refused_with_its_place(document: bytes, what: str) -> None:
    with pytest.raises(DuisError) as refused:
        parse_document(document)
    assert what in refused.value.what
    assert refused.value.offset is not None
    assert "line 1" in refused.value.path or what == "NUL"


def test_depth_is_bounded() -> None:
    deepest = limits.MAX_DEPTH
    assert parse_document(b"<a>" * deepest + b"</a>" * deepest).name == "a"
    with pytest.raises(DuisError, match="nested too deep"):
        parse_document(b"<a>" * 100_000)


def test_number_of_elements_is_bounded() -> None:
    with pytest.raises(DuisError, match="too many elements"):
        parse_document(b"<a>" + b"<b/>" * limits.MAX_ELEMENTS + b"</a>")


def test_size_is_bounded_before_a_parser_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(element, "_Builder", None)
    with pytest.raises(DuisError, match=r"document too long at byte 1048576, .*found 1048577"):
        parse_document(b"<" * (limits.MAX_DOCUMENT_BYTES + 1))


@given(st.binary(max_size=300))
def test_any_octets_give_an_element_or_a_duis_error(data: bytes) -> None:
    try:
        assert isinstance(parse_document(data), Element)
    except DuisError as error:
        assert error.offset is not None


_NAMES = st.text("abcXYZ", min_size=1, max_size=6)
_TEXTS = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=("Cs", "Cc"),
        exclude_characters="\ufffe\uffff",
        include_characters="\t\n\r",
    ),
    min_size=1,
    max_size=20,
)
_LEAVES = st.builds(
    Element,
    _NAMES,
    text=st.one_of(st.just(""), _TEXTS),
    attributes=st.dictionaries(_NAMES, _TEXTS, max_size=2).map(lambda given: tuple(given.items())),
)
_ELEMENTS = st.recursive(
    _LEAVES,
    lambda inner: st.builds(Element, _NAMES, children=st.lists(inner, min_size=1, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(_ELEMENTS)
def test_what_is_written_reads_back_the_same(written: Element) -> None:
    assert parse_document(write_document(written)) == written


def test_a_written_document_is_compact_and_declares_only_what_it_uses() -> None:
    written = Element("Request", (Element("Body", text="a<b & c"),), attributes=(("schemaVersion", '5"1'),))
    assert write_document(written) == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<sr:Request xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway" schemaVersion="5&quot;1">'
        b"<sr:Body>a&lt;b &amp; c</sr:Body></sr:Request>"
    )


def test_text_that_xml_cannot_carry_is_refused() -> None:
    with pytest.raises(DuisError, match=r"cannot carry, found U\+0007"):
        write_document(Element("a", text="\x07"))


def test_comments_and_foreign_attributes_do_not_count() -> None:
    plain = parse_document(b'<a xmlns="urn:x"><b>1</b></a>')
    adorned = parse_document(
        b'<!-- x --><a xmlns="urn:x" xmlns:y="urn:y" y:z="1">\n  <!-- y -->\n  <b>1</b>\n</a>\n<!-- z -->'
    )
    assert adorned == plain
    assert adorned.children[0].line == 3


def test_children_are_taken_in_order_and_every_surprise_is_named() -> None:
    parent = Element("p", (Element("a", line=4), Element("b", namespace="urn:other", line=5)))
    parts = Children(parent, "p")
    assert parts.optional("x") is None
    assert parts.required("a").name == "a"
    with pytest.raises(
        DuisError, match=r"p \(line 5\): unexpected element, expected b, found b of namespace urn:other"
    ):
        parts.required("b")
    with pytest.raises(DuisError, match="expected no further element"):
        parts.finish()
    with pytest.raises(DuisError, match="element missing, expected a, found the end"):
        Children(Element("p"), "p").required("a")
    with pytest.raises(DuisError, match="text where elements belong"):
        Children(Element("p", text="words"), "p")


def test_the_namespace_is_that_of_the_published_schema(schema_dir) -> None:  # type: ignore[no-untyped-def]
    schema = next(path for path in schema_dir.iterdir() if path.name.startswith("DUIS"))
    assert f'targetNamespace="{DUIS_NAMESPACE}"' in schema.read_text("utf-8-sig")
