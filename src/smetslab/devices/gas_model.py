"""A gas meter and its proxy as ZCL devices: what each command does, and what a new device holds.

Spec: GBCS use cases of GSME and GPF (GCS01a to GCS62, CS01b, CS10, CS11, PCS01, PCS02); SMETS 4.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from smetslab.devices.periods import Timebase
from smetslab.devices.zcl.calendar import CALENDAR_EFFECTS, CalendarLimits
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT, TARIFF
from smetslab.devices.zcl.model import ComponentError, Effect, ZclModel, lists
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import EPOCH_2000, utc_text
from smetslab.zigbee.zcl import Command, Record
from smetslab.zigbee.zcl.cluster import Attribute
from smetslab.zigbee.zcl.clusters.basic import Basic
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zcl.values import ZclValue

TIERS: Final = 4
BLOCKS: Final = 4

CALENDAR_LIMITS: Final = {
    TARIFF: CalendarLimits(seasons=3, weeks=2, days=4, switches=1, special_days=20),
    NON_DISABLEMENT: CalendarLimits(seasons=3, weeks=2, days=5, switches=3, special_days=20),
}
"""Spec: SMETS 4.6.4 (tariff switching table, non-disablement calendar); GBCS use cases GCS01a, GCS05."""

UNCHANGED: Final = 3
CUBIC_METRES: Final = 1
GBP: Final = 826
TRAILING_5: Final = 0x50

BLOCK_THRESHOLDS: Final = (Price.block_1_threshold, Price.block_2_threshold, Price.block_3_threshold)
BLOCK_PRICES: Final = (
    Price.no_tier_block_1_price,
    Price.no_tier_block_2_price,
    Price.no_tier_block_3_price,
    Price.no_tier_block_4_price,
)
TIER_PRICES: Final = (
    Price.tier_1_block_1_price,
    Price.tier_2_block_1_price,
    Price.tier_3_block_1_price,
    Price.tier_4_block_1_price,
)
TIER_REGISTERS: Final = (
    Metering.current_tier_1_summation_delivered,
    Metering.current_tier_2_summation_delivered,
    Metering.current_tier_3_summation_delivered,
    Metering.current_tier_4_summation_delivered,
)
BLOCK_COUNTERS: Final = (
    Metering.current_no_tier_block_1_summation_delivered,
    Metering.current_no_tier_block_2_summation_delivered,
    Metering.current_no_tier_block_3_summation_delivered,
    Metering.current_no_tier_block_4_summation_delivered,
)

_PRICES: Final[Mapping[tuple[int, int], Attribute]] = {
    **{(0, number): attribute for number, attribute in enumerate(BLOCK_PRICES)},
    **{(1, number): attribute for number, attribute in enumerate(TIER_PRICES, 1)},
}
"""By sub-payload control and id: blocks from 0, tiers from 1. Spec: ZSE 1.4 D.4.2.4.6."""


def _matrix(record: Record) -> Mapping[Attribute, ZclValue]:
    """The prices that a Publish Price Matrix sets; one with an unknown id is refused as a whole."""
    basis = record.integer("sub_payload_control")
    values: dict[Attribute, ZclValue] = {}
    for entry in record.records("price_entries"):
        attribute = _PRICES.get((basis, entry.integer("tier_block_id")))
        if attribute is None:
            raise ComponentError(Status.INVALID_VALUE, f"no price {entry.integer('tier_block_id')}")
        values[attribute] = entry.integer("price")
    return values


def _thresholds(record: Record) -> Mapping[Attribute, ZclValue]:
    """The thresholds that a Publish Block Thresholds sets: one row for all tiers."""
    rows = record.records("threshold_entries")
    numbers = rows[0]["block_thresholds"] if len(rows) == 1 else None
    if not isinstance(numbers, tuple) or len(numbers) > len(BLOCK_THRESHOLDS):
        raise ComponentError(Status.INVALID_VALUE, "block thresholds")
    return dict(zip(BLOCK_THRESHOLDS, numbers, strict=False))


def _billing_period(record: Record) -> Mapping[Attribute, ZclValue]:
    """No attribute; a period does not begin on the days that some months lack. Spec: GBCS use cases GCS25,
    GCS25a."""
    start = EPOCH_2000 + timedelta(seconds=record.integer("billing_period_start_time"))
    timebase = record.integer("billing_period_duration_type") & 0x0F
    if timebase not in list(Timebase) or (timebase == Timebase.MONTHS and start.day > 28):
        raise ComponentError(Status.INVALID_VALUE, f"billing period from {utc_text(start)}")
    return {}


_READS: Final[Mapping[Command, Effect]] = {
    Price.get_billing_period: lists("list_billing_periods"),
    Price.get_current_price: lists("tell_current_price"),
    Metering.get_snapshot: lists("find_snapshot"),
    Metering.get_sampled_data: lists("find_samples"),
    Prepayment.get_prepay_snapshot: lists("find_prepay_snapshot"),
    Prepayment.get_top_up_log: lists("find_top_ups"),
    Prepayment.get_debt_repayment_log: lists("find_debt_payments"),
    Events.get_event_log: lists("find_events"),
    Events.clear_event_log_request: Effect(calls="clear_event_log", refusal={"cleared_event_logs": 0}),
}

EFFECTS: Final[Mapping[Command, Effect]] = {
    **CALENDAR_EFFECTS,
    **_READS,
    Messaging.display_message: Effect(keeps="message", calls="message_came"),
    DeviceManagement.publish_change_of_tenancy: Effect(keeps="tenancy"),
    DeviceManagement.publish_change_of_supplier: Effect(keeps="supplier"),
    DeviceManagement.request_new_password_response: Effect(calls="disable_privacy_pin"),
    DeviceManagement.update_site_id: Effect(sets={"site_id": Metering.site_id}),
    DeviceManagement.update_cin: Effect(keeps="cin"),
    DeviceManagement.set_event_configuration: Effect(calls="set_event_configuration"),
    DeviceManagement.get_event_configuration: lists("list_event_configuration"),
    Price.publish_conversion_factor: Effect(
        sets={
            "conversion_factor": Price.conversion_factor,
            "conversion_factor_trailing_digit": Price.conversion_factor_trailing_digit,
        }
    ),
    Price.publish_calorific_value: Effect(
        sets={
            "calorific_value": Price.calorific_value,
            "calorific_value_unit": Price.calorific_value_unit,
            "calorific_value_trailing_digit": Price.calorific_value_trailing_digit,
        }
    ),
    Price.publish_tariff_information: Effect(
        sets={
            "standing_charge": Price.standing_charge,
            "unit_of_measure": Price.unit_of_measure,
            "currency": Price.currency,
            "price_trailing_digit": Price.price_trailing_digits,
            "block_threshold_multiplier": Price.threshold_multiplier,
            "block_threshold_divisor": Price.threshold_divisor,
        },
        keeps="tariff",
        calls="tariff_changed",
        limits={
            "number_of_price_tiers_in_use": (0, TIERS),
            "number_of_block_thresholds_in_use": (0, BLOCKS - 1),
            "block_threshold_multiplier": (1, 0xFFFFFF),
            "block_threshold_divisor": (1, 0xFFFFFF),
        },
    ),
    Price.publish_price_matrix: Effect(spreads=_matrix, calls="tariff_changed"),
    Price.publish_block_thresholds: Effect(spreads=_thresholds, calls="tariff_changed"),
    Price.publish_billing_period: Effect(keeps="billing_period", spreads=_billing_period),
    Price.publish_block_period: Effect(keeps="block_period"),
    Prepayment.change_payment_mode: Effect(
        calls="change_payment_mode", acknowledges="acknowledge_payment_mode"
    ),
    Prepayment.change_debt: Effect(calls="change_debt"),
    Prepayment.emergency_credit_setup: Effect(
        sets={
            "emergency_credit_limit": Prepayment.emergency_credit_limit,
            "emergency_credit_threshold": Prepayment.emergency_credit_threshold,
        },
        calls="prepayment_configured",
    ),
    Prepayment.set_overall_debt_cap: Effect(
        sets={"overall_debt_cap": Prepayment.overall_debt_cap},
        limits={"overall_debt_cap": (0, 0x7FFFFFFF)},
        calls="prepayment_configured",
    ),
    Prepayment.set_low_credit_warning_level: Effect(
        sets={"low_credit_warning_level": Prepayment.low_credit_warning_level}, calls="prepayment_configured"
    ),
    Prepayment.set_maximum_credit_limit: Effect(
        sets={
            "maximum_credit_level": Prepayment.max_credit_limit,
            "maximum_credit_per_top_up": Prepayment.max_credit_per_top_up,
        },
        calls="prepayment_configured",
    ),
    Prepayment.select_available_emergency_credit: Effect(calls="activate_emergency_credit"),
    Prepayment.credit_adjustment: Effect(calls="adjust_credit"),
    Prepayment.consumer_top_up: Effect(
        calls="top_up",
        refusal={
            "result_type": 3,
            "top_up_value": -1,
            "source_of_top_up": "originating_device",
            "credit_remaining": -1,
        },
    ),
    Metering.start_sampling: Effect(calls="start_sampling", refusal={"sample_id": 0xFFFF}),
    Metering.change_supply: Effect(calls="change_supply"),
    Metering.set_supply_status: Effect(
        sets={
            "supply_tamper_state": Metering.supply_tamper_state,
            "supply_depletion_state": Metering.supply_depletion_state,
        },
        keeps="supply_reactions",
    ),
    Metering.set_uncontrolled_flow_threshold: Effect(
        sets={
            "uncontrolled_flow_threshold": Metering.uncontrolled_flow_threshold,
            "unit_of_measure": Metering.uncontrolled_flow_threshold_unit_of_measure,
            "multiplier": Metering.uncontrolled_flow_multiplier,
            "divisor": Metering.uncontrolled_flow_divisor,
            "stabilisation_period": Metering.flow_stabilisation_period,
            "measurement_period": Metering.flow_measurement_period,
        },
        limits={"multiplier": (1, 0xFFFF), "divisor": (1, 0xFFFF)},
    ),
}
"""What every command of the gas use cases does."""

INITIAL: Final[Mapping[Attribute, ZclValue]] = {
    Basic.manufacturer_name: "0000",
    Basic.model_identifier: "00000000",
    Basic.hw_version: 1,
    Metering.unit_of_measure: CUBIC_METRES,
    Metering.multiplier: 1,
    Metering.divisor: 1000,
    Metering.site_id: b"",
    Metering.supply_tamper_state: UNCHANGED,
    Metering.supply_depletion_state: UNCHANGED,
    Metering.uncontrolled_flow_threshold: 60,
    Metering.uncontrolled_flow_threshold_unit_of_measure: CUBIC_METRES,
    Metering.uncontrolled_flow_multiplier: 1,
    Metering.uncontrolled_flow_divisor: 1000,
    Metering.flow_stabilisation_period: 100,
    Metering.flow_measurement_period: 120,
    **dict.fromkeys(BLOCK_THRESHOLDS, 0xFFFFFFFFFFFF),
    **dict.fromkeys(BLOCK_PRICES, 0),
    **dict.fromkeys(TIER_PRICES, 0),
    Price.threshold_multiplier: 1,
    Price.threshold_divisor: 1000,
    Price.standing_charge: 0,
    Price.conversion_factor: 102264,
    Price.conversion_factor_trailing_digit: 0x50,
    Price.calorific_value: 391,
    Price.calorific_value_unit: 1,
    Price.calorific_value_trailing_digit: 0x10,
    Price.unit_of_measure: 0,
    Price.currency: GBP,
    Price.price_trailing_digits: TRAILING_5,
    Prepayment.payment_control_configuration: 0x0C94,
    Prepayment.overall_debt_cap: 0,
    Prepayment.emergency_credit_limit: 0,
    Prepayment.emergency_credit_threshold: 0,
    Prepayment.max_credit_limit: 0x7FFFFFFF,
    Prepayment.max_credit_per_top_up: 0x7FFFFFFF,
    Prepayment.low_credit_warning_level: 0,
    Prepayment.cut_off_value: 0,
    Prepayment.debt_recovery_frequency_1: 1,
    Prepayment.debt_recovery_frequency_2: 1,
    Prepayment.debt_recovery_amount_1: 0,
    Prepayment.debt_recovery_amount_2: 0,
    Prepayment.debt_recovery_top_up_percentage_3: 0,
}
"""A gas meter as delivered: Credit Mode, every price zero. Unverified but for the units."""

MEASURED: Final[tuple[Attribute, ...]] = (
    Metering.current_summation_delivered,
    *TIER_REGISTERS,
    *BLOCK_COUNTERS,
    Metering.bill_to_date_delivered,
    Metering.supply_status,
    Metering.remaining_battery_life_in_days,
    Metering.current_meter_id,
    Prepayment.credit_remaining,
    Prepayment.emergency_credit_remaining,
    Prepayment.accumulated_debt,
    Prepayment.debt_amount_1,
    Prepayment.debt_amount_2,
    Prepayment.debt_amount_3,
)
"""What a gas meter computes; its proxy holds what it was last told."""

GSME_MODEL: Final = ZclModel(DeviceType.GSME, USE_CASES.values(), EFFECTS, initial=INITIAL)

GPF_EFFECTS: Final[Mapping[Command, Effect]] = {
    **CALENDAR_EFFECTS,
    **_READS,
    **{
        command: replace(EFFECTS[command], calls="", acknowledges="")
        for command in (
            DeviceManagement.publish_change_of_supplier,
            Price.publish_conversion_factor,
            Price.publish_calorific_value,
            Price.publish_tariff_information,
            Price.publish_price_matrix,
            Price.publish_block_thresholds,
            Price.publish_billing_period,
            Price.publish_block_period,
            Prepayment.emergency_credit_setup,
            Prepayment.set_overall_debt_cap,
            Prepayment.set_low_credit_warning_level,
            Prepayment.set_maximum_credit_limit,
        )
    },
    Messaging.display_message: EFFECTS[Messaging.display_message],
    DeviceManagement.publish_change_of_tenancy: Effect(calls="tenancy_changed"),
}
"""What a proxy does itself, and what it does after its meter (tap-off, GBCS 10.3.4)."""

GPF_MODEL: Final = ZclModel(
    DeviceType.GPF,
    USE_CASES.values(),
    GPF_EFFECTS,
    initial={
        **INITIAL,
        **dict.fromkeys(MEASURED, 0),
        Metering.supply_status: UNCHANGED,
        Metering.current_meter_id: b"",
    },
)


MIRRORED: Final[tuple[Attribute, ...]] = tuple(
    attribute
    for name, attribute in GSME_MODEL.attributes.items()
    if name in GPF_MODEL.attributes and attribute.cluster != Basic.id
)
"""What a gas meter tells its proxy of, in the order in which it reports."""

CALENDAR_ALERTS_OF: Final = USE_CASES["GCS05"].code


def alert_frame_control(message_code: int, command: Command) -> int | None:
    """What the alert about a future-dated command repeats where that is not its own frame control.

    The calendar alerts of GCS05 say that a client had sent what a server sends. Spec: RTDS 4.5.0.
    """
    return 0x01 if message_code == CALENDAR_ALERTS_OF and command.cluster == Calendar.id else None
