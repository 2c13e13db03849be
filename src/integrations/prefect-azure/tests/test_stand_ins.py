"""What users' tests put in the place of Azure's SDKs is used: classes in our modules, clients of credentials."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY, AsyncMock, MagicMock, patch

import pytest
from azure.core.exceptions import ResourceNotFoundError

from prefect_azure import (
    AzureBlobStorageContainer,
    AzureBlobStorageCredentials,
    AzureContainerInstanceCredentials,
    AzureCosmosDbCredentials,
    AzureMlCredentials,
    credentials,
    ml_datastore,
    plugins,
)
from prefect_azure.blob_storage import blob_storage_download, blob_storage_list, blob_storage_upload
from prefect_azure.bundles.execute import execute_bundle_from_azure_blob_storage
from prefect_azure.bundles.upload import upload_bundle_to_azure_blob_storage
from prefect_azure.cosmos_db import cosmos_db_query_items
from prefect_azure.deployments import steps
from prefect_azure.errors import BlobNotFound
from prefect_azure.ml_datastore import ml_get_datastore, ml_list_datastores

HERE = "prefect_azure.credentials"
TEXT = "AccountName=account_name;AccountKey=account_key"  # as many a test has it: the key is none
COSMOS = "AccountEndpoint=https://nobody.invalid:443/;AccountKey=a_key;"
ACCOUNT = "https://account.blob.core.windows.net"
PRINCIPAL = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}
ML = {
    "tenant_id": "t",
    "service_principal_id": "c",
    "service_principal_password": "s",
    "subscription_id": "sub",
    "resource_group": "g",
    "workspace_name": "w",
}


@pytest.fixture
def block() -> AzureBlobStorageCredentials:
    """Credentials that lead nowhere."""
    return AzureBlobStorageCredentials(connection_string=TEXT)  # pyright: ignore[reportArgumentType]


# Classes of the SDKs, by the names that our modules have them under


def test_a_client_needs_no_key_that_is_one(block: AzureBlobStorageCredentials) -> None:
    assert block.get_client().account_name == "account_name"
    assert block.get_blob_client("c", "b").blob_name == "b"
    assert block.get_container_client("c").container_name == "c"


@pytest.mark.parametrize(
    ("name", "get", "given"),
    [
        ("BlobServiceClient", lambda block: block.get_client(), {}),
        ("BlobClient", lambda block: block.get_blob_client("c", "b"), {"container_name": "c", "blob_name": "b"}),
        ("ContainerClient", lambda block: block.get_container_client("c"), {"container_name": "c"}),
    ],
)
async def test_a_class_of_blob_storage_is_replaced(
    block: AzureBlobStorageCredentials, name: str, get: Any, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with patch(f"{HERE}.{name}") as made:
        assert get(block) is made.from_connection_string.return_value
        made.from_connection_string.assert_called_once_with(TEXT, **given)
        by_address = AzureBlobStorageCredentials(account_url=ACCOUNT)
        with patch(f"{HERE}.ADefaultAzureCredential") as login:
            assert get(by_address) is made.return_value
        made.assert_called_once_with(account_url=ACCOUNT, credential=login.return_value, **given)
        await by_address.aclose()
        made.return_value.close.assert_called_once_with()
    with monkeypatch.context() as patches:
        patches.setattr(f"{HERE}.{name}.from_connection_string", lambda *_, **__: "mine")
        assert get(block) == "mine"
    with monkeypatch.context() as patches:
        patches.setattr(f"{HERE}.{name}", SimpleNamespace(from_connection_string=lambda *_, **__: SimpleNamespace()))
        assert type(get(block)) is SimpleNamespace
    assert type(get(block)).__name__ == name


async def test_tasks_use_a_class_that_was_replaced(block: AzureBlobStorageCredentials) -> None:
    with patch(f"{HERE}.BlobClient") as made:
        client = made.from_connection_string.return_value = AsyncMock()
        client.download_blob.return_value.readall.return_value = b"content"
        assert await blob_storage_download.fn("container", "blob", block) == b"content"


def test_a_service_principal_is_replaced() -> None:
    fields: Any = PRINCIPAL
    with patch(f"{HERE}.AClientSecretCredential") as login, patch(f"{HERE}.BlobServiceClient") as made:
        AzureBlobStorageCredentials(account_url=ACCOUNT, **fields).get_client()
    login.assert_called_once_with(tenant_id="t", client_id="c", client_secret="s")
    made.assert_called_once_with(account_url=ACCOUNT, credential=login.return_value)


@pytest.mark.parametrize(
    ("login", "given", "said"),
    [("ClientSecretCredential", PRINCIPAL, PRINCIPAL), ("DefaultAzureCredential", {}, {})],
    ids=["principal", "default"],
)
@pytest.mark.parametrize(
    ("client", "method"),
    [
        ("ContainerInstanceManagementClient", "get_container_client"),
        ("ResourceManagementClient", "get_resource_client"),
    ],
)
def test_classes_of_resource_manager_are_replaced(
    login: str, given: dict[str, Any], said: dict[str, str], client: str, method: str
) -> None:
    more = {"authority": "login.example"}
    for _ in range(2):  # what is made is not kept
        block = AzureContainerInstanceCredentials(**given, credential_kwargs=more)
        with patch(f"{HERE}.{login}") as logins, patch(f"{HERE}.{client}") as clients:
            assert getattr(block, method)("sub") is clients.return_value
        logins.assert_called_once_with(**said, **more)
        clients.assert_called_once_with(credential=logins.return_value, subscription_id="sub")
    assert type(getattr(block, method)("sub")).__name__ == client


def test_a_credential_that_was_kept_is_not_used_in_the_place_of_a_mock() -> None:
    block = AzureContainerInstanceCredentials()
    block.get_container_client("sub")
    for _ in range(2):
        with patch("azure.identity.DefaultAzureCredential") as made:
            block.get_container_client("sub")
            made.assert_called_once()


async def test_the_class_of_cosmos_db_is_replaced() -> None:
    block = AzureCosmosDbCredentials(connection_string=COSMOS)  # pyright: ignore[reportArgumentType]
    with patch(f"{HERE}.CosmosClient") as made:
        client = made.from_connection_string.return_value
        container = client.get_database_client.return_value.get_container_client.return_value
        container.query_items.return_value = [{"id": "1"}]
        assert block.get_client() is client
        assert await cosmos_db_query_items.fn("SELECT * FROM c", "Persons", "SampleDB", block) == [{"id": "1"}]
    made.from_connection_string.assert_called_with(COSMOS)
    with patch(f"{HERE}.CosmosClient") as made:
        by_address = AzureCosmosDbCredentials(account_url="https://nobody.invalid")
        assert by_address.get_client() is made.return_value
    made.assert_called_once_with("https://nobody.invalid", credential=ANY)


class TestMachineLearning:
    @pytest.fixture(autouse=True)
    def _sdk(self) -> None:
        pytest.importorskip("azureml.core", reason="azureml-core does not load on this Python", exc_type=ImportError)

    async def test_its_classes_are_replaced(self) -> None:
        block: Any = AzureMlCredentials(**ML)  # pyright: ignore[reportArgumentType]
        with (
            patch(f"{HERE}.Workspace") as workspace,
            patch(f"{HERE}.ServicePrincipalAuthentication") as login,
            patch("prefect_azure.ml_datastore.Datastore") as datastores,
        ):
            workspace.return_value.datastores = {"blobs": 1}
            assert block.get_workspace() is workspace.return_value
            login.assert_called_once_with(tenant_id="t", service_principal_id="c", service_principal_password="s")
            workspace.assert_called_once_with(
                subscription_id="sub", resource_group="g", workspace_name="w", auth=login.return_value
            )
            assert ml_list_datastores.fn(block) == {"blobs": 1}
            assert await ml_get_datastore.fn(block, "blobs") is datastores.get.return_value
            datastores.get.assert_called_once_with(workspace.return_value, "blobs")


async def test_the_credential_of_the_database_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_ENABLED", "true")
    with patch.object(plugins, "DefaultAzureCredential") as made:
        made.return_value.get_token = AsyncMock(return_value=SimpleNamespace(token="the-token"))
        params = plugins.set_database_connection_params("postgresql+asyncpg://u@h/d", None)
        assert await params["password"]() == "the-token"
    made.return_value.get_token.assert_awaited_once_with(plugins.OSSRDBMS_SCOPE)


@pytest.mark.parametrize(
    ("module", "name", "sdk"),
    [
        (credentials, "Workspace", "azureml.core.workspace"),
        (credentials, "CosmosClient", "azure.cosmos"),
        (ml_datastore, "Datastore", "azureml.core.datastore"),
        (steps, "ContainerClient", "azure.storage.blob"),
        (plugins, "DefaultAzureCredential", "azure.identity.aio"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_name_of_an_sdk_that_is_not_installed_is_not_there(
    module: Any, name: str, sdk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vars(module).pop(name, None)  # a test may have left it
    monkeypatch.setitem(sys.modules, sdk, None)
    assert not hasattr(module, name)


# Clients of a test's own


class Blob:
    """What keeps one blob, by the documented arguments alone."""

    def __init__(self, blobs: dict[str, bytes], key: str) -> None:
        self.blobs, self.key = blobs, key

    async def __aenter__(self) -> Any:
        return SimpleNamespace(upload_blob=self.upload_blob, download_blob=self.download_blob)

    async def __aexit__(self, *_: object) -> None:
        return None

    async def upload_blob(self, data: Any, overwrite: bool = False) -> None:
        self.blobs[self.key] = data if isinstance(data, bytes) else data.read()

    async def download_blob(self) -> Any:
        if self.key not in self.blobs:
            raise ResourceNotFoundError("There is none.")
        return SimpleNamespace(content_as_bytes=AsyncMock(return_value=self.blobs[self.key]))


class Container:
    """What keeps blobs."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []

    async def __aenter__(self) -> Container:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def get_blob_client(self, blob: str) -> Blob:
        return Blob(self.blobs, blob)

    async def list_blobs(self, **asked: Any) -> AsyncIterator[Any]:
        self.asked.append(asked)
        for key in sorted(self.blobs):
            if key.startswith(asked.get("name_starts_with", "")):
                yield SimpleNamespace(name=key)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Container:
    """What a test gives for each container."""
    kept = Container()
    monkeypatch.setattr(AzureBlobStorageCredentials, "get_container_client", lambda self, container: kept)
    return kept


