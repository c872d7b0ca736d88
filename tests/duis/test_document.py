"""Requests and responses: every kind round trips, and what is wrong is named with its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from smetslab.duis.codes import CommandVariant, WebService
from smetslab.duis.document import (
    DeviceAlert,
    DeviceResponse,
    FutureDatedDeviceAlert,
    LocalCommand,
    OtherBody,
    OtherPayload,
    PreCommand,
    Request,
    RequestHeader,
    RequestId,
    Response,
    ResponseBody,
    ResponseMessage,
    SignedPreCommand,
    Throttled,
    leaf,
    node,
    parse_date_time,
    parse_request,
    parse_response,
    read_signed_pre_command,
    signed_pre_command_body,
    write_request,
    write_response,
)
from smetslab.duis.element import Element
from smetslab.errors import DuisError
from smetslab.ids import Eui64

USER = Eui64.parse("90B3D51F30010000")
DEVICE = Eui64.parse("00DB1234567890A0")
REQUEST_ID = RequestId(USER, DEVICE, 1000)
MOMENT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)

READ = Request(
    header=RequestHeader(
        request_id=REQUEST_ID,
        command_variant=CommandVariant.SEND,
        service_reference="4.1",
        variant="4.1.1",
    ),
    body=Element("ReadInstantaneousImportRegisters"),
)
SEQUENCED = Request(
    header=RequestHeader(
        request_id=REQUEST_ID,
        command_variant=CommandVariant.SEND_SIGNED,
        service_reference="7.2",
        variant="7.2",
        first_in_sequence=False,
        preceding_request_id=RequestId(USER, DEVICE, 999),
    ),
    body=signed_pre_command_body(b"\xdf\x09"),
    schema_version="5.4",
)
DCC_ALERT = node(
    "DCCAlertMessage",
    leaf("DCCAlertCode", "N24"),
    node(
        "DCCAlert",
        node("UpdateHANDeviceLogResult", leaf("UpdateHANDeviceLogServiceRequestID", str(REQUEST_ID))),
    ),
)
BODIES: tuple[ResponseBody, ...] = (
    ResponseMessage("4.1", "4.1.1"),
    ResponseMessage("4.1", "4.1.1", DeviceResponse(b"\xdd" * 200)),
    ResponseMessage("7.2", "7.2", PreCommand(b"\xdf\x09", "4.1")),
    ResponseMessage("4.1", "4.1.1", LocalCommand(b"\xdd")),
    ResponseMessage("6.4", "6.4.1", FutureDatedDeviceAlert("8F66", b"\xdf", 2, 4)),
    ResponseMessage("5.1", "5.1", OtherPayload(leaf("DSPScheduleID", "17"))),
    DeviceAlert("8F3E", b"\xdf"),
    OtherBody(DCC_ALERT),
)


def _response(body: ResponseBody) -> Response:
    return Response(
        code="I0", date_time=MOMENT, body=body, request_id=REQUEST_ID, response_id=REQUEST_ID.swapped()
    )


def _names(body: ResponseBody) -> str:
    return type(getattr(body, "payload", None) or body).__name__


@pytest.mark.parametrize("request_", [READ, SEQUENCED], ids=["read", "sequenced"])
def test_a_request_round_trips(request_: Request) -> None:
    assert parse_request(write_request(request_)) == request_


@pytest.mark.parametrize("body", BODIES, ids=_names)
def test_a_response_round_trips(body: ResponseBody) -> None:
    assert parse_response(write_response(_response(body))) == _response(body)


@pytest.mark.parametrize("body", BODIES, ids=_names)
def test_every_kind_of_response_is_valid_under_the_published_schema(
    body: ResponseBody, schema_dir: Path
) -> None:
    from smetslab.duis.schema import DuisSchema

    DuisSchema(schema_dir).validate(write_response(_response(body)))


@pytest.mark.parametrize("request_", [READ, SEQUENCED], ids=["read", "sequenced"])
def test_a_request_is_valid_under_the_published_schema(request_: Request, schema_dir: Path) -> None:
    from smetslab.duis.schema import DuisSchema

    DuisSchema(schema_dir).validate(write_request(request_))


def test_a_response_has_no_line_break_in_base64_and_utc_milliseconds() -> None:
    written = write_response(_response(BODIES[1]))
    assert b"\n" not in written
    assert b"<sr:ResponseDateTime>2026-03-01T12:30:15.250Z</sr:ResponseDateTime>" in written


def test_a_moment_without_zone_is_refused() -> None:
    naive = Response(code="I0", date_time=datetime(2026, 3, 1), body=BODIES[0])  # noqa: DTZ001 - the point of it
    with pytest.raises(DuisError, match="date-time without zone"):
        write_response(naive)


def test_every_published_template_is_read_and_written_again(rtds: Path) -> None:
    templates = sorted((rtds / "duis").glob("*.XML"))
    assert templates
    for template in templates:
        request = parse_request(template.read_bytes())
        assert request.signed
        again = parse_request(write_request(request))
        assert (again.header, again.body) == (request.header, request.body), template.name


def test_request_ids_compare_as_identifiers_and_are_echoed_as_received() -> None:
    lower = RequestId.parse(str(REQUEST_ID).lower())
    assert lower == REQUEST_ID
    assert str(lower) == "90-b3-d5-1f-30-01-00-00:00-db-12-34-56-78-90-a0:1000"
    assert lower.key == REQUEST_ID.key
    assert str(lower.swapped()) == "00-DB-12-34-56-78-90-A0:90-B3-D5-1F-30-01-00-00:1000"
    echoed = write_response(Response(code="I99", date_time=MOMENT, body=BODIES[0], request_id=lower))
    assert str(lower).encode() in echoed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0",
        "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:",
        "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:-1",
        "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:01",
        "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:18446744073709551616",
        "90B3D51F30010000:00DB1234567890A0:1",
        "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:" + "9" * 5000,
    ],
)
def test_what_is_no_request_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected EUI:EUI:counter"):
        RequestId.parse(text)


GOOD = write_request(READ)
GOOD_ANSWER = write_response(_response(BODIES[4]))
_LAST_ID = b"90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:1000"


@pytest.mark.parametrize(
    ("old", "new", "path", "expected"),
    [
        (b"sr:Request ", b"sr:Requests ", "document", "mismatched"),
        (b"ServiceUserGateway", b"ServiceUserGatewaY", "document", "Request of namespace"),
        (b'schemaVersion="5.1"', b"", "Request", "a number such as 5.4"),
        (b'schemaVersion="5.1"', b'schemaVersion="five"', "Request", "a number such as 5.4"),
        (_LAST_ID, b"nobody", "Request/Header/RequestID", "EUI:EUI:counter"),
        (b"Variant>1<", b"Variant>10<", "Request/Header/CommandVariant", "1 to 9"),
        (b"Variant>1<", b"Variant>one<", "Request/Header/CommandVariant", "1 to 9"),
        (
            b"<sr:CommandVariant>",
            b"<sr:CommandVariant a='b'>",
            "Request/Header/CommandVariant",
            "unexpected attribute",
        ),
        (b"<sr:Header>", b"<sr:Header a='b'>", "Request/Header", "unexpected attribute"),
        (b" schemaVersion", b' a="b" schemaVersion', "Request", "unexpected attribute"),
        (b"Variant>1<", b"Variant><sr:x/><", "Request/Header/CommandVariant", ""),
        (b">4.1.1<", b">4.1.1.1<", "Request/Header/ServiceReferenceVariant", "such as 4.1.1"),
        (b">4.1<", b">four<", "Request/Header/ServiceReference", "such as 4.1.1"),
        (b"<sr:CommandVariant>1</sr:CommandVariant>", b"", "Request/Header", "CommandVariant"),
        (b"<sr:ReadInstantaneousImportRegisters/>", b"", "Request/Body", "one element of DUIS"),
        (b"<sr:ReadInstantaneousImportRegisters/>", b"<sr:a/><sr:b/>", "Request/Body", "no further element"),
        (
            b"<sr:ReadInstantaneousImportRegisters/>",
            b'<a xmlns="urn:x"/>',
            "Request/Body",
            "one element of DUIS",
        ),
        (b"</sr:Body>", b"</sr:Body><sr:Body/>", "Request", "no further element"),
        (
            b"<sr:CommandVariant>",
            b"<sr:FirstInSequence>maybe</sr:FirstInSequence><sr:CommandVariant>",
            "FirstInSequence",
            "true",
        ),
    ],
)
def test_what_is_no_request_is_refused_with_its_place(
    old: bytes, new: bytes, path: str, expected: str
) -> None:
    assert old in GOOD
    with pytest.raises(DuisError) as refused:
        parse_request(GOOD.replace(old, new))
    assert path in refused.value.path
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (b"Code>I0<", b"Code>OK<", "ResponseCode"),
        (b"2026-03-01T12:30:15.250Z", b"yesterday", "ResponseDateTime"),
        (b"2026-03-01T12:30:15.250Z", b"2026-02-30T12:30:15Z", "ResponseDateTime"),
        (b"2026-03-01T12:30:15.250Z", b"2026-03-01T12:30:15", "ResponseDateTime"),
        (b">8F66<", b">8F6<", "FutureDatedAlertCode"),
        (b"InstructionNumber>2<", b"InstructionNumber>65536<", "InstructionNumber"),
        (b"InstructionNumber>2<", b"InstructionNumber>-2<", "InstructionNumber"),
        (b">3w==<", b">3w=<", "GBCSPayload"),
        (
            b"<sr:TotalCommandInstructions>4</sr:TotalCommandInstructions>",
            b"",
            "FutureDatedDeviceAlertMessage",
        ),
        (b"<sr:ResponseMessage>", b"<sr:ResponseMessage><sr:a/>", "ResponseMessage"),
    ],
)
def test_what_is_no_response_is_refused_with_its_place(old: bytes, new: bytes, path: str) -> None:
    assert old in GOOD_ANSWER
    with pytest.raises(DuisError) as refused:
        parse_response(GOOD_ANSWER.replace(old, new))
    assert path in refused.value.path


def test_a_request_is_no_response() -> None:
    with pytest.raises(DuisError, match="expected Response of namespace"):
        parse_response(GOOD)


def test_an_alert_says_how_many_of_its_kind_were_held_back() -> None:
    plain = write_response(_response(BODIES[6]))
    fields = (
        b"<sr:ThrottledAlertSequenceId>1</sr:ThrottledAlertSequenceId>"
        b"<sr:ThrottledAlertCount>7</sr:ThrottledAlertCount>"
    )
    written = plain.replace(b"</sr:AlertCode>", b"</sr:AlertCode>" + fields)
    body = replace(BODIES[6], throttled=Throttled(1, 7))
    assert parse_response(written).body == body
    assert write_response(_response(body)) == written
    with pytest.raises(DuisError, match="expected 0 to 4294967295"):
        parse_response(written.replace(b">7<", b">4294967296<"))


def test_the_gbcs_message_is_found_whatever_it_came_in() -> None:
    found = [_response(body).gbcs for body in BODIES]
    assert found == [None, b"\xdd" * 200, b"\xdf\x09", b"\xdd", b"\xdf", None, b"\xdf", None]


def test_a_signed_pre_command_may_name_its_time() -> None:
    body = signed_pre_command_body(b"\xdf")
    assert read_signed_pre_command(body) == SignedPreCommand(b"\xdf")
    dated = node(body.name, leaf("ExecutionDateTime", "2030-01-15T09:00:00.00Z"), *body.children)
    assert read_signed_pre_command(dated) == SignedPreCommand(b"\xdf", datetime(2030, 1, 15, 9, tzinfo=UTC))
    with pytest.raises(DuisError, match="not a date-time"):
        read_signed_pre_command(node(body.name, leaf("ExecutionDateTime", "soon"), *body.children))
    with pytest.raises(DuisError, match="element missing, expected GBCSPayload"):
        read_signed_pre_command(node(body.name))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-15T09:00:00.00Z", datetime(2030, 1, 15, 9, tzinfo=UTC)),
        ("2030-01-15T09:00:00+01:00", datetime(2030, 1, 15, 9, tzinfo=timezone(timedelta(hours=1)))),
        ("2030-01-15T09:00:00.123456789Z", datetime(2030, 1, 15, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2030-01-15T09:00:00", None),
        ("2030-01-15", None),
        ("2030-13-15T09:00:00Z", None),
        ("2030-01-15T24:00:00Z", None),
        ("12030-01-15T09:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("\uff12030-01-15T09:00:00Z", None),
    ],
)
def test_date_times_name_their_offset_and_exist(text: str, moment: datetime | None) -> None:
    assert parse_date_time(text) == moment


def test_every_command_variant_in_use_has_its_web_service() -> None:
    services = {variant.value: variant.service for variant in CommandVariant}
    send, other, transform = WebService.SEND_COMMAND, WebService.NON_DEVICE, WebService.TRANSFORM
    assert services == {
        1: send,
        2: other,
        3: send,
        4: transform,
        5: send,
        6: other,
        7: send,
        8: other,
        9: None,
    }
