"""Logs of one container: read whole, or followed line by line, over however many connections that takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from ._clients import call
from ._resources import as_dict, inside, listed, named
from .errors import KubernetesNotFound, KubernetesUnavailable, kube_errors

_STAMP = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)$")
_MAX_LINE_BYTES = 2**20  # a longer one is handed out in pieces, so that memory stays bounded
_PATH = "/api/v1/namespaces/{namespace}/pods/{name}/log"
_PAUSE = Backoff(initial_seconds=1.0, maximum_seconds=10.0, random=lambda: 1.0)

_clock: Clock = SYSTEM_CLOCK


async def read_text(core: Any, pod_name: str, container: str | None, namespace: str, **options: Any) -> str:
    """Read the log of a container as it is now.

    The text is as the container wrote it: the SDK's own method takes a log that is valid JSON to pieces.

    Args:
        core: A `CoreV1Api`.
        pod_name: Name of the pod.
        container: Name of the container; `None` for the only one.
        namespace: Where the pod is.
        options: Further arguments of `read_namespaced_pod_log`.

    Raises:
        KubernetesError: If it cannot be read.
    """
    if container is not None:
        options["container"] = container

    async def request() -> str:
        response = await core.read_namespaced_pod_log(
            name=pod_name, namespace=namespace, **{**options, "_preload_content": False}
        )
        if not _is_answer(response):  # a client of the caller's own, which reads answers itself
            return response
        await _check(response)
        return (await response.read()).decode("utf-8", "replace")

    return await call(_subject(pod_name, container, namespace), request)


class LogFollower:
    """Follows the log of one container until the container has ended.

    A connection that breaks, times out or is ended by the server is opened again from the last line that was seen.
    Lines are told apart by the timestamps that the node gives them, so none is lost and none comes twice.

    Args:
        core: A `CoreV1Api`.
        pod_name: Name of the pod.
        container: Name of the container.
        namespace: Where the pod is.
        is_over: Says whether no more lines will come; by default, whether the container has ended.
        options: Further arguments of `read_namespaced_pod_log`; what they say of the beginning counts once.
    """

    def __init__(
        self,
        core: Any,
        pod_name: str,
        container: str,
        namespace: str,
        *,
        is_over: Callable[[], Awaitable[bool]] | None = None,
        **options: Any,
    ) -> None:
        self._core = core
        self._pod_name = pod_name
        self._container = container
        self._namespace = namespace
        self._is_over = is_over or self._has_ended
        self._wants_stamps = bool(options.pop("timestamps", False))
        options.pop("follow", None)
        options.pop("_preload_content", None)
        self._options = options
        self._subject = _subject(pod_name, container, namespace)
        self._since: str | None = None  # the second of the newest line
        self._seen: Counter[str] = Counter()  # the lines of that second
        self._was_open = False
        self._is_text = False  # the client reads answers itself, so there is one, with all lines

    async def lines(self) -> AsyncGenerator[str, None]:
        """Give the lines, without their ends, as they come.

        Raises:
            KubernetesError: If the log cannot be read at all, or no longer, and trying again does not help.
        """
        barren = 0
        while True:
            is_last = await self._is_over()  # asked before reading: what is read afterwards is then all there is
            is_whole, count = True, 0
            try:
                async for line in self._read():
                    count += 1
                    yield line
            except KubernetesNotFound:
                if self._was_open:
                    return  # the pod was deleted
                raise
            except KubernetesUnavailable:
                is_whole = False
            if self._is_text or (is_whole and (is_last or self._options.get("limit_bytes"))):
                return
            barren = 0 if count else barren + 1
            if barren:
                await _clock.asleep(_PAUSE.delay(barren))

    async def _read(self) -> AsyncGenerator[str, None]:
        """Read over one connection what has not been seen yet."""
        response = await call(self._subject, self._open)
        self._was_open = True
        if isinstance(response, str):
            self._is_text = True
            for line in response.splitlines():
                yield line
            return
        if not _is_answer(response):
            self._is_text = True
            async for line in response.content:
                yield (line.decode("utf-8", "replace") if isinstance(line, bytes) else line).rstrip("\r\n")
            return
        seen, first_second = Counter(self._seen), self._since
        try:
            with kube_errors(self._subject):
                async for raw in _split(response):
                    stamp, _, text = raw.partition(" ")
                    match = _STAMP.fullmatch(stamp)
                    if match is None:
                        yield raw
                        continue
                    second = f"{match['second']}{match['zone']}"
                    if second == first_second and seen[raw] > 0:
                        seen[raw] -= 1
                        continue
                    self._remember(second, raw)
                    yield raw if self._wants_stamps else text
        finally:
            response.close()

    def _remember(self, second: str, raw: str) -> None:
        if second != self._since:
            self._since, self._seen = second, Counter()
        self._seen[raw] += 1

    async def _open(self) -> Any:
        if self._since is None:
            response = await self._core.read_namespaced_pod_log(
                name=self._pod_name,
                namespace=self._namespace,
                container=self._container,
                follow=True,
                timestamps=True,
                _preload_content=False,
                **self._options,
            )
        else:
            response = await self._reopen()
        await _check(response)
        return response

    async def _reopen(self) -> Any:
        """Ask for the lines since the last one; the API takes a time, which the SDK's method does not offer.

        See `PodLogOptions` in https://github.com/kubernetes/api/blob/master/core/v1/types.go
        """
        query: list[tuple[str, Any]] = [
            ("container", self._container),
            ("follow", "true"),
            ("timestamps", "true"),
            ("sinceTime", self._since),
        ]
        if self._options.get("previous"):
            query.append(("previous", "true"))
        return await self._core.api_client.call_api(
            _PATH,
            "GET",
            path_params={"name": self._pod_name, "namespace": self._namespace},
            query_params=query,
            header_params={"Accept": "*/*"},
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=self._options.get("_request_timeout"),
        )

    async def _has_ended(self) -> bool:
        try:
            pod = as_dict(
                await call(
                    self._subject,
                    lambda: self._core.read_namespaced_pod(name=self._pod_name, namespace=self._namespace),
                ),
                "V1Pod",
            )
        except KubernetesNotFound:
            return True
        return has_ended(pod, self._container)


def has_ended(pod: dict[str, Any], container: str) -> bool:
    """Say whether a container of a pod has ended and is not about to be started again.

    Args:
        pod: The pod, as the API's JSON has it.
        container: Name of the container.
    """
    if inside(pod, "status").get("phase") in ("Succeeded", "Failed"):
        return True
    state = container_state(pod, container)
    ended: dict[str, Any] | None = state.get("terminated")
    if ended is None:
        return False
    policy = inside(pod, "spec").get("restartPolicy")
    return policy == "Never" or (policy == "OnFailure" and ended.get("exitCode") == 0)


def container_state(pod: dict[str, Any], container: str) -> dict[str, Any]:
    """Get the state of a container: one of `waiting`, `running`, `terminated`, with its particulars.

    Args:
        pod: The pod, as the API's JSON has it.
        container: Name of the container.
    """
    for key in ("containerStatuses", "initContainerStatuses"):
        for status in listed(inside(pod, "status"), key):
            if status.get("name") == container:
                return inside(status, "state")
    return {}


async def _split(response: Any) -> AsyncGenerator[str, None]:
    rest = b""
    async for chunk in response.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").removesuffix("\r")
        if len(rest) > _MAX_LINE_BYTES:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")


def _is_answer(response: Any) -> bool:
    """Whether it is an answer of the server, and not what a stand-in for the SDK gives."""
    return isinstance(getattr(response, "status", None), int)


async def _check(response: Any) -> None:
    """Raise what the SDK would, had it read the answer itself."""
    if not _is_answer(response) or response.status < 400:
        return
    from kubernetes_asyncio.client.exceptions import ApiException
    from kubernetes_asyncio.client.rest import RESTResponse

    answer: Any = RESTResponse(response, await response.read())
    error: Any = ApiException(http_resp=answer)
    error.body = error.body.decode("utf-8", "replace")
    raise error


def _subject(pod_name: str, container: str | None, namespace: str) -> str:
    pod = named("pod", pod_name, namespace)
    return f"Log of container {container!r} of {pod}" if container else f"Log of {pod}"


async def print_lines(follower: LogFollower, print_func: Callable[[str], object]) -> list[str]:
    """Hand each line of a log to a function.

    Args:
        follower: The log.
        print_func: Is given each line, without its end.

    Returns:
        The lines.
    """
    lines: list[str] = []
    async for line in follower.lines():
        lines.append(line)
        print_func(line)
    return lines
