"""Workers that die, and what they take with them: final states that the API has not heard of yet.

A worker reports the states of its task runs a little later than they happen. When it dies in between, the API would
take a task run that has ended for a running one, for ever. The ledger knows better.
"""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prefect.utilities.engine import emit_task_run_state_change_event

from prefect_integration_kit.task_run_losses import known_runs

if TYPE_CHECKING:
    from distributed import Client

    from ._ledger import Ended


class Deaths:
    """Whether a worker has died unexpectedly.

    Args:
        client: Of the cluster; it hears of deaths from now on.
    """

    def __init__(self, client: Client) -> None:
        self.any = False
        self._client = client
        with contextlib.suppress(Exception):  # nothing depends on it as long as no worker dies
            client.subscribe_topic("all", self._note)

    def listen_no_more(self) -> None:
        """Leave, before the client does: the scheduler would try to tell it that it has gone."""
        with contextlib.suppress(Exception):
            self._client.unsubscribe_topic("all")

    def _note(self, event: tuple[float, Any]) -> None:
        _, message = event
        if isinstance(message, dict) and message.get("action") == "remove-worker" and not message.get("expected"):
            self.any = True


def tell_api(ended: Iterable[Ended]) -> None:
    """Report final states which the API does not know.

    Args:
        ended: Task runs that have ended.
    """
    states = {each.task_run_id: state for each in ended if (state := each.state()) is not None}
    for run in known_runs(states):
        if run.state is not None and run.state.is_final():
            continue
        # The same state as on the worker, by its ID: if its report is only late, nothing happens twice.
        emit_task_run_state_change_event(task_run=run, initial_state=run.state, validated_state=states[run.id])
