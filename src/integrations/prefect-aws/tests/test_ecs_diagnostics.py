"""A stopped task is explained: what happened, what ECS said, and what to do."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest

from prefect_aws.observers.diagnostics import InfrastructureDiagnosis, diagnose_ecs_task
from prefect_integration_tests.backends._aws_model import load_model

STOP_CODES: list[str] = list(load_model("ecs").shape_for("TaskStopCode").enum)
PULL = "CannotPullContainerError: "
INIT = "ResourceInitializationError: "


def stopped(reason: str = "", code: str = "TaskFailedToStart", *containers: dict[str, Any], **more: Any) -> Any:
    return {
        "lastStatus": "STOPPED",
        "stopCode": code,
        "stoppedReason": reason,
        "containers": [{"name": "prefect", **container} for container in containers],
        **more,
    }


def diagnosed(task: dict[str, Any]) -> InfrastructureDiagnosis:
    diagnosis = diagnose_ecs_task(task)
    assert diagnosis is not None
    return diagnosis


# Reasons are those of AWS's documentation, linked in the module.
@pytest.mark.parametrize(
    ("reason", "summary", "resolution"),
    [
        ("Capacity is unavailable at this time. Please try again later", "no capacity", "availability zones"),
        ("RESOURCE:MEMORY", "no capacity", "instances"),
        ("RESOURCE:FARGATE", "no capacity", "capacity provider"),
        ("No Container Instances were found in your cluster.", "no capacity", "instances"),
        ("RESOURCE:ENI", "no free address", "subnets"),
        ("Unexpected EC2 error: InsufficientFreeAddressesInSubnet", "no free address", "subnets"),
        ("Timeout waiting for network interface provisioning to complete.", "not ready in time", "Try again"),
        ("Timeout waiting for EphemeralStorage provisioning to complete.", "ephemeral storage", "Try again"),
        (
            PULL
            + "ref pull has been retried 1 time(s): httpReadSeeker: failed open: unexpected status code: 429 Too Many "
            "Requests - Server message: toomanyrequests: You have reached your pull rate limit",
            "rate limit",
            "ECR",
        ),
        (
            PULL + "pull image manifest has been retried 1 time(s): ...example:v9: not found",
            "no such image or tag",
            "tag",
        ),
        (PULL + "Error response from daemon: manifest unknown", "no such image or tag", "tag"),
        (
            PULL + "pull access denied, repository does not exist or may require authorization",
            "refused access",
            "ecr:BatchGetImage",
        ),
        (PULL + "no basic auth credentials", "refused access", "execution role"),
        (PULL + "API error (500): Get https://x.amazonaws.com: dial tcp: i/o timeout", "could not be reached", "NAT"),
        (PULL + "context canceled", "could not be reached", "assign_public_ip"),
        (PULL + "image Manifest does not contain descriptor matching platform 'linux/amd64'", "CPU", "runtimePlatform"),
        (PULL + "write /var/lib/docker/tmp/x: no space left on device", "disk", "ephemeral storage"),
        (PULL + "something else", "could not be pulled", "image's name"),
        (
            INIT + "failed to validate logger args: create stream has been retried 1 times: ResourceNotFoundException: "
            "The specified log group does not exist",
            "logging",
            "log group",
        ),
        (
            INIT
            + "unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret "
            "from asm: AccessDeniedException",
            "could not be read",
            "secretsmanager:GetSecretValue",
        ),
        (
            INIT + "unable to pull secrets or registry auth: RequestError: send request failed: dial tcp: i/o timeout",
            "could not be reached",
            "VPC endpoints",
        ),
        (INIT + "failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4", "volume", "2049"),
        (INIT + "failed to configure ENI: failed to setup regular eni", "network interface", "Try again"),
        (INIT + "something else", "could not be set up", "execution role"),
        ("DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s", "too long", "Try again"),
        ("ContainerRuntimeTimeoutError: Could not transition to running", "too long", "Try again"),
        ("ContainerRuntimeError: failed to create container", "runtime could not run", "command"),
        ("CannotStartContainerError: Error response from daemon: oci runtime", "runtime could not run", "command"),
        (
            'CannotStartContainerError: exec: "prefct": executable file not found in $PATH',
            "command does not exist",
            "prefect is installed",
        ),
        ("exec /usr/bin/prefect: exec format error", "another CPU architecture", "runtimePlatform"),
        ("Task failed container health checks", "health check", "start period"),
        ("UnhealthyContainer: prefect", "health check", "logs"),
        ("dependency did not become healthy", "depends on", "dependsOn"),
    ],
)
def test_the_reason_is_understood(reason: str, summary: str, resolution: str) -> None:
    diagnosis = diagnosed(stopped(reason))
    assert summary in diagnosis.summary or summary in diagnosis.summary.lower()
    assert resolution in diagnosis.resolution
    assert reason.rstrip(".") in diagnosis.detail
    assert diagnosis.level == logging.ERROR
    in_container = diagnosed(stopped("Task failed to start", "TaskFailedToStart", {"reason": reason}))
    assert (in_container.summary, in_container.resolution) == (diagnosis.summary, diagnosis.resolution)


@pytest.mark.parametrize(
    ("code", "exit_code", "reason", "summary", "level"),
    [
        ("SpotInterruption", 143, "Your Spot Task was interrupted.", "Spot", logging.WARNING),
        ("TerminationNotice", 137, "Host EC2 (instance i-0abc) terminated.", "instance", logging.WARNING),
        ("InfrastructureHealth", 143, "ECS is performing maintenance", "maintenance", logging.WARNING),
        ("ServiceSchedulerInitiated", 143, "Scaling activity initiated by deployment", "service", logging.WARNING),
        ("UserInitiated", 143, "Task stopped by user: capacity is unavailable", "on request", logging.INFO),
        ("TaskFailedToStart", None, "", "before the flow's container started", logging.ERROR),
        ("EssentialContainerExited", 1, "Essential container in task exited", "with an error", logging.ERROR),
        ("EssentialContainerExited", 125, "Essential container in task exited", "not be created", logging.ERROR),
        ("EssentialContainerExited", 126, "Essential container in task exited", "could not be run", logging.ERROR),
        ("EssentialContainerExited", 127, "Essential container in task exited", "not found", logging.ERROR),
        ("EssentialContainerExited", 134, "Essential container in task exited", "aborted", logging.ERROR),
        ("EssentialContainerExited", 137, "Essential container in task exited", "SIGKILL", logging.ERROR),
        ("EssentialContainerExited", 139, "Essential container in task exited", "segmentation", logging.ERROR),
        ("EssentialContainerExited", 143, "Essential container in task exited", "SIGTERM", logging.WARNING),
        ("EssentialContainerExited", 77, "Essential container in task exited", "with an error", logging.ERROR),
        ("BrandNewCode", None, "unheard of", "how the flow's container ended", logging.ERROR),
    ],
)
def test_the_stop_code_and_the_exit_code_are_understood(
    code: str, exit_code: int | None, reason: str, summary: str, level: int
) -> None:
    container = {} if exit_code is None else {"exitCode": exit_code}
    diagnosis = diagnosed(stopped(reason, code, container, **({"startedAt": "x"} if code == "BrandNewCode" else {})))
    assert summary in diagnosis.summary
    assert diagnosis.level == level
    assert code in diagnosis.detail
    assert exit_code is None or str(exit_code) in diagnosis.detail
    assert diagnosis.resolution


@pytest.mark.parametrize("code", [*STOP_CODES, "BrandNewCode", ""])
@pytest.mark.parametrize("containers", [[], [{}], [{"exitCode": 1}], [{"exitCode": 137, "reason": "x"}]])
def test_no_stop_code_is_left_without_cause_and_remedy(code: str, containers: list[dict[str, Any]]) -> None:
    diagnosis = diagnosed(stopped("", code, *containers))
    assert all((diagnosis.summary, diagnosis.detail, diagnosis.resolution))


def test_memory_is_the_cause_whatever_the_exit_code() -> None:
    container = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    diagnosis = diagnosed(stopped("Essential container in task exited", "EssentialContainerExited", container))
    assert "memory" in diagnosis.summary
    assert "exit code 137, OutOfMemoryError" in diagnosis.detail


def test_a_sidecar_that_did_not_start_explains_why_the_flow_did_not() -> None:
    task = stopped("Task failed to start", "TaskFailedToStart", {})
    task["containers"].append({"name": "router", "reason": PULL + "not found"})
    assert "no such image" in diagnosed(task).summary


def test_a_sidecar_s_trouble_is_not_the_flow_s() -> None:
    task = stopped("Essential container in task exited", "EssentialContainerExited", {"exitCode": 1})
    task["containers"].append({"name": "router", "exitCode": 137, "reason": "OutOfMemoryError: killed"})
    diagnosis = diagnosed(task)
    assert "with an error" in diagnosis.summary
    assert "OutOfMemoryError" in diagnosis.detail


@pytest.mark.parametrize(
    "task",
    [
        stopped("Essential container in task exited", "EssentialContainerExited", {"exitCode": 0}),
        stopped("stopped", "UserInitiated", {"exitCode": 0}),
        {**stopped("", "EssentialContainerExited", {"exitCode": 1}), "lastStatus": "DEPROVISIONING"},
        {"lastStatus": "RUNNING"},
        {},
    ],
)
def test_a_task_that_ended_well_or_has_not_ended_needs_no_diagnosis(task: dict[str, Any]) -> None:
    assert diagnose_ecs_task(task) is None


def test_a_diagnosis_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        diagnosed(stopped("RESOURCE:CPU")).level = 0  # pyright: ignore[reportAttributeAccessIssue]
