"""Captures on the command line: made by commands that run a lab, and read down to the messages in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from smetslab.cli.live import wanted, zep_address
from smetslab.cli.main import main
from smetslab.clock import run_virtual
from smetslab.errors import UsageError
from smetslab.han.capture import capture_header
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.zigbee.capture.file import read_capture
from smetslab.zigbee.capture.keys import KEYS_SUFFIX, read_keys

BUILT_IN = Path(load_lab.__code__.co_filename).parent / "default.lab.toml"


def lab_file(folder: Path, han: str) -> Path:
    text = BUILT_IN.read_text()
    start, end = text.index("[han]"), text.index("[tolerances]")
    path = folder / "air.lab.toml"
    path.write_text(f"{text[:start]}[han]\n{han}\n{text[end:]}")
    return path


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A read of the registers on the air, captured as the commands do it."""
    folder = tmp_path_factory.mktemp("capture")
    path = folder / "home.pcapng"

    async def story() -> None:
        with wanted(str(path), None, None) as where:
            async with Lab(load_lab(lab_file(folder, 'kind = "radio"'))) as lab:
                with where.of(lab):
                    [meter] = lab.devices
                    await lab.users["supplier"].request("4.1.1", meter)
                    await lab.clock.sleep(5)

    run_virtual(story())
    return path


def test_explain_tells_of_each_message_of_a_capture(capture: Path, capsys) -> None:
    assert main(["gbcs", "explain", str(capture)]) == 0
    out = capsys.readouterr().out
    assert out.count(f"{capture}, frame ") == 2
    assert "ECS17b command" in out
    assert "ECS17b response" in out
    assert "What it says:" in out


def test_explain_as_json_and_with_keys_from_elsewhere(capture: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "moved.pcapng").write_bytes(capture.read_bytes())
    keys = capture.with_name(capture.name + KEYS_SUFFIX)
    arguments = ["gbcs", "explain", str(tmp_path / "moved.pcapng"), "--keys", str(keys), "--json"]
    assert main(arguments) == 0
    messages = json.loads(capsys.readouterr().out)["messages"]
    assert len(messages) == 2
    assert all("moved.pcapng, frame" in one["source"] for one in messages)


