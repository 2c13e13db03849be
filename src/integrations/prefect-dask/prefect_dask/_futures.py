"""The future of a task run on Dask, which ends in a state whatever becomes of the cluster."""

# Dask is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from prefect.futures import PrefectFutureList

from prefect_integration_kit.task_run_futures import RemoteTaskRunFuture

from ._slots import leave_slot, slot_released
from ._watching import LOOK_SECONDS, watch_of
from .errors import DaskResultLost

if TYPE_CHECKING:
    import distributed
    from prefect.client.schemas.objects import State

    from prefect_integration_kit.task_run_losses import Submitted

    from ._gathering import Series

R = TypeVar("R")

_UNDER_WAY = ("pending", "lost")
"""A result that is lost is being made again, and has been, once a worker is there that asks the ledger."""


class PrefectDaskFuture(RemoteTaskRunFuture[R, "distributed.Future[Any]"]):
    """The future of a task run on Dask.

    When Dask loses the task run, since its worker died or the scheduler cannot be reached, its final state is
    `Crashed`.

    Args:
        task_run_id: The task run.
        wrapped_future: The future of Dask.
    """

    def __init__(self, task_run_id: UUID, wrapped_future: distributed.Future[Any]) -> None:
        super().__init__(task_run_id, wrapped_future)
        self._series: Series | None = None
        self._lock = threading.Lock()

    def belongs_to(self, submitted: Submitted, series: Series | None, upstream: list[PrefectDaskFuture[Any]]) -> None:
        """Say where the task run comes from.

        Args:
            submitted: What it was submitted with.
            series: What it was submitted together with.
            upstream: What it waits for.
        """
        self._submitted, self._series, self._upstream = submitted, series, upstream
        if series is not None:
            series.add(self)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Wait for the task run, and return its result.

        Args:
            timeout: Seconds to wait at most; without it, until it has ended.
            raise_on_failure: Whether to raise the error of a task run that failed, rather than return it.

        Returns:
            What the task returned.

        Raises:
            TimeoutError: If it has not ended in time.
            DaskTaskRunLost: If Dask lost it.
        """
        return super().result(timeout, raise_on_failure)

    def add_done_callback(self, fn: Callable[[PrefectDaskFuture[R]], Any]) -> None:
        """Call a function when the task run has ended, in another thread unless it has ended already.

        A task that calls this gives its slot on the worker to others until it ends: it is going to wait.

        Args:
            fn: Called with the future.
        """
        if self.is_settled:
            fn(self)
            return
        leave_slot()
        watch_of(self._wrapped_future.client).call_at_end(self, fn)

    def take(self, outcome: Any) -> None:
        """Take what the task run has returned.

        Args:
            outcome: Its final state.
        """
        self._end_as(outcome)

    def state_to_send(self) -> State[Any] | None:
        """The state that a task run which depends on this one gets, where Dask cannot hand it over any more."""
        if self._final_state is None or self._wrapped_future.status in ("pending", "finished"):
            return None
        return self._final_state

    def lose(self, exc: BaseException, *, is_reported: bool = True) -> None:
        """Settle the task run as lost.

        Args:
            exc: What Dask raised.
            is_reported: Whether to report that to the API; a state that is final there stays.
        """
        from ._losses import lost_error

        error = lost_error(self.task_run_id, self._task_name, exc, _scheduler_of(self._wrapped_future))
        # What has ended is reported by the worker, or by the task runner at the end.
        self._end_as_lost(error, is_reported=is_reported, has_ended=isinstance(exc, DaskResultLost))

    def _has_come_to_an_end(self) -> bool:
        return self._wrapped_future.status in ("error", "cancelled", "lost")

    def _settle(self, timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        future = self._wrapped_future
        with slot_released(), self._lock:
            if self._final_state is not None:
                return True
            watch = watch_of(future.client)
            try:
                while future.status in _UNDER_WAY:
                    watch.look()
                    left = LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, deadline - time.monotonic())
                    if left <= 0:
                        return False
                    _wait(future, left)
                series = self._series
                outcome = watch.gather([future])[0] if series is None else series.fetch(self, watch.gather)
            except Exception as exc:  # noqa: BLE001 - errors of the task are in its state; these are Dask's
                self.lose(exc)
            except BaseException as exc:
                if not _is_of_worker(exc, future.status):
                    raise
                self.lose(exc)
            else:
                self.take(outcome)
        return True


class PrefectDaskFutureList(PrefectFutureList[R]):
    """The futures of a `map`. A task that waits for them gives its slot on the worker to others meanwhile."""

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all task runs have ended.

        Args:
            timeout: Seconds to wait at most; without it, until they have.
        """
        with slot_released():
            super().wait(timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> list[R]:
        """Wait for all task runs, and return their results, in order.

        Args:
            timeout: Seconds to wait at most; without it, until they have ended.
            raise_on_failure: Whether to raise the error of the first one that fails, rather than return it.

        Raises:
            TimeoutError: If they have not ended in time.
        """
        with slot_released():
            return super().result(timeout, raise_on_failure)


def _is_of_worker(exc: BaseException, status: str | None) -> bool:
    """Whether something has been raised for a task run, rather than in the thread that waits for it."""
    if type(exc).__name__ == "CancelledError":
        return status in ("cancelled", "lost")
    from ._worker import Stopped

    return isinstance(exc, Stopped)


def _wait(future: distributed.Future[Any], seconds: float) -> None:
    from distributed import TimeoutError as DaskTimeoutError  # until Python 3.11 not the one that is built in
    from distributed.client import _wait as wait  # pyright: ignore[reportPrivateUsage] - of this client, in all versions

    client: Any = future.client
    try:
        client.sync(wait, [future], timeout=seconds)
    except (TimeoutError, DaskTimeoutError):
        return
    except Exception:
        if future.status in _UNDER_WAY:
            raise


def _scheduler_of(future: distributed.Future[Any]) -> str:
    scheduler: Any = getattr(future.client, "scheduler", None)
    return str(getattr(scheduler, "address", None) or getattr(future.client, "_start_arg", None) or "unknown address")
