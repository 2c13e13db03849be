"""What operators tune by environment variable changes what the package does, and bad values are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prefect_azure.settings import (
    AzureSettings,
    BlobSettings,
    ContainerAppWorkerSettings,
    ContainerInstanceWorkerSettings,
    PostgresManagedIdentitySettings,
    PostgresSettings,
)

GROUPS: dict[str, tuple[type[Any], str]] = {
    "BLOB": (BlobSettings, "max_concurrency"),
    "CONTAINER_INSTANCE_WORKER": (ContainerInstanceWorkerSettings, "call_initial_delay_seconds"),
    "CONTAINER_APP_WORKER": (ContainerAppWorkerSettings, "call_initial_delay_seconds"),
}


@pytest.mark.parametrize("prefix", GROUPS)
def test_every_number_is_read_from_its_variable(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, _ = GROUPS[prefix]
    numbers = [name for name, field in kind.model_fields.items() if field.annotation in (int, float)]
    for name in numbers:
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_AZURE_{prefix}_{name.upper()}", "7")
    assert {value for name, value in kind().model_dump().items() if name in numbers} == {7}


@pytest.mark.parametrize("prefix", GROUPS)
def test_a_bad_value_is_refused_by_name(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, name = GROUPS[prefix]
    monkeypatch.setenv(f"PREFECT_INTEGRATIONS_AZURE_{prefix}_{name.upper()}", "0")
    with pytest.raises(ValidationError, match=name):
        kind()


def test_all_settings_hang_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_ENABLED", "true")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_CLIENT_ID", "an-identity")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_RETRY_SECONDS", "7")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_CONTAINER_INSTANCE_WORKER_CALL_DEADLINE_SECONDS", "8")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_CONTAINER_APP_WORKER_CALL_DEADLINE_SECONDS", "9")
    settings = AzureSettings()
    identity = settings.postgres.managed_identity
    assert (identity.enabled, identity.client_id) == (True, "an-identity")
    assert (PostgresSettings().managed_identity, PostgresManagedIdentitySettings()) == (identity, identity)
    assert settings.blob.retry_seconds == 7
    assert settings.container_instance_worker.call_deadline_seconds == 8
    assert settings.container_app_worker.call_deadline_seconds == 9


def test_sign_in_to_the_database_is_off_unless_asked_for() -> None:
    identity = AzureSettings().postgres.managed_identity
    assert (identity.enabled, identity.client_id) == (False, None)
