"""`smetslab gbcs decode`: what people paste is shown, what is wrong with it is one line."""

from __future__ import annotations

import io
import json
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.cli import main as cli
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, Message, OtherInformation, encode_message
from smetslab.gbcs.report import DecodedMessage, decode_schema
from smetslab.gbcs.security import with_mac
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.pki.files import export_json
from smetslab.rng import RootSeed

SUPPLIER, ESME = Eui64.parse("90B3D51F30010000"), Eui64.parse("00DB1234567890A0")
IMPORT = USE_CASES["ECS17b"]
RING = Authority(RootSeed(7)).keystore((ESME,))


def response() -> bytes:
    header = Message(
        cra=Cra.RESPONSE,
        originator_counter=1000,
        business_originator_id=ESME,
        business_target_id=SUPPLIER,
        other_information=OtherInformation(message_code=IMPORT.code),
        content=b"",
    )
    peer = RING.find(SUPPLIER, KeyUsage.KEY_AGREEMENT).certificate.public_key
    secret = RING.private_key(ESME, KeyUsage.KEY_AGREEMENT).exchange(peer)
    registers = {
        "active": 1234,
        "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
        "reactive": 0,
        "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
    }
    values = {"import_registers": {"import_register_collection": registers}}
    content = encode_content(IMPORT, header, values, secret)  # type: ignore[arg-type]
    return encode_message(with_mac(replace(header, content=content), secret))


OCTETS = response()
PLAIN = bytes.fromhex("DF 09 01 0000000000000001 08 1111111111111111 08 2222222222222222 00 02 0059 00")


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    export_json(RING, tmp_path / "keystore.json")
    return tmp_path / "keystore.json"


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts these bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


Said = pytest.CaptureFixture[str]


