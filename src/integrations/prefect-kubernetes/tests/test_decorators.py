"""A flow with `@kubernetes` above it travels through its pool's storage and runs in a job, in three modes."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anyio import create_task_group, to_thread
from prefect import flow, get_client

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.folder_bundles import write_store
from prefect_integration_tests.suites import DecoratorSuite
from prefect_integration_tests.suites.decorator import add
from prefect_kubernetes.decorators import kubernetes
from prefect_kubernetes.worker import KubernetesWorker

from ._configurations import container_of, env_of

PYTHON = [sys.executable, "-W", "error"]
in_own_processes = pytest.mark.timeout(300)  # each imports Prefect, which takes a busy machine its time


class TestDecorators(DecoratorSuite):
    decorators: ClassVar = {kubernetes: KubernetesWorker}
    job_variables: ClassVar = {"namespace": "shop"}


# Through the pool's storage


@pytest.fixture
def api(empty_kube_api: Any, prefect_harness: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The played cluster, which is the one that this process is set up for; steps run as processes of their own."""
    from prefect.settings import get_current_settings

    monkeypatch.setenv("KUBECONFIG", str(empty_kube_api.write_kubeconfig(tmp_path / "config")))
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "false")
    monkeypatch.setenv("PREFECT_API_URL", str(get_current_settings().api.url))
    monkeypatch.setenv("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return empty_kube_api


@pytest.fixture
def pool(api: Any, tmp_path: Path) -> str:
    """A pool whose bundles are in a folder."""
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate

    name = f"kubernetes-{uuid.uuid4().hex[:8]}"
    template = KubernetesWorker.get_default_base_job_template()
    template["variables"]["properties"]["stream_output"]["default"] = False
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name, type="kubernetes", base_job_template=template))
        client.update_work_pool(name, WorkPoolUpdate(storage_configuration=write_store(tmp_path)))
    return name


@pytest.fixture
def be_the_container(tmp_path: Path) -> Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Run what the container of a job runs, in an empty folder."""

    def run(job: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "container"
        folder.mkdir()
        env = {**os.environ, "PREFECT__FLOW_RUN_ID": env_of(job)["PREFECT__FLOW_RUN_ID"]}
        return subprocess.run(
            container_of(job)["args"], cwd=folder, env=env, capture_output=True, text=True, timeout=200
        )

    return run


@in_own_processes
async def test_a_direct_call_ends_with_the_flow_in_the_job(pool: str, api: Any, be_the_container: Any) -> None:
    @kubernetes(work_pool=pool, launcher=PYTHON, labels={"team": "shop"})
    @flow(name=f"double-{pool}")
    async def double(number: int) -> int:
        return 2 * number

    async def look() -> dict[str, Any] | None:
        return next(iter(api.list("jobs", labels="team=shop")), None)

    async def act() -> None:
        job = await apoll(look, subject="The job", interval_seconds=0.1, timeout_seconds=200)
        done = await to_thread.run_sync(be_the_container, job)
        assert done.returncode == 0, done.stderr

    async with create_task_group() as group:
        group.start_soon(act)
        state = await double(21, return_state=True)
    assert state.is_completed(), state


@in_own_processes
def test_a_flow_that_is_left_to_the_pool_makes_no_job_here(pool: str, api: Any) -> None:
    bound = kubernetes(work_pool=pool, launcher=PYTHON, namespace="shop")(add)
    future = bound.submit_to_work_pool(a=1)
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(future.flow_run_id)
    assert (future.state.name, flow_run.work_pool_name) == ("Scheduled", pool)
    assert flow_run.job_variables is not None
    assert flow_run.job_variables["namespace"] == "shop"
    assert flow_run.job_variables["command"].startswith(f"{sys.executable} -W error -m folder_store")
    assert api.list("jobs") == []


@in_own_processes
@pytest.mark.slow
def test_a_submitted_flow_is_started_from_here_and_not_waited_for(pool: str, api: Any) -> None:
    future = kubernetes(work_pool=pool, launcher=PYTHON)(add).submit(1, b=2)
    (job,) = api.list("jobs")
    assert env_of(job)["PREFECT__FLOW_RUN_ID"] == str(future.flow_run_id)
    assert container_of(job)["args"][: len(PYTHON)] == PYTHON
    assert not future.state.is_final()
