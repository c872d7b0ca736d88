"""Kept connections: used again, replaced when they are closed, every trouble told as one kind of error."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from smetslab.dcc.services.connections import MAX_ANSWER_BYTES, KeptConnections

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Peer:
    """An HTTP server that answers with fixed octets and counts connections."""

    answer: bytes = NO_CONTENT
    close_after: bool = False
    connections: int = 0
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line[16:] for line in head.lower().split(b"\r\n") if b"content-length" in line)
                self.bodies.append(await reader.readexactly(int(length)))
                writer.write(self.answer)
                await writer.drain()
                if self.close_after:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _peer(peer: Peer) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Posts to the peer; the result is the HTTP status."""
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(peer.serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    async with server, KeptConnections(ssl.create_default_context()) as transport:

        async def post() -> int:
            request = httpx.Request(
                "POST",
                f"http://127.0.0.1:{peer.port}/duis",
                content=b"<a/>",
                extensions={"timeout": {"read": 2}},
            )
            return (await transport.handle_async_request(request)).status_code

        yield post
    await asyncio.gather(*tasks)


async def test_one_connection_serves_one_request_after_the_other() -> None:
    peer = Peer()
    async with _peer(peer) as post:
        assert [await post() for _ in range(5)] == [204] * 5
    assert (peer.connections, peer.bodies) == (1, [b"<a/>"] * 5)


async def test_head_and_body_come_in_one_piece_and_long_bodies_whole() -> None:
    pieces: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = b""
        while not whole.endswith(b"</a>"):
            pieces.append(await reader.read(100_000))
            whole += pieces[-1]
        writer.write(NO_CONTENT)
        writer.close()

    async def post(body: bytes) -> bytes:
        pieces.clear()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with KeptConnections(ssl.create_default_context()) as transport:
            await transport.handle_async_request(httpx.Request("POST", url, content=body))
        return b"".join(pieces).partition(b"\r\n\r\n")[2]

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        assert await post(b"<a></a>") == b"<a></a>"
        assert len(pieces) == 1
        long = b"<a>" + bytes(3 * 64 * 1024) + b"</a>"
        assert await post(long) == long


async def test_requests_at_the_same_time_have_connections_of_their_own_which_are_used_again() -> None:
    peer = Peer()
    async with _peer(peer) as post:
        for _ in range(3):
            assert await asyncio.gather(*(post() for _ in range(4))) == [204] * 4
    assert peer.connections == 4


async def test_closed_connection_is_replaced() -> None:
    peer = Peer(
        answer=b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", close_after=True
    )
    async with _peer(peer) as post:
        assert [await post() for _ in range(3)] == [200] * 3
    assert peer.connections == 3


async def test_endless_answer_is_not_read_to_its_end() -> None:
    length = MAX_ANSWER_BYTES * 50
    peer = Peer(answer=f"HTTP/1.1 400 Bad\r\nContent-Length: {length}\r\n\r\n".encode() + b"x" * length)
    async with _peer(peer) as post:
        assert await post() == 400
        assert await post() == 400
    assert peer.connections == 2


async def test_an_answer_that_trickles_in_has_an_end() -> None:
    left = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"<a/>")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)
        left.set()

    async with (
        await asyncio.start_server(trickle, "127.0.0.1", 0) as server,
        KeptConnections(ssl.create_default_context()) as transport,
    ):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        request = httpx.Request("POST", url, content=b"<a/>", extensions={"timeout": {"read": 0.1}})
        with pytest.raises(httpx.TransportError, match="in time"):
            await transport.handle_async_request(request)
        await left.wait()


@pytest.mark.parametrize("answer", [b"", b"what\r\n\r\n"])
async def test_what_is_no_answer_is_an_error_of_the_transport(answer: bytes) -> None:
    async with _peer(Peer(answer=answer, close_after=True)) as post:
        with pytest.raises(httpx.TransportError):
            await post()


async def test_nobody_there_is_an_error_of_the_transport() -> None:
    peer = Peer()
    async with _peer(peer) as post:
        await post()
        peer.port = 1
        with pytest.raises(httpx.TransportError, match="ConnectError"):
            await post()
