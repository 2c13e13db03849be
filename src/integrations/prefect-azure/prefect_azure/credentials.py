"""Who we are at Azure: the blocks that hand out credentials, tokens and clients."""

from __future__ import annotations

import base64
import contextlib
import functools
import inspect
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import quote, urlsplit

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, PrivateAttr, SecretStr, model_validator

from prefect_integration_kit.blocks import QuickKey

from . import _clients, _identity
from ._identity_fields import (
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
    IdentityName,
    TenantIdField,
    check_all_or_none,
)
from ._stand_ins import sdk_class
from ._storage_account import split_sas

if TYPE_CHECKING:
    from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy
    from azure.keyvault.secrets import SecretClient
    from azure.mgmt.appcontainers import ContainerAppsAPIClient
    from azure.mgmt.containerinstance import ContainerInstanceManagementClient
    from azure.mgmt.resource import ResourceManagementClient
    from azure.storage.blob import BlobServiceClient as SyncBlobServiceClient
    from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient
    from azureml.core.workspace import Workspace
    from typing_extensions import Self

__all__ = [
    "HELP_FMT",
    "HELP_URLS",
    "AzureBlobStorageCredentials",
    "AzureContainerInstanceCredentials",
    "AzureCosmosDbCredentials",
    "AzureCredentials",
    "AzureDevopsCredentials",
    "AzureIdentityFields",
    "AzureMlCredentials",
    "IdentityName",
]

P = ParamSpec("P")
R = TypeVar("R")

# Names of the SDKs that can be imported from here, and where they are; importing them takes seconds.
_SDK_NAMES = {
    "AClientSecretCredential": ("azure.identity.aio", "ClientSecretCredential"),
    "ADefaultAzureCredential": ("azure.identity.aio", "DefaultAzureCredential"),
    "BlobClient": ("azure.storage.blob.aio", "BlobClient"),
    "BlobServiceClient": ("azure.storage.blob.aio", "BlobServiceClient"),
    "ClientSecretCredential": ("azure.identity", "ClientSecretCredential"),
    "ContainerClient": ("azure.storage.blob.aio", "ContainerClient"),
    "ContainerInstanceManagementClient": ("azure.mgmt.containerinstance", "ContainerInstanceManagementClient"),
    "CosmosClient": ("azure.cosmos", "CosmosClient"),
    "DefaultAzureCredential": ("azure.identity", "DefaultAzureCredential"),
    "ResourceManagementClient": ("azure.mgmt.resource.resources", "ResourceManagementClient"),
    "ServicePrincipalAuthentication": ("azureml.core.authentication", "ServicePrincipalAuthentication"),
    "Workspace": ("azureml.core.workspace", "Workspace"),
}

_INSTALLATION = "https://docs.prefect.io/integrations/prefect-azure#additional-installation-options"
HELP_URLS: dict[str, str] = dict.fromkeys(
    ("blob_storage", "container_apps", "cosmos_db", "key_vault", "ml_datastore"), _INSTALLATION
)
"""Where the installation of each extra is described."""
HELP_FMT = "{reason} See {url}."
"""What is said when the SDK of an extra is missing: the command that installs it, and where more is to be read."""


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return sdk_class(__name__, name, *_SDK_NAMES[name])


