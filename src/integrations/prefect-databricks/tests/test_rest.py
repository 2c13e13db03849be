"""`execute_endpoint`: what is sent, what is repeated, and what is raised."""

from __future__ import annotations

import asyncio
import gc
import pickle
import socket
import warnings
from enum import Enum
from typing import Any

import httpx
import pytest
from prefect import flow
from pydantic import BaseModel, SecretStr

from prefect_databricks import (
    DatabricksAccessDenied,
    DatabricksBadRequest,
    DatabricksCredentials,
    DatabricksError,
    DatabricksNotFound,
    DatabricksUnavailable,
    _connections,
)
from prefect_databricks._http import call, is_repeatable
from prefect_databricks.models.jobs import DbtTask
from prefect_databricks.rest import HTTPMethod, execute_endpoint, serialize_model, strip_kwargs
from prefect_integration_tests.backends.databricks import TOKEN, Databricks
from prefect_integration_tests.clock import FakeClock

SUBMIT = "/2.1/jobs/runs/submit"
RUN = {"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/Shared/a"}, "existing_cluster_id": "c"}]}


class _Colour(Enum):
    red = "RED"


class _Inner(BaseModel):
    number: int = 1
    nothing: int | None = None


class _Outer(BaseModel):
    inner: _Inner = _Inner()
    many: list[_Inner] = [_Inner()]
    colour: _Colour = _Colour.red


def test_models_become_json_however_deep() -> None:
    inner = {"number": 1, "nothing": None}
    assert serialize_model(_Outer()) == {"inner": inner, "many": [inner], "colour": "RED"}
    assert serialize_model({"a": [_Inner()], "b": (_Inner(),)}) == {"a": [inner], "b": [inner]}
    assert serialize_model("text") == "text"


def test_a_field_whose_name_python_keeps_for_itself_goes_out_by_its_own_name() -> None:
    sent = strip_kwargs(task=DbtTask(commands=["dbt build"], schema="shop"))
    assert sent == {"task": {"commands": ["dbt build"], "schema": "shop"}}
    assert strip_kwargs(a=None, b={"c": None, "d": 0}, e=[_Inner()], f="", g=[], h=False) == {
        "b": {"d": 0},
        "e": [{"number": 1}],
        "f": "",
        "g": [],
        "h": False,
    }


def test_methods_are_those_of_http() -> None:
    assert {each.name: each.value for each in HTTPMethod} == {
        "GET": "get",
        "POST": "post",
        "PUT": "put",
        "DELETE": "delete",
        "PATCH": "patch",
    }


