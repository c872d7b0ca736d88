"""The two documents of DUIS, Request and Response, as frozen values.

The body of a request stays an element tree here: what it holds is declared per Service Reference Variant
in `smetslab.duis.srv`. Payloads of responses that no issuer in this laboratory makes yet are kept as
trees too, so that every response can be read.

Spec: DUIS schema 5.1 and 5.4, elements Request and Response.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from smetslab.duis.codes import CommandVariant
from smetslab.duis.element import (
    DUIS_NAMESPACE,
    SIGNATURE_NAMESPACE,
    Children,
    Element,
    parse_document,
    write_document,
)
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.errors import DuisError
from smetslab.ids import MAX_COUNTER, Eui64

DEFAULT_SCHEMA_VERSION: Final = "5.1"
"""Valid under every schema: the attribute is a number that no schema compares."""

_ROOT_ATTRIBUTES: Final = ("schemaVersion",)
_ID = re.compile(
    r"((?:[0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}):((?:[0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}):(0|[1-9][0-9]{0,19})"
)
_SCHEMA_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})?")
_COMMAND_VARIANTS: Final = {str(member.value): member for member in CommandVariant}
_CODE = re.compile(r"[IEW][0-9]{1,6}")
_ALERT_CODE = re.compile(r"(?:[0-9A-Fa-f]{2}){1,8}")
_REFERENCE = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2}){1,2}")
_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class RequestId:
    """`originator:target:counter`, of a request or, with the two parties swapped, of a response.

    Compared as identifiers: the case of the received text, which `str` repeats, does not count.
    """

    originator: Eui64
    target: Eui64
    counter: int
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> RequestId:
        """Raises ValueError."""
        match = _ID.fullmatch(text)
        counter = int(match[3]) if match else MAX_COUNTER + 1
        if match is None or counter > MAX_COUNTER:
            raise ValueError("expected EUI:EUI:counter, EUIs as 8 dashed pairs, counter below 2^64")
        return cls(Eui64.parse(match[1]), Eui64.parse(match[2]), counter, text)

    def swapped(self) -> RequestId:
        """The id of the response to this request. Spec: DUIS sample responses."""
        return RequestId(self.target, self.originator, self.counter)

    @property
    def key(self) -> str:
        """One text for every way to write this id."""
        return f"{self.originator}:{self.target}:{self.counter}"

    def __str__(self) -> str:
        return self.text or f"{self.originator.dashed()}:{self.target.dashed()}:{self.counter}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeader:
    """Header of a request. `service_reference` is the group (4.1), `variant` the Service Reference
    Variant (4.1.1).
    """

    request_id: RequestId
    command_variant: CommandVariant
    service_reference: str
    variant: str
    first_in_sequence: bool | None = None
    preceding_request_id: RequestId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request. `body` is the one element in Body; `signed` tells that an XML signature is there, not
    that it is good.
    """

    header: RequestHeader
    body: Element
    schema_version: str = DEFAULT_SCHEMA_VERSION
    signed: bool = False


@dataclass(frozen=True, slots=True)
class DeviceResponse:
    """GBCSPayload: the response of the device as it came."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class PreCommand:
    """The command to be signed by the user. Spec: DUIS schema 5.4, type PreCommand."""

    payload: bytes
    gbcs_version: str


@dataclass(frozen=True, slots=True)
class LocalCommand:
    """A command for delivery on the premises."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class FutureDatedDeviceAlert:
    """The outcome of one instruction of a future-dated command."""

    alert_code: str
    payload: bytes
    instruction_number: int
    total_instructions: int


@dataclass(frozen=True, slots=True)
class OtherPayload:
    """Any other payload of a ResponseMessage, as its element."""

    element: Element


Payload: TypeAlias = DeviceResponse | PreCommand | LocalCommand | FutureDatedDeviceAlert | OtherPayload


@dataclass(frozen=True, slots=True)
class ResponseMessage:
    """The body of an answer to a request; an acknowledgement or refusal has no payload."""

    service_reference: str
    variant: str
    payload: Payload | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """How many alerts of the kind were held back before this one, and the number of this heap of them."""

    sequence_id: int
    count: int


@dataclass(frozen=True, slots=True)
class DeviceAlert:
    """The body of a device alert. Published clients refuse one that says how many were `throttled`."""

    alert_code: str
    payload: bytes
    throttled: Throttled | None = None


@dataclass(frozen=True, slots=True)
class OtherBody:
    """The body of a DCC alert or SMETS1 response, as its element."""

    element: Element


