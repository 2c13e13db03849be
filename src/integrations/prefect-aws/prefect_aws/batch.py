"""AWS Batch: tasks that submit jobs and wait for them, and a job block.

Examples:
    Submit a job, follow its log, and go on when it has succeeded:

    ```python
    from prefect import flow
    from prefect_aws import AwsCredentials
    from prefect_aws.batch import batch_submit_and_wait

    @flow
    def average_sensors(day: str) -> None:
        batch_submit_and_wait(
            f"sensors-{day}",
            job_queue="nightly",
            job_definition="sensor-averages:4",
            aws_credentials=AwsCredentials.load("BLOCK_NAME"),
            timeout_seconds=3600,
            parameters={"day": day},
        )
    ```
"""

from collections.abc import Sequence
from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._batch_block import BatchJob, BatchJobRun
from ._batch_jobs import BatchJobs, submission, submit
from ._batch_results import BatchAttempt, BatchJobResult
from ._remote_work import Patience, arun, await_end, run, start_once, wait
from .credentials import AwsCredentials

__all__ = [
    "BatchAttempt",
    "BatchJob",
    "BatchJobResult",
    "BatchJobRun",
    "abatch_submit",
    "abatch_submit_and_wait",
    "abatch_wait",
    "batch_submit",
    "batch_submit_and_wait",
    "batch_wait",
]

_clock: Clock = SYSTEM_CLOCK


def _submit(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    options: dict[str, Any],
) -> str:
    request = submission(job_name, job_queue, job_definition, options)
    return start_once(lambda: submit(aws_credentials, request), _clock)


@task
async def abatch_submit(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    **batch_kwargs: Any,
) -> str:
    """Async form of `batch_submit`."""
    return await run_sync_in_worker_thread(_submit, job_name, job_queue, job_definition, aws_credentials, batch_kwargs)


@sync_task(abatch_submit)
def batch_submit(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    **batch_kwargs: Any,
) -> str:
    """Submit a job to AWS Batch, without waiting for it.

    Batch has no way to tell a repeated request, so each run of this task, retries included, submits a job.

    Args:
        job_name: Name of the job.
        job_queue: Name or ARN of the queue.
        job_definition: Name, `name:revision` or ARN of the job definition.
        aws_credentials: Who we are at AWS.
        batch_kwargs: Further arguments of boto3's
            [`submit_job`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/batch/client/submit_job.html).

    Returns:
        ID of the job.

    Raises:
        AwsInvalidRequest: If there is no such queue or definition, or an argument is refused.
        AwsAccessDenied: If this identity may not submit to the queue.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.batch import batch_submit

        @flow
        def average_sensors(day: str) -> str:
            return batch_submit(
                f"sensors-{day}",
                job_queue="nightly",
                job_definition="sensor-averages:4",
                aws_credentials=AwsCredentials.load("BLOCK_NAME"),
                parameters={"day": day},
            )
        ```
    """
    return _submit(job_name, job_queue, job_definition, aws_credentials, batch_kwargs)


def _job(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    stream_logs: bool,
    options: dict[str, Any],
) -> BatchJobs:
    request = submission(job_name, job_queue, job_definition, options)
    return BatchJobs(aws_credentials, request=request, streams_logs=stream_logs, clock=_clock)


@task
async def abatch_submit_and_wait(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
    stream_logs: bool = True,
    **batch_kwargs: Any,
) -> BatchJobResult:
    """Async form of `batch_submit_and_wait`. Only the requests take a thread, not the time between them."""
    job = _job(job_name, job_queue, job_definition, aws_credentials, stream_logs, batch_kwargs)
    return (await arun(job, Patience(interval_seconds, timeout_seconds, clock=_clock)))[0]


