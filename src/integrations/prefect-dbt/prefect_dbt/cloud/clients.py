"""Clients of dbt Cloud's APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import httpx

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import redact
from prefect_integration_kit.waiting import aretry, retry

from . import _time
from ._addresses import origin
from ._http import (
    BACKOFF,
    REPEATABLE,
    TIMEOUT,
    GarbledAnswer,
    authorization,
    check,
    explain,
    passing,
    repeatable_if_refused,
    tls,
)
from ._shapes import as_dict, as_list
from .exceptions import DbtCloudException
from .models import TriggerJobRunOptions

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["DbtCloudAdministrativeClient", "DbtCloudMetadataClient", "TriggerJobRunOptions"]

RunRelation = Literal["trigger", "job", "debug_logs", "run_steps"]


class DbtCloudAdministrativeClient:
    """Client of dbt Cloud's [administrative API](https://docs.getdbt.com/dbt-cloud/api-v2).

    As an async context manager it keeps its connections open from call to call; without, each call opens one of its
    own. Answers other than success raise `httpx.HTTPStatusError`. Requests that fail for a passing reason (429, 5xx,
    lost connections) are repeated for up to a minute, those that create something only if they certainly had no
    effect. Redirects are not followed.

    Example:
        ```python
        from prefect_dbt.cloud import DbtCloudCredentials

        async def trigger() -> int:
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            async with credentials.get_administrative_client() as client:
                response = await client.trigger_job_run(job_id=1)
            return response.json()["data"]["id"]
        ```
    """

    def __init__(self, api_key: str, account_id: int, domain: str = "cloud.getdbt.com") -> None:
        """Say who asks, and where.

        Args:
            api_key: API key to authenticate with.
            account_id: ID of the dbt Cloud account.
            domain: Domain at which the account is used in the browser. `http://` may stand in front of it only for
                this machine, as in `http://127.0.0.1:8080`.

        Raises:
            ValueError: If the key cannot be one, or the domain is none.
        """
        self._headers = authorization(api_key)
        self._origin = origin(domain)
        self._base = f"{self._origin}/api/v2/accounts/{account_id}"
        self._client: httpx.AsyncClient | None = None

    async def call_endpoint(
        self,
        http_method: str,
        path: str,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
    ) -> httpx.Response:
        """Call an endpoint of the API.

        Args:
            http_method: HTTP method.
            path: What follows the account in the address, such as `/projects/`; or the whole path from `/api/` on, such
                as `/api/v3/accounts/1/projects/`.
            params: Query parameters; those that are `None` are left out.
            json: Body, to be sent as JSON.

        Returns:
            The answer.

        Raises:
            httpx.HTTPStatusError: If the answer is none of success.
            httpx.TransportError: If there is no answer.
        """
        is_transient = passing if http_method.upper() in REPEATABLE else repeatable_if_refused
        return await aretry(
            lambda: self.send(http_method, path, params=params, json=json),
            is_transient=is_transient,
            backoff=BACKOFF,
            clock=_time.clock,
        )

    async def send(
        self,
        http_method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
        timeout_seconds: float | None = None,
    ) -> httpx.Response:
        """Call an endpoint once; see `call_endpoint`.

        Args:
            http_method: HTTP method.
            path: See `call_endpoint`.
            params: Query parameters; those that are `None` are left out.
            json: Body, to be sent as JSON.
            timeout_seconds: Seconds until which the answer must be there; by default 30 for each part of it.

        Returns:
            The answer.
        """
        if self._client is None:
            async with self._open() as client:
                return check(await self._request(client, http_method, path, params, json, timeout_seconds))
        return check(await self._request(self._client, http_method, path, params, json, timeout_seconds))

    def explain(self, exc: BaseException) -> str:
        """Say in one line what went wrong with a request, without the API key, which an answer may repeat.

        Args:
            exc: What the request raised.
        """
        return redact(explain(exc), [self._headers["Authorization"].partition(" ")[2]])

    def url_of(self, path: str) -> str:
        """Give the address of an endpoint.

        Args:
            path: As `call_endpoint` takes it.
        """
        return f"{self._origin}{path}" if path.startswith("/api/") else f"{self._base}/{path.lstrip('/')}"

    async def _request(
        self,
        client: httpx.AsyncClient,
        http_method: str,
        path: str,
        params: dict[str, Any] | None,
        json: dict[str, Any] | None,
        timeout_seconds: float | None,
    ) -> httpx.Response:
        if not {".", ".."}.isdisjoint(path.partition("?")[0].split("/")):
            raise ValueError(f"path is {path!r}; the '.' or '..' in it leads to another endpoint. Give ids as numbers.")
        query = {name: value for name, value in (params or {}).items() if value is not None}
        request = client.request(
            http_method.upper(),
            self.url_of(path),
            params=query or None,
            json=json,
            headers=self._headers,
            timeout=TIMEOUT if timeout_seconds is None else timeout_seconds,
        )
        return await request

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT, verify=tls() if self._origin.startswith("https:") else False)

    async def create_job(
        self,
        project_id: int,
        environment_id: int,
        name: str,
        execute_steps: list[str] | None = None,
        **kwargs: Any,
    ) -> httpx.Response:
        """Create a job. It runs only when it is triggered, unless `triggers` says otherwise.

        Args:
            project_id: ID of the project.
            environment_id: ID of the environment.
            name: Name of the job.
            execute_steps: dbt commands to run; `["dbt build"]` by default.
            kwargs: Further fields of the [create job
                endpoint](https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Create%20Job), such as `settings`,
                `triggers` or `deferring_job_definition_id`.

        Returns:
            The answer, with the job under `data`.
        """
        return await self.call_endpoint(
            "POST", "/jobs/", json=self.job_fields(project_id, environment_id, name, execute_steps, kwargs)
        )

    def job_fields(
        self,
        project_id: int,
        environment_id: int,
        name: str,
        execute_steps: list[str] | None,
        others: dict[str, Any],
    ) -> dict[str, Any]:
        """Make the body of the request that creates a job.

        Args:
            project_id: The project.
            environment_id: The environment that it runs in.
            name: Its name.
            execute_steps: dbt's commands; `None` for none.
            others: Further fields of the job, as dbt Cloud names them.
        """
        return {
            "id": None,
            "account_id": int(self._base.rpartition("/")[2]),
            "project_id": project_id,
            "environment_id": environment_id,
            "name": name,
            "execute_steps": list(execute_steps) if execute_steps else ["dbt build"],
            "dbt_version": None,
            "state": 1,
            "generate_docs": False,
            "run_generate_sources": False,
            "settings": {"threads": 4, "target_name": "default"},
            "triggers": {
                "github_webhook": False,
                "git_provider_webhook": False,
                "schedule": False,
                "custom_branch_only": False,
            },
            # Wanted also of a job that has no schedule.
            "schedule": {"date": {"type": "every_day"}, "time": {"type": "every_hour", "interval": 1}},
            **others,
        }

    async def delete_job(self, job_id: int) -> httpx.Response:
        """Delete a job.

        Args:
            job_id: ID of the job.

        Returns:
            The answer.
        """
        return await self.call_endpoint("DELETE", f"/jobs/{job_id}/")

    async def get_job(self, job_id: int, order_by: str | None = None) -> httpx.Response:
        """Get a job.

        Args:
            job_id: ID of the job.
            order_by: Field to order the result by; `-` in front of it reverses the order.

        Returns:
            The answer, with the job under `data`.
        """
        return await self.call_endpoint("GET", f"/jobs/{job_id}/", params={"order_by": order_by})

    async def trigger_job_run(self, job_id: int, options: TriggerJobRunOptions | None = None) -> httpx.Response:
        """Trigger a job.

        A lost answer is not tried again here, since a run may have been started; the task `trigger_dbt_cloud_job_run`
        looks for that run.

        Args:
            job_id: ID of the job.
            options: What the run does differently from its job.

        Returns:
            The answer, with the run under `data`.
        """
        return await self.call_endpoint("POST", f"/jobs/{job_id}/run/", json=trigger_fields(options))

    async def get_run(self, run_id: int, include_related: list[RunRelation] | None = None) -> httpx.Response:
        """Get a run.

        Args:
            run_id: ID of the run.
            include_related: What else the answer holds: `trigger`, `job`, `run_steps`, `debug_logs`. Without the last,
                the debug logs of steps end after 1,000 lines.

        Returns:
            The answer, with the run under `data`.
        """
        return await self.call_endpoint("GET", f"/runs/{run_id}/", params={"include_related": include_related})

    async def list_run_artifacts(self, run_id: int, step: int | None = None) -> httpx.Response:
        """List the artifacts of a run.

        Args:
            run_id: ID of the run.
            step: Index of the step, beginning with 1; the last step by default.

        Returns:
            The answer, with the paths under `data`.
        """
        return await self.call_endpoint("GET", f"/runs/{run_id}/artifacts/", params={"step": step})

    async def get_run_artifact(self, run_id: int, path: str, step: int | None = None) -> httpx.Response:
        """Get an artifact of a run.

        Args:
            run_id: ID of the run.
            path: Path of the artifact, such as `manifest.json` or `compiled/shop/models/orders.sql`.
            step: Index of the step, beginning with 1; the last step by default.

        Returns:
            The answer, which is the artifact.
        """
        return await self.call_endpoint("GET", f"/runs/{run_id}/artifacts/{_quoted(path)}", params={"step": step})

    async def get_job_artifact(self, job_id: int, path: str) -> httpx.Response:
        """Get an artifact of the last successful run of a job.

        Args:
            job_id: ID of the job.
            path: Path of the artifact, such as `manifest.json`.

        Returns:
            The answer, which is the artifact.
        """
        return await self.call_endpoint("GET", f"/jobs/{job_id}/artifacts/{_quoted(path)}")

    async def cancel_run(self, run_id: int) -> httpx.Response:
        """Cancel a run; one that has ended stays as it is.

        Args:
            run_id: ID of the run.

        Returns:
            The answer, with the run under `data`.
        """
        return await aretry(
            lambda: self.send("POST", f"/runs/{run_id}/cancel/"),
            is_transient=passing,
            backoff=BACKOFF,
            clock=_time.clock,
        )

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        if self._client is not None:
            raise RuntimeError("The client is open already; open another one with `get_administrative_client()`.")
        self._client = self._open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def trigger_fields(options: TriggerJobRunOptions | None) -> dict[str, Any]:
    """Make the body of the request that triggers a job: the options that are set."""
    return (options or TriggerJobRunOptions()).model_dump(exclude_none=True)


def _quoted(path: str) -> str:
    parts = path.strip("/").split("/")
    if not path.strip("/") or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"path is {path!r}; it must be the path of an artifact, such as manifest.json.")
    return quote("/".join(parts))


class DbtCloudMetadataClient:
    """Client of dbt Cloud's [metadata API](https://docs.getdbt.com/docs/dbt-cloud-apis/discovery-api), a GraphQL API.

    Example:
        ```python
        from prefect_dbt.cloud import DbtCloudCredentials

        def models_of_job(job_id: int) -> list[str]:
            client = DbtCloudCredentials.load("BLOCK_NAME").get_metadata_client()
            query = "query Models($jobId: BigInt!) { job(id: $jobId) { models { uniqueId } } }"
            result = client.query(query, variables={"jobId": job_id})
            return [model["uniqueId"] for model in result["data"]["job"]["models"]]
        ```
    """

    def __init__(self, api_key: str, domain: str = "metadata.cloud.getdbt.com") -> None:
        """Say who asks, and where.

        Args:
            api_key: API key to authenticate with.
            domain: Domain of the metadata API. `http://` may stand in front of it only for this machine.

        Raises:
            ValueError: If the key cannot be one, or the domain is none.
        """
        self._headers = authorization(api_key)
        self._api_key = api_key.strip()
        self._url = f"{origin(domain)}/graphql"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def query(
        self, query: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> dict[str, Any]:
        """Run a GraphQL query. It blocks; `aquery` is its async form.

        Args:
            query: The query.
            variables: Values of the variables that the query defines.
            operation_name: Which operation to run, if the query defines several.

        Returns:
            The result: what was asked for under `data`, and under `errors` what could not be had of it, if anything.

        Raises:
            DbtCloudException: If there is no answer for a minute, or it says nothing but errors.
        """
        body = {"query": query, "variables": variables, "operationName": operation_name}
        sent = {name: value for name, value in body.items() if value is not None}
        verify = tls() if self._url.startswith("https:") else False
        with httpx.Client(timeout=TIMEOUT, verify=verify) as client:

            def ask() -> dict[str, Any]:
                response = check(client.post(self._url, json=sent, headers=self._headers))
                try:
                    answer = as_dict(response.json())
                except ValueError as exc:
                    raise GarbledAnswer("The metadata API answered with something that is no JSON") from exc
                if not answer:
                    raise GarbledAnswer("The metadata API answered with something that is no object")
                return answer

            try:
                result = retry(ask, is_transient=passing, backoff=BACKOFF, clock=_time.clock)
            except httpx.HTTPError as exc:
                said = redact(explain(exc), [self._api_key])
                raise DbtCloudException(f"The metadata of dbt Cloud could not be queried: {said}") from exc
        if errors := result.get("errors"):
            said = redact("; ".join(map(_message, as_list(errors) or [errors])), [self._api_key])
            if not result.get("data"):
                raise DbtCloudException(f"The metadata of dbt Cloud could not be queried: {said}")
            run_logger(__name__).warning("dbt Cloud gave only a part of the metadata: %s", said)
        return result

    async def aquery(
        self, query: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> dict[str, Any]:
        """Async form of `query`."""
        return await run_sync_in_worker_thread(self.query, query, variables, operation_name)


def _message(error: Any) -> str:
    path = as_list(as_dict(error).get("path"))
    where = f" (at {'.'.join(map(str, path))})" if path else ""
    return f"{as_dict(error).get('message') or error}{where}"
