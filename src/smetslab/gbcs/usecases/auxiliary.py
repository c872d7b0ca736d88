"""Use cases about auxiliary controllers (ALCS, HCALCS, APC) and the boost function of an ESME.

A slot that a command does not speak of is left out of its access list, so most items are optional.

Spec: GBCS use cases ECS46a to ECS47e, ECS61a to ECS62.
"""

from __future__ import annotations

from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import ControllerNumber, NamedOctets
from smetslab.gbcs.dlms.shapes import Bool, Compact, Num, Struct, Text
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ANY_READER_OR_LOAD_CONTROLLER,
    ESME,
    FUTURE_DATED_ALERT,
    LOAD_CONTROLLER,
    SUPPLIER,
    SUPPLIER_OR_BROKER,
    schedule_entries,
    special_days,
)
from smetslab.gbcs.usecases.dlms import (
    AccessItem,
    DlmsAccess,
    action,
    activate,
    get,
    get_period,
    later,
    optional,
    set_,
    unverified,
)
from smetslab.gbcs.usecases.model import UseCase, newer

SLOTS = range(1, 6)

DESCRIPTION = Text(Tag.VISIBLE_STRING, maximum=22)
STATE_INFORMATION = Text(Tag.UTF8_STRING, maximum=1200)
"""JSON. Spec: GBCS use cases ECS61e, ECS200."""

TYPE_AND_IDENTIFIER = NamedOctets({bytes(8): "ALCS", b"\xff": "APC", b"": "empty"})
"""What is in a slot; an HCALCS by its EUI-64."""

CALENDAR_ACTIONS = {0x01: "activate", 0x02: "deactivate"}
COMMAND_ACTIONS = {0x11: "activate", 0x12: "deactivate", 0x20: "reset"}
LOG_ACTIONS = {**COMMAND_ACTIONS, 0x00: "HCALCS message"}
"""`HCALCS message` is the outcome of a command that went to an HCALCS. Spec: MMC ALCSEventLogType."""

CALENDAR = schedule_entries(
    ControllerNumber("calendar", CALENDAR_ACTIONS),
    script=("ActivateDeactivateSwitch", "AuxiliaryControllerAction"),
)
SPECIAL_DAYS = special_days(
    index=("@index", "@identifier"),
    date=("ALCSHCALCSSpecialDay", "AuxiliaryControllerSpecialDayDefinition"),
)
SWITCH_COMMAND = ControllerNumber("switch", COMMAND_ACTIONS)
LEVEL_COMMAND = ControllerNumber("level", COMMAND_ACTIONS)

DURATION = Num(Tag.LONG_UNSIGNED, unit="min")
"""The unit is not confirmed by the schema, which has a number only."""

_SET_CALENDAR = (
    set_(
        known(
            "auxiliary_controller_calendar_special_days",
            "ALCSHCALCSSpecialDays",
            "AuxiliaryControllerSpecialDayDefinitions",
        ),
        11,
        "0-1:11.0.3.255",
        2,
        SPECIAL_DAYS,
    ),
    set_(
        known(
            "auxiliary_controller_calendar",
            "ALCSHCALCSConnectionSchedule",
            "ALCSScheduler",
            "AuxiliaryControllerSchedule",
        ),
        10,
        "0-1:12.0.2.255",
        2,
        CALENDAR,
    ),
    activate("auxiliary_controller_calendar_activation_time", 9000, "0-0:94.44.128.26", 6),
    later(
        activate("auxiliary_controller_calendar_special_days_activation_time", 9000, "0-0:94.44.128.35", 6),
        than="0.8.1",
    ),
)
_GET_CALENDAR = (
    get(
        known(
            "auxiliary_controller_calendar_special_days",
            "ALCSHCALCSSpecialDays",
            "AuxiliaryControllerSpecialDayDefinitions",
        ),
        11,
        "0-0:11.0.3.255",
        2,
        SPECIAL_DAYS,
    ),
    get(
        known(
            "auxiliary_controller_calendar",
            "ALCSHCALCSConnectionSchedule",
            "ALCSScheduler",
            "AuxiliaryControllerSchedule",
        ),
        10,
        "0-0:12.0.2.255",
        2,
        CALENDAR,
    ),
)
_GET_DESCRIPTIONS = tuple(
    get(
        known(f"auxiliary_controller_{slot}_description", "Description", "AuxiliaryControlDescription"),
        1,
        f"0-0:94.44.0.1{slot}",
        2,
        DESCRIPTION,
    )
    for slot in SLOTS
)
_GET_TYPES = tuple(
    get(
        known(f"auxiliary_controller_{slot}_type_and_identifier", "TypeAndIdentifier"),
        1,
        f"0-0:94.44.0.2{slot}",
        2,
        TYPE_AND_IDENTIFIER,
    )
    for slot in SLOTS
)


