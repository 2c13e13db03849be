"""The custom jobs of Vertex AI on this machine: states over time, the filter language, what Vertex AI refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

grpc: Any = pytest.importorskip("grpc")
pytest.importorskip("google.cloud.aiplatform_v1")

from prefect_integration_tests.backends._google.list_filters import BadFilter, read_filter  # noqa: E402
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, Life, VertexJobs  # noqa: E402

_PLACE = "projects/my-project/locations/europe-west1"


@pytest.fixture(scope="module")
def _server() -> Iterator[GoogleGrpc]:
    with GoogleGrpc.start(VertexJobs()) as server:
        yield server


@pytest.fixture
def vertex(_server: GoogleGrpc) -> VertexJobs:
    _server.reset()
    return _server.service(VertexJobs)


@pytest.fixture(scope="module")
def client(_server: GoogleGrpc) -> Any:
    from google.cloud.aiplatform_v1.services.job_service import JobServiceClient
    from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport

    return JobServiceClient(transport=JobServiceGrpcTransport(channel=grpc.insecure_channel(_server.target)))


def _job(**changes: Any) -> dict[str, Any]:
    return {
        "display_name": "my job",
        "labels": {"team": "blue"},
        "job_spec": {
            "worker_pool_specs": [
                {
                    "replica_count": 1,
                    "machine_spec": {"machine_type": "n1-standard-4"},
                    "container_spec": {"image_uri": "busybox:dev", "env": [{"name": "A", "value": "1"}]},
                }
            ]
        },
        **changes,
    }


def test_a_job_is_created_pending_with_the_projects_number_in_its_name(vertex: VertexJobs, client: Any) -> None:
    job = client.create_custom_job(parent=_PLACE, custom_job=_job(state="JOB_STATE_FAILED"))
    assert re.fullmatch(r"projects/\d+/locations/europe-west1/customJobs/\d+", job.name)
    assert job.state.name == "JOB_STATE_PENDING"
    assert client.get_custom_job(name=job.name).display_name == "my job"
    assert not job.start_time


def test_states_follow_one_another_as_the_life_says(vertex: VertexJobs, client: Any) -> None:
    vertex.life = Life([(10, "RUNNING"), (20, "FAILED")], error=(3, "The replica exited with a non-zero status of 1."))
    name = client.create_custom_job(parent=_PLACE, custom_job=_job()).name
    vertex.clock.advance(10)
    running = client.get_custom_job(name=name)
    assert (running.state.name, running.start_time is not None) == ("JOB_STATE_RUNNING", True)
    vertex.clock.advance(10)
    failed = client.get_custom_job(name=name)
    assert (failed.state.name, failed.error.code) == ("JOB_STATE_FAILED", 3)
    assert (failed.end_time - failed.start_time).total_seconds() == pytest.approx(10, abs=1)


def test_a_job_is_cancelled_before_it_is_deleted(vertex: VertexJobs, client: Any) -> None:
    from google.api_core.exceptions import FailedPrecondition, NotFound

    name = client.create_custom_job(parent=_PLACE, custom_job=_job()).name
    with pytest.raises(FailedPrecondition, match="Cancel it"):
        client.delete_custom_job(name=name)
    client.cancel_custom_job(name=name)
    assert vertex.state_of(name) == "CANCELLING"
    vertex.end(name, "CANCELLED")
    with pytest.raises(FailedPrecondition):
        client.cancel_custom_job(name=name)
    client.delete_custom_job(name=name).result(timeout=5)
    with pytest.raises(NotFound):
        client.get_custom_job(name=name)


def test_lists_are_filtered_and_come_in_pages_newest_first(vertex: VertexJobs, client: Any) -> None:
    for number in range(5):
        labels = {"team": "blue" if number % 2 else "red"}
        client.create_custom_job(parent=_PLACE, custom_job=_job(display_name=f"job-{number}", labels=labels))
    client.create_custom_job(parent="projects/other/locations/europe-west1", custom_job=_job())
    pages = list(client.list_custom_jobs(request={"parent": _PLACE, "page_size": 2}).pages)
    assert [[job.display_name for job in page.custom_jobs] for page in pages] == [
        ["job-4", "job-3"],
        ["job-2", "job-1"],
        ["job-0"],
    ]
    found = client.list_custom_jobs(
        request={"parent": _PLACE, "filter": 'labels.team=blue AND state="JOB_STATE_PENDING"'}
    )
    assert [job.display_name for job in found] == ["job-3", "job-1"]


def test_a_read_mask_leaves_the_rest_out(vertex: VertexJobs, client: Any) -> None:
    client.create_custom_job(parent=_PLACE, custom_job=_job())
    [job] = client.list_custom_jobs(request={"parent": _PLACE, "read_mask": {"paths": ["name", "state", "labels"]}})
    assert (job.state.name, dict(job.labels), job.display_name) == ("JOB_STATE_PENDING", {"team": "blue"}, "")


def test_a_new_job_may_be_listed_late(vertex: VertexJobs, client: Any) -> None:
    vertex.list_lag_seconds = 60
    client.create_custom_job(parent=_PLACE, custom_job=_job())
    assert not list(client.list_custom_jobs(parent=_PLACE))
    vertex.clock.advance(60)
    assert len(list(client.list_custom_jobs(parent=_PLACE))) == 1


_SPEC: dict[str, Any] = _job()["job_spec"]
_POOL: dict[str, Any] = _SPEC["worker_pool_specs"][0]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (_job(display_name=""), "custom_job.display_name"),
        (_job(job_spec={}), "custom_job.job_spec"),
        (_job(labels={"Team": "blue"}), "Label key 'Team'"),
        (_job(labels={"team": "a" * 64}), "Label value"),
        (_job(job_spec={"worker_pool_specs": [{**_POOL, "machine_spec": {}}]}), "machine_type"),
        (_job(job_spec={"worker_pool_specs": [{**_POOL, "container_spec": {"args": ["a"]}}]}), "image_uri"),
        (
            _job(job_spec={**_SPEC, "scheduling": {"strategy": "SPOT", "max_wait_duration": {"seconds": 5}}}),
            "max_wait_duration",
        ),
        (_job(job_spec={**_SPEC, "network": "default"}), "network"),
        (_job(job_spec={**_SPEC, "service_account": "me"}), "service_account"),
    ],
    ids=["display name", "spec", "label key", "label value", "machine", "image", "wait", "network", "account"],
)
def test_what_vertex_ai_refuses_is_refused(vertex: VertexJobs, client: Any, job: dict[str, Any], said: str) -> None:
    from google.api_core.exceptions import InvalidArgument

    with pytest.raises(InvalidArgument, match=said):
        client.create_custom_job(parent=_PLACE, custom_job=job)
    assert not vertex.jobs


_FIELDS = {"state": "= !=", "name": "= :", "labels.": "= :"}


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("", True),
        ('state="RUNNING"', True),
        ("state!=RUNNING", False),
        ("NOT state=FAILED", True),
        ("name:job-*", True),
        ("labels.team:*", True),
        ("labels.cost:*", False),
        ("state=FAILED OR state=RUNNING name=job-1", True),
        ("state=FAILED OR state=RUNNING AND name=job-2", False),
        ("NOT (state=RUNNING AND name=job-2)", True),
        (r'labels.team="b\"lue"', False),
    ],
)
def test_a_filter_means_what_it_says(text: str, is_meant: bool) -> None:
    item = {"state": "RUNNING", "name": "job-1", "labels.team": "blue"}
    assert read_filter(text, _FIELDS)(item) is is_meant


@pytest.mark.parametrize(
    "text", ["state", "state=", "colour=red", "state:a", "(state=a", "state=a)", "labels=a", '"a"=']
)
def test_a_filter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadFilter, match="Invalid filter"):
        read_filter(text, _FIELDS)
