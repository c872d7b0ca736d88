"""Requests become commands: byte for byte those that were published, and the forms of commands through
the broker.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from smetslab.dcc.transform import (
    Command,
    Origin,
    Surroundings,
    build_command,
    mapping_for,
    through_broker,
    transform,
)
from smetslab.duis.codes import UserRole
from smetslab.duis.document import RequestId
from smetslab.duis.srv import SERVICE_REQUESTS, read_body, write_body
from smetslab.errors import DuisError, SecurityError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.message import encode_message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice, KnownParty

SUPPLIER = Eui64.parse("90B3D51F30010000")
OPERATOR = Eui64.parse("90B3D51F30020000")
BROKER = Eui64.parse("90B3D51F30000002")
KNOWN = (
    KnownParty(party=SUPPLIER, role=RemotePartyRole.SUPPLIER),
    KnownParty(party=OPERATOR, role=RemotePartyRole.NETWORK_OPERATOR),
)
ESME = InventoryDevice(
    device_id=Eui64.parse("00DB1234567890A0"),
    device_type=DeviceType.ESME,
    hub=Eui64.parse("00DB1234567890A2"),
    known_parties=KNOWN,
)
HUB = InventoryDevice(device_id=ESME.hub, device_type=DeviceType.CHF, hub=ESME.hub)
CERTIFICATE = "3020041E" + "AB" * 30
WINDOW: Parameters = {
    "ReadLogPeriod": {"StartDateTime": "2014-12-31T00:00:00Z", "EndDateTime": "2015-01-01T00:00:00Z"}
}


GSME = InventoryDevice(
    device_id=Eui64.parse("00DB1234567890A1"), device_type=DeviceType.GSME, hub=HUB.hub, known_parties=KNOWN
)
GPF = InventoryDevice(device_id=Eui64.parse("00DB1234567890A3"), device_type=DeviceType.GPF, hub=HUB.hub)
PPMID = InventoryDevice(device_id=Eui64.parse("00DB1234567890A4"), device_type=DeviceType.PPMID, hub=HUB.hub)
TRANSITIONAL_COS = Eui64.parse("90B3D51F30000004")
OTHER = "00DB123456789099"


def around(counter: int = 1300, **known: object) -> Surroundings:
    return Surroundings(
        now=datetime(2015, 1, 1, tzinfo=UTC),
        next_counter=lambda party: counter,
        **known,  # type: ignore[arg-type]
    )


def transformed(
    variant: str,
    device: InventoryDevice,
    elements: Parameters,
    party: Eui64 = SUPPLIER,
    *,
    surroundings: Surroundings | None = None,
    roles: tuple[UserRole, ...] = (),
) -> Command:
    """What a request becomes whose body says `elements`, read from XML as a request is."""
    row = SERVICE_REQUESTS[variant]
    given = around() if surroundings is None else surroundings
    said = read_body(row, write_body(row, elements))
    mapping = mapping_for(row, device, said, device_type=given.device_type, roles=roles)
    assert mapping is not None
    return transform(row, mapping, device, RequestId(party, device.device_id, 1005), said, around=given)


# Forms -----------------------------------------------------------


def test_a_command_for_a_hub_comes_from_the_broker_on_behalf_of_the_user() -> None:
    message = transformed("11.2", HUB, {}).message
    assert (message.business_originator_id, message.originator_counter) == (BROKER, 1300)
    extra = message.other_information
    assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (SUPPLIER, 1005)
    assert extra.encode().hex().upper() == "005990B3D51F3001000000000000000003ED"


def test_a_command_of_a_known_user_bears_its_own_name_and_counter() -> None:
    message = transformed("11.2", ESME, {}).message
    assert (message.business_originator_id, message.originator_counter) == (SUPPLIER, 1005)
    assert len(message.other_information.encode()) == 2


def test_a_stranger_reads_a_log_through_the_broker_with_its_certificate() -> None:
    stranger = Eui64.parse("00DB123456780004")
    elements: Parameters = {**WINDOW, "KAPublicSecurityCredentials": CERTIFICATE}
    message = transformed("4.8.1", ESME, elements, stranger).message
    assert message.business_originator_id == BROKER
    assert message.other_information.key_agreement_certificate == bytes.fromhex(CERTIFICATE)


def test_a_known_user_that_gives_a_certificate_reads_through_the_broker_too() -> None:
    elements: Parameters = {**WINDOW, "KAPublicSecurityCredentials": CERTIFICATE}
    message = transformed("4.8.1", ESME, elements).message
    assert message.business_originator_id == BROKER
    assert message.other_information.supplementary_remote_party_id == SUPPLIER


def test_without_its_certificate_a_stranger_gets_no_encrypted_answer() -> None:
    with pytest.raises(SecurityError, match="cannot encrypt the answer"):
        transformed("4.8.1", ESME, dict(WINDOW), Eui64.parse("00DB123456780004"))


def test_what_the_dcc_asks_for_itself_names_no_user() -> None:
    message = transformed("6.24.1", ESME, {"RemotePartyRole": ["Supplier"]}).message
    assert (message.business_originator_id, message.originator_counter) == (BROKER, 1300)
    assert message.other_information.supplementary_remote_party_id is None
    own = transformed("6.24.1", ESME, {"RemotePartyRole": ["Supplier"]}, BROKER).message
    # The broker sends more than it is asked for, so it counts by itself.
    assert (own.business_originator_id, own.originator_counter) == (BROKER, 1300)


CREDENTIALS: Parameters = {
    "SupplierFloorSeqNumber": 5,
    "SupplierReplacementCertificates": {"DigitalSigningCertificate": CERTIFICATE},
    "CertificationPathCertificates": {"Certificate": [CERTIFICATE]},
    "ApplyTimeBasedCPVChecks": True,
    "ImportMPxN": "1312345678111",
}


def test_a_change_of_supplier_comes_from_its_party_and_repeats_its_counter() -> None:
    command = transformed("6.23", ESME, CREDENTIALS)
    message = command.message
    assert (message.business_originator_id, message.originator_counter) == (TRANSITIONAL_COS, 1300)
    control = command.parameters["authorising_remote_party_control"]
    assert isinstance(control, dict)
    assert control["authorising_remote_party_seq_number"] == 1300


def test_a_join_through_the_broker_takes_the_type_of_the_other_device_from_the_inventory() -> None:
    known = around(device_type=lambda device_id: DeviceType.ESME)
    command = transformed("8.7.2", PPMID, {"OtherDeviceID": OTHER}, surroundings=known)
    assert command.use_case.name == "CS03A2"
    assert command.message.business_originator_id == BROKER
    assert command.parameters["other_device_type"] == "esme"


def test_the_other_device_decides_about_the_method_of_a_join() -> None:
    known = around(
        device_type=lambda device_id: DeviceType.GSME,
        key_agreement_certificate=lambda device_id: bytes.fromhex(CERTIFICATE),
    )
    command = transformed("8.7.2", PPMID, {"OtherDeviceID": OTHER}, surroundings=known)
    assert command.use_case.name == "CS03C"
    assert command.parameters["other_device_certificate"] == CERTIFICATE


@pytest.mark.parametrize("device", [ESME, GPF, PPMID])
def test_what_has_no_credentials_is_joined_without(device: InventoryDevice) -> None:
    other = DeviceType.GPF if device is PPMID else DeviceType.TYPE_2
    command = transformed(
        "8.7.2", device, {"OtherDeviceID": OTHER}, surroundings=around(device_type=lambda device_id: other)
    )
    assert command.use_case.name == "CS03B"
    assert command.parameters["other_device_type"] == other.name.lower().replace("_", "-")


@pytest.mark.parametrize(
    ("variant", "device", "elements", "what"),
    [
        ("8.7.1", ESME, {"OtherDeviceID": OTHER}, "the type of the other device"),
        ("8.12.1", HUB, {"OldCHFID": OTHER}, "the last backup of the old hub"),
        ("9.1", ESME, {}, "the customer identification number"),
    ],
)
def test_what_the_dcc_does_not_know_is_named_and_no_counter_is_used(
    variant: str, device: InventoryDevice, elements: Parameters, what: str
) -> None:
    used: list[Eui64] = []

    def next_counter(party: Eui64) -> int:
        used.append(party)
        return 1

    unknowing = Surroundings(now=datetime(2015, 1, 1, tzinfo=UTC), next_counter=next_counter)
    with pytest.raises(DuisError, match=what):
        transformed(variant, device, elements, surroundings=unknowing)
    assert used == []


@pytest.mark.parametrize(
    ("esme_variant", "charges"), [("A", ("00", "04")), ("B", ("00", "04", "05")), ("BDE", ("00", "04", "05"))]
)
def test_a_meter_with_two_elements_has_one_more_charge(esme_variant: str, charges: tuple[str, ...]) -> None:
    device = replace(ESME, esme_variant=esme_variant)
    command = transformed("1.6", device, {"Credit": True})
    listed = command.parameters["credit_charge_configuration"]
    assert isinstance(listed, list)
    found = [str(item["charge_reference"])[8:10] for item in listed if isinstance(item, dict)]
    assert tuple(found) == charges


@pytest.mark.parametrize(("esme_variant", "use_case"), [("A", "ECS26b"), ("", "ECS26b"), ("CD", "ECS26k")])
def test_a_meter_of_three_phases_has_use_cases_of_its_own(esme_variant: str, use_case: str) -> None:
    command = transformed("6.2.1", replace(ESME, esme_variant=esme_variant), {})
    assert command.use_case.name == use_case


@pytest.mark.parametrize(
    ("roles", "use_case"),
    [((UserRole.IMPORT_SUPPLIER,), "ECS25r1"), ((UserRole.ELECTRICITY_DISTRIBUTOR,), "ECS25r2")],
)
def test_what_a_user_is_to_the_device_decides(roles: tuple[UserRole, ...], use_case: str) -> None:
    assert transformed("6.2.10", ESME, {}, roles=roles).use_case.name == use_case


@pytest.mark.parametrize(
    ("use_case", "device", "party", "expected"),
    [
        ("ECS52", ESME, SUPPLIER, False),
        ("ECS52", ESME, Eui64(bytes(8)), True),
        ("ECS52", HUB, SUPPLIER, True),
        # The use case does not admit the broker.
        ("ECS10", ESME, Eui64(bytes(8)), False),
        # A critical command is signed by its user.
        ("ECS43", ESME, Eui64(bytes(8)), False),
    ],
)
def test_the_broker_originates_for_parties_that_the_device_does_not_know(
    use_case: str, device: InventoryDevice, party: Eui64, expected: bool
) -> None:
    assert through_broker(USE_CASES[use_case], device, party) is expected


def test_a_built_command_is_a_pre_command() -> None:
    origin = Origin(party=SUPPLIER, counter=1000)
    message = build_command(USE_CASES["ECS43"], {}, origin, ESME.device_id)
    assert message.is_pre_command
    assert encode_message(message).startswith(bytes.fromhex("DF090100000000000003E80890B3D51F30010000"))


# What cannot be transformed -----------------------------------------------------------


def test_a_request_whose_content_no_use_case_says_has_no_mapping() -> None:
    row = SERVICE_REQUESTS["3.3"]
    assert mapping_for(row, ESME, {}, device_type=lambda device_id: None) is None
    assert mapping_for(row, GSME, {"ESMEEventLogType": "ESME"}, device_type=lambda device_id: None) is None


@pytest.mark.parametrize(
    ("variant", "elements", "message"),
    [
        (
            "6.11",
            {"CurrentDateTime": "9999-12-31T23:59:59Z", "TolerancePeriod": 86400},
            "TolerancePeriod: the interval ends behind the last year",
        ),
        (
            "4.6.1",
            {
                "ReadLogPeriod": {
                    "StartDateTime": "1999-12-31T00:00:00Z",
                    "EndDateTime": "2015-01-01T00:00:00Z",
                }
            },
            "",
        ),
        (
            "4.4.4",
            {
                "ReadLogPeriod": {
                    "StartDateTime": "1999-12-31T00:00:00Z",
                    "EndDateTime": "2015-01-01T00:00:00Z",
                }
            },
            "DebtPayments/ReadLogPeriod/StartDateTime: a command of ECS20a cannot say it",
        ),
        ("6.18.2", {}, "the command would do nothing"),
        ("6.20.1", {"ImportMPRN": "1234567890"}, ""),
    ],
)
def test_a_request_that_no_command_can_say_is_refused_with_its_element(
    variant: str, elements: Parameters, message: str
) -> None:
    if not message:
        device = GSME if variant == "6.20.1" else ESME
        assert transformed(variant, device, elements).message.content
        return
    with pytest.raises(DuisError) as refused:
        transformed(variant, ESME, elements)
    assert message in str(refused.value)


def test_an_element_that_the_use_case_has_no_place_for_is_named() -> None:
    row = SERVICE_REQUESTS["6.15.1"]
    certificates: Parameters = {
        "DigitalSigningCertificate": CERTIFICATE,
        "KeyAgreementTopUpCertificate": CERTIFICATE,
    }
    elements: Parameters = {
        "RemotePartyRole": "NetworkOperator",
        "ReplacementCertificates": {"SupplierOrNetworkOperatorCertificates": certificates},
        "CertificationPathCertificates": {"Certificate": [CERTIFICATE]},
        "ApplyTimeBasedCPVChecks": True,
    }
    with pytest.raises(DuisError) as refused:
        transformed(row.variant, ESME, elements, OPERATOR)
    assert "KeyAgreementTopUpCertificate: CS02b.networkOperatorByNetworkOperator has no place for it" in str(
        refused.value
    )
