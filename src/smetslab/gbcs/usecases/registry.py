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
    gasclock,
    hub,
    joining,
    logs,
    messaging,
    prepayment,
    reading,
    supply,
    tariff,
    voltage,
)
from smetslab.gbcs.usecases.model import UseCase
from smetslab.ids import format_message_code


def _build(rows: Iterable[UseCase]) -> tuple[dict[str, UseCase], dict[int, UseCase]]:
    names: dict[str, UseCase] = {}
    codes: dict[int, UseCase] = {}
    for row in rows:
        if row.name in names or row.code in codes:
            raise RegistryError(
                f"use case {row.name} ({format_message_code(row.code)}) is declared twice", rule="unique"
            )
        names[row.name] = row
        codes[row.code] = row
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
)

USE_CASES, _BY_CODE = _build(row for module in _MODULES for row in module.USE_CASES)
"""Every declared use case by its name."""


def by_code(code: int) -> UseCase | None:
    """The use case with this Message Code, None when none is declared."""
    return _BY_CODE.get(code)


def find(message: Message) -> UseCase | None:
    """The use case whose shape `message` should have, None when none is declared.

    By Message Code, where its kind (alert or not) fits. Generic alerts have one code for DLMS and GBZ
    content: an alert is only found when its content is of the declared kind.
    """
    use_case = _BY_CODE.get(message.message_code)
    if use_case is None or use_case.is_alert != (message.cra is Cra.ALERT):
        return None
    if use_case.is_alert and not use_case.payload.recognises(message.content):
        return None
    return use_case


def by_service_request(srv: str) -> tuple[UseCase, ...]:
    """The use cases that serve a Service Reference Variant, such as `4.1.1`."""
    return tuple(row for row in USE_CASES.values() if srv in row.service_requests)
