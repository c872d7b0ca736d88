"""What stands in the Smart Metering Inventory about the devices of a lab file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from smetslab.devices.profile import DeviceProfile
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.lab.config import DeviceConfig
from smetslab.registry import (
    CertifiedProducts,
    DeviceStatus,
    Inventory,
    InventoryDevice,
    KnownParty,
    ProductStatus,
    Responsibility,
    UserRole,
)

USER_ROLES: Final[Mapping[RemotePartyRole, tuple[UserRole, ...]]] = MappingProxyType(
    {
        RemotePartyRole.SUPPLIER: (UserRole.IMPORT_SUPPLIER, UserRole.EXPORT_SUPPLIER, UserRole.GAS_SUPPLIER),
        RemotePartyRole.NETWORK_OPERATOR: (UserRole.ELECTRICITY_DISTRIBUTOR, UserRole.GAS_TRANSPORTER),
        RemotePartyRole.LOAD_CONTROLLER: (UserRole.OTHER_USER,),
        RemotePartyRole.OTHER: (UserRole.OTHER_USER,),
    }
)
"""As what a remote party may use the DCC; parties of other roles are no service users."""

RESPONSIBLE: Final = (RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR)
"""Who is responsible for the devices of a home, in all its roles as a user: which of them count towards a
device of some type is the access control's business.
"""

_STANDARD_NAMES: Final = {DeviceType.CHF: "CHTS", DeviceType.GPF: "CHTS"}
"""What comes before the version of a device's technical specification; SMETS otherwise. Spec: published
inventory samples.
"""


_KEPT: Final = (
    "import_mpxn",
    "secondary_import_mpan",
    "export_mpan",
    "uprn",
    "property_filter",
    "status_before",
)


def _kept(known: InventoryDevice | None) -> dict[str, Any]:
    """What the DCC has learnt of a device in an earlier run, which no lab file says."""
    return {} if known is None else {name: getattr(known, name) for name in _KEPT}


def _first_status(device: DeviceConfig | None) -> DeviceStatus:
    """A device that has not joined has only been announced."""
    joined = device is None or (device.installed and not device.outside)
    return DeviceStatus.COMMISSIONED if joined else DeviceStatus.PENDING


def enlist(
    inventory: Inventory,
    profile: DeviceProfile,
    *,
    eui64: Eui64,
    hub: Eui64,
    device: DeviceConfig | None,
    parties: Mapping[RemotePartyRole, tuple[Eui64, bool]],
    products: CertifiedProducts | None,
    commissioned: date,
) -> None:
    """Put a device into the inventory, as commissioned; a `device` of None is a hub. `parties`: those of its
    home by their role, and whether the device has their credentials.

    A store that outlives the process knows the device already: its status stays, the rest is the lab file's.
    """
    duties = () if device is None else RESPONSIBLE
    standard = _STANDARD_NAMES.get(profile.device_type, "SMETS")
    known = inventory.find(eui64)
    identity = profile.identity
    version = identity.firmware_version if known is None else known.firmware_version
    certified = _certified(products, identity.manufacturer_id, identity.model_type, version)
    entry = InventoryDevice(
        device_id=eui64,
        device_type=profile.device_type,
        kind=profile.type_2 or "",
        hub=hub,
        status=_first_status(device) if known is None else known.status,
        gbcs_version=profile.gbcs_version,
        **_kept(known),
        responsible=tuple(
            Responsibility(role=duty, party=parties[role][0])
            for role in duties
            if role in parties
            for duty in USER_ROLES[role]
        ),
        manufacturer=identity.manufacturer_id,
        model=identity.model_type,
        smets_chts_version=f"{standard} V{profile.smets_version}",
        firmware_version=version,
        firmware_version_status=certified,
        cpl_status=certified,
        date_commissioned=commissioned if known is None else known.date_commissioned,
        esme_variant=profile.variant or "",
        csp_region="North",
        han_variant="Single Band",
        known_parties=tuple(
            KnownParty(party=party, role=role) for role, (party, knows) in parties.items() if knows
        ),
    )
    if known is None:
        inventory.add(entry)
    else:
        inventory.update(entry)


def _certified(products: CertifiedProducts | None, manufacturer: str, model: str, version: str) -> str:
    """The status on the Certified Products List, "" for what is not on it; without a list all is active."""
    if products is None:
        return ProductStatus.ACTIVE.value
    status = products.status(manufacturer, model, version)
    return "" if status is None else status.value
