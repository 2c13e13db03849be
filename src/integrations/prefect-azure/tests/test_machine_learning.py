"""The tasks of azure-ai-ml: datastores are listed, got, created, deleted and filled, by the SDK as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_azure import AzureBlobStorageCredentials, AzureMlCredentials, errors
from prefect_azure.machine_learning import (
    create_blob_datastore,
    delete_datastore,
    get_datastore,
    list_datastores,
    upload_to_datastore,
)
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azure_ml import AzureMl
from prefect_integration_tests.backends.azurite import Azurite

from ._ml import DATASTORES, blobs, credentials, credentials_for, datastore_on, lead, workspace

__all__ = ["blobs", "credentials", "workspace"]

pytest.importorskip("azure.ai.ml", exc_type=ImportError)
pytestmark = [
    pytest.mark.usefixtures("prefect_harness", "clean_azure_environment"),
    pytest.mark.xdist_group("azureml"),  # its import takes seconds: once is enough
    pytest.mark.filterwarnings("ignore"),  # of azure-ai-ml about itself
]


@pytest.fixture
def ml(workspace: AzureMl, monkeypatch: pytest.MonkeyPatch) -> AzureMl:
    """The workspace, where the SDKs look for it."""
    lead(monkeypatch, workspace)
    return workspace


@pytest.fixture
def museum(azurite: Azurite) -> AzureBlobStorageCredentials:
    """Credentials of another storage account, with a key."""
    text = f"DefaultEndpointsProtocol=https;AccountName=museum;AccountKey={azurite.account_key};"
    return AzureBlobStorageCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]


async def test_datastores_are_listed_and_got(credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl) -> None:
    ml.workspace().add(datastore_on(azurite, "other", "second"))
    assert [each.name for each in await list_datastores(credentials)] == ["blobs", "second"]
    default: Any = await get_datastore(credentials)
    second: Any = await get_datastore(credentials, "second")
    assert (default.name, second.container_name) == ("blobs", "other")
    assert azurite.account_key not in repr(vars(second.credentials))
    with pytest.raises(errors.AzureNotFound, match="Datastore 'third' of Azure ML workspace 'lab'"):
        await get_datastore(credentials, "third")
    assert not ml.refused  # no telemetry, no look for a metadata server


async def test_a_datastore_is_created_replaced_only_when_told_and_deleted(
    credentials: AzureMlCredentials, museum: AzureBlobStorageCredentials, azurite: Azurite, ml: AzureMl
) -> None:
    made: Any = await create_blob_datastore("training-images", credentials, museum, description="Scans")
    kept = ml.workspace().datastores["training_images"]
    assert (made.name, made.container_name, kept.description) == ("training_images", "training-images", "Scans")
    assert (kept.account, kept.endpoint, kept.credential) == ("museum", "core.windows.net", azurite.account_key)
    with pytest.raises(errors.AzureAlreadyExists, match=r"'training_images'.*overwrite=True"):
        await create_blob_datastore("others", credentials, museum, name="training_images")
    await create_blob_datastore("others", credentials, museum, name="training_images", overwrite=True)
    assert ml.workspace().datastores["training_images"].container == "others"
    await delete_datastore("training_images", credentials)
    await delete_datastore("training_images", credentials)
    assert list(ml.workspace().datastores) == ["blobs"]


async def test_a_datastore_may_keep_a_signature_or_no_secret(credentials: AzureMlCredentials, ml: AzureMl) -> None:
    url = "https://museum.blob.core.windows.net"
    for fields, kind in (({"sas_token": "sv=2024-01-01&sig=abc"}, "Sas"), ({}, "None")):
        blob_credentials = AzureBlobStorageCredentials(account_url=url, **fields)
        await create_blob_datastore("images", credentials, blob_credentials, overwrite=True)
        assert ml.workspace().datastores["images"].credential_type == kind


async def test_a_folder_is_uploaded_and_named_by_its_uri(
    credentials: AzureMlCredentials, blobs: Any, tmp_path: Path, ml: AzureMl
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.txt", "deep/b.txt"):
        (tmp_path / name).write_text(name)
    uri = await upload_to_datastore(tmp_path, credentials, target_path="/in")
    assert sorted(blobs.list_blob_names()) == ["in/a.txt", "in/deep/b.txt"]
    assert uri == (
        f"azureml://subscriptions/{ml.subscription_id}/resourcegroups/{ml.resource_group}"
        "/workspaces/lab/datastores/blobs/paths/in"
    )
    (tmp_path / "a.txt").write_text("new")
    await upload_to_datastore(tmp_path / "a.txt", credentials, target_path="in")
    assert blobs.download_blob("in/a.txt").readall() == b"a.txt"
    await upload_to_datastore(tmp_path / "a.txt", credentials, target_path="in", overwrite=True)
    assert blobs.download_blob("in/a.txt").readall() == b"new"


async def test_a_datastore_without_a_secret_is_filled_with_the_identity_of_the_block(
    ml: AzureMl, azure_identity: AzureIdentity, azurite_oauth: Azurite, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")
    container = azurite_oauth.new_container()
    ml.workspace().add(datastore_on(azurite_oauth, container, "bare", credential_type="None", credential=""))
    address = azurite_oauth.endpoint.rpartition("/")[0]
    credentials = credentials_for(ml, azure_identity, endpoints={"blob": address})
    await upload_to_datastore(tmp_path, credentials, name="bare")
    assert list(azurite_oauth.client().get_container_client(container).list_blob_names()) == ["a.txt"]
    assert not ml.calls_of("Datastores_ListSecrets")


def test_a_sync_flow_calls_them_without_await(credentials: AzureMlCredentials, blobs: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")

    @flow
    def work() -> Any:
        upload_to_datastore(tmp_path, credentials)
        found: Any = list_datastores(credentials)
        return [each.name for each in found]

    assert work() == ["blobs"]
    assert list(blobs.list_blob_names()) == ["a.txt"]


async def test_an_upload_that_fails_is_an_error(
    credentials: AzureMlCredentials, azurite: Azurite, ml: AzureMl, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")
    ml.workspace().add(datastore_on(azurite, "no-such-container", "gone"))
    with pytest.raises(errors.ContainerNotFound, match=r"File 'a.txt' of datastore 'gone'"):
        await upload_to_datastore(tmp_path, credentials, name="gone")
    ml.denied.add(f"{DATASTORES}listsecrets/action")
    with pytest.raises(errors.AzureAccessDenied, match="listsecrets/action"):
        await upload_to_datastore(tmp_path, credentials)


async def test_bad_input_is_refused_before_any_request(
    credentials: AzureMlCredentials, museum: AzureBlobStorageCredentials, ml: AzureMl
) -> None:
    with pytest.raises(FileNotFoundError, match="`path`: 'no-such' does not exist"):
        await upload_to_datastore("no-such", credentials)
    with pytest.raises(ValueError, match="`name`: 'a b' may have letters"):
        await create_blob_datastore("images", credentials, museum, name="a b")
    with pytest.raises(ValueError, match="`container_name` is empty"):
        await create_blob_datastore("", credentials, museum, name="a")
    for call in (get_datastore(credentials, " "), delete_datastore(" ", credentials)):
        with pytest.raises(ValueError, match="`name` is empty"):
            await call
    assert not ml.calls


async def test_what_is_missing_refused_or_denied_is_said(
    credentials: AzureMlCredentials,
    azure_identity: AzureIdentity,
    museum: AzureBlobStorageCredentials,
    ml: AzureMl,
    canary: str,
    no_canary_leaks: Any,
) -> None:
    from azure.core.exceptions import HttpResponseError

    missing = credentials_for(ml, azure_identity, workspace_name="other")
    with pytest.raises(errors.AzureNotFound, match="'other'") as raised:
        await create_blob_datastore("images", missing, museum)
    assert isinstance(raised.value, HttpResponseError)
    ml.denied.add(f"{DATASTORES}write")
    with pytest.raises(errors.AzureAccessDenied, match=r"Grant .*datastores/write"):
        await create_blob_datastore("images", credentials, museum)
    wrong = credentials_for(ml, azure_identity, service_principal_password=canary)
    with pytest.raises(errors.AzureCredentialsError) as refused:
        await list_datastores(wrong)
    no_canary_leaks.add_error(refused.value)


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut"])
async def test_a_short_failure_is_outlasted(
    credentials: AzureMlCredentials, museum: AzureBlobStorageCredentials, ml: AzureMl, when: Any
) -> None:
    ml.fail("Datastores_CreateOrUpdate", 503, when=when, retry_after_seconds=0)
    await create_blob_datastore("images", credentials, museum)
    assert sorted(ml.workspace().datastores) == ["blobs", "images"]
