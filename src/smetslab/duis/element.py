"""XML, read without danger and written without white space.

Reading refuses what DUIS never needs and attackers do: a document type (and with it every entity but the
five of XML itself), other encodings than UTF-8, more depth, elements or octets than the limits, text
beside elements. Nothing is resolved, fetched or expanded. Comments and processing instructions are
skipped.

Spec: XML 1.0; DUIS schema 5.4 (namespace); DUIS signature profile (documents are signed and sent compact).
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final
from xml.parsers import expat

from smetslab.duis.limits import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS
from smetslab.errors import DuisError
from smetslab.value_class import value_class

DUIS_NAMESPACE: Final = "http://www.dccinterface.co.uk/ServiceUserGateway"
SIGNATURE_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"

_PREFIXES: Final = {DUIS_NAMESPACE: "sr", SIGNATURE_NAMESPACE: "ds"}
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_SEPARATOR = " "
_WHITE_SPACE = " \t\r\n"
_PLAIN = re.compile(r"[A-Za-z0-9+/=:. _-]*")
"""Text that is written as it is: digits, names, base64."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@value_class(frozen=True, slots=True)
class Element:
    """An element with either children or text. `line` and `offset` tell where it began; no part of its
    value.
    """

    name: str
    children: tuple[Element, ...] = ()
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    namespace: str = DUIS_NAMESPACE
    line: int | None = field(default=None, compare=False)
    offset: int | None = field(default=None, compare=False)

    def fail(self, what: str, path: str, *, expected: str = "", found: str = "") -> DuisError:
        """An error at this element; the caller raises it."""
        place = path if self.line is None else f"{path} (line {self.line})"
        return DuisError(what, offset=self.offset, path=place, expected=expected, found=shown(found))

    def refuse_attributes(self, path: str, allowed: tuple[str, ...] = ()) -> None:
        """Raises DuisError when there is an attribute that is not allowed."""
        if not self.attributes:
            return
        odd = [key for key, _ in self.attributes if key not in allowed]
        if odd:
            raise self.fail("unexpected attribute", path, found=", ".join(odd))


