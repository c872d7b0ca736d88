"""One message as JSON: what `smetslab gbcs decode --json` prints. `decode_schema` is its published schema."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs.describe import ContentKind, Kind, SecretFor, content_kind, describe, kind_of_message
from smetslab.gbcs.dlms.apdu import is_dlms
from smetslab.gbcs.message import Message, OtherInformation, decode_message
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.tree import Node
from smetslab.gbcs.usecases import by_code, decode_content, find
from smetslab.gbcs.values import Value, date_time_to_text, to_hex
from smetslab.ids import format_message_code

Check = Literal["verified", "failed", "absent", "uncheckable"]
"""Outcome of checking a MAC or a signature; `uncheckable`: no key for it is at hand."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class OtherInformationView(_Model):
    """The other-information field."""

    message_code: str
    supplementary_remote_party_id: str | None
    supplementary_remote_party_counter: int | None
    supplementary_originator_counter: int | None
    key_agreement_certificate: str | None = Field(description="X.509 in DER, as hex")


class HeaderView(_Model):
    """The grouping header."""

    cra: Literal["command", "response", "alert"]
    originator_counter: int
    business_originator_id: str
    business_target_id: str
    date_time: str | None
    other_information: OtherInformationView


class ContentView(_Model):
    """The content. `opaque`: its octets are shown, but not decoded."""

    kind: ContentKind
    opaque: bool
    hex: str


class ErrorView(_Model):
    """Why the octets are not what they should be."""

    what: str
    offset: int | None
    path: str
    expected: str
    found: str
    spec: str


class NodeView(_Model):
    """One field of the tree. Fields without children have their octets in `hex`."""

    name: str
    offset: int
    length: int
    text: str
    hex: str | None
    derived: bool = Field(description="made by decryption; offsets count from its own start")
    children: list[NodeView]


class ChecksView(_Model):
    """What the given keys say of MAC and signature."""

    mac: Check
    signature: Check


class DecodedMessage(_Model):
    """One message. Of octets that are no message only `error` and `tree` say something."""

    schema_version: Literal[1] = 1
    length: int
    message_code: str | None
    use_case: str | None
    title: str | None
    kind: Kind | None
    header: HeaderView | None
    content: ContentView | None
    parameters: dict[str, JsonValue] | None = Field(
        description="by name, where the use case is declared and the content is of its shape"
    )
    signature: str | None
    mac: str | None
    checks: ChecksView | None = Field(description="null unless keys were given")
    error: ErrorView | None
    tree: NodeView


def decode_schema() -> dict[str, JsonValue]:
    """The JSON schema of `DecodedMessage`."""
    return DecodedMessage.model_json_schema(mode="serialization")


def report(
    data: bytes, *, secret_for: SecretFor | None = None, checks: ChecksView | None = None
) -> DecodedMessage:
    """Everything about one message as plain values. Never fails: `error` says what is wrong."""
    root = describe(data, secret_for=secret_for)
    message = _message(data)
    use_case = None if message is None else by_code(message.message_code)
    return DecodedMessage(
        length=len(data),
        message_code=None if message is None else format_message_code(message.message_code),
        use_case=None if use_case is None else use_case.name,
        title=None if use_case is None else use_case.title,
        kind=None if message is None else kind_of_message(message),
        header=None if message is None else _header(message),
        content=None if message is None else _content(message),
        parameters=None if message is None or root.error is not None else _parameters(message, secret_for),
        signature=None if message is None or not message.signature else to_hex(message.signature),
        mac=None if message is None or message.message_mac is None else to_hex(message.message_mac),
        checks=checks,
        error=None if root.error is None else _error(root.error),
        tree=_node(root),
    )


def _message(data: bytes) -> Message | None:
    try:
        return decode_message(data)
    except GbcsDecodeError:
        return None


def _header(message: Message) -> HeaderView:
    return HeaderView(
        cra=("command", "response", "alert")[message.cra - 1],
        originator_counter=message.originator_counter,
        business_originator_id=str(message.business_originator_id),
        business_target_id=str(message.business_target_id),
        date_time=None if message.date_time is None else date_time_to_text(message.date_time),
        other_information=_other_information(message.other_information),
    )


def _other_information(extra: OtherInformation) -> OtherInformationView:
    party, certificate = extra.supplementary_remote_party_id, extra.key_agreement_certificate
    return OtherInformationView(
        message_code=format_message_code(extra.message_code),
        supplementary_remote_party_id=None if party is None else str(party),
        supplementary_remote_party_counter=extra.supplementary_remote_party_counter,
        supplementary_originator_counter=extra.supplementary_originator_counter,
        key_agreement_certificate=None if certificate is None else to_hex(certificate),
    )


def _content(message: Message) -> ContentView:
    opaque = not is_dlms(message.content) and find(message) is None
    return ContentView(kind=content_kind(message.content), opaque=opaque, hex=to_hex(message.content))


def _parameters(message: Message, secret_for: SecretFor | None) -> dict[str, JsonValue] | None:
    use_case = find(message)
    if use_case is None:
        return None
    context = EncryptionContext.of(message)
    secret = secret_for and secret_for(context.device, context.recipient)
    try:
        parameters = decode_content(use_case, message, secret)
    except SecurityError:  # another key: the content stays sealed
        parameters = decode_content(use_case, message)
    return {name: _json(value) for name, value in parameters.items()}


def _json(value: Value) -> JsonValue:
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    return value


def _error(error: GbcsDecodeError) -> ErrorView:
    return ErrorView(
        what=error.what,
        offset=error.offset,
        path=error.path,
        expected=error.expected,
        found=error.found,
        spec=error.spec,
    )


def _node(node: Node) -> NodeView:
    return NodeView(
        name=node.name,
        offset=node.offset,
        length=node.length,
        text=node.text,
        hex=None if any(not child.derived for child in node.children) else to_hex(node.raw),
        derived=node.derived,
        children=[_node(child) for child in node.children],
    )


__all__ = ["Check", "ChecksView", "DecodedMessage", "decode_schema", "report"]
