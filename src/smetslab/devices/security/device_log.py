"""The Device Log of a device: with which devices of its home it is paired.

Spec: SMETS 5.4.7, 4.4.8; GBCS 13.7 (joining); the number of entries is unverified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smetslab.crypto import PublicKey
from smetslab.devices.limits import DEVICE_LOG_ENTRIES
from smetslab.devices.work import Work
from smetslab.gbcs.codes import DeviceType, KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Certificate, parse_certificate
from smetslab.store import Nvm

_PREFIX = "device-log/"

Changed = Callable[[Work], None]
"""Told of every change of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One paired device. `certificate`: its key agreement certificate, where the pairing brought one."""

    device: Eui64
    device_type: DeviceType
    number: int
    certificate: Certificate | None = None


class DeviceLog:
    """The Device Log of one device, in the order of its entries."""

    def __init__(
        self,
        nvm: Nvm,
        *,
        first: tuple[tuple[Eui64, DeviceType], ...] = (),
        capacity: int = DEVICE_LOG_ENTRIES,
        changed: Changed = lambda _work: None,
    ) -> None:
        """`first`: what a new device has."""
        self.capacity = capacity
        self._changed = changed
        self._entries: dict[Eui64, LogEntry] = {}
        kept = nvm.items(_PREFIX)
        if kept:
            for key, octets in kept:
                entry = _decode(key, octets)
                if entry is not None:
                    self._entries[entry.device] = entry
        else:
            for number, (device, device_type) in enumerate(first):
                self._entries[device] = LogEntry(device=device, device_type=device_type, number=number)

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """The oldest first."""
        return tuple(sorted(self._entries.values(), key=lambda entry: entry.number))

    def find(self, device: Eui64) -> LogEntry | None:
        return self._entries.get(device)

    @property
    def full(self) -> bool:
        return len(self._entries) >= self.capacity

    def add(
        self, work: Work, device: Eui64, device_type: DeviceType, certificate: Certificate | None = None
    ) -> None:
        """Add a device, or renew its entry."""
        known = self._entries.get(device)
        number = max((entry.number for entry in self._entries.values()), default=-1) + 1
        self._entries[device] = LogEntry(
            device=device,
            device_type=device_type,
            number=number if known is None else known.number,
            certificate=certificate,
        )
        self._keep(work)

    def remove(self, work: Work, device: Eui64) -> bool:
        """Take a device off the log; False when it is not there."""
        if self._entries.pop(device, None) is None:
            return False
        self._keep(work)
        return True

    def _keep(self, work: Work) -> None:
        """Everything is written with each change, so that a log that was emptied stays empty."""
        work.tx.clear(_PREFIX)
        work.tx.put(f"{_PREFIX}kept", b"")
        for entry in self._entries.values():
            der = b"" if entry.certificate is None else entry.certificate.der
            head = bytes((entry.device_type,)) + entry.number.to_bytes(4, "big")
            work.tx.put(f"{_PREFIX}{entry.device}", head + der)
        self._changed(work)

    def peer_key(self, device: Eui64) -> PublicKey | None:
        """The key agreement key of a paired device; None for any other."""
        entry = self._entries.get(device)
        if entry is None or entry.certificate is None:
            return None
        if entry.certificate.key_usage is not KeyUsage.KEY_AGREEMENT:
            return None
        return entry.certificate.public_key

    def describe(self) -> list[dict[str, str]]:
        """For people."""
        return [{"device": str(entry.device), "type": entry.device_type.name} for entry in self.entries]


def _decode(key: str, octets: bytes) -> LogEntry | None:
    if not octets:
        return None  # the mark that the log was written
    der = octets[5:]
    return LogEntry(
        device=Eui64.parse(key.removeprefix(_PREFIX)),
        device_type=DeviceType(octets[0]),
        number=int.from_bytes(octets[1:5], "big"),
        certificate=parse_certificate(der) if der else None,
    )
