"""Use cases that read registers and logs of a GSME, or what the hub's gas proxy (GPF) mirrors of them.

Spec: GBCS use cases CS10a, CS10b, CS11, GCS13a to GCS18, GCS31, GCS60, GCS60a, GCS61
"""

from __future__ import annotations

from smetslab.gbcs.elements import Elements
from smetslab.gbcs.usecases.common import (
    ACCESS_CONTROL_BROKER,
    ANY_READER,
    SUPPLIER_OR_BROKER,
    SUPPLIER_OR_NETWORK_OPERATOR,
)
from smetslab.gbcs.usecases.gas_common import GPF, GPF_OR_GSME, gas
from smetslab.gbcs.usecases.gbz import ask, read, since
from smetslab.gbcs.usecases.model import newer
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

_EVENT_LOG_ELEMENTS: Elements = {
    "get_event_log.start_time": ("StartDateTime",),
    "get_event_log.end_time": ("EndDateTime",),
    "publish_event_log.log_payload.event_id": ("LogCode",),
    "publish_event_log.log_payload.event_time": ("Timestamp",),
    "publish_event_log.log_payload.event_data": ("OtherInformation",),
}
"""Spec: DUIS and MMC 6.13."""

SNAPSHOT_ELEMENTS: Elements = {
    "get_snapshot.earliest_start_time": ("StartDateTime",),
    "get_snapshot.latest_end_time": ("EndDateTime",),
    "publish_snapshot.snapshot_time": ("Timestamp",),
    "publish_snapshot.snapshot_payload.current_summation_delivered": (
        "ConsumptionRegister",
        "ActiveImportRegisterValueConsumption",
        "GasActiveImportRegisterConsumption",
    ),
    "publish_snapshot.snapshot_payload.current_tier_summations_delivered": (
        "TariffTOURegisterMatrixValue",
        "TariffTOURegisterMatrix",
    ),
    "publish_snapshot.snapshot_payload.current_block_summations_delivered": (
        "BlockRegisterMatrixValue",
        "TariffBlockCounterMatrix",
    ),
}
"""Consumption at billing times and at the end of days. Spec: MMC 4.4.2, 4.4.3, 4.6.1."""

