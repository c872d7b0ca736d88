"""What time does to an ESME: energy at the rate of the moment, charges at midnight, calendars, logs, demand.

Everything up to a moment is worked out when the meter next has something to do, in the order of time, from
the history of its segments. At one and the same moment come, in this order: energy up to it, calendar
switches, snapshots, charges, then commands whose time has come.

The device's clock decides about calendars and midnights. While it is invalid only energy goes on, at the rate
that was active last; what a clock that comes back, or is set forward, has jumped over is made up for: one
standing charge for each midnight, one switch of each calendar, no debts.

Spec: SMETS 5.5, 5.7.4, 5.7.5; GBCS 9.1. The order at one moment is unverified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smetslab.devices.demand import MaximumDemand
from smetslab.devices.limits import DAILY_READ_LOG_ENTRIES, METERING_TICK_US
from smetslab.devices.load import DAY_US, HALF_HOUR_US, Energies
from smetslab.devices.metering import MILLI, EnergyMeter, Segment, microseconds, whole
from smetslab.devices.ring import read_kept
from smetslab.devices.schedule import ExecutionTimes, Schedule
from smetslab.devices.tariff import RateRegisters, TariffCalendar, price_index
from smetslab.devices.work import Work
from smetslab.gbcs.values import EPOCH_2000
from smetslab.store import Json, Nvm

_KEY = "life"
_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_YEAR_DAYS = 400
_DAYS_KEPT = 2
"""Days whose borders are at hand: that of the moment and the next."""
BEGIN_NON_DISABLEMENT, END_NON_DISABLEMENT = 32, 33
SECONDARY_SCRIPT = 200
SECONDARY_RATES = 4


@dataclass(slots=True, kw_only=True)
class Configuration:
    """The calendars and prices that are in force. Prices count thousandths of a penny per kWh."""

    calendar: TariffCalendar
    thresholds: list[list[int]]
    prices: dict[str, int]
    secondary_calendar: TariffCalendar | None
    secondary_prices: dict[str, int]
    standing_charge: int
    non_disablement: Schedule
    billing: ExecutionTimes
    counter_reset: ExecutionTimes
    demand_window: Schedule
    switching_offset: timedelta = timedelta()
    hourly_debts: bool = False
    has_demand_window: bool = False


class Owner:
    """What the meter does when something falls due; the electricity meter overrides all of it."""

    def energy(self, work: Work, costs: Sequence[tuple[int, int]]) -> None:
        """Energy was used: parts in thousandths of a watt hour, each with its price."""

    def midnight(self, work: Work, at: datetime, *, missed: bool, charging: bool) -> None:
        """Snapshots, then standing charge, then daily debts. `missed`: there was no power, or no time;
        without `charging` the snapshots alone (a history)."""

    def hour(self, work: Work, at: datetime) -> None:
        """Hourly debts."""

    def billing(self, work: Work, at: datetime, *, charging: bool) -> None:
        """The end of a billing period; nobody is told of one in a history."""

    def non_disablement(self, work: Work, *, begins: bool) -> None:
        """A period without disablement begins or ends."""

    def charge_to_next_event(self) -> int | None:
        """See `Account.charge_to_next_event`."""
        return None

    @property
    def charge_remainder(self) -> int:
        """What is left of earlier energy, in 10^-6 of a thousandth of a penny."""
        return 0


@dataclass(slots=True, kw_only=True)
class LifeState:
    """What must survive a power cut. `reached_us`: laboratory time worked through; `device_us`: the device's
    time then; `last_day`: the last midnight that was charged, in days since 2000; `demand_from_us`: since
    when no half hour was disturbed."""

    reached_us: int
    device_us: int
    last_day: int
    demand_from_us: int
    script: int = 0
    secondary_script: int = 0
    rates: RateRegisters = field(default_factory=RateRegisters)
    secondary: list[int] = field(default_factory=lambda: [0] * SECONDARY_RATES)
    demand: MaximumDemand = field(default_factory=MaximumDemand)

    def to_json(self) -> Json:
        return {
            "times": [self.reached_us, self.device_us, self.last_day, self.demand_from_us],
            "scripts": [self.script, self.secondary_script],
            "rates": self.rates.to_json(),
            "secondary": list(self.secondary),
            "demand": self.demand.to_json(),
        }

    @classmethod
    def from_json(cls, record: Json) -> LifeState:
        """What `to_json` made. Raises ValueError on anything else."""
        match record:
            case {
                "times": [int(reached), int(device), int(last_day), int(demand_from)],
                "scripts": [int(script), int(secondary_script)],
                "rates": rates,
                "secondary": [*secondary],
                "demand": demand,
            }:
                return cls(
                    reached_us=reached,
                    device_us=device,
                    last_day=last_day,
                    demand_from_us=demand_from,
                    script=script,
                    secondary_script=secondary_script,
                    rates=RateRegisters.from_json(rates),
                    secondary=[int(str(value)) for value in secondary],
                    demand=MaximumDemand.from_json(demand),
                )
            case _:
                raise ValueError("not the state of a meter's life")


@dataclass(frozen=True, slots=True, order=True)
class Border:
    """Something that happens at a moment of the device's time. `rank` orders what happens at one moment."""

    at_us: int
    rank: int
    kind: str
    script: int = 0


