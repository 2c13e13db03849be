"""Final states, fetched from the workers: many at a time where they are small."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from dask.sizeof import sizeof

if TYPE_CHECKING:
    from distributed import Future

    from ._futures import PrefectDaskFuture

_SMALL_BYTES = 10_000
_AT_A_TIME = 256


class Series:
    """Task runs that were submitted together. Who waits for one waits for the next one soon.

    While results are small, those of the next task runs that have ended are fetched along: one question to the
    scheduler and one to each worker, rather than two for each task run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: deque[ReferenceType[PrefectDaskFuture[Any]]] = deque()
        self._is_small = False

    def add(self, future: PrefectDaskFuture[Any]) -> None:
        """Add a task run; the order is that of submission."""
        self._members.append(ref(future))

    def fetch(self, future: PrefectDaskFuture[Any], gather: Callable[[list[Future[Any]]], list[Any]]) -> Any:
        """Fetch what a finished task run has returned, and perhaps that of others, which they are given.

        Args:
            future: Of a task run that has ended.
            gather: Fetches the results of some.
        """
        with self._lock:
            others = self._others(future) if self._is_small else []
            wrapped: list[Future[Any]] = [future.wrapped_future, *(other.wrapped_future for other in others)]
            try:
                outcomes = gather(wrapped)
            except BaseException:
                if not others:
                    raise
                outcomes = gather(wrapped[:1])  # one of them is lost; each is asked for by itself then
                others = []
            for other, outcome in zip(others, outcomes[1:], strict=True):
                other.take(outcome)
            self._is_small = _size(outcomes[0]) <= _SMALL_BYTES
            return outcomes[0]

    def _others(self, future: PrefectDaskFuture[Any]) -> list[PrefectDaskFuture[Any]]:
        found: list[PrefectDaskFuture[Any]] = []
        later: deque[ReferenceType[PrefectDaskFuture[Any]]] = deque()
        while self._members and len(found) < _AT_A_TIME:
            reference = self._members.popleft()
            other = reference()
            if other is None or other is future or other.is_settled:
                continue
            if other.wrapped_future.status == "finished":
                found.append(other)
            else:
                later.append(reference)
                if len(later) > _AT_A_TIME:
                    break
        self._members.extendleft(reversed(later))
        return found


def _size(outcome: Any) -> int:
    data = getattr(outcome, "data", outcome)
    try:
        return sizeof(getattr(data, "result", data))
    except Exception:  # noqa: BLE001 - whatever the `__sizeof__` of a result raises
        return _SMALL_BYTES + 1
