"""Azure Container Apps: jobs and their executions.

https://learn.microsoft.com/rest/api/containerapps/jobs
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from .arm_errors import ArmError, Json, resource_not_found, rows_of
from .arm_operations import AsyncOperation
from .arm_schema import SchemaError, read_request
from .arm_server import invalid_content
from .arm_service import (
    GROUP_PATH,
    SUBSCRIPTION_PATH,
    Answer,
    ArmRequest,
    Provider,
    ResourceKey,
    answers,
    page,
)
from .container_job import ContainerJob
from .container_job_checks import check_job, check_template, image_missing
from .job_execution import KIND, Execution, ReplicaContainer
from .managed_environments import check_environment

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .console_logs import ConsoleLogs
    from .container_play import Play

_JOBS = f"{GROUP_PATH}/providers/{KIND}"
_JOB = _JOBS + "/{jobName}"
_EXECUTIONS = _JOB + "/executions"
_EXECUTION = _EXECUTIONS + "/{jobExecutionName}"


class ContainerApps(Provider):
    """All jobs of all subscriptions."""

    namespace = "Microsoft.App"
    version = "2026-07-01"

    def __init__(self, server: ArmServer, play: Play, logs: ConsoleLogs) -> None:
        """Start with none.

        Args:
            server: Where it stands.
            play: Starts containers.
            logs: Where they write.
        """
        super().__init__(server)
        self._play = play
        self._logs = logs
        self.jobs: dict[ResourceKey, ContainerJob] = {}
        self._gone: list[ContainerJob] = []
        self.started = 0
        """How many executions were started."""

        play.sources.append(self._live)

    def model(self, name: str) -> type[Any]:
        """Give a model class of azure-mgmt-appcontainers."""
        return getattr(import_module("azure.mgmt.appcontainers.models"), name)

    def reset(self) -> None:
        """Forget all jobs, and end their containers."""
        for job in self.jobs.values():
            job.kill()
        self.jobs.clear()
        for job in self._gone:
            job.kill()
        self._gone.clear()
        self._logs.reset()
        self.started = 0

    def _live(self) -> Iterable[ReplicaContainer]:
        return [each for job in [*self.jobs.values(), *self._gone] for each in job.containers]

    # What others need

    def get_job(self, subscription: str, group: str, name: str) -> ContainerJob:
        """Give a job.

        Raises:
            ArmError: 404.
        """
        found = self.jobs.get(ResourceKey.of(subscription, group, name))
        if found is None:
            raise resource_not_found(KIND, name, group)
        return found

    def read_job(self, name: str, body: Json) -> Json:
        """Check a job before it is made.

        Raises:
            ArmError: 400.
        """
        try:
            data = read_request(self.model("Job"), body)
        except SchemaError as exc:
            raise invalid_content(str(exc)) from None
        check_job(name, data)
        check_environment(data["properties"]["environmentId"], self.server.settings)
        return data

    def put(self, subscription: str, group: str, name: str, data: Json) -> tuple[ContainerJob, bool]:
        """Create or change a job.

        Returns:
            The job, and whether it is new.

        Raises:
            ArmError: The refusal.
        """
        check_job(name, data)
        check_environment(data["properties"]["environmentId"], self.server.settings)
        key = ResourceKey.of(subscription, group, name)
        known = self.jobs.get(key)
        if known is not None:
            self._settled(known)
            if known.environment.lower() != data["properties"]["environmentId"].lower():
                raise ArmError(400, "JobEnvironmentIdImmutable", f"The environment of job '{name}' cannot be changed.")
        self._check_images(name, data["properties"]["template"])
        if known is None:
            job = ContainerJob(self.server, self._play, self._logs, key, (subscription, group, name), data)
            self.jobs[key] = job
        else:
            job, known.data = known, data
        job.provision()
        return job, known is None

    def _check_images(self, name: str, template: Json) -> None:
        for each in [*rows_of(template, "initContainers"), *template["containers"]]:
            if not self._play.can_pull([name], each["name"], each["image"]):
                raise image_missing(each["name"], each["image"])

    def _settled(self, job: ContainerJob) -> None:
        if job.provisioning in ("InProgress", "Deleting"):
            said = f"Cannot modify a job '{job.name}' because there is an active provisioning operation in progress. "
            raise ArmError(409, "ContainerAppOperationInProgress", f"{said}Please retry when it has ended.")

    def remove(self, job: ContainerJob) -> None:
        """Delete a job with its executions at once."""
        self.jobs.pop(job.key, None)
        for execution in job.executions:
            execution.stop()
        self._gone = [each for each in [*self._gone, job] if any(one.running for one in each.containers)]

    # Jobs

    @answers("Jobs_ListBySubscription", "GET", f"{SUBSCRIPTION_PATH}/providers/{KIND}", answer="Job[]")
    def list_by_subscription(self, request: ArmRequest) -> Answer:
        """Give the jobs of a subscription."""
        return self._list(request, "")

    @answers("Jobs_ListByResourceGroup", "GET", _JOBS, answer="Job[]")
    def list_by_resource_group(self, request: ArmRequest) -> Answer:
        """Give the jobs of a resource group."""
        return self._list(request, request.group.lower())

    def _list(self, request: ArmRequest, group: str) -> Answer:
        found = [
            each.view()
            for each in self.jobs.values()
            if each.key.subscription == request.subscription.lower() and group in ("", each.key.group)
        ]
        path = request.operation.path.format(**request.params)
        return Answer(page(self.server.endpoint, path, request, found, self.server.settings.page_size))

    @answers("Jobs_Get", "GET", _JOB, answer="Job")
    def get(self, request: ArmRequest) -> Answer:
        """Give a job."""
        return Answer(self._find(request).view())

    @answers("Jobs_CreateOrUpdate", "PUT", _JOB, body="Job", answer="Job")
    def create_or_update(self, request: ArmRequest) -> Answer:
        """Create or change a job."""
        job, is_new = self.put(request.subscription, request.group, request.params["jobName"], request.body)
        headers = self._headers(self._operation(job), request, status=True, location=False)
        return Answer(job.view(), 201 if is_new else 200, headers)

    @answers("Jobs_Update", "PATCH", _JOB, body="JobPatchProperties", answer="Job")
    def update(self, request: ArmRequest) -> Answer:
        """Change parts of a job."""
        job = self._find(request)
        self._settled(job)
        data = _merged(job.data, request.body)
        job, _ = self.put(job.subscription, job.group, job.name, data)
        operation = self._operation(job)
        operation.result = lambda: Answer(job.view())
        return Answer(None, 202, self._headers(operation, request, status=False, location=True))

    @answers("Jobs_Delete", "DELETE", _JOB)
    def delete(self, request: ArmRequest) -> Answer:
        """Delete a job with its executions; 204 when there is none."""
        key = ResourceKey.of(request.subscription, request.group, request.params["jobName"])
        job = self.jobs.get(key)
        if job is None:
            return Answer(None, 204)
        if job.provisioning == "InProgress":
            self._settled(job)
        operation = self.server.operations.new(request.subscription, self.namespace)
        job.provisioning = "Deleting"
        for execution in job.executions:
            execution.stop()

        def gone() -> None:
            with self.server.lock:
                if self.jobs.get(key) is job:
                    self.remove(job)
                self.server.operations.end(operation)

        self._later(self.server.settings.delete_seconds, gone)
        return Answer(None, 202, self._headers(operation, request, status=False, location=True))

    @answers("Jobs_ListSecrets", "POST", _JOB + "/listSecrets", answer="Secret[]")
    def list_secrets(self, request: ArmRequest) -> Answer:
        """Give the secrets of a job with their values."""
        job = self._find(request)
        return Answer({"value": [{"name": name, "value": value} for name, value in job.secrets.items()]})

    @answers("Jobs_Suspend", "POST", _JOB + "/suspend", answer="Job")
    def suspend(self, request: ArmRequest) -> Answer:
        """Let no executions start from now on."""
        return self._suspend(request, is_suspended=True)

    @answers("Jobs_Resume", "POST", _JOB + "/resume", answer="Job")
    def resume(self, request: ArmRequest) -> Answer:
        """Let executions start again."""
        return self._suspend(request, is_suspended=False)

    def _suspend(self, request: ArmRequest, *, is_suspended: bool) -> Answer:
        job = self._find(request)
        self._settled(job)
        job.is_suspended = is_suspended
        return Answer(job.view())

    # Executions

    @answers("Jobs_Start", "POST", _JOB + "/start", body="JobExecutionTemplate?", answer="JobExecutionBase")
    def start(self, request: ArmRequest) -> Answer:
        """Start an execution, with other containers if the body says so."""
        job = self._find(request)
        self._settled(job)
        if job.provisioning == "Failed":
            said = f"The job '{job.name}' cannot be started: its provisioning has failed."
            raise ArmError(400, "JobProvisioningFailed", said)
        if job.is_suspended:
            raise ArmError(400, "JobSuspended", f"The job '{job.name}' cannot be started: it is suspended.")
        override = {kind: rows for kind, rows in request.body.items() if rows}
        if override:
            own: Json = job.data["properties"]
            template: Json = {**own["template"], **override}
            check_template(template, own)
            self._check_images(job.name, template)
        execution = job.start(override)
        self.started += 1
        base = {"id": execution.id, "name": execution.name}
        operation = self.server.operations.new(job.subscription, self.namespace)
        operation.result = lambda: Answer(base)
        self.server.operations.end(operation)
        return Answer(base, 202, self._headers(operation, request, status=False, location=True))

    @answers("JobsExecutions_List", "GET", _EXECUTIONS, answer="JobExecution[]")
    def list_executions(self, request: ArmRequest) -> Answer:
        """Give the executions of a job, the newest first."""
        views = [each.view for each in self._find(request).executions]
        path = request.operation.path.format(**request.params)
        return Answer(page(self.server.endpoint, path, request, views, self.server.settings.page_size))

    @answers("JobExecution", "GET", _EXECUTION, answer="JobExecution")
    def get_execution(self, request: ArmRequest) -> Answer:
        """Give an execution."""
        return Answer(self._execution(request).view)

    @answers("Jobs_StopExecution", "POST", _EXECUTION + "/stop")
    def stop_execution(self, request: ArmRequest) -> Answer:
        """Stop an execution: SIGTERM, and after the grace SIGKILL."""
        execution = self._execution(request)
        operation = self._stopping([execution])
        return Answer(None, 202, self._headers(operation, request, status=False, location=True))

    @answers("Jobs_StopMultipleExecutions", "POST", _JOB + "/stop")
    def stop_executions(self, request: ArmRequest) -> Answer:
        """Stop all executions of a job that run."""
        job = self._find(request)
        running = [each for each in job.executions if not each.is_over]
        operation = self._stopping(running)
        operation.result = lambda: Answer({"value": [each.view for each in running]})
        return Answer(None, 202, self._headers(operation, request, status=False, location=True))

    def _stopping(self, executions: list[Execution]) -> AsyncOperation:
        operation = self.server.operations.new("", self.namespace)

        def stop() -> None:
            with self.server.lock:
                for each in executions:
                    each.stop()
                self.server.operations.end(operation)

        self._later(self.server.settings.stop_seconds, stop)
        return operation

    @answers("JobsExecutions_ListReplicas", "GET", _EXECUTION + "/replicas")
    def list_replicas(self, request: ArmRequest) -> Answer:
        """Give the replicas of an execution, and where the log of each container is streamed."""
        execution = self._execution(request)
        job = execution.job
        base = f"{self.server.endpoint}/subscriptions/{job.subscription}/resourceGroups/{job.group}/jobs/{job.name}"
        values = [
            {
                "id": f"{execution.id}/replicas/{replica.name}",
                "name": replica.name,
                "type": f"{KIND}/executions/replicas",
                "properties": {
                    "runningState": "Running" if any(each.running for each in replica.containers) else "NotRunning",
                    "containers": [
                        {
                            "name": each.container,
                            "ready": each.running is not None,
                            "started": each.state != "Waiting",
                            "restartCount": 0,
                            "logStreamEndpoint": f"{base}/executions/{execution.name}/replicas/{replica.name}"
                            f"/containers/{each.container}/logstream",
                        }
                        for each in replica.containers
                    ],
                },
            }
            for replica in execution.replicas
        ]
        return Answer({"value": values})

    # Helpers

    def _find(self, request: ArmRequest) -> ContainerJob:
        return self.get_job(request.subscription, request.group, request.params["jobName"])

    def _execution(self, request: ArmRequest) -> Execution:
        job = self._find(request)
        name = request.params["jobExecutionName"]
        for execution in job.executions:
            if execution.name == name.lower():
                return execution
        raise resource_not_found(f"{KIND}/{job.name}/executions", name, job.group)

    def _operation(self, job: ContainerJob) -> AsyncOperation:
        operations = self.server.operations
        operation = operations.new(job.subscription, self.namespace)
        if job.provisioning != "InProgress":
            operations.end(operation, job.problem)
        else:
            job.done.append(lambda done: operations.end(operation, done.problem))
        return operation

    def _headers(
        self, operation: AsyncOperation, request: ArmRequest, *, status: bool, location: bool
    ) -> dict[str, str]:
        operation.subscription = operation.subscription or request.subscription
        return self.server.operations.headers(operation, request.api_version, status=status, location=location)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.server.clock.later(max(seconds, 0.001), act)


def _merged(old: Any, new: Any) -> Any:
    """Merge a patch: objects by their fields, all else is replaced (RFC 7396)."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    merged = dict(cast("Json", old))
    for key, value in cast("Json", new).items():
        merged[key] = _merged(merged.get(key), value)
    return merged
