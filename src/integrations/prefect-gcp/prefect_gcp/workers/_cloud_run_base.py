"""What the workers of both versions of Cloud Run's API share."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from prefect.workers.base import BaseVariables, BaseWorkerResult

from prefect_integration_kit import workers
from prefect_integration_kit.job_worker import JobWorker

from .._workers.configuration import API_AUTH_STRING, API_KEY, CloudRunConfiguration

if TYPE_CHECKING:
    from .._workers.cloud_run import CloudRunJobs
    from ..settings import CloudRunRetrySettings

C = TypeVar("C", bound=CloudRunConfiguration)
V = TypeVar("V", bound=BaseVariables)
R = TypeVar("R", bound=BaseWorkerResult)

_REMEDY = "Store it in Secret Manager and set `{}`."


class CloudRunJobWorker(JobWorker[C, V, R], ABC):
    """A worker that runs flows as Cloud Run jobs."""

    api_version: ClassVar[str]
    jobs_title: ClassVar[str] = "Cloud Run jobs"
    plain_secrets: ClassVar[Mapping[str, str]] = {
        API_KEY: _REMEDY.format("prefect_api_key_secret"),
        API_AUTH_STRING: _REMEDY.format("prefect_api_auth_string_secret"),
    }

    def job_service(self, configuration: C) -> CloudRunJobs:
        """The jobs of the configuration's project and region.

        Args:
            configuration: Names credentials and region.
        """
        from .._workers.cloud_run import CloudRunJobs

        pool_id = workers.pool_id_of(self)
        return CloudRunJobs(
            self.api_version,
            configuration.credentials,
            configuration.region,
            settings=self._retry_settings(),
            work_pool_id=str(pool_id or ""),
        )

    def _retry_settings(self) -> CloudRunRetrySettings:
        settings: Any = self.job_runs.settings
        return settings

    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a Cloud Run job.

        Args:
            infrastructure_pid: As the run has it.
        """
        from .._workers.cloud_run import job_name_in

        try:
            job_name_in(infrastructure_pid)
        except ValueError:
            return False
        return True

    async def _kill(self, infrastructure_pid: str, configuration: C, grace_seconds: float) -> None:
        from .._workers.cloud_run import located

        await self.job_runs.kill(infrastructure_pid, located(configuration, infrastructure_pid), grace_seconds)
