"""Answers of a played Kubernetes API server that go on: watches and followed logs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from .json import Json, is_true
from .logs import LogQuery, Logs, check_started, is_ended
from .resources import Resource, Target
from .status import Refusal, bad_request, watch_expired
from .store import Change, Selection, Store, Stored, to_json
from .verbs import select

_LONGEST_WATCH_SECONDS = 1800.0
_BOOKMARK_SECONDS = 60.0


class _Stream:
    """One answer that goes on; touched only in the server's thread."""

    def __init__(self, request: web.Request, resource: Resource) -> None:
        self.request = request
        self.resource = resource
        self.news = asyncio.Event()
        self.is_ending = False
        self.has_begun = False
        """Was what is there already sent?"""

        self.is_bookmark_due = False
        self.error: Refusal | None = None


class Streams:
    """The answers that go on. Public methods but `watch` and `log` may be called from any thread."""

    def __init__(self, store: Store, logs: Logs, loop: asyncio.AbstractEventLoop) -> None:
        """Stream from a store and logs."""
        self.is_silent = False
        """Are watches kept open without a word, as by a proxy that has lost the server?"""

        self.bookmark_seconds = _BOOKMARK_SECONDS
        self._store = store
        self._logs = logs
        self._loop = loop
        self._streams: set[_Stream] = set()

    def count(self, plural: str = "") -> int:
        """Count the open watches and logs that have sent what was there at their start."""
        return sum(1 for each in list(self._streams) if each.has_begun and plural in ("", each.resource.plural))

    def drop(self, plural: str = "") -> None:
        """Break connections by RST."""
        self._each(plural, lambda stream: break_connection(stream.request))

    def end(self, plural: str = "") -> None:
        """End answers in the orderly way, as a server does when `timeoutSeconds` is over."""

        def end(stream: _Stream) -> None:
            stream.is_ending = True
            stream.news.set()

        self._each(plural, end)

    def expire(self, plural: str = "") -> None:
        """Tell open watches that their version is too old: an ERROR event of 410, then the end."""

        def expire(stream: _Stream) -> None:
            stream.error = watch_expired(0, self._store.version)
            stream.news.set()

        self._each(plural, expire)

    def bookmark(self, plural: str = "") -> None:
        """Send a bookmark to the watches that asked for them."""

        def send(stream: _Stream) -> None:
            stream.is_bookmark_due = True
            stream.news.set()

        self._each(plural, send)

    def wake(self) -> None:
        """Let all look for news."""
        self._each("", lambda stream: stream.news.set())

    def _each(self, plural: str, act: Callable[[_Stream], None]) -> None:
        def act_on_all() -> None:
            for stream in list(self._streams):
                if plural in ("", stream.resource.plural):
                    act(stream)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act_on_all)

    async def watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answer a watch."""
        query = request.query
        if query.get("sendInitialEvents"):
            message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise Refusal(422, "Invalid", message)
        selection = select(target, dict(query))
        version = _version(query.get("resourceVersion", ""))
        seconds = float(query.get("timeoutSeconds") or _LONGEST_WATCH_SECONDS)
        wants_bookmarks = is_true(query.get("allowWatchBookmarks"))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        stream = _Stream(request, target.resource)
        wake = self._waker(stream)
        self._streams.add(stream)
        self._store.watchers.add(wake)
        try:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await self._tell(response, stream, selection, version, seconds, wants_bookmarks)
        finally:
            self._store.watchers.discard(wake)
            self._streams.discard(stream)
        return response

    async def _tell(
        self,
        response: web.StreamResponse,
        stream: _Stream,
        selection: Selection,
        version: int,
        seconds: float,
        wants_bookmarks: bool,
    ) -> None:
        """Write events until the watch ends."""
        ends_at = self._loop.time() + seconds
        bookmark_at = self._loop.time() + self.bookmark_seconds
        if version == 0:
            with self._store.lock:
                version, there = self._store.version, self._store.select(selection)
            await _write(response, [_event("ADDED", stored.json) for stored in there])
        elif version < self._store.oldest_version:
            stream.error = watch_expired(version, self._store.oldest_version)
        while True:
            stream.news.clear()
            if stream.error is not None:
                await _write(response, [_event("ERROR", to_json(stream.error.status))])
                return
            if not self.is_silent:
                changes = self._store.changes_since(selection.resource, version)
                await _write(response, [event for change in changes for event in _events(change, selection)])
                version = changes[-1].version if changes else version
                if wants_bookmarks and (stream.is_bookmark_due or self._loop.time() >= bookmark_at):
                    await _write(response, [_bookmark(selection.resource, self._store.version)])
                    stream.is_bookmark_due, bookmark_at = False, self._loop.time() + self.bookmark_seconds
            stream.has_begun = True
            left = ends_at - self._loop.time()
            if left <= 0 or stream.is_ending:
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stream.news.wait(), min(left, max(bookmark_at - self._loop.time(), 0.05)))

    async def log(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answer with a log; follow it if asked to."""
        pod = self._store.read(target.resource, target.namespace, target.name)
        query = LogQuery.read(pod, dict(request.query))
        if query.is_followed or not pod.data["spec"].get("nodeName"):
            pass  # a follower waits for the start; a pod without a node has an empty log
        else:
            check_started(pod, query.container)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        stream = _Stream(request, target.resource)
        wake = self._waker(stream)
        self._streams.add(stream)
        self._logs.watchers.add(wake)
        self._store.watchers.add(wake)
        try:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await self._tell_log(response, stream, pod, query)
        finally:
            self._logs.watchers.discard(wake)
            self._store.watchers.discard(wake)
            self._streams.discard(stream)
        return response

    async def _tell_log(self, response: web.StreamResponse, stream: _Stream, pod: Stored, query: LogQuery) -> None:
        pods, read = self._store.catalogue["pods"], 0
        left = query.limit_bytes
        while True:
            stream.news.clear()
            now = self._store.find(pods, *pod.key)
            is_over = is_ended(now, query.container)
            lines = self._logs.read(pod, query.container, read)
            text = query.text(lines, is_first=read == 0)
            read += len(lines)
            if left is not None:
                text, left = text[:left], left - len(text)
            if text:
                await response.write(text)
            stream.has_begun = True
            if not query.is_followed or is_over or stream.is_ending or (left is not None and left <= 0):
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stream.news.wait(), 1)

    def _waker(self, stream: _Stream) -> Callable[[], None]:
        def wake() -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(stream.news.set)

        return wake


