"""What one ASN.1 use case does on a device: a row that the engine interprets.

Spec: GBCS 6 (ASN.1 messages), 9.2 (future dating).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from smetslab.devices.counters import ExecutionCounters
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.own_keys import OwnKeys
from smetslab.devices.payload_engine import Fault
from smetslab.devices.work import Work
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64


class DeviceTime(Protocol):
    """The clock of the device."""

    @property
    def running(self) -> bool:
        """Whether it knows the time."""

    def time(self, now: datetime) -> datetime:
        """The device's time at a moment of laboratory time."""


class Host(Protocol):
    """What the operations use of the application that they are installed in."""

    @property
    def trust_anchors(self) -> TrustAnchorStore:
        """Who is known to the device."""

    @property
    def keys(self) -> OwnKeys:
        """The device's own key pairs."""

    @property
    def execution_counters(self) -> ExecutionCounters:
        """What has been executed for whom."""

    def raise_event(self, work: Work, code: int, extra: bytes = b"") -> None:
        """Write an event where it belongs and tell who has to know."""

    def send_alert(
        self, work: Work, use_case: UseCase, code: int, recipient: Eui64, parameters: Parameters | None = None
    ) -> None:
        """Send an alert of its own use case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as an operation sees it, when it comes or when its time has come."""

    work: Work
    use_case: str
    originator: Eui64
    counter: int
    parameters: Parameters
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The parameters of the response, and the first item that failed."""

    parameters: Parameters
    failed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dating:
    """How an operation is done at a time: under which key it waits, and what its alert says.

    `alert` is the name of the alert's use case; `told` gives its parameters besides code and time stamp.
    """

    key: str
    alert: str
    told: Callable[[Request, Outcome], Parameters]
    accepted: Parameters = field(default_factory=lambda: {"command_accepted": None})


def accept_all(message: Message, parameters: Parameters) -> str | None:
    """A check that finds nothing wrong."""
    del message, parameters
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One use case. `check` says what is wrong with a command before anything is done; `refusal` gives the
    parameters of the response to one that is wrong, from what could be read of it (None: nothing could be);
    it gives None when such a command is not answered.
    """

    use_case: str
    execute: Callable[[Request], Outcome]
    check: Callable[[Message, Parameters], str | None] = accept_all
    refusal: Callable[[Parameters | None], Parameters | None] = lambda _parameters: None
    dating: Dating | None = None
