"""The HTTP side of a played Kubernetes API server, on aiohttp, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

from ..processes import HOST
from .access import Access, Attempt
from .faults import Fault, Faults, KubeCall
from .json import is_true
from .logs import Logs
from .resources import REVIEWS, Catalogue, Target
from .status import Refusal, bad_request, method_not_allowed
from .store import Store, to_json
from .streams import Streams, break_connection
from .verbs import Answer, Verbs

T = TypeVar("T")

_LARGEST_REQUEST = 3 * 1024 * 1024
_SUBRESOURCES = {"pods": ("log", "status", "eviction")}


class Reset(Exception):
    """The connection is to be broken."""


class KubeServer:
    """Listens on loopback ports, and answers by the store."""

    def __init__(
        self, catalogue: Catalogue, store: Store, verbs: Verbs, access: Access, faults: Faults, logs: Logs
    ) -> None:
        """Start the thread and listen on a free port."""
        self._catalogue = catalogue
        self._verbs = verbs
        self._access = access
        self._faults = faults
        self.calls: list[KubeCall] = []
        self.loop = asyncio.new_event_loop()
        self.streams = Streams(store, logs, self.loop)
        self._thread = threading.Thread(target=self.loop.run_forever, name="kube-api", daemon=True)
        self._thread.start()
        self._runner = self.run(self._prepare())
        self.port = self.listen()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def listen(self, tls: ssl.SSLContext | None = None) -> int:
        """Listen on one more free port.

        Args:
            tls: Speak TLS there.

        Returns:
            The port.
        """
        return self.run(self._listen(tls))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Call a function in the server's thread, some seconds later."""
        self.loop.call_soon_threadsafe(self.loop.call_later, seconds, act)

    def close(self) -> None:
        """Break all connections and stop."""
        self.streams.drop()
        self.run(self._runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    async def _prepare(self) -> web.AppRunner:
        app = web.Application(client_max_size=4 * _LARGEST_REQUEST)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        return runner

    async def _listen(self, tls: ssl.SSLContext | None) -> int:
        listener = socket.create_server((HOST, 0), backlog=256)
        await web.SockSite(self._runner, listener, ssl_context=tls).start()
        return int(listener.getsockname()[1])

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = KubeCall(request.method, request.path, dict(request.query), "", at_seconds=time.monotonic())
        self.calls.append(call)
        try:
            response = await self._answer(request, call)
        except Refusal as exc:
            response = _response(Answer(exc.code, to_json(exc.status), exc.headers))
        except Reset:
            call.status = 0
            break_connection(request)
            return web.Response(status=500)
        call.status = response.status
        return response

    async def _answer(self, request: web.Request, call: KubeCall) -> web.StreamResponse:
        call.user = self._access.user_of(request.headers.get("Authorization", ""))
        found = self._catalogue.discovery(request.path)
        target = None if found else self._catalogue.find(request.path)
        review = request.path.rpartition("/")[2] if request.path.startswith("/apis/authorization.k8s.io/v1/") else ""
        _describe(call, target, review)
        fault = self._faults.next(call)
        if fault is not None:
            await _strike(fault)
        if found is not None:
            return _response(Answer(200, to_json(found)))
        if review in REVIEWS and request.method == "POST":
            body = await _read(request)
            make = self._access.review if review == REVIEWS[0] else self._access.review_rules
            return _response(Answer(201, to_json(make(call.user, body))))
        if target is None or not _is_known(target):
            return web.Response(status=404, text="404 page not found\n")
        resource = call.resource
        attempt = Attempt(call.verb, target.resource.group, resource, target.namespace, target.name)
        self._access.check(call.user, attempt, target.resource)
        call.status = 200  # of answers that go on; others come later
        if call.verb == "watch":
            return await self.streams.watch(request, target)
        if resource == "pods/log":
            return await self.streams.log(request, target)
        answer = await self._do(request, call, target)
        if fault is not None and fault.is_done:
            raise fault.refusal() or Reset
        return _response(answer)

    async def _do(self, request: web.Request, call: KubeCall, target: Target) -> Answer:
        body: Any = None
        if request.method in ("POST", "PUT", "PATCH", "DELETE"):
            body = call.body = await _read(request)
        verbs, query = self._verbs, call.query
        if call.verb == "get":
            return verbs.get(target)
        if call.verb == "list":
            return verbs.list(target, query)
        if call.verb == "create":
            return verbs.create(target, body, query)
        if call.verb == "update":
            return verbs.replace(target, body, query)
        if call.verb == "patch":
            return verbs.patch(target, request.headers.get("Content-Type", ""), body, query)
        if call.verb == "delete":
            return verbs.delete(target, body or {}, query)
        if call.verb == "deletecollection":
            return verbs.delete_collection(target, body or {}, query)
        raise method_not_allowed()


def _describe(call: KubeCall, target: Target | None, review: str) -> None:
    if review:
        call.verb, call.resource = "create", review
    if target is None:
        return
    is_watch = is_true(call.query.get("watch"))
    verbs = {
        "GET": "watch" if is_watch else "get" if target.name else "list",
        "POST": "create" if not target.name or target.subresource else "",
        "PUT": "update" if target.name else "",
        "PATCH": "patch" if target.name else "",
        "DELETE": "delete" if target.name else "deletecollection",
    }
    call.verb = verbs.get(call.method, "")
    call.resource = "/".join(filter(None, (target.resource.plural, target.subresource)))
    call.namespace, call.name = target.namespace, target.name


def _is_known(target: Target) -> bool:
    if not target.subresource:
        return True
    return target.subresource in _SUBRESOURCES.get(target.resource.plural, ("status",))


async def _strike(fault: Fault) -> None:
    if fault.delay_seconds:
        await asyncio.sleep(fault.delay_seconds)
    if fault.is_done:
        return  # the request is done first, then its answer is lost
    if fault.is_reset:
        raise Reset
    if refusal := fault.refusal():
        raise refusal


async def _read(request: web.Request) -> Any:
    content = await request.read()
    if len(content) > _LARGEST_REQUEST:
        message = f"Request entity too large: limit is {_LARGEST_REQUEST}"
        raise Refusal(413, "RequestEntityTooLarge", message)
    if not content:
        return {}
    try:
        return json.loads(content)
    except ValueError as exc:
        raise bad_request(f"couldn't get version/kind; json parse error: {exc}") from exc


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body, content_type="application/json", headers=dict(answer.headers)
    )
