"""The kinds of steps between elements and parameters. A variant is a list of them; there is no code per
variant.

Spec: DUIS to GBCS transformation rules as they follow from the published templates and their messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.errors import DuisError, GbcsEncodeError
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import (
    HEX_PREFIX,
    IMMEDIATE,
    NEVER,
    Parameters,
    Value,
    from_hex,
    parse_utc,
    to_hex,
    utc_text,
)

CANCELLATION: Final = "3000-12-31T00:00:00Z"
"""The execution time that cancels. Spec: DUIS, cancellation of future-dated requests; 20 published
templates.
"""


def value_at(values: Parameters, path: str) -> Value:
    """The member at a dotted path. Raises DuisError when it is not there."""
    found: Value = values
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            raise DuisError("missing", path=path.replace(".", "/"))
        found = found[part]
    return found


def put_at(values: Parameters, path: str, value: Value) -> None:
    """Write the member at a dotted path, making the objects above it."""
    *parents, last = path.split(".")
    place = values
    for part in parents:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise DuisError("a value stands where members belong", path=path.replace(".", "/"))
        place = inner
    place[last] = value


@dataclass(frozen=True, slots=True)
class Same:
    """The value of an element is the value of a parameter: integers are never scaled, words are the same
    words.
    """

    element: str
    parameter: str

    def elements(self) -> tuple[str, ...]:
        return (self.element,)

    def parameters(self, use_case: UseCase) -> tuple[str, ...]:
        del use_case
        return (self.parameter,)

    def fill(self, elements: Parameters, parameters: Parameters, use_case: UseCase) -> None:
        del use_case
        put_at(parameters, self.parameter, value_at(elements, self.element))

    def restore(self, parameters: Parameters, elements: Parameters, use_case: UseCase) -> None:
        del use_case
        put_at(elements, self.element, value_at(parameters, self.parameter))


@dataclass(frozen=True, slots=True)
class Characters(Same):
    """A text that people wrote: one that begins like the mark of octets in parameters stays a text."""

    def fill(self, elements: Parameters, parameters: Parameters, use_case: UseCase) -> None:
        del use_case
        value = value_at(elements, self.element)
        if isinstance(value, str) and value.startswith(HEX_PREFIX):
            value = HEX_PREFIX + to_hex(value.encode())
        put_at(parameters, self.parameter, value)

    def restore(self, parameters: Parameters, elements: Parameters, use_case: UseCase) -> None:
        del use_case
        value = value_at(parameters, self.parameter)
        if isinstance(value, str) and value.startswith(HEX_PREFIX):
            value = from_hex(value, self.parameter).decode("ascii", errors="replace")
        put_at(elements, self.element, value)


@dataclass(frozen=True, slots=True)
class Execution:
    """ExecutionDateTime, or its absence, becomes every activation time of the use case: all have one value.

    Spec: GBCS 9.2 (one date for all items of a command).
    """

    def elements(self) -> tuple[str, ...]:
        return (EXECUTION_DATE_TIME,)

    def parameters(self, use_case: UseCase) -> tuple[str, ...]:
        return use_case.payload.activations

    def fill(self, elements: Parameters, parameters: Parameters, use_case: UseCase) -> None:
        given = elements.get(EXECUTION_DATE_TIME, IMMEDIATE)
        for name in self.parameters(use_case):
            parameters[name] = NEVER if given == CANCELLATION else given

    def restore(self, parameters: Parameters, elements: Parameters, use_case: UseCase) -> None:
        times = [parameters.get(name) for name in self.parameters(use_case)]
        if any(time != times[0] for time in times):
            raise DuisError(
                "activation times differ", path=EXECUTION_DATE_TIME, expected="one time for all items"
            )
        if times[0] != IMMEDIATE:
            elements[EXECUTION_DATE_TIME] = CANCELLATION if times[0] == NEVER else times[0]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A moment and a number of seconds become the two ends of an interval that begins at the moment."""

    moment: str
    seconds: str
    start: str
    end: str

    def elements(self) -> tuple[str, ...]:
        return (self.moment, self.seconds)

    def parameters(self, use_case: UseCase) -> tuple[str, ...]:
        del use_case
        return (self.start, self.end)

    def fill(self, elements: Parameters, parameters: Parameters, use_case: UseCase) -> None:
        del use_case
        moment, seconds = value_at(elements, self.moment), value_at(elements, self.seconds)
        if not isinstance(seconds, int):
            raise DuisError("not a number", path=self.seconds, found=repr(seconds))
        try:
            end = parse_utc(moment, self.moment) + timedelta(seconds=seconds)
        except OverflowError:
            raise DuisError(
                "the interval ends behind the last year", path=self.moment, found=str(moment)
            ) from None
        put_at(parameters, self.start, moment)
        put_at(parameters, self.end, utc_text(end))

    def restore(self, parameters: Parameters, elements: Parameters, use_case: UseCase) -> None:
        del use_case
        start, end = value_at(parameters, self.start), value_at(parameters, self.end)
        try:
            width = parse_utc(end, self.end) - parse_utc(start, self.start)
        except GbcsEncodeError as error:
            raise DuisError(
                "no interval between two moments", path=self.moment, found=f"{start} to {end}"
            ) from error
        put_at(elements, self.moment, start)
        put_at(elements, self.seconds, int(width.total_seconds()))
