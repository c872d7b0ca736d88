"""What was on the air in a run, as a capture for Wireshark: written from the records of the evidence.

Cases run at the same virtual time; in the capture they follow each other, a second apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from smetslab.han.air.bands import Channel
from smetslab.han.capture import EVENT, capture_header, capture_packet
from smetslab.harness.air import message_title
from smetslab.harness.plain import parse_utc
from smetslab.harness.records import CaseStarted, Observed, Record

CAPTURE: Final = "capture.pcapng"
_BETWEEN_CASES: Final = timedelta(seconds=1)


def capture_of(records: Sequence[Record]) -> bytes | None:
    """The octets of a capture, None when nothing was on the air."""
    blocks: list[bytes] = []
    shift = timedelta()
    last: datetime | None = None
    fresh = False
    titles: dict[int, str] = {}
    for record in records:
        if isinstance(record, CaseStarted):
            titles.clear()
            fresh = True
        elif isinstance(record, Observed) and record.layer == "han" and record.event == "FrameSent":
            cluster = record.detail.get("cluster")
            if isinstance(cluster, int):
                title = message_title(cluster, bytes.fromhex(record.data))
                titles[record.observation] = f"{record.case}: {title}"
        elif isinstance(record, Observed) and record.layer == "air" and record.event == EVENT:
            time = parse_utc(record.time)
            if fresh and last is not None:
                shift = last + _BETWEEN_CASES - time
            fresh = False
            last = time + shift
            blocks.append(_packet(record, last, titles))
    return capture_header() + b"".join(blocks) if blocks else None


def _packet(record: Observed, time: datetime, titles: dict[int, str]) -> bytes:
    detail = record.detail
    sent = detail.get("sent")
    comment = titles.pop(sent, "") if isinstance(sent, int) else ""
    channel = Channel(_number(detail.get("channel")), _number(detail.get("page")))
    return capture_packet(
        time, bytes.fromhex(record.data), channel, float(_number(detail.get("rssi_dbm"))), comment
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
