"""What was on the air as a file for Wireshark: packets in pcapng, and beside it the keys that open them.

Spec: spec of `zigbee_pc_keys` and LINKTYPE 283 as in `smetslab.zigbee.capture`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import smetslab
from smetslab.han.air.bands import Channel
from smetslab.trace import Observation, Trace
from smetslab.zigbee.capture.file import Interface, Packet, file_header, packet_block
from smetslab.zigbee.capture.keys import CaptureKey, key_file
from smetslab.zigbee.capture.tap import LINK_TYPE, Reception, encode_tap

KEYS_SUFFIX: Final = ".zigbee_pc_keys"
EVENT: Final = "FrameOnAir"
"""The event of the layer `air` that is one frame."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTERFACES = (Interface(LINK_TYPE, "2.4 GHz"), Interface(LINK_TYPE, "sub-GHz"))


def capture_header() -> bytes:
    """The beginning of a capture: one interface for each band."""
    return file_header(_INTERFACES, application=f"smetslab {smetslab.__version__}")


def capture_packet(
    time: datetime, data: bytes, channel: Channel, rssi_dbm: float, comment: str = ""
) -> bytes:
    """One frame that ended at `time`, with its check sequence. Its packet bears the time of its beginning."""
    begun = time - timedelta(seconds=channel.band.airtime_s(len(data)))
    reception = Reception(channel=channel.number, page=channel.page, rssi_dbm=rssi_dbm, fcs=True)
    return packet_block(
        Packet(
            (begun - _EPOCH) // _MICROSECOND,
            1 if channel.page else 0,
            LINK_TYPE,
            encode_tap(reception, data),
            comment,
        )
    )


class CaptureWriter:
    """Writes each frame of a trace while its block is open, and the keys when it ends.

    `comment`: what a frame that begins a message is called, given the observation of that message.
    """

    def __init__(
        self,
        trace: Trace,
        path: str | PathLike[str],
        *,
        keys: Callable[[], Iterable[CaptureKey]],
        comment: Callable[[Observation], str],
    ) -> None:
        self._trace = trace
        self._path = Path(path)
        self._keys = keys
        self._comment = comment
        self._comments: dict[int, str] = {}
        self._stream: BinaryIO | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self.frames = 0

    def __enter__(self) -> CaptureWriter:
        self._stream = self._path.open("wb")
        self._stream.write(capture_header())
        self._unsubscribe = self._trace.subscribe(self._observe)
        return self

    def _observe(self, seen: Observation) -> None:
        if seen.layer == "han" and seen.event == "FrameSent":
            self._comments[seen.sequence] = self._comment(seen)
        elif seen.layer == "air" and seen.event == EVENT and self._stream is not None:
            sent = seen.detail.get("sent")
            comment = self._comments.pop(sent, "") if isinstance(sent, int) else ""
            channel = Channel(_number(seen.detail["channel"]), _number(seen.detail["page"]))
            rssi_dbm = float(_number(seen.detail["rssi_dbm"]))
            self._stream.write(capture_packet(seen.time, seen.data, channel, rssi_dbm, comment))
            self.frames += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._stream is not None:
            self._stream.close()
        keys = self._path.with_name(self._path.name + KEYS_SUFFIX)
        keys.write_text(key_file(self._keys()), encoding="utf-8")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
