"""Group commit: gathered commits are written together and in order, and nobody is told before."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smetslab
from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import LocalProtocolError, StoreError
from smetslab.store import Store
from smetslab.store.group import LINGER_S, RETRY_S, Batch, Group


def put(store: Store, owner: str, **items: bytes | None) -> None:
    with store.nvm(owner).transaction() as transaction:
        for key, value in items.items():
            if value is None:
                transaction.delete(key)
            else:
                transaction.put(key, value)


def kept(url: str, owner: str) -> tuple[int, dict[str, bytes]]:
    with Store(url) as store:
        return store.load(owner)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'lab.sqlite'}"


def test_gathered_commits_are_seen_at_once_and_in_the_database_when_durable_returns(url: str) -> None:
    async def main(clock: LoopClock) -> None:
        del clock
        with Store(url) as store:
            put(store, "meter", a=b"old", gone=b"old")
            async with store.grouping():
                put(store, "meter", a=b"new", gone=None)
                put(store, "meter", b=b"new", passing=b"by")
                put(store, "meter", passing=None)
                put(store, "hub", a=b"first")
                assert store.nvm("meter").items() == [("a", b"new"), ("b", b"new")]
                assert store.nvm("meter").generation == 4
                assert kept(url, "meter") == (1, {"a": b"old", "gone": b"old"})
                await store.durable()
                assert kept(url, "meter") == (4, {"a": b"new", "b": b"new"})
                assert kept(url, "hub") == (1, {"a": b"first"})

    run_virtual(main)


def test_what_nobody_waits_for_is_written_a_moment_later_or_at_the_end(url: str) -> None:
    async def main(clock: LoopClock) -> None:
        with Store(url) as store:
            async with store.grouping():
                put(store, "meter", a=b"1")
                await clock.sleep(2 * LINGER_S)
                assert kept(url, "meter") == (1, {"a": b"1"})
                put(store, "meter", a=b"2")
            assert kept(url, "meter") == (2, {"a": b"2"})
            # Behind the block a commit is one of its own again.
            put(store, "meter", a=b"3")
            assert kept(url, "meter") == (3, {"a": b"3"})

    run_virtual(main)


def test_waiters_of_one_moment_share_a_transaction(url: str) -> None:
    async def main(clock: LoopClock) -> list[str]:
        del clock
        steps: list[str] = []
        with Store(url, on_step=steps.append) as store:
            async with store.grouping():

                async def request(number: int) -> None:
                    put(store, "dcc", **{f"pending{number}": b"ready"})
                    await store.durable()

                await asyncio.gather(*(request(number) for number in range(20)))
        return steps

    assert run_virtual(main).count("committed") == 1


def test_memory_alone_is_grouped_too() -> None:
    async def main(clock: LoopClock) -> None:
        del clock
        with Store() as store:
            async with store.grouping():
                put(store, "meter", a=b"1")
                assert store.load("meter") == (0, {})
                await store.durable()
                assert store.load("meter") == (1, {"a": b"1"})

    run_virtual(main)


def test_who_waits_is_told_that_the_disk_is_full_and_nothing_is_forgotten() -> None:
    written: list[Batch] = []
    full = [True]

    def write(batch: Batch) -> None:
        if full:
            raise StoreError("disk full")
        written.append(batch)

    async def main(clock: LoopClock) -> None:
        async with Group(write, threaded=True) as group:
            group.add("meter", 0, {"a": b"1", "b": b"1"})
            with pytest.raises(StoreError, match="disk full"):
                await group.durable()
            group.add("meter", 1, {"b": None})
            with pytest.raises(StoreError, match="disk full"):
                await group.durable()
            full.clear()
            await clock.sleep(RETRY_S)
            await group.durable()
        assert [batch.generations for batch in written] == [{"meter": (0, 2)}]
        assert written[0].items == {("meter", "a"): (b"1", 1), ("meter", "b"): (None, 2)}

    run_virtual(main)


def test_last_commits_that_cannot_be_written_are_no_secret() -> None:
    def write(batch: Batch) -> None:
        raise StoreError("disk full")

    async def main(clock: LoopClock) -> None:
        del clock
        with pytest.raises(StoreError, match="disk full"):
            async with Group(write, threaded=True) as group:
                group.add("meter", 0, {"a": b"1"})

    run_virtual(main)


def test_another_process_that_believes_to_be_the_same_device_is_caught(url: str) -> None:
    async def main(clock: LoopClock) -> None:
        del clock
        with Store(url) as ours, Store(url) as theirs:
            put(ours, "meter", a=b"1")
            assert theirs.nvm("meter").get("a") == b"1"
            with pytest.raises(StoreError, match="meter was written by another process"):
                async with theirs.grouping():
                    put(ours, "meter", a=b"2")
                    put(theirs, "meter", a=b"3")
                    put(theirs, "hub", a=b"3")
                    await theirs.durable()
        assert kept(url, "meter") == (2, {"a": b"2"})
        assert kept(url, "hub") == (0, {})

    run_virtual(main)


def test_an_owner_cannot_jump_over_a_commit() -> None:
    batch = Batch()
    batch.add("meter", 3, {"a": b"1"})
    with pytest.raises(LocalProtocolError, match="after 5"):
        batch.add("meter", 5, {"a": b"2"})


_commits = st.lists(
    st.tuples(
        st.sampled_from(["meter", "hub"]),
        st.dictionaries(st.sampled_from("abc"), st.none() | st.binary(max_size=2), min_size=1),
    ),
    max_size=12,
)


@given(_commits, st.integers(0, 12))
def test_a_batch_and_a_later_one_are_what_one_batch_would_be(
    commits: list[tuple[str, dict[str, bytes | None]]], cut: int
) -> None:
    whole, parts = Batch(), (Batch(), Batch())
    generations = {"meter": 0, "hub": 7}
    for number, (owner, changes) in enumerate(commits):
        for batch in (whole, parts[number >= cut]):
            batch.add(owner, generations[owner], changes)
        generations[owner] += 1
    assert parts[0].followed_by(parts[1]) == whole


_DYING = """
import asyncio, os, sys
from smetslab.store import Store
url, step = sys.argv[1:]
armed = []
def on_step(name):
    if armed and name == step:
        os._exit(9)
async def main():
    with Store(url, on_step=on_step) as store:
        async with store.grouping():
            for number in range(3):
                for owner in ("dcc", "hub", "meter"):
                    with store.nvm(owner).transaction() as transaction:
                        transaction.put(f"{number}", b"done")
                if number == 1:
                    armed.append(True)
                await store.durable()
                print(number, flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("step", ["begin", "counted", "written", "committed"])
def test_a_process_that_dies_has_told_of_nothing_that_it_forgets(step: str, url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(smetslab.__file__).parent.parent)}
    died = subprocess.run(
        [sys.executable, "-c", _DYING, url, step], check=False, capture_output=True, env=environment
    )
    assert (died.returncode, died.stdout) == (9, b"0\n"), died.stderr.decode()
    seen = [kept(url, owner) for owner in ("dcc", "hub", "meter")]
    # All of them stand at the same moment.
    after = (2, {"0": b"done", "1": b"done"}) if step == "committed" else (1, {"0": b"done"})
    assert seen == [after] * 3
