"""No secret of a run is said by the worker that starts it."""

from __future__ import annotations

from typing import Any

from prefect_aws import AwsCredentials
from prefect_integration_tests.suites import WorkerSecretsSuite


class TestWorkers(WorkerSecretsSuite):
    package = "prefect_aws"

    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        credentials = AwsCredentials(aws_access_key_id="AKIA", aws_secret_access_key=canary, region_name="eu-west-1")
        return {"aws_credentials": credentials, "image": "busybox:dev", "cluster": "c", "launch_type": "EC2"}

    def identifier(self, worker: type[Any]) -> str:
        return "c::arn:aws:ecs:eu-west-1:123456789012:task/c/0123456789abcdef0123456789abcdef"
