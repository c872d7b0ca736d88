"""Reads that the DCC repeats by itself: the schedules users have made, when each runs next, and their runs.

A run is accepted in the same transaction that moves its schedule on, so that none is lost or done twice; of
runs that were missed while the DCC was not there the latest is done.

Spec: DUIS service references 5.1 to 5.3. Days are counted in UTC; the time of a schedule that names none
is a choice.
"""

from __future__ import annotations

import asyncio
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, cast

from smetslab.clock import Clock
from smetslab.dcc.correlate import Also, Ledger
from smetslab.dcc.pending import members_of
from smetslab.duis.codes import ResponseCode
from smetslab.duis.srv import ServiceRequest
from smetslab.duis.srv.nondevice import SCHEDULED
from smetslab.errors import DuisError, LocalProtocolError, StoreError
from smetslab.gbcs.values import Parameters, Value, utc_text
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Json, Transaction

MAX_PER_DEVICE: Final = 99
"""Spec: DUIS schema 5.4, type DSPSchedulesRead (its most)."""

REMOVING: Final = frozenset(
    {
        ResponseCode.UNKNOWN_USER,
        ResponseCode.ROLE_NOT_ELIGIBLE,
        ResponseCode.NOT_RESPONSIBLE,
        ResponseCode.WRONG_DEVICE_TYPE,
        ResponseCode.UNKNOWN_DEVICE,
    }
)
"""Reasons why a run is refused that will not go away: the schedule ends. A choice."""

