"""The bodies of requests about tariffs and prices. Spec: DUIS schema 5.4, service references 1.1, 1.2."""

from __future__ import annotations

from smetslab.duis.srv import simple
from smetslab.duis.srv.common import DATE_SHAPE, GAS_DATE_SHAPE, indexed, week_profiles
from smetslab.duis.srv.shapes import PRESENT, Child, OneOf, Sequence, many
from smetslab.duis.srv.simple import SHORT, UNSIGNED_INT, Number, Text, Word

CURRENCY = Word(("GBP", "ECB"))
_DAY_NAME = Number(1, 16)
_WEEK_NAME = Number(1, 4)
_SCALE = Number(-128, 127)
_SEASON_NAME = Text(0, 8)

# Bodies of electricity. Spec: DUIS schema 5.4, types ElecTariffElements, PricePrimary, PriceSecondary.


def _day_profiles(action: OneOf | Child) -> Sequence:
    schedule = many("ProfileSchedule", Sequence(Child("StartTime", simple.TIME), action), 1, 48)
    return Sequence(many("DayProfile", Sequence(Child("DayName", _DAY_NAME), schedule), 1, 16))


def switching_table(action: OneOf | Child) -> Sequence:
    season = Sequence(
        Child("SeasonName", _SEASON_NAME),
        Child("SeasonStartDate", DATE_SHAPE),
        Child("ReferencedWeekName", _WEEK_NAME),
    )
    return Sequence(
        Child("DayProfiles", _day_profiles(action)),
        Child("WeekProfiles", week_profiles(4, 16)),
        Child("Seasons", Sequence(many("Season", season, 1, 4))),
    )


SPECIAL_DAYS = Sequence(
    many("SpecialDay", Sequence(Child("Date", DATE_SHAPE), Child("ReferencedDayName", _DAY_NAME)), 0, 50)
)
_THRESHOLD_MATRIX = Sequence(
    many("Thresholds", indexed(Sequence(many("BlockThreshold", indexed(UNSIGNED_INT, 3), 1, 3)), 8), 8, 8)
)
_BLOCK_PRICES = many("BlockPrices", indexed(Sequence(many("BlockPrice", indexed(SHORT, 4), 1, 4)), 8), 1, 8)
_TOU_PRICES = many("TOUPrice", indexed(SHORT, 48), 1, 48)
_ELECTRICITY_PRICES = Sequence(
    Child("StandingCharge", SHORT),
    Child("StandingChargeScale", _SCALE),
    Child("PriceScale", _SCALE),
    OneOf(
        (
            Child("BlockTariff", Sequence(_BLOCK_PRICES)),
            Child("TOUTariff", Sequence(_TOU_PRICES)),
            Child("HybridTariff", Sequence(_BLOCK_PRICES, _TOU_PRICES)),
        )
    ),
)
SECONDARY_PRICES = Sequence(
    Child("PriceScale", _SCALE), many("ElectricityPriceElement", indexed(SHORT, 4), 1, 4)
)
ELECTRICITY_TARIFF = Sequence(
    Child("CurrencyUnits", CURRENCY),
    Child(
        "SwitchingTable",
        switching_table(
            OneOf((Child("TOUTariffAction", Number(1, 48)), Child("BlockTariffAction", Number(1, 8))))
        ),
    ),
    Child("SpecialDays", SPECIAL_DAYS),
    Child("ThresholdMatrix", _THRESHOLD_MATRIX),
)

# Bodies of gas. Spec: DUIS schema 5.4, types GasTariffElements, GasPriceElements.

_GAS_DAY_NAME = Number(1, 4)
GAS_TARIFF = Sequence(
    Child(
        "SwitchingTable",
        Sequence(
            Child(
                "DayProfiles",
                Sequence(
                    many(
                        "DayProfile",
                        Sequence(
                            Child("DayName", _GAS_DAY_NAME),
                            OneOf((Child("TOUTariffAction", Number(1, 4)), Child("BlockTariff", PRESENT))),
                        ),
                        1,
                        4,
                    )
                ),
            ),
            Child("WeekProfiles", week_profiles(2, 4)),
            Child(
                "Seasons",
                Sequence(
                    many(
                        "Season",
                        Sequence(
                            Child("SeasonStartDate", GAS_DATE_SHAPE),
                            Child("ReferencedWeekName", Number(1, 2)),
                        ),
                        1,
                        3,
                    )
                ),
            ),
        ),
    ),
    Child(
        "SpecialDays",
        Sequence(
            many(
                "SpecialDay",
                Sequence(Child("Date", GAS_DATE_SHAPE), Child("ReferencedDayName", _GAS_DAY_NAME)),
                0,
                20,
            )
        ),
    ),
    Child("ThresholdMatrix", Sequence(many("BlockThreshold", indexed(Number(0, 2**48 - 1), 3), 1, 3))),
)
_GAS_PRICES = Sequence(
    Child("CurrencyUnits", CURRENCY),
    Child("StandingCharge", UNSIGNED_INT),
    OneOf(
        (
            Child(
                "BlockTariff",
                Sequence(
                    many("BlockPrice", indexed(UNSIGNED_INT, 4), 1, 4),
                    Child("NumberOfThresholds", Number(1, 3)),
                ),
            ),
            Child("TOUTariff", Sequence(many("TOUPrice", indexed(UNSIGNED_INT, 4), 1, 4))),
        )
    ),
)

PRICE_ELEMENTS = Child(
    "PriceElements",
    Sequence(
        OneOf(
            (
                Child("ElectricityPriceElements", _ELECTRICITY_PRICES),
                Child("GasPriceElements", _GAS_PRICES),
            )
        )
    ),
)
