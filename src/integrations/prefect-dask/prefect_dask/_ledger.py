"""Which task runs have ended, kept by the scheduler.

When a worker dies, Dask makes again what was in its memory, by running the functions a second time. For a task run,
which has effects, that would be wrong: the second worker finds here that the run has ended, and how.
"""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import cloudpickle

from .errors import DaskResultLost

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

ROOT = "prefect-dask"
"""Key of our entries in the scheduler's metadata."""

_KEPT_BYTES = 16_000
"""The scheduler keeps states with results up to this size, until the flow run has ended."""


@dataclass(frozen=True)
class Ended:
    """How a task run has ended.

    Attributes:
        task_run_id: The run.
        content: What it returned, pickled; `None` if that is too large to be kept.
    """

    task_run_id: UUID
    content: bytes | None

    def returned(self) -> Any:
        """What the run has returned.

        Raises:
            DaskResultLost: If nobody has it any more.
        """
        if self.content is None:
            raise DaskResultLost(
                f"Task run '{self.task_run_id}' has ended, but its result was lost with the Dask worker that held it. "
                "It was not run again. Set `persist_result=True` on the task to keep its result."
            )
        return cloudpickle.loads(self.content)


class Ledger:
    """The entry of one task run.

    Args:
        worker: The Dask worker that asks.
        name: Name of the ledger; each client has its own.
        task_run_id: The run.
    """

    def __init__(self, worker: Any, name: str, task_run_id: UUID) -> None:
        self._worker = worker
        self._task_run_id = task_run_id
        self._keys = [ROOT, name, task_run_id.hex]

    def read(self) -> Ended | None:
        """Read how the run has ended; `None` if it has not."""
        found = self._ask(self._worker.scheduler.get_metadata, keys=self._keys, default=None)
        return None if found is None else Ended(self._task_run_id, found or None)

    def write(self, outcome: Any, return_type: str) -> None:
        """Write down that the run has ended.

        Args:
            outcome: What it returned.
            return_type: Whether that is its state or its result.
        """
        content = _small(outcome)
        if content is None and return_type == "state":
            content = _small(_without_result(outcome))
        self._ask(self._worker.scheduler.set_metadata, keys=self._keys, value=content or b"")

    def _ask(self, call: Any, **arguments: Any) -> Any:
        from distributed.utils import sync

        return sync(self._worker.loop, call, **arguments)


def _small(outcome: Any) -> bytes | None:
    from dask.sizeof import sizeof

    try:
        if sizeof(_value(outcome)) > _KEPT_BYTES:
            return None
        content = cloudpickle.dumps(outcome)
    except Exception:  # noqa: BLE001 - whatever a result's own pickling raises; Dask says so where it matters
        return None
    return content if len(content) <= _KEPT_BYTES else None


def _value(outcome: Any) -> Any:
    data = getattr(outcome, "data", outcome)
    return getattr(data, "result", data)


def _without_result(state: State[Any]) -> State[Any] | None:
    """The same state, which reads its result from where it was persisted."""
    record: Any = state.data
    if not getattr(record, "is_persisted", False):
        return None
    return state.model_copy(update={"data": record.metadata})
