"""What operators tune of the workers, by environment variable."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prefect_gcp.settings import CloudRunV2WorkerSettings, CloudRunWorkerSettings, GcpSettings, VertexWorkerSettings

PREFIXES: dict[str, type[Any]] = {
    "CLOUD_RUN_V2_WORKER": CloudRunV2WorkerSettings,
    "CLOUD_RUN_WORKER": CloudRunWorkerSettings,
    "VERTEX_WORKER": VertexWorkerSettings,
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_setting_is_read_from_its_variable(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = PREFIXES[prefix]
    for name, field in kind.model_fields.items():
        if field.annotation in (int, float):
            monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_{name.upper()}", "7")
    assert {value for value in kind().model_dump().values() if isinstance(value, int | float)} == {7}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_bad_value_is_refused_by_name(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_POLL_INTERVAL_SECONDS", "0")
    with pytest.raises(ValidationError, match="poll_interval_seconds"):
        PREFIXES[prefix]()


def test_all_settings_hang_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_WORKER_CREATE_JOB_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_WORKER_CREATE_JOB_MAX_ATTEMPTS", "8")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_GCS_RETRY_SECONDS", "7")
    settings = GcpSettings()
    assert settings.cloud_run_v2.worker.create_job_max_attempts == 9
    assert settings.cloud_run.worker.create_job_max_attempts == 8
    assert settings.gcs.retry_seconds == 7
