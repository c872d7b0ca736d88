"""Over-the-air upgrade, cluster 0x0019: how an image comes from the hub to a device, block by block.

Spec: ZCL 11 (OTA Upgrade); GBCS 11
"""

from __future__ import annotations

from typing import Final

from smetslab.zigbee.zcl.cluster import CLIENT_TO_SERVER, SERVER_TO_CLIENT, Cluster, attribute, command
from smetslab.zigbee.zcl.fields import fields, variant
from smetslab.zigbee.zcl.named import Enumeration
from smetslab.zigbee.zcl.types import Enum8, Ieee, Octets, UInt8, UInt16, UInt32, UtcTime

UpgradeStatus = Enumeration(
    Enum8,
    {
        0: "normal",
        1: "download_in_progress",
        2: "download_complete",
        3: "waiting_to_upgrade",
        4: "count_down",
        5: "wait_for_more",
        6: "waiting_to_upgrade_via_external_event",
    },
)
"""Spec: ZCL 11.10.7 (ImageUpgradeStatus)."""

OtaStatus = Enumeration(
    Enum8,
    {
        0x00: "success",
        0x7E: "not_authorized",
        0x80: "malformed_command",
        0x95: "abort",
        0x96: "invalid_image",
        0x97: "wait_for_data",
        0x98: "no_image_available",
        0x99: "require_more_image",
    },
)
"""Spec: ZCL 11.13.2 (OTA status codes)."""

HARDWARE_VERSION_PRESENT: Final = 0x01
"""Field control of Query Next Image Request. Spec: ZCL 11.13.4.2.1."""
WAIT_FOR_COMMAND: Final = 0xFFFFFFFF
"""Upgrade time of a device that runs its image when another command says so. Spec: ZCL 11.13.9.2.5."""
MAX_BLOCK_OCTETS: Final = 254
"""An octet string of one length octet holds no more. Spec: ZCL 2.6.2.12."""

_VERSIONED = {"manufacturer_code": UInt16, "image_type": UInt16, "file_version": UInt32}


class Ota(Cluster, id=0x0019, spec="ZCL 11"):
    """Spec: ZCL 11."""

    upgrade_server_id = attribute(0x0000, Ieee, mandatory=True, server=False)
    file_offset = attribute(0x0001, UInt32, server=False, units="octets")
    current_file_version = attribute(0x0002, UInt32, server=False)
    current_zigbee_stack_version = attribute(0x0003, UInt16, server=False)
    downloaded_file_version = attribute(0x0004, UInt32, server=False)
    downloaded_zigbee_stack_version = attribute(0x0005, UInt16, server=False)
    image_upgrade_status = attribute(0x0006, UpgradeStatus, mandatory=True, server=False)
    manufacturer_id = attribute(0x0007, UInt16, server=False)
    image_type_id = attribute(0x0008, UInt16, server=False)
    minimum_block_period = attribute(0x0009, UInt16, server=False, units="milliseconds")
    image_stamp = attribute(0x000A, UInt32, server=False)

    query_next_image_request = command(
        0x01,
        CLIENT_TO_SERVER,
        fields(
            field_control=UInt8,
            manufacturer_code=UInt16,
            image_type=UInt16,
            current_file_version=UInt32,
            hardware=variant("field_control", {0: fields(), 1: fields(hardware_version=UInt16)}),
        ),
    )
    image_block_request = command(
        0x03,
        CLIENT_TO_SERVER,
        fields(
            field_control=UInt8,
            **_VERSIONED,
            file_offset=UInt32,
            maximum_data_size=UInt8,
            conditions=variant(
                "field_control",
                {
                    0: fields(),
                    1: fields(request_node_address=Ieee),
                    2: fields(minimum_block_period=UInt16),
                    3: fields(request_node_address=Ieee, minimum_block_period=UInt16),
                },
            ),
        ),
    )
    upgrade_end_request = command(0x06, CLIENT_TO_SERVER, fields(status=OtaStatus, **_VERSIONED))

    image_notify = command(
        0x00,
        SERVER_TO_CLIENT,
        fields(
            payload_type=UInt8,
            query_jitter=UInt8,
            image=variant(
                "payload_type",
                {
                    0: fields(),
                    1: fields(manufacturer_code=UInt16),
                    2: fields(manufacturer_code=UInt16, image_type=UInt16),
                    3: fields(**_VERSIONED),
                },
            ),
        ),
    )
    query_next_image_response = command(
        0x02,
        SERVER_TO_CLIENT,
        fields(
            status=OtaStatus,
            image=variant("status", {0: fields(**_VERSIONED, image_size=UInt32)}, fields()),
        ),
    )
    image_block_response = command(
        0x05,
        SERVER_TO_CLIENT,
        fields(
            status=OtaStatus,
            block=variant(
                "status",
                {
                    0x00: fields(**_VERSIONED, file_offset=UInt32, image_data=Octets),
                    0x97: fields(current_time=UtcTime, request_time=UtcTime, minimum_block_period=UInt16),
                },
                fields(),
            ),
        ),
    )
    upgrade_end_response = command(
        0x07,
        SERVER_TO_CLIENT,
        fields(**_VERSIONED, current_time=UtcTime, upgrade_time=UtcTime),
    )
