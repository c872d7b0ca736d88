"""The HAN of a premises as the lab file has it, and a capture of what is on its air.

Spec: design of the lab file (`[han]`)
"""

from __future__ import annotations

from smetslab.clock import Clock
from smetslab.han import DirectMedium, Han
from smetslab.han.air.bands import Channel
from smetslab.han.air.medium import LinkQuality
from smetslab.han.stack.home import RadioHome
from smetslab.lab.config import HanConfig
from smetslab.rng import RootSeed
from smetslab.trace import Trace


def make_han(config: HanConfig, clock: Clock, trace: Trace, seed: RootSeed) -> Han:
    """What joins the devices of one premises."""
    if config.kind == "direct":
        return DirectMedium(
            clock,
            trace,
            seed,
            latency_s=config.latency_s,
            jitter_s=config.jitter_s,
            loss_probability=config.loss_probability,
        )
    return RadioHome(
        clock,
        trace,
        seed,
        quality=LinkQuality.bursty(config.loss_probability, config.burst_frames, rssi_dbm=-60.0),
        channel=None if config.channel is None else Channel(config.channel),
    )
