"""The models of version 2 of Cloud Run's API, on the local server."""

from __future__ import annotations

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from prefect_gcp.errors import GcpNotFound
from prefect_gcp.models.cloud_run_v2 import ExecutionV2, JobV2
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.google_api import GoogleApi

PROJECT, REGION = "test-project", "us-central1"
BODY: dict[str, Any] = {"template": {"template": {"containers": [{"image": "busybox:dev"}], "maxRetries": 0}}}


@pytest.fixture(params=["API", "locations"])
def client(request: pytest.FixtureRequest, empty_google_api: GoogleApi) -> Any:
    """Either client that callers may have."""
    api = empty_google_api.client("run", "v2")
    return api if request.param == "API" else api.projects().locations()


def _ready(client: Any, name: str) -> JobV2:
    return poll(
        lambda: found if (found := JobV2.get(client, PROJECT, REGION, name)).is_ready() else None,
        subject="a ready job",
        interval_seconds=0.05,
        timeout_seconds=10,
    )


def test_a_job_is_created_run_read_and_deleted(client: Any, empty_google_api: GoogleApi) -> None:
    empty_google_api.play(exit_code=3)
    JobV2.create(client, PROJECT, REGION, "a-job", BODY)
    job = _ready(client, "a-job")
    assert job.name == f"projects/{PROJECT}/locations/{REGION}/jobs/a-job"
    assert (job.executionCount, job.get_ready_condition()["state"]) == (0, "CONDITION_SUCCEEDED")

    JobV2.run(client, PROJECT, REGION, "a-job")
    latest = JobV2.get(client, PROJECT, REGION, "a-job").latestCreatedExecution
    full_name = f"{job.name}/executions/{latest['name'].rpartition('/')[2]}"
    execution = poll(
        lambda: found if not (found := ExecutionV2.get(client, full_name)).is_running() else None,
        subject="the end",
        interval_seconds=0.05,
        timeout_seconds=10,
    )
    assert not execution.succeeded()
    assert execution.condition_after_completion()["state"] == "CONDITION_FAILED"
    assert execution.failedCount == 1

    JobV2.delete(client, PROJECT, REGION, "a-job")
    with pytest.raises(GcpNotFound, match="a-job") as caught:
        JobV2.get(client, PROJECT, REGION, "a-job")
    assert isinstance(caught.value, HttpError)


def test_a_job_that_cannot_be_made_ready_says_why(empty_google_api: GoogleApi) -> None:
    empty_google_api.play(image_problem="CONTAINER_MISSING")
    client = empty_google_api.client("run", "v2")
    JobV2.create(client, PROJECT, REGION, "no-image", BODY)
    with pytest.raises(RuntimeError, match="cannot be made ready"):
        _ready(client, "no-image")


def test_a_job_without_its_image_cannot_be_made_ready_in_whichever_words_it_is_said() -> None:
    """As version 1 of the API says it."""
    said = {"type": "Ready", "state": "CONTAINER_FAILED", "reason": "ContainerMissing", "message": "Image not found"}
    job = JobV2(
        name="a-job",
        uid="1",
        generation="1",
        createTime="",
        updateTime="",
        launchStage="GA",
        executionCount=0,
        terminalCondition=said,
    )
    with pytest.raises(RuntimeError, match="Image not found"):
        job.is_ready()


def test_a_job_is_not_ready_while_nobody_says_why_it_is_not() -> None:
    condition = {"type": "Ready", "state": "CONDITION_FAILED"}
    job = JobV2(
        name="a-job",
        uid="1",
        generation="1",
        createTime="",
        updateTime="",
        launchStage="GA",
        executionCount=0,
        terminalCondition=condition,
    )
    assert job.is_ready() is False
