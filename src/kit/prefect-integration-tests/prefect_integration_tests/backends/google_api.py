"""A REST server for Google's APIs in this process, which checks every request against Google's published schemas.

The schemas are the discovery documents that googleapiclient carries. Cloud Run's jobs execute their containers on a
Docker engine, or as a test says. What an API answers, its limits and its refusals follow the documents' descriptions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from ._google.clock import Clock
from ._google.errors import WORDS, ApiError
from ._google.faults import ApiCall, Fault, When
from ._google.rest_server import RestServer
from ._google.run_control import CloudRun
from ._google.service import Service

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ApiCall", "ApiError", "GoogleApi", "google_api"]

S = TypeVar("S", bound=Service)


def _services() -> list[type[Service]]:
    """All services, in the order in which paths are looked up."""
    from ._google.batch_v1 import Batch
    from ._google.cloud_run_v1 import CloudRunV1
    from ._google.cloud_run_v2 import CloudRunV2
    from ._google.dataproc_v1 import Dataproc
    from ._google.logging_v2 import Logging
    from ._google.pubsub_v1 import PubSub

    return [CloudRunV2, CloudRunV1, Logging, PubSub, Dataproc, Batch]


class GoogleApi:
    """The server, what it holds, and what a test may do to it. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start to listen on a free loopback port (milliseconds; the documents are read when first needed)."""
        self.server = RestServer()
        self._services = {kind: self.server.add(kind) for kind in _services()}
        self._clients: dict[tuple[str, str, int], Any] = {}
        self.run = CloudRun(self.server)
        """Jobs of Cloud Run, behind the API."""

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, for every API."""
        return self.server.endpoint

    def endpoint_of(self, region: str) -> str:
        """Give the address that stands for a regional host, such as `us-east1-run.googleapis.com`."""
        return f"{self.endpoint}/{region}"

    @property
    def clock(self) -> Clock:
        """The server's time: `clock.advance(3600)`."""
        return self.server.clock

    @property
    def calls(self) -> list[ApiCall]:
        """All requests since the last reset, in order."""
        return self.server.calls

    @property
    def on_call(self) -> list[Callable[[ApiCall], None]]:
        """Functions that are told of each call before it is answered. They may raise `ApiError`."""
        return self.server.on_call

    def calls_of(self, method: str) -> list[ApiCall]:
        """Give the calls of one method so far.

        Args:
            method: Its id, such as `run.projects.locations.jobs.create`; `*` stands for anything in it.
        """
        from fnmatch import fnmatchcase

        return [call for call in list(self.calls) if fnmatchcase(call.method, method)]

    def service(self, kind: type[S]) -> S:
        """Give the service of a class."""
        return self._services[kind]  # pyright: ignore[reportReturnType] - by its own class

    def client(self, api: str, version: str) -> Any:
        """Give a client of googleapiclient, which sends no token; each thread has its own.

        Args:
            api: `run` and so on.
            version: `v2` and so on.
        """
        import httplib2
        from googleapiclient import discovery

        key = (api, version, threading.get_ident())
        if key not in self._clients:
            build: Any = getattr(discovery, "build")  # noqa: B009 - it has no types
            options = {"api_endpoint": self.endpoint}
            http = httplib2.Http(timeout=60)
            client = build(api, version, http=http, client_options=options, static_discovery=True)
            self._clients[key] = (client, http)
        client, http = self._clients[key]
        http.close()  # the server may have closed what was kept open: `cut_connections`
        return client

    def check_tokens(self, check: Callable[[str], str | None]) -> None:
        """Look at bearer tokens from now on, until the reset.

        Args:
            check: Gives the account of a token, `None` for one that is not valid, such as `google_identity.check`.
        """
        self.server.check_token = check

    @property
    def play(self) -> Callable[..., None]:
        """Say what becomes of executions; see `CloudRun.play`."""
        return self.run.play

    def fail(
        self,
        method: str,
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = "before",
        skip: int = 0,
        message: str = "",
        reason: str = "",
        retry_after_seconds: int | None = None,
        delay_seconds: float = 0.0,
        where: Callable[[ApiCall], bool] | None = None,
    ) -> None:
        """Let calls fail, or be slow.

        Args:
            method: Id of the method; `*` stands for anything in it.
            status: HTTP status of the refusal.
            times: How many calls; `None` for all.
            when: `before`: refused. `after`: done, but answered with the refusal. `lost`: done, and the connection
                closed without an answer. `late`: closed at once, and done `delay_seconds` later. `cut`: closed before
                anything is done. `slow`: done after `delay_seconds`. `garbled`: answered with a page of HTML, as by a
                proxy on the way.
            skip: How many calls pass first.
            message: What is said; by default what Google says for that status.
            reason: Status in `google.rpc.Code`, such as `ABORTED`; by default the usual one.
            retry_after_seconds: Send `Retry-After`.
            delay_seconds: Wait before anything else.
            where: Strike only calls for which this is true.
        """
        if status == 403 and not message and "*" not in method:
            message = f"Permission '{permission_of(method)}' denied on resource (or it may not exist)."
        error = ApiError(
            status, message or WORDS.get(status, ""), status=reason, retry_after_seconds=retry_after_seconds
        )
        self.server.faults.add(Fault(method, error, times, when, skip, delay_seconds, where))

    def heal(self) -> None:
        """End all faults."""
        self.server.faults.clear()

    def reset(self) -> None:
        """Forget everything: what services keep, faults, calls, hooks, the time that was let pass."""
        self.server.reset()

    def close(self) -> None:
        """End what runs, and stop to listen."""
        self.run.close()
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


def permission_of(method: str) -> str:
    """Name the permission that a method needs: `run.jobs.create` of `run.projects.locations.jobs.create`."""
    api, *middle, thing, verb = method.split(".")
    del middle
    verb = {"patch": "update", "replaceJob": "update"}.get(verb, verb)
    return f"{api}.{thing}.{verb}"


@pytest.fixture(scope="session")
def google_api() -> Iterator[GoogleApi]:
    """The local REST server; tests share it, see `empty_google_api`."""
    with GoogleApi() as api:
        yield api


@pytest.fixture
def empty_google_api(google_api: GoogleApi) -> GoogleApi:
    """The local REST server after a reset."""
    google_api.reset()
    return google_api
