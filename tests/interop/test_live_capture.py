"""tshark follows a live capture through a pipe, and reads what comes as ZEP over UDP."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from smetslab.gbcs.usecases import USE_CASES
from smetslab.lab.config import load_lab

COMMAND = [sys.executable, "-c", "import sys; from smetslab.cli.main import main; sys.exit(main())"]
RUN = ["run", "--case", "ECS17b-READ", "--out", "pack"]
FIELDS = (
    "frame.number",
    "wpan.seq_no",
    "zbee_nwk.src",
    "zbee_aps.cluster",
    "gbcs_message.grouping_header.message_code",
)


def lab_file(folder: Path) -> Path:
    """The built-in lab, its home on a channel that is known."""
    text = load_lab().source_text.decode()
    path = folder / "air.lab.toml"
    path.write_text(text.replace("[han]\n", "[han]\nchannel = 20\n"))
    return path


def keys_of(lab: Path, home: Path) -> None:
    """Wireshark's own place for ZigBee keys holds those of the lab, as a person would copy them there."""
    pack = lab.parent / "first"
    subprocess.run(
        [*COMMAND, "run", "--lab", str(lab), "--case", "ECS17b-READ", "--out", str(pack)],
        check=True,
        capture_output=True,
    )
    (home / "zigbee_pc_keys").write_text((pack / "capture.pcapng.zigbee_pc_keys").read_text())


def read(program: Path, home: Path, capture: str, **options: Any) -> list[dict[str, list[str]]]:
    """The fields of every packet, as tshark has them."""
    done = subprocess.run(
        [
            str(program),
            "-r",
            capture,
            "-n",
            "-T",
            "json",
            *(part for field in FIELDS for part in ("-e", field)),
        ],
        env={**os.environ, "HOME": str(home), "WIRESHARK_CONFIG_DIR": str(home)},
        capture_output=True,
        timeout=300,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


def test_tshark_follows_a_run_through_a_pipe(require_tool, tmp_path: Path) -> None:
    lab = lab_file(tmp_path)
    keys_of(lab, tmp_path)
    with subprocess.Popen(
        [*COMMAND, *RUN, "--lab", str(lab), "--pcap", "-"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        packets = read(require_tool("tshark"), tmp_path, "-", stdin=running.stdout)
        _, error = running.communicate(timeout=300)
    assert running.returncode == 0, error
    assert len(packets) > 20
    codes = [
        code for packet in packets for code in packet.get("gbcs_message.grouping_header.message_code", [])
    ]
    # The command and its response, opened with the keys of an earlier run of the same seed.
    assert [int(code, 0) for code in codes] == [USE_CASES["ECS17b"].code] * 2


def test_what_is_sent_as_zep_is_what_tshark_reads_as_zep(require_tool, tmp_path: Path) -> None:
    lab = lab_file(tmp_path)
    keys_of(lab, tmp_path)
    datagrams: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as air:
        air.bind(("127.0.0.1", 0))
        air.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        air.settimeout(1)
        place = f"127.0.0.1:{air.getsockname()[1]}"
        done = threading.Event()

        def listen() -> None:
            while True:
                try:
                    datagrams.append(air.recv(2048))
                except TimeoutError:
                    if done.is_set():
                        return

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            subprocess.run(
                [*COMMAND, *RUN, "--lab", str(lab), "--zep", place, "--pcap", "file.pcapng"],
                cwd=tmp_path,
                check=True,
                capture_output=True,
                timeout=300,
            )
        finally:
            done.set()
            listener.join()
    program = require_tool("tshark")
    direct = read(program, tmp_path, str(tmp_path / "file.pcapng"))
    (tmp_path / "zep.pcap").write_bytes(as_ethernet(datagrams))
    through = read(program, tmp_path, str(tmp_path / "zep.pcap"))
    assert len(datagrams) == len(direct) > 20
    assert [strip(packet) for packet in through] == [strip(packet) for packet in direct]
    assert any("gbcs_message.grouping_header.message_code" in packet for packet in through)
    ours = subprocess.run(
        [*COMMAND, "han", "decode", "zep.pcap", "--keys", "file.pcapng.zigbee_pc_keys", "--gbcs"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert len(ours.stdout.split()) == 2


def strip(packet: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: values for name, values in packet.items() if name != "frame.number"}


def as_ethernet(datagrams: list[bytes]) -> bytes:
    """A capture of these datagrams on an ordinary network."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number, datagram in enumerate(datagrams):
        udp = struct.pack(">HHHH", 17754, 17754, 8 + len(datagram), 0) + datagram
        ip = struct.pack(
            ">BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(udp),
            number & 0xFFFF,
            0,
            64,
            17,
            0,
            b"\x7f\0\0\1",
            b"\x7f\0\0\1",
        )
        packet = bytes(12) + b"\x08\x00" + ip + udp
        out += struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
    return out
