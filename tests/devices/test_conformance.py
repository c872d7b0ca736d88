"""What profiles state about use cases, and what the virtual devices do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import smetslab.devices
from smetslab.clock import run_virtual
from smetslab.devices import conformance
from smetslab.devices.conformance import ALERTS, check_conformance, implemented
from smetslab.devices.profile import ConformanceStatement, DeviceProfile, load_profile, profile_names
from smetslab.errors import UsageError
from smetslab.gbcs.usecases.ppmid import HanCommand
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.lab.build import Lab, lab_profile
from smetslab.lab.config import HOME_NAME, DeviceConfig, HanConfig, load_lab


def stating(name: str, use_case: str, answer: str = "yes") -> DeviceProfile:
    """A shipped profile that states one thing besides."""
    profile = load_profile(name)
    stated = {**profile.conformance.use_cases, use_case: answer}
    return profile.model_copy(update={"conformance": ConformanceStatement(use_cases=stated)})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_states_what_its_device_does(name: str) -> None:
    profile = load_profile(name)
    check_conformance(profile, name)
    stated = {use_case for use_case, answer in profile.conformance.use_cases.items() if answer == "yes"}
    assert stated <= implemented(profile)


@pytest.mark.parametrize(
    ("name", "use_case"),
    [
        ("esme-reference-a", "ECS47"),  # DLMS: no auxiliary switches
        ("esme-reference-ad", "ECS101"),  # an alert: no proportional controllers
        ("esme-reference-a", "CS03C"),  # ASN.1: of gas meters
        ("gsme-reference", "GCS59"),  # ASN.1: of a proxy
        ("gpf-reference", "GCS01a"),  # GBZ: of a gas meter
        ("hcalcs-reference", "CS04AC"),
        ("ppmid-reference", "CS06"),
        ("ihd-reference", "CS08"),
        ("chf-reference", "ECS43"),
    ],
)
def test_a_yes_for_what_the_device_does_not_do_is_refused(name: str, use_case: str) -> None:
    with pytest.raises(UsageError, match=f'states "yes" for {use_case}'):
        check_conformance(stating(name, use_case), "a file")
    for answer in ("no", "not stated"):
        check_conformance(stating(name, use_case, answer), "a file")


def test_a_use_case_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="a file: unknown use case 'ECS99'"):
        check_conformance(stating("esme-reference-a", "ECS99", "no"), "a file")


def test_a_hub_of_one_band_has_no_sub_ghz_use_cases() -> None:
    profile = load_profile("chf-reference")
    assert "DBCH01" in implemented(profile)
    single = profile.with_overrides(state={"dual_band": False})
    assert "DBCH01" not in implemented(single)
    with pytest.raises(UsageError, match='states "yes" for DBCH'):
        check_conformance(single, "a file")


def test_a_lab_refuses_such_a_profile(tmp_path: Path) -> None:
    profile = Path("device_profiles/gsme-reference.toml")
    text = (Path(__file__).parents[2] / profile).read_text(encoding="utf-8")
    (tmp_path / "ours.toml").write_text(
        text.replace("[conformance.use_cases]\n", '[conformance.use_cases]\nECS43 = "yes"\n'),
        encoding="utf-8",
    )
    config = load_lab()
    device = DeviceConfig(name="gas", profile=str(tmp_path / "ours.toml"), eui64=config.premises[0].hub.eui64)
    with pytest.raises(UsageError, match='states "yes" for ECS43'):
        lab_profile(config, device)


def test_what_is_listed_is_what_devices_in_a_home_accept() -> None:
    async def ask() -> dict[str, tuple[set[str], set[str]]]:
        found: dict[str, tuple[set[str], set[str]]] = {}
        config = load_lab(default=HOME_NAME).model_copy(update={"han": HanConfig(kind="direct")})
        async with Lab(config) as lab:
            members: list[Any] = [*lab.hubs.values(), *lab.devices.values()]
            for device in members:
                if not hasattr(device._core, "application"):
                    continue
                application, kind = device._core.application, device.device_type
                accepted = {
                    name
                    for name, use_case in USE_CASES.items()
                    if kind in use_case.devices and not use_case.is_alert and application._supports(use_case)
                }
                listed = {
                    name
                    for name in implemented(device.profile)
                    if not USE_CASES[name].is_alert
                    and not isinstance(USE_CASES[name].payload, HanCommand)
                    and device.profile.conforms(name) != "no"
                }
                found[kind.name] = (accepted, listed)
        return found

    found = run_virtual(ask())
    assert set(found) == {"CHF", "GPF", "ESME", "GSME", "PPMID", "HCALCS"}
    for kind, (accepted, listed) in found.items():
        assert accepted == listed, kind


def names_in_sources() -> Iterator[str]:
    """Every text that stands in a module of the devices, but for the list itself."""
    for path in sorted(Path(smetslab.devices.__file__).parent.rglob("*.py")):
        if path.name != Path(conformance.__file__).name:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_alert_that_is_listed_is_sent_somewhere() -> None:
    """And every one that there is, is listed."""
    texts = set(names_in_sources())
    generic = {name for name in ALERTS if name.startswith(("GCA", "GNCA", "MIIWA", "FDEI", "ALERT"))}
    assert {name for name in ALERTS - generic if name not in texts} == set()
    assert {name for name, use_case in USE_CASES.items() if use_case.is_alert} == ALERTS
