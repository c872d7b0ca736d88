"""The outbox: what was not delivered is handed out again, what was never is, and there is a limit."""

from __future__ import annotations

import pytest

from smetslab.dcc.outbox import Delivery, Outbox
from smetslab.duis.document import RequestId
from smetslab.errors import StoreError
from smetslab.ids import Eui64
from smetslab.store import Store

USER = Eui64.parse("90B3D51F30010000")
DEVICE = Eui64.parse("00DB1234567890A0")


def delivery(number: int, kind: str = "response", counter: int | None = None) -> Delivery:
    request = "" if kind == "alert" else RequestId(USER, DEVICE, counter or number).key
    return Delivery(
        number=number,
        user=USER,
        device=DEVICE,
        kind=kind,  # type: ignore[arg-type]
        document=f"<{number}\n/>".encode(),
        request=request,
    )


def keep(store: Store, outbox: Outbox, *deliveries: Delivery, claimed: bool = False) -> None:
    for one in deliveries:
        with store.nvm("dcc").transaction() as transaction:
            outbox.put(transaction, one)
        outbox.publish(one, claimed=claimed)


@pytest.fixture
def store():  # type: ignore[no-untyped-def]
    with Store() as opened:
        yield opened


def outbox_of(store: Store, limit: int = 10) -> Outbox:
    return Outbox(store.nvm("dcc"), limit)


def handed_out(outbox: Outbox) -> list[int]:
    """What somebody who subscribes now is given at once."""
    seen: list[int] = []
    outbox.subscribe(lambda one: seen.append(one.number))()
    return seen


def test_what_is_not_acknowledged_is_handed_out_again_after_a_restart(store: Store) -> None:
    outbox = outbox_of(store)
    seen: list[Delivery] = []
    outbox.subscribe(seen.append)
    kept = [delivery(1), delivery(2, "alert"), delivery(3)]
    keep(store, outbox, *kept)
    assert seen == kept
    outbox.acknowledge(1)
    outbox.acknowledge(1)
    again: list[Delivery] = []
    outbox_of(store).subscribe(again.append)
    assert again == kept[1:]
    assert outbox_of(store).alerts() == [kept[1].document]


def test_nobody_is_told_after_the_end_of_a_subscription(store: Store) -> None:
    outbox = outbox_of(store)
    seen: list[Delivery] = []
    detach = outbox.subscribe(seen.append)
    detach()
    detach()
    keep(store, outbox, delivery(1))
    assert seen == []


def test_what_is_claimed_is_kept_but_not_handed_out(store: Store) -> None:
    outbox = outbox_of(store)
    seen: list[Delivery] = []
    outbox.subscribe(seen.append)
    keep(store, outbox, delivery(1), claimed=True)
    assert seen == []
    assert outbox.take(1) == delivery(1).document
    assert outbox.take(1) is None
    assert handed_out(outbox_of(store)) == []


def test_the_latest_answer_to_a_request_is_found(store: Store) -> None:
    outbox = outbox_of(store)
    keep(store, outbox, delivery(1, counter=7), delivery(2, counter=7), delivery(3, counter=8))
    for one in (outbox, outbox_of(store)):
        found = one.answer_to(RequestId(USER, DEVICE, 7))
        assert found is not None
        assert found.number == 2
    outbox.acknowledge(2)
    assert outbox.answer_to(RequestId(USER, DEVICE, 7)) == delivery(1, counter=7)
    outbox.acknowledge(1)
    assert outbox.answer_to(RequestId(USER, DEVICE, 7)) is None


def test_the_oldest_of_a_kind_gives_way_and_never_one_of_the_other(store: Store) -> None:
    outbox = outbox_of(store, limit=2)
    keep(store, outbox, *[delivery(number, "alert") for number in (1, 2)])
    keep(store, outbox, *[delivery(number) for number in (3, 4, 5)])
    assert handed_out(outbox) == handed_out(outbox_of(store, 2)) == [1, 2, 4, 5]
    assert (len(outbox), outbox.given_way) == (4, 1)


@pytest.mark.parametrize(
    "damage", [b"", b"response\n", b"\xff", b"letter 90B3D51F30010000 00DB1234567890A0 \n"]
)
def test_damaged_memory_is_one_clear_error(store: Store, damage: bytes) -> None:
    with store.nvm("dcc").transaction() as transaction:
        transaction.put("out/000000000001", damage)
    with pytest.raises(StoreError, match="damaged at out/000000000001"):
        outbox_of(store)
