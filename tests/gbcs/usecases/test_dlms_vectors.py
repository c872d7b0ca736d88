"""The published DLMS messages are as their rows say; `tests/vectors` takes each to its names and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from smetslab.gbcs.codes import Cra, RemotePartyRole
from smetslab.gbcs.dlms.apdu import is_dlms
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases import UseCase, activation_of, decode_content, encode_content, find
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.values import Parameters, Value

PARTIES = {
    "90B3D51F30000002": RemotePartyRole.ACCESS_CONTROL_BROKER,
    "90B3D51F30010000": RemotePartyRole.SUPPLIER,
    "90B3D51F30010008": RemotePartyRole.LOAD_CONTROLLER,
    "90B3D51F30020000": RemotePartyRole.NETWORK_OPERATOR,
    "90B3D51F30030000": RemotePartyRole.SUPPLIER,
}


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
    return [Vector(name, message) for name, message in named if is_dlms(message.content)]


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
        pytest.fail(f"no message with DLMS content in {folder}", pytrace=False)
    metafunc.parametrize("vector", vectors, ids=[vector.name for vector in vectors])


def rebuilt(vector: Vector, parameters: Parameters) -> bytes:
    """The content again, from the JSON text of its parameters and the grouping header."""
    again = json.loads(json.dumps(parameters))
    return encode_content(vector.use_case, replace(vector.message, content=b""), again)


def test_the_row_says_what_the_message_shows(vector: Vector) -> None:
    use_case, message = vector.use_case, vector.message
    if message.cra is Cra.COMMAND:
        role = PARTIES[str(message.business_originator_id)]
        on_behalf = message.other_information.supplementary_remote_party_id is not None
        assert on_behalf or role in use_case.originator_roles
        assert bool(message.signature) is use_case.critical or message.is_pre_command
        activation = activation_of(use_case, decode_content(use_case, message))
        assert (activation is not None) is use_case.future_dateable
        return
    assert bool(message.signature) is use_case.critical
    assert (message.date_time is not None) is (
        use_case.date_time_in_response if message.cra is Cra.RESPONSE else False
    )
    # Break on error: hardware-fault for one item, other-reason for every later one.
    failures = decode_content(use_case, message).get(FAILURES)
    if message.cra is Cra.RESPONSE and isinstance(failures, dict):
        assert list(failures.values()) == ["hardware-fault"] + ["other-reason"] * (len(failures) - 1)
    else:
        assert failures is None


def numbers(value: Value, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of the plain numbers in named values; members of a list that is a set of bits are none."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            if not isinstance(inner, int):
                yield from numbers(inner, (*path, place))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path


def changed(value: Value, path: tuple[str | int, ...]) -> Value:
    """`value` with another number at `path`."""
    if not path:
        assert isinstance(value, int)
        return value ^ 1
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        assert isinstance(step, str)
        return value | {step: changed(value[step], rest)}
    assert isinstance(value, list)
    assert isinstance(step, int)
    return [*value[:step], changed(value[step], rest), *value[step + 1 :]]


def test_changing_a_number_changes_one_octet(vector: Vector) -> None:
    """Every tenth number of long logs, every number of other messages: its lowest bit, and nothing else."""
    parameters = decode_content(vector.use_case, vector.message)
    paths = [path for path in numbers(parameters) if path[-1] != "page"]
    for path in paths[:: 1 if len(paths) < 50 else 10]:
        other = changed(parameters, path)
        assert isinstance(other, dict)
        content = rebuilt(vector, other)
        pairs = list(zip(content, vector.message.content, strict=True))
        assert [a ^ b for a, b in pairs if a != b] == [1], path
        assert decode_content(vector.use_case, replace(vector.message, content=content)) == other
