"""Whether a device acts on a message: the checks in their order, and what each failure leads to.

Pure: octets and the device's own state in, a typed outcome out. Nothing here answers, logs or counts; the
outcome says what has to be done.

Spec: GBCS 6.2.4 (order of checks), 4.3.1 (replay), 6.4 (protection); the order as a whole is unverified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol

from smetslab.crypto import SIGNATURE_BYTES, PrivateKey, PublicKey, SharedSecrets
from smetslab.devices import events
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.payload_engine import Execution, WrongPayload
from smetslab.devices.quirks import Quirks
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import CounterFamily, Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.security import verify_mac, verify_signature
from smetslab.gbcs.usecases.model import Protection, UseCase
from smetslab.gbcs.usecases.registry import by_code
from smetslab.ids import Eui64


class Step(IntEnum):
    """The steps of the acceptance of a command. Spec: GBCS 6.2.4."""

    ENVELOPE = 1
    ORIGINATOR = 2
    COUNTER = 3
    AUTHENTICATION = 4
    MESSAGE_CODE = 5
    ROLE = 6
    PAYLOAD = 7


Reason = Literal[
    "not-a-message",
    "not-a-command",
    "other-recipient",
    "unknown-originator",
    "counter-not-greater",
    "shape",
    "mac",
    "signature",
    "unsupported-message-code",
    "role",
    "structure",
]


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a refusal leads to: entries of the Security Log and alerts to the party the device answers to."""

    step: Step
    log: tuple[int, ...] = ()
    alerts: tuple[int, ...] = ()


CONSEQUENCES: dict[Reason, Consequence] = {
    "not-a-message": Consequence(Step.ENVELOPE),
    "not-a-command": Consequence(Step.ENVELOPE),
    "other-recipient": Consequence(Step.ENVELOPE),
    "unknown-originator": Consequence(Step.ORIGINATOR, log=(events.UNAUTHORISED_ACCESS,)),
    "counter-not-greater": Consequence(Step.COUNTER, log=(events.NOT_COVERED_BY_OTHER_CODES,)),
    "shape": Consequence(
        Step.AUTHENTICATION, log=(events.NOT_COVERED_BY_OTHER_CODES,), alerts=(events.AUTHENTICATION_FAILED,)
    ),
    "mac": Consequence(
        Step.AUTHENTICATION, log=(events.NOT_COVERED_BY_OTHER_CODES,), alerts=(events.AUTHENTICATION_FAILED,)
    ),
    "signature": Consequence(
        Step.AUTHENTICATION, log=(events.NOT_COVERED_BY_OTHER_CODES,), alerts=(events.AUTHENTICATION_FAILED,)
    ),
    "unsupported-message-code": Consequence(Step.MESSAGE_CODE),
    "role": Consequence(Step.ROLE, log=(events.UNAUTHORISED_ACCESS,), alerts=(events.NO_AUTHORITY,)),
    "structure": Consequence(Step.PAYLOAD, log=(events.CONTENT_CHECK_FAILED,)),
}
"""Every reason. Only the last three are known to be authentic: a message code that is not supported is told
to the originator by ECS100, a wrong payload by a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The message is not executed. `answer` makes the content of the response to a wrong payload."""

    reason: Reason
    detail: str = ""
    message: Message | None = None
    use_case: UseCase | None = None
    role: RemotePartyRole | None = None
    answer: Callable[[Message], bytes] | None = None

    @property
    def step(self) -> Step:
        return CONSEQUENCES[self.reason].step

    @property
    def log(self) -> tuple[int, ...]:
        return CONSEQUENCES[self.reason].log

    @property
    def alerts(self) -> tuple[int, ...]:
        return CONSEQUENCES[self.reason].alerts

    @property
    def authentic(self) -> bool:
        """Whether the message is known to come from its originator; nobody else is answered."""
        return self.step > Step.AUTHENTICATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The message is to be executed on behalf of `role`: `execution` does it."""

    message: Message
    use_case: UseCase
    role: RemotePartyRole
    execution: Execution


Peers = Callable[[Eui64], PublicKey | None]
"""The key agreement key of a device that this one is paired with; None for any other."""


def nobody(device: Eui64) -> PublicKey | None:
    """The peers of a device that is paired with none."""
    del device
    return None


Contingency = Callable[[Message], PublicKey | None]
"""The contingency key, for a command that brings what unwraps it; None when it does not."""


def no_contingency(message: Message) -> PublicKey | None:
    """Of a device whose root has brought no contingency key."""
    del message
    return None


class AgreementKey(Protocol):
    """Who holds the device's own key agreement key, which may change."""

    @property
    def ka(self) -> PrivateKey:
        """The key in use."""


