"""Future-dated work: instructions that wait for their time, each executed once, over power cuts too.

One instruction belongs to one activation attribute, so a later command for the same attribute takes its
place.

Spec: GBCS 9.2 (future-dated commands), 9.2.2.6 and 9.2.2.7 (activation), use case FDEI-DLMS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from smetslab.devices.cosem.objects import MemberKey
from smetslab.devices.cosem.server import Call, ItemError, Trigger
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.gbcs.dlms.apdu import DataAccessResult, Obis
from smetslab.gbcs.values import IMMEDIATE, NEVER, date_time_to_text, date_time_value, parse_utc, utc_text
from smetslab.ids import Eui64, format_message_code
from smetslab.store import Nvm

_PREFIX = "pending/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One activation that waits. `number` and `item` order it among those of the same time."""

    key: MemberKey
    at: datetime
    originator: Eui64
    message_code: int
    counter: int
    number: int
    item: int

    @property
    def name(self) -> str:
        """`9000 0-0:94.44.128.6 attribute 6`."""
        return f"{self.key[0]} {Obis(self.key[1])} attribute {self.key[2]}"

    @property
    def memory_key(self) -> str:
        return f"{_PREFIX}{self.key[0]}/{self.key[1].hex()}/{self.key[2]}"


class FutureDated:
    """The waiting instructions of one device."""

    def __init__(self, nvm: Nvm, quirks: Quirks, activate: Callable[[Work, MemberKey], None]) -> None:
        """`activate` copies the passive attributes of an activation attribute to the active ones."""
        self._quirks = quirks
        self._activate = activate
        self._waiting: dict[MemberKey, Instruction] = {}
        for memory_key, octets in nvm.items(_PREFIX):
            instruction = _decode(memory_key, octets)
            self._waiting[instruction.key] = instruction

    def set_activation(self, call: Call, trigger: Trigger, octets: bytes) -> None:
        """An activation attribute is written: now, never (a cancellation), or at a time."""
        text = date_time_to_text(octets)
        if text == IMMEDIATE:
            self._forget(call.work, trigger.key)
            self._activate(call.work, trigger.key)
            return
        if text == NEVER:
            waiting = self._waiting.get(trigger.key)
            if waiting is not None and not self._quirks.ignores_cancellation:
                self._forget(call.work, trigger.key)
                call.work.note("FutureDatedCancelled", object=waiting.name, counter=waiting.counter)
            return
        moment = date_time_value(octets)
        if moment is None:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, f"{text} is no activation time")
        instruction = Instruction(
            key=trigger.key,
            at=moment,
            originator=call.command.business_originator_id,
            message_code=call.command.message_code,
            counter=call.command.originator_counter,
            number=self._number(call),
            item=trigger.item,
        )
        self._waiting[trigger.key] = instruction
        if not self._quirks.loses_pending_over_power_cut:
            call.work.tx.put(instruction.memory_key, _encode(instruction))
        call.work.note(
            "FutureDatedStored",
            object=instruction.name,
            use_case=format_message_code(instruction.message_code),
            counter=instruction.counter,
            at=utc_text(moment),
        )

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

    @property
    def waiting(self) -> tuple[Instruction, ...]:
        """In the order in which they will be executed."""
        return tuple(sorted(self._waiting.values(), key=lambda one: (one.at, one.number, one.item)))

    def due(self, time: datetime) -> tuple[Instruction, ...]:
        """Those whose time has come, in their order. Spec: GBCS 9.2 (alerts in the order of the items)."""
        return tuple(instruction for instruction in self.waiting if instruction.at <= time)

    def execute(self, work: Work, instruction: Instruction, *, fault: bool) -> bool:
        """Carry out one instruction and forget it; False when it fails."""
        self._forget(work, instruction.key)
        if not fault:
            self._activate(work, instruction.key)
        return not fault

    def _forget(self, work: Work, key: MemberKey) -> None:
        instruction = self._waiting.pop(key, None)
        if instruction is not None:
            work.tx.delete(instruction.memory_key)


def _encode(instruction: Instruction) -> bytes:
    return b"".join(
        (
            utc_text(instruction.at).encode("ascii").ljust(24),
            instruction.originator.raw,
            instruction.message_code.to_bytes(2, "big"),
            instruction.counter.to_bytes(8, "big"),
            instruction.number.to_bytes(8, "big"),
            instruction.item.to_bytes(2, "big"),
        )
    )


def _decode(memory_key: str, octets: bytes) -> Instruction:
    class_id, obis, index = memory_key.removeprefix(_PREFIX).split("/")
    return Instruction(
        key=(int(class_id), bytes.fromhex(obis), int(index)),
        at=parse_utc(octets[:24].decode("ascii").strip()),
        originator=Eui64(octets[24:32]),
        message_code=int.from_bytes(octets[32:34], "big"),
        counter=int.from_bytes(octets[34:42], "big"),
        number=int.from_bytes(octets[42:50], "big"),
        item=int.from_bytes(octets[50:52], "big"),
    )
