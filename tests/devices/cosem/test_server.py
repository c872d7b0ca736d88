"""The engine on objects of its own: results, order, rights, activation, protected reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from smetslab.devices.cosem.model import (
    buffer,
    computed,
    copy,
    cosem_object,
    fixed,
    method,
    stored,
)
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights, Mode, Right
from smetslab.devices.cosem.server import Bindings, CosemServer, ItemError, Trigger
from smetslab.devices.payload_engine import Call, Fault
from smetslab.devices.quirks import Quirks
from smetslab.devices.work import Work
from smetslab.errors import RegistryError
from smetslab.gbcs.codes import Cra, DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import axdr, protection, shapes
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    Choice,
    DataAccessResult,
    Obis,
    Specification,
)
from smetslab.gbcs.dlms.axdr import Data, decode_data
from smetslab.gbcs.dlms.shapes import Num, Text
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.usecases.dlms import PERIOD
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import date_time_octets
from smetslab.ids import Eui64
from smetslab.store import Nvm, PowerCut, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUPPLIER, OTHER_ROLE = RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR
PARTY, DEVICE = Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0")
SECRET = bytes(range(32))

SMALL = Num(axdr.Tag.UNSIGNED, minimum=1, maximum=10)
CONSTANT, SETTABLE, LIVE = "0-0:1.1.1.255", "0-0:1.1.2.255", "0-0:1.1.3.255"
EXTENDED, LIMITER, SCRIPTS, LOG, PROTECTED = (
    "0-0:2.1.1.255",
    "0-0:2.1.2.255",
    "0-0:2.1.3.255",
    "0-0:2.1.4.255",
    "0-0:43.2.1.255",
)

MODEL = ObjectModel(
    (
        cosem_object(1, CONSTANT, fixed(2, "constant", "made", Text())),
        cosem_object(1, SETTABLE, stored(2, "settable", 5, SMALL)),
        cosem_object(3, LIVE, computed(2, "live", shapes.DOUBLE_LONG_UNSIGNED)),
        cosem_object(
            9000,
            EXTENDED,
            stored(4, "next", 0, shapes.UNSIGNED),
            stored(6, "next_time", "never"),
            copies=(copy((9000, EXTENDED, 4), (71, LIMITER, 4)),),
        ),
        cosem_object(71, LIMITER, stored(4, "limit", 1, shapes.UNSIGNED)),
        cosem_object(9, SCRIPTS, method(1, "run")),
        cosem_object(7, LOG, buffer(2, "log", shapes.OCTETS)),
        cosem_object(30, PROTECTED, method(1, "get_protected")),
    ),
    {},
    DeviceType.ESME,
)


def right(class_id: int, obis: str, mode: Mode, index: int, *roles: RemotePartyRole) -> Right:
    return Right(class_id, Obis.parse(obis), mode, index, roles or (SUPPLIER,))


RIGHTS = AccessRights(
    [
        right(1, CONSTANT, Mode.GET, 2, SUPPLIER, OTHER_ROLE),
        right(1, CONSTANT, Mode.SET, 2),
        right(1, SETTABLE, Mode.GET, 2),
        right(1, SETTABLE, Mode.SET, 2),
        right(3, LIVE, Mode.GET, 2),
        right(9000, EXTENDED, Mode.SET, 4),
        right(9000, EXTENDED, Mode.SET, 6),
        right(71, LIMITER, Mode.GET, 4),
        right(9, SCRIPTS, Mode.ACTION, 1),
        right(7, LOG, Mode.GET, 2),
        right(30, PROTECTED, Mode.ACTION, 1),
        right(1, SETTABLE, Mode.PROTECTED_GET, 2),
        right(7, LOG, Mode.PROTECTED_GET, 2),
    ]
)


class Schedule:
    """Remembers what was scheduled."""

    def __init__(self) -> None:
        self.set: list[tuple[Trigger, bytes]] = []

    def set_activation(self, call: Call, trigger: Trigger, octets: bytes) -> bool:
        del call
        if octets == bytes(12):
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "no time")
        self.set.append((trigger, octets))
        return False


class Table:
    """A server with everything around it."""

    def __init__(self, nvm: Nvm, quirks: Quirks | None = None) -> None:
        self.nvm = nvm
        self.schedule = Schedule()
        self.ran: list[Data] = []
        self.windows: list[tuple[datetime | None, datetime | None]] = []
        self.server = CosemServer(
            model=MODEL,
            rights=RIGHTS,
            bindings=Bindings(
                computed={"live": lambda now: axdr.double_long_unsigned(now.year)},
                buffers={"log": self._log},
                methods={"run": self._run},
            ),
            schedule=self.schedule,
            nvm=nvm,
            quirks=quirks or Quirks(),
        )

    def _log(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        self.windows.append((first, last))
        return axdr.octet_string(now.isoformat().encode())

    def _run(self, call: Call, data: Data) -> Data:
        del call
        if data == axdr.long_unsigned(99):
            raise ItemError(DataAccessResult.TEMPORARY_FAILURE, "not now")
        self.ran.append(data)
        return axdr.integer(7)

    def run(
        self,
        *items: tuple[Choice, int, str, int, Data],
        role: RemotePartyRole = SUPPLIER,
        fault: Fault | None = None,
        secret: bytes | None = SECRET,
    ) -> AccessResponse:
        request = AccessRequest(
            0x20000001,
            tuple(Specification(c, k, Obis.parse(o), i) for c, k, o, i, _ in items),
            tuple(data for *_, data in items),
        )
        return self.run_request(request, role=role, fault=fault, secret=secret)

    def run_request(
        self,
        request: AccessRequest,
        *,
        role: RemotePartyRole = SUPPLIER,
        fault: Fault | None = None,
        secret: bytes | None = SECRET,
    ) -> AccessResponse:
        with self.nvm.transaction() as tx:
            answer, _ = self.server.run(request, call_of(Work(tx, NOW), role=role, secret=secret), fault)
        return answer


def call_of(work: Work, *, role: RemotePartyRole = SUPPLIER, secret: bytes | None = SECRET) -> Call:
    return Call(
        work=work,
        role=role,
        use_case=USE_CASES["ECS45"],
        command=header(Cra.COMMAND),
        response=header(Cra.RESPONSE),
        secret=secret,
    )


def header(cra: Cra) -> Message:
    ids = (PARTY, DEVICE) if cra is Cra.COMMAND else (DEVICE, PARTY)
    return Message(
        cra=cra,
        originator_counter=1,
        business_originator_id=ids[0],
        business_target_id=ids[1],
        other_information=OtherInformation(message_code=1),
        content=b"",
    )


def get(class_id: int, obis: str, index: int) -> tuple[Choice, int, str, int, Data]:
    return Choice.GET, class_id, obis, index, axdr.null()


def set_(class_id: int, obis: str, index: int, data: Data) -> tuple[Choice, int, str, int, Data]:
    return Choice.SET, class_id, obis, index, data


def results(response: AccessResponse) -> list[int]:
    return [result.result for result in response.results]


@pytest.fixture
def nvm() -> Iterator[Nvm]:
    with Store() as store:
        yield store.nvm("table")


@pytest.fixture
def table(nvm: Nvm) -> Table:
    return Table(nvm)


def test_values_come_from_where_they_live(table: Table) -> None:
    response = table.run(get(1, CONSTANT, 2), get(1, SETTABLE, 2), get(3, LIVE, 2))
    assert results(response) == [0, 0, 0]
    assert response.data == (
        axdr.octet_string(b"made"),
        axdr.unsigned(5),
        axdr.double_long_unsigned(2026),
    )


@pytest.mark.parametrize(
    ("item", "result"),
    [
        (get(1, "0-0:9.9.9.255", 2), DataAccessResult.OBJECT_UNDEFINED),
        (get(3, CONSTANT, 2), DataAccessResult.OBJECT_CLASS_INCONSISTENT),
        (get(1, CONSTANT, 3), DataAccessResult.READ_WRITE_DENIED),
        (get(9000, EXTENDED, 4), DataAccessResult.READ_WRITE_DENIED),
        (set_(71, LIMITER, 4, axdr.unsigned(1)), DataAccessResult.READ_WRITE_DENIED),
        (set_(1, CONSTANT, 2, axdr.octet_string(b"x")), DataAccessResult.READ_WRITE_DENIED),
        (set_(1, SETTABLE, 2, axdr.long_unsigned(5)), DataAccessResult.TYPE_UNMATCHED),
        (set_(1, SETTABLE, 2, axdr.unsigned(0)), DataAccessResult.SCOPE_OF_ACCESS_VIOLATED),
        (set_(1, SETTABLE, 2, axdr.unsigned(11)), DataAccessResult.SCOPE_OF_ACCESS_VIOLATED),
        ((Choice.ACTION, 9, SCRIPTS, 2, axdr.null()), DataAccessResult.READ_WRITE_DENIED),
        ((Choice.ACTION, 9, SCRIPTS, 1, axdr.long_unsigned(99)), DataAccessResult.TEMPORARY_FAILURE),
        ((Choice.ACTION, 30, PROTECTED, 1, axdr.null()), DataAccessResult.TYPE_UNMATCHED),
    ],
)
def test_what_cannot_be_done_says_why(table: Table, item: Any, result: DataAccessResult) -> None:
    response = table.run(item)
    assert results(response) == [result]
    assert response.data == (axdr.null(),)


def test_a_role_has_only_its_own_rights(table: Table) -> None:
    assert results(table.run(get(1, CONSTANT, 2), role=OTHER_ROLE)) == [0]
    assert results(table.run(get(1, SETTABLE, 2), role=OTHER_ROLE)) == [DataAccessResult.READ_WRITE_DENIED]


def test_items_after_a_failed_one_are_not_executed(table: Table) -> None:
    response = table.run(
        set_(1, SETTABLE, 2, axdr.unsigned(6)),
        set_(1, SETTABLE, 2, axdr.unsigned(99)),
        set_(1, SETTABLE, 2, axdr.unsigned(7)),
        (Choice.ACTION, 9, SCRIPTS, 1, axdr.long_unsigned(1)),
    )
    assert results(response) == [0, 13, 250, 250]
    assert table.ran == []
    assert table.server.value("settable") == 6


def test_a_hardware_fault_ends_the_list_at_its_item(table: Table) -> None:
    response = table.run(
        get(1, CONSTANT, 2), set_(1, SETTABLE, 2, axdr.unsigned(6)), get(1, CONSTANT, 2), fault=Fault(1)
    )
    assert results(response) == [0, 1, 250]
    assert table.server.value("settable") == 5


def test_what_was_set_survives_and_what_was_not_committed_does_not(nvm: Nvm) -> None:
    Table(nvm).run(set_(1, SETTABLE, 2, axdr.unsigned(9)))
    assert Table(nvm).server.value("settable") == 9
    table = Table(nvm)
    specification = Specification(Choice.SET, 1, Obis.parse(SETTABLE), 2)
    request = AccessRequest(1, (specification,), (axdr.unsigned(3),))
    with pytest.raises(PowerCut), nvm.transaction() as tx:
        table.server.run(request, call_of(Work(tx, NOW)))
        raise PowerCut
    assert Table(nvm).server.value("settable") == 9


def test_setting_an_activation_time_asks_the_schedule(table: Table) -> None:
    octets = date_time_octets(NOW)
    response = table.run(
        set_(9000, EXTENDED, 4, axdr.unsigned(8)), set_(9000, EXTENDED, 6, axdr.octet_string(octets))
    )
    assert results(response) == [0, 0]
    key = (9000, Obis.parse(EXTENDED).raw, 6)
    assert table.schedule.set == [(Trigger(key, 1), octets)]
    assert table.server.value("limit") == 1
    with table.nvm.transaction() as tx:
        table.server.activate(Work(tx, NOW), key)
    assert table.server.value("limit") == 8
    assert Table(table.nvm).server.value("limit") == 8


def test_an_activation_time_that_the_schedule_refuses_is_not_set(table: Table) -> None:
    response = table.run(set_(9000, EXTENDED, 6, axdr.octet_string(bytes(12))))
    assert results(response) == [DataAccessResult.SCOPE_OF_ACCESS_VIOLATED]
    assert table.server.value("next_time") == "never"


def test_a_method_answers_with_what_it_returns(table: Table) -> None:
    response = table.run((Choice.ACTION, 9, SCRIPTS, 1, axdr.long_unsigned(1)))
    assert response.data == (axdr.integer(7),)
    assert table.ran == [axdr.long_unsigned(1)]


def protected_request(*objects: protection.ObjectRequest) -> Data:
    return protection.encode_request(objects, header(Cra.COMMAND))


def test_a_protected_read_is_encrypted_to_the_remote_party(table: Table) -> None:
    window = (date_time_octets(datetime(2025, 1, 1, tzinfo=UTC)), b"\xff" * 9 + bytes.fromhex("8000FF"))
    data = protected_request(
        protection.ObjectRequest(1, Obis.parse(SETTABLE), 2),
        protection.ObjectRequest(7, Obis.parse(LOG), 2, window),
    )
    response = table.run((Choice.ACTION, 30, PROTECTED, 1, data))
    assert results(response) == [0]
    assert table.windows == [(datetime(2025, 1, 1, tzinfo=UTC), None)]
    _, sealed = response.data[0].items  # type: ignore[union-attr]
    plaintext = EncryptionContext.of(header(Cra.RESPONSE)).decrypt(SECRET, sealed.value)  # type: ignore[union-attr]
    assert decode_data(plaintext) == axdr.structure(
        axdr.unsigned(5), axdr.octet_string(NOW.isoformat().encode())
    )


def test_a_protected_read_needs_a_right_of_its_own(table: Table) -> None:
    data = protected_request(protection.ObjectRequest(1, Obis.parse(CONSTANT), 2))
    response = table.run((Choice.ACTION, 30, PROTECTED, 1, data))
    assert results(response) == [DataAccessResult.READ_WRITE_DENIED]


def test_a_protected_read_without_a_key_fails(table: Table) -> None:
    data = protected_request(protection.ObjectRequest(1, Obis.parse(SETTABLE), 2))
    response = table.run((Choice.ACTION, 30, PROTECTED, 1, data), secret=None)
    assert results(response) == [DataAccessResult.OTHER_REASON]


def test_a_selective_read_gives_its_window_to_the_log(table: Table) -> None:
    period = PERIOD.encode(
        {"start_date_time": "2026-01-01T00:00:00Z", "end_date_time": "2026-01-02T00:00:00Z"}, "period"
    )
    specification = Specification(Choice.GET_WITH_SELECTION, 7, Obis.parse(LOG), 2, 1, period)
    response = table.run_request(AccessRequest(1, (specification,), (axdr.null(),)))
    assert [(r.choice, r.result) for r in response.results] == [(Choice.GET, 0)]
    assert table.windows == [(NOW, datetime(2026, 1, 2, tzinfo=UTC))]


def test_selective_access_to_what_is_no_log_is_out_of_scope(table: Table) -> None:
    specification = Specification(Choice.GET_WITH_SELECTION, 1, Obis.parse(SETTABLE), 2, 1, axdr.null())
    response = table.run_request(AccessRequest(1, (specification,), (axdr.null(),)))
    assert results(response) == [DataAccessResult.SCOPE_OF_ACCESS_VIOLATED]


def test_the_quirk_goes_on_after_an_error(nvm: Nvm) -> None:
    table = Table(nvm, Quirks(continues_after_error=True))
    response = table.run(
        set_(1, SETTABLE, 2, axdr.unsigned(99)), set_(1, SETTABLE, 2, axdr.unsigned(7)), fault=None
    )
    assert results(response) == [13, 0]
    assert table.server.value("settable") == 7


def test_a_state_pins_a_computed_value(nvm: Nvm) -> None:
    server = CosemServer(
        model=MODEL,
        rights=RIGHTS,
        bindings=Bindings(buffers={"log": lambda *_: axdr.null()}, methods={"run": lambda *_: axdr.null()}),
        schedule=Schedule(),
        nvm=nvm,
        quirks=Quirks(),
        state={"live": 3},
    )
    assert server.number("live") == 3


@pytest.mark.parametrize(
    ("bindings", "state"),
    [
        (Bindings(), {}),
        (Bindings(computed={"live": lambda _now: axdr.null()}), {}),
        (
            Bindings(
                computed={"live": lambda _now: axdr.null()},
                buffers={"log": lambda *_: axdr.null()},
                methods={"run": lambda *_: axdr.null()},
            ),
            {"nonsense": 1},
        ),
    ],
    ids=["no value", "no log, no method", "unknown state"],
)
def test_an_incomplete_device_is_refused(nvm: Nvm, bindings: Bindings, state: dict[str, Any]) -> None:
    with pytest.raises(RegistryError):
        CosemServer(
            model=MODEL,
            rights=RIGHTS,
            bindings=bindings,
            schedule=Schedule(),
            nvm=nvm,
            quirks=Quirks(),
            state=state,
        )
