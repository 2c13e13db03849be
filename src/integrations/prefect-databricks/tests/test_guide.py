"""The pages on the package and its credentials run as they stand, and show the messages that are printed."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from prefect_databricks import DatabricksCredentials, jobs
from prefect_databricks.rest import execute_endpoint
from prefect_integration_tests.backends.databricks import CLIENT_ID, TOKEN, Databricks
from prefect_integration_tests.guide_pages import Page
from prefect_integration_tests.suites import GuideSuite

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
PROFILES = f"[shop]\nhost = https://{HOST}\ntoken = t\n"


class TestGuide(GuideSuite):
    distribution = "prefect-databricks"

    @classmethod
    def pages(cls) -> list[Page]:
        return [page for page in super().pages() if page.name in ("index", "credentials")]

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, home: Path, databricks: Databricks, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], object]:
        """A workspace with a job, and a reader who has a token, a secret and a profile."""
        databricks.add_job()
        databricks.answers["GET", "/api/2.1/clusters/list"] = {"clusters": [{"cluster_id": "a"}, {"cluster_id": "b"}]}
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": TOKEN)
        monkeypatch.setenv("SHOP_CLIENT_SECRET", "secret")
        monkeypatch.setenv("DATABRICKS_HOST", HOST)
        (home / ".databrickscfg").write_text(PROFILES)
        credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, token=SecretStr(TOKEN))
        return lambda: credentials.save("databricks", overwrite=True)

    @pytest.fixture
    def provocations(
        self, databricks: Databricks, credentials: DatabricksCredentials, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Mapping[str, Callable[[], object]]:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_RETRY_SECONDS", "0")
        monkeypatch.setenv("PATH", str(home))
        (home / ".databrickscfg").write_text(PROFILES)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"

        def block(**fields: Any) -> DatabricksCredentials:
            """Make a block; what is wrong with it is said without pydantic's frame."""
            try:
                return DatabricksCredentials(**{"databricks_instance": databricks.endpoint, **fields})
            except ValidationError as exc:
                raise exc.errors()[0]["ctx"]["error"] from None

        def profile(name: str) -> object:
            return block(databricks_instance=None, profile=name)

        refused = block(client_id=CLIENT_ID, client_secret="wrong")
        login = block(databricks_instance=HOST, auth_type="databricks-cli")
        return {
            "A job is not there": lambda: asyncio.run(jobs.jobs_get.fn(7, credentials)),
            "The token is refused": lambda: asyncio.run(jobs.jobs_list.fn(block(token="dapi-wrong"))),
            "The workspace cannot be reached": lambda: asyncio.run(
                execute_endpoint.fn("/2.1/jobs/list", block(databricks_instance=nowhere, token="t"))
            ),
            "Two ways are given": lambda: block(token="t", client_id="a", client_secret="b"),
            "The secret is missing": lambda: block(client_id="a"),
            "The secret is refused": refused.get_token,
            "The profile is not there": lambda: profile("gone"),
            "Nobody has logged in": login.get_token,
        }
