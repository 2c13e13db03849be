"""The words of Cloud Run's API in its two versions; what is said with them stands in `cloud_run.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar

from ..errors import GcpConflict, GcpNotFound, GcpPreconditionFailed
from .calls import Calls
from .views import ExecutionRef, ExecutionView, JobView, TaskView, moment

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

_PAGE = 500
_STATUSES = {"EXECUTION_SUCCEEDED": True, "EXECUTION_FAILED": False, "EXECUTION_CANCELLED": False}

Json = dict[str, Any]


class CloudRunApi(ABC):
    """Jobs and executions of one project and region."""

    version: ClassVar[str]

    def __init__(self, calls: Calls, project: str, region: str) -> None:
        self.calls = calls
        self.project = project
        self.region = region

    @abstractmethod
    async def create(self, name: str, body: Json, *, secrets: Iterable[str] = ()) -> JobView | None:
        """Create a job; what is said of it, if that is more than that it was taken."""

    @abstractmethod
    async def get(self, name: str) -> JobView | None:
        """Read a job; `None` when there is none."""

    @abstractmethod
    async def run(self, name: str, overrides: Mapping[str, Any], *, etag: str = "") -> None:
        """Start an execution, once."""

    @abstractmethod
    def list(self, selector: str) -> AsyncIterator[JobView]:
        """List jobs; where the API can, those alone that have the label."""

    @abstractmethod
    async def delete(self, name: str) -> bool:
        """Delete a job; whether it is known to be gone already."""

    @abstractmethod
    async def execution(self, ref: ExecutionRef) -> ExecutionView | None:
        """Read an execution; `None` when there is none."""

    @abstractmethod
    async def tasks(self, ref: ExecutionRef) -> list[TaskView]:
        """Read tasks of an execution, the first page of them."""

    @abstractmethod
    async def cancel(self, ref: ExecutionRef) -> None:
        """Ask an execution to end; one that has ended is no error."""

    @staticmethod
    def subject(name: str) -> str:
        """What messages call a job."""
        return f"Cloud Run job {name!r}"


def _condition(conditions: Iterable[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    return next((item for item in conditions if item.get("type") == kind), {})


def _is_failure(conditions: Iterable[Mapping[str, Any]]) -> str:
    """The most telling message of conditions that have failed: that of the cause rather than of the whole."""
    messages = [str(item.get("message") or "") for item in conditions if item.get("state") == "CONDITION_FAILED"]
    return max(messages, key=len, default="")


class CloudRunV2Api(CloudRunApi):
    """Version 2 of the API: https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs."""

    version = "v2"

    @property
    def _parent(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"

    def _name(self, name: str) -> str:
        return f"{self._parent}/jobs/{name}"

    @staticmethod
    def _jobs(client: Any) -> Any:
        return client.projects().locations().jobs()

    async def create(self, name: str, body: Json, *, secrets: Iterable[str] = ()) -> JobView | None:
        """Create a job."""
        answer = await self.calls.repeated(
            lambda client: self._jobs(client).create(parent=self._parent, jobId=name, body=body),
            self.subject(name),
            kind="create",
            secrets=secrets,
        )
        return self._view(answer["response"]) if answer.get("done") and answer.get("response") else None

    async def get(self, name: str) -> JobView | None:
        """Read a job."""
        try:
            answer = await self.calls.repeated(
                lambda client: self._jobs(client).get(name=self._name(name)), self.subject(name)
            )
        except GcpNotFound:
            return None
        return self._view(answer)

    async def run(self, name: str, overrides: Mapping[str, Any], *, etag: str = "") -> None:
        """Start an execution, once."""
        body: Json = {**({"overrides": dict(overrides)} if overrides else {}), **({"etag": etag} if etag else {})}
        await self.calls.once(
            lambda client: self._jobs(client).run(name=self._name(name), body=body), self.subject(name)
        )

    async def list(self, selector: str) -> AsyncIterator[JobView]:
        """List all jobs; this version cannot select."""
        del selector
        token: str | None = None
        while True:
            answer = await self.calls.repeated(
                lambda client, token=token: self._jobs(client).list(
                    parent=self._parent, pageSize=_PAGE, **({"pageToken": token} if token else {})
                ),
                f"Cloud Run jobs of {self._parent}",
            )
            for item in answer.get("jobs") or []:
                yield self._view(item)
            token = answer.get("nextPageToken")
            if not token:
                return

    async def delete(self, name: str) -> bool:
        """Delete a job."""
        try:
            answer = await self.calls.repeated(
                lambda client: self._jobs(client).delete(name=self._name(name)), self.subject(name)
            )
        except GcpNotFound:
            return True
        return bool(answer.get("done")) and not answer.get("error")

    async def execution(self, ref: ExecutionRef) -> ExecutionView | None:
        """Read an execution."""
        try:
            answer = await self.calls.repeated(
                lambda client: self._jobs(client).executions().get(name=ref.name), f"Cloud Run execution {ref.name!r}"
            )
        except GcpNotFound:
            return None
        conditions = answer.get("conditions") or []
        completed = _condition(conditions, "Completed")
        succeeded = completed.get("state") == "CONDITION_SUCCEEDED"
        return ExecutionView(
            name=ref.short_name,
            is_ended=bool(answer.get("completionTime")),
            succeeded=succeeded,
            is_cancelled=completed.get("executionReason") in ("CANCELLED", "CANCELLING", "DELETED"),
            message="" if succeeded else str(completed.get("message") or "") or _is_failure(conditions),
            log_uri=str(answer.get("logUri") or ""),
            ended_at=moment(answer.get("completionTime")),
            task_count=int(answer.get("taskCount") or 1),
        )

    async def tasks(self, ref: ExecutionRef) -> list[TaskView]:
        """Read tasks of an execution."""
        answer = await self.calls.repeated(
            lambda client: self._jobs(client).executions().tasks().list(parent=ref.name, pageSize=100),
            f"Cloud Run execution {ref.name!r}",
        )
        return [
            _task(
                item, is_failed=_condition(item.get("conditions") or [], "Completed").get("state") == "CONDITION_FAILED"
            )
            for item in answer.get("tasks") or []
        ]

    async def cancel(self, ref: ExecutionRef) -> None:
        """Ask an execution to end."""
        try:
            await self.calls.repeated(
                lambda client: self._jobs(client).executions().cancel(name=ref.name, body={}),
                f"Cloud Run execution {ref.name!r}",
            )
        except (GcpNotFound, GcpConflict, GcpPreconditionFailed):  # it has ended meanwhile
            return

    def _view(self, data: Mapping[str, Any]) -> JobView:
        ready = data.get("terminalCondition") or _condition(data.get("conditions") or [], "Ready")
        failure = ""
        if ready.get("state") == "CONDITION_FAILED":
            failure = str(ready.get("message") or "") or _is_failure(data.get("conditions") or []) or "no reason given"
        return JobView(
            name=str(data.get("name") or "").rpartition("/")[2],
            labels=data.get("labels") or {},
            created_at=moment(data.get("createTime")),
            is_ready=ready.get("state") == "CONDITION_SUCCEEDED",
            failure=failure,
            etag=str(data.get("etag") or ""),
            execution=self._ref(str(data.get("name") or ""), data.get("latestCreatedExecution") or {}),
        )

    @staticmethod
    def _ref(job_name: str, data: Mapping[str, Any]) -> ExecutionRef | None:
        if not data.get("name"):
            return None
        name = str(data["name"])
        return _reference(name if "/" in name else f"{job_name}/executions/{name}", data, "completionTime")


class CloudRunV1Api(CloudRunApi):
    """Version 1 of the API: https://cloud.google.com/run/docs/reference/rest/v1/namespaces.jobs."""

    version = "v1"

    @property
    def _parent(self) -> str:
        return f"namespaces/{self.project}"

    def _name(self, name: str) -> str:
        return f"{self._parent}/jobs/{name}"

    async def create(self, name: str, body: Json, *, secrets: Iterable[str] = ()) -> JobView | None:
        """Create a job."""
        answer = await self.calls.repeated(
            lambda client: client.namespaces().jobs().create(parent=self._parent, body=body),
            self.subject(name),
            kind="create",
            secrets=secrets,
        )
        return self._view(answer)

    async def get(self, name: str) -> JobView | None:
        """Read a job."""
        try:
            answer = await self.calls.repeated(
                lambda client: client.namespaces().jobs().get(name=self._name(name)), self.subject(name)
            )
        except GcpNotFound:
            return None
        return self._view(answer)

    async def run(self, name: str, overrides: Mapping[str, Any], *, etag: str = "") -> None:
        """Start an execution, once. This version knows no etag."""
        del etag
        body: Json = {"overrides": dict(overrides)} if overrides else {}
        await self.calls.once(
            lambda client: client.namespaces().jobs().run(name=self._name(name), body=body), self.subject(name)
        )

    async def list(self, selector: str) -> AsyncIterator[JobView]:
        """List jobs that have the label."""
        token: str | None = None
        while True:
            options = {**({"labelSelector": selector} if selector else {}), **({"continue": token} if token else {})}
            answer = await self.calls.repeated(
                lambda client, options=options: (
                    client.namespaces().jobs().list(parent=self._parent, limit=_PAGE, **options)
                ),
                f"Cloud Run jobs of {self._parent}",
            )
            for item in answer.get("items") or []:
                yield self._view(item)
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return

    async def delete(self, name: str) -> bool:
        """Delete a job. The answer does not say whether it is gone."""
        try:
            await self.calls.repeated(
                lambda client: client.namespaces().jobs().delete(name=self._name(name)), self.subject(name)
            )
        except GcpNotFound:
            return True
        return False

    async def execution(self, ref: ExecutionRef) -> ExecutionView | None:
        """Read an execution."""
        name = f"{self._parent}/executions/{ref.short_name}"
        try:
            answer = await self.calls.repeated(
                lambda client: client.namespaces().executions().get(name=name), f"Cloud Run execution {ref.name!r}"
            )
        except GcpNotFound:
            return None
        status, spec = answer.get("status") or {}, answer.get("spec") or {}
        completed = _condition(status.get("conditions") or [], "Completed")
        succeeded = completed.get("status") == "True"
        return ExecutionView(
            name=ref.short_name,
            is_ended=bool(status.get("completionTime")),
            succeeded=succeeded,
            is_cancelled=str(completed.get("reason") or "") in ("Cancelled", "CANCELLED", "Deleted"),
            message="" if succeeded else str(completed.get("message") or ""),
            log_uri=str(status.get("logUri") or ""),
            ended_at=moment(status.get("completionTime")),
            task_count=int(spec.get("taskCount") or 1),
        )

    async def tasks(self, ref: ExecutionRef) -> list[TaskView]:
        """Read tasks of an execution."""
        selector = f"run.googleapis.com/execution={ref.short_name}"
        answer = await self.calls.repeated(
            lambda client: client.namespaces().tasks().list(parent=self._parent, labelSelector=selector, limit=100),
            f"Cloud Run execution {ref.name!r}",
        )
        found: list[TaskView] = []
        for item in answer.get("items") or []:
            status = item.get("status") or {}
            is_failed = _condition(status.get("conditions") or [], "Completed").get("status") == "False"
            found.append(_task(status, is_failed=is_failed))
        return found

    async def cancel(self, ref: ExecutionRef) -> None:
        """Ask an execution to end."""
        name = f"{self._parent}/executions/{ref.short_name}"
        try:
            await self.calls.repeated(
                lambda client: client.namespaces().executions().cancel(name=name, body={}),
                f"Cloud Run execution {ref.name!r}",
            )
        except (GcpNotFound, GcpConflict, GcpPreconditionFailed):  # it has ended meanwhile
            return

    def _view(self, data: Mapping[str, Any]) -> JobView:
        metadata, status = data.get("metadata") or {}, data.get("status") or {}
        ready = _condition(status.get("conditions") or [], "Ready")
        is_failed = ready.get("status") == "False" and str(ready.get("severity") or "Error") == "Error"
        execution = status.get("latestCreatedExecution") or {}
        return JobView(
            name=str(metadata.get("name") or ""),
            labels=metadata.get("labels") or {},
            created_at=moment(metadata.get("creationTimestamp")),
            is_ready=ready.get("status") == "True",
            failure=(str(ready.get("message") or "") or "no reason given") if is_failed else "",
            execution=_reference(str(execution["name"]), execution, "completionTimestamp")
            if execution.get("name")
            else None,
        )


def _reference(name: str, data: Mapping[str, Any], ended: str) -> ExecutionRef:
    status = str(data.get("completionStatus") or "")
    is_known_status = status.startswith("EXECUTION_")
    is_ended = bool(data.get(ended)) or status in _STATUSES
    return ExecutionRef(
        name=name,
        is_ended=is_ended,
        succeeded=_STATUSES.get(status, False),
        ended_at=moment(data.get(ended)),
        is_clear=is_known_status,
    )


def _task(data: Mapping[str, Any], *, is_failed: bool) -> TaskView:
    result = data.get("lastAttemptResult") or {}
    signal = int(result.get("termSignal") or 0) or None
    return TaskView(
        index=int(data.get("index") or 0),
        is_failed=is_failed,
        # A code of 0 is left out of the answer.
        exit_code=int(result["exitCode"]) if "exitCode" in result else None,
        signal=signal,
        message=str((result.get("status") or {}).get("message") or ""),
        retried=int(data.get("retried") or 0),
    )