ResponseBody: TypeAlias = ResponseMessage | DeviceAlert | OtherBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response or alert. `date_time` is UTC; alerts have no request id."""

    code: str
    date_time: datetime
    body: ResponseBody
    request_id: RequestId | None = None
    response_id: RequestId | None = None
    schema_version: str = DEFAULT_SCHEMA_VERSION

    @property
    def payload(self) -> Payload | None:
        """The payload of a ResponseMessage."""
        return self.body.payload if isinstance(self.body, ResponseMessage) else None

    @property
    def gbcs(self) -> bytes | None:
        """The GBCS message inside, whatever it came in."""
        if isinstance(self.body, DeviceAlert):
            return self.body.payload
        payload = self.payload
        return None if payload is None or isinstance(payload, OtherPayload) else payload.payload


# Reading ----------------------------------------------------------------------------------------------------


def parse_request(data: bytes, *, limit: int = MAX_DOCUMENT_BYTES) -> Request:
    """Read a Request document. Raises DuisError with the place of the first fault."""
    root, version = _root(data, "Request", limit)
    parts = Children(root, "Request", attributes=_ROOT_ATTRIBUTES)
    header = _request_header(parts.required("Header"))
    body = _only_child(parts.required("Body"), "Request/Body")
    signed = _signature(parts)
    return Request(header=header, body=body, schema_version=version, signed=signed)


@dataclass(frozen=True, slots=True)
class SignedPreCommand:
    """The body of a request that brings a signed pre-command."""

    payload: bytes
    execution: datetime | None = None


SIGNED_PRE_COMMAND: Final = "SignedPreCommand"


def read_signed_pre_command(body: Element) -> SignedPreCommand:
    """Read the body of a request of the variants 5 to 7. Raises DuisError."""
    path = f"Request/Body/{SIGNED_PRE_COMMAND}"
    parts = Children(body, path)
    moment = parts.optional("ExecutionDateTime")
    execution = None if moment is None else parse_date_time(leaf_text(moment, f"{path}/ExecutionDateTime"))
    if moment is not None and execution is None:
        raise moment.fail("not a date-time", f"{path}/ExecutionDateTime", expected="UTC", found=moment.text)
    payload = octets_of(parts.required("GBCSPayload"), f"{path}/GBCSPayload")
    parts.finish()
    return SignedPreCommand(payload, execution)


def signed_pre_command_body(payload: bytes) -> Element:
    """The body of a request that brings `payload`."""
    return node(SIGNED_PRE_COMMAND, octets_leaf("GBCSPayload", payload))


def parse_response(data: bytes, *, limit: int = MAX_DOCUMENT_BYTES) -> Response:
    """Read a Response document. Raises DuisError with the place of the first fault."""
    root, version = _root(data, "Response", limit)
    parts = Children(root, "Response", attributes=_ROOT_ATTRIBUTES)
    path = "Response/Header"
    header = Children(parts.required("Header"), path)
    request_id, response_id = header.optional("RequestID"), header.optional("ResponseID")
    code = _matching(header.required("ResponseCode"), f"{path}/ResponseCode", _CODE, "such as I0 or E20")
    moment = header.required("ResponseDateTime")
    date_time = parse_date_time(leaf_text(moment, f"{path}/ResponseDateTime"))
    if date_time is None:
        raise moment.fail("not a date-time", f"{path}/ResponseDateTime", expected="UTC", found=moment.text)
    header.finish()
    body = _response_body(_only_child(parts.required("Body"), "Response/Body"))
    _signature(parts)
    return Response(
        code=code,
        date_time=date_time,
        body=body,
        request_id=None if request_id is None else _request_id(request_id, f"{path}/RequestID"),
        response_id=None if response_id is None else _request_id(response_id, f"{path}/ResponseID"),
        schema_version=version,
    )


def leaf_text(element: Element, path: str) -> str:
    """The text of an element that may hold nothing else, white space around it removed. Raises DuisError."""
    element.refuse_attributes(path)
    if element.children:
        raise element.fail("elements where a value belongs", path, found=element.children[0].name)
    return element.text.strip(" \t\r\n")


def octets_of(element: Element, path: str) -> bytes:
    """The octets of a base64 element. Raises DuisError."""
    text = "".join(leaf_text(element, path).split())
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise element.fail("not base64", path, found=text) from error


def parse_date_time(text: str) -> datetime | None:
    """The moment of an xs:dateTime that names its offset from UTC; None when it is none."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    zone = "+00:00" if match[8] == "Z" else match[8]
    fraction = (match[7] or "0")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{text[:19]}.{fraction}{zone}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _root(data: bytes, name: str, limit: int) -> tuple[Element, str]:
    root = parse_document(data, limit=limit)
    if root.name != name or root.namespace != DUIS_NAMESPACE:
        raise root.fail(
            "not a DUIS document of this kind",
            "document",
            expected=f"{name} of namespace {DUIS_NAMESPACE}",
            found=f"{root.name} of namespace {root.namespace or '(none)'}",
        )
    version = dict(root.attributes).get("schemaVersion", "").strip()
    if not _SCHEMA_VERSION.fullmatch(version):
        raise root.fail(
            "attribute schemaVersion", name, expected="a number such as 5.4", found=version or "nothing"
        )
    return root, version


