"""Tunnelling, cluster 0x0704: the carrier of GBCS messages on the HAN.

Spec: ZSE 1.4 D.6 (Tunnelling cluster); GBCS 10.2.2 (how GB devices use it)
"""

from __future__ import annotations

from enum import IntEnum

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.fields import counted, fields, rest
from smetslab.zigbee.zcl.types import Bool, Enum8, UInt8, UInt16

GB_HRGP = 6
"""ProtocolID of GBCS messages. Spec: GBCS 10.2.2."""
NO_MANUFACTURER = 0xFFFF
"""Manufacturer code for a protocol that is nobody's own. Spec: GBCS 10.2.2."""


class TunnelStatus(IntEnum):
    """Outcome of Request Tunnel. Spec: ZSE 1.4 D.6 (TunnelStatus)."""

    SUCCESS = 0
    BUSY = 1
    NO_MORE_TUNNEL_IDS = 2
    PROTOCOL_NOT_SUPPORTED = 3
    FLOW_CONTROL_NOT_SUPPORTED = 4


class TransferDataStatus(IntEnum):
    """Why data was not taken. Spec: ZSE 1.4 D.6 (TransferDataStatus)."""

    NO_SUCH_TUNNEL = 0
    WRONG_DEVICE = 1
    DATA_OVERFLOW = 2


class Tunnelling(Cluster, id=0x0704, spec="ZSE 1.4 D.6"):
    """Spec: ZSE 1.4 D.6."""

    close_tunnel_timeout = attribute(0x0000, UInt16, mandatory=True, units="seconds", default=0xFFFF)

    request_tunnel = command(
        0x00,
        CLIENT_TO_SERVER,
        fields(
            protocol_id=Enum8,
            manufacturer_code=UInt16,
            flow_control_support=Bool,
            maximum_incoming_transfer_size=UInt16,
        ),
    )
    close_tunnel = command(0x01, CLIENT_TO_SERVER, fields(tunnel_id=UInt16))
    transfer_data_to_server = command(0x02, CLIENT_TO_SERVER, fields(tunnel_id=UInt16, data=rest()))
    transfer_data_error_to_server = command(0x03, CLIENT_TO_SERVER, fields(tunnel_id=UInt16, status=UInt8))
    ack_transfer_data_to_server = command(
        0x04, CLIENT_TO_SERVER, fields(tunnel_id=UInt16, number_of_bytes_left=UInt16)
    )
    ready_data_to_server = command(
        0x05, CLIENT_TO_SERVER, fields(tunnel_id=UInt16, number_of_octets_left=UInt16)
    )
    get_supported_tunnel_protocols = command(0x06, CLIENT_TO_SERVER, fields(protocol_offset=UInt8))

    request_tunnel_response = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(tunnel_id=UInt16, status=UInt8, maximum_incoming_transfer_size=UInt16),
    )
    transfer_data_to_client = command(0x01, SERVER_TO_CLIENT, fields(tunnel_id=UInt16, data=rest()))
    transfer_data_error_to_client = command(0x02, SERVER_TO_CLIENT, fields(tunnel_id=UInt16, status=UInt8))
    ack_transfer_data_to_client = command(
        0x03, SERVER_TO_CLIENT, fields(tunnel_id=UInt16, number_of_bytes_left=UInt16)
    )
    ready_data_to_client = command(
        0x04, SERVER_TO_CLIENT, fields(tunnel_id=UInt16, number_of_octets_left=UInt16)
    )
    supported_tunnel_protocols_response = command(
        0x05,
        SERVER_TO_CLIENT,
        fields(
            protocol_list_complete=Bool,
            protocols=counted(UInt8, fields(manufacturer_code=UInt16, protocol_id=Enum8)),
        ),
    )
    tunnel_closure_notification = command(0x06, SERVER_TO_CLIENT, fields(tunnel_id=UInt16))
