"""Jobs of BigQuery: started once however often the request is repeated, waited for, and cancelled with who waits."""

from __future__ import annotations

import contextlib
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.run_keys import run_key
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .._remote_work import Patience, RemoteWork, arun, run
from ..errors import GcpAlreadyExists, GcpConflict, GcpError, GcpNotFound, gcp_errors

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

J = TypeVar("J")

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _GROWTH = 0.05, 2.0, 1.4
# https://cloud.google.com/bigquery/docs/error-messages: the job had no effect, and the same may succeed.
_PASSING_REASONS = frozenset({"backendError", "internalError", "jobBackendError", "jobInternalError"})
_MAX_RUNS = 3
_QUOTED_ERRORS = 5

clock: Clock = SYSTEM_CLOCK


class _Pauses:
    """Time with short pauses first: most jobs take a second, some take hours."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        """Start with the shortest pause.

        Args:
            stop: Ends a pause, and with it the wait.
        """
        self._stop = stop
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self.monotonic = clock.monotonic

    def _next(self, seconds: float) -> float:
        pause, self._pause_seconds = self._pause_seconds, min(self._pause_seconds * _GROWTH, _LONGEST_PAUSE_SECONDS)
        return min(pause, seconds)

    def sleep(self, seconds: float) -> None:
        """Block the thread for a while, of at most `seconds`."""
        if self._stop is None:
            clock.sleep(self._next(seconds))
        elif self._stop.wait(self._next(seconds)):
            raise Unwanted

    async def asleep(self, seconds: float) -> None:
        """Suspend the coroutine for a while, of at most `seconds`."""
        await clock.asleep(self._next(seconds))


class Unwanted(BaseException):
    """Nobody waits for the job any more. Not an `Exception`, so that whatever waits for it stops it."""


class BigQueryJob(RemoteWork[J], Generic[J]):
    """A job. Its ID is that of the task run's attempt, so that a request that is repeated finds the first one's job.

    Args:
        client: Where it runs.
        request: What tells it from others of the same task run.
        location: Where it runs; the client's own when not given.
        job_id: Its ID, if the caller has one.
    """

    kind = "job"

    def __init__(
        self, client: Client, request: Mapping[str, Any], *, location: str | None = None, job_id: str | None = None
    ) -> None:
        self._client = client
        self._location = location
        self._is_named_by_caller = job_id is not None
        self._first_id = job_id or _job_id(
            {**request, "project": getattr(client, "project", None), "location": location}
        )
        self._job: Any = None
        self._runs = 1
        self._was_sent = False

    @abstractmethod
    def begin(self, job_id: str) -> Any:
        """Send the request, once, and return the SDK's job."""

    @property
    def job_id(self) -> str:
        """The ID of the job."""
        return self._first_id if self._runs == 1 else f"{self._first_id}-{self._runs}"

    @property
    def subject(self) -> str:
        """The job by its ID; a query's text may hold what is nobody's business."""
        return f"BigQuery {self.kind} {self.job_id}"

    @property
    def is_started(self) -> bool:
        """Whether there may be a job that runs."""
        return self._was_sent and not (self._job is not None and getattr(self._job, "state", None) == "DONE")

    def start(self) -> None:
        """Send the request, or take over the job that an earlier try of it has started."""
        self._was_sent = True
        try:
            with gcp_errors(self.subject):
                self._job = self.begin(self.job_id)
        except (GcpAlreadyExists, GcpConflict) as exc:
            if self._is_named_by_caller:
                raise
            self._job = self._take_over(exc)
        except GcpNotFound:
            # The session of an upload may have ended with its job, and the answer that says so was lost.
            found = self._found() if self.kind == "load" else None
            if found is None:
                self._was_sent = False
                raise
            self._job = found
        except GcpError as exc:
            # An answer says that there is none; without one there may be a job.
            self._was_sent = self.failures.is_passing(exc) is not False
            raise
        run_logger(__name__).debug("Started %s", self.subject)

    def _found(self) -> Any:
        try:
            with gcp_errors(self.subject):
                return self._client.get_job(self.job_id, location=self._location or self._client.location)
        except GcpNotFound:
            return None

    def _take_over(self, conflict: GcpError) -> Any:
        try:
            with gcp_errors(self.subject):
                return self._client.get_job(self.job_id, location=self._location or self._client.location)
        except GcpNotFound as exc:
            raise type(conflict)(
                f"{conflict} It is there, but cannot be found in location {self._location or 'US'}: give the location "
                "of the data."
            ) from exc

    def look(self) -> bool:
        """See whether it has ended; one that failed for a passing reason of BigQuery's own is started again."""
        if self._is_stand_in:
            return True
        with gcp_errors(self.subject):
            if not self._job.done(reload=False):
                self._job.reload(retry=None)
        if self._job.state != "DONE":
            return False
        outcome: dict[str, Any] = self._job.error_result or {}
        reason = outcome.get("reason")
        if reason in _PASSING_REASONS and self._runs < _MAX_RUNS and not self._is_named_by_caller:
            run_logger(__name__).warning("%s failed on BigQuery's side (%s), starting it again", self.subject, reason)
            self._runs += 1
            self.start()
            return False
        return True

    def stop(self, reason: str) -> None:
        """Cancel it, if it is there."""
        untyped: Any = self._client
        with contextlib.suppress(GcpNotFound), gcp_errors(self.subject):
            untyped.cancel_job(self.job_id, location=self._place, retry=None)

    def seen(self) -> J:
        """The SDK's job as it was last seen."""
        return cast("J", self._job)

    @property
    def _place(self) -> str | None:
        return getattr(self._job, "location", None) or self._location or getattr(self._client, "location", None)

    @property
    def _is_stand_in(self) -> bool:
        """Whether a test has put something in the place of the SDK's job, which has a result and no state."""
        return not isinstance(getattr(self._job, "state", ...), str | None)

    def result(self) -> J:
        """Return the SDK's job.

        Raises:
            GcpError: If it failed: one of its subclasses, also the SDK's class, with all that BigQuery says of it.
        """
        if self._is_stand_in:
            if self.kind == "load":
                with gcp_errors(self.subject):
                    result_of_stand_in(self._job)  # that of a query is asked for with the rows
            return cast("J", self._job)
        error = self._job.error_result
        if error and isinstance(error, Mapping):
            with gcp_errors(self.subject):
                raise _failure(self._job)
        return cast("J", self._job)


