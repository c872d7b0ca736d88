"""Meanings that several clusters share: units, snapshot causes, supply states, tariff types, logs.

Spec: ZSE 1.4 (the enumerations and bitmaps of each cluster)
"""

from __future__ import annotations

from smetslab.zigbee.zcl.named import Bits, Enumeration, Flags, Label, Part
from smetslab.zigbee.zcl.types import Bitmap8, Bitmap32, Enum8, UInt16

Text = Label()
"""An octet string that people read."""

UnitOfMeasure = Enumeration(
    Enum8,
    {
        0x00: "kWh",
        0x01: "m3",
        0x02: "ft3",
        0x03: "ccf",
        0x04: "US gallon",
        0x05: "imperial gallon",
        0x06: "BTU",
        0x07: "litre",
        0x08: "kPa gauge",
        0x09: "kPa absolute",
        0x0A: "mcf",
        0x0B: "unitless",
        0x0C: "MJ",
        0x0D: "kvarh",
    },
)
"""Binary units; those with bit 7 set are the same in BCD and stay numbers. Spec: ZSE 1.4 D.3.2.2.4.1."""

Currency = Enumeration(UInt16, {826: "GBP", 978: "EUR"})
"""ISO 4217 numbers."""

CalorificValueUnit = Enumeration(Enum8, {1: "MJ/m3", 2: "MJ/kg"})
"""Spec: ZSE 1.4 D.4.2.2.4.6."""

_CAUSES = {
    0: "general",
    1: "end_of_billing_period",
    2: "end_of_block_period",
    3: "change_of_tariff_information",
    4: "change_of_price_matrix",
    5: "change_of_block_thresholds",
    6: "change_of_calorific_value",
    7: "change_of_conversion_factor",
    8: "change_of_calendar",
    9: "critical_peak_pricing",
    10: "manually_triggered_from_client",
    11: "end_of_resolve_period",
    12: "change_of_tenancy",
    13: "change_of_supplier",
    14: "change_of_meter_mode",
    15: "debt_payment",
    16: "scheduled_snapshot",
    17: "ota_firmware_download",
    18: "top_up_addition",
    19: "debt_credit_addition",
}
SnapshotCause = Flags(Bitmap32, _CAUSES)
"""Why a snapshot was taken; bits 18 and 19 are of the Prepayment cluster alone. Spec: ZSE 1.4 D.3.2.3,
D.7.2.3.
"""

SupplyState = Enumeration(
    Enum8, {0: "supply_off", 1: "supply_off_armed", 2: "supply_on", 3: "supply_unchanged"}
)
"""State of a valve or contactor; `supply_unchanged` is for what to do with it. Spec: ZSE 1.4 D.3.2.2."""

SampleType = Enumeration(
    Enum8,
    {
        0: "consumption_delivered",
        1: "consumption_received",
        2: "reactive_consumption_delivered",
        3: "reactive_consumption_received",
        4: "interim_demand",
    },
)
"""Spec: ZSE 1.4 D.3.3.3 (Start Sampling)."""

_TARIFF_TYPES = {0: "delivered", 1: "received", 2: "delivered_and_received"}
TariffType = Enumeration(Bitmap8, _TARIFF_TYPES)
"""The low four bits say which way the energy flows. Spec: ZSE 1.4 D.4.2.4."""

TariffTypeAndChargingScheme = Bits(
    Bitmap8,
    tariff_type=Part(4, _TARIFF_TYPES),
    charging_scheme=Part(
        4,
        {
            0: "tou",
            1: "block",
            2: "block_tou_with_common_thresholds",
            3: "block_tou_with_individual_thresholds_per_tier",
        },
    ),
)
"""Spec: ZSE 1.4 D.4.2.4.4."""

PeriodType = Bits(
    Bitmap8,
    timebase=Part(4, {0: "minutes", 1: "days", 2: "weeks", 3: "months"}),
    control=Part(4, {0: "start_of_timebase", 1: "end_of_timebase", 2: "not_specified"}),
)
"""The unit of a block or billing period, and where in it the period starts. Spec: ZSE 1.4 D.4.2.4."""

TrailingDigit = Bits(Bitmap8, reserved_low=Part(4), trailing_digit=Part(4))
"""How many decimals a value has. Spec: ZSE 1.4 D.4.2.2."""

_LOGS = {
    0: "all_logs",
    1: "tamper_log",
    2: "fault_log",
    3: "general_event_log",
    4: "security_event_log",
    5: "network_event_log",
}
LogId = Enumeration(Bitmap8, _LOGS)
"""Spec: ZSE 1.4 D.11.2.3.1."""
EventControlAndLogId = Bits(
    Bitmap8, log_id=Part(4, _LOGS), event_control=Part(4, {0: "minimal_information", 1: "full_information"})
)
"""Spec: ZSE 1.4 D.11.2.3.1."""
ClearedLogs = Flags(Bitmap8, _LOGS)
"""One bit for each log. Spec: ZSE 1.4 D.11.2.4.3."""

OriginatingDevice = Enumeration(
    Enum8, {0: "energy_service_interface", 1: "meter", 2: "in_home_display_device"}
)
"""Spec: ZSE 1.4 D.7.2.3.2; a PPMID is 2 (GBCS use cases PCS01, PCS02)."""
