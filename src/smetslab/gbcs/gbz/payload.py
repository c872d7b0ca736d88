"""The framing of GBZ content: a profile, a number of components, and in each a ZCL frame.

Everything outside the ZCL frames is big-endian, everything inside little-endian. A component may be
encrypted: its ZCL header stays in clear and its payload is sealed under the one key and IV of the message.

Spec: GBCS 7.2.9 (GBZ payload), 8.4 (encryption), 16 (alerts).
"""

from __future__ import annotations

from smetslab.errors import GbcsDecodeError, GbcsEncodeError, ZclDecodeError
from smetslab.value_class import value_class
from smetslab.wire import Reader
from smetslab.zigbee.zcl import ZclFrame, decode_frame

PROFILE = b"\x01\x09"
MAX_COMPONENTS = 0xFF
ALERT_HEAD_BYTES = 9
"""Profile, component count, alert code and time stamp of an alert."""

_LAST, _ENCRYPTED, _FROM_DATE_TIME = 0x01, 0x02, 0x10
_KNOWN_BITS = _LAST | _ENCRYPTED | _FROM_DATE_TIME
_ADDITIONAL_HEADER_CONTROL = 0x00
_COMPONENT_HEAD_BYTES = 5
_PLAIN_HEADER_BITS = 0x19
"""Frame control bits of a ZCL header without manufacturer code and reserved bits."""
_SPEC = "GBCS 7.2.9"


@value_class(frozen=True, slots=True, kw_only=True)
class Component:
    """One component.

    `frame.payload` is the ZCL payload in clear, or, when `frame_counter` is not None, the sealed octets
    with their security header. `from_date_time` counts seconds since 2000.
    """

    cluster: int
    frame: ZclFrame
    from_date_time: int | None = None
    frame_counter: int | None = None

    @property
    def encrypted(self) -> bool:
        return self.frame_counter is not None


@value_class(frozen=True, slots=True, kw_only=True)
class GbzAlert:
    """Content of an alert: code, time stamp in seconds since 2000, and what the alert adds.

    `count` is the component count octet: 0 for an alert that adds nothing, 1 for one that does.
    """

    count: int
    alert_code: int
    time_stamp: int
    extra: bytes


@value_class(frozen=True, slots=True)
class PlacedComponent:
    """A component and where it stands: offsets of its control octet and of its ZCL payload in the content."""

    component: Component
    offset: int
    payload_offset: int


def is_gbz(content: bytes) -> bool:
    """True when `content` starts as GBZ content."""
    return content[:2] == PROFILE


def decode_components(content: bytes, *, base: int = 0) -> tuple[PlacedComponent, ...]:
    """The components of a command or response. Raises GbcsDecodeError; `base` is added to its offsets."""
    placed = _read_usual(content, base)
    return _read_carefully(content, base) if placed is None else placed


def _read_carefully(content: bytes, base: int) -> tuple[PlacedComponent, ...]:
    reader = Reader(content, base=base)
    reader.expect(PROFILE, "GBZ.profile id", _SPEC)
    count = reader.u8("GBZ.component count")
    placed = tuple([_read_component(reader, number, number == count - 1) for number in range(count)])
    reader.finish("GBZ")
    return placed


def _read_usual(content: bytes, base: int) -> tuple[PlacedComponent, ...] | None:
    """The components when all is as it should be and no ZCL header is out of the ordinary, else None.

    Nearly every message takes this way. The careful one behind it finds out what is wrong and where; it is
    slower by half, for it makes a path for each field that it reads.
    """
    end = len(content)
    placed: list[PlacedComponent] = []
    position = 3
    try:
        left = content[2] if content[:2] == PROFILE else -1
        while left > 0:
            left -= 1
            control = content[position]
            at = position + _COMPONENT_HEAD_BYTES
            stop = at + (content[position + 3] << 8 | content[position + 4])
            sound = not control & ~_KNOWN_BITS and (control & _LAST != 0) is (left == 0) and stop <= end
            frame_counter = from_date_time = None
            if control & _ENCRYPTED:
                sound = sound and content[at] == _ADDITIONAL_HEADER_CONTROL
                frame_counter = content[at + 1]
                at += 2
            if control & _FROM_DATE_TIME:
                from_date_time = int.from_bytes(content[at : at + 4], "big")
                at += 4
            header, start = content[at], at + 3
            if frame_counter is not None:
                start += 2
                sound = sound and content[at + 3] << 8 | content[at + 4] == stop - start
            if not sound or start > stop or header & ~_PLAIN_HEADER_BITS:
                return None
            frame = ZclFrame(
                cluster_specific=header & 0x01 != 0,
                server_to_client=header & 0x08 != 0,
                disable_default_response=header & 0x10 != 0,
                sequence=content[at + 1],
                command=content[at + 2],
                payload=content[start:stop],
            )
            component = Component(
                cluster=content[position + 1] << 8 | content[position + 2],
                frame=frame,
                from_date_time=from_date_time,
                frame_counter=frame_counter,
            )
            placed.append(PlacedComponent(component, base + position, base + start))
            position = stop
    except IndexError:
        return None
    return tuple(placed) if left == 0 and position == end else None


def decode_component(octets: bytes, *, base: int = 0) -> PlacedComponent:
    """The one component that these octets are, as some alerts have it. Raises GbcsDecodeError."""
    reader = Reader(octets, base=base)
    placed = _read_component(reader, 0, last=True)
    reader.finish("GBZ")
    return placed


