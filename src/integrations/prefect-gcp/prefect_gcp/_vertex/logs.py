"""What the containers of custom jobs have printed, by Cloud Logging."""

from __future__ import annotations

from typing import Any

from prefect_integration_kit.waiting import Backoff

from .._workers.calls import Calls, Kind
from .._workers.container_logs import last_lines, quoted
from .calls import VertexCalls


class _LogCalls(Calls):
    """Calls of Cloud Logging that are tried as often as those of Vertex AI."""

    def __init__(self, calls: VertexCalls) -> None:
        settings: Any = None
        super().__init__(calls.credentials, "logging", "v2", region=None, settings=settings, clock=calls.clock)
        self._backoff = calls.backoff

    def backoff(self, kind: Kind) -> Backoff:
        """How often to try, and how long to wait."""
        del kind
        return self._backoff


async def last_lines_of(calls: VertexCalls, number: str, count: int) -> str:
    """Read the latest lines of a job, the oldest first.

    See https://cloud.google.com/vertex-ai/docs/training/monitor-debug-interactive-shell and
    https://cloud.google.com/monitoring/api/resources#tag_ml_job.

    Args:
        calls: Who asks.
        number: The job's number.
        count: How many lines at most.

    Raises:
        GcpError: If Google refuses, or does not answer.
    """
    where = f'resource.type="ml_job" AND resource.labels.job_id={quoted(number)}'
    return await last_lines(_LogCalls(calls), await calls.project(), where, count)
