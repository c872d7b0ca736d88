"""The DUIS services over HTTP: what is taken, what is refused and how, and that nothing breaks them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from lxml import etree

from smetslab.clock import run_virtual
from smetslab.dcc.services.doorkeeper import check_signer, tree_signer
from smetslab.dcc.services.settings import CallbackSettings, DoorSettings
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import (
    DeviceResponse,
    LocalCommand,
    PreCommand,
    parse_request,
    parse_response,
)
from smetslab.duis.schema import DuisSchema
from smetslab.duis.xmldsig import parse_tree, sign_document
from smetslab.errors import SecurityError, StoreError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Authority, Certificate
from smetslab.rng import RootSeed

OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

SUPPLIER = Eui64.parse("90B3D51F30010000")
ESME = Eui64.parse("00DB1234567890A0")
CALLBACK = "http://user.test:1880/smartdcc/duis"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><l>&c;</l>'
)
EXTERNAL = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


def _signed_by_dcc(document: bytes, house: Any) -> bool:
    def find(serial: int) -> Certificate | None:
        certificate = house.signer.certificate
        return certificate if certificate.serial == serial else None

    try:
        tree_signer(parse_tree(document), find)
    except SecurityError:
        return False
    return True


def test_read_is_acknowledged_unsigned_and_answered_signed_by_call_back(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house() as house:
            request = house.request()
            answer = await house.post(request)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
            acknowledgement = parse_response(answer.content)
            request_id = parse_request(request).header.request_id
            assert (acknowledgement.code, acknowledgement.request_id) == ("I99", request_id)
            assert b"Signature" not in answer.content
            await house.user.wait_for(1)
            ((moment, document),) = house.user.received
            response = parse_response(document)
            assert (response.code, response.request_id) == ("I0", request_id)
            assert isinstance(response.payload, DeviceResponse)
            assert _signed_by_dcc(document, house)
            assert moment >= 1.0

    run_virtual(main())


def test_transformed_and_local_commands_come_back_at_once_and_signed(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house() as house:
            for command_variant, service, kind in (
                (CommandVariant.TRANSFORM, "serviceT", PreCommand),
                (CommandVariant.RETURN_LOCALLY, "serviceD", LocalCommand),
            ):
                variant = "7.1" if command_variant is CommandVariant.TRANSFORM else "4.1.1"
                document = house.request(variant, {}, command_variant)
                answer = (await house.post(document, service)).content
                assert isinstance(parse_response(answer).payload, kind)
                assert _signed_by_dcc(answer, house)
            assert await house.postman.drain(60) == 0
            assert house.user.received == []

    run_virtual(main())


def test_acknowledgements_are_signed_when_that_is_set(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house(door=DoorSettings(sign_acknowledgements=True)) as house:
            answer = (await house.post(house.request())).content
            assert parse_response(answer).code == "I99"
            assert _signed_by_dcc(answer, house)
            await house.user.wait_for(1)

    run_virtual(main())


def test_bad_documents_are_refused_without_a_traceback_and_without_a_request(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house() as house:
            good = house.request()
            cases = [
                (b"", 400),
                (b"<", 400),
                (b"\0" * 100, 400),
                (b"<a>" * 100_000, 400),
                (LAUGHS, 400),
                (EXTERNAL, 400),
                (good.replace(b"<sr:CommandVariant>1", b"<sr:CommandVariant>77"), 400),
                (house.sign(house.request(signed=False).replace(b"RegistersX", b"")) + b"<", 400),
                (house.request(signed=False), 403),
                (good.replace(b"-A0:", b"-A1:"), 403),
                (good.replace(b"</ds:SignatureValue>", b"A</ds:SignatureValue>"), 403),
                (house.sign(house.request(signed=False), Eui64.parse("90B3D51F30020000")), 403),
            ]
            for document, status in cases:
                answer = await house.post(document)
                assert (answer.status_code, answer.content) == (status, b""), document[:200]
            # The good one is still good.
            assert parse_response((await house.post(good)).content).code == "I99"
            await house.user.wait_for(1)

    run_virtual(main())


def test_wrong_type_verb_path_and_encoding_are_refused(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house() as house:
            good = house.request()
            for headers in (
                {},
                {"Content-Type": "text/plain"},
                {"Content-Type": "application/xml; charset=utf-16"},
                {"Content-Type": "application/xml", "Content-Encoding": "gzip"},
            ):
                assert (await house.post(good, headers=headers)).status_code == 415, headers
            assert (await house.http.get("/api/v1/serviceS")).status_code == 405
            assert (await house.http.put("/api/v1/serviceS", content=good)).status_code == 405
            assert (await house.post(good, "serviceX")).status_code == 404
            accepted = await house.post(good, headers={"Content-Type": 'text/xml; charset="UTF-8"'})
            assert parse_response(accepted.content).code == "I99"
            await house.user.wait_for(1)

    run_virtual(main())


def test_bodies_are_bounded_whether_they_say_their_length_or_not(open_house: OpenHouse) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65536

    async def main() -> None:
        async with open_house() as house:
            assert (await house.post(b" " * (50 * 1024 * 1024))).status_code == 413
            answer = await house.http.post(
                "/api/v1/serviceS", content=endless(), headers={"Content-Type": "application/xml"}
            )
            assert answer.status_code == 413
            # What may be a firmware image may be longer at the service for non-device requests, nothing else.
            long = house.request(signed=False).replace(b"<sr:Body>", b"<sr:Body>" + b" " * (2 * 1024 * 1024))
            assert (await house.post(long, "serviceD")).status_code == 400
            assert (await house.post(long)).status_code == 413

    run_virtual(main())
    assert 16 <= sent <= 18


def test_body_that_does_not_end_is_given_up_and_holds_up_nobody(open_house: OpenHouse) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"<"
        await asyncio.Event().wait()

    async def main() -> None:
        async with open_house(door=DoorSettings(body_timeout_s=30)) as house:
            async with asyncio.TaskGroup() as tasks:
                slow = tasks.create_task(
                    house.http.post(
                        "/api/v1/serviceS", content=stuck(), headers={"Content-Type": "application/xml"}
                    )
                )
                await asyncio.sleep(1)
                started = house.lab.clock.time()
                assert parse_response((await house.post(house.request())).content).code == "I99"
                assert house.lab.clock.time() == started
            assert slow.result().status_code == 408
            await house.user.wait_for(1)

    run_virtual(main())


def test_duis_refusals_are_http_200(open_house: OpenHouse) -> None:
    stranger = Eui64.parse("00DB1234567890FF")

    async def main() -> None:
        async with open_house() as house:
            unknown = await house.post(house.request(target=stranger))
            assert (unknown.status_code, parse_response(unknown.content).code) == (200, "E19")
            wrong_service = await house.post(house.request(), "serviceT")
            assert (wrong_service.status_code, parse_response(wrong_service.content).code) == (200, "E13")
            assert await house.postman.drain(60) == 0

    run_virtual(main())


def test_errors_are_told_in_duis_when_that_is_set(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house(door=DoorSettings(errors_in_duis=True)) as house:
            unsigned = await house.post(house.request(signed=False))
            assert (unsigned.status_code, parse_response(unsigned.content).code) == (200, "E65")
            assert (await house.post(b"<a/>")).status_code == 400

    run_virtual(main())


def test_signatures_are_not_asked_for_when_that_is_set(open_house: OpenHouse) -> None:
    async def main() -> None:
        async with open_house(door=DoorSettings(verify_signatures=False)) as house:
            answer = await house.post(house.request(signed=False))
            assert parse_response(answer.content).code == "I99"
            await house.user.wait_for(1)

    run_virtual(main())


def test_schema_refuses_what_our_own_models_would_take(open_house: OpenHouse, schema_dir: Path) -> None:
    schema = DuisSchema(schema_dir)

    async def main() -> None:
        async with open_house(schema=schema) as house:
            good = house.request(signed=False)
            odd = good.replace(b"<sr:ServiceReferenceVariant>4.1.1", b"<sr:ServiceReferenceVariant>4.1.99")
            assert odd != good
            assert (await house.post(house.sign(odd))).status_code == 400
            assert parse_response((await house.post(house.sign(good))).content).code == "I99"
            await house.user.wait_for(1)

    run_virtual(main())


def test_documents_are_valid_under_the_schema(open_house: OpenHouse, schema_dir: Path) -> None:
    schema = DuisSchema(schema_dir)

    async def main() -> list[bytes]:
        async with open_house() as house:
            answers = [
                (await house.post(house.request())).content,
                (await house.post(house.request("7.1", {}, CommandVariant.TRANSFORM), "serviceT")).content,
                (await house.post(house.request(target=SUPPLIER))).content,
            ]
            await house.user.wait_for(1)
            return [*answers, *house.user.documents]

    documents = run_virtual(main())
    assert [parse_response(document).code for document in documents] == ["I99", "I0", "E19", "I0"]
    for document in documents:
        schema.validate(document)


def test_no_answer_leaves_before_what_it_says_is_on_the_disk(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        disk: list[asyncio.Future[None]] = []

        async def durable() -> None:
            disk.append(asyncio.get_running_loop().create_future())
            await disk[-1]

        async with open_house(durable=durable) as house:
            answers = [asyncio.ensure_future(house.post(house.request())) for _ in range(2)]
            await asyncio.sleep(1)
            assert not any(answer.done() for answer in answers)
            disk[0].set_result(None)
            disk[1].set_exception(StoreError("disk full"))
            statuses = [(await answer).status_code for answer in answers]
            assert statuses == [200, 503]
            # Both are carried out: who was told nothing sends again, and learns that its counter was taken.
            await house.user.wait_for(2)

    run_virtual(main())
    assert "service unavailable" in [record.getMessage() for record in caplog.records]
    caplog.clear()


def test_stopped_dcc_is_unavailable(open_house: OpenHouse, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with open_house() as house:
            request = house.request()
            await house.lab.dcc.__aexit__(None, None, None)
            answer = await house.post(request)
            assert (answer.status_code, answer.content) == (503, b"")

    run_virtual(main())
    assert "service unavailable" in [record.getMessage() for record in caplog.records]
    caplog.clear()


def test_log_says_what_happened_and_shows_no_document(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with open_house() as house:
            await house.post(house.request())
            await house.post(b"<a/>")
            await house.user.wait_for(1)
            assert await house.postman.drain(1) == 0

    with caplog.at_level(logging.INFO):
        run_virtual(main())
    seen = [
        (record.getMessage(), getattr(record, "smetslab_fields", {}).get("status"))
        for record in caplog.records
        if record.name == "smetslab.services"
    ]
    assert seen == [("request", 200), ("request refused", 400), ("call-back delivered", 204)]


def test_signer_must_be_the_originator_with_a_certificate_for_it(open_house: OpenHouse) -> None:
    authority = Authority(RootSeed(9))

    async def documents() -> bytes:
        async with open_house() as house:
            return house.request(signed=False)

    document = run_virtual(documents())
    request = parse_request(document)
    own = authority.organisation(SUPPLIER, 0x02, KeyUsage.DIGITAL_SIGNATURE)
    assert own.private_key is not None
    signed = sign_document(document, key=own.private_key, issuer_name="CN=a", serial=own.certificate.serial)
    certificate = tree_signer(parse_tree(signed), lambda serial: own.certificate)
    check_signer(certificate, request, None)
    check_signer(certificate, request, own.certificate.not_before)
    refused = [
        authority.organisation(SUPPLIER, 0x00, KeyUsage.DIGITAL_SIGNATURE).certificate,
        authority.organisation(SUPPLIER, 0x02, KeyUsage.KEY_AGREEMENT).certificate,
        authority.organisation(ESME, 0x87, KeyUsage.DIGITAL_SIGNATURE).certificate,
        authority.device(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE).certificate,
    ]
    for wrong in refused:
        with pytest.raises(SecurityError):
            check_signer(wrong, request, None)
    with pytest.raises(SecurityError, match="not valid at 2014"):
        check_signer(certificate, request, certificate.not_before.replace(year=2014))
    with pytest.raises(SecurityError, match="is not known"):
        tree_signer(parse_tree(signed), lambda serial: None)


def test_call_back_address_of_one_user_goes_before_that_of_all(open_house: OpenHouse) -> None:
    async def main() -> None:
        callbacks = CallbackSettings(default="http://nobody.test/", by_originator={SUPPLIER: CALLBACK})
        async with open_house(callbacks=callbacks) as house:
            await house.post(house.request())
            await house.user.wait_for(1)
            assert len(house.user.received) == 1

    run_virtual(main())


def test_answers_are_compact_documents(open_house: OpenHouse) -> None:
    async def main() -> bytes:
        async with open_house() as house:
            return (await house.post(house.request("7.1", {}, CommandVariant.TRANSFORM), "serviceT")).content

    document = run_virtual(main())
    assert all(not (element.tail or "").strip("\n") for element in etree.fromstring(document).iter())
    assert b"\n" not in document
