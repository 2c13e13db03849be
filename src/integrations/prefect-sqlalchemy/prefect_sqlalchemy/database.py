"""Connectors: blocks that query a database, by a synchronous or by an asynchronous driver."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Annotated, Any, Dict, Literal, Optional, Union  # noqa: UP035 - as published

from prefect.blocks.abstract import CredentialsBlock, DatabaseBlock
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, HttpUrl, PrivateAttr

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import await_to_end, run_stoppable
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.sql import Statement, positive_size

from ._async_extras import AsyncExtras
from ._connector import (
    DOCUMENTATION_URL,
    LOGO_URL,
    Connector,
    DatabaseUrl,
    check_fetch_size,
    read_components,
    read_fetch_size,
)
from ._sync_extras import SyncExtras
from .credentials import AsyncDriver, ConnectionComponents

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from sqlalchemy.engine import Connection, CursorResult, Engine, Row
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from typing_extensions import Self

    from ._async_database import AsyncDatabase
    from ._sync_database import SyncDatabase

__all__ = [
    "AsyncDriver",
    "AsyncSqlAlchemyConnector",
    "ConnectionComponents",
    "DBUrl",
    "SqlAlchemyConnector",
    "check_make_url",
]

# pyright: reportIncompatibleMethodOverride=false
# Prefect's base class has coroutine functions; the synchronous connector is synchronous, as published.


def check_make_url(url: str) -> str:
    """Refuse text that is no URL of a database.

    Args:
        url: The text.

    Returns:
        The same text, which is printed without its password.

    Raises:
        DatabaseUrlUnsupported: If it is none, which is a `ValueError`. The message does not repeat it.
    """
    from ._urls import read_url  # SQLAlchemy is heavy: loaded when needed

    read_url(url)
    return DatabaseUrl(url)


DBUrl = Annotated[str, AfterValidator(check_make_url)]
_ConnectionInfo = Annotated[Union[ConnectionComponents, DBUrl], BeforeValidator(read_components)]  # noqa: UP007
_FetchSize = Annotated[int, BeforeValidator(read_fetch_size), AfterValidator(check_fetch_size)]


def _loggable(operation: str) -> str:
    return " ".join(operation.split())[:200]


def _own_connect(block: SqlAlchemyConnector | AsyncSqlAlchemyConnector) -> Callable[[], Any] | None:
    """How a subclass connects that has its own `get_connection` or `get_engine`; the block is not kept alive by it."""
    for name in ("get_connection", "get_engine"):
        if not is_replaced(type(block), name, __name__):
            continue
        method: Any = weakref.WeakMethod(getattr(block, name))
        if name == "get_connection":
            return lambda: method()(begin=False)
        return lambda: method()().connect()
    return None


class SqlAlchemyConnector(Connector, SyncExtras, QuickKey, CredentialsBlock, DatabaseBlock):
    """Query a database by a synchronous driver.

    The engine is made when it is first used, and disposed by `close` or at the end of a `with` block. The methods
    are synchronous, in async flows too; each has an async form with an `a` in front, which works in a thread.
    The fetch methods remember where they are: called again with the same operation, parameters and options, they do not
    execute it again but give the next rows, until `reset_connections` or `close`. Outside of a `with` block a result
    is read when its statement was executed, and the connection is given back; within one it is read piece by piece.
    With the execution option `yield_per` a cursor of the server is used, which keeps its connection to the end.

    Every statement is committed, also one that only gives rows; the execution option `autocommit=False` rolls it back.

    Attributes:
        connection_info: Where the database is: components, or a URL.
        connect_args: Further arguments of the driver's `connect`.
        fetch_size: How many rows `fetch_many` gives when it is not told.

    Example:
        Load a stored connector and use it:
        ```python
        from prefect_sqlalchemy import SqlAlchemyConnector

        with SqlAlchemyConnector.load("BLOCK_NAME") as database:
            rows = database.fetch_all("SELECT * FROM customers WHERE name = :name", {"name": "Marvin"})
        ```
    """

    _block_type_name = "SQLAlchemy Connector"
    _logo_url = HttpUrl(LOGO_URL)
    _documentation_url = HttpUrl(DOCUMENTATION_URL)

    model_config = ConfigDict(hide_input_in_errors=True)

    connection_info: _ConnectionInfo = Field(
        default=...,
        description="SQLAlchemy URL to create the engine; either create from components or create from a string.",
    )
    connect_args: Optional[Dict[str, Any]] = Field(  # noqa: UP006, UP045
        default=None,
        title="Additional Connection Arguments",
        description=(
            "The options which will be passed directly to the DBAPI's connect() method as additional keyword arguments."
        ),
    )
    fetch_size: _FetchSize = Field(default=1, description="The number of rows to fetch at a time.")

    _database: SyncDatabase = PrivateAttr()  # pyright: ignore[reportIncompatibleVariableOverride]

    def block_initialization(self) -> None:
        """Check the driver. Nothing is connected before the first use.

        Raises:
            DatabaseUrlUnsupported: If SQLAlchemy has no dialect for the URL, or the driver is of the other connector.
        """
        from ._engines import Target
        from ._sync_database import SyncDatabase
        from ._urls import check_driver, url_of

        url = url_of(self.connection_info)
        check_driver(url, wants_async=False)
        self._database = SyncDatabase(Target(url, self.connect_args))
        self._database.own_connect = _own_connect(self)
        weakref.finalize(self, self._database.abandon)

    def get_engine(self, **create_engine_kwargs: Any) -> Engine:
        """Get the engine, always the same until `close`.

        Args:
            create_engine_kwargs: Further arguments of `sqlalchemy.create_engine`, used when the engine is made.

        Returns:
            The engine. It connects when it is first used.

        Raises:
            DatabaseDriverMissing: If the driver is not installed.
            DatabaseUrlUnsupported: If SQLAlchemy has no such dialect.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            connector = SqlAlchemyConnector(connection_info="sqlite:///shop.db")
            engine = connector.get_engine()
            ```
        """
        return self._database.engine(**create_engine_kwargs)

    def get_connection(
        self, begin: bool = True, **connect_kwargs: Any
    ) -> AbstractContextManager[Connection] | Connection:
        """Get a connection for what this block does not offer; the `with` block gives it back.

        Args:
            begin: Whether to begin a transaction, which is committed at the end, or rolled back if an exception is
                raised.
            connect_kwargs: Arguments of the engine's `begin` or `connect`.

        Returns:
            A context manager that gives the connection of SQLAlchemy.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                with database.get_connection() as connection:
                    connection.exec_driver_sql("SELECT 1")
            ```
        """
        engine = self.get_engine()
        return engine.begin(**connect_kwargs) if begin else engine.connect(**connect_kwargs)

    def get_client(
        self, client_type: Literal["engine", "connection"], **get_client_kwargs: Any
    ) -> Engine | AbstractContextManager[Connection] | Connection:
        """Get an engine or a connection.

        Args:
            client_type: Which of the two.
            get_client_kwargs: Arguments of `get_engine` or `get_connection`.

        Returns:
            What the method of this name returns.

        Raises:
            ValueError: If `client_type` is neither.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                engine = database.get_client(client_type="engine")
            ```
        """
        if client_type == "engine":
            return self.get_engine(**get_client_kwargs)
        if client_type == "connection":
            return self.get_connection(**get_client_kwargs)
        raise ValueError(f"client_type is {client_type!r}; it must be 'engine' or 'connection'.")

    def reset_connections(self) -> None:
        """Close all cursors and give their connections back: the next fetch executes its operation again.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                first = database.fetch_one("SELECT * FROM customers")
                database.reset_connections()
                again = database.fetch_one("SELECT * FROM customers")
            ```
        """
        self._database.reset()
        self.logger.info("Reset opened connections and their results.")

    async def areset_connections(self) -> None:
        """Async form of `reset_connections`."""
        await run_stoppable(lambda _: self._database.reset())

    def fetch_one(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Row[Any] | None:
        """Fetch the next row.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            execution_options: Options of the connection
                (https://docs.sqlalchemy.org/en/20/core/connections.html#sqlalchemy.engine.Connection.execution_options),
                such as `yield_per`; `autocommit=False` to roll back what a function has written.

        Returns:
            The row: a tuple whose values can also be had by name. `None` at the end of the result.

        Raises:
            DatabaseTableNotFound: If there is no such table.
            DatabaseUnreachable: If the server does not answer.
            DatabaseAccessDenied: If user name or password are wrong, or the user may not do that.
            DatabaseError: If it fails otherwise. Each is also an exception of SQLAlchemy or the driver.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                while row := database.fetch_one("SELECT * FROM customers"):
                    print(row.name)
            ```
        """
        return self._database.cursors.fetch_one(Statement(operation, parameters, execution_options))

    async def afetch_one(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Row[Any] | None:
        """Async form of `fetch_one`."""
        return await self._database.cursors.afetch_one(Statement(operation, parameters, execution_options))

    def fetch_many(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        size: int | None = None,
        **execution_options: Any,
    ) -> list[Row[Any]]:
        """Fetch the next rows.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            size: How many rows; `fetch_size` of the block when `None` or 0.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; fewer than asked for, or none, at the end of the result.

        Raises:
            ValueError: If `size` is negative.
            DatabaseError: If it fails, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                while rows := database.fetch_many("SELECT * FROM customers", size=100):
                    print(len(rows))
            ```
        """
        wanted = positive_size(size, self.fetch_size)
        return self._database.cursors.fetch(Statement(operation, parameters, execution_options), wanted)

    async def afetch_many(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        size: int | None = None,
        **execution_options: Any,
    ) -> list[Row[Any]]:
        """Async form of `fetch_many`."""
        wanted = positive_size(size, self.fetch_size)
        return await self._database.cursors.afetch(Statement(operation, parameters, execution_options), wanted)

    def fetch_all(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> list[Row[Any]]:
        """Fetch all rows that are left.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; none at the end of the result.

        Raises:
            DatabaseError: If it fails, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                rows = database.fetch_all("SELECT * FROM customers WHERE name = :name", {"name": "Me"})
            ```
        """
        return self._database.cursors.fetch(Statement(operation, parameters, execution_options), None)

    async def afetch_all(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> list[Row[Any]]:
        """Async form of `fetch_all`."""
        return await self._database.cursors.afetch(Statement(operation, parameters, execution_options), None)

    def execute(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> CursorResult[Any]:
        """Execute an operation, such as INSERT or CREATE TABLE, and commit it. Each call executes it.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            execution_options: As for `fetch_one`.

        Returns:
            The result, with `rowcount`; rows that the operation gives are in memory.

        Raises:
            DatabaseConstraintViolated: If a row does not fit a constraint. Nothing was changed.
            DatabaseError: If it fails otherwise, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                database.execute(
                    "INSERT INTO customers (name, address) VALUES (:name, :address)",
                    parameters={"name": "Marvin", "address": "Highway 42"},
                )
            ```
        """
        result = self._database.execute(operation, parameters, execution_options)
        self.logger.info("Executed the operation %r", _loggable(operation))
        return result

    async def aexecute(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> CursorResult[Any]:
        """Async form of `execute`."""
        result = await run_stoppable(
            lambda stop: self._database.execute(operation, parameters, execution_options, stop)
        )
        self.logger.info("Executed the operation %r", _loggable(operation))
        return result

    def execute_many(
        self, operation: str, seq_of_parameters: list[dict[str, Any]], **execution_options: Any
    ) -> CursorResult[Any]:
        """Execute an operation once for each set of parameters, in one transaction: all take effect, or none.

        Args:
            operation: The statement; `:name` stands for a parameter.
            seq_of_parameters: Values for its placeholders, for each execution.
            execution_options: As for `fetch_one`.

        Returns:
            The result, with `rowcount`.

        Raises:
            DatabaseConstraintViolated: If a row does not fit a constraint; `row` is its number, from 0. Nothing was
                changed.
            DatabaseError: If it fails otherwise, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import SqlAlchemyConnector

            with SqlAlchemyConnector.load("BLOCK_NAME") as database:
                database.execute_many(
                    "INSERT INTO customers (name, address) VALUES (:name, :address)",
                    seq_of_parameters=[{"name": "Ford", "address": "Space"}, {"name": "Me", "address": "Myway 88"}],
                )
            ```
        """
        result = self._database.execute_many(operation, seq_of_parameters, execution_options)
        self.logger.info("Executed %d operations based off %r", len(seq_of_parameters), _loggable(operation))
        return result

    async def aexecute_many(
        self, operation: str, seq_of_parameters: list[dict[str, Any]], **execution_options: Any
    ) -> CursorResult[Any]:
        """Async form of `execute_many`."""
        result = await run_stoppable(
            lambda stop: self._database.execute_many(operation, seq_of_parameters, execution_options, stop)
        )
        self.logger.info("Executed %d operations based off %r", len(seq_of_parameters), _loggable(operation))
        return result

    def close(self) -> None:
        """Close cursors and connections. It may be called again, and the block may be used again."""
        self._database.close()

    async def aclose(self) -> None:
        """Async form of `close`."""
        await run_stoppable(lambda _: self._database.close())

    def __enter__(self) -> Self:
        """Use the connector in a `with` block, which closes it at the end."""
        self._database.depth += 1
        return self

    def __exit__(self, *args: Any) -> None:
        """Close cursors and connections."""
        self._database.depth -= 1
        self.close()

    async def __aenter__(self) -> Self:
        """Use the connector in an `async with` block, which closes it at the end."""
        self._database.depth += 1
        return self

    async def __aexit__(self, *args: Any) -> None:
        """Close cursors and connections."""
        self._database.depth -= 1
        await await_to_end(self.aclose())


class AsyncSqlAlchemyConnector(Connector, AsyncExtras, QuickKey, CredentialsBlock, DatabaseBlock):
    """Query a database by an asynchronous driver.

    There is one engine for each event loop, made when it is first used and disposed at the loop's end, by `close`, or
    at the end of an `async with` block. All methods are coroutine functions, and have a second name, with an `a`
    in front.

    The fetch methods remember where they are: called again with the same operation, parameters and options, they do not
    execute it again but give the next rows, until `reset_connections` or `close`. A result is read when its
    statement was executed, and the connection is given back; with the execution option `yield_per` it is read
    piece by piece by a cursor of the server, and keeps its connection to the end.

    Every statement is committed, also one that only gives rows; the execution option `autocommit=False` rolls it back.

    Attributes:
        connection_info: Where the database is: components, or a URL.
        connect_args: Further arguments of the driver's `connect`.
        fetch_size: How many rows `fetch_many` gives when it is not told.

    Example:
        Load a stored connector and use it:
        ```python
        from prefect_sqlalchemy import AsyncSqlAlchemyConnector


        async def run() -> None:
            async with await AsyncSqlAlchemyConnector.load("BLOCK_NAME") as database:
                rows = await database.fetch_all("SELECT * FROM customers WHERE name = :name", {"name": "Marvin"})
                print(rows)
        ```
    """

    _block_type_name = "Async SQLAlchemy Connector"
    _logo_url = HttpUrl(LOGO_URL)
    _documentation_url = HttpUrl(DOCUMENTATION_URL)

    model_config = ConfigDict(hide_input_in_errors=True)

    connection_info: _ConnectionInfo = Field(
        default=...,
        description="SQLAlchemy URL to create the engine; either create from components or create from a string.",
    )
    connect_args: Optional[Dict[str, Any]] = Field(  # noqa: UP006, UP045
        default=None,
        title="Additional Connection Arguments",
        description=(
            "The options which will be passed directly to the DBAPI's connect() method as additional keyword arguments."
        ),
    )
    fetch_size: _FetchSize = Field(default=1, description="The number of rows to fetch at a time.")

    _database: AsyncDatabase = PrivateAttr()  # pyright: ignore[reportIncompatibleVariableOverride]

    def block_initialization(self) -> None:
        """Check the driver. Nothing is connected before the first use.

        Raises:
            DatabaseUrlUnsupported: If SQLAlchemy has no dialect for the URL, or the driver is of the other connector.
        """
        from ._async_database import AsyncDatabase
        from ._engines import Target
        from ._urls import check_driver, url_of

        url = url_of(self.connection_info)
        check_driver(url, wants_async=True)
        self._database = AsyncDatabase(Target(url, self.connect_args))
        self._database.own_connect = _own_connect(self)
        weakref.finalize(self, self._database.abandon)

    def get_engine(self, **create_engine_kwargs: Any) -> AsyncEngine:
        """Get the engine of the running event loop, always the same until `close`.

        Args:
            create_engine_kwargs: Further arguments of `sqlalchemy.create_engine`, used when the engine is made.

        Returns:
            The engine. It connects when it is first used.

        Raises:
            DatabaseDriverMissing: If the driver is not installed.
            DatabaseUrlUnsupported: If SQLAlchemy has no such dialect.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector

            connector = AsyncSqlAlchemyConnector(connection_info="sqlite+aiosqlite:///shop.db")
            engine = connector.get_engine()
            ```
        """
        return self._database.state(**create_engine_kwargs).engine

    def get_connection(self, begin: bool = True, **connect_kwargs: Any) -> AbstractAsyncContextManager[AsyncConnection]:
        """Get a connection for what this block does not offer; the `async with` block gives it back.

        Args:
            begin: Whether to begin a transaction, which is committed at the end, or rolled back if an exception is
                raised.
            connect_kwargs: Arguments of the engine's `begin` or `connect`.

        Returns:
            A context manager that gives the connection of SQLAlchemy.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    async with database.get_connection() as connection:
                        await connection.exec_driver_sql("SELECT 1")
            ```
        """
        engine = self.get_engine()
        return engine.begin(**connect_kwargs) if begin else engine.connect(**connect_kwargs)

    def get_client(
        self, client_type: Literal["engine", "connection"], **get_client_kwargs: Any
    ) -> AsyncEngine | AbstractAsyncContextManager[AsyncConnection]:
        """Get an engine or a connection.

        Args:
            client_type: Which of the two.
            get_client_kwargs: Arguments of `get_engine` or `get_connection`.

        Returns:
            What the method of this name returns.

        Raises:
            ValueError: If `client_type` is neither.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    engine = database.get_client(client_type="engine")
            ```
        """
        if client_type == "engine":
            return self.get_engine(**get_client_kwargs)
        if client_type == "connection":
            return self.get_connection(**get_client_kwargs)
        raise ValueError(f"client_type is {client_type!r}; it must be 'engine' or 'connection'.")

    async def reset_connections(self) -> None:
        """Close all cursors and give their connections back: the next fetch executes its operation again.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    first = await database.fetch_one("SELECT * FROM customers")
                    await database.reset_connections()
                    again = await database.fetch_one("SELECT * FROM customers")
            ```
        """
        await self._database.reset()
        self.logger.info("Reset opened connections and their results.")

    async def fetch_one(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> Row[Any] | None:
        """Fetch the next row.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            execution_options: Options of the connection
                (https://docs.sqlalchemy.org/en/20/core/connections.html#sqlalchemy.engine.Connection.execution_options),
                such as `yield_per`; `autocommit=False` to roll back what a function has written.

        Returns:
            The row: a tuple whose values can also be had by name. `None` at the end of the result.

        Raises:
            DatabaseTableNotFound: If there is no such table.
            DatabaseUnreachable: If the server does not answer.
            DatabaseAccessDenied: If user name or password are wrong, or the user may not do that.
            DatabaseError: If it fails otherwise. Each is also an exception of SQLAlchemy or the driver.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    while row := await database.fetch_one("SELECT * FROM customers"):
                        print(row.name)
            ```
        """
        return await self._database.state().cursors.fetch_one(Statement(operation, parameters, execution_options))

    async def fetch_many(
        self,
        operation: str,
        parameters: dict[str, Any] | None = None,
        size: int | None = None,
        **execution_options: Any,
    ) -> list[Row[Any]]:
        """Fetch the next rows.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            size: How many rows; `fetch_size` of the block when `None` or 0.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; fewer than asked for, or none, at the end of the result.

        Raises:
            ValueError: If `size` is negative.
            DatabaseError: If it fails, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    while rows := await database.fetch_many("SELECT * FROM customers", size=100):
                        print(len(rows))
            ```
        """
        wanted = positive_size(size, self.fetch_size)
        return await self._database.state().cursors.fetch(Statement(operation, parameters, execution_options), wanted)

    async def fetch_all(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> list[Row[Any]]:
        """Fetch all rows that are left.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            execution_options: As for `fetch_one`.

        Returns:
            The rows; none at the end of the result.

        Raises:
            DatabaseError: If it fails, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    rows = await database.fetch_all("SELECT * FROM customers WHERE name = :name", {"name": "Me"})
            ```
        """
        return await self._database.state().cursors.fetch(Statement(operation, parameters, execution_options), None)

    async def execute(
        self, operation: str, parameters: dict[str, Any] | None = None, **execution_options: Any
    ) -> CursorResult[Any]:
        """Execute an operation, such as INSERT or CREATE TABLE, and commit it. Each call executes it.

        Args:
            operation: The statement; `:name` stands for a parameter.
            parameters: Values for its placeholders.
            execution_options: As for `fetch_one`.

        Returns:
            The result, with `rowcount`; rows that the operation gives are in memory.

        Raises:
            DatabaseConstraintViolated: If a row does not fit a constraint. Nothing was changed.
            DatabaseError: If it fails otherwise, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    await database.execute(
                        "INSERT INTO customers (name, address) VALUES (:name, :address)",
                        parameters={"name": "Marvin", "address": "Highway 42"},
                    )
            ```
        """
        result = await self._database.execute(operation, parameters, execution_options)
        self.logger.info("Executed the operation %r", _loggable(operation))
        return result

    async def execute_many(
        self, operation: str, seq_of_parameters: list[dict[str, Any]], **execution_options: Any
    ) -> CursorResult[Any]:
        """Execute an operation once for each set of parameters, in one transaction: all take effect, or none.

        Args:
            operation: The statement; `:name` stands for a parameter.
            seq_of_parameters: Values for its placeholders, for each execution.
            execution_options: As for `fetch_one`.

        Returns:
            The result, with `rowcount`.

        Raises:
            DatabaseConstraintViolated: If a row does not fit a constraint; `row` is its number, from 0. Nothing was
                changed.
            DatabaseError: If it fails otherwise, as for `fetch_one`.

        Example:
            ```python
            from prefect_sqlalchemy import AsyncSqlAlchemyConnector


            async def run() -> None:
                async with await AsyncSqlAlchemyConnector.aload("BLOCK_NAME") as database:
                    await database.execute_many(
                        "INSERT INTO customers (name, address) VALUES (:name, :address)",
                        seq_of_parameters=[{"name": "Ford", "address": "Space"}, {"name": "Me", "address": "Myway 88"}],
                    )
            ```
        """
        result = await self._database.execute_many(operation, seq_of_parameters, execution_options)
        self.logger.info("Executed %d operations based off %r", len(seq_of_parameters), _loggable(operation))
        return result

    async def close(self) -> None:
        """Close cursors and connections. It may be called again, and the block may be used again."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        """Use the connector in an `async with` block, which closes it at the end."""
        return self

    async def __aexit__(self, *args: Any) -> None:
        """Close cursors and connections."""
        await self.close()

    def __enter__(self) -> Self:
        """Refuse a `with` block.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "AsyncSqlAlchemyConnector is asynchronous: use it in `async with`, or use SqlAlchemyConnector with a "
            "synchronous driver, such as 'postgresql+psycopg2' or 'sqlite+pysqlite'."
        )

    afetch_one = fetch_one
    afetch_many = fetch_many
    afetch_all = fetch_all
    aexecute = execute
    aexecute_many = execute_many
    areset_connections = reset_connections
    aclose = close
