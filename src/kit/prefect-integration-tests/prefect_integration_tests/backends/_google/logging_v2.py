"""Cloud Logging API v2: entries, among them what containers of Cloud Run write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from .errors import Json, invalid_argument
from .log_filter import SEVERITIES, log_filter
from .service import ApiRequest, Service, answers, page

if TYPE_CHECKING:
    from .rest_server import RestServer
    from .run_play import Launch

_LARGEST_PAGE = 1000
_DEFAULT_PAGE = 50


class Entries:
    """All log entries."""

    def __init__(self, server: RestServer) -> None:
        """Start with none."""
        self._server = server
        self._count = 0
        self.delay_seconds = 0.0
        """From a line's being written to its being found."""

        self.all: list[Json] = []

    def reset(self) -> None:
        """Forget all."""
        self.all.clear()
        self.delay_seconds = 0.0

    def add(self, entry: Json) -> None:
        """Add an entry; it may be found after the delay."""
        with self._server.lock:
            self._count += 1
            now = self._server.clock.text()
            entry.setdefault("timestamp", now)
            entry.setdefault("insertId", f"{self._count:016x}")
            entry["receiveTimestamp"] = now
        self._server.clock.later(self.delay_seconds, lambda: self.all.append(entry))

    def write_line(self, launch: Launch, stream: str, line: str) -> None:
        """Add a line of a container of Cloud Run; one of JSON becomes a structured entry.

        https://cloud.google.com/run/docs/logging#log-resource
        """
        entry: Json = {
            "logName": f"projects/{launch.project}/logs/run.googleapis.com%2F{stream}",
            "resource": {
                "type": "cloud_run_job",
                "labels": {
                    "project_id": launch.project,
                    "location": launch.location,
                    "job_name": launch.job,
                },
            },
            "labels": {
                "run.googleapis.com/execution_name": launch.execution,
                "run.googleapis.com/task_index": str(launch.index),
                "run.googleapis.com/task_attempt": str(launch.attempt),
                "instanceId": f"{launch.execution}-{launch.index}-{launch.attempt}",
            },
            **_payload(line),
        }
        self.add(entry)


def _payload(line: str) -> Json:
    if line.startswith("{"):
        try:
            loaded: Any = json.loads(line)
        except ValueError:
            return {"textPayload": line}
        payload = cast("Json", loaded)
        severity = str(payload.pop("severity", "DEFAULT")).upper()
        entry: Json = {"jsonPayload": payload}
        if severity in SEVERITIES:
            entry["severity"] = severity
        return entry
    return {"textPayload": line}


class Logging(Service):
    """Log entries."""

    api, version = "logging", "v2"

    def __init__(self, server: RestServer) -> None:
        """Stand in a server."""
        super().__init__(server)
        self.entries = server.shared(Entries)

    def reset(self) -> None:
        """Forget all entries."""
        self.entries.reset()

    @answers("logging.entries.list")
    def list_entries(self, request: ApiRequest) -> Json:
        """Give a page of the entries that pass a filter."""
        body = request.body
        names = cast("list[str]", body.get("resourceNames", []))
        if not names:
            said = "At least one parent resource must be specified in resource_names"
            raise invalid_argument(said, ("resource_names", said))
        order = body.get("orderBy", "timestamp asc")
        if order not in ("timestamp asc", "timestamp desc", "timestamp"):
            raise invalid_argument(f"Invalid order_by: {order!r}", ("order_by", "must be 'timestamp asc' or 'desc'"))
        passes = log_filter(body.get("filter", ""))
        found = [entry for entry in self.entries.all if _is_in(entry, names) and passes(entry)]
        found.sort(key=lambda entry: (entry["timestamp"], entry["insertId"]), reverse=order == "timestamp desc")
        return page(found, body, "entries", default_size=_DEFAULT_PAGE, largest_size=_LARGEST_PAGE)

    @answers("logging.entries.write")
    def write_entries(self, request: ApiRequest) -> Json:
        """Write entries."""
        common = {key: request.body[key] for key in ("logName", "resource", "labels") if key in request.body}
        for entry in cast("list[Json]", request.body.get("entries", [])):
            self.entries.add({**common, **entry})
        return {}


def _is_in(entry: Json, names: list[str]) -> bool:
    return any(str(entry.get("logName", "")).startswith(f"{name.partition('/locations/')[0]}/") for name in names)
