"""The settings that a profile or lab file may give a gas meter or its proxy, by name, and in which words.

Whatever is an attribute is named `cluster.attribute` and written as messages are; the rest has names of its
own. Money is in thousandths of a penny.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from smetslab.devices.clock import ClockStatus
from smetslab.devices.gas_meter import LITRE_ML, GasRegisters
from smetslab.devices.gas_model import GPF_MODEL, GSME_MODEL, MEASURED
from smetslab.devices.prepay.rules import Options
from smetslab.devices.prepay.state import AccountState, EmergencyState
from smetslab.devices.profile import DeviceProfile, StateValue
from smetslab.devices.valve import ValveState
from smetslab.devices.zcl.model import attribute_name
from smetslab.errors import UsageError
from smetslab.gbcs.values import Value

FIRST_GSME_ALERT_COUNTER: Final = 3000
FIRST_GPF_ALERT_COUNTER: Final = 1001
"""Originator counters of the first alerts. Spec: RTDS 4.5.0; any start would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GsmeSettings:
    """What a new gas meter starts with. `attributes`: by `cluster.attribute`, in their JSON form.

    `friendly_credit_calendar`: by which number it calls its non-disablement calendar, None: its identifier.
    """

    clock_status: ClockStatus = ClockStatus.RELIABLE
    clock_offset: timedelta = timedelta()
    valve: ValveState = ValveState.ENABLED
    registers: GasRegisters = field(default_factory=GasRegisters)
    account: AccountState = field(default_factory=AccountState)
    options: Options = field(default_factory=Options)
    battery_days: int = 3650
    wake_interval: timedelta = timedelta(minutes=30)
    daily_read_minute: int = 0
    friendly_credit_calendar: int | None = None
    size_permille: int = 1000
    volumes_file: str | None = None
    """Measured half hours in place of those of chance."""
    first_alert_counter: int = FIRST_GSME_ALERT_COUNTER
    attributes: Mapping[str, Value] = field(default_factory=dict)


_Check = Callable[[str, StateValue], None]


def _whole(low: int, high: int) -> _Check:
    def check(name: str, value: StateValue) -> None:
        if type(value) is not int or not low <= value <= high:
            raise UsageError(f"setting {name}: {value!r} is not a whole number from {low} to {high}")

    return check


def _words(*words: str) -> _Check:
    def check(name: str, value: StateValue) -> None:
        if value not in words:
            raise UsageError(f"setting {name}: {value!r} is not one of {', '.join(words)}")

    return check


def _flag(name: str, value: StateValue) -> None:
    if type(value) is not bool:
        raise UsageError(f"setting {name}: {value!r} is not true or false")


def _path(name: str, value: StateValue) -> None:
    if type(value) is not str:
        raise UsageError(f"setting {name}: {value!r} is not a path")


_MONEY = _whole(-(2**31), 2**31 - 1)
_OWED = _whole(0, 2**31 - 1)
_LITRES = _whole(0, 10**9 - 1)

_SETTINGS: Final[Mapping[str, _Check]] = {
    "clock_status": _words(*(status.name.lower() for status in ClockStatus)),
    "clock_offset_s": _whole(-(10**9), 10**9),
    "valve": _words(*(state.name.lower() for state in ValveState)),
    "import_l": _LITRES,
    **{f"tier_{number}_l": _LITRES for number in range(1, 5)},
    **{f"block_{number}_l": _LITRES for number in range(1, 5)},
    "payment_mode": _words("credit", "prepayment"),
    "suspend_debt_disabled": _flag,
    "suspend_debt_emergency": _flag,
    "meter_balance_millipence": _MONEY,
    "emergency_credit_balance_millipence": _OWED,
    "emergency_credit": _words(*(state.value for state in EmergencyState)),
    "accumulated_debt_millipence": _OWED,
    "time_debt_1_millipence": _OWED,
    "time_debt_2_millipence": _OWED,
    "payment_debt_millipence": _OWED,
    "cost_to_date_millipence": _OWED,
    "threshold_first": _flag,
    "full_repay_first": _flag,
    "battery_days": _whole(0, 0xFFFF),
    "wake_interval_s": _whole(5, 86400),
    "daily_read_minute": _whole(0, 24 * 60 - 1),
    "friendly_credit_calendar": _whole(0, 2**32 - 1),
    "size_permille": _whole(0, 100_000),
    "volumes_file": _path,
    "first_alert_counter": _whole(0, 2**63),
}


def known_state() -> tuple[str, ...]:
    """The names of every setting of a gas meter."""
    stored = [name for name in GSME_MODEL.attributes if name not in _MEASURED]
    return (*_SETTINGS, *stored)


_MEASURED = tuple(attribute_name(attribute) for attribute in MEASURED)


