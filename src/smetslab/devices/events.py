"""Event and alert codes: into which log each goes and which alert it sends to whom, as a table.

Spec: GBCS 16.2 (codes); factory routing of makers where GBCS leaves it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from smetslab.devices.event_log import LogName

AlertKind = Literal["GCA", "GNCA"]

CLOCK_ADJUSTED = 0x8145
USER_COMMAND_DONE = 0x8161
USER_COMMAND_FAILED = 0x8162
CLOCK_NOT_ADJUSTED = 0x81C6
CLOCK_BEYOND_TOLERANCE = 0x8F0C
CONTENT_CHECK_FAILED = 0x8F1E
NO_AUTHORITY = 0x8F30
SUPPLY_ARMED = 0x8F32
AUTHENTICATION_FAILED = 0x8F3D
UNAUTHORISED_ACCESS = 0x8F3E
BALANCE_WOULD_EXCEED_MAXIMUM = 0x8F47
DUPLICATE_UTRN = 0x8F51
NOT_COVERED_BY_OTHER_CODES = 0x8F53
UTRN_EXCEEDS_MAXIMUM = 0x8F5B
UNUSUAL_NUMBER_OF_COMMANDS = 0x8F60
UTRN_NOT_AUTHENTIC = 0x8F63
FUTURE_DATED_DONE = 0x8F66
FUTURE_DATED_FAILED = 0x8F67
NOT_DELIVERED_TO_ESME = 0x8F84
COMMAND_NOT_SUPPORTED = 0x8F85


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event is written, and how the party that the device answers to is told."""

    log: LogName | None
    alert: AlertKind | None


ROUTES: Mapping[int, Route] = {
    CLOCK_ADJUSTED: Route("event", None),
    USER_COMMAND_DONE: Route("event", "GNCA"),
    USER_COMMAND_FAILED: Route("event", "GNCA"),
    CLOCK_NOT_ADJUSTED: Route("event", "GNCA"),
    CLOCK_BEYOND_TOLERANCE: Route("security", "GCA"),
    CONTENT_CHECK_FAILED: Route("security", "GCA"),
    NO_AUTHORITY: Route(None, "GCA"),
    SUPPLY_ARMED: Route("event", "GCA"),
    # One maker raises 8F3D without a log entry and logs 8F53 without an alert for the same failure.
    AUTHENTICATION_FAILED: Route(None, "GCA"),
    UNAUTHORISED_ACCESS: Route("security", None),
    BALANCE_WOULD_EXCEED_MAXIMUM: Route("security", None),
    DUPLICATE_UTRN: Route("security", "GCA"),
    NOT_COVERED_BY_OTHER_CODES: Route("security", None),
    UTRN_EXCEEDS_MAXIMUM: Route("security", "GCA"),
    UNUSUAL_NUMBER_OF_COMMANDS: Route("security", "GCA"),
    UTRN_NOT_AUTHENTIC: Route("security", "GCA"),
    NOT_DELIVERED_TO_ESME: Route("event", None),
}
"""Codes that a device of this laboratory raises. 0x8F66, 0x8F67 and 0x8F85 have alerts of their own use
cases."""
