"""The registry: every use case once, found by name, code, message and service request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import RegistryError
from smetslab.gbcs.codes import Cra, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, by_code, find
from smetslab.gbcs.usecases.registry import _build, by_service_request
from smetslab.ids import Eui64

FIRST_ISSUE = (
    *("ECS17a", "ECS17b", "ECS10", "ECS21a", "ECS22b", "ECS24", "ECS26a", "ECS28a"),
    *("ECS42", "ECS43", "ECS44", "ECS45", "ECS52", "ECS70", "CS01a"),
)


def message(code: int, cra: Cra, content: bytes = b"") -> Message:
    return Message(
        cra=cra,
        originator_counter=1,
        business_originator_id=Eui64(bytes(8)),
        business_target_id=Eui64(bytes(8)),
        other_information=OtherInformation(message_code=code),
        content=content,
    )


@pytest.mark.parametrize("name", FIRST_ISSUE)
def test_use_case_is_found_by_name_code_and_service_request(name: str) -> None:
    row = USE_CASES[name]
    assert row.name == name
    assert by_code(row.code) is row
    assert row.service_requests
    for srv in row.service_requests:
        assert row in by_service_request(srv)


def test_name_or_code_cannot_be_declared_twice() -> None:
    row = USE_CASES["ECS52"]
    for twin in (replace(row, code=0x7FFF), replace(row, name="Other")):
        with pytest.raises(RegistryError, match="is declared twice"):
            _build([row, twin])


def test_unknown_code_is_nothing() -> None:
    assert by_code(0x7FFF) is None
    assert find(message(0x7FFF, Cra.COMMAND)) is None
    assert by_service_request("0.0.0") == ()


def test_message_is_found_by_its_kind() -> None:
    command, alert = USE_CASES["ECS52"], USE_CASES["GCA"]
    dlms = bytes.fromhex("0F2000000100")
    assert find(message(command.code, Cra.COMMAND)) is command
    assert find(message(command.code, Cra.RESPONSE)) is command
    assert find(message(command.code, Cra.ALERT)) is None
    assert find(message(alert.code, Cra.ALERT, dlms)) is alert
    assert find(message(alert.code, Cra.COMMAND, dlms)) is None


@pytest.mark.parametrize("row", USE_CASES.values(), ids=lambda row: row.name)
def test_declaration_is_consistent(row) -> None:
    names = row.payload.command_parameters
    assert len(set(names)) == len(names)
    assert row.future_dateable or not row.payload.activations
    assert 0 <= row.code <= 0xFFFF
    assert row.devices
    assert row.title
    if row.critical and not row.is_alert:
        assert row.originator_roles
    if row.is_alert:
        assert not row.replay_protected
    assert RemotePartyRole.ISSUING_AUTHORITY not in row.originator_roles
