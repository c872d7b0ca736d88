"""The published GBZ messages are as their rows say; `tests/vectors` takes every one to its names and back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.gbz.payload import is_gbz
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases import UseCase, activation_of, decode_content, encode_content, find
from smetslab.gbcs.values import Parameters, Value


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


def rebuilt(vector: Vector, parameters: Parameters) -> bytes:
    """The content again, from the JSON text of its parameters and the grouping header."""
    again = json.loads(json.dumps(parameters))
    return encode_content(vector.use_case, replace(vector.message, content=b""), again)


def test_the_row_says_what_the_message_shows(vector: Vector) -> None:
    use_case, message = vector.use_case, vector.message
    listed = decode_content(use_case, message).get(COMPONENTS, [])
    # Sequence numbers, directions, encryption and frame counters follow from place and declaration.
    assert {name for item in listed for name in item.get("header", {})} <= {"disable_default_response"}
    if message.cra is Cra.COMMAND:
        assert bool(message.signature) is use_case.critical or message.is_pre_command
        activation = activation_of(use_case, decode_content(use_case, message))
        assert (activation is not None) is use_case.future_dateable
        return
    assert bool(message.signature) is use_case.critical
    dated = use_case.date_time_in_response and message.cra is Cra.RESPONSE
    assert (message.date_time is not None) is dated
    if message.cra is Cra.RESPONSE:
        stops_at_the_first_failure(listed)


def stops_at_the_first_failure(components: list[Any]) -> None:
    """Break on error; a log that has nothing for a request (not_found) is no failure."""
    answers = [item for item in components if item["command"] == "default_response"]
    stopped = [item["of"] == "not_executed" for item in answers]
    assert stopped == sorted(stopped)
    assert {item["status"] for item in answers} <= {"success", "not_found", "hardware_failure", "failure"}
    assert stopped == [item["status"] == "failure" for item in answers]


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
