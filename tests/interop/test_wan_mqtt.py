"""The WAN over a real broker: what was taken arrives, in order, whatever restarts; who is gone is missed."""

from __future__ import annotations

import asyncio
import datetime
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.clock import LoopClock, run_real
from smetslab.errors import LocalProtocolError, WanError
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.wan import WanMessage
from smetslab.wan.mqtt import MqttRules, MqttWan
from smetslab.wan.topics import parse_address

pytest.importorskip("aiomqtt", reason="needs the extra `mqtt`")

HUB = Eui64.parse("00DB1234567890A2")
OTHER = Eui64.parse("00DB1234567890B2")
QUICK = MqttRules(
    receipt_timeout_s=1.0,
    presence_s=0.5,
    first_retry_s=0.05,
    longest_retry_s=0.2,
    keep_alive_s=2,
    lost_after_s=0.1,
)


class Side:
    """What one end of the WAN has received, identities in order."""

    def __init__(self) -> None:
        self.got: list[WanMessage] = []

    def receive(self, message: WanMessage) -> None:
        self.got.append(message)

    @property
    def first(self) -> list[str]:
        """Every identity once, at its first place."""
        return list(dict.fromkeys(message.identity for message in self.got))


class Nodes:
    """A head, and premises with one hub, on one broker."""

    def __init__(self, clock: LoopClock, address: str, rules: MqttRules) -> None:
        self.clock = clock
        self.trace = Trace(clock)
        self.lost: list[Eui64] = []
        self.back: list[Eui64] = []
        where = parse_address(address)
        self.head = MqttWan(
            where,
            clock,
            self.trace,
            node="head",
            head=True,
            rules=rules,
            hub_lost=self.lost.append,
            hub_back=self.back.append,
        )
        self.premises = MqttWan(where, clock, self.trace, node="premises-1", head=False, rules=rules)
        self.dcc, self.hub = Side(), Side()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.head, self.premises:
            detach_head = self.head.attach_head(self.dcc.receive)
            detach_hub = self.premises.attach_hub(HUB, self.hub.receive)
            await self.head.connected(5)
            await self.premises.connected(5)
            yield
            detach_hub()
            detach_head()

    async def until(self, condition: Callable[[], bool], within_s: float = 10) -> None:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - what is waited for is another process
                await asyncio.sleep(0.01)


Story = Callable[[Nodes], Awaitable[None]]


def play(address: str, story: Story, rules: MqttRules = QUICK) -> Nodes:
    async def main(clock: LoopClock) -> Nodes:
        nodes = Nodes(clock, address, rules)
        async with nodes.running():
            await story(nodes)
        return nodes

    return run_real(main)


def message(number: int, hub: Eui64 = HUB) -> WanMessage:
    return WanMessage(f"m-{number}", hub, bytes([number & 0xFF]) * 100)


async def persist(send: Callable[[WanMessage], Awaitable[None]], one: WanMessage) -> None:
    """Send as DCC and hubs do: again while it is refused."""
    while True:
        try:
            await send(one)
        except WanError as error:
            assert error.transient
            await asyncio.sleep(0.05)
        else:
            return


def test_messages_go_both_ways_in_order_and_no_socket_waits_for_more(broker) -> None:
    async def story(nodes: Nodes) -> None:
        for number in range(50):
            await nodes.head.to_hub(message(number))
            await nodes.premises.to_head(message(number))
        for wan in (nodes.head, nodes.premises):
            assert len(wan.sockets) == 2
            for connection in wan.sockets:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1

    nodes = play(broker.address, story)
    wanted = [message(number) for number in range(50)]
    assert nodes.hub.got == nodes.dcc.got == wanted


def test_an_exchange_does_not_wait_for_delayed_acknowledgements(broker) -> None:
    async def story(nodes: Nodes) -> None:
        await nodes.head.to_hub(message(0))
        start = nodes.clock.time()
        for number in range(100):
            await nodes.head.to_hub(message(number))
        # With Nagle's algorithm one takes 40 ms or more.
        assert (nodes.clock.time() - start) / 100 < 0.03

    play(broker.address, story)


def test_many_at_once_are_each_answered(broker) -> None:
    async def story(nodes: Nodes) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(persist(nodes.head.to_hub, message(number)))

    nodes = play(broker.address, story)
    assert nodes.hub.first == [f"m-{number}" for number in range(300)]


def test_a_broker_that_restarts_in_mid_traffic_loses_nothing(broker) -> None:
    async def story(nodes: Nodes) -> None:
        async def down() -> None:
            for number in range(200):
                await persist(nodes.head.to_hub, message(number))

        async def up() -> None:
            for number in range(200):
                await persist(nodes.premises.to_head, message(number))

        async def trouble() -> None:
            for _ in range(3):
                await asyncio.sleep(0.15)
                await asyncio.to_thread(broker.restart)

        async with asyncio.TaskGroup() as group:
            for work in (down, up, trouble):
                group.create_task(work())
        assert nodes.head.connections == nodes.premises.connections >= 2

    nodes = play(broker.address, story)
    wanted = [f"m-{number}" for number in range(200)]
    assert nodes.hub.first == nodes.dcc.first == wanted


