"""What holds for statements: values are bound, what succeeded is kept, what failed is told without a secret."""

from __future__ import annotations

import logging
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.faces import Call

from .database_base import HOSTILE, ROWS, DatabaseBase, plain

if TYPE_CHECKING:
    from prefect_integration_tests.leaks import LeakWatch


class DatabaseStatementSuite(DatabaseBase):
    """Checks `execute`, `execute_many`, parameters and errors."""

    async def test_a_missing_table_is_named(self, database: Any, table: str, call: Call) -> None:
        """The fixture keeps its promise, and the error says which table is missing."""
        for name, given in (("execute", {}), ("fetch_one", {}), ("fetch_many", {"size": 2}), ("fetch_all", {})):
            with pytest.raises(Exception, match=f"(?i){table}"):
                await call(database, name, f"SELECT id FROM {table}", **given)

    async def test_each_call_executes(self, database: Any, table: str, call: Call) -> None:
        """Unlike a fetch, `execute` executes the same statement as often as it is called."""
        await self.created(database, table, call)
        for _ in range(3):
            await call(database, "execute", self.insert(table), parameters={"id": 1, "name": "same"})
        assert plain(await call(database, "fetch_all", self.select(table))) == [(1, "same")] * 3

    async def test_each_set_of_parameters_executes_once(self, database: Any, table: str, call: Call) -> None:
        """`execute_many` executes once for each set, and not at all for none, which it may refuse."""
        await self.created(database, table, call)
        sets = [{"id": number, "name": name} for number, name in ROWS]
        await call(database, "execute_many", self.insert(table), seq_of_parameters=sets)
        if self.takes_no_sets:
            await call(database, "execute_many", self.insert(table), seq_of_parameters=[])
        else:
            with pytest.raises(ValueError, match="seq_of_parameters"):
                await call(database, "execute_many", self.insert(table), seq_of_parameters=[])
        assert plain(await call(database, "fetch_all", self.select(table))) == ROWS

    async def test_values_are_bound(self, database: Any, table: str, call: Call) -> None:
        """Rule 4: no value is taken for SQL or for a placeholder, in any method."""
        await self.created(database, table, call)
        wanted = [(number, value) for number, value in enumerate(HOSTILE) if self.binds_null or value is not None]
        sets = [{"id": number, "name": value} for number, value in wanted]
        await call(database, "execute", self.insert(table), parameters=sets[0])
        await call(database, "execute_many", self.insert(table), seq_of_parameters=sets[1:])
        assert plain(await call(database, "fetch_all", self.select(table))) == wanted
        query = f"SELECT id FROM {table} WHERE name = {self.named('name')}"
        for number, value in wanted:
            if value:
                assert tuple(await call(database, "fetch_one", query, parameters={"name": value})) == (number,)

    async def test_what_is_executed_is_kept(self, database: Any, table: str, call: Call) -> None:
        """A block with a connection of its own sees it at once."""
        query = await self.filled(database, table, call)
        await call(database, "execute", self.insert(table), parameters={"id": 8, "name": "eighth"})
        other = pickle.loads(pickle.dumps(database))
        assert plain(await call(other, "fetch_all", query)) == [*ROWS, (8, "eighth")]
        await self.close(other, call)

    async def test_a_write_that_gives_rows_is_kept(self, database: Any, table: str, call: Call) -> None:
        """An INSERT whose rows are fetched is as lasting as one that is executed."""
        if self.returning is None:
            pytest.skip("`returning` says that the database has no such thing.")
        await self.created(database, table, call)
        statement = f"{self.insert(table)} {self.returning}"
        assert tuple(await call(database, "fetch_one", statement, parameters={"id": 5, "name": "five"})) == (5,)
        rows = await call(database, "fetch_all", statement, parameters={"id": 6, "name": "six"})
        assert plain(rows) == [(6,)]
        await self.close(database, call)
        other = pickle.loads(pickle.dumps(database))
        assert plain(await call(other, "fetch_all", self.select(table))) == [(5, "five"), (6, "six")]
        await self.close(other, call)

    async def test_a_failure_leaves_nothing_behind(self, database: Any, table: str, call: Call) -> None:
        """A block works on after a statement that failed, with the fetches that it had under way."""
        query = await self.filled(database, table, call)
        assert plain(await call(database, "fetch_many", query, size=2)) == ROWS[:2]
        for name in ("execute", "fetch_all"):
            with pytest.raises(Exception, match=r"(?s).+"):
                await call(database, name, f"SELEC id FROM {table}")
        assert plain(await call(database, "fetch_many", query, size=2)) == ROWS[2:4]
        if not self.writes_while_fetching:
            await self.reset(database, call)
        await call(database, "execute", self.insert(table), parameters={"id": 8, "name": "after"})
        assert await self.count(database, table, call) == len(ROWS) + 1

    async def test_sets_of_parameters_are_kept_together(self, database: Any, table: str, call: Call) -> None:
        """One set that is refused is an error of the whole, and none of it is kept if `atomic_execute_many`."""
        await self.created(database, table, call)
        sets = [{"id": 1, "name": "good"}, {"id": 2, "name": "good"}, {"id": None, "name": "bad"}]
        with pytest.raises(Exception, match=r"(?s).+"):
            await call(database, "execute_many", self.insert(table), seq_of_parameters=sets)
        kept = await self.count(database, table, call)
        assert kept == 0 if self.atomic_execute_many else kept <= 2

    async def test_a_statement_without_its_value_is_an_error(self, database: Any, table: str, call: Call) -> None:
        """It names the parameter, and nothing is executed."""
        await self.created(database, table, call)
        with pytest.raises(Exception, match="name"):
            await call(database, "execute", self.insert(table), parameters={"id": 1})
        assert await self.count(database, table, call) == 0

    async def test_secrets_are_not_said(
        self, database: Any, table: str, call: Call, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: neither the block nor what it logs nor how it fails shows a secret of the block."""
        query = await self.filled(database, table, call)
        await call(database, "fetch_all", query)
        no_canary_leaks.add("repr or str", f"{database!r} {database} {database:}")
        no_canary_leaks.add("model_dump_json", database.model_dump_json())
        with pytest.raises(Exception, match=r"(?s).+") as caught:
            await call(database, "execute", f"SELECT id FROM {table}_missing")
        no_canary_leaks.add_error(caught.value)
        no_canary_leaks.check()

    async def test_values_are_not_said(
        self,
        database: Any,
        table: str,
        call: Call,
        canary: str,
        no_canary_leaks: LeakWatch,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Rule 3: values go to the database, and into no log and no error about the statement."""
        for name in self.telling_loggers:
            monkeypatch.setattr(logging.getLogger(name), "disabled", True)
        await self.created(database, table, call)
        await call(database, "execute", self.insert(table), parameters={"id": 1, "name": canary})
        query = f"SELECT id FROM {{}} WHERE name = {self.named('name')}"
        assert await call(database, "fetch_one", query.format(table), parameters={"name": canary}) is not None
        sets = [{"id": 2, "name": canary}, {"id": 3, "name": canary}]
        missing = f"{table}_missing"
        for name, statement, given in (
            ("execute", self.insert(missing), {"parameters": sets[0]}),
            ("execute_many", self.insert(missing), {"seq_of_parameters": sets}),
            ("fetch_all", query.format(missing), {"parameters": {"name": canary}}),
        ):
            with pytest.raises(Exception, match=f"(?i){missing}") as caught:
                await call(database, name, statement, **given)
            no_canary_leaks.add_error(caught.value)
        no_canary_leaks.check()

    async def test_a_server_that_refuses_is_named(
        self, refused_database: Any, call: Call, no_canary_leaks: LeakWatch
    ) -> None:
        """It is an error soon, which names the server and survives pickling, and says nothing of the secret."""
        if refused_database is None:
            pytest.skip("`refused_database` gives no block that is refused.")
        start = time.monotonic()
        for name in ("execute", "fetch_all"):
            with pytest.raises(Exception, match=r"(?s).+") as caught:
                await call(refused_database, name, "SELECT 1")
            no_canary_leaks.add_error(caught.value)
            missing = [text for text in self.names_of_refused(refused_database) if text not in str(caught.value)]
            assert not missing, f"{type(caught.value).__name__} does not name {missing}: {caught.value}"
            again = pickle.loads(pickle.dumps(caught.value))
            assert str(again) == str(caught.value)
        taken = time.monotonic() - start
        assert taken <= self.refused_seconds, f"It took {taken:.0f} seconds."
        await self.close(refused_database, call)
        no_canary_leaks.check()
