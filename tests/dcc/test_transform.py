"""Requests become commands: byte for byte those that were published, and the forms of commands through
the broker.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.dcc.template import transform_template
from smetslab.dcc.transform import Origin, build_command, through_broker
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, RequestHeader, RequestId, write_request
from smetslab.duis.srv import SERVICE_REQUESTS, write_body
from smetslab.errors import DuisError
from smetslab.gbcs.codes import DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.security import with_mac
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64
from smetslab.pki import load_pem_folder
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


# The published pairs -----------------------------------------------------------


def _pairs(rtds: Path) -> list[tuple[Path, Path, str]]:
    """Template, the message that has its name, and the use case, for everything that is declared."""
    vectors = {path.name: path for path in (rtds / "gbcs").rglob("*.HEX")}
    found: list[tuple[Path, Path, str]] = []
    for template in sorted((rtds / "duis").glob("*_REQUEST_DUIS.XML")):
        stem = template.name.removesuffix("_REQUEST_DUIS.XML")
        name, variant = stem.split("_")[0].removesuffix("Commission"), stem.split("_")[1]
        row, use_case = SERVICE_REQUESTS.get(variant), USE_CASES.get(name)
        if row is None or use_case is None or row.mapping_to(use_case) is None:
            continue
        names = [f"{stem}_{kind}_GBCS.HEX" for kind in ("PRECOMMAND", "COMMAND")]
        found += [(template, vectors[one], name) for one in names if one in vectors]
    return found


def test_templates_become_the_published_messages(rtds: Path) -> None:
    """Only the counter of the broker and the signature are taken from the message: nobody else can know
    them.
    """
    keys = load_pem_folder(rtds / "keystore")
    broker = keys.private_key(BROKER, KeyUsage.KEY_AGREEMENT)
    pre_commands, commands = 0, 0
    for template, vector, use_case in _pairs(rtds):
        published = bytes.fromhex(vector.read_text().strip())
        wanted = decode_message(published)
        device = _device(wanted.business_target_id)
        result = transform_template(
            template.read_bytes(), device, use_case=use_case, broker_counter=wanted.originator_counter
        )
        assert result.message is not None, f"{template.name}: {result.unsupported}"
        if "_PRECOMMAND_" in vector.name:
            assert (result.kind, encode_message(result.message)) == ("pre-command", published), template.name
            pre_commands += 1
        else:
            certificate = keys.find(device.device_id, KeyUsage.KEY_AGREEMENT).certificate
            secret = broker.exchange(certificate.public_key)
            signed = replace(result.message, signature=wanted.signature)
            assert encode_message(with_mac(signed, secret)) == published, template.name
            commands += 1
    assert pre_commands >= 6
    assert commands >= 16


def _device(device_id: Eui64) -> InventoryDevice:
    types = {0xA0: DeviceType.ESME, 0xA1: DeviceType.GSME, 0xA2: DeviceType.CHF, 0xA3: DeviceType.GPF}
    types |= {0xA4: DeviceType.PPMID, 0xA5: DeviceType.HCALCS, 0xA6: DeviceType.ESME}
    device_type = types[device_id.raw[-1]]
    hub = device_id if device_type is DeviceType.CHF else HUB.device_id
    return InventoryDevice(device_id=device_id, device_type=device_type, hub=hub, known_parties=KNOWN)


# Forms -----------------------------------------------------------


def test_a_command_for_a_hub_comes_from_the_broker_on_behalf_of_the_user() -> None:
    result = transform_template(document("11.2", HUB, {}), HUB, broker_counter=1300)
    message = result.message
    assert message is not None
    assert (message.business_originator_id, message.originator_counter) == (BROKER, 1300)
    extra = message.other_information
    assert (extra.supplementary_remote_party_id, extra.supplementary_remote_party_counter) == (SUPPLIER, 1005)
    assert extra.encode().hex().upper() == "005990B3D51F3001000000000000000003ED"


def test_a_command_of_a_known_user_bears_its_own_name_and_counter() -> None:
    message = transform_template(document("11.2", ESME, {}), ESME, broker_counter=1300).message
    assert message is not None
    assert (message.business_originator_id, message.originator_counter) == (SUPPLIER, 1005)
    assert len(message.other_information.encode()) == 2


def test_a_stranger_reads_a_log_through_the_broker_with_its_certificate() -> None:
    stranger = Eui64.parse("00DB123456780004")
    elements: dict[str, object] = {**WINDOW, "KAPublicSecurityCredentials": CERTIFICATE}
    message = transform_template(document("4.8.1", ESME, elements, stranger), ESME, broker_counter=7).message
    assert message is not None
    assert message.business_originator_id == BROKER
    assert message.other_information.key_agreement_certificate == bytes.fromhex(CERTIFICATE)


def test_without_its_certificate_a_stranger_gets_no_encrypted_answer() -> None:
    stranger = Eui64.parse("00DB123456780004")
    result = transform_template(document("4.8.1", ESME, dict(WINDOW), stranger), ESME)
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
    assert transform_template(undeclared, ESME).unsupported == "service request 13.1 is not declared"
    result = transform_template(document("7.2", HUB, {}), HUB)
    assert result.unsupported == "no use case of 7.2 for a CHF is declared"
    other = transform_template(document("11.2", ESME, {}), ESME, use_case="ECS17b")
    assert other.message is None


def test_a_request_that_no_command_can_say_is_refused() -> None:
    elements = {"CurrentDateTime": "9999-12-31T23:59:59Z", "TolerancePeriod": 86400}
    with pytest.raises(DuisError, match="behind the last year"):
        transform_template(document("6.11", ESME, elements), ESME)
