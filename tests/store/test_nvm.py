"""Non-volatile memory: transactions are kept whole or not at all, wherever the power goes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import smetslab
from smetslab.clock import LoopClock, run_virtual
from smetslab.errors import LocalProtocolError, StoreError, UsageError
from smetslab.store import Nvm, PowerCut, Store

STEPS = ("begin", "counted", "deleted", "written", "committed")


def test_a_transaction_is_visible_only_when_its_block_is_left() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            transaction.put("counter", b"1")
            assert transaction.get("counter") == b"1"
            assert nvm.get("counter") is None
            assert nvm.generation == 0
        assert nvm.get("counter") == b"1"
        assert nvm.generation == 1


def test_owners_do_not_see_each_other() -> None:
    with Store() as store:
        for owner in ("meter", "hub"):
            with store.nvm(owner).transaction() as transaction:
                transaction.put("name", owner.encode())
        assert store.nvm("meter").items() == [("name", b"meter")]
        assert store.nvm("hub").get("name") == b"hub"
        assert store.owners() == ["hub", "meter"]
        assert store.nvm("meter") is store.nvm("meter")


def test_items_are_sorted_and_chosen_by_prefix() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            for key in ("log/2", "a", "log/10", "log", "logs", "log/1"):
                transaction.put(key, key.encode())
        with nvm.transaction() as transaction:
            transaction.delete("log/2")
            transaction.delete("not there")
        assert [key for key, _ in nvm.items("log/")] == ["log/1", "log/10"]
        assert [key for key, _ in nvm.items()] == ["a", "log", "log/1", "log/10", "logs"]


def test_clear_forgets_old_and_new_items_of_a_prefix() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            transaction.put("log/1", b"1")
            transaction.put("keep", b"1")
        with nvm.transaction() as transaction:
            transaction.put("log/2", b"2")
            transaction.clear("log/")
            transaction.put("log/3", b"3")
        assert nvm.items() == [("keep", b"1"), ("log/3", b"3")]


def test_json_is_kept_in_one_canonical_form() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            transaction.put_json("state", {"b": [1, True, None, 0.5], "a": "é"})
            assert transaction.get_json("state") == {"a": "é", "b": [1, True, None, 0.5]}
            transaction.put("broken", b"{")
        assert nvm.get("state") == '{"a":"é","b":[1,true,null,0.5]}'.encode()
        assert nvm.get_json("state") == {"a": "é", "b": [1, True, None, 0.5]}
        assert nvm.get_json("missing") is None
        with pytest.raises(StoreError, match="meter holds no JSON value under broken"):
            nvm.get_json("broken")
        with nvm.transaction() as transaction, pytest.raises(LocalProtocolError):
            transaction.put_json("state", float("nan"))


def test_an_exception_leaves_everything_as_it_was() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            transaction.put("counter", b"1")
        with pytest.raises(ZeroDivisionError), nvm.transaction() as transaction:
            transaction.put("counter", b"2")
            raise ZeroDivisionError
        assert (nvm.get("counter"), nvm.generation) == (b"1", 1)


def test_cancellation_at_an_await_leaves_everything_as_it_was() -> None:
    async def main(clock: LoopClock) -> bytes | None:
        with Store() as store:
            nvm = store.nvm("meter")

            async def device() -> None:
                with nvm.transaction() as transaction:
                    transaction.put("counter", b"2")
                    await clock.sleep(10)

            task = asyncio.create_task(device())
            await clock.sleep(5)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with nvm.transaction() as transaction:
                transaction.put("other", b"1")
            return nvm.get("counter")

    assert run_virtual(main) is None


def test_only_one_transaction_of_an_owner_is_open() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        second = nvm.transaction()
        with (
            nvm.transaction(),
            store.nvm("hub").transaction(),
            pytest.raises(LocalProtocolError, match="open"),
        ):
            second.__enter__()
        with nvm.transaction() as transaction:
            transaction.put("a", b"1")
        with pytest.raises(LocalProtocolError, match="outside"):
            transaction.put("a", b"2")


def test_a_transaction_without_changes_commits_nothing() -> None:
    with Store() as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            transaction.delete("nothing")
        assert nvm.generation == 0
        assert store.owners() == []


@pytest.mark.parametrize("key", ["", "k" * 201, "a\0b"])
def test_keys_that_a_database_may_mangle_are_refused(key: str) -> None:
    with Store() as store, store.nvm("meter").transaction() as transaction, pytest.raises(LocalProtocolError):
        transaction.put(key, b"")


def test_a_file_survives_the_process_that_wrote_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    with Store(url) as store, store.nvm("meter").transaction() as transaction:
        transaction.put("counter", bytes(range(256)))
    with Store(url) as store:
        assert store.nvm("meter").items() == [("counter", bytes(range(256)))]
        assert store.nvm("meter").generation == 1


def test_a_file_is_written_durably(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'lab.sqlite'}") as store, store._open().connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_another_process_that_believes_to_be_the_same_device_is_caught(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    with Store(url) as ours, Store(url) as theirs:
        for store in (ours, theirs):
            assert store.nvm("meter").get("counter") is None
        with ours.nvm("meter").transaction() as transaction:
            transaction.put("counter", b"1")
        with pytest.raises(StoreError), theirs.nvm("meter").transaction() as transaction:
            transaction.put("counter", b"2")
        assert theirs.nvm("meter").get("counter") == b"1"
        with theirs.nvm("meter").transaction() as transaction:
            transaction.put("counter", b"3")
        with (
            pytest.raises(StoreError, match="written by another process"),
            ours.nvm("meter").transaction() as t,
        ):
            t.put("counter", b"4")
        assert ours.nvm("meter").get("counter") == b"3"


def test_a_file_that_is_no_database_gives_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are not the tables you are looking for\n" * 50)
    with pytest.raises(StoreError) as caught:
        Store(f"sqlite:///{path}").__enter__()
    assert "file is not a database" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lab.sqlite"
    with Store(f"sqlite:///{path}"):
        pass
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"schema version 99.*use a newer smetslab"):
        Store(f"sqlite:///{path}").__enter__()


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE nvm (something INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="that smetslab did not make"):
        Store(f"sqlite:///{path}").__enter__()


@pytest.mark.parametrize("url", ["", "lab.sqlite", "oracle8://x", "sqlite+nonsense://"])
def test_a_url_that_names_no_database_is_the_users_mistake(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Store(url).__enter__()
    assert caught.value.hint


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        Store(f"sqlite:///{tmp_path / 'no' / 'lab.sqlite'}").__enter__()


def test_a_closed_store_says_so() -> None:
    store = Store()
    with pytest.raises(LocalProtocolError, match="not open"):
        store.nvm("meter").get("a")
    assert "secret" not in repr(Store("postgresql://user:secret@host/db"))


def _cut_at(step: str, url: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Commit {a: new, c: new} over {a: old, b: old} with the power going at `step`: what it sees after, and
    on the disk.
    """
    armed: list[str] = []

    def on_step(name: str) -> None:
        if name in armed:
            raise PowerCut(f"at {name}")

    with Store(url, on_step=on_step) as store:
        nvm = store.nvm("meter")
        with nvm.transaction() as transaction:
            transaction.put("a", b"old")
            transaction.put("b", b"old")
        armed.append(step)
        with pytest.raises(PowerCut), nvm.transaction() as transaction:
            transaction.put("a", b"new")
            transaction.delete("b")
            transaction.put("c", b"new")
        armed.clear()
        seen = dict(nvm.items())
        kept = dict(store.load("meter")[1])
    return seen, kept


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_power_cut_at_any_step_leaves_all_old_or_all_new(step: str, kind: str, tmp_path: Path) -> None:
    url = "sqlite://" if kind == "memory" else f"sqlite:///{tmp_path / 'lab.sqlite'}"
    seen, kept = _cut_at(step, url)
    old, new = {"a": b"old", "b": b"old"}, {"a": b"new", "c": b"new"}
    assert seen == kept == (new if step == "committed" else old)


