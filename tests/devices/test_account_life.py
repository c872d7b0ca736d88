"""A live electricity meter and the ledger beside it: see `account_life`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
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
from household_ledger import EPOCH, MICROSECOND, ElectricityLedger, HalfHours
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from meter_bench import ESME
from prepaying_home import debts, electricity_rules, electricity_tariff, spared

from smetslab.devices.load import LoadProfile
from smetslab.devices.prepay.token import TokenSource
from smetslab.gbcs.utrn import ValueClass
from smetslab.rng import RootSeed

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNIT = 1 << 32
_NUMBERS = count()
_DAYS = (((0, 2), (7, 1), (23, 2)), ((0, 3), (6, 1), (16, 2)), ((0, 2),))
STATE: dict[str, int | bool | str] = {
    "charging": True,
    "payment_mode": "prepayment",
    "suspend_debt_emergency": True,
    "suspend_debt_disabled": True,
    "disablement_threshold_millipence": THRESHOLD,
    "load_limit_power_threshold_w": 0,
    "import_active_wh": 0,
    **dict.fromkeys(
        (
            "meter_balance_millipence",
            "accumulated_debt_millipence",
            "payment_debt_millipence",
            "time_debt_1_millipence",
            "time_debt_2_millipence",
        ),
        0,
    ),
}


class Drawn(dict[int, tuple[int, ...]]):
    """The half hours of a load, day by day as they are asked for."""

    def __missing__(self, number: int) -> tuple[int, ...]:
        profile = LoadProfile(RootSeed(1).octets("load", 16))
        self[number] = tuple(part.active_import for part in profile.day(number))
        return self[number]


HALF_HOURS: HalfHours = Drawn()


class ElectricityLife(AccountLife):
    """One ESME."""

    ledger: ElectricityLedger

    def fit(self) -> None:
        self.bench = type(self).make(
            state=STATE, at=BEGIN, security=maker(0x0A01, ESME), owner=f"account/{next(_NUMBERS)}"
        )
        self.commands = 0
        self.ledger = ElectricityLedger(
            now=BEGIN,
            half_hours=HALF_HOURS,
            threshold=THRESHOLD,
            prepayment=True,
            spared=spared,
            registers=[0] * 3,
        )
        self.tariff((30_000, 15_000, 10_000), 20_000, 0)
        assert self.command("2.1", self.configuration(FIRST_LIMIT))
        self.ledger.configure(limit=FIRST_LIMIT, emergency_threshold=EMERGENCY_THRESHOLD, weekly_cap=60_000)
        self.debts((40_000, 30_000, 150_000))
        assert self.command("1.5", {"PrepaymentMode": {"AdjustMeterBalance": 300_000}})
        self.ledger.adjust(300_000)

    def command(self, variant: str, elements: dict[str, Any]) -> bool:
        names = {"1.1.1": "ECS01a", "1.5": "ECS04a", "2.1": "ECS08a", "2.3": "ECS07"}
        parameters = parameters_of(variant, names[variant], elements, self.bench.now)
        self.commands += 1
        return not self.bench.ask(names[variant], parameters, counter=self._counter()).get("failures")

    def _counter(self) -> int:
        """Commands and codes count together on an electricity meter's bench."""
        return self.codes * UNIT + self.commands

    def enter(self, pence: int, *, by_command: bool) -> bool:
        counter = self.codes * UNIT
        digits = self.bench.head.top_up(pence, counter, value_class=ValueClass.PENCE)
        if by_command:
            return bool(self.bench.ask("CS01a", {"utrn": digits}, counter=counter) == {})
        return self.bench.core.enter_utrn(digits, self.bench.now, TokenSource.PPMID) is None

    def tariff(self, prices: tuple[int, ...], standing: int, kind: int) -> None:
        days = _DAYS[kind], _DAYS[-kind]
        assert self.command("1.1.1", electricity_tariff(*days, prices, standing))
        self.ledger.working_days, self.ledger.weekends = days
        self.ledger.prices, self.ledger.standing = prices, standing

    def configuration(self, limit: int) -> dict[str, Any]:
        elements = electricity_rules(limit, EMERGENCY_THRESHOLD, 100_000, 60_000)
        elements["UpdatePrepayConfigElectricity"]["MaxMeterBalance"] = MOST
        return elements

    def debts(self, added: tuple[int, int, int]) -> None:
        rates = (15_000, 2_500)
        assert self.command("2.3", debts(ESME, added, rates, 2_000))
        self.ledger.owe(added, rates, 2_000)

    def select_emergency_credit(self) -> bool:
        return bool(self.bench.core.select_emergency_credit(self.bench.now))

    def want_supply(self) -> None:
        self.ledger.supply = self.ledger.supply or self.ledger.armed
        assert self.bench.core.press_enable_button(self.bench.now) == self.ledger.supply

    def figures(self) -> dict[str, Any]:
        core = self.bench.settled()
        account, rates = core.prepayment.account, core.life.state.rates
        state = account.state
        reading = core.meter.reading((self.bench.now - EPOCH) // MICROSECOND).active_import
        assert reading == sum(rates.tou) + sum(map(sum, rates.blocks)), "I2"
        assert bool(core.supply.causes) == state.credit_cause, "I8"
        taken, limit = state.emergency.taken, account.rules.emergency_limit
        return {
            "balance": state.meter_balance,
            "emergency": state.emergency_balance if taken else limit,
            "owed": account.emergency_owed,
            "accumulated": state.accumulated_debt,
            "payment debt": state.payment_debt,
            "time debts": [state.time_debt_1, state.time_debt_2],
            "supply": core.supply.state.name,
            "causes": bool(core.supply.causes),
            "registers": rates.tou[:3],
            "import": reading,
        }

    def expected(self) -> dict[str, Any]:
        return {**common(self.ledger), "registers": self.ledger.registers, "import": self.ledger.total}

    def change_firmware(self) -> None:
        [entry] = [one for one in MANIFEST["images"] if one["file"] == "esme-sound.ota"]
        image = (FOLDER / "esme-sound.ota").read_bytes()
        assert self.bench.core.receive_firmware(image, self.bench.now) == "verified"
        self.commands += 1
        asked = {
            "manufacturer_image_hash": entry["manufacturer_image_hash"],
            "originator_counter": self._counter(),
            "execution_date_time": "immediate",
        }
        answer = self.bench.ask("CS06", asked, counter=self._counter())
        assert answer["execution_outcome"]["firmware_version"] == entry["firmware_version"]

    def shown(self) -> dict[str, Any]:
        core = self.bench.settled()
        server = core.server
        stored = {name: server.data(name) for name in server._model.by_name if server.holds(name)}
        del stored["firmware_version"]
        return {
            "version": core.security.firmware.store.version,
            "stored": stored,
            "account": core.prepayment.account.state.to_json(),
            "life": core.life.state.to_json(),
            "registers": core.meter.registers(self.bench.now),
            "halves": list(core.meter.half_hours(self.bench.now, None, None)),
            "days": core.logs.daily.entries(),
            "event log": core.application.event_log.entries,
            "anchors": core.application.trust_anchors.cells,
            "codes": core.prepayment.utrns.counters,
            "clock": (core.clock.status, core.clock.offset),
            "pending": list(core.application.future_dated.waiting),
            "own counter": core.application.own_counter.next_value > 0,
        }


def test_every_step_of_a_random_life_is_that_of_the_ledger(make_bench: Callable[..., Any]) -> None:
    machine = type("Machine", (ElectricityLife,), {"make": staticmethod(make_bench)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=5, stateful_step_count=20, deadline=None)
    )
