"""Variants about tariffs and prices. Spec: DUIS service references 1.1, 1.2, 1.7."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from smetslab.duis.codes import FutureDating
from smetslab.duis.srv.common import (
    EXECUTION,
    IMPORT_SUPPLIER,
    SUPPLIERS,
    week_days,
)
from smetslab.duis.srv.components import ACTIVATION_TIME, ISSUED
from smetslab.duis.srv.forms import (
    CHARACTERS,
    DATE,
    GAS_DATE,
    MIDNIGHT,
    NUMBERED,
    OCTET,
    offset,
    ranged,
    words,
)
from smetslab.duis.srv.holes import At, Choose, Count, Fact, ForEach, Indexed, Position, Unsaid, items_of
from smetslab.duis.srv.model import ServiceRequest, body, mapping
from smetslab.duis.srv.shapes import EMPTY, Child, OneOf
from smetslab.duis.srv.simple import Number
from smetslab.duis.srv.tariff_bodies import (
    ELECTRICITY_TARIFF,
    GAS_TARIFF,
    PRICE_ELEMENTS,
    SECONDARY_PRICES,
    SPECIAL_DAYS,
    switching_table,
)
from smetslab.duis.srv.template import ABSENT, Built, Hole, NoMatch, Path, Scope, Stand, Template, shown
from smetslab.gbcs.values import Value

CURRENCIES: Final = words({"GBP": "GBP", "ECB": "EUR"})
"""ECB is how DUIS calls the euro."""
TARIFF_SCRIPTS: Final = "00000A0064FF"
"""Logical name of the tariff script table. Spec: GBCS 7.3.7."""
_BLOCK_SCRIPTS, _SECONDARY_SCRIPTS = 100, 200
"""Where the scripts of blocks and those of the secondary element begin."""

# Electricity, to commands.

_BLOCK_LETTERS: Final = "ABCD"
_TOU_COLUMNS, _BLOCK_COLUMNS, _BLOCKS = 48, 8, 4


@dataclass(frozen=True, slots=True)
class _PriceTable(Hole):
    """The whole price matrix: TOU prices 01 to 30, then the prices of each block in each of its columns,
    A1 to D8. What the request has no price for costs nothing. Spec: GBCS 7.3.7 (unit_charge_passive).
    """

    path: str

    def build(self, scope: Scope) -> Built:
        prices = dict.fromkeys(_PRICE_INDICES, 0)
        for tariff in ("BlockTariff", "TOUTariff", "HybridTariff"):
            found, path = scope.find(f"{self.path}.{tariff}")
            inner = scope.item(None if found is ABSENT else found, path, 0, scope.place)
            for price, where in items_of(inner, "TOUPrice", "@index"):
                self._note(inner, where, price, f"{_member(price, '@index'):02X}", prices)
            for column, above in items_of(inner, "BlockPrices", "@index"):
                blocks = scope.item(column, above, 0, scope.place)
                for price, where in items_of(blocks, "BlockPrice", "@index"):
                    letter = _BLOCK_LETTERS[_member(price, "@index") - 1]
                    self._note(inner, where, price, f"{letter}{_member(column, '@index')}", prices)
        return [{"index": index, "charge_per_unit": price} for index, price in prices.items()]

    def _note(self, scope: Scope, where: Path, price: Value, index: str, prices: dict[str, int]) -> None:
        scope.consume(price, where)
        prices[index] = _member(price, "value")
        place = f"{scope.place}[{_PRICE_INDICES.index(index)}].charge_per_unit"
        scope.reading.origins[place] = shown(where)

    def match(self, value: Value, stand: Stand) -> None:
        given: dict[Value, Value] = {}
        for item in value if isinstance(value, list) else []:
            if isinstance(item, dict):
                given[item.get("index")] = item.get("charge_per_unit")
        if tuple(given) != _PRICE_INDICES:
            raise NoMatch("the whole price matrix")
        priced = [index for index in _PRICE_INDICES if given[index]]
        tou = [index for index in priced if index[0] not in _BLOCK_LETTERS]
        blocks = [index for index in priced if index[0] in _BLOCK_LETTERS]
        if tou and blocks:
            tariff = f"{self.path}.HybridTariff"
        else:
            tariff = f"{self.path}.{'BlockTariff' if blocks else 'TOUTariff'}"
            tou = tou if blocks else tou or ["01"]
        for place, index in enumerate(tou):
            self._put(stand, f"{tariff}.TOUPrice", place, int(index, 16), given[index])
        columns = sorted({index[1] for index in blocks})
        for column_place, column in enumerate(columns):
            above = (*stand.resolve(f"{tariff}.BlockPrices"), column_place)
            stand.found.put((*above, "@index"), int(column))
            inner = Stand(above, stand.found)
            for place, index in enumerate(one for one in blocks if one[1] == column):
                self._put(inner, "BlockPrice", place, _BLOCK_LETTERS.index(index[0]) + 1, given[index])

    @staticmethod
    def _put(stand: Stand, path: str, place: int, index: int, price: Value) -> None:
        where = (*stand.resolve(path), place)
        stand.found.put((*where, "@index"), index)
        stand.found.put((*where, "value"), price)

    def missing(self, stand: Stand) -> None:
        raise NoMatch(self.path)

    def uses(self) -> Iterator[str]:
        for tariff in ("BlockTariff", "TOUTariff", "HybridTariff"):
            yield f"{self.path}.{tariff}"


def _member(value: Value, name: str) -> int:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, int) else 0


_PRICE_INDICES: Final = (
    *(f"{number:02X}" for number in range(1, 49)),
    *(f"{letter}{column}" for letter in _BLOCK_LETTERS for column in range(1, 9)),
)
_PRICES: Final = "PriceElements.ElectricityPriceElements"
_TARIFF: Final = "ElecTariffElements"


def _charge(scale: str, commodity_scale: int, commodity: tuple[int, str, int], table: Template) -> Template:
    class_id, logical_name, attribute = commodity
    return {
        "charge_per_unit_scaling": {"commodity_scale": commodity_scale, "price_scale": At(scale)},
        "commodity": {"class_id": class_id, "logical_name": logical_name, "attribute_index": attribute},
        "charge_table": table,
    }


def single_charge(scale: str, amount: str) -> Template:
    """A charge that depends on nothing: one element of an empty index. Spec: GBCS 7.3.7."""
    return _charge(scale, 0, (0, "000000000000", 0), [{"index": "", "charge_per_unit": At(amount)}])


_ELECTRICITY_PRICE_TEMPLATE: Final[dict[str, Template]] = {
    "standing_charge": single_charge(f"{_PRICES}.StandingChargeScale", f"{_PRICES}.StandingCharge"),
    "tariff_block_price_matrix_tou": _charge(
        f"{_PRICES}.PriceScale", 3, (3, "0100010800FF", 2), _PriceTable(_PRICES)
    ),
}
_SECONDARY_PRICE_TEMPLATE: Final[dict[str, Template]] = {
    "secondary_tariff_tou_price_matrix": _charge(
        "PriceElements.PriceScale",
        3,
        (3, "0114010800FF", 2),
        [
            # As in the table of the primary element, what has no price costs nothing.
            {
                "index": f"{tou:02X}",
                "charge_per_unit": Indexed("PriceElements.ElectricityPriceElement", tou, absent=0),
            }
            for tou in range(1, 5)
        ],
    )
}


def _calendar(parameter: str, table: str, special_days: str, script: Template) -> dict[str, Template]:
    """The four attributes of an activity calendar and its special days. Spec: GBCS 7.3.7."""
    return {
        f"{parameter}_seasons": [
            ForEach(
                f"{table}.Seasons.Season",
                {
                    "season_profile_name": At("SeasonName", CHARACTERS),
                    "season_start": At("SeasonStartDate", MIDNIGHT),
                    "week_name": At("ReferencedWeekName", OCTET),
                },
            )
        ],
        f"{parameter}_weeks": [
            ForEach(
                f"{table}.WeekProfiles.WeekProfile",
                {"week_profile_name": At("WeekName", OCTET), **week_days()},
            )
        ],
        f"{parameter}_days": [
            ForEach(
                f"{table}.DayProfiles.DayProfile",
                {
                    "day_identifier": At("DayName"),
                    "day_schedule": [
                        ForEach(
                            "ProfileSchedule",
                            {
                                "start_time": At("StartTime"),
                                "script_logical_name": TARIFF_SCRIPTS,
                                "script_selector": script,
                            },
                        )
                    ],
                },
            )
        ],
        f"{parameter}_special_days": [
            ForEach(
                f"{special_days}.SpecialDay",
                {
                    "index": Position(1),
                    "date": At("Date", DATE),
                    "day_identifier": At("ReferencedDayName"),
                },
            )
        ],
    }


_ELECTRICITY_TEMPLATE: Final[dict[str, Template]] = {
    **_calendar(
        "tariff_switching_table",
        f"{_TARIFF}.SwitchingTable",
        f"{_TARIFF}.SpecialDays",
        Choose(
            {
                "TOUTariffAction": At("TOUTariffAction", ranged(1, 48)),
                "BlockTariffAction": At("BlockTariffAction", offset(_BLOCK_SCRIPTS)),
            }
        ),
    ),
    **{
        f"tariff_threshold_matrix_tou_{tou}": Indexed(
            f"{_TARIFF}.ThresholdMatrix.Thresholds", tou, At("BlockThreshold", NUMBERED)
        )
        for tou in range(1, 9)
    },
    "currency_unit": At(f"{_TARIFF}.CurrencyUnits", CURRENCIES),
    **_ELECTRICITY_PRICE_TEMPLATE,
}

# Gas, to commands.

_GAS: Final = "GasTariffElements"
_GAS_PRICE: Final = "PriceElements.GasPriceElements"
_TARIFF_ID: Final = 1
CALENDAR_HEAD: Final[dict[str, Template]] = {**ISSUED, "issuer_calendar_id": Fact("now_seconds")}
"""A calendar is known by the time of its issue, as its event is."""
ONLY_COMMAND: Final[dict[str, Template]] = {"command_index": 0, "number_of_commands": 1}


def gas_calendar(
    kind: str, *, days: str, weeks: str, seasons: str, special_days: str, day_profile: dict[str, Template]
) -> dict[str, Template]:
    """The components of a calendar. Spec: ZSE 1.4 (Calendar cluster)."""
    return {
        "publish_calendar": {
            **CALENDAR_HEAD,
            "start_time": ACTIVATION_TIME,
            "calendar_type": kind,
            "calendar_time_reference": "utc",
            "calendar_name": "",
            "number_of_seasons": Count(seasons),
            "number_of_week_profiles": Count(weeks),
            "number_of_day_profiles": Count(days),
        },
        "publish_day_profile": ForEach(
            days, {**CALENDAR_HEAD, **ONLY_COMMAND, "calendar_type": kind, **day_profile}
        ),
        "publish_week_profile": ForEach(
            weeks, {**CALENDAR_HEAD, "week_id": At("WeekName"), **week_days("day_id_ref_")}
        ),
        "publish_seasons": {
            **CALENDAR_HEAD,
            **ONLY_COMMAND,
            "season_entries": [
                ForEach(
                    seasons,
                    {
                        "season_start_date": At("SeasonStartDate", GAS_DATE),
                        "season_week_id_ref": At("ReferencedWeekName"),
                    },
                )
            ],
        },
        "publish_special_days": {
            **CALENDAR_HEAD,
            **ONLY_COMMAND,
            "start_time": ACTIVATION_TIME,
            "calendar_type": kind,
            "number_of_special_days": Count(special_days),
            "special_day_entries": [
                ForEach(
                    special_days,
                    {
                        "special_day_date": At("Date", GAS_DATE),
                        "special_day_day_id_ref": At("ReferencedDayName"),
                    },
                )
            ],
        },
    }


def _tariff_information(thresholds: Template) -> Template:
    """Publish Tariff Information; `thresholds` is how many block thresholds are in use."""
    common: dict[str, Template] = {
        **ISSUED,
        "issuer_tariff_id": _TARIFF_ID,
        "start_time": ACTIVATION_TIME,
        "tariff_label": "",
        "unit_of_measure": "kWh",
        "currency": At(f"{_GAS_PRICE}.CurrencyUnits", CURRENCIES),
        "price_trailing_digit": {"trailing_digit": 5},
        "standing_charge": At(f"{_GAS_PRICE}.StandingCharge"),
        "tier_block_mode": "not_used",
        "block_threshold_multiplier": 1,
        "block_threshold_divisor": 1000,
    }
    return Choose(
        {
            f"{_GAS_PRICE}.BlockTariff": {
                **common,
                "tariff_type_charging_scheme": {"tariff_type": "delivered", "charging_scheme": "block"},
                "number_of_price_tiers_in_use": 0,
                "number_of_block_thresholds_in_use": thresholds,
                "the number is counted": Unsaid(f"{_GAS_PRICE}.BlockTariff.NumberOfThresholds", 1),
            },
            f"{_GAS_PRICE}.TOUTariff": {
                **common,
                "tariff_type_charging_scheme": {"tariff_type": "delivered", "charging_scheme": "tou"},
                "number_of_price_tiers_in_use": Count(f"{_GAS_PRICE}.TOUTariff.TOUPrice"),
                "number_of_block_thresholds_in_use": 0,
            },
        }
    )


_PRICE_MATRIX_HEAD: Final[dict[str, Template]] = {
    **ISSUED,
    **ONLY_COMMAND,
    "issuer_tariff_id": _TARIFF_ID,
    "start_time": ACTIVATION_TIME,
}


def _price_entries(prices: str, first: int) -> Template:
    """A price for each block or tier; `first` is the number of the first one."""
    return [
        ForEach(prices, {"tier_block_id": At("@index", offset(first - 1)), "price": At("value")}, by="@index")
    ]


_GAS_PRICE_MATRIX: Final[Template] = Choose(
    {
        f"{_GAS_PRICE}.BlockTariff": {
            **_PRICE_MATRIX_HEAD,
            "sub_payload_control": "block",
            "price_entries": _price_entries(f"{_GAS_PRICE}.BlockTariff.BlockPrice", 0),
        },
        f"{_GAS_PRICE}.TOUTariff": {
            **_PRICE_MATRIX_HEAD,
            "sub_payload_control": "tou",
            "price_entries": _price_entries(f"{_GAS_PRICE}.TOUTariff.TOUPrice", 1),
        },
    }
)
_MATRIX: Final = f"{_GAS}.ThresholdMatrix"
_GAS_THRESHOLDS: Final[Template] = Choose(
    {
        f"{_GAS_PRICE}.BlockTariff": {
            **_PRICE_MATRIX_HEAD,
            "sub_payload_control": "all_tiers",
            "threshold_entries": [
                {
                    "tier_number_of_block_thresholds": {
                        "number_of_block_thresholds": Count(f"{_MATRIX}.BlockThreshold"),
                        "tier": 0,
                    },
                    "block_thresholds": At(f"{_MATRIX}.BlockThreshold", NUMBERED),
                }
            ],
        }
    },
    otherwise=Unsaid(_MATRIX, {"BlockThreshold": [{"@index": 1, "value": 1}]}),
)
"""Without blocks there are no thresholds, though every request has some."""

_PRICE_TIER: Final = Choose({"BlockTariff": 0, "TOUTariffAction": At("TOUTariffAction", ranged(1, 4))})

SERVICE_REQUESTS = (
    ServiceRequest(
        variant="1.1.1",
        reference="1.1",
        name="Update Import Tariff (Primary Element)",
        element="UpdateImportTariffPrimaryElement",
        body=body(
            EXECUTION,
            OneOf((Child("ElecTariffElements", ELECTRICITY_TARIFF), Child("GasTariffElements", GAS_TARIFF))),
            PRICE_ELEMENTS,
        ),
        critical=True,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping("ECS01a", _ELECTRICITY_TEMPLATE),
            mapping(
                "GCS01a",
                components_of={
                    **gas_calendar(
                        "delivered",
                        days=f"{_GAS}.SwitchingTable.DayProfiles.DayProfile",
                        weeks=f"{_GAS}.SwitchingTable.WeekProfiles.WeekProfile",
                        seasons=f"{_GAS}.SwitchingTable.Seasons.Season",
                        special_days=f"{_GAS}.SpecialDays.SpecialDay",
                        day_profile={
                            "day_id": At("DayName"),
                            "number_of_schedule_entries": 1,
                            "schedule_entries": [
                                {
                                    "start_time": 0,
                                    "price_tier": Choose(
                                        {
                                            "BlockTariff": 0,
                                            "TOUTariffAction": At("TOUTariffAction", ranged(1, 4)),
                                        }
                                    ),
                                }
                            ],
                        },
                    ),
                    "publish_tariff_information": _tariff_information(
                        Count(f"{_GAS}.ThresholdMatrix.BlockThreshold")
                    ),
                    "publish_block_thresholds": _GAS_THRESHOLDS,
                    "publish_price_matrix": _GAS_PRICE_MATRIX,
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="1.1.2",
        reference="1.1",
        name="Update Import Tariff (Secondary Element)",
        element="UpdateImportTariffSecondaryElement",
        body=body(
            EXECUTION,
            Child("SwitchingTable", switching_table(Child("TOUTariffAction", Number(1, 4)))),
            Child("SpecialDays", SPECIAL_DAYS),
            Child("PriceElements", SECONDARY_PRICES),
        ),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping(
                "ECS01c",
                {
                    **_SECONDARY_PRICE_TEMPLATE,
                    **_calendar(
                        "secondary_tariff_switching_table",
                        "SwitchingTable",
                        "SpecialDays",
                        At("TOUTariffAction", offset(_SECONDARY_SCRIPTS)),
                    ),
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="1.2.1",
        reference="1.2",
        name="Update Price (Primary Element)",
        element="UpdatePricePrimaryElement",
        body=body(EXECUTION, PRICE_ELEMENTS),
        critical=True,
        eligible_roles=SUPPLIERS,
        future_dating=FutureDating.DEVICE,
        mappings=(
            mapping("ECS01b", _ELECTRICITY_PRICE_TEMPLATE),
            mapping(
                "GCS01b",
                components_of={
                    "publish_tariff_information": _tariff_information(
                        Count(f"{_GAS_PRICE}.BlockTariff.BlockPrice", less=1)
                    ),
                    "publish_price_matrix": _GAS_PRICE_MATRIX,
                },
            ),
        ),
    ),
    ServiceRequest(
        variant="1.2.2",
        reference="1.2",
        name="Update Price (Secondary Element)",
        element="UpdatePriceSecondaryElement",
        body=body(EXECUTION, Child("PriceElements", SECONDARY_PRICES)),
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        future_dating=FutureDating.DEVICE,
        mappings=(mapping("ECS01d", _SECONDARY_PRICE_TEMPLATE),),
    ),
    ServiceRequest(
        variant="1.7",
        reference="1.7",
        name="Reset Tariff Block Counter Matrix",
        element="ResetTariffBlockCounterMatrix",
        body=EMPTY,
        critical=True,
        eligible_roles=(IMPORT_SUPPLIER,),
        mappings=(mapping("ECS05"),),
    ),
)
