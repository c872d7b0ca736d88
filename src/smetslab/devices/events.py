"""Event and alert codes: into which log each goes and which alert it sends to whom, as a table.

Spec: GBCS 16.2 (codes); factory routing of makers where GBCS leaves it open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from smetslab.devices.event_log import LogName
from smetslab.gbcs.codes import RemotePartyRole

AlertKind = Literal["GCA", "GNCA"]

LOW_CREDIT = 0x810D
CREDIT_ADDED_LOCALLY = 0x810E
EMERGENCY_CREDIT_AVAILABLE = 0x8119
AUXILIARY_SWITCH_FAILED = 0x811A
CLOCK_ADJUSTED = 0x8145
HAN_COMMAND_DONE = 0x8154
HAN_COMMAND_FAILED = 0x8155
USER_COMMAND_DONE = 0x8161
USER_COMMAND_FAILED = 0x8162
ARMED_BY_EMERGENCY_CREDIT = 0x8168
NOT_FETCHED = 0x819D
TAP_OFF_FAILED = 0x819E
INTEGRITY_WARNING = 0x81A0
BATTERY_COVER_CLOSED = 0x81A1
TIME_DEBT_1_CLEARED = 0x81A7
TIME_DEBT_2_CLEARED = 0x81A8
PAYMENT_DEBT_CLEARED = 0x81A9
EMERGENCY_CREDIT_EXHAUSTED = 0x81AA
EMERGENCY_CREDIT_ACTIVATED = 0x81AB
EXCESS_GAS_FLOW = 0x81B4
AIR_IN_GAS = 0x81B5
REVERSE_GAS_FLOW = 0x81B6
METER_COVER_CLOSED = 0x81B9
MAGNET_REMOVED = 0x81BC
SUPPLY_CONNECT_FAILED = 0x81BD
LOCKED_BY_TAMPER = 0x81BE
ARMED_BY_GAS_FLOW = 0x81BF
SUPPLY_DISCONNECT_FAILED = 0x81C0
TERMINAL_COVER_CLOSED = 0x81C1
SECOND_TERMINAL_COVER_CLOSED = 0x81C2
TILT = 0x81C3
UTRN_ENTRY_SUSPENDED = 0x81C4
UTRN_LOCKED_OUT = 0x81C5
CLOCK_NOT_ADJUSTED = 0x81C6
IMPORT_ABOVE_LOAD_LIMIT = 0x8F01
BILLING_DATA_LOG_UPDATED = 0x8F0A
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
ARMED_BY_LOAD_LIMIT = 0x8F33
ENABLED_AFTER_RESTORATION = 0x8F34
SUPPLY_RESTORED = 0x8F35
SUPPLY_RESTORED_AFTER_LONG = 0x8F36
AUTHENTICATION_FAILED = 0x8F3D
UNAUTHORISED_ACCESS = 0x8F3E
TAMPER = 0x8F3F
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
SUPPLY_INTERRUPTED = 0x8F57
UTRN_EXCEEDS_MAXIMUM = 0x8F5B
UNUSUAL_NUMBER_OF_COMMANDS = 0x8F60
UTRN_NOT_AUTHENTIC = 0x8F63
UTRN_NOT_FOR_THIS_DEVICE = 0x8F64
"""Unverified: nothing raises it. The MAC of a code covers the device that it is for, so a meter cannot tell a
code for another device from one that is not authentic (0x8F63); no published text says how it could.
"""
FUTURE_DATED_DONE = 0x8F66
FUTURE_DATED_FAILED = 0x8F67
CREDENTIALS_UPDATED = 0x8F70
FIRMWARE_VERIFIED = 0x8F72
BATTERY_COVER_OPENED = 0x8F73
METER_COVER_OPENED = 0x8F74
STRONG_MAGNET = 0x8F75
TERMINAL_COVER_OPENED = 0x8F76
SECOND_TERMINAL_COVER_OPENED = 0x8F77
TAMPER_OTHER = 0x8F78
DISABLEMENT_SUSPENDED = 0x8F83
NOT_DELIVERED_TO_ESME = 0x8F84
COMMAND_NOT_SUPPORTED = 0x8F85
LIMIT_PROCESSED = 0x8F86
LIMIT_ENDED = 0x8F87
OPERATIONAL_UPDATE = 0x8F88
FIRMWARE_TRANSFER_FAILED = 0x8F89
FIRMWARE_TRANSFERRED = 0x8F8A
FIRMWARE_VERSION_TOLD = 0x8F8B

NETWORK_OPERATOR_PREFIX = 0x80
SUPPLIER_PREFIX = 0x81
"""Codes that the party may configure; 0x8Fxx are always on. Spec: GBCS 16.2."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event is written, and how the party that the device answers to is told.

    parties: who is told instead. han: devices on the HAN are told. alarm: it can be heard.
    """

    log: LogName | None
    alert: AlertKind | None
    parties: tuple[RemotePartyRole, ...] = ()
    han: bool = False
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class HanEvent:
    """An event that devices of the home are told. `seconds` since 2000, by the device's clock."""

    code: int
    seconds: int
    log: LogName | None
    extra: bytes = b""


