"""PostgreSQL: commits are kept whole or not at all, whatever dies, process, server or laboratory."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from crashing import campaign, check

import smetslab
from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc.service_user import UTRN_COUNTER_STEP
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import RequestId, parse_response
from smetslab.errors import StoreError
from smetslab.gbcs.codes import CellUsage, KeyUsage
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.harness.runner import RunResult, run_suite
from smetslab.harness.suites.f4_smoke import SUITE
from smetslab.harness.verdict import Verdict
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, StoreConfig, load_lab
from smetslab.registry import DeviceStatus
from smetslab.store import PowerCut, Store

STEPS = ("begin", "counted", "deleted", "written", "committed")
OLD = {f"log/{number:02}": b"old" for number in range(50)}
NEW = OLD | {f"log/{number:02}": b"new" for number in range(25, 75)}

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(smetslab.__file__).parent.parent)}


def write(store: Store, items: dict[str, bytes], owner: str = "meter") -> None:
    with store.nvm(owner).transaction() as transaction:
        for key, value in items.items():
            transaction.put(key, value)


def kept(url: str, owner: str = "meter") -> tuple[int, dict[str, bytes]]:
    """What a new process would find."""
    with Store(url) as store:
        return store.nvm(owner).generation, dict(store.nvm(owner).items())


# Transactions -----------------------------------------------------------------------------------------------


def test_everything_a_memory_may_hold_comes_back_as_it_was(postgres_url: str) -> None:
    items = {
        "octets": bytes(range(256)),
        "nothing": b"",
        "long": bytes(range(256)) * 8192,
        "k" * 200: b"the longest key",
        "été % _ \\ ' \" ß €": b"characters that mean something to somebody",
        "B": b"sorted as Python sorts, whatever the server's collation",
        "a": b"",
    }
    owner = "ö" * 100
    with Store(postgres_url) as store:
        write(store, items, owner)
        with store.nvm(owner).transaction() as transaction:
            transaction.put_json("state", {"b": [1, True, None], "a": "é"})
            transaction.delete("a")
        del items["a"]
    with Store(postgres_url) as store:
        nvm = store.nvm(owner)
        assert nvm.generation == 2
        assert nvm.get_json("state") == {"b": [1, True, None], "a": "é"}
        assert nvm.items() == sorted({**items, "state": '{"a":"é","b":[1,true,null]}'.encode()}.items())
        assert store.owners() == [owner]


def test_forgotten_owners_begin_anew_and_others_stay(postgres_url: str) -> None:
    with Store(postgres_url) as store:
        for owner in ("case_1/meter", "caseX1/meter", "case_1/hub", "meter"):
            write(store, {"a": b"1"}, owner)
    with Store(postgres_url) as store:
        store.forget("case_1/")
        assert store.owners() == ["caseX1/meter", "meter"]
        assert (store.nvm("case_1/meter").generation, store.nvm("case_1/meter").items()) == (0, [])
        write(store, {"b": b"2"}, "case_1/meter")
    assert kept(postgres_url, "case_1/meter") == (1, {"b": b"2"})


def test_second_process_that_believes_to_be_the_same_device_is_caught(postgres_url: str) -> None:
    with Store(postgres_url) as ours, Store(postgres_url) as theirs:
        for store in (ours, theirs):
            assert store.nvm("meter").items() == []
        write(ours, {"counter": b"1"})
        with pytest.raises(StoreError, match="duplicate key"):
            write(theirs, {"counter": b"2"})
        assert theirs.nvm("meter").get("counter") == b"1"
        write(theirs, {"counter": b"3"})
        with pytest.raises(StoreError, match="written by another process"):
            write(ours, {"counter": b"4", "other": b"4"})
    assert kept(postgres_url) == (2, {"counter": b"3"})


def test_processes_that_open_a_new_database_at_once_all_find_it_ready(postgres_url: str) -> None:
    together = threading.Barrier(4)
    faults: list[Exception] = []

    def work(owner: str) -> None:
        together.wait()
        try:
            with Store(postgres_url) as store:
                for number in range(10):
                    write(store, {f"{number}": owner.encode()}, owner)
        except StoreError as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(f"meter-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for number in range(4):
        owner = f"meter-{number}"
        assert kept(postgres_url, owner) == (10, {f"{n}": owner.encode() for n in range(10)})


def test_server_that_is_not_there_is_one_clear_line_without_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        Store("postgresql://meter:secret@/lab?host=/nowhere").__enter__()
    text = str(caught.value)
    assert "/nowhere" in text
    assert "secret" not in text
    assert "\n" not in text


def test_gathered_commits_are_on_the_server_when_durable_returns(postgres_cluster, postgres_url: str) -> None:
    async def main() -> None:
        with Store(postgres_url) as store:
            async with store.grouping():
                for number in range(20):
                    write(store, {"count": bytes((number,)), f"item/{number:02}": b"x"}, "meter")
                write(store, {"count": b"one"}, "hub")
                assert store.nvm("meter").get("count") == bytes((19,))
                assert kept(postgres_url, "hub") == (0, {})
                await store.durable()
                assert kept(postgres_url, "hub") == (1, {"count": b"one"})
                generation, items = kept(postgres_url, "meter")
                assert (generation, len(items), items["count"]) == (20, 21, bytes((19,)))
                postgres_cluster.restart()
                write(store, {"count": b"two"}, "hub")
                await store.durable()
                assert kept(postgres_url, "hub") == (2, {"count": b"two"})
                write(store, {"count": b"three"}, "hub")
            # Whoever leaves the block leaves nothing unwritten.
            assert kept(postgres_url, "hub") == (3, {"count": b"three"})

    asyncio.run(main())


# What dies: the device, its process, the server -------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_power_cut_at_any_step_leaves_all_old_or_all_new(step: str, postgres_url: str) -> None:
    armed: list[str] = []

    def on_step(name: str) -> None:
        if name in armed:
            raise PowerCut(name)

    with Store(postgres_url, on_step=on_step) as store:
        write(store, OLD)
        armed.append(step)
        with pytest.raises(PowerCut):
            write(store, NEW)
        armed.clear()
        expected = (2, NEW) if step == "committed" else (1, OLD)
        assert (store.nvm("meter").generation, dict(store.nvm("meter").items())) == expected
        assert kept(postgres_url) == expected


_WRITER = """
import sys
from smetslab.store import Store
url, step = sys.argv[1:]
armed = []
def on_step(name):
    if armed and name == step:
        print("here", flush=True)
        sys.stdin.readline()
