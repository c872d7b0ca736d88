"""What must hold for any octets: a value that is written again octet for octet, or a deliberate error, soon.

Each function takes octets and returns how far they came. It raises `Finding` when a property does not hold,
and lets pass whatever else a decoder raises: that is a finding too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from fuzzing.samples import SECRET, SUPPLIER
from smetslab.crypto import PrivateKey
from smetslab.duis.document import (
    SIGNED_PRE_COMMAND,
    parse_request,
    parse_response,
    read_signed_pre_command,
    write_request,
    write_response,
)
from smetslab.duis.element import parse_document, write_document
from smetslab.duis.srv import Context, from_parameters, read_body, to_parameters, write_body
from smetslab.duis.srv import find as find_service_request
from smetslab.errors import (
    CertificateError,
    CodecError,
    DuisError,
    GbcsDecodeError,
    GbcsEncodeError,
    SecurityError,
    ZclDecodeError,
)
from smetslab.gbcs import asn1
from smetslab.gbcs.codes import Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.describe import describe
from smetslab.gbcs.dlms.apdu import AccessRequest, decode_apdu, is_dlms
from smetslab.gbcs.dlms.axdr import decode_data, encode_data
from smetslab.gbcs.dlms.protection import sealed_octets
from smetslab.gbcs.document_text import read_document
from smetslab.gbcs.gbt import BlockRules, BlockTransfer, decode_block, is_block, routing
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
from smetslab.gbcs.utrn import full_counter, parse_utrn
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.pki import check_profile, parse_certificate
from smetslab.pki import der as pki_der
from smetslab.pki.names import DistinguishedName
from smetslab.zigbee.zcl import CLUSTERS, decode_frame, find_command
from smetslab.zigbee.zcl.foundation import decode_general
from smetslab.zigbee.zcl.types import TYPES, decode_typed, encode_typed

TIME_LIMIT_S = 1.0
"""CPU seconds that one step may take, instrumented code included."""

P = ParamSpec("P")
T = TypeVar("T")


class Finding(AssertionError):
    """A property does not hold. The text is the same for every input that breaks it in the same way."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Finding(what)


