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
from smetslab.gbcs.dlms.protection import ProtectedObject
from smetslab.gbcs.dlms.shapes import Shape, Struct
from smetslab.gbcs.dlms.wording import shape_elements, shape_words
from smetslab.gbcs.elements import Elements, below
from smetslab.gbcs.gbz.components import FROM_DATE_TIME
from smetslab.gbcs.gbz.naming import attribute_name, cluster_name
from smetslab.gbcs.identities import DEVICE_WORDS, ROLE_WORDS
from smetslab.gbcs.usecases import USE_CASES, UseCase
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess
from smetslab.gbcs.usecases.gbzalert import GbzAlert
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.gbcs.usecases.versions import newer_form
from smetslab.gbcs.versions import GbcsVersion
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
    elements: dict[str, list[str]] = Field(
        description="elements and @attributes of DUIS and MMC by the path of the parameter with their value; "
        "a path has no places in lists"
    )
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
    first_version: str | None = Field(description="first GBCS version that has it; null where not known")
    last_version: str | None = Field(
        description="last GBCS version that has it; null where not known, or none"
    )
    later_than: str | None = Field(description="a GBCS version that has it not yet; null where not known")
    version_source: str = Field(description="who says so")
    replaces: str | None = Field(description="its older form, which devices of older versions have")
    replaced_by: str | None = Field(description="its newer form")
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
        *[element for item in row.items for names in item.elements.values() for element in names],
    ]
    return "\n".join(parts).lower()


def row_of(use_case: UseCase) -> UseCaseRow:
    """The row of one use case."""
    following = newer_form(use_case)
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
        first_version=_version(use_case.first_version),
        last_version=_version(use_case.last_version),
        later_than=_version(use_case.later_than),
        version_source=use_case.version_source,
        replaces=use_case.replaces,
        replaced_by=None if following is None else following.name,
        confidence=use_case.confidence,
        unverified=list(use_case.unverified),
        items=list(_items(use_case)),
    )


def _version(version: GbcsVersion | None) -> str | None:
    return None if version is None else str(version)


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
                yield _row(
                    one.name,
                    access,
                    response=shape_words(one.shape),
                    elements=_protected_elements(one, one.name),
                )
        case DlmsAlert() as payload:
            yield from _members(payload.body)
        case GbzAccess() as payload:
            for exchange in payload.exchanges:
                yield _exchange_row(exchange, payload.elements)
        case GbzAlert() as payload:
            for name, says in (("alert_code", "two octets"), ("time_stamp", "seconds since 2000")):
                yield _row(name, "alert", response=says, elements={name: payload.elements[name]})
            if payload.extra is not None:
                access = "encrypted" if payload.extra.encrypted else "alert"
                yield _row(payload.extra.name, access, elements=payload.extra.elements)
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
            members = member_paths(types()[name])
            yield _row(
                name,
                access,
                command=says if is_command else None,
                response=None if is_command else says,
                elements={path: names for path, names in payload.elements.items() if path in members},
            )


def member_paths(kind: Asn1Type, before: str = "") -> dict[str, None]:
    """The paths of all members of an ASN.1 type, in order."""
    found: dict[str, None] = {}
    match kind:
        case Sequence():
            inside = [(one.name, one.type) for one in kind.members]
        case Asn1Choice():
            inside = list(kind.alternatives.items())
        case SequenceOf():
            return member_paths(kind.element, before)
        case _:
            return found
    for name, inner in inside:
        path = f"{before}.{name}" if before else name
        found[path] = None
        found.update(member_paths(inner, path))
    return found


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
    elements: Elements | None = None,
    confidence: str = "vectors",
) -> ItemRow:
    return ItemRow(
        name=name,
        access=access,
        command=command,
        response=response,
        elements={path: list(names) for path, names in (elements or {}).items()},
        confidence=confidence,
    )


def _own(name: str, elements: tuple[str, ...]) -> Elements:
    return {name: elements} if elements else {}


def _protected_elements(one: ProtectedObject, path: str) -> Elements:
    return _own(path, one.elements) | shape_elements(one.shape, path)


def _access_rows(item: AccessItem) -> Iterator[ItemRow]:
    notes = [
        word for word, wanted in (("optional", item.optional), ("activation", item.activation)) if wanted
    ]
    notes += [] if item.later_than is None else [f"later than GBCS {item.later_than}"]
    access = str(item) + (f" ({', '.join(notes)})" if notes else "")
    yield _row(
        item.name,
        access,
        command=None if item.command is None else shape_words(item.command),
        response=None if item.response is None else shape_words(item.response),
        elements=_item_elements(item),
        confidence=item.confidence,
    )
    if item.selection is not None:
        yield _row(
            item.selection_name,
            "period of the entries that are read",
            command=shape_words(item.selection),
            elements={item.selection_name: ("ReadLogPeriod",)}
            | shape_elements(item.selection, item.selection_name),
        )
    for one in () if item.protected is None else item.protected.objects:
        window = ", entries of a period" if one.window else ""
        path = f"{item.name}.{one.name}"
        yield _row(
            path,
            f"encrypted: class {one.class_id} {one.obis} attribute {one.attribute}{window}",
            response=shape_words(one.shape),
            elements=_protected_elements(one, path),
        )


def _item_elements(item: AccessItem) -> Elements:
    found = _own(item.name, item.elements)
    for shape in (item.command, item.response):
        found |= {} if shape is None else shape_elements(shape, item.name)
    if item.protected is not None and item.protected.windowed:
        found |= below(item.name, {"start_date_time": ("StartDateTime",), "end_date_time": ("EndDateTime",)})
    return found


def _members(body: Struct) -> Iterator[ItemRow]:
    for name, shape in body.members:
        elements = _own(name, body.elements.get(name, ())) | shape_elements(shape, name)
        yield _row(name, "alert", response=shape_words(shape), elements=elements)


def exchange_paths(exchange: Exchange) -> dict[str, None]:
    """What the elements of a payload may name of an exchange: attributes, and fields below their commands."""
    found = {attribute.name: None for attribute in exchange.attributes}
    for command in (exchange.command, exchange.answer):
        if command is not None:
            found.update({f"{command.name}.{path}": None for path in command.fields.paths()})
    if exchange.from_date_time is not None:
        found[FROM_DATE_TIME] = None
    return found


def _exchange_row(exchange: Exchange, elements: Elements) -> ItemRow:
    paths = exchange_paths(exchange)
    own = {path: names for path, names in elements.items() if path in paths}
    cluster = cluster_name(exchange.cluster)
    times = "" if (exchange.least, exchange.most) == (1, 1) else _times(exchange)
    if exchange.command is None:
        names = [attribute_name(exchange.cluster, attribute.id) for attribute in exchange.attributes]
        return _row(
            "read_attributes",
            f"cluster {cluster}{times}",
            command=", ".join(names),
            response="encrypted" if exchange.encrypted else "values by name",
            elements=own,
        )
    answer = "default_response" if exchange.answer is None else exchange.answer.name
    return _row(
        exchange.command.name,
        f"cluster {cluster}{times}",
        command=", ".join(exchange.command.fields.names) or None,
        response=answer + (", encrypted" if exchange.encrypted else ""),
        elements=own,
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