def test_a_hub_that_is_off_and_a_head_that_is_not_there_are_refused(broker) -> None:
    async def story(nodes: Nodes) -> None:
        with pytest.raises(WanError, match="hub 00DB1234567890B2 is not on the WAN"):
            await nodes.head.to_hub(message(1, OTHER))
        detach = nodes.premises.attach_hub(OTHER, nodes.hub.receive)
        await nodes.head.to_hub(message(1, OTHER))
        detach()
        await nodes.until(lambda: not nodes.head.reachable(OTHER))
        with pytest.raises(WanError, match="is not on the WAN"):
            await nodes.head.to_hub(message(2, OTHER))
        await nodes.head.__aexit__(None, None, None)
        with pytest.raises(WanError, match="nobody at the head"):
            await nodes.premises.to_head(message(3))

    play(broker.address, story, replace(QUICK, head_patience_s=0.5))


def test_without_a_broker_everything_is_refused_until_there_is_one(broker) -> None:
    async def story(nodes: Nodes) -> None:
        broker.stop()
        await nodes.until(lambda: not nodes.head.is_connected)
        with pytest.raises(WanError) as refused:
            await nodes.head.to_hub(message(1))
        assert refused.value.transient
        with pytest.raises(WanError, match="no broker"):
            await nodes.head.connected(0.2)
        await asyncio.to_thread(broker.start)
        await persist(nodes.head.to_hub, message(1))

    assert play(broker.address, story).hub.first == ["m-1"]


def test_only_the_head_is_the_head_and_a_hub_is_attached_once(broker) -> None:
    async def story(nodes: Nodes) -> None:
        with pytest.raises(LocalProtocolError, match="not the head"):
            nodes.premises.attach_head(nodes.dcc.receive)
        with pytest.raises(LocalProtocolError, match="already"):
            nodes.head.attach_head(nodes.dcc.receive)
        with pytest.raises(LocalProtocolError, match="already"):
            nodes.premises.attach_hub(HUB, nodes.hub.receive)

    play(broker.address, story)


# Processes that die -----------------------------------------------------------------------------------------

PREMISES = """
import asyncio, sys
from smetslab.clock import run_real
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.wan.mqtt import MqttRules, MqttWan
from smetslab.wan.topics import parse_address

async def main(clock):
    rules = MqttRules(keep_alive_s=2)
    wan = MqttWan(parse_address(sys.argv[1]), clock, Trace(clock), node="dying", head=False, rules=rules)
    async with wan:
        wan.attach_hub(Eui64.parse("00DB1234567890B2"), lambda message: print(message.identity, flush=True))
        await asyncio.Event().wait()

run_real(main)
"""


def test_a_node_that_is_killed_is_announced_by_its_last_will_and_missed_until_it_is_back(broker) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", PREMISES, broker.address], env=environment, stdout=subprocess.PIPE
        )

    async def story(nodes: Nodes) -> None:
        process = begin()
        try:
            await nodes.until(lambda: nodes.head.reachable(OTHER))
            await nodes.head.to_hub(message(1, OTHER))
            process.send_signal(signal.SIGKILL)
            await nodes.until(lambda: nodes.lost == [OTHER])
            assert not nodes.head.reachable(OTHER)
            with pytest.raises(WanError, match="not on the WAN"):
                await nodes.head.to_hub(message(2, OTHER))
            process.communicate()
            nodes.back.clear()
            process = begin()
            await nodes.until(lambda: OTHER in nodes.back)
            await persist(nodes.head.to_hub, message(2, OTHER))
        finally:
            process.kill()
            assert process.communicate()[0].split()[-1:] == [b"m-2"]

    play(broker.address, story)


# Who may, and whether others can read it --------------------------------------------------------------------


def test_a_broker_that_wants_a_password_gets_it(make_broker) -> None:
    address = make_broker(password="s3cret word").address

    async def story(nodes: Nodes) -> None:
        await nodes.head.to_hub(message(1))

    async def refused(clock: LoopClock) -> None:
        wrong = address.replace("s3cret", "wrong")
        wan = MqttWan(parse_address(wrong), clock, Trace(clock), node="x", head=True, rules=QUICK)
        async with wan:
            with pytest.raises(WanError, match="no broker at"):
                await wan.connected(1)

    assert play(address, story).hub.first == ["m-1"]
    run_real(refused)


# The library drops its socket without closing it when a certificate is not believed.
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed:ResourceWarning"
)
def test_a_broker_with_tls_is_believed_only_with_its_authority(tmp_path: Path, make_broker) -> None:
    _make_certificates(tmp_path)
    broker = make_broker(tls=True)

    async def story(nodes: Nodes) -> None:
        await nodes.head.to_hub(message(1))
        for connection in nodes.head.sockets:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1

    async def refused(clock: LoopClock) -> None:
        unknown = broker.address.partition("?")[0]
        wan = MqttWan(parse_address(unknown), clock, Trace(clock), node="x", head=True, rules=QUICK)
        async with wan:
            with pytest.raises(WanError, match="no broker at"):
                await wan.connected(1)

    assert play(broker.address, story).hub.first == ["m-1"]
    run_real(refused)
    gc.collect()  # while the warnings are ignored


def _make_certificates(folder: Path) -> None:
    """An authority and a certificate for localhost."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key, issuer: str, by, authority: bool) -> x509.Certificate:
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(by, hashes.SHA256())

    root, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate("root", root, "root", root, True).public_bytes(pem))
    (folder / "server.pem").write_bytes(
        certificate("localhost", server, "root", root, False).public_bytes(pem)
    )
    (folder / "server.key").write_bytes(
        server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
