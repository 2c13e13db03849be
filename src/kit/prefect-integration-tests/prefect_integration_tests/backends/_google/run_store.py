"""Cloud Run's jobs and what becomes of them, whichever version of the API asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from .errors import ApiError, Json, already_exists, failed_precondition
from .run_attempts import AttemptEnd
from .run_bodies import new_suffix, overridden, owned, project_of, region_of, with_defaults
from .run_checks import check_execution, check_execution_token, check_job, check_job_id, memory_bytes, seconds_of
from .run_model import Condition, Execution, Job, Task
from .run_play import Launch, Play, Runner
from .run_readiness import problem_of
from .run_refusals import check_etag, no_such, quota_exceeded
from .run_secrets import Secrets
from .run_settings import RunSettings

if TYPE_CHECKING:
    from .rest_server import RestServer


class RunStore:
    """All jobs. Use it under the server's lock, as handlers are."""

    def __init__(self, server: RestServer) -> None:
        """Start with none.

        Args:
            server: It has the lock and the clock.
        """
        self._server = server
        self.clock = server.clock
        self.settings = RunSettings()
        self.secrets = Secrets()
        self.play = Play(self.clock)
        self.runner: Runner | None = None
        """What runs containers; without, executions are played."""

        self.log: Callable[[Launch, str, str], None] = _nowhere
        self.jobs: dict[str, Job] = {}
        self.started: Counter[str] = Counter()
        """How many executions were ever started, by project."""

        self._waiting: list[_Waiting] = []
        self._epoch = 0

    def reset(self) -> None:
        """Forget all, and end what runs."""
        self._epoch += 1
        running = [task.running for execution in self.executions() for task in execution.tasks if task.running]
        self.jobs.clear()
        self.started.clear()
        self.settings = RunSettings()
        self.secrets = Secrets()
        self.play.reset()
        self.runner = None
        self._waiting.clear()
        for attempt in running:
            attempt.stop(0)

    def executions(self, job: str = "") -> Iterator[Execution]:
        """All executions, of one job or of all, the newest first."""
        for each in list(self.jobs.values()):
            if job in ("", each.name):
                yield from reversed(list(each.executions.values()))

    # Jobs

    def job(self, name: str) -> Job:
        """Find a job.

        Raises:
            ApiError: 404.
        """
        try:
            return self.jobs[name]
        except KeyError:
            raise no_such("JOB", name) from None

    def in_parent(self, parent: str) -> list[Job]:
        """All jobs of a project and region; `-` stands for all regions. The newest first."""
        project, location = project_of(parent), region_of(parent)
        found = [job for job in self.jobs.values() if job.project == project and location in ("-", job.location)]
        return found[::-1]

    def create(
        self, parent: str, job_id: str, body: Json, creator: str, *, dry_run: bool = False, knative: Json | None = None
    ) -> Job:
        """Create a job.

        Args:
            parent: Project and region.
            job_id: Its id; empty for one that the server makes.
            body: The job, in the form of API v2.
            creator: Who creates it.
            dry_run: Only look whether it could be.
            knative: The body of API v1.

        Raises:
            ApiError: 400, 409, 429.
        """
        job_id = job_id or f"job-{new_suffix(8)}"
        check_job_id(job_id)
        if knative is None:
            check_job(body)
        else:
            check_execution(body["template"], "spec.template.spec")
        name = f"{parent}/jobs/{job_id}"
        if name in self.jobs:
            raise already_exists(f"Resource '{job_id}' already exists.")
        if len(self.in_parent(parent)) >= self.settings.most_jobs:
            raise quota_exceeded("Jobs", "JobsPerRegion", parent, self.settings.most_jobs)
        body = with_defaults(owned(body))
        now = self.clock.seconds()
        job = Job(name, body, now, now, creator, knative=knative)
        token = body.pop("startExecutionToken", "") or body.pop("runExecutionToken", "")
        if token:
            check_execution_token(job_id, token)
        if not dry_run:
            self.jobs[name] = job
            self._reconcile(job, token)
        return job

    def replace(self, job: Job, body: Json, creator: str, *, etag: str = "", knative: Json | None = None) -> None:
        """Change a job to what its user says now.

        Raises:
            ApiError: 400, 409 for an old etag.
        """
        check_etag(job.id, etag, job.etag)
        if knative is None:
            check_job(body, "UpdateJobRequest")
        else:
            check_execution(body["template"], "spec.template.spec")
        job.body = with_defaults(owned(body))
        job.knative = knative
        job.generation += 1
        job.failure = None
        job.updated_at = self.clock.seconds()
        job.creator = creator
        self._reconcile(job)

    def _reconcile(self, job: Job, token: str = "") -> None:
        generation = job.generation

        def become_ready() -> None:
            if job.generation != generation or job.name not in self.jobs:
                return
            job.failure = problem_of(job, self.play if self.runner is None else self.runner, self.secrets, self.clock)
            if job.failure is None:
                job.observed_generation = generation
                if token:
                    with suppress(ApiError):  # more would run than may
                        self.run(job, {}, job.creator, suffix=token)

        self._later(self.settings.ready_delay_seconds, become_ready)

    def delete(self, job: Job, done: Callable[[], None], *, etag: str = "") -> None:
        """Delete a job: its executions are stopped, then it is gone.

        Args:
            job: The job.
            done: Called when it is gone.
            etag: Of the job that is meant.

        Raises:
            ApiError: 409 for an old etag.
        """
        check_etag(job.id, etag, job.etag)
        if job.deleted_at is None:
            job.deleted_at = self.clock.seconds()
            for execution in list(job.executions.values()):
                self._stop(execution)
        self._when_idle(list(job.executions.values()), lambda: (self.jobs.pop(job.name, None), done()))

    # Executions

    def run(self, job: Job, overrides: Json, creator: str, *, etag: str = "", suffix: str = "") -> Execution:
        """Start an execution of a job.

        Args:
            job: The job.
            overrides: What is different this time, in the form of API v2.
            creator: Who starts it.
            etag: Of the job that is meant.
            suffix: Of its name.

        Raises:
            ApiError: 400 when the job is not ready, 409, 429.
        """
        check_etag(job.id, etag, job.etag)
        if job.deleted_at is not None or not job.is_ready:
            raise failed_precondition(f"Job '{job.id}' is not ready and cannot be run: {job.ready.message or 'wait'}.")
        running = [each for other in self.in_parent(job.parent) for each in other.executions.values()]
        if sum(not each.is_ended for each in running) >= self.settings.most_running:
            raise quota_exceeded("Running executions", "ExecutionsPerRegion", job.parent, self.settings.most_running)
        template = overridden(job.body["template"], overrides)
        check_execution(template, "RunJobRequest.overrides")
        suffix = suffix or new_suffix(5)
        name = f"{job.id}-{suffix}"
        if name in job.executions:
            raise already_exists(f"Resource '{name}' already exists.")
        count = template.get("taskCount", 1)
        execution = Execution(
            job=job,
            id=name,
            template=template["template"],
            task_count=count,
            parallelism=template.get("parallelism") or count,
            created_at=self.clock.seconds(),
            creator=creator,
            labels={**job.body.get("labels", {}), **template.get("labels", {})},
            annotations=template.get("annotations", {}),
        )
        execution.tasks = [Task(execution, index) for index in range(count)]
        job.executions[name] = execution
        job.execution_count += 1
        self.started[job.project] += 1
        job.latest = execution
        self._later(self.settings.start_delay_seconds, lambda: self._start(execution))
        return execution

    def execution(self, name: str) -> Execution:
        """Find an execution.

        Raises:
            ApiError: 404.
        """
        job, _, execution_id = name.partition("/executions/")
        found = self.jobs.get(job)
        execution = found.executions.get(execution_id) if found is not None else None
        if execution is None:
            raise no_such("EXECUTION", name)
        return execution

    def cancel(self, execution: Execution, *, etag: str = "") -> None:
        """Cancel an execution: SIGTERM, and SIGKILL after the grace.

        Raises:
            ApiError: 400 when it has ended, 409 for an old etag.
        """
        check_etag(execution.id, etag, execution.etag)
        if execution.is_ended:
            raise failed_precondition(f"Execution '{execution.id}' is already completed and cannot be cancelled.")
        self._stop(execution)

    def delete_execution(self, execution: Execution, done: Callable[[], None], *, etag: str = "") -> None:
        """Delete an execution, after it was stopped.

        Raises:
            ApiError: 409 for an old etag.
        """
        check_etag(execution.id, etag, execution.etag)
        execution.deleted_at = self.clock.seconds()
        self._stop(execution)
        self._when_idle([execution], lambda: (execution.job.executions.pop(execution.id, None), done()))

    # Tasks

    def _start(self, execution: Execution) -> None:
        if execution.is_ended or execution.cancelled_at is not None:
            return
        problem = self.play.of(execution.job.id).start_problem if self.runner is None else ""
        if problem:
            now = self.clock.seconds()
            execution.failure = Condition("Completed", "CONDITION_FAILED", now, problem, "INTERNAL")
            self._end(execution)
            return
        execution.started_at = self.clock.seconds()
        self._fill(execution)

    def _fill(self, execution: Execution) -> None:
        """Start as many tasks as may run at once."""
        if execution.is_ended or execution.cancelled_at is not None:
            return
        for task in execution.tasks:
            if execution.count("running") >= execution.parallelism:
                return
            if task.state == "pending":
                self._attempt(task)

    def _attempt(self, task: Task) -> None:
        execution = task.execution
        job, template = execution.job, execution.template
        now = self.clock.seconds()
        task.state, task.started_at = "running", task.started_at or now
        attempt, epoch = task.attempt, self._epoch

        def ended(end: AttemptEnd) -> None:
            with self._server.changed:
                if epoch == self._epoch and task.attempt == attempt and task.state == "running":
                    self._attempt_ended(task, end)
                self._server.changed.notify_all()

        containers = cast("list[Json]", template["containers"])
        limits: list[str] = [each.get("resources", {}).get("limits", {}).get("memory", "512Mi") for each in containers]
        launch = Launch(
            project=job.project,
            location=job.location,
            job=job.id,
            execution=execution.id,
            index=task.index,
            attempt=attempt,
            containers=containers,
            environment=[self._environment(task, each) for each in containers],
            volumes=self.secrets.volumes(job.project, template),
            timeout_seconds=seconds_of(template["timeout"]),
            memory_bytes=memory_bytes(limits[0]),
            ended=ended,
            wrote=lambda stream, line: self.log(launch, stream, line),
        )
        runner = self.runner or self.play
        task.running = runner.launch(launch)

    def _environment(self, task: Task, container: Json) -> dict[str, str]:
        execution = task.execution
        return {
            # https://cloud.google.com/run/docs/container-contract#jobs-env-vars
            "CLOUD_RUN_JOB": execution.job.id,
            "CLOUD_RUN_EXECUTION": execution.id,
            "CLOUD_RUN_TASK_INDEX": str(task.index),
            "CLOUD_RUN_TASK_ATTEMPT": str(task.attempt),
            "CLOUD_RUN_TASK_COUNT": str(execution.task_count),
            **self.secrets.environment(execution.job.project, container),
        }

    def _attempt_ended(self, task: Task, end: AttemptEnd) -> None:
        execution = task.execution
        task.end, task.running = end, None
        is_stopped = execution.cancelled_at is not None
        if end.is_success:
            task.state = "succeeded"
        elif is_stopped:
            task.state = "cancelled"
        elif end.may_retry and task.attempt < execution.template.get("maxRetries", 3):
            task.attempt += 1
            task.state = "pending"
        else:
            task.state = "failed"
        if task.is_ended:
            task.ended_at = self.clock.seconds()
        if task.state == "failed":  # the others are stopped, too: one task that fails is an execution that fails
            for other in execution.tasks:
                if other.state == "pending":
                    other.state, other.ended_at = "cancelled", self.clock.seconds()
                elif other.running is not None:
                    other.running.stop(self.settings.grace_seconds)
        if all(each.is_ended for each in execution.tasks):
            self._end(execution)
        else:
            self._fill(execution)

    def _stop(self, execution: Execution) -> None:
        if execution.is_ended or execution.cancelled_at is not None:
            return
        execution.cancelled_at = self.clock.seconds()
        for task in execution.tasks:
            if task.running is not None:
                task.running.stop(self.settings.grace_seconds)
            elif task.state == "pending":
                task.state, task.ended_at = "cancelled", execution.cancelled_at
        if all(task.is_ended for task in execution.tasks):
            self._end(execution)

    def _end(self, execution: Execution) -> None:
        execution.ended_at = self.clock.seconds()
        self._server.changed.notify_all()
        for waiting in list(self._waiting):
            self._look(waiting)

    # Waiting

    def when_ended(self, execution: Execution, done: Callable[[], object]) -> None:
        """Call a function when an execution has ended."""
        self._when_idle([execution], done)

    def _when_idle(self, executions: list[Execution], done: Callable[[], object]) -> None:
        waiting = _Waiting(executions, done, self._epoch)
        self._waiting.append(waiting)
        self._look(waiting)

    def _look(self, waiting: _Waiting) -> None:
        if all(each.is_ended for each in waiting.executions) and waiting in self._waiting:
            self._waiting.remove(waiting)
            if waiting.epoch == self._epoch:
                waiting.done()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        epoch = self._epoch

        def act_unless_reset() -> None:
            with self._server.changed:
                if epoch == self._epoch:
                    act()
                    self._server.changed.notify_all()

        self.clock.later(seconds, act_unless_reset)


@dataclass(eq=False)
class _Waiting:
    executions: list[Execution]
    done: Callable[[], object]
    epoch: int


def _nowhere(launch: Launch, stream: str, line: str) -> None:
    del launch, stream, line
