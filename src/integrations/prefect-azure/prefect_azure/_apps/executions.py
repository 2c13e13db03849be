"""Executions of Container Apps jobs that exist: started once, even when the answer is lost, looked at, stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_integration_kit import remote_work
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.remote_work import Failures
from prefect_integration_kit.run_keys import run_key

from .._workers.calls import in_thread
from ..errors import (
    AzureConflict,
    AzureError,
    AzureInvalidRequest,
    AzureJobFailed,
    AzureNotFound,
    AzureUnavailable,
    AzureWaitTimeout,
    azure_errors,
    is_transient,
)
from . import names, outcomes
from .api import AppsApi
from .names import JobId
from .variables import memory_for
from .views import ExecutionView

if TYPE_CHECKING:
    from ..credentials import AzureContainerInstanceCredentials

V = TypeVar("V")
Json = dict[str, Any]

FAILURES = Failures(base=AzureError, refused=AzureInvalidRequest, timed_out=AzureWaitTimeout, is_passing=is_transient)

MARK = "PREFECT_EXECUTION_KEY"
"""Environment variable that our executions are known by: Container Apps has no idempotency key of its own."""

_MOST_NAMED = 5
# What a container of an execution's template may have:
# https://learn.microsoft.com/rest/api/containerapps/jobs/start#jobexecutioncontainer
_CONTAINER_KEYS = ("image", "name", "command", "args", "env", "resources")


@dataclass(frozen=True)
class ContainerAppExecutionResult:
    """An execution as it was last seen.

    Attributes:
        id: Resource ID of the execution.
        state: What Azure calls it: `Running`, `Processing`, `Succeeded`, `Failed`, `Stopped`, `Degraded`, `Unknown`.
        exit_code: That of the first container that failed; 0 after a success; `None` while it is not known.
        message: What Azure says about it.
        started_at: When it started; `None` before.
        completed_at: When it ended; `None` before.
    """

    id: str
    state: str
    exit_code: int | None = None
    message: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def name(self) -> str:
        """Name of the execution."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True)
class ExecutionRequest:
    """What is to be started.

    Attributes:
        job: The job.
        container: Name of the container that the overrides are for; empty for the first one.
        overrides: What is different from that container of the job.
        env: Variables in addition to that container's, or in their place.
        keys: Keys to know executions by, in order.
    """

    job: JobId
    container: str = ""
    overrides: Json = field(default_factory=dict[str, Any])
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: Sequence[str] = ()

    @classmethod
    def make(
        cls,
        subscription_id: str,
        resource_group_name: str,
        job_name: str,
        *,
        command: Sequence[str] | None = None,
        args: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        image: str | None = None,
        cpu: float | None = None,
        memory: str | None = None,
        container: str | None = None,
        is_block: bool = False,
    ) -> ExecutionRequest:
        """Check the arguments, and name the execution after the task run.

        Raises:
            AzureInvalidRequest: If an argument is not one.
        """
        subject = f"Container Apps job {job_name!r}"
        if not names.is_job_name(job_name):
            raise AzureInvalidRequest(
                f"{subject}: job_name must be the name of a job: 2 to 32 lower-case letters, digits and single "
                "hyphens, a letter first.",
                subject=subject,
            )
        for name, value, is_one in (
            ("subscription_id", subscription_id, names.is_subscription),
            ("resource_group_name", resource_group_name, names.is_group),
        ):
            if not is_one(value):
                raise AzureInvalidRequest(
                    f"{subject}: {name} is {value!r}; give the {name.replace('_', ' ')} alone.", subject=subject
                )
        for name, words in (("command", command), ("args", args)):
            if isinstance(words, str):
                raise AzureInvalidRequest(f"{subject}: {name} is text; give a list of words.", subject=subject)
        if MARK in (env or {}):
            raise AzureInvalidRequest(
                f"{subject}: env has {MARK}, which executions are recognised by. Leave it out.", subject=subject
            )
        if cpu is not None and not cpu > 0:
            raise AzureInvalidRequest(f"{subject}: cpu is {cpu}; it must be more than 0.", subject=subject)
        overrides: Json = {}
        if command is not None:
            overrides["command"] = list(command)
        if args is not None:
            overrides["args"] = list(args)
        if image is not None:
            overrides["image"] = image
        resources: Json = {}
        if cpu is not None:
            resources = {"cpu": cpu, "memory": memory_for(cpu)}
        if memory is not None:
            resources["memory"] = memory
        if resources:
            overrides["resources"] = resources
        job = JobId(subscription_id, resource_group_name, job_name)
        variables = {name: str(value) for name, value in (env or {}).items()}
        key = run_key({"job": str(job), "overrides": overrides, "env": variables}, counts_calls=is_block)
        return cls(job, container or "", overrides, variables, tuple(key.names()))

    @property
    def has_overrides(self) -> bool:
        """Whether it differs from the job."""
        return bool(self.overrides or self.env)

    def template(self, own: Mapping[str, Any], key: str) -> Json:
        """The execution's template: that of the job, with what is different. It replaces the job's as a whole.

        Args:
            own: The job's.
            key: What the execution is to be known by.

        Raises:
            AzureInvalidRequest: If the job has no such container.
        """
        containers = [_kept(each) for each in own.get("containers") or ()]
        place = next((i for i, each in enumerate(containers) if each.get("name") == self.container), -1)
        if place < 0 and (self.container or not containers):
            known = ", ".join(repr(each.get("name")) for each in containers) or "none"
            raise AzureInvalidRequest(
                f"Container Apps job {self.job.name!r}: it has no container {self.container!r}; it has {known}.",
                subject=self.job.name,
            )
        chosen = containers[max(place, 0)]
        variables: dict[str, Json] = {str(entry["name"]): entry for entry in chosen.get("env") or ()}
        variables.update({name: {"name": name, "value": value} for name, value in self.env.items()})
        variables[MARK] = {"name": MARK, "value": key}
        resources: Json = {**(chosen.get("resources") or {}), **(self.overrides.get("resources") or {})}
        chosen.update(self.overrides, env=list(variables.values()))
        if resources:
            chosen["resources"] = resources
        made: Json = {"containers": containers}
        if first := own.get("initContainers"):
            made["initContainers"] = [_kept(each) for each in first]
        return made


