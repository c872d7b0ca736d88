"""Checks of named values: numbers in range and with a meaning, dates that exist, texts that repeat others.

What a declaration says is checked as it says it; what GBCS says about values by their names is checked here.

Spec: GBCS 9.2 (dates of one command), 14.8 (check digit), 16 (alert codes), Annex 3 (counters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from smetslab.errors import CodecError
from smetslab.gbcs.alert_codes import alert_name
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import NamedList, OneOf
from smetslab.gbcs.dlms.shapes import Bool, Bytes, Compact, ListOf, Nullable, Num, Shape, Struct, Text
from smetslab.gbcs.gbz.components import COMPONENTS, HEADER
from smetslab.gbcs.message import Message
from smetslab.gbcs.triage.findings import Check, Finding, Outcome
from smetslab.gbcs.usecases import UseCase, activation_of
from smetslab.gbcs.usecases.dlms import DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.gbcs.utrn import parse_utrn
from smetslab.gbcs.values import HEX_PREFIX, IMMEDIATE, NEVER, Parameters, Value, from_hex, parse_utc
from smetslab.zigbee.zcl import CLUSTERS, Command
from smetslab.zigbee.zcl.fields import Fields
from smetslab.zigbee.zcl.named import Enumeration, Moment

Place = Callable[[str], int | None]
"""Where the value with a path stands in the octets of the message."""

_COUNTERS = ("originator_counter", "authorising_remote_party_seq_number")
"""Members of ASN.1 commands that repeat the counter of the header. Spec: GBCS use cases CS02b, CS06."""
_UTRN = "utrn"


def value_findings(
    message: Message, use_case: UseCase, parameters: Parameters, place: Place
) -> Iterator[Finding]:
    """Every value that a declaration or another value contradicts."""
    found = list(_found(message, use_case, parameters))
    for path, outcome, text in found:
        yield Finding(
            check=Check.VALUES, outcome=outcome, text=text, offset=place(path), field=f"content.{path}"
        )
    if not any(outcome is Outcome.FAIL for _, outcome, _ in found):
        text = "all values are in the ranges that are declared" if not found else "no value out of range"
        yield Finding(check=Check.VALUES, outcome=Outcome.PASS, text=text)


_Found = tuple[str, Outcome, str]


def _found(message: Message, use_case: UseCase, parameters: Parameters) -> Iterator[_Found]:
    for name, shape in _shapes(use_case, message.cra):
        if name in parameters:
            yield from _shaped(shape, parameters[name], name)
    yield from _components(parameters.get(COMPONENTS))
    yield from _periods(parameters, "")
    yield from _activation(use_case, message, parameters)
    yield from _repeated(message, parameters, "")
    code = parameters.get("alert_code")
    if isinstance(code, str) and use_case.is_alert and alert_name(int(code, 16)) is None:
        yield "alert_code", Outcome.DOUBT, f"no published alert has the code {code}"
    yield from _utrn(parameters)


# -- DLMS shapes ---------------------------------------------------------------------------------------------


def _shapes(use_case: UseCase, cra: Cra) -> Iterator[tuple[str, Shape]]:
    """The shapes of parameters by name."""
    payload = use_case.payload
    if isinstance(payload, SealedAlert):
        yield from payload.body.members
        yield payload.name, Struct({item.name: item.shape for item in payload.sealed.objects})
    elif isinstance(payload, DlmsAlert):
        yield from payload.body.members
    elif isinstance(payload, DlmsAccess):
        for item in payload.items:
            shape = item.command if cra is Cra.COMMAND else item.response
            if shape is not None:
                yield item.name, shape
            if item.protected is not None and cra is not Cra.COMMAND:
                yield item.name, Struct({one.name: one.shape for one in item.protected.objects})


def _shaped(shape: Shape, value: Value, path: str) -> Iterator[_Found]:
    match shape:
        case Num():
            yield from _number(shape, value, path)
        case Bool() if isinstance(value, int) and not isinstance(value, bool):
            yield path, Outcome.DOUBT, f"a boolean of {value:02X}; GBCS devices write 00 and FF"
        case Text() if shape.maximum is not None and isinstance(value, str) and len(value) > shape.maximum:
            yield path, Outcome.FAIL, f"a text of {len(value)} characters, at most {shape.maximum} allowed"
        case Bytes() if isinstance(value, str):
            yield from _octets(shape, value, path)
        case OneOf():
            yield from _shaped(shape.of_value(value), value, path)
        case Nullable() if value is not None:
            yield from _shaped(shape.shape, value, path)
        case _:
            for member, item, below in _inside(shape, value, path):
                yield from _shaped(member, item, below)


def _inside(shape: Shape, value: Value, path: str) -> Iterator[tuple[Shape, Value, str]]:
    """The members of a value with their shapes and paths."""
    match shape:
        case Struct() if isinstance(value, dict):
            yield from [(one, value[name], f"{path}.{name}") for name, one in shape.members if name in value]
        case ListOf() | Compact() if isinstance(value, list):
            yield from [(shape.element, item, f"{path}[{number}]") for number, item in enumerate(value)]
        case NamedList() if isinstance(value, dict):
            yield from [(shape.element, item, f"{path}.{name}") for name, item in value.items()]


def _octets(shape: Bytes, value: str, path: str) -> Iterator[_Found]:
    if shape.form != "hex" and value.startswith(HEX_PREFIX):
        for name, number in _wrong_parts(from_hex(value, path), shape.form):
            octets = value.removeprefix(HEX_PREFIX)
            yield path, Outcome.FAIL, f"no {shape.form} that exists, its {name} is {number}: {octets}"
    elif shape.form == "hex":
        yield from _size(shape, len(value) // 2, path)


_RANGES = {
    "year": ((0, 0xFFFF),),
    "month": ((1, 12), (0xFD, 0xFF)),
    "day": ((1, 31), (0xFD, 0xFF)),
    "week day": ((1, 7), (0xFF, 0xFF)),
    "hour": ((0, 23), (0xFF, 0xFF)),
    "minute": ((0, 59), (0xFF, 0xFF)),
    "second": ((0, 59), (0xFF, 0xFF)),
    "hundredths": ((0, 99), (0xFF, 0xFF)),
}
"""What each field of a date and time may be, special values included. Spec: IEC 62056-6-2 4.1.6.1."""


def _wrong_parts(octets: bytes, form: str) -> list[tuple[str, int]]:
    """The first field of a date or time that is not in its range, to which wildcards belong."""
    date_octets = b"" if form == "time" else octets[:5]
    time_octets = b"" if form == "date" else octets[len(date_octets) : len(date_octets) + 4]
    numbers = [int.from_bytes(date_octets[:2], "big"), *date_octets[2:]] if date_octets else []
    names = [*list(_RANGES)[: len(numbers)], *list(_RANGES)[4 : 4 + len(time_octets)]]
    pairs = zip(names, [*numbers, *time_octets], strict=True)
    wrong = [
        (name, number)
        for name, number in pairs
        if not any(low <= number <= high for low, high in _RANGES[name])
    ]
    return wrong[:1]


def _size(shape: Bytes, size: int, path: str) -> Iterator[_Found]:
    if shape.maximum is not None and size > shape.maximum:
        yield path, Outcome.FAIL, f"{size} octets, at most {shape.maximum} allowed"
    if shape.minimum is not None and size < shape.minimum:
        yield path, Outcome.FAIL, f"{size} octets, at least {shape.minimum} needed"


def _number(shape: Num, value: Value, path: str) -> Iterator[_Found]:
    if not isinstance(value, int):
        return
    low, high = shape.minimum, shape.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = (
            f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
        )
        yield path, Outcome.FAIL, f"{value} is out of range: {wanted}"
    elif shape.tag is Tag.ENUM and shape.names:
        meanings = ", ".join(f"{number} {name}" for number, name in shape.names.items())
        yield path, Outcome.DOUBT, f"{value} has no declared meaning ({meanings})"


# -- GBZ components ------------------------------------------------------------------------------------------


def _components(components: Value) -> Iterator[_Found]:
    for number, item in enumerate(components if isinstance(components, list) else []):
        if not isinstance(item, dict):
            continue
        path = f"{COMPONENTS}[{number}]"
        header = item.get(HEADER)
        if isinstance(header, dict):
            for name, value in header.items():
                yield (
                    f"{path}.{HEADER}.{name}",
                    Outcome.DOUBT,
                    f"unusual here: {name.replace('_', ' ')} {value}",
                )
        command = _command(item)
        if command is not None:
            yield from _fields(command.fields, item, path)


def _command(item: dict[str, Value]) -> Command | None:
    for cluster in CLUSTERS.values():
        if cluster.name == item.get("cluster"):
            return cluster.commands_by_name.get(str(item.get("command")))
    return None


def _fields(shape: Fields, value: dict[str, Value], path: str) -> Iterator[_Found]:
    for name, kind in zip(shape.names, shape.kinds, strict=True):
        item = value.get(name)
        if isinstance(kind, Fields) and isinstance(item, dict):
            yield from _fields(kind, item, f"{path}.{name}")
        elif isinstance(kind, Enumeration) and not isinstance(kind, Moment) and isinstance(item, int):
            yield f"{path}.{name}", Outcome.DOUBT, f"{item} has no declared meaning"


# -- whatever the payload ------------------------------------------------------------------------------------


def _periods(value: Value, path: str) -> Iterator[_Found]:
    """Starts that lie behind their ends."""
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _periods(inner, f"{path}[{number}]")
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        below = f"{path}.{name}" if path else name
        yield from _periods(inner, below)
        end = value.get(name.replace("start", "end")) if "start" in name else None
        if end is not None and _moment(inner) > _moment(end) > "":
            yield below, Outcome.DOUBT, f"starts at {inner}, after its end at {end}"


def _moment(value: Value) -> str:
    """A text that sorts as the moment does; nothing for what is no moment."""
    if not isinstance(value, str) or value in {IMMEDIATE, NEVER}:
        return ""
    try:
        return parse_utc(value).isoformat()
    except CodecError:
        return ""


def _activation(use_case: UseCase, message: Message, parameters: Parameters) -> Iterator[_Found]:
    if message.cra is not Cra.COMMAND:
        return
    try:
        activation_of(use_case, parameters)
    except CodecError as error:
        first = error.path.split(",", maxsplit=1)[0]
        yield first, Outcome.FAIL, f"{error.what}: {error.found}; all dates of a command are equal"


def _repeated(message: Message, value: Value, path: str) -> Iterator[_Found]:
    """Counters in ASN.1 commands that have to be that of the header."""
    if message.cra is not Cra.COMMAND or not isinstance(value, dict):
        return
    for name, inner in value.items():
        below = f"{path}.{name}" if path else name
        if name in _COUNTERS and isinstance(inner, int) and inner != message.originator_counter:
            text = f"says counter {inner}, the header {message.originator_counter}"
            yield below, Outcome.DOUBT, text
        yield from _repeated(message, inner, below)


def _utrn(parameters: Parameters) -> Iterator[_Found]:
    text = parameters.get(_UTRN)
    if isinstance(text, str):
        try:
            parse_utrn(text)
        except CodecError as error:
            yield _UTRN, Outcome.FAIL, f"no UTRN: {error.what}"
