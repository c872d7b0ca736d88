"""Every message of a folder gets a row that says what holds and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from smetslab.crypto import PrivateKey
from smetslab.errors import UsageError
from smetslab.gbcs.codes import KeyUsage
from smetslab.gbcs.dlms.apdu import long_invoke_id
from smetslab.gbcs.message import Message, encode_message
from smetslab.gbcs.security import with_mac
from smetslab.ids import Eui64
from smetslab.pki import Authority, Entry, KeyRing
from smetslab.pki.files import export_json
from smetslab.rng import RootSeed
from smetslab.rtds import CheckReport, MessageKeys, MessageRow, check_folder, check_message, report_schema
from smetslab.rtds.key_folders import key_folders

Secret = Callable[[Eui64, Eui64], bytes]


def rows(report: CheckReport) -> dict[str, MessageRow]:
    return {row.file.removeprefix("gbcs/").removesuffix(".HEX"): row for row in report.messages}


def check(message: Message, ring: KeyRing) -> MessageRow:
    return check_message("file", encode_message(message), MessageKeys(ring))


@pytest.mark.parametrize("ending", ["pem", "PEM"])
def test_keys_are_found_however_their_ending_is_written(tmp_path: Path, ending: str) -> None:
    (tmp_path / "keystore").mkdir()
    (tmp_path / "keystore" / f"a-ds.{ending}").touch()
    (tmp_path / "gbcs").mkdir()
    assert key_folders(tmp_path) == key_folders(tmp_path / "gbcs") == [tmp_path / "keystore"]


def test_sound_data_set_holds(folder: Path) -> None:
    report = check_folder(folder)
    assert report.passed
    assert [row.file for row in report.messages] == sorted(row.file for row in report.messages)
    found = {
        name: (row.use_case, row.kind, row.mac, row.signature, row.decrypted, row.opaque, row.named)
        for name, row in rows(report).items()
    }
    assert found == {
        "alert": ("0x7FFF", "alert", "absent", "verified", None, True, False),
        "between/devices": ("0x7FFE", "command", "verified", "absent", None, False, False),
        "close/command": ("ECS42", "command", "verified", "verified", None, False, True),
        "close/pre-command": ("ECS42", "pre-command", "absent", "absent", None, False, True),
        "read/command": ("ECS17b", "command", "verified", "absent", None, False, True),
        "read/response": ("ECS17b", "response", "verified", "absent", True, False, True),
        "top-up/command": ("CS01a", "command", "verified", "absent", None, False, True),
    }


def test_summary_counts_the_rows(folder: Path) -> None:
    summary = check_folder(folder).summary
    assert (summary.messages, summary.failures, summary.decoded, summary.reencoded_identical) == (7, 0, 7, 7)
    assert (summary.commands, summary.pre_commands, summary.responses, summary.alerts) == (4, 1, 1, 1)
    assert summary.mac.model_dump() == {"verified": 5, "failed": 0, "absent": 2, "uncheckable": 0}
    assert summary.signature.model_dump() == {"verified": 2, "failed": 0, "absent": 5, "uncheckable": 0}
    assert (summary.decrypted, summary.sealed) == (1, 0)
    assert (summary.utrns_recomputed, summary.utrns_other) == (1, 0)


def test_token_that_the_keys_do_not_give_is_told_and_is_no_failure(
    messages: dict[str, Message], ring: KeyRing
) -> None:
    command = messages["top-up/command"]
    later = replace(command, originator_counter=4 << 32)
    content = bytes((command.content[0],)) + long_invoke_id(4 << 32).to_bytes(4, "big") + command.content[5:]
    row = check(replace(later, content=content, message_mac=None), ring)
    assert (row.utrn, row.failed) == ("other", False)
    assert check(command, KeyRing(())).utrn == "uncheckable"


def test_same_files_give_the_same_report(folder: Path) -> None:
    assert check_folder(folder).model_dump_json() == check_folder(folder).model_dump_json()


def test_keys_beside_the_folder_of_the_messages_are_found(folder: Path) -> None:
    whole, messages_alone = check_folder(folder), check_folder(folder / "gbcs")
    assert messages_alone.summary.mac == whole.summary.mac
    assert messages_alone.keystore.folders == ["../keystore"]


def test_without_keys_nothing_fails_and_nothing_is_verified(folder: Path, tmp_path: Path) -> None:
    copytree(folder / "gbcs", tmp_path / "alone" / "gbcs")
    report = check_folder(tmp_path / "alone" / "gbcs")
    assert report.passed
    assert report.keystore.certificates == 0
    assert (report.summary.mac.uncheckable, report.summary.signature.uncheckable) == (5, 2)
    assert (report.summary.decrypted, report.summary.sealed) == (0, 1)


def test_another_key_store_may_be_given(folder: Path, ring: KeyRing, tmp_path: Path) -> None:
    export_json(ring, tmp_path / "keystore.json")
    report = check_folder(folder / "gbcs", keystore=tmp_path / "keystore.json")
    assert report.summary.mac.verified == 5
    assert report.keystore.folders == [str(tmp_path / "keystore.json")]


def test_keys_of_another_world_verify_nothing(messages: dict[str, Message]) -> None:
    other = Authority(RootSeed(1)).keystore((Eui64.parse("00DB1234567890A0"),))
    assert check(messages["read/command"], other).mac == "failed"
    assert check(messages["alert"], other).signature == "failed"
    row = check(messages["read/response"], other)
    assert (row.mac, row.decrypted, row.failed) == ("failed", False, True)
    assert "opens the protected content" in (row.error or "")


def test_several_generations_of_a_credential_are_all_tried(
    messages: dict[str, Message], ring: KeyRing
) -> None:
    other = Authority(RootSeed(1)).keystore((Eui64.parse("00DB1234567890A0"),))
    for merged in (other.merged(ring), ring.merged(other)):
        for message in messages.values():
            row = check(message, merged)
            assert not row.failed
            assert "uncheckable" not in {row.mac, row.signature}


def test_either_private_key_is_enough(messages: dict[str, Message], ring: KeyRing) -> None:
    def holding(*owners: str) -> KeyRing:
        return KeyRing(
            Entry(
                name=entry.name,
                certificate=entry.certificate,
                private_key=entry.private_key if str(entry.certificate.entity_id) in owners else None,
                cell_usage=entry.cell_usage,
            )
            for entry in ring.entries
        )

    command, response = messages["read/command"], messages["read/response"]
    assert check(command, holding("00DB1234567890A0")).mac == "verified"
    assert check(command, holding("90B3D51F30000002")).mac == "verified"
    assert check(command, holding("90B3D51F30010000")).mac == "uncheckable"
    assert check(response, holding("90B3D51F30010000")).decrypted is True
    sealed = check(response, holding("90B3D51F30000002"))
    assert (sealed.mac, sealed.decrypted, sealed.failed) == ("uncheckable", False, False)
    assert check(messages["between/devices"], holding("90B3D51F30000002")).mac == "uncheckable"


@pytest.mark.parametrize("name", ["read/command", "read/response", "close/command", "between/devices"])
def test_wrong_mac_fails(name: str, messages: dict[str, Message], ring: KeyRing) -> None:
    row = check(replace(messages[name], message_mac=bytes(12)), ring)
    assert (row.mac, row.failed, row.decoded, row.reencoded_identical) == ("failed", True, True, True)


def test_wrong_signature_fails(messages: dict[str, Message], ring: KeyRing, secret: Secret) -> None:
    command = messages["close/command"]
    device, broker = command.business_target_id, Eui64.parse("90B3D51F30000002")
    forged = with_mac(replace(command, signature=bytes(64)), secret(device, broker))
    row = check(forged, ring)
    assert (row.mac, row.signature, row.failed) == ("verified", "failed", True)


def test_signature_of_another_party_fails(messages: dict[str, Message], ring: KeyRing) -> None:
    row = check(replace(messages["alert"], business_originator_id=Eui64.parse("90B3D51F30010000")), ring)
    assert row.signature == "failed"


def test_content_of_another_shape_is_an_error(messages: dict[str, Message], ring: KeyRing) -> None:
    command = replace(messages["close/pre-command"], content=bytes.fromhex("D9200003E8000000"))
    row = check(command, ring)
    assert (row.decoded, row.reencoded_identical, row.named, row.failed) == (True, True, False, True)
    assert "not the access list of the use case" in (row.error or "")


def test_content_that_is_no_apdu_is_not_decoded(messages: dict[str, Message], ring: KeyRing) -> None:
    row = check(replace(messages["close/pre-command"], content=bytes.fromhex("D920")), ring)
    assert (row.decoded, row.reencoded_identical, row.failed) == (False, False, True)


def test_altered_protected_content_does_not_open(
    messages: dict[str, Message], ring: KeyRing, secret: Secret
) -> None:
    response = messages["read/response"]
    content = bytearray(response.content)
    content[-6] ^= 1
    own = secret(response.business_originator_id, response.business_target_id)
    row = check(with_mac(replace(response, content=bytes(content)), own), ring)
    assert (row.mac, row.decrypted, row.failed) == ("verified", False, True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing to decode"),
        ("DF09", "truncated"),
        ("DF0", "odd number"),
        ("message", "neither hex"),
        ("0" * 5_000_000, "too long"),
    ],
)
def test_file_that_is_no_message_is_a_row_and_no_crash(folder: Path, text: str, reason: str) -> None:
    (folder / "gbcs" / "broken.hex").write_text(text)
    report = check_folder(folder)
    assert not report.passed
    (broken,) = [row for row in report.messages if row.failed]
    assert (broken.file, broken.decoded, broken.kind, broken.use_case) == (
        "gbcs/broken.hex",
        False,
        None,
        None,
    )
    assert reason in (broken.error or "")
    assert report.summary.messages == 8


def test_binary_message_is_taken_too(folder: Path, messages: dict[str, Message]) -> None:
    (folder / "binary.HEX").write_bytes(encode_message(messages["alert"]))
    assert check_folder(folder).summary.signature.verified == 3


def test_broken_files_of_a_key_store_are_reported_and_skipped(folder: Path) -> None:
    (folder / "keystore" / "0000000000000000-ds.pem").write_text("no certificate")
    stray = PrivateKey.from_seed(b"stray" * 8).to_pem()
    (folder / "keystore" / "1111111111111111-ka.key").write_bytes(stray)
    report = check_folder(folder)
    assert report.passed
    assert {item.name for item in report.keystore.skipped} == {
        "0000000000000000-ds.pem",
        "1111111111111111-ka.key",
    }


def test_folder_without_messages_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no"):
        check_folder(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        check_folder(tmp_path / "missing")


def test_key_store_that_cannot_be_loaded_is_a_usage_error(folder: Path) -> None:
    with pytest.raises(UsageError):
        check_folder(folder, keystore=folder / "missing.json")


def test_shared_secrets_are_computed_once(
    messages: dict[str, Message], ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[object] = []
    plain = PrivateKey.exchange
    monkeypatch.setattr(
        PrivateKey, "exchange", lambda self, other: computed.append(other) or plain(self, other)
    )
    keys = MessageKeys(ring)
    for _ in range(3):
        for message in messages.values():
            check_message("file", encode_message(message), keys)
    assert len(computed) == 4  # ESME with broker, supplier, PPMID, and the top-up key of the supplier


def test_published_schema_names_every_field(folder: Path) -> None:
    schema = json.loads(json.dumps(report_schema()))
    assert set(schema["properties"]) == set(CheckReport.model_fields)
    row = schema["$defs"]["MessageRow"]
    assert row["required"] == list(MessageRow.model_fields)
    assert list(MessageRow.model_fields)[:4] == ["file", "use_case", "kind", "decoded"]
    assert check_folder(folder).model_dump(mode="json")["schema_version"] == 1


def test_key_usage_of_the_ring_is_respected(messages: dict[str, Message], ring: KeyRing) -> None:
    agreeing = KeyRing(e for e in ring.entries if e.certificate.key_usage is KeyUsage.KEY_AGREEMENT)
    assert check(messages["alert"], agreeing).signature == "uncheckable"
    assert check(messages["close/command"], agreeing).mac == "verified"
