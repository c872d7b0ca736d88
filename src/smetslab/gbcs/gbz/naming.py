"""What a component is about, and its ZCL payload by name: commands, attributes, values, statuses.

Names are those of the declared clusters. What has no declaration is `unknown_0x` and its number, with its
octets in hex, so that everything can be written again.

Spec: GBCS 7.2.9; ZCL 2.5 (general commands)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from smetslab.errors import ZclDecodeError, ZclEncodeError
from smetslab.gbcs.values import Value
from smetslab.zigbee.zcl import (
    CLIENT_TO_SERVER,
    CLUSTERS,
    SERVER_TO_CLIENT,
    Cluster,
    Command,
    ZclFrame,
    cluster_named,
)
from smetslab.zigbee.zcl.clusters import (  # noqa: F401 - what is not imported is not declared
    basic,
    calendar,
    device_management,
    events,
    messaging,
    metering,
    prepayment,
    price,
)
from smetslab.zigbee.zcl.foundation import (
    DefaultResponse,
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    Status,
)
from smetslab.zigbee.zcl.types import TYPES, type_named
from smetslab.zigbee.zcl.values import Unknown, octets_from_json

NOT_EXECUTED = "not_executed"
"""What a Default Response says that it is about when an earlier component failed. Spec: GBCS 7.2.9."""
NOT_EXECUTED_ID = 0xFF

_UNKNOWN = re.compile(r"unknown_0x([0-9A-F]{2}|[0-9A-F]{4})", re.ASCII)


class General(IntEnum):
    """The general commands that GBZ uses. Spec: ZCL 2.5, table of general commands."""

    READ_ATTRIBUTES = ReadAttributes.code
    READ_ATTRIBUTES_RESPONSE = ReadAttributesResponse.code
    DEFAULT_RESPONSE = DefaultResponse.code


GENERAL_NAMES = {general: general.name.lower() for general in General}
_GENERAL_BY_NAME = {name: general for general, name in GENERAL_NAMES.items()}


class UnknownCommand(NamedTuple):
    """A command that is not declared, general ones that GBZ does not use among them."""

    number: int
    cluster_specific: bool
    server_to_client: bool
    manufacturer_code: int | None

    @property
    def name(self) -> str:
        return f"unknown_0x{self.number:02X}"


AnyCommand: TypeAlias = Command | General | UnknownCommand


class Subject(NamedTuple):
    """What a component is about. `of` is the number of the command that a Default Response answers."""

    cluster: int
    command: AnyCommand
    of: int | None = None

    def __str__(self) -> str:
        text = f"{command_name(self.command)} of cluster {cluster_name(self.cluster)}"
        return text if self.of is None else f"{text} to command {self.of:02X}"


def command_name(command: AnyCommand) -> str:
    return GENERAL_NAMES[command] if isinstance(command, General) else command.name


def command_number(command: AnyCommand) -> int:
    if isinstance(command, General):
        return int(command)
    return command.number if isinstance(command, UnknownCommand) else command.id


def cluster_name(number: int) -> str:
    cluster = CLUSTERS.get(number)
    return _unknown(number, 4) if cluster is None else cluster.name


def cluster_number(name: Value) -> int:
    """The reverse of `cluster_name`; ZclEncodeError when there is no such cluster."""
    cluster = cluster_named(name) if isinstance(name, str) else None
    return _known_number(name, 4, "no such cluster") if cluster is None else cluster.id


def subject_of(cluster_id: int, frame: ZclFrame, payload: bytes | None) -> Subject:
    """What a frame is about; `payload` is in clear, None where it is sealed."""
    if frame.manufacturer_code is None:
        if frame.cluster_specific:
            cluster = CLUSTERS.get(cluster_id)
            if cluster is not None:
                direction = SERVER_TO_CLIENT if frame.server_to_client else CLIENT_TO_SERVER
                command = cluster.commands.get((direction, frame.command))
                if command is not None:
                    return Subject(cluster_id, command)
        elif frame.command == General.DEFAULT_RESPONSE:
            return Subject(cluster_id, General.DEFAULT_RESPONSE, payload[0] if payload else None)
        elif frame.command <= General.READ_ATTRIBUTES_RESPONSE:
            return Subject(cluster_id, General(frame.command))
    unknown = UnknownCommand(
        frame.command, frame.cluster_specific, frame.server_to_client, frame.manufacturer_code
    )
    return Subject(cluster_id, unknown)


def named_subject(cluster: Value, command: Value, of: Value, header: Sequence[Value]) -> Subject:
    """The subject with these names; ZclEncodeError when there is none.

    `header` tells an unknown command: whether it is cluster-specific and sent by the server, its
    manufacturer code.
    """
    number = cluster_number(cluster)
    general = _GENERAL_BY_NAME.get(command) if isinstance(command, str) else None
    if general is General.DEFAULT_RESPONSE:
        return Subject(number, general, None if of is None else _answered_number(number, of))
    if general is not None:
        return Subject(number, general)
    declared = CLUSTERS.get(number)
    known = declared.commands_by_name.get(command) if declared and isinstance(command, str) else None
    if known is not None:
        return Subject(number, known)
    unknown = _known_number(command, 2, "no such command")
    specific, from_server, manufacturer = header
    return Subject(
        number,
        UnknownCommand(
            unknown,
            specific is not False,
            bool(from_server),
            manufacturer if isinstance(manufacturer, int) else None,
        ),
    )


def answered_name(subject: Subject, answered: AnyCommand | None, server_to_client: bool) -> str:
    """What a Default Response answers: `answered` where that is it, else the cluster's command, or its
    number."""
    number = subject.of
    if number is None or number == NOT_EXECUTED_ID:
        return NOT_EXECUTED
    if answered is not None and command_number(answered) == number:
        return command_name(answered)
    cluster = CLUSTERS.get(subject.cluster)
    direction = CLIENT_TO_SERVER if server_to_client else SERVER_TO_CLIENT
    command = None if cluster is None else cluster.commands.get((direction, number))
    return _unknown(number, 2) if command is None else command.name


def _answered_number(cluster_id: int, name: Value) -> int:
    if name == NOT_EXECUTED:
        return NOT_EXECUTED_ID
    general = _GENERAL_BY_NAME.get(name) if isinstance(name, str) else None
    if general is not None:
        return int(general)
    cluster = CLUSTERS.get(cluster_id)
    command = cluster.commands_by_name.get(name) if cluster and isinstance(name, str) else None
    return _known_number(name, 2, "no such command") if command is None else command.id


# Payloads ---------------------------------------------------------------------------------------------------


def status_name(status: int) -> str | int:
    """`hardware_failure`, or the number where ZCL has no name."""
    return _STATUS_NAMES.get(status, status)


_STATUS_NAMES = {int(status): status.name.lower() for status in Status}
_STATUSES = {name: number for number, name in _STATUS_NAMES.items()}


def status_number(name: Value) -> int:
    """The reverse of `status_name`; ZclEncodeError."""
    number = _STATUSES.get(name) if isinstance(name, str) else name
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 0xFF:
        return number
    raise ZclEncodeError("unknown status", expected="a name or 0..255", found=repr(name))


def attribute_name(cluster_id: int, number: int) -> str:
    cluster = CLUSTERS.get(cluster_id)
    attribute = None if cluster is None else cluster.attributes.get((True, number))
    return _unknown(number, 4) if attribute is None else attribute.name


def attribute_number(cluster_id: int, name: Value) -> int:
    """The reverse of `attribute_name`; ZclEncodeError."""
    cluster = CLUSTERS.get(cluster_id)
    attribute = cluster.attributes_by_name.get(name) if cluster and isinstance(name, str) else None
    return _known_number(name, 4, "no such attribute") if attribute is None else attribute.id


def results_to_json(cluster_id: int, results: Sequence[ReadResult]) -> dict[str, Value]:
    """Attributes by name with value, or with the status that says why there is none.

    ZclDecodeError when an attribute stands twice, which names could not tell apart.
    """
    cluster = CLUSTERS.get(cluster_id)
    out: dict[str, Value] = {}
    for place, result in enumerate(results):
        name = attribute_name(cluster_id, result.attribute)
        if name in out:
            raise ZclDecodeError(
                "attribute answered twice", offset=result_offset(results, place), path=name, spec="ZCL 2.5.2"
            )
        out[name] = _result_to_json(cluster, result)
    return out


def _result_to_json(cluster: type[Cluster] | None, result: ReadResult) -> Value:
    if result.status:
        return {"status": status_name(result.status)}
    attribute = None if cluster is None else cluster.attributes.get((True, result.attribute))
    if attribute is not None and attribute.type.code == result.type:
        return attribute.type.to_json(result.value)
    if isinstance(result.value, Unknown):
        return {"type": _unknown(result.type, 2), "value": result.value.raw.hex().upper()}
    kind = TYPES[result.type]
    return {"type": kind.name, "value": kind.to_json(result.value)}


def results_from_json(cluster_id: int, value: Value) -> tuple[ReadResult, ...]:
    """The reverse of `results_to_json`; ZclEncodeError with the path of the attribute."""
    if not isinstance(value, dict):
        raise ZclEncodeError("not attributes by name", found=repr(value)[:40])
    cluster = CLUSTERS.get(cluster_id)
    results: list[ReadResult] = []
    for name, item in value.items():
        try:
            results.append(_result_from_json(cluster, attribute_number(cluster_id, name), item))
        except ZclEncodeError as error:
            raise error.within(name) from None
    return tuple(results)


def _result_from_json(cluster: type[Cluster] | None, number: int, value: Value) -> ReadResult:
    if isinstance(value, dict) and set(value) == {"status"}:
        status = status_number(value["status"])
        if not status:
            raise ZclEncodeError("a success has a value", path="status")
        return ReadResult(number, status)
    if isinstance(value, dict) and set(value) == {"type", "value"}:
        name = value["type"]
        if isinstance(name, str) and _UNKNOWN.fullmatch(name):
            code = _known_number(name, 2, "no such type")
            if code in TYPES:
                raise ZclEncodeError("a known type", path="type", expected=TYPES[code].name, found=name)
            return ReadResult(number, 0, code, Unknown(code, octets_from_json(value["value"])))
        kind = type_named(name)
        return ReadResult(number, 0, kind.code or 0, kind.from_json(value["value"]))
    attribute = None if cluster is None else cluster.attributes.get((True, number))
    if attribute is None:
        raise ZclEncodeError("an unknown attribute needs type and value", found=repr(value)[:40])
    return ReadResult(number, 0, attribute.type.code or 0, attribute.type.from_json(value))


def result_offset(results: Sequence[ReadResult], place: int) -> int:
    """Where in the payload the result at `place` begins."""
    return len(ReadAttributesResponse(tuple(results[:place])).encode())


def _unknown(number: int, digits: int) -> str:
    return f"unknown_0x{number:0{digits}X}"


def _known_number(name: Value, digits: int, what: str) -> int:
    match = _UNKNOWN.fullmatch(name) if isinstance(name, str) else None
    if match is None or len(match[1]) != digits:
        raise ZclEncodeError(what, expected=f"a declared name or {_unknown(0, digits)}", found=repr(name))
    return int(match[1], 16)
