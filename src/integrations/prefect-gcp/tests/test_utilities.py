"""Names, labels, and the models of version 1 of Cloud Run's API, on the local server."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_gcp.errors import GcpAlreadyExists, GcpNotFound
from prefect_gcp.utilities import Execution, Job, merge_labels_for_gcp, sanitize_labels_for_gcp, slugify_name
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.google_api import GoogleApi

NAMESPACE = "test-project"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Flow Run", "my-flow-run"),
        ("--Ünïcode__42--", "unicode-42"),
        ("Отчёт 日本", "otchet-ri-ben"),
        ("a" * 40, "a" * 30),
        ("abc " * 8, "abc-abc-abc-abc-abc-abc-abc-ab"),
        ("a" * 29 + " b", "a" * 29),
        ("!?", None),
        ("", None),
    ],
    ids=["words", "accents", "other alphabets", "long", "cut", "cut at a hyphen", "nothing legal", "empty"],
)
def test_a_name_becomes_a_slug(name: str, slug: str | None) -> None:
    assert slugify_name(name) == slug


def test_the_length_of_a_slug_can_be_set() -> None:
    assert slugify_name("abcdef", max_length=3) == "abc"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"prefect.io/flow-run-id": "Abc"}, {"prefect-io-flow-run-id": "abc"}),
        ({"legal_key-1": "legal_value-"}, {"legal_key-1": "legal_value-"}),
        ({"1st": "x", "!": "gone"}, {"st": "x"}),
        ({"k": "3.9.1 (beta)"}, {"k": "3-9-1-beta"}),
        ({"k" * 70: "v" * 70}, {"k" * 63: "v" * 63}),
        ({"k": ""}, {"k": ""}),
        ({}, {}),
    ],
    ids=["Prefect's", "legal", "illegal beginnings", "characters", "long", "empty value", "none"],
)
def test_labels_become_legal(given: dict[str, str], expected: dict[str, str]) -> None:
    assert sanitize_labels_for_gcp(given) == expected
    assert sanitize_labels_for_gcp(expected) == expected


def test_labels_that_a_job_has_win_over_prefect_s() -> None:
    assert merge_labels_for_gcp({"prefect.io/a": "1", "b": "2"}, {"b": "mine"}) == {"prefect-io-a": "1", "b": "mine"}


def _body(name: str) -> dict[str, Any]:
    spec = {"containers": [{"image": "busybox:dev"}], "maxRetries": 0}
    return {
        "apiVersion": "run.googleapis.com/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"template": {"spec": spec}}}},
    }


@pytest.fixture(params=["API", "namespaces"])
def client(request: pytest.FixtureRequest, empty_google_api: GoogleApi) -> Any:
    """Either client that callers may have."""
    api = empty_google_api.client("run", "v1")
    return api if request.param == "API" else api.namespaces()


def test_a_job_is_created_run_read_and_deleted(client: Any, empty_google_api: GoogleApi) -> None:
    empty_google_api.play(seconds=None)
    Job.create(client, NAMESPACE, _body("a-job"))
    job = poll(
        lambda: found if (found := Job.get(client, NAMESPACE, "a-job")).is_ready() else None,
        subject="a ready job",
        interval_seconds=0.05,
        timeout_seconds=10,
    )
    assert (job.name, job.has_execution_in_progress()) == ("a-job", True)  # nothing is known of one that has ended

    Job.run(client, NAMESPACE, "a-job")
    job = Job.get(client, NAMESPACE, "a-job")
    assert job.has_execution_in_progress()
    execution = Execution.get(client, NAMESPACE, job.execution_status["name"])
    assert execution.is_running()
    assert not execution.succeeded()

    poll(lambda: empty_google_api.run.running or None, subject="a container", interval_seconds=0.05, timeout_seconds=10)
    empty_google_api.run.end()
    execution = poll(
        lambda: found if not (found := Execution.get(client, NAMESPACE, execution.name)).is_running() else None,
        subject="the end",
        interval_seconds=0.05,
        timeout_seconds=10,
    )
    assert execution.succeeded()
    assert (execution.condition_after_completion() or {})["status"] == "True"
    assert execution.log_uri.startswith("https://console.cloud.google.com/")

    Job.delete(client, NAMESPACE, "a-job")
    with pytest.raises(GcpNotFound, match="a-job"):
        Job.get(client, NAMESPACE, "a-job")


def test_a_name_that_is_taken_says_so(empty_google_api: GoogleApi) -> None:
    client = empty_google_api.client("run", "v1")
    Job.create(client, NAMESPACE, _body("twice"))
    with pytest.raises(GcpAlreadyExists, match="twice"):
        Job.create(client, NAMESPACE, _body("twice"))


def test_a_job_that_cannot_be_made_ready_says_why(empty_google_api: GoogleApi) -> None:
    empty_google_api.play(image_problem="CONTAINER_MISSING")
    client = empty_google_api.client("run", "v1")
    Job.create(client, NAMESPACE, _body("no-image"))

    def look() -> bool | None:
        return Job.get(client, NAMESPACE, "no-image").is_ready() or None

    with pytest.raises(RuntimeError, match="cannot be made ready"):
        poll(look, subject="the condition", interval_seconds=0.05, timeout_seconds=10)


@pytest.mark.parametrize(
    ("status", "is_in_progress"),
    [({}, True), ({"completionTimestamp": None}, True), ({"completionTimestamp": "2026-01-01T00:00:00Z"}, False)],
)
def test_an_execution_is_in_progress_until_its_end_is_known(status: dict[str, Any], is_in_progress: bool) -> None:
    job = Job(metadata={}, spec={}, status={}, name="a-job", ready_condition={}, execution_status=status)
    assert job.has_execution_in_progress() is is_in_progress


def test_a_job_is_not_ready_while_nobody_says_why_it_is_not() -> None:
    condition = {"type": "Ready", "status": "False"}
    job = Job(metadata={}, spec={}, status={}, name="a-job", ready_condition=condition, execution_status={})
    assert job.is_ready() is False
