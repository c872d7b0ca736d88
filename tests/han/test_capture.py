"""Where frames go while a lab runs: files, pipes, datagrams; and the keys, never behind."""

from __future__ import annotations

import io
import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smetslab.clock import StandingClock
from smetslab.han.air.bands import Channel
from smetslab.han.capture import (
    AirFrame,
    Capture,
    CaptureWriter,
    FileSink,
    KeyFile,
    PipeSink,
    ZepSink,
    capture_header,
    capture_packet,
)
from smetslab.trace import Trace
from smetslab.zigbee.capture.file import read_capture
from smetslab.zigbee.capture.keys import KEYS_SUFFIX, CaptureKey, read_keys
from smetslab.zigbee.capture.tap import Reception, decode_tap
from smetslab.zigbee.capture.zep import decode_zep

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ACK = bytes.fromhex("02002A0000")
FRAME = AirFrame(
    time=NOON, octets=ACK, channel=Channel(20), rssi_dbm=-61.0, link_quality=210, source="00DB1234567890A2"
)


def observe(trace: Trace, *, sent: int | None = None, page: int = 0) -> None:
    trace.record(
        "air",
        "FrameOnAir",
        source=FRAME.source,
        data=ACK,
        channel=20,
        page=page,
        rssi_dbm=-61,
        lqi=210,
        sent=sent,
    )


def test_a_packet_bears_the_beginning_of_its_frame_and_how_it_was_heard() -> None:
    [packet] = read_capture(capture_header() + capture_packet(FRAME))
    # Five octets and six of the physical layer, 32 microseconds each.
    assert packet.time_us == NOON.timestamp() * 1e6 - 352
    assert decode_tap(packet.data) == (Reception(channel=20, rssi_dbm=-61.0, link_quality=210, fcs=True), ACK)


def test_each_band_has_its_interface_and_messages_their_names(tmp_path: Path) -> None:
    trace = Trace(StandingClock(NOON))
    path = tmp_path / "air.pcapng"
    with CaptureWriter(trace, path, keys=list, comment=lambda seen: f"message {seen.data.hex()}") as capture:
        sent = trace.record("han", "FrameSent", data=b"\xab").sequence
        observe(trace, sent=sent)
        observe(trace, sent=sent, page=28)
    assert capture.frames == 2
    first, second = read_capture(path.read_bytes())
    assert (first.interface, first.comment) == (0, "message ab")
    assert (second.interface, second.comment) == (1, "")


def test_keys_are_in_their_file_before_the_capture_ends(tmp_path: Path) -> None:
    moment = StandingClock(NOON)
    trace = Trace(moment)
    keys = [CaptureKey(bytes(16), "first")]
    path = tmp_path / f"x{KEYS_SUFFIX}"
    with Capture(trace, [], keys=lambda: keys, comment=lambda _: "", key_file=path):
        assert read_keys(path.read_text()) == keys
        keys.append(CaptureKey(bytes(range(16)), "joined"))
        trace.record("han", "DeviceJoined", source="x")
        assert len(read_keys(path.read_text())) == 2
        keys.append(CaptureKey(bytes([1] * 16), "last"))
    assert len(read_keys(path.read_text())) == 3


def test_a_file_of_keys_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has it open still reads the former one; a write that fails leaves that and nothing else."""
    file = KeyFile(tmp_path / "keys")
    file.keep([CaptureKey(bytes(16), "first")])
    with (tmp_path / "keys").open() as reader:
        file.keep([CaptureKey(bytes([1] * 16), "other")])
        assert read_keys(reader.read()) == [CaptureKey(bytes(16), "first")]

    def fail(path: Path, target: object) -> None:
        raise OSError(f"no room for {path.name} as {target}")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        file.keep([CaptureKey(bytes([2] * 16), "third")])
    assert [one.name for one in tmp_path.iterdir()] == ["keys"]
    assert read_keys((tmp_path / "keys").read_text()) == [CaptureKey(bytes([1] * 16), "other")]


def test_a_reader_of_a_pipe_has_each_frame_at_once() -> None:
    out, into = os.pipe()
    sink = PipeSink(os.fdopen(into, "wb"))
    whole = b""
    with os.fdopen(out, "rb", buffering=0) as reader:
        for number in range(3):
            sink.write(FRAME)
            wanted = len(capture_header()) + (number + 1) * len(capture_packet(FRAME))
            while len(whole) < wanted:
                whole += reader.read(wanted - len(whole))
        sink.close()
        assert reader.read() == b""
    assert len(list(read_capture(whole))) == 3


def test_a_reader_who_leaves_ends_the_capture_and_nothing_else() -> None:
    out, into = os.pipe()
    left = threading.Event()
    sink = PipeSink(os.fdopen(into, "wb"), left=left.set)
    os.close(out)
    sink.write(FRAME)
    assert left.wait(5)
    for _ in range(3):
        sink.write(FRAME)
    sink.close()


def test_datagrams_reach_who_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        sink = ZepSink("127.0.0.1", listener.getsockname()[1])
        sink.write(FRAME)
        packet = decode_zep(listener.recv(2000))
        sink.close()
    assert (packet.channel, packet.octets, packet.link_quality, packet.device) == (20, ACK, 210, 0x90A2)
    assert packet.time_us == FRAME.begun_us
    assert packet.sequence == 1


def test_a_host_without_address_is_an_error() -> None:
    with pytest.raises(OSError, match=r".+"):
        ZepSink("no such host.invalid", 1)


def test_a_sink_writes_what_a_packet_is() -> None:
    class Kept(io.BytesIO):
        def close(self) -> None:
            self.octets = self.getvalue()
            super().close()

    stream = Kept()
    sink = FileSink(stream)
    sink.write(FRAME)
    sink.close()
    assert stream.octets == capture_header() + capture_packet(FRAME)
