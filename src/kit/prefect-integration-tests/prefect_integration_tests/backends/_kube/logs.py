"""Logs of the containers of a played cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from .json import Json, at, container_statuses, is_true, items
from .status import bad_request
from .store import Stored


@dataclass
class _Log:
    lines: list[tuple[datetime, str]] = field(default_factory=list)


class Logs:
    """What containers wrote, by pod. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with nothing written."""
        self._lock = threading.Lock()
        self._logs: dict[tuple[str, str], _Log] = {}
        self.watchers: set[Callable[[], None]] = set()
        """Woken when something is written."""

    def reset(self) -> None:
        """Forget all."""
        with self._lock:
            self._logs.clear()

    def write(self, pod: Stored, container: str, text: str, at: datetime | None = None) -> None:
        """Write lines.

        Args:
            pod: The pod.
            container: One of its containers.
            text: Lines, with or without the last line end.
            at: When; now by default.
        """
        at = at or datetime.now(timezone.utc)
        with self._lock:
            lines = self._logs.setdefault((pod.data["metadata"]["uid"], container), _Log()).lines
            lines.extend((at, line) for line in text.removesuffix("\n").split("\n"))
        for wake in list(self.watchers):
            wake()

    def read(self, pod: Stored, container: str, start: int) -> list[tuple[datetime, str]]:
        """Give the lines from a number on."""
        with self._lock:
            log = self._logs.get((pod.data["metadata"]["uid"], container))
            return log.lines[start:] if log else []


@dataclass(frozen=True)
class LogQuery:
    """What a request for a log asks for."""

    container: str
    is_followed: bool
    tail_lines: int | None
    limit_bytes: int | None
    since: datetime | None
    has_timestamps: bool

    @classmethod
    def read(cls, pod: Stored, query: Mapping[str, str]) -> LogQuery:
        """Read a query.

        Raises:
            Refusal: 400, if it names no container that has a log.
        """
        container = _container_of(pod, query.get("container", ""))
        since = None
        if "sinceSeconds" in query:
            since = datetime.now(timezone.utc) - timedelta(seconds=int(query["sinceSeconds"]))
        elif "sinceTime" in query:
            since = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00"))
        if is_true(query.get("previous")):
            what = f'previous terminated container "{container}" in pod "{pod.name}" not found'
            raise bad_request(what)
        tail, limit = query.get("tailLines"), query.get("limitBytes")
        return cls(
            container,
            is_true(query.get("follow")),
            None if tail is None else int(tail),
            None if limit is None else int(limit),
            since,
            is_true(query.get("timestamps")),
        )

    def text(self, lines: list[tuple[datetime, str]], *, is_first: bool) -> bytes:
        """Write lines as the API server sends them.

        Args:
            lines: What was written.
            is_first: Is it the start of the answer, which `tailLines` and `since` are about?
        """
        if is_first:
            lines = [line for line in lines if self.since is None or line[0] >= self.since]
            if self.tail_lines is not None:
                lines = lines[-self.tail_lines :] if self.tail_lines else []
        shown = [
            f"{at.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line}" if self.has_timestamps else line for at, line in lines
        ]
        return "".join(f"{line}\n" for line in shown).encode()


def _container_of(pod: Stored, name: str) -> str:
    spec = pod.data["spec"]
    usual = [container["name"] for container in spec["containers"]]
    known = [*usual, *(container["name"] for container in items(spec, "initContainers"))]
    annotated = at(pod.data["metadata"], "annotations").get("kubectl.kubernetes.io/default-container")
    if not name:
        name = usual[0] if len(known) == 1 else annotated or ""
    if not name:
        said = f"a container name must be specified for pod {pod.name}, choose one of: [{' '.join(usual)}]"
        inits = known[len(usual) :]
        raise bad_request(f"{said} or one of the init containers: [{' '.join(inits)}]" if inits else said)
    if name not in known:
        raise bad_request(f"container {name} is not valid for pod {pod.name}")
    return name


def check_started(pod: Stored, container: str) -> None:
    """Refuse to read the log of a container that has not started.

    Raises:
        Refusal: 400, with the reason that it waits for.
    """
    waiting = at(_state(pod, container), "waiting")
    if not waiting:
        return
    reason = waiting.get("reason", "ContainerCreating")
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        reason = "trying and failing to pull image"
    raise bad_request(f'container "{container}" in pod "{pod.name}" is waiting to start: {reason}')


def is_ended(pod: Stored | None, container: str) -> bool:
    """Will nothing more be written?"""
    if pod is None or pod.field("status.phase") in ("Succeeded", "Failed"):
        return True
    return bool(at(_state(pod, container), "terminated"))


def _state(pod: Stored, container: str) -> Json:
    found = (each for each in container_statuses(pod.data) if each["name"] == container)
    return at(next(found, Json()), "state")
