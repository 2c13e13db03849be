"""Google's REST APIs by the discovery documents that googleapiclient carries; nothing is downloaded.

One attempt for each call: who calls knows what may be repeated. Requests go through `requests`, not through httplib2,
which sends a POST again by itself when the connection was lost before the answer
(https://github.com/httplib2/httplib2/blob/master/httplib2/__init__.py, `_conn_request`), so that a job could run twice.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio.lowlevel
import anyio.to_thread

from prefect_integration_kit.kept import Only, SharedValues

from ._clients import credentials_for
from ._endpoints import Endpoint, endpoint_for
from ._identity import account_of, fingerprint
from ._sdk_logs import silent_sdk
from .errors import gcp_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from .credentials import GcpCredentials

P = ParamSpec("P")
R = TypeVar("R")

MAX_THREADS = 10
"""How many calls of a process's event loop are under way at a time; connection pools are as large."""
MAX_WAITING_THREADS = 40
"""How many calls that the service keeps until there is something to tell are under way beside those."""
TIMEOUT_SECONDS = (10.0, 60.0)
"""For connecting, and for each wait for data. Creating a Cloud Run job answers within seconds."""
_MAX_SERVICES = 64
# The start of all paths of an API, which an address of our own would replace.
_SERVICE_PATHS = {"compute": "compute/v1/"}

_services: SharedValues[Any] = SharedValues(_MAX_SERVICES)
_transports: SharedValues[Any] = SharedValues(_MAX_SERVICES)
_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("prefect-gcp-calls")
_waiting_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("prefect-gcp-waiting-calls")


def forget_services() -> None:
    """Drop all kept services and their connections; the next use makes new ones."""
    _services.clear()
    _transports.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_services)


class Transport:
    """What googleapiclient takes for an HTTP client; threads can share it.

    Attributes:
        account: The identity that requests carry, for messages.
    """

    def __init__(self, credentials: Any, account: str) -> None:
        from google.auth.transport.requests import AuthorizedSession
        from requests.adapters import HTTPAdapter

        self.account = account
        self._credentials = credentials
        self._session: Any = AuthorizedSession(credentials, refresh_timeout=int(TIMEOUT_SECONDS[1]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=MAX_THREADS, max_retries=0))

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
        redirections: int = 0,
        connection_type: Any = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS[1],
    ) -> tuple[Any, bytes]:
        """Send one request.

        Returns:
            The answer's status and headers, as httplib2 gives them, and its body.
        """
        import httplib2 as _httplib2

        httplib2: Any = _httplib2

        response = self._session.request(
            method,
            uri,
            data=body,
            headers=dict(headers or {}),
            timeout=(TIMEOUT_SECONDS[0], timeout_seconds),
            allow_redirects=False,
        )
        fields = {name.lower(): value for name, value in response.headers.items()}
        fields.pop("content-encoding", None)  # the body is decoded
        answer = httplib2.Response({**fields, "status": str(response.status_code)})
        answer.reason = response.reason
        return answer, response.content

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._session.close()


def rest_service(block: GcpCredentials, api: str, version: str, *, region: str | None = None) -> Any:
    """The kept client of a REST API.

    Args:
        block: Who we are.
        api: Google's name of the API, such as `run`.
        version: Of the API, such as `v2`.
        region: For APIs whose address is that of a region: jobs of Cloud Run's v1 are served by
            `{region}-run.googleapis.com` only (https://cloud.google.com/run/docs/reference/rest/v1/namespaces.jobs).

    Returns:
        A `googleapiclient.discovery.Resource`, which threads can share. A request that it makes is sent by `execute`.
    """
    from googleapiclient import discovery as _discovery

    discovery: Any = _discovery
    key = fingerprint(block), api, version, region, Only(discovery.build)
    return _services.get(key, lambda: _build(discovery.build, block, api, version, region))


