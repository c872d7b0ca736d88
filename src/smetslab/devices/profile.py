"""Device profiles: what a make, model and firmware is, conforms to, starts with, and does wrong.

A profile is a TOML file, shipped with smetslab or written by a laboratory. A deviation of a device is a
quirk in its profile, with a reason; no code asks for a model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from smetslab import resources
from smetslab.devices.declaration import Declaration, hex_pattern, named, parse, read_octets
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType

SCHEMA_VERSION: Final = 1
SUFFIX: Final = ".toml"

Conformance: TypeAlias = Literal["yes", "no", "not stated"]
StateValue: TypeAlias = int | bool | str
"""A setting a device starts with. Names and units are listed in the README of the device profiles."""

DEVICE_TYPES: Final[Mapping[str, DeviceType]] = {
    "GSME": DeviceType.GSME,
    "ESME": DeviceType.ESME,
    "CHF": DeviceType.CHF,
    "GPF": DeviceType.GPF,
    "HCALCS": DeviceType.HCALCS,
    "PPMID": DeviceType.PPMID,
    "TYPE_2": DeviceType.TYPE_2,
}

ESME_VARIANTS: Final = tuple(
    [
        "A",
        "B",
        "C",
        "AD",
        "BD",
        "CD",
        "ADE",
        "BDE",
        "CDE",
        "ADF",
        "BDF",
        "CDF",
        "ADEF",
        "BDEF",
        "CDEF",
        "ADG",
        "ADEG",
        "AF",
        "BF",
        "CF",
        "AEF",
        "BEF",
        "CEF",
        "AG",
        "AEG",
    ]
)
"""Spec: DUIS 5.4 schema (ESMEVariant)."""

_HINT = "the keys are described in device_profiles/README.md"


class Identity(Declaration):
    """Who made the device and what it is. Spec: SMETS 5.7.1.2, 5.7.1.3, 5.7.5.17; CHTS 4.6.1."""

    manufacturer_id: Annotated[str, Field(pattern=hex_pattern(4))]
    """Manufacturer Identifier: four hex digits, the ZigBee manufacturer code."""
    manufacturer_name: Annotated[str, Field(min_length=1, max_length=30)]
    model_type: Annotated[str, Field(pattern=hex_pattern(16))]
    """Model Type: eight octets."""
    hardware_version: Annotated[str, Field(pattern=hex_pattern(4))]
    """OTA hardware version: two octets."""
    firmware_version: Annotated[str, Field(pattern=hex_pattern(8))]
    """File version of the running OTA image: four octets."""

    image_type: Annotated[str, Field(pattern=hex_pattern(4))] | None = None
    """OTA image type: two octets. Without one no firmware image fits the device."""
    firmware_signers: tuple[Annotated[str, Field(pattern=hex_pattern(130))], ...] = ()
    """Public keys of the maker, uncompressed points: an image has to be signed by one; without any it need
    not be signed."""

    @property
    def model_type_octets(self) -> bytes:
        """Model Type as octets."""
        return bytes.fromhex(self.model_type)

    @property
    def firmware_version_octets(self) -> bytes:
        """Firmware Version as octets."""
        return bytes.fromhex(self.firmware_version)


class ConformanceStatement(Declaration):
    """What the maker states. What is not stated selects no test, and is never a pass."""

    use_cases: dict[str, Conformance] = Field(default_factory=dict)
    """By name of the GBCS use case; a name that is missing here is not stated."""


class Quirk(Declaration):
    """One deviation of a device from the specification."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")]
    reason: Annotated[str, Field(min_length=1)]
    parameters: dict[str, StateValue] = Field(default_factory=dict)


