"""What the tests of this package share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

if TYPE_CHECKING:
    from prefect_dbt.cloud import DbtCloudCredentials
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock

# dbt reads it when a process starts: tests talk to this machine only.
os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

# The process that has imported dbt outlives the tests in between that need none.
os.environ["PREFECT_INTEGRATIONS_DBT_FORK_SERVER_IDLE_SECONDS"] = "600"


# A process of dbt takes seconds to start with a core of its own, and many times that beside other packages' tests.
_TIMEOUT_SECONDS = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time that a busy machine needs."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


@pytest.fixture(autouse=True)
def no_dbt_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no test find the developer's own profiles, nor settings by environment."""
    for name in [name for name in os.environ if name.startswith("DBT_") and name != "DBT_SEND_ANONYMOUS_USAGE_STATS"]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "no-home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))


# dbt Cloud


@pytest.fixture
def cloud_credentials(dbt_cloud: DbtCloud) -> DbtCloudCredentials:
    """Credentials of the local dbt Cloud."""
    from prefect_dbt.cloud import DbtCloudCredentials
    from prefect_integration_tests.backends.dbt_cloud import ACCOUNT, API_KEY

    return DbtCloudCredentials(api_key=SecretStr(API_KEY), account_id=ACCOUNT, domain=dbt_cloud.endpoint)


@pytest.fixture
def cloud_clock(dbt_cloud: DbtCloud, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock that dbt Cloud is waited for by: waiting takes no time, and the local dbt Cloud's passes with it."""
    from prefect_dbt.cloud import _time

    async def sleep_both(seconds: float) -> None:
        await asleep(seconds)
        dbt_cloud.clock.advance(seconds)

    asleep = fake_clock.asleep
    monkeypatch.setattr(fake_clock, "asleep", sleep_both)
    monkeypatch.setattr(_time, "clock", fake_clock)
    return fake_clock