def _build(build: Any, block: GcpCredentials, api: str, version: str, region: str | None) -> Any:
    endpoint = endpoint_for(block.api_endpoints, api)
    options: dict[str, Any] = {}
    if endpoint is not None:
        options["api_endpoint"] = f"{endpoint.url}/{_SERVICE_PATHS.get(api, '')}"
    elif region:
        options["api_endpoint"] = f"https://{region}-{api}.{block.universe_domain or 'googleapis.com'}/"
    if block.universe_domain:
        options["universe_domain"] = block.universe_domain
    with gcp_errors(f"API {api} {version}"):
        return build(
            api,
            version,
            http=_transport(block, endpoint),
            client_options=options,
            cache_discovery=False,
            static_discovery=True,
        )


def _transport(block: GcpCredentials, endpoint: Endpoint | None) -> Transport:
    """One transport for all services of an identity, so that they share connections."""
    sends_tokens = endpoint is None or endpoint.may_have_tokens
    return _transports.get(
        (fingerprint(block), sends_tokens), lambda: Transport(credentials_for(block, endpoint), account_of(block))
    )


class _Patient:
    """A transport that waits for data as long as one request wants it."""

    def __init__(self, transport: Any, timeout_seconds: float) -> None:
        self._transport = transport
        self._timeout_seconds = timeout_seconds

    def request(self, *args: Any, **kwargs: Any) -> tuple[Any, bytes]:
        return self._transport.request(*args, timeout_seconds=self._timeout_seconds, **kwargs)


def execute(request: Any, *, subject: str, timeout_seconds: float | None = None) -> dict[str, Any]:
    """Send a request, once.

    Args:
        request: What a method of a `rest_service` returned.
        subject: What it is about, for messages: `Cloud Run job 'x'`.
        timeout_seconds: How long to wait for data, where the service itself may wait.

    Returns:
        The answer's body; empty for an answer without one.

    Raises:
        GcpUnavailable: For a failure that may pass: 408, 429, 5xx, a lost connection, no token to be had now.
        GcpError: Another of its subclasses for a failure that lasts.
    """
    account = str(getattr(request.http, "account", ""))
    with gcp_errors(subject, account=account):
        http = None if timeout_seconds is None else _Patient(request.http, timeout_seconds)
        return request.execute(http=http, num_retries=0) or {}


async def aexecute(request: Any, *, subject: str) -> dict[str, Any]:
    """Async form of `execute`, in threads that Prefect does not use."""
    return await in_thread(execute, request, subject=subject)


def own_threads() -> anyio.CapacityLimiter:
    """The limiter of Google calls in this event loop.

    Prefect's own work shares one small pool of threads (anyio's default), so a slow Google would starve heartbeats;
    these calls wait in a pool of their own.
    """
    return _kept_limiter(_limiter, MAX_THREADS)


def _kept_limiter(kept: anyio.lowlevel.RunVar[anyio.CapacityLimiter], maximum: int) -> anyio.CapacityLimiter:
    try:
        return kept.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(maximum)
        kept.set(limiter)
        return limiter


async def in_thread(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking call to Google in a thread that Prefect does not need.

    The SDK's own DEBUG records are dropped meanwhile: requests and answers hold the environment of runs.

    A call that was cancelled goes on to its end in its thread: its answer may name something that must be stopped.
    """
    return await _run(own_threads(), partial(call, *args, **kwargs))


async def in_waiting_thread(call: Callable[[], R]) -> R:
    """Like `in_thread`, for a call that Google keeps for long: such ones must not hold up the others.

    Args:
        call: The call.
    """
    return await _run(_kept_limiter(_waiting_limiter, MAX_WAITING_THREADS), call)


async def _run(limiter: anyio.CapacityLimiter, call: Callable[[], R]) -> R:
    def silently() -> R:
        with silent_sdk():
            return call()

    return await anyio.to_thread.run_sync(silently, limiter=limiter)
