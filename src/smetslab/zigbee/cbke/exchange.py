"""The key establishment of one device with one peer, as a state machine for either side.

It is given what arrives and the time, and answers with what is to be sent, in the end with the link key or
with the reason why there is none. What it may do in which state stands in one table.

Spec: ZSE 1.4 C.3.1 (commands), C.4.2.2, C.5.2.2 (flow)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from smetslab.crypto import equal
from smetslab.errors import CodecError, SecurityError, ZclDecodeError
from smetslab.ids import Eui64
from smetslab.zigbee.cbke.agreement import AgreedKeys, Party, agreed_keys, shared_secret
from smetslab.zigbee.cbke.certificate import (
    CertificateSuite1,
    CertificateSuite2,
    ImplicitCertificate,
    KeyEstablishmentKey,
)
from smetslab.zigbee.cbke.curve import Point
from smetslab.zigbee.zcl import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Command, Direction, Record
from smetslab.zigbee.zcl.clusters.key_establishment import (
    SUITE_1,
    SUITE_2,
    KeyEstablishment,
    TerminateStatus,
)

_SUITES: Final[Mapping[type[ImplicitCertificate], int]] = {
    CertificateSuite1: SUITE_1,
    CertificateSuite2: SUITE_2,
}
_AGREEMENT_USAGE: Final = 0x08
_INITIATE, _EPHEMERAL, _CONFIRM, _TERMINATE = range(4)
FINAL: Final = frozenset({TerminateStatus.UNKNOWN_ISSUER, TerminateStatus.BAD_KEY_CONFIRM})
"""After these the same peer is not asked again. Spec: ZSE 1.4 C.3.1.2.3.1.4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRules:
    """Times in seconds. What is announced to the peer, and the least that a peer is given (unverified)."""

    ephemeral_time_s: int = 10
    confirm_time_s: int = 10
    least_wait_s: float = 2.0
    terminate_wait_s: int = 10


@dataclass(frozen=True, slots=True)
class Send:
    """A command of the Key Establishment cluster for the peer."""

    command: Command
    record: Record


