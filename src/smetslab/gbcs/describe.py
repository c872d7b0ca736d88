"""One GBCS message as a tree that a person can read: every field with its name, its octets and what it says.

`describe` never fails: of octets that are no message, or a message with content that is not what it should
be, it shows what could be understood, and `Node.error` of the root says where and why understanding ended.

Content is shown down to each DLMS data item, ZCL field or ASN.1 element, with the names of the use case's
declaration, of the cluster or of the schema.

Spec: GBCS 7.2.7, 7.2.8, 7.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from smetslab.crypto import SIGNATURE_BYTES, TAG_BYTES
from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs.asn1.tree import element_nodes, tag_nodes
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    Apdu,
    Specification,
    decode_apdu,
    is_dlms,
    read_apdu,
)
from smetslab.gbcs.dlms.tree import ItemNaming, SealedBody, apdu_kind, apdu_nodes, item_naming
from smetslab.gbcs.gbz.tree import alert_nodes, component_nodes
from smetslab.gbcs.message import (
    DATE_TIME_BYTES,
    MAX_MESSAGE_BYTES,
    SECURITY_HEADER,
    Message,
    OtherInformation,
    decode_message,
    read_message,
)
from smetslab.gbcs.security import EncryptionContext
from smetslab.gbcs.tree import Cursor, Node, TracingReader, understood
from smetslab.gbcs.usecases import UseCase, by_code, decode_content, find
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess, DlmsAlert
from smetslab.gbcs.usecases.gbzalert import GbzAlert
from smetslab.gbcs.usecases.sealed import SealedAlert
from smetslab.gbcs.values import HEX_PREFIX, Parameters, date_time_to_text
from smetslab.ids import Eui64, format_message_code
from smetslab.wire import ber_length

SecretFor = Callable[[Eui64, Eui64], bytes | None]
"""The shared secret of a device and a remote party, or None when no key is at hand."""

Kind = Literal["command", "pre-command", "response", "alert"]
ContentKind = Literal["DLMS", "GBZ", "ASN.1"]

_GBZ_PROFILE = b"\x01\x09"
_NO_STATUS = b"\xff"
"""Clock status: not specified."""
_KINDS: dict[Cra, Kind] = {Cra.COMMAND: "command", Cra.RESPONSE: "response", Cra.ALERT: "alert"}


def describe(data: bytes, *, secret_for: SecretFor | None = None) -> Node:
    """The tree of one message. `secret_for` finds the shared secrets that open protected content.

    The root's `text` is one line about the whole message; its `error` is None when all of it is as declared.
    """
    try:
        message = decode_message(data)
    except GbcsDecodeError as error:
        return _undecodable(data, error)
    return _Envelope(data, message, secret_for).node()


def kind_of_message(message: Message) -> Kind:
    """What `message` is; a pre-command is a command that nobody has protected yet."""
    return "pre-command" if message.is_pre_command else _KINDS[message.cra]


def content_kind(content: bytes) -> ContentKind:
    """`DLMS`, `GBZ` or `ASN.1`, as the first octets tell."""
    if is_dlms(content):
        return "DLMS"
    return "GBZ" if content.startswith(_GBZ_PROFILE) else "ASN.1"


def title_of(message: Message) -> str:
    """A short name for a message: `ECS17b response`, or its Message Code where no use case is declared."""
    use_case = by_code(message.message_code)
    name = format_message_code(message.message_code) if use_case is None else use_case.name
    return f"{name} {kind_of_message(message)}"


def _undecodable(data: bytes, error: GbcsDecodeError) -> Node:
    """What can be read of octets that are no message."""
    parts: tuple[Node, ...] = ()
    if data and len(data) <= MAX_MESSAGE_BYTES:
        reader = TracingReader(data)
        try:
            read_message(reader)
        except GbcsDecodeError as again:
            parts = understood(
                data, 0, len(data), reader.reads, len(data) if again.offset is None else again.offset
            )
    return Node("message", 0, data, f"not decodable: {error}", parts, error=error)


class _Envelope:
    """Builds the tree of one decoded message."""

    def __init__(self, data: bytes, message: Message, secret_for: SecretFor | None) -> None:
        self._data = data
        self._message = message
        self._protection = EncryptionContext.of(message)
        self._secret = secret_for and secret_for(self._protection.device, self._protection.recipient)
        self._cursor = Cursor(data)
        self._use_case = find(message)
        self._error: GbcsDecodeError | None = None
        self._parameters: Parameters = {}

    def node(self) -> Node:
        message = self._message
        parts = tuple(self._parts())
        text = (
            f"{message.business_originator_id} to {message.business_target_id}, "
            f"counter {message.originator_counter}"
        )
        use_case = by_code(message.message_code)
        if use_case is not None:
            text = f"{use_case.title}, {text}"
        if self._error is not None:
            text = f"{text}; content not decodable: {self._error}"
        return Node(title_of(message), 0, self._data, text, parts, error=self._error)

    def _parts(self) -> Iterator[Node]:
        message, cursor = self._message, self._cursor
        if message.message_mac is not None:
            yield cursor.group("MAC header", self._mac_header())
        yield cursor.group("grouping header", self._grouping_header())
        yield cursor.leaf("content length", len(ber_length(len(message.content))), str(len(message.content)))
        yield self._content()
        if message.signature is not None:
            yield cursor.leaf("signature length", 1, str(len(message.signature)))
            if message.signature:
                yield cursor.leaf("signature", SIGNATURE_BYTES, "ECDSA r, s of the originator")
        if message.message_mac is not None:
            yield cursor.leaf("MAC", TAG_BYTES, "GMAC, 96 bits")

    def _mac_header(self) -> Iterator[Node]:
        leaf = self._cursor.leaf
        yield leaf("tag", 1, "general-ciphering")
        yield leaf("empty fields", 6, "transaction id to key info, all empty")
        first = self._data[self._cursor.position]
        size = 1 if first < 0x80 else 1 + (first & 0x7F)
        yield leaf("ciphered service length", size, str(len(self._data) - self._cursor.position - size))
        yield leaf("security header", len(SECURITY_HEADER), "suite 1, authentication only")

    def _grouping_header(self) -> Iterator[Node]:
        message, leaf = self._message, self._cursor.leaf
        yield leaf("tag", 1, "general-signing")
        yield leaf("transaction id length", 1, "9")
        yield leaf("CRA flag", 1, _KINDS[message.cra])
        yield leaf("originator counter", 8, str(message.originator_counter))
        yield leaf("originator length", 1, "8")
        yield leaf("business originator id", 8, str(message.business_originator_id))
        yield leaf("recipient length", 1, "8")
        yield leaf("business target id", 8, str(message.business_target_id))
        if message.date_time is None:
            yield leaf("date-time length", 1, "0")
        else:
            yield leaf("date-time length", 1, str(DATE_TIME_BYTES))
            yield leaf("date-time", DATE_TIME_BYTES, _date_time_text(message.date_time))
        size = len(message.other_information.encode())
        yield leaf("other information length", len(ber_length(size)), str(size))
        yield self._cursor.group("other information", self._other_information(message.other_information))

    def _other_information(self, extra: OtherInformation) -> Iterator[Node]:
        leaf = self._cursor.leaf
        use_case = by_code(extra.message_code)
        name = "" if use_case is None else f" {use_case.name}"
        yield leaf("message code", 2, format_message_code(extra.message_code) + name)
        if extra.supplementary_remote_party_id is not None:
            yield leaf("supplementary remote party id", 8, str(extra.supplementary_remote_party_id))
        if extra.supplementary_remote_party_counter is not None:
            yield leaf("supplementary remote party counter", 8, str(extra.supplementary_remote_party_counter))
        if extra.supplementary_originator_counter is not None:
            yield leaf("supplementary originator counter", 8, str(extra.supplementary_originator_counter))
        if extra.key_agreement_certificate is not None:
            yield leaf("key agreement certificate", len(extra.key_agreement_certificate), "X.509 in DER")

    # -- content -----------------------------------------------------------------------------------------

    def _content(self) -> Node:
        content, start = self._message.content, self._cursor.position
        if not is_dlms(content):
            return self._other_content(start)
        try:
            apdu = decode_apdu(content, base=start)
        except GbcsDecodeError as error:
            return self._partial(start, error)
        differs = self._check()
        items = () if self._use_case is None else _namings(self._use_case, apdu)
        parts = apdu_nodes(self._cursor, apdu, items, self._open)
        inner = next((n.error for part in parts for n in part.walk() if n.error is not None), None)
        self._error = differs or inner
        text = apdu_kind(apdu) if self._error is None else f"not as declared: {self._error}"
        return Node("content", start, content, text, parts, error=self._error)

    def _other_content(self, start: int) -> Node:
        """GBZ and ASN.1 content: field by field as far as it can be followed."""
        content = self._message.content
        self._error = self._check()
        parts = self._other_parts(start)
        kind = content_kind(content)
        if self._error is not None:
            text = f"not as declared: {self._error}"
        elif parts or self._use_case is not None:
            text = f"{kind} content"
        else:
            text = f"{kind} content, opaque: it cannot be followed" if content else "none"
        return Node("content", start, content, text, parts, error=self._error)

    def _other_parts(self, start: int) -> tuple[Node, ...]:
        message, cursor = self._message, self._cursor
        length = len(message.content)
        payload = None if self._use_case is None else self._use_case.payload
        nodes: Iterator[Node]
        if content_kind(message.content) == "ASN.1":
            name = payload.type_name(message.cra) if isinstance(payload, Asn1Payload) else None
            nodes = tag_nodes(cursor, length) if name is None else element_nodes(cursor, length, name)
        elif message.cra is Cra.ALERT:
            extra = payload.extra.name if isinstance(payload, GbzAlert) and payload.extra else "extra"
            nodes = alert_nodes(cursor, length, (extra, self._parameters.get(extra)), self._open)
        else:
            nodes = component_nodes(cursor, length, self._open)
        try:
            parts = tuple(nodes)
        except GbcsDecodeError:
            parts = ()
        if cursor.position != start + length:  # what cannot be followed to its end is shown in one piece
            parts = ()
        cursor.position = start + length
        return parts

    def _partial(self, start: int, error: GbcsDecodeError) -> Node:
        """What can be read of content that is no APDU."""
        self._error = error
        end = start + len(self._message.content)
        reader = TracingReader(self._data, position=start, end=end)
        parts: tuple[Node, ...] = ()
        try:
            read_apdu(reader)
        except GbcsDecodeError as again:
            parts = understood(
                self._data, start, end, reader.reads, end if again.offset is None else again.offset
            )
        self._cursor.position = end
        return Node("content", start, self._message.content, f"not decodable: {error}", parts, error=error)

    def _check(self) -> GbcsDecodeError | None:
        """Why the content is not of the use case's shape, None when it is or when no shape is declared."""
        if self._use_case is None:
            return None
        try:
            try:
                self._parameters = decode_content(self._use_case, self._message, self._secret)
            except (
                SecurityError
            ):  # a wrong key is no fault of the message; its tree says that it stays sealed
                self._parameters = decode_content(self._use_case, self._message)
        except GbcsDecodeError as error:
            return error
        return None

    def _open(self, sealed: bytes) -> bytes | str:
        recipient = self._protection.recipient
        if self._secret is None:
            return f"sealed for {recipient}: no key at hand"
        try:
            return self._protection.decrypt(self._secret, sealed)
        except SecurityError:
            return f"sealed for {recipient}: the key at hand does not open it"


