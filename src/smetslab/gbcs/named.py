"""One whole message as a document of named values, and back: the form of `gbcs decode` and `gbcs encode`.

A document says everything that the octets of a message say, so that it gives them back: header, parameters
of the use case (or generic content, where no use case is declared or the content is not of its shape),
signature and MAC. Signature and MAC may also be left to be made, with keys.

Spec: GBCS 5.3 (protection), 7.2.7, 7.2.8.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from smetslab.crypto import PrivateKey
from smetslab.errors import CodecError, GbcsEncodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import Kind, kind_of_message
from smetslab.gbcs.generic import content_from_generic, content_to_generic
from smetslab.gbcs.keys import KeyLookup, content_secrets, mac_secrets, role_of
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.protection import expected_protection
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES, UseCase, by_code, decode_content, encode_content, find
from smetslab.gbcs.usecases.model import Protection
from smetslab.gbcs.values import (
    HEX_PREFIX,
    Parameters,
    Value,
    date_time_from_text,
    date_time_to_text,
    from_hex,
    to_hex,
)
from smetslab.ids import MAX_COUNTER, Eui64, format_message_code

AUTO = "auto"
"""What a document says in place of a signature or MAC that is to be made as the use case has it."""

CraWord = Literal["command", "response", "alert"]

_CRA: dict[str, Cra] = {
    "command": Cra.COMMAND,
    "pre-command": Cra.COMMAND,
    "response": Cra.RESPONSE,
    "alert": Cra.ALERT,
}
_CRA_WORDS: dict[Cra, CraWord] = {Cra.COMMAND: "command", Cra.RESPONSE: "response", Cra.ALERT: "alert"}
_NO_STATUS = 0xFF
_MAX_CODE = 0xFFFF


class DocumentModel(BaseModel):
    """Base of all parts of a document: nothing unknown, nothing converted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, json_schema_serialization_defaults_required=True
    )


class OtherInformationDocument(DocumentModel):
    """The other-information field."""

    message_code: str | None = Field(default=None, description="as that of the message, if given")
    supplementary_remote_party_id: str | None = None
    supplementary_remote_party_counter: int | None = Field(default=None, ge=0, le=MAX_COUNTER)
    supplementary_originator_counter: int | None = Field(default=None, ge=0, le=MAX_COUNTER)
    key_agreement_certificate: str | None = Field(default=None, description="X.509 in DER, as hex")


class HeaderDocument(DocumentModel):
    """The grouping header."""

    cra: CraWord | None = Field(default=None, description="as the kind of the message, if given")
    originator_counter: int = Field(ge=0, le=MAX_COUNTER)
    business_originator_id: str
    business_target_id: str
    date_time: str | None = Field(default=None, description="2030-01-15T09:00:00Z, or hex: and 12 octets")
    clock_status: str | None = Field(
        default=None, description="last octet of the date-time, as hex; null stands for FF (not specified)"
    )
    other_information: OtherInformationDocument = OtherInformationDocument()


class MessageDocument(DocumentModel):
    """One message by name. Exactly one of `parameters` and `content` says what is in it."""

    schema_version: Literal[1] = 1
    use_case: str | None = None
    message_code: str | None = Field(default=None, description="0x0062; needed where no use case is named")
    kind: Kind | None = Field(default=None, description="needed where the header has no cra")
    header: HeaderDocument | None = None
    parameters: dict[str, JsonValue] | None = Field(
        default=None, description="by name, where the use case is declared and the content is of its shape"
    )
    content: dict[str, JsonValue] | None = Field(
        default=None, description="elsewhere: dlms, gbz or asn1 without names, or hex"
    )
    signature: str | None = Field(
        default=AUTO,
        description="64 octets in hex; empty: a signature part of length 00; null: no signature part; "
        "auto: made as the use case has it",
    )
    mac: str | None = Field(default=AUTO, description="12 octets in hex; null: none; auto: made")


def document_schema() -> dict[str, JsonValue]:
    """The JSON schema of `MessageDocument`."""
    return MessageDocument.model_json_schema(mode="serialization")


# -- to a document -------------------------------------------------------------------------------------------


def message_to_document(message: Message, secret: bytes | None = None) -> MessageDocument:
    """`message` by name. `secret` opens protected content; without it that content stays sealed."""
    use_case = find(message)
    parameters = None if use_case is None else named_parameters(use_case, message, secret)
    content = None
    if parameters is None:
        content = content_to_generic(message)
    declared = use_case or by_code(message.message_code)
    return MessageDocument(
        use_case=None if declared is None else declared.name,
        message_code=format_message_code(message.message_code),
        kind=kind_of_message(message),
        header=header_document(message),
        parameters=None if parameters is None else json_of(parameters),
        content=None if content is None else json_of(content),
        signature=None if message.signature is None else to_hex(message.signature),
        mac=None if message.message_mac is None else to_hex(message.message_mac),
    )


def named_parameters(use_case: UseCase, message: Message, secret: bytes | None) -> Parameters | None:
    """The parameters of the content, None unless they are all that the content says.

    A secret that does not open the content leaves it sealed.
    """
    for key in (secret, None):
        try:
            parameters = decode_content(use_case, message, key)
            if encode_content(use_case, message, parameters, key) == message.content:
                return parameters
        except SecurityError:
            continue
        except CodecError:
            return None
    return None


