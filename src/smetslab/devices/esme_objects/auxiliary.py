"""Auxiliary load control switches, boost function, auxiliary proportional controllers.

Spec: SMETS 5.22, 5.26, 5.29; GBCS use cases ECS46a to ECS47e, ECS61a to ECS62.
"""

from __future__ import annotations

from smetslab.devices.cosem.checks import at_most
from smetslab.devices.cosem.model import CosemObject, buffer, cosem_object, fixed, method, stored
from smetslab.devices.esme_objects.common import dated_object
from smetslab.devices.limits import (
    AUXILIARY_CALENDAR_ENTRIES,
    AUXILIARY_LOG_ENTRIES,
    AUXILIARY_SPECIAL_DAYS,
    BOOST_LOG_ENTRIES,
)
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import Either
from smetslab.gbcs.dlms.shapes import DATE_TIME, Num
from smetslab.gbcs.values import NEVER

SLOTS = range(1, 6)

_ENTRIES, _DAYS = (at_most(AUXILIARY_CALENDAR_ENTRIES),), (at_most(AUXILIARY_SPECIAL_DAYS),)

SETTING = Either(Num(Tag.LONG_UNSIGNED, unit="min"), DATE_TIME)
"""How long a command holds (ECS47), or from when to when (ECS47a)."""


def _slot(slot: int) -> tuple[CosemObject, ...]:
    """What a slot is for, its switch, and the settings that go with a command to it."""
    name = f"auxiliary_controller_{slot}"
    return (
        cosem_object(1, f"0-0:94.44.0.{10 + slot}", stored(2, f"{name}_description", "")),
        cosem_object(1, f"0-0:94.44.0.{20 + slot}", stored(2, f"{name}_type_and_identifier", "empty")),
        cosem_object(70, f"0-{slot}:96.3.10.255", stored(2, f"{name}_switch_state", False)),
        cosem_object(1, f"0-0:94.44.{116 + slot}.1", stored(2, f"{name}_activation", 0, SETTING)),
        cosem_object(1, f"0-0:94.44.{116 + slot}.2", stored(2, f"{name}_deactivation", 0, SETTING)),
    )


def _level(slot: int) -> tuple[CosemObject, ...]:
    """What a slot with a proportional controller has besides."""
    name = f"auxiliary_controller_{slot}"
    return (
        cosem_object(
            1, f"0-0:94.44.0.{30 + slot}", stored(2, f"{name}_state_and_associated_information", "{}")
        ),
        cosem_object(1, f"0-0:94.44.{116 + slot}.3", stored(2, f"{name}_limit_start", NEVER, DATE_TIME)),
        cosem_object(1, f"0-0:94.44.{116 + slot}.4", stored(2, f"{name}_limit_end", NEVER, DATE_TIME)),
    )


SWITCHES: tuple[CosemObject, ...] = (
    *(one for slot in SLOTS for one in _slot(slot)),
    cosem_object(11, "0-0:11.0.3.255", stored(2, "auxiliary_special_days", [], checks=_DAYS)),
    cosem_object(11, "0-1:11.0.3.255", stored(2, "auxiliary_special_days_passive", [], checks=_DAYS)),
    dated_object(
        "0-0:94.44.128.35", "auxiliary_special_days", (11, "0-1:11.0.3.255", 2), (11, "0-0:11.0.3.255", 2)
    ),
    cosem_object(10, "0-0:12.0.2.255", stored(2, "auxiliary_calendar", [], checks=_ENTRIES)),
    cosem_object(10, "0-1:12.0.2.255", stored(2, "auxiliary_calendar_passive", [], checks=_ENTRIES)),
    dated_object(
        "0-0:94.44.128.26", "auxiliary_calendar", (10, "0-1:12.0.2.255", 2), (10, "0-0:12.0.2.255", 2)
    ),
    cosem_object(9, "0-0:10.0.103.255", method(1, "execute_auxiliary_script")),
    cosem_object(
        7,
        "0-17:99.98.2.255",
        buffer(2, "auxiliary_controller_event_log", capacity=AUXILIARY_LOG_ENTRIES),
        method(1, "clear_auxiliary_controller_event_log"),
    ),
)

BOOST: tuple[CosemObject, ...] = (
    cosem_object(1, "0-0:94.44.7.255", fixed(2, "boost_function_availability", True)),
    *(
        cosem_object(1, f"0-0:94.44.6.{slot}", stored(2, f"boost_function_control_{slot}", False))
        for slot in SLOTS
    ),
    cosem_object(7, "0-0:99.98.20.255", buffer(2, "boost_function_event_log", capacity=BOOST_LOG_ENTRIES)),
)

PROPORTIONAL: tuple[CosemObject, ...] = (
    *SWITCHES,
    *(one for slot in SLOTS for one in _level(slot)),
    cosem_object(9, "0-0:10.0.107.255", method(1, "execute_auxiliary_level_script")),
)
