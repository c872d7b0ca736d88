"""Use cases that read registers and profiles of an ESME. Spec: GBCS use cases ECS17 to ECS22."""

from __future__ import annotations

from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Compact, ListOf, Num, Struct
from smetslab.gbcs.usecases.common import ANY_READER, ESME, SCALER_UNIT, SUPPLIER_OR_BROKER
from smetslab.gbcs.usecases.dlms import DlmsAccess, get, protected_get, protected_object
from smetslab.gbcs.usecases.model import UseCase

ACTIVE_ENERGY = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="Wh")
REACTIVE_ENERGY = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="varh")

_TOU_BLOCKS = ListOf(ACTIVE_ENERGY, 8)

USE_CASES = (
    UseCase(
        name="ECS17a",
        code=0x0026,
        title="Read ESME Energy Registers (Export Energy)",
        devices=ESME,
        critical=False,
        originator_roles=(RemotePartyRole.NETWORK_OPERATOR, RemotePartyRole.ACCESS_CONTROL_BROKER),
        service_requests=("4.2",),
        date_time_in_response=True,
        payload=DlmsAccess(
            (
                get("active_export_register", 3, "1-0:2.8.0.255", 2, ACTIVE_ENERGY),
                get("active_export_register_scaler_unit", 3, "1-0:2.8.0.255", 3, SCALER_UNIT),
                get("reactive_export_register", 3, "1-0:4.8.0.255", 2, REACTIVE_ENERGY),
                get("reactive_export_register_scaler_unit", 3, "1-0:4.8.0.255", 3, SCALER_UNIT),
            )
        ),
    ),
    UseCase(
        name="ECS17b",
        code=0x0027,
        title="Read ESME Energy Registers (Import Energy)",
        devices=ESME,
        critical=False,
        originator_roles=(RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR),
        service_requests=("4.1.1",),
        date_time_in_response=True,
        payload=DlmsAccess(
            (
                protected_get(
                    "import_registers",
                    "0-0:43.2.8.255",
                    protected_object(
                        "import_register_collection",
                        1,
                        "0-0:94.44.34.10",
                        2,
                        Struct(
                            {
                                "active": ACTIVE_ENERGY,
                                "active_scaler_unit": SCALER_UNIT,
                                "reactive": REACTIVE_ENERGY,
                                "reactive_scaler_unit": SCALER_UNIT,
                                "secondary_active": ACTIVE_ENERGY,
                            },
                            optional=("secondary_active",),
                        ),
                    ),
                ),
            )
        ),
    ),
    UseCase(
        name="ECS21a",
        code=0x0033,
        title="Read Electricity Daily Read Log (exc export)",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("4.6.1",),
        payload=DlmsAccess(
            (
                protected_get(
                    "read_log_period",
                    "0-0:43.2.5.255",
                    protected_object(
                        "daily_read_log",
                        7,
                        "0-0:98.1.9.255",
                        2,
                        Compact(
                            Struct(
                                {
                                    "timestamp": shapes.TIME_STAMP,
                                    "active_import_register": ACTIVE_ENERGY,
                                    "tariff_tou_register_matrix": ListOf(ACTIVE_ENERGY, 48),
                                    "tariff_block_1_tou_registers": _TOU_BLOCKS,
                                    "tariff_block_2_tou_registers": _TOU_BLOCKS,
                                    "tariff_block_3_tou_registers": _TOU_BLOCKS,
                                    "tariff_block_4_tou_registers": _TOU_BLOCKS,
                                    "secondary_tariff_tou_registers": ListOf(ACTIVE_ENERGY, 4),
                                },
                                optional=("secondary_tariff_tou_registers",),
                            )
                        ),
                        window=True,
                    ),
                ),
            )
        ),
    ),
    UseCase(
        name="ECS22b",
        code=0x0037,
        title="Read Electricity Half Hour Profile Data (active import)",
        devices=ESME,
        critical=False,
        originator_roles=ANY_READER,
        service_requests=("4.8.1",),
        payload=DlmsAccess(
            (
                protected_get(
                    "read_log_period",
                    "0-0:43.2.7.255",
                    protected_object(
                        "active_energy_imported_log",
                        7,
                        "0-0:99.1.0.255",
                        2,
                        Compact(
                            Struct(
                                {
                                    "timestamp": shapes.TIME_STAMP,
                                    "primary_value": ACTIVE_ENERGY,
                                    "secondary_value": ACTIVE_ENERGY,
                                },
                                optional=("secondary_value",),
                            )
                        ),
                        window=True,
                    ),
                ),
            )
        ),
    ),
)
