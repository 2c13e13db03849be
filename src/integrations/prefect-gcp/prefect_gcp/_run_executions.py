"""Executions of Cloud Run jobs that exist: started once, even when the answer is lost, looked at, cancelled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import Verdict

from ._remote_job import MAX_NAMED, Json, RemoteJob
from ._remote_work import Api
from .errors import GcpAccessDenied, GcpConflict, GcpRateLimited

if TYPE_CHECKING:
    from ._run_requests import ExecutionRequest
    from .credentials import GcpCredentials

_NOTHING: Json = {}
_PAGE_SIZE, _MAX_PAGES = 100, 20
_ENDED = {"CONDITION_SUCCEEDED": "SUCCEEDED", "CONDITION_FAILED": "FAILED"}


@dataclass(frozen=True)
class CloudRunExecutionResult:
    """An execution as it was last seen.

    Attributes:
        name: Full name, `projects/…/locations/…/jobs/…/executions/…`.
        state: `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELLED`.
        message: What Cloud Run says about it.
        task_count: How many tasks it has.
        succeeded_count: How many have succeeded.
        failed_count: How many have failed.
        cancelled_count: How many were cancelled.
        log_url: Where the Cloud console shows its logs.
        started_at: When it started, as RFC 3339 text in UTC; empty before.
        completed_at: When it ended, likewise.
    """

    name: str
    state: str
    message: str = ""
    task_count: int = 0
    succeeded_count: int = 0
    failed_count: int = 0
    cancelled_count: int = 0
    log_url: str = ""
    started_at: str = ""
    completed_at: str = ""

    @property
    def execution_id(self) -> str:
        """Last part of the name."""
        return self.name.rpartition("/")[2]


class ExecutionWork(RemoteJob[CloudRunExecutionResult]):
    """One execution.

    Args:
        credentials: Who we are.
        request: What to start; `None` for an execution that was started before.
        name: Full name of such an execution.
    """

    kind = "Cloud Run execution"
    methods = "projects.locations.jobs.executions"

    def __init__(self, credentials: GcpCredentials, request: ExecutionRequest | None = None, *, name: str = "") -> None:
        super().__init__(Api(credentials, "run", "v2"), name=name)
        self._request = request
        self._tries = 0
        self._is_marked = True
        self._before: set[str] | None = None

    @property
    def _job(self) -> str:
        job = self._request.job if self._request is not None else self.name.partition("/executions/")[0]
        return f"Cloud Run job {job.rpartition('/')[2]!r}"

    @property
    def subject(self) -> str:
        """The job, and the execution once there is one."""
        return f"{self._job}, execution {self.name.rpartition('/')[2]}" if self.name else self._job

    @property
    def state(self) -> str:
        """Its state as last seen; `PENDING` when it was not seen yet."""
        return self._state(self._seen)

    @property
    def news(self) -> str:
        """The state, and how many of several tasks have succeeded."""
        found = self.seen()
        if found.task_count <= 1:
            return found.state
        return f"{found.state} ({found.succeeded_count} of {found.task_count} tasks have succeeded)"

    def may_start_again(self, error: Exception) -> Verdict:
        """Not after a lost answer, where executions cannot be told apart."""
        if not self._is_marked and self._before is None and not isinstance(error, GcpRateLimited):
            return False
        return super().may_start_again(error)

    def start(self) -> None:
        """Start it, or take over what an earlier try has started."""
        assert self._request is not None, "It was started before."  # noqa: S101
        self._tries += 1
        keys, logger = self._request.keys, run_logger(__name__)
        # The first try of the first attempt cannot have a predecessor.
        is_blind = not self._is_marked and self._before is None
        found = self._predecessor() if (self._tries > 1 or len(keys) > 1) and not is_blind else None
        if found is not None:
            self.name, self._seen = str(found["name"]), found
            logger.info("Took over %s, which was started before", self.subject)
            return
        answer = self._run(keys[-1])
        metadata: Json = answer.get("metadata") or {}
        self.name = str(metadata.get("name") or "")
        logger.info("Started %s", self.subject)

    def _run(self, key: str) -> Json:
        request = self._request
        assert request is not None  # noqa: S101
        method = "projects.locations.jobs.run"
        if self._is_marked:
            try:
                return self._api.call(method, subject=self._job, name=request.job, body=request.body(key))
            except GcpAccessDenied:
                # Overrides need a permission of their own, which a caller who wants none may lack.
                if request.overrides:
                    raise
            self._is_marked = False
            try:
                self._before = {str(each["name"]) for each in self._executions()}
            except GcpAccessDenied as exc:  # who may run a job may not look at it, as with roles/run.invoker
                run_logger(__name__).debug("Could not list the executions of %s: %s", self._job, exc)
        return self._api.call(method, subject=self._job, name=request.job, body=request.body(None))

    def _predecessor(self) -> Json | None:
        """Find what an earlier try, whose answer was lost, or an earlier attempt of the task has started."""
        from ._run_requests import mark_of

        assert self._request is not None  # noqa: S101
        executions = list(self._executions())
        marked = {key: each for each in executions if (key := mark_of(each)) is not None}
        keys = self._request.keys
        for number, key in enumerate(keys, 1):
            found = marked.get(key)
            is_last = number == len(keys)
            if found is not None and (is_last or self._state(found) not in ("FAILED", "CANCELLED")):
                return found
        if self._is_marked or self._before is None:
            return None
        new = [each for each in executions if str(each["name"]) not in self._before]
        if len(new) > 1:
            names = ", ".join(str(each["name"]).rpartition("/")[2] for each in new[:MAX_NAMED])
            raise GcpConflict(
                f"{self._job}: the answer to the start was lost, and there are several new executions ({names}), so "
                "that ours is not known. Allow run.jobs.runWithOverrides, by which executions are recognised.",
                subject=self._job,
            )
        return new[0] if new else None

    def _executions(self) -> Iterator[Json]:
        """Executions of the job since the task run began."""
        assert self._request is not None  # noqa: S101
        token = ""
        for _ in range(_MAX_PAGES):
            answer = self._api.call(
                f"{self.methods}.list",
                subject=self._job,
                parent=self._request.job,
                pageSize=_PAGE_SIZE,
                pageToken=token,
            )
            found: list[Json] = answer.get("executions") or []
            for each in found:
                if _moment(each.get("createTime")) >= self._request.since:
                    yield each
            token = str(answer.get("nextPageToken") or "")
            if not token:
                return

    def get(self, name: str) -> Json:
        """Read it."""
        return self._api.call(f"{self.methods}.get", subject=self.subject, name=name)

    def _state(self, execution: Json) -> str:
        condition = completed(execution)
        state = _ENDED.get(str(condition.get("state") or ""))
        if state is None and execution.get("completionTime"):
            done = int(execution.get("succeededCount") or 0) >= int(execution.get("taskCount") or 1)
            state = "SUCCEEDED" if done else "FAILED"
        if state == "FAILED" and condition.get("executionReason") == "CANCELLED":
            return "CANCELLED"
        return state or ("RUNNING" if execution.get("startTime") else "PENDING")

    def seen(self) -> CloudRunExecutionResult:
        """What the last look saw, failed or not."""
        seen = self._seen
        return CloudRunExecutionResult(
            name=self.name,
            state=self._state(seen),
            message=str(completed(seen).get("message") or ""),
            task_count=int(seen.get("taskCount") or 0),
            succeeded_count=int(seen.get("succeededCount") or 0),
            failed_count=int(seen.get("failedCount") or 0),
            cancelled_count=int(seen.get("cancelledCount") or 0),
            log_url=str(seen.get("logUri") or ""),
            started_at=str(seen.get("startTime") or ""),
            completed_at=str(seen.get("completionTime") or ""),
        )

    def why(self) -> str:
        """How many tasks failed, Cloud Run's reason, the first failed tasks, and where the logs are."""
        found = self.seen()
        tasks = f" {self._failed_tasks()}" if found.failed_count else ""
        logs = f" Logs: {found.log_url}" if found.log_url else ""
        why = (found.message or "Cloud Run gives no reason").rstrip(".")
        return f", with {found.failed_count} of {found.task_count} tasks failed: {why}.{tasks}{logs}"

    def _failed_tasks(self) -> str:
        """Say how the first failed tasks ended."""

        def list_tasks() -> list[Json]:
            method = f"{self.methods}.tasks.list"
            answer = self._api.call(method, subject=self.subject, parent=self.name, pageSize=_PAGE_SIZE)
            return answer.get("tasks") or []

        texts: list[str] = []
        for task in self.list_tasks(list_tasks):
            end: Json = task.get("lastAttemptResult") or {}
            status: Json = end.get("status") or {}
            if completed(task).get("state") != "CONDITION_FAILED":
                continue
            code = end.get("exitCode")
            how = f"exit code {code}" if code else str(status.get("message") or "no reason given").rstrip(".")
            texts.append(f"Task {task.get('index', 0)}: {how}.")
        return " ".join(texts[:MAX_NAMED])


