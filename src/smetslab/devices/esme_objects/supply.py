"""Load switch, load limit, power thresholds, randomisation, tamper state.

Spec: SMETS 5.7.4; GBCS use cases ECS26c, ECS26f, ECS27, ECS28a, ECS28b, ECS34, ECS38, ECS42 to ECS45, ECS81.
"""

from __future__ import annotations

from smetslab.devices.cosem.model import CosemObject, computed, cosem_object, fixed, method, stored
from smetslab.devices.esme_objects.common import COUNT, dated_value, scaler_unit
from smetslab.gbcs.values import NEVER

_LIMITER = "0-0:17.0.0.255"

OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(9, "0-0:10.0.106.255", method(1, "execute_disconnect_script")),
    cosem_object(70, "0-0:96.3.10.255", computed(3, "supply_state")),
    cosem_object(
        71,
        _LIMITER,
        stored(4, "load_limit_power_threshold", 6900),
        stored(6, "load_limit_period", 300),
        stored(7, "load_limit_restoration_period", 30),
    ),
    cosem_object(
        3,
        "0-0:94.44.42.255",
        stored(2, "load_limit_counter", 30),
        fixed(3, "load_limit_counter_scaler_unit", scaler_unit(COUNT)),
        method(1, "reset_load_limit_counter"),
    ),
    cosem_object(
        9000,
        "0-0:94.44.0.3",
        stored(2, "load_limit_supply_state", False),
        stored(4, "load_limit_supply_state_passive", False),
        stored(6, "load_limit_supply_state_activation", NEVER),
    ),
    dated_value("0-0:94.44.128.7", "load_limit_power_threshold", 6900, (71, _LIMITER, 4)),
    dated_value("0-0:94.44.128.6", "load_limit_period", 300, (71, _LIMITER, 6)),
    dated_value("0-0:94.44.128.8", "load_limit_restoration_period", 30, (71, _LIMITER, 7)),
    cosem_object(1, "0-0:94.44.0.4", stored(2, "supply_tamper_state", False)),
    cosem_object(
        21,
        "0-0:16.0.0.255",
        stored(
            2,
            "power_thresholds",
            {"low_medium_power_threshold": 2300, "medium_high_power_threshold": 4600},
        ),
    ),
    cosem_object(1, "0-0:94.44.0.0", computed(2, "randomised_offset")),
    cosem_object(1, "0-0:94.44.0.1", stored(2, "randomised_offset_limit", 0)),
    cosem_object(1, "0-0:94.44.0.2", fixed(2, "randomised_offset_number", 2000)),
)
