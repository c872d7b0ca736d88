"""Energy and power registers, maximum demand, profiles.

Spec: SMETS 5.7.5; GBCS use cases ECS17a to ECS18b, ECS21a to ECS22c, ECS37, ECS57, ECS66.
"""

from __future__ import annotations

from smetslab.devices.cosem.model import (
    CosemObject,
    buffer,
    computed,
    cosem_object,
    fixed,
    method,
    stored,
)
from smetslab.devices.esme_objects.common import (
    MAXIMUM_DEMAND_SCRIPTS,
    VAR_HOUR,
    WATT,
    WATT_HOUR,
    scaler_unit,
    schedule_entry,
)
from smetslab.gbcs.values import NEVER

_WHOLE_DAY = ("hex:000001FFFF", "hex:FFFFFFFFFF")


def _maximum_demand(name: str, obis: str, last_reset: str) -> CosemObject:
    """A maximum demand register: value, scaler, time of the maximum, and when it was reset last."""
    return cosem_object(
        4,
        obis,
        stored(2, name, 0),
        fixed(3, f"{name}_scaler_unit", scaler_unit(WATT)),
        stored(5, f"{name}_time", NEVER),
        method(1, f"reset_{name}", stamps=last_reset),
    )


OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(
        3,
        "1-0:2.8.0.255",
        computed(2, "active_export_register"),
        fixed(3, "active_export_register_scaler_unit", scaler_unit(WATT_HOUR)),
    ),
    cosem_object(
        3,
        "1-0:4.8.0.255",
        computed(2, "reactive_export_register"),
        fixed(3, "reactive_export_register_scaler_unit", scaler_unit(VAR_HOUR)),
    ),
    cosem_object(1, "0-0:94.44.34.10", computed(2, "import_register_collection")),
    cosem_object(1, "0-0:94.44.34.20", computed(2, "power_import_collection")),
    cosem_object(1, "0-0:94.44.34.1", computed(2, "tariff_tou_register_collection")),
    cosem_object(1, "0-0:94.44.34.2", computed(2, "tariff_block_tou_register_collection")),
    # Maximum demand
    cosem_object(
        1, "0-0:94.44.5.0", stored(2, "maximum_demand_configurable_time_active_power_import_reset", NEVER)
    ),
    cosem_object(1, "0-0:94.44.5.1", stored(2, "maximum_demand_active_energy_import_reset", NEVER)),
    cosem_object(1, "0-0:94.44.5.2", stored(2, "maximum_demand_active_power_export_reset", NEVER)),
    _maximum_demand(
        "maximum_demand_active_energy_import", "1-0:1.6.0.255", "maximum_demand_active_energy_import_reset"
    ),
    _maximum_demand(
        "maximum_demand_configurable_time_active_power_import",
        "1-0:1.6.1.255",
        "maximum_demand_configurable_time_active_power_import_reset",
    ),
    _maximum_demand(
        "maximum_demand_active_power_export", "1-0:2.6.0.255", "maximum_demand_active_power_export_reset"
    ),
    cosem_object(
        10,
        "0-0:12.0.0.255",
        stored(
            2,
            "maximum_demand_configurable_time_period",
            [
                schedule_entry(1, MAXIMUM_DEMAND_SCRIPTS, 1, "12:00:00", period=_WHOLE_DAY),
                schedule_entry(2, MAXIMUM_DEMAND_SCRIPTS, 2, "09:00:00", period=_WHOLE_DAY),
            ],
        ),
    ),
    # Profiles
    cosem_object(7, "0-0:99.1.0.255", buffer(2, "active_energy_imported_log")),
    cosem_object(7, "0-0:99.1.1.255", buffer(2, "profile_data_log_export")),
    cosem_object(7, "0-0:99.1.2.255", buffer(2, "profile_data_log_reactive_import")),
    cosem_object(7, "0-0:99.1.3.255", buffer(2, "daily_consumption_log")),
    cosem_object(7, "0-0:98.1.9.255", buffer(2, "daily_read_log")),
    cosem_object(7, "0-0:98.1.10.255", buffer(2, "daily_read_log_export")),
    # Protected reads
    cosem_object(30, "0-0:43.2.1.255", method(1, "get_protected_prepayment_registers")),
    cosem_object(30, "0-0:43.2.2.255", method(1, "get_protected_billing_calendar_log")),
    cosem_object(30, "0-0:43.2.3.255", method(1, "get_protected_mode_or_tariff_log")),
    cosem_object(30, "0-0:43.2.4.255", method(1, "get_protected_daily_consumption_log")),
    cosem_object(30, "0-0:43.2.5.255", method(1, "get_protected_daily_read_log")),
    cosem_object(30, "0-0:43.2.6.255", method(1, "get_protected_prepayment_daily_read_log")),
    cosem_object(30, "0-0:43.2.7.255", method(1, "get_protected_active_energy_imported_log")),
    cosem_object(30, "0-0:43.2.8.255", method(1, "get_protected_import_registers")),
    cosem_object(30, "0-0:43.2.9.255", method(1, "get_protected_tariff_tou_registers")),
    cosem_object(30, "0-0:43.2.10.255", method(1, "get_protected_tariff_block_tou_registers")),
)
