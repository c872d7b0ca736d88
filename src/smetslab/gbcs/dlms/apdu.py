"""The three DLMS APDUs that GBCS content is made of: access-request, access-response, data-notification.

Spec: IEC 62056-5-3 (ACCESS service, DataNotification), as used by GBCS 7.3.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import TypeAlias

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.dlms.axdr import Budget, Data, encode_data, read_data, read_list
from smetslab.value_class import value_class
from smetslab.wire import Reader, ber_length

ACCESS_REQUEST = 0xD9
ACCESS_RESPONSE = 0xDA
DATA_NOTIFICATION = 0x0F
_TAGS = (ACCESS_REQUEST, ACCESS_RESPONSE, DATA_NOTIFICATION)

BREAK_ON_ERROR = 0x20
"""First octet of long-invoke-id-and-priority: break on error, unconfirmed, normal priority. Spec: GBCS
7.3."""

MAX_SPECIFICATIONS = 1024
"""Most items of one access list. The longest published one has 131."""

_SPEC = "IEC 62056-5-3 ACCESS"
_OBIS = re.compile(r"(\d+)-(\d+):(\d+)\.(\d+)\.(\d+)(?:\.(\d+))?")


@value_class(frozen=True, slots=True, order=True)
class Obis:
    """A logical name: six value groups, printed A-B:C.D.E.F."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> Obis:
        """Read `0-0:1.0.0.255`; a missing last group means 255. Raises ValueError."""
        match = _OBIS.fullmatch(text)
        if match is None:
            raise ValueError(f"not a logical name: {text!r} (expected A-B:C.D.E.F)")
        groups = [int(group) if group is not None else 255 for group in match.groups()]
        if max(groups) > 255:
            raise ValueError(f"not a logical name: {text!r} (a group exceeds 255)")
        return cls(bytes(groups))

    def __str__(self) -> str:
        a, b, c, d, e, f = self.raw
        return f"{a}-{b}:{c}.{d}.{e}.{f}"


class Choice(IntEnum):
    """What an item of an access list does."""

    GET = 1
    SET = 2
    ACTION = 3
    GET_WITH_SELECTION = 4
    SET_WITH_SELECTION = 5


_SELECTIVE = (Choice.GET_WITH_SELECTION, Choice.SET_WITH_SELECTION)


