"""A flow with `@ecs` above it travels through the pool's bucket and runs elsewhere, by the commands of Prefect."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import pytest

from prefect_aws import AwsCredentials, S3Bucket
from prefect_aws.decorators import ecs
from prefect_aws.workers import ECSWorker
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.suites import BundledFlowSuite, DecoratorSuite
from prefect_integration_tests.suites.bundled_flow import STRICT_PYTHON, in_own_processes
from prefect_integration_tests.suites.decorator import add

from ._bundles import S3Bundles


class TestDecorators(DecoratorSuite):
    decorators: ClassVar = {ecs: ECSWorker}
    job_variables: ClassVar = {"cpu": 2048, "vpc_id": "vpc-1"}


class PlayedCluster:
    """A cluster of the emulator, whose tasks start no containers."""

    def __init__(self, aws_emulator: Any, aws_stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stub = aws_stub
        self._monkeypatch = monkeypatch
        self._ecs = aws_emulator.client("ecs")
        self.cluster = self._ecs.create_cluster(clusterName=f"cluster-{uuid.uuid4().hex[:8]}")["cluster"]["clusterArn"]

    @property
    def job_variables(self) -> dict[str, Any]:
        return {"cluster": self.cluster}

    def container(self) -> dict[str, Any] | None:
        """What the only task runs; `None` while there is none."""
        if not (arns := self._ecs.list_tasks(cluster=self.cluster)["taskArns"]):
            return None
        (task,) = self._ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]
        return task["overrides"]["containerOverrides"][0]

    def command(self) -> list[str] | None:
        container = self.container()
        return None if container is None else container["command"]

    def end(self) -> None:
        """Nothing is to be done: the worker hears of the run's end by the run."""

    def refuse(self) -> str:
        stub = self._stub("ecs")
        stub.fail("RegisterTaskDefinition", Fault.ACCESS_DENIED)
        self._monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", stub.endpoint_url)
        return "RegisterTaskDefinition"

    def left_over(self) -> list[Any]:
        return []


class TestBundledFlows(S3Bundles, BundledFlowSuite):
    decorators: ClassVar = {ecs: ECSWorker}
    storage = "s3"
    storage_title = "S3 storage"
    slow_direct_call = False

    def save_block(self, request: pytest.FixtureRequest, name: str) -> None:
        S3Bucket.register_type_and_schema()
        credentials: AwsCredentials = request.getfixturevalue("s3_credentials")
        credentials.save(name)

    @pytest.fixture
    def infrastructure(self, aws_emulator: Any, aws_stub: Any, monkeypatch: pytest.MonkeyPatch) -> PlayedCluster:
        """A cluster where boto3 finds it."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", aws_emulator.endpoint_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", aws_emulator.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws_emulator.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws_emulator.secret_key)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED", "false")
        return PlayedCluster(aws_emulator, aws_stub, monkeypatch)

    @in_own_processes
    @pytest.mark.slow
    def test_a_submitted_flow_is_started_from_here_and_not_waited_for(
        self, make_pool: Any, infrastructure: PlayedCluster, behind: Any
    ) -> None:
        bound = ecs(work_pool=make_pool(ecs), cluster=infrastructure.cluster, launcher=STRICT_PYTHON)(add)
        future = bound.submit(1, b=2)
        started = infrastructure.container()
        assert started is not None
        assert {"name": "PREFECT__FLOW_RUN_ID", "value": str(future.flow_run_id)} in started["environment"]
        assert started["command"][: len(STRICT_PYTHON)] == STRICT_PYTHON
        assert behind.keys() == [started["command"][-1]]
        assert not future.state.is_final()
