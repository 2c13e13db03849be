"""Who we are at Service Bus, and of which namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, model_validator

from prefect_integration_kit.blocks import QuickKey

from .._identity_fields import (
    AuthorityField,
    AzureIdentityFields,
    CertificateField,
    CertificatePasswordField,
    ClientIdField,
    ClientSecretField,
    CloudField,
    EndpointsField,
    FederatedTokenFileField,
    IdentityField,
    TenantIdField,
    check_all_or_none,
)

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient


class AzureServiceBusCredentials(QuickKey, AzureIdentityFields, Block):
    """Log in to a Service Bus namespace, by a connection string or an identity of Microsoft Entra ID.

    Example:
        Load stored credentials:

        ```python
        from prefect_azure.service_bus import AzureServiceBusCredentials

        service_bus_credentials = AzureServiceBusCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Azure Service Bus Credentials"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-azure")

    connection_string: SecretStr | None = Field(
        default=None, description='Connection string of the namespace, from its page "Shared access policies".'
    )
    namespace: str | None = Field(
        default=None,
        description="Name or host of the namespace (NAME.servicebus.windows.net), to log in without a key.",
    )
    tenant_id: TenantIdField = None
    client_id: ClientIdField = None
    client_secret: ClientSecretField = None
    identity: IdentityField = None
    certificate: CertificateField = None
    certificate_password: CertificatePasswordField = None
    federated_token_file: FederatedTokenFileField = None
    cloud: CloudField = "public"
    authority: AuthorityField = None
    endpoints: EndpointsField = Field(default_factory=dict[str, str])

    @model_validator(mode="before")
    @classmethod
    def _check_namespace(cls, values: dict[str, Any]) -> dict[str, Any]:
        string, namespace = values.get("connection_string"), values.get("namespace")
        if not string and not namespace:
            raise ValueError("Give connection_string, or namespace to log in without a key.")
        if string and namespace:
            raise ValueError("connection_string and namespace are both given; the string names the namespace already.")
        if string:
            _check_connection_string(string.get_secret_value() if isinstance(string, SecretStr) else str(string))
        check_all_or_none(values, ("client_id", "tenant_id", "client_secret"))
        return values

    @property
    def host(self) -> str:
        """Host of the namespace; empty where the connection string names it."""
        from .connection import namespace_host

        return namespace_host(self.namespace, self.cloud) if self.namespace else ""

    def get_client(self) -> ServiceBusClient:
        """Get a client of the namespace; close it, or use it in a `with` block.

        Returns:
            An `azure.servicebus.ServiceBusClient`. Its links are not made for several threads.

        Raises:
            ImportError: If azure-servicebus is not installed; it names the extra to install.
        """
        from .connection import open_client

        return open_client(self)


def _check_connection_string(text: str) -> None:
    """Refuse what is none, without quoting it."""
    fields = {
        name.strip().lower(): value
        for name, separator, value in (part.partition("=") for part in text.strip().strip(";").split(";"))
        if separator
    }
    has_key = {"sharedaccesskeyname", "sharedaccesskey"} <= fields.keys()
    if not fields.get("endpoint", "").startswith("sb://") or not (has_key or "sharedaccesssignature" in fields):
        raise ValueError(
            "connection_string must have the form "
            "Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=NAME;SharedAccessKey=KEY. Copy it "
            'from the page "Shared access policies" of the namespace.'
        )
