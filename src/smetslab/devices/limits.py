"""Sizes and times of devices, each in one place with where it comes from.

A number that no published text confirms says so; it is an engineering choice of the simulator.
"""

from __future__ import annotations

from datetime import timedelta

PROFILE_LOG_ENTRIES = 19_056
"""Half hours of active import that an ESME keeps: 397 days. Spec: SMETS 5.7.5 (Profile Data Log)."""

DAILY_READ_LOG_ENTRIES = 31
"""Spec: SMETS 5.7.5 (Daily Read Log)."""

EXPORT_LOG_ENTRIES = 4_464
"""Half hours of export and of reactive import: 93 days. Spec: SMETS 5.7.5 (Profile Data Log)."""

DAILY_CONSUMPTION_ENTRIES = 731
"""Spec: SMETS 5.7.5 (Daily Consumption Log)."""

PREPAYMENT_DAILY_ENTRIES = 31
BILLING_LOG_ENTRIES = 12
MODE_LOG_ENTRIES = 12
PREPAYMENT_CREDIT_ENTRIES = 5
PREPAYMENT_REPAYMENT_ENTRIES = 10
"""Spec: SMETS 5.7.5 (Prepayment Daily Read Log, Billing Data Log)."""

VOLTAGE_LOG_ENTRIES = 4_320
"""Spec: SMETS 5.7.5 (Average RMS Voltage Profile Data Log)."""

AUXILIARY_LOG_ENTRIES = 100
BOOST_LOG_ENTRIES = 25
"""Spec: SMETS 5.22, 5.26 (event logs)."""

EVENT_LOG_ENTRIES = 100
"""Event and Security Log, ring buffers. Spec: SMETS 5.7.5.16, 5.7.5.31."""

DEVICE_LOG_ENTRIES = 16
"""Devices that a device can be paired with. 16 is what the log of a hub holds. Unverified."""

UTRN_CACHE_ENTRIES = 100
"""UTRN counters that a meter remembers. Spec: GBCS 14.6; the number is unverified."""

CLOCK_TOLERANCE = timedelta(seconds=10)
"""Largest routine adjustment to the hub's time. Spec: GBCS 9.1; alert 0x8F0C."""

CLOCK_CHECK_INTERVAL = timedelta(hours=24)
"""How often a meter compares its clock with the hub's. Unverified."""

CLOCK_RESERVE = timedelta(days=730)
"""How long a meter's clock runs on its battery. From a manufacturer's manual."""

UNUSUAL_COMMANDS = 10
UNUSUAL_COMMANDS_WINDOW = timedelta(hours=1)
"""So many refused commands in so long raise 0x8F60. Unverified."""

FIRST_ALERT_COUNTER = 2000
"""Originator counter of an ESME's first alert. Spec: RTDS 4.5.0; any start would do."""

RESPONSE_ATTEMPTS = 6
"""How often a device offers a response to its tunnel before it gives it up. Unverified."""

FORGET_AFTER_S = 5.0
"""How long a device remembers what it has handed to its hub, which may not have kept it yet. A choice."""

RETRY_FIRST_S = 1.0
RETRY_LONGEST_S = 60.0
"""Waits between attempts double from the first to the longest. Unverified."""

PPMID_ANSWER_WAIT = timedelta(seconds=30)
PPMID_GAS_ANSWER_WAIT = timedelta(minutes=35)
PPMID_RESULT_SHOWN = timedelta(seconds=30)
"""How long a PPMID waits for a meter, for a gas meter until it has woken, and shows what came of it.
Unverified.
"""

HCALCS_SWITCHES = 5
HCALCS_CONTACT_LIMIT = timedelta(hours=24)
"""Switches of an HCALCS; without its meter they open after a while. Unverified."""

HUB_LOG_ENTRIES = 16
"""Devices on a hub's Device Log. Spec: CHTS 4.4; GBCS use case CCS01."""

HISTORIC_LOG_ENTRIES = 15
"""Devices that a hub's historic log remembers, the oldest go first. Spec: GBCS use case CCS02."""

HUB_CONTACT_LIMIT = timedelta(hours=3)
HUB_GSME_CONTACT_LIMIT = timedelta(minutes=95)
"""A device that says nothing for longer is lost; a gas meter has three polls of half an hour. Unverified."""

HUB_CONTACT_CHECK = timedelta(minutes=10)
"""How often a hub looks for lost devices. Unverified."""

REGULATED_DUTY_CYCLE = 250
"""In 1/100 %: what the radio may send in an hour at most. Spec: ETSI EN 300 220; GBCS 10.6."""

SUB_GHZ_DEVICES = 4
"""Devices that a hub serves on its sub-GHz radio. Unverified."""

CHANNEL_LOG_ENTRIES = 100
"""Spec: CHTS 4.4.7; GBCS use case DBCH02."""

HUB_DELIVERY_ATTEMPTS = 5
HUB_RETRY_S = 30.0
"""How often, and after how long, a hub tries again to hand a message to a device. Unverified."""

HUB_BUFFER_MESSAGES = 200
HUB_BUFFER_OCTETS = 256 * 1024
"""What a hub keeps for the WAN while that is down. Unverified."""

LOCAL_DELIVERY_S = 60.0
"""How long who brings a command to a device waits for its response. A choice."""

WAN_RETRY_FIRST_S = 60.0
WAN_RETRY_LONGEST_S = 300.0
"""A hub tries the WAN again after 1, 2, 4 and then every 5 minutes. Unverified."""

METER_SEGMENTS = 4096
"""Switchings that the energy history of a meter keeps; the oldest are merged."""

MAX_PRICE = 2**32 - 1
"""In thousandths of a penny: what the register of the active price can show. What a meter does with more is
unverified."""

MAX_REGISTER = 10**9
"""Energy registers roll over here. Unverified."""

METERING_TICK_US = 10_000_000
"""How often a meter compares its credit with its thresholds. Unverified."""

TARIFF_SEASONS, TARIFF_WEEKS, TARIFF_DAYS, TARIFF_SWITCHES = 4, 4, 16, 48
TARIFF_SPECIAL_DAYS = 50
BLOCK_THRESHOLDS = 3
"""Sizes of a tariff of an ESME. Spec: SMETS 5.7.4.47 to 50."""

NON_DISABLEMENT_ENTRIES, NON_DISABLEMENT_SPECIAL_DAYS = 22, 20
AUXILIARY_CALENDAR_ENTRIES, AUXILIARY_SPECIAL_DAYS = 120, 20
"""Entries of the other calendars of an ESME. Spec: SMETS 5.7.4, 5.22."""
