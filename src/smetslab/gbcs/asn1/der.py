"""DER of the ASN.1 types that GBCS uses: lengths, faults, and what a compiled type can do.

A type is compiled once from the schema and serves both directions. Reading accepts exactly what writing gives
(one encoding for each value), so that a message which was read can be written again octet for octet from its
named values. Every fault names the offset of its first wrong octet in the content.

Types refer to each other without cycles, so the depth of recursion is that of the schema, whatever the bytes.

Spec: X.690 8, 10, 11 (DER); GBCS Annex 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from smetslab.errors import CodecError, GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.values import Value, to_hex
from smetslab.wire import ber_length

SEQUENCE = 0x30
_EXCERPT = 20

Lengths: TypeAlias = Callable[[int], bytes]
"""Writes a length."""


def two_octet_length(length: int) -> bytes:
    """A length from 128 on as `82` and two octets, even where one would do. Not DER."""
    return ber_length(length) if not 0x80 <= length <= 0xFF else bytes((0x82, 0x00, length))


class Cursor:
    """The content that is being read, and the form in which it writes lengths of 128 to 255.

    The published vectors write them as `82 00 xx`, where DER has `81 xx`. Both are read, but only one of them
    in one message: `two_octet` is None until the first such length.
    """

    __slots__ = ("data", "two_octet")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.two_octet: bool | None = None

    def open(self, position: int, end: int, tag: int, label: str) -> tuple[int, int]:
        """Start and end of the contents of the element at `position`, which has to have `tag`."""
        data = self.data
        if position >= end or data[position] != tag:
            raise fault(
                position,
                "not the type of the use case",
                expected=f"{label} (tag {tag:02X})",
                found=f"tag {data[position]:02X}" if position < end else "the end",
            )
        start = position + 2
        if start > end:
            raise fault(position + 1, "truncated", expected="a length", found="the end")
        length = data[position + 1]
        if length >= 0x80:
            length, start = self._long_length(position + 1, end)
        stop = start + length
        if stop > end:
            raise fault(
                position + 1, "length runs past the end", expected=f"at most {end - start}", found=str(length)
            )
        return start, stop

    def _long_length(self, position: int, end: int) -> tuple[int, int]:
        length, start, two_octet = _read_long_length(self.data, position, end)
        if two_octet is not None:
            if self.two_octet is None:
                self.two_octet = two_octet
            elif self.two_octet is not two_octet:
                raise fault(
                    position,
                    "lengths of one message in two different forms",
                    expected=to_hex((two_octet_length if self.two_octet else ber_length)(length)),
                    found=to_hex(self.data[position:start]),
                    spec="X.690 10.1",
                )
        return length, start

    def open_opaque(self, position: int, end: int, label: str) -> tuple[int, int]:
        """As `open` for a SEQUENCE of another specification, which says nothing about our lengths."""
        form, self.two_octet = self.two_octet, None
        try:
            return self.open(position, end, SEQUENCE, label)
        finally:
            self.two_octet = form


def _read_long_length(data: bytes, position: int, end: int) -> tuple[int, int, bool | None]:
    """A length of more than one octet: its value, where the contents start, and its form, if it has two."""
    size = data[position] & 0x7F
    if not 1 <= size <= 4:
        raise fault(
            position,
            "indefinite length" if size == 0 else "length of unsupported size",
            expected="00..7F or 81..84",
            found=f"{data[position]:02X}",
            spec="X.690 10.1",
        )
    start = position + 1 + size
    if start > end:
        raise fault(position, "truncated", expected=f"a length of {size} octets", found="the end")
    length = int.from_bytes(data[position + 1 : start], "big")
    if 0x80 <= length <= 0xFF and size <= 2:
        return length, start, size == 2
    if length < 0x80 or length < 1 << (8 * (size - 1)):
        raise fault(
            position,
            "length not in its shortest form",
            expected=to_hex(ber_length(length)),
            found=to_hex(data[position:start]),
            spec="X.690 10.1",
        )
    return length, start, None


class Asn1Type(Protocol):
    """One compiled type."""

    @property
    def label(self) -> str:
        """The name of the type in ASN.1."""

    @property
    def tags(self) -> tuple[int, ...]:
        """The identifier octets with which an element of this type may start."""

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        """The value at `position` and where it ends. Raises GbcsDecodeError."""

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        """The element for `value`. Raises GbcsEncodeError."""


def fault(
    offset: int, what: str, *, path: str = "", expected: str = "", found: str = "", spec: str = ""
) -> GbcsDecodeError:
    """The error for the octet at `offset`."""
    return GbcsDecodeError(what, offset=offset, path=path, expected=expected, found=found, spec=spec)


def refuse(value: Value, expected: str) -> GbcsEncodeError:
    """The error for a value that cannot be written."""
    return GbcsEncodeError("value does not fit the use case", expected=expected, found=repr(value)[:80])


def inside(error: CodecError, step: str) -> CodecError:
    """The same error, one step further out: `step` is a member's name or an index in brackets."""
    dot = "." if error.path and not error.path.startswith("[") else ""
    return type(error)(
        error.what,
        offset=error.offset,
        path=f"{step}{dot}{error.path}",
        expected=error.expected,
        found=error.found,
        spec=error.spec,
    )


def excerpt(octets: bytes) -> str:
    """The first octets, for an error."""
    return to_hex(octets[:_EXCERPT]) + ("..." if len(octets) > _EXCERPT else "")