def header_document(message: Message) -> HeaderDocument:
    """The grouping header of `message`."""
    extra = message.other_information
    party, certificate = extra.supplementary_remote_party_id, extra.key_agreement_certificate
    date_time, status = _date_time_text(message.date_time)
    return HeaderDocument(
        cra=_CRA_WORDS[message.cra],
        originator_counter=message.originator_counter,
        business_originator_id=str(message.business_originator_id),
        business_target_id=str(message.business_target_id),
        date_time=date_time,
        clock_status=status,
        other_information=OtherInformationDocument(
            message_code=format_message_code(extra.message_code),
            supplementary_remote_party_id=None if party is None else str(party),
            supplementary_remote_party_counter=extra.supplementary_remote_party_counter,
            supplementary_originator_counter=extra.supplementary_originator_counter,
            key_agreement_certificate=None if certificate is None else to_hex(certificate),
        ),
    )


def _date_time_text(octets: bytes | None) -> tuple[str | None, str | None]:
    """Date-time and clock status of a header."""
    if octets is None:
        return None, None
    text = date_time_to_text(octets[:-1] + bytes((_NO_STATUS,)))
    if octets[-1] == _NO_STATUS or text.startswith(HEX_PREFIX):
        return date_time_to_text(octets), None
    return text, f"{octets[-1]:02X}"


def json_of(values: Parameters) -> dict[str, JsonValue]:
    """Named values as the JSON type of models."""
    return {name: _json(value) for name, value in values.items()}


def _json(value: Value) -> JsonValue:
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    return value


# -- from a document -----------------------------------------------------------------------------------------


def document_to_message(document: MessageDocument, keys: KeyLookup | None = None) -> Message:
    """The message that `document` says, with signature and MAC as given, or made with `keys`.

    Raises GbcsEncodeError with the path of what is missing, contradicts itself or does not fit.
    """
    if document.header is None:
        raise GbcsEncodeError("missing", path="header")
    use_case = _use_case(document)
    bare = Message(
        cra=_cra(document, document.header),
        originator_counter=document.header.originator_counter,
        business_originator_id=_entity(
            document.header.business_originator_id, "header.business_originator_id"
        ),
        business_target_id=_entity(document.header.business_target_id, "header.business_target_id"),
        date_time=_date_time_octets(document.header),
        other_information=_other_information(document, document.header.other_information, use_case),
        content=b"",
    )
    message = replace(bare, content=_content(document, use_case, bare, keys))
    return _protected(document, use_case, message, keys)


def _use_case(document: MessageDocument) -> UseCase | None:
    if document.use_case is not None:
        use_case = USE_CASES.get(document.use_case)
        if use_case is None:
            same = [name for name in USE_CASES if name.lower() == document.use_case.lower()]
            near = ", ".join(same or get_close_matches(document.use_case, USE_CASES, n=3))
            raise GbcsEncodeError(
                "no such use case",
                path="use_case",
                expected=near or "a declared use case",
                found=document.use_case[:40],
            )
        return use_case
    codes = [code for _, code in _codes(document)]
    return by_code(codes[0]) if codes else None


def _codes(document: MessageDocument) -> list[tuple[str, int]]:
    """Every Message Code that the document states, with its place."""
    stated = [("message_code", document.message_code)]
    if document.header is not None:
        path = "header.other_information.message_code"
        stated.append((path, document.header.other_information.message_code))
    return [(path, _code(text, path)) for path, text in stated if text is not None]


def _code(text: str, path: str) -> int:
    try:
        code = int(text, 16)
    except ValueError:
        code = -1
    if not 0 <= code <= _MAX_CODE:
        raise GbcsEncodeError("not a Message Code", path=path, expected="such as 0x0062", found=text[:40])
    return code


def _cra(document: MessageDocument, header: HeaderDocument) -> Cra:
    kind = document.kind or header.cra
    if kind is None:
        raise GbcsEncodeError("missing", path="kind", expected=", ".join(_CRA))
    if header.cra is not None and _CRA[header.cra] is not _CRA[kind]:
        raise GbcsEncodeError("differs from the kind", path="header.cra", expected=kind, found=header.cra)
    return _CRA[kind]


def _entity(text: str, path: str) -> Eui64:
    try:
        return Eui64.parse(text)
    except ValueError as error:
        raise GbcsEncodeError(
            "not an EUI-64", path=path, expected="16 hex digits", found=text[:40]
        ) from error


def _date_time_octets(header: HeaderDocument) -> bytes | None:
    if header.date_time is None:
        if header.clock_status is not None:
            raise GbcsEncodeError("no date-time to belong to", path="header.clock_status")
        return None
    octets = date_time_from_text(header.date_time, "header.date_time")
    if header.clock_status is None:
        return octets
    status = from_hex(header.clock_status, "header.clock_status")
    if len(status) != 1:
        raise GbcsEncodeError(
            "not a clock status",
            path="header.clock_status",
            expected="two hex digits",
            found=header.clock_status[:20],
        )
    return octets[:-1] + status