def _date_time_text(octets: bytes) -> str:
    """`2015-01-01T00:00:00Z`, and the clock status where there is one."""
    text = date_time_to_text(octets[:-1] + _NO_STATUS)
    if octets[-1:] == _NO_STATUS or text.startswith(HEX_PREFIX):
        return date_time_to_text(octets)
    return f"{text}, clock status {octets[-1]:02X}"


def _namings(use_case: UseCase, apdu: Apdu) -> tuple[ItemNaming | None, ...]:
    payload = use_case.payload
    if isinstance(payload, SealedAlert):
        return (ItemNaming("alert", response=SealedBody(payload.body, payload.sealed.objects)),)
    if isinstance(payload, DlmsAlert):
        return (ItemNaming("alert", response=payload.body),)
    if not isinstance(payload, DlmsAccess):
        return ()
    items: Iterable[AccessItem | None] = payload.items
    if isinstance(apdu, AccessRequest):
        items = _declared(payload, apdu.specifications)
    elif payload.has_optional_items or not isinstance(apdu, AccessResponse):
        items = ()  # a response does not say which of them it answers
    return tuple(
        None
        if item is None
        else item_naming(item.name, item.command, item.response, item.protected, item.selection)
        for item in items
    )


def _declared(payload: DlmsAccess, found: tuple[Specification, ...]) -> Iterator[AccessItem | None]:
    """The declared item for each specification, None for one that the use case does not have there."""
    place = 0
    for specification in found:
        wanted = (specification.choice, specification.class_id, specification.obis, specification.index)
        for later, item in enumerate(payload.items[place:], start=place + 1):
            if (item.choice, item.class_id, item.obis, item.index) == wanted:
                place = later
                yield item
                break
        else:
            yield None


__all__ = [
    "ContentKind",
    "Kind",
    "Node",
    "SecretFor",
    "content_kind",
    "describe",
    "kind_of_message",
    "title_of",
]
