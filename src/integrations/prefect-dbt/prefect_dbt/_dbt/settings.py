"""What operators set for the way in which dbt is started."""

from __future__ import annotations

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class ForkServerSettings(PrefectBaseSettings):
    """Settings of the process that dbt is forked from: `PREFECT_INTEGRATIONS_DBT_FORK_SERVER_*`."""

    model_config = build_settings_config(("integrations", "dbt", "fork_server"))

    enabled: bool = Field(
        default=True,
        description="Whether a process that has imported dbt is kept, so that the next invocation need not. On Linux.",
    )
    idle_seconds: float = Field(
        default=60.0, gt=0, description="Seconds for which that process waits for the next invocation."
    )
