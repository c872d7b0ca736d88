"""Use cases about tariffs, prices, billing periods and what makes energy of gas volumes.

Spec: GBCS use cases GCS01a, GCS01b, GCS21d, GCS21f, GCS21k, GCS23, GCS25, GCS25a
"""

from __future__ import annotations

from smetslab.gbcs.usecases.common import SUPPLIER_OR_BROKER
from smetslab.gbcs.usecases.gas_common import GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, publish, read
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
    ),
    gas(
        "GCS21d",
        0x009D,
        "Read GSME Configuration Data Device Information (BillingCalendar)",
        "6.2.3",
        _BILLING_PERIOD,
        unverified=("future_dateable", "replay_protected"),
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
    ),
    gas(
        "GCS21k",
        0x00DA,
        "Read GSME Configuration Data Device Information (BillingCalendar - all periodicities)",
        "6.2.3",
        _BILLING_PERIOD,
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS23",
        0x007C,
        "Set CV and Conversion Factor Value(s) on the GSME",
        "6.6",
        (publish(Price.publish_conversion_factor), publish(Price.publish_calorific_value)),
        critical=True,
    ),
    gas("GCS25", 0x007E, "Set Billing Calendar on the GSME", "6.8", _BILLING_CALENDAR, critical=True),
    gas(
        "GCS25a",
        0x00D8,
        "Set Billing Calendar on the GSME - all periodicities",
        "6.8",
        _BILLING_CALENDAR,
        critical=True,
    ),
)
