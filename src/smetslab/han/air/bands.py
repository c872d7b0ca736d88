"""What the radio bands of a home are like: speeds, and the times of access to the channel.

Spec: IEEE 802.15.4-2006 6.5 (2.4 GHz), 7.4 (MAC constants); 802.15.4-2015 19 (GB sub-GHz, 2-GFSK at 100
kbit/s)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

CHANNELS_2_4_GHZ: Final = tuple(range(11, 27))
PREFERRED_CHANNELS: Final = (11, 14, 15, 19, 20, 24, 25)
"""Where a hub forms its network first (the order is unverified). Spec: GBCS 10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Times in seconds. `overhead`: octets that the physical layer sends before a frame."""

    name: str
    octet_s: float
    overhead: int
    unit_backoff_s: float
    clear_channel_s: float
    turnaround_s: float
    ack_wait_s: float

    def airtime_s(self, octets: int) -> float:
        """How long a frame of so many octets, check sequence included, is on the air."""
        return (octets + self.overhead) * self.octet_s


GHZ_2_4: Final = Band(
    name="2.4 GHz",
    octet_s=32e-6,
    overhead=6,
    unit_backoff_s=320e-6,
    clear_channel_s=128e-6,
    turnaround_s=192e-6,
    ack_wait_s=864e-6,
)
SUB_GHZ: Final = Band(
    name="sub-GHz",
    octet_s=80e-6,
    overhead=12,
    unit_backoff_s=1160e-6,
    clear_channel_s=160e-6,
    turnaround_s=1000e-6,
    ack_wait_s=4e-3,
)
"""The access times of this band are unverified."""


class Channel(NamedTuple):
    """A channel of a page; pages 28 to 31 are sub-GHz. Spec: ZigBee D.7 (channel pages; unverified)."""

    number: int
    page: int = 0

    @property
    def band(self) -> Band:
        return SUB_GHZ if self.page else GHZ_2_4

    def __str__(self) -> str:
        return f"channel {self.number}" + (f" of page {self.page}" if self.page else "")


SUB_GHZ_CHANNELS: Final[dict[int, tuple[int, ...]]] = {
    28: tuple(range(27)),
    29: (*range(27, 35), 62),
    30: tuple(range(35, 62)),
    31: tuple(range(27)),
}
"""The channels of each page, in the order of the bits of its mask. Spec: ZigBee D.7 (unverified)."""
_PAGE_SHIFT: Final = 27


def all_channels(band: Band) -> list[Channel]:
    """Where a device of a band looks for networks, in order."""
    if band is GHZ_2_4:
        return [Channel(number) for number in CHANNELS_2_4_GHZ]
    return [Channel(number, page) for page, numbers in SUB_GHZ_CHANNELS.items() for number in numbers]


def channel_mask(channels: Iterable[Channel]) -> int:
    """Channels of one sub-GHz page as a bitmap: the page in the highest five bits. 0 for no channels."""
    mask = 0
    for channel in channels:
        mask |= channel.page << _PAGE_SHIFT | 1 << SUB_GHZ_CHANNELS[channel.page].index(channel.number)
    return mask


def channels_of_mask(mask: int) -> list[Channel]:
    """The reverse of `channel_mask`; bits that stand for no channel are passed over."""
    page = mask >> _PAGE_SHIFT
    numbers = SUB_GHZ_CHANNELS.get(page, ())
    return [Channel(number, page) for bit, number in enumerate(numbers) if mask >> bit & 1]