_PREFIX: Final = "schedule/"
_MONTHS: Final = {"Monthly": 1, "Quarterly": 3, "Half-Yearly": 6, "Yearly": 12}
_DAYS: Final = {"Daily": 1, "Weekly": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule. `elements` are those of the request that made it, `due` is its next run; None when there
    is none any more.
    """

    number: int
    user: Eui64
    device: Eui64
    variant: str
    elements: Parameters
    due: datetime | None


class ScheduleBook:
    """All schedules, durable."""

    def __init__(self, nvm: Nvm, ledger: Ledger) -> None:
        """Raises StoreError when the memory cannot be read."""
        self._nvm = nvm
        self._ledger = ledger
        self._schedules: dict[int, Schedule] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when there may be an earlier run than before."""
        for key, _ in nvm.items(_PREFIX):
            schedule = _from_json(key, nvm.get_json(key))
            self._schedules[schedule.number] = schedule

    def find(self, number: int) -> Schedule | None:
        """The schedule of that number."""
        return self._schedules.get(number)

    def of_device(self, device: Eui64, user: Eui64 | None = None) -> tuple[Schedule, ...]:
        """The schedules about a device, all or those of one user, oldest first."""
        return tuple(
            one
            for one in self._schedules.values()
            if one.device == device and (user is None or one.user == user)
        )

    def create(self, user: Eui64, variant: str, elements: Parameters, now: datetime) -> Schedule:
        """A new schedule. Raises DuisError when its dates are none."""
        number = self._ledger.next_number()
        schedule = Schedule(
            number=number,
            user=user,
            device=Eui64.parse(str(elements["DeviceID"])),
            variant=variant,
            elements=elements,
            due=next_run(elements, now),
        )
        with self._nvm.transaction() as transaction:
            transaction.put_json(_key(number), _json(schedule))
        self._schedules[number] = schedule
        self.changed()
        return schedule

    def delete(self, number: int) -> None:
        """Forget a schedule; one that is not here is no error."""
        if number in self._schedules:
            with self._nvm.transaction() as transaction:
                transaction.delete(_key(number))
            del self._schedules[number]

    def next_due(self) -> Schedule | None:
        """The schedule that runs next."""
        waiting = [one for one in self._schedules.values() if one.due is not None]
        return min(waiting, key=lambda one: (one.due, one.number), default=None)

    def moved_on(self, schedule: Schedule, now: datetime) -> tuple[Schedule, Also]:
        """The schedule behind its run, and the step that keeps it so; `keep` it after the commit."""
        moved = replace(schedule, due=next_run(schedule.elements, now, past=schedule.due))

        def step(transaction: Transaction) -> None:
            transaction.put_json(_key(moved.number), _json(moved))

        return moved, step

    def keep(self, schedule: Schedule) -> None:
        """Believe what a committed step has kept."""
        if schedule.number in self._schedules:
            self._schedules[schedule.number] = schedule

    def move_on(self, schedule: Schedule, now: datetime) -> None:
        """Move a schedule on without a run."""
        moved, step = self.moved_on(schedule, now)
        with self._nvm.transaction() as transaction:
            step(transaction)
        self.keep(moved)


class ScheduleRunner:
    """Waits for the next run, again and again."""

    def __init__(self, book: ScheduleBook, clock: Clock, run: Callable[[Schedule, datetime], None]) -> None:
        """`run` starts one run and must move the schedule on."""
        self._book = book
        self._clock = clock
        self._run = run
        self._wake = asyncio.Event()
        book.changed = self._wake.set

    async def forever(self) -> None:
        """Run what is due when it is due; ends by cancellation."""
        while True:
            self._wake.clear()
            schedule = self._book.next_due()
            if schedule is None or schedule.due is None:
                await self._wake.wait()
                continue
            if schedule.due > self._clock.now():
                await self._sleep_until(schedule.due)
                continue
            due = schedule.due
            self._run(schedule, self._clock.now())
            after = self._book.find(schedule.number)
            if after is not None and after.due == due:
                raise LocalProtocolError(f"schedule {schedule.number} did not move on")
            await asyncio.sleep(0)

    async def _sleep_until(self, moment: datetime) -> None:
        """Until then, or until the book changes."""
        handle = self._clock.call_at(
            self._clock.time() + (moment - self._clock.now()).total_seconds(), self._wake.set
        )
        try:
            await self._wake.wait()
        finally:
            handle.cancel()


# When -------------------------------------------------------------------------------------------------------


def next_run(elements: Parameters, now: datetime, past: datetime | None = None) -> datetime | None:
    """The first run that is not over at `now` and comes behind `past`; None behind the last day.

    Raises DuisError when a date or time is none.
    """
    first = _date(str(elements["ScheduleStartDate"]), "ScheduleStartDate")
    last_text = elements.get("ScheduleEndDate")
    last = None if last_text is None else _date(str(last_text), "ScheduleEndDate")
    at = _time(str(elements.get("ScheduleExecutionStartTime", "00:00:00Z")), "ScheduleExecutionStartTime")
    frequency = str(elements["ScheduleFrequency"])
    earliest = now if past is None else max(now, past + timedelta(microseconds=1))
    number = max(0, _runs_before(first, frequency, earliest.date()) - 1)
    while True:
        day = _run_day(first, frequency, number)
        moment = datetime.combine(day, at, UTC)
        if last is not None and day > last:
            return None
        if moment >= earliest:
            return moment
        number += 1


def _runs_before(first: date, frequency: str, day: date) -> int:
    """About how many runs are over on `day`: a place to begin looking."""
    if day <= first:
        return 0
    if frequency in _DAYS:
        return (day - first).days // _DAYS[frequency]
    return ((day.year - first.year) * 12 + day.month - first.month) // _MONTHS[frequency]


def _run_day(first: date, frequency: str, number: int) -> date:
    """The day of run `number`, counted from 0; the last of the month where the month has no such day."""
    if frequency in _DAYS:
        return first + timedelta(days=_DAYS[frequency] * number)
    months = first.month - 1 + _MONTHS[frequency] * number
    year, month = first.year + months // 12, months % 12 + 1
    return date(year, month, min(first.day, monthrange(year, month)[1]))


def _date(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise DuisError("not a date", path=name, expected="such as 2030-01-15", found=text) from None


def _time(text: str, name: str) -> time:
    """A time of day in UTC; fractions of a second are cut off."""
    try:
        return time.fromisoformat(text[:8])
    except ValueError:
        raise DuisError("not a time", path=name, expected="such as 07:00:00Z", found=text) from None


# What -------------------------------------------------------------------------------------------------------


def run_elements(row: ServiceRequest, schedule: Schedule, due: datetime) -> Parameters:
    """The elements of the request that a run makes on its day. Raises DuisError when `row` has no such
    elements.
    """
    asked = schedule.elements.get(SCHEDULED[schedule.variant][0])
    result: dict[str, Value] = {}
    credential = schedule.elements.get("KAPublicSecurityCredential")
    if credential is not None:
        result["KAPublicSecurityCredentials"] = credential
    if isinstance(asked, dict) and asked:
        result[_period_element(row)] = {
            "StartDateTime": _offset(due, asked, "Start"),
            "EndDateTime": _offset(due, asked, "End"),
        }
    return result


def _period_element(row: ServiceRequest) -> str:
    """The element of the body that holds a period."""
    for leaf in row.body.leaves():
        name, _, member = leaf.rpartition(".")
        if member == "StartDateTime" and name:
            return name
    raise DuisError("no period can be asked for", path=row.element)


def _offset(due: datetime, asked: Parameters, end: str) -> str:
    days = asked[f"{end}DateOffset"]
    if not isinstance(days, int):
        raise DuisError("not a number of days", path=f"{end}DateOffset")
    day = due.date() + timedelta(days=days)
    return utc_text(datetime.combine(day, _time(str(asked[f"{end}Time"]), f"{end}Time"), UTC))


# In memory --------------------------------------------------------------------------------------------------


def _key(number: int) -> str:
    return f"{_PREFIX}{number:012}"


def _json(schedule: Schedule) -> Json:
    return {
        "user": str(schedule.user),
        "device": str(schedule.device),
        "variant": schedule.variant,
        "elements": cast("Json", schedule.elements),
        "due": None if schedule.due is None else schedule.due.isoformat(),
    }


def _from_json(key: str, value: Json) -> Schedule:
    try:
        members = members_of(value)
        elements, due = members["elements"], members["due"]
        if not isinstance(elements, dict):
            raise StoreError(f"the DCC's memory is damaged at {key}")
        return Schedule(
            number=int(key.removeprefix(_PREFIX)),
            user=Eui64.parse(str(members["user"])),
            device=Eui64.parse(str(members["device"])),
            variant=str(members["variant"]),
            elements=cast("Parameters", elements),
            due=None if due is None else datetime.fromisoformat(str(due)),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error
