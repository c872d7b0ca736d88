"""Firmware on a device: receipt, activation, every outcome, dated, over power cuts; shipped images."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from security_kit import BROKER, DEVICE, SUPPLIER, Kit, Steps

from smetslab import resources
from smetslab.crypto import PublicKey
from smetslab.devices.payload_engine import Fault
from smetslab.devices.security.firmware_store import FirmwareRules
from smetslab.devices.security.installed import SecuritySettings
from smetslab.firmware import Target
from smetslab.gbcs.codes import DeviceType
from smetslab.store import PowerCut

FOLDER = Path(str(resources.firmware_images()))
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
ENTRIES = {entry["file"].removesuffix(".ota"): entry for entry in MANIFEST["images"]}
TYPES = {"ESME": 0x0A01, "GSME": 0x0A02, "CHF": 0x0A03, "PPMID": 0x0A04, "HCALCS": 0x0A05}
LATER = "2026-03-10T00:00:00Z"


def image(name: str) -> bytes:
    return (FOLDER / f"{name}.ota").read_bytes()


def hash_of(name: str) -> str:
    return str(ENTRIES[name]["manufacturer_image_hash"])


@pytest.fixture
def meter(make_kit: Callable[..., Kit]) -> Callable[..., Kit]:
    def make(device_type: DeviceType = DeviceType.ESME) -> Kit:
        target = Target(
            manufacturer_code=0xFFF1, image_type=TYPES[device_type.name], hardware_version=1, eui64=DEVICE
        )
        makers = (PublicKey(bytes.fromhex(MANIFEST["maker_public_key"])),)
        rules = FirmwareRules(version=bytes.fromhex("00010000"), target=target, makers=makers)
        return make_kit(device_type, settings=SecuritySettings(firmware=rules))

    return make


def receive(kit: Kit, name: str) -> str:
    with kit.place.work(kit.now) as work:
        receipt = kit.security.firmware.receive(work, image(name))
    kit.take()
    return receipt


def activate(kit: Kit, name: str, counter: int = 1000, at: str = "immediate") -> Any:
    asked = {
        "manufacturer_image_hash": hash_of(name),
        "originator_counter": counter,
        "execution_date_time": at,
    }
    answer = kit.ask("CS06", asked, counter=counter)
    return answer.get("execution_outcome", answer)


def outcome(code: str, version: str = "00010000") -> dict[str, str]:
    return {"activate_image_response_code": code, "firmware_version": version}


@pytest.mark.parametrize("name", [name for name in ENTRIES if name.startswith("esme")])
def test_every_shipped_image_is_taken_as_its_manifest_says(meter: Callable[..., Kit], name: str) -> None:
    kit = meter()
    verdict = ENTRIES[name]["verdict"]
    receipt = receive(kit, name)
    if verdict in {"activates", "fails its self test"}:
        assert receipt == "verified"
        (alert,) = kit.alerts
        told = kit.told(alert)
        assert (told["alert_code"], told["manufacturer_image_hash"]) == ("8F72", hash_of(name))
        assert alert.business_target_id == SUPPLIER
        good = verdict == "activates"
        version = str(ENTRIES[name]["firmware_version"]) if good else "00010000"
        assert activate(kit, name) == outcome("success" if good else "activationFailure", version)
        assert kit.codes() == ["8F72", "8F43" if good else "8F1C"]
    else:
        other = "hardware mismatch" if name == "esme-other-hardware" else "does not fit"
        wanted = other if verdict == "does not fit" else "verification failed"
        assert receipt == wanted
        assert kit.codes() == ([] if verdict == "does not fit" else ["8F1C"])
        assert activate(kit, name) == outcome("noImageHeld")


def test_an_image_for_another_device_type_does_not_fit(meter: Callable[..., Kit]) -> None:
    assert receive(meter(), "gsme-sound") == "does not fit"


def test_a_device_without_an_image_type_takes_none(make_kit: Callable[..., Kit]) -> None:
    kit = make_kit()
    assert receive(kit, "esme-sound") == "does not fit"


def test_the_hash_decides_and_a_wrong_one_changes_nothing(meter: Callable[..., Kit]) -> None:
    kit = meter()
    receive(kit, "esme-sound")
    assert activate(kit, "esme-sound-next", 1) == outcome("hashMismatch")
    assert activate(kit, "esme-sound", 2) == outcome("success", "00010001")
    assert activate(kit, "esme-sound", 3) == outcome("noImageHeld", "00010001")


def test_a_failed_self_test_keeps_the_old_firmware_and_the_image(meter: Callable[..., Kit]) -> None:
    kit = meter()
    receive(kit, "esme-self-test-fails")
    for counter in (1, 2):
        assert activate(kit, "esme-self-test-fails", counter) == outcome("activationFailure")
    receive(kit, "esme-sound")
    assert activate(kit, "esme-sound", 3) == outcome("success", "00010001")


def test_an_injected_failure_of_the_activation(meter: Callable[..., Kit]) -> None:
    kit = meter()
    receive(kit, "esme-sound")
    kit.application.command_fault = Fault()
    assert activate(kit, "esme-sound", 1) == outcome("activationFailure")
    assert activate(kit, "esme-sound", 2) == outcome("success", "00010001")


@pytest.mark.parametrize(
    ("held", "named", "code", "result"),
    [
        ("esme-sound", "esme-sound", "8F66", outcome("success", "00010001")),
        (None, "esme-sound", "8F67", outcome("noImageHeld")),
        ("esme-sound", "esme-sound-next", "8F67", outcome("hashMismatch")),
        ("esme-self-test-fails", "esme-self-test-fails", "8F67", outcome("activationFailure")),
    ],
)
def test_a_dated_activation_looks_at_the_image_when_its_time_has_come(
    meter: Callable[..., Kit], held: str | None, named: str, code: str, result: dict[str, str]
) -> None:
    kit = meter()
    assert activate(kit, named, at=LATER) == {"command_accepted": None}
    if held is not None:
        receive(kit, held)
    kit.power_cut()
    kit.alerts.clear()
    kit.pass_time(timedelta(days=9))
    (told,) = [kit.told(alert) for alert in kit.alerts if kit.told(alert)["alert_code"] in {"8F66", "8F67"}]
    assert told["alert_code"] == code
    assert (told["time_stamp"], told["originator_counter"]) == (LATER, 1000)
    assert told["execution_outcome"] == result


def test_a_cancelled_activation_never_happens(meter: Callable[..., Kit]) -> None:
    kit = meter()
    receive(kit, "esme-sound")
    activate(kit, "esme-sound", 1, at=LATER)
    assert activate(kit, "esme-sound", 2, at="never") == {"command_accepted": None}
    kit.alerts.clear()
    kit.pass_time(timedelta(days=30))
    assert kit.alerts == []
    assert kit.security.firmware.store.version.hex() == "00010000"


def test_nothing_but_the_version_changes(meter: Callable[..., Kit]) -> None:
    """I11, I17: counters and credentials are those of before."""
    kit = meter()
    receive(kit, "esme-sound")
    cells = [cell.key_id for cell in kit.application.trust_anchors.cells]
    activate(kit, "esme-sound", 50)
    kit.power_cut()
    assert kit.security.firmware.store.version.hex() == "00010001"
    assert [cell.key_id for cell in kit.application.trust_anchors.cells] == cells
    asked = {"manufacturer_image_hash": hash_of("esme-sound"), "originator_counter": 50}
    command = kit.command("CS06", {**asked, "execution_date_time": "immediate"}, counter=50)
    assert kit.answer(command) is None


@pytest.mark.parametrize("step", range(1, 6))
def test_a_power_cut_while_it_activates_leaves_either_firmware(
    meter: Callable[..., Kit], steps: Steps, step: int
) -> None:
    kit = meter()
    receive(kit, "esme-sound")
    asked = {
        "manufacturer_image_hash": hash_of("esme-sound"),
        "originator_counter": 1,
        "execution_date_time": "immediate",
    }
    command = kit.command("CS06", asked, counter=1)
    steps.cut_at(step)
    with pytest.raises(PowerCut):
        kit.application.receive(command, kit.now)
    steps.cut_at(None)
    kit.power_cut()
    store = kit.security.firmware.store
    assert (store.version.hex(), store.held is None) in {("00010000", False), ("00010001", True)}


def test_a_ppmid_activates_alone_and_tells_the_broker(meter: Callable[..., Kit]) -> None:
    kit = meter(DeviceType.PPMID)
    assert kit.ask("CS08", {}, originator=BROKER) == {
        "firmware_version": "00010000",
        "read_response_code": "success",
    }
    assert receive(kit, "ppmid-sound") == "verified"
    (alert,) = kit.alerts
    told = kit.told(alert)
    assert (told["alert_code"], told["firmware_version"]) == ("8F8B", "00010001")
    assert told["activate_image_response_code"] == "success"
    assert alert.business_target_id == BROKER
    assert kit.ask("CS08", {}, originator=BROKER, counter=2)["firmware_version"] == "00010001"
    kit.application.command_fault = Fault()
    failed = kit.ask("CS08", {}, originator=BROKER, counter=3)
    assert failed == {"firmware_version": "00000000", "read_response_code": "readFailure"}


def test_a_gas_meter_tells_of_its_image_in_its_own_way(meter: Callable[..., Kit]) -> None:
    kit = meter(DeviceType.GSME)
    assert receive(kit, "gsme-sound") == "verified"
    (alert,) = kit.alerts
    assert alert.message_code == 0x00CF
    assert kit.told(alert)["manufacturer_image_hash"] == hash_of("gsme-sound")
