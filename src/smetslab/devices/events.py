"""Event and alert codes: into which log each goes and which alert it sends to whom, as a table.

Spec: GBCS 16.2 (codes); factory routing of makers where GBCS leaves it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from smetslab.devices.event_log import LogName

AlertKind = Literal["GCA", "GNCA"]

LOW_CREDIT = 0x810D
CREDIT_ADDED_LOCALLY = 0x810E
EMERGENCY_CREDIT_AVAILABLE = 0x8119
CLOCK_ADJUSTED = 0x8145
USER_COMMAND_DONE = 0x8161
USER_COMMAND_FAILED = 0x8162
ARMED_BY_EMERGENCY_CREDIT = 0x8168
TIME_DEBT_1_CLEARED = 0x81A7
TIME_DEBT_2_CLEARED = 0x81A8
PAYMENT_DEBT_CLEARED = 0x81A9
EMERGENCY_CREDIT_EXHAUSTED = 0x81AA
EMERGENCY_CREDIT_ACTIVATED = 0x81AB
UTRN_ENTRY_SUSPENDED = 0x81C4
UTRN_LOCKED_OUT = 0x81C5
CLOCK_NOT_ADJUSTED = 0x81C6
CLOCK_BEYOND_TOLERANCE = 0x8F0C
CREDIT_BELOW_DISABLEMENT_THRESHOLD = 0x8F0F
CHF_LOG_CHANGED = 0x8F12
FIRMWARE_NOT_VERIFIED_AT_POWER_ON = 0x8F1B
FIRMWARE_NOT_VERIFIED = 0x8F1C
CONTENT_CHECK_FAILED = 0x8F1E
LIMITED_DUTY_CYCLE = 0x8F20
BELOW_LIMITED_DUTY_CYCLE = 0x8F21
CRITICAL_DUTY_CYCLE = 0x8F22
BELOW_CRITICAL_DUTY_CYCLE = 0x8F23
REGULATED_DUTY_CYCLE = 0x8F24
BELOW_REGULATED_DUTY_CYCLE = 0x8F25
CHANNEL_CHANGED = 0x8F26
SCAN_INITIATED = 0x8F27
SCAN_ASSESSED = 0x8F28
GSME_NOT_FOUND = 0x8F29
SUB_GHZ_CONFIGURED = 0x8F2A
CHANNEL_NOT_CHANGED = 0x8F2B
DISCARDED_FOR_DUTY_CYCLE = 0x8F2C
NO_SUB_GHZ_CAPACITY = 0x8F2D
NO_AUTHORITY = 0x8F30
SUPPLY_ARMED = 0x8F32
AUTHENTICATION_FAILED = 0x8F3D
UNAUTHORISED_ACCESS = 0x8F3E
FIRMWARE_CHANGED = 0x8F43
BALANCE_WOULD_EXCEED_MAXIMUM = 0x8F47
NOT_JOINED = 0x8F48
JOINED = 0x8F49
NOT_UNJOINED = 0x8F4A
UNJOINED = 0x8F4B
OWN_SIGNING_NOT_REPLACED = 0x8F4C
OWN_SIGNING_REPLACED = 0x8F4D
OWN_AGREEMENT_NOT_REPLACED = 0x8F4E
OWN_AGREEMENT_REPLACED = 0x8F4F
DUPLICATE_UTRN = 0x8F51
EVENT_LOG_CLEARED = 0x8F52
NOT_COVERED_BY_OTHER_CODES = 0x8F53
UTRN_EXCEEDS_MAXIMUM = 0x8F5B
UNUSUAL_NUMBER_OF_COMMANDS = 0x8F60
UTRN_NOT_AUTHENTIC = 0x8F63
FUTURE_DATED_DONE = 0x8F66
FUTURE_DATED_FAILED = 0x8F67
CREDENTIALS_UPDATED = 0x8F70
FIRMWARE_VERIFIED = 0x8F72
DISABLEMENT_SUSPENDED = 0x8F83
NOT_DELIVERED_TO_ESME = 0x8F84
COMMAND_NOT_SUPPORTED = 0x8F85
INTEGRITY_WARNING = 0x81A0
BILLING_DATA_LOG_UPDATED = 0x8F0A
SUPPLY_RESTORED = 0x8F35
SUPPLY_RESTORED_AFTER_LONG = 0x8F36
LIMIT_PROCESSED = 0x8F86
LIMIT_ENDED = 0x8F87
OPERATIONAL_UPDATE = 0x8F88
FIRMWARE_TRANSFER_FAILED = 0x8F89
FIRMWARE_TRANSFERRED = 0x8F8A
FIRMWARE_VERSION_TOLD = 0x8F8B


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event is written, and how the party that the device answers to is told."""

    log: LogName | None
    alert: AlertKind | None


