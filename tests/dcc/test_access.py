"""One test per check of access control: it fails with its code where it should, and only there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from smetslab.dcc.access import CHECKS, Facts, judge
from smetslab.dcc.life_cycle import allows
from smetslab.dcc.rules import DccRules
from smetslab.duis.codes import CommandVariant, UserRole, WebService
from smetslab.duis.document import Request, RequestHeader, RequestId, signed_pre_command_body
from smetslab.duis.element import Element
from smetslab.duis.srv import SERVICE_REQUESTS, find
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus, InventoryDevice, KnownParty, Responsibility, User

SUPPLIER = Eui64.parse("90B3D51F30010000")
OPERATOR = Eui64.parse("90B3D51F30020000")
OTHER = Eui64.parse("00DB123456780004")
DCC = Eui64.parse("90B3D51F30000002")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
METER = InventoryDevice(
    device_id=Eui64.parse("00DB1234567890A0"),
    device_type=DeviceType.ESME,
    hub=Eui64.parse("00DB1234567890A2"),
    responsible=(
        Responsibility(role=UserRole.IMPORT_SUPPLIER, party=SUPPLIER),
        Responsibility(role=UserRole.ELECTRICITY_DISTRIBUTOR, party=OPERATOR),
    ),
)
HUB = InventoryDevice(device_id=METER.hub, device_type=DeviceType.CHF, hub=METER.hub)
DISPLAY = replace(HUB, device_id=Eui64.parse("00DB1234567890A4"), device_type=DeviceType.PPMID)
GAS_METER = replace(METER, device_id=Eui64.parse("00DB1234567890A1"), device_type=DeviceType.GSME)
USERS = {
    SUPPLIER: User(party=SUPPLIER, roles=(UserRole.IMPORT_SUPPLIER, UserRole.GAS_SUPPLIER)),
    OPERATOR: User(party=OPERATOR, roles=(UserRole.ELECTRICITY_DISTRIBUTOR,)),
    OTHER: User(party=OTHER, roles=(UserRole.OTHER_USER,)),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request to be judged; the defaults are a read that passes."""

    variant: str = "4.1.1"
    reference: str | None = None
    command_variant: CommandVariant = CommandVariant.SEND
    service: WebService | None = None
    body: Element | None = None
    party: Eui64 = SUPPLIER
    user: User | None = field(default_factory=lambda: USERS[SUPPLIER])
    device: InventoryDevice | None = METER
    counter: int = 1000
    last_counter: int | None = None
    target: Eui64 | None = None

    def facts(self) -> Facts:
        row = find(self.variant)
        target = self.target or (METER.device_id if self.device is None else self.device.device_id)
        header = RequestHeader(
            request_id=RequestId(self.party, target, self.counter),
            command_variant=self.command_variant,
            service_reference=self.reference or (row.reference if row else "0.0"),
            variant=self.variant,
        )
        body = self.body or Element(row.element if row else "Unknown")
        return Facts(
            request=Request(header=header, body=body),
            service=self.service,
            row=row,
            user=self.user,
            device=self.device,
            premises=(HUB, METER),
            last_counter=self.last_counter,
            dcc=DCC,
            moment=NOW,
        )


def since(moment: datetime) -> InventoryDevice:
    item = Responsibility(role=UserRole.IMPORT_SUPPLIER, party=SUPPLIER, since=moment)
    return replace(METER, responsible=(item,))


def until(moment: datetime) -> InventoryDevice:
    item = Responsibility(role=UserRole.IMPORT_SUPPLIER, party=SUPPLIER, until=moment)
    return replace(METER, responsible=(item,))


SIGNED = signed_pre_command_body(b"\xdf")
CRITICAL = Case(variant="7.2", command_variant=CommandVariant.SEND_SIGNED, body=SIGNED)