def execution_work(
    job_name: str,
    region: str,
    credentials: GcpCredentials,
    project: str | None,
    args: Sequence[str] | None,
    env: Mapping[str, str] | None,
    container: str | None,
    task_count: int | None,
    task_timeout_seconds: int | None,
    *,
    is_block: bool = False,
) -> ExecutionWork:
    """Check what is to be started, and describe it.

    Raises:
        GcpInvalidRequest: If an argument is not one.
    """
    from ._run_requests import ExecutionRequest

    request = ExecutionRequest.make(
        credentials,
        job_name,
        region,
        project,
        args=args,
        env=env,
        container=container,
        task_count=task_count,
        task_timeout_seconds=task_timeout_seconds,
        is_block=is_block,
    )
    return ExecutionWork(credentials, request)


def completed(thing: Mapping[str, Any]) -> Json:
    """The condition that says whether an execution or a task has ended; empty when there is none yet.

    Args:
        thing: As Cloud Run gives it.
    """
    conditions: Sequence[Json] = thing.get("conditions") or ()
    return next((each for each in conditions if each.get("type") == "Completed"), _NOTHING)


def _moment(text: object) -> datetime:
    """Read a time; one that cannot be read counts as now."""
    try:
        # Python 3.10 reads no more than six digits, and no Z.
        short = re.sub(r"(\.\d{6})\d+", r"\1", str(text)).replace("Z", "+00:00")
        return datetime.fromisoformat(re.sub(r"\.\d{1,5}(?=[+-])", "", short))
    except ValueError:
        return datetime.now(timezone.utc)
