"""What successes mean for the inventory: how a meter gets into it, changes of supplier, numbers, versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.dcc.pending import Question
from smetslab.duis.codes import CommandVariant, UserRole
from smetslab.duis.dcc_alerts import read_dcc_alert
from smetslab.duis.document import OtherBody, parse_request, parse_response
from smetslab.gbcs.codes import DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.ids import Eui64
from smetslab.registry import DeviceLogBackup, DeviceStatus, InventoryDevice, KnownParty

SUPPLIER = Eui64.parse("90B3D51F30010000")
OPERATOR = Eui64.parse("90B3D51F30020000")
STRANGER = Eui64.parse("90B3D51F30030000")
BROKER = Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")
GSME = Eui64.parse("00DB1234567890A1")
HUB = Eui64.parse("00DB1234567890A2")
NOW = {"CurrentDateTime": "2026-03-01T00:00:00Z", "TolerancePeriod": 60}
METER = {
    "DeviceID": str(ESME),
    "DeviceManufacturer": "AB01",
    "DeviceModel": "010A030B",
    "DeviceType": "ESME",
    "SMETSCHTSVersion": "SMETS V1.58",
    "FirmwareVersion": "0002012F",
    "ESMEVariant": "AD",
}
LISTED = {
    "DeviceID": str(ESME),
    "RequestType": "Add",
    "AddDeviceToCHFWhitelist": {
        "JoinTimePeriod": 90,
        "InstallCode": "30313233343536373839414243444546",
        "ImportMPxN": "1312345678111",
    },
}


def told(bench) -> list[tuple[Eui64, str, object]]:
    """User, kind and members of every alert of the DCC itself."""
    found = []
    for document in bench.dcc.alerts:
        response = parse_response(document)
        if isinstance(response.body, OtherBody):
            _, kind, members = read_dcc_alert(response.body.element)
            found.append((response.response_id.target, kind, members))
    return found


def question(
    bench, variant: str, elements: dict[str, object], device: Eui64 = ESME
) -> tuple[Question, bytes]:
    document = bench.supplier.document(variant, device, elements, CommandVariant.SEND)
    header = parse_request(document).header
    return Question(header.request_id, header.service_reference, header.variant), document


def carry_out(
    bench, variant: str, elements: dict[str, object], device: Eui64 = ESME, **result: object
) -> None:
    bench.dcc._inbound._effects.carried_out(
        *question(bench, variant, elements, device), result, bench.clock.now()
    )


def status(bench) -> DeviceStatus:
    return bench.inventory.find(ESME).status


async def log_alert(bench, key: str) -> None:
    """The hub says what its device log is; `key` is the hash of the meter's link key, or nothing."""
    log = {
        "backup_date_time": "2026-03-01T00:00:00Z",
        "han_identifier": "0102030405060708",
        "devices": [{"device_identifier": str(ESME), "security_details": key}],
    }
    parameters = {"alert_code": "8F12", "time_stamp": "2026-03-01T00:00:00Z", "device_log": log}
    hub = bench.hub.devices[HUB]
    await bench.hub.send(hub.alert(USE_CASES["CS14"], parameters, recipient=BROKER))
    await bench.clock.sleep(5)


# The way in -------------------------------------------------------------------------------------------------


