"""Use cases that read registers and logs of a GSME, or what the hub's gas proxy (GPF) mirrors of them.

Spec: GBCS use cases CS10a, CS10b, CS11, GCS13a to GCS18, GCS31, GCS60, GCS60a, GCS61
"""

from __future__ import annotations

from smetslab.gbcs.usecases.common import (
    ACCESS_CONTROL_BROKER,
    ANY_READER,
    SUPPLIER_OR_BROKER,
    SUPPLIER_OR_NETWORK_OPERATOR,
)
from smetslab.gbcs.usecases.gas_common import GPF, GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, read, since
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price

BILLING_LOG_ENTRIES = 12
"""Records of a billing data log, and so components that ask for one each. Spec: GBCS use cases GCS15b,
GCS15c."""
DAILY_READ_LOG_ENTRIES = 31
"""Spec: GBCS use cases GCS16a, GCS16b."""

_SCALE = (Metering.divisor, Metering.multiplier, Metering.unit_of_measure)

_BALANCE = (read(Metering.bill_to_date_delivered), read(Prepayment.credit_remaining))

_EVENT_LOG = (ask(Events.get_event_log, Events.publish_event_log, several=True, quiet=True),)


_BILLING_SNAPSHOTS = ask(
    Metering.get_snapshot,
    Metering.publish_snapshot,
    times=BILLING_LOG_ENTRIES,
    encrypted=True,
    quiet=True,
)
_BILLING_PREPAY_SNAPSHOTS = ask(
    Prepayment.get_prepay_snapshot,
    Prepayment.publish_prepay_snapshot,
    times=BILLING_LOG_ENTRIES,
    encrypted=True,
    quiet=True,
)

