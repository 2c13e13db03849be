"""Deployed flows run in real containers, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command, the deployments are made by it, containers are real; ECS, SQS and EventBridge are
the emulator's.
"""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect.states import Cancelling

from prefect_aws import ECSWorker
from prefect_aws.workers.ecs_worker import parse_identifier
from prefect_integration_tests.suites import DeployedFlowsBase
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess, prefect, python

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

pytestmark = pytest.mark.xdist_group("docker")

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


class TestRuns(DeployedFlowsBase):
    distribution = "prefect-aws"
    worker_class = ECSWorker
    names = ("succeed", "fail", "wait", "vanish")
    foreign = ("AWS_",)
    wait_seconds = 90

    @pytest.fixture(scope="module")
    def environment(self, ecs_emulator: Any) -> dict[str, str]:
        worker = "PREFECT_INTEGRATIONS_AWS_ECS_WORKER"
        queue: str = ecs_emulator.events.new_queue()
        return {
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
        }

    @pytest.fixture(scope="module")
    def defaults(self, ecs_emulator: Any, image: str) -> dict[str, Any]:
        return {"cluster": ecs_emulator.new_cluster(), "image": image, "cpu": 256, "memory": 512}

    @pytest.fixture
    def running_task(self, flows: DeployedFlows) -> Callable[[Any], str]:
        """Waits until a run has begun, and tells its task."""
        return lambda run: parse_identifier(flows.infrastructure_of(run)).task_arn

    def test_a_flow_runs_to_its_end_and_its_logs_arrive(self, run_of: Any, final: Any, flows: DeployedFlows) -> None:
        run = run_of("succeed")
        state = final(run)
        assert state.is_completed(), state
        assert "Started ECS task" in flows.logs(run, until="squares: [0, 1, 4]")

    def test_a_flow_that_fails_has_failed_and_not_crashed(self, run_of: Any, final: Any) -> None:
        state = final(run_of("fail"))
        assert state.is_failed()
        assert "on purpose" in state.message

    def test_a_container_that_dies_crashes_its_run_with_the_exit_code(
        self, run_of: Any, final: Any, running_task: Any, ecs_emulator: Any
    ) -> None:
        killed, starved = run_of("wait"), run_of("wait")
        ecs_emulator.kill(running_task(killed))
        ecs_emulator.run_out_of_memory(running_task(starved))
        for run, words in ((killed, "137"), (starved, "OutOfMemoryError")):
            state = final(run)
            assert state.is_crashed(), state
            assert words in state.message

    def test_a_flow_whose_process_vanishes_crashes(self, run_of: Any, final: Any) -> None:
        assert final(run_of("vanish")).is_crashed()

    def test_a_task_that_never_starts_crashes_its_run_with_the_reason(
        self, run_of: Any, final: Any, ecs_emulator: Any
    ) -> None:
        state = final(run_of("succeed", image="no-such-image:1"))
        assert state.is_crashed()
        assert "CannotPullContainerError" in state.message
        ecs_emulator.fail_next_start("ResourceInitializationError: unable to pull secrets or registry auth")
        state = final(run_of("succeed"))
        assert state.is_crashed()
        assert "ResourceInitializationError" in state.message

    def test_a_cluster_without_room_is_waited_for(self, run_of: Any, final: Any, ecs_emulator: Any) -> None:
        ecs_emulator.fail_next_placement("RESOURCE:MEMORY")
        assert final(run_of("succeed")).is_completed()

    def test_a_cancelled_run_ends_and_so_does_its_task(
        self, run_of: Any, final: Any, running_task: Any, client: SyncPrefectClient, ecs_emulator: Any
    ) -> None:
        run = run_of("wait")
        arn = running_task(run)
        client.set_flow_run_state(run.id, Cancelling())
        assert final(run).is_cancelled()
        assert ecs_emulator.wait(arn)["lastStatus"] == "STOPPED"

    def test_a_crash_is_seen_when_its_event_is_lost(
        self, run_of: Any, final: Any, running_task: Any, ecs_emulator: Any
    ) -> None:
        run = run_of("wait")
        arn = running_task(run)
        with ecs_emulator.events.held() as details:
            ecs_emulator.kill(arn)
            state = final(run)
            details.clear()
        assert state.is_crashed()
        assert "137" in state.message

    def test_a_decorated_flow_is_called_here_and_runs_there(
        self, pool: str, surroundings: dict[str, str], ecs_emulator: Any, tmp_path: Path
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
        self, start_worker: Any, worker: WorkerProcess, run_of: Any, final: Any, running_task: Any, ecs_emulator: Any
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
