"""What tests of flows put in the place of a block, of a client of httpx, or of its methods."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, patch

import httpx
import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials
from prefect_databricks.flows import DatabricksJobTerminated, jobs_runs_submit_and_wait_for_completion
from prefect_databricks.jobs import jobs_list, jobs_runs_submit
from prefect_databricks.rest import execute_endpoint

URL = "https://none.cloud.databricks.com/api/"


def answer(method: str, **fields: Any) -> httpx.Response:
    return httpx.Response(200, json=fields, request=httpx.Request(method, URL))


@pytest.fixture
def credentials() -> DatabricksCredentials:
    return DatabricksCredentials(databricks_instance="none.cloud.databricks.com", token=SecretStr("dapi-none"))


async def test_a_mock_of_a_block_is_entered_and_asked_by_the_method() -> None:
    block = MagicMock()
    client = block.get_client.return_value.__aenter__.return_value
    client.get = AsyncMock(return_value=answer("GET", jobs=[7]))
    client.post = AsyncMock(return_value=answer("POST", run_id=7))
    assert await jobs_list.fn(block, limit=1) == {"jobs": [7]}
    assert await jobs_runs_submit.fn(block, run_name="nightly") == {"run_id": 7}
    client.get.assert_awaited_once_with("/2.1/jobs/list", params={"limit": 1, "offset": 0, "expand_tasks": False})
    client.post.assert_awaited_once_with("/2.1/jobs/runs/submit", params=None, json={"run_name": "nightly"})
    assert block.get_client.return_value.__aexit__.await_count == 2


async def test_a_client_need_not_be_entered_and_an_answer_need_not_know_its_request() -> None:
    for status in (200, 404):
        client = SimpleNamespace(get=AsyncMock(return_value=httpx.Response(status, json={})))
        block: Any = SimpleNamespace(get_client=lambda client=client: client)
        assert (await execute_endpoint.fn("/2.1/jobs/list", block)).status_code == status
    client = SimpleNamespace(get=lambda *_, **__: SimpleNamespace(json=lambda: {"jobs": []}, raise_for_status=bool))
    block = SimpleNamespace(get_client=lambda: client)
    assert await jobs_list.fn(block) == {"jobs": []}


@pytest.mark.parametrize("name", ["get", "request"])
async def test_a_replaced_method_of_httpx_is_used(name: str, credentials: DatabricksCredentials) -> None:
    for number in range(2):
        with patch.object(httpx.AsyncClient, name, AsyncMock(return_value=answer("GET", jobs=[number]))):
            assert await jobs_list.fn(credentials) == {"jobs": [number]}


@pytest.mark.parametrize("place", ["httpx", "prefect_databricks.credentials"])
async def test_a_replaced_class_of_httpx_is_used_each_time(place: str, credentials: DatabricksCredentials) -> None:
    for number in range(2):
        with patch(f"{place}.AsyncClient") as kind:
            client = kind.return_value.__aenter__.return_value
            client.get = AsyncMock(return_value=answer("GET", jobs=[number]))
            assert await jobs_list.fn(credentials) == {"jobs": [number]}
        kind.assert_called_once_with(headers={"Authorization": "Bearer dapi-none"}, base_url=URL)
    async with credentials.get_client() as client:
        assert type(client) is httpx.AsyncClient


def test_a_run_that_failed_is_told_though_its_errors_cannot_be_read(credentials: DatabricksCredentials) -> None:
    """Tests of flows answer the requests that there were before errors of tasks were read, and no others."""
    run = {
        "run_id": 7,
        "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED", "state_message": "no data"},
        "tasks": [{"task_key": "load", "run_id": 8}],
    }
    known = {"submit": {"run_id": 7}, "get": run}

    async def answered(_: Any, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        assert name in known, f"{request.url} is not mocked"
        return httpx.Response(200, json=known[name])

    with (
        patch.object(httpx.AsyncHTTPTransport, "handle_async_request", answered),
        pytest.raises(DatabricksJobTerminated, match="no data"),
    ):
        asyncio.run(jobs_runs_submit_and_wait_for_completion.fn(credentials, tasks=[{"task_key": "load"}]))
