"""The ZCL of ours against zigpy's, which other people wrote and real radios speak.

zigpy has the frame header, the general commands, all data types, and of the clusters here Basic, Metering
and Time; the others of Smart Energy it declares without content, which the last test notices when it changes.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smetslab.gbcs.usecases import USE_CASES
from smetslab.zigbee.zcl import (
    CLUSTERS,
    SERVER_TO_CLIENT,
    Attribute,
    Command,
    Record,
    ZclFrame,
)
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.time import Time
from smetslab.zigbee.zcl.fields import Fields, _Counted, _List, _Optional, _Rest, _Variant
from smetslab.zigbee.zcl.foundation import (
    AttributeValue,
    DefaultResponse,
    GeneralCommand,
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    ReportAttributes,
    WriteAttributes,
    WriteAttributesResponse,
    WriteResult,
    general_frame,
)
from smetslab.zigbee.zcl.types import (
    TYPES,
    Boolean,
    CharacterString,
    DataType,
    FixedOctets,
    IeeeAddress,
    Integer,
    OctetString,
)

assert USE_CASES  # declares the clusters
JUDGE = Path(__file__).parent / "zigpy" / "judge.py"
METERING, BASIC = 0x0702, 0x0000
KNOWN = {"metering", "basic", Time.name}

COMMANDS = [command for cluster in CLUSTERS.values() for command in cluster.commands.values()]
SHARED_ATTRIBUTES = [
    attribute
    for cluster in CLUSTERS.values()
    if cluster.name in KNOWN
    for attribute in cluster.attributes.values()
    if attribute.server  # zigpy's definitions of these clusters have no attributes of clients
]


@pytest.fixture(scope="module")
def zigpy(require_zigpy: Path) -> Iterator[Any]:
    """`zigpy(frames)` is what zigpy says of frames of clusters; `zigpy()` its tables."""
    with subprocess.Popen(
        [require_zigpy, JUDGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as judge:
        pipe, answers = judge.stdin, judge.stdout
        assert pipe is not None
        assert answers is not None

        def ask(frames: list[tuple[int, ZclFrame]] | None = None) -> Any:
            questions = (
                [None]
                if frames is None
                else [{"cluster": cluster, "frame": frame.encode().hex()} for cluster, frame in frames]
            )
            found = []
            for question in questions:
                pipe.write(json.dumps(question) + "\n")
                pipe.flush()
                found.append(json.loads(answers.readline()))
            return found[0] if frames is None else found

        yield ask
        pipe.close()


# Values -----------------------------------------------------------------------------------------------------


def some(kind: DataType, chance: random.Random) -> Any:
    """A value of a field; every optional field is there, every list has two elements."""
    match kind:
        case Fields():
            return some_record(kind, chance)
        case _Optional():
            found: Any = some(kind.kind, chance)
        case _List():
            found = tuple([some(kind.element, chance) for _ in range(getattr(kind, "number", 2))])
        case CharacterString():
            found = "spam"
        case OctetString() | _Rest():
            found = b"spam"
        case IeeeAddress() | FixedOctets():
            found = chance.randbytes(8 if isinstance(kind, IeeeAddress) else kind.size)
        case Boolean():
            found = chance.random() < 0.5
        case _:
            assert isinstance(kind, Integer), kind
            found = chance.randint(kind.low, kind.high)
    return found


def some_record(shape: Fields, chance: random.Random) -> Record:
    values: list[Any] = []
    for kind in shape.kinds:
        if isinstance(kind, _Variant):
            on = shape.index[kind.on]
            values[on] = values[on] if values[on] in kind.kinds else next(iter(kind.kinds))
            values.append(some(kind.pick(values[on]), chance))
        else:
            values.append(some(kind, chance))
    return Record(shape, tuple(values))


def atoms(kind: DataType, value: Any) -> list[Any]:
    """The numbers and octets of a value in order, as the judge writes them."""
    if isinstance(kind, Fields):
        found: list[Any] = []
        for inner, one in zip(kind.kinds, value.values, strict=True):
            actual = inner.pick(value.values[kind.index[inner.on]]) if isinstance(inner, _Variant) else inner
            found += atoms(actual, one)
        return found
    if isinstance(kind, _Optional):
        return atoms(kind.kind, value)
    if isinstance(kind, _List):
        count = [len(value)] if isinstance(kind, _Counted) else []
        return count + [atom for one in value for atom in atoms(kind.element, one)]
    if isinstance(value, str):
        return ["hex:" + value.encode().hex()]
    return ["hex:" + value.hex()] if isinstance(value, bytes) else [value]


def head(frame: ZclFrame) -> dict[str, Any]:
    return {
        "cluster_specific": frame.cluster_specific,
        "server_to_client": frame.server_to_client,
        "disable_default_response": frame.disable_default_response,
        "manufacturer_code": frame.manufacturer_code,
        "sequence": frame.sequence,
        "command": frame.command,
    }


# Frames -----------------------------------------------------------------------------------------------------


def test_headers_of_every_command_are_read_alike(zigpy: Any) -> None:
    chance = random.Random(702)
    frames = [
        (
            command.cluster,
            command.frame(
                some(command.fields, chance),
                sequence=chance.randrange(256),
                disable_default_response=chance.random() < 0.5,
            ),
        )
        for command in COMMANDS
    ]
    for (_, frame), answer in zip(frames, zigpy(frames), strict=True):
        assert "error" not in answer
        assert {name: answer[name] for name in head(frame)} == head(frame)


METERING_COMMANDS = list(CLUSTERS[METERING].commands.values())


@pytest.mark.parametrize("command", METERING_COMMANDS, ids=lambda row: row.name)
def test_metering_commands_are_read_alike_and_written_again(command: Command, zigpy: Any) -> None:
    chance = random.Random(command.id)
    records = [some(command.fields, chance) for _ in range(8)]
    frames = [command.frame(record, sequence=number) for number, record in enumerate(records)]
    for frame, record, answer in zip(
        frames, records, zigpy([(METERING, one) for one in frames]), strict=True
    ):
        assert "error" not in answer
        assert {name: answer[name] for name in head(frame)} == head(frame)
        assert terms(answer["name"]) == terms(command.name)
        assert answer["left"] == ""
        assert bytes.fromhex(answer["again"]) == frame.encode()
        theirs = [atom for _, found in answer["fields"] for atom in found]
        ours = atoms(command.fields, record)
        if theirs and isinstance(theirs[-1], str) and theirs[-1] not in ours:
            # The payload of a snapshot is octets to zigpy.
            octets = bytes.fromhex(theirs.pop().removeprefix("hex:"))
            assert frame.payload.endswith(octets)
            ours = ours[: len(theirs)]
        assert theirs == ours


GENERAL: list[GeneralCommand] = [
    ReadAttributes((0x0000, 0x0301, 0xFFFD)),
    ReadAttributesResponse((ReadResult(0x0000, 0, 0x25, 12345), ReadResult(0x0301, 0x86))),
    WriteAttributes((AttributeValue(0x0400, 0x30, 2), AttributeValue(0x0010, 0x42, "text"))),
    WriteAttributesResponse((WriteResult(0x88, 0x0400), WriteResult(0x86, 0x0401))),
    WriteAttributesResponse(()),
    ReportAttributes((AttributeValue(0x0400, 0x2A, -5), AttributeValue(0x0300, 0x22, 0xFFFFFF))),
    DefaultResponse(0x0B, 0x82),
]


@pytest.mark.parametrize("command", GENERAL, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("manufacturer", [None, 0x10C6], ids=["standard", "manufacturer"])
def test_general_commands_are_read_alike_and_written_again(
    command: GeneralCommand, manufacturer: int | None, zigpy: Any
) -> None:
    frame = general_frame(command, direction=SERVER_TO_CLIENT, sequence=0x5A, manufacturer_code=manufacturer)
    (answer,) = zigpy([(METERING, frame)])
    assert {name: answer[name] for name in head(frame)} == head(frame)
    assert answer["left"] == ""
    assert bytes.fromhex(answer["again"]) == frame.encode()


TAKEN_APART = {*range(0x09, 0x10), 0xE0, 0xE1}
"""General data of several octets, time of day, date: zigpy shows their octets one by one."""


@pytest.mark.parametrize("code", [code for code in TYPES if isinstance(TYPES[code], (Integer, OctetString))])
def test_values_of_every_type_are_read_alike(code: int, zigpy: Any) -> None:
    kind, chance = TYPES[code], random.Random(code)
    if isinstance(kind, Integer):
        values = [kind.low, 0, 1, kind.high, *[some(kind, chance) for _ in range(4)]]
    else:
        values = [some(kind, chance)]
    frames = [
        general_frame(
            ReadAttributesResponse((ReadResult(7, 0, code, value),)), direction=SERVER_TO_CLIENT, sequence=1
        )
        for value in values
    ]
    for value, frame, answer in zip(
        values, frames, zigpy([(METERING, frame) for frame in frames]), strict=True
    ):
        assert "error" not in answer, (kind.name, value)
        ((_, found),) = answer["fields"]
        assert bytes.fromhex(answer["again"]) == frame.encode(), (kind.name, value)
        if code not in TAKEN_APART:
            assert found == [7, 0, code, *atoms(kind, value)], kind.name


# Tables -----------------------------------------------------------------------------------------------------


def terms(name: str) -> set[str]:
    words = {"total", "number", "of"}
    return {word for word in name.split("_") if word not in words}


@pytest.fixture(scope="module")
def their_tables(zigpy: Any) -> Any:
    return zigpy()


NOT_OF_ZIGPY = {
    *("supply_tamper_state", "supply_depletion_state"),
    *(f"current_no_tier_block_{block}_summation_delivered" for block in range(1, 5)),
    *(
        f"uncontrolled_flow_{name}"
        for name in ("threshold", "threshold_unit_of_measure", "multiplier", "divisor")
    ),
    *("flow_stabilisation_period", "flow_measurement_period"),
    *(row.name for row in Metering.tier_summations[11:]),  # from the sixteenth tier on
    *(row.name for row in Metering.block_summations),
    *(row.name for row in Metering.day_consumption[2:]),
    *(
        row.name
        for ladder in (
            Metering.week_consumption,
            Metering.month_consumption,
            Metering.alternative_day_consumption,
            Metering.alternative_week_consumption,
            Metering.alternative_month_consumption,
        )
        for row in ladder
    ),
}


@pytest.mark.parametrize("attribute", SHARED_ATTRIBUTES, ids=lambda row: f"{row.cluster:04X}-{row.name}")
def test_attributes_have_the_number_and_type_of_zigpy(attribute: Attribute, their_tables: Any) -> None:
    theirs = {
        number: (name, kind) for number, name, kind in their_tables[str(attribute.cluster)]["attributes"]
    }
    assert (attribute.id in theirs) != (attribute.name in NOT_OF_ZIGPY)
    if attribute.id not in theirs:
        return
    name, kind = theirs[attribute.id]
    assert kind == attribute.type.code
    assert terms(attribute.name) & terms(name), name


def test_zigpy_knows_no_more_of_our_clusters_than_these_tests_ask(their_tables: Any) -> None:
    declared = {
        int(number): CLUSTERS[int(number)].name
        for number, table in their_tables.items()
        if int(number) in CLUSTERS and (table["attributes"] or table["commands"])
    }
    assert set(declared.values()) >= KNOWN
    smart_energy = {name for number, name in declared.items() if number >= 0x0700}
    assert smart_energy == {"metering"}, "a cluster to compare with: add it"