ACCEPTED = {
    "read": Case(),
    "read at its door": Case(service=WebService.SEND_COMMAND),
    "read, local copy": Case(command_variant=CommandVariant.RETURN_LOCALLY, service=WebService.NON_DEVICE),
    "read by the network operator": Case(party=OPERATOR, user=USERS[OPERATOR]),
    "critical, to be transformed": Case(variant="7.2", command_variant=CommandVariant.TRANSFORM),
    "critical, signed": CRITICAL,
    "firmware version of the hub": Case(variant="11.2", device=HUB),
    "firmware version for an other user": Case(variant="11.2", party=OTHER, user=USERS[OTHER]),
    "next counter": Case(counter=1001, last_counter=1000),
    "credentials read by the broker": Case(variant="6.24.1", party=DCC, user=None),
    "firmware version of a display read by the broker": Case(
        variant="11.2", party=DCC, user=None, device=DISPLAY
    ),
    "limit of a load controller that the meter knows": Case(
        variant="7.16",
        command_variant=CommandVariant.TRANSFORM,
        party=OTHER,
        user=USERS[OTHER],
        device=replace(METER, known_parties=(KnownParty(party=OTHER, role=RemotePartyRole.LOAD_CONTROLLER),)),
    ),
    "inventory read": Case(variant="8.2", command_variant=CommandVariant.NON_DEVICE, device=None, target=DCC),
    "responsible from now on": Case(device=since(NOW)),
    "commissioning": replace(
        CRITICAL, variant="8.1.1", device=replace(METER, status=DeviceStatus.INSTALLED_NOT_COMMISSIONED)
    ),
}
REFUSED = {
    "variant that nobody declared": (Case(variant="13.1"), "service reference", "E65"),
    "reference of another group": (Case(reference="4.2"), "service reference", "E65"),
    "critical variant of a read": (Case(command_variant=CommandVariant.TRANSFORM), "command variant", "E12"),
    "plain variant of a critical request": (Case(variant="7.2"), "command variant", "E12"),
    "non-device variant": (Case(command_variant=CommandVariant.NON_DEVICE), "command variant", "E12"),
    "variant that is not in use": (Case(command_variant=CommandVariant.UNUSED), "command variant", "E12"),
    "signed variant without signed body": (replace(CRITICAL, body=None), "command variant", "E12"),
    "signed body with a plain variant": (Case(body=SIGNED), "command variant", "E12"),
    "body of another variant": (Case(body=Element("ReadSupplyStatus")), "body", "E65"),
    "wrong door": (Case(service=WebService.TRANSFORM), "web service", "E13"),
    "unknown user": (Case(user=None), "user", "E1"),
    "broker with what only users may ask": (Case(variant="3.1", party=DCC, user=None), "user", "E1"),
    "broker with a critical request": (replace(CRITICAL, party=DCC, user=None), "user", "E1"),
    "broker before its device is there": (
        Case(variant="6.24.1", party=DCC, user=None, device=None),
        "device",
        "E19",
    ),
    "user without role": (Case(user=User(party=SUPPLIER, roles=())), "user", "E1"),
    "role that may not ask": (Case(variant="7.4", party=OTHER, user=USERS[OTHER]), "role", "E2"),
    "role of the other fuel": (Case(user=User(party=SUPPLIER, roles=(UserRole.GAS_SUPPLIER,))), "role", "E2"),
    "limit of a load controller that the meter does not know": (
        Case(variant="7.16", command_variant=CommandVariant.TRANSFORM, party=OTHER, user=USERS[OTHER]),
        "role",
        "E2",
    ),
    "suspended user": (Case(user=replace(USERS[SUPPLIER], suspended=True)), "user status", "E3"),
    "unknown device": (Case(device=None), "device", "E19"),
    "device of a type that does not do it": (Case(variant="7.4", device=HUB), "device type", "E11"),
    "device before its time": (
        Case(device=replace(METER, status=DeviceStatus.PENDING)),
        "device status",
        "E5",
    ),
    "device after its time": (
        Case(device=replace(METER, status=DeviceStatus.DECOMMISSIONED)),
        "device status",
        "E5",
    ),
    "user of another home": (Case(device=replace(METER, responsible=())), "responsibility", "E4"),
    "user whose time has not come": (Case(device=since(NOW + timedelta(days=1))), "responsibility", "E4"),
    "user whose time is over": (Case(device=until(NOW)), "responsibility", "E4"),
    "device variant of a non-device request": (
        Case(variant="8.2", device=None, target=DCC),
        "command variant",
        "E12",
    ),
    "non-device request to a device": (
        Case(variant="8.2", command_variant=CommandVariant.NON_DEVICE),
        "device",
        "E19",
    ),
    "used counter": (Case(counter=1000, last_counter=1000), "counter", "E65"),
    "lower counter": (Case(counter=999, last_counter=1000), "counter", "E65"),
    "local copy for a network operator": (
        Case(party=OPERATOR, user=USERS[OPERATOR], command_variant=CommandVariant.RETURN_LOCALLY),
        "local delivery",
        "E17",
    ),
}
SWITCHES = {
    "role that may not ask": "check_roles",
    "device before its time": "check_status",
    "user of another home": "check_responsibility",
    "used counter": "check_counters",
    "local copy for a network operator": "check_local_commands",
}


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_right_is_accepted(case: Case) -> None:
    assert judge(case.facts(), DccRules()) is None


