"""Use cases that read registers, profiles and logs of measurements of an ESME.

Spec: GBCS use cases ECS17a to ECS18b, ECS20a to ECS22c, ECS66.
"""

from __future__ import annotations

from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import OneOf
from smetslab.gbcs.dlms.shapes import Compact, ListOf, Num, Shape, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ACCESS_CONTROL_BROKER,
    ACTIVE_ENERGY,
    ANY_READER,
    ESME,
    MAXIMUM_DEMAND_PERIOD,
    NETWORK_OPERATOR_OR_BROKER,
    POWER,
    REACTIVE_ENERGY,
    SCALER_UNIT,
    SUPPLIER_OR_BROKER,
    SUPPLIER_OR_NETWORK_OPERATOR,
    scaler_unit,
)
from smetslab.gbcs.usecases.dlms import (
    AccessItem,
    DlmsAccess,
    get,
    get_period,
    protected_get,
    protected_object,
    unverified,
)
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.prepayment import MONEY

_ACTIVE_SCALER_UNIT = scaler_unit("ActiveEnergyUnit")
_REACTIVE_SCALER_UNIT = scaler_unit("ReactiveEnergyUnit")

CREDIT_AMOUNT = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="1/1000 penny")

TOU_REGISTERS = ListOf(ACTIVE_ENERGY, 48)
SECONDARY_TOU_REGISTERS = ListOf(ACTIVE_ENERGY, 4)

TOU_BLOCK_REGISTERS: dict[str, Shape] = {
    known(f"tariff_block_{block}_tou_registers", f"TariffTOUBlock{block}RegisterMatrixValue"): ListOf(
        ACTIVE_ENERGY, 8
    )
    for block in range(1, 5)
}
BALANCES: dict[str, Shape] = {
    known("emergency_credit_balance", "EmergencyCreditBalance"): MONEY,
    known("meter_balance", "MeterBalance"): MONEY,
    known("payment_debt_register", "PaymentDebtRegister"): MONEY,
    known("time_debt_register_1", "TimeDebtRegisters1"): MONEY,
    known("time_debt_register_2", "TimeDebtRegisters2"): MONEY,
    known("accumulated_debt_register", "AccumulatedDebtRegister"): MONEY,
}


def billing_entries(more: dict[str, Shape] | None = None) -> Compact:
    """A log of import registers, with `more` columns at the end; a twin element meter has two more inside."""
    return Compact(
        OneOf(
            Struct(
                {
                    known("timestamp", "Timestamp", "TimeStamp"): shapes.TIME_STAMP,
                    known(
                        "active_import_register",
                        "ActiveImportRegisterConsumption",
                        "ActiveImportRegisterValueConsumption",
                        "ElecActiveImportRegisterConsumption",
                    ): ACTIVE_ENERGY,
                    known("tariff_tou_register_matrix", "TariffTOURegisterMatrixValue"): TOU_REGISTERS,
                    **TOU_BLOCK_REGISTERS,
                    **(more or {}),
                }
            ),
            Struct(
                {
                    known("timestamp", "Timestamp", "TimeStamp"): shapes.TIME_STAMP,
                    known(
                        "active_import_register",
                        "ActiveImportRegisterConsumption",
                        "ActiveImportRegisterValueConsumption",
                        "ElecActiveImportRegisterConsumption",
                    ): ACTIVE_ENERGY,
                    known(
                        "secondary_active_import_register",
                        "SecondaryActiveImportRegisterConsumption",
                        "SecondaryActiveImportRegisterValueConsumption",
                    ): ACTIVE_ENERGY,
                    known("tariff_tou_register_matrix", "TariffTOURegisterMatrixValue"): TOU_REGISTERS,
                    known(
                        "secondary_tariff_tou_registers", "SecondaryTariffTOURegisterMatrixValue"
                    ): SECONDARY_TOU_REGISTERS,
                    **TOU_BLOCK_REGISTERS,
                    **(more or {}),
                }
            ),
        )
    )


def _entries(columns: dict[str, Shape], optional: tuple[str, ...] = ()) -> Compact:
    """A log of these columns after the time stamp. Of some logs only the columns' names are published, not
    their types: those reads are marked unverified, with the types of their sister logs."""
    return Compact(
        Struct(
            {known("timestamp", "Timestamp", "TimeStamp"): shapes.TIME_STAMP, **columns}, optional=optional
        )
    )


