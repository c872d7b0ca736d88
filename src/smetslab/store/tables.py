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


def migrate(connection: Connection) -> None:
    """Bring the database to `SCHEMA_VERSION`; refuse one that a newer smetslab has written, or that is not
    ours.
    """
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
    if version == SCHEMA_VERSION:
        return
    for step in MIGRATIONS[version:]:
        step(connection)
    connection.execute(SCHEMA_VERSION_TABLE.delete())
    connection.execute(SCHEMA_VERSION_TABLE.insert().values(version=SCHEMA_VERSION))