@pytest.mark.parametrize(("case", "check", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_refused_with_its_code(case: Case, check: str, code: str) -> None:
    refusal = judge(case.facts(), DccRules())
    assert refusal is not None
    assert (refusal.check, refusal.code) == (check, code)
    assert refusal.reason


def test_every_check_has_a_case() -> None:
    assert {check.name for check in CHECKS} == {check for _, check, _ in REFUSED.values()}
    assert {check.switch for check in CHECKS if check.switch} == set(SWITCHES.values())


@pytest.mark.parametrize(("name", "switch"), SWITCHES.items(), ids=SWITCHES)
def test_a_check_that_is_off_lets_pass(name: str, switch: str) -> None:
    case = REFUSED[name][0]
    rules = replace(DccRules(check_responsibility=name != "role that may not ask"), **{switch: False})
    assert judge(case.facts(), rules) is None


def test_the_first_failing_check_decides() -> None:
    wrong = Case(user=None, device=None, service=WebService.TRANSFORM)
    found = []
    for case in (wrong, replace(wrong, service=None), replace(wrong, service=None, user=USERS[SUPPLIER])):
        refusal = judge(case.facts(), DccRules())
        assert refusal is not None
        found.append(refusal.code)
    assert found == ["E13", "E1", "E19"]


WITHOUT_DEVICE = {variant for variant, row in SERVICE_REQUESTS.items() if row.non_device}


def allowed(status: DeviceStatus) -> set[str]:
    return {variant for variant in SERVICE_REQUESTS if allows(status, variant)} - WITHOUT_DEVICE


def test_status_table_lets_nothing_to_a_device_that_is_not_there_yet_or_any_more() -> None:
    for status in (DeviceStatus.PENDING, DeviceStatus.WHITELISTED):
        assert allowed(status) <= {"8.9", "8.11", "8.12.1", "8.12.2"}
    for status in (DeviceStatus.DECOMMISSIONED, DeviceStatus.WITHDRAWN):
        assert allowed(status) == set()
    assert allowed(DeviceStatus.COMMISSIONED) == set(SERVICE_REQUESTS) - WITHOUT_DEVICE
    installing = allowed(DeviceStatus.INSTALLED_NOT_COMMISSIONED)
    assert {"4.1.1", "8.1.1", "11.2"} <= installing
    assert not installing & {"7.2", "1.1.1", "2.1", "2.3"}
    assert {"11.2"} <= allowed(DeviceStatus.SUSPENDED)
    assert not allowed(DeviceStatus.SUSPENDED) & {"4.1.1", "7.1", "7.2", "8.1.1"}
    assert {"4.1.1", "8.1.1"} <= allowed(DeviceStatus.RECOVERED)


def test_parts_of_numbers_are_not_taken_for_whole_ones() -> None:
    assert allows(DeviceStatus.INSTALLED_NOT_COMMISSIONED, "4.10")
    assert not allows(DeviceStatus.INSTALLED_NOT_COMMISSIONED, "6.25")
    assert not allows(DeviceStatus.SUSPENDED, "1.1.2")
