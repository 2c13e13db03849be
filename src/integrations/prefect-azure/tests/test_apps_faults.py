"""A fault of Azure's leaves a healthy run healthy: one execution, its own end, and no job left behind."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import get_client
from prefect.states import Completed

from prefect_azure.errors import AzureUnavailable
from prefect_integration_tests.backends.azure_api import AzureApi

from ._apps import PREFIX, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")

OPERATIONS = (
    *("ManagedEnvironments_Get", "Jobs_CreateOrUpdate", "Jobs_Get", "Jobs_Start", "Jobs_ListByResourceGroup"),
    *("JobsExecutions_List", "Jobs_Delete"),
)
FAULTS: dict[str, dict[str, Any]] = {
    "unavailable": {"status": 503},
    "done but answered with 500": {"status": 500, "when": "after"},
    "throttled": {"status": 429, "retry_after_seconds": 0.05},
    "timed out": {"status": 408},
    "done but not answered": {"when": "lost"},
    "cut before anything was done": {"when": "cut"},
    "answered by a proxy in HTML": {"status": 502, "when": "garbled"},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def pool(prefect_harness: None, empty_azure_api: AzureApi) -> Pool:
    return Pool(empty_azure_api)


@pytest.mark.parametrize("fault", list(FAULTS.values()), ids=list(FAULTS))
async def test_a_fault_at_every_call_leaves_one_execution_and_its_own_end(pool: Pool, fault: dict[str, Any]) -> None:
    api = pool.api
    api.play(exit_code=0)
    for operation in OPERATIONS:
        api.fail(operation, **fault)
    run = await pool.new_run()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Completed(), force=True)
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    assert result.status_code == 0
    assert api.executions_started == 1
    assert api.jobs == []


async def test_a_start_that_is_seen_late_is_not_repeated(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}START_SETTLE_SECONDS", "5")
    api = pool.api
    api.fail("Jobs_Start", when="late", delay_seconds=0.4)
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    assert (result.status_code, api.executions_started) == (0, 1)


async def test_a_submission_that_is_never_answered_fails_and_leaves_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}CALL_DEADLINE_SECONDS", "0.3")
    api = pool.api
    api.fail("Jobs_Start", 503, times=None)
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(AzureUnavailable, match="Container Apps job"):
            await worker.run(run, pool.configure(run))
    assert (api.executions_started, api.jobs) == (0, [])


async def test_an_outage_while_a_job_runs_ends_nothing(pool: Pool) -> None:
    api = pool.api
    for operation in ("Jobs_ListByResourceGroup", "JobsExecutions_List"):
        api.fail(operation, 503, times=12, skip=1)
    run = await pool.new_run()
    async with pool.worker() as worker:
        result = await worker.run(run, pool.configure(run))
    assert (result.status_code, api.jobs) == (0, [])