def step(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` and look at the clock."""
    start = time.process_time()
    try:
        return function(*args, **kwargs)
    finally:
        taken = time.process_time() - start
        if taken > TIME_LIMIT_S:
            raise Finding(f"{function.__name__} takes more than {TIME_LIMIT_S} s")


def require_place(error: CodecError, length: int, what: str) -> None:
    """An error that names an offset names one in what was given."""
    require(error.offset is None or 0 <= error.offset <= length, f"{what}: offset outside: {error.what}")


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


def expect(error: type[Exception], function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function`, which may raise `error` and nothing else."""
    with suppress(error):
        step(function, *args, **kwargs)


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


# -- block transfer ------------------------------------------------------------------------------------------

_RULES = BlockRules(block_octets=40, window=3, concurrent=4)


def check_blocks(octets: bytes) -> str:
    """The octets are a block; and a script of what happens to transfers between two actors.

    Whatever arrives, in whatever order, is a message that was sent, and never more is kept than the limits.
    """
    outcome = "no block"
    try:
        block = decode_block(octets)
    except GbcsDecodeError as error:
        require_place(error, len(octets), "block")
    else:
        require(block.encode() == octets, "a block is not written as it was read")
        outcome = "block"
    if is_block(octets):
        expect(GbcsDecodeError, routing, octets)
    expect(GbcsDecodeError, BlockTransfer(_RULES).receive, octets, 0.0)
    _Exchange().play(octets)
    return outcome


class _Exchange:
    """Two actors and what is under way between them."""

    def __init__(self) -> None:
        self.actors = (BlockTransfer(_RULES), BlockTransfer(_RULES))
        self.wires: tuple[list[bytes], list[bytes]] = ([], [])
        self.sent: list[set[bytes]] = [set(), set()]
        self.now = 0.0
        self.counter = 0
        self.damaged = False

    def play(self, script: bytes) -> None:
        for place in range(0, min(len(script), 200) - 1, 2):
            self._act(script[place], script[place + 1])
        for _ in range(100):  # what is under way comes to an end
            for side in (0, 1):
                while self.wires[side]:
                    self._deliver(side, self.wires[side].pop(0))
            deadlines = [actor.next_deadline() for actor in self.actors]
            coming = [deadline for deadline in deadlines if deadline is not None]
            if not coming:
                return
            self._wait(min(coming) - self.now)
        raise Finding("block transfers never end")

    def _act(self, what: int, how: int) -> None:
        side, wire = what & 1, self.wires[what & 1]
        match what >> 1 & 7:
            case 0:
                self._send(side, how)
            case 1 | 2 if wire:
                self._deliver(side, wire.pop(how % len(wire)))
            case 3 if wire:
                self._deliver(side, wire[how % len(wire)])
            case 4 if wire:
                del wire[how % len(wire)]
            case 5 if wire:
                place = how % len(wire)
                wire[place] = wire[place][:-1] + bytes((wire[place][-1] ^ 0x80 ^ how,))
                self.damaged = True
            case 6:
                self._wait(how)

    def _send(self, side: int, how: int) -> None:
        self.counter += 1
        message = encode_message(
            replace(bare(Cra.RESPONSE, bytes((self.counter & 0xFF,)) * how), originator_counter=self.counter)
        )
        self.sent[side].add(message)
        self.wires[side].extend(self.actors[side].send(message, self.now))

    def _deliver(self, side: int, octets: bytes) -> None:
        try:
            received = self.actors[1 - side].receive(octets, self.now)
        except GbcsDecodeError:
            return
        self.wires[1 - side].extend(received.replies)
        require(len(self.wires[1 - side]) < 5000, "block transfers multiply")
        if received.message is not None and is_block(octets):
            sizes = {len(message) for message in self.sent[side]}
            same = len(received.message) in sizes if self.damaged else received.message in self.sent[side]
            require(same, "a message is put together wrongly")

    def _wait(self, seconds: float) -> None:
        self.now += seconds
        for side in (0, 1):
            self.wires[side].extend(self.actors[side].expire(self.now).resend)


# -- texts and documents of others ---------------------------------------------------------------------------


def check_utrn(octets: bytes) -> str:
    """Twenty digits, or not."""
    text = octets.decode("latin-1")
    outcome = "no UTRN"
    for digits in (text, octets.decode("utf-8", "replace")):
        try:
            utrn = parse_utrn(digits)
        except GbcsDecodeError as error:
            require(error.path == "UTRN", "an error about something else")
            continue
        require(utrn.digits == digits, "a UTRN is not written as it was read")
        counter = full_counter(utrn.truncated_counter, utrn.token & 0xFFFFFFFF)
        require(
            0 <= counter < 1 << 65 and counter >> 32 & 0x3FF == utrn.truncated_counter, "wrong full counter"
        )
        outcome = "UTRN"
    return outcome


_KNOWN = Context(
    now=datetime(2015, 1, 1, tzinfo=UTC),
    originator_counter=1000,
    peer_type=DeviceType.PPMID,
    peer_certificate=bytes.fromhex("3082"),
    hub_log_han="0000000000000140",
    hub_log_devices=[],
    gas_proxy_log=[],
    customer_identification_number="1234",
)


def check_duis(octets: bytes) -> str:
    """An XML document, perhaps a request or a response."""
    try:
        root = step(parse_document, octets)
    except DuisError as error:
        require_place(error, len(octets), "document")
        return "no document"
    require(parse_document(write_document(root)) == root, "an element tree is not written as it was read")
    outcome = "document"
    try:
        request = step(parse_request, octets)
    except DuisError as error:
        require_place(error, len(octets), "request")
    else:
        unsigned = replace(request, signed=False)
        require(parse_request(write_request(unsigned)) == unsigned, "a request is not written as it was read")
        if request.body.name == SIGNED_PRE_COMMAND:
            expect(DuisError, read_signed_pre_command, request.body)
        row = find_service_request(request.header.variant)
        if row is not None:
            outcome = "request"
            try:
                elements = step(read_body, row, request.body)
            except DuisError as error:
                require_place(error, len(octets), "body")
            else:
                outcome = "service request"
                body = write_body(row, elements)
                require(
                    read_body(row, body) == elements, f"a body is not written as it was read: {row.variant}"
                )
                for mapping in row.mappings:
                    try:
                        parameters = to_parameters(mapping, elements, _KNOWN)
                    except DuisError:
                        continue
                    expect(DuisError, from_parameters, mapping, parameters)
    try:
        response = step(parse_response, octets)
    except DuisError as error:
        require_place(error, len(octets), "response")
        return outcome
    date_time = response.date_time.replace(microsecond=response.date_time.microsecond // 1000 * 1000)
    response = replace(response, date_time=date_time)
    require(parse_response(write_response(response)) == response, "a response is not written as it was read")
    return "response"


def check_certificate(octets: bytes) -> str:
    """DER or PEM of a certificate."""
    expect(CodecError, DistinguishedName.decode, octets)
    try:
        certificate = step(parse_certificate, octets)
    except CertificateError:
        return "refused"
    require(certificate.der == octets or b"-----BEGIN" in octets, "a certificate loses octets")
    require(parse_certificate(certificate.to_pem()) == certificate, "PEM is another certificate")
    step(check_profile, certificate)
    require(bool(certificate.title), "a certificate without a title")
    certificate.signed_by(certificate.public_key)
    return "certificate"
