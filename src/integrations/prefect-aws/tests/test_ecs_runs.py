"""Deployed flows run in real containers, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; ECS, SQS and EventBridge are
the emulator's.
"""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Cancelling

from prefect_aws import ECSWorker
from prefect_aws.workers.ecs_worker import parse_identifier
from prefect_integration_tests.worker_runs import (
    DeployedFlows,
    WorkerProcess,
    deploy,
    own_environment,
    prefect,
    python,
    workers,
)

pytestmark = pytest.mark.xdist_group("docker")

FLOWS = """
    import os, time

    from prefect import flow, get_run_logger, task

    @task
    def square(number):
        return number * number

    @flow
    def succeed(number: int = 3):
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
NAMES = ("succeed", "fail", "wait", "vanish")


@pytest.fixture(scope="module")
def image(docker_engine: Any, prefect_image: Callable[..., str]) -> str:
    from prefect_integration_tests.backends.docker_images import image_with_files

    return image_with_files(
        docker_engine, prefect_image("prefect-aws"), {"/opt/flows/flows.py": textwrap.dedent(FLOWS)}
    )


@pytest.fixture(scope="module")
def queue(ecs_emulator: Any) -> str:
    return ecs_emulator.events.new_queue()


@pytest.fixture(scope="module")
def surroundings(reachable_prefect_server: Any, ecs_emulator: Any, queue: str) -> dict[str, str]:
    """The environment of worker and command line."""
    worker = "PREFECT_INTEGRATIONS_AWS_ECS_WORKER"
    return {
        **own_environment("AWS_"),
        **reachable_prefect_server.environment,
        "AWS_ENDPOINT_URL": ecs_emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME": queue.rpartition("/")[2],
        f"{worker}_WATCH_INTERVAL_SECONDS": "1",
        f"{worker}_SWEEP_INTERVAL_SECONDS": "5",
        f"{worker}_CANCELLATION_GRACE_SECONDS": "20",
        f"{worker}_RECONCILE_AFTER_SECONDS": "0",
        f"{worker}_RECONCILE_INTERVAL_SECONDS": "2",
        f"{worker}_CREATE_TASK_RUN_CAPACITY_TIMEOUT_SECONDS": "5",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "2",
        # What follows reaches the containers with the worker's other settings.
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }


@pytest.fixture(scope="module")
def pool(surroundings: dict[str, str], ecs_emulator: Any, image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A work pool with a deployment of each flow, made as a user makes them."""
    return deploy(
        surroundings,
        tmp_path_factory.mktemp("project"),
        worker_type="ecs",
        template=ECSWorker.get_default_base_job_template(),
        defaults={"cluster": ecs_emulator.new_cluster(), "image": image, "cpu": 256, "memory": 512},
        flows=FLOWS,
        names=NAMES,
    )


@pytest.fixture(scope="module")
def start_worker(
    pool: str, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], WorkerProcess]]:
    with workers(pool, "ecs", surroundings, lambda: tmp_path_factory.mktemp("worker")) as start:
        yield start


@pytest.fixture(scope="module")
def worker(start_worker: Callable[[], WorkerProcess]) -> WorkerProcess:
    return start_worker()


@pytest.fixture(scope="module")
def client(reachable_prefect_server: Any) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(reachable_prefect_server.api_url) as client:
        yield client


@pytest.fixture(scope="module")
def flows(client: SyncPrefectClient, pool: str) -> DeployedFlows:
    return DeployedFlows(client, pool, timeout_seconds=90)


@pytest.fixture(scope="module")
def run_of(flows: DeployedFlows) -> Callable[..., Any]:
    """Schedules a run of a deployed flow."""
    return flows.run


@pytest.fixture
def final(flows: DeployedFlows) -> Callable[[Any], Any]:
    """Waits for a run's final state."""
    return flows.final


@pytest.fixture
def running_task(flows: DeployedFlows) -> Callable[[Any], str]:
    """Waits until a run has begun, and tells its task."""
    return lambda run: parse_identifier(flows.infrastructure_of(run)).task_arn


@pytest.mark.usefixtures("worker")
def test_a_flow_runs_to_its_end_and_its_logs_arrive(run_of: Any, final: Any, flows: DeployedFlows) -> None:
    run = run_of("succeed")
    state = final(run)
    assert state.is_completed(), state
    assert "Started ECS task" in flows.logs(run, until="squares: [0, 1, 4]")


@pytest.mark.usefixtures("worker")
def test_a_flow_that_fails_has_failed_and_not_crashed(run_of: Any, final: Any) -> None:
    state = final(run_of("fail"))
    assert state.is_failed()
    assert "on purpose" in state.message


