"""Which task runs have ended, kept by the scheduler.

When a worker dies, Dask makes again what was in its memory, by running the functions a second time. For a task run,
which has effects, that would be wrong: the second worker finds here that the run has ended, and how.
"""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import cloudpickle

from prefect_integration_kit.task_run_ledgers import KEPT_BYTES, lost_text, persisted, small
from prefect_integration_kit.task_run_losses import with_data

from .errors import DaskResultLost

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

ROOT = "prefect-dask"
"""Key of our entries in the scheduler's metadata."""

# What an entry begins with; the rest is pickled.
_WHOLE, _STATE_ALONE = b"w", b"s"


@dataclass(frozen=True)
class Ended:
    """How a task run has ended.

    Attributes:
        task_run_id: The run.
        entry: What the ledger has of it: what the run returned, or its state alone, if the result is too large to be
            kept, or nothing but that it has ended.
    """

    task_run_id: UUID
    entry: bytes

    def returned(self) -> Any:
        """What the run has returned.

        Raises:
            DaskResultLost: If nobody has it any more.
        """
        if not self.entry.startswith(_WHOLE):
            raise DaskResultLost(lost_text(self.task_run_id, "Dask worker"))
        return cloudpickle.loads(self.entry[1:])

    def state(self) -> State[Any] | None:
        """The final state of the run, perhaps without the result; `None` where only the result is known."""
        from prefect.client.schemas.objects import State

        found = cloudpickle.loads(self.entry[1:]) if self.entry else None
        return found if isinstance(found, State) else None


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
        try:
            found = self._ask(self._worker.scheduler.get_metadata, keys=self._keys, default=None)
        except KeyError:  # what schedulers of 2022 say to the first one that asks, whatever the default is
            return None
        return None if found is None else Ended(self._task_run_id, found)

    def write(self, outcome: Any, return_type: str) -> None:
        """Write down that the run has ended.

        Args:
            outcome: What it returned.
            return_type: Whether that is its state or its result.
        """
        self._ask(self._worker.scheduler.set_metadata, keys=self._keys, value=_entry(outcome, return_type))

    def _ask(self, call: Any, **arguments: Any) -> Any:
        from distributed.utils import sync

        return sync(self._worker.loop, call, **arguments)


def _entry(outcome: Any, return_type: str) -> bytes:
    if (content := _small(outcome)) is not None:
        return _WHOLE + content
    if return_type != "state":
        return b""
    if (elsewhere := persisted(outcome)) is not None:
        return _WHOLE + cloudpickle.dumps(elsewhere)
    alone = _STATE_ALONE + cloudpickle.dumps(with_data(outcome, None))
    return alone if len(alone) <= KEPT_BYTES else b""


def _small(outcome: Any) -> bytes | None:
    from dask.sizeof import sizeof

    with contextlib.suppress(Exception):  # whatever the `__sizeof__` of a result raises
        if sizeof(_value(outcome)) <= KEPT_BYTES:
            return small(outcome)
    return None


def _value(outcome: Any) -> Any:
    data = getattr(outcome, "data", outcome)
    return getattr(data, "result", data)
