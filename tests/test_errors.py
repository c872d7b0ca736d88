"""An error tells where, what was expected, what was found and which clause says so."""

from __future__ import annotations

import pytest

from smetslab import errors
from smetslab.errors import CertificateError, CodecError, GbcsDecodeError, ProtocolError, SecurityError


def test_codec_error_reads_as_one_sentence() -> None:
    error = GbcsDecodeError(
        "wrong length",
        offset=24,
        path="grouping header.recipient",
        expected="8",
        found="7",
        spec="GBCS 7.2.7",
    )
    assert (
        str(error) == "grouping header.recipient: wrong length at byte 24, expected 8, found 7 (GBCS 7.2.7)"
    )


def test_codec_error_leaves_out_what_it_does_not_know() -> None:
    assert str(CodecError("truncated")) == "truncated"
    assert str(CodecError("truncated", offset=0)) == "truncated at byte 0"


def test_error_that_climbs_out_keeps_its_class_and_place() -> None:
    inner = GbcsDecodeError("truncated", offset=3, path="b", expected="1", found="0", spec="GBCS 7.3")
    outer = inner.within("a")
    assert type(outer) is GbcsDecodeError
    assert str(outer) == "a.b: truncated at byte 3, expected 1, found 0 (GBCS 7.3)"
    assert CodecError("x").within("a").path == "a"


def test_every_error_of_the_tree_has_the_one_root() -> None:
    found = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert len(found) > 10
    assert all(issubclass(item, errors.SmetsLabError) for item in found)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SecurityError("MAC", "does not match", spec="GBCS 6.4.5"), "MAC: does not match (GBCS 6.4.5)"),
        (CertificateError("expired"), "certificate: expired"),
        (ProtocolError("late", spec="GBCS 9"), "late (GBCS 9)"),
        (errors.RegistryError("declared twice", rule="unique"), "declared twice [unique]"),
    ],
)
def test_other_errors_name_check_rule_and_clause(error: Exception, text: str) -> None:
    assert str(error) == text
