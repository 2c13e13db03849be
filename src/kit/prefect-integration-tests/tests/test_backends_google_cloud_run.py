"""The local Cloud Run: jobs, executions and tasks, as the descriptions in Google's schema of API v2 have them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("googleapiclient")

from prefect_integration_tests.backends.google_api import GoogleApi

from ._google import JOB, PLACE, PROJECT, Json, at_once, ended, refused


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    return at_once(empty_google_api)


@pytest.fixture(scope="module")
def client(google_api: GoogleApi) -> Any:
    return google_api.client("run", "v2")


@pytest.fixture
def jobs(api: GoogleApi, client: Any) -> Any:
    return client.projects().locations().jobs()


def template(tasks: int = 1, **task: Any) -> Json:
    container = task.pop("container", {})
    return {
        "taskCount": tasks,
        "template": {"maxRetries": 0, "containers": [{"image": "flows:dev", **container}], **task},
    }


def create(jobs: Any, job_id: str = "etl", **body: Any) -> Json:
    return jobs.create(parent=PLACE, jobId=job_id, body={"template": template(), **body}).execute()


def run(jobs: Any, **body: Any) -> str:
    """Start an execution; its name."""
    return jobs.run(name=JOB, body=body).execute()["metadata"]["name"]


def completed(execution: Json) -> Json:
    return next(each for each in execution["conditions"] if each["type"] == "Completed")


# Jobs


def test_a_new_job_is_reconciled_then_ready(api, jobs):
    api.run.settings.ready_delay_seconds = 60
    operation = create(jobs, labels={"flow": "etl"})
    job = operation["metadata"]
    assert (job["generation"], job["reconciling"], "observedGeneration" in job) == ("1", True, False)
    assert job["terminalCondition"]["state"] == "CONDITION_RECONCILING"
    assert refused(lambda: run(jobs))[:2] == (400, "FAILED_PRECONDITION")
    api.clock.advance(61)
    job = jobs.get(name=JOB).execute()
    assert (job["observedGeneration"], "reconciling" in job) == ("1", False)
    assert job["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    assert job["labels"] == {"flow": "etl"}


def test_a_job_that_is_there_is_not_made_again(jobs):
    create(jobs)
    assert refused(lambda: create(jobs))[:2] == (409, "ALREADY_EXISTS")


def test_a_missing_job_is_named(jobs):
    for call in (jobs.get(name=JOB), jobs.delete(name=JOB), jobs.run(name=JOB), jobs.executions().list(parent=JOB)):
        code, status, message = refused(call.execute)
        assert (code, status) == (404, "NOT_FOUND")
        assert "'etl'" in message


def test_a_dry_run_makes_nothing(api, jobs):
    jobs.create(parent=PLACE, jobId="etl", body={"template": template()}, validateOnly=True).execute()
    assert api.run.jobs == []


def test_a_change_is_a_new_generation_and_an_old_etag_is_refused(api, jobs):
    create(jobs)
    old = jobs.get(name=JOB).execute()
    jobs.patch(name=JOB, body={"template": template(2), "etag": old["etag"]}).execute()
    job = jobs.get(name=JOB).execute()
    assert (job["generation"], job["observedGeneration"], job["template"]["taskCount"]) == ("2", "2", 2)
    for call in (
        jobs.patch(name=JOB, body={"template": template(), "etag": old["etag"]}),
        jobs.delete(name=JOB, etag=old["etag"]),
        jobs.run(name=JOB, body={"etag": old["etag"]}),
    ):
        assert refused(call.execute)[:2] == (409, "ABORTED")
    other = f"{PLACE}/jobs/other"
    assert refused(jobs.patch(name=other, body={"template": template()}).execute)[0] == 404
    jobs.patch(name=other, body={"template": template()}, allowMissing=True).execute()
    assert len(api.run.jobs) == 2


@pytest.mark.parametrize(
    ("job_id", "body", "field"),
    [
        ("Etl", {}, "CreateJobRequest.job_id"),
        ("e" * 64, {}, "CreateJobRequest.job_id"),
        ("etl-", {}, "CreateJobRequest.job_id"),
        ("etl", {"labels": {"prefect.io/flow": "x"}}, "job.labels"),
        ("etl", {"labels": {"run.googleapis.com/x": "x"}}, "system key"),
        ("etl", {"labels": {"flow": "Upper Case"}}, "job.labels"),
        ("etl", {"labels": {f"l{number}": "" for number in range(65)}}, "at most 64 labels"),
        ("etl", {"annotations": {"run.googleapis.com/x": "x"}}, "job.annotations"),
        ("etl", {"template": {}}, "job.template.template"),
        ("etl", {"template": {"template": {}}}, "template.template.containers"),
        ("etl", {"template": {"template": {"containers": [{}]}}}, "containers[0].image"),
        ("etl", {"template": template(timeout="0s")}, "template.template.timeout"),
        ("etl", {"template": template(timeout="604801s")}, "template.template.timeout"),
        ("etl", {"template": template(maxRetries=11)}, "template.template.max_retries"),
        ("etl", {"template": template(0)}, "template.task_count"),
        ("etl", {"template": {**template(), "parallelism": 2}}, "template.parallelism"),
        ("etl", {"template": template(container={"resources": {"limits": {"cpu": "3"}}})}, "limits.cpu"),
        ("etl", {"template": template(container={"resources": {"limits": {"memory": "511Mi"}}})}, "limits.memory"),
        ("etl", {"template": template(container={"resources": {"limits": {"memory": "5Gi"}}})}, "limits.memory"),
        ("etl", {"template": template(container={"resources": {"limits": {"disk": "1"}}})}, "resources.limits"),
        ("etl", {"template": template(container={"env": [{"name": "CLOUD_RUN_JOB", "value": "x"}]})}, "env[0].name"),
        ("etl", {"template": template(container={"env": [{"value": "x"}]})}, "env[0].name"),
        ("etl", {"template": template(container={"env": [{"name": "A", "value": "x" * 32769}]})}, "env[0].value"),
        (
            "etl",
            {"template": template(container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]})},
            "volume_mounts",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_cloud_run_does_not_take_is_refused_by_the_name_of_the_field(api, jobs, job_id, body, field):
    code, status, message = refused(lambda: create(jobs, job_id, **body))
    assert (code, status) == (400, "INVALID_ARGUMENT")
    assert field in message
    assert api.run.jobs == []


def test_a_region_takes_a_thousand_jobs(api, jobs):
    assert api.run.settings.most_jobs == 1000
    api.run.settings.most_jobs = 1
    create(jobs)
    code, status, message = refused(lambda: create(jobs, "more"))
    assert (code, status) == (429, "RESOURCE_EXHAUSTED")
    assert "Quota exceeded for quota metric 'Jobs'" in message
    elsewhere = PLACE.replace("us-central1", "us-east1")
    jobs.create(parent=elsewhere, jobId="more", body={"template": template()}).execute()
    assert len(jobs.list(parent=PLACE.replace("us-central1", "-")).execute()["jobs"]) == 2


@pytest.mark.parametrize("reason", ["CONTAINER_MISSING", "CONTAINER_IMAGE_UNAUTHORIZED"])
def test_a_job_whose_image_cannot_be_had_does_not_become_ready(api, jobs, reason):
    api.play(image_problem=reason)
    operation = create(jobs)
    job = jobs.get(name=JOB).execute()
    assert job["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert job["terminalCondition"]["reason"] == reason
    assert "flows:dev" in job["terminalCondition"]["message"]
    assert operation["error"]["message"] == job["terminalCondition"]["message"]
    assert refused(lambda: run(jobs))[1] == "FAILED_PRECONDITION"


def test_a_job_whose_secret_is_not_there_does_not_become_ready(api, jobs):
    secret = {"name": "KEY", "valueSource": {"secretKeyRef": {"secret": "api-key", "version": "latest"}}}
    create(jobs, template=template(container={"env": [secret]}))
    condition = jobs.get(name=JOB).execute()["terminalCondition"]
    assert condition["reason"] == "SECRETS_ACCESS_CHECK_FAILED"
    assert f"projects/{PROJECT}/secrets/api-key/versions/latest" in condition["message"]
    api.run.secrets.set("api-key", "s3cret")
    jobs.patch(name=JOB, body={"template": template(container={"env": [secret]})}).execute()
    assert jobs.get(name=JOB).execute()["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"


def test_a_token_starts_one_execution_of_that_name(api, jobs):
    create(jobs, startExecutionToken="abc")
    assert [each["name"] for each in api.run.executions] == [f"{JOB}/executions/etl-abc"]
    assert refused(lambda: create(jobs, startExecutionToken="abc"))[0] == 409
    assert refused(lambda: create(jobs, "e" * 60, startExecutionToken="abcd"))[0] == 400


# Executions


def test_an_execution_that_succeeds_says_so(api, jobs):
    api.run.settings.start_delay_seconds = 5
    api.play(lines=["hello"])
    create(jobs, labels={"flow": "etl"})
    assert jobs.get(name=JOB).execute()["latestCreatedExecution"] == {}
    name = run(jobs)
    pending = jobs.executions().get(name=name).execute()
    assert (pending["reconciling"], "startTime" in pending) == (True, False)
    assert completed(pending)["state"] == "CONDITION_RECONCILING"
    job = jobs.get(name=JOB).execute()
    assert job["executionCount"] == 1
    assert job["latestCreatedExecution"]["completionStatus"] == "EXECUTION_PENDING"
    api.clock.advance(6)
    execution = ended(api, name)
    assert (execution["succeededCount"], execution["taskCount"], execution["labels"]) == (1, 1, {"flow": "etl"})
    assert completed(execution)["state"] == "CONDITION_SUCCEEDED"
    assert {each["type"] for each in execution["conditions"]} >= {"Completed", "ContainerReady", "Started"}
    assert jobs.get(name=JOB).execute()["latestCreatedExecution"]["completionStatus"] == "EXECUTION_SUCCEEDED"


def test_an_execution_that_fails_says_why(api, jobs):
    api.play(exit_code=3)
    create(jobs)
    execution = ended(api, run(jobs))
    condition = completed(execution)
    assert (condition["state"], condition["executionReason"]) == ("CONDITION_FAILED", "NON_ZERO_EXIT_CODE")
    assert condition["message"].endswith("-task0 failed with message: The container exited with an error.")
    assert execution["failedCount"] == 1
    task = jobs.executions().tasks().list(parent=execution["name"]).execute()["tasks"][0]
    assert task["lastAttemptResult"]["exitCode"] == 3
    assert jobs.executions().tasks().get(name=task["name"]).execute() == task


def test_a_task_is_tried_again_as_often_as_its_job_says(api, jobs):
    api.play(exit_code=1, times=2)
    create(jobs, template=template(maxRetries=2))
    execution = ended(api, run(jobs))
    assert (execution["succeededCount"], execution["retriedCount"]) == (1, 1)
    assert any(each["type"] == "Retry" for each in execution["conditions"])
    api.play(exit_code=1)
    execution = ended(api, run(jobs))
    assert execution["failedCount"] == 1
    assert jobs.executions().tasks().list(parent=execution["name"]).execute()["tasks"][0]["retried"] == 2


def test_a_task_past_its_timeout_is_ended(api, jobs):
    api.play(seconds=None)
    create(jobs, template=template(timeout="3600s"))
    name = run(jobs)
    api.clock.advance(3599)
    assert api.run.running == 1
    api.clock.advance(2)
    assert "The configured timeout was reached." in completed(ended(api, name))["message"]
    assert api.run.running == 0


def test_a_container_out_of_memory_is_reported_so(api, jobs):
    api.play(seconds=None)
    create(jobs)
    name = run(jobs)
    api.run.run_out_of_memory(name)
    assert "Memory limit of 512 MiB exceeded" in completed(ended(api, name))["message"]


def test_no_more_tasks_run_at_once_than_may(api, jobs):
    api.play(seconds=None)
    create(jobs, template={**template(3), "parallelism": 2})
    name = run(jobs)
    assert api.run.execution(name)["runningCount"] == 2
    api.run.end(name)
    assert api.run.execution(name)["succeededCount"] == 2
    api.run.end(name)
    assert ended(api, name)["succeededCount"] == 3


def test_overrides_change_one_execution(api, jobs):
    create(jobs, template=template(container={"args": ["a"], "env": [{"name": "A", "value": "1"}, {"name": "B"}]}))
    override = {"args": ["b"], "env": [{"name": "A", "value": "2"}]}
    name = run(jobs, overrides={"taskCount": 2, "timeout": "5s", "containerOverrides": [override]})
    execution = ended(api, name)
    container = execution["template"]["containers"][0]
    assert (execution["taskCount"], execution["template"]["timeout"], container["args"]) == (2, "5s", ["b"])
    assert {each["name"]: each.get("value") for each in container["env"]} == {"B": None, "A": "2"}
    assert jobs.get(name=JOB).execute()["template"]["template"]["containers"][0]["args"] == ["a"]
    unknown = {"containerOverrides": [{"name": "sidecar"}]}
    assert refused(lambda: run(jobs, overrides=unknown))[0] == 400


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ({}, {"termSignal": 15}),
        ({"exit_code_after_stop": 143}, {"exitCode": 143}),
        ({"stop_seconds": 11}, {"termSignal": 9}),
    ],
    ids=["ended-by-sigterm", "handles-sigterm", "ignores-sigterm"],
)
def test_a_cancelled_execution_gets_sigterm_then_sigkill_after_ten_seconds(api, jobs, script, result):
    api.play(seconds=None, **script)
    create(jobs, template=template(2))
    name = run(jobs)
    operation = jobs.executions().cancel(name=name, body={}).execute()
    assert completed(operation["metadata"])["executionReason"] == "CANCELLING"
    api.clock.advance(10)
    execution = ended(api, name)
    assert (completed(execution)["executionReason"], execution["cancelledCount"]) == ("CANCELLED", 2)
    task = jobs.executions().tasks().list(parent=name).execute()["tasks"][0]
    assert result.items() <= task["lastAttemptResult"].items()
    assert refused(jobs.executions().cancel(name=name, body={}).execute)[1] == "FAILED_PRECONDITION"


def test_an_execution_that_is_cancelled_before_it_starts_never_does(api, jobs):
    api.run.settings.start_delay_seconds = 60
    create(jobs)
    name = run(jobs)
    jobs.executions().cancel(name=name, body={}).execute()
    api.clock.advance(100)
    assert "startTime" not in ended(api, name)


def test_a_job_is_gone_when_its_running_execution_has_ended(api, jobs):
    api.play(seconds=None, stop_seconds=5)
    create(jobs)
    run(jobs)
    operation = jobs.delete(name=JOB).execute()
    assert "done" not in operation
    assert "deleteTime" in jobs.get(name=JOB).execute()
    assert refused(lambda: run(jobs))[1] == "FAILED_PRECONDITION"
    api.clock.advance(6)
    assert refused(jobs.get(name=JOB).execute)[0] == 404
    assert (api.run.jobs, api.run.running) == ([], 0)


def test_a_deleted_execution_is_stopped_and_gone(api, jobs):
    api.play(seconds=None)
    create(jobs)
    name = run(jobs)
    jobs.executions().delete(name=name).execute()
    api.clock.advance(1)
    assert refused(jobs.executions().get(name=name).execute)[0] == 404
    assert (len(api.run.jobs), api.run.running) == (1, 0)


def test_executions_of_all_jobs_are_listed_at_once_by_pages(api, jobs):
    for job_id in ("one", "two"):
        create(jobs, job_id)
        jobs.run(name=f"{PLACE}/jobs/{job_id}").execute()
    listing = jobs.executions().list(parent=f"{PLACE}/jobs/-", pageSize=1)
    first = listing.execute()
    rest = jobs.executions().list_next(listing, first).execute()
    assert [each["job"] for each in first["executions"] + rest["executions"]] == ["two", "one"]
    assert len(jobs.executions().list(parent=f"{PLACE}/jobs/one").execute()["executions"]) == 1


def test_an_execution_that_cannot_start_fails_with_the_cause(api, jobs):
    api.play(start_problem="Internal system error, system will retry.")
    create(jobs)
    assert completed(ended(api, run(jobs)))["message"] == "Internal system error, system will retry."


def test_what_is_lost_behind_the_api_is_not_found(api, jobs):
    api.play(seconds=None)
    create(jobs)
    name = run(jobs)
    api.run.forget(name)
    assert refused(jobs.executions().get(name=name).execute)[0] == 404
    api.run.forget("etl")
    assert refused(jobs.get(name=JOB).execute)[0] == 404


def test_what_containers_write_is_in_cloud_logging(api, jobs):
    api.play(lines=["hello", '{"severity": "warning", "message": "hm"}'])
    create(jobs)
    name = ended(api, run(jobs))["name"].rpartition("/")[2]
    label = f'labels."run.googleapis.com/execution_name"="{name}"'
    body = {"resourceNames": [f"projects/{PROJECT}"], "filter": f'resource.type="cloud_run_job" AND {label}'}
    entries = api.client("logging", "v2").entries().list(body=body).execute()["entries"]
    assert entries[0]["textPayload"] == "hello"
    assert (entries[1]["jsonPayload"], entries[1]["severity"]) == ({"message": "hm"}, "WARNING")
    assert entries[0]["resource"]["labels"]["job_name"] == "etl"
