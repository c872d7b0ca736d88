"""Names and shapes that several use cases share."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Const, ListOf, Num, Struct

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

SCALER_UNIT = Struct({"scaler": shapes.INTEGER, "unit": UNIT})

ACTIVE_ENERGY = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="Wh")
REACTIVE_ENERGY = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="varh")
POWER = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="W")
SECONDS = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="s")
PRICE = Num(Tag.LONG, unit="currency units at the price scale")

UNIT_CHARGE = Struct(
    {
        "charge_per_unit_scaling": Struct({"commodity_scale": shapes.INTEGER, "price_scale": shapes.INTEGER}),
        "commodity": Struct(
            {
                "class_id": shapes.LONG_UNSIGNED,
                "logical_name": shapes.LOGICAL_NAME,
                "attribute_index": shapes.INTEGER,
            }
        ),
        "charge_table": ListOf(Struct({"index": shapes.OCTETS, "charge_per_unit": PRICE})),
    }
)
"""unit_charge of class 113: scales, the object that is charged for, prices by index. Spec: GBCS 7.3.7."""

SPECIAL_DAYS = ListOf(
    Struct({"index": shapes.LONG_UNSIGNED, "date": shapes.DATE, "day_identifier": shapes.UNSIGNED})
)
"""entries of class 11."""

EXECUTION_TIMES = ListOf(Struct({"time": shapes.TIME, "date": shapes.DATE}))
"""execution_time of class 22."""


def schedule_entries(script_selector: shapes.Shape) -> ListOf:
    """entries of class 10, whose scripts have numbers of this shape."""
    return ListOf(
        Struct(
            {
                "index": shapes.LONG_UNSIGNED,
                "enable": shapes.BOOLEAN,
                "script_table": shapes.LOGICAL_NAME,
                "script_selector": script_selector,
                "switch_time": shapes.TIME,
                "validity_window": shapes.LONG_UNSIGNED,
                "exec_weekdays": shapes.BIT_STRING,
                "exec_special_days": shapes.BIT_STRING,
                "begin_date": shapes.DATE,
                "end_date": shapes.DATE,
            }
        )
    )


SCHEDULE_ENTRIES = schedule_entries(shapes.LONG_UNSIGNED)
