"""The pages on runs and on SQL run as they stand, and show the messages that are printed."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials, _time
from prefect_databricks.flows import (
    jobs_runs_submit_and_wait_for_completion,
    jobs_runs_submit_by_id_and_wait_for_completion,
)
from prefect_databricks.sql import asql_statement
from prefect_integration_kit.waiting import SystemClock
from prefect_integration_tests.backends.databricks import TOKEN, WAREHOUSE, Databricks, TaskPlay
from prefect_integration_tests.guide_pages import Page
from prefect_integration_tests.suites import GuideSuite

pytest.importorskip("duckdb", reason="the local warehouse executes statements by it")

COUNT = "dbutils.notebook.exit('3 parcels on ' + dbutils.widgets.get('day'))"
PARCELS = """
    CREATE TABLE parcels AS SELECT * FROM (VALUES (1, 'NO', 3), (2, 'PT', 5), (3, 'PT', 2)) t(id, country, weight_kg)
"""


class QuickClock(SystemClock):
    """The system's time, for readers without patience: notebooks are over in a moment, and looks are 10 s apart."""

    async def asleep(self, seconds: float) -> None:
        """Suspend the coroutine, but not for long."""
        await super().asleep(min(seconds, 0.2))


class TestGuide(GuideSuite):
    distribution = "prefect-databricks"

    @classmethod
    def pages(cls) -> list[Page]:
        return [page for page in super().pages() if page.name in ("flows", "sql")]

    @pytest.fixture
    def workspace(self, databricks_server: Databricks) -> Databricks:
        """A workspace that blocks share, since what one makes is there for those below it."""
        return databricks_server

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, workspace: Databricks, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], object]:
        """A workspace with a job, a run and a table."""
        credentials = DatabricksCredentials(databricks_instance=workspace.endpoint, token=SecretStr(TOKEN))
        monkeypatch.setattr(_time, "clock", QuickClock())

        def arrange() -> None:
            if not workspace.sql.execute("SELECT 1 FROM information_schema.tables WHERE table_name = 'parcels'"):
                workspace.sql.execute(PARCELS)
            workspace.add_notebook("/Shared/count_parcels", COUNT)
            workspace.script("load", TaskPlay(result="FAILED"))
            task = {"task_key": "count", "notebook_task": {"notebook_path": "/Shared/count_parcels"}}
            day = [{"name": "day", "default": "2026-05-05"}]
            vars(builtins)["job_id"] = workspace.add_job(task, parameters=day)
            vars(builtins)["run_id"] = workspace.start_run(workspace.add_job())
            credentials.save("databricks", overwrite=True)

        for name in ("job_id", "run_id"):
            monkeypatch.setattr(builtins, name, 0, raising=False)
        return arrange

    @pytest.fixture
    def provocations(
        self, databricks: Databricks, credentials: DatabricksCredentials
    ) -> Mapping[str, Callable[[], object]]:
        submit, by_id = jobs_runs_submit_and_wait_for_completion.fn, jobs_runs_submit_by_id_and_wait_for_completion.fn
        databricks.add_notebook("/Shared/load", "rows = []\nprint(rows[0])")
        load: dict[str, Any] = {"task_key": "load", "notebook_task": {"notebook_path": "/Shared/load"}}
        report = {**load, "task_key": "report", "depends_on": [{"task_key": "load"}]}

        def out_of_time() -> object:
            databricks.jobs_api.play = TaskPlay(seconds=None)
            never: dict[str, Any] = {"task_key": "a", "notebook_task": {"notebook_path": "/Shared/never"}}
            return asyncio.run(submit(credentials, tasks=[never], max_wait_seconds=1))

        def statement(text: str, warehouse_id: str = WAREHOUSE, **parameters: Any) -> object:
            return asyncio.run(asql_statement.fn(text, credentials, warehouse_id, parameters))

        return {
            "The time is up": out_of_time,
            "A task fails": lambda: asyncio.run(submit(credentials, tasks=[load, report], poll_frequency_seconds=0)),
            "A job is not there": lambda: asyncio.run(by_id(credentials, 7)),
            "The statement fails": lambda: statement("SELECT * FROM nowhere"),
            "The warehouse is not there": lambda: statement("SELECT 1", "gone"),
            "The value cannot be bound": lambda: statement("SELECT :photo", photo=b"x"),
        }
