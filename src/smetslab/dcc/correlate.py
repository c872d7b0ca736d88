"""What the DCC must not forget: accepted requests, counters, answers not yet fetched, future-dated
commands, alerts.

Everything that was acknowledged is in the store before the acknowledgement leaves, and each step of a
request is one transaction, so that a restart finds every request exactly where it was. No loop, no
clock, no I/O but the store.

Responses are matched by device, addressee and counter of the grouping header (GBCS 7.2.7); what the WAN
delivers twice is known by its identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from smetslab.duis.document import RequestId
from smetslab.errors import StoreError
from smetslab.gbcs.codes import CounterFamily
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import NEVER
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Json, Transaction

State: TypeAlias = Literal["held", "ready", "sent"]

SEEN_LIMIT: Final = 4096
"""How many identities of received messages are remembered. A choice: the WAN repeats within minutes."""

_SEQUENCE: Final = "sequence"
_BROKER_COUNTER: Final = "broker-counter"


@dataclass(frozen=True, slots=True)
class Question:
    """What every answer to a request repeats of it."""

    request_id: RequestId
    reference: str
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An accepted request without its final response.

    `held`: the DCC waits for `due` and has not built the command. `ready`: the command may be under way.
    `sent`: the WAN took it, the response is awaited until `deadline`. `originator` and `counter` are
    those of the grouping header, which are the broker's where it acts for the user. `document` is kept
    while held, `message` afterwards. `activation` is when the device will carry the command out, None
    when at once.
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
    deadline: datetime | None = None
    activation: str | None = None
    document: bytes = b""
    message: bytes = b""

    @property
    def request_id(self) -> RequestId:
        return self.question.request_id

    @property
    def identity(self) -> str:
        """What names the command on the WAN, also after a restart."""
        return f"command-{self.number}"

    @property
    def was_held(self) -> bool:
        return self.due is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureDated:
    """A command that a device will carry out later, remembered to explain the alerts about its
    instructions.
    """

    question: Question
    use_case: str
    number: int
    reported: tuple[int, ...] = ()

    @classmethod
    def of(cls, entry: Pending) -> FutureDated:
        return cls(question=entry.question, use_case=entry.use_case, number=entry.number)


class Ledger:
    """The durable memory of the DCC. One method, one transaction."""

    def __init__(self, nvm: Nvm) -> None:
        """Raises StoreError when the memory cannot be read."""
        self._nvm = nvm
        self._pending: dict[int, Pending] = {}
        self._by_command: dict[_Command, list[int]] = {}
        for key, _ in nvm.items("pending/"):
            entry = _pending_from(key, nvm.get_json(key))
            self._index(entry)
        self._seen = {octets.decode(): None for _, octets in nvm.items("seen/")}

    # Requests -----------------------------------------------------------------------------------------------

    def pending(self) -> tuple[Pending, ...]:
        """Every request without final response, oldest first."""
        return tuple(self._pending[number] for number in sorted(self._pending))

    def get(self, number: int) -> Pending | None:
        """The request of that number while it has no final response."""
        return self._pending.get(number)

    def last_counter(self, user: Eui64, device: Eui64, family: CounterFamily) -> int | None:
        """The highest counter accepted from `user` for `device`, None before the first."""
        return _number(self._nvm, _counter_key(user, device, family))

    def next_broker_counter(self, floor: int) -> int:
        """The counter that the broker's next command will have: it only rises, and never below `floor`."""
        last = _number(self._nvm, _BROKER_COUNTER)
        return floor if last is None else max(floor, last + 1)

    def next_number(self) -> int:
        """A number never given before; the one that the next `accept` takes is this or higher."""
        with self._nvm.transaction() as transaction:
            return _take_number(transaction)

    def accept(
        self,
        make: Callable[[int], Pending],
        *,
        family: CounterFamily,
        broker_counter: int | None = None,
    ) -> Pending:
        """Keep a request with all that follows from accepting it; from here on it will have a final
        response.
        """
        with self._nvm.transaction() as transaction:
            entry = make(_take_number(transaction))
            _raise_counter(transaction, entry.request_id, family)
            if broker_counter is not None:
                _put_number(transaction, _BROKER_COUNTER, broker_counter)
            if entry.activation not in {None, NEVER}:
                future = FutureDated.of(entry)
                transaction.put_json(_future_key(future.question.request_id), _future_json(future))
            transaction.put_json(_pending_key(entry.number), _pending_json(entry))
        self._index(entry)
        return entry

    def note_counters(self, request_id: RequestId, family: CounterFamily, broker_counter: int | None) -> None:
        """Keep the counters of a command that leaves by another way than the WAN."""
        with self._nvm.transaction() as transaction:
            _raise_counter(transaction, request_id, family)
            if broker_counter is not None:
                _put_number(transaction, _BROKER_COUNTER, broker_counter)

    def change(self, entry: Pending, broker_counter: int | None = None) -> None:
        """Keep a request's next state."""
        with self._nvm.transaction() as transaction:
            transaction.put_json(_pending_key(entry.number), _pending_json(entry))
            if broker_counter is not None:
                _put_number(transaction, _BROKER_COUNTER, broker_counter)
        self._forget(entry.number)
        self._index(entry)

    def match(self, message: Message) -> Pending | None:
        """The oldest request whose command `message` answers by its parties and counter; one of its message
        code goes before all others, because the counters of different families may be equal.
        """
        command = (message.business_originator_id, message.business_target_id, message.originator_counter)
        found = [self._pending[number] for number in sorted(self._by_command.get(command, ()))]
        of_code = [entry for entry in found if USE_CASES[entry.use_case].code == message.message_code]
        return next(iter(of_code or found), None)

    def finish(
        self, entry: Pending, final: bytes, *, identity: str | None = None, forget_future: bool = False
    ) -> None:
        """Replace a request by its final response. `identity` is that of the message that brought it."""
        with self._nvm.transaction() as transaction:
            transaction.delete(_pending_key(entry.number))
            transaction.put(_final_key(entry), final)
            if identity is not None:
                self._note_seen(transaction, identity)
            if forget_future:
                self._forget_future(transaction, entry)
        self._forget(entry.number)
        if identity is not None:
            self._seen[identity] = None

    def _index(self, entry: Pending) -> None:
        self._pending[entry.number] = entry
        if entry.state != "held":
            self._by_command.setdefault(_command(entry), []).append(entry.number)

    def _forget(self, number: int) -> None:
        entry = self._pending.pop(number)
        numbers = self._by_command.get(_command(entry), [])
        if number in numbers:
            numbers.remove(number)
        if not numbers:
            self._by_command.pop(_command(entry), None)

    # Final responses ----------------------------------------------------------------------------------------

    def final(self, request_id: RequestId) -> tuple[str, bytes] | None:
        """Key and document of the latest final response to a request that nobody has fetched."""
        suffix = f"/{request_id.key}"
        found = [item for item in self._nvm.items("final/") if item[0].endswith(suffix)]
        return found[-1] if found else None

    def take_final(self, entry: Pending) -> bytes | None:
        """The final response of exactly this request, forgotten here from now on."""
        return self.take(_final_key(entry))

    def take(self, key: str) -> bytes | None:
        """What is kept under a key, forgotten here from now on."""
        document = self._nvm.get(key)
        if document is not None:
            with self._nvm.transaction() as transaction:
                transaction.delete(key)
        return document

    # What devices send --------------------------------------------------------------------------------------

    def is_repeat(self, identity: str) -> bool:
        """Whether a message of that identity has been dealt with."""
        return identity in self._seen

    def note_seen(self, identity: str) -> None:
        """Remember a message that nothing else is kept of."""
        with self._nvm.transaction() as transaction:
            self._note_seen(transaction, identity)
        self._seen[identity] = None

    def future_dated(self, user: Eui64, device: Eui64, counter: int) -> FutureDated | None:
        """The future-dated command with that counter."""
        key = _future_key(RequestId(user, device, counter))
        value = self._nvm.get_json(key)
        return None if value is None else _future_from(key, value)

    def keep_alert(self, document: bytes, identity: str) -> None:
        """Keep an alert for its user."""
        with self._nvm.transaction() as transaction:
            self._put_alert(transaction, document, identity)
        self._seen[identity] = None

    def keep_outcome(
        self, document: bytes, identity: str, future: FutureDated, instruction: int, total: int
    ) -> None:
        """Keep the alert about one instruction of a future-dated command; behind the last, forget the
        command.
        """
        reported = tuple(sorted({*future.reported, instruction}))
        with self._nvm.transaction() as transaction:
            self._put_alert(transaction, document, identity)
            key = _future_key(future.question.request_id)
            if len(reported) == total:
                transaction.delete(key)
            else:
                transaction.put_json(key, _future_json(replace(future, reported=reported)))
        self._seen[identity] = None

    def _put_alert(self, transaction: Transaction, document: bytes, identity: str) -> None:
        transaction.put(f"alert/{_take_number(transaction):012}", document)
        self._note_seen(transaction, identity)

    def alerts(self) -> list[bytes]:
        """Every alert document kept, oldest first."""
        return [document for _, document in self._nvm.items("alert/")]

    def forget_alerts(self) -> None:
        with self._nvm.transaction() as transaction:
            transaction.clear("alert/")

    def _note_seen(self, transaction: Transaction, identity: str) -> None:
        """Remember an identity in the place of one of long ago."""
        key = f"seen/{_take_number(transaction) % SEEN_LIMIT:04}"
        old = transaction.get(key)
        transaction.put(key, identity.encode())
        if old is not None:
            self._seen.pop(old.decode(), None)

    def _forget_future(self, transaction: Transaction, entry: Pending) -> None:
        """A cancellation was carried out: no alert about this user's earlier commands of the kind will
        come.
        """
        prefix = _future_key(replace(entry.request_id, counter=0)).rpartition("/")[0] + "/"
        for key, _ in self._nvm.items(prefix):
            found = _future_from(key, self._nvm.get_json(key))
            if found.use_case == entry.use_case and found.number < entry.number:
                transaction.delete(key)


