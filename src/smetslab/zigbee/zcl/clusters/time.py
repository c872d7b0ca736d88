"""Time, cluster 0x000A: where the devices of a home get their time.

Spec: ZCL 3.12
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import Cluster, attribute
from smetslab.zigbee.zcl.named import Flags
from smetslab.zigbee.zcl.named import Time as Moment
from smetslab.zigbee.zcl.types import Bitmap8

TimeStatus = Flags(Bitmap8, {0: "master", 1: "synchronised", 2: "master_zone_dst", 3: "superseding"})
"""Spec: ZCL 3.12.2.2.2."""

MASTER_AND_SUPERSEDING = 0x09
"""The status of a server with reliable time. Spec: GBCS 9.1."""


class Time(Cluster, id=0x000A, spec="ZCL 3.12"):
    """Spec: ZCL 3.12."""

    time = attribute(0x0000, Moment, mandatory=True)
    time_status = attribute(0x0001, TimeStatus, mandatory=True, default=MASTER_AND_SUPERSEDING)
