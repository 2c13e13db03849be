"""Pick up flow runs that a worker left behind when it died.

A run of the pool whose task exists is watched over again. One that is pending without a task, and whose worker is not
there any more, is looked for at ECS by the name that its task would have been started under: a running task is adopted,
a stopped one settled, and where there is none the run is submitted again, with the same client token, so that ECS
starts no second task whatever happened to the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_integration_kit.reconciliation import Reconciliation

from ..credentials import AwsCredentials
from ..errors import AwsError, aws_errors
from . import tags
from .calls import in_thread, open_client
from .watch import describe_tasks

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from ..settings import EcsWorkerSettings
    from ..workers.ecs_worker import ECSJobConfiguration, ECSWorker
    from .submission import EcsSubmissions


def find_task(ecs: Any, cluster: str | None, flow_run_id: str) -> dict[str, Any] | None:
    """Look for the task that was started for a run. Blocks.

    Args:
        ecs: A client of ECS.
        cluster: Name or ARN of the cluster; the default one when not given.
        flow_run_id: The run.

    Returns:
        The task: one that runs, else the one that stopped last; `None` when there is none.

    Raises:
        AwsError: If ECS refuses to tell.
    """
    name = cluster or "default"
    arns: list[str] = []
    with aws_errors(f"ECS cluster {name!r}"):
        for status in ("RUNNING", "STOPPED"):
            pages = ecs.get_paginator("list_tasks").paginate(cluster=name, startedBy=flow_run_id, desiredStatus=status)
            arns += [arn for page in pages for arn in page["taskArns"]]
    tasks = [
        task
        for task in describe_tasks(ecs, name, arns)
        if tags.as_dict(task.get("tags")).get(tags.FLOW_RUN_ID, flow_run_id) == flow_run_id
    ]
    running = [task for task in tasks if task.get("lastStatus") != "STOPPED"]
    return max(running or tasks, key=lambda task: str(task.get("createdAt") or ""), default=None)


class EcsReconciliation(Reconciliation["ECSJobConfiguration"]):
    """Looks for runs left behind, at the worker's start and once in a while."""

    def __init__(self, worker: ECSWorker, submissions: EcsSubmissions, settings: EcsWorkerSettings) -> None:
        super().__init__(
            worker,
            after_seconds=settings.reconcile_after_seconds,
            interval_seconds=settings.reconcile_interval_seconds,
        )
        self._submissions = submissions

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Say whether the worker starts or watches over the run's task."""
        return self._submissions.is_busy_with(flow_run_id)

    def is_identifier(self, infrastructure_pid: str) -> bool:
        """Say whether an identifier names an ECS task."""
        from ..workers.ecs_worker import parse_identifier

        try:
            parse_identifier(infrastructure_pid)
        except ValueError:
            return False
        return True

    async def adopt(self, flow_run: FlowRun, configuration: ECSJobConfiguration, infrastructure_pid: str) -> None:
        """Watch over a task that another worker started."""
        from ..workers.ecs_worker import parse_identifier

        cluster, arn = parse_identifier(infrastructure_pid)
        credentials = configuration.aws_credentials or AwsCredentials()
        self._submissions.watch.add(flow_run.id, cluster, arn, credentials, {tags.FLOW_RUN_ID: str(flow_run.id)})

    async def find(self, flow_run: FlowRun, configuration: ECSJobConfiguration) -> str | None:
        """Look for the task of a run's present submission."""
        credentials = configuration.aws_credentials or AwsCredentials()
        cluster = configuration.cluster or configuration.task_run_request.get("cluster")
        ecs = await in_thread(open_client, credentials, "ecs")
        try:
            task = await in_thread(find_task, ecs, cluster, str(flow_run.id))
        except AwsError as exc:
            # Without knowing, a second task may be started only because its token says that it is no second one.
            self._logger.warning("Cannot look for the ECS task of flow run %s: %s", flow_run.id, exc)
            return None
        if task is None or not _is_of_this_submission(task, flow_run):
            return None
        return f"{task['clusterArn']}::{task['taskArn']}"


def _is_of_this_submission(task: dict[str, Any], flow_run: FlowRun) -> bool:
    """A task that stopped before the run was last made pending belongs to an attempt before this one."""
    stopped_at = task.get("stoppedAt")
    return stopped_at is None or flow_run.state is None or stopped_at >= flow_run.state.timestamp
