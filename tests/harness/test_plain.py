"""Plain values and the comparisons between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.harness.plain import (
    Plain,
    canonical_json,
    compare,
    display,
    expectation,
    moment_text,
    parse_utc,
    to_plain,
    utc_text,
)
from smetslab.ids import Eui64

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


class Colour(Enum):
    RED = object()


class Result(IntEnum):
    SUCCESS = 0


@dataclass(frozen=True)
class Pair:
    left: bytes
    right: object


NINE = datetime(2030, 1, 15, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"\x0a\xff", "0AFF"),
        (Result.SUCCESS, "SUCCESS"),
        (Colour.RED, "RED"),
        (NINE, "2030-01-15T09:00:00Z"),
        (datetime(2030, 1, 15, 11, tzinfo=timezone(timedelta(hours=2))), "2030-01-15T09:00:00Z"),
        (date(2030, 1, 15), "2030-01-15"),
        (timedelta(seconds=1.5), 1.5),
        (Eui64.parse("90B3D51F30010000"), "90B3D51F30010000"),
        ((1, [None, True]), [1, [None, True]]),
        (Pair(b"\x01", {"a": NINE}), {"left": "01", "right": {"a": "2030-01-15T09:00:00Z"}}),
    ],
)
def test_values_have_one_plain_form(value: object, plain: Plain) -> None:
    assert to_plain(value) == plain


@pytest.mark.parametrize("value", [object(), {1: 2}, float("nan"), {3}, Pair])
def test_what_has_no_plain_form_is_refused_not_represented(value: object) -> None:
    with pytest.raises(TypeError):
        to_plain(value)


def test_a_naive_time_and_a_bottomless_value_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_plain(datetime(2030, 1, 1))  # noqa: DTZ001 - the point of the test
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="nested"):
        to_plain(loop)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_their_text(moment: datetime) -> None:
    assert parse_utc(utc_text(moment)) == moment
    assert parse_utc(moment_text(moment)) == moment


@pytest.mark.parametrize("text", ["2030-01-15T09:00:00", "2030-01-15T09:00:00+00:00", "15/01/2030Z", "Z"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_utc(text)


@given(plain_values)
def test_canonical_json_is_one_to_one_and_equality_survives_it(value: Plain) -> None:
    written = canonical_json(value)
    assert canonical_json(json.loads(written)) == written
    assert compare("equals", value, json.loads(written))
    assert not compare("differs", value, json.loads(written))


@pytest.mark.parametrize(
    ("comparison", "actual", "expected", "holds"),
    [
        ("equals", 1, 1, True),
        ("equals", True, 1, False),
        ("equals", [1, {"a": True}], [1, {"a": True}], True),
        ("equals", [1, {"a": True}], [1, {"a": 1}], False),
        ("equals", None, "", False),
        ("differs", None, "", True),
        ("at_least", 3, 3, True),
        ("at_least", 2, 3, False),
        ("at_most", 3.0, 3, True),
        ("at_most", None, 3, False),
        ("at_most", True, 3, False),
        ("within", 5, [5, 6], True),
        ("within", 7, [5, 6], False),
        ("within", "2030-01-15T09:00:00.5Z", ["2030-01-15T09:00:00Z", "2030-01-15T09:00:01Z"], False),
        ("within", "2030-01-15T09:00:00.500000Z", ["2030-01-15T09:00:00Z", "2030-01-15T09:00:01Z"], True),
        ("contains", "8F66 8F67", "8F67", True),
        ("contains", [1, 2], 3, False),
        ("contains", {"a": 1}, "a", True),
        ("contains", None, "a", False),
        ("one_of", 2, [1, 2], True),
        ("one_of", True, [1, 2], False),
    ],
)
def test_comparisons(comparison: str, actual: Plain, expected: Plain, holds: bool) -> None:
    assert compare(comparison, actual, expected) is holds


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [("at_least", "three"), ("at_most", None), ("within", 3), ("within", [1, "x"]), ("one_of", 1)],
)
def test_an_expectation_that_makes_no_sense_is_the_case_authors_mistake(
    comparison: str, expected: Plain
) -> None:
    with pytest.raises(TypeError):
        compare(comparison, 1, expected)


def test_expectations_read_as_words() -> None:
    assert expectation("equals", "0AFF") == "0AFF"
    assert expectation("at_most", 30) == "at most 30"
    assert expectation("within", [1, 2]) == "1 to 2"
    assert expectation("one_of", ["a", "b"]) == 'one of ["a", "b"]'
    assert [display(value) for value in (None, True, "", {"a": 1})] == ["nothing", "yes", '""', '{"a": 1}']


def test_members_stand_in_the_order_in_which_they_are_read_again() -> None:
    recorded = to_plain({"b": Pair(left=b"\x01", right={"z": 1, "a": 2}), "a": 1})
    assert display(recorded) == display(json.loads(canonical_json(recorded)))
    assert display(recorded) == '{"a": 1, "b": {"left": "01", "right": {"a": 2, "z": 1}}}'
