"""What a declaration of a use case says, whatever the kind of its payload.

Spec: GBCS 20 (use cases), 5.3 (message categories), 4.3.1 (replay), 9.2 (future dating).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from smetslab.gbcs.codes import CounterFamily, DeviceType, RemotePartyRole
from smetslab.gbcs.message import Message
from smetslab.gbcs.values import Parameters
from smetslab.gbcs.versions import GbcsVersion

Confidence = Literal["vectors", "published", "unverified"]

FAILURES = "failures"
"""The parameter of a response that names the items which did not succeed, and why."""


class Payload(Protocol):
    """A declared payload: the shape of a use case's content, with the codec that interprets it."""

    @property
    def is_alert(self) -> bool:
        """True when the content is that of an alert, and of nothing else."""

    @property
    def encrypts_response(self) -> bool:
        """True when a response carries content encrypted to the remote party."""

    @property
    def command_parameters(self) -> tuple[str, ...]:
        """The names of the parameters that a command needs."""

    @property
    def activations(self) -> tuple[str, ...]:
        """The names of the parameters of a command that are activation date-times."""

    def recognises(self, content: bytes) -> bool:
        """True when `content` starts as this kind of payload."""

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        """Named parameters of `message`'s content. Raises GbcsDecodeError, SecurityError."""

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        """Content for `parameters` under `header`'s grouping header. Raises GbcsEncodeError."""


class Protection(NamedTuple):
    """What protects a message: a signature of its originator, a MAC (of the ACB on a command), or both."""

    signature: bool
    message_mac: bool


class ProtectionRule(StrEnum):
    """What decides about the protection of a use case's messages. Spec: GBCS 5.3, 13.3.3.1."""

    CRITICALITY = "criticality"
    """Critical: commands signed and MACed, responses signed. Non-critical: all MACed."""
    MAC_UNLESS_HUB = "MAC, signed too when sent to a Communications Hub"
    """Commands MACed, and signed as well when the target is a CHF; responses signed."""
    SIGNATURE = "signature"
    """Commands and responses signed, without MAC."""
    REQUESTER = "requester"
    """MACed both ways when the ACB asks, signed both ways when another party does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase:
    """One row of the use case table. `code` is the Message Code.

    `originator_roles` may use it, `devices` support it. `counter_family` and `replay_protected` say how a
    device judges its counter. `alerts` are the Message Codes of the alerts that its execution causes later.
    `unverified` names the fields of the row that no vector and no text confirms.

    `first_version` and `last_version` are the GBCS versions that have it, `later_than` is one that has it not
    yet, None where that is not known; `version_source` says who says so. `replaces` names its older form, for
    devices of older versions (`smetslab.gbcs.usecases.versions`).
    """

    name: str
    code: int
    title: str
    payload: Payload
    devices: tuple[DeviceType, ...]
    critical: bool
    originator_roles: tuple[RemotePartyRole, ...] = ()
    service_requests: tuple[str, ...] = ()
    replay_protected: bool = False
    counter_family: CounterFamily = CounterFamily.ORDINARY
    future_dateable: bool = False
    date_time_in_response: bool = False
    alerts: tuple[int, ...] = ()
    protection: ProtectionRule = ProtectionRule.CRITICALITY
    confidence: Confidence = "vectors"
    unverified: tuple[str, ...] = ()
    first_version: GbcsVersion | None = None
    last_version: GbcsVersion | None = None
    later_than: GbcsVersion | None = None
    version_source: str = ""
    replaces: str | None = None

    def command_protection(self, originator: RemotePartyRole, target: DeviceType) -> Protection:
        """How a command of `originator` to `target` has to be protected."""
        match self.protection:
            case ProtectionRule.MAC_UNLESS_HUB:
                return Protection(signature=target is DeviceType.CHF, message_mac=True)
            case ProtectionRule.SIGNATURE:
                return Protection(signature=True, message_mac=False)
            case ProtectionRule.REQUESTER:
                return self._by_requester(originator)
            case ProtectionRule.CRITICALITY:
                return Protection(signature=self.critical, message_mac=True)

    def response_protection(self, originator: RemotePartyRole) -> Protection:
        """How the response to a command of `originator`, or an alert to it, has to be protected."""
        if self.protection is ProtectionRule.REQUESTER:
            return self._by_requester(originator)
        return Protection(signature=self.critical, message_mac=not self.critical)

    @staticmethod
    def _by_requester(originator: RemotePartyRole) -> Protection:
        broker = originator is RemotePartyRole.ACCESS_CONTROL_BROKER
        return Protection(signature=not broker, message_mac=broker)

    @property
    def is_alert(self) -> bool:
        return self.payload.is_alert

    @property
    def encrypts_response(self) -> bool:
        return self.payload.encrypts_response


def newer(row: UseCase, *, than: str) -> UseCase:
    """The same row, which is the newer form of the use case of that name.

    Both serve one service request on one type of device, and the device's GBCS version decides. That it does
    is not confirmed.
    """
    return replace(row, replaces=than)
