"""The sixteen variants that the DCC answers itself. No use case gets their elements: `smetslab.dcc` acts on
them.

Spec: DUIS schema 5.4 (bodies); service request matrix of the SEC (roles); service references 5.1 to 5.3, 8.2
to 8.6, 8.13, 8.14, 11.1, 11.4, 12.1 and 12.2.
"""

from __future__ import annotations

import re
from typing import Final

from smetslab.duis.codes import UserRole
from smetslab.duis.srv import shapes, simple
from smetslab.duis.srv.common import (
    DISTRIBUTOR,
    EXPORT_SUPPLIER,
    GAS_SUPPLIER,
    IMPORT_SUPPLIER,
    OTHER_USER,
    SUPPLIERS,
    TRANSPORTER,
)
from smetslab.duis.srv.model import ServiceRequest, body
from smetslab.duis.srv.shapes import Child, OneOf, Sequence, optional
from smetslab.duis.srv.simple import Matching, Number, Octets, Text, Word

_ALL_ROLES: Final = tuple(UserRole)
_SCHEDULERS: Final = (IMPORT_SUPPLIER, EXPORT_SUPPLIER, GAS_SUPPLIER, DISTRIBUTOR, TRANSPORTER, OTHER_USER)

MAX_SCHEDULE_ID: Final = 10**12

_DEVICE_ID = Child("DeviceID", simple.EUI)
_MPXN = Text(1, 13)
_MPAN = Text(13, 13)
_SCHEDULE_ID = Child("DSPScheduleID", Number(0, MAX_SCHEDULE_ID))
_UPRN = Number(1, 10**12 - 1)
_ADDRESS = Sequence(Child("PostCode", Text(6, 8)), Child("AddressIdentifier", Text(0, 30)))
_FIRMWARE_VERSION = Text(1, 8)
_NAME = Text(0, 30)
_REQUEST_ID = Matching(
    re.compile(r"(?:(?:[0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}:){2}(?:0|[1-9][0-9]{0,19})"),
    "two EUI-64s and a counter joined by ':'",
)

DEVICE_TYPES: Final = ("ESME", "GSME", "GPF", "CHF", "HCALCS", "PPMID", "IHD", "CAD")
ESME_VARIANTS: Final = (
    "A", "B", "C", "AD", "BD", "CD", "ADE", "BDE", "CDE", "ADF", "BDF", "CDF", "ADEF", "BDEF", "CDEF", "ADG",
    "ADEG", "AF", "BF", "CF", "AEF", "BEF", "CEF", "AG", "AEG",
)  # fmt: skip
_DEVICE_TYPE = Word(DEVICE_TYPES)
_ESME_VARIANT = Word(ESME_VARIANTS)
_METER_POINTS = Sequence(
    Child("ImportMPxN", _MPXN), optional("SecondaryImportMPAN", _MPAN), optional("ExportMPAN", _MPAN)
)

# Schedules --------------------------------------------------------------------------------------------------

FREQUENCIES: Final = ("Daily", "Weekly", "Monthly", "Quarterly", "Half-Yearly", "Yearly")
_DAYS_AGO = Number(-400, 0)
_XS_DATE = Matching(
    re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})?"), "a date such as 2030-01-15"
)
_XS_TIME = Matching(
    re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,12})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"),
    "a time such as 07:00:00Z",
)
_OFFSETS = Sequence(
    Child("StartDateOffset", _DAYS_AGO),
    Child("StartTime", _XS_TIME),
    Child("EndDateOffset", _DAYS_AGO),
    Child("EndTime", _XS_TIME),
)
SCHEDULED: Final = {
    "4.2": ("DSPReadInstantaneousExportRegisters", shapes.EMPTY),
    "4.6.1": ("DSPRetrieveImportDailyReadLog", _OFFSETS),
    "4.6.2": ("DSPRetrieveExportDailyReadLog", _OFFSETS),
    "4.8.1": ("DSPReadActiveImportProfileData", _OFFSETS),
    "4.8.2": ("DSPReadReactiveImportProfileData", _OFFSETS),
    "4.8.3": ("DSPReadExportProfileData", _OFFSETS),
    "4.10": ("DSPReadNetworkData", _OFFSETS),
    "4.12.1": ("DSPReadMaximumDemandImportRegisters", shapes.EMPTY),
    "4.12.2": ("DSPReadMaximumDemandExportRegisters", shapes.EMPTY),
    "4.14": ("DSPReadPrepaymentDailyReadLog", _OFFSETS),
    "4.15": ("DSPReadLoadLimitData", shapes.EMPTY),
    "4.16": ("DSPReadActivePowerImport", shapes.EMPTY),
    "4.17": ("DSPRetrieveDailyConsumptionLog", _OFFSETS),
    "14.1": ("DSPRecordNetworkDataGAS", shapes.EMPTY),
}
"""The variants that can be scheduled, with the element that asks for them in a schedule. Spec: DUIS schema
5.4, type DSPSchedule.
"""

