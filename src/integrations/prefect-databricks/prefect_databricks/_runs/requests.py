"""Requests about a run: read it whole, read a task's output, cancel it, repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.waiting import Backoff

from .._http import call
from .states import dicts_in

if TYPE_CHECKING:
    from ..credentials import DatabricksCredentials

_VERSION = "2.1"
_PAGED_VERSION = "2.2"
"""Only this one gives tasks by pages; 2.1 ends after the first hundred."""

ONCE = Backoff(max_attempts=1)
_MOST_PAGES = 100


async def get_run(
    credentials: DatabricksCredentials,
    run_id: int,
    *,
    with_history: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Read a run with all of its tasks.

    Args:
        credentials: Who asks, and where.
        run_id: The run.
        with_history: Whether repairs are wanted, too.
        options: As `_http.call` takes them.
    """
    params: dict[str, Any] = {"run_id": run_id}
    if with_history:
        params["include_history"] = "true"
    subject = f"Databricks run {run_id} could not be read"
    run = await call(credentials, subject, "GET", f"/{_VERSION}/jobs/runs/get", params=params, **options)
    if run.get("has_more") and not run.get("next_page_token"):
        run = await call(credentials, subject, "GET", f"/{_PAGED_VERSION}/jobs/runs/get", params=params, **options)
    tasks, token = dicts_in(run.get("tasks")), run.get("next_page_token")
    for _ in range(_MOST_PAGES):
        if not token:
            break
        query = {**params, "page_token": token}
        page = await call(credentials, subject, "GET", f"/{_PAGED_VERSION}/jobs/runs/get", params=query, **options)
        tasks += dicts_in(page.get("tasks"))
        token = page.get("next_page_token")
    whole = {name: value for name, value in run.items() if name not in ("next_page_token", "has_more")}
    return {**whole, "tasks": tasks} if "tasks" in run else whole


async def get_output(credentials: DatabricksCredentials, run_id: int) -> dict[str, Any]:
    """Read the output of a task's run."""
    subject = f"The output of Databricks run {run_id} could not be read"
    return await call(credentials, subject, "GET", f"/{_VERSION}/jobs/runs/get-output", params={"run_id": run_id})


async def cancel_run(credentials: DatabricksCredentials, run_id: int) -> None:
    """Ask Databricks to cancel a run; it is done some time later."""
    subject = f"Databricks run {run_id} could not be cancelled"
    await call(credentials, subject, "POST", f"/{_VERSION}/jobs/runs/cancel", json={"run_id": run_id})


async def repair_run(credentials: DatabricksCredentials, run_id: int, latest_repair_id: int | None) -> None:
    """Let Databricks run the tasks again that have not succeeded, in the same run."""
    body: dict[str, Any] = {"run_id": run_id, "rerun_all_failed_tasks": True}
    if latest_repair_id is not None:
        body["latest_repair_id"] = latest_repair_id
    subject = f"Databricks run {run_id} could not be repaired"
    await call(credentials, subject, "POST", f"/{_VERSION}/jobs/runs/repair", json=body)
