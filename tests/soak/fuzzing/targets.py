"""The targets: what is fuzzed, from which valid inputs on, with which mutations."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from fuzzing import documents, mutators, properties, transfers
from fuzzing.null_cipher import null_cipher
from fuzzing.samples import (
    DEVICE,
    SECRET,
    SUPPLIER,
    all_messages,
    any_leaf,
    asn1_octets,
    header,
    parameters_of,
    zcl_octets,
)
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import (
    DeviceAlert,
    DeviceResponse,
    FutureDatedDeviceAlert,
    LocalCommand,
    PreCommand,
    Request,
    RequestHeader,
    RequestId,
    Response,
    ResponseBody,
    ResponseMessage,
    signed_pre_command_body,
    write_request,
    write_response,
)
from smetslab.duis.srv import SERVICE_REQUESTS, from_parameters, write_body
from smetslab.errors import CodecError
from smetslab.gbcs.asn1.codec import types
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import is_dlms
from smetslab.gbcs.gbt import BlockRules, segment
from smetslab.gbcs.gbz.payload import is_gbz
from smetslab.gbcs.message import Message, encode_message
from smetslab.gbcs.named import message_to_document
from smetslab.gbcs.usecases import encode_content
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.pki import Authority
from smetslab.rng import RootSeed
from smetslab.zigbee.zcl import CLUSTERS, SERVER_TO_CLIENT
from smetslab.zigbee.zcl.foundation import (
    AttributeValue,
    DefaultResponse,
    ReadAttributes,
    ReadAttributesResponse,
    ReadResult,
    ReportAttributes,
    WriteAttributes,
    WriteAttributesResponse,
    WriteResult,
    general_frame,
)
from smetslab.zigbee.zcl.types import TYPES, decode_typed

VARIANTS = 2
"""How many different samples of each message there are."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz. `check` needs the null cipher."""

    name: str
    check: Callable[[bytes], str]
    mutate: mutators.Mutator
    seeds: Callable[[], Iterator[bytes]]


@cache
def sample_messages() -> tuple[Message, ...]:
    """Samples of every declared message; what they have sealed is under the null cipher."""
    messages: list[Message] = []
    with null_cipher():
        for use_case, cra in all_messages():
            for variant in range(VARIANTS):
                rng = random.Random(f"{use_case.name} {cra} {variant}")
                bare = header(use_case, cra, rng)
                parameters = parameters_of(use_case, cra, rng)
                messages.append(replace(bare, content=encode_content(use_case, bare, parameters, SECRET)))
    return tuple(messages)


def message_seeds() -> Iterator[bytes]:
    for message in sample_messages():
        yield encode_message(message)


def dlms_seeds() -> Iterator[bytes]:
    rng = random.Random("DLMS")
    for message in sample_messages():
        if is_dlms(message.content):
            yield message.content
    leaves = [any_leaf(rng) for _ in range(60)]
    yield axdr.encode_data(axdr.structure(axdr.null(), axdr.DontCare(), *leaves))
    yield axdr.encode_data(axdr.compact_array(axdr.describe_type(axdr.array(*leaves[:1])), ()))
    for tag, size in axdr.FIXED_OCTETS.items():
        yield axdr.encode_data(axdr.Octets(tag, rng.randbytes(size)))


def gbz_seeds() -> Iterator[bytes]:
    for message in sample_messages():
        if is_gbz(message.content):
            yield message.content


def asn1_seeds() -> Iterator[bytes]:
    for place, name in enumerate(properties.ASN1_TYPES):
        for variant in range(VARIANTS):
            rng = random.Random(f"{name} {variant}")
            yield bytes((place,)) + asn1_octets(types()[name], rng)


def zcl_seeds() -> Iterator[bytes]:
    for place, cluster in enumerate(properties.CLUSTER_IDS):
        for command in CLUSTERS[cluster].commands.values():
            rng = random.Random(f"{cluster} {command.name}")
            frame = command.frame(command.decode(zcl_octets(command.fields, rng)), sequence=1)
            yield bytes((place,)) + frame.encode()
    rng = random.Random("ZCL")
    results, values = [], []
    for number, (code, kind) in enumerate(TYPES.items()):
        octets = zcl_octets(kind, rng)
        yield bytes((properties.TYPE_CODES.index(code),)) + octets
        value, _ = decode_typed(code, octets, 0, len(octets))
        results.append(ReadResult(number, 0, code, value))
        values.append(AttributeValue(number, code, value))
    for general in (
        ReadAttributes((0, 1)),
        ReadAttributesResponse((ReadResult(1, 0x86), *results)),
        WriteAttributes(tuple(values)),
        WriteAttributesResponse((WriteResult(0x86, 1),)),
        ReportAttributes(tuple(values)),
        DefaultResponse(0, 0x81),
    ):
        yield b"\x00" + general_frame(general, direction=SERVER_TO_CLIENT, sequence=1).encode()