class EsmeLife:
    """The passing of time of one meter."""

    def __init__(
        self,
        nvm: Nvm,
        meter: EnergyMeter,
        owner: Owner,
        configuration: Callable[[], Configuration],
        *,
        charging: bool = True,
        switching: bool = True,
    ) -> None:
        """Without `charging` nothing costs anything, ever; without `switching` the rate stays what it is."""
        self._switching = switching
        self._charging = charging
        self._target_day = 0
        self._meter = meter
        self._owner = owner
        self._read_configuration = configuration
        self._known: Configuration | None = None
        self._days: dict[tuple[int, int], list[Border]] = {}
        self._predicted: int | None = None
        kept, self.damaged = read_kept(nvm, _KEY, LifeState.from_json)
        self.fitted_now = kept is None and not self.damaged
        self.state = self._fitted() if kept is None else kept

    def _fitted(self) -> LifeState:
        first = self._meter.segments[0]
        device_us = first.start_us + first.offset_us
        state = LifeState(
            reached_us=first.start_us,
            device_us=device_us,
            last_day=device_us // DAY_US,
            demand_from_us=first.start_us,
        )
        # What the meter had measured when it was fitted belongs to the first register, so that the sums
        # agree.
        state.rates.tou[0] = first.start.active_import
        state.secondary[0] = first.start.secondary_import
        return state

    # ---------------------------------------------------------------------------- configuration

    @property
    def configuration(self) -> Configuration:
        if self._known is None:
            self._known = self._read_configuration()
        return self._known

    def reconfigured(self) -> None:
        """Calendars or prices have changed: from the present moment on the new ones count."""
        self._known = None
        self._days.clear()
        self._predicted = None
        self._select_rates()

    def changed(self) -> None:
        """The credit has changed: what was predicted no longer holds."""
        self._predicted = None

    def _select_rates(self) -> None:
        now = moment(self.state.device_us)
        configuration = self.configuration
        offset = configuration.switching_offset
        if not self._switching and self.state.script:
            return
        self.state.script = configuration.calendar.script_before(now - offset)
        if configuration.secondary_calendar is not None:
            self.state.secondary_script = configuration.secondary_calendar.script_before(now - offset)

    # ---------------------------------------------------------------------------- the passing of time

    def settle(self, work: Work, now: datetime, *, charging: bool = True) -> None:
        """Work through everything up to `now`. Without `charging` it costs nothing (a history)."""
        charging = charging and self._charging
        target = microseconds(now)
        if target <= self.state.reached_us:
            return
        if self.fitted_now:
            self._select_rates()
        self._target_day = (target + self._meter.segments[-1].offset_us) // DAY_US
        while self.state.reached_us < target:
            start_us, end_us, segment = next(self._meter.pieces(self.state.reached_us, target))
            if segment.clock_runs:
                self._piece(work, start_us, end_us, segment, charging=charging)
            else:
                self._use(work, end_us, charging=charging)
        self.fitted_now = False
        self._predicted = None
        self.keep(work)

    def start_anew(self, now: datetime) -> None:
        """Memory is damaged: what was measured so far belongs to the first register, and time goes on from
        here."""
        segment = self._meter.segments[-1]
        reading, now_us = self._meter.reading(microseconds(now)), microseconds(now)
        device_us = now_us + segment.offset_us
        self.state = LifeState(
            reached_us=now_us,
            device_us=device_us,
            last_day=device_us // DAY_US,
            demand_from_us=now_us,
        )
        self.state.rates.tou[0] = reading.active_import
        self.state.secondary[0] = reading.secondary_import

    def start(self, work: Work) -> None:
        """A new meter begins to work: what the calendars say now."""
        self._select_rates()
        time = moment(self.state.device_us)
        script = self.configuration.non_disablement.script_before(time)
        self._owner.non_disablement(work, begins=script == BEGIN_NON_DISABLEMENT)
        self.keep(work)

    def added(self, work: Work, energies: Energies) -> None:
        """Energy has come on top of the load at the present moment, through the first element."""
        if self._meter.segments[-1].flows:
            self._cost_of(work, energies, charging=True)
            self.demand_changed()
            self._predicted = None
            self.keep(work)

    def keep(self, work: Work) -> None:
        work.tx.put_json(_KEY, self.state.to_json())

    def _piece(self, work: Work, start_us: int, end_us: int, segment: Segment, *, charging: bool) -> None:
        """One stretch in which nothing but time and load changes; it ends early when something does."""
        state, offset_us, version = self.state, segment.offset_us, self._meter.version
        first_us = start_us + offset_us
        if first_us != state.device_us:
            self._jump(work, first_us, offset_us, charging=charging)
        for border in self._borders(first_us, end_us + offset_us, offset_us):
            at_us = border.at_us - offset_us
            self._use(work, at_us, charging=charging)
            if self._meter.version != version:
                state.device_us = state.reached_us + offset_us
                return
            state.device_us = border.at_us
            self._act(work, border, missed=not segment.powered, charging=charging)
            if self._meter.version != version:
                self._finish_moment(work, border, segment, charging=charging)
                return
        self._use(work, end_us, charging=charging)
        state.device_us = state.reached_us + offset_us
        if not segment.powered:
            state.demand_from_us = state.reached_us

    def _finish_moment(self, work: Work, done: Border, segment: Segment, *, charging: bool) -> None:
        """What else happens at the moment of a border whose act has changed the segment."""
        for border in self._borders(done.at_us - 1, done.at_us, segment.offset_us):
            if border > done:
                self._act(work, border, missed=not segment.powered, charging=charging)

    def _jump(self, work: Work, to_us: int, offset_us: int, *, charging: bool) -> None:
        """The clock shows another time than it would have: make up for what it has jumped over."""
        state = self.state
        for border in self._borders(state.device_us, to_us, offset_us):
            if border.kind in {"midnight", "billing", "reset", "switch"}:
                self._act(work, border, missed=True, charging=charging)
        state.device_us, state.demand_from_us = to_us, state.reached_us
        self._select_rates()
        script = self.configuration.non_disablement.script_before(moment(to_us))
        self._owner.non_disablement(work, begins=script == BEGIN_NON_DISABLEMENT)

    def _act(self, work: Work, border: Border, *, missed: bool, charging: bool) -> None:
        state, owner = self.state, self._owner
        time = moment(border.at_us)
        match border.kind:
            case "rate" if self._switching:
                state.script = border.script
            case "secondary":
                state.secondary_script = border.script
            case "switch":
                owner.non_disablement(work, begins=border.script == BEGIN_NON_DISABLEMENT)
            case "reset":
                state.rates.reset_counters()
            case "billing":
                if charging or border.at_us // DAY_US >= self._target_day - _YEAR_DAYS:
                    owner.billing(work, time, charging=charging)
                state.rates.reset_counters()
            case "half hour" if not missed and state.reached_us - HALF_HOUR_US >= state.demand_from_us:
                self._demand(border.at_us)
            case "hour" if charging and not missed:
                owner.hour(work, time)
            case "midnight" if border.at_us // DAY_US > state.last_day:
                state.last_day = border.at_us // DAY_US
                if charging or self._target_day - state.last_day <= DAILY_READ_LOG_ENTRIES:
                    owner.midnight(work, time, missed=missed, charging=charging)

    def _demand(self, device_us: int) -> None:
        """A half hour is over: its mean power may be the highest yet."""
        energies = self._meter.reading(self.state.reached_us).minus(
            self._meter.reading(self.state.reached_us - HALF_HOUR_US)
        )
        import_w = (energies.active_import + energies.secondary_import) * 2 // MILLI
        window = import_w > self.state.demand.configurable.value_w and (
            self.configuration.demand_window.script_before(moment(device_us) - timedelta(seconds=1)) == 1
        )
        export_w = energies.active_export * 2 // MILLI
        self.state.demand.offer(device_us // _SECOND_US, import_w, export_w, in_window=window)

    def _use(self, work: Work, to_us: int, *, charging: bool) -> None:
        """Energy up to a moment; the metering tick at which the credit has reached a threshold comes
        between."""
        state, version = self.state, self._meter.version
        while state.reached_us < to_us and self._meter.version == version:
            next_us = self._crossing(state.reached_us, to_us) if charging else to_us
            self._stretch(work, next_us, charging=charging)

    def _stretch(self, work: Work, to_us: int, *, charging: bool) -> None:
        """Energy goes to the registers of the active rates, and costs its price."""
        energies = self._meter.reading(to_us).minus(self._meter.reading(self.state.reached_us))
        self.state.reached_us = to_us
        self._cost_of(work, energies, charging=charging)

    def _cost_of(self, work: Work, energies: Energies, *, charging: bool) -> None:
        configuration, state = self.configuration, self.state
        costs: list[tuple[int, int]] = []
        if energies.active_import:
            parts = state.rates.add(state.script, energies.active_import, configuration.thresholds)
            costs += [(part, configuration.prices.get(index, 0)) for index, part in parts]
        if energies.secondary_import:
            rate = secondary_rate(state.secondary_script)
            state.secondary[rate - 1] += energies.secondary_import
            costs.append((energies.secondary_import, configuration.secondary_prices.get(f"{rate:02X}", 0)))
        if charging and costs:
            self._owner.energy(work, costs)

    def daily_read(self, reading: Energies) -> list[int]:
        """Wh: import, secondary import, 48 registers, 4 x 8 blocks, 4 secondary registers."""
        rates = self.state.rates
        registers = [*rates.tou, *(value for row in rates.blocks for value in row), *self.state.secondary]
        present = whole(reading)
        return [
            present.active_import,
            present.secondary_import,
            *(value // MILLI for value in registers),
        ]

    # ---------------------------------------------------------------------------- borders

    def _borders(self, after_us: int, to_us: int, offset_us: int) -> Iterator[Border]:
        """What happens after one moment of the device's time, up to and including another."""
        for day in range(after_us // DAY_US, to_us // DAY_US + 1):
            for border in self._borders_of(day, offset_us):
                if after_us < border.at_us <= to_us:
                    yield border

    def _borders_of(self, day: int, offset_us: int) -> list[Border]:
        known = self._days.get((day, offset_us))
        if known is None:
            while len(self._days) >= _DAYS_KEPT:
                del self._days[next(iter(self._days))]
            known = list(self._make_borders(day))
            if self._demand_matters(day, offset_us):
                start_us = day * DAY_US
                known += [Border(start_us + slot * HALF_HOUR_US, 0, "half hour") for slot in range(48)]
            known.sort()
            self._days[day, offset_us] = known
        return known

    def _demand_matters(self, day: int, offset_us: int) -> bool:
        """Whether any half hour of a day can have more power than the highest so far."""
        demand = self.state.demand
        import_w = export_w = 0
        for moment_us in (day * DAY_US - offset_us, (day + 1) * DAY_US - offset_us):
            peak = self._meter.peak_w(moment_us // DAY_US)
            import_w = max(import_w, peak.active_import + peak.secondary_import)
            export_w = max(export_w, peak.active_export)
        windowed = self.configuration.has_demand_window and import_w > demand.configurable.value_w
        return windowed or import_w > demand.imported.value_w or export_w > demand.exported.value_w

    def demand_changed(self) -> None:
        """A maximum demand register was reset, or energy has come on top of the load."""
        self._days.clear()

    def _make_borders(self, number: int) -> Iterator[Border]:
        configuration = self.configuration
        start_us, day = number * DAY_US, (EPOCH_2000 + timedelta(days=number)).date()
        offset_us = configuration.switching_offset // timedelta(microseconds=1)
        for seconds, script in configuration.calendar.switches(day):
            yield Border(start_us + seconds * _SECOND_US + offset_us, 1, "rate", script)
        if configuration.secondary_calendar is not None:
            for seconds, script in configuration.secondary_calendar.switches(day):
                yield Border(start_us + seconds * _SECOND_US + offset_us, 2, "secondary", script)
        for seconds, script in configuration.non_disablement.switches(day):
            yield Border(start_us + seconds * _SECOND_US, 3, "switch", script)
        for seconds in configuration.billing.on(day):
            yield Border(start_us + seconds * _SECOND_US, 4, "billing")
        for seconds in configuration.counter_reset.on(day):
            yield Border(start_us + seconds * _SECOND_US, 5, "reset")
        yield Border(start_us, 6, "midnight")
        if configuration.hourly_debts:
            for hour in range(24):
                yield Border(start_us + hour * _HOUR_US, 7, "hour")

    # ---------------------------------------------------------------------------- what comes next

    def next_deadline_us(self, *, prepayment: bool) -> int | None:
        """The laboratory time at which `settle` is due. In prepayment credit is watched at every border and
        every tick between; otherwise billing periods alone are due in time."""
        segment = self._meter.segments[-1]
        if self._predicted is None:
            self._predicted = self._predict(segment, watching=prepayment and self._charging)
        return self._predicted or None

    def _predict(self, segment: Segment, *, watching: bool) -> int:
        """0: nothing is due."""
        reached_us, offset_us = self.state.reached_us, segment.offset_us
        if not segment.clock_runs:
            return self._crossing(reached_us, reached_us + DAY_US) if watching else 0
        due = {"rate", "secondary", "switch", "billing", "midnight", "hour"} if watching else {"billing"}
        device_us = reached_us + offset_us
        for ahead in range(2 if watching else 32):
            day = device_us // DAY_US + ahead
            for border in self._borders_of(day, offset_us):
                if border.at_us > device_us and border.kind in due:
                    border_us = border.at_us - offset_us
                    return min(border_us, self._crossing(reached_us, border_us)) if watching else border_us
        return (device_us // DAY_US + (2 if watching else 32)) * DAY_US - offset_us

    def _crossing(self, first_us: int, last_us: int) -> int:
        """The metering tick at which the charge for energy reaches what the account waits for."""
        charge = self._owner.charge_to_next_event()
        if charge is None or not self._meter.segments[-1].flows:
            return last_us
        wanted = charge * 1_000_000 - self._owner.charge_remainder
        start = self._meter.reading(first_us)
        if self._cost(start, last_us) < wanted:
            return last_us
        low, high = first_us // METERING_TICK_US, -(-last_us // METERING_TICK_US)
        while high - low > 1:
            middle = (low + high) // 2
            if self._cost(start, middle * METERING_TICK_US) >= wanted:
                high = middle
            else:
                low = middle
        return min(high * METERING_TICK_US, last_us)

    def _cost(self, start: Energies, moment_us: int) -> int:
        """What the energy since `start` costs at the rates of now, in 10^-6 of a thousandth of a penny."""
        energies = self._meter.reading(moment_us).minus(start)
        configuration, state = self.configuration, self.state
        cost = 0
        if energies.active_import:
            parts = state.rates.parts(state.script, energies.active_import, configuration.thresholds)
            cost = sum(part * configuration.prices.get(index, 0) for index, part in parts)
        if energies.secondary_import:
            index = f"{secondary_rate(state.secondary_script):02X}"
            cost += energies.secondary_import * configuration.secondary_prices.get(index, 0)
        return cost

    # ---------------------------------------------------------------------------- what is active

    @property
    def active_index(self) -> str:
        """The index of the price that is active."""
        state = self.state
        column = state.script - 101
        block = 0
        if 0 <= column < 8:
            block = state.rates.block(column, self.configuration.thresholds)[0]
        return price_index(state.script, block)

    @property
    def active_price(self) -> int:
        """Thousandths of a penny per kWh; 0 while the calendar selects no rate."""
        return self.configuration.prices.get(self.active_index, 0)


def secondary_rate(script: int) -> int:
    """1 to 4; the first where the calendar selects none."""
    rate = script - SECONDARY_SCRIPT
    return rate if 1 <= rate <= SECONDARY_RATES else 1


def moment(device_us: int) -> datetime:
    """A time in microseconds since 2000."""
    return EPOCH_2000 + timedelta(microseconds=device_us)
