"""What the tests of this package share: a workspace, credentials for it, and time that passes at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials, _time
from prefect_databricks._auth import keeping

if TYPE_CHECKING:
    from prefect_integration_tests.backends.databricks import Databricks
    from prefect_integration_tests.clock import FakeClock

_OF_THE_MACHINE = ("DATABRICKS_", "ARM_", "AZURE_", "ACTIONS_", "SYSTEM_", "IDENTITY_", "PREFECT_INTEGRATIONS_")


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test find the developer's own profiles and logins, nor tokens of another test."""
    for name in [name for name in os.environ if name.startswith(_OF_THE_MACHINE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    yield
    keeping.forget_tokens()


@pytest.fixture
def home() -> Path:
    """The home folder, empty."""
    return Path.home()


@pytest.fixture
def credentials(databricks: Databricks) -> DatabricksCredentials:
    """A personal access token of the local workspace."""
    from prefect_integration_tests.backends.databricks import TOKEN

    return DatabricksCredentials(databricks_instance=databricks.endpoint, token=SecretStr(TOKEN))


@pytest.fixture
def clock(databricks: Databricks, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of waits, which take no time; that of the workspace, by which tokens end, goes with it."""

    def sleep(seconds: float) -> None:
        pass_by(seconds)
        databricks.clock.advance(seconds)

    pass_by = fake_clock.sleep
    monkeypatch.setattr(fake_clock, "sleep", sleep)  # `asleep` sleeps by it, too
    monkeypatch.setattr(_time, "clock", fake_clock)
    monkeypatch.setattr(_time, "now", databricks.clock.seconds)
    return fake_clock
