"""Sub-GHz, cluster 0x070B: what a hub tells the devices on its sub-GHz radio of channels and of silence.

Spec: ZSE 1.4 D.14 (Sub-GHz; the section is unverified, identifiers are those of published libraries); GBCS
10.6
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.fields import fields
from smetslab.zigbee.zcl.types import Bitmap32, UInt8


class SubGhz(Cluster, id=0x070B, spec="ZSE 1.4 D.14 (Sub-GHz)"):
    """Spec: ZSE 1.4 D.14. The page of each mask stands in its five highest bits."""

    channel_change = attribute(0x0000, Bitmap32, mandatory=True)
    page_28_channel_mask = attribute(0x0001, Bitmap32, mandatory=True)
    page_29_channel_mask = attribute(0x0002, Bitmap32, mandatory=True)
    page_30_channel_mask = attribute(0x0003, Bitmap32, mandatory=True)
    page_31_channel_mask = attribute(0x0004, Bitmap32, mandatory=True)

    get_suspend_zcl_messages_status = command(0x00, CLIENT_TO_SERVER)
    suspend_zcl_messages = command(0x00, SERVER_TO_CLIENT, fields(period=UInt8))
    """`period`: how many minutes nothing is to be sent; 0 ends the silence."""
