"""The HAN of a premises as the lab file has it, and a capture of what is on its air.

Spec: design of the lab file (`[han]`)
"""

from __future__ import annotations

from collections.abc import Mapping

from smetslab.clock import Clock
from smetslab.devices.chf import CommunicationsHub
from smetslab.gbcs.codes import DeviceType
from smetslab.han import DirectMedium, Han
from smetslab.han.air.bands import Channel
from smetslab.han.air.medium import Interference, LinkQuality, Medium
from smetslab.han.stack.home import RadioHome
from smetslab.han.stack.rules import UpkeepRules
from smetslab.ids import Eui64
from smetslab.lab.config import HanConfig
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


def shared_medium(config: HanConfig, clock: Clock, seed: RootSeed) -> Medium | None:
    """The air of all homes, None where each has its own."""
    if config.kind == "direct" or not config.shared_air:
        return None
    return _disturbed(Medium(clock, seed, quality=_quality(config)), config)


def make_han(
    config: HanConfig, clock: Clock, trace: Trace, seed: RootSeed, medium: Medium | None = None
) -> Han:
    """What joins the devices of one premises; `medium`: the air that it shares with others."""
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
        medium.interfere(Interference(channel=Channel(one.channel), on_s=one.on_s, off_s=one.off_s))
    return medium
