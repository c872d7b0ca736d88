"""The shapes of request bodies, on a made-up body that has all they can do."""

from __future__ import annotations

import re

import pytest

from smetslab.duis.element import Element
from smetslab.duis.srv import shapes, simple
from smetslab.duis.srv.shapes import Attribute, Attributed, Child, OneGroup, OneOf, Sequence, many, optional
from smetslab.duis.srv.simple import Decimals, Matching, Number, Octets, Shape, Text, Word
from smetslab.errors import DuisError
from smetslab.gbcs.values import Value

PRICES = Sequence(
    many("BlockPrice", Attributed(Number(-5, 5), (Attribute("index", Number(1, 4)),)), 1, 4),
)
BODY = Sequence(
    optional("ExecutionDateTime", simple.DATE_TIME),
    Child("Currency", Word(("GBP", "EUR"))),
    OneOf((Child("Electricity", PRICES), Child("Gas", shapes.EMPTY))),
    many(
        "Controller",
        Attributed(
            Sequence(optional("Input", shapes.PRESENT)),
            (
                Attribute("n", Number(1, 5)),
                Attribute("kind", Text(1, 3), optional=True),
            ),
        ),
        0,
        5,
    ),
    optional("Credentials", simple.CERTIFICATE),
    optional("Hash", Octets("hex", 2, 4)),
    optional("Peer", simple.EUI),
    optional("Flag", simple.BOOLEAN),
    OneOf((Child("Day", simple.DATE), Child("Time", simple.TIME)), minimum=0),
)


def leaf(name: str, text: str, **attributes: str) -> Element:
    return Element(name, text=text, attributes=tuple(attributes.items()))


WHOLE_VALUE: Value = {
    "ExecutionDateTime": "2030-01-15T09:00:00Z",
    "Currency": "GBP",
    "Electricity": {"BlockPrice": [{"@index": 1, "value": -5}, {"@index": 2, "value": 5}]},
    "Controller": [{"@n": 3, "@kind": "ALC", "Input": True}, {"@n": 4}],
    "Credentials": "3082",
    "Hash": "0AFF",
    "Peer": "00DB1234567890A0",
    "Flag": True,
    "Time": "07:30:00",
}
WHOLE = Element(
    "Body",
    (
        leaf("ExecutionDateTime", "2030-01-15T09:00:00.00Z"),
        leaf("Currency", "GBP"),
        Element("Electricity", (leaf("BlockPrice", "-5", index="1"), leaf("BlockPrice", "5", index="2"))),
        Element("Controller", (Element("Input"),), attributes=(("n", "3"), ("kind", "ALC"))),
        Element("Controller", attributes=(("n", "4"),)),
        leaf("Credentials", "MII="),
        leaf("Hash", "0AFF"),
        leaf("Peer", "00-DB-12-34-56-78-90-A0"),
        leaf("Flag", "true"),
        leaf("Time", "07:30:00.00Z"),
    ),
)
LEAST_VALUE: Value = {"Currency": "EUR", "Gas": {}}
LEAST = Element("Body", (leaf("Currency", "EUR"), Element("Gas")))


@pytest.mark.parametrize(
    ("element", "value"), [(WHOLE, WHOLE_VALUE), (LEAST, LEAST_VALUE)], ids=["whole", "least"]
)
def test_a_body_is_read_into_a_value_and_written_back(element: Element, value: Value) -> None:
    assert BODY.read(element, "Body") == value
    assert BODY.write("Body", value, "Body") == element


