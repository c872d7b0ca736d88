"""The ZigBee Cluster Library: data types, frames, foundation commands and declared clusters.

There is one ZCL in smetslab: the HAN sends these frames and GBCS puts them into its GBZ payloads. A cluster
is a declaration (`smetslab.zigbee.zcl.cluster`) that is compiled when its class is made; this package does
not know who sends what to whom.
"""

from smetslab.zigbee.zcl.cluster import (
    CLIENT_TO_SERVER,
    CLUSTERS,
    SERVER_TO_CLIENT,
    Attribute,
    Cluster,
    Command,
    Direction,
    attribute,
    cluster_named,
    command,
    find_command,
)
from smetslab.zigbee.zcl.fields import (
    Fields,
    Record,
    counted,
    exactly,
    fields,
    optional,
    rest,
    to_end,
    variant,
)
from smetslab.zigbee.zcl.frame import ZclFrame, decode_frame

__all__ = [
    "CLIENT_TO_SERVER",
    "CLUSTERS",
    "SERVER_TO_CLIENT",
    "Attribute",
    "Cluster",
    "Command",
    "Direction",
    "Fields",
    "Record",
    "ZclFrame",
    "attribute",
    "cluster_named",
    "command",
    "counted",
    "decode_frame",
    "exactly",
    "fields",
    "find_command",
    "optional",
    "rest",
    "to_end",
    "variant",
]
