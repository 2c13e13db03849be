"""What operators tune by environment variable."""

from __future__ import annotations

from typing import ClassVar

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field
from pydantic_settings import SettingsConfigDict  # noqa: TC002 - pydantic reads it


class DaskSettings(PrefectBaseSettings):
    """Settings of the Dask task runner: `PREFECT_INTEGRATIONS_DASK_*`."""

    model_config: ClassVar[SettingsConfigDict] = build_settings_config(("integrations", "dask"))

    no_worker_timeout_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Seconds that a flow waits for a task run while the cluster has no worker at all; then the task "
        "run is lost.",
    )
    close_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that closing a temporary cluster may take at the end of a flow run.",
    )
