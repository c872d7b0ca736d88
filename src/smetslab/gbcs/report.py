"""One message as JSON: what `smetslab gbcs decode --json` prints. `decode_schema` is its published schema."""

from __future__ import annotations

from pydantic import Field, JsonValue

from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.describe import SecretFor, describe
from smetslab.gbcs.keys import CheckOutcome
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.named import DocumentModel, MessageDocument, message_to_document
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.tree import Node
from smetslab.gbcs.usecases import USE_CASES
from smetslab.gbcs.values import to_hex


class ErrorView(DocumentModel):
    """Why the octets are not what they should be."""

    what: str
    offset: int | None
    path: str
    expected: str
    found: str
    spec: str


class NodeView(DocumentModel):
    """One field of the tree. Fields without children have their octets in `hex`."""

    name: str
    offset: int
    length: int
    text: str
    hex: str | None
    derived: bool = Field(description="made by decryption; offsets count from its own start")
    children: list[NodeView]


class ChecksView(DocumentModel):
    """What the given keys say of MAC and signature."""

    mac: CheckOutcome
    signature: CheckOutcome


class DecodedMessage(MessageDocument):
    """The document of one message, and what was found out about it: `gbcs encode` reads the document alone.

    Of octets that are no message only `length`, `error` and `tree` say something.
    """

    length: int
    title: str | None
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
    document = (
        MessageDocument(signature=None, mac=None) if message is None else _document(message, secret_for)
    )
    use_case = USE_CASES.get(document.use_case or "")
    return DecodedMessage(
        **{name: getattr(document, name) for name in MessageDocument.model_fields},
        length=len(data),
        title=None if use_case is None else use_case.title,
        checks=checks,
        error=None if root.error is None else _error(root.error),
        tree=_node(root),
    )


def _message(data: bytes) -> Message | None:
    try:
        return decode_message(data)
    except GbcsDecodeError:
        return None


def _document(message: Message, secret_for: SecretFor | None) -> MessageDocument:
    context = EncryptionContext.of(message)
    return message_to_document(message, secret_for and secret_for(context.device, context.recipient))


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


__all__ = ["ChecksView", "DecodedMessage", "decode_schema", "report"]
