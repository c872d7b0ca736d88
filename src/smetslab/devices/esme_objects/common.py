"""Values and forms that objects of several parts share."""

from __future__ import annotations

from smetslab.devices.cosem.model import CosemObject, copy, cosem_object, stored
from smetslab.gbcs.dlms.shapes import Shape
from smetslab.gbcs.values import NEVER, Value

PRICE_SCALE = -5
WATT, WATT_HOUR, VAR_HOUR, OTHER, COUNT = 27, 30, 32, 254, 255
"""Units of COSEM registers. Spec: IEC 62056-6-2, table of physical units."""

TARIFF_SCRIPTS = "00000A0064FF"
AUXILIARY_SCRIPTS = "00000A0067FF"
DISCONNECT_SCRIPTS = "00000A006AFF"
MAXIMUM_DEMAND_SCRIPTS = "00000A8064FF"

EVERY_DAY, WEEKDAYS, WEEKEND = "1111111", "1111100", "0000011"


def scaler_unit(unit: int) -> Value:
    return {"scaler": 0, "unit": unit}


def schedule_entry(
    index: int,
    script_table: str,
    script: Value,
    time: str,
    *,
    weekdays: str = EVERY_DAY,
    special_days: str = "",
    period: tuple[str, str] = ("hex:FFFFFFFFFF", "hex:FFFFFFFFFF"),
) -> Value:
    """One entry of a class 10 schedule."""
    return {
        "index": index,
        "enable": True,
        "script_table": script_table,
        "script_selector": script,
        "switch_time": time,
        "validity_window": 0xFFFF,
        "exec_weekdays": weekdays,
        "exec_special_days": special_days,
        "begin_date": period[0],
        "end_date": period[1],
    }


def special_day(index: int, date: str, day: int) -> Value:
    return {"index": index, "date": date, "day_identifier": day}


def dated_value(
    obis: str, name: str, value: Value, active: tuple[int, str, int], shape: Shape | None = None
) -> CosemObject:
    """A class 9000 object that keeps the next value of an attribute elsewhere and when it becomes active."""
    return cosem_object(
        9000,
        obis,
        stored(4, f"{name}_passive", value, shape),
        stored(6, f"{name}_activation", NEVER),
        copies=(copy((9000, obis, 4), active),),
    )


def dated_object(
    obis: str, name: str, passive: tuple[int, str, int], active: tuple[int, str, int]
) -> CosemObject:
    """A class 9000 object that says when the value of a passive object becomes that of the active one."""
    return cosem_object(9000, obis, stored(6, f"{name}_activation", NEVER), copies=(copy(passive, active),))
