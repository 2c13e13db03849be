"""Why an ECS task stopped, and what to do about it.

ECS tells by a stop code, a sentence in `stoppedReason`, the reason of each container and its exit code. Sources:

- stop codes and their reasons:
  https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
- images that cannot be pulled: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
- `ResourceInitializationError`:
  https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
- failures of RunTask (`RESOURCE:*`): https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
- exit codes of containers: https://docs.docker.com/engine/containers/run/#exit-status
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._ecs.containers import exit_code_of, orchestration_container


@dataclass(frozen=True)
class InfrastructureDiagnosis:
    """Why infrastructure failed.

    Attributes:
        level: Level of the `logging` module that it deserves: an error is to be mended, a warning comes with the
            infrastructure, info was asked for.
        summary: What happened, in one sentence.
        detail: What ECS said: stop code, reasons, exit code.
        resolution: What to do about it.
    """

    level: int
    summary: str
    detail: str
    resolution: str


class _Cause(NamedTuple):
    summary: str
    resolution: str
    level: int = logging.ERROR


class _Sign(NamedTuple):
    pattern: re.Pattern[str]
    cause: _Cause


def _sign(pattern: str, summary: str, resolution: str, level: int = logging.ERROR) -> _Sign:
    return _Sign(re.compile(pattern, re.IGNORECASE | re.DOTALL), _Cause(summary, resolution, level))


_PULL = r"CannotPull\w*(?:Error)?.*"
_INIT = r"ResourceInitializationError.*"
_NETWORK = (
    "Give the task a way there: assign_public_ip in a public subnet, a NAT gateway in a private one, or VPC endpoints, "
    "with a security group that lets HTTPS out."
)

_SIGNS = (
    _sign(
        r"OutOfMemory",
        "The container used more memory than it has and was killed.",
        "Raise the memory of the task or of its container, or let the flow hold less at a time.",
    ),
    # Images. What is special comes before what is general.
    _sign(
        _PULL + r"(toomanyrequests|too many requests|rate limit|\b429\b)",
        "The image could not be pulled: the registry's rate limit is reached.",
        "Pull from Amazon ECR, through an ECR pull-through cache, or with registry credentials of a higher limit.",
    ),
    _sign(
        _PULL + r"(descriptor matching platform|no match(ing manifest)? for (the )?platform|no matching manifest)",
        "The image was not built for the task's CPU architecture or operating system.",
        "Build the image for that platform, or set runtimePlatform in the task definition to the image's.",
    ),
    _sign(
        _PULL + r"no space left",
        "The image could not be pulled: there is not enough room on the disk.",
        "Raise the task's ephemeral storage, or use a smaller image.",
    ),
    _sign(
        _PULL + r"(no basic auth|not authorized|unauthorized|denied|forbidden|\b401\b|\b403\b|authorization token)",
        "The image could not be pulled: the registry refused access, or has no such repository.",
        "Check the image's name; allow ecr:GetAuthorizationToken, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer to "
        "the execution role, or give a private registry's repositoryCredentials.",
    ),
    _sign(
        _PULL + r"(timeout|timed out|deadline exceeded|dial tcp|no such host|connection re|context cancell?ed|x509)",
        "The image could not be pulled: the registry could not be reached from the task's subnets.",
        _NETWORK,
    ),
    _sign(
        _PULL + r"(not found|manifest unknown|does not exist|failed to resolve ref|no such image)",
        "The image could not be pulled: the registry has no such image or tag.",
        "Push the image, or correct its name and tag.",
    ),
    _sign(
        r"CannotPull",
        "The image could not be pulled.",
        "Check the image's name, the execution role's rights on the registry, and the subnets' way to it.",
    ),
    # What is set up before a container starts.
    _sign(
        _INIT + r"(log ?group|log ?stream|logger|logging driver|cloudwatch|awslogs)",
        "The task's logging could not be set up.",
        "Create the log group, or allow logs:CreateLogStream, logs:PutLogEvents and, with awslogs-create-group, "
        "logs:CreateLogGroup to the execution role; check the subnets' way to CloudWatch Logs.",
    ),
    _sign(
        _INIT + r"(\befs\b|mount|volume)",
        "A volume of the task could not be mounted.",
        "Check that the file system has a mount target in the task's availability zone, that its security group lets "
        "NFS (port 2049) in, and what the task role may do.",
    ),
    _sign(
        _INIT
        + r"(secret|ssm|parameter|registry auth|kms).*(timeout|timed out|deadline|dial tcp|connection|context can)",
        "Secrets or registry credentials could not be fetched: the service could not be reached.",
        _NETWORK,
    ),
    _sign(
        _INIT + r"(secret|ssm|parameter|registry auth|kms)",
        "Secrets or registry credentials of the task could not be read.",
        "Check the ARNs in the task definition's secrets, that they exist in this region, and that the execution role "
        "may read (secretsmanager:GetSecretValue, ssm:GetParameters) and decrypt (kms:Decrypt) them.",
    ),
    _sign(
        r"(InsufficientFreeAddresses|RESOURCE:ENI|not have enough free (IP )?addresses)",
        "The subnet has no free address, or the instance no free network interface.",
        "Use larger or more subnets, or on EC2 instances with more network interfaces.",
    ),
    _sign(
        r"(network interface|\bENI\b)",
        "The task's network interface was not ready in time.",
        "Try again: this is usually passing. If it lasts, check the subnets' free addresses, the account's limit on "
        "network interfaces, and AWS's service health.",
    ),
    _sign(
        r"EphemeralStorage|ephemeral storage provisioning",
        "The task's ephemeral storage was not ready in time.",
        "Try again; if it lasts, ask AWS support.",
    ),
    _sign(
        r"ResourceInitializationError",
        "What the task needs could not be set up.",
        "Check the execution role, the secrets, the logging, the volumes and the subnets of the task definition.",
    ),
    # Room for the task.
    _sign(
        r"(capacity is (currently )?unavailable|insufficient capacity|capacity provider.*(empty|unavailable)|"
        r"RESOURCE:|no container instances? (were|was|met)|closest matching)",
        "There was no capacity for the task.",
        "Try again later, allow more availability zones or another capacity provider (Fargate beside Fargate Spot), "
        "or add instances to the cluster.",
    ),
    # Containers that do not come up, or do not stay well.
    _sign(
        r"exec format error",
        "The container's program is made for another CPU architecture.",
        "Build the image for the task's architecture, or set runtimePlatform to the image's.",
    ),
    _sign(
        r"(executable file not found|no such file or directory|CannotStartContainerError.*permission denied)",
        "The container's command does not exist in its image, or may not be run.",
        "Check command and entryPoint, and that prefect is installed in the image.",
    ),
    _sign(
        r"(health ?checks?|UnhealthyContainer|unhealthy)",
        "A health check of the task failed.",
        "Check the health check's command and start period in the task definition, and the container's logs.",
    ),
    _sign(
        r"(dependen(cy|t)|container ordering)",
        "A container that the flow's container depends on did not get ready.",
        "Look at the logs of the containers in dependsOn, and at their health checks and start time-outs.",
    ),
    _sign(
        r"(DockerTimeoutError|ContainerRuntimeTimeoutError)",
        "The container runtime took too long to start or stop the container.",
        "Try again. On EC2, check the instance's load, its disk and its agent's version.",
    ),
    _sign(
        r"(ContainerRuntimeError|Cannot(Start|Create|Inspect|Describe|Stop)\w*Error|OCI runtime)",
        "The container runtime could not run the container.",
        "Check command, entryPoint, user, mounts and Linux parameters of the container, and the instance's agent.",
    ),
)

_STOP_CODES = {
    "SpotInterruption": _Cause(
        "AWS took the Spot capacity back that the task ran on.",
        "Let the flow retry, or run it on Fargate or on-demand instances where it must not be interrupted.",
        logging.WARNING,
    ),
    "TerminationNotice": _Cause(
        "The instance that the task ran on was terminated.",
        "Let the flow retry; protect instances with running tasks by managed termination protection or draining.",
        logging.WARNING,
    ),
    "InfrastructureHealth": _Cause(
        "ECS stopped the task because what it ran on was unhealthy or due for maintenance.",
        "Run it again; nothing in the task is at fault.",
        logging.WARNING,
    ),
    "ServiceSchedulerInitiated": _Cause(
        "The scheduler of an ECS service stopped the task: a deployment, scaling in, or a replacement.",
        "Run flows as tasks of their own, not as part of a service.",
        logging.WARNING,
    ),
    "UserInitiated": _Cause(
        "The task was stopped on request.",
        "Nothing is to be done if it was meant; else look in CloudTrail who called StopTask.",
        logging.INFO,
    ),
}

_LOGS = "Look at the container's logs."
_EXIT_CODES = {
    125: _Cause("The container could not be created by its runtime.", "Check the container definition."),
    126: _Cause("The container's command could not be run.", "Make it executable, or correct command and entryPoint."),
    127: _Cause(
        "The container's command was not found.",
        "Check command and entryPoint, and that prefect is installed in the image.",
    ),
    134: _Cause("The process aborted itself.", f"{_LOGS} A native library may have failed."),
    137: _Cause(
        "The container was killed (SIGKILL).",
        "The likely causes are too little memory, or a stop that took longer than stopTimeout. Compare the task's "
        "memory with its use.",
    ),
    139: _Cause("The process crashed with a segmentation fault.", f"{_LOGS} Suspect a native library."),
    143: _Cause(
        "The container was asked to stop (SIGTERM).",
        "Something stopped the task: see its stopped reason, and CloudTrail.",
        logging.WARNING,
    ),
}
_EXITED = _Cause("The flow's container exited with an error.", _LOGS)
_NEVER_STARTED = _Cause(
    "The task stopped before the flow's container started.",
    "See the stopped reason; check the task definition, its roles and the network configuration.",
)
_UNKNOWN = _Cause(
    "The task stopped, and ECS does not say how the flow's container ended.",
    "Look at the container's logs and at the events of the cluster.",
)


def diagnose_ecs_task(event_detail: dict[str, Any]) -> InfrastructureDiagnosis | None:
    """Say why an ECS task stopped, and what to do about it.

    Args:
        event_detail: The task: the `detail` of an
            [ECS Task State Change](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html),
            or an item of DescribeTasks' `tasks`.

    Returns:
        Cause and remedy; `None` for a task that has not stopped, or whose flow's container exited with 0. That
        container is the one named `prefect`, or else the only one.
    """
    if event_detail.get("lastStatus") not in ("STOPPED", "DELETED"):
        return None
    return diagnose(event_detail, orchestration_container(event_detail, {}))


def diagnose(task: Mapping[str, Any], container: Mapping[str, Any] | None) -> InfrastructureDiagnosis | None:
    """Say why a stopped task's container ended as it did; `None` if it exited with 0.

    Args:
        task: A stopped task.
        container: The container that decides; `None` if there is none.
    """
    exit_code = exit_code_of(container)
    if exit_code == 0:
        return None
    cause = _cause(task, container, exit_code)
    return InfrastructureDiagnosis(cause.level, cause.summary, _detail(task, container, exit_code), cause.resolution)


def _cause(task: Mapping[str, Any], container: Mapping[str, Any] | None, exit_code: int | None) -> _Cause:
    stop_code = str(task.get("stopCode") or "")
    # Who stopped the task writes the reason, so the words of that one prove nothing.
    texts = [] if stop_code == "UserInitiated" else [task.get("stoppedReason")]
    texts += [] if container is None else [container.get("reason")]
    if exit_code is None:  # it did not run: another container may be why
        texts += [other.get("reason") for other in task.get("containers") or () if other is not container]
    said = "\n".join(str(text) for text in texts if text)
    for sign in _SIGNS:
        if sign.pattern.search(said):
            return sign.cause
    if stop_code in _STOP_CODES:
        return _STOP_CODES[stop_code]
    if exit_code is not None:
        return _EXIT_CODES.get(exit_code, _EXITED)
    if stop_code == "TaskFailedToStart" or not task.get("startedAt"):
        return _NEVER_STARTED
    return _UNKNOWN


def _detail(task: Mapping[str, Any], container: Mapping[str, Any] | None, exit_code: int | None) -> str:
    """What ECS said, word for word."""
    stop_code, reason = task.get("stopCode"), str(task.get("stoppedReason") or "").strip()
    said = f"Stop code {stop_code or 'unknown'}"
    said += f": {reason.rstrip('.')}." if reason else "."
    for item in task.get("containers") or ():
        own = str(item.get("reason") or "").strip().rstrip(".")
        code = exit_code_of(item)
        if own or code or item is container:
            ending = "no exit code" if code is None else f"exit code {code}"
            said += f" Container {str(item.get('name'))!r}: {ending}{f', {own}' if own else ''}."
    if exit_code is None and not task.get("containers"):
        said += " No container was created."
    return said
