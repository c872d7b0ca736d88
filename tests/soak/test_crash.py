"""The long crash test: a thousand requests to fifty homes, killed fifty times; in one process, and with the
homes in a process of their own behind a broker.

`make soak`. CRASH_REQUESTS, CRASH_HOMES and CRASH_KILLS make it shorter or longer.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashing import campaign, check

pytestmark = pytest.mark.soak

REQUESTS = int(os.environ.get("CRASH_REQUESTS", "1000"))
HOMES = int(os.environ.get("CRASH_HOMES", "50"))
KILLS = int(os.environ.get("CRASH_KILLS", "50"))


@pytest.fixture(params=["in one process", "over a broker"])
def wan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """The address of a mosquitto of our own, None for the WAN in the process."""
    if request.param == "in one process":
        yield None
        return
    pytest.importorskip("aiomqtt", reason="needs the extra `mqtt`")
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lines = (f"listener {port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true")
    (tmp_path / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    broker = subprocess.Popen([program, "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    yield f"mqtt://127.0.0.1:{port}/soak"
    broker.kill()
    broker.wait()


def test_nothing_is_lost_and_nothing_done_twice(
    tmp_path: Path, wan: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    books = campaign(tmp_path, homes=HOMES, requests=REQUESTS, kills=KILLS, seed=2026, limit_s=3600, wan=wan)
    credited = sum(sum(amounts.values()) for amounts in books.credited.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(books.keys)} requests, {books.kills} kills of the DCC and {books.premises_kills} of the "
            f"homes, {books.resent} sent again, {books.repeated} call-backs repeated, "
            f"finals {dict(books.codes())}, {credited} top-ups credited\n"
        )
    assert books.kills >= KILLS
    check(books, HOMES)
    assert books.codes() == {"I0": REQUESTS}
