"""Looks at whether a cluster still has workers, for all who wait for its task runs."""

# Dask is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from prefect.logging.loggers import get_logger

from .errors import DaskTaskRunLost

if TYPE_CHECKING:
    import distributed

    from ._futures import PrefectDaskFuture

LOOK_SECONDS = 1.0
"""Between two looks at whether the cluster still has workers."""

_STALE_SECONDS = 10.0
"""When nobody has looked for so long, workers may have come and gone."""

_ENDED = ("closed", "closing")


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
    await asyncio.wait([task], timeout=LOOK_SECONDS)


class WorkerWatch:
    """Notices that a cluster has no workers, and gives up after a time; all who wait for a client's work share it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._since: float | None = None
        self._last_look = 0.0
        self._lock = threading.Lock()
        self._calls: list[_Call] = []
        self._has_thread = False

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

        if self._client.status in _ENDED:
            raise DaskTaskRunLost("The Dask client was closed.")
        before, self._last_look = self._last_look, time.monotonic()
        info: Any = getattr(self._client, "_scheduler_identity", None) or {}
        if not info or info.get("workers") or info.get("n_workers"):
            self._since = None
            return
        if self._since is None or self._last_look - before > _STALE_SECONDS:
            self._since = self._last_look
        limit = DaskSettings().no_worker_timeout_seconds
        if self._last_look - self._since >= limit:
            raise DaskTaskRunLost(f"The Dask cluster has had no worker for {limit:g} seconds.")

    def call_at_end(self, future: PrefectDaskFuture[Any], fn: Callable[[Any], Any]) -> None:
        """Call a function when a task run has ended, or when it is given up since there are no workers.

        Args:
            future: Of the task run.
            fn: Called with the future, once, in another thread.
        """
        call = _Call(future, fn)
        with self._lock:
            self._calls.append(call)
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._look_on, name="prefect-dask-watch", daemon=True).start()
        future.wrapped_future.add_done_callback(call)

    def _look_on(self) -> None:
        """Look as long as there are calls to be made; Dask makes none while there are no workers."""
        while calls := self._left():
            if self._gives_up():
                for call in calls:
                    call.give_up()

    def _gives_up(self) -> bool:
        try:
            self.look()
        except DaskTaskRunLost:
            return True
        return False

    def _left(self) -> list[_Call]:
        time.sleep(LOOK_SECONDS)
        with self._lock:
            if self._client.status in _ENDED:
                self._calls = []  # what has not ended then was cancelled, and Dask tells that
            self._calls = [call for call in self._calls if not call.is_made]
            self._has_thread = bool(self._calls)
            return list(self._calls)


class _Call:
    """A call that is made once, by whoever comes first: Dask, or one who gives up."""

    def __init__(self, future: PrefectDaskFuture[Any], fn: Callable[[Any], Any]) -> None:
        self._future = future
        self._fn = fn
        self._lock = threading.Lock()
        self.is_made = False

    def __call__(self, _: Any) -> None:
        with self._lock:
            if self.is_made:
                return
            self.is_made = True
        self._fn(self._future)

    def give_up(self) -> None:
        """Settle the future as lost, and call."""
        if self.is_made:
            return
        try:
            self._future.wait(timeout=0)
            self(None)
        except Exception:  # noqa: BLE001 - whatever is called; Dask logs what its own calls raise
            get_logger("task_runner.dask").exception("What was to be called at the end of a task run failed.")


_lock = threading.Lock()


def watch_of(client: Any) -> WorkerWatch:
    """Find the watch of a client, which goes with it.

    Args:
        client: Any client of Dask.
    """
    with _lock:
        found: WorkerWatch | None = vars(client).get("_prefect_worker_watch")
        if found is None:
            found = client._prefect_worker_watch = WorkerWatch(client)  # noqa: SLF001 - ours
        return found
