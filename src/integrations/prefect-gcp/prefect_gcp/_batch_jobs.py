"""Google Cloud Batch jobs that are started and waited for: states, exit codes of tasks, the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._named_jobs import JobRequest, NamedJob
from ._remote_job import MAX_NAMED, Json
from ._remote_work import Api
from ._schemas import check_body
from .errors import GcpInvalidRequest

if TYPE_CHECKING:
    from .credentials import GcpCredentials

KIND = "Batch job"
_NOTHING: Json = {}
# https://cloud.google.com/batch/docs/troubleshooting#reserved-exit-codes
_EXIT_CODES = {
    50001: "VM preemption",
    50002: "VM reporting timeout",
    50003: "VM rebooted during execution",
    50004: "VM and task are unresponsive",
    50005: "task runs over the maximum runtime",
    50006: "VM recreated during execution",
}


@dataclass(frozen=True)
class CloudBatchTaskFailure:
    """A task that failed.

    Attributes:
        task: Full name of the task.
        exit_code: Exit code of what failed in it; `None` when Batch gives none.
        message: What Batch says of it.
    """

    task: str
    exit_code: int | None
    message: str

    def __str__(self) -> str:
        """Say it in a few words."""
        index = self.task.rpartition("/")[2]
        if self.exit_code is None:
            return f"task {index}: {self.message}"
        known = _EXIT_CODES.get(self.exit_code)
        return f"task {index}: exit code {self.exit_code}{f' ({known})' if known else ''}"


@dataclass(frozen=True)
class CloudBatchJobResult:
    """A job as it was last seen.

    Attributes:
        name: Full name, `projects/…/locations/…/jobs/…`.
        state: `QUEUED`, `SCHEDULED`, `RUNNING`, `SUCCEEDED`, `FAILED`, `CANCELLATION_IN_PROGRESS`, `CANCELLED` or
            `DELETION_IN_PROGRESS`.
        uid: ID that Batch gave it; logs are found by it.
        run_seconds: Seconds for which it ran; `None` when Batch does not say.
        task_counts: How many tasks are in which state.
        events: What Batch told of the job, the oldest first.
        log_url: Where the Cloud console shows its logs.
    """

    name: str
    state: str
    uid: str = ""
    run_seconds: float | None = None
    task_counts: Mapping[str, int] = field(default_factory=dict[str, int])
    events: tuple[str, ...] = ()
    log_url: str = ""

    @property
    def job_id(self) -> str:
        """Last part of the name."""
        return self.name.rpartition("/")[2]


def job_work(
    job: Mapping[str, Any],
    region: str,
    credentials: GcpCredentials,
    job_id: str | None,
    project: str | None,
    *,
    is_block: bool = False,
) -> CloudBatchWork:
    """Check what is to be started, and describe it.

    Raises:
        GcpInvalidRequest: Naming the field that is wrong.
    """
    check_body(job, "Job", api="batch", version="v1", subject=KIND, field="job")
    groups: Sequence[Any] = job.get("taskGroups") or ()
    if not groups:
        raise GcpInvalidRequest(
            f"{KIND}: job has no taskGroups; give one, with a taskSpec that has runnables.", subject=KIND
        )
    for index, group in enumerate(groups):
        spec: Json = group.get("taskSpec") or {}
        if not spec.get("runnables"):
            raise GcpInvalidRequest(
                f"{KIND}: job.taskGroups[{index}].taskSpec has no runnables; give at least one with a container or a "
                "script.",
                subject=KIND,
            )
    # Without a policy, what the tasks write is lost.
    body = {"logsPolicy": {"destination": "CLOUD_LOGGING"}, **job}
    request = JobRequest.make(KIND, credentials, region, project, body, job_id, is_block=is_block)
    return CloudBatchWork(credentials, request)


def container_job(
    image: str,
    commands: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
    secret_environment: Mapping[str, str] | None = None,
    cpu_milli: int | None = None,
    memory_mib: int | None = None,
    machine_type: str | None = None,
    is_spot: bool = False,
    task_count: int = 1,
    max_retries: int = 0,
    max_run_seconds: int | None = None,
    service_account: str | None = None,
) -> dict[str, Any]:
    """Make a job whose tasks run one container.

    Args:
        image: The container's image, such as `europe-docker.pkg.dev/my-project/images/average:3`.
        commands: Arguments of the container in place of those of the image.
        environment: Variables. Batch shows them, so they are no place for secrets.
        secret_environment: Variables whose values come from Secret Manager: names of versions, such as
            `projects/my-project/secrets/db/versions/latest`.
        cpu_milli: Thousandths of a vCPU for each task; 2,000 when not given.
        memory_mib: MiB of memory for each task; 2,000 when not given.
        machine_type: Type of the VMs, such as `e2-standard-4`; chosen by Batch when not given.
        is_spot: Whether spot VMs are used, which are cheaper and may be taken away (exit code 50001).
        task_count: How many tasks there are; each finds its number in `BATCH_TASK_INDEX`.
        max_retries: How often a failed task is tried again, up to 10.
        max_run_seconds: Seconds that one try of a task may take; 7 days when not given.
        service_account: Email of the VMs' service account; Compute Engine's default one when not given.

    Returns:
        The job, which may be changed before it is submitted.

    Raises:
        ValueError: Naming the argument that makes no sense.
    """
    least = {"task_count": (task_count, 1), "max_retries": (max_retries, 0)}
    optional = {"cpu_milli": cpu_milli, "memory_mib": memory_mib, "max_run_seconds": max_run_seconds}
    least.update({name: (value, 1) for name, value in optional.items() if value is not None})
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise ValueError(f"{name} is {value}; it must be at least {lowest}.")
    if not image.strip():
        raise ValueError("image is empty; give the container's image, such as 'python:3.12-slim'.")
    container: Json = {"imageUri": image, **({"commands": list(commands)} if commands else {})}
    spec: Json = {"runnables": [{"container": container}], "maxRetryCount": max_retries}
    variables: Json = {}
    if environment:
        variables["variables"] = dict(environment)
    if secret_environment:
        variables["secretVariables"] = dict(secret_environment)
    if variables:
        spec["environment"] = variables
    resources = {name: str(value) for name, value in (("cpuMilli", cpu_milli), ("memoryMib", memory_mib)) if value}
    if resources:
        spec["computeResource"] = resources
    if max_run_seconds is not None:
        spec["maxRunDuration"] = f"{max_run_seconds}s"
    policy: Json = {}
    machine: Json = {"machineType": machine_type} if machine_type else {}
    if is_spot:
        machine["provisioningModel"] = "SPOT"
    if machine:
        policy["instances"] = [{"policy": machine}]
    if service_account:
        policy["serviceAccount"] = {"email": service_account}
    job: Json = {"taskGroups": [{"taskSpec": spec, "taskCount": str(task_count)}]}
    return {**job, "allocationPolicy": policy} if policy else job


class CloudBatchWork(NamedJob[CloudBatchJobResult]):
    """One job."""

    kind = KIND
    methods = "projects.locations.jobs"
    id_parameter = "jobId"
    failed = frozenset({"FAILED", "CANCELLED", "DELETION_IN_PROGRESS"})
    stopping = frozenset({"CANCELLATION_IN_PROGRESS"})

    def __init__(self, credentials: GcpCredentials, request: JobRequest | None = None, *, name: str = "") -> None:
        super().__init__(Api(credentials, "batch", "v1"), request, name=name)

    @property
    def _status(self) -> Json:
        return self._seen.get("status") or {}

    @property
    def _events(self) -> tuple[str, ...]:
        events: Sequence[Json] = self._status.get("statusEvents") or ()
        return tuple(str(event.get("description") or event.get("type") or "") for event in events)

    @property
    def state(self) -> str:
        """Its state as last seen."""
        return str(self._status.get("state") or "")

    @property
    def news(self) -> str:
        """The state, and how many tasks are in which."""
        counts = ", ".join(f"{count} {state.lower()}" for state, count in self._counts().items())
        return f"{self.state}: {counts}" if counts else self.state

    def _counts(self) -> dict[str, int]:
        groups: Mapping[str, Json] = self._status.get("taskGroups") or {}
        counts: dict[str, int] = {}
        for group in groups.values():
            found: Mapping[str, Any] = group.get("counts") or {}
            for state, count in found.items():
                counts[state] = counts.get(state, 0) + int(count)
        return counts

    def seen(self) -> CloudBatchJobResult:
        """What the last look saw, failed or not."""
        uid = str(self._seen.get("uid") or "")
        duration = str(self._status.get("runDuration") or "").removesuffix("s")
        return CloudBatchJobResult(
            name=self.name,
            state=self.state,
            uid=uid,
            run_seconds=float(duration) if duration else None,
            task_counts=self._counts(),
            events=self._events,
            log_url=log_url(self.name, uid) if uid else "",
        )

    def why(self) -> str:
        """The first failed tasks, Batch's last words, and where the logs are."""
        found = self.seen()
        failures = self._failures() if found.state == "FAILED" else []
        named = "; ".join(str(failure) for failure in failures)
        events = found.events[-1] if found.events else "Batch gives no reason"
        why = f"{named}. {events}" if named else events
        return f": {why.rstrip('.')}.{f' Logs: {found.log_url}' if found.log_url else ''}"

    def _failures(self) -> list[CloudBatchTaskFailure]:
        groups: Mapping[str, Any] = self._status.get("taskGroups") or {"group0": {}}

        def list_failed() -> list[Json]:
            found: list[Json] = []
            for group in groups:
                answer = self._api.call(
                    f"{self.methods}.taskGroups.tasks.list",
                    subject=self.subject,
                    parent=f"{self.name}/taskGroups/{group}",
                    filter="state=FAILED",
                    pageSize=MAX_NAMED,
                )
                found += answer.get("tasks") or ()
            return found

        return [failure_of(task) for task in self.list_tasks(list_failed)[:MAX_NAMED]]


def failure_of(task: Mapping[str, Any]) -> CloudBatchTaskFailure:
    """Read why a task failed: its last event that has an exit code, else its last event.

    Args:
        task: A task as Batch lists it.
    """
    status: Json = task.get("status") or {}
    events: Sequence[Json] = status.get("statusEvents") or ()
    coded = [event for event in events if _execution(event).get("exitCode") is not None]
    last: Json = (coded or [*events] or [_NOTHING])[-1]
    code = _execution(last).get("exitCode")
    return CloudBatchTaskFailure(
        task=str(task.get("name") or ""),
        exit_code=None if code is None else int(code),
        message=str(last.get("description") or "no reason given"),
    )


def _execution(event: Json) -> Json:
    return event.get("taskExecution") or {}


def log_url(name: str, uid: str) -> str:
    """Where the Cloud console shows the logs of a job.

    Args:
        name: Full name of the job.
        uid: ID that Batch gave it.
    """
    project = name.split("/")[1]
    query = quote(f'labels.job_uid="{uid}"', safe="")
    return f"https://console.cloud.google.com/logs/query;query={query}?project={project}"
