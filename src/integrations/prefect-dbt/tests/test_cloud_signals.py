"""What a flow's end by a signal means for the run in dbt Cloud."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from prefect.settings import get_current_settings

from prefect_integration_tests.backends.dbt_cloud import ACCOUNT, API_KEY, Play
from prefect_integration_tests.children import ended_by

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud

SCRIPT = """
import asyncio, os, sys
from prefect import flow
from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud.jobs import run_dbt_cloud_job

credentials = DbtCloudCredentials(api_key=os.environ["KEY"], account_id=int(os.environ["ACCOUNT"]), domain=sys.argv[2])
job = DbtCloudJob(dbt_cloud_credentials=credentials, job_id=int(sys.argv[3]), interval_seconds=1)

@flow(name="cloud-signal-sync")
def sync_flow():
    run_dbt_cloud_job(job)

@flow(name="cloud-signal-async")
async def async_flow():
    await run_dbt_cloud_job(job)

sync_flow() if sys.argv[1] == "sync" else asyncio.run(async_flow())
"""


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_flow_that_is_ended_by_a_signal_cancels_its_run(
    face: str, number: signal.Signals, dbt_cloud: DbtCloud
) -> None:
    dbt_cloud.play = Play(running_seconds=None)
    job_id = str(dbt_cloud.add_job())
    api = str(get_current_settings().api.url)
    environment = {**os.environ, "PREFECT_API_URL": api, "KEY": API_KEY, "ACCOUNT": str(ACCOUNT)}
    code, output = ended_by(number, SCRIPT, face, dbt_cloud.endpoint, job_id, says=": Running", environment=environment)
    assert [run["status_humanized"] for run in dbt_cloud.runs] == ["Cancelled"], output
    assert code != 0
