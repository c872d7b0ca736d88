"""Layers for scapy where it has none: the Smart Energy clusters as declared here, the header of GB tunnels,
and the headers of GBCS messages. For people who take frames apart or make them up with scapy.

Nothing of the laboratory imports this package, and it imports no radio library: scapy is GPL-2.0-only, zigpy
GPL-3.0. It needs the extra `scapy`. `install()` lets scapy's own ZigBee layers go on with these.
"""

from smetslab.scapy_layers.clusters import COMMAND_LAYERS, ZclCommand, install
from smetslab.scapy_layers.gbcs import GbcsGroupingHeader, GbcsMacHeader, GbTunnelHeader

__all__ = [
    "COMMAND_LAYERS",
    "GbTunnelHeader",
    "GbcsGroupingHeader",
    "GbcsMacHeader",
    "ZclCommand",
    "install",
]
