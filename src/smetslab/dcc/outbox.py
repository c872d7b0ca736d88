"""Documents for service users, kept until somebody says that they were delivered.

A document is in the store in the same transaction as what it tells, so it is neither lost nor made twice.
Who delivers them subscribes: at once everything undelivered is handed out, oldest first, then each new one.
A process that dies between a delivery and its acknowledgement delivers again: at least once, never less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from smetslab.duis.document import RequestId
from smetslab.errors import LocalProtocolError, StoreError
from smetslab.ids import Eui64
from smetslab.store import Nvm
from smetslab.store.nvm import Transaction

Kind: TypeAlias = Literal["response", "alert"]
Notify: TypeAlias = Callable[["Delivery"], None]

_PREFIX: Final = "out/"
_FIELD_END: Final = b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One document for one user.

    `number` is never given twice; documents of one `device` are to be delivered in the order in which they
    are handed out. `device` is the broker for what concerns no device. `document` is an unsigned Response.
    `request` is the key of the request that it answers, "" for alerts.
    """

    number: int
    user: Eui64
    device: Eui64
    kind: Kind
    document: bytes
    request: str = ""


class Outbox:
    """All undelivered documents. `limit` bounds each kind: above it the oldest gives way."""

    def __init__(self, nvm: Nvm, limit: int) -> None:
        """Raises StoreError when the memory cannot be read."""
        self._nvm = nvm
        self._limit = limit
        self._kept: dict[int, Delivery] = {}
        self._by_request: dict[str, list[int]] = {}
        self._counts: dict[Kind, int] = {"response": 0, "alert": 0}
        self._subscribers: list[Notify] = []
        self.given_way = 0
        """How many documents nobody fetched before there were too many."""
        for key, octets in nvm.items(_PREFIX):
            self._index(_from_octets(key, octets))

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, transaction: Transaction, delivery: Delivery) -> None:
        """Keep a document; after the commit, `publish` it."""
        oldest = self._who_gives_way(delivery.kind)
        if oldest is not None:
            transaction.delete(_key(oldest))
        transaction.put(_key(delivery.number), _octets(delivery))

    def publish(self, delivery: Delivery, *, claimed: bool = False) -> None:
        """Index a document whose transaction is committed and hand it out, unless somebody in this process
        has `claimed` it.
        """
        oldest = self._who_gives_way(delivery.kind)
        if oldest is not None:
            self._drop(oldest)
            self.given_way += 1
        self._index(delivery)
        if not claimed:
            for notify in list(self._subscribers):
                notify(delivery)

    def subscribe(self, notify: Notify) -> Callable[[], None]:
        """Hand everything undelivered to `notify`, then each new document; the result ends that."""
        for delivery in list(self._kept.values()):
            notify(delivery)
        self._subscribers.append(notify)

        def detach() -> None:
            if notify in self._subscribers:
                self._subscribers.remove(notify)

        return detach

    def acknowledge(self, number: int) -> None:
        """Forget a document that was delivered; a number that is not here is no error."""
        if number in self._kept:
            with self._nvm.transaction() as transaction:
                transaction.delete(_key(number))
            self._drop(number)

    def take(self, number: int) -> bytes | None:
        """A document, delivered by this call; None when it is not here any more."""
        delivery = self._kept.get(number)
        if delivery is None:
            return None
        self.acknowledge(number)
        return delivery.document

    def answer_to(self, request_id: RequestId) -> Delivery | None:
        """The latest undelivered answer to a request."""
        numbers = self._by_request.get(request_id.key)
        return self._kept[numbers[-1]] if numbers else None

    def alerts(self) -> list[bytes]:
        """Every undelivered alert, oldest first."""
        return [one.document for one in self._kept.values() if one.kind == "alert"]

    def _who_gives_way(self, kind: Kind) -> int | None:
        if self._counts[kind] < self._limit:
            return None
        return next((one.number for one in self._kept.values() if one.kind == kind), None)

    def _index(self, delivery: Delivery) -> None:
        if delivery.number in self._kept:
            raise LocalProtocolError(f"document {delivery.number} is kept already")
        self._kept[delivery.number] = delivery
        self._counts[delivery.kind] += 1
        if delivery.request:
            self._by_request.setdefault(delivery.request, []).append(delivery.number)

    def _drop(self, number: int) -> None:
        delivery = self._kept.pop(number)
        self._counts[delivery.kind] -= 1
        numbers = self._by_request.get(delivery.request)
        if numbers is not None:
            numbers.remove(number)
            if not numbers:
                del self._by_request[delivery.request]


def _key(number: int) -> str:
    return f"{_PREFIX}{number:012}"


def _octets(delivery: Delivery) -> bytes:
    head = f"{delivery.kind} {delivery.user} {delivery.device} {delivery.request}"
    return head.encode("ascii") + _FIELD_END + delivery.document


def _from_octets(key: str, octets: bytes) -> Delivery:
    head, _, document = octets.partition(_FIELD_END)
    try:
        kind, user, device, request = head.decode("ascii").split(" ", 3)
        kinds: dict[str, Kind] = {"response": "response", "alert": "alert"}
        return Delivery(
            number=int(key.removeprefix(_PREFIX)),
            user=Eui64.parse(user),
            device=Eui64.parse(device),
            kind=kinds[kind],
            document=document,
            request=request,
        )
    except (ValueError, KeyError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error
