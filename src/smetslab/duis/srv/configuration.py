"""Variants about how a device is set up.

Spec: DUIS service references 6.2, 6.5 to 6.8, 6.12, 6.13, 6.18, 6.20, 6.26, 6.27, 7.12.
"""

from __future__ import annotations

from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import simple
from smetslab.duis.srv.common import (
    DISTRIBUTOR,
    END,
    EVERYBODY,
    EXECUTION,
    EXPORT_SUPPLIER,
    GAS_SUPPLIER,
    IMPORT_SUPPLIER,
    MPAN,
    READ_LOG_PERIOD,
    START,
    SUPPLIER_AGENT,
    SUPPLIERS,
    TRANSPORTER,
    period,
    read,
    schedule_entry,
)
from smetslab.duis.srv.components import ISSUED, NOW
from smetslab.duis.srv.derived import Joined
from smetslab.duis.srv.forms import CHARACTERS, scaled, words
from smetslab.duis.srv.holes import At, Indexed, Switch
from smetslab.duis.srv.model import (
    EXECUTION_DATE_TIME,
    Has,
    Is,
    IsOneOf,
    Lacks,
    ServiceRequest,
    UseCaseMapping,
    body,
    mapping,
)
from smetslab.duis.srv.shapes import PRESENT, Child, OneOf, Sequence, many, optional
from smetslab.duis.srv.simple import UNSIGNED_INT, UNSIGNED_SHORT, Decimals, Number, Text, Word
from smetslab.duis.srv.template import ABSENT, Template
from smetslab.gbcs.values import IMMEDIATE

_BILLING_PERIOD: Final[dict[str, Template]] = {
    "get_billing_period": {
        "earliest_start_time": "2000-01-01T00:00:00Z",
        "minimum_issuer_event_id": "not_used",
        "number_of_commands": 1,
        "tariff_type": "delivered",
    }
}

# Voltage. Spec: DUIS schema 5.4, type UpdateDeviceConfigurationVoltage.

_MONITORS: Final = {
    "rms_extreme_over_voltage": "RMSExtremeOverVoltage",
    "rms_extreme_under_voltage": "RMSExtremeUnderVoltage",
    "rms_voltage_sag": "RMSVoltageSag",
    "rms_voltage_swell": "RMSVoltageSwell",
}
_AVERAGES: Final = {
    "average_rms_over_voltage_threshold": "AverageRMSOverVoltageThreshold",
    "average_rms_under_voltage_threshold": "AverageRMSUnderVoltageThreshold",
    "average_rms_voltage_measurement_period": "AverageRMSVoltageMeasurementPeriod",
}
_AVERAGE_SETTINGS = Sequence(*(Child(name, UNSIGNED_INT) for name in _AVERAGES.values()))
_MONITOR_SETTINGS: Final[dict[str, Template]] = {
    f"{parameter}_{part}": At(f"RMSVoltageSettings.{element}{suffix}")
    for parameter, element in _MONITORS.items()
    for part, suffix in (("threshold", "Threshold"), ("measurement_period", "MeasurementPeriod"))
}
_SINGLE_PHASE: Final[dict[str, Template]] = {
    **_MONITOR_SETTINGS,
    **{f"phase_1_{name}": At(f"SinglePhaseVoltageSettings.{element}") for name, element in _AVERAGES.items()},
}
_POLY_PHASE: Final[dict[str, Template]] = {
    **_MONITOR_SETTINGS,
    **{
        f"phase_{phase}_{name}": Indexed(
            "PolyPhaseVoltageSettings", phase, At(f"PhaseVoltageSettings.{element}"), by="Phase"
        )
        for phase in (1, 2, 3)
        for name, element in _AVERAGES.items()
    },
}
_SINGLE, _POLY = Has("SinglePhaseVoltageSettings"), Has("PolyPhaseVoltageSettings")
_KEEP, _RESET = Has("RMSVoltageCountersNotReset"), Lacks("RMSVoltageCountersNotReset")

# Gas -----------------------------------------------------------

