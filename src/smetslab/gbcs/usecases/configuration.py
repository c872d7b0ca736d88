"""Use cases about identity, calendars and other configuration of an ESME or a Communications Hub.

Spec: GBCS use cases ECS26c to ECS26n, ECS30, ECS30a, ECS34, ECS37 to ECS40, ECS57.
"""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import NamedList
from smetslab.gbcs.dlms.shapes import Num, Text
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ACCESS_CONTROL_BROKER,
    ANY_READER,
    CHF,
    ESME,
    INTEGER_ZERO,
    MAXIMUM_DEMAND_PERIOD,
    NETWORK_OPERATOR,
    POWER,
    SUPPLIER,
    SUPPLIER_OR_BROKER,
    execution_times,
)
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, action, get, optional, set_
from smetslab.gbcs.usecases.model import UseCase, newer
from smetslab.gbcs.usecases.supply import SUPPLY_TAMPER_STATE

OFFSET = Num(Tag.LONG_UNSIGNED, unit="s")
OFFSET_NUMBER = Num(Tag.LONG_UNSIGNED, unit="1/10000 of the limit")
POWER_THRESHOLDS = NamedList(
    (
        known("low_medium_power_threshold", "LowMediumPowerThreshold"),
        known("medium_high_power_threshold", "MediumHighPowerThreshold"),
    ),
    POWER,
)
IMPORT_MPANS = Text(maximum=26)
"""The MPAN, or on a twin element meter the primary and the secondary one in a row."""
EXPORT_MPAN = Text(maximum=13)
BILLING_TIMES = execution_times("BillingTime", "BillingCalendar")

_ENTITY_IDENTIFIER = get(known("entity_identifier", "DeviceIdentifier"), 1, "0-0:96.1.1.255", 2, shapes.EUI64)
_METER_VARIANT = get(known("meter_variant", "MeterVariant"), 1, "0-0:96.1.2.255", 2, Text())
_MODEL_TYPE = get(known("model_type", "ModelType"), 1, "0-0:96.1.4.255", 2, Text())
_MANUFACTURER_IDENTIFIER = get(
    known("manufacturer_identifier", "ManufacturerIdentifier"), 1, "0-0:96.1.6.255", 2, Text()
)
_SUPPLY_TAMPER_STATE = get(
    known("supply_tamper_state", "SupplyTamperState"), 1, "0-0:94.44.0.4", 2, SUPPLY_TAMPER_STATE
)
_BILLING_CALENDAR = get(
    known("billing_calendar", "ElectricityBillingCalendar", "BillingCalendar"),
    22,
    "0-0:15.0.0.255",
    4,
    BILLING_TIMES,
)

_WITHOUT_PUBLISHED_ROW = ("future_dateable", "replay_protected")
"""Columns of the published table that say nothing about the older forms of use cases."""


def _read(
    name: str,
    code: int,
    title: str,
    srv: str,
    roles: tuple[RemotePartyRole, ...],
    *items: AccessItem,
    devices: tuple[DeviceType, ...] = ESME,
    unverified: tuple[str, ...] = (),
) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=devices,
        critical=False,
        originator_roles=roles,
        service_requests=(srv,),
        payload=DlmsAccess(items),
        unverified=unverified,
    )


def _write(
    name: str,
    code: int,
    title: str,
    srv: str,
    roles: tuple[RemotePartyRole, ...],
    *items: AccessItem,
    critical: bool,
    replay_protected: bool = True,
    unverified: tuple[str, ...] = (),
) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=critical,
        originator_roles=roles,
        service_requests=(srv,),
        replay_protected=replay_protected,
        payload=DlmsAccess(items),
        unverified=unverified,
    )


