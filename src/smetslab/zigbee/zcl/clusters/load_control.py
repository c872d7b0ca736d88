"""Demand Response and Load Control, cluster 0x0701: what an ESME asks of HAN connected switches.

Spec: ZSE 1.4 D.2; GBCS use case HECS01; SMETS 5.22. How a switch's state stands in an event is unverified:
a duty cycle of 100 closes it, one of 0 opens it.
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.fields import exactly, fields
from smetslab.zigbee.zcl.named import Enumeration, StartTime, Time
from smetslab.zigbee.zcl.types import Bitmap8, Bitmap16, Int8, Int16, UInt8, UInt16, UInt32

EventStatus = Enumeration(
    UInt8,
    {
        0x01: "command_received",
        0x02: "event_started",
        0x03: "event_completed",
        0x04: "user_opted_out",
        0x05: "user_opted_in",
        0x06: "event_cancelled",
        0x07: "event_superseded",
        0xFE: "rejected_undefined_event",
    },
)
"""Spec: ZSE 1.4 D.2.3.3.1.1."""

_UNUSED_POINT = 0x8000


class LoadControl(Cluster, id=0x0701, spec="ZSE 1.4 D.2"):
    """Spec: ZSE 1.4 D.2."""

    utility_enrolment_group = attribute(0x0000, UInt8, server=False)
    start_randomisation_minutes = attribute(0x0001, UInt8, server=False, units="minutes")
    duration_randomisation_minutes = attribute(0x0002, UInt8, server=False, units="minutes")
    device_class = attribute(0x0003, UInt16, server=False)

    report_event_status = command(
        0x00,
        CLIENT_TO_SERVER,
        fields(
            issuer_event_id=UInt32,
            event_status=EventStatus,
            event_status_time=Time,
            criticality_level_applied=UInt8,
            cooling_temperature_set_point_applied=UInt16,
            heating_temperature_set_point_applied=UInt16,
            average_load_adjustment_applied=Int8,
            duty_cycle_applied=UInt8,
            event_control=Bitmap8,
            signature_type=UInt8,
            signature=exactly(42, UInt8),
        ),
    )
    get_scheduled_events = command(0x01, CLIENT_TO_SERVER, fields(start_time=Time, number_of_events=UInt8))

    load_control_event = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=UInt32,
            device_class=Bitmap16,
            utility_enrolment_group=UInt8,
            start_time=StartTime,
            duration_in_minutes=UInt16,
            criticality_level=UInt8,
            cooling_temperature_offset=UInt8,
            heating_temperature_offset=UInt8,
            cooling_temperature_set_point=Int16,
            heating_temperature_set_point=Int16,
            average_load_adjustment_percentage=Int8,
            duty_cycle=UInt8,
            event_control=Bitmap8,
        ),
    )
    cancel_load_control_event = command(
        0x01,
        SERVER_TO_CLIENT,
        fields(
            issuer_event_id=UInt32,
            device_class=Bitmap16,
            utility_enrolment_group=UInt8,
            cancel_control=Bitmap8,
            effective_time=StartTime,
        ),
    )
    cancel_all_load_control_events = command(0x02, SERVER_TO_CLIENT, fields(cancel_control=Bitmap8))
