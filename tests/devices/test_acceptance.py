"""The order of checks on a command: a row for each step and reason, without a loop or a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from smetslab.crypto import SharedSecrets
from smetslab.devices.acceptance import CONSEQUENCES, Acceptance, Accepted, Refused, Step
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.payload import MisfitPayload, read_payload
from smetslab.devices.payload_engine import Done, Execution, WrongPayload
from smetslab.devices.quirks import Quirks
from smetslab.gbcs.codes import CounterFamily, Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.dlms.apdu import DataAccessResult, Specification
from smetslab.gbcs.message import Message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases.model import UseCase
from smetslab.ids import Eui64

ESME = Eui64.parse("00DB1234567890A0")
OTHER_METER = Eui64.parse("00DB1234567890A6")
SUPPLIER = Eui64.parse("90B3D51F30010000")
NETWORK_OPERATOR = Eui64.parse("90B3D51F30020000")
STRANGER = Eui64.parse("90B3D51F30030000")
BROKER = Eui64.parse("90B3D51F30000002")
TCOS = Eui64.parse("90B3D51F30000004")


@dataclass
class Counters:
    """Execution counters with one value for everybody."""

    last: int = 500
    asked: int = 0

    def admits(self, party: Eui64, family: CounterFamily, counter: int) -> bool:
        del party, family
        self.asked += 1
        return counter > self.last


class Payloads:
    """Reads access lists; everything is allowed but one class."""

    def read(self, use_case: UseCase, message: Message, role: RemotePartyRole) -> Execution | WrongPayload:
        del role
        read = read_payload(use_case, message, self._judge)
        if isinstance(read, MisfitPayload):
            content = read.response.encode()
            return WrongPayload(read.reason, lambda _header: content)
        return lambda _call, _fault: Done(b"")

    @staticmethod
    def _judge(specification: Specification) -> DataAccessResult:
        return DataAccessResult.OBJECT_UNDEFINED if specification.class_id == 1 else DataAccessResult.SUCCESS


@pytest.fixture
def acceptance(head: Any) -> Callable[..., Acceptance]:
    def make(
        *, quirks: Quirks | None = None, supported: Callable[[UseCase], bool] = lambda _use_case: True
    ) -> Acceptance:
        parties = {
            RemotePartyRole.SUPPLIER: SUPPLIER,
            RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
            RemotePartyRole.ACCESS_CONTROL_BROKER: BROKER,
            RemotePartyRole.TRANSITIONAL_COS: TCOS,
        }
        return Acceptance(
            device=ESME,
            device_type=DeviceType.ESME,
            trust_anchors=TrustAnchorStore.for_device(DeviceType.ESME, head.keystore, parties),
            keys=DeviceKeys.from_keystore(head.keystore, ESME),
            secrets=SharedSecrets(),
            counters=Counters(),
            payloads=Payloads(),
            supported=supported,
            quirks=quirks or Quirks(),
        )

    return make


def flip(data: bytes, place: int) -> bytes:
    """`data` with one bit wrong."""
    wrong = bytearray(data)
    wrong[place] ^= 0x01
    return bytes(wrong)


def with_code(head: Any, code: int, **arguments: Any) -> Message:
    message: Message = head.message("ECS45", **arguments)
    return replace(message, other_information=replace(message.other_information, message_code=code))


def unsigned(head: Any, name: str) -> bytes:
    """A command with a MAC and no signature."""
    data: bytes = head.protect(head.message(name), signed=False)
    return data


def signature_only(head: Any, name: str) -> bytes:
    key = head.keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE)
    return encode_message(with_signature(head.message(name), key))


def signed_by_another(head: Any, name: str) -> bytes:
    key = head.keystore.private_key(NETWORK_OPERATOR, KeyUsage.DIGITAL_SIGNATURE)
    message = with_signature(head.message(name), key)
    return encode_message(with_mac(message, head.secret(BROKER)))


def response_instead(head: Any) -> bytes:
    message = replace(head.message("ECS45"), cra=Cra.RESPONSE)
    return encode_message(with_mac(message, head.secret(BROKER)))


Make = Callable[[Any], bytes]

# reason, what is sent
ROWS: tuple[tuple[str, str, Make], ...] = (
    ("empty", "not-a-message", lambda head: b""),
    ("noise", "not-a-message", lambda head: b"\xdd" + bytes(40)),
    ("truncated", "not-a-message", lambda head: head.command("ECS45")[:-1]),
    ("trailing byte", "not-a-message", lambda head: head.command("ECS45") + b"\x00"),
    ("response", "not-a-command", response_instead),
    ("another device", "other-recipient", lambda head: head.command("ECS45", target=OTHER_METER)),
    ("unknown originator", "unknown-originator", lambda head: head.command("ECS45", originator=STRANGER)),
    ("replay", "counter-not-greater", lambda head: head.command("ECS43", counter=500)),
    ("lower counter", "counter-not-greater", lambda head: head.command("ECS43", counter=499)),
    ("counter zero", "counter-not-greater", lambda head: head.command("ECS43", counter=0)),
    ("critical unsigned", "shape", lambda head: unsigned(head, "ECS43")),
    ("critical without MAC", "shape", lambda head: signature_only(head, "ECS43")),
    ("non-critical signed", "shape", lambda head: head.protect(head.message("ECS45"), signed=True)),
    ("non-critical without MAC", "shape", lambda head: signature_only(head, "ECS45")),
    ("wrong MAC", "mac", lambda head: flip(head.command("ECS45"), -1)),
    ("content changed", "mac", lambda head: flip(head.command("ECS45"), -20)),
    ("MAC of the supplier", "mac", lambda head: head.protect(head.message("ECS45"), broker=SUPPLIER)),
    ("wrong signature", "mac", lambda head: flip(head.command("ECS43"), -30)),
    ("signature of another", "signature", lambda head: signed_by_another(head, "ECS43")),
    ("unknown code", "unsupported-message-code", lambda head: head.protect(with_code(head, 0x7FFE))),
    (
        "unknown code, signed",
        "unsupported-message-code",
        lambda head: head.protect(with_code(head, 0x7FFE), signed=True),
    ),
    (
        "code of an alert",
        "unsupported-message-code",
        lambda head: head.protect(with_code(head, 0x1000), signed=True),
    ),
    ("wrong role", "role", lambda head: head.command("ECS43", originator=NETWORK_OPERATOR)),
    ("wrong role, read", "role", lambda head: head.command("ECS17a", originator=SUPPLIER)),
    ("role without a use", "role", lambda head: head.command("ECS45", originator=TCOS)),
)


@pytest.mark.parametrize(("reason", "make"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refusal(acceptance: Callable[..., Acceptance], head: Any, reason: str, make: Make) -> None:
    outcome = acceptance().judge(make(head))
    assert isinstance(outcome, Refused)
    assert outcome.reason == reason
    assert outcome.answer is None


def test_every_reason_has_a_row() -> None:
    tested = {reason for _, reason, _ in ROWS} | {"structure"}
    assert tested == set(CONSEQUENCES)


def test_nothing_before_authentication_is_answered() -> None:
    """No step up to the fourth may lead to anything that reaches the sender."""
    silent = {
        reason for reason, consequence in CONSEQUENCES.items() if consequence.step <= Step.AUTHENTICATION
    }
    for reason in silent:
        assert not Refused(reason=reason).authentic
    for reason in set(CONSEQUENCES) - silent:
        assert Refused(reason=reason).authentic


def test_a_sound_command_is_accepted_for_the_role_of_its_originator(
    acceptance: Callable[..., Acceptance], head: Any
) -> None:
    outcome = acceptance().judge(head.command("ECS43", counter=501))
    assert isinstance(outcome, Accepted)
    assert (outcome.use_case.name, outcome.role) == ("ECS43", RemotePartyRole.SUPPLIER)
    assert outcome.message.originator_counter == 501


def test_reads_are_not_judged_by_their_counter(acceptance: Callable[..., Acceptance], head: Any) -> None:
    assert isinstance(acceptance().judge(head.command("ECS45", counter=1)), Accepted)


def test_top_ups_are_judged_by_their_own_cache(acceptance: Callable[..., Acceptance], head: Any) -> None:
    command = head.command("CS01a", {"utrn": "73946144332040217315"}, counter=1)
    assert isinstance(acceptance().judge(command), Accepted)


def test_an_unsupported_use_case_is_told_apart_from_a_wrong_role(
    acceptance: Callable[..., Acceptance], head: Any
) -> None:
    judge = acceptance(supported=lambda use_case: use_case.name != "ECS45").judge
    outcome = judge(head.command("ECS45", originator=TCOS))
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.step) == ("unsupported-message-code", Step.MESSAGE_CODE)


def test_the_counter_is_checked_before_the_mac(acceptance: Callable[..., Acceptance], head: Any) -> None:
    outcome = acceptance().judge(flip(head.command("ECS43", counter=500), -1))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "counter-not-greater"


@pytest.mark.parametrize(
    ("quirk", "make"),
    [
        ("accepts_any_recipient", lambda head: head.command("ECS45", target=OTHER_METER)),
        ("skips_mac", lambda head: flip(head.command("ECS45"), -1)),
        ("skips_signature", lambda head: signed_by_another(head, "ECS43")),
        ("skips_role_check", lambda head: head.command("ECS43", originator=NETWORK_OPERATOR)),
    ],
)
def test_a_quirk_lets_one_wrong_command_through(
    acceptance: Callable[..., Acceptance], head: Any, quirk: str, make: Make
) -> None:
    assert isinstance(acceptance().judge(make(head)), Refused)
    assert isinstance(acceptance(quirks=Quirks(**{quirk: True})).judge(make(head)), Accepted)
