# Written by `python -m scripts.databricks` from `schemas/jobs-2.1-aws.yaml`; do not edit.
"""Tasks for Databricks's jobs and their runs.

Each task is one request. Async flows await it, sync flows may call it without `await`. Instead of a model of
`prefect_databricks.models.jobs` a dictionary does as well. What is `None` is not sent, nor what was not set of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect_integration_kit.dispatch import async_task

from ._operations import ApiVersion, Operation, Token, perform
from .credentials import DatabricksCredentials
from .models import jobs as models
from .rest import HTTPMethod, execute_endpoint

__all__ = [
    "DatabricksCredentials",
    "HTTPMethod",
    "execute_endpoint",
    "jobs_create",
    "jobs_delete",
    "jobs_get",
    "jobs_list",
    "jobs_reset",
    "jobs_run_now",
    "jobs_runs_cancel",
    "jobs_runs_cancel_all",
    "jobs_runs_delete",
    "jobs_runs_export",
    "jobs_runs_get",
    "jobs_runs_get_output",
    "jobs_runs_list",
    "jobs_runs_repair",
    "jobs_runs_submit",
    "jobs_update",
]

_JOBS_RUNS_EXPORT = Operation(
    "jobs_runs_export",
    HTTPMethod.GET,
    "jobs/runs/export",
    {"run_id": int, "views_to_export": models.ViewsToExport},
    version="2.0",
    required=("run_id",),
)


@async_task()
async def jobs_runs_export(
    run_id: int,
    databricks_credentials: DatabricksCredentials,
    views_to_export: models.ViewsToExport | str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Export the views of a task's run, and give them.

    For notebook tasks only. A run is kept for 60 days.

    See [`/2.0/jobs/runs/export`](https://docs.databricks.com/api/workspace/jobs/exportrun).

    Args:
        run_id: ID of the run of a task.
        databricks_credentials: Credentials to authenticate with.
        views_to_export: Which views: `CODE` by default, `DASHBOARDS` or `ALL`.
        fields: Further query parameters, as Databricks names them.

    Returns:
        A dictionary with `views`: for each, the HTML in `content`, its `name` and its `type` (see `ViewItem`).

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUNS_EXPORT, databricks_credentials, {"run_id": run_id, "views_to_export": views_to_export}, fields
    )


_JOBS_CREATE = Operation(
    "jobs_create",
    HTTPMethod.POST,
    "jobs/create",
    {
        "name": str,
        "tags": dict[str, Any],
        "tasks": list[models.JobTaskSettings],
        "job_clusters": list[models.JobCluster],
        "email_notifications": models.JobEmailNotifications,
        "webhook_notifications": models.WebhookNotifications,
        "timeout_seconds": int,
        "schedule": models.CronSchedule,
        "max_concurrent_runs": int,
        "git_source": models.GitSource,
        "format": str,
        "access_control_list": list[models.AccessControlRequest],
        "parameters": list[models.JobParameter],
        "description": str,
        "queue": models.QueueSettings,
        "environments": list[models.JobEnvironment],
        "continuous": models.Continuous,
        "trigger": models.TriggerSettings,
        "health": models.JobsHealthRules,
        "notification_settings": models.JobNotificationSettings,
        "run_as": models.JobRunAs,
        "performance_target": str,
        "budget_policy_id": str,
    },
    exclusive=(("schedule", "continuous"),),
)


@async_task()
async def jobs_create(
    databricks_credentials: DatabricksCredentials,
    name: str = "Untitled",
    tags: Mapping[str, Any] | None = None,
    tasks: Sequence[models.JobTaskSettings | Mapping[str, Any]] | None = None,
    job_clusters: Sequence[models.JobCluster | Mapping[str, Any]] | None = None,
    email_notifications: models.JobEmailNotifications | Mapping[str, Any] | None = None,
    webhook_notifications: models.WebhookNotifications | Mapping[str, Any] | None = None,
    timeout_seconds: int | None = None,
    schedule: models.CronSchedule | Mapping[str, Any] | None = None,
    max_concurrent_runs: int | None = None,
    git_source: models.GitSource | Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002
    access_control_list: Sequence[models.AccessControlRequest | Mapping[str, Any]] | None = None,
    parameters: Sequence[models.JobParameter | Mapping[str, Any]] | None = None,
    *,
    description: str | None = None,
    queue: models.QueueSettings | Mapping[str, Any] | None = None,
    environments: Sequence[models.JobEnvironment | Mapping[str, Any]] | None = None,
    continuous: models.Continuous | Mapping[str, Any] | None = None,
    trigger: models.TriggerSettings | Mapping[str, Any] | None = None,
    health: models.JobsHealthRules | Mapping[str, Any] | None = None,
    notification_settings: models.JobNotificationSettings | Mapping[str, Any] | None = None,
    run_as: models.JobRunAs | Mapping[str, Any] | None = None,
    performance_target: str | None = None,
    budget_policy_id: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Create a job.

    It runs when its schedule or trigger says so, or by `jobs_run_now`. To create a job twice makes two jobs.

    See [`/2.1/jobs/create`](https://docs.databricks.com/api/workspace/jobs/create).

    Args:
        databricks_credentials: Credentials to authenticate with.
        name: Name of the job. At most 4096 bytes; it need not be unique.
        tags: Tags of the job, which its clusters get as well, such as `{"team": "jobs"}`. At most 25.
        tasks: Tasks of the job. At most 100, or 1000 with version 2.2 of the API.
        job_clusters: Clusters that tasks of the job share. At most 100. Libraries are declared by the tasks.
        email_notifications: Addresses that are told of starts, successes and failures; none by default.
        webhook_notifications: System destinations that are told, at most 3 for each event; none by default.
        timeout_seconds: Seconds after which a run is stopped; without a limit by default.
        schedule: When runs start by themselves; by default only when asked for.
        max_concurrent_runs: Runs that may be active together: at most 1000, 0 for none, 1 by default. Others are
            skipped.
        git_source: Remote repository that holds the code of the tasks.
        format: Databricks ignores this: it is always `MULTI_TASK`.
        access_control_list: Who may see, run and manage the job.
        parameters: Parameters of the job, with their defaults.
        description: What the job is for. At most 27,700 characters.
        queue: Whether runs wait when there is no room, rather than being skipped.
        environments: Serverless environments that tasks name by key.
        continuous: Keeps one run going at all times. Not together with `schedule`.
        trigger: What starts a run, beside a schedule.
        health: Limits on duration and backlog that lead to a warning.
        notification_settings: Which notifications are left out.
        run_as: Who the runs act as; who creates the job by default.
        performance_target: How fast serverless compute shall be: `STANDARD` or `PERFORMANCE_OPTIMIZED`.
        budget_policy_id: ID of the budget policy that the cost belongs to.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        A dictionary with `job_id`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_CREATE,
        databricks_credentials,
        {
            "name": name,
            "tags": tags,
            "tasks": tasks,
            "job_clusters": job_clusters,
            "email_notifications": email_notifications,
            "webhook_notifications": webhook_notifications,
            "timeout_seconds": timeout_seconds,
            "schedule": schedule,
            "max_concurrent_runs": max_concurrent_runs,
            "git_source": git_source,
            "format": format,
            "access_control_list": access_control_list,
            "parameters": parameters,
            "description": description,
            "queue": queue,
            "environments": environments,
            "continuous": continuous,
            "trigger": trigger,
            "health": health,
            "notification_settings": notification_settings,
            "run_as": run_as,
            "performance_target": performance_target,
            "budget_policy_id": budget_policy_id,
        },
        fields,
        api_version,
    )


_JOBS_DELETE = Operation("jobs_delete", HTTPMethod.POST, "jobs/delete", {"job_id": int}, required=("job_id",))


@async_task()
async def jobs_delete(
    databricks_credentials: DatabricksCredentials,
    job_id: int | None = None,
    *,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Delete a job.

    Its runs are not stopped.

    See [`/2.1/jobs/delete`](https://docs.databricks.com/api/workspace/jobs/delete).

    Args:
        databricks_credentials: Credentials to authenticate with.
        job_id: ID of the job; required.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        An empty dictionary.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(_JOBS_DELETE, databricks_credentials, {"job_id": job_id}, fields, api_version)


_JOBS_GET = Operation("jobs_get", HTTPMethod.GET, "jobs/get", {"job_id": int, "page_token": str}, required=("job_id",))


@async_task()
async def jobs_get(
    job_id: int,
    databricks_credentials: DatabricksCredentials,
    *,
    page_token: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Read a job.

    See [`/2.1/jobs/get`](https://docs.databricks.com/api/workspace/jobs/get).

    Args:
        job_id: ID of the job.
        databricks_credentials: Credentials to authenticate with.
        page_token: With version 2.2 of the API, the `next_page_token` of an answer, for the tasks after those.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further query parameters, as Databricks names them.

    Returns:
        A dictionary with `job_id`, `creator_user_name`, `run_as_user_name`, `settings` and `created_time`; see `Job`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_GET, databricks_credentials, {"job_id": job_id, "page_token": page_token}, fields, api_version
    )


_JOBS_LIST = Operation(
    "jobs_list",
    HTTPMethod.GET,
    "jobs/list",
    {"limit": int, "offset": int, "name": str, "expand_tasks": bool, "page_token": str},
)


@async_task()
async def jobs_list(
    databricks_credentials: DatabricksCredentials,
    limit: int = 20,
    offset: int = 0,
    name: str | None = None,
    expand_tasks: bool = False,
    *,
    page_token: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """List jobs, the newest first: one page of them.

    See [`/2.1/jobs/list`](https://docs.databricks.com/api/workspace/jobs/list).

    Args:
        databricks_credentials: Credentials to authenticate with.
        limit: Jobs in a page: 1 to 100.
        offset: Number of jobs to pass over, the newest first. Databricks prefers `page_token`.
        name: Only jobs of this name, in any case.
        expand_tasks: Whether tasks and clusters of the jobs are given, too.
        page_token: The `next_page_token` of an answer, for the page after it. `offset` is not sent then.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further query parameters, as Databricks names them.

    Returns:
        A dictionary with `jobs` (see `Job`), `has_more` and `next_page_token`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_LIST,
        databricks_credentials,
        {"limit": limit, "offset": offset, "name": name, "expand_tasks": expand_tasks, "page_token": page_token},
        fields,
        api_version,
    )


