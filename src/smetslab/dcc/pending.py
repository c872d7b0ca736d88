"""What the DCC remembers of a request, as values and as they stand in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from smetslab.duis.document import RequestId
from smetslab.errors import StoreError
from smetslab.ids import Eui64
from smetslab.store.nvm import Json

State: TypeAlias = Literal["held", "quarantined", "ready", "sent", "local"]
_STATES: tuple[State, ...] = ("held", "quarantined", "ready", "sent", "local")


@dataclass(frozen=True, slots=True)
class Question:
    """What every answer to a request repeats of it."""

    request_id: RequestId
    reference: str
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An accepted request without its final response.

    `held`: the DCC waits, for `due` or for the request `after`, and has not built the command.
    `quarantined`: anomaly detection holds it until somebody decides. `ready`: the command may be under
    way. `sent`: the WAN took it, the response is awaited until `deadline`. `local`: the command went to
    the user, who may bring back its response. `originator` and `counter` are those of the grouping header,
    which are the broker's where it acts for the user. `document` is kept while held or quarantined and
    where the answer to the request still needs it, `message` from then on. `activation` is when the device
    will carry the command out, None when at once. `schedule` is the schedule that asks, None when a user
    does. `sequenced`: others may wait for its end. `note` is what its response needs besides: the digits
    of a customer identification number.
    """

    number: int
    question: Question
    state: State
    use_case: str
    device: Eui64
    hub: Eui64
    originator: Eui64
    counter: int
    due: datetime | None = None
    after: RequestId | None = None
    deadline: datetime | None = None
    activation: str | None = None
    schedule: int | None = None
    sequenced: bool = False
    attempt: int = 1
    note: str = ""
    document: bytes = b""
    message: bytes = b""

    @property
    def request_id(self) -> RequestId:
        return self.question.request_id

    @property
    def identity(self) -> str:
        """What names the command on the WAN, also after a restart."""
        return f"command-{self.number}" if self.attempt == 1 else f"command-{self.number}-{self.attempt}"

    @property
    def was_held(self) -> bool:
        return self.due is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureDated:
    """A command that a device will carry out later, remembered to explain the alerts about its
    instructions, which are named in their order. `counter` is that of its grouping header. `document` is
    kept where the inventory changes when it is carried out.
    """

    question: Question
    use_case: str
    number: int
    counter: int
    instructions: tuple[str, ...] = ()
    reported: tuple[int, ...] = ()
    document: bytes = b""

    @classmethod
    def of(cls, entry: Pending, instructions: tuple[str, ...] = ()) -> FutureDated:
        return cls(
            question=entry.question,
            use_case=entry.use_case,
            number=entry.number,
            counter=entry.counter,
            instructions=instructions,
            document=entry.document,
        )

    def place_of(self, instruction: str) -> int | None:
        """The place of an instruction, counted from 1: the first of its name that nothing was heard of, or
        the first where all were. None when the command has none of that name.
        """
        named = [place for place, one in enumerate(self.instructions, 1) if one == instruction]
        unheard = [place for place in named if place not in self.reported]
        return next(iter(unheard or named), None)


# In memory --------------------------------------------------------------------------------------------------


def pending_json(entry: Pending) -> Json:
    """What stands in memory of a request; what has its usual value is left out."""
    members: dict[str, Json] = {
        "number": entry.number,
        **_question_json(entry.question),
        "state": entry.state,
        "use_case": entry.use_case,
        "device": str(entry.device),
        "hub": str(entry.hub),
        "originator": str(entry.originator),
        "counter": entry.counter,
    }
    optional: dict[str, Json] = {
        "due": moment_json(entry.due),
        "after": None if entry.after is None else str(entry.after),
        "deadline": moment_json(entry.deadline),
        "activation": entry.activation,
        "schedule": entry.schedule,
        "sequenced": entry.sequenced or None,
        "attempt": None if entry.attempt == 1 else entry.attempt,
        "note": entry.note or None,
        "document": entry.document.hex() or None,
        "message": entry.message.hex() or None,
    }
    members.update({key: value for key, value in optional.items() if value is not None})
    return members


def pending_from(key: str, value: Json) -> Pending:
    """Raises StoreError."""
    try:
        members = members_of(value)
        activation, after, schedule = members.get("activation"), members.get("after"), members.get("schedule")
        return Pending(
            number=int(str(members["number"])),
            question=_question_from(members),
            state=_state(members["state"]),
            use_case=str(members["use_case"]),
            device=Eui64.parse(str(members["device"])),
            hub=Eui64.parse(str(members["hub"])),
            originator=Eui64.parse(str(members["originator"])),
            counter=int(str(members["counter"])),
            due=moment_from(members.get("due")),
            after=None if after is None else RequestId.parse(str(after)),
            deadline=moment_from(members.get("deadline")),
            activation=None if activation is None else str(activation),
            schedule=None if schedule is None else int(str(schedule)),
            sequenced=bool(members.get("sequenced", False)),
            attempt=int(str(members.get("attempt", 1))),
            note=str(members.get("note", "")),
            document=bytes.fromhex(str(members.get("document", ""))),
            message=bytes.fromhex(str(members.get("message", ""))),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error


def future_json(future: FutureDated) -> Json:
    return {
        **_question_json(future.question),
        "use_case": future.use_case,
        "number": future.number,
        "counter": future.counter,
        "instructions": list(future.instructions),
        "reported": list(future.reported),
        "document": future.document.hex(),
    }


def future_from(key: str, value: Json) -> FutureDated:
    """Raises StoreError."""
    try:
        members = members_of(value)
        reported, instructions = members["reported"], members["instructions"]
        if not isinstance(reported, list) or not isinstance(instructions, list):
            raise StoreError(f"a list is missing in the DCC's memory at {key}")
        return FutureDated(
            question=_question_from(members),
            use_case=str(members["use_case"]),
            number=int(str(members["number"])),
            counter=int(str(members["counter"])),
            instructions=tuple(str(item) for item in instructions),
            reported=tuple(item for item in reported if isinstance(item, int)),
            document=bytes.fromhex(str(members["document"])),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error


def moment_json(moment: datetime | None) -> Json:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def moment_from(value: Json) -> datetime | None:
    """Raises ValueError."""
    return None if value is None else datetime.fromisoformat(str(value))


def members_of(value: Json) -> Mapping[str, Json]:
    """Raises StoreError when a value is no object."""
    if not isinstance(value, dict):
        raise StoreError("an object is missing in the DCC's memory")
    return value


def _question_json(question: Question) -> dict[str, Json]:
    return {
        "request_id": str(question.request_id),
        "reference": question.reference,
        "variant": question.variant,
    }


def _question_from(members: Mapping[str, Json]) -> Question:
    return Question(
        RequestId.parse(str(members["request_id"])), str(members["reference"]), str(members["variant"])
    )


def _state(value: Json) -> State:
    for state in _STATES:
        if state == value:
            return state
    raise ValueError(f"unknown state {value!r}")
