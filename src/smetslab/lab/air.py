"""The HAN of a premises as the lab file has it, and a capture of what is on its air.

Spec: design of the lab file (`[han]`)
"""

from __future__ import annotations

from collections.abc import Mapping

from smetslab.clock import Clock
from smetslab.devices.chf import CommunicationsHub
from smetslab.devices.chf_core import read_settings
from smetslab.devices.profile import DeviceProfile
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.han import DirectMedium, Han
from smetslab.han.air.bands import Channel
from smetslab.han.air.medium import Interference, LinkQuality, Medium
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.rules import UpkeepRules
from smetslab.ids import Eui64
from smetslab.lab.config import HanConfig, PremisesConfig
from smetslab.rng import RootSeed
from smetslab.trace import Trace


class HubGate:
    """Lets a device into a home's network while the hub's Device Log says so. Spec: GBCS use case CCS01."""

    def __init__(self, hub: CommunicationsHub, types: Mapping[Eui64, DeviceType]) -> None:
        """`types`: the devices that may come, and what they are."""
        self._hub = hub
        self._types = types

    def opens(self) -> bool:
        """Whether any device may join now."""
        return any(self.key_of(device) is not None for device in self._types)

    def key_of(self, device: Eui64) -> bytes | None:
        """The key of the install code that CCS01 brought, while the joining window is open."""
        return self._hub.admission_key(device)

    def joined(self, device: Eui64, link_key: bytes) -> None:
        """A device has agreed its link key."""
        self._hub.device_joined(device, self._types[device], link_key)

    def has_room(self, device: Eui64, beside: int) -> bool:
        """Whether the hub's sub-GHz radio takes another device. Spec: GBCS use case DBCH11."""
        return self._hub.radio.has_room(device, beside)


def reception(home: RadioHome, device: Eui64) -> tuple[int, int] | None:
    """How the hub of a home hears a device: signal strength in dBm, and link quality; None for a stranger."""
    radio = home.find_radio(device)
    if radio is None:
        return None
    heard = home.medium.quality(radio, home.hub.eui64)
    return round(heard.rssi_dbm), heard.lqi


def shared_medium(config: HanConfig, clock: Clock, seed: RootSeed) -> Medium | None:
    """The air of all homes, None where each has its own."""
    if config.kind == "direct" or not config.shared_air:
        return None
    return _disturbed(Medium(clock, seed, quality=_quality(config)), config)


def sub_ghz_channel(config: HanConfig, premises: PremisesConfig, hub: DeviceProfile) -> Channel | None:
    """Where the hub of a premises has its second radio; None where no device needs it.

    Raises UsageError when one does and the hub has none.
    """
    needing = [device.name for device in premises.devices if device.band == "sub-GHz"]
    if not needing:
        return None
    if not read_settings(hub).dual_band:
        raise UsageError(
            f"device {needing[0]} of premises {premises.name}: its hub has no sub-GHz radio",
            hint="a hub whose profile says dual_band = true has one",
        )
    return Channel(config.sub_ghz_channel, config.sub_ghz_page)


def make_han(
    config: HanConfig,
    clock: Clock,
    trace: Trace,
    seed: RootSeed,
    *,
    medium: Medium | None = None,
    sub_ghz: Channel | None = None,
) -> Han:
    """What joins the devices of one premises; `medium`: the air that it shares with others; `sub_ghz`: where
    its hub has a second radio.
    """
    if config.kind == "direct":
        return DirectMedium(
            clock,
            trace,
            seed,
            latency_s=config.latency_s,
            jitter_s=config.jitter_s,
            loss_probability=config.loss_probability,
        )
    if medium is None:
        medium = _disturbed(Medium(clock, seed.child("air"), quality=_quality(config)), config)
    return RadioHome(
        clock,
        trace,
        seed,
        medium=medium,
        channel=None if config.channel is None else Channel(config.channel),
        sub_ghz=sub_ghz,
        upkeep=UpkeepRules(
            keep_alive_base_minutes=config.keep_alive_minutes, link_status_s=config.link_status_s
        ),
    )


def _quality(config: HanConfig) -> LinkQuality:
    """How every device hears every other. Where nothing is lost the link is a good one."""
    if not config.loss_probability:
        return LinkQuality()
    return LinkQuality.bursty(config.loss_probability, config.burst_frames, rssi_dbm=-60.0)


def _disturbed(medium: Medium, config: HanConfig) -> Medium:
    for one in config.interference:
        medium.interfere(
            Interference(channel=Channel(one.channel, one.page or 0), on_s=one.on_s, off_s=one.off_s)
        )
    return medium
