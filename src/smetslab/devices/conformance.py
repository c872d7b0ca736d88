"""What the virtual devices can do, use case by use case: what a profile may state about one of them.

A profile that states "yes" for what its device does not do would promise tests that cannot pass.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from smetslab.devices import chf_objects, gas_model
from smetslab.devices.chf_core import read_settings
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.esme_objects import model_of
from smetslab.devices.profile import DeviceProfile
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.gbz import GbzAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.registry import USE_CASES

ASN1_COMMANDS: Final = frozenset(
    {
        *("CS02a", "CS02c", "CS02d", "CS02e", "CS02f"),
        *(name for name in USE_CASES if name.startswith(("CS02b.", "CS02g."))),
        *("CS03A1", "CS03A2", "CS03B", "CS03C", "CS04AC", "CS04B", "CS06", "CS07", "CS08", "GCS28", "GCS59"),
    }
)
"""The commands that `devices.security` executes, on the device types of their rows."""

ALERTS: Final = frozenset(
    {
        *("ALERT-8F84", "CCS08", "CS02b-ALERT", "CS02g-ALERT", "CS06-ALERT", "CS09", "CS14"),
        *("DBCH06", "DBCH07", "DBCH08", "DBCH09", "DBCH10", "DBCH11"),
        *("ECS68", "ECS80", "ECS100", "ECS101", "ECS102", "ECS200"),
        *("FDEI-DLMS", "FDEI-GBZ", "FDRA-DLMS", "FDRA-ZigBee"),
        *("GCA", "GCA-ZigBee", "GCS53", "GCS62", "GNCA", "GNCA-ZigBee", "MIIWA-DLMS", "MIIWA-ZigBee"),
    }
)
"""The alerts that devices send, of the device types of their rows."""

_PROPORTIONAL: Final = frozenset({"ECS101", "ECS102", "ECS200"})
"""Of a meter with proportional controllers."""


def check_conformance(profile: DeviceProfile, source: str) -> None:
    """Raises UsageError when a profile states "yes" for a use case that its device does not have."""
    implemented = _implemented(profile.device_type, profile.variant or "", _is_dual_band(profile))
    for name, stated in profile.conformance.use_cases.items():
        if name not in USE_CASES:
            raise UsageError(
                f"{source}: unknown use case {name!r} in profile {profile.name}",
                hint="see `smetslab gbcs usecases`",
            )
        if stated == "yes" and name not in implemented:
            kind = f"{profile.device_type.name} {profile.variant or ''}".strip()
            raise UsageError(
                f'{source}: profile {profile.name} states "yes" for {name}, which no virtual {kind} has',
                hint='say "no", or leave it out: what is not stated is not tested',
            )


def implemented(profile: DeviceProfile) -> frozenset[str]:
    """The names of the use cases that a virtual device of this profile executes or sends."""
    return _implemented(profile.device_type, profile.variant or "", _is_dual_band(profile))


def _is_dual_band(profile: DeviceProfile) -> bool:
    return profile.device_type is DeviceType.CHF and read_settings(profile).dual_band


@lru_cache(maxsize=64)
def _implemented(device_type: DeviceType, variant: str, dual_band: bool) -> frozenset[str]:
    objects = _objects(device_type, variant)
    zcl = {DeviceType.GSME: gas_model.GSME_MODEL, DeviceType.GPF: gas_model.GPF_MODEL}.get(device_type)

    def has(use_case: UseCase) -> bool:
        if use_case.is_alert:
            return use_case.name in ALERTS and (use_case.name not in _PROPORTIONAL or "F" in variant)
        match use_case.payload:
            case DlmsAccess():
                return objects is not None and objects.supports(use_case)
            case GbzAccess():
                return zcl is not None and zcl.supports(use_case)
            case Asn1Payload():
                return use_case.name in ASN1_COMMANDS
            case _:
                return True

    single_band = device_type is DeviceType.CHF and not dual_band
    return frozenset(
        name
        for name, use_case in USE_CASES.items()
        if device_type in use_case.devices
        and not (single_band and name in chf_objects.DUAL_BAND_USE_CASES)
        and has(use_case)
    )


def _objects(device_type: DeviceType, variant: str) -> ObjectModel | None:
    if device_type is DeviceType.ESME:
        return model_of(variant)
    return chf_objects.MODEL if device_type is DeviceType.CHF else None
