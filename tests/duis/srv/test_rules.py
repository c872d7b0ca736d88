"""The steps between elements and parameters: forth, back, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.duis.srv import SERVICE_REQUESTS, from_parameters, read_body, to_parameters, write_body
from smetslab.duis.srv.model import ServiceRequest, UseCaseMapping
from smetslab.duis.srv.rules import Same, Tolerance, put_at, value_at
from smetslab.errors import DuisError
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import Parameters

ECS28A_ELEMENTS: Parameters = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Unchanged",
}


def mapping(variant: str) -> UseCaseMapping:
    return SERVICE_REQUESTS[variant].mappings[0]


@pytest.mark.parametrize(
    ("execution", "activation"),
    [
        (None, "immediate"),
        ("2030-01-15T09:00:00Z", "2030-01-15T09:00:00Z"),
        ("3000-12-31T00:00:00Z", "never"),
        # Only this moment cancels, not the year.
        ("3000-12-31T00:00:01Z", "3000-12-31T00:00:01Z"),
    ],
)
def test_execution_time_becomes_every_activation_time(execution: str | None, activation: str) -> None:
    elements = dict(ECS28A_ELEMENTS)
    if execution is not None:
        elements["ExecutionDateTime"] = execution
    parameters = to_parameters(mapping("6.4.1"), elements)
    assert parameters == {
        "load_limit_supply_state": "Unchanged",
        "load_limit_power_threshold": 6900,
        "load_limit_period": 300,
        "load_limit_restoration_period": 30,
        "load_limit_supply_state_activation_time": activation,
        "load_limit_power_threshold_activation_time": activation,
        "load_limit_period_activation_time": activation,
        "load_limit_restoration_period_activation_time": activation,
    }
    assert from_parameters(mapping("6.4.1"), parameters) == elements


def test_no_request_makes_a_command_with_different_activation_times() -> None:
    parameters = to_parameters(mapping("6.4.1"), ECS28A_ELEMENTS)
    parameters["load_limit_period_activation_time"] = "never"
    with pytest.raises(DuisError, match="activation times differ"):
        from_parameters(mapping("6.4.1"), parameters)


def test_tolerance_is_the_width_of_the_interval() -> None:
    elements: Parameters = {"CurrentDateTime": "2014-12-31T23:59:10Z", "TolerancePeriod": 60}
    parameters = to_parameters(mapping("6.11"), elements)
    assert parameters == {
        "validity_interval": {
            "validity_interval_start": "2014-12-31T23:59:10Z",
            "validity_interval_end": "2015-01-01T00:00:10Z",
        }
    }
    assert from_parameters(mapping("8.1.1"), parameters) == elements


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"TolerancePeriod": 60}, "CurrentDateTime: missing"),
        ({"CurrentDateTime": "2014-12-31T23:59:10Z", "TolerancePeriod": "60"}, "not a number"),
        ({"CurrentDateTime": "9999-12-31T23:59:59Z", "TolerancePeriod": 60}, "behind the last year"),
    ],
)
def test_an_interval_that_cannot_be_is_refused(elements: Parameters, message: str) -> None:
    with pytest.raises(DuisError, match=message):
        to_parameters(mapping("6.11"), elements)


@pytest.mark.parametrize("end", ["never", "2013-01-01T00:00:00Z"])
def test_an_interval_without_width_comes_from_no_request(end: str) -> None:
    rule = Tolerance("M", "S", "start", "end")
    elements: Parameters = {}
    parameters: Parameters = {"start": "2014-01-01T00:00:00Z", "end": end}
    if end == "never":
        with pytest.raises(DuisError, match="no interval"):
            rule.restore(parameters, elements, USE_CASES["ECS70"])
    else:
        # The shape of the body refuses what the rule only measures.
        rule.restore(parameters, elements, USE_CASES["ECS70"])
        body = {"CurrentDateTime": elements["M"], "TolerancePeriod": elements["S"]}
        with pytest.raises(DuisError, match="0 to 86400"):
            write_body(SERVICE_REQUESTS["6.11"], body)


@pytest.mark.parametrize("text", ["Reset", "hex:41", "hex:", "hex:zz", " ~"])
def test_a_message_is_characters_whatever_it_looks_like(text: str) -> None:
    from smetslab.gbcs.codes import Cra
    from smetslab.gbcs.message import Message, OtherInformation
    from smetslab.gbcs.usecases.engine import decode_content, encode_content
    from smetslab.ids import Eui64

    use_case = USE_CASES["ECS10"]
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=1,
        business_originator_id=Eui64(bytes(8)),
        business_target_id=Eui64(bytes(8)),
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )
    parameters = to_parameters(mapping("3.1"), {"SupplierMessage": text})
    content = encode_content(use_case, header, parameters)
    assert content.endswith(bytes((9, len(text))) + text.encode())
    again = decode_content(use_case, Message(**{**_fields(header), "content": content}))
    assert from_parameters(mapping("3.1"), again) == {"SupplierMessage": text}


def _fields(message: object) -> dict[str, object]:
    return {name: getattr(message, name) for name in message.__slots__}  # type: ignore[attr-defined]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=116))
def test_any_message_round_trips(text: str) -> None:
    parameters = to_parameters(mapping("3.1"), {"SupplierMessage": text})
    assert from_parameters(mapping("3.1"), parameters) == {"SupplierMessage": text}


def test_paths_reach_into_members_and_say_where_they_end() -> None:
    values: Parameters = {}
    put_at(values, "a.b.c", 1)
    assert values == {"a": {"b": {"c": 1}}}
    assert value_at(values, "a.b.c") == 1
    with pytest.raises(DuisError, match="a/b/x: missing"):
        value_at(values, "a.b.x")
    with pytest.raises(DuisError, match="a/b/c/d: a value stands where members belong"):
        put_at(values, "a.b.c.d", 2)


SAMPLES: dict[str, Parameters] = {
    "2.2": {"UTRN": "73946144332040217315"},
    "3.1": {"SupplierMessage": "Reset"},
    "4.6.1": {
        "ReadLogPeriod": {"StartDateTime": "2014-03-09T00:00:00Z", "EndDateTime": "2014-03-11T00:00:00Z"}
    },
    "4.8.1": {
        "ReadLogPeriod": {"StartDateTime": "2014-12-31T00:00:00Z", "EndDateTime": "2015-01-01T00:00:00Z"}
    },
    "6.4.1": ECS28A_ELEMENTS,
    "6.11": {"CurrentDateTime": "2014-12-31T23:59:10Z", "TolerancePeriod": 60},
    "8.1.1": {"CurrentDateTime": "2014-12-31T23:59:10Z", "TolerancePeriod": 0},
}


DEVICE_ROWS = [row for row in SERVICE_REQUESTS.values() if not row.non_device]


@pytest.mark.parametrize("row", DEVICE_ROWS, ids=lambda row: row.variant)
def test_every_variant_goes_both_ways(row: ServiceRequest) -> None:
    elements = SAMPLES.get(row.variant, {})
    body = write_body(row, elements)
    assert read_body(row, body) == elements
    for one in row.mappings:
        parameters = to_parameters(one, elements)
        assert from_parameters(one, parameters) == elements


def test_a_rule_takes_what_it_is_given() -> None:
    parameters: Parameters = {}
    Same("A.B", "c").fill({"A": {"B": [1, "x"]}}, parameters, USE_CASES["ECS10"])
    assert parameters == {"c": [1, "x"]}
