"""The future of a task run on Ray, which ends in a state whatever becomes of the cluster."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from prefect_integration_kit.task_run_futures import RemoteTaskRunFuture

from ._asking import wait_for
from ._losses import has_no_room, lost_error, lost_its_result, worker_died
from ._outcomes import known_end
from ._waiting import watch
from .errors import RayResultLost, RayTaskRunLost

if TYPE_CHECKING:
    import ray
    from prefect.client.schemas.objects import State

    from prefect_integration_kit.task_run_losses import Submitted

R = TypeVar("R")


class PrefectRayFuture(RemoteTaskRunFuture[R, "ray.ObjectRef[Any]"]):
    """The future of a task run on Ray.

    When Ray loses the task run, since its worker or its node died, its final state is `Crashed`.

    Args:
        task_run_id: The task run.
        wrapped_future: Ray's reference to its final state.
    """

    def __init__(self, task_run_id: UUID, wrapped_future: ray.ObjectRef[Any]) -> None:
        super().__init__(task_run_id, wrapped_future)
        self._holds: list[Any] = []
        self.lost_its_worker = False
        self._ends_with_flow = False
        self._is_killed = False
        self._lock = threading.RLock()

    def belongs_to(self, submitted: Submitted, upstream: list[PrefectRayFuture[Any]], holds: list[Any]) -> None:
        """Say where the task run comes from.

        Args:
            submitted: What it was submitted with.
            upstream: What it waits for.
            holds: Objects in the store that shall stay as long as the future does.
        """
        self._submitted, self._upstream, self._holds = submitted, upstream, holds

    @property
    def is_ready(self) -> bool:
        """Whether Ray has a result or an error, or the final state is known here."""
        return self._final_state is not None or _is_ready(self._wrapped_future, 0, fetch_local=False)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Wait for the task run, and return its result.

        Args:
            timeout: Seconds to wait at most; without it, until it has ended.
            raise_on_failure: Whether to raise the error of a task run that failed, rather than return it.

        Returns:
            What the task returned.

        Raises:
            TimeoutError: If it has not ended in time.
            RayTaskRunLost: If Ray lost it.
        """
        return super().result(timeout, raise_on_failure)

    def add_done_callback(self, fn: Callable[[PrefectRayFuture[R]], Any]) -> None:
        """Call a function when the task run has ended, in another thread unless it has ended already.

        Args:
            fn: Called with the future.
        """
        if self.is_settled:
            fn(self)
            return

        watch.call_at_end(self, fn)

    def state_to_send(self) -> State[Any] | None:
        """The state that a task run which depends on this one gets, where Ray cannot hand it over."""
        return self._lost_state()

    def end_with_flow(self) -> None:
        """Say that the task run is cancelled, since its flow run ends."""
        self._ends_with_flow = True

    def killed_with_flow(self) -> None:
        """Say that its worker is killed; Ray tells the same of a task run that no worker has begun with."""
        self._is_killed = True

    def lose(self, exc: BaseException, *, is_reported: bool | None = None) -> None:
        """Settle the task run as lost.

        Args:
            exc: What Ray raised.
            is_reported: Whether to report that to the API; a state that is final there stays. Without it, that is
                done unless the task run was cancelled with its flow run, and no worker had begun with it.
        """
        with self._lock:
            if self._final_state is not None:
                return
            self.lost_its_worker = self._is_killed or worker_died(exc)
            if is_reported is None:
                is_reported = self.lost_its_worker or not self._ends_with_flow
            if self._ends_with_flow:
                exc = RayTaskRunLost("The flow run ended before this task run did.")
            error = lost_error(self.task_run_id, self._task_name, exc)
            self._end_as_lost(error, is_reported=is_reported)

    def _has_come_to_an_end(self) -> bool:
        return self.is_ready

    def settle_if_at_hand(self) -> None:
        """Settle with what is at hand; what is not, or cannot be unpickled here, is left to those who want it."""
        import ray
        from ray.exceptions import GetTimeoutError, RayError, RaySystemError

        with self._lock, contextlib.suppress(Exception):
            if self._final_state is not None:
                return
            try:
                self._end_as(ray.get(self._wrapped_future, timeout=0))
            except (GetTimeoutError, RaySystemError):
                pass
            except RayError as exc:
                self.lose(exc)

    def _settle(self, timeout: float | None) -> bool:
        import ray

        try:
            if not _is_ready(self._wrapped_future, timeout):
                return False
            with self._lock:
                if self._final_state is None:
                    self._end_as(ray.get(self._wrapped_future))
        except Exception as exc:  # noqa: BLE001 - errors of the task are in its state; these are Ray's
            self._find_end_or_lose(exc)
        return True

    def _find_end_or_lose(self, exc: Exception) -> None:
        """Settle without Ray: a task run that has ended stays ended, and its result may have been persisted."""
        if lost_its_result(exc) and self._final_state is None:
            try:
                known = known_end(self.task_run_id)
            except RayResultLost as lost:
                if not has_no_room(exc):  # which says more
                    lost.__cause__ = exc
                    exc = lost
            else:
                if known is not None:
                    self._end_as(known)
                    return
        self.lose(exc)


def _is_ready(reference: Any, timeout: float | None, *, fetch_local: bool = True) -> bool:
    ready, _ = wait_for([reference], timeout=timeout, fetch_local=fetch_local)
    return bool(ready)
