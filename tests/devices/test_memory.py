"""Counters, caches, logs and credentials: what a device remembers, and over what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.counters import ExecutionCounters, OwnCounter, UtrnCache
from smetslab.devices.credentials import CELLS, NOBODY, ROOT_CELL, Cell, DeviceKeys, TrustAnchorStore
from smetslab.devices.event_log import EventLog
from smetslab.devices.limits import EVENT_LOG_ENTRIES, UTRN_CACHE_ENTRIES
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import OUTBOX_PREFIX, Outgoing, Workplace
from smetslab.errors import CertificateError, RegistryError
from smetslab.gbcs.codes import CellUsage, CounterFamily, DeviceType, KeyUsage, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.store import PowerCut, Store
from smetslab.trace import Trace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ESME = Eui64.parse("00DB1234567890A0")
SUPPLIER, NETWORK_OPERATOR = Eui64.parse("90B3D51F30010000"), Eui64.parse("90B3D51F30020000")
ORDINARY, CS02B = CounterFamily.ORDINARY, CounterFamily.CS02B


class StillClock:
    def now(self) -> datetime:
        return NOW

    def time(self) -> float:
        return 0.0


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        yield store


@pytest.fixture
def place(store: Store) -> Workplace:
    return Workplace(ESME, store.nvm("device"), Trace(StillClock()))  # type: ignore[arg-type]


def test_execution_counters_are_kept_for_each_party_and_family(place: Workplace) -> None:
    counters = ExecutionCounters(place.nvm, Quirks())
    with place.work(NOW) as work:
        counters.advance(work, SUPPLIER, ORDINARY, 10)
    for remembered in (counters, ExecutionCounters(place.nvm, Quirks())):
        assert not remembered.admits(SUPPLIER, ORDINARY, 10)
        assert remembered.admits(SUPPLIER, ORDINARY, 11)
        assert remembered.admits(SUPPLIER, CS02B, 1)
        assert remembered.admits(NETWORK_OPERATOR, ORDINARY, 1)
        assert not remembered.admits(NETWORK_OPERATOR, ORDINARY, 0)


@given(values=st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_an_execution_counter_never_goes_back(values: list[int]) -> None:
    with Store() as store:
        place = Workplace(ESME, store.nvm("device"), Trace(StillClock()))  # type: ignore[arg-type]
        counters = ExecutionCounters(place.nvm, Quirks())
        for value in values:
            with place.work(NOW) as work:
                counters.advance(work, SUPPLIER, ORDINARY, value)
        assert ExecutionCounters(place.nvm, Quirks()).get(SUPPLIER, ORDINARY) == max(values)


def test_the_own_counter_never_repeats(place: Workplace) -> None:
    taken = []
    for _ in range(3):
        counter = OwnCounter(place.nvm, Quirks(), 2000)
        with place.work(NOW) as work:
            taken += [counter.take(work), counter.take(work)]
    assert taken == [2000, 2001, 2002, 2003, 2004, 2005]


def test_the_cache_of_top_ups_keeps_the_highest(place: Workplace) -> None:
    cache = UtrnCache(place.nvm)
    for counter in range(UTRN_CACHE_ENTRIES, 0, -1):
        assert not cache.refuses(counter)
        with place.work(NOW) as work:
            cache.remember(work, counter)
    assert cache.refuses(0)
    assert not cache.refuses(1000)
    with place.work(NOW) as work:
        cache.remember(work, 1000)
    assert UtrnCache(place.nvm).counters == (*range(2, UTRN_CACHE_ENTRIES + 1), 1000)


def test_a_log_overwrites_its_oldest_entries(place: Workplace) -> None:
    log = EventLog(place.nvm, "security")
    for number in range(EVENT_LOG_ENTRIES + 5):
        with place.work(NOW) as work:
            log.append(work, 0x8F00 + number, NOW + timedelta(seconds=number), bytes((number,)))
    for remembered in (log, EventLog(place.nvm, "security")):
        assert len(remembered.entries) == EVENT_LOG_ENTRIES
        assert [entry.code for entry in remembered.entries][:2] == [0x8F05, 0x8F06]
        assert remembered.entries[-1].extra == bytes((104,))
    assert EventLog(place.nvm, "event").entries == ()


def test_a_log_is_read_between_two_times_inclusive(place: Workplace) -> None:
    log = EventLog(place.nvm, "event")
    for minute in range(5):
        with place.work(NOW) as work:
            log.append(work, 0x8100 + minute, NOW + timedelta(minutes=minute))
    found = log.between(NOW + timedelta(minutes=1), NOW + timedelta(minutes=3))
    assert [entry.code for entry in found] == [0x8101, 0x8102, 0x8103]
    assert len(log.between(None, None)) == 5


def test_work_that_is_not_committed_says_and_sends_nothing(place: Workplace) -> None:
    with pytest.raises(PowerCut), place.work(NOW) as work:
        work.tx.put("x", b"1")
        work.note("CommandExecuted")
        work.send(Outgoing(data=b"", target=SUPPLIER, event="ResponseSent", detail={}))
        raise PowerCut
    assert place.nvm.get("x") is None
    assert place.outbox == []


def test_a_message_that_has_left_is_forgotten(place: Workplace) -> None:
    key = f"{OUTBOX_PREFIX}1"
    message = Outgoing(data=b"a", target=SUPPLIER, event="AlertSent", detail={}, memory_key=key)
    with place.work(NOW) as work:
        work.tx.put(key, b"a")
        work.send(message)
    assert place.outbox == [message]
    place.sent(message)
    assert (place.outbox, place.nvm.get(key)) == ([], None)


def test_the_cells_of_a_meter_tell_who_is_known(head: Any) -> None:
    parties = {RemotePartyRole.SUPPLIER: SUPPLIER, RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR}
    cells = TrustAnchorStore.for_device(DeviceType.ESME, head.keystore, parties)
    assert cells.role_of(SUPPLIER) is RemotePartyRole.SUPPLIER
    assert cells.role_of(ESME) is None
    assert cells.party(RemotePartyRole.ACCESS_CONTROL_BROKER) is None
    management = cells.find(RemotePartyRole.SUPPLIER, KeyUsage.KEY_AGREEMENT)
    top_up = cells.find(RemotePartyRole.SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    assert management is not None
    assert top_up is not None
    assert management.public_key != top_up.public_key
    assert cells.key_of(SUPPLIER, KeyUsage.KEY_AGREEMENT) == management.public_key
    assert len(management.key_id) == 8
    assert len(cells.cells) == 5


def test_a_cell_is_filled_once_and_with_a_certificate_that_names_somebody(head: Any) -> None:
    certificate = head.keystore.find(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE).certificate
    cell = Cell.of(RemotePartyRole.SUPPLIER, CellUsage.MANAGEMENT, certificate)
    with pytest.raises(RegistryError, match="twice"):
        TrustAnchorStore([cell, cell])
    root = head.keystore.authorities()[0]
    assert Cell.of(RemotePartyRole.ROOT, CellUsage.MANAGEMENT, root).entity_id == NOBODY
    with pytest.raises(CertificateError):
        Cell.of(RemotePartyRole.SUPPLIER, CellUsage.MANAGEMENT, root)


def test_one_party_in_several_roles_has_them_all(head: Any) -> None:
    certificate = head.keystore.find(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE).certificate
    cells = TrustAnchorStore(
        Cell.of(role, CellUsage.MANAGEMENT, certificate)
        for role in (RemotePartyRole.SUPPLIER, RemotePartyRole.LOAD_CONTROLLER)
    )
    assert cells.roles_of(SUPPLIER) == (RemotePartyRole.SUPPLIER, RemotePartyRole.LOAD_CONTROLLER)


def test_device_keys_belong_to_their_certificates(head: Any) -> None:
    keys = DeviceKeys.from_keystore(head.keystore, ESME)
    assert keys.ds_certificate is not None
    assert keys.ds.public == keys.ds_certificate.public_key
    with pytest.raises(CertificateError):
        DeviceKeys.from_keystore(head.keystore, Eui64.parse("00DB1234567890AF"))


def test_every_device_type_has_its_cells_and_all_but_type_2_the_root() -> None:
    assert set(CELLS) == set(DeviceType)
    assert [name for name, cells in CELLS.items() if ROOT_CELL not in cells] == [DeviceType.TYPE_2]
