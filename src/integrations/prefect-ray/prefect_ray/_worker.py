"""What happens on a worker: a task run is unpacked and run, once."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import cloudpickle
from prefect.logging.loggers import flow_run_logger

from prefect_integration_kit.task_run_environments import drain, in_settings
from prefect_integration_kit.task_run_environments import run_order as run_packed
from prefect_integration_kit.task_run_losses import crashed_state

from ._interrupts import held, let_in_function
from ._ledger import Ledger, busy, idle, note, strike
from ._waiting import lend_cpus
from .errors import RayTaskRunLost

if TYPE_CHECKING:
    from uuid import UUID

    from prefect import Task
    from prefect.client.schemas.objects import State

_IDLE_SECONDS = 0.05
"""A worker that has had nothing to do for this long sends what it still has."""

_DRAIN_SECONDS = 5.0

_PACKAGES = ("prefect", "prefect-ray", "cloudpickle")


class Terms(NamedTuple):
    """What a worker must know before it unpacks a task run.

    Attributes:
        versions: Of Python and of packages, in the flow run.
        ledger: Name of the flow run's ledger.
        may_run_again: Whether Ray may run the task run a second time.
        may_leave: Whether the worker may end right after the task run.
        owner: The worker whose task has submitted it, as `here` says it; empty if the flow has.
    """

    versions: dict[str, str]
    ledger: str
    may_run_again: bool
    may_leave: bool
    owner: str


class Held:
    """A reference to an object of Ray that shall arrive as a reference."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference


_ledger: ContextVar[str | None] = ContextVar("ledger", default=None)


def current_ledger() -> str | None:
    """Name of the ledger of the flow run whose task this worker runs."""
    return _ledger.get()


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions here that must fit those on the workers."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def differences(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """Say what is installed in another version on a worker.

    Args:
        theirs: Versions in the flow run.
        ours: Versions on the worker.
    """
    return [
        f"{name}: {ours.get(name, 'none')} there, {wanted} here"
        for name, wanted in theirs.items()
        if ours.get(name, "none") != wanted
    ]


def run_order(terms: Terms, order: bytes, *received: Any) -> Any:
    """Run a task run; Ray calls this.

    Args:
        terms: What must be known before unpacking.
        order: A pickled `Order`.
        received: Parcels, then results of other work.

    Returns:
        The final state.
    """
    lend_cpus()
    _ledger.set(terms.ledger)
    received = tuple(each.reference if isinstance(each, Held) else each for each in received)
    with held(), _sender.working(terms.ledger, sends_now=terms.may_leave):
        different = differences(terms.versions, versions())
        try:
            wanted = cloudpickle.loads(order)
        except Exception as exc:
            told = f" Versions differ ({'; '.join(different)})." if different else ""
            raise RayTaskRunLost(f"A task run could not be unpacked on the worker: {exc}.{told}") from exc
        ledger = Ledger(terms.ledger, wanted.task_run_id) if terms.may_run_again else None
        if ledger is not None:
            has_ended, outcome = in_settings(wanted, received, ledger.outcome)
            if has_ended:
                return outcome
            ledger.begin()
        outcome = _run(wanted, received, terms, different)
        if ledger is not None:
            ledger.end(outcome)
        return outcome


def _run(order: Any, received: tuple[Any, ...], terms: Terms, different: list[str]) -> Any:
    name = "unknown"

    def prepare(task: Task[..., Any]) -> None:
        nonlocal name
        name = task.name
        if terms.owner:
            with suppress(Exception):  # it only matters when one of the two dies
                note(terms.ledger, order.task_run_id, here(), terms.owner, name)
        let_in_function(task)
        _tell(different)

    try:
        outcome = run_packed(order, received, prepare=prepare)
    except KeyboardInterrupt:
        # Prefect has reported a state like this one. Ray, if it heard, could not say whether the task run had begun.
        outcome = _interrupted(order.task_run_id, name)
    # Not when Ray ends the worker, for then Prefect's report may stay here.
    if terms.owner:
        with suppress(Exception):
            strike(terms.ledger, order.task_run_id)
    return outcome


def _interrupted(task_run_id: UUID, name: str) -> State[Any]:
    return crashed_state(task_run_id, RayTaskRunLost(f"Task run '{task_run_id}' of task {name!r} was interrupted."))


_told: set[tuple[str, ...]] = set()


def _tell(different: list[str]) -> None:
    """Warn in the logs of the flow run of other versions here, once in each worker."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    if not different or tuple(different) in _told or context is None or context.flow_run is None:
        return
    _told.add(tuple(different))
    flow_run_logger(context.flow_run, context.flow).warning(
        "A Ray worker has other versions than this flow run: %s. Task runs on it may crash; install the same ones.",
        "; ".join(different),
    )


class _Sender:
    """Sends logs and states as soon as the worker has nothing to do, and lets the flow run know that it has to wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._running = 0
        self._marked: set[str] = set()
        self._round = 0
        self._pid: int | None = None

    @contextmanager
    def working(self, ledger: str, *, sends_now: bool) -> Generator[None, None, None]:
        """Say that a task run of a ledger runs in the block; send at its end, or later, when there is time."""
        with self._lock:
            self._running += 1
            self._round += 1
            if ledger not in self._marked:
                self._marked.add(ledger)
                with suppress(Exception):  # it only makes the flow run wait
                    busy(ledger, here())
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._send, name="prefect-ray-sender", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
            if sends_now:
                self._send_if_idle()
            else:
                self._changed.set()

    def _send(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            if self._changed.wait(_IDLE_SECONDS):
                continue  # something has ended since
            self._send_if_idle()

    def _send_if_idle(self) -> None:
        with self._lock:
            if self._running:
                return
            before = self._round
        with suppress(Exception):
            drain(_DRAIN_SECONDS)
        with self._lock:
            if self._round == before:
                for ledger in self._marked:
                    with suppress(Exception):
                        idle(ledger, here())
                self._marked.clear()


def here() -> str:
    """IDs of the node and of the worker that this process is, with a dot between them."""
    import ray

    context = ray.get_runtime_context()
    return f"{context.get_node_id()}.{context.get_worker_id()}"


_sender = _Sender()
