"""Our tables against those of `tshark -G values` and `-G fields`: numbers and names; where not, why."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from enum import IntEnum
from types import ModuleType

import pytest

from smetslab.zigbee import aps, mac_layer, nwk
from smetslab.zigbee.aps import KeyType
from smetslab.zigbee.rows import Row
from smetslab.zigbee.zcl import CLUSTERS, SERVER_TO_CLIENT, Cluster
from smetslab.zigbee.zcl.clusters import declare_all
from smetslab.zigbee.zcl.clusters.key_establishment import TerminateStatus
from smetslab.zigbee.zcl.foundation import Status
from smetslab.zigbee.zdo import ZdoStatus

PREFIXES = {
    "Basic": "zbee_zcl_general.basic",
    "Time": "zbee_zcl_general.time",
    "Ota": "zbee_zcl_general.ota",
    "KeepAlive": "zbee_zcl_se.keep_alive",
    "Price": "zbee_zcl_se.price",
    "LoadControl": "zbee_zcl_se.drlc",
    "Metering": "zbee_zcl_se.met",
    "Messaging": "zbee_zcl_se.msg",
    "Tunnelling": "zbee_zcl_se.tun",
    "Prepayment": "zbee_zcl_se.pp",
    "Calendar": "zbee_zcl_se.calendar",
    "DeviceManagement": "zbee_zcl_se.device_management",
    "Events": "zbee_zcl_se.events",
    "SubGhz": "zbee_zcl_se.sub_ghz",
    "KeyEstablishment": "zbee_zcl_se.ke",
}
"""How Wireshark's fields of a cluster begin."""

OTHER_WORDS = {
    # Clusters.
    "load control": "demand response and load control",
    "metering": "simple metering",
    "ota": "ota upgrade",
    "messaging": "message",
    "prepayment": "pre payment",
    # American spelling, and an older name of the specification.
    "tunnelling": "tunneling",
    "utility enrolment group": "utility enrollment group",
    "start randomisation minutes": "start randomization minutes",
    "duration randomisation minutes": "duration randomization minutes",
    "device class": "device class value",
    "emergency credit limit": "emergency credit limit allowance",
    "low credit warning level": "low credit warning",
    "uncontrolled flow threshold unit of measure": "uncontrolled flow unit of measure",
    "key establishment suite": "supported key establishment suites",
    "tc keep alive base": "keep alive base",
    "tc keep alive jitter": "keep alive jitter",
    "get block periods": "get block period s",
    # Slips of Wireshark: a blank too few, a plural too few.
    "conversion factor trailing digit": "conversion factor trailingdigit",
    "price trailing digits": "price trailing digit",
    # The issue of the ZigBee Cluster Library that we follow abbreviates; or names for all what was OTA's.
    "unsup cluster command": "unsupported cluster command",
    "unsup general command": "unsupported general command",
    "unsup manuf cluster command": "unsupported manufacturer cluster command",
    "unsup manuf general command": "unsupported manufacturer general command",
    "inconsistent": "inconsistent value",
    "abort": "ota abort",
    "invalid image": "ota invalid image",
    "wait for data": "ota wait for data",
    "no image available": "ota no image available",
    "require more image": "ota require more image",
    # Lower layers.
    "pan id conflict notification": "pan id conflict",
    "not authorised": "not authorized",
}
"""Ours, and theirs for the same thing."""

SIDE = re.compile(r" (?:to|by|of) (?:server|client)$")
"""How one of two rows of one name says which it is; Wireshark has them in two tables."""

NOT_OURS_STATUS = {0x9A: "Ota Notification Pending", 0xC4: "Limit Reached"}
"""Statuses of a later issue of the library."""

NO_TABLE = {("Ota", "attr_client_id")}
"""What Wireshark has no table for: attributes of an OTA client, which it has as the server's."""


