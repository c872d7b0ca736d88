"""Times and sizes of upgrades over the air, of both sides. What no published text confirms says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from smetslab.gbcs.codes import DeviceType
from smetslab.zigbee.zcl.clusters.ota import MAX_BLOCK_OCTETS

ACTIVATED_BY_COMMAND: Final = (DeviceType.ESME, DeviceType.GSME)
"""Devices that keep an image until CS06 has them run it. Spec: GBCS 11."""
QUERY_AT_ONCE: Final = 100
"""The query jitter of an Image Notify for one device. Spec: ZCL 11.13.3.2.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRules:
    """What the hub goes by (unverified, for a laboratory to choose)."""

    block_octets: int = MAX_BLOCK_OCTETS
    """Longest block that it sends."""
    minimum_block_period_ms: int = 0
    """So long a device has to wait between two blocks; one that asks sooner is told so."""
    most_transfers: int = 4
    """Devices that get blocks at the same time; others are told to wait."""
    wait_s: int = 60
    """How long these wait before they ask again."""
    notify_again: timedelta = timedelta(minutes=15)
    """A device that has not asked for its image is told again of it."""
    transfer_life: timedelta = timedelta(days=3)
    """A device that has not fetched anything for so long does not get the image any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRules:
    """What a device goes by (unverified but for the block)."""

    block_octets: int = MAX_BLOCK_OCTETS
    """Longest block that it asks for. Spec: ZCL 11.13.6.2.6; 48 and 50 fit into one frame each."""
    page_octets: int = 4096
    """So much it holds in volatile memory before it is written: what a power cut costs."""
    answer_wait: timedelta = timedelta(seconds=10)
    attempts: int = 3
    """So often a question is asked, before a pause."""
    pause: timedelta = timedelta(minutes=5)
    end_attempts: int = 3
    """So often the end is told before a device decides for itself. Spec: ZCL 11.15.3."""
