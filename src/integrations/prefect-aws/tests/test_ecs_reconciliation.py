"""What a worker that died left behind is adopted, settled, or submitted again, and never twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Pending, Running, Scheduled

from prefect_aws import ECSWorker
from prefect_aws._ecs import tags
from prefect_aws._ecs.reconciliation import EcsReconciliation
from prefect_aws._ecs.registration import known_definitions
from prefect_integration_tests.backends.aws_stub import Fault

pytestmark = pytest.mark.usefixtures("prefect_harness")
ARN = "arn:aws:ecs:us-east-1:000000000000"


@flow
def left_behind_flow() -> None:
    """What the runs are of; it never runs here."""


def task(run: Any, name: str = "1", status: str = "RUNNING", **more: Any) -> dict[str, Any]:
    tag = {"key": tags.FLOW_RUN_ID, "value": str(run.id)}
    return {
        "taskArn": f"{ARN}:task/c/{name}",
        "clusterArn": f"{ARN}:cluster/c",
        "lastStatus": status,
        "tags": [tag],
        **more,
    }


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    known_definitions.clear()
    for name, value in {
        "ECS_OBSERVER_ENABLED": "false",
        "ECS_WORKER_WATCH_INTERVAL_SECONDS": "3600",
        "ECS_WORKER_RECONCILE_AFTER_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_AWS_{name}", value)


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    stub = aws_stub("ecs")
    stub.respond("ListTasks", {"taskArns": []})
    stub.respond("RegisterTaskDefinition", {"taskDefinition": {"taskDefinitionArn": f"{ARN}:task-definition/f:1"}})
    stub.respond(
        "DescribeTaskDefinition",
        lambda call: {"taskDefinition": stub.calls_of("RegisterTaskDefinition")[-1].parameters},
    )
    return stub


@pytest.fixture
async def pool(stub: Any, make_credentials: Any) -> str:
    """A work pool whose tasks go to the scripted endpoint."""
    name = f"left-{uuid.uuid4().hex[:8]}"
    block = make_credentials(stub.endpoint_url)
    await block.save(name)
    template = ECSWorker.get_default_base_job_template()
    properties = template["variables"]["properties"]
    properties["aws_credentials"]["default"] = {"$ref": {"block_document_id": str(block._block_document_id)}}
    properties["launch_type"]["default"] = "EC2"
    properties["cluster"]["default"] = "c"
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="ecs", base_job_template=template))
    return name


@pytest.fixture
def new_run(pool: str) -> Callable[..., Any]:
    """A maker of runs of the pool, in the state that a worker left them in."""

    async def new_run(*states: Any, pid: str | None = None, worker: str | None = None) -> Any:
        async with get_client() as client:
            run = await client.create_flow_run(left_behind_flow, state=Scheduled(), work_pool_name=pool)
            if pid:
                await client.update_flow_run(run.id, infrastructure_pid=pid)
            if worker:
                await client.update_flow_run_labels(run.id, {"prefect.worker.name": worker})
            for state in states:
                await client.set_flow_run_state(run.id, state, force=True)
            return run

    return new_run


async def read(run: Any) -> Any:
    async with get_client() as client:
        return await client.read_flow_run(run.id)


async def reconcile(worker: ECSWorker) -> None:
    submissions = worker._submissions
    await EcsReconciliation(worker, submissions, submissions._settings).reconcile()


async def test_a_run_without_a_task_is_submitted_again(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    stub.respond("RunTask", {"tasks": [task(run)], "failures": []})
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        await reconcile(worker)
    assert len(stub.calls_of("RunTask")) == 1
    assert (await read(run)).infrastructure_pid == f"{ARN}:cluster/c::{ARN}:task/c/1"
    assert [call.parameters["startedBy"] for call in stub.calls_of("ListTasks")] == [str(run.id)] * 2


async def test_it_is_submitted_with_the_token_of_the_submission_that_was_lost(
    stub: Any, pool: str, new_run: Any
) -> None:
    """ECS would answer with the task that it had started, had the first request reached it."""
    run = await new_run()
    stub.respond("RunTask", {"tasks": [task(run)], "failures": []})
    async with ECSWorker(work_pool_name=pool) as worker, get_client() as client:
        configuration = await worker.job_configuration.resolve_for_flow_run(
            run, client=client, work_pool=worker.work_pool, worker_name=worker.name
        )
        await worker._submissions._start(await read(run), configuration, lambda: True)
        await client.set_flow_run_state(run.id, Pending(), force=True)
    async with ECSWorker(work_pool_name=pool) as another:
        await reconcile(another)
    first, second = (call.parameters["clientToken"] for call in stub.calls_of("RunTask"))
    assert first == second


async def test_a_task_that_runs_is_adopted(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    running, before = task(run), task(run, "0", "STOPPED")
    stub.respond("ListTasks", {"taskArns": [running["taskArn"]]}, {"taskArns": [before["taskArn"]]})
    stub.respond("DescribeTasks", {"tasks": [before, running], "failures": []})
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        assert run.id in worker._submissions.watch
    assert (await read(run)).infrastructure_pid == f"{ARN}:cluster/c::{running['taskArn']}"
    assert stub.calls_of("RunTask") == []


async def test_a_run_whose_task_is_known_is_watched_again(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending(), Running(), pid=f"{ARN}:cluster/c::{ARN}:task/c/7")
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        assert run.id in worker._submissions.watch
        stub.respond(
            "DescribeTasks",
            {"tasks": [task(run, "7", "STOPPED", stopCode="SpotInterruption", containers=[])], "failures": []},
        )
        await worker._submissions.watch.look()
    state = (await read(run)).state
    assert state.is_crashed()
    assert "SpotInterruption" in state.message


async def test_a_run_that_cannot_be_submitted_crashes_with_the_cause(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    stub.fail("RunTask", Fault.ACCESS_DENIED)
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    state = (await read(run)).state
    assert state.is_crashed()
    assert "AwsAccessDenied" in state.message


async def test_a_worker_that_may_not_list_tasks_relies_on_the_token(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    stub.fail("ListTasks", Fault.ACCESS_DENIED)
    stub.respond("RunTask", {"tasks": [task(run)], "failures": []})
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    assert (await read(run)).infrastructure_pid


async def test_what_another_worker_looks_after_is_left_to_it(stub: Any, pool: str, new_run: Any) -> None:
    async with get_client() as client:
        await client.send_worker_heartbeat(pool, "alive", heartbeat_interval_seconds=300)
    theirs = await new_run(Pending(), worker="alive")
    orphan = await new_run(Pending(), worker="dead")
    stub.respond("RunTask", {"tasks": [task(orphan)], "failures": []})
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    assert (await read(orphan)).infrastructure_pid
    assert (await read(theirs)).infrastructure_pid is None


async def test_a_run_that_has_only_just_become_pending_is_left_alone(
    stub: Any, pool: str, new_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_WORKER_RECONCILE_AFTER_SECONDS", "60")
    await new_run(Pending())
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    assert stub.calls == []


async def test_a_run_that_its_caller_starts_is_left_to_it(stub: Any, pool: str) -> None:
    """`@ecs` makes a run that is pending from the start, while its bundle is being uploaded."""
    async with get_client() as client:
        await client.create_flow_run(left_behind_flow, state=Pending(), work_pool_name=pool)
    async with ECSWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    assert stub.calls == []


async def test_a_full_worker_leaves_the_run_for_the_next_time(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    stub.respond("RunTask", {"tasks": [task(run)], "failures": []})
    async with ECSWorker(work_pool_name=pool, limit=1) as worker:
        worker.limiter.acquire_on_behalf_of_nowait("another")
        await reconcile(worker)
        assert stub.calls_of("RunTask") == []
        worker.limiter.release_on_behalf_of("another")
        await reconcile(worker)
        assert worker.limiter.borrowed_tokens == 0
    assert len(stub.calls_of("RunTask")) == 1


async def test_a_worker_that_serves_its_pool_reconciles_when_it_starts(stub: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    stub.respond("RunTask", {"tasks": [task(run)], "failures": []})
    import anyio

    async with anyio.create_task_group() as group:
        worker = ECSWorker(work_pool_name=pool)
        group.start_soon(worker.start)
        with anyio.fail_after(30):
            while not (await read(run)).infrastructure_pid:
                await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    assert len(stub.calls_of("RunTask")) == 1
