"""Step 7: whose payload is not the use case's is refused whole, with a result that says which item and
why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from smetslab.devices.payload import MisfitPayload, read_payload
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    Choice,
    DataAccessResult,
    Obis,
    Specification,
    decode_apdu,
    long_invoke_id,
)
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import date_time_from_text

FUTURE, LATER = "2030-01-15T09:00:00Z", "2030-01-16T09:00:00Z"
TIMES = (
    "load_limit_supply_state_activation_time",
    "load_limit_power_threshold_activation_time",
    "load_limit_period_activation_time",
    "load_limit_restoration_period_activation_time",
)
LOAD_LIMIT = {
    "load_limit_supply_state": "Disable",
    "load_limit_power_threshold": 6900,
    "load_limit_period": 300,
    "load_limit_restoration_period": 30,
    **dict.fromkeys(TIMES, FUTURE),
}
OTHER = DataAccessResult.OTHER_REASON


def judge(specification: Specification) -> DataAccessResult:
    """A device on which only supply objects exist."""
    if specification.class_id != 9000:
        return DataAccessResult.OBJECT_UNDEFINED
    return DataAccessResult.SUCCESS


def request_of(message: Message) -> AccessRequest:
    apdu = decode_apdu(message.content)
    assert isinstance(apdu, AccessRequest)
    return apdu


def results(name: str, message: Message) -> list[int]:
    """The results with which the payload is refused."""
    refused = read_payload(USE_CASES[name], message, judge)
    assert isinstance(refused, MisfitPayload)
    assert len(refused.response.data) == len(refused.response.results)
    assert refused.response.long_invoke_id == long_invoke_id(message.originator_counter)
    return [result.result for result in refused.response.results]


def changed(message: Message, **changes: Any) -> Message:
    return replace(message, content=replace(request_of(message), **changes).encode())


def with_data(message: Message, place: int, data: axdr.Data) -> Message:
    items = list(request_of(message).data)
    items[place] = data
    return changed(message, data=tuple(items))


def test_the_right_payload_is_the_request(head: Any) -> None:
    message = head.message("ECS28a", LOAD_LIMIT)
    assert read_payload(USE_CASES["ECS28a"], message, judge) == request_of(message)


def test_a_wrong_type_is_named_and_nothing_is_done(head: Any) -> None:
    message = with_data(head.message("ECS28a", LOAD_LIMIT), 2, axdr.long_unsigned(300))
    expected = [OTHER, OTHER, DataAccessResult.TYPE_UNMATCHED, *[OTHER] * 5]
    assert results("ECS28a", message) == expected


def test_items_in_another_order_are_refused(head: Any) -> None:
    message = head.message("ECS28a", LOAD_LIMIT)
    request = request_of(message)
    order = [1, 0, *range(2, 8)]
    swapped = changed(
        message,
        specifications=tuple(request.specifications[i] for i in order),
        data=tuple(request.data[i] for i in order),
    )
    assert results("ECS28a", swapped)[0] == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def test_an_item_that_no_object_has_is_undefined(head: Any) -> None:
    message = head.message("ECS45")
    wrong = Specification(Choice.GET, 1, Obis.parse("0-0:96.3.99.255"), 2)
    assert results("ECS45", changed(message, specifications=(wrong,))) == [DataAccessResult.OBJECT_UNDEFINED]


def test_a_surplus_item_is_refused(head: Any) -> None:
    message = head.message("ECS45")
    request = request_of(message)
    wrong = Specification(Choice.GET, 9000, Obis.parse("0-0:94.44.0.3"), 2)
    surplus = changed(
        message, specifications=(*request.specifications, wrong), data=(*request.data, axdr.null())
    )
    assert results("ECS45", surplus) == [OTHER, DataAccessResult.SCOPE_OF_ACCESS_VIOLATED]


def test_a_missing_item_is_refused(head: Any) -> None:
    message = head.message("ECS28a", LOAD_LIMIT)
    request = request_of(message)
    short = changed(message, specifications=request.specifications[:7], data=request.data[:7])
    assert results("ECS28a", short) == [OTHER] * 7


def test_dates_that_differ_are_refused(head: Any) -> None:
    later = axdr.octet_string(date_time_from_text(LATER))
    message = with_data(head.message("ECS28a", LOAD_LIMIT), 6, later)
    expected = [*[OTHER] * 6, DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, OTHER]
    assert results("ECS28a", message) == expected


def test_another_script_than_the_use_case_has_is_out_of_scope(head: Any) -> None:
    message = with_data(head.message("ECS43"), 0, axdr.long_unsigned(51))
    assert results("ECS43", message) == [DataAccessResult.SCOPE_OF_ACCESS_VIOLATED]


def test_data_with_a_get_is_of_the_wrong_type(head: Any) -> None:
    message = with_data(head.message("ECS45"), 0, axdr.integer(0))
    assert results("ECS45", message) == [DataAccessResult.TYPE_UNMATCHED]


@pytest.mark.parametrize(("length", "accepted"), [(0, True), (116, True), (117, False)])
def test_a_message_to_the_consumer_has_at_most_116_octets(head: Any, length: int, accepted: bool) -> None:
    message = with_data(head.message("ECS10", {"supplier_message": "x"}), 0, axdr.octet_string(b"x" * length))
    if accepted:
        assert isinstance(read_payload(USE_CASES["ECS10"], message, judge), AccessRequest)
    else:
        assert results("ECS10", message) == [DataAccessResult.SCOPE_OF_ACCESS_VIOLATED]


def test_a_protected_read_of_other_objects_is_out_of_scope(head: Any) -> None:
    foreign = request_of(head.message("ECS21a", {"read_log_period": _period()})).data[0]
    message = with_data(head.message("ECS17b"), 0, foreign)
    assert results("ECS17b", message) == [DataAccessResult.SCOPE_OF_ACCESS_VIOLATED]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xd9", b"\x00" * 12, bytes.fromhex("DA200003E800000101000100")],
    ids=["empty", "cut", "noise", "a response"],
)
def test_what_is_no_access_list_is_refused_in_the_shape_of_the_use_case(head: Any, content: bytes) -> None:
    message = replace(head.message("ECS45"), content=content)
    assert results("ECS45", message) == [OTHER]


def test_an_invoke_id_of_another_message_is_refused(head: Any) -> None:
    message = head.message("ECS45", counter=1000)
    assert results("ECS45", replace(message, originator_counter=1001)) == [OTHER]


def _period() -> dict[str, str]:
    return {"start_date_time": "2026-01-01T00:00:00Z", "end_date_time": "2026-01-02T00:00:00Z"}