ROUTES: Mapping[int, Route] = {
    LOW_CREDIT: Route(None, "GNCA"),
    CREDIT_ADDED_LOCALLY: Route(None, "GNCA"),
    EMERGENCY_CREDIT_AVAILABLE: Route(None, "GNCA"),
    ARMED_BY_EMERGENCY_CREDIT: Route(None, None),
    TIME_DEBT_1_CLEARED: Route("event", "GNCA"),
    TIME_DEBT_2_CLEARED: Route("event", "GNCA"),
    PAYMENT_DEBT_CLEARED: Route("event", "GNCA"),
    EMERGENCY_CREDIT_EXHAUSTED: Route("event", "GNCA"),
    EMERGENCY_CREDIT_ACTIVATED: Route("event", "GNCA"),
    UTRN_ENTRY_SUSPENDED: Route("event", "GNCA"),
    UTRN_LOCKED_OUT: Route("event", "GNCA"),
    CREDIT_BELOW_DISABLEMENT_THRESHOLD: Route(None, "GCA"),
    DISABLEMENT_SUSPENDED: Route(None, "GCA"),
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
    EVENT_LOG_CLEARED: Route("security", None),
    DUPLICATE_UTRN: Route("security", "GCA"),
    NOT_COVERED_BY_OTHER_CODES: Route("security", None),
    UTRN_EXCEEDS_MAXIMUM: Route("security", "GCA"),
    UNUSUAL_NUMBER_OF_COMMANDS: Route("security", "GCA"),
    UTRN_NOT_AUTHENTIC: Route("security", "GCA"),
    NOT_DELIVERED_TO_ESME: Route("event", None),
    # What a hub tells by use cases of its own is only logged here; see `devices.chf_core`.
    CHF_LOG_CHANGED: Route("security", None),
    LIMITED_DUTY_CYCLE: Route(None, None),
    BELOW_LIMITED_DUTY_CYCLE: Route(None, None),
    CRITICAL_DUTY_CYCLE: Route(None, "GCA"),
    BELOW_CRITICAL_DUTY_CYCLE: Route(None, "GCA"),
    REGULATED_DUTY_CYCLE: Route(None, "GCA"),
    BELOW_REGULATED_DUTY_CYCLE: Route(None, "GCA"),
    CHANNEL_CHANGED: Route(None, None),
    SCAN_INITIATED: Route(None, None),
    SCAN_ASSESSED: Route(None, None),
    GSME_NOT_FOUND: Route("event", "GCA"),
    SUB_GHZ_CONFIGURED: Route("event", None),
    CHANNEL_NOT_CHANGED: Route(None, "GCA"),
    DISCARDED_FOR_DUTY_CYCLE: Route("event", None),
    NO_SUB_GHZ_CAPACITY: Route("event", None),
    FIRMWARE_TRANSFER_FAILED: Route("event", None),
    FIRMWARE_TRANSFERRED: Route("event", None),
    FIRMWARE_NOT_VERIFIED_AT_POWER_ON: Route("security", "GCA"),
    FIRMWARE_NOT_VERIFIED: Route("security", "GCA"),
    FIRMWARE_CHANGED: Route("security", None),
    # The alert of 8F72 carries the hash of the image, in a use case of its own.
    FIRMWARE_VERIFIED: Route("security", None),
    NOT_JOINED: Route("security", None),
    JOINED: Route("security", None),
    NOT_UNJOINED: Route("security", None),
    UNJOINED: Route("security", None),
    OWN_SIGNING_NOT_REPLACED: Route("security", None),
    OWN_SIGNING_REPLACED: Route("security", None),
    OWN_AGREEMENT_NOT_REPLACED: Route("security", None),
    OWN_AGREEMENT_REPLACED: Route("security", None),
    CREDENTIALS_UPDATED: Route("security", None),
}
"""Codes that a device of this laboratory raises. 0x8F66, 0x8F67 and 0x8F85 have alerts of their own use
cases."""


def route_of(code: int) -> Route:
    """What becomes of an event unless a device has other settings."""
    return ROUTES[code]
