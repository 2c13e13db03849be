"""A warehouse whose connection is somebody else's: of a subclass with its own `get_connection`, or of a test."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from google.api_core.exceptions import BadRequest

from prefect_gcp import BigQueryWarehouse, GcpCredentials


class _Credentials(GcpCredentials):
    _block_type_name = "Credentials Of Own Connections"

    client: Any = None

    def get_bigquery_client(self, project: str | None = None, location: str | None = None) -> Any:
        del project, location
        return self.client


class OwnWarehouse(BigQueryWarehouse):
    """A warehouse whose connection is one of SQLite, as its tests want it."""

    _block_type_name = "Own Warehouse"

    path: str

    def get_connection(self) -> Any:
        return sqlite3.connect(self.path, check_same_thread=False)


async def test_a_connection_of_a_subclass_executes_and_is_fetched_from(tmp_path: Path) -> None:
    with OwnWarehouse(gcp_credentials=_Credentials(project="p"), path=str(tmp_path / "db"), fetch_size=2) as warehouse:
        await warehouse.aexecute("CREATE TABLE t (i INTEGER, s TEXT)")
        warehouse.execute_many("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b")], _sync=True)  # pyright: ignore[reportCallIssue, reportArgumentType]
        await warehouse.aexecute_many("INSERT INTO t VALUES (:i, :s)", [{"i": 3, "s": "c"}, {"i": 4, "s": "d"}])
        warehouse.get_connection().close()
        select = "SELECT i FROM t WHERE i > :least ORDER BY i"
        assert warehouse.fetch_one(select, {"least": 0}, _sync=True) == (1,)
        assert await warehouse.afetch_many(select, {"least": 0}) == [(2,), (3,)]
        assert await warehouse.afetch_all(select, {"least": 0}) == [(4,)]
        assert await warehouse.afetch_one(select, {"least": 0}) is None
        warehouse.reset_cursors()
        assert warehouse.fetch_one(select, {"least": 0}, _sync=True) == (1,)


def test_a_mock_of_the_connection_is_fetched_from(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = MagicMock()
    cursor = connection.cursor.return_value
    cursor.fetchmany.side_effect = lambda size: [(i,) for i in range(size)]
    monkeypatch.setattr(BigQueryWarehouse, "get_connection", lambda _: connection)
    with BigQueryWarehouse(gcp_credentials=_Credentials(project="p"), fetch_size=3) as warehouse:
        assert warehouse.fetch_many("SELECT 1", {"a": 1}) == [(0,), (1,), (2,)]
        assert warehouse.fetch_many("SELECT 1", {"a": 1}, size=1) == [(0,)]
        cursor.execute.assert_called_once_with("SELECT 1", {"a": 1})
    connection.close.assert_called_once_with()


def test_a_connection_that_a_test_has_put_in_is_fetched_from() -> None:
    connection = MagicMock()
    connection.cursor.return_value.fetchall.return_value = [(1,)]
    warehouse: Any = BigQueryWarehouse(gcp_credentials=_Credentials(project="p"))
    warehouse._connection = connection
    assert warehouse.fetch_all("SELECT 1") == [(1,)]
    warehouse.close()
    connection.close.assert_called_once_with()


def test_a_job_of_a_stand_in_that_fails_by_its_result_fails_the_statement() -> None:
    client = MagicMock()
    client.query.return_value.result.side_effect = BadRequest("no such column")
    with pytest.raises(BadRequest, match="no such column"):
        BigQueryWarehouse(gcp_credentials=_Credentials(project="p", client=client)).execute("UPDATE t SET x = 1")
