"""Variants that read registers, profiles and logs. Spec: DUIS service references 4.1 to 4.18, 14.1."""

from __future__ import annotations

from typing import Final

from smetslab.duis.srv.common import (
    DISTRIBUTOR,
    END,
    EXPORT_SUPPLIER,
    GAS_SUPPLIER,
    IMPORT_SUPPLIER,
    OTHER_USER,
    START,
    SUPPLIERS,
    TRANSPORTER,
    period,
    read,
)
from smetslab.duis.srv.components import NOW
from smetslab.duis.srv.derived import Samples
from smetslab.duis.srv.holes import Position, Repeat, Unsaid
from smetslab.duis.srv.model import mapping
from smetslab.duis.srv.template import Template
from smetslab.gbcs.values import IMMEDIATE

_READERS = (*SUPPLIERS, DISTRIBUTOR, TRANSPORTER)

_BOUNDS: Final = ("ReadLogPeriod.StartDateTime", "ReadLogPeriod.EndDateTime")
_WINDOW: Final[dict[str, Template]] = {"earliest_start_time": START, "latest_end_time": END}
_MONTHS, _DAYS = 12, 31
"""How many records a request asks for: one component each. Spec: GBCS use cases GCS15b to GCS16b."""

_NO_WINDOW: Final = Unsaid(
    "ReadLogPeriod", {"StartDateTime": "2000-01-01T00:00:00Z", "EndDateTime": "2136-02-07T06:28:14Z"}
)
_EVER: Final = "2136-02-07T06:28:14Z"
"""The last moment that is no special value. Spec: ZCL 2.6.2.21 (UTCTime)."""


def _records(times: int, *causes: str) -> Template:
    return Repeat(times, {**_WINDOW, "snapshot_offset": Position(), "snapshot_cause": list(causes)})


def _both(times: int, *causes: str) -> dict[str, Template]:
    return {"get_snapshot": _records(times, *causes), "get_prepay_snapshot": _records(times, *causes)}


def _calendar(kind: str, calendar: str) -> dict[str, Template]:
    """Read a whole calendar. Spec: ZSE 1.4 (Calendar cluster)."""
    of: dict[str, Template] = {"provider_id": 0, "issuer_calendar_id": calendar}
    return {
        "get_day_profiles": {**of, "start_day_id": 1, "number_of_days": 0},
        "get_week_profiles": {**of, "start_week_id": 1, "number_of_weeks": 0},
        "get_seasons": of,
        "get_special_days": {
            **of,
            "start_time": IMMEDIATE,
            "number_of_events": 0,
            "calendar_type": kind,
        },
    }


def _voltage_log(phase: int) -> dict[str, Template]:
    return period(f"phase_{phase}_average_rms_voltage_profile_data_log_period")


