"""Container Apps jobs that exist: tasks that run them and wait, and a job block.

To run flows as Container Apps jobs, use a work pool of type `azure-container-app-job`; this module runs jobs that are
deployed already.

Examples:
    Run a job and go on when it has succeeded:

    ```python
    from prefect import flow
    from prefect_azure import AzureContainerInstanceCredentials
    from prefect_azure.container_apps import container_app_job_run_and_wait

    @flow
    def average_sensors(day: str) -> int:
        execution = container_app_job_run_and_wait(
            "average-sensors",
            resource_group_name="sensors",
            subscription_id="00000000-0000-0000-0000-000000000000",
            credentials=AzureContainerInstanceCredentials.load("BLOCK_NAME"),
            args=["--day", day],
            timeout_seconds=3600,
        )
        return execution.exit_code
    ```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.blocks.abstract import JobBlock, JobRun
from prefect.tasks import task
from pydantic import BaseModel, ConfigDict, Field, field_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, sync_task
from prefect_integration_kit.remote_work import START_BACKOFF, Patience, arun, await_end, run, wait
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, aretry, retry

from ._apps.executions import FAILURES, ContainerAppExecutionResult, ExecutionRequest, ExecutionWork
from ._apps.names import job_id_in
from ._workers.calls import in_thread
from .credentials import AzureContainerInstanceCredentials

__all__ = [
    "ContainerAppExecutionResult",
    "ContainerAppJob",
    "ContainerAppJobRun",
    "acontainer_app_job_run",
    "acontainer_app_job_run_and_wait",
    "container_app_job_run",
    "container_app_job_run_and_wait",
]

_clock: Clock = SYSTEM_CLOCK


def _started(work: ExecutionWork) -> str:
    """Start work; again for a minute while that fails for a passing reason."""
    retry(work.start, is_transient=work.may_start_again, backoff=START_BACKOFF, clock=_clock)
    return work.id


def _describe(
    job_name: str,
    resource_group_name: str,
    subscription_id: str,
    credentials: AzureContainerInstanceCredentials,
    args: Sequence[str] | None,
    env: Mapping[str, str] | None,
    command: Sequence[str] | None,
    image: str | None,
    cpu: float | None,
    memory: str | None,
    container: str | None,
    *,
    is_block: bool = False,
) -> ExecutionWork:
    request = ExecutionRequest.make(
        subscription_id,
        resource_group_name,
        job_name,
        command=command,
        args=args,
        env=env,
        image=image,
        cpu=cpu,
        memory=memory,
        container=container,
        is_block=is_block,
    )
    return ExecutionWork(credentials, request)


async def _astarted(work: ExecutionWork) -> str:
    """Async form of `_started`: no thread waits between two tries."""
    await aretry(lambda: in_thread(work.start), is_transient=work.may_start_again, backoff=START_BACKOFF, clock=_clock)
    return work.id


@task
async def acontainer_app_job_run(
    job_name: str,
    resource_group_name: str,
    subscription_id: str,
    credentials: AzureContainerInstanceCredentials,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    image: str | None = None,
    cpu: float | None = None,
    memory: str | None = None,
    container: str | None = None,
) -> str:
    """Async form of `container_app_job_run`."""
    work = _describe(
        job_name,
        resource_group_name,
        subscription_id,
        credentials,
        args,
        env,
        command,
        image,
        cpu,
        memory,
        container,
    )
    return await _astarted(work)


@sync_task(acontainer_app_job_run)
def container_app_job_run(
    job_name: str,
    resource_group_name: str,
    subscription_id: str,
    credentials: AzureContainerInstanceCredentials,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    image: str | None = None,
    cpu: float | None = None,
    memory: str | None = None,
    container: str | None = None,
) -> str:
    """Run a job that exists, without waiting for it.

    Executions are recognised by an environment variable, so that a lost answer or a retry of the task does not start
    another one while the first runs or when it has succeeded. A job that mounts volumes, and is run as it is, has no
    such variable: a lost answer is found among its new executions, and a retry of the task starts another one.

    Args:
        job_name: Name of the job.
        resource_group_name: Resource group that it is in.
        subscription_id: Subscription that it is in.
        credentials: Who we are at Azure.
        args: Arguments of the container in place of the job's own.
        env: Environment variables in addition to the job's own, or in their place. Azure shows them, so they are no
            place for secrets.
        command: Entry point of the container in place of the job's own.
        image: Image of the container in place of the job's own.
        cpu: Cores in place of the job's own.
        memory: Memory in place of the job's own, such as `2Gi`; two gibibytes for each core where only `cpu` is given.
        container: Name of the container that all this is for, in a job with several; the first one when not given.

    Returns:
        Resource ID of the execution.

    Raises:
        AzureNotFound: If there is no such job.
        AzureInvalidRequest: If an argument is refused.
        AzureAccessDenied: If this identity may not start the job.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureContainerInstanceCredentials
        from prefect_azure.container_apps import container_app_job_run

        @flow
        def average_sensors(day: str) -> str:
            return container_app_job_run(
                "average-sensors",
                resource_group_name="sensors",
                subscription_id="00000000-0000-0000-0000-000000000000",
                credentials=AzureContainerInstanceCredentials.load("BLOCK_NAME"),
                env={"DAY": day},
            )
        ```
    """
    return _started(
        _describe(
            job_name,
            resource_group_name,
            subscription_id,
            credentials,
            args,
            env,
            command,
            image,
            cpu,
            memory,
            container,
        )
    )


@task
async def acontainer_app_job_run_and_wait(
    job_name: str,
    resource_group_name: str,
    subscription_id: str,
    credentials: AzureContainerInstanceCredentials,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    image: str | None = None,
    cpu: float | None = None,
    memory: str | None = None,
    container: str | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> ContainerAppExecutionResult:
    """Async form of `container_app_job_run_and_wait`. Only the requests take a thread, not the time between them."""
    work = _describe(
        job_name,
        resource_group_name,
        subscription_id,
        credentials,
        args,
        env,
        command,
        image,
        cpu,
        memory,
        container,
    )
    return await arun(work, Patience(interval_seconds, timeout_seconds, clock=_clock))


@sync_task(acontainer_app_job_run_and_wait)
def container_app_job_run_and_wait(
    job_name: str,
    resource_group_name: str,
    subscription_id: str,
    credentials: AzureContainerInstanceCredentials,
    args: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    image: str | None = None,
    cpu: float | None = None,
    memory: str | None = None,
    container: str | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> ContainerAppExecutionResult:
    """Run a job that exists, and wait until it has succeeded.

    When the wait is cancelled, interrupted or out of time, the execution is stopped. Looks that fail for a passing
    reason are repeated for ten minutes. Lost answers and retries of the task: see `container_app_job_run`.

    Args:
        job_name: Name of the job.
        resource_group_name: Resource group that it is in.
        subscription_id: Subscription that it is in.
        credentials: Who we are at Azure.
        args: Arguments of the container in place of the job's own.
        env: Environment variables in addition to the job's own, or in their place. Azure shows them, so they are no
            place for secrets.
        command: Entry point of the container in place of the job's own.
        image: Image of the container in place of the job's own.
        cpu: Cores in place of the job's own.
        memory: Memory in place of the job's own, such as `2Gi`; two gibibytes for each core where only `cpu` is given.
        container: Name of the container that all this is for, in a job with several; the first one when not given.
        interval_seconds: Seconds between two looks at the execution.
        timeout_seconds: Seconds after which to give up; `None` waits for ever.

    Returns:
        The execution at its end.

    Raises:
        AzureJobFailed: If the execution failed or was stopped. It is a `RuntimeError` and names the execution, the
            exit code and the reason.
        AzureWaitTimeout: If the time was up. It is a `TimeoutError`.
        AzureNotFound: If there is no such job.
        AzureInvalidRequest: If an argument is refused.
        AzureAccessDenied: If this identity may not start the job.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureContainerInstanceCredentials
        from prefect_azure.container_apps import container_app_job_run_and_wait

        @flow
        def average_sensors(day: str) -> str:
            execution = container_app_job_run_and_wait(
                "average-sensors",
                resource_group_name="sensors",
                subscription_id="00000000-0000-0000-0000-000000000000",
                credentials=AzureContainerInstanceCredentials.load("BLOCK_NAME"),
                args=["--day", day],
            )
            return execution.state
        ```
    """
    work = _describe(
        job_name,
        resource_group_name,
        subscription_id,
        credentials,
        args,
        env,
        command,
        image,
        cpu,
        memory,
        container,
    )
    return run(work, Patience(interval_seconds, timeout_seconds, clock=_clock))


class _Waiting(BaseModel):
    """Who waits for an execution, and how."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    credentials: AzureContainerInstanceCredentials = Field(
        default_factory=AzureContainerInstanceCredentials, title="Azure Credentials", description="Who we are at Azure."
    )
    interval_seconds: float = Field(default=10.0, gt=0, description="Seconds between two looks at the execution.")
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether the execution is stopped when the wait for it is cancelled, interrupted or out of time.",
    )


