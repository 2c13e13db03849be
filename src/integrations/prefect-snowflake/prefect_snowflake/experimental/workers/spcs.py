"""Run flows on Snowpark Container Services.

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type snowpark-container-service my-snowpark-pool
prefect worker start --pool my-snowpark-pool
```

The worker may run anywhere that reaches Snowflake and the Prefect API; often it is a service of Snowflake itself. Each
run has a job service of its own, made for it and dropped at its end. How they end is learnt by listing all of them
together every few seconds. A run whose job ends before the run has reported its own end crashes, and its state says
why. Cancelled runs end, whatever their process does. What a worker leaves behind when it dies, the next one picks up.

Keys of the Prefect API never stand in a statement, since Snowflake keeps statements in its query history: they reach
the container through secrets of Snowflake, which the job variable `secrets` names, or the worker's settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
from prefect.workers.base import BaseWorkerResult

from prefect_integration_kit import workers
from prefect_integration_kit.job_worker import JobWorker

from ...credentials import SnowflakeCredentials
from ._spcs.configuration import SPCSWorkerConfiguration
from ._spcs.constants import (
    CREATE_SERVICE_MAX_DELAY_JITTER_SECONDS,
    CREATE_SERVICE_MIN_DELAY_JITTER_SECONDS,
    CREATE_SERVICE_MIN_DELAY_SECONDS,
    DEFAULT_CONTAINER_ENTRYPOINT,
    MAX_CREATE_SERVICE_ATTEMPTS,
    PREFECT_SNOWFLAKE_APPLICATION,
    SPCS_DEFAULT_CPU_LIMIT,
    SPCS_DEFAULT_CPU_REQUEST,
    SPCS_DEFAULT_MEMORY_LIMIT,
    SPCS_DEFAULT_MEMORY_REQUEST,
    SUSPENDED_POOL_STATES,
    TERMINAL_POOL_FAILURE_STATES,
)
from ._spcs.errors import SPCSJobFailed, SPCSWaitTimeout
from ._spcs.variables import SPCSServiceTemplateVariables

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from prefect.client.schemas.objects import FlowRun

    from ._spcs.jobs import SnowparkJobs
    from .settings import SPCSWorkerSettings

__all__ = [
    "CREATE_SERVICE_MAX_DELAY_JITTER_SECONDS",
    "CREATE_SERVICE_MIN_DELAY_JITTER_SECONDS",
    "CREATE_SERVICE_MIN_DELAY_SECONDS",
    "DEFAULT_CONTAINER_ENTRYPOINT",
    "MAX_CREATE_SERVICE_ATTEMPTS",
    "PREFECT_SNOWFLAKE_APPLICATION",
    "SPCS_DEFAULT_CPU_LIMIT",
    "SPCS_DEFAULT_CPU_REQUEST",
    "SPCS_DEFAULT_MEMORY_LIMIT",
    "SPCS_DEFAULT_MEMORY_REQUEST",
    "SUSPENDED_POOL_STATES",
    "TERMINAL_POOL_FAILURE_STATES",
    "SPCSJobFailed",
    "SPCSServiceTemplateVariables",
    "SPCSWaitTimeout",
    "SPCSWorker",
    "SPCSWorkerConfiguration",
    "SPCSWorkerResult",
    "SnowflakeCredentials",
]


class SPCSWorkerResult(BaseWorkerResult):
    """A job that has ended: `DATABASE.SCHEMA.NAME`, and its container's exit code; -1 when nobody saw how it ended."""


