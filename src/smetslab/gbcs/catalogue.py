"""The declarations as rows to list, search and print: use cases, COSEM objects, ZCL clusters, alert codes.

Everything is read from the declarations that the codecs run on, so nothing here can say something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.gbcs.asn1.codec import types
from smetslab.gbcs.asn1.constructed import Choice as Asn1Choice
from smetslab.gbcs.asn1.constructed import Sequence, SequenceOf
from smetslab.gbcs.asn1.der import Asn1Type
from smetslab.gbcs.dlms.apdu import Choice, Obis
from smetslab.gbcs.dlms.shapes import Shape, Struct
from smetslab.gbcs.dlms.wording import shape_words
from smetslab.gbcs.gbz.naming import attribute_name, cluster_name
from smetslab.gbcs.identities import DEVICE_WORDS, ROLE_WORDS
from smetslab.gbcs.usecases import USE_CASES, UseCase
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.gbzalert import GbzAlert
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.ids import format_message_code
from smetslab.zigbee.zcl import CLUSTERS

PayloadKind = Literal["DLMS", "GBZ", "ASN.1", "none"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class ItemRow(_Model):
    """One part of a use case's content. `kind` is null where a direction has nothing to say."""

    name: str
    access: str = Field(description="what it does to which object, attribute or cluster")
    command: str | None = Field(description="what a command says")
    response: str | None = Field(description="what a response or alert says")
    confidence: str


class UseCaseRow(_Model):
    """One use case."""

    name: str
    message_code: str
    title: str
    payload: PayloadKind
    alert: bool
    devices: list[str]
    critical: bool
    originator_roles: list[str]
    service_requests: list[str]
    replay_protected: bool
    counter_family: str
    future_dateable: bool
    date_time_in_response: bool
    encrypts_response: bool
    protection: str
    alerts: list[str] = Field(description="Message Codes of the alerts that its execution causes later")
    confidence: str
    unverified: list[str] = Field(description="fields of this row that no vector and no text confirms")
    items: list[ItemRow]


class Catalogue(_Model):
    """What `smetslab gbcs usecases --json` prints."""

    schema_version: Literal[1] = 1
    use_cases: list[UseCaseRow]


def catalogue_schema() -> dict[str, JsonValue]:
    """The JSON schema of `Catalogue`."""
    return Catalogue.model_json_schema(mode="serialization")


def rows() -> tuple[UseCaseRow, ...]:
    """Every declared use case."""
    return tuple([row_of(use_case) for use_case in USE_CASES.values()])


def search(query: str) -> tuple[UseCaseRow, ...]:
    """The use cases that have every word of `query` in name, code, title, SRV, device, role or parameters.

    An exact name or Message Code finds that use case alone.
    """
    exact = [
        use_case
        for use_case in USE_CASES.values()
        if query.lower() in {use_case.name.lower(), format_message_code(use_case.code).lower()}
    ]
    if exact:
        return tuple([row_of(use_case) for use_case in exact])
    words = query.lower().split()
    return tuple([row for row in rows() if all(word in _text(row) for word in words)])


def _text(row: UseCaseRow) -> str:
    parts = [
        row.name,
        row.message_code,
        row.title,
        row.payload,
        "critical" if row.critical else "non-critical",
        *row.devices,
        *row.originator_roles,
        *row.service_requests,
        *[f"{item.name} {item.access}" for item in row.items],
    ]
    return "\n".join(parts).lower()


def row_of(use_case: UseCase) -> UseCaseRow:
    """The row of one use case."""
    return UseCaseRow(
        name=use_case.name,
        message_code=format_message_code(use_case.code),
        title=use_case.title,
        payload=payload_kind(use_case),
        alert=use_case.is_alert,
        devices=[DEVICE_WORDS[device] for device in use_case.devices],
        critical=use_case.critical,
        originator_roles=[ROLE_WORDS[role] for role in use_case.originator_roles],
        service_requests=list(use_case.service_requests),
        replay_protected=use_case.replay_protected,
        counter_family=use_case.counter_family.value,
        future_dateable=use_case.future_dateable,
        date_time_in_response=use_case.date_time_in_response,
        encrypts_response=use_case.encrypts_response,
        protection=use_case.protection.value,
        alerts=[format_message_code(code) for code in use_case.alerts],
        confidence=use_case.confidence,
        unverified=list(use_case.unverified),
        items=list(_items(use_case)),
    )


