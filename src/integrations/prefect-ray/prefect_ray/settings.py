"""What operators tune by environment variable."""

from __future__ import annotations

from typing import ClassVar

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field
from pydantic_settings import SettingsConfigDict  # noqa: TC002 - pydantic reads it


class RaySettings(PrefectBaseSettings):
    """Settings of the Ray task runner: `PREFECT_INTEGRATIONS_RAY_*`."""

    model_config: ClassVar[SettingsConfigDict] = build_settings_config(("integrations", "ray"))

    connect_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds that the port of an `address` may take to answer.",
    )
    max_pending_task_runs: int = Field(
        default=10_000,
        gt=0,
        description="Task runs that Ray holds at a time; `submit` waits for some of them to end when there are more.",
    )
    cancel_grace_seconds: float = Field(
        default=3.0,
        ge=0,
        description="Seconds that task runs which are cancelled have to end; then their workers are killed.",
    )
    flush_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Seconds that workers have at the end of a flow run to send logs and states to the Prefect API.",
    )
