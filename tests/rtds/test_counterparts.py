"""The counterpart of a published scenario, the success of an error or another kind of meter, runs as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.errors import UsageError
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import USE_CASES, decode_content, find
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import KeyRing, load_pem_folder
from smetslab.rtds.replay import Replayer
from smetslab.rtds.scenarios import Scenario, find_scenarios, read_message
from smetslab.store import Store

NOT_BY_FAULT = {
    # These fail by what they say, whatever the scenario is called.
    "8.7.1_CS03A1/CS03A1_8.7.1_SUCCESS",
    "8.7.2_CS03CNonCritical/CS03CNonCritical_8.7.2_SUCCESS",
    "8.8.2_CS04B/CS04B_8.8.2_SUCCESS",
}
SAID = re.compile(r"failure|error|reject|not_authorized|not_executed|notin|temporar|denied", re.IGNORECASE)


@pytest.fixture(scope="module")
def published(rtds: Path) -> KeyRing:
    return load_pem_folder(rtds / "keystore")


@pytest.fixture(scope="module")
def scenarios(rtds: Path) -> dict[str, Scenario]:
    return find_scenarios(rtds)


@pytest.fixture(scope="module")
def replayer(published: KeyRing) -> Iterator[Replayer]:
    with Store() as store:
        yield Replayer(published, store)


def counterparts(scenarios: dict[str, Scenario], *changes: tuple[str, str]) -> Iterator[tuple[str, Message]]:
    """Names that the set has no scenario of, each with the command of its counterpart."""
    for name, scenario in scenarios.items():
        path = scenario.command or scenario.pre_command
        for one, other in changes:
            if path is not None and one in name and (made := name.replace(one, other)) not in scenarios:
                yield made, read_message(path)


def answered(replayer: Replayer, name: str, command: Message) -> Parameters:
    """What the device says, with what it encrypts left sealed."""
    response, silence = replayer.answer(name, command)
    assert response is not None, f"{name}: {silence}"
    use_case, asked = find(response), find(command)
    assert use_case is not None
    assert use_case is asked
    # 4.3.1: the counter of a response is that of its command, whoever sent it.
    assert response.originator_counter == command.originator_counter, name
    return decode_content(use_case, response)


def texts(value: Value) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def test_what_failed_succeeds_without_its_fault(replayer: Replayer, scenarios: dict[str, Scenario]) -> None:
    done = 0
    for name, command in counterparts(scenarios, ("ERROR", "SUCCESS")):
        said = answered(replayer, name, command)
        failed = "failures" in said or any(SAID.search(text) for text in texts(said))
        assert failed == (name in NOT_BY_FAULT), f"{name}: {said}"
        done += 1
    assert done >= 30


def test_the_other_kind_of_meter_answers_too(replayer: Replayer, scenarios: dict[str, Scenario]) -> None:
    done = 0
    for name, command in counterparts(scenarios, ("SINGLE", "TWIN"), ("TWIN", "SINGLE")):
        said = answered(replayer, name, command)
        assert ("failures" in said) == ("ERROR" in name), name
        done += 1
    assert done >= 8


def test_a_gas_meter_leaves_a_device_of_its_log(replayer: Replayer, scenarios: dict[str, Scenario]) -> None:
    """CS04B succeeds for a device that the log has; no published command with its code is needed."""
    path = scenarios["8.8.2_CS04B/CS04B_8.8.2_ERROR"].command
    assert path is not None
    command = read_message(path)
    use_case = USE_CASES["CS04B"]
    other = replace(command.other_information, message_code=use_case.code)
    message = replace(
        command,
        business_target_id=Eui64.parse("00DB1234567890A1"),
        other_information=other,
        content=command.content.replace(b"\x03" * 8, bytes.fromhex("0102030405060708")),
        signature=b"",
    )
    said = answered(replayer, "8.8.2_CS04B/CS04B_8.8.2_SUCCESS", message)
    assert said == {"unjoin_response_code": "success"}


def test_a_device_that_is_not_there_or_a_key_that_is_missing_is_said(
    replayer: Replayer, scenarios: dict[str, Scenario]
) -> None:
    path = scenarios["7.1_ECS42/ECS42_7.1_ERROR"].command
    assert path is not None
    command = read_message(path)
    nowhere = replace(command, business_target_id=Eui64.parse("0102030405060708"))
    with pytest.raises(UsageError, match="no device here is 0102030405060708"):
        replayer.answer("x/x", nowhere)
    stranger = replace(
        command, business_originator_id=Eui64.parse("0102030405060708"), signature=None, message_mac=None
    )
    with pytest.raises(UsageError, match=r"no signing key of 0102030405060708"):
        replayer.answer("x/x", stranger)
