"""The SDK's client, made to last: time limits, keep-alive, new credentials when refused, new connections when broken.

Only `_clients` imports this module; it loads the SDK.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import aiohttp
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.client.rest import RESTClientObject

from . import _sources
from .errors import KubernetesError
from .utilities import KeepAliveClientRequest

CONNECT_SECONDS = 10.0
FAILURES_BEFORE_REBUILD = 3
_READ_BYTES = 2**21  # as in the SDK: an event of a watch can hold 1.5 MiB, etcd's limit for an object
_FOLLOWING = ("host", "ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "tls_server_name", "proxy")


class _Discretion(logging.Filter):
    """Keeps bodies of answers out of the SDK's DEBUG log: Secrets and environment variables are in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say how long the body is, in its place."""
        if record.msg == "response body: %s" and isinstance(record.args, tuple) and record.args:
            body = record.args[0]
            record.args = (f"{len(body)} bytes" if isinstance(body, bytes | str) else "…",)
        return True


logging.getLogger("kubernetes_asyncio.client.rest").addFilter(_Discretion())


class LastingApiClient(ApiClient):
    """An `ApiClient` for work that goes on for hours.

    - A request without a time limit of its own gets one: `CONNECT_SECONDS` for the connection and `timeout_seconds`
      between two pieces of the answer, or `stream_timeout_seconds` for answers that are read as a stream.
    - Credentials that are about to expire, or that the server refuses (401), are read again, and the request is
      repeated once.
    - After `FAILURES_BEFORE_REBUILD` failed connections in a row the connection pool is built anew.

    Args:
        source: Where address and credentials come from; `None` when `configuration` has them for good.
        loaded: What was read from there.
        configuration: What requests are made with.
        timeout_seconds: See above.
        stream_timeout_seconds: See above.
        tcp_keepalive: Whether the kernel probes idle connections, so that one which a firewall has dropped is noticed.
    """

    def __init__(
        self,
        source: _sources.Source | None,
        loaded: _sources.Loaded | None,
        configuration: Configuration,
        *,
        timeout_seconds: float,
        stream_timeout_seconds: float,
        tcp_keepalive: bool,
    ) -> None:
        # Not `super()`, which builds a REST client of its own, and reads the system's certificates for it each time.
        self.configuration = configuration
        self.pool_threads = 1
        self.rest_client = _LastingRest(configuration, tcp_keepalive)
        self.default_headers = {}
        self.cookie = ""
        self.user_agent = f"prefect-kubernetes/{version('prefect-kubernetes')}"
        self.client_side_validation = cast("Any", configuration).client_side_validation
        self._source = source
        self._loaded = loaded
        self._timeout_seconds = timeout_seconds
        self._stream_timeout_seconds = stream_timeout_seconds
        self._tcp_keepalive = tcp_keepalive
        self._failures = 0
        self._mending = asyncio.Lock()

    async def request(
        self,
        method: str,
        url: str,
        query_params: Any = None,
        headers: Any = None,
        post_params: Any = None,
        body: Any = None,
        _preload_content: bool = True,
        _request_timeout: Any = None,
    ) -> Any:
        """Send a request, and send it again with new credentials when the server refuses those it had."""
        path = url.removeprefix(str(self.configuration.host))
        if self._loaded is not None and self._loaded.is_due and await self._renew(refused=None):
            headers = self._sign(headers)
        limit = self._timeout_seconds if _preload_content else self._stream_timeout_seconds
        options: dict[str, Any] = {
            "query_params": query_params,
            "post_params": post_params,
            "body": body,
            "_preload_content": _preload_content,
            "_request_timeout": _request_timeout or (CONNECT_SECONDS, limit),
        }
        used = self._loaded
        try:
            response = await self._send(method, f"{self.configuration.host}{path}", headers=headers, **options)
            if response.status != 401 or not await self._renew(refused=used):
                return response
            response.release()
        except ApiException as exc:
            if cast("Any", exc).status != 401 or not await self._renew(refused=used):
                raise
        return await self._send(method, f"{self.configuration.host}{path}", headers=self._sign(headers), **options)

    def _sign(self, headers: Any) -> dict[str, Any]:
        """Put the present token in place of the one in the headers."""
        given = cast("dict[str, Any]", headers or {})
        kept = {name: value for name, value in given.items() if name.lower() != "authorization"}
        token = cast("Any", self.configuration).api_key.get("BearerToken")
        return {**kept, "authorization": token} if token else kept

    async def _send(self, method: str, url: str, **options: Any) -> Any:
        client = self.rest_client
        try:
            response: Any = await cast("Any", super()).request(method, url, **options)
        except (aiohttp.ClientConnectionError, asyncio.TimeoutError):
            self._failures += 1
            if self._failures >= FAILURES_BEFORE_REBUILD:
                await self._rebuild(client)
            raise
        except ApiException:
            self._failures = 0  # the server answered
            raise
        self._failures = 0
        return response

    async def _renew(self, *, refused: _sources.Loaded | None) -> bool:
        """Read the credentials again, unless another request has done so since `refused` was used.

        Returns:
            Whether there is now something else to try.
        """
        if self._source is None or self._loaded is None:
            return False
        async with self._mending:
            if refused is not None and self._loaded is not refused:
                return True
            before = self._loaded
            try:
                self._loaded = await _sources.load(self._source, refused=refused)
            except KubernetesError:
                if refused is None:
                    return False  # what we have is good for a while yet
                raise
            return await self._adopt(before.configuration, self._loaded.configuration)

    async def _adopt(self, old: Configuration, new: Configuration) -> bool:
        mine = self.configuration
        changed = [name for name in _FOLLOWING if getattr(old, name, None) != getattr(new, name, None)]
        for name in changed:
            setattr(mine, name, getattr(new, name, None))
        old_key, new_key = cast("Any", old).api_key, cast("Any", new).api_key
        cast("Any", mine).api_key = dict(new_key)
        if changed or (not new_key and cast("Any", new).cert_file):  # a certificate file may have new content
            await self._replace()
            return True
        return old_key != new_key

    async def _rebuild(self, broken: Any) -> None:
        """Replace the connection pool, unless another request has done so since it used `broken`."""
        async with self._mending:
            if self.rest_client is not broken:
                return
            self._failures = 0
            if self._source is not None and self._loaded is not None:
                try:
                    loaded = await _sources.load(self._source)
                except KubernetesError:
                    loaded = self._loaded
                if loaded is not self._loaded:
                    before, self._loaded = self._loaded, loaded
                    await self._adopt(before.configuration, loaded.configuration)
            if self.rest_client is broken:
                await self._replace()

    async def _replace(self) -> None:
        old: Any = self.rest_client
        self.rest_client = _LastingRest(self.configuration, self._tcp_keepalive)
        await old.close()


