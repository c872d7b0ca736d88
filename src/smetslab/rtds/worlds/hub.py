"""The Communications Hub of the published scenarios.

Spec: RTDS 4.5.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from smetslab.devices.application import Station
from smetslab.devices.chf_core import FIRST_ALERT_COUNTER, HubCore, read_settings
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.hub_log import HubDeviceLog, Listed
from smetslab.devices.limits import SUB_GHZ_DEVICES
from smetslab.devices.profile import load_profile
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.errors import LocalProtocolError
from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import encode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64
from smetslab.rtds.rules import Rule
from smetslab.rtds.worlds import security
from smetslab.rtds.worlds.esme_state import LOG_STAMPS
from smetslab.rtds.worlds.model import Cause, Site, Stage, World

PROFILE: Final = "chf-rtds"
HUB: Final = Eui64.parse("00DB1234567890A2")
_ESME, _GSME = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A1")
_PPMID = Eui64.parse("00DB1234567890A4")
_SUPPLIER, _BROKER = Eui64.parse("90B3D51F30010000"), Eui64.parse("90B3D51F30000002")

PARTIES: Final = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: _BROKER,
    RemotePartyRole.WAN_PROVIDER: Eui64.parse("90B3D51F30000007"),
}
"""Who is in the trust anchor cells of a hub."""

_JOINED: Final = (
    Listed(
        device=_ESME,
        number=0,
        device_type=DeviceType.ESME,
        presence="joined",
        key_hash=bytes.fromhex("83FED3407A939723A5C639B26916D506"),
    ),
    Listed(
        device=_GSME,
        number=1,
        device_type=DeviceType.GSME,
        presence="joined",
        key_hash=bytes.fromhex("83FED3407A939723A5C639B26916D505"),
    ),
)
_THIRD: Final = Listed(device=_PPMID, number=2, device_type=DeviceType.PPMID, presence="joined")
_BACKUP_NETWORK: Final = bytes.fromhex("0001020304050607")

_SECURITY_CODES: Final = "8F12 8F1E 8F3E 8F3F 8F43 8F4C 8F4D 8F4E 8F4F 8F52 8F53 8F75 8F78"
"""Each security event that a hub may raise, once."""
_EVENT_CODES: Final = "8145 8154 8155 8183 81A0 81A2 81A3 8F20 8F26 8F2A 8F2D 8F84 8F8A"
_CHANNELS: Final = ((28, 0), (29, 28), (30, 37), (31, 3))


def _communication(device: Eui64, signal: tuple[int, int, int], minute: int) -> Value:
    """A device as the communications store has it; signal strength highest, mean, lowest in dBm."""
    highest, mean, lowest = signal
    return {
        "entity_identifier": str(device),
        "status": {
            "authorised_on_pan": True,
            "actively_reporting_on_pan": True,
            "unauthorised_on_pan_but_has_reported": False,
            "authorised_after_swap_out": False,
            "sep_transmitting": True,
        },
        "max_rssi": highest,
        "average_rssi": mean,
        "min_rssi": lowest,
        "max_lqi": 255,
        "average_lqi": 128,
        "min_lqi": 0,
        "last_communications_date_time": f"hex:07DE0C1F0317{minute:02X}00008000FF",
        "number_of_hops": 1,
        "transmission_failures": 0,
        "transmission_successes": 100,
        "application_version": 1,
        "stack_version": 1,
    }


BASE: Mapping[str, Value] = {
    "manufacturer_identifier": "CSW",
    "security_log": [
        {"timestamp": time, "log_code": code}
        for time, code in zip(LOG_STAMPS, _SECURITY_CODES.split(), strict=False)
    ],
    "event_log": [
        {"timestamp": time, "log_code": code, "other_information": ""}
        for time, code in zip(LOG_STAMPS, _EVENT_CODES.split(), strict=False)
    ],
    "communications_store": [
        _communication(_ESME, (-35, -50, -100), 50),
        _communication(_GSME, (-34, -54, -77), 40),
    ],
    # One entry a day; which channel each names does not matter to any scenario.
    "sub_ghz_channel_log": [
        {
            "timestamp": f"2014-12-{20 + day}T00:00:00Z",
            "log_code": "8F26",
            "other_information": {
                "page": _CHANNELS[day % 4][0],
                "channels": [_CHANNELS[day % 4][1]],
                "scan_trigger": day % 8,
            },
        }
        for day in range(11)
    ],
}

OVERLAYS: Mapping[str, Mapping[str, Value]] = {
    "four-letter-manufacturer": {"manufacturer_identifier": "CSW "},
}

RULES: Final = (
    Rule(scenarios=r"_ECS26n/", overlays=("four-letter-manufacturer",)),
    Rule(scenarios=r"_CS14/", overlays=("third-device", "network-of-backup")),
    *security.RULES,
)


def build(site: Site) -> HubCore:
    """A hub in the world of the published scenarios."""
    profile = load_profile(PROFILE)
    settings = read_settings(profile)
    attributes: dict[str, Value] = {**settings.attributes, **BASE}
    for overlay in site.overlays:
        attributes.update(OVERLAYS.get(overlay, {}))
    log = HubDeviceLog(
        site.workplace.nvm,
        lambda _device, _added: None,
        network=_BACKUP_NETWORK if "network-of-backup" in site.overlays else settings.network,
        first=(*_JOINED, _THIRD) if "third-device" in site.overlays else _JOINED,
    )
    station = Station(
        eui64=site.eui64,
        device_type=DeviceType.CHF,
        keys=security.keys(site),
        trust_anchors=TrustAnchorStore.for_device(DeviceType.CHF, site.ring, PARTIES),
        secrets=site.secrets,
        quirks=Quirks(two_octet_lengths=True),
        supported=lambda _use_case: True,
        answers_to=RemotePartyRole.ACCESS_CONTROL_BROKER,
        first_alert_counter=FIRST_ALERT_COUNTER if site.alert_counter is None else site.alert_counter,
    )
    chosen = replace(
        settings,
        attributes=attributes,
        security=security.settings(site, DeviceType.CHF, profile.identity.firmware_version_octets),
    )
    return HubCore(station, chosen, site.workplace, log, site.now)


# ---------------------------------------------------------------------------- causes


def _in_the_hub(act: Callable[[HubCore, Work], None]) -> Cause:
    """A cause that is an event inside the hub."""

    def cause(stage: Stage) -> None:
        hub = stage.device
        if not isinstance(hub, HubCore):
            raise LocalProtocolError("this cause is for a hub")
        with hub.work(stage.now) as work:
            act(hub, work)

    return cause


def _remove_a_device(stage: Stage) -> None:
    """A device is taken off the log, which is backed up then."""
    use_case = USE_CASES["CCS02"]
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=1300,
        business_originator_id=_BROKER,
        business_target_id=HUB,
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
        message_mac=bytes(12),
    )
    content = encode_content(use_case, header, {"entry_to_be_removed": str(_PPMID)})
    stage.send(replace(header, content=content))


def _send_too_much(hub: HubCore, work: Work) -> None:
    """The radio sends to the gas meter for a little more than the first limit allows in an hour."""
    hub.radio.sent(work, _GSME, timedelta(hours=1).total_seconds() * 0.015)


def _let_in(hub: HubCore, work: Work) -> None:
    """The gas meter wants to join where there is no room left."""
    hub.radio.admits(work, _GSME, joined=SUB_GHZ_DEVICES)


_DISCARDED: Final[dict[str, Value]] = {
    "business_originator_id": str(_SUPPLIER),
    "business_target_id": str(_ESME),
    "cra_flag": int(Cra.COMMAND),
    "originator_counter": 1000,
}

CAUSES: Final[Mapping[str, Cause]] = {
    r"_CS14/": _remove_a_device,
    r"_CCS08/": _in_the_hub(lambda hub, work: hub.transferred(work, _PPMID, bytes.fromhex("0123ABCD"), 0)),
    r"_DBCH06/": _in_the_hub(_send_too_much),
    r"_DBCH07/": _in_the_hub(lambda hub, work: hub.radio.move(work, (28, 0), "RemotePartyCommand")),
    r"_DBCH08/": _in_the_hub(lambda hub, work: hub.radio.scan(work, "RemotePartyCommand")),
    r"_DBCH09/": _in_the_hub(lambda hub, work: hub.radio.configured(work)),
    r"_DBCH10/": _in_the_hub(lambda hub, work: hub.radio.discarded(work, _DISCARDED)),
    r"_DBCH11/": _in_the_hub(_let_in),
}


WORLDS: Final = (World(name="hub", entity=HUB, build=build, rules=RULES, causes=CAUSES, reach="hub"),)
