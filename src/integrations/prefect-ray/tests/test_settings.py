"""Environment variables change what happens, and bad values are refused by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from prefect_ray.settings import RaySettings


def test_the_defaults_are_those_of_the_guide() -> None:
    settings = RaySettings()
    assert (settings.connect_timeout_seconds, settings.max_pending_task_runs) == (10, 10_000)
    assert (settings.cancel_grace_seconds, settings.flush_timeout_seconds) == (3, 5)


@pytest.mark.parametrize(
    "name", ["connect_timeout_seconds", "max_pending_task_runs", "cancel_grace_seconds", "flush_timeout_seconds"]
)
def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = f"PREFECT_INTEGRATIONS_RAY_{name.upper()}"
    monkeypatch.setenv(variable, "2")
    assert getattr(RaySettings(), name) == 2
    monkeypatch.setenv(variable, "-1")
    with pytest.raises(ValidationError, match=name):
        RaySettings()
