"""A block that submits a Batch job, and the run that it returns."""

from typing import Any

from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import BaseModel, ConfigDict, Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, retry

from ._batch_jobs import BatchJobs, submission
from ._batch_results import BatchJobResult
from ._remote_work import START_BACKOFF, Patience, await_end, persist, wait
from .credentials import AwsCredentials

_clock: Clock = SYSTEM_CLOCK


class BatchJobRun(BaseModel, JobRun[BatchJobResult]):
    """A job that was submitted to AWS Batch.

    Example:
        Wait for a job that was submitted elsewhere:

        ```python
        from prefect_aws.batch import BatchJobRun

        run = BatchJobRun(job_id="6f0c9d4e-8c7b-4c0f-9a5e-2d1b3c4d5e6f")
        run.wait_for_completion(timeout_seconds=3600)
        ```
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    job_id: str = Field(default=..., title="Batch Job ID", description="ID of the job.")
    aws_credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        title="AWS Credentials",
        description="Credentials to authenticate with.",
    )
    interval_seconds: float = Field(default=10.0, gt=0, description="Seconds between two looks at the job.")
    stream_logs: bool = Field(default=True, description="Whether the job's log lines go to the run logger.")
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether the job is terminated when the wait for it is cancelled, interrupted or out of time.",
    )

    def _jobs(self, *, streams_logs: bool) -> BatchJobs:
        return BatchJobs(self.aws_credentials, [self.job_id], streams_logs=streams_logs, clock=_clock)

    def _patience(self, timeout_seconds: float | None) -> Patience:
        return Patience(self.interval_seconds, timeout_seconds, self.stop_on_cancel, _clock)

    async def await_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Async form of `wait_for_completion`. Only the requests take a thread, not the time between them."""
        await await_end(self._jobs(streams_logs=self.stream_logs), self._patience(timeout_seconds))

    @async_dispatch(await_for_completion)
    def wait_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Wait until the job has succeeded.

        Args:
            timeout_seconds: Seconds after which to give up; `None` waits for ever.

        Raises:
            AwsJobFailed: If the job failed. It is a `RuntimeError` and names the job, the reason, and the exit code.
            AwsWaitTimeout: If the time was up. It is a `TimeoutError`.
            AwsNotFound: If Batch does not know the job.
        """
        wait(self._jobs(streams_logs=self.stream_logs), self._patience(timeout_seconds))

    def _fetch(self) -> BatchJobResult:
        jobs = self._jobs(streams_logs=False)
        persist(jobs.look, _clock)
        return jobs.seen()[0]

    async def afetch_result(self) -> BatchJobResult:
        """Async form of `fetch_result`."""
        return await run_sync_in_worker_thread(self._fetch)

    @async_dispatch(afetch_result)
    def fetch_result(self) -> BatchJobResult:
        """Ask for the job as it is now, whether it has ended or not.

        Returns:
            Its status, exit code, attempts and log stream. A failed job is no error here; `status` says so.

        Raises:
            AwsNotFound: If Batch does not know the job.
        """
        return self._fetch()


class BatchJob(QuickKey, JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block of its own
    """A job to submit to AWS Batch.

    Example:
        Submit a job and wait until it has succeeded:

        ```python
        from prefect import flow
        from prefect_aws.batch import BatchJob

        @flow
        def average_sensors():
            run = BatchJob.load("BLOCK_NAME").trigger()
            run.wait_for_completion()
            return run.fetch_result().exit_code
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "AWS Batch Job"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    job_name: str = Field(default=..., title="Job Name", description="Name of the jobs.")
    job_queue: str = Field(default=..., title="Job Queue", description="Name or ARN of the queue.")
    job_definition: str = Field(
        default=..., title="Job Definition", description="Name, name:revision or ARN of the job definition."
    )
    parameters: dict[str, str] | None = Field(
        default=None,
        description="Parameters that the job definition's command refers to. Batch shows them, so they are no place "
        "for secrets.",
    )
    submit_options: dict[str, Any] = Field(
        default_factory=dict,
        title="Submit Options",
        description="Further arguments of boto3's submit_job, such as containerOverrides or retryStrategy.",
    )
    aws_credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        title="AWS Credentials",
        description="Credentials to authenticate with.",
    )
    interval_seconds: float = Field(default=10.0, gt=0, description="Seconds between two looks at a job.")
    stream_logs: bool = Field(default=True, description="Whether a job's log lines go to the run logger.")
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether a job is terminated when the wait for it is cancelled, interrupted or out of time.",
    )

    def _submit(self) -> BatchJobRun:
        options = dict(self.submit_options)
        if self.parameters is not None:
            options["parameters"] = self.parameters
        request = submission(self.job_name, self.job_queue, self.job_definition, options)
        jobs = BatchJobs(self.aws_credentials, request=request, clock=_clock)
        retry(jobs.start, is_transient=jobs.may_start_again, backoff=START_BACKOFF, clock=_clock)
        return BatchJobRun(
            job_id=jobs.job_ids[0],
            aws_credentials=self.aws_credentials,
            interval_seconds=self.interval_seconds,
            stream_logs=self.stream_logs,
            stop_on_cancel=self.stop_on_cancel,
        )

    async def atrigger(self) -> BatchJobRun:
        """Async form of `trigger`."""
        return await run_sync_in_worker_thread(self._submit)

    @async_dispatch(atrigger)
    def trigger(self) -> BatchJobRun:
        """Submit the job, without waiting for it.

        Returns:
            The job's run, to wait for or to ask for its state. It can be pickled and used in another process.

        Raises:
            AwsInvalidRequest: If there is no such queue or definition, or an option is refused.
            AwsAccessDenied: If this identity may not submit to the queue.
        """
        return self._submit()
