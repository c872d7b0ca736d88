"""Slow and endless heads of requests, over real sockets: they cost their connection and hold up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from smetslab.dcc.services.listening import base_url, listen, running
from smetslab.dcc.services.patience import PatientProtocol

HEAD = b"POST / HTTP/1.1\r\nHost: dcc\r\nContent-Length: 2\r\n"


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode())


APP = Starlette(routes=[Route("/", answer, methods=["POST"])])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(PatientProtocol, "head_timeout_s", 0.3)
    monkeypatch.setattr(PatientProtocol, "max_head_octets", 4096)
    yield


def served(act: Callable[[int, str], object]) -> None:
    async def main() -> None:
        with listen("127.0.0.1", 0) as listening:
            async with asyncio.timeout(20), running(APP, listening, stop_within_s=1):
                await act(listening.getsockname()[1], base_url("http", "127.0.0.1", listening))  # type: ignore[misc]

    asyncio.run(main())


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, in good order or not."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def trickle(port: int, first: bytes) -> bytes:
    """Send `first` and then a header octet by octet; what came until the connection ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = asyncio.ensure_future(rest(reader))
    try:
        writer.write(first)
        while not answered.done():
            writer.write(b"x")
            await asyncio.sleep(0.05)
    except OSError:
        pass
    finally:
        writer.close()
    return await answered


def test_heads_that_do_not_end_cost_their_connection_and_hold_up_nobody() -> None:
    async def act(port: int, url: str) -> None:
        async with httpx.AsyncClient() as http:
            beginnings = (b"POST /", HEAD, HEAD + b"Slow: ") * 20
            slow = [asyncio.ensure_future(trickle(port, first)) for first in beginnings]
            await asyncio.sleep(0.1)
            assert (await http.post(url, content=b"ok")).text == "ok"
            assert await asyncio.gather(*slow) == [b""] * 60
            assert (await http.post(url, content=b"ok")).text == "ok"

    served(act)


def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    async def act(port: int, url: str) -> None:
        del url
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await rest(reader) == b""
        writer.close()

    served(act)


def test_a_second_request_of_a_connection_has_as_long_as_the_first() -> None:
    async def act(port: int, url: str) -> None:
        del url
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\nok")
        assert b"200 OK" in await reader.readuntil(b"ok")
        # Between two requests a connection may rest.
        await asyncio.sleep(0.5)
        writer.write(HEAD + b"\r\nok" + HEAD)
        assert b"200 OK" in await reader.readuntil(b"ok")
        assert await rest(reader) == b""
        writer.close()

    served(act)


def test_empty_lines_behind_a_request_do_not_keep_a_connection() -> None:
    async def act(port: int, url: str) -> None:
        del url
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\nok")
        assert b"200 OK" in await reader.readuntil(b"ok")
        answered = asyncio.ensure_future(rest(reader))
        for _ in range(40):
            writer.write(b"\r\n")
            await asyncio.sleep(0.05)
            if answered.done():
                break
        assert answered.done()
        assert await answered == b""
        writer.close()

    served(act)


def test_a_head_without_bounds_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "head_timeout_s", 10)

    async def act(port: int, url: str) -> None:
        del url
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Long: " + b"x" * 10_000)
        began = asyncio.get_running_loop().time()
        assert await rest(reader) == b""
        assert asyncio.get_running_loop().time() - began < 2
        writer.close()

    served(act)
