"""`smetslab han`: captures of ZigBee networks, ours or from the air."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from smetslab.cli import output
from smetslab.errors import CodecError, UsageError
from smetslab.han.capture import KEYS_SUFFIX
from smetslab.harness.air import ReadFrame, parties, read_frames, summary, tunnelled
from smetslab.zigbee.capture.keys import KEY_OCTETS, read_keys

app = typer.Typer(help="Captures of ZigBee networks.", no_args_is_help=True)

MAX_CAPTURE_OCTETS = 1 << 30


@app.callback()
def _noun() -> None:
    pass


@app.command()
def decode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A capture: pcapng or pcap, IEEE 802.15.4.")],
    *,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            help="Keys as Wireshark keeps them. By default FILE.zigbee_pc_keys, where that is.",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="HEX", help="One more network or link key: 32 hex digits. May repeat."),
    ] = None,
    gbcs: Annotated[
        bool,
        typer.Option("--gbcs", help="Only GBCS messages, as hex: one a line, for `smetslab gbcs explain -`."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each frame.")] = False,
) -> None:
    """Tell what each frame is, opened with the keys: from the MAC layer down to the GBCS message inside a
    tunnel.

    Exit code 1 when a frame could not be read or opened.
    """
    frames = list(read_frames(_octets(file), _keys(file, keys, key or [])))
    if not frames:
        raise UsageError(f"{file}: no frame in it")
    if gbcs:
        _print_gbcs(frames)
    elif as_json:
        output.print_json([_row(frame) for frame in frames])
    else:
        _print_frames(frames)
    unread = sum(bool(frame.dissection.problem) for frame in frames)
    raise typer.Exit(output.EXIT_FAIL if unread else output.EXIT_PASS)


def _octets(file: Path) -> bytes:
    if file.stat().st_size > MAX_CAPTURE_OCTETS:
        raise UsageError(f"{file}: larger than 1 GiB", hint="cut it with editcap")
    return file.read_bytes()


def _keys(file: Path, keys: Path | None, more: list[str]) -> list[bytes]:
    beside = file.with_name(file.name + KEYS_SUFFIX)
    place = keys if keys is not None else beside if beside.is_file() else None
    found = [] if place is None else [entry.key for entry in read_keys(place.read_text(encoding="utf-8"))]
    for text in more:
        try:
            octets = bytes.fromhex(text.replace(":", ""))
        except ValueError:
            octets = b""
        if len(octets) != KEY_OCTETS:
            raise UsageError(f"--key {text}: not 32 hex digits")
        found.append(octets)
    return found


def _moment(frame: ReadFrame) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=frame.time_us)


def _print_frames(frames: list[ReadFrame]) -> None:
    for frame in frames:
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


def _print_gbcs(frames: list[ReadFrame]) -> None:
    for frame in frames:
        message = _gbcs(frame)
        if message is not None:
            output.line(message.hex().upper())


def _gbcs(frame: ReadFrame) -> bytes | None:
    found = frame.dissection
    if found.aps is None or found.aps.cluster is None or found.message is None:
        return None
    try:
        return tunnelled(found.aps.cluster, found.message)
    except CodecError:
        return None


def _row(frame: ReadFrame) -> output.Json:
    found = frame.dissection
    source, destination = parties(found)
    message = _gbcs(frame)
    return {
        "number": frame.number,
        "time": f"{_moment(frame):%Y-%m-%dT%H:%M:%S.%fZ}",
        "channel": frame.reception.channel,
        "page": frame.reception.page,
        "rssi_dbm": frame.reception.rssi_dbm,
        "source": source,
        "destination": destination,
        "cluster": None if found.aps is None else found.aps.cluster,
        "summary": summary(found),
        "problem": found.problem,
        "octets": frame.octets.hex().upper(),
        "message": None if found.message is None else found.message.hex().upper(),
        "gbcs": None if message is None else message.hex().upper(),
    }
