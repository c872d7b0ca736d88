"""Event logs, event settings, billing and prepayment logs.

Spec: SMETS 5.7.5; GBCS use cases ECS15a, ECS20a to ECS21b, ECS25a to ECS25r2, ECS35a, ECS35b, ECS35e.
"""

from __future__ import annotations

from smetslab.devices.cosem.model import Attribute, CosemObject, buffer, cosem_object, method, stored
from smetslab.devices.event_settings import factory_settings
from smetslab.devices.limits import (
    BILLING_LOG_ENTRIES,
    EVENT_LOG_ENTRIES,
    MODE_LOG_ENTRIES,
    PREPAYMENT_CREDIT_ENTRIES,
    PREPAYMENT_DAILY_ENTRIES,
    PREPAYMENT_REPAYMENT_ENTRIES,
)
from smetslab.gbcs.values import Value

_NOTHING: Value = {"mask": [], "actions": []}
_SUPPLIER, _NETWORK_OPERATOR = "0-30:97.98", "0-33:97.98"


_FACTORY = factory_settings()


def _setting(obis: str, attribute: Attribute) -> CosemObject:
    return cosem_object(1, obis, attribute)


OBJECTS: tuple[CosemObject, ...] = (
    cosem_object(
        7,
        "0-0:99.98.0.255",
        buffer(2, "event_log", capacity=EVENT_LOG_ENTRIES),
        method(1, "clear_event_log"),
    ),
    cosem_object(7, "0-0:99.98.1.255", buffer(2, "security_log", capacity=EVENT_LOG_ENTRIES)),
    cosem_object(7, "0-0:99.98.4.255", buffer(2, "power_event_log", capacity=EVENT_LOG_ENTRIES)),
    cosem_object(
        7,
        "0-0:98.1.0.255",
        buffer(2, "billing_calendar_triggered_billing_data_log", capacity=BILLING_LOG_ENTRIES),
    ),
    cosem_object(
        7,
        "0-0:98.1.1.255",
        buffer(2, "billing_calendar_triggered_balances_log", capacity=BILLING_LOG_ENTRIES),
    ),
    cosem_object(
        7,
        "0-0:98.1.2.255",
        buffer(2, "mode_or_tariff_triggered_billing_data_log", capacity=MODE_LOG_ENTRIES),
    ),
    cosem_object(
        7,
        "0-0:98.1.4.255",
        buffer(2, "payment_based_debt_repayments", capacity=PREPAYMENT_REPAYMENT_ENTRIES),
    ),
    cosem_object(7, "0-0:98.1.5.255", buffer(2, "prepayment_credits", capacity=PREPAYMENT_CREDIT_ENTRIES)),
    cosem_object(
        7, "0-0:98.1.8.255", buffer(2, "prepayment_daily_read_log", capacity=PREPAYMENT_DAILY_ENTRIES)
    ),
    # Which events are told, shared, heard and logged
    _setting(f"{_SUPPLIER}.11.255", stored(2, "wan_alerting_mask", _NOTHING)),
    _setting(f"{_SUPPLIER}.12.255", stored(2, "han_sharing_mask", _NOTHING)),
    _setting(f"{_SUPPLIER}.13.255", stored(2, "alarms_mask", _NOTHING)),
    _setting(f"{_SUPPLIER}.14.255", stored(2, "logging_mask", _NOTHING)),
    _setting(f"{_SUPPLIER}.15.255", stored(2, "wan_alerting", _FACTORY["wan_alerting"])),
    _setting(f"{_SUPPLIER}.16.255", stored(2, "han_sharing", _FACTORY["han_sharing"])),
    _setting(f"{_SUPPLIER}.17.255", stored(2, "alarms", _FACTORY["alarms"])),
    _setting(f"{_SUPPLIER}.18.255", stored(2, "logging", _FACTORY["logging"])),
    _setting(f"{_NETWORK_OPERATOR}.11.255", stored(2, "network_wan_alerting_mask", _NOTHING)),
    _setting(f"{_NETWORK_OPERATOR}.14.255", stored(2, "network_logging_mask", _NOTHING)),
    _setting(
        f"{_NETWORK_OPERATOR}.15.255", stored(2, "network_wan_alerting", _FACTORY["network_wan_alerting"])
    ),
    _setting(f"{_NETWORK_OPERATOR}.18.255", stored(2, "network_logging", _FACTORY["network_logging"])),
)

MASKS: dict[str, str] = {
    "wan_alerting_mask": "wan_alerting",
    "han_sharing_mask": "han_sharing",
    "alarms_mask": "alarms",
    "logging_mask": "logging",
    "network_wan_alerting_mask": "network_wan_alerting",
    "network_logging_mask": "network_logging",
}
"""Attributes that change a setting, and the attribute that shows it."""
