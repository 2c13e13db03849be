"""Work at Google Cloud that is waited for: the kit's `remote_work` with this package's errors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from prefect_integration_kit import remote_work
from prefect_integration_kit.remote_work import START_BACKOFF, Failures, Patience, arun, await_end, run, wait

from ._rest import execute, in_thread, rest_service
from ._sdk_logs import silent_sdk
from .errors import GcpError, GcpInvalidRequest, GcpWaitTimeout, is_transient

if TYPE_CHECKING:
    from .credentials import GcpCredentials

__all__ = ["FAILURES", "START_BACKOFF", "Api", "Patience", "RemoteWork", "arun", "await_end", "run", "wait"]

R = TypeVar("R")
V = TypeVar("V")

FAILURES = Failures(base=GcpError, refused=GcpInvalidRequest, timed_out=GcpWaitTimeout, is_passing=is_transient)


class RemoteWork(remote_work.RemoteWork[R]):
    """Something that Google Cloud does for us; `start`, `look` and `settle` raise what `gcp_errors` raises."""

    failures = FAILURES

    async def in_thread(self, call: Callable[[], V]) -> V:
        """Make a request in a thread that Prefect does not need."""
        return await in_thread(call)

    @abstractmethod
    def seen(self) -> R:
        """What the last look saw, failed or not."""


class Api:
    """One version of a REST API, as one identity sees it.

    Args:
        credentials: Who we are.
        name: Google's name, such as `run`.
        version: Such as `v2`.
    """

    def __init__(self, credentials: GcpCredentials, name: str, version: str) -> None:
        self._credentials = credentials
        self._name = name
        self._version = version

    def call(
        self, method: str, *, subject: str, timeout_seconds: float | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Send one request, once.

        Args:
            method: Path of the method in the API, such as `projects.locations.jobs.run`.
            subject: What it is about, for errors.
            timeout_seconds: How long to wait for data.
            parameters: Of the method: `name`, `parent`, `body` and so on.
        """
        *resources, verb = method.split(".")
        with silent_sdk():
            found: Any = rest_service(self._credentials, self._name, self._version)
            for resource in resources:
                found = getattr(found, resource)()
            request = getattr(found, verb)(**parameters)
            return execute(request, subject=subject, timeout_seconds=timeout_seconds)