SCHEDULE: Final = body(
    Child("ScheduleFrequency", Word(FREQUENCIES)),
    Child("ScheduleStartDate", _XS_DATE),
    optional("ScheduleEndDate", _XS_DATE),
    optional("ScheduleExecutionStartTime", _XS_TIME),
    optional("KAPublicSecurityCredential", simple.CERTIFICATE),
    Child(
        "DSPScheduledServiceReference",
        Word(("4.2", "4.6", "4.8", "4.10", "4.12", "4.14", "4.15", "4.16", "4.17", "14.1")),
    ),
    Child("DSPScheduledServiceReferenceVariant", Word(tuple(SCHEDULED))),
    _DEVICE_ID,
    OneOf(tuple(Child(element, shape) for element, shape in SCHEDULED.values())),
)
_WHICH_SCHEDULE = body(OneOf((_SCHEDULE_ID, _DEVICE_ID)))

# Communications Hub status ----------------------------------------------------------------------------------

_REMARK = (optional("AdditionalInformation", Text(0, 200)),)
_USER_REFERENCE = (optional("UserRefDateTime", simple.DATE_TIME), optional("UserRefID", Text(0, 25)))
_INCIDENT = optional("IncidentReference", Text(0, 15))
_INSTALLATION = (
    _DEVICE_ID,
    Child("CHFInstallType", Word(("New CHF Install", "Replacement CHF Install", "CHF Install - no SM WAN"))),
    optional("InstallDateTime", simple.DATE_TIME),
    optional("UserRefID", Text(0, 25)),
    Child("MPxN", _MPXN),
    optional("GISData", Text(0, 25)),
    Child("AerialInstall", simple.BOOLEAN),
    Child(
        "CHFLocation",
        Word(("Outside Premises", "Indoors on external wall", "Deep indoors", "Basement or Cellar")),
    ),
)
_PREMISES_TYPES = Word(
    (
        "Detached / Semi Detached",
        "Terraced",
        "Low Rise Apartment (MDU <= 5 floors)",
        "High Rise Apartment (MDU > 5 floors)",
    )
)
_FAULT_REASONS = Word(
    (
        "Damaged case",
        "Damaged Connector",
        "Illegal interference or missing seals",
        "Environmental conditions exceeded",
        "SM WAN Fault",
        "SMHAN Interface Fault",
        "LED Fault",
        "Aerial fault",
        "Manufacturing defect",
    )
)
_RETURN_TYPES = Word(
    (
        "No Fault Return (general)",
        "No Fault Return (non-dom opt out)",
        "No Fault Return (dual supplier HAN variant replacement)",
        "No Fault Return (SM WAN variant replacement requested by DCC)",
        "Lost or Stolen Hub",
    )
)

# Firmware ---------------------------------------------------------------------------------------------------

MAX_FIRMWARE_IMAGE_BYTES: Final = 10_240_000
_EUI_TEXT = r"[A-Fa-f0-9]{2}(?:-[A-Fa-f0-9]{2}){7}"
_DISTRIBUTION = body(
    Child("FirmwareImage", Octets("base64", 0, MAX_FIRMWARE_IMAGE_BYTES)),
    Child("FirmwareVersion", _FIRMWARE_VERSION),
    Child(
        "DeviceIDList",
        Matching(re.compile(rf"{_EUI_TEXT}(?:,{_EUI_TEXT}){{0,49999}}"), "EUI-64s joined by commas"),
    ),
)


def _row(
    variant: str, name: str, element: str, roles: tuple[UserRole, ...], content: Sequence
) -> ServiceRequest:
    parts = variant.split(".")
    return ServiceRequest(
        variant=variant,
        reference=".".join(parts[:2]),
        name=name,
        element=element,
        body=content,
        critical=False,
        eligible_roles=roles,
        non_device=True,
    )


