"""The two nested DLMS envelopes of a GBCS message: MAC header and grouping header, in every shape.

A message is one of six shapes, told apart by what it carries:

=======================  ============  =====================
shape                    `message_mac` `signature`
=======================  ============  =====================
pre-command              None          None (not even a length)
signed only              None          64 octets
signed and MACed         12 octets     64 octets
MACed only               12 octets     b"" (a length of 00)
=======================  ============  =====================

A pre-command that ends in a length of 00, as some tools write it, has `signature == b""` and no MAC.

Spec: GBCS 7.2.7 (grouping header), 7.2.8 (MAC header).
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from smetslab.crypto import SIGNATURE_BYTES, TAG_BYTES
from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.ids import MAX_COUNTER, Eui64, eui64_of
from smetslab.value_class import value_class
from smetslab.wire import Reader, ber_length

MAX_MESSAGE_BYTES = 256 * 1024
"""The most that is read as one message. The longest published vector has 3,986 octets; a year of half-hours
in one response would have about 140,000."""

GENERAL_CIPHERING = 0xDD
GENERAL_SIGNING = 0xDF
DATE_TIME_BYTES = 12

_EMPTY_CIPHERING_FIELDS = bytes(6)
SECURITY_HEADER = bytes.fromhex("1100000000")
_OTHER_INFORMATION_FIELDS = {2: 0, 10: 1, 18: 2, 26: 3}
"""How many supplementary fields follow the message code, by length; anything longer ends in a certificate."""
_SPEC = "GBCS 7.2.7"
_MAC_SPEC = "GBCS 7.2.8"


@value_class(frozen=True, slots=True, kw_only=True)
class OtherInformation:
    """The other-information field of the grouping header; its variants differ by length alone.

    Lengths: 2 (code), 10 (+ id), 18 (+ counter), 26 (+ supplementary originator counter), more (+ certificate
    instead of that counter).  Spec: GBCS 7.2.7.
    """

    message_code: int
    supplementary_remote_party_id: Eui64 | None = None
    supplementary_remote_party_counter: int | None = None
    supplementary_originator_counter: int | None = None
    key_agreement_certificate: bytes | None = None

    @property
    def length(self) -> int:
        """How many octets `encode` gives."""
        fixed = (
            (self.supplementary_remote_party_id is not None)
            + (self.supplementary_remote_party_counter is not None)
            + (self.supplementary_originator_counter is not None)
        )
        return 2 + 8 * fixed + len(self.key_agreement_certificate or b"")

    def encode(self) -> bytes:
        """Raises GbcsEncodeError when the parts present make no variant."""
        out = _unsigned(self.message_code, 2, "message code")
        party, counter = self.supplementary_remote_party_id, self.supplementary_remote_party_counter
        extra = (self.supplementary_originator_counter, self.key_agreement_certificate)
        if (party is None and counter is not None) or (counter is None and extra != (None, None)):
            raise GbcsEncodeError(
                "supplementary fields must be present from the left", path="other information", spec=_SPEC
            )
        if None not in extra:
            raise GbcsEncodeError(
                "supplementary originator counter and certificate exclude each other",
                path="other information",
                spec=_SPEC,
            )
        if party is not None:
            out += party.raw
        if counter is not None:
            out += _unsigned(counter, 8, "supplementary remote party counter")
        if self.supplementary_originator_counter is not None:
            out += _unsigned(self.supplementary_originator_counter, 8, "supplementary originator counter")
        if self.key_agreement_certificate is not None:
            if len(self.key_agreement_certificate) <= 8:
                raise GbcsEncodeError("certificate too short", path="other information", spec=_SPEC)
            out += self.key_agreement_certificate
        return out


@value_class(frozen=True, slots=True, kw_only=True)
class Message:
    """One GBCS message. Ids and counters are those of the grouping header."""

    cra: Cra
    originator_counter: int
    business_originator_id: Eui64
    business_target_id: Eui64
    other_information: OtherInformation
    content: bytes
    date_time: bytes | None = None
    signature: bytes | None = None
    message_mac: bytes | None = None

    @property
    def message_code(self) -> int:
        return self.other_information.message_code

    @property
    def is_pre_command(self) -> bool:
        """True for the unsigned form that the DCC returns to a user for signing."""
        return self.cra is Cra.COMMAND and self.message_mac is None and not self.signature


def decode_message(data: bytes) -> Message:
    """Read one whole message. Raises GbcsDecodeError with the first offset that does not fit."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise GbcsDecodeError(
            "message too long",
            offset=MAX_MESSAGE_BYTES,
            path="message",
            expected=f"at most {MAX_MESSAGE_BYTES} bytes",
            found=str(len(data)),
        )
    return read_message(Reader(data))


