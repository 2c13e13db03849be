"""Task runs in the process of a worker: settings, clients and contexts that are set up once for all of them."""

# cloudpickle is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar

import cloudpickle
from prefect.client.schemas.objects import State
from prefect.context import SettingsContext, SyncClientContext, hydrated_context
from prefect.task_engine import run_task_async, run_task_sync

from .task_run_orders import Letterhead, Order, with_results
from .task_run_pickles import let_travel

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.orchestration import SyncPrefectClient

T = TypeVar("T")

_KEPT = 16
"""Settings and contexts that a worker keeps ready: those of the flow runs that use it now."""


def run_order(
    order: Order,
    received: tuple[Any, ...],
    *,
    prepare: Callable[[Task[..., Any]], object] | None = None,
    run_async: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run,
) -> Any:
    """Run a task run in the settings and the context that it was submitted in.

    Args:
        order: As `Packer` made it.
        received: Its parcels, then results of other work.
        prepare: Called in the context with the task, a copy that nobody else uses.
        run_async: Runs the coroutine of an async task.

    Returns:
        The final state; the task's result where the order says so.
    """
    return copy_context().run(_run, order, received, prepare, run_async)


def _run(order: Order, received: tuple[Any, ...], prepare: Any, run_async: Any) -> Any:
    letterhead: Letterhead = pickle.loads(received[order.letterhead])  # noqa: S301 - what our own flow run has sent
    task = cloudpickle.loads(letterhead.task)
    environment = _environments.get(letterhead.settings, _Environment)
    context = {**_contexts.get(letterhead.context, cloudpickle.loads)}
    context["tags_context"] = {"current_tags": set(order.tags)} if order.tags else {}
    context["asset_context"] = order.assets
    results = list(received[order.first_upstream :])
    parameters: dict[str, Any] = {}
    for name, content in order.parameters.items():
        raw = received[content] if isinstance(content, int) else content
        parameters[name] = with_results(cloudpickle.loads(raw), results)
    with environment.entered() as client, hydrated_context(context, client=client):
        if prepare is not None:
            prepare(task)
        call: dict[str, Any] = {
            "task": task,
            "task_run_id": order.task_run_id,
            "parameters": parameters,
            "wait_for": with_results(cloudpickle.loads(order.wait_for), results),
            "return_type": order.return_type,
            "dependencies": order.dependencies,
        }
        try:
            outcome = run_async(run_task_async(**call)) if task.isasync else run_task_sync(**call)
        except BaseException as exc:
            let_travel(exc)
            raise
        if isinstance(outcome, State) and isinstance(error := _held_by(outcome), BaseException):
            let_travel(error)
        return outcome


def _held_by(state: State[Any]) -> Any:
    """What a state holds, by itself or in the record of a result."""
    data: Any = state.data
    return data if isinstance(data, BaseException) else getattr(data, "result", None)


def in_settings(order: Order, received: tuple[Any, ...], function: Callable[[], T]) -> T:
    """Call a function in the settings of a task run.

    Args:
        order: As `Packer` made it.
        received: Its parcels.
        function: What to call.
    """

    def call() -> T:
        letterhead: Letterhead = pickle.loads(received[order.letterhead])  # noqa: S301 - as above
        _environments.get(letterhead.settings, _Environment).entered()
        return function()

    return copy_context().run(call)


def drain(timeout_seconds: float) -> None:
    """Send what this process has logged, and the states of its task runs, to the Prefect API.

    Args:
        timeout_seconds: How long each of the two may take.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for service in (EventsWorker, APILogWorker):
        service.drain_all(timeout=timeout_seconds, at_exit=False)


class _Environment:
    """The settings of a flow run and a client for its API, ready for all its task runs in this process."""

    def __init__(self, serialized: bytes) -> None:
        members = cloudpickle.loads(serialized)
        self._settings = SettingsContext(**members) if members else None
        self._clients: SyncClientContext | None = None
        self._lock = threading.Lock()

    def entered(self) -> AbstractContextManager[SyncPrefectClient]:
        """Use the settings and the client, in the current context."""
        if self._settings is not None:
            SettingsContext.__var__.set(self._settings)
        with self._lock:
            if self._clients is None:
                # Entered in a context of its own, and never left: many threads use it.
                self._clients = copy_context().run(_open_clients)
        SyncClientContext.__var__.set(self._clients)
        return nullcontext(self._clients.client)


def _open_clients() -> SyncClientContext:
    SyncClientContext.__var__.set(None)  # pyright: ignore[reportArgumentType] - as in a new thread
    return SyncClientContext().__enter__()


class _Kept:
    """Objects made of bytes, once for equal bytes, the latest ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[bytes, Any] = OrderedDict()

    def get(self, content: bytes, make: Callable[[bytes], T]) -> T:
        digest = blake2b(content, digest_size=16).digest()
        with self._lock:
            if digest not in self._made:
                self._made[digest] = make(content)
                if len(self._made) > _KEPT:
                    self._made.popitem(last=False)
            self._made.move_to_end(digest)
            return self._made[digest]


_environments = _Kept()
_contexts = _Kept()
