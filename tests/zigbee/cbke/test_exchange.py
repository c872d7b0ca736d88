"""Two exchanges back to back, and what each does with a peer that is not what it should be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smetslab.ids import Eui64
from smetslab.zigbee.cbke.certificate import CertificateAuthority, KeyEstablishmentKey
from smetslab.zigbee.cbke.curve import SECT163K1, SECT283K1
from smetslab.zigbee.cbke.exchange import Action, Established, Failed, KeyExchange, Send, State
from smetslab.zigbee.zcl.clusters.key_establishment import TerminateStatus

DEVICE, HUB, STRANGER = Eui64(b"DEVICE01"), Eui64(b"THE HUB1"), Eui64(b"STRANGER")
AUTHORITY = CertificateAuthority(name=Eui64(b"TESTSECA"), curve=SECT283K1, private=7**90)
OTHER_AUTHORITY = CertificateAuthority(name=Eui64(b"OTHERSCA"), curve=SECT283K1, private=5**90)
OLD_AUTHORITY = CertificateAuthority(name=Eui64(b"TESTSECA"), curve=SECT163K1, private=3**90)


def key_for(subject: Eui64, authority: CertificateAuthority = AUTHORITY) -> KeyEstablishmentKey:
    scalars = {"device_scalar": 11**80, "authority_scalar": 13**80}
    if authority.curve is SECT163K1:
        return authority.issue_suite_1(subject, **scalars)
    return authority.issue_suite_2(subject, serial=subject.raw, valid_from_s=1_400_000_000, **scalars)


DEVICE_KEY, HUB_KEY = key_for(DEVICE), key_for(HUB)
Change = Callable[[int, bytes], bytes]


def converse(
    initiator: KeyExchange, responder: KeyExchange, change: Change = lambda _count, payload: payload
) -> tuple[list[Action], list[Action]]:
    """Carry messages to and fro; what each side was left with. `change` may alter the n-th message."""
    results: tuple[list[Action], list[Action]] = ([], [])
    waiting = [(1, action) for action in initiator.start(0.0)]
    count = 0
    while waiting:
        to, action = waiting.pop(0)
        if not isinstance(action, Send):
            results[1 - to].append(action)
            continue
        payload = change(count, action.command.encode(action.record))
        count += 1
        receiver = responder if to == 1 else initiator
        waiting += [(1 - to, reply) for reply in receiver.receive(action.command.id, payload, 1.0)]
    return results


def pair(
    own: KeyEstablishmentKey = DEVICE_KEY, hub: KeyEstablishmentKey = HUB_KEY, claimed: Eui64 = DEVICE
) -> tuple[KeyExchange, KeyExchange]:
    return (
        KeyExchange(own, HUB, initiator=True, ephemeral_scalar=17**70),
        KeyExchange(hub, claimed, initiator=False, ephemeral_scalar=19**70),
    )


def test_both_sides_end_with_the_same_key() -> None:
    [ours], [theirs] = converse(*pair())
    assert isinstance(ours, Established)
    assert ours == theirs
    assert len(ours.link_key) == 16


def test_suite_1_works_alike() -> None:
    [ours], [theirs] = converse(*pair(key_for(DEVICE, OLD_AUTHORITY), key_for(HUB, OLD_AUTHORITY)))
    assert isinstance(ours, Established)
    assert ours == theirs


def test_another_random_number_gives_another_key() -> None:
    first, _ = converse(*pair())
    initiator = KeyExchange(DEVICE_KEY, HUB, initiator=True, ephemeral_scalar=23**70)
    second, _ = converse(initiator, pair()[1])
    assert first != second


@pytest.mark.parametrize(
    ("own", "claimed", "status"),
    [
        (key_for(DEVICE, OTHER_AUTHORITY), DEVICE, TerminateStatus.UNKNOWN_ISSUER),
        (key_for(STRANGER), DEVICE, TerminateStatus.INVALID_CERTIFICATE),
        (key_for(DEVICE, OLD_AUTHORITY), DEVICE, TerminateStatus.UNSUPPORTED_SUITE),
    ],
    ids=["issuer", "subject", "suite"],
)
def test_a_certificate_that_does_not_fit_is_refused_with_its_status(
    own: KeyEstablishmentKey, claimed: Eui64, status: TerminateStatus
) -> None:
    [ours], [theirs] = converse(*pair(own, claimed=claimed))
    assert (ours, theirs) == (Failed(status, by_peer=True), Failed(status))
    assert ours.final is (status is TerminateStatus.UNKNOWN_ISSUER)


def _with(number: int, edit: Callable[[bytes], bytes]) -> Change:
    return lambda count, payload: edit(payload) if count == number else payload


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (_with(0, lambda payload: payload[:-1]), TerminateStatus.BAD_MESSAGE),
        (_with(0, lambda payload: payload[:4] + b"\x01" + payload[5:]), TerminateStatus.INVALID_CERTIFICATE),
        (_with(2, lambda payload: b"\x07" + payload[1:]), TerminateStatus.BAD_MESSAGE),
        (_with(2, lambda payload: payload + b"\x00"), TerminateStatus.BAD_MESSAGE),
        (_with(4, lambda payload: payload[:-1]), TerminateStatus.BAD_MESSAGE),
        (_with(4, lambda payload: bytes(16)), TerminateStatus.BAD_KEY_CONFIRM),
    ],
    ids=["short certificate", "certificate type", "no point", "long point", "short MAC", "wrong MAC"],
)
def test_the_responder_ends_the_exchange_at_a_message_that_is_wrong(
    change: Change, status: TerminateStatus
) -> None:
    [ours], [theirs] = converse(*pair(), change)
    assert (ours, theirs) == (Failed(status, by_peer=True), Failed(status))


def test_the_initiator_ends_it_too() -> None:
    [ours], theirs = converse(*pair(), _with(5, lambda payload: bytes(16)))
    assert ours == Failed(TerminateStatus.BAD_KEY_CONFIRM)
    assert all(isinstance(action, Established) for action in theirs), "the responder had its proof already"


def test_an_ephemeral_key_outside_the_subgroup_is_refused() -> None:
    """(0, 1) is on the curve and has order 2."""
    low = b"\x02" + bytes(36)
    [_], [theirs] = converse(*pair(), _with(2, lambda _payload: low))
    assert theirs == Failed(TerminateStatus.BAD_MESSAGE)


@pytest.mark.parametrize("command", [1, 2, 4, 0xFF])
def test_a_message_out_of_turn_is_a_bad_message(command: int) -> None:
    _, responder = pair()
    actions = responder.receive(command, bytes(16), 0.0)
    assert actions[-1] == Failed(TerminateStatus.BAD_MESSAGE)
    assert responder.state is State.FAILED
    assert responder.receive(0, b"", 0.0) == []


def test_a_silent_peer_is_given_its_time_and_no_more() -> None:
    initiator, _ = pair()
    initiator.start(100.0)
    deadline = initiator.next_deadline()
    assert deadline == 112.0
    assert initiator.expire(111.9) == []
    assert initiator.expire(112.0) == [Failed(None)]
    assert initiator.next_deadline() is None


def test_the_key_shows_in_no_representation() -> None:
    [ours], _ = converse(*pair())
    assert isinstance(ours, Established)
    assert ours.link_key.hex() not in repr(ours).lower()
