"""Keep up with all objects of a kind: list them in pages, then watch, and resume whatever happens.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from .._clients import call
from ..errors import KubernetesAccessDenied, KubernetesGone, kube_errors
from .health import HealthMonitor
from .raw import Raw, metadata, part, parts, text, version_of

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=60.0)
DENIED_SECONDS = 60.0
"""How long to wait when we may not list or watch: permissions do not come by asking."""

_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 30.0
_SHORT_SECONDS = 5.0


class Resource(NamedTuple):
    """A kind of object of the API.

    Attributes:
        plural: What the API calls it: `pods`.
        root: Where it is: `/api/v1`.
    """

    plural: str
    root: str

    def path(self, namespace: str, name: str = "") -> str:
        """Path of the objects of a namespace, or of all when it is empty; of one object when it is named."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.root}{scope}/{self.plural}{f'/{name}' if name else ''}"


PODS = Resource("pods", "/api/v1")
JOBS = Resource("jobs", "/apis/batch/v1")
EVENTS = Resource("events", "/api/v1")


async def answer_of(
    api: ApiClient,
    path: str,
    query: Mapping[str, Any],
    timeout: tuple[float, float] | None = None,
    *,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
) -> Any:
    """Send a request, and give the answer whose body has not been read.

    The SDK's own methods make models of all that they read, which takes some hundred times as long as this.

    Raises:
        kubernetes_asyncio.client.exceptions.ApiException: If the server refuses.
    """
    client: Any = api
    response = await client.call_api(
        path,
        method,
        query_params=[(name, value) for name, value in query.items() if value not in ("", None)],
        header_params={"Accept": "application/json"},
        auth_settings=["BearerToken"],
        body=body,
        _preload_content=False,
        _request_timeout=timeout,
    )
    if not 200 <= response.status <= 299:
        raise api_exception(response, await response.read())
    return response


def api_exception(response: Any, body: bytes) -> Exception:
    """Make the SDK's error of an answer."""
    from kubernetes_asyncio.client.exceptions import ApiException
    from kubernetes_asyncio.client.rest import RESTResponse

    answer: Any = RESTResponse(response, body)
    error: Any = ApiException(http_resp=answer)
    error.body = body.decode("utf-8", "replace")
    return error


