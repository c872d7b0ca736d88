"""What was on the air in a run, as a capture for Wireshark: made from the records of the evidence.

Cases run at the same virtual time; in the capture they follow each other, a second apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from smetslab.han.capture import EVENT, AirFrame, Sink, capture_header, capture_packet
from smetslab.harness.air import message_title
from smetslab.harness.plain import parse_utc
from smetslab.harness.records import CaseStarted, Observed, Record

CAPTURE: Final = "capture.pcapng"
_BETWEEN_CASES: Final = timedelta(seconds=1)


class RecordedAir:
    """The frames in the records of a run, as they come. `titles`: with the messages that begin with them."""

    def __init__(self, *, titles: bool = True) -> None:
        self._wants_titles = titles
        self._shift = timedelta()
        self._last: datetime | None = None
        self._fresh = False
        self._titles: dict[int, str] = {}

    def frame(self, record: Record) -> AirFrame | None:
        """The frame that a record is; None for a record of something else."""
        if isinstance(record, CaseStarted):
            self._titles.clear()
            self._fresh = True
        elif isinstance(record, Observed) and record.layer == "han" and record.event == "FrameSent":
            cluster = record.detail.get("cluster")
            if isinstance(cluster, int) and self._wants_titles:
                title = message_title(cluster, bytes.fromhex(record.data))
                self._titles[record.observation] = f"{record.case}: {title}"
        elif isinstance(record, Observed) and record.layer == "air" and record.event == EVENT:
            return self._frame(record)
        return None

    def _frame(self, record: Observed) -> AirFrame:
        time = parse_utc(record.time)
        if self._fresh and self._last is not None:
            self._shift = self._last + _BETWEEN_CASES - time
        self._fresh = False
        self._last = time + self._shift
        sent = record.detail.get("sent")
        comment = self._titles.pop(sent, "") if isinstance(sent, int) else ""
        return AirFrame.of(self._last, record.source, bytes.fromhex(record.data), record.detail.get, comment)


class RecordedCapture:
    """A listener of the runner: passes what is on the air to sinks, while the run goes on."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._air = RecordedAir()
        self.frames = 0

    def __call__(self, record: Record) -> None:
        frame = self._air.frame(record)
        if frame is not None:
            self.frames += 1
            for sink in self._sinks:
                sink.write(frame)


def capture_of(records: Sequence[Record]) -> bytes | None:
    """The octets of a capture, None when nothing was on the air."""
    air = RecordedAir()
    blocks = [capture_packet(frame) for frame in map(air.frame, records) if frame is not None]
    return capture_header() + b"".join(blocks) if blocks else None
