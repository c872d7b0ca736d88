"""Call-backs: order, retries, refusals, and that a dead or slow address holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from smetslab.clock import run_virtual
from smetslab.dcc.outbox import Delivery
from smetslab.dcc.services.delivery import Postman
from smetslab.dcc.services.settings import CallbackSettings, callback_url
from smetslab.duis.document import RequestId
from smetslab.errors import StoreError, UsageError
from smetslab.ids import Eui64

ALICE = Eui64.parse("90B3D51F30010000")
BOB = Eui64.parse("90B3D51F30030000")
METER = Eui64.parse("00DB1234567890A0")
OTHER_METER = Eui64.parse("00DB1234567890A1")
URLS = {ALICE: "http://alice.test/", BOB: "http://bob.test/"}


@dataclass
class Box:
    """An outbox in memory."""

    kept: dict[int, Delivery] = field(default_factory=dict)
    notify: list[Callable[[Delivery], None]] = field(default_factory=list)
    disk_s: float = 0.0
    """How long the disk takes."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with it, each time somebody asks."""

    def put(self, number: int, user: Eui64 = ALICE, device: Eui64 = METER, request: str = "") -> None:
        delivery = Delivery(
            number=number,
            user=user,
            device=device,
            kind="response",
            document=str(number).encode(),
            request=request,
        )
        self.kept[number] = delivery
        for notify in self.notify:
            notify(delivery)

    def subscribe(self, notify: Callable[[Delivery], None]) -> Callable[[], None]:
        for delivery in self.kept.values():
            notify(delivery)
        self.notify.append(notify)
        return lambda: self.notify.remove(notify)

    def acknowledge(self, number: int) -> None:
        self.kept.pop(number, None)

    async def durable(self) -> None:
        if self.disk_s:
            await asyncio.sleep(self.disk_s)
        if self.faults:
            raise StoreError(self.faults.pop(0))


@dataclass
class Net:
    """Two users. `answer(host, number, attempt)` is an HTTP status, seconds to think, or no connection."""

    answer: Callable[[str, int, int], int | float | None]
    seen: list[tuple[float, str, int]] = field(default_factory=list)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        number = int(request.content)
        now = asyncio.get_running_loop().time()
        attempt = sum(seen[1:] == (request.url.host, number) for seen in self.seen)
        self.seen.append((now, request.url.host, number))
        answer = self.answer(request.url.host, number, attempt)
        if answer is None:
            raise httpx.ConnectError("refused", request=request)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = 204
        return httpx.Response(answer)

    def transport(self) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self.handle)

    def numbers(self, host: str) -> list[int]:
        return [number for _, name, number in self.seen if name == host]


def _postman(box: Box, net: Net, **changes: object) -> Postman:
    settings = CallbackSettings(default=None, by_originator=URLS, **changes)  # type: ignore[arg-type]
    return Postman(
        box, settings, sign=lambda document: document, transport=net.transport, durable=box.durable
    )


def test_everything_is_delivered_in_order_per_device_and_forgotten() -> None:
    async def main() -> None:
        box, net = Box(), Net(lambda host, number, attempt: 204)
        for number in range(1, 6):
            box.put(number)
        async with _postman(box, net) as postman:
            for number in range(6, 11):
                box.put(number)
            assert await postman.drain(10) == 0
            assert net.numbers("alice.test") == list(range(1, 11))
            assert box.kept == {}

    run_virtual(main())


def test_failed_delivery_is_repeated_with_growing_pauses_before_what_follows() -> None:
    async def main() -> None:
        box = Box()
        failures: list[int | None] = [None, 500, 503, 204]
        net = Net(lambda host, number, attempt: failures[attempt] if number == 1 else 204)
        async with _postman(box, net, retry_first_s=1, retry_most_s=2) as postman:
            box.put(1)
            box.put(2)
            assert await postman.drain(100) == 0
        assert [(round(when), number) for when, _, number in net.seen] == [
            (0, 1),
            (1, 1),
            (3, 1),
            (5, 1),
            (5, 2),
        ]

    run_virtual(main())


