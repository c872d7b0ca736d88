"""Metering, cluster 0x0702: consumption, its history, and the valve.

Spec: ZSE 1.4 D.3; GBCS use cases GCS13 to GCS18, GCS24, GCS31 to GCS33, GCS38, GCS39, GCS46, GCS53, GCS60,
GCS61
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import (
    CLIENT_TO_SERVER,
    SERVER_TO_CLIENT,
    Cluster,
    attribute,
    command,
    ladder,
)
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import counted, fields, to_end, variant
from smetslab.zigbee.zcl.named import Bits, Enumeration, Flags, IssueTime, Part, StartTime, Time
from smetslab.zigbee.zcl.types import (
    Bitmap8,
    Bitmap32,
    Bool,
    Enum8,
    Int24,
    Octets,
    UInt8,
    UInt16,
    UInt24,
    UInt32,
    UInt48,
)

SUMMATION = "unit of measure x multiplier / divisor"

SnapshotPayloadType = Enumeration(
    Enum8,
    {
        0: "tou_delivered",
        1: "tou_received",
        2: "block_tier_delivered",
        3: "block_tier_received",
        4: "tou_delivered_no_billing",
        5: "tou_received_no_billing",
        6: "block_tier_delivered_no_billing",
        7: "block_tier_received_no_billing",
        128: "data_unavailable",
    },
)
"""Which registers a snapshot has. Spec: ZSE 1.4 D.3.2.3.1.7; GBCS uses 6."""

TiersAndThresholds = Bits(Bitmap8, number_of_block_thresholds_in_use=Part(4), number_of_tiers_in_use=Part(4))
"""Spec: ZSE 1.4 D.3.2.3.1.7."""

SupplyControl = Flags(Bitmap8, {0: "acknowledge_required"})
"""Spec: ZSE 1.4 D.3.3.3 (Change Supply)."""


AmbientConsumption = Enumeration(Enum8, {0: "low", 1: "normal", 2: "high"})
"""Spec: ZSE 1.4 D.3.2.2.3.8."""


NotificationFlags = Flags(
    Bitmap32,
    {
        0: "new_ota_firmware",
        1: "cbke_update_request",
        2: "time_sync",
        4: "stay_awake_request_han",
        5: "stay_awake_request_wan",
        6: "push_historical_metering_data_attribute_set",
        9: "push_historical_prepayment_data_attribute_set",
        12: "push_all_static_data_basic_cluster",
        13: "push_all_static_data_metering_cluster",
        14: "push_all_static_data_prepayment_cluster",
        15: "network_key_active",
        16: "display_message",
        17: "cancel_all_messages",
        18: "change_supply",
        19: "local_change_supply",
        20: "set_uncontrolled_flow_threshold",
        21: "tunnel_message_pending",
        22: "get_snapshot",
        23: "get_sampled_data",
        24: "new_sub_ghz_channel_masks_available",
        25: "energy_scan_pending",
        26: "channel_change_pending",
    },
)
"""FunctionalNotificationFlags. Spec: ZSE 1.4 D.3.3.3.1.1."""
NEW_OTA_FIRMWARE, TIME_SYNC, TUNNEL_MESSAGE_PENDING = 1 << 0, 1 << 2, 1 << 21
CHANNEL_CHANGE_PENDING = 1 << 26

SCHEME_B = 2
"""Five sets of notification flags: functional, price, calendar, prepayment, device management. Spec: ZSE 1.4
D.3.3.3.1 (predefined notification schemes)."""


_PERIODS = {"day": (0x01, 0x20, 8), "week": (0x30, 0x34, 5), "month": (0x40, 0x44, 13)}
"""Where the period that runs has its number, where the second past one has, and how many past ones there are.
Spec: ZSE 1.4 D.3.2.2.5, D.3.2.2.13.
"""


def _history(base: int, period: str, what: str = "") -> dict[int, str]:
    """The period that runs, the one before it, and those before that; each has two numbers, delivered and
    received."""
    current, past, last = _PERIODS[period]
    return {
        base + current: f"current_{period}_{what}consumption_delivered",
        base + current + 2: f"previous_{period}_{what}consumption_delivered",
        **{
            base + past + 2 * (number - 2): f"previous_{period}_{number}_{what}consumption_delivered"
            for number in range(2, last + 1)
        },
    }


class Metering(Cluster, id=0x0702, spec="ZSE 1.4 D.3"):
    """Spec: ZSE 1.4 D.3."""

    current_summation_delivered = attribute(0x0000, UInt48, mandatory=True, units=SUMMATION)
    supply_status = attribute(0x0014, meanings.SupplyState)
    current_tier_1_summation_delivered = attribute(0x0100, UInt48, units=SUMMATION)
    current_tier_2_summation_delivered = attribute(0x0102, UInt48, units=SUMMATION)
    current_tier_3_summation_delivered = attribute(0x0104, UInt48, units=SUMMATION)
    current_tier_4_summation_delivered = attribute(0x0106, UInt48, units=SUMMATION)
    tier_summations = ladder(
        UInt48,
        {0x0100 + 2 * (tier - 1): f"current_tier_{tier}_summation_delivered" for tier in range(5, 49)},
        units=SUMMATION,
    )
    """From the fifth tier on."""
    remaining_battery_life_in_days = attribute(0x0205, UInt16, units="days")
    current_meter_id = attribute(0x0206, Octets)
    ambient_consumption_indicator = attribute(0x0207, AmbientConsumption)
    unit_of_measure = attribute(0x0300, meanings.UnitOfMeasure, mandatory=True)
    multiplier = attribute(0x0301, UInt24)
    divisor = attribute(0x0302, UInt24)
    site_id = attribute(0x0307, meanings.Text)
    instantaneous_demand = attribute(0x0400, Int24, units="unit of measure x multiplier / divisor per hour")
    day_consumption = ladder(UInt24, _history(0x0400, "day"), units=SUMMATION)
    week_consumption = ladder(UInt24, _history(0x0400, "week"), units=SUMMATION, confidence="unverified")
    month_consumption = ladder(UInt32, _history(0x0400, "month"), units=SUMMATION, confidence="unverified")
    """The period that runs, and those before it, the youngest first. The widths of weeks and months are
    unverified: no other table has them."""
    supply_tamper_state = attribute(0x0607, meanings.SupplyState)
    supply_depletion_state = attribute(0x0608, meanings.SupplyState)
    current_no_tier_block_1_summation_delivered = attribute(0x0700, UInt48, units=SUMMATION)
    current_no_tier_block_2_summation_delivered = attribute(0x0701, UInt48, units=SUMMATION)
    current_no_tier_block_3_summation_delivered = attribute(0x0702, UInt48, units=SUMMATION)
    current_no_tier_block_4_summation_delivered = attribute(0x0703, UInt48, units=SUMMATION)
    block_summations = ladder(
        UInt48,
        {
            0x0700 + 0x10 * tier + block - 1: f"current_tier_{tier}_block_{block}_summation_delivered"
            for tier in range(1, 9)
            for block in range(1, 5)
        },
        units=SUMMATION,
    )
    """Four blocks of the first tier, then of the second, up to the eighth."""
    bill_to_date_delivered = attribute(0x0A00, UInt32, units="0.001 pence")
    uncontrolled_flow_threshold = attribute(0x0B10, UInt16, units="unit of measure per hour")
    uncontrolled_flow_threshold_unit_of_measure = attribute(0x0B11, meanings.UnitOfMeasure)
    uncontrolled_flow_multiplier = attribute(0x0B12, UInt16)
    uncontrolled_flow_divisor = attribute(0x0B13, UInt16)
    flow_stabilisation_period = attribute(0x0B14, UInt8, units="0.1 s")
    flow_measurement_period = attribute(0x0B15, UInt16, units="s")

    alternative_day_consumption = ladder(UInt24, _history(0x0C00, "day", "alternative_"), units="Wh")
    alternative_week_consumption = ladder(
        UInt24, _history(0x0C00, "week", "alternative_"), units="Wh", confidence="unverified"
    )
    alternative_month_consumption = ladder(
        UInt32, _history(0x0C00, "month", "alternative_"), units="Wh", confidence="unverified"
    )
    """Of gas, in units of energy."""

    functional_notification_flags = attribute(0x0000, NotificationFlags, server=False)
    notification_flags_2 = attribute(0x0001, Bitmap32, server=False)
    notification_flags_3 = attribute(0x0002, Bitmap32, server=False)
    notification_flags_4 = attribute(0x0003, Bitmap32, server=False)
    notification_flags_5 = attribute(0x0004, Bitmap32, server=False)

    request_mirror_response = command(0x01, CLIENT_TO_SERVER, fields(endpoint_id=UInt16))
    mirror_removed = command(0x02, CLIENT_TO_SERVER, fields(removed_endpoint_id=UInt16))
    mirror_report_attribute_response = command(
        0x09, CLIENT_TO_SERVER, fields(notification_scheme=UInt8, notification_flags=to_end(Bitmap32))
    )
    request_mirror = command(0x01, SERVER_TO_CLIENT)
    remove_mirror = command(0x02, SERVER_TO_CLIENT)
    configure_mirror = command(
        0x08,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=UInt32,
            reporting_interval=UInt24,
            mirror_notification_reporting=Bool,
            notification_scheme=UInt8,
        ),
    )
    get_snapshot = command(
        0x06,
        CLIENT_TO_SERVER,
        fields(
            earliest_start_time=Time,
            latest_end_time=Time,
            snapshot_offset=UInt8,
            snapshot_cause=meanings.SnapshotCause,
        ),
    )
    start_sampling = command(
        0x07,
        CLIENT_TO_SERVER,
        fields(
            issuer_event_id=Time,
            start_sampling_time=StartTime,
            sample_type=meanings.SampleType,
            sample_request_interval=UInt16,
            max_number_of_samples=UInt16,
        ),
    )
    get_sampled_data = command(
        0x08,
        CLIENT_TO_SERVER,
        fields(
            sample_id=UInt16,
            earliest_sample_time=Time,
            sample_type=meanings.SampleType,
            number_of_samples=UInt16,
        ),
    )
    change_supply = command(
        0x0B,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            request_date_time=IssueTime,
            implementation_date_time=StartTime,
            proposed_supply_status=meanings.SupplyState,
            supply_control_bits=SupplyControl,
        ),
    )
    local_change_supply = command(
        0x0C,
        CLIENT_TO_SERVER,
        fields(proposed_supply_status=meanings.SupplyState),
        confidence="unverified",
    )
    set_supply_status = command(
        0x0D,
        CLIENT_TO_SERVER,
        fields(
            issuer_event_id=Time,
            supply_tamper_state=meanings.SupplyState,
            supply_depletion_state=meanings.SupplyState,
            supply_uncontrolled_flow_state=meanings.SupplyState,
            load_limit_supply_state=meanings.SupplyState,
        ),
    )
    set_uncontrolled_flow_threshold = command(
        0x0E,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            uncontrolled_flow_threshold=UInt16,
            unit_of_measure=meanings.UnitOfMeasure,
            multiplier=UInt16,
            divisor=UInt16,
            stabilisation_period=UInt8,
            measurement_period=UInt16,
        ),
    )

    publish_snapshot = command(
        0x06,
        SERVER_TO_CLIENT,
        fields(
            snapshot_id=UInt32,
            snapshot_time=Time,
            snapshots_found=UInt8,
            command_index=UInt8,
            number_of_commands=UInt8,
            snapshot_cause=meanings.SnapshotCause,
            snapshot_payload_type=SnapshotPayloadType,
            snapshot_payload=variant(
                "snapshot_payload_type",
                {
                    6: fields(
                        current_summation_delivered=UInt48,
                        current_tier_summations_delivered=counted(UInt8, UInt48),
                        number_of_tiers_and_block_thresholds_in_use=TiersAndThresholds,
                        current_block_summations_delivered=to_end(UInt48),
                    )
                },
            ),
        ),
    )
    get_sampled_data_response = command(
        0x07,
        SERVER_TO_CLIENT,
        fields(
            sample_id=UInt16,
            sample_start_time=Time,
            sample_type=meanings.SampleType,
            sample_request_interval=UInt16,
            samples=counted(UInt16, UInt24),
        ),
    )
    supply_status_response = command(
        0x0C,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            implementation_date_time=StartTime,
            supply_status=meanings.SupplyState,
        ),
    )
    start_sampling_response = command(0x0D, SERVER_TO_CLIENT, fields(sample_id=UInt16))
