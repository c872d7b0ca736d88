"""Scapy layers of what is in a GB tunnel: the header of a sleepy meter's tunnel, and those of GBCS messages.

A message is a grouping header with its content; a MAC header may stand around it, whose MAC comes last.
Lengths that are None are computed. What the content is, `smetslab gbcs decode` tells.

Spec: GBCS 7.2.7 (grouping and MAC header), 10.3 (tunnels of the gas meter)
"""

from __future__ import annotations

from typing import Any, Final

from scapy.fields import (
    ByteEnumField,
    ByteField,
    ConditionalField,
    Field,
    LongField,
    ShortEnumField,
    XByteField,
    XStrFixedLenField,
    XStrLenField,
)
from scapy.packet import Packet

from smetslab.gbcs.usecases import USE_CASES
from smetslab.wire import ber_length

GENERAL_CIPHERING, GROUPING = 0xDD, 0xDF
SECURITY_HEADER: Final = bytes.fromhex("1100000000")
MAC_OCTETS: Final = 12
_HEAD: Final = 7
"""Tag and empty fields of a MAC header."""
_TUNNEL_COMMANDS: Final = {1: "GET", 2: "GET-RESPONSE", 3: "PUT"}
_CRA: Final = {1: "command", 2: "response", 3: "alert"}
_CODES: Final = {row.code: row.name for row in USE_CASES.values()}


def _read_length(octets: bytes) -> tuple[int, int]:
    """A BER length and how many octets it has; (0, 0) when it is cut short."""
    if not octets:
        return 0, 0
    if octets[0] < 0x80:
        return octets[0], 1
    size = octets[0] & 0x7F
    return int.from_bytes(octets[1 : 1 + size], "big"), min(1 + size, len(octets))


class BerLengthField(Field):
    """The length of another field, or what `post_build` makes of it."""

    __slots__ = ("adjust", "length_of")

    def __init__(self, name: str, length_of: str = "", adjust: int = 0) -> None:
        self.length_of = length_of
        self.adjust = adjust
        Field.__init__(self, name, None, "B")

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, int]:
        length, size = _read_length(s)
        return s[size:], length

    def addfield(self, pkt: Packet, s: bytes, val: Any) -> bytes:
        if val is None:
            length = self.adjust
            if self.length_of:
                field, value = pkt.getfield_and_val(self.length_of)
                length += field.i2len(pkt, value)
            val = length
        return s + ber_length(val)

    def i2repr(self, pkt: Packet, x: Any) -> str:
        return str(x)


class GbcsGroupingHeader(Packet):
    """A GBCS message from its grouping header to its signature. Spec: GBCS 7.2.7."""

    name = "GBCS grouping header"
    fields_desc = [  # noqa: RUF012 - scapy's own way to declare a layer
        XByteField("tag", GROUPING),
        ByteField("transaction_id_length", 9),
        ByteEnumField("cra_flag", 1, _CRA),
        LongField("originator_counter", 0),
        ByteField("originator_length", 8),
        XStrFixedLenField("business_originator_id", bytes(8), 8),
        ByteField("target_length", 8),
        XStrFixedLenField("business_target_id", bytes(8), 8),
        BerLengthField("date_time_length", "date_time"),
        XStrLenField("date_time", b"", length_from=lambda packet: packet.date_time_length),
        BerLengthField("other_information_length", "supplementary", 2),
        ShortEnumField("message_code", 0, _CODES),
        XStrLenField(
            "supplementary", b"", length_from=lambda packet: max(0, packet.other_information_length - 2)
        ),
        BerLengthField("content_length", "content"),
        XStrLenField("content", b"", length_from=lambda packet: packet.content_length),
        BerLengthField("signature_length", "signature"),
        XStrLenField("signature", b"", length_from=lambda packet: packet.signature_length),
    ]

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s


class GbcsMacHeader(Packet):
    """The MAC header around a message. Its `message_mac` is that at the end. Spec: GBCS 7.2.7."""

    name = "GBCS MAC header"
    fields_desc = [  # noqa: RUF012 - scapy's own way to declare a layer
        XByteField("tag", GENERAL_CIPHERING),
        XStrFixedLenField("empty_fields", bytes(6), 6),
        BerLengthField("ciphered_service_length"),
        XStrFixedLenField("security_header", SECURITY_HEADER, len(SECURITY_HEADER)),
        XStrFixedLenField("message_mac", bytes(MAC_OCTETS), MAC_OCTETS),
    ]

    def pre_dissect(self, s: bytes) -> bytes:
        """Have the MAC where its field is: behind the security header."""
        length, size = _read_length(s[_HEAD:])
        start = _HEAD + size + len(SECURITY_HEADER)
        end = _HEAD + size + length
        if end > len(s) or end - MAC_OCTETS < start:
            return s
        return s[:start] + s[end - MAC_OCTETS : end] + s[start : end - MAC_OCTETS] + s[end:]

    def post_dissect(self, s: bytes) -> bytes:
        """Have the packet built again: its octets as they were read are those with the MAC moved."""
        self.raw_packet_cache = None
        return s

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Put the MAC at the end, and compute the length where it is not given."""
        mac, head = pkt[-MAC_OCTETS:], pkt[:-MAC_OCTETS]
        if self.ciphered_service_length is None:
            length = ber_length(len(SECURITY_HEADER) + len(pay) + MAC_OCTETS)
            head = head[:_HEAD] + length + head[-len(SECURITY_HEADER) :]
        return head + pay + mac

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        return (
            GbcsGroupingHeader
            if payload[:1] == bytes((GROUPING,))
            else Packet.guess_payload_class(self, payload)
        )


class GbTunnelHeader(Packet):
    """What stands before a message in the tunnel of a sleepy meter. Spec: GBCS 10.3."""

    name = "GB tunnel header"
    fields_desc = [  # noqa: RUF012 - scapy's own way to declare a layer
        ByteEnumField("tunnel_command", 1, _TUNNEL_COMMANDS),
        ConditionalField(ByteField("remaining", 0), lambda packet: packet.tunnel_command == 2),
    ]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        found = inside_tunnel(payload, headed=True)
        return Packet.guess_payload_class(self, payload) if found is None else found


def inside_tunnel(payload: bytes, *, headed: bool = False) -> type[Packet] | None:
    """The layer that the data of a tunnel begin with. `headed`: the tunnel's own header has been read."""
    first = payload[:1]
    if first and first[0] in _TUNNEL_COMMANDS and not headed:
        return GbTunnelHeader
    if first == bytes((GENERAL_CIPHERING,)) and payload[1:2] != b"\x09":
        return GbcsMacHeader
    return GbcsGroupingHeader if first == bytes((GROUPING,)) else None
