"""Cursors as the database blocks have them: fetching goes on where the last call with the same arguments stopped.

A block says how to execute a statement and how to read its rows in batches. The rest is here, for any driver: one
cursor for each distinct (operation, parameters, options); `fetch_one`, `fetch_many` and `fetch_all` take from it in any
order, from any thread and in either face, and no row is lost or given twice, also when a batch cannot be read.
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import operator
import pickle
import threading
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, cast

from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.garbage import many_objects

__all__ = ["Cursors", "FetchStopped", "Rows", "Statement", "positive_size", "whole_number"]

RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


class FetchStopped(Exception):
    """Nobody waits for the rows any more."""


class Rows(Protocol[RowT_co]):
    """The result of a statement that was executed."""

    def read(self, size: int | None) -> Sequence[RowT_co]:
        """Read the next batch, in the order of the result.

        After an error it may be called again, and goes on where it was.

        Args:
            size: How many rows are wanted, `None` for all that are left. It is a hint: more, such as a page, or fewer
                are fine.

        Returns:
            The rows; none at the end of the result, however often it is asked.
        """
        ...

    def close(self) -> None:
        """Give back what the result holds: a cursor, a connection, a stream."""
        ...


@dataclass(frozen=True)
class Statement:
    """What a cursor is for.

    Attributes:
        operation: The SQL.
        parameters: Values for its placeholders: a mapping, or a sequence.
        options: What else the block's `execute` takes.
    """

    operation: str
    parameters: Mapping[str, Any] | Sequence[Any] | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def key(self) -> Hashable:
        """Return a value that is the same for equal statements, in this process.

        The order of named parameters and of options does not count; `1`, `1.0` and `True` are different.
        """
        return (self.operation, _frozen(self.parameters or None), _frozen(self.options))


# Of these, what is equal means the same to a database.
_VALUES = (
    *(str, bytes, int, float, complex, bool, type(None), type, uuid.UUID, decimal.Decimal, Enum),
    *(dt.date, dt.time, dt.timedelta, dt.tzinfo),
)


def _frozen(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return ("mapping", frozenset((_frozen(name), _frozen(member)) for name, member in items))
    if isinstance(value, list | tuple):
        return ("sequence", *(_frozen(member) for member in cast("Sequence[Any]", value)))
    if isinstance(value, set | frozenset):
        return ("set", frozenset(_frozen(member) for member in cast("frozenset[Any]", value)))
    if isinstance(value, _VALUES):
        # A NaN is not equal to itself, and what counts of a number or a time is also how it is written.
        return (type(value), repr(value))
    try:
        # Arrays, data frames, options of an SDK: what is made alike is the same, unlike `==` of some of them.
        return (cast("Hashable", type(value)), hashlib.sha256(pickle.dumps(value)).digest())
    except Exception:  # noqa: BLE001 - whatever an object's own pickling raises
        return _Identity(value)


class _Identity:
    """An object that is like itself only, kept so that no other one gets its address."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


def positive_size(size: int | None, default: int, name: str = "size") -> int:
    """Say how many rows a fetch is to give.

    Args:
        size: What the caller asked for; `None` and 0 stand for the default.
        default: The block's fetch size.
        name: The argument's name, for the message.

    Raises:
        TypeError: If it is not a whole number.
        ValueError: If it is negative.
    """
    if size is None or size == 0:
        return default
    rows = whole_number(size)
    if rows is None:
        raise TypeError(f"{name} is {size!r}; it must be a whole number of rows.")
    if rows < 0:
        raise ValueError(f"{name} is {size}; it must be at least 1, or 0 for the block's fetch_size ({default}).")
    return rows


def whole_number(value: Any) -> int | None:
    """Give a whole number as an `int`, also one of numpy or pandas; `None` for anything else, and for a boolean.

    Args:
        value: What a caller gave as a number.
    """
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


_LOOK_SECONDS = 0.05
"""How long it may take until a thread that waits for a cursor sees that it is not wanted any more."""

Execute = Callable[[Statement, threading.Event], Rows[RowT]]


class Waiting(Generic[RowT]):
    """Rows of a result that were read but not given yet."""

    def __init__(self) -> None:
        self._rows: list[RowT] = []
        self._start = 0  # taking from the front of a list would move all that is behind

    def take(self, size: int | None) -> list[RowT]:
        """Take the first rows, all when `size` is `None`."""
        end = None if size is None else self._start + size
        taken = self._rows[self._start : end]
        self._start += len(taken)
        if self._start >= len(self._rows):
            self._rows, self._start = [], 0
        return taken

    def split(self, rows: list[RowT], size: int | None) -> list[RowT]:
        """Give the first rows of `rows`, and let the others wait. No row may wait already."""
        if size is None or len(rows) <= size:
            return rows
        self._rows, self._start = rows, size
        return rows[:size]

    def give_back(self, rows: list[RowT]) -> None:
        """Put rows that nobody got before those that wait."""
        self._rows, self._start = rows + self._rows[self._start :], 0

    def clear(self) -> None:
        """Forget them."""
        self._rows, self._start = [], 0


