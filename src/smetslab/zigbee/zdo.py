"""The ZigBee Device Profile: the messages with which devices find each other and manage the network.

Each is an APS data frame of profile 0x0000 between endpoints 0; its payload is a sequence number and the
fields of a row. A response has the cluster of its request with the highest bit set.

Spec: ZigBee 2.4.3 (client services), 2.4.4 (server services)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from smetslab.errors import ZigbeeDecodeError
from smetslab.zigbee.rows import Row, table
from smetslab.zigbee.zcl.fields import Record, counted, fields, optional, rest, to_end, variant
from smetslab.zigbee.zcl.types import DataType, Ieee, UInt8, UInt16, UInt32

PROFILE: Final = 0x0000
ENDPOINT: Final = 0
RESPONSE: Final = 0x8000
"""The bit that makes a response's cluster of its request's."""


class ZdoStatus(IntEnum):
    """Spec: ZigBee 2.4.5 (table 2.143)."""

    SUCCESS = 0x00
    INVALID_REQUEST_TYPE = 0x80
    DEVICE_NOT_FOUND = 0x81
    INVALID_ENDPOINT = 0x82
    NOT_ACTIVE = 0x83
    NOT_SUPPORTED = 0x84
    TIMEOUT = 0x85
    NO_MATCH = 0x86
    NO_ENTRY = 0x88
    NO_DESCRIPTOR = 0x89
    INSUFFICIENT_SPACE = 0x8A
    NOT_PERMITTED = 0x8B
    TABLE_FULL = 0x8C
    NOT_AUTHORISED = 0x8D


def _ok(**kinds: DataType) -> DataType:
    """What follows a status of success; after any other, whatever the sender puts there."""
    return variant("status", {ZdoStatus.SUCCESS: fields(**kinds)}, rest())


_CLUSTERS = counted(UInt8, UInt16)
_SIMPLE_DESCRIPTOR = fields(
    endpoint=UInt8,
    profile=UInt16,
    device_id=UInt16,
    device_version=UInt8,
    input_clusters=_CLUSTERS,
    output_clusters=_CLUSTERS,
)
_NODE_DESCRIPTOR = fields(
    kind=UInt8,
    frequency_band=UInt8,
    mac_capability=UInt8,
    manufacturer=UInt16,
    maximum_buffer_size=UInt8,
    maximum_incoming_transfer_size=UInt16,
    server_mask=UInt16,
    maximum_outgoing_transfer_size=UInt16,
    descriptor_capability=UInt8,
)
_BINDING = fields(
    source=Ieee,
    source_endpoint=UInt8,
    cluster=UInt16,
    address_mode=UInt8,
    destination=variant("address_mode", {1: UInt16, 3: fields(address=Ieee, endpoint=UInt8)}, rest()),
)
_ADDRESS_RESPONSE = {
    "status": UInt8,
    "ieee_address": Ieee,
    "short_address": UInt16,
    "associated_devices": to_end(UInt8),
}
_NEIGHBOUR = fields(
    extended_pan=Ieee,
    ieee_address=Ieee,
    short_address=UInt16,
    kind=UInt8,
    permit_joining=UInt8,
    depth=UInt8,
    link_quality=UInt8,
)

NWK_ADDRESS_REQUEST = Row(
    0x0000,
    "nwk_address_request",
    fields(ieee_address=Ieee, request_type=UInt8, start_index=UInt8),
    "ZigBee 2.4.3.1.1",
)
IEEE_ADDRESS_REQUEST = Row(
    0x0001,
    "ieee_address_request",
    fields(short_address=UInt16, request_type=UInt8, start_index=UInt8),
    "ZigBee 2.4.3.1.2",
)
NODE_DESCRIPTOR_REQUEST = Row(
    0x0002, "node_descriptor_request", fields(short_address=UInt16), "ZigBee 2.4.3.1.3"
)
SIMPLE_DESCRIPTOR_REQUEST = Row(
    0x0004,
    "simple_descriptor_request",
    fields(short_address=UInt16, endpoint=UInt8),
    "ZigBee 2.4.3.1.5",
)
ACTIVE_ENDPOINTS_REQUEST = Row(
    0x0005, "active_endpoints_request", fields(short_address=UInt16), "ZigBee 2.4.3.1.6"
)
MATCH_DESCRIPTOR_REQUEST = Row(
    0x0006,
    "match_descriptor_request",
    fields(short_address=UInt16, profile=UInt16, input_clusters=_CLUSTERS, output_clusters=_CLUSTERS),
    "ZigBee 2.4.3.1.7",
)
DEVICE_ANNOUNCE = Row(
    0x0013,
    "device_announce",
    fields(short_address=UInt16, ieee_address=Ieee, capability=UInt8),
    "ZigBee 2.4.3.1.11",
)
PARENT_ANNOUNCE = Row(0x001F, "parent_announce", fields(children=counted(UInt8, Ieee)), "ZigBee 2.4.3.1.12")
BIND_REQUEST = Row(0x0021, "bind_request", _BINDING, "ZigBee 2.4.3.2.2")
UNBIND_REQUEST = Row(0x0022, "unbind_request", _BINDING, "ZigBee 2.4.3.2.3")
NEIGHBOUR_TABLE_REQUEST = Row(
    0x0031, "neighbour_table_request", fields(start_index=UInt8), "ZigBee 2.4.3.3.2"
)
BINDING_TABLE_REQUEST = Row(0x0033, "binding_table_request", fields(start_index=UInt8), "ZigBee 2.4.3.3.4")
LEAVE_REQUEST = Row(0x0034, "leave_request", fields(device=Ieee, options=UInt8), "ZigBee 2.4.3.3.5")
PERMIT_JOINING_REQUEST = Row(
    0x0036,
    "permit_joining_request",
    fields(duration_s=UInt8, trust_centre_significance=UInt8),
    "ZigBee 2.4.3.3.7",
)
NWK_UPDATE_REQUEST = Row(
    0x0038,
    "nwk_update_request",
    fields(
        channels=UInt32,
        scan_duration=UInt8,
        scan_count_or_update_id=optional(UInt8),
        manager_short_address=optional(UInt16),
    ),
    "ZigBee 2.4.3.3.9",
)
NWK_ENHANCED_UPDATE_REQUEST = Row(
    0x0039,
    "nwk_enhanced_update_request",
    fields(
        channels=counted(UInt8, UInt32),
        scan_duration=UInt8,
        scan_count_or_update_id=optional(UInt8),
        manager_short_address=optional(UInt16),
    ),
    "ZigBee 2.4.3.3.10 (unverified)",
)
"""That of bands with channel pages: a mask for each page."""

NWK_ADDRESS_RESPONSE = Row(0x8000, "nwk_address_response", fields(**_ADDRESS_RESPONSE), "ZigBee 2.4.4.2.1")
IEEE_ADDRESS_RESPONSE = Row(0x8001, "ieee_address_response", fields(**_ADDRESS_RESPONSE), "ZigBee 2.4.4.2.2")
NODE_DESCRIPTOR_RESPONSE = Row(
    0x8002,
    "node_descriptor_response",
    fields(status=UInt8, short_address=UInt16, found=_ok(descriptor=_NODE_DESCRIPTOR)),
    "ZigBee 2.4.4.2.3",
)
SIMPLE_DESCRIPTOR_RESPONSE = Row(
    0x8004,
    "simple_descriptor_response",
    fields(status=UInt8, short_address=UInt16, found=_ok(length=UInt8, descriptor=_SIMPLE_DESCRIPTOR)),
    "ZigBee 2.4.4.2.5",
)
ACTIVE_ENDPOINTS_RESPONSE = Row(
    0x8005,
    "active_endpoints_response",
    fields(status=UInt8, short_address=UInt16, endpoints=counted(UInt8, UInt8)),
    "ZigBee 2.4.4.2.6",
)
MATCH_DESCRIPTOR_RESPONSE = Row(
    0x8006,
    "match_descriptor_response",
    fields(status=UInt8, short_address=UInt16, endpoints=counted(UInt8, UInt8)),
    "ZigBee 2.4.4.2.7",
)
PARENT_ANNOUNCE_RESPONSE = Row(
    0x801F,
    "parent_announce_response",
    fields(status=UInt8, found=_ok(children=counted(UInt8, Ieee))),
    "ZigBee 2.4.4.2.23",
)
BIND_RESPONSE = Row(0x8021, "bind_response", fields(status=UInt8), "ZigBee 2.4.4.3.2")
UNBIND_RESPONSE = Row(0x8022, "unbind_response", fields(status=UInt8), "ZigBee 2.4.4.3.3")
NEIGHBOUR_TABLE_RESPONSE = Row(
    0x8031,
    "neighbour_table_response",
    fields(
        status=UInt8,
        found=_ok(entries=UInt8, start_index=UInt8, neighbours=counted(UInt8, _NEIGHBOUR)),
    ),
    "ZigBee 2.4.4.4.2",
)
BINDING_TABLE_RESPONSE = Row(
    0x8033,
    "binding_table_response",
    fields(status=UInt8, found=_ok(entries=UInt8, start_index=UInt8, bindings=counted(UInt8, _BINDING))),
    "ZigBee 2.4.4.4.4",
)
LEAVE_RESPONSE = Row(0x8034, "leave_response", fields(status=UInt8), "ZigBee 2.4.4.4.5")
PERMIT_JOINING_RESPONSE = Row(0x8036, "permit_joining_response", fields(status=UInt8), "ZigBee 2.4.4.4.7")
_SCANNED = fields(
    status=UInt8,
    scanned_channels=UInt32,
    total_transmissions=UInt16,
    transmission_failures=UInt16,
    energies=counted(UInt8, UInt8),
)
NWK_UPDATE_NOTIFY = Row(0x8038, "nwk_update_notify", _SCANNED, "ZigBee 2.4.4.4.9")
NWK_ENHANCED_UPDATE_NOTIFY = Row(
    0x8039, "nwk_enhanced_update_notify", _SCANNED, "ZigBee 2.4.4.4.10 (unverified)"
)

ZDO_MESSAGES: Final[Mapping[int, Row]] = table(
    (
        NWK_ADDRESS_REQUEST,
        IEEE_ADDRESS_REQUEST,
        NODE_DESCRIPTOR_REQUEST,
        SIMPLE_DESCRIPTOR_REQUEST,
        ACTIVE_ENDPOINTS_REQUEST,
        MATCH_DESCRIPTOR_REQUEST,
        DEVICE_ANNOUNCE,
        PARENT_ANNOUNCE,
        BIND_REQUEST,
        UNBIND_REQUEST,
        NEIGHBOUR_TABLE_REQUEST,
        BINDING_TABLE_REQUEST,
        LEAVE_REQUEST,
        PERMIT_JOINING_REQUEST,
        NWK_UPDATE_REQUEST,
        NWK_ENHANCED_UPDATE_REQUEST,
        NWK_ADDRESS_RESPONSE,
        IEEE_ADDRESS_RESPONSE,
        NODE_DESCRIPTOR_RESPONSE,
        SIMPLE_DESCRIPTOR_RESPONSE,
        ACTIVE_ENDPOINTS_RESPONSE,
        MATCH_DESCRIPTOR_RESPONSE,
        PARENT_ANNOUNCE_RESPONSE,
        BIND_RESPONSE,
        UNBIND_RESPONSE,
        NEIGHBOUR_TABLE_RESPONSE,
        BINDING_TABLE_RESPONSE,
        LEAVE_RESPONSE,
        PERMIT_JOINING_RESPONSE,
        NWK_UPDATE_NOTIFY,
        NWK_ENHANCED_UPDATE_NOTIFY,
    )
)
"""The messages of the device profile by cluster."""


def decode_zdo(cluster: int, payload: bytes) -> tuple[Row, int, Record]:
    """Row, sequence number and fields of a message. Raises ZigbeeDecodeError."""
    row = ZDO_MESSAGES.get(cluster)
    if row is None or not payload:
        raise ZigbeeDecodeError(
            "no message of the device profile",
            offset=0,
            path="ZDO",
            found=f"cluster {cluster:04X}, {len(payload)} bytes",
            spec="ZigBee 2.4.2",
        )
    return row, payload[0], row.decode(payload, 1)
