"""The CHF Device Log and its historic log: which devices may be on the home's network, and how they join.

    absent -CCS01-> listed -joins-> joined -no contact-> lost
                      |                |                   |
                      +------- CCS02 --+-------------------+-> absent, remembered in the historic log

A device is let in while its window is open and its key is right. One that has been there before may use its
old link key for the first half of the window, its install code in the second; any other its install code.

Spec: CHTS 4.4 (Device Log); GBCS use cases CCS01 to CCS07, CS14.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from smetslab.crypto import aes_mmo, equal
from smetslab.devices.limits import (
    HISTORIC_LOG_ENTRIES,
    HUB_CONTACT_CHECK,
    HUB_CONTACT_LIMIT,
    HUB_GSME_CONTACT_LIMIT,
    HUB_LOG_ENTRIES,
)
from smetslab.devices.work import Work
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import parse_utc, utc_text
from smetslab.ids import Eui64
from smetslab.store import Nvm, Transaction
from smetslab.zigbee.security import install_code_key

_LOG: Final = "hub-log/"
_HISTORIC: Final = "hub-historic/"
_NETWORK: Final = "hub-network"
_WRITTEN: Final = "hub-log-written"

Presence = Literal["listed", "joined", "lost"]
Refusal = Literal["not listed", "window closed", "wrong key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One entry. `device_type` None: not known before it joins. `key_hash` is empty until there is a key.

    `opened` and `window` say until when it may join; `keys` are the secrets that let it in: those of the
    install code, and of an earlier stay.
    """

    device: Eui64
    number: int
    device_type: DeviceType | None = None
    presence: Presence = "listed"
    key_hash: bytes = b""
    code_key: bytes = b""
    old_key: bytes = b""
    opened: datetime | None = None
    window: timedelta = timedelta()

    def encode(self) -> bytes:
        return json.dumps(
            {
                "number": self.number,
                "type": self.device_type,
                "presence": self.presence,
                "hash": self.key_hash.hex(),
                "code": self.code_key.hex(),
                "old": self.old_key.hex(),
                "opened": None if self.opened is None else utc_text(self.opened),
                "window": self.window.total_seconds(),
            }
        ).encode()

    @classmethod
    def decode(cls, device: Eui64, octets: bytes) -> Listed:
        kept = json.loads(octets)
        return cls(
            device=device,
            number=kept["number"],
            device_type=None if kept["type"] is None else DeviceType(kept["type"]),
            presence=kept["presence"],
            key_hash=bytes.fromhex(kept["hash"]),
            code_key=bytes.fromhex(kept["code"]),
            old_key=bytes.fromhex(kept["old"]),
            opened=None if kept["opened"] is None else parse_utc(kept["opened"]),
            window=timedelta(seconds=kept["window"]),
        )


def key_hash(link_key: bytes) -> bytes:
    """What backups and logs show of a link key. Spec: CHTS 4.4; that it is AES-MMO is unverified."""
    return aes_mmo(link_key)


