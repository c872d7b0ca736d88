"""`smetslab han decode`: every frame of a capture, ours or one from the air, down to the GBCS message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from smetslab.cli import output
from smetslab.cli.captures import KeyFileOption, KeyOption, capture_keys, capture_octets
from smetslab.errors import CodecError, UsageError
from smetslab.harness.air import ReadFrame, parties, read_frames, summary
from smetslab.harness.blocks import describe_gbcs
from smetslab.harness.captured import captured_messages, gbcs_octets
from smetslab.harness.decoding import Node
from smetslab.harness.zcl_frames import describe_zcl
from smetslab.zigbee import zdo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A capture: pcapng or pcap, of IEEE 802.15.4 or of ZEP over UDP."
        ),
    ],
    *,
    keys: KeyFileOption = None,
    key: KeyOption = None,
    frame: Annotated[
        int | None, typer.Option("--frame", metavar="N", min=1, help="Everything about one frame.")
    ] = None,
    gbcs: Annotated[
        bool,
        typer.Option("--gbcs", help="Only GBCS messages, as hex: one a line, blocks put together."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each frame.")] = False,
) -> None:
    """Tell what each frame is, opened with the keys: from the MAC layer down to the GBCS message inside a
    tunnel.

    Link types 195, 230 and 283 (TAP), and ZEP in Ethernet, Linux cooked or raw IP captures. Exit code 1 when
    a frame could not be read or opened.
    """
    counted = _Counted(read_frames(capture_octets(file), capture_keys(file, keys, key or [])))
    if frame is not None:
        _print_one(file, counted, frame, as_json=as_json)
    elif gbcs:
        for message in captured_messages(counted):
            output.line(message.octets.hex().upper())
    elif as_json:
        _print_rows(counted)
    else:
        for one in counted:
            _print_frame(one)
    if not counted.frames:
        raise UsageError(
            f"{file}: no frame in it", hint="is it a capture of IEEE 802.15.4 or of ZEP over UDP?"
        )
    raise typer.Exit(output.EXIT_FAIL if counted.unread else output.EXIT_PASS)


class _Counted:
    """Frames as they pass: how many there were, and how many could not be read."""

    def __init__(self, frames: Iterable[ReadFrame]) -> None:
        self._frames = frames
        self.frames = self.unread = 0

    def __iter__(self) -> Iterator[ReadFrame]:
        for frame in self._frames:
            self.frames += 1
            self.unread += bool(frame.dissection.problem)
            yield frame


def _moment(frame: ReadFrame) -> datetime:
    return _EPOCH + timedelta(microseconds=frame.time_us)


def _print_frame(frame: ReadFrame) -> None:
    source, destination = parties(frame.dissection)
    way = f"{source} > {destination}" if destination else source
    output.console.print(
        Text.assemble(
            (f"{frame.number:6} {_moment(frame):%H:%M:%S.%f} ", "dim"),
            f"{way:36} ",
            (summary(frame.dissection), "yellow" if frame.dissection.problem else ""),
        ),
        soft_wrap=True,
    )


def _print_rows(frames: Iterable[ReadFrame]) -> None:
    """One JSON array, written as it is read: a capture may be long."""
    before = "["
    for frame in frames:
        output.write_text(f"{before}\n{json.dumps(_row(frame), indent=2, allow_nan=False)}")
        before = ","
    output.write_text("[]\n" if before == "[" else "\n]\n")


def _row(frame: ReadFrame) -> output.Json:
    found = frame.dissection
    source, destination = parties(found)
    message = gbcs_octets(frame)
    return {
        "number": frame.number,
        "time": f"{_moment(frame):%Y-%m-%dT%H:%M:%S.%fZ}",
        "channel": frame.reception.channel,
        "page": frame.reception.page,
        "rssi_dbm": frame.reception.rssi_dbm,
        "link_quality": frame.reception.link_quality,
        "source": source,
        "destination": destination,
        "cluster": None if found.aps is None else found.aps.cluster,
        "summary": summary(found),
        "problem": found.problem,
        "octets": frame.octets.hex().upper(),
        "message": None if found.message is None else found.message.hex().upper(),
        "gbcs": None if message is None else message.hex().upper(),
    }


# -------------------------------------------------------------------------------- one frame


def _print_one(file: Path, frames: Iterable[ReadFrame], number: int, *, as_json: bool) -> None:
    found = next((one for one in frames if one.number == number), None)
    if found is None:
        raise UsageError(f"{file}: no frame {number} in it")
    if as_json:
        output.print_json(_row(found))
        return
    _print_frame(found)
    for line in _everything(found):
        output.line(line)


def _everything(frame: ReadFrame) -> Iterator[str]:
    """The layers of a frame, each field on a line of its own."""
    found = frame.dissection
    yield from _fields("received", frame.reception)
    yield from _fields("MAC", found.mac)
    yield from _fields("beacon", found.beacon)
    yield from _fields("NWK", found.nwk)
    yield from _fields("APS", found.aps)
    if found.command is not None:
        row, record = found.command
        yield f"command {row.name.replace('_', ' ')}"
        for name, value in record.items():
            yield f"  {name.replace('_', ' '):24} {_shown(value)}"
    if (
        found.message is None
        or found.aps is None
        or found.aps.cluster is None
        or found.aps.profile == zdo.PROFILE
    ):
        return
    try:
        node = describe_zcl(found.message, {"cluster": found.aps.cluster})
        yield from () if node is None else _tree("ZCL", node)
        inside = gbcs_octets(frame)
        yield from () if inside is None else _tree("GBCS", describe_gbcs(inside))
    except CodecError as error:
        yield f"not decodable: {error}"


def _fields(layer: str, value: object) -> Iterator[str]:
    if value is None or not is_dataclass(value):
        return
    yield layer
    for field in fields(value):
        item = getattr(value, field.name)
        if item is None or (item is False and field.name != "fcs"):
            continue
        if is_dataclass(item):
            for line in _fields(field.name, item):
                yield f"  {line}"
        else:
            yield f"  {field.name.replace('_', ' '):24} {_shown(item)}"


def _shown(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, bytes):
        return value.hex(" ").upper() or "(nothing)"
    return (
        f"{value} (0x{value:04X})" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    )


def _tree(layer: str, node: Node) -> Iterator[str]:
    yield f"{layer} {node.name}: {node.text}"
    for child in node.children:
        yield from _branch(child, 1)


def _branch(node: Node, depth: int) -> Iterator[str]:
    text = f": {node.text}" if node.text else ""
    yield f"{'  ' * depth}{node.name}{text}"
    for child in node.children:
        yield from _branch(child, depth + 1)
