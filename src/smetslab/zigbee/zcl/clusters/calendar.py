"""Calendar, cluster 0x0707: when which tariff rate applies, and when supply is not cut off.

Spec: ZSE 1.4 D.9; GBCS use cases GCS01a, GCS05, GCS21b, GCS21f
"""

from __future__ import annotations

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, command
from smetslab.zigbee.zcl.clusters import meanings
from smetslab.zigbee.zcl.fields import fields, to_end, variant
from smetslab.zigbee.zcl.named import Enumeration, FromTime, StartTimeFE, Time, ZclDate
from smetslab.zigbee.zcl.types import DataType, Enum8, UInt8, UInt16, UInt32

CalendarType = Enumeration(
    Enum8,
    {
        0: "delivered",
        1: "received",
        2: "delivered_and_received",
        3: "friendly_credit",
        4: "auxiliary_load_switch",
    },
)
"""Spec: ZSE 1.4 D.9.2.3.1; the friendly credit calendar is the non-disablement calendar of GBCS."""

CalendarTimeReference = Enumeration(Enum8, {0: "utc", 1: "standard_time", 2: "local_time"})
"""Spec: ZSE 1.4 D.9.2.3.1."""

RequestedCalendar = Enumeration(
    UInt32, {0xFFFFFFFF: "tariff_calendar", 0xFFFFFFFE: "non_disablement_calendar"}
)
"""The calendar in force of a kind, in requests. Spec: GBCS use cases GCS21f, GCS21b."""

IssuerEventFloor = Enumeration(UInt32, {0xFFFFFFFF: "not_used"})
"""Spec: ZSE 1.4 D.9.2.4.1."""

FriendlyCredit = Enumeration(UInt8, {0: "disabled", 1: "enabled"})


def _entries(name: str, meaning: DataType) -> DataType:
    """Switching times in minutes after midnight, with what begins then."""
    return to_end(fields(start_time=UInt16, **{name: meaning}))


class Calendar(Cluster, id=0x0707, spec="ZSE 1.4 D.9"):
    """Spec: ZSE 1.4 D.9."""

    get_calendar = command(
        0x00,
        CLIENT_TO_SERVER,
        fields(
            earliest_start_time=Time,
            minimum_issuer_event_id=IssuerEventFloor,
            number_of_calendars=UInt8,
            calendar_type=CalendarType,
            provider_id=UInt32,
        ),
    )
    get_day_profiles = command(
        0x01,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_calendar_id=RequestedCalendar,
            start_day_id=UInt8,
            number_of_days=UInt8,
        ),
    )
    get_week_profiles = command(
        0x02,
        CLIENT_TO_SERVER,
        fields(
            provider_id=UInt32,
            issuer_calendar_id=RequestedCalendar,
            start_week_id=UInt8,
            number_of_weeks=UInt8,
        ),
    )
    get_seasons = command(
        0x03, CLIENT_TO_SERVER, fields(provider_id=UInt32, issuer_calendar_id=RequestedCalendar)
    )
    get_special_days = command(
        0x04,
        CLIENT_TO_SERVER,
        fields(
            start_time=FromTime,
            number_of_events=UInt8,
            calendar_type=CalendarType,
            provider_id=UInt32,
            issuer_calendar_id=RequestedCalendar,
        ),
    )

    publish_calendar = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            issuer_calendar_id=UInt32,
            start_time=StartTimeFE,
            calendar_type=CalendarType,
            calendar_time_reference=CalendarTimeReference,
            calendar_name=meanings.Text,
            number_of_seasons=UInt8,
            number_of_week_profiles=UInt8,
            number_of_day_profiles=UInt8,
        ),
    )
    publish_day_profile = command(
        0x01,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            issuer_calendar_id=UInt32,
            day_id=UInt8,
            number_of_schedule_entries=UInt8,
            command_index=UInt8,
            number_of_commands=UInt8,
            calendar_type=CalendarType,
            schedule_entries=variant(
                "calendar_type",
                {
                    **dict.fromkeys((0, 1, 2), _entries("price_tier", UInt8)),
                    3: _entries("friendly_credit_enable", FriendlyCredit),
                    4: _entries("auxiliary_load_switch_state", UInt8),
                },
            ),
        ),
    )
    publish_week_profile = command(
        0x02,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            issuer_calendar_id=UInt32,
            week_id=UInt8,
            day_id_ref_monday=UInt8,
            day_id_ref_tuesday=UInt8,
            day_id_ref_wednesday=UInt8,
            day_id_ref_thursday=UInt8,
            day_id_ref_friday=UInt8,
            day_id_ref_saturday=UInt8,
            day_id_ref_sunday=UInt8,
        ),
    )
    publish_seasons = command(
        0x03,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            issuer_calendar_id=UInt32,
            command_index=UInt8,
            number_of_commands=UInt8,
            season_entries=to_end(fields(season_start_date=ZclDate, season_week_id_ref=UInt8)),
        ),
    )
    publish_special_days = command(
        0x04,
        SERVER_TO_CLIENT,
        fields(
            provider_id=UInt32,
            issuer_event_id=Time,
            issuer_calendar_id=UInt32,
            start_time=StartTimeFE,
            calendar_type=CalendarType,
            number_of_special_days=UInt8,
            command_index=UInt8,
            number_of_commands=UInt8,
            special_day_entries=to_end(fields(special_day_date=ZclDate, special_day_day_id_ref=UInt8)),
        ),
    )
