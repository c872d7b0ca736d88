"""Names and shapes that several use cases share."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Const, ListOf, Num, Struct
from smetslab.gbcs.elements import known

ESME = (DeviceType.ESME,)
CHF = (DeviceType.CHF,)

SUPPLIER = (RemotePartyRole.SUPPLIER,)
NETWORK_OPERATOR = (RemotePartyRole.NETWORK_OPERATOR,)
ACCESS_CONTROL_BROKER = (RemotePartyRole.ACCESS_CONTROL_BROKER,)
LOAD_CONTROLLER = (RemotePartyRole.LOAD_CONTROLLER,)
SUPPLIER_OR_BROKER = SUPPLIER + ACCESS_CONTROL_BROKER
SUPPLIER_OR_NETWORK_OPERATOR = SUPPLIER + NETWORK_OPERATOR
NETWORK_OPERATOR_OR_BROKER = NETWORK_OPERATOR + ACCESS_CONTROL_BROKER
ANY_READER = SUPPLIER + NETWORK_OPERATOR + ACCESS_CONTROL_BROKER
ANY_READER_OR_LOAD_CONTROLLER = ANY_READER + LOAD_CONTROLLER

FUTURE_DATED_ALERT = (0x00CC,)
"""The alert for each activated object of a future-dated DLMS command. Spec: GBCS 9.2."""

INTEGER_ZERO = Const(axdr.integer(0))
"""The parameter of methods that need none. Spec: IEC 62056-6-2."""

UNIT = Num(Tag.ENUM, {27: "W", 30: "Wh", 32: "varh", 254: "other", 255: "count"})
"""Units of COSEM registers. Spec: IEC 62056-6-2, table of physical units."""


def scaler_unit(*elements: str) -> Struct:
    """scaler_unit of a register, whose unit DUIS or MMC know as `elements`."""
    return Struct({"scaler": shapes.INTEGER, known("unit", *elements): UNIT})


SCALER_UNIT = scaler_unit()

ACTIVE_ENERGY = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="Wh")
REACTIVE_ENERGY = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="varh")
POWER = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="W")
SECONDS = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="s")
PRICE = Num(Tag.LONG, unit="currency units at the price scale")

# Shapes of COSEM that several use cases share under different elements of DUIS and MMC: the arguments.


def unit_charge(*, scale: str, charge: tuple[str, ...]) -> Struct:
    """unit_charge of class 113: scales, the object that is charged for, prices by index. Spec: GBCS 7.3.7."""
    return Struct(
        {
            "charge_per_unit_scaling": Struct(
                {"commodity_scale": shapes.INTEGER, known("price_scale", scale): shapes.INTEGER}
            ),
            "commodity": Struct(
                {
                    "class_id": shapes.LONG_UNSIGNED,
                    "logical_name": shapes.LOGICAL_NAME,
                    "attribute_index": shapes.INTEGER,
                }
            ),
            "charge_table": ListOf(
                Struct({"index": shapes.OCTETS, known("charge_per_unit", *charge): PRICE})
            ),
        }
    )


def special_days(*, date: tuple[str, ...], index: tuple[str, ...] = (), day: tuple[str, ...] = ()) -> ListOf:
    """entries of class 11."""
    return ListOf(
        Struct(
            {
                known("index", *index): shapes.LONG_UNSIGNED,
                known("date", *date): shapes.DATE,
                known("day_identifier", *day): shapes.UNSIGNED,
            }
        )
    )


def execution_times(*time: str) -> ListOf:
    """execution_time of class 22."""
    return ListOf(Struct({known("time", *time): shapes.TIME, "date": shapes.DATE}))


def schedule_entries(
    script_selector: shapes.Shape,
    *,
    script: tuple[str, ...] = (),
    switch_time: tuple[str, ...] = ("SwitchTime",),
    days_and_dates: bool = True,
) -> ListOf:
    """entries of class 10, whose scripts have numbers of this shape; `days_and_dates` tells whether requests
    say on which days of the week, special days and dates an entry counts."""

    def dated(name: str, element: str) -> str:
        return known(name, element) if days_and_dates else name

    return ListOf(
        Struct(
            {
                "index": shapes.LONG_UNSIGNED,
                "enable": shapes.BOOLEAN,
                "script_table": shapes.LOGICAL_NAME,
                known("script_selector", *script): script_selector,
                known("switch_time", *switch_time): shapes.TIME,
                "validity_window": shapes.LONG_UNSIGNED,
                dated("exec_weekdays", "DaysOfWeekApplicability"): shapes.BIT_STRING,
                dated("exec_special_days", "SpecialDaysApplicability"): shapes.BIT_STRING,
                dated("begin_date", "StartDate"): shapes.DATE,
                dated("end_date", "EndDate"): shapes.DATE,
            }
        )
    )


MAXIMUM_DEMAND_PERIOD = schedule_entries(
    shapes.LONG_UNSIGNED, switch_time=("StartTime", "EndTime"), days_and_dates=False
)
"""Two entries: script 1 begins the period, script 2 ends it."""