_Command: TypeAlias = tuple[Eui64, Eui64, int]


def _command(entry: Pending) -> _Command:
    return (entry.device, entry.originator, entry.counter)


def _pending_key(number: int) -> str:
    return f"pending/{number:012}"


def _final_key(entry: Pending) -> str:
    return f"final/{entry.number:012}/{entry.request_id.key}"


def _future_key(request_id: RequestId) -> str:
    return f"future/{request_id.originator}/{request_id.target}/{request_id.counter:020}"


def _counter_key(user: Eui64, device: Eui64, family: CounterFamily) -> str:
    return f"counter/{user}/{device}/{family}"


def _number(source: Nvm | Transaction, key: str) -> int | None:
    octets = source.get(key)
    return None if octets is None else int.from_bytes(octets, "big")


def _put_number(transaction: Transaction, key: str, value: int) -> None:
    transaction.put(key, value.to_bytes(8, "big"))


def _take_number(transaction: Transaction) -> int:
    number = (_number(transaction, _SEQUENCE) or 0) + 1
    _put_number(transaction, _SEQUENCE, number)
    return number


def _raise_counter(transaction: Transaction, request_id: RequestId, family: CounterFamily) -> None:
    key = _counter_key(request_id.originator, request_id.target, family)
    _put_number(transaction, key, max(request_id.counter, _number(transaction, key) or 0))


