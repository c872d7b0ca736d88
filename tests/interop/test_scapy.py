"""The layers for scapy, in an environment of their own: they read what we wrote, and write it again."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame
from smetslab.harness.air import message_title, tunnelled
from smetslab.ids import Eui64
from smetslab.zigbee.capture.zep import decode_zep
from smetslab.zigbee.dissect import Dissector
from smetslab.zigbee.zcl import CLIENT_TO_SERVER, CLUSTERS, Command
from smetslab.zigbee.zcl.clusters import declare_all
from smetslab.zigbee.zcl.clusters.key_establishment import KeyEstablishment
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling
from smetslab.zigbee.zcl.fields import _Rest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = HERE / "scapy" / ".venv" / "bin" / "python"
CLIENT, SERVER = Eui64(bytes(8)), Eui64(bytes([0xFF] * 8))
MESSAGE = encode_message(
    Message(
        cra=Cra.COMMAND,
        originator_counter=7,
        business_originator_id=Eui64(b"SUPPLIER"),
        business_target_id=Eui64(b"A METER!"),
        other_information=OtherInformation(message_code=0x0062),
        content=b"what it says",
        signature=b"",
        message_mac=bytes(range(12)),
    )
)


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter beside which scapy is; without it the test skips, or fails if REQUIRE_TOOLS=1."""
    if not (HERE / "scapy" / ".venv" / "done").exists():
        text = "scapy is not installed; `make test-interop` installs it"
        if os.environ.get("REQUIRE_TOOLS") == "1":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    return PYTHON


def run(python: Path, script: Path, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [str(python), str(script), *arguments],
        input=given,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sibling(name: str) -> Any:
    """A module of this folder, which is no package."""
    own = f"beside_test_scapy_{name}"
    spec = importlib.util.spec_from_file_location(own, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[own] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frame(command: Command, payload: bytes, rng: random.Random) -> ApsFrame:
    parties = (CLIENT, SERVER) if command.direction is CLIENT_TO_SERVER else (SERVER, CLIENT)
    return ApsFrame(
        source=parties[0],
        source_endpoint=rng.randint(1, 240),
        destination=parties[1],
        destination_endpoint=rng.randint(1, 240),
        profile=SMART_ENERGY_PROFILE,
        cluster=command.cluster,
        payload=payload,
    )


def test_every_command_is_a_layer_that_reads_and_writes_what_we_do(python: Path) -> None:
    declare_all()
    rng = random.Random(20260105)
    records = sibling("test_tshark_clusters")._records
    air_frames = sibling("conftest")._air_frames
    sent, octets = [], []
    for cluster in CLUSTERS.values():
        if cluster.id == KeyEstablishment.id:
            continue  # its messages are longer than a frame
        for command in cluster.commands.values():
            for record in records(command, rng):
                payload = command.frame(record, sequence=1).encode()
                parts = list(air_frames([frame(command, payload, rng)]))
                if len(parts) == 1:
                    sent.append((cluster, command, record))
                    octets.append(parts[0][1])
    answer = json.loads(
        run(python, HERE / "scapy" / "judge.py", given=json.dumps([one.hex() for one in octets]))
    )
    assert len(sent) > 300
    assert {command for _, command, _ in sent} >= set(CLUSTERS[Tunnelling.id].commands.values())
    for (cluster, command, record), written, found in zip(sent, octets, answer["frames"], strict=True):
        name = cluster.__name__ + "".join(word.capitalize() for word in command.name.split("_"))
        if command.encode(record):  # scapy has no layer for nothing
            assert name.lower() in [layer.lower() for layer in found["layers"]], (command, found["layers"])
        assert found["again"] == written.hex().upper(), command
        for field, kind, value in zip(command.fields.names, command.fields.kinds, record.values, strict=True):
            shown = [text for path, text in found["fields"].items() if path.endswith(f".{field}")]
            if isinstance(value, int) and not isinstance(kind, _Rest):
                assert value in shown, (command, field)
            elif isinstance(value, bytes) and not isinstance(kind, _Rest):
                assert value.hex().upper() in shown, (command, field)
    # Each can be made of nothing, too.
    assert len(answer["defaults"]) == sum(len(cluster.commands) for cluster in CLUSTERS.values())


def test_a_message_in_a_tunnel_is_read_down_to_its_headers(python: Path) -> None:
    rng = random.Random(1)
    air_frames = sibling("conftest")._air_frames
    command = Tunnelling.transfer_data_to_server
    octets = []
    for data in (MESSAGE[:1] + MESSAGE[1:], b"\x03" + MESSAGE, b"\x02\x04" + MESSAGE):
        payload = command.frame(command.record(tunnel_id=5, data=data), sequence=1).encode()
        parts = [part for _, part in air_frames([frame(command, payload, rng)])]
        assert len(parts) > 1
        # As one frame longer than any on the air: scapy does not put fragments together.
        head = parts[0][: -len(payload[:61]) - 2]
        whole = bytearray(head + payload)
        whole[9 + 8] &= 0x7F
        octets.append(bytes(whole))
    answer = json.loads(
        run(python, HERE / "scapy" / "judge.py", given=json.dumps([one.hex() for one in octets]))
    )
    for found, written in zip(answer["frames"], octets, strict=True):
        fields = found["fields"]
        assert found["layers"][-2:] == ["GbcsMacHeader", "GbcsGroupingHeader"], found["layers"]
        assert found["again"] == written.hex().upper()
        assert fields["GbcsGroupingHeader.message_code"] == 0x0062
        assert fields["GbcsGroupingHeader.originator_counter"] == 7
        assert fields["GbcsGroupingHeader.business_originator_id"] == b"SUPPLIER".hex().upper()
        assert fields["GbcsGroupingHeader.content"] == b"what it says".hex().upper()
        assert fields["GbcsMacHeader.message_mac"] == bytes(range(12)).hex().upper()
        assert fields["TunnellingTransferDataToServer.tunnel_id"] == 5
    tunnels = [found["fields"].get("GbTunnelHeader.tunnel_command") for found in answer["frames"]]
    assert tunnels == [None, 3, 2]
    assert answer["frames"][2]["fields"]["GbTunnelHeader.remaining"] == 4


def test_the_injection_example_sends_frames_that_our_reader_understands(python: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as air:
        air.bind(("127.0.0.1", 0))
        air.settimeout(5)
        place = f"127.0.0.1:{air.getsockname()[1]}"
        example = ROOT / "docs" / "examples" / "scapy_injection.py"
        options = ("--air", place, "--pan", "20DF", "--channel", "15", "--random", "3")
        shown = run(python, example, *options)
        packets = [decode_zep(air.recv(2048)) for _ in range(5)]
    assert "GBCS grouping header" in shown
    assert {(packet.channel, packet.fcs) for packet in packets} == {(15, True)}
    found = [Dissector(()).dissect(packet.octets, fcs=True) for packet in packets]
    assert [one.problem for one in found] == [""] * 5
    assert found[0].message is not None
    assert tunnelled(Tunnelling.id, found[0].message) is not None
    assert "ECS70 command" in message_title(Tunnelling.id, found[0].message)
    assert all(
        one.message is not None and "publish price" in message_title(0x0700, one.message) for one in found[1:]
    )
