"""Fragmentation of APS messages: cut into blocks that leave window by window, put together on the other side.

Sans-I/O: time is given, octets and actions are returned. The window size is the same on both sides; a size of
1 works with every stack.

Spec: ZigBee 2.2.8.4.5 (fragmented transmissions); the fill of unused acknowledgement bits is unverified
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from smetslab.errors import ZigbeeDecodeError, ZigbeeEncodeError
from smetslab.zigbee.aps import ExtendedHeader, FragmentKind

FRAGMENT_OCTETS: Final = 61
"""Octets of a message in one block, as a published GB hub has it. Spec: GBCS 10 (unverified)."""
MAX_BLOCKS: Final = 255
MAX_WINDOW: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentRules:
    """Sizes and times. `window`: blocks that leave before an acknowledgement.

    Spec: ZigBee 2.2.7.1 (constants)
    """

    octets: int = FRAGMENT_OCTETS
    window: int = 1
    ack_timeout_s: float = 1.6
    max_retries: int = 3
    reassembly_timeout_s: float = 10.0
    """How long the next block of a message is waited for (unverified)."""
    concurrent: int = 8
    """Messages that are put together at the same time; the oldest makes room."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block to send: its extended header and its octets."""

    extended: ExtendedHeader
    octets: bytes


class FragmentSender:
    """One message on its way out in blocks."""

    def __init__(self, message: bytes, rules: FragmentRules) -> None:
        """Raises ZigbeeEncodeError for a message that takes more than 255 blocks."""
        size = rules.octets
        self._parts = [message[start : start + size] for start in range(0, len(message), size)] or [b""]
        if len(self._parts) > MAX_BLOCKS:
            raise ZigbeeEncodeError(
                "too long for fragmentation",
                path="APS message",
                expected=f"at most {MAX_BLOCKS * size} bytes",
                found=str(len(message)),
                spec="ZigBee 2.2.8.4.5",
            )
        self._rules = rules
        self._first = 0
        self._missing: list[int] = []
        self._deadline: float | None = None
        self._retries = 0
        self.failed = False

    @property
    def done(self) -> bool:
        """Whether every block was acknowledged."""
        return self._first >= len(self._parts)

    def start(self, now: float) -> list[Block]:
        """The first window."""
        return self._window(now)

    def acknowledged(self, extended: ExtendedHeader, now: float) -> list[Block]:
        """An acknowledgement has come: what is to be sent next. One for another window changes nothing."""
        if self.done or self.failed or extended.block != self._first:
            return []
        received = extended.received or 0
        self._missing = [block for block in self._in_window() if not received >> block - self._first & 1]
        if self._missing:
            return self._again(now)
        self._first += self._rules.window
        self._retries = 0
        return self._window(now)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        return None if self.done or self.failed else self._deadline

    def expire(self, now: float) -> list[Block]:
        """No acknowledgement has come in time."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return []
        return self._again(now)

    def _in_window(self) -> range:
        return range(self._first, min(self._first + self._rules.window, len(self._parts)))

    def _window(self, now: float) -> list[Block]:
        self._missing = list(self._in_window())
        self._deadline = now + self._rules.ack_timeout_s
        return [self._block(number) for number in self._missing]

    def _again(self, now: float) -> list[Block]:
        self._retries += 1
        if self._retries > self._rules.max_retries:
            self.failed = True
            return []
        self._deadline = now + self._rules.ack_timeout_s
        return [self._block(number) for number in self._missing]

    def _block(self, number: int) -> Block:
        if number == 0:
            header = ExtendedHeader(FragmentKind.FIRST, len(self._parts))
        else:
            header = ExtendedHeader(FragmentKind.LATER, number)
        return Block(header, self._parts[number])


@dataclass(frozen=True, slots=True)
class Received:
    """What a block leads to: an acknowledgement to send, if one is due, and the message, once it is whole."""

    acknowledge: ExtendedHeader | None = None
    message: bytes | None = None


@dataclass(slots=True)
class _Partial:
    total: int | None = None
    parts: dict[int, bytes] = field(default_factory=dict)
    deadline: float = 0.0
    complete: bool = False

    def begins_anew(self, extended: ExtendedHeader, octets: bytes) -> bool:
        """Whether a block begins another message, after this one was whole."""
        first = extended.kind is FragmentKind.FIRST
        return self.complete and first and (extended.block, octets) != (self.total, self.parts[0])


class Reassembler:
    """Messages of one peer on their way in, told apart by their APS counter."""

    def __init__(self, rules: FragmentRules) -> None:
        self._rules = rules
        self._partial: OrderedDict[int, _Partial] = OrderedDict()

    def receive(self, counter: int, extended: ExtendedHeader, octets: bytes, now: float) -> Received:
        """A block has come. Raises ZigbeeDecodeError for one that contradicts what is there already."""
        self.expire(now)
        known_before = self._partial.get(counter)
        if known_before is not None and known_before.begins_anew(extended, octets):
            # The counter has gone round: 256 messages have left since.
            del self._partial[counter]
        partial = self._partial.setdefault(counter, _Partial())
        partial.deadline = now + self._rules.reassembly_timeout_s
        if len(self._partial) > self._rules.concurrent:
            self._partial.popitem(last=False)
        number = self._number(partial, extended)
        known = partial.parts.setdefault(number, octets)
        if known != octets:
            raise _contradiction("another content of block", number)
        acknowledge = self._acknowledgement(partial, number)
        if partial.complete or partial.total is None or len(partial.parts) < partial.total:
            return Received(acknowledge)
        partial.complete = True
        return Received(acknowledge, b"".join(partial.parts[place] for place in range(partial.total)))

    @staticmethod
    def _number(partial: _Partial, extended: ExtendedHeader) -> int:
        if extended.kind is FragmentKind.FIRST:
            total = extended.block
            beyond = any(place >= total for place in partial.parts)
            if not total or beyond or partial.total not in {None, total}:
                raise _contradiction("another number of blocks", total)
            partial.total = total
            return 0
        number = extended.block
        if extended.kind is not FragmentKind.LATER or not number:
            raise _contradiction("no later block", number)
        if partial.total is not None and number >= partial.total:
            raise _contradiction("a block behind the last", number)
        return number

    def _acknowledgement(self, partial: _Partial, number: int) -> ExtendedHeader | None:
        """Due when the last block of a window has come, or all of it. Unused bits are ones."""
        window = self._rules.window
        first = number - number % window
        end = first + window if partial.total is None else min(first + window, partial.total)
        here = [place for place in range(first, end) if place in partial.parts]
        if number != end - 1 and len(here) < end - first:
            return None
        received = 0xFF
        for place in range(first, end):
            if place not in partial.parts:
                received &= ~(1 << place - first)
        kind = FragmentKind.FIRST if first == 0 else FragmentKind.LATER
        return ExtendedHeader(kind, first, received)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        return min((partial.deadline for partial in self._partial.values()), default=None)

    def expire(self, now: float) -> int:
        """Forget what has waited too long: how many messages were never whole."""
        late = [counter for counter, partial in self._partial.items() if partial.deadline <= now]
        lost = sum(not self._partial[counter].complete for counter in late)
        for counter in late:
            del self._partial[counter]
        return lost


def _contradiction(what: str, number: int) -> ZigbeeDecodeError:
    return ZigbeeDecodeError(what, path="APS extended header", found=str(number), spec="ZigBee 2.2.8.4.5")
