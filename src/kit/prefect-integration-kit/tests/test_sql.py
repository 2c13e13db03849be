"""Cursors go on where they were, from any thread and in either face, and lose no row."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from prefect_integration_kit.sql import Cursors, Statement, positive_size
from prefect_integration_kit.waiting import poll


class Numbers:
    """The numbers below `count`, in batches; `fails_at` spoils the reading of a batch, once."""

    def __init__(self, count: int, batch: int = 3, fails_at: int | None = None) -> None:
        self._left = list(range(count))
        self._batch = batch
        self._fails_at = fails_at
        self.reads = 0
        self.closed = False

    def read(self, size: int | None) -> Sequence[int]:
        self.reads += 1
        if self._left and self._left[0] == self._fails_at:
            self._fails_at = None
            raise ConnectionError("the line broke")
        batch, self._left = self._left[: self._batch], self._left[self._batch :]
        return batch

    def close(self) -> None:
        self.closed = True


class Database:
    """Executes statements, and remembers them."""

    def __init__(self, make: Callable[[], Numbers], *, starts_again: bool = False) -> None:
        self.results: list[Numbers] = []
        self.errors: list[Exception] = []
        self._make = make
        self.cursors: Cursors[int] = Cursors(self._execute, starts_again=starts_again)

    def _execute(self, statement: Statement, stop: threading.Event) -> Numbers:
        if self.errors:
            raise self.errors.pop()
        self.results.append(self._make())
        return self.results[-1]

    async def fetch(self, face: str, size: int | None, statement: Statement) -> list[int]:
        if face == "async":
            return await self.cursors.afetch(statement, size)
        return await asyncio.to_thread(self.cursors.fetch, statement, size)


STATEMENT = Statement("SELECT n", {"limit": 10})


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_fetches_go_on_in_any_face_until_the_end():
    database = Database(lambda: Numbers(10))
    cursors = database.cursors
    assert cursors.fetch_one(STATEMENT) == 0
    assert await cursors.afetch(STATEMENT, 4) == [1, 2, 3, 4]
    assert await cursors.afetch_one(STATEMENT) == 5
    assert cursors.fetch(STATEMENT, None) == [6, 7, 8, 9]
    assert (cursors.fetch(STATEMENT, None), cursors.fetch(STATEMENT, 2)) == ([], [])
    assert (cursors.fetch_one(STATEMENT), await cursors.afetch_one(STATEMENT)) == (None, None)
    assert len(database.results) == 1


def test_a_fetch_reads_no_more_than_it_needs():
    database = Database(lambda: Numbers(1_000_000, batch=3))
    database.cursors.fetch(STATEMENT, 4)
    assert database.results[0].reads == 2


@pytest.mark.parametrize("size", [1, 2, 5, None])
async def test_no_row_is_lost_or_given_twice_when_a_batch_cannot_be_read(face: str, size: int | None):
    database = Database(lambda: Numbers(10, fails_at=6))
    taken: list[int] = []
    errors = 0
    while True:
        try:
            rows = await database.fetch(face, size, STATEMENT)
        except ConnectionError:
            errors += 1
            continue
        if not rows:
            break
        taken += rows
    assert (taken, errors) == (list(range(10)), 1)


def test_each_distinct_statement_has_a_cursor():
    database = Database(lambda: Numbers(10))
    one, other = Statement("SELECT n", {"a": 1}), Statement("SELECT n", {"a": 2})
    assert (database.cursors.fetch_one(one), database.cursors.fetch_one(other)) == (0, 0)
    assert (database.cursors.fetch_one(one), len(database.cursors)) == (1, 2)


class Same:
    """Two of a kind are alike, and cannot be hashed."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, value: int) -> None:
        self.value = value


NAN = float("nan")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Statement("q"), Statement("q", {}, {})),
        (Statement("q", {"a": 1, "b": 2}), Statement("q", {"b": 2, "a": 1})),
        (Statement("q", {"a": [1, {"b": {2, 3}}]}), Statement("q", {"a": [1, {"b": {3, 2}}]})),
        (Statement("q", {"a": NAN}), Statement("q", {"a": float("nan")})),
        (Statement("q", (1, 2)), Statement("q", [1, 2])),
        (Statement("q", None, {"o": Same(1)}), Statement("q", None, {"o": Same(1)})),
        (Statement("q", {"a": date(2026, 1, 1)}), Statement("q", {"a": date(2026, 1, 1)})),
    ],
    ids=["empty", "order", "nested", "nan", "sequence", "object", "date"],
)
def test_equal_statements_have_one_key(left: Statement, right: Statement):
    assert left.key() == right.key()
    assert hash(left.key()) == hash(right.key())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Statement("q"), Statement("p")),
        (Statement("q", {"a": 1}), Statement("q", {"a": True})),
        (Statement("q", {"a": 1}), Statement("q", {"a": 1.0})),
        (Statement("q", {"a": "1"}), Statement("q", {"a": 1})),
        (Statement("q", {"a": Decimal("1.0")}), Statement("q", {"a": Decimal("1.00")})),
        (Statement("q", (1, 2)), Statement("q", (2, 1))),
        (Statement("q", {"a": date(2026, 1, 1)}), Statement("q", {"a": datetime(2026, 1, 1, tzinfo=timezone.utc)})),
        (Statement("q", None, {"o": Same(1)}), Statement("q", None, {"o": Same(2)})),
        (Statement("q", None, {"o": lambda: 1}), Statement("q", None, {"o": lambda: 1})),
    ],
    ids=["operation", "bool", "float", "text", "scale", "order", "datetime", "object", "function"],
)
def test_different_statements_have_different_keys(left: Statement, right: Statement):
    assert left.key() != right.key()


