"""One of several processes that share the premises of a laboratory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smetslab.errors import UsageError
from smetslab.lab.config import PremisesConfig


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `total` parts of the premises of a laboratory, counted from 1: every `total`th of them."""

    number: int
    total: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.total:
            raise UsageError(f"shard {self.number}/{self.total}", hint="1/4 to 4/4 are the parts of four")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `1/4`. Raises UsageError."""
        number, slash, total = text.partition("/")
        if not (slash and number.isdecimal() and total.isdecimal()):
            raise UsageError(f"shard {text!r}", hint="such as 1/4")
        return cls(int(number), int(total))

    @property
    def name(self) -> str:
        """What this part is called on the WAN."""
        return f"premises-{self.number}-of-{self.total}"

    def of(self, premises: Sequence[PremisesConfig]) -> tuple[PremisesConfig, ...]:
        """The premises of this part."""
        return tuple(premises[self.number - 1 :: self.total])
