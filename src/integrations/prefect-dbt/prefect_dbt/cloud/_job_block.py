"""The block of a dbt Cloud job, and its runs."""

from __future__ import annotations

from typing import Any, Literal

import httpx
from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.coroutines import run_to_end
from prefect_integration_kit.dispatch import async_dispatch

from ._failures import cloud_errors
from ._http import read_data
from ._links import announce
from ._opening import open_client
from ._watching import ENDED, Patience, Status, watch
from .credentials import DOCUMENTATION_URL, LOGO_URL, DbtCloudCredentials
from .exceptions import (
    DbtCloudGetRunArtifactFailed,
    DbtCloudGetRunFailed,
    DbtCloudJobRunIncomplete,
    DbtCloudListRunArtifactsFailed,
)
from .models import TriggerJobRunOptions


class DbtCloudJobRun(JobRun[dict[str, Any]]):
    """A run of a dbt Cloud job.

    Attributes:
        run_id: ID of the run.
    """

    def __init__(self, run_id: int, dbt_cloud_job: DbtCloudJob) -> None:
        """Stand for a run.

        Args:
            run_id: ID of the run.
            dbt_cloud_job: The job, which says how to wait.
        """
        self.run_id = run_id
        self._dbt_cloud_job = dbt_cloud_job

    def __repr__(self) -> str:
        return f"DbtCloudJobRun(run_id={self.run_id}, job_id={self._dbt_cloud_job.job_id})"

    @property
    def dbt_cloud_credentials(self) -> DbtCloudCredentials:
        """Who we are at dbt Cloud."""
        return self._dbt_cloud_job.dbt_cloud_credentials

    async def aget_run(self) -> dict[str, Any]:
        """Async form of `get_run`."""
        credentials = self.dbt_cloud_credentials
        subject = f"dbt Cloud run {self.run_id} could not be read"
        with cloud_errors(DbtCloudGetRunFailed, subject, credentials, run_id=self.run_id):
            async with open_client(credentials) as client:
                return await read_data(await client.get_run(self.run_id))

    @async_dispatch(aget_run)
    def get_run(self) -> dict[str, Any]:
        """Get what dbt Cloud says of the run.

        Returns:
            The run as the administrative API gives it.

        Raises:
            DbtCloudGetRunFailed: If it could not be had.
        """
        return run_to_end(self.aget_run())

    async def aget_status_code(self) -> int:
        """Async form of `get_status_code`."""
        return (await self.aget_run())["status"]

    @async_dispatch(aget_status_code)
    def get_status_code(self) -> int:
        """Get the status of the run.

        Returns:
            A code of `DbtCloudJobRunStatus`.

        Raises:
            DbtCloudGetRunFailed: If it could not be had.
        """
        return run_to_end(self.aget_status_code())

    async def await_for_completion(self) -> None:
        """Async form of `wait_for_completion`."""
        await self._watch()

    async def _watch(self) -> dict[str, Any]:
        async with open_client(self.dbt_cloud_credentials) as client:
            run = await watch(self.dbt_cloud_credentials, client, self.run_id, self._dbt_cloud_job.patience)
        if run["status"] != Status.SUCCESS:
            self.logger.error("dbt Cloud run %s ended as %s", self.run_id, Status(run["status"]).name)
        return run

    @async_dispatch(await_for_completion)
    def wait_for_completion(self) -> None:
        """Wait until the run has ended, with success or not: `fetch_result` raises if it was without.

        Raises:
            DbtCloudJobRunTimedOut: If it did not end within the job's `timeout_seconds`. The message says whether it
                goes on.
            DbtCloudGetRunFailed: If dbt Cloud refuses to show the run.
        """
        return run_to_end(self.await_for_completion())

    async def afetch_result(self, step: int | None = None) -> dict[str, Any]:
        """Async form of `fetch_result`."""
        from ._artifacts import artifact_paths
        from ._rounds import check_success

        credentials = self.dbt_cloud_credentials
        run = await self.aget_run()
        if run.get("status") not in ENDED:
            said = run.get("status_humanized") or run.get("status")
            raise DbtCloudJobRunIncomplete(
                f"dbt Cloud run {self.run_id} has not ended: its status is {said}. Call wait_for_completion() first."
            )
        async with open_client(credentials) as client:
            await check_success(credentials, client, {"id": self.run_id, **run})
            subject = f"The artifacts of dbt Cloud run {self.run_id} could not be listed"
            with cloud_errors(DbtCloudListRunArtifactsFailed, subject, credentials, run_id=self.run_id):
                try:
                    paths = await artifact_paths(client, self.run_id, step)
                except httpx.HTTPStatusError as exc:
                    if exc.response.status_code != 404:
                        raise
                    paths = []  # a run that made none
        return {**run, "artifact_paths": paths}

    @async_dispatch(afetch_result)
    def fetch_result(self, step: int | None = None) -> dict[str, Any]:
        """Get the run at its end; `wait_for_completion` comes first.

        Args:
            step: Index of the step whose artifacts are listed, beginning with 1; the last step by default.

        Returns:
            The run as the administrative API gives it, with the paths of its artifacts as `artifact_paths`.

        Raises:
            DbtCloudJobRunIncomplete: If the run has not ended.
            DbtCloudJobRunFailed: If it failed. The message names steps and nodes.
            DbtCloudJobRunCancelled: If it was cancelled.
            DbtCloudGetRunFailed: If dbt Cloud does not show the run.
            DbtCloudListRunArtifactsFailed: If its artifacts could not be listed.
        """
        return run_to_end(self.afetch_result(step))

    async def aget_run_artifacts(
        self, path: Literal["manifest.json", "catalog.json", "run_results.json"], step: int | None = None
    ) -> dict[str, Any] | str:
        """Async form of `get_run_artifacts`."""
        from ._artifacts import read_artifact

        credentials = self.dbt_cloud_credentials
        subject = f"The artifact {path} of dbt Cloud run {self.run_id} could not be read"
        with cloud_errors(DbtCloudGetRunArtifactFailed, subject, credentials, run_id=self.run_id):
            async with open_client(credentials) as client:
                return await read_artifact(client, self.run_id, path, step)

    @async_dispatch(aget_run_artifacts)
    def get_run_artifacts(
        self, path: Literal["manifest.json", "catalog.json", "run_results.json"], step: int | None = None
    ) -> dict[str, Any] | str:
        """Get an artifact of the run.

        Args:
            path: Path of the artifact.
            step: Index of the step, beginning with 1; the last step by default.

        Returns:
            The content: a dictionary if the artifact is a JSON file, text otherwise.

        Raises:
            DbtCloudGetRunArtifactFailed: If it could not be had.
        """
        return run_to_end(self.aget_run_artifacts(path, step))

    async def aretry_failed_steps(self) -> DbtCloudJobRun:
        """Async form of `retry_failed_steps`."""
        from ._rounds import retry_failed

        job = self._dbt_cloud_job
        run = await self.aget_run()
        status = run.get("status")
        if status not in ENDED:
            raise DbtCloudJobRunIncomplete(
                f"dbt Cloud run {self.run_id} has not ended, so nothing of it can be retried. Call "
                "wait_for_completion() first."
            )
        if status == Status.SUCCESS:
            self.logger.info("Nothing is to be retried: dbt Cloud run %s succeeded", self.run_id)
            return self
        credentials, options = self.dbt_cloud_credentials, job.trigger_job_run_options
        async with open_client(credentials) as client:
            new = await retry_failed(credentials, client, job.job_id, self.run_id, options)
        return DbtCloudJobRun(new["id"], job)

    @async_dispatch(aretry_failed_steps)
    def retry_failed_steps(self) -> DbtCloudJobRun:
        """Trigger a run of the steps and nodes that did not succeed, without waiting for it.

        Steps that execute nodes are narrowed to the nodes without success; other steps are run as they are, and so are
        those that never began.

        Returns:
            The new run; this one, if it succeeded.

        Raises:
            DbtCloudJobRunIncomplete: If the run has not ended.
            DbtCloudGetRunFailed: If it cannot be found out what failed.
            DbtCloudJobRunTriggerFailed: If the job could not be triggered.
        """
        return run_to_end(self.aretry_failed_steps())


