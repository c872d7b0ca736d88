"""The settings that a profile or lab file may give an ESME, by name: what each sets and in which words.

Money is in thousandths of a penny; the unit is in the name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from smetslab.devices.clock import ClockStatus
from smetslab.devices.esme_objects import account_mode, credit_charges, unit_charge
from smetslab.devices.limits import FIRST_ALERT_COUNTER
from smetslab.devices.load import Energies
from smetslab.devices.metering import MILLI
from smetslab.devices.prepay.lockout import DOUBLING, IN_A_ROW, WINDOW, LockOutRules
from smetslab.devices.prepay.rules import CapWeek, Options
from smetslab.devices.profile import DeviceProfile, StateValue
from smetslab.devices.supply import SupplyState
from smetslab.errors import UsageError
from smetslab.gbcs.values import HEX_PREFIX, Value

DEFAULT_OPTIONS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentSettings:
    """How a make of meter does prepayment. `suspend_debt_emergency` None: as the supplier's charges say."""

    options: Options = DEFAULT_OPTIONS
    lock_out: LockOutRules = WINDOW
    suspend_debt_emergency: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeSettings:
    """What a new ESME starts with. `variant`: its parts; `attributes`: values of COSEM attributes by name;
    `charging`: whether time and energy cost anything."""

    variant: str = "A"

    prepayment: PrepaymentSettings
    charging: bool = True
    load_file: str | None = None
    load_scale_percent: int = 100
    secondary_heating_w: int = 0
    randomised_offset_number: int = 2000

    clock_status: ClockStatus = ClockStatus.RELIABLE
    clock_offset: timedelta = timedelta()
    supply_state: SupplyState = SupplyState.ENABLED
    history: timedelta = timedelta()
    registers: Energies
    generation_peak_w: int = 0
    first_alert_counter: int = FIRST_ALERT_COUNTER
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class _Setting:
    """One setting: its type, or its words; and the attribute it sets, None where it is no attribute."""

    kind: type[int | bool | str] | tuple[str, ...]
    attribute: str | None = None
    convert: Callable[[StateValue], Value] = lambda value: value

    def check(self, name: str, value: StateValue) -> None:
        if isinstance(self.kind, tuple):
            if value not in self.kind:
                raise UsageError(f"setting {name}: {value!r} is not one of {', '.join(self.kind)}")
        elif type(value) is not self.kind:
            raise UsageError(f"setting {name}: {value!r} is not of type {self.kind.__name__}")


def _credit_charges(value: StateValue) -> Value:
    return credit_charges(suspend_debt_disabled=bool(value))


def _payment_mode(value: StateValue) -> Value:
    return account_mode(prepayment=value == "prepayment")


_LOCK_OUTS: Mapping[str, LockOutRules] = {"window": WINDOW, "in-a-row": IN_A_ROW, "doubling": DOUBLING}

_SETTINGS: Mapping[str, _Setting] = {
    # Not attributes
    "clock_status": _Setting(tuple(status.name.lower() for status in ClockStatus)),
    "clock_offset_s": _Setting(int),
    "supply_state": _Setting(tuple(state.name.lower() for state in SupplyState)),
    "history_days": _Setting(int),
    "supply_tamper_state": _Setting(
        ("unchanged", "locked"), "supply_tamper_state", lambda value: value == "locked"
    ),
    "import_active_wh": _Setting(int),
    "import_reactive_varh": _Setting(int),
    "export_active_wh": _Setting(int),
    "export_reactive_varh": _Setting(int),
    "generation_peak_w": _Setting(int),
    "first_alert_counter": _Setting(int),
    "charging": _Setting(bool),
    "load_file": _Setting(str),
    "load_scale_percent": _Setting(int),
    "secondary_heating_w": _Setting(int),
    "randomised_offset_number": _Setting(int),
    # Whether debts pause in emergency credit; without it the supplier's charges say so
    "suspend_debt_emergency": _Setting(bool),
    # How a make does prepayment
    "top_up_order": _Setting(("emergency-first", "threshold-first")),
    "emergency_repayment": _Setting(("part", "full-repay-first")),
    "credit_thresholds": _Setting(("below", "at")),
    "suspend_debt_disabled_covers_standing_charge": _Setting(bool),
    "debt_recovery_rate_cap_covers_time_debts": _Setting(bool),
    "debt_recovery_rate_cap_week": _Setting(tuple(week.value for week in CapWeek)),
    "minimum_credit_to_arm_millipence": _Setting(int),
    "utrn_lock_out": _Setting(tuple(_LOCK_OUTS)),
    # Both debts have the same period
    "debt_recovery_period_s": _Setting(int),
    # Attributes
    "active_tariff_price_millipence": _Setting(int, "active_tariff_price"),
    "payment_mode": _Setting(("credit", "prepayment"), "account_mode", _payment_mode),
    "currency": _Setting(("GBP", "EUR"), "currency", lambda value: value == "GBP"),
    "standing_charge_millipence": _Setting(int, "standing_charge", unit_charge),
    "load_limit_power_threshold_w": _Setting(int, "load_limit_power_threshold"),
    "load_limit_period_s": _Setting(int, "load_limit_period"),
    "load_limit_restoration_period_s": _Setting(int, "load_limit_restoration_period"),
    "load_limit_supply_state": _Setting(
        ("unchanged", "disable"), "load_limit_supply_state", lambda value: value == "disable"
    ),
    "load_limit_counter": _Setting(int, "load_limit_counter"),
    "meter_balance_millipence": _Setting(int, "meter_balance"),
    "emergency_credit_balance_millipence": _Setting(int, "emergency_credit_balance"),
    "emergency_credit_limit_millipence": _Setting(int, "emergency_credit_limit"),
    "emergency_credit_threshold_millipence": _Setting(int, "emergency_credit_threshold"),
    "accumulated_debt_millipence": _Setting(int, "accumulated_debt"),
    "payment_debt_millipence": _Setting(int, "payment_debt"),
    "time_debt_1_millipence": _Setting(int, "time_debt_1"),
    "time_debt_2_millipence": _Setting(int, "time_debt_2"),
    "disablement_threshold_millipence": _Setting(int, "disablement_threshold", lambda value: [value]),
    "low_credit_threshold_millipence": _Setting(int, "low_credit_threshold"),
    "maximum_credit_millipence": _Setting(int, "maximum_credit"),
    "maximum_meter_balance_millipence": _Setting(int, "maximum_meter_balance"),
    "debt_recovery_rate_1_millipence": _Setting(int, "debt_recovery_rate_1", unit_charge),
    "debt_recovery_rate_2_millipence": _Setting(int, "debt_recovery_rate_2", unit_charge),
    "debt_recovery_rate_cap_millipence": _Setting(int, "debt_recovery_rate_cap"),
    "debt_recovery_rate_cap_period_s": _Setting(int, "debt_recovery_rate_cap_period"),
    "debt_recovery_per_payment_basis_points": _Setting(int, "debt_recovery_per_payment"),
    "suspend_debt_disabled": _Setting(bool, "credit_charge_configuration", _credit_charges),
}


