"""The HAN: APS frames between the devices of one premises, and the tunnels that carry GBCS over them.

Whoever stands on `ApsService` cannot tell a simulated link from a radio; what it sends and receives are
always ZCL frames, GBCS messages inside Tunnelling transfers included. This package knows no device model
and no GBCS.
"""

from smetslab.han.direct import DirectLink, DirectMedium
from smetslab.han.limits import SMART_ENERGY_PROFILE
from smetslab.han.service import ApsFrame, ApsService, ClusterRole, Han
from smetslab.han.tunnel import TunnelClient, TunnelEndpoint, TunnelServer
from smetslab.han.tunnel_rules import TunnelRules

__all__ = [
    "SMART_ENERGY_PROFILE",
    "ApsFrame",
    "ApsService",
    "ClusterRole",
    "DirectLink",
    "DirectMedium",
    "Han",
    "TunnelClient",
    "TunnelEndpoint",
    "TunnelRules",
    "TunnelServer",
]
