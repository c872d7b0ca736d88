"""A live gas meter and the ledger beside it: see `account_life`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from account_life import (
    EMERGENCY_THRESHOLD,
    FIRST_LIMIT,
    FOLDER,
    MANIFEST,
    MOST,
    THRESHOLD,
    AccountLife,
    common,
    maker,
    parameters_of,
)
from household_ledger import CHECK, GasLedger, HalfHours
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from prepaying_home import debts, gas_rules, gas_tariff, spared

from smetslab.devices.gas_flow import GasProfile
from smetslab.devices.prepay.token import Refusal
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.rng import RootSeed

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIRST_L = 4_321
METER = Eui64.parse("00DB1234567890A1")
PROFILE = GasProfile(RootSeed(1).octets("gas", 16))
_NUMBERS = count()
_TIERS = ((1, 2), (3, 1), (2, 2))
STATE: dict[str, int | bool | str] = {
    "meter_balance_millipence": 0,
    "import_l": FIRST_L,
    "suspend_debt_emergency": True,
    "suspend_debt_disabled": True,
    "prepayment.cut_off_value": THRESHOLD,
}


class Burnt(dict[int, tuple[int, ...]]):
    """The half hours of a household, day by day as they are asked for."""

    def __missing__(self, number: int) -> tuple[int, ...]:
        self[number] = PROFILE.day(number)
        return self[number]


HALF_HOURS: HalfHours = Burnt()


class GasLife(AccountLife):
    """One GSME."""

    ledger: GasLedger

    def fit(self) -> None:
        self.bench = type(self).make(
            "prepayment",
            state=STATE,
            volumes=PROFILE,
            at=BEGIN,
            security=maker(0x0A02, METER),
            owner=f"account/{next(_NUMBERS)}",
        )
        self.bench.head.counter = 1000
        self.ledger = GasLedger(
            now=BEGIN,
            half_hours=HALF_HOURS,
            total=FIRST_L * 1_000,
            threshold=THRESHOLD,
            prepayment=True,
            spared=spared,
            cost_to_date=0,
            # The bench's gas has ten kilowatt hours in a cubic metre.
            worth_of_ml=36_000_000,
        )
        self.tariff((9_000, 4_500, 3_000), 20_000, 0)
        assert self.command("2.1", self.configuration(FIRST_LIMIT))
        self.ledger.configure(limit=FIRST_LIMIT, emergency_threshold=EMERGENCY_THRESHOLD, weekly_cap=60_000)
        self.debts((40_000, 30_000, 150_000))
        assert self.command("1.5", {"PrepaymentMode": {"AdjustMeterBalance": 300_000}})
        self.ledger.adjust(300_000)

    def command(self, variant: str, elements: dict[str, Any]) -> bool:
        names = {"1.1.1": "GCS01a", "1.5": "GCS40a", "2.1": "GCS05", "2.3": "GCS04"}
        parameters: Any = parameters_of(variant, names[variant], elements, self.bench.now)
        answer = self.bench.ask(names[variant], *parameters["components"])
        assert answer
        return all(component["status"] == "success" for component in answer)

    def enter(self, pence: int, *, by_command: bool) -> bool:
        code = self.bench.head.token(pence, self.codes)
        if not by_command:
            return not isinstance(self.bench.core.enter_code(code, self.bench.now), Refusal)
        request = {
            "cluster": "prepayment",
            "command": "consumer_top_up",
            "originating_device": "energy_service_interface",
            "top_up_code": code,
        }
        self.bench.head.counter = self.codes << 32
        (answer,) = self.bench.ask("CS01b", request, counter=self.codes << 32)
        return bool(answer.get("top_up_value") == pence * 1_000)

    def tariff(self, prices: tuple[int, ...], standing: int, kind: int) -> None:
        tiers, four = _TIERS[kind], (*prices, prices[0])
        assert self.command("1.1.1", gas_tariff(tiers, four, standing))
        self.ledger.working_days, self.ledger.weekends = tiers
        self.ledger.prices, self.ledger.standing = four, standing

    def configuration(self, limit: int) -> dict[str, Any]:
        elements = gas_rules(limit, EMERGENCY_THRESHOLD, 100_000, 60_000)
        elements["UpdatePrepayConfigGas"]["MaxMeterBalance"] = MOST
        return elements

    def debts(self, added: tuple[int, int, int]) -> None:
        rates = (700, 2_500)
        assert self.command("2.3", debts(METER, added, rates, 2_000))
        self.ledger.owe(added, rates, 2_000)

    def select_emergency_credit(self) -> bool:
        request = {
            "cluster": "prepayment",
            "command": "select_available_emergency_credit",
            "command_issue_date_time": "not_given",
            "originating_device": "energy_service_interface",
        }
        return bool(self.bench.ask("GCS06", request)[0]["status"] == "success")

    def want_supply(self) -> None:
        ledger, armed = self.ledger, self.ledger.armed
        assert self.bench.core.open_by_hand(self.bench.now) == (armed or ledger.supply)
        self.bench.pass_time(CHECK)
        self.reach()
        ledger.supply = ledger.supply or (armed and not ledger.cause)

    def figures(self) -> dict[str, Any]:
        core = self.bench.core
        core.settle(self.bench.now)
        account, registers = core.account.account, core.meter.registers
        state = account.state
        assert registers.total == FIRST_L * 1_000 + sum(registers.tiers), "I2"
        assert bool(core.valve.causes) == state.credit_cause, "I8"
        return {
            "balance": state.meter_balance,
            "emergency": core.account.emergency_remaining,
            "owed": account.emergency_owed,
            "accumulated": state.accumulated_debt,
            "payment debt": state.payment_debt,
            "time debts": [state.time_debt_1, state.time_debt_2],
            "supply": core.valve.state.name,
            "causes": bool(core.valve.causes),
            "tiers": registers.tiers,
            "total": registers.total,
        }

    def expected(self) -> dict[str, Any]:
        return {**common(self.ledger), "tiers": self.ledger.registers, "total": self.ledger.total}

    def change_firmware(self) -> None:
        [entry] = [one for one in MANIFEST["images"] if one["file"] == "gsme-sound.ota"]
        image = (FOLDER / "gsme-sound.ota").read_bytes()
        assert self.bench.core.receive_firmware(image, self.bench.now) == "verified"
        head = self.bench.head
        head.counter += 1
        use_case = USE_CASES["CS06"]
        asked: Parameters = {
            "manufacturer_image_hash": entry["manufacturer_image_hash"],
            "originator_counter": head.counter,
            "execution_date_time": "immediate",
        }
        header = decode_message(head.command("CS06", [], counter=head.counter, content=b"\x00"))
        content = engine.encode_content(use_case, header, asked)
        self.bench.send(head.command("CS06", [], counter=head.counter, content=content))
        assert self.bench.core.firmware_version.hex() == entry["firmware_version"]

    def shown(self) -> dict[str, Any]:
        core, now = self.bench.core, self.bench.now
        core.settle(now)
        attributes = core.engine.memory.describe(now)
        del attributes["metering.current_meter_id"]
        records = core.records
        return {
            "version": core.firmware_version,
            "attributes": attributes,
            "account": core.account.state.to_json(),
            "registers": core.meter.registers.to_json(),
            "halves": records.profile.samples(0, 10**6),
            "snapshots": [log.entries for log in (*records.metering_logs, *records.prepay_logs)],
            "top-ups": list(records.top_ups.entries),
            "event log": core.application.event_log.entries,
            "anchors": core.application.trust_anchors.cells,
            "codes": core.account.utrns.counters,
            "clock": (core.clock.status, core.clock.offset),
            "pending": list(core.application.future_dated.waiting),
        }


def test_every_step_of_a_random_life_is_that_of_the_ledger(make_gas_bench: Callable[..., Any]) -> None:
    machine = type("Machine", (GasLife,), {"make": staticmethod(make_gas_bench)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=5, stateful_step_count=20, deadline=None)
    )


def test_what_flowed_since_the_last_event_is_not_lost_with_the_power(
    make_gas_bench: Callable[..., Any],
) -> None:
    """I15: registers in memory are as old as the last half hour; the meter knows better when it starts."""
    bench = make_gas_bench("prepayment", half_hour_ml=1_800_000, at=BEGIN)
    total, balance = bench.core.meter.registers.total, bench.balance
    bench.now += timedelta(minutes=10)
    bench.power_cut(timedelta(minutes=5))
    # 0.6 m3 of a gas with ten kilowatt hours each, at ten pence.
    assert bench.core.meter.registers.total == total + 600_000
    assert bench.balance == balance - 60_000


def test_the_non_disablement_calendar_goes_on_without_power(make_gas_bench: Callable[..., Any]) -> None:
    """Credit is gone with the standing charge of a midnight that is spared; at nine it counts again."""
    life = type("Machine", (GasLife,), {"make": staticmethod(make_gas_bench)})()
    life.begin()
    life.top_up(pence=2_000, by_command=False, cut=False)
    life.time_goes_by(timedelta(hours=10))
    value = THRESHOLD + 1_000 - life.ledger.balance
    assert life.command("1.5", {"PrepaymentMode": {"AdjustMeterBalance": value}})
    life.ledger.adjust(value)
    assert life.bench.core.valve.open
    life.power_cut(timedelta(hours=24))
    assert not life.bench.core.valve.open
    life.every_figure_is_that_of_the_ledger()
