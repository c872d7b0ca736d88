"""A ZigBee device in one file, on the simulated air of a smetslab home: ZEP over UDP is its radio.

It needs Python and `cryptography`, and nothing of smetslab. It proves the interface: what a radio says and
hears over ZEP is enough to be on the air of the home, down to frames sealed under its network key. It looks
for networks, joins one with its install code as a Smart Energy device does (scan, association, network
key), announces itself, and asks the hub for its address.

It does not join wholly: key establishment (CBKE) with a certificate of the home's authority comes next on a
real device, and without a link key of its own a device may read nothing but Basic, Identify and Keep-Alive,
and is sent away after 20 minutes. `smetslab.zigbee.cbke` has what is needed for that: certificates, curves,
and the exchange as a state machine without I/O. To try a whole device against the laboratory, use your
firmware.

    python zep_node.py --air 127.0.0.1:17754 --eui64 00DB1234567890F0 --install-code 83FED3407A939723A5C639B2

Each thing that happens is one line of JSON. The radio at the other end waits for the channel, acknowledges
and sends again by itself, as the chip of a real device does; this program never sends an acknowledgement.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

CHANNELS = range(11, 27)
BEACONS_S = 0.3  # after the first beacon those of others come
PATIENCE_S = 4.0  # the laboratory may share a slow machine
ATTEMPTS = 6  # frames get lost on the air
ROUTER = 0x8E  # mains powered, receiver on when idle, allocate an address
ZEP = struct.Struct(">2sBBBHBBIIIB9xB")


# ------------------------------------------------------------------------------------ keys


def mmo(data: bytes) -> bytes:
    """The hash of Matyas, Meyer and Oseas on AES-128."""
    padded = data + b"\x80" + bytes(-(len(data) + 3) % 16) + struct.pack(">H", 8 * len(data))
    digest = bytes(16)
    for start in range(0, len(padded), 16):
        block = padded[start : start + 16]
        encryptor = Cipher(algorithms.AES(digest), modes.ECB()).encryptor()  # noqa: S305 - one block of a hash
        digest = bytes(a ^ b for a, b in zip(encryptor.update(block), block, strict=True))
    return digest


def transport_key(link_key: bytes) -> bytes:
    """The key under which the hub sends the network key."""
    inner = mmo(bytes(octet ^ 0x36 for octet in link_key) + b"\x00")
    return mmo(bytes(octet ^ 0x5C for octet in link_key) + inner)


def check_sequence(data: bytes) -> bytes:
    """The 16-bit check of an 802.15.4 frame, and of an install code without the last inversion."""
    value = 0
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return struct.pack("<H", value)


def install_code_key(code: bytes) -> bytes:
    """The link key that an install code stands for; its own check (CRC-16/X-25) is part of what is hashed."""
    value = 0xFFFF
    for octet in code:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return mmo(code + struct.pack("<H", value ^ 0xFFFF))


def unseal(key: bytes, header: bytes, auxiliary: bytes, source: bytes, sealed: bytes) -> bytes:
    """Open a layer: the level 5 that is not on the air goes back into the security control."""
    control = bytes((auxiliary[0] | 5,))
    nonce = source + auxiliary[1:5] + control
    return AESCCM(key, tag_length=4).decrypt(nonce, sealed, header + control + auxiliary[1:])


def seal(key: bytes, header: bytes, auxiliary: bytes, source: bytes, payload: bytes) -> bytes:
    control = bytes((auxiliary[0] | 5,))
    nonce = source + auxiliary[1:5] + control
    return AESCCM(key, tag_length=4).encrypt(nonce, payload, header + control + auxiliary[1:])


# ------------------------------------------------------------------------------------ the radio


class Air:
    """Frames through ZEP datagrams."""

    def __init__(self, host: str, port: int) -> None:
        self.channel = 11
        self._place = (host, port)
        self._sequence = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(self._place)

    def send(self, frame: bytes) -> None:
        """Put a frame on the air; without octets only say that we are there, and on which channel."""
        octets = frame + check_sequence(frame) if frame else b""
        self._sequence += 1
        head = ZEP.pack(b"EX", 2, 1, self.channel, 0x00F0, 1, 0, 0, 0, self._sequence, 0, len(octets))
        self._socket.send(head + octets)

    def frames(self, seconds: float) -> Iterator[bytes]:
        """What the radio hears for a while, without check sequences."""
        end = time.monotonic() + seconds  # noqa: TID251 - a process of its own lives in real time
        while (left := end - time.monotonic()) > 0:  # noqa: TID251
            self._socket.settimeout(left)
            try:
                datagram = self._socket.recv(2048)
            except TimeoutError:
                return
            frame = datagram[ZEP.size : -2]
            if datagram[:3] == b"EX\x02" and len(frame) >= 3 and check_sequence(frame) == datagram[-2:]:
                yield frame


# ------------------------------------------------------------------------------------ the device


def is_beacon(frame: bytes) -> bool:
    return frame[0] & 7 == 0 and len(frame) >= 7 + 4 + 11


def read_beacon(frame: bytes, channel: int) -> dict[str, object]:
    """What a network says of itself."""
    pan, source = struct.unpack_from("<HH", frame, 3)
    return {
        "channel": channel,
        "pan": pan,
        "address": source,
        "extended_pan": frame[14:22][::-1].hex().upper(),
        "permit_joining": bool(frame[8] & 0x80),
    }


class Node:
    """A device that joins. `eui64`: octets in the order of the air, the last first."""

    def __init__(self, air: Air, eui64: bytes, link_key: bytes) -> None:
        self.air = air
        self.eui64 = eui64
        self.link_key = link_key
        self.pan = 0xFFFF
        self.hub = bytes(8)
        self.address = 0xFFFF
        self.network_key = b""
        self.key_sequence = 0
        self._mac = self._nwk = self._aps = 0
        self._counter = 0

    def next_mac(self) -> int:
        self._mac = (self._mac + 1) & 0xFF
        return self._mac

    def scan(self, channels: Sequence[int], dwell_s: float, scans: int) -> list[dict[str, object]]:
        """Ask on each channel who is there."""
        found: list[dict[str, object]] = []
        for channel in channels:
            self.air.channel = channel
            for _ in range(scans):
                # Beacons of several devices may destroy each other, and nobody sends one again.
                self.air.send(struct.pack("<HBHHB", 0x0803, self.next_mac(), 0xFFFF, 0xFFFF, 7))
                first = next(filter(is_beacon, self.air.frames(dwell_s)), None)
                if first is not None:
                    rest = filter(is_beacon, self.air.frames(BEACONS_S))
                    networks = (read_beacon(beacon, channel) for beacon in (first, *rest))
                    found += [network for network in networks if network not in found]
                if any(network["channel"] == channel and network["address"] == 0 for network in found):
                    break
        # The coordinator first: through a router joining goes another way.
        return sorted(found, key=lambda network: int(str(network["address"])))

    def join(self, network: dict[str, object]) -> bool:
        """Associate and take the network key, again where something of it was lost."""
        return any(self.associate(network) and self.take_network_key() for _ in range(ATTEMPTS))

    def associate(self, network: dict[str, object]) -> bool:
        """Ask for an address, and fetch the answer."""
        self.air.channel, self.pan = int(str(network["channel"])), int(str(network["pan"]))
        to, own = struct.pack("<HH", self.pan, int(str(network["address"]))), self.eui64
        request = struct.pack("<HB", 0xC823, self.next_mac()) + to + b"\xff\xff" + own
        self.air.send(request + bytes((1, ROUTER)))
        for _ in self.air.frames(0.5):
            pass  # the hub makes up its mind
        self.air.send(struct.pack("<HB", 0xC863, self.next_mac()) + to + own + b"\x04")
        for frame in self.air.frames(PATIENCE_S):
            if (
                frame[0] & 7 == 3
                and frame[1] & 0x0C == 0x0C
                and frame[5:13] == own
                and frame[-4:-3] == b"\x02"
            ):
                self.hub = frame[-12:-4]
                self.address, status = struct.unpack("<HB", frame[-3:])
                return status == 0
        return False

    def take_network_key(self) -> bool:
        """Wait for the key, sealed under what follows from the install code. InvalidTag where the hub knows
        another code.
        """
        for frame in self.air.frames(PATIENCE_S):
            network = self.network_frame(frame)
            if network is None or network[0] & 0x03:
                continue
            aps = network[8:]
            if aps[:1] != b"\x21" or len(aps) < 30:  # an APS command, sealed
                continue
            header, auxiliary, sealed = aps[:2], aps[2:15], aps[15:]
            command = unseal(transport_key(self.link_key), header, auxiliary, auxiliary[5:13], sealed)
            if command[:2] == b"\x05\x01":
                self.network_key, self.key_sequence = command[2:18], command[18]
                self.hub = command[27:35]
                return True
        return False

    def network_frame(self, frame: bytes) -> bytes | None:
        """The network layer of a frame to this device or to everybody."""
        if frame[0] & 7 != 1 or frame[1] & 0xCC != 0x88:
            return None
        pan, destination = struct.unpack_from("<HH", frame, 3)
        return frame[9:] if pan == self.pan and destination in {self.address, 0xFFFF} else None

    def send_data(self, destination: int, cluster: int, payload: bytes) -> None:
        """A message of the device profile, sealed under the network key."""
        self._nwk, self._aps, self._counter = self._nwk + 1, self._aps + 1, self._counter + 1
        everybody = destination >= 0xFFF8
        aps = struct.pack("<BBHHBB", 0x08 if everybody else 0, 0, cluster, 0, 0, self._aps & 0xFF) + payload
        header = struct.pack("<HHHBB", 0x0208, destination, self.address, 30, self._nwk & 0xFF)
        auxiliary = struct.pack("<BI", 0x28, self._counter) + self.eui64 + bytes((self.key_sequence,))
        sealed = seal(self.network_key, header, auxiliary, self.eui64, aps)
        mac = struct.pack(
            "<HBHHH",
            0x8841 if everybody else 0x8861,
            self.next_mac(),
            self.pan,
            0xFFFF if everybody else destination,
            self.address,
        )
        self.air.send(mac + header + auxiliary + sealed)

    def announce(self) -> None:
        """Tell everybody which address belongs to whom."""
        payload = struct.pack("<BH", 1, self.address) + self.eui64 + bytes((ROUTER,))
        self.send_data(0xFFFD, 0x0013, payload)

    def ask_address(self) -> str:
        """Ask the hub for its EUI-64, and open the answer."""
        self.send_data(0, 0x0001, struct.pack("<BHBB", 2, 0, 0, 0))
        for frame in self.air.frames(PATIENCE_S):
            network = self.network_frame(frame)
            if network is None or network[0] & 0x03 or not network[1] & 0x02 or network[1] & 0x1C:
                continue
            header, auxiliary, sealed = network[:8], network[8:22], network[22:]
            aps = unseal(self.network_key, header, auxiliary, auxiliary[5:13], sealed)
            if aps[0] & 0x03 == 0 and struct.unpack_from("<H", aps, 2) == (0x8001,) and aps[9] == 0:
                return aps[10:18][::-1].hex().upper()
        return ""


def say(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="A ZigBee device on the simulated air of a smetslab home.")
    parser.add_argument("--air", default="127.0.0.1:17754", help="HOST:PORT of [han] zep in the lab file")
    parser.add_argument("--eui64", required=True, help="the device's own address, 16 hex digits")
    parser.add_argument(
        "--install-code", help="hex digits without the check; without it the device only looks"
    )
    parser.add_argument("--channel", type=int, action="append", help="only this one; may repeat")
    parser.add_argument("--dwell", type=float, default=0.2, help="seconds on each channel")
    parser.add_argument("--scans", type=int, default=3, help="how often each channel is asked")
    options = parser.parse_args()
    host, _, port = options.air.rpartition(":")
    code = bytes.fromhex(options.install_code or "")
    node = Node(Air(host, int(port)), bytes.fromhex(options.eui64)[::-1], install_code_key(code))
    networks = node.scan(options.channel or CHANNELS, options.dwell, options.scans)
    for network in networks:
        say("network", **network)
    if not options.install_code:
        return 0 if networks else 1
    wanted = next((network for network in networks if network["permit_joining"]), None)
    if wanted is None:
        say("nobody lets us in")
        return 1
    try:
        if not node.join(wanted):
            say("no network key")
            return 1
    except InvalidTag:
        say("a network key under another install code")
        return 1
    say("associated", address=node.address)
    say("network key", sequence=node.key_sequence, hub=node.hub[::-1].hex().upper())
    node.announce()
    answer = next(filter(None, (node.ask_address() for _ in range(ATTEMPTS))), "")
    say("hub answered" if answer else "no answer", eui64=answer)
    return 0 if answer else 1


if __name__ == "__main__":
    sys.exit(main())
