"""Deployed and decorated flows run in real containers, and end in the state that they should end in.

Worker, deployments and calls are processes of their own, as a user has them; containers are real.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.states import Cancelling

from prefect_docker._worker.identifiers import parse_identifier
from prefect_docker.worker import DockerWorker
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.processes import LocalServer

from ._bundles import write_store

# A group of its own: nothing else here needs the image with Prefect and a server with its services.
pytestmark = pytest.mark.xdist_group("docker-flows")

FLOWS = """
    import time

    from prefect import flow, get_run_logger

    @flow
    def succeed(number: int = 3):
        get_run_logger().info("square: %s", number * number)
        print("printed in the container")

    @flow
    def fail():
        raise ValueError("on purpose")

    @flow
    def wait():
        get_run_logger().info("waiting")
        time.sleep(600)
"""
NAMES = ("succeed", "fail", "wait")


@pytest.fixture(scope="module")
def image(docker_engine: Any, prefect_image: Callable[..., str]) -> str:
    from prefect_integration_tests.backends.docker_images import image_with_files

    return image_with_files(
        docker_engine, prefect_image("prefect-docker"), {"/opt/flows/flows.py": textwrap.dedent(FLOWS)}
    )


@pytest.fixture(scope="module")
def surroundings(
    reachable_prefect_server: Any, docker_engine: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of worker and command line."""
    # Bundles carry the caller's settings, and SSL_CERT_FILE is one: containers have no such file.
    foreign = ("DOCKER_", "PREFECT_", "SSL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    worker = "PREFECT_INTEGRATIONS_DOCKER_WORKER"
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
        **reachable_prefect_server.environment,
        "DOCKER_HOST": docker_engine.socket_url,
        "DOCKER_CONFIG": str(tmp_path_factory.mktemp("docker-config")),
        f"{worker}_WATCH_INTERVAL_SECONDS": "1",
        f"{worker}_CANCELLATION_GRACE_SECONDS": "30",
        f"{worker}_RECONCILE_AFTER_SECONDS": "0",
        f"{worker}_RECONCILE_INTERVAL_SECONDS": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "1",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",  # reaches the containers with the worker's other settings
    }