def test_decode_prints_the_messages_and_everything_about_one_frame(capture: Path, capsys) -> None:
    assert main(["han", "decode", str(capture), "--gbcs"]) == 0
    messages = capsys.readouterr().out.split()
    assert len(messages) == 2
    assert main(["han", "decode", str(capture), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    number = next(row["number"] for row in rows if row["gbcs"] == messages[0])
    assert main(["han", "decode", str(capture), "--frame", str(number)]) == 0
    out = capsys.readouterr().out
    for text in (
        "received",
        "MAC\n",
        "NWK\n",
        "  security",
        "APS\n",
        "ZCL Tunnelling",
        "GBCS ",
        "CRA flag: command",
    ):
        assert text in out, text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gbcs", "explain", "{moved}"], "no GBCS message in it"),
        (["gbcs", "explain", "{capture}", "--keys", "{keys}", "--keys", "{keys}"], "at most one key store"),
        (["gbcs", "explain", "DF0901" + "00" * 30, "--keys", "{keys}"], "ZigBee keys open captures"),
        (["gbcs", "explain", "{cut}"], "cut short"),
        (["han", "decode", "{cut}"], "a block"),
        (["han", "decode", "{capture}", "--frame", "99999"], "no frame 99999"),
        (["han", "decode", "{capture}", "--keys", "{capture}"], "no key of 16 octets"),
        (["run", "--pcap-keys", "x"], "the keys of what"),
        (["run", "--zep", "nowhere:x"], "is no address"),
        (["run", "--zep", "nowhere:0"], "nobody listens at port 0"),
        (["run", "--pcap", "{folder}"], "is a folder"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_2(
    capture: Path, tmp_path: Path, capsys, arguments: list[str], message: str
) -> None:
    places = {
        "capture": capture,
        "keys": capture.with_name(capture.name + KEYS_SUFFIX),
        "moved": tmp_path / "moved.pcapng",
        "cut": tmp_path / "cut.pcapng",
        "folder": tmp_path,
    }
    places["moved"].write_bytes(capture.read_bytes())
    places["cut"].write_bytes(capture.read_bytes()[:-5])
    if "{cut}" in arguments[-1]:
        (tmp_path / f"cut.pcapng{KEYS_SUFFIX}").write_bytes(places["keys"].read_bytes())
    assert main([argument.format(**places) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error or (message == "cut short" and "a block" in error)
    assert len(error.splitlines()) <= 2


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", ("localhost", 17754)),
        ("10.0.0.2:9000", ("10.0.0.2", 9000)),
        ("[::1]:9000", ("::1", 9000)),
    ],
)
def test_addresses_of_zep(text: str, address: tuple[str, int]) -> None:
    assert zep_address(text) == address


@pytest.mark.parametrize("text", ["", ":1", "host:70000", "host:x", "a:b:c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        zep_address(text)


def test_a_home_without_radio_has_nothing_to_capture(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(load_lab(lab_file(tmp_path, 'kind = "direct"'))) as lab:
            with wanted(str(tmp_path / "x.pcapng"), None, None) as where, where.of(lab):
                raise AssertionError

    with pytest.raises(UsageError, match="nothing is on the air"):
        run_virtual(story())


def test_a_run_writes_its_capture_to_standard_output_and_everything_else_to_stderr(tmp_path: Path) -> None:
    program = "import sys; from smetslab.cli.main import main; sys.exit(main())"
    lab = lab_file(tmp_path, 'kind = "radio"')
    run = ["run", "--lab", str(lab), "--case", "ECS17b-READ", "--out", "pack"]
    done = subprocess.run(
        [sys.executable, "-c", program, *run, "--pcap", "-", "--pcap-keys", "keys"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"pass  Section F4" in done.stderr
    assert done.stdout == (tmp_path / "pack" / "capture.pcapng").read_bytes()
    assert len(list(read_capture(done.stdout))) > 20
    assert read_keys((tmp_path / "keys").read_text()) == read_keys(
        (tmp_path / "pack" / f"capture.pcapng{KEYS_SUFFIX}").read_text()
    )


def test_a_fifo_waits_for_its_reader(tmp_path: Path) -> None:
    fifo = tmp_path / "air.fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    with wanted(str(fifo), None, None) as where:
        assert where.live
        assert where.key_file == Path(f"{fifo}{KEYS_SUFFIX}")
    reader.join(5)
    assert read == [capture_header()]


def test_show_draws_the_networks_of_a_lab_file(tmp_path: Path, capsys) -> None:
    assert main(["han", "show", str(lab_file(tmp_path, 'kind = "radio"\nchannel = 25'))]) == 0
    title, hub, meter = capsys.readouterr().out.splitlines()
    assert title.startswith("home: channel 25, PAN ")
    assert "hub (CHF): coordinator" in hub
    assert meter.startswith("└─ ")
    assert "esme (ESME): router" in meter
    assert main(["han", "show", "--url", "http://127.0.0.1:9"]) == 2
    assert "no laboratory answers" in capsys.readouterr().err


def test_keys_of_a_lab_are_known_before_it_runs(capture: Path, capsys) -> None:
    lab = capture.with_name("air.lab.toml")
    assert main(["han", "keys", str(lab)]) == 0
    known = {entry.key for entry in read_keys(capsys.readouterr().out)}
    used = {entry.key for entry in read_keys(capture.with_name(capture.name + KEYS_SUFFIX).read_text())}
    assert known == used
    assert main(["han", "keys", str(lab), "--seed", "99"]) == 0
    assert not known & {entry.key for entry in read_keys(capsys.readouterr().out)}
