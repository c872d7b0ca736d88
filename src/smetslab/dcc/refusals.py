"""Refusals that are about a command, not about its request: which response code says what.

Which of a service's codes means what is not published: all are unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from smetslab.dcc.transform import role_of
from smetslab.duis.codes import ResponseCode, UserRole
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice

UNTRANSFORMABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "8.7.1": "E080702",
        "8.7.2": "E080702",
        "8.8.1": "E080801",
        "8.8.2": "E080801",
        "8.12.1": "E081204",
        "8.12.2": "E081204",
    }
)
"""Refusals of requests that name another device, or its log, of which the DCC knows too little."""

OF_ANOTHER_ROLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ElectricitySupplierAlerts": "E062201",
        "ElectricitySupplierHANAlertSettings": "E062201",
        "ElectricitySupplierAlarmSettings": "E062201",
        "ElectricitySupplierLoggingSettings": "E062201",
        "ElectricityNetworkOperatorAlerts": "E062202",
        "ElectricityNetworkOperatorLoggingSettings": "E062202",
        "GasSupplierAlerts": "E062203",
        "GasSupplierAlertEventSettings": "E062203",
    }
)
"""Refusals of 6.22, which has a choice for each kind of party, where the choice is not for the user or its
device. The schema has three such codes.
"""


def choice_code(elements: Parameters, otherwise: str = ResponseCode.UNASSIGNED) -> str:
    """The code that refuses what a request has chosen to ask."""
    return next((OF_ANOTHER_ROLE[name] for name in elements if name in OF_ANOTHER_ROLE), otherwise)


def role_fault(
    use_case: UseCase, device: InventoryDevice, originator: Eui64, roles: tuple[UserRole, ...]
) -> str | None:
    """Why a device would do nothing for this originator of a command, None when it may.

    An eligible role is not enough where each role has a use case of its own. Spec: GBCS 6.2.4.
    """
    if any(role_of((role,)) in use_case.originator_roles for role in roles):
        return None
    if device.knows(originator, use_case.originator_roles):
        return None
    parties = ", ".join(role.name.lower() for role in use_case.originator_roles)
    return f"{use_case.name} is for {parties}, which {originator} is not to the device"
