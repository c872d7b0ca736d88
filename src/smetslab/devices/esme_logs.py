"""The logs of an ESME that are written at midnight, at the end of a billing period and at changes, and those
that follow from its history.

Spec: SMETS 5.7.5 (Billing Data Log, Daily Read Log, Prepayment Daily Read Log, Daily Consumption Log).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from smetslab.devices.cosem.server import CosemServer
from smetslab.devices.esme_life import EsmeLife
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S
from smetslab.devices.limits import (
    DAILY_CONSUMPTION_ENTRIES,
    DAILY_READ_LOG_ENTRIES,
    EXPORT_LOG_ENTRIES,
    PROFILE_LOG_ENTRIES,
)
from smetslab.devices.load import DAY_US
from smetslab.devices.metering import MILLI, SECOND_US, EnergyMeter, microseconds, whole
from smetslab.devices.prepay.state import AccountState
from smetslab.devices.ring import Ring
from smetslab.devices.schedule import after_2000
from smetslab.devices.work import Work
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import (
    ArrayDescription,
    CompactArray,
    Data,
    StructureDescription,
    Tag,
    TypeDescription,
)
from smetslab.gbcs.values import Value, seconds_since_2000, utc_text
from smetslab.store import Nvm

_UNSIGNED = Tag.DOUBLE_LONG_UNSIGNED
_TOU, _COLUMNS, _SECONDARY = 48, 8, 4

Buffer = Callable[[datetime, datetime | None, datetime | None], Data]

BUFFER_NAMES = (
    "active_energy_imported_log",
    "profile_data_log_reactive_import",
    "profile_data_log_export",
    "daily_consumption_log",
    "daily_read_log",
    "daily_read_log_export",
)
"""The attributes that the logs of this module are."""


def balances(state: AccountState) -> dict[str, Value]:
    """The six balances under the names of the logs."""
    return {
        "emergency_credit_balance": state.emergency_balance,
        "meter_balance": state.meter_balance,
        "payment_debt_register": state.payment_debt,
        "time_debt_register_1": state.time_debt_1,
        "time_debt_register_2": state.time_debt_2,
        "accumulated_debt_register": state.accumulated_debt,
    }


class EsmeLogs:
    """The logs of one meter."""

    def __init__(
        self,
        nvm: Nvm,
        server: CosemServer,
        meter: EnergyMeter,
        life: EsmeLife,
        *,
        twin: bool,
        account: Callable[[], AccountState],
    ) -> None:
        self._server = server
        self._meter = meter
        self._life = life
        self._twin = twin
        self._account = account
        self.daily = Ring(nvm, "daily", DAILY_READ_LOG_ENTRIES)
        self.daily_export = Ring(nvm, "daily-export", DAILY_READ_LOG_ENTRIES)

    # ---------------------------------------------------------------------------- written

    def midnight(self, work: Work, at: datetime) -> None:
        """The snapshots of a midnight."""
        seconds, reading = seconds_since_2000(at), self._meter.reading(self._life.state.reached_us)
        self.daily.append(work, [seconds, *self._life.daily_read(reading)])
        self.daily_export.append(work, [seconds, whole(reading).active_export])
        state = self._account()
        if state.prepayment:
            self._server.record(
                work, "prepayment_daily_read_log", {"timestamp": utc_text(at), **balances(state)}
            )

    def period_ended(self, work: Work, at: datetime) -> None:
        """The snapshots of a billing period."""
        self._server.record(work, "billing_calendar_triggered_billing_data_log", self._snapshot(at))
        entry: Value = {"timestamp": utc_text(at), **balances(self._account())}
        self._server.record(work, "billing_calendar_triggered_balances_log", entry)

    def configuration_changed(self, work: Work, at: datetime) -> None:
        """The snapshot at a change of payment mode or tariff."""
        entry = {**self._snapshot(at), **balances(self._account())}
        self._server.record(work, "mode_or_tariff_triggered_billing_data_log", entry)

    def credited(self, work: Work, at: datetime, amount: int, repaid: int) -> None:
        """A top-up was credited; `repaid`: what of it went to payment-based debt."""
        entry: Value = {"timestamp": utc_text(at), "amount": amount}
        self._server.record(work, "prepayment_credits", entry)
        if repaid:
            self._server.record(
                work, "payment_based_debt_repayments", {"timestamp": utc_text(at), "amount": repaid}
            )

    def _snapshot(self, at: datetime) -> dict[str, Value]:
        reading = whole(self._meter.reading(self._life.state.reached_us))
        rates = self._life.state.rates

        def numbers(values: Iterable[int]) -> list[Value]:
            return [value // MILLI for value in values]

        secondary: dict[str, Value] = {}
        rows: dict[str, Value] = {}
        if self._twin:
            secondary = {"secondary_active_import_register": reading.secondary_import}
            rows = {"secondary_tariff_tou_registers": numbers(self._life.state.secondary)}
        blocks: dict[str, Value] = {
            f"tariff_block_{number}_tou_registers": numbers(row)
            for number, row in enumerate(rates.blocks, start=1)
        }
        return {
            "timestamp": utc_text(at),
            "active_import_register": reading.active_import,
            **secondary,
            "tariff_tou_register_matrix": numbers(rates.tou),
            **rows,
            **blocks,
        }

    # ---------------------------------------------------------------------------- read

    def buffers(self) -> Mapping[str, Buffer]:
        """By the names of the meter's attributes."""
        return {
            "active_energy_imported_log": self._import_profile,
            "profile_data_log_reactive_import": self._reactive_profile,
            "profile_data_log_export": self._export_profile,
            "daily_consumption_log": self._daily_consumption,
            "daily_read_log": self._daily_reads,
            "daily_read_log_export": lambda _now, first, last: _numbers(
                self.daily_export.entries(*_seconds(first, last)), 1
            ),
        }

    def _import_profile(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        rows = [
            [seconds, energies.active_import, *([energies.secondary_import] if self._twin else [])]
            for seconds, energies in self._meter.half_hours(now, first, last, PROFILE_LOG_ENTRIES)
        ]
        return _numbers(rows, 2 if self._twin else 1)

    def _reactive_profile(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        rows = [
            [seconds, energies.reactive_import]
            for seconds, energies in self._meter.half_hours(now, first, last, EXPORT_LOG_ENTRIES)
        ]
        return _numbers(rows, 1)

    def _export_profile(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        rows = [
            [seconds, energies.active_export, energies.reactive_export]
            for seconds, energies in self._meter.half_hours(now, first, last, EXPORT_LOG_ENTRIES)
        ]
        return _numbers(rows, 2)

    def half_hours_from(self, now: datetime, first: int, most: int) -> list[tuple[int, int]]:
        """At most `most` half hours of import without a gap, for a display: the end of each, at `first` or
        later, in seconds since 2000, and Wh."""
        found: list[tuple[int, int]] = []
        for seconds, energies in self._meter.half_hours(now, after_2000(first), None, PROFILE_LOG_ENTRIES):
            if len(found) == most or (found and seconds - found[-1][0] != HALF_HOUR_S):
                break
            found.append((seconds, energies.active_import + energies.secondary_import))
        return found

    def days_from(self, now: datetime, first: int, most: int) -> list[tuple[int, int]]:
        """At most `most` days of import without a gap: the midnight that ends each, and Wh."""
        found: list[tuple[int, int]] = []
        for seconds, value in self._days(now, first, None):
            if len(found) == most or (found and seconds - found[-1][0] != DAY_S):
                break
            found.append((seconds, value))
        return found

    def days_since(self, now: datetime, first: int) -> list[tuple[int, int]]:
        """The days of import that ended at `first` or later: the midnight that ends each, and Wh."""
        return [(seconds, value) for seconds, value in self._days(now, first, None)]

    def today(self, now: datetime, since: datetime | None) -> int:
        """What was imported since midnight, or since `since` where that is later, in Wh."""
        offset_us = self._meter.segments[-1].offset_us
        device_us = microseconds(now) + offset_us
        begin_us = device_us // DAY_US * DAY_US
        if since is not None:
            begin_us = max(begin_us, min(microseconds(since), device_us))
        first_us = max(self._meter.segments[0].start_us, begin_us - offset_us)
        begin, end = (whole(self._meter.reading(at)) for at in (first_us, microseconds(now)))
        return max(0, end.active_import + end.secondary_import - begin.active_import - begin.secondary_import)

    def _daily_consumption(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        return _numbers(self._days(now, *_seconds(first, last)), 1)

    def _days(self, now: datetime, low: int | None, high: int | None) -> list[list[int]]:
        """Differences of the readings at midnights, while the clock ran."""
        rows: list[list[int]] = []
        previous: int | None = None
        first_day = 0 if low is None else low // DAY_S - 1
        for start_us, end_us, segment in self._meter.pieces(
            self._meter.segments[0].start_us, microseconds(now)
        ):
            if not segment.clock_runs:
                continue
            device_start, device_end = start_us + segment.offset_us, end_us + segment.offset_us
            for day in range(max(first_day, -(-device_start // DAY_US)), device_end // DAY_US + 1):
                reading = whole(self._meter.reading(day * DAY_US - segment.offset_us))
                total = reading.active_import + reading.secondary_import
                seconds = day * DAY_US // SECOND_US
                if previous is not None and (not rows or seconds > rows[-1][0]):
                    rows.append([seconds, max(0, total - previous)])
                previous = total
        rows = rows[-DAILY_CONSUMPTION_ENTRIES:]
        return [row for row in rows if (low is None or row[0] >= low) and (high is None or row[0] <= high)]

    def _daily_reads(self, now: datetime, first: datetime | None, last: datetime | None) -> Data:
        del now
        blocks: list[TypeDescription] = [ArrayDescription(_COLUMNS, _UNSIGNED)] * 4
        head: list[TypeDescription] = [_UNSIGNED, _UNSIGNED]
        tou: list[TypeDescription] = [ArrayDescription(_TOU, _UNSIGNED)]
        if self._twin:
            head.append(_UNSIGNED)
            tou.append(ArrayDescription(_SECONDARY, _UNSIGNED))
        entries = self.daily.entries(*_seconds(first, last))
        return CompactArray(
            StructureDescription((*head, *tou, *blocks)), tuple(self._row(entry) for entry in entries)
        )

    def _row(self, entry: list[int]) -> Data:
        """The numbers of `EsmeLife.daily_read` as the log shows them."""
        seconds, imported, secondary_import, *rest = entry
        tou, rest = rest[:_TOU], rest[_TOU:]
        blocks, secondary = [rest[i * _COLUMNS : (i + 1) * _COLUMNS] for i in range(4)], rest[4 * _COLUMNS :]
        items: list[Data] = [axdr.double_long_unsigned(seconds), axdr.double_long_unsigned(imported)]
        if self._twin:
            items.append(axdr.double_long_unsigned(secondary_import))
        items.append(_array(tou))
        if self._twin:
            items.append(_array(secondary))
        return axdr.structure(*items, *(_array(block) for block in blocks))


def _array(values: list[int]) -> Data:
    return axdr.array(*(axdr.double_long_unsigned(value) for value in values))


def _numbers(rows: list[list[int]], columns: int) -> Data:
    """A log of time stamps with numbers."""
    return CompactArray(
        StructureDescription((_UNSIGNED, *([_UNSIGNED] * columns))),
        tuple(axdr.structure(*(axdr.double_long_unsigned(value) for value in row)) for row in rows),
    )


def _seconds(first: datetime | None, last: datetime | None) -> tuple[int | None, int | None]:
    return (
        None if first is None else seconds_since_2000(first),
        None if last is None else seconds_since_2000(last),
    )
