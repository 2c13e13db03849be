"""Async cursors: each row once, whoever asks, also when a fetch is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from prefect_integration_kit.sql import Statement
from prefect_integration_kit.sql_async import AsyncCursors


class Rows:
    def __init__(self, count, page=None, gate=None):
        self.left = list(range(count))
        self.page = page
        self.gate = gate
        self.is_closed = False

    async def read(self, size):
        if self.gate is not None:
            await self.gate.wait()
        size = self.page or size or len(self.left)
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    async def close(self):
        self.is_closed = True


class Database:
    """Counts what is executed."""

    def __init__(self, count=10, **options):
        self.results = []
        self.failures = 0
        self.count, self.options = count, options
        self.cursors = AsyncCursors(self.execute)

    async def execute(self, statement):
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise ValueError("refused")
        self.results.append(Rows(self.count, **self.options))
        return self.results[-1]


NUMBERS = Statement("SELECT n FROM numbers")


@pytest.mark.parametrize("page", [None, 1, 4, 100])
@pytest.mark.parametrize("size", [1, 3, 10, 11])
async def test_pages_are_a_partition(page, size):
    cursors = Database(page=page).cursors
    pages = []
    while rows := await cursors.fetch(NUMBERS, size):
        pages.append(rows)
    assert [row for rows in pages for row in rows] == list(range(10))
    assert all(len(rows) == size for rows in pages[:-1])
    assert await cursors.fetch_one(NUMBERS) is None


async def test_fetches_of_each_kind_go_on_where_the_last_one_stopped():
    database = Database(page=4)
    assert await database.cursors.fetch_one(NUMBERS) == 0
    assert await database.cursors.fetch(NUMBERS, 2) == [1, 2]
    assert await database.cursors.fetch(NUMBERS, None) == list(range(3, 10))
    assert (len(database.results), len(database.cursors)) == (1, 1)


async def test_tasks_share_the_rows():
    database = Database(count=100)
    pages = await asyncio.gather(*(database.cursors.fetch(NUMBERS, 7) for _ in range(20)))
    assert sorted(row for rows in pages for row in rows) == list(range(100))
    assert len(database.results) == 1


async def test_a_cancelled_fetch_loses_no_row():
    gate = asyncio.Event()
    cursors = Database(gate=gate, page=2).cursors
    work = asyncio.ensure_future(cursors.fetch(NUMBERS, 5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    gate.set()
    assert await cursors.fetch(NUMBERS, None) == list(range(10))


async def test_a_statement_that_failed_is_executed_again():
    database = Database()
    database.failures = 1
    with pytest.raises(ValueError, match="refused"):
        await database.cursors.fetch(NUMBERS, 1)
    assert len(database.cursors) == 0
    assert await database.cursors.fetch_one(NUMBERS) == 0


async def test_a_reset_closes_and_executes_again():
    database = Database()
    await database.cursors.fetch(NUMBERS, 3)
    await database.cursors.reset()
    assert database.results[0].is_closed
    assert await database.cursors.fetch_one(NUMBERS) == 0
    assert len(database.results) == 2


async def test_a_reset_closes_all_and_raises_the_first_error():
    database = Database()
    for number in range(3):
        await database.cursors.fetch(Statement(f"SELECT {number}"), 1)

    async def fail():
        raise OSError("lost")

    database.results[0].close = fail
    with pytest.raises(OSError, match="lost"):
        await database.cursors.reset()
    assert [rows.is_closed for rows in database.results] == [False, True, True]
    assert len(database.cursors) == 0
