"""Flows that are deployed as users do it, and run in real containers by a worker process, until they have ended."""

from __future__ import annotations

import textwrap
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelling

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.worker_runs import (
    FLOWS_FOLDER,
    DeployedFlows,
    WorkerProcess,
    deploy,
    own_environment,
    workers,
)

from .base import Suite

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

FLOWS = """
    import os, time

    from prefect import flow, get_run_logger, task

    @task
    def square(number):
        return number * number

    @flow
    def succeed(number: int = 3):
        print("printed by the flow")
        get_run_logger().info("squares: %s", square.map(range(number)).result())

    @flow
    def fail():
        raise ValueError("on purpose")

    @flow
    def wait():
        get_run_logger().info("waiting")
        time.sleep(600)

    @flow
    def vanish():
        os._exit(3)
"""


class DeployedFlowsBase(Suite):
    """Fixtures of tests with deployed flows: image, work pool, worker process, runs. They live as long as the module.

    Attributes:
        distribution: Name of the package, such as `"prefect-docker"`; the image has it.
        worker_class: The worker.
        source: What is in `flows.py`.
        names: The flows in it to deploy.
        foreign: Prefixes of variables of this process that worker and command line must not see.
        wait_seconds: How long a run may take to begin, and to end.
    """

    distribution: ClassVar[str]
    worker_class: ClassVar[type[Any]]
    source: ClassVar[str] = FLOWS
    names: ClassVar[tuple[str, ...]] = ("succeed", "wait")
    foreign: ClassVar[tuple[str, ...]] = ()
    wait_seconds: ClassVar[float] = 300.0

    @pytest.fixture(scope="module")
    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Variables of worker and command line: the way to the service, and settings that shorten its waits."""

    @pytest.fixture(scope="module")
    @abstractmethod
    def defaults(self) -> Mapping[str, Any]:
        """Defaults of job variables; `image` is among them."""

    @pytest.fixture(scope="module")
    def server(self, reachable_prefect_server: Any) -> Any:
        """A Prefect server that containers reach."""
        return reachable_prefect_server

    @pytest.fixture(scope="module")
    def image(self, docker_engine: Any, prefect_image: Callable[..., str]) -> str:
        """An image with the package and the flows."""
        from prefect_integration_tests.backends.docker_images import image_with_files

        files = {f"{FLOWS_FOLDER}/flows.py": textwrap.dedent(self.source)}
        return image_with_files(docker_engine, prefect_image(self.distribution), files)

    @pytest.fixture(scope="module")
    def surroundings(self, server: Any, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment of worker and command line."""
        return {
            **own_environment(*self.foreign),
            **server.environment,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "2",
            # What follows reaches the containers with the worker's other settings.
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            **environment,
        }

    @pytest.fixture(scope="module")
    def pool(
        self,
        surroundings: dict[str, str],
        defaults: Mapping[str, Any],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> str:
        """A work pool with a deployment of each flow, made as a user makes them."""
        return deploy(
            surroundings,
            tmp_path_factory.mktemp("project"),
            worker_type=self.worker_class.type,
            template=self.worker_class.get_default_base_job_template(),
            defaults=defaults,
            flows=self.source,
            names=self.names,
        )

    @pytest.fixture(scope="module")
    def start_worker(
        self, pool: str, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Callable[[], WorkerProcess]]:
        """Starts one more worker of the pool."""
        with workers(pool, self.worker_class.type, surroundings, lambda: tmp_path_factory.mktemp("worker")) as start:
            yield start

    @pytest.fixture(scope="module")
    def worker(self, start_worker: Callable[[], WorkerProcess]) -> WorkerProcess:
        """A worker of the pool."""
        return start_worker()

    @pytest.fixture(scope="module")
    def client(self, server: Any) -> Iterator[SyncPrefectClient]:
        """A client of the Prefect server."""
        with SyncPrefectClient(server.api_url) as client:
            yield client

    @pytest.fixture(scope="module")
    def flows(self, client: SyncPrefectClient, pool: str) -> DeployedFlows:
        """Runs of the deployed flows."""
        return DeployedFlows(client, pool, timeout_seconds=self.wait_seconds)

    @pytest.fixture(scope="module")
    def run_of(self, flows: DeployedFlows) -> Callable[..., FlowRun]:
        """Schedules a run of a deployed flow."""
        return flows.run

    @pytest.fixture
    def final(self, flows: DeployedFlows, worker: WorkerProcess) -> Callable[[FlowRun], State[Any]]:
        """Waits for a run's final state; when it does not come, the worker's last words are told."""

        def final(run: FlowRun) -> State[Any]:
            try:
                return flows.final(run)
            except TimeoutError as exc:
                pytest.fail(f"{exc}\n{worker.log_tail(60)}")

        return final


class DeployedFlowsSuite(DeployedFlowsBase):
    """Checks deployed flows at a cloud that runs each as a job, and whose containers are real.

    Attributes:
        kind: What messages of the worker call a job.
        said: What the logs of the flow that succeeds have at its end.
        memory_advice: What the state of a run says that has run out of memory.
    """

    kind: ClassVar[str]
    said: ClassVar[str] = "squares: [0, 1, 4]"
    memory_advice: ClassVar[str]

    @pytest.fixture(scope="module")
    @abstractmethod
    def cloud(self) -> Any:
        """The cloud with real containers, of its own: a shared one is emptied by other tests."""

    @abstractmethod
    def run_out_of_memory(self, cloud: Any, identifier: str) -> None:
        """Kill the container of a run as the kernel does for want of memory.

        Args:
            cloud: The cloud.
            identifier: The run's `infrastructure_pid`.
        """

    @abstractmethod
    def end(self, cloud: Any, identifier: str, exit_code: int) -> None:
        """End the container of a run."""

    @abstractmethod
    def left_over(self, cloud: Any, identifiers: Collection[str | None]) -> Collection[str]:
        """What is there still of what was made for runs."""

    def look_closer(self, worker: WorkerProcess) -> None:
        """Check what else holds when all runs have ended."""
        del worker

    def _until_gone(self, cloud: Any, *identifiers: str | None) -> None:
        poll(
            lambda: not self.left_over(cloud, identifiers) or None,
            subject="the deletion of all that was made for the runs",
            interval_seconds=0.1,
            timeout_seconds=60,
        )

    def test_flows_end_as_they_should_and_leave_nothing(
        self,
        cloud: Any,
        flows: DeployedFlows,
        final: Callable[[FlowRun], State[Any]],
        client: SyncPrefectClient,
        worker: WorkerProcess,
    ) -> None:
        """One that succeeds, one whose container is killed for want of memory, and one that is cancelled."""
        good, starved, endless = flows.run("succeed"), flows.run("wait"), flows.run("wait")
        state = final(good)
        assert state.is_completed(), state
        assert f"Started {self.kind}" in flows.logs(good, until=self.said)

        self.run_out_of_memory(cloud, flows.infrastructure_of(starved))
        state = final(starved)
        assert state.is_crashed(), state
        assert self.memory_advice in str(state.message)
        assert f"Started {self.kind}" in flows.logs(starved, until=f"The last output of {self.kind}")

        flows.infrastructure_of(endless)
        client.set_flow_run_state(endless.id, Cancelling())
        assert final(endless).is_cancelled()

        runs = (good, starved, endless)
        self._until_gone(cloud, *(client.read_flow_run(run.id).infrastructure_pid for run in runs))
        self.look_closer(worker)

    @pytest.mark.slow
    def test_what_a_killed_worker_left_is_looked_after_by_the_next(
        self,
        cloud: Any,
        start_worker: Callable[[], WorkerProcess],
        worker: WorkerProcess,
        flows: DeployedFlows,
        final: Callable[[FlowRun], State[Any]],
    ) -> None:
        """The container ends while no worker is there."""
        run = flows.run("wait")
        identifier = flows.infrastructure_of(run)
        worker.kill()
        self.end(cloud, identifier, exit_code=9)
        start_worker()
        assert final(run).is_crashed()
        self._until_gone(cloud, identifier)
