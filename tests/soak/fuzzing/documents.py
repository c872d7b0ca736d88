"""What must hold of documents beside messages: UTRNs, requests and responses in XML, certificates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from fuzzing.judging import expect, require, require_place, step
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
from smetslab.errors import CertificateError, CodecError, DuisError, GbcsDecodeError
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.utrn import full_counter, parse_utrn
from smetslab.pki import check_profile, parse_certificate
from smetslab.pki.names import DistinguishedName


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
