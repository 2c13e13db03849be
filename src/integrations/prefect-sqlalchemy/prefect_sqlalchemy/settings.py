"""What operators tune by environment variable: `PREFECT_INTEGRATIONS_SQLALCHEMY_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class SqlAlchemySettings(PrefectBaseSettings):
    """Settings of all connectors: `PREFECT_INTEGRATIONS_SQLALCHEMY_*`."""

    model_config = build_settings_config(("integrations", "sqlalchemy"))

    connect_retry_seconds: float = Field(
        default=5.0,
        ge=0,
        description="Seconds for which connecting to a server that does not answer, or is starting, is repeated.",
    )
