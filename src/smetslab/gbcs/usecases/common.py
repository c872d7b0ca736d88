"""Shapes that several use cases share."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import ListOf, Num, Struct

ESME = (DeviceType.ESME,)
SUPPLIER = (RemotePartyRole.SUPPLIER,)
SUPPLIER_OR_BROKER = (RemotePartyRole.SUPPLIER, RemotePartyRole.ACCESS_CONTROL_BROKER)
ANY_READER = (
    RemotePartyRole.SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR,
    RemotePartyRole.ACCESS_CONTROL_BROKER,
)

UNIT = Num(Tag.ENUM, {27: "W", 30: "Wh", 32: "varh", 254: "other", 255: "count"})
"""Units of COSEM registers. Spec: IEC 62056-6-2, table of physical units."""

SCALER_UNIT = Struct({"scaler": shapes.INTEGER, "unit": UNIT})

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
