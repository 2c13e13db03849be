"""A database by an asynchronous driver: one engine for each event loop, disposed at the loop's end."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from prefect_integration_kit.dispatch import await_to_end
from prefect_integration_kit.sql import Statement
from prefect_integration_kit.sql_async import AsyncCursors
from prefect_integration_kit.sql_statements import is_plain_read
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, aretry

from . import _inserts, _statements
from ._answers import is_transient
from ._engines import ROLLED_BACK, Target, checked_out, roll_back
from ._rows import Reading
from ._sync_database import refusal
from .errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult, Row
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")

_INTERRUPT_SECONDS = 0.05


class _InLoop:
    """What belongs to one event loop."""

    def __init__(self, engine: AsyncEngine, cursors: AsyncCursors[Any]) -> None:
        self.engine = engine
        self.cursors = cursors
        self._guard: AsyncGenerator[None, None] | None = None

    def watch(self) -> None:
        """Be disposed when the running loop ends: loops close the asynchronous generators that began in them."""
        if self._guard is None:
            self._guard = self._until_the_end()
            step: Any = self._guard.__anext__()
            with contextlib.suppress(StopIteration):
                step.send(None)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.dispose()

    async def dispose(self) -> None:
        try:
            await self.cursors.reset()
        finally:
            await self.engine.dispose()

    def leave(self) -> None:
        """Forget connections whose loop is gone."""
        self.engine.sync_engine.dispose(close=False)


class Given:
    """Rows that are all in memory."""

    def __init__(self, rows: list[Row[Any]]) -> None:
        self._rows = rows

    async def read(self, size: int | None) -> list[Row[Any]]:
        del size
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


class _Streamed:
    """Rows that hold a connection until the last one was read."""

    def __init__(self, target: Target, connection: AsyncConnection, reading: Reading) -> None:
        self._target = target
        self._connection = connection
        self._reading = reading

    async def read(self, size: int | None) -> list[Row[Any]]:
        if self._reading.is_over:
            return []
        try:
            with self._target.errors():
                # To its end, also when it is cancelled: rows that were read and not given would be lost.
                return await await_to_end(self._connection.run_sync(lambda _: self._reading.read(size)))
        finally:
            if self._reading.is_over:
                await await_to_end(self._connection.close())

    async def close(self, *, succeeded: bool = True) -> None:
        if self._reading.is_over:
            return

        async def both() -> None:
            try:
                with self._target.errors():
                    await self._connection.run_sync(lambda _: self._reading.close(succeeded=succeeded))
            finally:
                await self._connection.close()

        await await_to_end(both())


class AsyncDatabase:
    """The live part of `AsyncSqlAlchemyConnector`.

    Args:
        target: The database.
    """

    clock: Clock = SYSTEM_CLOCK  # tests set another
    own_connect: Callable[[], AsyncConnection] | None = None  # of a subclass of the block

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._unbound: _InLoop | None = None  # made before there was a loop
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _InLoop] = WeakKeyDictionary()

    # Engine and connections

    def state(self, **options: Any) -> _InLoop:
        """Give the engine and cursors of the running loop; outside of a loop, those of the next one that asks."""
        loop = _running_loop()
        with self._lock:
            self._forget_the_dead()
            found = self._unbound if loop is None else self._by_loop.get(loop)
            if found is None and loop is not None:
                found, self._unbound = self._unbound, None
            if found is None:
                found = _InLoop(self.target.async_engine(**options), AsyncCursors(self._open))
            if loop is None:
                self._unbound = found
                return found
            self._by_loop[loop] = found
        found.watch()
        return found

    def _forget_the_dead(self) -> None:
        if self._process != os.getpid():  # what is there is the parent's
            gone = [*self._by_loop.values(), *([self._unbound] if self._unbound else [])]
            self._by_loop, self._unbound, self._process = WeakKeyDictionary(), None, os.getpid()
        else:
            closed = [loop for loop in self._by_loop if loop.is_closed()]
            gone = [self._by_loop.pop(loop) for loop in closed]
        for state in gone:
            state.leave()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection, None]:
        """Take a connection, and again while the server does not answer for a moment."""
        self.target.check_free()
        connection = await self.connect()
        try:
            yield connection
        finally:
            await await_to_end(connection.close())

    async def connect(self) -> AsyncConnection:
        """Take a connection, which the caller closes."""
        connect = self.own_connect or self.state().engine.connect
        with self.target.errors():
            try:
                return await connect().start()
            except Exception as exc:
                if not is_transient(exc):
                    raise
            return await aretry(
                lambda: connect().start(),
                is_transient=is_transient,
                backoff=self.target.backoff(),
                on_retry=self.target.report,
                clock=self.clock,
            )

    def in_use(self) -> int:
        """How many connections are in use, in all loops."""
        with self._lock:
            states = [*self._by_loop.values(), *([self._unbound] if self._unbound else [])]
        return sum(checked_out(state.engine.sync_engine) for state in states)

    # Statements

    async def execute(
        self, operation: str, parameters: dict[str, Any] | None, options: dict[str, Any]
    ) -> CursorResult[Any]:
        """Execute a statement, and commit it."""
        _statements.checked(operation, parameters)
        with self.target.writing(operation, options):
            return await self._once(options, lambda c: _statements.executed(c, operation, parameters))

    async def execute_many(self, operation: str, seq_of_parameters: Any, options: dict[str, Any]) -> CursorResult[Any]:
        """Execute a statement for each set of values, all or none."""
        rows = _statements.checked_many(operation, seq_of_parameters)
        try:
            return await self._once(options, lambda c: _statements.executed_many(c, operation, rows))
        except DatabaseError:
            raise  # of connecting or committing
        except Exception as exc:
            found = None
            if _inserts.is_of_a_row(exc):
                async with self.connection() as connection:
                    found = await connection.run_sync(_inserts.find_refused, operation, rows)
            raise self.refused(exc, found, "") from exc

    def refused(self, exc: Exception, row: int | None, where: str) -> Exception:
        """Make the error that names a row."""
        return refusal(self.target, exc, row, where)

    async def insert_many(self, plan: _inserts.InsertPlan) -> int:
        """Insert rows, all or none."""
        with self.target.errors(ROLLED_BACK):
            return await self._once({}, lambda c: _inserts.insert_all(c, plan, self.refused), is_several=True)

    async def read_whole(
        self, operation: str, parameters: dict[str, Any] | None, options: dict[str, Any]
    ) -> tuple[list[Row[Any]], list[str]]:
        """Read all rows of a statement and the names of its columns, beside the cursors."""
        _statements.checked(operation, parameters)

        def body(connection: Connection) -> tuple[list[Row[Any]], list[str]]:
            result = _statements.opened(connection, operation, parameters)
            names = list(result.keys())
            return list(result.fetchall()), names

        with self.target.errors():
            return await self._once(options, body, only_read=is_plain_read(operation))

    async def _once(
        self,
        execution_options: dict[str, Any],
        body: Callable[[Connection], T],
        *,
        is_several: bool = False,
        only_read: bool = False,
    ) -> T:
        """Run a body in a transaction of its own; it may execute several statements if that is said."""
        choices = _statements.choices_of(execution_options)
        options = {k: v for k, v in choices.options.items() if k not in ("stream_results", "max_row_buffer")}
        async with self.connection() as connection:
            if options:
                await connection.execution_options(**options)
            committing = self.target.committing(only_read=only_read)
            return await _stoppable(connection, _in_transaction, body, choices.commits, is_several, committing)

    # Rows

    async def _open(self, statement: Statement) -> Given | _Streamed:
        _statements.checked(statement.operation, statement.parameters)
        if _statements.choices_of(statement.options).streams:
            return await self.stream(statement)
        parameters: Any = statement.parameters
        with self.target.errors():
            rows = await self._once(
                dict(statement.options),
                lambda c: _statements.all_rows(c, statement.operation, parameters),
                only_read=is_plain_read(statement.operation),
            )
        return Given(rows)

    async def stream(self, statement: Statement) -> _Streamed:
        """Execute a statement for its rows, which are read as they are asked for."""
        choices = _statements.choices_of(statement.options)
        parameters: Any = statement.parameters
        self.target.check_free()
        connection = await self.connect()

        def begin(sync: Connection) -> Reading:
            transaction = sync.begin()
            result = _statements.opened(sync, statement.operation, parameters)

            def end(succeeded: bool) -> None:
                if transaction.is_active:
                    if succeeded and choices.commits:
                        with self.target.committing(only_read=is_plain_read(statement.operation)):
                            transaction.commit()
                    else:
                        roll_back(transaction)

            return Reading(result, end)

        try:
            with self.target.errors():
                await connection.execution_options(**choices.options)
                return _Streamed(self.target, connection, await _stoppable(connection, begin))
        except BaseException:
            await await_to_end(connection.close())
            raise

    # Transactions

    @asynccontextmanager
    async def transaction(self, options: dict[str, Any]) -> AsyncGenerator[AsyncConnection, None]:
        """Give a connection in a transaction, which is committed at the end unless an exception is raised."""
        self.target.check_free()
        connection = await self.connect()
        try:
            with self.target.taken():
                with self.target.errors():
                    if options:
                        await connection.execution_options(**options)
                    transaction = await connection.run_sync(_statements.begin)
                try:
                    yield connection
                except BaseException:
                    await await_to_end(connection.run_sync(lambda _: roll_back(transaction)))
                    raise
                with self.target.committing():
                    await connection.run_sync(lambda _: transaction.commit())
        finally:
            await await_to_end(connection.close())

    # The end

    async def reset(self) -> None:
        """Close all cursors of the running loop."""
        await self.state().cursors.reset()

    async def close(self) -> None:
        """Close cursors and connections of the running loop; the next use begins anew."""
        loop = _running_loop()
        with self._lock:
            self._forget_the_dead()
            states = [state for state in (self._unbound, loop and self._by_loop.pop(loop, None)) if state]
            self._unbound = None
        for state in states:
            with self.target.errors():
                await await_to_end(state.dispose())

    def abandon(self) -> None:
        """Warn of connections that a connector that is gone has in use; each loop closes its own."""
        left = self.in_use() if self._process == os.getpid() else 0
        if left:
            warnings.warn(
                f"An AsyncSqlAlchemyConnector of {self.target.subject} was dropped with {left} connection(s) in use. "
                "Use it in an `async with` block, or await close().",
                ResourceWarning,
                stacklevel=2,
            )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _in_transaction(
    connection: Connection,
    body: Callable[[Connection], T],
    commits: bool,
    is_several: bool,
    committing: AbstractContextManager[None],
) -> T:
    # One statement is no transaction of SQLite's own, in which there could be no VACUUM or PRAGMA.
    transaction = _statements.begin(connection) if is_several or not commits else connection.begin()
    try:
        done = body(connection)
    except BaseException:
        roll_back(transaction)
        raise
    if commits:
        with committing:
            transaction.commit()
    else:
        transaction.rollback()
    return done


async def _stoppable(connection: AsyncConnection, body: Callable[..., T], *arguments: Any) -> T:
    """Run a body on a connection; when nobody waits for it any more, what it executes is ended first."""
    work = asyncio.ensure_future(connection.run_sync(body, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await await_to_end(_ended(work, connection))
        raise


async def _ended(work: asyncio.Future[Any], connection: AsyncConnection) -> None:
    """End it, again and again: to interrupt a statement that has not quite begun has no effect."""
    pause = _INTERRUPT_SECONDS
    _interrupt(connection)  # what SQLAlchemy does when it is cancelled waits for the statement
    work.cancel()
    while not (await asyncio.wait([work], timeout=pause))[0]:
        _interrupt(connection)
        pause = min(2 * pause, 1.0)
    if not work.cancelled():
        work.exception()


def _interrupt(connection: AsyncConnection) -> None:
    """End a statement of aiosqlite; drivers of servers do so themselves when they are cancelled."""
    sync = connection.sync_connection
    if sync is None or sync.closed or sync.invalidated:
        return
    driver: Any = sync.connection.driver_connection
    interrupt: Any = getattr(driver, "interrupt", None)
    if callable(interrupt):
        asked = interrupt()
        if inspect.iscoroutine(asked):  # it waits for nothing
            with contextlib.suppress(StopIteration):
                asked.send(None)
