"""Device profiles: what is shipped is sound, and what is wrong is refused in one clear line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from smetslab import resources
from smetslab.devices.declaration import MAX_OCTETS, parse
from smetslab.devices.esme_settings import known_state
from smetslab.devices.profile import DeviceProfile, Quirk, load_profile, profile_names, profile_schema
from smetslab.devices.quirks import known_quirks
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType

SOUND = """
schema_version = 1
name = "our-meter"
title = "Our meter"
device_type = "ESME"
variant = "BD"
gbcs_version = "4.1"
smets_version = "5.1"

[identity]
manufacturer_id = "FFF1"
manufacturer_name = "Ours"
model_type = "0123456789ABCDEF"
hardware_version = "0001"
firmware_version = "0123ABCD"

[conformance.use_cases]
ECS17b = "yes"
ECS10 = "no"
ECS24 = "not stated"

[state]
number = 5
flag = true
word = "on"

[[quirks]]
name = "accepts-replay"
reason = "defect 1234"
parameters = { after = 3 }
"""


def write(folder: Path, text: str) -> str:
    path = folder / "meter.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_profile_is_read_as_it_is_written(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, SOUND))
    assert (profile.device_type, profile.variant) == (DeviceType.ESME, "BD")
    assert profile.identity.model_type_octets == bytes.fromhex("0123456789ABCDEF")
    assert profile.identity.firmware_version_octets == bytes.fromhex("0123ABCD")
    assert profile.state == {"number": 5, "flag": True, "word": "on"}
    assert profile.state["flag"] is True
    assert profile.quirks == (Quirk(name="accepts-replay", reason="defect 1234", parameters={"after": 3}),)


def test_conformance_has_three_values_and_never_guesses(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, SOUND))
    answers = [profile.conforms(name) for name in ("ECS17b", "ECS10", "ECS24", "ECS99")]
    assert answers == ["yes", "no", "not stated", "not stated"]


def test_a_profile_cannot_be_changed_but_copied_with_changes(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, SOUND))
    with pytest.raises(ValidationError):
        profile.name = "other"  # type: ignore[misc]
    changed = profile.with_overrides(
        state={"number": 6},
        quirks=[Quirk(name="accepts-replay", reason="other"), Quirk(name="skips-mac", reason="new")],
    )
    assert changed.state == {"number": 6, "flag": True, "word": "on"}
    assert [(quirk.name, quirk.reason) for quirk in changed.quirks] == [
        ("accepts-replay", "other"),
        ("skips-mac", "new"),
    ]
    assert profile.state["number"] == 5
    assert changed.quirk("skips-mac") is changed.quirks[1]
    assert profile.quirk("skips-mac") is None


def test_the_shipped_profiles_are_sound_and_named_as_their_files() -> None:
    assert {"chf-reference", "esme-reference-a"} <= set(profile_names())
    for name in profile_names():
        assert load_profile(name, known_quirks=known_quirks()).name == name
    meter = load_profile("esme-reference-a", known_quirks=(), known_state=known_state())
    assert (meter.device_type, meter.quirks) == (DeviceType.ESME, ())
    hub = load_profile("chf-reference", known_quirks=())
    assert (hub.device_type, hub.variant, hub.conforms("ECS52")) == (DeviceType.CHF, None, "yes")


def test_every_setting_is_described() -> None:
    text = (resources.device_profiles() / "README.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`([a-z0-9_]+)`", text))
    assert sorted(known_state() - described) == []


QUIRK = '[[quirks]]\nname = "accepts-replay"\nreason = "x"\n'

PROBLEMS = [
    ('schema_version = 1', 'schema_version = 2', "schema_version: input should be 1, found 2"),
    ('schema_version = 1\n', '', "schema_version: missing"),
    ('title = "Our meter"', 'titel = "Our meter"', r"title: missing \(and 1 more problem\)"),
    ('"ESME"', '"esme"', "device_type: 'esme' is not one of GSME, ESME, "),
    ('"BD"', '"DB"', "variant of an ESME: 'DB' is not one of A, B, C, "),
    ('"ESME"', '"CHF"', "variant: only an ESME has one"),
    ('"FFF1"', '"FFF"', "identity.manufacturer_id: "),
    ('"FFF1"', '65521', "identity.manufacturer_id: input should be a valid string, found 65521"),
    ('"0123ABCD"', '"0123ABCG"', "identity.firmware_version: "),
    ('"0123456789ABCDEF"', '"0123456789ABCDE"', "identity.model_type: "),
    ('ECS10 = "no"', 'ECS10 = "maybe"', r"conformance.use_cases.ECS10: .*'yes', 'no' or 'not stated'"),
    ("number = 5", "number = 5.5", "state.number"),
    ("number = 5", "number = [5]", "state.number"),
    ('reason = "defect 1234"', "", r"quirks\[0\].reason: missing"),
    ('reason = "defect 1234"', 'reason = ""', r"quirks\[0\].reason: "),
    ('"accepts-replay"', '"accepts replay"', r"quirks\[0\].name: "),
    ("[[quirks]]", QUIRK + "[[quirks]]", "quirks: quirk 'accepts-replay' is named twice"),
    ("[identity]", "[identity", "not TOML: .*line"),
    ("number = 5", "number = nan", "state.number: not a finite number"),
    ("number = 5", "number = 1979-05-27T07:32:00Z\nnumber = 5", "not TOML: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), PROBLEMS)
def test_a_wrong_profile_is_refused_by_file_key_and_reason(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    assert old in SOUND
    path = write(tmp_path, SOUND.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_profile(path)
    assert re.match(re.escape(f"{path}: ") + message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_names_nobody_knows_are_refused_with_the_choices(tmp_path: Path) -> None:
    path = write(tmp_path, SOUND)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"known_quirks": {"skips-mac"}}, "unknown quirk 'accepts-replay'"),
        ({"known_state": {"number", "flag"}}, "unknown state setting 'word'"),
        ({"known_quirks": set()}, "unknown quirk"),
    ]
    for options, message in cases:
        with pytest.raises(UsageError, match=message) as caught:
            load_profile(path, **options)
        assert caught.value.hint.startswith("known: ")
    assert (
        load_profile(path, known_quirks={"accepts-replay"}, known_state={"number", "flag", "word"}).name
        == "our-meter"
    )


def test_a_profile_is_found_by_name_or_relative_path(tmp_path: Path) -> None:
    write(tmp_path, SOUND)
    assert load_profile("meter.toml", base=tmp_path).name == "our-meter"
    with pytest.raises(UsageError, match="no device profile 'meter'") as caught:
        load_profile("meter", base=tmp_path)
    assert "esme-reference-a" in caught.value.hint
    with pytest.raises(UsageError, match="No such file"):
        load_profile("other.toml", base=tmp_path)


def test_files_that_are_no_profiles_are_refused(tmp_path: Path) -> None:
    for octets, message in (
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"#" * (MAX_OCTETS + 1), "longer than 1048576 octets"),
        (b"x = " + b"[" * 5_000, "nested too deeply"),
        (b"[" + b".".join([b"a"] * 5_000) + b"]", "nested too deeply"),
        (b"", "schema_version: missing"),
    ):
        (tmp_path / "odd.toml").write_bytes(octets)
        with pytest.raises(UsageError, match=message):
            load_profile("odd.toml", base=tmp_path)


@given(
    st.text(max_size=200)
    | st.just(SOUND).flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut]))
)
def test_any_text_gives_a_profile_or_a_usage_error(text: str) -> None:
    try:
        profile = parse(DeviceProfile, text.encode("utf-8", "surrogatepass"), "any")
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert profile.schema_version == 1


def test_the_schema_names_every_key_and_forbids_others() -> None:
    schema = json.loads(json.dumps(profile_schema()))
    assert schema["title"] == "smetslab device profile"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(DeviceProfile.model_fields)
    assert schema["properties"]["device_type"] == {
        "enum": ["GSME", "ESME", "CHF", "GPF", "HCALCS", "PPMID", "TYPE_2"]
    }
    assert schema["$defs"]["Identity"]["properties"]["firmware_version"]["pattern"] == "^[0-9A-Fa-f]{8}$"
    assert schema["properties"]["schema_version"]["const"] == 1