async def test_a_client_of_containers_serves_the_whole_block(
    block: AzureBlobStorageCredentials, kept: Container, tmp_path: Path
) -> None:
    container = AzureBlobStorageContainer(container_name="c", credentials=block)
    await container.write_path("a/1", b"one")
    (tmp_path / "two").write_bytes(b"two")
    await container.upload_from_path(tmp_path / "two", "a/2")
    await container.upload_from_file_object(BytesIO(b"three"), "b/3")
    assert kept.blobs == {"a/1": b"one", "a/2": b"two", "b/3": b"three"}
    assert await container.read_path("a/1") == b"one"
    assert await container.list_blobs() == ["a/1", "a/2", "b/3"]
    await container.download_folder_to_path("a", tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["1", "2"]
    assert kept.asked == [{}, {"name_starts_with": "a/"}]
    with pytest.raises(BlobNotFound, match="'gone'"):
        await container.read_path("gone")


async def test_a_client_of_containers_serves_the_tasks(block: AzureBlobStorageCredentials, kept: Container) -> None:
    kept.blobs["a"] = b"1"
    listed = await blob_storage_list.fn("c", block, name_starts_with="a", include="tags", timeout=5)
    assert [blob.name for blob in listed] == ["a"]
    assert kept.asked == [{"name_starts_with": "a", "include": "tags", "timeout": 5}]


async def test_a_mock_is_entered_where_it_says_what_that_gives() -> None:
    stub = MagicMock()
    client = stub.get_blob_client.return_value.__aenter__.return_value
    client.upload_blob, client.download_blob = AsyncMock(), AsyncMock()
    client.download_blob.return_value.readall.return_value = b"content"
    for _ in range(2):
        assert await blob_storage_upload.fn(b"content", "container", stub, "blob", overwrite=True) == "blob"
        assert await blob_storage_download.fn("container", "blob", stub) == b"content"
    client.upload_blob.assert_awaited_with(b"content", overwrite=True)
    client.download_blob.assert_awaited_with()


async def test_a_mock_lists_as_it_was_told() -> None:
    stub, blobs = MagicMock(), [SimpleNamespace(name="a"), SimpleNamespace(name="b")]
    stub.get_container_client.return_value.list_blobs.return_value.__aiter__.return_value = blobs
    assert await blob_storage_list.fn("container", stub) == blobs
    stub.get_container_client.return_value.list_blobs.assert_called_once_with()


def test_what_is_missing_is_the_error_of_earlier_releases(block: AzureBlobStorageCredentials, kept: Container) -> None:
    container: Any = AzureBlobStorageContainer(container_name="c", credentials=block)
    with pytest.raises(RuntimeError) as caught:
        container.download_object_to_file_object("gone", BytesIO())
    assert isinstance(caught.value, ResourceNotFoundError)


# Steps


def test_steps_use_a_client_that_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text("x")
    with patch.object(steps, "ContainerClient") as made:
        client = made.from_connection_string.return_value.__enter__.return_value
        steps.push_to_azure_blob_storage("c", "folder", {"connection_string": TEXT})
        client.upload_blob.assert_called_once_with("folder/flow.py", ANY, overwrite=True)
        client.list_blobs.return_value = [SimpleNamespace(name="folder/sub/other.py")]
        client.download_blob.return_value.readinto.side_effect = lambda file: file.write(b"y")
        steps.pull_from_azure_blob_storage("c", "folder", {"connection_string": TEXT})
    made.from_connection_string.assert_called_with(TEXT, container_name="c")
    assert (tmp_path / "sub/other.py").read_text() == "y"


def test_steps_use_a_credential_that_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with patch.object(steps, "ContainerClient") as made, patch.object(steps, "DefaultAzureCredential") as login:
        made.return_value.list_blobs.return_value = []
        steps.pull_from_azure_blob_storage("c", "folder", {"account_url": ACCOUNT})
    made.assert_called_once_with(account_url=ACCOUNT, container_name="c", credential=login.return_value)


@pytest.mark.parametrize("kind", [AsyncMock, MagicMock])
def test_steps_of_bundles_take_a_block_that_a_test_loads(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    stub = MagicMock()
    client = stub.get_blob_client.return_value = AsyncMock()
    for module in ("upload", "execute"):
        blocks = SimpleNamespace(load=kind(return_value=stub))
        monkeypatch.setattr(f"prefect_azure.bundles.{module}.AzureBlobStorageCredentials", blocks)
    done = asyncio.run(upload_bundle_to_azure_blob_storage(tmp_path / "bundle.json", "c", "key", "name"))
    assert done == {"container": "c", "key": "key"}
    client.upload_blob.assert_awaited_once()
    client.download_blob.side_effect = ResourceNotFoundError("There is none.")
    with pytest.raises(BlobNotFound):
        asyncio.run(execute_bundle_from_azure_blob_storage("c", "key", "name"))