def shown(text: str) -> str:
    """`text` for an error message: short, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:57]}..."


class Children:
    """Takes the children of an element in the order that a schema gives them."""

    def __init__(self, element: Element, path: str, *, attributes: tuple[str, ...] = ()) -> None:
        """Raises DuisError when there is text, or an attribute that is not one of `attributes`."""
        self._element = element
        self._path = path
        self._place = 0
        element.refuse_attributes(path, attributes)
        if element.text.strip(_WHITE_SPACE):
            raise element.fail("text where elements belong", path, found=element.text)

    def peek(self) -> Element | None:
        """The next child, not taken; None behind the last one."""
        children = self._element.children
        return children[self._place] if self._place < len(children) else None

    def optional(self, *names: str, namespace: str = DUIS_NAMESPACE) -> Element | None:
        """The next child when it has one of these names."""
        found = self.peek()
        if found is None or found.name not in names or found.namespace != namespace:
            return None
        self._place += 1
        return found

    def required(self, *names: str) -> Element:
        """The next child, which must have one of these names. Raises DuisError."""
        found = self.optional(*names)
        if found is None:
            raise self._unexpected(" or ".join(names))
        return found

    def finish(self) -> None:
        """Raises DuisError when a child is left."""
        if self.peek() is not None:
            raise self._unexpected("no further element")

    def _unexpected(self, expected: str) -> DuisError:
        found = self.peek()
        if found is None:
            return self._element.fail("element missing", self._path, expected=expected, found="the end")
        foreign = "" if found.namespace == DUIS_NAMESPACE else f" of namespace {found.namespace or '(none)'}"
        return found.fail("unexpected element", self._path, expected=expected, found=found.name + foreign)


def parse_document(data: bytes, *, limit: int = MAX_DOCUMENT_BYTES) -> Element:
    """The root element of a document. Raises DuisError, never anything else."""
    if len(data) > limit:
        raise DuisError(
            "document too long",
            offset=limit,
            path="document",
            expected=f"at most {limit} octets",
            found=str(len(data)),
        )
    nul = data.find(0)
    if nul >= 0:
        # The parser would take it for UTF-16, against what it was told.
        raise DuisError("a NUL octet", offset=nul, path="document", expected="UTF-8, which has none in XML")
    return _Builder().parse(data)


class _Open:
    """An element whose end has not been seen."""

    __slots__ = ("attributes", "children", "line", "name", "namespace", "offset", "text")

    def __init__(
        self, namespace: str, name: str, attributes: tuple[tuple[str, str], ...], line: int, offset: int
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.attributes = attributes
        self.line = line
        self.offset = offset
        self.children: list[Element] = []
        self.text = ""


class _Builder:
    """Collects the calls of the parser into elements."""

    def __init__(self) -> None:
        parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self._parser = parser
        self._open: list[_Open] = []
        self._count = 0
        self._root: Element | None = None

    def parse(self, data: bytes) -> Element:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise DuisError(
                f"not well-formed XML: {expat.errors.messages.get(error.code, 'unknown error')}",
                offset=max(self._parser.ErrorByteIndex, 0),
                path=f"document (line {error.lineno})",
            ) from error
        finally:
            self._release()
        if self._root is None:
            raise DuisError("not well-formed XML: no element", offset=0, path="document")
        return self._root

    def _release(self) -> None:
        """The parser and this object know each other: let go, so that neither waits for the collector."""
        parser = self._parser
        parser.XmlDeclHandler = None
        parser.StartDoctypeDeclHandler = None
        parser.StartElementHandler = None
        parser.EndElementHandler = None
        parser.CharacterDataHandler = None

    def _refuse(self, what: str, *, expected: str = "", found: str = "") -> DuisError:
        names = [one.name for one in self._open]
        path = "/".join(names[-4:]) or "document"
        return DuisError(
            what,
            offset=self._parser.CurrentByteIndex,
            path=f"{path} (line {self._parser.CurrentLineNumber})",
            expected=expected,
            found=shown(found),
        )

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        del version, standalone
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self._refuse("encoding not accepted", expected="UTF-8", found=encoding)

    def _document_type(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        del system, public, internal
        raise self._refuse("document type not accepted", expected="no DOCTYPE", found=f"DOCTYPE {name}")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse("nested too deep", expected=f"at most {MAX_DEPTH} levels")
        if self._count > MAX_ELEMENTS:
            raise self._refuse("too many elements", expected=f"at most {MAX_ELEMENTS}")
        namespace, _, local = name.rpartition(_SEPARATOR)
        own: tuple[tuple[str, str], ...] = ()
        if attributes:
            # Attributes of other namespaces (xsi:schemaLocation, say) belong to tools, not to DUIS.
            pairs = zip(attributes[::2], attributes[1::2], strict=True)
            own = tuple((key, value) for key, value in pairs if _SEPARATOR not in key)
        parser = self._parser
        self._open.append(_Open(namespace, local, own, parser.CurrentLineNumber, parser.CurrentByteIndex))

    def _text(self, text: str) -> None:
        # The parser gives a text in pieces only where it is very long, or has something between its parts.
        self._open[-1].text += text

    def _end(self, name: str) -> None:
        del name
        one = self._open[-1]
        text = one.text
        if one.children and text:
            if text.strip(_WHITE_SPACE):
                raise self._refuse("text beside elements", found=text.strip())
            text = ""
        self._open.pop()
        element = Element(
            one.name, tuple(one.children), text, one.attributes, one.namespace, one.line, one.offset
        )
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element


def write_document(root: Element) -> bytes:
    """The document of `root`, compact, UTF-8. Raises DuisError on text that XML cannot hold."""
    used: dict[str, None] = {}
    out = ['<?xml version="1.0" encoding="UTF-8"?>', ""]
    _write(root, out, used, "")
    # Which prefixes are used is known at the end; the first of the document declares them.
    declared = "".join(f' xmlns:{_PREFIXES[name]}="{name}"' for name in used if name in _PREFIXES)
    name = _tag(root)
    out[1] = f"<{name}{declared}"
    return "".join(out).encode()


def _tag(element: Element) -> str:
    prefix = _PREFIXES.get(element.namespace)
    return element.name if prefix is None else f"{prefix}:{element.name}"


def _write(element: Element, out: list[str], used: dict[str, None], default: str) -> None:
    """All of an element behind its name. `default` is the namespace that elements without a prefix have
    here; `used` are those that occur.
    """
    namespace = element.namespace
    used[namespace] = None
    if namespace not in _PREFIXES and namespace != default:
        default = namespace
        out.append(f' xmlns="{_escape(default, element.name, _ATTRIBUTE_ESCAPES)}"')
    for key, value in element.attributes:
        out.append(f' {key}="{_escape(value, key, _ATTRIBUTE_ESCAPES)}"')
    if not element.children and not element.text:
        out.append("/>")
        return
    out.append(">")
    if element.text:
        out.append(_escape(element.text, element.name, _TEXT_ESCAPES))
    for child in element.children:
        out.append(f"<{_tag(child)}")
        _write(child, out, used, default)
    out.append(f"</{_tag(element)}>")


_TEXT_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def _escape(text: str, path: str, table: dict[int, str]) -> str:
    if _PLAIN.fullmatch(text):
        return text
    wrong = _NOT_XML.search(text)
    if wrong:
        raise DuisError("a character that XML cannot carry", path=path, found=f"U+{ord(wrong.group()):04X}")
    return text.translate(table)
