"""What an in-home display shows: as lines of text, and as a drawn screen (SVG).

Spec: IHDTS 4.3 (information shown); the layout is ours
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Final

from smetslab.devices.consumption import Period
from smetslab.devices.display_reading import Reading, applies, switches
from smetslab.devices.display_terms import FIRST_BLOCK_SCRIPT
from smetslab.devices.gas_model import CUBIC_METRES
from smetslab.devices.schedule import after_2000
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT, TARIFF
from smetslab.gbcs.codes import DeviceType

_AMBIENT: Final = ("low", "medium", "high")
_COLOURS: Final = ("#2e9e5b", "#d99a1c", "#c8402f")
_DEBTS: Final = ("accumulated_debt", "debt_amount_1", "debt_amount_2", "debt_amount_3")
_NOW: Final = " now"
_BLOCKS: Final = "ABCDEFGHIJKLMNOP"
"""The blocks of a rate, as its label names them: `B1` is the second block of rate 1."""
_SUPPLY: Final = {0: "off", 1: "armed", 2: "on"}
_WIDTH, _HEIGHT = 480, 320
_FIRST_LINE, _LINE = 140, 13
_NAMES: Final = {DeviceType.ESME: "Electricity", DeviceType.GPF: "Gas"}


def pounds(millipence: int) -> str:
    """`£1.23`, `-£0.05`."""
    sign = "-" if millipence < 0 else ""
    return f"{sign}£{abs(millipence) / 100_000:.2f}"


def pence_per_kwh(price: int) -> str:
    """A price in thousandths of a penny as `28.34p/kWh`."""
    return f"{price / 1000:.2f}p/kWh"


NO_TIME: Final = "waiting for the time"
NO_METER: Final = "not paired with a meter"


def lines(readings: Sequence[Reading], now: datetime, time: datetime | None) -> list[str]:
    """The screen as text, a block for each fuel. `time`: what the display knows of it at the moment `now`."""
    shown = [NO_TIME if time is None else f"{time:%a %d %b %Y %H:%M}"]
    if not readings:
        shown.append(NO_METER)
    for reading in readings:
        shown += _fuel_lines(reading, now, time)
    return shown


def _fuel_lines(reading: Reading, now: datetime, time: datetime | None) -> list[str]:
    name = _NAMES.get(reading.meter.kind, reading.meter.kind.name)
    if reading.at is None:
        return [f"{name}: waiting for the meter"]
    since = "" if time is None else f" since {reading.at + (time - now):%H:%M}"
    shown = [name if reading.reachable(now) else f"{name} (no connection{since})"]
    if reading.power_w is not None:
        shown.append(f"  now        {reading.power_w / 1000:.3f} kW, {_ambient(reading)}")
    if reading.total is not None:
        ledger = reading.ledger
        periods = (("today", ledger.day), ("this week", ledger.week), ("this month", ledger.month))
        shown += [f"  {label:10} {_used(period)}" for label, period in periods]
    if reading.price is not None:
        rate = f" (rate {reading.rate})" if reading.rate else ""
        shown.append(f"  price      {pence_per_kwh(reading.price)}{rate}")
    if reading.prepayment:
        shown += _account_lines(reading)
    supply = reading.values.get("supply_status")
    if supply in _SUPPLY:
        shown.append(f"  supply     {_SUPPLY[supply]}")
    message = reading.message(time)
    if message:
        shown.append(f"  message    {message}")
    if reading.supplier:
        shown.append(f"  supplier   {reading.supplier}")
    if reading.bill is not None:
        total = reading.units(reading.bill.total)
        shown.append(f"  last bill  {after_2000(reading.bill.time):%d %b %Y}, register {total:.2f}")
    return shown + _tariff_lines(reading, time) + _history_lines(reading)


def _account_lines(reading: Reading) -> list[str]:
    values = reading.values
    shown = [f"  balance    {pounds(values.get('credit_remaining', 0))}"]
    emergency = values.get("emergency_credit_remaining")
    if emergency is not None:
        shown.append(f"  emergency  {pounds(emergency)}")
    debt = sum(values.get(name, 0) for name in _DEBTS)
    if debt:
        shown.append(f"  debt       {pounds(debt)}")
    if values.get("credit_remaining", 0) < values.get("low_credit_warning_level", 0):
        shown.append("  LOW CREDIT")
    if reading.top_ups:
        at, amount = reading.top_ups[-1]
        shown.append(f"  top-up     {after_2000(at):%d %b %Y}, {pounds(amount)}")
    return shown


def _tariff_lines(reading: Reading, time: datetime | None) -> list[str]:
    tariff = reading.tariff
    shown: list[str] = []
    if tariff.standing_charge is not None:
        shown.append(f"  standing   {tariff.standing_charge / 1000:.2f}p a day")
    for rate, price in sorted(tariff.rates.items()):
        if price:
            counted = _counted(reading, f"current_tier_{rate}_summation_delivered")
            shown.append(f"  rate {rate:<5} {pence_per_kwh(price)}{_from_when(reading, rate, time)}{counted}")
    for (tier, block), price in sorted(tariff.blocks.items()):
        limits = tariff.thresholds.get(tier, tariff.thresholds.get(0, []))
        up_to = f" up to {limits[block - 1] * tariff.scale:g} kWh" if block <= len(limits) else ""
        name = f"{tier}/{block}" if tier else f"block {block}"
        begins = _from_when(reading, FIRST_BLOCK_SCRIPT + tier, time) if tier else ""
        active = f"{_BLOCKS[block - 1]}{tier}" == reading.rate if reading.rate else block == 1
        if not (active if begins == _NOW else block == 1):
            begins = ""
        place = f"tier_{tier}_block_{block}" if tier else f"no_tier_block_{block}"
        counted = _counted(reading, f"current_{place}_summation_delivered")
        shown.append(f"  rate {name:<5} {pence_per_kwh(price)}{up_to}{begins}{counted}")
    view = reading.calendar(NON_DISABLEMENT)
    if view is not None and time is not None and applies(view, time):
        shown.append("  no disconnection at this time")
    return shown


def _counted(reading: Reading, register: str) -> str:
    """What the register of a rate has counted."""
    counted = reading.units(reading.values.get(register))
    if counted is None:
        return ""
    return f", {counted:.2f} {'m3' if reading.values.get('unit_of_measure') == CUBIC_METRES else 'kWh'}"


def _from_when(reading: Reading, rate: int, time: datetime | None) -> str:
    """When a rate applies next, or that it does now."""
    view = reading.calendar(TARIFF)
    if view is None or time is None:
        return ""
    if applies(view, time) == rate:
        return _NOW
    return next((f" from {at:%H:%M}" for at, what in switches(view, time) if what == rate), "")


def _history_lines(reading: Reading) -> list[str]:
    """The week and the month before, in kWh."""
    shown: list[str] = []
    for label, period in (("last week", "week"), ("last month", "month")):
        energy = reading.values.get(f"previous_{period}_alternative_consumption_delivered")
        if energy is None:
            energy = reading.values.get(f"previous_{period}_consumption_delivered")
        if energy is not None:
            shown.append(f"  {label:10} {energy / 1000:.2f} kWh")
    return shown


def _used(period: Period) -> str:
    since = "" if not period.seen_from else f" since {datetime.fromisoformat(period.seen_from):%d %b %H:%M}"
    return f"{period.energy_wh / 1000:.2f} kWh  {pounds(period.cost_millipence)}{since}"


def _ambient(reading: Reading) -> str:
    return _AMBIENT[min(reading.values.get("ambient_consumption_indicator", 0), 2)]


def drawing(readings: Sequence[Reading], now: datetime, time: datetime | None) -> str:
    """The screen as an SVG document: the traffic light of consumption, and the lines of text."""
    electricity = next((one for one in readings if one.meter.kind is DeviceType.ESME), None)
    level = 0
    if electricity is not None:
        level = min(electricity.values.get("ambient_consumption_indicator", 0), 2)
    power = None if electricity is None else electricity.power_w
    big = "–" if power is None else f"{power / 1000:.2f} kW"
    shown = lines(readings, now, time)
    height = max(_HEIGHT, _FIRST_LINE + _LINE * len(shown))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="DejaVu Sans Mono, monospace">',
        f'<rect width="{_WIDTH}" height="{height}" rx="14" fill="#10181f"/>',
        f'<circle cx="70" cy="76" r="42" fill="{_COLOURS[level]}"/>',
        f'<text x="70" y="81" font-size="13" text-anchor="middle" fill="#fff">{_AMBIENT[level]}</text>',
        f'<text x="130" y="92" font-size="44" fill="#fff">{big}</text>',
    ]
    for place, text in enumerate(shown):
        colour = "#9fb3c2" if text.startswith(" ") else "#fff"
        parts.append(
            f'<text x="24" y="{_FIRST_LINE + _LINE * place}" font-size="11" fill="{colour}" '
            f'xml:space="preserve">{escape(text)}</text>'
        )
    return "".join([*parts, "</svg>"])
