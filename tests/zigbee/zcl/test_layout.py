"""Places of fields: they follow each other, and say what decoding says."""

from __future__ import annotations

from smetslab.zigbee.zcl.fields import Fields, counted, fields, optional, rest, to_end, variant
from smetslab.zigbee.zcl.layout import Span, field_spans
from smetslab.zigbee.zcl.types import CharacterString, UInt8, UInt16


def spans(shape: Fields, payload: str) -> list[tuple[str, int, int, object]]:
    data = bytes.fromhex(payload)
    return [(one.name, one.start, one.stop, one.value) for one in field_spans(shape, data, 0, len(data))]


def test_fields_follow_each_other() -> None:
    shape = fields(number=UInt16, label=CharacterString(), rest=rest())
    assert spans(shape, "0100 024142 FFEE") == [
        ("number", 0, 2, 1),
        ("label", 2, 5, "AB"),
        ("rest", 5, 7, "FFEE"),
    ]


def test_fields_that_are_absent_have_no_place() -> None:
    shape = fields(number=UInt8, more=optional(UInt16))
    assert [one[0] for one in spans(shape, "01")] == ["number"]
    assert [one[0] for one in spans(shape, "010200")] == ["number", "more"]


def test_kind_of_a_field_is_decided_by_an_earlier_one() -> None:
    shape = fields(kind=UInt8, value=variant("kind", {1: UInt16}, UInt8))
    assert spans(shape, "01 0500")[1] == ("value", 1, 3, 5)
    assert spans(shape, "02 05")[1] == ("value", 1, 2, 5)


def test_elements_of_lists_have_places_of_their_own() -> None:
    shape = fields(items=counted(UInt8, fields(a=UInt8, b=UInt16)), more=to_end(UInt8))
    data = bytes.fromhex("02 01 0200 03 0400 09")
    items, more = field_spans(shape, data, 0, len(data))
    assert [(one.name, one.start, one.stop) for one in items.parts] == [
        ("count", 0, 1),
        ("[0]", 1, 4),
        ("[1]", 4, 7),
    ]
    assert items.parts[2].parts == (Span("a", 4, 5, 3), Span("b", 5, 7, 4))
    assert more.parts == (Span("[0]", 7, 8, 9),)