async def read_json(api: ApiClient, path: str, query: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Read an object or a page of objects; what is transient is tried again.

    Raises:
        KubernetesError: If the server refuses or cannot be reached.
    """

    async def read() -> dict[str, Any]:
        response = await answer_of(api, path, query, (_CONNECT_SECONDS, 60.0))
        return json.loads(await response.read())

    return await call(subject, read)


async def pages(
    api: ApiClient, resource: Resource, namespace: str, selector: str, page_size: int, **query: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """List objects page by page, each being forgotten before the next is asked for.

    Raises:
        KubernetesGone: If the list took so long that it cannot be continued; begin anew.
        KubernetesError: If the server refuses or cannot be reached.
    """
    where = f"namespace {namespace!r}" if namespace else "all namespaces"
    position = ""
    while True:
        page = await read_json(
            api,
            resource.path(namespace),
            {"labelSelector": selector, "limit": page_size, "continue": position, **query},
            f"List of {resource.plural} in {where}",
        )
        yield page
        position = text(metadata(page), "continue")
        if not position:
            return


class Listener(NamedTuple):
    """Who is told what a watch sees. What a function raises is logged, and stops nothing.

    Attributes:
        listed: Gets each object of a list.
        complete: Called at the end of a list, with the uids that were in it.
        changed: Gets each change: `ADDED`, `MODIFIED`, `DELETED`, and the object.
    """

    listed: Callable[[Raw], None]
    complete: Callable[[set[str]], None]
    changed: Callable[[str, Raw], None]


class Watch:
    """Keeps up with the objects of one kind in one namespace, for ever.

    Args:
        api: Client of the cluster.
        resource: The kind.
        namespace: The namespace; empty for all.
        selector: Labels of the objects.
        listener: Told what is seen.
        monitor: Told how it goes.
        logger: Told of what a listener raised.
        page_size: How many objects are in one page of a list.
        timeout_seconds: After what time the server is to end a watch, which is then resumed.
        clock: Time.
        on_denied: Called when we may not list or watch at all; what it returns says whether to go on trying.
    """

    def __init__(
        self,
        api: ApiClient,
        resource: Resource,
        namespace: str,
        selector: str,
        listener: Listener,
        monitor: HealthMonitor,
        *,
        logger: logging.Logger,
        page_size: int = 500,
        timeout_seconds: int = 300,
        clock: Clock = SYSTEM_CLOCK,
        on_denied: Callable[[KubernetesAccessDenied], bool] | None = None,
    ) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._selector = selector
        self._listener = listener
        self._monitor = monitor
        self._logger = logger
        self._page_size = page_size
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._on_denied = on_denied
        self.is_listed = asyncio.Event()

    async def run(self) -> None:
        """List and watch until cancelled, or until `on_denied` says to stop. What fails is tried again."""
        version, failures = "", 0
        while True:
            start = self._clock.monotonic()
            try:
                if not version:
                    version = await self._list()
                    self._monitor.succeeded()
                    self.is_listed.set()
                version = await self._watch(version)
                failures = 0
                # A server that ends watches at once is not asked without a pause.
                if self._clock.monotonic() - start < 1.0:
                    await self._clock.asleep(1.0)
                continue
            except KubernetesGone as exc:
                self._logger.debug("%s must be listed anew: %s", self._monitor.subject, exc)
                version, failures = "", failures + 1
                if failures == 1:
                    continue
                delay = BACKOFF.delay(failures)
            except KubernetesAccessDenied as exc:
                if self._on_denied is not None and not self._on_denied(exc):
                    return
                self._monitor.failed(str(exc), is_lasting=True)
                delay = DENIED_SECONDS
            except _Interrupted as exc:
                version = exc.version
                lasted = self._clock.monotonic() - start
                failures = 1 if lasted > _SHORT_SECONDS else failures + 1
                self._monitor.failed(str(exc.__cause__))
                delay = BACKOFF.delay(failures)
            except Exception as exc:
                failures += 1
                self._logger.debug("Watching %s failed.", self._monitor.subject, exc_info=True)
                self._monitor.failed(f"{type(exc).__name__}: {exc}")
                delay = BACKOFF.delay(failures)
            await self._clock.asleep(delay)

    async def _list(self) -> str:
        seen: set[str] = set()
        version = ""
        async with aclosing(
            pages(self._api, self._resource, self._namespace, self._selector, self._page_size)
        ) as listed:
            async for page in listed:
                version = version_of(page) or version
                for item in parts(page, "items"):
                    seen.add(text(metadata(item), "uid"))
                    self._tell(self._listener.listed, item)
                await asyncio.sleep(0)
        self._tell(self._listener.complete, seen)
        return version

    async def _watch(self, version: str) -> str:
        """Watch from a version on until the server ends the watch; return the version to go on from.

        Raises:
            KubernetesGone: If the version is too old.
            _Interrupted: If the connection broke; it knows the version to go on from.
            KubernetesError: If the server refuses.
        """
        subject = f"Watch of {self._monitor.subject}"
        # A little different each time, so that many watches do not come back at the same moment.
        seconds = max(1, int(self._timeout_seconds * (1 + random.random()) / 2 + 0.5))  # noqa: S311
        query = {
            "labelSelector": self._selector,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
        }
        with kube_errors(subject):
            timeout = (_CONNECT_SECONDS, seconds + _SILENCE_SECONDS)
            response = await answer_of(self._api, self._resource.path(self._namespace), query, timeout)
        self._monitor.succeeded()
        try:
            try:
                with kube_errors(subject):
                    async for line in _lines(response):
                        version = self._take(line, version)
            except (KubernetesGone, KubernetesAccessDenied):
                raise
            except Exception as exc:
                raise _Interrupted(version) from exc
        finally:
            response.close()
        return version

    def _take(self, line: bytes, version: str) -> str:
        event: dict[str, Any] = json.loads(line)
        kind, item = text(event, "type"), part(event, "object")
        if kind == "ERROR":
            raise _error_of(item)
        self._monitor.succeeded()
        if kind != "BOOKMARK":
            self._tell(self._listener.changed, kind, item)
        return version_of(item) or version

    def _tell(self, listener: Callable[..., None], *args: Any) -> None:
        try:
            listener(*args)
        except Exception:
            self._logger.exception("An object of %s could not be handled; going on.", self._monitor.subject)


class _Interrupted(Exception):
    """A watch broke off; it may go on from the last version that it saw."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


def _error_of(status: Raw) -> Exception:
    """The error that a watch sends as an event: a `Status`, mostly that the version is too old."""
    from kubernetes_asyncio.client.exceptions import ApiException

    error: Any = ApiException(status=int(status.get("code") or 500), reason=str(status.get("reason") or ""))
    error.body = json.dumps(status)
    return error


async def _lines(response: Any) -> AsyncGenerator[bytes, None]:
    """The lines of an answer; an object can be larger than the limit of the library's own reader of lines."""
    rest = b""
    chunks: AsyncGenerator[bytes, None] = response.content.iter_any()
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
