"""Services about schedules of reads. Spec: DUIS service references 5.1 to 5.3."""

from __future__ import annotations

from typing import Final

from smetslab.dcc.desk.model import DONE, KNOWN, RESPONSIBLE, Call, Rule, Service
from smetslab.dcc.intake import Served
from smetslab.dcc.schedules import MAX_PER_DEVICE, Schedule, next_run, run_elements
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import OtherPayload, leaf, node
from smetslab.duis.srv import find
from smetslab.duis.srv.nondevice import SCHEDULE, SCHEDULED
from smetslab.errors import DuisError
from smetslab.registry import DeviceStatus

# 5.1 --------------------------------------------------------------------------------------------------------


def _variant(call: Call) -> str:
    return call.text("DSPScheduledServiceReferenceVariant")


def _reference_of_another(call: Call) -> str | None:
    reference = call.text("DSPScheduledServiceReference")
    wanted = ".".join(_variant(call).split(".")[:2])
    return None if reference == wanted else f"{_variant(call)} belongs to {wanted}, not to {reference}"


def _element_of_another(call: Call) -> str | None:
    wanted = SCHEDULED[_variant(call)][0]
    return None if wanted in call.elements else f"{_variant(call)} is asked with {wanted}"


def _never_runs(call: Call) -> str | None:
    try:
        due = next_run(call.elements, call.now)
    except DuisError as error:
        return str(error)
    return "it ends before it runs" if due is None else None


def _not_for_device(call: Call) -> str | None:
    row, device = find(_variant(call)), call.the_device()
    if row is None or row.mapping_for(device.device_type) is None:
        return f"{_variant(call)} is not for a {device.device_type.name}"
    return None


def _role_may_not(call: Call) -> str | None:
    row = find(_variant(call))
    may = row is not None and any(role in row.eligible_roles for role in call.roles)
    return None if may else f"no role of {call.user} may ask {_variant(call)}"


def _too_many(call: Call) -> str | None:
    number = len(call.office.schedules.of_device(call.the_device().device_id, call.user))
    return f"{number} schedules for this device already" if number >= MAX_PER_DEVICE else None


def _not_in_use(call: Call) -> str | None:
    status = call.the_device().status
    return None if status is DeviceStatus.COMMISSIONED else f"the device is {status}"


def _period_impossible(call: Call) -> str | None:
    row = find(_variant(call))
    if row is None:
        return f"{_variant(call)} is not served"
    probe = Schedule(
        number=0,
        user=call.user,
        device=call.the_device().device_id,
        variant=_variant(call),
        elements=call.elements,
        due=call.now,
    )
    try:
        run_elements(row, probe, call.now)
    except (DuisError, OverflowError) as error:
        return str(error)
    return None


def _create(call: Call) -> Served:
    schedule = call.office.schedules.create(call.user, _variant(call), call.elements, call.now)
    return Served(ResponseCode.SUCCESS, OtherPayload(leaf("DSPScheduleID", str(schedule.number))))


# 5.2 and 5.3 ------------------------------------------------------------------------------------------------


def _asked_for(call: Call) -> tuple[Schedule, ...]:
    """The user's own schedules that the request is about."""
    if "DSPScheduleID" in call.elements:
        found = call.office.schedules.find(int(call.text("DSPScheduleID")))
        return () if found is None or found.user != call.user else (found,)
    device_id = call.device_id
    return () if device_id is None else call.office.schedules.of_device(device_id, call.user)


def _no_such_schedule(call: Call) -> str | None:
    missing = "DSPScheduleID" in call.elements and not _asked_for(call)
    return "the user has no such schedule" if missing else None


def _none_of_device(call: Call) -> str | None:
    missing = "DeviceID" in call.elements and not _asked_for(call)
    return "the user has no schedule for this device" if missing else None


def _read(call: Call) -> Served:
    schedules = [
        node(
            "DSPSchedules",
            leaf("DSPScheduleID", str(one.number)),
            SCHEDULE.write("DSPScheduleDetails", one.elements, "DSPScheduleDetails"),
        )
        for one in _asked_for(call)
    ]
    return Served(ResponseCode.SUCCESS, OtherPayload(node("DSPSchedulesRead", *schedules)))


def _delete(call: Call) -> Served:
    for one in _asked_for(call):
        call.office.schedules.delete(one.number)
    return DONE


SERVICES: Final = (
    Service(
        variant="5.1",
        rules=(
            KNOWN,
            RESPONSIBLE,
            Rule("service reference", "E050101", _reference_of_another),
            Rule("scheduled body", "E050102", _element_of_another),
            Rule("device type", "E050103", _not_for_device),
            Rule("role", "E050105", _role_may_not, switch="check_roles"),
            Rule("dates", "E050107", _never_runs),
            Rule("too many schedules", "E050108", _too_many),
            Rule("device status", "E050109", _not_in_use, switch="check_status"),
            Rule("period", "E050110", _period_impossible),
        ),
        act=_create,
    ),
    Service(
        variant="5.2",
        rules=(
            Rule("no such schedule", "E050201", _no_such_schedule),
            Rule("none of this device", "E050202", _none_of_device),
        ),
        act=_read,
    ),
    Service(
        variant="5.3",
        rules=(
            Rule("no such schedule", "E050301", _no_such_schedule),
            Rule("none of this device", "E050302", _none_of_device),
        ),
        act=_delete,
    ),
)
