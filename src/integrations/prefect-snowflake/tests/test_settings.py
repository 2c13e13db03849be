"""Environment variables change what happens, and bad values are refused by name."""

from __future__ import annotations

import time
from typing import Any

import pytest

from prefect_snowflake import SnowflakeCredentials, SnowflakeUnavailable
from prefect_snowflake.settings import SnowflakeSettings


def test_a_login_takes_as_long_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_SNOWFLAKE_LOGIN_TIMEOUT_SECONDS", "1")
    address: dict[str, Any] = {"host": "127.0.0.1", "port": 9, "protocol": "http"}
    start = time.monotonic()
    with pytest.raises(SnowflakeUnavailable):
        SnowflakeCredentials(account="a", user="u", password="p", **address).get_client()
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("name", ["login_timeout_seconds", "cancel_timeout_seconds"])
def test_a_bad_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"PREFECT_INTEGRATIONS_SNOWFLAKE_{name.upper()}", "-1")
    with pytest.raises(ValueError, match=name):
        SnowflakeSettings()
