"""GBZ components by name: what a whole content is in JSON, both ways, whatever decides about its shape.

A plan says for each component what its header should be by its place and by what it answers. Only what
differs from the plan appears in the JSON, under `header`; so every content can be written again octet for
octet, and a sound one shows nothing but its meaning.

Spec: GBCS 7.2.9 (GBZ payload), 8.4 (encryption)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from smetslab.errors import GbcsDecodeError, GbcsEncodeError, ZclDecodeError, ZclEncodeError
from smetslab.gbcs.gbz.naming import (
    AnyCommand,
    General,
    Subject,
    UnknownCommand,
    answered_name,
    attribute_name,
    attribute_number,
    cluster_name,
    command_name,
    command_number,
    named_subject,
    result_offset,
    results_from_json,
    results_to_json,
    status_name,
    status_number,
    subject_of,
)
from smetslab.gbcs.gbz.payload import Component, PlacedComponent
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.security import ENCRYPTED_HEADER, EncryptionContext
from smetslab.gbcs.values import Parameters, Value, from_hex, to_hex
from smetslab.value_class import value_class
from smetslab.zigbee.zcl import Command, ZclFrame
from smetslab.zigbee.zcl.fields import TRAILING
from smetslab.zigbee.zcl.foundation import DefaultResponse, ReadAttributes, ReadAttributesResponse
from smetslab.zigbee.zcl.named import Moment, Time
from smetslab.zigbee.zcl.values import octets_from_json

COMPONENTS = "components"
SEALED = "sealed"
HEADER = "header"
FROM_DATE_TIME = "from_date_time"
PAYLOAD = "payload"
_SPEC = "GBCS 7.2.9"
_ENVELOPE = ("cluster", "command", HEADER, FROM_DATE_TIME)
_HEADER_MEMBERS = (
    "sequence",
    "server_to_client",
    "cluster_specific",
    "disable_default_response",
    "manufacturer_code",
    "reserved",
    "encrypted",
    "frame_counter",
)
_UNKNOWN_COMMAND_MEMBERS = ("cluster_specific", "server_to_client", "manufacturer_code")
_NO_FACTS = (None, None, None)


class Expected(NamedTuple):
    """What a plan says about one component.

    `attributes` are those that a Read Attributes asks for, or its response answers, where that is declared.
    `from_date_time` is how the from-date-time reads, None where there must be none; `free` leaves it open.
    """

    sequence: int
    server_to_client: bool
    disable_default_response: bool = False
    encrypted: bool = False
    answered: AnyCommand | None = None
    attributes: tuple[int, ...] | None = None
    from_date_time: Moment | None = None
    free: bool = False

    def at(self, sequence: int) -> Expected:
        """The same with another sequence number."""
        return Expected(sequence, *self[1:])


class Mismatch(NamedTuple):
    """Why components have not the shape of a plan: the first that differs, and what should stand there."""

    place: int
    expected: str


Plan: TypeAlias = Callable[[Sequence[Subject]], Sequence[Expected] | Mismatch]


def generic_plan(subjects: Sequence[Subject]) -> Sequence[Expected]:
    """What can be said about components of an unknown use case."""
    return [
        Expected(sequence=place & 0xFF, server_to_client=_usual_direction(subject.command), free=True)
        for place, subject in enumerate(subjects)
    ]


def _usual_direction(command: AnyCommand) -> bool:
    if isinstance(command, General):
        return command is not General.READ_ATTRIBUTES
    return command.server_to_client if isinstance(command, UnknownCommand) else bool(command.direction)


# Decoding ---------------------------------------------------------------------------------------------------


@value_class(frozen=True, slots=True)
class _Opened:
    """A component whose payload is in clear, or sealed because there is no key (`payload` is None)."""

    placed: PlacedComponent
    payload: bytes | None
    base: int


def decode_named(
    placed: Sequence[PlacedComponent], plan: Plan, message: Message, secret: bytes | None
) -> list[Value]:
    """The components in JSON. Raises GbcsDecodeError at the first that differs from the plan,
    SecurityError."""
    opened = [_open(item, message, secret, place) for place, item in enumerate(placed)]
    subjects = [
        subject_of(item.placed.component.cluster, item.placed.component.frame, item.payload)
        for item in opened
    ]
    expectations = plan(subjects)
    if isinstance(expectations, Mismatch):
        place = expectations.place
        there = place < len(placed)
        raise GbcsDecodeError(
            "not the components of the use case",
            offset=placed[place].offset if there else content_offset(message) + len(message.content),
            path=f"component[{place}]",
            expected=expectations.expected,
            found=str(subjects[place]) if there else "the end",
            spec=_SPEC,
        )
    out: list[Value] = []
    counter = 0
    for place, (item, subject, expected) in enumerate(zip(opened, subjects, expectations, strict=True)):
        try:
            out.append(_component_to_json(item, subject, expected, counter))
        except ZclDecodeError as error:
            raise _placed_error(error, item, f"component[{place}]") from None
        except GbcsDecodeError as error:
            raise error.within(f"component[{place}]") from None
        counter += item.placed.component.frame_counter is not None
    return out


def sealed_octets(placed: Sequence[PlacedComponent]) -> tuple[bytes, ...]:
    """The sealed payloads of the components that are encrypted, with their security headers."""
    return tuple(item.component.frame.payload for item in placed if item.component.encrypted)


def _open(placed: PlacedComponent, message: Message, secret: bytes | None, place: int) -> _Opened:
    component = placed.component
    if component.frame_counter is None:
        return _Opened(placed, component.frame.payload, placed.payload_offset)
    if secret is None:
        return _Opened(placed, None, placed.payload_offset)
    try:
        clear = EncryptionContext.of(message).decrypt(secret, component.frame.payload)
    except GbcsDecodeError as error:
        raise GbcsDecodeError(
            error.what,
            offset=placed.payload_offset,
            path=f"component[{place}].{error.path}",
            expected=error.expected,
            found=error.found,
            spec=error.spec,
        ) from None
    # The cipher keeps the length: octet n of the plaintext stands where octet n of the ciphertext does.
    return _Opened(placed, clear, placed.payload_offset + len(ENCRYPTED_HEADER))


def _placed_error(error: ZclDecodeError, item: _Opened, path: str) -> GbcsDecodeError:
    return GbcsDecodeError(
        error.what,
        offset=item.base if error.offset is None else item.base + error.offset,
        path=f"{path}.{error.path}" if error.path else path,
        expected=error.expected,
        found=error.found,
        spec=error.spec or _SPEC,
    )


def _component_to_json(item: _Opened, subject: Subject, expected: Expected, counter: int) -> Value:
    component = item.placed.component
    out: dict[str, Value] = {
        "cluster": cluster_name(subject.cluster),
        "command": command_name(subject.command),
    }
    header = _header_to_json(component, subject.command, expected, counter)
    if header:
        out[HEADER] = header
    given = component.from_date_time
    if not expected.free and (given is None) != (expected.from_date_time is None):
        raise GbcsDecodeError(
            "from date-time missing" if given is None else "from date-time not allowed",
            offset=item.placed.offset,
            path=f"{command_name(subject.command)}.control",
            expected="bit 4 set" if given is None else "bit 4 clear",
            spec=_SPEC,
        )
    if given is not None:
        out[FROM_DATE_TIME] = (expected.from_date_time or Time).to_json(given)
    if item.payload is None:
        out[SEALED] = to_hex(component.frame.payload)
    else:
        out |= _payload_to_json(item.payload, subject, expected, component.frame)
    return out


def _header_to_json(
    component: Component, command: AnyCommand, expected: Expected, counter: int
) -> dict[str, Value]:
    """The members of the header that are not as expected."""
    frame = component.frame
    out: dict[str, Value] = {}
    if frame.sequence != expected.sequence:
        out["sequence"] = frame.sequence
    if frame.server_to_client is not expected.server_to_client:
        out["server_to_client"] = frame.server_to_client
    if frame.disable_default_response is not expected.disable_default_response:
        out["disable_default_response"] = frame.disable_default_response
    if component.encrypted is not expected.encrypted:
        out["encrypted"] = component.encrypted
    if component.frame_counter is not None and component.frame_counter != counter:
        out["frame_counter"] = component.frame_counter
    if frame.reserved:
        out["reserved"] = frame.reserved
    if isinstance(command, UnknownCommand):
        if frame.server_to_client:
            out["server_to_client"] = True
        if not frame.cluster_specific:
            out["cluster_specific"] = False
        if frame.manufacturer_code is not None:
            out["manufacturer_code"] = frame.manufacturer_code
    return out


def _payload_to_json(
    payload: bytes, subject: Subject, expected: Expected, frame: ZclFrame
) -> dict[str, Value]:
    command = subject.command
    if isinstance(command, UnknownCommand):
        return {PAYLOAD: to_hex(payload)}
    if not isinstance(command, General):
        record = command.decode(payload)
        if record.trailing and not expected.free:
            raise ZclDecodeError(
                "trailing bytes",
                offset=len(payload) - len(record.trailing),
                path=command.name,
                expected="the end",
                found=f"{len(record.trailing)} more bytes",
                spec=_SPEC,
            )
        return command.to_json(record)
    if command is General.DEFAULT_RESPONSE:
        response = DefaultResponse.decode(payload)
        answered = answered_name(subject, expected.answered, frame.server_to_client)
        return {"of": answered, "status": status_name(response.status)}
    if command is General.READ_ATTRIBUTES:
        asked = ReadAttributes.decode(payload).attributes
        if expected.attributes is not None and asked != expected.attributes:
            _refuse_attributes(
                subject.cluster, asked, expected.attributes, [2 * n for n in range(len(asked) + 1)]
            )
        return {"attributes": [attribute_name(subject.cluster, number) for number in asked]}
    results = ReadAttributesResponse.decode(payload).results
    numbers = tuple([result.attribute for result in results])
    if expected.attributes is not None and numbers != expected.attributes:
        offsets = [result_offset(results, place) for place in range(len(results) + 1)]
        _refuse_attributes(subject.cluster, numbers, expected.attributes, offsets)
    return {"attributes": {**results_to_json(subject.cluster, results)}}


def _refuse_attributes(
    cluster: int, found: tuple[int, ...], wanted: tuple[int, ...], offsets: Sequence[int]
) -> None:
    """Raise ZclDecodeError at the first attribute that differs."""
    place = next(
        (n for n, pair in enumerate(zip(found, wanted, strict=False)) if pair[0] != pair[1]),
        min(len(found), len(wanted)),
    )
    raise ZclDecodeError(
        "not the attributes of the use case",
        offset=offsets[place],
        path=f"attributes[{place}]",
        expected=attribute_name(cluster, wanted[place]) if place < len(wanted) else "the end",
        found=attribute_name(cluster, found[place]) if place < len(found) else "the end",
        spec=_SPEC,
    )


# Encoding ---------------------------------------------------------------------------------------------------


class _Given(NamedTuple):
    """A component as it was given: its members, what they say it is about, and where it stands."""

    members: Parameters
    header: Parameters
    subject: Subject
    where: str


_Seal: TypeAlias = Callable[[bytes], bytes]


def encode_named(
    given: Value, plan: Plan, message: Message, secret: bytes | None, path: str = COMPONENTS
) -> tuple[Component, ...]:
    """The reverse of `decode_named`. Raises GbcsEncodeError with the path of what does not fit."""
    if not isinstance(given, list):
        raise GbcsEncodeError("not a list of components", path=path, found=repr(given)[:40])
    items = [_given(item, f"{path}[{place}]") for place, item in enumerate(given)]
    expectations = plan([item.subject for item in items])
    if isinstance(expectations, Mismatch):
        place = expectations.place
        raise GbcsEncodeError(
            "not the components of the use case",
            path=f"{path}[{place}]",
            expected=expectations.expected,
            found=str(items[place].subject) if place < len(items) else "the end",
            spec=_SPEC,
        )
    seal = None if secret is None else partial(EncryptionContext.of(message).encrypt, secret)
    components: list[Component] = []
    counter = 0
    for item, expected in zip(items, expectations, strict=True):
        component = _component_from_json(item, expected, counter, seal)
        counter += component.encrypted
        components.append(component)
    return tuple(components)


def _given(item: Value, where: str) -> _Given:
    if not isinstance(item, dict):
        raise GbcsEncodeError("not a component", path=where, found=repr(item)[:40])
    header = item.get(HEADER, {})
    if not isinstance(header, dict):
        raise GbcsEncodeError("not a header", path=f"{where}.{HEADER}", found=repr(header)[:40])
    for name in header:
        if name not in _HEADER_MEMBERS:
            raise GbcsEncodeError(
                "no such member", path=f"{where}.{HEADER}.{name}", expected=", ".join(_HEADER_MEMBERS)
            )
    facts = [header.get(name) for name in _UNKNOWN_COMMAND_MEMBERS] if header else _NO_FACTS
    try:
        subject = named_subject(item.get("cluster"), item.get("command"), item.get("of"), facts)
    except ZclEncodeError as error:
        raise _as_gbcs(error, where) from None
    return _Given(item, header, subject, where)


def _as_gbcs(error: ZclEncodeError, where: str) -> GbcsEncodeError:
    return GbcsEncodeError(
        error.what,
        path=f"{where}.{error.path}" if error.path else where,
        expected=error.expected,
        found=error.found,
        spec=error.spec,
    )


def _component_from_json(given: _Given, expected: Expected, counter: int, seal: _Seal | None) -> Component:
    header, command, where = given.header, given.subject.command, given.where
    if not header:
        return _usual_component(given, expected, counter, seal)
    encrypted = _flag(given, "encrypted", expected.encrypted)
    if not encrypted and "frame_counter" in header:
        raise GbcsEncodeError("no frame counter without encryption", path=f"{where}.{HEADER}.frame_counter")
    unknown = isinstance(command, UnknownCommand)
    if not unknown and not {"cluster_specific", "manufacturer_code"}.isdisjoint(header):
        raise GbcsEncodeError("only of a command that is not known", path=f"{where}.{HEADER}")
    from_server = _flag(given, "server_to_client", expected.server_to_client)
    if isinstance(command, Command) and from_server is not bool(command.direction):
        raise GbcsEncodeError(
            "the command has one direction", path=f"{where}.{HEADER}.server_to_client", found=command.name
        )
    manufacturer = header.get("manufacturer_code")
    frame = ZclFrame(
        cluster_specific=_flag(given, "cluster_specific", not isinstance(command, General)),
        server_to_client=from_server,
        disable_default_response=_flag(given, "disable_default_response", expected.disable_default_response),
        manufacturer_code=None if manufacturer is None else _number(given, "manufacturer_code", 0, 0xFFFF),
        sequence=_number(given, "sequence", expected.sequence, 0xFF),
        command=command_number(command),
        payload=_sealed_payload(given, expected, encrypted, seal),
        reserved=_number(given, "reserved", 0, 7),
    )
    return Component(
        cluster=given.subject.cluster,
        frame=frame,
        from_date_time=_from_date_time(given, expected),
        frame_counter=_number(given, "frame_counter", counter & 0xFF, 0xFF) if encrypted else None,
    )


def _usual_component(given: _Given, expected: Expected, counter: int, seal: _Seal | None) -> Component:
    """A component whose header is as expected."""
    command = given.subject.command
    return Component(
        cluster=given.subject.cluster,
        frame=ZclFrame(
            cluster_specific=not isinstance(command, General),
            server_to_client=expected.server_to_client,
            disable_default_response=expected.disable_default_response,
            sequence=expected.sequence,
            command=command_number(command),
            payload=_sealed_payload(given, expected, expected.encrypted, seal),
        ),
        from_date_time=_from_date_time(given, expected),
        frame_counter=counter & 0xFF if expected.encrypted else None,
    )


def _from_date_time(given: _Given, expected: Expected) -> int | None:
    present = FROM_DATE_TIME in given.members
    if not present and expected.from_date_time is None:
        return None
    path = f"{given.where}.{FROM_DATE_TIME}"
    if not present or (expected.from_date_time is None and not expected.free):
        raise GbcsEncodeError("not allowed" if present else "missing", path=path, spec=_SPEC)
    form = expected.from_date_time or Time
    try:
        return form.number(form.from_json(given.members[FROM_DATE_TIME]))
    except ZclEncodeError as error:
        raise _as_gbcs(error, path) from None


def _sealed_payload(given: _Given, expected: Expected, encrypted: bool, seal: _Seal | None) -> bytes:
    """The payload as it goes on the wire: in clear, or sealed."""
    fields = {name: value for name, value in given.members.items() if name not in _ENVELOPE}
    if SEALED in fields:
        path = f"{given.where}.{SEALED}"
        if not encrypted or len(fields) != 1:
            raise GbcsEncodeError("sealed octets stand alone in an encrypted component", path=path)
        return from_hex(fields[SEALED], path)
    try:
        clear = _payload_from_json(fields, given.subject, expected)
    except ZclEncodeError as error:
        raise _as_gbcs(error, given.where) from None
    if not encrypted:
        return clear
    if seal is None:
        raise GbcsEncodeError(
            "the shared secret is needed to encrypt", path=given.where, expected=f"a key, or {SEALED} octets"
        )
    return seal(clear)


def _payload_from_json(fields: Parameters, subject: Subject, expected: Expected) -> bytes:
    command = subject.command
    if isinstance(command, UnknownCommand):
        _exactly(fields, (PAYLOAD,))
        return octets_from_json(fields[PAYLOAD])
    if not isinstance(command, General):
        record = command.from_json(fields)
        if record.trailing and not expected.free:
            raise ZclEncodeError("trailing bytes", path=TRAILING)
        return command.encode(record)
    if command is General.DEFAULT_RESPONSE:
        _exactly(fields, ("of", "status"))
        return DefaultResponse(subject.of or 0, status_number(fields["status"])).encode()
    _exactly(fields, ("attributes",))
    given = fields["attributes"]
    if command is General.READ_ATTRIBUTES:
        if not isinstance(given, list):
            raise ZclEncodeError("not a list of attributes", path="attributes")
        numbers = tuple([attribute_number(subject.cluster, name) for name in given])
        _only_attributes(subject.cluster, numbers, expected.attributes)
        return ReadAttributes(numbers).encode()
    results = results_from_json(subject.cluster, given)
    _only_attributes(subject.cluster, tuple([result.attribute for result in results]), expected.attributes)
    return ReadAttributesResponse(results).encode()


def _only_attributes(cluster: int, found: tuple[int, ...], wanted: tuple[int, ...] | None) -> None:
    if wanted is not None and found != wanted:
        raise ZclEncodeError(
            "not the attributes of the use case",
            path="attributes",
            expected=", ".join(attribute_name(cluster, number) for number in wanted),
            found=", ".join(attribute_name(cluster, number) for number in found),
        )


def _exactly(fields: Parameters, names: tuple[str, ...]) -> None:
    for name in fields:
        if name not in names:
            raise ZclEncodeError("unknown field", path=name, expected=", ".join(names))
    for name in names:
        if name not in fields:
            raise ZclEncodeError("missing field", path=name)


def _flag(given: _Given, name: str, default: bool) -> bool:
    value = given.header.get(name, default)
    if not isinstance(value, bool):
        raise GbcsEncodeError("not true or false", path=f"{given.where}.{HEADER}.{name}", found=repr(value))
    return value


def _number(given: _Given, name: str, default: int, limit: int) -> int:
    value = given.header.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise GbcsEncodeError(
            "out of range", path=f"{given.where}.{HEADER}.{name}", expected=f"0..{limit}", found=repr(value)
        )
    return value


def all_succeeded(components: Value) -> bool:
    """Whether every component of a response says so, and every attribute in it was read."""
    return isinstance(components, list) and all(
        isinstance(one, dict) and one.get("status", "success") == "success" and _all_read(one)
        for one in components
    )


def _all_read(component: Mapping[str, Value]) -> bool:
    if component.get("command") != "read_attributes_response":
        return True
    attributes = component.get("attributes")
    return not isinstance(attributes, dict) or not any(
        isinstance(value, dict) and value.keys() == {"status"} for value in attributes.values()
    )
