from __future__ import annotations

import json
from pathlib import Path

import pytest

from smetslab.cli.main import main
from smetslab.han.air.bands import Channel
from smetslab.han.capture import AirFrame, capture_header, capture_packet
from smetslab.zigbee.mac_layer import MacFrame, MacFrameType, frame_check_sequence


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A beacon request and an acknowledgement, a millisecond apart."""
    from datetime import UTC, datetime

    request = MacFrame(
        kind=MacFrameType.COMMAND, sequence=1, destination_pan=0xFFFF, destination=0xFFFF, payload=b"\x07"
    ).encode()
    acknowledgement = MacFrame(kind=MacFrameType.ACKNOWLEDGEMENT, sequence=1).encode()
    path = tmp_path / "home.pcapng"
    octets = capture_header()
    for number, frame in enumerate((request, acknowledgement)):
        moment = datetime(2026, 1, 5, 0, 0, 0, 1000 * (number + 1), tzinfo=UTC)
        octets += capture_packet(
            AirFrame(
                time=moment, octets=frame + frame_check_sequence(frame), channel=Channel(11), rssi_dbm=-60.0
            )
        )
    path.write_bytes(octets)
    return path


def test_decode_tells_each_frame(capture: Path, capsys) -> None:
    assert main(["han", "decode", str(capture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "MAC command: beacon request" in lines[0]
    assert "everybody" in lines[0]
    assert "MAC acknowledgement" in lines[1]


def test_decode_as_json(capture: Path, capsys) -> None:
    assert main(["han", "decode", str(capture), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["number"], row["channel"], row["rssi_dbm"]) for row in rows] == [
        (1, 11, -60.0),
        (2, 11, -60.0),
    ]
    assert rows[0]["octets"].startswith("0308")
    assert rows[0]["time"] < rows[1]["time"]


def test_a_frame_that_cannot_be_read_is_exit_code_1(capture: Path, capsys) -> None:
    octets = bytearray(capture.read_bytes())
    octets[-8] ^= 0xFF
    capture.write_bytes(octets)
    assert main(["han", "decode", str(capture)]) == 1
    assert "wrong check sequence" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "options", "match"),
    [
        (b"nonsense", [], "neither pcap nor pcapng"),
        (capture_header(), [], "no frame in it"),
        (None, ["--key", "00"], "not 32 hex digits"),
        (None, ["--keys", "{folder}/none"], "No such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capture: Path, capsys, content, options, match: str) -> None:
    if content is not None:
        capture.write_bytes(content)
    options = [option.format(folder=capture.parent) for option in options]
    assert main(["han", "decode", str(capture), *options]) == 2
    assert match in capsys.readouterr().err
