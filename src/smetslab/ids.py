"""Identifiers as tiny frozen values."""

from __future__ import annotations

import re
from functools import lru_cache

from smetslab.value_class import value_class

_EUI64 = re.compile(
    r"(?:[0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}:){7}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{16}"
)


@value_class(frozen=True, slots=True, order=True)
class Eui64:
    """An EUI-64: Entity Identifier of a device or remote party, eight octets, most significant first."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 8:
            raise ValueError(f"an EUI-64 has 8 octets, not {len(self.raw)}")

    @classmethod
    def parse(cls, text: str) -> Eui64:
        """Read `90B3D51F30010000`, `90-B3-D5-1F-30-01-00-00` or the colon form; ValueError otherwise."""
        if not _EUI64.fullmatch(text):
            raise ValueError(f"not an EUI-64: {text!r} (expected 16 hex digits, or 8 pairs joined by '-')")
        return cls(bytes.fromhex(text.replace("-", "").replace(":", "")))

    def dashed(self) -> str:
        """The DUIS form: upper-case pairs joined by dashes."""
        return self.raw.hex("-").upper()

    def __str__(self) -> str:
        return _text(self.raw)

    # Identities are looked up all the time: as `dataclass` would have it, without its tuples.

    def __hash__(self) -> int:
        return hash(self.raw)

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, Eui64) else NotImplemented


@lru_cache(maxsize=4096)
def eui64_of(raw: bytes) -> Eui64:
    """The EUI-64 that eight octets are. Kept, because messages and frames name the same few all the time."""
    return Eui64(raw)


@lru_cache(maxsize=4096)
def _text(raw: bytes) -> str:
    """Identifiers are keys, names in the trace and texts in documents: the same few again and again."""
    return raw.hex().upper()


MAX_COUNTER = 2**64 - 1


def format_message_code(code: int) -> str:
    """The way GBCS prints a Message Code: `0x0062`."""
    return f"0x{code:04X}"