def _maximum_demand(name: str, obis: str) -> tuple[AccessItem, ...]:
    """Value, scaler and time of a maximum demand register."""
    return (
        get(name, 4, obis, 2, POWER),
        get(f"{name}_scaler_unit", 4, obis, 3, SCALER_UNIT),
        get(known(f"{name}_date_time_stamp", "CaptureTime"), 4, obis, 5, shapes.DATE_TIME),
    )


def _read(
    name: str,
    code: int,
    title: str,
    srv: str,
    roles: tuple[RemotePartyRole, ...],
    *items: AccessItem,
    date_time_in_response: bool = False,
) -> UseCase:
    """A row that only reads; what differs besides the items is who may read, and the date-time."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=roles,
        service_requests=(srv,),
        date_time_in_response=date_time_in_response,
        payload=DlmsAccess(items),
    )


USE_CASES = (
    _read(
        "ECS17a",
        0x0026,
        "Read ESME Energy Registers (Export Energy)",
        "4.2",
        NETWORK_OPERATOR_OR_BROKER,
        get(known("active_export_register", "ActiveExportRegister"), 3, "1-0:2.8.0.255", 2, ACTIVE_ENERGY),
        get("active_export_register_scaler_unit", 3, "1-0:2.8.0.255", 3, _ACTIVE_SCALER_UNIT),
        get(
            known("reactive_export_register", "ReactiveExportRegister"),
            3,
            "1-0:4.8.0.255",
            2,
            REACTIVE_ENERGY,
        ),
        get("reactive_export_register_scaler_unit", 3, "1-0:4.8.0.255", 3, _REACTIVE_SCALER_UNIT),
        date_time_in_response=True,
    ),
    _read(
        "ECS17b",
        0x0027,
        "Read ESME Energy Registers (Import Energy)",
        "4.1.1",
        SUPPLIER_OR_NETWORK_OPERATOR,
        protected_get(
            "import_registers",
            "0-0:43.2.8.255",
            protected_object(
                "import_register_collection",
                1,
                "0-0:94.44.34.10",
                2,
                Struct(
                    {
                        known("active", "ActiveImportRegister"): ACTIVE_ENERGY,
                        "active_scaler_unit": _ACTIVE_SCALER_UNIT,
                        known("reactive", "ReactiveImportRegister"): REACTIVE_ENERGY,
                        "reactive_scaler_unit": _REACTIVE_SCALER_UNIT,
                        known("secondary_active", "SecondaryActiveImportRegister"): ACTIVE_ENERGY,
                    },
                    optional=("secondary_active",),
                ),
            ),
        ),
        date_time_in_response=True,
    ),
    _read(
        "ECS17c",
        0x0028,
        "Read ESME Energy Registers (Power)",
        "4.16",
        ANY_READER,
        get(
            "power_import_collection",
            1,
            "0-0:94.44.34.20",
            2,
            Struct(
                {
                    known("active_power_import", "ActivePowerImport"): POWER,
                    "active_power_import_scaler_unit": scaler_unit("Unit"),
                    known("primary_active_power_import", "PrimaryActivePowerImportValue"): POWER,
                    "secondary_active_power_import": POWER,
                },
                optional=("secondary_active_power_import",),
            ),
        ),
        date_time_in_response=True,
    ),
    _read(
        "ECS17d",
        0x0029,
        "Read ESME Energy Register (TOU)",
        "4.1.2",
        SUPPLIER_OR_NETWORK_OPERATOR,
        protected_get(
            "tariff_tou_registers",
            "0-0:43.2.9.255",
            protected_object(
                known("tariff_tou_register_collection", "TariffTOURegisterCollection"),
                1,
                "0-0:94.44.34.1",
                2,
                Struct(
                    {
                        known("tou_primary_registers", "TOUPrimaryRegisterValue"): TOU_REGISTERS,
                        known("tou_secondary_registers", "TOUSecondRegisterValue"): SECONDARY_TOU_REGISTERS,
                    },
                    optional=("tou_secondary_registers",),
                ),
            ),
        ),
        date_time_in_response=True,
    ),
    _read(
        "ECS17e",
        0x002A,
        "Read ESME Energy Register (TOU with Blocks)",
        "4.1.3",
        SUPPLIER_OR_NETWORK_OPERATOR,
        protected_get(
            "tariff_block_tou_registers",
            "0-0:43.2.10.255",
            protected_object(
                known("tariff_block_tou_register_collection", "TariffBlockTOURegisterCollection"),
                1,
                "0-0:94.44.34.2",
                2,
                Struct(
                    {
                        known(
                            "register_block_counter_matrix", "RegisterMatrixTOUValue", "CounterMatrixTOUValue"
                        ): ListOf(ACTIVE_ENERGY, 64)
                    }
                ),
            ),
        ),
        date_time_in_response=True,
    ),
    _read(
        "ECS18a",
        0x002B,
        "Read Maximum Demand Registers (export)",
        "4.12.2",
        NETWORK_OPERATOR_OR_BROKER,
        get(
            known("maximum_demand_active_power_export_last_reset", "LastResetDateTime"),
            1,
            "0-0:94.44.5.2",
            2,
            shapes.DATE_TIME,
        ),
        *_maximum_demand(
            known("maximum_demand_active_power_export", "MaxDemandActiveEnergyExport"), "1-0:2.6.0.255"
        ),
        date_time_in_response=True,
    ),
    _read(
        "ECS18b",
        0x002C,
        "Read Maximum Demand Registers (import)",
        "4.12.1",
        ANY_READER,
        get(
            known("maximum_demand_configurable_time_active_power_import_last_reset", "LastResetDateTime"),
            1,
            "0-0:94.44.5.0",
            2,
            shapes.DATE_TIME,
        ),
        get(
            known("maximum_demand_active_energy_import_last_reset", "LastResetDateTime"),
            1,
            "0-0:94.44.5.1",
            2,
            shapes.DATE_TIME,
        ),
        *_maximum_demand(
            known("maximum_demand_active_energy_import", "MaxDemandActiveEnergyImport"), "1-0:1.6.0.255"
        ),
        *_maximum_demand(
            known(
                "maximum_demand_configurable_time_active_power_import",
                "MaxDemandConfigurableTimeActivePowerImport",
            ),
            "1-0:1.6.1.255",
        ),
        get(
            known("maximum_demand_configurable_time_period", "MaxDemandConfigurableTimePeriod"),
            10,
            "0-0:12.0.0.255",
            2,
            MAXIMUM_DEMAND_PERIOD,
        ),
        date_time_in_response=True,
    ),
    _read(
        "ECS20a",
        0x002E,
        "Read ESME Billing Data Log (payment based debt payments)",
        "4.4.4",
        SUPPLIER_OR_BROKER,
        get_period(
            known("payment_based_debt_repayments", "PaymentBasedDebtRepayment"),
            7,
            "0-0:98.1.4.255",
            2,
            _entries({known("amount", "Amount"): CREDIT_AMOUNT}),
        ),
    ),
    _read(
        "ECS20b",
        0x002F,
        "Read ESME Billing Data Log (change of mode / tariff triggered exc export)",
        "4.4.2",
        SUPPLIER_OR_BROKER,
        protected_get(
            known("read_log_period", "ReadLogPeriod"),
            "0-0:43.2.3.255",
            protected_object(
                known(
                    "mode_or_tariff_triggered_billing_data_log",
                    "LogEntryConsumptionAndTariffRegistersData",
                    "LogEntryPrepaymentData",
                ),
                7,
                "0-0:98.1.2.255",
                2,
                billing_entries(BALANCES),
                window=True,
            ),
        ),
    ),
    _read(
        "ECS20c",
        0x0030,
        "Read ESME Billing Data Log (billing calendar triggered exc export)",
        "4.4.3",
        SUPPLIER_OR_BROKER,
        protected_get(
            known("read_log_period", "ReadLogPeriod"),
            "0-0:43.2.2.255",
            protected_object(
                known("billing_calendar_triggered_billing_data_log", "ESMEBillingDataLogEntry"),
                7,
                "0-0:98.1.0.255",
                2,
                billing_entries(),
                window=True,
            ),
            protected_object(
                known("billing_calendar_triggered_balances_log", "ESMEBillingPrepaymentDataLogEntry"),
                7,
                "0-0:98.1.1.255",
                2,
                _entries(BALANCES),
                window=True,
            ),
        ),
    ),
    _read(
        "ECS20d",
        0x00C9,
        "Read ESME Billing Data Log (prepayment credits)",
        "4.4.5",
        SUPPLIER_OR_BROKER,
        unverified(
            get_period(
                known("prepayment_credits", "PrepaymentCredits"),
                7,
                "0-0:98.1.5.255",
                2,
                _entries({known("amount", "Amount"): CREDIT_AMOUNT}),
            )
        ),
    ),
    _read(
        "ECS21a",
        0x0033,
        "Read Electricity Daily Read Log (exc export)",
        "4.6.1",
        SUPPLIER_OR_BROKER,
        protected_get(
            known("read_log_period", "ReadLogPeriod"),
            "0-0:43.2.5.255",
            protected_object(
                known("daily_read_log", "LogEntry"), 7, "0-0:98.1.9.255", 2, billing_entries(), window=True
            ),
        ),
    ),
    _read(
        "ECS21b",
        0x0034,
        "Read Electricity (Prepayment) Daily Read Log",
        "4.14",
        SUPPLIER_OR_BROKER,
        protected_get(
            known("read_log_period", "ReadLogPeriod"),
            "0-0:43.2.6.255",
            protected_object(
                known("prepayment_daily_read_log", "LogEntry"),
                7,
                "0-0:98.1.8.255",
                2,
                _entries(BALANCES),
                window=True,
            ),
        ),
    ),
    _read(
        "ECS21c",
        0x0035,
        "Read Electricity Daily Read Log (export only)",
        "4.6.2",
        ACCESS_CONTROL_BROKER,
        unverified(
            get_period(
                known("daily_read_log_export", "LogEntry"),
                7,
                "0-0:98.1.10.255",
                2,
                _entries({known("active_export_register", "ActiveExportRegisterValue"): ACTIVE_ENERGY}),
            )
        ),
    ),
    _read(
        "ECS22a",
        0x0036,
        "Read Electricity Half Hour Profile Data (export)",
        "4.8.3",
        NETWORK_OPERATOR_OR_BROKER,
        get_period(
            known("profile_data_log_export", "LogEntry"),
            7,
            "0-0:99.1.1.255",
            2,
            _entries(
                {
                    known("active_energy_exported", "ActiveEnergyExportedValue"): ACTIVE_ENERGY,
                    known("reactive_energy_exported", "ReactiveEnergyExportedValue"): REACTIVE_ENERGY,
                }
            ),
        ),
    ),
    _read(
        "ECS22b",
        0x0037,
        "Read Electricity Half Hour Profile Data (active import)",
        "4.8.1",
        ANY_READER,
        protected_get(
            known("read_log_period", "ReadLogPeriod"),
            "0-0:43.2.7.255",
            protected_object(
                known("active_energy_imported_log", "LogEntry"),
                7,
                "0-0:99.1.0.255",
                2,
                _entries(
                    {
                        known("primary_value", "PrimaryValue"): ACTIVE_ENERGY,
                        known("secondary_value", "SecondaryValue"): ACTIVE_ENERGY,
                    },
                    optional=("secondary_value",),
                ),
                window=True,
            ),
        ),
    ),
    _read(
        "ECS22c",
        0x0038,
        "Read Electricity Half Hour Profile Data (reactive import)",
        "4.8.2",
        ANY_READER,
        unverified(
            get_period(
                known("profile_data_log_reactive_import", "LogEntry"),
                7,
                "0-0:99.1.2.255",
                2,
                _entries({known("reactive_energy_imported", "ReactiveEnergyImportedValue"): REACTIVE_ENERGY}),
            )
        ),
    ),
    _read(
        "ECS66",
        0x0060,
        "Read ESME Daily Consumption Log",
        "4.17",
        ANY_READER,
        protected_get(
            known("read_log_period", "ReadLogPeriod"),
            "0-0:43.2.4.255",
            protected_object(
                known("daily_consumption_log", "LogEntry"),
                7,
                "0-0:99.1.3.255",
                2,
                _entries({known("active_energy_imported", "Value"): ACTIVE_ENERGY}),
                window=True,
            ),
        ),
    ),
)
