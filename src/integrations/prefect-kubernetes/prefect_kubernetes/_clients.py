"""Clients of the Kubernetes API, and calls through them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_integration_kit.redact import Secret
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, Verdict, aretry

from . import _sources
from .errors import (
    KubernetesThrottled,
    KubernetesTlsRefused,
    KubernetesUnavailable,
    kube_errors,
)

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient, Configuration

    from .credentials import KubernetesClusterConfig

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
"""Seconds that an ordinary request may wait for the next piece of its answer."""

STREAM_TIMEOUT_SECONDS = 300.0
"""The same for answers that are read as a stream, such as logs and watches, which are silent at times."""

BACKOFF = Backoff(initial_seconds=0.5, maximum_seconds=10.0, deadline_seconds=60.0)

_BLOCKS = f"{__package__}.credentials"
_clock: Clock = SYSTEM_CLOCK


async def build_api(
    cluster_config: KubernetesClusterConfig | None = None,
    *,
    configuration: Configuration | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    stream_timeout_seconds: float = STREAM_TIMEOUT_SECONDS,
    tcp_keepalive: bool = True,
    configured: Configuration | None = None,
) -> ApiClient:
    """Build a client, which the caller must close; see `open_api`. What is configured already needs no source."""
    from ._api_client import LastingApiClient

    source = loaded = None
    if configuration is not None and cluster_config is None and _names_host(configuration):
        mine = copy.deepcopy(configuration)
    elif configured is not None:
        mine = _with_options(configured, configuration)
    else:
        source = _sources.find(cluster_config)
        loaded = await _sources.load(source)
        mine = _with_options(loaded.configuration, configuration)
    with kube_errors("Client of the Kubernetes API"):
        return LastingApiClient(
            source,
            loaded,
            mine,
            timeout_seconds=timeout_seconds,
            stream_timeout_seconds=stream_timeout_seconds,
            tcp_keepalive=tcp_keepalive,
        )


@asynccontextmanager
async def open_api(
    cluster_config: KubernetesClusterConfig | None = None,
    *,
    configuration: Configuration | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    stream_timeout_seconds: float = STREAM_TIMEOUT_SECONDS,
    tcp_keepalive: bool = True,
) -> AsyncGenerator[ApiClient, None]:
    """Open a client for the block's cluster, else for the pod's own, else for the one that kubectl would talk to.

    It gives every request a time limit, reads credentials again before they expire and when they are refused (401),
    and replaces its connections when they fail again and again; see `LastingApiClient`.

    Args:
        cluster_config: The kubeconfig and its context; `None` for the service account of the pod or `$KUBECONFIG`,
            `~/.kube/config`.
        configuration: Options of the SDK (proxy, pool size, …) to go with it. One that names a host of its own is
            used as it stands, unless there is a block.
        timeout_seconds: Seconds that a request may wait for the next piece of its answer; a request can say otherwise
            with `_request_timeout`.
        stream_timeout_seconds: The same for answers that are read as a stream.
        tcp_keepalive: Whether the kernel probes idle connections.

    Raises:
        KubernetesConfigInvalid: If it is not said how to reach a cluster.
    """
    own = await _own_api(cluster_config)
    api = own or await build_api(
        cluster_config,
        configuration=configuration,
        timeout_seconds=timeout_seconds,
        stream_timeout_seconds=stream_timeout_seconds,
        tcp_keepalive=tcp_keepalive,
        configured=await _own_configuration(cluster_config),
    )
    try:
        yield api
    finally:
        closing: Any = api.close()
        if inspect.isawaitable(closing):  # not of every stand-in
            await closing


async def _own_api(cluster_config: KubernetesClusterConfig | None) -> ApiClient | None:
    """Open the client of a block that has another way to make one, as a subclass or a patch has; else `None`."""
    if cluster_config is None or not is_replaced(cluster_config, "get_api_client", _BLOCKS):
        return None
    return await cluster_config.get_api_client()


async def _own_configuration(cluster_config: KubernetesClusterConfig | None) -> Configuration | None:
    """Read the configuration of whoever has another way to make one; `None` where nobody has.

    That is the `configure_client` of a subclass or a patch; without a block, what a test of flows has put in the place
    of the SDK's functions that look for a cluster. All of them change the SDK's default.
    """
    if cluster_config is not None:
        if not is_replaced(cluster_config, "configure_client", _BLOCKS):
            return None
        await cluster_config.configure_client()
    elif not await _sources.load_as_replaced():
        return None
    from kubernetes_asyncio.client import Configuration

    return cast("Any", Configuration).get_default_copy()


def _names_host(configuration: Configuration) -> bool:
    from kubernetes_asyncio.client import Configuration

    return cast("Any", configuration).host != cast("Any", Configuration()).host


def _with_options(loaded: Configuration, options: Configuration | None) -> Configuration:
    """Combine what was loaded with options: the address and the credentials are the loaded ones."""
    from kubernetes_asyncio.client import Configuration

    if options is None:
        return copy.deepcopy(loaded)
    mine = copy.deepcopy(options)
    defaults = vars(Configuration())
    for name, value in vars(loaded).items():
        if value != defaults.get(name):
            setattr(mine, name, copy.deepcopy(value))
    return mine


async def call(
    subject: str,
    request: Callable[[], Awaitable[T]],
    *,
    is_repeatable: bool = True,
    backoff: Backoff | None = None,
    secrets: Iterable[Secret] = (),
    on_retry: Callable[[Exception, float], None] | None = None,
) -> T:
    """Make a request: transient failures are tried again, others raised as this package's errors.

    Transient are 408, 429 (after the server's Retry-After), 5xx and lost connections.

    Args:
        subject: What the request is about: `Job 'load' in namespace 'data'`.
        request: Makes the request anew each time: `lambda: batch.read_namespaced_job(name, namespace)`.
        is_repeatable: Whether the request may be sent again when it may have had its effect. Say no for one that
            creates an object with a generated name.
        backoff: Delays and deadline; a minute by default.
        secrets: Values in the request to keep out of messages.
        on_retry: Told the error and the coming delay in seconds, before each wait.

    Raises:
        KubernetesError: One of its subclasses.
    """
    kept = tuple(secrets)

    async def attempt() -> T:
        with kube_errors(subject, secrets=kept):
            return await request()

    def is_transient(exc: Exception) -> Verdict:
        return transience(exc, is_repeatable=is_repeatable)

    return await aretry(attempt, is_transient=is_transient, backoff=backoff or BACKOFF, on_retry=on_retry, clock=_clock)


def transience(exc: Exception, *, is_repeatable: bool = True) -> Verdict:
    """Say whether to try a request again, and after how many seconds at least, if the server says so.

    Args:
        exc: An error of this package.
        is_repeatable: Whether the request may be sent again when it may have had its effect.
    """
    if isinstance(exc, KubernetesThrottled):
        return exc.retry_after_seconds or True
    if not isinstance(exc, KubernetesUnavailable) or isinstance(exc, KubernetesTlsRefused):
        return False
    if exc.was_sent and not is_repeatable:
        return False
    return exc.retry_after_seconds or True
