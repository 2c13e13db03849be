"""What tests of several rooms share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure import AzureBlobStorageCredentials

if TYPE_CHECKING:
    from prefect_azure.blob_storage import AzureBlobStorageContainer
    from prefect_integration_tests.backends.azurite import Azurite, AzuriteFront
    from prefect_integration_tests.backends.key_vault import KeyVault

_READ_BY_THE_SDK = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_", "DEFAULT_IDENTITY_")


@pytest.fixture
def clean_azure_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which no identity is to be found by variables."""
    for name in list(os.environ):
        if name.startswith(_READ_BY_THE_SDK):
            monkeypatch.delenv(name)


# Blob Storage: a server, a front that listens in, two engines


@dataclass(frozen=True)
class BehindBlobs:
    """The container behind a block, by whole keys."""

    client: Any

    @property
    def bucket(self) -> str:
        return self.client.container_name

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None, **options: Any) -> None:
        self.client.upload_blob(key, content, overwrite=True, metadata=metadata, **options)

    def get(self, key: str) -> bytes:
        return self.client.download_blob(key).readall()

    def keys(self) -> list[str]:
        return list(self.client.list_blob_names())

    def metadata(self, key: str) -> dict[str, str]:
        return self.client.get_blob_client(key).get_blob_properties().metadata

    def put_directory(self, key: str) -> None:
        """Store what an account with a hierarchical namespace shows for a directory."""
        self.put(key, b"", metadata={"hdi_isfolder": "true"})


@pytest.fixture
def blob_credentials(azurite: Azurite) -> AzureBlobStorageCredentials:
    """Credentials that reach the server."""
    return AzureBlobStorageCredentials(connection_string=azurite.connection_string)


@pytest.fixture
def container(azure_container: str, blob_credentials: AzureBlobStorageCredentials) -> AzureBlobStorageContainer:
    """A block on an empty container, with a folder."""
    from prefect_azure.blob_storage import AzureBlobStorageContainer

    return AzureBlobStorageContainer(container_name=azure_container, base_folder="base", credentials=blob_credentials)


@pytest.fixture
def behind(azurite: Azurite, azure_container: str) -> BehindBlobs:
    """The same container, without the block."""
    return BehindBlobs(azurite.client().get_container_client(azure_container))


@pytest.fixture
def fronted(container: AzureBlobStorageContainer, azurite_front: AzuriteFront) -> AzureBlobStorageContainer:
    """The same block, through a front that listens in and fails on demand."""
    credentials = AzureBlobStorageCredentials(connection_string=azurite_front.connection_string)
    return container.model_copy(update={"credentials": credentials})


@pytest.fixture
def data_lake(fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront) -> AzureBlobStorageContainer:
    """The same block, in an account that has a hierarchical namespace."""
    azurite_front.is_hierarchical = True
    return fronted


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine of folder transfers; a test that uses it runs once for each."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_NATIVE_TRANSFER", str(request.param == "native"))
    return request.param


# Key Vault


@pytest.fixture
def vault(empty_key_vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> KeyVault:
    """The vault, whose certificate is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(empty_key_vault.ca_bundle))
    return empty_key_vault
