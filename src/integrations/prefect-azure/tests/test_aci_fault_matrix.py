"""Any single failure of any call that the Container Instances worker makes, whatever becomes of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Cancelling, Running

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_integration_tests.backends._azure.arm_clients import StaticCredential
from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.pool_runs import Started, logs_of, state_of, until

from ._aci import Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")

KINDS: dict[str, dict[str, Any]] = {
    "refused with 503": {"status": 503},
    "refused with 408": {"status": 408},
    "refused with 429 and Retry-After": {"status": 429, "retry_after_seconds": 1},
    "done but answered with 504": {"status": 504, "when": "after"},
    "done but its answer lost": {"when": "lost"},
    "never heard": {"when": "cut"},
    "answered by a proxy in HTML": {"status": 502, "when": "garbled"},
}
"""How a call may fail in a way that passes."""

HEALTHY = {
    "ContainerGroups_Get",
    "Deployments_CreateOrUpdate",
    "ContainerGroups_ListByResourceGroup",
    "Deployments_Delete",
    "ContainerGroups_Delete",
}
STREAMED = {*HEALTHY, "Containers_ListLogs"}
FAILED = {*HEALTHY, "Containers_ListLogs"}
CANCELLED = {*HEALTHY, "ContainerGroups_Stop"}
IN_VAIN = {*HEALTHY, "Deployments_Get"}
LATE = {*IN_VAIN, "Deployments_Cancel"}
"""The operations of a run that succeeds, prints, fails, is cancelled, has no image, is too late."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    return empty_azure_api


@pytest.fixture
def pool(prefect_harness: None, api: AzureApi) -> Pool:
    return Pool(api)


class Case:
    """A run in a resource group of its own, so that many can fail in many ways at the same time."""

    def __init__(self, pool: Pool, worker: Any, number: int) -> None:
        self.pool = pool
        self.api = pool.api
        self.worker = worker
        self.group = f"case-{number}"
        self.flow_run: Any = None

    def fail(self, operation: str, **fault: Any) -> None:
        """Let one call fail that is about this resource group."""
        self.api.fail(operation, where=self.is_mine, **fault)

    def is_mine(self, call: Any) -> bool:
        return call.params.get("resourceGroupName") == self.group

    @property
    def operations(self) -> set[str]:
        """What was called for this resource group."""
        return {call.operation for call in list(self.api.calls) if self.is_mine(call)}

    @property
    def left_over(self) -> list[str]:
        return [identifier for identifier in self.api.left_over if f"/resourceGroups/{self.group}/" in identifier]

    async def submit(self, **variables: Any) -> asyncio.Task[Any]:
        self.flow_run = await self.pool.new_run()
        configuration = self.pool.configure(self.flow_run, resource_group_name=self.group, **variables)
        self.started = Started()
        return asyncio.create_task(self.worker.run(self.flow_run, configuration, self.started))

    async def succeed(self) -> None:
        """A run whose container exits with 0."""
        result = await asyncio.wait_for(await self.submit(), 120)
        assert result.status_code == 0, result
        state = await state_of(self.flow_run)
        assert not state.is_final(), state
        await self.check_clean()

    async def stream(self) -> None:
        """The same, with its output printed."""
        result = await asyncio.wait_for(await self.submit(stream_output=True), 120)
        assert result.status_code == 0, result
        await self.check_clean()

    async def cancel(self) -> None:
        """A run that is cancelled while its container runs."""
        running = await self.submit()
        await until(lambda: self.started.identifier, "a container")
        async with get_client() as client:
            await client.set_flow_run_state(self.flow_run.id, Running(), force=True)
            await client.set_flow_run_state(self.flow_run.id, Cancelling(), force=True)
        await asyncio.wait_for(running, 120)
        state = await state_of(self.flow_run)
        assert state.is_cancelled(), state
        await self.check_clean()

    async def crash(self) -> None:
        """A run whose container exits with 3."""
        result = await asyncio.wait_for(await self.submit(), 120)
        assert result.status_code == 3, result
        state = await state_of(self.flow_run)
        assert state.is_crashed(), state
        assert "code 3" in str(state.message)
        await logs_of(self.flow_run, "Traceback: boom")
        await self.check_clean()

    async def start_in_vain(self) -> None:
        """A run whose image cannot be pulled."""
        with pytest.raises(Exception, match="Check `image`"):
            await asyncio.wait_for(await self.submit(), 120)
        await self.check_clean()

    async def be_late(self) -> None:
        """A run whose container does not start in time."""
        with pytest.raises(Exception, match="task_start_timeout_seconds"):
            await asyncio.wait_for(await self.submit(task_start_timeout_seconds=0), 120)
        await self.check_clean()

    async def check_clean(self) -> None:
        """One container group was made at most, and nothing is left."""
        asked = [call for call in self.api.calls_of("Deployments_CreateOrUpdate") if self.is_mine(call)]
        heard = [call for call in asked if call.status in (200, 201)]
        assert len(heard) <= 1, heard
        assert len({call.name for call in asked}) == 1
        await until(lambda: not self.left_over, "the deletion")