def block_seeds() -> Iterator[bytes]:
    message = encode_message(properties.bare(Cra.RESPONSE, bytes(300)))
    for block in segment(message, BlockRules(block_octets=200)):
        yield block.encode()
        yield replace(block, data=b"", acknowledged=1).encode()
    rng = random.Random("blocks")
    for _ in range(20):
        yield b"\x00\xc0\x01\xff" + rng.randbytes(40)


def utrn_seeds() -> Iterator[bytes]:
    for value_class, value in ((ValueClass.PENCE, 1), (ValueClass.POUNDS, 8191)):
        utrn = build_utrn(
            counter=7 << 32,
            value_class=value_class,
            value=value,
            secret=SECRET,
            supplier=SUPPLIER,
            device=DEVICE,
        )
        yield utrn.digits.encode()


def duis_seeds() -> Iterator[bytes]:
    ids = RequestId(SUPPLIER, DEVICE, 1000)
    for row in SERVICE_REQUESTS.values():
        for mapping in row.mappings:
            for variant in range(3):
                rng = random.Random(f"{row.variant} {mapping.use_case.name} {variant}")
                try:
                    elements = from_parameters(mapping, parameters_of(mapping.use_case, Cra.COMMAND, rng))
                    body = write_body(row, elements)
                except CodecError:
                    continue  # what no request asks for
                yield write_request(
                    Request(
                        header=RequestHeader(
                            request_id=ids,
                            command_variant=CommandVariant.SEND,
                            service_reference=row.reference,
                            variant=row.variant,
                            first_in_sequence=variant == 1,
                            preceding_request_id=ids if variant == 1 else None,
                        ),
                        body=body,
                    )
                )
    yield write_request(
        Request(
            header=RequestHeader(
                request_id=ids,
                command_variant=CommandVariant.SEND_SIGNED,
                service_reference="7.2",
                variant="7.2",
            ),
            body=signed_pre_command_body(bytes(20)),
        )
    )
    bodies: tuple[ResponseBody, ...] = (
        ResponseMessage("4.1", "4.1.1", DeviceResponse(bytes(20))),
        ResponseMessage("7.2", "7.2", PreCommand(bytes(20), "4.1")),
        ResponseMessage("7.2", "7.2", LocalCommand(bytes(20))),
        ResponseMessage("1.1", "1.1.1", FutureDatedDeviceAlert("8F66", bytes(20), 1, 2)),
        ResponseMessage("4.1", "4.1.1"),
        DeviceAlert("8F0F", bytes(20)),
    )
    for body in bodies:
        yield write_response(
            Response(
                code="I0",
                date_time=datetime(2030, 1, 15, 9, tzinfo=UTC),
                body=body,
                request_id=ids,
                response_id=ids.swapped(),
            )
        )


def certificate_seeds() -> Iterator[bytes]:
    authority = Authority(RootSeed(20))
    certificates = [entry.certificate for entry in authority.keystore([DEVICE]).entries]
    for certificate in certificates[:2] + certificates[-2:]:
        yield certificate.der
    yield certificates[0].to_pem()


def text_seeds() -> Iterator[bytes]:
    for message in sample_messages():
        if len(message.content) < 20:
            octets = encode_message(message)
            yield octets.hex(" ").encode()
            yield b64encode(octets)
        yield message_to_document(message, SECRET).model_dump_json().encode()
        if len(message.content) < 40:
            other = replace(
                message, other_information=replace(message.other_information, message_code=0x7FFF)
            )
            yield message_to_document(other).model_dump_json().encode()


TARGETS = {
    target.name: target
    for target in (
        Target("message", properties.check_message, mutators.message, message_seeds),
        Target("triage", properties.check_triage, mutators.message, message_seeds),
        Target("dlms", properties.check_dlms, mutators.dlms, dlms_seeds),
        Target("gbz", properties.check_gbz, mutators.components, gbz_seeds),
        Target("asn1", properties.check_asn1, mutators.chosen_elements, asn1_seeds),
        Target("zcl", properties.check_zcl, mutators.zcl, zcl_seeds),
        Target("text", properties.check_text, mutators.document, text_seeds),
        Target("blocks", transfers.check_blocks, mutators.octets_only, block_seeds),
        Target("utrn", documents.check_utrn, mutators.octets_only, utrn_seeds),
        Target("duis", documents.check_duis, mutators.xml, duis_seeds),
        Target("certificate", documents.check_certificate, mutators.elements, certificate_seeds),
    )
}
