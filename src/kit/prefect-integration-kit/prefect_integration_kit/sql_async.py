"""The cursors of `sql` for drivers that are asynchronous by nature: no thread is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from prefect_integration_kit.dispatch import await_to_end
from prefect_integration_kit.garbage import many_objects
from prefect_integration_kit.sql import Statement, Waiting

__all__ = ["AsyncCursors", "AsyncRows"]

RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


class AsyncRows(Protocol[RowT_co]):
    """The result of a statement that was executed. A call that is cancelled must lose no row."""

    async def read(self, size: int | None) -> Sequence[RowT_co]:
        """Read the next batch, in the order of the result.

        Args:
            size: How many rows are wanted, `None` for all that are left. It is a hint: more or fewer are fine.

        Returns:
            The rows; none at the end of the result, however often it is asked.
        """
        ...

    async def close(self) -> None:
        """Give back what the result holds: a cursor, a connection, a stream."""
        ...


AsyncExecute = Callable[[Statement], Awaitable[AsyncRows[RowT]]]


class _AsyncCursor(Generic[RowT]):
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.rows: AsyncRows[RowT] | None = None
        self.waiting: Waiting[RowT] = Waiting()
        self.is_closed = False

    async def take(self, size: int | None, rows: AsyncRows[RowT]) -> list[RowT]:
        """Take up to `size` rows, or all. If that fails or is cancelled, they wait for the next call."""
        taken = self.waiting.take(size)
        try:
            with many_objects():
                while size is None or len(taken) < size:
                    batch = await rows.read(None if size is None else size - len(taken))
                    if not batch:
                        break
                    taken.extend(batch)
        except BaseException:
            self.waiting.give_back(taken)
            raise
        return self.waiting.split(taken, size)

    async def close(self) -> None:
        self.is_closed = True
        self.waiting.clear()
        rows, self.rows = self.rows, None
        if rows is not None:
            await rows.close()


class AsyncCursors(Generic[RowT]):
    """All cursors of a block, in one event loop.

    ```python
    cursors = AsyncCursors(execute)
    await cursors.fetch(Statement("SELECT 1"), 1)
    ```
    """

    def __init__(self, execute: AsyncExecute[RowT]) -> None:
        """Start without a cursor.

        Args:
            execute: Executes a statement. Several tasks may await it at a time, for different statements.
        """
        self._execute = execute
        self._cursors: dict[Hashable, _AsyncCursor[RowT]] = {}

    async def fetch_one(self, statement: Statement) -> RowT | None:
        """Give the next row, or `None` at the end."""
        return next(iter(await self.fetch(statement, 1)), None)

    async def fetch(self, statement: Statement, size: int | None) -> list[RowT]:
        """Give the next rows of a statement, which is executed if it has no cursor yet.

        Args:
            statement: The statement.
            size: How many rows, `None` for all that are left.

        Returns:
            The rows; fewer than `size`, or none, at the end.
        """
        key = statement.key()
        while True:
            cursor = self._cursors.setdefault(key, _AsyncCursor())
            async with cursor.lock:
                if cursor.is_closed:  # it was reset while we waited for it
                    continue
                if cursor.rows is None:
                    try:
                        cursor.rows = await self._execute(statement)
                    except BaseException:  # a statement that failed is executed again by the next fetch
                        self._forget(key, cursor)
                        raise
                return await cursor.take(size, cursor.rows)

    def _forget(self, key: Hashable, cursor: _AsyncCursor[RowT]) -> None:
        cursor.is_closed = True  # those who wait for it start anew
        if self._cursors.get(key) is cursor:
            del self._cursors[key]

    async def reset(self) -> None:
        """Close all cursors: the next fetch executes its statement again. Fetches under way are waited for.

        Raises:
            Exception: The first error of closing a result; all others are closed all the same.
        """
        cursors, self._cursors = list(self._cursors.values()), {}
        errors: list[Exception] = []

        async def close_all() -> None:
            for cursor in cursors:
                async with cursor.lock:
                    try:
                        await cursor.close()
                    except Exception as exc:  # noqa: BLE001 - whatever the driver raises
                        errors.append(exc)

        await await_to_end(close_all())
        if errors:
            raise errors[0]

    def __len__(self) -> int:
        """Say how many cursors are open."""
        return len(self._cursors)
