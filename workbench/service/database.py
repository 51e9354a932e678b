"""Opening the database: SQLite in WAL mode by default, anything SQLAlchemy speaks by its URL.

A commit is on the disk when it returns (``synchronous=FULL``), and a process killed at any moment leaves a
database that opens again. Source: https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock
import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from workbench.service.errors import StorageError
from workbench.service.schema import HEAD, VERSION, Meta

BUSY_SECONDS = 30.0  # to wait for another process that writes, `workbench users` for one


class Database:
    """Sessions on one database. Safe to share between threads.

    Args:
        where: a file (made if need be, readable by this user only), or a database URL such as
            ``postgresql+psycopg://user@host/name``.

    Raises:
        StorageError: it cannot be opened, is damaged, or was made by a newer workbench.
    """

    def __init__(self, where: str | Path):
        is_url = "://" in str(where)
        if not is_url:
            Path(where).touch(mode=0o600)
        try:
            self._engine = sql.create_engine(
                str(where) if is_url else f"sqlite:///{where}", pool_pre_ping=is_url
            )
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            raise StorageError(
                f"The database URL cannot be used ({' '.join(str(error).split())}). Expected one such as "
                "postgresql+psycopg://user@host/name, and its driver: pip install "
                "'painter-psychology-workbench[postgresql]'."
            ) from error
        self.name = self._engine.url.render_as_string() if is_url else str(where)  # no password in it
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._writing, self._reserved = threading.Lock(), contextlib.ExitStack()
        if self._is_sqlite:
            sql.event.listen(self._engine, "connect", _prepare)
            sql.event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(writes=True)
        try:
            with self.write() as session:
                self._upgrade(session.connection())
                found = session.get(Meta, "version")
                if found is None:
                    session.add(Meta(key="version", value=str(VERSION)))
                elif int(found.value) > VERSION:
                    raise StorageError(self._too_new(f"version {VERSION}", found.value))
        except DBAPIError as error:
            raise StorageError(
                f"The database {self.name} cannot be opened ({error.orig}). Check it."
            ) from error

    def _upgrade(self, connection: sql.Connection) -> None:
        """Bring the tables to the newest form, within the caller's transaction: wholly or not at all."""
        if connection.dialect.name == "postgresql":  # another process may be opening it too
            connection.execute(sql.text("SELECT pg_advisory_xact_lock(7107)"))
        tables = set(sql.inspect(connection).get_table_names())
        revision = None
        if "alembic_version" in tables:
            revision = connection.scalar(sql.text("SELECT version_num FROM alembic_version"))
        if revision == HEAD:
            return
        if tables and "meta" not in tables:
            raise StorageError(
                f"Expected an empty database, or one of this program, but {self.name} has other tables. "
                "Take another database."
            )
        from alembic import command, util
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "workbench.service:migrations")
        config.attributes["connection"] = connection
        try:
            if tables and revision is None:  # made before changes were counted
                command.stamp(config, "0001")
            command.upgrade(config, HEAD)
        except util.CommandError as error:
            raise StorageError(self._too_new(f"tables of {HEAD}", str(revision))) from error

    def _too_new(self, known: str, found: str) -> str:
        return (
            f"Expected a database of {known} or before but {self.name} has {found}. Use the newer workbench "
            "that made it."
        )

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one consistent state and writes nothing."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are on the disk when the block ends, or not made at all."""
        with (
            self._writing,
            Session(self._writer, expire_on_commit=False, autoflush=True) as session,
            session.begin(),
        ):
            yield session

    def integrity(self) -> str:
        """SQLite's ``integrity_check``: "ok" if nothing is damaged; of others, that they answer."""
        with self._engine.connect() as connection:
            if not self._is_sqlite:
                return "ok" if connection.scalar(sql.text("SELECT 1")) == 1 else "no answer"
            return str(connection.execute(sql.text("PRAGMA integrity_check")).scalar())

    def reserve(self) -> None:
        """Be its one server until it is closed: a copied folder has the same id, and is tied to it too.

        Raises:
            StorageError: another server works on it.
        """
        if self._is_sqlite:
            self._file = filelock.FileLock(f"{self._engine.url.database}.lock", thread_local=False)
            self._reserved.callback(self._file.release)
            with contextlib.suppress(filelock.Timeout):
                self._file.acquire(timeout=0)
        else:
            self._held = self._reserved.enter_context(self._engine.connect())
        if not self.is_reserved():
            raise StorageError(
                f"The database {self.name} is in use by another server. Stop that, or take another."
            )

    def is_reserved(self) -> bool:
        """Whether it is still this server's alone.

        A connection that was lost has lost the reservation with it: the next call asks for it again.
        """
        if self._is_sqlite:
            return self._file.is_locked
        try:
            return bool(self._held.scalar(sql.text("SELECT pg_try_advisory_lock(7108)")))
        finally:
            self._held.rollback()  # no transaction without an end; the lock is the connection's

    def close(self) -> None:
        """Give back every connection."""
        self._reserved.close()
        self._engine.dispose()


def _prepare(connection, _record) -> None:
    connection.isolation_level = None  # transactions begin where we say so, in _begin
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA busy_timeout={int(1000 * BUSY_SECONDS)}")
    cursor.close()


def _begin(connection) -> None:
    """A writer takes its lock first: a reader that turns writer may be refused halfway."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
