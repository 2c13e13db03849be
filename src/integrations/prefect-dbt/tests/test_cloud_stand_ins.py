"""Clients that users' own tests put in the place of ours, or of whose methods they replace some."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, MagicMock

import httpx
import pytest

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud.clients import DbtCloudAdministrativeClient
from prefect_dbt.cloud.exceptions import DbtCloudJobRunFailed
from prefect_dbt.cloud.jobs import (
    create_dbt_cloud_job,
    get_dbt_cloud_job_info,
    run_dbt_cloud_job,
    trigger_dbt_cloud_job_run,
    trigger_dbt_cloud_job_run_and_wait_for_completion,
)
from prefect_dbt.cloud.runs import DbtCloudJobRunStatus, wait_for_dbt_cloud_job_run
from prefect_dbt.cloud.utils import call_dbt_cloud_administrative_api_endpoint
from prefect_integration_tests.clock import FakeClock

CREDENTIALS = DbtCloudCredentials(api_key="key", account_id=1)  # pyright: ignore[reportArgumentType]
JOB = DbtCloudJob(dbt_cloud_credentials=CREDENTIALS, job_id=7, interval_seconds=0)


def says(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": data}, request=httpx.Request("GET", "https://cloud.getdbt.com/"))


class Client:
    """The documented methods that these tests need, and no others."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses or [3, 10])
        self.calls: list[tuple[Any, ...]] = []

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def trigger_job_run(self, job_id: int, options: Any = None) -> httpx.Response:
        self.calls.append(("trigger", job_id, options.git_branch))
        return says({"id": 42, "project_id": 5})

    async def get_run(self, run_id: int, include_related: Any = None) -> httpx.Response:
        self.calls.append(("get", run_id))
        return says({"status": self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]})

    async def list_run_artifacts(self, run_id: int, step: int | None = None) -> httpx.Response:
        return says(["manifest.json"])

    async def create_job(self, project_id: int, environment_id: int, name: str, **kwargs: Any) -> httpx.Response:
        return says({"id": 8, "name": name, **kwargs})


@pytest.fixture
def no_waiting(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_dbt.cloud import _time

    monkeypatch.setattr(_time, "clock", fake_clock)


pytestmark = pytest.mark.usefixtures("prefect_harness", "no_waiting")


def replace(monkeypatch: pytest.MonkeyPatch, client: Any) -> Any:
    monkeypatch.setattr(DbtCloudCredentials, "get_administrative_client", lambda _: client)
    return client


async def test_a_job_runs_through_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    client = replace(monkeypatch, Client())
    run = await run_dbt_cloud_job(JOB, targeted_retries=0)
    assert (run["status"], run["artifact_paths"]) == (10, ["manifest.json"])
    assert client.calls == [("trigger", 7, None), ("get", 42), ("get", 42)]
    done = await trigger_dbt_cloud_job_run_and_wait_for_completion(CREDENTIALS, 7)
    assert done["status"] == 10
    replace(monkeypatch, Client(20))
    with pytest.raises(DbtCloudJobRunFailed, match="42"):
        await run_dbt_cloud_job(JOB, targeted_retries=0)


async def test_tasks_and_methods_run_through_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, Client(10))
    assert (await trigger_dbt_cloud_job_run.fn(CREDENTIALS, 7))["id"] == 42
    made: Any = await create_dbt_cloud_job.fn(CREDENTIALS, 1, 2, "nightly", settings={"threads": 1})
    assert (made["id"], made["settings"]) == (8, {"threads": 1})
    run = await JOB.atrigger()
    await run.await_for_completion()
    assert (await run.afetch_result())["artifact_paths"] == ["manifest.json"]


async def test_methods_of_our_client_may_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    triggered, got = AsyncMock(return_value=says({"id": 42})), AsyncMock(return_value=says({"id": 42, "status": 10}))
    monkeypatch.setattr(DbtCloudAdministrativeClient, "trigger_job_run", triggered)
    monkeypatch.setattr(DbtCloudAdministrativeClient, "get_run", got)
    monkeypatch.setattr(DbtCloudAdministrativeClient, "list_run_artifacts", AsyncMock(return_value=says([])))
    assert (await run_dbt_cloud_job(JOB))["id"] == 42
    assert (triggered.await_count, got.await_count) == (1, 1)


async def test_the_method_that_all_others_call_may_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = AsyncMock(return_value=says({"id": 42, "status": 10}))
    monkeypatch.setattr(DbtCloudAdministrativeClient, "call_endpoint", endpoint)
    assert (await trigger_dbt_cloud_job_run.fn(CREDENTIALS, 7))["id"] == 42
    status, _ = await wait_for_dbt_cloud_job_run(42, CREDENTIALS)
    assert status is DbtCloudJobRunStatus.SUCCESS
    assert [call.args[:2] for call in endpoint.await_args_list] == [("POST", "/jobs/7/run/"), ("GET", "/runs/42/")]


async def test_answers_may_be_mocks_with_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    client = replace(monkeypatch, MagicMock())
    client.__aenter__.return_value = client
    answer = MagicMock()
    answer.json.return_value = {"data": {"id": 7, "name": "nightly"}}
    client.get_job = client.call_endpoint = AsyncMock(return_value=answer)
    assert await get_dbt_cloud_job_info.fn(CREDENTIALS, 7) == {"id": 7, "name": "nightly"}
    body = await call_dbt_cloud_administrative_api_endpoint.fn(CREDENTIALS, "/jobs/7/", "GET")
    assert body == answer.json.return_value


async def test_a_run_need_not_repeat_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([3, 10])
    sends = httpx.AsyncHTTPTransport.handle_async_request

    async def answer(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if request.url.host != CREDENTIALS.domain:
            return await sends(transport, request)
        return httpx.Response(200, json={"data": {"status": next(looks)}}, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    status, run = await wait_for_dbt_cloud_job_run(42, CREDENTIALS)
    assert (status, run) == (DbtCloudJobRunStatus.SUCCESS, {"id": 42, "status": 10})
