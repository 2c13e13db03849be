"""Engines of SQLAlchemy as this package makes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from prefect.logging import get_logger
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from prefect_integration_kit.sql_statements import first_word, is_plain_read
from prefect_integration_kit.waiting import Backoff

from ._answers import classify
from ._connecting import bound, limits
from ._urls import missing_driver, secrets_of, shown, subject_of, without_secret_options
from .errors import DatabaseArgumentInvalid, DatabaseBusy, DatabaseUnreachable, database_errors
from .settings import SqlAlchemySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.url import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

_LOOK_SECONDS = 0.05
_IN_PROCESS = frozenset({"sqlite", "duckdb"})
_DEFINITIONS_COMMIT = frozenset({"mysql", "mariadb", "oracle"})  # by themselves, whatever transaction they are in
_DEFINITIONS = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"})

ROLLED_BACK = "The transaction was rolled back"
UNKNOWN = "It is not known whether the transaction was committed: look before you repeat it"


class Target:
    """The database that a connector is for.

    Args:
        url: Its URL.
        connect_args: Further arguments of the driver.
    """

    def __init__(self, url: URL, connect_args: Mapping[str, Any] | None) -> None:
        self.url, moved = without_secret_options(url)
        self.connect_args = {**moved, **(connect_args or {})}
        self.subject = subject_of(url)
        self.secrets = secrets_of(url, connect_args)
        database = url.database or ""
        is_memory = database in ("", ":memory:") or url.query.get("mode") == "memory" or ":memory:" in database
        # One connection for all: another one would be to another database.
        self.is_single = url.get_backend_name() in _IN_PROCESS and is_memory
        self._is_taken = threading.Event()

    def __str__(self) -> str:
        return shown(self.url)

    def errors(self, note: str = "", row: int | None = None) -> AbstractContextManager[None]:
        """Translate what is raised within; see `database_errors`."""
        return database_errors(self.subject, self.secrets, note, row)

    @contextmanager
    def committing(self, *, only_read: bool = False) -> Generator[None, None, None]:
        """Translate what a commit raises: if the connection breaks meanwhile, nobody knows whether it was done.

        Args:
            only_read: Whether there is nothing that could have been kept.
        """
        try:
            yield
        except Exception as exc:
            note = "" if only_read else UNKNOWN if classify(exc) is DatabaseUnreachable else ROLLED_BACK
            with self.errors(note):
                raise

    @contextmanager
    def writing(self, operation: str, options: Mapping[str, Any]) -> Generator[None, None, None]:
        """Translate what a statement and its commit raise, and say what became of it.

        Args:
            operation: The statement.
            options: Its execution options.
        """
        commits_itself = options.get("isolation_level") == "AUTOCOMMIT" or (
            self.url.get_backend_name() in _DEFINITIONS_COMMIT and first_word(operation) in _DEFINITIONS
        )
        if commits_itself:
            with self.committing(only_read=is_plain_read(operation)):
                yield
            return
        with self.errors("" if is_plain_read(operation) else ROLLED_BACK):
            yield

    def engine(self, **options: Any) -> Engine:
        """Make an engine; it connects when it is first used.

        Args:
            options: Further arguments of `sqlalchemy.create_engine`.

        Raises:
            DatabaseDriverMissing: If the driver is not installed.
            DatabaseUrlUnsupported: If SQLAlchemy has no such dialect.
        """
        with self._making():
            engine = create_engine(self.url, **self._options(options, is_async=False))
            bound(engine)
            return engine

    def async_engine(self, **options: Any) -> AsyncEngine:
        """Make an asynchronous engine; see `engine`."""
        from sqlalchemy.ext.asyncio import create_async_engine

        if self.url.get_driver_name() == "aiosqlite":
            logging.getLogger("aiosqlite").addFilter(_without_values)
        with self._making():
            return create_async_engine(self.url, **self._options(options, is_async=True))

    @contextmanager
    def _making(self) -> Generator[None, None, None]:
        try:
            with self.errors():
                try:
                    yield
                except ImportError as exc:
                    raise missing_driver(exc, self.url) from exc
        except TypeError as exc:  # what SQLAlchemy raises for an argument that it does not know
            raise DatabaseArgumentInvalid(f"{self.subject}: {exc}") from exc

    def _options(self, options: dict[str, Any], *, is_async: bool) -> dict[str, Any]:
        backend = self.url.get_backend_name()
        arguments = dict(self.connect_args)
        made: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": backend not in _IN_PROCESS}
        arguments |= limits(self.url, arguments)
        if backend == "sqlite" and not is_async and "check_same_thread" not in self.url.query:
            arguments.setdefault("check_same_thread", False)  # the async forms run in threads
        if self.is_single and "poolclass" not in options and "creator" not in options:
            made["poolclass"] = StaticPool
        return {**made, **options, "connect_args": {**arguments, **options.get("connect_args", {})}}

    @contextmanager
    def taken(self) -> Generator[None, None, None]:
        """Keep others from the only connection while a transaction is open on it."""
        self.check_free()
        if self.is_single:
            self._is_taken.set()
        try:
            yield
        finally:
            self._is_taken.clear()

    def check_free(self) -> None:
        """Refuse to disturb the transaction that has the only connection.

        Raises:
            DatabaseBusy: If there is one.
        """
        if self._is_taken.is_set():
            raise DatabaseBusy(
                f"{self.subject}: an in-memory database has one connection, which an open transaction has. "
                "Use the methods of the transaction, or a file.",
                subject=self.subject,
            )

    def backoff(self) -> Backoff:
        """How often connecting is repeated."""
        return Backoff(
            initial_seconds=0.1, maximum_seconds=2.0, deadline_seconds=SqlAlchemySettings().connect_retry_seconds
        )

    def report(self, exc: Exception, seconds: float) -> None:
        """Log that connecting is tried again."""
        get_logger(__name__).warning(
            "%s: cannot connect (%s); trying again in %.1f seconds.", self.subject, type(exc).__name__, seconds
        )


def _without_values(record: logging.LogRecord) -> bool:
    """Let aiosqlite log which function it calls, and not the values of the statement."""
    if record.levelno <= logging.DEBUG:
        record.msg, record.args = record.msg.partition("%")[0].strip(), None
    return True


def checked_out(engine: Engine) -> int:
    """Say how many connections of an engine's pool are in use; 0 if its pool does not count.

    Args:
        engine: The engine.
    """
    count: Callable[[], int] | None = getattr(engine.pool, "checkedout", None)
    return max(0, count()) if count else 0


def roll_back(transaction: Any) -> None:
    """Roll back because of an error, which must not be hidden by another: where the line is broken, the server does it.

    Args:
        transaction: A transaction of SQLAlchemy.
    """
    try:
        transaction.rollback()
    except Exception:  # noqa: BLE001 - the error that it is rolled back for says what happened
        with suppress(Exception):
            transaction.connection.invalidate()


def drop(connection: Connection) -> None:
    """Give a connection back because of an error, which must not be hidden by another.

    Args:
        connection: The connection; whatever was begun on it is rolled back.
    """
    try:
        connection.close()
    except Exception:  # noqa: BLE001 - the error that it is dropped for says what happened
        with suppress(Exception):
            connection.invalidate()
            connection.close()


@contextmanager
def interrupting(connection: Connection, stop: threading.Event | None) -> Generator[None, None, None]:
    """Stop a statement at the database when nobody waits for it any more.

    Args:
        connection: Where it is executed.
        stop: Is set then.
    """
    if stop is None:
        yield
        return
    is_over = threading.Event()

    def watch() -> None:
        pause = _LOOK_SECONDS
        while not is_over.wait(pause):
            if stop.is_set():
                _interrupt(connection)  # until it ends: a statement that has not quite begun does not hear of it
                pause = min(2 * pause, 1.0)

    watcher = threading.Thread(target=watch, name="prefect-sqlalchemy-interrupt", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _interrupt(connection: Connection) -> None:
    """Tell the driver, or the server by another connection; a driver that cannot is waited for."""
    try:
        driver: Any = connection.connection.dbapi_connection
        if connection.dialect.name in ("mysql", "mariadb") and hasattr(driver, "thread_id"):
            with connection.engine.connect() as other:
                other.execute(text("KILL QUERY :number"), {"number": driver.thread_id()})
            return
        for name in ("interrupt", "cancel"):  # SQLite and DuckDB; psycopg and oracledb
            if callable(getattr(driver, name, None)):
                getattr(driver, name)()
                return
    except Exception as exc:  # noqa: BLE001 - it may have ended by itself just now; whoever cancelled is told so
        get_logger(__name__).debug("A statement could not be stopped: %s", type(exc).__name__)
