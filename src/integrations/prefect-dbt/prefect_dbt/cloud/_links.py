"""Where a run can be seen, and saying so as soon as it is triggered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.logs import run_logger

from ._addresses import origin

if TYPE_CHECKING:
    from .credentials import DbtCloudCredentials

_ARTIFACT_KEY = "dbt-cloud-run"


def run_url(credentials: DbtCloudCredentials, run: dict[str, Any]) -> str:
    """Give the address of a run's page.

    Args:
        credentials: Where the account is.
        run: The run as the API gives it; its `id` suffices.
    """
    href = run.get("href")
    if isinstance(href, str) and href.startswith(("https://", "http://")):
        return href
    project, domain = run.get("project_id"), credentials.domain
    address = origin(domain) if isinstance(domain, str) else domain  # that of a mock
    base = f"{address}/deploy/{credentials.account_id}"
    return f"{base}/projects/{project}/runs/{run['id']}/" if project else f"{base}/runs/{run['id']}/"


async def announce(credentials: DbtCloudCredentials, run: dict[str, Any], what: str = "Started") -> None:
    """Log the address of a run, and make it an artifact of the Prefect run that triggered it, if there is one."""
    from prefect.context import FlowRunContext, TaskRunContext

    url = run_url(credentials, run)
    logger = run_logger(__name__)
    logger.info("%s dbt Cloud run %s: %s", what, run["id"], url)
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return
    from prefect.artifacts import acreate_link_artifact

    job = run.get("job_definition_id") or run.get("job_id")
    try:
        await acreate_link_artifact(
            link=url,
            link_text=f"dbt Cloud run {run['id']}",
            key=_ARTIFACT_KEY,
            description=f"Run {run['id']} of dbt Cloud job {job}.",
        )
    except Exception as exc:  # noqa: BLE001 - the run matters, its link is a help
        logger.warning("The link to dbt Cloud run %s could not be stored as an artifact: %s", run["id"], exc)
