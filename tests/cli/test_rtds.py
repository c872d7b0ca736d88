"""`smetslab rtds check`: a summary for people, a row per message for machines, exit codes for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smetslab.cli import main as cli
from smetslab.dcc.transform import Origin, build_command
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import Request, RequestHeader, RequestId, write_request
from smetslab.duis.srv import SERVICE_REQUESTS, write_body
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_signature
from smetslab.gbcs.usecases import USE_CASES
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.pki.files import export_pem
from smetslab.rng import RootSeed
from smetslab.rtds import CheckReport, check_folder, report_schema
from smetslab.rtds.transform import TransformReport

SUPPLIER, ESME = Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0")
Said = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One signed alert and the keys for it."""
    ring = Authority(RootSeed(7)).keystore((ESME,))
    alert = Message(
        cra=Cra.ALERT,
        originator_counter=1,
        business_originator_id=ESME,
        business_target_id=SUPPLIER,
        other_information=OtherInformation(message_code=0x7FFF),
        content=b"\x05\x00",
    )
    signed = with_signature(alert, ring.private_key(ESME, KeyUsage.DIGITAL_SIGNATURE))
    root = tmp_path / "set"
    (root / "gbcs").mkdir(parents=True)
    (root / "gbcs" / "ALERT.HEX").write_text(encode_message(signed).hex())
    export_pem(ring, root / "keystore")
    return root


def break_signature(folder: Path) -> None:
    file = folder / "gbcs" / "ALERT.HEX"
    file.write_text(file.read_text()[:-2] + "00")


def test_sound_set_is_exit_code_0_and_a_summary(folder: Path, capsys: Said) -> None:
    assert cli.main(["rtds", "check", "--rtds", str(folder)]) == 0
    said = capsys.readouterr()
    assert "all 1 messages hold" in said.out
    assert ["signatures", "verified", "1"] in [line.split()[:3] for line in said.out.splitlines()]
    assert said.err == ""


