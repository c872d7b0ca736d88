"""Verification finds every change to a pack, and says where."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from smetslab.crypto import PrivateKey, sha256
from smetslab.errors import CertificateError, UsageError
from smetslab.gbcs.codes import KeyUsage
from smetslab.harness.evidence.manifest import EVIDENCE, MANIFEST, REPORT_JSON, SIGNATURE, Manifest
from smetslab.harness.evidence.sign import sign_manifest
from smetslab.harness.evidence.verify import Verification, verify_pack
from smetslab.ids import Eui64
from smetslab.pki.authority import Authority
from smetslab.rng import RootSeed

Verify = Callable[[Path], Verification]
Body = dict[str, Any]


def problems(found: Verification) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_a_sound_pack_verifies(sound_pack: Path, verify: Verify) -> None:
    found = verify(sound_pack)
    assert (found.exit_code, found.outcome, found.problems, found.notes) == (0, "verified", (), ())
    assert found.manifest is not None
    assert found.records == found.manifest.chain.records
    assert (found.cases, found.checks) == (5, 11)
    assert found.messages > 10


def test_a_zip_archive_of_a_pack_verifies_too(sound_pack: Path, tmp_path: Path, verify: Verify) -> None:
    whole = shutil.make_archive(str(tmp_path / "in"), "zip", sound_pack)
    nested = shutil.make_archive(str(tmp_path / "around"), "zip", sound_pack.parent, sound_pack.name)
    assert verify(Path(whole)).exit_code == 0
    assert verify(Path(nested)).exit_code == 0


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "manifest.sig",
        "evidence.jsonl",
        "report.json",
        "report.html",
        "junit.xml",
        "inputs/lab.toml",
        "inputs/profiles/toy.toml",
    ],
)
def test_any_altered_byte_of_any_file_is_found_and_the_file_named(
    pack: Path, verify: Verify, name: str
) -> None:
    content = (pack / name).read_bytes()
    chosen = random.Random(name)
    places = {0, len(content) - 1, *(chosen.randrange(len(content)) for _ in range(12))}
    for place in sorted(places):
        flipped = content[place] ^ (1 << chosen.randrange(8))
        (pack / name).write_bytes(content[:place] + bytes((flipped,)) + content[place + 1 :])
        found = verify(pack)
        named = [str(problem) for problem in found.problems if str(problem).startswith(name)]
        assert named, f"octet {place} of {name}: {problems(found)}"
        assert found.exit_code == 1


def test_every_altered_record_is_named_with_its_kind_and_case(pack: Path, verify: Verify) -> None:
    lines = (pack / EVIDENCE).read_bytes().splitlines(keepends=True)
    for number in range(0, len(lines), 5):
        body = json.loads(lines[number])
        spoilt = lines[number].replace(b'"record":"', b'"record":"x', 1)
        (pack / EVIDENCE).write_bytes(b"".join([*lines[:number], spoilt, *lines[number + 1 :]]))
        found = verify(pack)
        about = f"x{body['record']} of case {body['case']}" if "case" in body else f"x{body['record']}"
        assert (
            f"evidence.jsonl record {number} ({about}): altered: its content does not have its hash"
            in problems(found)
        )


def test_a_deleted_an_added_and_a_moved_record_are_named(pack: Path, verify: Verify) -> None:
    lines = (pack / EVIDENCE).read_bytes().splitlines(keepends=True)
    (pack / EVIDENCE).write_bytes(b"".join(lines[:10] + lines[11:]))
    assert any("record 10" in text and "missing: record 10" in text for text in problems(verify(pack)))
    (pack / EVIDENCE).write_bytes(b"".join(lines[:10] + lines[4:5] + lines[10:]))
    assert any("record 4" in text and "added, repeated or moved" in text for text in problems(verify(pack)))
    (pack / EVIDENCE).write_bytes(b"".join(lines[:-1]))
    found = problems(verify(pack))
    assert "evidence.jsonl: the last record is not the one the manifest names" in found
    assert f"evidence.jsonl: {len(lines) - 1} readable records, the manifest counts {len(lines)}" in found


def test_a_chain_made_anew_is_named_by_the_first_case_that_differs(
    forge: Callable[..., Path], verify: Verify
) -> None:
    def edit(bodies: list[Body]) -> None:
        place = next(
            number
            for number, body in enumerate(bodies)
            if body["record"] == "check" and body["case"] == "TOY-COUNTER-lower"
        )
        bodies[place]["what"] = "something else"

    found = problems(verify(forge(edit, sign=False)))
    assert "evidence.jsonl records 39 to 62 (case TOY-COUNTER-lower): altered and chained anew" in found


def test_a_checkpoint_that_is_not_the_chains_is_the_manifests_fault(pack: Path, verify: Verify) -> None:
    manifest = (pack / MANIFEST).read_text(encoding="utf-8")
    first = json.loads(manifest)["chain"]["checkpoints"][0]["hash"]
    (pack / MANIFEST).write_text(manifest.replace(first, "0" * 64), encoding="utf-8", newline="\n")
    assert problems(verify(pack)) == [
        "manifest.json: altered: it is not what was signed",
        "manifest.json: its checkpoint of case TOY-READ is not that of the chain",
    ]


def test_missing_and_added_files_are_named(pack: Path, verify: Verify) -> None:
    (pack / "junit.xml").unlink()
    (pack / "inputs" / "more.toml").write_text("x = 1\n")
    assert problems(verify(pack)) == [
        "junit.xml: missing",
        "inputs/more.toml: added: the manifest does not know it",
    ]


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, EVIDENCE])
def test_a_pack_without_one_of_its_three_pillars_is_broken(pack: Path, verify: Verify, name: str) -> None:
    (pack / name).unlink()
    found = verify(pack)
    assert f"{name}: missing" in problems(found)
    assert found.exit_code == 1


def test_a_file_that_became_a_link_is_missing(pack: Path, verify: Verify, tmp_path: Path) -> None:
    (pack / "junit.xml").rename(tmp_path / "elsewhere.xml")
    try:
        (pack / "junit.xml").symlink_to(tmp_path / "elsewhere.xml")
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert problems(verify(pack)) == ["junit.xml: altered: no regular file any more"]


# Who signed -------------------------------------------------------------------------------------------


def test_an_unknown_signer_is_untrusted_not_broken(sound_pack: Path, toy: ModuleType) -> None:
    found = verify_pack(sound_pack, trusted=[toy.STRANGER.certificate], decoders=toy.DECODERS)
    assert (found.exit_code, found.outcome, found.problems) == (4, "untrusted", ())
    assert found.signer is not None
    assert found.signer.fingerprint == toy.LABORATORY.certificate.fingerprint.hex().upper()


def test_a_pack_signed_again_by_a_stranger_is_untrusted(pack: Path, toy: ModuleType, verify: Verify) -> None:
    stranger = toy.STRANGER
    manifest = (pack / MANIFEST).read_bytes()
    (pack / SIGNATURE).write_bytes(sign_manifest(manifest, stranger.private_key, stranger.certificate))
    assert (verify(pack).exit_code, verify(pack).problems) == (4, ())


def test_a_strangers_signature_under_the_laboratorys_certificate_is_broken(
    pack: Path, toy: ModuleType, verify: Verify
) -> None:
    document = json.loads((pack / SIGNATURE).read_bytes())
    document["signature"] = toy.STRANGER.private_key.sign((pack / MANIFEST).read_bytes()).hex().upper()
    (pack / SIGNATURE).write_text(json.dumps(document, indent=2) + "\n")
    assert problems(verify(pack)) == ["manifest.sig: altered: the signature is not the signer's"]


def test_a_key_that_is_not_the_certificates_signs_nothing(toy: ModuleType) -> None:
    with pytest.raises(CertificateError, match="not that of its key"):
        sign_manifest(b"{}", PrivateKey.from_seed(b"another" * 5), toy.LABORATORY.certificate)


@pytest.mark.parametrize(("usage", "code"), [(KeyUsage.DIGITAL_SIGNATURE, 0), (KeyUsage.KEY_AGREEMENT, 4)])
def test_a_certificate_for_signatures_of_a_trusted_authority_is_trusted(
    pack: Path, toy: ModuleType, usage: KeyUsage, code: int
) -> None:
    authority = Authority(RootSeed(11))
    signer = authority.device(Eui64(bytes(8)), usage)
    issuer = authority.device_issuing.certificate
    assert signer.private_key is not None
    data = sign_manifest((pack / MANIFEST).read_bytes(), signer.private_key, signer.certificate)
    (pack / SIGNATURE).write_bytes(data)
    assert verify_pack(pack, trusted=[issuer], decoders=toy.DECODERS).exit_code == code
    assert verify_pack(pack, trusted=[toy.STRANGER.certificate], decoders=toy.DECODERS).exit_code == 4


# A laboratory that lies -------------------------------------------------------------------------------


def edit_first(kind: str, of: str, /, **changes: object) -> Callable[[list[Body]], None]:
    def edit(bodies: list[Body]) -> None:
        next(body for body in bodies if body["record"] == kind and body.get("case") == of).update(changes)

    return edit


FAILED = "TOY-COUNTER-equal"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (edit_first("verdict", FAILED, verdict="pass", reason=""), "its records give fail"),
        (edit_first("verdict", FAILED, checks=1), "counts 1 checks"),
        (edit_first("check", FAILED, expected="FFFF"), "its values give inconclusive, it says pass"),
        (edit_first("check", FAILED, expected=[1], comparison="at_least"), "cannot be made again"),
        (edit_first("check", FAILED, check=2), "check 1 should stand here"),
        (edit_first("check", FAILED, observations=[99]), "rests on observation 99"),
        (edit_first("observation", FAILED, observation=3), "observation 0 should stand here"),
        (edit_first("observation", FAILED, data="0G"), "its data are not hex"),
        (edit_first("observation", FAILED, case="TOY-READ"), "outside the case it names"),
        (lambda bodies: bodies[-1].update(verdict="pass"), "its cases give fail"),
        (lambda bodies: bodies.pop(), "the run has no end"),
        (lambda bodies: bodies.pop(0), "the run has no beginning"),
        (lambda bodies: bodies[0].update(cases=[*bodies[0]["cases"], "TOY-MORE"]), "without TOY-MORE"),
        (edit_first("check", FAILED, surprise=1), "no record: check.surprise"),
        (edit_first("check", FAILED, outcome="waived"), "no record: check.outcome"),
    ],
)
def test_what_does_not_follow_is_found_though_chain_and_signature_hold(
    forge: Callable[..., Path], verify: Verify, edit: Callable[[list[Body]], None], said: str
) -> None:
    found = verify(forge(edit))
    assert any(said in text for text in problems(found)), problems(found)
    assert found.exit_code == 1


def test_a_message_that_does_not_mean_what_the_record_says_is_found(
    forge: Callable[..., Path], verify: Verify
) -> None:
    def edit(bodies: list[Body]) -> None:
        sent = next(body for body in bodies if body.get("meaning") == "Toy command: counter 2")
        sent["data"] = "0100090000"

    [problem] = problems(verify(forge(edit)))
    assert "observation 7 of case TOY-COUNTER-equal" in problem
    assert "its bytes mean 'Toy command: counter 9', it says 'Toy command: counter 2'" in problem


def test_another_version_of_the_tool_may_use_other_words_for_a_message(
    forge: Callable[..., Path], toy: ModuleType, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(bodies: list[Body]) -> None:
        next(body for body in bodies if body.get("meaning"))["meaning"] = "Toy order: counter 1"

    pack = forge(edit)
    monkeypatch.setattr("smetslab.__version__", "9.9.9")
    found = verify(pack)
    assert found.exit_code == 0
    assert found.notes == ("written by smetslab 0.1.0, read by 9.9.9; 1 messages are described differently",)


def test_a_report_that_tells_another_story_is_found(
    pack: Path, forge: Callable[..., Path], verify: Verify
) -> None:
    report = json.loads((pack / REPORT_JSON).read_text())
    report["cases"][1]["verdict"] = "pass"
    report["verdict"] = "pass"
    (pack / REPORT_JSON).write_text(json.dumps(report))
    assert problems(verify(forge(lambda _bodies: None))) == [
        "report.json: case TOY-COUNTER-equal is reported as pass, its records say fail",
        "report.json: says pass of the run, its records say fail",
    ]


def resigned(pack: Path, toy: ModuleType, change: Callable[[Body], None] = lambda manifest: None) -> Path:
    """The pack with a manifest that fits its files, changed and signed by the laboratory itself."""
    manifest = json.loads((pack / MANIFEST).read_bytes())
    for name, entry in manifest["files"].items():
        content = (pack / name).read_bytes()
        entry.update(sha256=sha256(content).hex(), octets=len(content))
    change(manifest)
    data = Manifest.from_bytes(json.dumps(manifest).encode()).to_bytes()
    (pack / MANIFEST).write_bytes(data)
    identity = toy.LABORATORY
    (pack / SIGNATURE).write_bytes(sign_manifest(data, identity.private_key, identity.certificate))
    return pack


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("report.html", (b"toy", b"joy")),
        ("junit.xml", (b'failures="2"', b'failures="0"')),
        ("report.json", (b'"title": "Toy suite"', b'"title": "Joy suite"')),
    ],
)
def test_a_signed_report_is_made_again_from_the_records(
    pack: Path, toy: ModuleType, verify: Verify, name: str, change: tuple[bytes, bytes]
) -> None:
    (pack / name).write_bytes((pack / name).read_bytes().replace(*change, 1))
    assert problems(verify(resigned(pack, toy))) == [f"{name}: says something else than the records"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest.update(seed=8), "seed: says 8, the records say 7"),
        (lambda manifest: manifest.update(not_run=0), "number of cases not run: says 0, the records say 1"),
        (lambda manifest: manifest["suite"].update(version=9), "suite version: says 9, the records say 3"),
        (lambda manifest: manifest.update(counts={"pass": 5}), "counts: says {'pass': 5}, the records say"),
    ],
)
def test_a_signed_manifest_that_tells_of_another_run_is_found(
    pack: Path, toy: ModuleType, verify: Verify, change: Callable[[Body], None], said: str
) -> None:
    [problem] = problems(verify(resigned(pack, toy, change)))
    assert problem.startswith(f"manifest.json: {said}")


def test_another_version_of_the_tool_does_not_have_to_write_the_same_pages(
    pack: Path, toy: ModuleType, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pack / "report.html").write_bytes(b"<p>as it was written then</p>")
    monkeypatch.setattr("smetslab.__version__", "9.9.9")
    assert verify(resigned(pack, toy)).problems == ()


# Archives ---------------------------------------------------------------------------------------------


def archive(pack: Path, file: Path, folder: str, *more: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w") as made:
        for name, content in more:
            made.writestr(name, content)
        for place in sorted(pack.rglob("*")):
            if place.is_file():
                made.write(place, folder + place.relative_to(pack).as_posix())
    return file


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("pack/", "report.html"), "../report.html: added: the manifest does not know it"),
        (("a/pack/", "a/junit.xml"), "../../a/junit.xml: added: the manifest does not know it"),
        (("", "report.html"), "report.html: added: the archive holds it more than once"),
        (("", "../report.html"), "../report.html: added: the manifest does not know it"),
    ],
)
def test_what_an_archive_holds_besides_the_pack_is_named(
    pack: Path, tmp_path: Path, verify: Verify, names: tuple[str, str], said: str
) -> None:
    folder, more = names
    found = verify(archive(pack, tmp_path / "pack.zip", folder, (more, b"<p>all is well</p>")))
    assert problems(found) == [said]


# Not a pack -------------------------------------------------------------------------------------------


def test_what_is_no_pack_is_a_usage_error(tmp_path: Path, verify: Verify) -> None:
    (tmp_path / "file").write_text("hello")
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("file", "neither a folder nor"),
        ("empty", "no evidence pack"),
        ("none", "not exist"),
    ):
        with pytest.raises(UsageError, match=said):
            verify(tmp_path / name)


def test_garbage_in_every_file_is_broken_and_nothing_else(pack: Path, verify: Verify) -> None:
    for name in (MANIFEST, SIGNATURE, EVIDENCE, REPORT_JSON):
        for garbage in (b"", b"\x00\xff", b"{}", b"null", b"[" * 50_000, b'{"schema_version": 1}\n'):
            kept = (pack / name).read_bytes()
            (pack / name).write_bytes(garbage)
            assert verify(pack).exit_code == 1
            (pack / name).write_bytes(kept)