class CounterJudge(Protocol):
    """The device's execution counters, asked in step 3."""

    def admits(self, party: Eui64, family: CounterFamily, counter: int) -> bool:
        """Whether a command with `counter` is new."""


class PayloadReader(Protocol):
    """The device's engines, asked in step 7."""

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        """The payload of an authentic command, or what is wrong with it."""


class Supported(Protocol):
    """The use cases of the device, asked in step 5."""

    def __call__(self, use_case: UseCase) -> bool:
        """Whether the device supports `use_case`."""


class Acceptance:
    """The checks of one device."""

    def __init__(
        self,
        *,
        device: Eui64,
        device_type: DeviceType,
        trust_anchors: TrustAnchorStore,
        keys: AgreementKey,
        peers: Peers = nobody,
        contingency: Contingency = no_contingency,
        secrets: SharedSecrets,
        counters: CounterJudge,
        payloads: PayloadReader,
        supported: Supported,
        quirks: Quirks,
    ) -> None:
        """`peers`: the devices that this one is paired with, for commands on the HAN."""
        self._device = device
        self._device_type = device_type
        self._trust_anchors = trust_anchors
        self._keys = keys
        self._peers = peers
        self._contingency = contingency
        self._secrets = secrets
        self._counters = counters
        self._payloads = payloads
        self._supported = supported
        self._quirks = quirks

    def judge(self, data: bytes) -> Accepted | Refused:
        """Put `data` through every step."""
        message = self._envelope(data)
        if isinstance(message, Refused):
            return message
        roles = self._trust_anchors.roles_of(message.business_originator_id)
        peer = None if roles else self._peers(message.business_originator_id)
        if peer is not None:
            return self._judge_peer(message, peer)
        if not roles:
            return self._judge_contingency(message)
        declared = by_code(message.message_code)
        use_case = declared if declared is not None and not declared.is_alert else None
        role = self._role(roles, use_case)
        reason = self._refusal(message, use_case, role)
        if reason is not None or use_case is None:
            reason = reason or "unsupported-message-code"
            return Refused(reason=reason, message=message, use_case=use_case, role=role)
        return self._read(message, use_case, role)

    def _judge_peer(self, message: Message, peer: PublicKey) -> Accepted | Refused:
        """Steps 3 to 7 for a device that is paired with this one: only use cases of the HAN are for it.

        Both share the key of the MAC; nothing is signed. Spec: GBCS use cases PCS01, PCS02; unverified.
        """
        use_case, role = by_code(message.message_code), RemotePartyRole.OTHER
        reason: Reason | None = None
        if use_case is not None and not self._is_new(message, use_case):
            reason = "counter-not-greater"
        elif message.signature or message.message_mac is None:
            reason = "shape"
        elif not self._quirks.skips_mac and not verify_mac(message, self._secrets.get(self._keys.ka, peer)):
            reason = "mac"
        elif use_case is None or self._device_type not in use_case.devices or not self._supported(use_case):
            reason = "unsupported-message-code"
        elif use_case.originator_roles:
            reason = "role"
        if reason is not None or use_case is None:
            return Refused(
                reason=reason or "unsupported-message-code", message=message, use_case=use_case, role=role
            )
        return self._read(message, use_case, role)

    def _judge_contingency(self, message: Message) -> Accepted | Refused:
        """Steps 2 to 7 for who stands in no cell: only the holder of the contingency key may command then.

        Spec: GBCS 13.3; unverified.
        """
        role, declared = RemotePartyRole.ROOT, by_code(message.message_code)
        use_case = declared if declared is not None and declared.originator_roles == (role,) else None
        key = None if use_case is None else self._contingency(message)
        if use_case is None or key is None:
            return Refused(reason="unknown-originator", message=message)
        reason: Reason | None = None
        if not self._is_new(message, use_case):
            reason = "counter-not-greater"
        elif message.message_mac is not None or len(message.signature or b"") != SIGNATURE_BYTES:
            reason = "shape"
        elif not verify_signature(message, key):
            reason = "signature"
        elif self._device_type not in use_case.devices or not self._supported(use_case):
            reason = "unsupported-message-code"
        if reason is not None:
            return Refused(reason=reason, message=message, use_case=use_case, role=role)
        return self._read(message, use_case, role)

    def _envelope(self, data: bytes) -> Message | Refused:
        """Step 1."""
        try:
            message = decode_message(data)
        except GbcsDecodeError as error:
            return Refused(reason="not-a-message", detail=str(error))
        if message.cra is not Cra.COMMAND:
            return Refused(reason="not-a-command", message=message)
        if message.business_target_id != self._device and not self._quirks.accepts_any_recipient:
            return Refused(reason="other-recipient", message=message)
        return message

    def _refusal(self, message: Message, use_case: UseCase | None, role: RemotePartyRole) -> Reason | None:
        """Steps 3 to 6, in their order: why the message of a known originator goes no further."""
        if use_case is not None and not self._is_new(message, use_case):
            return "counter-not-greater"
        failure = self._authenticate(message, use_case, role)
        if failure is not None:
            return failure
        if use_case is None or self._device_type not in use_case.devices or not self._supported(use_case):
            return "unsupported-message-code"
        if role not in use_case.originator_roles and not self._quirks.skips_role_check:
            return "role"
        return None

    def _is_new(self, message: Message, use_case: UseCase) -> bool:
        """Whether the counter is greater than any executed; of top-ups their own cache decides later."""
        family = use_case.counter_family
        if not use_case.replay_protected or family is CounterFamily.UTRN:
            return True
        return self._counters.admits(message.business_originator_id, family, message.originator_counter)

    @staticmethod
    def _role(roles: tuple[RemotePartyRole, ...], use_case: UseCase | None) -> RemotePartyRole:
        """The role in which a party with several of them acts: the one that the use case is for."""
        if use_case is not None:
            for role in roles:
                if role in use_case.originator_roles:
                    return role
        return roles[0]

    def _authenticate(
        self, message: Message, use_case: UseCase | None, role: RemotePartyRole
    ) -> Literal["shape", "mac", "signature"] | None:
        """None when the message is what its originator sent. Spec: GBCS 5.3, 6.2.2, 6.4.5.

        A message code that is not known is authenticated by what the message carries.
        """
        found = Protection(signature=bool(message.signature), message_mac=message.message_mac is not None)
        wanted = Protection(signature=found.signature, message_mac=True)
        if use_case is not None:
            wanted = use_case.command_protection(role, self._device_type)
        if found.message_mac != wanted.message_mac and not self._quirks.skips_mac:
            return "shape"
        if found.signature != wanted.signature and not self._quirks.skips_signature:
            return "shape"
        if wanted.message_mac and not self._quirks.skips_mac and not self._mac_is_right(message):
            return "mac"
        if wanted.signature and not self._quirks.skips_signature and not self._signature_is_right(message):
            return "signature"
        return None

    def _mac_is_right(self, message: Message) -> bool:
        """The MAC of a command is the ACB's, whoever the originator is."""
        broker = self._trust_anchors.public_key(RemotePartyRole.ACCESS_CONTROL_BROKER, KeyUsage.KEY_AGREEMENT)
        return broker is not None and verify_mac(message, self._secrets.get(self._keys.ka, broker))

    def _signature_is_right(self, message: Message) -> bool:
        key = self._trust_anchors.key_of(message.business_originator_id, KeyUsage.DIGITAL_SIGNATURE)
        return (
            key is not None
            and len(message.signature or b"") == SIGNATURE_BYTES
            and verify_signature(message, key)
        )

    def _read(self, message: Message, use_case: UseCase, role: RemotePartyRole) -> Accepted | Refused:
        """Step 7."""
        read = self._payloads.read(use_case, message, role)
        if isinstance(read, WrongPayload):
            return Refused(
                reason="structure",
                detail=read.reason,
                message=message,
                use_case=use_case,
                role=role,
                answer=read.answer,
            )
        return Accepted(message=message, use_case=use_case, role=role, execution=read)