def test_failure_is_exit_code_1_and_names_the_file(folder: Path, capsys: Said) -> None:
    break_signature(folder)
    assert cli.main(["rtds", "check", "--rtds", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "FAILED gbcs/ALERT.HEX: signature does not match" in said
    assert "1 of 1 messages failed" in said


def test_undecodable_message_says_why(folder: Path, capsys: Said) -> None:
    (folder / "gbcs" / "ALERT.HEX").write_text("DF0907")
    assert cli.main(["rtds", "check", "--rtds", str(folder)]) == 1
    assert (
        "FAILED gbcs/ALERT.HEX: grouping header.CRA flag: unknown CRA flag at byte 2"
        in capsys.readouterr().out
    )


def test_json_file_holds_the_whole_report(folder: Path, capsys: Said, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    assert cli.main(["rtds", "check", "--rtds", str(folder), "--json", str(out)]) == 0
    assert CheckReport.model_validate_json(out.read_text()) == check_folder(folder)
    assert "all 1 messages hold" in capsys.readouterr().out
    row = json.loads(out.read_text())["messages"][0]
    assert list(row)[:4] == ["file", "use_case", "kind", "decoded"]
    assert (row["mac"], row["signature"], row["opaque"]) == ("absent", "verified", False)


def test_json_on_standard_output_is_nothing_but_json(folder: Path, capsys: Said) -> None:
    break_signature(folder)
    assert cli.main(["rtds", "check", "--rtds", str(folder), "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["summary"]["failures"] == 1


def test_schema_is_published(capsys: Said) -> None:
    assert cli.main(["rtds", "check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == report_schema()


def test_missing_keys_are_said_and_no_failure(folder: Path, capsys: Said) -> None:
    (folder / "keystore").rename(folder / "elsewhere")
    assert cli.main(["rtds", "check", "--rtds", str(folder / "gbcs")]) == 0
    said = capsys.readouterr()
    assert "no certificates were found" in said.err
    assert "--keys KEYSTORE" in said.err


def test_keys_may_be_given(folder: Path, capsys: Said) -> None:
    arguments = ["rtds", "check", "--rtds", str(folder / "gbcs"), "--keys", str(folder / "keystore")]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().err == ""


def test_skipped_keys_are_listed(folder: Path, capsys: Said) -> None:
    (folder / "keystore" / "0000000000000000-ds.pem").write_text("no certificate")
    assert cli.main(["rtds", "check", "--rtds", str(folder)]) == 0
    assert "not loaded: 0000000000000000-ds.pem: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "no folder given"),
        (["--rtds", "{folder}/missing"], "is no folder"),
        (["--rtds", "{folder}/keystore"], "holds no *.HEX files"),
        (["--rtds", "{folder}", "--keys", "{folder}/gbcs/ALERT.HEX"], "is not JSON"),
        (["--rtds", "{folder}", "--json", "{folder}/missing/report.json"], "cannot be written"),
    ],
)
def test_impossible_request_is_exit_code_2_and_one_line(
    arguments: list[str], reason: str, folder: Path, capsys: Said
) -> None:
    assert cli.main(["rtds", "check", *[argument.format(folder=folder) for argument in arguments]]) == 2
    said = capsys.readouterr()
    assert reason in said.err.splitlines()[0]
    assert said.out == ""


# transform -----------------------------------------------------------


def documents(folder: Path, state: str) -> None:
    row = SERVICE_REQUESTS["6.25"]
    header = RequestHeader(
        request_id=RequestId(SUPPLIER, ESME, 1000),
        command_variant=CommandVariant.TRANSFORM,
        service_reference=row.reference,
        variant=row.variant,
    )
    body = write_body(row, {"SupplyTamperState": state})
    (folder / "duis").mkdir(exist_ok=True)
    (folder / "duis" / "ECS81_6.25_REQUEST_DUIS.XML").write_bytes(
        write_request(Request(header=header, body=body))
    )
    command = build_command(
        USE_CASES["ECS81"],
        {"supply_tamper_state": "Locked"},
        Origin(party=SUPPLIER, counter=1000),
        ESME,
    )
    (folder / "gbcs" / "ECS81_6.25_PRECOMMAND_GBCS.HEX").write_text(encode_message(command).hex())


def test_documents_that_become_their_messages_are_exit_code_0(
    folder: Path, tmp_path: Path, capsys: Said
) -> None:
    documents(folder, "Locked")
    file = tmp_path / "rows.json"
    words = ["rtds", "transform", "--rtds", str(folder), "--duis", str(folder / "duis"), "--json", str(file)]
    assert cli.main(words) == 0
    assert "1 documents with a message: 1 identical, 0 structurally equal" in capsys.readouterr().out
    (row,) = json.loads(file.read_text())["templates"]
    assert (row["template"], row["result"]) == ("ECS81_6.25_REQUEST_DUIS.XML", "identical")
    assert TransformReport.model_validate_json(file.read_text()).passed


def test_a_document_that_becomes_another_message_is_exit_code_1(folder: Path, capsys: Said) -> None:
    documents(folder, "Unchanged")
    assert cli.main(["rtds", "transform", "--rtds", str(folder), "--duis", str(folder / "duis")]) == 1
    said = capsys.readouterr().out
    assert "DIFFERENT ECS81_6.25_REQUEST_DUIS.XML (pre-command): supply_tamper_state" in said


def test_transform_needs_both_folders(folder: Path, capsys: Said) -> None:
    assert cli.main(["rtds", "transform", "--rtds", str(folder)]) == 2
    assert "--duis DIR" in capsys.readouterr().err


def test_the_schema_of_the_rows_is_printed(capsys: Said) -> None:
    assert cli.main(["rtds", "transform", "--schema"]) == 0
    assert "templates" in json.loads(capsys.readouterr().out)["properties"]


def test_a_replay_has_a_row_for_each_scenario(rtds: Path, capsys: Said) -> None:
    scenario = rtds / "gbcs" / "11.2_ECS52"
    keys = str(rtds / "keystore")
    assert cli.main(["rtds", "replay", "--rtds", str(scenario), "--keys", keys, "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["scenarios"] == [
        {"scenario": f"11.2_ECS52/ECS52_11.2_{kind}", "outcome": "equal", "first_difference": None}
        for kind in ("ERROR", "SUCCESS")
    ]
    assert report["summary"]["scenarios"] == 2


def test_the_keys_beside_the_messages_are_found(rtds: Path, tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "keystore").symlink_to(rtds / "keystore")
    (tmp_path / "gbcs" / "11.2_ECS52").mkdir(parents=True)
    for file in (rtds / "gbcs" / "11.2_ECS52").glob("*SUCCESS*"):
        (tmp_path / "gbcs" / "11.2_ECS52" / file.name).write_text(file.read_text())
    assert cli.main(["rtds", "replay", "--rtds", str(tmp_path / "gbcs")]) == 0
    assert "1 scenarios: 1 equal" in capsys.readouterr().out


def test_a_replay_that_finds_a_difference_is_exit_code_1(rtds: Path, tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "11.2_ECS52"
    folder.mkdir()
    for kind, other in (("COMMAND", "SUCCESS"), ("RESPONSE", "ERROR")):
        text = (rtds / "gbcs" / "11.2_ECS52" / f"ECS52_11.2_{other}_{kind}_GBCS.HEX").read_text()
        (folder / f"ECS52_11.2_SUCCESS_{kind}_GBCS.HEX").write_text(text)
    arguments = ["rtds", "replay", "--rtds", str(tmp_path), "--keys", str(rtds / "keystore")]
    file = tmp_path / "replay.json"
    assert cli.main([*arguments, "--json", str(file)]) == 1
    assert "DIFFERENT 11.2_ECS52/ECS52_11.2_SUCCESS: " in capsys.readouterr().out
    assert json.loads(file.read_text())["scenarios"][0]["outcome"] == "different"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "no folder given"),
        (["--rtds", "nowhere"], "nowhere is no folder"),
        (["--rtds", "."], "holds no *_GBCS.HEX files"),
    ],
)
def test_an_impossible_replay_is_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, arguments: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["rtds", "replay", *arguments]) == 2
    assert line in capsys.readouterr().err


def test_the_schema_of_a_replay_is_printed(capsys: Said) -> None:
    assert cli.main(["rtds", "replay", "--schema"]) == 0
    assert "ScenarioRow" in json.loads(capsys.readouterr().out)["$defs"]