@sync_task(abatch_submit_and_wait)
def batch_submit_and_wait(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
    stream_logs: bool = True,
    **batch_kwargs: Any,
) -> BatchJobResult:
    """Submit a job to AWS Batch and wait until it has succeeded.

    When the wait is cancelled, interrupted or out of time, the job is terminated. Looks that fail for a passing reason
    (throttling, lost connections, errors on Batch's side) are repeated for ten minutes. Each run of this task, retries
    included, submits a job, since Batch has no way to tell a repeated request: for jobs that should be tried again,
    Batch's own `retryStrategy` is the better way.

    Of an array job the states of its children are logged, and a failure names the first children that failed; their
    log lines are not shown. Of a multi-node job the main node's exit code and log count.

    Args:
        job_name: Name of the job.
        job_queue: Name or ARN of the queue.
        job_definition: Name, `name:revision` or ARN of the job definition.
        aws_credentials: Who we are at AWS.
        interval_seconds: Seconds between two looks at the job.
        timeout_seconds: Seconds after which to give up, the time in the queue included; `None` waits for ever. The
            time that an attempt may run is limited by Batch's own `timeout`.
        stream_logs: Whether what the job writes to CloudWatch goes to the run logger, up to 10,000 lines for each
            attempt. It needs the permission `logs:GetLogEvents`; without it a warning is logged once.
        batch_kwargs: Further arguments of boto3's
            [`submit_job`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/batch/client/submit_job.html).

    Returns:
        The job at its end: its ID, exit code, attempts and log stream.

    Raises:
        AwsJobFailed: If the job failed. It is a `RuntimeError` and names the job, the reason, and the exit code.
        AwsWaitTimeout: If the time was up. It is a `TimeoutError`.
        AwsInvalidRequest: If there is no such queue or definition, or an argument is refused.
        AwsAccessDenied: If this identity may not submit to the queue, or not describe jobs.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.batch import batch_submit_and_wait

        @flow
        def average_sensors(day: str) -> int | None:
            job = batch_submit_and_wait(
                f"sensors-{day}",
                job_queue="nightly",
                job_definition="sensor-averages:4",
                aws_credentials=AwsCredentials.load("BLOCK_NAME"),
                timeout_seconds=3600,
                retryStrategy={"attempts": 2},
            )
            return job.exit_code
        ```
    """
    job = _job(job_name, job_queue, job_definition, aws_credentials, stream_logs, batch_kwargs)
    return run(job, Patience(interval_seconds, timeout_seconds, clock=_clock))[0]


@task
async def abatch_wait(
    job_ids: Sequence[str],
    aws_credentials: AwsCredentials,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
    stream_logs: bool = False,
    stop_on_cancel: bool = True,
) -> list[BatchJobResult]:
    """Async form of `batch_wait`. Only the requests take a thread, not the time between them."""
    jobs = BatchJobs(aws_credentials, job_ids, streams_logs=stream_logs, clock=_clock)
    if not jobs.job_ids:
        return []
    return await await_end(jobs, Patience(interval_seconds, timeout_seconds, stop_on_cancel, _clock))


@sync_task(abatch_wait)
def batch_wait(
    job_ids: Sequence[str],
    aws_credentials: AwsCredentials,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
    stream_logs: bool = False,
    stop_on_cancel: bool = True,
) -> list[BatchJobResult]:
    """Wait until all of some Batch jobs have succeeded, with one request for each hundred of them at a time.

    Args:
        job_ids: IDs of the jobs, as `batch_submit` returns them.
        aws_credentials: Who we are at AWS.
        interval_seconds: Seconds between two looks at all jobs.
        timeout_seconds: Seconds after which to give up; `None` waits for ever.
        stream_logs: Whether what the jobs write to CloudWatch goes to the run logger, each line with the job's ID.
        stop_on_cancel: Whether the jobs that have not ended are terminated when the wait for them is cancelled,
            interrupted or out of time.

    Returns:
        The jobs at their end, in the order of `job_ids`, each once.

    Raises:
        AwsJobFailed: If jobs failed. It is raised when all have ended, is a `RuntimeError`, and names the first five.
        AwsWaitTimeout: If the time was up. It is a `TimeoutError`.
        AwsNotFound: If Batch does not know one of the jobs.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.batch import batch_submit, batch_wait

        @flow
        def average_sensors(days: list[str]) -> None:
            credentials = AwsCredentials.load("BLOCK_NAME")
            job_ids = [
                batch_submit(f"sensors-{day}", "nightly", "sensor-averages:4", credentials, parameters={"day": day})
                for day in days
            ]
            batch_wait(job_ids, credentials)
        ```
    """
    jobs = BatchJobs(aws_credentials, job_ids, streams_logs=stream_logs, clock=_clock)
    if not jobs.job_ids:
        return []
    return wait(jobs, Patience(interval_seconds, timeout_seconds, stop_on_cancel, _clock))
