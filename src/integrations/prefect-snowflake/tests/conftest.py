"""What the tests share: a Snowflake account, credentials for it, and a connector to an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials

from ._account import make_connector


@pytest.fixture(scope="session", autouse=True)
def _home_of_the_connector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep Snowflake's connector from reading and writing the user's own files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNOWFLAKE_HOME", str(tmp_path_factory.mktemp("snowflake")))
        yield


if find_spec("fakesnow") is None:  # it needs Python 3.11

    @pytest.fixture
    def snowflake_process() -> None:
        """Skip what needs an account."""
        pytest.skip("fakesnow is not installed; it needs Python 3.11.")

    @pytest.fixture
    def snowflake_server(snowflake_process: None) -> None:
        """Skip what needs an account."""


@pytest.fixture
def credentials(snowflake_server: Any) -> SnowflakeCredentials:
    """The user `fake` of the account, by password."""
    return SnowflakeCredentials(user="fake", password="snow", **snowflake_server.address())


@pytest.fixture
def connector(snowflake_server: Any, credentials: SnowflakeCredentials) -> Iterator[SnowflakeConnector]:
    """A connector to an empty database."""
    made = make_connector(credentials, snowflake_server.new_database())
    yield made
    made.close()
