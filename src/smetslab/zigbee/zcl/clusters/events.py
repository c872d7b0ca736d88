"""Events, cluster 0x0709: event and security logs.

Spec: ZSE 1.4 D.11; GBCS use cases CS10a, CS10b, CS11
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, command
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import fields, to_end
from smetslab.zigbee.zcl.named import Bits, EventCode, Flags, Part, Time
from smetslab.zigbee.zcl.types import Bitmap8, Octets, UInt8, UInt16

LogPayloadControl = Bits(
    Bitmap8,
    log_payload_control=Part(4, {0: "events_within_frame", 1: "events_cross_frame_boundary"}),
    number_of_events_in_payload=Part(4),
)
"""Spec: ZSE 1.4 D.11.2.4.2. The vectors leave the number zero, however many events there are."""

EventControl = Flags(Bitmap8, {0: "report_to_han", 1: "report_to_wan"})
"""Spec: ZSE 1.4 D.11.2.4.1."""


class Events(Cluster, id=0x0709, spec="ZSE 1.4 D.11"):
    """Spec: ZSE 1.4 D.11."""

    get_event_log = command(
        0x00,
        CLIENT_TO_SERVER,
        fields(
            event_control_log_id=meanings.EventControlAndLogId,
            event_id=EventCode,
            start_time=Time,
            end_time=Time,
            number_of_events=UInt8,
            event_offset=UInt16,
        ),
    )
    clear_event_log_request = command(0x01, CLIENT_TO_SERVER, fields(log_id=meanings.LogId))

    publish_event = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            log_id=meanings.LogId,
            event_id=EventCode,
            event_time=Time,
            event_control=EventControl,
            event_data=Octets,
        ),
    )
    publish_event_log = command(
        0x01,
        SERVER_TO_CLIENT,
        fields(
            number_of_events=UInt16,
            command_index=UInt8,
            total_commands=UInt8,
            log_payload_control=LogPayloadControl,
            log_payload=to_end(
                fields(
                    log_id=meanings.LogId,
                    event_id=EventCode,
                    event_time=Time,
                    event_data=Octets,
                )
            ),
        ),
    )
    clear_event_log_response = command(
        0x02, SERVER_TO_CLIENT, fields(cleared_event_logs=meanings.ClearedLogs)
    )
