"""Variants about auxiliary controllers and the boost function.

Spec: DUIS service references 6.14, 7.5 to 7.16; GBCS 4.7 (numbers of slots, actions and levels).
"""

from __future__ import annotations

from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv import simple
from smetslab.duis.srv.common import (
    DATE_SHAPE,
    DAYS_OF_WEEK,
    DISTRIBUTOR,
    EXECUTION,
    IMPORT_SUPPLIER,
    OTHER_USER,
    indexed,
    period,
    printable,
    read,
    schedule_entry,
    special_days,
)
from smetslab.duis.srv.derived import DayBits
from smetslab.duis.srv.forms import CHARACTERS, DATE, WEEKDAYS
from smetslab.duis.srv.holes import At, Choose, ForEach, Indexed, Switch, When
from smetslab.duis.srv.model import EXECUTION_DATE_TIME, ServiceRequest, UseCaseMapping, body, mapping
from smetslab.duis.srv.shapes import (
    EMPTY,
    PRESENT,
    Attribute,
    Attributed,
    Child,
    OneOf,
    Sequence,
    many,
    optional,
)
from smetslab.duis.srv.simple import BOOLEAN, EUI, UNSIGNED_SHORT, Number
from smetslab.duis.srv.template import ABSENT, Template

SLOTS: Final = range(1, 6)
_SLOT = Number(1, 5)
_LEVEL = Number(0, 100)
_CONTROLLER: Final = "auxiliaryControllerN"
_CALENDAR_SCRIPTS: Final = "00000A0067FF"
_NO_DAY: Final = "0000000"

# Schedules. Spec: DUIS schema 5.4, types ALCSHCALCSConnectionSchedule, AuxiliaryControllerSchedule.

_PERIOD_AND_TIME = Sequence(
    Child("SwitchTime", simple.TIME), Child("StartDate", DATE_SHAPE), Child("EndDate", DATE_SHAPE)
)


def _schedule(name: str, action: Child, days: Child, *, period_and_time: str, least: int, most: int) -> Child:
    return many(
        name,
        Sequence(
            action,
            days,
            optional("DaysOfWeekApplicability", DAYS_OF_WEEK),
            Child(period_and_time, _PERIOD_AND_TIME),
        ),
        least,
        most,
    )


def _calendar(
    schedule: str, table: str, by: str, selector: Template, period_and_time: str
) -> dict[str, Template]:
    return {
        "auxiliary_controller_calendar_special_days": special_days(table, by),
        "auxiliary_controller_calendar": [
            ForEach(
                schedule,
                schedule_entry(
                    _CALENDAR_SCRIPTS,
                    selector,
                    switch_time=At(f"{period_and_time}.SwitchTime"),
                    weekdays=At("DaysOfWeekApplicability", WEEKDAYS, absent=_NO_DAY),
                    special_days=DayBits(f"/{table}", by, "SpecialDaysApplicability", by),
                    begin_date=At(f"{period_and_time}.StartDate", DATE),
                    end_date=At(f"{period_and_time}.EndDate", DATE),
                ),
            )
        ],
    }


_DIRECTION: Final = Choose({"InputFromControlledLoad": "input"}, otherwise="output")

_CONNECTION_ACTION = Child(
    "ActivateDeactivateSwitch",
    indexed(Sequence(OneOf((Child("ActivateSwitch", PRESENT), Child("DeactivateSwitch", PRESENT)))), 5),
)
_CONTROLLER_ACTION = Child(
    "AuxiliaryControllerAction",
    indexed(
        Sequence(Child("CommandedStateLevel", _LEVEL), optional("InputFromControlledLoad", PRESENT)),
        5,
        _CONTROLLER,
    ),
)
_ACTION: Final = "AuxiliaryControllerAction"

# Commands -----------------------------------------------------------


def _switch(element: str, action: str, duration: str) -> UseCaseMapping:
    """Switch one slot, for some time where the action takes one."""
    template: dict[str, Template] = {}
    if duration:
        template = {
            f"auxiliary_controller_{slot}_{duration}": When(
                f"{element}.@index", slot, At(f"{element}.Duration")
            )
            for slot in SLOTS
        }
    template["auxiliary_controller_command"] = {"slot": At(f"{element}.@index"), "action": action}
    return mapping("ECS47", template)


_DURATION = indexed(Sequence(Child("Duration", UNSIGNED_SHORT)), 5)