class StartedJob(BigQueryJob[Any]):
    """A job that a function starts.

    Args:
        client: Where it runs.
        kind: What to call it: `query`, `load`.
        begin: Given the job's ID, it starts it and returns the SDK's job.
        request: What tells it from others of the same task run.
        location: Where it runs.
        job_id: Its ID, if the caller has one.
    """

    def __init__(
        self,
        client: Client,
        kind: str,
        begin: Callable[[str], Any],
        request: Mapping[str, Any],
        *,
        location: str | None = None,
        job_id: str | None = None,
    ) -> None:
        super().__init__(client, request, location=location, job_id=job_id)
        self.kind = kind
        self._begin = begin

    def begin(self, job_id: str) -> Any:
        """Call the function."""
        return self._begin(job_id)


def _job_id(request: Mapping[str, Any]) -> str:
    """Name a job after the task run's attempt: a retry of the task is a new attempt, and asks anew."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    flow_run = context.flow_run if context is not None else None
    key = run_key({**request, "flow_run_attempt": flow_run and flow_run.run_count}, counts_calls=True)
    return f"{key.text}-{key.attempts}"


def row_ids(request: Mapping[str, Any], count: int) -> list[str]:
    """Name rows, so that BigQuery knows those of a request that is repeated."""
    prefix = _job_id(request)
    return [f"{prefix}-{index}" for index in range(count)]


def _failure(job: Any) -> Any:
    """The SDK's exception of a job that failed, with the files and rows that BigQuery names."""
    error = job.exception()
    outcome: dict[str, Any] = job.error_result or {}
    errors: list[dict[str, Any]] = job.errors or []
    first = outcome.get("message")
    others: list[str] = []
    for item in errors:
        message = str(item.get("message") or "").strip()
        if place := item.get("location"):
            message = f"{message} ({place})"
        if message and message != first and message not in others:
            others.append(message)
    more = len(others) - _QUOTED_ERRORS
    said = [str(first or error.message).strip(), *others[:_QUOTED_ERRORS], *([f"and {more} more"] if more > 0 else [])]
    error.message = "; ".join(said)
    return error


def result_of_stand_in(job: Any) -> None:
    """Ask a job that a test has put in the place of the SDK's for its result, by which it fails.

    Args:
        job: A job that has ended; nothing is asked of the SDK's own.
    """
    result = getattr(job, "result", None)
    if callable(result) and not isinstance(getattr(job, "state", ...), str):
        result()


def run_job(job: BigQueryJob[J], stop: threading.Event | None = None) -> J:
    """Start a job and wait for its end, blocking the thread.

    Args:
        job: The job.
        stop: Ends the wait, and the job with it.

    Raises:
        GcpError: If it could not be started or failed.
        Unwanted: If `stop` was set.
    """
    return run(job, Patience(_LONGEST_PAUSE_SECONDS, clock=_Pauses(stop)))


async def arun_job(job: BigQueryJob[J]) -> J:
    """Async form of `run_job`. Only the requests take a thread, not the time between them."""
    return await arun(job, Patience(_LONGEST_PAUSE_SECONDS, clock=_Pauses()))
