"""What must hold of block transfers: whatever arrives, in whatever order, is a message that was sent."""

from __future__ import annotations

from dataclasses import replace

from fuzzing.judging import Finding, expect, require, require_place
from fuzzing.properties import bare
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.gbt import BlockRules, BlockTransfer, decode_block, is_block, routing
from smetslab.gbcs.message import encode_message

_RULES = BlockRules(block_octets=40, window=3, concurrent=4)


def check_blocks(octets: bytes) -> str:
    """The octets are a block; and a script of what happens to transfers between two actors.

    Whatever arrives, in whatever order, is a message that was sent, and never more is kept than the limits.
    """
    outcome = "no block"
    try:
        block = decode_block(octets)
    except GbcsDecodeError as error:
        require_place(error, len(octets), "block")
    else:
        require(block.encode() == octets, "a block is not written as it was read")
        outcome = "block"
    if is_block(octets):
        expect(GbcsDecodeError, routing, octets)
    expect(GbcsDecodeError, BlockTransfer(_RULES).receive, octets, 0.0)
    _Exchange().play(octets)
    return outcome


class _Exchange:
    """Two actors and what is under way between them."""

    def __init__(self) -> None:
        self.actors = (BlockTransfer(_RULES), BlockTransfer(_RULES))
        self.wires: tuple[list[bytes], list[bytes]] = ([], [])
        self.sent: list[set[bytes]] = [set(), set()]
        self.now = 0.0
        self.counter = 0
        self.damaged = False

    def play(self, script: bytes) -> None:
        for place in range(0, min(len(script), 200) - 1, 2):
            self._act(script[place], script[place + 1])
        for _ in range(100):  # what is under way comes to an end
            for side in (0, 1):
                while self.wires[side]:
                    self._deliver(side, self.wires[side].pop(0))
            deadlines = [actor.next_deadline() for actor in self.actors]
            coming = [deadline for deadline in deadlines if deadline is not None]
            if not coming:
                return
            self._wait(min(coming) - self.now)
        raise Finding("block transfers never end")

    def _act(self, what: int, how: int) -> None:
        side, wire = what & 1, self.wires[what & 1]
        match what >> 1 & 7:
            case 0:
                self._send(side, how)
            case 1 | 2 if wire:
                self._deliver(side, wire.pop(how % len(wire)))
            case 3 if wire:
                self._deliver(side, wire[how % len(wire)])
            case 4 if wire:
                del wire[how % len(wire)]
            case 5 if wire:
                place = how % len(wire)
                wire[place] = wire[place][:-1] + bytes((wire[place][-1] ^ 0x80 ^ how,))
                self.damaged = True
            case 6:
                self._wait(how)

    def _send(self, side: int, how: int) -> None:
        self.counter += 1
        message = encode_message(
            replace(bare(Cra.RESPONSE, bytes((self.counter & 0xFF,)) * how), originator_counter=self.counter)
        )
        self.sent[side].add(message)
        self.wires[side].extend(self.actors[side].send(message, self.now))

    def _deliver(self, side: int, octets: bytes) -> None:
        try:
            received = self.actors[1 - side].receive(octets, self.now)
        except GbcsDecodeError:
            return
        self.wires[1 - side].extend(received.replies)
        require(len(self.wires[1 - side]) < 5000, "block transfers multiply")
        if received.message is not None and is_block(octets):
            sizes = {len(message) for message in self.sent[side]}
            same = len(received.message) in sizes if self.damaged else received.message in self.sent[side]
            require(same, "a message is put together wrongly")

    def _wait(self, seconds: float) -> None:
        self.now += seconds
        for side in (0, 1):
            self.wires[side].extend(self.actors[side].expire(self.now).resend)
