"""What holds for the block itself: it opens, closes, travels, and works inside of flows and outside."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from typing import TYPE_CHECKING, Any, cast

import cloudpickle
import pytest
from prefect import flow, task

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.blocks import plain_values
from prefect_integration_tests.checks import assert_loop_is_free
from prefect_integration_tests.faces import Call, Face, async_face

from .database_base import ROWS, DatabaseBase, plain

if TYPE_CHECKING:
    from collections.abc import Callable


class DatabaseLifetimeSuite(DatabaseBase):
    """Checks `close`, context managers, copies, flows and the event loop."""

    async def _assert_nothing_is_open(self, database: Any) -> None:
        """The server may see a moment later that a connection is gone."""
        if self.open_connections(database) is None:
            return

        async def look() -> bool | None:
            return None if await asyncio.to_thread(self.open_connections, database) else True

        subject = "The end of all connections"
        await apoll(look, subject=subject, interval_seconds=0.02, timeout_seconds=self.closed_seconds)

    async def test_close_can_be_called_again(self, database: Any, table: str, call: Call) -> None:
        """Of a block that was not used, of one with a fetch under way, and of one that is closed."""
        await self.close(database, call)
        if self.reopens:
            query = await self.filled(database, table, call)
            assert plain(await call(database, "fetch_many", query, size=2)) == ROWS[:2]
            await self.close(database, call)
        await self.close(database, call)
        await self._assert_nothing_is_open(database)

    async def test_a_closed_block_starts_anew_or_says_so(self, database: Any, table: str, call: Call) -> None:
        """It works again from the first row, or the error says that it is closed."""
        query = await self.filled(database, table, call)
        assert plain(await call(database, "fetch_many", query, size=2)) == ROWS[:2]
        await self.close(database, call)
        if self.reopens:
            assert plain(await call(database, "fetch_all", query)) == ROWS
            await self.close(database, call)
            return
        with pytest.raises(Exception, match="closed"):
            await call(database, "fetch_all", query)

    async def test_leaving_the_context_closes(self, database: Any, table: str, context: Face) -> None:
        """The block is what `as` names, it works inside, and nothing is open afterwards."""
        call = Call(context)

        async def inside(entered: Any) -> None:
            assert entered is database
            query = await self.filled(database, table, call)
            assert plain(await call(database, "fetch_many", query, size=2)) == ROWS[:2]

        await _in_context(database, context, inside)
        await self._assert_nothing_is_open(database)

    async def test_leaving_the_context_does_not_hide_an_error(self, database: Any, table: str, context: Face) -> None:
        """An error leaves the context as it is, with everything closed."""
        call = Call(context)

        class Ours(Exception):
            pass

        async def inside(entered: Any) -> None:
            query = await self.filled(entered, table, call)
            await call(entered, "fetch_one", query)
            raise Ours

        with pytest.raises(Ours):
            await _in_context(database, context, inside)
        await self._assert_nothing_is_open(database)

    async def test_nothing_stays_open_without_a_context(self, database: Any, table: str, call: Call) -> None:
        """What was executed, or fetched to its end, or failed, holds no connection that others wait for."""
        query = await self.filled(database, table, call)
        for _ in range(30):  # more than any pool has
            await call(database, "fetch_all", query)
            await self.reset(database, call)
            with pytest.raises(Exception, match=f"(?i){table}_missing"):
                await call(database, "execute", f"SELECT id FROM {table}_missing")
        await self.close(database, call)
        await self._assert_nothing_is_open(database)

    async def test_copies_have_results_of_their_own(self, database: Any, table: str, call: Call) -> None:
        """A block that is in use can go to another process, with its values and without its connection."""
        query = await self.filled(database, table, call)
        assert plain(await call(database, "fetch_many", query, size=2)) == ROWS[:2]
        makers: list[Callable[[Any], Any]] = [
            lambda block: pickle.loads(pickle.dumps(block)),
            lambda block: pickle.loads(cast("Any", cloudpickle).dumps(block)),
            copy.deepcopy,
            copy.copy,
            lambda block: block.model_copy(),
        ]
        for maker in makers:
            other = maker(database)
            assert plain_values(other) == plain_values(database)
            assert plain(await call(other, "fetch_many", query, size=3)) == ROWS[:3]
            await self.close(other, call)
        assert plain(await call(database, "fetch_all", query)) == ROWS[2:]

    async def test_it_works_in_a_flow_and_its_tasks(
        self, database: Any, table: str, call: Call, prefect_harness: None
    ) -> None:
        """In a sync flow by the sync face, in an async flow by the async one."""
        insert, query = self.insert(table), self.select(table)
        await self.created(database, table, call)
        sets = [{"id": number, "name": name} for number, name in ROWS]

        if call.is_async:

            @task
            async def afill() -> None:
                await async_face(database, "execute")(insert, parameters=sets[0])
                await async_face(database, "execute_many")(insert, seq_of_parameters=sets[1:])

            @flow(name="reads")
            async def aread() -> list[Any]:
                await afill()
                one = await async_face(database, "fetch_one")(query)
                page = await async_face(database, "fetch_many")(query, size=2)
                return plain([one, *page, *(await async_face(database, "fetch_all")(query))])

            assert await aread() == ROWS
            return

        @task
        def fill() -> None:
            database.execute(insert, parameters=sets[0])
            database.execute_many(insert, seq_of_parameters=sets[1:])

        @flow(name="reads")
        def read() -> list[Any]:
            fill()
            one = database.fetch_one(query)
            return plain([one, *database.fetch_many(query, size=2), *database.fetch_all(query)])

        assert await asyncio.to_thread(read) == ROWS

    async def test_names_on_a_loop_do_what_the_block_says(
        self, database: Any, table: str, prefect_harness: None
    ) -> None:
        """Rule 2: in an async flow the plain name gives something to await, if `awaitable_on_a_loop`, or its result."""
        query = await self.filled(database, table, self.last)

        async def settled(value: Any) -> Any:
            assert inspect.isawaitable(value) == self.awaitable_on_a_loop
            return await value if inspect.isawaitable(value) else value

        @flow(name="awaits")
        async def read() -> list[Any]:
            await settled(database.execute(self.insert(table), parameters={"id": 8, "name": "eighth"}))
            found = [await settled(database.fetch_one(query)), *(await settled(database.fetch_many(query, size=2)))]
            return plain([*found, *(await settled(database.fetch_all(query)))])

        assert await read() == [*ROWS, (8, "eighth")]

    async def test_the_event_loop_is_free_meanwhile(self, database: Any, table: str) -> None:
        """Rule 8: the async face does its work elsewhere."""
        if "async" not in self.faces:
            pytest.skip("The block has no async face.")
        call = Call("async")
        query = await self.filled(database, table, call)

        async def work() -> None:
            await call(database, "execute", self.insert(table), parameters={"id": 9, "name": "nine"})
            await call(database, "fetch_all", query)
            await self.reset(database, call)

        await work()  # the first use imports the SDK, which holds the interpreter
        await assert_loop_is_free(work)


async def _in_context(database: Any, face: Face, inside: Callable[[Any], Any]) -> None:
    """Use the block as a context manager, from the kind of thread that has such a one."""
    if face == "async":
        async with database as entered:
            await inside(entered)
        return
    loop = asyncio.get_running_loop()

    def body() -> None:
        with database as entered:
            asyncio.run_coroutine_threadsafe(inside(entered), loop).result(timeout=60)

    await asyncio.to_thread(body)
