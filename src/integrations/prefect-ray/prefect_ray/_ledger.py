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

from prefect_integration_kit.task_run_losses import with_data

from ._outcomes import known_end, result_lost

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
            state = known_end(self._task_run_id)
            return state is not None, state
        if found == _ENDED:
            raise result_lost(self._task_run_id)
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
    return with_data(state, record.metadata)


# Workers that have something to send


def busy(name: str, worker: str) -> None:
    """Write down that a worker has something to send to the Prefect API.

    Args:
        name: Name of the ledger.
        worker: IDs of its node and of itself, with a dot between them.
    """
    _store("put")(_key(name, "unsent", worker), b"1", overwrite=True)


def idle(name: str, worker: str) -> None:
    """Write down that it has sent everything.

    Args:
        name: Name of the ledger.
        worker: The worker.
    """
    _store("del")(_key(name, "unsent", worker))


def unsent(name: str) -> list[str]:
    """List the workers that have something to send.

    Args:
        name: Name of the ledger.
    """
    found: list[bytes] = list(_store("list")(_key(name, "unsent", "")))
    return [each.decode().rpartition("/")[2] for each in found]


def forget(name: str) -> None:
    """Remove a ledger.

    Args:
        name: Its name.
    """
    _store("del")(_key(name, ""), del_by_prefix=True)