@pytest.mark.usefixtures("prefect_harness")
def test_a_sync_flow_calls_it_without_await(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    @flow
    def example() -> dict[str, Any]:
        params = {"limit": 5, "offset": None, "expand_tasks": True}
        response: Any = execute_endpoint("/2.1/jobs/list", credentials, params=params)
        return response.json()

    assert "has_more" in example()
    assert databricks.calls[0].query == {"limit": ["5"], "expand_tasks": ["true"]}


@pytest.mark.usefixtures("prefect_harness")
async def test_an_async_flow_awaits_it(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    @flow
    async def example() -> int:
        response = await execute_endpoint(
            SUBMIT, credentials, http_method=HTTPMethod.POST, json={**RUN, "run_name": None}, headers={"X-Team": "shop"}
        )
        return response.json()["run_id"]

    assert await example() == databricks.runs[0]["run_id"]
    sent = databricks.calls_of("SubmitRun")[0]
    assert (sent.headers["x-team"], "run_name" in sent.body) == ("shop", False)


async def test_an_answer_of_any_status_is_returned(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    response = await execute_endpoint.fn("/2.1/jobs/get", credentials, params={"job_id": 404})
    assert response.status_code in (400, 404)
    assert "does not exist" in response.text
    assert len(databricks.calls) == 1


async def test_an_answer_does_not_carry_the_token(credentials: DatabricksCredentials) -> None:
    """Answers are results of tasks, and results are stored."""
    response = await execute_endpoint.fn("/2.1/jobs/list", credentials)
    assert TOKEN.encode() not in pickle.dumps(response)


# What is repeated


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_passes_is_outlasted(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock, status: int
) -> None:
    databricks.fail("ListJobs", status, times=3)
    response = await execute_endpoint.fn("/2.1/jobs/list", credentials)
    assert response.status_code == 200
    assert len(clock.sleeps) == 3


@pytest.mark.parametrize("when", ["cut", "lost"])
async def test_a_connection_that_breaks_is_outlasted(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock, when: Any
) -> None:
    databricks.fail("ListJobs", when=when, times=2)
    assert (await execute_endpoint.fn("/2.1/jobs/list", credentials)).status_code == 200
    assert len(clock.sleeps) == 2


async def test_retry_after_is_honoured(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.fail("ListJobs", 429, retry_after="17")
    await execute_endpoint.fn("/2.1/jobs/list", credentials)
    assert clock.sleeps[0] >= 17


async def test_the_deadline_ends_it_and_the_last_answer_is_returned(
    databricks: Databricks,
    credentials: DatabricksCredentials,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_RETRY_SECONDS", "40")
    databricks.fail("ListJobs", 503, times=None)
    assert (await execute_endpoint.fn("/2.1/jobs/list", credentials)).status_code == 503
    assert 0 < sum(clock.sleeps) <= 40
    databricks.calls.clear()
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_RETRY_SECONDS", "0")
    assert (await execute_endpoint.fn("/2.1/jobs/list", credentials)).status_code == 503
    assert len(databricks.calls) == 1


@pytest.mark.parametrize(
    ("body", "sent"),
    [pytest.param({}, 1, id="without a token"), pytest.param({"idempotency_token": "t"}, 2, id="with a token")],
)
@pytest.mark.parametrize("when", ["lost", "after"])
@pytest.mark.usefixtures("clock")
async def test_a_post_is_repeated_only_when_it_starts_nothing_twice(
    databricks: Databricks, credentials: DatabricksCredentials, body: dict[str, Any], sent: int, when: Any
) -> None:
    databricks.fail("SubmitRun", 503, when=when)
    try:
        await execute_endpoint.fn(SUBMIT, credentials, HTTPMethod.POST, json={**RUN, **body})
    except DatabricksUnavailable:
        assert sent == 1
    assert len(databricks.calls_of("SubmitRun")) == sent
    assert len(databricks.runs) == 1


@pytest.mark.usefixtures("clock")
async def test_a_post_that_was_turned_away_is_repeated(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.fail("SubmitRun", 429, retry_after="1")
    assert (await execute_endpoint.fn(SUBMIT, credentials, HTTPMethod.POST, json=RUN)).status_code == 200
    assert len(databricks.runs) == 1


@pytest.mark.parametrize(
    ("method", "endpoint", "body", "may"),
    [
        ("get", "/2.1/jobs/list", None, True),
        ("post", SUBMIT, RUN, False),
        ("post", SUBMIT, {"idempotency_token": "t"}, True),
        ("post", SUBMIT, {"idempotency_token": ""}, False),
        ("post", "/2.2/jobs/run-now", {"job_id": 1}, False),
        ("post", "/2.2/jobs/runs/cancel", {"run_id": 1}, True),
        ("post", "/2.2/jobs/create", {}, False),
        ("post", "/2.2/jobs/runs/repair", {}, False),
        ("post", "/2.0/sql/statements", {}, False),
        ("post", "/2.0/sql/statements/01/cancel", None, True),
        ("patch", "/2.0/anything", {}, False),
        ("delete", "/2.0/anything", None, True),
    ],
)
def test_which_requests_may_be_sent_twice(method: str, endpoint: str, body: Any, may: bool) -> None:
    assert is_repeatable(method, endpoint, body) is may


# Errors


@pytest.mark.parametrize(
    ("operation", "status", "code", "message", "error", "says"),
    [
        ("GetJob", 400, "INVALID_PARAMETER_VALUE", "Job 7 does not exist.", DatabricksNotFound, "Check the id"),
        ("GetJob", 404, "RESOURCE_DOES_NOT_EXIST", "No job 7", DatabricksNotFound, "Check the id"),
        ("GetJob", 400, "INVALID_PARAMETER_VALUE", "limit is 0", DatabricksBadRequest, "limit is 0"),
        ("GetJob", 401, "", "", DatabricksAccessDenied, "The token was refused"),
        ("GetJob", 403, "PERMISSION_DENIED", "no View on job 7", DatabricksAccessDenied, "what their owner may do"),
        ("GetJob", 418, "", "", DatabricksError, "418"),
    ],
)
async def test_a_refusal_has_its_error_with_cause_and_remedy(
    databricks: Databricks,
    credentials: DatabricksCredentials,
    operation: str,
    status: int,
    code: str,
    message: str,
    error: type[DatabricksError],
    says: str,
) -> None:
    databricks.fail(operation, status, code=code, message=message, times=None)
    with pytest.raises(error, match=says) as caught:
        await call(credentials, "Job 7 could not be read", "get", "/2.2/jobs/get", params={"job_id": 7})
    assert str(caught.value).startswith(f"Job 7 could not be read: Databricks answered {status}")
    assert message in str(caught.value)
    assert isinstance(caught.value, httpx.HTTPStatusError)  # what the published package raises
    assert caught.value.response.status_code == status
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), type(again).__name__, again.status_code) == (str(caught.value), error.__name__, status)
    assert TOKEN.encode() not in pickle.dumps(caught.value)
    assert len(databricks.calls) == 1


async def test_a_wrong_token_is_refused_without_being_shown(databricks: Databricks) -> None:
    wrong = DatabricksCredentials(databricks_instance=databricks.endpoint, token=SecretStr("dapi-hunter2"))
    with pytest.raises(DatabricksAccessDenied, match="Invalid access token") as caught:
        await call(wrong, "Jobs could not be listed", "get", "/2.2/jobs/list")
    assert "hunter2" not in str(caught.value)


async def test_a_host_that_cannot_be_reached_is_named(clock: FakeClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    nowhere = DatabricksCredentials(databricks_instance=f"http://127.0.0.1:{port}", token=SecretStr(TOKEN))
    with pytest.raises(DatabricksUnavailable, match=r"127\.0\.0\.1.*Check `databricks_instance`") as caught:
        await execute_endpoint.fn("/2.1/jobs/list", nowhere)
    assert isinstance(caught.value, httpx.ConnectError)
    assert 0 < sum(clock.sleeps) <= 60
    assert TOKEN.encode() not in pickle.dumps(caught.value)


async def test_a_page_in_the_place_of_json_is_an_error(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.fail("GetJob", 200, when="garbled")
    with pytest.raises(DatabricksError, match="text/html where JSON was expected"):
        await call(credentials, "Job 7 could not be read", "get", "/2.2/jobs/get", params={"job_id": 7})


# Connections


async def test_one_connection_serves_all_looks_at_a_job(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    for _ in range(20):
        await execute_endpoint.fn("/2.1/jobs/list", credentials.model_copy())
    assert len({each.connection for each in databricks.calls}) == 1


def test_each_event_loop_has_its_own_and_closes_it(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    before = len(_connections._of_loops)  # Prefect's own loop may have some
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(3):
            asyncio.run(execute_endpoint.fn("/2.1/jobs/list", credentials))
        gc.collect()
    assert len({each.connection for each in databricks.calls}) == 3
    assert len(_connections._of_loops) == before


async def test_few_clients_stay_open(databricks: Databricks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connections, "_MAXIMUM", 2)
    clients: list[httpx.AsyncClient] = []
    for number in range(5):
        each = DatabricksCredentials(
            databricks_instance=databricks.endpoint, token=SecretStr(TOKEN), client_kwargs={"timeout": 5 + number}
        )
        async with _connections.connection(each) as client:
            clients.append(client)
            assert (await client.get("/2.1/jobs/list")).status_code == 200
    assert [client.is_closed for client in clients] == [True, True, True, False, False]


async def test_many_requests_at_a_time_share_a_client(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    responses = await asyncio.gather(*(execute_endpoint.fn("/2.1/jobs/list", credentials) for _ in range(50)))
    assert {each.status_code for each in responses} == {200}
    assert len(databricks.calls) == 50
