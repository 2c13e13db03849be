"""What a flow's end by a signal means for the run in dbt Cloud."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prefect.settings import get_current_settings

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_cloud import ACCOUNT, API_KEY, Play

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
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, face, dbt_cloud.endpoint, job_id],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        poll(
            lambda: bool(dbt_cloud.calls_of("GetRun")) or child.poll() is not None or None,
            subject="A look at the run",
            interval_seconds=0.05,
            timeout_seconds=120,
        )
        child.send_signal(number)
        output, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert [run["status_humanized"] for run in dbt_cloud.runs] == ["Cancelled"], output.decode()
    assert child.returncode != 0
