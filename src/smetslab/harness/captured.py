"""The GBCS messages in a capture of a home network, each once: blocks put together, repeats left out.

Spec: GBCS 10.2.2, 10.3 (tunnels), 7.2.11 (block transfer)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from smetslab.errors import CodecError
from smetslab.gbcs.gbt import BlockTransfer, decode_block, is_block
from smetslab.harness.air import ReadFrame, parties, tunnelled
from smetslab.ids import Eui64

REPEATED_WITHIN_S: Final = 60.0
"""How long the same APS frame may be on its way, over several hops and with repeats."""
_REMEMBERED: Final = 4096
_PAIRS: Final = 1024
_UNDER_WAY: Final = 64


@dataclass(frozen=True, slots=True)
class CapturedMessage:
    """A message as it stood in a tunnel. `frames`: the packets of the capture that end it, or each of its
    blocks; `whole`: False for a block that could not be read.
    """

    frames: tuple[int, ...]
    time_us: int
    source: str
    destination: str
    octets: bytes
    whole: bool = True


@dataclass(slots=True)
class _Pair:
    """What one device sends to another: blocks of messages on their way."""

    transfer: BlockTransfer
    frames: dict[tuple[int, int, Eui64], list[int]]


def gbcs_octets(frame: ReadFrame) -> bytes | None:
    """The message or block that a frame, the last of its fragments, carries in a tunnel. None for nothing."""
    found = frame.dissection
    if found.aps is None or found.aps.cluster is None or found.message is None:
        return None
    try:
        return tunnelled(found.aps.cluster, found.message)
    except CodecError:
        return None


def captured_messages(frames: Iterable[ReadFrame]) -> Iterator[CapturedMessage]:
    """Every message in the order in which it was whole. Blocks of one that never was are left out."""
    seen: OrderedDict[tuple[object, ...], int] = OrderedDict()
    pairs: OrderedDict[tuple[str, str], _Pair] = OrderedDict()
    for frame in frames:
        octets = gbcs_octets(frame)
        if octets is None or _is_repeat(frame, octets, seen):
            continue
        source, destination = parties(frame.dissection)
        if not is_block(octets):
            yield CapturedMessage((frame.number,), frame.time_us, source, destination, octets)
            continue
        pair = pairs.pop((source, destination), None) or _Pair(BlockTransfer(), {})
        pairs[source, destination] = pair
        if len(pairs) > _PAIRS:
            pairs.popitem(last=False)
        yield from _take(pair, frame, octets, source, destination)


def _take(
    pair: _Pair, frame: ReadFrame, octets: bytes, source: str, destination: str
) -> Iterator[CapturedMessage]:
    try:
        block = decode_block(octets)
        message = pair.transfer.receive(octets, frame.time_us / 1e6).message
    except CodecError:
        yield CapturedMessage((frame.number,), frame.time_us, source, destination, octets, whole=False)
        return
    if not block.data:
        return  # an acknowledgement
    name = (block.cra, block.originator_counter, block.business_originator_id)
    numbers = pair.frames.setdefault(name, [])
    numbers.append(frame.number)
    if len(pair.frames) > _UNDER_WAY:
        del pair.frames[next(iter(pair.frames))]
    if message is not None:
        del pair.frames[name]
        yield CapturedMessage(tuple(numbers), frame.time_us, source, destination, message)


def _is_repeat(frame: ReadFrame, octets: bytes, seen: OrderedDict[tuple[object, ...], int]) -> bool:
    """The same frame again: sent again, or heard on its next hop."""
    network, support = frame.dissection.nwk, frame.dissection.aps
    if network is None or support is None:
        return False
    index: tuple[Eui64 | int | bytes, ...] = (network.source, network.destination, support.counter, octets)
    before = seen.get(index)
    seen[index] = frame.time_us
    seen.move_to_end(index)
    if len(seen) > _REMEMBERED:
        seen.popitem(last=False)
    return before is not None and abs(frame.time_us - before) < REPEATED_WITHIN_S * 1e6
