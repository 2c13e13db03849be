"""What suites of workers need of a cloud that plays jobs: it says that their containers run, and runs none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from .base import Suite

if TYPE_CHECKING:
    from prefect_integration_tests.pool_runs import NewPool


class PlayedJobsBase(Suite):
    """A worker that inherits `prefect_integration_kit.job_worker.JobWorker`, and its jobs at a cloud that plays them.

    The package shortens what the worker waits for, and lets every pending run count as left behind at once
    (`reconcile_after_seconds`).

    Attributes:
        keeping: Job variables of a run whose job is to stay.
    """

    keeping: ClassVar[Mapping[str, Any]] = MappingProxyType({"keep_job": True})

    @pytest.fixture
    @abstractmethod
    def pool(self) -> NewPool[Any]:
        """A new work pool, at a cloud without jobs, whose containers succeed at once."""

    @abstractmethod
    def let_run(self, pool: Any) -> None:
        """Let containers that are started from now on run until they are ended."""

    @abstractmethod
    def end(self, pool: Any, exit_code: int = 0) -> None:
        """End all containers."""

    @abstractmethod
    def running(self, pool: Any) -> int:
        """How many containers run."""

    @abstractmethod
    def jobs(self, pool: Any) -> Collection[str]:
        """Names of the jobs that are there."""

    def left_over(self, pool: Any) -> Collection[Any]:
        """All that was made for jobs and is there still."""
        return self.jobs(pool)

    @abstractmethod
    def made(self, pool: Any) -> Mapping[str, int]:
        """What was asked for so far, by its kind, and how often; `started` among them."""

    @abstractmethod
    def name_of(self, identifier: str) -> str:
        """Name of the job that a run's `infrastructure_pid` names."""
