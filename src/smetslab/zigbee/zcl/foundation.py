"""General commands, the same for every cluster, and the status codes. Spec: ZCL 2.5, 2.6.3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from struct import pack, unpack
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from smetslab.errors import ZclDecodeError
from smetslab.value_class import value_class
from smetslab.zigbee.zcl.cluster import Attribute, Direction
from smetslab.zigbee.zcl.frame import ZclFrame
from smetslab.zigbee.zcl.types import decode_typed, encode_typed
from smetslab.zigbee.zcl.values import ZclValue, truncated


class Status(IntEnum):
    """Status enumerations. Spec: ZCL 2.6.3."""

    SUCCESS = 0x00
    FAILURE = 0x01
    NOT_AUTHORIZED = 0x7E
    RESERVED_FIELD_NOT_ZERO = 0x7F
    MALFORMED_COMMAND = 0x80
    UNSUP_CLUSTER_COMMAND = 0x81
    UNSUP_GENERAL_COMMAND = 0x82
    UNSUP_MANUF_CLUSTER_COMMAND = 0x83
    UNSUP_MANUF_GENERAL_COMMAND = 0x84
    INVALID_FIELD = 0x85
    UNSUPPORTED_ATTRIBUTE = 0x86
    INVALID_VALUE = 0x87
    READ_ONLY = 0x88
    INSUFFICIENT_SPACE = 0x89
    DUPLICATE_EXISTS = 0x8A
    NOT_FOUND = 0x8B
    UNREPORTABLE_ATTRIBUTE = 0x8C
    INVALID_DATA_TYPE = 0x8D
    INVALID_SELECTOR = 0x8E
    WRITE_ONLY = 0x8F
    INCONSISTENT_STARTUP_STATE = 0x90
    DEFINED_OUT_OF_BAND = 0x91
    INCONSISTENT = 0x92
    ACTION_DENIED = 0x93
    TIMEOUT = 0x94
    ABORT = 0x95
    INVALID_IMAGE = 0x96
    WAIT_FOR_DATA = 0x97
    NO_IMAGE_AVAILABLE = 0x98
    REQUIRE_MORE_IMAGE = 0x99
    HARDWARE_FAILURE = 0xC0
    SOFTWARE_FAILURE = 0xC1
    CALIBRATION_ERROR = 0xC2
    UNSUPPORTED_CLUSTER = 0xC3


@value_class(frozen=True, slots=True)
class AttributeValue:
    """An attribute with its type and value, as reports and write requests carry it."""

    attribute: int
    type: int
    value: ZclValue


@value_class(frozen=True, slots=True)
class ReadResult:
    """One answer of a Read Attributes Response: a value when `status` is 0, only the status otherwise."""

    attribute: int
    status: int
    type: int = 0
    value: ZclValue = None


@value_class(frozen=True, slots=True)
class WriteResult:
    """One answer of a Write Attributes Response."""

    status: int
    attribute: int


@value_class(frozen=True, slots=True)
class ReadAttributes:
    """Spec: ZCL 2.5.1."""

    code: ClassVar[int] = 0x00
    attributes: tuple[int, ...]

    def encode(self) -> bytes:
        return pack(f"<{len(self.attributes)}H", *self.attributes)

    @classmethod
    def decode(cls, data: bytes) -> ReadAttributes:
        if len(data) % 2:
            raise truncated(len(data) - 1, 2, len(data))
        return cls(unpack(f"<{len(data) // 2}H", data))


@value_class(frozen=True, slots=True)
class ReadAttributesResponse:
    """Spec: ZCL 2.5.2."""

    code: ClassVar[int] = 0x01
    results: tuple[ReadResult, ...]

    def encode(self) -> bytes:
        out = bytearray()
        for result in self.results:
            out += result.attribute.to_bytes(2, "little")
            out.append(result.status)
            if result.status == Status.SUCCESS:
                out.append(result.type)
                encode_typed(result.type, result.value, out)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> ReadAttributesResponse:
        results: list[ReadResult] = []
        position = 0
        while position < len(data):
            if position + 3 > len(data):
                raise truncated(position, 3, len(data))
            number, status = _u16(data, position), data[position + 2]
            position += 3
            if status != Status.SUCCESS:
                results.append(ReadResult(number, status))
                continue
            kind, value, position = _typed(data, position)
            results.append(ReadResult(number, status, kind, value))
        return cls(tuple(results))


@value_class(frozen=True, slots=True)
class _AttributeValues:
    """What Write Attributes and Report Attributes share: attributes with type and value."""

    values: tuple[AttributeValue, ...]

    def encode(self) -> bytes:
        out = bytearray()
        for item in self.values:
            out += item.attribute.to_bytes(2, "little")
            out.append(item.type)
            encode_typed(item.type, item.value, out)
        return bytes(out)

    @staticmethod
    def read(data: bytes) -> tuple[AttributeValue, ...]:
        values: list[AttributeValue] = []
        position = 0
        while position < len(data):
            if position + 3 > len(data):
                raise truncated(position, 3, len(data))
            number = _u16(data, position)
            kind, value, position = _typed(data, position + 2)
            values.append(AttributeValue(number, kind, value))
        return tuple(values)


@value_class(frozen=True, slots=True)
class WriteAttributes(_AttributeValues):
    """Spec: ZCL 2.5.3."""

    code: ClassVar[int] = 0x02

    @classmethod
    def decode(cls, data: bytes) -> WriteAttributes:
        return cls(cls.read(data))


@value_class(frozen=True, slots=True)
class WriteAttributesResponse:
    """Complete success is one octet, the status alone. Spec: ZCL 2.5.5."""

    code: ClassVar[int] = 0x04
    results: tuple[WriteResult, ...]

    def encode(self) -> bytes:
        if not self.results:
            return bytes((Status.SUCCESS,))
        return b"".join(
            bytes((result.status,)) + result.attribute.to_bytes(2, "little") for result in self.results
        )

    @classmethod
    def decode(cls, data: bytes) -> WriteAttributesResponse:
        if data == bytes((Status.SUCCESS,)):
            return cls(())
        if not data or len(data) % 3:
            raise truncated(len(data) - len(data) % 3, 3, len(data))
        return cls(tuple(WriteResult(data[place], _u16(data, place + 1)) for place in range(0, len(data), 3)))


@value_class(frozen=True, slots=True)
class ReportAttributes(_AttributeValues):
    """Spec: ZCL 2.5.11."""

    code: ClassVar[int] = 0x0A

    @classmethod
    def decode(cls, data: bytes) -> ReportAttributes:
        return cls(cls.read(data))


@value_class(frozen=True, slots=True)
class DefaultResponse:
    """The answer to a command that has no answer of its own, or failed. Spec: ZCL 2.5.12."""

    code: ClassVar[int] = 0x0B
    command: int
    status: int

    def encode(self) -> bytes:
        return bytes((self.command, self.status))

    @classmethod
    def decode(cls, data: bytes) -> DefaultResponse:
        if len(data) < 2:
            raise truncated(0, 2, len(data))
        if len(data) > 2:
            raise ZclDecodeError(
                "trailing bytes", offset=2, expected="the end", found=f"{len(data) - 2} more"
            )
        return cls(data[0], data[1])


GeneralCommand: TypeAlias = (
    ReadAttributes
    | ReadAttributesResponse
    | WriteAttributes
    | WriteAttributesResponse
    | ReportAttributes
    | DefaultResponse
)

_DECODERS: Mapping[int, Callable[[bytes], GeneralCommand]] = MappingProxyType(
    {
        ReadAttributes.code: ReadAttributes.decode,
        ReadAttributesResponse.code: ReadAttributesResponse.decode,
        WriteAttributes.code: WriteAttributes.decode,
        WriteAttributesResponse.code: WriteAttributesResponse.decode,
        ReportAttributes.code: ReportAttributes.decode,
        DefaultResponse.code: DefaultResponse.decode,
    }
)


def decode_general(frame: ZclFrame) -> GeneralCommand | None:
    """The general command a frame carries; None when it is cluster specific or not known here."""
    decoder = None if frame.cluster_specific else _DECODERS.get(frame.command)
    return None if decoder is None else decoder(frame.payload)


def general_frame(
    command: GeneralCommand,
    *,
    direction: Direction,
    sequence: int,
    disable_default_response: bool = True,
    manufacturer_code: int | None = None,
) -> ZclFrame:
    """A frame of a general command."""
    return ZclFrame(
        cluster_specific=False,
        server_to_client=direction is Direction.SERVER_TO_CLIENT,
        disable_default_response=disable_default_response,
        manufacturer_code=manufacturer_code,
        sequence=sequence,
        command=command.code,
        payload=command.encode(),
    )


def read_answer(request: ZclFrame, numbers: Iterable[int], values: Mapping[Attribute, ZclValue]) -> ZclFrame:
    """The answer to Read Attributes for these numbers; an attribute without a value is not supported.

    Spec: ZCL 2.5.2
    """
    known = {attribute.id: (attribute.type.code or 0, value) for attribute, value in values.items()}
    results = tuple(
        ReadResult(number, Status.SUCCESS, *known[number])
        if number in known
        else ReadResult(number, Status.UNSUPPORTED_ATTRIBUTE)
        for number in numbers
    )
    return general_frame(
        ReadAttributesResponse(results),
        direction=Direction.CLIENT_TO_SERVER if request.server_to_client else Direction.SERVER_TO_CLIENT,
        sequence=request.sequence,
        manufacturer_code=request.manufacturer_code,
    )


def _u16(data: bytes, position: int) -> int:
    return data[position] | data[position + 1] << 8


def _typed(data: bytes, position: int) -> tuple[int, ZclValue, int]:
    if position >= len(data):
        raise truncated(position, 1, len(data))
    kind = data[position]
    value, behind = decode_typed(kind, data, position + 1, len(data))
    return kind, value, behind
