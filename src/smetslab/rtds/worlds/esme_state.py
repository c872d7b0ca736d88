"""What the electricity meter of the published world holds, and what changes for single groups of scenarios.

Spec: RTDS 4.5.0, analysed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from smetslab.devices.esme_objects import WATT, credit_charges
from smetslab.devices.esme_objects.common import (
    AUXILIARY_SCRIPTS,
    WEEKDAYS,
    WEEKEND,
    schedule_entry,
    special_day,
)
from smetslab.gbcs.values import Value
from smetslab.rtds.rules import Rule
from smetslab.rtds.worlds.numbers import DAY, HALF_HOUR, HOUR, A, B, draw, entries, registers, stamps

_BALANCES = (
    "emergency_credit_balance",
    "meter_balance",
    "payment_debt_register",
    "time_debt_register_1",
    "time_debt_register_2",
    "accumulated_debt_register",
)
_REACTIVE_SHARE = (7, 10)
"""Reactive export of the profile as a share of active export."""
_PHASE_NUMBERS = 51
"""Numbers of one phase: both counters and 49 hours."""

# -- event logs ----------------------------------------------------------------------------------------------

_LOG_TIMES = (
    "00:00:00 00:42:37 01:39:48 02:10:10 02:44:38 03:37:18 04:10:16 04:48:08 05:39:16 06:13:11 07:11:08 "
    "07:59:50 08:49:22 09:24:49 09:56:17 10:41:57 11:23:07 12:08:35 12:50:48 13:39:36 14:39:33 15:25:48 "
    "16:05:02 16:57:17 17:42:59 18:32:20 19:23:11 19:54:53 20:51:15 21:40:41 22:12:10 22:54:07 23:25:05"
)
LOG_STAMPS: Final = [f"2014-12-31T{time}Z" for time in _LOG_TIMES.split()]
"""Common to the logs of meter and hub."""

_EVENTS = (
    "8F01 8145 8154 8155 8161 8162 8F66 8F67 8183 81A1 81A2 81A3 81A4 81A5 81A6 81A7 81A8 81A9 81AA 81AB "
    "81AC 81AD 81AE 81AF 81B0 81B1 81B2 81B3 81B9 81BA 81BC 81BD 81BE"
)
_EVENT_EXTRAS = {"8154": "009B", "8155": "0090", "8161": "0002", "8162": "0005"}
_SECURITY = (
    "8F0C 8F1C 8F1E 8F3E 8F3F 8F43 8F47 8F48 8F49 8F4A 8F4B 8F4C 8F4D 8F4E 8F4F 8F51 8F52 8F53 8F5B 8F60 "
    "8F63 8F64 8F70 8F72 8F74 8F75 8F76 8F77 8F78 8F1B 8F0C 8F1C 8F1E"
)
_POWER = (
    "8002 8003 8004 8005 8006 8007 8008 8009 8020 8021 8022 8023 8024 8025 8026 8027 8028 8029 802A 802B "
    "802C 802D 802E 802F 8F35 8F36 8F37 8F38 8F39 8F3A 8F3B 8F3C 8F58"
)

_UNKNOWN, _SUCCESS, _FAILURE = "Outcome not known", "Success", "Failure"
_TO_HCALCS = "HCALCS message"
_AUXILIARY: tuple[tuple[str, int, str, str, int], ...] = (
    ("2014-12-15T00:00:00Z", 2, "activate", _UNKNOWN, 1418601600),
    ("2014-12-15T00:00:05Z", 2, _TO_HCALCS, _SUCCESS, 1418601600),
    ("2014-12-15T23:47:53Z", 2, "reset", _UNKNOWN, 1418687273),
    ("2014-12-15T23:47:58Z", 2, _TO_HCALCS, _SUCCESS, 1418687273),
    ("2014-12-17T02:58:34Z", 3, "deactivate", _SUCCESS, 0),
    ("2014-12-18T07:15:28Z", 2, "reset", _UNKNOWN, 1418886928),
    ("2014-12-18T07:15:33Z", 2, _TO_HCALCS, _FAILURE, 1418886928),
    ("2014-12-18T20:05:58Z", 1, "deactivate", _FAILURE, 0),
    ("2014-12-20T13:41:29Z", 5, "reset", _SUCCESS, 0),
    ("2014-12-21T07:42:30Z", 3, "activate", _FAILURE, 0),
    ("2014-12-21T14:13:25Z", 2, "deactivate", _UNKNOWN, 1419171205),
    ("2014-12-21T14:13:30Z", 2, _TO_HCALCS, _SUCCESS, 1419171205),
    ("2014-12-22T06:59:23Z", 3, "activate", _SUCCESS, 0),
    ("2014-12-23T00:38:02Z", 4, "deactivate", _FAILURE, 0),
    ("2014-12-24T17:20:26Z", 3, "reset", _SUCCESS, 0),
    ("2014-12-25T11:19:12Z", 5, "activate", _FAILURE, 0),
    ("2014-12-25T20:06:31Z", 3, "deactivate", _SUCCESS, 0),
    ("2014-12-26T07:46:10Z", 5, "reset", _FAILURE, 0),
    ("2014-12-27T04:47:34Z", 2, "activate", _UNKNOWN, 1419655654),
    ("2014-12-27T04:47:39Z", 2, _TO_HCALCS, _SUCCESS, 1419655654),
    ("2014-12-27T16:09:18Z", 4, "reset", _SUCCESS, 0),
    ("2014-12-28T12:51:59Z", 2, "activate", _UNKNOWN, 1419771119),
    ("2014-12-28T12:52:04Z", 2, _TO_HCALCS, _FAILURE, 1419771119),
    ("2014-12-29T19:13:57Z", 1, "reset", _FAILURE, 0),
    ("2014-12-30T18:45:30Z", 5, "activate", _SUCCESS, 0),
)


def _auxiliary_log() -> list[Value]:
    return [
        {
            "timestamp": time,
            "switch_number_and_action": {"slot": slot, "action": action},
            "outcome": outcome,
            "han_command_id": command,
        }
        for time, slot, action, outcome, command in _AUXILIARY
    ]


def _boost_log() -> list[Value]:
    """A boost at each midnight, of so many minutes."""
    return [
        {
            "boost_start": f"2014-12-{day}T00:00:00Z",
            "boost_end": f"2014-12-{day}T{A[place] // 60:02}:{A[place] % 60:02}:00Z",
        }
        for place, day in enumerate(range(26, 32))
    ]


def _settings(*codes: str) -> list[Value]:
    """Codes and ranges of codes such as `81A4-81AF`, of one prefix."""
    found: list[Value] = []
    for code in codes:
        first, _, last = code.partition("-")
        found += [f"{number:04X}" for number in range(int(first, 16), int(last or first, 16) + 1)]
    return found


# -- billing and prepayment logs -----------------------------------------------------------------------------


def _balances(values: list[Value]) -> dict[str, Value]:
    return dict(zip(_BALANCES, values, strict=True))


_MODE_BALANCES: tuple[list[Value], ...] = (
    [95_000, 152_000, 243_000, 46_000, 187_000, 199_000],
    [153_000, 49_000, 39_000, 114_000, 39_000, 25_000],
    [14_000, -21_000, 221_000, 85_000, 153_000, 36_000],
)

_DAILY_BALANCES: tuple[tuple[int, int, int, int, int], ...] = (
    (70, 100, 49, 41, 100),
    (134, 237, 156, 215, 31),
    (194, 7, 37, 72, 32),
    (162, 196, 168, 90, 235),
    (11, 32, 65, 73, 79),
    (139, 241, 248, 205, 48),
    (241, 19, 148, 34, 60),
)
"""Emergency credit, meter balance, payment debt and both time debts, in tenths of a pound."""


def _daily_balances(place: int) -> dict[str, Value]:
    """The accumulated debt is the sum of the three debts."""
    emergency, meter, payment, first, second = _DAILY_BALANCES[place]
    scaled: list[Value] = [
        value * 10_000 for value in (emergency, meter, payment, first, second, payment + first + second)
    ]
    return _balances(scaled)


def _mode_entry(place: int, twin: tuple[int, ...] = ()) -> dict[str, Value]:
    numbers = iter(A[80 * place :] + A)
    return {**registers(numbers, columns_first=False, twin=twin), **_balances(_MODE_BALANCES[place])}


def _calendar_entry(place: int, twin: tuple[int, ...] = ()) -> dict[str, Value]:
    numbers = iter(A[87 * place + 1 :] + A)
    return registers(numbers, columns_first=False, scale=1, twin=twin)


def _daily_read(place: int, twin: tuple[int, ...] = ()) -> dict[str, Value]:
    return registers(iter(A[80 * place :] + A), columns_first=True, twin=twin)


_SECONDARY: tuple[int, ...] = tuple(A[80:84])

_DAYS = stamps("2014-03-09", DAY, 3)
_MONTHS = ["2014-11-01T00:00:00Z", "2014-12-01T00:00:00Z", "2015-01-01T00:00:00Z"]
_BILLING_STAMPS = _MONTHS[1:]


def _voltage_log(first: int) -> list[Value]:
    return entries(
        stamps("2014-12-30", HOUR, 49), lambda place: {"average_rms_voltage": A[place]}, start=first
    )


# -- auxiliary controllers -----------------------------------------------------------------------------------

_SUMMER_EVENINGS = ("*-06-21", "*-09-21")
_LEVEL_SEASON = ("2015-06-21", "2015-12-21")


def _switching(index: int, slot: int, action: str, time: str, **more: str) -> Value:
    weekdays = more.get("weekdays")
    script: Value = {"slot": slot, "action": action}
    if weekdays is None:
        return schedule_entry(index, AUXILIARY_SCRIPTS, script, time, special_days="0000")
    return schedule_entry(
        index,
        AUXILIARY_SCRIPTS,
        script,
        time,
        weekdays=weekdays,
        special_days="1111" if weekdays == WEEKEND else "0000",
        period=_SUMMER_EVENINGS,
    )


def _levels() -> list[Value]:
    """Input of three slots, to nothing and to half, each half an hour after the one before."""
    special = ("111", "101", "111", "111", "111", "011")
    return [
        schedule_entry(
            place + 1,
            AUXILIARY_SCRIPTS,
            {"direction": "input", "slot": place // 2 + 1, "level": 50 * (place % 2)},
            f"{9 + place // 2:02}:{30 * (place % 2):02}:00",
            weekdays=WEEKDAYS,
            special_days=special[place],
            period=_LEVEL_SEASON,
        )
        for place in range(6)
    ]


_AUXILIARY_DAYS: list[Value] = [
    special_day(1, "*-12-25", 1),
    special_day(2, "*-12-26", 2),
    special_day(3, "2015-04-03", 3),
]

# -- the whole -----------------------------------------------------------------------------------------------

_NO_SCALE: dict[str, Value] = {"scaler": 0, "unit": WATT}

BASE: Final[Mapping[str, Value]] = {
    "meter_variant": "B",
    "model_type": "ATGTypeX",
    "manufacturer_identifier": "CSW",
    "supply_tamper_state": "Locked",
    "import_mpans": "1312345678111",
    "export_mpan": "1312345678333",
    # Registers
    "power_import_collection": {
        "active_power_import": 10,
        "active_power_import_scaler_unit": _NO_SCALE,
        "primary_active_power_import": 10,
    },
    "tariff_tou_register_collection": {"tou_primary_registers": draw(A, 0, 48)},
    "tariff_block_tou_register_collection": {"register_block_counter_matrix": draw(B, 0, 64)},
    "active_tariff_price": 1,
    "secondary_active_tariff_price": 10_000,
    "maximum_demand_configurable_time_active_power_import_reset": "2014-12-31T00:00:00Z",
    "maximum_demand_active_energy_import_reset": "2014-12-31T00:00:00Z",
    "maximum_demand_active_power_export_reset": "2014-12-31T00:00:00Z",
    "maximum_demand_active_energy_import": 4775,
    "maximum_demand_active_energy_import_time": "2014-12-31T09:30:00Z",
    "maximum_demand_configurable_time_active_power_import": 12_122,
    "maximum_demand_configurable_time_active_power_import_time": "2014-12-31T11:30:00Z",
    "maximum_demand_active_power_export": 4775,
    "maximum_demand_active_power_export_time": "2014-12-30T20:37:00Z",
    # Settings
    "billing_calendar": [{"time": "12:00:00", "date": "hex:FFFFFF01FF"}],
    "randomised_offset_limit": 1000,
    "wan_alerting": _settings(
        *("810D", "810E", "8119", "8183", "81A0", "81A1", "81A4-81B3", "81B8-81BE", "81C0", "81C1"),
        *("81C4", "81C5"),
    ),
    "han_sharing": _settings("810D", "8119", "8168", "81AA", "81AB", "81C4"),
    "alarms": [],
    "logging": _settings(
        *("8145", "8154", "8155", "8161", "8162", "8183", "81A0-81B3", "81B8-81BE", "81C0", "81C1"),
        *("81C4-81C6",),
    ),
    "network_wan_alerting": _settings("8014", "8015"),
    "network_logging": _settings("8014", "8015"),
    # Voltage
    "phase_1_average_rms_under_voltage_counter": A[49],
    "phase_1_average_rms_over_voltage_counter": A[50],
    "phase_1_average_rms_voltage_profile_data_log": _voltage_log(0),
    # Auxiliary controllers
    "auxiliary_controller_1_description": "ALCS_1_Description",
    "auxiliary_controller_2_description": "HCALCS_2_Description",
    "auxiliary_controller_3_description": "ALCS_3_Description",
    "auxiliary_controller_4_description": "ALCS_4_Description",
    "auxiliary_controller_5_description": "ALCS_5_Description",
    "auxiliary_controller_1_type_and_identifier": "ALCS",
    "auxiliary_controller_2_type_and_identifier": "00DB123456789097",
    "auxiliary_controller_3_type_and_identifier": "ALCS",
    "auxiliary_controller_4_type_and_identifier": "ALCS",
    "auxiliary_controller_5_type_and_identifier": "ALCS",
    **{f"auxiliary_controller_{slot}_switch_state": True for slot in range(1, 6)},
    "auxiliary_special_days": [*_AUXILIARY_DAYS, special_day(4, "2015-08-31", 4)],
    "auxiliary_calendar": [
        _switching(1, 1, "activate", "07:00:00"),
        _switching(2, 1, "deactivate", "11:00:00"),
        _switching(3, 2, "activate", "18:00:00", weekdays=WEEKDAYS),
        _switching(4, 2, "deactivate", "22:00:00", weekdays=WEEKDAYS),
        _switching(5, 2, "activate", "14:00:00", weekdays=WEEKEND),
        _switching(6, 2, "deactivate", "22:00:00", weekdays=WEEKEND),
    ],
    **{f"boost_function_control_{slot}": True for slot in range(1, 6)},
    # Logs
    "event_log": [
        {"timestamp": time, "log_code": code, "other_information": _EVENT_EXTRAS.get(code, "")}
        for time, code in zip(LOG_STAMPS, _EVENTS.split(), strict=True)
    ],
    "security_log": [
        {"timestamp": time, "log_code": code}
        for time, code in zip(LOG_STAMPS, _SECURITY.split(), strict=True)
    ],
    "power_event_log": [
        {"timestamp": time, "log_code": code, "other_information": number}
        for number, (time, code) in enumerate(zip(LOG_STAMPS, _POWER.split(), strict=True), 1)
    ],
    "auxiliary_controller_event_log": _auxiliary_log(),
    "boost_function_event_log": _boost_log(),
    "active_energy_imported_log": entries(
        stamps("2014-12-31", HALF_HOUR, 49), lambda place: {"primary_value": B[place]}
    ),
    "profile_data_log_export": entries(
        stamps("2014-10-01 09:30", HALF_HOUR, 49),
        lambda place: {
            "active_energy_exported": A[place],
            "reactive_energy_exported": A[place] * _REACTIVE_SHARE[0] // _REACTIVE_SHARE[1],
        },
    ),
    "profile_data_log_reactive_import": entries(
        stamps("2014-10-01 09:00", HALF_HOUR, 49), lambda place: {"reactive_energy_imported": A[place]}
    ),
    "daily_consumption_log": entries(
        stamps("2014-12-02", DAY, 4), lambda place: {"active_energy_imported": B[place]}
    ),
    "daily_read_log": entries(_DAYS, _daily_read),
    "daily_read_log_export": entries(
        stamps("2014-12-01", DAY, 32), lambda place: {"active_export_register": A[place]}
    ),
    "prepayment_daily_read_log": entries(stamps("2014-12-26", DAY, 7), _daily_balances),
    "payment_based_debt_repayments": entries(
        stamps("2014-12-23", DAY, 10), lambda place: {"amount": B[place]}
    ),
    "prepayment_credits": entries(stamps("2014-12-28", DAY, 5), lambda place: {"amount": B[place]}),
    "mode_or_tariff_triggered_billing_data_log": entries(_MONTHS, _mode_entry),
    "billing_calendar_triggered_billing_data_log": entries(_BILLING_STAMPS, _calendar_entry),
    "billing_calendar_triggered_balances_log": entries(
        _BILLING_STAMPS, lambda place: _balances(draw(A, 81 + 87 * place, 6))
    ),
}
"""The same for all scenarios but for the overlays."""

OVERLAYS: Final[Mapping[str, Mapping[str, Value]]] = {
    "twin": {
        "import_mpans": "13123456781111312345678222",
        "credit_charge_configuration": credit_charges(suspend_debt_disabled=True, twin=True),
        "import_register_collection": {
            "active": 10,
            "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
            "reactive": 10,
            "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
            "secondary_active": 10,
        },
        "power_import_collection": {
            "active_power_import": 10,
            "active_power_import_scaler_unit": _NO_SCALE,
            "primary_active_power_import": 10,
            "secondary_active_power_import": 10,
        },
        "tariff_tou_register_collection": {
            "tou_primary_registers": draw(A, 0, 48),
            "tou_secondary_registers": draw(A, 48, 4),
        },
        "active_energy_imported_log": entries(
            stamps("2014-12-31", HALF_HOUR, 49),
            lambda place: {"primary_value": B[2 * place], "secondary_value": B[2 * place + 1]},
        ),
        "daily_read_log": entries(_DAYS, lambda place: _daily_read(place, _SECONDARY)),
        "mode_or_tariff_triggered_billing_data_log": entries(
            _MONTHS, lambda place: _mode_entry(place, _SECONDARY)
        ),
        "billing_calendar_triggered_billing_data_log": entries(
            _BILLING_STAMPS, lambda place: _calendar_entry(place, _SECONDARY)
        ),
    },
    "polyphase": {
        **{
            f"phase_{phase}_average_rms_{kind}": A[_PHASE_NUMBERS * (phase - 1) + place]
            for phase in (1, 2, 3)
            for place, kind in enumerate(("under_voltage_counter", "over_voltage_counter"))
        },
        **{
            f"phase_{phase}_average_rms_voltage_profile_data_log": _voltage_log(
                _PHASE_NUMBERS * (phase - 1) + 2
            )
            for phase in (1, 2, 3)
        },
        **{f"phase_{phase}_average_rms_over_voltage_threshold": 126 for phase in (1, 2, 3)},
        **{f"phase_{phase}_average_rms_under_voltage_threshold": 96 for phase in (1, 2, 3)},
    },
    "proportional-states": {
        "auxiliary_controller_1_type_and_identifier": "1234567890ABCDEF",
        "auxiliary_controller_2_type_and_identifier": "ALCS",
        "auxiliary_controller_3_type_and_identifier": "APC",
        "auxiliary_controller_4_type_and_identifier": "empty",
        "auxiliary_controller_5_type_and_identifier": "ALCS",
        "auxiliary_controller_1_state_and_associated_information": '{"outputState": 0, "inputState": 0}',
        "auxiliary_controller_2_state_and_associated_information": (
            '{"outputState": 0, "inputState": 0, "other-data": "StateA"}'
        ),
        "auxiliary_controller_3_state_and_associated_information": (
            '{"outputState": 100, "inputState": 0, "other-data": "StateA"}'
        ),
        "auxiliary_controller_4_state_and_associated_information": "{}",
        "auxiliary_controller_5_state_and_associated_information": (
            '{"outputState": 100, "inputState": 100}'
        ),
    },
    "proportional-calendar": {
        "auxiliary_special_days": _AUXILIARY_DAYS,
        "auxiliary_calendar": _levels(),
    },
    "billing-entry": {
        "billing_calendar_triggered_billing_data_log": entries(
            ["2015-01-01T00:00:00Z"], lambda _place: registers(iter(A), columns_first=False)
        )
    },
    "billing-entry-twin": {
        "billing_calendar_triggered_billing_data_log": entries(
            ["2015-01-01T00:00:00Z"], lambda _place: registers(iter(A), columns_first=False, twin=_SECONDARY)
        )
    },
    "padded-manufacturer": {"manufacturer_identifier": "CSW "},
    "emergency-credit-available": {"meter_balance": 50_000},
}

VARIANTS: Final[Mapping[str, str]] = {"polyphase": "CDEF"}
"""The variant of the meter where an overlay needs another than that of its profile."""

RULES: Final[tuple[Rule, ...]] = (
    Rule(scenarios="_TWIN(_|$)", overlays=("twin",)),
    Rule(scenarios="/(ECS23b|ECS26k|ECS29b|ECS29d|ECS29f)_", overlays=("polyphase",)),
    Rule(scenarios="/ECS61e_", overlays=("proportional-states",)),
    Rule(scenarios="/ECS61d_", overlays=("proportional-calendar",), fault_item=2),
    Rule(scenarios="/ECS26m_", overlays=("padded-manufacturer",), fault_item=1),
    Rule(scenarios="/ECS09_", overlays=("emergency-credit-available",)),
    # Failing items that are not the last but one
    Rule(scenarios="/ECS29c_", fault_item=6),
    Rule(scenarios="/ECS29d_", fault_item=14),
    Rule(scenarios="/ECS46d_.*_(HC)?ALCS_", fault_item=0),
    Rule(scenarios="/ECS46d_.*_APC_", fault_item=1),
    Rule(scenarios="/ECS47a_", fault_item=0),
    # Alerts that other commands of the group have caused before
    Rule(scenarios="/ECS01a_.*_8F66_", alert_counter=2012),
    Rule(scenarios="/ECS01b_.*_8F66_", alert_counter=2002),
    Rule(scenarios="/ECS01c_.*_8F66_", alert_counter=2003),
    Rule(scenarios="/ECS02_.*_8F66_", alert_counter=2002),
    Rule(scenarios="/ECS03_.*_8F66_", alert_counter=2004),
    Rule(scenarios="/ECS08a?_.*_8F66_", alert_counter=2009),
    Rule(scenarios="/ECS28a_.*_8F66_", alert_counter=2004),
    Rule(scenarios="/ECS46c_.*_8F66_", alert_counter=2004),
    Rule(scenarios="/ECS46d_.*_8F66_", alert_counter=2000),
    Rule(scenarios="/ECS100_.*_SUPPLEMENTARY", alert_counter=2001),
    Rule(scenarios="/ECS101_", alert_counter=2001),
    Rule(scenarios="/ECS102_", alert_counter=1999),
    Rule(scenarios="/(ECS200|ECS80)_NA", alert_counter=2003),
    Rule(scenarios="/ECS68_NA", overlays=("billing-entry",)),
    Rule(scenarios="/ECS68_NA_.*TWIN", overlays=("billing-entry-twin",)),
    Rule(scenarios="/ECS68_NA_.*SINGLE", alert_counter=2001),
    Rule(scenarios="/FDRA-DLMS_NA", overlays=("firmware-distribution",)),
    Rule(scenarios="/CS06_.*_8F66_", overlays=("other-image",)),
)
