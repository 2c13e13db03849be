"""The conformance suites: the package, its blocks and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect.blocks.core import Block  # noqa: TC002 - pytest reads annotations

from prefect_azure import (
    AzureBlobStorageContainer,
    AzureBlobStorageCredentials,
    AzureContainerInstanceCredentials,
    AzureCosmosDbCredentials,
    AzureCredentials,
    AzureDevopsCredentials,
    AzureDevopsRepository,
    AzureKeyVaultSecret,
    AzureMlCredentials,
    AzureServiceBusCredentials,
    ContainerAppJob,
    ServiceBusQueue,
)
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from collections.abc import Callable

TENANT = {"tenant_id": "t", "client_id": "c"}


def _blob(canary: str) -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(
        account_url="https://account.blob.core.windows.net", client_secret=canary, **TENANT
    )


def _azure(canary: str) -> AzureCredentials:
    return AzureCredentials(client_secret=canary, **TENANT)


def _instances(canary: str) -> AzureContainerInstanceCredentials:
    return AzureContainerInstanceCredentials(client_secret=canary, **TENANT)


def _bus(canary: str) -> str:
    return f"Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey={canary}"


class TestPackage(PackageSuite):
    package = "prefect_azure"
    light_allowed = frozenset({"prefect_docker"})  # registry credentials are a field of the workers, as published
    may_import = frozenset({"prefect_docker"})
    one_face = frozenset(
        {
            # Published as coroutines, which the modules' commands run.
            "prefect_azure.bundles.execute.execute_bundle_from_azure_blob_storage",
            "prefect_azure.bundles.upload.upload_bundle_to_azure_blob_storage",
            # It closes clients of an event loop, and is what `async with` calls.
            "prefect_azure.credentials.AzureBlobStorageCredentials.aclose",
            # Generators: `for` and `async for` say which face is meant.
            "prefect_azure._cosmos.query_tasks.cosmos_db_query_pages",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_azure"


class TestBlocks(BlockSuite):
    package = "prefect_azure"
    alternatives = frozenset({"sas_token", "certificate_password", "client_secret", "ssh_private_key"})

    def make(self, cls: type[Block], canary: str) -> Block:
        makers: dict[type[Block], Callable[[], Block]] = {
            AzureBlobStorageContainer: lambda: AzureBlobStorageContainer(container_name="c", credentials=_blob(canary)),
            AzureBlobStorageCredentials: lambda: _blob(canary),
            AzureContainerInstanceCredentials: lambda: _instances(canary),
            AzureCosmosDbCredentials: lambda: AzureCosmosDbCredentials(connection_string=canary),
            AzureCredentials: lambda: AzureCredentials(certificate=canary, certificate_password=canary, **TENANT),
            AzureDevopsCredentials: lambda: AzureDevopsCredentials(token=canary),
            AzureDevopsRepository: lambda: AzureDevopsRepository(
                repository="https://dev.azure.com/o/p/_git/r", credentials=AzureDevopsCredentials(token=canary)
            ),
            AzureKeyVaultSecret: lambda: AzureKeyVaultSecret(
                vault_url="https://v.vault.azure.net", secret_name="s", credentials=_azure(canary)
            ),
            AzureServiceBusCredentials: lambda: AzureServiceBusCredentials(connection_string=_bus(canary)),
            ServiceBusQueue: lambda: ServiceBusQueue(
                queue="q", credentials=AzureServiceBusCredentials(connection_string=_bus(canary))
            ),
            AzureMlCredentials: lambda: AzureMlCredentials(
                tenant_id="t",
                service_principal_id="c",
                service_principal_password=canary,
                workspace_name="w",
                subscription_id="s",
                resource_group="g",
            ),
            ContainerAppJob: lambda: ContainerAppJob(
                job_name="j", subscription_id="s", resource_group_name="g", credentials=_instances(canary)
            ),
        }
        return makers[cls]()


class TestAzureCredentials(CredentialsSuite):
    client_method = "get_secret_client"
    get_client_kwargs: ClassVar[dict[str, Any]] = {"vault_url": "https://name.vault.azure.net"}

    @pytest.fixture
    def credentials(self, canary: str) -> AzureCredentials:
        return _azure(canary)


class TestAzureContainerInstanceCredentials(CredentialsSuite):
    client_method = "get_container_client"
    get_client_kwargs: ClassVar[dict[str, Any]] = {"subscription_id": "s"}

    @pytest.fixture
    def credentials(self, canary: str) -> AzureContainerInstanceCredentials:
        return _instances(canary)


class TestAzureBlobStorageCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary: str) -> AzureBlobStorageCredentials:
        return _blob(canary)

    def close(self, client: Any) -> None:
        """Leave it: it is asynchronous and has not connected."""