def _version(text: str) -> int:
    if not text.isdecimal():
        if text:
            raise bad_request(
                f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
            )
        return 0
    return int(text)


def _events(change: Change, selection: Selection) -> list[bytes]:
    """Tell a change as a watch sees it: what comes to be selected is added, what no longer is is deleted."""
    was, is_now = selection.has(change.old), selection.has(change.new)
    if change.kind == "DELETED":
        return [_event("DELETED", change.new.json)] if was else []
    if is_now:
        return [_event("MODIFIED" if was else "ADDED", change.new.json)]
    if was and change.old is not None:
        last = {**change.old.data, "metadata": {**change.old.data["metadata"], "resourceVersion": str(change.version)}}
        return [_event("DELETED", Stored(last, is_custom=change.old.is_custom).json)]
    return []


def _event(kind: str, json_object: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), json_object)


def _bookmark(resource: Resource, version: int) -> bytes:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    shown: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    if resource.qualified == "pods":
        shown |= {"spec": {"containers": None}, "status": {}}
    elif resource.qualified == "jobs.batch":
        shown |= {"spec": {"template": {"metadata": {}, "spec": {"containers": None}}}, "status": {}}
    return _event("BOOKMARK", json.dumps(shown).encode())


async def _write(response: web.StreamResponse, events: list[bytes]) -> None:
    if events:
        await response.write(b"".join(events))


def break_connection(request: web.Request) -> None:
    """Break a request's connection by RST, without an answer."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