def python(surroundings: dict[str, str], folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=surroundings,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def prefect(surroundings: dict[str, str], folder: Path, *arguments: str) -> str:
    return python(surroundings, folder, "-m", "prefect", *arguments)


@pytest.fixture(scope="module")
def pool(
    surroundings: dict[str, str], docker_engine: Any, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A work pool with a deployment of each flow, made as a user makes them."""
    folder = tmp_path_factory.mktemp("project")
    name = f"docker-{uuid.uuid4().hex[:8]}"
    template = DockerWorker.get_default_base_job_template()
    template["variables"]["properties"]["image"]["default"] = image
    (folder / "template.json").write_text(json.dumps(template))
    (folder / "flows.py").write_text(textwrap.dedent(FLOWS))
    deployments = [
        {"name": name, "entrypoint": f"flows.py:{flow}", "work_pool": {"name": name}, "schedules": []} for flow in NAMES
    ]
    steps = [{"prefect.deployments.steps.set_working_directory": {"directory": "/opt/flows"}}]
    project = {"name": "e2e", "build": None, "push": None, "pull": steps, "deployments": deployments}
    (folder / "prefect.yaml").write_text(json.dumps(project))  # JSON is YAML
    prefect(
        surroundings, folder, "work-pool", "create", "--type", "docker", name, "--base-job-template", "template.json"
    )
    prefect(surroundings, folder, "--no-prompt", "deploy", "--all")
    yield name
    client = docker_engine.client()
    for container in client.containers.list(all=True, filters={"label": f"io.prefect.work-pool-name={name}"}):
        with suppress(Exception):
            container.remove(force=True, v=True)


class Worker(LocalServer):
    """`prefect worker start` as a process."""

    def __init__(self, pool: str, surroundings: dict[str, str], log: Path) -> None:
        self.log = log
        super().__init__(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "docker"],
            lambda: log.exists() and "started!" in log.read_text(errors="replace"),
            name="docker-worker",
            env=surroundings,
            log_path=log,
            start_timeout_seconds=100,
            stop_timeout_seconds=20,
        )


@pytest.fixture(scope="module")
def start_worker(
    pool: str, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Worker]]:
    with ExitStack() as stack:

        def start() -> Worker:
            worker = Worker(pool, surroundings, tmp_path_factory.mktemp("worker") / "log.txt")
            worker.start()
            stack.callback(worker.stop)
            return worker

        yield start


@pytest.fixture(scope="module")
def worker(start_worker: Callable[[], Worker]) -> Worker:
    return start_worker()


@pytest.fixture
def client(reachable_prefect_server: Any) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(reachable_prefect_server.api_url) as client:
        yield client


@pytest.fixture
def run_of(client: SyncPrefectClient, pool: str) -> Callable[..., Any]:
    """Schedules a run of a deployed flow."""

    def run(flow: str, **job_variables: Any) -> Any:
        deployment = client.read_deployment_by_name(f"{flow}/{pool}")
        return client.create_flow_run_from_deployment(deployment.id, job_variables=job_variables)

    return run


@pytest.fixture
def final(client: SyncPrefectClient) -> Callable[[Any], Any]:
    """Waits for a run's final state."""

    def final(run: Any) -> Any:
        def look() -> Any:
            state = client.read_flow_run(run.id).state
            return state if state is not None and state.is_final() else None

        return poll(look, subject=f"final state of {run.name}", interval_seconds=0.1, timeout_seconds=200)

    return final


@pytest.fixture
def running_container(client: SyncPrefectClient, docker_client: Any) -> Callable[[Any], Any]:
    """Waits until a run has begun, and gives its container."""

    def running(run: Any) -> Any:
        def look() -> str | None:
            seen = client.read_flow_run(run.id)
            assert seen.state is not None
            assert not seen.state.is_final(), seen.state
            return seen.infrastructure_pid if seen.state.is_running() else None

        pid = poll(look, subject=f"start of {run.name}", interval_seconds=0.1, timeout_seconds=200)
        return docker_client.containers.get(parse_identifier(pid).container_id)

    return running


def logs_of(reachable_prefect_server: Any, run: Any) -> str:
    async def read() -> str:
        async with PrefectClient(reachable_prefect_server.api_url) as client:
            logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
            return "\n".join(log.message for log in logs)

    return asyncio.run(read())


def test_flows_run_to_their_end_and_their_logs_arrive(
    worker: Worker, run_of: Any, final: Any, client: SyncPrefectClient, reachable_prefect_server: Any
) -> None:
    good, bad = run_of("succeed"), run_of("fail")
    state = final(good)
    assert state.is_completed(), state
    said = poll(
        lambda: text if "square: 9" in (text := logs_of(reachable_prefect_server, good)) else None,
        subject="the flow's log line",
        interval_seconds=0.2,
        timeout_seconds=20,
    )
    assert "Started container" in said
    state = final(bad)
    assert state.is_failed()
    assert "on purpose" in state.message
    assert [state.is_crashed() for state in client.read_flow_run_states(bad.id)].count(True) == 0
    assert poll(
        lambda: True if "printed in the container" in worker.log.read_text(errors="replace") else None,
        subject="the container's output",
        interval_seconds=0.1,
        timeout_seconds=20,
    )


@pytest.mark.usefixtures("worker")
def test_an_image_that_is_missing_crashes_the_run_and_names_it(run_of: Any, final: Any) -> None:
    state = final(run_of("succeed", image="no-such-image:1", image_pull_policy="Never"))
    assert state.is_crashed()
    assert "no-such-image:1" in state.message


def test_what_a_killed_worker_left_is_looked_after_by_the_next(
    start_worker: Any,
    worker: Worker,
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


def test_a_decorated_flow_is_called_here_and_runs_there(
    pool: str, surroundings: dict[str, str], client: SyncPrefectClient, docker_client: Any, tmp_path: Path
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
