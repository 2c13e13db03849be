"""Jobs run once, whatever becomes of the line, and end with the task that waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest
from prefect import flow, task

from prefect_gcp.bigquery import (
    BigQueryWarehouse,
    abigquery_load_file,
    abigquery_query,
    bigquery_load_file,
    bigquery_query,
)
from prefect_gcp.errors import GcpInvalidRequest, GcpQuotaExceeded, GcpUnavailable
from prefect_integration_kit.waiting import apoll

if TYPE_CHECKING:
    from prefect_gcp import GcpCredentials
    from prefect_integration_tests.backends.bigquery import BigQueryCall, BigQueryFront, BigQueryServer
    from prefect_integration_tests.faces import Call

pytestmark = pytest.mark.usefixtures("fast")

LOAD_FILE = (bigquery_load_file.fn, abigquery_load_file.fn)
QUERY = (bigquery_query.fn, abigquery_query.fn)


@pytest.fixture
def counter(bigquery_server: BigQueryServer, bigquery_dataset: str) -> Callable[[], int]:
    """Tells how many rows were inserted into `counted`."""
    bigquery_server.rows(f"CREATE TABLE {bigquery_dataset}.counted (n INT64)")
    return lambda: bigquery_server.rows(f"SELECT COUNT(*) FROM {bigquery_dataset}.counted")[0][0]


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut"])
async def test_a_query_runs_once_however_its_request_ends(
    when: Any,
    call: Call,
    counter: Callable[[], int],
    fronted_bigquery: GcpCredentials,
    bigquery_front: BigQueryFront,
    bigquery_dataset: str,
) -> None:
    bigquery_front.fail("jobs.insert", when=when)
    await call(QUERY, f"INSERT INTO {bigquery_dataset}.counted VALUES (1)", fronted_bigquery)
    assert counter() == 1
    assert len({sent.job_id for sent in bigquery_front.calls_of("jobs.insert")}) == 1


@pytest.mark.parametrize("when", ["after", "lost"])
async def test_a_statement_of_the_block_runs_once_when_its_answer_is_lost(
    when: Any,
    call: Call,
    counter: Callable[[], int],
    fronted_bigquery: GcpCredentials,
    bigquery_front: BigQueryFront,
    bigquery_dataset: str,
) -> None:
    bigquery_front.fail("jobs.insert", when=when)
    warehouse = BigQueryWarehouse(gcp_credentials=fronted_bigquery)
    await call(warehouse, "execute", f"INSERT INTO {bigquery_dataset}.counted VALUES (%(n)s)", {"n": 1})
    assert counter() == 1


@pytest.mark.parametrize(("method", "size"), [("jobs.insert", 12), ("jobs.upload", None)], ids=["multipart", "chunks"])
async def test_a_file_is_loaded_once_when_the_answer_is_lost(
    method: str,
    size: int | None,
    call: Call,
    bigquery_server: BigQueryServer,
    fronted_bigquery: GcpCredentials,
    bigquery_front: BigQueryFront,
    bigquery_dataset: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n,s\n1,a\n2,b\n", encoding="utf-8")
    bigquery_front.fail(method, when="lost")
    job = await call(
        LOAD_FILE,
        bigquery_dataset,
        "loaded",
        path,
        fronted_bigquery,
        job_config={"source_format": "CSV"},
        size=size,
    )
    assert (job.state, job.output_rows) == ("DONE", 2)
    assert bigquery_server.rows(f"SELECT COUNT(*) FROM {bigquery_dataset}.loaded") == [(2,)]


@pytest.mark.usefixtures("prefect_harness")
async def test_the_second_call_of_a_task_is_a_job_of_its_own(
    counter: Callable[[], int], fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront, bigquery_dataset: str
) -> None:
    statement = f"INSERT INTO {bigquery_dataset}.counted VALUES (1)"
    ids: list[str] = []

    @task
    def insert_twice() -> None:
        from prefect.context import TaskRunContext

        context = TaskRunContext.get()
        assert context is not None
        ids.append(str(context.task_run.id))
        warehouse = BigQueryWarehouse(gcp_credentials=fronted_bigquery)
        warehouse.execute(statement)
        warehouse.execute(statement)

    @flow
    def inserts_twice() -> None:
        insert_twice()

    await asyncio.to_thread(inserts_twice)
    assert counter() == 2
    first, second = (sent.job_id for sent in bigquery_front.calls_of("jobs.insert"))
    assert first != second
    assert ids[0] in first


@pytest.mark.usefixtures("prefect_harness")
async def test_a_retry_of_a_task_runs_its_query_again(
    counter: Callable[[], int], fronted_bigquery: GcpCredentials, bigquery_dataset: str
) -> None:
    attempts: list[int] = []

    @task(retries=1)
    def insert_until_content() -> None:
        BigQueryWarehouse(gcp_credentials=fronted_bigquery).execute(
            f"INSERT INTO {bigquery_dataset}.counted VALUES (1)"
        )
        attempts.append(counter())
        if len(attempts) == 1:
            raise ValueError("not yet")

    @flow
    def inserts_until_content() -> None:
        insert_until_content()

    await asyncio.to_thread(inserts_until_content)
    assert attempts == [1, 2]


def fails_once(reason: str) -> Any:
    """The first job fails on BigQuery's side."""
    failed: list[str] = []

    def change(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any] | None:
        if failed and failed[0] != call.job_id:
            return None
        failed.append(call.job_id)
        error = {"reason": reason, "message": "An internal error occurred"}
        return {**answer, "status": {"state": "DONE", "errorResult": error, "errors": [error]}}

    return change


