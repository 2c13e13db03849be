"""The base of workers whose infrastructure is a job at a cloud service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorkerResult

from .attending_worker import AttendingWorker

if TYPE_CHECKING:
    from .job_runs import JobRuns
    from .job_service import JobService
    from .job_settings import JobRunSettings

C = TypeVar("C", bound=BaseJobConfiguration)
V = TypeVar("V", bound=BaseVariables)
R = TypeVar("R", bound=BaseWorkerResult)


class JobWorker(AttendingWorker[C, V, R], ABC):
    """A worker that starts each run as a job of its own, and looks after all of them together.

    A package's worker says which service a configuration leads to and which settings count, and gives `run` and
    `kill_infrastructure` their types: they call `job_runs.run` and `job_runs.kill`.
    """

    plain_secrets: ClassVar[Mapping[str, str]] = {}
    """Variables whose values are secret, and for each the remedy, should one be about to go out as plain text."""

    jobs_title: ClassVar[str] = "jobs"
    """What messages call the worker's jobs."""

    @abstractmethod
    def job_service(self, configuration: C) -> JobService[C]:
        """The service that a configuration's account and region lead to. Called for each run: it opens nothing."""

    @abstractmethod
    def job_settings(self) -> JobRunSettings:
        """How this worker looks after its jobs; read once."""

    @abstractmethod
    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a job of this kind; another kind of worker may have had the pool before."""

    def keeps_job(self, configuration: C) -> bool:
        """Whether the job stays after its end.

        Args:
            configuration: What the run asks for.
        """
        return bool(getattr(configuration, "keep_job", False))

    @cached_property
    def job_runs(self) -> JobRuns[C]:
        """What the worker has under way."""
        from .job_runs import JobRuns

        return JobRuns(self, self.job_settings())

    @property
    def _attended(self) -> JobRuns[C]:
        return self.job_runs

    async def setup(self) -> None:
        """Prepare the worker to run.

        Raises:
            pydantic.ValidationError: If a setting of the worker has a bad value; the message names it.
        """
        runs = self.job_runs
        await super().setup()
        runs.open()
