"""The counterpart of a published scenario, the success of an error or another kind of meter, runs as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.errors import UsageError
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import USE_CASES, decode_content, encode_content, find
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
BY_STATE = re.compile("_(CS02[abfg]|CS03|CS04|CS06|GCS28)")
"""Errors of these come from what the device knows."""
SAID = re.compile(
    r"failure|hardware-fault|error|reject|not_authorized|not_executed|notin|temporar|denied", re.IGNORECASE
)


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
    said = decode_content(use_case, response)
    assert encode_content(use_case, response, said) == response.content, name
    return said


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
    found = list(counterparts(scenarios, ("ERROR", "SUCCESS")))
    assert len(found) >= 30
    for name, command in found:
        said = answered(replayer, name, command)
        failed = "failures" in said or any(SAID.search(text) for text in texts(said))
        assert failed == (name in NOT_BY_FAULT), f"{name}: {said}"


def test_the_other_kind_of_meter_answers_too(replayer: Replayer, scenarios: dict[str, Scenario]) -> None:
    found = list(counterparts(scenarios, ("SINGLE", "TWIN"), ("TWIN", "SINGLE")))
    assert len(found) >= 8
    for name, command in found:
        said = answered(replayer, name, command)
        assert ("failures" in said) == ("ERROR" in name), name


def test_what_succeeded_fails_with_a_fault(replayer: Replayer, scenarios: dict[str, Scenario]) -> None:
    found = [one for one in counterparts(scenarios, ("SUCCESS", "ERROR")) if not BY_STATE.search(one[0])]
    told = 0
    for name, command in found:
        said = answered(replayer, name, command)
        if any("sealed" in part for part in _components(said)):
            continue  # what is read is in clear, but it cannot be told from here
        assert "failures" in said or any(SAID.search(text) for text in texts(said)), f"{name}: {said}"
        told += 1
    assert told >= len(found) * 4 // 5 > 0


def _components(said: Parameters) -> list[Value]:
    found = said.get("components")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@pytest.mark.parametrize(
    ("name", "subjects"),
    [
        ("1.1.1_ECS01a/ECS01a_1.1.1_FUTURE_DATED_TOU_BLOCK_SUCCESS", 6),
        ("1.1.1_GCS01a/GCS01a_1.1.1_FUTURE_DATED_BLOCK_ERROR", 5),
        ("2.1_ECS08a/ECS08a_2.1_FUTURE_DATED_SUCCESS", 9),
        ("2.1_GCS05/GCS05_2.1_FUTURE_DATED_ERROR", 6),
        ("6.4.1_ECS28a/ECS28a_6.4.1_FUTURE_DATED_SUCCESS", 4),
    ],
)
def test_each_dated_item_has_an_alert_of_its_own(
    replayer: Replayer, scenarios: dict[str, Scenario], name: str, subjects: int
) -> None:
    path = scenarios[name].command
    assert path is not None
    success, failure = (
        [
            said
            for alert in replayer.alerts(at, read_message(path))
            if (row := find(alert)) and "instruction" in (said := decode_content(row, alert))
        ]
        for at in (name.replace("ERROR", "SUCCESS"), name.replace("SUCCESS", "ERROR"))
    )
    assert [one["alert_code"] for one in success] == ["8F66"] * subjects
    assert len({str(one["instruction"]) for one in success}) == subjects
    # The item that cannot be activated says so; the others are.
    assert sorted(str(one["alert_code"]) for one in failure) == ["8F66"] * (subjects - 1) + ["8F67"]


def test_an_unknown_remote_party_reads_what_a_supplier_may(
    replayer: Replayer, scenarios: dict[str, Scenario]
) -> None:
    """It reads through the broker, brings its certificate, and what it gets is encrypted for it."""
    path = scenarios["4.14_GCS16b/GCS16b_4.14_URP_SUCCESS"].command
    assert path is not None
    stranger = read_message(path)
    for name in ("4.14_ECS21b/ECS21b_4.14_KRP_SUCCESS", "4.17_ECS66/ECS66_4.17_SUCCESS"):
        path = scenarios[name].command
        assert path is not None
        known = read_message(path)
        use_case = find(known)
        assert use_case is not None
        more = replace(stranger.other_information, message_code=known.message_code)
        header = replace(
            stranger,
            business_target_id=known.business_target_id,
            other_information=more,
        )
        asked = replace(header, content=encode_content(use_case, header, decode_content(use_case, known)))
        said = answered(replayer, name.replace("KRP_", "").replace("SUCCESS", "URP_SUCCESS"), asked)
        assert list(said) == ["read_log_period"]
        assert "protected" in (said["read_log_period"] or ()), said


def test_a_gas_device_without_calendars_says_so_of_each_and_goes_on(
    replayer: Replayer, scenarios: dict[str, Scenario]
) -> None:
    for stem, shown in (("4.13_GCS21b/GCS21b_4.13", 2), ("4.11.1_GCS21f/GCS21f_4.11.1", 2)):
        path = scenarios[f"{stem}_SUCCESS"].command
        assert path is not None
        said = _components(answered(replayer, f"{stem}_NOT_FOUND", read_message(path)))
        missing = [one["of"] for one in said if isinstance(one, dict) and one.get("status") == "not_found"]
        assert missing == ["get_day_profiles", "get_week_profiles", "get_seasons", "get_special_days"]
        assert len(said) == 4 + shown


def test_roles_that_a_meter_does_not_know_are_said_one_by_one(
    replayer: Replayer, scenarios: dict[str, Scenario]
) -> None:
    path = scenarios["6.24.1_CS02aMAC/CS02aMAC_6.24.1_SUCCESS"].command
    assert path is not None
    command, use_case = read_message(path), USE_CASES["CS02a"]
    wanted = decode_content(use_case, command) | {
        "remote_party_roles_credentials_required": ["networkOperator", "wanProvider"]
    }
    asked = replace(command, content=encode_content(use_case, command, wanted))
    said = answered(replayer, "6.24.1_CS02aMAC/CS02aMAC_6.24.1_ERROR", asked)
    details = said["remote_party_details"]
    assert isinstance(details, list)
    assert [one["status_code"] for one in details if isinstance(one, dict)] == [
        "success",
        "trustAnchorNotFound",
    ]


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
