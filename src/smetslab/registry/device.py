"""One device of the Smart Metering Inventory, as a value and as it stands in memory.

Spec: DUIS schema 5.4, type Device (members and their words); SEC (inventory).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from smetslab.duis.codes import UserRole
from smetslab.errors import RegistryError, StoreError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.registry.life_cycle import DeviceStatus
from smetslab.store.nvm import Json

SCHEMA_VERSION: Final = 2
_READABLE_VERSIONS: Final = (1, SCHEMA_VERSION)

TYPE_2_KINDS: Final = ("IHD", "CAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Responsibility:
    """A party that is responsible for a device in a role, `since` a moment and before `until` another."""

    role: UserRole
    party: Eui64
    since: datetime | None = None
    until: datetime | None = None

    def holds_at(self, moment: datetime | None) -> bool:
        """Whether it holds; without a moment only what has no end does."""
        if moment is None:
            return self.until is None
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownParty:
    """A remote party whose credentials stand in a trust anchor cell of a device, and that cell's role."""

    party: Eui64
    role: RemotePartyRole


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFilter:
    """Where a device is, as far as users may look for it."""

    post_code: str
    address_identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryDevice:
    """One device. `hub` is its Communications Hub Function, which is its own; None before it is on the
    device log of one.

    A command of a party that is not one of `known_parties`, or not in a role that may send it, reaches
    the device through the access control broker. `status_before` is what a suspended device returns to;
    `kind` is the DUIS word of a Type 2 device.
    """

    device_id: Eui64
    device_type: DeviceType
    hub: Eui64 | None = None
    status: DeviceStatus = DeviceStatus.COMMISSIONED
    gbcs_version: str = "4.1"
    responsible: tuple[Responsibility, ...] = ()
    known_parties: tuple[KnownParty, ...] = ()
    status_before: DeviceStatus | None = None
    kind: str = ""
    manufacturer: str = ""
    model: str = ""
    smets_chts_version: str = ""
    firmware_version: str = ""
    firmware_version_status: str = ""
    cpl_status: str = ""
    date_commissioned: date | None = None
    import_mpxn: str = ""
    secondary_import_mpan: str = ""
    export_mpan: str = ""
    esme_variant: str = ""
    uprn: int | None = None
    property_filter: PropertyFilter | None = None
    csp_region: str = ""
    han_variant: str = ""
    associated_gpf: Eui64 | None = None

    def __post_init__(self) -> None:
        if self.device_type is DeviceType.CHF and self.hub not in {None, self.device_id}:
            raise RegistryError(f"the hub of {self.device_id} is itself, not {self.hub}", rule="hub")
        if self.kind and (self.device_type is not DeviceType.TYPE_2 or self.kind not in TYPE_2_KINDS):
            raise RegistryError(f"{self.kind} is no kind of a {self.device_type.name}", rule="kind")

    @property
    def duis_type(self) -> str:
        """The word of DUIS for its type."""
        return (self.kind or "IHD") if self.device_type is DeviceType.TYPE_2 else self.device_type.name

    @property
    def meter_points(self) -> tuple[str, ...]:
        """Its meter point numbers."""
        return tuple(one for one in (self.import_mpxn, self.secondary_import_mpan, self.export_mpan) if one)

    def is_responsible(self, party: Eui64, role: UserRole, moment: datetime | None = None) -> bool:
        """Whether `party` is responsible for it in `role` at a moment, or for good."""
        return any(
            item.role is role and item.party == party and item.holds_at(moment) for item in self.responsible
        )

    def parties(self, role: UserRole, moment: datetime | None = None) -> tuple[Eui64, ...]:
        """Who is responsible for it in `role`."""
        return tuple(item.party for item in self.responsible if item.role is role and item.holds_at(moment))

    def knows(self, party: Eui64, roles: Collection[RemotePartyRole]) -> bool:
        """Whether it has credentials of `party` in one of `roles`."""
        return any(known.party == party and known.role in roles for known in self.known_parties)


# In memory --------------------------------------------------------------------------------------------------