def _read_component(reader: Reader, number: int, last: bool) -> PlacedComponent:
    path = f"component[{number}]"
    offset = reader.offset
    control = reader.u8(f"{path}.control")
    if control & ~_KNOWN_BITS or bool(control & _LAST) is not last:
        reader.position -= 1
        raise reader.fail(
            "wrong control octet",
            path=f"{path}.control",
            expected="bit 0 on the last component alone, else bits 1 and 4",
            found=f"{control:02X}",
            spec=_SPEC,
        )
    cluster = reader.unsigned(2, f"{path}.cluster id")
    length = reader.unsigned(2, f"{path}.length")
    if length > reader.remaining:
        raise reader.fail("truncated", path=path, expected=f"{length} bytes", found=str(reader.remaining))
    outer, reader.end = reader.end, reader.position + length
    component, payload_offset = _read_body(reader, path, cluster, control)
    reader.finish(path)
    reader.end = outer
    return PlacedComponent(component, offset, payload_offset)


def _read_body(reader: Reader, path: str, cluster: int, control: int) -> tuple[Component, int]:
    frame_counter: int | None = None
    if control & _ENCRYPTED:
        reader.expect(bytes((_ADDITIONAL_HEADER_CONTROL,)), f"{path}.additional header control", _SPEC)
        frame_counter = reader.u8(f"{path}.additional header frame counter")
    from_date_time = reader.unsigned(4, f"{path}.from date-time") if control & _FROM_DATE_TIME else None
    start = reader.offset
    head_start = reader.position
    try:
        head = decode_frame(reader.data[head_start : reader.end])
    except ZclDecodeError as error:
        raise GbcsDecodeError(
            error.what,
            offset=start + (error.offset or 0),
            path=f"{path}.ZCL header.{error.path}",
            expected=error.expected,
            found=error.found,
            spec=error.spec,
        ) from None
    reader.position = head_start + head.header_length
    if frame_counter is None:
        payload_offset = reader.offset
        payload = reader.take(reader.remaining, f"{path}.payload")
    else:
        length = reader.unsigned(2, f"{path}.ciphered length")
        if length != reader.remaining:
            present = reader.remaining
            reader.position -= 2
            raise reader.fail(
                "ciphered length does not match the component",
                path=f"{path}.ciphered length",
                expected=str(present),
                found=str(length),
                spec=_SPEC,
            )
        payload_offset = reader.offset
        payload = reader.take(length, f"{path}.ciphered payload")
    frame = ZclFrame(
        cluster_specific=head.cluster_specific,
        server_to_client=head.server_to_client,
        disable_default_response=head.disable_default_response,
        manufacturer_code=head.manufacturer_code,
        sequence=head.sequence,
        command=head.command,
        payload=payload,
        reserved=head.reserved,
    )
    component = Component(
        cluster=cluster, frame=frame, from_date_time=from_date_time, frame_counter=frame_counter
    )
    return component, payload_offset


def encode_components(components: tuple[Component, ...]) -> bytes:
    """The content of a command or response. Raises GbcsEncodeError when a field does not fit."""
    if len(components) > MAX_COMPONENTS:
        raise GbcsEncodeError(
            "too many components",
            path="GBZ",
            expected=f"at most {MAX_COMPONENTS}",
            found=str(len(components)),
        )
    last = len(components) - 1
    parts = [PROFILE, bytes((len(components),))]
    parts += [encode_component(component, last=number == last) for number, component in enumerate(components)]
    return b"".join(parts)


def encode_component(component: Component, *, last: bool = True) -> bytes:
    """One component with its control octet. Raises GbcsEncodeError when a field does not fit."""
    body = _encode_body(component)
    control = _LAST if last else 0
    if component.encrypted:
        control |= _ENCRYPTED
    if component.from_date_time is not None:
        control |= _FROM_DATE_TIME
    return (
        bytes((control,)) + component.cluster.to_bytes(2, "big") + _u16(len(body), "component length") + body
    )


def _encode_body(component: Component) -> bytes:
    """What stands behind the length of a component."""
    out = b""
    if component.frame_counter is not None:
        out += bytes((_ADDITIONAL_HEADER_CONTROL, component.frame_counter))
    if component.from_date_time is not None:
        out += component.from_date_time.to_bytes(4, "big")
    encoded = component.frame.encode()
    if component.frame_counter is None:
        return out + encoded
    head = component.frame.header_length
    return out + encoded[:head] + _u16(len(encoded) - head, "ciphered length") + encoded[head:]


def decode_alert(content: bytes, *, base: int = 0) -> GbzAlert:
    """The content of an alert. Raises GbcsDecodeError; `base` is added to its offsets."""
    reader = Reader(content, base=base)
    reader.expect(PROFILE, "GBZ.profile id", _SPEC)
    count = reader.u8("GBZ.component count")
    code = reader.unsigned(2, "alert.alert code")
    time_stamp = reader.unsigned(4, "alert.time stamp")
    if count != (1 if reader.remaining else 0):
        raise GbcsDecodeError(
            "component count does not match the alert",
            offset=base + 2,
            path="GBZ.component count",
            expected="01 with more data, else 00",
            found=f"{count:02X}",
            spec="GBCS 16",
        )
    return GbzAlert(count=count, alert_code=code, time_stamp=time_stamp, extra=reader.take(reader.remaining))


def encode_alert(alert: GbzAlert) -> bytes:
    return b"".join(
        (
            PROFILE,
            bytes((alert.count,)),
            _u16(alert.alert_code, "alert code"),
            alert.time_stamp.to_bytes(4, "big"),
            alert.extra,
        )
    )


def _u16(value: int, path: str) -> bytes:
    if not 0 <= value <= 0xFFFF:
        raise GbcsEncodeError("out of range", path=path, expected="two octets", found=str(value), spec=_SPEC)
    return value.to_bytes(2, "big")
