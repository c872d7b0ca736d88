"""What a replay asks of the device behind an address: a world that it starts in, and causes of its alerts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from smetslab.crypto import SharedSecrets
from smetslab.devices.application import Application
from smetslab.devices.credentials import DeviceKeys
from smetslab.devices.work import Workplace
from smetslab.gbcs.message import Message
from smetslab.ids import Eui64
from smetslab.pki import KeyRing, TrustAnchor
from smetslab.rtds.path import Reach
from smetslab.rtds.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a device is built from. `ring`: the remote parties' credentials, and new ones of the devices.

    `overlays` are the named changes of the world's base state, `alert_counter` the number of its first
    alert where the scenario has one of its own. `command` is what the device will get, where the scenario
    has one; `anchors` are issuing authorities that the scenarios bring along: their root is not published.
    `spare` are other certificates of the parties, by an authority of our own that is among the anchors.
    """

    eui64: Eui64
    ring: KeyRing
    keys: DeviceKeys
    secrets: SharedSecrets
    workplace: Workplace
    now: datetime
    overlays: tuple[str, ...]
    alert_counter: int | None
    command: Message | None = None
    anchors: tuple[TrustAnchor, ...] = ()
    spare: KeyRing = field(default_factory=lambda: KeyRing(()))


class ReplayDevice(Protocol):
    """A device between power on and power off: every core is one."""

    @property
    def application(self) -> Application:
        """Where faults are injected and future-dated work waits."""

    def receive(self, data: bytes, now: datetime) -> None:
        """A whole GBCS message has come."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a cause may use: the device, the time, and a way to send it commands protected for it.

    `scenario` is the alert's, `FOLDER/STEM`; `site` is what the device was built from.
    """

    device: ReplayDevice
    now: datetime
    send: Callable[[Message], None]
    scenario: str
    site: Site


Cause: TypeAlias = Callable[[Stage], None]
"""Makes a device raise an alert as it would in the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One device of the published scenarios.

    `causes` are found by a pattern for `FOLDER/STEM`, the first that fits. A scenario whose command the
    device does not support, or whose alert has no cause here, is reported as unsupported. `reach`: how its
    messages come to it over the home network.
    """

    name: str
    entity: Eui64
    build: Callable[[Site], ReplayDevice]
    rules: tuple[Rule, ...] = ()
    causes: Mapping[str, Cause] = field(default_factory=dict)
    reach: Reach = "tunnel"

    def cause_of(self, scenario: str) -> Cause | None:
        """What makes the alert of the scenario `FOLDER/STEM`."""
        fitting = (cause for pattern, cause in self.causes.items() if re.search(pattern, scenario))
        return next(fitting, None)