def test_leaves_name_every_value() -> None:
    assert list(BODY.leaves()) == [
        "ExecutionDateTime",
        "Currency",
        "Electricity.BlockPrice.@index",
        "Electricity.BlockPrice.value",
        "Gas",
        "Controller.@n",
        "Controller.@kind",
        "Controller.Input",
        "Credentials",
        "Hash",
        "Peer",
        "Flag",
        "Day",
        "Time",
    ]


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ((), "Body: element missing, expected Currency, found the end"),
        ((leaf("Currency", "USD"),), "Body/Currency: wrong value, expected GBP or EUR, found USD"),
        ((leaf("Currency", "GBP"),), "expected Electricity or Gas, found the end"),
        ((leaf("Currency", "GBP"), leaf("Both", "")), "expected Electricity or Gas, found Both"),
        ((*LEAST.children, Element("Gas")), "expected no further element, found Gas"),
        (
            (leaf("Currency", "GBP"), Element("Electricity")),
            "Body/Electricity: element missing, expected BlockPrice",
        ),
        (
            (leaf("Currency", "GBP"), Element("Electricity", (leaf("BlockPrice", "1"),))),
            "Body/Electricity/BlockPrice[0]/@index: attribute missing",
        ),
        (
            (leaf("Currency", "GBP"), Element("Electricity", (leaf("BlockPrice", "1", index="5"),))),
            "Body/Electricity/BlockPrice[0]/@index: wrong value, expected 1 to 4, found 5",
        ),
        (
            (leaf("Currency", "GBP"), Element("Electricity", (leaf("BlockPrice", "6", index="1"),))),
            "Body/Electricity/BlockPrice[0]: wrong value, expected -5 to 5, found 6",
        ),
        (
            (leaf("Currency", "GBP"), Element("Electricity", (leaf("BlockPrice", "1", index="1", x="y"),))),
            "unexpected attribute, found x",
        ),
        ((leaf("Currency", "GBP", x="y"), Element("Gas")), "Body/Currency: unexpected attribute, found x"),
        (
            (*LEAST.children, Element("Controller", (leaf("Input", "on"),), attributes=(("n", "1"),))),
            "text where",
        ),
        (
            (leaf("Currency", "GBP"), Element("Gas", attributes=(("a", "b"),))),
            "Body/Gas: unexpected attribute",
        ),
        ((*LEAST.children, leaf("Credentials", "M")), "expected base64 of 1 to 4096 octets"),
        ((*LEAST.children, leaf("Hash", "0A")), "expected hex of 2 to 4 octets"),
        ((*LEAST.children, leaf("Hash", "0G0A")), "expected hex of 2 to 4 octets"),
        ((*LEAST.children, leaf("Peer", "00DB1234567890A0")), "8 pairs of hex digits"),
        ((*LEAST.children, leaf("Peer", "00-DB-12-34-56-78-90-AX")), "an EUI-64"),
        ((*LEAST.children, leaf("Flag", "yes")), "true or false"),
        ((*LEAST.children, leaf("Day", "15/01/2030")), "a UTC date such as"),
        ((*LEAST.children, leaf("Time", "25:00:00")), "a time such as"),
        ((leaf("ExecutionDateTime", "now"), *LEAST.children), "a date-time such as"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_with_its_place(
    children: tuple[Element, ...], message: str
) -> None:
    with pytest.raises(DuisError) as refused:
        BODY.read(Element("Body", children), "Body")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "Body: wrong value, expected named members"),
        ({}, "Body/Currency: element missing"),
        ({"Currency": "GBP"}, "Body: element missing, expected one of Electricity, Gas"),
        ({"Currency": "GBP", "Gas": {}, "Electricity": {}}, "not exactly one of the alternatives"),
        ({"Currency": 1, "Gas": {}}, "Body/Currency: wrong value, expected GBP or EUR, found 1"),
        (
            {"Currency": "GBP", "Gas": {}, "Water": {}},
            "Body/Water: no such element, expected ExecutionDateTime",
        ),
        ({"Currency": "GBP", "Electricity": {"BlockPrice": []}}, "expected a list of 1 to 4"),
        ({"Currency": "GBP", "Electricity": {"BlockPrice": 5}}, "expected a list of 1 to 4"),
        ({"Currency": "GBP", "Electricity": {"BlockPrice": [{"value": 1}]}}, "@index: attribute missing"),
        (
            {"Currency": "GBP", "Electricity": {"BlockPrice": [{"@index": True, "value": 1}]}},
            "expected 1 to 4",
        ),
        ({**LEAST_VALUE, "Controller": [{"@n": 1, "Input": False}]}, "true (leave it out otherwise)"),
        ({**LEAST_VALUE, "Flag": 1}, "true or false"),
        ({**LEAST_VALUE, "Hash": "0G0A"}, "hex of 2 to 4 octets"),
        ({**LEAST_VALUE, "Hash": 17}, "hex of 2 to 4 octets"),
        ({**LEAST_VALUE, "Peer": "me"}, "an EUI-64"),
        ({**LEAST_VALUE, "ExecutionDateTime": "2030-01-15"}, "a date-time such as"),
        ({**LEAST_VALUE, "Day": 15}, "a UTC date such as"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(value: Value, message: str) -> None:
    with pytest.raises(DuisError) as refused:
        BODY.write("Body", value, "Body")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "text", "value"),
    [
        (Number(0, 9), " 7 ", 7),
        (Number(-9, 9), "-007", -7),
        (Number(0, 9), "+7", 7),
        (simple.UNSIGNED_INT, "4294967295", 2**32 - 1),
        (Text(0, 9), "  two  ", "  two  "),
        (simple.BOOLEAN, " 1\n", True),
        (simple.DATE_TIME, "2030-01-15T10:00:00.999+01:00", "2030-01-15T09:00:00Z"),
        (Octets("base64", 0, 9), "M II=\n", "3082"),
        (Octets("hex", 0, 9), "0aFf", "0AFF"),
        (simple.EUI, "00-db-12-34-56-78-90-a0", "00DB1234567890A0"),
        (Matching(re.compile("[0-9]+"), "digits"), "1300", "1300"),
        (Decimals(2, "1.00", "100.00"), "60", "60.00"),
        (Decimals(1, "-1", "1"), " +.5 ", "0.5"),
        (simple.TIME, "07:30:59.999Z", "07:30:59"),
        (simple.TIME, "00:30:00+01:00", "23:30:00"),
        (simple.TIME, "23:30:00-01:30", "01:00:00"),
        (simple.DATE, "2014-10-27Z", "2014-10-27"),
        (simple.DATE, "65535-02-29", "*-02-29"),
        (simple.DATE, "2030-01-15+00:00", "2030-01-15"),
    ],
)
def test_lexical_forms_of_simple_values(shape: Shape, text: str, value: Value) -> None:
    assert shape.read(Element("x", text=text), "x") == value


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (Number(0, 9), "10"),
        (Number(0, 9), ""),
        (Number(0, 9), "1.0"),
        (Number(0, 9), "1e0"),
        (Number(0, 9), "٣"),
        (Number(0, 9), "1_0"),
        (Number(0, 10**50), "9" * 5000),
        (simple.UNSIGNED_INT, "4294967296"),
        (Text(1, 3), ""),
        (Text(1, 3), "four"),
        (Text(1, 9, re.compile("[ -~]+")), "line\nbreak"),
        (Word(("Disable",)), "disable"),
        (Decimals(1, "0", "2"), "1.25"),
        (Decimals(1, "0", "2"), "2.1"),
        (Decimals(1, "0", "2"), "1e0"),
        (simple.TIME, "24:00:00Z"),
        (simple.TIME, "7:00:00Z"),
        (simple.DATE, "2015-02-29Z"),
        (simple.DATE, "2015-01-01+01:00"),
    ],
)
def test_what_is_no_such_value_is_refused(shape: Shape, text: str) -> None:
    with pytest.raises(DuisError, match="wrong value"):
        shape.read(Element("x", text=text), "x")


