"""Rows of a statement, and the connection that they need until the last one was read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from sqlalchemy.engine import CursorResult, Row

    from ._engines import Target


class Reading:
    """A result that is read piece by piece, and its transaction. The connection is somebody else's.

    Args:
        result: The result.
        end: Ends the transaction: commits it if it is told to.
    """

    def __init__(self, result: CursorResult[Any], end: Callable[[bool], None]) -> None:
        self._result = result
        self._end = end
        self.is_over = False

    def read(self, size: int | None) -> list[Row[Any]]:
        """Read up to `size` rows, or all; the transaction ends with the last one."""
        if self.is_over:
            return []
        try:
            rows = self._result.fetchall() if size is None else self._result.fetchmany(size)
        except BaseException:
            self.close(succeeded=False)
            raise
        if size is None or len(rows) < size:
            self.close(succeeded=True)
        return cast("list[Row[Any]]", rows)

    def close(self, *, succeeded: bool = True) -> None:
        """End the transaction."""
        if not self.is_over:
            self.is_over = True
            self._result.close()
            self._end(succeeded)


class HeldRows:
    """Rows that are read when they are asked for; they hold a connection until the last one, or until `detach`.

    Args:
        target: The database, for messages.
        reading: The result.
        release: Gives the connection back; called once.
        whole: Whether the first read takes all rows.
    """

    def __init__(self, target: Target, reading: Reading, release: Callable[[HeldRows], None], *, whole: bool) -> None:
        self._target = target
        self._reading = reading
        self._release = release
        self._whole = whole
        self._lock = threading.Lock()
        self._rest: list[Row[Any]] = []
        self._failure: Exception | None = None
        self._is_released = False

    def read(self, size: int | None) -> Sequence[Row[Any]]:
        """Read the next rows; see `prefect_integration_kit.sql.Rows`."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            rest, self._rest = self._rest, []
            return rest or self._from_database(None if self._whole else size)

    def detach(self) -> None:
        """Read what is left into memory, and give the connection back."""
        with self._lock:
            if not self._is_released:
                try:
                    self._rest = self._from_database(None)
                except Exception as exc:  # noqa: BLE001 - whoever reads on is told
                    self._failure = exc

    def close(self, *, succeeded: bool = True) -> None:
        """Forget what is left, and give the connection back."""
        with self._lock:
            self._rest = []
            try:
                with self._target.errors():
                    self._reading.close(succeeded=succeeded)
            finally:
                self._give_back()

    def _from_database(self, size: int | None) -> list[Row[Any]]:
        try:
            with self._target.errors():
                return self._reading.read(size)
        except Exception as exc:
            self._failure = exc
            raise
        finally:
            if self._reading.is_over:
                self._give_back()

    def _give_back(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._release(self)
