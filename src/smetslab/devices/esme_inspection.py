"""The state of an ESME as people and programs look at it while a laboratory runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from smetslab.devices.metering import MILLI
from smetslab.gbcs.values import EPOCH_2000, Value, utc_text

if TYPE_CHECKING:
    from smetslab.devices.demand import Peak
    from smetslab.devices.esme_core import EsmeCore

_ACCOUNT: Final = (
    "meter_balance",
    "emergency_credit_balance",
    "accumulated_debt",
    "payment_debt",
    "account_mode",
)
_LOAD_LIMIT: Final = (
    "load_limit_supply_state",
    "load_limit_power_threshold",
    "load_limit_period",
    "load_limit_restoration_period",
    "load_limit_counter",
)
_BILLING_LOGS: Final = (
    "billing_calendar_triggered_billing_data_log",
    "mode_or_tariff_triggered_billing_data_log",
    "prepayment_daily_read_log",
    "prepayment_credits",
    "payment_based_debt_repayments",
)
"""Logs that are shown by the number of their entries and the times of the first and last of them."""
_SWITCH_LOGS: Final = {
    "auxiliary_log": "auxiliary_controller_event_log",
    "boost_log": "boost_function_event_log",
}
"""Logs that are shown whole, where the variant of the meter has them."""


def inspect_esme(core: EsmeCore, now: datetime) -> dict[str, Value]:
    """The state of a meter between power on and power off, by sections; values are those of JSON."""
    server, life = core.server, core.life
    registers = core.meter.registers(now)
    demand = life.state.demand
    return {
        "clock": {"time": utc_text(core.clock.time(now)), "status": core.clock.status.name.lower()},
        "supply": core.supply.state.name.capitalize(),
        "registers": dict(zip(registers._fields, registers, strict=True)),
        "maximum_demand": {
            "import": _peak(demand.imported),
            "import_in_window": _peak(demand.configurable),
            "export": _peak(demand.exported),
        },
        "tariff": _tariff(core),
        "account": {name: server.value(name) for name in _ACCOUNT},
        "load_limit": {name: server.value(name) for name in _LOAD_LIMIT},
        "supplier_message": server.value("supplier_message"),
        "utrn_counters": list(core.prepayment.utrns.counters),
        "change_of_tenancy": core.tenancy.describe(),
        "auxiliary_controllers": core.auxiliary.describe(core.slots, now),
        **{shown: server.entries(name) for shown, name in _SWITCH_LOGS.items() if server.keeps_log(name)},
        "logs": {name: _extent(server.entries(name)) for name in _BILLING_LOGS},
        "user_interface": core.interface.inspect(now),
        "security": core.security.inspect(),
        **core.application.inspect(),
    }


def _peak(peak: Peak) -> Value:
    """A maximum demand register; times are null until there is one."""
    return {"watts": peak.value_w, "at": _moment(peak.at), "reset_at": _moment(peak.reset_at)}


def _moment(seconds: int) -> Value:
    return utc_text(EPOCH_2000 + timedelta(seconds=seconds)) if seconds else None


def _tariff(core: EsmeCore) -> Value:
    """What energy costs now, in thousandths of a penny, and the registers that it goes to, in watt hours."""
    life = core.life
    configuration, rates = life.configuration, life.state.rates
    tou: dict[str, Value] = {}
    for number, energy in enumerate(rates.tou, 1):
        if energy:
            tou[str(number)] = energy // MILLI
    return {
        "script": life.state.script,
        "price_index": life.active_index,
        "price": life.active_price,
        "standing_charge": configuration.standing_charge,
        "prices": {index: price for index, price in configuration.prices.items() if price},
        "tou_registers": tou,
        "block_counters": [counter // MILLI for counter in rates.counters],
    }


def _extent(entries: list[Value]) -> Value:
    stamps = [entry["timestamp"] for entry in entries if isinstance(entry, dict)]
    return {
        "entries": len(entries),
        "first": stamps[0] if stamps else None,
        "last": stamps[-1] if stamps else None,
    }
