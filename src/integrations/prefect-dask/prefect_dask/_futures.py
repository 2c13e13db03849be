"""The future of a task run on Dask, which ends in a state whatever becomes of the cluster."""

# Dask is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from prefect_integration_kit.task_run_futures import RemoteTaskRunFuture

from ._slots import slot_released
from .errors import DaskResultLost, DaskTaskRunLost

if TYPE_CHECKING:
    import distributed
    from prefect.client.schemas.objects import State

    from prefect_integration_kit.task_run_losses import Submitted

    from ._gathering import Series

R = TypeVar("R")

_LOOK_SECONDS = 1.0
"""Between two looks at whether the cluster still has workers."""

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
            watch = _WorkerWatch(future.client)
            try:
                while future.status in _UNDER_WAY:
                    left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
                    if left <= 0:
                        return False
                    if not _wait(future, left):
                        watch.look()
                series = self._series
                outcome = watch.gather([future])[0] if series is None else series.fetch(self, watch.gather)
            except Exception as exc:  # noqa: BLE001 - errors of the task are in its state; these are Dask's
                self.lose(exc)
            except BaseException as exc:
                if type(exc).__name__ != "CancelledError" or future.status not in ("cancelled", "lost"):
                    raise
                self.lose(exc)
            else:
                self.take(outcome)
        return True


def _wait(future: distributed.Future[Any], seconds: float) -> bool:
    from distributed import TimeoutError as DaskTimeoutError  # until Python 3.11 not the one that is built in
    from distributed.client import _wait as wait  # pyright: ignore[reportPrivateUsage] - of this client, in all versions

    client: Any = future.client
    try:
        client.sync(wait, [future], timeout=seconds)
    except (TimeoutError, DaskTimeoutError):
        return False
    except Exception:
        if future.status in _UNDER_WAY:
            raise
    return True


def _scheduler_of(future: distributed.Future[Any]) -> str:
    scheduler: Any = getattr(future.client, "scheduler", None)
    return str(getattr(scheduler, "address", None) or getattr(future.client, "_start_arg", None) or "unknown address")


async def _begun(fetching: Awaitable[Any]) -> asyncio.Task[tuple[Any, BaseException | None]]:
    """Begin to fetch, and go on for a while."""

    async def fetch() -> tuple[Any, BaseException | None]:
        try:
            return await fetching, None
        except BaseException as exc:  # noqa: BLE001 - raised where it is waited for; as a task's it would change
            return None, exc

    task = asyncio.ensure_future(fetch())
    await _looked_at(task)
    return task


async def _looked_at(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task], timeout=_LOOK_SECONDS)


class _WorkerWatch:
    """Notices that a cluster has no workers, and gives up after a time."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._since: float | None = None

    def gather(self, futures: list[distributed.Future[Any]]) -> list[Any]:
        """Fetch results that are there; one whose worker dies meanwhile is made again, if there is another worker.

        Args:
            futures: Of this client.

        Raises:
            DaskTaskRunLost: If there are no workers for too long.
            Exception: What Dask raises.
        """
        client = self._client
        task: asyncio.Task[tuple[Any, BaseException | None]] = client.sync(
            _begun, client.gather(futures, asynchronous=True)
        )
        try:
            while not task.done():
                self.look()
                client.sync(_looked_at, task)
        finally:
            if not task.done():
                client.loop.add_callback(task.cancel)
        results, exc = task.result()
        if exc is not None:
            raise exc
        return results

    def look(self) -> None:
        """Look whether there are workers.

        Raises:
            DaskTaskRunLost: If there are none for too long, or the client is closed.
        """
        from .settings import DaskSettings

        if self._client.status in ("closed", "closing"):
            raise DaskTaskRunLost("The Dask client was closed.")
        info: Any = getattr(self._client, "_scheduler_identity", None) or {}
        if not info or info.get("workers") or info.get("n_workers"):
            self._since = None
            return
        if self._since is None:
            self._since = time.monotonic()
        limit = DaskSettings().no_worker_timeout_seconds
        if time.monotonic() - self._since >= limit:
            raise DaskTaskRunLost(f"The Dask cluster has had no worker for {limit:g} seconds.")
