"""Custom jobs of one project and region, as `prefect_integration_kit.job_runs` wants them.

Vertex AI names jobs itself and creates a second one when it is asked twice, so a job carries the digest of its
submission as a label: before a job is created, and again when the answer to its creation was lost, one with that label
is looked for (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs/list).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from prefect_integration_kit.job_service import JobService, Seen

from .. import _labels
from .._identity import fingerprint
from ..errors import (
    GcpConflict,
    GcpError,
    GcpNotFound,
    GcpPreconditionFailed,
    GcpRateLimited,
    GcpWaitTimeout,
    is_transient,
)
from .calls import VertexCalls
from .logs import last_lines_of
from .outcomes import ENDED, UNFINISHED, ended_of, exit_code_of, has_ended, moment, state_of

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJob
    from prefect.client.schemas.objects import FlowRun

    from prefect_integration_kit.logs import Log

    from ..settings import VertexWorkerSettings
    from ..workers.vertex import VertexAIWorkerJobConfiguration

SUBMISSION = "prefect-submission"
"""Label with the digest of the submission that a job is for."""

_NAME = re.compile(r"projects/([^/]+)/locations/([a-z0-9-]+)/customJobs/([^/]+)")
_SECRET_NAME = re.compile("key|secret|token|pass|auth|credential|dsn|connection", re.IGNORECASE)
_PAGE = 100
_UNFINISHED = " AND ".join(f'state!="JOB_STATE_{state}"' for state in ENDED)
_FINISHED = " AND ".join(f'state!="JOB_STATE_{state}"' for state in UNFINISHED)
_LISTED = ("name", "state", "labels", "create_time")
_LOST_LOOKS = (0.0, 1.0, 2.0)
"""When a job whose creation was not answered is looked for, in multiples of the settings' first delay."""
_DELETE_SECONDS = 120.0
_DELETE_POLL_SECONDS = 2.0


