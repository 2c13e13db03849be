"""Jobs, executions and tasks of Cloud Run, as API v2 shows them."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from typing import Literal

from .clock import stamp
from .errors import Json
from .run_attempts import Attempt, AttemptEnd, attempt_result
from .service import etag_of

PACKAGE = "type.googleapis.com/google.cloud.run.v2"

TaskState = Literal["pending", "running", "succeeded", "failed", "cancelled"]


@dataclass
class Condition:
    """One condition."""

    type: str
    state: Literal["CONDITION_PENDING", "CONDITION_RECONCILING", "CONDITION_FAILED", "CONDITION_SUCCEEDED"]
    at: float
    message: str = ""
    reason: str = ""
    """Common reason, such as `CONTAINER_MISSING`."""

    execution_reason: str = ""

    @property
    def data(self) -> Json:
        """As the API gives it."""
        data: Json = {"type": self.type, "state": self.state, "lastTransitionTime": stamp(self.at)}
        if self.message:
            data["message"] = self.message
        if self.reason:
            data["reason"] = self.reason
        if self.execution_reason:
            data["executionReason"] = self.execution_reason
        return data


@dataclass
class Task:
    """One task of an execution."""

    execution: Execution
    index: int
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    attempt: int = 0
    state: TaskState = "pending"
    end: AttemptEnd | None = None
    running: Attempt | None = None
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def name(self) -> str:
        """Full name."""
        return f"{self.execution.name}/tasks/{self.id}"

    @property
    def id(self) -> str:
        """`job-abcde-task0`."""
        return f"{self.execution.id}-task{self.index}"

    @property
    def is_ended(self) -> bool:
        """Has its last attempt ended?"""
        return self.state in ("succeeded", "failed", "cancelled")

    @property
    def condition(self) -> Condition:
        """Whether it is completed."""
        at = self.ended_at or self.started_at or self.execution.created_at
        if self.state in ("pending", "running"):
            return Condition("Completed", "CONDITION_RECONCILING", at, "Waiting for task to complete.")
        if self.state == "succeeded":
            return Condition("Completed", "CONDITION_SUCCEEDED", at, "Task completed successfully.")
        reason = "CANCELLED" if self.state == "cancelled" else "NON_ZERO_EXIT_CODE"
        message = self.end.message if self.end is not None else ""
        return Condition("Completed", "CONDITION_FAILED", at, message, execution_reason=reason)

    @property
    def data(self) -> Json:
        """As the API gives it."""
        data: Json = {
            "name": self.name,
            "uid": self.uid,
            "generation": "1",
            "observedGeneration": "1",
            "job": self.execution.job.id,
            "execution": self.execution.id,
            "createTime": stamp(self.execution.created_at),
            "index": self.index,
            "retried": self.attempt,
            "conditions": [self.condition.data],
            **{key: value for key, value in self.execution.template.items() if key in _OF_TASKS},
        }
        if self.started_at is not None:
            data["startTime"] = stamp(self.started_at)
        if self.ended_at is not None:
            data["completionTime"] = stamp(self.ended_at)
        if self.end is not None:
            data["lastAttemptResult"] = attempt_result(self.end)
        if not self.is_ended:
            data["reconciling"] = True
        return data


_OF_TASKS = ("containers", "volumes", "maxRetries", "timeout", "serviceAccount", "executionEnvironment", "vpcAccess")


@dataclass
class Execution:
    """One execution of a job."""

    job: Job
    id: str
    template: Json
    """Of its tasks, with overrides."""

    task_count: int
    parallelism: int
    created_at: float
    creator: str
    labels: Json = field(default_factory=dict[str, str])
    annotations: Json = field(default_factory=dict[str, str])
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    tasks: list[Task] = field(default_factory=list[Task])
    started_at: float | None = None
    ended_at: float | None = None
    cancelled_at: float | None = None
    """When it was asked to be cancelled."""

    deleted_at: float | None = None
    failure: Condition | None = None
    """Why it could not start."""

    @property
    def name(self) -> str:
        """Full name."""
        return f"{self.job.name}/executions/{self.id}"

    @property
    def is_ended(self) -> bool:
        """Is it completed?"""
        return self.ended_at is not None

    def count(self, state: TaskState) -> int:
        """How many tasks are in a state?"""
        return sum(task.state == state for task in self.tasks)

    @property
    def is_success(self) -> bool:
        """Did all tasks succeed?"""
        return self.is_ended and self.failure is None and self.count("succeeded") == self.task_count

    @property
    def status(self) -> str:
        """As in a reference to it."""
        if not self.is_ended:
            return "EXECUTION_PENDING" if self.started_at is None else "EXECUTION_RUNNING"
        if self.is_success:
            return "EXECUTION_SUCCEEDED"
        return "EXECUTION_CANCELLED" if self.cancelled_at is not None else "EXECUTION_FAILED"

    @property
    def completed(self) -> Condition:
        """The condition that matters."""
        if self.failure is not None:
            return self.failure
        if self.cancelled_at is not None:
            if not self.is_ended:
                message = "Execution is being cancelled."
                return _cancelled("CONDITION_RECONCILING", self.cancelled_at, message, "CANCELLING")
            if not self.is_success:
                return _cancelled("CONDITION_FAILED", self.ended_at or 0, "Execution was cancelled.", "CANCELLED")
        if not self.is_ended:
            at = self.started_at or self.created_at
            return Condition("Completed", "CONDITION_RECONCILING", at, "Waiting for execution to complete.")
        seconds = (self.ended_at or 0) - (self.started_at or 0)
        if self.is_success:
            message = f"Execution completed successfully in {seconds:.2f}s."
            return Condition("Completed", "CONDITION_SUCCEEDED", self.ended_at or 0, message)
        failed = next(task for task in self.tasks if task.state == "failed")
        said = failed.end.message if failed.end is not None else ""
        message = f"Task {failed.id} failed with message: {said}"
        reason = "NON_ZERO_EXIT_CODE"
        return Condition("Completed", "CONDITION_FAILED", self.ended_at or 0, message, execution_reason=reason)

    @property
    def conditions(self) -> list[Condition]:
        """All, the one that matters first."""
        created, started = self.created_at, self.started_at
        if self.failure is not None:
            cause = self.failure
            kind = "ContainerReady" if cause.reason.startswith("CONTAINER") else "ResourcesAvailable"
            return [self.completed, Condition(kind, "CONDITION_FAILED", cause.at, cause.message, cause.reason)]
        if started is None:
            said = "Provisioning imported containers."
            return [self.completed, Condition("ResourcesAvailable", "CONDITION_RECONCILING", created, said)]
        took = f"{started - created:.2f}s."
        conditions = [
            self.completed,
            Condition("ContainerReady", "CONDITION_SUCCEEDED", started, f"Imported container image in {took}"),
            Condition(
                "ResourcesAvailable", "CONDITION_SUCCEEDED", started, f"Provisioned imported containers in {took}"
            ),
            Condition("Started", "CONDITION_SUCCEEDED", started, f"Started deployed execution in {took}"),
        ]
        if any(task.attempt for task in self.tasks):
            said = "System will retry after 0:00:00 from lastTransitionTime for attempt 0."
            conditions.append(Condition("Retry", "CONDITION_SUCCEEDED", started, said, "IMMEDIATE_RETRY"))
        return conditions

    @property
    def etag(self) -> str:
        """Changes with its state."""
        return etag_of([self.uid, [task.state for task in self.tasks], self.cancelled_at])

    @property
    def data(self) -> Json:
        """As the API gives it."""
        data: Json = {
            "name": self.name,
            "uid": self.uid,
            "creator": self.creator,
            "generation": "1",
            "observedGeneration": "1",
            "labels": self.labels,
            "annotations": self.annotations,
            "createTime": stamp(self.created_at),
            "updateTime": stamp(self.ended_at or self.started_at or self.created_at),
            "job": self.job.id,
            "parallelism": self.parallelism,
            "taskCount": self.task_count,
            "template": copy.deepcopy(self.template),
            "conditions": [condition.data for condition in self.conditions],
            "launchStage": "GA",
            "logUri": _log_uri(self.job, self.id),
            "etag": self.etag,
        }
        times = {"startTime": self.started_at, "completionTime": self.ended_at, "deleteTime": self.deleted_at}
        data.update({name: stamp(at) for name, at in times.items() if at is not None})
        counts = {
            "runningCount": self.count("running"),
            "succeededCount": self.count("succeeded"),
            "failedCount": self.count("failed"),
            "cancelledCount": self.count("cancelled"),
            "retriedCount": sum(task.attempt > 0 for task in self.tasks),
        }
        data.update({name: count for name, count in counts.items() if count})
        if not self.is_ended:
            data["reconciling"] = True
        return data

    @property
    def reference(self) -> Json:
        """As a job points to it."""
        reference: Json = {"name": self.id, "createTime": stamp(self.created_at), "completionStatus": self.status}
        if self.ended_at is not None:
            reference["completionTime"] = stamp(self.ended_at)
        return reference


def _cancelled(
    state: Literal["CONDITION_RECONCILING", "CONDITION_FAILED"], at: float, message: str, reason: str
) -> Condition:
    return Condition("Completed", state, at, message, execution_reason=reason)


@dataclass
class Job:
    """One job."""

    name: str
    """`projects/p/locations/l/jobs/j`."""

    body: Json
    """What its user says: template, labels, annotations and so on."""

    created_at: float
    updated_at: float
    creator: str
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    generation: int = 1
    observed_generation: int = 0
    failure: Condition | None = None
    """Why it is not ready, once it was looked at."""

    knative: Json | None = None
    """The body as API v1 got it, for what API v2 has no field for."""

    executions: dict[str, Execution] = field(default_factory=dict[str, Execution])
    execution_count: int = 0
    latest: Execution | None = None
    deleted_at: float | None = None

    @property
    def id(self) -> str:
        """Last part of the name."""
        return self.name.rpartition("/")[2]

    @property
    def project(self) -> str:
        """Project id."""
        return self.name.split("/")[1]

    @property
    def location(self) -> str:
        """Region."""
        return self.name.split("/")[3]

    @property
    def parent(self) -> str:
        """Project and region."""
        return self.name.rpartition("/jobs/")[0]

    @property
    def is_reconciling(self) -> bool:
        """Is it still being looked at?"""
        return self.observed_generation != self.generation and self.failure is None

    @property
    def is_ready(self) -> bool:
        """Can it be run?"""
        return not self.is_reconciling and self.failure is None

    @property
    def ready(self) -> Condition:
        """The terminal condition."""
        if self.failure is not None:
            return self.failure
        state = "CONDITION_RECONCILING" if self.is_reconciling else "CONDITION_SUCCEEDED"
        return Condition("Ready", state, self.updated_at)

    @property
    def etag(self) -> str:
        """Changes with each change of its user's, when it becomes ready, and with each execution."""
        return etag_of([self.uid, self.generation, self.observed_generation, self.execution_count, self.deleted_at])

    @property
    def data(self) -> Json:
        """As the API gives it."""
        ready = self.ready.data
        data: Json = {
            **copy.deepcopy(self.body),
            "name": self.name,
            "uid": self.uid,
            "generation": str(self.generation),
            "createTime": stamp(self.created_at),
            "updateTime": stamp(self.updated_at),
            "creator": self.creator,
            "lastModifier": self.creator,
            "launchStage": self.body.get("launchStage", "GA"),
            "terminalCondition": ready,
            "conditions": [] if self.is_reconciling else [{**ready, "type": "ResourcesAvailable"}],
            "etag": self.etag,
            # Empty while there is none: the schema has it in every job, and clients read it of fresh ones.
            "latestCreatedExecution": self.latest.reference if self.latest is not None else {},
        }
        if self.observed_generation:
            data["observedGeneration"] = str(self.observed_generation)
        if self.execution_count:
            data["executionCount"] = self.execution_count
        if self.is_reconciling:
            data["reconciling"] = True
        if self.deleted_at is not None:
            data["deleteTime"] = stamp(self.deleted_at)
        return data


def _log_uri(job: Job, execution: str) -> str:
    return (
        "https://console.cloud.google.com/logs/viewer?project="
        f"{job.project}&advancedFilter=resource.type%3D%22cloud_run_job%22%0Aresource.labels.job_name%3D%22{job.id}%22"
        f"%0Alabels.%22run.googleapis.com/execution_name%22%3D%22{execution}%22"
    )
