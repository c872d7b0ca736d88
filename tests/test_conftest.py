"""The guard that every test runs under notices what a careless test leaves behind."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

LEFTOVERS = {
    "task": """
        async def test_it():
            global task
            task = asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="forgotten")
    """,
    "timer": """
        async def test_it():
            asyncio.get_running_loop().call_later(1000, print)
    """,
    "thread": """
        release = threading.Event()
        def test_it():
            threading.Thread(target=release.wait, name="forgotten", daemon=True).start()
        def test_after():
            release.set()
    """,
    "open socket": """
        def test_it():
            global kept
            kept = socket.socket()
        def test_after():
            kept.close()
    """,
    "unread error log": """
        def test_it():
            logging.getLogger("x").error("went %s", "wrong")
    """,
}


@pytest.fixture(autouse=True)
def inner_logs_are_read(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What the tests inside the tests log reaches the outer log too, where nobody would read it."""
    yield
    caplog.get_records("call").clear()


def _run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
    imports = (
        "import asyncio, logging, socket, threading, pytest\nfrom hypothesis import given, strategies\n\n"
    )
    pytester.makepyfile(imports + textwrap.dedent(body))
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs")


@pytest.mark.parametrize("what", LEFTOVERS)
def test_leftover_fails_the_test_that_left_it(what: str, pytester: pytest.Pytester) -> None:
    result = _run(pytester, LEFTOVERS[what])
    result.assert_outcomes(passed=LEFTOVERS[what].count("def test"), errors=1)
    result.stdout.fnmatch_lines(["left behind:", f"  {what}*"])


def test_tidy_tests_pass(pytester: pytest.Pytester) -> None:
    result = _run(
        pytester,
        """
        @pytest.fixture
        async def server():
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            async with server:
                yield server

        async def test_connection(server):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

        async def test_executor():
            assert await asyncio.to_thread(threading.get_ident) != threading.get_ident()

        @given(strategies.integers())
        async def test_property(number):
            await asyncio.sleep(0)

        def test_expected_error(caplog):
            logging.getLogger("x").error("expected")
            assert caplog.messages == ["expected"]
            caplog.clear()
        """,
    )
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(("value", "outcome"), [("", "skipped"), ("no/such/folder", "errors")])
def test_reference_folder_is_skipped_only_where_it_is_not_set(
    value: str, outcome: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMETSLAB_RTDS", value)
    result = _run(pytester, "def test_it(rtds):\n    assert rtds")
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*SMETSLAB_RTDS is*set*"])