@pytest.mark.usefixtures("worker")
def test_a_container_that_dies_crashes_its_run_with_the_exit_code(
    run_of: Any, final: Any, running_task: Any, ecs_emulator: Any
) -> None:
    killed, starved = run_of("wait"), run_of("wait")
    ecs_emulator.kill(running_task(killed))
    ecs_emulator.run_out_of_memory(running_task(starved))
    for run, words in ((killed, "137"), (starved, "OutOfMemoryError")):
        state = final(run)
        assert state.is_crashed(), state
        assert words in state.message


@pytest.mark.usefixtures("worker")
def test_a_flow_whose_process_vanishes_crashes(run_of: Any, final: Any) -> None:
    assert final(run_of("vanish")).is_crashed()


@pytest.mark.usefixtures("worker")
def test_a_task_that_never_starts_crashes_its_run_with_the_reason(run_of: Any, final: Any, ecs_emulator: Any) -> None:
    state = final(run_of("succeed", image="no-such-image:1"))
    assert state.is_crashed()
    assert "CannotPullContainerError" in state.message
    ecs_emulator.fail_next_start("ResourceInitializationError: unable to pull secrets or registry auth")
    state = final(run_of("succeed"))
    assert state.is_crashed()
    assert "ResourceInitializationError" in state.message


@pytest.mark.usefixtures("worker")
def test_a_cluster_without_room_is_waited_for(run_of: Any, final: Any, ecs_emulator: Any) -> None:
    ecs_emulator.fail_next_placement("RESOURCE:MEMORY")
    assert final(run_of("succeed")).is_completed()


@pytest.mark.usefixtures("worker")
def test_a_cancelled_run_ends_and_so_does_its_task(
    run_of: Any, final: Any, running_task: Any, client: SyncPrefectClient, ecs_emulator: Any
) -> None:
    run = run_of("wait")
    arn = running_task(run)
    client.set_flow_run_state(run.id, Cancelling())
    assert final(run).is_cancelled()
    assert ecs_emulator.wait(arn)["lastStatus"] == "STOPPED"


@pytest.mark.usefixtures("worker")
def test_a_crash_is_seen_when_its_event_is_lost(run_of: Any, final: Any, running_task: Any, ecs_emulator: Any) -> None:
    run = run_of("wait")
    arn = running_task(run)
    with ecs_emulator.events.held() as details:
        ecs_emulator.kill(arn)
        state = final(run)
        details.clear()
    assert state.is_crashed()
    assert "137" in state.message


DECORATED = """
    from prefect import flow
    from prefect_aws.decorators import ecs

    @ecs(work_pool="{pool}", launcher=["python"], memory=1024)
    @flow(persist_result=True)
    def double(number: int) -> dict:
        import os
        return {{"doubled": 2 * number, "in a container": os.path.exists("/opt/flows")}}

    if __name__ == "__main__":
        print(double(21))
"""


def test_a_decorated_flow_is_called_here_and_runs_there(
    pool: str, surroundings: dict[str, str], ecs_emulator: Any, tmp_path: Path
) -> None:
    """No worker process: the caller's own worker starts the task, and the bundle goes through the bucket."""
    save = f"""
        from prefect_aws import AwsCredentials
        from prefect_aws.client_parameters import AwsClientParameters
        AwsCredentials(
            aws_access_key_id="testing",
            aws_secret_access_key="testing-secret",
            region_name="us-east-1",
            aws_client_parameters=AwsClientParameters(endpoint_url="{ecs_emulator.endpoint_url}"),
        ).save("e2e-aws", overwrite=True)
    """
    bucket = f"bundles-{uuid.uuid4().hex[:8]}"
    ecs_emulator.client("s3").create_bucket(Bucket=bucket)
    (tmp_path / "save.py").write_text(textwrap.dedent(save))
    (tmp_path / "double.py").write_text(textwrap.dedent(DECORATED).format(pool=pool))
    python(surroundings, tmp_path, "save.py")
    storage = ("--bucket", bucket, "--aws-credentials-block-name", "e2e-aws")
    prefect(surroundings, tmp_path, "work-pool", "storage", "configure", "s3", pool, *storage)
    said = python(surroundings, tmp_path, "double.py")
    assert "{'doubled': 42, 'in a container': True}" in said


@pytest.mark.slow
def test_what_a_killed_worker_left_is_looked_after_by_the_next(
    start_worker: Any, worker: WorkerProcess, run_of: Any, final: Any, running_task: Any, ecs_emulator: Any
) -> None:
    dies, goes_on = run_of("wait"), run_of("succeed")
    arn = running_task(dies)
    assert final(goes_on).is_completed()
    worker.kill()
    with ecs_emulator.events.held() as details:
        ecs_emulator.kill(arn)
        ecs_emulator.wait(arn)
        details.clear()
    start_worker()
    state = final(dies)
    assert state.is_crashed()
    assert "137" in state.message
