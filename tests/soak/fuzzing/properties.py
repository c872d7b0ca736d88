"""What must hold for the octets of messages, and of what is in them: they are written again, or refused soon.

Each function takes octets and returns how far they came. It raises `Finding` when a property does not hold,
and lets pass whatever else a decoder raises: that is a finding too.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

from fuzzing.judging import Finding, expect, require, require_place, step
from fuzzing.samples import SECRET, SUPPLIER
from smetslab.crypto import PrivateKey
from smetslab.errors import (
    CodecError,
    GbcsDecodeError,
    GbcsEncodeError,
    SecurityError,
    ZclDecodeError,
)
from smetslab.gbcs import asn1
from smetslab.gbcs.codes import Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.describe import describe
from smetslab.gbcs.dlms.apdu import AccessRequest, decode_apdu, is_dlms
from smetslab.gbcs.dlms.axdr import decode_data, encode_data
from smetslab.gbcs.dlms.protection import sealed_octets
from smetslab.gbcs.document_text import read_document
from smetslab.gbcs.gbt import is_block
from smetslab.gbcs.gbz import generic as named_gbz
from smetslab.gbcs.gbz import payload as gbz
from smetslab.gbcs.generic import content_from_generic, content_to_generic
from smetslab.gbcs.generic import der as generic_der
from smetslab.gbcs.keys import CertificateNote, NoKeys, opening_secret
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.named import document_to_message, message_to_document
from smetslab.gbcs.notation import message_octets
from smetslab.gbcs.report import report
from smetslab.gbcs.triage import compare, explain
from smetslab.gbcs.triage.given import read_given
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content, find
from smetslab.gbcs.usecases.asn1 import Asn1Payload
from smetslab.gbcs.usecases.engine import activation_of
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.pki import der as pki_der
from smetslab.zigbee.zcl import CLUSTERS, decode_frame, find_command
from smetslab.zigbee.zcl.foundation import decode_general
from smetslab.zigbee.zcl.types import TYPES, decode_typed, encode_typed

# -- whole messages ------------------------------------------------------------------------------------------


def secret_for(device: Eui64, party: Eui64) -> bytes:
    del device, party
    return SECRET


class Keys(NoKeys):
    """One secret for everybody, and one signing certificate."""

    def certificates_of(self, entity: Eui64) -> tuple[CertificateNote, ...]:
        return (
            CertificateNote(
                entity=entity,
                usage=KeyUsage.DIGITAL_SIGNATURE,
                role=RemotePartyRole.SUPPLIER,
                is_device=False,
                public_key=SIGNING_KEY.public,
                text="CN=sample (serial 1)",
            ),
        )

    def shared_secrets(self, first: Eui64, second: Eui64) -> tuple[bytes, ...]:
        del first, second
        return (SECRET,)

    def entities(self, role: RemotePartyRole | None = None) -> tuple[Eui64, ...]:
        del role
        return (SUPPLIER,)


SIGNING_KEY = PrivateKey.from_seed(b"fuzzing")


def check_message(octets: bytes) -> str:
    """Every way from octets to something a person reads, and back."""
    for known in (None, secret_for):
        root = step(describe, octets, secret_for=known)
        require(
            b"".join([leaf.raw for leaf in root.leaves()]) == octets, "the tree does not cover the octets"
        )
    step(report, octets, secret_for=secret_for)
    try:
        message = decode_message(octets)
    except GbcsDecodeError as error:
        require_place(error, len(octets), "message")
        require(root.error is not None, "describe takes what decode_message refuses")
        return "no message"
    require(encode_message(message) == octets, "the message is not written as it was read")
    with suppress(GbcsDecodeError, SecurityError):
        step(opening_secret, message, Keys())
    check_generic(message)
    outcome = check_parameters(message, len(octets))
    check_document(message)
    return outcome


def check_triage(octets: bytes) -> str:
    """An explanation never fails, and finds fault with what is no message; nor does a comparison."""
    require(not step(compare, octets, octets), "octets differ from themselves")
    if octets:
        require(bool(step(compare, octets, octets[:-1])), "no difference is found where an octet is missing")
    step(explain, octets, Keys(), search=False)
    explanation = step(explain, octets, search=False)
    first = explanation.first_wrong
    if first is not None and first.offset is not None:
        require(0 <= first.offset <= len(octets), "the first wrong octet is outside")
    require(bool(explanation.title and explanation.verdict), "an explanation without words")
    try:
        decode_message(octets)
    except GbcsDecodeError:
        require(bool(explanation.failures) or is_block(octets), "no fault is found with what is no message")
        return "no message"
    return "fault" if explanation.failures else "no fault"


def check_generic(message: Message) -> None:
    """Content without its use case."""
    content = message.content
    form = step(content_to_generic, message)
    again = content_from_generic(json.loads(json.dumps(form)), replace(message, content=b""))
    require(again == content, "generic content is not kept")
    if is_dlms(content):
        try:
            apdu = decode_apdu(content)
        except GbcsDecodeError as error:
            require_place(error, len(content), "APDU")
            return
        require(apdu.encode() == content, "the APDU is not written as it was read")
        require("dlms" in form, "an APDU has no generic form")
        if not isinstance(apdu, AccessRequest):
            expect(GbcsDecodeError, sealed_octets, apdu, message)
    elif gbz.is_gbz(content) and message.cra is not Cra.ALERT:
        check_components(message)


def check_components(message: Message) -> None:
    """GBZ content by the names of its clusters."""
    for secret in (None, SECRET):
        try:
            parameters = step(named_gbz.decode_generic, message, secret)
        except (GbcsDecodeError, SecurityError):
            continue
        again = named_gbz.encode_generic(message, json.loads(json.dumps(parameters)), secret)
        require(again == message.content, "GBZ components without a use case are not written as read")


def check_parameters(message: Message, length: int) -> str:
    """Content as its use case declares it."""
    use_case = find(message)
    if use_case is None:
        return "no use case"
    outcome = "not as declared"
    for secret in (None, SECRET):
        try:
            parameters = step(decode_content, use_case, message, secret)
        except GbcsDecodeError as error:
            require(bool(error.path) or error.offset is not None, "an error without a place")
            require_place(error, length, "content")
            continue
        except SecurityError:
            require(secret is not None, "a security error without a key")
            continue
        outcome = "as declared"
        expect(GbcsDecodeError, activation_of_command, use_case, message, parameters)
        header = replace(message, content=b"")
        try:
            content = step(encode_content, use_case, header, json.loads(json.dumps(parameters)), secret)
        except CodecError as error:
            raise Finding(
                f"decoded parameters are refused: {use_case.name} {message.cra.name}: {error.what}"
            ) from error
        if content != message.content:
            raise Finding(f"content is not written as it was read: {use_case.name} {message.cra.name}")
    return outcome


def activation_of_command(use_case: UseCase, message: Message, parameters: Parameters) -> None:
    if message.cra is Cra.COMMAND:
        activation_of(use_case, parameters)


def check_document(message: Message) -> None:
    """The document of a message, as JSON text, says all of it."""
    text = step(message_to_document, message, SECRET).model_dump_json()
    again = step(document_to_message, read_document(text), Keys())
    require(again == message, "the document does not give the message back")


MAX_GIVEN = 300
"""Of hex text a lost digit is searched for: longer texts take longer, within bounds."""


def check_text(octets: bytes) -> str:
    """Hex, base64 or nothing; a document: refused, or a message that the use case's decoder takes."""
    expect(GbcsDecodeError, message_octets, octets)
    if len(octets) < MAX_GIVEN:
        expect(GbcsDecodeError, read_given, octets)
    try:
        document = step(read_document, octets.decode("utf-8", "surrogateescape"))
        message = step(document_to_message, document, Keys())
    except CodecError:
        return "refused"
    try:
        written = encode_message(message)
    except GbcsEncodeError:
        return "no message"
    require(
        len(written) > MAX_MESSAGE_BYTES or decode_message(written) == message, "a message is read as another"
    )
    use_case = find(message)
    if document.parameters is None or use_case is None:
        return "generic"
    try:
        parameters = step(decode_content, use_case, message, SECRET)
    except (CodecError, SecurityError) as error:
        what = error.what if isinstance(error, CodecError) else str(error)
        if "sealed" in octets.decode("latin-1") or "protected" in octets.decode("latin-1"):
            return "sealed"  # octets that somebody gives as sealed need not be
        raise Finding(f"what is written is not read: {use_case.name} {message.cra.name}: {what}") from error
    header = replace(message, content=b"")
    if encode_content(use_case, header, parameters, SECRET) != message.content:
        raise Finding(f"what is written is not read as it was meant: {use_case.name} {message.cra.name}")
    return "written"


