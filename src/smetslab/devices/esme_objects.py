"""The COSEM objects of an ESME, and what a new one holds.

Values are those of the meter that the Reference Test Data Set describes, where it describes one. Who may read
or write what follows from the use cases.

Spec: GBCS 20 (use cases), 9.2.2.6 (activation); RTDS 4.5.0.
"""

from __future__ import annotations

from smetslab.devices.cosem.model import (
    CosemObject,
    buffer,
    computed,
    copy,
    cosem_object,
    fixed,
    method,
    stored,
)
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Num
from smetslab.gbcs.usecases.prepayment import ACCOUNT_MODE_AND_STATUS
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import NEVER, Value

PRICE_SCALE = -5
WATT_HOUR, VAR_HOUR, OTHER, COUNT = 30, 32, 254, 255
"""Units of COSEM registers. Spec: IEC 62056-6-2, table of physical units."""
CREDIT, PREPAYMENT = 1, 2
"""Payment modes of account_mode_and_status. Spec: GBCS use cases ECS02, ECS03."""
MONEY = Num(Tag.DOUBLE_LONG, unit="1/1000 penny")
TARIFF_SCRIPTS = "00000A0064FF"
DISCONNECT_SCRIPTS = "00000A006AFF"
_NO_THRESHOLD = 0xFFFFFFFF


def account_mode(*, prepayment: bool) -> Value:
    """The value of an active account in one of the two payment modes."""
    return {"payment_mode": PREPAYMENT if prepayment else CREDIT, "account_status": 2}


def unit_charge(value: Value, *, consumption: bool = False) -> Value:
    """The value of a class 113 unit charge: a single amount, or prices by index for consumption."""
    table: list[Value] = []
    if isinstance(value, dict):
        table = [{"index": index, "charge_per_unit": price} for index, price in value.items()]
    else:
        table = [{"index": "", "charge_per_unit": value}]
    commodity: dict[str, Value] = {"class_id": 0, "logical_name": "000000000000", "attribute_index": 0}
    if consumption:
        commodity = {"class_id": 3, "logical_name": "0100010800FF", "attribute_index": 2}
    return {
        "charge_per_unit_scaling": {"commodity_scale": 3 if consumption else 0, "price_scale": PRICE_SCALE},
        "commodity": commodity,
        "charge_table": table,
    }


def _prices() -> dict[str, Value]:
    """48 time-of-use prices, then blocks A to D by column. Indices are hex octets."""
    indices = [f"{tou:02X}" for tou in range(1, 49)]
    indices += [f"{block}{column}" for block in "ABCD" for column in range(1, 9)]
    prices: dict[str, Value] = dict.fromkeys(indices, 0)
    prices.update({"01": 2121, "A1": 2289, "A2": 4002, "B1": 3546, "B2": 6969})
    return prices


def _scaler_unit(unit: int) -> Value:
    return {"scaler": 0, "unit": unit}


def _switch(time: str, script: int) -> Value:
    return {"start_time": time, "script_logical_name": TARIFF_SCRIPTS, "script_selector": script}


_WEEKDAYS, _WEEKEND = "1111100", "0000011"


_BEGIN, _END = 32, 33
"""Scripts that begin and end a non-disablement period."""

_WINTER, _SUMMER = ("2014-10-26", "2015-03-29"), ("2015-03-30", "2015-10-25")


def _entry(index: int, script: int, time: str, weekdays: str, period: tuple[str, str]) -> Value:
    """One entry of the non-disablement calendar; those of the weekend apply on special days too."""
    return {
        "index": index,
        "enable": True,
        "script_table": DISCONNECT_SCRIPTS,
        "script_selector": script,
        "switch_time": time,
        "validity_window": 0xFFFF,
        "exec_weekdays": weekdays,
        "exec_special_days": "1111" if weekdays == _WEEKEND else "0000",
        "begin_date": period[0],
        "end_date": period[1],
    }


_NON_DISABLEMENT: list[Value] = [
    _entry(1, _BEGIN, "00:00:00", _WEEKEND, _WINTER),
    _entry(2, _BEGIN, "18:00:00", _WEEKDAYS, _WINTER),
    _entry(3, _END, "08:00:00", _WEEKDAYS, _WINTER),
    _entry(4, _BEGIN, "00:00:00", _WEEKEND, _SUMMER),
    _entry(5, _BEGIN, "17:00:00", _WEEKDAYS, _SUMMER),
    _entry(6, _END, "07:00:00", _WEEKDAYS, _SUMMER),
]