def _raise_help_msg(key: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Say which extra to install when the SDK that a method needs is missing.

    Args:
        key: Name of the extra, as in `prefect-azure[key]`.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def with_help(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except ImportError as exc:
                reason = str(exc)
                if "pip install" not in reason:  # the SDK is there, but something that it needs is not
                    reason = f'{method.__name__}: {exc}. Install it: pip install "prefect-azure[{key}]".'
                message = HELP_FMT.format(reason=f"{reason.rstrip('.')}.", url=HELP_URLS[key])
                raise ImportError(message, name=exc.name) from exc

        return with_help

    return decorate


_LOGO = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png")
_DOCUMENTATION = HttpUrl("https://docs.prefect.io/integrations/prefect-azure")
_ADOPTION = threading.Lock()


class _Opened:
    """The async clients that a block has handed out and that may still be open. It is no part of the block's value."""

    def __init__(self, owner: object = None) -> None:
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self._owner = None if owner is None else weakref.ref(owner)

    def is_of(self, block: object) -> bool:
        """Say whether it is the block's own: pydantic hands a copy that of the block that it was made from."""
        return self._owner is not None and self._owner() is block

    def add(self, client: Any) -> Any:
        with contextlib.suppress(TypeError):  # a test's stand-in may not be to be remembered
            self._clients.add(client)
        return client

    def take(self) -> list[Any]:
        clients = list(self._clients)
        self._clients.clear()
        return clients

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opened)

    def __hash__(self) -> int:
        return hash(_Opened)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Opened, ()

    def __copy__(self) -> _Opened:
        return _Opened()

    def __deepcopy__(self, _: Any) -> _Opened:
        return _Opened()


class AzureCredentials(QuickKey, AzureIdentityFields, Block):
    """Log in to Azure, for every service that takes Microsoft Entra identities.

    An empty block is
    [DefaultAzureCredential](https://learn.microsoft.com/en-us/python/api/overview/azure/identity-readme#defaultazurecredential):
    environment variables, workload identity, managed identity, Azure CLI, in that order.

    Nobody is asked when a block is made or loaded. Tokens are renewed before they expire, once for all threads; clients
    keep working meanwhile.

    Example:
        Load stored credentials and get a token:

        ```python
        from prefect_azure import AzureCredentials

        azure_credentials = AzureCredentials.load("BLOCK_NAME")
        token = azure_credentials.get_access_token()
        ```
    """

    _block_type_name = "Azure Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

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

    @_raise_help_msg("key_vault")
    def get_secret_client(self, vault_url: str) -> SecretClient:
        """Get a client of Key Vault's secrets.

        Equal blocks share one; it can be used from many threads.

        Args:
            vault_url: `https://name.vault.azure.net`, or only the name.

        Returns:
            An `azure.keyvault.secrets.SecretClient`.

        Raises:
            ImportError: If azure-keyvault-secrets is not installed; it names the extra to install.
            AzureCredentialsError: If the certificate cannot be read, or the identity gives no tokens.

        Example:
            ```python
            from prefect_azure import AzureCredentials

            client = AzureCredentials.load("BLOCK_NAME").get_secret_client("my-vault")
            password = client.get_secret("db-password").value
            ```
        """
        return _clients.secret_client(self, vault_url)


class AzureBlobStorageCredentials(QuickKey, AzureIdentityFields, Block):
    """Authenticate to an Azure storage account.

    Give one of these:

    1. `connection_string`, with the account's key or a shared access signature in it.
    2. `account_url` alone: DefaultAzureCredential finds an identity where the flow runs.
    3. `account_url` with `tenant_id`, `client_id` and `client_secret`: a service principal.
    4. `account_url` with `account_key`, `sas_token`, `certificate`, `federated_token_file` or `identity`.

    Nobody is asked when a block is made or loaded. Tokens are renewed before they expire, once for all threads.

    Attributes:
        account_url: Address of the storage account. Required for all but a connection string.
        connection_string: Connection string of the storage account. It says all, so nothing else is given with it.
        client_id: ID of the service principal; tenant_id and client_secret belong to it.
        tenant_id: Tenant of the service principal; client_id and client_secret belong to it.
        client_secret: Secret of the service principal; client_id and tenant_id belong to it.

    Example:
        Load stored credentials and download a blob:

        ```python
        from prefect_azure import AzureBlobStorageCredentials

        async def read_report() -> bytes:
            credentials = AzureBlobStorageCredentials.load("BLOCK_NAME")
            async with credentials.get_blob_client(container="reports", blob="daily.csv") as client:
                download = await client.download_blob()
                return await download.readall()
        ```
    """

    _block_type_name = "Azure Blob Storage Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    connection_string: SecretStr | None = Field(
        default=None, description='Connection string of the storage account, from its page "Access keys".'
    )
    account_url: str | None = Field(
        default=None,
        title="Account URL",
        description="Address of the storage account, such as https://ACCOUNT.blob.core.windows.net.",
    )
    client_id: ClientIdField = None
    tenant_id: TenantIdField = None
    client_secret: ClientSecretField = None
    account_key: SecretStr | None = Field(default=None, description="Key of the storage account.")
    sas_token: SecretStr | None = Field(
        default=None, description="Shared access signature: the text after the question mark of a SAS URL."
    )
    identity: IdentityField = None
    certificate: CertificateField = None
    certificate_password: CertificatePasswordField = None
    federated_token_file: FederatedTokenFileField = None
    cloud: CloudField = "public"
    authority: AuthorityField = None
    endpoints: EndpointsField = Field(default_factory=dict[str, str])

    _opened: Any = PrivateAttr(default_factory=_Opened)

    @model_validator(mode="before")
    @classmethod
    def check_connection_string_or_account_url(cls, values: Any) -> Any:
        """Validate authentication configuration.

        Valid configurations: connection_string only; account_url only (DefaultAzureCredential); account_url with
        client_id, tenant_id and client_secret (service principal), or with one of the other ways to log in.

        Args:
            values: The fields as they are given.

        Returns:
            The fields; a shared access signature at the end of account_url becomes sas_token.

        Raises:
            ValueError: If there is no account, or it is not clear how to log in.
        """
        if not isinstance(values, dict):
            return values  # what is no mapping is refused by the fields
        values = cast("dict[str, Any]", values)
        connection_string, account_url = values.get("connection_string"), values.get("account_url")
        if not connection_string and not account_url:
            raise ValueError("Must provide either a connection string or an account URL.")
        if connection_string and account_url:
            raise ValueError("Must provide either a connection string or account URL, but not both.")
        names = ("client_id", "tenant_id", "client_secret")
        check_all_or_none(values, names)
        others = (*names, "account_key", "sas_token", "certificate", "identity")
        if connection_string and (given := [name for name in others if values.get(name)]):
            raise ValueError(
                f"A connection string says how to log in; {' and '.join(given)} can be given with account_url only."
            )
        if isinstance(account_url, str):
            address, sas = split_sas(account_url)
            if sas:
                if values.get("sas_token"):
                    raise ValueError("account_url holds a shared access signature, and sas_token is given, too.")
                values = {**values, "account_url": address, "sas_token": sas}
        return values

    @property
    def identity_kind(self) -> IdentityName:
        """How this block logs in: `identity`, or what the other fields say."""
        if self.identity is None and self.own_credential is None:
            if self.account_key is not None:
                return "key"
            if self.sas_token is not None:
                return "sas"
        return super().identity_kind

    def _own_clients(self) -> _Opened:
        with _ADOPTION:
            if not self._opened.is_of(self):
                self._opened = _Opened(self)
            return self._opened

    @_raise_help_msg("blob_storage")
    def get_client(self) -> BlobServiceClient:
        """Get an authenticated asynchronous client of the storage account, to make other clients with.

        Returns:
            A new `azure.storage.blob.aio.BlobServiceClient`. Close it by `async with`, or all that this block has
            handed out by `aclose`.

        Raises:
            ImportError: If azure-storage-blob is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string or the certificate is malformed.

        Example:
            ```python
            from prefect_azure import AzureBlobStorageCredentials

            async def names_of_containers() -> list[str]:
                credentials = AzureBlobStorageCredentials.load("BLOCK_NAME")
                async with credentials.get_client() as client:
                    return [container.name async for container in client.list_containers()]
            ```
        """
        return self._own_clients().add(_clients.new_async_blob_service(self))

    @_raise_help_msg("blob_storage")
    def get_blob_client(self, container: str, blob: str) -> BlobClient:
        """Get an authenticated asynchronous client of one blob, to download and upload it.

        Args:
            container: Name of the container.
            blob: Name of the blob within the container.

        Returns:
            A new `azure.storage.blob.aio.BlobClient`, with connections of its own.

        Raises:
            ImportError: If azure-storage-blob is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string or the certificate is malformed.

        Example:
            ```python
            from prefect_azure import AzureBlobStorageCredentials

            async def size_of(blob: str) -> int:
                credentials = AzureBlobStorageCredentials.load("BLOCK_NAME")
                async with credentials.get_blob_client(container="reports", blob=blob) as client:
                    return (await client.get_blob_properties()).size
            ```
        """
        return self._own_clients().add(_clients.new_async_blob_client(self, container, blob))

    @_raise_help_msg("blob_storage")
    def get_container_client(self, container: str) -> ContainerClient:
        """Get an authenticated asynchronous client of one container.

        Args:
            container: Name of the container.

        Returns:
            A new `azure.storage.blob.aio.ContainerClient`, with connections of its own.

        Raises:
            ImportError: If azure-storage-blob is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string or the certificate is malformed.

        Example:
            ```python
            from prefect_azure import AzureBlobStorageCredentials

            async def names_of_blobs() -> list[str]:
                credentials = AzureBlobStorageCredentials.load("BLOCK_NAME")
                async with credentials.get_container_client(container="reports") as client:
                    return [blob.name async for blob in client.list_blobs()]
            ```
        """
        return self._own_clients().add(_clients.new_async_container_client(self, container))

    @_raise_help_msg("blob_storage")
    def get_sync_client(self) -> SyncBlobServiceClient:
        """Get an authenticated synchronous client of the storage account.

        Equal blocks share one; it can be used from many threads and is not to be closed.

        Returns:
            An `azure.storage.blob.BlobServiceClient`.

        Raises:
            ImportError: If azure-storage-blob is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string, the key or the certificate is malformed.

        Example:
            ```python
            from prefect_azure import AzureBlobStorageCredentials

            client = AzureBlobStorageCredentials.load("BLOCK_NAME").get_sync_client()
            names = [container.name for container in client.list_containers()]
            ```
        """
        return _clients.blob_service(self)

    async def aclose(self) -> None:
        """Close the clients that this block has handed out. The block can be used again."""
        for client in self._own_clients().take():
            closed = client.close()
            if inspect.isawaitable(closed):  # not what a mock says
                await closed

    async def __aenter__(self) -> Self:
        """Return the block; its clients are closed at the end."""
        return self

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        """Close the clients that this block has handed out."""
        await self.aclose()


