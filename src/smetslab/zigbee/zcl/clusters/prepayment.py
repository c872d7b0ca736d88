"""Prepayment, cluster 0x0705: credit, debt, emergency credit, top-ups. Money is in 1/1000 of a penny.

Spec: ZSE 1.4 D.7; GBCS use cases GCS02 to GCS06, GCS14 to GCS16, GCS21b, GCS21j, GCS40, GCS60, CS01b,
PCS01, PCS02
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import fields, to_end, variant
from smetslab.zigbee.zcl.named import Enumeration, Flags, IssueTime, StartTime, Time
from smetslab.zigbee.zcl.types import Bitmap8, Bitmap16, Enum8, Int32, UInt8, UInt16, UInt32

MONEY = "0.001 pence"

PaymentControlConfiguration = Flags(
    Bitmap16,
    {
        0: "disconnection_enabled",
        1: "prepayment_enabled",
        2: "credit_management_enabled",
        4: "credit_display_enabled",
        6: "account_base",
        7: "contactor_fitted",
        8: "standing_charge_configuration",
        9: "emergency_standing_charge_configuration",
        10: "debt_configuration",
        11: "emergency_debt_configuration",
    },
)
"""Spec: ZSE 1.4 D.7.2.2.1.1."""

DebtRecoveryMethod = Enumeration(UInt8, {0: "time_based", 1: "percentage_based", 2: "catch_up_based"})
"""Spec: ZSE 1.4 D.7.2.2.3.3."""

DebtAmountType = Enumeration(
    Enum8,
    {
        0: "type_1_absolute",
        1: "type_1_incremental",
        2: "type_2_absolute",
        3: "type_2_incremental",
        4: "type_3_absolute",
        5: "type_3_incremental",
    },
)
"""Spec: ZSE 1.4 D.7.2.3.3."""

DebtRecoveryFrequency = Enumeration(
    Enum8, {0: "per_hour", 1: "per_day", 2: "per_week", 3: "per_month", 4: "per_quarter"}
)
"""Spec: ZSE 1.4 D.7.2.2.3.6."""

DebtType = Enumeration(Enum8, {0: "debt_1", 1: "debt_2", 2: "debt_3", 0xFF: "all_debts"})
"""Spec: ZSE 1.4 D.7.2.3.11; 3 is the payment-based debt (GBCS use case GCS15d)."""

CreditAdjustmentType = Enumeration(
    UInt8,
    {
        0: "credit_incremental",
        1: "credit_absolute",
        2: "credit_mode_absolute",
        3: "credit_mode_incremental",
    },
)
"""0 and 1: ZSE 1.4 D.7.2.3.6. 2 and 3 were added for GBCS (use cases GCS40c, GCS40d); their names are
ours."""

TopUpResult = Enumeration(
    UInt8,
    {
        0x00: "accepted",
        0x01: "rejected_invalid_top_up",
        0x02: "rejected_duplicate_top_up",
        0x03: "rejected_error",
        0x04: "rejected_max_credit_reached",
        0x05: "rejected_keypad_lock",
        0x06: "rejected_top_up_value_too_large",
        0x10: "accepted_supply_enabled",
        0x11: "accepted_supply_disabled",
        0x12: "accepted_supply_armed",
    },
)
"""Spec: ZSE 1.4 D.7.2.4.3."""

FriendlyCredit = Flags(Bitmap8, {0: "friendly_credit_enabled"})
"""Spec: ZSE 1.4 D.7.2.4.2."""

SnapshotPayloadType = Enumeration(Enum8, {0: "debt_credit_status", 0xFF: "not_used"})
"""Spec: ZSE 1.4 D.7.2.4.1."""

Originator = meanings.OriginatingDevice


class Prepayment(Cluster, id=0x0705, spec="ZSE 1.4 D.7"):
    """Spec: ZSE 1.4 D.7."""

    payment_control_configuration = attribute(0x0000, PaymentControlConfiguration)
    credit_remaining = attribute(0x0001, Int32, units=MONEY)
    emergency_credit_remaining = attribute(0x0002, Int32, units=MONEY)
    accumulated_debt = attribute(0x0005, Int32, units=MONEY)
    overall_debt_cap = attribute(0x0006, Int32, units=MONEY)
    emergency_credit_limit = attribute(0x0010, UInt32, units=MONEY)
    emergency_credit_threshold = attribute(0x0011, UInt32, units=MONEY)
    max_credit_limit = attribute(0x0021, UInt32, units=MONEY)
    max_credit_per_top_up = attribute(0x0022, UInt32, units=MONEY)
    low_credit_warning_level = attribute(0x0031, UInt32, units=MONEY)
    cut_off_value = attribute(0x0040, Int32, units=MONEY)
    debt_amount_1 = attribute(0x0211, UInt32, units=MONEY)
    debt_recovery_frequency_1 = attribute(0x0216, DebtRecoveryFrequency)
    debt_recovery_amount_1 = attribute(0x0217, UInt32, units=MONEY)
    debt_amount_2 = attribute(0x0221, UInt32, units=MONEY)
    debt_recovery_frequency_2 = attribute(0x0226, DebtRecoveryFrequency)
    debt_recovery_amount_2 = attribute(0x0227, UInt32, units=MONEY)
    debt_amount_3 = attribute(0x0231, UInt32, units=MONEY)
    debt_recovery_top_up_percentage_3 = attribute(0x0239, UInt16, units="0.01 %")

    select_available_emergency_credit = command(
        0x00, CLIENT_TO_SERVER, fields(command_issue_date_time=IssueTime, originating_device=Originator)
    )
    change_debt = command(
        0x02,
        CLIENT_TO_SERVER,
        fields(
            issuer_event_id=Time,
            debt_label=meanings.Text,
            debt_amount=Int32,
            debt_recovery_method=DebtRecoveryMethod,
            debt_amount_type=DebtAmountType,
            debt_recovery_start_time=StartTime,
            debt_recovery_collection_time=UInt16,
            debt_recovery_frequency=DebtRecoveryFrequency,
            debt_recovery_amount=Int32,
            debt_recovery_balance_percentage=UInt16,
        ),
    )
    emergency_credit_setup = command(
        0x03,
        CLIENT_TO_SERVER,
        fields(
            issuer_event_id=Time,
            start_time=StartTime,
            emergency_credit_limit=UInt32,
            emergency_credit_threshold=UInt32,
        ),
    )
    consumer_top_up = command(
        0x04, CLIENT_TO_SERVER, fields(originating_device=Originator, top_up_code=meanings.Text)
    )
    credit_adjustment = command(
        0x05,
        CLIENT_TO_SERVER,
        fields(
            issuer_event_id=Time,
            start_time=StartTime,
            credit_adjustment_type=CreditAdjustmentType,
            credit_adjustment_value=Int32,
        ),
    )
    change_payment_mode = command(
        0x06,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            implementation_date_time=StartTime,
            proposed_payment_control_configuration=PaymentControlConfiguration,
            cut_off_value=Int32,
        ),
    )
    get_prepay_snapshot = command(
        0x07,
        CLIENT_TO_SERVER,
        fields(
            earliest_start_time=Time,
            latest_end_time=Time,
            snapshot_offset=UInt8,
            snapshot_cause=meanings.SnapshotCause,
        ),
    )
    get_top_up_log = command(0x08, CLIENT_TO_SERVER, fields(latest_end_time=Time, number_of_records=UInt8))
    set_low_credit_warning_level = command(0x09, CLIENT_TO_SERVER, fields(low_credit_warning_level=UInt32))
    get_debt_repayment_log = command(
        0x0A,
        CLIENT_TO_SERVER,
        fields(latest_end_time=Time, number_of_debts=UInt8, debt_type=DebtType),
    )
    set_maximum_credit_limit = command(
        0x0B,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            implementation_date_time=StartTime,
            maximum_credit_level=UInt32,
            maximum_credit_per_top_up=UInt32,
        ),
    )
    set_overall_debt_cap = command(
        0x0C,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            implementation_date_time=StartTime,
            overall_debt_cap=Int32,
        ),
    )

    publish_prepay_snapshot = command(
        0x01,
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
                    0: fields(
                        accumulated_debt_register=Int32,
                        time_debt_register_1=UInt32,
                        time_debt_register_2=UInt32,
                        payment_debt_register=UInt32,
                        emergency_credit_balance=Int32,
                        meter_balance=Int32,
                    )
                },
            ),
        ),
    )
    change_payment_mode_response = command(
        0x02,
        SERVER_TO_CLIENT,
        fields(
            friendly_credit=FriendlyCredit,
            friendly_credit_calendar_id=UInt32,
            emergency_credit_limit=UInt32,
            emergency_credit_threshold=UInt32,
        ),
    )
    consumer_top_up_response = command(
        0x03,
        SERVER_TO_CLIENT,
        fields(
            result_type=TopUpResult,
            top_up_value=Int32,
            source_of_top_up=Originator,
            credit_remaining=Int32,
        ),
    )
    publish_top_up_log = command(
        0x05,
        SERVER_TO_CLIENT,
        fields(
            command_index=UInt8,
            number_of_commands=UInt8,
            top_up_entries=to_end(fields(top_up_code=meanings.Text, top_up_amount=Int32, top_up_time=Time)),
        ),
    )
    publish_debt_log = command(
        0x06,
        SERVER_TO_CLIENT,
        fields(
            command_index=UInt8,
            number_of_commands=UInt8,
            debt_entries=to_end(
                fields(
                    collection_time=Time,
                    amount_collected=UInt32,
                    debt_type=DebtType,
                    outstanding_debt=UInt32,
                )
            ),
        ),
    )
