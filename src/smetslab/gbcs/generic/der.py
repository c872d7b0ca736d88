"""ASN.1 elements as JSON: tags, and below each constructed one its members. Knows no type.

Numbers, times and texts stay octets: without a type nobody knows what they count. Definite lengths of any
form are kept, DER or not.

Spec: X.690 8.1, 10.1.
"""

from __future__ import annotations

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.values import Value, from_hex, to_hex
from smetslab.wire import Reader, ber_length

MAX_DEPTH = 32
"""Deepest nesting that is shown; what lies below stays octets. A certificate nests to 9."""
MAX_LENGTH_OCTETS = 5
LENGTH_OCTETS = "length_octets"
"""The member of an element whose length is written in more octets than it needs: how many they are."""
_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F


def elements_to_json(content: bytes) -> Value:
    """Every element of `content` in order. Raises GbcsDecodeError."""
    return _elements(Reader(content), MAX_DEPTH)


def _elements(reader: Reader, depth: int) -> list[Value]:
    items: list[Value] = []
    while reader.remaining:
        tag = reader.u8("tag")
        if tag & _LONG_TAG == _LONG_TAG:
            raise reader.fail("tag of more than one octet", path="tag", expected="one octet")
        item: dict[str, Value] = {"tag": f"{tag:02X}"}
        start = reader.position
        length = _length(reader)
        if reader.position - start != len(ber_length(length)):
            item[LENGTH_OCTETS] = reader.position - start
        contents = reader.take(length, "contents")
        if not tag & _CONSTRUCTED or depth == 0:
            item["hex"] = to_hex(contents)
        else:
            item["elements"] = _elements(Reader(contents), depth - 1)
        items.append(item)
    return items


def _length(reader: Reader) -> int:
    first = reader.u8("length")
    if first < 0x80:
        return first
    size = first & 0x7F
    if not 1 <= size <= MAX_LENGTH_OCTETS - 1:
        raise reader.fail("length of unsupported size", path="length", found=f"{first:02X}")
    return reader.unsigned(size, "length")


def elements_from_json(value: Value) -> bytes:
    """The reverse of `elements_to_json`. Raises GbcsEncodeError."""
    return _from_json(value, MAX_DEPTH)


def _from_json(value: Value, depth: int) -> bytes:
    if not isinstance(value, list) or depth < 0:
        raise GbcsEncodeError("not a list of elements", path="content.asn1", found=repr(value)[:60])
    parts: list[bytes] = []
    for item in value:
        if not isinstance(item, dict) or set(item) - {LENGTH_OCTETS} not in (
            {"tag", "hex"},
            {"tag", "elements"},
        ):
            raise GbcsEncodeError(
                "not an element",
                path="content.asn1",
                expected="tag, and hex or elements",
                found=repr(item)[:60],
            )
        tag = from_hex(item["tag"], "content.asn1.tag")
        if len(tag) != 1:
            raise GbcsEncodeError(
                "not a tag", path="content.asn1.tag", expected="one octet", found=to_hex(tag)
            )
        contents = (
            from_hex(item["hex"], "content.asn1.hex")
            if "hex" in item
            else _from_json(item["elements"], depth - 1)
        )
        parts += [tag, _length_octets(len(contents), item.get(LENGTH_OCTETS)), contents]
    return b"".join(parts)


def _length_octets(length: int, size: Value) -> bytes:
    if size is None:
        return ber_length(length)
    if not isinstance(size, int) or not 2 <= size <= MAX_LENGTH_OCTETS or length >= 1 << (8 * (size - 1)):
        raise GbcsEncodeError(
            "length does not fit", path=f"content.asn1.{LENGTH_OCTETS}", found=repr(size)[:60]
        )
    return bytes((0x80 | (size - 1),)) + length.to_bytes(size - 1, "big")
