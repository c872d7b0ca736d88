"""Services about hubs and the WAN."""

from __future__ import annotations

import pytest

from smetslab.dcc import DccRules
from smetslab.dcc.desk import SERVICES
from smetslab.duis.srv import SERVICE_REQUESTS
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus

ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
UNKNOWN = Eui64.parse("00DB1234567890B0")
INSTALLED = {
    "DeviceID": str(HUB),
    "CHFInstallType": "New CHF Install",
    "MPxN": "1000999888",
    "AerialInstall": True,
    "CHFLocation": "Basement or Cellar",
}
NO_WAN = {
    **INSTALLED,
    "PremiseType": "Terraced",
    "MetalObstructionCheck": False,
    "ConnectivityObstructionCheck": False,
    "SharedObstructionCheck": False,
}
FAULT = {
    "DeviceID": str(HUB),
    "CHFFaultReturnType": "Fault identified prior to installation",
    "OtherDeviceID": str(ESME),
    "CHFConnectionMethod": "Hot-shoe",
    "CHFFaultReason": "Damaged case",
}
NO_FAULT = {"DeviceID": str(HUB), "CHFNoFaultReturnType": "No Fault Return (general)"}


def test_every_non_device_variant_has_a_service() -> None:
    assert set(SERVICES) == {variant for variant, row in SERVICE_REQUESTS.items() if row.non_device}


@pytest.mark.parametrize(
    ("variant", "elements", "status"),
    [
        ("8.14.1", INSTALLED, DeviceStatus.COMMISSIONED),
        ("8.14.2", NO_WAN, DeviceStatus.INSTALLED_NOT_COMMISSIONED),
        ("8.14.3", FAULT, DeviceStatus.WITHDRAWN),
        ("8.14.4", NO_FAULT, DeviceStatus.WITHDRAWN),
    ],
)
def test_a_hub_is_where_its_report_says(play, ask, variant, elements, status) -> None:
    async def story(bench) -> None:
        bench.inventory.set_status(HUB, DeviceStatus.PENDING)
        assert (await ask(bench, variant, elements)).code == "I0"
        hub = bench.inventory.find(HUB)
        assert hub.status is status
        assert hub.import_mpxn == ("1000999888" if "MPxN" in elements else "")

    play(story)


@pytest.mark.parametrize(
    ("variant", "elements", "code"),
    [
        ("8.14.1", {**INSTALLED, "DeviceID": str(UNKNOWN)}, "E19"),
        ("8.14.1", {**INSTALLED, "DeviceID": str(ESME)}, "E081401"),
        ("8.14.3", {**FAULT, "OtherDeviceID": str(UNKNOWN)}, "E081405"),
    ],
)
def test_a_report_about_no_hub_is_refused(play, ask, variant, elements, code) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, variant, elements)).code == code
        assert bench.inventory.find(HUB).status is DeviceStatus.COMMISSIONED

    play(story)


def test_a_hub_that_is_gone_is_not_reported_again(play, ask) -> None:
    async def story(bench) -> None:
        await ask(bench, "8.14.4", NO_FAULT)
        assert (await ask(bench, "8.14.1", INSTALLED)).code == "E081402"
        assert (await ask(bench, "8.14.4", NO_FAULT)).code == "E081402"

    play(story)


PLACE = {"PartialAddress": {"PostCode": "M22 0RR", "AddressIdentifier": "Threapwood Road"}}


def test_the_wan_matrix_repeats_the_question_in_the_form_that_was_set(play, ask) -> None:
    async def new(bench) -> None:
        answer = await ask(bench, "12.1", PLACE)
        names = [child.name for child in answer.payload.element.children]
        assert (answer.code, names) == ("I0", ["Request", "DSPWANMatrixResponse"])
        asked = answer.payload.element.children[0].children[0]
        assert [child.text for child in asked.children] == ["M22 0RR", "Threapwood Road"]

    play(new, rules=DccRules(wan_matrix_form="5.4"))


def test_the_old_form_of_the_wan_matrix(play) -> None:
    """Valid under schema 5.1 alone, so it is not held against the newer schema here."""
    from smetslab.duis.codes import CommandVariant
    from smetslab.duis.document import parse_response

    async def story(bench) -> None:
        broker = Eui64.parse("90B3D51F30000002")
        document = bench.supplier.document("12.1", broker, PLACE, CommandVariant.NON_DEVICE)
        answer = parse_response(await bench.dcc.receive(document))
        assert [child.name for child in answer.payload.element.children] == [
            "Request",
            "CSPRegion",
            "CoverageAvailability",
            "WANTechnology",
            "ConnectivityLikelihood",
        ]

    play(story)


def test_a_place_without_wan_is_refused(play, ask) -> None:
    async def story(bench) -> None:
        assert (await ask(bench, "12.1", PLACE)).code == "E120101"

    play(story, rules=DccRules(wan_post_codes=("LS", "SW1"), wan_matrix_form="5.4"))


def test_a_lost_hub_is_a_power_outage_for_the_parties_of_its_meters(play) -> None:
    from dataclasses import replace

    from smetslab.duis.dcc_alerts import read_dcc_alert
    from smetslab.duis.document import parse_response

    async def story(bench) -> None:
        bench.dcc.hub_lost(HUB)
        assert bench.dcc.alerts == []
        bench.inventory.update(replace(bench.inventory.find(ESME), import_mpxn="1312345678111"))
        bench.dcc.hub_lost(HUB)
        told = [read_dcc_alert(parse_response(one).body.element) for one in bench.dcc.alerts]
        assert [(code, kind) for code, kind, _ in told] == [("AD1", "PowerOutageEvent")] * 2
        assert told[0][2]["MPxN"] == "1312345678111"

    play(story)
