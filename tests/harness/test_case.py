"""Declaring cases, and choosing among them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from smetslab.errors import LocalProtocolError, RegistryError, UsageError
from smetslab.harness.case import Case, CaseRegistry, case, check, inconclusive, step
from smetslab.harness.conditions import has
from smetslab.harness.obligations import OBLIGATIONS, covers, obligation, obligation_of
from smetslab.harness.select import Selection, select
from smetslab.harness.suite import SuiteDefinition

DECLARATION: dict[str, Any] = {
    "version": 1,
    "title": "A title",
    "kind": "positive read",
    "obligations": ("F4.3-C1",),
}


async def body(_bench: object) -> None:
    """Says what it does."""


def declare(registry: CaseRegistry, *, id_: str = "A-1", **changes: object) -> Case[Any]:
    decorate: Callable[[Callable[[Any], Awaitable[None]]], Case[Any]]
    decorate = registry.case(id_, **{**DECLARATION, **changes})
    return decorate(body)


def test_a_declared_case_is_data() -> None:
    declared = declare(CaseRegistry(), use_cases=("ECS17b",))
    assert declared.declaration().model_dump() == {
        "case": "A-1",
        "version": 1,
        "title": "A title",
        "description": "Says what it does.",
        "kind": "positive read",
        "obligations": ("F4.3-C1",),
        "use_cases": ("ECS17b",),
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"obligations": ("F4.9-C1",)}, r"F4\.9-C1"),
        ({"obligations": ()}, "no obligation"),
        ({"version": 0}, "version"),
        ({"title": ""}, "title"),
        ({"kind": ""}, "kind"),
        ({"id_": "has space"}, "no case id"),
        ({"id_": ""}, "no case id"),
    ],
)
def test_a_wrong_declaration_is_refused_at_import(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        declare(CaseRegistry(), **changes)  # type: ignore[arg-type]


def test_a_second_case_of_the_same_id_is_refused_and_both_are_named() -> None:
    registry = CaseRegistry()
    declare(registry)
    with pytest.raises(RegistryError, match=r"declared twice: .*body and .*body"):
        declare(registry)


def test_a_plain_function_is_no_body() -> None:
    with pytest.raises(RegistryError, match="no coroutine function"):
        CaseRegistry().case("A-1", **DECLARATION)(lambda _bench: None)  # type: ignore[arg-type, return-value]


def test_a_family_declares_one_case_for_each_row() -> None:
    @dataclass(frozen=True)
    class Row:
        use_case: str
        gas: bool

    registry = CaseRegistry()
    rows = (Row("ECS17b", False), Row("GCS13a", True))

    @registry.family(
        "{row.use_case}-MAC",
        rows=rows,
        version=1,
        title="{row.use_case}: a wrong MAC is refused",
        kind="wrong MAC",
        obligations=("F4.3-C3",),
        use_cases=("{row.use_case}",),
        applies_when=lambda row: has("gas") if row.gas else has("electricity"),
    )
    async def wrong_mac(_bench: Any, _row: Row) -> None:
        """One for each."""

    assert [entry.id for entry in wrong_mac] == ["ECS17b-MAC", "GCS13a-MAC"]
    assert [entry.use_cases for entry in registry] == [("ECS17b",), ("GCS13a",)]
    assert [str(entry.applies_when) for entry in registry] == ["electricity", "gas"]
    assert wrong_mac[1].title == "GCS13a: a wrong MAC is refused"


def test_the_words_of_a_body_need_a_running_case() -> None:
    with pytest.raises(LocalProtocolError, match="outside a running case"):
        check("anything", 1, equals=1)
    with pytest.raises(LocalProtocolError, match="outside a running case"):
        inconclusive("anything")
    with pytest.raises(LocalProtocolError, match="outside a running case"), step("anything"):
        pass


def test_the_default_registry_takes_part_in_import_refusal() -> None:
    with pytest.raises(RegistryError, match="no obligation or check"):
        case("TEST-DEFAULT-REGISTRY", **{**DECLARATION, "obligations": ("nonsense",)})(body)


def test_every_check_belongs_to_an_obligation() -> None:
    for entry in OBLIGATIONS.values():
        assert obligation_of(entry.id).parent is None
        assert entry.title
        if entry.parent is not None:
            assert entry.id.startswith(f"{entry.parent}-C")
    assert [name for name, entry in OBLIGATIONS.items() if entry.parent is None] == [
        "F4.1",
        "F4.2",
        "F4.3",
        "F4.4(a)",
        "F4.4(b)",
        "F4.5",
    ]
    assert len([name for name in OBLIGATIONS if name.startswith("F4.3-")]) == 8
    with pytest.raises(RegistryError):
        obligation("F9")


def test_an_obligation_covers_its_checks_and_no_others() -> None:
    assert covers("F4.3-C1", "F4.3")
    assert covers("F4.3-C1", "F4.3-C1")
    assert not covers("F4.3-C1", "F4.3-C2")
    assert not covers("F4.3", "F4.3-C1")


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(cases=("TOY-COUNTER-*",)), ["TOY-COUNTER-equal", "TOY-COUNTER-lower"]),
        (Selection(obligations=("F4.5",)), ["TOY-READ"]),
        (Selection(obligations=("F4.1", "F4.3-C3")), ["TOY-OPEN", "TOY-RULES"]),
        (Selection(use_cases=("TOY2",), cases=("*equal",)), ["TOY-COUNTER-equal"]),
    ],
)
def test_selection(toy: ModuleType, selection: Selection, chosen: list[str]) -> None:
    assert [entry.id for entry in select(toy.CASES, selection)] == chosen


@pytest.mark.parametrize(
    ("selection", "said", "hint"),
    [
        (Selection(cases=("TOY-RAED",)), "no case 'TOY-RAED'", "TOY-READ"),
        (Selection(obligations=("F4.3-C9",)), r"no obligation 'F4\.3-C9'", "F4.3-C"),
        (Selection(use_cases=("ECS17b",)), "no use case 'ECS17b'", "suites"),
        (Selection(cases=("TOY-READ",), use_cases=("TOY2",)), "whole selection", "suites"),
    ],
)
def test_a_selection_of_nothing_says_what_is_near(
    toy: ModuleType, selection: Selection, said: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        select(toy.CASES, selection)
    assert hint in refusal.value.hint


def test_a_suite_refuses_the_same_case_twice_and_no_case_at_all(toy: ModuleType) -> None:
    for cases in ((toy.CASES[0], toy.CASES[0]), ()):
        with pytest.raises(RegistryError, match="suite toy"):
            SuiteDefinition(name="toy", title="Toy", version=1, cases=cases, prepare=toy.prepare)