def _kept(container: Mapping[str, Any]) -> Json:
    kept = {key: container[key] for key in _CONTAINER_KEYS if container.get(key) is not None}
    if "resources" in kept:
        kept["resources"] = {key: value for key, value in kept["resources"].items() if key in ("cpu", "memory")}
    return kept


class ExecutionWork(remote_work.RemoteWork[ContainerAppExecutionResult]):
    """One execution.

    Args:
        credentials: Who we are.
        request: What to start; `None` for an execution that was started before.
        job: The job of such an execution.
        name: Name of such an execution.
    """

    failures = FAILURES

    def __init__(
        self,
        credentials: AzureContainerInstanceCredentials,
        request: ExecutionRequest | None = None,
        *,
        job: JobId | None = None,
        name: str = "",
    ) -> None:
        found = request.job if request is not None else job
        assert found is not None, "There is a request or a job."  # noqa: S101
        self._job = found
        self._api = AppsApi(credentials, found.subscription)
        self._request = request
        self._tries = 0
        self._own: Json | None = None
        self._before: set[str] | None = None
        self._is_sent = False
        self._seen: ExecutionView | None = None
        self._said = ""
        self.name = name

    @property
    def id(self) -> str:
        """Resource ID of the execution."""
        return f"{self._job}/executions/{self.name}"

    @property
    def _job_title(self) -> str:
        return f"Container Apps job {self._job.name!r}"

    @property
    def subject(self) -> str:
        """The job, and the execution once there is one."""
        return f"{self._job_title}, execution {self.name!r}" if self.name else self._job_title

    @property
    def is_started(self) -> bool:
        """Whether it is under way, as far as is known."""
        return bool(self.name) and not (self._seen is not None and self._seen.is_ended)

    async def in_thread(self, call: Callable[[], V]) -> V:
        """Make a request in a thread that Prefect does not need."""
        return await in_thread(call)

    def _call(self, call: Callable[[], V], subject: str | None = None) -> V:
        with azure_errors(subject or self.subject):
            return call()

    # Starting

    @property
    def _is_marked(self) -> bool:
        """Whether the execution can carry our mark.

        That takes a template of its own, which replaces the job's: one that mounts volumes is left as it is where
        nobody wants it otherwise, because templates of executions have no mounts.
        """
        assert self._request is not None, "It was started before."  # noqa: S101
        if self._request.has_overrides:
            return True
        own = self._template()
        return not any(each.get("volumeMounts") for each in own.get("containers") or ())

    def _template(self) -> Json:
        if self._own is None:
            self._own = self._call(lambda: self._api.template(self._job.group, self._job.name))
        return self._own

    def start(self) -> None:
        """Start it, or take over what an earlier try, or an earlier attempt of the task, has started."""
        assert self._request is not None, "It was started before."  # noqa: S101
        self._tries += 1
        keys, logger = self._request.keys, run_logger(__name__)
        is_marked = self._is_marked
        if self._tries > 1 or (is_marked and len(keys) > 1):
            found = self._predecessor(is_marked=is_marked)
            if found is not None:
                self.name, self._seen = found.name, found
                logger.info("Took over %s, which was started before", self.subject)
                return
        if self._is_sent:
            raise self._unseen()
        template = None
        if is_marked:
            template = self._request.template(self._template(), keys[-1])
        elif self._before is None:
            self._before = {each.name for each in self._executions()}
        name = self._call(lambda: self._api.start(self._job.group, self._job.name, template))
        if not name:  # the answer does not say, so it is looked for
            self._is_sent = True
            found = self._predecessor(is_marked=is_marked)
            if found is None:
                raise self._unseen()
            name = found.name
        self.name = name
        logger.info("Started %s", self.subject)

    def _unseen(self) -> AzureError:
        """What passes when the execution is seen at last."""
        return AzureUnavailable(
            f"{self._job_title}: it was started, and its execution is not to be seen yet.", subject=self._job_title
        )

    def _executions(self) -> list[ExecutionView]:
        return self._call(lambda: self._api.executions(self._job.group, self._job.name), self._job_title)

    def _predecessor(self, *, is_marked: bool) -> ExecutionView | None:
        assert self._request is not None  # noqa: S101
        executions = self._executions()
        if is_marked:
            marked = {each.variables[MARK]: each for each in executions if MARK in each.variables}
            keys = self._request.keys
            for number, key in enumerate(keys, 1):
                found = marked.get(key)
                is_last = number == len(keys)
                if found is not None and (is_last or not found.is_ended or found.succeeded):
                    return found
            return None
        new = [each for each in executions if self._before is not None and each.name not in self._before]
        if len(new) > 1:
            known = ", ".join(each.name for each in new[:_MOST_NAMED])
            raise AzureConflict(
                f"{self._job_title}: the answer to the start was lost, and there are several new executions ({known}), "
                "so that ours is not known. Stop what is not wanted, and start it again.",
                subject=self._job_title,
            )
        return new[0] if new else None

    # Looking

    def look(self) -> bool:
        """Read it, and tell what is new."""
        seen = self._call(lambda: self._api.execution(self._job.group, self._job.name, self.name))
        self._seen = seen
        if seen.status != self._said:
            self._said = seen.status
            run_logger(__name__).info("%s is %s", self.subject, seen.status)
        return seen.is_ended

    def seen(self) -> ContainerAppExecutionResult:
        """What the last look saw, failed or not."""
        seen = self._seen or ExecutionView(self.name, "Unknown")
        return ContainerAppExecutionResult(
            id=self.id,
            state=seen.status,
            exit_code=outcomes.exit_code_of(seen) if seen.is_ended else None,
            message=": ".join(text for text in (seen.reason, seen.message) if text),
            started_at=seen.started_at,
            completed_at=seen.ended_at,
        )

    def result(self) -> ContainerAppExecutionResult:
        """The execution at its end."""
        assert self._seen is not None, "It has been looked at."  # noqa: S101
        if self._seen.succeeded:
            return self.seen()
        title = f"{self._job_title}, execution {self.name!r},"
        message = outcomes.message_of(title, self._seen, self._replica_timeout())
        raise AzureJobFailed(message, subject=self.subject)

    def _replica_timeout(self) -> int | None:
        try:
            view = FAILURES.persist(
                lambda: self._call(lambda: self._api.get(self._job.group, self._job.name), self._job_title)
            )
        except AzureError:  # it only explains
            return None
        return view.replica_timeout

    def stop(self, reason: str) -> None:
        """Stop it. One that has ended meanwhile stays as it is."""
        del reason  # the service takes none
        try:
            self._call(lambda: self._api.stop(self._job.group, self._job.name, self.name))
        except (AzureNotFound, AzureConflict, AzureInvalidRequest):
            self.look()
            if self.is_started:
                raise
