"""The PPMID and the HCALCS of the published scenarios.

Spec: RTDS 4.5.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from smetslab.devices.application import Station
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.hcalcs_core import HcalcsCore
from smetslab.devices.ppmid_core import PpmidCore
from smetslab.devices.profile import load_profile
from smetslab.devices.quirks import Quirks
from smetslab.devices.type1_core import Type1Core, Type1Plant, read_settings
from smetslab.errors import LocalProtocolError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.rtds.rules import Rule
from smetslab.rtds.worlds import security
from smetslab.rtds.worlds.model import Cause, Site, Stage, World

PPMID: Final = Eui64.parse("00DB1234567890A4")
HCALCS: Final = Eui64.parse("00DB1234567890A5")

PARTIES: Final = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90B3D51F30000002"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90B3D51F30010000"),
}
"""Who is in the trust anchor cells of a Type 1 device."""

_CORES: Final = {DeviceType.PPMID: PpmidCore, DeviceType.HCALCS: HcalcsCore}
_PROFILES: Final = {DeviceType.PPMID: "ppmid-rtds", DeviceType.HCALCS: "hcalcs-rtds"}

RULES: Final = (
    Rule(scenarios=r"_CS09/", overlays=("image-at-hand",)),
    *security.RULES,
)


def build(device_type: DeviceType, site: Site) -> Type1Core:
    """A Type 1 device in the world of the published scenarios."""
    profile = load_profile(_PROFILES[device_type])
    settings = read_settings(profile)
    counter = settings.first_alert_counter if site.alert_counter is None else site.alert_counter
    station = Station(
        eui64=site.eui64,
        device_type=device_type,
        keys=security.keys(site),
        trust_anchors=TrustAnchorStore.for_device(device_type, site.ring, PARTIES),
        secrets=site.secrets,
        quirks=Quirks(two_octet_lengths=True),
        supported=lambda _use_case: True,
        answers_to=RemotePartyRole.ACCESS_CONTROL_BROKER,
        first_alert_counter=counter,
    )
    plant = Type1Plant(
        station=station,
        settings=settings,
        hub_time=lambda: site.now,
        security=security.settings(site, device_type, profile.identity.firmware_version_octets),
    )
    return _CORES[device_type](plant, site.workplace, site.now)


def _activate(stage: Stage) -> None:
    """The PPMID activates the image that it has received."""
    core = stage.device
    if not isinstance(core, PpmidCore):
        raise LocalProtocolError("this cause is for a PPMID")
    with core.work(stage.now) as work:
        core.security.firmware.activate_alone(work)


CAUSES: Final[Mapping[str, Cause]] = {r"_CS09/": _activate}

WORLDS: Final = (
    World(
        name="ppmid",
        entity=PPMID,
        build=partial(build, DeviceType.PPMID),
        rules=RULES,
        causes=CAUSES,
    ),
    World(name="hcalcs", entity=HCALCS, build=partial(build, DeviceType.HCALCS), rules=RULES),
)
