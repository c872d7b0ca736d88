"""The electricity meters of the published scenarios: a base state, and overlays for single groups.

Spec: RTDS 4.5.0.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Final

from smetslab.devices.application import Station
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.esme_core import EsmeCore, EsmePlant
from smetslab.devices.esme_objects import model_of
from smetslab.devices.esme_settings import read_settings
from smetslab.devices.load import LoadProfile
from smetslab.devices.profile import DeviceProfile, load_profile
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.installed import SecuritySettings, settings_of
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.rtds.worlds import contingency, credential_causes, esme_causes, esme_state, security
from smetslab.rtds.worlds.model import Site, World

PROFILE: Final = "esme-rtds"

PARTIES: Final = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90B3D51F30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90B3D51F30000004"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90B3D51F30010000"),
    RemotePartyRole.LOAD_CONTROLLER: Eui64.parse("90B3D51F30010008"),
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90B3D51F30020000"),
}
"""Who is in the trust anchor cells of a meter."""

RULES = (*esme_state.RULES, *security.RULES)


def build(site: Site, missing: tuple[str, ...] = ()) -> EsmeCore:
    """A meter in the world of the published scenarios, without the use cases that are `missing`."""
    profile = _profile()
    settings = read_settings(profile)
    attributes = {**settings.attributes, **esme_state.BASE}
    variant = settings.variant
    for overlay in site.overlays:
        attributes.update(esme_state.OVERLAYS.get(overlay, {}))
        variant = esme_state.VARIANTS.get(overlay, variant)
    known = model_of(variant).by_name
    attributes = {name: value for name, value in attributes.items() if name in known}
    counter = settings.first_alert_counter if site.alert_counter is None else site.alert_counter
    station = Station(
        eui64=site.eui64,
        device_type=DeviceType.ESME,
        keys=security.keys(site),
        trust_anchors=TrustAnchorStore.for_device(
            DeviceType.ESME,
            site.ring,
            PARTIES,
            root=security.root(site),
            contingency=security.contingency_key(site),
        ),
        secrets=site.secrets,
        quirks=Quirks(two_octet_lengths=True),
        supported=lambda use_case: use_case.name not in missing,
        answers_to=RemotePartyRole.SUPPLIER,
        first_alert_counter=counter,
    )
    plant = EsmePlant(
        station=station,
        settings=replace(settings, variant=variant, attributes=attributes, charging=False),
        load=LoadProfile(RootSeed(1).octets("load", 16), scale_percent=0),
        hub_time=lambda: _hub_time(site.now),
        security=_security(site, profile.identity.firmware_version_octets),
    )
    return EsmeCore(plant, site.workplace, site.now, None)


@cache
def _profile() -> DeviceProfile:
    return load_profile(PROFILE)


def _security(site: Site, version: bytes) -> SecuritySettings:
    """Where firmware is distributed, the meter takes images for the shipped reference meter."""
    found = security.settings(site, DeviceType.ESME, version)
    if "firmware-distribution" not in site.overlays:
        return found
    return replace(found, firmware=settings_of(load_profile("esme-reference-a"), site.eui64).firmware)


def _hub_time(now: datetime) -> datetime:
    """The hub's time is that of the scenarios."""
    return now


WORLDS: Final = (
    World(
        name="esme",
        entity=Eui64.parse("00DB1234567890A0"),
        build=build,
        rules=RULES,
        causes={**esme_causes.CAUSES, **credential_causes.CAUSES, **contingency.CAUSES},
    ),
    World(
        name="load-control-esme",
        entity=Eui64.parse("00DB1234567890A6"),
        build=partial(build, missing=(esme_causes.UNSUPPORTED,)),
        rules=RULES,
        causes={**esme_causes.LOAD_CONTROL_CAUSES, **credential_causes.LOAD_CONTROL_CAUSES},
    ),
)
