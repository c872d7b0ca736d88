"""Three-valued conditions."""

from __future__ import annotations

import pytest

from smetslab.harness.conditions import ALWAYS, Capabilities, Condition, has
from smetslab.harness.verdict import Applicability

YES, NO, OPEN = Applicability.YES, Applicability.NO, Applicability.NOT_STATED
BENCH = Capabilities({"y": True, "n": False})


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        (ALWAYS, YES),
        (has("y"), YES),
        (has("n"), NO),
        (has("o"), OPEN),
        (~has("y"), NO),
        (~has("n"), YES),
        (~has("o"), OPEN),
        (has("y") & has("o"), OPEN),
        (has("n") & has("o"), NO),
        (has("o") & has("n"), NO),
        (has("y") | has("o"), YES),
        (has("o") | has("n"), OPEN),
        (has("n") | has("n"), NO),
        (~(has("y") & has("o")), OPEN),
    ],
)
def test_what_is_not_stated_decides_nothing(condition: Condition, state: Applicability) -> None:
    assert condition.evaluate(BENCH) is state


def test_a_condition_says_what_it_asks_for() -> None:
    condition = has("gas") & (has("prepayment") | ~has("gas"))
    assert condition.names == ("gas", "prepayment")
    assert str(condition) == "gas and (prepayment or not gas)"


def test_a_conjunction_reads_as_one_list() -> None:
    assert str(ALWAYS & has("a") & has("b") & ALWAYS) == "a and b"
    assert str(ALWAYS & ALWAYS) == "always"
