"""Requests become commands: byte for byte those that were published, and the forms of commands through
the broker.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smetslab.dcc.template import transform_template
from smetslab.dcc.transform import Origin, Surroundings, build_command, through_broker
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, RequestHeader, RequestId, write_request
from smetslab.duis.srv import SERVICE_REQUESTS, write_body
from smetslab.errors import DuisError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.message import encode_message
from smetslab.gbcs.usecases.registry import USE_CASES
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
CERTIFICATE = "30820102" + "AB" * 40
WINDOW = {"ReadLogPeriod": {"StartDateTime": "2014-12-31T00:00:00Z", "EndDateTime": "2015-01-01T00:00:00Z"}}


def document(
    variant: str, device: InventoryDevice, elements: dict[str, object], party: Eui64 = SUPPLIER
) -> bytes:
    row = SERVICE_REQUESTS[variant]
    header = RequestHeader(
        request_id=RequestId(party, device.device_id, 1005),
        command_variant=CommandVariant.TRANSFORM if row.critical else CommandVariant.SEND,
        service_reference=row.reference,
        variant=variant,
    )
    return write_request(Request(header=header, body=write_body(row, elements)))


def around(counter: int = 1300) -> Surroundings:
    return Surroundings(now=datetime(2015, 1, 1, tzinfo=UTC), next_counter=lambda party: counter)


# Forms -----------------------------------------------------------


def test_a_command_for_a_hub_comes_from_the_broker_on_behalf_of_the_user() -> None:
    result = transform_template(document("11.2", HUB, {}), HUB, around())
    message = result.message
    assert message is not None
    assert (message.business_originator_id, message.originator_counter) == (BROKER, 1300)
    extra = message.other_information
    assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (SUPPLIER, 1005)
    assert extra.encode().hex().upper() == "005990B3D51F3001000000000000000003ED"


def test_a_command_of_a_known_user_bears_its_own_name_and_counter() -> None:
    message = transform_template(document("11.2", ESME, {}), ESME, around()).message
    assert message is not None
    assert (message.business_originator_id, message.originator_counter) == (SUPPLIER, 1005)
    assert len(message.other_information.encode()) == 2


def test_a_stranger_reads_a_log_through_the_broker_with_its_certificate() -> None:
    stranger = Eui64.parse("00DB123456780004")
    elements: dict[str, object] = {**WINDOW, "KAPublicSecurityCredentials": CERTIFICATE}
    message = transform_template(document("4.8.1", ESME, elements, stranger), ESME, around(7)).message
    assert message is not None
    assert message.business_originator_id == BROKER
    assert message.other_information.key_agreement_certificate == bytes.fromhex(CERTIFICATE)


def test_without_its_certificate_a_stranger_gets_no_encrypted_answer() -> None:
    stranger = Eui64.parse("00DB123456780004")
    result = transform_template(document("4.8.1", ESME, dict(WINDOW), stranger), ESME, around())
    assert result.message is None
    assert "cannot encrypt the answer" in result.unsupported


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


def test_a_variant_or_type_that_is_not_declared_is_unsupported_not_an_error() -> None:
    undeclared = document("11.2", ESME, {}).replace(b">11.2<", b">13.1<")
    assert (
        transform_template(undeclared, ESME, around()).unsupported == "service request 13.1 is not declared"
    )
    result = transform_template(document("7.2", HUB, {}), HUB, around())
    assert result.unsupported == "no use case of 7.2 for a CHF is declared"
    other = transform_template(document("11.2", ESME, {}), ESME, around(), use_case="ECS17b")
    assert other.message is None


def test_a_request_that_no_command_can_say_is_refused() -> None:
    elements = {"CurrentDateTime": "9999-12-31T23:59:59Z", "TolerancePeriod": 86400}
    with pytest.raises(DuisError, match="behind the last year"):
        transform_template(document("6.11", ESME, elements), ESME, around())
