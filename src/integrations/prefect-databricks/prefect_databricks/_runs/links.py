"""Where a run can be seen, and saying so as soon as it is known."""

from __future__ import annotations

from typing import Any

from prefect_integration_kit.logs import run_logger

_ARTIFACT_KEY = "databricks-run"


def url_of(run: dict[str, Any]) -> str | None:
    """Give the address of a run's page, if Databricks says it."""
    url = run.get("run_page_url")
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None


async def announce(run: dict[str, Any], what: str) -> None:
    """Log the address of a run, and make it an artifact of the Prefect run that waits for it, if there is one.

    Args:
        run: The run as the API gives it.
        what: What was done to it, such as `Started`.
    """
    from prefect.context import FlowRunContext, TaskRunContext

    run_id, url = run.get("run_id"), url_of(run)
    logger = run_logger(__name__)
    logger.info("%s Databricks run %s: %s", what, run_id, url or "Databricks gives no address of it")
    if url is None or (FlowRunContext.get() is None and TaskRunContext.get() is None):
        return
    from prefect.artifacts import acreate_link_artifact

    try:
        await acreate_link_artifact(
            link=url,
            link_text=f"Databricks run {run_id}",
            key=_ARTIFACT_KEY,
            description=f"Run {run_id} ({run.get('run_name') or 'unnamed'}) of Databricks job {run.get('job_id')}.",
        )
    except Exception as exc:  # noqa: BLE001 - the run matters, its link is a help
        logger.warning("The link to Databricks run %s could not be stored as an artifact: %s", run_id, exc)
