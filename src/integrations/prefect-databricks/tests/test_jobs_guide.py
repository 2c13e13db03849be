"""The page on jobs runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials, jobs
from prefect_integration_tests.backends.databricks import TOKEN, Databricks
from prefect_integration_tests.guide_pages import Page
from prefect_integration_tests.suites import GuideSuite


@pytest.fixture(scope="module")
def workspace(databricks_server: Databricks) -> Databricks:
    """The workspace, empty before the first block."""
    databricks_server.reset()
    return databricks_server


class TestJobsGuide(GuideSuite):
    distribution = "prefect-databricks"

    @classmethod
    def pages(cls) -> list[Page]:
        return [page for page in super().pages() if page.name == "jobs"]

    @pytest.fixture
    def surroundings(self, page_folder: Path, workspace: Databricks) -> Callable[[], object]:
        """A workspace, and the block of the overview."""
        credentials = DatabricksCredentials(databricks_instance=workspace.endpoint, token=SecretStr(TOKEN))
        return lambda: credentials.save("databricks", overwrite=True)

    @pytest.fixture
    def provocations(self, credentials: DatabricksCredentials) -> Mapping[str, Callable[[], object]]:
        return {
            "A malformed argument": lambda: asyncio.run(
                jobs.jobs_runs_submit.fn(credentials, [{"task_key": "not a key"}])
            ),
            "A job that is not there": lambda: asyncio.run(jobs.jobs_get.fn(7, credentials)),
        }
