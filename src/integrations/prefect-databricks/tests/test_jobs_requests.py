"""Requests hold what was given: defaults as published, of models what was set, and fields of later versions."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_databricks import jobs
from prefect_databricks._operations import to_json
from prefect_databricks.models import jobs as models

TASK = {"task_key": "a", "notebook_task": {"notebook_path": "/n"}}

REQUESTS: dict[str, tuple[Any, str, Any]] = {
    "export": (lambda c: jobs.jobs_runs_export.fn(7, c), "GET /api/2.0/jobs/runs/export", {"run_id": "7"}),
    "export views": (
        lambda c: jobs.jobs_runs_export.fn(7, c, models.ViewsToExport.all),
        "GET /api/2.0/jobs/runs/export",
        {"run_id": "7", "views_to_export": "ALL"},
    ),
    "create": (lambda c: jobs.jobs_create.fn(c), "POST /api/2.1/jobs/create", {"name": "Untitled"}),
    "delete": (lambda c: jobs.jobs_delete.fn(c, 7), "POST /api/2.1/jobs/delete", {"job_id": 7}),
    "get": (lambda c: jobs.jobs_get.fn(7, c), "GET /api/2.1/jobs/get", {"job_id": "7"}),
    "list": (
        lambda c: jobs.jobs_list.fn(c),
        "GET /api/2.1/jobs/list",
        {"limit": "20", "offset": "0", "expand_tasks": "false"},
    ),
    "list a later page": (
        lambda c: jobs.jobs_list.fn(c, page_token="next"),
        "GET /api/2.1/jobs/list",
        {"limit": "20", "expand_tasks": "false", "page_token": "next"},
    ),
    "reset": (
        lambda c: jobs.jobs_reset.fn(c, 7, models.JobSettings(name="a", tasks=[TASK])),
        "POST /api/2.1/jobs/reset",
        {"job_id": 7, "new_settings": {"name": "a", "tasks": [TASK]}},
    ),
    "run now": (
        lambda c: jobs.jobs_run_now.fn(
            c, 7, "token", python_params=("a", "b"), pipeline_params=models.PipelineParams(full_refresh=True)
        ),
        "POST /api/2.1/jobs/run-now",
        {
            "job_id": 7,
            "idempotency_token": "token",
            "python_params": ["a", "b"],
            "pipeline_params": {"full_refresh": True},
        },
    ),
    "cancel": (lambda c: jobs.jobs_runs_cancel.fn(c, 7), "POST /api/2.1/jobs/runs/cancel", {"run_id": 7}),
    "cancel all": (lambda c: jobs.jobs_runs_cancel_all.fn(c, 7), "POST /api/2.1/jobs/runs/cancel-all", {"job_id": 7}),
    "cancel all queued": (
        lambda c: jobs.jobs_runs_cancel_all.fn(c, all_queued_runs=True),
        "POST /api/2.1/jobs/runs/cancel-all",
        {"all_queued_runs": True},
    ),
    "delete run": (lambda c: jobs.jobs_runs_delete.fn(c, 7), "POST /api/2.1/jobs/runs/delete", {"run_id": 7}),
    "get run": (
        lambda c: jobs.jobs_runs_get.fn(7, c, include_history=True),
        "GET /api/2.1/jobs/runs/get",
        {"run_id": "7", "include_history": "true"},
    ),
    "get run of 2.2": (
        lambda c: jobs.jobs_runs_get.fn(7, c, page_token="next", api_version="2.2"),
        "GET /api/2.2/jobs/runs/get",
        {"run_id": "7", "page_token": "next"},
    ),
    "output": (lambda c: jobs.jobs_runs_get_output.fn(7, c), "GET /api/2.1/jobs/runs/get-output", {"run_id": "7"}),
    "list runs": (
        lambda c: jobs.jobs_runs_list.fn(c, job_id=7, start_time_from=5),
        "GET /api/2.1/jobs/runs/list",
        {
            "active_only": "false",
            "completed_only": "false",
            "job_id": "7",
            "offset": "0",
            "limit": "25",
            "expand_tasks": "false",
            "start_time_from": "5",
        },
    ),
    "repair": (
        lambda c: jobs.jobs_runs_repair.fn(c, 7, ["a"], 3, job_parameters={"x": "y"}, rerun_dependent_tasks=True),
        "POST /api/2.1/jobs/runs/repair",
        {
            "run_id": 7,
            "rerun_tasks": ["a"],
            "latest_repair_id": 3,
            "rerun_all_failed_tasks": False,
            "job_parameters": {"x": "y"},
            "rerun_dependent_tasks": True,
        },
    ),
    "submit": (
        lambda c: jobs.jobs_runs_submit.fn(
            c,
            [models.RunSubmitTaskSettings(**TASK, run_if="ALL_DONE", environment_key="default")],
            git_source={"git_url": "https://example.com/a", "git_provider": "gitHub"},
            access_control_list=[models.AccessControlRequest(group_name="g", permission_level="CAN_VIEW")],
            queue=models.QueueSettings(enabled=True),
            environments=[{"environment_key": "default", "spec": {"client": "1"}}],
        ),
        "POST /api/2.1/jobs/runs/submit",
        {
            "tasks": [{**TASK, "run_if": "ALL_DONE", "environment_key": "default"}],
            "git_source": {"git_url": "https://example.com/a", "git_provider": "gitHub"},
            "access_control_list": [{"group_name": "g", "permission_level": "CAN_VIEW"}],
            "queue": {"enabled": True},
            "environments": [{"environment_key": "default", "spec": {"client": "1"}}],
        },
    ),
    "update": (
        lambda c: jobs.jobs_update.fn(c, 7, models.JobSettings(max_concurrent_runs=2), ["schedule"]),
        "POST /api/2.1/jobs/update",
        {"job_id": 7, "new_settings": {"max_concurrent_runs": 2}, "fields_to_remove": ["schedule"]},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_holds_what_was_given(databricks, credentials, name):
    call, where, sent = REQUESTS[name]
    method, path = where.split()
    databricks.answers[method, path] = {"done": True}
    assert await call(credentials) == {"done": True}
    (seen,) = databricks.calls
    found = {key: values[0] for key, values in seen.query.items()} if method == "GET" else seen.body
    assert found == sent


@pytest.mark.parametrize("task", [name for name in jobs.__all__ if name.startswith("jobs_")])
async def test_every_task_sends_fields_of_a_later_version(databricks, credentials, task):
    function = getattr(jobs, task)
    databricks.answers = {tuple(where.split()): {} for _, where, _ in REQUESTS.values()}
    given = {"run_id": 7} if "run" in task else {"job_id": 7}
    given = {} if task in ("jobs_create", "jobs_runs_submit", "jobs_list", "jobs_runs_list") else given
    given = {"job_id": 7} if task in ("jobs_run_now", "jobs_runs_cancel_all") else given
    given = {**given, "new_settings": {}} if task == "jobs_reset" else given
    await function.fn(databricks_credentials=credentials, **given, later="x", empty=None)
    call = databricks.calls[-1]
    sent = {key: values[0] for key, values in call.query.items()} if call.http_method == "GET" else call.body
    assert sent["later"] == "x"
    assert "empty" not in sent


async def test_dictionaries_of_later_versions_are_sent_as_they_are(databricks, credentials):
    task = {"task_key": "a", "quantum_task": {"qubits": 3}, "new_cluster": {"policy_id": "p", "num_workers": 1}}
    databricks.answers["POST", "/api/2.1/jobs/runs/submit"] = {}
    await jobs.jobs_runs_submit.fn(credentials, [task, MappingProxyType({"task_key": "b"})], run_name=None)
    assert databricks.calls[-1].body == {"tasks": [task, {"task_key": "b"}]}


async def test_new_choices_in_dictionaries_are_left_to_databricks(databricks, credentials):
    databricks.answers["POST", "/api/2.1/jobs/runs/submit"] = {}
    task = {"task_key": "a", "run_if": "MOSTLY_DONE"}
    await jobs.jobs_runs_submit.fn(credentials, [task])
    assert databricks.calls[-1].body == {"tasks": [task]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (models.TaskKey("a"), "a"),
        (models.RunType.jobrun, "JOB_RUN"),
        (models.DbtTask(commands=["dbt run"], schema="s"), {"commands": ["dbt run"], "schema": "s"}),
        (models.InitScriptInfo(s3={"destination": "d"}), {"s3": {"destination": "d"}}),
        (models.ClusterTag(team="data"), {"team": "data"}),
        (models.JobSettings(), {}),
        (models.PipelineTask(pipeline_id="p"), {"pipeline_id": "p"}),
        (models.PipelineTask(pipeline_id="p", full_refresh=False), {"pipeline_id": "p", "full_refresh": False}),
        (models.TaskDependencies([models.TaskDependency(task_key="a")]), [{"task_key": "a"}]),
        ({"a": None, "b": [models.TaskKey("c"), {"d": None}]}, {"b": ["c", {}]}),
        (SecretStr("s"), "s"),
        ({"day": date(2026, 1, 31), "at": Path("/a")}, {"day": "2026-01-31", "at": "/a"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_are_written_as_databricks_wants_them(value, written):
    assert to_json(value) == written