def plain(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    words = SIDE.sub("", words)
    return OTHER_WORDS.get(words, words)


def theirs(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


@pytest.fixture(scope="module", autouse=True)
def declared() -> None:
    declare_all()


@pytest.fixture(scope="module")
def table(tshark_names):
    """The values of a field; None where Wireshark has no names for them."""

    def find(field: str) -> dict[int, str] | None:
        try:
            return tshark_names(field)
        except KeyError:
            return None

    return find


def test_every_cluster_has_the_number_that_wireshark_has_for_it(table) -> None:
    assert set(PREFIXES) >= {cluster.__name__ for cluster in CLUSTERS.values()}
    known = table("zbee_aps.cluster")
    wrong = {
        cluster.__name__: (number, known.get(number))
        for number, cluster in CLUSTERS.items()
        if theirs(known.get(number, "")) != plain(re.sub(r"(?<!^)(?=[A-Z])", " ", cluster.__name__))
    }
    assert wrong == {}


def _attribute_tables(cluster: type[Cluster]) -> Iterator[tuple[str, dict[int, str]]]:
    for server, field in ((True, "attr_id"), (False, "attr_client_id")):
        own = {number: row.name for (side, number), row in cluster.attributes.items() if side is server}
        if own:
            yield field, own


def _command_tables(cluster: type[Cluster]) -> Iterator[tuple[str, dict[int, str]]]:
    for to_client, field in ((False, "cmd.srv_rx.id"), (True, "cmd.srv_tx.id")):
        own = {
            number: row.name
            for (direction, number), row in cluster.commands.items()
            if (direction is SERVER_TO_CLIENT) is to_client
        }
        if own:
            yield field, own


@pytest.mark.parametrize("tables", [_attribute_tables, _command_tables])
def test_every_attribute_and_command_has_its_number_and_name(table, tables) -> None:
    wrong: list[tuple[str, str, int, str, str | None]] = []
    compared = 0
    missing: set[tuple[str, str]] = set()
    for cluster in CLUSTERS.values():
        for field, own in tables(cluster):
            known = table(f"{PREFIXES[cluster.__name__]}.{field}")
            if known is None:
                missing.add((cluster.__name__, field))
                continue
            for number, name in own.items():
                compared += 1
                if plain(name) != theirs(known.get(number, "")):
                    wrong.append((cluster.__name__, field, number, name, known.get(number)))
    assert wrong == []
    assert missing <= NO_TABLE
    assert compared > 80


def _enumeration(kind: type[IntEnum]) -> dict[int, str]:
    return {int(one): one.name for one in kind}


def _rows(module: ModuleType) -> dict[int, str]:
    return {row.id: row.name for row in vars(module).values() if isinstance(row, Row) and row.id}


@pytest.mark.parametrize(
    ("field", "own", "not_ours"),
    [
        ("zbee_zcl.attr.status", _enumeration(Status), NOT_OURS_STATUS),
        ("zbee_zdp.status", _enumeration(ZdoStatus), None),
        ("zbee_zcl_se.ke.terminate.status", _enumeration(TerminateStatus), {0: "Reserved"}),
        ("zbee_nwk.cmd.id", _rows(nwk), {0x0D: "Link Power Delta"}),
        ("zbee_aps.cmd.id", _rows(aps), None),
        ("wpan.cmd", _rows(mac_layer), None),
    ],
)
def test_statuses_and_commands_of_the_lower_layers_agree(
    table, field: str, own: Mapping[int, str], not_ours: dict[int, str] | None
) -> None:
    """`not_ours`: what Wireshark knows besides; None where that is much of other issues and profiles."""
    known = table(field)
    assert own
    assert {
        number: known.get(number)
        for number, name in own.items()
        if plain(name) != theirs(known.get(number, ""))
    } == {}
    if not_ours is not None:
        assert {number: name for number, name in known.items() if number not in own} == not_ours


def test_key_types_agree(table) -> None:
    known = table("zbee_aps.cmd.key_type")
    names = {
        KeyType.NETWORK: "Standard Network Key",
        KeyType.APPLICATION_LINK: "Application Link Key",
        KeyType.TRUST_CENTRE_LINK: "Trust Center Link Key",
    }
    assert {kind: known[kind] for kind in names} == names
    assert set(KeyType) == set(names)


def test_wireshark_has_no_names_for_the_device_identifiers_of_smart_energy(table) -> None:
    """They cannot be compared; when it has, this test says so."""
    known = table("zbee_zdp.app.device") or {}
    assert not [number for number in known if 0x0500 <= number <= 0x0508]


def test_the_fields_that_other_tests_ask_for_are_there(require_tool) -> None:
    done = subprocess.run(
        [str(require_tool("tshark")), "-G", "fields"], capture_output=True, timeout=240, check=True
    )
    fields = {line.split(b"\t")[2].decode() for line in done.stdout.splitlines() if line.startswith(b"F\t")}
    wanted = {
        f"{PREFIXES[cluster.__name__]}.{field}"
        for cluster in CLUSTERS.values()
        for tables in (_attribute_tables, _command_tables)
        for field, _ in tables(cluster)
        if (cluster.__name__, field) not in NO_TABLE
    }
    assert len(wanted) > 20
    wanted |= {"zbee_nwk.src", "zbee_aps.cluster", "gbcs_message.grouping_header.message_code"}
    wanted |= {"gbcs_tunnel.command", "gbcs_tunnel.remaining", "gbcs_gbz.alert_code", "wpan-tap.ch_num"}
    assert wanted - fields == set()