USE_CASES = (
    gas(
        "CS10a",
        0x0014,
        "Read ZigBee Device Event Log",
        "6.13",
        _EVENT_LOG,
        devices=GPF_OR_GSME,
        roles=ANY_READER,
        unverified=("devices",),
    ),
    gas(
        "CS10b",
        0x00A1,
        "Read ZigBee Device Security Log",
        "6.13",
        _EVENT_LOG,
        devices=GPF_OR_GSME,
        roles=ANY_READER,
        unverified=("devices",),
    ),
    gas(
        "CS11",
        0x0015,
        "Clear ZigBee Device Event Log",
        "3.3",
        (ask(Events.clear_event_log_request, Events.clear_event_log_response),),
        devices=GPF_OR_GSME,
    ),
    gas(
        "GCS13a",
        0x0074,
        "Read GSME Consumption Register",
        "4.1.1",
        (read(*_SCALE, Metering.current_summation_delivered, encrypted=True, quiet=True),),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_NETWORK_OPERATOR,
        date_time_in_response=True,
    ),
    gas(
        "GCS13b",
        0x00B8,
        "Read GSME Block Counters",
        "4.1.4",
        (
            read(
                Metering.current_no_tier_block_1_summation_delivered,
                Metering.current_no_tier_block_2_summation_delivered,
                Metering.current_no_tier_block_3_summation_delivered,
                Metering.current_no_tier_block_4_summation_delivered,
                *_SCALE,
                encrypted=True,
                quiet=True,
            ),
        ),
        devices=GPF_OR_GSME,
        date_time_in_response=True,
    ),
    gas(
        "GCS13c",
        0x00B6,
        "Read GSME Register (TOU)",
        "4.1.2",
        (
            read(
                *_SCALE,
                Metering.current_tier_1_summation_delivered,
                Metering.current_tier_2_summation_delivered,
                Metering.current_tier_3_summation_delivered,
                Metering.current_tier_4_summation_delivered,
                encrypted=True,
                quiet=True,
            ),
        ),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_NETWORK_OPERATOR,
        date_time_in_response=True,
    ),
    gas(
        "GCS14",
        0x0075,
        "Read GSME Prepayment Registers",
        "4.3",
        (
            read(Price.price_trailing_digits, Price.currency),
            read(
                Prepayment.accumulated_debt,
                Prepayment.emergency_credit_remaining,
                Prepayment.credit_remaining,
                Prepayment.debt_amount_3,
                Prepayment.debt_amount_1,
                Prepayment.debt_amount_2,
                encrypted=True,
            ),
        ),
        devices=GPF_OR_GSME,
        date_time_in_response=True,
    ),
    gas(
        "GCS15b",
        0x00C3,
        "Read GSME Billing Data Log (change of mode / tariff triggered)",
        "4.4.2",
        (_BILLING_PREPAY_SNAPSHOTS, _BILLING_SNAPSHOTS),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS15c",
        0x0076,
        "Read GSME Billing Data Log (billing calendar triggered)",
        "4.4.3",
        (_BILLING_SNAPSHOTS, _BILLING_PREPAY_SNAPSHOTS),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS15d",
        0x00C4,
        "Read GSME Billing Data Log (payment-based debt payments)",
        "4.4.4",
        (
            since(
                ask(
                    Prepayment.get_debt_repayment_log,
                    Prepayment.publish_debt_log,
                    several=True,
                    encrypted=True,
                    quiet=True,
                )
            ),
        ),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS15e",
        0x00C5,
        "Read GSME Billing Data Log (prepayment credits)",
        "4.4.5",
        (since(ask(Prepayment.get_top_up_log, Prepayment.publish_top_up_log, several=True, quiet=True)),),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS16a",
        0x0077,
        "Read GSME Daily Read Log",
        "4.6.1",
        (
            ask(
                Metering.get_snapshot,
                Metering.publish_snapshot,
                times=DAILY_READ_LOG_ENTRIES,
                encrypted=True,
                quiet=True,
            ),
        ),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS16b",
        0x0096,
        "Read GSME Daily Read log(s) (prepayment)",
        "4.14",
        (
            ask(
                Prepayment.get_prepay_snapshot,
                Prepayment.publish_prepay_snapshot,
                times=DAILY_READ_LOG_ENTRIES,
                encrypted=True,
                quiet=True,
            ),
        ),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS17",
        0x0078,
        "Read GSME Profile Data Log",
        "4.8.1",
        # That the answer is quiet is taken from GCS61; a device that says otherwise is read as well.
        (
            ask(
                Metering.get_sampled_data,
                Metering.get_sampled_data_response,
                several=True,
                encrypted=True,
                quiet=True,
            ),
        ),
        devices=GPF_OR_GSME,
        roles=ANY_READER,
    ),
    gas(
        "GCS18",
        0x0079,
        "Read Gas Network Data Log",
        "4.10",
        (ask(Metering.get_sampled_data, Metering.get_sampled_data_response, several=True, encrypted=True),),
        roles=SUPPLIER_OR_BROKER,
    ),
    gas(
        "GCS31",
        0x0080,
        "Start Network Data Log on GSME",
        "14.1",
        (ask(Metering.start_sampling, Metering.start_sampling_response),),
        roles=ACCESS_CONTROL_BROKER,
        replay_protected=True,
    ),
    gas("GCS60", 0x008D, "Read Meter Balance for GSME", "4.18", _BALANCE, devices=GPF_OR_GSME),
    gas(
        "GCS60a",
        0x012A,
        "Read Meter Balance with date-time stamp (GSME/GPF)",
        "4.18",
        _BALANCE,
        devices=GPF_OR_GSME,
        date_time_in_response=True,
        unverified=("future_dateable", "replay_protected"),
    ),
    gas(
        "GCS61",
        0x00A0,
        "Read Gas Daily Consumption Log",
        "4.17",
        (
            ask(
                Metering.get_sampled_data,
                Metering.get_sampled_data_response,
                several=True,
                encrypted=True,
                quiet=True,
            ),
        ),
        devices=GPF,
        roles=ANY_READER,
    ),
)
