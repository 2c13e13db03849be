"""The end of task runs on Ray: with their flow run, or with a worker that nobody asks about."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.task_run_losses import ended as ended_in_api

from . import _ledger

if TYPE_CHECKING:
    from ._futures import PrefectRayFuture

_KILL_SECONDS = 5.0
"""How long Ray may take to kill workers, and to notice that they are dead."""

_KILL_AGAIN_SECONDS = 0.2

_CANCEL_AGAIN_SECONDS = 1.0

_ASIDE_SECONDS = 0.2

_LOOK_MS = 2000

_POLL_SECONDS = 0.05


def end(futures: Sequence[PrefectRayFuture[Any]], grace_seconds: float) -> None:
    """Interrupt what runs, which tidies up then; what still runs after a grace time is killed with its worker.

    Args:
        futures: Of the task runs. Those settle of which Ray knows how they ended.
        grace_seconds: The grace time.
    """
    import ray

    references = [each.wrapped_future for each in futures]
    # What waits is cancelled here and not by a worker, which takes no time to speak of.
    deadline = time.monotonic() + max(grace_seconds, _ASIDE_SECONDS)
    left: list[Any] = references
    while left and (seconds := deadline - time.monotonic()) > 0:
        # The last ones first: one that runs makes room when it ends, and none that waits shall take that. And more than
        # once: a worker that has just started may lose an interrupt among its imports. A task hears of the first alone.
        for reference in reversed(left):
            ray.cancel(reference, force=False)
        _, left = ray.wait(left, num_returns=len(left), timeout=min(seconds, _CANCEL_AGAIN_SECONDS), fetch_local=False)
    running = left
    deadline = time.monotonic() + _KILL_SECONDS
    while left and time.monotonic() < deadline:
        # Ray forgets this while it waits for the worker's answer to the interrupt, so it is said again.
        for reference in left:
            ray.cancel(reference, force=True)
        _, left = ray.wait(left, num_returns=len(left), timeout=_KILL_AGAIN_SECONDS, fetch_local=False)
    killed = set(running)
    for future in futures:
        if future.wrapped_future in killed:
            future.killed_with_flow()
        future.wait(timeout=0)


def settle_losses(ended: Collection[PrefectRayFuture[Any]]) -> None:
    """Settle those task runs that Ray has lost, for nobody may ever wait for them.

    Results of some size stay where they are: what Ray has lost has none.

    Args:
        ended: Futures of task runs that have ended.
    """
    with contextlib.suppress(Exception):  # neither Ray nor the API may fail the flow here
        for future in _maybe_lost(list(ended)):
            future.settle_if_at_hand()


def _maybe_lost(ended: list[PrefectRayFuture[Any]]) -> list[PrefectRayFuture[Any]]:
    if not ended:
        return []
    from ray.util.client import ray as client

    if client.is_connected():  # it does not say where objects are
        known = ended_in_api(each.task_run_id for each in ended)
        return [each for each in ended if each.task_run_id not in known]
    from ray.experimental import get_object_locations

    places: dict[Any, Any] = get_object_locations([each.wrapped_future for each in ended], timeout_ms=_LOOK_MS)
    return [each for each in ended if not (places.get(each.wrapped_future) or {}).get("node_ids")]


def wait_until_sent(ledger: str, timeout_seconds: float, dead: int) -> None:
    """Wait until workers that live have sent their logs and states to the Prefect API.

    Args:
        ledger: In which they say that they have not.
        timeout_seconds: How long they may take.
        dead: How many are known to have died, for where Ray does not say which ones.
    """
    deadline = time.monotonic() + timeout_seconds
    while (unsent := _ledger.unsent(ledger)) and time.monotonic() < deadline:
        if _is_all_from_the_dead(unsent, dead):
            return
        time.sleep(_POLL_SECONDS)


def _is_all_from_the_dead(workers: list[str], dead: int) -> bool:
    """Whether all of these workers have died; each is `node.worker`."""
    nodes = living_nodes()
    left = [each for each in workers if each.partition(".")[0] in nodes]
    with contextlib.suppress(Exception):  # a client of Ray does not know
        living = living_here()
        return not any(each.partition(".")[2] in living for each in left)
    return len(left) <= dead


def living_nodes() -> set[str]:
    """IDs of the nodes that live."""
    import ray

    return {str(node["NodeID"]) for node in ray.nodes() if node.get("Alive")}


def living_here() -> set[str]:
    """IDs of the workers that live, as this process knows them; a client of Ray does not."""
    from ray._private import state

    found: dict[str, Any] = state.workers()
    return set(found)