def _slot_setting(slot: int, name: str, element: str, place: int, shape: shapes.Shape) -> AccessItem:
    """A setting of one slot that goes before the script: 0-0:94.44.(116 + slot).place."""
    parameter = known(f"auxiliary_controller_{slot}_{name}", element)
    return optional(set_(parameter, 1, f"0-0:94.44.{116 + slot}.{place}", 2, shape))


def _period(kind: str, first: int) -> tuple[AccessItem, ...]:
    """Start and end of a period for each slot."""
    return tuple(
        _slot_setting(slot, f"{kind}_period_{bound}_date_time", element, place, shapes.DATE_TIME)
        for slot in SLOTS
        for bound, element, place in (("start", "StartDateTime", first), ("end", "EndDateTime", first + 1))
    )


def _critical(
    name: str,
    code: int,
    title: str,
    srvs: tuple[str, ...],
    *items: AccessItem,
    roles: tuple[RemotePartyRole, ...] = SUPPLIER,
    replay_protected: bool = True,
    dated: bool = False,
    unverified_fields: tuple[str, ...] = (),
) -> UseCase:
    """A critical row; `dated` ones set a calendar that waits for its activation."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=True,
        originator_roles=roles,
        service_requests=srvs,
        replay_protected=replay_protected,
        future_dateable=dated,
        date_time_in_response=dated,
        alerts=FUTURE_DATED_ALERT if dated else (),
        payload=DlmsAccess(items),
        unverified=unverified_fields,
    )


def _read(
    name: str,
    code: int,
    title: str,
    srv: str,
    roles: tuple[RemotePartyRole, ...],
    *items: AccessItem,
    unverified_fields: tuple[str, ...] = (),
) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=roles,
        service_requests=(srv,),
        payload=DlmsAccess(items),
        unverified=unverified_fields,
    )


USE_CASES = (
    _critical(
        "ECS46a",
        0x0053,
        "Set HC ALCS or ALCS Labels in ESME",
        ("6.14.1",),
        *(
            optional(
                set_(
                    known(f"auxiliary_controller_{slot}_description", "SwitchDescription"),
                    1,
                    f"0-0:94.44.0.1{slot}",
                    2,
                    DESCRIPTION,
                )
            )
            for slot in SLOTS
        ),
        replay_protected=False,
    ),
    _critical(
        "ECS46c",
        0x0054,
        "Set HC ALCS and ALCS configuration in ESME (excluding labels)",
        ("6.14.2",),
        *(
            optional(
                set_(
                    known(f"auxiliary_controller_{slot}_type_and_identifier", "SwitchTypeAndId"),
                    1,
                    f"0-0:94.44.0.2{slot}",
                    2,
                    TYPE_AND_IDENTIFIER,
                )
            )
            for slot in SLOTS
        ),
        *_SET_CALENDAR,
        dated=True,
        unverified_fields=("replay_protected",),
    ),
    newer(
        _critical(
            "ECS46d", 0x011A, "Set Auxiliary Controller Calendar", ("6.14.3",), *_SET_CALENDAR, dated=True
        ),
        than="ECS46c",
    ),
    _critical(
        "ECS47",
        0x0055,
        "Set or Reset HC ALCS or ALCS State",
        ("7.5", "7.6", "7.8"),
        *(
            unverified(_slot_setting(slot, f"{kind}_duration", "Duration", place, DURATION))
            for kind, place in (("activation", 1), ("deactivation", 2))
            for slot in SLOTS
        ),
        action(
            known(
                "auxiliary_controller_command",
                "ActivateALCSHCALCS",
                "DeactivateALCSHCALCS",
                "ResetALCSHCALCS",
            ),
            9,
            "0-0:10.0.103.255",
            1,
            SWITCH_COMMAND,
        ),
        unverified_fields=("future_dateable", "replay_protected"),
    ),
    _critical(
        "ECS47a",
        0x011E,
        "Set Auxiliary Controller [n] State",
        ("7.13",),
        *_period("setting", 1),
        action(
            known("auxiliary_controller_command", "CommandedStateLevel", "InputFromControlledLoad"),
            9,
            "0-0:10.0.103.255",
            1,
            LEVEL_COMMAND,
        ),
    ),
    _critical(
        "ECS47e",
        0x011F,
        "Limit APC [n] Level",
        ("7.16",),
        *_period("limit", 3),
        action(
            known(
                "auxiliary_proportional_controller_command", "CommandedStateLevel", "InputFromControlledLoad"
            ),
            9,
            "0-0:10.0.107.255",
            1,
            LEVEL_COMMAND,
        ),
        roles=LOAD_CONTROLLER,
    ),
    _read(
        "ECS61a",
        0x00BB,
        "Read HC ALCS and ALCS Data from ESME",
        "7.7",
        SUPPLIER,
        *_GET_DESCRIPTIONS,
        *_GET_TYPES,
        *_GET_CALENDAR,
        *(
            get(
                known(f"auxiliary_controller_{slot}_switch_state", "State"),
                70,
                f"0-{slot}:96.3.10.255",
                2,
                shapes.BOOLEAN,
            )
            for slot in SLOTS
        ),
        unverified_fields=("future_dateable", "replay_protected"),
    ),
    _read(
        "ECS61c",
        0x005E,
        "Read Boost Button Data from ESME",
        "7.11",
        SUPPLIER_OR_BROKER,
        get(
            known("boost_function_availability", "BoostFunctionAvailability"),
            1,
            "0-0:94.44.7.255",
            2,
            shapes.BOOLEAN,
        ),
        get_period(
            known("boost_function_event_log", "EventLogEntry"),
            7,
            "0-0:99.98.20.255",
            2,
            Compact(
                Struct(
                    {
                        known("boost_start", "BoostStart"): shapes.TIME_STAMP,
                        known("boost_end", "BoostEnd"): shapes.TIME_STAMP,
                    }
                )
            ),
        ),
        *(
            get(
                known(f"boost_function_control_{slot}", f"BoostFunctionControl{slot}Value"),
                1,
                f"0-0:94.44.6.{slot}",
                2,
                shapes.BOOLEAN,
            )
            for slot in SLOTS
        ),
    ),
    _read(
        "ECS61d",
        0x011C,
        "Read Auxiliary Controller Configuration Data",
        "7.14",
        ANY_READER_OR_LOAD_CONTROLLER,
        *_GET_DESCRIPTIONS,
        *_GET_CALENDAR,
    ),
    _read(
        "ECS61e",
        0x011D,
        "Read Auxiliary Controller Operational Data",
        "7.15",
        ANY_READER_OR_LOAD_CONTROLLER,
        *_GET_TYPES,
        *(
            get(
                known(
                    f"auxiliary_controller_{slot}_state_and_associated_information",
                    "AuxiliaryControllerStateAndAssociatedInformation",
                ),
                1,
                f"0-0:94.44.0.3{slot}",
                2,
                STATE_INFORMATION,
            )
            for slot in SLOTS
        ),
    ),
    UseCase(
        name="ECS62",
        code=0x005F,
        title="Set ALCS and Boost Button Association",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("7.9", "7.10"),
        replay_protected=True,
        payload=DlmsAccess(
            tuple(
                optional(
                    set_(
                        known(f"boost_function_control_{slot}", "AddToBoostButton", "RemoveFromBoostButton"),
                        1,
                        f"0-0:94.44.6.{slot}",
                        2,
                        Bool(),
                    )
                )
                for slot in SLOTS
            )
        ),
    ),
)
