"""Which task runs have begun and ended, kept by the cluster's control store.

Ray runs a task run that somebody wants a second time only if `max_retries` says so: after its worker died, and also to
make its result again after the node that held it died. A task run that has ended must not run again, so the second
worker finds here how it ended.
"""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import cloudpickle

from .errors import RayResultLost

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

_ROOT = "prefect-ray"

_KEPT_BYTES = 16_000
"""States with results up to this size are kept, until the flow run has ended."""

_BEGUN = b"begun"
_ENDED = b"ended"


def _store(operation: str) -> Any:
    """A function of the store, which has these names since Ray 2.0."""
    from ray.experimental import internal_kv

    return getattr(internal_kv, f"_internal_kv_{operation}")


def _key(*parts: str) -> bytes:
    return "/".join((_ROOT, *parts)).encode()


class Ledger:
    """The entry of one task run.

    Args:
        name: Name of the ledger; each flow run has its own.
        task_run_id: The run.
    """

    def __init__(self, name: str, task_run_id: UUID) -> None:
        self._task_run_id = task_run_id
        self._entry = _key(name, "runs", task_run_id.hex)

    def outcome(self) -> tuple[bool, Any]:
        """Say whether the run has ended, and what it returned.

        Raises:
            RayResultLost: If it has ended, and nobody has its result any more.
        """
        found = _store("get")(self._entry)
        if found is None:
            return False, None
        if found == _BEGUN:
            state = _final_state_in_api(self._task_run_id)
            if state is None:
                return False, None
            if not state.is_completed():
                return True, state
            found = _ENDED
        if found == _ENDED:
            raise RayResultLost(
                f"Task run '{self._task_run_id}' has ended, but its result was lost with the Ray worker that held it. "
                "It was not run again. Set `persist_result=True` on the task to keep its result."
            )
        return True, cloudpickle.loads(found)

    def begin(self) -> None:
        """Write down that the run has begun."""
        _store("put")(self._entry, _BEGUN, overwrite=True)

    def end(self, outcome: Any) -> None:
        """Write down that the run has ended.

        Args:
            outcome: Its final state.
        """
        content = small(outcome) or small(_without_result(outcome)) or _ENDED
        _store("put")(self._entry, content, overwrite=True)


def small(outcome: Any) -> bytes | None:
    """Pickle what a run has returned, if that is small.

    Args:
        outcome: A state, or `None`.
    """
    if outcome is None:
        return None
    with contextlib.suppress(Exception):  # whatever a result's own pickling raises; Ray says so where it matters
        content = cloudpickle.dumps(outcome)
        return content if len(content) <= _KEPT_BYTES else None
    return None


def _without_result(state: State[Any]) -> State[Any] | None:
    """The same state, which reads its result from where it was persisted."""
    record: Any = state.data
    if not getattr(record, "is_persisted", False):
        return None
    return state.model_copy(update={"data": record.metadata})


def _final_state_in_api(task_run_id: UUID) -> State[Any] | None:
    from prefect.client.orchestration import get_client

    with contextlib.suppress(Exception):  # also one that it does not know
        state = get_client(sync_client=True).read_task_run(task_run_id).state
        return state if state is not None and state.is_final() else None
    return None


# Workers that have something to send


def busy(name: str, worker_id: str) -> None:
    """Write down that a worker has something to send to the Prefect API.

    Args:
        name: Name of the ledger.
        worker_id: The worker.
    """
    _store("put")(_key(name, "unsent", worker_id), b"1", overwrite=True)


def idle(name: str, worker_id: str) -> None:
    """Write down that it has sent everything.

    Args:
        name: Name of the ledger.
        worker_id: The worker.
    """
    _store("del")(_key(name, "unsent", worker_id))


def unsent(name: str) -> list[bytes]:
    """List the workers that have something to send.

    Args:
        name: Name of the ledger.
    """
    return list(_store("list")(_key(name, "unsent", "")))


def forget(name: str) -> None:
    """Remove a ledger.

    Args:
        name: Its name.
    """
    _store("del")(_key(name, ""), del_by_prefix=True)
