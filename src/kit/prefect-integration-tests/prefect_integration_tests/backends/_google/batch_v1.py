"""Google Cloud Batch by its REST API: jobs whose tasks run their containers as those of Cloud Run do, or are played.

https://cloud.google.com/batch/docs/reference/rest
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .discovery import Method
from .errors import Json, already_exists, failed_precondition, invalid_argument, not_found
from .list_filters import BadFilter, read_filter
from .run_attempts import Attempt, AttemptEnd
from .run_play import Launch, Play, Script
from .run_store import RunStore
from .service import ApiRequest, Service, answers, page

if TYPE_CHECKING:
    from .rest_server import RestServer

JOBS = "batch.projects.locations.jobs"
GROUP = "group0"
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_DAY = 86_400.0
_SIGNAL = 128


@dataclass
class _Task:
    index: int
    state: str = "PENDING"
    step: int = 0
    tries: int = 0
    events: list[Json] = field(default_factory=list[Json])
    running: Attempt | None = None


@dataclass
class _Job:
    name: str
    body: Json
    request_id: str
    created: str
    uid: str
    state: str = "QUEUED"
    events: list[Json] = field(default_factory=list[Json])
    tasks: list[_Task] = field(default_factory=list[_Task])
    started_seconds: float | None = None
    ended_seconds: float | None = None
    is_cancelled: bool = False
    cancellation: Any = None

    @property
    def spec(self) -> Json:
        return self.body["taskGroups"][0]["taskSpec"]


class Batch(Service):
    """Google Cloud Batch."""

    api, version = "batch", "v1"

    def __init__(self, server: RestServer) -> None:
        """Start with nothing."""
        super().__init__(server)
        self._jobs: dict[str, _Job] = {}
        self._play = Play(server.clock)

    def reset(self) -> None:
        """Forget everything, and end what runs."""
        running = [task.running for job in self._jobs.values() for task in job.tasks if task.running is not None]
        self._jobs.clear()
        self._play.reset()
        for attempt in running:
            attempt.end(AttemptEnd(exit_code=137))

    # What tests do

    def play(self, script: Script) -> None:
        """Say what becomes of tasks from now on, where no engine runs their containers."""
        self._play.add(script)

    @property
    def jobs(self) -> list[Json]:
        """All jobs, the oldest first."""
        with self.server.lock:
            return [self._data(job) for job in self._jobs.values()]

    # The API

    def knows(self, method: Method, params: Mapping[str, str]) -> bool:
        """Operations of other APIs are not ours."""
        name = params.get("name", "")
        return "/operations" not in name or self.server.operations.is_of(name, self.api)

    @answers(f"{JOBS}.create")
    def create(self, request: ApiRequest) -> Json:
        """Queue a job."""
        job_id = request.params.get("jobId") or f"j-{uuid.uuid4()}"
        if not _ID.fullmatch(job_id):
            raise invalid_argument(f"job_id field is invalid. should match regex pattern {_ID.pattern}.")
        name = f"{request.parent}/jobs/{job_id}"
        request_id = request.params.get("requestId", "")
        if name in self._jobs:
            if request_id and self._jobs[name].request_id == request_id:
                return self._data(self._jobs[name])
            raise already_exists(f"Resource '{name}' already exists")
        self._check(request.body)
        group: Json = request.body["taskGroups"][0]
        count = int(group.get("taskCount") or len(group.get("taskEnvironments", [])) or 1)
        body = {"priority": "0", **request.body, "taskGroups": [{"taskCount": str(count), "parallelism": "1", **group}]}
        job = _Job(name, body, request_id, self.server.clock.text(), f"{job_id[:40]}-{uuid.uuid4().hex[:12]}")
        job.tasks = [_Task(index) for index in range(count)]
        self._jobs[name] = job
        self.server.clock.later(0.01, lambda: self._begin(job))
        return self._data(job)

    def _check(self, body: Json) -> None:
        groups: list[Json] = body.get("taskGroups") or []
        if len(groups) != 1:
            raise invalid_argument("task_groups field is invalid. exactly one task group is needed.")
        spec: Json = groups[0].get("taskSpec") or {}
        runnables: list[Json] = spec.get("runnables") or []
        if not runnables:
            raise invalid_argument("task_spec.runnables field is invalid. at least one runnable is needed.")
        for runnable in runnables:
            if not any(runnable.get(kind) for kind in ("container", "script", "barrier")):
                raise invalid_argument("runnable field is invalid. a runnable must be a container, script or barrier.")
            if "container" in runnable and not runnable["container"].get("imageUri"):
                raise invalid_argument("container.image_uri field is invalid. it must not be empty.")
        if not 0 <= int(spec.get("maxRetryCount") or 0) <= 10:
            raise invalid_argument("max_retry_count field is invalid. it should be in the range [0, 10].")

    def _begin(self, job: _Job) -> None:
        with self.server.changed:
            if job.state != "QUEUED":
                return
            self._become(job, "SCHEDULED")
            self._become(job, "RUNNING")
            job.started_seconds = self.server.clock.seconds()
            tasks = list(job.tasks)
        for task in tasks:
            self._next(job, task)

    def _next(self, job: _Job, task: _Task) -> None:
        """Start the next runnable of a task."""
        with self.server.changed:
            if job.state in _ENDED or task.state in ("SUCCEEDED", "FAILED"):
                return
            task.state = "RUNNING"
            runnables: list[Json] = job.spec["runnables"]
            if task.step >= len(runnables):
                self._end_task(job, task, "SUCCEEDED", 0)
                return
            launch = self._launch(job, task, runnables[task.step])
            runner = self.server.shared(RunStore).runner
            uses_engine = runner is not None and "container" in runnables[task.step]
        if uses_engine and runner is not None and (problem := runner.image_problem(launch.containers[0]["image"])):
            launch.ended(AttemptEnd(exit_code=125, message=problem))
            return
        attempt = (runner if uses_engine and runner is not None else self._play).launch(launch)
        with self.server.changed:
            task.running = attempt if task.state == "RUNNING" else None
            if job.is_cancelled:
                attempt.stop(1.0)

    def _launch(self, job: _Job, task: _Task, runnable: Json) -> Launch:
        group: Json = job.body["taskGroups"][0]
        container: Json = runnable.get("container") or {}
        own: list[Json] = group.get("taskEnvironments") or []
        environments: list[Json] = [
            job.spec.get("environment") or {},
            own[task.index] if task.index < len(own) else {},
            runnable.get("environment") or {},
        ]
        variables: dict[str, str] = {"BATCH_TASK_INDEX": str(task.index), "BATCH_TASK_RETRY_ATTEMPT": str(task.tries)}
        secrets = self.server.shared(RunStore).secrets
        for environment in environments:
            variables.update(environment.get("variables") or {})
            hidden: dict[str, str] = environment.get("secretVariables") or {}
            for name, version in hidden.items():
                parts = version.split("/")  # projects/p/secrets/s/versions/v
                variables[name] = (secrets.find(parts[1], parts[3], parts[5]) if len(parts) == 6 else None) or ""
        limits = [runnable.get("timeout"), job.spec.get("maxRunDuration")]
        seconds = min([float(str(each).removesuffix("s")) for each in limits if each] or [_DAY])
        image = container.get("imageUri") or "script"
        made: Json = {"image": image, "args": container.get("commands") or None}
        if container.get("entrypoint"):
            made["command"] = [container["entrypoint"]]
        _, project, _, location = job.name.split("/")[:4]
        resources: Json = job.spec.get("computeResource") or {}
        return Launch(
            project=project,
            location=location,
            job=job.name.rpartition("/")[2],
            execution=job.uid,
            index=task.index,
            attempt=task.tries,
            containers=[made],
            environment=[variables],
            volumes={},
            timeout_seconds=seconds,
            memory_bytes=int(resources.get("memoryMib") or 2048) << 20,
            ended=lambda end: self._ended(job, task, end),
            wrote=_to_nowhere,
        )

    def _ended(self, job: _Job, task: _Task, end: AttemptEnd) -> None:
        with self.server.changed:
            task.running = None
            if job.state in _ENDED:
                return
            if job.is_cancelled:
                self._settle(job)
                return
            runnable: Json = job.spec["runnables"][task.step]
            if end.is_success or (runnable.get("ignoreExitStatus") and end.exit_code is not None):
                task.step += 1
            else:
                code = end.exit_code if end.exit_code is not None else _SIGNAL + (end.signal or 9)
                self._event(task.events, f"Task state is updated from RUNNING to FAILED with exit code {code}.", code)
                if task.tries >= int(job.spec.get("maxRetryCount") or 0):
                    self._end_task(job, task, "FAILED", code)
                    return
                task.tries += 1
                task.step = 0
        self.server.clock.later(0.01, lambda: self._next(job, task))

    def _end_task(self, job: _Job, task: _Task, state: str, code: int) -> None:
        task.state = state
        if state == "SUCCEEDED":
            self._event(task.events, "Task state is updated from RUNNING to SUCCEEDED.", 0)
        if all(each.state in ("SUCCEEDED", "FAILED") for each in job.tasks):
            failed = [each for each in job.tasks if each.state == "FAILED"]
            why = f"due to Task {self._task_name(job, failed[0])} failed with exit code {code}" if failed else ""
            self._become(job, "FAILED" if failed else "SUCCEEDED", why)
        self.server.changed.notify_all()

    def _settle(self, job: _Job) -> None:
        if not any(task.running for task in job.tasks):
            self._become(job, "CANCELLED")
            self.server.operations.finish(job.cancellation, {"@type": "type.googleapis.com/google.protobuf.Empty"})

    def _become(self, job: _Job, state: str, why: str = "") -> None:
        if job.state in _ENDED or job.state == state:
            return
        text = f"Job state is set from {job.state} to {state} for job {job.name}"
        self._event(job.events, f"{text}. Job failed {why}." if why else f"{text}.")
        job.state = state
        if state in _ENDED:
            job.ended_seconds = self.server.clock.seconds()
        self.server.changed.notify_all()

    def _event(self, events: list[Json], text: str, code: int | None = None) -> None:
        event: Json = {"type": "STATUS_CHANGED", "description": text, "eventTime": self.server.clock.text()}
        if code is not None:
            event["taskExecution"] = {"exitCode": code}
        events.append(event)

    def _task_name(self, job: _Job, task: _Task) -> str:
        return f"{job.name}/taskGroups/{GROUP}/tasks/{task.index}"

    def _data(self, job: _Job) -> Json:
        counts: dict[str, str] = {}
        for task in job.tasks:
            counts[task.state] = str(int(counts.get(task.state, 0)) + 1)
        status: Json = {"state": job.state, "statusEvents": job.events, "taskGroups": {GROUP: {"counts": counts}}}
        if job.started_seconds is not None:
            end = job.ended_seconds if job.ended_seconds is not None else self.server.clock.seconds()
            status["runDuration"] = f"{end - job.started_seconds:.6f}s"
        group = {**job.body["taskGroups"][0], "name": f"{job.name}/taskGroups/{GROUP}"}
        return {
            **job.body,
            "name": job.name,
            "uid": job.uid,
            "createTime": job.created,
            "updateTime": job.events[-1]["eventTime"] if job.events else job.created,
            "status": status,
            "taskGroups": [group],
        }

    @answers(f"{JOBS}.get")
    def get(self, request: ApiRequest) -> Json:
        """Give a job."""
        return self._data(self._job(request.name))

    @answers(f"{JOBS}.list")
    def list(self, request: ApiRequest) -> Json:
        """Give a page of the jobs of a region."""
        found = [self._data(job) for name, job in self._jobs.items() if name.startswith(f"{request.parent}/")]
        return page(found, request.params, "jobs")

    @answers(f"{JOBS}.cancel")
    def cancel(self, request: ApiRequest) -> Json:
        """Cancel a job; the operation ends when its tasks have ended."""
        job = self._job(request.name)
        if job.state in _ENDED:
            raise failed_precondition(f"Job {job.name} is in terminal state {job.state}.")
        if job.cancellation is None:
            metadata = {"@type": "type.googleapis.com/google.cloud.batch.v1.OperationMetadata", "target": job.name}
            job.cancellation = self.server.operations.new(self.api, job.name.partition("/jobs/")[0], metadata)
            job.is_cancelled = True
            self._become(job, "CANCELLATION_IN_PROGRESS")
            running = [task.running for task in job.tasks if task.running is not None]
            for attempt in running:
                self.server.clock.later(0.01, lambda attempt=attempt: attempt.stop(1.0))
            if not running:
                self._settle(job)
        return job.cancellation.data

    @answers(f"{JOBS}.delete")
    def delete(self, request: ApiRequest) -> Json:
        """Delete a job, and what it runs."""
        job = self._job(request.name)
        del self._jobs[job.name]
        for task in job.tasks:
            if task.running is not None:
                self.server.clock.later(0.01, lambda attempt=task.running: attempt.end(AttemptEnd(exit_code=137)))
        operation = self.server.operations.new(self.api, job.name.partition("/jobs/")[0], {})
        self.server.operations.finish(operation, {"@type": "type.googleapis.com/google.protobuf.Empty"})
        return operation.data

    @answers(f"{JOBS}.taskGroups.tasks.list")
    def list_tasks(self, request: ApiRequest) -> Json:
        """Give a page of the tasks of a job."""
        job = self._job(request.parent.partition("/taskGroups/")[0])
        try:
            is_meant = read_filter(request.params.get("filter", ""), {"state": "= !="})
        except BadFilter as exc:
            raise invalid_argument(str(exc)) from exc
        found = [
            {"name": self._task_name(job, task), "status": {"state": task.state, "statusEvents": task.events}}
            for task in job.tasks
            if is_meant({"state": task.state})
        ]
        return page(found, request.params, "tasks")

    @answers("batch.projects.locations.operations.get")
    def get_operation(self, request: ApiRequest) -> Json:
        """Give an operation."""
        return self.server.operations.get(request)

    def _job(self, name: str) -> _Job:
        if name not in self._jobs:
            raise not_found(f"Resource '{name}' was not found")
        return self._jobs[name]


def _to_nowhere(stream: str, line: str) -> None:
    """What tasks write is not kept."""