class AzureCosmosDbCredentials(QuickKey, AzureIdentityFields, Block):
    """Authenticate to Azure Cosmos DB, by a connection string or by an identity.

    Attributes:
        connection_string: Connection string of the account. Required, unless account_url is given.

    Example:
        Load stored credentials:

        ```python
        from prefect_azure import AzureCosmosDbCredentials

        azure_credentials_block = AzureCosmosDbCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Azure Cosmos DB Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    connection_string: SecretStr | None = Field(
        default=None, description='Connection string of the Cosmos DB account, from its page "Keys".'
    )
    account_url: str | None = Field(
        default=None,
        title="Account URL",
        description=(
            "Address of the Cosmos DB account, such as https://ACCOUNT.documents.azure.com, to log in without a key."
        ),
    )
    client_id: ClientIdField = None
    tenant_id: TenantIdField = None
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
    def _check_account(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = cast("dict[str, Any]", values)
        if not values.get("connection_string") and not values.get("account_url"):
            raise ValueError("connection_string is required; or give account_url to log in without a key.")
        if values.get("connection_string") and values.get("account_url"):
            raise ValueError("Give either connection_string or account_url, but not both.")
        check_all_or_none(values, ("client_id", "tenant_id", "client_secret"))
        return values

    @_raise_help_msg("cosmos_db")
    def get_client(self) -> CosmosClient:
        """Get an authenticated client of the account, to make other clients with.

        Equal blocks share one; it can be used from many threads.

        Returns:
            An `azure.cosmos.CosmosClient`.

        Raises:
            ImportError: If azure-cosmos is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string is malformed.

        Example:
            ```python
            from prefect_azure import AzureCosmosDbCredentials

            client = AzureCosmosDbCredentials.load("BLOCK_NAME").get_client()
            names = [database["id"] for database in client.list_databases()]
            ```
        """
        return _clients.cosmos_client(self)

    def get_database_client(self, database: str) -> DatabaseProxy:
        """Get an authenticated client of one database.

        Args:
            database: Name of the database.

        Returns:
            An `azure.cosmos.DatabaseProxy`; whether the database exists is not looked up.

        Raises:
            ImportError: If azure-cosmos is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string is malformed.

        Example:
            ```python
            from prefect_azure import AzureCosmosDbCredentials

            database = AzureCosmosDbCredentials.load("BLOCK_NAME").get_database_client("shop")
            ```
        """
        return self.get_client().get_database_client(database=database)

    def get_container_client(self, container: str, database: str) -> ContainerProxy:
        """Get an authenticated client of one container, to query it.

        Args:
            container: Name of the container.
            database: Name of its database.

        Returns:
            An `azure.cosmos.ContainerProxy`; whether the container exists is not looked up.

        Raises:
            ImportError: If azure-cosmos is not installed; it names the extra to install.
            AzureCredentialsError: If the connection string is malformed.

        Example:
            ```python
            from prefect_azure import AzureCosmosDbCredentials

            orders = AzureCosmosDbCredentials.load("BLOCK_NAME").get_container_client("orders", "shop")
            ```
        """
        return self.get_database_client(database=database).get_container_client(container=container)


class AzureMlCredentials(QuickKey, AzureIdentityFields, Block):
    """Authenticate to Azure Machine Learning.

    With `identity`, `certificate` or `federated_token_file`, the password of the service principal may be empty.

    Attributes:
        tenant_id: ID of the Microsoft Entra tenant that the service principal belongs to.
        service_principal_id: ID of the service principal.
        service_principal_password: Secret of the service principal.
        subscription_id: ID of the Azure subscription that has the workspace.
        resource_group: Resource group that has the workspace.
        workspace_name: Name of the workspace, which must exist.

    Example:
        Load stored credentials:

        ```python
        from prefect_azure import AzureMlCredentials

        azure_ml_credentials_block = AzureMlCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "AzureML Credentials"
    _block_type_slug = "azureml-credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    tenant_id: str = Field(
        default=..., description="ID of the Microsoft Entra tenant that the service principal belongs to."
    )
    service_principal_id: str = Field(default=..., description="Client ID of the service principal.")
    service_principal_password: SecretStr = Field(default=..., description="Secret of the service principal.")
    subscription_id: str = Field(default=..., description="ID of the subscription that has the workspace.")
    resource_group: str = Field(default=..., description="Name of the resource group that has the workspace.")
    workspace_name: str = Field(default=..., description="Name of the workspace, which must exist.")
    identity: IdentityField = None
    certificate: CertificateField = None
    certificate_password: CertificatePasswordField = None
    federated_token_file: FederatedTokenFileField = None
    cloud: CloudField = "public"
    authority: AuthorityField = None
    endpoints: EndpointsField = Field(default_factory=dict[str, str])

    def principal(self) -> _identity.Principal:
        """Say which identity of Microsoft Entra ID this block names; nobody is asked."""
        password = self.service_principal_password
        return _identity.Principal(
            tenant_id=self.tenant_id or None,
            client_id=self.service_principal_id or None,
            client_secret=password if password.get_secret_value() else None,
        )

    @_raise_help_msg("ml_datastore")
    def get_workspace(self) -> Workspace:
        """Get the authenticated workspace, to use with Azure's datasets and datastores.

        Returns:
            An `azureml.core.workspace.Workspace`.

        Raises:
            ImportError: If azureml-core is not installed, or does not support this Python; it names what to do.
            AzureNotFound: If there is no such workspace.
            AzureCredentialsRefused: If the service principal is not accepted.

        Example:
            ```python
            from prefect_azure import AzureMlCredentials

            workspace = AzureMlCredentials.load("BLOCK_NAME").get_workspace()
            ```
        """
        from ._ml.workspaces import open_workspace

        return open_workspace(self)


class AzureContainerInstanceCredentials(QuickKey, AzureIdentityFields, Block):
    """Authenticate to Azure Container Instances and all of Azure Resource Manager.

    With `client_id`, `tenant_id` and `client_secret` a service principal logs in; without them DefaultAzureCredential
    finds an identity where the worker runs: environment variables, workload identity, managed identity, Azure CLI.

    Example:
        Load stored credentials:

        ```python
        from prefect_azure import AzureContainerInstanceCredentials

        aci_credentials = AzureContainerInstanceCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Azure Container Instance Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    client_id: ClientIdField = None
    tenant_id: TenantIdField = None
    client_secret: ClientSecretField = None
    credential_kwargs: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        title="Additional Credential Keyword Arguments",
        description="Further arguments of `ClientSecretCredential`, or of `DefaultAzureCredential`.",
    )
    identity: IdentityField = None
    certificate: CertificateField = None
    certificate_password: CertificatePasswordField = None
    federated_token_file: FederatedTokenFileField = None
    cloud: CloudField = "public"
    authority: AuthorityField = None
    endpoints: EndpointsField = Field(default_factory=dict[str, str])

    @model_validator(mode="before")
    @classmethod
    def validate_credential_kwargs(cls, values: Any) -> Any:
        """Validate that if any of `client_id`, `tenant_id`, or `client_secret` are provided, all are.

        Args:
            values: The fields as they are given.
        """
        if not isinstance(values, dict):
            return values
        values = cast("dict[str, Any]", values)
        check_all_or_none(values, ("client_id", "tenant_id", "client_secret"))
        return values

    def principal(self) -> _identity.Principal:
        """Say which identity of Microsoft Entra ID this block names; nobody is asked."""
        return _identity.Principal(
            tenant_id=self.tenant_id or None,
            client_id=self.client_id or None,
            client_secret=self.client_secret or None,
            options=dict(self.credential_kwargs),
        )

    def get_container_client(self, subscription_id: str) -> ContainerInstanceManagementClient:
        """Get a client of Azure Container Instances.

        Equal blocks share one; it can be used from many threads.

        Args:
            subscription_id: ID of the Azure subscription.

        Returns:
            An initialized `azure.mgmt.containerinstance.ContainerInstanceManagementClient`.

        Raises:
            AzureCredentialsError: If the certificate cannot be read.

        Example:
            ```python
            from prefect_azure import AzureContainerInstanceCredentials

            client = AzureContainerInstanceCredentials.load("BLOCK_NAME").get_container_client("SUBSCRIPTION_ID")
            names = [group.name for group in client.container_groups.list_by_resource_group("my-group")]
            ```
        """
        return _clients.container_instance_client(self, subscription_id)

    def get_resource_client(self, subscription_id: str) -> ResourceManagementClient:
        """Get a client of Azure Resource Manager.

        Equal blocks share one; it can be used from many threads.

        Args:
            subscription_id: ID of the Azure subscription.

        Returns:
            An initialized `azure.mgmt.resource.ResourceManagementClient`.

        Raises:
            AzureCredentialsError: If the certificate cannot be read.

        Example:
            ```python
            from prefect_azure import AzureContainerInstanceCredentials

            client = AzureContainerInstanceCredentials.load("BLOCK_NAME").get_resource_client("SUBSCRIPTION_ID")
            location = client.resource_groups.get("my-group").location
            ```
        """
        return _clients.resource_client(self, subscription_id)

    @_raise_help_msg("container_apps")
    def get_container_apps_client(self, subscription_id: str) -> ContainerAppsAPIClient:
        """Get a client of Azure Container Apps.

        Equal blocks share one; it can be used from many threads.

        Args:
            subscription_id: ID of the Azure subscription.

        Returns:
            An initialized `azure.mgmt.appcontainers.ContainerAppsAPIClient`.

        Raises:
            ImportError: If azure-mgmt-appcontainers is not installed; it names the extra to install.
            AzureCredentialsError: If the certificate cannot be read.

        Example:
            ```python
            from prefect_azure import AzureContainerInstanceCredentials

            client = AzureContainerInstanceCredentials.load("BLOCK_NAME").get_container_apps_client("SUBSCRIPTION_ID")
            names = [job.name for job in client.jobs.list_by_resource_group("my-group")]
            ```
        """
        return _clients.container_apps_client(self, subscription_id)


