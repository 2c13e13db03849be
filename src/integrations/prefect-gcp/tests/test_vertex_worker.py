"""The Vertex AI worker: a run's job from its creation to its end, and what Prefect is told of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from prefect import get_client
from prefect.exceptions import InfrastructureNotFound
from prefect.states import Cancelling, Completed, Paused, Running

from prefect_gcp.errors import GcpAccessDenied, GcpInvalidRequest
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, GrpcCall, GrpcRefused, VertexJobs
from prefect_integration_tests.pool_runs import Started, state_of

from ._vertex import REGION, SUCCEEDS, Pool, fails, life, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def vertex(empty_google_grpc: GoogleGrpc) -> VertexJobs:
    """Vertex AI without jobs. Those of a test that says no more succeed."""
    jobs = empty_google_grpc.service(VertexJobs)
    jobs.life = SUCCEEDS
    return jobs


@pytest.fixture
def pool(prefect_harness: None, empty_google_grpc: GoogleGrpc) -> Pool:
    return Pool(empty_google_grpc)


async def _has_job(vertex: VertexJobs) -> Any:
    async def look() -> Any:
        return vertex.jobs[0] if vertex.jobs else None

    return await apoll(look, subject="a job", interval_seconds=0.02, timeout_seconds=20)


async def test_a_job_that_succeeds_is_a_result_of_zero(pool: Pool, vertex: VertexJobs) -> None:
    run = await pool.new_run()
    started = Started()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run), started)  # pyright: ignore[reportArgumentType]
    [job] = vertex.jobs
    assert (result.status_code, result.identifier) == (0, job.name)
    assert started.identifier == job.name
    assert job.state.name == "JOB_STATE_SUCCEEDED"  # it stays, for people to look at


async def test_the_job_carries_what_the_run_asks_for(pool: Pool, vertex: VertexJobs) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        await worker.run(
            run, pool.configure(run, name="nightly", labels={"Team": "Blue Team"}, env={"A": "1", "B": None})
        )
    [job] = vertex.jobs
    assert job.display_name.startswith("nightly-")
    assert job.labels["team"] == "blue-team"
    assert job.labels["prefect-io-flow-run-id"] == str(run.id)
    [spec] = job.job_spec.worker_pool_specs
    assert list(spec.container_spec.command) == ["prefect", "flow-run", "execute"]
    env = {variable.name: variable.value for variable in spec.container_spec.env}
    assert (env["A"], env["PREFECT__FLOW_RUN_ID"]) == ("1", str(run.id))
    assert "B" not in env


async def test_a_job_that_fails_crashes_its_run_with_what_vertex_ai_says(pool: Pool, vertex: VertexJobs) -> None:
    vertex.life = fails("The replica workerpool0-0 exited with a non-zero status of 3.")
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    assert result.status_code == 3
    state = await state_of(run)
    assert state.is_crashed()
    assert "failed: The replica workerpool0-0 exited with a non-zero status of 3." in str(state.message)


async def test_a_job_that_fails_before_its_container_starts_says_so_and_what_to_do(
    pool: Pool, vertex: VertexJobs
) -> None:
    vertex.life = fails("The image 'europe-docker.pkg.dev/p/flows:1' was not found.", before_start=True)
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    assert result.status_code == 1
    message = str((await state_of(run)).message)
    assert "failed before its container started: The image 'europe-docker.pkg.dev/p/flows:1' was not found." in message
    assert "roles/artifactregistry.reader" in message


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (("EXPIRED",), "expired"),
        (("RUNNING", "PAUSED", "RUNNING", "CANCELLED"), "was cancelled, though not by Prefect"),
        (("QUEUED", "RUNNING", "PARTIALLY_SUCCEEDED"), "in part only"),
    ],
    ids=["expired", "cancelled", "partially succeeded"],
)
async def test_every_other_end_crashes_the_run(
    pool: Pool, vertex: VertexJobs, states: tuple[str, ...], said: str
) -> None:
    vertex.life = life(*states)
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    state = await state_of(run)
    assert (result.status_code, state.is_crashed()) == (1, True)
    assert said in str(state.message)


@pytest.mark.parametrize("state", [Completed(), Paused()], ids=["completed", "paused"])
async def test_a_run_that_has_reported_its_end_keeps_its_state(pool: Pool, vertex: VertexJobs, state: Any) -> None:
    vertex.life = fails("Killed.")
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, state, force=True)
    async with pool.worker() as worker:
        await worker.run(run, pool.configure(run))
    assert (await state_of(run)).type == state.type


async def test_a_cancelled_run_has_its_job_cancelled(pool: Pool, vertex: VertexJobs) -> None:
    vertex.life = life("RUNNING")
    run = await pool.new_run()
    async with pool.worker() as worker, get_client() as client:
        running = asyncio.create_task(worker.run(run, pool.configure(run)))
        job = await _has_job(vertex)
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Cancelling(), force=True)
        result = await asyncio.wait_for(running, 30)
    assert vertex.state_of(job.name) == "CANCELLED"
    assert result.status_code != 0
    assert (await state_of(run)).is_cancelled()


async def test_a_run_that_is_cancelled_before_its_job_is_created_gets_none(
    pool: Pool, vertex: VertexJobs, empty_google_grpc: GoogleGrpc
) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:

        def cancel(call: GrpcCall) -> None:
            del call
            worker.job_runs.cancel_requested(run.id)

        empty_google_grpc.on_call("ListCustomJobs", cancel)
        result = await worker.run(run, pool.configure(run))
    assert (result.identifier, result.status_code) == ("", 0)
    assert not vertex.jobs


async def test_killing_cancels_a_job_of_another_worker_without_waiting(pool: Pool, vertex: VertexJobs) -> None:
    vertex.life = None
    run = await pool.new_run()
    async with pool.worker() as first:
        running = asyncio.create_task(first.run(run, pool.configure(run)))
        job = await _has_job(vertex)
        async with pool.worker() as second:
            await second.kill_infrastructure(job.name, pool.configure(run), grace_seconds=0)
            assert vertex.state_of(job.name) == "CANCELLING"
            await second.kill_infrastructure(job.name, pool.configure(run))  # once more is no error
        vertex.end(job.name, "CANCELLED")
        await asyncio.wait_for(running, 30)


async def test_a_job_is_killed_in_its_own_region(
    pool: Pool, vertex: VertexJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployment may have moved since."""
    run = await pool.new_run()
    regions: list[str] = []
    kind = type(pool.credentials)
    original = kind.get_job_service_async_client

    def hear(self: Any, client_options: Any = None) -> Any:
        regions.append(client_options["api_endpoint"])
        return original(self, client_options)

    monkeypatch.setattr(kind, "get_job_service_async_client", hear)
    async with pool.worker() as worker:
        with pytest.raises(InfrastructureNotFound, match="456"):
            await worker.kill_infrastructure("projects/1/locations/us-west2/customJobs/456", pool.configure(run))
    assert set(regions) == {"us-west2-aiplatform.googleapis.com"}