def read_message(reader: Reader) -> Message:
    """Read one whole message: all that `reader` has. Raises GbcsDecodeError."""
    tag = reader.peek()
    if tag == GENERAL_SIGNING:
        return _decode_grouping(reader, None)
    if tag != GENERAL_CIPHERING:
        raise reader.fail(
            "unknown first byte",
            path="message",
            expected="DD (MAC header) or DF (grouping header)",
            found="nothing" if tag is None else f"{tag:02X}",
            spec=_MAC_SPEC,
        )
    reader.u8("MAC header.tag")
    if reader.peek() == 0x09:
        raise reader.fail(
            "a general-block-transfer block, which is reassembled before it is read as a message",
            path="MAC header.transaction id",
            expected="00",
            found="09",
            spec="GBCS 7.2.11",
        )
    reader.expect(_EMPTY_CIPHERING_FIELDS, "MAC header.empty fields", _MAC_SPEC)
    start = reader.position
    length = reader.ber_length("MAC header.ciphered service length")
    if length != reader.remaining:
        remaining, reader.position = reader.remaining, start
        raise reader.fail(
            "ciphered service length does not match the message",
            path="MAC header.ciphered service length",
            expected=str(remaining),
            found=str(length),
            spec=_MAC_SPEC,
        )
    reader.expect(SECURITY_HEADER, "MAC header.security header", _MAC_SPEC)
    if reader.remaining < TAG_BYTES:
        raise reader.fail(
            "truncated",
            path="MAC",
            expected=f"{TAG_BYTES} bytes",
            found=str(reader.remaining),
            spec=_MAC_SPEC,
        )
    reader.end -= TAG_BYTES
    return _decode_grouping(reader, reader.data[reader.end :])


_HEADER = Struct(">2sBQB8sB8s")
"""The part of the grouping header that always has the same length, constants included."""
_HEADER_START, _ID_LENGTH = b"\xdf\x09", 8
_CRAS = {int(cra): cra for cra in Cra}


def _decode_grouping(reader: Reader, message_mac: bytes | None) -> Message:
    start = reader.position
    stop = start + _HEADER.size
    if stop > reader.end or reader.traces:
        _read_by_field(reader)
    head, flag, counter, originator_length, originator, target_length, target = _HEADER.unpack_from(
        reader.data, start
    )
    cra = _CRAS.get(flag)
    if cra is None or head != _HEADER_START or not originator_length == target_length == _ID_LENGTH:
        _read_by_field(reader)
        raise AssertionError("the fields of a wrong grouping header are right")
    reader.position = stop
    date_time: bytes | None = None
    date_time_length = reader.u8("grouping header.date-time length")
    if date_time_length == DATE_TIME_BYTES:
        date_time = reader.take(DATE_TIME_BYTES, "grouping header.date-time")
    elif date_time_length:
        reader.position -= 1
        raise reader.fail(
            "wrong date-time length",
            path="grouping header.date-time length",
            expected="00 or 0C",
            found=f"{date_time_length:02X}",
            spec=_SPEC,
        )
    other_information = _decode_other_information(reader)
    content_length = reader.ber_length("content length")
    content = reader.take(content_length, "content")
    signature: bytes | None = None
    if message_mac is not None or reader.remaining:
        start = reader.position
        signature_length = reader.ber_length("signature length")
        if signature_length not in {0, SIGNATURE_BYTES}:
            reader.position = start
            raise reader.fail(
                "wrong signature length",
                path="signature length",
                expected="00 or 40",
                found=str(signature_length),
                spec=_SPEC,
            )
        signature = reader.take(signature_length, "signature")
        reader.finish("signature")
    return Message(
        cra=cra,
        originator_counter=counter,
        business_originator_id=eui64_of(originator),
        business_target_id=eui64_of(target),
        date_time=date_time,
        other_information=other_information,
        content=content,
        signature=signature,
        message_mac=message_mac,
    )


def _read_by_field(reader: Reader) -> None:
    """Take the fields of constant length one by one, and fail at the first that is wrong."""
    reader.expect(_HEADER_START, "grouping header.tag and transaction id length", _SPEC)
    if reader.u8("grouping header.CRA flag") not in _CRAS:
        reader.position -= 1
        raise reader.fail(
            "unknown CRA flag",
            path="grouping header.CRA flag",
            expected="01 command, 02 response or 03 alert",
            found=f"{reader.peek():02X}",
            spec=_SPEC,
        )
    reader.take(8, "grouping header.originator counter")
    reader.expect(b"\x08", "grouping header.originator length", _SPEC)
    reader.take(8, "grouping header.business originator id")
    reader.expect(b"\x08", "grouping header.recipient length", _SPEC)
    reader.take(8, "grouping header.business target id")


