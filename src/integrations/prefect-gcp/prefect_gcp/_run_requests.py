"""What is asked of a Cloud Run job that exists: its overrides, and the mark that an execution is recognised by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.run_keys import run_key

from ._identity import project_of
from ._named_jobs import check_region
from ._remote_job import Json
from ._schemas import check_body
from .errors import GcpInvalidRequest

if TYPE_CHECKING:
    from .credentials import GcpCredentials

MARK = "PREFECT_EXECUTION_KEY"
"""Environment variable that our executions are known by: Cloud Run has no idempotency key of its own."""

_JOB = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
# Clocks of this machine and of Google may differ.
_SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class ExecutionRequest:
    """What is to be started.

    Attributes:
        job: Full name of the job.
        overrides: What is different from the job's own template, as the caller wants it.
        keys: Keys to know executions by, in order.
        container: Name of the container that the key goes to; empty for the only one.
        since: Executions that are older are none of this task run's.
    """

    job: str
    overrides: Json
    keys: Sequence[str]
    container: str
    since: datetime

    @classmethod
    def make(
        cls,
        credentials: GcpCredentials,
        job_name: str,
        region: str,
        project: str | None,
        *,
        args: Sequence[str] | None,
        env: Mapping[str, str] | None,
        container: str | None,
        task_count: int | None,
        task_timeout_seconds: int | None,
        is_block: bool = False,
    ) -> ExecutionRequest:
        """Check the arguments, and name the execution after the task run.

        Raises:
            GcpInvalidRequest: If an argument is not one.
        """
        subject = f"Cloud Run job {job_name!r}"
        if not _JOB.fullmatch(job_name):
            raise GcpInvalidRequest(
                f"{subject}: job_name must be the short name of a job: lower-case letters, digits and hyphens.",
                subject=subject,
            )
        check_region(region, subject)
        for name, value in (("task_count", task_count), ("task_timeout_seconds", task_timeout_seconds)):
            if value is not None and value < 1:
                raise GcpInvalidRequest(f"{subject}: {name} is {value}; it must be at least 1.", subject=subject)
        if isinstance(args, str):
            raise GcpInvalidRequest(f"{subject}: args is text; give a list of arguments.", subject=subject)
        if MARK in (env or {}):
            raise GcpInvalidRequest(
                f"{subject}: env has {MARK}, which executions are recognised by. Leave it out.", subject=subject
            )
        overrides = _overrides(args, env, container, task_count, task_timeout_seconds)
        check_body(
            overrides,
            "GoogleCloudRunV2Overrides",
            api="run",
            version="v2",
            subject=subject,
            field="overrides",
        )
        job = f"projects/{project or project_of(credentials)}/locations/{region}/jobs/{job_name}"
        key = run_key({"job": job, "overrides": overrides}, counts_calls=is_block)
        return cls(job, overrides, tuple(key.names()), container or "", _begin_of_task() - _SKEW)

    def body(self, key: str | None) -> Json:
        """The request's body.

        Args:
            key: What the execution is to be known by; `None` for one without overrides of ours.
        """
        if key is None:
            return {"overrides": self.overrides} if self.overrides else {}
        own: Sequence[Json] = self.overrides.get("containerOverrides") or [
            {"name": self.container} if self.container else {}
        ]
        mark = {"name": MARK, "value": key}
        marked = [{**own[0], "env": [*own[0].get("env", []), mark]}, *own[1:]]
        return {"overrides": {**self.overrides, "containerOverrides": marked}}


def mark_of(execution: Mapping[str, Any]) -> str | None:
    """The key that an execution of ours is known by; `None` for another's."""
    template: Json = execution.get("template") or {}
    containers: Sequence[Json] = template.get("containers") or ()
    for container in containers:
        variables: Sequence[Json] = container.get("env") or ()
        for variable in variables:
            if variable.get("name") == MARK:
                return str(variable.get("value") or "")
    return None


def _overrides(
    args: Sequence[str] | None,
    env: Mapping[str, str] | None,
    container: str | None,
    task_count: int | None,
    task_timeout_seconds: int | None,
) -> Json:
    override: Json = {}
    if args is not None:
        override.update({"args": list(args)} if args else {"clearArgs": True})
    if env:
        override["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if override and container:
        override["name"] = container
    overrides: Json = {"containerOverrides": [override]} if override else {}
    if task_count is not None:
        overrides["taskCount"] = task_count
    if task_timeout_seconds is not None:
        overrides["timeout"] = f"{task_timeout_seconds}s"
    return overrides


def _begin_of_task() -> datetime:
    from prefect.context import TaskRunContext

    now = datetime.now(timezone.utc)
    context = TaskRunContext.get()
    if context is None:
        return now
    begin: Any = context.task_run.created or context.task_run.expected_start_time
    return min(now, begin) if isinstance(begin, datetime) else now
