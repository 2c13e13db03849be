"""Google's REST APIs by discovery documents: one attempt, shared by threads, with tokens that are renewed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from prefect_gcp import GcpCredentials, _rest
from prefect_gcp._rest import aexecute, execute, rest_service
from prefect_gcp.errors import GcpCredentialsRefused, GcpNotFound, GcpUnavailable
from prefect_integration_kit.waiting import apoll


@pytest.fixture
def api(identity, empty_google_api: Any) -> Any:
    """The local REST server, which checks tokens."""
    empty_google_api.check_tokens(identity.check)
    return empty_google_api


@pytest.fixture
def credentials(service_account: dict[str, Any], api: Any) -> GcpCredentials:
    return GcpCredentials(service_account_info=service_account, api_endpoints={"run": api.endpoint})


def _list(credentials: GcpCredentials) -> Any:
    jobs = rest_service(credentials, "run", "v2").projects().locations().jobs()
    return jobs.list(parent="projects/test-project/locations/europe-west1")


@pytest.mark.parametrize(
    ("api", "version"),
    [("run", "v1"), ("run", "v2"), ("logging", "v2"), ("pubsub", "v1"), ("dataproc", "v1"), ("batch", "v1")],
)
def test_documents_of_all_apis_are_at_hand(service_account, api, version):
    service = rest_service(GcpCredentials(service_account_info=service_account), api, version)
    assert service._baseUrl == f"https://{api}.googleapis.com/"
    assert rest_service(GcpCredentials(service_account_info=service_account), api, version) is service


def test_the_address_of_a_region_is_used_where_an_api_has_one(service_account):
    credentials = GcpCredentials(service_account_info=service_account)
    service = rest_service(credentials, "run", "v1", region="europe-west1")
    assert service._baseUrl == "https://europe-west1-run.googleapis.com/"
    other = GcpCredentials(service_account_info=service_account, universe_domain="example.cloud")
    assert rest_service(other, "run", "v2")._baseUrl == "https://run.example.cloud/"


async def test_a_request_carries_a_token(credentials, call_api):
    assert await call_api(_list(credentials)) == {}


@pytest.fixture(params=["execute", "aexecute"])
def call_api(request: pytest.FixtureRequest) -> Any:
    """The caller of requests; a test that uses it runs once for each face."""

    async def call(made: Any) -> Any:
        if request.param == "aexecute":
            return await aexecute(made, subject="Jobs")
        return await anyio.to_thread.run_sync(lambda: execute(made, subject="Jobs"))

    return call


async def test_a_token_that_is_no_longer_good_is_replaced(credentials, identity, call_api):
    await call_api(_list(credentials))
    identity.expire_all()
    assert await call_api(_list(credentials)) == {}
    assert len(identity.issued) == 2


async def test_a_token_that_is_never_good_is_an_error_of_the_credentials(credentials, api, call_api):
    api.check_tokens(lambda _: None)
    with pytest.raises(GcpCredentialsRefused, match=r"Jobs: .*401"):
        await call_api(_list(credentials))


@pytest.mark.parametrize(("status", "error"), [(503, GcpUnavailable), (429, GcpUnavailable), (404, GcpNotFound)])
async def test_a_failure_is_raised_after_one_attempt(credentials, api, call_api, status, error):
    api.fail("run.projects.locations.jobs.list", status=status, times=1)
    with pytest.raises(error, match=r"^Jobs: "):
        await call_api(_list(credentials))
    assert len(api.calls) == 1


@pytest.mark.parametrize("when", ["lost", "cut"])
async def test_a_connection_that_is_lost_is_not_used_for_a_second_attempt(credentials, api, call_api, when):
    await call_api(_list(credentials))  # so that the connection is an old one
    jobs = rest_service(credentials, "run", "v2").projects().locations().jobs()
    body = {"template": {"template": {"containers": [{"image": "x"}]}}}
    made = jobs.create(parent="projects/test-project/locations/europe-west1", jobId="j", body=body)
    api.fail("run.projects.locations.jobs.create", times=1, when=when)
    with pytest.raises(GcpUnavailable):
        await call_api(made)
    assert [call.method for call in api.calls].count("run.projects.locations.jobs.create") == 1


def test_a_server_that_may_not_see_tokens_gets_none(service_account, identity):
    # No emulator can be started at an address that is not of this machine: what is sent is looked at before.
    credentials = GcpCredentials(
        service_account_info=service_account, api_endpoints={"run": "http://emulator.example.org"}
    )
    transport: Any = rest_service(credentials, "run", "v2")._http
    headers: dict[str, str] = {}
    transport._credentials.before_request(None, "GET", "http://emulator.example.org", headers)
    assert headers == {}
    assert identity.issued == []


def test_one_service_is_shared_by_threads(credentials, api, identity):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: execute(_list(credentials), subject="Jobs"), range(64)))
    assert answers == [{}] * 64
    assert len(identity.issued) == 1


async def test_calls_leave_prefects_threads_free(credentials, api):
    release, running = threading.Event(), []

    def wait() -> None:
        running.append(threading.get_ident())
        release.wait(10)

    async def are_running() -> bool | None:
        return len(running) == _rest.MAX_THREADS or None

    async with anyio.create_task_group() as calls:
        for _ in range(_rest.MAX_THREADS + 5):
            calls.start_soon(_rest.in_thread, wait)
        await apoll(are_running, subject="Calls", interval_seconds=0.01, timeout_seconds=10)
        assert anyio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        release.set()
