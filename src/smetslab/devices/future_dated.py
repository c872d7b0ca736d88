"""Future-dated work: instructions that wait for their time, each executed once, over power cuts too.

An instruction belongs to what it will change (its `key`: an activation attribute, a component of a gas meter,
a cell of credentials), so a later command for the same takes its place.

Spec: GBCS 9.2 (future-dated commands).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from smetslab.devices.payload_engine import Call
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.gbcs.values import parse_utc, utc_text
from smetslab.ids import Eui64, format_message_code
from smetslab.store import Nvm

_PREFIX = "pending/"

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction that waits. `number` and `item` order it among those of the same time.

    `kind` names the engine that will carry it out, `data` is that engine's own; `name` is for people.
    """

    kind: str
    key: str
    name: str
    at: datetime
    originator: Eui64
    message_code: int
    counter: int
    number: int
    item: int
    data: bytes = b""

    @property
    def memory_key(self) -> str:
        return f"{_PREFIX}{self.kind}/{self.key}"


class FutureDated:
    """The waiting instructions of one device."""

    def __init__(self, nvm: Nvm, quirks: Quirks) -> None:
        self._quirks = quirks
        self._waiting: dict[_Key, Instruction] = {}
        for memory_key, octets in nvm.items(_PREFIX):
            instruction = _decode(memory_key, octets)
            self._waiting[instruction.kind, instruction.key] = instruction

    def plan(
        self, call: Call, *, kind: str, key: str, name: str, at: datetime, item: int, data: bytes = b""
    ) -> Instruction:
        """Remember an instruction of a command; one with the same key is replaced."""
        instruction = Instruction(
            kind=kind,
            key=key,
            name=name,
            at=at,
            originator=call.command.business_originator_id,
            message_code=call.command.message_code,
            counter=call.command.originator_counter,
            number=self._number(call),
            item=item,
            data=data,
        )
        self._waiting[kind, key] = instruction
        if not self._quirks.loses_pending_over_power_cut:
            call.work.tx.put(instruction.memory_key, _encode(instruction))
        call.work.note(
            "FutureDatedStored",
            object=instruction.name,
            use_case=format_message_code(instruction.message_code),
            counter=instruction.counter,
            at=utc_text(at),
        )
        return instruction

    def cancel(self, work: Work, kind: str, key: str) -> Instruction | None:
        """Forget an instruction at the wish of its originator; the one that waited, if any."""
        waiting = self._waiting.get((kind, key))
        if waiting is None or self._quirks.ignores_cancellation:
            return None
        self.forget(work, waiting.kind, waiting.key)
        work.note("FutureDatedCancelled", object=waiting.name, counter=waiting.counter)
        return waiting

    def forget(self, work: Work, kind: str, key: str) -> None:
        """Forget an instruction: it is carried out, or something else takes its place."""
        instruction = self._waiting.pop((kind, key), None)
        if instruction is not None:
            work.tx.delete(instruction.memory_key)

    def _number(self, call: Call) -> int:
        """One number for all instructions of a command, above those of earlier commands."""
        for instruction in self._waiting.values():
            same = (instruction.originator, instruction.counter, instruction.message_code)
            if same == (
                call.command.business_originator_id,
                call.command.originator_counter,
                call.command.message_code,
            ):
                return instruction.number
        return max((instruction.number for instruction in self._waiting.values()), default=-1) + 1

    def find(self, kind: str, key: str) -> Instruction | None:
        return self._waiting.get((kind, key))

    @property
    def waiting(self) -> tuple[Instruction, ...]:
        """In the order in which they will be executed."""
        if not self._waiting:
            return ()
        return tuple(sorted(self._waiting.values(), key=lambda one: (one.at, one.number, one.item)))

    def due(self, time: datetime) -> tuple[Instruction, ...]:
        """Those whose time has come, in their order. Spec: GBCS 9.2 (alerts in the order of the items)."""
        return tuple(instruction for instruction in self.waiting if instruction.at <= time)


def _encode(instruction: Instruction) -> bytes:
    return json.dumps(
        [
            instruction.name,
            utc_text(instruction.at),
            str(instruction.originator),
            instruction.message_code,
            instruction.counter,
            instruction.number,
            instruction.item,
            instruction.data.hex(),
        ]
    ).encode()


def _decode(memory_key: str, octets: bytes) -> Instruction:
    kind, _, key = memory_key.removeprefix(_PREFIX).partition("/")
    name, at, originator, message_code, counter, number, item, data = json.loads(octets)
    return Instruction(
        kind=kind,
        key=key,
        name=name,
        at=parse_utc(at),
        originator=Eui64.parse(originator),
        message_code=message_code,
        counter=counter,
        number=number,
        item=item,
        data=bytes.fromhex(data),
    )
