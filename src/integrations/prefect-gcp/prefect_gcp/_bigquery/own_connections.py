"""Statements by a connection that is not ours: of a subclass with its own `get_connection`, or of a test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable
from typing import Any

from prefect_integration_kit.sql import Statement


class OwnConnection:
    """A connection of Python's database API, with a cursor for each statement that is fetched from.

    Args:
        connect: Gives the connection; called once.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._connection: Any = None
        self._cursors: dict[Hashable, Any] = {}

    def _executed(self, statement: Statement) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        cursor = self._connection.cursor()
        parameters = [] if statement.parameters is None else [statement.parameters]
        cursor.execute(statement.operation, *parameters, **statement.options)
        return cursor

    def _cursor(self, statement: Statement) -> Any:
        key = statement.key()
        if key not in self._cursors:
            self._cursors[key] = self._executed(statement)
        return self._cursors[key]

    def fetch_one(self, statement: Statement) -> Any:
        """Give the next row, or `None` at the end."""
        return self._cursor(statement).fetchone()

    def fetch(self, statement: Statement, size: int | None) -> list[Any]:
        """Give the next rows; all that are left when `size` is `None`."""
        cursor = self._cursor(statement)
        return list(cursor.fetchall() if size is None else cursor.fetchmany(size))

    def execute(self, statement: Statement) -> None:
        """Execute a statement that gives no rows."""
        _close(self._executed(statement))

    def reset(self) -> None:
        """Close all cursors."""
        cursors, self._cursors = list(self._cursors.values()), {}
        for cursor in cursors:
            _close(cursor)

    def close(self) -> None:
        """Close all cursors and the connection."""
        self.reset()
        connection, self._connection = self._connection, None
        if connection is not None:
            _close(connection)


def _close(thing: Any) -> None:
    with contextlib.suppress(AttributeError):  # a stand-in may have nothing to close
        thing.close()
