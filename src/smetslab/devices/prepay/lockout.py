"""How many wrong top-up codes a keypad takes before it refuses to take any.

Only entry by hand is locked; top-ups over the WAN or from a PPMID are not (unverified).

Spec: GBCS 16.2 (0x81C4, 0x81C5); the numbers are makers'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smetslab.store import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOutRules:
    """`wrong`: so many wrong codes lock; `window`: within this time, None: one after the other; `locked_for`:
    how long; `doubling_to`: from then on each wrong code locks twice as long, up to this."""

    wrong: int = 5
    window: timedelta | None = timedelta(minutes=10)
    locked_for: timedelta = timedelta(hours=1)
    doubling_to: timedelta | None = None


WINDOW = LockOutRules()
"""Five wrong codes in ten minutes lock the keypad for an hour: the default."""

IN_A_ROW = LockOutRules(window=None)
"""Five wrong codes in a row, whenever."""

DOUBLING = LockOutRules(window=None, locked_for=timedelta(seconds=30), doubling_to=timedelta(minutes=16))
"""The fifth wrong code locks for 30 s, each further one twice as long, up to 16 min."""


@dataclass(slots=True)
class LockOut:
    """The count of wrong codes of one keypad. Times are the device's."""

    rules: LockOutRules = WINDOW
    wrong: list[datetime] = field(default_factory=list)
    until: datetime | None = None
    locks: int = 0

    def locked(self, now: datetime) -> bool:
        """Whether the keypad refuses every code."""
        return self.until is not None and now < self.until

    def refuse(self, now: datetime) -> bool:
        """Count a wrong code; True when it has locked the keypad."""
        rules = self.rules
        if rules.window is not None:
            self.wrong = [moment for moment in self.wrong if now - moment < rules.window]
        self.wrong.append(now)
        del self.wrong[: -rules.wrong]
        if len(self.wrong) < rules.wrong:
            return False
        duration = rules.locked_for
        if rules.doubling_to is not None:
            duration = min(duration * 2 ** min(self.locks, 16), rules.doubling_to)
        else:
            self.wrong.clear()
        self.locks += 1
        self.until = now + duration
        return True

    def accept(self) -> None:
        """A right code clears the count."""
        self.wrong.clear()
        self.until, self.locks = None, 0

    def to_json(self) -> Json:
        """For non-volatile memory: what was counted, not the rules."""
        until = None if self.until is None else self.until.isoformat()
        return {"wrong": [moment.isoformat() for moment in self.wrong], "until": until, "locks": self.locks}

    @classmethod
    def from_json(cls, record: Json, rules: LockOutRules = WINDOW) -> LockOut:
        """What `to_json` made. Raises ValueError on anything else."""
        match record:
            case {"wrong": [*wrong], "until": until, "locks": int(locks)}:
                moments = [datetime.fromisoformat(str(moment)) for moment in wrong]
                end = None if until is None else datetime.fromisoformat(str(until))
                return cls(rules, moments, end, locks)
            case _:
                raise ValueError("not the lock of a keypad")