_OPERATOR = (RemotePartyRole.NETWORK_OPERATOR,)
_BOTH = (RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR)


def _codes(*items: int | tuple[int, int]) -> list[int]:
    """Single codes and ranges, both ends included."""
    found: list[int] = []
    for item in items:
        found += [item] if isinstance(item, int) else range(item[0], item[1] + 1)
    return found


def _table() -> dict[int, Route]:
    """The factory routing, from makers' manuals; later rows replace earlier ones."""
    rows: list[tuple[Sequence[int], Route]] = [
        # What no manual names: with an alert and a log.
        (_codes((0x8180, 0x81C6)), Route("event", "GNCA")),
        (_codes(0x8154, 0x8155, 0x8161, 0x8162, 0x819E), Route("event", "GNCA")),
        (_codes(0x8F01, 0x8F32, 0x8F33), Route("event", "GCA")),
        (_codes(INTEGRITY_WARNING), Route("event", None)),  # told by a use case of its own
        # Prepayment
        (_codes(0x810D, 0x8119), Route(None, "GNCA", han=True)),
        (_codes(0x810E), Route(None, "GNCA")),
        (_codes(0x8F0F, 0x8F83), Route(None, "GCA")),
        (_codes(0x81AA, 0x81AB, 0x81C4), Route("event", "GNCA", han=True)),
        (_codes(0x8168), Route(None, None)),
        (_codes(0x8F47), Route("security", None)),
        (_codes(0x8F51, 0x8F52, 0x8F5B, 0x8F60, 0x8F63, 0x8F64, 0x8F82), Route("security", "GCA")),
        # Voltage and power quality
        (
            _codes((0x8002, 0x8009), (0x8020, 0x802F), (0x8085, 0x809C)),
            Route("power", "GNCA", _OPERATOR),
        ),
        (_codes(0x8010, 0x8011, 0x8013, 0x8014, 0x8015, 0x8016), Route("power", "GNCA", _OPERATOR)),
        (_codes(0x81B7, 0x81B8, 0x81BB), Route("power", "GNCA")),
        (_codes(0x8F35, 0x8F36, (0x8F37, 0x8F3C)), Route("power", None)),  # told by ECS80
        (_codes((0x8F57, 0x8F5A)), Route("power", None)),
        (_codes(0x811A), Route("auxiliary", "GNCA")),
        # Supply
        (_codes(0x8F34), Route(None, "GCA", _BOTH, han=True)),
        # Clock
        (_codes(CLOCK_ADJUSTED), Route("event", None)),
        (_codes(CLOCK_NOT_ADJUSTED), Route("event", "GNCA")),
        (_codes(CLOCK_BEYOND_TOLERANCE), Route("security", "GCA")),
        # Security, tamper, firmware
        (_codes(0x8F1B, 0x8F1C, 0x8F1E, 0x8F3F, 0x8F78), Route("security", "GCA")),
        (_codes((0x8F73, 0x8F77)), Route("security", "GCA", _BOTH)),
        (_codes(0x8F3E, 0x8F43, (0x8F48, 0x8F4F), 0x8F53, 0x8F70), Route("security", None)),
        (_codes(0x8F72), Route("security", None)),  # told by the receipt of a firmware image
        (_codes(0x8F69, NO_AUTHORITY), Route(None, "GCA")),
        # One maker raises 8F3D without a log entry and logs 8F53 without an alert for the same failure.
        (_codes(AUTHENTICATION_FAILED), Route(None, "GCA")),
        (_codes(0x81B9), Route(None, "GNCA")),
        (_codes(0x8F1D, 0x8F1F), Route("security", "GCA")),
        # Hub: what it tells by use cases of its own is only logged here; see `devices.chf_core`.
        (_codes(NOT_DELIVERED_TO_ESME, SUB_GHZ_CONFIGURED), Route("event", None)),
        (_codes(DISCARDED_FOR_DUTY_CYCLE, NO_SUB_GHZ_CAPACITY), Route("event", None)),
        (_codes(FIRMWARE_TRANSFER_FAILED, FIRMWARE_TRANSFERRED), Route("event", None)),
        (_codes(CHF_LOG_CHANGED), Route("security", None)),
        (_codes(LIMITED_DUTY_CYCLE, BELOW_LIMITED_DUTY_CYCLE), Route(None, None)),
        (_codes((CRITICAL_DUTY_CYCLE, BELOW_REGULATED_DUTY_CYCLE)), Route(None, "GCA")),
        (_codes((CHANNEL_CHANGED, SCAN_ASSESSED)), Route(None, None)),
        (_codes(GSME_NOT_FOUND), Route("event", "GCA")),
        (_codes(CHANNEL_NOT_CHANGED), Route(None, "GCA")),
        (_codes(0x8F0A), Route(None, None)),  # told by the billing data log itself
    ]
    return {code: route for codes, route in rows for code in codes}


ROUTES: Mapping[int, Route] = MappingProxyType(_table())
"""Codes that a device of this laboratory raises. 0x8F66, 0x8F67 and 0x8F85 have alerts of their own use
cases."""


def route_of(code: int) -> Route:
    """What becomes of an event unless a device has other settings."""
    return ROUTES[code]