SERVICE_REQUESTS = (
    read(
        "4.1.1",
        "Read Instantaneous Import Registers",
        "ReadInstantaneousImportRegisters",
        _READERS,
        mapping("ECS17b"),
        mapping("GCS13a"),
    ),
    read(
        "4.1.2",
        "Read Instantaneous Import TOU Matrices",
        "ReadInstantaneousImportTOUMatrices",
        _READERS,
        mapping("ECS17d"),
        mapping("GCS13c"),
    ),
    read(
        "4.1.3",
        "Read Instantaneous Import TOU With Blocks Matrices",
        "ReadInstantaneousImportTOUWithBlocksMatrices",
        (IMPORT_SUPPLIER, DISTRIBUTOR),
        mapping("ECS17e"),
    ),
    read(
        "4.1.4",
        "Read Instantaneous Import Block Counters",
        "ReadInstantaneousImportBlockCounters",
        (GAS_SUPPLIER,),
        mapping("GCS13b"),
    ),
    read(
        "4.2",
        "Read Instantaneous Export Registers",
        "ReadInstantaneousExportRegisters",
        (EXPORT_SUPPLIER, DISTRIBUTOR),
        mapping("ECS17a"),
    ),
    read(
        "4.3",
        "Read Instantaneous Prepay Values",
        "ReadInstantaneousPrepayValues",
        SUPPLIERS,
        mapping("ECS19"),
        mapping("GCS14"),
    ),
    read(
        "4.4.2",
        "Retrieve Change Of Mode / Tariff Triggered Billing Data Log",
        "RetrieveCoMOrTariffTriggeredBillingDataLog",
        SUPPLIERS,
        mapping("ECS20b", period("read_log_period")),
        mapping(
            "GCS15b",
            components_of=_both(
                _MONTHS, "change_of_tariff_information", "change_of_supplier", "change_of_meter_mode"
            ),
        ),
        window=True,
        credentials=True,
    ),
    read(
        "4.4.3",
        "Retrieve Billing Calendar Triggered Billing Data Log",
        "RetrieveBillingCalendarTriggeredBillingDataLog",
        SUPPLIERS,
        mapping("ECS20c", period("read_log_period")),
        mapping("GCS15c", components_of=_both(_MONTHS, "end_of_billing_period")),
        window=True,
        credentials=True,
    ),
    read(
        "4.4.4",
        "Retrieve Billing Data Log (Payment Based Debt Payments)",
        "RetrieveBillingDataLogDebtPayments",
        SUPPLIERS,
        mapping("ECS20a", period("payment_based_debt_repayments_period")),
        mapping(
            "GCS15d",
            components_of={
                "get_debt_repayment_log": {
                    "from_date_time": START,
                    "latest_end_time": END,
                    "number_of_debts": 10,
                    "debt_type": "debt_3",
                }
            },
        ),
        window=True,
    ),
    read(
        "4.4.5",
        "Retrieve Billing Data Log (Prepayment Credits)",
        "RetrieveBillingDataLogPrepaymentCredits",
        SUPPLIERS,
        mapping("ECS20d", period("prepayment_credits_period")),
        mapping(
            "GCS15e",
            {"the log is read to its end": Unsaid("ReadLogPeriod.EndDateTime", _EVER)},
            components_of={
                "get_top_up_log": {"from_date_time": START, "latest_end_time": _EVER, "number_of_records": 5}
            },
        ),
        window=True,
    ),
    read(
        "4.6.1",
        "Retrieve Import Daily Read Log",
        "RetrieveImportDailyReadLog",
        SUPPLIERS,
        mapping("ECS21a", period("read_log_period")),
        mapping("GCS16a", components_of={"get_snapshot": _records(_DAYS, "general")}),
        window=True,
        credentials=True,
    ),
    read(
        "4.6.2",
        "Retrieve Export Daily Read Log",
        "RetrieveExportDailyReadLog",
        (EXPORT_SUPPLIER,),
        mapping("ECS21c", period("daily_read_log_export_period")),
        window=True,
    ),
    read(
        "4.8.1",
        "Read Active Import Profile Data",
        "ReadActiveImportProfileData",
        (*_READERS, OTHER_USER),
        mapping("ECS22b", period("read_log_period")),
        mapping(
            "GCS17",
            components_of={
                "get_sampled_data": {
                    "sample_id": 0,
                    "earliest_sample_time": START,
                    "sample_type": "consumption_delivered",
                    "number_of_samples": Samples(*_BOUNDS, every_s=30 * 60),
                }
            },
            unverified=("ReadLogPeriod.EndDateTime",),
        ),
        window=True,
        credentials=True,
    ),
    read(
        "4.8.2",
        "Read Reactive Import Profile Data",
        "ReadReactiveImportProfileData",
        (IMPORT_SUPPLIER, DISTRIBUTOR, OTHER_USER),
        mapping("ECS22c", period("profile_data_log_reactive_import_period")),
        window=True,
    ),
    read(
        "4.8.3",
        "Read Export Profile Data",
        "ReadExportProfileData",
        (EXPORT_SUPPLIER, DISTRIBUTOR, OTHER_USER),
        mapping("ECS22a", period("profile_data_log_export_period")),
        window=True,
    ),
    read(
        "4.10",
        "Read Network Data",
        "ReadNetworkData",
        _READERS,
        mapping("ECS23", _voltage_log(1), phases="single"),
        mapping("ECS23b", {**_voltage_log(1), **_voltage_log(2), **_voltage_log(3)}, phases="poly"),
        mapping(
            "GCS18",
            {"the whole log is read": _NO_WINDOW},
            components_of={
                "get_sampled_data": {
                    "sample_id": 2,
                    "earliest_sample_time": "2000-01-01T00:00:01Z",
                    "sample_type": "consumption_delivered",
                    "number_of_samples": 41,
                }
            },
        ),
        window=True,
        credentials=True,
    ),
    read(
        "4.11.1",
        "Read Tariff (Primary Element)",
        "ReadTariffPrimaryElement",
        (*SUPPLIERS, OTHER_USER),
        mapping("ECS24"),
        mapping(
            "GCS21f",
            components_of={
                **_calendar("delivered", "tariff_calendar"),
                "get_current_price": {"command_options": []},
            },
        ),
        dated=False,
    ),
    read(
        "4.11.2",
        "Read Tariff (Secondary Element)",
        "ReadTariffSecondaryElement",
        (IMPORT_SUPPLIER, OTHER_USER),
        mapping("ECS24b"),
        dated=False,
    ),
    read(
        "4.12.1",
        "Read Maximum Demand Import Registers",
        "ReadMaximumDemandImportRegisters",
        (IMPORT_SUPPLIER, DISTRIBUTOR),
        mapping("ECS18b"),
    ),
    read(
        "4.12.2",
        "Read Maximum Demand Export Registers",
        "ReadMaximumDemandExportRegisters",
        (EXPORT_SUPPLIER, DISTRIBUTOR),
        mapping("ECS18a"),
    ),
    read(
        "4.13",
        "Read Prepayment Configuration",
        "ReadPrepaymentConfiguration",
        SUPPLIERS,
        mapping("ECS26a"),
        mapping("GCS21b", components_of=_calendar("friendly_credit", "non_disablement_calendar")),
    ),
    read(
        "4.14",
        "Read Prepayment Daily Read Log",
        "ReadPrepaymentDailyReadLog",
        SUPPLIERS,
        mapping("ECS21b", period("read_log_period")),
        mapping("GCS16b", components_of={"get_prepay_snapshot": _records(_DAYS, "general")}),
        window=True,
        credentials=True,
    ),
    read(
        "4.15",
        "Read Load Limit Data",
        "ReadLoadLimitData",
        (IMPORT_SUPPLIER, DISTRIBUTOR),
        mapping("ECS27"),
    ),
    read(
        "4.16",
        "Read Active Power Import",
        "ReadActivePowerImport",
        (IMPORT_SUPPLIER, DISTRIBUTOR),
        mapping("ECS17c"),
        dated=False,
    ),
    read(
        "4.17",
        "Retrieve Daily Consumption Log",
        "RetrieveDailyConsumptionLog",
        (*_READERS, OTHER_USER),
        mapping("ECS66", period("read_log_period")),
        mapping(
            "GCS61",
            components_of={
                "get_sampled_data": {
                    "sample_id": 1,
                    "earliest_sample_time": START,
                    "sample_type": "consumption_delivered",
                    "number_of_samples": Samples(*_BOUNDS, every_s=24 * 60 * 60),
                }
            },
        ),
        window=True,
        credentials=True,
    ),
    read(
        "4.18",
        "Read Meter Balance",
        "ReadMeterBalance",
        SUPPLIERS,
        mapping("ECS82"),
        mapping("GCS60a"),
        mapping("GCS60"),
    ),
    read(
        "14.1",
        "Record Network Data (GAS)",
        "RecordNetworkDataGAS",
        (TRANSPORTER,),
        mapping(
            "GCS31",
            components_of={
                "start_sampling": {
                    "issuer_event_id": NOW,
                    "start_sampling_time": IMMEDIATE,
                    "sample_type": "consumption_delivered",
                    "sample_request_interval": 360,
                    "max_number_of_samples": 41,
                }
            },
        ),
        dated=False,
    ),
)