_PREPAY_SNAPSHOT_ELEMENTS: Elements = {
    "get_prepay_snapshot.earliest_start_time": ("StartDateTime",),
    "get_prepay_snapshot.latest_end_time": ("EndDateTime",),
    "publish_prepay_snapshot.snapshot_time": ("Timestamp",),
    "publish_prepay_snapshot.snapshot_payload.accumulated_debt_register": ("AccumulatedDebtRegister",),
    "publish_prepay_snapshot.snapshot_payload.time_debt_register_1": ("TimeDebtRegisters1",),
    "publish_prepay_snapshot.snapshot_payload.time_debt_register_2": ("TimeDebtRegisters2",),
    "publish_prepay_snapshot.snapshot_payload.payment_debt_register": ("PaymentDebtRegister",),
    "publish_prepay_snapshot.snapshot_payload.emergency_credit_balance": ("EmergencyCreditBalance",),
    "publish_prepay_snapshot.snapshot_payload.meter_balance": ("MeterBalance",),
}
"""Balances at the same times. Spec: MMC 4.4.2, 4.4.3, 4.14."""

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
        elements=_EVENT_LOG_ELEMENTS,
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
        elements=_EVENT_LOG_ELEMENTS,
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
        elements={
            "current_summation_delivered": (
                "ConsumptionRegister",
                "Value",
            ),
            "unit_of_measure": ("Unit",),
        },
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
        elements={
            "current_no_tier_block_1_summation_delivered": ("TariffBlockCounterValue",),
            "current_no_tier_block_2_summation_delivered": ("TariffBlockCounterValue",),
            "current_no_tier_block_3_summation_delivered": ("TariffBlockCounterValue",),
            "current_no_tier_block_4_summation_delivered": ("TariffBlockCounterValue",),
        },
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
        elements={
            "current_tier_1_summation_delivered": ("TOURegisterMatrixValue",),
            "current_tier_2_summation_delivered": ("TOURegisterMatrixValue",),
            "current_tier_3_summation_delivered": ("TOURegisterMatrixValue",),
            "current_tier_4_summation_delivered": ("TOURegisterMatrixValue",),
        },
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
        elements={
            "accumulated_debt": ("AccumulatedDebtRegister",),
            "emergency_credit_remaining": ("EmergencyCreditBalance",),
            "credit_remaining": ("MeterBalance",),
            "debt_amount_3": ("PaymentDebtRegister",),
            "debt_amount_1": ("TimeDebtRegister1",),
            "debt_amount_2": ("TimeDebtRegister2",),
        },
    ),
    gas(
        "GCS15b",
        0x00C3,
        "Read GSME Billing Data Log (change of mode / tariff triggered)",
        "4.4.2",
        (_BILLING_PREPAY_SNAPSHOTS, _BILLING_SNAPSHOTS),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
        elements={**_PREPAY_SNAPSHOT_ELEMENTS, **SNAPSHOT_ELEMENTS},
    ),
    gas(
        "GCS15c",
        0x0076,
        "Read GSME Billing Data Log (billing calendar triggered)",
        "4.4.3",
        (_BILLING_SNAPSHOTS, _BILLING_PREPAY_SNAPSHOTS),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
        elements={**SNAPSHOT_ELEMENTS, **_PREPAY_SNAPSHOT_ELEMENTS},
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
        elements={
            "from_date_time": ("StartDateTime",),
            "get_debt_repayment_log.latest_end_time": ("EndDateTime",),
            "publish_debt_log.debt_entries.collection_time": ("Timestamp",),
            "publish_debt_log.debt_entries.amount_collected": ("Amount",),
        },
    ),
    gas(
        "GCS15e",
        0x00C5,
        "Read GSME Billing Data Log (prepayment credits)",
        "4.4.5",
        (since(ask(Prepayment.get_top_up_log, Prepayment.publish_top_up_log, several=True, quiet=True)),),
        devices=GPF_OR_GSME,
        roles=SUPPLIER_OR_BROKER,
        elements={
            "from_date_time": ("StartDateTime",),
            "get_top_up_log.latest_end_time": ("EndDateTime",),
            "publish_top_up_log.top_up_entries.top_up_amount": ("Amount",),
            "publish_top_up_log.top_up_entries.top_up_time": ("Timestamp",),
        },
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
        elements=SNAPSHOT_ELEMENTS,
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
        elements=_PREPAY_SNAPSHOT_ELEMENTS,
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
        elements={
            "get_sampled_data.earliest_sample_time": ("StartDateTime",),
            "get_sampled_data_response.sample_start_time": ("Timestamp",),
            "get_sampled_data_response.samples": ("Gas",),
        },
    ),
    gas(
        "GCS18",
        0x0079,
        "Read Gas Network Data Log",
        "4.10",
        (ask(Metering.get_sampled_data, Metering.get_sampled_data_response, several=True, encrypted=True),),
        roles=SUPPLIER_OR_BROKER,
        elements={
            "get_sampled_data_response.sample_start_time": ("Timestamp",),
            "get_sampled_data_response.samples": (
                "NetworkDataLog",
                "Value",
            ),
        },
    ),
    gas(
        "GCS31",
        0x0080,
        "Start Network Data Log on GSME",
        "14.1",
        (ask(Metering.start_sampling, Metering.start_sampling_response),),
        roles=ACCESS_CONTROL_BROKER,
        replay_protected=True,
        elements={"start_sampling_response.sample_id": ("SampleID",)},
    ),
    gas(
        "GCS60",
        0x008D,
        "Read Meter Balance for GSME",
        "4.18",
        _BALANCE,
        devices=GPF_OR_GSME,
        elements={
            "bill_to_date_delivered": ("MeterBalance",),
            "credit_remaining": ("MeterBalancePrepaymentMode",),
        },
    ),
    newer(
        gas(
            "GCS60a",
            0x012A,
            "Read Meter Balance with date-time stamp (GSME/GPF)",
            "4.18",
            _BALANCE,
            devices=GPF_OR_GSME,
            date_time_in_response=True,
            unverified=("future_dateable", "replay_protected"),
            elements={
                "bill_to_date_delivered": ("MeterBalance",),
                "credit_remaining": ("MeterBalancePrepaymentMode",),
            },
        ),
        than="GCS60",
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
        elements={
            "get_sampled_data.earliest_sample_time": ("StartDateTime",),
            "get_sampled_data_response.sample_start_time": ("Timestamp",),
            "get_sampled_data_response.samples": ("Value",),
        },
    ),
)
