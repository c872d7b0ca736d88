"""The interface classes: which attributes and methods each has, and which of them are activation times.

Spec: IEC 62056-6-2 (classes), GBCS 7.3 and 9.2.2.7 (class 9000, activation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

LOGICAL_NAME = 1
"""Attribute 1 of every class."""


@dataclass(frozen=True, slots=True)
class Activation:
    """Setting `trigger` to a time copies attributes of the same object: each pair is passive, active."""

    trigger: int
    copies: tuple[tuple[int, int], ...]


class Effect(Enum):
    """What a method does to an attribute of its own object, where the class alone says it."""

    ZERO = "zero"
    """The number becomes 0."""
    ADD = "add"
    """The parameter is added to the number."""
    SET = "set"
    """The attribute becomes the parameter."""
    CLEAR = "clear"
    """The recorded entries of a log are gone."""
    ACTIVATE = "activate"
    """The passive value of the object becomes the active one."""


@dataclass(frozen=True, slots=True)
class ClassMethod:
    """One method. `effect` on `attribute`; None: only the device knows what it does."""

    name: str
    effect: Effect | None = None
    attribute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CosemClass:
    """One interface class. Members that no use case of GBCS touches may be left out.

    `capture_time`: the attribute that says when the value was set or reset.
    """

    class_id: int
    name: str
    attributes: Mapping[int, str] = field(default_factory=dict)
    methods: Mapping[int, ClassMethod] = field(default_factory=dict)
    capture_time: int | None = None
    activation: Activation | None = None


_ROWS = (
    CosemClass(class_id=1, name="Data", attributes={2: "value"}),
    CosemClass(
        class_id=3,
        name="Register",
        attributes={2: "value", 3: "scaler_unit"},
        methods={1: ClassMethod("reset", Effect.ZERO, 2)},
    ),
    CosemClass(
        class_id=4,
        name="Extended Register",
        attributes={2: "value", 3: "scaler_unit", 5: "capture_time"},
        methods={1: ClassMethod("reset", Effect.ZERO, 2)},
        capture_time=5,
    ),
    CosemClass(
        class_id=7,
        name="Profile Generic",
        attributes={2: "buffer", 4: "capture_period"},
        methods={1: ClassMethod("reset", Effect.CLEAR, 2)},
    ),
    CosemClass(
        class_id=8,
        name="Clock",
        attributes={2: "time", 4: "status", 9: "clock_base"},
        methods={4: ClassMethod("adjust_to_preset_time"), 5: ClassMethod("preset_adjusting_time")},
    ),
    CosemClass(
        class_id=9, name="Script Table", attributes={2: "scripts"}, methods={1: ClassMethod("execute")}
    ),
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
    CosemClass(class_id=22, name="Single Action Schedule", attributes={4: "execution_time"}),
    CosemClass(class_id=30, name="Data Protection", methods={1: ClassMethod("get_protected_attributes")}),
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
        class_id=104,
        name="ZigBee Network Control",
        attributes={2: "enable_disable_joining", 3: "join_timeout", 4: "active_devices"},
        methods={
            1: ClassMethod("register_device"),
            2: ClassMethod("unregister_device"),
            3: ClassMethod("unregister_all_devices"),
            4: ClassMethod("backup_PAN"),
            5: ClassMethod("restore_PAN"),
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
        activation=Activation(13, ((2, 2), (11, 11))),
    ),
    CosemClass(
        class_id=112,
        name="Credit",
        attributes={
            2: "current_credit_amount",
            9: "preset_credit_amount",
            10: "credit_available_threshold",
        },
        methods={
            1: ClassMethod("update_amount", Effect.ADD, 2),
            2: ClassMethod("set_amount_to_value", Effect.SET, 2),
            3: ClassMethod("invoke_credit"),
        },
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
        methods={
            2: ClassMethod("activate_passive_unit_charge", Effect.ACTIVATE),
            4: ClassMethod("update_total_amount_remaining", Effect.ADD, 12),
        },
        activation=Activation(7, ((6, 5),)),
    ),
    CosemClass(class_id=115, name="Token Gateway", methods={1: ClassMethod("enter")}),
    CosemClass(
        class_id=9000,
        name="Extended Data",
        attributes={2: "value_active", 4: "value_passive", 6: "activate_passive_value_time"},
        activation=Activation(6, ((4, 2),)),
    ),
)

CLASSES: Mapping[int, CosemClass] = {row.class_id: row for row in _ROWS}
