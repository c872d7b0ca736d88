"""Holes of templates, each on its own: what they make of elements, and the elements found again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.duis.srv.derived import DayBits, Grouped, Joined, Later, NotEmpty, Samples
from smetslab.duis.srv.forms import SAME, offset, words
from smetslab.duis.srv.holes import (
    At,
    Choose,
    Count,
    Fact,
    ForEach,
    IfFact,
    Indexed,
    Items,
    Position,
    Repeat,
    Switch,
    Unless,
    Unsaid,
    When,
)
from smetslab.duis.srv.model import GivenFacts
from smetslab.duis.srv.simple import Refusal
from smetslab.duis.srv.template import ABSENT, Found, NoMatch, Reading, Scope, Stand, build, match, uses
from smetslab.errors import DuisError
from smetslab.gbcs.values import Parameters, Value

NUMBERS = st.integers(0, 1000)


def made(template: Any, elements: Parameters, **facts: Value) -> Value:
    reading = Reading(GivenFacts(facts), "body")
    value = build(template, Scope(elements, elements, (), reading))
    assert value is not ABSENT
    return value


def found(template: Any, value: Value) -> tuple[Parameters, dict[str, Value]]:
    collected = Found()
    match(template, value, Stand((), collected))
    return collected.elements(), collected.facts


def both_ways(template: Any, elements: Parameters, value: Value, **facts: Value) -> None:
    assert made(template, elements, **facts) == value
    assert found(template, value) == (elements, facts)


# Single values ----------------------------------------------------------------------------------------------


@given(NUMBERS)
def test_an_element_is_a_parameter(number: int) -> None:
    both_ways({"p": At("A.B")}, {"A": {"B": number}}, {"p": number})
    both_ways({"p": At("A", offset(200))}, {"A": number}, {"p": number + 200})
    both_ways([{"p": At("A.@n")}], {"A": {"@n": number}}, [{"p": number}])


def test_an_absent_element_is_its_default_nothing_or_an_error() -> None:
    assert made({"p": At("A", absent=7)}, {}) == {"p": 7}
    assert found({"p": At("A", absent=7)}, {"p": 7}) == ({}, {})
    both_ways({"p": At("A", absent=ABSENT)}, {}, {})
    with pytest.raises(DuisError, match="body/A/B: element missing"):
        made({"p": At("A.B")}, {"A": {"C": 1}})
    with pytest.raises(NoMatch):
        found({"p": At("A")}, {})


def test_a_value_that_the_command_cannot_say_is_named() -> None:
    with pytest.raises(
        DuisError, match="body/A: cannot be said in the command, expected ON or OFF, found 'Dim'"
    ):
        made({"p": At("A", words({"ON": 1, "OFF": 0}))}, {"A": "Dim"})
    with pytest.raises(NoMatch):
        found({"p": At("A", words({"ON": 1}))}, {"p": 3})


def test_one_element_that_two_parameters_say_differently_is_no_request() -> None:
    template = {"p": At("A"), "q": At("A")}
    both_ways(template, {"A": 1}, {"p": 1, "q": 1})
    with pytest.raises(NoMatch):
        found(template, {"p": 1, "q": 2})


def test_constants_are_said_and_asked_for() -> None:
    both_ways({"p": 1, "q": [True, "x", {"r": None}]}, {}, {"p": 1, "q": [True, "x", {"r": None}]})
    for other in ({"p": True}, {"p": 2}, {}, {"p": 1, "more": 1}):
        with pytest.raises(NoMatch):
            found({"p": 1}, other)


def test_facts_come_from_outside_and_are_found_again() -> None:
    both_ways({"p": Fact("now")}, {}, {"p": "today"}, now="today")
    both_ways({"p": Fact("peer_certificate", optional=True)}, {}, {}, peer_certificate="")
    both_ways({"p": Fact("peer_certificate", optional=True)}, {}, {"p": "3082"}, peer_certificate="3082")
    with pytest.raises(DuisError, match="needs the current time"):
        made({"p": Fact("now")}, {})
    with pytest.raises(NoMatch):
        found([Fact("now"), Fact("now")], [1, 2])


# Choices ----------------------------------------------------------------------------------------------------

SWITCH = {"p": Switch("Mode", {True: At("Level"), False: ABSENT})}
CHOOSE = {"p": Choose({"A": {"a": At("A")}, "B": {"b": At("B"), "fixed": 1}})}


@given(NUMBERS)
def test_a_value_decides_what_is_said(number: int) -> None:
    both_ways(SWITCH, {"Level": number, "Mode": True}, {"p": number})
    both_ways(SWITCH, {"Mode": False}, {})
    both_ways(CHOOSE, {"A": number}, {"p": {"a": number}})
    both_ways(CHOOSE, {"B": number}, {"p": {"b": number, "fixed": 1}})
    both_ways({"p": When("A", 1, 5)}, {"A": 1}, {"p": 5})
    assert made({"p": When("A", 1, 5)}, {"A": 2}) == {}
    both_ways({"p": Unless("A", 1, At("B"))}, {"A": 1}, {})
    assert made({"p": Unless("A", 1, At("B"))}, {"A": 2, "B": number}) == {"p": number}


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({}, "body/Mode: element missing"),
        ({"Mode": 1}, "body/Mode: cannot be said in the command, expected True or False, found 1"),
    ],
)
def test_a_value_for_which_there_is_no_case_is_named(elements: Parameters, message: str) -> None:
    with pytest.raises(DuisError, match=message):
        made(SWITCH, elements)


def test_a_choice_without_any_of_its_elements_is_named() -> None:
    with pytest.raises(DuisError, match="body: element missing, expected A or B"):
        made(CHOOSE, {})
    with pytest.raises(DuisError, match="body/P: element missing, expected X or Y"):
        made(Choose({"P.X": 1, "P.Y": 2}), {"P": {}})
    both_ways({"p": Choose({"A": 1}, otherwise=ABSENT)}, {}, {})
    # An element whose presence is all that it says.
    both_ways({"p": Choose({"A": 1}, otherwise=0)}, {"A": True}, {"p": 1})
    with pytest.raises(NoMatch):
        found(CHOOSE, {"p": {"c": 1}})


# Lists ------------------------------------------------------------------------------------------------------

INDEXED = [
    ForEach("A.Item", {"number": At("@index"), "place": Position(1), "value": At("value")}, by="@index")
]


@given(st.dictionaries(st.integers(1, 50), NUMBERS, min_size=1, max_size=8), st.randoms())
def test_items_stand_in_the_order_of_their_index(values: dict[int, int], rng: Any) -> None:
    items: list[Value] = [{"@index": index, "value": value} for index, value in sorted(values.items())]
    parameters: list[Value] = [
        {"number": index, "place": place, "value": value}
        for place, (index, value) in enumerate(sorted(values.items()), start=1)
    ]
    both_ways(INDEXED, {"A": {"Item": items}}, parameters)
    rng.shuffle(items)
    assert made(INDEXED, {"A": {"Item": items}}) == parameters


def test_two_items_with_one_index_are_named() -> None:
    twice: Parameters = {"A": {"Item": [{"@index": 3, "value": 1}, {"@index": 3, "value": 2}]}}
    with pytest.raises(DuisError, match=r"body/A/Item\[1\]: two elements have this index, .* found 3"):
        made(INDEXED, twice)
    with pytest.raises(DuisError, match=r"body/A/Item\[0\]/@index: attribute missing"):
        made(INDEXED, {"A": {"Item": [{"value": 1}]}})


@given(st.sets(st.integers(1, 5)))
def test_slots_that_are_not_spoken_of_are_left_out(slots: set[int]) -> None:
    template = {f"slot_{number}": Indexed("Slot", number, absent=ABSENT) for number in range(1, 6)}
    items: list[Value] = [{"@index": number, "value": number * 10} for number in sorted(slots)]
    elements: Parameters = {"Slot": items} if items else {}
    both_ways(template, elements, {f"slot_{number}": number * 10 for number in slots})


def test_a_slot_that_has_to_be_spoken_of_is_named() -> None:
    with pytest.raises(DuisError, match="body/Slot: element missing, expected one with index 2"):
        made(Indexed("Slot", 2), {"Slot": [{"@index": 1, "value": 1}]})
    assert made(Indexed("Slot", 2, absent=0), {"Slot": [{"@index": 1, "value": 1}]}) == 0


def test_lists_of_fixed_and_of_other_items_share_a_list() -> None:
    template = [
        Repeat(2, {"n": Position()}),
        IfFact("twin_element", ({"twin": At("A")},)),
        Items(({"end": At("B")},)),
    ]
    both_ways(template, {"B": 2}, [{"n": 0}, {"n": 1}, {"end": 2}], twin_element=False)
    both_ways(template, {"A": 1, "B": 2}, [{"n": 0}, {"n": 1}, {"twin": 1}, {"end": 2}], twin_element=True)
    for wrong in ([{"n": 0}], [{"n": 1}, {"n": 0}, {"end": 2}], [{"n": 0}, {"n": 1}, {"end": 2}, {"end": 2}]):
        with pytest.raises(NoMatch):
            found(template, wrong)  # type: ignore[arg-type]


def test_a_number_of_items_and_what_is_not_said() -> None:
    template = {"count": Count("A", less=1), "a": [ForEach("A", At(""))], "why": Unsaid("B", 5)}
    assert made(template, {"A": [1, 2, 3], "B": 9}) == {"count": 2, "a": [1, 2, 3]}
    assert found(template, {"count": 2, "a": [1, 2, 3]}) == ({"A": [1, 2, 3], "B": 5}, {})
    assert made({"count": Count("A")}, {}) == {"count": 0}


def test_a_list_that_may_not_be_empty_names_what_is_missing() -> None:
    template = NotEmpty(
        "P", tuple(Choose({f"P.{name}": {name: At(f"P.{name}")}}, otherwise=ABSENT) for name in "XY")
    )
    both_ways(template, {"P": {"Y": 1}}, [{"Y": 1}])
    with pytest.raises(DuisError, match="body/P: element missing, expected X or Y"):
        made(template, {"P": {}})


# Values that several elements make --------------------------------------------------------------------------


@given(st.integers(0, 86400), st.datetimes())
def test_an_interval_has_an_end(seconds: int, moment: Any) -> None:
    start = moment.replace(microsecond=0, year=2000 + moment.year % 100).strftime("%Y-%m-%dT%H:%M:%SZ")
    template = {"from": At("Start"), "to": Later("Start", "Width")}
    elements: Parameters = {"Start": start, "Width": seconds}
    assert found(template, made(template, elements)) == (elements, {})


def test_an_interval_that_ends_after_all_years_is_named() -> None:
    with pytest.raises(DuisError, match="body/Width: the interval ends behind the last year"):
        made(Later("Start", "Width"), {"Start": "9999-12-31T23:59:59Z", "Width": 1})
    with pytest.raises(DuisError, match="body/Width: element missing"):
        made(Later("Start", "Width"), {"Start": "2030-01-01T00:00:00Z"})


SAMPLES = {"from": At("Start"), "count": Samples("Start", "End", 1800)}


@given(st.integers(0, 20000))
def test_a_window_has_samples_at_both_ends(half_hours: int) -> None:
    value: Value = {"from": "2030-01-01T00:00:00Z", "count": half_hours + 1}
    elements, _ = found(SAMPLES, value)
    assert made(SAMPLES, elements) == value


def test_a_window_that_ends_before_it_begins_is_named() -> None:
    with pytest.raises(DuisError, match="body/End: the period ends before it begins"):
        made(SAMPLES, {"Start": "2030-01-02T00:00:00Z", "End": "2030-01-01T00:00:00Z"})
    for count in (0, "1", 10**18):
        with pytest.raises(NoMatch):
            found(SAMPLES, {"from": "2030-01-01T00:00:00Z", "count": count})


def test_texts_stand_behind_each_other() -> None:
    both_ways({"p": Joined(("A", "B"), 3)}, {"A": "abc", "B": "def"}, {"p": "abcdef"})
    both_ways({"p": Joined(("A", "B"), 3)}, {"A": "abc"}, {"p": "abc"})
    for wrong in ("", "abcd", "abcdefghi", 5):
        with pytest.raises(NoMatch):
            found({"p": Joined(("A", "B"), 3)}, {"p": wrong})


DAYS = {
    "days": [ForEach("Day", {"id": At("@index")}, by="@index")],
    "entries": [ForEach("Entry", {"bits": DayBits("/Day", "@index", "Days.Use", "Id")})],
}


@given(st.sets(st.integers(1, 20), min_size=1), st.data())
def test_special_days_are_bits_in_the_order_of_the_table(table: set[int], data: st.DataObject) -> None:
    numbers = sorted(table)
    chosen = sorted(data.draw(st.sets(st.sampled_from(numbers), min_size=1)))
    elements: Parameters = {
        "Day": [{"@index": number} for number in numbers],
        "Entry": [{"Days": {"Use": [{"Id": number} for number in chosen]}}],
    }
    bits = "".join("1" if number in chosen else "0" for number in numbers)
    both_ways(DAYS, elements, {"days": [{"id": number} for number in numbers], "entries": [{"bits": bits}]})


@pytest.mark.parametrize(
    ("used", "message"),
    [
        (
            [{"Id": 9}],
            r"body/Entry\[0\]/Days/Use\[0\]/Id: no such special day .*, expected 1, 2, found 9",
        ),
        ([{"Id": 1}, {"Id": 1}], r"body/Entry\[0\]/Days/Use\[1\]: the special day is named twice"),
    ],
)
def test_special_days_that_are_not_in_the_table_are_named(used: list[Value], message: str) -> None:
    with pytest.raises(DuisError, match=message):
        made(DAYS, {"Day": [{"@index": 2}, {"@index": 1}], "Entry": [{"Days": {"Use": used}}]})


def halves(value: Value) -> list[Value]:
    if not isinstance(value, int) or value % 2:
        raise Refusal("an even number")
    return [{"half": value // 2}] * 2


def doubled(groups: list[Value]) -> Value:
    if len(groups) != 2 or not isinstance(groups[0], dict):
        raise Refusal("two halves")
    half = groups[0]["half"]
    return half * 2 if isinstance(half, int) else 0


def test_an_element_may_fall_into_groups() -> None:
    template = [Grouped("A", halves, doubled, {"n": At("half")})]
    both_ways(template, {"A": 8}, [{"n": 4}, {"n": 4}])
    with pytest.raises(DuisError, match="body/A: cannot be said in the command, expected an even number"):
        made(template, {"A": 3})
    with pytest.raises(DuisError, match="body/A: element missing"):
        made(template, {})
    with pytest.raises(NoMatch):
        found(template, [{"n": 4}])


# What is read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "paths"),
    [
        ({"p": At("A"), "q": {"r": At("B.C")}}, {"A", "B.C"}),
        (INDEXED, {"A.Item.@index", "A.Item[]", "A.Item.value"}),
        (CHOOSE, {"A?", "A", "B?", "B"}),
        (Indexed("S", 1, At("X")), {"S.@index", "S.X"}),
        (DAYS, {"Day.@index", "Day[]", "Entry[]", "Entry.Days.Use.Id"}),
        (Fact("now"), set()),
    ],
)
def test_a_template_tells_which_elements_it_reads(template: Any, paths: set[str]) -> None:
    assert set(uses(template)) == paths


def test_what_was_read_and_where_each_parameter_came_from_is_known() -> None:
    elements: Parameters = {"A": 1, "B": {"C": [{"@index": 2, "value": 5}]}, "Lost": 1}
    reading = Reading(GivenFacts({}), "body")
    template = {"p": At("A"), "q": [ForEach("B.C", {"v": At("value")}, by="@index")]}
    build(template, Scope(elements, elements, (), reading))
    assert ("A",) in reading.read
    assert ("B", "C", 0, "value") in reading.read
    assert ("Lost",) not in reading.read
    assert reading.origins == {"p": "A", "q[0].v": "B/C[0]"}


def test_a_run_stands_in_lists_only() -> None:
    run: Callable[[], Value] = lambda: made(ForEach("A", At("", SAME)), {"A": [1]})  # noqa: E731
    with pytest.raises(TypeError, match="outside a list"):
        run()
