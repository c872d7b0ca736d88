"""What gas costs when: tiers by the calendar, blocks by what was used, prices, and energy of a volume.

Spec: SMETS 4.6.4 (tariff switching table, block thresholds, prices); GBCS use cases GCS01a, GCS01b, GCS23
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum

from smetslab.devices.gas_meter import Conversion
from smetslab.devices.gas_model import BLOCK_PRICES, BLOCK_THRESHOLDS, TIER_PRICES, TIERS
from smetslab.devices.zcl.calendar import Calendars
from smetslab.devices.zcl.calendar_table import TARIFF
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.values import JsonValue

MWH_PER_KWH = 1_000_000
"""Thousandths of a watt hour in a kilowatt hour."""
_DAY_MINUTES = 24 * 60
_DAY = timedelta(days=1)


class Scheme(IntEnum):
    """The charging scheme of a tariff: the high four bits of its type. Spec: ZSE 1.4 D.4.2.4.4."""

    TOU = 0
    BLOCK = 1


class GasTariff:
    """The tariff of one meter, from its attributes and calendar. Times are the device's."""

    def __init__(self, memory: Callable[[], ZclMemory], calendars: Calendars) -> None:
        self._memory = memory
        self._calendars = calendars

    @property
    def scheme(self) -> Scheme:
        """What decides about the price; time of use until the supplier says something else."""
        kept: object = self._memory().document("tariff")
        if not isinstance(kept, dict):
            return Scheme.TOU
        given: JsonValue = kept["tariff_type_charging_scheme"]
        number = Price.publish_tariff_information.fields.kinds[_SCHEME_PLACE].from_json(given)
        return Scheme.TOU if isinstance(number, int) and not number >> 4 else Scheme.BLOCK

    def tier(self, time: datetime) -> int:
        """The tier in force, from 1; 0: none. A meter without a calendar charges the first (unverified)."""
        view = self._calendars.view(TARIFF)
        if not view.table.days:
            return 1
        value = view.value(time)
        return value if value is not None and 0 <= value <= TIERS else 0

    def minutes(self, time: datetime) -> int:
        """How long the tier lasts that is in force, from its beginning."""
        view = self._calendars.view(TARIFF)
        following = view.next_switch(time)
        if following is None:
            return _DAY_MINUTES
        midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
        begin, step = midnight, view.next_switch(midnight - timedelta(microseconds=1))
        while step is not None and step <= time:
            begin, step = step, view.next_switch(step)
        return int((following - begin) / timedelta(minutes=1))

    def block(self, used_mwh: int) -> tuple[int, int | None]:
        """The block that what was used leads to, from 0, and the energy left in it; None: no end."""
        for place, limit in enumerate(self._limits()):
            if used_mwh < limit:
                return place, limit - used_mwh
        return len(BLOCK_THRESHOLDS), None

    def _limits(self) -> list[int]:
        """The thresholds in thousandths of a watt hour; they count kilowatt hours."""
        number = self._memory().number
        multiplier, divisor = number(Price.threshold_multiplier), number(Price.threshold_divisor)
        return [
            number(threshold) * multiplier * MWH_PER_KWH // max(1, divisor) for threshold in BLOCK_THRESHOLDS
        ]

    def price(self, time: datetime, used_mwh: int) -> int:
        """The price of a kilowatt hour now, in thousandths of a penny."""
        if self.scheme is Scheme.BLOCK:
            return self._memory().number(BLOCK_PRICES[self.block(used_mwh)[0]])
        tier = self.tier(time)
        return self._memory().number(TIER_PRICES[tier - 1]) if tier else 0

    def conversion(self) -> Conversion:
        """What makes energy of a volume."""
        number = self._memory().number
        return Conversion.of(
            number(Price.calorific_value),
            number(Price.calorific_value_trailing_digit),
            number(Price.conversion_factor),
            number(Price.conversion_factor_trailing_digit),
        )


_SCHEME_PLACE = Price.publish_tariff_information.fields.index["tariff_type_charging_scheme"]
