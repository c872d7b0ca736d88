"""What an in-home display shows: as lines of text, and as a drawn screen (SVG).

Spec: IHDTS 4.3 (information shown); the layout is ours
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Final

from smetslab.devices.consumption import Period
from smetslab.devices.display_core import Reading
from smetslab.gbcs.codes import DeviceType

_AMBIENT: Final = ("low", "medium", "high")
_COLOURS: Final = ("#2e9e5b", "#d99a1c", "#c8402f")
_SUPPLY: Final = {0: "off", 1: "armed", 2: "on"}
_WIDTH, _HEIGHT = 480, 320
_NAMES: Final = {DeviceType.ESME: "Electricity", DeviceType.GPF: "Gas"}


def pounds(millipence: int) -> str:
    """`£1.23`, `-£0.05`."""
    sign = "-" if millipence < 0 else ""
    return f"{sign}£{abs(millipence) / 100_000:.2f}"


def pence_per_kwh(price: int) -> str:
    """A price in thousandths of a penny as `28.34p/kWh`."""
    return f"{price / 1000:.2f}p/kWh"


NO_TIME: Final = "waiting for the time"


def lines(readings: Sequence[Reading], now: datetime, time: datetime | None) -> list[str]:
    """The screen as text, a block for each fuel. `time`: what the display knows of it at the moment `now`."""
    shown = [NO_TIME if time is None else f"{time:%a %d %b %Y %H:%M}"]
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
    ledger = reading.ledger
    for label, period in (("today", ledger.day), ("this week", ledger.week), ("this month", ledger.month)):
        shown.append(f"  {label:10} {_used(period)}")
    if reading.price is not None:
        rate = f" (rate {reading.rate})" if reading.rate else ""
        shown.append(f"  price      {pence_per_kwh(reading.price)}{rate}")
    if reading.prepayment:
        shown.append(f"  balance    {pounds(reading.values.get('credit_remaining', 0))}")
        emergency = reading.values.get("emergency_credit_remaining")
        if emergency is not None:
            shown.append(f"  emergency  {pounds(emergency)}")
        debt = reading.values.get("accumulated_debt", 0)
        if debt:
            shown.append(f"  debt       {pounds(debt)}")
        if reading.values.get("credit_remaining", 0) < reading.values.get("low_credit_warning_level", 0):
            shown.append("  LOW CREDIT")
    supply = reading.values.get("supply_status")
    if supply in _SUPPLY:
        shown.append(f"  supply     {_SUPPLY[supply]}")
    if reading.message:
        shown.append(f"  message    {reading.message}")
    return shown


def _used(period: Period) -> str:
    return f"{period.energy_wh / 1000:.2f} kWh  {pounds(period.cost_millipence)}"


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
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="DejaVu Sans Mono, monospace">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="14" fill="#10181f"/>',
        f'<circle cx="70" cy="76" r="42" fill="{_COLOURS[level]}"/>',
        f'<text x="70" y="81" font-size="13" text-anchor="middle" fill="#fff">{_AMBIENT[level]}</text>',
        f'<text x="130" y="92" font-size="44" fill="#fff">{big}</text>',
    ]
    for place, text in enumerate(lines(readings, now, time)[:14]):
        colour = "#9fb3c2" if text.startswith(" ") else "#fff"
        parts.append(
            f'<text x="24" y="{140 + 13 * place}" font-size="11" fill="{colour}" xml:space="preserve">'
            f"{escape(text)}</text>"
        )
    return "".join([*parts, "</svg>"])