_DYING_WRITER = """
import os, sys
from smetslab.store import Store
url, step = sys.argv[1:]
armed = []
def on_step(name):
    if armed and name == step:
        os._exit(9)
with Store(url, on_step=on_step) as store:
    nvm = store.nvm("meter")
    with nvm.transaction() as transaction:
        for number in range(50):
            transaction.put(f"log/{number}", b"old")
    armed.append(True)
    with nvm.transaction() as transaction:
        for number in range(25, 75):
            transaction.put(f"log/{number}", b"new")
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_dies_while_committing_leaves_all_old_or_all_new(step: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    environment = {**os.environ, "PYTHONPATH": str(Path(smetslab.__file__).parent.parent)}
    died = subprocess.run(
        [sys.executable, "-c", _DYING_WRITER, url, step], check=False, capture_output=True, env=environment
    )
    assert died.returncode == 9, died.stderr.decode()
    with Store(url) as store:
        kept = dict(store.nvm("meter").items())
    old = {f"log/{number}": b"old" for number in range(50)}
    new = old | {f"log/{number}": b"new" for number in range(25, 75)}
    assert kept == (new if step == "committed" else old)


class PowerCutMachine(RuleBasedStateMachine):
    """Random transactions, cut at random steps, against a plain dictionary."""

    keys = st.sampled_from(["a", "b", "log/1", "log/2"])
    changes = st.dictionaries(keys, st.none() | st.binary(max_size=4), max_size=4)

    def __init__(self) -> None:
        super().__init__()
        self.cut_at = ""
        self.model: dict[str, bytes] = {}
        self.store = Store(on_step=self._step)
        self.store.__enter__()

    def _step(self, name: str) -> None:
        if name == self.cut_at:
            raise PowerCut(name)

    def teardown(self) -> None:
        self.store.__exit__(None, None, None)

    @property
    def nvm(self) -> Nvm:
        return self.store.nvm("meter")

    @rule(
        changes=changes,
        clear=st.none() | st.sampled_from(["", "log/"]),
        cut=st.sampled_from(["", "", *STEPS]),
    )
    def commit(self, changes: dict[str, bytes | None], clear: str | None, cut: str) -> None:
        wanted = dict(self.model)
        self.cut_at = cut
        generation = self.nvm.generation
        with suppress(PowerCut), self.nvm.transaction() as transaction:
            if clear is not None:
                transaction.clear(clear)
                wanted = {key: value for key, value in wanted.items() if not key.startswith(clear)}
            for key, value in changes.items():
                if value is None:
                    transaction.delete(key)
                    wanted.pop(key, None)
                else:
                    transaction.put(key, value)
                    wanted[key] = value
        if cut in ("", "committed"):
            self.model = wanted
        else:
            assert self.nvm.generation == generation
        self.cut_at = ""

    @rule(changes=changes)
    def abandon(self, changes: dict[str, bytes | None]) -> None:
        with suppress(ZeroDivisionError), self.nvm.transaction() as transaction:
            for key, value in changes.items():
                if value is not None:
                    transaction.put(key, value)
            raise ZeroDivisionError

    @invariant()
    def memory_is_what_was_committed(self) -> None:
        expected = sorted(self.model.items())
        assert self.nvm.items() == expected
        assert sorted(self.store.load("meter")[1].items()) == expected
        assert self.nvm.items("log/") == [item for item in expected if item[0].startswith("log/")]


TestPowerCutMachine: Any = PowerCutMachine.TestCase
TestPowerCutMachine.settings = settings(max_examples=40)
