"""Use cases about the voltage monitoring of an ESME, single and three phase.

Spec: GBCS use cases ECS23, ECS23b, ECS26b, ECS26k, ECS29a to ECS29f.
"""

from __future__ import annotations

from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Compact, Num, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ANY_READER,
    ESME,
    INTEGER_ZERO,
    NETWORK_OPERATOR,
    SECONDS,
    scaler_unit,
)
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, action, get, get_period, set_
from smetslab.gbcs.usecases.model import UseCase

VOLTAGE = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="V")
EVENT_COUNT = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="count")
VOLTAGE_LOG = Compact(
    Struct(
        {known("timestamp", "Timestamp"): shapes.TIME_STAMP, known("average_rms_voltage", "Value"): VOLTAGE}
    )
)

_PHASE_GROUPS = {1: 32, 2: 52, 3: 72}
"""Value group C of the objects of a phase. Spec: IEC 62056-6-1."""

_MONITORS = (
    ("rms_extreme_over_voltage", "RMSExtremeOverVoltage", "0-0:17.0.1.255"),
    ("rms_extreme_under_voltage", "RMSExtremeUnderVoltage", "0-0:17.0.2.255"),
    ("rms_voltage_sag", "RMSVoltageSag", "0-0:17.0.3.255"),
    ("rms_voltage_swell", "RMSVoltageSwell", "0-0:17.0.4.255"),
)


def _average(phase: int, kind: str, element: str, group_d: int) -> tuple[str, str]:
    """Name and logical name of an object of a phase, such as its over voltage counter."""
    name = known(f"phase_{phase}_average_rms_{kind}", element)
    return name, f"1-0:{_PHASE_GROUPS[phase]}.{group_d}.0.4"


def _under_threshold(phase: int) -> tuple[str, str]:
    return _average(phase, "under_voltage_threshold", "AverageRMSUnderVoltageThreshold", 31)


def _over_threshold(phase: int) -> tuple[str, str]:
    return _average(phase, "over_voltage_threshold", "AverageRMSOverVoltageThreshold", 35)


def _counters(phase: int) -> tuple[tuple[str, str], ...]:
    return (
        _average(phase, "under_voltage_counter", "AvgRMSUnderVoltageCounter", 32),
        _average(phase, "over_voltage_counter", "AvgRMSOverVoltageCounter", 36),
    )


def _profile(phase: int) -> str:
    return f"1-0:{_PHASE_GROUPS[phase]}.24.0.255"


def _period_name(phase: int) -> str:
    return known(
        f"phase_{phase}_average_rms_voltage_measurement_period",
        "MeasurementPeriod",
        "AverageRMSVoltageMeasurementPeriod",
    )


def _get_operational(phase: int) -> tuple[AccessItem, ...]:
    """The counters and the profile of a phase."""
    counters = tuple(
        item
        for name, obis in _counters(phase)
        for item in (
            get(name, 3, obis, 2, EVENT_COUNT),
            get(f"{name}_scaler_unit", 3, obis, 3, scaler_unit("Unit")),
        )
    )
    return (
        *counters,
        get_period(
            known(f"phase_{phase}_average_rms_voltage_profile_data_log", "AvgRMSVoltageProfileDataLog"),
            7,
            _profile(phase),
            2,
            VOLTAGE_LOG,
        ),
        get(_period_name(phase), 7, _profile(phase), 4, SECONDS),
    )


def _get_thresholds(*objects: tuple[str, str]) -> tuple[AccessItem, ...]:
    return tuple(get(name, 1, obis, 2, VOLTAGE) for name, obis in objects)


def _set_thresholds(*objects: tuple[str, str]) -> tuple[AccessItem, ...]:
    return tuple(set_(name, 1, obis, 2, VOLTAGE) for name, obis in objects)