def _decode_other_information(reader: Reader) -> OtherInformation:
    start = reader.position
    length = reader.ber_length("grouping header.other information length")
    fields = _OTHER_INFORMATION_FIELDS.get(length, 4 if length > 26 else None)
    if fields is None:
        reader.position = start
        raise reader.fail(
            "no variant has this length",
            path="grouping header.other information length",
            expected="2, 10, 18, 26 or more",
            found=str(length),
            spec=_SPEC,
        )
    code = reader.unsigned(2, "grouping header.other information.message code")
    if fields == 0:  # two messages of three
        return OtherInformation(message_code=code)
    path = "grouping header.other information.supplementary"
    party = eui64_of(reader.take(8, f"{path} remote party id"))
    counter = reader.unsigned(8, f"{path} remote party counter") if fields >= 2 else None
    return OtherInformation(
        message_code=code,
        supplementary_remote_party_id=party,
        supplementary_remote_party_counter=counter,
        supplementary_originator_counter=(
            reader.unsigned(8, f"{path} originator counter") if fields == 3 else None
        ),
        key_agreement_certificate=(
            reader.take(length - 18, "grouping header.other information.key agreement certificate")
            if fields == 4
            else None
        ),
    )


def encode_grouping(message: Message, *, with_signature: bool = True) -> bytes:
    """From the `DF` tag to the end of the signature part, or to the end of the content."""
    date_time = message.date_time
    if date_time is not None and len(date_time) != DATE_TIME_BYTES:
        raise GbcsEncodeError(
            "wrong length", path="date-time", expected="12 octets", found=str(len(date_time)), spec=_SPEC
        )
    other_information = message.other_information.encode()
    try:
        header = _HEADER.pack(
            _HEADER_START,
            message.cra,
            message.originator_counter,
            _ID_LENGTH,
            message.business_originator_id.raw,
            _ID_LENGTH,
            message.business_target_id.raw,
        )
    except StructError:
        raise _out_of_range(message.originator_counter, 8, "originator counter") from None
    out = b"".join(
        (
            header,
            b"\x00" if date_time is None else b"\x0c" + date_time,
            ber_length(len(other_information)),
            other_information,
            ber_length(len(message.content)),
            message.content,
        )
    )
    if with_signature and message.signature is not None:
        if len(message.signature) not in {0, SIGNATURE_BYTES}:
            raise GbcsEncodeError(
                "wrong length",
                path="signature",
                expected="0 or 64 octets",
                found=str(len(message.signature)),
                spec=_SPEC,
            )
        out += bytes((len(message.signature),)) + message.signature
    return out


def encode_message(message: Message) -> bytes:
    """Write one whole message. Raises GbcsEncodeError when a value does not fit."""
    if message.message_mac is None:
        return encode_grouping(message)
    if message.signature is None or len(message.message_mac) != TAG_BYTES:
        raise GbcsEncodeError(
            "a MACed message needs a signature part and a MAC of 12 octets", path="MAC", spec=_MAC_SPEC
        )
    inner = encode_grouping(message)
    length = ber_length(len(SECURITY_HEADER) + len(inner) + TAG_BYTES)
    return b"".join((b"\xdd", _EMPTY_CIPHERING_FIELDS, length, SECURITY_HEADER, inner, message.message_mac))


def content_offset(message: Message) -> int:
    """Where the content of `message` starts in its octets; errors in the content are counted from there."""
    other_information = message.other_information.length
    date_time = 0 if message.date_time is None else DATE_TIME_BYTES
    content = len(message.content)
    offset = 30 + date_time + _length_octets(other_information) + other_information + _length_octets(content)
    if message.message_mac is None:
        return offset
    service = len(SECURITY_HEADER) + offset + content + 1 + len(message.signature or b"") + TAG_BYTES
    return 1 + len(_EMPTY_CIPHERING_FIELDS) + _length_octets(service) + len(SECURITY_HEADER) + offset


def _length_octets(value: int) -> int:
    """How many octets the length `value` is written with."""
    return 1 if value < 0x80 else 1 + (value.bit_length() + 7) // 8


def signed_part(message: Message) -> bytes:
    """What a signature covers: after the `DF` tag, to the last octet of the content. Spec: GBCS 7.2.7."""
    return encode_grouping(message, with_signature=False)[1:]


def _unsigned(value: int, size: int, path: str) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise _out_of_range(value, size, path) from None


def _out_of_range(value: int, size: int, path: str) -> GbcsEncodeError:
    return GbcsEncodeError(
        "out of range", path=path, expected=f"{size} octets unsigned", found=str(value), spec=_SPEC
    )


__all__ = [
    "MAX_COUNTER",
    "MAX_MESSAGE_BYTES",
    "SECURITY_HEADER",
    "Message",
    "OtherInformation",
    "content_offset",
    "decode_message",
    "encode_grouping",
    "encode_message",
    "read_message",
    "signed_part",
]
