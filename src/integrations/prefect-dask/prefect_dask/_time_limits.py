"""Time limits of tasks that run in a worker's thread, where nothing can interrupt a call that blocks."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import wraps
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.task_run_stops import run_to_its_end

from ._slots import slot_thread
from ._stops import Stop

if TYPE_CHECKING:
    from prefect import Task

_WAIT_SECONDS = 0.05
"""Between two of these waits arrives what Prefect throws into the thread when the time is up."""

_UNTRUE = "Timeout of %s seconds configured for this task, but the task is running in a worker thread."


class _Left(SystemExit):
    """Ends the thread of a function whose time is up."""


def limit_task(task: Task[..., Any]) -> None:
    """Make the time limit of a task hold, in this process; Prefect's own cannot end a call that blocks.

    Args:
        task: A copy that nobody else uses; its function is replaced.
    """
    if task.timeout_seconds is None or task.isasync:
        return
    task.fn = _in_own_thread(task.fn)
    logger = logging.getLogger("prefect.task_runs")
    if not any(isinstance(each, _Truthful) for each in logger.filters):
        logger.addFilter(_Truthful())


class _Truthful(logging.Filter):
    """Drops Prefect's warning that time limits do not work here."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (isinstance(record.msg, str) and record.msg.startswith(_UNTRUE))


def _in_own_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return _Call(lambda: run_to_its_end(function(*args, **kwargs))).run()

    return call


class _Call:
    """A call in a thread of its own; the thread that waits for it can be interrupted."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._requests: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._stop = Stop(_Left)
        self._error: BaseException | None = None
        self._result: Any = None

    def run(self) -> Any:
        context = copy_context()
        states = _dask_states(self._requests.put)
        thread = threading.Thread(target=lambda: context.run(self._work, states), daemon=True, name="prefect-dask-task")
        thread.start()
        try:
            while (request := self._next_request()) is not None:
                request()
        except BaseException:
            self._stop.ask()
            raise
        if self._error is not None:
            raise self._error
        return self._result

    def _next_request(self) -> Callable[[], Any] | None:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._requests.get(timeout=_WAIT_SECONDS)

    def _work(self, states: list[tuple[Any, dict[str, Any]]]) -> None:
        for state, members in states:
            vars(state).update(members)
        try:
            with slot_thread(self._in_waiting_thread), self._stop.let_in():
                self._result = self._function()
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits
            self._error = exc
        finally:
            self._requests.put(None)

    def _in_waiting_thread(self, function: Callable[[], Any]) -> Any:
        answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def answer() -> None:
            try:
                answers.put((function(), None))
            except Exception as exc:  # noqa: BLE001 - raised in the thread that asked
                answers.put((None, exc))

        self._requests.put(answer)
        value, error = answers.get()
        if error is not None:
            raise error
        return value


def _dask_states(request: Callable[[Callable[[], Any]], object]) -> list[tuple[Any, dict[str, Any]]]:
    """What Dask keeps for the calling thread, so that `get_worker`, `secede` and the like work in the other one.

    Args:
        request: Has the calling thread call a function, later.
    """
    from distributed import threadpoolexecutor, worker

    state: Any = vars(worker)["thread_state"]
    states: list[tuple[Any, dict[str, Any]]] = [(state, dict(vars(state)))]
    pool = getattr(threadpoolexecutor.thread_state, "executor", None)
    if pool is not None:
        states.append((threadpoolexecutor.thread_state, {"executor": _Pool(pool, request), "proceed": True}))
    return states


class _Pool:
    """The worker's pool of threads, as Dask's `secede` and `rejoin` see it from the thread of a task's function.

    What leaves the pool, and comes back, is the thread that waits for the function: that one holds the slot.

    Args:
        pool: The pool.
        request: Has the calling thread, which is of the pool, call a function, later.
    """

    def __init__(self, pool: Any, request: Callable[[Callable[[], Any]], object]) -> None:
        self._pool = pool
        self._holder = threading.current_thread()
        self._request = request
        self._rejoin_lock = pool._rejoin_lock  # noqa: SLF001 - what Dask itself takes of it
        self._threads = self._rejoin_list = self
        self._adjust_thread_count = pool._adjust_thread_count  # noqa: SLF001
        self.submit = pool.submit

    def remove(self, _: threading.Thread) -> None:
        """Take the holder out of the pool's threads."""
        self._pool._threads.remove(self._holder)  # noqa: SLF001
        self._request(lambda: _proceed(goes_on=False))

    def append(self, rejoining: tuple[threading.Thread, threading.Event]) -> None:
        """Let the holder be one of the pool's threads again when there is room."""
        self._pool._rejoin_list.append((self._holder, rejoining[1]))  # noqa: SLF001
        self._request(lambda: _proceed(goes_on=True))


def _proceed(*, goes_on: bool) -> None:
    """Say whether the calling thread is to take other work when it is done with this."""
    from distributed.threadpoolexecutor import thread_state

    thread_state.proceed = goes_on