def payload_kind(use_case: UseCase) -> PayloadKind:
    """What the content of a use case is."""
    match use_case.payload:
        case DlmsAccess() | DlmsAlert():
            return "DLMS"
        case GbzAccess() | GbzAlert():
            return "GBZ"
        case Asn1Payload():
            return "ASN.1"
    return "none"


def _items(use_case: UseCase) -> Iterator[ItemRow]:
    match use_case.payload:
        case DlmsAccess() as payload:
            for item in payload.items:
                yield from _access_rows(item)
        case SealedAlert() as payload:
            yield from _members(payload.body)
            for one in payload.sealed.objects:
                access = f"encrypted: class {one.class_id} {one.obis} attribute {one.attribute}"
                yield _row(one.name, access, response=shape_words(one.shape))
        case DlmsAlert() as payload:
            yield from _members(payload.body)
        case GbzAccess() as payload:
            for exchange in payload.exchanges:
                yield _exchange_row(exchange)
        case GbzAlert() as payload:
            yield _row("alert_code", "alert", response="two octets")
            yield _row("time_stamp", "alert", response="seconds since 2000")
            if payload.extra is not None:
                yield _row(payload.extra.name, "encrypted" if payload.extra.encrypted else "alert")
        case Asn1Payload() as payload:
            yield from _asn1_rows(payload)


def _asn1_rows(payload: Asn1Payload) -> Iterator[ItemRow]:
    for name, access in (
        (payload.command, "command"),
        (payload.response, "response"),
        (payload.alert, "alert"),
    ):
        if name is not None:
            says = _asn1_words(types()[name])
            is_command = access == "command"
            yield _row(
                name, access, command=says if is_command else None, response=None if is_command else says
            )


def _asn1_words(kind: Asn1Type) -> str:
    match kind:
        case Sequence():
            members = [one.name + (" (optional)" if one.can_be_absent else "") for one in kind.members]
            return "SEQUENCE {" + ", ".join(members) + "}"
        case SequenceOf():
            return f"SEQUENCE OF {_asn1_words(kind.element)}"
        case Asn1Choice():
            return " or ".join(kind.alternatives)
    return kind.label


def _row(
    name: str,
    access: str,
    *,
    command: str | None = None,
    response: str | None = None,
    confidence: str = "vectors",
) -> ItemRow:
    return ItemRow(name=name, access=access, command=command, response=response, confidence=confidence)


def _access_rows(item: AccessItem) -> Iterator[ItemRow]:
    notes = [
        word for word, wanted in (("optional", item.optional), ("activation", item.activation)) if wanted
    ]
    access = str(item) + (f" ({', '.join(notes)})" if notes else "")
    yield _row(
        item.name,
        access,
        command=None if item.command is None else shape_words(item.command),
        response=None if item.response is None else shape_words(item.response),
        confidence=item.confidence,
    )
    if item.selection is not None:
        yield _row(
            item.selection_name, "period of the entries that are read", command=shape_words(item.selection)
        )
    for one in () if item.protected is None else item.protected.objects:
        window = ", entries of a period" if one.window else ""
        yield _row(
            f"{item.name}.{one.name}",
            f"encrypted: class {one.class_id} {one.obis} attribute {one.attribute}{window}",
            response=shape_words(one.shape),
        )


def _members(body: Struct) -> Iterator[ItemRow]:
    for name, shape in body.members:
        yield _row(name, "alert", response=shape_words(shape))