# -- contents by themselves ----------------------------------------------------------------------------------


def bare(cra: Cra, content: bytes) -> Message:
    """A message around `content`."""
    return Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=Eui64(b"\x22" * 8),
        business_target_id=Eui64(b"\x11" * 8),
        other_information=OtherInformation(message_code=0x7FFF),
        content=content,
    )


def check_dlms(octets: bytes) -> str:
    """An APDU, or one Data value."""
    check_generic(bare(Cra.RESPONSE, octets))
    check_generic(bare(Cra.ALERT, octets))
    try:
        data = step(decode_data, octets)
    except GbcsDecodeError as error:
        require_place(error, len(octets), "data")
        return "no data"
    require(encode_data(data) == octets, "data is not written as it was read")
    return "data"


def check_gbz(octets: bytes) -> str:
    """GBZ content: the short way and the careful way through it agree, names and numbers give it back."""
    check_generic(bare(Cra.RESPONSE, octets))
    check_generic(bare(Cra.ALERT, octets))
    expect(GbcsDecodeError, gbz.decode_alert, octets)
    try:
        quick = step(gbz.decode_components, octets)
    except GbcsDecodeError as error:
        require_place(error, len(octets), "components")
        quick = None
    usual, gbz._read_usual = gbz._read_usual, lambda content, base: None
    try:
        careful = step(gbz.decode_components, octets)
    except GbcsDecodeError:
        careful = None
    finally:
        gbz._read_usual = usual
    require(quick == careful, "the two ways through GBZ content differ")
    if careful is None:
        return "no components"
    components = tuple([item.component for item in careful])
    require(gbz.encode_components(components) == octets, "components are not written as they were read")
    check_components(bare(Cra.RESPONSE, octets))
    return "components"


