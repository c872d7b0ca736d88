"""Which protection a message has to have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.gbcs.codes import Cra, RemotePartyRole
from smetslab.gbcs.identities import TEST_IDENTITIES, identity_of
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.protection import device_type_of, expected_protection, role_of_party
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.usecases.model import Protection
from smetslab.ids import Eui64

BROKER, SUPPLIER = Eui64.parse("90B3D51F30000002"), Eui64.parse("90B3D51F30010000")
ESME, CHF, STRANGER = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A2"), Eui64(b"\x55" * 8)
BOTH, SIGNED, MACED = Protection(True, True), Protection(True, False), Protection(False, True)


def message(name: str, cra: Cra, originator: Eui64, target: Eui64) -> Message:
    return Message(
        cra=cra,
        originator_counter=1,
        business_originator_id=originator,
        business_target_id=target,
        other_information=OtherInformation(message_code=USE_CASES[name].code),
        content=b"",
    )


@pytest.mark.parametrize(
    ("name", "cra", "originator", "target", "expected"),
    [
        ("ECS70", Cra.COMMAND, SUPPLIER, ESME, BOTH),
        ("ECS70", Cra.RESPONSE, ESME, SUPPLIER, SIGNED),
        ("ECS17b", Cra.COMMAND, SUPPLIER, ESME, MACED),
        ("ECS17b", Cra.RESPONSE, ESME, SUPPLIER, MACED),
        ("GCA", Cra.ALERT, ESME, SUPPLIER, SIGNED),
        ("GNCA", Cra.ALERT, ESME, SUPPLIER, MACED),
        ("CS02a", Cra.COMMAND, BROKER, ESME, MACED),
        ("CS02a", Cra.COMMAND, SUPPLIER, ESME, SIGNED),
        ("CS02a", Cra.RESPONSE, ESME, BROKER, MACED),
        ("CS02a", Cra.RESPONSE, ESME, STRANGER, None),
        ("CS02b.accessControlBrokerByACB", Cra.COMMAND, BROKER, ESME, MACED),
        ("CS02b.accessControlBrokerByACB", Cra.COMMAND, BROKER, CHF, BOTH),
        ("CS02b.accessControlBrokerByACB", Cra.COMMAND, BROKER, STRANGER, None),
        ("CS02b.anyExceptAbnormalRootByRecovery", Cra.COMMAND, STRANGER, ESME, SIGNED),
    ],
)
def test_protection_by_use_case_and_parties(
    name: str, cra: Cra, originator: Eui64, target: Eui64, expected: Protection | None
) -> None:
    assert expected_protection(USE_CASES[name], message(name, cra, originator, target)) == expected


def test_role_of_a_certificate_comes_before_that_of_the_test_data() -> None:
    asked = message("CS02a", Cra.COMMAND, SUPPLIER, ESME)
    as_broker = expected_protection(
        USE_CASES["CS02a"], asked, role_of=lambda entity: RemotePartyRole.ACCESS_CONTROL_BROKER
    )
    assert as_broker == MACED
    assert role_of_party(SUPPLIER, lambda entity: None) is RemotePartyRole.SUPPLIER
    assert role_of_party(STRANGER) is None


def test_type_of_a_device_nobody_knows_is_that_of_a_use_case_for_one_type() -> None:
    assert device_type_of(STRANGER, USE_CASES["ECS17b"]) is USE_CASES["ECS17b"].devices[0]
    assert device_type_of(STRANGER, USE_CASES["ECS52"]) is None


def test_test_identities_are_parties_or_devices() -> None:
    for entity, identity in TEST_IDENTITIES.items():
        assert (identity.role is None) is not (identity.device_type is None)
        assert identity_of(entity) is identity
    assert replace(TEST_IDENTITIES[ESME], name="x").device_type is TEST_IDENTITIES[ESME].device_type
