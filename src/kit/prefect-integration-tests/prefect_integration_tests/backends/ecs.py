"""ECS on this machine: MiniStack for the account, and tasks that are real containers, with states as ECS has them.

MiniStack alone starts containers, too, but has a task run from the first answer on, and knows neither entry points,
memory limits, essential containers, client tokens nor events. So a server stands before it that answers for tasks
itself, plays EventBridge, and hands on all else. Tasks share this machine's network, whatever their network mode:
servers on the loopback address are in their reach. Nothing is pulled.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ._aws_front import AwsFront, FrontCall, Refused
from ._ecs_account import open_logs, read_secret
from ._ecs_api import EcsTasks
from ._ecs_events import TaskEvents
from ._ecs_task import LABEL, CannotStart, EcsTask, Surroundings
from ._lifetime import Stopped
from .aws import MiniStack
from .aws_faults import AwsError
from .docker import DockerEngine
from .processes import HOST

if TYPE_CHECKING:
    from typing_extensions import Self

_ECS = "AmazonEC2ContainerServiceV20141113"
_JOIN_SECONDS = 40


class EcsEmulator(Stopped):
    """An AWS account whose ECS tasks are containers of a Docker engine.

    ```python
    with DockerEngine.start() as engine, EcsEmulator.start(engine) as aws:
        definition = aws.register(engine.import_busybox(), ["sh", "-c", "exit 3"])
        task = aws.run(definition)
        stopped = aws.wait(task)
        assert stopped["containers"][0]["exitCode"] == 3
    ```
    """

    def __init__(self, engine: DockerEngine, behind: MiniStack) -> None:
        """Put a front before an emulator that runs; `start` does both.

        Args:
            engine: Where containers run.
            behind: The emulator; it is stopped with this one.
        """
        self.engine = engine
        self.behind = behind
        self._docker = engine.client(max_pool_size=64)  # each task has threads
        self._label = uuid.uuid4().hex
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.RLock()
        self._faults: list[tuple[str, AwsError]] = []
        self.calls: list[FrontCall] = []
        """Requests of JSON protocols (ECS, SQS, Logs, Secrets Manager, EventBridge) that came in, oldest first."""
        self.tasks = EcsTasks(behind.account_id, lambda region: self.client_for(region, "ecs"), self._surroundings)
        self.events = TaskEvents(self.client_for, self.region)
        self._front = AwsFront(behind.port, self._answer)

    @classmethod
    def start(cls, engine: DockerEngine) -> Self:
        """Start an emulator on a free port (about 2 s).

        Args:
            engine: Where containers run.

        Raises:
            ServerError: If it does not start.
        """
        behind = MiniStack.start()
        try:
            return cls(engine, behind)
        except BaseException:
            behind.stop()
            raise

    @property
    def endpoint_url(self) -> str:
        """URL that clients of every service take as `endpoint_url`, here and in containers."""
        return f"http://{HOST}:{self._front.port}"

    @property
    def region(self) -> str:
        """Default region of clients."""
        return self.behind.region

    def client(self, service: str, **options: Any) -> Any:
        """Open a boto3 client, or take the one that was opened before without options.

        Args:
            service: Name of the service, such as `ecs`.
            options: As `MiniStack.client` takes them.
        """
        if options:
            return self.behind.client(service, **{"endpoint_url": self.endpoint_url, **options})
        return self._cached_client(self.endpoint_url, self.region, service)

    def client_for(self, region: str, service: str) -> Any:
        """Return a client of what is behind the front, for a region; its calls are not in `calls`."""
        return self._cached_client(self.behind.endpoint_url, region or self.region, service)

    def _cached_client(self, endpoint_url: str, region: str, service: str) -> Any:
        key = (endpoint_url, region, service)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self.behind.client(service, endpoint_url=endpoint_url, region=region)
            return self._clients[key]

    # Set up

    def new_cluster(self, **options: Any) -> str:
        """Create a cluster and return its name.

        Args:
            options: Further arguments of CreateCluster.
        """
        name = f"cluster-{uuid.uuid4().hex[:12]}"
        self.client("ecs").create_cluster(clusterName=name, **options)
        return name

    def register(
        self, image: str, command: Sequence[str] = (), *, task: Mapping[str, Any] | None = None, **options: Any
    ) -> str:
        """Register a task definition for Fargate, of one container named `prefect`, and return its ARN.

        Args:
            image: Tag of an image that the engine has.
            command: What the container runs, unless a task overrides it.
            task: Further fields of the definition, such as `family` or `taskRoleArn`.
            options: Further fields of the container, such as `memory`, in MiB.
        """
        container = {"name": "prefect", "image": image, "command": list(command), "essential": True, **options}
        definition = {
            "family": f"family-{uuid.uuid4().hex[:12]}",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [container],
        }
        answer = self.client("ecs").register_task_definition(**{**definition, **(task or {})})
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition: str, cluster: str | None = None, **options: Any) -> str:
        """Run a task on Fargate and return its ARN.

        Args:
            definition: ARN or name of a task definition.
            cluster: Name; a new one by default.
            options: Further arguments of RunTask.
        """
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
        answer = self.client("ecs").run_task(
            cluster=cluster or self.new_cluster(),
            taskDefinition=definition,
            **{"launchType": "FARGATE", "networkConfiguration": network, **options},
        )
        return answer["tasks"][0]["taskArn"]

    # Look

    def task(self, arn: str) -> EcsTask:
        """Return a task, to look at its `record` and `container_ids`.

        Raises:
            KeyError: If there is none with this ARN.
        """
        return self.tasks.get(arn)

    def wait(self, arn: str, status: str = "STOPPED", *, timeout_seconds: float = 60) -> dict[str, Any]:
        """Wait until a task has a status, or has stopped.

        Args:
            arn: The task.
            status: Such as `RUNNING`.
            timeout_seconds: How long at most.

        Returns:
            The task; times are seconds since the epoch.

        Raises:
            AssertionError: If it stopped without the status, or took too long.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            record = self.task(arn).record
            if record["lastStatus"] == status:
                return record
            if record["lastStatus"] == "STOPPED" or time.monotonic() > deadline:
                raise AssertionError(f"The task is not {status}: {record}")
            time.sleep(0.02)

    def output(self, arn: str) -> str:
        """Return what the containers of a task that has not stopped have written so far.

        A stopped task has no containers any more: its output is in CloudWatch Logs, if its definition says so.
        """
        ids = self.task(arn).container_ids
        return b"".join(self._docker.api.logs(container) for container in ids).decode("utf-8", "replace")

    # What goes wrong

    def fail(self, operation: str, error: AwsError, *, times: int = 1) -> None:
        """Answer the next calls of an operation with an error.

        Args:
            operation: Name, such as `DescribeTasks`. It must be of a JSON protocol.
            error: The answer, such as `AwsError("ThrottlingException", "Rate exceeded")`.
            times: How many calls.
        """
        with self._lock:
            self._faults += [(operation, error)] * times

    def fail_next_start(self, reason: str, *, container: str | None = None) -> None:
        """Let the next task not start: `stopCode` is TaskFailedToStart.

        Args:
            reason: `stoppedReason`, such as `ResourceInitializationError: ...`.
            container: `reason` of the containers; the same by default.
        """
        self.tasks.start_failures.append(CannotStart(reason, container))

    def fail_next_placement(self, reason: str = "RESOURCE:MEMORY") -> None:
        """Let the next RunTask answer with a failure and no task.

        Args:
            reason: Such as `AGENT` or `RESOURCE:CPU`.
        """
        self.tasks.placement_failures.append(reason)

    def interrupt(
        self, arn: str, *, code: str = "SpotInterruption", reason: str = "Your Spot Task was interrupted."
    ) -> None:
        """Stop a task as AWS does by itself.

        Args:
            arn: The task.
            code: `stopCode`, such as `TerminationNotice` or `ServiceSchedulerInitiated`.
            reason: `stoppedReason`.
        """
        self.task(arn).request_stop(code, reason)

    def kill(self, arn: str) -> None:
        """End the essential containers of a task by SIGKILL: exit code 137."""
        self.task(arn).kill()

    def run_out_of_memory(self, arn: str) -> None:
        """End the essential containers of a task as if they took too much memory.

        A container that really does so, by its `memory`, ends the same way where the machine has limits for it.
        """
        self.task(arn).kill(for_memory=True)

    def forget(self, arn: str) -> None:
        """Forget a task, as ECS does some time after it stopped: DescribeTasks says MISSING."""
        self.tasks.forget(arn)

    # Inside

    def _answer(self, call: FrontCall) -> Mapping[str, Any] | None:
        with self._lock:
            self.calls.append(call)
            for index, (operation, error) in enumerate(self._faults):
                if operation == call.operation:
                    del self._faults[index]
                    raise Refused(error)
        return self.tasks.answer(call) if call.target.startswith(f"{_ECS}.") else None

    def _surroundings(self, region: str, definition: Mapping[str, Any]) -> Surroundings:
        environment = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
        }
        if definition.get("taskRoleArn"):  # as keys, where ECS gives the address of a server that hands them out
            environment["AWS_ACCESS_KEY_ID"] = self.behind.access_key
            environment["AWS_SECRET_ACCESS_KEY"] = self.behind.secret_key
        client = partial(self.client_for, region)
        return Surroundings(
            docker=self._docker,
            label=self._label,
            environment=environment,
            secret=partial(read_secret, client),
            logs=partial(open_logs, client),
            changed=self.events.changed,
        )

    def _remove_containers(self) -> None:
        from docker.errors import APIError

        for container in self._docker.api.containers(all=True, filters={"label": f"{LABEL}={self._label}"}):
            with contextlib.suppress(APIError):
                self._docker.api.remove_container(container["Id"], force=True, v=True)

    def reset(self) -> None:
        """Delete everything in the account, tasks included."""
        with self.events.held() as lost:
            tasks = self.tasks.all()
            for task in tasks:
                task.request_stop("UserInitiated", "The emulator is reset.")
                task.kill()
            for task in tasks:
                task.join(_JOIN_SECONDS)
            lost.clear()
        self._remove_containers()
        self.tasks.forget()
        self._faults.clear()
        self.calls.clear()
        self.events.sent.clear()
        self.tasks.start_failures.clear()
        self.tasks.placement_failures.clear()
        self.behind.reset()

    def stop(self) -> None:
        """End the tasks and the emulator."""
        try:
            self.reset()
        finally:
            self._front.close()
            self.behind.stop()
            self._docker.close()


@pytest.fixture(scope="session")
def ecs_emulator(docker_engine: DockerEngine) -> Iterator[EcsEmulator]:
    """An AWS emulator whose ECS tasks are real containers, for the whole session; see `EcsEmulator`."""
    with EcsEmulator.start(docker_engine) as emulator:
        yield emulator


@pytest.fixture
def empty_ecs_emulator(ecs_emulator: EcsEmulator) -> EcsEmulator:
    """`ecs_emulator` with nothing in it."""
    ecs_emulator.reset()
    return ecs_emulator
