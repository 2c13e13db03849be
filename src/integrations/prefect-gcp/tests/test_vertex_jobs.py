"""The jobs of one project and region: what is listed, found, left over, and read from the logs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from prefect_gcp import GcpCredentials
from prefect_gcp._vertex.calls import VertexCalls
from prefect_gcp._vertex.jobs import VertexJobs as Jobs
from prefect_gcp.settings import VertexWorkerSettings
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, VertexJobs

from ._vertex import PROJECT, REGION, configured, quicken


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quicken(monkeypatch)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


@pytest.fixture
def vertex(empty_google_grpc: GoogleGrpc) -> VertexJobs:
    """Vertex AI, whose jobs wait for the test."""
    return empty_google_grpc.service(VertexJobs)


class Account:
    """Jobs of one work pool, as the worker makes them."""

    def __init__(self, server: GoogleGrpc, work_pool_id: uuid.UUID | None = None, **endpoints: str) -> None:
        self.credentials = GcpCredentials(project=PROJECT, api_endpoints={"aiplatform": server.endpoint, **endpoints})
        settings = VertexWorkerSettings()
        self.jobs = Jobs(VertexCalls(self.credentials, settings), REGION, work_pool_id=work_pool_id, settings=settings)

    async def start(self, submission: str = "one") -> str:
        run = FlowRun(flow_id=uuid.uuid4(), name="a run")
        configuration = configured(credentials=self.credentials)
        configuration.prepare_for_flow_run(run)
        logger: Any = VertexAIWorker(work_pool_name="none").get_flow_run_logger(run)
        name = await self.jobs.start(run, configuration, submission=submission, is_wanted=lambda: True, logger=logger)
        assert name is not None
        return name

    async def left_over(self) -> set[str]:
        return {seen.identifier async for seen in self.jobs.list_left_over()}


async def test_only_jobs_of_the_work_pool_are_listed(empty_google_grpc: GoogleGrpc, vertex: VertexJobs) -> None:
    mine, other = Account(empty_google_grpc, uuid.uuid4()), Account(empty_google_grpc, uuid.uuid4())
    name = await mine.start()
    await other.start("two")
    assert [(seen.identifier, seen.is_ours) async for seen in mine.jobs.list_jobs()] == [(name, True)]


async def test_more_jobs_than_fit_on_a_page_are_all_listed(empty_google_grpc: GoogleGrpc, vertex: VertexJobs) -> None:
    account = Account(empty_google_grpc)
    names = {await account.start(f"run-{number}") for number in range(105)}
    assert {seen.identifier async for seen in account.jobs.list_jobs()} == names


async def test_jobs_that_ended_are_left_over_when_they_are_old_enough(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(empty_google_grpc)
    ended, running = await account.start("one"), await account.start("two")
    vertex.end(ended)
    assert await account.left_over() == {running}
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER_DELETE_AFTER_SECONDS", "0")
    assert await Account(empty_google_grpc).left_over() == {ended, running}


async def test_a_job_that_has_not_ended_is_deleted_when_it_has(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs
) -> None:
    account = Account(empty_google_grpc)
    name = await account.start()
    vertex.end(name)
    await account.jobs.delete(name)
    assert await account.jobs.inspect(name) is None
    assert not vertex.jobs


async def test_the_last_lines_come_from_cloud_logging(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, empty_google_api: Any
) -> None:
    from prefect_integration_tests.backends._google.logging_v2 import Logging

    account = Account(empty_google_grpc, logging=empty_google_api.endpoint)
    name = await account.start()
    for line, number in [("a", 1), ("b", 1), ("other", 2), ("c", 1)]:
        job_id = name.rpartition("/")[2] if number == 1 else "2"
        empty_google_api.service(Logging).entries.add(
            {
                "logName": f"projects/{PROJECT}/logs/workerpool0-0",
                "resource": {"type": "ml_job", "labels": {"job_id": job_id}},
                "textPayload": line,
            }
        )
    assert await account.jobs.last_lines(name, 2) == "b\nc"


async def test_a_region_that_is_none_is_refused_before_a_call(empty_google_grpc: GoogleGrpc) -> None:
    account = Account(empty_google_grpc)
    account.jobs = Jobs(
        VertexCalls(account.credentials, VertexWorkerSettings()),
        "evil.example.com/",
        work_pool_id=None,
        settings=VertexWorkerSettings(),
    )
    with pytest.raises(ValueError, match=r"region is 'evil\.example\.com/'"):
        await account.start()
    assert not empty_google_grpc.calls


@pytest.mark.parametrize(
    ("pid", "is_named"),
    [
        ("projects/my-project/locations/europe-west1/customJobs/{number}", True),
        ("projects/my-project/locations/europe-west2/customJobs/{number}", False),
        ("projects/my-project/locations/europe-west1/customJobs/1", False),
        ("container", False),
    ],
)
async def test_a_jobs_end_knows_the_run_that_names_it_by_project_id_or_number(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, pid: str, is_named: bool
) -> None:
    account = Account(empty_google_grpc)
    name = await account.start()
    vertex.end(name)
    seen = await account.jobs.inspect(name)
    assert seen is not None
    assert seen.ended is not None
    assert seen.ended.is_named_by(pid.format(number=name.rpartition("/")[2])) is is_named


async def test_an_async_client_that_one_closes_serves_the_others(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs
) -> None:
    account = Account(empty_google_grpc)
    name = await account.start()
    others = account.credentials.get_job_service_async_client()
    async with account.credentials.get_job_service_async_client() as mine:
        assert mine is others
    pages = await others.list_custom_jobs(parent=f"projects/{PROJECT}/locations/{REGION}")
    assert [job.name async for job in pages] == [name]
    async with account.credentials.get_job_service_async_client() as alone:
        assert alone is not others
