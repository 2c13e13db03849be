"""Rows of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import snowflake_errors

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor


class ResultRows:
    """The rows that a cursor of the connector gives."""

    def __init__(self, cursor: SnowflakeCursor) -> None:
        """Wrap a cursor.

        Args:
            cursor: It has executed its statement.
        """
        self._cursor: Any = cursor
        self._subject = f"Query {getattr(cursor, 'sfqid', None)}"
        self._is_at_end = False

    def read(self, size: int | None) -> Sequence[Any]:
        """Read the next rows; an empty list at the end, where the cursor is closed."""
        if self._is_at_end:
            return []
        with snowflake_errors(self._subject):
            rows: Sequence[Any] = self._cursor.fetchall() if size is None else self._some(size)
        if size is None or len(rows) < size:
            self.close()
        return rows

    def _some(self, size: int) -> Sequence[Any]:
        if size > 1 or hasattr(self._cursor, "fetchmany"):
            rows = self._cursor.fetchmany(size)
            if size > 1 or isinstance(rows, list | tuple):
                return rows  # pyright: ignore[reportUnknownVariableType]
        row = self._cursor.fetchone()  # of a stub, which a test of `fetch_one` has told what `fetchone` gives
        return [] if row is None else [row]

    def close(self) -> None:
        """Close the cursor."""
        self._is_at_end = True
        self._cursor.close()


def all_rows(cursor: SnowflakeCursor) -> list[Any]:
    """Read all rows of a cursor that has executed its statement, and close it."""
    return list(ResultRows(cursor).read(None))
