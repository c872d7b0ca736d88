"""`smetslab duis send` and `sign` against a served lab: exit codes, what is shown, what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from smetslab.cli.duis_send import SendReport
from smetslab.cli.main import main
from smetslab.dcc import ServiceUser
from smetslab.duis.codes import CommandVariant
from smetslab.duis.xmldsig import parse_tree, read_signature
from smetslab.ids import Eui64
from smetslab.lab.build import lab_keystore
from smetslab.lab.config import HOME_NAME, load_lab

ESME = Eui64.parse("00DB1234567890A0")
SUPPLIER = Eui64.parse("90B3D51F30010000")

Run = Callable[..., tuple[int, str, str]]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@dataclass
class Running:
    """`smetslab serve` in a process of its own, and what it printed before it was ready."""

    listen: str
    duis: str
    smki: str
    printed: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    lab = folder / "lab.toml"
    text = load_lab(default=HOME_NAME).source_text.decode()
    quick = re.sub(r"^(latency_s|jitter_s) = .*$", r"\1 = 0.0", text, flags=re.MULTILINE)
    assert quick != text
    lab.write_text(f"{quick}\n[serve]\nstop_within_s = 0.2\n")
    listen = f"127.0.0.1:{_free_port()}/smartdcc/duis"
    options = ["--lab", str(lab), "--store", "memory", "--port", "0", "--smki-port", "0"]
    calls = ["--callback", listen, "--callback-delay", "0", "--log", "json"]
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMETSLAB_")}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "smetslab.cli.main", "serve", *options, *calls],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
            text=True,
        )
    assert process.stdout is not None
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        words = printed.split()
        duis = next(word for word in words if word.endswith("/api/v1/serviceS"))
        smki = next(word for word in words if "/services/certificatesearch" in word)
        yield Running(listen, duis.removesuffix("/api/v1/serviceS"), smki.partition("/services/")[0], printed)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
        assert process.stdout.read() == "stopping\n"
        for line in log.read_text().splitlines():
            # The test of a call-back that nobody takes leaves one document.
            assert "1 documents were not delivered" in line or json.loads(line)["level"] != "error"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def send(served: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`send("4.1.1", ...)`: exit code, stdout, stderr."""
    monkeypatch.delenv("SMETSLAB_KEYSTORE", raising=False)

    def run(*arguments: str, listen: str = "") -> tuple[int, str, str]:
        code = main(
            [
                *("duis", "send", *arguments, "--url", served.duis, "--smki-url", served.smki),
                *("--listen", listen or served.listen),
            ]
        )
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_serve_says_what_to_send_where(served: Running) -> None:
    for said in (
        "/api/v1/serviceT",
        "/api/v1/serviceD",
        "/health",
        f"call-backs go to     http://{served.listen}",
        "supplier 90B3D51F30010000",
        "the lab's own test authority",
        "own models, XML signatures",
        "memory: it is gone when this stops",
        ESME.dashed(),
    ):
        assert said in served.printed


def test_read_is_sent_answered_and_decoded(send: Run) -> None:
    code, out, _ = send("4.1.1")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("sent       4.1.1, command variant 1, to serviceS")
    assert lines[1:3] == ["answered   I99", "call-back  I0"]
    assert "done: 4.1.1 I0" in lines
    assert "  ECS17b, authentic" in lines


def test_critical_command_is_transformed_signed_and_sent(send: Run) -> None:
    code, out, _ = send("7.1", "--json")
    report = SendReport.model_validate_json(out)
    assert (code, report.succeeded, report.use_case) == (0, True, "ECS42")
    steps = [step for step, _ in report.documents]
    assert steps == ["request", "answer", "request", "answer", "call-back"]
    assert all(b"SignatureValue" in xml.encode() for step, xml in report.documents if step == "request")


def test_elements_are_given_by_name(send: Run) -> None:
    assert send("3.1", "--set", "SupplierMessage=Ring us")[0] == 0
    code, out, _ = send("8.2", "--set", f"DeviceID={ESME}", "--json")
    report = json.loads(out)
    assert (code, report["payload"]) == (0, "OtherPayload")
    assert f"<sr:DeviceID>{ESME.dashed()}</sr:DeviceID>" in report["documents"][-1][1]


def test_command_for_local_delivery_is_handed_out(send: Run) -> None:
    code, out, _ = send("4.1.1", "--local", "--json")
    report = json.loads(out)
    assert (code, report["payload"], report["response_code"]) == (0, "LocalCommand", "I0")


def test_document_is_sent_with_a_counter_of_its_own(send: Run, tmp_path: Path) -> None:
    user = ServiceUser(SUPPLIER, keystore=lab_keystore(load_lab(default=HOME_NAME)), dcc=NoDcc())
    document = tmp_path / "request.xml"
    document.write_bytes(user.document("4.1.1", Eui64.parse("00DB1234567890FE"), {}, CommandVariant.SEND))
    code, out, _ = send(str(document), "--target", "esme", "--json")
    report = json.loads(out)
    assert (code, report["succeeded"]) == (0, True)
    assert report["request_id"].startswith(f"{SUPPLIER.dashed()}:{ESME.dashed()}:")
    code, out, _ = send(str(document))
    assert code == 1
    assert "NOT DONE: 4.1.1 E19" in out


def test_template_is_found_by_its_name(send: Run, rtds: Path) -> None:
    folder = str(rtds / "duis")
    assert send("ECS45_7.4", "--templates", folder)[0] == 0
    code, _, err = send("ECS", "--templates", folder)
    assert (code, "several templates begin with ECS" in err) == (2, True)
    code, _, err = send("XYZ", "--templates", folder)
    assert (code, "no template begins with XYZ" in err) == (2, True)


def test_no_call_back_in_time_is_inconclusive(send: Run) -> None:
    elsewhere = f"127.0.0.1:{_free_port()}/smartdcc/duis"
    code, out, err = send("4.1.1", "--timeout", "1", listen=elsewhere)
    assert code == 4
    assert "answered   I99" in out
    assert "no call-back within 1 s" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("99.9",), "there is no service request 99.9"),
        (("no-such-file.xml",), "is no file"),
        (("3.1",), "SupplierMessage"),
        (("3.1", "--set", "Nothing"), "is not NAME=VALUE"),
        (("4.1.1", "--target", "toaster"), "know no device 'toaster'"),
        (("4.1.1", "--user", "nobody"), "no party nobody"),
        (("4.1.1", "--lab", "/nowhere.toml"), "/nowhere.toml"),
    ],
)
def test_what_cannot_be_sent_is_told_in_one_line(send: Run, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = send(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_nobody_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{_free_port()}"
    assert main(["duis", "send", "4.1.1", "--url", url]) == 2
    assert "no answer" in capsys.readouterr().err


def test_signed_document_is_good(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMETSLAB_KEYSTORE", raising=False)
    ring = lab_keystore(load_lab(default=HOME_NAME))
    user = ServiceUser(SUPPLIER, keystore=ring, dcc=NoDcc())
    file = tmp_path / "request.xml"
    file.write_bytes(user.document("4.1.1", ESME, {}, CommandVariant.SEND))
    assert main(["duis", "sign", str(file)]) == 0
    signed = capsysbinary.readouterr().out
    signature = read_signature(parse_tree(signed.strip()))
    signer = ring.xml_signer(SUPPLIER)
    assert signature.serial == signer.certificate.serial
    signature.verify(signer.certificate.public_key)


class NoDcc:
    """Nothing is sent here."""

    async def submit(self, xml: bytes, service: object = None) -> bytes:
        raise NotImplementedError
