"""A home that pays in advance and its two ledgers: whatever is done to a meter is done to its ledger.

Suppliers and the consumer of `prepaying_home` act here at random amounts; whether the figures of meters and
ledgers are the same afterwards is for whoever tells the story.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from household_ledger import CHECK, COLUMNS, AccountLedger, ElectricityLedger, GasLedger
from prepaying_home import (
    BEGIN,
    ESME,
    GSME,
    PrepayingHome,
    Usage,
    debts,
    electricity_prices,
    electricity_rules,
    electricity_tariff,
    gas_prices,
    gas_rules,
    gas_tariff,
    spared,
)

from smetslab.ids import Eui64

FIRST_L = 4_321
THRESHOLD = -100_000

_DAYS = (((0, 2), (7, 1), (23, 2)), ((0, 3), (6, 1), (16, 2)), ((0, 2),), ((0, 1), (12, 3)))
_BLOCK_DAYS = (((0, 102), (7, 101), (23, 102)), ((0, 101),), ((0, 102), (12, 101)))


@dataclass
class Household:
    """The home, and what it must have used and owe."""

    home: PrepayingHome
    usage: Usage
    chance: Random
    in_blocks: bool = field(default=False, init=False)
    """The electricity tariff has blocks."""

    def __post_init__(self) -> None:
        common: dict[str, Any] = {"now": BEGIN, "spared": spared}
        self.electricity = ElectricityLedger(
            half_hours=self.usage.drawn,
            exported=self.usage.fed,
            # As delivered: it counts in the first block until a supplier comes.
            working_days=((0, 101),),
            limit=95_000,
            block_prices=((2_289,), ()),
            standing=20_000,
            **common,
        )
        self.gas = GasLedger(
            half_hours=self.usage.burnt,
            total=FIRST_L * 1_000,
            cost_to_date=0,
            worth_of_ml=391 * 102_264,
            **common,
        )

    @property
    def now(self) -> datetime:
        return self.home.now

    def ledger(self, meter: Eui64) -> AccountLedger:
        return self.electricity if meter == ESME else self.gas

    async def wait(self, span: timedelta) -> None:
        await self.home.lab.clock.sleep(span.total_seconds())

    async def ask(
        self, variant: str, meter: Eui64, elements: dict[str, Any] | None = None
    ) -> tuple[AccountLedger, dict[str, Any]]:
        """A request; the ledger then stands at the moment at which the meter took it."""
        told = await self.home.ask(variant, meter, elements)
        ledger = self.ledger(meter)
        ledger.run(self.home.told_at(meter))
        return ledger, told

    # ------------------------------------------------------------------------ suppliers

    async def set_up(self, *, limits: int, debt: int) -> None:
        """What a new supplier does first: tariffs, rules, and what it says is owed."""
        for meter in (ESME, GSME):
            await self.new_tariff(meter)
            await self.new_rules(meter, limits)
            rates = (self.chance.randrange(10_000, 20_000), 2_500)
            rates = rates if meter == ESME else (700, rates[1])
            owed = (4 * debt, debt // 2, 3 * debt)
            ledger, _ = await self.ask("2.3", meter, debts(meter, owed, rates, 2_000))
            ledger.owe(owed, rates, 2_000)

    async def pay_in_advance(self) -> None:
        mode = {
            "SuspendDebtDisabled": True,
            "SuspendDebtEmergency": True,
            "DisablementThreshold": THRESHOLD,
        }
        for meter in (ESME, GSME):
            ledger, _ = await self.ask("1.6", meter, {"Prepayment": mode})
            ledger.pay_in_advance(THRESHOLD)
            self.tariff_or_mode_changed(meter)
            await self.correct_balance(meter, 1_000_000)

    async def new_tariff(self, meter: Eui64) -> None:
        """1.1.1: calendar, prices and standing charge."""
        standing = self.chance.randrange(20_000, 32_000)
        if meter == ESME:
            await self.new_electricity_tariff(standing)
            return
        blocks = not self.gas.block_prices
        prices = tuple(self.chance.randrange(5_000, 12_000) for _ in range(4))
        tiers = self.chance.choice([(1, 1), (1, 2), (4, 3), (2, 1)])
        thresholds = self.thresholds(60_000, 200_000) if blocks else ()
        await self.ask("1.1.1", GSME, gas_tariff(tiers, prices, standing, thresholds))
        # Where there are blocks no tier is switched to.
        self.gas.working_days, self.gas.weekends = (0, 0) if blocks else tiers
        self.gas.thresholds = tuple(1_000 * one for one in thresholds) or self.gas.thresholds
        self.gas.block_prices = prices if blocks else ()
        self.gas.prices, self.gas.standing = prices, standing

    def thresholds(self, least: int, most: int) -> tuple[int, ...]:
        step = self.chance.randrange(least, most)
        return step, 2 * step, 3 * step

    async def new_electricity_tariff(self, standing: int) -> None:
        """With blocks and without by turns."""
        ledger, self.in_blocks = self.electricity, not self.in_blocks
        kinds = _BLOCK_DAYS if self.in_blocks else _DAYS
        days = self.chance.choice(kinds), self.chance.choice(kinds)
        prices = self.electricity_prices()
        thresholds = self.thresholds(10_000, 30_000) if self.in_blocks else ()
        await self.ask("1.1.1", ESME, electricity_tariff(*days, prices, standing, thresholds))
        ledger.working_days, ledger.weekends = days
        ledger.thresholds = tuple(1_000 * limit for limit in thresholds)
        self.electricity_costs(prices, standing)

    def electricity_prices(self) -> Any:
        """Of three registers, or of the four blocks of each column."""
        rows = [tuple(self.chance.randrange(10_000, 32_000) for _ in range(4)) for _ in range(COLUMNS)]
        return tuple(rows) if self.in_blocks else rows[0][:3]

    def electricity_costs(self, prices: Any, standing: int) -> None:
        ledger = self.electricity
        ledger.standing = standing
        if self.in_blocks:
            ledger.block_prices = prices
        else:
            ledger.prices = prices
        self.tariff_or_mode_changed(ESME)

    def tariff_or_mode_changed(self, meter: Eui64) -> None:
        """The meter records that."""
        if meter == ESME:
            self.electricity.changes.append(self.electricity.recorded())

    async def new_prices(self, meter: Eui64) -> None:
        """1.2.1: the calendar stays."""
        standing = self.chance.randrange(20_000, 32_000)
        if meter == ESME:
            prices = self.electricity_prices()
            await self.ask("1.2.1", ESME, electricity_prices(prices, standing))
            self.electricity_costs(prices, standing)
            return
        prices = tuple(self.chance.randrange(5_000, 12_000) for _ in range(4))
        blocks = bool(self.gas.block_prices)
        await self.ask("1.2.1", GSME, gas_prices(prices, standing, blocks=blocks))
        self.gas.block_prices = prices if blocks else ()
        self.gas.prices, self.gas.standing = prices, standing

    async def new_rules(self, meter: Eui64, limit: int) -> None:
        """2.1: emergency credit, and how much debt a week of top-ups repays."""
        elements = electricity_rules if meter == ESME else gas_rules
        ledger, _ = await self.ask("2.1", meter, elements(limit, 200_000, 300_000, 60_000))
        ledger.configure(limit=limit, emergency_threshold=200_000, weekly_cap=60_000)

    async def correct_balance(self, meter: Eui64, wanted: int) -> None:
        """1.5: a signed amount, which leads to about what is wanted."""
        value = wanted - self.ledger(meter).balance
        ledger, _ = await self.ask("1.5", meter, {"PrepaymentMode": {"AdjustMeterBalance": value}})
        ledger.adjust(value)

    async def new_worth(self) -> None:
        """6.6: how much energy is in a cubic metre."""
        tenths = self.chance.randrange(380, 405)
        elements = {"ConversionFactor": "1.02264", "CalorificValue": f"{tenths / 10}"}
        await self.ask("6.6", GSME, elements)
        self.gas.worth_of_ml = tenths * 102_264

    # ------------------------------------------------------------------------ the consumer

    async def top_up(self, meter: Eui64, way: str) -> None:
        pence = self.chance.randrange(100, 2_000)
        home, ledger = self.home, self.ledger(meter)
        if way == "command":
            await home.top_up(meter, pence)
            ledger.run(home.told_at(meter))
        elif way == "keypad" and meter == ESME:
            assert home.esme.keypad.enter(home.code(ESME, pence)) is None
        elif way == "keypad":
            assert home.gsme.enter_code(home.code(GSME, pence)) == pence * 1_000
        else:
            assert home.ppmid.enter_top_up(home.code(meter, pence), meter).phase == "sent"
            await self.wait(timedelta(seconds=5))
            if meter == GSME:
                home.gsme.press_button()  # what comes over the HAN waits for it
                await self.wait(timedelta(seconds=5))
            assert home.ppmid.display.accepted, home.ppmid.display.text
            # To an electricity meter it is no message of a remote party.
            ledger.run(home.told_at(GSME) if meter == GSME else self.now)
        ledger.run(max(ledger.now, self.now if way == "keypad" else ledger.now))
        ledger.top_up(pence * 1_000)

    async def emergency_credit(self, meter: Eui64) -> None:
        """By the consumer of electricity, by the supplier of gas."""
        ledger = self.ledger(meter)
        if meter == ESME:
            ledger.run(self.now)
            assert self.home.esme.keypad.select_emergency_credit() == ledger.activate()
            return
        answer = await self.home.supplier.request("2.5", GSME)
        ledger.run(self.home.told_at(GSME))
        assert answer.ok == ledger.activate()

    async def want_supply(self, meter: Eui64) -> None:
        """Somebody at the meter wants supply; a valve opens when the flow has been checked."""
        ledger = self.ledger(meter)
        ledger.run(self.now)
        if meter == ESME:
            ledger.supply = ledger.supply or ledger.armed
            assert self.home.esme.keypad.enable_supply() == ledger.supply
            return
        armed = ledger.armed
        assert self.home.gsme.open_valve() == (armed or ledger.supply)
        opened = self.now + CHECK
        await self.wait(CHECK + timedelta(seconds=10))
        ledger.run(opened)
        ledger.supply = ledger.supply or (armed and not ledger.cause)

    async def without_power(self, meter: Eui64, span: timedelta) -> None:
        """NVM is kept, RAM is not."""
        device = self.home.esme if meter == ESME else self.home.gsme
        ledger, volatile = self.ledger(meter), device._core
        await device.power_cut()
        ledger.run(self.now)
        await self.wait(span)
        ledger.cut(self.now)
        await device.power_restore()
        assert device._core is not volatile
