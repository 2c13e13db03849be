# ruff: noqa: N802 - methods have the names that they have in the protocol
"""The custom jobs of Vertex AI as a gRPC service: states over time, and containers where there is a Docker engine.

Requests may name a project by its ID or its number; names in answers have the number, as Google's do.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from .clock import Clock
from .grpc_server import GrpcCall, GrpcRefused, GrpcService
from .list_filters import BadFilter, read_filter
from .vertex_checks import problems_of

if TYPE_CHECKING:
    from .vertex_containers import VertexContainers

_FILTER_FIELDS = {
    "display_name": "= != :",
    "state": "= !=",
    "create_time": "= != < <= > >=",
    "labels.": "= :",
}
_PAGE = 100
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
"""States that a job does not leave, without their prefix `JOB_STATE_`."""


@dataclass(frozen=True)
class Life:
    """What becomes of jobs that no container runs for, and when.

    Attributes:
        states: Pairs of seconds after the job's creation and a state, without its prefix `JOB_STATE_`.
        error: Code and text of the error of a job that fails.
    """

    states: Sequence[tuple[float, str]]
    error: tuple[int, str] | None = None


class VertexJobs(GrpcService):
    """Custom jobs of any project and region.

    A job is PENDING until the test plays on (`run`, `end`), or lives as `life` says, or as its container does when
    there are `containers`.
    """

    name: ClassVar[str] = "google.cloud.aiplatform.v1.JobService"
    types: ClassVar[str] = "google.cloud.aiplatform_v1.types.job_service"

    def __init__(self) -> None:
        self.clock = Clock()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.containers: VertexContainers | None = None
        """Runs the jobs' containers; see `vertex_containers`."""
        self.life: Life | None = None
        """How new jobs live, without containers; `None` leaves it to the test."""
        self.list_lag_seconds = 0.0
        """How long lists do not show a new job yet."""
        self._jobs: dict[str, Any] = {}
        self._generation = 0

    def reset(self) -> None:
        """End what runs, and forget every job."""
        if self.containers is not None:
            self.containers.stop()
            self.containers = None
        self.clock.reset()
        with self._lock:
            self._generation += 1
            self._jobs.clear()
            self.life = None
            self.list_lag_seconds = 0.0

    # What a test sees and does

    @property
    def jobs(self) -> list[Any]:
        """Every job that is there, oldest first."""
        with self._lock:
            return [self._copy(job) for job in self._jobs.values()]

    def job(self, name: str) -> Any:
        """Return a job.

        Args:
            name: Its full name.

        Raises:
            KeyError: If there is none.
        """
        with self._lock:
            return self._copy(self._jobs[name])

    def state_of(self, name: str) -> str:
        """Return a job's state without its prefix."""
        return self.job(name).state.name.removeprefix("JOB_STATE_")

    def wait(self, name: str, *states: str, timeout_seconds: float = 60.0) -> Any:
        """Wait until a job is in one of some states, or has ended.

        Args:
            name: Its full name.
            states: Without their prefix; every state that it does not leave by default.
            timeout_seconds: How long at most.

        Raises:
            AssertionError: If it took too long, or ended otherwise.
        """
        wanted = frozenset(states) or ENDED
        with self._changed:
            self._changed.wait_for(lambda: self.state_of(name) in wanted | ENDED, timeout_seconds)
            state = self.state_of(name)
            if state not in wanted:
                raise AssertionError(f"{name} is {state}, and not {' or '.join(sorted(wanted))}.")
            return self.job(name)

    def run(self, name: str) -> None:
        """Let a job run."""
        self._change(name, "RUNNING")

    def end(self, name: str, state: str = "SUCCEEDED", error: tuple[int, str] | None = None) -> None:
        """Let a job end.

        Args:
            name: Its full name.
            state: Without its prefix.
            error: Code and text.
        """
        self._change(name, state, error)

    def play(self, name: str, state: str) -> None:
        """Bring a job into a state that it does not stay in, such as `QUEUED` or `PAUSED`."""
        self._change(name, state)

    # Methods

    def CreateCustomJob(self, call: GrpcCall) -> Any:
        """Create a job; it is pending at once."""
        from google.cloud.aiplatform_v1.types.custom_job import CustomJob
        from google.cloud.aiplatform_v1.types.job_state import JobState

        job = CustomJob(call.request.custom_job)
        if problems := problems_of(job):
            said = "\t".join(f"{i}.Field: {field}; Message: {text}" for i, (field, text) in enumerate(problems, 1))
            raise GrpcRefused("INVALID_ARGUMENT", f"List of found errors:\t{said}\t")
        now = self._now()
        with self._lock:
            number = 10**18 + len(self._jobs) + zlib.crc32(repr((now, len(self._jobs))).encode())
            job.name = f"{numbered(call.request.parent)}/customJobs/{number}"
            job.state = JobState.JOB_STATE_PENDING
            job.create_time = job.update_time = _timestamp(now)
            for field in ("start_time", "end_time", "error", "web_access_uris"):
                CustomJob.pb(job).ClearField(field)
            self._jobs[job.name] = job
            created = self._copy(job)
        self._begin(created)
        return created

    def GetCustomJob(self, call: GrpcCall) -> Any:
        """Return a job."""
        with self._lock:
            return self._copy(self._find(call.request.name))

    def ListCustomJobs(self, call: GrpcCall) -> Any:
        """Return a page of jobs, newest first."""
        from google.cloud.aiplatform_v1.types.job_service import ListCustomJobsResponse

        try:
            is_meant = read_filter(call.request.filter, _FILTER_FIELDS)
        except BadFilter as exc:
            raise GrpcRefused("INVALID_ARGUMENT", str(exc)) from exc
        place = f"{numbered(call.request.parent)}/"
        until = self._now() - timedelta(seconds=self.list_lag_seconds)
        with self._lock:
            found = [
                self._masked(job, call.request.read_mask)
                for job in reversed(self._jobs.values())
                if job.name.startswith(place) and is_meant(_fields_of(job)) and _moment(job.create_time) <= until
            ]
        token = call.request.page_token
        if token and not token.isdigit():
            raise GrpcRefused("INVALID_ARGUMENT", "The page token is invalid.")
        size = min(call.request.page_size or _PAGE, _PAGE)
        start = int(token or 0)
        more = str(start + size) if start + size < len(found) else ""
        return ListCustomJobsResponse(custom_jobs=found[start : start + size], next_page_token=more)

    def CancelCustomJob(self, call: GrpcCall) -> None:
        """Ask a job to end."""
        with self._lock:
            job = self._find(call.request.name)
            state = job.state.name.removeprefix("JOB_STATE_")
            if state in ENDED:
                raise GrpcRefused("FAILED_PRECONDITION", f"{job.name} is in state JOB_STATE_{state}.")
            self._change(job.name, "CANCELLING")
        if self.containers is not None:
            self.containers.cancel(job.name)
        elif self.life is not None:
            self._change(job.name, "CANCELLED", (1, "The job was cancelled."))

    def DeleteCustomJob(self, call: GrpcCall) -> Any:
        """Delete a job that has ended; the operation is done at once."""
        from google.longrunning.operations_pb2 import Operation  # pyright: ignore[reportMissingTypeStubs]
        from google.protobuf.empty_pb2 import Empty

        with self._lock:
            job = self._find(call.request.name)
            state = job.state.name.removeprefix("JOB_STATE_")
            if state not in ENDED:
                said = f"{job.name} is in state JOB_STATE_{state}. Cancel it before it is deleted."
                raise GrpcRefused("FAILED_PRECONDITION", said)
            del self._jobs[job.name]
            self._changed.notify_all()
        operation: Any = Operation(name=f"{job.name}/operations/{zlib.crc32(job.name.encode())}", done=True)
        operation.response.Pack(Empty())
        return operation

    # Inside

    def _begin(self, job: Any) -> None:
        if self.containers is not None:
            self.containers.start(job, self._change)
        elif self.life is not None:
            for seconds, state in self.life.states:
                error = self.life.error if state == "FAILED" else None
                self.clock.later(seconds, self._step(job.name, state, error))

    def _step(self, name: str, state: str, error: tuple[int, str] | None) -> Callable[[], None]:
        generation = self._generation

        def step() -> None:
            with self._lock:
                if generation == self._generation and name in self._jobs and self.state_of(name) not in ENDED:
                    self._change(name, state, error)

        return step

    def _change(self, name: str, state: str, error: tuple[int, str] | None = None) -> None:
        """Bring a job into a state; one that is deleted is no error."""
        from google.cloud.aiplatform_v1.types.job_state import JobState
        from google.rpc.status_pb2 import Status  # pyright: ignore[reportMissingTypeStubs]

        with self._changed:
            job = self._jobs.get(name)
            if job is None:
                return
            now = self._now()
            job.state = JobState[f"JOB_STATE_{state}"]
            job.update_time = now
            if state == "RUNNING" and not job.start_time:
                job.start_time = now
            if state in ENDED:
                job.end_time = now
            if error is not None:
                job.error = Status(code=error[0], message=error[1])
            self._changed.notify_all()

    def _find(self, name: str) -> Any:
        job = self._jobs.get(numbered(name))
        if job is None:
            raise GrpcRefused("NOT_FOUND", f"The CustomJob {name!r} does not exist.")
        return job

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.seconds(), timezone.utc)

    @staticmethod
    def _copy(job: Any) -> Any:
        from google.cloud.aiplatform_v1.types.custom_job import CustomJob

        return CustomJob(job)

    def _masked(self, job: Any, mask: Any) -> Any:
        from google.cloud.aiplatform_v1.types.custom_job import CustomJob

        if not mask.paths:
            return self._copy(job)
        shown = CustomJob()
        mask.MergeMessage(CustomJob.pb(job), CustomJob.pb(shown))
        return shown


def numbered(name: str) -> str:
    """Put the project's number into a name."""
    collection, project, *rest = name.split("/")
    return "/".join([collection, project_number(project), *rest])


def project_number(project: str) -> str:
    """Return the number of a project, given its ID or its number."""
    return project if project.isdigit() else str(10**11 + zlib.crc32(project.encode()))


def _timestamp(moment: datetime) -> Any:
    """As the SDK's classes take it, whatever their annotations say."""
    return moment


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(value.timestamp(), timezone.utc)


def _fields_of(job: Any) -> dict[str, str]:
    labels = {f"labels.{key}": value for key, value in job.labels.items()}
    created = _moment(job.create_time).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {**labels, "display_name": job.display_name, "state": job.state.name, "create_time": created}
