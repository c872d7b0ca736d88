"""The life of a gas meter: gas flows, periods begin and end, charges fall due, logs grow.

Everything is brought up to a moment when somebody asks, or when `next_deadline` has come. At a moment the
order is: gas to that moment, calendar switches, snapshots, charges.

Spec: SMETS 4.5 (functional requirements), 4.6.5 (logs); GBCS use cases GCS25, GCS31, GCS53
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final, cast

from smetslab.devices.clock import DeviceClock
from smetslab.devices.gas_account import GasAccount
from smetslab.devices.gas_flow import GasFlow
from smetslab.devices.gas_meter import DAY_S, HALF_HOUR_S, LITRE_ML, GasMeter
from smetslab.devices.gas_records import (
    END_OF_BILLING_PERIOD,
    FIRST_NETWORK_SAMPLES,
    GENERAL,
    REGISTERS,
    TIERS_AND_BLOCKS,
    GasRecords,
    NetworkLog,
)
from smetslab.devices.gas_tariff import GasTariff, Scheme
from smetslab.devices.metering import microseconds
from smetslab.devices.periods import RepeatingPeriod, Timebase
from smetslab.devices.prepay.rules import DebtPeriod
from smetslab.devices.prepay.state import Events
from smetslab.devices.valve import Valve
from smetslab.devices.work import Work
from smetslab.devices.zcl.calendar import Calendars
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT, TARIFF
from smetslab.devices.zcl.logs import Snapshot
from smetslab.devices.zcl.memory import ZclMemory
from smetslab.devices.zcl.model import Answer, ComponentError, ZclCall
from smetslab.gbcs.values import EPOCH_2000, seconds_since_2000
from smetslab.store import Nvm
from smetslab.zigbee.zcl import Record
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import JsonValue

_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
_AT: Final = "gas/at"


def moment_of(moment_us: int) -> datetime:
    """The moment so many microseconds after the beginning of 2000."""
    return EPOCH_2000 + moment_us * _MICROSECOND


class GasLife:
    """What happens to one gas meter as time passes.

    `apply` acts on what the account has to say; `push` tells the supplier of a billing snapshot.
    """

    def __init__(
        self,
        *,
        nvm: Nvm,
        now: datetime,
        memory: Callable[[], ZclMemory],
        clock: DeviceClock,
        valve: Valve,
        meter: GasMeter,
        flow: GasFlow,
        calendars: Calendars,
        tariff: GasTariff,
        records: GasRecords,
        account: GasAccount,
        daily_read_minute: int,
        apply: Callable[[Work, Events], None],
        push: Callable[[Work, Snapshot], None],
    ) -> None:
        self._memory = memory
        self.clock = clock
        self.valve = valve
        self.meter = meter
        self.flow = flow
        self.calendars = calendars
        self.tariff = tariff
        self.records = records
        self.account = account
        self._daily_read_minute = daily_read_minute
        self._apply = apply
        self._push = push
        kept = nvm.get(_AT)
        self.since = None if kept is None else moment_of(int.from_bytes(kept, "big"))
        """Until when the meter has measured when it last had power; None for a new one."""
        self.at_us = microseconds(now)
        self._periods: dict[str, tuple[object, RepeatingPeriod]] = {}
        """The document of each period in force, and what it says."""
        self.leak_ml_per_hour = 0
        """Gas that flows whenever the valve is open, whatever the household does: an appliance left on."""

    # ---------------------------------------------------------------------------- time

    def catch_up(self, work: Work, off: datetime) -> None:
        """Count what had flowed when the power went, since memory was written last."""
        if self.since is not None:
            self.at_us = microseconds(self.since)
            self._reach(work, microseconds(off))
        self.at_us = microseconds(work.now)

    def pass_without_power(self, work: Work, off: datetime) -> None:
        """One standing charge for each midnight missed, from a maker's manual; calendar and billing periods
        go on."""
        time, last = self.clock.time(off), self.clock.time(work.now)
        while True:
            midnight = time.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            switch = self.calendars.view(NON_DISABLEMENT).next_switch(time)
            time = min([midnight, *self._beginnings(time), *([] if switch is None else [switch])])
            if time > last:
                return
            self.follow_non_disablement(work, time)
            self._begin_periods(work, time, seconds_since_2000(time))
            if time == midnight:
                self._standing_charge(work)

    def settle(self, work: Work) -> None:
        """Bring registers, account and logs up to the moment of a piece of work."""
        now_us = microseconds(work.now)
        if now_us > self.at_us:
            self._reach(work, now_us)
            self.keep(work)

    def _reach(self, work: Work, now_us: int) -> None:
        """Go on to a moment, from border to border."""
        while self.at_us < now_us:
            border_us = self._border(self.at_us)
            end_us = min(now_us, border_us)
            self._measure(work, self.at_us, end_us)
            self.at_us = end_us
            # Not within the second that follows a border as well: what is due there is due once.
            if end_us == border_us and self.clock.running:
                self._at_border(work, self.clock.time(moment_of(end_us)))

    def next_deadline(self) -> datetime:
        """When something begins or ends, or the account has something to say."""
        credit_us = self._credit_moment()
        border_us = self._border(self.at_us)
        return moment_of(border_us if credit_us is None else min(border_us, credit_us))

    def keep(self, work: Work) -> None:
        """Make registers and account durable."""
        self.meter.keep(work)
        self.account.keep(work)
        work.tx.put(_AT, self.at_us.to_bytes(8, "big"))

    def _border(self, after_us: int) -> int:
        """The next moment at which something begins or ends: half hours, switches, periods, samples."""
        time = self.clock.time(moment_of(after_us))
        seconds = seconds_since_2000(time)
        borders = [EPOCH_2000 + timedelta(seconds=(seconds // HALF_HOUR_S + 1) * HALF_HOUR_S)]
        read_s = self._daily_read_minute * 60
        borders.append(EPOCH_2000 + timedelta(seconds=((seconds - read_s) // DAY_S + 1) * DAY_S + read_s))
        for kind in (TARIFF, NON_DISABLEMENT):
            switch = self.calendars.view(kind).next_switch(time)
            borders += [] if switch is None else [switch]
        borders += self._beginnings(time)
        network = self.records.network
        if network is not None and network.next_sample is not None and network.next_sample > seconds:
            borders.append(EPOCH_2000 + timedelta(seconds=network.next_sample))
        border = min(one for one in borders if one > time)
        return microseconds(border - self.clock.offset)

    def _credit_moment(self) -> int | None:
        """When what is used will have changed the account so far that something follows, or another block
        and its price begin, if within the half hour."""
        charge = self.account.account.charge_to_next_event()
        if charge is None or not self.valve.open:
            return None
        registers = self.meter.registers
        price = self.tariff.price(self.clock.time(moment_of(self.at_us)), registers.block_mwh)
        per_ml = self.tariff.conversion().milliwatt_hours_per_ml
        if price <= 0 or per_ml <= 0:
            return None
        needed = charge * 1_000_000 - self.account.state.remainder
        energy = -(-needed // price)
        room = self.tariff.block(registers.block_mwh)[1] if self.tariff.scheme is Scheme.BLOCK else None
        if room is not None:
            energy = min(energy, room)
        volume = -(-(energy - registers.remainder) // per_ml)
        return self.flow.moment_of(max(1, int(volume)), self.at_us)

    # ---------------------------------------------------------------------------- gas

    def _measure(self, work: Work, first_us: int, last_us: int) -> None:
        """Gas of a stretch in which nothing changes."""
        if not self.valve.open:
            return
        volume = self.flow.between(first_us, last_us)
        volume += self.leak_ml_per_hour * (last_us - first_us) // 3_600_000_000
        self.count(work, volume, self.clock.time(moment_of(first_us)))

    def count(self, work: Work, volume_ml: int, time: datetime) -> None:
        """Count and charge a volume. Where it crosses a block threshold, the millilitre that reaches it is
        the last of its block, whenever the meter measures."""
        if volume_ml <= 0:
            return
        registers, conversion = self.meter.registers, self.tariff.conversion()
        before, used, passed_ml = registers.remainder, 0, 0
        energy = self.meter.energy(volume_ml, conversion)
        tier = self.tariff.tier(time)
        while True:
            block, room = self.tariff.block(registers.block_mwh)
            part = energy if room is None else min(energy, room)
            used += part
            share = volume_ml
            if part < energy:
                share = ceil((used - before) / conversion.milliwatt_hours_per_ml) - passed_ml
            passed_ml += share
            price = self.tariff.price(time, registers.block_mwh)
            self.meter.add(share, tier, block)
            registers.block_mwh += part
            self._apply(work, self.account.account.energy(part, price))
            energy, volume_ml = energy - part, volume_ml - share
            if not energy and not volume_ml:
                return

    # ---------------------------------------------------------------------------- what begins and ends

    def _at_border(self, work: Work, time: datetime) -> None:
        """What begins and ends at a moment of the device's time, in its order."""
        seconds = seconds_since_2000(time)
        self.follow_non_disablement(work, time)
        if not seconds % HALF_HOUR_S:
            self.meter.close_half_hour(work, seconds)
        if not seconds % DAY_S:
            self.meter.close_day(work, seconds)
        self._sample(work, seconds)
        if (seconds // 60) % (24 * 60) == self._daily_read_minute and not seconds % 60:
            self._snapshot(work, GENERAL, seconds)
        self._begin_periods(work, time, seconds)
        if not seconds % DAY_S:
            self._standing_charge(work)
        if not seconds % 3600:
            self._apply(work, self._debts(DebtPeriod.HOURLY, time))
        if not seconds % DAY_S:
            self._apply(work, self._debts(DebtPeriod.DAILY, time))

    def _standing_charge(self, work: Work) -> None:
        amount = self._memory().number(Price.standing_charge)
        self._apply(work, self.account.account.standing_charge(amount, supply_open=not self.valve.open))

    def _debts(self, period: DebtPeriod, time: datetime) -> Events:
        return self.account.account.debt_tick(period, time, supply_open=not self.valve.open)

    def follow_non_disablement(self, work: Work, time: datetime) -> None:
        """Begin or end a non-disablement period with its calendar."""
        account = self.account.account
        wanted = self.calendars.view(NON_DISABLEMENT).value(time) == 1
        if wanted and not account.state.non_disablement:
            account.begin_non_disablement()
        elif not wanted and account.state.non_disablement:
            self._apply(work, account.end_non_disablement())

    def _period(self, name: str) -> RepeatingPeriod | None:
        """The billing or block period in force."""
        command = Price.publish_billing_period if name == "billing_period" else Price.publish_block_period
        kept = self._memory().document(name)
        if not isinstance(kept, dict):
            return None
        known = self._periods.get(name)
        if known is not None and known[0] == kept:
            return known[1]
        record = command.from_json(cast("JsonValue", kept))
        kind = record.integer(f"{name}_duration_type")
        period = RepeatingPeriod(
            EPOCH_2000 + timedelta(seconds=record.integer(f"{name}_start_time")),
            record.integer(f"{name}_duration"),
            Timebase(kind & 0x0F),
        )
        self._periods[name] = kept, period
        return period

    def _beginnings(self, time: datetime) -> list[datetime]:
        """When the next billing and block periods begin."""
        periods = (self._period(name) for name in ("billing_period", "block_period"))
        begins = (period.next_after(time) for period in periods if period is not None)
        return [begin for begin in begins if begin is not None]

    def _begin_periods(self, work: Work, time: datetime, seconds: int) -> None:
        """Billing and block periods that begin at this very moment."""
        just_before = time - timedelta(seconds=1)
        billing, block = self._period("billing_period"), self._period("block_period")
        begins = billing is not None and billing.next_after(just_before) == time
        if begins:
            self._push(work, self._snapshot(work, END_OF_BILLING_PERIOD, seconds))
        if begins if block is None else block.next_after(just_before) == time:
            self.meter.reset_blocks()

    def _sample(self, work: Work, seconds: int) -> None:
        log = self.records.network
        if log is None or log.next_sample != seconds:
            return
        total = self.meter.registers.total
        litres = (total - log.total_ml) // LITRE_ML
        log = replace(log, values=(*log.values, litres), total_ml=log.total_ml + litres * LITRE_ML)
        self.records.keep_network(work, log)

    def start_sampling(self, call: ZclCall, record: Record) -> Answer:
        """Spec: GBCS use case GCS31."""
        seconds = seconds_since_2000(self.clock.time(call.work.now))
        interval, most = record.integer("sample_request_interval"), record.integer("max_number_of_samples")
        if not interval or not most:
            raise ComponentError(Status.INVALID_VALUE, f"{most} samples every {interval} s")
        start = record.integer("start_sampling_time") or seconds
        log = NetworkLog(
            FIRST_NETWORK_SAMPLES, start + interval, interval, most, (), self.meter.registers.total
        )
        self.records.keep_network(call.work, log)
        return Metering.start_sampling_response.record(sample_id=FIRST_NETWORK_SAMPLES)

    # ---------------------------------------------------------------------------- snapshots

    def _registers(self) -> dict[str, int | list[int]]:
        total, tiers, blocks = self.meter.shown()
        return dict(zip(REGISTERS, (total, tiers, TIERS_AND_BLOCKS, blocks), strict=True))

    def _snapshot(self, work: Work, cause: int, seconds: int) -> Snapshot:
        records = self.records
        logs = {
            GENERAL: (records.daily, records.prepay_daily),
            END_OF_BILLING_PERIOD: (records.billing, records.prepay_billing),
        }
        metering, prepay = logs.get(cause, (records.changes, records.prepay_changes))
        return records.take(
            work,
            metering,
            prepay,
            seconds=seconds,
            cause=cause,
            registers=self._registers(),
            balances=self.account.balances(),
        )

    def snapshot_change(self, work: Work, cause: int) -> None:
        """Record a change; several of one command are one."""
        seconds = seconds_since_2000(self.clock.time(work.now))
        if not self.records.has_snapshot_at(seconds):
            self._snapshot(work, cause, seconds)
