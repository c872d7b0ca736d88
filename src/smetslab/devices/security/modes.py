"""The modes of Update Security Credentials as a table: who authorises, and whose cells may change.

Spec: GBCS 13.3, use cases CS02b, CS02g.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from smetslab.gbcs.codes import RemotePartyRole

_EVERY_ROLE: Final = (
    RemotePartyRole.ROOT,
    RemotePartyRole.RECOVERY,
    RemotePartyRole.SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR,
    RemotePartyRole.ACCESS_CONTROL_BROKER,
    RemotePartyRole.TRANSITIONAL_COS,
    RemotePartyRole.WAN_PROVIDER,
    RemotePartyRole.LOAD_CONTROLLER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One credentials replacement mode.

    `authorised_by` names the role of the authorising cell, `targets` those whose cells may change.
    `names_cell` False: the authorising cell may be left out. `alert` is the use case of the alert of a
    future-dated one.
    """

    name: str
    authorised_by: RemotePartyRole
    targets: tuple[RemotePartyRole, ...]
    names_cell: bool = True
    alert: str = "CS02b-ALERT"

    @property
    def use_case(self) -> str:
        """The name of the use case: CS02b or CS02g, and the mode."""
        return f"{self.alert.partition('-')[0]}.{self.name}"


_ROWS = (
    Mode(name="rootBySupplier", authorised_by=RemotePartyRole.SUPPLIER, targets=(RemotePartyRole.ROOT,)),
    Mode(
        name="rootByWanProvider", authorised_by=RemotePartyRole.WAN_PROVIDER, targets=(RemotePartyRole.ROOT,)
    ),
    Mode(
        name="supplierBySupplier",
        authorised_by=RemotePartyRole.SUPPLIER,
        targets=(RemotePartyRole.SUPPLIER,),
    ),
    Mode(
        name="networkOperatorByNetworkOperator",
        authorised_by=RemotePartyRole.NETWORK_OPERATOR,
        targets=(RemotePartyRole.NETWORK_OPERATOR,),
    ),
    Mode(
        name="accessControlBrokerByACB",
        authorised_by=RemotePartyRole.ACCESS_CONTROL_BROKER,
        targets=(RemotePartyRole.ACCESS_CONTROL_BROKER,),
        names_cell=False,
    ),
    Mode(
        name="wanProviderByWanProvider",
        authorised_by=RemotePartyRole.WAN_PROVIDER,
        targets=(RemotePartyRole.WAN_PROVIDER,),
    ),
    Mode(
        name="transCoSByTransCoS",
        authorised_by=RemotePartyRole.TRANSITIONAL_COS,
        targets=(RemotePartyRole.TRANSITIONAL_COS,),
    ),
    Mode(
        name="supplierByTransCoS",
        authorised_by=RemotePartyRole.TRANSITIONAL_COS,
        targets=(RemotePartyRole.SUPPLIER,),
    ),
    Mode(
        name="anyExceptAbnormalRootByRecovery",
        authorised_by=RemotePartyRole.RECOVERY,
        targets=_EVERY_ROLE,
    ),
    Mode(name="anyByContingency", authorised_by=RemotePartyRole.ROOT, targets=_EVERY_ROLE),
    Mode(
        name="loadControllerByLoadController",
        authorised_by=RemotePartyRole.LOAD_CONTROLLER,
        targets=(RemotePartyRole.LOAD_CONTROLLER,),
        alert="CS02g-ALERT",
    ),
    Mode(
        name="loadControllerBySupplier",
        authorised_by=RemotePartyRole.SUPPLIER,
        targets=(RemotePartyRole.LOAD_CONTROLLER,),
        alert="CS02g-ALERT",
    ),
)

MODES: Final[Mapping[str, Mode]] = {row.name: row for row in _ROWS}
"""Every mode by the name that the schema has for it; the use case is `CS02b.NAME` or `CS02g.NAME`."""