def _level(use_case: str, kind: str, parameter: str) -> UseCaseMapping:
    """Set or limit one slot to a level for a period."""
    template: dict[str, Template] = {
        f"auxiliary_controller_{slot}_{kind}_period_{bound}_date_time": When(
            f"@{_CONTROLLER}", slot, At(element)
        )
        for slot in SLOTS
        for bound, element in (("start", "StartDateTime"), ("end", "EndDateTime"))
    }
    template[parameter] = {
        "direction": _DIRECTION,
        "slot": At(f"@{_CONTROLLER}"),
        "level": At("CommandedStateLevel"),
    }
    return mapping(use_case, template)


_LEVEL_BODY = Attributed(
    Sequence(
        Child("StartDateTime", simple.DATE_TIME),
        Child("EndDateTime", simple.DATE_TIME),
        Child("CommandedStateLevel", _LEVEL),
        optional("InputFromControlledLoad", PRESENT),
    ),
    (Attribute(_CONTROLLER, _SLOT),),
)


def _boost(variant: str, name: str, element: str, flag: str, wanted: bool) -> ServiceRequest:
    """Add slots to the boost function or take them from it; slots that are not spoken of stay."""
    return ServiceRequest(
        variant=variant,
        reference=variant,
        name=name,
        element=element,
        body=body(EXECUTION, many(flag, indexed(BOOLEAN, 5), 5, 5)),
        critical=False,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DSP,
        dcc_elements=(EXECUTION_DATE_TIME,),
        mappings=(
            mapping(
                "ECS62",
                {
                    f"boost_function_control_{slot}": Indexed(
                        flag, slot, Switch("value", {True: wanted, False: ABSENT})
                    )
                    for slot in SLOTS
                },
                # Published messages speak of all five slots.
                unverified=(flag,),
            ),
        ),
    )


