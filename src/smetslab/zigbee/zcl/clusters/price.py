"""Price, cluster 0x0700: tariffs, prices, billing periods, and what makes kWh of gas volumes.

Spec: ZSE 1.4 D.4; GBCS use cases GCS01a, GCS01b, GCS14, GCS21a, GCS21b, GCS21d, GCS21f, GCS21k, GCS23, GCS25.
Commands that no use case has are what displays ask (GBCS 7.4); Wireshark reads them as they are here.
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import exactly, fields, optional, to_end, variant
from smetslab.zigbee.zcl.named import Bits, Enumeration, Flags, Part, StartTime, StartTimeFE, Time
from smetslab.zigbee.zcl.types import Bitmap8, Enum8, UInt8, UInt16, UInt24, UInt32, UInt48

PRICE = "0.001 pence at five trailing digits"

CommandOptions = Flags(Bitmap8, {0: "requestor_rx_on_when_idle"})
"""Spec: ZSE 1.4 D.4.2.3.1."""

PriceTier = Bits(Bitmap8, price_tier=Part(4), price_trailing_digit=Part(4))
RegisterTier = Bits(Bitmap8, register_tier=Part(4), number_of_price_tiers=Part(4))
"""Spec: ZSE 1.4 D.4.2.4.1."""

BlockPeriodControl = Flags(Bitmap8, {0: "price_acknowledgement_required", 1: "repeating_block"})
"""Spec: ZSE 1.4 D.4.2.4.2."""

TariffResolutionPeriod = Enumeration(Enum8, {0: "not_defined", 1: "block_period", 2: "one_day"})
"""Spec: ZSE 1.4 D.4.2.4.2."""

TierBlockMode = Enumeration(
    UInt8,
    {
        0: "active_block",
        1: "active_block_price_tier",
        2: "active_block_price_tier_threshold",
        0xFF: "not_used",
    },
)
"""Spec: ZSE 1.4 D.4.2.4.5."""

PriceMatrixBasis = Enumeration(Bitmap8, {0: "block", 1: "tou"})
"""Bit 0 of the sub-payload control: what the ids count. Spec: ZSE 1.4 D.4.2.4.6."""

ThresholdsApplyTo = Enumeration(Bitmap8, {0: "given_tier", 1: "all_tiers"})
"""Bit 0 of the sub-payload control. Spec: ZSE 1.4 D.4.2.4.7."""

ThresholdCount = Bits(UInt8, number_of_block_thresholds=Part(4), tier=Part(4))
"""Spec: ZSE 1.4 D.4.2.4.7."""

THRESHOLDS = {count: exactly(count & 0x0F, UInt48) for count in range(0x100)}
"""As many thresholds as the low four bits of `ThresholdCount` say. Spec: ZSE 1.4 D.4.2.4.7."""

IssuerEventFloor = Enumeration(UInt32, {0xFFFFFFFF: "not_used"})
"""Spec: ZSE 1.4 D.4.2.3.12."""

_SINCE = fields(earliest_start_time=Time, minimum_issuer_event_id=IssuerEventFloor, number_of_commands=UInt8)
"""Spec: ZSE 1.4 D.4.2.3.5, D.4.2.3.6."""


class Price(Cluster, id=0x0700, spec="ZSE 1.4 D.4"):
    """Spec: ZSE 1.4 D.4."""

    block_1_threshold = attribute(0x0100, UInt48)
    block_2_threshold = attribute(0x0101, UInt48)
    block_3_threshold = attribute(0x0102, UInt48)
    threshold_multiplier = attribute(0x0202, UInt24)
    threshold_divisor = attribute(0x0203, UInt24)
    standing_charge = attribute(0x0301, UInt32, units=PRICE)
    conversion_factor = attribute(0x0302, UInt32)
    conversion_factor_trailing_digit = attribute(0x0303, meanings.TrailingDigit)
    calorific_value = attribute(0x0304, UInt32)
    calorific_value_unit = attribute(0x0305, meanings.CalorificValueUnit)
    calorific_value_trailing_digit = attribute(0x0306, meanings.TrailingDigit)
    no_tier_block_1_price = attribute(0x0400, UInt32, units=PRICE)
    no_tier_block_2_price = attribute(0x0401, UInt32, units=PRICE)
    no_tier_block_3_price = attribute(0x0402, UInt32, units=PRICE)
    no_tier_block_4_price = attribute(0x0403, UInt32, units=PRICE)
    tier_1_block_1_price = attribute(0x0410, UInt32, units=PRICE)
    tier_2_block_1_price = attribute(0x0420, UInt32, units=PRICE)
    tier_3_block_1_price = attribute(0x0430, UInt32, units=PRICE)
    tier_4_block_1_price = attribute(0x0440, UInt32, units=PRICE)
    unit_of_measure = attribute(0x0615, meanings.UnitOfMeasure)
    currency = attribute(0x0616, meanings.Currency)
    price_trailing_digits = attribute(0x0617, meanings.TrailingDigit)

    get_current_price = command(0x00, CLIENT_TO_SERVER, fields(command_options=CommandOptions))
    get_block_periods = command(
        0x03,
        CLIENT_TO_SERVER,
        fields(start_time=Time, number_of_events=UInt8, tariff_type=meanings.TariffType),
    )
    get_conversion_factor = command(0x04, CLIENT_TO_SERVER, _SINCE)
    get_calorific_value = command(0x05, CLIENT_TO_SERVER, _SINCE)
    get_tariff_information = command(
        0x06,
        CLIENT_TO_SERVER,
        fields(
            earliest_start_time=Time,
            minimum_issuer_event_id=IssuerEventFloor,
            number_of_commands=UInt8,
            tariff_type=meanings.TariffType,
        ),
    )
    get_price_matrix = command(0x07, CLIENT_TO_SERVER, fields(issuer_tariff_id=UInt32))
    get_block_thresholds = command(0x08, CLIENT_TO_SERVER, fields(issuer_tariff_id=UInt32))
    get_billing_period = command(
        0x0B,
        CLIENT_TO_SERVER,
        fields(
            earliest_start_time=Time,
            minimum_issuer_event_id=IssuerEventFloor,
            number_of_commands=UInt8,
            tariff_type=meanings.TariffType,
        ),
    )

    # The fields from price_ratio on are not of GBCS: receivers ignore them, 19 octets in all.
    publish_price = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            rate_label=meanings.Text,
            issuer_event_id=Time,
            current_time=Time,
            unit_of_measure=meanings.UnitOfMeasure,
            currency=meanings.Currency,
            price_trailing_digit_and_price_tier=PriceTier,
            number_of_price_tiers_and_register_tier=RegisterTier,
            start_time=StartTime,
            duration_in_minutes=UInt16,
            price=UInt32,
            price_ratio=optional(UInt8),
            generation_price=optional(UInt32),
            generation_price_ratio=optional(UInt8),
            alternate_cost_delivered=optional(UInt32),
            alternate_cost_unit=optional(UInt8),
            alternate_cost_trailing_digit=optional(meanings.TrailingDigit),
            number_of_block_thresholds=optional(UInt8),
            price_control=optional(UInt8),
            number_of_generation_tiers=optional(UInt8),
            generation_tier=optional(UInt8),
            extended_number_of_price_tiers=optional(UInt8),
            extended_price_tier=optional(UInt8),
            extended_register_tier=optional(UInt8),
        ),
    )
    publish_block_period = command(
        0x01,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            block_period_start_time=Time,
            block_period_duration=UInt24,
            block_period_control=BlockPeriodControl,
            block_period_duration_type=meanings.PeriodType,
            tariff_type=meanings.TariffType,
            tariff_resolution_period=TariffResolutionPeriod,
        ),
    )
    publish_conversion_factor = command(
        0x02,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=Time,
            start_time=StartTime,
            conversion_factor=UInt32,
            conversion_factor_trailing_digit=meanings.TrailingDigit,
        ),
    )
    publish_calorific_value = command(
        0x03,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=Time,
            start_time=StartTime,
            calorific_value=UInt32,
            calorific_value_unit=meanings.CalorificValueUnit,
            calorific_value_trailing_digit=meanings.TrailingDigit,
        ),
    )
    publish_tariff_information = command(
        0x04,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            issuer_tariff_id=UInt32,
            start_time=StartTime,
            tariff_type_charging_scheme=meanings.TariffTypeAndChargingScheme,
            tariff_label=meanings.Text,
            number_of_price_tiers_in_use=UInt8,
            number_of_block_thresholds_in_use=UInt8,
            unit_of_measure=meanings.UnitOfMeasure,
            currency=meanings.Currency,
            price_trailing_digit=meanings.TrailingDigit,
            standing_charge=UInt32,
            tier_block_mode=TierBlockMode,
            block_threshold_multiplier=UInt24,
            block_threshold_divisor=UInt24,
        ),
    )
    publish_price_matrix = command(
        0x05,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            start_time=StartTimeFE,
            issuer_tariff_id=UInt32,
            command_index=UInt8,
            number_of_commands=UInt8,
            sub_payload_control=PriceMatrixBasis,
            price_entries=to_end(fields(tier_block_id=UInt8, price=UInt32)),
        ),
    )
    publish_block_thresholds = command(
        0x06,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            start_time=StartTimeFE,
            issuer_tariff_id=UInt32,
            command_index=UInt8,
            number_of_commands=UInt8,
            sub_payload_control=ThresholdsApplyTo,
            threshold_entries=to_end(
                fields(
                    tier_number_of_block_thresholds=ThresholdCount,
                    block_thresholds=variant("tier_number_of_block_thresholds", THRESHOLDS),
                )
            ),
        ),
    )
    publish_billing_period = command(
        0x09,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            billing_period_start_time=Time,
            billing_period_duration=UInt24,
            billing_period_duration_type=meanings.PeriodType,
            tariff_type=meanings.TariffType,
        ),
    )
