"""GBZ components in templates: written as the fields of each command; cluster, name and reads come from the
declaration of the use case.

Spec: GBCS 7.2.9 (GBZ payload).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from smetslab.duis.srv.derived import Grouped
from smetslab.duis.srv.forms import ACTIVATION
from smetslab.duis.srv.holes import At, Choose, Fact, ForEach, Repeat, Switch
from smetslab.duis.srv.template import ABSENT, Template
from smetslab.errors import RegistryError
from smetslab.gbcs.gbz.components import COMPONENTS
from smetslab.gbcs.gbz.naming import attribute_name, cluster_name, command_name
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import IMMEDIATE

ACTIVATION_TIME: Final = At("/ExecutionDateTime", ACTIVATION, absent=IMMEDIATE)
"""The time of activation, or that it is now. Spec: GBCS 9.2."""

PROVIDER: Final = 0
NOW: Final = Fact("now")
"""The issuer event id and the message id: a time stamp of the head end. Spec: ZSE 1.4 (issuer event id)."""

ISSUED: Final[dict[str, Template]] = {"provider_id": PROVIDER, "issuer_event_id": NOW}


def is_gbz(use_case: UseCase) -> bool:
    return isinstance(use_case.payload, GbzAccess)


def of(use_case: UseCase, fields: Mapping[str, Template]) -> dict[str, Template]:
    """The template of all components. Raises RegistryError when `fields` names no command of the use case."""
    if not isinstance(use_case.payload, GbzAccess):
        raise RegistryError(f"{use_case.name} has no GBZ content", rule="components")
    left = dict(fields)
    items: list[Template] = []
    for exchange in use_case.payload.exchanges:
        if exchange.command is None:
            items.append(_head(exchange))
            continue
        name = command_name(exchange.request)
        if name in left:
            items += _with_head(_head(exchange), left.pop(name))
        elif exchange.least:
            items.append(_head(exchange))
    if left:
        raise RegistryError(f"{use_case.name} has no command {', '.join(left)}", rule="components")
    return {COMPONENTS: items}


def _head(exchange: Exchange) -> dict[str, Template]:
    head: dict[str, Template] = {
        "cluster": cluster_name(exchange.cluster),
        "command": command_name(exchange.request),
    }
    if exchange.command is None:
        head["attributes"] = [attribute_name(exchange.cluster, one.id) for one in exchange.attributes]
    return head


def _with_head(head: dict[str, Template], given: Template) -> list[Template]:
    """The component or components, each with its head."""
    if isinstance(given, ForEach | Repeat | Grouped):
        return [replace(given, template=_one(head, given.template))]
    if isinstance(given, Choose):
        return [replace(given, cases={name: _one(head, case) for name, case in given.cases.items()})]
    if isinstance(given, Switch):
        return [replace(given, cases={value: _one(head, case) for value, case in given.cases.items()})]
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [_one(head, one) for one in given]
    return [_one(head, given)]


def _one(head: dict[str, Template], fields: Template) -> Template:
    if fields is ABSENT:
        return fields
    if not isinstance(fields, Mapping):
        raise TypeError("not the fields of a component")
    return {**head, **fields}
