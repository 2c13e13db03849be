"""Clients of Azure's SDKs, made once for each identity and kept.

A client is expensive (a connection pool, a serialiser) and safe to share between threads, so equal credentials share
one. An async client belongs to its event loop and is closed when that ends. The modules of an SDK are imported when the
first client is made.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Callable, Hashable
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.extras import require_extra
from prefect_integration_kit.kept import SharedValues

from ._endpoints import CLOUDS, Endpoint, endpoint_for
from ._identity import async_token_credential, fingerprint, plain_credential, token_credential
from ._sdk_logs import guard_sdk_logs
from ._stand_ins import client_class, stand_in
from ._storage_account import StorageAccount, storage_account
from ._transports import shared_transport

if TYPE_CHECKING:
    from .credentials import AzureBlobStorageCredentials, AzureCosmosDbCredentials, AzureIdentityFields

TIMEOUT_SECONDS = (10.0, 60.0)
"""For connecting, and for each wait for data."""
# What the SDK of Blob Storage reads at a time, where it makes the transport itself.
_STORAGE_BLOCK_BYTES = 256 * 1024
_MAX_CLIENTS = 128
_DISTRIBUTION = "prefect-azure"

_clients: SharedValues[Any] = SharedValues(_MAX_CLIENTS)
_clients_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClients] = weakref.WeakKeyDictionary()


class _LoopClients:
    """The async clients of one event loop; they are closed when the loop ends.

    `asyncio.run` and its like finish all async generators before they close the loop: one of ours waits for that.
    """

    def __init__(self) -> None:
        self.values: SharedValues[Any] = SharedValues(_MAX_CLIENTS)
        self.made: list[Any] = []
        self._closing: AsyncGenerator[None, None] | None = None

    async def watch(self) -> None:
        """Begin to wait for the end of the running loop."""
        if self._closing is None:
            self._closing = self._until_the_end()
            await anext(self._closing)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            made, self.made = self.made, []
            for client in made:
                await client.close()


def forget_clients() -> None:
    """Drop all kept clients; the next use makes new ones."""
    _clients.clear()
    _clients_of_loops.clear()


if hasattr(os, "register_at_fork"):
    # A forked child would share its parent's connections.
    os.register_at_fork(after_in_child=forget_clients)


def blob_service(block: AzureBlobStorageCredentials, **options: Any) -> Any:
    """The kept `azure.storage.blob.BlobServiceClient`.

    Args:
        block: Who we are.
        **options: Further arguments of the client.
    """

    def build() -> Any:
        module = require_extra("azure.storage.blob", distribution=_DISTRIBUTION, extra="blob-storage")
        account = storage_account(block)
        return module.BlobServiceClient(
            account_url=account.blob_url,
            credential=_storage_credential(block, account),
            transport=shared_transport(**common_options(), connection_data_block_size=_STORAGE_BLOCK_BYTES),
            **common_options(),
            **options,
        )

    return _keep(block, "blob", build, options)


def new_async_blob_service(block: AzureBlobStorageCredentials, **options: Any) -> Any:
    """A new `azure.storage.blob.aio.BlobServiceClient`; who asks for it closes it.

    Args:
        block: Who we are.
        **options: Further arguments of the client.
    """
    return _new_async_storage("BlobServiceClient", block, **options)


def new_async_container_client(block: AzureBlobStorageCredentials, container: str) -> Any:
    """A new `azure.storage.blob.aio.ContainerClient`; who asks for it closes it.

    Args:
        block: Who we are.
        container: Name of the container.
    """
    return _new_async_storage("ContainerClient", block, container_name=container)


def new_async_blob_client(block: AzureBlobStorageCredentials, container: str, blob: str) -> Any:
    """A new `azure.storage.blob.aio.BlobClient`; who asks for it closes it.

    Args:
        block: Who we are.
        container: Name of the container.
        blob: Name of the blob.
    """
    return _new_async_storage("BlobClient", block, container_name=container, blob_name=blob)


def _new_async_storage(client: str, block: AzureBlobStorageCredentials, **options: Any) -> Any:
    # Not made by another client: those share its connections, and closing them closes nothing.
    by_string = block.connection_string is not None
    if (own := client_class(client, "azure.storage.blob.aio", by_string=by_string)) is not None:
        return _storage_stand_in(own, block, options)
    module: Any = require_extra("azure.storage.blob.aio", distribution=_DISTRIBUTION, extra="blob-storage")
    guard_sdk_logs()
    # Whether the key is one, the first request says: many a test has a client by a key that is none.
    account = storage_account(block, checks_key=False)
    credential = _storage_credential(block, account, is_async=True)
    return getattr(module, client)(account_url=account.blob_url, credential=credential, **common_options(), **options)


def _storage_stand_in(make: Any, block: AzureBlobStorageCredentials, options: dict[str, Any]) -> Any:
    """A client of what a test has put in the place of the SDK's class."""
    if block.connection_string is not None:
        return make.from_connection_string(block.connection_string.get_secret_value(), **options)
    credential = _storage_credential(block, storage_account(block, checks_key=False), is_async=True)
    return make(account_url=block.account_url, credential=credential, **options)


