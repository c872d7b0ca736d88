"""Thirteen months in the life of a gas meter that is paid in advance, and two months of them for every day.

Top-ups by command and by keypad, a standing charge, three debts, emergency credit, a valve that closes at the
microsecond and is opened by hand, times without power, new tariffs (GCS01a) and calorific values (GCS23) by
commands of the supplier, and one new firmware (CS06). Before and after every act each figure is that of a
ledger that is worked out here, on whole numbers, from the household's use alone. No change of supplier.
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

from smetslab import resources
from smetslab.crypto import PublicKey
from smetslab.devices.gas_flow import DailyVolumes, GasProfile
from smetslab.devices.security.firmware_store import FirmwareRules
from smetslab.devices.security.installed import SecuritySettings
from smetslab.devices.valve import ValveState
from smetslab.firmware import Target
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.rng import RootSeed

MakeBench = Callable[..., Any]
Week = tuple[int, int]
"""The tier of working days, and that of the weekend."""

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SLOT, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
SLOT_US = SLOT // MICROSECOND
CHECK = timedelta(seconds=130)
"""Ten seconds in which the flow settles, and two minutes in which it is measured."""
FIRST_L = 4_321
METER = Eui64.parse("00DB1234567890A1")
FOLDER = Path(str(resources.firmware_images()))
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))

STATE: dict[str, int | bool | str] = {
    "meter_balance_millipence": 1_000_000,
    "import_l": FIRST_L,
    "payment_debt_millipence": 3_000_000,
    "time_debt_1_millipence": 2_000_000,
    "time_debt_2_millipence": 500_000,
    "suspend_debt_emergency": True,
    "suspend_debt_disabled": True,
    "prepayment.cut_off_value": -100_000,
    "prepayment.emergency_credit_limit": 1_000_000,
    "prepayment.emergency_credit_threshold": 200_000,
    "prepayment.low_credit_warning_level": 300_000,
    "prepayment.max_credit_limit": 200_000_000,
    "prepayment.debt_recovery_top_up_percentage_3": 2_000,
    "prepayment.overall_debt_cap": 60_000,
    "prepayment.debt_recovery_amount_1": 700,
    "prepayment.debt_recovery_frequency_1": "per_hour",
    "prepayment.debt_recovery_amount_2": 2_500,
    "prepayment.debt_recovery_frequency_2": "per_day",
}


@dataclass(kw_only=True)
class GasLedger(AccountLedger):
    """Account and registers. Volumes in millilitres; energy in parts of 3 600 000 to a thousandth of a watt
    hour, so that a tenth of a MJ/m3 by a hundred-thousandth of a conversion factor is a whole number."""

    volumes: DailyVolumes
    now: datetime = BEGIN
    debts: list[int] = field(default_factory=lambda: [2_000_000, 500_000])
    rates: tuple[int, int] = (700, 2_500)
    total: int = FIRST_L * 1_000
    tiers: list[int] = field(default_factory=lambda: [0] * 4)
    prices: tuple[int, ...] = (0, 0, 0, 0)
    week_tiers: Week = (1, 1)
    worth_of_ml: int = 0
    energy_rest: int = 0
    price_rest: int = 0

    def volume(self, moment: datetime) -> int:
        """What would flow from now to a moment of the same half hour."""
        number, within = divmod(self.now - EPOCH, DAY)
        slot, start = divmod(within, SLOT)
        whole = self.volumes.day(number)[slot]
        first, last = start // MICROSECOND, (start + (moment - self.now)) // MICROSECOND
        return whole * last // SLOT_US - whole * first // SLOT_US

    def tier(self) -> int:
        return self.week_tiers[self.now.weekday() >= 5]

    def cost(self, volume: int) -> tuple[int, int, int]:
        """Of a volume now: thousandths of a penny, and what is left of the energy and of the money."""
        energy, energy_rest = divmod(volume * self.worth_of_ml + self.energy_rest, 3_600_000)
        money, price_rest = divmod(energy * self.prices[self.tier() - 1] + self.price_rest, 1_000_000)
        return money, energy_rest, price_rest

    def step_to(self, moment: datetime) -> None:
        """Gas up to a moment within one half hour."""
        if self.flows:
            volume = self.volume(moment)
            self.total += volume
            self.tiers[self.tier() - 1] += volume
            money, self.energy_rest, self.price_rest = self.cost(volume)
            self.now = moment
            self.take(money, energy=True)
        self.now = moment

    def gone(self, moment: datetime) -> bool:
        return self.credit - self.cost(self.volume(moment))[0] <= self.threshold

    def run(self, end: datetime) -> None:
        """Half hour by half hour; the valve closes at the first microsecond at which the credit is gone."""
        while self.now < end:
            border = min(end, self.now + SLOT - (self.now - EPOCH) % SLOT)
            if self.flows and self.gone(border):
                early, late = 0, (border - self.now) // MICROSECOND
                while late - early > 1:
                    middle = (early + late) // 2
                    early, late = (
                        (early, middle) if self.gone(self.now + middle * MICROSECOND) else (middle, late)
                    )
                self.step_to(self.now + late * MICROSECOND)
                assert not self.supply
            self.step_to(border)
            if not (border - EPOCH) % DAY:
                self.take(self.standing, energy=False)
            if self.flows and not (border - EPOCH) % HOUR:
                self.recover(0)
            if self.flows and not (border - EPOCH) % DAY:
                self.recover(1)

    def cut(self, end: datetime) -> None:
        """No power: standing charges alone fall due."""
        self.power = False
        self.run(end)
        self.power = True


def published(cluster: str, command: str, now: datetime, **fields: Any) -> dict[str, Any]:
    issued = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"cluster": cluster, "command": command, "issuer_event_id": issued, **fields}


def set_tariff(bench: Any, ledger: GasLedger, prices: tuple[int, ...], tiers: Week, charge: int) -> None:
    """Use case GCS01a: two kinds of day all the year, four prices, a standing charge."""

    def of_calendar(command: str, **fields: Any) -> dict[str, Any]:
        return published("calendar", command, bench.now, provider_id=0, issuer_calendar_id=9, **fields)

    def of_price(command: str, **fields: Any) -> dict[str, Any]:
        return published(
            "price", command, bench.now, provider_id=0, issuer_tariff_id=9, start_time="immediate", **fields
        )

    one_of_one = {"command_index": 0, "number_of_commands": 1}
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    kinds = (1,) * 5 + (2,) * 2
    components = [
        of_calendar(
            "publish_calendar",
            start_time="immediate",
            calendar_type="delivered",
            calendar_time_reference="utc",
            calendar_name="",
            number_of_seasons=1,
            number_of_week_profiles=1,
            number_of_day_profiles=2,
        ),
        *(
            of_calendar(
                "publish_day_profile",
                day_id=kind,
                number_of_schedule_entries=1,
                calendar_type="delivered",
                schedule_entries=[{"start_time": 0, "price_tier": tier}],
                **one_of_one,
            )
            for kind, tier in enumerate(tiers, 1)
        ),
        of_calendar(
            "publish_week_profile",
            week_id=1,
            **{f"day_id_ref_{day}": kind for day, kind in zip(weekdays, kinds, strict=True)},
        ),
        of_calendar(
            "publish_seasons",
            season_entries=[{"season_start_date": "*-01-01", "season_week_id_ref": 1}],
            **one_of_one,
        ),
        of_calendar(
            "publish_special_days",
            start_time="immediate",
            calendar_type="delivered",
            number_of_special_days=0,
            special_day_entries=[],
            **one_of_one,
        ),
        of_price(
            "publish_tariff_information",
            tariff_type_charging_scheme={"tariff_type": "delivered", "charging_scheme": "tou"},
            tariff_label="",
            number_of_price_tiers_in_use=4,
            number_of_block_thresholds_in_use=0,
            unit_of_measure="kWh",
            currency="GBP",
            price_trailing_digit={"trailing_digit": 5},
            standing_charge=charge,
            tier_block_mode="not_used",
            block_threshold_multiplier=1,
            block_threshold_divisor=1000,
        ),
        of_price(
            "publish_price_matrix",
            sub_payload_control="tou",
            price_entries=[{"tier_block_id": tier, "price": price} for tier, price in enumerate(prices, 1)],
            **one_of_one,
        ),
    ]
    answered(bench.ask("GCS01a", *components))
    ledger.prices, ledger.week_tiers, ledger.standing = prices, tiers, charge


def set_worth(bench: Any, ledger: GasLedger, calorific_value: int, factor: int) -> None:
    """Use case GCS23: tenths of a MJ/m3, and hundred-thousandths."""
    components = [
        published(
            "price",
            "publish_conversion_factor",
            bench.now,
            start_time="immediate",
            conversion_factor=factor,
            conversion_factor_trailing_digit={"trailing_digit": 5},
        ),
        published(
            "price",
            "publish_calorific_value",
            bench.now,
            start_time="immediate",
            calorific_value=calorific_value,
            calorific_value_unit="MJ/m3",
            calorific_value_trailing_digit={"trailing_digit": 1},
        ),
    ]
    answered(bench.ask("GCS23", *components))
    ledger.worth_of_ml = calorific_value * factor


def answered(components: list[dict[str, Any]]) -> None:
    failed = [component for component in components if component["status"] != "success"]
    assert components
    assert not failed


def ask_for_emergency_credit(bench: Any) -> bool:
    request = {
        "cluster": "prepayment",
        "command": "select_available_emergency_credit",
        "command_issue_date_time": "not_given",
        "originating_device": "energy_service_interface",
    }
    return bool(bench.ask("GCS06", request)[0]["status"] == "success")


def top_up(bench: Any, ledger: GasLedger, pence: int, number: int, *, by_command: bool) -> None:
    code = bench.head.token(pence, number)
    if by_command:
        request = {
            "cluster": "prepayment",
            "command": "consumer_top_up",
            "originating_device": "energy_service_interface",
            "top_up_code": code,
        }
        bench.head.counter = number << 32
        (answer,) = bench.ask("CS01b", request, counter=number << 32)
        assert answer["top_up_value"] == pence * 1_000
    else:
        assert bench.core.enter_code(code, bench.now) == pence * 1_000
    ledger.top_up(pence * 1_000)


def maker() -> SecuritySettings:
    """What lets the meter take the firmware images of the project."""
    target = Target(manufacturer_code=0xFFF1, image_type=0x0A02, hardware_version=1, eui64=METER)
    makers = (PublicKey(bytes.fromhex(MANIFEST["maker_public_key"])),)
    rules = FirmwareRules(version=bytes.fromhex("00010000"), target=target, makers=makers)
    return SecuritySettings(firmware=rules)


def change_firmware(bench: Any) -> None:
    """An image comes over the HAN and use case CS06 lets it run; no figure moves."""
    [entry] = [one for one in MANIFEST["images"] if one["file"] == "gsme-sound.ota"]
    assert bench.core.receive_firmware((FOLDER / "gsme-sound.ota").read_bytes(), bench.now) == "verified"
    bench.take()
    bench.head.counter += 1
    use_case, counter = USE_CASES["CS06"], bench.head.counter
    asked: Parameters = {
        "manufacturer_image_hash": entry["manufacturer_image_hash"],
        "originator_counter": counter,
        "execution_date_time": "immediate",
    }
    header = decode_message(bench.head.command("CS06", [], counter=counter, content=b"\x00"))
    content = engine.encode_content(use_case, header, asked)
    bench.send(bench.head.command("CS06", [], counter=counter, content=content))
    assert bench.core.firmware_version.hex() == entry["firmware_version"] != "00010000"


def same(bench: Any, ledger: GasLedger, place: str) -> None:
    """Every figure of the meter is that of the ledger."""
    bench.core.settle(bench.now)
    state, registers = bench.core.account.state, bench.core.meter.registers
    found = {
        "balance": state.meter_balance,
        "emergency": bench.core.account.emergency_remaining,
        "accumulated": state.accumulated_debt,
        "payment debt": state.payment_debt,
        "time debts": [state.time_debt_1, state.time_debt_2],
        "total": registers.total,
        "tiers": registers.tiers,
        "valve": bench.core.valve.state,
    }
    assert found == {
        "balance": ledger.balance,
        "emergency": ledger.emergency if ledger.taken else ledger.limit,
        "accumulated": ledger.accumulated,
        "payment debt": ledger.payment_debt,
        "time debts": ledger.debts,
        "total": ledger.total,
        "tiers": ledger.tiers,
        "valve": ValveState.ENABLED if ledger.supply else ValveState(not ledger.cause),
    }, place


def both(bench: Any, ledger: GasLedger, wait: timedelta) -> None:
    bench.pass_time(wait)
    ledger.run(ledger.now + wait)


def live(bench: Any, ledger: GasLedger, end: datetime, chance: Random) -> None:
    """Wait, act, open the valve; reconciled after each."""
    number, updated = 0, False
    while bench.now < end:
        both(bench, ledger, timedelta(seconds=chance.randrange(3_600, 4 * 86_400)))
        same(bench, ledger, f"before an act at {bench.now}")
        act = chance.random()
        if act < 0.55:
            number += 1
            top_up(bench, ledger, chance.randrange(100, 2_000), number, by_command=act < 0.35)
        elif act < 0.75:
            assert ask_for_emergency_credit(bench) == ledger.activate()
        elif act < 0.85:
            lasting = timedelta(seconds=chance.randrange(1, 200_000))
            bench.power_cut(lasting)
            ledger.cut(ledger.now + lasting)
        elif act < 0.93:
            tiers = chance.choice([(1, 1), (1, 2), (4, 3), (2, 1)])
            prices = tuple(chance.randrange(5_000, 12_000) for _ in range(4))
            set_tariff(bench, ledger, prices, tiers, chance.randrange(20_000, 35_000))
        else:
            set_worth(bench, ledger, chance.randrange(380, 405), 102_264)
        if not updated and bench.now - BEGIN > timedelta(days=30):
            updated = True
            change_firmware(bench)
        same(bench, ledger, f"after an act ({act:.2f}) at {bench.now}")
        if chance.random() < 0.8:
            armed = not ledger.supply and not ledger.cause
            assert bench.core.open_by_hand(bench.now) == (armed or ledger.supply)
            both(bench, ledger, CHECK)
            ledger.supply = ledger.supply or (armed and not ledger.cause)
            same(bench, ledger, f"after the valve was asked for at {bench.now}")
    assert updated


@pytest.mark.parametrize("days", [60, pytest.param(396, marks=pytest.mark.soak)])
def test_a_life_with_gas_reconciles_to_the_thousandth_of_a_penny(
    make_gas_bench: MakeBench, days: int
) -> None:
    volumes = GasProfile(RootSeed(1).octets("gas", 16))
    bench = make_gas_bench("prepayment", state=STATE, volumes=volumes, at=BEGIN, security=maker())
    ledger = GasLedger(volumes=volumes)
    set_worth(bench, ledger, 391, 102_264)
    set_tariff(bench, ledger, (7_400, 6_900, 8_000, 5_100), (1, 2), 31_000)
    live(bench, ledger, BEGIN + timedelta(days=days), Random(1))
    both(bench, ledger, SLOT - (bench.now - EPOCH) % SLOT)
    same(bench, ledger, "at the end")

    assert ledger.worth == 1_000_000 + ledger.credited - ledger.charged, "nothing is made or lost"
    assert {"8F0F", "8F32", "8119", "81AB", "810D", "810E"} <= set(bench.alert_codes())
    halves = bench.core.records.profile.samples(int((BEGIN - EPOCH).total_seconds()) + 1_800, 20_000)
    assert len(halves.values) == (bench.now - BEGIN) // SLOT
    assert sum(halves.values) == ledger.total // 1_000 - FIRST_L
