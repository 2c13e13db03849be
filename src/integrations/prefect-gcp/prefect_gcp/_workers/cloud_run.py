"""Cloud Run as a service that runs containers as jobs, by either version of its API.

Each submission of a run has a job of its own, whose name follows from the submission: whoever asks for it again, and
after whatever loss, finds the same job. One job never gets a second execution, and is deleted when its run is over.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Hashable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio

from prefect_integration_kit.job_service import JobService, Seen
from prefect_integration_kit.settlement import Ended
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, apoll, aretry

from .. import _labels
from .._identity import fingerprint, project_of
from .._rest import in_thread
from ..errors import (
    GcpAccessDenied,
    GcpConflict,
    GcpError,
    GcpJobFailed,
    GcpPreconditionFailed,
    GcpWaitTimeout,
    is_transient,
)
from .api import CloudRunApi, CloudRunV1Api, CloudRunV2Api
from .calls import Calls
from .container_logs import last_lines, quoted
from .outcomes import exit_code_of, message_of
from .views import ExecutionView, JobView, TaskView

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_integration_kit.logs import Log

    from ..credentials import GcpCredentials
    from ..settings import CloudRunRetrySettings
    from .configuration import CloudRunConfiguration

_LONGEST_INTERVAL_SECONDS = 1.0
"""Between two looks at a job that is becoming ready, ending or being deleted, which takes Cloud Run a second or two."""

_DELETE_TIMEOUT_SECONDS = 60.0
_NAME = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FULL = re.compile(
    rf"(?:projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)|namespaces/(?P<namespace>[^/]+))/jobs/(?P<name>{_NAME})"
    r"(?:/executions/[^/]+)?"
)
_SECRET_NAME = re.compile("key|secret|token|pass|auth|credential|dsn|connection", re.IGNORECASE)


def job_name_in(identifier: str) -> str:
    """The name of the job that an `infrastructure_pid` names.

    Args:
        identifier: The job's name, as workers write it, or its full name or that of an execution in either version of
            the API: `projects/{project}/locations/{region}/jobs/{job}`, `namespaces/{project}/jobs/{job}`.

    Raises:
        ValueError: If it names no Cloud Run job.
    """
    if re.fullmatch(_NAME, identifier):
        return identifier
    if (found := _FULL.fullmatch(identifier)) is not None:
        return found["name"]
    raise ValueError(
        f"{identifier!r} does not name a Cloud Run job; expected its name, or "
        "'projects/{project}/locations/{region}/jobs/{job}'."
    )


def place_in(identifier: str) -> tuple[str | None, str | None]:
    """Project and region that an `infrastructure_pid` names, where it does."""
    found = _FULL.fullmatch(identifier)
    return (found["project"] or found["namespace"], found["region"]) if found is not None else (None, None)


class CloudRunJobs(JobService["CloudRunConfiguration"]):
    """Jobs of one project and region.

    Args:
        version: `v1` or `v2`.
        credentials: Who we are.
        region: The region.
        settings: Retries and time-outs.
        work_pool_id: Label value of the worker's pool; empty outside of one.
        clock: Time.
    """

    kind = "Cloud Run job"

    def __init__(
        self,
        version: str,
        credentials: GcpCredentials,
        region: str,
        *,
        settings: CloudRunRetrySettings,
        work_pool_id: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._version = version
        self._credentials = credentials
        self._region = region
        self._settings = settings
        self._work_pool_id = work_pool_id
        self._clock = clock
        self._key = (version, fingerprint(credentials), region, work_pool_id)
        self._opened: CloudRunApi | None = None

    @property
    def key(self) -> Hashable:
        """Version, identity, region and pool."""
        return self._key

    def normal(self, identifier: str) -> str:
        """The job's name."""
        return job_name_in(identifier)

    @property
    def _interval_seconds(self) -> float:
        return min(_LONGEST_INTERVAL_SECONDS, self._settings.poll_interval_seconds)

    async def _api(self) -> CloudRunApi:
        if self._opened is None:
            project = await in_thread(project_of, self._credentials)
            # Version 1 is served by the hosts of the regions alone.
            region = self._region if self._version == "v1" else None
            calls = self._calls("run", self._version, region)
            kind = CloudRunV1Api if self._version == "v1" else CloudRunV2Api
            self._opened = kind(calls, project, self._region)
        return self._opened

    def _calls(self, api: str, version: str, region: str | None = None) -> Calls:
        return Calls(self._credentials, api, version, region=region, settings=self._settings, clock=self._clock)

    # Starting

    async def start(
        self,
        flow_run: FlowRun,
        configuration: CloudRunConfiguration,
        *,
        submission: str,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> str | None:
        """Create the job of a submission, wait until it is ready, start its execution.

        Raises:
            GcpError: If Cloud Run refuses, or does not answer.
        """
        api = await self._api()
        name = configuration.name_for(submission)
        if not is_wanted():
            return None
        view = await self._create(api, name, flow_run, configuration, logger)
        try:
            if view is None or not view.is_ready:
                view = await self._ready(api, name)
            if view.execution is None:
                if not is_wanted():
                    await self.delete(name)
                    return None
                await self._run(api, view, configuration)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(name, logger)
            raise
        return name

    async def _create(
        self, api: CloudRunApi, name: str, flow_run: FlowRun, configuration: CloudRunConfiguration, logger: Log
    ) -> JobView | None:
        secrets = [value for key, value in configuration.env.items() if value and _SECRET_NAME.search(key)]
        try:
            return await api.create(name, configuration.request_of(name, api.project), secrets=secrets)
        except GcpConflict:
            # An answer of ours was lost, or a worker before us has died: the name says that it is for this submission.
            view = await api.get(name)
            if view is None or not _is_for(view, flow_run):
                raise
            logger.info("Cloud Run job '%s' is there already; going on with it.", name)
            return view

    async def _ready(self, api: CloudRunApi, name: str) -> JobView:
        """Wait until Cloud Run has made a job ready.

        Raises:
            GcpJobFailed: If it cannot; the message has its reason.
            GcpWaitTimeout: If it takes too long.
        """

        async def look() -> JobView | None:
            view = await api.get(name)
            if view is not None and view.failure:
                raise GcpJobFailed(f"{api.subject(name)} cannot be made ready: {view.failure}", subject=name)
            return view if view is not None and (view.is_ready or view.execution is not None) else None

        await self._clock.asleep(self._interval_seconds / 2)  # no job is ready at once
        try:
            return await apoll(
                look,
                subject=f"{api.subject(name)}, ready to be run,",
                interval_seconds=self._interval_seconds,
                timeout_seconds=self._settings.job_ready_timeout_seconds,
                clock=self._clock,
            )
        except WaitTimeout as exc:
            raise GcpWaitTimeout(str(exc), subject=name) from exc

    async def _run(self, api: CloudRunApi, view: JobView, configuration: CloudRunConfiguration) -> None:
        """Start the one execution of a job. A repeated try looks first whether the one before it came through."""
        tries = 0
        # From the first try on: one that comes through after it was given up finds another job than it names, too.
        etag = view.etag

        async def work() -> None:
            nonlocal tries, etag
            tries += 1
            if tries > 1:
                seen = await api.get(view.name)
                if seen is not None and seen.execution is not None:
                    return
            try:
                await api.run(view.name, configuration.execution_overrides, etag=etag)
            except (GcpConflict, GcpPreconditionFailed):
                seen = await api.get(view.name)
                if seen is not None and seen.execution is not None:
                    return
                etag = seen.etag if seen is not None else ""
                raise

        def may_pass(exc: Exception) -> bool | float:
            return is_transient(exc) or isinstance(exc, GcpConflict | GcpPreconditionFailed)

        try:
            await aretry(work, is_transient=may_pass, backoff=api.calls.backoff("submit"), clock=self._clock)
        except GcpError as exc:
            if not is_transient(exc):
                raise
            seen = await api.get(view.name)
            if seen is None or seen.execution is None:
                raise

    async def _discard(self, name: str, logger: Log) -> None:
        """Delete what was made in vain. Failing that, it is left to the sweep: the first error counts."""
        try:
            await self.delete(name)
        except Exception as exc:  # noqa: BLE001 - see above
            logger.warning("Cloud Run job '%s' could not be deleted; it is swept later: %s", name, exc)

    async def find(self, flow_run: FlowRun, configuration: CloudRunConfiguration, *, submission: str) -> str | None:
        """Look for the job of a submission; one without an execution is not found: it is started when made again."""
        name = configuration.name_for(submission)
        view = await (await self._api()).get(name)
        return name if view is not None and view.execution is not None and _is_for(view, flow_run) else None

    # Looking

    async def list_jobs(self) -> AsyncIterator[Seen]:
        """List the region's jobs, in version 1 those of the pool alone."""
        selector = f"{_labels.WORK_POOL_ID}={self._work_pool_id}" if self._work_pool_id else ""
        async for view in (await self._api()).list(selector):
            yield self._seen(view)

    def _seen(self, view: JobView, ended: Ended | None = None, exit_code: int = 1) -> Seen:
        ref = view.execution
        has_details = ended is not None or (ref is not None and ref.is_clear and (not ref.is_ended or ref.succeeded))
        if ended is None and ref is not None and ref.is_ended:
            ended, exit_code = self._ended(view, None, []), 0 if ref.succeeded else 1
        return Seen(
            identifier=view.name,
            flow_run_id=_flow_run_of(view),
            ended=ended,
            exit_code=exit_code,
            created_at=view.created_at,
            is_ours=bool(self._work_pool_id) and view.labels.get(_labels.WORK_POOL_ID) == self._work_pool_id,
            is_kept=view.labels.get(_labels.KEEP) == "true",
            has_details=has_details,
        )

    def _ended(self, view: JobView, execution: ExecutionView | None, tasks: list[TaskView]) -> Ended:
        ref = view.execution
        succeeded = execution.succeeded if execution is not None else ref is not None and ref.succeeded
        if execution is not None:
            message = message_of(view.name, execution, tasks)
        else:
            message = f"Cloud Run job {view.name!r} {'succeeded' if succeeded else 'failed'}."
        ended_at = execution.ended_at if execution is not None else None
        return Ended(
            name=f"Cloud Run job {view.name}",
            message=message,
            succeeded=succeeded,
            ended_at=ended_at or (ref.ended_at if ref is not None else None),
            is_named_by=lambda pid: _names(pid, view.name),
            label=view.name,
        )

    async def inspect(self, identifier: str) -> Seen | None:
        """Look at a job, at its execution, and at its tasks where it has failed."""
        api = await self._api()
        view = await api.get(identifier)
        if view is None or view.execution is None or (view.execution.is_clear and not view.execution.is_ended):
            return self._seen(view) if view is not None else None
        try:
            execution = await api.execution(view.execution)
        except GcpAccessDenied:
            return self._seen(view)
        if execution is None:
            deleted = f"Cloud Run job {view.name!r}: its execution was deleted, so how it ended is not known."
            return self._seen(view, Ended(name=f"Cloud Run job {view.name}", message=deleted, label=view.name), 1)
        if not execution.is_ended:
            return self._seen(view)
        tasks = [] if execution.succeeded else await self._tasks(api, view)
        return self._seen(view, self._ended(view, execution, tasks), exit_code_of(execution, tasks))

    async def _tasks(self, api: CloudRunApi, view: JobView) -> list[TaskView]:
        assert view.execution is not None  # noqa: S101 - it was asked for
        try:
            return await api.tasks(view.execution)
        except GcpError:  # they only explain
            return []

    async def last_lines(self, identifier: str, count: int) -> str:
        """What the job's containers printed last."""
        api = await self._api()
        filter_text = (
            f'resource.type="cloud_run_job" AND resource.labels.job_name={quoted(identifier)} '
            f'AND resource.labels.location={quoted(self._region)} AND logName:"run.googleapis.com"'
        )
        return await last_lines(self._calls("logging", "v2"), api.project, filter_text, count)

    # Ends

    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        """Cancel the job's execution, which gets SIGTERM and 10 seconds, and wait until it has ended or for the grace.

        See https://cloud.google.com/run/docs/container-contract#jobs-shutdown.
        """
        api = await self._api()
        view = await api.get(identifier)
        if view is None:
            return False
        if view.execution is None:
            return True
        execution = view.execution if view.execution.is_clear else await api.execution(view.execution)
        if execution is None or execution.is_ended:
            return True
        try:
            await api.cancel(view.execution)
        except GcpAccessDenied:  # deleting a job ends it, too
            await self.delete(identifier)
            return True

        async def look() -> bool | None:
            seen = await api.get(identifier)
            if seen is None or seen.execution is None or seen.execution.is_ended:
                return True
            if not seen.execution.is_clear:
                execution = await api.execution(seen.execution)
                return True if execution is None or execution.is_ended else None
            return None

        try:
            await apoll(
                look,
                subject=f"The end of {api.subject(identifier)}",
                interval_seconds=self._interval_seconds,
                timeout_seconds=grace_seconds,
                clock=self._clock,
            )
        except WaitTimeout:
            return True
        return True

    async def delete(self, identifier: str) -> None:
        """Delete a job, until Cloud Run does not know it any more."""
        api = await self._api()
        if await api.delete(identifier):
            return

        async def look() -> bool | None:
            return True if await api.get(identifier) is None else None

        await apoll(
            look,
            subject=f"The deletion of {api.subject(identifier)}",
            interval_seconds=self._interval_seconds,
            timeout_seconds=_DELETE_TIMEOUT_SECONDS,
            clock=self._clock,
        )


def _is_for(view: JobView, flow_run: FlowRun) -> bool:
    return view.labels.get(_labels.FLOW_RUN_ID) == str(flow_run.id)


def _flow_run_of(view: JobView) -> UUID | None:
    try:
        return UUID(view.labels.get(_labels.FLOW_RUN_ID, ""))
    except ValueError:
        return None


def _names(infrastructure_pid: str, name: str) -> bool:
    try:
        return job_name_in(infrastructure_pid) == name
    except ValueError:
        return False


def located(configuration: Any, identifier: str) -> Any:
    """The configuration with the project and region that an identifier names, where it does."""
    project, region = place_in(identifier)
    changes: dict[str, Any] = {}
    if region and region != configuration.region:
        changes["region"] = region
    if project and configuration.credentials.project != project:
        changes["credentials"] = configuration.credentials.model_copy(update={"project": project})
    return configuration.model_copy(update=changes) if changes else configuration
