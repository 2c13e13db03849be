"""Deployed flows run in Snowpark jobs as real processes, and end in the state that they should end in."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.states import Cancelling, Scheduled

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.snowpark import Snowpark
from prefect_integration_tests.pool_runs import logs_of, state_of

from ._spcs import SETTINGS, Pool, quicken

pytestmark = [pytest.mark.usefixtures("prefect_harness"), pytest.mark.timeout(240)]

FLOWS = """
    import time

    from prefect import flow, get_run_logger

    @flow
    def succeed():
        get_run_logger().info("said by the flow")

    @flow
    def wait():
        get_run_logger().info("waiting")
        time.sleep(600)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    monkeypatch.setenv(f"{SETTINGS}_CANCELLATION_GRACE_SECONDS", "1")
    monkeypatch.setenv(f"{SETTINGS}_REPORT_GRACE_SECONDS", "10")
    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)


async def _deployed(pool: Pool, folder: Path, name: str, **variables: Any) -> Any:
    """A run of a deployment that is due now."""
    async with get_client() as client:
        flow_id = await client.create_flow_from_name(name)
        deployment_id = await client.create_deployment(
            flow_id,
            name=name,
            work_pool_name=pool.name,
            path=str(folder),
            entrypoint=f"flows.py:{name}",
            job_variables={**pool.variables, **variables},
        )
        return await client.create_flow_run_from_deployment(deployment_id, state=Scheduled())


async def _final(run: Any) -> Any:
    async def look() -> Any:
        state = await state_of(run)
        return state if state.is_final() else None

    return await apoll(look, subject="a final state", interval_seconds=0.2, timeout_seconds=200)


async def test_deployed_flows_end_as_they_should(
    prefect_harness: None,
    empty_snowpark: Snowpark,
    tmp_path: Path,
) -> None:
    (tmp_path / "flows.py").write_text(textwrap.dedent(FLOWS))
    pool = Pool(empty_snowpark)
    runs = {name: await _deployed(pool, tmp_path, name) for name in ("succeed", "wait")}
    async with pool.worker() as worker:
        await worker.get_and_submit_flow_runs()
        await logs_of(runs["wait"], "waiting", timeout_seconds=150)
        async with get_client() as client:
            await client.set_flow_run_state(runs["wait"].id, Cancelling(), force=True)
        states = dict(zip(runs, await asyncio.gather(*map(_final, runs.values())), strict=True))
    assert states["succeed"].is_completed()
    await logs_of(runs["succeed"], "said by the flow")
    assert states["wait"].is_cancelled()
    assert empty_snowpark.jobs == []
    assert empty_snowpark.alive == []
    assert len(empty_snowpark.state.started) == 2
