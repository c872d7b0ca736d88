"""Use cases about tariffs of an ESME. Spec: GBCS use case ECS24, 7.3.7."""

from __future__ import annotations

from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.shapes import Bool, ListOf, Struct
from smetslab.gbcs.usecases.common import ESME, SCALER_UNIT, SPECIAL_DAYS, SUPPLIER_OR_BROKER, UNIT_CHARGE
from smetslab.gbcs.usecases.dlms import DlmsAccess, get
from smetslab.gbcs.usecases.model import UseCase

SEASONS = ListOf(
    Struct(
        {"season_profile_name": shapes.Text(), "season_start": shapes.DATE_TIME, "week_name": shapes.OCTETS}
    )
)
WEEKS = ListOf(
    Struct(
        {
            "week_profile_name": shapes.OCTETS,
            "monday": shapes.UNSIGNED,
            "tuesday": shapes.UNSIGNED,
            "wednesday": shapes.UNSIGNED,
            "thursday": shapes.UNSIGNED,
            "friday": shapes.UNSIGNED,
            "saturday": shapes.UNSIGNED,
            "sunday": shapes.UNSIGNED,
        }
    )
)
DAYS = ListOf(
    Struct(
        {
            "day_identifier": shapes.UNSIGNED,
            "day_schedule": ListOf(
                Struct(
                    {
                        "start_time": shapes.TIME,
                        "script_logical_name": shapes.LOGICAL_NAME,
                        "script_selector": shapes.LONG_UNSIGNED,
                    }
                )
            ),
        }
    )
)
THRESHOLDS = ListOf(shapes.DOUBLE_LONG_UNSIGNED)

USE_CASES = (
    UseCase(
        name="ECS24",
        code=0x003A,
        title="Read ESME Tariff Data",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("4.11.1",),
        payload=DlmsAccess(
            (
                get("active_tariff_price", 3, "0-0:94.44.1.7", 2, shapes.DOUBLE_LONG_UNSIGNED),
                get("active_tariff_price_scaler_unit", 3, "0-0:94.44.1.7", 3, SCALER_UNIT),
                get("tariff_switching_table_seasons", 20, "0-0:13.0.0.255", 3, SEASONS),
                get("tariff_switching_table_weeks", 20, "0-0:13.0.0.255", 4, WEEKS),
                get("tariff_switching_table_days", 20, "0-0:13.0.0.255", 5, DAYS),
                get("tariff_switching_table_special_days", 11, "0-0:11.0.0.255", 2, SPECIAL_DAYS),
                *(
                    get(f"tariff_threshold_matrix_tou_{tou}", 21, f"0-0:16.0.1{tou}.255", 2, THRESHOLDS)
                    for tou in range(1, 9)
                ),
                get("currency_unit", 9000, "0-0:94.44.2.0", 2, Bool(("EUR", "GBP"))),
                get("standing_charge", 113, "0-0:19.20.4.255", 5, UNIT_CHARGE),
                get("tariff_block_price_matrix_tou", 113, "0-0:19.20.0.255", 5, UNIT_CHARGE),
            )
        ),
    ),
)