async def test_a_statement_that_failed_is_executed_again(face: str):
    database = Database(lambda: Numbers(2))
    database.errors.append(PermissionError("no"))
    with pytest.raises(PermissionError):
        await database.fetch(face, 1, STATEMENT)
    assert len(database.cursors) == 0
    assert await database.fetch(face, None, STATEMENT) == [0, 1]


def test_a_reset_closes_results_and_executes_anew():
    database = Database(lambda: Numbers(10))
    database.cursors.fetch(STATEMENT, 4)
    database.cursors.reset()
    assert database.results[0].closed
    assert database.cursors.fetch_one(STATEMENT) == 0
    assert len(database.results) == 2


def test_a_result_that_cannot_be_closed_does_not_keep_others_open():
    database = Database(lambda: Numbers(10))
    for number in range(3):
        database.cursors.fetch_one(Statement("q", [number]))

    def refuse() -> None:
        raise ConnectionError("gone")

    database.results[0].close = refuse
    with pytest.raises(ConnectionError, match="gone"):
        database.cursors.reset()
    assert [result.closed for result in database.results[1:]] == [True, True]


async def test_threads_and_coroutines_share_a_result_without_a_row_twice():
    database = Database(lambda: Numbers(600, batch=7))
    taken: list[int] = []

    def drain() -> None:
        while rows := database.cursors.fetch(STATEMENT, 5):
            taken.extend(rows)

    async def adrain() -> None:
        while rows := await database.cursors.afetch(STATEMENT, 5):
            taken.extend(rows)

    await asyncio.gather(*(asyncio.to_thread(drain) for _ in range(4)), *(adrain() for _ in range(4)))
    assert sorted(taken) == list(range(600))
    assert len(database.results) == 1


class Slow(Numbers):
    """Gives its second batch when it is told to."""

    def __init__(self) -> None:
        super().__init__(6)
        self.may_go_on = threading.Event()

    def read(self, size: int | None) -> Sequence[int]:
        if self.reads:
            self.may_go_on.wait(20)
        return super().read(size)


async def test_a_cancelled_fetch_loses_no_row():
    slow = Slow()
    database = Database(lambda: slow)
    fetching = asyncio.ensure_future(database.cursors.afetch(STATEMENT, None))
    await asyncio.to_thread(
        poll, lambda: slow.reads or None, subject="The first batch", interval_seconds=0.01, timeout_seconds=10
    )
    fetching.cancel()
    asyncio.get_running_loop().call_later(0.05, slow.may_go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert database.cursors.fetch(STATEMENT, None) == list(range(6))


async def test_a_statement_that_nobody_waits_for_is_told_to_stop():
    told = threading.Event()

    def execute(statement: Statement, stop: threading.Event) -> Any:
        if stop.wait(20):
            told.set()
        raise RuntimeError("stopped")

    cursors: Cursors[int] = Cursors(execute)
    fetching = asyncio.ensure_future(cursors.afetch(STATEMENT, 1))
    await asyncio.sleep(0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert told.is_set() or len(cursors) == 0


class Count:
    """A whole number of another kind, as numpy and pandas have them."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        return self.value == other

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(("size", "expected"), [(None, 7), (0, 7), (3, 3), (Count(3), 3), (Count(0), 7)])
def test_the_size_of_a_fetch(size: Any, expected: int):
    assert positive_size(size, 7) == expected
    assert type(positive_size(size, 7)) is int


@pytest.mark.parametrize(
    ("size", "error", "said"),
    [
        (-1, ValueError, "size is -1"),
        (Count(-1), ValueError, "it must be at least 1"),
        ("3", TypeError, "size is '3'"),
        (True, TypeError, "size is True"),
        (3.0, TypeError, "size is 3.0"),
    ],
    ids=["negative", "negative of another kind", "text", "boolean", "float"],
)
def test_a_bad_size_is_refused(size: Any, error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        positive_size(size, 7)


async def test_a_statement_starts_again_only_after_its_end_was_told(face: str) -> None:
    database = Database(lambda: Numbers(4), starts_again=True)
    fetched = [await database.fetch(face, 3, STATEMENT) for _ in range(5)]
    assert fetched == [[0, 1, 2], [3], [], [0, 1, 2], [3]]
    first, second = database.results
    assert (first.closed, second.closed, len(database.cursors)) == (True, False, 1)
