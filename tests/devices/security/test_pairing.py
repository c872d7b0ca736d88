"""Pairing and parting: each method with its code for every way to be wrong, and the log that is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from security_kit import AUTHORITY, BROKER, PEER, SUPPLIER, Kit

from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.installed import SecuritySettings
from smetslab.gbcs.codes import DeviceType, KeyUsage
from smetslab.ids import Eui64

PEER_KA = AUTHORITY.device(PEER, KeyUsage.KEY_AGREEMENT).certificate.der
PEER_DS = AUTHORITY.device(PEER, KeyUsage.DIGITAL_SIGNATURE).certificate.der
OTHER = Eui64.parse("00DB123456789099")


def pair(method: str, kind: str, *, device: Eui64 = PEER, certificate: bytes | None = None) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "join_method_and_role": method,
        "other_device_entity_identifier": str(device),
        "other_device_type": kind,
    }
    return asked if certificate is None else {**asked, "other_device_certificate": certificate.hex().upper()}


def joined(kit: Kit, use_case: str, asked: dict[str, Any], counter: int = 1, **arguments: Any) -> Any:
    return kit.ask(use_case, asked, counter=counter, **arguments)["join_response_code"]


def parted(kit: Kit, counter: int, device: Eui64 = PEER, **arguments: Any) -> Any:
    asked = {"other_device_entity_identifier": str(device)}
    return kit.ask("CS04AC", asked, counter=counter, **arguments)["unjoin_response_code"]


ROWS = [
    (DeviceType.ESME, "CS03A1", pair("methodAInitiator", "ppmid"), SUPPLIER, "success"),
    (DeviceType.ESME, "CS03A1", pair("methodAInitiator", "hcalcs"), SUPPLIER, "success"),
    (DeviceType.PPMID, "CS03A2", pair("methodAResponder", "esme"), BROKER, "success"),
    (DeviceType.HCALCS, "CS03A2", pair("methodAResponder", "esme"), SUPPLIER, "success"),
    (DeviceType.GSME, "CS03B", pair("methodB", "gpf"), SUPPLIER, "success"),
    (DeviceType.GSME, "CS03C", pair("methodC", "ppmid", certificate=PEER_KA), SUPPLIER, "success"),
    (DeviceType.PPMID, "CS03C", pair("methodC", "gsme", certificate=PEER_KA), BROKER, "success"),
    # Wrong: the method of another use case, no method, no device to pair with, a certificate or none.
    (DeviceType.ESME, "CS03A1", pair("methodC", "ppmid"), SUPPLIER, "invalidMessageCodeForJoinMethodAndRole"),
    (DeviceType.ESME, "CS03A1", pair(77, "ppmid"), SUPPLIER, "invalidJoinMethodAndRole"),  # type: ignore[arg-type]
    (DeviceType.ESME, "CS03A1", pair("methodAInitiator", "gsme"), SUPPLIER, "invalidJoinMethodAndRole"),
    (DeviceType.GSME, "CS03C", pair("methodC", "ppmid"), SUPPLIER, "invalidOrMissingCertificate"),
    (
        DeviceType.GSME,
        "CS03C",
        pair("methodC", "ppmid", certificate=PEER_DS),
        SUPPLIER,
        "invalidOrMissingCertificate",
    ),
    (
        DeviceType.ESME,
        "CS03A1",
        pair("methodAInitiator", "ppmid", certificate=PEER_KA),
        SUPPLIER,
        "invalidOrMissingCertificate",
    ),
]


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{row[0].name}-{row[1]}-{row[4]}-{n}" for n, row in enumerate(ROWS)]
)
def test_a_pairing_has_its_code(make_kit: Callable[..., Kit], row: Any) -> None:
    device_type, use_case, asked, originator, code = row
    kit = make_kit(device_type)
    assert joined(kit, use_case, asked, originator=originator) == code
    entry = kit.security.log.find(PEER)
    assert (entry is not None) == (code == "success")
    assert kit.codes() == ["8F49" if code == "success" else "8F48"]


def test_an_entry_of_another_type_is_not_overwritten(kit: Kit) -> None:
    assert joined(kit, "CS03A1", pair("methodAInitiator", "hcalcs"), 1) == "success"
    assert joined(kit, "CS03A1", pair("methodAInitiator", "ppmid"), 2) == "incompatibleWithExistingEntry"
    assert joined(kit, "CS03A1", pair("methodAInitiator", "hcalcs"), 3) == "success"
    entry = kit.security.log.find(PEER)
    assert entry is not None
    assert entry.device_type is DeviceType.HCALCS


def test_the_log_has_room_for_so_many(make_kit: Callable[..., Kit]) -> None:
    full = tuple((Eui64(bytes(7) + bytes((n,))), DeviceType.PPMID) for n in range(16))
    kit = make_kit(settings=SecuritySettings(device_log=full))
    assert joined(kit, "CS03A1", pair("methodAInitiator", "ppmid"), 1) == "deviceLogFull"
    assert parted(kit, 2, full[0][0]) == "success"
    assert joined(kit, "CS03A1", pair("methodAInitiator", "ppmid"), 3) == "success"


@pytest.mark.parametrize(
    ("result", "code"),
    [(None, "writeFailure"), (7, "keyAgreementUnknownIssuer"), (12, "noPartnerLinkKeyReceived")],
)
def test_faults_of_a_pairing(kit: Kit, result: int | None, code: str) -> None:
    kit.application.command_fault = Fault(0, result)
    assert joined(kit, "CS03A1", pair("methodAInitiator", "ppmid")) == code
    assert kit.security.log.entries == ()


def test_a_link_key_that_cannot_be_agreed_on(make_kit: Callable[..., Kit]) -> None:
    kit = make_kit(hooks={"agree": lambda _device, _type: 13})
    assert joined(kit, "CS03A1", pair("methodAInitiator", "ppmid")) == "noCBKEResponse"
    assert kit.security.log.entries == ()


def test_parting(kit: Kit) -> None:
    assert parted(kit, 1) == "otherDeviceNotInDeviceLog"
    joined(kit, "CS03A1", pair("methodAInitiator", "ppmid"), 2)
    kit.application.command_fault = Fault()
    assert parted(kit, 3) == "otherFailure"
    assert parted(kit, 4) == "success"
    kit.power_cut()
    assert kit.security.log.entries == ()
    assert kit.codes() == ["8F4A", "8F49", "8F4A", "8F4B"]


def test_an_unsigned_unjoin_is_not_executed(make_kit: Callable[..., Kit]) -> None:
    """CS04B has a code of its own; under that of CS04AC a signature is needed."""
    kit = make_kit(DeviceType.GSME, settings=SecuritySettings(device_log=((PEER, DeviceType.GPF),)))
    asked = {"other_device_entity_identifier": str(PEER)}
    forged = kit.command("CS04B", asked, code=0x000F)
    assert kit.answer(forged) is None
    assert kit.security.log.find(PEER) is not None
    assert kit.ask("CS04B", asked)["unjoin_response_code"] == "success"


def test_the_log_is_read_in_the_order_of_its_entries(make_kit: Callable[..., Kit]) -> None:
    first = ((OTHER, DeviceType.GPF), (PEER, DeviceType.PPMID))
    kit = make_kit(DeviceType.GSME, settings=SecuritySettings(device_log=first))
    new = Eui64.parse("0000000000000001")
    joined(kit, "CS03B", pair("methodB", "type-2", device=new), 1)
    kit.power_cut()
    answer = kit.ask("CS07", {})
    assert answer["read_log_response_code"] == "success"
    assert answer["device_log_entries"] == [
        {"device_id": str(OTHER), "device_type": "gpf"},
        {"device_id": str(PEER), "device_type": "ppmid"},
        {"device_id": str(new), "device_type": "type-2"},
    ]
    kit.application.command_fault = Fault()
    assert kit.ask("CS07", {}, counter=2) == {"read_log_response_code": "readFailure"}


def test_a_log_is_restored_entry_by_entry(make_kit: Callable[..., Kit]) -> None:
    first = ((OTHER, DeviceType.PPMID),)
    told: list[int] = []
    kit = make_kit(
        DeviceType.GPF,
        settings=SecuritySettings(device_log=first),
        hooks={"log_changed": lambda _work: told.append(1)},
    )
    entries = [
        {"device_id": str(PEER), "device_type": "ppmid"},
        {"device_id": str(OTHER), "device_type": "type-2"},
        {"device_id": "0000000000000007", "device_type": "type-2"},
    ]
    answer = kit.ask("GCS59", {"device_log_entries": entries}, originator=BROKER)
    outcomes: Any = answer["restore_outcomes"]
    assert [one["device_log_entry"] for one in outcomes] == entries
    codes = [one["join_response_code"] for one in outcomes]
    assert codes == ["success", "incompatibleWithExistingEntry", "success"]
    assert len(told) == 2
    assert [entry.device for entry in kit.security.log.entries] == [OTHER, PEER, Eui64(bytes(7) + b"\x07")]


def test_a_paired_device_has_a_key_to_speak_with(make_kit: Callable[..., Kit]) -> None:
    kit = make_kit(DeviceType.GSME)
    joined(kit, "CS03C", pair("methodC", "ppmid", certificate=PEER_KA))
    kit.power_cut()
    key = kit.application.peers
    assert key is not None
    assert key(PEER) == AUTHORITY.device(PEER, KeyUsage.KEY_AGREEMENT).certificate.public_key
    assert key(OTHER) is None
