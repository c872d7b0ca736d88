"""Trees of GBZ content: every component down to its ZCL fields, under the names of its cluster.

Spec: GBCS 7.2.9, 8.4, 16; ZCL 2.4.1, 2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from smetslab.crypto import TAG_BYTES
from smetslab.errors import GbcsDecodeError, ZclDecodeError
from smetslab.gbcs.alert_codes import alert_text
from smetslab.gbcs.gbz.components import COMPONENTS, HEADER
from smetslab.gbcs.gbz.naming import (
    General,
    Subject,
    UnknownCommand,
    answered_name,
    attribute_name,
    cluster_name,
    command_name,
    status_name,
    subject_of,
)
from smetslab.gbcs.gbz.payload import (
    ALERT_HEAD_BYTES,
    PlacedComponent,
    decode_alert,
    decode_component,
    decode_components,
)
from smetslab.gbcs.security import ENCRYPTED_HEADER
from smetslab.gbcs.tree import Cursor, Node
from smetslab.gbcs.values import Value
from smetslab.zigbee.zcl.foundation import ReadAttributesResponse
from smetslab.zigbee.zcl.layout import Span, field_spans
from smetslab.zigbee.zcl.named import seconds_to_text
from smetslab.zigbee.zcl.types import TYPES

Open: TypeAlias = Callable[[bytes], bytes | str]
"""Decrypts protected octets: the plaintext, or why there is none."""

_ATTRIBUTES = "attributes"


def component_nodes(cursor: Cursor, length: int, open_sealed: Open) -> Iterator[Node]:
    """The fields of a command's or response's content, whose octets start at the cursor.

    Raises GbcsDecodeError for content that cannot be followed.
    """
    start = cursor.position
    placed = decode_components(cursor.data[start : start + length], base=start)
    yield cursor.leaf("profile id", 2, "ZigBee GBZ")
    yield cursor.leaf("component count", 1, str(len(placed)))
    if placed:
        writer = _Writer(cursor, open_sealed)
        yield cursor.group(
            COMPONENTS, [writer.component(f"[{place}]", item) for place, item in enumerate(placed)]
        )


def alert_nodes(cursor: Cursor, length: int, extra: tuple[str, Value], open_sealed: Open) -> Iterator[Node]:
    """The fields of an alert's content; `extra`: what its use case calls what it adds, and what that says.

    Raises GbcsDecodeError for content that cannot be followed.
    """
    start = cursor.position
    alert = decode_alert(cursor.data[start : start + length], base=start)
    yield cursor.leaf("profile id", 2, "ZigBee GBZ")
    yield cursor.leaf("component count", 1, str(alert.count))
    yield cursor.leaf("alert_code", 2, alert_text(alert.alert_code))
    yield cursor.leaf("time_stamp", 4, seconds_to_text(alert.time_stamp))
    if not alert.extra:
        return
    try:
        placed = decode_component(alert.extra, base=start + ALERT_HEAD_BYTES)
    except GbcsDecodeError:
        name, value = extra
        yield cursor.leaf(name, len(alert.extra), "" if value is None else _shown(value))
        return
    yield _Writer(cursor, open_sealed).component(extra[0], placed)


class _Writer:
    """Walks decoded components and octets side by side."""

    def __init__(self, cursor: Cursor, open_sealed: Open) -> None:
        self._cursor = cursor
        self._open = open_sealed

    def component(self, name: str, placed: PlacedComponent) -> Node:
        component = placed.component
        opened = self._open(component.frame.payload) if component.encrypted else component.frame.payload
        clear = opened if isinstance(opened, bytes) else None
        subject = subject_of(component.cluster, component.frame, clear)
        parts = self._parts(placed, subject, opened)
        return self._cursor.group(
            name, parts, f"{command_name(subject.command)}, {cluster_name(subject.cluster)}"
        )

    def _parts(self, placed: PlacedComponent, subject: Subject, opened: bytes | str) -> Iterator[Node]:
        component, leaf = placed.component, self._cursor.leaf
        yield leaf("control", 1, _control_text(self._cursor.data[self._cursor.position]))
        yield leaf("cluster id", 2, cluster_name(component.cluster))
        yield leaf("length", 2)
        if component.frame_counter is not None:
            yield leaf("additional header control", 1)
            yield leaf("frame counter", 1, str(component.frame_counter))
        if component.from_date_time is not None:
            yield leaf("from_date_time", 4, seconds_to_text(component.from_date_time))
        yield self._cursor.group(HEADER, self._header(placed, subject))
        payload = component.frame.payload
        if component.encrypted:
            yield leaf("ciphered length", 2, str(len(payload)))
            yield from self._sealed(payload, subject, placed, opened)
        else:
            yield from self._payload(payload, subject, placed)

    def _header(self, placed: PlacedComponent, subject: Subject) -> Iterator[Node]:
        frame, leaf = placed.component.frame, self._cursor.leaf
        words = "cluster command" if frame.cluster_specific else "general command"
        words += ", server to client" if frame.server_to_client else ", client to server"
        if frame.disable_default_response:
            words += ", no default response"
        yield leaf("frame control", 1, words)
        if frame.manufacturer_code is not None:
            yield leaf("manufacturer_code", 2, f"{frame.manufacturer_code:04X}")
        yield leaf("sequence", 1, str(frame.sequence))
        yield leaf("command", 1, command_name(subject.command))

    def _sealed(
        self, payload: bytes, subject: Subject, placed: PlacedComponent, opened: bytes | str
    ) -> Iterator[Node]:
        leaf = self._cursor.leaf
        if not payload.startswith(ENCRYPTED_HEADER) or len(payload) < len(ENCRYPTED_HEADER) + TAG_BYTES:
            yield leaf("sealed", len(payload), "not protected content")
            return
        yield leaf("security header", len(ENCRYPTED_HEADER), "authentication and encryption")
        text = opened if isinstance(opened, str) else "decrypted below"
        yield leaf("ciphertext", len(payload) - len(ENCRYPTED_HEADER) - TAG_BYTES, text)
        yield leaf("tag", TAG_BYTES)
        if isinstance(opened, bytes):
            inner = _Writer(Cursor(opened), self._open)
            children = tuple(inner._payload(opened, subject, placed))
            yield Node("plaintext", 0, opened, children=children, derived=True)

    def _payload(self, payload: bytes, subject: Subject, placed: PlacedComponent) -> Iterator[Node]:
        """The fields of a ZCL payload in clear; its octets in one piece where they cannot be followed."""
        if not payload:
            return
        start = self._cursor.position
        try:
            yield from list(self._fields(payload, subject, placed))
        except (ZclDecodeError, GbcsDecodeError) as error:
            self._cursor.position = start
            yield self._cursor.leaf("payload", len(payload), f"not decodable: {error}")

    def _fields(self, payload: bytes, subject: Subject, placed: PlacedComponent) -> Iterable[Node]:
        command = subject.command
        if isinstance(command, UnknownCommand):
            return [self._cursor.leaf("payload", len(payload), "of a command that is not declared")]
        if command is General.READ_ATTRIBUTES:
            return self._asked(payload, subject)
        if command is General.READ_ATTRIBUTES_RESPONSE:
            return self._answered(payload, subject)
        if isinstance(command, General):
            return self._default_response(payload, subject, placed)
        spans = list(field_spans(command.fields, payload, 0, len(payload)))
        nodes = [self._span(span) for span in spans]
        stop = spans[-1].stop if spans else 0
        if stop < len(payload):
            nodes.append(self._cursor.leaf("trailing", len(payload) - stop, "behind the last field"))
        return nodes

    def _span(self, span: Span) -> Node:
        if span.parts:
            return self._cursor.group(span.name, [self._span(part) for part in span.parts])
        return self._cursor.leaf(span.name, span.stop - span.start, _shown(span.value))

    def _asked(self, payload: bytes, subject: Subject) -> Iterable[Node]:
        names = [
            attribute_name(subject.cluster, payload[place] | payload[place + 1] << 8)
            for place in range(0, len(payload) - 1, 2)
        ]
        nodes = [self._cursor.group(_ATTRIBUTES, [self._cursor.leaf(name, 2) for name in names])]
        if len(payload) % 2:
            nodes.append(self._cursor.leaf("trailing", 1))
        return nodes

    def _answered(self, payload: bytes, subject: Subject) -> Iterable[Node]:
        results = ReadAttributesResponse.decode(payload).results
        groups: list[Node] = []
        place = 0
        for number, result in enumerate(results):
            name = attribute_name(subject.cluster, result.attribute)
            parts = [self._cursor.leaf("attribute id", 2, f"{result.attribute:04X}")]
            parts.append(self._cursor.leaf("status", 1, str(status_name(result.status))))
            size = len(ReadAttributesResponse(results[: number + 1]).encode()) - place
            place += size
            text = str(status_name(result.status))
            if not result.status:
                kind = TYPES.get(result.type)
                text = "" if kind is None else _shown(kind.to_json(result.value))
                parts.append(self._cursor.leaf("type", 1, "unknown type" if kind is None else kind.name))
                parts.append(self._cursor.leaf("value", size - 4, text))
            groups.append(self._cursor.group(name, parts, text))
        return [self._cursor.group(_ATTRIBUTES, groups)] if groups else []

    def _default_response(self, payload: bytes, subject: Subject, placed: PlacedComponent) -> Iterable[Node]:
        answered = answered_name(subject, None, placed.component.frame.server_to_client)
        nodes = [self._cursor.leaf("of", 1, answered)]
        if len(payload) > 1:
            nodes.append(self._cursor.leaf("status", 1, str(status_name(payload[1]))))
        if len(payload) > 2:
            nodes.append(self._cursor.leaf("trailing", len(payload) - 2))
        return nodes


def _control_text(control: int) -> str:
    names = ((0x01, "last"), (0x02, "encrypted"), (0x10, "with from-date-time"))
    return ", ".join(name for bit, name in names if control & bit) or "more follow"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(inner) for inner in value) or "none"
    return str(value)