class VertexJobs(JobService["VertexAIWorkerJobConfiguration"]):
    """The custom jobs of one project and region."""

    kind: ClassVar[str] = "Vertex AI job"

    def __init__(
        self,
        calls: VertexCalls,
        region: str,
        *,
        work_pool_id: UUID | None,
        settings: VertexWorkerSettings,
        poll_interval_seconds: float | None = None,
    ) -> None:
        """Say whose jobs; nothing is opened.

        Args:
            calls: Calls with an identity.
            region: Where new jobs are made.
            work_pool_id: The pool whose jobs are ours; without one, every job that a worker has made is listed.
            settings: Says from which age on jobs that have ended are deleted.
            poll_interval_seconds: How often running jobs are looked at.
        """
        self._calls = calls
        self._region = region
        self._work_pool_id = str(work_pool_id or "")
        self._settings = settings
        self.poll_interval_seconds = poll_interval_seconds

    @property
    def key(self) -> Hashable:
        """Tells identity, project and region apart, and how often jobs are looked at."""
        calls = self._calls
        return (fingerprint(calls.credentials), calls.known_project, self._region, self.poll_interval_seconds)

    def normal(self, identifier: str) -> str:
        """Return the identifier: the job's full name.

        Raises:
            ValueError: If it is none.
        """
        if _NAME.fullmatch(identifier) is None:
            raise ValueError(
                f"{identifier!r} does not name a Vertex AI job: projects/PROJECT/locations/REGION/customJobs/NUMBER."
            )
        return identifier

    # Starting

    async def start(
        self,
        flow_run: FlowRun,
        configuration: VertexAIWorkerJobConfiguration,
        *,
        submission: str,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> str | None:
        """Create the job of a submission, or find the one that was created before."""
        await self._calls.load()
        digest = _digest(submission)
        job = configuration.to_custom_job(
            submission=digest,
            labels={SUBMISSION: digest, _labels.FLOW_RUN_ID: str(flow_run.id), **self._pool_label()},
        )
        if (found := await self._of_submission(digest)) is not None:
            logger.info("Found Vertex AI job %s, which was created for this run before.", self.name_of(found))
            return found
        return await self._create(job, digest, is_wanted, logger)

    async def _create(self, job: CustomJob, digest: str, is_wanted: Callable[[], bool], logger: Log) -> str | None:
        parent = f"projects/{await self._calls.project()}/locations/{self._region}"
        subject = f"Vertex AI job {job.display_name!r}"
        began = self._calls.clock.monotonic()
        attempts, is_in_doubt = 0, False
        while is_wanted():
            attempts += 1
            try:
                created = await self._calls.call_once(
                    "create_custom_job",
                    {"parent": parent, "custom_job": job},
                    region=self._region,
                    subject=subject,
                    secrets=_secrets_of(job),
                )
            except GcpError as exc:
                verdict = is_transient(exc)
                if verdict is False:
                    raise
                if not isinstance(exc, GcpRateLimited):  # that one says that nothing was done
                    is_in_doubt = True
                    if (found := await self._look_for_lost(digest)) is not None:
                        return found
                asked = None if verdict is True else float(verdict)
                elapsed = self._calls.clock.monotonic() - began
                delay = self._calls.backoff.next_delay(attempts, elapsed, asked)
                if delay is None:
                    raise
                logger.debug("Creating %s again in %.1f seconds: %s", subject, delay, exc)
                await self._calls.clock.asleep(delay)
            else:
                name = str(created.name)
                return await self._oldest(digest, name) if is_in_doubt else name
        # What was created in spite of a lost answer, and is not listed to this day, is swept.
        return await self._of_submission(digest) if is_in_doubt else None

    async def _look_for_lost(self, digest: str) -> str | None:
        """Look for a job whose creation was not answered; it may be listed a moment later."""
        for factor in _LOST_LOOKS:
            await self._calls.clock.asleep(factor * self._calls.backoff.initial_seconds)
            if (found := await self._of_submission(digest)) is not None:
                return found
        return None

    async def _oldest(self, digest: str, name: str) -> str:
        """Where two jobs were created in the end, since one was listed late, leave the first one only."""
        oldest, *others = await self._all_of_submission(digest) or [name]
        for other in {*others, name} - {oldest}:
            with suppress(GcpNotFound, GcpPreconditionFailed):
                await self._call("cancel_custom_job", other)
        return oldest

    async def find(
        self, flow_run: FlowRun, configuration: VertexAIWorkerJobConfiguration, *, submission: str
    ) -> str | None:
        """Look for the job of a submission."""
        del flow_run, configuration
        return await self._of_submission(_digest(submission))

    async def _of_submission(self, digest: str) -> str | None:
        found = await self._all_of_submission(digest)
        return found[0] if found else None

    async def _all_of_submission(self, digest: str) -> list[str]:
        """Names of the jobs of a submission, oldest first; those that were cancelled in favour of another last."""
        found = [job async for job in self._list(f'labels.{SUBMISSION}="{digest}"')]
        found.sort(key=lambda job: (state_of(job) in ("CANCELLED", "CANCELLING"), job.create_time.timestamp()))
        return [str(job.name) for job in found]

    def _pool_label(self) -> dict[str, str]:
        return {_labels.WORK_POOL_ID: self._work_pool_id} if self._work_pool_id else {}

    # Looking

    async def list_jobs(self) -> AsyncIterator[Seen]:
        """List the jobs of the pool that have not ended. Those that have are looked at by themselves."""
        async for job in self._list(f"{self._ours()} AND {_UNFINISHED}"):
            yield self._seen(job)

    async def list_left_over(self) -> AsyncIterator[Seen]:
        """List the jobs of the pool that have not ended, and those that ended and are old enough to be deleted."""
        async for seen in self.list_jobs():
            yield seen
        before = datetime.now(timezone.utc) - timedelta(seconds=self._settings.delete_after_seconds)
        aged = f'create_time<"{before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}"'
        async for job in self._list(f"{self._ours()} AND {_FINISHED} AND {aged}"):
            yield self._seen(job)

    def _ours(self) -> str:
        if self._work_pool_id:
            return f'labels.{_labels.WORK_POOL_ID}="{self._work_pool_id}"'
        return f"labels.{SUBMISSION}:*"

    async def _list(self, where: str) -> AsyncIterator[Any]:
        parent = f"projects/{await self._calls.project()}/locations/{self._region}"
        request: dict[str, Any] = {
            "parent": parent,
            "filter": where,
            "page_size": _PAGE,
            "read_mask": {"paths": list(_LISTED)},
        }
        token = ""
        while True:
            page = await self._calls.call(
                "list_custom_jobs",
                {**request, "page_token": token},
                region=self._region,
                subject=f"Vertex AI jobs of {parent}",
            )
            # The SDK's pager shows its first page so. It would fetch the next ones by itself, and not try again.
            for job in page.custom_jobs:
                yield job
            token = page.next_page_token
            if not token or not isinstance(token, str):  # a mock in the place of the SDK's client has no end of pages
                return

    async def inspect(self, identifier: str) -> Seen | None:
        """Look at one job, its error included."""
        try:
            return self._seen(await self._call("get_custom_job", identifier), in_full=True)
        except GcpNotFound:
            return None

    def _seen(self, job: Any, *, in_full: bool = False) -> Seen:
        identifier = str(job.name)
        labels: dict[str, str] = dict(job.labels)
        has_come_to_end = has_ended(job)
        return Seen(
            identifier=identifier,
            flow_run_id=_uuid(labels.get(_labels.FLOW_RUN_ID, "")),
            ended=ended_of(job, lambda pid: _is_same(pid, identifier)) if has_come_to_end else None,
            exit_code=exit_code_of(job) if has_come_to_end else 1,
            created_at=moment(job.create_time),
            is_ours=SUBMISSION in labels
            and (not self._work_pool_id or labels.get(_labels.WORK_POOL_ID) == self._work_pool_id),
            has_details=in_full or not has_come_to_end,
        )

    async def _call(self, method: str, identifier: str) -> Any:
        """Call for one job, in its own region: a deployment may have moved to another one since."""
        match = _NAME.fullmatch(identifier)
        region = match[2] if match else self._region
        subject = f"Vertex AI job {self.name_of(identifier)}"
        return await self._calls.call(method, {"name": identifier}, region=region, subject=subject)

    async def last_lines(self, identifier: str, count: int) -> str:
        """What the job's containers printed last."""
        return await last_lines_of(self._calls, self.name_of(identifier), count)

    # Ending

    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        """Cancel a job. Vertex AI gives its container time to end, and does not say how much: it is not waited for."""
        del grace_seconds
        try:
            await self._call("cancel_custom_job", identifier)
        except GcpNotFound:
            return False
        except (GcpPreconditionFailed, GcpConflict):
            seen = await self._look(identifier)
            if seen is None or (state_of(seen) != "CANCELLING" and not has_ended(seen)):
                raise
        return True

    async def _look(self, identifier: str) -> Any:
        try:
            return await self._call("get_custom_job", identifier)
        except GcpNotFound:
            return None

    async def delete(self, identifier: str) -> None:
        """Delete a job that has ended, or is about to, until Vertex AI does not know it any more."""
        deadline = self._calls.clock.monotonic() + _DELETE_SECONDS
        while True:
            try:
                await self._call("delete_custom_job", identifier)
            except GcpNotFound:
                return
            except (GcpPreconditionFailed, GcpConflict):  # it has not ended, or is being deleted
                pass
            if await self._look(identifier) is None:
                return
            if self._calls.clock.monotonic() >= deadline:
                raise GcpWaitTimeout(
                    f"Vertex AI job {self.name_of(identifier)}: it was still there {_DELETE_SECONDS:g} seconds after "
                    "its deletion was asked for."
                )
            await self._calls.clock.asleep(_DELETE_POLL_SECONDS)


def _secrets_of(job: CustomJob) -> list[str]:
    """Values of variables whose names sound secret: Vertex AI may repeat what it refuses."""
    variables = [variable for pool in job.job_spec.worker_pool_specs for variable in pool.container_spec.env]
    return [variable.value for variable in variables if variable.value and _SECRET_NAME.search(variable.name)]


def _digest(submission: str) -> str:
    return hashlib.sha256(submission.encode()).hexdigest()[:32]


def _is_same(infrastructure_pid: str, identifier: str) -> bool:
    """Compare without the project, which has an ID and a number."""
    mine, other = _NAME.fullmatch(identifier), _NAME.fullmatch(infrastructure_pid)
    return mine is not None and other is not None and mine.groups()[1:] == other.groups()[1:]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