async def test_a_job_that_fails_on_bigquerys_side_is_started_again(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.change("jobs.insert", fails_once("backendError"))
    rows = await call(QUERY, "SELECT 1 AS n", fronted_bigquery)
    assert rows[0].n == 1
    assert len({sent.job_id for sent in bigquery_front.calls_of("jobs.insert")}) == 2


async def test_a_quota_that_is_used_up_is_said_at_once(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.fail("jobs.insert", status=403, reason="quotaExceeded", message="Quota exceeded: bytes per day")
    with pytest.raises(GcpQuotaExceeded, match="Quota exceeded: bytes per day"):
        await call(QUERY, "SELECT 1", fronted_bigquery)
    assert len(bigquery_front.calls_of("jobs.insert")) == 1


async def test_a_service_that_stays_away_is_said(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.fail("jobs.insert", status=503, times=1000)
    with pytest.raises(GcpUnavailable, match="BigQuery query prefect-"):
        await call(QUERY, "SELECT 1", fronted_bigquery)


async def test_a_wrong_query_is_an_error_of_ours_and_of_the_sdk(
    call: Call, bigquery_credentials: GcpCredentials
) -> None:
    with pytest.raises(BadRequest, match=r"BigQuery query prefect-.*Syntax error") as caught:
        await call(QUERY, "SELEC 1", bigquery_credentials)
    assert isinstance(caught.value, GcpInvalidRequest)


# cancellation


async def is_cancelled(front: BigQueryFront) -> None:
    async def look() -> bool | None:
        return bool(front.calls_of("jobs.cancel")) or None

    await apoll(look, subject="The cancellation", interval_seconds=0.02, timeout_seconds=20)
    (inserted,) = {sent.job_id for sent in front.calls_of("jobs.insert")}
    assert front.calls_of("jobs.cancel")[0].job_id == inserted


async def is_held(front: BigQueryFront) -> None:
    async def look() -> bool | None:
        return front.held.is_set() or None

    await apoll(look, subject="The job", interval_seconds=0.02, timeout_seconds=20)


async def test_a_cancelled_task_cancels_its_job(
    fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.hold_jobs()
    waiting = asyncio.ensure_future(abigquery_query.fn("SELECT 1", fronted_bigquery))
    await is_held(bigquery_front)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await is_cancelled(bigquery_front)


@pytest.mark.parametrize("method", ["afetch_all", "aexecute"])
async def test_a_cancelled_call_of_the_block_cancels_its_job(
    method: str, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.hold_jobs()
    warehouse = BigQueryWarehouse(gcp_credentials=fronted_bigquery)
    waiting = asyncio.ensure_future(getattr(warehouse, method)("SELECT 1"))
    await is_held(bigquery_front)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await is_cancelled(bigquery_front)


@pytest.mark.usefixtures("prefect_harness")
async def test_a_sync_task_that_is_out_of_time_cancels_its_job(
    fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.hold_jobs()
    hasty = bigquery_query.with_options(timeout_seconds=1.0)

    @flow
    def asks_hastily() -> str | None:
        return hasty("SELECT 1", fronted_bigquery, return_state=True).name

    assert await asyncio.to_thread(asks_hastily) == "TimedOut"
    await is_cancelled(bigquery_front)


@pytest.mark.usefixtures("prefect_harness")
async def test_an_async_task_that_is_out_of_time_cancels_its_job(
    fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    bigquery_front.hold_jobs()
    hasty = abigquery_query.with_options(timeout_seconds=1.0)

    @flow
    async def asks_hastily_and_awaits() -> str | None:
        return (await hasty("SELECT 1", fronted_bigquery, return_state=True)).name

    assert await asks_hastily_and_awaits() == "TimedOut"
    await is_cancelled(bigquery_front)


async def test_a_job_that_takes_its_time_is_waited_for(
    call: Call, fronted_bigquery: GcpCredentials, bigquery_front: BigQueryFront
) -> None:
    looks: list[int] = []

    def run_for_two_looks(call: BigQueryCall, answer: dict[str, Any]) -> dict[str, Any] | None:
        looks.append(1)
        return {**answer, "status": {"state": "RUNNING"}} if len(looks) < 3 else None

    for method in ("jobs.insert", "jobs.get"):
        bigquery_front.change(method, run_for_two_looks)
    assert (await call(QUERY, "SELECT 1 AS n", fronted_bigquery))[0].n == 1
    assert len(looks) == 3
