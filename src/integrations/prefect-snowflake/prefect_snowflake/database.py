"""Databases at Snowflake: a block to query them with, and tasks that do."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Sequence, Tuple, Type  # noqa: UP035 - as published

from prefect.blocks.abstract import DatabaseBlock
from pydantic import AliasChoices, ConfigDict, Field, HttpUrl, PrivateAttr, field_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import run_stoppable, run_sync_in_worker_thread
from prefect_integration_kit.late_imports import late_names
from prefect_integration_kit.live_blocks import LiveBlock
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.sql import Cursors, Statement, positive_size

from ._authentication import further_arguments
from ._faces import paired
from ._frame_methods import Frames
from ._stage_files import StageFiles
from ._transactions import BEGIN_TRANSACTION_STATEMENT, END_TRANSACTION_STATEMENT, ROLL_BACK_STATEMENT
from .credentials import SnowflakeCredentials
from .errors import SnowflakeError, SnowflakeInvalidRequest, SnowflakeSessionExpired, snowflake_errors

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor
    from typing_extensions import Self

    from ._query_tasks import (
        snowflake_multiquery,
        snowflake_multiquery_async,
        snowflake_query,
        snowflake_query_async,
        snowflake_query_sync,
    )
    from ._result_rows import ResultRows
    from ._running import Surroundings

__all__ = [
    "BEGIN_TRANSACTION_STATEMENT",
    "END_TRANSACTION_STATEMENT",
    "SnowflakeConnector",
    "SnowflakeCredentials",
    "snowflake_multiquery",
    "snowflake_multiquery_async",
    "snowflake_query",
    "snowflake_query_async",
    "snowflake_query_sync",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "snowflake_multiquery": "._query_tasks",
        "snowflake_multiquery_async": "._query_tasks",
        "snowflake_query": "._query_tasks",
        "snowflake_query_async": "._query_tasks",
        "snowflake_query_sync": "._query_tasks",
    },
)


class SnowflakeConnector(Frames, StageFiles, LiveBlock, QuickKey, DatabaseBlock):
    """Query a database at Snowflake.

    The fetch methods remember where they are: called again with the same operation, parameters and options, they do not
    execute it again but give the next rows, in either face and from any thread. Once a fetch has given no rows, because
    the end was reached, the next one executes the operation again; so it does after `reset_cursors` and `close`. All
    operations share one session, so that temporary tables and `USE` last until `close`. Use the block as a context
    manager, which closes it at the end.

    In `operation`, `%(name)s` stands for a parameter of a dictionary and `%s` for one of a sequence. Each query carries
    a `QUERY_TAG` with the IDs of the flow run and the task run; its ID and address are logged when it starts. When the
    run is cancelled, interrupted or out of time, the query is cancelled, too.

    The sync methods block, inside async flows, too; there, await those whose name ends in `_async`.

    Attributes:
        credentials: Who we are at Snowflake.
        database: Database to work in.
        warehouse: Warehouse that runs the queries.
        schema_: Schema to work in.
        fetch_size: How many rows `fetch_many` gives when it is not told.
        poll_frequency_s: The most seconds between two looks at a running query.

    Example:
        ```python
        from prefect_snowflake import SnowflakeConnector

        with SnowflakeConnector.load("BLOCK_NAME") as connector:
            connector.execute("CREATE TABLE IF NOT EXISTS parcels (id INT, country VARCHAR)")
            connector.execute_many(
                "INSERT INTO parcels (id, country) VALUES (%(id)s, %(country)s)",
                seq_of_parameters=[{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}],
            )
            while rows := connector.fetch_many("SELECT * FROM parcels", size=1000):
                print(len(rows))
        ```
    """

    _block_type_name = "Snowflake Connector"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/bd359de0b4be76c2254bd329fe3a267a1a3879c2-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-snowflake")
    _live: ClassVar[tuple[str, ...]] = ("_cursors", "_lock", "_connection", "_in_transaction")
    model_config = ConfigDict(extra="allow")

    credentials: SnowflakeCredentials = Field(default=..., description="The credentials to authenticate with.")
    database: str = Field(default=..., description="The name of the default database to use.")
    warehouse: str = Field(default=..., description="The name of the default warehouse to use.")
    schema_: str = Field(
        default=...,
        validation_alias=AliasChoices("schema_", "schema"),
        serialization_alias="schema",
        description="The name of the default schema to use.",
    )
    fetch_size: int = Field(
        default=1, description="The number of rows to fetch at a time when fetch_many is not told how many."
    )
    poll_frequency_s: int = Field(
        default=1,
        title="Poll Frequency [seconds]",
        description="The most seconds between two looks at a running query; at first they are shorter.",
    )

    _cursors: Cursors[Any] = PrivateAttr()
    _lock: threading.RLock = PrivateAttr()  # pyright: ignore[reportInvalidTypeForm] - a function in older Pythons
    _connection: SnowflakeConnection | None = PrivateAttr(default=None)
    _in_transaction: bool = PrivateAttr(default=False)

    @field_validator("fetch_size", "poll_frequency_s")
    @classmethod
    def _check_positive(cls, value: int, info: Any) -> int:
        if value < 1:
            raise ValueError(f"{info.field_name} is {value}; it must be at least 1.")
        return value

    def block_initialization(self) -> None:
        """Prepare the cursors. Nothing is connected, and the connector is not imported, before the first statement."""
        self._cursors = Cursors(self._open_rows, starts_again=True)
        self._lock = threading.RLock()
        self._connection = None
        self._in_transaction = False

    # The session

    def open_connection(self, **connect_kwargs: Any) -> SnowflakeConnection:
        """Open a new connection, which the caller closes.

        Args:
            connect_kwargs: Further arguments of `snowflake.connector.connect`.

        Raises:
            SnowflakeLoginRefused: If user, secret or role is wrong.
            SnowflakeUnavailable: If the account cannot be reached.
        """
        place = {"database": self.database, "warehouse": self.warehouse, "schema": self.schema_}
        return self.credentials.get_client(**{**further_arguments(self), **place, **connect_kwargs})

    async def get_connection_async(self, **connect_kwargs: Any) -> SnowflakeConnection:
        """Async form of `get_connection`."""
        return await run_sync_in_worker_thread(self._get_connection, connect_kwargs)

    @paired(get_connection_async)
    def get_connection(self, **connect_kwargs: Any) -> SnowflakeConnection:
        """Get the connection that all operations of this block share, for what the block does not offer.

        Args:
            connect_kwargs: Further arguments of `snowflake.connector.connect`; they count when it is opened.

        Returns:
            The connection, always the same one until it is closed.

        Raises:
            SnowflakeLoginRefused: If user, secret or role is wrong.
            SnowflakeUnavailable: If the account cannot be reached.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME").get_connection() as connection:
                print(connection.cursor().execute("SELECT CURRENT_VERSION()").fetchone())
            ```
        """
        return self._get_connection(connect_kwargs)

    @property
    def _gets_own_connection(self) -> bool:
        """Whether a subclass has its own `get_connection`, which then says where statements go."""
        return is_replaced(self, "get_connection", __name__)

    def _shared_connection(self) -> SnowflakeConnection:
        return self.get_connection() if self._gets_own_connection else self._get_connection({})

    def _get_connection(self, connect_kwargs: dict[str, Any]) -> SnowflakeConnection:
        with self._lock:
            if self._connection is None or self._connection.is_closed() is True:  # not a stub that says anything
                self._connection = self.open_connection(**connect_kwargs)
                self.logger.info("Opened a session at Snowflake account %r", self.credentials.account)
            return self._connection

    def _surroundings(self) -> Surroundings:
        from ._running import Surroundings

        return Surroundings.of(self.credentials, self.poll_frequency_s)

    def _executed(
        self,
        statement: Statement,
        stop: threading.Event,
        surroundings: Surroundings,
        *,
        wants_rows: bool = True,
    ) -> SnowflakeCursor:
        """Execute a statement in the shared session."""
        from ._running import execute

        options = dict(statement.options)
        cursor_type = options.pop("cursor_type", None)

        def run(cursor: SnowflakeCursor) -> None:
            operation, parameters = statement.operation, statement.parameters
            execute(cursor, operation, parameters, options, surroundings, stop, wants_rows=wants_rows)

        return self._in_session(cursor_type, run)

    def _in_session(self, cursor_type: Any, run: Callable[[SnowflakeCursor], None]) -> SnowflakeCursor:
        """Run what needs a cursor of the shared session. A session that has ended is replaced, once."""
        from ._running import open_cursor

        for is_second in (False, True):
            connection = self._shared_connection()
            cursor = open_cursor(connection, cursor_type)
            try:
                run(cursor)
            except SnowflakeSessionExpired:  # nothing was executed
                cursor.close()
                if is_second or self._in_transaction:
                    raise
                self.logger.info("The session at Snowflake has ended; opening another one")
                self._forget(connection)
            except BaseException:
                cursor.close()
                raise
            else:
                return cursor
        raise AssertionError  # the loop returns or raises

    def _forget(self, connection: SnowflakeConnection) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
        connection.close()

    def _open_rows(self, statement: Statement, stop: threading.Event) -> ResultRows:
        from ._result_rows import ResultRows

        return ResultRows(self._executed(statement, stop, self._surroundings()))

    @staticmethod
    def _statement(operation: str, parameters: Any, cursor_type: Any, execute_kwargs: dict[str, Any]) -> Statement:
        cursors = sys.modules.get("snowflake.connector.cursor")  # who names a class has imported it
        if cursors is not None and cursor_type is cursors.SnowflakeCursor:
            cursor_type = None
        return Statement(operation, parameters, {**execute_kwargs, "cursor_type": cursor_type})

    def reset_cursors(self) -> None:
        """Close all cursors: the next fetch executes its operation again.

        Raises:
            SnowflakeError: If a cursor cannot be closed; all others are closed all the same.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                first = connector.fetch_one("SELECT CURRENT_TIMESTAMP()")
                connector.reset_cursors()
                second = connector.fetch_one("SELECT CURRENT_TIMESTAMP()")
            ```
        """
        self._cursors.reset()

    # Fetching

    async def fetch_one_async(
        self,
        operation: str,
        parameters: Optional[Dict[str, Any]] = None,  # noqa: UP006, UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> Tuple[Any, ...] | None:  # noqa: UP006
        """Async form of `fetch_one`."""
        return await self._cursors.afetch_one(self._statement(operation, parameters, cursor_type, execute_kwargs))

    @paired(fetch_one_async)
    def fetch_one(  # pyright: ignore[reportIncompatibleMethodOverride] - Prefect's base is async, as ours was never
        self,
        operation: str,
        parameters: Optional[Dict[str, Any]] = None,  # noqa: UP006, UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> Tuple[Any, ...] | None:  # noqa: UP006
        """Fetch the next row.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
            execute_kwargs: Further arguments of the cursor's `execute`; `timeout` is in seconds, after which the query
                is cancelled.

        Returns:
            A tuple with a value for each column; `None` at the end of the result.

        Raises:
            SnowflakeError: If the statement fails. A subclass says why.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                row = connector.fetch_one("SELECT * FROM parcels WHERE id = %(id)s", parameters={"id": 1})
            ```
        """
        return self._cursors.fetch_one(self._statement(operation, parameters, cursor_type, execute_kwargs))

    async def fetch_many_async(
        self,
        operation: str,
        parameters: Optional[Sequence[Dict[str, Any]]] = None,  # noqa: UP006, UP045
        size: Optional[int] = None,  # noqa: UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> List[Tuple[Any, ...]]:  # noqa: UP006
        """Async form of `fetch_many`."""
        rows = positive_size(size, self.fetch_size)
        return await self._cursors.afetch(self._statement(operation, parameters, cursor_type, execute_kwargs), rows)

    @paired(fetch_many_async)
    def fetch_many(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        operation: str,
        parameters: Optional[Sequence[Dict[str, Any]]] = None,  # noqa: UP006, UP045
        size: Optional[int] = None,  # noqa: UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> List[Tuple[Any, ...]]:  # noqa: UP006
        """Fetch the next rows.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            size: How many rows; `fetch_size` of the block when `None` or 0.
            cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Returns:
            The rows; fewer than asked for, or none, at the end of the result.

        Raises:
            ValueError: If `size` is negative.
            SnowflakeError: If the statement fails.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                while rows := connector.fetch_many("SELECT * FROM parcels", size=1000):
                    print(len(rows))
            ```
        """
        rows = positive_size(size, self.fetch_size)
        return self._cursors.fetch(self._statement(operation, parameters, cursor_type, execute_kwargs), rows)

    async def fetch_all_async(
        self,
        operation: str,
        parameters: Optional[Dict[str, Any]] = None,  # noqa: UP006, UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> List[Tuple[Any, ...]]:  # noqa: UP006
        """Async form of `fetch_all`."""
        return await self._cursors.afetch(self._statement(operation, parameters, cursor_type, execute_kwargs), None)

    @paired(fetch_all_async)
    def fetch_all(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        operation: str,
        parameters: Optional[Dict[str, Any]] = None,  # noqa: UP006, UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> List[Tuple[Any, ...]]:  # noqa: UP006
        """Fetch all rows that are left.

        Args:
            operation: The statement.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            cursor_type: Class of the cursor, such as `DictCursor`; `SnowflakeCursor` when not given.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Returns:
            The rows, a tuple each; none at the end of the result.

        Raises:
            SnowflakeError: If the statement fails.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                rows = connector.fetch_all("SELECT * FROM parcels WHERE country = %(country)s", {"country": "NO"})
            ```
        """
        return self._cursors.fetch(self._statement(operation, parameters, cursor_type, execute_kwargs), None)

    # Executing

    def _execute(self, statement: Statement, stop: threading.Event, surroundings: Surroundings | None = None) -> None:
        self._executed(statement, stop, surroundings or self._surroundings(), wants_rows=False).close()

    async def execute_async(
        self,
        operation: str,
        parameters: Optional[Dict[str, Any]] = None,  # noqa: UP006, UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> None:
        """Async form of `execute`."""
        statement = self._statement(operation, parameters, cursor_type, execute_kwargs)
        await run_stoppable(lambda stop: self._execute(statement, stop))

    @paired(execute_async)
    def execute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        operation: str,
        parameters: Optional[Dict[str, Any]] = None,  # noqa: UP006, UP045
        cursor_type: Type[SnowflakeCursor] | None = None,  # noqa: UP006
        **execute_kwargs: Any,
    ) -> None:
        """Execute a statement, each time it is called, and wait for its end.

        Args:
            operation: The statement; several of them with `num_statements=0`.
            parameters: Values for its placeholders: a dictionary, or a sequence.
            cursor_type: Class of the cursor; it makes no difference here.
            execute_kwargs: Further arguments of the cursor's `execute`, as for `fetch_one`.

        Raises:
            SnowflakeError: If the statement fails. A subclass says why.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                connector.execute("CREATE TABLE IF NOT EXISTS parcels (id INT, country VARCHAR)")
            ```
        """
        self._execute(self._statement(operation, parameters, cursor_type, execute_kwargs), threading.Event())

    def _execute_many(self, operation: str, seq_of_parameters: Any, stop: threading.Event) -> None:
        from ._running import execute_many

        sets = _checked_sets(seq_of_parameters)
        if sets:
            surroundings = self._surroundings()
            self._in_session(None, lambda cursor: execute_many(cursor, operation, sets, surroundings, stop)).close()

    async def execute_many_async(self, operation: str, seq_of_parameters: List[Dict[str, Any]]) -> None:  # noqa: UP006
        """Async form of `execute_many`."""
        await run_stoppable(lambda stop: self._execute_many(operation, seq_of_parameters, stop))

    @paired(execute_many_async)
    def execute_many(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        operation: str,
        seq_of_parameters: List[Dict[str, Any]],  # noqa: UP006
    ) -> None:
        """Execute a statement once for each set of parameters; the rows of an INSERT are sent together.

        Args:
            operation: The statement.
            seq_of_parameters: The sets: dictionaries for `%(name)s`, sequences for `%s`. With none, nothing is done.

        Raises:
            SnowflakeError: If it fails. A subclass says why.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                connector.execute_many(
                    "INSERT INTO parcels (id, country) VALUES (%(id)s, %(country)s)",
                    seq_of_parameters=[{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}],
                )
            ```
        """
        self._execute_many(operation, seq_of_parameters, threading.Event())

    def _execute_script(self, script: str, stop: threading.Event) -> list[list[Any]]:
        from ._result_rows import all_rows
        from ._scripts import statements_of

        results: list[list[Any]] = []
        surroundings = self._surroundings()
        for statement in statements_of(script):
            cursor = self._executed(Statement(statement), stop, surroundings)
            results.append(all_rows(cursor))
        return results

    async def execute_script_async(self, script: str) -> list[list[Tuple[Any, ...]]]:  # noqa: UP006
        """Async form of `execute_script`."""
        return await run_stoppable(lambda stop: self._execute_script(script, stop))

    @paired(execute_script_async)
    def execute_script(self, script: str) -> list[list[Tuple[Any, ...]]]:  # noqa: UP006
        """Execute the statements of a script, one after the other in one session.

        Args:
            script: The statements, with a semicolon behind each. Semicolons in texts, comments and `$$` bodies do not
                count.

        Returns:
            The rows of each statement.

        Raises:
            SnowflakeError: If a statement fails; those behind it are not executed.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                connector.execute_script("CREATE TEMPORARY TABLE t (id INT); INSERT INTO t VALUES (1);")
            ```
        """
        return self._execute_script(script, threading.Event())

    @contextmanager
    def transaction(self) -> Generator[Self, None, None]:
        """Let the statements of a `with` block take effect together, or, when it raises, not at all.

        Raises:
            SnowflakeInvalidRequest: If there is a transaction already.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector, connector.transaction():
                connector.execute("INSERT INTO archive SELECT * FROM parcels")
                connector.execute("DELETE FROM parcels")
            ```
        """
        self._begin(threading.Event())
        try:
            yield self
        except BaseException:
            self._end(ROLL_BACK_STATEMENT, threading.Event())
            raise
        self._end(END_TRANSACTION_STATEMENT, threading.Event())

    @asynccontextmanager
    async def transaction_async(self) -> AsyncGenerator[Self, None]:
        """Async form of `transaction`."""
        await run_stoppable(self._begin)
        try:
            yield self
        except BaseException:
            await run_stoppable(lambda _: self._end(ROLL_BACK_STATEMENT, threading.Event()))
            raise
        await run_stoppable(lambda stop: self._end(END_TRANSACTION_STATEMENT, stop))

    def _begin(self, stop: threading.Event) -> None:
        with self._lock:
            if self._in_transaction:
                raise SnowflakeInvalidRequest("There is a transaction already; Snowflake has none inside of another.")
            self._execute(Statement(BEGIN_TRANSACTION_STATEMENT), stop)
            self._in_transaction = True

    def _end(self, how: str, stop: threading.Event) -> None:
        try:
            self._execute(Statement(how), stop)
        except SnowflakeError as exc:
            if how != ROLL_BACK_STATEMENT:
                raise
            self.logger.warning("The transaction could not be rolled back; it ends with the session: %s", exc)
        finally:
            self._in_transaction = False

    # The end

    async def close_async(self) -> None:
        """Async form of `close`."""
        await run_sync_in_worker_thread(self._close)

    @paired(close_async)
    def close(self) -> None:
        """Close all cursors and the session. It may be called again; what is used after that opens a new session.

        Raises:
            SnowflakeError: The first error of closing, after everything that can be closed was.
        """
        self._close()

    def _close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            self._in_transaction = False
        try:
            self._cursors.reset()
        finally:
            if connection is not None:
                with snowflake_errors("Closing the session at Snowflake"):
                    connection.close()
                self.logger.info("Closed the session at Snowflake")

    def __enter__(self) -> Self:
        """Start a context, at whose end the block is closed."""
        return self

    def __exit__(self, *args: Any) -> None:
        """Close the block."""
        self._close()

    async def __aenter__(self) -> Self:
        """Start an async context, at whose end the block is closed."""
        return self

    async def __aexit__(self, *args: Any) -> None:
        """Close the block."""
        await self.close_async()


def _checked_sets(seq_of_parameters: Any) -> list[Any]:
    if isinstance(seq_of_parameters, str | bytes | dict) or not isinstance(seq_of_parameters, Sequence):
        name = type(seq_of_parameters).__name__  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        raise SnowflakeInvalidRequest(f"seq_of_parameters is {name}; give a list of dictionaries, or of sequences.")
    return list(seq_of_parameters)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
