"""What operators tune by environment variable: `PREFECT_INTEGRATIONS_DATABRICKS_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class DatabricksSettings(PrefectBaseSettings):
    """Settings of all requests to Databricks: `PREFECT_INTEGRATIONS_DATABRICKS_*`."""

    model_config = build_settings_config(("integrations", "databricks"))

    timeout_seconds: float = Field(
        default=60.0, gt=0, description="Seconds to wait for each part of an answer from Databricks."
    )
    connect_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Seconds to wait until a connection to Databricks is open."
    )
    retry_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds for which a request that fails for a moment is repeated; with 0, it is sent once.",
    )
    contact_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Seconds for which Databricks may be out of reach until a wait for a run or statement fails.",
    )
    cancel_seconds: float = Field(
        default=60.0, ge=0, description="Seconds to wait until a run that was cancelled has ended."
    )
