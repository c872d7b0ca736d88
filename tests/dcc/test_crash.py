"""A real process is killed in mid-work: every acknowledged request has exactly one final response, and no
meter does anything twice. The long form is `tests/soak/test_crash.py`.
"""

from __future__ import annotations

from pathlib import Path

from crashing import TOP_UPS, Books, campaign


def check(books: Books, homes: int) -> None:
    """What must be true after any number of kills."""
    assert books.complete, f"{len(books.answers)} answers, {len(books.finals)} finals of {len(books.keys)}"
    more = {key: numbers for key, numbers in books.finals.items() if len(numbers) != 1}
    assert more == {}
    assert set(books.finals) == set(books.keys)
    assert books.undelivered == 0
    for place, meter in enumerate(books.credited):
        amounts = books.credited[meter]
        twice = {amount: count for amount, count in amounts.items() if count > 1}
        assert twice == {}, (meter, twice)
        for turn in range(TOP_UPS):
            number = place + turn * homes
            if number < len(books.keys):
                [code] = books.finals[books.keys[number]].values()
                # Whoever was told that it was done finds it done.
                assert code != "I0" or amounts[turn + 1] == 1, (meter, turn)


def test_a_killed_laboratory_answers_each_request_once_and_does_nothing_twice(tmp_path: Path) -> None:
    books = campaign(tmp_path, homes=2, requests=12, kills=2, seed=11, limit_s=60)
    assert books.kills == 2
    check(books, homes=2)
    assert books.codes()["I0"] > 0