async def async_blob_service(block: AzureBlobStorageCredentials, **options: Any) -> Any:
    """The kept `azure.storage.blob.aio.BlobServiceClient` of the running event loop; it is closed with the loop.

    Args:
        block: Who we are.
        **options: Further arguments of the client.
    """
    return await _keep_in_loop(block, "blob", lambda: new_async_blob_service(block, **options), options)


def data_lake_service(block: AzureBlobStorageCredentials, **options: Any) -> Any:
    """The kept `azure.storage.filedatalake.DataLakeServiceClient`.

    Args:
        block: Who we are.
        **options: Further arguments of the client.
    """

    def build() -> Any:
        module = require_extra("azure.storage.filedatalake", distribution=_DISTRIBUTION, extra="data-lake")
        account = storage_account(block)
        return module.DataLakeServiceClient(
            account_url=account.dfs_url, credential=_storage_credential(block, account), **common_options(), **options
        )

    return _keep(block, "dfs", build, options)


def container_instance_client(block: AzureIdentityFields, subscription_id: str) -> Any:
    """The kept `azure.mgmt.containerinstance.ContainerInstanceManagementClient`.

    Args:
        block: Who we are.
        subscription_id: The subscription.
    """

    def build() -> Any:
        from azure.mgmt.containerinstance import ContainerInstanceManagementClient

        return _management(ContainerInstanceManagementClient, block, subscription_id)

    if (own := stand_in("ContainerInstanceManagementClient")) is not None:
        return own(credential=plain_credential(block), subscription_id=subscription_id)
    return _keep(block, "container-instance", build, {"subscription_id": subscription_id})


def resource_client(block: AzureIdentityFields, subscription_id: str) -> Any:
    """The kept `ResourceManagementClient` of azure-mgmt-resource.

    Args:
        block: Who we are.
        subscription_id: The subscription.
    """

    def build() -> Any:
        try:
            from azure.mgmt.resource.resources import ResourceManagementClient
        except ImportError:  # the layout of other major versions
            import azure.mgmt.resource as layout

            ResourceManagementClient = cast("Any", layout).ResourceManagementClient  # noqa: N806
        return _management(ResourceManagementClient, block, subscription_id)

    if (own := stand_in("ResourceManagementClient")) is not None:
        return own(credential=plain_credential(block), subscription_id=subscription_id)
    return _keep(block, "resource", build, {"subscription_id": subscription_id})


def container_apps_client(block: AzureIdentityFields, subscription_id: str) -> Any:
    """The kept `azure.mgmt.appcontainers.ContainerAppsAPIClient`.

    Args:
        block: Who we are.
        subscription_id: The subscription.
    """

    def build() -> Any:
        module = require_extra("azure.mgmt.appcontainers", distribution=_DISTRIBUTION, extra="container-apps")
        return _management(module.ContainerAppsAPIClient, block, subscription_id)

    return _keep(block, "container-apps", build, {"subscription_id": subscription_id})


def secret_client(block: AzureIdentityFields, vault_url: str) -> Any:
    """The kept `azure.keyvault.secrets.SecretClient`.

    Args:
        block: Who we are.
        vault_url: `https://name.vault.azure.net`, or only the name.
    """

    def build() -> Any:
        module = require_extra("azure.keyvault.secrets", distribution=_DISTRIBUTION, extra="key-vault")
        endpoint = endpoint_for(block.endpoints, "keyvault")
        if endpoint is not None:
            url = endpoint.url
        elif "://" in vault_url:
            url = vault_url.rstrip("/")
        else:
            url = f"https://{vault_url.strip('/').split('.')[0]}.{CLOUDS[block.cloud].keyvault_suffix}"
        return module.SecretClient(
            vault_url=url,
            credential=token_credential(block),
            # A vault at an address of our own names Azure's public one as the audience of tokens.
            verify_challenge_resource=endpoint is None,
            transport=shared_transport(**common_options()),
            **common_options(),
        )

    return _keep(block, "key-vault", build, {"vault_url": vault_url})


