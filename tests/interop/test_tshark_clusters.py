"""Wireshark reads frames of every ZCL command that we declare, and finds the values that we put into them."""

from __future__ import annotations

import importlib
import pkgutil
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from smetslab.han import SMART_ENERGY_PROFILE, ApsFrame
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import (
    CLIENT_TO_SERVER,
    CLUSTERS,
    SERVER_TO_CLIENT,
    Cluster,
    Command,
    Record,
    clusters,
)
from smetslab.zigbee.zcl.clusters.key_establishment import KeyEstablishment
from smetslab.zigbee.zcl.fields import ABSENT, Fields, _Exactly, _List, _Optional, _Rest, _Variant
from smetslab.zigbee.zcl.types import DataType, Date, IeeeAddress, Integer, OctetString

SEED = 20260105
ROUNDS = 3

FIELDS = {
    0x0019: "zbee_zcl_general.ota",
    0x0700: "zbee_zcl_se.price",
    0x0701: "zbee_zcl_se.drlc",
    0x0702: "zbee_zcl_se.met",
    0x0703: "zbee_zcl_se.msg",
    0x0704: "zbee_zcl_se.tun",
    0x0705: "zbee_zcl_se.pp",
    0x0707: "zbee_zcl_se.calendar",
    0x0708: "zbee_zcl_se.device_management",
    0x0709: "zbee_zcl_se.events",
    0x070B: "zbee_zcl_se.sub_ghz",
}
"""How Wireshark's fields of the clusters begin. Key Establishment, which needs real certificates, stands
elsewhere."""

SLIPS = {
    "cancel_load_control_event.effective_time": lambda value: (value & 0xFF) >> 1,
    "change_debt.debt_recovery_balance_percentage": lambda value: value & 0xFF,
    "publish_change_of_tenancy.proposed_tenancy_change_control": lambda value: _turned(value, 4),
    "request_new_password_response.duration_in_minutes": lambda value: _turned(value, 2),
}
"""Where Wireshark 4.0 reads a part of the octets, or the octets in the wrong order."""


UNREAD = {"image_block_response.block.minimum_block_period"}
"""Where Wireshark 4.0 stops before the last field, which is younger than it."""

FIXED = {"cancel_message": {"message_control": 0}}
"""What has one value alone. Spec: ZSE 1.4 D.5.2.3.2 (deprecated in this command)."""

ENTRIES = 3
"""As many entries does every list have; fields that tell a number of entries say so."""


def _turned(value: int, octets: int) -> int:
    return int.from_bytes(value.to_bytes(octets, "little"), "big")


@pytest.fixture(scope="module", autouse=True)
def declared() -> list[type[Cluster]]:
    """Every cluster: one whose module nobody imports would not be declared."""
    for module in pkgutil.iter_modules(clusters.__path__):
        importlib.import_module(f"{clusters.__name__}.{module.name}")
    return [CLUSTERS[number] for number in sorted(CLUSTERS) if number != KeyEstablishment.id]


def _value(kind: DataType, rng: random.Random, *, full: bool, chosen: dict[str, int]) -> Any:
    """Any value of a type; optional fields are there when `full`, `chosen` fixes what decides a variant."""
    value: Any
    match kind:
        case _Optional():
            value = _value(kind.kind, rng, full=full, chosen=chosen) if full else ABSENT
        case Fields():
            value = {}
            for name, declared in zip(kind.names, kind.kinds, strict=True):
                item = chosen.get(name)
                if item is None and "number_of_" in name and isinstance(declared, Integer):
                    item = ENTRIES
                if item is None:
                    item = _value(_actual(declared, value), rng, full=full, chosen=chosen)
                if item is not ABSENT:
                    value[name] = item
        case _List():
            number = kind.number if isinstance(kind, _Exactly) else ENTRIES
            value = [_value(kind.element, rng, full=full, chosen=chosen) for _ in range(number)]
        case Integer():
            value = rng.randint(kind.low, kind.high)
        case IeeeAddress():
            value = Eui64(rng.randbytes(8))
        case OctetString():
            value = "".join(rng.choices("ABCDEFGH", k=min(10, kind.maximum))).encode()
        case _Rest():
            value = rng.randbytes(8)
        case _:
            value = rng.random() < 0.5
    return value


def _actual(kind: DataType, found: Any) -> DataType:
    """The type of a field behind the fields that were `found`."""
    return kind.pick(found[kind.on]) if isinstance(kind, _Variant) else kind


