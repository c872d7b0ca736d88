"""Opening the database, and the one way in which anything is written to it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Insert,
    Table,
    Update,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from smetslab.errors import LocalProtocolError, SmetsLabError, StoreError, UsageError
from smetslab.store.group import LINGER_S, MEMORY_LINGER_S, Batch, Group
from smetslab.store.nvm import Nvm
from smetslab.store.tables import KEY_LENGTH, NVM, OWNER, OWNER_LENGTH, migrate

_READ_ITEMS = select(NVM.c.key, NVM.c.value).where(NVM.c.owner == bindparam("of"))
_READ_GENERATION = select(OWNER.c.generation).where(OWNER.c.owner == bindparam("of"))
_FIRST_GENERATION = insert(OWNER)
_NEXT_GENERATION = (
    update(OWNER)
    .where(OWNER.c.owner == bindparam("of"), OWNER.c.generation == bindparam("expected"))
    .values(generation=bindparam("next"))
)
_DELETE_ITEM = delete(NVM).where(NVM.c.owner == bindparam("of"), NVM.c.key == bindparam("at"))
_UPSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
"""The databases that are known, and how each says that a row is to take the place of an older one."""


def _commit_statements(dialect: str) -> dict[str, Insert | Update | Delete]:
    put = _UPSERT[dialect](NVM)
    newer = {"value": put.excluded.value, "generation": put.excluded.generation}
    return {
        "first": _FIRST_GENERATION,
        "next": _NEXT_GENERATION,
        "delete": _DELETE_ITEM,
        "put": put.on_conflict_do_update(index_elements=[NVM.c.owner, NVM.c.key], set_=newer),
    }


class _Statement:
    """One statement of a commit, compiled once for a database: compiling at each commit would cost more than
    the commit itself.
    """

    __slots__ = ("_names", "_sql")

    def __init__(self, statement: Insert | Update | Delete, engine: Engine) -> None:
        compiled = statement.compile(engine)
        self._sql = str(compiled)
        self._names = compiled.positiontup if compiled.positional else None

    def run(self, connection: Connection | sqlite3.Connection, rows: list[dict[str, Any]]) -> int:
        """Run it for each row of values; how many rows of the table it met."""
        given: Any = rows
        if self._names is not None:
            given = [tuple(row[name] for name in self._names) for row in rows]
        if isinstance(connection, sqlite3.Connection):
            if len(given) > 1:
                return connection.executemany(self._sql, given).rowcount
            return connection.execute(self._sql, given[0]).rowcount
        done = connection.exec_driver_sql(self._sql, given[0] if len(given) == 1 else given)
        return done.rowcount


class PowerCut(SmetsLabError):
    """The power of a device went while it was writing; raised by a fault injector, never by the store."""


def _no_step(_name: str) -> None:
    """Nobody watches the steps of a commit."""


class Store:
    """The database of a run, open while its block is.

    Commits are synchronous on purpose: a commit must be one indivisible step between two awaits of the
    device that makes it, or a power cut could strike in the middle, and on virtual time a thread would make
    runs differ. A commit is in the database when it returns; inside a `grouping` block it is so when the
    next `durable` returns.

    `on_step` is called before each step of a commit (`begin`, `counted`, `deleted`, `written`) and behind it
    (`committed`), so that a test can cut the power there by raising `PowerCut`.
    """

    def __init__(self, url: str = "sqlite://", *, on_step: Callable[[str], None] | None = None) -> None:
        self._url = _parse(url)
        self._on_step = _no_step if on_step is None else on_step
        self._engine: Engine | None = None
        self._kept: Connection | None = None
        self._statements: dict[str, _Statement] = {}
        self._nvms: dict[str, Nvm] = {}
        self._group: Group | None = None

    def __enter__(self) -> Store:
        if self._engine is not None:
            raise LocalProtocolError("the store is open already")
        engine = self._create()
        try:
            with self._plain_errors(), engine.begin() as connection:
                migrate(connection)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        self._statements = {
            name: _Statement(statement, engine)
            for name, statement in _commit_statements(engine.dialect.name).items()
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        self._nvms.clear()

    def __repr__(self) -> str:
        return f"Store({self._url.render_as_string(hide_password=True)!r})"

    @property
    def outlives_process(self) -> bool:
        """Whether what is committed is there when the process is gone."""
        return not self._in_memory()

    def nvm(self, owner: str) -> Nvm:
        """The non-volatile memory of `owner`; always the same object for the same owner."""
        if not 1 <= len(owner) <= OWNER_LENGTH or "\0" in owner:
            raise LocalProtocolError(f"not an owner of memory: {owner!r} (1 to {OWNER_LENGTH} characters)")
        if owner not in self._nvms:
            self._nvms[owner] = Nvm(owner, self, KEY_LENGTH)
        return self._nvms[owner]

    def owners(self) -> list[str]:
        """Everyone who has ever committed something, sorted."""
        with self._plain_errors(), self._open().connect() as connection:
            return sorted(connection.execute(select(OWNER.c.owner)).scalars())

    def forget(self, prefix: str) -> None:
        """Remove the owners whose names begin with `prefix`, as if they had never committed anything.

        Only before their memories are used: LocalProtocolError afterwards.
        """
        if any(owner.startswith(prefix) for owner in self._nvms):
            raise LocalProtocolError(f"memory of an owner whose name begins with {prefix!r} is in use")
        with self._plain_errors(), self._open().begin() as connection:
            for table in (NVM, OWNER):
                connection.execute(delete(table).where(table.c.owner.startswith(prefix, autoescape=True)))

    def load(self, owner: str) -> tuple[int, dict[str, bytes]]:
        """Generation and items of one owner; `Nvm` calls this once and after a failed commit."""
        with self._plain_errors(), self._open().connect() as connection:
            generation = connection.execute(_READ_GENERATION, {"of": owner}).scalar() or 0
            rows = connection.execute(_READ_ITEMS, {"of": owner}).all()
        return generation, {row[0]: bytes(row[1]) for row in rows}

    def commit(self, owner: str, generation: int, changes: Mapping[str, bytes | None]) -> None:
        """Write all changes of one transaction, or none; `generation` is the one the writer has read."""
        if self._group is not None:
            self._group.add(owner, generation, changes)
            return
        batch = Batch()
        batch.add(owner, generation, changes)
        self._write(batch)

    @asynccontextmanager
    async def grouping(self) -> AsyncIterator[None]:
        """Gather commits inside the block, and write many of them in one transaction: see
        `smetslab.store.group`. Behind the block everything is written. Raises StoreError when it cannot be.
        """
        if self._group is not None:
            raise LocalProtocolError("the store groups its commits already")
        self._open()
        # What is in memory alone has one connection, for one thread, and no disk to wait for.
        in_memory = self._in_memory()
        linger_s = MEMORY_LINGER_S if in_memory else LINGER_S
        async with Group(self._write, threaded=not in_memory, linger_s=linger_s) as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None

    async def durable(self) -> None:
        """Return when every commit until now is in the database; nothing that follows from one may leave the
        process before. Raises StoreError when it cannot be written now.
        """
        if self._group is not None:
            await self._group.durable()

    def _write(self, batch: Batch) -> None:
        step = self._on_step
        statements = self._statements
        items = sorted(batch.items.items())
        generations = sorted(batch.generations.items())
        first = [
            {"owner": owner, "generation": after} for owner, (before, after) in generations if before == 0
        ]
        later: list[dict[str, Any]] = [
            {"of": owner, "expected": before, "next": after}
            for owner, (before, after) in generations
            if before
        ]
        gone = [{"of": owner, "at": key} for (owner, key), (value, _) in items if value is None]
        put: list[dict[str, Any]] = [
            {"owner": owner, "key": key, "value": value, "generation": generation}
            for (owner, key), (value, generation) in items
            if value is not None
        ]
        with self._plain_errors(), self._writing() as connection:
            step("begin")
            if first:
                statements["first"].run(connection, first)
            if later and statements["next"].run(connection, later) != len(later):
                owners = ", ".join(row["of"] for row in later)
                raise StoreError(f"the memory of {owners} was written by another process in the meantime")
            step("counted")
            if gone:
                statements["delete"].run(connection, gone)
            step("deleted")
            if put:
                statements["put"].run(connection, put)
            step("written")
        step("committed")

    @contextmanager
    def _writing(self) -> Iterator[Connection | sqlite3.Connection]:
        """A transaction; on SQLite always of the same connection, and of the driver itself: both make it
        cheaper, and devices commit all the time.
        """
        engine = self._open()
        if self._kept is None and engine.dialect.name == "sqlite":
            self._kept = engine.connect()
        if self._kept is None:
            with engine.begin() as connection:
                yield connection
            return
        driver = self._kept.connection.dbapi_connection
        if not isinstance(driver, sqlite3.Connection):
            raise StoreError(f"{self._url.drivername} is not the SQLite of Python")
        with driver:
            yield driver

    def _open(self) -> Engine:
        if self._engine is None:
            raise LocalProtocolError("the store is not open: use it inside its `with` block")
        return self._engine

    def _create(self) -> Engine:
        options: dict[str, Any] = {}
        if self._in_memory():
            # One connection for everybody: a second one would see another, empty memory.
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        elif self._url.get_backend_name() != "sqlite":
            # A server may have restarted since the last transaction: ask before one is begun on a dead
            # connection.
            options = {"pool_pre_ping": True}
        try:
            engine = create_engine(self._url, **options)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise UsageError(
                f"no driver for the store {self._url.drivername}: {error}",
                hint="pip install 'smetslab[postgres]' for PostgreSQL; SQLite needs nothing",
            ) from error
        except ArgumentError as error:
            raise UsageError(f"store URL: {_first_line(error)}", hint=_URL_HINT) from error
        if engine.dialect.name not in _UPSERT:
            raise UsageError(f"store URL: {engine.dialect.name} is no database for a store", hint=_URL_HINT)
        if self._url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _prepare_file if not self._in_memory() else _prepare_memory)
        return engine

    def _in_memory(self) -> bool:
        return self._url.get_backend_name() == "sqlite" and self._url.database in {None, "", ":memory:"}

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Database trouble becomes one line that names the store."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(
                f"{self._url.render_as_string(hide_password=True)}: {_first_line(error)}"
            ) from error


_ATTEMPTS = 100

_URL_HINT = "for example sqlite:///lab.sqlite or postgresql://user@host/smetslab"


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError(f"store URL: {_first_line(error)}", hint=_URL_HINT) from error
    if parsed.drivername in {"postgresql", "postgres"}:
        # Named, because the default driver differs between versions of SQLAlchemy.
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip()
    return text.splitlines()[0] if text else type(cause).__name__


def _prepare_file(connection: Any, _record: object) -> None:
    """A commit is on the disk when it returns; readers do not wait for a writer."""
    _prepare_memory(connection, _record)
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")


def _write_ahead(connection: Any) -> None:
    """Have the file written ahead. For this lock SQLite does not wait as it does for others, so those who
    open a new file at the same moment may fail; waiting for a writer lets one pass after the other.
    """
    for _ in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _prepare_memory(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
