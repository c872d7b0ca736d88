"""ZCL frames as trees: expected values by hand from the frame format."""

from __future__ import annotations

import pytest

from smetslab.errors import ZclDecodeError
from smetslab.harness.decoding import Node
from smetslab.harness.zcl_frames import describe_zcl
from smetslab.zigbee.zcl.clusters.ota import Ota

TUNNELLING = {"cluster": 0x0704}


def rows(node: Node | None) -> list[tuple[int, str, str, str]]:
    assert node is not None
    return [(child.offset, child.name, child.raw.hex(), child.text) for child in node.children]


def test_a_declared_command_is_shown_field_by_field() -> None:
    node = describe_zcl(bytes.fromhex("11 2A 02 3412 DF0102"), TUNNELLING)
    assert node is not None
    assert (node.name, node.text) == ("Tunnelling", "transfer data to server")
    assert rows(node) == [
        (0, "frame control", "11", "cluster specific, client to server"),
        (1, "sequence", "2a", "42"),
        (2, "command", "02", "0x02"),
        (3, "tunnel id", "3412", "4660"),
        (5, "data", "df0102", "3 octets"),
    ]
    assert b"".join(child.raw for child in node.children) == node.raw


def test_octets_behind_the_last_field_are_shown() -> None:
    [*_, last] = rows(describe_zcl(bytes.fromhex("01 2A 01 3412 FFFF"), TUNNELLING))
    assert last == (5, "trailing octets", "ffff", "2 octets")


def test_what_is_not_declared_keeps_its_octets() -> None:
    node = describe_zcl(bytes.fromhex("04 3412 01 16 0500"), {"cluster": 0x0999})
    assert node is not None
    assert (node.name, node.text) == ("cluster 0x0999", "general command 0x16")
    assert rows(node) == [
        (0, "frame control", "04", "general, client to server"),
        (1, "manufacturer code", "3412", "0x1234"),
        (3, "sequence", "01", "1"),
        (4, "command", "16", "0x16"),
        (5, "payload", "0500", "2 octets"),
    ]


@pytest.mark.parametrize(
    ("octets", "text", "expected"),
    [
        (
            "00 01 00 0000 FF7F",
            "read attributes",
            [(3, "time", "0000", "0x0000"), (5, "attribute 0x7FFF", "ff7f", "0x7FFF")],
        ),
        (
            "18 01 01 0000 00 E2 01000000 0100 86",
            "read attributes response",
            [(3, "time", "000000e201000000", "1"), (11, "time status", "010086", "unsupported attribute")],
        ),
        ("10 01 02 0000 E2 02000000", "write attributes", [(3, "time", "0000e202000000", "2")]),
        ("18 01 04 00", "write attributes response", [(3, "status", "00", "success")]),
        ("18 01 04 88 0000", "write attributes response", [(3, "time", "880000", "read only")]),
        ("08 01 0A 0000 E2 03000000", "report attributes", [(3, "time", "0000e203000000", "3")]),
        (
            "18 01 0B 05 82",
            "default response",
            [(3, "command", "05", "0x05"), (4, "status", "82", "unsup general command")],
        ),
    ],
)
def test_general_commands_name_their_attributes(octets: str, text: str, expected: list[tuple]) -> None:
    node = describe_zcl(bytes.fromhex(octets), {"cluster": 0x000A})
    assert node is not None
    assert (node.name, node.text) == ("Time", text)
    assert rows(node)[3:] == expected
    assert b"".join(child.raw for child in node.children) == node.raw


def test_bytes_that_are_no_frame_and_observations_without_a_cluster() -> None:
    with pytest.raises(ZclDecodeError):
        describe_zcl(b"\x01", TUNNELLING)
    assert describe_zcl(b"\x01\x02\x03", {}) is None


def test_a_field_whose_form_another_decides_is_described_too() -> None:
    block = {
        **dict.fromkeys(("manufacturer_code", "image_type", "file_version", "file_offset"), 1),
        "image_data": b"ab",
    }
    record = Ota.image_block_response.record(status=0, block=block)
    octets = Ota.image_block_response.frame(record, sequence=1).encode()
    node = describe_zcl(octets, {"cluster": Ota.id})
    assert node is not None
    assert (node.name, node.text) == ("Ota", "image block response")
    assert [child.name for child in node.children][-2:] == ["status", "block"]
    assert node.children[-1].raw == octets[4:]
