"""Requests to the API of Container Apps: jobs, executions, environments. Each is made once, and blocks its thread.

Bodies go out, and answers are read, as plain documents: what a version of the SDK does not know is not lost.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._workers.calls import ONE_TRY, START_ONLY
from .views import ExecutionView, JobView, execution_view, job_view

if TYPE_CHECKING:
    from ..credentials import AzureContainerInstanceCredentials

Json = dict[str, Any]


@dataclass(frozen=True)
class Created:
    """What an answer says of a job that was asked for.

    Attributes:
        is_new: Whether there was none of that name before.
        operation_url: Where the work that makes it is told about; empty where it is done.
    """

    is_new: bool
    operation_url: str = ""


@dataclass(frozen=True)
class EnvironmentView:
    """A Container Apps environment.

    Attributes:
        location: Its region.
        state: How its provisioning has gone.
        workspace_id: ID of the Log Analytics workspace that it writes to; empty when there is none.
        profiles: Names of its workload profiles.
    """

    location: str
    state: str
    workspace_id: str
    profiles: tuple[str, ...]


class AppsApi:
    """Container Apps of one subscription, as one identity sees it.

    Args:
        credentials: The identity.
        subscription: ID of the subscription.
    """

    def __init__(self, credentials: AzureContainerInstanceCredentials, subscription: str) -> None:
        self._credentials = credentials
        self._subscription = subscription

    def _client(self) -> Any:
        return self._credentials.get_container_apps_client(self._subscription)

    def create(self, group: str, name: str, body: Mapping[str, Any]) -> Created:
        """Ask for a job; one of that name is changed to what is asked for."""
        seen: list[Any] = []

        def remember(answer: Any) -> None:
            seen.append(answer.http_response)

        self._client().jobs.begin_create_or_update(group, name, _stream(body), raw_response_hook=remember, **START_ONLY)
        if not seen:  # a client of somebody's own, without the SDK's hooks
            return Created(is_new=False)
        answer = seen[-1]
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("azure-asyncoperation") or ""
        return Created(is_new=answer.status_code == 201, operation_url=str(url))

    def operation_error(self, url: str) -> str:
        """Read why the work that an operation stands for has failed; empty when it has not, or nothing is said."""
        from azure.core.rest import HttpRequest

        client = self._client()
        send: Any = getattr(client, "send_request", None) or client._send_request  # noqa: SLF001 - older SDKs
        answer = send(HttpRequest("GET", url), **ONE_TRY)
        answer.raise_for_status()
        error: Json = answer.json().get("error") or {}
        return ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))

    def get(self, group: str, name: str) -> JobView:
        """Read a job."""
        return job_view(self._client().jobs.get(group, name, cls=_raw, **ONE_TRY))

    def list(self, group: str) -> list[JobView]:
        """List the jobs of a resource group, all pages."""
        return [job_view(each) for each in _documents(self._client().jobs.list_by_resource_group, group)]

    def delete(self, group: str, name: str) -> None:
        """Ask for a job's deletion."""
        self._client().jobs.begin_delete(group, name, **START_ONLY)

    def start(self, group: str, name: str, template: Mapping[str, Any] | None = None) -> str:
        """Start an execution.

        Args:
            group: The resource group.
            name: The job.
            template: What is to be run in place of the job's own template.

        Returns:
            Name of the execution; empty where the answer does not say.
        """
        client = self._client()
        options: Json = dict(START_ONLY)
        if template is not None:
            options["template"] = _stream(template)
        poller = client.jobs.begin_start(group, name, **options)
        try:
            started: Any = poller.result()
        except (ValueError, TypeError, AttributeError):  # an answer without a body
            return ""
        return str(getattr(started, "name", None) or "")

    def executions(self, group: str, name: str) -> list[ExecutionView]:
        """List executions of a job, all pages."""
        return [execution_view(each) for each in _documents(self._client().jobs_executions.list, group, name)]

    def execution(self, group: str, name: str, execution: str) -> ExecutionView:
        """Read an execution."""
        return execution_view(self._client().job_execution(group, name, execution, cls=_raw, **ONE_TRY))

    def stop(self, group: str, name: str, execution: str) -> None:
        """Ask an execution to end."""
        self._client().jobs.begin_stop_execution(group, name, execution, **START_ONLY)

    def template(self, group: str, name: str) -> Json:
        """Read the template of a job: its containers, as an execution's template takes them."""
        answer: Json = self._client().jobs.get(group, name, cls=_raw, **ONE_TRY)
        properties: Json = answer.get("properties") or {}
        return properties.get("template") or {}

    def environment(self, group: str, name: str) -> EnvironmentView:
        """Read an environment."""
        answer: Json = self._client().managed_environments.get(group, name, cls=_raw, **ONE_TRY)
        properties: Json = answer.get("properties") or {}
        logs: Json = properties.get("appLogsConfiguration") or {}
        analytics: Json = logs.get("logAnalyticsConfiguration") or {}
        profiles: list[Json] = properties.get("workloadProfiles") or []
        return EnvironmentView(
            location=str(answer.get("location") or ""),
            state=str(properties.get("provisioningState") or ""),
            workspace_id=str(analytics.get("customerId") or ""),
            profiles=tuple(str(each.get("name")) for each in profiles),
        )


def _stream(body: Mapping[str, Any]) -> io.BytesIO:
    return io.BytesIO(json.dumps(body).encode())


def _raw(answer: Any, _: object, __: object) -> Any:
    """What the SDK is told to return: the document of the answer."""
    return json.loads(answer.http_response.text())  # answers of older SDKs have no `json`


def _documents(operation: Callable[..., Iterable[Any]], *args: str) -> list[Json]:
    """List by an operation of the SDK; what is returned are the documents of its answers, page by page."""
    answers: list[Any] = []
    for _ in operation(*args, raw_response_hook=answers.append, **ONE_TRY):
        pass
    return [each for answer in answers for each in _raw(answer, None, None).get("value") or ()]