def _other_information(
    document: MessageDocument, extra: OtherInformationDocument, use_case: UseCase | None
) -> OtherInformation:
    stated = _codes(document)
    if use_case is not None:
        stated.insert(0, (f"use_case {use_case.name}", use_case.code))
    if not stated:
        raise GbcsEncodeError("missing", path="use_case", expected="a use case, or a message_code")
    (first, code), *rest = stated
    for path, other in rest:
        if other != code:
            raise GbcsEncodeError(
                f"differs from {first}",
                path=path,
                expected=format_message_code(code),
                found=format_message_code(other),
            )
    party, certificate = extra.supplementary_remote_party_id, extra.key_agreement_certificate
    path = "header.other_information"
    return OtherInformation(
        message_code=code,
        supplementary_remote_party_id=(
            None if party is None else _entity(party, f"{path}.supplementary_remote_party_id")
        ),
        supplementary_remote_party_counter=extra.supplementary_remote_party_counter,
        supplementary_originator_counter=extra.supplementary_originator_counter,
        key_agreement_certificate=(
            None if certificate is None else from_hex(certificate, f"{path}.key_agreement_certificate")
        ),
    )


def _content(
    document: MessageDocument, use_case: UseCase | None, header: Message, keys: KeyLookup | None
) -> bytes:
    if document.content is not None:
        if document.parameters is not None:
            raise GbcsEncodeError("given beside parameters", path="content", expected="one of the two")
        return content_from_generic(_value(document.content, "content"), header)
    if document.parameters is None:
        raise GbcsEncodeError("missing", path="parameters", expected="parameters, or content")
    if use_case is None:
        raise GbcsEncodeError(
            "not declared, so its parameters have no meaning",
            path="use_case",
            expected="a declared use case, or content in place of parameters",
        )
    secret = None
    if keys is not None and use_case.encrypts_response and header.cra is not Cra.COMMAND:
        secret = next(iter(content_secrets(header, keys)), None)
    values = _value(document.parameters, "parameters")
    try:
        return encode_content(use_case, header, values if isinstance(values, dict) else {}, secret)
    except CodecError as error:
        raise GbcsEncodeError(
            error.what,
            path=f"parameters.{error.path}" if error.path else "parameters",
            expected=error.expected,
            found=error.found,
            spec=error.spec,
        ) from error


def _value(value: JsonValue, path: str) -> Value:
    """JSON without fractions: no message has any."""
    if isinstance(value, float):
        raise GbcsEncodeError("a fraction", path=path, expected="a whole number", found=str(value))
    if isinstance(value, list):
        return [_value(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, dict):
        return {name: _value(item, f"{path}.{name}") for name, item in value.items()}
    return value


# -- signature and MAC ---------------------------------------------------------------------------------------


def _protected(
    document: MessageDocument, use_case: UseCase | None, message: Message, keys: KeyLookup | None
) -> Message:
    """`message` with signature and MAC, given or made."""
    wanted = Protection(signature=False, message_mac=False)
    if AUTO in {document.signature, document.mac}:
        wanted = _wanted(document, use_case, message, keys)
    if document.signature == AUTO and wanted.signature:
        message = with_signature(message, _signing_key(message, keys))
    elif document.signature == AUTO:
        maced = wanted.message_mac if document.mac == AUTO else document.mac is not None
        message = replace(message, signature=b"" if maced else None)
    elif document.signature is not None:
        message = replace(message, signature=from_hex(document.signature, "signature"))
    if document.mac is None or (document.mac == AUTO and not wanted.message_mac):
        return message
    if document.mac == AUTO:
        return with_mac(message, _mac_secret(message, keys))
    return replace(message, message_mac=from_hex(document.mac, "mac"))


def _wanted(
    document: MessageDocument, use_case: UseCase | None, message: Message, keys: KeyLookup | None
) -> Protection:
    """What the use case has for this message."""
    if document.kind == "pre-command":
        return Protection(signature=False, message_mac=False)
    found = None
    if use_case is not None:
        lookup = None if keys is None else partial(role_of, keys=keys)
        found = expected_protection(use_case, message, role_of=lookup)
    if found is None:
        raise GbcsEncodeError(
            "cannot be told from the use case and the parties",
            path="signature, mac",
            expected='the octets, or null, or "" for a signature part without signature',
            found=AUTO,
        )
    return found


def _signing_key(message: Message, keys: KeyLookup | None) -> PrivateKey:
    originator = message.business_originator_id
    key = None if keys is None else keys.signing_key(originator)
    if key is None:
        raise _no_key("signature", f"the private signing key of {originator}")
    return key


def _mac_secret(message: Message, keys: KeyLookup | None) -> bytes:
    secret = None if keys is None else next(iter(mac_secrets(message, keys)), None)
    if secret is None:
        raise _no_key("mac", f"a private key agreement key for a message to {message.business_target_id}")
    return secret


def _no_key(path: str, wanted: str) -> GbcsEncodeError:
    return GbcsEncodeError("no key to make it with", path=path, expected=f"its octets, or {wanted}")