def _exchange_row(exchange: Exchange) -> ItemRow:
    cluster = cluster_name(exchange.cluster)
    times = "" if (exchange.least, exchange.most) == (1, 1) else _times(exchange)
    if exchange.command is None:
        names = [attribute_name(exchange.cluster, attribute.id) for attribute in exchange.attributes]
        return _row(
            "read_attributes",
            f"cluster {cluster}{times}",
            command=", ".join(names),
            response="encrypted" if exchange.encrypted else "values by name",
        )
    answer = "default_response" if exchange.answer is None else exchange.answer.name
    return _row(
        exchange.command.name,
        f"cluster {cluster}{times}",
        command=", ".join(exchange.command.fields.names) or None,
        response=answer + (", encrypted" if exchange.encrypted else ""),
    )


def _times(exchange: Exchange) -> str:
    if exchange.most is None:
        return f", {exchange.least} times or more" if exchange.least else ", any number of times"
    if exchange.least == exchange.most:
        return f", {exchange.most} times"
    return f", {exchange.least} to {exchange.most} times"


# -- COSEM objects -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class CosemRow:
    """One attribute or method of one object, as use cases touch it."""

    class_id: int
    obis: Obis
    index: int
    is_method: bool
    names: dict[str, None] = field(default_factory=dict)
    operations: dict[str, None] = field(default_factory=dict)
    types: dict[str, None] = field(default_factory=dict)
    use_cases: dict[str, None] = field(default_factory=dict)
    unverified: bool = False

    def note(self, name: str, operation: str, shape: Shape | None, use_case: str) -> None:
        self.names.setdefault(name)
        self.operations.setdefault(operation)
        self.use_cases.setdefault(use_case)
        if shape is not None:
            self.types.setdefault(shape_words(shape))


def cosem_rows(use_cases: Iterable[UseCase] | None = None) -> tuple[CosemRow, ...]:
    """Every COSEM attribute and method that use cases read, write or call, by class and logical name."""
    found: dict[tuple[int, bytes, int, bool], CosemRow] = {}

    def row(class_id: int, obis: Obis, index: int, is_method: bool) -> CosemRow:
        key = (class_id, obis.raw, index, is_method)
        return found.setdefault(key, CosemRow(class_id, obis, index, is_method))

    for use_case in USE_CASES.values() if use_cases is None else use_cases:
        payload = use_case.payload
        objects = payload.sealed.objects if isinstance(payload, SealedAlert) else ()
        for item in payload.items if isinstance(payload, DlmsAccess) else ():
            method = item.choice is Choice.ACTION
            one = row(item.class_id, item.obis, item.index, method)
            operation = {Choice.GET_WITH_SELECTION: "get a period"}.get(item.choice, item.choice.name.lower())
            one.note(item.name, operation, item.response or item.command, use_case.name)
            one.unverified = one.unverified or item.confidence == "unverified"
            objects = objects if item.protected is None else (*objects, *item.protected.objects)
        for protected in objects:
            one = row(protected.class_id, protected.obis, protected.attribute, False)
            one.note(protected.name, "get encrypted", protected.shape, use_case.name)
    return tuple(found[key] for key in sorted(found))


# -- ZCL -----------------------------------------------------------------------------------------------------


def zcl_use() -> dict[tuple[int, str], dict[str, None]]:
    """The use cases that carry a cluster's attribute or command, by cluster and name of the member."""
    found: dict[tuple[int, str], dict[str, None]] = {}
    for use_case in USE_CASES.values():
        payload = use_case.payload
        for exchange in payload.exchanges if isinstance(payload, GbzAccess) else ():
            members = [attribute.name for attribute in exchange.attributes]
            members += [one.name for one in (exchange.command, exchange.answer) if one is not None]
            for name in members:
                found.setdefault((exchange.cluster, name), {}).setdefault(use_case.name)
    return found


def cluster_ids() -> tuple[int, ...]:
    """Every declared cluster by number."""
    return tuple(sorted(CLUSTERS))
