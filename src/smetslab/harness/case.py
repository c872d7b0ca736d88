"""Cases: declared once, as data with an async body, and the words a body is written in.

    @case("HAN-TUN-07", version=2, title="Tunnel survives a restart", kind="recovery", obligations=("F4.2",))
    async def tunnel_survives_restart(lab: Lab) -> None:
        with step("read the clock through the tunnel"):
            check("the clock answers", (await lab.read_clock()).result, equals="success", spec="GBCS 9.1")

`step`, `check`, `require`, `expect` and `inconclusive` speak to the recorder of the case that is running;
outside a case they raise LocalProtocolError.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Generic, NoReturn, Protocol, TypeAlias, TypeVar, Unpack

from smetslab.clock import Clock
from smetslab.errors import LocalProtocolError, RegistryError
from smetslab.harness.conditions import ALWAYS, Condition, has
from smetslab.harness.obligations import obligation
from smetslab.harness.recorder import CaseStopped, Comparisons, Proof, Recorder
from smetslab.harness.records import Declaration
from smetslab.trace import Observation, Trace
from smetslab.zigbee.capture.keys import CaptureKey

__all__ = [
    "DEFAULT_LIMIT_S",
    "AnyCase",
    "Bench",
    "Case",
    "CaseRegistry",
    "case",
    "case_family",
    "check",
    "expect",
    "has",
    "inconclusive",
    "recording",
    "require",
    "step",
]

DEFAULT_LIMIT_S: Final = 7 * 86_400.0
"""Virtual seconds a body may take before the case is given up as inconclusive."""

_CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Bench(Protocol):
    """What the harness knows of the thing a case runs on.

    `parties`: the names the trace uses as source and target, from the service user on the left to the device
    on the right, each with what people call it; a name that is not in it gets a lane where it first appears.
    """

    @property
    def trace(self) -> Trace: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def parties(self) -> Mapping[str, str]: ...

    def capture_keys(self) -> Sequence[CaptureKey]:
        """The keys of its HAN, which open what the trace has of the air; none where nothing was on it."""
        ...


B_contra = TypeVar("B_contra", bound=Bench, contravariant=True)
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Generic[B_contra]):
    """One declared case. `limit_s` is virtual time; `source` is the module and function that declare it."""

    id: str
    version: int
    title: str
    kind: str
    obligations: tuple[str, ...]
    use_cases: tuple[str, ...]
    applies_when: Condition
    limit_s: float
    description: str
    source: str
    body: Callable[[B_contra], Awaitable[None]]

    def declaration(self) -> Declaration:
        return Declaration(
            case=self.id,
            version=self.version,
            title=self.title,
            description=self.description,
            kind=self.kind,
            obligations=self.obligations,
            use_cases=self.use_cases,
        )


AnyCase: TypeAlias = Case[Any]
"""A case where only its declaration matters, not the bench it runs on."""


class CaseRegistry:
    """All cases declared through it, by id. Duplicates and unknown obligations are refused at import."""

    def __init__(self) -> None:
        self._cases: dict[str, AnyCase] = {}

    def __iter__(self) -> Iterator[AnyCase]:
        return iter(self._cases.values())

    def __len__(self) -> int:
        return len(self._cases)

    def case(
        self,
        id: str,
        *,
        version: int,
        title: str,
        kind: str,
        obligations: tuple[str, ...],
        use_cases: tuple[str, ...] = (),
        applies_when: Condition = ALWAYS,
        limit_s: float = DEFAULT_LIMIT_S,
    ) -> Callable[[Callable[[B_contra], Awaitable[None]]], Case[B_contra]]:
        """Declare the decorated coroutine function as a case."""

        def declare(body: Callable[[B_contra], Awaitable[None]]) -> Case[B_contra]:
            _must_be_coroutine_function(body)
            return self._add(
                Case(
                    id=id,
                    version=version,
                    title=title,
                    kind=kind,
                    obligations=obligations,
                    use_cases=use_cases,
                    applies_when=applies_when,
                    limit_s=limit_s,
                    description=_description(body),
                    source=_source(body),
                    body=body,
                )
            )

        return declare

    def family(
        self,
        id: str,
        *,
        rows: Sequence[R],
        version: int,
        title: str,
        kind: str,
        obligations: tuple[str, ...],
        use_cases: tuple[str, ...] = (),
        applies_when: Condition | Callable[[R], Condition] = ALWAYS,
        limit_s: float = DEFAULT_LIMIT_S,
    ) -> Callable[[Callable[[B_contra, R], Awaitable[None]]], tuple[Case[B_contra], ...]]:
        """Declare one case for each row. `id`, `title`, `kind`, `obligations` and `use_cases` are
        `str.format` templates in which `row` is the row: `"{row.use_case}-WRONG-MAC"`.
        """

        def declare(body: Callable[[B_contra, R], Awaitable[None]]) -> tuple[Case[B_contra], ...]:
            _must_be_coroutine_function(body)
            return tuple(
                self._add(
                    Case(
                        id=id.format(row=row),
                        version=version,
                        title=title.format(row=row),
                        kind=kind.format(row=row),
                        obligations=tuple(entry.format(row=row) for entry in obligations),
                        use_cases=tuple(entry.format(row=row) for entry in use_cases),
                        applies_when=applies_when(row) if callable(applies_when) else applies_when,
                        limit_s=limit_s,
                        description=_description(body),
                        source=_source(body),
                        body=_with_row(body, row),
                    )
                )
                for row in rows
            )

        return declare

    def _add(self, declared: Case[B_contra]) -> Case[B_contra]:
        if not _CASE_ID.fullmatch(declared.id):
            raise RegistryError(
                f"{declared.id!r} is no case id: letters, digits, '.', '_' and '-'", rule="case id"
            )
        if declared.id in self._cases:
            first = self._cases[declared.id].source
            raise RegistryError(
                f"case {declared.id} is declared twice: {first} and {declared.source}", rule="case id"
            )
        if declared.version < 1 or not declared.title or not declared.kind:
            raise RegistryError(f"case {declared.id} needs a version from 1, a title and a kind", rule="case")
        if not declared.obligations:
            raise RegistryError(f"case {declared.id} cites no obligation", rule="obligations")
        for cited in declared.obligations:
            obligation(cited)
        self._cases[declared.id] = declared
        return declared


def _with_row(
    body: Callable[[B_contra, R], Awaitable[None]], row: R
) -> Callable[[B_contra], Awaitable[None]]:
    async def run(bench: B_contra) -> None:
        await body(bench, row)

    return run


def _must_be_coroutine_function(body: Callable[..., Awaitable[None]]) -> None:
    if not inspect.iscoroutinefunction(body):
        raise RegistryError(f"{_source(body)} is no coroutine function, so no body of a case", rule="case")


def _description(body: Callable[..., Awaitable[None]]) -> str:
    return inspect.getdoc(body) or ""


def _source(body: Callable[..., Awaitable[None]]) -> str:
    return f"{body.__module__}.{body.__qualname__}"


_REGISTRY: Final = CaseRegistry()
case = _REGISTRY.case
case_family = _REGISTRY.family

_RECORDER: ContextVar[Recorder] = ContextVar("smetslab_case_recorder")


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Let the words below speak to `recorder`; for the runner."""
    token = _RECORDER.set(recorder)
    try:
        yield
    finally:
        _RECORDER.reset(token)