class DbtCloudJob(QuickKey, JobBlock):  # pyright: ignore[reportMissingTypeArgument] - the base is generic for type checkers only
    """A job of dbt Cloud, and how to run it.

    Attributes:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        job_id: ID of the job.
        timeout_seconds: Seconds until which a run must have ended.
        interval_seconds: Seconds between two looks at a run.
        trigger_job_run_options: What runs do differently from the job.
        stop_on_cancel: Whether a run is cancelled when the wait for it is cancelled, interrupted or out of time.

    Example:
        Load a saved job:
        ```python
        from prefect_dbt.cloud import DbtCloudJob

        dbt_cloud_job = DbtCloudJob.load("BLOCK_NAME")
        ```

        Trigger the job, wait, and get the result:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob

        @flow
        def dbt_cloud_job_flow():
            dbt_cloud_job = DbtCloudJob(
                dbt_cloud_credentials=DbtCloudCredentials.load("BLOCK_NAME"), job_id=154217
            )
            dbt_cloud_job_run = dbt_cloud_job.trigger()
            dbt_cloud_job_run.wait_for_completion()
            return dbt_cloud_job_run.fetch_result()
        ```
    """

    _block_type_name = "dbt Cloud Job"
    _logo_url = LOGO_URL  # pyright: ignore[reportAssignmentType]
    _documentation_url = DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    dbt_cloud_credentials: DbtCloudCredentials = Field(description="Who we are at dbt Cloud.")
    job_id: int = Field(title="Job ID", description="ID of the job.")
    timeout_seconds: int = Field(default=900, description="Seconds until which a run must have ended.")
    interval_seconds: int = Field(default=10, description="Seconds between two looks at a run.")
    trigger_job_run_options: TriggerJobRunOptions = Field(
        default_factory=TriggerJobRunOptions, description="What runs do differently from the job."
    )
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether a run is cancelled when the wait for it is cancelled, interrupted or out of time.",
    )

    @property
    def patience(self) -> Patience:
        """How to wait for a run."""
        names = ("timeout_seconds", "interval_seconds")
        return Patience(self.timeout_seconds, self.interval_seconds, self.stop_on_cancel, names)

    async def aget_job(self, order_by: str | None = None) -> dict[str, Any]:
        """Async form of `get_job`."""
        from ._job_details import job_info

        return await job_info(self.dbt_cloud_credentials, self.job_id, order_by)

    @async_dispatch(aget_job)
    def get_job(self, order_by: str | None = None) -> dict[str, Any]:
        """Get what dbt Cloud says of the job.

        Args:
            order_by: Field to order the result by; `-` in front of it reverses the order.

        Returns:
            The job as the administrative API gives it.

        Raises:
            DbtCloudGetJobFailed: If it could not be had.
        """
        return run_to_end(self.aget_job(order_by))

    async def atrigger(self, trigger_job_run_options: TriggerJobRunOptions | None = None) -> DbtCloudJobRun:
        """Async form of `trigger`."""
        from ._triggering import trigger

        options = trigger_job_run_options or self.trigger_job_run_options
        async with open_client(self.dbt_cloud_credentials) as client:
            run = await trigger(client, self.job_id, options)
        await announce(self.dbt_cloud_credentials, run)
        return DbtCloudJobRun(run["id"], self)

    @async_dispatch(atrigger)
    def trigger(self, trigger_job_run_options: TriggerJobRunOptions | None = None) -> DbtCloudJobRun:
        """Trigger the job, without waiting for the run.

        The address of the run is logged, and kept as a link artifact of the Prefect run.

        Args:
            trigger_job_run_options: What the run does differently from the job, in place of the block's own options.

        Returns:
            The run.

        Raises:
            DbtCloudJobRunTriggerFailed: If it was refused, or nobody knows whether a run was started.
        """
        return run_to_end(self.atrigger(trigger_job_run_options))
