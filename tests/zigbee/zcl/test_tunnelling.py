"""The Tunnelling cluster against frames written by hand from the specification."""

from __future__ import annotations

from typing import Any

import pytest

from smetslab.zigbee.zcl import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Command, decode_frame, find_command
from smetslab.zigbee.zcl.clusters.tunnelling import Tunnelling, TunnelStatus
from smetslab.zigbee.zcl.types import UInt16

# Command names and numbers as network analysers list them for this cluster.
CLIENT_COMMANDS = {
    0: "request_tunnel",
    1: "close_tunnel",
    2: "transfer_data_to_server",
    3: "transfer_data_error_to_server",
    4: "ack_transfer_data_to_server",
    5: "ready_data_to_server",
    6: "get_supported_tunnel_protocols",
}
SERVER_COMMANDS = {
    0: "request_tunnel_response",
    1: "transfer_data_to_client",
    2: "transfer_data_error_to_client",
    3: "ack_transfer_data_to_client",
    4: "ready_data_to_client",
    5: "supported_tunnel_protocols_response",
    6: "tunnel_closure_notification",
}

WIRE: list[tuple[str, Command, dict[str, Any]]] = [
    (
        "01 01 00 06 FFFF 00 DC05",
        Tunnelling.request_tunnel,
        {
            "protocol_id": 6,
            "manufacturer_code": 0xFFFF,
            "flow_control_support": False,
            "maximum_incoming_transfer_size": 1500,
        },
    ),
    (
        "09 01 00 3412 00 DC05",
        Tunnelling.request_tunnel_response,
        {"tunnel_id": 0x1234, "status": 0, "maximum_incoming_transfer_size": 1500},
    ),
    ("01 02 01 3412", Tunnelling.close_tunnel, {"tunnel_id": 0x1234}),
    (
        "01 03 02 3412 DD00DF",
        Tunnelling.transfer_data_to_server,
        {"tunnel_id": 0x1234, "data": b"\xdd\x00\xdf"},
    ),
    ("09 03 01 3412", Tunnelling.transfer_data_to_client, {"tunnel_id": 0x1234, "data": b""}),
    ("01 04 03 3412 01", Tunnelling.transfer_data_error_to_server, {"tunnel_id": 0x1234, "status": 1}),
    ("09 04 02 3412 02", Tunnelling.transfer_data_error_to_client, {"tunnel_id": 0x1234, "status": 2}),
    (
        "01 05 04 3412 0100",
        Tunnelling.ack_transfer_data_to_server,
        {"tunnel_id": 0x1234, "number_of_bytes_left": 1},
    ),
    (
        "09 05 04 3412 0100",
        Tunnelling.ready_data_to_client,
        {"tunnel_id": 0x1234, "number_of_octets_left": 1},
    ),
    ("01 06 06 00", Tunnelling.get_supported_tunnel_protocols, {"protocol_offset": 0}),
    (
        "09 06 05 01 02 FFFF06 F1FFC8",
        Tunnelling.supported_tunnel_protocols_response,
        {
            "protocol_list_complete": True,
            "protocols": [
                {"manufacturer_code": 0xFFFF, "protocol_id": 6},
                {"manufacturer_code": 0xFFF1, "protocol_id": 200},
            ],
        },
    ),
    ("09 07 06 3412", Tunnelling.tunnel_closure_notification, {"tunnel_id": 0x1234}),
]


@pytest.mark.parametrize(("wire", "declared", "values"), WIRE, ids=lambda part: getattr(part, "name", None))
def test_wire_form(wire: str, declared: Command, values: dict[str, Any]) -> None:
    octets = bytes.fromhex(wire)
    frame = decode_frame(octets)
    assert find_command(Tunnelling.id, frame) is declared
    assert declared.decode(frame.payload).as_dict() == values
    assert declared.frame(declared.record(**values), sequence=octets[1]).encode() == octets


def test_the_command_table_is_complete() -> None:
    for direction, names in ((CLIENT_TO_SERVER, CLIENT_COMMANDS), (SERVER_TO_CLIENT, SERVER_COMMANDS)):
        declared = {
            number: row.name for (side, number), row in Tunnelling.commands.items() if side == direction
        }
        assert declared == names


def test_the_attribute_and_the_statuses() -> None:
    timeout = Tunnelling.attributes[True, 0x0000]
    assert (timeout.name, timeout.type, timeout.default, timeout.units) == (
        "close_tunnel_timeout",
        UInt16,
        0xFFFF,
        "seconds",
    )
    assert [status.value for status in TunnelStatus] == [0, 1, 2, 3, 4]
