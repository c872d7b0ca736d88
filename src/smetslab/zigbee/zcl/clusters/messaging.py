"""Messaging, cluster 0x0703: texts for the consumer.

Spec: ZSE 1.4 D.5; GBCS use case GCS07
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, command
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import fields, optional
from smetslab.zigbee.zcl.named import Bits, Part, StartTime, Time
from smetslab.zigbee.zcl.types import Bitmap8, UInt16

MessageControl = Bits(
    Bitmap8,
    transmission=Part(2, {0: "normal", 1: "normal_and_inter_pan", 2: "inter_pan"}),
    importance=Part(2, {0: "low", 1: "medium", 2: "high", 3: "critical"}),
    reserved_low=Part(1),
    enhanced_confirmation_required=Part(1),
    reserved_high=Part(1),
    message_confirmation_required=Part(1),
)
"""Spec: ZSE 1.4 D.5.2.3.1."""


class Messaging(Cluster, id=0x0703, spec="ZSE 1.4 D.5"):
    """Spec: ZSE 1.4 D.5."""

    get_last_message = command(0x00, CLIENT_TO_SERVER)
    message_confirmation = command(
        0x01,
        CLIENT_TO_SERVER,
        fields(
            message_id=Time,
            confirmation_time=Time,
            message_confirmation_control=optional(Bits(Bitmap8, no_returned=Part(1), yes_returned=Part(1))),
            message_response=optional(meanings.Text),
        ),
    )
    display_message = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            message_id=Time,
            message_control=MessageControl,
            start_time=StartTime,
            duration_in_minutes=UInt16,
            message=meanings.Text,
            extended_message_control=optional(Bits(Bitmap8, message_confirmation_status=Part(1))),
        ),
    )
    cancel_message = command(0x01, SERVER_TO_CLIENT, fields(message_id=Time, message_control=MessageControl))
    cancel_all_messages = command(0x03, SERVER_TO_CLIENT, fields(implementation_date_time=StartTime))
