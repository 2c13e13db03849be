"""Count HTTP requests in this process, by where they go, under whatever client sends them."""

import collections
import contextvars
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

OPERATION_HEADER = "X-Amz-Target"
"""Where AWS is told what to do by services that have one path for everything."""

uncounted: contextvars.ContextVar[bool] = contextvars.ContextVar("uncounted", default=False)
"""Set it around requests that belong to the measuring, not to what is measured."""


class Requests:
    """Counts of requests, by `prefect` and `cloud`; whatever is not for the Prefect API counts as the latter.

    Args:
        prefect_url: Address of the Prefect API.
    """

    def __init__(self, prefect_url: str) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.paths: collections.Counter[str] = collections.Counter()
        self.on_request: list[Callable[[str, str], None]] = []
        """Told of method and URL of each request before it is sent."""
        self.on_answer: list[Callable[[str, str], None]] = []
        """Told the same when it has been answered, or has failed."""
        self._prefect_url = prefect_url

    @contextmanager
    def under_way(self, method: str, url: str) -> Iterator[None]:
        """Count one, and tell of it."""
        self._note(method, url)
        for hear in self.on_request:
            hear(method, url)
        try:
            yield
        finally:
            for hear in self.on_answer:
                hear(method, url)

    def _note(self, method: str, url: str) -> None:
        if uncounted.get():
            return
        self.counts["prefect" if url.startswith(self._prefect_url) else "cloud"] += 1
        plain = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{3,}", "…", url.partition("?")[0])
        self.paths[f"{method} {plain}"] += 1

    def watch(self, *wanted: str) -> None:
        """Count what httpx and the other clients that are loaded send from now on.

        Args:
            wanted: Clients to count although they are not loaded yet: `aiohttp`, `urllib3` (under requests and
                botocore), `snowflake.connector`, `httplib2` or `grpc.aio`.
        """
        self.watch_httpx()
        watches = {
            "aiohttp": self._watch_aiohttp,
            "urllib3": self._watch_urllib3,
            "snowflake.connector": self._watch_snowflake,
            "httplib2": self._watch_httplib2,
            "grpc.aio": self._watch_grpc,
        }
        for name, watch in watches.items():
            if name in sys.modules or name in wanted:
                watch()

    def watch_httpx(self) -> None:
        """Count what httpx sends, which Prefect's own client uses, and import no other client."""
        import httpx

        under_way = self.under_way
        handle_async, handle = httpx.AsyncHTTPTransport.handle_async_request, httpx.HTTPTransport.handle_request

        async def counted_async(self: Any, request: Any) -> Any:
            with under_way(request.method, str(request.url)):
                return await handle_async(self, request)

        def counted(self: Any, request: Any) -> Any:
            with under_way(request.method, str(request.url)):
                return handle(self, request)

        httpx.AsyncHTTPTransport.handle_async_request = counted_async
        httpx.HTTPTransport.handle_request = counted

    def _watch_aiohttp(self) -> None:
        import aiohttp

        send, under_way = aiohttp.ClientSession._request, self.under_way  # noqa: SLF001 - all methods go through it

        async def counted(self: Any, method: str, url: Any, **options: Any) -> Any:
            with under_way(method, str(url)):
                return await send(self, method, url, **options)

        aiohttp.ClientSession._request = counted  # noqa: SLF001 - the same

    def _watch_urllib3(self) -> None:
        from urllib3.connectionpool import HTTPConnectionPool

        self._watch_pool(HTTPConnectionPool)

    def _watch_snowflake(self) -> None:
        from snowflake.connector.vendored.urllib3.connectionpool import HTTPConnectionPool

        self._watch_pool(HTTPConnectionPool)

    def _watch_pool(self, pool: Any) -> None:
        send, under_way = pool._make_request, self.under_way  # noqa: SLF001 - each attempt goes through it

        def counted(self: Any, connection: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
            with under_way(method, f"{self.scheme}://{self.host}:{self.port}{url}{_operation(options)}"):
                return send(self, connection, method, url, *args, **options)

        pool._make_request = counted  # noqa: SLF001 - the same

    def _watch_httplib2(self) -> None:
        import httplib2

        send, under_way = httplib2.Http.request, self.under_way

        def counted(self: Any, uri: str, method: str = "GET", *args: Any, **options: Any) -> Any:
            with under_way(method, uri):
                return send(self, uri, method, *args, **options)

        httplib2.Http.request = counted

    def _watch_grpc(self) -> None:
        from grpc.aio import _channel

        under_way = self.under_way
        for kind in (_channel.UnaryUnaryMultiCallable, _channel.UnaryStreamMultiCallable):
            call = kind.__call__

            def counted(self: Any, *args: Any, _call: Any = call, **options: Any) -> Any:
                with under_way("CALL", f"grpc:{self._method.decode()}"):  # only until it is sent
                    return _call(self, *args, **options)

            kind.__call__ = counted


def _operation(options: dict[str, Any]) -> str:
    """What of AWS a request calls, as a fragment of its URL."""
    target = (options.get("headers") or {}).get(OPERATION_HEADER, "")
    return f"#{target.decode() if isinstance(target, bytes) else target}" if target else ""