def _request_header(element: Element) -> RequestHeader:
    path = "Request/Header"
    parts = Children(element, path)
    request_id = _request_id(parts.required("RequestID"), f"{path}/RequestID")
    first = parts.optional("FirstInSequence")
    preceding = parts.optional("PrecedingServiceRequestID")
    variant = parts.required("CommandVariant")
    number = leaf_text(variant, f"{path}/CommandVariant")
    if number not in _COMMAND_VARIANTS:
        raise variant.fail(
            "unknown command variant", f"{path}/CommandVariant", expected="1 to 9", found=number
        )
    reference = _reference(parts.required("ServiceReference"), path)
    service_variant = _reference(parts.required("ServiceReferenceVariant"), path)
    parts.finish()
    return RequestHeader(
        request_id=request_id,
        first_in_sequence=None if first is None else parse_boolean(first, f"{path}/FirstInSequence"),
        preceding_request_id=(
            None if preceding is None else _request_id(preceding, f"{path}/PrecedingServiceRequestID")
        ),
        command_variant=_COMMAND_VARIANTS[number],
        service_reference=reference,
        variant=service_variant,
    )


def parse_boolean(element: Element, path: str) -> bool:
    """An xs:boolean. Raises DuisError."""
    text = leaf_text(element, path)
    if text not in {"true", "false", "1", "0"}:
        raise element.fail("not a boolean", path, expected="true or false", found=text)
    return text in {"true", "1"}


def _reference(element: Element, path: str) -> str:
    return _matching(element, f"{path}/{element.name}", _REFERENCE, "such as 4.1.1")


def _matching(element: Element, path: str, pattern: re.Pattern[str], expected: str) -> str:
    text = leaf_text(element, path)
    if not pattern.fullmatch(text):
        raise element.fail("wrong value", path, expected=expected, found=text)
    return text


def _request_id(element: Element, path: str) -> RequestId:
    text = leaf_text(element, path)
    try:
        return RequestId.parse(text)
    except ValueError as error:
        raise element.fail(
            "wrong identifier", path, expected=str(error).removeprefix("expected "), found=text
        ) from error


def _only_child(element: Element, path: str) -> Element:
    parts = Children(element, path)
    found = parts.peek()
    if found is None or found.namespace != DUIS_NAMESPACE:
        raise element.fail(
            "not exactly one element", path, expected="one element of DUIS", found=str(len(element.children))
        )
    parts.required(found.name)
    parts.finish()
    return found


def _signature(parts: Children) -> bool:
    found = parts.optional("Signature", namespace=SIGNATURE_NAMESPACE)
    parts.finish()
    return found is not None


def _response_body(element: Element) -> ResponseBody:
    path = f"Response/Body/{element.name}"
    if element.name == "ResponseMessage":
        parts = Children(element, path)
        reference = _reference(parts.required("ServiceReference"), path)
        variant = _reference(parts.required("ServiceReferenceVariant"), path)
        payload = parts.peek()
        if payload is not None:
            parts.required(payload.name)
        parts.finish()
        return ResponseMessage(reference, variant, None if payload is None else _payload(payload, path))
    if element.name == "DeviceAlertMessage":
        parts = Children(element, path)
        code = _matching(parts.required("AlertCode"), f"{path}/AlertCode", _ALERT_CODE, "hex digits")
        sequence_id, count = parts.optional("ThrottledAlertSequenceId"), parts.optional("ThrottledAlertCount")
        throttled = None
        if sequence_id is not None or count is not None:
            numbers = [0 if one is None else _unsigned_int(one, path) for one in (sequence_id, count)]
            throttled = Throttled(*numbers)
        octets = octets_of(parts.required("GBCSPayload"), f"{path}/GBCSPayload")
        parts.finish()
        return DeviceAlert(code.upper(), octets, throttled)
    return OtherBody(element)


