"""Store and fetch: transfers in octets, and what waits at a hub for a sleeping meter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.clock import StandingClock
from smetslab.devices.fetch import (
    MESSAGE_LIFE,
    MOST_WAITING,
    FetchQueue,
    Header,
    Transfer,
    decode_transfer,
)
from smetslab.devices.work import Workplace
from smetslab.ids import Eui64
from smetslab.store import Nvm, Store
from smetslab.trace import Trace

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HUB = Eui64.parse("00DB1234567890A2")


@pytest.fixture
def nvm() -> Iterator[Nvm]:
    with Store() as store:
        yield store.nvm("hub")


class Hub:
    def __init__(self, nvm: Nvm) -> None:
        self.place = Workplace(HUB, nvm, Trace(StandingClock(NOW)))
        self.queue = FetchQueue(nvm, "meter")

    def put(self, message: bytes, now: datetime = NOW) -> bool:
        with self.place.work(now) as work:
            return self.queue.put(work, message)

    def get(self) -> Transfer:
        """A message that arrives."""
        number, transfer = self.queue.give()
        if number is not None:
            self.taken(number)
        return transfer

    def taken(self, number: int) -> None:
        with self.place.work(NOW) as work:
            self.queue.taken(work, number)

    def expire(self, now: datetime) -> list[bytes]:
        with self.place.work(now) as work:
            return self.queue.expire(work)


@given(
    header=st.sampled_from(Header),
    message=st.binary(max_size=40),
    left=st.integers(0, 255),
)
def test_a_transfer_comes_back(header: Header, message: bytes, left: int) -> None:
    transfer = Transfer(header, message, left if header is Header.GET_RESPONSE else 0)
    assert decode_transfer(transfer.encode()) == transfer


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x04abc", b"\x02"])
def test_other_octets_are_no_transfer(octets: bytes) -> None:
    assert decode_transfer(octets) is None


def test_transfers_as_written() -> None:
    assert Transfer(Header.GET).encode() == b"\x01"
    assert Transfer(Header.GET_RESPONSE, b"abc", 2).encode() == b"\x02\x02abc"
    assert Transfer(Header.PUT, b"abc").encode() == b"\x03abc"


def test_messages_are_fetched_in_the_order_in_which_they_came_also_after_a_restart(nvm: Nvm) -> None:
    hub = Hub(nvm)
    for number in range(12):
        assert hub.put(bytes((number,)))
    assert hub.get() == Transfer(Header.GET_RESPONSE, b"\x00", 11)
    hub = Hub(nvm)
    assert [hub.get().message for _ in range(11)] == [bytes((number,)) for number in range(1, 12)]
    assert hub.get() == Transfer(Header.GET_RESPONSE)
    assert len(Hub(nvm).queue) == 0


def test_a_message_is_given_again_until_it_is_acknowledged(nvm: Nvm) -> None:
    hub = Hub(nvm)
    hub.put(b"first")
    hub.put(b"second")
    number, transfer = hub.queue.give()
    assert transfer == Transfer(Header.GET_RESPONSE, b"first", 1)
    assert hub.queue.give() == (number, transfer)
    hub = Hub(nvm)  # the power was away meanwhile
    number, again = hub.queue.give()
    assert again == transfer
    assert number is not None
    hub.taken(number)
    hub.taken(number)  # both answers were acknowledged
    assert hub.get() == Transfer(Header.GET_RESPONSE, b"second")
    hub.put(b"third")
    hub.taken(number)  # late, and about another message
    assert hub.get().message == b"third"


def test_a_message_waits_a_day(nvm: Nvm) -> None:
    hub = Hub(nvm)
    hub.put(b"first")
    hub.put(b"second", NOW + timedelta(hours=1))
    assert hub.queue.next_deadline() == NOW + MESSAGE_LIFE
    assert hub.expire(NOW + MESSAGE_LIFE - timedelta(seconds=1)) == []
    assert hub.expire(NOW + MESSAGE_LIFE) == [b"first"]
    assert Hub(nvm).get().message == b"second"


def test_a_full_queue_takes_no_more(nvm: Nvm) -> None:
    hub = Hub(nvm)
    assert all(hub.put(b"x") for _ in range(MOST_WAITING))
    assert not hub.put(b"x")
    with hub.place.work(NOW) as work:
        hub.queue.clear(work)
    assert len(Hub(nvm).queue) == 0