@dataclass(frozen=True, slots=True, repr=False)
class Established:
    """Both sides have proved that they hold the link key."""

    link_key: bytes

    def __repr__(self) -> str:
        return "Established()"


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no key. `reason`: a status of the cluster, None for a peer that fell silent."""

    reason: TerminateStatus | None
    by_peer: bool = False

    @property
    def final(self) -> bool:
        """Whether the same peer must not be asked again."""
        return self.reason in FINAL


Action: TypeAlias = Send | Established | Failed


class State(Enum):
    """Where an exchange stands; the names of the waiting states say for which message of the peer."""

    IDLE = auto()
    AWAITS_INITIATE = auto()
    AWAITS_EPHEMERAL_DATA = auto()
    AWAITS_CONFIRM_KEY = auto()
    DONE = auto()
    FAILED = auto()


_WAITING = frozenset({State.AWAITS_INITIATE, State.AWAITS_EPHEMERAL_DATA, State.AWAITS_CONFIRM_KEY})


class KeyExchange:
    """One exchange. The initiator calls `start`; the responder is created when the first message comes."""

    def __init__(
        self,
        own: KeyEstablishmentKey,
        peer: Eui64,
        *,
        initiator: bool,
        ephemeral_scalar: int,
        rules: ExchangeRules | None = None,
    ) -> None:
        """`ephemeral_scalar`: the random number of this exchange, taken modulo the order of the curve."""
        self.state = State.IDLE if initiator else State.AWAITS_INITIATE
        self._own = own
        self._peer = peer
        self._initiator = initiator
        self._rules = ExchangeRules() if rules is None else rules
        self._curve = own.certificate.curve
        self._suite = _SUITES[type(own.certificate)]
        self._scalar = 1 + ephemeral_scalar % (self._curve.order - 1)
        self._deadline: float | None = None
        self._peer_static: Point | None = None
        self._peer_confirm_time_s = 0.0
        self._keys: AgreedKeys | None = None
        point = self._curve.multiply(self._scalar, self._curve.generator)
        if point is None:
            raise AssertionError("a scalar below the order cannot lead to infinity")
        self._ephemeral = point

    # ---------------------------------------------------------------------------- events

    def start(self, now: float) -> list[Action]:
        """Open the exchange, as initiator."""
        if self.state is not State.IDLE:
            return []
        self.state = State.AWAITS_INITIATE
        self._deadline = now + self._rules.least_wait_s + self._rules.ephemeral_time_s
        return [self._initiate()]

    def receive(self, command: int, payload: bytes, now: float) -> list[Action]:
        """A command of the peer has come. Anything out of place ends the exchange. Spec: ZSE 1.4 C.3.1."""
        if self.state not in _WAITING:
            return []
        row = KeyEstablishment.commands.get((self._from_peer, command))
        step = _TABLE.get((self.state, command))
        if row is None or step is None:
            return self._fail(TerminateStatus.BAD_MESSAGE)
        try:
            record = row.decode(payload)
            if record.trailing:
                return self._fail(TerminateStatus.BAD_MESSAGE)
            return step(self, record, now)
        except _Refusal as refusal:
            return self._fail(refusal.status)
        except ZclDecodeError:
            return self._fail(TerminateStatus.BAD_MESSAGE)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        return self._deadline if self.state in _WAITING else None

    def expire(self, now: float) -> list[Action]:
        """The peer has been silent for too long."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return []
        self.state = State.FAILED
        return [Failed(None)]

    # ---------------------------------------------------------------------------- steps of the table

    def _take_initiate(self, record: Record, now: float) -> list[Action]:
        if record.integer("key_establishment_suite") != self._suite:
            raise _Refusal(TerminateStatus.UNSUPPORTED_SUITE)
        self._peer_static = self._static_key(record.octets("identity"))
        self._peer_confirm_time_s = record.integer("confirm_key_generate_time")
        self._wait(State.AWAITS_EPHEMERAL_DATA, now, record.integer("ephemeral_data_generate_time"))
        return [self._ephemeral_data() if self._initiator else self._initiate()]

    def _static_key(self, identity: bytes) -> Point:
        """The peer's public key, if its certificate is what it has to be. Spec: ZSE 1.4 C.4.2.2.2."""
        own = self._own.certificate
        try:
            certificate = type(own).decode(identity)
        except CodecError as error:
            wrong_size = len(identity) != own.octets
            raise _Refusal(
                TerminateStatus.BAD_MESSAGE if wrong_size else TerminateStatus.INVALID_CERTIFICATE
            ) from error
        if certificate.issuer != own.issuer:
            raise _Refusal(TerminateStatus.UNKNOWN_ISSUER)
        usable = not isinstance(certificate, CertificateSuite2) or certificate.key_usage & _AGREEMENT_USAGE
        if certificate.subject != self._peer or not usable:
            raise _Refusal(TerminateStatus.INVALID_CERTIFICATE)
        try:
            return certificate.public_key(self._own.issuer_key)
        except SecurityError as error:
            raise _Refusal(TerminateStatus.INVALID_CERTIFICATE) from error

    def _take_ephemeral_data(self, record: Record, now: float) -> list[Action]:
        octets = record.octets("ephemeral_data")
        self._keys = self._agree(octets)
        self._wait(State.AWAITS_CONFIRM_KEY, now, self._peer_confirm_time_s)
        return [self._confirm(self._keys.mac_of_initiator) if self._initiator else self._ephemeral_data()]

    def _agree(self, peer_ephemeral: bytes) -> AgreedKeys:
        curve = self._curve
        if self._peer_static is None:
            raise AssertionError("the table lets no ephemeral data come before a certificate")
        try:
            point = curve.decompress(peer_ephemeral)
            if not curve.in_subgroup(point):
                raise _Refusal(TerminateStatus.BAD_MESSAGE)
            secret = shared_secret(
                curve,
                static_private=self._own.private,
                ephemeral_private=self._scalar,
                ephemeral_public=self._ephemeral,
                peer_static=self._peer_static,
                peer_ephemeral=point,
            )
        except SecurityError as error:
            raise _Refusal(TerminateStatus.BAD_MESSAGE) from error
        own = Party(self._own.certificate.subject, curve.compress(self._ephemeral))
        peer = Party(self._peer, peer_ephemeral)
        return agreed_keys(secret, own, peer) if self._initiator else agreed_keys(secret, peer, own)

    def _take_confirm_key(self, record: Record, now: float) -> list[Action]:
        del now
        keys = self._keys
        if keys is None:
            raise AssertionError("the table lets no confirmation come before the keys are there")
        expected = keys.mac_of_responder if self._initiator else keys.mac_of_initiator
        if not equal(record.octets("message_authentication_code"), expected):
            raise _Refusal(TerminateStatus.BAD_KEY_CONFIRM)
        self.state = State.DONE
        done = Established(keys.link_key)
        return [done] if self._initiator else [self._confirm(keys.mac_of_responder), done]

    def _take_terminate(self, record: Record, now: float) -> list[Action]:
        del now
        self.state = State.FAILED
        code = record.integer("status_code")
        known = {int(status): status for status in TerminateStatus}
        return [Failed(known.get(code, TerminateStatus.BAD_MESSAGE), by_peer=True)]

    # ---------------------------------------------------------------------------- what is sent

    @property
    def _from_peer(self) -> Direction:
        return SERVER_TO_CLIENT if self._initiator else CLIENT_TO_SERVER

    def _row(self, command: int) -> Command:
        direction = CLIENT_TO_SERVER if self._initiator else SERVER_TO_CLIENT
        return KeyEstablishment.commands[direction, command]

    def _initiate(self) -> Send:
        row = self._row(_INITIATE)
        return Send(
            row,
            row.record(
                key_establishment_suite=self._suite,
                ephemeral_data_generate_time=self._rules.ephemeral_time_s,
                confirm_key_generate_time=self._rules.confirm_time_s,
                identity=self._own.certificate.encode(),
            ),
        )

    def _ephemeral_data(self) -> Send:
        row = self._row(_EPHEMERAL)
        return Send(row, row.record(ephemeral_data=self._curve.compress(self._ephemeral)))

    def _confirm(self, code: bytes) -> Send:
        row = self._row(_CONFIRM)
        return Send(row, row.record(message_authentication_code=code))

    def _fail(self, status: TerminateStatus) -> list[Action]:
        """End the exchange and tell the peer why."""
        self.state = State.FAILED
        row = self._row(_TERMINATE)
        record = row.record(
            status_code=int(status),
            wait_time=self._rules.terminate_wait_s,
            key_establishment_suite=self._suite,
        )
        return [Send(row, record), Failed(status)]

    def _wait(self, state: State, now: float, announced_s: float) -> None:
        self.state = state
        self._deadline = now + self._rules.least_wait_s + announced_s

    def __repr__(self) -> str:
        return f"KeyExchange(with {self._peer}, {self.state.name.lower()})"


class _Refusal(Exception):
    """What the peer sent cannot be used."""

    def __init__(self, status: TerminateStatus) -> None:
        super().__init__(status.name)
        self.status = status


_TABLE: Final[Mapping[tuple[State, int], Callable[[KeyExchange, Record, float], list[Action]]]] = {
    (State.AWAITS_INITIATE, _INITIATE): KeyExchange._take_initiate,
    (State.AWAITS_INITIATE, _TERMINATE): KeyExchange._take_terminate,
    (State.AWAITS_EPHEMERAL_DATA, _EPHEMERAL): KeyExchange._take_ephemeral_data,
    (State.AWAITS_EPHEMERAL_DATA, _TERMINATE): KeyExchange._take_terminate,
    (State.AWAITS_CONFIRM_KEY, _CONFIRM): KeyExchange._take_confirm_key,
    (State.AWAITS_CONFIRM_KEY, _TERMINATE): KeyExchange._take_terminate,
}
"""What is done with a command of the peer in each state; all else is a bad message."""