def test_a_meter_is_pre_notified_listed_joined_and_commissioned(play) -> None:
    async def story(bench) -> None:
        responsible = bench.inventory.remove(ESME).responsible
        document = bench.supplier.document("12.2", BROKER, METER, CommandVariant.NON_DEVICE)
        assert parse_response(await bench.dcc.receive(document)).code == "I0"
        assert status(bench) is DeviceStatus.PENDING
        assert (await bench.supplier.request("8.11", HUB, LISTED)).code == "I0"
        meter = bench.inventory.find(ESME)
        assert (meter.status, meter.hub, meter.import_mpxn) == (
            DeviceStatus.WHITELISTED,
            HUB,
            "1312345678111",
        )
        assert [kind for _, kind, _ in told(bench)] == ["UpdateHANDeviceLogResult"]
        await log_alert(bench, "")
        assert status(bench) is DeviceStatus.WHITELISTED
        await log_alert(bench, "00112233445566778899AABBCCDDEEFF")
        assert status(bench) is DeviceStatus.INSTALLED_NOT_COMMISSIONED
        bench.inventory.update(replace(bench.inventory.find(ESME), responsible=responsible))
        assert (await bench.supplier.request("8.1.1", ESME, NOW)).ok
        meter = bench.inventory.find(ESME)
        assert meter.status is DeviceStatus.COMMISSIONED
        assert meter.date_commissioned == bench.clock.now().date()
        identities = [members for _, kind, members in told(bench) if kind == "DeviceStatusChangeEvent"]
        assert identities[0]["DeviceStatusChange"]["MeterIdentity"] == {
            "MeterMPxNs": {"ImportMPxN": "1312345678111"},
            "ESMEVariant": "AD",
        }

    play(story)


def test_a_device_taken_off_the_log_is_decommissioned(play) -> None:
    async def story(bench) -> None:
        removed = {"DeviceID": str(ESME), "RequestType": "Remove"}
        assert (await bench.supplier.request("8.11", HUB, removed)).code == "I0"
        assert status(bench) is DeviceStatus.DECOMMISSIONED

    play(story)


def test_who_is_on_no_list_cannot_join(play) -> None:
    async def story(bench) -> None:
        bench.inventory.set_status(ESME, DeviceStatus.PENDING)
        await log_alert(bench, "00112233445566778899AABBCCDDEEFF")
        assert status(bench) is DeviceStatus.PENDING

    play(story)


def test_the_last_device_log_of_a_hub_is_kept_for_the_next_hub(play) -> None:
    async def story(bench) -> None:
        await log_alert(bench, "00112233445566778899AABBCCDDEEFF")
        await bench.dcc.__aexit__(None, None, None)
        async with bench.another() as dcc:
            backup = dcc._inbound._backups.find(HUB)
            assert backup == DeviceLogBackup(
                network="0102030405060708",
                devices=[
                    {
                        "device_identifier": str(ESME),
                        "security_details": "00112233445566778899AABBCCDDEEFF",
                    }
                ],
            )
            assert dcc._inbound._backups.find(ESME) is None

    play(story)


def test_a_restored_log_moves_the_home_behind_the_new_hub(play) -> None:
    new, old_proxy, new_proxy = (Eui64.parse(f"00DB1234567890{end}") for end in ("C2", "A3", "C3"))

    async def story(bench) -> None:
        for device, kind, hub in (
            (new, DeviceType.CHF, new),
            (old_proxy, DeviceType.GPF, HUB),
            (new_proxy, DeviceType.GPF, new),
        ):
            bench.inventory.add(InventoryDevice(device_id=device, device_type=kind, hub=hub))
        carry_out(bench, "8.12.1", {"OldCHFID": str(HUB)}, new)
        assert {one.device_id for one in bench.inventory.premises(new)} == {new, new_proxy, ESME, GSME}
        assert {one.device_id for one in bench.inventory.premises(HUB)} == {HUB, old_proxy}
        [(user, kind, members), *_] = told(bench)
        assert (user, kind) == (SUPPLIER, "DeviceLogRestored")
        assert members["CHFDeviceLog"]["OldGPFDeviceID"] == str(old_proxy)

    play(story)


# Parties ----------------------------------------------------------------------------------------------------


def new_supplier(bench) -> dict[str, object]:
    """A change to STRANGER, whose certificates are in the request."""
    signing, agreement = (
        bench.keys.find(STRANGER, usage).certificate.der.hex().upper()
        for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)
    )
    return {
        "SupplierFloorSeqNumber": 0,
        "SupplierPrepaymentTopUpFloorSeqNumber": 0,
        "SupplierReplacementCertificates": {
            "DigitalSigningCertificate": signing,
            "KeyAgreementCertificate": agreement,
            "KeyAgreementTopUpCertificate": agreement,
        },
        "CertificationPathCertificates": {"Certificate": [signing]},
        "ApplyTimeBasedCPVChecks": True,
        "ImportMPxN": "1312345678333",
    }


