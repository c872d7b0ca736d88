"""The ZCL tables against Wireshark: names of commands and attributes, where each field lies, bits of bitmaps.

Wireshark's dissectors were written from the same specifications by other people.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smetslab.gbcs.usecases import USE_CASES
from smetslab.zigbee.zcl import CLUSTERS, SERVER_TO_CLIENT, Attribute, Command, Record
from smetslab.zigbee.zcl.clusters import device_management, meanings, prepayment
from smetslab.zigbee.zcl.clusters.metering import SCHEME_B, Metering
from smetslab.zigbee.zcl.fields import Fields, _Counted, _Exactly, _List, _Optional, _Variant
from smetslab.zigbee.zcl.named import Bits, DateForm, Flags
from smetslab.zigbee.zcl.types import Boolean, DataType, Integer, OctetString

LINKTYPE_IEEE802_15_4_NOFCS = 230
SMART_ENERGY = 0x0109
PROTOCOLS = {
    "price": "price",
    "metering": "met",
    "messaging": "msg",
    "prepayment": "pp",
    "calendar": "calendar",
    "device_management": "device_management",
    "events": "events",
}
assert USE_CASES  # declares the clusters
COMMANDS = [
    command
    for cluster in CLUSTERS.values()
    if cluster.name in PROTOCOLS
    for command in cluster.commands.values()
]
ATTRIBUTES = [
    attribute
    for cluster in CLUSTERS.values()
    if cluster.name in PROTOCOLS
    for attribute in cluster.attributes.values()
]


def packet(cluster: int, zcl: bytes) -> bytes:
    """An unsecured 802.15.4, NWK and APS frame around a ZCL frame."""
    aps = b"\x00\x01" + struct.pack("<HH", cluster, SMART_ENERGY) + b"\x01\x00"
    nwk = b"\x08\x00" + struct.pack("<HH", 1, 0) + b"\x1e\x01"
    return b"\x41\x88\x01" + struct.pack("<HHH", 0x1234, 1, 0) + nwk + aps + zcl


def write_capture(path: Path, packets: list[bytes]) -> Path:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_IEEE802_15_4_NOFCS)
    path.write_bytes(
        head + b"".join(struct.pack("<IIII", n, 0, len(one), len(one)) + one for n, one in enumerate(packets))
    )
    return path


# Layouts ----------------------------------------------------------------------------------------------------


COUNTS = ("number_of_schedule_entries", "number_of_special_days")
"""Fields that tell Wireshark how many entries to read: lists of samples have two."""


def sample(kind: DataType) -> Any:
    """A value of a field that shows where it lies; every optional field is there, every list has two."""
    if isinstance(kind, Fields):
        return sample_record(kind)
    if isinstance(kind, _Optional):
        return sample(kind.kind)
    if isinstance(kind, _List):
        return (sample(kind.element),) * (kind.number if isinstance(kind, _Exactly) else 2)
    if isinstance(kind, OctetString):
        return b"abc"
    if isinstance(kind, Boolean):
        return True
    assert isinstance(kind, Integer)
    return 1


def sample_record(shape: Fields) -> Record:
    values: list[Any] = []
    for name, kind in zip(shape.names, shape.kinds, strict=True):
        if isinstance(kind, _Variant):
            on = shape.index[kind.on]
            if values[on] not in kind.kinds:
                values[on] = next(iter(kind.kinds))
            values.append(sample(kind.pick(values[on])))
        else:
            values.append(2 if name in COUNTS else sample(kind))
    return Record(shape, tuple(values))


def ends(kind: DataType, value: Any, at: int) -> Iterator[int]:
    """Where each field of a value ends, when it begins at `at`."""
    if isinstance(kind, Fields):
        for index, inner in enumerate(kind.kinds):
            actual = inner.pick(value.values[kind.index[inner.on]]) if isinstance(inner, _Variant) else inner
            for end in ends(actual, value.values[index], at):
                yield end
                at = end
    elif isinstance(kind, _Optional):
        yield from ends(kind.kind, value, at)
    elif isinstance(kind, _List):
        if isinstance(kind, _Counted):
            at += kind.count.size
            yield at
        for item in value:
            for end in ends(kind.element, item, at):
                yield end
                at = end
    elif isinstance(kind, DateForm):
        yield from range(at + 1, at + 5)  # year, month, day, day of week
    else:
        out = bytearray()
        kind.encode(value, out)
        yield at + len(out)


def spans(layer: Any) -> Iterator[tuple[int, int]]:
    """Start and end of every field in a dissection; parts of a bitmap have those of the whole."""
    if isinstance(layer, list):
        for item in layer:
            yield from spans(item)
    elif isinstance(layer, dict):
        for name, value in layer.items():
            if name.endswith("_raw"):
                for _, start, length, *_ in value if isinstance(value[0], list) else [value]:
                    yield start, start + length
            else:
                yield from spans(value)


WIRESHARK_IS_WRONG = {
    "change_debt": "reads one octet of the two of the debt recovery balance percentage",
}


@pytest.fixture
def disputed(command: Command, request: pytest.FixtureRequest) -> None:
    """Fails the day that Wireshark agrees."""
    if command.name in WIRESHARK_IS_WRONG:
        request.applymarker(pytest.mark.xfail(strict=True, reason=WIRESHARK_IS_WRONG[command.name]))


def sample_of(command: Command) -> Record:
    """As `sample_record`; a scheme of notification flags says how many sets there are."""
    if command is Metering.mirror_report_attribute_response:
        return command.record(notification_scheme=SCHEME_B, notification_flags=[1] * 5)
    return sample_record(command.fields)


def sample_frame(command: Command) -> bytes:
    return packet(command.cluster, command.frame(sample_of(command), sequence=1).encode())


@pytest.fixture(scope="module")
def dissected(tshark, tmp_path_factory: pytest.TempPathFactory) -> dict[Command, Any]:
    """What Wireshark makes of a frame of each command."""
    capture = tmp_path_factory.mktemp("zcl") / "frames.pcap"
    packets = tshark(write_capture(capture, [sample_frame(command) for command in COMMANDS]), "-x")
    return dict(zip(COMMANDS, packets, strict=True))


@pytest.mark.usefixtures("disputed")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda row: f"{row.cluster:04X}-{row.name}")
def test_fields_lie_where_wireshark_has_them(command: Command, dissected: dict[Command, Any]) -> None:
    layers, frame = dissected[command], sample_frame(command)
    assert "_ws.malformed" not in layers
    assert "data" not in layers
    record = sample_of(command)
    start = len(frame) - len(command.encode(record))
    ours = {start, *ends(command.fields, record, start)}
    theirs = [span for span in spans(layers["zbee_zcl"]) if span[0] >= start]
    assert {edge for span in theirs for edge in span} <= ours
    # What Wireshark does not take apart we may; what it does take apart we do too.
    covered = {place for begin, end in theirs for place in range(begin, end)}
    assert covered == set(range(start, len(frame)))


# Tables -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def glossary(require_tool) -> Any:
    """`glossary("values")` and `glossary("fields")`: what Wireshark knows, as rows of columns."""
    program = require_tool("tshark")

    def rows(what: str) -> list[list[str]]:
        done = subprocess.run([program, "-G", what], capture_output=True, text=True, timeout=240, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    return {what: rows(what) for what in ("values", "fields")}


def terms(name: str) -> set[str]:
    """The words of a name, however it is written; abbreviations in full."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("(s)", "s")
    found = set(re.findall(r"[a-z]+|\d+", spaced))
    full = {"cv": {"calorific", "value"}, "cf": {"conversion", "factor"}, "id": {"identifier"}}
    return {one for term in found for one in full.get(term, {term})}


