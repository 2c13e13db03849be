"""What the workers need of a cloud service that runs containers as jobs with names.

Cloud Run, Vertex AI, Azure Container Instances and the like differ in their words and agree in the deed: a job is made
by name, its container runs to an end, all jobs of a region are listed in pages, and a job that has ended stays until it
is deleted. A package implements `JobService` in its service's words; `prefect_integration_kit.job_runs` does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar
from uuid import UUID

from .logs import Log

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.workers.base import BaseJobConfiguration

    from .settlement import Ended

    C = TypeVar("C", bound=BaseJobConfiguration)
else:
    C = TypeVar("C")


@dataclass(frozen=True)
class Seen:
    """A job as its service has just described it.

    Attributes:
        identifier: What a run's `infrastructure_pid` says of it, in the form that `JobService.start` returns.
        flow_run_id: The run that it is for, as its labels say; `None` where they do not.
        ended: How it ended; `None` while it has not.
        exit_code: Status code of the result; 0 when it ended as it should. It counts only where the job has ended.
        created_at: When it was made; `None` when that is not known.
        is_ours: Whether a worker of this work pool made it. Others are never touched.
        is_kept: Whether it was made to stay after its end.
        has_details: Whether `ended` says all that can be said; otherwise the job is looked at once more, by itself.
    """

    identifier: str
    flow_run_id: UUID | None = None
    ended: Ended | None = None
    exit_code: int = 1
    created_at: datetime | None = None
    is_ours: bool = False
    is_kept: bool = False
    has_details: bool = True


class JobService(ABC, Generic[C]):
    """One account and region of a cloud, as one configuration's credentials see it.

    All calls retry what passes by itself; what they raise is for good.
    """

    kind: ClassVar[str] = "job"
    """What messages call a job: `Cloud Run job`."""

    poll_interval_seconds: float | None = None
    """Seconds between two looks at the running jobs; `None` for what the worker's settings say."""

    @property
    @abstractmethod
    def key(self) -> Hashable:
        """Two services with the same key see the same jobs, and one of them is used for both."""

    def name_of(self, identifier: str) -> str:
        """What to call a job in messages."""
        return identifier.rpartition("/")[2]

    def normal(self, identifier: str) -> str:
        """Write an identifier in the form that `start` returns; other forms of it may stand in older runs.

        Raises:
            ValueError: If it does not name a job of this kind.
        """
        return identifier

    @abstractmethod
    async def start(
        self,
        flow_run: FlowRun,
        configuration: C,
        *,
        submission: str,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> str | None:
        """Make the job of a run, and start it.

        It may be called again for the same submission, by another worker, too, and with an answer lost before: there
        must never be a second execution. When it fails, it deletes what it has made.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for it.
            submission: Names this attempt of the run; the job's name, or a token, is made from it.
            is_wanted: Says whether the run is still wanted; ask before the container is started.
            logger: Logger of the run.

        Returns:
            The job's identifier; `None` when the run was no longer wanted, and nothing is left of it.
        """

    @abstractmethod
    async def find(self, flow_run: FlowRun, configuration: C, *, submission: str) -> str | None:
        """Look for a job that was started for a submission; `None` when there is none."""

    @abstractmethod
    def list_jobs(self) -> AsyncIterator[Seen]:
        """List jobs in pages, of this pool's workers alone where the service can tell them apart.

        Raises:
            PermissionError: If the account may not; jobs are then inspected one by one.
        """

    def list_left_over(self) -> AsyncIterator[Seen]:
        """List the jobs that may have to be deleted, where that are not the same as `list_jobs`."""
        return self.list_jobs()

    @abstractmethod
    async def inspect(self, identifier: str) -> Seen | None:
        """Look at one job, with all that is known of its end; `None` when it is gone."""

    @abstractmethod
    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        """Ask a job's container to end, and wait for that, at most for the grace. One that has ended is no error.

        Returns:
            Whether the service knows the job.
        """

    @abstractmethod
    async def delete(self, identifier: str) -> None:
        """Delete a job, until the service does not know it any more. One that is gone is no error."""

    async def last_lines(self, identifier: str, count: int) -> str:
        """What the job's container said last, oldest first; empty when nobody knows."""
        del identifier, count
        return ""
