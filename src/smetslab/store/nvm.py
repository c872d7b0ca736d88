"""Non-volatile memory of one owner: keys, octets, and transactions that are kept whole or not at all."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, TypeAlias, cast

from smetslab.errors import LocalProtocolError, StoreError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Backing(Protocol):
    """What a memory stands on: `Store`."""

    def load(self, owner: str) -> tuple[int, dict[str, bytes]]:
        """Generation and items of one owner."""
        ...

    def commit(self, owner: str, generation: int, changes: Mapping[str, bytes | None]) -> None:
        """Write all changes or none; None deletes."""
        ...


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Nvm:
    """The memory of one owner. Reads see what is committed, from a copy in memory that follows every
    commit.
    """

    __slots__ = ("_backing", "_current", "_generation", "_items", "_key_length", "_keys", "_open", "owner")

    def __init__(self, owner: str, backing: Backing, key_length: int) -> None:
        self.owner = owner
        self._backing = backing
        self._key_length = key_length
        self._generation = 0
        self._items: dict[str, bytes] = {}
        self._keys: list[str] = []
        self._current = False
        self._open = False

    @property
    def generation(self) -> int:
        """How many transactions have been committed."""
        self._refresh()
        return self._generation

    def get(self, key: str) -> bytes | None:
        """The committed octets of `key`, None when there are none."""
        self._refresh()
        return self._items.get(key)

    def items(self, prefix: str = "") -> list[tuple[str, bytes]]:
        """Everything committed whose key begins with `prefix`, sorted by key."""
        self._refresh()
        found: list[tuple[str, bytes]] = []
        for index in range(bisect_left(self._keys, prefix), len(self._keys)):
            key = self._keys[index]
            if not key.startswith(prefix):
                break
            found.append((key, self._items[key]))
        return found

    def get_json(self, key: str) -> Json:
        """The committed JSON value of `key`; None when there is none."""
        return _read_json(self.owner, key, self.get(key))

    def transaction(self) -> Transaction:
        """A block whose changes are committed together when it is left without an exception.

        A power cut or a cancellation inside the block, or while it commits, leaves either everything as it
        was or everything as it was to be. Only one transaction of an owner is open at a time.
        """
        return Transaction(self)

    def _refresh(self) -> None:
        if not self._current:
            self._generation, self._items = self._backing.load(self.owner)
            self._keys = sorted(self._items)
            self._current = True

    def _begin(self) -> None:
        if self._open:
            raise LocalProtocolError(f"a transaction of {self.owner} is open already")
        self._refresh()
        self._open = True

    def _end(self) -> None:
        self._open = False

    def _commit(self, changes: Mapping[str, bytes | None]) -> None:
        if not changes:
            return
        # Should anything go wrong from here on, only the database knows what it holds.
        self._current = False
        self._backing.commit(self.owner, self._generation, changes)
        for key, value in changes.items():
            present = key in self._items
            if value is None:
                if present:
                    del self._items[key]
                    del self._keys[bisect_left(self._keys, key)]
                continue
            if not present:
                insort(self._keys, key)
            self._items[key] = value
        self._generation += 1
        self._current = True

    def _check(self, key: str) -> None:
        if not 1 <= len(key) <= self._key_length or "\0" in key:
            raise LocalProtocolError(f"not a key of memory: {key!r} (1 to {self._key_length} characters)")


class Transaction:
    """Changes that are collected and committed together; reads inside it see them already."""

    __slots__ = ("_changes", "_inside", "_nvm")

    def __init__(self, nvm: Nvm) -> None:
        self._nvm = nvm
        self._changes: dict[str, bytes | None] = {}
        self._inside = False

    def __enter__(self) -> Transaction:
        self._nvm._begin()
        self._changes.clear()
        self._inside = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._inside = False
        try:
            if kind is None:
                self._nvm._commit(self._changes)
        finally:
            self._nvm._end()

    def get(self, key: str) -> bytes | None:
        """The octets of `key` as they will be."""
        self._must_be_open()
        if key in self._changes:
            return self._changes[key]
        return self._nvm.get(key)

    def get_json(self, key: str) -> Json:
        """The JSON value of `key` as it will be; None when there is none."""
        return _read_json(self._nvm.owner, key, self.get(key))

    def put(self, key: str, value: bytes) -> None:
        """Keep octets under `key`."""
        self._must_be_open()
        self._nvm._check(key)
        if key not in self._changes and self._nvm.get(key) == value:
            return  # what memory holds need not be written again
        self._changes[key] = bytes(value)

    def put_json(self, key: str, value: Json) -> None:
        """Keep a JSON value under `key`, in one canonical form."""
        try:
            text = _CANONICAL.encode(value)
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"not a JSON value for {key}: {error}") from error
        self.put(key, text.encode())

    def delete(self, key: str) -> None:
        """Forget `key`; a key that is not there is no error."""
        self._must_be_open()
        if key in self._changes or self._nvm.get(key) is not None:
            self._changes[key] = None

    def clear(self, prefix: str = "") -> None:
        """Forget everything whose key begins with `prefix`."""
        self._must_be_open()
        for key in [key for key, _ in self._nvm.items(prefix)]:
            self._changes[key] = None
        for key in self._changes:
            if key.startswith(prefix):
                self._changes[key] = None

    def _must_be_open(self) -> None:
        if not self._inside:
            raise LocalProtocolError("a transaction is used outside its `with` block")


def _read_json(owner: str, key: str, octets: bytes | None) -> Json:
    if octets is None:
        return None
    try:
        return cast("Json", json.loads(octets))
    except ValueError as error:
        raise StoreError(f"the memory of {owner} holds no JSON value under {key}: {error}") from error
