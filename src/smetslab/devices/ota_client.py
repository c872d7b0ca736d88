"""How a device gets an image over the HAN: it asks the hub for one block after the other, and goes on where
it was after a power cut. Sans-I/O.

    idle -notify or old transfer-> querying -> fetching -> ending -> idle
                                      ^  |        |
                                      +--+ pause <+ no answer, "wait"

Every page of blocks is written to memory when it is full; only what lies behind it is fetched again.

Spec: ZCL 11.8 to 11.15 (OTA Upgrade, client); GBCS 11
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from smetslab.devices.han_frames import HanFrame, HanOutbox, default_response, read_response
from smetslab.devices.ota_rules import ClientRules
from smetslab.devices.work import Work, Workplace
from smetslab.errors import ZclDecodeError
from smetslab.firmware import Target
from smetslab.firmware.limits import MAX_FILE_OCTETS
from smetslab.han import ClusterRole
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import Attribute, Record, find_command
from smetslab.zigbee.zcl.clusters.ota import HARDWARE_VERSION_PRESENT, WAIT_FOR_COMMAND, Ota
from smetslab.zigbee.zcl.foundation import ReadAttributes, Status
from smetslab.zigbee.zcl.values import JsonValue, ZclValue

_IMAGE: Final = "ota/image"
_PAGE: Final = "ota/page/"
_END: Final = "ota/end"
_WITH_BLOCK_PERIOD: Final = 0x02
_STORED = struct.Struct("<HHII")
_SECOND: Final = timedelta(seconds=1)


class Phase(Enum):
    """What a device is doing about its firmware. Values: ImageUpgradeStatus. Spec: ZCL 11.10.7."""

    IDLE = 0
    QUERYING = -1
    FETCHING = 1
    ENDING = 2
    WAITING = 6
    COUNTING = 4


@dataclass(frozen=True, slots=True)
class OfferedImage:
    """What the hub has said that it has."""

    manufacturer_code: int
    image_type: int
    file_version: int
    size: int

    def encode(self) -> bytes:
        return _STORED.pack(self.manufacturer_code, self.image_type, self.file_version, self.size)

    @classmethod
    def decode(cls, octets: bytes) -> OfferedImage:
        return cls(*_STORED.unpack(octets))

    @property
    def fields(self) -> dict[str, int]:
        """The fields by which every message of a transfer names its image."""
        return {
            "manufacturer_code": self.manufacturer_code,
            "image_type": self.image_type,
            "file_version": self.file_version,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """What the rest of a device does: `take` judges a whole image and is True when it is good, `activate`
    runs it where no command is needed for that, `version` is what runs now."""

    take: Callable[[Work, bytes], bool]
    activate: Callable[[Work], None]
    version: Callable[[], bytes]


class OtaClient:
    """The transfers of one device, as long as it has power."""

    cluster: Final = Ota.id
    role: Final = ClusterRole.CLIENT

    def __init__(
        self,
        outbox: HanOutbox,
        server: Eui64,
        workplace: Workplace,
        now: datetime,
        *,
        target: Target,
        upgrades: Upgrades,
        rules: ClientRules | None = None,
        by_itself: bool = True,
    ) -> None:
        """`by_itself` False: it does nothing but between `wake` and `sleep`."""
        self._outbox = outbox
        self._server = server
        self._place = workplace
        self._target = target
        self._upgrades = upgrades
        self._rules = ClientRules() if rules is None else rules
        self._awake = by_itself
        self.phase = Phase.IDLE
        self.idle: Callable[[], None] = lambda: None
        """Told when there is nothing to do now."""
        self.blocks = 0
        """Blocks that have come since power on."""
        self._image: OfferedImage | None = None
        self._pages = 0
        self._buffer = bytearray()
        self._succeeded = False
        self._attempts = 0
        self._due: datetime | None = None
        self._period = timedelta()
        self._last_block: datetime | None = None
        self._load(now)

    def _load(self, now: datetime) -> None:
        """Go on with what was under way when the power went."""
        nvm = self._place.nvm
        kept, end = nvm.get(_IMAGE), nvm.get(_END)
        if kept is None:
            return
        self._image = OfferedImage.decode(kept)
        self._pages = len(nvm.items(_PAGE))
        if end is not None:
            self.phase, self._succeeded = Phase.ENDING, bool(end[0])
        else:
            self.phase = Phase.QUERYING
        self._due = now if self._awake else None

    # ---------------------------------------------------------------------------- what a sleeper needs

    def wake(self, now: datetime, *, wanted: bool = False) -> bool:
        """The device is awake; `wanted`: the hub says that there is an image. Whether there is work."""
        self._awake = True
        if self.phase is Phase.IDLE and wanted:
            self.phase = Phase.QUERYING
        if self.phase in {Phase.IDLE, Phase.WAITING}:
            return False
        self._attempts, self._due = 0, now
        self._outbox.nudge()
        return True

    def sleep(self) -> None:
        """The device stops asking; it goes on at the next waking."""
        self._awake, self._due = False, None

    # ---------------------------------------------------------------------------- asking

    @property
    def offset(self) -> int:
        """How much of the image is there."""
        return self._pages * self._rules.page_octets + len(self._buffer)

    def _ask(self, now: datetime) -> None:
        self._due = now + self._rules.answer_wait
        self._attempts += 1
        if self.phase is Phase.QUERYING:
            self._outbox.command(
                self._server,
                Ota.query_next_image_request,
                {
                    "field_control": HARDWARE_VERSION_PRESENT,
                    "manufacturer_code": self._target.manufacturer_code,
                    "image_type": self._target.image_type,
                    "current_file_version": int.from_bytes(self._upgrades.version(), "big"),
                    "hardware": {"hardware_version": self._target.hardware_version},
                },
            )
        elif self.phase is Phase.FETCHING:
            self._ask_for_block()
        elif self.phase is Phase.ENDING and self._image is not None:
            status = "success" if self._succeeded else "invalid_image"
            fields: dict[str, JsonValue] = {"status": status, **self._image.fields}
            self._outbox.command(self._server, Ota.upgrade_end_request, fields)

    def _ask_for_block(self) -> None:
        image = self._image
        if image is None:
            return
        period = self._period // timedelta(milliseconds=1)
        record = Ota.image_block_request.record(
            field_control=_WITH_BLOCK_PERIOD if period else 0,
            **image.fields,
            file_offset=self.offset,
            maximum_data_size=min(self._rules.block_octets, image.size - self.offset),
            conditions={"minimum_block_period": period} if period else {},
        )
        self._outbox.send(self._server, Ota.image_block_request, record)

    # ---------------------------------------------------------------------------- answers

    def receive(self, frame: HanFrame, now: datetime) -> None:
        """A frame of the hub."""
        if frame.peer != self._server:
            self._place.note("FrameRefused", peer=str(frame.peer), cluster=frame.cluster)
            return
        if not frame.frame.cluster_specific:
            self._general(frame)
            return
        command = find_command(frame.cluster, frame.frame)
        if command is None:
            self._outbox.put(default_response(frame, Status.UNSUP_CLUSTER_COMMAND))
            return
        try:
            record = command.decode(frame.frame.payload)
            if command is Ota.image_notify:
                self._notified(now)
            elif command is Ota.query_next_image_response and self.phase is Phase.QUERYING:
                self._offered(record, now)
            elif command is Ota.image_block_response and self.phase is Phase.FETCHING:
                self._block(record, now)
            elif command is Ota.upgrade_end_response and self.phase is Phase.ENDING:
                self._ended(record, now)
        except ZclDecodeError as error:
            self._place.note("FrameIgnored", peer=str(frame.peer), reason=str(error))
            self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))

    def _general(self, frame: HanFrame) -> None:
        if frame.frame.command == ReadAttributes.code:
            try:
                self._outbox.put(read_response(frame, self._attributes()))
            except ZclDecodeError:
                self._outbox.put(default_response(frame, Status.MALFORMED_COMMAND))

    def _attributes(self) -> dict[Attribute, ZclValue]:
        image = self._image
        return {
            Ota.upgrade_server_id: self._server,
            Ota.file_offset: self.offset,
            Ota.current_file_version: int.from_bytes(self._upgrades.version(), "big"),
            Ota.downloaded_file_version: 0xFFFFFFFF if image is None else image.file_version,
            Ota.image_upgrade_status: max(0, self.phase.value),
            Ota.manufacturer_id: self._target.manufacturer_code,
            Ota.image_type_id: self._target.image_type,
            Ota.minimum_block_period: self._period // timedelta(milliseconds=1),
        }

    def _notified(self, now: datetime) -> None:
        """Spec: ZCL 11.13.3: the notice is only the reason to ask."""
        if self._awake and self.phase in {Phase.IDLE, Phase.WAITING}:
            self.phase, self._attempts = Phase.QUERYING, 0
            self._ask(now)

    def _offered(self, record: Record, now: datetime) -> None:
        image = record["image"]
        if record.integer("status") != Status.SUCCESS or not isinstance(image, Record):
            self._forget(now)
            return
        offered = OfferedImage(
            image.integer("manufacturer_code"),
            image.integer("image_type"),
            image.integer("file_version"),
            image.integer("image_size"),
        )
        if not 0 < offered.size <= MAX_FILE_OCTETS:
            self._forget(now)
            return
        if offered != self._image:
            with self._place.work(now) as work:
                self._clear(work)
                work.tx.put(_IMAGE, offered.encode())
            self._image, self._pages = offered, 0
            self._buffer.clear()
        self._place.note("ImageTransfer", what="begins", offset=self.offset, size=offered.size)
        self.phase, self._attempts = Phase.FETCHING, 0
        if self.offset >= offered.size:
            self._complete(now)
        else:
            self._ask(now)

    def _block(self, record: Record, now: datetime) -> None:
        status, block = record.integer("status"), record["block"]
        if status == Status.WAIT_FOR_DATA and isinstance(block, Record):
            self._period = timedelta(milliseconds=block.integer("minimum_block_period"))
            wait_s = block.integer("request_time") - block.integer("current_time")
            self._attempts = 0
            self._due = now + max(_SECOND * max(0, wait_s), self._period)
            return
        image = self._image
        if status != Status.SUCCESS or image is None or not isinstance(block, Record):
            self._place.note("ImageTransfer", what="aborted", offset=self.offset)
            self._forget(now)
            return
        data = block.octets("image_data")
        same = all(block.integer(name) == value for name, value in image.fields.items())
        if not same or block.integer("file_offset") != self.offset or not data:
            return  # another's, or one that came already
        if self.offset + len(data) > image.size:
            return
        self.blocks += 1
        self._attempts, self._last_block = 0, now
        self._buffer += data
        self._write_pages(now)
        if self.offset >= image.size:
            self._complete(now)
        elif not self._awake:
            self._due = None
        elif self._period:
            self._due = now + self._period
        else:
            self._ask(now)

    def _write_pages(self, now: datetime) -> None:
        size = self._rules.page_octets
        while len(self._buffer) >= size:
            with self._place.work(now) as work:
                work.tx.put(f"{_PAGE}{self._pages:06}", bytes(self._buffer[:size]))
            self._pages += 1
            del self._buffer[:size]

    def _complete(self, now: datetime) -> None:
        """The whole image is there: judge it, and remember that the hub has to be told."""
        image = b"".join(page for _, page in self._place.nvm.items(_PAGE)) + bytes(self._buffer)
        with self._place.work(now) as work:
            self._succeeded = self._upgrades.take(work, image)
            for key, _ in self._place.nvm.items(_PAGE):
                work.tx.delete(key)
            work.tx.put(_END, bytes((self._succeeded,)))
            work.note("ImageTransfer", what="complete", size=len(image), good=self._succeeded)
        self._pages, self.phase, self._attempts = 0, Phase.ENDING, 0
        self._buffer.clear()
        self._ask(now)

    def _ended(self, record: Record, now: datetime) -> None:
        """The hub says when to run the image. Spec: ZCL 11.13.9."""
        upgrade, current = record.integer("upgrade_time"), record.integer("current_time")
        if upgrade == WAIT_FOR_COMMAND:
            self._finish(now, run=False)
        elif upgrade <= current:
            self._finish(now, run=True)
        else:
            self.phase, self._due = Phase.COUNTING, now + _SECOND * (upgrade - current)

    def _finish(self, now: datetime, *, run: bool) -> None:
        succeeded = self._succeeded
        with self._place.work(now) as work:
            self._clear(work)
            if succeeded and run:
                self._upgrades.activate(work)
        self._image, self._due = None, None
        self.phase = Phase.WAITING if succeeded and not run else Phase.IDLE
        self.idle()

    def _forget(self, now: datetime) -> None:
        """There is no image for this device, or not any more."""
        with self._place.work(now) as work:
            self._clear(work)
        self._image, self._pages, self._due, self.phase = None, 0, None, Phase.IDLE
        self._buffer.clear()
        self.idle()

    def _clear(self, work: Work) -> None:
        for key in (_IMAGE, _END, *(key for key, _ in self._place.nvm.items(_PAGE))):
            work.tx.delete(key)

    # ---------------------------------------------------------------------------- time

    def failed(self, frame: HanFrame, now: datetime) -> None:
        """A question did not arrive: the pause is as long as for one without an answer."""
        del frame
        if self.phase in {Phase.QUERYING, Phase.FETCHING, Phase.ENDING}:
            self._due = now + self._rules.pause if self._awake else None
            self._attempts = 0
            self.idle()

    def next_deadline(self) -> datetime | None:
        return self._due

    def tick(self, now: datetime) -> None:
        """Ask, ask again, or make a pause."""
        if self._due is None or now < self._due:
            return
        if self.phase is Phase.COUNTING:
            self._finish(now, run=True)
        elif self.phase is Phase.ENDING and self._attempts >= self._rules.end_attempts:
            # Nobody answers: a device that may runs its image, another keeps it.
            self._finish(now, run=True)
        elif self._attempts >= self._rules.attempts:
            self._attempts, self._due = 0, now + self._rules.pause
            self.idle()
        else:
            self._ask(now)
