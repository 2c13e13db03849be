"""What is made of dbt's events while it runs: task runs, logs, assets, and calls of hooks."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._dbt.events import DbtEvent, NodeDetails, NodeInfo, NodeResult
from ._failures import ending_of, is_failure, unended
from ._guard import Guard
from ._logs import RunLogs, level_of, plain
from ._node_assets import NodeAssets, slim
from ._node_runs import NodeRuns, as_time
from ._scope import RunScope
from ._sending import send_queued
from ._tracker import NodeTaskTracker

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun


class RunObserver:
    """Takes dbt's events, on the thread that reads them, and records what they say.

    A fault in one kind of record is logged and keeps away neither the others nor dbt. Of a node that has ended, only
    its id, task run, status and relation are kept.
    """

    def __init__(
        self,
        scope: RunScope,
        *,
        record_nodes: bool,
        tracker: NodeTaskTracker | None = None,
        assets: NodeAssets | None = None,
        on_node: Callable[[NodeDetails, NodeResult], None] | None = None,
    ) -> None:
        """Observe for the run of `scope`.

        Args:
            scope: Who invokes dbt.
            record_nodes: Whether nodes get task runs.
            tracker: Where the progress is noted.
            assets: Told of each node that has ended; `None` records no assets.
            on_node: Called with each node that has ended, on a thread of its own, one after another.
        """
        self.tracker = NodeTaskTracker() if tracker is None else tracker  # an empty one is false
        self.project_name: str | None = None
        self.target_path: str | None = None
        self._scope = scope
        self._guard = Guard(scope.logger)
        self._logs = RunLogs(scope)
        self._runs = NodeRuns(scope, self.tracker, self._logs) if record_nodes else None
        self._assets = assets
        self._calls = _Calls(scope, on_node, self._guard) if on_node else None
        self._details: dict[str, NodeDetails] = {}
        self.is_cancelling: Callable[[], bool] = lambda: False
        """Says whether dbt is being cancelled: a node that fails meanwhile was cancelled."""

    def __call__(self, event: DbtEvent) -> None:
        """Take one event. Nothing is raised."""
        name = event.name
        if name == "PrefectNode":
            if event.details is not None:
                self._details[event.details.unique_id] = event.details
            return
        if name == "PrefectGraph":
            self.project_name = event.data.get("project_name")
            self.target_path = event.data.get("target_path")
            return
        if name == "PrefectResult":
            if event.result is not None:
                self._finish(event.result, event.timestamp)
            return
        if name == "NodeStart" and event.node is not None:
            self._start(event.node, event.timestamp)
        if event.shown:
            with self._guard("logging what dbt says"):
                self._log(event)

    def close(self, *, was_cancelled: bool) -> None:
        """Give every node that dbt began and did not end a terminal state, and wait for calls that are due.

        Args:
            was_cancelled: Whether the run was cancelled; then calls that are due are not made, and what is recorded is
                sent before this returns, as the process may be about to end.
        """
        runs = self._runs
        for node_id in [] if runs is None else runs.running:
            with self._guard("recording nodes that have not ended"):
                if runs is not None:
                    runs.finish(node_id, unended(node_id, was_cancelled=was_cancelled), as_time(None, time.time()))
        self.tracker.close()
        self._details.clear()
        if self._calls is not None:
            self._calls.close(finish=not was_cancelled)
        if was_cancelled and runs is not None:
            with self._guard("sending what is recorded"):
                send_queued()

    def _start(self, node: NodeInfo, timestamp: float) -> None:
        if node.materialized == "ephemeral":
            return  # dbt inlines it; nothing runs
        with self._guard("recording the start of a node"):
            details = self._details.get(node.unique_id)
            upstream = (*details.depends_on, *details.test_of) if details else ()
            if self._runs is None:
                self.tracker.start_node(node.unique_id)
            else:
                started_at = as_time(node.started_at, timestamp)
                self._runs.start(node.unique_id, node.resource_type, node.name, upstream, started_at)

    def _finish(self, result: NodeResult, timestamp: float) -> None:
        node_id = result.unique_id
        details = self._details.get(node_id)
        if details is not None and details.materialized == "ephemeral" and not is_failure(result.status):
            return
        task_run: TaskRun | None = None
        with self._guard("logging a failed test"):
            self._tell_failed_test(result, details, timestamp)
        with self._guard("recording the end of a node"):
            if self._runs is not None:
                finished_at = as_time(result.timing[-1][2] if result.timing else None, timestamp)
                if is_failure(result.status) and self.is_cancelling():
                    ending = unended(node_id, was_cancelled=True)
                else:
                    ending = ending_of(node_id, result.status, result.message)
                task_run = self._runs.finish(node_id, ending, finished_at, timestamp)
        self.tracker.finish_node(node_id, result.status, result)
        if details is None:
            return
        if self._assets is not None:
            with self._guard("recording assets"):
                read = dict.fromkeys((*details.depends_on, *details.test_of))
                upstream = [found for other in read if (found := self._details.get(other))]
                self._assets.node_finished(details, result, task_run, upstream)
        if self._calls is not None:
            self._calls.put(details, result)
        self._details[node_id] = slim(details)

    def _tell_failed_test(self, result: NodeResult, details: NodeDetails | None, timestamp: float) -> None:
        if result.resource_type not in {"test", "unit_test"} or not is_failure(result.status):
            return
        parts = [f"Test {result.name} failed: {plain(result.message or result.status).strip()}"]
        if details and details.test_of:
            parts.append("Tested: " + ", ".join(details.test_of))
        if column := result.column_name or (details.column_name if details else ""):
            parts.append(f"Column: {column}")
        if path := result.compiled_path or (details.compiled_path if details else ""):
            parts.append(f"Compiled SQL: {path}")
        self._write(result.unique_id, logging.ERROR, "\n".join(parts), timestamp)

    def _log(self, event: DbtEvent) -> None:
        node_id = event.node.unique_id if event.node else None
        self._write(node_id, level_of(event.level), plain(event.message), event.timestamp)

    def _write(self, node_id: str | None, level: int, message: str, timestamp: float) -> None:
        if node_id and self._runs and self._runs.write(node_id, level, message, timestamp):
            return
        self._scope.call(self._logs.write, level, message, timestamp)


class _Calls:
    """Calls a function with one node after another, on a thread: what it does delays neither logs nor states."""

    def __init__(self, scope: RunScope, fn: Callable[[NodeDetails, NodeResult], None], guard: Guard) -> None:
        self._fn = fn
        self._guard = guard
        self._due: queue.SimpleQueue[tuple[NodeDetails, NodeResult] | None] = queue.SimpleQueue()
        self._is_stopped = False
        self._thread = threading.Thread(target=scope.call, args=(self._work,), name="dbt-hooks", daemon=True)
        self._thread.start()

    def put(self, details: NodeDetails, result: NodeResult) -> None:
        self._due.put((details, result))

    def close(self, *, finish: bool) -> None:
        self._is_stopped = not finish
        self._due.put(None)
        while finish and self._thread.is_alive():
            self._thread.join(0.2)  # short waits, since an exception thrown into this thread arrives between them

    def _work(self) -> None:
        while (item := self._due.get()) is not None and not self._is_stopped:
            with self._guard("calling hooks"):
                self._fn(*item)
