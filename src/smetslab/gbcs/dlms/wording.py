"""Shapes in words, for catalogues: types, members, units, and the values that have names."""

from __future__ import annotations

from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import (
    ChannelLogDetail,
    ChannelMask,
    ControllerNumber,
    ControllerOctet,
    EventSet,
    EventSettings,
    Flags,
    NamedList,
    NamedOctets,
    OneOf,
)
from smetslab.gbcs.dlms.shapes import (
    Bits,
    Bool,
    Bytes,
    Code,
    Compact,
    Const,
    ListOf,
    Nullable,
    Num,
    Packed,
    Seconds,
    Shape,
    Struct,
    Text,
)
from smetslab.gbcs.elements import Elements, below

_MOST_NAMES = 8


def shape_elements(shape: Shape, path: str) -> Elements:
    """What DUIS and MMC call the members of a value at `path`, by their paths."""
    found: Elements = {}
    match shape:
        case Struct():
            found.update(below(path, shape.elements))
            for name, one in shape.members:
                found.update(shape_elements(one, f"{path}.{name}"))
        case Packed():
            found.update(below(path, shape.elements))
        case NamedList():
            found.update(below(path, shape.elements))
            for name in shape.names:
                found.update(shape_elements(shape.element, f"{path}.{name}"))
        case ListOf() | Compact():
            found = shape_elements(shape.element, path)
        case Nullable():
            found = shape_elements(shape.shape, path)
        case OneOf():
            for one in shape.variants:
                found.update(shape_elements(one, path))
    return found


def tag_words(tag: Tag) -> str:
    """`long-unsigned`."""
    return tag.name.lower().replace("_", "-")


def shape_words(shape: Shape) -> str:
    """What a value of this shape is: `structure {active: double-long-unsigned in Wh, ...}`."""
    words = _simple(shape) or _packed(shape)
    if words:
        return words
    match shape:
        case Struct():
            words = "structure {" + ", ".join(_member(name, one) for name, one in shape.members) + "}"
        case ListOf():
            many = "array" if shape.count is None else f"array of {shape.count}"
            words = f"{many} of {shape_words(shape.element)}"
        case NamedList():
            words = f"array {{{', '.join(shape.names)}}} of {shape_words(shape.element)}"
        case Compact():
            words = f"compact-array of {shape_words(shape.element)}"
        case Nullable():
            words = f"{shape_words(shape.shape)}, or null-data"
        case OneOf():
            words = " or ".join([shape_words(one) for one in shape.variants])
    return words or type(shape).__name__


def _member(name: str, shape: Shape) -> str:
    return f"{name}: {shape_words(shape)}"


def _simple(shape: Shape) -> str:
    """The words for a value of a plain type; nothing for another."""
    words = ""
    match shape:
        case Num():
            words = _number(shape)
        case Bool():
            words = "boolean" if shape.names is None else f"boolean ({' or '.join(shape.names)})"
        case Text():
            most = "" if shape.maximum is None else f" of at most {shape.maximum}"
            words = f"{tag_words(shape.tag)}{most}, text"
        case Bytes():
            size = "" if shape.length is None else f" of {shape.length}"
            words = f"octet-string{size}" + ("" if shape.form == "hex" else f", {shape.form}")
        case Const():
            words = f"always {axdr.encode_data(shape.data).hex().upper()}"
        case Seconds():
            words = "double-long-unsigned, seconds since 2000"
        case Bits():
            words = "bit-string"
        case Code():
            words = "long-unsigned, alert or event code"
    return words


def _number(shape: Num) -> str:
    words = tag_words(shape.tag)
    if shape.unit:
        words += f" in {shape.unit}"
    if shape.minimum is not None or shape.maximum is not None:
        low = "" if shape.minimum is None else str(shape.minimum)
        high = "" if shape.maximum is None else str(shape.maximum)
        words += f" {low}..{high}"
    shown = [f"{number} {name}" for number, name in shape.names.items()][:_MOST_NAMES]
    if not shown:
        return words
    return f"{words} ({', '.join(shown)}{', ...' if len(shape.names) > _MOST_NAMES else ''})"


def _packed(shape: Shape) -> str:
    """The words for what GBCS itself packs into simple values; nothing for another."""
    words = ""
    match shape:
        case Packed():
            parts = [f"{name}({size})" for name, size, _ in shape.fields]
            words = f"octet-string of {shape.length}: {' '.join(parts)}"
        case NamedOctets():
            words = "octet-string (" + ", ".join(shape.names.values()) + ")"
        case Flags():
            words = "bit-string {" + ", ".join(name for name in shape.names if name is not None) + "}"
        case ControllerNumber():
            words = "long-unsigned: slot and action, or direction, slot and level"
        case ControllerOctet():
            words = "unsigned: direction and slot"
        case EventSet():
            words = f"bit-string of 256: codes {shape.prefix:02X}00 to {shape.prefix:02X}FF"
        case EventSettings():
            words = (
                f"bit-string of 512: mask and actions for codes {shape.prefix:02X}00 to {shape.prefix:02X}FF"
            )
        case ChannelMask():
            words = "bit-string of 32: page and channels"
        case ChannelLogDetail():
            words = "octet-string of 7: details of a sub-GHz event"
    return words
