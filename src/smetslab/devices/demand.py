"""Maximum demand: the highest mean power of a half hour, with its time, since the last reset.

Spec: SMETS 5.7.5 (Maximum Demand Active Energy Import, Configurable Time, Active Power Export). That a half
hour is the period is unverified.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from smetslab.store import Json


@dataclass(slots=True)
class Peak:
    """One register: W, and seconds since 2000 of the end of that half hour and of the last reset."""

    value_w: int = 0
    at: int = 0
    reset_at: int = 0

    def offer(self, seconds: int, power_w: int) -> None:
        """A half hour of this mean power is over."""
        if power_w > self.value_w:
            self.value_w, self.at = power_w, seconds

    def reset(self, seconds: int) -> None:
        self.value_w, self.at, self.reset_at = 0, seconds, seconds


@dataclass(slots=True)
class MaximumDemand:
    """The three registers of a meter."""

    imported: Peak = field(default_factory=Peak)
    configurable: Peak = field(default_factory=Peak)
    exported: Peak = field(default_factory=Peak)

    def offer(self, seconds: int, import_w: int, export_w: int, *, in_window: bool) -> None:
        """A whole half hour is over. `in_window`: it lies in the configurable daily period."""
        self.imported.offer(seconds, import_w)
        self.exported.offer(seconds, export_w)
        if in_window:
            self.configurable.offer(seconds, import_w)

    def to_json(self) -> Json:
        return [[p.value_w, p.at, p.reset_at] for p in (self.imported, self.configurable, self.exported)]

    @classmethod
    def from_json(cls, record: Json) -> MaximumDemand:
        """What `to_json` made. Raises ValueError on anything else."""
        match record:
            case [
                [int(a), int(b), int(c)],
                [int(d), int(e), int(f)],
                [int(g), int(h), int(i)],
            ]:
                return cls(Peak(a, b, c), Peak(d, e, f), Peak(g, h, i))
            case _:
                raise ValueError("not maximum demand registers")
