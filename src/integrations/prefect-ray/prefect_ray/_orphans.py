"""Task runs that tasks have submitted, and that nobody speaks for: their futures died with the worker that had them.

Ray ends a worker some seconds after the one has died that has submitted its task, as when that is cancelled by force.
"""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import time

from prefect_integration_kit.task_run_losses import crashed_state, known_runs, report_of

from . import _ledger
from ._ending import living_here, living_nodes
from ._losses import orphan_error

_ASK_SECONDS = 10.0

_KNOWN_SECONDS = 3.0
"""How long the API may take to hear from the dead that they had begun."""

_POLL_SECONDS = 0.1


def report_orphans(ledger: str) -> None:
    """Report those as crashed whose workers have died while they ran, or will; a state that is final in the API stays.

    Args:
        ledger: In which it is noted that they run.
    """
    with contextlib.suppress(Exception):  # neither Ray nor the API may fail the flow here
        noted = _ledger.noted(ledger)
        if not noted:
            return
        nodes, workers = living_nodes(), _living_workers()
        lost = {
            task_run_id: name
            for task_run_id, (worker, owner, name) in noted.items()
            if not all(_lives(each, nodes, workers) for each in (worker, owner))
        }
        deadline = time.monotonic() + _KNOWN_SECONDS
        while lost:
            for run in list(known_runs(lost)):
                error = orphan_error(run.id, lost.pop(run.id))
                if run.state is None or not run.state.is_final():
                    report_of(run, crashed_state(run.id, error))
            if time.monotonic() > deadline:
                return
            time.sleep(_POLL_SECONDS)


def _lives(worker: str, nodes: set[str], workers: set[str]) -> bool:
    node, _, worker_id = worker.partition(".")
    return node in nodes and worker_id in workers


def _living_workers() -> set[str]:
    import ray
    from ray.util.client import ray as client

    if not client.is_connected():
        return living_here()
    look = ray.remote(num_cpus=0)(living_here)
    return ray.get(look.remote(), timeout=_ASK_SECONDS)
