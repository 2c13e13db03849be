"""Cloud Run Admin API v2: jobs, executions, tasks, operations.

Descriptions and limits are those of `run.v2.json`; https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .discovery import Method
from .errors import ApiError, Json, not_found
from .operations import Operation
from .run_model import PACKAGE, Execution, Job
from .run_store import RunStore
from .service import ApiRequest, Service, answers, page

if TYPE_CHECKING:
    from .rest_server import RestServer

JOBS = "run.projects.locations.jobs"
EXECUTIONS = f"{JOBS}.executions"
TASKS = f"{EXECUTIONS}.tasks"
OPERATIONS = "run.projects.locations.operations"


class CloudRunV2(Service):
    """Jobs of Cloud Run."""

    api, version = "run", "v2"

    def __init__(self, server: RestServer) -> None:
        """Stand in a server, with the jobs that API v1 has, too."""
        super().__init__(server)
        self.store = server.shared(RunStore)

    def reset(self) -> None:
        """Forget all jobs."""
        self.store.reset()

    def knows(self, method: Method, params: Mapping[str, str]) -> bool:
        """Operations of this API only."""
        return not method.id.startswith(OPERATIONS) or self.server.operations.is_of(params["name"], self.api)

    # Jobs

    @answers(f"{JOBS}.create")
    def create_job(self, request: ApiRequest) -> Json:
        """Create a job; the operation ends when it is ready."""
        dry_run = request.params.get("validateOnly", False)
        body, job_id = request.body, request.params.get("jobId", "")
        job = self.store.create(request.parent, job_id, body, request.email, dry_run=dry_run)
        return self._when_ready(job, is_done=dry_run)

    @answers(f"{JOBS}.get")
    def get_job(self, request: ApiRequest) -> Json:
        """Give a job."""
        return self.store.job(request.name).data

    @answers(f"{JOBS}.list")
    def list_jobs(self, request: ApiRequest) -> Json:
        """Give a page of the jobs of a project and region, the newest first."""
        return self._page([job.data for job in self.store.in_parent(request.parent)], request, "jobs")

    @answers(f"{JOBS}.patch")
    def patch_job(self, request: ApiRequest) -> Json:
        """Replace a job's template, labels and annotations."""
        if request.name not in self.store.jobs and request.params.get("allowMissing"):
            parent, _, job_id = request.name.rpartition("/jobs/")
            return self._when_ready(self.store.create(parent, job_id, request.body, request.email))
        job = self.store.job(request.name)
        if not request.params.get("validateOnly"):
            self.store.replace(job, request.body, request.email, etag=request.body.get("etag", ""))
        return self._when_ready(job)

    @answers(f"{JOBS}.delete")
    def delete_job(self, request: ApiRequest) -> Json:
        """Stop the executions of a job and delete it; the operation ends when it is gone."""
        job = self.store.job(request.name)
        operation = self._operation(job.parent, "Job", job.data)
        if not request.params.get("validateOnly"):
            done = _Finish(self, operation, "Job", job)
            self.store.delete(job, done, etag=request.params.get("etag", ""))
            operation.metadata = _typed("Job", job.data)
        return operation.data

    @answers(f"{JOBS}.run")
    def run_job(self, request: ApiRequest) -> Json:
        """Start an execution; the operation, whose metadata it is, ends when the execution has ended."""
        job = self.store.job(request.name)
        if request.body.get("validateOnly"):
            return self._operation(job.parent, "Execution", {}).data
        overrides: Json = request.body.get("overrides", {})
        execution = self.store.run(job, overrides, request.email, etag=request.body.get("etag", ""))
        operation = self._operation(job.parent, "Execution", execution.data)
        self.store.when_ended(execution, _Finish(self, operation, "Execution", execution))
        return operation.data

    # Executions

    @answers(f"{EXECUTIONS}.get")
    def get_execution(self, request: ApiRequest) -> Json:
        """Give an execution."""
        return self.store.execution(request.name).data

    @answers(f"{EXECUTIONS}.list")
    def list_executions(self, request: ApiRequest) -> Json:
        """Give a page of the executions of a job, or of all jobs of the region, for `jobs/-`. The newest first."""
        parent = request.parent
        place, _, job_id = parent.partition("/jobs/")
        if job_id == "-":
            found = [each for job in self.store.in_parent(place) for each in self.store.executions(job.name)]
            found.sort(key=lambda each: each.created_at, reverse=True)
        else:
            found = list(self.store.executions(self.store.job(parent).name))
        return self._page([execution.data for execution in found], request, "executions")

    @answers(f"{EXECUTIONS}.cancel")
    def cancel_execution(self, request: ApiRequest) -> Json:
        """Cancel an execution; the operation ends when its tasks have ended."""
        execution = self.store.execution(request.name)
        if not request.body.get("validateOnly"):
            self.store.cancel(execution, etag=request.body.get("etag", ""))
        operation = self._operation(execution.job.parent, "Execution", execution.data)
        self.store.when_ended(execution, _Finish(self, operation, "Execution", execution))
        return operation.data

    @answers(f"{EXECUTIONS}.delete")
    def delete_execution(self, request: ApiRequest) -> Json:
        """Stop an execution and delete it."""
        execution = self.store.execution(request.name)
        operation = self._operation(execution.job.parent, "Execution", execution.data)
        if not request.params.get("validateOnly"):
            done = _Finish(self, operation, "Execution", execution)
            self.store.delete_execution(execution, done, etag=request.params.get("etag", ""))
        return operation.data

    @answers(f"{TASKS}.get")
    def get_task(self, request: ApiRequest) -> Json:
        """Give a task."""
        execution = self.store.execution(request.name.partition("/tasks/")[0])
        for task in execution.tasks:
            if task.name == request.name:
                return task.data
        raise not_found(f"Resource '{request.name.rpartition('/')[2]}' of kind 'TASK' does not exist.")

    @answers(f"{TASKS}.list")
    def list_tasks(self, request: ApiRequest) -> Json:
        """Give a page of the tasks of an execution."""
        execution = self.store.execution(request.parent)
        return self._page([task.data for task in execution.tasks], request, "tasks")

    # Operations

    @answers(f"{OPERATIONS}.get")
    def get_operation(self, request: ApiRequest) -> Json:
        """Give an operation."""
        return self.server.operations.get(request)

    @answers(f"{OPERATIONS}.list")
    def list_operations(self, request: ApiRequest) -> Json:
        """Give a page of the operations of a project and region."""
        return self.server.operations.list(request, self.api)

    @answers(f"{OPERATIONS}.wait")
    def wait_operation(self, request: ApiRequest) -> Json:
        """Give an operation when it has ended, or when the time-out is over."""
        return self.server.operations.wait(request)

    @answers(f"{OPERATIONS}.delete")
    def delete_operation(self, request: ApiRequest) -> Json:
        """Forget an operation."""
        return self.server.operations.delete(request)

    def _page(self, items: list[Json], request: ApiRequest, field: str) -> Json:
        size = self.store.settings.page_size
        return page(items, request.params, field, default_size=size, largest_size=size)

    def _operation(self, parent: str, kind: str, data: Json) -> Operation:
        return self.server.operations.new(self.api, parent, _typed(kind, data))

    def _when_ready(self, job: Job, *, is_done: bool = False) -> Json:
        operation = self._operation(job.parent, "Job", job.data)
        finish = _Finish(self, operation, "Job", job)
        if is_done:
            finish()
            return operation.data
        generation = job.generation

        def look() -> None:
            with self.server.changed:
                if job.is_reconciling and job.generation == generation and self.store.jobs.get(job.name) is job:
                    self.server.clock.later(0.01, look)
                elif job.failure is not None:
                    code = 404 if job.failure.reason == "CONTAINER_MISSING" else 403
                    self.server.operations.finish(operation, error=ApiError(code, job.failure.message))
                else:
                    finish()

        self.server.clock.later(self.store.settings.ready_delay_seconds, look)
        return operation.data


class _Finish:
    """Ends an operation with what it was about."""

    def __init__(self, service: CloudRunV2, operation: Operation, kind: str, thing: Job | Execution) -> None:
        self._service = service
        self._operation = operation
        self._kind = kind
        self._thing = thing

    def __call__(self) -> None:
        data = _typed(self._kind, self._thing.data)
        self._operation.metadata = data
        self._service.server.operations.finish(self._operation, data)


def _typed(kind: str, data: Mapping[str, Any]) -> Json:
    return {"@type": f"{PACKAGE}.{kind}", **data}
