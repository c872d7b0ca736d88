"""Every message of every use case with ASN.1 content, with values nobody chose."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.asn1 import LENGTH_FORM, codec, decode, encode
from smetslab.gbcs.asn1.constructed import Choice, Sequence, SequenceOf
from smetslab.gbcs.asn1.der import Asn1Type
from smetslab.gbcs.asn1.primitives import ENUMERATED, NamedBits, Null, Number, OctetString, Opaque, Time
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.values import Value, utc_text
from smetslab.ids import Eui64
from smetslab.wire import ber_length

ROWS = [row for row in USE_CASES.values() if isinstance(row.payload, Asn1Payload)]
MESSAGES = [
    (row, cra, type_name)
    for row in ROWS
    if isinstance(row.payload, Asn1Payload)
    for cra, type_name in (
        (Cra.COMMAND, row.payload.command),
        (Cra.RESPONSE, row.payload.response),
        (Cra.ALERT, row.payload.alert),
    )
    if type_name is not None
]
TYPES = sorted({type_name for _, _, type_name in MESSAGES})


def header(use_case: UseCase, cra: Cra) -> Message:
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=Eui64.parse("90B3D51F30010000"),
        business_target_id=Eui64.parse("00DB1234567890A0"),
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )


def numbers(kind: Number) -> st.SearchStrategy[Value]:
    if kind.form == "code":
        return st.integers(kind.minimum, kind.maximum).map(lambda number: f"{number:04X}")
    if kind.tag == ENUMERATED:  # the judge knows no others
        return st.sampled_from([*kind.names.values()])
    return st.integers(kind.minimum, kind.maximum).map(lambda number: kind.names.get(number, number))


def bits(kind: NamedBits) -> st.SearchStrategy[Value]:
    def value(chosen: set[int]) -> Value:
        named: list[Value] = [kind.names.get(bit, bit) for bit in sorted(chosen)]
        return named[0] if len(named) == 1 and isinstance(named[0], str) else named

    return st.sets(st.integers(0, 31)).map(value)


def opaque(contents: bytes) -> str:
    return (
        (b"\x30" + ber_length(len(contents) + 2) + b"\x04" + bytes((len(contents),)) + contents).hex().upper()
    )


TIMES = st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31, 23, 59, 58)).map(  # noqa: DTZ001
    lambda moment: utc_text(moment.replace(microsecond=0, tzinfo=UTC))
)


def sequences(kind: Sequence) -> st.SearchStrategy[Value]:
    always = {m.name: values(m.type) for m in kind.members if not m.optional}
    return st.fixed_dictionaries(
        always, optional={m.name: values(m.type) for m in kind.members if m.optional}
    ).map(dict)


def values(kind: Asn1Type) -> st.SearchStrategy[Value]:  # noqa: PLR0911
    match kind:
        case Number():
            return numbers(kind)
        case NamedBits():
            return bits(kind)
        case OctetString():
            low, high = (0, 200) if kind.size is None else (kind.size, kind.size)
            return st.binary(min_size=low, max_size=high).map(lambda octets: octets.hex().upper())
        case Time():
            return TIMES | st.just("never")
        case Opaque():
            return st.binary(max_size=126).map(opaque)
        case Null():
            return st.none()
        case Sequence():
            return sequences(kind)
        case SequenceOf():
            return st.lists(values(kind.element), max_size=4).map(list)
        case Choice():
            return st.one_of(
                [
                    values(one).map(lambda value, name=name: {name: value})
                    for name, one in kind.alternatives.items()
                ]
            )
    raise AssertionError(kind)


def parameters_of(type_name: str) -> st.SearchStrategy[dict[str, Value]]:
    return values(codec.types()[type_name]).map(lambda value: value if isinstance(value, dict) else {})


@pytest.mark.parametrize(
    ("use_case", "cra", "type_name"), MESSAGES, ids=[f"{row.name}-{cra.name}" for row, cra, _ in MESSAGES]
)
@settings(max_examples=10)
@given(data=st.data())
def test_parameters_of_every_use_case_survive_the_wire(
    use_case: UseCase, cra: Cra, type_name: str, data: st.DataObject
) -> None:
    parameters = data.draw(parameters_of(type_name))
    message = header(use_case, cra)
    content = encode_content(use_case, message, json.loads(json.dumps(parameters)))
    decoded = decode(type_name, content)
    assert decoded == parameters
    activation = (
        use_case.payload.activations[0] if use_case.payload.activations and cra is Cra.COMMAND else ""
    )
    whole = decode_content(use_case, Message(**{**fields(message), "content": content}))
    assert whole == ({activation: "immediate"} if activation else {}) | parameters
    assert encode_content(use_case, message, whole) == content


def fields(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in Message.__dataclass_fields__}


@pytest.mark.parametrize("type_name", TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_what_we_write_is_der_in_the_eyes_of_another_codec(
    judge: Any, type_name: str, data: st.DataObject
) -> None:
    content = encode(type_name, data.draw(parameters_of(type_name)))
    assert judge.canonical(type_name, content) == content


@pytest.mark.parametrize("type_name", TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_two_octet_lengths_change_lengths_only(judge: Any, type_name: str, data: st.DataObject) -> None:
    parameters = data.draw(parameters_of(type_name))
    plain = encode(type_name, parameters)
    wide = encode(type_name, parameters | {LENGTH_FORM: "two-octet"})
    assert judge.leaves(wide) == judge.leaves(plain)
    assert decode(type_name, wide) == parameters | ({LENGTH_FORM: "two-octet"} if wide != plain else {})


# Damage -----------------------------------------------------------------------------------------------------


def sample(kind: Asn1Type, rng: random.Random) -> Value:  # noqa: PLR0911
    """Some valid value, with every optional member every other time."""
    match kind:
        case Number(form="code"):
            return f"{rng.randrange(0x10000):04X}"
        case Number():
            number = rng.choice([*kind.names, kind.minimum, rng.randrange(kind.maximum + 1)])
            return kind.names.get(number, number)
        case NamedBits():
            return rng.choice([*kind.names.values()])
        case OctetString():
            return rng.randbytes(kind.size or 4).hex().upper()
        case Time():
            return rng.choice(["2030-01-15T09:00:00Z", "never"])
        case Opaque():
            return opaque(rng.randbytes(rng.randrange(120)))
        case Null():
            return None
        case Sequence():
            return {m.name: sample(m.type, rng) for m in kind.members if not m.optional or rng.random() < 0.5}
        case SequenceOf():
            return [sample(kind.element, rng) for _ in range(rng.randrange(4))]
        case Choice():
            name = rng.choice([*kind.alternatives])
            return {name: sample(kind.alternatives[name], rng)}
    raise AssertionError(kind)


def damaged(content: bytes, rng: random.Random) -> bytes:
    octets = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        place = rng.randrange(len(octets) + 1)
        match rng.randrange(6):
            case 0 if place < len(octets):
                octets[place] ^= 1 << rng.randrange(8)
            case 1 if place < len(octets):
                octets[place] = rng.choice((0x00, 0x01, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF))
            case 2:
                octets[place:place] = rng.randbytes(rng.randrange(1, 4))
            case 3:
                del octets[place : place + rng.randrange(1, 4)]
            case 4:
                del octets[place:]
            case _:
                start = rng.randrange(len(octets) + 1)
                octets[place:place] = octets[start : start + rng.randrange(16)]
    return bytes(octets)


def test_ten_thousand_damaged_messages_are_read_exactly_or_refused(judge: Any) -> None:
    rng = random.Random(3)
    read = refused = 0
    for turn in range(10_000):
        type_name = TYPES[turn % len(TYPES)]
        value = sample(codec.types()[type_name], rng)
        content = encode(type_name, value if isinstance(value, dict) else {})
        broken = damaged(content, rng)
        try:
            parameters = decode(type_name, broken)
        except GbcsDecodeError as error:
            assert error.offset is not None
            assert 0 <= error.offset <= len(broken)
            refused += 1
            continue
        text = json.dumps(parameters)
        assert encode(type_name, json.loads(text)) == broken
        # The judge looks into certificates, and knows no status codes without a name.
        if not any(name in text for name in (LENGTH_FORM, "certific", "status_code")):
            assert judge.canonical(type_name, broken) == broken
        read += 1
    # Both sides of the property were exercised.
    assert read > 1000
    assert refused > 4000