class DataAccessResult(IntEnum):
    """Result of one item. Spec: IEC 62056-5-3 Data-Access-Result."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_OR_ACTION_ABORTED = 15
    NO_LONG_GET_OR_ACTION_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


@value_class(frozen=True, slots=True)
class Specification:
    """One item of an access list: what to do to which attribute or method of which object."""

    choice: Choice
    class_id: int
    obis: Obis
    index: int
    selector: int | None = None
    parameters: Data | None = None

    def __str__(self) -> str:
        kind = "method" if self.choice is Choice.ACTION else "attribute"
        return f"{self.choice.name.lower()} class {self.class_id} {self.obis} {kind} {self.index}"


@value_class(frozen=True, slots=True)
class AccessRequest:
    """A command: the access list and one data item for each specification (null-data for a get)."""

    long_invoke_id: int
    specifications: tuple[Specification, ...]
    data: tuple[Data, ...]
    date_time: bytes = b""

    def encode(self) -> bytes:
        return b"".join(
            (
                b"\xd9",
                _invoke_id(self.long_invoke_id),
                ber_length(len(self.date_time)),
                self.date_time,
                _encode_specifications(self.specifications),
                _encode_list(self.data),
            )
        )


@value_class(frozen=True, slots=True)
class AccessResult:
    """Outcome of one item; `choice` repeats get, set or action."""

    choice: Choice
    result: int


@value_class(frozen=True, slots=True)
class AccessResponse:
    """A response: one data item and one result for each specification of the request."""

    long_invoke_id: int
    data: tuple[Data, ...]
    results: tuple[AccessResult, ...]
    specifications: tuple[Specification, ...] = ()
    date_time: bytes = b""

    def encode(self) -> bytes:
        results = b"".join([bytes((r.choice, r.result)) for r in self.results])
        return b"".join(
            (
                b"\xda",
                _invoke_id(self.long_invoke_id),
                ber_length(len(self.date_time)),
                self.date_time,
                _encode_specifications(self.specifications),
                _encode_list(self.data),
                ber_length(len(self.results)),
                results,
            )
        )


@value_class(frozen=True, slots=True)
class DataNotification:
    """An alert: one Data value."""

    long_invoke_id: int
    body: Data
    date_time: bytes = b""

    def encode(self) -> bytes:
        return b"".join(
            (
                b"\x0f",
                _invoke_id(self.long_invoke_id),
                ber_length(len(self.date_time)),
                self.date_time,
                encode_data(self.body),
            )
        )


Apdu: TypeAlias = AccessRequest | AccessResponse | DataNotification


def long_invoke_id(originator_counter: int) -> int:
    """long-invoke-id-and-priority for a message: break on error, low 24 bits of the counter. Spec: GBCS
    7.3."""
    return BREAK_ON_ERROR << 24 | originator_counter & 0xFFFFFF


def is_dlms(content: bytes) -> bool:
    """True when `content` starts as one of the three APDUs."""
    return content[:1] in {b"\xd9", b"\xda", b"\x0f"}


def decode_apdu(content: bytes, *, base: int = 0) -> Apdu:
    """Read one whole APDU. Raises GbcsDecodeError; `base` is added to the offsets it names."""
    return read_apdu(Reader(content, base=base))


def read_apdu(reader: Reader) -> Apdu:
    """Read one whole APDU: all that `reader` has left. Raises GbcsDecodeError."""
    tag = reader.u8("APDU.tag")
    if tag not in _TAGS:
        reader.position -= 1
        raise reader.fail(
            "not an APDU of GBCS",
            path="APDU.tag",
            expected="D9, DA or 0F",
            found=f"{tag:02X}",
            spec="GBCS 7.3",
        )
    invoke_id = reader.unsigned(4, "APDU.long-invoke-id-and-priority")
    start = reader.position
    date_time_length = reader.ber_length("APDU.date-time length")
    if date_time_length not in {0, 12}:
        reader.position = start
        raise reader.fail(
            "wrong date-time length",
            path="APDU.date-time length",
            expected="00 or 0C",
            found=str(date_time_length),
            spec=_SPEC,
        )
    date_time = reader.take(date_time_length, "APDU.date-time")
    budget = Budget(reader.remaining)
    apdu: Apdu
    if tag == DATA_NOTIFICATION:
        apdu = DataNotification(invoke_id, read_data(reader, "notification body", budget), date_time)
    elif tag == ACCESS_REQUEST:
        specifications = _read_specifications(reader, budget)
        data = _read_list(reader, len(specifications), budget)
        apdu = AccessRequest(invoke_id, specifications, data, date_time)
    else:
        echo = _read_specifications(reader, budget)
        data = _read_list(reader, None, budget)
        apdu = AccessResponse(invoke_id, data, _read_results(reader, len(data)), echo, date_time)
    reader.finish("APDU")
    return apdu


def _read_specifications(reader: Reader, budget: Budget) -> tuple[Specification, ...]:
    start = reader.position
    count = reader.ber_length("access list.count")
    if count > MAX_SPECIFICATIONS:
        reader.position = start
        raise reader.fail(
            "access list too long",
            path="access list.count",
            expected=f"at most {MAX_SPECIFICATIONS}",
            found=str(count),
            spec=_SPEC,
        )
    return tuple(
        reader.each(count, lambda: _read_specification(reader, budget), lambda place: f"access list[{place}]")
    )


_SPECIFICATION = Struct(">BH6sB")
"""Choice, class, logical name, attribute or method."""


def _read_specification(reader: Reader, budget: Budget) -> Specification:
    start = reader.position
    choice = reader.u8("choice")
    if not 1 <= choice <= 5:
        reader.position = start
        raise reader.fail(
            "unknown choice",
            path="choice",
            expected="01 get .. 05 set with selection",
            found=f"{choice:02X}",
            spec=_SPEC,
        )
    stop = start + _SPECIFICATION.size
    if stop > reader.end or reader.traces:
        _read_by_field(reader)
    plain = _plain_specification(reader.data[start:stop])
    reader.position = stop
    if choice not in _SELECTIVE:
        return plain
    selector = reader.u8("selector")
    selection = read_data(reader, "selection", budget)
    return Specification(plain.choice, plain.class_id, plain.obis, plain.index, selector, selection)


def plain_specification(choice: Choice, class_id: int, obis: Obis, index: int) -> Specification:
    """A specification without selection: the one object to which messages with these octets are read, too."""
    return _plain_specification(_SPECIFICATION.pack(choice, class_id, obis.raw, index))


@lru_cache(maxsize=4096)
def _plain_specification(octets: bytes) -> Specification:
    """A specification without selection. Kept, because access lists name the same attributes all the time."""
    choice, class_id, obis, index = _SPECIFICATION.unpack(octets)
    return Specification(Choice(choice), class_id, Obis(obis), index)


def _read_by_field(reader: Reader) -> None:
    """Take the fields behind the choice one by one, and fail at the first that is not all there."""
    reader.take(2, "class")
    reader.take(6, "logical name")
    reader.u8("attribute or method")


def _read_list(reader: Reader, expected: int | None, budget: Budget) -> tuple[Data, ...]:
    start = reader.position
    count = reader.ber_length("data list.count")
    if count > MAX_SPECIFICATIONS or (expected is not None and count != expected):
        reader.position = start
        wanted = (
            f"at most {MAX_SPECIFICATIONS}" if expected is None else f"{expected}, one for each specification"
        )
        raise reader.fail(
            "wrong number of data items",
            path="data list.count",
            expected=wanted,
            found=str(count),
            spec=_SPEC,
        )
    return tuple(read_list(reader, count, budget, lambda place: f"data list[{place}]"))


def _read_results(reader: Reader, expected: int) -> tuple[AccessResult, ...]:
    start = reader.position
    count = reader.ber_length("result list.count")
    if count != expected:
        reader.position = start
        raise reader.fail(
            "wrong number of results",
            path="result list.count",
            expected=str(expected),
            found=str(count),
            spec=_SPEC,
        )
    return tuple(reader.each(count, lambda: _read_result(reader), lambda place: f"result list[{place}]"))


def _read_result(reader: Reader) -> AccessResult:
    choice = reader.u8("choice")
    if not 1 <= choice <= 3:
        reader.position -= 1
        raise reader.fail(
            "unknown choice",
            path="choice",
            expected="01, 02 or 03",
            found=f"{choice:02X}",
            spec=_SPEC,
        )
    return _RESULTS[choice][reader.u8("result")]


_RESULTS = {
    int(choice): tuple([AccessResult(choice, result) for result in range(256)])
    for choice in (Choice.GET, Choice.SET, Choice.ACTION)
}
"""Every result that two octets can say."""


def _encode_specifications(specifications: tuple[Specification, ...]) -> bytes:
    parts = [ber_length(len(specifications))]
    for item in specifications:
        parts.append(_SPECIFICATION.pack(item.choice, item.class_id, item.obis.raw, item.index))
        if item.choice in _SELECTIVE:
            if item.selector is None or item.parameters is None:
                raise GbcsEncodeError(
                    "a selection needs a selector and parameters", path=str(item), spec=_SPEC
                )
            parts.append(bytes((item.selector,)) + encode_data(item.parameters))
    return b"".join(parts)


def specification_offset(apdu: AccessRequest | AccessResponse, place: int) -> int:
    """Where specification `place` stands in the octets of `apdu`; its end when there are no more."""
    counted = _encode_specifications(apdu.specifications[:place])
    # The count in front is that of all of them.
    growth = len(ber_length(len(apdu.specifications))) - len(ber_length(len(apdu.specifications[:place])))
    return _head_length(apdu) + len(counted) + growth


def data_offset(apdu: Apdu, place: int) -> int:
    """Where data item `place` stands in the octets of `apdu`; the end of the list when there are no more."""
    if isinstance(apdu, DataNotification):
        return _head_length(apdu)
    start = specification_offset(apdu, len(apdu.specifications)) + len(ber_length(len(apdu.data)))
    return start + sum([len(encode_data(item)) for item in apdu.data[:place]])


def result_offset(apdu: AccessResponse, place: int) -> int:
    """Where result `place` stands in the octets of `apdu`."""
    return data_offset(apdu, len(apdu.data)) + len(ber_length(len(apdu.results))) + 2 * place


def _head_length(apdu: Apdu) -> int:
    return 5 + len(ber_length(len(apdu.date_time))) + len(apdu.date_time)


def _encode_list(items: tuple[Data, ...]) -> bytes:
    return ber_length(len(items)) + b"".join([encode_data(item) for item in items])


def _invoke_id(value: int) -> bytes:
    if not 0 <= value < 1 << 32:
        raise GbcsEncodeError(
            "out of range",
            path="long-invoke-id-and-priority",
            expected="4 octets",
            found=str(value),
            spec="GBCS 7.3",
        )
    return value.to_bytes(4, "big")