class _Cursor(Generic[RowT]):
    """A statement's result, and the rows of it that were read but not given yet."""

    def __init__(self, statement: Statement, execute: Execute[RowT]) -> None:
        self.lock = threading.Lock()
        self._statement = statement
        self._execute = execute
        self._rows: Rows[RowT] | None = None
        self._waiting: Waiting[RowT] = Waiting()
        self.is_closed = False

    @property
    def is_executed(self) -> bool:
        return self._rows is not None

    def take(self, size: int | None, stop: threading.Event) -> list[RowT]:
        """Take up to `size` rows, or all. If that fails, they wait for the next call."""
        if self._rows is None:
            self._rows = self._execute(self._statement, stop)
        taken = self._waiting.take(size)
        try:
            with many_objects():
                self._read_to(size, taken, self._rows, stop)
        except BaseException:
            self.give_back(taken)
            raise
        return self._waiting.split(taken, size)

    def _read_to(self, size: int | None, taken: list[RowT], rows: Rows[RowT], stop: threading.Event) -> None:
        while size is None or len(taken) < size:
            if stop.is_set():
                raise FetchStopped
            batch = rows.read(None if size is None else size - len(taken))
            if not batch:
                return
            taken.extend(batch)

    def give_back(self, rows: list[RowT]) -> None:
        """Put rows that nobody got before those that wait."""
        self._waiting.give_back(rows)

    def close(self) -> None:
        self.is_closed = True
        self._waiting.clear()
        rows, self._rows = self._rows, None
        if rows is not None:
            rows.close()


class Cursors(Generic[RowT]):
    """All cursors of a block.

    ```python
    cursors = Cursors(lambda statement, stop: DriverRows(connection.execute(statement.operation)))
    cursors.fetch(Statement("SELECT 1"), 1)
    ```
    """

    def __init__(self, execute: Execute[RowT], *, starts_again: bool = False) -> None:
        """Start without a cursor.

        Args:
            execute: Executes a statement, and blocks until its rows can be read. It is also given an event: when that
                is set, nobody waits any more, and it should end what it started and raise. Several threads may call it
                at a time, for different statements.
            starts_again: Whether a fetch executes its statement again after one that gave no rows. Otherwise the end
                stays the end until `reset`.
        """
        self._execute = execute
        self._starts_again = starts_again
        self._lock = threading.Lock()
        self._cursors: dict[Hashable, _Cursor[RowT]] = {}

    def fetch_one(self, statement: Statement) -> RowT | None:
        """Give the next row, or `None` at the end."""
        return next(iter(self.fetch(statement, 1)), None)

    async def afetch_one(self, statement: Statement) -> RowT | None:
        """Async form of `fetch_one`."""
        return next(iter(await self.afetch(statement, 1)), None)

    def fetch(self, statement: Statement, size: int | None) -> list[RowT]:
        """Give the next rows of a statement, which is executed if it has no cursor yet.

        Args:
            statement: The statement.
            size: How many rows, `None` for all that are left.

        Returns:
            The rows; fewer than `size`, or none, at the end.
        """
        cursor = self._locked(statement)
        try:
            return self._take(cursor, statement, size, threading.Event())
        finally:
            cursor.lock.release()

    async def afetch(self, statement: Statement, size: int | None) -> list[RowT]:
        """Async form of `fetch`. If it is cancelled, the rows wait for the next call."""
        taken: list[RowT] = []
        used: list[_Cursor[RowT]] = []

        def body(stop: threading.Event) -> None:
            cursor = self._locked(statement, stop)
            try:
                used.append(cursor)
                taken.extend(self._take(cursor, statement, size, stop))
            finally:
                cursor.lock.release()

        try:
            await run_stoppable(body)
        except BaseException:
            if taken:  # it was cancelled after the last row had been read
                with used[0].lock:
                    if not used[0].is_closed:
                        used[0].give_back(taken)
            raise
        return taken

    def _take(self, cursor: _Cursor[RowT], statement: Statement, size: int | None, stop: threading.Event) -> list[RowT]:
        try:
            rows = cursor.take(size, stop)
        except BaseException:
            if not cursor.is_executed:  # a statement that failed is executed again by the next fetch
                self._forget(statement, cursor)
            raise
        if not rows and self._starts_again:
            self._forget(statement, cursor)
            cursor.close()
        return rows

    def _locked(self, statement: Statement, stop: threading.Event | None = None) -> _Cursor[RowT]:
        """Find or make a statement's cursor, and hold its lock."""
        key = statement.key()
        while True:
            with self._lock:
                cursor = self._cursors.setdefault(key, _Cursor(statement, self._execute))
            while not cursor.lock.acquire(timeout=_LOOK_SECONDS):
                if stop is not None and stop.is_set():
                    raise FetchStopped
            if not cursor.is_closed:
                return cursor
            cursor.lock.release()  # it was reset while we waited for it

    def _forget(self, statement: Statement, cursor: _Cursor[RowT]) -> None:
        key = statement.key()
        with self._lock:
            if self._cursors.get(key) is cursor:
                del self._cursors[key]

    def reset(self) -> None:
        """Close all cursors: the next fetch executes its statement again. Fetches under way are waited for.

        Raises:
            Exception: The first error of closing a result; all others are closed all the same.
        """
        with self._lock:
            cursors, self._cursors = list(self._cursors.values()), {}
        errors: list[Exception] = []
        for cursor in cursors:
            with cursor.lock:
                try:
                    cursor.close()
                except Exception as exc:  # noqa: BLE001 - whatever the driver raises
                    errors.append(exc)
        if errors:
            raise errors[0]

    def __len__(self) -> int:
        """Say how many cursors are open."""
        return len(self._cursors)
