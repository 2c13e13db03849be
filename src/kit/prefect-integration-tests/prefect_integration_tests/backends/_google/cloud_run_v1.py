"""Cloud Run Admin API v1: jobs, executions and tasks of a namespace, which is a project.

It is served by regional hosts (`us-east1-run.googleapis.com`), see `GoogleApi.endpoint_of`. On the server's plain
address a job is looked for in all regions, and made in the default one.
https://cloud.google.com/run/docs/reference/rest/v1/namespaces.jobs
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import Json, invalid_argument
from .knative import (
    API_VERSION,
    LOCATION,
    execution_labels,
    execution_to_v1,
    job_to_v1,
    overrides_to_v2,
    task_to_v1,
    to_v2,
)
from .run_bodies import new_suffix
from .run_checks import selects
from .run_model import Execution, Job
from .run_refusals import no_such
from .run_store import RunStore
from .service import ApiRequest, Service, answers, page

if TYPE_CHECKING:
    from .rest_server import RestServer

T = TypeVar("T")

JOBS = "run.namespaces.jobs"
EXECUTIONS = "run.namespaces.executions"
TASKS = "run.namespaces.tasks"


class CloudRunV1(Service):
    """Jobs of Cloud Run, as Knative would have them."""

    api, version = "run", "v1"

    def __init__(self, server: RestServer) -> None:
        """Stand in a server, with the jobs that API v2 has, too."""
        super().__init__(server)
        self.store = server.shared(RunStore)

    def reset(self) -> None:
        """Nothing of its own: API v2 forgets the jobs."""

    # Jobs

    @answers(f"{JOBS}.create")
    def create_job(self, request: ApiRequest) -> Json:
        """Create a job; its condition Ready says when it is ready."""
        namespace = request.parent.removeprefix("namespaces/")
        metadata: Json = request.body.get("metadata", {})
        name = metadata.get("name") or f"{metadata.get('generateName', 'job-')}{new_suffix(5)}"
        body = to_v2(request.body, namespace)
        job = self.store.create(
            f"projects/{namespace}/locations/{request.region or self.store.settings.region}",
            name,
            body,
            request.email,
            dry_run=request.params.get("dryRun") == "all",
            knative=request.body,
        )
        return job_to_v1(job)

    @answers(f"{JOBS}.get")
    def get_job(self, request: ApiRequest) -> Json:
        """Give a job."""
        return job_to_v1(self._job(request))

    @answers(f"{JOBS}.list")
    def list_jobs(self, request: ApiRequest) -> Json:
        """Give a page of the jobs of a namespace whose labels fit."""
        jobs = [(job_to_v1(job), {**job.body.get("labels", {}), LOCATION: job.location}) for job in self._jobs(request)]
        return self._page(jobs, request, "JobList")

    @answers(f"{JOBS}.replaceJob")
    def replace_job(self, request: ApiRequest) -> Json:
        """Replace a job; an old `metadata.resourceVersion` is refused."""
        job = self._job(request)
        version = request.body.get("metadata", {}).get("resourceVersion", "")
        body = to_v2(request.body, job.project)
        self.store.replace(job, body, request.email, etag=f'"{version}"' if version else "", knative=request.body)
        return job_to_v1(job)

    @answers(f"{JOBS}.delete")
    def delete_job(self, request: ApiRequest) -> Json:
        """Stop the executions of a job and delete it; it is there until they have ended."""
        self._check_policy(request)
        job = self._job(request)
        self.store.delete(job, _nothing)
        return {"status": "Success", "code": 200}

    @answers(f"{JOBS}.run")
    def run_job(self, request: ApiRequest) -> Json:
        """Start an execution."""
        overrides = overrides_to_v2(request.body.get("overrides", {}))
        return execution_to_v1(self.store.run(self._job(request), overrides, request.email))

    # Executions

    @answers(f"{EXECUTIONS}.get")
    def get_execution(self, request: ApiRequest) -> Json:
        """Give an execution."""
        return execution_to_v1(self._execution(request))

    @answers(f"{EXECUTIONS}.list")
    def list_executions(self, request: ApiRequest) -> Json:
        """Give a page of the executions of a namespace whose labels fit, such as `run.googleapis.com/job=…`."""
        found = [(execution_to_v1(each), execution_labels(each)) for each in self._executions(request)]
        return self._page(found, request, "ExecutionList")

    @answers(f"{EXECUTIONS}.cancel")
    def cancel_execution(self, request: ApiRequest) -> Json:
        """Cancel an execution."""
        execution = self._execution(request)
        self.store.cancel(execution)
        return execution_to_v1(execution)

    @answers(f"{EXECUTIONS}.delete")
    def delete_execution(self, request: ApiRequest) -> Json:
        """Stop an execution and delete it."""
        self._check_policy(request)
        self.store.delete_execution(self._execution(request), _nothing)
        return {"status": "Success", "code": 200}

    # Tasks

    @answers(f"{TASKS}.get")
    def get_task(self, request: ApiRequest) -> Json:
        """Give a task."""
        wanted = request.name.rpartition("/")[2]
        for execution in self._executions(request):
            for task in execution.tasks:
                if task.id == wanted:
                    return task_to_v1(task)
        raise no_such("TASK", self._full(request, "tasks"))

    @answers(f"{TASKS}.list")
    def list_tasks(self, request: ApiRequest) -> Json:
        """Give a page of the tasks whose labels fit, such as `run.googleapis.com/execution=…`."""
        tasks = [task_to_v1(task) for each in self._executions(request) for task in each.tasks]
        return self._page([(task, task["metadata"]["labels"]) for task in tasks], request, "TaskList")

    # Finding

    def _jobs(self, request: ApiRequest) -> list[Job]:
        namespace = request.params.get("parent") or request.name
        return self.store.in_parent(f"projects/{namespace.split('/')[1]}/locations/{request.region or '-'}")

    def _job(self, request: ApiRequest) -> Job:
        wanted = request.name.rpartition("/")[2]
        return _first(self._jobs(request), lambda job: job.id == wanted) or self.store.job(self._full(request, "jobs"))

    def _executions(self, request: ApiRequest) -> list[Execution]:
        found = [each for job in self._jobs(request) for each in job.executions.values()]
        return sorted(found, key=lambda execution: execution.created_at, reverse=True)

    def _execution(self, request: ApiRequest) -> Execution:
        wanted = request.name.rpartition("/")[2]
        found = _first(self._executions(request), lambda execution: execution.id == wanted)
        if found is None:
            raise no_such("EXECUTION", self._full(request, "executions"))
        return found

    def _full(self, request: ApiRequest, kind: str) -> str:
        _, project, *_, name = request.name.split("/")
        return f"projects/{project}/locations/{request.region or self.store.settings.region}/{kind}/{name}"

    def _page(self, items: list[tuple[Json, Json]], request: ApiRequest, kind: str) -> Json:
        params = request.params
        for name in ("fieldSelector", "watch", "resourceVersion"):
            if params.get(name):
                said = f"{name} is not supported by Cloud Run"
                raise invalid_argument(said, (name, "Not supported by Cloud Run."))
        fits = selects(params.get("labelSelector", ""))
        size = self.store.settings.page_size
        wanted: dict[str, Any] = {"pageSize": params.get("limit"), "pageToken": params.get("continue")}
        found = page(
            [item for item, labels in items if fits(labels)], wanted, "items", default_size=size, largest_size=size
        )
        token = found.pop("nextPageToken", "")
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"continue": token} if token else {}, **found}

    def _check_policy(self, request: ApiRequest) -> None:
        policy = request.params.get("propagationPolicy")
        if policy not in (None, "", "Background", "background", "Foreground", "foreground"):
            said = "Unsupported propagation policy; only background and foreground are supported"
            raise invalid_argument(said, ("propagation_policy", said))


def _first(items: list[T], fits: Callable[[T], bool]) -> T | None:
    return next((item for item in items if fits(item)), None)


def _nothing() -> None:
    """Nobody waits: API v1 has no operations."""
