"""Tasks do at Databricks what their names say, from sync and async flows, and say what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow

from prefect_databricks import jobs
from prefect_databricks.errors import (
    DatabricksAccessDenied,
    DatabricksBadRequest,
    DatabricksError,
    DatabricksNotFound,
    DatabricksUnavailable,
)
from prefect_databricks.models.jobs import (
    AutoScale,
    AwsAttributes,
    Job,
    JobSettings,
    JobTaskSettings,
    NewCluster,
    NotebookTask,
    Run,
    RunLifeCycleState,
    RunResultState,
    RunSubmitTaskSettings,
)
from prefect_integration_tests.backends.databricks import Databricks, TaskPlay

NOTEBOOK = {"notebook_task": {"notebook_path": "/Shared/nightly"}}


def last_body(databricks: Databricks) -> Any:
    return databricks.calls[-1].body


async def test_a_job_is_made_read_changed_replaced_listed_and_deleted(databricks, credentials):
    made = await jobs.jobs_create.fn(
        credentials, name="Sales", tags={"team": "data"}, tasks=[JobTaskSettings(task_key="main", **NOTEBOOK)]
    )
    job_id = made["job_id"]
    job = Job.model_validate(await jobs.jobs_get.fn(job_id, credentials))
    assert job.settings is not None
    assert (job.settings.name, job.settings.tags) == ("Sales", {"team": "data"})

    await jobs.jobs_update.fn(credentials, job_id, JobSettings(max_concurrent_runs=3), fields_to_remove=["tags"])
    settings = (await jobs.jobs_get.fn(job_id, credentials))["settings"]
    assert (settings["name"], settings["max_concurrent_runs"]) == ("Sales", 3)
    assert "tags" not in settings

    await jobs.jobs_reset.fn(credentials, job_id, {"name": "New", "tasks": [{"task_key": "only", **NOTEBOOK}]})
    listed = await jobs.jobs_list.fn(credentials, name="new", expand_tasks=True)
    assert [(each["job_id"], each["settings"]["name"]) for each in listed["jobs"]] == [(job_id, "New")]
    assert [task["task_key"] for task in listed["jobs"][0]["settings"]["tasks"]] == ["only"]

    assert await jobs.jobs_delete.fn(credentials, job_id) == {}
    with pytest.raises(DatabricksNotFound, match=rf"jobs_get \(job_id {job_id}\).*does not exist"):
        await jobs.jobs_get.fn(job_id, credentials)


async def test_a_run_of_a_job_is_started_watched_and_its_output_read(databricks, credentials):
    databricks.add_notebook("/Shared/nightly", "dbutils.notebook.exit(dbutils.widgets.get('day'))")
    job_id = databricks.add_job(parameters=[{"name": "day", "default": "monday"}])
    run_id = (await jobs.jobs_run_now.fn(credentials, job_id, job_parameters={"day": "friday"}))["run_id"]
    while not (answer := await jobs.jobs_runs_get.fn(run_id, credentials, include_history=True))["state"].get(
        "result_state"
    ):
        databricks.clock.advance(1)
    run = Run.model_validate(answer)
    assert run.state is not None
    assert run.state.life_cycle_state is RunLifeCycleState.terminated
    assert run.state.result_state is RunResultState.success
    output = await jobs.jobs_runs_get_output.fn(answer["tasks"][0]["run_id"], credentials)
    assert output["notebook_output"]["result"] == "friday"
    exported = await jobs.jobs_runs_export.fn(answer["tasks"][0]["run_id"], credentials, "CODE")
    assert [view["type"] for view in exported["views"]] == ["NOTEBOOK"]
    assert databricks.calls[-1].version == "2.0"


async def test_a_failed_run_is_repaired_and_an_ended_one_deleted(databricks, credentials):
    databricks.script("main", TaskPlay(result="FAILED"), TaskPlay())
    run_id = (await jobs.jobs_run_now.fn(credentials, databricks.add_job()))["run_id"]
    databricks.clock.advance(600)
    assert databricks.result_of(run_id) == "FAILED"
    await jobs.jobs_runs_repair.fn(credentials, run_id, rerun_all_failed_tasks=True)
    databricks.clock.advance(600)
    assert databricks.result_of(run_id) == "SUCCESS"
    assert await jobs.jobs_runs_delete.fn(credentials, run_id) == {}
    assert (await jobs.jobs_runs_list.fn(credentials)).get("runs", []) == []


async def test_runs_are_cancelled_one_or_all(databricks, credentials):
    databricks.jobs_api.play = TaskPlay(seconds=None)
    job_id = databricks.add_job(max_concurrent_runs=3)
    first, second, third = [(await jobs.jobs_run_now.fn(credentials, job_id))["run_id"] for _ in range(3)]
    await jobs.jobs_runs_cancel.fn(credentials, first)
    databricks.clock.advance(60)
    assert [each["run_id"] for each in (await jobs.jobs_runs_list.fn(credentials, active_only=True))["runs"]] == [
        third,
        second,
    ]
    await jobs.jobs_runs_cancel_all.fn(credentials, job_id)
    databricks.clock.advance(60)
    assert [databricks.result_of(each) for each in (first, second, third)] == ["CANCELED"] * 3


async def test_a_token_starts_one_run_however_often_it_is_sent(databricks, credentials):
    databricks.fail("SubmitRun", when="after")  # the run is started, and nobody hears of it
    given = {"tasks": [{"task_key": "a", **NOTEBOOK}], "idempotency_token": "once"}
    first = await jobs.jobs_runs_submit.fn(credentials, **given)
    assert await jobs.jobs_runs_submit.fn(credentials, **given) == first
    assert len(databricks.runs) == 1
    job_id = databricks.add_job()
    runs = [await jobs.jobs_run_now.fn(credentials, job_id, idempotency_token="now") for _ in range(2)]
    assert runs[0] == runs[1]


async def test_a_run_that_may_have_started_is_not_submitted_again_without_a_token(databricks, credentials):
    databricks.fail("SubmitRun", when="after")
    with pytest.raises(DatabricksUnavailable):
        await jobs.jobs_runs_submit.fn(credentials, [{"task_key": "a", **NOTEBOOK}])
    assert len(databricks.runs) == 1


def test_the_documented_flow_runs_a_notebook_on_a_new_cluster(databricks, credentials, prefect_harness):
    @flow
    def jobs_runs_submit_flow(notebook_path: str, **base_parameters: Any) -> Any:
        new_cluster = NewCluster(
            aws_attributes=AwsAttributes(
                availability="SPOT",
                zone_id="us-west-2a",
                ebs_volume_type="GENERAL_PURPOSE_SSD",
                ebs_volume_count=3,
                ebs_volume_size=100,
            ),
            autoscale=AutoScale(min_workers=1, max_workers=2),
            node_type_id="m4.large",
            spark_version="10.4.x-scala2.12",
            spark_conf={"spark.speculation": True},
        )
        notebook_task = NotebookTask(notebook_path=notebook_path, base_parameters=base_parameters)
        task = JobTaskSettings(new_cluster=new_cluster, notebook_task=notebook_task, task_key="prefect-task")
        return jobs.jobs_runs_submit(databricks_credentials=credentials, run_name="prefect-job", tasks=[task])

    run = jobs_runs_submit_flow("/Users/username@gmail.com/example.ipynb", name="Marvin")
    assert databricks.run(run["run_id"])["run_name"] == "prefect-job"
    (call,) = databricks.calls_of("SubmitRun")
    assert call.path == "/api/2.1/jobs/runs/submit"
    assert call.body == {
        "run_name": "prefect-job",
        "tasks": [
            {
                "task_key": "prefect-task",
                "notebook_task": {
                    "notebook_path": "/Users/username@gmail.com/example.ipynb",
                    "base_parameters": {"name": "Marvin"},
                },
                "new_cluster": {
                    "aws_attributes": {
                        "availability": "SPOT",
                        "ebs_volume_count": 3,
                        "ebs_volume_size": 100,
                        "ebs_volume_type": "GENERAL_PURPOSE_SSD",
                        "zone_id": "us-west-2a",
                    },
                    "autoscale": {"max_workers": 2, "min_workers": 1},
                    "node_type_id": "m4.large",
                    "spark_conf": {"spark.speculation": True},
                    "spark_version": "10.4.x-scala2.12",
                },
            }
        ],
    }


async def test_a_task_is_awaited_in_an_async_flow_and_submitted(databricks, credentials, prefect_harness):
    databricks.add_job()

    @flow
    async def count() -> list[int]:
        first = await jobs.jobs_list(credentials)
        second = jobs.jobs_list.with_options(retries=1).submit(credentials, limit=1).result()
        return [len(first["jobs"]), len((await second if hasattr(second, "__await__") else second)["jobs"])]

    assert await count() == [1, 1]


@pytest.mark.parametrize(
    ("status", "error"), [(401, DatabricksAccessDenied), (403, DatabricksAccessDenied), (400, DatabricksBadRequest)]
)
async def test_a_refusal_is_raised_at_once(databricks, credentials, status, error):
    import httpx

    databricks.fail("GetJob", status, times=None, message="That is wrong.")
    with pytest.raises(error, match=r"jobs_get \(job_id 7\): Databricks answered") as caught:
        await jobs.jobs_get.fn(7, credentials)
    assert isinstance(caught.value, httpx.HTTPStatusError)
    assert len(databricks.calls_of("GetJob")) == 1


async def test_a_failure_that_passes_is_outlasted(databricks, credentials, clock):
    job_id = databricks.add_job()
    databricks.fail("GetJob", 503, times=2)
    databricks.fail("GetJob", 429, retry_after="7")
    assert (await jobs.jobs_get.fn(job_id, credentials))["job_id"] == job_id
    assert 7 in clock.sleeps


BAD: dict[str, tuple[Any, str]] = {
    "job_id missing": (lambda c: jobs.jobs_delete.fn(c), r"jobs_delete: `job_id` is required"),
    "run_id missing": (lambda c: jobs.jobs_runs_repair.fn(c, rerun_tasks=["a"]), r"`run_id` is required"),
    "job_id no number": (lambda c: jobs.jobs_run_now.fn(c, "nightly"), r"`job_id`: Input should be a valid integer"),
    "neither job nor queue": (lambda c: jobs.jobs_runs_cancel_all.fn(c), r"`job_id` or `all_queued_runs` is required"),
    "long token": (lambda c: jobs.jobs_run_now.fn(c, 1, "x" * 65), r"`idempotency_token`: .*at most 64 characters"),
    "task without key": (lambda c: jobs.jobs_create.fn(c, tasks=[NOTEBOOK]), r"`tasks\[0\].task_key`: Field required"),
    "task with a bad key": (
        lambda c: jobs.jobs_runs_submit.fn(c, [{"task_key": "a"}, {"task_key": "b c"}]),
        r"`tasks\[1\].task_key`: String should match pattern",
    ),
    "two tasks of one key": (
        lambda c: jobs.jobs_runs_submit.fn(c, [RunSubmitTaskSettings(task_key="a"), {"task_key": "a"}]),
        r"`tasks\[1\].task_key` is 'a' a second time",
    ),
    "field deep in a cluster": (
        lambda c: jobs.jobs_runs_submit.fn(
            c, [{"task_key": "a", "new_cluster": {"aws_attributes": {"ebs_volume_count": "many"}}}]
        ),
        r"`tasks\[0\].new_cluster.aws_attributes.ebs_volume_count`: Input should be a valid integer",
    ),
    "tasks no list": (
        lambda c: jobs.jobs_create.fn(c, tasks={"task_key": "a"}),
        r"`tasks`: Input should be a valid list",
    ),
    "parameters no dictionary": (lambda c: jobs.jobs_run_now.fn(c, 1, job_parameters=["a"]), r"`job_parameters`: "),
    "value that JSON does not have": (
        lambda c: jobs.jobs_run_now.fn(c, 1, job_parameters={"a": object()}),
        r"`job_parameters` cannot be written as JSON.*object",
    ),
    "no version": (lambda c: jobs.jobs_get.fn(1, c, api_version="../2.1"), r"`api_version` is '../2.1'"),
    "both kinds of parameters": (
        lambda c: jobs.jobs_run_now.fn(c, 1, jar_params=["a"], notebook_params={"a": "b"}),
        r"`jar_params` and `notebook_params` exclude each other",
    ),
    "active and completed": (
        lambda c: jobs.jobs_runs_list.fn(c, active_only=True, completed_only=True),
        r"`active_only` and `completed_only` exclude each other",
    ),
    "settings of a wrong type": (
        lambda c: jobs.jobs_update.fn(c, 1, {"max_concurrent_runs": "few"}),
        r"`new_settings.max_concurrent_runs`: ",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_argument_is_refused_by_name_before_anything_is_sent(databricks, credentials, name):
    call, message = BAD[name]
    with pytest.raises(DatabricksBadRequest, match=message) as caught:
        await call(credentials)
    assert isinstance(caught.value, DatabricksError)
    assert isinstance(caught.value, ValueError)
    assert databricks.calls == []
