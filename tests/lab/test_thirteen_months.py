"""Thirteen months in the life of one home with electricity and gas that pays in advance, through the DCC.

Two suppliers one after the other, each with tariffs, prices, debts and emergency credit of its own, among
them tariffs with blocks, whose counters begin anew with each month; new firmware; new tenants; times without
power for each device; and a consumer who buys credit in every way there is, too little of it. Before and
after every act each figure of both meters is that of a ledger that is worked out apart, on whole numbers,
from what the household uses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from household_ledger import (
    COLUMNS,
    EPOCH,
    MICROSECOND,
    SLOT,
    AccountLedger,
    Recorded,
)
from prepaying_home import (
    BEGIN,
    ESME,
    GPF,
    GSME,
    HUB,
    TOP_UP_FLOOR,
    PrepayingHome,
    Usage,
    electricity_prices,
    gas_billing,
    gas_prices,
    home_config,
)
from prepaying_household import FIRST_L, Household

from smetslab.clock import run_virtual
from smetslab.devices.gas_records import BALANCES, REGISTERS
from smetslab.devices.prepay.token import Refusal
from smetslab.gbcs.values import utc_text
from smetslab.lab.build import Lab

_BALANCES = (
    "meter_balance",
    "emergency_credit_balance",
    "payment_debt_register",
    "time_debt_register_1",
    "time_debt_register_2",
    "accumulated_debt_register",
)
ENTRIES = 12
"""Months, and changes of tariff or mode, that a meter remembers."""


@dataclass
class Story(Household):
    """Thirteen months of it."""

    days: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.milestones: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (0.15, self.both_tariffs_change),
            (0.25, self.the_hub_is_without_power),
            (0.35, self.new_firmware),
            (0.5, self.the_supplier_changes),
            (0.65, self.new_tenants),
            (0.75, self.a_working_day_without_credit),
            (0.85, self.everything_is_without_power),
        ]

    # ------------------------------------------------------------------------ comparing

    def same(self, place: str) -> None:
        """Every figure of both meters is that of its ledger."""
        self.electricity.run(self.now)
        self.gas.run(self.now)
        self.same_electricity(f"{place} at {self.now}")
        self.same_gas(f"{place} at {self.now}")

    def same_electricity(self, place: str) -> None:
        if not self.home.esme.powered:
            return
        core, ledger = self.home.esme._core, self.electricity
        core.settle(self.now)
        state, rates = core.prepayment.account.state, core.life.state.rates
        reading = core.meter.reading((self.now - EPOCH) // MICROSECOND)
        found = {
            "balance": state.meter_balance,
            "emergency": state.emergency_balance if state.emergency.taken else ledger.limit,
            "accumulated": state.accumulated_debt,
            "payment debt": state.payment_debt,
            "time debts": [state.time_debt_1, state.time_debt_2],
            "import": reading.active_import,
            "export": reading.active_export,
            "registers": rates.tou[:4],
            "blocks": [row[:COLUMNS] for row in rates.blocks],
            "counters": rates.counters[:COLUMNS],
            "other registers": sum(rates.tou[4:]) + sum(sum(row[COLUMNS:]) for row in rates.blocks),
            "supply": core.supply.state.name,
        }
        assert found == {**figures(ledger), "import": ledger.total, "export": ledger.export} | {
            "registers": ledger.registers,
            "blocks": ledger.blocks,
            "counters": ledger.counters,
            "other registers": 0,
        }, place

    def same_gas(self, place: str) -> None:
        if not self.home.gsme.powered:
            return
        core, ledger = self.home.gsme._core, self.gas
        core.settle(self.now)
        state, registers = core.account.state, core.meter.registers
        found = {
            "balance": state.meter_balance,
            "emergency": core.account.emergency_remaining,
            "accumulated": state.accumulated_debt,
            "payment debt": state.payment_debt,
            "time debts": [state.time_debt_1, state.time_debt_2],
            "total": registers.total,
            "tiers": registers.tiers,
            "blocks": registers.blocks,
            "cost to date": state.cost_to_date,
            "supply": core.valve.state.name,
        }
        assert found == {**figures(ledger), "total": ledger.total, "tiers": ledger.registers} | {
            "blocks": ledger.blocks,
            "cost to date": ledger.cost_to_date,
        }, place

    async def same_from_afar(self) -> None:
        """What the supplier reads, and what the proxy in the hub shows, is what the ledgers say."""
        ledger, told = await self.ask("4.3", ESME)
        assert told["prepayment_registers"]["prepayment_balance_collection"] == {
            "meter_balance": ledger.balance,
            "emergency_credit_balance": ledger.emergency_shown,
            "accumulated_debt_register": ledger.accumulated,
            "time_debt_register_1": ledger.debts[0],
            "time_debt_register_2": ledger.debts[1],
            "payment_debt_register": ledger.payment_debt,
        }
        ledger, told = await self.ask("4.1.1", ESME)
        registers = told["import_registers"]["import_register_collection"]
        assert registers["active"] == ledger.total // 1000
        # Whoever buys what the roof makes stays the same, known to the meter or not.
        export = await self.home.lab.users["supplier"].request("4.2", ESME)
        self.electricity.run(self.home.told_at(ESME))
        assert export.ok
        assert export.parameters["active_export_register"] == self.electricity.export // 1000
        ledger, told = await self.ask("4.3", GSME)
        assert attributes(told, "credit_remaining") == gas_balances(ledger)
        ledger, told = await self.ask("4.1.1", GSME)
        volume = attributes(told, "current_summation_delivered")["current_summation_delivered"]
        assert volume == ledger.total // 1_000

        self.home.gsme.press_button()
        await self.wait(timedelta(seconds=5))
        self.gas.run(self.home.woken)
        shown = attributes(await self.home.ask("4.3", GPF), "credit_remaining")
        assert shown == gas_balances(self.gas)
        shown = attributes(await self.home.ask("4.1.1", GPF), "current_summation_delivered")
        assert shown["current_summation_delivered"] == self.gas.total // 1_000

    async def act(self) -> str:
        """Something happens by chance."""
        meter = self.chance.choice([ESME, GSME])
        kind = self.chance.random()
        name = "ESME" if meter == ESME else "GSME"
        if kind < 0.6:
            way = "command" if kind < 0.3 else "keypad" if kind < 0.5 else "PPMID"
            await self.top_up(meter, way)
            return f"top-up of the {name} by {way}"
        if kind < 0.75:
            await self.emergency_credit(meter)
            return f"emergency credit of the {name}"
        if kind < 0.83:
            await self.without_power(meter, timedelta(seconds=self.chance.randrange(1, 200_000)))
            return f"{name} without power"
        if kind < 0.9:
            await self.new_prices(meter)
            return f"new prices of the {name}"
        if kind < 0.95:
            await self.new_tariff(meter)
            return f"new tariff of the {name}"
        await self.new_worth()
        return "new calorific value"

    # ------------------------------------------------------------------------ once in thirteen months

    async def begin(self) -> None:
        await self.home.handover()
        await self.home.pair_ppmid()
        await self.new_worth()
        await self.ask("6.8", GSME, gas_billing(datetime(2026, 4, 1, tzinfo=UTC)))
        await self.set_up(limits=1_000_000, debt=1_000_000)
        await self.pay_in_advance()
        self.same("when everything is set up")
        await self.same_from_afar()

    async def both_tariffs_change(self) -> None:
        for meter in (ESME, GSME):
            await self.new_tariff(meter)

    async def new_firmware(self) -> None:
        """No figure moves; it is what runs from now on, over power cuts too."""
        for meter, name in ((ESME, "esme-sound"), (GSME, "gsme-sound")):
            assert await self.home.new_firmware(meter, name) == "00010001"
            self.same("with new firmware")
            await self.without_power(meter, timedelta(minutes=3))
            assert "00010001" in str(await self.home.ask("11.2", meter))

    async def the_hub_is_without_power(self) -> None:
        """Nobody can be reached, the proxy shows old figures, the meters go on; then all is as before."""
        hub = self.home.lab.hubs[HUB]
        await hub.power_cut()
        await self.home.proxy.power_cut()
        await self.wait(timedelta(hours=7))
        self.same("while the hub has no power")
        await hub.power_restore()
        await self.home.proxy.power_restore()
        await self.wait(timedelta(hours=1))
        await self.same_from_afar()

    async def the_supplier_changes(self) -> None:
        """6.23 for all three devices, the electricity meter at a midnight to come."""
        home, old, new = self.home, self.home.supplier, self.home.lab.users["second-supplier"]
        absurd = {
            ESME: await home.signed("1.2.1", ESME, electricity_prices((1, 1, 1), 1), 900_001),
            GSME: await home.signed("1.2.1", GSME, gas_prices((1, 1, 1, 1), 1), 900_002),
        }
        codes = {meter: home.code(meter, 500, old) for meter in (ESME, GSME)}
        midnight = EPOCH + ((self.now - EPOCH).days + 1) * timedelta(days=1)
        await home.change_supplier(new, ESME, utc_text(midnight))
        for device in (GSME, GPF):
            await home.change_supplier(new, device)
        await self.wait(midnight + timedelta(minutes=1) - self.now)
        self.same("after the change of supplier")

        dropped = len(home.dropped)
        for command in absurd.values():
            await home.arrive(command)
        await self.wait(timedelta(seconds=5))
        home.gsme.press_button()
        await self.wait(timedelta(minutes=1))
        sources = {source for source, _ in home.dropped[dropped:]}
        assert sources == {str(ESME), str(GSME)}
        assert home.esme.enter_utrn(codes[ESME]) is Refusal.NOT_AUTHENTIC
        assert home.gsme.enter_code(codes[GSME]) is Refusal.NOT_AUTHENTIC
        for meter in (ESME, GSME, GPF):
            refused = await old.request("4.3", meter)
            assert not refused.ok
            assert refused.message is None
        self.same("after commands and codes of the old supplier")

        home.supplier = new
        home.next_code = dict.fromkeys((ESME, GSME), TOP_UP_FLOOR)
        await self.set_up(limits=700_000, debt=500_000)
        self.same("when the new supplier has set up its tariffs")
        await self.top_up(ESME, "command")
        await self.top_up(GSME, "command")
        await self.same_from_afar()

    async def new_tenants(self) -> None:
        """3.2: older records are hidden from whoever lives here now; no figure moves, and suppliers go on."""
        moment = utc_text(self.now.replace(microsecond=0))
        for device in (ESME, GPF):
            await self.home.ask("3.2", device, {"RestrictionDateTime": moment})
        assert self.home.esme._core.server.value("restricted_data_date_time") == moment
        hidden = datetime.fromisoformat(moment)
        assert self.home.proxy._core.tenancy.hidden_before(self.now) == hidden
        self.same("with new tenants")
        await self.same_from_afar()

    async def a_working_day_without_credit(self) -> None:
        """Nobody buys anything until emergency credit is used up too; credit arms both meters, a hand brings
        the supply back."""
        for meter in (ESME, GSME):
            ledger = self.ledger(meter)
            await self.correct_balance(meter, 250_000)
            await self.want_supply(meter)
            while not ledger.taken:
                await self.wait(timedelta(hours=6))
                self.same("while credit runs out")
                await self.emergency_credit(meter)
            await self.want_supply(meter)
            while ledger.supply:
                await self.wait(timedelta(hours=6))
                self.same("while emergency credit runs out")
            while ledger.cause:
                await self.top_up(meter, "PPMID")
                self.same("with some credit again")
            await self.want_supply(meter)
            self.same("with supply again")
            assert ledger.supply

    async def everything_is_without_power(self) -> None:
        """The mains of the home, for a night and a day; the gas meter has its battery."""
        home = self.home
        mains = (home.lab.hubs[HUB], home.proxy, home.ppmid)
        for device in mains:
            await device.power_cut()
        await self.without_power(ESME, timedelta(hours=31))
        for device in mains:
            await device.power_restore()
        await self.wait(timedelta(hours=1))
        self.same("with power again")
        await self.same_from_afar()

    async def live(self) -> None:
        """Wait, act, want supply; reconciled after each."""
        await self.begin()
        end = BEGIN + timedelta(days=self.days)
        while self.now < end:
            await self.wait(timedelta(seconds=self.chance.randrange(3_600, 3 * 86_400)))
            self.same("before an act")
            what = await self.act()
            self.same(f"after an act ({what})")
            for meter in (ESME, GSME):
                if self.chance.random() < 0.8:
                    await self.want_supply(meter)
                    self.same("after supply was wanted")
            while self.milestones and (self.now - BEGIN) / timedelta(days=self.days) > self.milestones[0][0]:
                _, milestone = self.milestones.pop(0)
                await milestone()
                self.same(f"after {milestone.__name__}")
        assert not self.milestones

    async def reconcile(self) -> None:
        """At the end."""
        await self.wait(SLOT - (self.now - EPOCH) % SLOT)
        self.same("at the end")
        self.same_logs()
        await self.same_from_afar()
        for ledger in (self.electricity, self.gas):
            assert ledger.conserved, "no debt is made or lost"
            assert ledger.worth == ledger.credited - ledger.charged + (ledger.cost_to_date or 0)
        for meter in (ESME, GSME):
            assert {"8F0F", "8F32", "8119", "81AB", "810D", "810E"} <= set(self.home.alerts[str(meter)])

    def recorded(self, log: str) -> list[Recorded]:
        """What a log of the electricity meter has, in its own units."""
        server, found = self.home.esme._core.server, list[Recorded]()
        balances: Any = server.entries("billing_calendar_triggered_balances_log")
        by_time = {entry["timestamp"]: entry for entry in balances}
        entry: Any
        for entry in server.entries(log):
            account = entry if "meter_balance" in entry else by_time[entry["timestamp"]]
            blocks = [entry[f"tariff_block_{number}_tou_registers"] for number in range(1, 5)]
            assert not any(entry["tariff_tou_register_matrix"][4:])
            assert not any(any(row[COLUMNS:]) for row in blocks)
            found.append(
                Recorded(
                    at=datetime.fromisoformat(entry["timestamp"]),
                    total=entry["active_import_register"],
                    registers=tuple(entry["tariff_tou_register_matrix"][:4]),
                    blocks=tuple(tuple(row[:COLUMNS]) for row in blocks),
                    account=tuple(account[name] for name in _BALANCES),
                )
            )
        return found

    def gas_recorded(self) -> list[Recorded]:
        """What the billing data log of the gas meter has."""
        records = self.home.gsme._core.records
        pairs = zip(records.billing.entries, records.prepay_billing.entries, strict=True)
        found: list[Recorded] = []
        for volumes, account in pairs:
            total, tiers, _, blocks = (volumes.values[name] for name in REGISTERS)
            assert isinstance(total, int)
            assert isinstance(tiers, list)
            assert isinstance(blocks, list)
            accumulated, first, second, at_payment, emergency, balance = (
                account.values[name] for name in BALANCES
            )
            found.append(
                Recorded(
                    at=EPOCH + timedelta(seconds=volumes.seconds),
                    total=total,
                    registers=tuple(tiers),
                    blocks=(tuple(blocks),),
                    account=(balance, emergency, at_payment, first, second, accumulated),  # type: ignore[arg-type]
                )
            )
        return found

    def same_logs(self) -> None:
        """At the border of a half hour: the logs of half hours, all of them, add up to the registers."""
        meters = self.home.esme._core, self.home.gsme._core
        halves = list(meters[0].meter.half_hours(self.now, None, None))
        assert len(halves) == (self.now - BEGIN) // SLOT
        assert sum(energies.active_import for _, energies in halves) == self.electricity.total // 1_000
        assert sum(energies.active_export for _, energies in halves) == self.electricity.export // 1_000
        first = int((BEGIN - EPOCH).total_seconds()) + 1_800
        assert (
            self.recorded("billing_calendar_triggered_billing_data_log") == self.electricity.months[-ENTRIES:]
        )
        assert (
            self.recorded("mode_or_tariff_triggered_billing_data_log") == self.electricity.changes[-ENTRIES:]
        )
        assert self.gas_recorded() == self.gas.months[-ENTRIES:]
        for ledger in (self.electricity, self.gas):
            assert min(len(ledger.months), ledger.passed) >= 2, "no month ended, or no threshold was passed"
        volumes = meters[1].records.profile.samples(first, 20_000).values
        assert len(volumes) == (self.now - BEGIN) // SLOT
        assert sum(volumes) == self.gas.total // 1_000 - FIRST_L


def figures(ledger: AccountLedger) -> dict[str, Any]:
    return {
        "balance": ledger.balance,
        "emergency": ledger.emergency_shown,
        "accumulated": ledger.accumulated,
        "payment debt": ledger.payment_debt,
        "time debts": ledger.debts,
        "supply": "ENABLED" if ledger.supply else "ARMED" if ledger.armed else "DISABLED",
    }


def gas_balances(ledger: AccountLedger) -> dict[str, int]:
    return {
        "accumulated_debt": ledger.accumulated,
        "emergency_credit_remaining": ledger.emergency_shown,
        "credit_remaining": ledger.balance,
        "debt_amount_1": ledger.debts[0],
        "debt_amount_2": ledger.debts[1],
        "debt_amount_3": ledger.payment_debt,
    }


def attributes(told: dict[str, Any], member: str) -> dict[str, Any]:
    """The component that has an attribute."""
    [found] = [one["attributes"] for one in told["components"] if member in one.get("attributes", {})]
    return dict(found)


@pytest.mark.parametrize("days", [60, pytest.param(396, marks=pytest.mark.soak)])
def test_a_home_reconciles_to_the_thousandth_of_a_penny(tmp_path: Path, days: int) -> None:
    chance = Random(1)
    usage = Usage.by_chance(chance, days + 40)
    config = home_config(tmp_path, usage)

    async def scenario(clock: object) -> None:
        del clock
        async with Lab(config, keep=1_000, grouped=True) as lab:
            story = Story(PrepayingHome(lab), usage, chance, days)
            await story.live()
            await story.reconcile()

    run_virtual(scenario)
