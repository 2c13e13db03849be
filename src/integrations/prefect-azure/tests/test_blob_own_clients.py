"""Users' own credentials that make the clients themselves, and stubs in place of the block."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from prefect_azure import AzureBlobStorageContainer, AzureBlobStorageCredentials
from prefect_azure.blob_storage import blob_storage_download, blob_storage_list, blob_storage_upload
from prefect_azure.errors import BlobNotFound
from prefect_integration_tests.backends.azurite import Azurite


class OwnClient(AzureBlobStorageCredentials):
    """A service client from elsewhere."""

    _block_type_name = "Own Client"

    def get_client(self) -> Any:
        from azure.storage.blob.aio import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.client_secret.get_secret_value())  # pyright: ignore[reportOptionalMemberAccess]


class OwnClients(OwnClient):
    """A client of each kind from elsewhere."""

    _block_type_name = "Own Clients"

    def get_blob_client(self, container: str, blob: str) -> Any:
        return self.get_client().get_blob_client(container, blob)

    def get_container_client(self, container: str) -> Any:
        return self.get_client().get_container_client(container)


@pytest.mark.parametrize("cls", [OwnClient, OwnClients])
async def test_a_subclass_says_how_the_service_is_reached(
    cls: Any, azurite: Azurite, azure_container: str, tmp_path: Path
) -> None:
    # Nothing listens where the fields lead.
    own = cls(
        account_url="http://127.0.0.1:1/nobody", tenant_id="t", client_id="c", client_secret=azurite.connection_string
    )
    content = bytes(range(256)) * 40_000
    assert await blob_storage_upload.fn(content, azure_container, own, "large", overwrite=True) == "large"
    assert await blob_storage_download.fn(azure_container, "large", own) == content
    assert [blob.name for blob in await blob_storage_list.fn(azure_container, own)] == ["large"]

    block = AzureBlobStorageContainer(container_name=azure_container, base_folder="base", credentials=own)
    folder = tmp_path / "up"
    folder.mkdir()
    for index in range(20):
        (folder / f"{index}.txt").write_text(str(index))
    await block.put_directory(str(folder))
    await block.get_directory(None, str(tmp_path / "down"))
    assert sorted(path.name for path in (tmp_path / "down").iterdir()) == sorted(path.name for path in folder.iterdir())
    with pytest.raises(BlobNotFound, match="base/missing"):
        await block.read_path("missing")


async def test_a_stub_in_place_of_the_block_is_asked() -> None:
    stub = MagicMock()
    client = stub.get_blob_client.return_value = AsyncMock()
    client.download_blob.return_value = SimpleNamespace(readall=AsyncMock(return_value=b"content"))
    assert await blob_storage_download.fn("container", "blob", stub) == b"content"
    assert await blob_storage_upload.fn(b"content", "container", stub, "blob", overwrite=True) == "blob"
    assert client.upload_blob.await_args.kwargs["overwrite"] is True
