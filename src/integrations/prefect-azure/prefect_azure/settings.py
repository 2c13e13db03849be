"""What operators tune by environment variable, profile or `prefect.toml`: `PREFECT_INTEGRATIONS_AZURE_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field

from prefect_azure.worker_settings import ContainerAppWorkerSettings, ContainerInstanceWorkerSettings


class PostgresManagedIdentitySettings(PrefectBaseSettings):
    """Sign-in of the Prefect server to its database by Microsoft Entra ID.

    The variables are `PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_*`.
    """

    model_config = build_settings_config(("integrations", "azure", "postgres", "managed_identity"))

    enabled: bool = Field(
        default=False, description="Whether the server's database password is a token of Microsoft Entra ID."
    )
    client_id: str | None = Field(
        default=None,
        description="Client ID of the user-assigned managed identity to sign in as; that of the environment, or the "
        "system-assigned one, when not set.",
    )


class PostgresSettings(PrefectBaseSettings):
    """Azure Database for PostgreSQL: `PREFECT_INTEGRATIONS_AZURE_POSTGRES_*`."""

    model_config = build_settings_config(("integrations", "azure", "postgres"))

    managed_identity: PostgresManagedIdentitySettings = Field(
        default_factory=PostgresManagedIdentitySettings, description="Sign-in by Microsoft Entra ID."
    )


class BlobSettings(PrefectBaseSettings):
    """How blobs and folders move to and from Blob Storage: `PREFECT_INTEGRATIONS_AZURE_BLOB_*`."""

    model_config = build_settings_config(("integrations", "azure", "blob"))

    max_concurrency: int = Field(
        default=32, ge=1, le=256, description="How many files of one folder are on their way at once."
    )
    part_mebibytes: int = Field(
        default=8, ge=1, le=100, description="Size in MiB of the parts that large blobs are moved in."
    )
    native_transfer: bool = Field(
        default=True, description="Whether folders are moved by obstore where it is installed (the extra `fast`)."
    )
    retry_seconds: float = Field(
        default=120.0,
        ge=0,
        description="For how long a request that fails on Azure's side, or for lack of a connection, is tried again. "
        "Zero tries once.",
    )


class AzureSettings(PrefectBaseSettings):
    """All settings of `prefect-azure`: `PREFECT_INTEGRATIONS_AZURE_*`."""

    model_config = build_settings_config(("integrations", "azure"))

    postgres: PostgresSettings = Field(default_factory=PostgresSettings, description="Azure Database for PostgreSQL.")
    blob: BlobSettings = Field(default_factory=BlobSettings, description="Blob Storage.")
    container_instance_worker: ContainerInstanceWorkerSettings = Field(
        default_factory=ContainerInstanceWorkerSettings, description="The Container Instances worker."
    )
    container_app_worker: ContainerAppWorkerSettings = Field(
        default_factory=ContainerAppWorkerSettings, description="The Container Apps worker."
    )