class SPCSWorker(JobWorker[SPCSWorkerConfiguration, SPCSServiceTemplateVariables, SPCSWorkerResult]):
    """A worker that runs flows on Snowpark Container Services."""

    type: str = "snowpark-container-service"
    job_configuration = SPCSWorkerConfiguration
    job_configuration_variables = SPCSServiceTemplateVariables
    jobs_title: ClassVar[str] = "Snowpark jobs"
    plain_secrets: ClassVar[Mapping[str, str]] = {}
    _display_name = "Snowpark Container Service"
    _description = "Execute flow runs within containers of Snowpark Container Services. Requires a Snowflake account."
    _documentation_url = "https://docs.prefect.io/integrations/prefect-snowflake"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/bd359de0b4be76c2254bd329fe3a267a1a3879c2-250x250.png"

    def job_settings(self) -> SPCSWorkerSettings:
        """Settings of the worker, from the environment."""
        from .settings import SPCSWorkerSettings

        return SPCSWorkerSettings()

    def job_service(self, configuration: SPCSWorkerConfiguration) -> SnowparkJobs:
        """The jobs of the configuration's schema.

        Args:
            configuration: Names credentials, database and schema.
        """
        from ._spcs.jobs import SnowparkJobs

        settings: Any = self.job_runs.settings
        return SnowparkJobs(configuration, settings=settings, work_pool_id=str(workers.pool_id_of(self) or ""))

    def is_job_identifier(self, infrastructure_pid: str) -> bool:
        """Whether it names a service of Snowflake.

        Args:
            infrastructure_pid: As the run has it.
        """
        from ._spcs.names import read_identifier

        try:
            read_identifier(infrastructure_pid)
        except ValueError:
            return False
        return True

    def keeps_job(self, configuration: SPCSWorkerConfiguration) -> bool:
        """Whether the job stays after its end.

        Args:
            configuration: What the run asks for.
        """
        return configuration.keep_service

    async def teardown(self, *exc_info: Any) -> None:
        """Wait for the runs, stop looking after jobs, and end the sessions at Snowflake.

        Args:
            *exc_info: The exception that ends the worker, as `__aexit__` is given it.
        """
        try:
            await super().teardown(*exc_info)
        finally:
            with anyio.CancelScope(shield=True):
                for service in self.job_runs.services.values():
                    jobs: Any = service
                    await jobs.close()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: SPCSWorkerConfiguration,
        task_status: TaskStatus[Any] | None = None,
    ) -> SPCSWorkerResult:
        """Start the job of a flow run, and wait until it has ended.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for it.
            task_status: Told the job's identifier as soon as its container runs.

        Returns:
            The identifier, `DATABASE.SCHEMA.NAME`, and the exit code of the container. The identifier is empty when
            the run was cancelled before its container was started. A run that has not reported its end has been given
            a final state by then, unless the job succeeded: then its report is waited for in the background.

        Raises:
            SPCSJobFailed: If the compute pool cannot take the job.
            SPCSWaitTimeout: If it is not ready within `pool_start_timeout_seconds`, or the container not started
                within `service_start_timeout_seconds`.
            SnowflakeError: If Snowflake refuses, or does not answer. The message names the thing, the cause and the
                remedy.
            ValueError: If the configuration contradicts itself, or a key of the Prefect API would be sent in plain
                text.

        Nothing is left behind by a run that could not be started.
        """
        finished = await self.job_runs.run(flow_run, configuration, task_status)
        if configuration.keep_service and finished.identifier:
            service: Any = self.job_runs.service_of(configuration)
            await service.finish(finished.identifier)
        return SPCSWorkerResult(identifier=finished.identifier, status_code=finished.status_code)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: SPCSWorkerConfiguration, grace_seconds: int = 30
    ) -> None:
        """Drop a job, which ends its container.

        Args:
            infrastructure_pid: `DATABASE.SCHEMA.NAME`, or the job's name.
            configuration: Names the credentials.
            grace_seconds: Seconds that its end is waited for.

        Raises:
            InfrastructureNotFound: If there is no such job.
            SnowflakeError: If Snowflake refuses, or does not answer.
            ValueError: If the identifier names no job of Snowflake.
        """
        from ._spcs.jobs import located

        await self.job_runs.kill(infrastructure_pid, located(configuration, infrastructure_pid), grace_seconds)
