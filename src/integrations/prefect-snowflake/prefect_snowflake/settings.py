"""What operators tune by environment variable, profile or `prefect.toml`: `PREFECT_INTEGRATIONS_SNOWFLAKE_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class SnowflakeSettings(PrefectBaseSettings):
    """Settings of all connections to Snowflake: `PREFECT_INTEGRATIONS_SNOWFLAKE_*`."""

    model_config = build_settings_config(("integrations", "snowflake"))

    login_timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        description="Seconds that a login may take, retries included; the connector's own limit when not given.",
    )
    query_tag_enabled: bool = Field(
        default=True,
        description="Whether queries carry a QUERY_TAG that names the flow run and the task run they belong to.",
    )
    cancel_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Seconds that the request may take that cancels a query nobody waits for."
    )