def test_a_change_of_supplier_moves_responsibility_and_credentials(play) -> None:
    async def story(bench) -> None:
        await bench.clock.sleep(60)
        carry_out(bench, "6.23", new_supplier(bench))
        meter = bench.inventory.find(ESME)
        now = bench.clock.now()
        assert meter.parties(UserRole.IMPORT_SUPPLIER, now) == (STRANGER,)
        assert meter.parties(UserRole.IMPORT_SUPPLIER, bench.clock.epoch) == (SUPPLIER,)
        assert KnownParty(party=STRANGER, role=RemotePartyRole.SUPPLIER) in meter.known_parties
        assert not meter.knows(SUPPLIER, (RemotePartyRole.SUPPLIER,))
        assert meter.knows(OPERATOR, (RemotePartyRole.NETWORK_OPERATOR,))
        assert meter.import_mpxn == "1312345678333"
        assert [(user, kind) for user, kind, _ in told(bench)] == [
            (SUPPLIER, "ChangeOfSupplier"),
            (STRANGER, "SecurityCredentialsUpdated"),
        ]
        # The loser may not ask any more.
        assert (await bench.supplier.request("4.1.1", ESME)).code == "E4"

    play(story)


def test_doing_it_twice_is_as_good_as_once(play) -> None:
    async def story(bench) -> None:
        for _ in range(2):
            carry_out(bench, "6.23", new_supplier(bench))
        first = bench.inventory.find(ESME)
        carry_out(bench, "6.23", new_supplier(bench))
        assert bench.inventory.find(ESME) == first
        assert first.parties(UserRole.IMPORT_SUPPLIER, bench.clock.now()) == (STRANGER,)

    play(story)


def test_a_certificate_that_names_nobody_changes_nothing(play) -> None:
    async def story(bench) -> None:
        before = bench.inventory.find(ESME)
        device = bench.keys.find(ESME, KeyUsage.DIGITAL_SIGNATURE).certificate.der.hex().upper()
        elements = new_supplier(bench)
        elements["SupplierReplacementCertificates"] = {
            "DigitalSigningCertificate": "3000",
            "KeyAgreementCertificate": device,
            "KeyAgreementTopUpCertificate": device,
        }
        carry_out(bench, "6.23", elements)
        assert bench.inventory.find(ESME) == before
        assert len(bench.events("InventoryUnchanged")) == 1

    play(story)


# Numbers and versions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "elements", "numbers"),
    [
        (
            "6.20.1",
            {"ImportMPANs": {"ImportMPAN": "1312345678111", "SecondaryImportMPAN": "1312345678222"}},
            ("1312345678111", "1312345678222", ""),
        ),
        ("6.20.1", {"ImportMPRN": "1234567890"}, ("1234567890", "", "")),
        ("6.20.2", {"ExportMPAN": "1312345678333"}, ("", "", "1312345678333")),
    ],
)
def test_meter_points_are_those_that_the_meter_was_given(play, variant, elements, numbers) -> None:
    async def story(bench) -> None:
        carry_out(bench, variant, elements)
        meter = bench.inventory.find(ESME)
        assert (meter.import_mpxn, meter.secondary_import_mpan, meter.export_mpan) == numbers

    play(story)


def test_a_firmware_version_is_believed_from_the_device_and_a_surprise_is_told(play) -> None:
    async def story(bench) -> None:
        assert (await bench.supplier.request("11.2", ESME)).ok
        assert bench.inventory.find(ESME).firmware_version == "0123ABCD"
        assert told(bench) == []
        bench.inventory.update(replace(bench.inventory.find(ESME), firmware_version="00000001"))
        assert (await bench.supplier.request("11.2", ESME)).ok
        [(_, kind, members), _] = told(bench)
        assert kind == "FirmwareVersionMismatch"
        assert (members["FirmwareVersionSMI"], members["FirmwareVersionDevice"]) == ("00000001", "0123ABCD")

    play(story)
