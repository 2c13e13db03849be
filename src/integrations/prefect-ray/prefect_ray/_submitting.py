"""Task runs of one flow run on their way to Ray, and their end with it."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from weakref import WeakSet

import cloudpickle

from prefect_integration_kit.task_run_losses import started
from prefect_integration_kit.task_run_orders import Packer, Waits, all_inputs, for_worker

from . import _ledger
from ._asking import wait_for
from ._ending import end, settle_losses, wait_until_sent
from ._futures import PrefectRayFuture
from ._orphans import report_orphans
from ._parcels import Parcels
from ._remote_options import remote_function
from ._worker import Held, Terms, here, versions
from .errors import RayArgumentError, RayTaskRunLost
from .settings import RaySettings

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import RunInput

    from prefect_integration_kit.logs import Log

_LOOK_EVERY = 256
"""Submissions between two looks at which task runs have ended."""


@dataclass(frozen=True)
class Sent:
    """A task run that was sent to Ray.

    Attributes:
        task_run_id: The run.
        reference: To its final state.
        holds: Objects in the store that it needs.
    """

    task_run_id: UUID
    reference: Any
    holds: list[Any]


class Submitter:
    """Submits task runs, and ends them.

    Args:
        ledger: Name of the flow run's ledger.
        log: Of the task runner.
        is_flow_run: Whether this is the flow run, rather than a task that submits tasks.
    """

    def __init__(self, ledger: str, log: Log, *, is_flow_run: bool) -> None:
        self._ledger = ledger
        self._log = log
        self._is_flow_run = is_flow_run
        self._owner = "" if is_flow_run else here()
        self._settings = RaySettings()
        self._packer = Packer(ledger, "a Ray worker", RayArgumentError, _upstream_of)
        self._parcels = Parcels()
        self._versions = versions()
        self._lock = threading.RLock()
        self._pending: list[PrefectRayFuture[Any]] = []
        self._since_look = 0
        self._told: set[str] = set()
        self._all: WeakSet[PrefectRayFuture[Any]] = WeakSet()
        self._dead: set[UUID] = set()

    def serve_api_at(self, url: str | None) -> None:
        """Tell workers where the Prefect API is, when the settings do not.

        Args:
            url: Address of the API.
        """
        self._packer.api_url = url

    def submit(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: list[Any] | None,
        dependencies: dict[str, set[RunInput]] | None,
        options: dict[str, Any],
    ) -> Sent:
        """Send a task run to Ray, as soon as there is room for one.

        Args:
            task: Its task.
            parameters: Its arguments by name.
            wait_for: Futures that must be done before it starts.
            dependencies: Its known inputs.
            options: Remote options.

        Raises:
            RayArgumentError: If an argument cannot be sent.
            RayConfigurationError: If Ray refuses an option.
        """
        self._make_room()
        task_run_id = uuid4()
        function = remote_function({"name": task.name, **options})
        self._tell_of_needs(task, options)
        known = all_inputs(parameters, wait_for, dependencies)
        with for_worker():
            packed = self._packer.pack(task, task_run_id, parameters, wait_for, known, "state")
        parcels = [self._parcels.store(content) for content in packed.parcels]
        may_leave = bool(options.get("max_calls") or options.get("num_gpus"))  # Ray ends workers that had GPUs, too
        terms = Terms(self._versions, self._ledger, bool(options.get("max_retries")), may_leave, self._owner)
        reference = function.remote(
            terms, cloudpickle.dumps(packed.order), *(each.reference for each in parcels), *packed.upstream
        )
        return Sent(task_run_id, reference, parcels)

    def watch(self, future: PrefectRayFuture[Any]) -> None:
        """Count a task run until it has ended.

        Args:
            future: Of the run.
        """
        with self._lock:
            self._pending.append(future)
            self._all.add(future)

    def _make_room(self) -> None:
        with self._lock:
            self._since_look += 1
            limit = self._settings.max_pending_task_runs
            if len(self._pending) >= limit:
                # A good part at once: each look costs time for every one that is pending.
                self._forget_ended(at_least=max(1, limit // 10))
            elif self._since_look >= _LOOK_EVERY:
                self._forget_ended()

    def _forget_ended(self, at_least: int = 0) -> None:
        """Take away what has ended; wait until so many have."""
        import ray

        self._since_look = 0
        waiting = {each.wrapped_future: each for each in self._pending if not each.is_settled}
        missing = at_least - (len(self._pending) - len(waiting))
        left: list[Any] = list(waiting)
        if left and missing > 0:
            wait_for(left, min(len(left), missing), fetch_local=False)
        if left:
            _, left = ray.wait(left, num_returns=len(left), timeout=0, fetch_local=False)
        self._pending = [waiting[each] for each in left]
        still = set(left)
        settle_losses([future for reference, future in waiting.items() if reference not in still])

    def _tell_of_needs(self, task: Task[..., Any], options: dict[str, Any]) -> None:
        """Warn of a task that no node of the cluster can run now: Ray waits for one, without a word."""
        needs = {
            **{str(name): value for name, value in (options.get("resources") or {}).items()},
            **{
                ray_name: options[name]
                for name, ray_name in (("num_cpus", "CPU"), ("num_gpus", "GPU"))
                if options.get(name)
            },
        }
        if not needs or (key := str(sorted(needs.items()))) in self._told:
            return
        self._told.add(key)
        with contextlib.suppress(Exception):  # it is a hint, and no reason for the flow to fail
            import ray

            nodes: list[dict[str, float]] = [node["Resources"] for node in ray.nodes() if node.get("Alive")]
            if not any(all(node.get(name, 0) >= value for name, value in needs.items()) for node in nodes):
                self._log.warning(
                    "No node of the Ray cluster has what task %r needs (%s). Its task runs wait until one joins.",
                    task.name,
                    ", ".join(f"{name}: {value:g}" for name, value in needs.items()),
                )

    def cancel(self) -> None:
        """Cancel what has not ended, and report that."""
        import ray

        unfinished = self._unfinished()
        if not unfinished:
            return
        self._log.warning("%d task runs had not ended with the flow; they are cancelled.", len(unfinished))
        for future in unfinished:
            future.end_with_flow()
        with contextlib.suppress(Exception):  # the cluster may be gone
            if ray.is_initialized():
                end(unfinished, self._settings.cancel_grace_seconds)
        # Of what is left nobody here knows whether it had begun.
        left = [each for each in unfinished if not each.is_settled]
        begun = started(each.task_run_id for each in left)
        for future in left:
            future.lose(RayTaskRunLost("It was cancelled."), is_reported=future.task_run_id in begun)
        self._dead.update(each.task_run_id for each in unfinished if each.lost_its_worker)
        self._pending = []

    def _unfinished(self) -> list[PrefectRayFuture[Any]]:
        import ray

        with contextlib.suppress(Exception):  # the cluster may be gone
            if ray.is_initialized():  # what asks Ray starts it if it is not
                self._forget_ended()
        return [each for each in self._pending if not each.is_settled]

    def close(self) -> None:
        """End: cancel what has not ended, and wait until workers have sent logs and states."""
        if not self._is_flow_run:
            return
        self.cancel()
        import ray

        with contextlib.suppress(Exception):  # the cluster may be gone
            if not ray.is_initialized():
                return
            self._dead.update(each.task_run_id for each in list(self._all) if each.lost_its_worker)
            wait_until_sent(self._ledger, self._settings.flush_timeout_seconds, len(self._dead))
            report_orphans(self._ledger)
            _ledger.forget(self._ledger)


def _upstream_of(item: Any) -> Any:
    if isinstance(item, PrefectRayFuture):
        return item.state_to_send() or Waits(item.wrapped_future)
    if _is_reference(item):
        return Waits(Held(item))
    return None


def _is_reference(item: Any) -> bool:
    import ray

    if isinstance(item, ray.ObjectRef):
        return True
    return type(item).__name__ == "ClientObjectRef"
