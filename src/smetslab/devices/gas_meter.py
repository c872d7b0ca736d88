"""The registers of a gas meter: volumes by tier and block, half hours and days, and the energy in them.

Volumes count millilitres inside and litres outside; registers never fall, but roll over. What a volume is
worth in energy follows from the calorific value and the conversion factor that apply when it is measured, and
no remainder is lost.

Spec: SMETS 4.6.4.3, 4.6.4.5 (conversion; the formula is unverified), 4.6.5 (registers, profile data log)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from smetslab.devices.gas_model import BLOCKS, TIERS
from smetslab.devices.limits import DAILY_CONSUMPTION_ENTRIES, MAX_REGISTER, PROFILE_LOG_ENTRIES
from smetslab.devices.work import Work
from smetslab.devices.zcl.logs import Samples
from smetslab.store import Json, Nvm

HALF_HOUR_S = 1800
DAY_S = 86400
LITRE_ML = 1000
NO_INTERVAL = 0xFFFF
"""How a daily log announces its interval, which does not fit two octets. Spec: RTDS 4.5.0 (GCS61)."""
SAMPLE_BYTES = 3
_HALF_HOURS = DAY_S // HALF_HOUR_S
_STATE, _DAY, _DAILY = "gas/registers", "gas/day/", "gas/daily"
_DAYS_KEPT = PROFILE_LOG_ENTRIES // _HALF_HOURS


@dataclass(frozen=True, slots=True)
class Conversion:
    """What makes energy of volume. `calorific_value` in MJ/m3, both as exact numbers."""

    calorific_value: Fraction
    factor: Fraction

    @classmethod
    def of(cls, value: int, value_digits: int, factor: int, factor_digits: int) -> Conversion:
        """From attributes with their trailing digits, which are the high four bits."""
        return cls(Fraction(value, 10 ** (value_digits >> 4)), Fraction(factor, 10 ** (factor_digits >> 4)))

    @property
    def milliwatt_hours_per_ml(self) -> Fraction:
        """Energy in kWh = m3 x calorific value x conversion factor / 3.6."""
        return self.calorific_value * self.factor / Fraction(36, 10)


@dataclass(slots=True)
class GasRegisters:
    """Millilitres, but for `block_mwh`: thousandths of a Wh since the block counters were reset.

    `remainder` is energy that was less than a thousandth of a watt hour. `half_hour` and `day` are what has
    flowed in those that run.
    """

    total: int = 0
    tiers: list[int] = field(default_factory=lambda: [0] * TIERS)
    blocks: list[int] = field(default_factory=lambda: [0] * BLOCKS)
    block_mwh: int = 0
    remainder: Fraction = Fraction(0)
    half_hour: int = 0
    day: int = 0

    def to_json(self) -> Json:
        return [
            self.total,
            cast("Json", self.tiers),
            cast("Json", self.blocks),
            self.block_mwh,
            [self.remainder.numerator, self.remainder.denominator],
            self.half_hour,
            self.day,
        ]

    @classmethod
    def from_json(cls, record: Json) -> GasRegisters:
        total, tiers, blocks, block_mwh, remainder, half_hour, day = cast("list[Json]", record)
        top, bottom = cast("list[int]", remainder)
        return cls(
            total=cast("int", total),
            tiers=cast("list[int]", tiers),
            blocks=cast("list[int]", blocks),
            block_mwh=cast("int", block_mwh),
            remainder=Fraction(top, bottom),
            half_hour=cast("int", half_hour),
            day=cast("int", day),
        )


class GasMeter:
    """The measuring part of one gas meter. Times are seconds since 2000 of the device's clock."""

    def __init__(self, nvm: Nvm, first: GasRegisters) -> None:
        """`first`: what a new meter shows; memory overrules it."""
        kept = nvm.get_json(_STATE)
        self.registers = first if kept is None else GasRegisters.from_json(kept)
        self.profile = HalfHourProfile(nvm)
        self.daily = DailyConsumption(nvm)

    def add(self, volume_ml: int, tier: int, block: int) -> None:
        """Gas has flowed, in the tier (from 1; 0: none) and block (from 0) that apply."""
        registers = self.registers
        registers.total += volume_ml
        registers.half_hour += volume_ml
        registers.day += volume_ml
        if 1 <= tier <= TIERS:
            registers.tiers[tier - 1] += volume_ml
        registers.blocks[block] += volume_ml

    def energy(self, volume_ml: int, conversion: Conversion) -> int:
        """Thousandths of a watt hour of a volume; what is less than one is kept for the next."""
        exact = volume_ml * conversion.milliwatt_hours_per_ml + self.registers.remainder
        whole = exact.numerator // exact.denominator
        self.registers.remainder = exact - whole
        return whole

    def close_half_hour(self, work: Work, seconds: int) -> None:
        """A half hour ends at `seconds`."""
        self.profile.put(work, seconds, self.registers.half_hour // LITRE_ML)
        # What is less than a litre belongs to the next half hour, so that the log adds up to the register.
        self.registers.half_hour %= LITRE_ML

    def close_day(self, work: Work, seconds: int) -> None:
        """A day ends at `seconds`, a midnight."""
        self.daily.put(work, seconds, self.registers.day // LITRE_ML)
        self.registers.day %= LITRE_ML

    def reset_blocks(self) -> None:
        """A block period begins."""
        self.registers.blocks = [0] * BLOCKS
        self.registers.block_mwh = 0

    def keep(self, work: Work) -> None:
        """Make the registers durable."""
        work.tx.put_json(_STATE, self.registers.to_json())

    def shown(self) -> tuple[int, list[int], list[int]]:
        """Total, tiers and blocks as they are shown, in litres."""
        registers = self.registers
        return (
            registers.total // LITRE_ML % MAX_REGISTER,
            [value // LITRE_ML % MAX_REGISTER for value in registers.tiers],
            [value // LITRE_ML % MAX_REGISTER for value in registers.blocks],
        )


class HalfHourProfile:
    """The profile data log: litres of half hours by the day that they end in, stamped at their ends."""

    def __init__(self, nvm: Nvm) -> None:
        self._days = {int(key.removeprefix(_DAY)): octets for key, octets in nvm.items(_DAY)}

    def put(self, work: Work, seconds: int, volume_l: int) -> None:
        """The half hour that ends at `seconds`; half hours between that nobody wrote are zero."""
        number, slot = _slot(seconds)
        day = bytearray(self._days.get(number, b""))
        day += bytes((slot + 1) * SAMPLE_BYTES - len(day)) if len(day) < (slot + 1) * SAMPLE_BYTES else b""
        day[slot * SAMPLE_BYTES : (slot + 1) * SAMPLE_BYTES] = volume_l.to_bytes(SAMPLE_BYTES, "big")
        self._days[number] = bytes(day)
        work.tx.put(f"{_DAY}{number:06}", bytes(day))
        for old in [one for one in self._days if one < number - _DAYS_KEPT]:
            del self._days[old]
            work.tx.delete(f"{_DAY}{old:06}")

    def samples(self, first: int, most: int) -> Samples:
        """At most `most` half hours that end at `first` or later, without a gap, as far as they are known."""
        start = -(-first // HALF_HOUR_S) * HALF_HOUR_S
        oldest = self.oldest
        end = min(self._end(), start + (most - 1) * HALF_HOUR_S)
        start = max(start, oldest)
        values = [self._value(seconds) for seconds in range(start, end + 1, HALF_HOUR_S)]
        return Samples(start, HALF_HOUR_S, tuple(values))

    @property
    def oldest(self) -> int:
        """When the first half hour that is kept ended."""
        return min(self._days, default=0) * DAY_S + HALF_HOUR_S

    def _end(self) -> int:
        """When the last half hour ended; before all time when there is none."""
        if not self._days:
            return -1
        newest = max(self._days)
        return newest * DAY_S + len(self._days[newest]) // SAMPLE_BYTES * HALF_HOUR_S

    def _value(self, seconds: int) -> int:
        number, slot = _slot(seconds)
        return int.from_bytes(
            self._days.get(number, b"")[slot * SAMPLE_BYTES : (slot + 1) * SAMPLE_BYTES], "big"
        )


def _slot(seconds: int) -> tuple[int, int]:
    """Day and place in it of the half hour that ends at `seconds`; the last one ends at midnight."""
    number, rest = divmod(seconds - HALF_HOUR_S, DAY_S)
    return number, rest // HALF_HOUR_S


class DailyConsumption:
    """The daily consumption log: litres of days, stamped at the midnight that ends them."""

    def __init__(self, nvm: Nvm) -> None:
        kept = nvm.get(_DAILY) or bytes(4)
        self._end = int.from_bytes(kept[:4], "big")
        self._values = [
            int.from_bytes(kept[place : place + SAMPLE_BYTES], "big")
            for place in range(4, len(kept), SAMPLE_BYTES)
        ]

    @property
    def end(self) -> int:
        """When the newest day ended, in seconds since 2000; 0 when there is none."""
        return self._end

    def put(self, work: Work, seconds: int, volume_l: int) -> None:
        """The day that ends at `seconds`; days between that nobody wrote are zero."""
        missing = (seconds - self._end) // DAY_S - 1 if self._values else 0
        values = [*self._values, *(0 for _ in range(min(max(missing, 0), DAILY_CONSUMPTION_ENTRIES)))]
        self._values = [*values, volume_l][-DAILY_CONSUMPTION_ENTRIES:]
        self._end = seconds
        octets = b"".join(value.to_bytes(SAMPLE_BYTES, "big") for value in self._values)
        work.tx.put(_DAILY, seconds.to_bytes(4, "big") + octets)

    def samples(self, first: int, most: int) -> Samples:
        """At most `most` days that end at `first` or later."""
        oldest = self._end - (len(self._values) - 1) * DAY_S
        skipped = max(0, -(-(first - oldest) // DAY_S)) if self._values else 0
        return Samples(oldest + skipped * DAY_S, NO_INTERVAL, tuple(self._values[skipped : skipped + most]))
