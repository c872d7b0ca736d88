"""The engine of the service table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from smetslab.clock import Clock
from smetslab.dcc.desk import firmware, hubs, inventory, local, schedules
from smetslab.dcc.desk.model import Call, Office, Service
from smetslab.dcc.intake import Refused, Served
from smetslab.duis.codes import UserRole
from smetslab.duis.document import Request
from smetslab.duis.srv import ServiceRequest
from smetslab.errors import LocalProtocolError
from smetslab.gbcs.values import Parameters

_MODULES = (schedules, inventory, local, hubs, firmware)

SERVICES: Final[Mapping[str, Service]] = MappingProxyType(
    {service.variant: service for module in _MODULES for service in module.SERVICES}
)
"""Every service that the DCC does itself, by its variant."""


class ServiceDesk:
    """Does what non-device requests ask: the first rule that fails refuses, else the service acts."""

    def __init__(self, office: Office, clock: Clock) -> None:
        self._office = office
        self._clock = clock

    def serve(
        self, row: ServiceRequest, request: Request, elements: Parameters, roles: tuple[UserRole, ...]
    ) -> Served | Refused:
        """The answer to a request that passed access control. Raises DuisError."""
        service = SERVICES.get(row.variant)
        if service is None:
            raise LocalProtocolError(f"no service is declared for {row.variant}")
        call = Call(
            office=self._office,
            row=row,
            request=request,
            elements=elements,
            roles=roles,
            now=self._clock.now(),
        )
        for rule in service.rules:
            if rule.switch and not getattr(self._office.rules, rule.switch):
                continue
            reason = rule.fault(call)
            if reason is not None:
                return Refused(rule.name, rule.code, reason)
        return service.act(call)
