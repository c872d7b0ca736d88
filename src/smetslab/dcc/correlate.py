"""What the DCC must not forget: accepted requests, counters, documents not yet delivered, future-dated
commands, the ends of sequences.

Everything that was acknowledged is in the store before the acknowledgement leaves, and each step of a
request is one transaction, so that a restart finds every request exactly where it was. No loop, no
clock, no I/O but the store.

Responses are matched by device, addressee and counter of the grouping header (GBCS 7.2.7); what the WAN
delivers twice is known by its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeAlias, TypeVar

from smetslab.dcc.outbox import Delivery, Outbox
from smetslab.dcc.pending import FutureDated, Pending, future_from, future_json, pending_from, pending_json
from smetslab.duis.document import RequestId
from smetslab.gbcs.codes import CounterFamily
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import NEVER
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Transaction

SEEN_LIMIT: Final = 4096
"""How many identities of received messages are remembered. A choice: the WAN repeats within minutes."""

ENDS_LIMIT: Final = 4096
"""How many ends of sequenced requests are remembered, for those that come after. A choice."""

LOCAL_LIMIT: Final = 4096
"""How many commands for local delivery are remembered, for responses that come back. A choice."""

DEFAULT_OUTBOX_LIMIT: Final = 100_000

_SEQUENCE: Final = "sequence"
_BROKER_COUNTER: Final = "broker-counter"
_PENDING: Final = "pending/"
_FUTURE: Final = "future/"

_K = TypeVar("_K")
_Command: TypeAlias = tuple[Eui64, Eui64, int]

Also: TypeAlias = Callable[[Transaction], None]
"""Something that is kept in the same transaction."""


class Ledger:
    """The durable memory of the DCC. One method, one transaction."""

    def __init__(self, nvm: Nvm, outbox_limit: int = DEFAULT_OUTBOX_LIMIT) -> None:
        """Raises StoreError when the memory cannot be read."""
        self._nvm = nvm
        self.outbox = Outbox(nvm, outbox_limit)
        self._pending: dict[int, Pending] = {}
        self._by_command: dict[_Command, list[int]] = {}
        self._by_request: dict[str, list[int]] = {}
        self._local: dict[int, None] = {}
        for key, _ in nvm.items(_PENDING):
            self._index(pending_from(key, nvm.get_json(key)))
        self._seen = {octets.decode(): None for _, octets in nvm.items("seen/")}
        self._ends: dict[str, bool] = {}
        for _, octets in nvm.items("end/"):
            self._ends[octets[1:].decode()] = octets[:1] == b"+"

    # Requests -----------------------------------------------------------------------------------------------

    def pending(self) -> tuple[Pending, ...]:
        """Every request without final response, oldest first; those that went out for local delivery are not
        waited for.
        """
        return tuple(self._pending[number] for number in sorted(self._pending) if number not in self._local)

    def get(self, number: int) -> Pending | None:
        """The request of that number while it has no final response."""
        return self._pending.get(number)

    def open_request(self, request_id: RequestId) -> Pending | None:
        """The latest request of that id that has no final response."""
        numbers = self._by_request.get(request_id.key)
        return self._pending[numbers[-1]] if numbers else None

    def end_of(self, request_id: RequestId) -> bool | None:
        """Whether a sequenced request succeeded; None when its end is not known."""
        return self._ends.get(request_id.key)

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
            return take_number(transaction)

    def accept(
        self,
        make: Callable[[int], Pending],
        *,
        family: CounterFamily | None,
        broker_counter: int | None = None,
        instructions: tuple[str, ...] = (),
        also: Iterable[Also] = (),
    ) -> Pending:
        """Keep a request with all that follows from accepting it; from here on it will have a final
        response. `family` None: its counter is not the user's. `instructions`: what a future-dated command
        will do, in order.
        """
        with self._nvm.transaction() as transaction:
            entry = make(take_number(transaction))
            if family is not None:
                _raise_counter(transaction, entry.request_id, family)
            if broker_counter is not None:
                _put_number(transaction, _BROKER_COUNTER, broker_counter)
            if entry.activation not in {None, NEVER}:
                future = FutureDated.of(entry, instructions)
                transaction.put_json(_future_key(future), future_json(future))
            transaction.put_json(_pending_key(entry.number), pending_json(entry))
            given_way = self._make_room(transaction) if entry.state == "local" else None
            for step in also:
                step(transaction)
        if given_way is not None:
            self._forget(given_way)
        self._index(entry)
        return entry

    def note_counters(self, request_id: RequestId, family: CounterFamily, broker_counter: int | None) -> None:
        """Keep the counters of a command that leaves by another way than the WAN."""
        with self._nvm.transaction() as transaction:
            _raise_counter(transaction, request_id, family)
            if broker_counter is not None:
                _put_number(transaction, _BROKER_COUNTER, broker_counter)

    def note_broker_counter(self, counter: int) -> None:
        """Keep a counter of the DCC that no request brought about."""
        with self._nvm.transaction() as transaction:
            _put_number(transaction, _BROKER_COUNTER, counter)

    def change(
        self, entry: Pending, broker_counter: int | None = None, instructions: tuple[str, ...] = ()
    ) -> None:
        """Keep a request's next state; `instructions` where its command was built just now."""
        with self._nvm.transaction() as transaction:
            if instructions and entry.activation not in {None, NEVER}:
                future = FutureDated.of(entry, instructions)
                transaction.put_json(_future_key(future), future_json(future))
            transaction.put_json(_pending_key(entry.number), pending_json(entry))
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
        self,
        entry: Pending,
        final: bytes | None,
        *,
        succeeded: bool = False,
        identity: str | None = None,
        forget_future: bool = False,
        claimed: bool = False,
    ) -> None:
        """Replace a request by its final response, where it has one. `identity` is that of the message that
        brought it; `claimed`: somebody in this process fetches it.
        """
        delivery = None
        if final is not None:
            delivery = Delivery(
                number=entry.number,
                user=entry.request_id.originator,
                device=entry.device,
                kind="response",
                document=final,
                request=entry.request_id.key if entry.schedule is None else "",
            )
        with self._nvm.transaction() as transaction:
            transaction.delete(_pending_key(entry.number))
            if delivery is not None:
                self.outbox.put(transaction, delivery)
            if identity is not None:
                self._note_seen(transaction, identity)
            if entry.sequenced:
                self._note_end(transaction, entry, succeeded)
            if forget_future:
                self._forget_future(transaction, entry)
        self._forget(entry.number)
        if identity is not None:
            self._seen[identity] = None
        if entry.sequenced:
            self._ends[entry.request_id.key] = succeeded
        if delivery is not None:
            self.outbox.publish(delivery, claimed=claimed)

    def _index(self, entry: Pending) -> None:
        self._pending[entry.number] = entry
        self._by_request.setdefault(entry.request_id.key, []).append(entry.number)
        if entry.state == "local":
            self._local[entry.number] = None
        if entry.state not in {"held", "quarantined"}:
            self._by_command.setdefault(_command(entry), []).append(entry.number)

    def _forget(self, number: int) -> None:
        entry = self._pending.pop(number)
        self._local.pop(number, None)
        _take_away(self._by_command, _command(entry), number)
        _take_away(self._by_request, entry.request_id.key, number)

    def _make_room(self, transaction: Transaction) -> int | None:
        """The oldest command for local delivery gives way where there are too many."""
        if len(self._local) < LOCAL_LIMIT:
            return None
        oldest = next(iter(self._local))
        transaction.delete(_pending_key(oldest))
        return oldest

    # What devices send --------------------------------------------------------------------------------------

    def is_repeat(self, identity: str) -> bool:
        """Whether a message of that identity has been dealt with."""
        return identity in self._seen

    def note_seen(self, identity: str) -> None:
        """Remember a message that nothing else is kept of."""
        with self._nvm.transaction() as transaction:
            self._note_seen(transaction, identity)
        self._seen[identity] = None

    def future_dated(
        self, device: Eui64, counter: int, alert: int, command: int | None
    ) -> FutureDated | None:
        """The future-dated command of `device` with that counter in its grouping header, whose outcome alerts
        with the message code `alert` tell; `command` is its own message code, where the alert names it.
        """
        for key, _ in self._nvm.items(f"{_FUTURE}{device}/{counter:020}/"):
            found = future_from(key, self._nvm.get_json(key))
            use_case = USE_CASES[found.use_case]
            if alert in use_case.alerts and command in {None, use_case.code}:
                return found
        return None

    def keep_alerts(
        self,
        documents: Iterable[tuple[Eui64, bytes]],
        device: Eui64,
        *,
        identity: str | None = None,
        also: Iterable[Also] = (),
    ) -> None:
        """Keep an alert for each of its users."""
        with self._nvm.transaction() as transaction:
            deliveries = [
                self._put_alert(transaction, document, user, device) for user, document in documents
            ]
            if identity is not None:
                self._note_seen(transaction, identity)
            for step in also:
                step(transaction)
        if identity is not None:
            self._seen[identity] = None
        for delivery in deliveries:
            self.outbox.publish(delivery)

    def keep_outcome(self, document: bytes, identity: str, future: FutureDated, instruction: int) -> None:
        """Keep the alert about one instruction of a future-dated command; behind the last, forget the
        command.
        """
        reported = tuple(sorted({*future.reported, instruction}))
        parties = future.question.request_id
        with self._nvm.transaction() as transaction:
            delivery = self._put_alert(transaction, document, parties.originator, parties.target)
            self._note_seen(transaction, identity)
            key = _future_key(future)
            if len(reported) == len(future.instructions):
                transaction.delete(key)
            else:
                transaction.put_json(key, future_json(replace(future, reported=reported)))
        self._seen[identity] = None
        self.outbox.publish(delivery)

    def _put_alert(self, transaction: Transaction, document: bytes, user: Eui64, device: Eui64) -> Delivery:
        delivery = Delivery(
            number=take_number(transaction), user=user, device=device, kind="alert", document=document
        )
        self.outbox.put(transaction, delivery)
        return delivery

    def _note_seen(self, transaction: Transaction, identity: str) -> None:
        """Remember an identity in the place of one of long ago."""
        key = f"seen/{take_number(transaction) % SEEN_LIMIT:04}"
        old = transaction.get(key)
        transaction.put(key, identity.encode())
        if old is not None:
            self._seen.pop(old.decode(), None)

    def _note_end(self, transaction: Transaction, entry: Pending, succeeded: bool) -> None:
        """Remember how a sequenced request ended in the place of one of long ago."""
        key = f"end/{take_number(transaction) % ENDS_LIMIT:04}"
        old = transaction.get(key)
        transaction.put(key, (b"+" if succeeded else b"-") + entry.request_id.key.encode())
        if old is not None:
            self._ends.pop(old[1:].decode(), None)

    def _forget_future(self, transaction: Transaction, entry: Pending) -> None:
        """A cancellation was carried out: no alert about this user's earlier commands of the kind will
        come.
        """
        for key, _ in self._nvm.items(f"{_FUTURE}{entry.device}/"):
            found = future_from(key, self._nvm.get_json(key))
            same_user = found.question.request_id.originator == entry.request_id.originator
            if same_user and found.use_case == entry.use_case and found.number < entry.number:
                transaction.delete(key)


