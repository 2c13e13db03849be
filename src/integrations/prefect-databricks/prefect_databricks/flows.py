"""Flows that start runs of Databricks jobs and wait for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prefect_integration_kit.flow_faces import async_flow

from ._operations import to_json
from ._runs.errors import (
    DatabricksJobInternalError,
    DatabricksJobRunError,
    DatabricksJobRunTimedOut,
    DatabricksJobSkipped,
    DatabricksJobTerminated,
)
from ._runs.handlers import tell
from ._runs.links import announce
from ._runs.outputs import check_success, notebook_outputs
from ._runs.starting import Start
from ._runs.waiting import Patience, Wait
from .credentials import DatabricksCredentials
from .jobs import jobs_run_now, jobs_runs_get, jobs_runs_get_output, jobs_runs_submit
from .models.jobs import (
    AccessControlRequest,
    GitSource,
    JobTaskSettings,
    RunLifeCycleState,
    RunResultState,
    RunSubmitTaskSettings,
)

__all__ = [
    "TERMINAL_STATUS_CODES",
    "AccessControlRequest",
    "DatabricksCredentials",
    "DatabricksJobInternalError",
    "DatabricksJobRunError",
    "DatabricksJobRunTimedOut",
    "DatabricksJobSkipped",
    "DatabricksJobTerminated",
    "GitSource",
    "JobMetadata",
    "NotebookOutput",
    "RunLifeCycleState",
    "RunResultState",
    "RunSubmitTaskSettings",
    "jobs_run_now",
    "jobs_runs_get",
    "jobs_runs_get_output",
    "jobs_runs_submit",
    "jobs_runs_submit_and_wait_for_completion",
    "jobs_runs_submit_by_id_and_wait_for_completion",
    "jobs_runs_wait_for_completion",
]

TERMINAL_STATUS_CODES = (
    RunLifeCycleState.terminated.value,
    RunLifeCycleState.skipped.value,
    RunLifeCycleState.internalerror.value,
)
"""Life cycle states of runs that have ended."""

NotebookOutput = dict[str, Any]
"""What the notebooks of a run return, by the key of the task."""

JobMetadata = dict[str, Any]
"""A run as the Jobs API gives it."""


@async_flow(name="Submit jobs runs and wait for completion")
async def jobs_runs_submit_and_wait_for_completion(
    databricks_credentials: DatabricksCredentials,
    tasks: list[dict[str, Any] | RunSubmitTaskSettings | JobTaskSettings] | None = None,
    run_name: str | None = None,
    max_wait_seconds: int = 900,
    poll_frequency_seconds: int = 10,
    git_source: dict[str, Any] | GitSource | None = None,
    timeout_seconds: int | None = None,
    idempotency_token: str | None = None,
    access_control_list: list[dict[str, Any] | AccessControlRequest] | None = None,
    return_metadata: bool = False,
    job_submission_handler: Callable[..., Any] | None = None,
    stop_on_cancel: bool = True,
    repair_on_retry: bool = False,
    **jobs_runs_submit_kwargs: Any,
) -> NotebookOutput | tuple[NotebookOutput, JobMetadata] | None:
    """Run tasks once, without making a job of them, and wait until they have ended.

    The address of the run is logged and stored as a link artifact as soon as the run is there, and so is each change of
    its state and of its tasks' states. Requests that fail for a moment do not fail the flow. When Prefect retries the
    flow, or the flow or task that calls it, a run of an earlier attempt that goes on or has succeeded is taken over, so
    nothing runs twice.

    Args:
        databricks_credentials: Credentials to authenticate with.
        tasks: The tasks, as models or as dictionaries:
            ```python
            [
                {
                    "task_key": "ingest",
                    "existing_cluster_id": "0923-164208-meows279",
                    "spark_python_task": {"python_file": "dbfs:/ingest.py", "parameters": ["--day", "2026-05-04"]},
                },
                {
                    "task_key": "report",
                    "depends_on": [{"task_key": "ingest"}],
                    "notebook_task": {"notebook_path": "/Shared/report", "base_parameters": {"name": "Marvin"}},
                },
            ]
            ```
        run_name: Name of the run; `Untitled` by default.
        max_wait_seconds: Seconds until which the run must have ended.
        poll_frequency_seconds: Seconds between two looks at it.
        git_source: Repository that has the notebooks and files of the tasks.
        timeout_seconds: Seconds after which Databricks ends the run; never by default.
        idempotency_token: At most 64 characters. Databricks starts one run for a token: a second request with it gets
            the run of the first, whatever has become of that. By default, one is made of the Prefect run.
        access_control_list: Who may see and manage the run.
        return_metadata: Whether the run itself is returned, too.
        job_submission_handler: Called as soon as the run is there, with the run as a dictionary: `run_id`,
            `run_page_url` and so on. Parameters named `databricks_credentials`, `run_id` or `run_page_url` get that.
        stop_on_cancel: Whether the run is cancelled when the flow is cancelled, interrupted or out of time. The flow
            waits until it has ended.
        repair_on_retry: Whether a retry by Prefect repairs the run that failed: only tasks without success run again.
        jobs_runs_submit_kwargs: Further arguments of `jobs_runs_submit`, such as `environments` or `queue`.

    Returns:
        What the notebooks of the run returned, by the key of the task, such as
        `{"report": {"result": "…", "truncated": False}}`, with an empty dictionary for tasks that are no notebooks.
        With `return_metadata`, a tuple of that and the run.

    Raises:
        DatabricksJobTerminated: If the run failed or was cancelled. The message has the error of each task that failed.
        DatabricksJobSkipped: If it was skipped.
        DatabricksJobInternalError: If Databricks reports an internal error.
        DatabricksJobRunTimedOut: If it did not end in time. The message says what became of it.
        DatabricksError: If it could not be started, or not be looked at for ten minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_databricks import DatabricksCredentials
        from prefect_databricks.flows import jobs_runs_submit_and_wait_for_completion
        from prefect_databricks.models.jobs import AutoScale, JobTaskSettings, NewCluster, NotebookTask

        @flow
        def run_notebook(notebook_path: str, **base_parameters):
            new_cluster = NewCluster(
                autoscale=AutoScale(min_workers=1, max_workers=2),
                node_type_id="m4.large",
                spark_version="15.4.x-scala2.12",
            )
            notebook_task = NotebookTask(notebook_path=notebook_path, base_parameters=base_parameters)
            return jobs_runs_submit_and_wait_for_completion(
                databricks_credentials=DatabricksCredentials.load("BLOCK_NAME"),
                run_name="prefect-job",
                tasks=[JobTaskSettings(task_key="prefect-task", new_cluster=new_cluster, notebook_task=notebook_task)],
            )
        ```
    """
    fields: dict[str, Any] = {
        "tasks": tasks,
        "run_name": run_name,
        "git_source": git_source,
        "timeout_seconds": timeout_seconds,
        "access_control_list": access_control_list,
        **jobs_runs_submit_kwargs,
    }

    async def post(token: str) -> dict[str, Any]:
        return await jobs_runs_submit.fn(databricks_credentials, idempotency_token=token, **fields)

    patience = Patience(max_wait_seconds, poll_frequency_seconds, stop_on_cancel)
    run = await _run_and_wait(
        databricks_credentials,
        post,
        fields,
        patience=patience,
        token=idempotency_token,
        repairs=repair_on_retry,
        handler=job_submission_handler,
    )
    outputs = await notebook_outputs(databricks_credentials, run)
    return (outputs, run) if return_metadata else outputs


@async_flow(name="Submit existing job runs and wait for completion")
async def jobs_runs_submit_by_id_and_wait_for_completion(
    databricks_credentials: DatabricksCredentials,
    job_id: int,
    idempotency_token: str | None = None,
    jar_params: list[str] | None = None,
    max_wait_seconds: int = 900,
    poll_frequency_seconds: int = 10,
    notebook_params: dict[str, Any] | None = None,
    python_params: list[str] | None = None,
    spark_submit_params: list[str] | None = None,
    python_named_params: dict[str, Any] | None = None,
    pipeline_params: str | dict[str, Any] | None = None,
    sql_params: dict[str, Any] | None = None,
    dbt_commands: list[Any] | None = None,
    job_submission_handler: Callable[..., Any] | None = None,
    job_parameters: dict[str, Any] | None = None,
    stop_on_cancel: bool = True,
    repair_on_retry: bool = False,
    return_metadata: bool = False,
    **jobs_runs_submit_kwargs: Any,
) -> NotebookOutput | tuple[NotebookOutput, JobMetadata]:
    """Run a job that there is, and wait until it has ended.

    As with `jobs_runs_submit_and_wait_for_completion`, the address of the run is known at once, and nothing runs twice
    when Prefect retries.

    Args:
        databricks_credentials: Credentials to authenticate with.
        job_id: ID of the job.
        idempotency_token: At most 64 characters. Databricks starts one run for a token: a second request with it gets
            the run of the first, whatever has become of that. By default, one is made of the Prefect run.
        jar_params: Parameters of Spark JAR tasks, such as `["john doe", "35"]`.
        max_wait_seconds: Seconds until which the run must have ended.
        poll_frequency_seconds: Seconds between two looks at it.
        notebook_params: Parameters of notebook tasks, which read them by `dbutils.widgets.get`; not together with
            `jar_params`.
        python_params: Parameters of Python tasks; ASCII only.
        spark_submit_params: Parameters of Spark submit tasks.
        python_named_params: Named parameters of Python wheel tasks.
        pipeline_params: Parameters of pipeline tasks, such as `{"full_refresh": True}`.
        sql_params: Parameters of SQL tasks.
        dbt_commands: Commands of dbt tasks, such as `["dbt deps", "dbt run"]`.
        job_submission_handler: Called as soon as the run is there, with the run as a dictionary: `run_id`,
            `run_page_url` and so on. Parameters named `databricks_credentials`, `run_id` or `run_page_url` get that.
        job_parameters: Values of the job's own parameters. A job that has some takes none of the older kinds above.
        stop_on_cancel: Whether the run is cancelled when the flow is cancelled, interrupted or out of time. The flow
            waits until it has ended.
        repair_on_retry: Whether a retry by Prefect repairs the run that failed: only tasks without success run again.
        return_metadata: Whether the run itself is returned, too.
        jobs_runs_submit_kwargs: Further arguments of `jobs_run_now`, such as `queue` or `only`.

    Returns:
        What the notebooks of the run returned, by the key of the task, such as
        `{"report": {"result": "…", "truncated": False}}`, with an empty dictionary for tasks that are no notebooks.
        With `return_metadata`, a tuple of that and the run.

    Raises:
        DatabricksJobTerminated: If the run failed or was cancelled. The message has the error of each task that failed.
        DatabricksJobSkipped: If it was skipped, as when the job has as many runs as it may have.
        DatabricksJobInternalError: If Databricks reports an internal error.
        DatabricksJobRunTimedOut: If it did not end in time. The message says what became of it.
        DatabricksError: If it could not be started, or not be looked at for ten minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_databricks import DatabricksCredentials
        from prefect_databricks.flows import jobs_runs_submit_by_id_and_wait_for_completion

        @flow(retries=2)
        def nightly(day: str):
            return jobs_runs_submit_by_id_and_wait_for_completion(
                databricks_credentials=DatabricksCredentials.load("BLOCK_NAME"),
                job_id=45,
                job_parameters={"day": day},
                repair_on_retry=True,
            )
        ```
    """
    fields: dict[str, Any] = {
        "job_id": job_id,
        "jar_params": jar_params,
        "notebook_params": notebook_params,
        "python_params": python_params,
        "spark_submit_params": spark_submit_params,
        "python_named_params": python_named_params,
        "pipeline_params": pipeline_params,
        "sql_params": sql_params,
        "dbt_commands": dbt_commands,
        "job_parameters": job_parameters,
        **jobs_runs_submit_kwargs,
    }

    async def post(token: str) -> dict[str, Any]:
        return await jobs_run_now.fn(databricks_credentials, idempotency_token=token, **fields)

    patience = Patience(max_wait_seconds, poll_frequency_seconds, stop_on_cancel)
    run = await _run_and_wait(
        databricks_credentials,
        post,
        fields,
        patience=patience,
        token=idempotency_token,
        repairs=repair_on_retry,
        handler=job_submission_handler,
    )
    outputs = await notebook_outputs(databricks_credentials, run)
    return (outputs, run) if return_metadata else outputs


@async_flow(name="Wait for completion of jobs runs")
async def jobs_runs_wait_for_completion(
    multi_task_jobs_runs_id: int,
    databricks_credentials: DatabricksCredentials,
    run_name: str | None = None,
    max_wait_seconds: int = 900,
    poll_frequency_seconds: int = 10,
    stop_on_cancel: bool = True,
) -> tuple[dict[str, Any], JobMetadata]:
    """Wait until a run has ended, however it ends.

    Args:
        multi_task_jobs_runs_id: ID of the run.
        databricks_credentials: Credentials to authenticate with.
        run_name: Name of the run, for the log.
        max_wait_seconds: Seconds until which the run must have ended.
        poll_frequency_seconds: Seconds between two looks at it.
        stop_on_cancel: Whether the run is cancelled when the flow is cancelled, interrupted or out of time. The flow
            waits until it has ended.

    Returns:
        A tuple of the state of the run, with `life_cycle_state`, `result_state` and `state_message`, and the run with
        its tasks. A run that failed is returned like any other.

    Raises:
        DatabricksJobRunTimedOut: If it did not end in time. The message says what became of it.
        DatabricksError: If Databricks refuses to show it, or could not be reached for ten minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_databricks import DatabricksCredentials
        from prefect_databricks.flows import jobs_runs_wait_for_completion

        @flow
        def wait(run_id: int) -> str:
            state, run = jobs_runs_wait_for_completion(
                multi_task_jobs_runs_id=run_id,
                databricks_credentials=DatabricksCredentials.load("BLOCK_NAME"),
            )
            return state["result_state"]
        ```
    """
    patience = Patience(max_wait_seconds, poll_frequency_seconds, stop_on_cancel)
    patience.check()

    async def seen(run: dict[str, Any]) -> None:
        await announce({**run, "run_name": run_name or run.get("run_name")}, "Waiting for")

    run = await Wait(databricks_credentials, multi_task_jobs_runs_id, patience, on_first_look=seen).until_end()
    return run.get("state") or run.get("status") or {}, run


async def _run_and_wait(
    credentials: DatabricksCredentials,
    post: Callable[[str], Awaitable[dict[str, Any]]],
    fields: Mapping[str, Any],
    *,
    patience: Patience,
    token: str | None,
    repairs: bool,
    handler: Callable[..., Any] | None,
) -> dict[str, Any]:
    """Start a run, say so, wait until it has ended, and give it if that was with success."""
    patience.check()
    start = Start(credentials, post, to_json(dict(fields)), patience=patience, token=token, repairs=repairs)
    run_id = await start.run_id()

    async def seen(run: dict[str, Any]) -> None:
        await announce(run, start.how)
        if handler is not None:
            await tell(handler, run, credentials)

    run = await Wait(credentials, run_id, patience, start.is_new, on_first_look=seen).until_end()
    await check_success(credentials, run)
    return run
