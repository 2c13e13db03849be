"""What operators set by environment variable."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from prefect_databricks import DatabricksCredentials
from prefect_databricks.settings import DatabricksSettings


def test_a_variable_changes_what_clients_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read when it is needed, not at import."""
    credentials = DatabricksCredentials(databricks_instance="a.example.com", token=SecretStr("t"))
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_TIMEOUT_SECONDS", "7")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_CONNECT_TIMEOUT_SECONDS", "3")
    timeout = credentials.get_client().timeout
    assert (timeout.read, timeout.connect) == (7, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout_seconds", "0"), ("connect_timeout_seconds", "-1"), ("retry_seconds", "-1"), ("retry_seconds", "soon")],
)
def test_a_bad_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"PREFECT_INTEGRATIONS_DATABRICKS_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        DatabricksSettings()
