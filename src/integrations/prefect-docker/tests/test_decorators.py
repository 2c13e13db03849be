"""A flow with `@docker` above it is bound to a pool, and its three ways of being called start its container."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolUpdate

from prefect_docker.decorators import docker
from prefect_docker.worker import DockerWorker
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.folder_bundles import write_store
from prefect_integration_tests.pool_runs import state_of
from prefect_integration_tests.suites import DecoratorSuite
from prefect_integration_tests.suites.decorator import add

from ._runs import Pool

HERE = [sys.executable]
WAITS = ["sh", "-c", "sleep 600", "as"]
"""Stands for Python in the container of the tests, which has none: what follows are arguments of the script."""


class TestDecorators(DecoratorSuite):
    decorators: ClassVar = {docker: DockerWorker}
    job_variables: ClassVar = {"mem_limit": "2g"}


# On the engine -------------------------------------------------------------------------------------------------------

on_the_engine = pytest.mark.xdist_group("docker")


@pytest.fixture
def pool(
    engine: Any,
    prefect_harness: None,
    busybox_image: str,
    docker_client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pool]:
    """A pool whose bundles go to a folder."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_STOP_GRACE_SECONDS", "0")
    pool = Pool(busybox_image)
    with get_client(sync_client=True) as client:
        client.update_work_pool(pool.name, WorkPoolUpdate(storage_configuration=write_store(tmp_path)))
    yield pool
    for container in containers_of(docker_client, pool):
        container.remove(force=True)


def containers_of(docker_client: Any, pool: Pool) -> list[Any]:
    return docker_client.containers.list(all=True, filters={"label": f"io.prefect.work-pool-name={pool.name}"})


@on_the_engine
@pytest.mark.timeout(200)
def test_a_submitted_flow_is_started_from_here_and_not_waited_for(
    pool: Pool, docker_client: Any, tmp_path: Path
) -> None:
    bound = docker(pool.name, launcher={"upload": HERE, "execution": WAITS}, image=pool.image, mem_limit="64m")(add)
    future = bound.submit(1, b=2)
    (container,) = containers_of(docker_client, pool)
    assert container.status == "running"
    assert container.attrs["HostConfig"]["Memory"] == 64 << 20
    key = container.attrs["Config"]["Cmd"][-1]
    assert (tmp_path / "bundles" / key).exists()
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(future.flow_run_id)
    assert str(flow_run.infrastructure_pid).endswith(f":{container.id}")
    assert not future.state.is_final()


@on_the_engine
@pytest.mark.timeout(200)
def test_a_submission_that_fails_crashes_the_run_with_the_cause(pool: Pool) -> None:
    bound = docker(pool.name, launcher=HERE, image="no-such-image:1", image_pull_policy="Never")(add)
    state = bound.submit(1).state
    assert state.is_crashed()
    assert "no-such-image:1" in str(state.message)


@on_the_engine
@pytest.mark.timeout(200)
async def test_a_flow_that_is_submitted_to_the_pool_is_started_by_its_worker(pool: Pool, docker_client: Any) -> None:
    from anyio import to_thread

    bound = docker(pool.name, launcher={"upload": HERE, "execution": WAITS}, image=pool.image)(add)
    future = await to_thread.run_sync(lambda: bound.submit_to_work_pool(1))
    async with get_client() as client:
        flow_run = await client.read_flow_run(future.flow_run_id)
    assert future.state.is_scheduled()
    command = shlex.split((flow_run.job_variables or {})["command"])
    async with pool.worker() as worker:
        await worker.sync_with_backend()

        async def started() -> list[str] | None:
            await worker.get_and_submit_flow_runs()
            found = containers_of(docker_client, pool)
            return found[0].attrs["Config"]["Cmd"] if found and found[0].status == "running" else None

        assert await apoll(started, subject="the container", interval_seconds=0.1, timeout_seconds=60) == command
        containers_of(docker_client, pool)[0].kill()

        async def crashed() -> bool | None:
            return (await state_of(flow_run)).is_crashed() or None

        await apoll(crashed, subject="the crash", interval_seconds=0.1, timeout_seconds=60)
