"""Step 7 of the acceptance of a command: is its payload the use case's, and are the values in range?

A command whose payload is wrong is refused as a whole, before anything is executed: the offending item gets a
result that says why, every other item gets other-reason.

Spec: GBCS 6.2.4, 7.3 (access lists), 9.2 (dates of one command are equal).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smetslab.devices.cosem.checks import is_on_the_calendar
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataAccessResult,
    Specification,
    decode_apdu,
    long_invoke_id,
)
from smetslab.gbcs.dlms.axdr import Data, Null, Number, Octets, Sequence
from smetslab.gbcs.dlms.shapes import Bytes, ListOf, Num, Shape, Struct, Text
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.dlms import RANGE_DESCRIPTOR, AccessItem, DlmsAccess
from smetslab.gbcs.usecases.model import UseCase

Judge = Callable[[Specification], DataAccessResult]
"""What the device's objects and access rights say about one item; SUCCESS when it may be used."""

_ANSWERS = {Choice.GET_WITH_SELECTION: Choice.GET, Choice.SET_WITH_SELECTION: Choice.SET}


@dataclass(frozen=True, slots=True)
class MisfitPayload:
    """Why a payload is refused, and the content of the response that says so."""

    reason: str
    response: AccessResponse


def answer_choice(choice: Choice) -> Choice:
    """The choice that a result repeats: with selection or without. Spec: GBCS 7.3."""
    return _ANSWERS.get(choice, choice)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong. `place`: the item that is answered with `result`; None when no item is to blame."""

    reason: str
    place: int | None = None
    result: DataAccessResult = DataAccessResult.OTHER_REASON


def read_payload(use_case: UseCase, message: Message, judge: Judge) -> AccessRequest | MisfitPayload:
    """The access list of an authentic command, checked against its use case."""
    items = use_case.payload.items if isinstance(use_case.payload, DlmsAccess) else ()
    choices = [item.choice for item in items]
    problem: _Problem | None
    try:
        apdu = decode_apdu(message.content)
    except GbcsDecodeError as error:
        problem = _Problem(str(error))
    else:
        if isinstance(apdu, AccessRequest):
            problem = _problem_of(apdu, items, message, judge)
            if problem is None:
                return apdu
            choices = [specification.choice for specification in apdu.specifications]
        else:
            problem = _Problem("not an access-request")
    return MisfitPayload(problem.reason, _refusal(message, choices, problem))


def _problem_of(
    apdu: AccessRequest, items: tuple[AccessItem, ...], message: Message, judge: Judge
) -> _Problem | None:
    if apdu.long_invoke_id != long_invoke_id(message.originator_counter) or apdu.date_time:
        return _Problem("long-invoke-id is not that of the message, or a date-time is present")
    present, complete = _present(items, apdu.specifications)
    for place, item in enumerate(present):
        result = _judge_item(item, apdu.specifications[place], apdu.data[place], message)
        if result is not DataAccessResult.SUCCESS:
            return _Problem(f"item {place} ({item.name})", place, result)
    if len(present) < len(apdu.specifications):
        place = len(present)
        return _Problem(
            f"item {place} does not belong there", place, _undeclared(apdu.specifications[place], judge)
        )
    if not complete:
        return _Problem("items are missing")
    return _different_times(apdu, present)


def _different_times(apdu: AccessRequest, present: list[AccessItem]) -> _Problem | None:
    """All dates of one command are equal. Spec: GBCS 9.2."""
    activations = [place for place, item in enumerate(present) if item.activation]
    for place in activations[1:]:
        if apdu.data[place] != apdu.data[activations[0]]:
            return _Problem(
                f"item {place}: activation times differ", place, DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
            )
    return None


def _present(
    items: tuple[AccessItem, ...], specifications: tuple[Specification, ...]
) -> tuple[list[AccessItem], bool]:
    """The declared items that the specifications are, up to the first that is none; and whether none is
    missing."""
    present: list[AccessItem] = []
    at = 0
    for specification in specifications:
        while at < len(items) and items[at].optional and not _matches(items[at], specification):
            at += 1
        if at == len(items) or not _matches(items[at], specification):
            break
        present.append(items[at])
        at += 1
    return present, all(item.optional for item in items[at:])


def _matches(item: AccessItem, specification: Specification) -> bool:
    return (item.choice, item.class_id, item.obis, item.index) == (
        specification.choice,
        specification.class_id,
        specification.obis,
        specification.index,
    )


def _refusal(message: Message, choices: list[Choice], problem: _Problem) -> AccessResponse:
    results = [
        AccessResult(
            answer_choice(choice),
            problem.result if place == problem.place else DataAccessResult.OTHER_REASON,
        )
        for place, choice in enumerate(choices)
    ]
    nulls = tuple(axdr.null() for _ in choices)
    return AccessResponse(long_invoke_id(message.originator_counter), nulls, tuple(results))


def _judge_item(
    item: AccessItem, specification: Specification, data: Data, message: Message
) -> DataAccessResult:
    """Whether selection and data of an item have the declared shape and are in range."""
    if item.selection is not None and not _selects(item.selection, specification):
        return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    if item.protected is not None:
        try:
            item.protected.decode_command(data, message, item.name)
        except GbcsDecodeError:
            return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        return DataAccessResult.SUCCESS
    if item.command is None:
        return DataAccessResult.SUCCESS if isinstance(data, Null) else DataAccessResult.TYPE_UNMATCHED
    try:
        item.command.decode(data, item.name)
    except GbcsDecodeError:
        same_type = item.command.type_of(None) == axdr.describe_type(data)
        return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED if same_type else DataAccessResult.TYPE_UNMATCHED
    return (
        DataAccessResult.SUCCESS
        if in_range(item.command, data)
        else DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    )


def _selects(selection: Shape, specification: Specification) -> bool:
    if specification.selector != RANGE_DESCRIPTOR or specification.parameters is None:
        return False
    try:
        selection.decode(specification.parameters, "selection")
    except GbcsDecodeError:
        return False
    return True


def _undeclared(specification: Specification, judge: Judge) -> DataAccessResult:
    """Why an item that the use case does not have at this place is refused."""
    result = judge(specification)
    return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED if result is DataAccessResult.SUCCESS else result


def in_range(shape: Shape, data: Data) -> bool:
    """Whether a value that has its declared type keeps the declared limits."""
    match shape, data:
        case Num(), Number():
            return shape.in_range(data)
        case ((Text() | Bytes()), Octets(value=octets)):
            return _octets_in_range(shape, octets)
        case Struct(members=members), Sequence(items=items):
            return all(in_range(member, item) for (_, member), item in zip(members, items, strict=False))
        case ListOf(element=element), Sequence(items=items):
            return all(in_range(element, item) for item in items)
        case _:
            return True


def _octets_in_range(shape: Text | Bytes, octets: bytes) -> bool:
    if isinstance(shape, Bytes) and shape.form != "hex":
        return is_on_the_calendar(octets, shape.form)
    low = shape.minimum if isinstance(shape, Bytes) else None
    return (low is None or len(octets) >= low) and (shape.maximum is None or len(octets) <= shape.maximum)
