"""Environment variables change what operators may tune, and a bad value is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prefect_aws.settings import AwsSettings

PREFIX = "PREFECT_INTEGRATIONS_AWS_"


@pytest.mark.parametrize(
    ("variable", "path", "default", "text", "value"),
    [
        ("ECS_OBSERVER_ENABLED", "ecs.observer.enabled", True, "false", False),
        ("ECS_OBSERVER_SQS_QUEUE_NAME", "ecs.observer.sqs.queue_name", "prefect-ecs-tasks-events", "q", "q"),
        ("ECS_OBSERVER_SQS_QUEUE_REGION", "ecs.observer.sqs.queue_region", None, "eu-west-1", "eu-west-1"),
        ("ECS_OBSERVER_FORWARD_CRASHED_RUN_LOGS", "ecs.observer.forward_crashed_run_logs", True, "0", False),
        (
            "ECS_OBSERVER_FORWARD_CRASHED_RUN_LOGS_MAX_EVENTS",
            "ecs.observer.forward_crashed_run_logs_max_events",
            500,
            "7",
            7,
        ),
        ("ECS_WORKER_CREATE_TASK_RUN_MAX_ATTEMPTS", "ecs.worker.create_task_run_max_attempts", 3, "5", 5),
        (
            "ECS_WORKER_REGISTER_TASK_DEFINITION_MAX_DELAY_SECONDS",
            "ecs.worker.register_task_definition_max_delay_seconds",
            10.0,
            "2.5",
            2.5,
        ),
        ("RDS_IAM_ENABLED", "rds.iam.enabled", False, "1", True),
        ("RDS_IAM_REGION_NAME", "rds.iam.region_name", None, "us-west-2", "us-west-2"),
        ("S3_NATIVE_TRANSFER", "s3.native_transfer", True, "no", False),
        ("S3_MAX_CONCURRENCY", "s3.max_concurrency", 32, "4", 4),
    ],
)
def test_a_variable_sets_its_field(
    variable: str, path: str, default: Any, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> Any:
        found: Any = AwsSettings()
        for name in path.split("."):
            found = getattr(found, name)
        return found

    assert read() == default
    monkeypatch.setenv(PREFIX + variable, text)
    assert read() == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ECS_OBSERVER_FORWARD_CRASHED_RUN_LOGS_MAX_EVENTS", "0"),
        ("ECS_WORKER_CREATE_TASK_RUN_MAX_ATTEMPTS", "0"),
        ("RDS_IAM_ENABLED", "perhaps"),
        ("S3_MAX_CONCURRENCY", "257"),
    ],
)
def test_a_bad_value_is_refused_by_name(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + variable, text)
    with pytest.raises(ValidationError) as caught:
        AwsSettings()
    assert any(variable.lower().endswith(str(error["loc"][-1])) for error in caught.value.errors())
