"""What every test has: reproducible chance, the reference folders where they are set, and no leftovers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

pytest_plugins = ["pytester"]

_IN_CI = bool(os.environ.get("CI"))

# One machine, many runs: examples must not depend on yesterday's, nor a verdict on how busy the machine is.
settings.register_profile("smetslab", deadline=None, print_blob=True)
settings.register_profile("smetslab-ci", settings.get_profile("smetslab"), derandomize=True, database=None)
settings.load_profile("smetslab-ci" if _IN_CI else "smetslab")


# Reference material -----------------------------------------------------------------------------------------


def _reference(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set; point it at {what}")
    path = Path(value)
    if not path.exists():
        pytest.fail(f"{variable} is set, but {path} does not exist", pytrace=False)
    return path


@pytest.fixture(scope="session")
def rtds() -> Path:
    """The folder of the Reference Test Data Set."""
    return _reference("SMETSLAB_RTDS", "the folder of the Reference Test Data Set")


@pytest.fixture(scope="session")
def schema_dir() -> Path:
    """The folder of the DUIS and MMC schemas."""
    return _reference("SMETSLAB_SCHEMA", "the folder of the DUIS schemas")


@pytest.fixture(scope="session")
def keystore_json() -> Path:
    """The published ZAZ1 test key store."""
    return _reference("SMETSLAB_KEYSTORE", "the published keystore.json")


# Leftovers --------------------------------------------------------------------------------------------------

_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
_plain_init = socket.socket.__init__


def _counting_init(self: socket.socket, *args: object, **kwargs: object) -> None:
    _plain_init(self, *args, **kwargs)  # type: ignore[arg-type]
    _sockets.add(self)


def pytest_configure() -> None:
    socket.socket.__init__ = _counting_init  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    socket.socket.__init__ = _plain_init  # type: ignore[method-assign]


def _open_sockets() -> list[socket.socket]:
    return [one for one in list(_sockets) if one.fileno() != -1]


@pytest_asyncio.fixture
async def _test_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that leaves a task, timer, thread, open socket or unread error log behind.

    Set up before the test's own fixtures and torn down after them, but before the test's loop is closed. A
    test that expects an error to be logged reads it and then says `caplog.clear()`.
    """
    is_async = request.node.get_closest_marker("asyncio") is not None
    loop = request.getfixturevalue("_test_loop") if is_async else None
    threads_before = threading.enumerate()
    sockets_before = _open_sockets()
    yield
    left = []
    if loop is not None:
        left += [f"task {task.get_name()}: {task.get_coro()!r}" for task in asyncio.all_tasks(loop)]
        left += [f"timer {timer!r}" for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()]
        if threading.active_count() > len(threads_before):
            # The loop's own executor is not the test's to close.
            loop.run_until_complete(loop.shutdown_default_executor())
    left += [f"thread {thread.name}" for thread in threading.enumerate() if thread not in threads_before]
    left += [f"open socket {one!r}" for one in _open_sockets() if one not in sockets_before]
    left += [
        f"unread error log: {record.getMessage()}"
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR
    ]
    if left:
        pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)