async def fail_in_each_way(pool: Pool, operation: str, act: Callable[[Case], Awaitable[None]], skip: int = 0) -> None:
    """Let one call of an operation fail in each way, all at the same time, and name the ways that do harm."""
    async with pool.worker() as worker:
        cases = {kind: Case(pool, worker, number) for number, kind in enumerate(KINDS)}
        for kind, case in cases.items():
            case.fail(operation, skip=skip, **KINDS[kind])
        ends = await asyncio.gather(*(act(case) for case in cases.values()), return_exceptions=True)
    harmed = {kind: f"{type(end).__name__}: {end}" for kind, end in zip(cases, ends, strict=True) if end is not None}
    assert harmed == {}
    assert pool.api.server.faults.pending == 0, "the call was not made"


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(HEALTHY))
async def test_a_run_that_succeeds_does_so_when_a_call_fails(pool: Pool, operation: str) -> None:
    await fail_in_each_way(pool, operation, Case.succeed)


@pytest.mark.slow
@pytest.mark.parametrize("skip", [1])
async def test_a_run_that_succeeds_does_so_when_a_later_read_fails(pool: Pool, skip: int) -> None:
    await fail_in_each_way(pool, "ContainerGroups_Get", Case.succeed, skip)


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(STREAMED))
async def test_a_run_that_prints_succeeds_when_a_call_fails(
    pool: Pool, api: AzureApi, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.play(lines=["hello"])
    await fail_in_each_way(pool, operation, Case.stream)
    assert capsys.readouterr().err.splitlines().count("hello") == len(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(CANCELLED))
async def test_a_cancelled_run_is_stopped_when_a_call_fails(pool: Pool, operation: str, api: AzureApi) -> None:
    api.play(seconds=None)
    await fail_in_each_way(pool, operation, Case.cancel)
    assert api.play.running == 0


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(FAILED))
async def test_a_run_that_fails_crashes_with_its_cause_when_a_call_fails(
    pool: Pool, operation: str, api: AzureApi
) -> None:
    api.play(exit_code=3, lines=["Traceback: boom"])
    await fail_in_each_way(pool, operation, Case.crash)


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(IN_VAIN))
async def test_a_run_without_an_image_says_so_and_leaves_nothing_when_a_call_fails(
    pool: Pool, operation: str, api: AzureApi
) -> None:
    api.play(pull_problem="Failed to pull image 'no/such:1'")
    await fail_in_each_way(pool, operation, Case.start_in_vain)


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(LATE))
async def test_a_run_that_is_too_late_leaves_nothing_when_a_call_fails(
    pool: Pool, operation: str, api: AzureApi
) -> None:
    api.settings.create_seconds = 600
    await fail_in_each_way(pool, operation, Case.be_late)


