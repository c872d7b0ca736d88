"""The one engine of DLMS use cases, on declarations made for these tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra, DeviceType
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataNotification,
    Obis,
    Specification,
)
from smetslab.gbcs.dlms.shapes import Const, Struct
from smetslab.gbcs.message import Message, OtherInformation, content_offset, encode_message
from smetslab.gbcs.usecases import UseCase, activation_of, decode_content, encode_content
from smetslab.gbcs.usecases.dlms import (
    DlmsAccess,
    DlmsAlert,
    action,
    activate,
    get,
    protected_get,
    protected_object,
    set_,
)
from smetslab.gbcs.usecases.engine import command_parameter_names
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64

USER, DEVICE = Eui64(b"\x11" * 8), Eui64(b"\x22" * 8)
SECRET = bytes(range(32))
COMMAND = Message(
    cra=Cra.COMMAND,
    originator_counter=0x0100_0000_03E8,
    business_originator_id=USER,
    business_target_id=DEVICE,
    other_information=OtherInformation(message_code=0x7001),
    content=b"",
)
RESPONSE = replace(COMMAND, cra=Cra.RESPONSE, business_originator_id=DEVICE, business_target_id=USER)
ALERT = replace(RESPONSE, cra=Cra.ALERT)
INVOKE = 0x200003E8

SETTINGS = UseCase(
    name="TEST1",
    code=0x7001,
    title="Settings",
    devices=(DeviceType.ESME,),
    critical=True,
    future_dateable=True,
    payload=DlmsAccess(
        (
            set_("limit", 9000, "0-0:94.44.128.7", 4, shapes.DOUBLE_LONG_UNSIGNED),
            action("run", 9, "0-0:10.0.106.255", 1, Const(axdr.long_unsigned(51))),
            get("state", 70, "0-0:96.3.10.255", 3, shapes.ENUM),
            activate("limit_activation", 9000, "0-0:94.44.128.7", 6),
            activate("state_activation", 9000, "0-0:94.44.128.8", 6),
        )
    ),
)
PROTECTED = UseCase(
    name="TEST2",
    code=0x7002,
    title="Protected read",
    devices=(DeviceType.ESME,),
    critical=False,
    payload=DlmsAccess(
        (
            protected_get(
                "read",
                "0-0:43.2.8.255",
                protected_object("register", 3, "1-0:1.8.0.255", 2, shapes.DOUBLE_LONG_UNSIGNED),
            ),
        )
    ),
)
NOTICE = UseCase(
    name="TEST3",
    code=0x7003,
    title="Notice",
    devices=(DeviceType.ESME,),
    critical=True,
    payload=DlmsAlert(Struct({"alert_code": shapes.CODE, "time_stamp": shapes.DATE_TIME})),
)

VALUES: Parameters = {
    "limit": 5000,
    "limit_activation": "2030-01-15T09:00:00Z",
    "state_activation": "2030-01-15T09:00:00Z",
}
DATE = "09 0C 07EE010FFF09000000 8000FF"
SET_OCTETS = (
    "D9 200003E8 00 05"
    " 02 2328 00005E2C8007 04   03 0009 00000A006AFF 01   01 0046 000060030AFF 03"
    " 02 2328 00005E2C8007 06   02 2328 00005E2C8008 06"
    f" 05  06 00001388  12 0033  00  {DATE}  {DATE}"
)
ANSWER_OCTETS = "DA 200003E8 00 00 05 00 00 16 01 00 00 05 02 00 03 00 01 00 02 00 02 00"
FAILED_OCTETS = "DA 200003E8 00 00 05 00 00 00 00 00 05 02 00 03 01 01 FA 02 FA 02 C8"


def with_content(message: Message, content: bytes) -> Message:
    return replace(message, content=content)


def test_command_is_written_and_read() -> None:
    content = encode_content(SETTINGS, COMMAND, VALUES)
    assert content == bytes.fromhex(SET_OCTETS)
    assert decode_content(SETTINGS, with_content(COMMAND, content)) == VALUES
    assert command_parameter_names(SETTINGS) == ("limit", "limit_activation", "state_activation")


def test_response_is_written_and_read() -> None:
    content = encode_content(SETTINGS, RESPONSE, {"state": 1})
    assert content == bytes.fromhex(ANSWER_OCTETS)
    assert decode_content(SETTINGS, with_content(RESPONSE, content)) == {"state": 1}


def test_failures_are_named() -> None:
    values: Parameters = {
        "failures": {
            "run": "hardware-fault",
            "state": "other-reason",
            "limit_activation": "other-reason",
            "state_activation": 200,
        }
    }
    content = encode_content(SETTINGS, RESPONSE, values)
    assert content == bytes.fromhex(FAILED_OCTETS)
    assert decode_content(SETTINGS, with_content(RESPONSE, content)) == values


def test_alert_is_written_and_read() -> None:
    values: Parameters = {"alert_code": "8F66", "time_stamp": "2030-01-15T09:00:00Z"}
    content = encode_content(NOTICE, ALERT, values)
    assert content == bytes.fromhex(f"0F 200003E8 00 02 02 12 8F66 {DATE}")
    assert decode_content(NOTICE, with_content(ALERT, content)) == values


def test_protected_values_need_the_secret() -> None:
    content = encode_content(PROTECTED, RESPONSE, {"read": {"register": 7}}, SECRET)
    response = with_content(RESPONSE, content)
    assert decode_content(PROTECTED, response, SECRET) == {"read": {"register": 7}}
    closed = decode_content(PROTECTED, response)
    assert closed != {"read": {"register": 7}}
    assert encode_content(PROTECTED, RESPONSE, closed) == content
    assert PROTECTED.encrypts_response
    assert not SETTINGS.encrypts_response


def test_activation_is_the_one_time_of_all_its_items() -> None:
    assert activation_of(SETTINGS, VALUES) == "2030-01-15T09:00:00Z"
    assert activation_of(PROTECTED, {}) is None
    with pytest.raises(GbcsDecodeError, match="activation times differ") as caught:
        activation_of(SETTINGS, {**VALUES, "state_activation": "never"})
    assert caught.value.path == "limit_activation, state_activation"
    assert caught.value.found == "2030-01-15T09:00:00Z, never"


def request(*specifications: Specification, data: tuple[axdr.Data, ...], invoke: int = INVOKE) -> bytes:
    return AccessRequest(invoke, specifications, data).encode()


RUN = Specification(Choice.ACTION, 9, Obis.parse("0-0:10.0.106"), 1)
RUNNING = UseCase(
    name="TEST4",
    code=0x7004,
    title="Run",
    devices=(DeviceType.ESME,),
    critical=True,
    payload=DlmsAccess(
        (
            action("run", 9, "0-0:10.0.106.255", 1, Const(axdr.long_unsigned(51))),
            get("state", 70, "0-0:96.3.10.255", 3, shapes.ENUM),
        )
    ),
)
READ = Specification(Choice.GET, 70, Obis.parse("0-0:96.3.10"), 3)
GOOD = (axdr.long_unsigned(51), axdr.null())

BROKEN: dict[str, tuple[Message, int, str, str, str]] = {
    "another counter": (
        with_content(COMMAND, request(RUN, READ, data=GOOD, invoke=0x200003E9)),
        1,
        "APDU.long-invoke-id-and-priority",
        "200003E8",
        "200003E9",
    ),
    "another priority": (
        with_content(COMMAND, request(RUN, READ, data=GOOD, invoke=0x000003E8)),
        1,
        "APDU.long-invoke-id-and-priority",
        "200003E8",
        "000003E8",
    ),
    "date-time": (
        with_content(COMMAND, AccessRequest(INVOKE, (RUN, READ), GOOD, bytes(12)).encode()),
        5,
        "APDU.date-time",
        "none",
        "00" * 12,
    ),
    "response in a command": (
        with_content(COMMAND, AccessResponse(INVOKE, (), ()).encode()),
        0,
        "APDU.tag",
        "access-request",
        "DA",
    ),
    "request in a response": (
        with_content(RESPONSE, request(RUN, READ, data=GOOD)),
        0,
        "APDU.tag",
        "access-response",
        "D9",
    ),
    "items in another order": (
        with_content(COMMAND, request(READ, RUN, data=(axdr.null(), axdr.long_unsigned(51)))),
        7,
        "access list[0]",
        "action class 9 0-0:10.0.106.255 method 1 (run)",
        str(READ),
    ),
    "an item too few": (
        with_content(COMMAND, request(RUN, data=GOOD[:1])),
        17,
        "access list[1]",
        "get class 70 0-0:96.3.10.255 attribute 3 (state)",
        "the end of the list",
    ),
    "an item too many": (
        with_content(COMMAND, request(RUN, READ, READ, data=(*GOOD, axdr.null()))),
        27,
        "access list[2]",
        "the end, after 2 items at most",
        str(READ),
    ),
    "another script": (
        with_content(COMMAND, request(RUN, READ, data=(axdr.long_unsigned(52), axdr.null()))),
        28,
        "run",
        "120033",
        "120034",
    ),
    "data for a get": (
        with_content(COMMAND, request(RUN, READ, data=(axdr.long_unsigned(51), axdr.unsigned(1)))),
        31,
        "state",
        "null-data",
        "unsigned",
    ),
    "not an APDU": (
        with_content(COMMAND, b"\xd9\x20"),
        1,
        "APDU.long-invoke-id-and-priority",
        "4 more bytes",
        "1",
    ),
    "echo of the access list": (
        with_content(
            RESPONSE,
            AccessResponse(
                INVOKE, (axdr.null(),) * 2, (AccessResult(Choice.ACTION, 0),) * 2, (RUN, READ)
            ).encode(),
        ),
        7,
        "access list",
        "none",
        "2 items",
    ),
    "a result too few": (
        with_content(
            RESPONSE, AccessResponse(INVOKE, (axdr.null(),), (AccessResult(Choice.ACTION, 0),)).encode()
        ),
        10,
        "result list",
        "2 items",
        "1",
    ),
    "another choice": (
        with_content(
            RESPONSE,
            AccessResponse(
                INVOKE,
                (axdr.null(), axdr.enum(1)),
                (AccessResult(Choice.ACTION, 0), AccessResult(Choice.SET, 0)),
            ).encode(),
        ),
        14,
        "state.choice",
        "get",
        "set",
    ),
    "data of a failed item": (
        with_content(
            RESPONSE,
            AccessResponse(
                INVOKE,
                (axdr.null(), axdr.enum(1)),
                (AccessResult(Choice.ACTION, 0), AccessResult(Choice.GET, 1)),
            ).encode(),
        ),
        9,
        "state",
        "null-data",
        "enum",
    ),
    "data of another type": (
        with_content(
            RESPONSE,
            AccessResponse(
                INVOKE,
                (axdr.null(), axdr.unsigned(1)),
                (AccessResult(Choice.ACTION, 0), AccessResult(Choice.GET, 0)),
            ).encode(),
        ),
        9,
        "state",
        "enum",
        "unsigned",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_first_octet_that_does_not_fit_is_named(fault: str) -> None:
    message, offset, path, expected, found = BROKEN[fault]
    with pytest.raises(GbcsDecodeError) as caught:
        decode_content(RUNNING, message)
    error = caught.value
    start = encode_message(message).index(message.content)
    assert (error.offset, error.path, error.expected, error.found) == (start + offset, path, expected, found)
    assert error.spec or error.what == "truncated"


def test_alert_of_another_shape_is_placed() -> None:
    message = with_content(ALERT, DataNotification(INVOKE, axdr.structure(axdr.long_unsigned(1))).encode())
    with pytest.raises(GbcsDecodeError) as caught:
        decode_content(NOTICE, message)
    assert (caught.value.offset, caught.value.found) == (content_offset(message) + 6, "structure of 1")
    with pytest.raises(GbcsDecodeError) as caught:
        decode_content(NOTICE, with_content(ALERT, AccessResponse(INVOKE, (), ()).encode()))
    assert (caught.value.expected, caught.value.found) == ("data-notification", "DA")


REFUSED: dict[str, tuple[Message, Parameters, str]] = {
    "missing parameter": (COMMAND, {"limit": 1, "limit_activation": "never"}, "state_activation"),
    "unknown parameter": (COMMAND, {**VALUES, "other": 1}, "other"),
    "parameter that does not fit": (COMMAND, {**VALUES, "limit": -1}, "limit"),
    "constant as a parameter": (COMMAND, {**VALUES, "run": 51}, "run"),
    "missing answer": (RESPONSE, {}, "state"),
    "unknown answer": (RESPONSE, {"state": 1, "limit": 2}, "limit"),
    "unknown failure": (RESPONSE, {"state": 1, "failures": {"other": 1}}, "other"),
    "unknown result": (RESPONSE, {"state": 1, "failures": {"run": "odd"}}, "failures"),
    "result too big": (RESPONSE, {"state": 1, "failures": {"run": 256}}, "failures"),
    "failure that is a success": (RESPONSE, {"state": 1, "failures": {"run": "success"}}, "failures.run"),
    "failure of result 0": (RESPONSE, {"state": 1, "failures": {"run": 0}}, "failures.run"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_parameters_that_do_not_fit_are_named(name: str) -> None:
    message, values, path = REFUSED[name]
    with pytest.raises(GbcsEncodeError) as caught:
        encode_content(SETTINGS, message, values)
    assert caught.value.path == path
