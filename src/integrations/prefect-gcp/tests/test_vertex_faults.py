"""Whatever single call to Vertex AI fails, and however: a healthy run stays healthy, and has one job."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, Settings, get_current_settings, temporary_settings

from prefect_gcp import GcpCredentials
from prefect_gcp._rest import MAX_THREADS
from prefect_gcp.errors import GcpUnavailable
from prefect_gcp.workers.vertex import VertexAIWorker, VertexAIWorkerJobConfiguration
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, GrpcCall, VertexJobs
from prefect_integration_tests.pool_runs import Started

from ._vertex import SUCCEEDS, configured, life, quicken


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quicken(monkeypatch)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


@pytest.fixture
def vertex(empty_google_grpc: GoogleGrpc) -> VertexJobs:
    """Vertex AI, where every job succeeds."""
    jobs = empty_google_grpc.service(VertexJobs)
    jobs.life = SUCCEEDS
    return jobs


def _run(server: GoogleGrpc) -> tuple[FlowRun, VertexAIWorkerJobConfiguration]:
    """A run, and what it asks for; Prefect's API has no part in these tests."""
    run = FlowRun(flow_id=uuid.uuid4(), name="a run")
    credentials = GcpCredentials(project="my-project", api_endpoints={"aiplatform": server.endpoint})
    configuration = configured(credentials=credentials)
    configuration.prepare_for_flow_run(run)
    return run, configuration


async def _outcome(server: GoogleGrpc) -> Any:
    worker = VertexAIWorker(work_pool_name="none")
    run, configuration = _run(server)
    try:
        return await worker.run(run, configuration)
    finally:
        await worker.job_runs.close()


@pytest.mark.parametrize("method", ["ListCustomJobs", "CreateCustomJob", "GetCustomJob"])
@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("before", "UNAVAILABLE"),
        ("before", "RESOURCE_EXHAUSTED"),
        ("before", "INTERNAL"),
        ("after", "UNAVAILABLE"),
        ("after", "DEADLINE_EXCEEDED"),
        ("after", "UNKNOWN"),
        ("lost", "UNAVAILABLE"),
        ("cut", "UNAVAILABLE"),
    ],
)
async def test_a_run_stays_healthy_whatever_call_fails(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, method: str, when: Any, code: str
) -> None:
    empty_google_grpc.fail(method, code, when=when)
    result = await _outcome(empty_google_grpc)
    assert empty_google_grpc.pending_faults == 0
    assert result.status_code == 0
    assert [job.name for job in vertex.jobs] == [result.identifier]


