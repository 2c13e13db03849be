"""Executions of the local Cloud Run as real containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("googleapiclient")

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.google_api import GoogleApi

pytestmark = pytest.mark.xdist_group("docker")

Json = dict[str, Any]
PLACE = "projects/test-project/locations/us-central1"
JOB = f"{PLACE}/jobs/etl"


@pytest.fixture
def api(empty_google_api: GoogleApi, docker_engine: DockerEngine, busybox_image: str) -> Iterator[GoogleApi]:
    empty_google_api.run.use_engine(docker_engine)
    yield empty_google_api
    empty_google_api.reset()


def start(
    api: GoogleApi, script: str, *, env: list[Json] | None = None, image: str = "busybox:dev", **task: Any
) -> str:
    """Create a job with a shell script and run it; the name of the execution."""
    jobs = api.client("run", "v2").projects().locations().jobs()
    mounts = task.pop("volumeMounts", [])
    container: Json = {"image": "busybox:dev", "command": ["sh", "-c"], "args": [script], "env": env or []}
    container["volumeMounts"] = mounts
    body = {"template": {"template": {"maxRetries": 0, "containers": [container], **task}}}
    jobs.create(parent=PLACE, jobId="etl", body=body).execute()
    wait(lambda: "reconciling" not in api.run.jobs[0])
    return jobs.run(name=JOB, body={}).execute()["metadata"]["name"]


def wait(is_so: Any) -> None:
    poll(lambda: is_so() or None, subject="the container", interval_seconds=0.05, timeout_seconds=60)


def ended(api: GoogleApi, name: str) -> Json:
    wait(lambda: "completionTime" in api.run.execution(name))
    return api.run.execution(name)


def output(api: GoogleApi) -> list[tuple[str, str]]:
    body = {"resourceNames": ["projects/test-project"]}
    entries = api.client("logging", "v2").entries().list(body=body).execute().get("entries", [])
    return [(entry["logName"].rpartition("%2F")[2], entry["textPayload"]) for entry in entries]


def test_a_container_gets_its_environment_and_its_output_is_logged(api):
    api.run.secrets.set("api-key", "s3cret")
    secret = {"name": "KEY", "valueSource": {"secretKeyRef": {"secret": "api-key", "version": "latest"}}}
    files = {"name": "keys", "secret": {"secret": "api-key", "items": [{"path": "key.txt", "version": "1"}]}}
    script = (
        'echo "$A $KEY $CLOUD_RUN_TASK_INDEX/$CLOUD_RUN_TASK_COUNT $CLOUD_RUN_JOB"; cat /keys/key.txt; echo; '
        "echo oh >&2; exit 0"
    )
    name = start(
        api,
        script,
        env=[{"name": "A", "value": "a b"}, secret],
        volumes=[files],
        volumeMounts=[{"name": "keys", "mountPath": "/keys"}],
    )
    assert ended(api, name)["succeededCount"] == 1
    assert sorted(output(api)) == [("stderr", "oh"), ("stdout", "a b s3cret 0/1 etl"), ("stdout", "s3cret")]


def test_an_exit_code_is_the_containers_own(api):
    name = start(api, "exit 7", maxRetries=1)
    execution = ended(api, name)
    assert (execution["failedCount"], execution["retriedCount"]) == (1, 1)
    tasks = api.client("run", "v2").projects().locations().jobs().executions().tasks()
    assert tasks.list(parent=name).execute()["tasks"][0]["lastAttemptResult"]["exitCode"] == 7


def test_a_container_reaches_what_listens_on_loopback(api):
    name = start(api, f"wget -q -O - {api.endpoint}/v2/{PLACE}/jobs | grep -c etl")
    assert ended(api, name)["succeededCount"] == 1


def test_a_cancelled_container_is_told_by_sigterm(api):
    name = start(api, "trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.1; done")
    wait(lambda: ("stdout", "up") in output(api))
    executions = api.client("run", "v2").projects().locations().jobs().executions()
    executions.cancel(name=name, body={}).execute()
    assert ended(api, name)["cancelledCount"] == 1
    assert ("stdout", "bye") in output(api)


def test_a_deleted_job_takes_its_containers_with_it(api, docker_engine):
    api.run.settings.grace_seconds = 1
    start(api, "trap '' TERM; echo up; while true; do sleep 0.1; done")
    wait(lambda: ("stdout", "up") in output(api))
    api.client("run", "v2").projects().locations().jobs().delete(name=JOB).execute()
    wait(lambda: not api.run.jobs)

    def is_clean() -> bool:
        return not docker_engine.client().api.containers(all=True, filters={"label": "prefect-tests-cloud-run"})

    wait(is_clean)


def test_a_container_past_its_timeout_is_killed(api):
    name = start(api, "sleep 100", timeout="1s")
    condition = ended(api, name)["conditions"][0]
    assert "The configured timeout was reached." in condition["message"]


def test_an_image_that_the_engine_lacks_is_missing(api):
    jobs = api.client("run", "v2").projects().locations().jobs()
    body = {"template": {"template": {"containers": [{"image": "nobody/has:this"}]}}}
    jobs.create(parent=PLACE, jobId="etl", body=body).execute()
    wait(lambda: "reconciling" not in api.run.jobs[0])
    assert api.run.jobs[0]["terminalCondition"]["reason"] == "CONTAINER_MISSING"


def test_a_program_that_is_not_there_does_not_start(api):
    jobs = api.client("run", "v2").projects().locations().jobs()
    body = {"template": {"template": {"maxRetries": 0, "containers": [{"image": "busybox:dev", "command": ["no"]}]}}}
    jobs.create(parent=PLACE, jobId="etl", body=body).execute()
    wait(lambda: "reconciling" not in api.run.jobs[0])
    execution = ended(api, jobs.run(name=JOB, body={}).execute()["metadata"]["name"])
    assert "The container failed to start" in execution["conditions"][0]["message"]
