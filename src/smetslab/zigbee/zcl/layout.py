"""Where each field of a payload stands: the same walk as decoding, with the places kept.

For people who look at octets; decoding itself keeps no places, because that would cost it half its speed.

Spec: ZCL 2.5 (general commands), 2.6 (data types)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smetslab.zigbee.zcl.fields import Fields, _Counted, _List, _Optional, _Variant
from smetslab.zigbee.zcl.types import DataType
from smetslab.zigbee.zcl.values import JsonValue, ZclValue


@dataclass(frozen=True, slots=True)
class Span:
    """A field from `start` to `stop`; `value` is its JSON form where it has no `parts`."""

    name: str
    start: int
    stop: int
    value: JsonValue = None
    parts: tuple[Span, ...] = ()


def field_spans(shape: Fields, data: bytes, position: int, end: int) -> Iterator[Span]:
    """The fields of a payload. Raises ZclDecodeError where decoding does."""
    values: list[ZclValue] = []
    for name, declared in zip(shape.names, shape.kinds, strict=True):
        kind = declared
        if isinstance(kind, _Variant):
            kind = kind.pick(values[shape.index[kind.on]])
        span, value = _span(name, kind, data, position, end)
        values.append(value)
        if span.stop > position:
            yield span
        position = span.stop


def _span(name: str, kind: DataType, data: bytes, position: int, end: int) -> tuple[Span, ZclValue]:
    value, stop = kind.decode(data, position, end)
    inner = kind.kind if isinstance(kind, _Optional) else kind
    if stop == position:
        return Span(name, position, stop), value
    if isinstance(inner, Fields):
        return Span(name, position, stop, parts=tuple(field_spans(inner, data, position, stop))), value
    if isinstance(inner, _List):
        return Span(name, position, stop, parts=tuple(_elements(inner, data, position, stop))), value
    return Span(name, position, stop, inner.to_json(value)), value


def _elements(kind: _List, data: bytes, position: int, stop: int) -> Iterator[Span]:
    if isinstance(kind, _Counted):
        number, after = kind.count.decode(data, position, stop)
        yield Span("count", position, after, number)
        position = after
    place = 0
    while position < stop:
        span, _ = _span(f"[{place}]", kind.element, data, position, stop)
        yield span
        position, place = span.stop, place + 1
