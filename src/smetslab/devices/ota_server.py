"""How the hub gives images to the devices of its home over the air. Sans-I/O.

An image is kept until its device has it, over power cuts too. Devices ask for blocks at their own pace: the
hub tells those that are too fast, or too many, to wait.

Spec: ZCL 11.8 to 11.15 (OTA Upgrade, server); GBCS 11, use case CCS08
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from smetslab.devices.han_frames import HanFrame, HanOutbox, answer, default_response
from smetslab.devices.ota_rules import QUERY_AT_ONCE, ServerRules
from smetslab.devices.work import Work, Workplace
from smetslab.errors import FirmwareError, ZclDecodeError
from smetslab.firmware.ota import ANY_IMAGE_TYPE, ANY_MANUFACTURER, OtaHeader, decode_header
from smetslab.gbcs.values import EPOCH_2000, parse_utc, seconds_since_2000, utc_text
from smetslab.han import ClusterRole
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Command, Record, find_command
from smetslab.zigbee.zcl.clusters.ota import WAIT_FOR_COMMAND, Ota
from smetslab.zigbee.zcl.foundation import Status

_IMAGE: Final = "ota/image/"
_OFFER: Final = "ota/offer/"
_BUSY_FOR: Final = timedelta(minutes=1)
"""A transfer without a block for so long does not hold up another."""

Ending = Literal["success", "discarded", "hardware mismatch", "failed"]
"""What became of the transfer to one device. Spec: GBCS use case CCS08."""


@dataclass(slots=True)
class _Image:
    """An OTA file as it came. `header` None: it has none that can be read."""

    octets: bytes
    header: OtaHeader

    def versioned(self) -> dict[str, int]:
        """The fields by which every message names it."""
        return {
            "manufacturer_code": self.header.manufacturer_code,
            "image_type": self.header.image_type,
            "file_version": self.header.file_version,
        }


@dataclass(slots=True)
class _Offer:
    """An image for one device. `heard`: when it was offered, or has fetched something last."""

    image: str
    heard: datetime
    told: datetime | None = None
    queried: bool = False
    last_block: datetime | None = None
    names: dict[str, int] = field(default_factory=dict)
    """What the device said that it is, which its messages repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What the hub does for its OTA server. `time`: its clock; `ended` is told what became of a transfer of
    which version; `at_once` says of a device whether it runs an image as soon as it has it; `sleeps` says
    that a device looks by itself whether there is an image."""

    time: Callable[[datetime], datetime]
    ended: Callable[[Work, Eui64, bytes, Ending], None]
    at_once: Callable[[Eui64], bool]
    sleeps: Callable[[Eui64], bool]


class OtaServer:
    """The images that wait in one hub, as long as it has power."""

    cluster: Final = Ota.id
    role: Final = ClusterRole.SERVER

    def __init__(
        self, outbox: HanOutbox, workplace: Workplace, home: Home, rules: ServerRules | None = None
    ) -> None:
        self._outbox = outbox
        self._place = workplace
        self._home = home
        self._rules = ServerRules() if rules is None else rules
        self._images: dict[str, _Image] = {}
        self._offers: dict[Eui64, _Offer] = {}
        nvm = workplace.nvm
        for key, octets in nvm.items(_IMAGE):
            header, _ = decode_header(octets)
            self._images[key.removeprefix(_IMAGE)] = _Image(octets, header)
        for key, octets in nvm.items(_OFFER):
            moment, image = octets[:24].decode("ascii").strip(), octets[24:].decode("ascii")
            self._offers[Eui64.parse(key.removeprefix(_OFFER))] = _Offer(image, parse_utc(moment))

    # ---------------------------------------------------------------------------- what waits

    def offer(self, work: Work, device: Eui64, octets: bytes) -> None:
        """An image for a device has come; it takes the place of another for the same device."""
        try:
            header, _ = decode_header(octets)
        except FirmwareError as error:
            work.note("ImageDiscarded", device=str(device), why=str(error))
            self._home.ended(work, device, bytes(4), "discarded")
            return
        self._drop(work, device)
        name = hashlib.sha256(octets).hexdigest()[:16]
        if name not in self._images:
            self._images[name] = _Image(octets, header)
            work.tx.put(_IMAGE + name, octets)
        self._offers[device] = _Offer(name, work.now)
        self._keep(work, device)
        self._outbox.nudge()

    def pending(self, device: Eui64) -> bool:
        """Whether an image waits for a device."""
        return device in self._offers

    def forget(self, work: Work, device: Eui64) -> None:
        """A device has left."""
        self._drop(work, device)

    def describe(self) -> list[dict[str, str | int]]:
        """What waits, for diagnosis."""
        return [
            {
                "device": str(device),
                "version": self._images[offer.image].header.firmware_version.hex().upper(),
                "octets": len(self._images[offer.image].octets),
            }
            for device, offer in self._offers.items()
        ]

    def _keep(self, work: Work, device: Eui64) -> None:
        offer = self._offers[device]
        moment = utc_text(offer.heard.replace(microsecond=0)).encode("ascii").ljust(24)
        work.tx.put(f"{_OFFER}{device}", moment + offer.image.encode("ascii"))

    def _drop(self, work: Work, device: Eui64) -> None:
        """No image for a device any more; one that is for nobody else is forgotten."""
        offer = self._offers.pop(device, None)
        if offer is None:
            return
        work.tx.delete(f"{_OFFER}{device}")
        if all(other.image != offer.image for other in self._offers.values()):
            del self._images[offer.image]
            work.tx.delete(_IMAGE + offer.image)

    def _end(self, device: Eui64, now: datetime, ending: Ending) -> None:
        offer = self._offers.get(device)
        if offer is None:
            return
        version = self._images[offer.image].header.firmware_version
        with self._place.work(now) as work:
            self._drop(work, device)
            self._home.ended(work, device, version, ending)

    # ---------------------------------------------------------------------------- questions

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """A device asks, or tells how it ended."""
        command = find_command(frame.cluster, frame.frame)
        handler = None if command is None else _HANDLERS.get(command)
        if command is None or handler is None:
            if frame.frame.cluster_specific:
                self._outbox.put(default_response(frame, Status.UNSUP_CLUSTER_COMMAND))
            return
        try:
            handler(self, frame, command.decode(frame.frame.payload), now)
        except ZclDecodeError:
            self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))

    def _query(self, frame: HanFrame, record: Record, now: datetime) -> None:
        offer = self._offers.get(frame.peer)
        response = Ota.query_next_image_response
        if offer is None:
            none = response.record(status=int(Status.NO_IMAGE_AVAILABLE), image={})
            self._outbox.put(answer(frame, response, none))
            return
        image = self._images[offer.image]
        wrong = _mismatch(image.header, record)
        if wrong is not None:
            none = response.record(status=int(Status.NO_IMAGE_AVAILABLE), image={})
            self._outbox.put(answer(frame, response, none))
            self._end(frame.peer, now, wrong)
            return
        offer.queried, offer.heard = True, now
        offer.names = {
            **image.versioned(),
            "manufacturer_code": record.integer("manufacturer_code"),
            "image_type": record.integer("image_type"),
        }
        offered = response.record(
            status=int(Status.SUCCESS), image={**offer.names, "image_size": len(image.octets)}
        )
        self._outbox.put(answer(frame, response, offered))

    def _block(self, frame: HanFrame, record: Record, now: datetime) -> None:
        offer = self._offers.get(frame.peer)
        response = Ota.image_block_response
        if offer is not None and not offer.names and _fits(self._images[offer.image].header, record):
            # The hub has been without power since the device asked what there is.
            offer.queried, offer.names = True, _named(record)
        if offer is None or _named(record) != offer.names:
            self._outbox.put(answer(frame, response, response.record(status=int(Status.ABORT), block={})))
            return
        octets, offset = self._images[offer.image].octets, record.integer("file_offset")
        if offset >= len(octets):
            self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))
            return
        wait_s = self._wait_s(frame.peer, offer, now)
        if wait_s is not None:
            time = seconds_since_2000(self._home.time(now))
            waiting = response.record(
                status=int(Status.WAIT_FOR_DATA),
                block={
                    "current_time": time,
                    "request_time": time + wait_s,
                    "minimum_block_period": self._rules.minimum_block_period_ms,
                },
            )
            self._outbox.put(answer(frame, response, waiting))
            return
        size = min(record.integer("maximum_data_size"), self._rules.block_octets)
        block: dict[str, int | bytes] = {
            **offer.names,
            "file_offset": offset,
            "image_data": octets[offset : offset + size],
        }
        offer.heard = offer.last_block = now
        self._outbox.put(answer(frame, response, response.record(status=int(Status.SUCCESS), block=block)))

    def _wait_s(self, device: Eui64, offer: _Offer, now: datetime) -> int | None:
        """How long a device has to wait before it asks again; None: it gets its block now."""
        busy = [
            other
            for peer, other in self._offers.items()
            if peer != device and other.last_block is not None and now - other.last_block < _BUSY_FOR
        ]
        if len(busy) >= self._rules.most_transfers:
            return self._rules.wait_s
        period = timedelta(milliseconds=self._rules.minimum_block_period_ms)
        if offer.last_block is not None and now - offer.last_block < period:
            return 0
        return None

    def _upgraded(self, frame: HanFrame, record: Record, now: datetime) -> None:
        status = record.integer("status")
        if status == Status.SUCCESS:
            time = seconds_since_2000(self._home.time(now))
            told = Ota.upgrade_end_response.record(
                **_named(record),
                current_time=time,
                upgrade_time=time if self._home.at_once(frame.peer) else WAIT_FOR_COMMAND,
            )
            self._outbox.put(answer(frame, Ota.upgrade_end_response, told))
        else:
            self._outbox.put(default_response(frame, Status.SUCCESS))
        if status != Status.REQUIRE_MORE_IMAGE:
            endings: dict[int, Ending] = {Status.SUCCESS: "success", Status.ABORT: "failed"}
            self._end(frame.peer, now, endings.get(status, "discarded"))

    # ---------------------------------------------------------------------------- time

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """A device did not get a frame: it will ask again, or is told again."""

    def next_deadline(self) -> datetime | None:
        """When a device is to be told of its image, or has waited too long."""
        moments = [offer.heard + self._rules.transfer_life for offer in self._offers.values()]
        for device, offer in self._offers.items():
            if not offer.queried and not self._home.sleeps(device):
                told = offer.told
                moments.append(EPOCH_2000 if told is None else told + self._rules.notify_again)
        return min(moments, default=None)

    def tick(self, now: datetime) -> None:
        """Tell devices of their images; give up on those that do not come for them."""
        for device, offer in list(self._offers.items()):
            if now >= offer.heard + self._rules.transfer_life:
                self._end(device, now, "failed")
                continue
            due = offer.told is None or now >= offer.told + self._rules.notify_again
            if due and not offer.queried and not self._home.sleeps(device):
                offer.told = now
                self._notify(device, offer)

    def _notify(self, device: Eui64, offer: _Offer) -> None:
        record = Ota.image_notify.record(
            payload_type=3, query_jitter=QUERY_AT_ONCE, image=self._images[offer.image].versioned()
        )
        self._outbox.send(device, Ota.image_notify, record)


def _named(record: Record) -> dict[str, int]:
    return {name: record.integer(name) for name in ("manufacturer_code", "image_type", "file_version")}


def _fits(header: OtaHeader, record: Record) -> bool:
    """Whether a device asks for this very image."""
    return (
        record.integer("file_version") == header.file_version
        and header.manufacturer_code in {record.integer("manufacturer_code"), ANY_MANUFACTURER}
        and header.image_type in {record.integer("image_type"), ANY_IMAGE_TYPE}
    )


def _mismatch(header: OtaHeader, record: Record) -> Ending | None:
    """Why an image is not for a device that says what it is; None: it is. Spec: GBCS use case CCS08."""
    if header.manufacturer_code not in {record.integer("manufacturer_code"), ANY_MANUFACTURER}:
        return "discarded"
    if header.image_type not in {record.integer("image_type"), ANY_IMAGE_TYPE}:
        return "discarded"
    hardware = record["hardware"]
    if not isinstance(hardware, Record) or "hardware_version" not in hardware.shape.index:
        return None
    return None if header.fits_hardware(hardware.integer("hardware_version")) else "hardware mismatch"


_Handler = Callable[[OtaServer, HanFrame, Record, datetime], None]

_HANDLERS: Final[dict[Command, _Handler]] = {
    Ota.query_next_image_request: OtaServer._query,
    Ota.image_block_request: OtaServer._block,
    Ota.upgrade_end_request: OtaServer._upgraded,
}
