"""What happens on a worker: a task run is unpacked and run, once."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from hashlib import blake2b
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import cloudpickle
from prefect.context import SettingsContext, SyncClientContext, hydrated_context
from prefect.exceptions import TerminationSignal
from prefect.task_engine import run_task_async, run_task_sync

from ._ledger import Ledger
from ._orders import Letterhead, Order, with_results
from ._slots import current_worker
from ._time_limits import limit_task, throw

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

T = TypeVar("T")

_KEPT = 16
"""Settings and contexts that a worker keeps ready: those of the flow runs that use it now."""


class Stopped(TerminationSignal):
    """Ends a task run whose flow run has ended."""

    def __init__(self) -> None:
        super().__init__(signal=SIGTERM)


def run_order(order: bytes, *received: Any) -> Any:
    """Run a task run; Dask calls this.

    Args:
        order: A pickled `Order`.
        received: Parcels, then results of other work.

    Returns:
        The final state; the task's result where the order says so.
    """
    wanted: Order = cloudpickle.loads(order)
    worker = current_worker()
    ledger = None if worker is None else Ledger(worker, wanted.ledger, wanted.task_run_id)
    if ledger is not None and (outcome := ledger.read()) is not None:
        return outcome.returned()
    with _Running(wanted.task_run_id):
        outcome = copy_context().run(_run, wanted, received)
    if ledger is not None:
        ledger.write(outcome, wanted.return_type)
    return outcome


def _run(order: Order, received: tuple[Any, ...]) -> Any:
    letterhead: Letterhead = pickle.loads(received[order.letterhead])  # noqa: S301 - what our own client has sent
    task = cloudpickle.loads(letterhead.task)
    limit_task(task)
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
        call: dict[str, Any] = {
            "task": task,
            "task_run_id": order.task_run_id,
            "parameters": parameters,
            "wait_for": with_results(cloudpickle.loads(order.wait_for), results),
            "return_type": order.return_type,
            "dependencies": order.dependencies,
        }
        if task.isasync:
            return asyncio.run(_run_async(order.task_run_id, call))
        return run_task_sync(**call)


async def _run_async(task_run_id: UUID, call: dict[str, Any]) -> Any:
    current, loop = asyncio.current_task(), asyncio.get_running_loop()
    if current is not None:
        _running[task_run_id] = lambda: loop.call_soon_threadsafe(current.cancel)
    return await run_task_async(**call)


# What can be stopped

_running: dict[UUID, Callable[[], object]] = {}


class _Running:
    """Makes a task run known, so that it can be stopped."""

    def __init__(self, task_run_id: UUID) -> None:
        self._task_run_id = task_run_id

    def __enter__(self) -> None:
        thread_id = threading.get_ident()
        _running[self._task_run_id] = lambda: throw(thread_id, Stopped)

    def __exit__(self, *_: object) -> None:
        _running.pop(self._task_run_id, None)


def stop_runs(task_run_ids: list[UUID]) -> list[UUID]:
    """Stop task runs of this process, at their next line of Python.

    Args:
        task_run_ids: Those that shall not go on; others than these may run.

    Returns:
        Those that were running here.
    """
    found = [each for each in task_run_ids if each in _running]
    for each in found:
        _running[each]()
    return found


async def flush(client_pid: int, timeout_seconds: float) -> None:
    """Send what this process has logged, and the states of its task runs, to the Prefect API.

    Args:
        client_pid: A worker that lives in the process of the flow leaves it to that.
        timeout_seconds: How long it may take.
    """
    if os.getpid() != client_pid:
        await asyncio.to_thread(_drain, timeout_seconds)


def _drain(timeout_seconds: float) -> None:
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for service in (EventsWorker, APILogWorker):
        service.drain_all(timeout=timeout_seconds, at_exit=False)


# What is kept ready


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


@dataclass
class _Kept:
    """Objects made of bytes, once for equal bytes, the latest ones."""

    def __post_init__(self) -> None:
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
