"""What operators tune by environment variable: `PREFECT_INTEGRATIONS_ACME_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class AcmeSettings(PrefectBaseSettings):
    """Settings of all requests to Acme: `PREFECT_INTEGRATIONS_ACME_*`."""

    model_config = build_settings_config(("integrations", "acme"))

    timeout_seconds: float = Field(default=30.0, gt=0, description="Seconds that one request may take.")
    retry_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds for which a request that fails for a moment is repeated.",
    )
