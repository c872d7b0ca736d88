"""Voltage monitors, average RMS voltage of each phase.

Spec: SMETS 5.7.4, 5.7.5; GBCS use cases ECS23, ECS23b, ECS26b, ECS26k, ECS29a to ECS29f.
"""

from __future__ import annotations

from smetslab.devices.cosem.model import CosemObject, buffer, cosem_object, fixed, method, stored
from smetslab.devices.esme_objects.common import COUNT, scaler_unit
from smetslab.devices.limits import VOLTAGE_LOG_ENTRIES

_MONITORS = (
    ("rms_extreme_over_voltage", "0-0:17.0.1.255", 287),
    ("rms_extreme_under_voltage", "0-0:17.0.2.255", 180),
    ("rms_voltage_sag", "0-0:17.0.3.255", 216),
    ("rms_voltage_swell", "0-0:17.0.4.255", 253),
)


def _counter(name: str, obis: str) -> CosemObject:
    return cosem_object(
        3,
        obis,
        stored(2, name, 0),
        fixed(3, f"{name}_scaler_unit", scaler_unit(COUNT)),
        method(1, f"reset_{name}"),
    )


def _phase(phase: int, group: int, over_v: int, under_v: int) -> tuple[CosemObject, ...]:
    """Thresholds, counters and profile of a phase; `group` is group C of its logical names."""
    name = f"phase_{phase}_average_rms"
    return (
        cosem_object(1, f"1-0:{group}.31.0.4", stored(2, f"{name}_under_voltage_threshold", under_v)),
        cosem_object(1, f"1-0:{group}.35.0.4", stored(2, f"{name}_over_voltage_threshold", over_v)),
        _counter(f"{name}_under_voltage_counter", f"1-0:{group}.32.0.4"),
        _counter(f"{name}_over_voltage_counter", f"1-0:{group}.36.0.4"),
        cosem_object(
            7,
            f"1-0:{group}.24.0.255",
            buffer(2, f"{name}_voltage_profile_data_log", capacity=VOLTAGE_LOG_ENTRIES),
            stored(4, f"{name}_voltage_measurement_period", 3600),
        ),
    )


OBJECTS: tuple[CosemObject, ...] = (
    *(
        cosem_object(
            71,
            obis,
            stored(4, f"{name}_threshold", threshold_v),
            stored(6, f"{name}_measurement_period", 30),
        )
        for name, obis, threshold_v in _MONITORS
    ),
    *_phase(1, 32, 264, 200),
)

POLYPHASE: tuple[CosemObject, ...] = (*_phase(2, 52, 264, 200), *_phase(3, 72, 264, 200))
"""The other phases of a polyphase meter."""
