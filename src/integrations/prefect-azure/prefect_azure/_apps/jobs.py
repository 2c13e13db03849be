"""Container Apps as a service that runs containers as jobs.

Each submission of a run has a job of its own, whose name follows from the submission: whoever asks for it again, and
after whatever loss, finds the same job. One job never gets a second execution, and is deleted when its run is over.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio

from prefect_integration_kit.job_service import JobService, Seen
from prefect_integration_kit.settlement import Ended
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, apoll

from .._identity import describe, fingerprint
from .._workers.calls import Calls
from .._workers.names import KEEP, WORK_POOL_ID, flow_run_of
from .._workers.reports import ended_among
from .._workers.turns import Turns
from ..errors import (
    AzureConflict,
    AzureError,
    AzureJobFailed,
    AzureNotFound,
    AzureRateLimited,
    AzureWaitTimeout,
)
from . import logs, outcomes
from .api import AppsApi, EnvironmentView
from .names import WORKSPACE, JobId, environment_id_in, job_id_in
from .views import ExecutionView, JobView

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_integration_kit.logs import Log

    from .._workers.reports import Reported
    from ..credentials import AzureContainerInstanceCredentials
    from ..worker_settings import ContainerAppWorkerSettings
    from .configuration import AzureContainerAppJobConfiguration

_LONGEST_INTERVAL_SECONDS = 2.0
"""Between two looks at a job that is becoming ready, ending or being deleted."""

_LOST_AFTER_SECONDS = 120.0
"""After this time a job whose execution is not there has lost it."""

_LOG_INTERVAL_SECONDS = 5.0


class ContainerAppJobs(JobService["AzureContainerAppJobConfiguration"]):
    """Jobs of one resource group.

    The list of a resource group's jobs does not say how their executions are: that is asked for job by job. So that
    many runs do not cost many calls, only some jobs are read at each look: those whose runs have reported their end to
    Prefect, and of the others those that were not read for longest.

    Args:
        credentials: Who we are.
        subscription: ID of the subscription.
        group: Name of the resource group.
        settings: Retries, time-outs and how many jobs are read at each look.
        work_pool_id: Tag of the worker's pool; empty outside of one.
        reported: Says which of these flow runs have no process any more as far as Prefect has heard.
        clock: Time.
    """

    kind = "Container Apps job"

    def __init__(
        self,
        credentials: AzureContainerInstanceCredentials,
        subscription: str,
        group: str,
        *,
        settings: ContainerAppWorkerSettings,
        work_pool_id: str = "",
        reported: Reported | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._credentials = credentials
        self._subscription = subscription
        self._group = group
        self._settings = settings
        self._work_pool_id = work_pool_id
        self._reported = reported
        self._clock = clock
        self._key = ("container-apps", fingerprint(credentials), subscription.lower(), group.lower(), work_pool_id)
        self._api = AppsApi(credentials, subscription)
        self._calls = Calls(settings, identity=describe(credentials), clock=clock)
        self._views: dict[str, JobView] = {}
        self._looked: set[str] = set()
        self._turns = Turns(settings.max_inspections)
        self._listed_at = -math.inf
        self._missing_since: dict[str, float] = {}
        self._pulling_since: dict[str, float] = {}
        self._environments: dict[str, EnvironmentView] = {}

    @property
    def key(self) -> Hashable:
        """Identity, subscription, resource group and pool."""
        return self._key

    def normal(self, identifier: str) -> str:
        """The job's resource ID."""
        found = job_id_in(identifier)
        if (found.subscription.lower(), found.group.lower()) == (self._subscription.lower(), self._group.lower()):
            return str(self._id_of(found.name))
        return str(JobId(found.subscription, found.group, found.name))

    def _id_of(self, name: str) -> JobId:
        return JobId(self._subscription, self._group, name)

    def _title(self, identifier: str) -> str:
        return f"{self.kind} {self.name_of(identifier)!r}"

    @property
    def _interval_seconds(self) -> float:
        return min(_LONGEST_INTERVAL_SECONDS, self._settings.poll_interval_seconds)

    # Calls

    async def _get(self, name: str) -> JobView | None:
        try:
            return await self._calls.repeated(lambda: self._api.get(self._group, name), self._title(name))
        except AzureNotFound:
            return None

    async def _executions(self, name: str) -> list[ExecutionView] | None:
        """Executions of a job; `None` when there is no such job."""
        try:
            return await self._calls.repeated(lambda: self._api.executions(self._group, name), self._title(name))
        except AzureNotFound:
            return None

    async def environment(self, environment_id: str) -> EnvironmentView:
        """Read an environment, once.

        Args:
            environment_id: Its resource ID.

        Raises:
            AzureError: If Azure refuses, or does not answer.
        """
        if environment_id not in self._environments:
            place = environment_id_in(environment_id)
            api = AppsApi(self._credentials, place.subscription)
            self._environments[environment_id] = await self._calls.repeated(
                lambda: api.environment(place.group, place.name), f"Container Apps environment {place.name!r}"
            )
        return self._environments[environment_id]

    # Starting

    async def start(
        self,
        flow_run: FlowRun,
        configuration: AzureContainerAppJobConfiguration,
        *,
        submission: str,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> str | None:
        """Create the job of a submission, wait until it is ready, start its execution.

        Raises:
            AzureError: If Azure refuses, or does not answer.
        """
        name = configuration.name_for(submission)
        if not is_wanted():
            return None
        location = None
        if not configuration.job_manifest.get("location"):
            location = (await self.environment(configuration.environment_id)).location
        identifier = str(self._id_of(name))
        try:
            is_new = await self._create(name, flow_run, configuration, location, logger)
            if not is_new and await self._executions(name):
                logger.info("%s is there already, and runs; going on with it.", self._title(name))
                return identifier
            if not is_wanted():
                await self.delete(identifier)
                return None
            await self._run(name)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(identifier, flow_run, logger)
            raise
        return identifier

    async def _create(
        self,
        name: str,
        flow_run: FlowRun,
        configuration: AzureContainerAppJobConfiguration,
        location: str | None,
        logger: Log,
    ) -> bool:
        """Make the job and wait until it is ready; whether it is known that there was none before."""
        body = configuration.request_of(location)
        secrets = [value.get_secret_value() for value in configuration.secret_values]
        tries, operation_url = 0, ""

        async def work() -> bool:
            nonlocal tries, operation_url
            tries += 1
            try:
                created = await self._calls.once(
                    lambda: self._api.create(self._group, name, body), self._title(name), secrets=secrets
                )
            except AzureConflict:
                # It is being made: an answer of ours was lost, or a worker before us has died.
                view = await self._get(name)
                if view is None or view.provisioning_state.lower() == "deleting":
                    raise
                if flow_run_of(view.tags) != flow_run.id:
                    raise AzureJobFailed(
                        f"{self._title(name)} is there already, and not for this run.", subject=self._title(name)
                    ) from None
                logger.info("%s is there already; going on with it.", self._title(name))
                return False
            operation_url = created.operation_url
            return created.is_new and tries == 1

        is_new = await self._calls.retried(work, is_transient=Calls.passes_soon)
        await self._ready(name, operation_url)
        return is_new

    async def _ready(self, name: str, operation_url: str) -> None:
        """Wait until Container Apps has made a job ready.

        Raises:
            AzureJobFailed: If it cannot; the message has its reason.
            AzureWaitTimeout: If it takes too long.
        """

        async def look() -> bool | None:
            view = await self._get(name)
            if view is None:
                return None
            if view.is_broken:
                raise AzureJobFailed(
                    f"{self._title(name)} cannot be made: {await self._reason(name, operation_url)}",
                    subject=self._title(name),
                )
            return True if view.is_ready else None

        try:
            await apoll(
                look,
                subject=f"{self._title(name)}, ready to be run,",
                interval_seconds=self._interval_seconds,
                timeout_seconds=self._settings.job_ready_timeout_seconds,
                clock=self._clock,
            )
        except WaitTimeout as exc:
            raise AzureWaitTimeout(str(exc), subject=self._title(name)) from exc

    async def _reason(self, name: str, operation_url: str) -> str:
        try:
            said = (
                await self._calls.repeated(lambda: self._api.operation_error(operation_url), self._title(name))
                if operation_url
                else ""
            )
        except AzureError:  # it only explains
            said = ""
        return said or "Azure gives no reason; the activity log of the resource group may."

    async def _run(self, name: str) -> None:
        """Start the one execution of a job. A repeated try looks first whether the one before it came through."""
        is_doubtful = False

        async def work() -> None:
            nonlocal is_doubtful
            if is_doubtful and await self._has_started(name):
                return
            try:
                await self._calls.once(lambda: self._api.start(self._group, name), self._title(name))
            except AzureError as exc:
                # Azure has refused what it has throttled; of the rest nobody knows.
                is_doubtful = is_doubtful or not isinstance(exc, AzureRateLimited)
                raise

        try:
            await self._calls.retried(work, is_transient=Calls.passes_soon)
        except AzureError as exc:
            if Calls.passes_soon(exc) is False or not await self._has_started(name):
                raise

    async def _has_started(self, name: str) -> bool:
        """Whether a job has an execution, which may take a moment to be seen."""

        async def look() -> bool | None:
            return True if await self._executions(name) else None

        try:
            return await apoll(
                look,
                subject=f"The execution of {self._title(name)}",
                interval_seconds=self._interval_seconds,
                timeout_seconds=self._settings.start_settle_seconds,
                clock=self._clock,
            )
        except WaitTimeout:
            return False

    async def _discard(self, identifier: str, flow_run: FlowRun, logger: Log) -> None:
        """Delete what was made in vain. Failing that, it is left to the sweep: the first error counts."""
        try:
            view = await self._get(self.name_of(identifier))
            if view is not None and flow_run_of(view.tags) == flow_run.id:
                await self.delete(identifier)
        except Exception as exc:  # noqa: BLE001 - see above
            logger.warning("%s could not be deleted; it is swept later: %s", self._title(identifier), exc)

    async def find(
        self, flow_run: FlowRun, configuration: AzureContainerAppJobConfiguration, *, submission: str
    ) -> str | None:
        """Look for the job of a submission; one without an execution is not found: it is started when made again."""
        name = configuration.name_for(submission)
        view = await self._get(name)
        if view is None or flow_run_of(view.tags) != flow_run.id or not await self._executions(name):
            return None
        return str(self._id_of(name))

    # Looking

    async def list_jobs(self) -> AsyncIterator[Seen]:
        """List the jobs of the resource group; of some of them it is asked for more than the list says."""
        views = await self._list()
        due = await self._due(views)
        for view in views:
            yield self._seen(view, has_details=view.name not in due)

    async def list_left_over(self) -> AsyncIterator[Seen]:
        """List the jobs of the resource group, as far as the list says."""
        for view in await self._list():
            yield self._seen(view)

    async def _list(self) -> list[JobView]:
        views = await self._calls.repeated(
            lambda: self._api.list(self._group), f"Container Apps jobs of resource group {self._group!r}"
        )
        self._views = {view.name: view for view in views}
        self._looked &= self._views.keys()
        for known in (self._missing_since, self._pulling_since):
            for name in [name for name in known if name not in self._views]:
                del known[name]
        return views

    async def _due(self, views: Iterable[JobView]) -> set[str]:
        """Choose the jobs to read. Jobs that were never read are among them: only those that are waited for are.

        Of the others each has its turn, whether it is read then or nobody waits for it any more.
        """
        now = self._clock.monotonic()
        passed, self._listed_at = now - self._listed_at, now
        share = min(1.0, passed / self._settings.poll_interval_seconds)
        budget = max(1, math.ceil(self._settings.max_inspections * share))
        due = {view.name for view in views if view.name not in self._looked}
        known = [view for view in views if view.name in self._looked]
        over = await self._over(known) if len(known) > budget else set[UUID]()
        first = {view.name for view in known if flow_run_of(view.tags) in over}
        return due | self._turns.choose((view.name for view in known), first, count=budget)

    async def _over(self, views: Iterable[JobView]) -> set[UUID]:
        """The runs whose end Prefect has heard of."""
        runs = {run_id for view in views if (run_id := flow_run_of(view.tags)) is not None}
        return await ended_among(self._reported, runs)

    def _seen(self, view: JobView, ended: Ended | None = None, exit_code: int = 1, *, has_details: bool = True) -> Seen:
        return Seen(
            identifier=str(self._id_of(view.name)),
            flow_run_id=flow_run_of(view.tags),
            ended=ended,
            exit_code=exit_code,
            created_at=view.created_at,
            is_ours=bool(self._work_pool_id) and view.tags.get(WORK_POOL_ID) == self._work_pool_id,
            is_kept=view.tags.get(KEEP) == "true",
            has_details=has_details,
        )

    async def inspect(self, identifier: str) -> Seen | None:
        """Look at a job's execution."""
        name = self.name_of(identifier)
        if name not in self._looked:
            self._looked.add(name)
            self._turns.had(name)
        executions = await self._executions(name)
        if executions is None:
            self._looked.discard(name)
            return None
        view = self._views.get(name)
        execution = _latest(executions)
        if execution is not None:
            self._missing_since.pop(name, None)
            if not execution.is_ended and not self._is_given_up(name, execution):
                return self._seen(view or JobView(identifier, name))
        elif not self._has_lost_it(name):
            return self._seen(view or JobView(identifier, name))
        # The list does not come before the first look at a job of a worker that has died, and may be old.
        view = view or await self._get(name)
        if view is None:
            return None
        self._looked.discard(name)
        self._missing_since.pop(name, None)
        ended = self._ended(identifier, view, execution)
        return self._seen(view, ended, outcomes.exit_code_of(execution) if execution is not None else 1)

    def _is_given_up(self, name: str, execution: ExecutionView) -> bool:
        """Whether a container has waited for its image for too long."""
        if not execution.has_pull_problem:
            self._pulling_since.pop(name, None)
            return False
        now = self._clock.monotonic()
        return now - self._pulling_since.setdefault(name, now) >= self._settings.image_pull_grace_seconds

    def _has_lost_it(self, name: str) -> bool:
        now = self._clock.monotonic()
        return now - self._missing_since.setdefault(name, now) >= _LOST_AFTER_SECONDS

    def _ended(self, identifier: str, view: JobView, execution: ExecutionView | None) -> Ended:
        title = self._title(view.name)
        if execution is None:
            message = f"{title}: its execution is not there any more, so how it ended is not known."
        elif not execution.is_ended:
            message = outcomes.pull_message(title, execution)
        else:
            message = outcomes.message_of(title, execution, view.replica_timeout)
        return Ended(
            name=f"{self.kind} {view.name}",
            message=message,
            succeeded=execution is not None and execution.succeeded,
            ended_at=execution.ended_at if execution is not None else None,
            is_named_by=lambda pid: self._names(pid, identifier),
            label=view.name,
        )

    def _names(self, infrastructure_pid: str, identifier: str) -> bool:
        try:
            return self.normal(infrastructure_pid) == identifier
        except ValueError:
            return False

    async def last_lines(self, identifier: str, count: int) -> str:
        """What the job's container printed last, from the workspace of the run or of its environment."""
        name = self.name_of(identifier)
        view = self._views.get(name) or await self._get(name)
        if view is None or not (workspace := await self._workspace_of(view)):
            return ""
        execution = _latest(await self._executions(name) or [])
        if execution is None:
            return ""

        async def look() -> list[str] | None:
            return (
                await self._calls.repeated(
                    lambda: logs.last_lines(self._credentials, workspace, execution.name, count),
                    f"Log Analytics workspace {workspace!r}",
                )
                or None
            )

        try:
            lines = await apoll(
                look,
                subject=f"The output of {self._title(name)}",
                interval_seconds=min(_LOG_INTERVAL_SECONDS, self._settings.poll_interval_seconds),
                timeout_seconds=self._settings.log_wait_seconds,
                clock=self._clock,
            )
        except WaitTimeout:
            return ""
        return "\n".join(lines)

    async def _workspace_of(self, view: JobView) -> str:
        if given := view.tags.get(WORKSPACE):
            return given
        return (await self.environment(view.environment_id)).workspace_id if view.environment_id else ""

    # Ends

    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        """Stop the job's execution, whose container gets SIGTERM, and wait until it has ended or for the grace."""
        name = self.name_of(identifier)
        executions = await self._executions(name)
        if executions is None:
            return False
        running = [each for each in executions if not each.is_ended]
        for execution in running:
            await self._stop(name, execution)
        if not running:
            return True

        async def look() -> bool | None:
            found = await self._executions(name)
            return True if not found or all(each.is_ended for each in found) else None

        with contextlib.suppress(WaitTimeout):
            await apoll(
                look,
                subject=f"The end of {self._title(name)}",
                interval_seconds=self._interval_seconds,
                timeout_seconds=grace_seconds,
                clock=self._clock,
            )
        return True

    async def _stop(self, name: str, execution: ExecutionView) -> None:
        try:
            await self._calls.repeated(
                lambda: self._api.stop(self._group, name, execution.name), f"Execution {execution.name!r}"
            )
        except (AzureNotFound, AzureConflict):  # it has ended meanwhile
            return

    async def delete(self, identifier: str) -> None:
        """Delete a job, until Azure does not know it any more; one that waits for its image is stopped first."""
        name = self.name_of(identifier)
        if self._pulling_since.pop(name, None) is not None:
            await self.stop(identifier, 0)

        async def ask() -> bool:
            try:
                await self._calls.once(lambda: self._api.delete(self._group, name), self._title(name))
            except AzureNotFound:
                return False
            return True

        if not await self._calls.retried(ask, is_transient=Calls.passes_soon):
            return

        async def look() -> bool | None:
            return True if await self._get(name) is None else None

        await apoll(
            look,
            subject=f"The deletion of {self._title(name)}",
            interval_seconds=self._interval_seconds,
            timeout_seconds=self._settings.delete_timeout_seconds,
            clock=self._clock,
        )


def _latest(executions: Iterable[ExecutionView]) -> ExecutionView | None:
    """The execution that counts: one that goes on, else the one that was started last."""
    known = list(executions)
    going_on = [each for each in known if not each.is_ended]
    return max(
        going_on or known, key=lambda each: each.started_at.timestamp() if each.started_at else 0.0, default=None
    )


def located(configuration: Any, identifier: str) -> Any:
    """The configuration with the subscription and resource group that an identifier names."""
    found = job_id_in(identifier)
    changes = {"subscription_id": found.subscription, "resource_group_name": found.group}
    return configuration.model_copy(update=changes)
