"""The file in which Wireshark keeps ZigBee keys, `zigbee_pc_keys`: written for it, and read from it.

Each line has three quoted columns: the key's octets joined by colons, their order, and a label.

Spec: Wireshark User's Guide, ZigBee pre-configured keys (a table of user-accessible type)
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from smetslab.errors import CaptureError

KEYS_SUFFIX: Final = ".zigbee_pc_keys"
"""A key file stands beside its capture, with the name of that and this behind it."""
KEY_OCTETS: Final = 16
MAX_KEY_FILE_OCTETS: Final = 1 << 20
"""More than ten thousand keys."""


@dataclass(frozen=True, slots=True, repr=False)
class CaptureKey:
    """A network or link key, and what it is called. Shows the name alone."""

    key: bytes
    label: str

    def __repr__(self) -> str:
        return f"CaptureKey({self.label})"


def key_file(keys: Iterable[CaptureKey]) -> str:
    """The text of a key file. Labels are cut to what the file can hold."""
    lines = ["# ZigBee keys of a smetslab capture: test keys"]
    for entry in keys:
        label = "".join(char if char.isprintable() and char not in '",\\' else " " for char in entry.label)
        lines.append(f'"{entry.key.hex(":").upper()}","Normal","{label}"')
    return "\n".join(lines) + "\n"


def read_keys(text: str) -> list[CaptureKey]:
    """The keys of a key file. Raises CaptureError with the line that is none."""
    keys: list[CaptureKey] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = next(csv.reader([line], skipinitialspace=True))
        try:
            octets = bytes.fromhex(row[0].replace(":", "").replace("-", ""))
        except ValueError:
            octets = b""
        if len(octets) != KEY_OCTETS or len(row) < 2 or row[1] not in {"Normal", "Reverse"}:
            raise CaptureError("no key of 16 octets with its order, Normal or Reverse", None, line=number)
        keys.append(
            CaptureKey(octets[::-1] if row[1] == "Reverse" else octets, row[2] if len(row) > 2 else "")
        )
    return keys