def service_bus_client(block: AzureIdentityFields, namespace: str, **options: Any) -> Any:
    """A new `azure.servicebus.ServiceBusClient`; who asks for it closes it, since its connections are stateful.

    Args:
        block: Who we are.
        namespace: `name.servicebus.windows.net`, or only the name.
        **options: Further arguments of the client.
    """
    module = require_extra("azure.servicebus", distribution=_DISTRIBUTION, extra="service-bus")
    endpoint = endpoint_for(block.endpoints, "servicebus")
    host = namespace if "." in namespace else f"{namespace}.{CLOUDS[block.cloud].servicebus_suffix}"
    if endpoint is not None:
        options.setdefault("custom_endpoint_address", endpoint.url)
    return module.ServiceBusClient(host, token_credential(block), **options)


def cosmos_client(block: AzureCosmosDbCredentials) -> Any:
    """The kept `azure.cosmos.CosmosClient`.

    Args:
        block: Who we are.
    """
    from ._cosmos.clients import open_client

    connection_string = block.connection_string
    own = client_class("CosmosClient", "azure.cosmos", by_string=connection_string is not None)
    if own is not None and connection_string is not None:
        return own.from_connection_string(connection_string.get_secret_value())
    if own is not None:
        return own(block.account_url, credential=plain_credential(block))
    return _keep(block, "cosmos", lambda: open_client(block), {})


def _keep(block: AzureIdentityFields, service: str, build: Callable[[], Any], options: dict[str, Any]) -> Any:
    def guarded() -> Any:
        client = build()
        guard_sdk_logs()
        return client

    return _clients.get((fingerprint(block), service, _key(options)), guarded)


async def _keep_in_loop(
    block: AzureIdentityFields, service: str, build: Callable[[], Any], options: dict[str, Any]
) -> Any:
    loop = asyncio.get_running_loop()
    kept = _clients_of_loops.get(loop)
    if kept is None:
        kept = _clients_of_loops[loop] = _LoopClients()
    await kept.watch()

    def building() -> Any:
        client = build()
        kept.made.append(client)
        return client

    return kept.values.get((fingerprint(block), service, _key(options)), building)


def _key(options: dict[str, Any]) -> Hashable:
    return tuple(sorted((name, repr(value)) for name, value in options.items()))


def common_options() -> dict[str, Any]:
    """What every client is told: how long it waits, who we are, whom it trusts."""
    options: dict[str, Any] = {
        "connection_timeout": TIMEOUT_SECONDS[0],
        "read_timeout": TIMEOUT_SECONDS[1],
        "user_agent": _DISTRIBUTION,
    }
    # `requests` reads it, aiohttp does not.
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        options["connection_verify"] = bundle
    return options


def _storage_credential(block: AzureBlobStorageCredentials, account: StorageAccount, *, is_async: bool = False) -> Any:
    if account.kind == "key":
        return {"account_name": account.name, "account_key": account.key}
    if account.kind == "sas":
        from azure.core.credentials import AzureSasCredential

        return AzureSasCredential(account.sas)
    if account.kind == "anonymous":
        return None
    return async_token_credential(block) if is_async else token_credential(block)


def _management(client: Any, block: AzureIdentityFields, subscription_id: str) -> Any:
    """A client of Azure Resource Manager in the block's cloud, or at its address."""
    cloud = CLOUDS[block.cloud]
    endpoint = endpoint_for(block.endpoints, "arm") or Endpoint(cloud.arm)
    credential = token_credential(block)
    options: dict[str, Any] = {**common_options(), "credential_scopes": [cloud.arm_scope]}
    options["transport"] = shared_transport(**common_options())
    if not endpoint.is_encrypted:
        options["authentication_policy"] = _loopback_policy(credential, cloud.arm_scope)
    return client(credential=credential, subscription_id=subscription_id, base_url=endpoint.url, **options)


def _loopback_policy(credential: Any, scope: str) -> Any:
    """Send tokens to a server on this machine without TLS, which the SDK refuses."""
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy

    class LoopbackTokenPolicy(cast("Any", BearerTokenCredentialPolicy)):
        def on_request(self, request: Any) -> None:
            request.context.options["enforce_https"] = False
            super().on_request(request)

    return LoopbackTokenPolicy(credential, scope)