async def test_the_matrix_has_every_operation_that_the_worker_calls(pool: Pool, api: AzureApi) -> None:
    boom = {"exit_code": 3, "lines": ["Traceback: boom"]}
    async with pool.worker() as worker:
        for number, (act, script, seconds, operations) in enumerate(
            (
                (Case.succeed, {}, 0.02, HEALTHY),
                (Case.stream, {"lines": ["hello"]}, 0.02, STREAMED),
                (Case.cancel, {"seconds": None}, 0.02, CANCELLED),
                (Case.crash, boom, 0.02, FAILED),
                (Case.start_in_vain, {"pull_problem": "Failed to pull image"}, 0.02, IN_VAIN),
                (Case.be_late, {}, 600, LATE),
            )
        ):
            api.play(**script)
            api.settings.create_seconds = seconds
            case = Case(pool, worker, number)
            await act(case)
            assert case.operations == operations, act


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deployment_that_fails_in_a_way_that_passes_makes_one_container_group(
    pool: Pool, api: AzureApi, kind: str
) -> None:
    async with pool.worker() as worker:
        case = Case(pool, worker, 0)
        case.fail("Deployments_CreateOrUpdate", **KINDS[kind])
        await case.succeed()
    assert api.groups_started == 1


async def test_a_deployment_that_comes_through_after_it_was_given_up_makes_no_second_group(
    pool: Pool, api: AzureApi
) -> None:
    async with pool.worker() as worker:
        case = Case(pool, worker, 0)
        api.play(seconds=None)
        case.fail("Deployments_CreateOrUpdate", when="late", delay_seconds=0.3)
        running = await case.submit()
        await until(lambda: case.started.identifier, "a container")
        assert api.groups_started == 1
        api.play.end()
        assert (await asyncio.wait_for(running, 60)).status_code == 0
        await until(lambda: not case.left_over, "the deletion")


async def test_two_workers_that_submit_a_run_at_the_same_time_make_one_container_group(
    pool: Pool, api: AzureApi
) -> None:
    api.play(seconds=None)
    async with pool.worker(name="one") as one, pool.worker(name="two") as two:
        case = Case(pool, one, 0)
        first = await case.submit()
        configuration = pool.configure(case.flow_run, resource_group_name=case.group)
        second = asyncio.create_task(two.run(case.flow_run, configuration))
        await until(lambda: case.flow_run.id in two.job_runs.running and case.started.identifier, "both")
        api.play.end()
        results = await asyncio.wait_for(asyncio.gather(first, second), 60)
    assert api.groups_started == 1
    assert 0 in {result.status_code for result in results}
    assert case.left_over == []


async def test_a_worker_looks_on_when_all_calls_have_failed_for_a_while(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        case = Case(pool, worker, 0)
        running = await case.submit()
        await until(lambda: case.started.identifier, "a container")
        api.fail("*", 503, times=None)
        seen = len(api.calls)
        await until(lambda: len(api.calls) > seen + 5, "calls that fail")
        assert not running.done()
        api.play.end()
        api.heal()
        assert (await asyncio.wait_for(running, 60)).status_code == 0
        await case.check_clean()


async def test_connections_that_died_while_idle_are_replaced(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        case = Case(pool, worker, 0)
        running = await case.submit()
        await until(lambda: case.started.identifier, "a container")
        api.server.cut_connections()
        api.play.end()
        assert (await asyncio.wait_for(running, 60)).status_code == 0
        await case.check_clean()


async def test_a_name_that_cannot_be_resolved_is_tried_again_and_then_said(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_CONTAINER_INSTANCE_WORKER_CALL_DEADLINE_SECONDS", "0.2")
    nowhere = AzureContainerInstanceCredentials.from_token_credential(
        StaticCredential(), endpoints={"arm": "https://no-such-host.invalid"}
    )
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(ConnectionError, match="Container group"):
            await worker.run(run, pool.configure(run, aci_credentials=nowhere))


async def test_lists_of_many_pages_are_read_to_their_end(pool: Pool, api: AzureApi) -> None:
    api.settings.page_size = 1
    api.play(seconds=None)
    async with pool.worker() as worker:
        case = Case(pool, worker, 0)
        running = [await case.submit() for _ in range(3)]
        await until(lambda: len(worker.job_runs.running) == 3, "three containers")
        api.play.end()
        results = await asyncio.wait_for(asyncio.gather(*running), 60)
    assert [result.status_code for result in results] == [0, 0, 0]
    assert len(api.calls_of("ContainerGroups_ListByResourceGroup")) > 3


async def test_runs_are_looked_at_one_by_one_where_groups_may_not_be_listed(pool: Pool, api: AzureApi) -> None:
    api.fail("ContainerGroups_ListByResourceGroup", status=403, times=None)
    async with pool.worker() as worker:
        case = Case(pool, worker, 0)
        await case.succeed()
