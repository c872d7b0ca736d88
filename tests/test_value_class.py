"""Value classes: equal and hashed by their fields, and refused when they are not declared frozen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.value_class import value_class


@value_class(frozen=True, slots=True)
class Place:
    row: int
    column: int = 0


def test_values_are_equal_and_hashed_by_their_fields() -> None:
    assert Place(1) == Place(1, 0) != Place(1, 2)
    assert {Place(1): "there"}[replace(Place(2), row=1)] == "there"
    assert repr(Place(1)) == "Place(row=1, column=0)"


def test_values_have_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Place(1).depth = 3  # type: ignore[attr-defined]


def test_a_class_that_may_change_is_no_value_class() -> None:
    with pytest.raises(TypeError, match="frozen"):
        value_class(frozen=False)