class DeviceProfile(Declaration):
    """One make, model and firmware."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]
    title: Annotated[str, Field(min_length=1)]
    device_type: Annotated[DeviceType, *named(DEVICE_TYPES)]
    variant: str | None = None
    """ESMEVariant; ESME only."""
    gbcs_version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
    smets_version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$", max_length=20)]
    """Version of SMETS, CHTS, PPMIDTS, HCALCSTS or IHDTS, whichever the device follows."""
    type_2: Literal["IHD", "CAD"] | None = None
    """What a Type 2 device is."""
    identity: Identity
    conformance: ConformanceStatement = ConformanceStatement()
    state: dict[str, StateValue] = Field(default_factory=dict)
    quirks: tuple[Quirk, ...] = ()

    @model_validator(mode="after")
    def _type_2_has_a_kind(self) -> DeviceProfile:
        if (self.device_type is DeviceType.TYPE_2) != (self.type_2 is not None):
            raise ValueError("type_2, IHD or CAD, belongs to a device of device_type TYPE_2, and to no other")
        return self

    @model_validator(mode="after")
    def _variant_belongs_to_esme(self) -> DeviceProfile:
        if self.device_type is DeviceType.ESME:
            if self.variant not in ESME_VARIANTS:
                raise ValueError(
                    f"variant of an ESME: {self.variant!r} is not one of {', '.join(ESME_VARIANTS)}"
                )
        elif self.variant is not None:
            raise ValueError("variant: only an ESME has one")
        return self

    @field_validator("quirks")
    @classmethod
    def _each_quirk_once(cls, quirks: tuple[Quirk, ...]) -> tuple[Quirk, ...]:
        names = [quirk.name for quirk in quirks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"quirk {name!r} is named twice")
        return quirks

    def conforms(self, use_case: str) -> Conformance:
        """What the profile states about a use case: three values, never a guess."""
        return self.conformance.use_cases.get(use_case, "not stated")

    def quirk(self, name: str) -> Quirk | None:
        """The quirk of that name, None when the device does not have it."""
        return next((quirk for quirk in self.quirks if quirk.name == name), None)

    def with_overrides(
        self, *, state: Mapping[str, StateValue] | None = None, quirks: Iterable[Quirk] = ()
    ) -> DeviceProfile:
        """The profile of one device of this kind: other settings, further quirks (one of a name replaces).
        Without any it is this profile itself, which devices share."""
        merged = {quirk.name: quirk for quirk in (*self.quirks, *quirks)}
        if not state and tuple(merged.values()) == self.quirks:
            return self
        return self.model_copy(
            update={"state": {**self.state, **(state or {})}, "quirks": tuple(merged.values())}
        )


def profile_names() -> list[str]:
    """The profiles that smetslab ships, sorted."""
    folder = resources.device_profiles()
    return sorted(
        entry.name.removesuffix(SUFFIX) for entry in folder.iterdir() if entry.name.endswith(SUFFIX)
    )


def locate_profile(name: str, base: Path | None = None) -> Traversable:
    """Where a profile is: a name of a shipped one, or a path ending in `.toml`, relative to `base`."""
    if name.endswith(SUFFIX):
        return (Path() if base is None else base) / name
    if name not in profile_names():
        raise UsageError(
            f"no device profile {name!r}",
            hint=f"a path ending in {SUFFIX}, or one of: {', '.join(profile_names())}",
        )
    return resources.device_profiles() / (name + SUFFIX)


def load_profile(
    name: str,
    *,
    base: Path | None = None,
    known_quirks: Collection[str] | None = None,
    known_state: Collection[str] | None = None,
) -> DeviceProfile:
    """Read a profile by name or path. UsageError with file, key and reason when it is wrong.

    The `known_` collections come from whoever interprets these names; a name that is in none of them is
    refused.
    """
    source = locate_profile(name, base)
    profile = _parsed(read_octets(source, str(source)), str(source))
    check_names(profile, str(source), "quirk", (quirk.name for quirk in profile.quirks), known_quirks)
    check_names(profile, str(source), "state setting", profile.state, known_state)
    return profile


@lru_cache(maxsize=64)
def _parsed(octets: bytes, name: str) -> DeviceProfile:
    """Many devices of a lab are of one profile."""
    return parse(DeviceProfile, octets, name, hint=_HINT)


def check_names(
    profile: DeviceProfile, source: str, what: str, names: Iterable[str], known: Collection[str] | None
) -> None:
    """Refuse a name that nobody knows; `known` None accepts all."""
    for name in names if known is not None else ():
        if known is not None and name not in known:
            raise UsageError(
                f"{source}: unknown {what} {name!r} in profile {profile.name}",
                hint=f"known: {', '.join(sorted(known)) or 'none'}",
            )


def profile_schema() -> dict[str, Any]:
    """The JSON schema of a profile file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **DeviceProfile.model_json_schema(mode="validation"),
        "title": "smetslab device profile",
    }
