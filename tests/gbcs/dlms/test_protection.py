"""Class 30: protection parameters follow from the grouping header, values are sealed for the remote party."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import GbcsDecodeError, GbcsEncodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr, shapes
from smetslab.gbcs.dlms.apdu import AccessResponse, AccessResult, Choice, DataNotification, Obis
from smetslab.gbcs.dlms.axdr import Data
from smetslab.gbcs.dlms.protection import (
    ObjectRequest,
    ProtectedObject,
    ProtectedRead,
    decode_request,
    encode_request,
    is_sealed,
    protection_parameters,
    sealed_octets,
)
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.security import EncryptionContext
from smetslab.ids import Eui64

USER, DEVICE, PARTY = (Eui64(bytes((n,)) * 8) for n in (0x11, 0x22, 0x33))
SECRET = bytes(range(32))
COMMAND = Message(
    cra=Cra.COMMAND,
    originator_counter=1000,
    business_originator_id=USER,
    business_target_id=DEVICE,
    other_information=OtherInformation(message_code=1),
    content=b"",
)
RESPONSE = replace(COMMAND, cra=Cra.RESPONSE, business_originator_id=DEVICE, business_target_id=USER)
FOR_PARTY = OtherInformation(
    message_code=1, supplementary_remote_party_id=PARTY, supplementary_remote_party_counter=5
)

REGISTER = ProtectedObject("register", 3, Obis.parse("1-0:1.8.0"), 2, shapes.DOUBLE_LONG_UNSIGNED)
LOG = ProtectedObject("log", 7, Obis.parse("0-0:98.1.0"), 2, shapes.OCTETS, window=True)
READ = ProtectedRead((REGISTER,))
READ_LOGS = ProtectedRead((LOG, replace(LOG, name="other_log", obis=Obis.parse("0-0:98.1.1"))))
WINDOW = {"start_date_time": "2026-01-01T00:00:00Z", "end_date_time": "2026-02-01T00:00:00Z"}

# Written out after the published layout.
REQUEST = (
    "02 02  01 01  02 05  12 0003  09 06 0100010800FF  0F 02  12 0000  02 02 16 00 00"
    "  01 01  02 02  16 02  02 05  09 09 04 00000000000003E8  09 08 1111111111111111  09 08 2222222222222222"
    "  09 00  02 02 16 02 02 02 09 01 02 09 00"
)


def test_request_is_that_of_the_specification() -> None:
    data = READ.encode_command(None, COMMAND, "read")
    assert axdr.encode_data(data) == bytes.fromhex(REQUEST)
    assert READ.decode_command(data, COMMAND, "read") is None


def test_response_is_that_of_the_specification_and_opens() -> None:
    data = READ.encode_response({"register": 10}, RESPONSE, SECRET, "read")
    plaintext = bytes.fromhex("02 01 06 0000000A")
    sealed = EncryptionContext.of(RESPONSE).encrypt(SECRET, plaintext)
    head = (
        "02 02  01 01  02 02  16 02  02 05  09 09 04 00000000000003E8  09 08 2222222222222222"
        "  09 08 1111111111111111  09 00  02 02 16 02 02 02 09 01 02 09 00  09 18"
    )
    assert axdr.encode_data(data) == bytes.fromhex(head) + sealed
    assert READ.decode_response(data, RESPONSE, SECRET, "read") == {"register": 10}


def test_response_stays_sealed_without_the_secret() -> None:
    data = READ.encode_response({"register": 10}, RESPONSE, SECRET, "read")
    value = READ.decode_response(data, RESPONSE, None, "read")
    assert isinstance(value, dict)
    assert list(value) == ["protected"]
    assert READ.encode_response(value, RESPONSE, None, "read") == data


def test_wrong_secret_does_not_open() -> None:
    data = READ.encode_response({"register": 10}, RESPONSE, SECRET, "read")
    with pytest.raises(SecurityError, match="tag does not match"):
        READ.decode_response(data, RESPONSE, bytes(32), "read")


def test_period_of_a_log_goes_into_every_object() -> None:
    data = READ_LOGS.encode_command(dict(WINDOW), COMMAND, "read")
    assert READ_LOGS.decode_command(data, COMMAND, "read") == WINDOW
    requests = decode_request(data, COMMAND, "read")
    assert [request.window for request in requests] == [requests[0].window] * 2


def test_unknown_party_asks_in_its_own_name_and_is_answered_through_the_broker() -> None:
    command, response = (replace(m, other_information=FOR_PARTY) for m in (COMMAND, RESPONSE))
    assert PARTY.raw in axdr.encode_data(protection_parameters(command))
    assert PARTY.raw not in axdr.encode_data(protection_parameters(response))
    data = READ.encode_response({"register": 10}, response, SECRET, "read")
    assert READ.decode_response(data, response, SECRET, "read") == {"register": 10}
    with pytest.raises(GbcsDecodeError):
        READ.decode_response(data, replace(response, originator_counter=1001), SECRET, "read")


def changed(text: str, old: str, new: str) -> Data:
    assert text.count(old) == 1
    return axdr.decode_data(bytes.fromhex(text.replace(old, new)))


BROKEN_REQUESTS: dict[str, tuple[Data, str]] = {
    "no structure": (axdr.null(), "read"),
    "three members": (axdr.structure(axdr.null(), axdr.null(), axdr.null()), "read"),
    "another counter": (changed(REQUEST, "3E8", "3E9"), "read.protection parameters"),
    "another originator": (changed(REQUEST, "11" * 8, "44" * 8), "read.protection parameters"),
    "another recipient": (changed(REQUEST, "22" * 8, "44" * 8), "read.protection parameters"),
    "another key agreement": (
        changed(REQUEST, "02 02 09 01 02", "02 02 09 01 01"),
        "read.protection parameters",
    ),
    "no objects": (axdr.structure(axdr.null(), protection_parameters(COMMAND)), "read.objects"),
    "object of another shape": (
        axdr.structure(axdr.array(axdr.null()), protection_parameters(COMMAND)),
        "read.objects[0]",
    ),
    "class of another type": (changed(REQUEST, "12 0003", "10 0003"), "read.objects[0].class"),
    "short logical name": (
        changed(REQUEST, "09 06 0100010800FF", "09 05 0100010800"),
        "read.objects[0].logical name",
    ),
    "attribute of another type": (changed(REQUEST, "0F 02  12", "11 02  12"), "read.objects[0].attribute"),
    "a data index": (changed(REQUEST, "12 0000", "12 0001"), "read.objects[0].data index"),
    "unknown restriction": (
        changed(REQUEST, "02 02 16 00 00", "02 02 16 02 00"),
        "read.objects[0].restriction",
    ),
    "no restriction with a period": (
        changed(REQUEST, "16 00 00  01", "16 00 0F 00  01"),
        "read.objects[0].restriction",
    ),
    "period without bounds": (
        changed(REQUEST, "02 02 16 00 00", "02 02 16 01 00"),
        "read.objects[0].restriction.period",
    ),
    "short bound": (
        changed(REQUEST, "02 02 16 00 00", "02 02 16 01 02 02 09 01 00 09 01 00"),
        "read.objects[0].restriction.from",
    ),
    "another object": (changed(REQUEST, "12 0003", "12 0004"), "read.objects"),
}


@pytest.mark.parametrize("fault", BROKEN_REQUESTS)
def test_request_of_another_shape_is_refused(fault: str) -> None:
    data, path = BROKEN_REQUESTS[fault]
    with pytest.raises(GbcsDecodeError) as caught:
        READ.decode_command(data, COMMAND, "read")
    assert caught.value.path == path
    assert caught.value.expected


def test_periods_that_differ_are_refused() -> None:
    bounds = [(bytes(11) + bytes((n,)), bytes(12)) for n in (0, 1)]
    objects = tuple(
        ObjectRequest(o.class_id, o.obis, o.attribute, bound)
        for o, bound in zip(READ_LOGS.objects, bounds, strict=True)
    )
    with pytest.raises(GbcsDecodeError, match="periods differ") as caught:
        READ_LOGS.decode_command(encode_request(objects, COMMAND), COMMAND, "read")
    assert caught.value.found == "2"


def test_response_of_another_shape_is_refused() -> None:
    for data, path in (
        (axdr.null(), "read"),
        (
            axdr.structure(protection_parameters(COMMAND), axdr.octet_string(b"")),
            "read.protection parameters",
        ),
        (axdr.structure(protection_parameters(RESPONSE), axdr.null()), "read.protected attributes"),
        (axdr.structure(protection_parameters(RESPONSE), axdr.octet_string(b"1")), "protected content"),
    ):
        with pytest.raises(GbcsDecodeError) as caught:
            READ.decode_response(data, RESPONSE, SECRET, "read")
        assert caught.value.path == path


def sealed(plaintext: bytes) -> Data:
    protected = EncryptionContext.of(RESPONSE).encrypt(SECRET, plaintext)
    return axdr.structure(protection_parameters(RESPONSE), axdr.octet_string(protected))


def test_fault_of_the_plaintext_is_placed_in_the_plaintext() -> None:
    with pytest.raises(GbcsDecodeError) as caught:
        READ.decode_response(sealed(bytes.fromhex("0201 06 0000")), RESPONSE, SECRET, "read")
    assert caught.value.offset is None
    assert str(caught.value).startswith("read.plaintext[0]: truncated at byte 3 of the plaintext")
    with pytest.raises(GbcsDecodeError) as caught:
        READ.decode_response(sealed(bytes.fromhex("0202 00 00")), RESPONSE, SECRET, "read")
    assert (caught.value.path, caught.value.expected) == ("read.plaintext", "structure of 1")
    with pytest.raises(GbcsDecodeError) as caught:
        READ.decode_response(sealed(bytes.fromhex("0201 0F00")), RESPONSE, SECRET, "read")
    assert (caught.value.path, caught.value.found) == ("read.register", "integer")


def test_values_that_cannot_be_sealed_are_refused() -> None:
    with pytest.raises(GbcsEncodeError, match="shared secret"):
        READ.encode_response({"register": 10}, RESPONSE, None, "read")
    with pytest.raises(GbcsEncodeError, match="named members"):
        READ.encode_response(None, RESPONSE, SECRET, "read")
    with pytest.raises(GbcsEncodeError) as caught:
        READ.encode_response({}, RESPONSE, SECRET, "read")
    assert caught.value.path == "read.register"
    with pytest.raises(GbcsEncodeError) as caught:
        READ_LOGS.encode_command({"start_date_time": "never"}, COMMAND, "read")
    assert caught.value.path == "read.end_date_time"


def test_sealed_octets_are_found_without_a_declaration() -> None:
    first, second = (READ.encode_response({"register": n}, RESPONSE, SECRET, "") for n in (1, 2))
    assert isinstance(first, axdr.Sequence)
    assert isinstance(second, axdr.Sequence)
    results = (AccessResult(Choice.ACTION, 0),) * 3
    response = AccessResponse(0, (first, axdr.null(), second), results)
    values = [item.items[1].value for item in (first, second) if isinstance(item.items[1], axdr.Octets)]
    assert sealed_octets(response, RESPONSE) == tuple(values)
    alert = DataNotification(0, axdr.structure(axdr.long_unsigned(1), axdr.null(), *first.items))
    assert sealed_octets(alert, RESPONSE) == (values[0],)
    assert is_sealed(*first.items)
    with pytest.raises(GbcsDecodeError) as caught:
        sealed_octets(response, replace(RESPONSE, originator_counter=7))
    assert caught.value.path == "data list[0].protection parameters"


@pytest.mark.parametrize(
    ("parameters", "protected"),
    [
        (axdr.null(), axdr.octet_string(bytes.fromhex("3100000000"))),
        (protection_parameters(RESPONSE), axdr.null()),
        (protection_parameters(RESPONSE), axdr.octet_string(b"1")),
        (axdr.array(), axdr.octet_string(bytes.fromhex("3100000000"))),
        (axdr.array(axdr.structure()), axdr.octet_string(bytes.fromhex("3100000000"))),
    ],
)
def test_ordinary_neighbours_are_not_taken_for_sealed(parameters: Data, protected: Data) -> None:
    assert not is_sealed(parameters, protected)