def credit_charges(*, suspend_debt_disabled: bool) -> Value:
    """Which charge may be collected from which credit in Prepayment Mode, in the published order.

    Credits: 0 balance, 1 emergency credit, 2 accumulated debt. Charges: 0 consumption, 1 and 2 time debts, 3
    payment debt, 4 standing charge. Spec: GBCS use cases ECS02, ECS03.
    """
    orders: tuple[tuple[int, tuple[int, ...]], ...] = (
        (0, (0, 4, 1, 2, 3)),
        (1, (3, 0, 4, 1, 2)),
        (2, (4, 1, 2)),
    )
    rows: list[Value] = []
    for credit, charges in orders:
        for charge in charges:
            suspended = suspend_debt_disabled and charge in {1, 2} and credit in {0, 1}
            rows.append(
                {
                    "credit_reference": f"0000130A{credit:02X}FF",
                    "charge_reference": f"000013140{charge}FF",
                    "collection_configuration": "110" if suspended else "111",
                }
            )
    return rows


def _threshold_columns() -> list[CosemObject]:
    """The tariff threshold matrix: one object for each time-of-use column."""
    return [
        cosem_object(
            21,
            f"0-0:16.0.1{column}.255",
            stored(
                2,
                f"tariff_threshold_matrix_tou_{column}",
                [10_000 if column <= 2 else _NO_THRESHOLD, _NO_THRESHOLD, _NO_THRESHOLD],
            ),
        )
        for column in range(1, 9)
    ]


_LIMITER = "0-0:17.0.0.255"