def _payload(element: Element, within: str) -> Payload:
    path = f"{within}/{element.name}"
    if element.name == "GBCSPayload":
        return DeviceResponse(octets_of(element, path))
    if element.name not in {"PreCommand", "LocalCommand", "FutureDatedDeviceAlertMessage"}:
        return OtherPayload(element)
    parts = Children(element, path)
    result: Payload
    if element.name == "PreCommand":
        version = leaf_text(parts.required("GBCSVersion"), f"{path}/GBCSVersion")
        result = PreCommand(octets_of(parts.required("GBCSPayload"), f"{path}/GBCSPayload"), version)
    elif element.name == "LocalCommand":
        result = LocalCommand(octets_of(parts.required("GBCSPayload"), f"{path}/GBCSPayload"))
    else:
        code = parts.required("FutureDatedAlertCode")
        result = FutureDatedDeviceAlert(
            _matching(code, f"{path}/FutureDatedAlertCode", _ALERT_CODE, "8F66 or 8F67").upper(),
            octets_of(parts.required("GBCSPayload"), f"{path}/GBCSPayload"),
            _short(parts.required("InstructionNumber"), path),
            _short(parts.required("TotalCommandInstructions"), path),
        )
    parts.finish()
    return result


def _unsigned_int(element: Element, within: str) -> int:
    path = f"{within}/{element.name}"
    text = leaf_text(element, path)
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= 0xFFFF_FFFF):
        raise element.fail("wrong number", path, expected="0 to 4294967295", found=text)
    return int(text)


def _short(element: Element, within: str) -> int:
    path = f"{within}/{element.name}"
    text = leaf_text(element, path)
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 0xFFFF):
        raise element.fail("wrong number", path, expected="0 to 65535", found=text)
    return int(text)


# Writing ----------------------------------------------------------------------------------------------------


def leaf(name: str, text: str) -> Element:
    """An element that holds a value."""
    return Element(name, text=text)


def node(name: str, *children: Element | None) -> Element:
    """An element that holds elements; None stands for one that is absent."""
    return Element(name, tuple(child for child in children if child is not None))


def octets_leaf(name: str, octets: bytes) -> Element:
    """An element of base64 on one line: a line break in it would break the XML signature of a client."""
    return leaf(name, b64encode(octets).decode("ascii"))


def write_request(request: Request) -> bytes:
    """The document, compact. A signature is not written: it is made over the document, not here."""
    header = request.header
    first, preceding = header.first_in_sequence, header.preceding_request_id
    return _document(
        "Request",
        request.schema_version,
        node(
            "Header",
            leaf("RequestID", str(header.request_id)),
            None if first is None else leaf("FirstInSequence", "true" if first else "false"),
            None if preceding is None else leaf("PrecedingServiceRequestID", str(preceding)),
            leaf("CommandVariant", str(header.command_variant.value)),
            leaf("ServiceReference", header.service_reference),
            leaf("ServiceReferenceVariant", header.variant),
        ),
        request.body,
    )


def write_response(response: Response) -> bytes:
    """The document, compact."""
    return _document(
        "Response",
        response.schema_version,
        node(
            "Header",
            None if response.request_id is None else leaf("RequestID", str(response.request_id)),
            None if response.response_id is None else leaf("ResponseID", str(response.response_id)),
            leaf("ResponseCode", response.code),
            leaf("ResponseDateTime", _moment_text(response.date_time)),
        ),
        _body_element(response.body),
    )


def _document(name: str, schema_version: str, header: Element, body: Element) -> bytes:
    attributes = (("schemaVersion", schema_version),)
    return write_document(Element(name, (header, node("Body", body)), attributes=attributes))


def _moment_text(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise DuisError(
            "date-time without zone", path="Response/Header/ResponseDateTime", expected="an aware datetime"
        )
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _body_element(body: ResponseBody) -> Element:
    if isinstance(body, OtherBody):
        return body.element
    if isinstance(body, DeviceAlert):
        held = body.throttled
        return node(
            "DeviceAlertMessage",
            leaf("AlertCode", body.alert_code),
            None if held is None else leaf("ThrottledAlertSequenceId", str(held.sequence_id)),
            None if held is None else leaf("ThrottledAlertCount", str(held.count)),
            octets_leaf("GBCSPayload", body.payload),
        )
    return node(
        "ResponseMessage",
        leaf("ServiceReference", body.service_reference),
        leaf("ServiceReferenceVariant", body.variant),
        None if body.payload is None else _payload_element(body.payload),
    )


def _payload_element(payload: Payload) -> Element:
    match payload:
        case OtherPayload(element):
            return element
        case DeviceResponse(octets):
            return octets_leaf("GBCSPayload", octets)
        case PreCommand(octets, version):
            return node("PreCommand", leaf("GBCSVersion", version), octets_leaf("GBCSPayload", octets))
        case LocalCommand(octets):
            return node("LocalCommand", octets_leaf("GBCSPayload", octets))
        case FutureDatedDeviceAlert(code, octets, number, total):
            return node(
                "FutureDatedDeviceAlertMessage",
                leaf("FutureDatedAlertCode", code),
                octets_leaf("GBCSPayload", octets),
                leaf("InstructionNumber", str(number)),
                leaf("TotalCommandInstructions", str(total)),
            )
