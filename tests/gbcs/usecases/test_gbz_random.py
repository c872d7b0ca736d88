"""Every declared GBZ use case with random parameters: they come back from octets; damage is refused."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.message import Message, OtherInformation, content_offset
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.gbzalert import ComponentMember, GbzAlert, HashMember, InstructionMember
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import CLUSTERS
from smetslab.zigbee.zcl.fields import Fields, _Exactly, _List, _Optional, _Rest, _Variant
from smetslab.zigbee.zcl.named import Time
from smetslab.zigbee.zcl.types import CharacterString, DataType, Integer, OctetString

EXAMPLES = settings(max_examples=12)
"""For one row: all rows run on one engine, so that together they try a thousand and more."""
SECRET = bytes(range(32))
ACCESSES = [row for row in USE_CASES.values() if isinstance(row.payload, GbzAccess)]
ALERTS = [row for row in USE_CASES.values() if isinstance(row.payload, GbzAlert)]


def message(use_case: UseCase, cra: Cra, content: bytes = b"") -> Message:
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=Eui64(bytes.fromhex("00DB1234567890A1")),
        business_target_id=Eui64(bytes.fromhex("90B3D51F30010000")),
        other_information=OtherInformation(message_code=use_case.code),
        content=content,
    )


def form(kind: DataType, rng: random.Random) -> Any:
    """The JSON form of a random value of a field."""
    if isinstance(kind, Fields):
        return fields_form(kind, rng)
    if isinstance(kind, _List):
        number = kind.number if isinstance(kind, _Exactly) else rng.randrange(4)
        return [form(kind.element, rng) for _ in range(number)]
    if isinstance(kind, _Rest):
        return rng.randbytes(rng.randrange(9)).hex().upper()
    if isinstance(kind, CharacterString):
        return kind.to_json(rng.choice([None, "", "Meter", "\u00a3"]))
    if isinstance(kind, OctetString):
        return kind.to_json(rng.choice([None, b"", b"text", rng.randbytes(rng.randrange(20))]))
    assert isinstance(kind, Integer)
    few = [kind.low, kind.high, rng.randint(0, min(kind.high, 9)), rng.randint(kind.low, kind.high)]
    return kind.to_json(rng.choice(few))


def fields_form(shape: Fields, rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {}
    values: list[Any] = []
    for name, declared in zip(shape.names, shape.kinds, strict=True):
        kind = declared
        if isinstance(kind, _Optional):
            if rng.random() < 0.2:
                break
            kind = kind.kind
        if isinstance(kind, _Variant):
            kind = kind.pick(values[shape.index[kind.on]])
        out[name] = form(kind, rng)
        values.append(kind.from_json(out[name]))
    return out


def component(cluster: int, command: str, members: dict[str, Any]) -> dict[str, Any]:
    return {"cluster": CLUSTERS[cluster].name, "command": command, **members}


def request(exchange: Exchange, rng: random.Random) -> dict[str, Any]:
    dated = {} if exchange.from_date_time is None else {"from_date_time": form(exchange.from_date_time, rng)}
    if exchange.command is None:
        names = [attribute.name for attribute in exchange.attributes]
        return component(exchange.cluster, "read_attributes", {**dated, "attributes": names})
    members = fields_form(exchange.command.fields, rng)
    return component(exchange.cluster, exchange.command.name, {**dated, **members})


def answers(exchange: Exchange, rng: random.Random) -> list[dict[str, Any]]:
    """What answers one request: a Default Response or what was asked for, once or more."""
    of = "read_attributes" if exchange.command is None else exchange.command.name
    if exchange.answer is not None and rng.random() < 0.7:
        times = rng.randint(1, 3) if exchange.several else 1
        shape = exchange.answer.fields
        return [
            component(exchange.cluster, exchange.answer.name, fields_form(shape, rng)) for _ in range(times)
        ]
    if exchange.command is None and rng.random() < 0.7:
        results = {
            attribute.name: {"status": "hardware_failure"}
            if rng.random() < 0.2
            else form(attribute.type, rng)
            for attribute in exchange.attributes
        }
        return [component(exchange.cluster, "read_attributes_response", {"attributes": results})]
    status = rng.choice(["success", "not_found", 0x55])
    return [component(exchange.cluster, "default_response", {"of": of, "status": status})]


def parameters_of(use_case: UseCase, cra: Cra, rng: random.Random) -> dict[str, Any]:
    """Components of a command, or of a response that sometimes stops: then nothing behind was executed."""
    payload = use_case.payload
    assert isinstance(payload, GbzAccess)
    listed: list[dict[str, Any]] = []
    stopped = False
    for exchange in payload.exchanges:
        most = exchange.least + 3 if exchange.most is None else exchange.most
        for _ in range(rng.randint(exchange.least, most)):
            stopped = stopped or rng.random() < 0.05
            if cra is Cra.COMMAND:
                listed.append(request(exchange, rng))
            elif stopped:
                nothing = {"of": "not_executed", "status": "failure"}
                listed.append(component(exchange.cluster, "default_response", nothing))
            else:
                listed += answers(exchange, rng)
    return {COMPONENTS: listed}


def alert_of(use_case: UseCase, rng: random.Random) -> dict[str, Any]:
    payload = use_case.payload
    assert isinstance(payload, GbzAlert)
    out: dict[str, Any] = {"alert_code": rng.randbytes(2).hex().upper(), "time_stamp": form(Time, rng)}
    extra = payload.extra
    if isinstance(extra, ComponentMember):
        members = fields_form(extra.command.fields, rng)
        out[extra.name] = component(extra.command.cluster, extra.command.name, members)
    elif isinstance(extra, HashMember):
        out[extra.name] = rng.randbytes(32).hex().upper()
    elif isinstance(extra, InstructionMember):
        out[extra.name] = {
            "message_code": "0x006B",
            "originator_counter": rng.randrange(1 << 64),
            "cluster": "price",
            "command": rng.choice(["publish_price_matrix", "publish_tariff_information", "unknown_0x55"]),
        }
    elif extra is not None:
        out[extra.name] = rng.choice(["Other", "Error Watchdog", 0xFFFF])
    return out


def comes_back(use_case: UseCase, cra: Cra, parameters: dict[str, Any]) -> bytes:
    header = message(use_case, cra)
    content = encode_content(use_case, header, json.loads(json.dumps(parameters)), SECRET)
    assert decode_content(use_case, replace(header, content=content), SECRET) == parameters
    return content


@pytest.mark.parametrize("use_case", ACCESSES, ids=lambda row: row.name)
@given(rng=st.randoms(use_true_random=False))
@EXAMPLES
def test_a_command_comes_back(use_case: UseCase, rng: random.Random) -> None:
    comes_back(use_case, Cra.COMMAND, parameters_of(use_case, Cra.COMMAND, rng))


@pytest.mark.parametrize("use_case", ACCESSES, ids=lambda row: row.name)
@given(rng=st.randoms(use_true_random=False))
@EXAMPLES
def test_a_response_comes_back(use_case: UseCase, rng: random.Random) -> None:
    content = comes_back(use_case, Cra.RESPONSE, parameters_of(use_case, Cra.RESPONSE, rng))
    header = message(use_case, Cra.RESPONSE, content)
    sealed = decode_content(use_case, header)
    assert encode_content(use_case, header, sealed) == content


@pytest.mark.parametrize("use_case", ALERTS, ids=lambda row: row.name)
@given(rng=st.randoms(use_true_random=False))
@EXAMPLES
def test_an_alert_comes_back(use_case: UseCase, rng: random.Random) -> None:
    comes_back(use_case, Cra.ALERT, alert_of(use_case, rng))


def damaged(content: bytes, rng: random.Random) -> bytes:
    octets = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(octets) + 1)
        match rng.randrange(4):
            case 0:
                octets[place : place + 1] = bytes((rng.randrange(256),))
            case 1:
                octets[place : place + 1] = bytes(
                    ((octets[place] if place < len(octets) else 0) ^ 1 << rng.randrange(8),)
                )
            case 2:
                del octets[place : place + rng.randint(1, 4)]
            case _:
                octets[place:place] = rng.randbytes(rng.randint(1, 4))
    return bytes(octets)


def test_damaged_content_is_refused_or_comes_back() -> None:
    """10 000 mutations: each is refused with a place inside the message, or means just what it says."""
    rng = random.Random(20250106)
    originals: list[tuple[UseCase, Message]] = []
    for use_case in (*ACCESSES, *ALERTS):
        for cra in (Cra.COMMAND, Cra.RESPONSE) if use_case in ACCESSES else (Cra.ALERT,):
            given_parameters = (
                alert_of(use_case, rng) if cra is Cra.ALERT else parameters_of(use_case, cra, rng)
            )
            header = message(use_case, cra)
            content = encode_content(use_case, header, given_parameters, SECRET)
            originals.append((use_case, replace(header, content=content)))
    outcomes = {"refused": 0, "read": 0, "not opened": 0}
    for number in range(10_000):
        use_case, original = originals[number % len(originals)]
        given_message = replace(original, content=damaged(original.content, rng))
        secret = SECRET if number % 2 else None
        try:
            parameters = decode_content(use_case, given_message, secret)
        except GbcsDecodeError as error:
            outcomes["refused"] += 1
            start = content_offset(given_message)
            assert error.offset is not None
            assert start <= error.offset <= start + len(given_message.content)
            assert error.path
            continue
        except SecurityError:
            outcomes["not opened"] += 1
            continue
        outcomes["read"] += 1
        again = json.loads(json.dumps(parameters))
        assert encode_content(use_case, given_message, again, secret) == given_message.content
    assert min(outcomes.values()) > 100, outcomes


@pytest.mark.parametrize("use_case", [*ACCESSES, *ALERTS], ids=lambda row: row.name)
@given(octets=st.binary(max_size=60))
@EXAMPLES
def test_any_octets_are_refused_or_come_back(use_case: UseCase, octets: bytes) -> None:
    cra = Cra.ALERT if use_case.is_alert else Cra.RESPONSE
    header = message(use_case, cra, b"\x01\x09" + octets)
    try:
        parameters = decode_content(use_case, header)
    except GbcsDecodeError:
        return
    assert encode_content(use_case, header, parameters) == header.content
