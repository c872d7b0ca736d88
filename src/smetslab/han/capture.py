"""What was on the air, for Wireshark: as a file, through a pipe, or as it happens over UDP; and the keys.

A `Sink` takes frames. `Capture` feeds sinks from a trace while its block is open, and keeps a file of keys
beside them that is never behind what was sent.

Spec: draft-ietf-opsawg-pcapng; LINKTYPE_IEEE802_15_4_TAP; ZEP version 2; Wireshark User's Guide (ZigBee keys)
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol

import smetslab
from smetslab.han.air.bands import Channel
from smetslab.trace import Observation, Trace
from smetslab.zigbee.capture.file import Interface, Packet, file_header, packet_block
from smetslab.zigbee.capture.keys import KEYS_SUFFIX, CaptureKey, key_file
from smetslab.zigbee.capture.tap import LINK_TYPE, Reception, encode_tap
from smetslab.zigbee.capture.zep import ZepPacket, encode_zep

EVENT: Final = "FrameOnAir"
"""The event of the layer `air` that is one frame."""
PIPE_FRAMES: Final = 65_536
"""Frames that wait for the reader of a pipe; then the laboratory waits too."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTERFACES = (Interface(LINK_TYPE, "2.4 GHz"), Interface(LINK_TYPE, "sub-GHz"))
_JOIN_S: Final = 5.0
_BETWEEN_KEYS: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AirFrame:
    """One frame that ended at `time`, with its check sequence, as its addressee heard it. `source`: who sent
    it, an EUI-64 in hex; `comment`: the message that begins with it.
    """

    time: datetime
    octets: bytes
    channel: Channel
    rssi_dbm: float
    link_quality: int | None = None
    source: str = ""
    comment: str = ""

    @property
    def begun_us(self) -> int:
        """When it began, in microseconds since 1970: the time that a packet bears."""
        begun = self.time - timedelta(seconds=self.channel.band.airtime_s(len(self.octets)))
        return (begun - _EPOCH) // _MICROSECOND

    @classmethod
    def of(
        cls, time: datetime, source: str, octets: bytes, detail: Callable[[str], object], comment: str = ""
    ) -> AirFrame:
        """The frame of an observation, whose details `detail` gives by name."""
        quality = detail("lqi")
        return cls(
            time=time,
            octets=octets,
            channel=Channel(_number(detail("channel")), _number(detail("page"))),
            rssi_dbm=float(_number(detail("rssi_dbm"))),
            link_quality=quality if isinstance(quality, int) else None,
            source=source,
            comment=comment,
        )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


# -------------------------------------------------------------------------------- pcapng


def capture_header() -> bytes:
    """The beginning of a capture: one interface for each band."""
    return file_header(_INTERFACES, application=f"smetslab {smetslab.__version__}")


def capture_packet(frame: AirFrame) -> bytes:
    """The packet of one frame."""
    reception = Reception(
        channel=frame.channel.number,
        page=frame.channel.page,
        rssi_dbm=frame.rssi_dbm,
        link_quality=frame.link_quality,
        fcs=True,
    )
    data = encode_tap(reception, frame.octets)
    number = 1 if frame.channel.page else 0
    return packet_block(Packet(frame.begun_us, number, LINK_TYPE, data, frame.comment))


# -------------------------------------------------------------------------------- sinks


class Sink(Protocol):
    """Where frames go."""

    def write(self, frame: AirFrame) -> None:
        """Take a frame; called for each in the order in which they ended."""
        ...

    def close(self) -> None:
        """No more frames will come. What has come is where it belongs when this returns."""
        ...


