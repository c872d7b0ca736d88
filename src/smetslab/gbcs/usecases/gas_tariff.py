"""Use cases about tariffs, prices, billing periods and what makes energy of gas volumes.

Spec: GBCS use cases GCS01a, GCS01b, GCS21d, GCS21f, GCS21k, GCS23, GCS25, GCS25a
"""

from __future__ import annotations

from smetslab.gbcs.elements import Elements
from smetslab.gbcs.usecases.common import SUPPLIER_OR_BROKER
from smetslab.gbcs.usecases.gas_common import GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, publish, read
from smetslab.gbcs.usecases.model import newer
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.price import Price

_TARIFF_INFORMATION = publish(Price.publish_tariff_information, activation="start_time")
_PRICE_MATRIX = publish(Price.publish_price_matrix, activation="start_time", most=None)
_BILLING_CALENDAR = (publish(Price.publish_billing_period), publish(Price.publish_block_period))
_BILLING_PERIOD = (ask(Price.get_billing_period, Price.publish_billing_period, several=True),)

CALENDAR = (
    publish(Calendar.publish_calendar, activation="start_time"),
    publish(Calendar.publish_day_profile, most=None),
    publish(Calendar.publish_week_profile, most=None),
    publish(Calendar.publish_seasons, most=None),
    publish(Calendar.publish_special_days, activation="start_time", most=None),
)
"""How a calendar is sent: the tariff's and the non-disablement calendar alike."""

READ_CALENDAR = (
    ask(Calendar.get_day_profiles, Calendar.publish_day_profile, several=True, quiet=True),
    ask(Calendar.get_week_profiles, Calendar.publish_week_profile, several=True, quiet=True),
    ask(Calendar.get_seasons, Calendar.publish_seasons, several=True, quiet=True),
    ask(Calendar.get_special_days, Calendar.publish_special_days, several=True, quiet=True),
)

_PRICE_ELEMENTS: Elements = {
    "publish_tariff_information.start_time": ("ExecutionDateTime",),
    "publish_tariff_information.standing_charge": ("StandingCharge",),
    "publish_price_matrix.start_time": ("ExecutionDateTime",),
    "publish_price_matrix.price_entries.price": (
        "BlockPrice",
        "TOUPrice",
    ),
    "publish_price_matrix.price_entries.tier_block_id": ("@index",),
}
"""Prices and standing charge. Spec: DUIS 1.2.1."""

NON_DISABLEMENT_ELEMENTS: Elements = {
    "publish_day_profile.day_id": ("GasDayName",),
    "publish_day_profile.schedule_entries": ("TimeStartAction",),
    "publish_day_profile.schedule_entries.start_time": ("StartTime",),
    "publish_week_profile.week_id": ("WeekName",),
    "publish_week_profile.day_id_ref_monday": ("ReferencedDayName",),
    "publish_week_profile.day_id_ref_tuesday": ("ReferencedDayName",),
    "publish_week_profile.day_id_ref_wednesday": ("ReferencedDayName",),
    "publish_week_profile.day_id_ref_thursday": ("ReferencedDayName",),
    "publish_week_profile.day_id_ref_friday": ("ReferencedDayName",),
    "publish_week_profile.day_id_ref_saturday": ("ReferencedDayName",),
    "publish_week_profile.day_id_ref_sunday": ("ReferencedDayName",),
    "publish_seasons.season_entries": ("SeasonProfiles",),
    "publish_seasons.season_entries.season_start_date": ("SeasonStartDate",),
    "publish_seasons.season_entries.season_week_id_ref": ("ReferencedWeekName",),
    "publish_special_days.special_day_entries": ("SpecialDays",),
    "publish_special_days.special_day_entries.special_day_date": ("Date",),
    "publish_special_days.special_day_entries.special_day_day_id_ref": ("ReferencedDayName",),
    "publish_day_profile.schedule_entries.friendly_credit_enable": ("NonDisablementAction",),
}
"""The same calendar, when it says when supply may not be disabled. Spec: DUIS GasNonDisablementCalendar."""

_TARIFF_CALENDAR_ELEMENTS: Elements = {
    "publish_day_profile.day_id": ("DayName",),
    "publish_day_profile.schedule_entries": ("ProfileSchedule",),
    "publish_day_profile.schedule_entries.start_time": ("StartTime",),
    "publish_day_profile.schedule_entries.price_tier": ("TOUTariffAction",),
    "publish_week_profile.week_id": ("WeekName",),
    "publish_week_profile.day_id_ref_monday": ("ReferencedDayName", "ReferencedDay"),
    "publish_week_profile.day_id_ref_tuesday": ("ReferencedDayName", "ReferencedDay"),
    "publish_week_profile.day_id_ref_wednesday": ("ReferencedDayName", "ReferencedDay"),
    "publish_week_profile.day_id_ref_thursday": ("ReferencedDayName", "ReferencedDay"),
    "publish_week_profile.day_id_ref_friday": ("ReferencedDayName", "ReferencedDay"),
    "publish_week_profile.day_id_ref_saturday": ("ReferencedDayName", "ReferencedDay"),
    "publish_week_profile.day_id_ref_sunday": ("ReferencedDayName", "ReferencedDay"),
    "publish_seasons.season_entries": ("Seasons",),
    "publish_seasons.season_entries.season_start_date": ("SeasonStartDate",),
    "publish_seasons.season_entries.season_week_id_ref": ("ReferencedWeekName",),
    "publish_special_days.special_day_entries": ("SpecialDays", "TariffSwitchingTableSpecialDays"),
    "publish_special_days.special_day_entries.special_day_date": ("Date",),
    "publish_special_days.special_day_entries.special_day_day_id_ref": ("ReferencedDayName", "ReferencedDay"),
}
"""The calendar of a tariff. Spec: DUIS SwitchingTable."""

