"""Runs that a worker left behind are adopted or submitted again, once, and those of others are left alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import anyio
import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Completed, Pending, Running, Scheduled
from prefect.workers.process import ProcessWorker

from prefect_integration_kit.reconciliation import Reconciliation
from prefect_integration_kit.waiting import apoll

pytestmark = pytest.mark.usefixtures("prefect_harness")


@flow
def left_flow() -> None:
    """What the runs are of; it never runs here."""


class Boxes(Reconciliation[Any]):
    """Starts boxes that are only names."""

    def __init__(self, worker: Any, *, after_seconds: float = 0, there: dict[UUID, str] | None = None) -> None:
        super().__init__(worker, after_seconds=after_seconds, interval_seconds=0.01)
        self.there = there or {}
        self.adopted: dict[UUID, str] = {}
        self.submitted: list[UUID] = []
        self.broken: Exception | None = None

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        return flow_run_id in self.adopted or flow_run_id in self.submitted

    def is_identifier(self, infrastructure_pid: str) -> bool:
        return infrastructure_pid.startswith("box:")

    async def adopt(self, flow_run: Any, configuration: Any, infrastructure_pid: str) -> None:
        assert configuration.command or configuration.env is not None
        self.adopted[flow_run.id] = infrastructure_pid

    async def find(self, flow_run: Any, configuration: Any) -> str | None:
        return self.there.get(flow_run.id)

    async def submit(self, flow_run: Any, configuration: Any) -> None:
        if self.broken:
            raise self.broken
        self.submitted.append(flow_run.id)


@pytest.fixture
async def pool() -> str:
    name = f"kit-left-{uuid.uuid4().hex[:8]}"
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    return name


@pytest.fixture
def new_run(pool: str) -> Callable[..., Any]:
    async def new_run(*states: Any, pid: str | None = None, owner: str | None = None, scheduled: bool = True) -> Any:
        async with get_client() as client:
            run = await client.create_flow_run(
                left_flow, state=Scheduled() if scheduled else states[0], work_pool_name=pool
            )
            if pid:
                await client.update_flow_run(run.id, infrastructure_pid=pid)
            if owner:
                await client.update_flow_run_labels(run.id, {"prefect.worker.name": owner})
            for state in states if scheduled else states[1:]:
                await client.set_flow_run_state(run.id, state, force=True)
            return run

    return new_run


async def read(run: Any) -> Any:
    async with get_client() as client:
        return await client.read_flow_run(run.id)


@pytest.mark.parametrize("states", [[Running()], [Pending()], [Running(), Cancelling()]], ids=["run", "pend", "cancel"])
async def test_a_run_with_infrastructure_is_adopted_once(pool: str, new_run: Any, states: list[Any]) -> None:
    run = await new_run(*states, pid="box:1", owner="dead")
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker)
        await boxes.reconcile()
        await boxes.reconcile()
    assert boxes.adopted == {run.id: "box:1"}
    assert boxes.submitted == []


async def test_a_pending_run_whose_infrastructure_is_found_is_adopted_and_remembers_it(pool: str, new_run: Any) -> None:
    run = await new_run(Pending(), owner="dead")
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker, there={run.id: "box:7"})
        await boxes.reconcile()
    assert boxes.adopted == {run.id: "box:7"}
    assert (await read(run)).infrastructure_pid == "box:7"


async def test_a_pending_run_without_infrastructure_is_submitted_again(pool: str, new_run: Any) -> None:
    run = await new_run(Pending(), owner="dead")
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker)
        await boxes.reconcile()
        await boxes.reconcile()
    assert (boxes.submitted, boxes.adopted) == ([run.id], {})


async def test_a_second_submission_that_fails_crashes_the_run_with_the_cause(pool: str, new_run: Any) -> None:
    run = await new_run(Pending(), owner="dead")
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker)
        boxes.broken = RuntimeError("no room for a box")
        await boxes.reconcile()
    state = (await read(run)).state
    assert (state.name, "no room for a box" in state.message) == ("Crashed", True)


async def test_a_full_worker_leaves_the_run_for_the_next_time(pool: str, new_run: Any) -> None:
    runs = [await new_run(Pending(), owner="dead") for _ in range(2)]
    async with ProcessWorker(work_pool_name=pool, limit=1) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker)
        worker._limiter.acquire_on_behalf_of_nowait(uuid.uuid4())
        await boxes.reconcile()
        assert boxes.submitted == []
        worker._limiter = None
        await boxes.reconcile()
    assert sorted(boxes.submitted) == sorted(run.id for run in runs)


async def test_runs_that_others_look_after_are_left_alone(pool: str, new_run: Any) -> None:
    async with get_client() as client:
        await client.send_worker_heartbeat(pool, "alive", heartbeat_interval_seconds=300)
    await new_run(Running(), pid="box:1", owner="alive")
    await new_run(Pending(), owner="alive")
    await new_run(Running(), pid="crate:1", owner="dead")  # of another kind of worker
    await new_run(Running(), owner="dead")  # it runs somewhere, and says nothing of where
    await new_run(Running(), Completed(), pid="box:2", owner="dead")
    await new_run(Pending(), scheduled=False)  # a caller with a decorator starts it itself
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker)
        await boxes.reconcile()
    assert (boxes.adopted, boxes.submitted) == ({}, [])


async def test_a_run_that_is_pending_for_a_moment_only_is_left_alone(pool: str, new_run: Any) -> None:
    await new_run(Pending(), owner="dead")
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Boxes(worker, after_seconds=60)
        await boxes.reconcile()
    assert boxes.submitted == []


async def test_one_run_that_cannot_be_picked_up_does_not_keep_the_others_waiting(pool: str, new_run: Any) -> None:
    class Broken(Boxes):
        async def find(self, flow_run: Any, configuration: Any) -> str | None:
            if flow_run.id == broken.id:
                raise ConnectionError("the boxes do not answer")
            return None

    broken, fine = await new_run(Pending(), owner="dead"), await new_run(Pending(), owner="dead")
    async with ProcessWorker(work_pool_name=pool) as worker:
        await worker.sync_with_backend()
        boxes = Broken(worker)
        await boxes.reconcile()
    assert boxes.submitted == [fine.id]
    assert (await read(broken)).state.name == "Pending"


async def test_a_worker_whose_api_does_not_answer_says_what_to_do_and_looks_when_it_does(
    pool: str, new_run: Any, fault_proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run = await new_run(Running(), pid="box:1", owner="dead")
    server = urlsplit(PREFECT_API_URL.value())
    proxy = fault_proxy(server.hostname, server.port)
    proxy.refuse = True

    async def has_adopted() -> bool | None:
        return run.id in boxes.adopted or None

    async def has_warned() -> bool | None:
        return "could not be read" in caplog.text or None

    address = f"127.0.0.1:{proxy.port}{server.path}"
    with temporary_settings({PREFECT_API_URL: f"http://me:canary@{address}"}):
        async with ProcessWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
            boxes = Boxes(worker)
            group.start_soon(boxes.repeat)
            await apoll(has_warned, subject="The warning", interval_seconds=0.01, timeout_seconds=30)
            proxy.heal()
            await worker.sync_with_backend()
            await apoll(has_adopted, subject="The adoption", interval_seconds=0.01, timeout_seconds=30)
            group.cancel_scope.cancel()
    (warning,) = [record.getMessage() for record in caplog.records if "could not be read" in record.getMessage()]
    assert f"Work pool {pool!r} could not be read from the Prefect API at http://{address} yet." in warning
    assert "Check that PREFECT_API_URL is right" in warning
    assert "canary" not in warning
    assert "correctly initialized" not in caplog.text