class ContainerAppJobRun(_Waiting, JobRun[ContainerAppExecutionResult]):
    """An execution of a Container Apps job.

    Example:
        Wait for an execution that was started elsewhere:

        ```python
        from prefect_azure.container_apps import ContainerAppJobRun

        run = ContainerAppJobRun(
            id="/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sensors/providers/Microsoft.App/"
            "jobs/average-sensors/executions/average-sensors-x7f2k"
        )
        run.wait_for_completion(timeout_seconds=3600)
        ```
    """

    id: str = Field(description="Resource ID of the execution.")

    @field_validator("id")
    @classmethod
    def _is_an_execution(cls, value: str) -> str:
        if not job_id_in(value).execution:
            raise ValueError(f"{value!r} names a job, and no execution of it; append '/executions/{{name}}'.")
        return value

    def _work(self) -> ExecutionWork:
        job = job_id_in(self.id)
        return ExecutionWork(self.credentials, job=job, name=job.execution)

    def _patience(self, timeout_seconds: float | None) -> Patience:
        return Patience(self.interval_seconds, timeout_seconds, self.stop_on_cancel, _clock)

    async def await_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Async form of `wait_for_completion`. Only the requests take a thread, not the time between them."""
        await await_end(self._work(), self._patience(timeout_seconds))

    @async_dispatch(await_for_completion)
    def wait_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Wait until the execution has succeeded.

        Args:
            timeout_seconds: Seconds after which to give up; `None` waits for ever.

        Raises:
            AzureJobFailed: If it failed or was stopped. It is a `RuntimeError`, and names the execution and the cause.
            AzureWaitTimeout: If the time was up. It is a `TimeoutError`.
            AzureNotFound: If there is no such execution.
        """
        wait(self._work(), self._patience(timeout_seconds))

    def _look(self) -> ExecutionWork:
        work = self._work()
        FAILURES.persist(work.look, _clock)
        return work

    def _fetch(self) -> ContainerAppExecutionResult:
        return self._look().seen()

    async def afetch_result(self) -> ContainerAppExecutionResult:
        """Async form of `fetch_result`."""
        return await in_thread(self._fetch)

    @async_dispatch(afetch_result)
    def fetch_result(self) -> ContainerAppExecutionResult:
        """Ask for the execution as it is now, whether it has ended or not.

        Returns:
            Its state and what is known of it. A failed execution is no error here; `state` says so.

        Raises:
            AzureNotFound: If there is no such execution.
        """
        return self._fetch()

    def _cancel(self) -> None:
        work = self._look()
        if work.is_started:
            FAILURES.persist(lambda: work.stop("It was cancelled."), _clock)

    async def acancel(self) -> None:
        """Async form of `cancel`."""
        await in_thread(self._cancel)

    @async_dispatch(acancel)
    def cancel(self) -> None:
        """Ask Azure to stop the execution; one that has ended stays as it is.

        Raises:
            AzureNotFound: If there is no such execution.
            AzureAccessDenied: If this identity may not stop it.
        """
        self._cancel()