_GET_MONITORS = tuple(
    item
    for name, element, obis in _MONITORS
    for item in (
        get(known(f"{name}_threshold", f"{element}Threshold"), 71, obis, 4, VOLTAGE),
        get(known(f"{name}_measurement_period", f"{element}MeasurementPeriod"), 71, obis, 6, SECONDS),
    )
)
_SET_MONITORS = tuple(
    item
    for name, element, obis in _MONITORS
    for item in (
        set_(known(f"{name}_threshold", f"{element}Threshold"), 71, obis, 4, VOLTAGE),
        set_(known(f"{name}_measurement_period", f"{element}MeasurementPeriod"), 71, obis, 6, SECONDS),
    )
)


def _set_periods(phases: range) -> tuple[AccessItem, ...]:
    return tuple(set_(_period_name(phase), 7, _profile(phase), 4, SECONDS) for phase in phases)


def _reset_counters(phases: range) -> tuple[AccessItem, ...]:
    return tuple(
        action(f"{name}_reset", 3, obis, 1, INTEGER_ZERO)
        for phase in phases
        for name, obis in _counters(phase)
    )


_ONE, _THREE = range(1, 2), range(1, 4)

# The order of the items differs between siblings: in some the first phase has its over threshold first.
_FIRST_OVER = (_over_threshold(1), _under_threshold(1))
_FIRST_UNDER = (_under_threshold(1), _over_threshold(1))
_OTHERS = (_under_threshold(2), _over_threshold(2), _under_threshold(3), _over_threshold(3))


def _read(name: str, code: int, title: str, srv: str, items: tuple[AccessItem, ...]) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=ANY_READER,
        service_requests=(srv,),
        date_time_in_response=srv == "4.10",
        payload=DlmsAccess(items),
    )


def _write(name: str, code: int, title: str, srv: str, items: tuple[AccessItem, ...]) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=NETWORK_OPERATOR,
        service_requests=(srv,),
        replay_protected=True,
        payload=DlmsAccess(items),
    )


USE_CASES = (
    _read("ECS23", 0x0039, "Read Voltage Operational Data", "4.10", _get_operational(1)),
    _read(
        "ECS23b",
        0x00BC,
        "Read Voltage Operational Data - 3 Phase",
        "4.10",
        tuple(item for phase in _THREE for item in _get_operational(phase)),
    ),
    _read(
        "ECS26b",
        0x003C,
        "Read ESME Configuration Voltage Data",
        "6.2.1",
        (*_GET_MONITORS, *_get_thresholds(*_FIRST_OVER)),
    ),
    _read(
        "ECS26k",
        0x00C6,
        "Read ESME Configuration Voltage Data - 3 phase",
        "6.2.1",
        (*_GET_MONITORS, *_get_thresholds(*_FIRST_OVER, *_OTHERS)),
    ),
    _write(
        "ECS29a",
        0x0045,
        "Set Voltage Configurations on ESME",
        "6.5",
        (
            *_set_periods(_ONE),
            *_SET_MONITORS,
            *_set_thresholds(*_FIRST_OVER),
            *_reset_counters(_ONE),
        ),
    ),
    _write(
        "ECS29b",
        0x00AE,
        "Set Voltage Configurations on ESME - 3ph",
        "6.5",
        (
            *_set_periods(_THREE),
            *_SET_MONITORS,
            *_set_thresholds(*_FIRST_OVER, *_OTHERS),
            *_reset_counters(_THREE),
        ),
    ),
    _write(
        "ECS29c",
        0x00D1,
        "Set Voltage Configurations on ESME without counter reset",
        "6.5",
        (*_set_thresholds(*_FIRST_UNDER), *_set_periods(_ONE), *_SET_MONITORS),
    ),
    _write(
        "ECS29d",
        0x00D2,
        "Set Voltage Configurations on polyphase ESME without counter reset",
        "6.5",
        (*_set_thresholds(*_FIRST_UNDER, *_OTHERS), *_set_periods(_THREE), *_SET_MONITORS),
    ),
    _write("ECS29e", 0x00D3, "Reset RMS Voltage Counters on ESME", "6.27", _reset_counters(_ONE)),
    _write("ECS29f", 0x00D4, "Reset RMS Voltage Counters on polyphase ESME", "6.27", _reset_counters(_THREE)),
)
