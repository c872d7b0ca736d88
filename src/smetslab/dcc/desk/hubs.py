"""Services about Communications Hubs and the WAN. Spec: DUIS service references 8.14.1 to 8.14.4 and 12.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from smetslab.dcc.desk.model import DONE, KNOWN, Call, Rule, Service
from smetslab.dcc.intake import Served
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import OtherPayload, leaf, node
from smetslab.duis.element import Element
from smetslab.gbcs.codes import DeviceType
from smetslab.registry import DeviceStatus, LifeEvent
from smetslab.registry.life_cycle import after

# 8.14 -------------------------------------------------------------------------------------------------------


def _no_hub(call: Call) -> str | None:
    device_type = call.the_device().device_type
    return None if device_type is DeviceType.CHF else f"a {device_type.name} is no Communications Hub"


def _in_status(*statuses: DeviceStatus) -> Callable[[Call], str | None]:
    def fault(call: Call) -> str | None:
        status = call.the_device().status
        return f"a hub that is {status} cannot be reported so" if status in statuses else None

    return fault


def _other_device_unknown(call: Call) -> str | None:
    other = call.text("OtherDeviceID")
    known = [str(one.device_id) for one in call.office.inventory.devices()]
    return None if other in known else f"{other} is not in the inventory"


def _installed(event: LifeEvent) -> Callable[[Call], Served]:
    """The hub is there: with the WAN it is commissioned, without it waits; its meter point stays with it."""

    def act(call: Call) -> Served:
        inventory, hub = call.office.inventory, call.the_device()
        for device in inventory.premises(hub.device_id):
            if device.device_type not in {DeviceType.CHF, DeviceType.GPF}:
                continue
            for step in (LifeEvent.INSTALLED, event):
                if after(device.status, step) is not None:
                    device = inventory.apply(device.device_id, step).device  # noqa: PLW2901 - one device, two steps
            inventory.update(
                replace(device, import_mpxn=call.text("MPxN"), date_commissioned=call.now.date())
            )
        return DONE

    return act


def _returned(call: Call) -> Served:
    inventory, hub = call.office.inventory, call.the_device()
    concerned = call.office.notices.concerned(hub)
    for device in inventory.premises(hub.device_id):
        if device.device_type in {DeviceType.CHF, DeviceType.GPF} and after(
            device.status, LifeEvent.WITHDRAWN
        ):
            inventory.apply(device.device_id, LifeEvent.WITHDRAWN)
    call.office.notices.tell(
        concerned,
        "DeviceStatusChangeEvent",
        {"DeviceID": str(hub.device_id), "DeviceStatusChange": {"CHFDecommissioning": True}},
        hub.device_id,
    )
    return DONE


_GONE: Final = _in_status(DeviceStatus.DECOMMISSIONED, DeviceStatus.WITHDRAWN)
_HUB_RULES: Final = (
    KNOWN,
    Rule("no hub", "E081401", _no_hub),
    Rule("hub status", "E081402", _GONE),
)

# 12.1 -------------------------------------------------------------------------------------------------------


def _place_unknown(call: Call) -> str | None:
    covered = call.office.rules.wan_post_codes
    if covered is None:
        return None
    code = str(call.group("PartialAddress").get("PostCode", ""))
    area = "".join(code.split()).upper()
    return None if any(area.startswith(one) for one in covered) else "no such place in the WAN matrix"


def _wan_matrix(call: Call) -> Served:
    """One place has one answer; the two schema versions have different forms, and no form has both."""
    rules = call.office.rules
    coverage = (
        leaf("CoverageAvailability", "true"),
        leaf("WANTechnology", rules.wan_technology),
        leaf("ConnectivityLikelihood", "High"),
    )
    region = leaf("CSPRegion", rules.csp_region)
    request = node("Request", *_asked(call))
    if rules.wan_matrix_form == "5.1":
        matrix = node("DSPWANMatrix", request, region, *coverage)
    else:
        code = leaf("CSPRegionResponseCode", ResponseCode.SUCCESS)
        matrix = node("DSPWANMatrix", request, node("DSPWANMatrixResponse", region, code, *coverage))
    return Served(ResponseCode.SUCCESS, OtherPayload(matrix))


def _asked(call: Call) -> tuple[Element, ...]:
    return call.request.body.children


SERVICES: Final = (
    Service(variant="8.14.1", rules=_HUB_RULES, act=_installed(LifeEvent.COMMISSIONED)),
    Service(variant="8.14.2", rules=_HUB_RULES, act=_installed(LifeEvent.INSTALLED)),
    Service(
        variant="8.14.3",
        rules=(*_HUB_RULES, Rule("other device", "E081405", _other_device_unknown)),
        act=_returned,
    ),
    Service(variant="8.14.4", rules=_HUB_RULES, act=_returned),
    Service(variant="12.1", rules=(Rule("place", "E120101", _place_unknown),), act=_wan_matrix),
)
