"""A real process is killed in mid-work: every acknowledged request has exactly one final response, and no
meter does anything twice. The long form is `tests/soak/test_crash.py`.
"""

from __future__ import annotations

from pathlib import Path

from crashing import campaign, check


def test_a_killed_laboratory_answers_each_request_once_and_does_nothing_twice(tmp_path: Path) -> None:
    books = campaign(tmp_path, homes=2, requests=12, kills=1, seed=11, limit_s=60)
    assert books.kills == 1
    check(books, homes=2)
    assert books.codes() == {"I0": 12}