SERVICE_REQUESTS = (
    ServiceRequest(
        variant="6.14.1",
        reference="6.14",
        name="Update Device Configuration (Auxiliary Load Control Description)",
        element="UpdateDeviceConfigurationALCDescriptions",
        body=body(
            many(
                "ALCSHCALCSDescription",
                indexed(Sequence(Child("SwitchDescription", printable(22))), 5),
                1,
                5,
            )
        ),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(
            mapping(
                "ECS46a",
                {
                    f"auxiliary_controller_{slot}_description": Indexed(
                        "ALCSHCALCSDescription", slot, At("SwitchDescription", CHARACTERS), absent=ABSENT
                    )
                    for slot in SLOTS
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="6.14.2",
        reference="6.14",
        name="Update Device Configuration (Auxiliary Load Control Scheduler)",
        element="UpdateDeviceConfigurationALCScheduler",
        body=body(
            EXECUTION,
            _schedule(
                "ALCSHCALCSConnectionSchedule",
                _CONNECTION_ACTION,
                many("SpecialDaysApplicability", indexed(EMPTY, 20), 0, 20),
                period_and_time="ALCSScheduleDatesAndTime",
                least=1,
                most=48,
            ),
            Child(
                "ALCSHCALCSSpecialDays",
                Sequence(many("ALCSHCALCSSpecialDay", indexed(DATE_SHAPE, 20), 0, 20)),
            ),
            many(
                "SwitchTypeAndId",
                indexed(Sequence(OneOf((Child("ALCS", PRESENT), Child("HCALCS", EUI)))), 5),
                0,
                5,
            ),
        ),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "ECS46c",
                {
                    **{
                        f"auxiliary_controller_{slot}_type_and_identifier": Indexed(
                            "SwitchTypeAndId",
                            slot,
                            Choose({"ALCS": "ALCS", "HCALCS": At("HCALCS")}),
                            absent=ABSENT,
                        )
                        for slot in SLOTS
                    },
                    **_calendar(
                        "ALCSHCALCSConnectionSchedule",
                        "ALCSHCALCSSpecialDays.ALCSHCALCSSpecialDay",
                        "@index",
                        {
                            "slot": At("ActivateDeactivateSwitch.@index"),
                            "action": Choose(
                                {
                                    "ActivateDeactivateSwitch.ActivateSwitch": "activate",
                                    "ActivateDeactivateSwitch.DeactivateSwitch": "deactivate",
                                }
                            ),
                        },
                        "ALCSScheduleDatesAndTime",
                    ),
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="6.14.3",
        reference="6.14",
        name="Update Device Configuration (Auxiliary Controller Scheduler)",
        element="UpdateDeviceConfigurationAuxiliaryControllerScheduler",
        body=body(
            EXECUTION,
            _schedule(
                "AuxiliaryControllerSchedule",
                _CONTROLLER_ACTION,
                many("SpecialDaysApplicability", indexed(EMPTY, 20, "identifier"), 0, 20),
                period_and_time="AuxiliaryControllerSchedulePeriodAndTime",
                least=0,
                most=120,
            ),
            Child(
                "AuxiliaryControllerSpecialDayDefinitions",
                Sequence(
                    many(
                        "AuxiliaryControllerSpecialDayDefinition",
                        indexed(DATE_SHAPE, 20, "identifier"),
                        0,
                        20,
                    )
                ),
            ),
        ),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "ECS46d",
                _calendar(
                    "AuxiliaryControllerSchedule",
                    "AuxiliaryControllerSpecialDayDefinitions.AuxiliaryControllerSpecialDayDefinition",
                    "@identifier",
                    {
                        "direction": Choose(
                            {f"{_ACTION}.InputFromControlledLoad": "input"}, otherwise="output"
                        ),
                        "slot": At(f"{_ACTION}.@{_CONTROLLER}"),
                        "level": At(f"{_ACTION}.CommandedStateLevel"),
                    },
                    "AuxiliaryControllerSchedulePeriodAndTime",
                ),
            ),
        ),
    ),
    ServiceRequest(
        variant="7.5",
        reference="7.5",
        name="Activate Auxiliary Load",
        element="ActivateAuxiliaryLoad",
        body=body(Child("ActivateALCSHCALCS", _DURATION)),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(_switch("ActivateALCSHCALCS", "activate", "activation_duration"),),
    ),
    ServiceRequest(
        variant="7.6",
        reference="7.6",
        name="Deactivate Auxiliary Load",
        element="DeactivateAuxiliaryLoad",
        body=body(Child("DeactivateALCSHCALCS", _DURATION)),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(_switch("DeactivateALCSHCALCS", "deactivate", "deactivation_duration"),),
    ),
    read(
        "7.7",
        "Read Auxiliary Load Switch Data",
        "ReadALCSData",
        (IMPORT_SUPPLIER, DISTRIBUTOR, OTHER_USER),
        mapping("ECS61a"),
    ),
    ServiceRequest(
        variant="7.8",
        reference="7.8",
        name="Reset Auxiliary Load",
        element="ResetAuxiliaryLoad",
        body=body(Child("ResetALCSHCALCS", indexed(EMPTY, 5))),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(_switch("ResetALCSHCALCS", "reset", ""),),
    ),
    _boost(
        "7.9",
        "Add Auxiliary Load To Boost Button",
        "AddAuxiliaryLoadToBoostButton",
        "AddToBoostButton",
        wanted=True,
    ),
    _boost(
        "7.10",
        "Remove Auxiliary Load From Boost Button",
        "RemoveAuxiliaryLoadFromBoostButton",
        "RemoveFromBoostButton",
        wanted=False,
    ),
    read(
        "7.11",
        "Read Boost Button Details",
        "ReadBoostButtonDetails",
        (IMPORT_SUPPLIER, OTHER_USER),
        mapping("ECS61c", period("boost_function_event_log_period")),
        window=True,
    ),
    ServiceRequest(
        variant="7.13",
        reference="7.13",
        name="Set Auxiliary Controller State",
        element="SetAuxiliaryControllerState",
        body=_LEVEL_BODY,
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(_level("ECS47a", "setting", "auxiliary_controller_command"),),
    ),
    read(
        "7.14",
        "Read Auxiliary Controller Configuration Data",
        "ReadAuxiliaryControllerConfigurationData",
        (IMPORT_SUPPLIER, DISTRIBUTOR, OTHER_USER),
        mapping("ECS61d"),
    ),
    read(
        "7.15",
        "Read Auxiliary Controller Operational Data",
        "ReadAuxiliaryControllerOperationalData",
        (IMPORT_SUPPLIER, DISTRIBUTOR, OTHER_USER),
        mapping("ECS61e"),
    ),
    ServiceRequest(
        variant="7.16",
        reference="7.16",
        name="Limit APC Level",
        element="LimitAPCLevel",
        body=_LEVEL_BODY,
        critical=True,
        # The published list of eligible roles is empty: a load controller is none of them. The DCC asks
        # whether the device knows it.
        eligible_roles=(),
        mappings=(_level("ECS47e", "limit", "auxiliary_proportional_controller_command"),),
    ),
)