_TEXTS: Final = (
    "kind",
    "manufacturer",
    "model",
    "smets_chts_version",
    "firmware_version",
    "firmware_version_status",
    "cpl_status",
    "import_mpxn",
    "secondary_import_mpan",
    "export_mpan",
    "esme_variant",
    "csp_region",
    "han_variant",
)


def device_json(device: InventoryDevice) -> Json:
    """What stands in memory of a device; what is absent is left out."""
    members: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "device_id": str(device.device_id),
        "device_type": device.device_type.name,
        "status": device.status.value,
        "gbcs_version": device.gbcs_version,
        "responsible": [
            [item.role.value, str(item.party), _moment(item.since), _moment(item.until)]
            for item in device.responsible
        ],
        "known_parties": [[str(known.party), known.role.name] for known in device.known_parties],
    }
    optional: dict[str, Json] = {
        "hub": None if device.hub is None else str(device.hub),
        "status_before": None if device.status_before is None else device.status_before.value,
        "date_commissioned": None
        if device.date_commissioned is None
        else device.date_commissioned.isoformat(),
        "uprn": device.uprn,
        "property_filter": (
            None
            if device.property_filter is None
            else [device.property_filter.post_code, device.property_filter.address_identifier]
        ),
        "associated_gpf": None if device.associated_gpf is None else str(device.associated_gpf),
        **{name: getattr(device, name) or None for name in _TEXTS},
    }
    members.update({key: value for key, value in optional.items() if value is not None})
    return members


def device_from(key: str, value: Json) -> InventoryDevice:
    """Raises StoreError. What an earlier version wrote knows no roles of known parties: those are read as
    suppliers', the only ones it was used for.
    """
    try:
        if not isinstance(value, dict) or value["schema_version"] not in _READABLE_VERSIONS:
            raise StoreError(f"inventory entry {key} is not of version {SCHEMA_VERSION}")
        responsible, known = value["responsible"], value["known_parties"]
        if not isinstance(responsible, list) or not isinstance(known, list):
            raise StoreError(f"inventory entry {key} is damaged")
        status_before, commissioned = value.get("status_before"), value.get("date_commissioned")
        hub, uprn, gpf = value.get("hub"), value.get("uprn"), value.get("associated_gpf")
        return InventoryDevice(
            device_id=Eui64.parse(str(value["device_id"])),
            device_type=DeviceType[str(value["device_type"])],
            hub=None if hub is None else Eui64.parse(str(hub)),
            status=DeviceStatus(str(value["status"])),
            gbcs_version=str(value["gbcs_version"]),
            responsible=tuple(_responsibility(item) for item in responsible),
            known_parties=tuple(_known_party(item) for item in known),
            status_before=None if status_before is None else DeviceStatus(str(status_before)),
            date_commissioned=None if commissioned is None else date.fromisoformat(str(commissioned)),
            uprn=None if uprn is None else int(str(uprn)),
            property_filter=_property_filter(value.get("property_filter")),
            associated_gpf=None if gpf is None else Eui64.parse(str(gpf)),
            **{name: str(value.get(name, "")) for name in _TEXTS},
        )
    except (KeyError, ValueError, IndexError) as error:
        raise StoreError(f"inventory entry {key} is damaged: {error}") from error


def _moment(moment: datetime | None) -> Json:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _responsibility(item: Json) -> Responsibility:
    if not isinstance(item, list):
        raise StoreError("a responsibility in the inventory is damaged")
    since, until = (*item, None, None)[2:4]
    return Responsibility(
        role=UserRole(str(item[0])),
        party=Eui64.parse(str(item[1])),
        since=None if since is None else datetime.fromisoformat(str(since)),
        until=None if until is None else datetime.fromisoformat(str(until)),
    )


def _known_party(item: Json) -> KnownParty:
    if isinstance(item, list):
        return KnownParty(party=Eui64.parse(str(item[0])), role=RemotePartyRole[str(item[1])])
    return KnownParty(party=Eui64.parse(str(item)), role=RemotePartyRole.SUPPLIER)


def _property_filter(item: Json) -> PropertyFilter | None:
    if not isinstance(item, list):
        return None
    return PropertyFilter(post_code=str(item[0]), address_identifier=str(item[1]))