def _records(command: Command, rng: random.Random) -> Iterator[Record]:
    """Records of a command: with and without optional fields, one of every variant, again and again."""
    variants = [kind for kind in command.fields.kinds if isinstance(kind, _Variant)]
    choices = [{kind.on: number} for kind in variants for number in kind.kinds] or [
        FIXED.get(command.name, {})
    ]
    for chosen in choices * ROUNDS:
        for full in (True, False):
            yield command.record(**_value(command.fields, rng, full=full, chosen=chosen))


def test_every_command_holds_for_wireshark_what_we_put_into_it(declared, dissect_han) -> None:
    rng = random.Random(SEED)
    client, server = Eui64(bytes(8)), Eui64(bytes([0xFF] * 8))
    sent: list[tuple[Cluster, Command, Record]] = []
    frames: list[ApsFrame] = []
    for cluster in declared:
        for command in cluster.commands.values():
            for record in _records(command, rng):
                parties = (client, server) if command.direction is CLIENT_TO_SERVER else (server, client)
                sent.append((cluster, command, record))
                frames.append(
                    ApsFrame(
                        source=parties[0],
                        source_endpoint=rng.randint(1, 240),
                        destination=parties[1],
                        destination_endpoint=rng.randint(1, 240),
                        profile=SMART_ENERGY_PROFILE,
                        cluster=cluster.id,
                        payload=command.frame(record, sequence=rng.randrange(256)).encode(),
                    )
                )
    compared = 0
    for (cluster, command, record), frame, packet in zip(sent, frames, dissect_han(frames), strict=True):
        name = FIELDS[cluster.id]
        assert int(packet.one("zbee_aps.cluster"), 0) == cluster.id
        assert int(packet.one("zbee_aps.src")) == frame.source_endpoint
        assert int(packet.one("zbee_aps.dst")) == frame.destination_endpoint
        assert packet.one("zbee_zcl.dir") == str(int(command.direction is SERVER_TO_CLIENT))
        side = "rx" if command.direction is CLIENT_TO_SERVER else "tx"
        assert int(packet.one(f"{name}.cmd.srv_{side}.id"), 0) == command.id
        shown = set(_shown(packet.layers["zbee_zcl"]))
        text = str(packet.layers["zbee_zcl"])
        for path, kind, value in _numbers(command.fields, record, command.name):
            # Wireshark shows a few amounts of money as signed that are not.
            expected = {value, value - (1 << 8 * kind.size)}
            if path in UNREAD:
                continue
            if path in SLIPS:
                expected.add(SLIPS[path](value))
            if "snapshot_payload." in path:
                # Wireshark shows the payload of a snapshot as octets.
                assert value.to_bytes(kind.size, "little", signed=kind.signed).hex(":") in text, path
            elif kind.name == Date.name:
                # Year, month, day of month, day of week.
                assert shown >= {1900 + (value & 0xFF), *value.to_bytes(4, "little")[1:]}, path
            else:
                assert shown & expected, (path, value)
            compared += 1
        # Nothing is left that Wireshark has no field for; what tunnels carry is GBCS or nothing.
        if command.fields.kinds and not isinstance(command.fields.kinds[-1], _Rest):
            assert "data" not in packet.layers, command
    assert compared > 1000


def _numbers(kind: DataType, value: Any, path: str) -> Iterator[tuple[str, Integer, int]]:
    """Every number of two octets or more in a record: large ones do not agree by accident."""
    if isinstance(kind, _Optional):
        if value is not ABSENT:
            yield from _numbers(kind.kind, value, path)
    elif isinstance(kind, Fields):
        for name, declared, item in zip(kind.names, kind.kinds, value.values, strict=True):
            yield from _numbers(_actual(declared, value), item, f"{path}.{name}")
    elif isinstance(kind, _List):
        for item in value:
            yield from _numbers(kind.element, item, path)
    elif isinstance(kind, Integer) and kind.size >= 2:
        yield path, kind, value


def _shown(node: Any) -> Iterator[int]:
    """Every number that a dissection shows, moments as seconds since 2000."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _shown(item)
    elif moment := re.fullmatch(r"(\w{3} +\d+, \d{4} [\d:]{8})\.0+ UTC", str(node)):
        when = datetime.strptime(moment[1], "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
        yield int((when - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())
    elif re.fullmatch(r"-?\d+|0x[0-9a-f]+", str(node)):
        yield int(str(node), 0)
