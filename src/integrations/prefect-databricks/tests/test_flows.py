"""The three flows: what they start, return and raise."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from pydantic import SecretStr

from prefect_databricks.flows import (
    TERMINAL_STATUS_CODES,
    DatabricksJobInternalError,
    DatabricksJobSkipped,
    DatabricksJobTerminated,
    jobs_runs_submit_and_wait_for_completion,
    jobs_runs_submit_by_id_and_wait_for_completion,
    jobs_runs_wait_for_completion,
)
from prefect_databricks.models.jobs import JobTaskSettings, NotebookTask, RunSubmitTaskSettings, TaskDependency
from prefect_integration_tests.backends.databricks import TaskPlay

if TYPE_CHECKING:
    from prefect_databricks import DatabricksCredentials
    from prefect_integration_tests.backends.databricks import Databricks
    from prefect_integration_tests.clock import FakeClock

pytestmark = pytest.mark.usefixtures("prefect_harness")

submit = jobs_runs_submit_and_wait_for_completion
by_id = jobs_runs_submit_by_id_and_wait_for_completion
# `submit.fn` is used where Prefect's engine has no part in what is tested: a run of a flow takes it half a second.


def notebook(key: str, *needed: str, **fields: Any) -> dict[str, Any]:
    """A task that runs a notebook after others."""
    depends_on = [{"task_key": each} for each in needed]
    return {"task_key": key, "depends_on": depends_on, "notebook_task": {"notebook_path": "/Shared/etl"}, **fields}


# What is returned


async def test_outputs_of_notebooks_are_returned_by_task_key(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", TaskPlay(output="42"))
    script = {"task_key": "b", "spark_python_task": {"python_file": "dbfs:/b.py"}}
    assert await submit.fn(credentials, tasks=[notebook("a"), script]) == {
        "a": {"result": "42", "truncated": False},
        "b": {},
    }


async def test_metadata_are_returned_on_request(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    result = await submit.fn(credentials, tasks=[notebook("a")], run_name="nightly", return_metadata=True)
    assert isinstance(result, tuple)
    outputs, metadata = result
    assert outputs == {"a": {"truncated": False}}
    assert metadata["run_name"] == "nightly"
    assert metadata["state"]["life_cycle_state"] in TERMINAL_STATUS_CODES
    assert [each["task_key"] for each in metadata["tasks"]] == ["a"]


@pytest.mark.parametrize("kind", [JobTaskSettings, RunSubmitTaskSettings, dict], ids=lambda kind: kind.__name__)
async def test_tasks_are_models_or_dictionaries(
    kind: Callable[..., Any], databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    path = NotebookTask(notebook_path="/Shared/etl", base_parameters={"day": "1"})
    given = kind(task_key="a", notebook_task=path, a_field_of_tomorrow=7)
    await submit(credentials, tasks=[given])
    sent = databricks.calls_of("SubmitRun")[0].body["tasks"][0]
    assert sent == {
        "task_key": "a",
        "notebook_task": {"notebook_path": "/Shared/etl", "base_parameters": {"day": "1"}},
        "a_field_of_tomorrow": 7,
    }


async def test_further_arguments_reach_databricks(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    await submit(
        credentials,
        tasks=[notebook("a")],
        timeout_seconds=60,
        git_source={"git_url": "https://github.com/a/b", "git_provider": "gitHub"},
        access_control_list=[{"user_name": "a@example.com", "permission_level": "CAN_VIEW"}],
        queue={"enabled": True},
        environments=[{"environment_key": "default", "spec": {"environment_version": "2"}}],
    )
    body = databricks.calls_of("SubmitRun")[0].body
    assert set(body) - {"tasks", "idempotency_token"} == {
        *("timeout_seconds", "git_source", "access_control_list", "queue", "environments"),
    }
    assert databricks.unknown_fields() == []


async def test_a_job_runs_with_its_parameters(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    job_id = databricks.add_job(parameters=[{"name": "day", "default": "1"}])
    databricks.add_notebook("/Shared/nightly", "dbutils.notebook.exit('day ' + dbutils.widgets.get('day'))")
    result = await by_id(credentials, job_id=job_id, job_parameters={"day": "2"}, poll_frequency_seconds=0)
    assert result == {"main": {"result": "day 2", "truncated": False}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jar_params", ["a"]),
        ("notebook_params", {"a": "b"}),
        ("python_params", ["a"]),
        ("spark_submit_params", ["a"]),
        ("python_named_params", {"a": "b"}),
        ("pipeline_params", {"full_refresh": True}),
        ("sql_params", {"a": "b"}),
        ("dbt_commands", ["dbt run"]),
    ],
)
async def test_older_kinds_of_parameters_reach_the_job(
    name: str, value: Any, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    await by_id.fn(credentials, job_id=databricks.add_job(), **{name: value})
    assert databricks.calls_of("RunNow")[0].body[name] == value


@pytest.mark.parametrize("result", ["SUCCESS", "FAILED"])
async def test_waiting_gives_state_and_run_however_it_ends(
    result: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("main", TaskPlay(result=result))
    run_id = databricks.start_run(databricks.add_job())
    state, run = await jobs_runs_wait_for_completion.fn(run_id, credentials)
    assert (state["life_cycle_state"], state["result_state"]) == ("TERMINATED", result)
    assert (run["run_id"], len(run["tasks"])) == (run_id, 1)


# Faces


def test_a_sync_flow_calls_without_await(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    databricks.jobs_api.play = TaskPlay(output="1")

    @task
    def in_a_task() -> Any:
        return submit(credentials, tasks=[notebook("a")])

    @flow
    def outer() -> list[Any]:
        return [submit(credentials, tasks=[notebook("a")]), in_a_task()]

    assert outer() == [{"a": {"result": "1", "truncated": False}}] * 2


async def test_an_async_flow_awaits(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    @flow
    async def outer() -> Any:
        coroutine = submit(credentials, tasks=[notebook("a")])
        assert asyncio.iscoroutine(coroutine)
        return await coroutine

    assert await outer() == {"a": {"truncated": False}}


def test_outside_of_a_run_asyncio_runs_it(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    assert asyncio.run(submit(credentials, tasks=[notebook("a")])) == {"a": {"truncated": False}}


def test_programs_for_older_releases_run_it_by_asyncio_in_a_sync_flow(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    run_id = databricks.start_run(databricks.add_job())

    async def both() -> Any:
        return await submit(credentials, tasks=[notebook("a")])

    @flow(persist_result=True)
    def outer() -> Any:
        first = asyncio.run(submit(credentials, tasks=[notebook("a")]))
        _, run = asyncio.run(jobs_runs_wait_for_completion(run_id, credentials))
        return [first, run["run_id"], asyncio.run(both()), pickle.loads(pickle.dumps(first))]

    outputs = {"a": {"truncated": False}}
    assert outer() == [outputs, run_id, outputs, outputs]


def test_with_options_keeps_both_faces(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    named = submit.with_options(name="another")

    @flow
    def outer() -> Any:
        return named(credentials, tasks=[notebook("a")])

    assert outer() == {"a": {"truncated": False}}


# Failures


@pytest.mark.parametrize("life_cycle", ["TERMINATED", "INTERNAL_ERROR"])
async def test_the_failure_carries_each_tasks_error_and_the_tail_of_its_trace(
    life_cycle: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    trace = "\n".join([f"line {number}" for number in range(100)] + ["ZeroDivisionError: division by zero"])
    databricks.jobs_api.failed_life_cycle = life_cycle
    databricks.script("a", TaskPlay(result="FAILED", error="division by zero", error_trace=trace))
    databricks.script("b", TaskPlay(result="FAILED", error="no such table"))
    expected = {"TERMINATED": DatabricksJobTerminated, "INTERNAL_ERROR": DatabricksJobInternalError}[life_cycle]
    with pytest.raises(expected) as caught:
        await submit.fn(credentials, tasks=[notebook("a"), notebook("b"), notebook("c", "a"), notebook("d")])
    error, text = caught.value, str(caught.value)
    assert "Task a ended with FAILED: division by zero." in text
    assert "    ZeroDivisionError: division by zero" in text
    assert "line 99" in text
    assert "line 1\n" not in text
    assert "Task b ended with FAILED: no such table." in text
    assert "Not run: c." in text
    assert "Task d" not in text
    run = databricks.runs[0]
    assert (error.run_id, error.run_url, error.result_state) == (run["run_id"], run["run_page_url"], "FAILED")
    assert run["run_page_url"] in text
    assert [each["task_key"] for each in error.failed_tasks] == ["a", "b", "c"]
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.failed_tasks) == (type(error), text, error.failed_tasks)


async def test_a_program_that_fails_is_told_with_its_own_trace(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.add_notebook("/Shared/etl", "rows = []\nprint(rows[0])")
    with pytest.raises(DatabricksJobTerminated, match="IndexError: list index out of range"):
        await submit.fn(credentials, tasks=[notebook("a")], poll_frequency_seconds=0)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("CANCELED", DatabricksJobTerminated),
        ("TIMEDOUT", DatabricksJobTerminated),
        ("INTERNAL_ERROR", DatabricksJobInternalError),
    ],
)
async def test_each_end_has_its_error(
    result: str, expected: type[Exception], databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(result=result, message="Because.")
    with pytest.raises(expected, match=r"Because\."):
        await by_id.fn(credentials, job_id=databricks.add_job())


async def test_a_run_that_is_skipped_says_why(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    job_id = databricks.add_job()
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.start_run(job_id)
    with pytest.raises(DatabricksJobSkipped, match="maximum number of concurrent runs"):
        await by_id.fn(credentials, job_id=job_id)


async def test_success_with_failures_is_none(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    databricks.script("a", TaskPlay(result="FAILED", error="boom"))
    with pytest.raises(DatabricksJobTerminated, match=r"SUCCESS_WITH_FAILURES[\s\S]*Task a ended with FAILED: boom"):
        await submit.fn(credentials, tasks=[notebook("a"), notebook("b", "a", run_if="ALL_DONE")])


async def test_a_retry_within_databricks_that_succeeds_is_success(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.script("a", TaskPlay(result="FAILED"), TaskPlay(output="second"))
    assert await submit.fn(credentials, tasks=[notebook("a", max_retries=1)]) == {
        "a": {"result": "second", "truncated": False}
    }


async def test_errors_that_cannot_be_read_do_not_hide_the_failure(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.script("a", TaskPlay(result="FAILED", error="boom"))
    databricks.fail("GetRunOutput", 500, times=None)
    with pytest.raises(DatabricksJobTerminated, match="Task a ended with FAILED: Workload failed"):
        await submit.fn(credentials, tasks=[notebook("a")])


async def test_a_secret_in_a_trace_is_masked(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    assert isinstance(credentials.token, SecretStr)
    secret = credentials.token.get_secret_value()
    databricks.script("a", TaskPlay(result="FAILED", error=f"403 for {secret}", error_trace=f"token={secret}"))
    with pytest.raises(DatabricksJobTerminated) as caught:
        await submit.fn(credentials, tasks=[notebook("a")])
    assert secret not in f"{caught.value} {caught.value.failed_tasks}"


@pytest.mark.parametrize("face", ["sync", "async", "own"])
def test_a_time_out_of_the_flow_cancels_the_run(
    face: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)

    def call(seconds: float) -> None:
        @flow(timeout_seconds=seconds)
        def sync_flow() -> Any:
            return submit(credentials, tasks=[notebook("a")])

        @flow(timeout_seconds=seconds)
        async def async_flow() -> Any:
            return await submit(credentials, tasks=[notebook("a")])

        own = submit.with_options(timeout_seconds=seconds)
        calls: dict[str, Callable[[], Any]] = {
            "sync": sync_flow,
            "async": lambda: asyncio.run(async_flow()),
            "own": lambda: asyncio.run(own(credentials, tasks=[notebook("a")])),
        }
        calls[face]()

    for seconds in (2, 20):
        with pytest.raises(TimeoutError):
            call(seconds)
        if databricks.runs:  # a busy machine may not come so far in time
            break
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["CANCELED"]


# Runs with many tasks


async def test_all_tasks_of_a_large_run_are_read(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    databricks.script("t7", TaskPlay(output="seven"))
    outputs = await submit.fn(credentials, tasks=[notebook(f"t{number}") for number in range(130)])
    assert isinstance(outputs, dict)
    assert (len(outputs), outputs["t7"]) == (130, {"result": "seven", "truncated": False})


# What is known at the start


async def test_the_address_is_an_artifact_and_in_the_log_before_the_end(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=30)
    told: list[dict[str, Any]] = []

    async def look(run: dict[str, Any]) -> None:
        told.append(run)
        async with get_client() as client:
            found = await client.read_latest_artifacts()
        told.append({"links": [each.data for each in found if each.key == "databricks-run"]})

    with caplog.at_level("INFO"):
        await submit(credentials, tasks=[notebook("a")], job_submission_handler=look)
    url = databricks.runs[0]["run_page_url"]
    assert told[0]["state"]["life_cycle_state"] == "RUNNING"
    assert url in told[1]["links"][0]
    lines = [record.getMessage() for record in caplog.records]
    started = next(index for index, line in enumerate(lines) if line.startswith("Started Databricks run"))
    assert url in lines[started]
    ended = next(index for index, line in enumerate(lines) if line.endswith(": SUCCESS"))
    assert started < ended


async def test_changes_of_each_tasks_state_are_logged(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    databricks.jobs_api.play = TaskPlay(pending_seconds=15, seconds=15)
    with caplog.at_level("INFO"):
        await submit(credentials, tasks=[notebook("a"), notebook("b", "a")], run_name="x")
    lines = [record.getMessage() for record in caplog.records]
    run_id = databricks.runs[0]["run_id"]
    for key in "ab":
        states = [
            line.rpartition(" ")[2] for line in lines if line.startswith(f"Task {key} of Databricks run {run_id}:")
        ]
        assert states == [*(["BLOCKED"] if key == "b" else []), "PENDING", "RUNNING", "SUCCESS"]


def test_handlers_get_what_they_ask_for(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    told: list[Any] = []

    def by_name(run_page_url: str, *, run_id: int) -> None:
        told.append((run_page_url, run_id))

    def two(run: dict[str, Any], databricks_credentials: DatabricksCredentials) -> None:
        told.append((run["run_id"], databricks_credentials))

    for handler in (by_name, two, lambda *given: told.append(given)):
        asyncio.run(submit(credentials, tasks=[notebook("a")], job_submission_handler=handler))
    runs = databricks.runs
    assert told[0] == (runs[0]["run_page_url"], runs[0]["run_id"])
    assert told[1] == (runs[1]["run_id"], credentials)
    assert [each["run_id"] for each in told[2]] == [runs[2]["run_id"]]


async def test_a_handler_that_fails_ends_the_run(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)

    def refuse(_: dict[str, Any]) -> None:
        raise LookupError("not today")

    with pytest.raises(LookupError, match="not today"):
        await submit.fn(credentials, tasks=[notebook("a")], job_submission_handler=refuse)
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["CANCELED"]


async def test_artifacts_that_cannot_be_stored_do_not_fail_the_flow(
    databricks: Databricks, credentials: DatabricksCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    import prefect.artifacts

    async def refuse(**_: Any) -> None:
        raise RuntimeError("no artifacts today")

    monkeypatch.setattr(prefect.artifacts, "acreate_link_artifact", refuse)
    assert await submit(credentials, tasks=[notebook("a")]) == {"a": {"truncated": False}}


@pytest.mark.parametrize("name", ["max_wait_seconds", "poll_frequency_seconds"])
async def test_times_below_zero_are_refused_before_anything_is_started(
    name: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    with pytest.raises(ValueError, match=f"{name} is -1"):
        await submit.fn(credentials, tasks=[notebook("a")], **{name: -1})
    assert databricks.runs == []


def test_dependencies_may_be_models() -> None:
    assert TaskDependency(task_key="a").task_key == "a"
