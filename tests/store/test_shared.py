"""One database, several processes: a new one is made ready once, and owners can be forgotten."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from smetslab.errors import LocalProtocolError
from smetslab.store import Store


def write(store: Store, owner: str) -> None:
    with store.nvm(owner).transaction() as transaction:
        transaction.put("a", owner.encode())


def test_those_who_open_a_new_file_at_once_all_find_it_ready(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    together = threading.Barrier(4)
    faults: list[Exception] = []

    def work(owner: str) -> None:
        together.wait()
        try:
            with Store(url) as store:
                write(store, owner)
        except Exception as error:  # noqa: BLE001 - what a thread raises would otherwise be lost
            faults.append(error)

    owners = [f"meter-{number}" for number in range(4)]
    threads = [threading.Thread(target=work, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with Store(url) as store:
        assert store.owners() == owners


def test_forgotten_owners_begin_anew_and_others_stay(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    with Store(url) as store:
        for owner in ("case_1/meter", "caseX1/meter", "meter"):
            write(store, owner)
        with pytest.raises(LocalProtocolError, match="in use"):
            store.forget("case_1/")
    with Store(url) as store:
        store.forget("case_1/")
        assert store.owners() == ["caseX1/meter", "meter"]
        assert (store.nvm("case_1/meter").generation, store.nvm("case_1/meter").items()) == (0, [])
        write(store, "case_1/meter")
        assert store.nvm("case_1/meter").generation == 1
