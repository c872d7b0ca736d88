"""Distribution of firmware: to each hub that is meant, once, over restarts; who is told of what failed."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from smetslab.dcc import DccRules
from smetslab.duis.codes import CommandVariant
from smetslab.duis.dcc_alerts import read_dcc_alert
from smetslab.duis.document import parse_response
from smetslab.firmware import OtaHeader
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.registry import (
    CertifiedProduct,
    CertifiedProducts,
    DeviceStatus,
    InventoryDevice,
    ProductStatus,
)
from smetslab.wan import ImageDelivery

ESME = Eui64.parse("00DB1234567890A0")
GSME = Eui64.parse("00DB1234567890A1")
HUB = Eui64.parse("00DB1234567890A2")
UNKNOWN = Eui64.parse("00DB1234567890B0")
HEADER = OtaHeader(manufacturer_code=0xAB01, image_type=0x1234, file_version=0x0002012F)
CONTENT = b"a new firmware"
IMAGE = HEADER.encode(len(CONTENT)) + CONTENT


def update(*devices: Eui64, image: bytes = IMAGE, version: str = "0002012F") -> dict[str, str]:
    return {
        "FirmwareImage": image.hex().upper(),
        "FirmwareVersion": version,
        "DeviceIDList": ",".join(device.dashed() for device in devices),
    }


def test_one_image_for_all_devices_behind_a_hub_reaches_it_once(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "11.1", update(ESME, GSME, ESME))).code == "I0"
        await bench.clock.sleep(60)
        assert bench.hub.images == [ImageDelivery((ESME, GSME), IMAGE)]
        assert bench.dcc._distribution.jobs() == ()
        assert bench.store.nvm("dcc").items("image") == []

    play(story)


def test_an_image_goes_to_devices_alone_for_which_it_is_certified(play, ask) -> None:
    certified = CertifiedProduct(manufacturer="AB01", model="GOOD", firmware_version="0002012f")
    others = CertifiedProduct(manufacturer="AB01", model="BAD", firmware_version="00020000")

    async def story(bench) -> None:
        for device_id, model in ((ESME, "good"), (GSME, "BAD")):
            device = bench.inventory.find(device_id)
            bench.inventory.update(replace(device, manufacturer="AB01", model=model))
        answer = await ask(bench, "11.1", update(ESME, GSME))
        assert answer.code == "W110101"
        assert [(one.name, one.text) for one in answer.payload.element.children] == [
            ("NotApplicableFirmwareDeviceIDList", GSME.dashed())
        ]
        await bench.clock.sleep(60)
        assert bench.hub.images == [ImageDelivery((ESME,), IMAGE)]
        assert (await ask(bench, "11.1", update(GSME))).code == "E110103"

    play(story, rules=DccRules(certified_products=CertifiedProducts([certified, others])))


def test_an_image_of_another_hash_than_the_list_has_goes_to_nobody(play, ask) -> None:
    listed = CertifiedProduct(
        manufacturer="AB01", model="GOOD", firmware_version="0002012F", firmware_hash="00" * 32
    )

    async def story(bench) -> None:
        device = bench.inventory.find(ESME)
        bench.inventory.update(replace(device, manufacturer="AB01", model="GOOD"))
        assert (await ask(bench, "11.1", update(ESME))).code == "E110103"

    play(story, rules=DccRules(certified_products=CertifiedProducts([listed])))


def transform(bench, image_hash: str, **more: str) -> bytes:
    elements = {"FirmwareHash": image_hash, **more}
    return bench.supplier.document("11.3", ESME, elements, CommandVariant.TRANSFORM)


DELISTED, ACTIVE = "AA" * 32, "BB" * 32
PRODUCTS = CertifiedProducts(
    [
        CertifiedProduct(
            manufacturer="AB01",
            model="GOOD",
            firmware_version="00000001",
            firmware_hash=DELISTED,
            status=ProductStatus.WITHDRAWN,
        ),
        CertifiedProduct(
            manufacturer="AB01", model="GOOD", firmware_version="00000002", firmware_hash=ACTIVE.lower()
        ),
        CertifiedProduct(manufacturer="AB01", model="GOOD", firmware_version="0002012F"),
    ]
)


def test_only_firmware_on_the_list_is_activated(play, ask) -> None:
    """F2.15-C4: what is delisted is refused, whether the list or an image that was distributed says what it
    is.
    """
    distributed = sha256(CONTENT).hexdigest().upper()

    async def story(bench) -> None:
        device = bench.inventory.find(ESME)
        bench.inventory.update(replace(device, manufacturer="AB01", model="GOOD"))

        async def code(image_hash: str, **more: str) -> str:
            return parse_response(await bench.dcc.receive(transform(bench, image_hash, **more))).code

        assert await code(ACTIVE) == "I0"
        assert await code(DELISTED) == "E65"
        assert "is withdrawn on the Certified Products List" in bench.events("RequestRefused")[0]["reason"]
        assert await code(DELISTED, ExecutionDateTime="3000-12-31T00:00:00Z") == "I0"
        assert await code(distributed) == "E65"
        assert "has the hash" in bench.events("RequestRefused")[1]["reason"]
        assert (await ask(bench, "11.1", update(ESME))).code == "I0"
        assert await code(distributed) == "I0"
        assert await code(distributed.lower()) == "I0"

        # The list has since learnt that this version is another image.
        other = CertifiedProduct(
            manufacturer="AB01", model="GOOD", firmware_version="0002012F", firmware_hash="00" * 32
        )
        bench.dcc._intake._rules = DccRules(certified_products=CertifiedProducts([other]))
        assert await code(distributed) == "E65"
        assert "has another hash" in bench.events("RequestRefused")[2]["reason"]

    play(story, rules=DccRules(certified_products=PRODUCTS))


def test_a_signed_activation_of_firmware_that_was_delisted_meanwhile_is_refused(play) -> None:
    async def story(bench) -> None:
        device = bench.inventory.find(ESME)
        bench.inventory.update(replace(device, manufacturer="AB01", model="GOOD"))
        message = await bench.supplier.pre_command("11.3", ESME, {"FirmwareHash": ACTIVE})
        bench.dcc._intake._rules = DccRules(certified_products=CertifiedProducts([]))
        answer = await bench.supplier.send_signed("11.3", bench.supplier.sign(message))
        assert answer.code == "E65"
        assert bench.events("RequestRefused")[0]["check"] == "not certified"

    assert play(story, rules=DccRules(certified_products=PRODUCTS)).esme.received == []


def test_what_cannot_be_updated_is_named_and_the_others_are(play, ask) -> None:
    async def story(bench) -> None:
        bench.inventory.set_status(GSME, DeviceStatus.PENDING)
        other = Eui64.parse("00DB1234567890C0")
        maker = InventoryDevice(device_id=other, device_type=DeviceType.ESME, hub=HUB, manufacturer="0001")
        bench.inventory.add(maker)
        answer = await ask(bench, "11.1", update(ESME, GSME, HUB, UNKNOWN, other))
        assert answer.code == "W110101"
        assert [(one.name, one.text) for one in answer.payload.element.children] == [
            ("InvalidDeviceIDList", f"{HUB.dashed()},{UNKNOWN.dashed()}"),
            ("NotCommissionedDeviceIDList", GSME.dashed()),
            ("NotApplicableFirmwareDeviceIDList", other.dashed()),
        ]
        await bench.clock.sleep(60)
        assert bench.hub.images == [ImageDelivery((ESME,), IMAGE)]

    play(story)


def test_a_device_with_an_image_on_its_way_gets_no_second(play, ask) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        assert (await ask(bench, "11.1", update(ESME))).code == "I0"
        answer = await ask(bench, "11.1", update(ESME, GSME))
        assert (answer.code, answer.payload.element.children[0].name) == (
            "W110101",
            "OtherRequestInProgressList",
        )
        bench.wan.outage(False)

    play(story)


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        (update(ESME, image=b"no image"), "E110101"),
        (update(ESME, version="00000001"), "E110102"),
        (update(HUB), "E110103"),
    ],
)
def test_an_image_that_is_none_or_for_nobody_is_refused(play, ask, elements, code) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "11.1", elements)).code == code
        assert bench.dcc._distribution.jobs() == ()

    play(story)


def test_a_version_of_zeros_claims_nothing(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "11.1", update(ESME, version="00000000"))).code == "I0"

    play(story)


def test_displays_have_a_variant_of_their_own(play, ask) -> None:
    async def story(bench) -> None:
        display = Eui64.parse("00DB1234567890A4")
        bench.inventory.add(InventoryDevice(device_id=display, device_type=DeviceType.PPMID, hub=HUB))
        assert (await ask(bench, "11.1", update(display))).code == "E110103"
        assert (await ask(bench, "11.4", update(ESME))).code == "E110403"
        answer = await ask(bench, "11.4", update(display, ESME))
        assert (answer.code, answer.payload.element.name) == ("W110401", "DSPUpdatePPMIDFirmwareWarning")

    play(story)


def test_an_image_is_sent_by_the_process_that_comes_after(play, ask) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        await ask(bench, "11.1", update(ESME))
        await bench.dcc.__aexit__(None, None, None)
        bench.wan.outage(False)
        async with bench.another():
            await bench.clock.sleep(60)
            assert bench.hub.images == [ImageDelivery((ESME,), IMAGE)]

    play(story)


def test_who_sent_an_image_that_never_arrived_is_told(play, ask) -> None:
    async def story(bench) -> None:
        bench.wan.outage(True)
        await ask(bench, "11.1", update(ESME))
        await bench.clock.sleep(700)
        [document] = bench.dcc.alerts
        code, kind, members = read_dcc_alert(parse_response(document).body.element)
        assert (code, kind, members["MeterIDs"]) == ("N18", "FirmwareDistributionFailure", ESME.dashed())
        bench.wan.outage(False)

    play(story, rules=replace(DccRules(), image_timeout_s=600))
