"""How far dbt is with each node."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

UNENDED = "cancelled"
"""The status of a node that dbt began and never ended."""


@dataclass
class _Tracked:
    __slots__ = ("result", "status", "task_run_id")

    task_run_id: UUID | None
    status: str | None
    result: Any


class NodeTaskTracker:
    """What is known of the nodes of one invocation, for threads that wait for them.

    It keeps a small record for each node: its task run and, once it has ended, its status. The result of a node is kept
    only if somebody asked for it.
    """

    def __init__(self, *, keep_results: bool = False) -> None:
        """Begin with no nodes.

        Args:
            keep_results: Whether `get_node_result` shall know the results.
        """
        self._keeps_results = keep_results
        self._nodes: dict[str, _Tracked] = {}
        self._loggers: dict[str, Log] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def start_node(self, node_id: str, task_run_id: UUID | None = None) -> None:
        """Note that dbt has begun with a node.

        Args:
            node_id: dbt's unique id.
            task_run_id: The task run that stands for it, if one does.
        """
        with self._changed:
            self._nodes.setdefault(node_id, _Tracked(None, None, None)).task_run_id = task_run_id

    def finish_node(self, node_id: str, status: str, result: Any = None) -> None:
        """Note that dbt has ended with a node, and wake those who wait for it. Its first status stays.

        Args:
            node_id: dbt's unique id.
            status: dbt's word, such as `success` or `error`.
            result: What `get_node_result` shall return.
        """
        with self._changed:
            node = self._nodes.setdefault(node_id, _Tracked(None, None, None))
            if node.status is None:
                node.status = status
                node.result = result if self._keeps_results else None
            self._changed.notify_all()

    def close(self, status: str = UNENDED) -> list[str]:
        """Note that dbt has ended: nodes that have not get `status`, and nobody waits any longer.

        Returns:
            The unique ids of those nodes.
        """
        with self._changed:
            self._is_closed = True
            unended = [node_id for node_id, node in self._nodes.items() if node.status is None]
            for node_id in unended:
                self._nodes[node_id].status = status
            self._changed.notify_all()
            return unended

    def wait_for_node(self, node_id: str, timeout_seconds: float | None = None) -> str | None:
        """Wait until a node has ended.

        Args:
            node_id: dbt's unique id; the node need not have begun.
            timeout_seconds: How long to wait; as long as dbt runs when `None`.

        Returns:
            Its status; `None` if the time is up, or dbt has ended without having begun with it.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._changed:
            while (status := self._status(node_id)) is None and not self._is_closed:
                # Short waits, since an exception thrown into this thread arrives between them.
                left = 0.5 if deadline is None else min(0.5, deadline - time.monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
            return status

    def get_node_status(self, node_id: str) -> str | None:
        """Return dbt's word on a node that has ended; `None` before."""
        with self._changed:
            return self._status(node_id)

    def get_node_result(self, node_id: str) -> Any:
        """Return what `finish_node` was given, if the tracker keeps results."""
        with self._changed:
            node = self._nodes.get(node_id)
            return None if node is None else node.result

    def get_task_run_id(self, node_id: str) -> UUID | None:
        """Return the task run that stands for a node; `None` if none does."""
        with self._changed:
            node = self._nodes.get(node_id)
            return None if node is None else node.task_run_id

    def is_node_running(self, node_id: str) -> bool:
        """Say whether dbt has begun with a node and not ended."""
        with self._changed:
            return node_id in self._nodes and self._nodes[node_id].status is None

    def set_task_logger(self, node_id: str, logger: Log) -> None:
        """Set the logger of the task run that stands for a node."""
        with self._changed:
            self._loggers[node_id] = logger

    def get_task_logger(self, node_id: str) -> Log | None:
        """Return the logger of the task run that stands for a node; `None` if none was set."""
        with self._changed:
            return self._loggers.get(node_id)

    def __len__(self) -> int:
        """The number of nodes that dbt has begun with."""
        return len(self._nodes)

    def __iter__(self) -> Iterator[str]:
        """The unique ids of the nodes that dbt has begun with."""
        with self._changed:
            return iter(list(self._nodes))

    def _status(self, node_id: str) -> str | None:
        node = self._nodes.get(node_id)
        return None if node is None else node.status
