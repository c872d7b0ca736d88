"""The tables of the store, their version, and how an older database is brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
    inspect,
    select,
)

from smetslab.errors import StoreError

METADATA = MetaData()
OWNER_LENGTH = 100
KEY_LENGTH = 200

SCHEMA_VERSION_TABLE = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

OWNER = Table(
    "nvm_owner",
    METADATA,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("generation", BigInteger, nullable=False),
)
"""How often an owner has committed: the guard against two processes that believe to be the same device."""

NVM = Table(
    "nvm",
    METADATA,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("key", String(KEY_LENGTH), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("generation", BigInteger, nullable=False),
)
"""One item of non-volatile memory, and the commit that wrote it."""


def _create_first_version(connection: Connection) -> None:
    METADATA.create_all(connection)


MIGRATIONS: Sequence[Callable[[Connection], None]] = (_create_first_version,)
"""Step n brings a database from version n to version n + 1; an empty database has version 0."""

SCHEMA_VERSION = len(MIGRATIONS)

_MIGRATION_LOCK = 0x534D_4554
"""The number under which PostgreSQL knows the lock on changes of the schema; any constant does."""


def migrate(connection: Connection) -> None:
    """Bring the database to `SCHEMA_VERSION`; refuse one that a newer smetslab has written, or that is not
    ours. Of several processes that open a new database at once one does it, and the others wait.
    """
    if _version(connection) == SCHEMA_VERSION:
        return
    _exclude_others(connection)
    for step in MIGRATIONS[_version(connection) :]:
        step(connection)
    connection.execute(SCHEMA_VERSION_TABLE.delete())
    connection.execute(SCHEMA_VERSION_TABLE.insert().values(version=SCHEMA_VERSION))


def _version(connection: Connection) -> int:
    """The version of the database, 0 when it is empty. Raises StoreError when it is not for us to touch."""
    names = inspect(connection).get_table_names()
    version = 0
    if SCHEMA_VERSION_TABLE.name in names:
        version = connection.execute(select(SCHEMA_VERSION_TABLE.c.version)).scalar() or 0
    elif NVM.name in names or OWNER.name in names:
        raise StoreError("the database has tables of this name that smetslab did not make")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the database has schema version {version}, this smetslab knows {SCHEMA_VERSION}: "
            "use a newer smetslab"
        )
    return version


def _exclude_others(connection: Connection) -> None:
    """Wait until nobody else changes the schema, and let nobody else before this transaction ends."""
    match connection.dialect.name:
        case "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        case "sqlite":
            # The driver begins a transaction at the first change only, which is too late.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
