"""Wait for a job to end: look at it at intervals, and hand on what its pods write meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from . import _job_pods
from ._clients import call
from ._logs import LogFollower, container_state, has_ended, print_lines, read_text
from ._resources import as_dict, inside, listed, named
from .errors import KubernetesError, KubernetesNotFound

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

    from .credentials import KubernetesCredentials

T = TypeVar("T")

# A job may run for days: a cluster that is out of reach for some minutes is no reason to give it up.
PATIENCE = Backoff(initial_seconds=1.0, maximum_seconds=30.0, deadline_seconds=600.0)
_LAST_LOOK_SECONDS = 5.0
_DRAIN_SECONDS = 10.0
_TAIL_LINES = 10

_clock: Clock = SYSTEM_CLOCK


class DeadlinePassed(Exception):
    """The job had not ended when the time was up."""


@dataclass
class Ended:
    """How a job ended.

    Attributes:
        logs: The log of each pod's main container, by the pod's name.
        failure: Why it failed; `None` when it succeeded.
    """

    logs: dict[str, str]
    failure: str | None = None


@dataclass
class JobWait:
    """One wait for one job.

    Attributes:
        credentials: Which cluster, and who we are there.
        job: The job as it was created.
        namespace: Where it is.
        interval_seconds: Seconds between two looks.
        timeout_seconds: Seconds to wait at most; `None` for as long as it takes.
        print_func: Is given the lines that the pods write, as they come.
        logger: Told of the job's progress.
        request_options: Arguments of every request.
    """

    credentials: KubernetesCredentials
    job: dict[str, Any]
    namespace: str
    interval_seconds: float
    timeout_seconds: float | None
    print_func: Callable[..., Any] | None
    logger: Log
    request_options: dict[str, Any]
    _pods: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    _followers: dict[str, asyncio.Task[list[str]]] = field(default_factory=dict[str, "asyncio.Task[list[str]]"])
    _core: Any = None
    _batch: Any = None
    _ends_at: float | None = None

    @property
    def name(self) -> str:
        """The job's name."""
        return str(self.job["metadata"]["name"])

    @property
    def subject(self) -> str:
        """What the requests are about."""
        return named("Job", self.name, self.namespace)

    async def run(self) -> Ended:
        """Wait.

        Raises:
            DeadlinePassed: If the time is up.
            KubernetesError: If the cluster cannot be asked.
        """
        if self.timeout_seconds is not None:
            self._ends_at = _clock.monotonic() + self.timeout_seconds
        async with AsyncExitStack() as stack:
            self._batch = await stack.enter_async_context(self.credentials.get_client("batch"))
            self._core = await stack.enter_async_context(self.credentials.get_client("core"))
            try:
                return await self._wait()
            finally:
                await self._stop_followers()

    async def look(self) -> Ended | None:
        """Look once; `None` when the job has not ended.

        Raises:
            KubernetesError: If the cluster cannot be asked.
        """
        async with AsyncExitStack() as stack:
            self._batch = await stack.enter_async_context(self.credentials.get_client("batch"))
            self._core = await stack.enter_async_context(self.credentials.get_client("core"))
            return await self._ended(await self._read_job())

    async def _wait(self) -> Ended:
        was_suspended = False
        while True:
            job = await self._in_time(self._read_job())
            if self.print_func is not None and job is not None:
                await self._in_time(self._follow_pods())
            ended = await self._ended(job)
            if ended is not None:
                return ended
            is_suspended = bool(inside(job, "spec").get("suspend"))
            if is_suspended and not was_suspended:
                self.logger.info("%s is suspended; waiting until it is resumed", self.subject)
            was_suspended = is_suspended
            await self._pause()

    async def _in_time(self, work: Awaitable[T]) -> T:
        """Do a look, but not for long beyond the deadline: a server that is silent must not extend it."""
        if self._ends_at is None:
            return await work
        left = max(self._ends_at - _clock.monotonic(), _LAST_LOOK_SECONDS)
        try:
            return await asyncio.wait_for(work, left)
        except asyncio.TimeoutError as exc:
            if isinstance(exc, KubernetesError):
                raise
            raise DeadlinePassed from None

    async def _pause(self) -> None:
        delay = float(self.interval_seconds)
        if self._ends_at is not None:
            left = self._ends_at - _clock.monotonic()
            if left <= 0:
                raise DeadlinePassed
            delay = min(delay, left)
        await _clock.asleep(delay)

    async def _read_job(self) -> dict[str, Any] | None:
        try:
            found = await self._patiently(
                lambda: self._batch.read_namespaced_job_status(
                    name=self.name, namespace=self.namespace, **self.request_options
                )
            )
        except KubernetesNotFound:
            return None
        job = self._completed(as_dict(found, "V1Job"))
        ours, theirs = self.job["metadata"].get("uid"), inside(job, "metadata").get("uid")
        return None if ours and theirs and ours != theirs else job  # of the same name, but another

    def _completed(self, job: dict[str, Any]) -> dict[str, Any]:
        """Add to an answer what only the creation told: a stand-in for the SDK may give the status alone."""
        name_it = {} if inside(job, "metadata").get("name") else {"metadata": self.job["metadata"]}
        return {**self.job, **job, **name_it}

    async def _read_pods(self) -> None:
        found = await self._patiently(
            lambda: self._core.list_namespaced_pod(
                namespace=self.namespace, label_selector=_job_pods.selector_of(self.job), **self.request_options
            )
        )
        for pod in listed(as_dict(found, "V1PodList"), "items"):
            if name := inside(pod, "metadata").get("name"):
                self._pods[str(name)] = pod

    async def _patiently(self, request: Callable[[], Awaitable[Any]]) -> Any:
        def told(exc: Exception, delay: float) -> None:
            self.logger.warning("%s; asking again in %.0f seconds", exc, delay)

        return await call(self.subject, request, backoff=PATIENCE, on_retry=told)

    async def _ended(self, job: dict[str, Any] | None) -> Ended | None:
        if job is None:
            return Ended(
                await self._collect_logs(),
                f"{self.subject} was deleted before it was seen to end. If that was ttlSecondsAfterFinished, make it "
                f"longer than interval_seconds ({self.interval_seconds:g}).",
            )
        self.job = job
        if _job_pods.condition(job, "Complete") is not None:
            return Ended(await self._collect_logs())
        failed = _job_pods.condition(job, "Failed")
        if failed is None:
            return None  # pods may have failed: the job starts others, up to its backoffLimit
        logs = await self._collect_logs()
        return Ended(logs, await self._failure(failed))

    async def _failure(self, failed: dict[str, Any]) -> str:
        reason = ": ".join(str(failed[name]).rstrip(".") for name in ("reason", "message") if failed.get(name))
        message = f"{self.subject} failed{f' ({reason})' if reason else ''}."
        newest = sorted(self._pods.values(), key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
        for pod in reversed(newest):
            why = _job_pods.why_failed(pod)
            if not why:
                continue
            message += f" Pod {pod['metadata']['name']}: {why}"
            tail = await self._tail(pod)
            return f"{message}\n{tail}" if tail else message
        return message

    async def _tail(self, pod: dict[str, Any]) -> str:
        """Get the last lines that the failed container wrote."""
        failed = _job_pods.failed_container(pod)
        if failed is None:
            return ""
        try:
            text = await read_text(
                self._core, str(pod["metadata"]["name"]), failed[0], self.namespace, tail_lines=_TAIL_LINES
            )
        except KubernetesError:
            return ""  # the pod is gone, and its log with it
        lines = text.rstrip().splitlines()[-_TAIL_LINES:]
        return "\n".join([f"Last lines of {failed[0]!r}:", *(f"  {line}" for line in lines)]) if lines else ""

    async def _follow_pods(self) -> None:
        await self._read_pods()
        for name, pod in self._pods.items():
            container = _job_pods.main_container(pod, self.job)
            state = container_state(pod, container)
            if name not in self._followers and ("running" in state or "terminated" in state):
                self.logger.debug("Following container %r of pod %s", container, name)
                follower = LogFollower(
                    self._core, name, container, self.namespace, is_over=self._is_over(name, container)
                )
                self._followers[name] = asyncio.ensure_future(
                    print_lines(follower, cast("Callable[[str], Any]", self.print_func))
                )
        for task in self._followers.values():
            if (
                task.done()
                and isinstance(task.exception(), Exception)
                and not isinstance(task.exception(), KubernetesError)
            ):
                await task  # `print_func` failed: that is the caller's

    def _is_over(self, name: str, container: str) -> Callable[[], Awaitable[bool]]:
        async def is_over() -> bool:
            try:
                pod = await self._patiently(
                    lambda: self._core.read_namespaced_pod(name=name, namespace=self.namespace, **self.request_options)
                )
            except KubernetesNotFound:
                return True
            return has_ended(cast("dict[str, Any]", as_dict(pod, "V1Pod")), container)

        return is_over

    async def _collect_logs(self) -> dict[str, str]:
        """Get the log of each pod: as it was followed, or as it can be read now."""
        try:
            if self.print_func is not None:
                await self._follow_pods()  # those that came and went between two looks
            else:
                await self._read_pods()
        except KubernetesError as exc:
            self.logger.warning("The logs may be incomplete: %s", exc)
        if self._followers:
            await asyncio.wait(self._followers.values(), timeout=_DRAIN_SECONDS)
        logs: dict[str, str] = {}
        for name, pod in self._pods.items():
            follower = self._followers.get(name)
            if follower is not None and follower.done() and not follower.cancelled() and follower.exception() is None:
                logs[name] = "".join(f"{line}\n" for line in follower.result())
            else:
                logs[name] = await self._read_log(name, _job_pods.main_container(pod, self.job))
                if follower is None and self.print_func is not None:  # a pod that does not say how its containers are
                    for line in logs[name].splitlines():
                        self.print_func(line)
        return logs

    async def _read_log(self, name: str, container: str) -> str:
        try:
            return await read_text(self._core, name, container, self.namespace)
        except KubernetesError as exc:
            self.logger.debug("No log of pod %s: %s", name, exc)  # it never started, or is gone
            return ""

    async def _stop_followers(self) -> None:
        for task in self._followers.values():
            task.cancel()
        for task in self._followers.values():
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
