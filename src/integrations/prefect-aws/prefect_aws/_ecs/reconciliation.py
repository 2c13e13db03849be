"""Pick up flow runs that a worker left behind when it died.

A run of the pool whose task exists is watched over again. One that is pending without a task, and whose worker is not
there any more, is looked for at ECS by the name that its task would have been started under: a running task is adopted,
a stopped one settled, and where there is none the run is submitted again, with the same client token, so that ECS
starts no second task whatever happened to the first request.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import anyio

from prefect_integration_kit import workers

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


class Reconciliation:
    """Looks for runs left behind, at the worker's start and once in a while."""

    def __init__(self, worker: ECSWorker, submissions: EcsSubmissions, settings: EcsWorkerSettings) -> None:
        self._worker = worker
        self._submissions = submissions
        self._settings = settings
        self._logger = workers.logger_of(worker)

    async def repeat(self) -> None:
        """Reconcile for ever. What goes wrong is logged and tried again."""
        while True:
            try:
                await self.reconcile()
            except Exception as exc:  # noqa: BLE001 - it must go on for as long as the worker does
                self._logger.warning("Cannot look for flow runs left behind at present; trying on: %s", exc)
            await anyio.sleep(self._settings.reconcile_interval_seconds)

    async def reconcile(self) -> None:
        """Look once at all unfinished runs of the pool that no worker looks after."""
        online = await workers.names_online(self._worker)
        async for flow_run in workers.unfinished_runs(self._worker):
            if workers.owner_of(flow_run) in online or self._submissions.is_busy_with(flow_run.id):
                continue
            try:
                await self._pick_up(flow_run)
            except Exception as exc:  # noqa: BLE001 - one run must not keep the others waiting
                self._logger.warning("Cannot pick up flow run %s at present: %s", flow_run.id, exc)

    async def _pick_up(self, flow_run: FlowRun) -> None:
        from ..workers.ecs_worker import parse_identifier

        if flow_run.infrastructure_pid:
            try:
                cluster, arn = parse_identifier(flow_run.infrastructure_pid)
            except ValueError:
                return  # another kind of worker had the pool before
            configuration = await self._configuration_of(flow_run)
            self._adopt(flow_run, configuration, cluster, arn)
        elif self._is_left_behind(flow_run) and await workers.last_scheduled(self._worker.client, flow_run):
            # A flow that was called with its decorator is never scheduled: who called it starts it.
            await self._recover(flow_run, await self._configuration_of(flow_run))

    def _is_left_behind(self, flow_run: FlowRun) -> bool:
        state = flow_run.state
        if state is None or not state.is_pending():
            return False
        age = (datetime.now(timezone.utc) - state.timestamp).total_seconds()
        return not workers.is_submitting(self._worker, flow_run.id) and age >= self._settings.reconcile_after_seconds

    async def _configuration_of(self, flow_run: FlowRun) -> ECSJobConfiguration:
        worker = self._worker
        return await worker.job_configuration.resolve_for_flow_run(
            flow_run,
            client=worker.client,
            work_pool=worker.work_pool.model_copy(deep=True),
            worker_name=worker.name,
            worker_id=worker.backend_id,
        )

    def _adopt(self, flow_run: FlowRun, configuration: ECSJobConfiguration, cluster: str, arn: str) -> None:
        credentials = configuration.aws_credentials or AwsCredentials()
        self._submissions.watch.add(flow_run.id, cluster, arn, credentials, {tags.FLOW_RUN_ID: str(flow_run.id)})
        self._logger.info("Watching over ECS task %s of flow run %s, started by another worker.", arn, flow_run.id)

    async def _recover(self, flow_run: FlowRun, configuration: ECSJobConfiguration) -> None:
        credentials = configuration.aws_credentials or AwsCredentials()
        cluster = configuration.cluster or configuration.task_run_request.get("cluster")
        ecs = await in_thread(open_client, credentials, "ecs")
        try:
            task = await in_thread(find_task, ecs, cluster, str(flow_run.id))
        except AwsError as exc:
            # Without knowing, a second task may be started only because its token says that it is no second one.
            self._logger.warning("Cannot look for the ECS task of flow run %s: %s", flow_run.id, exc)
            task = None
        if task is not None and _is_of_this_submission(task, flow_run):
            arn, cluster = str(task["taskArn"]), str(task["clusterArn"])
            await self._worker.client.update_flow_run(flow_run.id, infrastructure_pid=f"{cluster}::{arn}")
            self._adopt(flow_run, configuration, cluster, arn)
            return
        await self._submit_again(flow_run, configuration)

    async def _submit_again(self, flow_run: FlowRun, configuration: ECSJobConfiguration) -> None:
        worker = self._worker
        logger = worker.get_flow_run_logger(flow_run)
        if not workers.take_slot(worker, flow_run.id):
            return  # next time
        logger.warning("The flow run was left without an ECS task by a worker that is gone; submitting it again.")
        try:
            await worker.run(flow_run, configuration)
        except Exception as exc:
            logger.exception("Failed to submit flow run '%s' to infrastructure.", flow_run.name)
            message = f"Failed to submit flow run to infrastructure: {type(exc).__name__}: {exc}"
            await workers.report_crash(worker, flow_run, message)
        finally:
            workers.release_slot(worker, flow_run.id)


def _is_of_this_submission(task: dict[str, Any], flow_run: FlowRun) -> bool:
    """A task that stopped before the run was last made pending belongs to an attempt before this one."""
    stopped_at = task.get("stoppedAt")
    return stopped_at is None or flow_run.state is None or stopped_at >= flow_run.state.timestamp
