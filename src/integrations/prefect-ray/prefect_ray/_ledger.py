"""Which task runs have begun and ended, kept by the cluster's control store.

Ray runs a task run that somebody wants a second time only if `max_retries` says so: after its worker died, and also to
make its result again after the node that held it died. A task run that has ended must not run again, so the second
worker finds here how it ended.
"""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any
from uuid import UUID

import cloudpickle

from prefect_integration_kit.task_run_ledgers import persisted, small

from ._outcomes import known_end, result_lost

_ROOT = "prefect-ray"

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
        content = small(outcome)
        if content is None and (elsewhere := persisted(outcome)) is not None:
            content = small(elsewhere)
        content = content or _ENDED
        _store("put")(self._entry, content, overwrite=True)


# Task runs that a task has submitted: their futures die with the worker of that


def note(name: str, task_run_id: UUID, worker: str, owner: str, task_name: str) -> None:
    """Write down that a task run which a task has submitted runs.

    Args:
        name: Name of the ledger.
        task_run_id: The run.
        worker: IDs of its node and of its worker, with a dot between them.
        owner: The worker that has submitted it.
        task_name: Name of its task.
    """
    _store("put")(_key(name, "nested", task_run_id.hex), f"{worker} {owner} {task_name}".encode(), overwrite=True)


def strike(name: str, task_run_id: UUID) -> None:
    """Write down that it does not run any more.

    Args:
        name: Name of the ledger.
        task_run_id: The run.
    """
    _store("del")(_key(name, "nested", task_run_id.hex))


def noted(name: str) -> dict[UUID, tuple[str, str, str]]:
    """Read which of them run, or have when their worker died.

    Args:
        name: Name of the ledger.

    Returns:
        The worker of each, the one that has submitted it, and the name of its task.
    """
    found: dict[UUID, tuple[str, str, str]] = {}
    for key in list[bytes](_store("list")(_key(name, "nested", ""))):
        if (value := _store("get")(key)) is not None:
            worker, owner, task_name = value.decode().split(" ", 2)
            found[UUID(key.decode().rpartition("/")[2])] = (worker, owner, task_name)
    return found


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
