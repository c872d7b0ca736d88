"""What executes the payloads of one kind: the seam between a device's application and its engines.

The application does what every command needs (acceptance, counters, protection, alerts, future dating, logs);
an engine knows one kind of content (DLMS access lists, GBZ components, ASN.1 values) and the state behind it.

Spec: GBCS 7 (message templates), 6.2.4 (processing), 9.2 (future dating).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from smetslab.devices.work import Work
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Parameters

if TYPE_CHECKING:
    from smetslab.devices.future_dated import Instruction


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure that is injected: item `item` (from 0) of a command or activation fails with `result`.

    What counts as an item, and the result that None stands for (a hardware fault), is the engine's to say.
    """

    item: int = 0
    result: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Everything that the execution of a command may need of it.

    `response`: the grouping header of the response, which protected content is bound to; `secret`: the shared
    secret with whom that content is for.
    """

    work: Work
    role: RemotePartyRole
    use_case: UseCase
    command: Message
    response: Message
    secret: bytes | None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command: the content of its response, and the first item that failed."""

    content: bytes
    failed: int | None = None


Execution: TypeAlias = Callable[[Call, Fault | None], Done]
"""An accepted payload, ready to be executed."""


@dataclass(frozen=True, slots=True)
class WrongPayload:
    """Why a payload is refused. `answer` gives the content of the response under its header; None: no
    response."""

    reason: str
    answer: Callable[[Message], bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """What came of a future-dated instruction, and the alert that tells its originator.

    `parameters` are those of the alert without `alert_code` and `time_stamp`. Spec: GBCS 9.2, 16.
    """

    done: bool
    use_case: UseCase
    code: int
    parameters: Parameters


class PayloadEngine(Protocol):
    """Executes the commands of one kind of payload on one device."""

    @property
    def kind(self) -> str:
        """What its waiting instructions are marked with in memory: `dlms`, `gbz`, `asn1`."""

    def supports(self, use_case: UseCase) -> bool:
        """Whether it has what the commands of `use_case` need. Asked at acceptance, step 5."""

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        """The payload of an authentic command, checked in shape and range. Asked at acceptance, step 7."""

    def refuse(self, use_case: UseCase, header: Message) -> bytes | None:
        """The content of a response under `header` that says that nothing was done; None: there is none."""

    def activate(self, work: Work, instruction: Instruction, fault: Fault | None) -> Activated:
        """Carry out an instruction of its own whose time has come."""