class HubDeviceLog:
    """The logs of one hub, in non-volatile memory. Methods with `work` are part of that piece of work."""

    def __init__(
        self,
        nvm: Nvm,
        changed: Callable[[Eui64, bool], None],
        *,
        network: bytes = bytes(8),
        first: tuple[Listed, ...] = (),
        capacity: int = HUB_LOG_ENTRIES,
    ) -> None:
        """`changed` is told of each device that comes (True) or goes; `network`: the extended PAN id;
        `first`: the log of a new hub.
        """
        self._nvm = nvm
        self._changed = changed
        self.capacity = capacity
        self._first_network = network
        self._first = first
        self._entries: dict[Eui64, Listed] = {}
        self._historic: dict[Eui64, Listed] = {}
        self._contacts: dict[Eui64, datetime] = {}
        self.network = network
        self.load()

    def load(self) -> None:
        """Begin with what is in memory, as after a power cut."""
        nvm = self._nvm
        self._entries.clear()
        self._historic.clear()
        self._contacts.clear()
        self.network = nvm.get(_NETWORK) or self._first_network
        for prefix, entries in ((_LOG, self._entries), (_HISTORIC, self._historic)):
            for key, octets in nvm.items(prefix):
                entry = Listed.decode(Eui64.parse(key.removeprefix(prefix)), octets)
                entries[entry.device] = entry
        if not self._entries and nvm.get(_WRITTEN) is None:
            self._entries.update((entry.device, entry) for entry in self._first)

    # ---------------------------------------------------------------------------- what is there

    @property
    def entries(self) -> tuple[Listed, ...]:
        """The Device Log, the oldest entry first."""
        return tuple(sorted(self._entries.values(), key=lambda entry: entry.number))

    @property
    def historic(self) -> tuple[Listed, ...]:
        """The historic log, the oldest entry first."""
        return tuple(sorted(self._historic.values(), key=lambda entry: entry.number))

    @property
    def full(self) -> bool:
        return len(self._entries) >= self.capacity

    def find(self, device: Eui64) -> Listed | None:
        return self._entries.get(device)

    def devices(self) -> dict[Eui64, DeviceType]:
        """Every device on the log whose type is known."""
        return {entry.device: entry.device_type for entry in self.entries if entry.device_type is not None}

    def last_contact(self, device: Eui64) -> datetime | None:
        """When the hub last heard of a device, in laboratory time; not kept over a power cut."""
        return self._contacts.get(device)

    # ---------------------------------------------------------------------------- the laboratory's own hand

    def fill(self, free: int) -> None:
        """Put strangers on the log until so many places are free."""
        number = 0
        while len(self._entries) < self.capacity - free:
            number += 1
            stranger = Eui64(b"LOG" + number.to_bytes(5, "big"))
            if self.find(stranger) is None:
                self.add(stranger, DeviceType.TYPE_2)

    def add(self, device: Eui64, device_type: DeviceType) -> None:
        """Put a device on the log as one that has joined; adding it again changes nothing else."""
        with self._nvm.transaction() as tx:
            known = self._entries.get(device)
            entry = replace(
                known or Listed(device=device, number=self._next_number()),
                device_type=device_type,
                presence="joined",
            )
            self._entries[device] = entry
            self._write(tx)
        if known is None:
            self._changed(device, True)

    def remove(self, device: Eui64) -> None:
        """Take a device off the log, without remembering it."""
        with self._nvm.transaction() as tx:
            known = self._entries.pop(device, None)
            self._write(tx)
        if known is not None:
            self._changed(device, False)

    # ---------------------------------------------------------------------------- commands

    def enter(self, work: Work, device: Eui64, install_code: bytes) -> bool:
        """CCS01: True when the device is new on the log. The caller has looked whether there is room."""
        if device in self._entries:
            return False
        before = self._historic.get(device)
        entry = Listed(
            device=device,
            number=self._next_number(),
            code_key=install_code_key(install_code),
            old_key=b"" if before is None else before.key_hash,
            device_type=None if before is None else before.device_type,
        )
        self._keep(work, entry)
        self._changed(device, True)
        return True

    def open_window(self, work: Work, seconds: int) -> None:
        """Let the devices that have not joined in from now on, for so long; 0 closes the window."""
        for entry in self.entries:
            if entry.presence == "listed":
                self._keep(work, replace(entry, opened=work.now, window=timedelta(seconds=seconds)))

    def leave(self, work: Work, device: Eui64) -> bool:
        """CCS02: False when the device is not on the log. The historic log gets its key first."""
        entry = self._entries.pop(device, None)
        if entry is None:
            return False
        self._write(work.tx)
        if entry.device_type is not DeviceType.GPF and entry.key_hash:
            self._remember(work, entry)
        self._changed(device, False)
        return True

    def _remember(self, work: Work, entry: Listed) -> None:
        number = max((one.number for one in self._historic.values()), default=-1) + 1
        self._historic[entry.device] = replace(entry, number=number)
        work.tx.put(f"{_HISTORIC}{entry.device}", self._historic[entry.device].encode())
        for oldest in self.historic[:-HISTORIC_LOG_ENTRIES]:
            del self._historic[oldest.device]
            work.tx.delete(f"{_HISTORIC}{oldest.device}")

    def restore(self, work: Work, network: bytes, devices: list[tuple[Eui64, bytes]]) -> None:
        """CCS03: form the old hub's network again, for its devices with the hashes of their keys."""
        for entry in self.entries:
            if entry.device not in {device for device, _ in devices}:
                del self._entries[entry.device]
                self._changed(entry.device, False)
        self.network = network
        work.tx.put(_NETWORK, network)
        self._write(work.tx)
        for device, hashed in devices:
            known = self._entries.get(device)
            entry = known or Listed(device=device, number=self._next_number())
            self._keep(work, replace(entry, key_hash=hashed, old_key=hashed, presence="joined"))
            if known is None:
                self._changed(device, True)

    # ---------------------------------------------------------------------------- the network

    def judge(self, now: datetime, device: Eui64, link_key: bytes) -> Refusal | None:
        """Whether a device that knocks is let in; None: yes."""
        entry = self._entries.get(device)
        if entry is None:
            return "not listed"
        if entry.presence != "listed":
            return None if equal(key_hash(link_key), entry.key_hash) else "wrong key"
        if entry.opened is None or not entry.opened <= now < entry.opened + entry.window:
            return "window closed"
        early = bool(entry.old_key) and now < entry.opened + entry.window / 2
        right = equal(key_hash(link_key), entry.old_key) if early else equal(link_key, entry.code_key)
        return None if right else "wrong key"

    def admission_key(self, now: datetime, device: Eui64) -> bytes | None:
        """The key of the install code of a device that may join now; None: it may not."""
        entry = self._entries.get(device)
        if entry is None or entry.presence != "listed" or entry.opened is None:
            return None
        return entry.code_key if entry.opened <= now < entry.opened + entry.window else None

    def joined(self, work: Work, device: Eui64, device_type: DeviceType, link_key: bytes) -> None:
        """A device has been let in and has this key from now on."""
        entry = self._entries[device]
        self._keep(
            work,
            replace(
                entry, presence="joined", device_type=device_type, key_hash=key_hash(link_key), opened=None
            ),
        )
        self.heard(work.now, device)

    def heard(self, now: datetime, device: Eui64) -> None:
        """A device has said something."""
        self._contacts[device] = now

    def silent(self, now: datetime) -> list[Listed]:
        """The joined devices that have said nothing for longer than they may."""
        found: list[Listed] = []
        for entry in self.entries:
            last = self._contacts.get(entry.device)
            limit = HUB_GSME_CONTACT_LIMIT if entry.device_type is DeviceType.GSME else HUB_CONTACT_LIMIT
            if entry.presence == "joined" and last is not None and now - last > limit:
                found.append(entry)
        return found

    def found(self, now: datetime) -> list[Listed]:
        """The devices that were lost and have been heard of since."""
        return [
            entry
            for entry in self.entries
            if entry.presence == "lost"
            and (last := self._contacts.get(entry.device)) is not None
            and now - last <= HUB_CONTACT_CHECK
        ]

    def mark(self, work: Work, device: Eui64, presence: Presence) -> None:
        """A device is lost, or there again."""
        self._keep(work, replace(self._entries[device], presence=presence))

    def _keep(self, work: Work, entry: Listed) -> None:
        self._entries[entry.device] = entry
        self._write(work.tx)

    def _write(self, tx: Transaction) -> None:
        """The log has few entries and changes rarely: all of it is written with each change."""
        tx.clear(_LOG)
        tx.put(_WRITTEN, b"")
        for entry in self._entries.values():
            tx.put(f"{_LOG}{entry.device}", entry.encode())

    def _next_number(self) -> int:
        return max((entry.number for entry in self._entries.values()), default=-1) + 1
