"""One engine for all variants: body to elements to parameters, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smetslab.duis.element import Element
from smetslab.duis.srv.model import Context, GivenFacts, ServiceRequest, Target, UseCaseMapping
from smetslab.duis.srv.template import (
    Facts,
    Found,
    NoMatch,
    Path,
    Reading,
    Scope,
    Stand,
    build,
    leaf_paths,
    match,
    shown,
)
from smetslab.errors import DuisError, GbcsEncodeError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.usecases.versions import speaks
from smetslab.gbcs.values import Parameters, Value

_NOTHING_KNOWN = Context()


def read_body(row: ServiceRequest, element: Element) -> Parameters:
    """The named elements of the body of a request. Raises DuisError when it is not the body of this
    variant.
    """
    path = f"Request/Body/{element.name}"
    if element.name != row.element:
        raise element.fail(
            "not the body of this service request", path, expected=row.element, found=element.name
        )
    value = row.body.read(element, path)
    return value if isinstance(value, dict) else {}


def write_body(row: ServiceRequest, elements: Parameters) -> Element:
    """The body element that says `elements`. Raises DuisError where something is missing, unknown or
    wrong.
    """
    return row.body.write(row.element, elements, _root(row))


def choose(row: ServiceRequest, target: Target, elements: Parameters) -> UseCaseMapping | None:
    """The use case that carries out such a request on such a device, None when there is none.

    By device type and content, then by what the user is to the device, then the newest that the device may
    speak.
    """
    candidates = candidates_for(row, target, elements)
    version = target.gbcs_version
    for mapping in candidates:
        if version is None or speaks(mapping.use_case, version) is not False:
            return mapping
    return candidates[-1] if candidates else None


def candidates_for(row: ServiceRequest, target: Target, elements: Parameters) -> tuple[UseCaseMapping, ...]:
    """The use cases among which the GBCS version of the device decides, newest first."""
    fitting = [
        mapping
        for mapping in row.mappings
        if mapping.serves(target.device_type)
        and mapping.phases in {None, target.phases}
        and (not mapping.peers or target.peer_type is None or target.peer_type in mapping.peers)
        and mapping.fits(_scope(elements, _NOTHING_KNOWN))
    ]
    if target.role is not None:
        fitting = [mapping for mapping in fitting if _may_ask(mapping, target.role)] or fitting
    return tuple(fitting)


def _may_ask(mapping: UseCaseMapping, role: RemotePartyRole) -> bool:
    roles = mapping.roles or mapping.use_case.originator_roles
    return role in roles or (not mapping.roles and RemotePartyRole.ACCESS_CONTROL_BROKER in roles)


@dataclass(frozen=True, slots=True)
class Transformed:
    """Parameters, and which element each came from."""

    parameters: Parameters
    origins: dict[str, str]

    def refused(self, row: ServiceRequest, use_case: UseCase, error: GbcsEncodeError) -> DuisError:
        """What the encoder says about a parameter, said about the element that it came from."""
        place = error.path
        while place and place not in self.origins:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return DuisError(
            f"a command of {use_case.name} cannot say it",
            path=_root(row) + (f"/{self.origins[place]}" if place else ""),
            expected=error.expected,
            found=error.found or str(error),
        )


def transform_elements(
    row: ServiceRequest, mapping: UseCaseMapping, elements: Parameters, facts: Facts
) -> Transformed:
    """The parameters of the command that carries out `elements`, every one of which must have a part in it.

    Raises DuisError naming the element that is missing, cannot be said, or would get lost.
    """
    made = _build(mapping, elements, facts, _root(row))
    payload = mapping.use_case.payload
    if not made[0] and isinstance(payload, DlmsAccess) and payload.has_optional_items:
        raise DuisError("the command would do nothing", path=_root(row))
    left = _unread(row, elements, made[1])
    if left:
        raise DuisError(
            f"{mapping.use_case.name} has no place for it",
            path=f"{_root(row)}/{shown(left[0])}",
        )
    return Transformed(made[0], made[1].origins)


def to_parameters(mapping: UseCaseMapping, elements: Parameters, facts: Facts = _NOTHING_KNOWN) -> Parameters:
    """The parameters of the command that carries out `elements`. Raises DuisError."""
    return _build(mapping, elements, facts)[0]


def from_parameters(mapping: UseCaseMapping, parameters: Parameters) -> Parameters:
    """The elements whose command has `parameters`: the inverse of `to_parameters`, but for what the DCC
    keeps to itself. Raises DuisError when no request of this variant makes such a command.
    """
    elements, facts = restore(mapping, parameters)
    del facts
    return elements


def restore(mapping: UseCaseMapping, parameters: Parameters) -> tuple[Parameters, GivenFacts]:
    """The elements and the facts that make `parameters`. Raises DuisError when none do."""
    found = Found()
    stand = Stand((), found)
    try:
        match(mapping.template, parameters, stand)
        for condition in mapping.when:
            condition.note(stand)
        elements = found.elements()
    except NoMatch as error:
        raise DuisError(
            "no request makes a command with these parameters",
            path=mapping.use_case.name,
            expected=str(error),
        ) from None
    facts = GivenFacts(found.facts)
    again = to_parameters(mapping, elements, facts)
    if again != parameters:
        where, wanted, given = first_difference(again, parameters) or ("", "", "")
        raise DuisError(
            "no request makes a command with these parameters",
            path=f"{mapping.use_case.name}: {where}",
            expected=wanted,
            found=given,
        )
    return elements, facts


def differences(ours: Value, theirs: Value, path: str = "") -> Iterator[tuple[str, Value, Value]]:
    """Where two values differ, and what each of them says there: None where it says nothing."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            place = f"{path}.{name}" if path else name
            if name in ours and name in theirs:
                yield from differences(ours[name], theirs[name], place)
            else:
                yield place, ours.get(name), theirs.get(name)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif ours != theirs or type(ours) is not type(theirs):
        yield path, ours, theirs


def first_difference(ours: Value, theirs: Value) -> tuple[str, str, str] | None:
    """Where two values differ first, and how each of them looks there; None where they are equal."""
    found = next(differences(ours, theirs), None)
    return None if found is None else (found[0], _shown(found[1]), _shown(found[2]))


_SHOWN = 80


def _shown(value: Value) -> str:
    return "nothing" if value is None else repr(value)[:_SHOWN]


def _root(row: ServiceRequest) -> str:
    return f"Request/Body/{row.element}"


def _scope(elements: Parameters, facts: Facts, root: str = "Request/Body") -> Scope:
    return Scope(elements, elements, (), Reading(facts, root))


def _build(
    mapping: UseCaseMapping, elements: Parameters, facts: Facts, root: str = "Request/Body"
) -> tuple[Parameters, Reading]:
    scope = _scope(elements, facts, root)
    if not mapping.fits(scope):
        raise scope.fail(f"not a request for {mapping.use_case.name}", ())
    value = build(mapping.template, scope)
    return (value if isinstance(value, dict) else {}), scope.reading


def _unread(row: ServiceRequest, elements: Parameters, reading: Reading) -> list[Path]:
    """The elements that neither the use case nor the DCC looked at."""
    known = {tuple(name.split(".")) for name in row.dcc_elements}
    left: list[Path] = []
    for path in leaf_paths(elements):
        names = tuple(part for part in path if isinstance(part, str))
        if path and path not in reading.read and not any(names[: len(one)] == one for one in known):
            left.append(path)
    return left
