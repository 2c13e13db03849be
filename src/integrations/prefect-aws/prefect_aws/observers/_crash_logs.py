"""What the logs of a crashed flow run are told: the cause, and the last lines of its container."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.logs import joined, send_to_run
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, aretry

from .._ecs.calls import answer_of, in_thread
from .._ecs.containers import orchestration_container
from ..errors import AwsConnectionFailed, AwsThrottled, AwsUnavailable, aws_errors
from ._aws import open_client, region_of
from .diagnostics import diagnose

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

logger = get_logger("prefect_aws.observers.ecs")

_PAGE = 10_000  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
_MAX_PAGES = 100
_DEADLINE_SECONDS = 60.0
_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=8.0, deadline_seconds=30.0)
_LOGGER_NAME = "prefect.ecs.container"

_clock: Clock = SYSTEM_CLOCK


class LogPlace(NamedTuple):
    """Where a container's lines are in CloudWatch Logs."""

    group: str
    stream: str
    region: str | None


async def fetch_cloudwatch_logs(*, logs_client: Any, log_group: str, log_stream: str, max_events: int) -> list[str]:
    """Read the last lines of a log stream.

    Args:
        logs_client: A client of CloudWatch Logs, of boto3 or aiobotocore.
        log_group: Name of the log group.
        log_stream: Name of the stream.
        max_events: How many lines to read at most.

    Returns:
        The lines, the oldest first.

    Raises:
        AwsError: If CloudWatch refuses or cannot be reached: `AwsNotFound` if there is no such stream.
    """
    request: dict[str, Any] = {"logGroupName": log_group, "logStreamName": log_stream, "startFromHead": False}
    lines: list[str] = []
    for _ in range(_MAX_PAGES):
        read = partial(_read_page, logs_client, {**request, "limit": max(1, min(_PAGE, max_events - len(lines)))})
        page = await aretry(read, is_transient=_may_pass, backoff=_BACKOFF, clock=_clock)
        token = page.get("nextBackwardToken")
        # A page may be empty before the start is reached; there, the token is the one that was given.
        if token and token == request.get("nextToken"):
            break
        lines = [str(event.get("message", "")).rstrip("\n") for event in page.get("events") or ()] + lines
        if len(lines) >= max_events or not token:
            break
        request["nextToken"] = token
    return lines[-max_events:] if max_events > 0 else []


async def forward_crash_logs(
    task: Mapping[str, Any],
    tags: Mapping[str, str],
    flow_run_id: UUID,
    *,
    client: PrefectClient,
    max_events: int,
    aws: Callable[[str, str | None], Any] = open_client,
) -> None:
    """Send the last lines of the flow's container to the run's logs, where they can be had.

    Nothing that fails here is raised: the run's state does not depend on its logs.

    Args:
        task: The stopped task.
        tags: Its tags.
        flow_run_id: The run.
        client: Sends the lines.
        max_events: How many lines to send at most.
        aws: Opens the client of a service in a region.
    """
    name = str(task.get("taskArn"))
    try:
        with anyio.fail_after(_DEADLINE_SECONDS):
            place = await in_thread(_find_place, task, tags, aws)
            if place is None:
                logger.debug("The container of ECS task %s does not log to CloudWatch.", name)
                return
            logs_client = await in_thread(aws, "logs", place.region)
            lines = await fetch_cloudwatch_logs(
                logs_client=logs_client, log_group=place.group, log_stream=place.stream, max_events=max_events
            )
            await _send(lines, place, flow_run_id, client)
    except Exception as exc:  # noqa: BLE001 - see above
        logger.warning("The last log lines of ECS task %s could not be sent to Prefect: %s", name, exc)


async def send_diagnosis(
    task: Mapping[str, Any], tags: Mapping[str, str], flow_run_id: UUID, *, client: PrefectClient
) -> None:
    """Write why a task stopped into the run's logs, at the level that the cause deserves."""
    diagnosis = diagnose(task, orchestration_container(task, tags))
    if diagnosis is not None:
        text = f"{diagnosis.summary} {diagnosis.detail}\n{diagnosis.resolution}"
        await send_to_run(client, flow_run_id, _LOGGER_NAME, [(diagnosis.level, text)])


def place_of(container_definition: Mapping[str, Any], task: Mapping[str, Any]) -> LogPlace | None:
    """Work out where a container logs to.

    Args:
        container_definition: The container in the task definition.
        task: The task.

    Returns:
        The place; `None` if the container does not use the
        [awslogs driver](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html).
    """
    configuration: Mapping[str, Any] = container_definition.get("logConfiguration") or {}
    options: Mapping[str, str] = configuration.get("options") or {}
    group = options.get("awslogs-group")
    if configuration.get("logDriver") != "awslogs" or not group:
        return None
    task_arn, name = str(task.get("taskArn")), container_definition.get("name")
    prefix = options.get("awslogs-stream-prefix")
    if prefix:
        stream = f"{prefix}/{name}/{task_arn.rpartition('/')[2]}"
    else:  # on EC2 the prefix may be left out, and then the stream has the ID that the runtime gave the container
        containers: list[Mapping[str, Any]] = task.get("containers") or []
        stream = next((str(item.get("runtimeId") or "") for item in containers if item.get("name") == name), "")
    return LogPlace(group, stream, options.get("awslogs-region") or region_of(task_arn)) if stream else None


def _find_place(
    task: Mapping[str, Any], tags: Mapping[str, str], aws: Callable[[str, str | None], Any]
) -> LogPlace | None:
    container, definition_arn = orchestration_container(task, tags), str(task.get("taskDefinitionArn") or "")
    if container is None or not definition_arn:
        return None
    client = aws("ecs", region_of(definition_arn))
    with aws_errors(f"Task definition {definition_arn}"):
        definition = client.describe_task_definition(taskDefinition=definition_arn)["taskDefinition"]
    for candidate in definition.get("containerDefinitions") or ():
        if candidate.get("name") == container.get("name"):
            return place_of(candidate, task)
    return None


async def _read_page(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    with aws_errors(f"Log stream {request['logStreamName']} of {request['logGroupName']}"):
        return await answer_of(partial(client.get_log_events, **request))


def _may_pass(error: Exception) -> bool:
    return isinstance(error, AwsThrottled | AwsUnavailable | AwsConnectionFailed)


async def _send(lines: list[str], place: LogPlace, flow_run_id: UUID, client: PrefectClient) -> None:
    if not lines:
        return
    head = f"The last {len(lines)} lines of the container (CloudWatch log group {place.group}, stream {place.stream}):"
    entries = [(logging.INFO, text) for text in (head, *joined(lines))]
    await send_to_run(client, flow_run_id, _LOGGER_NAME, entries)
