"""What becomes of runs, statements and other requests when the line to Databricks fails, or answers are spoilt."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials, DatabricksError, DatabricksUnavailable
from prefect_databricks.flows import jobs_runs_submit_and_wait_for_completion
from prefect_databricks.jobs import jobs_create
from prefect_databricks.sql import asql_statement
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.databricks import CLIENT_ID, CLIENT_SECRET, TOKEN, WAREHOUSE, Databricks
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import HttpEdge
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import HttpFaultSuite

TASKS: list[Any] = [{"task_key": "a", "notebook_task": {"notebook_path": "/Shared/etl"}}]
MAYBE_DONE = frozenset({"reset", "time-out", "500", "503", "truncated", "lost"})


class _Edged(HttpFaultSuite):
    error = DatabricksError
    secret = TOKEN

    @pytest.fixture
    def edge(
        self,
        databricks: Databricks,
        http_edge: Callable[..., HttpEdge],
        clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> HttpEdge:
        self.databricks = databricks
        self.prepare()
        monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_TIMEOUT_SECONDS", "0.8")
        monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_RETRY_SECONDS", "3")
        return http_edge(databricks.endpoint)

    def prepare(self) -> None: ...

    def credentials(self, edge: HttpEdge) -> DatabricksCredentials:
        return DatabricksCredentials(databricks_instance=edge.url, token=SecretStr(TOKEN))


class TestRuns(_Edged):
    """A run has a token by which Databricks knows a second request for the first."""

    named = "jobs/runs/submit|jobs_runs_submit"

    async def change(self, edge: HttpEdge, key: str) -> None:
        await jobs_runs_submit_and_wait_for_completion.fn(self.credentials(edge), run_name=key, tasks=TASKS)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(run["run_name"] == key for run in self.databricks.runs)


class TestRequests(_Edged):
    """What Databricks cannot tell from a second request is sent once, and it is said that it may have been done."""

    named = "(?i)job"
    unsure = MAYBE_DONE

    async def change(self, edge: HttpEdge, key: str) -> None:
        await jobs_create.fn(self.credentials(edge), name=key, tasks=TASKS)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(job["settings"]["name"] == key for job in self.databricks.jobs)


class TestWrites(_Edged):
    """A statement that writes is sent once; one that reads, again."""

    named = "sql/statements|SQL statement"
    unsure = MAYBE_DONE

    def prepare(self) -> None:
        pytest.importorskip("duckdb", reason="the local warehouse executes statements by it")
        self.databricks.sql.execute("CREATE OR REPLACE TABLE written (key VARCHAR)")

    async def change(self, edge: HttpEdge, key: str) -> None:
        await asql_statement.fn("INSERT INTO written VALUES (:key)", self.credentials(edge), WAREHOUSE, {"key": key})

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.databricks.sql.execute(f"SELECT count(*) FROM written WHERE key = '{key}'")[0][0]


class TestReads(TestWrites):
    unsure = frozenset()

    async def change(self, edge: HttpEdge, key: str) -> None:
        found = await asql_statement.fn("SELECT :key", self.credentials(edge), WAREHOUSE, {"key": key})
        assert found.rows == [(key,)]
        self.databricks.sql.execute(f"INSERT INTO written VALUES ('{key}')")  # so that it is counted


class TestLogin(_Edged):
    """A token of a service principal. One that is asked for twice does no harm."""

    error = DatabricksUnavailable
    named = f"No token for service principal {CLIENT_ID}"
    secret = CLIENT_SECRET

    def prepare(self) -> None:
        self.got: dict[str, str] = {}

    async def change(self, edge: HttpEdge, key: str) -> None:
        self.got[key] = await principal(edge.url).aget_token()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return int(self.got.get(key) in self.databricks.identity.issued)


@pytest.mark.parametrize("unsure", ["reset", "time-out", "truncated", "lost"])
async def test_what_may_have_been_done_is_said_to_be(
    unsure: Any, databricks: Databricks, http_edge: Callable[..., HttpEdge], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_TIMEOUT_SECONDS", "0.8")
    edge = http_edge(databricks.endpoint)
    credentials = DatabricksCredentials(databricks_instance=edge.url, token=SecretStr(TOKEN))
    with edge.fault(unsure), pytest.raises(DatabricksUnavailable, match="It may have been done: look before"):
        await jobs_create.fn(credentials, name="etl", tasks=TASKS)


@pytest.mark.parametrize("start", ["run", "statement", "login"])
async def test_a_host_that_no_resolver_knows_is_told(start: str, clock: FakeClock) -> None:
    with pytest.raises(
        DatabricksUnavailable, match=rf"{UNRESOLVABLE_HOST}.*Check (`databricks_instance`|the address)"
    ) as caught:
        await _start(start, f"https://{UNRESOLVABLE_HOST}")
    assert "may have" not in str(caught.value)  # it was never sent
    assert len(clock.sleeps) > 1
    assert sum(clock.sleeps) <= 60


@pytest.mark.parametrize("start", ["run", "statement", "login"])
async def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent(
    start: str,
    databricks: Databricks,
    private_ca: PrivateCA,
    http_edge: Callable[..., HttpEdge],
    clock: FakeClock,
) -> None:
    context: ssl.SSLContext = private_ca.issue("workspace", "127.0.0.1").server_context()
    edge = http_edge(databricks.endpoint, context=context)
    with pytest.raises(DatabricksError, match=r"certificate .* is not trusted.*`client_kwargs` as `verify`"):
        await _start(start, edge.url)
    assert (edge.calls, clock.sleeps) == ([], [])  # no other attempt would end otherwise


@pytest.mark.parametrize("start", ["run", "statement", "login"])
async def test_a_clock_that_jumps_does_not_matter(
    start: str,
    databricks: Databricks,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    databricks.fail("*", 429, retry_after="7", times=2)
    right, jumps = time.time, iter([86_400.0, -86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    await _start(start, databricks.endpoint)
    assert clock.sleeps[:2] == [7, 7]
    assert len(databricks.runs) + len(databricks.sql.statements) + len(databricks.identity.issued) == 1


def principal(address: str) -> DatabricksCredentials:
    return DatabricksCredentials(
        databricks_instance=address, client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET)
    )


async def _start(start: str, address: str) -> None:
    credentials = DatabricksCredentials(databricks_instance=address, token=SecretStr(TOKEN))
    if start == "login":
        await principal(address).aget_token()
    elif start == "run":
        await jobs_runs_submit_and_wait_for_completion.fn(credentials, tasks=TASKS)
    else:
        await asql_statement.fn("SELECT 1", credentials, WAREHOUSE)