class ContainerAppJob(QuickKey, _Waiting, JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block of its own
    """A Container Apps job that exists, to be run.

    Example:
        Run the job and wait until it has succeeded:

        ```python
        from prefect import flow
        from prefect_azure.container_apps import ContainerAppJob

        @flow
        def average_sensors():
            run = ContainerAppJob.load("BLOCK_NAME").trigger()
            run.wait_for_completion()
            return run.fetch_result().state
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Azure Container Apps Job"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-azure"  # pyright: ignore[reportAssignmentType]

    job_name: str = Field(title="Job Name", description="Name of the job.")
    resource_group_name: str = Field(
        title="Azure Resource Group Name", description="Resource group that the job is in."
    )
    subscription_id: str = Field(title="Azure Subscription ID", description="Subscription that the job is in.")
    args: list[str] | None = Field(default=None, description="Arguments of the container in place of the job's own.")
    env: dict[str, str] = Field(
        default_factory=dict,
        title="Environment Variables",
        description="Environment variables in addition to the job's own, or in their place. Azure shows them, so they "
        "are no place for secrets.",
    )
    command: list[str] | None = Field(
        default=None, description="Entry point of the container in place of the job's own."
    )
    image: str | None = Field(default=None, description="Image of the container in place of the job's own.")
    cpu: float | None = Field(default=None, gt=0, title="CPU", description="Cores in place of the job's own.")
    memory: str | None = Field(default=None, description="Memory in place of the job's own, such as 2Gi.")
    container: str | None = Field(
        default=None,
        description="Name of the container that the overrides are for, in a job with several; the first one when not "
        "given.",
    )

    def _describe(self) -> ExecutionWork:
        return _describe(
            self.job_name,
            self.resource_group_name,
            self.subscription_id,
            self.credentials,
            self.args,
            self.env,
            self.command,
            self.image,
            self.cpu,
            self.memory,
            self.container,
            is_block=True,
        )

    def _run_of(self, execution_id: str) -> ContainerAppJobRun:
        fields: dict[str, Any] = {
            "credentials": self.credentials,
            "interval_seconds": self.interval_seconds,
            "stop_on_cancel": self.stop_on_cancel,
        }
        return ContainerAppJobRun(id=execution_id, **fields)

    async def atrigger(self) -> ContainerAppJobRun:
        """Async form of `trigger`."""
        return self._run_of(await _astarted(self._describe()))

    @async_dispatch(atrigger)
    def trigger(self) -> ContainerAppJobRun:
        """Start the job, without waiting for it.

        In a task, a retry takes over what an earlier try has started, unless that has failed.

        Returns:
            The job's run, to wait for, to ask for its state, or to cancel. It can be pickled and used in another
            process.

        Raises:
            AzureInvalidRequest: If a field is not one, or is refused.
            AzureNotFound: If there is no such job.
            AzureAccessDenied: If this identity may not start the job.
        """
        return self._run_of(_started(self._describe()))