_SUPPLY_STATE: Final = words({"Unchanged": "supply_unchanged", "Locked": "supply_off"})
_FLOW_DIGITS: Final = 4


def _gas_flow(use_case: str, rate: Template, divisor: int, element: str) -> UseCaseMapping:
    return mapping(
        use_case,
        components_of={
            "set_uncontrolled_flow_threshold": {
                **ISSUED,
                "uncontrolled_flow_threshold": rate,
                "unit_of_measure": "m3",
                "multiplier": 1,
                "divisor": divisor,
                "stabilisation_period": At("StabilisationPeriod"),
                "measurement_period": At("MeasurementPeriod"),
            },
            "set_supply_status": {
                "issuer_event_id": NOW,
                "supply_tamper_state": At("SupplyTamperState", _SUPPLY_STATE),
                "supply_depletion_state": At("SupplyDepletionState", _SUPPLY_STATE),
                "supply_uncontrolled_flow_state": "supply_off",
                "load_limit_supply_state": "supply_unchanged",
            },
        },
        when=(Has(element),),
        unverified=("SupplyDepletionState", "SupplyTamperState"),
    )


# Logs. Spec: DUIS schema 5.4, type ReadEventOrSecurityLog.

_LOGS = Word(("Event", "ALCSEvent", "PowerEvent", "Security", "GSMEEvent", "GSMESecurity"))


def _log(use_case: str, log: str, parameter: str) -> UseCaseMapping:
    return mapping(use_case, period(f"{parameter}_period"), when=(Is("LogToRead", log),))


def _gas_log(use_case: str, logs: tuple[str, ...], log_id: str, control: str) -> UseCaseMapping:
    return mapping(
        use_case,
        components_of={
            "get_event_log": {
                "event_control_log_id": {"log_id": log_id, "event_control": control},
                "event_id": "0000",
                "start_time": START,
                "end_time": END,
                "number_of_events": 0,
                "event_offset": 0,
            }
        },
        when=(IsOneOf("LogToRead", logs),),
    )


_MAXIMUM_DEMAND_SCRIPTS: Final = "00000A8064FF"
_ALL_DAYS: Final = "1111111"
_FROM_EVER, _FOR_EVER = "hex:000001FFFF", "hex:FFFFFFFFFF"


def _demand_switch(place: int, element: str) -> Template:
    """An entry of the schedule for the configurable time of maximum demand. Spec: GBCS use case ECS37."""
    entry = schedule_entry(
        _MAXIMUM_DEMAND_SCRIPTS,
        place + 1,
        switch_time=At(f"MaximumDemandTimePeriodSchedule.{element}"),
        weekdays=_ALL_DAYS,
        special_days="",
        begin_date=_FROM_EVER,
        end_date=_FOR_EVER,
    )
    return {**entry, "index": place}


_MAXIMUM_DEMANDS: Final = {
    "maximum_demand_active_energy_import_reset": "MaxDemandActivePowerImportValue",
    "maximum_demand_configurable_time_active_power_import_reset": "MaxDemandConfigTimeActivePowerImportValue",
    "maximum_demand_active_power_export_reset": "MaxDemandActivePowerExportValue",
}

