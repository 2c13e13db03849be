"""Futures of task runs that another service runs, and what to do when it loses one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from prefect.client.schemas.objects import State
from prefect.futures import PrefectWrappedFuture
from prefect.states import Completed
from prefect.utilities.collections import visit_collection

from .task_run_losses import crashed_state, not_ready_state, report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from .task_run_losses import Submitted

R = TypeVar("R")
W = TypeVar("W")
F = TypeVar("F")


class RemoteTaskRunFuture(PrefectWrappedFuture[R, W], Generic[R, W]):
    """The future of a task run on a service, which ends in a state whatever becomes of the service.

    Args:
        task_run_id: The task run.
        wrapped_future: The service's own future.
    """

    def __init__(self, task_run_id: UUID, wrapped_future: W) -> None:
        super().__init__(task_run_id, wrapped_future)
        self._submitted: Submitted | None = None
        self._upstream: Sequence[RemoteTaskRunFuture[Any, Any]] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what another process can wait with."""
        return type(self), (self._task_run_id, self._wrapped_future)

    @property
    def is_settled(self) -> bool:
        """Whether the final state is known here."""
        return self._final_state is not None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the task run has ended.

        Args:
            timeout: Seconds to wait at most; without it, until it has ended.
        """
        if self._final_state is None:
            self._settle(timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """Wait for the task run, and return its result.

        Args:
            timeout: Seconds to wait at most; without it, until it has ended.
            raise_on_failure: Whether to raise the error of a task run that failed, rather than return it.

        Returns:
            What the task returned.

        Raises:
            TimeoutError: If it has not ended in time.
        """
        if self._final_state is None and not self._settle(timeout):
            raise TimeoutError(f"Task run {self.task_run_id} did not complete within {timeout} seconds")
        state: Any = self._final_state
        return state.result(raise_on_failure=raise_on_failure, _sync=True)

    def is_lost_too(self) -> bool:
        """Whether the service lost this one, so that what waited for it never started."""
        if self._final_state is None and self._has_come_to_an_end():
            self.wait()
        return _is_lost(self._final_state)

    @abstractmethod
    def _settle(self, timeout: float | None) -> bool:
        """Wait for the final state, and keep it.

        Args:
            timeout: Seconds to wait at most; without it, until it is there.

        Returns:
            Whether it is known now.
        """

    @abstractmethod
    def _has_come_to_an_end(self) -> bool:
        """Whether the service would say at once what became of the task run, if it has lost it."""

    def _lost_state(self) -> State[Any] | None:
        """The final state, if it is that of a task run which is lost."""
        return self._final_state if _is_lost(self._final_state) else None

    @property
    def _task_name(self) -> str:
        return self._submitted.task.name if self._submitted else "unknown"

    def _end_as(self, outcome: Any) -> None:
        """Settle with what the service has returned: the final state, or a result."""
        self._final_state = outcome if isinstance(outcome, State) else Completed(data=outcome)

    def _end_as_lost(self, error: BaseException, *, is_reported: bool, has_ended: bool = False) -> None:
        """Settle as crashed, or as not ready where one that it waits for is lost, too.

        Args:
            error: Which says what became of the task run.
            is_reported: Whether to report that to the API; a state that is final there stays.
            has_ended: Whether it had ended in another state, which somebody else reports.
        """
        lost = next((upstream for upstream in self._upstream if upstream.is_lost_too()), None)
        if lost is not None:
            state = not_ready_state(self.task_run_id, lost.task_run_id)
        else:
            state = crashed_state(self.task_run_id, error)
            is_reported = is_reported and not has_ended
        if self._submitted is not None and is_reported:
            state = report(self._submitted, self.task_run_id, state)
        self._final_state = state


def _is_lost(state: State[Any] | None) -> bool:
    return state is not None and (state.is_crashed() or state.name == "NotReady")


def futures_in(value: Any, kind: type[F]) -> list[F]:
    """Find the futures of a kind in a value, however deep.

    Args:
        value: Arguments of a task.
        kind: Their class.
    """
    found: list[F] = []

    def note(item: Any) -> None:
        if isinstance(item, kind):
            found.append(item)

    visit_collection(value, visit_fn=note, return_data=False, max_depth=-1)
    return found
