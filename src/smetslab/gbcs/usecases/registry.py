"""The registry: every declared use case by name and by Message Code. Refuses duplicates at import."""

from __future__ import annotations

from collections.abc import Iterable

from smetslab.errors import RegistryError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import (
    activation,
    alerts,
    auxiliary,
    clock,
    configuration,
    credentials,
    devicelog,
    eventsettings,
    firmware,
    gas_alerts,
    gas_configuration,
    gas_prepayment,
    gas_reading,
    gas_supply,
    gas_tariff,
    gasclock,
    hub,
    joining,
    logs,
    messaging,
    ppmid,
    prepayment,
    reading,
    supply,
    tariff,
    voltage,
)
from smetslab.gbcs.usecases.model import UseCase
from smetslab.ids import format_message_code


def _build(rows: Iterable[UseCase]) -> tuple[dict[str, UseCase], dict[int, tuple[UseCase, ...]]]:
    """The rows by name and by code. Alerts may share a code when their payloads are of different kinds."""
    names: dict[str, UseCase] = {}
    codes: dict[int, tuple[UseCase, ...]] = {}
    for row in rows:
        others = codes.get(row.code, ())
        shared = all(
            row.is_alert and other.is_alert and type(row.payload) is not type(other.payload)
            for other in others
        )
        if row.name in names or not shared:
            raise RegistryError(
                f"use case {row.name} ({format_message_code(row.code)}) is declared twice", rule="unique"
            )
        names[row.name] = row
        codes[row.code] = (*others, row)
    replaced: set[str] = set()
    for row in names.values():
        if row.replaces is None:
            continue
        if row.replaces not in names or row.replaces in replaced or row.replaces == row.name:
            raise RegistryError(f"use case {row.name} cannot replace {row.replaces}", rule="forms")
        replaced.add(row.replaces)
    return names, codes


_MODULES = (
    reading,
    tariff,
    prepayment,
    supply,
    voltage,
    configuration,
    auxiliary,
    eventsettings,
    logs,
    hub,
    firmware,
    clock,
    messaging,
    alerts,
    credentials,
    joining,
    activation,
    devicelog,
    gasclock,
    gas_tariff,
    gas_prepayment,
    gas_reading,
    gas_supply,
    gas_configuration,
    gas_alerts,
    ppmid,
)

USE_CASES, _BY_CODE = _build(row for module in _MODULES for row in module.USE_CASES)
"""Every declared use case by its name."""


def by_code(code: int) -> UseCase | None:
    """The use case with this Message Code, None when none is declared.

    Of generic alerts, which have one code for every kind of content, it is the one with DLMS content.
    """
    rows = _BY_CODE.get(code)
    return rows[0] if rows else None


def find(message: Message) -> UseCase | None:
    """The use case whose shape `message` should have, None when none is declared.

    By Message Code, where its kind (alert or not) fits. Generic alerts have one code for DLMS and GBZ
    content: an alert is only found when its content is of a declared kind.
    """
    is_alert = message.cra is Cra.ALERT
    for use_case in _BY_CODE.get(message.message_code, ()):
        if use_case.is_alert == is_alert and (not is_alert or use_case.payload.recognises(message.content)):
            return use_case
    return None


def by_service_request(srv: str) -> tuple[UseCase, ...]:
    """The use cases that serve a Service Reference Variant, such as `4.1.1`."""
    return tuple(row for row in USE_CASES.values() if srv in row.service_requests)
