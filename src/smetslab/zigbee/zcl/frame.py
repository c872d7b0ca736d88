"""The ZCL frame: its header and, as octets, its payload."""

from __future__ import annotations

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.value_class import value_class

_SPEC = "ZCL 2.4.1"
_TYPE = 0x03
_CLUSTER_SPECIFIC = 0x01
_MANUFACTURER_SPECIFIC = 0x04
_SERVER_TO_CLIENT = 0x08
_NO_DEFAULT_RESPONSE = 0x10
_RESERVED = 0xE0


@value_class(frozen=True, slots=True, kw_only=True)
class ZclFrame:
    """A ZCL frame. `reserved` keeps the three upper bits of the frame control, which a sound sender leaves
    zero.

    Spec: ZCL 2.4.1 (general frame format)
    """

    cluster_specific: bool
    server_to_client: bool
    sequence: int
    command: int
    payload: bytes = b""
    disable_default_response: bool = False
    manufacturer_code: int | None = None
    reserved: int = 0

    def encode(self) -> bytes:
        """The frame as octets; ZclEncodeError when a field does not fit."""
        for path, value, limit in (("sequence", self.sequence, 0xFF), ("command", self.command, 0xFF)):
            if not 0 <= value <= limit:
                raise ZclEncodeError(
                    "out of range", path=path, expected="0..255", found=str(value), spec=_SPEC
                )
        if not 0 <= self.reserved <= 7:
            raise ZclEncodeError(
                "out of range", path="reserved", expected="0..7", found=str(self.reserved), spec=_SPEC
            )
        control = self.reserved << 5
        if self.cluster_specific:
            control |= _CLUSTER_SPECIFIC
        if self.server_to_client:
            control |= _SERVER_TO_CLIENT
        if self.disable_default_response:
            control |= _NO_DEFAULT_RESPONSE
        if self.manufacturer_code is None:
            return bytes((control, self.sequence, self.command)) + self.payload
        if not 0 <= self.manufacturer_code <= 0xFFFF:
            raise ZclEncodeError(
                "out of range",
                path="manufacturer code",
                expected="0..65535",
                found=str(self.manufacturer_code),
                spec=_SPEC,
            )
        head = bytes((control | _MANUFACTURER_SPECIFIC,)) + self.manufacturer_code.to_bytes(2, "little")
        return head + bytes((self.sequence, self.command)) + self.payload

    @property
    def header_length(self) -> int:
        """Octets before the payload: the offset of the payload in the frame."""
        return 3 if self.manufacturer_code is None else 5


def decode_frame(data: bytes) -> ZclFrame:
    """Read a ZCL frame; the payload is taken as it is. ZclDecodeError when there is no whole header."""
    if not data:
        raise ZclDecodeError("truncated", offset=0, path="frame control", expected="1 more byte", spec=_SPEC)
    control = data[0]
    kind = control & _TYPE
    if kind > _CLUSTER_SPECIFIC:
        raise ZclDecodeError(
            "reserved frame type",
            offset=0,
            path="frame control",
            expected="0 or 1",
            found=str(kind),
            spec=_SPEC,
        )
    position = 1
    manufacturer_code = None
    if control & _MANUFACTURER_SPECIFIC:
        if len(data) < 3:
            raise ZclDecodeError(
                "truncated", offset=1, path="manufacturer code", expected="2 more bytes", spec=_SPEC
            )
        manufacturer_code = data[1] | data[2] << 8
        position = 3
    if len(data) < position + 2:
        raise ZclDecodeError(
            "truncated", offset=position, path="sequence and command", expected="2 more bytes", spec=_SPEC
        )
    return ZclFrame(
        cluster_specific=kind == _CLUSTER_SPECIFIC,
        server_to_client=bool(control & _SERVER_TO_CLIENT),
        disable_default_response=bool(control & _NO_DEFAULT_RESPONSE),
        manufacturer_code=manufacturer_code,
        sequence=data[position],
        command=data[position + 1],
        payload=bytes(data[position + 2 :]),
        reserved=control >> 5,
    )
