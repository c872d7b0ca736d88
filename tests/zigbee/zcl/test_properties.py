"""Properties of the whole ZCL: what is written can be read, and no octets break a reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.errors import ZclDecodeError
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import (
    CLUSTERS,
    SERVER_TO_CLIENT,
    Attribute,
    Command,
    Record,
    ZclFrame,
    counted,
    fields,
    find_command,
    optional,
    to_end,
)
from smetslab.zigbee.zcl.clusters import (
    basic,
    calendar,
    device_management,
    events,
    messaging,
    metering,
    prepayment,
    price,
    tunnelling,
)
from smetslab.zigbee.zcl.fields import ABSENT, Fields, _Counted, _Exactly, _Optional, _Rest, _ToEnd, _Variant
from smetslab.zigbee.zcl.foundation import (
    AttributeValue,
    DefaultResponse,
    GeneralCommand,
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    ReportAttributes,
    WriteAttributes,
    WriteAttributesResponse,
    WriteResult,
    decode_general,
    general_frame,
)
from smetslab.zigbee.zcl.types import (
    TYPES,
    Boolean,
    CharacterString,
    Collection,
    CollectionType,
    DataType,
    FixedOctets,
    Float,
    Ieee,
    IeeeAddress,
    Int8,
    Integer,
    NoData,
    Octets,
    OctetString,
    Structure,
    StructureType,
    Text,
    UInt8,
    UInt16,
    UInt24,
    UInt32,
    decode_typed,
    encode_typed,
)

EXAMPLES = settings(max_examples=20)
"""For one row: all rows are compiled by the same few lines, so that together they try a thousand and more."""


def values_of(kind: DataType, depth: int = 2) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    strategy: st.SearchStrategy[Any]
    if isinstance(kind, Integer):
        strategy = st.integers(kind.low, kind.high)
    elif isinstance(kind, Boolean):
        strategy = st.none() | st.booleans()
    elif isinstance(kind, Float):
        strategy = st.floats(width={0x38: 16, 0x39: 32, 0x3A: 64}[kind.code or 0], allow_nan=False)
    elif isinstance(kind, CharacterString):
        strategy = st.none() | st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    elif isinstance(kind, OctetString):
        strategy = st.none() | st.binary(max_size=254 if kind.prefix == 1 else 600)
    elif isinstance(kind, IeeeAddress):
        strategy = st.binary(min_size=8, max_size=8).map(Eui64)
    elif isinstance(kind, FixedOctets):
        strategy = st.binary(min_size=kind.size, max_size=kind.size)
    elif isinstance(kind, NoData):
        strategy = st.none()
    else:
        inner = [
            code
            for code in TYPES
            if depth > 0 or not isinstance(TYPES[code], (CollectionType, StructureType))
        ]
        if isinstance(kind, CollectionType):
            strategy = st.sampled_from([code for code in inner if code != 0]).flatmap(
                lambda code: st.lists(values_of(TYPES[code], depth - 1), max_size=3).map(
                    lambda items: Collection(code, tuple(items))
                )
            )
        else:
            strategy = st.lists(
                st.sampled_from(inner).flatmap(
                    lambda code: values_of(TYPES[code], depth - 1).map(lambda value: (code, value))
                ),
                max_size=3,
            ).map(lambda items: Structure(tuple(items)))
    return strategy


typed_values = st.sampled_from(sorted(TYPES)).flatmap(
    lambda code: values_of(TYPES[code]).map(lambda value: (code, value))
)


@given(typed_values)
def test_every_value_survives_the_wire(pair: tuple[int, Any]) -> None:
    code, value = pair
    out = bytearray()
    encode_typed(code, value, out)
    assert decode_typed(code, bytes(out), 0, len(out)) == (value, len(out))
    for end in range(len(out)):
        with pytest.raises(ZclDecodeError):
            decode_typed(code, bytes(out), 0, end)


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=60))
def test_any_octets_give_a_value_or_a_decode_error(code: int, octets: bytes) -> None:
    try:
        value, position = decode_typed(code, octets, 0, len(octets))
    except ZclDecodeError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(octets)
        return
    if "nan" in repr(value):
        return
    out = bytearray()
    encode_typed(code, value, out)
    assert out == octets[:position]


def payloads_of(kind: DataType) -> st.SearchStrategy[Any]:
    """Any value of a field."""
    if isinstance(kind, Fields):
        return records_of(kind)
    if isinstance(kind, _Rest):
        return st.binary(max_size=20)
    if isinstance(kind, _Optional):
        return payloads_of(kind.kind)
    if isinstance(kind, _Exactly):
        return st.tuples(*[payloads_of(kind.element)] * kind.number)
    if isinstance(kind, (_Counted, _ToEnd)):
        return st.lists(payloads_of(kind.element), max_size=3).map(tuple)
    return values_of(kind)


def varied_records_of(shape: Fields, last: _Variant) -> st.SearchStrategy[Record]:
    """Any record whose last field depends on another one."""
    place = shape.index[last.on]
    before = [payloads_of(kind) for kind in shape.kinds[:-1]]
    before[place] |= st.sampled_from(sorted(last.kinds))
    return st.tuples(*before).flatmap(
        lambda values: payloads_of(last.pick(values[place])).map(
            lambda value: Record(shape, (*values, value))
        )
    )


def records_of(shape: Fields) -> st.SearchStrategy[Record]:
    """Any record: all fields, or without optional ones from some place on."""
    if shape.kinds and isinstance(shape.kinds[-1], _Variant):
        return varied_records_of(shape, shape.kinds[-1])
    first_optional = next(
        (place for place, kind in enumerate(shape.kinds) if isinstance(kind, _Optional)), len(shape.kinds)
    )
    return st.tuples(
        st.tuples(*(payloads_of(kind) for kind in shape.kinds)), st.integers(first_optional, len(shape.kinds))
    ).map(lambda pair: Record(shape, tuple(_cut(shape, *pair))))


def _cut(shape: Fields, values: tuple[Any, ...], stop: int) -> list[Any]:
    """`values` without those from `stop` on."""
    empty = [
        ABSENT if isinstance(kind, _Optional) else b"" if isinstance(kind, _Rest) else ()
        for kind in shape.kinds
    ]
    return [*values[:stop], *empty[stop:]]


MODULES = (
    basic,
    calendar,
    device_management,
    events,
    messaging,
    metering,
    prepayment,
    price,
    tunnelling,
)
assert len(MODULES) <= len(CLUSTERS)
COMMANDS = [command for cluster in CLUSTERS.values() for command in cluster.commands.values()]
ATTRIBUTES = list(
    {
        id(attribute.type): attribute
        for cluster in CLUSTERS.values()
        for attribute in cluster.attributes.values()
    }.values()
)
"""One of each type: what a value says depends on nothing else."""


@pytest.mark.parametrize("declared", COMMANDS, ids=lambda declared: f"{declared.cluster:04X}-{declared.name}")
@given(data=st.data())
@EXAMPLES
def test_every_declared_command_survives_the_wire_and_json(declared: Command, data: st.DataObject) -> None:
    record = data.draw(records_of(declared.fields))
    frame = declared.frame(record, sequence=9)
    assert declared.decode(frame.payload) == record
    assert find_command(declared.cluster, frame) is declared
    form = json.loads(json.dumps(declared.to_json(record)))
    assert declared.from_json(form) == record


@pytest.mark.parametrize(
    "declared", ATTRIBUTES, ids=lambda declared: f"{declared.cluster:04X}-{declared.name}"
)
@given(data=st.data())
@EXAMPLES
def test_every_declared_attribute_survives_json(declared: Attribute, data: st.DataObject) -> None:
    value = data.draw(values_of(declared.type))
    assert declared.type.from_json(json.loads(json.dumps(declared.type.to_json(value)))) == value


@given(typed_values)
def test_every_value_survives_json(pair: tuple[int, Any]) -> None:
    code, value = pair
    assert TYPES[code].from_json(json.loads(json.dumps(TYPES[code].to_json(value)))) == value


@pytest.mark.parametrize("declared", COMMANDS, ids=lambda declared: f"{declared.cluster:04X}-{declared.name}")
@given(octets=st.binary(max_size=30))
@EXAMPLES
def test_any_payload_gives_the_same_payload_back_or_a_decode_error(declared: Command, octets: bytes) -> None:
    try:
        record = declared.decode(octets)
    except ZclDecodeError as error:
        assert error.path.startswith(declared.name)
        return
    assert declared.encode(record) == octets


_MIXED = fields(
    a=UInt8,
    b=Int8,
    c=UInt24,
    who=Ieee,
    label=Octets,
    d=UInt32,
    list=counted(UInt8, fields(x=UInt8, y=counted(UInt16, Text))),
    e=optional(UInt16),
    f=optional(Text),
    g=to_end(fields(x=UInt16, y=UInt8)),
)


@given(data=st.data())
def test_a_field_list_of_every_kind_survives_the_wire(data: st.DataObject) -> None:
    record = data.draw(records_of(_MIXED))
    out = bytearray()
    _MIXED.encode(record, out)
    assert _MIXED.decode(bytes(out), 0, len(out)) == (record, len(out))


values = st.builds(
    lambda number, pair: AttributeValue(number, pair[0], pair[1]), st.integers(0, 0xFFFF), typed_values
)
results = st.builds(
    lambda number, pair: ReadResult(number, 0, pair[0], pair[1]), st.integers(0, 0xFFFF), typed_values
) | st.builds(ReadResult, st.integers(0, 0xFFFF), st.integers(1, 255))


def _tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=4).map(tuple)


commands: st.SearchStrategy[GeneralCommand] = st.one_of(
    st.builds(ReadAttributes, _tuples(st.integers(0, 0xFFFF))),
    st.builds(ReadAttributesResponse, _tuples(results)),
    st.builds(WriteAttributes, _tuples(values)),
    st.builds(ReportAttributes, _tuples(values)),
    st.builds(
        WriteAttributesResponse,
        _tuples(st.builds(WriteResult, st.integers(0, 255), st.integers(0, 0xFFFF))),
    ),
    st.builds(DefaultResponse, st.integers(0, 255), st.integers(0, 255)),
)


@given(commands)
def test_every_general_command_survives_the_wire(command: GeneralCommand) -> None:
    assert decode_general(general_frame(command, direction=SERVER_TO_CLIENT, sequence=0)) == command


@given(st.sampled_from([0, 1, 2, 4, 10, 11]), st.binary(max_size=40))
def test_any_payload_gives_a_command_or_a_decode_error(number: int, payload: bytes) -> None:
    frame = ZclFrame(
        cluster_specific=False, server_to_client=True, sequence=0, command=number, payload=payload
    )
    try:
        command = decode_general(frame)
    except ZclDecodeError:
        return
    assert command is not None
    if "nan" not in repr(command):
        assert command.encode() == payload
