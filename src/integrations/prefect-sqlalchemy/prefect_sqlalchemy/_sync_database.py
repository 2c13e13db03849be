"""A database by a synchronous driver: one engine, its cursors and transactions. All that is alive of a connector."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_integration_kit.sql import Cursors, FetchStopped, Statement
from prefect_integration_kit.sql_statements import is_plain_read
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, retry

from . import _inserts, _statements
from ._answers import is_transient
from ._engines import ROLLED_BACK, Target, checked_out, drop, interrupting, roll_back
from ._rows import HeldRows, Reading
from .errors import DatabaseError, translated

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult, Engine, Row

T = TypeVar("T")

_MOST_HELD = 4
"""Results that may hold a connection each; the oldest is read into memory when there is one more."""


class SyncDatabase:
    """The live part of `SqlAlchemyConnector`.

    Args:
        target: The database.
    """

    clock: Clock = SYSTEM_CLOCK  # tests set another
    own_connect: Callable[[], Connection] | None = None  # of a subclass of the block

    def __init__(self, target: Target) -> None:
        self.target = target
        self.depth = 0  # of `with` blocks
        self.cursors: Cursors[Row[Any]] = Cursors(self._open)
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._process = os.getpid()
        self._held: list[HeldRows] = []

    # Engine and connections

    def engine(self, **options: Any) -> Engine:
        """Give the engine; it is made with `options` if there is none."""
        with self._lock:
            if self._engine is not None and self._process != os.getpid():
                self._engine.dispose(close=False)  # its connections are the parent's
                self._engine = None
            if self._engine is None:
                self._engine, self._process = self.target.engine(**options), os.getpid()
            return self._engine

    def connect(self) -> Connection:
        """Take a connection, and again while the server does not answer for a moment."""
        self.target.check_free()
        return self._connect()

    def _connect(self) -> Connection:
        connect = self.own_connect or self.engine().connect
        with self.target.errors():
            try:
                return connect()
            except Exception as exc:
                if not is_transient(exc):
                    raise
            return retry(
                connect,
                is_transient=is_transient,
                backoff=self.target.backoff(),
                on_retry=self.target.report,
                clock=self.clock,
            )

    def in_use(self) -> int:
        """How many connections are in use."""
        return checked_out(self._engine) if self._engine is not None else 0

    # Statements

    def execute(
        self,
        operation: str,
        parameters: dict[str, Any] | None,
        options: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> CursorResult[Any]:
        """Execute a statement, and commit it."""
        _statements.checked(operation, parameters)
        with self.target.writing(operation, options):
            return self._once(options, lambda c: _statements.executed(c, operation, parameters), stop)

    def execute_many(
        self,
        operation: str,
        seq_of_parameters: Any,
        options: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> CursorResult[Any]:
        """Execute a statement for each set of values, all or none."""
        rows = _statements.checked_many(operation, seq_of_parameters)
        try:
            return self._once(options, lambda c: _statements.executed_many(c, operation, rows), stop)
        except DatabaseError:
            raise  # of connecting or committing
        except Exception as exc:
            found = None
            if _inserts.is_of_a_row(exc):
                with self.connect() as connection:
                    found = _inserts.find_refused(connection, operation, rows)
            raise self.refused(exc, found, "") from exc

    def refused(self, exc: Exception, row: int | None, where: str) -> Exception:
        """Make the error that names a row."""
        return refusal(self.target, exc, row, where)

    def insert_many(self, plan: _inserts.InsertPlan, stop: threading.Event | None = None) -> int:
        """Insert rows, all or none."""

        def body(connection: Connection) -> int:
            return _inserts.insert_all(connection, plan, self.refused)

        try:
            with self.target.errors(ROLLED_BACK):
                return self._once({}, body, stop, is_several=True)
        except DatabaseError as exc:
            if plan.refused_chunk is None:
                raise
            start, chunk = plan.refused_chunk
            with self.connect() as connection:
                found = _inserts.find_refused(connection, plan.statement(), chunk)
            row = None if found is None else start + found
            raise self.refused(_cause(exc), row, _inserts.rows_text(start, len(chunk))) from exc.__cause__

    def read_whole(
        self,
        operation: str,
        parameters: dict[str, Any] | None,
        options: dict[str, Any],
        stop: threading.Event | None = None,
    ) -> tuple[list[Row[Any]], list[str]]:
        """Read all rows of a statement and the names of its columns, beside the cursors."""
        _statements.checked(operation, parameters)

        def body(connection: Connection) -> tuple[list[Row[Any]], list[str]]:
            result = _statements.opened(connection, operation, parameters)
            names = list(result.keys())
            return list(result.fetchall()), names

        with self.target.errors():
            return self._once(options, body, stop, only_read=is_plain_read(operation))

    def _once(
        self,
        execution_options: dict[str, Any],
        body: Callable[[Connection], T],
        stop: threading.Event | None,
        *,
        is_several: bool = False,
        only_read: bool = False,
    ) -> T:
        """Run a body in a transaction of its own; it may execute several statements if that is said."""
        choices = _statements.choices_of(execution_options)
        options = {k: v for k, v in choices.options.items() if k not in ("stream_results", "max_row_buffer")}
        if _statements.reads_lock(self.target.url.get_backend_name()):
            self._detach_all()
        with self.connect() as connection:
            if options:
                connection.execution_options(**options)
            # One statement is no transaction of SQLite's own, in which there could be no VACUUM or PRAGMA.
            explicit = is_several or not choices.commits
            transaction = _statements.begin(connection) if explicit else connection.begin()
            try:
                with interrupting(connection, stop):
                    done = body(connection)
            except BaseException:
                roll_back(transaction)
                raise
            if choices.commits and not (stop and stop.is_set()):
                with self.target.committing(only_read=only_read):
                    transaction.commit()
            else:
                transaction.rollback()
            return done

    # Rows

    def _open(self, statement: Statement, stop: threading.Event) -> HeldRows:
        _statements.checked(statement.operation, statement.parameters)
        is_threaded = type(stop) is not threading.Event
        whole = self.depth == 0 or self.target.is_single or not is_plain_read(statement.operation)
        rows = self.rows(statement, whole=whole, stop=stop if is_threaded else None)
        if stop.is_set():
            rows.close(succeeded=False)
            raise FetchStopped
        return rows

    def rows(self, statement: Statement, *, whole: bool, stop: threading.Event | None = None) -> HeldRows:
        """Execute a statement for its rows.

        Args:
            statement: The statement.
            whole: Whether all rows are taken by the first read, after which the connection is free.
            stop: Is set when nobody waits any more.
        """
        choices = _statements.choices_of(statement.options)
        whole = whole and not choices.streams
        connection = self.connect()
        try:
            with self.target.errors():
                if choices.options:
                    connection.execution_options(**choices.options)
                transaction = connection.begin()
                with interrupting(connection, stop):
                    result = _statements.opened(connection, statement.operation, _mapping(statement))
                if not whole and not choices.streams and choices.commits and _statements.buffers(connection):
                    transaction.commit()  # what a function has written is seen at once
        except BaseException:
            drop(connection)
            raise

        def end(succeeded: bool) -> None:
            if transaction.is_active:
                if succeeded and choices.commits:
                    with self.target.committing(only_read=is_plain_read(statement.operation)):
                        transaction.commit()
                else:
                    roll_back(transaction)

        def release(held: HeldRows) -> None:
            connection.close()
            with self._lock:
                if held in self._held:
                    self._held.remove(held)

        rows = HeldRows(self.target, Reading(result, end), release, whole=whole)
        self._hold(rows, detachable=not choices.streams and not whole)
        return rows

    def _hold(self, rows: HeldRows, *, detachable: bool) -> None:
        with self._lock:
            oldest = self._held[0] if detachable and len(self._held) >= _MOST_HELD else None
            if detachable:
                self._held.append(rows)
        if oldest is not None:
            oldest.detach()

    def _detach_all(self) -> None:
        with self._lock:
            held = list(self._held)
        for rows in held:
            rows.detach()

    # Transactions

    @contextmanager
    def transaction(self, options: dict[str, Any]) -> Generator[Connection, None, None]:
        """Give a connection in a transaction, which is committed at the end unless an exception is raised."""
        if _statements.reads_lock(self.target.url.get_backend_name()):
            self._detach_all()
        with self.target.taken(), self._connect() as connection:
            with self.target.errors():
                if options:
                    connection.execution_options(**options)
                transaction = _statements.begin(connection)
            try:
                yield connection
            except BaseException:
                roll_back(transaction)
                raise
            with self.target.committing():
                transaction.commit()

    # The end

    def reset(self) -> None:
        """Close all cursors."""
        self.cursors.reset()

    def close(self) -> None:
        """Close all cursors and connections; the next use begins anew."""
        try:
            self.reset()
        finally:
            with self._lock:
                engine, self._engine = self._engine, None
            if engine is not None and self._process == os.getpid():
                with self.target.errors():
                    engine.dispose()

    def abandon(self) -> None:
        """Close what a connector that is gone has left, and warn of connections in use."""
        engine = self._engine
        if engine is None or self._process != os.getpid():
            return
        left = self.in_use()
        if left:
            warnings.warn(
                f"A SqlAlchemyConnector of {self.target.subject} was dropped with {left} connection(s) in use. "
                "Use it in a `with` block, or call close().",
                ResourceWarning,
                stacklevel=2,
            )
        try:
            self.close()
        except Exception:  # noqa: BLE001 - nobody is there to be told
            return


def refusal(target: Target, exc: Exception, row: int | None, where: str) -> Exception:
    """Make the error for rows that were refused, of which one may be known.

    Args:
        target: The database.
        exc: What was raised.
        row: Number of the row, from 0; `None` if it is not known.
        where: Which rows it may be, if no one is known.
    """
    place = f"Row {row} (from 0) was refused" if row is not None else f"One of {where} was refused" if where else ""
    note = ". ".join(part for part in (place, ROLLED_BACK) if part)
    return translated(exc, target.subject, list(target.secrets), note=note, row=row) or exc


def _cause(exc: DatabaseError) -> Exception:
    """What the error stands for."""
    return exc.__cause__ if isinstance(exc.__cause__, Exception) else exc


def _mapping(statement: Statement) -> Any:
    return statement.parameters
