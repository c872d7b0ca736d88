"""`--pcap` and `--zep`: what is on the air of a lab that a command runs, for Wireshark, while it runs."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from smetslab.cli import output
from smetslab.errors import UsageError
from smetslab.han.capture import Capture, FileSink, PipeSink, Sink, ZepSink
from smetslab.han.zep_air import parse_host_port
from smetslab.harness.air import message_title
from smetslab.lab.build import Lab
from smetslab.trace import Observation
from smetslab.zigbee.capture.keys import KEYS_SUFFIX
from smetslab.zigbee.capture.zep import PORT

STDOUT: Final = "-"
RADIO_HINT: Final = 'let the section [han] of the lab file say kind = "radio"'

PcapOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--pcap",
        metavar="FILE",
        help="Capture the simulated air there (pcapng), keys beside it in FILE.zigbee_pc_keys. A FIFO, or "
        "- for standard output, is a live capture: … --pcap - | wireshark -k -i -",
    ),
]
ZepOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--zep", metavar="HOST[:PORT]", help=f"Send each frame there as it happens (ZEP over UDP, {PORT})."
    ),
]
CaptureKeysOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--pcap-keys", metavar="FILE", help="Where the keys of --pcap or --zep go instead."),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the frames and keys of a lab go. `live`: to somebody who watches."""

    sinks: tuple[Sink, ...] = ()
    key_file: Path | None = None
    live: bool = False

    def of(self, lab: Lab) -> AbstractContextManager[object]:
        """The capture of a running lab. Raises UsageError when nothing of it is on the air."""
        if not self.sinks:
            return nullcontext()
        if lab.role == "dcc":
            raise UsageError(
                "the homes run elsewhere, and so does their air", hint="give --pcap to `smetslab premises`"
            )
        if not lab.is_on_air:
            raise UsageError("nothing is on the air, so there is nothing to capture", hint=RADIO_HINT)
        return Capture(lab.trace, self.sinks, comment=_title, keys=lab.capture_keys, key_file=self.key_file)


def _title(seen: Observation) -> str:
    cluster = seen.detail.get("cluster")
    return message_title(cluster, seen.data) if isinstance(cluster, int) else ""


@contextmanager
def wanted(pcap: str | None, zep: str | None, keys: Path | None) -> Iterator[Wanted]:
    """What the options ask for, opened; closed at the end, whatever becomes of the lab.

    A capture on standard output takes it for itself: all else that would be printed there goes to stderr. A
    FIFO is waited for until somebody reads it. Raises UsageError, OSError.
    """
    if keys is not None and pcap is None and zep is None:
        raise UsageError("--pcap-keys: the keys of what?", hint="it goes with --pcap or --zep")
    sinks: list[Sink] = []
    key_file = keys
    is_live = zep is not None
    address = None if zep is None else zep_address(zep)
    with output.stdout_taken() if pcap == STDOUT else nullcontext():
        try:
            if pcap is not None:
                sink, is_pipe = _open(pcap)
                sinks.append(sink)
                is_live = is_live or is_pipe
                if key_file is None and pcap != STDOUT:
                    key_file = Path(pcap + KEYS_SUFFIX)
            if address is not None:
                sinks.append(ZepSink(*address))
            yield Wanted(tuple(sinks), key_file, is_live)
        finally:
            for sink in sinks:
                sink.close()


def _open(pcap: str) -> tuple[Sink, bool]:
    if pcap == STDOUT:
        if sys.stdout.isatty():
            raise UsageError("a capture is nothing for a terminal", hint="… --pcap - | wireshark -k -i -")
        return PipeSink(output.taken_stdout(), left=_reader_left), True
    path = Path(pcap)
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file in it")
    if path.exists() and stat.S_ISFIFO(path.stat().st_mode):
        output.error_console.print(f"waiting for a reader of {path}", markup=False)
        return PipeSink(path.open("wb"), left=_reader_left), True
    return FileSink(path.open("wb")), False


def _reader_left() -> None:
    output.error("nobody reads the capture any more; the laboratory goes on without it")


def zep_address(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT or [IPV6]:PORT. Raises UsageError."""
    try:
        host, port = parse_host_port(text)
    except ValueError as error:
        raise UsageError(f"--zep {error}", hint=f"such as 127.0.0.1 or 127.0.0.1:{PORT}") from error
    if not port:
        raise UsageError("--zep: nobody listens at port 0")
    return host, port