def _command(entry: Pending) -> _Command:
    return (entry.device, entry.originator, entry.counter)


def _take_away(index: dict[_K, list[int]], key: _K, number: int) -> None:
    numbers = index.get(key)
    if numbers is not None and number in numbers:
        numbers.remove(number)
        if not numbers:
            del index[key]


def _pending_key(number: int) -> str:
    return f"{_PENDING}{number:012}"


def _future_key(future: FutureDated) -> str:
    return f"{_FUTURE}{future.question.request_id.target}/{future.counter:020}/{future.number:012}"


def _counter_key(user: Eui64, device: Eui64, family: CounterFamily) -> str:
    return f"counter/{user}/{device}/{family}"


def _number(source: Nvm | Transaction, key: str) -> int | None:
    octets = source.get(key)
    return None if octets is None else int.from_bytes(octets, "big")


def _put_number(transaction: Transaction, key: str, value: int) -> None:
    transaction.put(key, value.to_bytes(8, "big"))


def take_number(transaction: Transaction) -> int:
    """The next number of this memory: it names requests, documents and whatever else is counted."""
    number = (_number(transaction, _SEQUENCE) or 0) + 1
    _put_number(transaction, _SEQUENCE, number)
    return number


def _raise_counter(transaction: Transaction, request_id: RequestId, family: CounterFamily) -> None:
    key = _counter_key(request_id.originator, request_id.target, family)
    _put_number(transaction, key, max(request_id.counter, _number(transaction, key) or 0))
