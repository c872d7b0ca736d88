"""The suite itself: its cases in order, and how a lab file becomes its bench."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import chain
from operator import and_
from pathlib import Path
from typing import Literal

from smetslab.errors import UsageError
from smetslab.gbcs.usecases import USE_CASES
from smetslab.harness.case import AnyCase, Case
from smetslab.harness.conditions import Capabilities, has
from smetslab.harness.equipment import CertificateSummary, Equipment
from smetslab.harness.suite import BenchSetup, SuiteDefinition
from smetslab.harness.suites.f4_smoke import commands, future, living, reads, security
from smetslab.harness.suites.f4_smoke.bench import Cast, SmokeBench, smoke_bench
from smetslab.lab.build import check_lab, lab_files, lab_keystore, lab_profile
from smetslab.lab.config import DeviceConfig, HubConfig, LabConfig, load_lab


def _declared(module: object) -> list[AnyCase]:
    """The cases that a module declares, single ones and families, in its order."""
    values = vars(module).values()
    groups = [(v,) if isinstance(v, Case) else v for v in values if isinstance(v, (Case, tuple))]
    return [_stated(entry) for entry in chain.from_iterable(groups) if isinstance(entry, Case)]


def _stated(entry: AnyCase) -> AnyCase:
    """The case, applying when the meter's profile states every use case that it is about."""
    stated = [has(name) for name in entry.use_cases if not USE_CASES[name].is_alert]
    return replace(entry, applies_when=reduce(and_, stated, entry.applies_when))


CASES: tuple[AnyCase, ...] = tuple(
    entry for module in (reads, commands, future, security, living) for entry in _declared(module)
)


def prepare(lab_file: Path | None) -> BenchSetup[SmokeBench]:
    """Read the lab file (None: the built-in lab) and make what all cases share. Raises UsageError."""
    config = load_lab(lab_file)
    if config.time.mode != "virtual":
        raise UsageError(
            "a suite runs on virtual time", hint='set mode = "virtual" under [time] in the lab file'
        )
    if config.han.zep is not None:
        raise UsageError(
            "a suite runs on virtual time, where no other process can follow",
            hint="take zep out of the section [han] of the lab file, or use `smetslab serve`",
        )
    Cast.of(config)
    keystore = lab_keystore(config)
    check_lab(config, keystore)
    return BenchSetup(
        bench=lambda seed: smoke_bench(config, keystore, seed),
        seed=config.seed,
        inputs=lab_files(config),
        capabilities=_capabilities(config),
        equipment=_equipment(config),
        certificates=tuple(
            CertificateSummary(
                subject=str(certificate.entity_id or certificate.issuer),
                serial=f"{certificate.serial:X}",
                usage=str(certificate.key_usage),
                fingerprint=certificate.fingerprint.hex().upper(),
            )
            for certificate in keystore.certificates()
        ),
    )


def _capabilities(config: LabConfig) -> Capabilities:
    """What the ESME's profile states about each use case; what it leaves open stays open."""
    profile = lab_profile(config, config.premises[0].devices[0])
    stated = {name: profile.conforms(name) for name in USE_CASES}
    return Capabilities({name: word == "yes" for name, word in stated.items() if word != "not stated"})


def _equipment(config: LabConfig) -> tuple[Equipment, ...]:
    premises = config.premises[0]
    members: list[tuple[Literal["dut", "hub", "companion"], str, HubConfig | DeviceConfig]] = [
        ("hub", "hub", premises.hub),
        ("dut", premises.devices[0].name, premises.devices[0]),
        *(("companion", device.name, device) for device in premises.devices[1:]),
    ]
    entries: list[Equipment] = []
    for role, name, configured in members:
        profile = lab_profile(config, configured)
        entries.append(
            Equipment(
                role=role,
                name=name,
                type=profile.device_type.name,
                realisation="simulated",
                variant=profile.variant,
                profile=profile.name,
                manufacturer_id=profile.identity.manufacturer_id,
                model_id=profile.identity.model_type,
                hardware_version=profile.identity.hardware_version,
                firmware_version=profile.identity.firmware_version,
                eui64=str(configured.eui64),
                gbcs_version=profile.gbcs_version,
                smets_version=profile.smets_version,
                quirks=tuple(quirk.name for quirk in profile.quirks),
            )
        )
    return tuple(entries)


SUITE = SuiteDefinition(
    name="f4-smoke",
    title="Section F4 smoke test of one premises: hub and ESME",
    version=1,
    cases=CASES,
    prepare=prepare,
)

__all__ = ["CASES", "SUITE", "prepare"]