USE_CASES = (
    _read(
        "ECS26c",
        0x003D,
        "Read ESME Configuration Data Device Information (randomisation)",
        "6.2.2",
        ANY_READER,
        get(known("randomised_offset", "RandomisedOffset"), 1, "0-0:94.44.0.0", 2, OFFSET),
        get(
            known("randomised_offset_number", "RandomisedOffsetNumber"), 1, "0-0:94.44.0.2", 2, OFFSET_NUMBER
        ),
        get(known("randomised_offset_limit", "RandomisedOffsetLimit"), 1, "0-0:94.44.0.1", 2, OFFSET),
    ),
    _read(
        "ECS26d",
        0x003E,
        "Read ESME Configuration Data Device Information (Billing Calendar)",
        "6.2.3",
        SUPPLIER,
        _BILLING_CALENDAR,
        unverified=_WITHOUT_PUBLISHED_ROW,
    ),
    _read(
        "ECS26e",
        0x003F,
        "Read ESME Configuration Data Device Information (device identity exc MPAN)",
        "6.2.4",
        SUPPLIER,
        _ENTITY_IDENTIFIER,
        _METER_VARIANT,
        _MODEL_TYPE,
        _MANUFACTURER_IDENTIFIER,
        _SUPPLY_TAMPER_STATE,
        unverified=_WITHOUT_PUBLISHED_ROW,
    ),
    _read(
        "ECS26f",
        0x0040,
        "Read ESME Configuration Data Device Information (instantaneous power thresholds)",
        "6.2.5",
        SUPPLIER_OR_BROKER,
        get("power_thresholds", 21, "0-0:16.0.0.255", 2, POWER_THRESHOLDS),
    ),
    _read(
        "ECS26i",
        0x0092,
        "Read Configuration Data Device Information (CHF identity)",
        "6.2.4",
        ACCESS_CONTROL_BROKER,
        _ENTITY_IDENTIFIER,
        _MODEL_TYPE,
        _MANUFACTURER_IDENTIFIER,
        devices=CHF,
        unverified=_WITHOUT_PUBLISHED_ROW,
    ),
    newer(
        _read(
            "ECS26l",
            0x00D9,
            "Read ESME Configuration Data Device Information (Billing Calendar - all periodicities)",
            "6.2.3",
            SUPPLIER_OR_BROKER,
            _BILLING_CALENDAR,
        ),
        than="ECS26d",
    ),
    newer(
        _read(
            "ECS26m",
            0x00F9,
            "Read ESME Configuration Data Device Information (identity, type and supply tamper state)",
            "6.2.4",
            ANY_READER,
            _METER_VARIANT,
            _MODEL_TYPE,
            _MANUFACTURER_IDENTIFIER,
            _SUPPLY_TAMPER_STATE,
        ),
        than="ECS26e",
    ),
    newer(
        _read(
            "ECS26n",
            0x00FA,
            "Read CHF Configuration Data Device Information (CH identity and type)",
            "6.2.4",
            ACCESS_CONTROL_BROKER,
            _MODEL_TYPE,
            _MANUFACTURER_IDENTIFIER,
            devices=CHF,
        ),
        than="ECS26i",
    ),
    _write(
        "ECS30",
        0x0046,
        "Set Billing Calendar on the ESME",
        "6.8",
        SUPPLIER,
        set_(
            known("billing_calendar", "ElectricityBillingCalendar", "BillingCalendar"),
            22,
            "0-0:15.0.0.255",
            4,
            BILLING_TIMES,
        ),
        critical=True,
        unverified=_WITHOUT_PUBLISHED_ROW,
    ),
    newer(
        _write(
            "ECS30a",
            0x00D7,
            "Set Billing Calendar on the ESME - all periodicities",
            "6.8",
            SUPPLIER,
            set_(
                known("billing_calendar", "ElectricityBillingCalendar", "BillingCalendar"),
                22,
                "0-0:15.0.0.255",
                4,
                BILLING_TIMES,
            ),
            critical=True,
        ),
        than="ECS30",
    ),
    _write(
        "ECS34",
        0x0047,
        "Set Instantaneous Power Threshold Configuration",
        "6.12",
        SUPPLIER,
        set_("power_thresholds", 21, "0-0:16.0.0.255", 2, POWER_THRESHOLDS),
        critical=False,
        replay_protected=False,
    ),
    _write(
        "ECS37",
        0x004A,
        "Set Maximum Demand Configurable Time Period",
        "6.18.1",
        NETWORK_OPERATOR,
        set_(
            known("maximum_demand_configurable_time_period", "MaximumDemandTimePeriodSchedule"),
            10,
            "0-0:12.0.0.255",
            2,
            MAXIMUM_DEMAND_PERIOD,
        ),
        critical=False,
    ),
    _write(
        "ECS38",
        0x004B,
        "Update Randomised Offset Limit",
        "7.12",
        SUPPLIER,
        set_(known("randomised_offset_limit", "RandomisedOffsetLimit"), 1, "0-0:94.44.0.1", 2, OFFSET),
        critical=True,
    ),
    _write(
        "ECS39a",
        0x004C,
        "Set MPAN Value on the ESME",
        "6.20.1",
        SUPPLIER,
        set_(
            known("combined_mpans", "ImportMPAN", "SecondaryImportMPAN"),
            1,
            "0-0:94.44.34.11",
            2,
            IMPORT_MPANS,
        ),
        critical=False,
    ),
    _write(
        "ECS39b",
        0x004D,
        "Set Export MPAN Value on the ESME",
        "6.20.2",
        ACCESS_CONTROL_BROKER,
        set_(known("export_mpan", "ExportMPAN"), 1, "1-0:0.0.2.255", 2, EXPORT_MPAN),
        critical=False,
    ),
    _read(
        "ECS40",
        0x004E,
        "Read MPAN Value on the ESME",
        "6.2.7",
        ANY_READER,
        get(
            known("combined_mpans", "ImportMPAN", "SecondaryImportMPAN"),
            1,
            "0-0:94.44.34.11",
            2,
            IMPORT_MPANS,
        ),
        get(known("export_mpan", "ExportMPAN"), 1, "1-0:0.0.2.255", 2, EXPORT_MPAN),
    ),
    _write(
        "ECS57",
        0x005A,
        "Reset ESME Maximum Demand Registers",
        "6.18.2",
        NETWORK_OPERATOR,
        *(
            optional(
                action(
                    known(f"maximum_demand_{register}_reset", f"MaxDemand{element}Value"),
                    4,
                    obis,
                    1,
                    INTEGER_ZERO,
                )
            )
            for register, element, obis in (
                ("active_energy_import", "ActivePowerImport", "1-0:1.6.0.255"),
                (
                    "configurable_time_active_power_import",
                    "ConfigTimeActivePowerImport",
                    "1-0:1.6.1.255",
                ),
                ("active_power_export", "ActivePowerExport", "1-0:2.6.0.255"),
            )
        ),
        critical=False,
        replay_protected=False,
    ),
)
