"""Run a job until it has succeeded: trigger, wait, and run again what failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import httpx

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import redact, secrets_in

from ._artifacts import artifact_paths
from ._links import announce, run_url
from ._resuming import current_attempt, last_run
from ._retrying import commands_to_retry, describe_failure, is_plain, read_run, retry_options
from ._triggering import retry_in_cloud, trigger, watched_start
from ._watching import ENDED, Patience, Status, watch
from .exceptions import DbtCloudGetRunFailed, DbtCloudJobRunCancelled, DbtCloudJobRunFailed, DbtCloudJobRunTriggerFailed

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient
    from .credentials import DbtCloudCredentials
    from .models import TriggerJobRunOptions

RetryMode = Literal["failed", "full"]
"""What a retry by Prefect does after a run that failed: what failed, or all."""

Run = dict[str, Any]


@dataclass
class Rounds:
    """Runs of a job, each of what the one before left undone.

    Attributes:
        credentials: Who we are at dbt Cloud.
        client: Makes the requests; it is open.
        job_id: The job.
        options: What runs do differently from the job.
        patience: How long to wait for each run.
        retries: How often what failed is run again.
        retry_mode: What a retry by Prefect does.
        start: Triggers the job the first time, and says so.
        on_end: Told of each run that ended.
    """

    credentials: DbtCloudCredentials
    client: DbtCloudAdministrativeClient
    job_id: int
    options: TriggerJobRunOptions | None
    patience: Patience
    retries: int
    retry_mode: RetryMode
    start: Callable[[], Awaitable[Run]]
    on_end: Callable[[Run], Awaitable[None]] | None = None

    async def play(self) -> Run:
        """Run the job.

        Returns:
            The last run, with the paths of its artifacts.

        Raises:
            DbtCloudJobRunFailed: If nodes or steps failed in the last round, too.
            DbtCloudJobRunCancelled: If somebody cancelled a run.
            RuntimeError: If a run ended in a way that is not known.
        """
        self.patience.check()
        if self.retries < 0:
            raise ValueError(f"The number of retries is {self.retries}; it must not be negative.")
        attempt = current_attempt(self.client, self.job_id)
        async with watched_start(self.client, stops=self.patience.stop_on_cancel):
            run = None
            if attempt is not None and attempt.is_retry and self.retry_mode == "failed":
                run = await self._resumed(attempt)
            if run is None:
                run = await self.start()
        left = self.retries
        while True:
            if attempt is not None:
                attempt.uses(run["id"])
            run = await watch(self.credentials, self.client, run["id"], self.patience)
            if self.on_end is not None:
                await self.on_end(run)
            if run["status"] != Status.FAILED or left == 0:
                break
            left -= 1
            run_logger(__name__).warning(
                "dbt Cloud run %s failed; running again what failed (%s more %s): %s",
                run["id"],
                left,
                "try" if left == 1 else "tries",
                run_url(self.credentials, run),
            )
            async with watched_start(self.client, stops=self.patience.stop_on_cancel):
                run = await self._narrowed(run["id"])
        await self.check(run)
        return await with_artifact_paths(self.client, run)

    async def check(self, run: Run) -> None:
        """Raise what the status of a run that ended says, if it is not success."""
        await check_success(self.credentials, self.client, run)

    async def _narrowed(self, run_id: int) -> Run:
        return await retry_failed(self.credentials, self.client, self.job_id, run_id, self.options)

    async def _resumed(self, attempt: Any) -> Run | None:
        """Go on with the run of the attempt before, or run what failed in it; `None` if all must run."""
        logger = run_logger(__name__)
        try:
            before = await last_run(self.client, self.job_id, attempt)
        except httpx.HTTPError as exc:
            said = self.client.explain(exc)
            if isinstance(exc, httpx.HTTPStatusError) and exc.response.status_code == 404:
                logger.warning("The dbt Cloud run of the attempt before is gone, so all is run: %s", said)
                return None
            raise DbtCloudGetRunFailed(f"The dbt Cloud run of the attempt before cannot be read: {said}") from exc
        if before is None or before.get("status") == Status.SUCCESS:
            return None
        if before.get("status") not in ENDED:
            await announce(self.credentials, before, "Waiting for")
            return before
        if before["status"] == Status.FAILED and is_plain(self.options):
            run = await retry_in_cloud(self.client, self.job_id, before["id"])
            if run is not None:
                await announce(self.credentials, run, "Retrying from where it failed as")
                return run
        return await self._narrowed(before["id"])


async def retry_failed(
    credentials: DbtCloudCredentials,
    client: DbtCloudAdministrativeClient,
    job_id: int | None,
    run_id: int,
    options: TriggerJobRunOptions | None,
) -> Run:
    """Trigger a run of what did not succeed in another.

    Args:
        credentials: Who we are at dbt Cloud.
        client: Makes the requests; it is open.
        job_id: The job; that of the run by default.
        run_id: The run that failed.
        options: What the new run does differently from the job; its steps are replaced.

    Raises:
        DbtCloudGetRunFailed: If it cannot be found out what failed.
        DbtCloudJobRunTriggerFailed: If the run cannot be triggered.
    """
    try:
        before = await read_run(client, run_id)
        commands = await commands_to_retry(client, before)
    except httpx.HTTPError as exc:
        said = client.explain(exc)
        raise DbtCloudGetRunFailed(f"What failed in dbt Cloud run {run_id} could not be read: {said}") from exc
    job = job_id if job_id is not None else before.get("job_definition_id") or before.get("job_id")
    if not isinstance(job, int):
        raise DbtCloudJobRunTriggerFailed(f"dbt Cloud run {run_id} does not say which job it is of.")
    run_logger(__name__).info("To be run again: %s", "; ".join(commands) if commands else "all of the job")
    run = await trigger(client, job, retry_options(options, commands))
    await announce(credentials, run)
    return run


async def check_success(credentials: DbtCloudCredentials, client: DbtCloudAdministrativeClient, run: Run) -> None:
    """Raise what the status of a run that ended says, if it is not success.

    Raises:
        DbtCloudJobRunFailed: If it failed; the message names the steps and nodes.
        DbtCloudJobRunCancelled: If it was cancelled.
        RuntimeError: If it ended in a way that is not known.
    """
    status, url = run.get("status"), run_url(credentials, run)
    if status == Status.SUCCESS:
        return
    if status == Status.CANCELLED:
        error: Exception = DbtCloudJobRunCancelled(f"dbt Cloud run {run['id']} was cancelled. {url}")
    elif status == Status.FAILED:
        try:
            said = await describe_failure(client, await read_run(client, run["id"]))
        except Exception as exc:  # noqa: BLE001 - that it failed is known, and must be said
            run_logger(__name__).debug("Why dbt Cloud run %s failed could not be read: %s", run["id"], exc)
            said = str(run.get("status_message") or "")
        said = redact(said, secrets_in(credentials))
        error = DbtCloudJobRunFailed(f"dbt Cloud run {run['id']} failed{f': {said}' if said else ''}. {url}")
    else:
        raise RuntimeError(f"dbt Cloud run {run['id']} ended in an unexpected state: {status}. {url}")
    error.run_id, error.run_url = run["id"], url
    raise error


async def with_artifact_paths(client: DbtCloudAdministrativeClient, run: Run) -> Run:
    """Add the paths of a run's artifacts as `artifact_paths`; none if they cannot be listed."""
    try:
        paths = await artifact_paths(client, run["id"])
    except Exception as exc:  # noqa: BLE001 - the run has succeeded, which is what counts
        run_logger(__name__).warning("The artifacts of dbt Cloud run %s could not be listed: %s", run["id"], exc)
        paths = []
    return {**run, "artifact_paths": paths}
