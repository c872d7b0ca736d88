"""Round trips of everything DLMS: any value, any APDU, and any content that a declaration allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import describe
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Apdu,
    Choice,
    DataNotification,
    Obis,
    Specification,
    decode_apdu,
    long_invoke_id,
)
from smetslab.gbcs.dlms.axdr import (
    FIXED_OCTETS,
    NUMBER_FORMS,
    STRING_TAGS,
    ArrayDescription,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DontCare,
    Null,
    Number,
    Octets,
    Sequence,
    StructureDescription,
    Tag,
    TypeDescription,
    decode_data,
    encode_data,
)
from smetslab.gbcs.dlms.forms import NamedList, OneOf
from smetslab.gbcs.dlms.protection import ProtectedRead, encode_response
from smetslab.gbcs.dlms.shapes import Compact, Const, ListOf, Nullable, Shape, Struct
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.usecases import USE_CASES, UseCase, by_code, decode_content, encode_content
from smetslab.gbcs.usecases.dlms import RANGE_DESCRIPTOR, AccessItem, DlmsAccess, DlmsAlert
from smetslab.ids import Eui64

SECRET = bytes(range(32))
COUNTERS = st.integers(0, 2**64 - 1)
BIT_LENGTHS = (0, 1, 3, 7, 8, 9, 16, 32, 256, 512)
OCTET_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 19, 20, 25, 32, 130)


def bits_of(length: int) -> st.SearchStrategy[Data]:
    unused = -length % 8
    values = st.integers(0, (1 << length) - 1)
    return values.map(lambda bits: BitString(length, (bits << unused).to_bytes((length + 7) // 8, "big")))


def numbers(tag: Tag) -> st.SearchStrategy[Data]:
    size, signed = NUMBER_FORMS[tag]
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)
    return st.integers(low, high).map(lambda value: Number(tag, value))


def octets_of(tag: Tag, length: int) -> st.SearchStrategy[Data]:
    return st.binary(min_size=length, max_size=length).map(lambda raw: Octets(tag, raw))


def strings(tag: Tag) -> st.SearchStrategy[Data]:
    return st.sampled_from(OCTET_LENGTHS).flatmap(lambda length: octets_of(tag, length))


SIMPLE: dict[Tag, st.SearchStrategy[Data]] = {
    Tag.NULL_DATA: st.just(Null()),
    Tag.DONT_CARE: st.just(DontCare()),
    Tag.BOOLEAN: st.integers(0, 255).map(Boolean),
    Tag.BIT_STRING: st.sampled_from(BIT_LENGTHS).flatmap(bits_of),
    **{tag: numbers(tag) for tag in NUMBER_FORMS},
    **{tag: strings(tag) for tag in STRING_TAGS},
    **{tag: octets_of(tag, size) for tag, size in FIXED_OCTETS.items()},
}

DESCRIPTIONS: st.SearchStrategy[TypeDescription] = st.recursive(
    st.sampled_from(list(SIMPLE)),
    lambda inner: (
        st.builds(ArrayDescription, st.integers(0, 3), inner)
        | st.lists(inner, max_size=3).map(lambda members: StructureDescription(tuple(members)))
    ),
    max_leaves=4,
)


def described(description: TypeDescription) -> st.SearchStrategy[Data]:
    """Values that can stand in a compact-array of this type."""
    if isinstance(description, StructureDescription):
        members = st.tuples(*[described(member) for member in description.elements])
        return members.map(lambda items: Sequence(Tag.STRUCTURE, items))
    if isinstance(description, ArrayDescription):
        members = st.tuples(*[described(description.element)] * description.count)
        return members.map(lambda items: Sequence(Tag.ARRAY, items))
    return SIMPLE[description]


@st.composite
def compact_arrays(draw: st.DrawFn) -> CompactArray:
    description = draw(DESCRIPTIONS)
    elements = draw(st.lists(described(description), max_size=3))
    # Elements are counted by their octets: those that have none cannot be counted.
    counted = [e for e in elements if axdr.contents_length(CompactArray(description, (e,)))]
    return CompactArray(description, tuple(counted))


DATA: st.SearchStrategy[Data] = st.recursive(
    st.one_of(*SIMPLE.values(), compact_arrays()),
    lambda inner: st.builds(
        Sequence, st.sampled_from([Tag.ARRAY, Tag.STRUCTURE]), st.lists(inner, max_size=4).map(tuple)
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(DATA)
def test_any_value_reads_back(value: Data) -> None:
    octets = encode_data(value)
    assert decode_data(octets) == value


@given(DATA, st.binary(min_size=1, max_size=3))
def test_value_ends_where_it_ends(value: Data, rest: bytes) -> None:
    with pytest.raises(GbcsDecodeError, match="trailing bytes"):
        decode_data(encode_data(value) + rest)


@st.composite
def specifications(draw: st.DrawFn) -> Specification:
    choice = draw(st.sampled_from(Choice))
    selects = choice in {Choice.GET_WITH_SELECTION, Choice.SET_WITH_SELECTION}
    return Specification(
        choice,
        draw(st.integers(0, 0xFFFF)),
        Obis(draw(st.binary(min_size=6, max_size=6))),
        draw(st.integers(0, 255)),
        draw(st.integers(0, 255)) if selects else None,
        draw(DATA) if selects else None,
    )


@st.composite
def apdus(draw: st.DrawFn) -> Apdu:
    invoke_id = draw(st.integers(0, 0xFFFFFFFF))
    date_time = draw(st.sampled_from([b"", bytes(12)]))
    kind = draw(st.sampled_from([AccessRequest, AccessResponse, DataNotification]))
    if kind is DataNotification:
        return DataNotification(invoke_id, draw(DATA), date_time)
    listed = tuple(draw(st.lists(specifications(), max_size=3)))
    if kind is AccessRequest:
        return AccessRequest(invoke_id, listed, tuple(draw(DATA) for _ in listed), date_time)
    choices = st.sampled_from([Choice.GET, Choice.SET, Choice.ACTION])
    answers = draw(st.lists(st.tuples(DATA, choices, st.integers(0, 255)), max_size=3))
    return AccessResponse(
        invoke_id,
        tuple([data for data, _, _ in answers]),
        tuple([AccessResult(choice, result) for _, choice, result in answers]),
        listed,
        date_time,
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(apdus())
def test_any_apdu_reads_back_and_is_shown_whole(apdu: Apdu) -> None:
    content = apdu.encode()
    assert decode_apdu(content) == apdu
    message = replace(header(Cra.RESPONSE, 0x7FFF, 1), content=content)
    root = describe(encode_message(message))
    assert root.error is None
    assert b"".join([leaf.raw for leaf in root.leaves()]) == encode_message(message)


# -- declarations --------------------------------------------------------------------------------------------


def header(cra: Cra, code: int, counter: int) -> Message:
    ends = Eui64(b"\x11" * 8), Eui64(b"\x22" * 8)
    originator, target = ends if cra is Cra.COMMAND else ends[::-1]
    return Message(
        cra=cra,
        originator_counter=counter,
        business_originator_id=originator,
        business_target_id=target,
        other_information=OtherInformation(message_code=code),
        content=b"",
    )


def fits(shape: Shape, data: Data) -> bool:
    try:
        shape.decode(data, "")
    except GbcsDecodeError:
        return False
    return True


def data_for(shape: Shape) -> st.SearchStrategy[Data]:  # noqa: PLR0911 - one line for each kind of shape
    """Data of this shape, from the shape's parts where it has some, else from its type."""
    match shape:
        case Const():
            return st.just(shape.data)
        case Nullable():
            return st.just(Null()) | data_for(shape.shape)
        case OneOf():
            return st.one_of([data_for(variant) for variant in shape.variants])
        case NamedList():
            items = st.tuples(*[data_for(shape.element)] * len(shape.names))
            return items.map(lambda found: Sequence(Tag.ARRAY, found))
        case ListOf():
            low, high = (0, 3) if shape.count is None else (shape.count, shape.count)
            items = st.lists(data_for(shape.element), min_size=low, max_size=high).map(tuple)
            return items.map(lambda found: Sequence(Tag.ARRAY, found))
        case Struct():
            counts = st.integers(shape.required, len(shape.members))
            return counts.flatmap(lambda count: structures(shape, count))
        case Compact():
            return st.lists(data_for(shape.element), max_size=3).map(lambda found: compact(shape, found))
    if id(shape) not in _LEAVES:
        _LEAVES[id(shape)] = leaves_for(shape)
    return _LEAVES[id(shape)]