class _LastingRest(RESTClientObject):
    """The SDK's REST client over a session of ours: connections are probed, certificates are not read each time."""

    def __init__(self, configuration: Configuration, tcp_keepalive: bool) -> None:
        options: Any = configuration
        self.server_hostname = options.tls_server_name
        self.proxy = options.proxy
        self.proxy_headers = options.proxy_headers
        context = _tls_context(options) if str(options.host).startswith("https") else True
        self.pool_manager = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=options.connection_pool_maxsize, ssl=context),
            trust_env=True,
            read_bufsize=_READ_BYTES,
            request_class=KeepAliveClientRequest if tcp_keepalive else aiohttp.ClientRequest,
        )


def _tls_context(options: Any) -> ssl.SSLContext:
    """Build what the SDK builds, once for as long as the files stay as they are."""
    is_lenient = bool(getattr(options, "disable_strict_ssl_verification", False))
    files = (options.ssl_ca_cert, options.cert_file, options.key_file)
    changed = tuple(Path(file).stat().st_mtime_ns if file else 0 for file in files)
    return _tls_context_of(*files, bool(options.verify_ssl), is_lenient, changed)


@lru_cache(maxsize=16)
def _tls_context_of(
    ca_file: str | None,
    cert_file: str | None,
    key_file: str | None,
    is_verified: bool,
    is_lenient: bool,
    _changed: tuple[int, ...],
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file:
        context.load_cert_chain(cert_file, keyfile=key_file)
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if is_lenient:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
