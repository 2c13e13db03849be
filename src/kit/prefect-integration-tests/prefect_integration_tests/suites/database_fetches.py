"""What holds for fetching: each row is given once, whoever asks, and the end is the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.checks import assert_flat_memory
from prefect_integration_tests.faces import Call

from .database_base import ROWS, DatabaseBase, pages, plain

if TYPE_CHECKING:
    from collections.abc import Sequence


class DatabaseFetchSuite(DatabaseBase):
    """Checks `fetch_one`, `fetch_many`, `fetch_all` and the reset."""

    async def test_what_is_executed_is_fetched(self, database: Any, table: str, call: Call) -> None:
        """Rows come in the order of the query, and each is a sequence of its columns."""
        query = await self.filled(database, table, call)
        rows: list[Any] = await call(database, "fetch_all", query)
        assert type(rows) is list
        assert plain(rows) == ROWS
        assert [(row[0], row[1], len(row)) for row in rows] == [(number, name, 2) for number, name in ROWS]

    @pytest.mark.parametrize("sizes", [(1,), (3,), (7,), (100,), (2, 1, 3)], ids=str)
    async def test_pages_partition_the_result(
        self, sizes: Sequence[int], database: Any, table: str, call: Call
    ) -> None:
        """No row is missing and none comes twice, and a page is full unless it is the last."""
        query = await self.filled(database, table, call)
        found = await pages(database, query, call, sizes)
        assert [row for page in found for row in page] == ROWS
        full = [sizes[turn % len(sizes)] for turn in range(len(found))]
        assert [len(page) for page in found[:-1]] == full[:-1]
        assert len(found[-1]) <= full[-1]

    async def test_fetches_go_on_where_the_last_one_stopped(self, database: Any, table: str, call: Call) -> None:
        """`fetch_one`, `fetch_many` and `fetch_all` take from one result, in any order."""
        query = await self.filled(database, table, call)
        one = await call(database, "fetch_one", query)
        found = [tuple(one)]
        found += plain(await call(database, "fetch_many", query, size=2))
        found.append(tuple(await call(database, "fetch_one", query)))
        found += plain(await call(database, "fetch_all", query))
        assert found == ROWS

    async def test_the_faces_take_from_one_result(self, database: Any, table: str) -> None:
        """A fetch goes on where a fetch of the other face stopped."""
        query = await self.filled(database, table, self.first)
        found = plain(await self.last(database, "fetch_many", query, size=2))
        found += plain(await self.first(database, "fetch_many", query, size=3))
        found += plain(await self.last(database, "fetch_all", query))
        assert found == ROWS

    async def test_a_page_has_the_size_of_the_block(self, database: Any, table: str, call: Call) -> None:
        """Without a size, and with 0, a page has `fetch_size` rows."""
        query = await self.filled(database, table, call)
        assert database.fetch_size < len(ROWS) / 2, "The fixture's fetch_size leaves nothing to fetch."
        for given in ({}, {"size": None}, {"size": 0}):
            await self.reset(database, call)
            page = await call(database, "fetch_many", query, **given)
            assert plain(page) == ROWS[: database.fetch_size]

    async def test_a_negative_size_is_refused(self, database: Any, table: str, call: Call) -> None:
        """The error names the argument, and nothing is fetched."""
        query = await self.filled(database, table, call)
        with pytest.raises(ValueError, match="size"):
            await call(database, "fetch_many", query, size=-1)
        assert tuple(await call(database, "fetch_one", query)) == ROWS[0]

    async def test_other_parameters_are_another_result(self, database: Any, table: str, call: Call) -> None:
        """Statements take turns without disturbing each other; equal ones are one, however they are written."""
        await self.filled(database, table, call)
        query = f"SELECT id FROM {table} WHERE id > {self.named('low')} AND id < {self.named('high')} ORDER BY id"

        async def one(**parameters: int) -> int:
            return (await call(database, "fetch_one", query, parameters=parameters))[0]

        found = [await one(low=0, high=9), await one(low=3, high=9), await one(high=9, low=0), await one(low=3, high=9)]
        assert found == [1, 4, 2, 5]
        assert (await call(database, "fetch_one", self.select(table)))[0] == 1

    async def test_nothing_is_the_end(self, database: Any, table: str, call: Call) -> None:
        """A result without rows is no row, and an empty list."""
        await self.created(database, table, call)
        query = self.select(table)
        assert await call(database, "fetch_one", query) is None
        for name, given in (("fetch_many", {"size": 2}), ("fetch_all", {})):
            await self.reset(database, call)
            assert list(await call(database, name, query, **given)) == []

    async def test_the_end_is_told_and_then_it_starts_again(self, database: Any, table: str, call: Call) -> None:
        """A loop over pages or rows ends. The same call behind it executes again, where `starts_again` says so."""
        query = await self.filled(database, table, call)
        assert [row for page in await pages(database, query, call, (4,)) for row in page] == ROWS
        await call(database, "execute", self.insert(table), parameters={"id": 8, "name": "late"})
        again = [row for page in await pages(database, query, call, (4,)) for row in page]
        assert again == ([*ROWS, (8, "late")] if self.starts_again else [])
        await self.reset(database, call)
        found: list[Any] = []
        while (row := await call(database, "fetch_one", query)) is not None:
            found.append(tuple(row))
            assert len(found) < 100
        assert found == [*ROWS, (8, "late")]

    async def test_a_reset_executes_again(self, database: Any, table: str, call: Call) -> None:
        """Behind it a fetch starts at the first row, and sees what was written since."""
        query = await self.filled(database, table, call)
        assert len(await call(database, "fetch_many", query, size=3)) == 3
        await self.reset(database, call)
        await call(database, "execute", self.insert(table), parameters={"id": 0, "name": "first"})
        assert plain(await call(database, "fetch_many", query, size=2)) == [(0, "first"), ROWS[0]]
        await self.reset(database, call)
        await self.reset(database, call)
        assert plain(await call(database, "fetch_all", query)) == [(0, "first"), *ROWS]

    async def test_fetches_at_the_same_time_share_the_rows(self, database: Any, table: str, call: Call) -> None:
        """Threads, or tasks of a loop, that fetch the same get different rows, and all of them together."""
        query = await self.filled(database, table, call)
        count = len(ROWS)
        rows = await asyncio.gather(*(call(database, "fetch_one", query) for _ in range(count)))
        assert sorted(plain(rows)) == ROWS

    async def test_statements_at_the_same_time_do_not_mix(self, database: Any, table: str, call: Call) -> None:
        """Each gets the rows that it asked for."""
        await self.filled(database, table, call)
        query = f"SELECT id, name FROM {table} WHERE id = {self.named('id')}"
        wanted = [number for number, _ in ROWS] * 2
        found = await asyncio.gather(
            *(call(database, "fetch_all", f"{query} AND {turn} = {turn}", parameters={"id": number})
              for turn, number in enumerate(wanted))
        )  # fmt: skip
        assert [plain(rows) for rows in found] == [[ROWS[number - 1]] for number in wanted]

    async def test_memory_is_bounded(self, database: Any, call: Call) -> None:
        """Rule 8: some pages of a large result do not take the memory of all of it."""
        if self.many_rows is None:
            pytest.skip("`many_rows` names no statement with a large result.")
        query = self.many_rows
        # Imports and connections are not what we look at.
        assert await call(database, "fetch_one", query, **self.streaming) is not None
        await self.reset(database, call)

        async def read() -> None:
            for _ in range(5):
                assert len(await call(database, "fetch_many", query, size=100, **self.streaming)) == 100
            await self.reset(database, call)

        await assert_flat_memory(read, limit_bytes=self.many_rows_limit_bytes, what="Reading 500 rows")
