"""Thirteen months in the life of an electricity meter that is paid in advance.

Tariffs by command (ECS01a), credit, debts, emergency credit, top-ups, power cuts and a change of tenancy
(ECS12); reconciled at every step with a ledger that is worked out here, from the load alone. Gas has its own
thirteen months. One new firmware (CS06). No change of supplier.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from account_ledger import AccountLedger
from meter_bench import ESME

from smetslab import resources
from smetslab.crypto import PublicKey
from smetslab.devices.load import LoadProfile
from smetslab.devices.security.firmware_store import FirmwareRules
from smetslab.devices.security.installed import SecuritySettings
from smetslab.firmware import Target
from smetslab.rng import RootSeed

MakeBench = Callable[..., Any]

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
SLOT, TICK, DAY = timedelta(minutes=30), timedelta(seconds=10), timedelta(days=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
UNIT = 1 << 32
FOLDER = Path(str(resources.firmware_images()))
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))

STATE: dict[str, int | bool | str] = {
    "charging": True,
    "payment_mode": "prepayment",
    "meter_balance_millipence": 1_000_000,
    "emergency_credit_balance_millipence": 1_000_000,
    "emergency_credit_limit_millipence": 1_000_000,
    "emergency_credit_threshold_millipence": 200_000,
    "accumulated_debt_millipence": 0,
    "payment_debt_millipence": 3_000_000,
    "time_debt_1_millipence": 4_000_000,
    "time_debt_2_millipence": 500_000,
    "disablement_threshold_millipence": -100_000,
    "low_credit_threshold_millipence": 300_000,
    "debt_recovery_rate_1_millipence": 15_000,
    "debt_recovery_rate_2_millipence": 2_500,
    "debt_recovery_period_s": 86_400,
    "debt_recovery_rate_cap_millipence": 60_000,
    "debt_recovery_per_payment_basis_points": 2_000,
    "standing_charge_millipence": 31_000,
    "suspend_debt_emergency": True,
    "suspend_debt_disabled": True,
    "maximum_credit_millipence": 5_000_000,
    "maximum_meter_balance_millipence": 20_000_000,
    "load_limit_power_threshold_w": 0,
}


@dataclass(kw_only=True)
class Ledger(AccountLedger):
    """The account and the registers, by plain arithmetic. Energy in thousandths of a watt hour. Rates: 1 from
    07:00, 2 from 23:00."""

    load: LoadProfile
    now: datetime = BEGIN
    prices: dict[str, int] = field(default_factory=dict)
    remainder: int = 0
    registers: dict[int, int] = field(default_factory=lambda: {1: 10_000, 2: 0, 3: 0})
    switched: datetime = BEGIN
    base: int = 10_000
    calendar: tuple[tuple[int, int], ...] = ((7, 1), (23, 2))
    days: dict[int, list[int]] = field(default_factory=dict)

    def drawn(self, moment: datetime) -> int:
        """What the household would have drawn since 2000-01-01 was a Saturday: the sum of its half hours."""
        number, within = divmod(moment - EPOCH, DAY)
        if number not in self.days:
            sums = [0]
            for part in self.load.day(number):
                sums.append(sums[-1] + part.active_import)
            self.days[number] = sums
        sums = self.days[number]
        slot, rest = divmod(within, SLOT)
        share = (
            (sums[slot + 1] - sums[slot]) * (rest // timedelta(microseconds=1)) // 1_800_000_000
            if rest
            else 0
        )
        return sums[slot] + share

    def between(self, first: datetime, last: datetime) -> int:
        """Energy between two moments, over midnights."""
        total, day = 0, first
        while (border := (day - EPOCH) // DAY * DAY + EPOCH + DAY) <= last:
            self.drawn(day)
            total += self.days[(day - EPOCH) // DAY][-1] - self.drawn(day)
            day = border
        return total + (self.drawn(last) - self.drawn(day))

    def rate(self, moment: datetime) -> int:
        earlier = [register for hour, register in self.calendar if hour <= moment.hour]
        return earlier[-1] if earlier else self.calendar[-1][1]

    def total(self) -> int:
        """The import register: energy since the supply last came on is measured from that moment."""
        return self.base + (self.between(self.switched, self.now) if self.flows else 0)

    def hold(self) -> None:
        """Whatever changes the flow: what was measured so far is kept."""
        self.base = self.total()
        self.switched = self.now

    def step_to(self, moment: datetime) -> None:
        """Energy up to a moment within one half hour, at one rate."""
        before, rate = self.total(), self.rate(self.now)
        self.now = moment
        energy = self.total() - before
        self.registers[rate] += energy
        cost = energy * self.prices[f"{rate:02X}"] + self.remainder
        self.remainder = cost % 1_000_000
        self.take(cost // 1_000_000, energy=True)

    def run(self, end: datetime) -> None:
        """Half hour by half hour; tick by tick where the credit may run out."""
        while self.now < end:
            border = min(end, self.now + (SLOT - (self.now - EPOCH) % SLOT))
            price = self.prices[f"{self.rate(self.now):02X}"]
            likely = self.between(self.now, border) * price // 1_000_000 + 1 if self.flows else 0
            if self.flows and self.credit - likely <= self.threshold:
                while self.now < border:
                    self.step_to(min(border, self.now + (TICK - (self.now - EPOCH) % TICK)))
            else:
                self.step_to(border)
            if (self.now - EPOCH) % DAY == timedelta():
                self.midnight()

    def midnight(self) -> None:
        off = not self.supply
        self.take(self.standing, energy=False)
        if off or not self.power:
            return
        for number in (0, 1):
            self.recover(number)

    def enable(self) -> None:
        if not self.supply and not self.cause:
            self.hold()
            self.supply = True

    def cut(self, seconds: int) -> None:
        self.hold()
        self.power = False
        self.run(self.now + timedelta(seconds=seconds))
        self.hold()
        self.power = True


def prices(first: int, second: int, third: int = 0) -> dict[str, int]:
    table = dict.fromkeys([f"{tou:02X}" for tou in range(1, 49)], 0)
    table |= {f"{block}{column}": 0 for block in "ABCD" for column in range(1, 9)}
    return {**table, "01": first, "02": second, "03": third}


def set_tariff(
    bench: Any,
    ledger: Ledger,
    table: dict[str, int],
    calendar: tuple[tuple[int, int], ...],
    *,
    standing: int,
    counter: int,
) -> None:
    """Use case ECS01a, at once: the same day all the year, no blocks."""
    switches = [
        {
            "start_time": f"{hour:02}:00:00",
            "script_logical_name": "00000A0064FF",
            "script_selector": register,
        }
        for hour, register in calendar
    ]
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    season = {"season_profile_name": "all", "season_start": "2014-01-01T00:00:00Z", "week_name": "01"}
    scaling = {"commodity_scale": 3, "price_scale": -5}
    command: dict[str, Any] = {
        "tariff_switching_table_seasons": [season],
        "tariff_switching_table_weeks": [{"week_profile_name": "01", **dict.fromkeys(weekdays, 1)}],
        "tariff_switching_table_days": [{"day_identifier": 1, "day_schedule": switches}],
        "tariff_switching_table_special_days": [],
        **{f"tariff_threshold_matrix_tou_{tou}": [4294967295] for tou in range(1, 9)},
        "currency_unit": "GBP",
        "standing_charge": {
            "charge_per_unit_scaling": {"commodity_scale": 0, "price_scale": -5},
            "commodity": {"class_id": 0, "logical_name": "000000000000", "attribute_index": 0},
            "charge_table": [{"index": "", "charge_per_unit": standing}],
        },
        "tariff_block_price_matrix_tou": {
            "charge_per_unit_scaling": scaling,
            "commodity": {"class_id": 3, "logical_name": "0100010800FF", "attribute_index": 2},
            "charge_table": [{"index": index, "charge_per_unit": price} for index, price in table.items()],
        },
        "tariff_switching_table_activation_time": "immediate",
        "tariff_switching_table_special_days_activation_time": "immediate",
        "currency_unit_activation_time": "immediate",
        "standing_charge_activation_time": "immediate",
        "tariff_block_price_matrix_tou_activation_time": "immediate",
        "tariff_threshold_matrix_activation_time": "immediate",
    }
    assert not bench.ask("ECS01a", command, counter=counter).get("failures")
    assert bench.core.server.value("standing_charge")["charge_table"][0]["charge_per_unit"] == standing
    ledger.prices, ledger.calendar, ledger.standing = table, calendar, standing


def change_tenancy(bench: Any, counter: int) -> None:
    """Use case ECS12: older records are hidden from whoever lives here now; no figure moves."""
    moment = bench.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert not bench.ask("ECS12", {"restrict_data_date_time": moment}, counter=counter).get("failures")
    assert bench.core.server.value("restricted_data_date_time") == moment


def maker() -> SecuritySettings:
    """What lets the meter take the firmware images of the project."""
    target = Target(manufacturer_code=0xFFF1, image_type=0x0A01, hardware_version=1, eui64=ESME)
    makers = (PublicKey(bytes.fromhex(MANIFEST["maker_public_key"])),)
    rules = FirmwareRules(version=bytes.fromhex("00010000"), target=target, makers=makers)
    return SecuritySettings(firmware=rules)


def change_firmware(bench: Any, counter: int) -> None:
    """An image comes over the HAN and use case CS06 lets it run; no figure moves."""
    [entry] = [one for one in MANIFEST["images"] if one["file"] == "esme-sound.ota"]
    assert bench.core.receive_firmware((FOLDER / "esme-sound.ota").read_bytes(), bench.now) == "verified"
    bench.take()
    asked = {
        "manufacturer_image_hash": entry["manufacturer_image_hash"],
        "originator_counter": counter,
        "execution_date_time": "immediate",
    }
    answer = bench.ask("CS06", asked, counter=counter)
    assert answer["execution_outcome"]["firmware_version"] == entry["firmware_version"] != "00010000"


def same(bench: Any, ledger: Ledger, place: str) -> None:
    """Every figure of the meter is that of the ledger."""
    bench.core.settle(bench.now)
    account, life = bench.core.prepayment.account, bench.core.life
    state = account.state
    found = {
        "balance": state.meter_balance,
        "emergency": state.emergency_balance if state.emergency.taken else 1_000_000,
        "accumulated": state.accumulated_debt,
        "payment debt": state.payment_debt,
        "time debts": [state.time_debt_1, state.time_debt_2],
        "import": bench.core.meter.reading((bench.now - EPOCH) // timedelta(microseconds=1)).active_import,
        "registers": {number: life.state.rates.tou[number - 1] for number in (1, 2, 3)},
        "supply": bench.core.supply.closed,
    }
    assert found == {
        "balance": ledger.balance,
        "emergency": ledger.emergency if ledger.taken else 1_000_000,
        "accumulated": ledger.accumulated,
        "payment debt": ledger.payment_debt,
        "time debts": ledger.debts,
        "import": ledger.total(),
        "registers": ledger.registers,
        "supply": ledger.supply,
    }, place


@pytest.mark.parametrize("seed", [1])
def test_thirteen_months_reconcile_to_the_thousandth_of_a_penny(make_bench: MakeBench, seed: int) -> None:
    chance = Random(seed)
    bench = make_bench(state=STATE, at=BEGIN, security=maker())
    ledger = Ledger(load=LoadProfile(RootSeed(1).octets("load", 16)))
    set_tariff(bench, ledger, prices(31_500, 15_200), ((7, 1), (23, 2)), standing=31_000, counter=1)
    moved = False
    counter, spare, told = 0, 1, []
    value = 0
    end = BEGIN + timedelta(days=396)
    while bench.now < end:
        wait = timedelta(seconds=chance.randrange(3_600, 4 * 86_400))
        bench.pass_time(wait)
        ledger.run(ledger.now + wait)
        same(bench, ledger, f"after {wait} at {bench.now}")
        act = chance.random()
        if act < 0.55:
            counter, pounds = counter + 1, chance.randrange(1, 16)
            digits = bench.head.top_up(pounds, counter * UNIT)
            if act < 0.4:
                assert bench.ask("CS01a", {"utrn": digits}, counter=counter * UNIT) == {}
            else:
                assert bench.core.enter_utrn(digits, bench.now) is None
            ledger.top_up(pounds * 100_000)
            value += pounds * 100_000
        elif act < 0.7:
            assert bench.core.select_emergency_credit(bench.now) == ledger.activate()
        elif act < 0.8:
            seconds = chance.randrange(1, 200_000)
            bench.power_cut(timedelta(seconds=seconds))
            ledger.cut(seconds)
        elif act < 0.87:
            first, second, third = (chance.randrange(10_000, 32_000) for _ in range(3))
            calendar = chance.choice([((7, 1), (23, 2)), ((0, 3), (6, 1), (16, 2)), ((0, 2),)])
            standing = chance.randrange(20_000, 32_000)
            spare += 1
            table = prices(first, second, third)
            set_tariff(bench, ledger, table, calendar, standing=standing, counter=counter * UNIT + spare)
        if not moved and bench.now - BEGIN > timedelta(days=150):
            moved, spare = True, spare + 1
            change_tenancy(bench, counter * UNIT + spare)
            spare += 1
            change_firmware(bench, counter * UNIT + spare)
        if chance.random() < 0.8:
            bench.core.press_enable_button(bench.now)
            ledger.enable()
        same(bench, ledger, f"after an act ({act:.2f}) at {bench.now}")
        told += [message.detail["code"] for message in bench.take() if "code" in message.detail]
    assert moved
    assert bench.now - BEGIN > timedelta(days=395)
    owed_at_first = 3_000_000 + 4_500_000
    assert ledger.recovered_debt + sum(ledger.debts) + (
        3_000_000 - ledger.payment_debt
    ) + ledger.payment_debt == (owed_at_first)
    assert {"8F0F", "8F32", "8119", "81AB", "810D", "810E"} <= set(told)
    halves = list(bench.core.meter.half_hours(bench.now, None, None))
    assert len(halves) == 19_056, "397 days"
    # The sum of whole watt hours between borders is the whole watt hours at the last border.
    newest = bench.now - (bench.now - EPOCH) % SLOT

    def whole(moment: datetime) -> int:
        reading = bench.core.meter.reading((moment - EPOCH) // timedelta(microseconds=1))
        return int(reading.active_import // 1000)

    logged = sum(energies.active_import for _, energies in halves)
    assert logged == whole(newest) - whole(newest - len(halves) * SLOT)
