"""The virtual devices of a home, by type: how each is made from the same parts.

A new kind of device is a row of `CONSTRUCTORS` and one of `KNOWN_STATE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from smetslab.devices import chf_core, esme_settings, gas_settings, type1_core
from smetslab.devices.base import Device
from smetslab.devices.chf import CommunicationsHub
from smetslab.devices.display_reading import ShownMeter
from smetslab.devices.esme import Esme
from smetslab.devices.gpf import GasProxy
from smetslab.devices.gsme import Gsme
from smetslab.devices.parts import DeviceParts
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.security.firmware_store import Receipt
from smetslab.devices.type1 import TYPE_1, Type1Device
from smetslab.devices.type2 import Cad, Ihd, refuse_settings
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64

HomeDevice: TypeAlias = "Device[Any]"
"""Any device of a home."""


@runtime_checkable
class CarriesImages(Protocol):
    """A device that takes firmware images by hand."""

    def receive_firmware(self, image: bytes) -> Receipt: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the devices of a home are made of. `proxy`: the gas proxy function of the home, if it has one;
    `neighbours`: the devices that are there already.
    """

    device: DeviceParts
    hub: CommunicationsHub
    proxy: Eui64 | None
    neighbours: Mapping[Eui64, HomeDevice]


def _type_1(kind: type[Type1Device[Any]]) -> Callable[[Parts], HomeDevice]:
    return lambda parts: kind(hub=parts.hub.eui64, **parts.device)


def _type_2(parts: Parts) -> HomeDevice:
    """A display reads the meters that are there: they have it on their device logs from the beginning."""
    device = parts.device
    meters: list[ShownMeter] = []
    for eui64, meter in parts.neighbours.items():
        if isinstance(meter, (Esme, GasProxy)):
            meter.pair_display(device["eui64"])
            meters.append(ShownMeter(eui64, meter.device_type))
    kind = Cad if device["profile"].type_2 == "CAD" else Ihd
    return kind(
        profile=device["profile"],
        eui64=device["eui64"],
        nvm=device["nvm"],
        han=device["han"],
        hub=parts.hub.eui64,
        clock=device["clock"],
        trace=device["trace"],
        meters=meters,
    )


CONSTRUCTORS: Final[Mapping[DeviceType, Callable[[Parts], HomeDevice]]] = MappingProxyType(
    {
        DeviceType.GPF: lambda parts: GasProxy(hub=parts.hub, **parts.device),
        DeviceType.ESME: lambda parts: Esme(hub=parts.hub.eui64, **parts.device),
        DeviceType.GSME: lambda parts: Gsme(hub=parts.hub.eui64, proxy=parts.proxy, **parts.device),
        **{kind: _type_1(made) for kind, made in TYPE_1.items()},
        DeviceType.TYPE_2: _type_2,
    }
)
"""By device type, in the order in which the devices of a home are brought up."""

KNOWN_STATE: Final[Mapping[DeviceType, tuple[str, ...]]] = MappingProxyType(
    {
        DeviceType.CHF: tuple(chf_core.known_state()),
        DeviceType.ESME: tuple(esme_settings.known_state()),
        DeviceType.GSME: gas_settings.known_state(),
        DeviceType.GPF: gas_settings.known_gpf_state(),
        DeviceType.PPMID: tuple(type1_core.known_state()),
        DeviceType.HCALCS: tuple(type1_core.known_state()),
        DeviceType.TYPE_2: (),
    }
)
"""The settings that a profile of a type may have."""


def check_virtual(name: str, profile: DeviceProfile) -> None:
    """Raises UsageError when a device cannot be made from its profile."""
    if profile.device_type not in CONSTRUCTORS:
        raise UsageError(
            f"device {name}: no virtual {profile.device_type.name} yet",
            hint=f"a premises can have a hub and {', '.join(kind.name for kind in CONSTRUCTORS)}",
        )
    READERS[profile.device_type](profile)


READERS: Final[Mapping[DeviceType, Callable[[DeviceProfile], object]]] = {
    DeviceType.CHF: chf_core.read_settings,
    DeviceType.ESME: esme_settings.read_settings,
    DeviceType.GSME: gas_settings.read_gsme_settings,
    DeviceType.GPF: gas_settings.read_gpf_settings,
    DeviceType.PPMID: type1_core.read_settings,
    DeviceType.HCALCS: type1_core.read_settings,
    DeviceType.TYPE_2: refuse_settings,
}
"""What reads the settings of a profile, by device type."""
