"""What calls of dbt Cloud's API have in common, and a task for endpoints that have none of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.cache_policies import NO_CACHE

from prefect_integration_kit.dispatch import async_task
from prefect_integration_kit.logs import run_logger

from ._failures import cause_behind, cloud_errors, retried
from ._http import REPEATABLE, GarbledAnswer, had_no_effect, passing, read_json, status_message
from ._opening import open_client
from .credentials import DbtCloudCredentials

if TYPE_CHECKING:
    import httpx
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

__all__ = [
    "DbtCloudAdministrativeApiCallFailed",
    "DbtCloudCredentials",
    "call_dbt_cloud_administrative_api_endpoint",
    "extract_developer_message",
    "extract_user_message",
]


class DbtCloudAdministrativeApiCallFailed(Exception):
    """A call of the administrative API failed."""


def extract_user_message(ex: httpx.HTTPStatusError) -> str | None:
    """Read the message for users from an answer of the administrative API.

    Args:
        ex: The error that httpx raised for the answer.

    Returns:
        The message; `None` if there is none.
    """
    return status_message(ex.response, "user_message")


def extract_developer_message(ex: httpx.HTTPStatusError) -> str | None:
    """Read the message for developers from an answer of the administrative API.

    Args:
        ex: The error that httpx raised for the answer.

    Returns:
        The message; `None` if there is none.
    """
    return status_message(ex.response, "developer_message")


def _may_repeat(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    def is_safe(exc: httpx.HTTPError) -> bool:
        method: Any = getattr(getattr(exc, "_request", None), "method", None)  # `request` raises where there is none
        return had_no_effect(exc) or method in REPEATABLE

    return retried(is_safe=is_safe)(task, run, state)


@async_task(
    name="Call dbt Cloud administrative API endpoint",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=10,
    retry_condition_fn=_may_repeat,
)
async def call_dbt_cloud_administrative_api_endpoint(
    dbt_cloud_credentials: DbtCloudCredentials,
    path: str,
    http_method: str,
    params: dict[str, Any] | None = None,
    json: dict[str, Any] | None = None,
) -> Any:
    """Call an endpoint of the administrative API that no other task is made for.

    A call that failed is repeated if it may succeed later, a POST or PATCH only if it certainly had no effect.

    Args:
        dbt_cloud_credentials: Who we are at dbt Cloud.
        path: What follows the account in the address, such as `/projects/`; or the whole path from `/api/` on, such as
            `/api/v3/accounts/1/projects/`.
        http_method: HTTP method.
        params: Query parameters.
        json: Body, to be sent as JSON.

    Returns:
        The body of the answer: what it means as JSON, or the text if it is no JSON.

    Raises:
        DbtCloudAdministrativeApiCallFailed: If the answer is none of success, or there is none. The message holds what
            dbt Cloud says for developers.

    Example:
        List the projects of an account:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.utils import call_dbt_cloud_administrative_api_endpoint

        @flow
        def get_projects_flow():
            result = call_dbt_cloud_administrative_api_endpoint(
                dbt_cloud_credentials=DbtCloudCredentials.load("BLOCK_NAME"),
                path="/projects/",
                http_method="GET",
            )
            return result["data"]
        ```

        Create a job:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.utils import call_dbt_cloud_administrative_api_endpoint

        @flow
        def create_job_flow():
            result = call_dbt_cloud_administrative_api_endpoint(
                dbt_cloud_credentials=DbtCloudCredentials.load("BLOCK_NAME"),
                path="/jobs/",
                http_method="POST",
                json={
                    "id": None,
                    "account_id": 123456789,
                    "project_id": 100,
                    "environment_id": 10,
                    "name": "Nightly run",
                    "dbt_version": None,
                    "triggers": {"github_webhook": True, "schedule": True},
                    "execute_steps": ["dbt run", "dbt test", "dbt source snapshot-freshness"],
                    "settings": {"threads": 4, "target_name": "prod"},
                    "state": 1,
                    "schedule": {
                        "date": {"type": "every_day"},
                        "time": {"type": "every_hour", "interval": 1},
                    },
                },
            )
            return result["data"]
        ```
    """
    run_logger(__name__).debug("Calling %s %s of dbt Cloud", http_method.upper(), path)
    subject = f"{http_method.upper()} {path} failed"
    try:
        with cloud_errors(DbtCloudAdministrativeApiCallFailed, subject, dbt_cloud_credentials):
            async with open_client(dbt_cloud_credentials) as client:
                response = await client.call_endpoint(http_method, path, params=params, json=json)
    except DbtCloudAdministrativeApiCallFailed as exc:
        failed: Any = cause_behind(exc)
        said = status_message(failed.response, "developer_message") if hasattr(failed, "response") else None
        if said and passing(failed) is False and said not in str(exc):
            raise DbtCloudAdministrativeApiCallFailed(f"{exc} {said}") from failed
        raise
    try:
        return await read_json(response)
    except GarbledAnswer:
        return response.text
