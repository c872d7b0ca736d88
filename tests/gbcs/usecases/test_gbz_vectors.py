"""The published GBZ messages: named parameters and back, octet for octet, sealed and opened."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.gbz.generic import decode_generic, encode_generic
from smetslab.gbcs.gbz.payload import is_gbz
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.usecases import UseCase, activation_of, decode_content, encode_content, find
from smetslab.gbcs.values import Parameters, Value
from smetslab.pki import KeyRing, load_pem_folder


@dataclass(frozen=True)
class Vector:
    name: str
    message: Message

    @property
    def use_case(self) -> UseCase:
        use_case = find(self.message)
        assert use_case is not None, f"{self.name} is a message of no declared use case"
        return use_case


def _vectors(folder: Path) -> list[Vector]:
    named = [
        (file.name.removesuffix("_GBCS.HEX"), decode_message(bytes.fromhex(file.read_text())))
        for file in sorted(folder.joinpath("gbcs").rglob("*.HEX"))
    ]
    return [Vector(name, message) for name, message in named if is_gbz(message.content)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that takes a `vector` runs once for each message, or is skipped without the data set."""
    if "vector" not in metafunc.fixturenames:
        return
    folder = os.environ.get("SMETSLAB_RTDS")
    if not folder:
        skip = pytest.mark.skip(reason="SMETSLAB_RTDS is not set")
        metafunc.parametrize("vector", [pytest.param(None, marks=skip)])
        return
    vectors = _vectors(Path(folder))
    if not vectors:
        pytest.fail(f"no message with GBZ content in {folder}", pytrace=False)
    metafunc.parametrize("vector", vectors, ids=[vector.name for vector in vectors])


@pytest.fixture(scope="session")
def keys(rtds: Path) -> KeyRing:
    """The published certificates and keys."""
    return load_pem_folder(rtds / "keystore")


def secret_of(message: Message, keys: KeyRing) -> bytes:
    """What the device and the recipient share; the recipient's private key is published."""
    context = EncryptionContext.of(message)
    private = keys.private_key(context.recipient, KeyUsage.KEY_AGREEMENT)
    return private.exchange(keys.find(context.device, KeyUsage.KEY_AGREEMENT).certificate.public_key)


def rebuilt(vector: Vector, parameters: Parameters, secret: bytes | None = None) -> bytes:
    """The content again, from the JSON text of its parameters and the grouping header."""
    again = json.loads(json.dumps(parameters))
    return encode_content(vector.use_case, replace(vector.message, content=b""), again, secret)


GENERIC = re.compile(r'"(unknown|field|item|value|data|bit)_?(0x)?[0-9A-Fa-f]*":|"unknown_')


def test_content_comes_back_from_the_json_of_its_parameters(vector: Vector) -> None:
    parameters = decode_content(vector.use_case, vector.message)
    assert rebuilt(vector, parameters) == vector.message.content
    assert not GENERIC.search(json.dumps(parameters))


def test_headers_are_as_place_and_declaration_say(vector: Vector) -> None:
    """Sequence numbers, directions, encryption and frame counters follow from place and declaration."""
    listed = decode_content(vector.use_case, vector.message).get(COMPONENTS, [])
    told = {name for item in listed for name in item.get("header", {})}
    assert told <= {"disable_default_response"}


def test_sealed_content_opens_and_seals_again(vector: Vector, keys: KeyRing) -> None:
    """Needs no data of its own: which messages are sealed follows from what they say without the key."""
    if '"sealed"' not in json.dumps(decode_content(vector.use_case, vector.message)):
        assert b"\x31\x00\x00\x00\x00" not in vector.message.content
        return
    assert vector.use_case.encrypts_response
    secret = secret_of(vector.message, keys)
    parameters = decode_content(vector.use_case, vector.message, secret)
    text = json.dumps(parameters)
    assert '"sealed"' not in text
    assert not GENERIC.search(text)
    assert rebuilt(vector, parameters, secret) == vector.message.content


def test_content_comes_back_without_its_use_case(vector: Vector) -> None:
    if vector.message.cra is Cra.ALERT:
        return
    parameters = json.loads(json.dumps(decode_generic(vector.message)))
    assert encode_generic(vector.message, parameters) == vector.message.content


def test_the_row_says_what_the_message_shows(vector: Vector) -> None:
    use_case, message = vector.use_case, vector.message
    if message.cra is Cra.COMMAND:
        assert bool(message.signature) is use_case.critical or message.is_pre_command
        activation = activation_of(use_case, decode_content(use_case, message))
        assert (activation is not None) is use_case.future_dateable
        return
    assert bool(message.signature) is use_case.critical
    dated = use_case.date_time_in_response and message.cra is Cra.RESPONSE
    assert (message.date_time is not None) is dated


@pytest.mark.parametrize(
    ("kind", "time"),
    [
        ("_IMMEDIATE_", "immediate"),
        ("_CANCELLATION_", "never"),
        ("_FUTURE_DATED_", "2030-01-15T0[09]:00:00Z"),
    ],
)
def test_activations_say_when(rtds: Path, kind: str, time: str) -> None:
    vectors = [
        vector for vector in _vectors(rtds) if kind in vector.name and vector.message.cra is Cra.COMMAND
    ]
    assert vectors
    for vector in vectors:
        found = activation_of(vector.use_case, decode_content(vector.use_case, vector.message))
        assert re.fullmatch(time, str(found)), vector.name


def test_responses_fail_from_one_component_on(vector: Vector) -> None:
    """Break on error; a log that has nothing for a request (not_found) is no failure."""
    if vector.message.cra is not Cra.RESPONSE:
        return
    listed = decode_content(vector.use_case, vector.message)[COMPONENTS]
    statuses = [item.get("status") for item in listed if item["command"] == "default_response"]
    stopped = [item["of"] == "not_executed" for item in listed if item["command"] == "default_response"]
    assert stopped == sorted(stopped)
    assert set(statuses) <= {"success", "not_found", "hardware_failure", "failure"}
    for item, status in zip(stopped, statuses, strict=True):
        assert item is (status == "failure")


def leaves(value: Value, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Value]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def changed(parameters: Parameters, path: tuple[str | int, ...], value: Value) -> Parameters:
    copy = json.loads(json.dumps(parameters))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copy


def test_changing_a_number_changes_its_octets_and_no_others(vector: Vector) -> None:
    parameters = decode_content(vector.use_case, vector.message)
    before = vector.message.content
    for path, value in leaves(parameters):
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        try:
            after = rebuilt(vector, changed(parameters, path, value ^ 1))
        except GbcsEncodeError:  # the number says which kind of content follows
            continue
        assert len(after) == len(before)
        places = [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        assert len(places) == 1, (path, places)
        assert before[places[0]] ^ after[places[0]] in {1 << bit for bit in range(8)}
