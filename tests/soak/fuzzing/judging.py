"""How properties are judged: what holds or is a finding, how long a step may take, where errors may point."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from smetslab.errors import CodecError

TIME_LIMIT_S = 1.0
"""CPU seconds that one step may take, instrumented code included."""

P = ParamSpec("P")
T = TypeVar("T")


class Finding(AssertionError):
    """A property does not hold. The text is the same for every input that breaks it in the same way."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Finding(what)


def step(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` and look at the clock."""
    start = time.process_time()
    try:
        return function(*args, **kwargs)
    finally:
        taken = time.process_time() - start
        if taken > TIME_LIMIT_S:
            raise Finding(f"{function.__name__} takes more than {TIME_LIMIT_S} s")


def require_place(error: CodecError, length: int, what: str) -> None:
    """An error that names an offset names one in what was given."""
    require(error.offset is None or 0 <= error.offset <= length, f"{what}: offset outside: {error.what}")


def expect(error: type[Exception], function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function`, which may raise `error` and nothing else."""
    with suppress(error):
        step(function, *args, **kwargs)