class FileSink:
    """A capture in a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.write(capture_header())

    def write(self, frame: AirFrame) -> None:
        self._stream.write(capture_packet(frame))

    def close(self) -> None:
        self._stream.close()


class PipeSink:
    """A capture for a reader who follows it: each frame is passed on at once, by a thread, so that a slow
    reader does not stop the laboratory. A reader that goes away ends nothing but the capture.
    """

    def __init__(self, stream: BinaryIO, *, left: Callable[[], None] = lambda: None) -> None:
        """`left` is called, by another thread, when the reader goes away before the end."""
        self._stream = stream
        self._left = left
        self._gone = threading.Event()
        self._waiting: queue.Queue[bytes | None] = queue.Queue(PIPE_FRAMES)
        self._waiting.put(capture_header())
        self._thread = threading.Thread(target=self._pass_on, name="capture pipe", daemon=True)
        self._thread.start()

    def write(self, frame: AirFrame) -> None:
        self._put(capture_packet(frame))

    def _put(self, octets: bytes | None) -> None:
        while not self._gone.is_set():
            try:
                return self._waiting.put(octets, timeout=0.1)
            except queue.Full:
                continue

    def _pass_on(self) -> None:
        try:
            while (octets := self._waiting.get()) is not None:
                self._stream.write(octets)
                if self._waiting.empty():
                    self._stream.flush()
        except OSError:  # nobody reads any more
            self._gone.set()
            self._left()

    def close(self) -> None:
        self._put(None)
        self._thread.join(_JOIN_S)
        self._gone.set()
        try:
            self._stream.close()
        except OSError:
            return


class ZepSink:
    """Frames over UDP as they happen, for Wireshark on any machine. What cannot be sent is lost."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError when the host has no address."""
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._address = address
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        self._sequence = 0
        self.lost = 0

    def write(self, frame: AirFrame) -> None:
        self._sequence += 1
        packet = ZepPacket(
            channel=frame.channel.number,
            page=frame.channel.page,
            octets=frame.octets,
            device=int(frame.source[-4:], 16) if frame.source else 0,
            link_quality=frame.link_quality or 0,
            sequence=self._sequence,
            time_us=frame.begun_us,
        )
        try:
            self._socket.sendto(encode_zep(packet), self._address)
        except OSError:  # nobody listens, or the queue of the system is full
            self.lost += 1

    def close(self) -> None:
        self._socket.close()


# -------------------------------------------------------------------------------- keys and the trace


class KeyFile:
    """A file of keys that is replaced when there are others: who reads it finds a whole one at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""

    def keep(self, keys: Iterable[CaptureKey]) -> None:
        """Have exactly these keys in the file."""
        text = key_file(keys)
        if text != self._text:
            beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            try:
                beside.write_text(text, encoding="utf-8")
                beside.replace(self._path)
            finally:
                beside.unlink(missing_ok=True)
            self._text = text


class Capture:
    """Passes each frame of a trace to sinks while its block is open.

    `comment`: what a frame that begins a message is called, given the observation of that message; `keys`:
    every key that opens the frames until now, which `key_file` holds.
    """

    def __init__(
        self,
        trace: Trace,
        sinks: Sequence[Sink],
        *,
        comment: Callable[[Observation], str],
        keys: Callable[[], Iterable[CaptureKey]],
        key_file: Path | None = None,
    ) -> None:
        self._trace = trace
        self._sinks = sinks
        self._comment = comment
        self._keys = keys
        self._key_file = None if key_file is None else KeyFile(key_file)
        self._comments: dict[int, str] = {}
        self._stack = ExitStack()
        self._asked: datetime | None = None
        self.frames = 0

    def __enter__(self) -> Capture:
        for sink in self._sinks:
            self._stack.callback(sink.close)
        self._stack.callback(self._keep_keys)
        self._keep_keys()
        self._stack.callback(self._trace.subscribe(self._observe, layers=("air", "han")))
        return self

    def _keep_keys(self) -> None:
        if self._key_file is not None:
            self._key_file.keep(self._keys())

    def _keys_may_change(self, time: datetime) -> None:
        """Somebody may have joined, left, or been given a key. To ask for the keys takes milliseconds."""
        if self._asked is None or time - self._asked >= _BETWEEN_KEYS:
            self._asked = time
            self._keep_keys()

    def _observe(self, seen: Observation) -> None:
        if seen.layer == "air" and seen.event == EVENT:
            sent = seen.detail.get("sent")
            comment = self._comments.pop(sent, "") if isinstance(sent, int) else ""
            frame = AirFrame.of(seen.time, seen.source, seen.data, seen.detail.get, comment)
            for sink in self._sinks:
                sink.write(frame)
            self.frames += 1
        elif seen.layer == "han":
            if seen.event == "FrameSent":
                self._comments[seen.sequence] = self._comment(seen)
                if len(self._comments) > PIPE_FRAMES:
                    del self._comments[next(iter(self._comments))]
            elif not seen.event.startswith("Frame"):
                self._keys_may_change(seen.time)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


class CaptureWriter(Capture):
    """A capture in a file at `path`, with its keys beside it in `path` + KEYS_SUFFIX."""

    def __init__(
        self,
        trace: Trace,
        path: str | PathLike[str],
        *,
        keys: Callable[[], Iterable[CaptureKey]],
        comment: Callable[[Observation], str],
    ) -> None:
        self._path = Path(path)
        super().__init__(
            trace,
            (),
            comment=comment,
            keys=keys,
            key_file=self._path.with_name(self._path.name + KEYS_SUFFIX),
        )

    def __enter__(self) -> CaptureWriter:
        self._sinks = (FileSink(self._path.open("wb")),)
        super().__enter__()
        return self