def test_no_document_leaves_before_it_is_safe_on_the_disk(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        box, net = Box(disk_s=1, faults=["disk full"] * 2), Net(lambda host, number, attempt: 204)
        async with _postman(box, net, retry_first_s=10, retry_most_s=10) as postman:
            box.put(1)
            await asyncio.sleep(15)
            assert net.seen == []
            assert await postman.drain(100) == 0
        assert [(round(when), number) for when, _, number in net.seen] == [(23, 1)]

    run_virtual(main())
    assert [record.getMessage() for record in caplog.records].count("call-back failed") == 2
    caplog.clear()


def test_refused_document_is_logged_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        box, net = Box(), Net(lambda host, number, attempt: 400 if number == 1 else 204)
        async with _postman(box, net) as postman:
            box.put(1)
            box.put(2)
            assert await postman.drain(10) == 0
        assert net.numbers("alice.test") == [1, 2]
        assert box.kept == {}

    run_virtual(main())
    assert [record.levelname for record in caplog.records if "given up" in record.getMessage()] == ["ERROR"]
    caplog.clear()


def test_document_that_nobody_takes_for_long_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        box, net = Box(), Net(lambda host, number, attempt: 503)
        async with _postman(box, net, retry_first_s=10, retry_most_s=10, give_up_after_s=35) as postman:
            box.put(1)
            assert await postman.drain(1000) == 0
        assert len(net.seen) == 5

    run_virtual(main())
    assert sum("given up" in record.getMessage() for record in caplog.records) == 1
    caplog.clear()


def test_dead_and_slow_addresses_hold_up_nobody_else() -> None:
    async def main() -> None:
        box = Box()
        net = Net(lambda host, number, attempt: 204 if host == "bob.test" else (None if number < 50 else 5.0))
        async with _postman(box, net, at_once=2) as postman:
            for number in range(40):
                box.put(number, device=Eui64.parse(f"00DB1234567890{number:02X}"))
            for number in range(50, 55):
                box.put(number, device=OTHER_METER)
            for number in range(100, 105):
                box.put(number, user=BOB)
            await postman.drain(0.5)
            assert net.numbers("bob.test") == list(range(100, 105))
            assert postman.undelivered == 45

    run_virtual(main())


def test_slow_answer_delays_only_its_own_device() -> None:
    async def main() -> None:
        box = Box()
        net = Net(lambda host, number, attempt: 5.0 if number == 1 else 204)
        async with _postman(box, net) as postman:
            box.put(1)
            box.put(2)
            box.put(3, device=OTHER_METER)
            assert await postman.drain(60) == 0
        assert [(round(when), number) for when, _, number in net.seen] == [(0, 1), (0, 3), (5, 2)]

    run_virtual(main())


def test_documents_without_an_address_are_kept() -> None:
    async def main() -> None:
        box, net = Box(), Net(lambda host, number, attempt: 204)
        stranger = Eui64.parse("00DB123456780004")
        async with _postman(box, net) as postman:
            box.put(1, user=stranger)
            assert await postman.drain(5) == 1
        assert list(box.kept) == [1]

    run_virtual(main())


def test_what_a_stop_interrupts_is_delivered_by_the_next_run() -> None:
    async def main() -> None:
        box = Box()
        dead = Net(lambda host, number, attempt: None)
        async with _postman(box, dead) as postman:
            box.put(1)
            box.put(2)
            assert await postman.drain(3) == 2
        assert list(box.kept) == [1, 2]
        alive = Net(lambda host, number, attempt: 204)
        async with _postman(box, alive) as postman:
            assert await postman.drain(3) == 0
        assert alive.numbers("alice.test") == [1, 2]

    run_virtual(main())


@pytest.mark.parametrize("written_after_s", [0.5, 3.0])
def test_call_back_waits_for_its_acknowledgement_and_a_second_more(written_after_s: float) -> None:
    async def main() -> float:
        box, net = Box(), Net(lambda host, number, attempt: 204)
        request_id = RequestId(ALICE, METER, 7)
        async with _postman(box, net, first_delay_s=1.0) as postman:
            postman.hold(request_id)
            box.put(1, request=request_id.key)
            box.put(2, device=OTHER_METER)
            await asyncio.sleep(written_after_s)
            postman.release(request_id)
            assert await postman.drain(60) == 0
        assert net.seen[0][2] == 2
        return net.seen[1][0]

    assert run_virtual(main()) == pytest.approx(written_after_s + 1.0)


def test_acknowledgement_that_is_never_written_does_not_hold_for_ever() -> None:
    async def main() -> None:
        box, net = Box(), Net(lambda host, number, attempt: 204)
        request_id = RequestId(ALICE, METER, 7)
        async with _postman(box, net) as postman:
            postman.hold(request_id)
            box.put(1, request=request_id.key)
            assert await postman.drain(60) == 0
        assert round(net.seen[0][0]) == 30

    run_virtual(main())


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("192.168.0.5:1880/smartdcc/duis", "http://192.168.0.5:1880/smartdcc/duis"),
        ("localhost:1880", "http://localhost:1880"),
        ("client", "http://client"),
        ("https://client.test/duis", "https://client.test/duis"),
        ("[::1]:1880/duis", "http://[::1]:1880/duis"),
    ],
)
def test_call_back_address_with_and_without_scheme(given: str, url: str) -> None:
    assert callback_url(given) == url


@pytest.mark.parametrize("given", ["", "ftp://a/b", "http://", "a b", "http://a:99999/", "/path"])
def test_what_is_no_call_back_address(given: str) -> None:
    with pytest.raises(UsageError):
        callback_url(given)
