"""What happens to the ECS tasks of flow runs, and what is done about it.

EventBridge puts a message into an SQS queue whenever an ECS task changes its state; `prefect-aws ecs-worker
deploy-events` sets both up. While a worker runs, `ecs_observer` reads that queue, finds out by the task's tags which
flow run it is for, and calls the handlers below: one passes the event on to Prefect, one says that infrastructure is
coming up, one gives a run its final state when its task stopped without the run having reported one, and one
deregisters task definitions that were made for one run. `ecs_observer.on_event` adds handlers of your own.

    EventBridge → SqsSubscriber → EcsObserver → handlers whose filters match
                                   ↑ EcsTaskTagsReader (DescribeTasks, cached, in batches)

Where there is no queue, or it cannot be read, the worker looks at its tasks now and then instead, as `observer_health`
tells it.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.observing import BackgroundObserver
from prefect_integration_kit.settlement import CLOCK_TOLERANCE, Settled
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .._ecs import registration
from .._ecs import tags as names
from .._ecs.calls import in_thread
from .._ecs.settlement import STOPPED, flow_run_of, settle
from .._ecs.times import time_of
from ..errors import AwsCredentialsMissing
from ..settings import EcsObserverSettings
from . import _replication
from ._aws import open_client, region_of
from ._crash_logs import fetch_cloudwatch_logs, forward_crash_logs, send_diagnosis
from ._dispatch import EcsObserver
from ._filters import (
    AsyncEcsEventHandler,
    EcsEventHandler,
    EcsTaskLastStatus,
    EventHandlerFilters,
    FilterCase,
    HandlerWithFilters,
    LastStatusFilter,
    TagsFilter,
)
from ._health import EcsObserverHealth
from ._prefect import TaskNotReady, prefect_client
from ._sqs import (
    SQS_BACKOFF,
    SQS_CONSECUTIVE_FAILURES,
    SQS_MAX_BACKOFF_ATTEMPTS,
    SQS_MEMORY,
    SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS,
    SQS_VISIBILITY_EXTENSION_INTERVAL_SECONDS,
    SQS_VISIBILITY_EXTENSION_RETRY_INTERVAL_SECONDS,
    SqsMessage,
    SqsSubscriber,
)
from ._tasks import EcsTaskTagsReader, shared_lookup
from .diagnostics import diagnose_ecs_task

__all__ = [
    "OBSERVER_MAX_RESTART_ATTEMPTS",
    "OBSERVER_RESTART_BASE_DELAY",
    "SQS_BACKOFF",
    "SQS_CONSECUTIVE_FAILURES",
    "SQS_MAX_BACKOFF_ATTEMPTS",
    "SQS_MEMORY",
    "SQS_MESSAGE_VISIBILITY_TIMEOUT_SECONDS",
    "SQS_VISIBILITY_EXTENSION_INTERVAL_SECONDS",
    "SQS_VISIBILITY_EXTENSION_RETRY_INTERVAL_SECONDS",
    "AsyncEcsEventHandler",
    "EcsEventHandler",
    "EcsObserver",
    "EcsObserverHealth",
    "EcsObserverSettings",
    "EcsTaskLastStatus",
    "EcsTaskTagsReader",
    "EventHandlerFilters",
    "FilterCase",
    "HandlerWithFilters",
    "LastStatusFilter",
    "SqsMessage",
    "SqsSubscriber",
    "TagsFilter",
    "deregister_task_definition",
    "diagnose_ecs_task",
    "ecs_observer",
    "fetch_cloudwatch_logs",
    "mark_runs_as_crashed",
    "observer_health",
    "replicate_ecs_event",
    "report_infrastructure_pending",
    "start_observer",
    "stop_observer",
]

logger: logging.Logger = get_logger(__name__)

OBSERVER_RESTART_BASE_DELAY: int = 30
"""Bound, in seconds, of the random delay before an observer that failed is started again; it doubles each time."""

OBSERVER_MAX_RESTART_ATTEMPTS: int = 5
"""After how many failures in a row that bound grows no more. The observer is started again for ever."""

_BEGIN_SECONDS = 1.0
_GRACE_SECONDS = 60.0
_GRACE_INTERVAL_SECONDS = 10.0
_clock: Clock = SYSTEM_CLOCK

ecs_observer: EcsObserver = EcsObserver()
"""The observer that a worker starts; register handlers of your own with its `on_event`."""


@ecs_observer.on_event("task", tags={names.FLOW_RUN_ID: FilterCase.PRESENT})
async def replicate_ecs_event(event: dict[str, Any], tags: dict[str, str]) -> None:
    """Send a task's change of state to Prefect as an event named `prefect.ecs.task.<status>`.

    Its resource is `prefect.ecs.task.<task ID>`, related to flow run, flow, deployment, work pool and work queue as far
    as tags name them. The same ECS event is always the same event of Prefect. Environment variables of the task, which
    may hold secrets, are left out.

    Args:
        event: The event that EventBridge gave.
        tags: The task's tags.
    """
    _replication.emit(event, tags)


@ecs_observer.on_event(
    "task", tags={names.FLOW_RUN_ID: FilterCase.PRESENT}, statuses=["PROVISIONING", "PENDING", "ACTIVATING"]
)
async def report_infrastructure_pending(event: dict[str, Any], tags: dict[str, str]) -> None:
    """Move a run that waits for its task to `InfrastructurePending`.

    Only a run in `Pending` or `Submitting` is moved, and only by a task that was made since the run came there: what
    arrives late, or is about an earlier attempt, changes nothing.

    Args:
        event: The event that EventBridge gave.
        tags: The task's tags.
    """
    from prefect import states
    from prefect.exceptions import Abort, ObjectNotFound, Pause
    from prefect.utilities.engine import propose_state

    pending = getattr(states, "InfrastructurePending", None)
    detail, flow_run_id = event["detail"], flow_run_of(tags)
    created_at = time_of(detail, "createdAt")
    if pending is None or flow_run_id is None or created_at is None:
        return
    async with prefect_client() as client:
        try:
            state = (await client.read_flow_run(flow_run_id)).state
            if state is None or state.name not in ("Pending", "Submitting"):
                return
            if created_at + CLOCK_TOLERANCE < state.timestamp:
                return
            # The message names the task: should the task have stopped by now, settlement sees that it is the same one.
            task_id = detail["taskArn"].rpartition("/")[2]
            proposed = pending(message=f"ECS task {task_id} is {detail['lastStatus']}.")
            await propose_state(client, proposed, flow_run_id=flow_run_id)
        except (Abort, Pause, ObjectNotFound):  # it has gone on, or is gone
            return


@ecs_observer.on_event("task", tags={names.FLOW_RUN_ID: FilterCase.PRESENT}, statuses=["STOPPED"])
async def mark_runs_as_crashed(event: dict[str, Any], tags: dict[str, str]) -> None:
    """Give a run its final state when its task has stopped and the run has none.

    A run that is final, paused, suspended or scheduled is left alone, and so is one that goes on in another task; one
    that was being cancelled becomes `Cancelled`. The cause goes into the state and into the run's logs, followed by the
    container's last lines if `forward_crashed_run_logs` is set.

    Args:
        event: The event that EventBridge gave.
        tags: The task's tags.

    Raises:
        AwsError: If ECS does not say how the task is now.
        prefect.exceptions.PrefectHTTPStatusError: If the Prefect API refuses.
    """
    detail, flow_run_id = event["detail"], flow_run_of(tags)
    if flow_run_id is None:
        return
    try:
        task = await shared_lookup().describe(detail["clusterArn"], detail["taskArn"]) or detail
    except AwsCredentialsMissing:  # events may come by another way than a queue; this one says how the task ended
        task = detail
    if task.get("lastStatus") not in STOPPED:
        # Nothing comes after STOPPED, so ECS's answer is older than the event.
        raise TaskNotReady(f"ECS says that task {detail['taskArn']} is {task.get('lastStatus')}.")
    now, start = datetime.now(timezone.utc), _clock.monotonic()
    async with prefect_client() as client:
        while True:
            present = now + timedelta(seconds=_clock.monotonic() - start)
            settled = await settle(task, tags, client=client, logger=logger, grace_seconds=_GRACE_SECONDS, now=present)
            if settled is not Settled.LATER:
                break
            await _clock.asleep(_GRACE_INTERVAL_SECONDS)
        if settled is not Settled.CRASHED:
            return
        await send_diagnosis(task, tags, flow_run_id, client=client)
        settings = ecs_observer.settings
        if settings.forward_crashed_run_logs:
            await forward_crash_logs(
                task, tags, flow_run_id, client=client, max_events=settings.forward_crashed_run_logs_max_events
            )


@ecs_observer.on_event(
    "task",
    tags={names.FLOW_RUN_ID: FilterCase.PRESENT, names.DEREGISTER: "true"},
    statuses=["STOPPED"],
)
async def deregister_task_definition(event: dict[str, Any], tags: dict[str, str]) -> None:
    """Deregister the definition of a task that has stopped.

    `ecs_observer` calls it for tasks whose tags ask for it: those of runs with `auto_deregister_task_definition`.

    Args:
        event: The event that EventBridge gave.
        tags: The task's tags.

    Raises:
        AwsError: If ECS refuses. A definition that is deregistered or deleted already is no error.
    """
    if arn := event["detail"].get("taskDefinitionArn"):
        await in_thread(_deregister, str(arn))


def _deregister(arn: str) -> None:
    registration.deregister(open_client("ecs", region_of(arn)), arn)
    logger.info("Deregistered task definition %s", arn)


_has_begun = threading.Event()


async def _observe() -> None:
    running = ecs_observer.run()  # of the observer that stands here now: a test may have put another in its place
    _has_begun.set()
    await running


_background = BackgroundObserver(
    _observe,
    subject="ECS events",
    thread_name="prefect-aws-ecs-observer",
    backoff=Backoff(
        initial_seconds=OBSERVER_RESTART_BASE_DELAY,
        maximum_seconds=OBSERVER_RESTART_BASE_DELAY * 2.0 ** (OBSERVER_MAX_RESTART_ATTEMPTS - 1),
    ),
    logger=logger,
)


async def start_observer() -> None:
    """Start `ecs_observer` in the background, once for the process.

    Each call needs a `stop_observer`: the observer stops with the last of its users. It does nothing when
    `PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED` is false.
    """
    if ecs_observer.settings.enabled:
        if not _background.is_running:
            _has_begun.clear()
        _background.acquire()
        with anyio.move_on_after(_BEGIN_SECONDS, shield=True):
            while not _has_begun.is_set():  # noqa: ASYNC110 - it is set in another thread
                await anyio.sleep(0.001)
    else:
        logger.debug("ECS events are not observed: PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED is false.")


async def stop_observer() -> None:
    """End one use of the observer.

    The last one stops it, and waits until what is under way has ended or was returned to the queue.
    """
    await _background.arelease()


def observer_health() -> EcsObserverHealth:
    """Say how the observer of this process is.

    Returns:
        Its health. While it is not healthy, events may not be heard of, and tasks are to be looked at instead.
    """
    return ecs_observer.health