class AzureDevopsCredentials(QuickKey, AzureIdentityFields, Block):
    """Authenticate to Azure DevOps, by a personal access token or by an identity of Microsoft Entra ID.

    Attributes:
        token: A personal access token generated in Azure DevOps.

    Example:
        Load stored credentials:

        ```python
        from prefect_azure import AzureDevopsCredentials

        azuredevops_credentials = AzureDevopsCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "AzureDevops Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    token: SecretStr | None = Field(
        default=None,
        title="AzureDevops Personal Access Token",
        description="A personal access token generated in Azure DevOps.",
    )
    client_id: ClientIdField = None
    tenant_id: TenantIdField = None
    client_secret: ClientSecretField = None
    identity: IdentityField = None
    certificate: CertificateField = None
    certificate_password: CertificatePasswordField = None
    federated_token_file: FederatedTokenFileField = None
    cloud: CloudField = "public"
    authority: AuthorityField = None
    endpoints: EndpointsField = Field(default_factory=dict[str, str])

    def get_auth_header(self) -> dict[str, str]:
        """Get an HTTP Authorization header, for calls of Azure DevOps' REST API.

        Returns:
            `{"Authorization": "Basic …"}` of the token; `{"Authorization": "Bearer …"}` of the identity where the block
            has one instead.

        Raises:
            ValueError: If the block has neither.
            AzureCredentialsError: If Microsoft Entra ID does not accept the identity.

        Example:
            ```python
            import httpx
            from prefect_azure import AzureDevopsCredentials

            headers = AzureDevopsCredentials.load("BLOCK_NAME").get_auth_header()
            httpx.get("https://dev.azure.com/ORGANIZATION/_apis/projects", headers=headers)
            ```
        """
        if self.token is not None:
            encoded = base64.b64encode(f":{self.token.get_secret_value()}".encode()).decode()
            return {"Authorization": f"Basic {encoded}"}
        if self.identity_kind == "default" and self.identity is None and self.own_credential is None:
            raise ValueError(
                "The Azure DevOps credentials have no token. Give a personal access token, or identity='default' to "
                "log in with Microsoft Entra ID."
            )
        return {"Authorization": f"Bearer {_identity.access_token(self, _DEVOPS_SCOPE)}"}

    def format_git_credentials(self, url: str) -> str:
        """Write the credentials into the address of a repository, for Prefect's own `git_clone` step.

        `AzureDevopsRepository` needs no such address, and keeps the credentials out of it.

        Args:
            url: Address of the repository.

        Returns:
            The address with the token in it, if it is one over HTTP; the address itself otherwise.

        Raises:
            ValueError: If the block has neither a token nor an identity.
            AzureCredentialsError: If Microsoft Entra ID does not accept the identity.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            return url
        kind, _, value = self.get_auth_header()["Authorization"].partition(" ")
        token = base64.b64decode(value).decode().removeprefix(":") if kind == "Basic" else value
        host = parts.netloc.rpartition("@")[2]
        # Azure DevOps does not look at the user name, but git asks for one that is not empty.
        return parts._replace(netloc=f"pat:{quote(token, safe='')}@{host}").geturl()


# The application ID of Azure DevOps: https://learn.microsoft.com/en-us/rest/api/azure/devops/tokens/
_DEVOPS_SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
