"""What ZCL data types have for values, and the JSON forms of octets and texts.

Spec: ZCL 2.6 (data types)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.ids import Eui64

HEX_PREFIX: Final = "hex:"
"""What the JSON form of a text begins with where octets stand that are not text."""

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"


@dataclass(frozen=True, slots=True)
class Collection:
    """Value of an array, set or bag: elements of one type."""

    element: int
    items: tuple[ZclValue, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """Value of a structure: each element with its own type code."""

    items: tuple[tuple[int, ZclValue], ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value of a type that is not known here: its octets, to the end of what was given."""

    code: int
    raw: bytes


class FieldValue:
    """Base of values that only fields of commands have: records and the mark for an absent field."""

    __slots__ = ()


ZclValue: TypeAlias = (
    int
    | float
    | str
    | bytes
    | Eui64
    | Collection
    | Structure
    | Unknown
    | FieldValue
    | tuple["ZclValue", ...]
    | None
)


def truncated(position: int, wanted: int, end: int) -> ZclDecodeError:
    """The error for data that ends too early; the caller raises it."""
    return ZclDecodeError(
        "truncated",
        offset=position,
        expected=f"{wanted} more bytes",
        found=str(end - position),
        spec="ZCL 2.6",
    )


def octets_from_json(value: JsonValue) -> bytes:
    """The octets of a text of hex digits; ZclEncodeError otherwise."""
    try:
        if isinstance(value, str):
            return bytes.fromhex(value.removeprefix(HEX_PREFIX))
    except ValueError:
        pass
    raise ZclEncodeError("not hex digits", found=repr(value))


def text_to_json(octets: bytes) -> str:
    """Octets as the text they are, or as `hex:` and digits where they are no printable text."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return HEX_PREFIX + octets.hex().upper()
    if text.isprintable() and not text.startswith(HEX_PREFIX):
        return text
    return HEX_PREFIX + octets.hex().upper()


def text_from_json(value: JsonValue) -> bytes:
    """The octets of what `text_to_json` gives; ZclEncodeError when it is something else."""
    if not isinstance(value, str):
        raise ZclEncodeError("not a text", found=repr(value))
    if value.startswith(HEX_PREFIX):
        return octets_from_json(value)
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise ZclEncodeError("not a text that UTF-8 can express", found=repr(value)) from None
