"""Any single failure of any call that the Cloud Run workers make, whatever becomes of the run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Cancelling, Running

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.errors import GcpError
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.backends.google_identity import GoogleIdentity
from prefect_integration_tests.pool_runs import logs_of, state_of, until

from ._cloud_run import EXECUTIONS, JOBS, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")

KINDS: dict[str, dict[str, Any]] = {
    "refused with 503": {"status": 503},
    "refused with 429 and Retry-After": {"status": 429, "retry_after_seconds": 1},
    "done but answered with 504": {"status": 504, "when": "after"},
    "done but its answer lost": {"when": "lost"},
    "never heard": {"when": "cut"},
    "answered by a proxy in HTML": {"status": 502, "when": "garbled"},
}
"""How a call may fail in a way that passes."""

TASKS = {"v1": "run.namespaces.tasks.list", "v2": f"{EXECUTIONS['v2']}.tasks.list"}
HEALTHY = {
    version: {f"{JOBS[version]}.{verb}" for verb in ("create", "get", "run", "list", "delete")} for version in JOBS
}
EXPLAINED = {version: {*HEALTHY[version], f"{EXECUTIONS[version]}.get", TASKS[version]} for version in JOBS}
CANCELLED = {version: {*EXPLAINED[version], f"{EXECUTIONS[version]}.cancel"} for version in JOBS}
FAILED = {version: {*EXPLAINED[version], "logging.entries.list"} for version in JOBS}
"""The methods that a run calls which succeeds, is cancelled, fails."""

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def api(empty_google_api: GoogleApi) -> GoogleApi:
    return empty_google_api


@pytest.fixture(params=["v1", "v2"])
def pool(request: pytest.FixtureRequest, prefect_harness: None, api: GoogleApi) -> Pool:
    return Pool(api, request.param)


class Case:
    """A run in a project of its own, so that many can fail in many ways at the same time."""

    def __init__(self, pool: Pool, worker: Any) -> None:
        self.pool = pool
        self.api = pool.api
        self.worker = worker
        self.project = f"case-{next(_numbers)}"
        endpoints = pool.credentials.api_endpoints
        self.credentials = GcpCredentials(project=self.project, api_endpoints=endpoints)
        self.flow_run: Any = None

    def fail(self, method: str, **fault: Any) -> None:
        """Let one call fail that is about this project."""
        self.api.fail(method, where=self.is_mine, **fault)

    def is_mine(self, call: Any) -> bool:
        return f"/{self.project}/" in call.path or f"projects/{self.project}" in call.body.get("resourceNames", ())

    @property
    def methods(self) -> set[str]:
        """What was called for this project."""
        return {call.method for call in list(self.api.calls) if self.is_mine(call)}

    @property
    def jobs(self) -> list[str]:
        """Jobs of this project that are left."""
        return [job["name"] for job in self.api.run.jobs if f"/{self.project}/" in job["name"]]

    @property
    def running(self) -> int:
        """Containers of this project that run."""
        mine = [each for each in self.api.run.executions if f"/{self.project}/" in each["name"]]
        return sum(each.get("runningCount", 0) for each in mine)

    async def submit(self) -> asyncio.Task[Any]:
        self.flow_run = await self.pool.new_run()
        configuration = self.pool.configure(self.flow_run, credentials=self.credentials)
        return asyncio.create_task(self.worker.run(self.flow_run, configuration))

    async def succeed(self) -> None:
        """A run whose container exits with 0."""
        result = await asyncio.wait_for(await self.submit(), 120)
        assert result.status_code == 0, result
        state = await state_of(self.flow_run)
        assert not state.is_final(), state
        self.check_clean()

    async def cancel(self) -> None:
        """A run that is cancelled while its container runs."""
        running = await self.submit()
        await until(lambda: self.running, "a container")
        async with get_client() as client:
            await client.set_flow_run_state(self.flow_run.id, Running(), force=True)
            await client.set_flow_run_state(self.flow_run.id, Cancelling(), force=True)
        await asyncio.wait_for(running, 120)
        state = await state_of(self.flow_run)
        assert state.is_cancelled(), state
        self.check_clean()

    async def crash(self) -> None:
        """A run whose container exits with 3."""
        result = await asyncio.wait_for(await self.submit(), 120)
        assert result.status_code == 3, result
        state = await state_of(self.flow_run)
        assert state.is_crashed(), state
        assert "code 3" in str(state.message)
        await logs_of(self.flow_run, "Traceback: boom")
        self.check_clean()

    def check_clean(self) -> None:
        """One execution was started, and nothing is left."""
        assert self.api.run.started(self.project) == 1
        assert (self.running, self.jobs) == (0, [])


async def fail_in_each_way(pool: Pool, method: str, act: Callable[[Case], Awaitable[None]]) -> None:
    """Let one call of a method fail in each way, all at the same time, and name the ways that do harm."""
    async with pool.worker() as worker:
        cases = {kind: Case(pool, worker) for kind in KINDS}
        for kind, case in cases.items():
            case.fail(method, **KINDS[kind])
        ends = await asyncio.gather(*(act(case) for case in cases.values()), return_exceptions=True)
    harmed = {kind: f"{type(end).__name__}: {end}" for kind, end in zip(cases, ends, strict=True) if end is not None}
    assert harmed == {}
    assert pool.api.server.faults.pending == 0, "the call was not made"


def matrix(methods: dict[str, set[str]]) -> Any:
    """Every method of both versions."""
    pairs = [(version, method) for version in methods for method in sorted(methods[version])]
    ids = [f"{version}-{'.'.join(method.split('.')[-2:])}" for version, method in pairs]
    return pytest.mark.parametrize(("pool", "method"), pairs, ids=ids, indirect=["pool"])


@pytest.mark.slow
@matrix(HEALTHY)
async def test_a_run_that_succeeds_does_so_when_a_call_fails(pool: Pool, method: str) -> None:
    await fail_in_each_way(pool, method, Case.succeed)


@pytest.mark.slow
@matrix(CANCELLED)
async def test_a_cancelled_run_is_stopped_when_a_call_fails(pool: Pool, method: str, api: GoogleApi) -> None:
    api.play(seconds=None)
    await fail_in_each_way(pool, method, Case.cancel)


@pytest.mark.slow
@matrix(FAILED)
async def test_a_run_that_fails_crashes_with_its_cause_when_a_call_fails(
    pool: Pool, method: str, api: GoogleApi
) -> None:
    api.play(exit_code=3, lines=["Traceback: boom"])
    await fail_in_each_way(pool, method, Case.crash)


async def test_the_matrix_has_every_method_that_the_workers_call(pool: Pool, api: GoogleApi) -> None:
    async with pool.worker() as worker:
        for act, script, methods in (
            (Case.succeed, {}, HEALTHY),
            (Case.cancel, {"seconds": None}, CANCELLED),
            (Case.crash, {"exit_code": 3, "lines": ["Traceback: boom"]}, FAILED),
        ):
            api.play(**script)
            case = Case(pool, worker)
            await act(case)
            assert case.methods == methods[pool.version]


@pytest.mark.parametrize("pool", ["v2"], indirect=True)
async def test_a_start_that_comes_through_after_it_was_given_up_is_no_second_execution(
    pool: Pool, api: GoogleApi
) -> None:
    async with pool.worker() as worker:
        case = Case(pool, worker)
        case.fail(f"{JOBS[pool.version]}.run", when="late", delay_seconds=0.3)
        await case.succeed()


@pytest.mark.parametrize("pool", ["v2"], indirect=True)
async def test_two_workers_that_submit_a_run_at_the_same_time_start_one_execution(pool: Pool, api: GoogleApi) -> None:
    async with pool.worker(name="one") as one, pool.worker(name="two") as two:
        case = Case(pool, one)
        first = await case.submit()
        configuration = pool.configure(case.flow_run, credentials=case.credentials)
        results = await asyncio.wait_for(asyncio.gather(first, two.run(case.flow_run, configuration)), 120)
    assert api.run.started(case.project) == 1
    assert 0 in {result.status_code for result in results}
    assert case.jobs == []


async def test_tokens_that_expire_while_a_run_goes_on_are_renewed(
    pool: Pool, api: GoogleApi, identity: GoogleIdentity, service_account: dict[str, Any]
) -> None:
    api.play(seconds=None)
    api.check_tokens(identity.check)
    async with pool.worker() as worker:
        case = Case(pool, worker)
        endpoints = pool.credentials.api_endpoints
        case.credentials = GcpCredentials(
            project=case.project, service_account_info=service_account, api_endpoints=endpoints
        )
        running = await case.submit()
        await until(lambda: case.running, "a container")
        for _ in range(2):
            issued = len(identity.issued)
            identity.expire_all()
            await until(lambda issued=issued: len(identity.issued) > issued, "a new token")
        api.run.end()
        assert (await asyncio.wait_for(running, 120)).status_code == 0
        case.check_clean()


async def test_lists_of_many_pages_are_read_to_their_end(pool: Pool, api: GoogleApi) -> None:
    api.run.settings.page_size = 1
    api.play(seconds=None)
    async with pool.worker() as worker:
        cases = Case(pool, worker)
        running = [await cases.submit() for _ in range(3)]
        await until(lambda: cases.running == 3, "three containers")
        api.run.end()
        results = await asyncio.wait_for(asyncio.gather(*running), 120)
    assert [result.status_code for result in results] == [0, 0, 0]
    assert any("pageToken" in call.query or "continue" in call.query for call in api.calls)


async def test_an_execution_that_ends_by_itself_while_it_is_killed_is_no_error(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    api.on_call.append(lambda call: api.run.end() if call.method.endswith("executions.cancel") else None)
    async with pool.worker() as worker:
        case = Case(pool, worker)
        running = await case.submit()
        await until(lambda: case.running, "a container")
        configuration = pool.configure(case.flow_run, credentials=case.credentials)
        await worker.kill_infrastructure(configuration.job_name, configuration)
        await asyncio.wait_for(running, 120)
    case.check_clean()


async def test_a_worker_looks_on_when_all_calls_have_failed_for_a_while(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        case = Case(pool, worker)
        running = await case.submit()
        await until(lambda: case.running, "a container")
        api.fail("run.*", 503, times=None)
        seen = len(api.calls)
        await until(lambda: len(api.calls) > seen + 10, "calls that fail")
        assert not running.done()
        api.run.end()
        api.heal()
        assert (await asyncio.wait_for(running, 120)).status_code == 0
        case.check_clean()


async def test_connections_that_died_while_idle_are_replaced(pool: Pool, api: GoogleApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        case = Case(pool, worker)
        running = await case.submit()
        await until(lambda: case.running, "a container")
        api.server.cut_connections()
        api.run.end()
        assert (await asyncio.wait_for(running, 120)).status_code == 0
        case.check_clean()


async def test_a_quota_of_jobs_that_is_used_up_is_said(pool: Pool, api: GoogleApi) -> None:
    api.run.settings.most_jobs = 0
    async with pool.worker() as worker:
        case = Case(pool, worker)
        with pytest.raises(GcpError, match=r"(?i)quota exceeded"):
            await asyncio.wait_for(await case.submit(), 120)
    assert case.jobs == []