with Store(url, on_step=on_step) as store:
    nvm = store.nvm("meter")
    with nvm.transaction() as transaction:
        for number in range(50):
            transaction.put(f"log/{number:02}", b"old")
    armed.append(True)
    with nvm.transaction() as transaction:
        for number in range(25, 75):
            transaction.put(f"log/{number:02}", b"new")
"""


@pytest.mark.parametrize("step", STEPS)
def test_process_killed_at_any_step_leaves_all_old_or_all_new_and_no_lock(
    step: str, postgres_url: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, postgres_url, step],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        writer.kill()
        assert writer.wait(30) == -signal.SIGKILL
    generation, items = (2, NEW) if step == "committed" else (1, OLD)
    with Store(postgres_url) as store:
        assert (store.nvm("meter").generation, dict(store.nvm("meter").items())) == (generation, items)
        # Its successor goes on at once: nothing that the dead one held is in the way.
        write(store, {"next": b"1"})
    assert kept(postgres_url) == (generation + 1, {**items, "next": b"1"})


@pytest.mark.parametrize("step", STEPS)
def test_server_that_restarts_at_any_step_leaves_all_old_or_all_new(
    step: str, postgres_cluster, postgres_url: str
) -> None:
    armed: list[str] = []

    def on_step(name: str) -> None:
        if name in armed:
            armed.clear()
            postgres_cluster.restart()

    with Store(postgres_url, on_step=on_step) as store:
        write(store, OLD)
        armed.append(step)
        if step == "committed":
            write(store, NEW)
        else:
            with pytest.raises(StoreError, match="connection"):
                write(store, NEW)
        generation, items = (2, NEW) if step == "committed" else (1, OLD)
        nvm = store.nvm("meter")
        assert (nvm.generation, dict(nvm.items())) == (generation, items)
        # The same store goes on with the server that is there now.
        write(store, {"next": b"1"})
    assert kept(postgres_url) == (generation + 1, {**items, "next": b"1"})


# A whole laboratory -----------------------------------------------------------------------------------------


@pytest.fixture
def lab_on(tmp_path: Path) -> Callable[..., LabConfig]:
    """`lab_on(url, minutes=5)`: the built-in lab on that store, its time beginning so much later."""

    def make(url: str, *, minutes: int = 0) -> LabConfig:
        text, stores = re.subn(r"(?m)^url = .*$", f'url = "{url}"', load_lab().source_text.decode(), count=1)
        assert stores == 1
        # The last table is that of the meter.
        text = re.sub(r"(?m)^state = .*\n", "", text) + 'state = { payment_mode = "prepayment" }\n'
        path = tmp_path / "lab.toml"
        path.write_text(text, encoding="utf-8")
        config = load_lab(path)
        return config.model_copy(update={"epoch": config.epoch + timedelta(minutes=minutes)})

    return make


_LABORATORY = """
import os, signal, sys
from smetslab.clock import run_virtual
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
lab_file, moment = sys.argv[1:]
request = sys.stdin.buffer.read()
async def main(clock):
    async with Lab(load_lab(lab_file)) as lab:
        def watch(seen):
            if seen.event == moment:
                os.kill(os.getpid(), signal.SIGKILL)
        lab.trace.subscribe(watch)
        sys.stdout.buffer.write(await lab.dcc.receive(request))
        sys.stdout.flush()
        await lab.clock.sleep(60)
