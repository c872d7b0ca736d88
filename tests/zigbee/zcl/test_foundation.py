"""General commands against octets written by hand, and their round trips."""

from __future__ import annotations

import pytest

from smetslab.errors import ZclDecodeError
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, ZclFrame
from smetslab.zigbee.zcl.foundation import (
    AttributeValue,
    DefaultResponse,
    GeneralCommand,
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    ReportAttributes,
    Status,
    WriteAttributes,
    WriteAttributesResponse,
    WriteResult,
    decode_general,
    general_frame,
)
from smetslab.zigbee.zcl.types import Unknown

WIRE: list[tuple[str, GeneralCommand]] = [
    ("00 0000 0003", ReadAttributes((0x0000, 0x0300))),
    (
        "01 0000 00 25 0A0000000000  0100 86",
        ReadAttributesResponse((ReadResult(0, 0, 0x25, 10), ReadResult(1, Status.UNSUPPORTED_ATTRIBUTE))),
    ),
    ("02 0400 20 07", WriteAttributes((AttributeValue(4, 0x20, 7),))),
    ("04 00", WriteAttributesResponse(())),
    ("04 88 0400 87 0500", WriteAttributesResponse((WriteResult(0x88, 4), WriteResult(0x87, 5)))),
    ("0A 0000 42 026F6B", ReportAttributes((AttributeValue(0, 0x42, "ok"),))),
    ("0A 0000 99 010203", ReportAttributes((AttributeValue(0, 0x99, Unknown(0x99, b"\x01\x02\x03")),))),
    ("0B 01 8B", DefaultResponse(1, Status.NOT_FOUND)),
]


@pytest.mark.parametrize(("wire", "command"), WIRE)
def test_wire_form(wire: str, command: GeneralCommand) -> None:
    octets = bytes.fromhex(wire)
    frame = general_frame(command, direction=SERVER_TO_CLIENT, sequence=3)
    assert frame == ZclFrame(
        cluster_specific=False,
        server_to_client=True,
        disable_default_response=True,
        sequence=3,
        command=octets[0],
        payload=octets[1:],
    )
    assert decode_general(frame) == command


@pytest.mark.parametrize(
    "wire", ["00 00", "01 0000", "01 0000 00", "04", "04 01", "0A 0000", "0B 01", "0B 010203"]
)
def test_a_truncated_or_overlong_command_is_refused(wire: str) -> None:
    octets = bytes.fromhex(wire)
    frame = ZclFrame(
        cluster_specific=False, server_to_client=True, sequence=0, command=octets[0], payload=octets[1:]
    )
    with pytest.raises(ZclDecodeError):
        decode_general(frame)


def test_what_is_not_known_here_is_nobodys_command() -> None:
    for specific, number in ((True, 0), (False, 0x20)):
        frame = ZclFrame(cluster_specific=specific, server_to_client=True, sequence=0, command=number)
        assert decode_general(frame) is None
