"""Who we are at dbt Cloud."""

from __future__ import annotations

from typing import Literal

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, SecretStr, field_validator

from prefect_integration_kit.blocks import QuickKey

from ._addresses import metadata_domain, origin
from .clients import DbtCloudAdministrativeClient, DbtCloudMetadataClient

__all__ = ["DbtCloudAdministrativeClient", "DbtCloudCredentials", "DbtCloudMetadataClient"]

LOGO_URL = (
    "https://images.ctfassets.net/gm98wzqotmnx/5zE9lxfzBHjw3tnEup4wWL/9a001902ed43a84c6c96d23b24622e19/"
    "dbt-bit_tm.png?h=250"
)
DOCUMENTATION_URL = "https://docs.prefect.io/integrations/prefect-dbt"


class DbtCloudCredentials(QuickKey, CredentialsBlock):
    """Authenticate to dbt Cloud by an API key.

    Attributes:
        api_key: API key, such as a [service token](https://docs.getdbt.com/docs/dbt-cloud-apis/service-tokens).
        account_id: ID of the dbt Cloud account, as it stands in the address of its pages.
        domain: Domain at which the account is used in the browser, such as `cloud.getdbt.com` or `emea.dbt.com`; see
            [regions](https://docs.getdbt.com/docs/cloud/about-cloud/access-regions-ip-addresses). `http://` may stand
            in front of it only for this machine.

    Example:
        Load saved credentials:
        ```python
        from prefect_dbt.cloud import DbtCloudCredentials

        dbt_cloud_credentials = DbtCloudCredentials.load("BLOCK_NAME")
        ```

        Trigger a job with a client:
        ```python
        from prefect_dbt.cloud import DbtCloudCredentials

        async def trigger() -> None:
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            async with credentials.get_administrative_client() as client:
                await client.trigger_job_run(job_id=1)
        ```

        Trigger a job in a flow:
        ```python
        from prefect import flow
        from prefect_dbt.cloud import DbtCloudCredentials
        from prefect_dbt.cloud.jobs import trigger_dbt_cloud_job_run

        @flow
        def trigger_dbt_cloud_job_run_flow():
            credentials = DbtCloudCredentials.load("BLOCK_NAME")
            trigger_dbt_cloud_job_run(dbt_cloud_credentials=credentials, job_id=1)
        ```
    """

    _block_type_name = "dbt Cloud Credentials"
    _logo_url = LOGO_URL  # pyright: ignore[reportAssignmentType]
    _documentation_url = DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    api_key: SecretStr = Field(
        title="API Key", description="API key, such as a service token, to authenticate to dbt Cloud with."
    )
    account_id: int = Field(title="Account ID", description="ID of the dbt Cloud account.")
    domain: str = Field(default="cloud.getdbt.com", description="Domain at which the account is used in the browser.")

    @field_validator("domain")
    @classmethod
    def _check_domain(cls, domain: str) -> str:
        origin(domain)
        return domain

    def get_administrative_client(self) -> DbtCloudAdministrativeClient:
        """Make a client of the administrative API; it connects when it is used.

        Returns:
            The client, to be used as an async context manager.

        Raises:
            ValueError: If `api_key` cannot be one.
        """
        return DbtCloudAdministrativeClient(
            api_key=self.api_key.get_secret_value(), account_id=self.account_id, domain=self.domain
        )

    def get_metadata_client(self) -> DbtCloudMetadataClient:
        """Make a client of the metadata API that goes with `domain`.

        Returns:
            The client.

        Raises:
            ValueError: If `api_key` cannot be one.
        """
        return DbtCloudMetadataClient(api_key=self.api_key.get_secret_value(), domain=metadata_domain(self.domain))

    def get_client(
        self, client_type: Literal["administrative", "metadata"]
    ) -> DbtCloudAdministrativeClient | DbtCloudMetadataClient:
        """Make a client of one of the APIs.

        Args:
            client_type: `administrative` or `metadata`.

        Returns:
            The client.

        Raises:
            ValueError: If there is no such API, or `api_key` cannot be one.
        """
        makers = {"administrative": self.get_administrative_client, "metadata": self.get_metadata_client}
        if client_type not in makers:
            raise ValueError(f"client_type is {client_type!r}; it must be 'administrative' or 'metadata'.")
        return makers[client_type]()
