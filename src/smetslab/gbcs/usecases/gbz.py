"""GBZ content of use cases: exchanges declared as data, with their one engine.

A command is a row of components, and each is answered by one or more components: what it asks for, or a
Default Response. `Exchange` declares both. Where the number of components varies (a tariff has as many day
profiles as it needs) the engine finds out which exchange each belongs to, and names the first that belongs
to none.

Spec: GBCS 7.2.9 (GBZ content), 9.2 (future dating), 16 (alerts)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.elements import Elements
from smetslab.gbcs.gbz.components import (
    COMPONENTS,
    FROM_DATE_TIME,
    Expected,
    Mismatch,
    decode_named,
    encode_named,
)
from smetslab.gbcs.gbz.naming import (
    NOT_EXECUTED_ID,
    AnyCommand,
    General,
    Subject,
    cluster_name,
    command_name,
    command_number,
)
from smetslab.gbcs.gbz.payload import decode_components, encode_components, is_gbz
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.values import Parameters
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, Command, Direction
from smetslab.zigbee.zcl.cluster import Attribute
from smetslab.zigbee.zcl.named import Moment, Time

_SPEC = "GBCS 7.2.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One kind of component of a command, and what answers it.

    `command` or `attributes` to read. `least` and `most` say how often it stands there in a row (`most`
    None: as often as needed). `answer` is what a success sends back (None: Default Response, or the
    response of a read), `several` that it may take more than one component, `encrypted` that it is sealed
    to the remote party, `quiet` that it disables its Default Response. `activation` names the field that
    dates the execution; `from_date_time` is the form of the component's from-date-time where it has one.
    `default_response` is the direction of Default Responses where it is not the usual one.
    """

    cluster: int
    command: Command | None = None
    attributes: tuple[Attribute, ...] = ()
    least: int = 1
    most: int | None = 1
    answer: Command | None = None
    several: bool = False
    encrypted: bool = False
    quiet: bool = False
    activation: str | None = None
    from_date_time: Moment | None = None
    default_response: Direction | None = None

    @property
    def request(self) -> AnyCommand:
        return General.READ_ATTRIBUTES if self.command is None else self.command

    @property
    def success(self) -> AnyCommand:
        """What a success answers with."""
        if self.answer is not None:
            return self.answer
        return General.READ_ATTRIBUTES_RESPONSE if self.command is None else General.DEFAULT_RESPONSE

    def __str__(self) -> str:
        return f"{command_name(self.request)} of cluster {cluster_name(self.cluster)}"


def publish(
    command: Command, *, activation: str | None = None, least: int = 1, most: int | None = 1
) -> Exchange:
    """Send a command that a Default Response answers."""
    return Exchange(cluster=command.cluster, command=command, activation=activation, least=least, most=most)


def ask(
    command: Command,
    answer: Command,
    *,
    times: int = 1,
    several: bool = False,
    encrypted: bool = False,
    quiet: bool = False,
    activation: str | None = None,
) -> Exchange:
    """Send a command that `answer` answers."""
    return Exchange(
        cluster=command.cluster,
        command=command,
        answer=answer,
        least=times,
        most=times,
        several=several,
        encrypted=encrypted,
        quiet=quiet,
        activation=activation,
    )


def read(*attributes: Attribute, encrypted: bool = False, quiet: bool = False) -> Exchange:
    """Read attributes of one cluster, in this order."""
    (cluster,) = {attribute.cluster for attribute in attributes}
    return Exchange(cluster=cluster, attributes=attributes, encrypted=encrypted, quiet=quiet)


