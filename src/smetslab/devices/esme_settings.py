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
from smetslab.devices.profile import DeviceProfile, StateValue
from smetslab.devices.supply import SupplyState
from smetslab.errors import UsageError
from smetslab.gbcs.values import HEX_PREFIX, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeSettings:
    """What a new ESME starts with. `variant`: its parts; `attributes`: values of COSEM attributes by name."""

    variant: str = "A"

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


_SETTINGS: Mapping[str, _Setting] = {
    # Not attributes
    "clock_status": _Setting(tuple(status.name.lower() for status in ClockStatus)),
    "clock_offset_s": _Setting(int),
    "supply_state": _Setting(tuple(state.name.lower() for state in SupplyState)),
    "history_days": _Setting(int),
    "import_active_wh": _Setting(int),
    "import_reactive_varh": _Setting(int),
    "export_active_wh": _Setting(int),
    "export_reactive_varh": _Setting(int),
    "generation_peak_w": _Setting(int),
    "first_alert_counter": _Setting(int),
    # When debts pause in emergency credit; no use case that is declared shows it
    "suspend_debt_emergency": _Setting(bool),
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
