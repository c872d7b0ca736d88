"""What classes say themselves: methods on numbers and logs, activation with parts of a value, logs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.devices.cosem.model import buffer, copy, cosem_object, fixed, method, stored
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights, Mode, Right
from smetslab.devices.cosem.server import Bindings, CosemServer, Trigger
from smetslab.devices.payload_engine import Call
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.errors import RegistryError
from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.apdu import AccessRequest, Choice, DataAccessResult, Obis, Specification
from smetslab.gbcs.dlms.axdr import CompactArray, Data
from smetslab.gbcs.dlms.shapes import Compact, Num, Struct
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Value, date_time_octets, utc_text
from smetslab.ids import Eui64
from smetslab.store import Nvm, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUPPLIER = RemotePartyRole.SUPPLIER
REGISTER, MAXIMUM, CREDIT, CHARGE, LOG = (
    "0-0:1.1.1.255",
    "0-0:1.1.2.255",
    "0-0:1.1.3.255",
    "0-0:1.1.4.255",
    "0-0:1.1.5.255",
)
ACCOUNT, NEXT_ACCOUNT, LAST_RESET, DATED, MONITOR = (
    "0-0:2.1.1.255",
    "0-1:2.1.1.255",
    "0-0:2.1.2.255",
    "0-0:2.1.3.255",
    "0-0:2.1.4.255",
)
MONEY = Num(axdr.Tag.DOUBLE_LONG)
COUNT = Num(axdr.Tag.UNSIGNED)
MODE = Struct({"mode": Num(axdr.Tag.ENUM), "status": Num(axdr.Tag.ENUM)})
ENTRIES = Compact(Struct({"timestamp": shapes.TIME_STAMP, "value": Num(axdr.Tag.UNSIGNED)}))
CAPACITY = 3

MODEL = ObjectModel(
    [
        cosem_object(3, REGISTER, stored(2, "register", 7, COUNT), method(1, "reset_register")),
        cosem_object(1, LAST_RESET, stored(2, "last_reset", "never", shapes.DATE_TIME)),
        cosem_object(
            4,
            MAXIMUM,
            stored(2, "maximum", 9, COUNT),
            stored(5, "maximum_time", "never", shapes.DATE_TIME),
            method(1, "reset_maximum", stamps="last_reset"),
        ),
        cosem_object(
            112, CREDIT, stored(2, "credit", 100, MONEY), method(1, "add_credit"), method(2, "set_credit")
        ),
        cosem_object(
            113,
            CHARGE,
            stored(5, "rate", 1, COUNT),
            stored(6, "rate_passive", 2, COUNT),
            stored(7, "rate_activation", "never"),
            stored(12, "debt", 50, MONEY),
            method(2, "activate_rate"),
            method(4, "add_debt"),
        ),
        cosem_object(111, ACCOUNT, stored(2, "account", {"mode": 1, "status": 2}, MODE)),
        cosem_object(
            111,
            NEXT_ACCOUNT,
            stored(2, "account_passive", {"mode": 2, "status": 1}, MODE),
            stored(13, "account_activation", "never"),
            copies=(copy((111, NEXT_ACCOUNT, 2), (111, ACCOUNT, 2), ("mode",)),),
        ),
        cosem_object(21, MONITOR, stored(2, "thresholds", [5], shapes.ListOf(MONEY))),
        cosem_object(
            9000,
            DATED,
            stored(2, "active", 1, COUNT),
            stored(4, "passive", 30, MONEY),
            stored(6, "dated_activation", "never"),
            copies=(copy((9000, DATED, 4), (21, MONITOR, 2)),),
        ),
        cosem_object(7, LOG, buffer(2, "log", ENTRIES, capacity=CAPACITY), method(1, "clear_log")),
    ],
    {},
    DeviceType.ESME,
)

_MEMBERS = [(key, Mode.ACTION) for key in MODEL.methods] + [
    (key, mode) for key in MODEL.attributes for mode in (Mode.GET, Mode.SET)
]
RIGHTS = AccessRights([Right(c, Obis(o), mode, index, (SUPPLIER,)) for (c, o, index), mode in _MEMBERS])


class AtOnce:
    """Activates whatever is set."""

    def set_activation(self, call: Call, trigger: Trigger, octets: bytes) -> bool:
        del call, trigger, octets
        return True


class Table:
    def __init__(
        self, nvm: Nvm, state: dict[str, Value] | None = None, bindings: Bindings | None = None
    ) -> None:
        self.nvm = nvm
        self.server = CosemServer(
            model=MODEL,
            rights=RIGHTS,
            bindings=bindings or Bindings(device_time=lambda now: now + timedelta(hours=1)),
            schedule=AtOnce(),
            nvm=nvm,
            quirks=Quirks(),
            state=state,
        )

    def do(self, choice: Choice, class_id: int, obis: str, index: int, data: Data) -> DataAccessResult:
        request = AccessRequest(
            0x20000001, (Specification(choice, class_id, Obis.parse(obis), index),), (data,)
        )
        with self.nvm.transaction() as tx:
            response, _ = self.server.run(request, _call(Work(tx, NOW)))
        return response.results[0].result

    def act(self, class_id: int, obis: str, index: int, data: Data) -> DataAccessResult:
        return self.do(Choice.ACTION, class_id, obis, index, data)

    def record(self, *values: int) -> None:
        with self.nvm.transaction() as tx:
            for value in values:
                self.server.record(Work(tx, NOW), "log", _entry(value))

    def logged(self) -> list[Any]:
        return [entry["value"] for entry in self.server.entries("log") if isinstance(entry, dict)]


def _entry(value: int) -> dict[str, Value]:
    return {"timestamp": utc_text(NOW + timedelta(minutes=value)), "value": value}


def _call(work: Work) -> Call:
    def header(cra: Cra) -> Message:
        return Message(
            cra=cra,
            originator_counter=1,
            business_originator_id=Eui64(bytes(8)),
            business_target_id=Eui64(bytes(8)),
            other_information=OtherInformation(message_code=1),
            content=b"",
        )

    return Call(
        work=work,
        role=SUPPLIER,
        use_case=USE_CASES["ECS45"],
        command=header(Cra.COMMAND),
        response=header(Cra.RESPONSE),
        secret=None,
    )


@pytest.fixture
def nvm() -> Iterator[Nvm]:
    with Store() as store:
        yield store.nvm("table")


def test_a_register_is_reset(nvm: Nvm) -> None:
    table = Table(nvm)
    assert table.act(3, REGISTER, 1, axdr.integer(0)) is DataAccessResult.SUCCESS
    assert table.server.number("register") == 0
    assert Table(nvm).server.number("register") == 0


def test_the_reset_of_a_maximum_leaves_its_time_by_the_device_clock(nvm: Nvm) -> None:
    table = Table(nvm)
    table.act(4, MAXIMUM, 1, axdr.integer(0))
    assert table.server.number("maximum") == 0
    assert table.server.value("maximum_time") == "2026-01-01T01:00:00Z"
    assert table.server.value("last_reset") == "2026-01-01T01:00:00Z"


@pytest.mark.parametrize(
    ("index", "value", "result", "after"),
    [
        (1, axdr.double_long(-30), DataAccessResult.SUCCESS, 70),
        (2, axdr.double_long(-30), DataAccessResult.SUCCESS, -30),
        (1, axdr.double_long(0x7FFFFFFF), DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, 100),
        (1, axdr.octet_string(b"1"), DataAccessResult.TYPE_UNMATCHED, 100),
    ],
)
def test_a_credit_is_changed_within_its_type(
    nvm: Nvm, index: int, value: Data, result: DataAccessResult, after: int
) -> None:
    table = Table(nvm)
    assert table.act(112, CREDIT, index, value) is result
    assert table.server.number("credit") == after


def test_a_charge_is_activated_and_its_debt_adjusted(nvm: Nvm) -> None:
    table = Table(nvm)
    table.act(113, CHARGE, 2, axdr.integer(0))
    assert (table.server.number("rate"), table.server.number("rate_passive")) == (2, 2)
    table.act(113, CHARGE, 4, axdr.double_long(25))
    assert table.server.number("debt") == 75


def test_what_the_device_binds_overrules_the_class(nvm: Nvm) -> None:
    def add(call: Call, data: Data) -> Data:
        del call, data
        return axdr.unsigned(5)

    table = Table(nvm, bindings=Bindings(methods={"add_credit": add}))
    assert table.act(112, CREDIT, 1, axdr.double_long(1)) is DataAccessResult.SUCCESS
    assert table.server.number("credit") == 100


def test_an_activation_copies_parts_of_a_value_and_fits_types(nvm: Nvm) -> None:
    changed: list[str] = []
    table = Table(nvm, bindings=Bindings(changed={"account": lambda _work: changed.append("account")}))
    now = axdr.octet_string(date_time_octets(NOW))
    assert table.do(Choice.SET, 111, NEXT_ACCOUNT, 13, now) is DataAccessResult.SUCCESS
    assert table.server.value("account") == {"mode": 2, "status": 2}
    assert changed == ["account"]
    assert table.do(Choice.SET, 9000, DATED, 6, now) is DataAccessResult.SUCCESS
    assert table.server.value("thresholds") == [30]


def test_a_log_is_a_ring_that_outlives_power(nvm: Nvm) -> None:
    table = Table(nvm)
    table.record(1, 2, 3, 4)
    assert table.logged() == [2, 3, 4]
    assert Table(nvm).logged() == [2, 3, 4]
    again = Table(nvm)
    again.record(5)
    assert Table(nvm).logged() == [3, 4, 5]


def test_the_entries_of_a_new_device_go_first_and_do_not_come_back(nvm: Nvm) -> None:
    state: dict[str, Value] = {"log": [_entry(1), _entry(2)]}
    table = Table(nvm, state)
    assert table.logged() == [1, 2]
    table.record(3, 4)
    assert table.logged() == Table(nvm, state).logged() == [2, 3, 4]
    assert table.act(7, LOG, 1, axdr.integer(0)) is DataAccessResult.SUCCESS
    assert table.logged() == Table(nvm, state).logged() == []
    table.record(9)
    assert table.logged() == Table(nvm, state).logged() == [9]


@given(
    steps=st.lists(st.one_of(st.integers(0, 99), st.none()), max_size=12),
    seeds=st.integers(0, CAPACITY),
)
def test_a_log_after_a_power_cut_is_the_log_before(steps: list[int | None], seeds: int) -> None:
    with Store() as store:
        nvm = store.nvm("table")
        state: dict[str, Value] = {"log": [_entry(value) for value in range(seeds)]}
        table = Table(nvm, state)
        wanted: list[Any] = list(range(seeds))
        for step in steps:
            if step is None:
                table.act(7, LOG, 1, axdr.integer(0))
                wanted = []
            else:
                table.record(step)
                wanted = [*wanted, step][-CAPACITY:]
            assert table.logged() == Table(nvm, state).logged() == wanted


def test_a_read_joins_recorded_and_made_entries_in_the_order_of_time(nvm: Nvm) -> None:
    made = ENTRIES.encode([_entry(2), _entry(4)], "log")
    table = Table(nvm, bindings=Bindings(buffers={"log": lambda _now, _first, _last: made}))
    table.record(1, 3)
    request = AccessRequest(0x20000001, (Specification(Choice.GET, 7, Obis.parse(LOG), 2),), (axdr.null(),))
    with nvm.transaction() as tx:
        response, _ = table.server.run(request, _call(Work(tx, NOW)))
    data = response.data[0]
    assert isinstance(data, CompactArray)
    listed = ENTRIES.decode(data, "log")
    assert isinstance(listed, list)
    assert [entry["value"] for entry in listed if isinstance(entry, dict)] == [1, 2, 3, 4]


def test_a_log_without_place_and_source_and_a_stamp_of_nothing_are_refused(nvm: Nvm) -> None:
    model = ObjectModel([cosem_object(7, LOG, buffer(2, "log", ENTRIES))], {}, DeviceType.ESME)
    with pytest.raises(RegistryError, match="log log is not bound"):
        CosemServer(
            model=model, rights=RIGHTS, bindings=Bindings(), schedule=AtOnce(), nvm=nvm, quirks=Quirks()
        )
    wrong = cosem_object(
        4,
        MAXIMUM,
        fixed(2, "maximum", 1, COUNT),
        fixed(5, "maximum_time", "never", shapes.DATE_TIME),
        method(1, "reset", stamps="nothing"),
    )
    with pytest.raises(RegistryError, match="stamps nothing"):
        ObjectModel([wrong], {}, DeviceType.ESME)