run_virtual(main)
"""

MOMENTS = {
    "RequestReceived": (None, 0),
    "RequestAccepted": ("I0", 1),
    "CommandSent": ("I0", 1),
    "CommandAuthenticated": ("I0", 1),
    "CommandExecuted": ("I0", 1),
    "ResponseReceived": ("I0", 1),
}
"""When the whole laboratory is killed; the final response to the top-up, and how often it was credited.

What the in-process WAN carried comes again with the laboratory. A command that a meter had taken and not
carried out is sent again, a response that it had not handed over it remembers.
"""


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_laboratory_goes_on_where_it_stopped(
    moment: str, postgres_cluster, postgres_url: str, lab_on: Callable[..., LabConfig], tmp_path: Path
) -> None:
    config = lab_on(postgres_url)
    supplier, esme, request = _top_up(config)
    died = subprocess.run(
        [sys.executable, "-c", _LABORATORY, str(tmp_path / "lab.toml"), moment],
        input=request,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=240,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    # The first two moments lie before the synchronous answer.
    acknowledged = moment not in {"RequestReceived", "RequestAccepted"}
    assert (parse_response(died.stdout).code == "I99") if acknowledged else (died.stdout == b"")
    postgres_cluster.restart()
    final, credited = MOMENTS[moment]

    async def main(clock: LoopClock) -> None:
        async with Lab(lab_on(postgres_url, minutes=1)) as lab:
            if final is not None:
                document = await lab.dcc.final_response(RequestId(supplier, esme, UTRN_COUNTER_STEP))
                assert parse_response(document).code == final
            assert _top_ups(lab, esme) == credited
            # The user who asks again is refused by the counter, unless nobody had taken the first request.
            again = parse_response(await lab.dcc.submit(request))
            assert again.code == ("I0" if final is None else "E65")
            assert _top_ups(lab, esme) == (1 if final is None else credited)

    run_virtual(main)


def test_registry_ledger_and_devices_are_on_the_server_and_survive_it(
    postgres_cluster, postgres_url: str, lab_on: Callable[..., LabConfig]
) -> None:
    config = lab_on(postgres_url)
    esme = config.premises[0].devices[0].eui64
    hub = config.premises[0].hub.eui64

    async def first(clock: LoopClock) -> None:
        async with Lab(config) as lab:
            user = lab.users["supplier"]
            assert (await user.request("7.2", esme)).ok
            lab.inventory.set_status(esme, DeviceStatus.SUSPENDED)
            lab.inventory.set_status(esme, DeviceStatus.COMMISSIONED)
            lab.inventory.set_status(hub, DeviceStatus.SUSPENDED)
            postgres_cluster.restart()
            # While the laboratory lives it does not notice.
            assert (await user.request("7.4", esme)).parameters == {"supply_state": "Disabled"}
            lab.wan.outage(True)
            later = user.document("7.4", esme, None, CommandVariant.SEND, counter=2000)
            assert parse_response(await lab.dcc.receive(later)).code == "I99"

    async def second(clock: LoopClock) -> None:
        async with Lab(lab_on(postgres_url, minutes=1)) as lab:
            supplier = lab.users["supplier"]
            statuses = {device.device_id: device.status for device in lab.inventory.devices()}
            assert statuses == {esme: DeviceStatus.COMMISSIONED, hub: DeviceStatus.SUSPENDED}
            held = await lab.dcc.final_response(RequestId(supplier.party, esme, 2000))
            assert supplier.open_response(held).parameters == {"supply_state": "Disabled"}
            # The DCC and the meter have both kept the counters.
            assert (await supplier.request("7.4", esme, counter=2000)).code == "E65"
            assert (await supplier.request("7.4", esme, counter=2001)).ok

    run_virtual(first)
    postgres_cluster.restart()
    run_virtual(second)
    with Store(postgres_url) as store:
        radios = {f"{hub}/radio", f"{esme}/radio"}
        assert set(store.owners()) == {"dcc", "registry", "wan", str(hub), str(esme), *radios}


def test_suite_case_does_the_same_on_postgres_as_in_memory(
    postgres_url: str, lab_on: Callable[..., LabConfig], tmp_path: Path
) -> None:
    ids = ("ECS43-COUNTER-OVER-POWER-CUT", "ECS28a-PENDING-OVER-POWER-CUT")

    def run(url: str) -> RunResult:
        lab_on(url)
        cases = [case for case in SUITE.cases if case.id in ids]
        return run_suite(SUITE, SUITE.prepare(tmp_path / "lab.toml"), 7, cases=cases)

    # Twice on the same server: a case begins with new devices, whatever an earlier one left in the store.
    in_memory, first, second = run("sqlite://"), run(postgres_url), run(postgres_url)
    assert [result.verdict for result in first.results] == [Verdict.PASS] * len(ids)
    assert first.records == second.records == in_memory.records
    with Store(postgres_url) as store:
        owners = store.owners()
    assert len({owner.partition("/")[0] for owner in owners}) == len(ids)
    assert {owner.partition("/")[2] for owner in owners} >= {"dcc", "registry", "00DB1234567890A0"}


def _top_up(config: LabConfig) -> tuple[Eui64, Eui64, bytes]:
    """Supplier, meter, and the request of the one for ten pounds on the other; its counter is the first."""

    async def main(clock: LoopClock) -> tuple[Eui64, Eui64, bytes]:
        async with Lab(config.model_copy(update={"store": StoreConfig()})) as lab:
            supplier, esme = lab.users["supplier"], config.premises[0].devices[0].eui64
            key = lab.keystore.private_key(
                supplier.party, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP
            )
            device = lab.keystore.find(esme, KeyUsage.KEY_AGREEMENT).certificate.public_key
            token = build_utrn(
                counter=UTRN_COUNTER_STEP,
                value_class=ValueClass.POUNDS,
                value=10,
                secret=lab.secrets.get(key, device),
                supplier=supplier.party,
                device=esme,
            )
            request = supplier.document("2.2", esme, {"UTRN": token.digits}, CommandVariant.SEND)
            return supplier.party, esme, request

    return run_virtual(main)


def _top_ups(lab: Lab, esme: Eui64) -> int:
    """How often ten pounds were credited: debts take some of them, and time a little."""
    account = lab.devices[esme].inspect()["account"]
    assert isinstance(account, dict)
    balance = account["meter_balance"]
    assert isinstance(balance, int)
    return round((balance - 250_000) / 900_000)


def test_a_laboratory_that_is_killed_again_and_again_loses_nothing_on_a_server(
    postgres_url: str, tmp_path: Path
) -> None:
    books = campaign(tmp_path, homes=2, requests=12, kills=2, seed=5, limit_s=120, store=postgres_url)
    assert books.kills == 2
    check(books, homes=2)
