"""The published messages: named parameters and back, octet for octet, and what their rows say about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from smetslab.gbcs.asn1 import LENGTH_FORM, codec
from smetslab.gbcs.asn1.constructed import Choice, Sequence, SequenceOf
from smetslab.gbcs.asn1.der import Asn1Type
from smetslab.gbcs.asn1.primitives import NamedBits, Null, Number, OctetString, Opaque, Time
from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import decode_content, encode_content, find
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.model import Protection
from smetslab.gbcs.values import Value

PARTIES = {
    "90B3D51F30000001": RemotePartyRole.RECOVERY,
    "90B3D51F30000002": RemotePartyRole.ACCESS_CONTROL_BROKER,
    "90B3D51F30000004": RemotePartyRole.TRANSITIONAL_COS,
    "90B3D51F30000007": RemotePartyRole.WAN_PROVIDER,
    "90B3D51F30010000": RemotePartyRole.SUPPLIER,
    "90B3D51F30010008": RemotePartyRole.LOAD_CONTROLLER,
    "90B3D51F30020000": RemotePartyRole.NETWORK_OPERATOR,
    "90B3D51F30030000": RemotePartyRole.SUPPLIER,
    "70B3D51F300017FF": RemotePartyRole.ROOT,  # contingency
}
DEVICES = {
    "00DB1234567890A0": DeviceType.ESME,
    "00DB1234567890A1": DeviceType.GSME,
    "00DB1234567890A2": DeviceType.CHF,
    "00DB1234567890A3": DeviceType.GPF,
    "00DB1234567890A4": DeviceType.PPMID,
    "00DB1234567890A5": DeviceType.HCALCS,
    "00DB1234567890A6": DeviceType.ESME,
}


def type_of(vector: Any) -> str:
    payload = vector.use_case.payload
    assert isinstance(payload, Asn1Payload)
    name = {Cra.COMMAND: payload.command, Cra.RESPONSE: payload.response, Cra.ALERT: payload.alert}
    return str(name[vector.message.cra])


def test_published_content_comes_back_from_the_json_of_its_parameters(vector: Any) -> None:
    parameters = decode_content(vector.use_case, vector.message)
    text = json.dumps(parameters)
    assert (
        encode_content(vector.use_case, replace(vector.message, content=b""), json.loads(text))
        == vector.message.content
    )


def test_another_codec_finds_the_same_values(vector: Any, judge: Any) -> None:
    content = vector.message.content
    parameters = codec.decode(type_of(vector), content)
    departs = parameters.pop(LENGTH_FORM, None) is not None
    canonical = judge.canonical(type_of(vector), content)
    assert codec.encode(type_of(vector), parameters) == canonical
    assert (canonical != content) is departs


def other(kind: Asn1Type, value: Value) -> Value:
    """Another value for a leaf."""
    match kind:
        case Number(form="code"):
            return "0001" if value != "0001" else "0002"
        case Number():
            number = kind.numbers.get(value, value) if isinstance(value, str) else value
            assert isinstance(number, int)
            changed = number + 1 if number < kind.maximum else number - 1
            return kind.names.get(changed, changed)
        case NamedBits():
            return "keyCertSign" if value != "keyCertSign" else "keyAgreement"
        case OctetString() | Opaque():
            assert isinstance(value, str)
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case Time():
            return "2029-12-31T23:59:59Z"
    raise AssertionError(kind)


def changes(kind: Asn1Type, value: Value) -> Iterator[Value]:
    """`value` with one leaf changed, once for each leaf."""
    match kind:
        case Sequence():
            assert isinstance(value, dict)
            for member in kind.members:
                if member.name in value:
                    for changed in changes(member.type, value[member.name]):
                        yield value | {member.name: changed}
        case SequenceOf():
            assert isinstance(value, list)
            for place, item in enumerate(value):
                for changed in changes(kind.element, item):
                    yield [*value[:place], changed, *value[place + 1 :]]
        case Choice():
            assert isinstance(value, dict)
            ((name, chosen),) = value.items()
            for changed in changes(kind.alternatives[name], chosen):
                yield {name: changed}
        case Null():
            pass
        case _:
            yield other(kind, value)


def test_changing_a_leaf_changes_its_octets_and_lengths_only(vector: Any, judge: Any) -> None:
    type_name = type_of(vector)
    parameters = codec.decode(type_name, vector.message.content)
    form = {LENGTH_FORM: parameters.pop(LENGTH_FORM)} if LENGTH_FORM in parameters else {}
    before = judge.leaves(vector.message.content)
    for changed in changes(codec.types()[type_name], parameters or None):
        assert isinstance(changed, dict)
        content = codec.encode(type_name, changed | form)
        assert codec.decode(type_name, content) == changed | form
        after = judge.leaves(content)
        if len(after) == len(before):
            assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1
        else:  # a default that is now written out, or no longer
            longer, shorter = sorted((before, after), key=len, reverse=True)
            assert any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))


def protection_of(message: Message) -> Protection:
    return Protection(signature=bool(message.signature), message_mac=message.message_mac is not None)


def test_published_messages_are_protected_and_dated_as_their_row_says(vector: Any) -> None:
    message, use_case = vector.message, vector.use_case
    originator, target = str(message.business_originator_id), str(message.business_target_id)
    if message.cra is Cra.COMMAND:
        party, device = PARTIES[originator], DEVICES[target]
        assert party in use_case.originator_roles
        assert message.is_pre_command or use_case.command_protection(party, device) == protection_of(message)
    else:
        party, device = PARTIES[target], DEVICES[originator]
        assert use_case.response_protection(party) == protection_of(message)
    assert device in use_case.devices
    assert (message.date_time is not None) is (use_case.date_time_in_response and message.cra is Cra.RESPONSE)


def test_a_published_message_is_of_the_use_case_it_is_named_after(vector: Any) -> None:
    family = vector.use_case.name.split(".")[0].removesuffix("-ALERT")
    # The exception: code, protection and keys of the message named CS04B are those of CS04AC.
    assert vector.name.startswith(family) or (
        vector.name.startswith("CS04B_8.8.2_ERROR") and family == "CS04AC"
    )
    assert find(vector.message) is vector.use_case


def test_the_activation_of_a_command_is_always_named(vector: Any) -> None:
    parameters = decode_content(vector.use_case, vector.message)
    dated = vector.use_case.future_dateable and vector.message.cra is Cra.COMMAND
    assert ("execution_date_time" in parameters) is dated
    if dated:
        expected = (
            "never" if "CANCELLATION" in vector.name else "2030-" if "FUTURE" in vector.name else "immediate"
        )
        assert str(parameters["execution_date_time"]).startswith(expected)
