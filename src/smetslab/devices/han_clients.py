"""The HAN applications that devices have in common: they read the hub's time and fetch its images."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from smetslab.devices.han_applications import HanApplication
from smetslab.devices.han_frames import HanOutbox
from smetslab.devices.han_time import TimeClient
from smetslab.devices.ota_client import OtaClient, Upgrades
from smetslab.devices.ota_rules import ClientRules
from smetslab.devices.security.activation import FirmwareActivation
from smetslab.devices.security.installed import SecuritySettings
from smetslab.devices.work import Workplace
from smetslab.ids import Eui64


class HanClients:
    """The clients of one device, as long as it has power; before that and after it knows no time."""

    def __init__(self, hub: Eui64, settings: SecuritySettings, rules: ClientRules | None = None) -> None:
        """`hub`: the server of everything; `settings`: which images are for the device."""
        self._hub = hub
        self._target = settings.firmware.target
        self._rules = rules
        self.time: TimeClient | None = None
        self.ota: OtaClient | None = None
        """None without power, and on a device that states no image type: no image is for it."""

    def hub_time(self, now: datetime) -> datetime | None:
        """What the hub's clock shows, as far as the device has been told; None: it has not."""
        return None if self.time is None else self.time.hub_time(now)

    def begin(
        self,
        outbox: HanOutbox,
        workplace: Workplace,
        now: datetime,
        *,
        own: Callable[[datetime], datetime],
        firmware: FirmwareActivation,
        by_itself: bool = True,
    ) -> list[HanApplication]:
        """The power is on. `own`: the device's own clock; `by_itself` False: it acts only when woken."""
        self.time = TimeClient(outbox, self._hub, now, own=own, by_itself=by_itself)
        applications: list[HanApplication] = [self.time]
        if self._target is not None:
            self.ota = OtaClient(
                outbox,
                self._hub,
                workplace,
                now,
                target=self._target,
                upgrades=Upgrades(
                    take=lambda work, image: firmware.receive(work, image, run=False) == "verified",
                    activate=firmware.activate_alone,
                    version=lambda: firmware.store.version,
                ),
                rules=self._rules,
                by_itself=by_itself,
            )
            applications.append(self.ota)
        return applications

    def end(self) -> None:
        """The power goes."""
        self.time = self.ota = None
