"""A session at Snowflake that a worker's statements share: opened when first needed, and again when it has ended.

The connector blocks, so each statement is sent from one of ten threads; the event loop is free meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from prefect_integration_kit.redact import secrets_in
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, aretry

from ....errors import SnowflakeError, is_transient
from .constants import PREFECT_SNOWFLAKE_APPLICATION
from .errors import is_session_over, spcs_errors
from .statements import Statement

if TYPE_CHECKING:
    from ....credentials import SnowflakeCredentials
    from ..settings import SPCSWorkerSettings

R = TypeVar("R")
Row = dict[str, Any]

MAX_THREADS = 10
"""How many statements of a process's event loop are under way at a time, whatever the number of runs."""

_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("prefect-snowflake-spcs")


def _own_threads() -> anyio.CapacityLimiter:
    """Threads apart from those of Prefect's own work, which a slow Snowflake would starve."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
        return limiter


async def _seen_through(work: Coroutine[Any, Any, R]) -> R:
    """Await something to its end, though the caller is cancelled meanwhile; it is cancelled then."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        raise


class _SessionOver(Exception):
    """A statement found its session at an end; its cause says how."""


class Session:
    """Sends statements, in one connection that is made anew when it is lost.

    Args:
        credentials: Who signs in.
        settings: Time-outs and retries.
        database: Database that names belong to; the user's own when `None`.
        schema: Schema, likewise.
        clock: Time.
    """

    def __init__(
        self,
        credentials: SnowflakeCredentials,
        settings: SPCSWorkerSettings,
        *,
        database: str | None = None,
        schema: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.clock = clock
        self._credentials = credentials
        self._settings = settings
        self._place = {name: value for name, value in (("database", database), ("schema", schema)) if value is not None}
        self._connection: Any = None
        self._users: Counter[Any] = Counter()
        """Statements under way by connection."""

        self._lock = threading.Lock()

    async def place(self) -> tuple[str, str]:
        """The database and schema that the session is in; empty where it is in none."""

        def read(connection: Any) -> tuple[str, str]:
            return connection.database or "", connection.schema or ""

        return await self._repeated(read, "Signing in")

    async def rows(self, statement: Statement, subject: str, *, to_its_end: bool = False) -> list[Row]:
        """Send a statement until it succeeds, fails for good, or the deadline would pass. It must be safe to repeat.

        Args:
            statement: The statement.
            subject: What it is about, for messages.
            to_its_end: Whether a try is seen through when its caller is cancelled: what it has made is known then.

        Returns:
            What it answers, by columns' names in lower case.

        Raises:
            SnowflakeError: If Snowflake refuses, or does not answer.
        """

        def send(connection: Any) -> list[Row]:
            with connection.cursor() as cursor:
                cursor.execute(statement.text, statement.values or None)
                names = [str(column.name).lower() for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        return await self._repeated(send, subject, to_its_end=to_its_end)

    async def _repeated(self, work: Callable[[Any], R], subject: str, *, to_its_end: bool = False) -> R:
        backoff = Backoff(
            initial_seconds=self._settings.call_initial_delay_seconds,
            maximum_seconds=self._settings.call_max_delay_seconds,
            deadline_seconds=self._settings.call_deadline_seconds,
        )

        async def once() -> R:
            call = anyio.to_thread.run_sync(
                lambda: self._once(work, subject), limiter=_own_threads(), abandon_on_cancel=True
            )
            return await (_seen_through(call) if to_its_end else call)

        def passes(exc: Exception) -> bool:
            return isinstance(exc, _SessionOver) or is_transient(exc)

        try:
            return await aretry(once, is_transient=passes, backoff=backoff, clock=self.clock)
        except _SessionOver as exc:
            if isinstance(cause := exc.__cause__, SnowflakeError):
                raise cause from cause.__cause__
            raise

    def _once(self, work: Callable[[Any], R], subject: str) -> R:
        hidden = secrets_in(self._credentials)
        with spcs_errors(subject, hidden):
            connection = self._opened()
        try:
            with spcs_errors(subject, hidden):
                return work(connection)
        except SnowflakeError as exc:
            if not is_session_over(exc):
                raise
            self._forget(connection)
            raise _SessionOver from exc
        finally:
            self._release(connection)

    def _opened(self) -> Any:
        with self._lock:  # many who begin at once sign in once
            if self._connection is None or self._connection.is_closed():
                timeout = int(self._settings.call_timeout_seconds)
                self._connection = self._credentials.get_client(
                    application=PREFECT_SNOWFLAKE_APPLICATION,
                    paramstyle="pyformat",
                    autocommit=True,
                    login_timeout=timeout,
                    network_timeout=timeout,
                    socket_timeout=timeout,
                    client_session_keep_alive=False,
                    **self._place,
                )
            self._users[self._connection] += 1
            return self._connection

    def _forget(self, connection: Any) -> None:
        """Let the next statement sign in; others may do so already."""
        with self._lock:
            if self._connection is connection:
                self._connection = None

    def _release(self, connection: Any) -> None:
        """Close a connection that was forgotten when its last statement has ended: nothing else lets go of it."""
        with self._lock:
            self._users[connection] -= 1
            if self._users[connection]:
                return
            del self._users[connection]
            if connection is self._connection:
                return
        with contextlib.suppress(Exception):  # its session is over
            connection.close(retry=False)

    async def close(self) -> None:
        """End the session."""

        def close() -> None:
            with self._lock:  # in a thread, since another one may hold it while it signs in
                connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(Exception):  # it ends by itself, too
                    connection.close()

        await anyio.to_thread.run_sync(close, limiter=_own_threads())