def _moment_json(moment: datetime | None) -> Json:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _moment_from(value: Json) -> datetime | None:
    return None if value is None else datetime.fromisoformat(str(value))


def _question_json(question: Question) -> dict[str, Json]:
    return {
        "request_id": str(question.request_id),
        "reference": question.reference,
        "variant": question.variant,
    }


def _question_from(members: dict[str, Json]) -> Question:
    return Question(
        RequestId.parse(str(members["request_id"])), str(members["reference"]), str(members["variant"])
    )


def _pending_json(entry: Pending) -> Json:
    return {
        "number": entry.number,
        **_question_json(entry.question),
        "state": entry.state,
        "use_case": entry.use_case,
        "device": str(entry.device),
        "hub": str(entry.hub),
        "originator": str(entry.originator),
        "counter": entry.counter,
        "due": _moment_json(entry.due),
        "deadline": _moment_json(entry.deadline),
        "activation": entry.activation,
        "document": entry.document.hex(),
        "message": entry.message.hex(),
    }


def _pending_from(key: str, value: Json) -> Pending:
    try:
        members = _members(value)
        activation = members["activation"]
        return Pending(
            number=int(str(members["number"])),
            question=_question_from(members),
            state=_state(members["state"]),
            use_case=str(members["use_case"]),
            device=Eui64.parse(str(members["device"])),
            hub=Eui64.parse(str(members["hub"])),
            originator=Eui64.parse(str(members["originator"])),
            counter=int(str(members["counter"])),
            due=_moment_from(members["due"]),
            deadline=_moment_from(members["deadline"]),
            activation=None if activation is None else str(activation),
            document=bytes.fromhex(str(members["document"])),
            message=bytes.fromhex(str(members["message"])),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error


def _state(value: Json) -> State:
    states: tuple[State, ...] = ("held", "ready", "sent")
    for state in states:
        if state == value:
            return state
    raise ValueError(f"unknown state {value!r}")


def _future_json(future: FutureDated) -> Json:
    return {
        **_question_json(future.question),
        "use_case": future.use_case,
        "number": future.number,
        "reported": list(future.reported),
    }


def _future_from(key: str, value: Json) -> FutureDated:
    try:
        members = _members(value)
        return FutureDated(
            question=_question_from(members),
            use_case=str(members["use_case"]),
            number=int(str(members["number"])),
            reported=_numbers(members["reported"]),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error


def _numbers(value: Json) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise StoreError("a list is missing in the DCC's memory")
    return tuple(item for item in value if isinstance(item, int))


def _members(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise StoreError("an object is missing in the DCC's memory")
    return value