SERVICE_REQUESTS = (
    read(
        "6.2.1",
        "Read Device Configuration (Voltage)",
        "ReadDeviceConfigurationVoltage",
        (IMPORT_SUPPLIER, SUPPLIER_AGENT, DISTRIBUTOR),
        mapping("ECS26b", phases="single"),
        mapping("ECS26k", phases="poly"),
        dated=False,
    ),
    read(
        "6.2.2",
        "Read Device Configuration (Randomisation)",
        "ReadDeviceConfigurationRandomisation",
        (IMPORT_SUPPLIER, SUPPLIER_AGENT, DISTRIBUTOR),
        mapping("ECS26c"),
        dated=False,
    ),
    read(
        "6.2.3",
        "Read Device Configuration (Billing Calendar)",
        "ReadDeviceConfigurationBillingCalendar",
        (IMPORT_SUPPLIER, SUPPLIER_AGENT, GAS_SUPPLIER),
        mapping("ECS26l"),
        mapping("ECS26d"),
        mapping("GCS21k", components_of=_BILLING_PERIOD),
        mapping("GCS21d", components_of=_BILLING_PERIOD),
        dated=False,
    ),
    read(
        "6.2.4",
        "Read Device Configuration (Identity Exc MPxN)",
        "ReadDeviceConfigurationIdentityExcMPxN",
        EVERYBODY,
        mapping("ECS26m"),
        mapping("ECS26e"),
        mapping("ECS26n"),
        mapping("ECS26i"),
        mapping("GCS21m"),
        mapping("GCS21e"),
        dated=False,
    ),
    read(
        "6.2.5",
        "Read Device Configuration (Instantaneous Power Thresholds)",
        "ReadDeviceConfigurationInstantaneousPowerThresholds",
        (IMPORT_SUPPLIER, SUPPLIER_AGENT),
        mapping("ECS26f"),
        dated=False,
    ),
    read(
        "6.2.7",
        "Read Device Configuration (MPxN)",
        "ReadDeviceConfigurationMPxN",
        EVERYBODY,
        mapping("ECS40"),
        mapping("GCS46"),
        dated=False,
    ),
    read(
        "6.2.8",
        "Read Device Configuration (Gas)",
        "ReadDeviceConfigurationGas",
        (GAS_SUPPLIER, SUPPLIER_AGENT, TRANSPORTER),
        mapping("GCS21a"),
        dated=False,
    ),
    read(
        "6.2.9",
        "Read Device Configuration (Payment Mode)",
        "ReadDeviceConfigurationPaymentMode",
        (*SUPPLIERS, SUPPLIER_AGENT),
        mapping("ECS26j"),
        mapping("GCS21j"),
        dated=False,
    ),
    read(
        "6.2.10",
        "Read Device Configuration (Event and Alert Behaviours)",
        "ReadDeviceConfigurationEventAndAlertBehaviours",
        (*SUPPLIERS, DISTRIBUTOR),
        mapping("ECS25r1"),
        mapping("ECS25r2"),
        mapping("GCS20r", components_of={"get_event_configuration": {"event_id": "81FF"}}),
        dated=False,
    ),
    ServiceRequest(
        variant="6.5",
        reference="6.5",
        name="Update Device Configuration (Voltage)",
        element="UpdateDeviceConfigurationVoltage",
        body=body(
            EXECUTION,
            Child(
                "RMSVoltageSettings",
                Sequence(
                    *(
                        Child(f"{monitor}{part}", UNSIGNED_INT)
                        for monitor in _MONITORS.values()
                        for part in ("MeasurementPeriod", "Threshold")
                    )
                ),
            ),
            OneOf(
                (
                    Child("SinglePhaseVoltageSettings", _AVERAGE_SETTINGS),
                    many(
                        "PolyPhaseVoltageSettings",
                        Sequence(
                            Child("Phase", Number(1, 3)), Child("PhaseVoltageSettings", _AVERAGE_SETTINGS)
                        ),
                        3,
                        3,
                    ),
                )
            ),
            optional("RMSVoltageCountersNotReset", PRESENT),
        ),
        critical=False,
        eligible_roles=(DISTRIBUTOR,),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping("ECS29a", _SINGLE_PHASE, when=(_SINGLE, _RESET)),
            mapping("ECS29b", _POLY_PHASE, when=(_POLY, _RESET)),
            mapping("ECS29c", _SINGLE_PHASE, when=(_SINGLE, _KEEP)),
            mapping("ECS29d", _POLY_PHASE, when=(_POLY, _KEEP)),
        ),
    ),
    ServiceRequest(
        variant="6.6",
        reference="6.6",
        name="Update Device Configuration (Gas Conversion)",
        element="UpdateDeviceConfigurationGasConversion",
        body=body(
            Child("CalorificValue", Decimals(1, "0", "429496729.5")),
            Child("ConversionFactor", Decimals(5, "0", "42949.67295")),
        ),
        critical=True,
        eligible_roles=(GAS_SUPPLIER,),
        mappings=(
            mapping(
                "GCS23",
                components_of={
                    "publish_conversion_factor": {
                        "issuer_event_id": NOW,
                        "start_time": IMMEDIATE,
                        "conversion_factor": At("ConversionFactor", scaled(5)),
                        "conversion_factor_trailing_digit": {"trailing_digit": 5},
                    },
                    "publish_calorific_value": {
                        "issuer_event_id": NOW,
                        "start_time": IMMEDIATE,
                        "calorific_value": At("CalorificValue", scaled(1)),
                        "calorific_value_unit": "MJ/m3",
                        "calorific_value_trailing_digit": {"trailing_digit": 1},
                    },
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="6.7",
        reference="6.7",
        name="Update Device Configuration (Gas Flow)",
        element="UpdateDeviceConfigurationGasFlow",
        body=body(
            OneOf(
                (
                    Child("UncontrolledGasFlowRate", UNSIGNED_SHORT),
                    Child("UncontrolledGasFlowRateDecimal", Decimals(_FLOW_DIGITS, "0", "6.5535")),
                )
            ),
            Child("SupplyDepletionState", Word(("Unchanged", "Locked"))),
            Child("SupplyTamperState", Word(("Unchanged", "Locked"))),
            Child("StabilisationPeriod", Number(1, 255)),
            Child("MeasurementPeriod", Number(1, 65535)),
        ),
        critical=True,
        eligible_roles=(GAS_SUPPLIER,),
        mappings=(
            _gas_flow("GCS24", At("UncontrolledGasFlowRate"), 1, "UncontrolledGasFlowRate"),
            _gas_flow(
                "GCS24a",
                At("UncontrolledGasFlowRateDecimal", scaled(_FLOW_DIGITS)),
                10**_FLOW_DIGITS,
                "UncontrolledGasFlowRateDecimal",
            ),
        ),
    ),
    ServiceRequest(
        variant="6.12",
        reference="6.12",
        name="Update Device Configuration (Instantaneous Power Threshold)",
        element="UpdateDeviceConfigurationInstantaneousPowerThreshold",
        body=body(
            EXECUTION,
            Child("LowMediumPowerThreshold", UNSIGNED_INT),
            Child("MediumHighPowerThreshold", UNSIGNED_INT),
        ),
        critical=False,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping(
                "ECS34",
                {
                    "power_thresholds": {
                        "low_medium_power_threshold": At("LowMediumPowerThreshold"),
                        "medium_high_power_threshold": At("MediumHighPowerThreshold"),
                    }
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="6.13",
        reference="6.13",
        name="Read Event Or Security Log",
        element="ReadEventOrSecurityLog",
        body=body(READ_LOG_PERIOD, Child("LogToRead", _LOGS)),
        critical=False,
        eligible_roles=(*SUPPLIERS, DISTRIBUTOR, TRANSPORTER, SUPPLIER_AGENT),
        mappings=(
            _log("ECS35a", "Event", "event_log"),
            _log("ECS35b", "Security", "security_log"),
            _log("ECS35e", "PowerEvent", "power_event_log"),
            _log("ECS35g", "ALCSEvent", "auxiliary_controller_event_log"),
            _log("ECS35f", "ALCSEvent", "auxiliary_controller_event_log"),
            _log("ECS35c", "Event", "event_log"),
            _log("ECS35d", "Security", "security_log"),
            _gas_log("CS10a", ("Event", "GSMEEvent"), "general_event_log", "full_information"),
            _gas_log("CS10b", ("Security", "GSMESecurity"), "security_event_log", "minimal_information"),
        ),
    ),
    ServiceRequest(
        variant="6.18.1",
        reference="6.18",
        name="Set Maximum Demand Configurable Time Period",
        element="SetMaximumDemandConfigurableTimePeriod",
        body=body(
            EXECUTION,
            Child(
                "MaximumDemandTimePeriodSchedule",
                Sequence(Child("StartTime", simple.TIME), Child("EndTime", simple.TIME)),
            ),
        ),
        critical=False,
        eligible_roles=(DISTRIBUTOR,),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping(
                "ECS37",
                {
                    "maximum_demand_configurable_time_period": [
                        _demand_switch(0, "StartTime"),
                        _demand_switch(1, "EndTime"),
                    ]
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="6.18.2",
        reference="6.18",
        name="Reset Maximum Demand Registers",
        element="ResetMaximumDemandRegisters",
        body=body(
            EXECUTION,
            optional("MaxDemandActivePowerImportValue", PRESENT),
            optional("MaxDemandActivePowerExportValue", PRESENT),
            optional("MaxDemandConfigTimeActivePowerImportValue", PRESENT),
        ),
        critical=False,
        eligible_roles=(DISTRIBUTOR,),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping(
                "ECS57",
                {parameter: At(element, absent=ABSENT) for parameter, element in _MAXIMUM_DEMANDS.items()},
            ),
        ),
    ),
    ServiceRequest(
        variant="6.20.1",
        reference="6.20",
        name="Set Device Configuration (Import MPxN)",
        element="SetDeviceConfigurationImportMPxN",
        body=body(
            EXECUTION,
            OneOf(
                (
                    Child(
                        "ImportMPANs",
                        Sequence(Child("ImportMPAN", MPAN), optional("SecondaryImportMPAN", MPAN)),
                    ),
                    Child("ImportMPRN", Text(1, 10)),
                )
            ),
        ),
        critical=False,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping(
                "ECS39a",
                {"combined_mpans": Joined(("ImportMPANs.ImportMPAN", "ImportMPANs.SecondaryImportMPAN"), 13)},
                when=(Has("ImportMPANs"),),
            ),
            mapping(
                "GCS41",
                components_of={
                    "update_site_id": {
                        **ISSUED,
                        "site_id_time": IMMEDIATE,
                        "site_id": At("ImportMPRN", CHARACTERS),
                    }
                },
                when=(Has("ImportMPRN"),),
            ),
        ),
    ),
    ServiceRequest(
        variant="6.20.2",
        reference="6.20",
        name="Set Device Configuration (Export MPAN)",
        element="SetDeviceConfigurationExportMPAN",
        body=body(EXECUTION, Child("ExportMPAN", MPAN)),
        critical=False,
        eligible_roles=(EXPORT_SUPPLIER,),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(mapping("ECS39b", {"export_mpan": At("ExportMPAN", CHARACTERS)}),),
    ),
    ServiceRequest(
        variant="6.26",
        reference="6.26",
        name="Update Device Configuration (daily resetting of Tariff Block Counter Matrix)",
        element="UpdateDeviceConfigurationDailyResettingOfTariffBlockCounterMatrix",
        body=body(Child("DailyTariffBlockCounterMatrixReset", simple.BOOLEAN)),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(
            mapping(
                "ECS48",
                {
                    "tariff_block_counter_matrix_reset_times": Switch(
                        "DailyTariffBlockCounterMatrixReset",
                        {True: [{"time": "00:00:00", "date": _FOR_EVER}], False: []},
                    )
                },
                # No published message says that there is no reset.
                unverified=("DailyTariffBlockCounterMatrixReset",),
            ),
        ),
    ),
    read(
        "6.27",
        "Update Device Configuration (RMS Voltage Counter Reset)",
        "UpdateDeviceConfigurationRMSVoltageCounterReset",
        (DISTRIBUTOR,),
        mapping("ECS29e", phases="single"),
        mapping("ECS29f", phases="poly"),
    ),
    ServiceRequest(
        variant="7.12",
        reference="7.12",
        name="Set Randomised Offset Limit",
        element="SetRandomisedOffsetLimit",
        body=body(Child("RandomisedOffsetLimit", Number(0, 1799))),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(mapping("ECS38", {"randomised_offset_limit": At("RandomisedOffsetLimit")}),),
    ),
)
