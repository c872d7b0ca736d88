"""Frames made up with scapy, on the simulated air of a home: what scapy can build can be sent there.

It needs the extra `scapy` (GPL-2.0-only), in an environment without zigpy. Frames with a Smart Energy command
and a GBCS message in it are built from layers, printed, and sent as ZEP to the air of a lab whose file says
`[han] zep = "127.0.0.1:17754"`. The home answers forgeries with silence; its trace says why.

    python scapy_injection.py --air 127.0.0.1:17754 --pan 20DF --channel 15
"""

from __future__ import annotations

import argparse
import random
import socket
import sys

from scapy.config import conf
from scapy.layers.dot15d4 import Dot15d4Data, Dot15d4FCS
from scapy.layers.zigbee import ZEP2, ZigbeeAppDataPayload, ZigbeeClusterLibrary, ZigbeeNWK
from scapy.packet import Packet

from smetslab.scapy_layers import COMMAND_LAYERS, GbcsGroupingHeader, GbcsMacHeader, install

TUNNELLING, PRICE, SMART_ENERGY = 0x0704, 0x0700, 0x0109


def zcl(cluster: int, command: int, *, to_client: bool, sequence: int, **fields: object) -> Packet:
    """The header and payload of a command, its fields as our declaration has them."""
    layer = COMMAND_LAYERS[cluster, to_client, command]
    return (
        ZigbeeAppDataPayload(
            frame_control=0,
            dst_endpoint=1,
            cluster=cluster,
            profile=SMART_ENERGY,
            src_endpoint=1,
            counter=sequence,
        )
        / ZigbeeClusterLibrary(
            zcl_frametype=1,
            command_direction=int(to_client),
            transaction_sequence=sequence,
            command_identifier=command,
        )
        / layer(**fields)
    )


def frame(pan: int, inside: Packet, sequence: int) -> bytes:
    """A frame to the hub with its check sequence; the network layer is not sealed, as a forger's."""
    mac = Dot15d4FCS(
        fcf_frametype=1, fcf_destaddrmode=2, fcf_srcaddrmode=2, fcf_panidcompress=1, seqnum=sequence
    )
    data = Dot15d4Data(dest_panid=pan, dest_addr=0, src_addr=0x4242)
    network = ZigbeeNWK(
        flags=0, discover_route=0, proto_version=2, destination=0, source=0x4242, seqnum=sequence
    )
    return bytes(mac / data / network / inside)


def frames(pan: int, random_prices: int) -> list[bytes]:
    """A forged command in a tunnel, a forged price, and as many prices of random content."""
    message = GbcsMacHeader() / GbcsGroupingHeader(
        originator_counter=1,
        business_originator_id=b"A FORGER",
        business_target_id=b"A METER!",
        message_code=0x0062,
    )
    made = [
        zcl(TUNNELLING, 2, to_client=False, sequence=1, tunnel_id=1) / message,
        zcl(PRICE, 0, to_client=True, sequence=2, provider_id=1, rate_label=b"FREE", price=0),
    ]
    for number in range(random_prices):
        price = zcl(PRICE, 0, to_client=True, sequence=3 + number)
        price[COMMAND_LAYERS[PRICE, True, 0]].price = random.randrange(1 << 32)  # noqa: S311 - no secret
        made.append(price)
    return [frame(pan, inside, number) for number, inside in enumerate(made, start=1)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Send frames made with scapy to a simulated home.")
    parser.add_argument("--air", default="127.0.0.1:17754", help="HOST:PORT of [han] zep in the lab file")
    parser.add_argument("--pan", required=True, help="the PAN of the home, as `smetslab han show` has it")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--random", type=int, default=0, help="so many random prices more")
    options = parser.parse_args()
    conf.dot15d4_protocol = "zigbee"
    install()
    host, _, port = options.air.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as air:
        for number, octets in enumerate(frames(int(options.pan, 16), options.random), start=1):
            sys.stdout.write(f"{octets.hex().upper()}\n")
            Dot15d4FCS(octets).show()
            head = ZEP2(
                ver=2, type=1, channel=options.channel, device=1, lqi_mode=1, seq=number, length=len(octets)
            )
            air.sendto(bytes(head) + octets, (host, int(port)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
