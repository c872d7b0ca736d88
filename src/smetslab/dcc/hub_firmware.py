"""The firmware of the hubs themselves, which the WAN provider updates over the WAN: no user asks for it, and
no GBCS command activates it.

Spec: GBCS 11, use case CS05a; CHTS 4.5 (firmware). The order of the steps and what is said on the WAN are
this laboratory's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from smetslab.clock import Clock, timeout
from smetslab.dcc.rules import DccRules
from smetslab.errors import CodecError, FirmwareError, UsageError, WanError
from smetslab.firmware import decode_file, manufacturer_image_hash
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.registry import Inventory
from smetslab.trace import Trace
from smetslab.wan import ImageDelivery, Kind, Wan, WanMessage
from smetslab.wan.image import HubFirmwareReport, Step


class HubFirmware:
    """Updates hubs, one step at a time for each."""

    def __init__(
        self,
        *,
        inventory: Inventory,
        wan: Wan,
        clock: Clock,
        trace: Trace,
        rules: DccRules,
        next_number: Callable[[], int],
    ) -> None:
        self._inventory = inventory
        self._wan = wan
        self._clock = clock
        self._trace = trace
        self._rules = rules
        self._next_number = next_number
        self._waiting: dict[tuple[Eui64, Step], asyncio.Future[HubFirmwareReport]] = {}

    async def update(self, hub: Eui64, image: bytes) -> HubFirmwareReport:
        """Send an OTA file to a hub, and have it run: the last report of the hub.

        Raises UsageError when there is no such hub or the file is none; WanError when the hub does not
        answer in time.
        """
        report = await self.distribute(hub, image)
        if report.outcome != "verified":
            return report
        return await self.activate(hub, _hash_of(image))

    async def distribute(self, hub: Eui64, image: bytes) -> HubFirmwareReport:
        """Send an OTA file to a hub, which keeps it: what it says of it. Raises as `update`."""
        _hash_of(image)
        payload = ImageDelivery((hub,), image).encode()
        return await self._step(hub, "image", payload, "firmware", self._rules.image_timeout_s)

    async def activate(self, hub: Eui64, image_hash: bytes) -> HubFirmwareReport:
        """Have a hub run the image that it keeps, named by its hash: its report. Raises as `update`."""
        report = await self._step(
            hub, "activation", image_hash, "hub-firmware", self._rules.delivery_timeout_s
        )
        known = self._inventory.find(hub)
        if report.outcome == "success" and known is not None:
            version = report.version.hex().upper()
            self._inventory.update(replace(known, firmware_version=version))
        return report

    def receive(self, arrived: WanMessage) -> None:
        """A hub reports. Called by the WAN's receiver."""
        try:
            report = HubFirmwareReport.decode(arrived.payload)
        except CodecError as error:
            self._note("MessageDropped", arrived.hub, str(error))
            return
        self._note(
            "HubFirmwareReported",
            arrived.hub,
            f"{report.step}: {report.outcome}, version {report.version.hex().upper()}",
        )
        waiting = self._waiting.get((arrived.hub, report.step))
        if waiting is not None and not waiting.done():
            waiting.set_result(report)

    async def _step(
        self, hub: Eui64, step: Step, payload: bytes, kind: Kind, patience_s: float
    ) -> HubFirmwareReport:
        known = self._inventory.find(hub)
        if known is None or known.device_type is not DeviceType.CHF:
            raise UsageError(f"{hub} is no hub of this laboratory")
        if (hub, step) in self._waiting:
            raise UsageError(f"hub {hub} is being updated already")
        answer: asyncio.Future[HubFirmwareReport] = asyncio.get_running_loop().create_future()
        self._waiting[hub, step] = answer
        message = WanMessage(f"hub-firmware-{self._next_number()}", hub, payload, kind)
        self._note("HubFirmwareSent", hub, f"{step}, {len(payload)} octets")
        try:
            await self._hand_over(message, self._clock.time() + patience_s)
            async with timeout(self._clock, self._rules.response_timeout_s):
                return await answer
        except TimeoutError:
            raise WanError(f"hub {hub} has not reported: {step}", transient=True) from None
        finally:
            del self._waiting[hub, step]

    async def _hand_over(self, message: WanMessage, deadline_s: float) -> None:
        while True:
            try:
                await self._wan.to_hub(message)
            except WanError as error:
                if not error.transient or self._clock.time() >= deadline_s:
                    raise
                await self._clock.sleep(self._rules.retry_interval_s)
            else:
                return

    def _note(self, event: str, hub: Eui64, what: str) -> None:
        self._trace.record("dcc", event, source="dcc", target=str(hub), detail=what)


def _hash_of(image: bytes) -> bytes:
    try:
        return manufacturer_image_hash(decode_file(image).manufacturer_image)
    except FirmwareError as error:
        raise UsageError(f"not an OTA file: {error}", hint="see `smetslab firmware show`") from error
