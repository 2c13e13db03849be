"""Environment variables change what happens, and bad values are refused by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from prefect_dask.settings import DaskSettings


def test_the_defaults_are_those_of_the_guide() -> None:
    settings = DaskSettings()
    assert (settings.no_worker_timeout_seconds, settings.close_timeout_seconds) == (300, 30)


@pytest.mark.parametrize("name", ["no_worker_timeout_seconds", "close_timeout_seconds"])
def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = f"PREFECT_INTEGRATIONS_DASK_{name.upper()}"
    monkeypatch.setenv(variable, "2.5")
    assert getattr(DaskSettings(), name) == 2.5
    monkeypatch.setenv(variable, "0")
    with pytest.raises(ValidationError, match=name):
        DaskSettings()
