"""One body, a sync face and an async face.

This module is the only place that touches Prefect's own dispatch, which is private: a new Prefect release is one
file to mend. Three decorators cover what integrations publish:

- `async_dispatch(aread)` on a method or function: the sync name returns a coroutine inside an async flow.
- `sync_task(aread)` on a function: the same for a task, and the result is a task (`.submit`, `.map`, `.with_options`).
- `async_task(read)` on a coroutine function: a task that callers await, which a sync flow may also call directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

import anyio
import prefect
from prefect._internal.compatibility.async_dispatch import async_dispatch as _prefect_dispatch
from prefect._internal.compatibility.async_dispatch import is_in_async_context
from prefect.utilities.asyncutils import run_coro_as_sync, run_sync_in_worker_thread

from prefect_integration_kit.awaitables import AwaitableNone, awaitable
from prefect_integration_kit.brakes import Brake

__all__ = [
    "Task",
    "async_dispatch",
    "async_task",
    "await_to_end",
    "is_in_async_context",
    "is_in_sync_run",
    "run_coro_as_sync",
    "run_stoppable",
    "run_sync_in_worker_thread",
    "sync_task",
]

P = ParamSpec("P")
R = TypeVar("R")

_SAMPLE_SECONDS = 0.01


def async_dispatch(
    async_impl: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a sync name run `async_impl` when it is called from an async context.

    An async context is an async flow or task, or, outside of any run, a running event loop. `_sync=True` or
    `_sync=False` as an extra keyword decides by hand, and `.aio` holds `async_impl`. The type is that of the sync
    face, since a static type cannot depend on the caller: code that awaits should use the async name.

    Args:
        async_impl: The async face. It must call the shared body, never the dispatched name, which would hand it a
            coroutine.

    Raises:
        TypeError: If `async_impl` is not a coroutine function.
    """
    decorate = _prefect_dispatch(async_impl)

    def decorator(sync_impl: Callable[P, R]) -> Callable[P, R]:
        return cast("Callable[P, R]", decorate(sync_impl))

    return decorator


async def run_stoppable(body: Callable[[Brake], R]) -> R:
    """Run a long body in a worker thread; when the coroutine is cancelled, tell the body and wait for it to end.

    The body is also told how late the event loop is because of it.

    Args:
        body: It is given an event, which is also a `Brake`, and must return or raise soon after that event is set,
            leaving nothing half done.
    """
    brake = Brake()
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(run_sync_in_worker_thread(body, brake))
    try:
        while not work.done():
            start = loop.time()
            await asyncio.wait([work], timeout=_SAMPLE_SECONDS)
            brake.heard(loop.time() - start - _SAMPLE_SECONDS)
        return work.result()
    except asyncio.CancelledError:
        brake.set()
        await _outlast(work)
        raise


async def await_to_end(coroutine: Coroutine[Any, Any, R]) -> R:
    """Await what must not be left half done; a cancellation is raised when it has ended.

    Args:
        coroutine: What to await. It is not cancelled itself.
    """
    work = asyncio.ensure_future(coroutine)
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:
        await _outlast(work)
        raise
    return work.result()


async def _outlast(work: asyncio.Future[Any]) -> None:
    with anyio.CancelScope(shield=True):
        while not work.done():  # cancelled once more, it still must not leave the work behind
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([work])
    if not work.cancelled():
        work.exception()  # seen: the cancellation is what the caller gets


def is_in_sync_run() -> bool:
    """Say whether the caller is the body of a sync flow or a sync task, or a plain function that this calls.

    A coroutine that such a body runs by itself, as in `asyncio.run(main())`, is not: it can await.
    """
    from prefect.context import get_run_context
    from prefect.exceptions import MissingContextError

    try:
        get_run_context()
    except MissingContextError:
        return False
    return not is_in_async_context() and not _is_called_by_coroutine()


# Prefect's modules that call the body of a run: what lies above them in the stack is outside of the run.
_ENGINES = {"prefect.flow_engine", "prefect.task_engine"}


def _is_called_by_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") not in _ENGINES:
        if frame.f_code.co_flags & inspect.CO_COROUTINE:
            return True
        frame = frame.f_back
    return False


