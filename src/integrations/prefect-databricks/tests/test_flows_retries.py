"""What a retry by Prefect finds of the attempts before: nothing runs twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task

from prefect_databricks._runs import resuming
from prefect_databricks._runs.starting import Start
from prefect_databricks._runs.waiting import Patience
from prefect_databricks.flows import (
    DatabricksJobRunTimedOut,
    DatabricksJobTerminated,
    jobs_runs_submit_and_wait_for_completion,
    jobs_runs_submit_by_id_and_wait_for_completion,
)
from prefect_databricks.jobs import jobs_runs_submit
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.databricks import TaskPlay

if TYPE_CHECKING:
    from prefect_databricks import DatabricksCredentials
    from prefect_integration_tests.backends.databricks import Databricks
    from prefect_integration_tests.clock import FakeClock

pytestmark = pytest.mark.usefixtures("prefect_harness")

submit = jobs_runs_submit_and_wait_for_completion
by_id = jobs_runs_submit_by_id_and_wait_for_completion


def notebook(key: str, *needed: str) -> dict[str, Any]:
    """A task that runs a notebook after others."""
    depends_on = [{"task_key": each} for each in needed]
    return {"task_key": key, "depends_on": depends_on, "notebook_task": {"notebook_path": "/Shared/etl"}}


FAILED = TaskPlay(result="FAILED", error="boom")


async def test_a_retry_after_a_run_that_failed_starts_a_new_one(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", FAILED, FAILED)
    await submit.with_options(retries=2)(credentials, tasks=[notebook("a")])
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["FAILED", "FAILED", "SUCCESS"]


async def test_repair_on_retry_runs_only_what_has_failed(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("b", FAILED, FAILED, TaskPlay(output="third"))
    run = submit.with_options(retries=2)
    outputs = await run(
        credentials, tasks=[notebook("a"), notebook("b", "a"), notebook("c", "b")], repair_on_retry=True
    )
    assert len(databricks.runs) == 1
    attempts = sorted((each["task_key"], each["attempt_number"]) for each in databricks.runs[0]["tasks"])
    assert attempts == [("a", 0), *(("b", number) for number in range(3)), *(("c", number) for number in range(3))]
    assert isinstance(outputs, dict)
    assert outputs["b"] == {"result": "third", "truncated": False}
    assert "latest_repair_id" in databricks.calls_of("RepairRun")[1].body


async def test_a_repair_whose_answer_is_lost_is_made_once(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.script("a", FAILED, TaskPlay(seconds=30))
    databricks.fail("RepairRun", when="lost")
    await submit.with_options(retries=1)(credentials, tasks=[notebook("a")], repair_on_retry=True)
    assert [len(run["tasks"]) for run in databricks.runs] == [2]


async def test_a_run_that_cannot_be_repaired_is_run_anew(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", FAILED)
    databricks.fail("RepairRun", 400, message="Not this one.")
    await submit.with_options(retries=1)(credentials, tasks=[notebook("a")], repair_on_retry=True)
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["FAILED", "SUCCESS"]


@pytest.mark.parametrize("kind", ["flow", "task"])
def test_retries_of_the_caller_repair_too(
    kind: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("main", FAILED)
    job_id = databricks.add_job()

    def body() -> Any:
        return by_id(credentials, job_id=job_id, repair_on_retry=True)

    caller = flow(name="caller", retries=1)(body) if kind == "flow" else flow(task(name="caller", retries=1)(body))
    assert caller() == {"main": {"truncated": False}}
    assert [len(run["tasks"]) for run in databricks.runs] == [2]


def test_a_retry_takes_over_a_run_that_goes_on(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=1000)
    with_retries = submit.with_options(retries=1)

    @flow
    def outer() -> Any:
        return with_retries(credentials, tasks=[notebook("a")], stop_on_cancel=False, max_wait_seconds=600)

    assert outer() == {"a": {"truncated": False}}
    assert len(databricks.runs) == 1


def test_a_retry_takes_over_a_run_that_has_succeeded(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    attempts: list[int] = []

    @task(retries=1)
    def load() -> Any:
        result = submit(credentials, tasks=[notebook("a")])
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("after the run")
        return result

    @flow
    def outer() -> Any:
        return load()

    assert outer() == {"a": {"truncated": False}}
    assert len(databricks.runs) == 1


def test_a_retry_in_another_process_finds_the_run_by_its_token(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", FAILED)
    attempts: list[int] = []

    @task(retries=1)
    def load() -> Any:
        attempts.append(1)
        if len(attempts) == 2:  # as if another process had it: nothing is remembered, some time has passed
            resuming.forget()
            databricks.clock.advance(60)
        return submit(credentials, tasks=[notebook("a")], repair_on_retry=True)

    @flow
    def outer() -> Any:
        return load()

    assert outer() == {"a": {"truncated": False}}
    assert [len(run["tasks"]) for run in databricks.runs] == [2]


def test_the_same_call_twice_in_one_flow_is_two_runs_in_each_attempt(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", TaskPlay(output="1"), FAILED, TaskPlay(output="3"))

    @flow(retries=1)
    def outer() -> Any:
        return [submit(credentials, tasks=[notebook("a")]) for _ in range(2)]

    assert outer() == [{"a": {"result": "1", "truncated": False}}, {"a": {"result": "3", "truncated": False}}]
    assert len(databricks.runs) == 3


async def test_a_time_out_that_cancelled_the_run_is_retried_anew(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.script("a", TaskPlay(seconds=None))
    await submit.with_options(retries=1)(credentials, tasks=[notebook("a")], max_wait_seconds=30)
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["CANCELED", "SUCCESS"]


async def test_a_run_that_was_deleted_is_run_anew(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    databricks.script("a", FAILED)

    def delete_the_first(_: dict[str, Any]) -> None:
        first, *more = databricks.jobs_api.runs.values()
        if not more:
            first.is_deleted = True

    with pytest.raises(DatabricksJobTerminated):
        await submit(credentials, tasks=[notebook("a")])
    databricks.reset()
    databricks.script("a", FAILED)

    @flow(retries=1)
    async def outer() -> Any:
        try:
            return await submit(credentials, tasks=[notebook("a")])
        except DatabricksJobTerminated:
            delete_the_first({})
            raise

    assert await outer() == {"a": {"truncated": False}}


async def test_a_retry_that_is_cancelled_while_it_looks_leaves_no_run(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)

    async def post(token: str) -> dict[str, Any]:
        return await jobs_runs_submit.fn(credentials, tasks=[notebook("a")], idempotency_token=token)

    start = Start(credentials, post, {}, patience=Patience(900, 10))
    start._attempt = resuming.Attempt("prefect-key", is_retry=True)
    databricks.fail("GetRun", when="slow", delay_seconds=0.5)
    work = asyncio.create_task(start.run_id())

    async def look() -> bool | None:
        return bool(databricks.calls_of("GetRun")) or None

    await apoll(look, subject="A look", interval_seconds=0.02, timeout_seconds=20)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["CANCELED"]


async def test_with_a_token_of_ones_own_a_retry_gets_the_same_run(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", FAILED)
    with pytest.raises(DatabricksJobTerminated):
        await submit.with_options(retries=1)(credentials, tasks=[notebook("a")], idempotency_token="mine")
    assert len(databricks.runs) == 1
    databricks.script("a", FAILED)
    repairing = submit.with_options(retries=1)
    await repairing(credentials, tasks=[notebook("a")], idempotency_token="other", repair_on_retry=True)
    assert [len(run["tasks"]) for run in databricks.runs] == [1, 2]


async def test_a_timeout_is_a_timeout_for_prefect(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    with pytest.raises(DatabricksJobRunTimedOut):
        await submit(credentials, tasks=[notebook("a")], max_wait_seconds=5)
