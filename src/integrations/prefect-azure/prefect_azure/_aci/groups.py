"""Container groups of one resource group as a service that runs containers as jobs.

Each submission of a run has a container group of its own, whose name follows from the submission: whoever asks for it
again, and after whatever loss, finds the same group. It is made by a deployment of the same name, whose record is
deleted as soon as the group runs, or cannot: Azure keeps 800 records in a resource group, and refuses more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.job_service import JobService, Seen
from prefect_integration_kit.settlement import Ended
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, apoll

from .._identity import describe, fingerprint
from .._workers import names
from .._workers.calls import Calls
from .._workers.reports import ended_among
from .._workers.turns import Turns
from ..container_instance import ContainerGroupProvisioningState
from ..errors import (
    AzureAccessDenied,
    AzureConflict,
    AzureError,
    AzureJobFailed,
    AzureNotFound,
    AzureWaitTimeout,
)
from .api import ContainerInstancesApi
from .identifiers import identifier_of, read_identifier
from .listing import Listing
from .outcomes import exit_code_of, failure_of, message_of
from .output import Outputs
from .views import DeploymentView, GroupView

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_integration_kit.logs import Log

    from .._workers.reports import Reported
    from ..worker_settings import ContainerInstanceWorkerSettings
    from ..workers.container_instance import AzureContainerJobConfiguration
    from .template import DeploymentRequest

_logger = get_logger("prefect_azure.container_instance")

_LEAST_INTERVAL_SECONDS = 0.05
_FIRST_LOOK_SECONDS = 1.0
_LOOK_GROWTH = 1.5
_ENDING_INTERVAL_SECONDS = 1.0
_CANCEL_TIMEOUT_SECONDS = 30.0
_RECORD = "deployment:"
"""Beginning of the identifiers of deployments, which are swept like container groups."""


class ContainerGroups(JobService["AzureContainerJobConfiguration"]):
    """Container groups of one resource group.

    Args:
        configuration: Names credentials, subscription, resource group and interval.
        settings: Retries and time-outs.
        work_pool_id: Tag of the worker's pool; empty outside of one.
        reported: Says which runs have ended as far as Prefect has heard; their groups are looked at first.
        clock: Time.
    """

    kind = "container group"

    def __init__(
        self,
        configuration: AzureContainerJobConfiguration,
        *,
        settings: ContainerInstanceWorkerSettings,
        work_pool_id: str = "",
        reported: Reported | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        credentials = configuration.aci_credentials
        subscription_id = configuration.subscription_id.get_secret_value()
        resource_group = configuration.resource_group_name
        interval = max(_LEAST_INTERVAL_SECONDS, configuration.task_watch_poll_interval)
        self.poll_interval_seconds = interval
        self._settings = settings
        self._work_pool_id = work_pool_id
        self._clock = clock
        self._key = (fingerprint(credentials), subscription_id, resource_group, work_pool_id, interval)
        calls = Calls(settings, identity=describe(credentials), clock=clock)
        self._api = ContainerInstancesApi(credentials, subscription_id, resource_group, calls)
        self._listing = Listing(self._api, interval_seconds=interval, clock=clock)
        self._reported = reported
        self._turns = Turns(settings.max_inspections)
        self._over: set[str] = set()
        self._without_record: set[str] = set()
        self.outputs = Outputs(
            interval_seconds=interval,
            tail_lines=settings.stream_tail_lines,
            logger=_logger,
            clock=clock,
        )

    @property
    def key(self) -> Hashable:
        """Identity, subscription, resource group, pool and interval."""
        return self._key

    def name_of(self, identifier: str) -> str:
        """The container group's name."""
        return identifier.rpartition(":")[2]

    def normal(self, identifier: str) -> str:
        """`flow_run_id:container_group_name`."""
        return read_identifier(identifier).normal

    # Starting

    async def start(
        self,
        flow_run: FlowRun,
        configuration: AzureContainerJobConfiguration,
        *,
        submission: str,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> str | None:
        """Deploy the container group of a submission, and wait until its containers run, or have run.

        Raises:
            AzureError: If Azure refuses, does not answer, or cannot start the containers.
            AzureWaitTimeout: If they do not run in time.
        """
        name = configuration.name_for(submission)
        request = configuration.deployment_request(name)
        if not is_wanted():
            return None
        logger.info("Making container group '%s'...", name)
        try:
            was_heard_once = await self._deploy(request, flow_run)
            runs = await self._running(name, configuration.task_start_timeout_seconds, is_wanted)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(name, logger)
            raise
        if not runs:
            await self._discard(name, logger)
            return None
        await self._forget_deployment(name, is_last=was_heard_once, logger=logger)
        if configuration.stream_output:
            self._print_output(name, configuration.container_name(name))
        return identifier_of(flow_run.id, name)

    async def _deploy(self, request: DeploymentRequest, flow_run: FlowRun) -> bool:
        """Ask for a container group, once. A repeated try looks first whether the one before it came through.

        Returns:
            Whether no try was left without an answer: one that was may come through later, and leave another record.
        """
        name = request.name
        tries = 0

        async def work() -> None:
            nonlocal tries
            group = await self._api.group(name)
            if group is not None and names.flow_run_of(group.tags) == flow_run.id:
                return  # a worker before us has made it, and died, or an answer of ours was lost
            if tries and await self._api.deployment(name) is not None:
                return  # it was heard; should it have failed, the wait says why
            tries += 1
            try:
                await self._api.deploy(request)
            except AzureConflict:  # another one of this name goes on
                if await self._api.deployment(name) is None:
                    raise

        await self._api.calls.retried(work)
        return tries <= 1

    async def _running(self, name: str, timeout_seconds: float, is_wanted: Callable[[], bool]) -> bool:
        """Wait until a group's containers run or have run; whether that is wanted still.

        Raises:
            AzureJobFailed: If they cannot; the message has the reason.
            AzureWaitTimeout: If it takes too long.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        interval = self.poll_interval_seconds or 1.0
        delay = min(_FIRST_LOOK_SECONDS, interval)
        while True:
            left = deadline - self._clock.monotonic()
            await self._clock.asleep(max(0.0, min(delay, left)))
            delay = min(delay * _LOOK_GROWTH, interval)
            if not is_wanted():
                return False
            group = await self._look(name)
            if group is not None and group.provisioning_state == ContainerGroupProvisioningState.SUCCEEDED.value:
                return True
            deployment = None
            if group is None or group.provisioning_state == ContainerGroupProvisioningState.FAILED.value:
                if group is not None and await self._has_run(name):
                    return True
                deployment = await self._api.deployment(name)
                is_failed = deployment is not None and deployment.state in ("Failed", "Canceled")
                if group is not None or is_failed:
                    raise AzureJobFailed(await self._why(name, deployment), subject=name)
            if self._clock.monotonic() >= deadline:
                raise AzureWaitTimeout(await self._why_late(name, timeout_seconds), subject=name)

    async def _look(self, name: str) -> GroupView | None:
        """How a group is, by the list that all share; one that is not listed yet by itself."""
        try:
            group = (await self._listing.groups()).get(name)
        except AzureAccessDenied:
            group = None
        return group or await self._api.group(name)

    async def _has_run(self, name: str) -> bool:
        """Whether a group that counts as failed did run: its container has failed then, and not Azure."""
        group = await self._api.group(name)
        main = group.main if group is not None else None
        return main is not None and main.started_at is not None and main.exit_code is not None

    async def _why(self, name: str, deployment: DeploymentView | None) -> str:
        return failure_of(name, await self._api.group(name), deployment)

    async def _why_late(self, name: str, timeout_seconds: float) -> str:
        group = await self._api.group(name)
        state = group.provisioning_state if group is not None else "not there"
        said = failure_of(name, group, await self._api.deployment(name))
        return (
            f"Container group {name!r} was not running after {timeout_seconds:g} seconds; it is {state}. {said} Raise "
            "`task_start_timeout_seconds` if it needs longer."
        )

    async def _discard(self, name: str, logger: Log) -> None:
        """Delete what was made in vain. Failing that, it is left to the sweep: the first error counts."""
        try:
            deployment = await self._api.deployment(name)
            if deployment is not None and not deployment.is_over:
                await self._cancel(name)
            await self._delete(name)
        except Exception as exc:  # noqa: BLE001 - see above
            logger.warning("Container group '%s' could not be deleted; it is swept later: %s", name, exc)

    async def _cancel(self, name: str) -> None:
        """Cancel a deployment, and wait until it makes nothing more."""
        await self._api.cancel_deployment(name)

        async def look() -> bool | None:
            deployment = await self._api.deployment(name)
            return True if deployment is None or deployment.is_over else None

        try:
            await self._until(look, f"The end of deployment {name!r}", _CANCEL_TIMEOUT_SECONDS)
        except WaitTimeout:  # what it has made is deleted all the same
            return

    async def _forget_deployment(self, name: str, *, is_last: bool, logger: Log) -> None:
        try:
            await self._api.delete_deployment(name)
        except AzureError as exc:
            # Resource Manager says a moment after Container Instances that all is made.
            logger.debug("The record of deployment '%s' is deleted later: %s", name, exc)
        else:
            if is_last:
                self._without_record.add(name)

    async def find(
        self, flow_run: FlowRun, configuration: AzureContainerJobConfiguration, *, submission: str
    ) -> str | None:
        """Look for the container group of a submission, or the deployment that is making it."""
        name = configuration.name_for(submission)
        group = await self._api.group(name)
        if group is None or group.provisioning_state != ContainerGroupProvisioningState.SUCCEEDED.value:
            return None  # whoever submits the run again waits for it, and says why it cannot be started
        return identifier_of(flow_run.id, name)

    # Looking

    async def list_jobs(self) -> AsyncIterator[Seen]:
        """List the resource group's container groups, in one list for all who want to know."""
        groups = await self._listing.groups()
        self._over &= groups.keys()
        unclear = {name for name, group in groups.items() if self._is_ours(group) and not group.has_details}
        unclear -= self._over
        chosen = self._turns.choose(unclear, await self._due(groups, unclear))
        for name, group in groups.items():
            # Those of others count only for who waits for them: a worker before this one has made them.
            yield self._seen(group, has_details=group.has_details or name in unclear - chosen)

    async def _due(self, groups: Mapping[str, GroupView], unclear: Collection[str]) -> set[str]:
        """The groups whose runs have ended, where there are too many to look at all."""
        if len(unclear) <= self._turns.count:
            return set()
        runs = {name: names.flow_run_of(groups[name].tags) for name in unclear}
        ended = await ended_among(self._reported, {run_id for run_id in runs.values() if run_id is not None})
        return {name for name, run_id in runs.items() if run_id in ended}

    async def inspect(self, identifier: str) -> Seen | None:
        """Look at one container group, with all that Azure says of its end."""
        group = await self._api.group(self.name_of(identifier))
        return self._seen(group) if group is not None else None

    def _is_ours(self, group: GroupView | DeploymentView) -> bool:
        return bool(self._work_pool_id) and group.tags.get(names.WORK_POOL_ID) == self._work_pool_id

    def _seen(self, group: GroupView, *, has_details: bool = True) -> Seen:
        ended = None
        flow_run_id = names.flow_run_of(group.tags)
        main = group.main
        if group.is_ended:
            self._over.add(group.name)
            self.outputs.has_ended(group.name)
            ended = Ended(
                name=f"container group {group.name}",
                message=message_of(group),
                succeeded=exit_code_of(group) == 0,
                ended_at=main.finished_at if main is not None else None,
                is_named_by=lambda pid: _names(pid, group.name),
                label=group.name,
            )
        return Seen(
            identifier=identifier_of(flow_run_id, group.name) if flow_run_id else group.name,
            flow_run_id=flow_run_id,
            ended=ended,
            exit_code=exit_code_of(group),
            created_at=names.made_at(group.tags) or (main.started_at if main is not None else None),
            is_ours=self._is_ours(group),
            is_kept=group.tags.get(names.KEEP) == "true",
            has_details=has_details,
        )

    async def list_left_over(self) -> AsyncIterator[Seen]:
        """List container groups, and the records of deployments that are over."""
        for group in (await self._listing.groups()).values():
            yield self._seen(group)
        for deployment in await self._api.deployments():
            if self._is_ours(deployment) and deployment.is_over:
                yield Seen(
                    identifier=f"{_RECORD}{deployment.name}",
                    flow_run_id=names.flow_run_of(deployment.tags),
                    ended=Ended(
                        name=f"deployment {deployment.name}", message="", is_named_by=lambda _: False, succeeded=True
                    ),
                    created_at=deployment.changed_at,
                    is_ours=True,
                )

    # Output

    def _print_output(self, name: str, container: str) -> None:
        async def read(tail: int | None) -> str:
            nonlocal container
            container = container or await self._container_of(name)
            return await self._api.log(name, container, tail)

        self.outputs.start(name, read)

    async def _container_of(self, name: str) -> str:
        """Name of the container that runs the flow.

        Raises:
            AzureNotFound: If there is no such group.
        """
        group = await self._api.group(name)
        if group is None or group.main is None:
            raise AzureNotFound(f"Container group {name!r} does not exist.", subject=name)
        return group.main.name or name

    async def last_lines(self, identifier: str, count: int) -> str:
        """What the container that runs the flow printed last."""
        name = self.name_of(identifier)
        return await self._api.log(name, await self._container_of(name), count, with_times=False)

    # Ends

    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        """Stop a group's containers, and wait until they have ended or for the grace.

        See https://learn.microsoft.com/azure/container-instances/container-instances-stop-start.
        """
        name = self.name_of(identifier)
        group = await self._api.group(name)
        if group is None:
            return False
        if group.is_ended:
            return True
        try:
            await self._api.stop_group(name)
        except AzureNotFound:
            return False
        except AzureAccessDenied:  # deleting a group ends it, too
            await self.delete(identifier)
            return True

        async def look() -> bool | None:
            seen = await self._api.group(name)
            # What stands in for a client does not say that it has ended.
            return True if seen is None or seen.is_ended or not seen.provisioning_state else None

        try:
            await self._until(look, f"The end of container group {name!r}", grace_seconds)
        except WaitTimeout:
            return True
        return True

    async def exists(self, identifier: str) -> bool:
        """Whether Azure knows a container group."""
        return await self._api.group(self.name_of(identifier)) is not None

    async def delete(self, identifier: str) -> None:
        """Delete a container group until Azure does not know it any more, and the record of its deployment.

        All that it has printed is printed before, where that was asked for.
        """
        name = self.name_of(identifier)
        if identifier.startswith(_RECORD):
            await self._api.delete_deployment(name)
            return
        await self.outputs.finish(name)
        await self._delete(name)

    async def finish(self, identifier: str) -> None:
        """Do for a container group that stays what is done for others when they are deleted.

        Its output is printed to the end, and the record of its deployment deleted.

        Args:
            identifier: Of a group that has ended.
        """
        name = self.name_of(identifier)
        await self.outputs.finish(name)
        try:
            await self._delete_record(name)
        except AzureError as exc:  # the sweep tries again
            _logger.warning("The record of deployment '%s' could not be deleted; it is swept later: %s", name, exc)

    async def _delete(self, name: str) -> None:
        try:
            is_gone = await self._api.delete_group(name)
        finally:
            await self._delete_record(name)
        if is_gone:
            return

        async def look() -> bool | None:
            return True if await self._api.group(name) is None else None

        try:
            await self._until(look, f"The deletion of container group {name!r}", self._settings.delete_timeout_seconds)
        except WaitTimeout as exc:
            raise AzureWaitTimeout(str(exc), subject=name) from exc

    async def _delete_record(self, name: str) -> None:
        if name in self._without_record:
            self._without_record.discard(name)
            return
        await self._api.calls.retried(
            lambda: self._api.delete_deployment(name), is_transient=lambda exc: isinstance(exc, AzureConflict)
        )

    async def _until(self, look: Callable[[], Any], subject: str, timeout_seconds: float) -> None:
        interval = min(_ENDING_INTERVAL_SECONDS, self.poll_interval_seconds or _ENDING_INTERVAL_SECONDS)
        await apoll(
            look, subject=subject, interval_seconds=interval, timeout_seconds=timeout_seconds, clock=self._clock
        )


def _names(infrastructure_pid: str, name: str) -> bool:
    try:
        return read_identifier(infrastructure_pid).name == name
    except ValueError:
        return False
