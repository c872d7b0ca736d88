"""The table of GBZ use cases: complete, and what each row says about protection, dates and replay."""

from __future__ import annotations

from pathlib import Path

import pytest

import smetslab
from smetslab.gbcs.codes import CounterFamily, DeviceType
from smetslab.gbcs.usecases import USE_CASES, UseCase
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.gbzalert import GbzAlert
from smetslab.zigbee.zcl.cluster import Ladder
from smetslab.zigbee.zcl.clusters.basic import Basic
from smetslab.zigbee.zcl.clusters.calendar import Calendar
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement
from smetslab.zigbee.zcl.clusters.events import Events
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment
from smetslab.zigbee.zcl.clusters.price import Price

CODES = """
    CS01b:0097 CS10a:0014 CS10b:00A1 CS11:0015 PCS01:009B PCS02:0090
    GCS01a:006B GCS01b:00A3 GCS02:006C GCS03:006D GCS04:006E GCS05:006F GCS06:0070 GCS07:0071 GCS09:0072
    GCS11:0073 GCS13a:0074 GCS13b:00B8 GCS13c:00B6 GCS14:0075 GCS15b:00C3 GCS15c:0076 GCS15d:00C4
    GCS15e:00C5 GCS16a:0077 GCS16b:0096 GCS17:0078 GCS18:0079 GCS20:00AD GCS20r:00F1 GCS21a:007B
    GCS21b:00B5 GCS21d:009D GCS21e:009E GCS21f:009F GCS21j:00BF GCS21k:00DA GCS21m:00FB GCS23:007C
    GCS24:007D GCS24a:00FC GCS25:007E GCS25a:00D8 GCS31:0080 GCS32:0081 GCS33:0082 GCS36:0083 GCS38:0084
    GCS39:0085 GCS40a:0086 GCS40b:00B4 GCS40c:00C0 GCS40d:00C2 GCS41:0087 GCS44:0088 GCS46:0089
    GCS60:008D GCS60a:012A GCS61:00A0
"""
ALERTS = "FDEI-GBZ:00CD FDRA-ZigBee:00CF GCS53:008B MIIWA-ZigBee:00F2 GCA-ZigBee:1000 GNCA-ZigBee:1001"
HAN_ONLY = "PECS01:0116 PECS02:0117 PECS03:0118 HECS01:0119"

CRITICAL_NAMES = """
    GCS01a GCS01b GCS02 GCS03 GCS04 GCS05 GCS06 GCS23 GCS24 GCS24a GCS25 GCS25a GCS32 GCS39 GCS40a GCS40b
    GCS40c GCS40d
"""
CRITICAL = set(CRITICAL_NAMES.split())
FUTURE_DATED = {"GCS01a", "GCS01b", "GCS02", "GCS03", "GCS05"}
REPLAY_PROTECTED = CRITICAL | {"CS01b", "GCS11", "GCS31", "GCS36", "GCS41"}
DATE_TIME = FUTURE_DATED | {"CS01b", "GCS13a", "GCS13b", "GCS13c", "GCS14", "GCS60a"}
ENCRYPTED_NAMES = """
    GCS13a GCS13b GCS13c GCS14 GCS15b GCS15c GCS15d GCS16a GCS16b GCS17 GCS18 GCS61 GCS53
"""
ENCRYPTED = set(ENCRYPTED_NAMES.split())
ACCESSES = [row for row in USE_CASES.values() if isinstance(row.payload, GbzAccess)]
EXCHANGES = [
    exchange for row in ACCESSES if isinstance(row.payload, GbzAccess) for exchange in row.payload.exchanges
]


def table(rows: list[UseCase]) -> set[str]:
    return {f"{row.name}:{row.code:04X}" for row in rows}


def test_every_gbz_use_case_is_declared() -> None:
    assert table(ACCESSES) == set(CODES.split())
    alerts = [row for row in USE_CASES.values() if isinstance(row.payload, GbzAlert)]
    assert table(alerts) == set(ALERTS.split())
    assert {f"{name}:{USE_CASES[name].code:04X}" for name in ("PECS01", "PECS02", "PECS03", "HECS01")} == set(
        HAN_ONLY.split()
    )


@pytest.mark.parametrize("row", ACCESSES, ids=lambda row: row.name)
def test_what_a_row_says(row: UseCase) -> None:
    assert row.critical is (row.name in CRITICAL)
    assert row.future_dateable is (row.name in FUTURE_DATED)
    assert row.alerts == ((0x00CD,) if row.future_dateable else ())
    assert bool(row.payload.activations) is row.future_dateable
    assert row.replay_protected is (row.name in REPLAY_PROTECTED)
    assert row.date_time_in_response is (row.name in DATE_TIME)
    assert row.encrypts_response is (row.name in ENCRYPTED)
    family = CounterFamily.UTRN if row.name == "CS01b" else CounterFamily.ORDINARY
    assert row.counter_family is family
    assert set(row.devices) <= {DeviceType.GSME, DeviceType.GPF}
    assert bool(row.service_requests) is not row.name.startswith("PCS")


def test_only_the_snapshot_alert_is_encrypted() -> None:
    sealed = [
        row.name
        for row in USE_CASES.values()
        if isinstance(row.payload, GbzAlert) and row.payload.encrypts_response
    ]
    assert sealed == ["GCS53"]


def test_every_declared_command_and_attribute_has_a_use() -> None:
    """A cluster table without a reader would rot: a use case carries it, or a device speaks it on the HAN."""
    used = {exchange.command for exchange in EXCHANGES} | {exchange.answer for exchange in EXCHANGES}
    read = {attribute for exchange in EXCHANGES for attribute in exchange.attributes}
    sources = [file.read_text() for file in Path(smetslab.__file__).parent.rglob("*.py")]
    clusters = (Basic, Price, Metering, Messaging, Prepayment, Calendar, DeviceManagement, Events)
    for cluster in clusters:
        for name, ladder in vars(cluster).items():
            if isinstance(ladder, Ladder) and any(
                f"{cluster.__name__}.{name}" in source for source in sources
            ):
                read |= {*ladder}
    unused = [
        f"{cluster.__name__}.{row.name}"
        for cluster in clusters
        for row in (*cluster.commands.values(), *cluster.attributes.values())
        if row not in used and row not in read
    ]
    assert [name for name in unused if not any(name in source for source in sources)] == []


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_an_exchange_is_consistent(exchange: Exchange) -> None:
    assert (exchange.command is None) is bool(exchange.attributes)
    for command in (exchange.command, exchange.answer):
        assert command is None or command.cluster == exchange.cluster
    for attribute in exchange.attributes:
        assert attribute.cluster == exchange.cluster
    assert exchange.most is None or exchange.least <= exchange.most
    # A run of answers to one request ends where the next answer begins: that must show.
    assert not exchange.several or exchange.most == 1
    if exchange.activation and exchange.command and exchange.from_date_time is None:
        assert exchange.activation in exchange.command.fields.names