async def test_killing_what_does_not_exist_says_so(pool: Pool, vertex: VertexJobs) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(InfrastructureNotFound, match="does not exist"):
            await worker.kill_infrastructure(
                f"projects/my-project/locations/{REGION}/customJobs/1", pool.configure(run)
            )
        with pytest.raises(ValueError, match="projects/PROJECT/locations/REGION/customJobs/NUMBER"):
            await worker.kill_infrastructure("some-container", pool.configure(run))


async def test_a_refusal_names_the_job_the_cause_and_the_remedy(
    pool: Pool, vertex: VertexJobs, empty_google_grpc: GoogleGrpc
) -> None:
    def refuse(call: GrpcCall) -> None:
        raise GrpcRefused("PERMISSION_DENIED", "Permission 'aiplatform.customJobs.create' denied on resource.")

    empty_google_grpc.on_call("CreateCustomJob", refuse)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(GcpAccessDenied, match=r"aiplatform\.customJobs\.create") as caught:
            await worker.run(run, pool.configure(run))
    assert "Grant" in str(caught.value)
    assert len(empty_google_grpc.calls_of("CreateCustomJob")) == 1


async def test_what_vertex_ai_calls_invalid_is_raised_at_once(pool: Pool, vertex: VertexJobs) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(GcpInvalidRequest, match="boot disk must have at least 100 GB"):
            await worker.run(run, pool.configure(run, boot_disk_size_gb=10))


async def test_an_unknown_scheduling_option_crashes_by_name(pool: Pool, vertex: VertexJobs) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(ValueError, match=r"scheduling\.strateggy.*Did you mean 'strategy'"):
            await worker.run(run, pool.configure(run, scheduling={"strateggy": "SPOT"}))
    assert not vertex.jobs


async def test_a_key_in_plain_text_is_warned_of_once_with_the_remedy(
    pool: Pool, vertex: VertexJobs, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    caplog.set_level(logging.DEBUG)
    async with pool.worker() as worker:
        for _ in range(2):
            run = await pool.new_run()
            await worker.run(run, pool.configure(run, env={"PREFECT_API_KEY": canary}))
    warnings = [record.getMessage() for record in caplog.records if "PREFECT_API_KEY" in record.getMessage()]
    assert len(warnings) == 1
    assert "/gcs/BUCKET" in warnings[0]
    assert canary not in caplog.text


async def test_a_job_whose_worker_died_is_looked_after_by_another(pool: Pool, vertex: VertexJobs) -> None:
    vertex.life = None
    run = await pool.new_run()
    configuration = pool.configure(run)
    async with pool.worker() as first:
        await first.job_runs.initiate(run, configuration)
    [job] = vertex.jobs
    async with pool.worker() as second:
        await second.job_runs.adopt(run, configuration, job.name)
        vertex.end(job.name, "FAILED", (3, "The machine is gone."))

        async def look() -> bool | None:
            return (await state_of(run)).is_crashed() or None

        await apoll(look, subject="the crash", interval_seconds=0.1, timeout_seconds=30)
    assert "The machine is gone." in str((await state_of(run)).message)


async def test_a_refusal_that_repeats_a_secret_variable_does_not_say_it(
    pool: Pool, vertex: VertexJobs, empty_google_grpc: GoogleGrpc, canary: str
) -> None:
    def refuse(call: GrpcCall) -> None:
        raise GrpcRefused("INVALID_ARGUMENT", f"Environment variable value {canary!r} is invalid.")

    empty_google_grpc.on_call("CreateCustomJob", refuse)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(GcpInvalidRequest, match="Environment variable") as caught:
            await worker.run(run, pool.configure(run, env={"DB_PASSWORD": canary}))
    assert canary not in f"{caught.value} {caught.value.__cause__}"
