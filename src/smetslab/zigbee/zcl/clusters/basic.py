"""Basic, cluster 0x0000: what a device is.

Spec: ZCL 3.2 (Basic cluster); GBCS use cases GCS21e, GCS21m
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import Cluster, attribute
from smetslab.zigbee.zcl.types import Text, UInt8


class Basic(Cluster, id=0x0000, spec="ZCL 3.2"):
    """Spec: ZCL 3.2."""

    hw_version = attribute(0x0003, UInt8)
    manufacturer_name = attribute(0x0004, Text)
    model_identifier = attribute(0x0005, Text)