SERVICE_REQUESTS = (
    _row("5.1", "Create Schedule", "CreateSchedule", _SCHEDULERS, SCHEDULE),
    _row("5.2", "Read Schedule", "ReadSchedule", _SCHEDULERS, _WHICH_SCHEDULE),
    _row("5.3", "Delete Schedule", "DeleteSchedule", _SCHEDULERS, _WHICH_SCHEDULE),
    _row(
        "8.2",
        "Read Inventory",
        "ReadInventory",
        _ALL_ROLES,
        body(
            OneOf(
                (
                    Child("UPRN", _UPRN),
                    _DEVICE_ID,
                    Child("MPxN", _MPXN),
                    Child("PropertyFilter", _ADDRESS),
                )
            )
        ),
    ),
    _row("8.3", "Decommission Device", "DecommissionDevice", SUPPLIERS, body(_DEVICE_ID)),
    _row(
        "8.4",
        "Update Inventory",
        "UpdateInventory",
        _ALL_ROLES,
        body(
            _DEVICE_ID,
            OneOf(
                (
                    Child("UpdateDeviceStatusExceptCH", Word(("Pending", "InstalledNotCommissioned"))),
                    Child(
                        "UpdateDeviceStatusCH",
                        Word(("Commissioned", "Withdrawn", "InstalledNotCommissioned")),
                    ),
                    Child(
                        "UpdateDeviceDetails",
                        Sequence(
                            optional("DeviceManufacturer", _NAME),
                            optional("DeviceModel", _NAME),
                            optional("SMETSCHTSVersion", Text(1, 20)),
                            optional("FirmwareVersion", _FIRMWARE_VERSION),
                            optional("ESMEVariant", _ESME_VARIANT),
                        ),
                    ),
                    Child("DeleteDevice", shapes.PRESENT),
                    Child(
                        "UpdateMPxN",
                        Sequence(
                            OneOf(
                                (
                                    Child("ImportMPxN", _MPXN),
                                    Child("SecondaryImportMPAN", _MPAN),
                                    Child("ExportMPAN", _MPAN),
                                )
                            )
                        ),
                    ),
                )
            ),
        ),
    ),
    _row(
        "8.6",
        "Service Opt In",
        "ServiceOptIn",
        (),
        body(
            _DEVICE_ID,
            Child("DeviceType", _DEVICE_TYPE),
            Child("MPxNs", _METER_POINTS),
            Child("OptInDate", _XS_DATE),
        ),
    ),
    _row(
        "8.13",
        "Return Local Command Response",
        "ReturnLocalCommandResponse",
        SUPPLIERS,
        body(
            optional("OriginalRequestID", _REQUEST_ID),
            Child("DeviceGBCSResponse", Octets("base64", 1, 65_536)),
        ),
    ),
    _row(
        "8.14.1",
        "Communications Hub Status Update - Install Success",
        "CHFInstallSuccessSMWAN",
        SUPPLIERS,
        body(*_INSTALLATION, *_REMARK),
    ),
    _row(
        "8.14.2",
        "Communications Hub Status Update - Install No SM WAN",
        "CHFInstallSuccessNoSMWAN",
        SUPPLIERS,
        body(
            *_INSTALLATION,
            Child("PremiseType", _PREMISES_TYPES),
            Child("MetalObstructionCheck", simple.BOOLEAN),
            Child("ConnectivityObstructionCheck", simple.BOOLEAN),
            Child("SharedObstructionCheck", simple.BOOLEAN),
            *_REMARK,
        ),
    ),
    _row(
        "8.14.3",
        "Communications Hub Status Update - Fault Return",
        "CHFFaultReturn",
        SUPPLIERS,
        body(
            _DEVICE_ID,
            Child(
                "CHFFaultReturnType",
                Word(("Fault identified prior to installation", "Fault identified post installation")),
            ),
            *_USER_REFERENCE,
            Child("OtherDeviceID", simple.EUI),
            _INCIDENT,
            Child("CHFConnectionMethod", Word(("Hot-shoe", "Cradle", "ESME"))),
            Child("CHFFaultReason", _FAULT_REASONS),
            *_REMARK,
        ),
    ),
    _row(
        "8.14.4",
        "Communications Hub Status Update - No Fault Return",
        "CHFNoFaultReturn",
        SUPPLIERS,
        body(_DEVICE_ID, Child("CHFNoFaultReturnType", _RETURN_TYPES), *_USER_REFERENCE, _INCIDENT, *_REMARK),
    ),
    _row("11.1", "Update Firmware", "UpdateFirmware", SUPPLIERS, _DISTRIBUTION),
    _row("11.4", "Update PPMID Firmware", "UpdatePPMIDFirmware", SUPPLIERS, _DISTRIBUTION),
    _row(
        "12.1",
        "Request WAN Matrix",
        "RequestWANMatrix",
        _ALL_ROLES,
        body(OneOf((Child("UPRN", _UPRN), Child("PartialAddress", _ADDRESS)))),
    ),
    _row(
        "12.2",
        "Device Pre-notification",
        "DevicePrenotification",
        _ALL_ROLES,
        body(
            _DEVICE_ID,
            Child("DeviceManufacturer", _NAME),
            Child("DeviceModel", _NAME),
            Child("DeviceType", _DEVICE_TYPE),
            optional("SMETSCHTSVersion", Text(1, 20)),
            optional("FirmwareVersion", _FIRMWARE_VERSION),
            optional("ESMEVariant", _ESME_VARIANT),
            optional("AssociatedGPFDeviceID", simple.EUI),
        ),
    ),
)
