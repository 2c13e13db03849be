"""AWS Glue: a block that starts a job, and the run that it returns."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import BaseModel, ConfigDict, Field

from prefect_integration_kit.awaitables import Awaitable, AwaitableStr
from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.sdk_errors import combined
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, apoll, poll

from ._clients import client_for
from ._remote_work import ASK_ONCE, perhaps_done, start_once
from .credentials import AwsCredentials
from .errors import (
    AwsConnectionFailed,
    AwsError,
    AwsJobFailed,
    AwsThrottled,
    AwsUnavailable,
    AwsWaitTimeout,
    aws_errors,
)

# https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
_SUCCEEDED = "SUCCEEDED"
_FAILED = frozenset({"STOPPED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"})

_clock: Clock = SYSTEM_CLOCK


class _Polling(TypedDict):
    subject: str
    interval_seconds: float
    timeout_seconds: float | None
    clock: Clock


class GlueJobRun(BaseModel, JobRun[str]):
    """A run of a Glue job.

    Example:
        Wait for a run that was started elsewhere:

        ```python
        from prefect_aws.glue_job import GlueJobRun

        run = GlueJobRun(job_name="nightly", job_id="jr_0123456789abcdef")
        run.wait_for_completion()
        ```
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    job_name: str = Field(default=..., title="AWS Glue Job Name", description="Name of the job definition.")
    job_id: str = Field(default=..., title="AWS Glue Job ID", description="ID of the job run.")
    job_watch_poll_interval: float = Field(default=60.0, description="Seconds between two looks at the run's state.")
    aws_credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        title="AWS Credentials",
        description="Credentials to authenticate with.",
    )
    client: Any = Field(default=None, description="A boto3 client of Glue to use instead of the credentials' own.")
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether the run is stopped when the wait for it is cancelled or interrupted; a run that nobody "
        "waits for costs money.",
    )

    @property
    def _subject(self) -> str:
        return f"Glue job {self.job_name!r}, run {self.job_id}"

    def _client(self) -> Any:
        return self.client if self.client is not None else self.aws_credentials.get_client("glue")

    def _run(self) -> dict[str, Any]:
        client = self._client()
        with aws_errors(self._subject):
            return client.get_job_run(JobName=self.job_name, RunId=self.job_id)["JobRun"]

    def _fetch(self) -> str:
        return str(self._run()["JobRunState"])

    async def afetch_result(self) -> str:
        """Async form of `fetch_result`."""
        return await run_sync_in_worker_thread(self._fetch)

    @async_dispatch(afetch_result)
    def fetch_result(self) -> str:
        """Ask for the state of the run.

        Returns:
            One of Glue's
            [states](https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html), such as `RUNNING` or
            `SUCCEEDED`.

        Raises:
            AwsNotFound: If there is no such run.
        """
        return AwaitableStr(self._fetch())

    def _looks(self) -> Callable[[], str | None]:
        """One look at a time: the final state when there is one, an error when it is not success."""
        was_reached = False

        def look() -> str | None:
            nonlocal was_reached
            try:
                run = self._run()
            except (AwsConnectionFailed, AwsThrottled, AwsUnavailable) as exc:
                if not was_reached:
                    raise
                self.logger.warning("Could not look at %s, will look again: %s", self._subject, exc)
                return None
            was_reached = True
            return self._judge(run)

        return look

    def _judge(self, run: Mapping[str, Any]) -> str | None:
        state = str(run["JobRunState"])
        if state in _FAILED:
            why = str(run.get("ErrorMessage") or "Glue gives no reason.")
            raise AwsJobFailed(f"{self._subject} ended as {state}: {why}", subject=self._subject, code=state)
        if state != _SUCCEEDED:
            self.logger.debug("%s is %s", self._subject, state)
            return None
        self.logger.info("%s succeeded", self._subject)
        return state

    def wait_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Wait until the run has succeeded, blocking the thread; `await_for_completion` does not block.

        Looks that fail for a passing reason (throttling, lost connections, errors on Glue's side) are repeated, but
        the first one must get through.

        Args:
            timeout_seconds: Seconds after which to give up; the run then goes on. `None` waits for ever.

        Raises:
            AwsJobFailed: If the run was stopped, failed, expired or ran out of time. It is a `RuntimeError` and names
                the job, the run and its state.
            AwsWaitTimeout: If the time is up. It is a `TimeoutError`.
            AwsError: If Glue does not tell the state.
        """
        try:
            poll(self._looks(), **self._polling(timeout_seconds))
        except WaitTimeout as exc:
            raise self._timed_out(exc) from exc
        except Exception:
            raise
        except BaseException:  # interrupted or cancelled
            if self.stop_on_cancel:
                self._stop()
            raise

    async def await_for_completion(self, timeout_seconds: float | None = None) -> None:
        """Async form of `wait_for_completion`. Only the looks take a thread, not the time between them."""
        import anyio

        one_look = self._looks()

        async def look() -> str | None:
            return await run_sync_in_worker_thread(one_look)

        try:
            await apoll(look, **self._polling(timeout_seconds))
        except WaitTimeout as exc:
            raise self._timed_out(exc) from exc
        except Exception:
            raise
        except BaseException:  # cancelled or interrupted
            if self.stop_on_cancel:
                with anyio.CancelScope(shield=True):
                    await run_sync_in_worker_thread(self._stop)
            raise

    def _polling(self, timeout_seconds: float | None) -> _Polling:
        return {
            "subject": f"The end of {self._subject}",
            "interval_seconds": self.job_watch_poll_interval,
            "timeout_seconds": timeout_seconds,
            "clock": _clock,
        }

    def _timed_out(self, exc: WaitTimeout) -> AwsWaitTimeout:
        return AwsWaitTimeout(f"{exc} The run goes on.", subject=self._subject)

    def _stop(self) -> None:
        """Stop the run. What goes wrong is only logged: the caller is about to raise the reason for stopping."""
        try:
            with aws_errors(self._subject):
                answer = self._client().batch_stop_job_run(JobName=self.job_name, JobRunIds=[self.job_id])
        except AwsError as exc:
            self.logger.warning("%s could not be stopped: %s", self._subject, exc)
            return
        for error in answer.get("Errors", []):
            self.logger.warning(
                "%s could not be stopped: %s",
                self._subject,
                error.get("ErrorDetail", {}).get("ErrorMessage"),
            )
        if not answer.get("Errors"):
            self.logger.info("Stopped %s, because the wait for it was cancelled", self._subject)


class _AwaitedRun(Awaitable, GlueJobRun):
    """What a sync `trigger` returns. It was a coroutine function, whose calls sync code gave to `asyncio.run`."""

    def __hash__(self) -> int:
        return id(self)  # `asyncio.gather` keeps coroutines as keys

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, GlueJobRun) else NotImplemented

    def _value(self) -> GlueJobRun:
        return GlueJobRun.model_construct(**dict(self))


def _as_runtime_error(error: AwsError) -> AwsError:
    """Make an error a `RuntimeError`, too: that is what a run that cannot be started raised before 0.8.0."""
    made = combined(type(error), RuntimeError)(str(error))
    vars(made).update(vars(error))
    return made


class GlueJobBlock(QuickKey, JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[str]` would be a block of its own
    """A job that is defined in AWS Glue.

    Example:
        Start a job and wait until it has succeeded:

        ```python
        from prefect import flow
        from prefect_aws.glue_job import GlueJobBlock

        @flow
        def example_run_glue_job():
            glue_job_run = GlueJobBlock.load("BLOCK_NAME").trigger()
            glue_job_run.wait_for_completion()
            return glue_job_run.fetch_result()
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "GlueJobBlock"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    job_name: str = Field(default=..., title="AWS Glue Job Name", description="Name of the job definition.")
    arguments: dict[str, Any] | None = Field(
        default=None,
        title="AWS Glue Job Arguments",
        description="Arguments of the run; they replace the defaults of the job definition. Glue may log them, so "
        "they are no place for secrets.",
    )
    job_watch_poll_interval: float = Field(
        default=60.0,
        description="Seconds between two looks at the run's state. Glue bills at least a minute for each run.",
    )
    aws_credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        title="AWS Credentials",
        description="Credentials to authenticate with.",
    )
    stop_on_cancel: bool = Field(
        default=True,
        description="Whether a run is stopped when the wait for it is cancelled or interrupted.",
    )

    def _start(self) -> GlueJobRun:
        request: dict[str, Any] = {"JobName": self.job_name}
        if self.arguments is not None:
            request["Arguments"] = self.arguments
        client = client_for(self.aws_credentials, "glue", config=ASK_ONCE)

        def ask() -> str:
            unsure = perhaps_done("A run may have been started: look at the job's runs first.")
            with unsure, aws_errors(f"Glue job {self.job_name!r}"):
                return str(client.start_job_run(**request)["JobRunId"])

        try:
            job_id = start_once(ask, _clock)
        except AwsError as exc:
            raise _as_runtime_error(exc) from exc.__cause__
        self.logger.info("Started Glue job %s, run %s", self.job_name, job_id)
        return GlueJobRun(
            job_name=self.job_name,
            job_id=job_id,
            job_watch_poll_interval=self.job_watch_poll_interval,
            aws_credentials=self.aws_credentials,
            stop_on_cancel=self.stop_on_cancel,
        )

    async def atrigger(self) -> GlueJobRun:
        """Async form of `trigger`."""
        return await run_sync_in_worker_thread(self._start)

    @async_dispatch(atrigger)
    def trigger(self) -> GlueJobRun:
        """Start a run of the job, without waiting for it.

        Returns:
            The run, to wait for or to ask for its state. It can be pickled and used in another process.

        Raises:
            RuntimeError: If no run can be started; each of these is one, too.
            AwsNotFound: If there is no such job.
            AwsThrottled: If as many runs of the job as it allows are under way.
            AwsAccessDenied: If this identity may not start it.
        """
        return _AwaitedRun.model_construct(**dict(self._start()))