def _recorder(word: str) -> Recorder:
    try:
        return _RECORDER.get()
    except LookupError:
        raise LocalProtocolError(f"{word}() outside a running case") from None


@contextmanager
def step(title: str) -> Iterator[None]:
    """A titled part of the body; what is checked inside belongs to it. Steps do not nest."""
    recorder = _recorder("step")
    recorder.open_step(title)
    try:
        yield
    finally:
        recorder.close_step()


def check(
    what: str,
    actual: object,
    *,
    spec: str = "",
    of: Proof = (),
    stop: bool = True,
    **comparison: Unpack[Comparisons],
) -> bool:
    """Compare and record; a difference fails the case.

    `what` is checked, as a statement that holds when all is well; exactly one comparison is given
    (`equals=`, `differs=`, `at_least=`, `at_most=`, `within=(lowest, highest)`, `contains=`, `one_of=`);
    `spec` is the clause; `of` the observations that prove it. A failure ends the body, unless `stop` is
    false: then the answer is False.
    """
    return _recorder("check").check(what, actual, comparison, otherwise="fail", spec=spec, of=of, stop=stop)


def require(
    what: str,
    actual: object,
    *,
    spec: str = "",
    of: Proof = (),
    **comparison: Unpack[Comparisons],
) -> None:
    """Like `check`, for a precondition of the case: a difference ends it as inconclusive."""
    _recorder("require").check(
        what, actual, comparison, otherwise="inconclusive", spec=spec, of=of, stop=True
    )


async def expect(what: str, event: Awaitable[T], *, spec: str = "", of: Proof = ()) -> T:
    """Wait for `event` and record that it came. TimeoutError from it fails the case; an Observation is its
    own proof.
    """
    recorder = _recorder("expect")
    try:
        result = await event
    except TimeoutError:
        recorder.check(what, False, {"equals": True}, otherwise="fail", spec=spec, of=of, stop=True)
        raise
    proof = result if isinstance(result, Observation) else of
    recorder.check(what, True, {"equals": True}, otherwise="fail", spec=spec, of=proof, stop=True)
    return result


def inconclusive(reason: str) -> NoReturn:
    """End the case: it cannot be decided, and why."""
    _recorder("inconclusive").interrupt("inconclusive", reason)
    raise CaseStopped(reason)
