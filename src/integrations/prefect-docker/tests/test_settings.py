"""Environment variables change what operators may tune, and a bad value is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prefect_docker.settings import DockerSettings

PREFIX = "PREFECT_INTEGRATIONS_DOCKER_"


@pytest.mark.parametrize(
    ("variable", "default", "text", "value"),
    [
        ("OVERRIDES", {}, '{"gpus": "all", "mem_limit": "8g"}', {"gpus": "all", "mem_limit": "8g"}),
        ("MAX_CONCURRENT_CALLS", 16, "4", 4),
        ("MAX_CONCURRENT_PULLS", 8, "1", 1),
        ("WATCH_INTERVAL_SECONDS", 15.0, "2.5", 2.5),
        ("POLL_INTERVAL_SECONDS", 2.0, "1", 1.0),
        ("CANCELLATION_GRACE_SECONDS", 60.0, "0", 0.0),
        ("STOP_GRACE_SECONDS", 30, "5", 5),
        ("REPORT_GRACE_SECONDS", 60.0, "10", 10.0),
        ("CRASH_LOG_LINES", 50, "0", 0),
        ("RECONCILE_AFTER_SECONDS", 120.0, "1", 1.0),
        ("RECONCILE_INTERVAL_SECONDS", 60.0, "5", 5.0),
        ("REMOVE_AFTER_SECONDS", None, "86400", 86400.0),
        ("KEEP_COUNT", None, "100", 100),
        ("KEEP_FAILED", False, "true", True),
        ("COLLECT_INTERVAL_SECONDS", 300.0, "60", 60.0),
    ],
)
def test_a_variable_sets_its_field(
    variable: str, default: Any, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> Any:
        return getattr(DockerSettings().worker, variable.lower())

    assert read() == default
    monkeypatch.setenv(f"{PREFIX}WORKER_{variable}", text)
    assert read() == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("OVERRIDES", '{"image": "mine"}'),
        ("OVERRIDES", '{"env": {"A": "1"}}'),
        ("MAX_CONCURRENT_CALLS", "0"),
        ("WATCH_INTERVAL_SECONDS", "0"),
        ("KEEP_COUNT", "-1"),
        ("CRASH_LOG_LINES", "100000"),
    ],
)
def test_a_bad_value_is_refused_by_name(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}WORKER_{variable}", text)
    with pytest.raises(ValidationError) as caught:
        DockerSettings()
    assert any(variable.lower() == str(error["loc"][-1]) for error in caught.value.errors())
