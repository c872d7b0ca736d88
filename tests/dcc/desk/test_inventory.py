"""Services about the inventory: pre-notification, reading, updating, decommissioning, opting in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.dcc import DccRules
from smetslab.duis.dcc_alerts import read_dcc_alert
from smetslab.duis.document import OtherBody, OtherPayload, parse_response
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.registry import (
    CertifiedProduct,
    CertifiedProducts,
    DeviceStatus,
    InventoryDevice,
    ProductStatus,
    PropertyFilter,
    UserRole,
)

SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
NEW = Eui64.parse("00DB1234567890B0")
NEW_GPF = Eui64.parse("00DB1234567890B1")

METER = {
    "DeviceID": str(NEW),
    "DeviceManufacturer": "AB01",
    "DeviceModel": "010A030B",
    "DeviceType": "ESME",
    "SMETSCHTSVersion": "SMETS V1.58",
    "FirmwareVersion": "0002012F",
    "ESMEVariant": "AD",
}
HUB_DETAILS = {
    **{name: value for name, value in METER.items() if name != "ESMEVariant"},
    "DeviceType": "CHF",
    "AssociatedGPFDeviceID": str(NEW_GPF),
}
DISPLAY = {"DeviceID": str(NEW), "DeviceManufacturer": "AB01", "DeviceModel": "01", "DeviceType": "IHD"}


def alerts(bench) -> list[tuple[str, str, object]]:
    """Code, kind and members of every alert of the DCC itself."""
    bodies = [parse_response(document).body for document in bench.dcc.alerts]
    return [read_dcc_alert(body.element) for body in bodies if isinstance(body, OtherBody)]


# 12.2 -------------------------------------------------------------------------------------------------------


def test_a_pre_notified_meter_is_pending_and_its_user_responsible(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "12.2", METER)).code == "I0"
        device = bench.inventory.find(NEW)
        assert (device.status, device.hub) == (DeviceStatus.PENDING, None)
        assert (device.manufacturer, device.model, device.esme_variant) == ("AB01", "010A030B", "AD")
        assert device.is_responsible(SUPPLIER, UserRole.IMPORT_SUPPLIER)
        assert not device.is_responsible(SUPPLIER, UserRole.GAS_SUPPLIER)
        # Nothing can be sent to it yet.
        assert (await bench.supplier.request("4.1.1", NEW)).code == "E5"

    play(story)


def test_a_hub_comes_with_its_gas_proxy(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "12.2", HUB_DETAILS)).code == "I0"
        hub, proxy = bench.inventory.find(NEW), bench.inventory.find(NEW_GPF)
        assert (hub.device_type, hub.hub) == (DeviceType.CHF, NEW)
        assert (proxy.device_type, proxy.hub, proxy.status) == (DeviceType.GPF, NEW, DeviceStatus.PENDING)

    play(story)


def test_a_display_needs_few_details(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "12.2", DISPLAY)).code == "I0"
        assert bench.inventory.find(NEW).duis_type == "IHD"

    play(story)


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        ({**HUB_DETAILS, "AssociatedGPFDeviceID": str(NEW)}, "E120201"),
        ({**METER, "DeviceID": str(ESME)}, "E120203"),
        ({**HUB_DETAILS, "AssociatedGPFDeviceID": str(ESME)}, "E120203"),
        ({name: value for name, value in METER.items() if name != "ESMEVariant"}, "E120204"),
        ({name: value for name, value in METER.items() if name != "FirmwareVersion"}, "E120204"),
        ({**METER, "DeviceType": "GSME"}, "E120207"),
    ],
    ids=["equal ids", "known meter", "known proxy", "no variant", "no firmware", "variant of a gas meter"],
)
def test_a_pre_notification_that_cannot_be_is_refused_and_changes_nothing(play, ask, elements, code) -> None:
    async def story(bench) -> None:
        before = bench.inventory.devices()
        assert (await ask(bench, "12.2", elements)).code == code
        assert bench.inventory.devices() == before

    play(story)


LISTED = CertifiedProducts(
    [
        CertifiedProduct(manufacturer="AB01", model="010A030B", firmware_version="0002012F"),
        CertifiedProduct(
            manufacturer="AB01",
            model="010A030B",
            firmware_version="00020130",
            status=ProductStatus.CANCELLED,
        ),
    ]
)


def test_only_certified_products_are_pre_notified_where_there_is_a_list(play, ask) -> None:
    async def story(bench) -> None:
        for changed in ({"DeviceModel": "FFFFFFFF"}, {"FirmwareVersion": "00020130"}):
            assert (await ask(bench, "12.2", {**METER, **changed})).code == "E120204"
        assert bench.inventory.find(NEW) is None
        reasons = [seen["reason"] for seen in bench.events("RequestRefused")]
        assert "is not on the Certified Products List" in reasons[0]
        assert "is cancelled on the Certified Products List" in reasons[1]
        assert (await ask(bench, "12.2", METER)).code == "I0"
        # A display of type 2 is on no list.
        other = {**DISPLAY, "DeviceID": str(NEW_GPF)}
        assert (await ask(bench, "12.2", other)).code == "I0"

    play(story, rules=DccRules(certified_products=LISTED))


def test_details_are_changed_to_those_of_a_certified_product_alone(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "12.2", METER)).code == "I0"
        wrong = {"DeviceID": str(NEW), "UpdateDeviceDetails": {"FirmwareVersion": "00020131"}}
        assert (await ask(bench, "8.4", wrong)).code == "E080413"
        assert bench.inventory.find(NEW).firmware_version == "0002012F"
        right = {"DeviceID": str(NEW), "UpdateDeviceDetails": {"ESMEVariant": "A"}}
        assert (await ask(bench, "8.4", right)).code == "I0"
        assert bench.inventory.find(NEW).esme_variant == "A"

    play(story, rules=DccRules(certified_products=LISTED))


# 8.2 --------------------------------------------------------------------------------------------------------


def shown(response) -> list[str]:
    assert isinstance(response.payload, OtherPayload)
    return [
        next(child.text for child in device.children if child.name == "DeviceID")
        for device in response.payload.element.children
    ]


def test_the_whole_home_is_shown_by_whatever_it_is_asked_for(play, ask) -> None:
    async def story(bench) -> None:
        meter = bench.inventory.find(ESME)
        place = PropertyFilter(post_code="M22 0RR", address_identifier="Threapwood Road")
        bench.inventory.update(
            replace(meter, import_mpxn="1312345678111", uprn=100023336956, property_filter=place)
        )
        for wanted in (
            {"DeviceID": str(ESME)},
            {"DeviceID": str(HUB)},
            {"MPxN": "1312345678111"},
            {"UPRN": 100023336956},
            {"PropertyFilter": {"PostCode": "m220rr", "AddressIdentifier": "threapwood road"}},
        ):
            answer = await ask(bench, "8.2", wanted)
            assert answer.code == "I0"
            devices = shown(answer)
            assert devices[0] == HUB.dashed()
            assert len(devices) == 3

    play(story)


def test_what_is_not_there_or_too_much_is_refused(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "8.2", {"MPxN": "1"})).code == "E080201"
        for number in range(15):
            device = Eui64((0x00DB_AAAA_0000_0000 + number).to_bytes(8, "big"))
            bench.inventory.add(
                InventoryDevice(device_id=device, device_type=DeviceType.TYPE_2, kind="IHD", hub=HUB)
            )
        assert (await ask(bench, "8.2", {"DeviceID": str(ESME)})).code == "E080202"

    play(story)


def test_every_detail_that_is_known_is_shown_in_the_order_of_the_schema(play, ask) -> None:
    async def story(bench) -> None:
        await ask(bench, "12.2", METER)
        answer = await ask(bench, "8.2", {"DeviceID": str(NEW)})
        [device] = answer.payload.element.children
        assert [(child.name, child.text) for child in device.children] == [
            ("DeviceID", NEW.dashed()),
            ("DeviceType", "ESME"),
            ("DeviceStatus", "Pending"),
            ("DeviceManufacturer", "AB01"),
            ("DeviceModel", "010A030B"),
            ("SMETSCHTSVersion", "SMETS V1.58"),
            ("DeviceFirmwareVersion", "0002012F"),
            ("DeviceFirmwareVersionStatus", "Active"),
            ("CPLStatus", "Active"),
            ("ESMEVariant", "AD"),
            ("DeviceGBCSVersion", "4.1"),
        ]

    play(story)


# 8.3 --------------------------------------------------------------------------------------------------------


def test_a_decommissioned_meter_takes_nothing_and_its_parties_are_told(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "8.3", {"DeviceID": str(ESME)})).code == "I0"
        assert bench.inventory.find(ESME).status is DeviceStatus.DECOMMISSIONED
        assert (await bench.supplier.request("4.1.1", ESME)).code == "E5"
        told = alerts(bench)
        assert [(code, kind) for code, kind, _ in told] == [("N1", "DeviceStatusChangeEvent")] * 2
        assert (await ask(bench, "8.3", {"DeviceID": str(ESME)})).code == "E080302"

    play(story)


def test_decommissioning_is_refused_for_hubs_strangers_and_the_unknown(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "8.3", {"DeviceID": str(HUB)})).code == "E080301"
        assert (await ask(bench, "8.3", {"DeviceID": str(NEW)})).code == "E19"
        assert (await ask(bench, "8.3", {"DeviceID": str(ESME)}, user="stranger")).code == "E2"
        assert (await ask(bench, "8.3", {"DeviceID": str(ESME)}, user="operator")).code == "E2"

    play(story)


# 8.4 --------------------------------------------------------------------------------------------------------


def test_details_and_meter_points_are_updated(play, ask) -> None:
    async def story(bench) -> None:
        await ask(bench, "12.2", METER)
        details = {"DeviceModel": "0F0E", "FirmwareVersion": "00000002"}
        assert (await ask(bench, "8.4", {"DeviceID": str(NEW), "UpdateDeviceDetails": details})).code == "I0"
        points = {"UpdateMPxN": {"ExportMPAN": "1312345678333"}}
        assert (await ask(bench, "8.4", {"DeviceID": str(NEW), **points})).code == "I0"
        device = bench.inventory.find(NEW)
        assert (device.model, device.firmware_version, device.manufacturer) == ("0F0E", "00000002", "AB01")
        assert device.export_mpan == "1312345678333"

    play(story)


def test_a_pending_device_is_deleted_and_a_commissioned_one_is_not(play, ask) -> None:
    async def story(bench) -> None:
        await ask(bench, "12.2", METER)
        assert (await ask(bench, "8.4", {"DeviceID": str(NEW), "DeleteDevice": True})).code == "I0"
        assert bench.inventory.find(NEW) is None
        assert [(code, kind) for code, kind, _ in alerts(bench)] == [("N8", "DeviceStatusChangeEvent")]
        assert (await ask(bench, "8.4", {"DeviceID": str(ESME), "DeleteDevice": True})).code == "E080409"

    play(story)


@pytest.mark.parametrize(
    ("device", "change", "code"),
    [
        (HUB, {"UpdateDeviceStatusExceptCH": "Pending"}, "E080405"),
        (ESME, {"UpdateDeviceStatusCH": "Withdrawn"}, "E080405"),
        (ESME, {"UpdateDeviceStatusExceptCH": "InstalledNotCommissioned"}, "E080406"),
        (ESME, {"UpdateDeviceDetails": {"DeviceModel": "0"}}, "E080407"),
        (HUB, {"UpdateDeviceDetails": {"ESMEVariant": "A"}}, "E080408"),
        (HUB, {"UpdateMPxN": {"ImportMPxN": "1"}}, "E080411"),
        (NEW, {"DeleteDevice": True}, "E19"),
    ],
)
def test_an_update_that_cannot_be_is_refused_and_changes_nothing(play, ask, device, change, code) -> None:
    async def story(bench) -> None:
        before = bench.inventory.devices()
        assert (await ask(bench, "8.4", {"DeviceID": str(device), **change})).code == code
        assert bench.inventory.devices() == before

    play(story)


def test_a_hub_with_devices_is_not_deleted_and_no_meter_point_is_taken_twice(play, ask) -> None:
    async def story(bench) -> None:
        bench.inventory.set_status(HUB, DeviceStatus.WITHDRAWN)
        assert (await ask(bench, "8.4", {"DeviceID": str(HUB), "DeleteDevice": True})).code == "E080410"
        bench.inventory.update(replace(bench.inventory.find(ESME), import_mpxn="1312345678111"))
        await ask(bench, "12.2", METER)
        points = {"UpdateMPxN": {"ImportMPxN": "1312345678111"}}
        assert (await ask(bench, "8.4", {"DeviceID": str(NEW), **points})).code == "E080412"

    play(story)


def test_a_hub_is_withdrawn_by_its_own_element(play, ask) -> None:
    async def story(bench) -> None:
        change = {"DeviceID": str(HUB), "UpdateDeviceStatusCH": "Withdrawn"}
        assert (await ask(bench, "8.4", change)).code == "I0"
        assert bench.inventory.find(HUB).status is DeviceStatus.WITHDRAWN

    play(story)


# 8.6 --------------------------------------------------------------------------------------------------------

OPT_IN = {
    "DeviceID": str(NEW),
    "DeviceType": "ESME",
    "MPxNs": {"ImportMPxN": "1312345678111"},
    "OptInDate": "2015-02-01",
}


def test_nobody_may_opt_in_and_without_roles_the_broker_hands_out_its_certificates(play, ask) -> None:
    async def refused(bench) -> None:
        assert (await ask(bench, "8.6", OPT_IN)).code == "E2"

    async def served(bench) -> None:
        answer = await ask(bench, "8.6", OPT_IN)
        assert answer.code == "I0"
        assert [child.name for child in answer.payload.element.children] == [
            "DeviceID",
            "DSPBrokerSecurityCredentialsDigitalSigning",
            "DSPBrokerSecurityCredentialsKeyAgreement",
        ]
        assert bench.inventory.find(NEW).import_mpxn == "1312345678111"
        assert (await ask(bench, "8.6", {**OPT_IN, "DeviceType": "PPMID"})).code == "E080601"
        assert (await ask(bench, "8.6", {**OPT_IN, "DeviceID": str(ESME)})).code == "E080602"

    play(refused)
    play(served, rules=DccRules(check_roles=False))