def known_state() -> frozenset[str]:
    """The names that the `state` of an ESME's profile may use."""
    return frozenset(_SETTINGS)


def read_settings(profile: DeviceProfile) -> EsmeSettings:
    """The settings of a profile. Raises UsageError at the first that is unknown or has a wrong value."""
    given = profile.state
    attributes: dict[str, Value] = {
        "firmware_version": profile.identity.firmware_version,
        "meter_variant": (profile.variant or "A")[0],
        "model_type": f"{HEX_PREFIX}{profile.identity.model_type}",
        "manufacturer_identifier": profile.identity.manufacturer_id,
    }
    for name, value in given.items():
        setting = _SETTINGS.get(name)
        if setting is None:
            raise UsageError(
                f"unknown setting {name!r} of an ESME", hint=f"known: {', '.join(sorted(_SETTINGS))}"
            )
        setting.check(name, value)
        if setting.attribute is not None:
            attributes[setting.attribute] = setting.convert(value)
    if "debt_recovery_period_s" in given:
        attributes["debt_recovery_rate_1_period"] = given["debt_recovery_period_s"]
        attributes["debt_recovery_rate_2_period"] = given["debt_recovery_period_s"]

    def number(name: str, default: int) -> int:
        return int(given.get(name, default))

    return EsmeSettings(
        variant=profile.variant or "A",
        prepayment=_prepayment(given),
        charging=bool(given.get("charging", True)),
        load_file=None if "load_file" not in given else str(given["load_file"]),
        load_scale_percent=number("load_scale_percent", 100),
        secondary_heating_w=number("secondary_heating_w", 0),
        randomised_offset_number=number("randomised_offset_number", 2000),
        clock_status=ClockStatus[str(given.get("clock_status", "reliable")).upper()],
        clock_offset=timedelta(seconds=number("clock_offset_s", 0)),
        supply_state=SupplyState[str(given.get("supply_state", "enabled")).upper()],
        history=timedelta(days=number("history_days", 0)),
        registers=Energies(
            number("import_active_wh", 10) * MILLI,
            number("import_reactive_varh", 10) * MILLI,
            number("export_active_wh", 10) * MILLI,
            number("export_reactive_varh", 20) * MILLI,
        ),
        generation_peak_w=number("generation_peak_w", 0),
        first_alert_counter=number("first_alert_counter", FIRST_ALERT_COUNTER),
        attributes=attributes,
    )


def _prepayment(given: Mapping[str, StateValue]) -> PrepaymentSettings:
    suspended = given.get("suspend_debt_emergency")
    return PrepaymentSettings(
        options=Options(
            threshold_first=given.get("top_up_order") == "threshold-first",
            full_repay_first=given.get("emergency_repayment") == "full-repay-first",
            inclusive_thresholds=given.get("credit_thresholds") == "at",
            suspend_covers_standing=bool(given.get("suspend_debt_disabled_covers_standing_charge", False)),
            cap_covers_time_debts=bool(given.get("debt_recovery_rate_cap_covers_time_debts", False)),
            cap_week=CapWeek(given.get("debt_recovery_rate_cap_week", "monday")),
            minimum_credit_to_arm=int(given.get("minimum_credit_to_arm_millipence", 0)),
        ),
        lock_out=_LOCK_OUTS[str(given.get("utrn_lock_out", "window"))],
        suspend_debt_emergency=None if suspended is None else bool(suspended),
    )