def names_of(glossary: Any, field: str) -> dict[int, str]:
    """Names of the values of a field."""
    return {int(row[2], 0): row[3] for row in glossary["values"] if row[:2] == ["V", field]}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda row: f"{row.cluster:04X}-{row.name}")
def test_commands_are_called_as_in_wireshark(command: Command, glossary: Any) -> None:
    protocol = PROTOCOLS[CLUSTERS[command.cluster].name]
    side = "srv_tx" if command.direction is SERVER_TO_CLIENT else "srv_rx"
    theirs = names_of(glossary, f"zbee_zcl_se.{protocol}.cmd.{side}.id")[command.id]
    assert terms(theirs) == terms(command.name)


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda row: f"{row.cluster:04X}-{row.name}")
def test_attributes_are_called_as_in_wireshark(attribute: Attribute, glossary: Any) -> None:
    """Some names have a word more here or there, such as `level` or `allowance`."""
    protocol = PROTOCOLS[CLUSTERS[attribute.cluster].name]
    side = "" if attribute.server else "client_"
    ours, theirs = (
        terms(attribute.name),
        terms(names_of(glossary, f"zbee_zcl_se.{protocol}.attr_{side}id")[attribute.id]),
    )
    plural = {term + "s" for term in theirs}
    assert ours <= theirs | plural or theirs <= ours, (attribute.name, theirs)


def masks_of(kind: Flags | Bits) -> dict[int, str]:
    """Names of the bits, or groups of bits, of a bitmap."""
    if isinstance(kind, Flags):
        return {1 << bit: name for bit, name in kind.names.items()}
    masks: dict[int, str] = {}
    shift = 0
    for name, part in kind.parts.items():
        masks[((1 << part.bits) - 1) << shift] = name
        shift += part.bits
    return {mask: name for mask, name in masks.items() if not name.startswith("reserved")}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (prepayment.PaymentControlConfiguration, "pp.attr.payment_control_configuration"),
        (meanings.SnapshotCause, "met.snapshot_cause"),
        (device_management.EventConfiguration, "device_management.event_configuration"),
        (
            device_management.ChangeControl,
            "device_management.publish_change_of_tenancy.proposed_tenancy_change_control",
        ),
        (meanings.TariffTypeAndChargingScheme, "price.tariff_information"),
        (meanings.PeriodType, "price.billing_period.duration"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bits_mean_what_they_mean_in_wireshark(kind: Flags | Bits, field: str, glossary: Any) -> None:
    prefix = f"zbee_zcl_se.{field}."
    theirs: dict[int, list[str]] = {}
    for row in glossary["fields"]:
        if row[0] == "F" and row[2].startswith(prefix) and row[6] not in {"", "0x0"}:
            theirs.setdefault(int(row[6], 0), []).append(row[1])
    ours = masks_of(kind)
    for mask, name in ours.items():
        if mask in theirs:
            assert any(terms(name) & terms(other) for other in theirs[mask]), (hex(mask), name, theirs[mask])
    assert len(theirs.keys() & ours.keys()) >= len(ours) - 2  # two causes are of prepayment snapshots alone