def test_tree_shows_names_offsets_and_octets(capsys: Said) -> None:
    assert cli.main(["gbcs", "decode", OCTETS.hex()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ECS17b response: {IMPORT.title}, {ESME} to {SUPPLIER}, counter 1000"
    assert "     0  MAC header" in lines
    assert "    14    tag: general-signing  [DF]" in lines
    assert "    45      message code: 0x0027 ECS17b  [00 27]" in lines
    assert f"   {len(OCTETS) - 12}  MAC: GMAC, 96 bits  [{OCTETS[-12:].hex(' ').upper()}]" in lines
    assert any("no key at hand" in line for line in lines)


def test_long_fields_are_shown_whole_on_lines_of_their_own(capsys: Said) -> None:
    assert cli.main(["gbcs", "decode", OCTETS.hex()]) == 0
    shown = capsys.readouterr().out
    start = OCTETS.index(bytes.fromhex("3100000000")) + 5
    assert OCTETS[start : start + 25].hex(" ").upper() in shown


@pytest.mark.parametrize(
    "form", [bytes.hex, lambda octets: octets.hex(" "), lambda octets: b64encode(octets).decode()]
)
def test_message_may_be_an_argument(form: Callable[[bytes], str], capsys: Said) -> None:
    assert cli.main(["gbcs", "decode", form(OCTETS), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["use_case"] == "ECS17b"


@pytest.mark.parametrize("form", [lambda o: o, lambda o: o.hex().encode(), b64encode])
def test_message_may_be_a_file_or_standard_input(
    form: Callable[[bytes], bytes], capsys: Said, tmp_path: Path, say: Callable[[bytes], None]
) -> None:
    (tmp_path / "message").write_bytes(form(OCTETS))
    assert cli.main(["gbcs", "decode", str(tmp_path / "message"), "--json"]) == 0
    from_file = capsys.readouterr().out
    for arguments in (["-"], []):
        say(form(OCTETS))
        assert cli.main(["gbcs", "decode", *arguments, "--json"]) == 0
        assert capsys.readouterr().out == from_file


def test_json_is_of_the_published_schema(capsys: Said) -> None:
    assert cli.main(["gbcs", "decode", OCTETS.hex(), "--json"]) == 0
    decoded = DecodedMessage.model_validate_json(capsys.readouterr().out)
    assert (decoded.kind, decoded.length, decoded.checks) == ("response", len(OCTETS), None)
    assert cli.main(["gbcs", "decode", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == decode_schema()


def test_keys_verify_and_decrypt(capsys: Said, keystore: Path) -> None:
    arguments = ["gbcs", "decode", OCTETS.hex(), "--keys", str(keystore)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "MAC verified, signature absent" in shown
    assert "active: 1234 Wh" in shown
    assert cli.main([*arguments, "--json"]) == 0
    decoded = json.loads(capsys.readouterr().out)
    assert decoded["checks"] == {"mac": "verified", "signature": "absent"}
    registers = decoded["parameters"]["import_registers"]["import_register_collection"]
    assert registers["active"] == 1234


def test_wrong_mac_is_said(capsys: Said, keystore: Path) -> None:
    forged = OCTETS[:-1] + bytes((OCTETS[-1] ^ 1,))
    assert cli.main(["gbcs", "decode", forged.hex(), "--keys", str(keystore)]) == 0
    assert "MAC failed, signature absent" in capsys.readouterr().out


def test_broken_message_is_shown_as_far_as_it_goes_with_one_line_on_stderr(capsys: Said) -> None:
    assert cli.main(["gbcs", "decode", PLAIN[:20].hex()]) == 2
    said = capsys.readouterr()
    reason = "grouping header.recipient length: truncated at byte 20, expected 08, found nothing (GBCS 7.2.7)"
    assert said.err == f"smetslab: {reason}\n"
    assert "    12    business originator id  [11 11 11 11 11 11 11 11]" in said.out


def test_content_of_another_shape_is_exit_code_2_and_still_json(capsys: Said) -> None:
    wrong = PLAIN[:-1] + bytes.fromhex("02 D920")
    assert cli.main(["gbcs", "decode", wrong.hex(), "--json"]) == 2
    said = capsys.readouterr()
    decoded = json.loads(said.out)
    assert decoded["error"]["path"] == "APDU.long-invoke-id-and-priority"
    assert decoded["header"]["originator_counter"] == 1
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("nonsense", "nonsense is no file and no message: input: neither hex digits nor base64"),
        ("DF0", "odd number of hex digits"),
        ("", "nothing to decode"),
        ("x" * 5000, "xxx... is no file"),
        ("\0", "is no file and no message"),
    ],
)
def test_argument_that_is_nothing_is_one_line_and_the_next_step(
    argument: str, reason: str, capsys: Said
) -> None:
    assert cli.main(["gbcs", "decode", argument]) == 2
    said = capsys.readouterr()
    first, hint = said.err.splitlines()
    assert reason in first
    assert hint == "  give hex digits, a file of hex digits, base64 or binary, or - for standard input"
    assert said.out == ""


def test_empty_standard_input_and_a_terminal_are_refused(
    capsys: Said, say: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    say(b"")
    assert cli.main(["gbcs", "decode"]) == 2
    assert "nothing to decode" in capsys.readouterr().err
    say(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert cli.main(["gbcs", "decode"]) == 2
    assert "nothing to read on standard input" in capsys.readouterr().err


def test_oversized_input_is_refused_within_bounds(capsys: Said, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"\xdf" + bytes(MAX_MESSAGE_BYTES))
    assert cli.main(["gbcs", "decode", str(tmp_path / "big")]) == 2
    assert "message too long" in capsys.readouterr().err
    (tmp_path / "huge").write_bytes(b"0" * (9 * MAX_MESSAGE_BYTES))
    assert cli.main(["gbcs", "decode", str(tmp_path / "huge")]) == 2
    assert "too long" in capsys.readouterr().err


def test_wrong_key_store_is_one_line(capsys: Said, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("not json")
    assert cli.main(["gbcs", "decode", OCTETS.hex(), "--keys", str(tmp_path / "keys.json")]) == 2
    said = capsys.readouterr()
    assert "keys.json is not JSON" in said.err
    assert said.out == ""
