"""Use cases about tariffs of an ESME. Spec: GBCS use cases ECS01a to ECS01d, ECS05, ECS24, ECS48, 7.3.7."""

from __future__ import annotations

from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.shapes import Bool, Const, ListOf, Num, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ESME,
    FUTURE_DATED_ALERT,
    SCALER_UNIT,
    SUPPLIER,
    SUPPLIER_OR_BROKER,
    execution_times,
    special_days,
    unit_charge,
)
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, action, activate, get, set_
from smetslab.gbcs.usecases.model import UseCase

SCRIPT_RESET_BLOCK_COUNTERS = 99
"""Script of 0-0:10.0.100.255 (tariff script table)."""

SEASONS = ListOf(
    Struct(
        {
            known("season_profile_name", "SeasonName"): shapes.Text(),
            known("season_start", "SeasonStartDate"): shapes.DATE_TIME,
            known("week_name", "ReferencedWeekName"): shapes.OCTETS,
        }
    )
)
WEEKS = ListOf(
    Struct(
        {
            known("week_profile_name", "WeekName"): shapes.OCTETS,
            known("monday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
            known("tuesday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
            known("wednesday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
            known("thursday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
            known("friday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
            known("saturday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
            known("sunday", "ReferencedDayName", "ReferencedElecDay"): shapes.UNSIGNED,
        }
    )
)
DAYS = ListOf(
    Struct(
        {
            known("day_identifier", "DayName", "Day"): shapes.UNSIGNED,
            known("day_schedule", "ProfileSchedule"): ListOf(
                Struct(
                    {
                        known("start_time", "StartTime"): shapes.TIME,
                        "script_logical_name": shapes.LOGICAL_NAME,
                        known(
                            "script_selector", "TOUTariffAction", "BlockTariffAction"
                        ): shapes.LONG_UNSIGNED,
                    }
                )
            ),
        }
    )
)
SPECIAL_DAYS = special_days(date=("Date",), day=("ReferencedDayName", "ReferencedDay"))
STANDING_CHARGE = unit_charge(scale="StandingChargeScale", charge=("StandingCharge",))
PRICES = unit_charge(scale="PriceScale", charge=("BlockPrice", "TOUPrice", "TariffTOUPrice"))
SECONDARY_PRICES = unit_charge(scale="PriceScale", charge=("ElectricityPriceElement", "TariffTOUPrice"))
THRESHOLDS = ListOf(shapes.DOUBLE_LONG_UNSIGNED)
CURRENCY_UNIT = Bool(("EUR", "GBP"))
ACTIVE_PRICE = Num(axdr.Tag.DOUBLE_LONG_UNSIGNED, unit="currency units at the scaler of the same object")

TOU_COLUMNS = range(1, 9)


def _passive_calendar(prefix: str, calendar: str, special_days: str) -> tuple[AccessItem, ...]:
    """Writes of an activity calendar and its special days that wait for their activation."""
    return (
        set_(known(f"{prefix}_seasons", "Seasons"), 20, calendar, 7, SEASONS),
        set_(known(f"{prefix}_weeks", "WeekProfiles"), 20, calendar, 8, WEEKS),
        set_(known(f"{prefix}_days", "DayProfiles"), 20, calendar, 9, DAYS),
        set_(known(f"{prefix}_special_days", "SpecialDays"), 11, special_days, 2, SPECIAL_DAYS),
    )


_PRIMARY_PRICES = (
    set_(known("standing_charge", "StandingCharge"), 113, "0-0:19.20.4.255", 6, STANDING_CHARGE),
    set_(
        known(
            "tariff_block_price_matrix_tou",
            "BlockPrices",
            "TOUTariff",
            "TariffBlockPriceMatrix",
            "TariffTOUPriceMatrix",
        ),
        113,
        "0-0:19.20.0.255",
        6,
        PRICES,
    ),
)
_PRIMARY_PRICE_ACTIVATIONS = (
    activate("standing_charge_activation_time", 113, "0-0:19.20.4.255", 7),
    activate("tariff_block_price_matrix_tou_activation_time", 113, "0-0:19.20.0.255", 7),
)
_SECONDARY_PRICES = set_(
    known("secondary_tariff_tou_price_matrix", "PriceElements", "TariffTOUPriceMatrix"),
    113,
    "0-0:19.20.5.255",
    6,
    SECONDARY_PRICES,
)
_SECONDARY_PRICE_ACTIVATION = activate(
    "secondary_tariff_tou_price_matrix_activation_time", 113, "0-0:19.20.5.255", 7
)

_SET_TARIFF = (
    *_passive_calendar("tariff_switching_table", "0-0:13.0.0.255", "0-1:11.0.0.255"),
    *(
        set_(
            known(f"tariff_threshold_matrix_tou_{tou}", "Thresholds"),
            21,
            f"0-0:16.1.1{tou}.255",
            2,
            THRESHOLDS,
        )
        for tou in TOU_COLUMNS
    ),
    set_(
        known("currency_unit", "CurrencyUnits", "CurrencyUnitsName"), 9000, "0-0:94.44.2.0", 4, CURRENCY_UNIT
    ),
    *_PRIMARY_PRICES,
    activate("tariff_switching_table_activation_time", 20, "0-0:13.0.0.255", 10),
    activate("tariff_switching_table_special_days_activation_time", 9000, "0-0:94.44.128.29", 6),
    activate("currency_unit_activation_time", 9000, "0-0:94.44.2.0", 6),
    *_PRIMARY_PRICE_ACTIVATIONS,
    activate("tariff_threshold_matrix_activation_time", 9000, "0-0:63.1.1.255", 6),
)

_SET_SECONDARY_TARIFF = (
    _SECONDARY_PRICES,
    *_passive_calendar("secondary_tariff_switching_table", "0-0:13.0.1.255", "0-1:11.0.1.255"),
    activate("secondary_tariff_switching_table_activation_time", 20, "0-0:13.0.1.255", 10),
    _SECONDARY_PRICE_ACTIVATION,
    activate("secondary_tariff_switching_table_special_days_activation_time", 9000, "0-0:94.44.128.30", 6),
)


def _set_tariff(name: str, code: int, title: str, srv: str, items: tuple[AccessItem, ...]) -> UseCase:
    """A row that writes a tariff or its prices; the four differ in nothing else."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=(srv,),
        replay_protected=True,
        future_dateable=True,
        date_time_in_response=True,
        alerts=FUTURE_DATED_ALERT,
        payload=DlmsAccess(items),
    )


USE_CASES = (
    _set_tariff("ECS01a", 0x0019, "Set Tariff and Price on ESME", "1.1.1", _SET_TARIFF),
    _set_tariff(
        "ECS01b", 0x00A2, "Set Price on ESME", "1.2.1", (*_PRIMARY_PRICES, *_PRIMARY_PRICE_ACTIVATIONS)
    ),
    _set_tariff("ECS01c", 0x00B7, "Set Tariff and Price on ESME secondary", "1.1.2", _SET_SECONDARY_TARIFF),
    _set_tariff(
        "ECS01d",
        0x00C7,
        "Set Price on ESME secondary",
        "1.2.2",
        (_SECONDARY_PRICES, _SECONDARY_PRICE_ACTIVATION),
    ),
    UseCase(
        name="ECS05",
        code=0x001D,
        title="Reset Tariff Block Counter Matrix",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("1.7",),
        replay_protected=True,
        payload=DlmsAccess(
            (
                action(
                    "tariff_block_counter_matrix_reset",
                    9,
                    "0-0:10.0.100.255",
                    1,
                    Const(axdr.long_unsigned(SCRIPT_RESET_BLOCK_COUNTERS)),
                ),
            )
        ),
    ),
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
                get(
                    known("active_tariff_price", "PrimaryActiveTariffPrice"),
                    3,
                    "0-0:94.44.1.7",
                    2,
                    ACTIVE_PRICE,
                ),
                get("active_tariff_price_scaler_unit", 3, "0-0:94.44.1.7", 3, SCALER_UNIT),
                get(known("tariff_switching_table_seasons", "Seasons"), 20, "0-0:13.0.0.255", 3, SEASONS),
                get(known("tariff_switching_table_weeks", "WeekProfiles"), 20, "0-0:13.0.0.255", 4, WEEKS),
                get(known("tariff_switching_table_days", "DayProfiles"), 20, "0-0:13.0.0.255", 5, DAYS),
                get(
                    known("tariff_switching_table_special_days", "TariffSwitchingTableSpecialDays"),
                    11,
                    "0-0:11.0.0.255",
                    2,
                    SPECIAL_DAYS,
                ),
                *(
                    get(
                        known(f"tariff_threshold_matrix_tou_{tou}", "ElecTariffThresholds"),
                        21,
                        f"0-0:16.0.1{tou}.255",
                        2,
                        THRESHOLDS,
                    )
                    for tou in TOU_COLUMNS
                ),
                get(
                    known("currency_unit", "CurrencyUnits", "CurrencyUnitsName"),
                    9000,
                    "0-0:94.44.2.0",
                    2,
                    CURRENCY_UNIT,
                ),
                get(known("standing_charge", "StandingCharge"), 113, "0-0:19.20.4.255", 5, STANDING_CHARGE),
                get(
                    known(
                        "tariff_block_price_matrix_tou",
                        "BlockPrices",
                        "TOUTariff",
                        "TariffBlockPriceMatrix",
                        "TariffTOUPriceMatrix",
                    ),
                    113,
                    "0-0:19.20.0.255",
                    5,
                    PRICES,
                ),
            )
        ),
    ),
    UseCase(
        name="ECS24b",
        code=0x00BD,
        title="Read ESME Tariff Data - second element",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER_OR_BROKER,
        service_requests=("4.11.2",),
        payload=DlmsAccess(
            (
                get(
                    known("secondary_tariff_tou_price_matrix", "PriceElements", "TariffTOUPriceMatrix"),
                    113,
                    "0-0:19.20.5.255",
                    5,
                    SECONDARY_PRICES,
                ),
                get(
                    known("secondary_active_tariff_price", "SecondaryActiveTariffPrice"),
                    3,
                    "0-0:94.44.1.8",
                    2,
                    ACTIVE_PRICE,
                ),
                get("secondary_active_tariff_price_scaler_unit", 3, "0-0:94.44.1.8", 3, SCALER_UNIT),
                get(
                    known("secondary_tariff_switching_table_special_days", "TariffSwitchingTableSpecialDays"),
                    11,
                    "0-0:11.0.1.255",
                    2,
                    SPECIAL_DAYS,
                ),
                get(
                    known("secondary_tariff_switching_table_seasons", "Seasons"),
                    20,
                    "0-0:13.0.1.255",
                    3,
                    SEASONS,
                ),
                get(
                    known("secondary_tariff_switching_table_weeks", "WeekProfiles"),
                    20,
                    "0-0:13.0.1.255",
                    4,
                    WEEKS,
                ),
                get(
                    known("secondary_tariff_switching_table_days", "DayProfiles"),
                    20,
                    "0-0:13.0.1.255",
                    5,
                    DAYS,
                ),
            )
        ),
    ),
    UseCase(
        name="ECS48",
        code=0x00DB,
        title="Configure daily resetting of Tariff Block Counter Matrix",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("6.26",),
        replay_protected=True,
        payload=DlmsAccess(
            (
                set_(
                    known("tariff_block_counter_matrix_reset_times", "DailyTariffBlockCounterMatrixReset"),
                    22,
                    "0-0:15.1.0.255",
                    4,
                    execution_times(),
                ),
            )
        ),
    ),
)