async def test_a_job_whose_creation_was_not_answered_and_is_listed_late_is_found(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER_CALL_INITIAL_DELAY_SECONDS", "0.3")
    vertex.list_lag_seconds = 0.25
    empty_google_grpc.fail("CreateCustomJob", when="lost")
    result = await _outcome(empty_google_grpc)
    assert [job.name for job in vertex.jobs] == [result.identifier]
    assert len(empty_google_grpc.calls_of("CreateCustomJob")) == 1


async def test_of_two_jobs_in_the_end_only_the_first_goes_on(empty_google_grpc: GoogleGrpc, vertex: VertexJobs) -> None:
    """The first one is listed only after a second one was created."""
    vertex.life = life()
    vertex.list_lag_seconds = 3600
    empty_google_grpc.fail("CreateCustomJob", when="lost")

    def catch_up(call: GrpcCall) -> None:
        del call
        if len(empty_google_grpc.calls_of("CreateCustomJob")) == 2:
            vertex.list_lag_seconds = 0

    empty_google_grpc.on_call("CreateCustomJob", catch_up)
    worker = VertexAIWorker(work_pool_name="none")
    run, configuration = _run(empty_google_grpc)
    service = worker.job_service(configuration)
    logger: Any = worker.get_flow_run_logger(run)
    kept = await service.start(run, configuration, submission="one", is_wanted=lambda: True, logger=logger)
    first, second = vertex.jobs
    assert kept == first.name
    assert (vertex.state_of(first.name), vertex.state_of(second.name)) == ("PENDING", "CANCELLED")
    assert await service.find(run, configuration, submission="one") == first.name


async def test_a_submission_that_is_repeated_finds_its_job(empty_google_grpc: GoogleGrpc, vertex: VertexJobs) -> None:
    vertex.life = life()
    worker, other = VertexAIWorker(work_pool_name="none"), VertexAIWorker(work_pool_name="none")
    run, configuration = _run(empty_google_grpc)
    logger: Any = worker.get_flow_run_logger(run)
    names = [
        await each.job_service(configuration).start(
            run, configuration, submission=submission, is_wanted=lambda: True, logger=logger
        )
        for each, submission in ((worker, "one"), (other, "one"), (worker, "two"))
    ]
    assert names[0] == names[1] != names[2]
    assert len(vertex.jobs) == 2


async def test_a_service_that_stays_away_fails_the_start_and_leaves_nothing(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs
) -> None:
    empty_google_grpc.fail("CreateCustomJob", times=50)
    with pytest.raises(GcpUnavailable, match="currently unavailable"):
        await _outcome(empty_google_grpc)
    assert not vertex.jobs
    assert len(empty_google_grpc.calls_of("CreateCustomJob")) == 5  # call_max_attempts


async def test_a_long_outage_while_a_job_runs_is_waited_out(empty_google_grpc: GoogleGrpc, vertex: VertexJobs) -> None:
    started = Started()
    worker = VertexAIWorker(work_pool_name="none")
    run, configuration = _run(empty_google_grpc)

    class Breaking(Started):
        def started(self, value: object = None) -> None:
            super().started(value)
            empty_google_grpc.fail("ListCustomJobs", times=12)
            empty_google_grpc.fail("GetCustomJob", times=6)

    started = Breaking()
    try:
        result = await worker.run(run, configuration, started)  # pyright: ignore[reportArgumentType]
    finally:
        await worker.job_runs.close()
    assert (result.status_code, result.identifier) == (0, started.identifier)


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut"])
@pytest.mark.parametrize("method", ["CancelCustomJob", "DeleteCustomJob", "GetCustomJob"])
async def test_ending_and_deleting_a_job_survives_one_failure(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, method: str, when: Any
) -> None:
    vertex.life = life()
    worker = VertexAIWorker(work_pool_name="none")
    run, configuration = _run(empty_google_grpc)
    service = worker.job_service(configuration)
    logger: Any = worker.get_flow_run_logger(run)
    name = await service.start(run, configuration, submission="one", is_wanted=lambda: True, logger=logger)
    assert name is not None
    empty_google_grpc.fail(method, when=when)
    assert await service.stop(name, 0) is True
    assert vertex.state_of(name) == "CANCELLED"
    await service.delete(name)
    assert not vertex.jobs
    assert empty_google_grpc.pending_faults == 0
    assert await service.stop(name, 0) is False
    await service.delete(name)  # one that is gone is no error


async def test_two_hundred_runs_are_watched_by_one_list_and_no_thread_each(
    empty_google_grpc: GoogleGrpc, vertex: VertexJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Prefect's API, whose calls would take most of the time, and with its settings written out once."""
    variables = get_current_settings().to_environment_variables(exclude_unset=True)
    monkeypatch.setattr(Settings, "to_environment_variables", lambda *_, **__: dict(variables))
    vertex.life = None
    count = 200
    credentials = GcpCredentials(project="my-project", api_endpoints={"aiplatform": empty_google_grpc.endpoint})
    worker = VertexAIWorker(work_pool_name="none")
    runs = [FlowRun(flow_id=uuid.uuid4(), name=f"run-{number}") for number in range(count)]
    begun = [Started() for _ in runs]
    others = set(threading.enumerate())
    async with anyio.create_task_group() as group:
        for run, started in zip(runs, begun, strict=True):
            configuration = configured(credentials=credentials, job_watch_poll_interval=1.0)
            configuration.prepare_for_flow_run(run)
            group.start_soon(worker.run, run, configuration, started)

        async def all_begun() -> bool | None:
            return all(started.identifier for started in begun) or None

        await apoll(all_begun, subject="all jobs", interval_seconds=0.05, timeout_seconds=60)
        before = len(empty_google_grpc.calls)

        async def looks() -> list[GrpcCall] | None:
            calls = empty_google_grpc.calls[before:]
            lists = [call for call in calls if call.method.endswith("ListCustomJobs") and not call.request.page_token]
            return calls if len(lists) > 2 else None

        calls = await apoll(looks, subject="two looks", interval_seconds=0.05, timeout_seconds=60)
        own = [thread.name for thread in set(threading.enumerate()) - others]
        own = [name for name in own if not name.startswith("google-grpc")]  # which are the server's
        for job in vertex.jobs:
            vertex.end(job.name)
    await worker.job_runs.close()
    assert {call.method for call in calls} == {"JobService.ListCustomJobs"}
    assert len(calls) <= 3 * 2  # pages of a hundred
    assert own.count("AnyIO worker thread") <= MAX_THREADS, own
    assert len(own) <= MAX_THREADS + 2, own  # and what gRPC needs
    assert len(empty_google_grpc.calls_of("GetCustomJob")) == count  # each end is looked at once