class Task(prefect.Task[P, R], Generic[P, R]):
    """A Prefect task with a second face, chosen by the context of the call.

    `submit`, `map`, `delay` and `serve` use the task's own face, as in Prefect; only a direct call dispatches.
    Options given to `with_options` hold for both faces.
    """

    aio: Callable[..., Any]
    _other: Callable[..., Any]
    _takes_other: Callable[[], bool]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the face that fits the caller; `_sync=True` or `_sync=False` overrides the choice."""
        wants_sync: bool | None = kwargs.pop("_sync", None)
        takes_other = self._takes_other() if wants_sync is None else wants_sync == self.isasync
        if not takes_other:
            call: Callable[..., Any] = super().__call__
            return call(*args, **kwargs)
        result: Any = self._sibling()(*args, **kwargs)
        return self._once_more(result) if self.isasync and wants_sync is None else result

    def _once_more(self, result: Any) -> Any:
        """Let a sync run hand the result to `asyncio.run`, as it does where the call makes a coroutine."""
        if result is None and self.fn.__annotations__.get("return", self) in (None, "None"):
            return AwaitableNone()  # which nobody reads: the task never gives anything
        return awaitable(result)

    def _sibling(self) -> prefect.Task[..., Any]:
        """Build the task of the other face with this one's options."""
        sibling: Any = copy.copy(self)
        sibling.__class__ = prefect.Task  # a plain task: its call must not dispatch again
        sibling.fn = self._other
        sibling.isasync = not self.isasync
        return sibling

    def with_options(self, **options: Any) -> Task[P, R]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Copy the task with other options; see `prefect.Task.with_options`."""
        aio: Any = self.aio
        if isinstance(aio, prefect.Task):
            aio = cast("prefect.Task[..., Any]", aio).with_options(**options)
        return _dual(super().with_options(**options), self._other, self._takes_other, aio)


def _dual(
    task: prefect.Task[Any, Any],
    other: Callable[..., Any],
    takes_other: Callable[[], bool],
    aio: Callable[..., Any],
) -> Task[Any, Any]:
    """Give a copy of `task` a second face."""
    dual: Any = copy.copy(task)
    dual.__class__ = Task
    dual._other = other  # noqa: SLF001
    dual._takes_other = takes_other  # noqa: SLF001
    dual.aio = aio
    return dual


def sync_task(async_impl: prefect.Task[P, Any], **options: Any) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a task whose direct call in an async context returns a coroutine of `async_impl`.

    Args:
        async_impl: The task of the async face.
        options: Options of `prefect.task` for the sync face.
    """
    other = cast("Callable[..., Any]", async_impl.fn)

    def decorator(sync_impl: Callable[P, R]) -> Task[P, R]:
        return _dual(prefect.task(sync_impl, **options), other, is_in_async_context, async_impl)

    return decorator


class _AsyncTaskDecorator(Protocol):
    def __call__(self, async_impl: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, Coroutine[Any, Any, R]]: ...


@overload
def async_task(sync_impl: None = None, **options: Any) -> _AsyncTaskDecorator: ...


@overload
def async_task(
    sync_impl: Callable[P, R], **options: Any
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Task[P, Coroutine[Any, Any, R]]]: ...


def async_task(sync_impl: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Task[..., Any]]:
    """Make an async task that the body of a sync flow or sync task may call without `await`.

    Outside of a run the call always returns a coroutine, so that `asyncio.run(task(...))` keeps working. In sync runs
    it works, too, if the result is one of Python's own types: `awaitables` lets it be awaited once more.
    `None` stays itself, unless the task is annotated to return nothing else; so do `True`, `False` and other objects.

    Args:
        sync_impl: The body for sync runs; by default the coroutine is run to its end.
        options: Options of `prefect.task`.
    """

    def decorator(async_impl: Callable[..., Coroutine[Any, Any, Any]]) -> Task[..., Any]:
        other = sync_impl or _run_to_end(async_impl)
        return _dual(prefect.task(async_impl, **options), other, is_in_sync_run, async_impl)

    return decorator


def _run_to_end(async_impl: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]:
    @functools.wraps(async_impl)
    def sync_impl(*args: P.args, **kwargs: P.kwargs) -> R:
        return run_coro_as_sync(async_impl(*args, **kwargs))

    return sync_impl
