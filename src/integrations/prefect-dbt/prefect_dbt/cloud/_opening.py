"""Open a client, whoever made it: tests put stand-ins in its place, which know no more than its documented methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from ._http import explain
from .models import TriggerJobRunOptions

if TYPE_CHECKING:
    import httpx

    from .clients import DbtCloudAdministrativeClient
    from .credentials import DbtCloudCredentials

_DOCUMENTED = ("call_endpoint", "create_job", "get_run", "trigger_job_run")


@asynccontextmanager
async def open_client(credentials: DbtCloudCredentials) -> AsyncGenerator[DbtCloudAdministrativeClient, None]:
    """Open the client of some credentials.

    Args:
        credentials: Who we are at dbt Cloud.
    """
    async with credentials.get_administrative_client() as client:
        is_own = all(_is_own(client, name) for name in _DOCUMENTED)
        yield client if is_own else cast("DbtCloudAdministrativeClient", _StandIn(client))


def _is_own(client: object, name: str) -> bool:
    method: Any = getattr(client, name, None)
    function = getattr(method, "__func__", method)
    # Of a mock with `autospec`, the module is that of what it stands for.
    return getattr(function, "__module__", None) == f"{__package__}.clients" and not hasattr(function, "mock")


class _StandIn:
    """Makes requests by the documented methods of a client.

    Args:
        client: Has them, or some: a test's, or one of ours of which a test has replaced some.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(
        self,
        http_method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
        timeout_seconds: float | None = None,
    ) -> httpx.Response:
        """Call an endpoint; see `DbtCloudAdministrativeClient.send`."""
        del timeout_seconds
        given = json or {}
        words = path.strip("/").split("/")
        if http_method == "GET" and words[0] == "runs" and len(words) == 2:
            return await self._client.get_run(int(words[1]))
        if http_method == "POST" and words[0] == "jobs" and words[-1] == "run":
            return await self._client.trigger_job_run(int(words[1]), options=TriggerJobRunOptions(**given))
        if http_method == "POST" and words == ["jobs"]:
            return await self._client.create_job(**given)
        return await self._client.call_endpoint(http_method, path, params=params, json=json)

    def job_fields(self, project_id: int, environment_id: int, name: str, steps: Any, others: Any) -> dict[str, Any]:
        """The arguments of `create_job`."""
        fields = {"project_id": project_id, "environment_id": environment_id, "name": name, "execute_steps": steps}
        return {**fields, **others}

    def explain(self, exc: BaseException) -> str:
        """Say in one line what went wrong."""
        return explain(exc)

    def url_of(self, path: str) -> str:
        """Something that no other client gives."""
        return f"{id(self._client)}/{path.lstrip('/')}"
