"""Services about the Smart Metering Inventory. Spec: DUIS service references 8.2, 8.3, 8.4, 8.6 and 12.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from smetslab.dcc.desk.model import DONE, KNOWN, RESPONSIBLE, Call, Rule, Service
from smetslab.dcc.intake import Served
from smetslab.dcc.notices import meter_points
from smetslab.duis.codes import ResponseCode, UserRole
from smetslab.duis.document import OtherPayload, leaf, node, octets_leaf
from smetslab.duis.element import Element
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64
from smetslab.registry import DeviceStatus, InventoryDevice, LifeEvent, PropertyFilter, Responsibility
from smetslab.registry.device import TYPE_2_KINDS
from smetslab.registry.life_cycle import after

MAX_DEVICES: Final = 17
"""Spec: DUIS schema 5.4, type DSPInventory."""

_METERS: Final = (DeviceType.ESME, DeviceType.GSME)
_NEED_FIRMWARE: Final = (
    DeviceType.ESME,
    DeviceType.GSME,
    DeviceType.CHF,
    DeviceType.GPF,
    DeviceType.HCALCS,
    DeviceType.PPMID,
)
_ORDER: Final = (
    DeviceType.CHF,
    DeviceType.GPF,
    DeviceType.ESME,
    DeviceType.GSME,
    DeviceType.HCALCS,
    DeviceType.PPMID,
    DeviceType.TYPE_2,
)
_ROLES_TOWARDS: Final = {
    DeviceType.ESME: (UserRole.IMPORT_SUPPLIER, UserRole.EXPORT_SUPPLIER, UserRole.ELECTRICITY_DISTRIBUTOR),
    DeviceType.GSME: (UserRole.GAS_SUPPLIER, UserRole.GAS_TRANSPORTER),
    DeviceType.GPF: (UserRole.GAS_SUPPLIER, UserRole.GAS_TRANSPORTER),
}


def _type_of(word: str) -> DeviceType:
    return DeviceType.TYPE_2 if word in TYPE_2_KINDS else DeviceType[word]


# 12.2 Device Pre-notification -------------------------------------------------------------------------------


def _equal_ids(call: Call) -> str | None:
    gpf = call.elements.get("AssociatedGPFDeviceID")
    if gpf is None or Eui64.parse(str(gpf)) != call.device_id:
        return None
    return "hub and gas proxy have the same id"


def _there_already(call: Call) -> str | None:
    given = [call.text("DeviceID"), call.text("AssociatedGPFDeviceID")]
    known = [one for one in given if one and call.office.inventory.find(Eui64.parse(one)) is not None]
    return f"{', '.join(known)} in the inventory already" if known else None


def _details_missing(call: Call) -> str | None:
    device_type = _type_of(call.text("DeviceType"))
    needed = ["FirmwareVersion", "SMETSCHTSVersion"] if device_type in _NEED_FIRMWARE else []
    if device_type is DeviceType.ESME:
        needed.append("ESMEVariant")
    if device_type is DeviceType.CHF:
        needed.append("AssociatedGPFDeviceID")
    missing = [name for name in needed if name not in call.elements]
    return f"a {device_type.name} needs {', '.join(missing)}" if missing else None


def _not_certified(call: Call) -> str | None:
    """Devices of type 2 are on no list."""
    products = call.office.rules.certified_products
    if products is None or _type_of(call.text("DeviceType")) not in _NEED_FIRMWARE:
        return None
    details = (call.text(name) for name in ("DeviceManufacturer", "DeviceModel", "FirmwareVersion"))
    return products.fault(*details)


def _details_foreign(call: Call) -> str | None:
    device_type = _type_of(call.text("DeviceType"))
    own = {"ESMEVariant": DeviceType.ESME, "AssociatedGPFDeviceID": DeviceType.CHF}
    odd = [name for name, owner in own.items() if name in call.elements and device_type is not owner]
    return f"a {device_type.name} has no {', '.join(odd)}" if odd else None


def _pre_notify(call: Call) -> Served:
    device_type = _type_of(call.text("DeviceType"))
    device_id = Eui64.parse(call.text("DeviceID"))
    word = call.text("DeviceType")
    gpf = call.elements.get("AssociatedGPFDeviceID")
    is_hub = device_type is DeviceType.CHF
    device = InventoryDevice(
        device_id=device_id,
        device_type=device_type,
        kind=word if device_type is DeviceType.TYPE_2 else "",
        hub=device_id if is_hub else None,
        status=DeviceStatus.PENDING,
        responsible=_responsible_from(call, device_type),
        manufacturer=call.text("DeviceManufacturer"),
        model=call.text("DeviceModel"),
        smets_chts_version=call.text("SMETSCHTSVersion"),
        firmware_version=call.text("FirmwareVersion"),
        firmware_version_status="Active" if "FirmwareVersion" in call.elements else "",
        cpl_status="Active",
        esme_variant=call.text("ESMEVariant"),
        csp_region=call.office.rules.csp_region if is_hub else "",
        associated_gpf=None if gpf is None else Eui64.parse(str(gpf)),
    )
    if device.associated_gpf is not None:
        call.office.inventory.add(
            replace(
                device,
                device_id=device.associated_gpf,
                device_type=DeviceType.GPF,
                hub=device_id,
                responsible=_responsible_from(call, DeviceType.GPF),
                associated_gpf=None,
                csp_region="",
            )
        )
    call.office.inventory.add(device)
    return DONE


def _responsible_from(call: Call, device_type: DeviceType) -> tuple[Responsibility, ...]:
    """Who pre-notifies a meter is responsible for it, in the absence of registration data. A choice."""
    possible = _ROLES_TOWARDS.get(device_type, ())
    return tuple(Responsibility(role=role, party=call.user) for role in call.roles if role in possible)


# 8.2 Read Inventory -----------------------------------------------------------------------------------------


def _asked_for(call: Call) -> tuple[InventoryDevice, ...]:
    """Every device of the homes that the request is about."""
    inventory, elements = call.office.inventory, call.elements
    found: tuple[InventoryDevice, ...]
    if "DeviceID" in elements:
        found = () if call.device is None else (call.device,)
    elif "MPxN" in elements:
        found = inventory.by_meter_point(call.text("MPxN"))
    elif "UPRN" in elements:
        found = inventory.by_uprn(int(call.text("UPRN")))
    else:
        place = call.group("PropertyFilter")
        found = inventory.by_property(
            PropertyFilter(
                post_code=str(place["PostCode"]), address_identifier=str(place["AddressIdentifier"])
            )
        )
    homes = {one.device_id: one for device in found for one in inventory.around(device)}
    return tuple(sorted(homes.values(), key=lambda one: (_ORDER.index(one.device_type), one.device_id)))


def _nothing_found(call: Call) -> str | None:
    return None if _asked_for(call) else "nothing of that kind in the inventory"


def _too_many(call: Call) -> str | None:
    found = len(_asked_for(call))
    return f"{found} devices, an answer holds {MAX_DEVICES}" if found > MAX_DEVICES else None


def _read_inventory(call: Call) -> Served:
    devices = [device_element(device) for device in _asked_for(call)]
    return Served(ResponseCode.SUCCESS, OtherPayload(node("DSPInventory", *devices)))


def device_element(device: InventoryDevice) -> Element:
    """A device as an answer to 8.2 shows it. Type 2 devices have no status."""
    status = None if device.device_type is DeviceType.TYPE_2 else device.status.value
    commissioned = device.date_commissioned
    place = device.property_filter
    return node(
        "Device",
        leaf("DeviceID", device.device_id.dashed()),
        leaf("DeviceType", device.duis_type),
        _text("DeviceStatus", status),
        leaf("DeviceManufacturer", device.manufacturer),
        leaf("DeviceModel", device.model),
        _text("SMETSCHTSVersion", device.smets_chts_version),
        _text("DeviceFirmwareVersion", device.firmware_version),
        _text("DeviceFirmwareVersionStatus", device.firmware_version_status),
        _text("CPLStatus", device.cpl_status),
        _text("DateCommissioned", None if commissioned is None else f"{commissioned.isoformat()}Z"),
        _text("ImportMPxN", device.import_mpxn),
        _text("SecondaryImportMPAN", device.secondary_import_mpan),
        _text("ExportMPAN", device.export_mpan),
        _text("ESMEVariant", device.esme_variant),
        _text("UPRN", None if device.uprn is None else str(device.uprn)),
        None
        if place is None
        else node(
            "PropertyFilter",
            leaf("PostCode", place.post_code),
            leaf("AddressIdentifier", place.address_identifier),
        ),
        _text("CSPRegion", device.csp_region),
        _text("DeviceGBCSVersion", device.gbcs_version),
        _text("HANVariant", device.han_variant),
    )


def _text(name: str, value: str | None) -> Element | None:
    return leaf(name, value) if value else None


# 8.3 Decommission Device ------------------------------------------------------------------------------------


def _is_hub(call: Call) -> str | None:
    device = call.device
    hub = device is not None and device.device_type in {DeviceType.CHF, DeviceType.GPF}
    return "a hub is returned with 8.14, not decommissioned" if hub else None


def _cannot(event: LifeEvent) -> Callable[[Call], str | None]:
    def fault(call: Call) -> str | None:
        device = call.the_device()
        if after(device.status, event) is not None:
            return None
        return f"a device that is {device.status} cannot be {event.value}"

    return fault


def _decommission(call: Call) -> Served:
    device = call.office.inventory.apply(call.the_device().device_id, LifeEvent.DECOMMISSIONED).device
    leave(call, device)
    return DONE


def leave(call: Call, device: InventoryDevice) -> None:
    """What follows when a device is not in use any more: its schedules end, and who is concerned is told."""
    office = call.office
    for schedule in office.schedules.of_device(device.device_id):
        office.schedules.delete(schedule.number)
        office.notices.tell(
            (schedule.user,),
            "DSPScheduleRemoval",
            {"DeviceID": str(device.device_id), "DSPScheduleID": schedule.number},
            device.device_id,
        )
    if device.device_type in _METERS:
        type_1: list[Value] = [
            {"DeviceID": str(one.device_id), "DeviceType": one.duis_type}
            for one in office.inventory.around(device)
            if one.device_type in {DeviceType.HCALCS, DeviceType.PPMID}
        ]
        change: dict[str, Value] = {"MeterDecommissionOrWithdrawal": meter_points(device)}
        if type_1:
            change["AssociatedType1Device"] = type_1[:7]
        office.notices.status_changed(device, "MeterDecommissioningOrWithdrawal", change)


# 8.4 Update Inventory ---------------------------------------------------------------------------------------

_STATUS_EVENTS: Final = {
    "Pending": LifeEvent.RETURNED_TO_PENDING,
    "InstalledNotCommissioned": LifeEvent.INSTALLED,
    "Commissioned": LifeEvent.COMMISSIONED,
    "Withdrawn": LifeEvent.WITHDRAWN,
}


def _status_event(call: Call) -> LifeEvent | None:
    word = call.text("UpdateDeviceStatusExceptCH") or call.text("UpdateDeviceStatusCH")
    return _STATUS_EVENTS.get(word)


def _wrong_kind_of_status(call: Call) -> str | None:
    hub = call.the_device().device_type in {DeviceType.CHF, DeviceType.GPF}
    given = "UpdateDeviceStatusExceptCH" if hub else "UpdateDeviceStatusCH"
    return f"{given} is not for a {call.the_device().device_type.name}" if given in call.elements else None


def _status_cannot_be(call: Call) -> str | None:
    event = _status_event(call)
    return None if event is None else _cannot(event)(call)


def _details_too_late(call: Call) -> str | None:
    device = call.the_device()
    early = device.status in {DeviceStatus.PENDING, DeviceStatus.WHITELISTED}
    late = "UpdateDeviceDetails" in call.elements and not early and device.device_type in _METERS
    return f"the details of a meter that is {device.status} stay as they are" if late else None


def _details_not_certified(call: Call) -> str | None:
    products, details, device = (
        call.office.rules.certified_products,
        call.group("UpdateDeviceDetails"),
        call.the_device(),
    )
    if products is None or not details or device.device_type not in _NEED_FIRMWARE:
        return None
    return products.fault(
        str(details.get("DeviceManufacturer", device.manufacturer)),
        str(details.get("DeviceModel", device.model)),
        str(details.get("FirmwareVersion", device.firmware_version)),
    )


def _variant_of_no_esme(call: Call) -> str | None:
    given = "ESMEVariant" in call.group("UpdateDeviceDetails")
    odd = given and call.the_device().device_type is not DeviceType.ESME
    return "only an ESME has a variant" if odd else None


def _in_use(call: Call) -> str | None:
    device = call.the_device()
    gone = device.status in {DeviceStatus.PENDING, DeviceStatus.DECOMMISSIONED, DeviceStatus.WITHDRAWN}
    used = "DeleteDevice" in call.elements and not gone and device.device_type is not DeviceType.TYPE_2
    return f"a device that is {device.status} cannot be deleted" if used else None


def _hub_in_use(call: Call) -> str | None:
    device = call.the_device()
    others = [one for one in call.office.inventory.premises(device.device_id) if one != device]
    full = "DeleteDevice" in call.elements and device.device_type is DeviceType.CHF and others
    return f"{len(others)} devices are behind this hub" if full else None


def _meter_point_of_no_meter(call: Call) -> str | None:
    points = call.group("UpdateMPxN")
    device = call.the_device()
    if not points or device.device_type is DeviceType.ESME:
        return None
    if device.device_type in {DeviceType.GSME, DeviceType.GPF} and set(points) == {"ImportMPxN"}:
        return None
    return f"a {device.device_type.name} has no {', '.join(points)}"


def _meter_point_elsewhere(call: Call) -> str | None:
    device = call.the_device()
    for number in call.group("UpdateMPxN").values():
        for other in call.office.inventory.by_meter_point(str(number)):
            alive = other.status not in {DeviceStatus.DECOMMISSIONED, DeviceStatus.WITHDRAWN}
            same_home = other.hub is not None and other.hub == device.hub
            if alive and other.device_id != device.device_id and not same_home:
                return f"{number} is the meter point of {other.device_id}"
    return None


def _update_inventory(call: Call) -> Served:
    office, device = call.office, call.the_device()
    event = _status_event(call)
    if event is not None:
        changed = office.inventory.apply(device.device_id, event).device
        if event is LifeEvent.WITHDRAWN:
            office.notices.status_changed(changed, "CHFDecommissioning")
    elif "DeleteDevice" in call.elements:
        concerned = office.notices.concerned(device)
        office.inventory.remove(device.device_id)
        for schedule in office.schedules.of_device(device.device_id):
            office.schedules.delete(schedule.number)
        members: dict[str, Value] = {
            "DeviceID": str(device.device_id),
            "DeviceStatusChange": {"DeviceRemovedFromInventory": True},
        }
        office.notices.tell(concerned, "DeviceStatusChangeEvent", members, device.device_id)
    elif "UpdateMPxN" in call.elements:
        points = call.group("UpdateMPxN")
        office.inventory.update(
            replace(
                device,
                import_mpxn=str(points.get("ImportMPxN", device.import_mpxn)),
                secondary_import_mpan=str(points.get("SecondaryImportMPAN", device.secondary_import_mpan)),
                export_mpan=str(points.get("ExportMPAN", device.export_mpan)),
            )
        )
    else:
        details = call.group("UpdateDeviceDetails")
        office.inventory.update(
            replace(
                device,
                manufacturer=str(details.get("DeviceManufacturer", device.manufacturer)),
                model=str(details.get("DeviceModel", device.model)),
                smets_chts_version=str(details.get("SMETSCHTSVersion", device.smets_chts_version)),
                firmware_version=str(details.get("FirmwareVersion", device.firmware_version)),
                esme_variant=str(details.get("ESMEVariant", device.esme_variant)),
            )
        )
    return DONE


# 8.6 Service Opt In -----------------------------------------------------------------------------------------


def _opt_in_of_no_meter(call: Call) -> str | None:
    word = call.text("DeviceType")
    return None if _type_of(word) in _METERS else f"a {word} cannot be opted in"


def _opted_in_already(call: Call) -> str | None:
    device = call.device
    alive = device is not None and device.status is DeviceStatus.COMMISSIONED
    return "the device is enrolled already" if alive else None


def _no_broker_certificate(call: Call) -> str | None:
    try:
        call.office.broker.certificates()
    except CertificateError as error:
        return str(error)
    return None


def _opt_in(call: Call) -> Served:
    """Enrol a meter whose credentials the user will replace by those of the answer."""
    device_id = Eui64.parse(call.text("DeviceID"))
    points = call.group("MPxNs")
    device = call.device or InventoryDevice(
        device_id=device_id,
        device_type=_type_of(call.text("DeviceType")),
        status=DeviceStatus.PENDING,
        responsible=_responsible_from(call, _type_of(call.text("DeviceType"))),
    )
    enrolled = replace(
        device,
        status=DeviceStatus.PENDING,
        import_mpxn=str(points.get("ImportMPxN", "")),
        secondary_import_mpan=str(points.get("SecondaryImportMPAN", "")),
        export_mpan=str(points.get("ExportMPAN", "")),
    )
    if call.device is None:
        call.office.inventory.add(enrolled)
    else:
        call.office.inventory.update(enrolled)
    signing, agreement = call.office.broker.certificates()
    return Served(
        ResponseCode.SUCCESS,
        OtherPayload(
            node(
                "DSPOptIn",
                leaf("DeviceID", device_id.dashed()),
                octets_leaf("DSPBrokerSecurityCredentialsDigitalSigning", signing),
                octets_leaf("DSPBrokerSecurityCredentialsKeyAgreement", agreement),
            )
        ),
    )


SERVICES: Final = (
    Service(
        variant="8.2",
        rules=(
            Rule("nothing found", "E080201", _nothing_found),
            Rule("too many devices", "E080202", _too_many),
        ),
        act=_read_inventory,
    ),
    Service(
        variant="8.3",
        rules=(
            KNOWN,
            RESPONSIBLE,
            Rule("device type", "E080301", _is_hub),
            Rule("device status", "E080302", _cannot(LifeEvent.DECOMMISSIONED)),
        ),
        act=_decommission,
    ),
    Service(
        variant="8.4",
        rules=(
            KNOWN,
            RESPONSIBLE,
            Rule("status of another kind", "E080405", _wrong_kind_of_status),
            Rule("device status", "E080406", _status_cannot_be),
            Rule("details too late", "E080407", _details_too_late),
            Rule("variant of no ESME", "E080408", _variant_of_no_esme),
            Rule("device in use", "E080409", _in_use),
            Rule("hub in use", "E080410", _hub_in_use),
            Rule("meter point of no meter", "E080411", _meter_point_of_no_meter),
            Rule("meter point elsewhere", "E080412", _meter_point_elsewhere),
            Rule("not certified", "E080413", _details_not_certified),
        ),
        act=_update_inventory,
    ),
    Service(
        variant="8.6",
        rules=(
            Rule("no meter", "E080601", _opt_in_of_no_meter),
            Rule("enrolled already", "E080602", _opted_in_already),
            Rule("no certificate", "E080604", _no_broker_certificate),
        ),
        act=_opt_in,
    ),
    Service(
        variant="12.2",
        rules=(
            Rule("equal ids", "E120201", _equal_ids, confidence="published"),
            Rule("there already", "E120203", _there_already),
            Rule("details missing", "E120204", _details_missing),
            Rule("not certified", "E120204", _not_certified),
            Rule("details of another type", "E120207", _details_foreign),
        ),
        act=_pre_notify,
    ),
)