_BILLING_ELEMENTS: Elements = {
    "publish_billing_period.billing_period_start_time": ("BillingPeriodStart",),
    "publish_billing_period.billing_period_duration": ("Periodicity",),
    "publish_billing_period.billing_period_duration_type": ("Periodicity",),
    "publish_block_period.block_period_start_time": ("BillingPeriodStart",),
    "publish_block_period.block_period_duration": ("Periodicity",),
    "publish_block_period.block_period_duration_type": ("Periodicity",),
}
"""Spec: DUIS GasBillingCalendar."""

USE_CASES = (
    gas(
        "GCS01a",
        0x006B,
        "Set Tariff and Price on GSME",
        "1.1.1",
        (
            *CALENDAR,
            _TARIFF_INFORMATION,
            publish(Price.publish_block_thresholds, activation="start_time", least=0, most=None),
            _PRICE_MATRIX,
        ),
        critical=True,
        future_dateable=True,
        date_time_in_response=True,
        elements={
            **_TARIFF_CALENDAR_ELEMENTS,
            **_PRICE_ELEMENTS,
            "publish_calendar.start_time": ("ExecutionDateTime",),
            "publish_special_days.start_time": ("ExecutionDateTime",),
            "publish_block_thresholds.start_time": ("ExecutionDateTime",),
            "publish_block_thresholds.threshold_entries.block_thresholds": ("BlockThreshold",),
        },
    ),
    gas(
        "GCS01b",
        0x00A3,
        "Set Price on GSME",
        "1.2.1",
        (_TARIFF_INFORMATION, _PRICE_MATRIX),
        critical=True,
        future_dateable=True,
        date_time_in_response=True,
        elements=_PRICE_ELEMENTS,
    ),
    gas(
        "GCS21d",
        0x009D,
        "Read GSME Configuration Data Device Information (BillingCalendar)",
        "6.2.3",
        _BILLING_PERIOD,
        unverified=("future_dateable", "replay_protected"),
        elements={
            "publish_billing_period.billing_period_start_time": ("BillingPeriodStart",),
            "publish_billing_period.billing_period_duration": ("Periodicity",),
            "publish_billing_period.billing_period_duration_type": ("Periodicity",),
        },
    ),
    gas(
        "GCS21f",
        0x009F,
        "Read GSME Tariff Data",
        "4.11.1",
        (
            read(
                Price.threshold_divisor,
                Price.threshold_multiplier,
                Price.block_1_threshold,
                Price.block_2_threshold,
                Price.block_3_threshold,
                Price.unit_of_measure,
                Price.no_tier_block_1_price,
                Price.no_tier_block_2_price,
                Price.no_tier_block_3_price,
                Price.no_tier_block_4_price,
                Price.tier_1_block_1_price,
                Price.tier_2_block_1_price,
                Price.tier_3_block_1_price,
                Price.tier_4_block_1_price,
                Price.currency,
                Price.price_trailing_digits,
                Price.standing_charge,
                quiet=True,
            ),
            *READ_CALENDAR,
            ask(Price.get_current_price, Price.publish_price, quiet=True),
        ),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
        elements={
            **_TARIFF_CALENDAR_ELEMENTS,
            "block_1_threshold": ("BlockThreshold",),
            "block_2_threshold": ("BlockThreshold",),
            "block_3_threshold": ("BlockThreshold",),
            "no_tier_block_1_price": ("BlockPrice",),
            "no_tier_block_2_price": ("BlockPrice",),
            "no_tier_block_3_price": ("BlockPrice",),
            "no_tier_block_4_price": ("BlockPrice",),
            "tier_1_block_1_price": ("TariffTOUPrice",),
            "tier_2_block_1_price": ("TariffTOUPrice",),
            "tier_3_block_1_price": ("TariffTOUPrice",),
            "tier_4_block_1_price": ("TariffTOUPrice",),
            "currency": ("CurrencyUnitsName",),
            "standing_charge": ("StandingCharge",),
            "price_trailing_digits": ("PriceScale",),
            "publish_price.price": ("PrimaryActiveTariffPrice",),
            "publish_price.price_trailing_digit_and_price_tier": ("PrimaryActiveTariffPriceScale",),
        },
    ),
    newer(
        gas(
            "GCS21k",
            0x00DA,
            "Read GSME Configuration Data Device Information (BillingCalendar - all periodicities)",
            "6.2.3",
            _BILLING_PERIOD,
            devices=GPF_OR_GSME,
            roles=SUPPLIER_OR_BROKER,
            elements={
                "publish_billing_period.billing_period_start_time": ("BillingPeriodStart",),
                "publish_billing_period.billing_period_duration": ("Periodicity",),
                "publish_billing_period.billing_period_duration_type": ("Periodicity",),
            },
        ),
        than="GCS21d",
    ),
    gas(
        "GCS23",
        0x007C,
        "Set CV and Conversion Factor Value(s) on the GSME",
        "6.6",
        (publish(Price.publish_conversion_factor), publish(Price.publish_calorific_value)),
        critical=True,
        elements={
            "publish_conversion_factor.conversion_factor": ("ConversionFactor",),
            "publish_calorific_value.calorific_value": ("CalorificValue",),
        },
    ),
    gas(
        "GCS25",
        0x007E,
        "Set Billing Calendar on the GSME",
        "6.8",
        _BILLING_CALENDAR,
        critical=True,
        elements=_BILLING_ELEMENTS,
    ),
    newer(
        gas(
            "GCS25a",
            0x00D8,
            "Set Billing Calendar on the GSME - all periodicities",
            "6.8",
            _BILLING_CALENDAR,
            critical=True,
            elements=_BILLING_ELEMENTS,
        ),
        than="GCS25",
    ),
)
