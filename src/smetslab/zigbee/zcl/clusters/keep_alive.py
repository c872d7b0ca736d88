"""Keep-Alive, cluster 0x0025: how the devices of a home notice that their hub is gone.

A device reads the two attributes of the hub every base period and some jitter; when it has not got them a few
times it looks for its network again.

Spec: ZSE 1.4 annex A (Keep-Alive cluster); GBCS 10 (unverified: identifiers and defaults are those of the
published libraries)
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import Cluster, attribute
from smetslab.zigbee.zcl.types import UInt8, UInt16


class KeepAlive(Cluster, id=0x0025, spec="ZSE 1.4 annex A (Keep-Alive)"):
    """Spec: ZSE 1.4 annex A."""

    tc_keep_alive_base = attribute(0x0000, UInt8, mandatory=True, default=10, units="minutes")
    tc_keep_alive_jitter = attribute(0x0001, UInt16, mandatory=True, default=300, units="seconds")
