"""Find the run that an earlier attempt of the same Prefect run left behind, so that a retry need not start anew."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.flow_calls import current_call

from ._http import read_data, read_object
from ._shapes import dicts_in
from ._triggering import cause_of, runs_query

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient

_REMEMBERED = 10_000
_lock = threading.Lock()
_runs: OrderedDict[tuple[Any, ...], int] = OrderedDict()


@dataclass(frozen=True)
class Attempt:
    """One attempt to run a job within a Prefect run.

    Attributes:
        key: What all attempts of the same call have in common.
        names: Ids of Prefect runs, one of which stands in the cause of what an earlier attempt triggered.
        is_retry: Whether Prefect has started the run before.
    """

    key: tuple[Any, ...]
    names: tuple[str, ...]
    is_retry: bool

    @property
    def last_run(self) -> int | None:
        """The run that the attempt before used last, if this process made it."""
        with _lock:
            return _runs.get(self.key)

    def uses(self, run_id: int) -> None:
        """Remember a run, for the next attempt."""
        with _lock:
            _runs[self.key] = run_id
            _runs.move_to_end(self.key)
            if len(_runs) > _REMEMBERED:
                _runs.popitem(last=False)


def current_attempt(client: DbtCloudAdministrativeClient, job_id: int) -> Attempt | None:
    """Say which attempt this is; `None` outside of a flow run.

    Args:
        client: Whose account has the job.
        job_id: The job.
    """
    job = client.url_of(f"/jobs/{job_id}/")
    call = current_call(job)
    if call is None:
        return None
    names = tuple(dict.fromkeys((str(call.flow_run_id), str(call.scope))))
    return Attempt((call.scope, job, call.number), names, call.is_retry)


async def last_run(client: DbtCloudAdministrativeClient, job_id: int, attempt: Attempt) -> dict[str, Any] | None:
    """Get the run that the attempt before used last, with its steps; `None` if there is none.

    A run that this process does not know of is looked up by its cause, which names the Prefect run.

    Raises:
        httpx.HTTPError: If dbt Cloud does not tell.
    """
    run_id = attempt.last_run
    if run_id is None:
        listed = await read_data(await client.call_endpoint("GET", "/runs/", params=runs_query(job_id)))
        found = (run for run in dicts_in(listed) if any(name in cause_of(run) for name in attempt.names))
        newest = max(found, key=lambda run: run["id"], default=None)
        if newest is None:
            return None
        run_id = int(newest["id"])
    return await read_object(await client.get_run(run_id, ["trigger", "job", "run_steps"]), run_id)
