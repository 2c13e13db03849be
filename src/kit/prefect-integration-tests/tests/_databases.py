"""Doubles of a database block, on SQLite, that keep the contract: with both faces, and with one."""

from __future__ import annotations

import contextlib
import copy
import sqlite3
import threading
from typing import Any

from prefect.blocks.abstract import DatabaseBlock
from pydantic import Field, PrivateAttr, SecretStr

from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.sql import Cursors, Statement, positive_size


class SqliteError(Exception):
    """A statement failed, or the database let nobody in."""


class Rows:
    """The result of a statement, on a connection of its own; that of a write is kept, and in memory."""

    def __init__(self, connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> None:
        self.connection = connection
        self.cursor = cursor
        self.written = cursor.fetchall() if connection.in_transaction else None
        connection.commit()

    def read(self, size: int | None) -> list[Any]:
        if self.written is not None:
            rows, self.written = self.written, []
            return rows
        return self.cursor.fetchall() if size is None else self.cursor.fetchmany(size)

    def close(self) -> None:
        self.connection.close()


class Double(DatabaseBlock):
    """A database in a file, without SDK, pool or server."""

    path: str = Field(description="Its file.")
    password: SecretStr = Field(default=SecretStr(""), description="What it asks for.")
    fetch_size: int = Field(default=1, description="Rows of a page.")
    refuses: bool = Field(default=False, description="Whether it lets nobody in.")

    _cursors: Cursors[Any] = PrivateAttr()

    def block_initialization(self) -> None:
        self._cursors = Cursors(self._open)

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "__pydantic_private__": {}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self.block_initialization()

    def __copy__(self) -> Any:
        copied = super().__copy__()
        copied.block_initialization()
        return copied

    def __deepcopy__(self, memo: Any = None) -> Any:
        copied = type(self).__new__(type(self))
        copied.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return copied

    def _connect(self) -> sqlite3.Connection:
        if self.refuses:
            raise SqliteError(f"{self.path}: the password is wrong.")
        connection = sqlite3.connect(self.path, check_same_thread=False, timeout=20)
        connection.execute("PRAGMA journal_mode=WAL")  # who reads does not keep others from writing
        return connection

    def _open(self, statement: Statement, stop: threading.Event) -> Any:
        connection = self._connect()
        try:
            return Rows(connection, connection.execute(statement.operation, statement.parameters or {}))
        except sqlite3.Error as exc:
            connection.close()
            raise SqliteError(f"{self.path}: {exc}") from None

    def _write(self, operation: str, sets: list[Any]) -> None:
        with contextlib.closing(self._connect()) as connection:
            try:
                for parameters in sets:
                    connection.execute(operation, parameters or {})
                connection.commit()
            except sqlite3.Error as exc:
                raise SqliteError(f"{self.path}: {exc}") from None

    def _fetch_one(self, operation: str, parameters: Any) -> Any:
        return self._cursors.fetch_one(Statement(operation, parameters))

    def _fetch_many(self, operation: str, parameters: Any, size: int | None) -> Any:
        return self._cursors.fetch(Statement(operation, parameters), positive_size(size, self.fetch_size))

    def _fetch_all(self, operation: str, parameters: Any) -> Any:
        return self._cursors.fetch(Statement(operation, parameters), None)

    async def aexecute(self, operation: str, parameters: Any = None) -> None:
        await run_sync_in_worker_thread(self._write, operation, [parameters])

    @async_dispatch(aexecute)
    def execute(self, operation: str, parameters: Any = None) -> None:
        self._write(operation, [parameters])

    async def aexecute_many(self, operation: str, seq_of_parameters: Any) -> None:
        await run_sync_in_worker_thread(self._write, operation, seq_of_parameters)

    @async_dispatch(aexecute_many)
    def execute_many(self, operation: str, seq_of_parameters: Any) -> None:
        self._write(operation, seq_of_parameters)

    async def afetch_one(self, operation: str, parameters: Any = None) -> Any:
        return await run_sync_in_worker_thread(self._fetch_one, operation, parameters)

    @async_dispatch(afetch_one)
    def fetch_one(self, operation: str, parameters: Any = None) -> Any:
        return self._fetch_one(operation, parameters)

    async def afetch_many(self, operation: str, parameters: Any = None, size: int | None = None) -> Any:
        return await run_sync_in_worker_thread(self._fetch_many, operation, parameters, size)

    @async_dispatch(afetch_many)
    def fetch_many(self, operation: str, parameters: Any = None, size: int | None = None) -> Any:
        return self._fetch_many(operation, parameters, size)

    async def afetch_all(self, operation: str, parameters: Any = None) -> Any:
        return await run_sync_in_worker_thread(self._fetch_all, operation, parameters)

    @async_dispatch(afetch_all)
    def fetch_all(self, operation: str, parameters: Any = None) -> Any:
        return self._fetch_all(operation, parameters)

    def reset_cursors(self) -> None:
        self._cursors.reset()

    def _close(self) -> None:
        self.reset_cursors()

    async def aclose(self) -> None:
        self._close()

    @async_dispatch(aclose)
    def close(self) -> None:
        self._close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: object) -> None:
        self._close()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *args: object) -> None:
        self._close()


class SyncOnly(Double):
    """Plain methods, on a loop, too."""

    def execute(self, operation, parameters=None):
        self._write(operation, [parameters])

    def execute_many(self, operation, seq_of_parameters):
        self._write(operation, seq_of_parameters)

    def fetch_one(self, operation, parameters=None):
        return self._fetch_one(operation, parameters)

    def fetch_many(self, operation, parameters=None, size=None):
        return self._fetch_many(operation, parameters, size)

    def fetch_all(self, operation, parameters=None):
        return self._fetch_all(operation, parameters)

    def close(self):
        self._close()


class StartsAgain(SyncOnly):
    """The fetch behind the one that was told the end executes again."""

    def _told(self, operation, parameters, rows):
        if not rows:
            self._cursors.reset()
        return rows

    def _fetch_many(self, operation, parameters, size):
        return self._told(operation, parameters, super()._fetch_many(operation, parameters, size))

    def _fetch_one(self, operation, parameters):
        return self._told(operation, parameters, super()._fetch_one(operation, parameters))


class ClosesForGood(Double):
    """Named by coroutine functions, without prefix; it does not open again, and no set stands for another."""

    _is_closed: bool = PrivateAttr(default=False)

    def block_initialization(self):
        super().block_initialization()
        self._is_closed = False

    def _connect(self):
        if self._is_closed:
            raise SqliteError(f"{self.path}: this block is closed.")
        return super()._connect()

    def _close(self):
        super()._close()
        self._is_closed = True

    async def execute(self, operation, parameters=None):
        await run_sync_in_worker_thread(self._write, operation, [parameters])

    async def execute_many(self, operation, seq_of_parameters):
        for each in seq_of_parameters:
            await run_sync_in_worker_thread(self._write, operation, [each])

    async def fetch_one(self, operation, parameters=None):
        return await run_sync_in_worker_thread(self._fetch_one, operation, parameters)

    async def fetch_many(self, operation, parameters=None, size=None):
        return await run_sync_in_worker_thread(self._fetch_many, operation, parameters, size)

    async def fetch_all(self, operation, parameters=None):
        return await run_sync_in_worker_thread(self._fetch_all, operation, parameters)

    async def close(self):
        self._close()


for _name in ("execute", "execute_many", "fetch_one", "fetch_many", "fetch_all", "close"):
    setattr(ClosesForGood, f"a{_name}", None)
