"""The smoke suite judged: a sound meter passes it whole, each deliberately wrong one fails a named case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smetslab.devices.quirks import QUIRKS
from smetslab.harness.decoders import standard_decoders
from smetslab.harness.evidence.environment import describe_environment
from smetslab.harness.evidence.pack import PackContents, PackWriter
from smetslab.harness.evidence.verify import verify_pack
from smetslab.harness.obligations import OBLIGATIONS
from smetslab.harness.runner import RunResult, run_suite
from smetslab.harness.suites.f4_smoke import SUITE
from smetslab.harness.verdict import Verdict
from smetslab.lab.config import load_lab
from smetslab.pki.authority import laboratory_identity
from smetslab.rng import RootSeed

SEED = 7

CAUGHT_BY = {
    "accepts-replay": "ECS43-REPLAY",
    "accepts-lower-counter": "ECS43-LOWER-COUNTER",
    "forgets-counter-over-power-cut": "ECS43-COUNTER-OVER-POWER-CUT",
    "skips-mac": "ECS45-WRONG-MAC",
    "skips-signature": "ECS43-WRONG-SIGNATURE",
    "skips-role-check": "ECS43-WRONG-ROLE",
    "accepts-any-recipient": "ECS43-WRONG-RECIPIENT",
    "answers-before-authentication": "ECS45-WRONG-MAC",
    "silent-on-unsupported-command": "UNSUPPORTED-CODE",
    "skips-structure-check": "ECS28a-MALFORMED-SWAPPED-ITEMS",
    "continues-after-error": "ECS24-BREAK-ON-ERROR",
    "wrong-response-counter": "ECS45-READ",
    "unprotected-read": "ECS17b-SEALED",
    "forgets-clock-status": "ECS70-INTERVAL-PAST",
    "ignores-validity-interval": "ECS70-INTERVAL-FUTURE",
    "loses-pending-over-power-cut": "ECS28a-PENDING-OVER-POWER-CUT",
    "ignores-cancellation": "ECS28a-CANCELLED",
    "no-activation-alert": "ECS28a-FUTURE",
    "accepts-reused-utrn": "CS01a-REUSED-TOKEN",
    "wrong-register-scaler": "ECS17b-REGISTER-ADVANCES",
    "alert-counter-restarts": "ALERT-COUNTER-RISES",
    "recovers-no-debt": "CS01a-REPAYS-DEBT",
    "refuses-zero-top-up": "CS01a-ZERO-VALUE",
    "enables-on-credit": "CS01a-ARMS-ONLY",
    "never-disables": "PREPAYMENT-DISABLES",
    "skips-time-debts": "MIDNIGHT-DEBTS",
    "stuck-rate": "ECS24-RATE-SWITCHES",
    "daily-log-stops": "ECS21a-EVERY-MIDNIGHT",
    "clears-security-log": "ECS15a-KEEPS-SECURITY-LOG",
    "outage-not-told": "ECS80-INTERRUPTION",
    "returns-other-certificate": "CS02e-OWN-CERTIFICATES",
    "two-octet-lengths": "CS02a-STRICT-DER",
}
"""Each way in which a meter can be wrong, and the case that finds it out."""


def run(lab_file: Path | None, *ids: str) -> RunResult:
    cases = [case for case in SUITE.cases if not ids or case.id in ids]
    assert not ids or len(cases) == len(ids)
    return run_suite(SUITE, SUITE.prepare(lab_file), SEED, cases=cases)


@pytest.fixture(scope="module")
def sound() -> Iterator[RunResult]:
    yield run(None)


def test_sound_meter_passes_every_case(sound: RunResult) -> None:
    wrong = {r.case: (r.verdict, r.reason) for r in sound.results if r.verdict is not Verdict.PASS}
    assert wrong == {}
    assert len(sound.results) == len(SUITE.cases)


def test_suite_has_the_cases_and_kinds_it_promises() -> None:
    kinds = {case.kind for case in SUITE.cases}
    assert len(SUITE.cases) >= 60
    assert {
        "positive read",
        "critical command",
        "wrong MAC",
        "wrong signature",
        "wrong role",
        "replayed counter",
        "lower counter",
        "wrong recipient",
        "malformed payload",
        "unsupported code",
        "future-dated and cancelled",
        "clock outside tolerance",
        "boundary",
    } <= kinds
    assert all(cited in OBLIGATIONS for case in SUITE.cases for cited in case.obligations)


def test_every_quirk_has_a_case_that_finds_it() -> None:
    assert sorted(CAUGHT_BY) == sorted(QUIRKS)


@pytest.mark.parametrize("quirk", CAUGHT_BY)
def test_wrong_meter_fails_the_case_that_is_about_it(quirk: str, tmp_path: Path) -> None:
    lab_file = tmp_path / "lab.toml"
    text = load_lab().source_text.decode()
    lab_file.write_text(
        text + f'quirks = [{{ name = "{quirk}", reason = "a deliberately wrong meter" }}]\n', encoding="utf-8"
    )
    result = run(lab_file, CAUGHT_BY[quirk])
    assert [(r.case, r.verdict) for r in result.results] == [(CAUGHT_BY[quirk], Verdict.FAIL)]


@pytest.mark.parametrize("kind", ["direct", pytest.param("radio", marks=pytest.mark.soak)])
def test_networks_that_lose_and_repeat_make_no_sound_meter_fail(kind: str, tmp_path: Path) -> None:
    text = load_lab().source_text.decode().replace('kind = "radio"', f'kind = "{kind}"')
    assert f'kind = "{kind}"' in text
    text = text.replace("[wan]\n", "[wan]\nloss_probability = 0.2\nduplicate_probability = 0.6\n")
    bursts = "burst_frames = 2\n" if kind == "radio" else ""
    text = text.replace("[han]\n", f"[han]\nloss_probability = 0.1\n{bursts}")
    (tmp_path / "lab.toml").write_text(text, encoding="utf-8")
    result = run(tmp_path / "lab.toml")
    assert {r.case: r.reason for r in result.results if r.verdict is not Verdict.PASS} == {}


def test_the_evidence_against_a_wrong_meter_verifies(tmp_path: Path) -> None:
    """Whoever reads a fail must be able to make it again from the records, whatever was compared."""
    text = load_lab().source_text.decode()
    quirk = 'quirks = [{ name = "answers-before-authentication", reason = "deliberately wrong" }]\n'
    (tmp_path / "lab.toml").write_text(text + quirk, encoding="utf-8")
    setup = SUITE.prepare(tmp_path / "lab.toml")
    cases = tuple(case for case in SUITE.cases if case.id in ("ECS45-WRONG-MAC", "ECS17b-READ"))
    laboratory = laboratory_identity(RootSeed(3))
    contents = PackContents(
        suite=SUITE, cases=cases, seed=SEED, inputs=setup.inputs, equipment=setup.equipment
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    environment = describe_environment(started=moment, finished=moment, laboratory=laboratory.certificate)
    decoders = standard_decoders()
    with PackWriter(tmp_path / "pack", contents) as writer:
        result = run_suite(SUITE, setup, SEED, cases=cases, decoders=decoders, listeners=[writer])
        writer.finish(result, signer=laboratory, environment=environment, decoders=decoders)
    assert result.verdict is Verdict.FAIL
    found = verify_pack(tmp_path / "pack", trusted=[laboratory.certificate], decoders=decoders)
    assert (found.exit_code, found.problems) == (0, ())


def test_same_seed_gives_the_same_records() -> None:
    ids = ("ECS28a-FUTURE", "ECS22b-READ", "ALERTS-OVER-WAN-OUTAGE")
    assert [r.records for r in run(None, *ids).results] == [r.records for r in run(None, *ids).results]