_LEAVES: dict[int, st.SearchStrategy[Data]] = {}  # declarations live as long as the process


def leaves_for(shape: Shape) -> st.SearchStrategy[Data]:
    """Simple values of this shape: of its type, and of a length that it takes."""
    tag = shape.type_of(None)
    assert isinstance(tag, Tag), f"a shape of parts that this test does not know: {shape}"
    if tag is Tag.BIT_STRING:
        bits = [n for n in BIT_LENGTHS if fits(shape, BitString(n, bytes((n + 7) // 8)))]
        return st.sampled_from(bits).flatmap(bits_of)
    if tag in STRING_TAGS:
        lengths = [n for n in OCTET_LENGTHS if fits(shape, Octets(tag, bytes(n)))]
        return st.sampled_from(lengths).flatmap(lambda n: octets_of(tag, n))
    return SIMPLE[tag].filter(lambda data: fits(shape, data))


def structures(shape: Struct, count: int) -> st.SearchStrategy[Data]:
    members = st.tuples(*[data_for(member) for _, member in shape.members[:count]])
    return members.map(lambda found: Sequence(Tag.STRUCTURE, found))


def compact(shape: Compact, elements: list[Data]) -> CompactArray:
    """Of `elements`, those that have the type of the first."""
    if not elements:
        return CompactArray(shape.element.type_of(None), ())
    description = axdr.describe_type(elements[0])
    return CompactArray(description, tuple(e for e in elements if axdr.describe_type(e) == description))


@st.composite
def commands(draw: st.DrawFn, payload: DlmsAccess, message: Message) -> bytes:
    """An access-request of a use case."""
    chosen = [item for item in payload.items if not item.optional or draw(st.booleans())]
    window = draw(st.sampled_from(["2026-01-01T00:00:00Z", "immediate", "hex:" + "01" * 12]))
    data: list[Data] = []
    for item in chosen:
        if item.protected is not None:
            period = {"start_date_time": window, "end_date_time": "never"}
            data.append(item.protected.encode_command(period, message, item.name))
        else:
            data.append(draw(data_for(item.command)) if item.command is not None else Null())
    listed = [specification(item, draw) for item in chosen]
    return AccessRequest(long_invoke_id(message.originator_counter), tuple(listed), tuple(data)).encode()


def specification(item: AccessItem, draw: st.DrawFn) -> Specification:
    if item.selection is None:
        return Specification(item.choice, item.class_id, item.obis, item.index)
    selection = draw(data_for(item.selection))
    return Specification(item.choice, item.class_id, item.obis, item.index, RANGE_DESCRIPTOR, selection)


@st.composite
def responses(draw: st.DrawFn, payload: DlmsAccess, message: Message) -> bytes:
    """An access-response of a use case, in which some items may have failed."""
    chosen = [item for item in payload.items if not item.optional or draw(st.booleans())]
    answers = {Choice.GET_WITH_SELECTION: Choice.GET, Choice.SET_WITH_SELECTION: Choice.SET}
    data: list[Data] = []
    results: list[AccessResult] = []
    for item in chosen:
        result = draw(st.sampled_from([0, 0, 0, 1, 250, 77]))
        results.append(AccessResult(answers.get(item.choice, item.choice), result))
        answered = result == 0 and not payload.has_optional_items
        if answered and item.protected is not None:
            data.append(draw(protected_answers(item.protected, message)))
        else:
            data.append(draw(data_for(item.response)) if answered and item.response is not None else Null())
    return AccessResponse(long_invoke_id(message.originator_counter), tuple(data), tuple(results)).encode()


def protected_answers(read: ProtectedRead, message: Message) -> st.SearchStrategy[Data]:
    members = st.tuples(*[data_for(item.shape) for item in read.objects])
    return members.map(lambda values: encode_response(values, message, SECRET))


def alerts(payload: DlmsAlert, message: Message) -> st.SearchStrategy[bytes]:
    invoke_id = long_invoke_id(message.originator_counter)
    return data_for(payload.body).map(lambda body: DataNotification(invoke_id, body).encode())


def round_trip(use_case: UseCase, message: Message) -> None:
    values = decode_content(use_case, message, SECRET)
    assert encode_content(use_case, message, values, SECRET) == message.content
    assert decode_content(use_case, message, SECRET) == values
    root = describe(encode_message(message), secret_for=lambda device, party: SECRET)
    assert root.error is None


ACCESS = [row for row in USE_CASES.values() if type(row.payload) is DlmsAccess]
ALERTS = [row for row in USE_CASES.values() if type(row.payload) is DlmsAlert]
few = settings(max_examples=3, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("use_case", ACCESS, ids=lambda row: row.name)
@few
@given(st.data(), COUNTERS)
def test_command_of_every_use_case_reads_back(use_case: UseCase, data: st.DataObject, counter: int) -> None:
    message = header(Cra.COMMAND, use_case.code, counter)
    assert isinstance(use_case.payload, DlmsAccess)
    round_trip(use_case, replace(message, content=data.draw(commands(use_case.payload, message))))


@pytest.mark.parametrize("use_case", ACCESS, ids=lambda row: row.name)
@few
@given(st.data(), COUNTERS)
def test_response_of_every_use_case_reads_back(use_case: UseCase, data: st.DataObject, counter: int) -> None:
    message = header(Cra.RESPONSE, use_case.code, counter)
    assert isinstance(use_case.payload, DlmsAccess)
    round_trip(use_case, replace(message, content=data.draw(responses(use_case.payload, message))))


@pytest.mark.parametrize("use_case", ALERTS, ids=lambda row: row.name)
@few
@given(st.data(), COUNTERS)
def test_alert_of_every_use_case_reads_back(use_case: UseCase, data: st.DataObject, counter: int) -> None:
    message = header(Cra.ALERT, use_case.code, counter)
    assert isinstance(use_case.payload, DlmsAlert)
    round_trip(use_case, replace(message, content=data.draw(alerts(use_case.payload, message))))


def spoiled(draw: st.DrawFn, value: Data) -> Data:
    """`value` with one part of it, or all of it, replaced by any other value."""
    if isinstance(value, Sequence) and value.items and draw(st.booleans()):
        place = draw(st.integers(0, len(value.items) - 1))
        part = spoiled(draw, value.items[place])
        return replace(value, items=(*value.items[:place], part, *value.items[place + 1 :]))
    return draw(DATA)


@st.composite
def spoiled_contents(draw: st.DrawFn) -> tuple[Message, bytes]:
    """A message of a declared use case, and its content with one value replaced."""
    use_case = draw(st.sampled_from(ACCESS + ALERTS))
    payload = use_case.payload
    if isinstance(payload, DlmsAlert):
        message = header(Cra.ALERT, use_case.code, 1)
        apdu = decode_apdu(draw(alerts(payload, message)))
        assert isinstance(apdu, DataNotification)
        return message, replace(apdu, body=spoiled(draw, apdu.body)).encode()
    assert isinstance(payload, DlmsAccess)
    cra, content = draw(st.sampled_from([(Cra.COMMAND, commands), (Cra.RESPONSE, responses)]))
    message = header(cra, use_case.code, 1)
    apdu = decode_apdu(draw(content(payload, message)))
    assert isinstance(apdu, (AccessRequest, AccessResponse))
    if not apdu.data:
        return message, apdu.encode()
    place = draw(st.integers(0, len(apdu.data) - 1))
    data = (*apdu.data[:place], spoiled(draw, apdu.data[place]), *apdu.data[place + 1 :])
    return message, replace(apdu, data=data).encode()


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(spoiled_contents())
def test_content_with_one_wrong_value_is_refused_in_its_place_and_shown_whole(
    spoiled_content: tuple[Message, bytes],
) -> None:
    message, content = spoiled_content
    message = replace(message, content=content)
    octets = encode_message(message)
    root = describe(octets, secret_for=lambda device, party: SECRET)
    assert b"".join([leaf.raw for leaf in root.leaves()]) == octets
    use_case = by_code(message.message_code)
    assert use_case is not None
    start = octets.index(content)
    try:
        decode_content(use_case, message)
    except GbcsDecodeError as error:
        assert error.offset is not None
        assert start <= error.offset <= start + len(content)
        assert error.path
        assert error.expected
        assert error.found
        assert error.spec
        assert root.error is not None
