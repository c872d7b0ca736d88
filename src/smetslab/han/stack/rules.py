"""The times by which a network is kept up. Those without a clause are unverified.

Spec: ZigBee 3.5 (constants and attributes of the network layer), 3.6.10 (end device timeout); ZSE 1.4 annex A
(Keep-Alive); GBCS 10
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

END_DEVICE_TIMEOUTS_S: Final = (10, *(60 * 2**number for number in range(1, 15)))
"""By the number that a child asks with: 10 seconds, then 2 to 16384 minutes. Spec: ZigBee 3.4.11 (table
3.44).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepRules:
    """Times in seconds."""

    keep_alive_base_minutes: int = 10
    """0: the hub has no Keep-Alive, and nobody asks for it. Spec: ZSE 1.4 annex A."""
    keep_alive_jitter_s: int = 300
    keep_alive_answer_s: float = 20.0
    keep_alive_misses: int = 3
    """After so many a device looks for its network."""
    after_power_s: float = 15.0
    """Within this time of its return a device asks for the first time, and as soon again after a miss."""
    link_status_s: float = 0.0
    """How often routers say whom they hear; ZigBee has 15, 0 is never. Spec: ZigBee 3.5.2
    (nwkLinkStatusPeriod).
    """
    router_age_limit: int = 3
    """A neighbour that was silent for so many periods is forgotten. Spec: ZigBee 3.5.2 (nwkRouterAgeLimit).
    """
    end_device_timeout: int = 8
    """What a sleeper asks its parent for: the place in `END_DEVICE_TIMEOUTS_S`. Spec: ZigBee 3.6.10."""
    poll_misses: int = 3
    """A sleeper whose parent did not acknowledge so many polls looks for its network."""
    scan_s: float = 0.14
    """On each channel. Spec: IEEE 802.15.4 7.1.11 (scan duration 3)."""
    orphan_s: float = 0.5
    """Until a parent has answered who asks for it. Spec: IEEE 802.15.4 7.4.2 (macResponseWaitTime)."""
    rejoin_answer_s: float = 4.0
    key_s: float = 6.0
    """How long the network key is waited for. Spec: ZigBee 4.7.3.1 (apsSecurityTimeOutPeriod)."""
    retry_s: float = 60.0
    retry_longest_s: float = 900.0
    """After a search in vain the next one; the time doubles up to the longest."""
    key_retry_s: float = 30.0
    key_switch_s: float = 2400.0
    """A new network key is taken up when every device has it, at latest after this time."""
    suspension_minutes: int = 15
    """How long devices on sub-GHz are silent for the sake of the duty cycle. Spec: GBCS 10.6."""
    switch_delay_s: float = 10.0
    """From saying that channel, PAN or key change until they do. Spec: ZigBee 3.5.1
    (nwkcNetworkBroadcastDeliveryTime).
    """