def read_gsme_settings(profile: DeviceProfile) -> GsmeSettings:
    """The settings of a profile. Raises UsageError for an unknown name or a value that does not fit."""
    given: dict[str, StateValue] = {}
    attributes: dict[str, Value] = {}
    for name, value in profile.state.items():
        if name in _SETTINGS:
            _SETTINGS[name](name, value)
            given[name] = value
        elif name in GSME_MODEL.attributes and name not in _MEASURED:
            attributes[name] = value
        else:
            raise UsageError(f"a gas meter has no setting {name!r}", hint=", ".join(known_state()))
    read = _Given(given)
    return GsmeSettings(
        clock_status=ClockStatus[read.word("clock_status", "reliable").upper()],
        clock_offset=timedelta(seconds=read.number("clock_offset_s")),
        valve=ValveState[read.word("valve", "enabled").upper()],
        registers=_registers(read),
        account=_account(read),
        options=Options(
            threshold_first=read.flag("threshold_first"), full_repay_first=read.flag("full_repay_first")
        ),
        battery_days=read.number("battery_days", 3650),
        wake_interval=timedelta(seconds=read.number("wake_interval_s", 1800)),
        daily_read_minute=read.number("daily_read_minute"),
        friendly_credit_calendar=read.number_or_none("friendly_credit_calendar"),
        size_permille=read.number("size_permille", 1000),
        volumes_file=read.word("volumes_file", "") or None,
        first_alert_counter=read.number("first_alert_counter", FIRST_GSME_ALERT_COUNTER),
        attributes={**_identity(profile), **_payment_control(read), **attributes},
    )


def _identity(profile: DeviceProfile) -> dict[str, Value]:
    """What the meter says that it is. Spec: GBCS use case GCS21m."""
    identity = profile.identity
    return {
        "basic.manufacturer_name": identity.manufacturer_id,
        "basic.model_identifier": identity.model_type_octets.decode("ascii", "replace"),
        "basic.hw_version": int(identity.hardware_version[2:], 16),
    }


def _registers(read: _Given) -> GasRegisters:
    return GasRegisters(
        total=read.number("import_l") * LITRE_ML,
        tiers=[read.number(f"tier_{number}_l") * LITRE_ML for number in range(1, 5)],
        blocks=[read.number(f"block_{number}_l") * LITRE_ML for number in range(1, 5)],
    )


def _account(read: _Given) -> AccountState:
    return AccountState(
        prepayment=read.word("payment_mode", "credit") == "prepayment",
        suspend_debt_emergency=read.flag("suspend_debt_emergency"),
        suspend_debt_disabled=read.flag("suspend_debt_disabled"),
        meter_balance=read.number("meter_balance_millipence"),
        emergency_balance=read.number("emergency_credit_balance_millipence"),
        emergency=EmergencyState(read.word("emergency_credit", "unavailable")),
        accumulated_debt=read.number("accumulated_debt_millipence"),
        payment_debt=read.number("payment_debt_millipence"),
        time_debt_1=read.number("time_debt_1_millipence"),
        time_debt_2=read.number("time_debt_2_millipence"),
        cost_to_date=read.number("cost_to_date_millipence"),
    )


def _payment_control(read: _Given) -> dict[str, Value]:
    """The payment control configuration that says what the settings say. Spec: RTDS 4.5.0 (GCS02, GCS03)."""
    prepayment = read.word("payment_mode", "credit") == "prepayment"
    flags = ["credit_management_enabled", "credit_display_enabled", "contactor_fitted"]
    if prepayment:
        flags = ["disconnection_enabled", "prepayment_enabled", *flags]
    if read.flag("suspend_debt_disabled") or not prepayment:
        flags.append("debt_configuration")
    if not read.flag("suspend_debt_emergency"):
        flags.append("emergency_debt_configuration")
    return {"prepayment.payment_control_configuration": [*flags]}


class _Given:
    """Settings with their defaults."""

    def __init__(self, given: Mapping[str, StateValue]) -> None:
        self._given = given

    def number(self, name: str, default: int = 0) -> int:
        value = self._given.get(name, default)
        return value if isinstance(value, int) else default

    def number_or_none(self, name: str) -> int | None:
        return self.number(name) if name in self._given else None

    def word(self, name: str, default: str) -> str:
        return str(self._given.get(name, default))

    def flag(self, name: str) -> bool:
        return self._given.get(name, False) is True


@dataclass(frozen=True, slots=True, kw_only=True)
class GpfSettings:
    """What a new proxy starts with."""

    first_alert_counter: int = FIRST_GPF_ALERT_COUNTER
    attributes: Mapping[str, Value] = field(default_factory=dict)


def known_gpf_state() -> tuple[str, ...]:
    """The names of every setting of a gas proxy function."""
    return ("first_alert_counter", *GPF_MODEL.attributes)


def read_gpf_settings(profile: DeviceProfile) -> GpfSettings:
    """The settings of a profile. Raises UsageError for an unknown name or a value that does not fit."""
    attributes: dict[str, Value] = {}
    counter = FIRST_GPF_ALERT_COUNTER
    for name, value in profile.state.items():
        if name == "first_alert_counter":
            _SETTINGS[name](name, value)
            counter = value if isinstance(value, int) else counter
        elif name in GPF_MODEL.attributes:
            attributes[name] = value
        else:
            raise UsageError(f"a gas proxy function has no setting {name!r}")
    return GpfSettings(first_alert_counter=counter, attributes=attributes)
