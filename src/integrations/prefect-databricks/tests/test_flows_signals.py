"""What a flow's end by a signal means for the run, or statement, in Databricks."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from prefect.settings import get_current_settings

from prefect_integration_tests.backends.databricks import TOKEN, WAREHOUSE, StatementPlay, TaskPlay
from prefect_integration_tests.children import ended_by

if TYPE_CHECKING:
    from prefect_integration_tests.backends.databricks import Databricks

SCRIPT = """
import asyncio, os, signal, sys
from prefect import flow
from prefect_databricks import DatabricksCredentials
from prefect_databricks.flows import jobs_runs_submit_by_id_and_wait_for_completion as run_job
from prefect_databricks.sql import sql_statement

credentials = DatabricksCredentials(databricks_instance=sys.argv[2], token=os.environ["TOKEN"])
options = {"job_id": sys.argv[3], "poll_frequency_seconds": 1}

@flow(name="databricks-signal-sync")
def sync_flow():
    run_job(credentials, **options)

@flow(name="databricks-signal-async")
async def async_flow():
    await run_job(credentials, **options)

@flow(name="databricks-signal-sql")
def sql_flow():
    sql_statement("SELECT 1", credentials, sys.argv[3])

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with it ignored
asyncio.run(async_flow()) if sys.argv[1] == "async" else {"sync": sync_flow, "sql": sql_flow}[sys.argv[1]]()
"""


def end_by_signal(face: str, number: signal.Signals, thing: str, says: str, databricks: Databricks) -> str:
    """Run a flow of the script, end it when it waits, and give what it wrote."""
    environment = {**os.environ, "PREFECT_API_URL": str(get_current_settings().api.url), "TOKEN": TOKEN}
    code, output = ended_by(number, SCRIPT, face, databricks.endpoint, thing, says=says, environment=environment)
    assert code != 0
    return output


SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("face", ["sync", "async"])
@SIGNALS
def test_a_flow_that_is_ended_by_a_signal_cancels_its_run(
    face: str, number: signal.Signals, databricks: Databricks
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    output = end_by_signal(face, number, str(databricks.add_job()), ": RUNNING", databricks)
    assert [databricks.result_of(run["run_id"]) for run in databricks.runs] == ["CANCELED"], output


@pytest.mark.usefixtures("prefect_harness")
@SIGNALS
def test_a_flow_that_is_ended_by_a_signal_cancels_its_statement(number: signal.Signals, databricks: Databricks) -> None:
    databricks.sql.play = StatementPlay(seconds=None)
    output = end_by_signal("sql", number, WAREHOUSE, "goes on", databricks)
    assert [each.state for each in databricks.sql.statements.values()] == ["CANCELED"], output