def test_declarations_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="named twice"):
        Sequence(Child("a", shapes.EMPTY), OneOf((Child("a", shapes.EMPTY),)))
    with pytest.raises(ValueError, match="more than once"):
        many("a", shapes.EMPTY, 0, 1)


def test_more_elements_than_allowed_are_one_too_many() -> None:
    prices = tuple(leaf("BlockPrice", "1", index=str(number)) for number in (1, 2, 3, 4, 4))
    with pytest.raises(DuisError, match="expected no further element, found BlockPrice"):
        PRICES.read(Element("Electricity", prices), "x")


ONE_OF_GROUPS = Sequence(
    OneGroup(
        (
            (Child("A1", Number(0, 9)), optional("A2", Number(0, 9))),
            (Child("B1", Number(0, 9)), Child("B2", Number(0, 9))),
        )
    )
)


@pytest.mark.parametrize("value", [{"A1": 1, "A2": 2}, {"A1": 1}, {"B1": 3, "B2": 4}])
def test_one_row_of_several_elements_stands_there(value: dict[str, Value]) -> None:
    element = ONE_OF_GROUPS.write("x", value, "x")
    assert [child.name for child in element.children] == list(value)
    assert ONE_OF_GROUPS.read(element, "x") == value


def test_rows_of_elements_do_not_mix() -> None:
    with pytest.raises(DuisError, match="expected A1 or B1"):
        ONE_OF_GROUPS.read(Element("x"), "x")
    with pytest.raises(DuisError, match="no further element, found B2"):
        ONE_OF_GROUPS.read(Element("x", (leaf("A1", "1"), leaf("B2", "2"))), "x")
    with pytest.raises(DuisError, match="no such element"):
        ONE_OF_GROUPS.write("x", {"A1": 1, "B2": 2}, "x")


def test_an_alternative_may_be_repeated() -> None:
    shape = Sequence(OneOf((Child("Single", Number(0, 9)), many("Phase", Number(0, 9), 3, 3))))
    value: Value = {"Phase": [1, 2, 3]}
    element = shape.write("x", value, "x")
    assert [child.text for child in element.children] == ["1", "2", "3"]
    assert shape.read(element, "x") == value
    with pytest.raises(DuisError, match="element missing, expected Phase"):
        shape.read(Element("x", (leaf("Phase", "1"),)), "x")
