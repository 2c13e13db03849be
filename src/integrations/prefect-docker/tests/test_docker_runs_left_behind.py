"""What a worker left behind when it died is picked up by the next one; what need not be kept is removed."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from prefect import get_client
from prefect.states import Pending, Running, Scheduled

from prefect_docker._worker.collection import Collection
from prefect_docker._worker.reconciliation import DockerReconciliation
from prefect_docker.settings import DockerWorkerSettings
from prefect_docker.worker import DockerWorker
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.pool_runs import state_of

from ._runs import Pool

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("engine")]


@pytest.fixture
def pool(
    prefect_harness: None, busybox_image: str, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pool]:
    for name, value in {"RECONCILE_AFTER_SECONDS": "0", "STOP_GRACE_SECONDS": "0"}.items():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_DOCKER_WORKER_{name}", value)
    pool = Pool(busybox_image)
    yield pool
    for container in of(docker_client, pool):
        with contextlib.suppress(Exception):
            container.remove(force=True)


def of(docker_client: Any, pool: Pool) -> list[Any]:
    return docker_client.containers.list(all=True, filters={"label": f"io.prefect.work-pool-name={pool.name}"})


def start(docker_client: Any, pool: Pool, run_id: object, command: str, *, only_create: bool = False) -> Any:
    labels = {"io.prefect.flow-run-id": str(run_id), "io.prefect.work-pool-name": pool.name}
    container = docker_client.containers.create(pool.image, ["sh", "-c", command], labels=labels)
    if not only_create:
        container.start()
    return container


async def left_behind(pool: Pool, state: Any, infrastructure_pid: str | None = None) -> FlowRun:
    """A run whose worker is gone."""
    command = {"command": "sh -c 'exit 9'", "image": pool.image}
    run = await pool.new_run(Scheduled(), **command)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, state, force=True)
        if infrastructure_pid is not None:
            await client.update_flow_run(run.id, infrastructure_pid=infrastructure_pid)
        return await client.read_flow_run(run.id)


async def reconcile(worker: DockerWorker) -> None:
    await DockerReconciliation(worker, worker._runs).reconcile()


async def crash_of(run: FlowRun) -> str:
    async def look() -> str | None:
        state = await state_of(run)
        return str(state.message) if state.is_crashed() else None

    return await apoll(look, subject="the crash", interval_seconds=0.05, timeout_seconds=60)


async def test_containers_are_looked_after_again_whether_they_run_or_have_ended(
    pool: Pool, docker_client: Any, docker_engine: Any
) -> None:
    dead = start(docker_client, pool, uuid.uuid4(), "exit 3")
    dead.wait()
    alive = start(docker_client, pool, uuid.uuid4(), "sleep 600")
    url = docker_engine.socket_url
    ended = await left_behind(pool, Running(), f"http+docker://localhost:{dead.id}")
    runs = await left_behind(pool, Running(), f"{url}:{alive.id}")
    elsewhere = await left_behind(pool, Running(), f"{url}:{'0' * 64}")
    foreign = await left_behind(pool, Running(), "cluster::task")
    async with pool.worker() as worker:
        await reconcile(worker)
        assert "exited with code 3" in await crash_of(ended)
        assert (await state_of(runs)).is_running()
        alive.kill()
        assert "SIGKILL" in await crash_of(runs)
    assert (await state_of(foreign)).is_running()
    # Another machine's engine may have the same address, and the container.
    assert (await state_of(elsewhere)).is_running()


async def test_a_run_without_an_identifier_is_found_by_its_label_or_submitted_again(
    pool: Pool, docker_client: Any
) -> None:
    found, half_made, lost = [await left_behind(pool, Pending()) for _ in range(3)]
    container = start(docker_client, pool, found.id, "sleep 600")
    created = start(docker_client, pool, half_made.id, "exit 5", only_create=True)
    async with pool.worker() as worker:
        await reconcile(worker)
        async with get_client() as client:
            pid = (await client.read_flow_run(found.id)).infrastructure_pid
        assert str(pid).endswith(container.id)
        assert "exited with code 9" in await crash_of(lost)
        assert "exited with code 9" in await crash_of(half_made)
    assert created.id not in [other.id for other in of(docker_client, pool)]
    assert len(of(docker_client, pool)) == 3


async def test_a_run_whose_report_is_waited_for_is_not_taken_for_one_left_behind(pool: Pool) -> None:
    run = await left_behind(pool, Pending())
    configuration = pool.configure(run, command="true", auto_remove=True)
    async with pool.worker() as worker:
        result = await worker.run(run, configuration)
        assert result
        await reconcile(worker)
        assert (await state_of(run)).is_pending()


async def test_containers_of_the_pool_are_collected_and_no_others(
    pool: Pool, docker_client: Any, new_container: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_REMOVE_AFTER_SECONDS", "3600")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_KEEP_FAILED", "true")
    assert DockerWorkerSettings().keep_failed
    good, failed, alive = (
        start(docker_client, pool, uuid.uuid4(), command) for command in ("true", "exit 2", "sleep 600")
    )
    stranger = new_container(["true"], labels={"io.prefect.flow-run-id": str(uuid.uuid4())})
    stranger.start()
    for container in (good, failed, stranger):
        container.wait()
    async with pool.worker() as worker:
        await Collection(worker, worker._runs).collect()
        assert len(of(docker_client, pool)) == 3
        later = datetime.now(timezone.utc) + timedelta(hours=2)
        await Collection(worker, worker._runs, now=lambda: later).collect()
    assert {container.id for container in of(docker_client, pool)} == {failed.id, alive.id}
    stranger.reload()


async def test_a_container_that_was_never_started_is_collected_when_it_is_old(pool: Pool, docker_client: Any) -> None:
    created = start(docker_client, pool, uuid.uuid4(), "true", only_create=True)
    async with pool.worker() as worker:
        await Collection(worker, worker._runs).collect()
        assert [container.id for container in of(docker_client, pool)] == [created.id]
        later = datetime.now(timezone.utc) + timedelta(hours=2)
        await Collection(worker, worker._runs, now=lambda: later).collect()
    assert of(docker_client, pool) == []
