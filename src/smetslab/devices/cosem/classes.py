"""The interface classes: which attributes and methods each has, and which of them are activation times.

Spec: IEC 62056-6-2 (classes), GBCS 7.3 and 9.2.2.7 (class 9000, activation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOGICAL_NAME = 1
"""Attribute 1 of every class."""


@dataclass(frozen=True, slots=True)
class Activation:
    """Setting `trigger` to a time copies attributes of the same object: each pair is passive, active."""

    trigger: int
    copies: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CosemClass:
    """One interface class. Members that no use case of GBCS touches may be left out."""

    class_id: int
    name: str
    attributes: Mapping[int, str] = field(default_factory=dict)
    methods: Mapping[int, str] = field(default_factory=dict)
    activation: Activation | None = None


_ROWS = (
    CosemClass(class_id=1, name="Data", attributes={2: "value"}),
    CosemClass(class_id=3, name="Register", attributes={2: "value", 3: "scaler_unit"}, methods={1: "reset"}),
    CosemClass(
        class_id=7,
        name="Profile Generic",
        attributes={2: "buffer", 4: "capture_period"},
        methods={1: "reset"},
    ),
    CosemClass(
        class_id=8,
        name="Clock",
        attributes={2: "time", 4: "status", 9: "clock_base"},
        methods={4: "adjust_to_preset_time", 5: "preset_adjusting_time"},
    ),
    CosemClass(class_id=9, name="Script Table", attributes={2: "scripts"}, methods={1: "execute"}),
    CosemClass(class_id=10, name="Schedule", attributes={2: "entries"}),
    CosemClass(class_id=11, name="Special Days Table", attributes={2: "entries"}),
    CosemClass(
        class_id=20,
        name="Activity Calendar",
        attributes={
            2: "calendar_name_active",
            3: "season_profile_active",
            4: "week_profile_table_active",
            5: "day_profile_table_active",
            6: "calendar_name_passive",
            7: "season_profile_passive",
            8: "week_profile_table_passive",
            9: "day_profile_table_passive",
            10: "activate_passive_calendar_time",
        },
        activation=Activation(10, ((7, 3), (8, 4), (9, 5))),
    ),
    CosemClass(class_id=21, name="Register Monitor", attributes={2: "thresholds"}),
    CosemClass(class_id=30, name="Data Protection", methods={1: "get_protected_attributes"}),
    CosemClass(
        class_id=70,
        name="Disconnect Control",
        attributes={2: "output_state", 3: "control_state", 4: "control_mode"},
    ),
    CosemClass(
        class_id=71,
        name="Limiter",
        attributes={
            4: "threshold_normal",
            6: "min_over_threshold_duration",
            7: "min_under_threshold_duration",
        },
    ),
    CosemClass(
        class_id=111,
        name="Account",
        attributes={
            2: "account_mode_and_status",
            11: "credit_charge_configuration",
            13: "account_activation_time",
            16: "low_credit_threshold",
            18: "max_provision",
            19: "max_provision_period",
        },
    ),
    CosemClass(
        class_id=112,
        name="Credit",
        attributes={
            2: "current_credit_amount",
            9: "preset_credit_amount",
            10: "credit_available_threshold",
        },
        methods={1: "update_amount", 2: "set_amount_to_value", 3: "invoke_credit"},
    ),
    CosemClass(
        class_id=113,
        name="Charge",
        attributes={
            5: "unit_charge_active",
            6: "unit_charge_passive",
            7: "unit_charge_activation_time",
            8: "period",
            12: "total_amount_remaining",
            13: "proportion",
        },
        methods={2: "activate_passive_unit_charge", 4: "update_total_amount_remaining"},
        activation=Activation(7, ((6, 5),)),
    ),
    CosemClass(class_id=115, name="Token Gateway", methods={1: "enter"}),
    CosemClass(
        class_id=9000,
        name="Extended Data",
        attributes={2: "value_active", 4: "value_passive", 6: "activate_passive_value_time"},
        activation=Activation(6, ((4, 2),)),
    ),
)

CLASSES: Mapping[int, CosemClass] = {row.class_id: row for row in _ROWS}
