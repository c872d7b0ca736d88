"""Every declared DLMS use case: random valid parameters encode, and decode to themselves."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from smetslab.gbcs import values
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import Obis
from smetslab.gbcs.dlms.axdr import Data, Tag
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
from smetslab.gbcs.dlms.protection import ProtectedRead
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
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content
from smetslab.gbcs.usecases.dlms import RESULTS, AccessItem, DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.gbcs.values import HEX_PREFIX, Parameters, Value, to_hex
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.named import seconds_to_text

EXAMPLES = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
SECRET = bytes(range(32))
OCTETS = st.binary(max_size=20)
TEXT = st.text(string.ascii_letters + string.digits + string.punctuation + " äß€", max_size=40).filter(
    lambda text: not text.startswith(HEX_PREFIX)
)
READABLE: dict[str, tuple[int, Callable[[bytes], str]]] = {
    "date-time": (12, values.date_time_to_text),
    "date": (5, values.date_to_text),
    "time": (4, values.time_to_text),
}

# -- values of a shape -------------------------------------------------------------------------------------


def shown(shape: Shape, data: SearchStrategy[Data]) -> SearchStrategy[Value]:
    """What `shape` shows for data of the right type: for leaves whose every octet means something."""
    return data.map(lambda one: shape.decode(one, "here"))


def numbers(tag: Tag) -> SearchStrategy[int]:
    size, signed = axdr.NUMBER_FORMS[tag]
    span = 1 << (8 * size)
    return st.integers(-span // 2, span // 2 - 1) if signed else st.integers(0, span - 1)


def bits(length: int) -> SearchStrategy[Data]:
    octets = st.binary(min_size=length // 8, max_size=length // 8)
    return octets.map(lambda raw: axdr.BitString(length, raw))


def octets(shape: Bytes) -> SearchStrategy[Value]:
    if shape.form == "hex":
        size = shape.length
        return st.binary(min_size=size or 0, max_size=20 if size is None else size).map(to_hex)
    length, text = READABLE[shape.form]
    raw = st.binary(min_size=length, max_size=length)
    if shape.form == "date-time":
        return raw.map(text) | st.sampled_from(["immediate", "never"]) | st.datetimes().map(moment)
    return raw.map(text)


def moment(when: object) -> str:
    return f"{str(when)[:19].replace(' ', 'T')}Z"


def packed(shape: Packed) -> SearchStrategy[Value]:
    forms: dict[str, Callable[[int], SearchStrategy[Value]]] = {
        "int": lambda size: st.integers(0, (1 << 8 * size) - 1),
        "hex": lambda size: st.binary(min_size=size, max_size=size).map(to_hex),
        "message-code": lambda size: st.binary(min_size=size, max_size=size).map(
            lambda raw: "0x" + to_hex(raw)
        ),
        "logical-name": lambda size: st.binary(min_size=size, max_size=size).map(lambda raw: str(Obis(raw))),
    }
    return st.fixed_dictionaries({name: forms[form](size) for name, size, form in shape.fields})


def structures(shape: Struct) -> list[SearchStrategy[Value]]:
    """One strategy for each number of members that may be there."""
    members = {name: values_of(inner) for name, inner in shape.members if not isinstance(inner, Const)}
    names = list(members)
    fewest = len(names) - (len(shape.members) - shape.required)
    return [
        st.fixed_dictionaries({name: members[name] for name in names[:count]})
        for count in range(fewest, len(names) + 1)
    ]


def entries(shape: Compact) -> SearchStrategy[Value]:
    """Entries of one layout: a compact-array has one type description."""
    element = shape.element
    variants = element.variants if isinstance(element, OneOf) else (element,)
    layouts = [
        layout for variant in variants if isinstance(variant, Struct) for layout in structures(variant)
    ]
    return st.one_of([st.lists(layout, max_size=3) for layout in layouts])


def values_of(shape: Shape) -> SearchStrategy[Value]:  # noqa: PLR0911, PLR0912 - one case for each shape
    """Values that `shape` can have."""
    match shape:
        case Num():
            known = (
                [numbers(shape.tag)]
                if not shape.names
                else [numbers(shape.tag), st.sampled_from(list(shape.names))]
            )
            return st.one_of(known).map(lambda number: shape.names.get(number, number))
        case Bool():
            return shown(shape, st.integers(0, 0xFF).map(axdr.Boolean)) | st.sampled_from(
                list(shape.names or (False, True))
            )
        case Text():
            return TEXT
        case Bytes():
            return octets(shape)
        case Bits():
            return st.text("01", max_size=20)
        case Seconds():
            return numbers(Tag.DOUBLE_LONG_UNSIGNED).map(seconds_to_text)
        case Code():
            return st.binary(min_size=2, max_size=2).map(to_hex)
        case Nullable():
            return st.none() | values_of(shape.shape)
        case Packed():
            return packed(shape)
        case Struct():
            return st.one_of(structures(shape))
        case OneOf():
            return st.one_of([values_of(variant) for variant in shape.variants])
        case ListOf():
            size = shape.count
            return st.lists(
                values_of(shape.element), min_size=size or 0, max_size=3 if size is None else size
            )
        case NamedList():
            return st.fixed_dictionaries({name: values_of(shape.element) for name in shape.names})
        case Compact():
            return entries(shape)
        case NamedOctets():
            free = OCTETS if shape.length is None else st.binary(min_size=shape.length, max_size=shape.length)
            return shown(shape, (free | st.sampled_from(list(shape.names))).map(axdr.octet_string))
        case Flags():
            named = shown(shape, bits(8))
            return named | st.text("01", max_size=7)
        case ControllerNumber():
            return shown(shape, numbers(Tag.LONG_UNSIGNED).map(axdr.long_unsigned))
        case ControllerOctet():
            return shown(shape, numbers(Tag.UNSIGNED).map(axdr.unsigned))
        case EventSet():
            return shown(shape, bits(256))
        case EventSettings():
            return shown(shape, bits(512))
        case ChannelMask():
            return shown(shape, bits(32))
        case ChannelLogDetail():
            changes = st.binary(min_size=5, max_size=5).map(lambda raw: raw[:4] + b"\x09\x01" + raw[4:])
            return shown(shape, (changes | OCTETS).map(axdr.octet_string))
    raise AssertionError(f"no values for {shape!r}")


# -- parameters of a message -------------------------------------------------------------------------------

PERIOD = st.fixed_dictionaries(
    {name: values_of(Bytes(12, "date-time")) for name in ("start_date_time", "end_date_time")}
)


def objects(read: ProtectedRead) -> SearchStrategy[Value]:
    return st.fixed_dictionaries({part.name: values_of(part.shape) for part in read.objects})


def item_parameters(item: AccessItem) -> SearchStrategy[Parameters]:
    """What a command says with one item."""
    parts: dict[str, SearchStrategy[Value]] = {}
    if item.protected is not None:
        if item.protected.windowed:
            parts[item.name] = PERIOD
    elif item.command is not None and not isinstance(item.command, Const):
        parts[item.name] = values_of(item.command)
    elif item.optional and item.selection is None:
        parts[item.name] = st.just(True)
    if item.selection is not None:
        parts[item.selection_name] = values_of(item.selection)
    given_all = st.fixed_dictionaries(parts)
    return given_all | st.just({}) if item.optional else given_all


def together(parts: tuple[Parameters, ...]) -> Parameters:
    return {name: value for part in parts for name, value in part.items()}


def commands(payload: DlmsAccess) -> SearchStrategy[Parameters]:
    return st.tuples(*(item_parameters(item) for item in payload.items)).map(together)


RESULT: SearchStrategy[Value] = st.sampled_from(["hardware-fault", "other-reason", "object-undefined", 200])


def answer(item: AccessItem) -> SearchStrategy[Parameters]:
    """What a response says with one item: its value, or a failure."""
    parts: dict[str, SearchStrategy[Value]] = {}
    if item.protected is not None:
        parts[item.name] = objects(item.protected)
    elif item.response is not None:
        parts[item.name] = values_of(item.response)
    failure = st.fixed_dictionaries({FAILURES: st.fixed_dictionaries({item.name: RESULT})})
    return st.one_of(st.fixed_dictionaries(parts), failure)


def responses(payload: DlmsAccess) -> SearchStrategy[Parameters]:
    if payload.has_optional_items:
        choice: SearchStrategy[Value] = st.sampled_from(["get", "set", "action"])
        result: SearchStrategy[Value] = st.fixed_dictionaries(
            {"choice": choice, "result": st.one_of(RESULT, st.just("success"))}
        )
        return st.fixed_dictionaries({RESULTS: st.lists(result, max_size=len(payload.items))})
    return st.tuples(*(answer(item) for item in payload.items)).map(with_failures)


def with_failures(parts: tuple[Parameters, ...]) -> Parameters:
    failures: Parameters = {}
    for part in parts:
        failed = part.get(FAILURES)
        failures |= failed if isinstance(failed, dict) else {}
    answers = together(tuple(part for part in parts if FAILURES not in part))
    return answers | {FAILURES: failures} if failures else answers


def alerts(payload: DlmsAlert) -> SearchStrategy[Parameters]:
    parts = {name: values_of(shape) for name, shape in payload.body.members}
    if isinstance(payload, SealedAlert):
        parts[payload.name] = objects(payload.sealed)
    return st.fixed_dictionaries(parts)


DEVICE, SUPPLIER = Eui64.parse("00DB1234567890A0"), Eui64.parse("90B3D51F30010000")


def header(use_case: UseCase, cra: Cra, counter: int, content: bytes = b"") -> Message:
    parties = (SUPPLIER, DEVICE) if cra is Cra.COMMAND else (DEVICE, SUPPLIER)
    return Message(
        cra=cra,
        originator_counter=counter,
        business_originator_id=parties[0],
        business_target_id=parties[1],
        date_time=None,
        other_information=OtherInformation(message_code=use_case.code),
        content=content,
        signature=b"",
        message_mac=None,
    )


COUNTERS = st.integers(0, (1 << 64) - 1)
ACCESS = {name: row for name, row in USE_CASES.items() if isinstance(row.payload, DlmsAccess)}
ALERTS = {name: row for name, row in USE_CASES.items() if isinstance(row.payload, DlmsAlert)}


def check(use_case: UseCase, cra: Cra, counter: int, parameters: Parameters) -> None:
    content = encode_content(use_case, header(use_case, cra, counter), parameters, SECRET)
    assert decode_content(use_case, header(use_case, cra, counter, content), SECRET) == parameters


@pytest.mark.parametrize("name", ACCESS)
@given(data=st.data(), counter=COUNTERS)
@EXAMPLES
def test_a_command_goes_both_ways(name: str, data: st.DataObject, counter: int) -> None:
    payload = ACCESS[name].payload
    assert isinstance(payload, DlmsAccess)
    check(ACCESS[name], Cra.COMMAND, counter, data.draw(commands(payload)))


@pytest.mark.parametrize("name", ACCESS)
@given(data=st.data(), counter=COUNTERS)
@EXAMPLES
def test_a_response_goes_both_ways(name: str, data: st.DataObject, counter: int) -> None:
    payload = ACCESS[name].payload
    assert isinstance(payload, DlmsAccess)
    check(ACCESS[name], Cra.RESPONSE, counter, data.draw(responses(payload)))


@pytest.mark.parametrize("name", ALERTS)
@given(data=st.data(), counter=COUNTERS)
@EXAMPLES
def test_an_alert_goes_both_ways(name: str, data: st.DataObject, counter: int) -> None:
    payload = ALERTS[name].payload
    assert isinstance(payload, DlmsAlert)
    check(ALERTS[name], Cra.ALERT, counter, data.draw(alerts(payload)))
