"""Runs beside scapy: dissects frames with the layers of smetslab, builds them again, and says what was found.

In: JSON of a list of frames, 802.15.4 without check sequence, in hex. Out: for each its layers and fields.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from scapy.config import conf
from scapy.layers.dot15d4 import Dot15d4
from scapy.packet import NoPayload, Packet

from smetslab.scapy_layers import (
    COMMAND_LAYERS,
    GbcsGroupingHeader,
    GbcsMacHeader,
    GbTunnelHeader,
    ZclCommand,
    install,
)


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex().upper()
    return value if isinstance(value, int | str | None.__class__) else repr(value)


def look(octets: bytes) -> dict[str, Any]:
    packet = Dot15d4(octets)
    found: dict[str, Any] = {"layers": [], "fields": {}, "again": ""}
    layer: Packet = packet
    while not isinstance(layer, NoPayload):
        found["layers"].append(type(layer).__name__)
        if isinstance(layer, ZclCommand | GbcsMacHeader | GbcsGroupingHeader | GbTunnelHeader):
            names = [field.name for field in layer.fields_desc]
            found["fields"].update(
                {f"{type(layer).__name__}.{name}": plain(layer.getfieldval(name)) for name in names}
            )
        layer = layer.payload
    copy = packet.copy()
    copy.clear_cache()
    found["again"] = bytes(copy).hex().upper()
    return found


def main() -> None:
    conf.dot15d4_protocol = "zigbee"
    install()
    install()
    frames = [bytes.fromhex(text) for text in json.load(sys.stdin)]
    defaults = {f"{layer.__name__}": bytes(layer()).hex().upper() for layer in COMMAND_LAYERS.values()}
    json.dump({"frames": [look(octets) for octets in frames], "defaults": defaults}, sys.stdout)


if __name__ == "__main__":
    main()
