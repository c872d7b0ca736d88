"""`smetslab duis validate`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from smetslab.cli import duis
from smetslab.cli import main as cli
from smetslab.dcc.services.doorkeeper import DocumentSigner
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import (
    DeviceResponse,
    Request,
    RequestHeader,
    RequestId,
    Response,
    ResponseMessage,
    signed_pre_command_body,
    write_request,
    write_response,
)
from smetslab.duis.element import Element
from smetslab.duis.report import NO_SCHEMA, NOT_DECLARED, SIGNATURE_NOT_CHECKED
from smetslab.duis.srv import SERVICE_REQUESTS, write_body
from smetslab.ids import Eui64
from smetslab.pki import Authority, load_keystore
from smetslab.pki.files import export_json
from smetslab.rng import RootSeed

REQUEST_ID = RequestId(Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0"), 1000)


@pytest.fixture(autouse=True)
def _only_this_noun(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(duis.app, name="duis")
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.delenv("SMETSLAB_SCHEMA", raising=False)


def request(
    body: Element, variant: str = "6.11", command_variant: CommandVariant = CommandVariant.TRANSFORM
) -> bytes:
    header = RequestHeader(
        request_id=REQUEST_ID,
        command_variant=command_variant,
        service_reference=variant,
        variant=variant,
    )
    return write_request(Request(header=header, body=body))


SYNCHRONISE = write_body(
    SERVICE_REQUESTS["6.11"], {"CurrentDateTime": "2026-03-01T00:00:00Z", "TolerancePeriod": 60}
)


def run(tmp_path: Path, document: bytes, *options: str) -> int:
    file = tmp_path / "document.xml"
    file.write_bytes(document)
    return cli.main(["duis", "validate", str(file), *options])


def test_a_request_is_shown_with_what_it_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, request(SYNCHRONISE)) == 0
    said = capsys.readouterr().out
    assert said.startswith("A valid Request: Synchronise Clock\n")
    assert "    CurrentDateTime: 2026-03-01T00:00:00Z\n    TolerancePeriod: 60\n" in said
    assert NO_SCHEMA in said


def test_machines_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, request(SYNCHRONISE), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema_version": 1,
        "kind": "Request",
        "duis_version": "5.1",
        "request_id": str(REQUEST_ID),
        "response_id": None,
        "command_variant": 4,
        "service_request": "6.11",
        "service_request_name": "Synchronise Clock",
        "response_code": None,
        "body": "SynchroniseClock",
        "elements": {"CurrentDateTime": "2026-03-01T00:00:00Z", "TolerancePeriod": 60},
        "gbcs": None,
        "validated_with": None,
        "signed_by": None,
        "notes": [NO_SCHEMA],
    }


def test_a_response_and_a_signed_pre_command_show_their_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datetime import UTC, datetime

    answer = Response(
        code="I0",
        date_time=datetime(2026, 3, 1, tzinfo=UTC),
        request_id=REQUEST_ID,
        response_id=REQUEST_ID.swapped(),
        body=ResponseMessage("7.4", "7.4", DeviceResponse(b"\xdd\x01")),
    )
    assert run(tmp_path, write_response(answer), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["kind"], shown["response_code"], shown["gbcs"]) == ("Response", "I0", "DD01")
    assert (shown["service_request_name"], shown["body"]) == ("Read Supply Status", "DeviceResponse")
    signed = request(signed_pre_command_body(b"\xdf"), "7.2", CommandVariant.SEND_SIGNED)
    assert run(tmp_path, signed, "--json") == 0
    assert json.loads(capsys.readouterr().out)["gbcs"] == "DF"


def test_a_service_request_that_is_not_declared_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, request(Element("Whatever"), "13.1")) == 0
    assert NOT_DECLARED in capsys.readouterr().out


def test_the_published_schema_is_used_where_it_is_given(
    tmp_path: Path, schema_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, request(SYNCHRONISE), "--schema", str(schema_dir)) == 0
    assert "valid under      DUIS Schema V5.4" in capsys.readouterr().out
    assert run(tmp_path, request(Element("Whatever"), "13.1"), "--schema", str(schema_dir)) == 2
    assert "not valid under DUIS Schema V5.4" in capsys.readouterr().err


def test_signature_is_checked_with_a_key_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keystore.json"
    assert export_json(Authority(RootSeed(5)).keystore(), file) is not None
    keystore = load_keystore(file)
    signer = DocumentSigner(keystore.xml_signer(REQUEST_ID.originator))
    signed = signer.sign(request(SYNCHRONISE))
    assert run(tmp_path, signed, "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [SIGNATURE_NOT_CHECKED, NO_SCHEMA]
    assert run(tmp_path, signed, "--keystore", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["signed_by"] == signer.certificate.title
    assert run(tmp_path, signed.replace(b">60<", b">61<"), "--keystore", str(file)) == 2
    assert "the digest is not that of the document" in capsys.readouterr().err
    other = DocumentSigner(keystore.xml_signer(Eui64.parse("90B3D51F30030000")))
    assert run(tmp_path, other.sign(request(SYNCHRONISE)), "--keystore", str(file)) == 2
    assert "is not of the originator" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "not well-formed XML"),
        (b"<!DOCTYPE a><a/>", "document type not accepted"),
        (b"<a/>", "not a DUIS document, expected Request or Response, found a"),
        (request(SYNCHRONISE).replace(b">60<", b">86401<"), "expected 0 to 86400, found 86401"),
        (request(Element("EnableSupply")), "expected SynchroniseClock, found EnableSupply"),
    ],
)
def test_what_is_not_valid_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: bytes, message: str
) -> None:
    assert run(tmp_path, document) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1


def test_a_file_that_is_not_there_or_a_wrong_schema_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["duis", "validate", str(tmp_path / "absent.xml")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert run(tmp_path, request(SYNCHRONISE), "--schema", str(tmp_path)) == 2
    assert "holds no DUIS schema" in capsys.readouterr().err


def test_a_document_may_come_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(request(SYNCHRONISE))))
    assert cli.main(["duis", "validate", "-"]) == 0
    assert "Synchronise Clock" in capsys.readouterr().out


def test_services_are_listed_with_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["duis", "services"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SERVICE_REQUESTS)
    assert lines[0] == (
        "1.1.1   Update Import Tariff (Primary Element), critical: ESME: ECS01a; GSME: GCS01a"
    )
    assert "5.1     Create Schedule: the DCC answers itself" in lines


@pytest.mark.parametrize(
    ("query", "variants"),
    [
        (["6.20"], ["6.20.1", "6.20.2"]),
        (["ecs52"], ["11.2"]),
        (["read", "TARIFF"], ["4.11.1", "4.11.2"]),
        (["UpdatePaymentMode"], ["1.6"]),
    ],
)
def test_services_are_found(
    query: list[str], variants: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["duis", "services", "--json", *query]) == 0
    found = json.loads(capsys.readouterr().out)["service_requests"]
    assert [row["variant"] for row in found] == variants


def test_a_service_shows_what_decides_about_its_use_cases(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["duis", "services", "3.3"])
    assert "ESME: ECS15c (ESMEEventLogType is ALCS)" in capsys.readouterr().out
    cli.main(["duis", "services", "8.7.1", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["service_requests"]
    assert {"critical", "roles", "future_dating", "answered_by", "dcc_elements"} <= row.keys()
    assert any(one["conditions"] for one in row["use_cases"])


def test_services_that_are_not_there_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["duis", "services", "6.99"]) == 2
    assert "no service request has '6.99'" in capsys.readouterr().err
    assert cli.main(["duis", "services", "--schema"]) == 0
    assert "service_requests" in json.loads(capsys.readouterr().out)["properties"]