OBJECTS: tuple[CosemObject, ...] = (
    # Identity and messages
    cosem_object(1, "0-0:0.2.1.255", fixed(2, "firmware_version", "0123ABCD")),
    cosem_object(1, "0-2:96.13.1.255", stored(2, "supplier_message", "")),
    # Clock
    cosem_object(
        8,
        "0-0:1.0.0.255",
        computed(2, "clock_time"),
        computed(4, "clock_status"),
        stored(9, "clock_base", None),
        method(4, "adjust_to_preset_time"),
        method(5, "preset_adjusting_time"),
    ),
    # Energy
    cosem_object(
        3,
        "1-0:2.8.0.255",
        computed(2, "active_export_register"),
        fixed(3, "active_export_register_scaler_unit", _scaler_unit(WATT_HOUR)),
    ),
    cosem_object(
        3,
        "1-0:4.8.0.255",
        computed(2, "reactive_export_register"),
        fixed(3, "reactive_export_register_scaler_unit", _scaler_unit(VAR_HOUR)),
    ),
    cosem_object(1, "0-0:94.44.34.10", computed(2, "import_register_collection")),
    cosem_object(7, "0-0:99.1.0.255", buffer(2, "active_energy_imported_log")),
    cosem_object(7, "0-0:98.1.9.255", buffer(2, "daily_read_log")),
    # Protected reads
    cosem_object(30, "0-0:43.2.1.255", method(1, "get_protected_prepayment_registers")),
    cosem_object(30, "0-0:43.2.5.255", method(1, "get_protected_daily_read_log")),
    cosem_object(30, "0-0:43.2.7.255", method(1, "get_protected_active_energy_imported_log")),
    cosem_object(30, "0-0:43.2.8.255", method(1, "get_protected_import_registers")),
    # Tariff
    cosem_object(
        3,
        "0-0:94.44.1.7",
        computed(2, "active_tariff_price"),
        fixed(3, "active_tariff_price_scaler_unit", {"scaler": PRICE_SCALE, "unit": OTHER}),
    ),
    cosem_object(
        20,
        "0-0:13.0.0.255",
        stored(
            3,
            "tariff_seasons",
            [{"season_profile_name": "all", "season_start": "2015-01-01T00:00:00Z", "week_name": "01"}],
        ),
        stored(
            4,
            "tariff_weeks",
            [
                {
                    "week_profile_name": "01",
                    "monday": 1,
                    "tuesday": 1,
                    "wednesday": 1,
                    "thursday": 1,
                    "friday": 1,
                    "saturday": 2,
                    "sunday": 2,
                }
            ],
        ),
        stored(
            5,
            "tariff_days",
            [
                {"day_identifier": 1, "day_schedule": [_switch("07:00:00", 101), _switch("23:00:00", 102)]},
                {"day_identifier": 2, "day_schedule": [_switch("00:00:00", 1)]},
            ],
        ),
    ),
    cosem_object(
        11,
        "0-0:11.0.0.255",
        stored(
            2,
            "tariff_special_days",
            [
                {"index": 1, "date": "2015-05-01", "day_identifier": 2},
                {"index": 2, "date": "2015-12-25", "day_identifier": 2},
            ],
        ),
    ),
    *_threshold_columns(),
    cosem_object(9000, "0-0:94.44.2.0", stored(2, "currency", True)),
    cosem_object(113, "0-0:19.20.4.255", stored(5, "standing_charge", unit_charge(20_000))),
    cosem_object(
        113, "0-0:19.20.0.255", stored(5, "tariff_prices", unit_charge(_prices(), consumption=True))
    ),
    # Prepayment
    cosem_object(
        111,
        "0-0:19.0.0.255",
        stored(
            2,
            "account_mode",
            account_mode(prepayment=True),
            ACCOUNT_MODE_AND_STATUS,
        ),
        stored(11, "credit_charge_configuration", credit_charges(suspend_debt_disabled=True)),
        stored(16, "low_credit_threshold", 500_000),
        stored(18, "debt_recovery_rate_cap", 10_000),
        stored(19, "debt_recovery_rate_cap_period", 604_800),
    ),
    cosem_object(112, "0-0:19.10.0.255", stored(2, "meter_balance", 250_000)),
    cosem_object(1, "0-0:94.44.34.30", computed(2, "prepayment_balance_collection")),
    cosem_object(
        112,
        "0-0:19.10.1.255",
        stored(2, "emergency_credit_balance", 95_000, MONEY),
        stored(9, "emergency_credit_limit", 2_500_000),
        stored(10, "emergency_credit_threshold", 100_000),
    ),
    cosem_object(112, "0-0:19.10.2.255", stored(2, "accumulated_debt", 187_000, MONEY)),
    cosem_object(
        113,
        "0-0:19.20.1.255",
        stored(5, "debt_recovery_rate_1", unit_charge(5_000)),
        stored(8, "debt_recovery_rate_1_period", 86_400),
        stored(12, "time_debt_1", 203_000, MONEY),
    ),
    cosem_object(
        113,
        "0-0:19.20.2.255",
        stored(5, "debt_recovery_rate_2", unit_charge(6_000)),
        stored(8, "debt_recovery_rate_2_period", 86_400),
        stored(12, "time_debt_2", 243_000, MONEY),
    ),
    cosem_object(
        113,
        "0-0:19.20.3.255",
        stored(12, "payment_debt", 46_000, MONEY),
        stored(13, "debt_recovery_per_payment", 5_000),
    ),
    cosem_object(9000, "0-0:94.44.2.10", stored(2, "maximum_credit", 5_000_000)),
    cosem_object(9000, "0-0:94.44.2.20", stored(2, "maximum_meter_balance", 10_000_000)),
    cosem_object(21, "0-0:16.0.1.255", stored(2, "disablement_threshold", [-500_000])),
    cosem_object(10, "0-0:12.0.1.255", stored(2, "non_disablement_calendar", _NON_DISABLEMENT)),
    cosem_object(
        11,
        "0-0:11.0.2.255",
        stored(
            2,
            "non_disablement_special_days",
            [
                {"index": 1, "date": "*-12-25", "day_identifier": 1},
                {"index": 2, "date": "*-12-26", "day_identifier": 2},
                {"index": 3, "date": "2015-04-05", "day_identifier": 3},
                {"index": 4, "date": "2015-04-03", "day_identifier": 4},
            ],
        ),
    ),
    cosem_object(115, "0-0:19.40.0.255", method(1, "enter_token")),
    # Supply and load limit
    cosem_object(9, "0-0:10.0.106.255", method(1, "execute_disconnect_script")),
    cosem_object(70, "0-0:96.3.10.255", computed(3, "supply_state")),
    cosem_object(
        71,
        _LIMITER,
        stored(4, "load_limit_power_threshold", 6900),
        stored(6, "load_limit_period", 300),
        stored(7, "load_limit_restoration_period", 30),
    ),
    cosem_object(
        3,
        "0-0:94.44.42.255",
        stored(2, "load_limit_counter", 30),
        fixed(3, "load_limit_counter_scaler_unit", _scaler_unit(COUNT)),
    ),
    cosem_object(
        9000,
        "0-0:94.44.0.3",
        stored(2, "load_limit_supply_state", False),
        stored(4, "load_limit_supply_state_passive", False),
        stored(6, "load_limit_supply_state_activation", NEVER),
    ),
    cosem_object(
        9000,
        "0-0:94.44.128.7",
        stored(4, "load_limit_power_threshold_passive", 6900),
        stored(6, "load_limit_power_threshold_activation", NEVER),
        copies=(copy((9000, "0-0:94.44.128.7", 4), (71, _LIMITER, 4)),),
    ),
    cosem_object(
        9000,
        "0-0:94.44.128.6",
        stored(4, "load_limit_period_passive", 300),
        stored(6, "load_limit_period_activation", NEVER),
        copies=(copy((9000, "0-0:94.44.128.6", 4), (71, _LIMITER, 6)),),
    ),
    cosem_object(
        9000,
        "0-0:94.44.128.8",
        stored(4, "load_limit_restoration_period_passive", 30),
        stored(6, "load_limit_restoration_period_activation", NEVER),
        copies=(copy((9000, "0-0:94.44.128.8", 4), (71, _LIMITER, 7)),),
    ),
)

MODEL = ObjectModel(OBJECTS, USE_CASES, DeviceType.ESME)
RIGHTS = AccessRights.of(USE_CASES, DeviceType.ESME)
