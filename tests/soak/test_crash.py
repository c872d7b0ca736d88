"""The long crash test: a thousand requests to fifty homes, killed fifty times.

`make soak`. CRASH_REQUESTS, CRASH_HOMES and CRASH_KILLS make it shorter or longer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from crashing import campaign, check

pytestmark = pytest.mark.soak

REQUESTS = int(os.environ.get("CRASH_REQUESTS", "1000"))
HOMES = int(os.environ.get("CRASH_HOMES", "50"))
KILLS = int(os.environ.get("CRASH_KILLS", "50"))


def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    books = campaign(tmp_path, homes=HOMES, requests=REQUESTS, kills=KILLS, seed=2026, limit_s=3600)
    credited = sum(sum(amounts.values()) for amounts in books.credited.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(books.keys)} requests, {books.kills} kills, {books.resent} sent again, "
            f"finals {dict(books.codes())}, {credited} top-ups credited\n"
        )
    assert books.kills >= KILLS
    check(books, HOMES)
