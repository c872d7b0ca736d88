"""Random valid parameters for every message of every declared use case, from the declarations alone.

Composite shapes are walked. For a leaf, octets or values are tried until its own decoder takes them: so a new
kind of leaf needs nothing here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from smetslab.errors import CodecError
from smetslab.gbcs import asn1
from smetslab.gbcs.asn1 import constructed
from smetslab.gbcs.asn1.codec import types
from smetslab.gbcs.asn1.der import Asn1Type, Cursor
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import BitString, Boolean, Data, Number, Octets, Tag
from smetslab.gbcs.dlms.forms import NamedList, OneOf
from smetslab.gbcs.dlms.protection import ProtectedRead
from smetslab.gbcs.dlms.shapes import Compact, Const, ListOf, Nullable, Shape, Struct
from smetslab.gbcs.gbz.naming import GENERAL_NAMES, NOT_EXECUTED, General, cluster_name, command_name
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, UseCase
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.dlms import RESULTS, AccessItem, DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.gbzalert import ComponentMember, Extra, GbzAlert
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.usecases.ppmid import HanCommand
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.wire import ber_length
from smetslab.zigbee.zcl import Command
from smetslab.zigbee.zcl.types import DataType

DEVICE = Eui64.parse("00DB1234567890A0")
SUPPLIER = Eui64.parse("90B3D51F30010000")
NETWORK_OPERATOR = Eui64.parse("90B3D51F30020000")
SECRET = bytes(range(32))
TIMES = (b"20300115090000Z", b"99991231235959Z", b"20200229235959Z")
TEXTS = (b"", b"A", b"Standing charge", "£ é".encode(), b"hex:", b"\xff\x00")
_TRIES = 400


class NoSample(Exception):
    """Nothing that was tried is taken."""


def header(use_case: UseCase, cra: Cra, rng: random.Random) -> Message:
    """A message without content."""
    parties = (SUPPLIER, DEVICE) if cra is Cra.COMMAND else (DEVICE, SUPPLIER)
    party = NETWORK_OPERATOR if rng.random() < 0.3 else None
    return Message(
        cra=cra,
        originator_counter=rng.choice((1000, 1 << 32, (1 << 64) - 1)),
        business_originator_id=parties[0],
        business_target_id=parties[1],
        other_information=OtherInformation(
            message_code=use_case.code,
            supplementary_remote_party_id=party,
            supplementary_remote_party_counter=None if party is None else 7,
            supplementary_originator_counter=None if party is None else 1000,
        ),
        content=b"",
        signature=b"",
        message_mac=bytes(12),
    )


def kinds_of(use_case: UseCase) -> tuple[Cra, ...]:
    """Which messages a use case has."""
    if use_case.is_alert:
        return (Cra.ALERT,)
    payload = use_case.payload
    if isinstance(payload, HanCommand):
        return ()
    if isinstance(payload, Asn1Payload):
        there = (payload.command, payload.response)
        return tuple(
            cra for cra, name in zip((Cra.COMMAND, Cra.RESPONSE), there, strict=True) if name is not None
        )
    return (Cra.COMMAND, Cra.RESPONSE)


def all_messages() -> Iterator[tuple[UseCase, Cra]]:
    """Every message that is declared."""
    for use_case in USE_CASES.values():
        for cra in kinds_of(use_case):
            yield use_case, cra


def parameters_of(use_case: UseCase, cra: Cra, rng: random.Random) -> Parameters:
    """Random valid parameters. Raises NoSample."""
    payload = use_case.payload
    match payload:
        case SealedAlert():
            return {**_members(payload.body, rng), payload.name: _objects(payload.sealed, rng)}
        case DlmsAlert():
            return _members(payload.body, rng)
        case DlmsAccess():
            return _request(payload, rng) if cra is Cra.COMMAND else _response(payload, rng)
        case GbzAccess():
            return {"components": list(_components(payload, cra, rng))}
        case GbzAlert():
            return _gbz_alert(payload, header(use_case, cra, rng), rng)
        case Asn1Payload():
            name = {Cra.COMMAND: payload.command, Cra.RESPONSE: payload.response, Cra.ALERT: payload.alert}[
                cra
            ]
            return {} if name is None else asn1_parameters(name, rng)
    raise NoSample(f"no samples of {payload!r}")


def _first(tries: Iterator[Callable[[], Value]]) -> Value:
    """The first that raises no CodecError."""
    for attempt in tries:
        try:
            return attempt()
        except CodecError:
            continue
    raise NoSample("nothing fits")


# -- DLMS ----------------------------------------------------------------------------------------------------


def data_of(shape: Shape, rng: random.Random) -> Data:  # noqa: PLR0911 - one case for each composite shape
    """A Data value that `shape` takes. Raises NoSample."""
    match shape:
        case Const():
            return shape.data
        case Nullable():
            return axdr.null() if rng.random() < 0.25 else data_of(shape.shape, rng)
        case Struct():
            count = rng.randint(shape.required, len(shape.members))
            return axdr.structure(*[data_of(inner, rng) for _, inner in shape.members[:count]])
        case OneOf():
            return data_of(rng.choice(shape.variants), rng)
        case NamedList():
            return axdr.array(*[data_of(shape.element, rng) for _ in shape.names])
        case ListOf():
            count = rng.randint(0, 3) if shape.count is None else shape.count
            return axdr.array(*[data_of(shape.element, rng) for _ in range(count)])
        case Compact():
            entry = data_of(shape.element, rng)
            return axdr.compact_array(axdr.describe_type(entry), (entry,) * rng.randint(0, 2))
    for _ in range(_TRIES):
        data = any_leaf(rng, getattr(shape, "names", None), getattr(shape, "length", None))
        try:
            shape.decode(data, "sample")
        except CodecError:
            continue
        return data
    raise NoSample(f"no value for {shape!r}")


def any_leaf(rng: random.Random, names: object = None, length: object = None) -> Data:
    """Any value without members.

    `names` may hold known numbers or octets, or one name for each bit; `length` a known length.
    """
    known = list(names) if isinstance(names, dict) else []
    match rng.randrange(8):
        case 0 | 1 | 2:
            tag = rng.choice(list(axdr.NUMBER_FORMS))
            size, signed = axdr.NUMBER_FORMS[tag]
            number = rng.choice((0, 1, 3, 0x7F, rng.getrandbits(8 * size - signed)))
            if known and isinstance(known[0], int) and rng.random() < 0.7:
                number = rng.choice(known)
            return Number(tag, number % (1 << (8 * size - signed)))
        case 3:
            bits = len(names) if isinstance(names, tuple) else 3
            bits = rng.choice((bits, bits, 0, 8, 16, 32, 256, 512))
            raw = bytearray(rng.randbytes((bits + 7) // 8))
            if bits % 8:
                raw[-1] &= 0xFF00 >> bits % 8 & 0xFF
            return BitString(bits, bytes(raw))
        case 4:
            return Boolean(rng.choice((0x00, 0xFF)))
        case 5:
            return Octets(rng.choice(axdr.STRING_TAGS), rng.choice(TEXTS))
        case 6 if known and isinstance(known[0], bytes):
            return Octets(Tag.OCTET_STRING, rng.choice(known))
        case _:
            size = length if isinstance(length, int) else rng.choice((0, 1, 4, 6, 7, 8, 12, 20, 40))
            octets = rng.randbytes(size)
            # Seven octets may be four and an octet-string of one: a value inside a value.
            return Octets(Tag.OCTET_STRING, octets[:4] + b"\x09\x01" + octets[6:] if size == 7 else octets)


def _value(shape: Shape, rng: random.Random) -> Value:
    return shape.decode(data_of(shape, rng), "sample")


def _members(shape: Struct, rng: random.Random) -> Parameters:
    value = _value(shape, rng)
    return value if isinstance(value, dict) else {}


def _objects(read: ProtectedRead, rng: random.Random) -> Value:
    return {part.name: _value(part.shape, rng) for part in read.objects}


def _period() -> Value:
    return {"start_date_time": "2030-01-15T09:00:00Z", "end_date_time": "2030-02-15T09:00:00Z"}


def _request(payload: DlmsAccess, rng: random.Random) -> Parameters:
    parameters: Parameters = {}
    drop = rng.random() if payload.has_optional_items else 0.0
    for item in payload.items:
        if not item.optional or rng.random() >= drop:
            parameters |= _asked(item, rng)
    return parameters


def _asked(item: AccessItem, rng: random.Random) -> Parameters:
    parts: Parameters = {}
    if item.protected is not None:
        if item.protected.windowed:
            parts[item.name] = _period()
    elif item.command is not None and not isinstance(item.command, Const):
        parts[item.name] = _value(item.command, rng)
    elif item.optional and item.selection is None:
        parts[item.name] = True
    if item.selection is not None:
        parts[item.selection_name] = _value(item.selection, rng)
    return parts


def _response(payload: DlmsAccess, rng: random.Random) -> Parameters:
    if payload.has_optional_items:
        results: list[Value] = [
            {
                "choice": rng.choice(("get", "set", "action")),
                "result": rng.choice(("success", "hardware-fault", 200)),
            }
            for _ in range(rng.randint(0, len(payload.items)))
        ]
        return {RESULTS: results}
    parameters: Parameters = {}
    failures: Parameters = {}
    failing = rng.choice((0.0, 0.0, 0.2))
    for item in payload.items:
        if rng.random() < failing:
            failures[item.name] = rng.choice(("other-reason", "object-undefined", 77))
        elif item.protected is not None:
            parameters[item.name] = _objects(item.protected, rng)
        elif item.response is not None:
            parameters[item.name] = _value(item.response, rng)
    if failures:
        parameters[FAILURES] = failures
    return parameters


# -- GBZ -----------------------------------------------------------------------------------------------------


def zcl_octets(kind: DataType, rng: random.Random) -> bytes:
    """Octets that are one value of `kind` and nothing else. Raises NoSample."""
    size = rng.randint(0, 24)
    for _ in range(_TRIES):
        octets = bytes([rng.choice((0, 1, 2, rng.getrandbits(8))) for _ in range(size)])
        try:
            _, position = kind.decode(octets, 0, size)
        except CodecError:
            size += rng.randint(0, 1)
            continue
        if position == size:
            return octets
        size = position
    raise NoSample(f"no octets for {kind!r}")


def _zcl_json(kind: DataType, rng: random.Random) -> Value:
    octets = zcl_octets(kind, rng)
    return kind.to_json(kind.decode(octets, 0, len(octets))[0])


def _of(cluster: int, command: Command, rng: random.Random) -> Parameters:
    octets = zcl_octets(command.fields, rng)
    return {
        "cluster": cluster_name(cluster),
        "command": command.name,
        **command.to_json(command.decode(octets)),
    }


def _general(cluster: int, command: General) -> Parameters:
    return {"cluster": cluster_name(cluster), "command": GENERAL_NAMES[command]}


def _components(payload: GbzAccess, cra: Cra, rng: random.Random) -> Iterator[Value]:
    for exchange in payload.exchanges:
        most = exchange.least + 1 if exchange.most is None else exchange.most
        for _ in range(rng.randint(exchange.least, most)):
            if cra is Cra.COMMAND:
                yield _asking(exchange, rng)
            elif rng.random() < 0.1:
                yield _default(
                    exchange, rng.choice((NOT_EXECUTED, command_name(exchange.request))), "failure"
                )
            else:
                yield _answering(exchange, rng)


def _asking(exchange: Exchange, rng: random.Random) -> Value:
    if exchange.command is not None:
        component = _of(exchange.cluster, exchange.command, rng)
    else:
        component = _general(exchange.cluster, General.READ_ATTRIBUTES)
        component["attributes"] = [attribute.name for attribute in exchange.attributes]
    if exchange.from_date_time is not None:
        component["from_date_time"] = _zcl_json(exchange.from_date_time, rng)
    return component


def _answering(exchange: Exchange, rng: random.Random) -> Value:
    if exchange.answer is not None:
        return _of(exchange.cluster, exchange.answer, rng)
    if exchange.command is not None:
        return _default(exchange, command_name(exchange.request), "success")
    component = _general(exchange.cluster, General.READ_ATTRIBUTES_RESPONSE)
    component["attributes"] = {
        attribute.name: (
            {"status": "unsupported_attribute"} if rng.random() < 0.1 else _zcl_json(attribute.type, rng)
        )
        for attribute in exchange.attributes
    }
    return component


def _default(exchange: Exchange, answered: str, status: str) -> Value:
    return {**_general(exchange.cluster, General.DEFAULT_RESPONSE), "of": answered, "status": status}


def _gbz_alert(payload: GbzAlert, bare: Message, rng: random.Random) -> Parameters:
    parameters: Parameters = {
        "alert_code": f"{rng.getrandbits(16):04X}",
        "time_stamp": "2030-01-15T09:00:00Z",
    }
    if payload.extra is not None:
        parameters[payload.extra.name] = _extra(payload.extra, bare, rng)
    return parameters


def _extra(extra: Extra, bare: Message, rng: random.Random) -> Value:
    if isinstance(extra, ComponentMember):
        return _of(extra.command.cluster, extra.command, rng)
    candidates = (
        b"\x0e" + rng.randbytes(14),
        b"\x09\x20" + rng.randbytes(32),
        *(rng.randbytes(size) for size in range(40)),
    )
    return _first((lambda octets=octets: extra.decode(octets, bare, SECRET, 0)) for octets in candidates)


# -- ASN.1 ---------------------------------------------------------------------------------------------------


def asn1_parameters(name: str, rng: random.Random) -> Parameters:
    """Parameters of a type of the schema. Raises NoSample."""
    found = _first((lambda: asn1.decode(name, asn1_octets(types()[name], rng))) for _ in range(_TRIES))
    return found if isinstance(found, dict) else {}


def asn1_octets(kind: Asn1Type, rng: random.Random) -> bytes:
    """One element of a type, with luck: a default that is written out makes it wrong. Raises NoSample."""
    match kind:
        case constructed.Sequence():
            there = [m for m in kind.members if not m.can_be_absent or rng.random() < 0.5]
            return _element(kind.tag, b"".join([asn1_octets(member.type, rng) for member in there]))
        case constructed.SequenceOf():
            return _element(
                kind.tag, b"".join([asn1_octets(kind.element, rng) for _ in range(rng.randint(0, 3))])
            )
        case constructed.Choice():
            return asn1_octets(rng.choice(list(kind.alternatives.values())), rng)
    for _ in range(_TRIES):
        octets = _element(rng.choice(kind.tags), _primitive(rng))
        try:
            kind.decode(Cursor(octets), 0, len(octets))
        except CodecError:
            continue
        return octets
    raise NoSample(f"no element for {kind.label}")


def _primitive(rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return rng.choice(TIMES)
    size = rng.choice((0, 1, 1, 1, 2, 2, 3, 4, 8, 9, 16, 20, 32, 64, 65))
    octets = bytearray(rng.randbytes(size))
    if octets:
        octets[0] = rng.choice((0, 1, 7, octets[0]))
    return bytes(octets)


def _element(tag: int, contents: bytes) -> bytes:
    return bytes((tag,)) + ber_length(len(contents)) + contents


__all__ = [
    "SECRET",
    "NoSample",
    "all_messages",
    "any_leaf",
    "data_of",
    "header",
    "parameters_of",
    "zcl_octets",
]
