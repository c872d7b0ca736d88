"""ASN.1 types with members: SEQUENCE, SEQUENCE OF, CHOICE.

Spec: X.690 8.9, 8.10, 8.13, 11.5 (DER); GBCS Annex 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.asn1.der import SEQUENCE, Asn1Type, Cursor, Lengths, excerpt, fault, inside, refuse
from smetslab.gbcs.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a SEQUENCE. `default` is its value when it is absent; None means it has none."""

    name: str
    type: Asn1Type
    optional: bool = False
    default: Value = None

    @property
    def can_be_absent(self) -> bool:
        return self.optional or self.default is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """SEQUENCE: its members by name. An OPTIONAL member that is absent has no name either."""

    members: tuple[Member, ...]
    tag: int = SEQUENCE
    label: str = "SEQUENCE"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        position, stop = cursor.open(position, end, self.tag, self.label)
        data = cursor.data
        values: dict[str, Value] = {}
        for member in self.members:
            if member.can_be_absent and (position == stop or data[position] not in member.type.tags):
                if member.default is not None:
                    values[member.name] = member.default
                continue
            try:
                value, after = member.type.decode(cursor, position, stop)
            except GbcsDecodeError as error:
                raise inside(error, member.name) from error.__cause__
            if member.default is not None and value == member.default:
                raise fault(
                    position,
                    "default value written out",
                    path=member.name,
                    expected="nothing",
                    found=excerpt(data[position:after]),
                    spec="X.690 11.5",
                )
            values[member.name] = value
            position = after
        if position != stop:
            raise fault(
                position,
                "more than the use case has, or in another order",
                expected=f"the end of the {self.label}",
                found=f"tag {data[position]:02X}",
            )
        return values, stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        if not isinstance(value, dict):
            raise refuse(value, "named members")
        known = [member.name for member in self.members]
        for name in value:
            if name not in known:
                raise GbcsEncodeError("no such parameter", path=name, expected=", ".join(known))
        parts: list[bytes] = []
        for member in self.members:
            if member.name not in value:
                if member.can_be_absent:
                    continue
                raise GbcsEncodeError("missing", path=member.name)
            try:
                octets = member.type.encode(value[member.name], lengths)
                if member.default is None or octets != member.type.encode(member.default, lengths):
                    parts.append(octets)
            except GbcsEncodeError as error:
                raise inside(error, member.name) from error.__cause__
        body = b"".join(parts)
        return bytes((self.tag,)) + lengths(len(body)) + body


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceOf:
    """SEQUENCE OF: a list."""

    element: Asn1Type
    tag: int = SEQUENCE
    label: str = "SEQUENCE OF"

    @property
    def tags(self) -> tuple[int, ...]:
        return (self.tag,)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        position, stop = cursor.open(position, end, self.tag, self.label)
        items: list[Value] = []
        while position < stop:
            try:
                item, position = self.element.decode(cursor, position, stop)
            except GbcsDecodeError as error:
                raise inside(error, f"[{len(items)}]") from error.__cause__
            items.append(item)
        return items, stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        if not isinstance(value, list):
            raise refuse(value, "a list")
        parts: list[bytes] = []
        for place, item in enumerate(value):
            try:
                parts.append(self.element.encode(item, lengths))
            except GbcsEncodeError as error:
                raise inside(error, f"[{place}]") from error.__cause__
        body = b"".join(parts)
        return bytes((self.tag,)) + lengths(len(body)) + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """CHOICE: one name, that of the alternative, with its value."""

    alternatives: Mapping[str, Asn1Type]
    by_tag: Mapping[int, tuple[str, Asn1Type]]
    label: str = "CHOICE"

    @property
    def tags(self) -> tuple[int, ...]:
        return tuple(self.by_tag)

    def decode(self, cursor: Cursor, position: int, end: int) -> tuple[Value, int]:
        found = cursor.data[position] if position < end else None
        if found is None or found not in self.by_tag:
            raise fault(
                position,
                "not the type of the use case",
                expected=" or ".join(f"{name} (tag {tag:02X})" for tag, (name, _) in self.by_tag.items()),
                found="the end" if found is None else f"tag {found:02X}",
            )
        name, alternative = self.by_tag[found]
        try:
            value, stop = alternative.decode(cursor, position, end)
        except GbcsDecodeError as error:
            raise inside(error, name) from error.__cause__
        return {name: value}, stop

    def encode(self, value: Value, lengths: Lengths) -> bytes:
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= self.alternatives.keys():
            raise refuse(value, "one of " + ", ".join(self.alternatives))
        ((name, chosen),) = value.items()
        try:
            return self.alternatives[name].encode(chosen, lengths)
        except GbcsEncodeError as error:
            raise inside(error, name) from error.__cause__
