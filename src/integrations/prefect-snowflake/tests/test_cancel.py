"""A query ends with the run that waits for it: cancelled by its ID, tagged, and named in the logs."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow, task

from prefect_integration_kit.waiting import poll
from prefect_snowflake import SnowflakeConnector, SnowflakeQueryCancelled, SnowflakeQueryTimeout
from prefect_snowflake.database import snowflake_multiquery, snowflake_query, snowflake_query_async

SLOW = "CALL SYSTEM$WAIT(600)"


def cancelled_query(server: Any) -> Any:
    """The slow query, once it is cancelled."""

    def look() -> Any:
        return next((query for query in server.queries_like(SLOW) if query.was_cancelled), None)

    return poll(look, subject="The cancellation", interval_seconds=0.01, timeout_seconds=60)


def interrupt_once(has_come: Callable[[], Any]) -> threading.Thread:
    """Send Ctrl-C to this process when the moment has come."""

    def work() -> None:
        poll(lambda: has_come() or None, subject="The moment", interval_seconds=0.01, timeout_seconds=60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("name", ["execute", "fetch_one", "fetch_all"])
def test_ctrl_c_cancels_the_query_by_its_id(
    snowflake_server: Any, connector: SnowflakeConnector, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    connector.fetch_one("SELECT 1")
    caplog.set_level("INFO")
    caplog.clear()
    # Not as soon as it is held: on a busy machine the answer with the ID may take longer than is waited for it then.
    thread = interrupt_once(lambda: snowflake_server.held.is_set() and "Started query" in caplog.text)
    with pytest.raises(KeyboardInterrupt):
        getattr(connector, name)(SLOW)
    thread.join()
    assert cancelled_query(snowflake_server).cancelled_by == "id"
    assert connector.fetch_one("SELECT 2") == (2,)


def test_ctrl_c_while_the_statement_starts_cancels_the_query(
    snowflake_server: Any, connector: SnowflakeConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector.fetch_one("SELECT 1")
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "snowflake-statement":
            assert snowflake_server.held.wait(60)
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        connector.execute(SLOW)
    assert cancelled_query(snowflake_server).was_cancelled


@pytest.mark.parametrize("name", ["execute_async", "fetch_one_async", "fetch_many_async", "fetch_all_async"])
async def test_a_cancelled_coroutine_cancels_the_query(
    snowflake_server: Any, connector: SnowflakeConnector, name: str
) -> None:
    work = asyncio.ensure_future(getattr(connector, name)(SLOW))
    assert await asyncio.to_thread(snowflake_server.held.wait, 60)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert cancelled_query(snowflake_server).cancelled_by == "id"


def test_a_statement_that_blocks_is_cancelled_by_its_request(
    snowflake_server: Any, connector: SnowflakeConnector
) -> None:
    connector.fetch_one("SELECT 1")
    thread = interrupt_once(snowflake_server.held.is_set)
    with pytest.raises(KeyboardInterrupt):
        connector.execute(f"SELECT 1; {SLOW}", num_statements=0)
    thread.join()
    assert cancelled_query(snowflake_server).cancelled_by == "request"


def test_a_timeout_cancels_the_query(snowflake_server: Any, connector: SnowflakeConnector) -> None:
    with pytest.raises(SnowflakeQueryTimeout, match=r"Query [0-9a-f-]{36}: .*within its timeout.*larger `timeout`"):
        connector.fetch_all(SLOW, timeout=0.2)
    assert cancelled_query(snowflake_server).cancelled_by == "id"


def test_a_task_that_times_out_cancels_the_query(
    snowflake_server: Any, connector: SnowflakeConnector, prefect_harness: None
) -> None:
    @flow
    def slow() -> None:
        snowflake_query.with_options(timeout_seconds=1)(SLOW, connector)

    with pytest.raises(TimeoutError):
        slow()
    assert cancelled_query(snowflake_server).cancelled_by == "id"


async def test_an_async_flow_that_times_out_cancels_the_query(
    snowflake_server: Any, connector: SnowflakeConnector, prefect_harness: None
) -> None:
    @flow(timeout_seconds=2)
    async def slow() -> None:
        await snowflake_query_async(SLOW, connector)

    with pytest.raises(TimeoutError):
        await slow()
    assert cancelled_query(snowflake_server).cancelled_by == "id"


def test_a_query_that_somebody_cancels_is_told(snowflake_server: Any, connector: SnowflakeConnector) -> None:
    def cancel() -> None:
        assert snowflake_server.held.wait(60)
        query = snowflake_server.queries_like(SLOW)[0]
        other = connector.open_connection()
        other.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY('{query.query_id}')")
        other.close()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(SnowflakeQueryCancelled, match=r"Query [0-9a-f-]{36}: .*SQL execution canceled"):
        connector.fetch_all(SLOW)
    thread.join()


def test_a_query_that_ends_is_not_cancelled(snowflake_server: Any, connector: SnowflakeConnector) -> None:
    connector.fetch_all("SELECT 1")
    connector.close()
    assert not any(query.was_cancelled for query in snowflake_server.queries)


def test_queries_are_tagged_with_their_run(
    snowflake_server: Any, connector: SnowflakeConnector, prefect_harness: None
) -> None:
    seen: dict[str, str] = {}

    @task
    def in_a_task() -> None:
        from prefect.runtime import task_run

        seen["task"] = str(task_run.id)
        connector.fetch_one("SELECT 'in a task'")

    @flow
    def tagged() -> None:
        from prefect.runtime import flow_run

        seen["flow"] = str(flow_run.id)
        connector.execute_many("SELECT %(n)s, 'in a flow'", [{"n": 1}])
        in_a_task()
        snowflake_query("SELECT 'by task'", connector)

    tagged()
    by_flow, in_task, by_task = (
        json.loads(snowflake_server.queries_like(text)[0].tag) for text in ("in a flow", "in a task", "by task")
    )
    assert by_flow == {"prefect_flow_run_id": seen["flow"], "prefect_flow": "tagged"}
    assert (in_task["prefect_flow_run_id"], in_task["prefect_task_run_id"]) == (seen["flow"], seen["task"])
    assert (by_task["prefect_flow_run_id"], by_task["prefect_task"]) == (seen["flow"], "snowflake_query")


def test_a_tag_of_the_users_own_is_kept(
    snowflake_server: Any, connector: SnowflakeConnector, prefect_harness: None
) -> None:
    @flow
    def tagged() -> None:
        connector.fetch_one("SELECT 'mine'", _statement_params={"QUERY_TAG": "mine"})

    tagged()
    assert snowflake_server.queries_like("mine")[0].tag == "mine"


def test_tags_can_be_switched_off(
    snowflake_server: Any, connector: SnowflakeConnector, prefect_harness: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_SNOWFLAKE_QUERY_TAG_ENABLED", "false")
    flow(lambda: connector.fetch_one("SELECT 'untagged'"), name="untagged")()
    assert snowflake_server.queries_like("untagged")[0].tag is None


def test_id_and_address_are_logged_when_the_query_starts(
    snowflake_server: Any, connector: SnowflakeConnector, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), pytest.raises(SnowflakeQueryTimeout):
        connector.fetch_all(SLOW, timeout=0.1)
    query_id = snowflake_server.queries_like(SLOW)[0].query_id
    start = next(record for record in caplog.records if "Started query" in record.getMessage())
    assert query_id in start.getMessage()
    assert f"https://app.snowflake.com/fakesnow/#/compute/history/queries/{query_id}/detail" in start.getMessage()
    assert any("Cancelled query" in record.getMessage() for record in caplog.records)


def test_a_query_that_cannot_be_cancelled_is_told_and_does_not_hide_the_reason(
    snowflake_server: Any, connector: SnowflakeConnector, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PREFECT_INTEGRATIONS_SNOWFLAKE_CANCEL_TIMEOUT_SECONDS", "0.3")
    snowflake_server.fail("/abort-request", times=100)
    with pytest.raises(SnowflakeQueryTimeout):
        connector.fetch_all(SLOW, timeout=0.1)
    assert "could not be cancelled" in caplog.text
    snowflake_server.reset()


def test_short_queries_do_not_wait_for_the_poll_frequency(connector: SnowflakeConnector) -> None:
    connector.fetch_one("SELECT 1")
    slow = connector.model_copy(update={"poll_frequency_s": 60})
    start = time.monotonic()
    slow.fetch_one("SELECT 1")
    slow.close()
    assert time.monotonic() - start < 30


def test_a_multiquery_is_cancelled_and_rolled_back(
    snowflake_server: Any, connector: SnowflakeConnector, prefect_harness: None
) -> None:
    @flow
    def slow() -> None:
        task = snowflake_multiquery.with_options(timeout_seconds=1)
        task(["SELECT 1", SLOW], connector, as_transaction=True)

    with pytest.raises(TimeoutError):
        slow()
    cancelled_query(snowflake_server)
    poll(
        lambda: snowflake_server.queries_like("ROLLBACK") or None,
        subject="The roll back",
        interval_seconds=0.01,
        timeout_seconds=10,
    )
