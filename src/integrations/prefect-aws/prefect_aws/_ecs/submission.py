"""Submit flow runs to ECS: definition, network, request, task; then hand the task to the watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.exceptions import InfrastructureNotFound

from prefect_integration_kit import workers
from prefect_integration_kit.settlement import Settled
from prefect_integration_kit.waiting import Backoff, aretry

from .._clients import fingerprint
from ..credentials import AwsCredentials
from ..errors import AwsError, AwsNotFound
from . import registration, tags
from .calls import in_thread, open_client
from .definitions import (
    DEFAULT_CONTAINER_NAME,
    DEFAULT_FAMILY,
    build_definition,
    container_name_in,
    entries,
    family_of,
    runs_on_fargate,
    secrets_of,
)
from .network import network_configuration
from .reconciliation import EcsReconciliation, find_task
from .requests import build_request
from .settlement import settle
from .starting import TRANSIENT, Starter, client_token
from .watch import TaskWatch, WatchedTask, stop_task

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from ..settings import EcsWorkerSettings
    from ..workers.ecs_worker import ECSIdentifier, ECSJobConfiguration, ECSWorker

_SECRET_ARNS = {
    "PREFECT_API_KEY": "prefect_api_key_secret_arn",
    "PREFECT_API_AUTH_STRING": "prefect_api_auth_string_secret_arn",
}


class EcsSubmissions:
    """What one worker has under way at ECS."""

    def __init__(self, worker: ECSWorker, settings: EcsWorkerSettings) -> None:
        self.serving = False
        self._worker = worker
        self._settings = settings
        self._starter = Starter(settings)
        self._flights = registration.SingleFlight()
        self._own = object()  # what was looked up for another worker may have changed since
        self._seen = registration.KnownDefinitions()
        """Definitions that this worker registered or looked at itself."""
        self._cancelled: dict[UUID, bool] = {}
        self._exits = AsyncExitStack()
        self._slots: anyio.CapacityLimiter | None = None
        self._plain_secrets = workers.PlainSecretWarning(
            workers.logger_of(worker),
            "ECS tasks",
            {name: f"Store it in AWS Secrets Manager and set `{variable}`." for name, variable in _SECRET_ARNS.items()},
        )
        self.watch = TaskWatch(
            settings,
            settle=self._settle,
            prefect=lambda: worker.client,
            on_end=self._on_end,
            events_are_coming=_events_are_coming,
            logger=workers.logger_of(worker),
        )

    # While the worker is open

    async def open(self) -> None:
        """Begin to watch, and to pick up what was left behind where the worker serves its pool."""
        self._slots = anyio.CapacityLimiter(self._settings.max_concurrent_submissions)
        self._exits = AsyncExitStack()
        group = await self._exits.enter_async_context(anyio.create_task_group())
        self._exits.callback(group.cancel_scope.cancel)
        group.start_soon(self.watch.watch)
        if self.serving:
            group.start_soon(EcsReconciliation(self._worker, self, self._settings).repeat)

    async def close(self) -> None:
        """Stop watching. Tasks go on; the next worker finds them."""
        await self._exits.aclose()

    # Submitting

    async def submit(
        self,
        flow_run: FlowRun,
        configuration: ECSJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None,
    ) -> WatchedTask | None:
        """Start the task of a flow run.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for this run.
            task_status: Told the task's identifier.

        Returns:
            The task; `None` when the run was cancelled before there was one.
        """
        self._cancelled[flow_run.id] = False
        try:
            async with self._slots or anyio.CapacityLimiter(1):
                task = await self._start(flow_run, configuration, lambda: not self._cancelled.get(flow_run.id))
            if task is not None and self._cancelled.get(flow_run.id):
                await self.watch.stop(task, "The flow run was cancelled in Prefect while its task was being started.")
        finally:
            self._cancelled.pop(flow_run.id, None)
        if task_status is not None:
            task_status.started(task.identifier if task else None)
        elif task is not None:
            await workers.store_identifier(self._worker, flow_run, task.identifier, f"ECS task {task.task_arn}")
        return task

    async def _start(
        self, flow_run: FlowRun, configuration: ECSJobConfiguration, is_wanted: Callable[[], bool]
    ) -> WatchedTask | None:
        logger = self._worker.get_flow_run_logger(flow_run)
        credentials = configuration.aws_credentials or AwsCredentials()
        ecs = await in_thread(open_client, credentials, "ecs")
        identity = fingerprint(credentials, ecs.meta.region_name)
        self._plain_secrets.look_at(configuration.env)
        token = await workers.submission_of(workers.client_of(self._worker), flow_run)
        request = await self._request(ecs, identity, configuration, logger)
        start = partial(
            self._starter.start,
            ecs,
            is_wanted=is_wanted,
            on_retry=lambda error, delay: logger.warning(
                "The ECS task was not started; trying again in %.1f seconds: %s", delay, error
            ),
        )
        try:
            task = await start(request, token=client_token(token))
        except AwsError as exc:
            if exc.code == "ConflictException":
                # ECS knows the token from another request: a worker before us has started the task.
                task = await in_thread(find_task, ecs, request.get("cluster"), str(flow_run.id))
                if task is None:
                    raise
            elif registration.says_gone(exc) and not configuration.task_run_request.get("taskDefinition"):
                # Somebody deregistered or deleted the definition since.
                registration.known_definitions.forget(str(request["taskDefinition"]))
                request = await self._request(ecs, identity, configuration, logger)
                task = await start(request, token=client_token(token, request["taskDefinition"]))
            else:
                raise
        if task is None:
            logger.info("The flow run was cancelled before its ECS task was started.")
            return None
        cluster, arn = str(task["clusterArn"]), str(task["taskArn"])
        logger.info("Started ECS task %s in cluster %s.", arn.rpartition("/")[2], cluster.rpartition("/")[2])
        return self.watch.add(flow_run.id, cluster, arn, credentials, tags.as_dict(request.get("tags")))

    async def _request(
        self, ecs: Any, identity: object, configuration: ECSJobConfiguration, logger: Any
    ) -> dict[str, Any]:
        """Write the request, with a definition that is registered."""
        given = configuration.task_run_request.get("taskDefinition")
        if given:
            definition = await self._given_definition(ecs, str(given), configuration, logger)
            arn = str(given)
        else:
            definition = self._definition(ecs, configuration)
            arn = await self._registered(ecs, identity, definition, configuration, logger)
        request = build_request(configuration, arn, given=bool(given))
        if definition.get("networkMode") == "awsvpc" and not request.get("networkConfiguration"):
            credentials = configuration.aws_credentials or AwsCredentials()
            ec2 = await in_thread(open_client, credentials, "ec2")
            request["networkConfiguration"] = await in_thread(
                network_configuration,
                ec2,
                identity=(self._own, identity),
                vpc_id=configuration.vpc_id,
                given=configuration.network_configuration,
            )
        return request

    def _definition(self, ecs: Any, configuration: ECSJobConfiguration) -> dict[str, Any]:
        from prefect.utilities.dockerutils import get_prefect_image_name

        labels = configuration.labels
        family = family_of(
            DEFAULT_FAMILY,
            labels.get(tags.WORK_POOL_NAME),
            labels.get(tags.DEPLOYMENT_ID) or labels.get(tags.FLOW_ID),
        )
        return build_definition(
            configuration, family=family, region=ecs.meta.region_name, image=get_prefect_image_name()
        )

    async def _registered(
        self,
        ecs: Any,
        identity: object,
        definition: dict[str, Any],
        configuration: ECSJobConfiguration,
        logger: Any,
    ) -> str:
        key = registration.key_of(identity, definition)
        known = registration.known_definitions.get(key)
        if known and known == self._seen.get(key):
            return known
        settings = self._settings
        register = partial(
            registration.register, ecs, definition, match_latest=configuration.match_latest_revision_in_family
        )

        async def work() -> str:
            known = registration.known_definitions.get(key)
            if known and (
                known == self._seen.get(key) or await in_thread(registration.still_serves, ecs, known, definition)
            ):
                self._seen.keep(key, known)
                return known
            arn = await aretry(
                lambda: in_thread(register),
                is_transient=lambda exc: isinstance(exc, TRANSIENT),
                backoff=Backoff(
                    initial_seconds=settings.register_task_definition_initial_delay_seconds,
                    maximum_seconds=settings.register_task_definition_max_delay_seconds,
                    max_attempts=settings.register_task_definition_max_attempts,
                    deadline_seconds=float("inf"),
                ),
                on_retry=lambda exc, delay: logger.warning(
                    "The task definition was not registered; trying again in %.1f seconds: %s", delay, exc
                ),
            )
            registration.known_definitions.keep(key, arn)
            self._seen.keep(key, arn)
            logger.info("Using task definition %s.", arn.rpartition("/")[2])
            return arn

        return await self._flights.do(key, work)

    async def _given_definition(
        self, ecs: Any, name: str, configuration: ECSJobConfiguration, logger: Any
    ) -> dict[str, Any]:
        """Look up the definition that the user named, and say which variables it leaves without effect."""
        definition = await in_thread(registration.describe, ecs, name)
        if definition is None:
            raise AwsNotFound(
                f"Task definition {name!r} does not exist. Correct `task_definition_arn` or `taskDefinition`, or the "
                "region of the credentials.",
                subject=f"Task definition {name!r}",
            )
        containers = entries(definition, "containerDefinitions")
        names = [str(container.get("name")) for container in containers]
        if configuration.container_name not in names:
            if configuration.container_name not in (None, DEFAULT_CONTAINER_NAME):
                raise ValueError(
                    f"Task definition {name!r} has no container {configuration.container_name!r}, only "
                    f"{', '.join(names)}. Correct `container_name`."
                )
            configuration.container_name = container_name_in(definition)
        secret = {str(entry.get("name")) for container in containers for entry in entries(container, "secrets")}
        ignored = {
            "secrets": bool(set(secrets_of(configuration)) - secret),
            "sidecars": bool(configuration.sidecars),
            "volumes": bool(configuration.volumes),
            "gpu": bool(configuration.gpu),
            "configure_cloudwatch_logs": bool(configuration.configure_cloudwatch_logs),
        }
        if without_effect := [variable for variable, is_set in ignored.items() if is_set]:
            logger.warning(
                "The task definition %s is used as it is, so these variables have no effect: %s.",
                name,
                ", ".join(without_effect),
            )
        if runs_on_fargate(configuration) and "FARGATE" not in (definition.get("compatibilities") or ["FARGATE"]):
            logger.warning(
                "The task definition %s is not compatible with Fargate, and the launch type is FARGATE. Set the launch "
                "type EC2, or register the definition with requiresCompatibilities FARGATE.",
                name,
            )
        return definition

    # Ends

    async def kill(self, identifier: ECSIdentifier, configuration: ECSJobConfiguration) -> None:
        """Stop a task that this or another worker started.

        Raises:
            InfrastructureNotFound: If ECS does not know it.
        """
        credentials = configuration.aws_credentials or AwsCredentials()
        ecs = await in_thread(open_client, credentials, "ecs")
        known = await in_thread(stop_task, ecs, identifier.cluster, identifier.task_arn, "Stopped by Prefect.")
        if not known:
            raise InfrastructureNotFound(
                f"Cannot stop ECS task {identifier.task_arn!r}: it is not in cluster {identifier.cluster!r}."
            )

    def cancel_requested(self, flow_run_id: UUID) -> None:
        """A run that is being submitted is no longer wanted."""
        if flow_run_id in self._cancelled:
            self._cancelled[flow_run_id] = True

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether the run is being submitted, or its task watched."""
        return flow_run_id in self._cancelled or flow_run_id in self.watch

    def holds_slot(self, flow_run_id: UUID) -> bool:
        """Whether a run still counts towards the worker's limit."""
        return self._settings.limit_counts_running_tasks and flow_run_id in self.watch

    def _on_end(self, flow_run_id: UUID) -> None:
        if self._settings.limit_counts_running_tasks:
            workers.release_slot(self._worker, flow_run_id)

    async def _settle(self, task: WatchedTask, seen: Mapping[str, Any]) -> Settled:
        known = {**task.tags, **tags.as_dict(seen.get("tags")), tags.FLOW_RUN_ID: str(task.flow_run_id)}
        client = self._worker.client
        settled = await settle(seen, known, client=client, logger=workers.logger_of(self._worker))
        if settled is Settled.CRASHED:
            await _explain(task, seen, known, client)
        return settled


async def _explain(task: WatchedTask, seen: Mapping[str, Any], known: Mapping[str, str], client: PrefectClient) -> None:
    """Tell a crashed run's logs why its task stopped, and what its container said last."""
    from ..observers._crash_logs import forward_crash_logs, send_diagnosis
    from ..settings import EcsObserverSettings

    settings = EcsObserverSettings()
    await send_diagnosis(seen, known, task.flow_run_id, client=client)
    if settings.forward_crashed_run_logs:

        def aws(service: str, region: str | None) -> Any:
            credentials = task.credentials
            if region and region != credentials.region_name:
                credentials = credentials.model_copy(update={"region_name": region})
            return open_client(credentials, service)

        await forward_crash_logs(
            seen,
            known,
            task.flow_run_id,
            client=client,
            max_events=settings.forward_crashed_run_logs_max_events,
            aws=aws,
        )


def _events_are_coming() -> bool:
    from ..observers.ecs import observer_health

    return observer_health().is_healthy