_JOBS_RESET = Operation(
    "jobs_reset",
    HTTPMethod.POST,
    "jobs/reset",
    {"job_id": int, "new_settings": models.JobSettings},
    required=("job_id", "new_settings"),
)


@async_task()
async def jobs_reset(
    databricks_credentials: DatabricksCredentials,
    job_id: int | None = None,
    new_settings: models.JobSettings | Mapping[str, Any] | None = None,
    *,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Replace all settings of a job.

    What the new settings do not say goes back to its default. Active runs take over `timeout_seconds`; all else holds
    for later runs.

    See [`/2.1/jobs/reset`](https://docs.databricks.com/api/workspace/jobs/reset).

    Args:
        databricks_credentials: Credentials to authenticate with.
        job_id: ID of the job; required.
        new_settings: All settings of the job; required.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        An empty dictionary.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RESET, databricks_credentials, {"job_id": job_id, "new_settings": new_settings}, fields, api_version
    )


_JOBS_RUN_NOW = Operation(
    "jobs_run_now",
    HTTPMethod.POST,
    "jobs/run-now",
    {
        "job_id": int,
        "idempotency_token": Token,
        "jar_params": list[str],
        "notebook_params": dict[str, Any],
        "python_params": list[str],
        "spark_submit_params": list[str],
        "python_named_params": dict[str, Any],
        "pipeline_params": models.PipelineParams,
        "sql_params": dict[str, Any],
        "dbt_commands": list[str],
        "job_parameters": dict[str, Any],
        "queue": models.QueueSettings,
        "only": list[str],
        "performance_target": str,
    },
    required=("job_id",),
    exclusive=(("jar_params", "notebook_params"),),
)


@async_task()
async def jobs_run_now(
    databricks_credentials: DatabricksCredentials,
    job_id: int | None = None,
    idempotency_token: str | None = None,
    jar_params: Sequence[str] | None = None,
    notebook_params: Mapping[str, Any] | None = None,
    python_params: Sequence[str] | None = None,
    spark_submit_params: Sequence[str] | None = None,
    python_named_params: Mapping[str, Any] | None = None,
    pipeline_params: models.PipelineParams | Mapping[str, Any] | None = None,
    sql_params: Mapping[str, Any] | None = None,
    dbt_commands: Sequence[str] | None = None,
    job_parameters: Mapping[str, Any] | None = None,
    *,
    queue: models.QueueSettings | Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
    performance_target: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Run a job, without waiting for the end.

    See [`/2.1/jobs/run-now`](https://docs.databricks.com/api/workspace/jobs/runnow).

    Args:
        databricks_credentials: Credentials to authenticate with.
        job_id: ID of the job; required.
        idempotency_token: Token of at most 64 characters: a second request with it finds the first run, and starts
            none. With a token, the request is also repeated when it is not known whether it arrived.
        jar_params: Parameters of the main function, for JAR tasks. At most 10,000 bytes as JSON. Not together with
            `notebook_params`.
        notebook_params: Parameters by name, for notebook tasks, which read them by `dbutils.widgets.get`. At most
            10,000 bytes as JSON. Not together with `jar_params`.
        python_params: Parameters of the command line, for Python tasks. ASCII only; at most 10,000 bytes as JSON.
        spark_submit_params: Parameters of the command line, for `spark-submit` tasks. ASCII only; at most 10,000 bytes
            as JSON.
        python_named_params: Parameters by name, for wheel tasks.
        pipeline_params: What changes of a pipeline's update, such as `{"full_refresh": True}`.
        sql_params: Parameters by name, for SQL tasks. Alerts take none.
        dbt_commands: Commands of dbt, in order, for dbt tasks, such as `["dbt deps", "dbt run"]`.
        job_parameters: Parameters of the job, by name. Not together with those of tasks.
        queue: Whether the run waits when there is no room.
        only: Keys of the tasks to run; all by default.
        performance_target: How fast serverless compute shall be: `STANDARD` or `PERFORMANCE_OPTIMIZED`.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        A dictionary with `run_id` and `number_in_job`, which are the same.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUN_NOW,
        databricks_credentials,
        {
            "job_id": job_id,
            "idempotency_token": idempotency_token,
            "jar_params": jar_params,
            "notebook_params": notebook_params,
            "python_params": python_params,
            "spark_submit_params": spark_submit_params,
            "python_named_params": python_named_params,
            "pipeline_params": pipeline_params,
            "sql_params": sql_params,
            "dbt_commands": dbt_commands,
            "job_parameters": job_parameters,
            "queue": queue,
            "only": only,
            "performance_target": performance_target,
        },
        fields,
        api_version,
    )


_JOBS_RUNS_CANCEL = Operation(
    "jobs_runs_cancel", HTTPMethod.POST, "jobs/runs/cancel", {"run_id": int}, required=("run_id",)
)


@async_task()
async def jobs_runs_cancel(
    databricks_credentials: DatabricksCredentials,
    run_id: int | None = None,
    *,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Cancel a run.

    It is cancelled in the background, and may still go on for a while. To cancel a run that has ended does nothing.

    See [`/2.1/jobs/runs/cancel`](https://docs.databricks.com/api/workspace/jobs/cancelrun).

    Args:
        databricks_credentials: Credentials to authenticate with.
        run_id: ID of the run; required.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        An empty dictionary.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(_JOBS_RUNS_CANCEL, databricks_credentials, {"run_id": run_id}, fields, api_version)


_JOBS_RUNS_CANCEL_ALL = Operation(
    "jobs_runs_cancel_all",
    HTTPMethod.POST,
    "jobs/runs/cancel-all",
    {"job_id": int, "all_queued_runs": bool},
    one_of=(("job_id", "all_queued_runs"),),
)


@async_task()
async def jobs_runs_cancel_all(
    databricks_credentials: DatabricksCredentials,
    job_id: int | None = None,
    *,
    all_queued_runs: bool | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Cancel all active runs of a job.

    They are cancelled in the background. New runs may start all the same.

    See [`/2.1/jobs/runs/cancel-all`](https://docs.databricks.com/api/workspace/jobs/cancelallruns).

    Args:
        databricks_credentials: Credentials to authenticate with.
        job_id: ID of the job; required unless `all_queued_runs` is given.
        all_queued_runs: Whether queued runs are cancelled: those of the job, or of all jobs without `job_id`.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        An empty dictionary.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUNS_CANCEL_ALL,
        databricks_credentials,
        {"job_id": job_id, "all_queued_runs": all_queued_runs},
        fields,
        api_version,
    )


_JOBS_RUNS_DELETE = Operation(
    "jobs_runs_delete", HTTPMethod.POST, "jobs/runs/delete", {"run_id": int}, required=("run_id",)
)


@async_task()
async def jobs_runs_delete(
    databricks_credentials: DatabricksCredentials,
    run_id: int | None = None,
    *,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Delete a run that has ended.

    An active run is refused.

    See [`/2.1/jobs/runs/delete`](https://docs.databricks.com/api/workspace/jobs/deleterun).

    Args:
        databricks_credentials: Credentials to authenticate with.
        run_id: ID of the run; required.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        An empty dictionary.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(_JOBS_RUNS_DELETE, databricks_credentials, {"run_id": run_id}, fields, api_version)


_JOBS_RUNS_GET = Operation(
    "jobs_runs_get",
    HTTPMethod.GET,
    "jobs/runs/get",
    {"run_id": int, "include_history": bool, "include_resolved_values": bool, "page_token": str},
    required=("run_id",),
)


@async_task()
async def jobs_runs_get(
    run_id: int,
    databricks_credentials: DatabricksCredentials,
    include_history: bool | None = None,
    *,
    include_resolved_values: bool | None = None,
    page_token: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Read a run: how far it is, and how its tasks are.

    See [`/2.1/jobs/runs/get`](https://docs.databricks.com/api/workspace/jobs/getrun).

    Args:
        run_id: ID of the run.
        databricks_credentials: Credentials to authenticate with.
        include_history: Whether repairs of the run are given, too.
        include_resolved_values: Whether parameters are given with what stood for variables in them.
        page_token: With version 2.2 of the API, the `next_page_token` of an answer, for the tasks after those.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further query parameters, as Databricks names them.

    Returns:
        A dictionary; see `Run` for its fields. `state`, `tasks`, `run_page_url` and the times are among them.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUNS_GET,
        databricks_credentials,
        {
            "run_id": run_id,
            "include_history": include_history,
            "include_resolved_values": include_resolved_values,
            "page_token": page_token,
        },
        fields,
        api_version,
    )


_JOBS_RUNS_GET_OUTPUT = Operation(
    "jobs_runs_get_output", HTTPMethod.GET, "jobs/runs/get-output", {"run_id": int}, required=("run_id",)
)


@async_task()
async def jobs_runs_get_output(
    run_id: int,
    databricks_credentials: DatabricksCredentials,
    *,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Read what the run of one task has returned or printed, and why it failed.

    A run of a job has none; its tasks have: ask with the `run_id` of one of its `tasks`. Databricks keeps the first 5
    MB of a notebook's value, and runs for 60 days.

    See [`/2.1/jobs/runs/get-output`](https://docs.databricks.com/api/workspace/jobs/getrunoutput).

    Args:
        run_id: ID of the run of a task.
        databricks_credentials: Credentials to authenticate with.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further query parameters, as Databricks names them.

    Returns:
        A dictionary with `metadata` (see `Run`), and what there is of `notebook_output`, `sql_output`, `dbt_output`,
        `logs`, `logs_truncated`, `error` and `error_trace`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(_JOBS_RUNS_GET_OUTPUT, databricks_credentials, {"run_id": run_id}, fields, api_version)


_JOBS_RUNS_LIST = Operation(
    "jobs_runs_list",
    HTTPMethod.GET,
    "jobs/runs/list",
    {
        "active_only": bool,
        "completed_only": bool,
        "job_id": int,
        "offset": int,
        "limit": int,
        "run_type": str,
        "expand_tasks": bool,
        "start_time_from": int,
        "start_time_to": int,
        "page_token": str,
    },
    exclusive=(("active_only", "completed_only"),),
)


@async_task()
async def jobs_runs_list(
    databricks_credentials: DatabricksCredentials,
    active_only: bool = False,
    completed_only: bool = False,
    job_id: int | None = None,
    offset: int = 0,
    limit: int = 25,
    run_type: str | None = None,
    expand_tasks: bool = False,
    start_time_from: int | None = None,
    start_time_to: int | None = None,
    *,
    page_token: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """List runs, the newest first: one page of them.

    See [`/2.1/jobs/runs/list`](https://docs.databricks.com/api/workspace/jobs/listruns).

    Args:
        databricks_credentials: Credentials to authenticate with.
        active_only: Only runs that have not ended. Not together with `completed_only`.
        completed_only: Only runs that have ended. Not together with `active_only`.
        job_id: Only runs of this job.
        offset: Number of runs to pass over, the newest first. Databricks prefers `page_token`.
        limit: Runs in a page: 1 to 25; 0 for as many as there can be.
        run_type: Only runs of this type, such as `JOB_RUN`; see `RunType`.
        expand_tasks: Whether tasks and clusters of the runs are given, too.
        start_time_from: Only runs that started then or later, in milliseconds since the epoch, UTC.
        start_time_to: Only runs that started then or earlier, in milliseconds since the epoch, UTC.
        page_token: The `next_page_token` of an answer, for the page after it. `offset` is not sent then.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further query parameters, as Databricks names them.

    Returns:
        A dictionary with `runs` (see `Run`), `has_more` and `next_page_token`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUNS_LIST,
        databricks_credentials,
        {
            "active_only": active_only,
            "completed_only": completed_only,
            "job_id": job_id,
            "offset": offset,
            "limit": limit,
            "run_type": run_type,
            "expand_tasks": expand_tasks,
            "start_time_from": start_time_from,
            "start_time_to": start_time_to,
            "page_token": page_token,
        },
        fields,
        api_version,
    )


_JOBS_RUNS_REPAIR = Operation(
    "jobs_runs_repair",
    HTTPMethod.POST,
    "jobs/runs/repair",
    {
        "run_id": int,
        "rerun_tasks": list[str],
        "latest_repair_id": int,
        "rerun_all_failed_tasks": bool,
        "jar_params": list[str],
        "notebook_params": dict[str, Any],
        "python_params": list[str],
        "spark_submit_params": list[str],
        "python_named_params": dict[str, Any],
        "pipeline_params": models.PipelineParams,
        "sql_params": dict[str, Any],
        "dbt_commands": list[str],
        "job_parameters": dict[str, Any],
        "rerun_dependent_tasks": bool,
        "performance_target": str,
    },
    required=("run_id",),
    exclusive=(("rerun_tasks", "rerun_all_failed_tasks"), ("jar_params", "notebook_params")),
)


@async_task()
async def jobs_runs_repair(
    databricks_credentials: DatabricksCredentials,
    run_id: int | None = None,
    rerun_tasks: Sequence[str] | None = None,
    latest_repair_id: int | None = None,
    rerun_all_failed_tasks: bool = False,
    jar_params: Sequence[str] | None = None,
    notebook_params: Mapping[str, Any] | None = None,
    python_params: Sequence[str] | None = None,
    spark_submit_params: Sequence[str] | None = None,
    python_named_params: Mapping[str, Any] | None = None,
    pipeline_params: models.PipelineParams | Mapping[str, Any] | None = None,
    sql_params: Mapping[str, Any] | None = None,
    dbt_commands: Sequence[str] | None = None,
    job_parameters: Mapping[str, Any] | None = None,
    *,
    rerun_dependent_tasks: bool | None = None,
    performance_target: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Run tasks of a run again that has ended.

    They run with today's settings of the job, and belong to the same run. One of `rerun_tasks` and
    `rerun_all_failed_tasks` is given.

    See [`/2.1/jobs/runs/repair`](https://docs.databricks.com/api/workspace/jobs/repairrun).

    Args:
        databricks_credentials: Credentials to authenticate with.
        run_id: ID of the run; required.
        rerun_tasks: Keys of the tasks to run again.
        latest_repair_id: The `repair_id` of the last repair; required unless this is the first.
        rerun_all_failed_tasks: Whether all failed tasks run again. Not together with `rerun_tasks`.
        jar_params: Parameters of the main function, for JAR tasks. At most 10,000 bytes as JSON. Not together with
            `notebook_params`.
        notebook_params: Parameters by name, for notebook tasks, which read them by `dbutils.widgets.get`. At most
            10,000 bytes as JSON. Not together with `jar_params`.
        python_params: Parameters of the command line, for Python tasks. ASCII only; at most 10,000 bytes as JSON.
        spark_submit_params: Parameters of the command line, for `spark-submit` tasks. ASCII only; at most 10,000 bytes
            as JSON.
        python_named_params: Parameters by name, for wheel tasks.
        pipeline_params: What changes of a pipeline's update, such as `{"full_refresh": True}`.
        sql_params: Parameters by name, for SQL tasks. Alerts take none.
        dbt_commands: Commands of dbt, in order, for dbt tasks, such as `["dbt deps", "dbt run"]`.
        job_parameters: Parameters of the job, by name. Not together with those of tasks.
        rerun_dependent_tasks: Whether tasks after those of `rerun_tasks` run again, even if they had succeeded.
        performance_target: How fast serverless compute shall be: `STANDARD` or `PERFORMANCE_OPTIMIZED`.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        A dictionary with `repair_id`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUNS_REPAIR,
        databricks_credentials,
        {
            "run_id": run_id,
            "rerun_tasks": rerun_tasks,
            "latest_repair_id": latest_repair_id,
            "rerun_all_failed_tasks": rerun_all_failed_tasks,
            "jar_params": jar_params,
            "notebook_params": notebook_params,
            "python_params": python_params,
            "spark_submit_params": spark_submit_params,
            "python_named_params": python_named_params,
            "pipeline_params": pipeline_params,
            "sql_params": sql_params,
            "dbt_commands": dbt_commands,
            "job_parameters": job_parameters,
            "rerun_dependent_tasks": rerun_dependent_tasks,
            "performance_target": performance_target,
        },
        fields,
        api_version,
    )


_JOBS_RUNS_SUBMIT = Operation(
    "jobs_runs_submit",
    HTTPMethod.POST,
    "jobs/runs/submit",
    {
        "tasks": list[models.RunSubmitTaskSettings],
        "run_name": str,
        "webhook_notifications": models.WebhookNotifications,
        "git_source": models.GitSource,
        "timeout_seconds": int,
        "idempotency_token": Token,
        "access_control_list": list[models.AccessControlRequest],
        "email_notifications": models.JobEmailNotifications,
        "queue": models.QueueSettings,
        "environments": list[models.JobEnvironment],
        "health": models.JobsHealthRules,
        "notification_settings": models.JobNotificationSettings,
        "run_as": models.JobRunAs,
        "performance_target": str,
        "budget_policy_id": str,
    },
)


@async_task()
async def jobs_runs_submit(
    databricks_credentials: DatabricksCredentials,
    tasks: Sequence[models.RunSubmitTaskSettings | Mapping[str, Any]] | None = None,
    run_name: str | None = None,
    webhook_notifications: models.WebhookNotifications | Mapping[str, Any] | None = None,
    git_source: models.GitSource | Mapping[str, Any] | None = None,
    timeout_seconds: int | None = None,
    idempotency_token: str | None = None,
    access_control_list: Sequence[models.AccessControlRequest | Mapping[str, Any]] | None = None,
    *,
    email_notifications: models.JobEmailNotifications | Mapping[str, Any] | None = None,
    queue: models.QueueSettings | Mapping[str, Any] | None = None,
    environments: Sequence[models.JobEnvironment | Mapping[str, Any]] | None = None,
    health: models.JobsHealthRules | Mapping[str, Any] | None = None,
    notification_settings: models.JobNotificationSettings | Mapping[str, Any] | None = None,
    run_as: models.JobRunAs | Mapping[str, Any] | None = None,
    performance_target: str | None = None,
    budget_policy_id: str | None = None,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Run tasks without a job, and do not wait for the end.

    The run is seen in the list of runs, not in that of jobs. `jobs_runs_get` tells how far it is.

    See [`/2.1/jobs/runs/submit`](https://docs.databricks.com/api/workspace/jobs/submit).

    Args:
        databricks_credentials: Credentials to authenticate with.
        tasks: Tasks of the run. At most 100.
        run_name: Name of the run; `Untitled` by default.
        webhook_notifications: System destinations that are told, at most 3 for each event; none by default.
        git_source: Remote repository that holds the code of the tasks.
        timeout_seconds: Seconds after which the run is stopped; without a limit by default.
        idempotency_token: Token of at most 64 characters: a second request with it finds the first run, and starts
            none. With a token, the request is also repeated when it is not known whether it arrived.
        access_control_list: Who may see and manage the run.
        email_notifications: Addresses that are told of starts, successes and failures; none by default.
        queue: Whether the run waits when there is no room.
        environments: Serverless environments that tasks name by key.
        health: Limits on duration and backlog that lead to a warning.
        notification_settings: Which notifications are left out.
        run_as: Who the run acts as.
        performance_target: How fast serverless compute shall be: `STANDARD` or `PERFORMANCE_OPTIMIZED`.
        budget_policy_id: ID of the budget policy that the cost belongs to.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        A dictionary with `run_id`.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_RUNS_SUBMIT,
        databricks_credentials,
        {
            "tasks": tasks,
            "run_name": run_name,
            "webhook_notifications": webhook_notifications,
            "git_source": git_source,
            "timeout_seconds": timeout_seconds,
            "idempotency_token": idempotency_token,
            "access_control_list": access_control_list,
            "email_notifications": email_notifications,
            "queue": queue,
            "environments": environments,
            "health": health,
            "notification_settings": notification_settings,
            "run_as": run_as,
            "performance_target": performance_target,
            "budget_policy_id": budget_policy_id,
        },
        fields,
        api_version,
    )


_JOBS_UPDATE = Operation(
    "jobs_update",
    HTTPMethod.POST,
    "jobs/update",
    {"job_id": int, "new_settings": models.JobSettings, "fields_to_remove": list[str]},
    required=("job_id",),
)


@async_task()
async def jobs_update(
    databricks_credentials: DatabricksCredentials,
    job_id: int | None = None,
    new_settings: models.JobSettings | Mapping[str, Any] | None = None,
    fields_to_remove: Sequence[str] | None = None,
    *,
    api_version: ApiVersion = "2.1",
    **fields: Any,
) -> dict[str, Any]:
    """Change some settings of a job.

    A setting that is given replaces the old one as a whole, lists of tasks and clusters by their keys. Active runs take
    over `timeout_seconds`; all else holds for later runs.

    See [`/2.1/jobs/update`](https://docs.databricks.com/api/workspace/jobs/update).

    Args:
        databricks_credentials: Credentials to authenticate with.
        job_id: ID of the job; required.
        new_settings: Settings to change. Only what was set of them is sent.
        fields_to_remove: Settings to remove, such as `["libraries", "schedule"]`; those inside others cannot be.
        api_version: Version of the API of jobs: `2.1`, or `2.2`.
        fields: Further fields of the request, as Databricks names them.

    Returns:
        An empty dictionary.

    Raises:
        DatabricksBadRequest: If an argument is missing, of the wrong type, or refused by Databricks.
        DatabricksAccessDenied: If the credentials are refused, or may not do this.
        DatabricksNotFound: If Databricks does not have it.
        DatabricksUnavailable: If Databricks did not answer until the deadline.
    """
    return await perform(
        _JOBS_UPDATE,
        databricks_credentials,
        {"job_id": job_id, "new_settings": new_settings, "fields_to_remove": fields_to_remove},
        fields,
        api_version,
    )
