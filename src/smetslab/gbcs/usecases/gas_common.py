"""What the rows of gas use cases share."""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.elements import Elements
from smetslab.gbcs.usecases.common import SUPPLIER
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.model import UseCase

GSME = (DeviceType.GSME,)
GPF = (DeviceType.GPF,)
GPF_OR_GSME = GPF + GSME

FUTURE_DATED_ALERT = 0x00CD
"""The alert for each component of a future-dated GBZ command. Spec: GBCS 9.2."""


def gas(
    name: str,
    code: int,
    title: str,
    srv: str,
    exchanges: tuple[Exchange, ...],
    *,
    devices: tuple[DeviceType, ...] = GSME,
    roles: tuple[RemotePartyRole, ...] = SUPPLIER,
    critical: bool = False,
    replay_protected: bool | None = None,
    future_dateable: bool = False,
    date_time_in_response: bool = False,
    unverified: tuple[str, ...] = (),
    elements: Elements | None = None,
) -> UseCase:
    """A row with GBZ content. A critical one is replay protected unless it says otherwise; spec: GBCS
    4.3.1."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=devices,
        critical=critical,
        payload=GbzAccess(exchanges, elements or {}),
        originator_roles=roles,
        service_requests=(srv,),
        replay_protected=critical if replay_protected is None else replay_protected,
        future_dateable=future_dateable,
        date_time_in_response=date_time_in_response,
        alerts=(FUTURE_DATED_ALERT,) if future_dateable else (),
        unverified=unverified,
    )