ASN1_TYPES = sorted(
    name
    for row in USE_CASES.values()
    if isinstance(row.payload, Asn1Payload)
    for name in (row.payload.command, row.payload.response, row.payload.alert)
    if name is not None
)


def check_asn1(octets: bytes) -> str:
    """The first octet chooses a type of the schema, the others are its element."""
    content = octets[1:]
    name = ASN1_TYPES[octets[0] % len(ASN1_TYPES)] if octets else ASN1_TYPES[0]
    expect(GbcsDecodeError, generic_der.elements_to_json, content)
    try:
        elements = pki_der.elements(content)
    except CodecError as error:
        require_place(error, len(content), "DER")
    else:
        require(b"".join([item.raw for item in elements]) == content, "DER elements lose octets")
        for item in elements:
            expect(CodecError, pki_der.dotted, item.content)
    try:
        parameters = step(asn1.decode, name, content)
    except GbcsDecodeError as error:
        require(error.offset is not None, "an ASN.1 error without an offset")
        require_place(error, len(content), "ASN.1")
        return "refused"
    again = asn1.encode(name, json.loads(json.dumps(parameters)))
    require(again == content, f"ASN.1 is not written as it was read: {name}")
    return "read"


# -- ZCL -----------------------------------------------------------------------------------------------------

CLUSTER_IDS = sorted(CLUSTERS)
TYPE_CODES = sorted(TYPES)


def check_zcl(octets: bytes) -> str:
    """The first octet chooses a cluster, the others are a frame; and a type, whose value they are."""
    cluster = CLUSTER_IDS[octets[0] % len(CLUSTER_IDS)] if octets else CLUSTER_IDS[0]
    data = octets[1:]
    check_zcl_value(TYPE_CODES[octets[0] % len(TYPE_CODES)] if octets else 0, data)
    try:
        frame = decode_frame(data)
    except ZclDecodeError as error:
        require_place(error, len(data), "ZCL frame")
        return "no frame"
    require(frame.encode() == data, "a ZCL frame is not written as it was read")
    try:
        general = step(decode_general, frame)
    except ZclDecodeError as error:
        require_place(error, len(frame.payload), "general command")
        return "no general command"
    if general is not None:
        require(general.encode() == frame.payload, f"not written as it was read: {type(general).__name__}")
        return "general command"
    command = find_command(cluster, frame)
    if command is None:
        return "unknown command"
    try:
        record = step(command.decode, frame.payload)
    except ZclDecodeError as error:
        require_place(error, len(frame.payload), "command")
        return "no command"
    require(command.encode(record) == frame.payload, f"not written as it was read: {command!r}")
    again = command.from_json(json.loads(json.dumps(command.to_json(record))))
    require(command.encode(again) == frame.payload, f"the JSON form is not the value: {command!r}")
    return "command"


def check_zcl_value(code: int, data: bytes) -> None:
    try:
        value, end = step(decode_typed, code, data, 0, len(data))
    except ZclDecodeError as error:
        require_place(error, len(data), "ZCL value")
        return
    for shown in (value, TYPES[code].from_json(json.loads(json.dumps(TYPES[code].to_json(value))))):
        out = bytearray()
        encode_typed(code, shown, out)
        require(out == data[:end], f"not written as it was read: {TYPES[code]!r}")
