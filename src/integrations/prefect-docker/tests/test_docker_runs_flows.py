"""Deployed and decorated flows run in real containers, and end in the state that they should end in.

Worker, deployments and calls are processes of their own, as a user has them; containers are real.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.states import Cancelling

from prefect_docker._worker.identifiers import parse_identifier
from prefect_docker.worker import DockerWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.folder_bundles import write_store
from prefect_integration_tests.suites import DeployedFlowsBase
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess, python

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

# A group of its own: nothing else here needs the image with Prefect and a server with its services.
pytestmark = pytest.mark.xdist_group("docker-flows")

DECORATED = """
    from prefect import flow
    from prefect_docker.decorators import docker

    FOLDER = "{folder}"

    @docker(
        work_pool="{pool}",
        launcher=["python"],
        auto_remove=True,
        volumes=[f"{{FOLDER}}:{{FOLDER}}"],
        env={{"PYTHONPATH": FOLDER}},
    )
    @flow(persist_result=True)
    def double(number: int) -> dict:
        import os
        return {{"doubled": 2 * number, "in a container": os.path.exists("/opt/flows")}}

    if __name__ == "__main__":
        print(double(21))
"""


class TestRuns(DeployedFlowsBase):
    distribution = "prefect-docker"
    worker_class = DockerWorker
    names = ("succeed", "fail", "wait")
    foreign = ("DOCKER_",)
    wait_seconds = 200

    @pytest.fixture(scope="module")
    def environment(self, docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
        worker = "PREFECT_INTEGRATIONS_DOCKER_WORKER"
        return {
            "DOCKER_HOST": docker_engine.socket_url,
            "DOCKER_CONFIG": str(tmp_path_factory.mktemp("docker-config")),
            f"{worker}_WATCH_INTERVAL_SECONDS": "1",
            f"{worker}_CANCELLATION_GRACE_SECONDS": "30",
            f"{worker}_RECONCILE_AFTER_SECONDS": "0",
            f"{worker}_RECONCILE_INTERVAL_SECONDS": "1",
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "1",
        }

    @pytest.fixture(scope="module")
    def defaults(self, image: str) -> dict[str, Any]:
        return {"image": image}

    @pytest.fixture(scope="module", autouse=True)
    def clean_up(self, docker_engine: Any, pool: str) -> Iterator[None]:
        yield
        client = docker_engine.client()
        for container in client.containers.list(all=True, filters={"label": f"io.prefect.work-pool-name={pool}"}):
            with suppress(Exception):
                container.remove(force=True, v=True)

    @pytest.fixture
    def running_container(self, flows: DeployedFlows, docker_client: Any) -> Callable[[Any], Any]:
        """Waits until a run has begun, and gives its container."""
        return lambda run: docker_client.containers.get(parse_identifier(flows.infrastructure_of(run)).container_id)

    def test_flows_run_to_their_end_and_their_logs_arrive(
        self, worker: WorkerProcess, run_of: Any, final: Any, client: SyncPrefectClient, flows: DeployedFlows
    ) -> None:
        good, bad = run_of("succeed"), run_of("fail")
        state = final(good)
        assert state.is_completed(), state
        assert "Started container" in flows.logs(good, until="squares: [0, 1, 4]")
        state = final(bad)
        assert state.is_failed()
        assert "on purpose" in state.message
        assert [state.is_crashed() for state in client.read_flow_run_states(bad.id)].count(True) == 0
        assert poll(
            lambda: True if "printed by the flow" in worker.said() else None,
            subject="the container's output",
            interval_seconds=0.1,
            timeout_seconds=20,
        )

    def test_an_image_that_is_missing_crashes_the_run_and_names_it(self, run_of: Any, final: Any) -> None:
        state = final(run_of("succeed", image="no-such-image:1", image_pull_policy="Never"))
        assert state.is_crashed()
        assert "no-such-image:1" in state.message

    @pytest.mark.slow
    def test_what_a_killed_worker_left_is_looked_after_by_the_next(
        self,
        start_worker: Any,
        worker: WorkerProcess,
        run_of: Any,
        final: Any,
        running_container: Any,
        client: SyncPrefectClient,
    ) -> None:
        dies, is_cancelled = run_of("wait"), run_of("wait", auto_remove=True)
        dying, cancelled = running_container(dies), running_container(is_cancelled)
        worker.kill()
        dying.kill()
        start_worker()
        state = final(dies)
        assert state.is_crashed()
        assert "137" in state.message
        client.set_flow_run_state(is_cancelled.id, Cancelling())
        assert final(is_cancelled).is_cancelled()

        def gone() -> bool | None:
            try:
                cancelled.reload()
            except Exception as exc:
                return True if type(exc).__name__ == "NotFound" else None
            return None

        poll(gone, subject="removal of the container", interval_seconds=0.1, timeout_seconds=120)

    def test_a_decorated_flow_is_called_here_and_runs_there(
        self, pool: str, surroundings: dict[str, str], client: SyncPrefectClient, docker_client: Any, tmp_path: Path
    ) -> None:
        """The caller's own worker starts the container, and the bundle goes through a folder that both see."""
        client.update_work_pool(pool, WorkPoolUpdate(storage_configuration=write_store(tmp_path)))
        (tmp_path / "double.py").write_text(textwrap.dedent(DECORATED).format(pool=pool, folder=tmp_path))
        caller = {**surroundings, "PYTHONPATH": str(tmp_path), "PREFECT_LOCAL_STORAGE_PATH": str(tmp_path / "results")}
        before = {container.id for container in docker_client.containers.list(all=True)}
        said = python(caller, tmp_path, "double.py")
        assert "{'doubled': 42, 'in a container': True}" in said
        label = {"label": f"io.prefect.work-pool-name={pool}"}
        assert {container.id for container in docker_client.containers.list(all=True, filters=label)} <= before
