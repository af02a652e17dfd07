"""SQLite or PostgreSQL behind one class: transactions, fast inserts, typed failures."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import sqlalchemy
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from filmcan.errors import BadProfileError, MissingExtraError, StoreUnavailableError
from filmcan.store.index.tables import INDEXES, METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

FaultKind = Literal["damaged", "locked", "unavailable"]

_WAIT_SEC = 2.0
"""How long a locked database is waited for, before the answer is made without it."""

_LOCKED = ("database is locked", "database table is locked", "lock timeout", "lock not available")
_UNAVAILABLE = (
    "readonly database",
    "unable to open",
    "disk i/o error",
    "disk is full",
    "connection",
    "permission",
)

_HINTS = {
    "damaged": "`filmcan index rebuild` makes it anew; manifests and artifacts are not concerned.",
    "locked": "Somebody else is writing to it: try again.",
    "unavailable": "Check that its folder or server can be written to, or name another place with "
    "--index or FILMCAN_INDEX_URL; manifests and artifacts are not concerned.",
}


class IndexFaultError(StoreUnavailableError):
    """The database cannot be used; no answer depends on it."""

    default_code = "index_unavailable"

    @property
    def is_damage(self) -> bool:
        """True when the database should be made anew."""
        return self.code == "index_damaged"


class Database:
    """Where an index lies."""

    def __init__(self, engine: Engine, place: str, path: Path | None, schema: str | None) -> None:
        """Use `open_sqlite`, `open_memory` or `open_postgresql`."""
        self._engine = engine
        self._schema = schema
        self._path = path
        # In memory there is one connection for all threads: each waits for its turn.
        self._turn = (
            threading.RLock() if path is None and schema is None else contextlib.nullcontext()
        )
        self.place = place
        self.is_file = path is not None

    @classmethod
    def open_sqlite(cls, path: Path) -> Self:
        """Use a file, which need not exist yet. It is opened by the first transaction."""

        def connect() -> sqlite3.Connection:
            _check_no_link(path)
            connection = sqlite3.connect(
                path, timeout=_WAIT_SEC, isolation_level=None, check_same_thread=False
            )
            # What is deleted must not stay readable in the file (threats P11).
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA cache_size = -65536")
            return connection

        engine = sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=NullPool)
        return cls(engine, str(path), path, None)

    @classmethod
    def open_memory(cls, connection: sqlite3.Connection | None = None) -> Self:
        """Use a database of this object alone, or one that is there."""

        def connect() -> sqlite3.Connection:
            return connection or _open_memory()

        engine = sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=StaticPool)
        return cls(engine, "memory", None, None)

    @classmethod
    def open_postgresql(cls, url: str, store_url: str) -> Self:
        """Use a server. Each store has a schema of its own there, named by its address.

        Raises:
            BadProfileError: The URL cannot be read.
            MissingExtraError: The driver is not installed.
        """
        try:
            parsed = sqlalchemy.make_url(url).set(drivername="postgresql+psycopg")
            engine = sqlalchemy.create_engine(
                parsed, poolclass=NullPool, connect_args={"connect_timeout": 5}
            )
        except (ArgumentError, ValueError) as error:
            raise BadProfileError(
                "the index's URL cannot be read",
                hint="Write postgresql://USER@HOST/DATABASE.",
            ) from error
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "PostgreSQL needs psycopg, which is not installed",
                hint='pip install "filmcan[postgres]"',
            ) from error
        digest = hashlib.sha256(store_url.encode()).hexdigest()[:12]
        place = parsed.set(password=None, query={}).render_as_string()
        return cls(engine, place, None, f"filmcan_{digest}")

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Run the block in a transaction that sees one state of the database.

        Raises:
            IndexFaultError: The database cannot be read.
        """
        with self._connect("REPEATABLE READ") as connection:
            if self._schema is None:
                connection.exec_driver_sql("BEGIN")
            yield connection
            self._finish(connection)

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Run the block in a transaction that is the only writing one.

        Raises:
            IndexFaultError: The database cannot be written.
        """
        with self._connect("READ COMMITTED") as connection:
            if self._schema is None:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                key = int(self._schema.rpartition("_")[2], 16)
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(_WAIT_SEC)}s'")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({key})")
            yield connection
            self._finish(connection)

    def create(self, connection: Connection) -> None:
        """Make all tables anew and empty, without the indexes that `finish_creation` makes."""
        self.drop(connection)
        if self._schema is not None:
            connection.exec_driver_sql(f'CREATE SCHEMA "{self._schema}"')
        for table in METADATA.sorted_tables:
            connection.execute(sqlalchemy.schema.CreateTable(table))

    def finish_creation(self, connection: Connection) -> None:
        """Make the indexes, once most rows are there."""
        for index in INDEXES:
            connection.execute(sqlalchemy.schema.CreateIndex(index))

    def settle(self) -> None:
        """Let a server learn what was just written, outside of any transaction.

        Until then it reads whole rows where an index holds the answer.

        Raises:
            IndexFaultError: The server refused.
        """
        if self._schema is None:
            return
        with self._connect("AUTOCOMMIT") as connection:
            for table in METADATA.sorted_tables:
                connection.exec_driver_sql(f'VACUUM (ANALYZE) "{self._schema}".{table.name}')

    def drop(self, connection: Connection) -> None:
        """Remove all tables."""
        if self._schema is not None:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{self._schema}" CASCADE')
            return
        for table in reversed(METADATA.sorted_tables):
            connection.execute(sqlalchemy.schema.DropTable(table, if_exists=True))

    def insert(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[tuple[object, ...]],
    ) -> None:
        """Insert many rows by the fastest way that the database has."""
        names = ", ".join(columns)
        if self._schema is not None:
            driver = connection.connection.driver_connection
            statement = f'COPY "{self._schema}".{table.name} ({names}) FROM STDIN'
            with driver.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[union-attr]
                for row in rows:
                    copy.write_row(row)
            return
        holes = ", ".join("?" * len(columns))
        values = list(rows)
        if values:
            connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({names}) VALUES ({holes})",  # noqa: S608 - our own names
                values,
            )

    def copy_into_memory(self) -> Database:
        """Return a copy in memory, for when this one can be read and not written.

        Raises:
            IndexFaultError: It cannot be read, or is no file.
        """
        if self._path is None:
            return Database.open_memory()
        copy = _open_memory()
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            _check_no_link(self._path)
            source = sqlite3.connect(address, uri=True, timeout=_WAIT_SEC, isolation_level=None)
            with contextlib.closing(source):
                # A backup waits for ever where it finds a lock; from here on there is none.
                source.execute("BEGIN")
                source.execute("SELECT 1 FROM sqlite_master").fetchall()
                source.backup(copy)
        except sqlite3.Error as error:
            copy.close()
            raise _build_fault(error, self.place) from error
        return Database.open_memory(copy)

    def remove_files(self) -> None:
        """Remove the file, however damaged; a database on a server is made anew in place.

        Raises:
            IndexFaultError: The file stays.
        """
        if self._path is None:
            return
        try:
            for suffix in ("-journal", "-wal", "-shm", ""):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            raise IndexFaultError(
                f"the damaged index cannot be removed: {error.strerror}", where=self.place
            ) from error

    def is_there(self) -> bool:
        """Tell whether there is anything: a server is always taken to hold something."""
        return self._schema is not None or (self._path is not None and self._path.exists())

    def find_size_bytes(self) -> int | None:
        """Return the size of the file; None where there is none."""
        try:
            return self._path.stat().st_size if self._path is not None else None
        except OSError:
            return None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _connect(
        self, isolation: Literal["REPEATABLE READ", "READ COMMITTED", "AUTOCOMMIT"]
    ) -> Iterator[Connection]:
        try:
            with self._turn, self._engine.connect() as connection:
                if self._schema is not None:
                    connection.execution_options(
                        isolation_level=isolation, schema_translate_map={None: self._schema}
                    )
                try:
                    yield connection
                except BaseException:
                    self._undo(connection)
                    raise
        except (SQLAlchemyError, sqlite3.Error, ValueError, TypeError) as error:
            raise _build_fault(error, self.place) from error

    def _finish(self, connection: Connection) -> None:
        if self._schema is None:
            connection.exec_driver_sql("COMMIT")
        connection.commit()

    def _undo(self, connection: Connection) -> None:
        with contextlib.suppress(SQLAlchemyError, sqlite3.Error):
            if self._schema is None:
                connection.exec_driver_sql("ROLLBACK")
            connection.rollback()


def _open_memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _check_no_link(path: Path) -> None:
    """Refuse to follow a link out of the store."""
    for place in (path.parent, path):
        with contextlib.suppress(OSError):  # SQLite will say so itself
            if stat.S_ISLNK(os.lstat(place).st_mode):
                raise sqlite3.OperationalError(f"unable to open database file: {place} is a link")


def _build_fault(error: Exception, place: str) -> IndexFaultError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    text = str(cause)
    folded = text.lower()
    kind: FaultKind = "damaged"
    if any(part in folded for part in _LOCKED):
        kind = "locked"
    elif any(part in folded for part in _UNAVAILABLE):
        kind = "unavailable"
    return IndexFaultError(
        f"the index is {kind}: {text.splitlines()[0][:200] if text else type(cause).__name__}",
        code=f"index_{kind}",
        where=place,
        hint=_HINTS[kind],
    )