def since(exchange: Exchange, form: Moment = Time, *, activation: bool = False) -> Exchange:
    """The same exchange with a from-date-time in its component."""
    return replace(
        exchange, from_date_time=form, activation=FROM_DATE_TIME if activation else exchange.activation
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """One exchange as one direction sees it, made once: what to compare a subject with, what to expect."""

    exchange: Exchange
    request: tuple[int, AnyCommand]
    number: int
    """Of the command in a Default Response that answers it."""
    command: Expected
    success: Expected
    failure: Expected


def _side(exchange: Exchange) -> _Side:
    request = exchange.request
    from_server = isinstance(request, Command) and request.direction is SERVER_TO_CLIENT
    numbers = tuple([attribute.id for attribute in exchange.attributes]) if exchange.command is None else None
    answer = exchange.answer
    default = exchange.default_response
    failure = Expected(
        sequence=0,
        server_to_client=not from_server if default is None else default is SERVER_TO_CLIENT,
        answered=request,
    )
    success = failure
    if answer is not None or exchange.command is None:
        success = Expected(
            sequence=0,
            server_to_client=True if answer is None else answer.direction is SERVER_TO_CLIENT,
            disable_default_response=exchange.quiet,
            encrypted=exchange.encrypted,
            attributes=numbers,
        )
    return _Side(
        exchange=exchange,
        request=(exchange.cluster, request),
        number=command_number(request),
        command=Expected(
            sequence=0,
            server_to_client=from_server,
            attributes=numbers,
            from_date_time=exchange.from_date_time,
        ),
        success=success,
        failure=failure,
    )


@dataclass(frozen=True, slots=True)
class GbzAccess:
    """Content that is a row of exchanges: the command's components and the response's.

    `elements` is what DUIS and MMC call attributes, by name, and fields of commands, as `command.field`.
    """

    exchanges: tuple[Exchange, ...]
    elements: Elements = field(default_factory=dict)
    _sides: tuple[_Side, ...] = field(init=False, repr=False, compare=False)

    is_alert = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sides", tuple([_side(exchange) for exchange in self.exchanges]))

    @property
    def encrypts_response(self) -> bool:
        return any(exchange.encrypted for exchange in self.exchanges)

    @property
    def command_parameters(self) -> tuple[str, ...]:
        return (COMPONENTS,)

    @property
    def activations(self) -> tuple[str, ...]:
        names = [exchange.activation for exchange in self.exchanges if exchange.activation]
        return tuple(f"{COMPONENTS}[].{name}" for name in dict.fromkeys(names))

    def recognises(self, content: bytes) -> bool:
        return is_gbz(content)

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        if message.cra is Cra.ALERT:
            raise GbcsDecodeError(
                "the use case has no such message",
                path="CRA flag",
                expected="a command or response",
                found="alert",
            )
        placed = decode_components(message.content, base=content_offset(message))
        plan = self.command_plan if message.cra is Cra.COMMAND else self.response_plan
        return {COMPONENTS: decode_named(placed, plan, message, secret)}

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        if header.cra is Cra.ALERT:
            raise GbcsEncodeError("the use case has no such message", found="alert")
        for name in parameters:
            if name != COMPONENTS:
                raise GbcsEncodeError("no such parameter", path=name, expected=COMPONENTS)
        if COMPONENTS not in parameters:
            raise GbcsEncodeError("missing", path=COMPONENTS)
        plan = self.command_plan if header.cra is Cra.COMMAND else self.response_plan
        return encode_components(encode_named(parameters[COMPONENTS], plan, header, secret))

    def command_plan(self, subjects: Sequence[Subject]) -> list[Expected] | Mismatch:
        """Which exchange each component of a command belongs to."""
        sides = self._sides
        out: list[Expected] = []
        at, used = 0, 0
        for place, subject in enumerate(subjects):
            possible: list[str] = []
            while True:
                if at == len(sides):
                    return Mismatch(place, " or ".join((*possible, "the end")))
                side = sides[at]
                exchange = side.exchange
                if exchange.most is None or used < exchange.most:
                    if subject[:2] == side.request:
                        break
                    possible.append(str(exchange))
                if used < exchange.least:
                    return Mismatch(place, " or ".join(possible))
                at, used = at + 1, 0
            used += 1
            out.append(side.command.at(place & 0xFF))
        while at < len(sides):
            if used < sides[at].exchange.least:
                return Mismatch(len(subjects), str(sides[at].exchange))
            at, used = at + 1, 0
        return out

    def response_plan(self, subjects: Sequence[Subject]) -> list[Expected] | Mismatch:
        """Which exchange each component of a response answers.

        A component that says it was not executed may answer any exchange from there on: a failure ends
        execution, and does not say how many commands of a kind were left.
        """
        matcher = _ResponseMatcher(self._sides)
        out: list[Expected] = []
        for place, subject in enumerate(subjects):
            found = matcher.take(subject)
            if isinstance(found, str):
                return Mismatch(place, found)
            out.append(found)
        missing = matcher.missing()
        return out if missing is None else Mismatch(len(subjects), missing)


class _ResponseMatcher:
    """Walks along the exchanges with the components of a response."""

    def __init__(self, sides: tuple[_Side, ...]) -> None:
        self._sides = sides
        self._at = 0
        self._used = 0
        self._sequence = -1
        self._continues: tuple[int, AnyCommand] | None = None
        self._stopped = False

    def take(self, subject: Subject) -> Expected | str:
        """What to expect of the next component, or what should stand there instead."""
        if subject[:2] == self._continues:
            # One command, several components of answer: they repeat its sequence number.
            return self._sides[self._at].success.at(self._sequence)
        possible: list[str] = []
        while self._at < len(self._sides):
            side = self._sides[self._at]
            exchange = side.exchange
            if exchange.most is None or self._used < exchange.most:
                expected = self._fits(side, subject)
                if expected is not None:
                    self._used += 1
                    self._sequence = self._sequence + 1 & 0xFF
                    answers = subject.command is exchange.answer and exchange.several
                    self._continues = subject[:2] if answers else None
                    return expected.at(self._sequence)
                possible.append(f"the answer to {exchange}")
            if self._used < exchange.least and not self._stopped and subject.of != NOT_EXECUTED_ID:
                return " or ".join(possible)
            self._at, self._used = self._at + 1, 0
        return " or ".join((*possible, "the end"))

    def _fits(self, side: _Side, subject: Subject) -> Expected | None:
        if subject.cluster != side.exchange.cluster:
            return None
        if subject.command is General.DEFAULT_RESPONSE:
            if subject.of == NOT_EXECUTED_ID:
                self._stopped = True
                return side.failure
            return side.failure if subject.of == side.number else None
        return side.success if subject.command is side.exchange.success else None

    def missing(self) -> str | None:
        """The first exchange that was left without an answer."""
        while self._at < len(self._sides) and not self._stopped:
            if self._used < self._sides[self._at].exchange.least:
                return f"the answer to {self._sides[self._at].exchange}"
            self._at, self._used = self._at + 1, 0
        return None
