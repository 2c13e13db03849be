"""The tasks of Blob Storage do what their documentation says, called as users call them."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from prefect import flow

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import blob_storage_download, blob_storage_list, blob_storage_upload
from prefect_azure.errors import BlobExists, BlobNotFound, ContainerNotFound
from prefect_integration_tests.backends.azurite import AzuriteFront


async def test_what_is_uploaded_is_downloaded_and_listed(
    azure_container: str, blob_credentials: AzureBlobStorageCredentials
) -> None:
    name = await blob_storage_upload.fn(b"\x00\xff", azure_container, blob_credentials, blob="a/ü b.bin")
    assert name == "a/ü b.bin"
    assert await blob_storage_download.fn(azure_container, name, blob_credentials) == b"\x00\xff"
    (found,) = await blob_storage_list.fn(azure_container, blob_credentials)
    assert (found.name, found["name"], found["size"]) == (name, name, 2)


async def test_a_blob_without_a_name_gets_one_of_its_own(
    azure_container: str, blob_credentials: AzureBlobStorageCredentials
) -> None:
    names = {await blob_storage_upload.fn(b"x", azure_container, blob_credentials) for _ in range(3)}
    assert len(names) == 3
    assert {blob.name for blob in await blob_storage_list.fn(azure_container, blob_credentials)} == names


async def test_a_blob_that_is_there_is_kept_unless_overwrite_is_said(
    azure_container: str, blob_credentials: AzureBlobStorageCredentials
) -> None:
    await blob_storage_upload.fn(b"old", azure_container, blob_credentials, blob="k")
    with pytest.raises(BlobExists, match=r"'k'.*overwrite=True") as caught:
        await blob_storage_upload.fn(b"new", azure_container, blob_credentials, blob="k")
    assert isinstance(caught.value, ResourceExistsError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), ResourceExistsError)
    assert await blob_storage_download.fn(azure_container, "k", blob_credentials) == b"old"
    await blob_storage_upload.fn(b"new", azure_container, blob_credentials, blob="k", overwrite=True)
    assert await blob_storage_download.fn(azure_container, "k", blob_credentials) == b"new"


async def test_what_is_missing_is_named(azure_container: str, blob_credentials: AzureBlobStorageCredentials) -> None:
    with pytest.raises(BlobNotFound, match=rf"'gone'.*{azure_container}") as caught:
        await blob_storage_download.fn(azure_container, "gone", blob_credentials)
    assert isinstance(caught.value, ResourceNotFoundError)
    assert isinstance(caught.value, FileNotFoundError)
    for call in (
        blob_storage_download.fn("no-such-container", "b", blob_credentials),
        blob_storage_upload.fn(b"", "no-such-container", blob_credentials, blob="b"),
        blob_storage_list.fn("no-such-container", blob_credentials),
    ):
        with pytest.raises(ContainerNotFound, match=r"'no-such-container' does not exist.*devstoreaccount1"):
            await call


async def test_a_listing_is_filtered_and_told_more(
    azure_container: str, blob_credentials: AzureBlobStorageCredentials, behind: Any
) -> None:
    behind.put("a/1", b"1", metadata={"who": "me"}, tags={"kind": "log"})
    behind.put("b/2", b"22")
    behind.put_directory("a/dir")
    listed = await blob_storage_list.fn(azure_container, blob_credentials, name_starts_with="a/", include="tags")
    assert [(blob.name, blob.metadata, blob.tags) for blob in listed] == [("a/1", {"who": "me"}, {"kind": "log"})]
    paged = await blob_storage_list.fn(azure_container, blob_credentials, include=["metadata"], results_per_page=1)
    assert [blob.name for blob in paged] == ["a/1", "b/2"]


@pytest.mark.usefixtures("prefect_harness")
def test_a_sync_flow_calls_the_tasks_without_await(
    azure_container: str, blob_credentials: AzureBlobStorageCredentials
) -> None:
    @flow
    def move_a_blob() -> tuple[Any, Any]:
        name = blob_storage_upload(
            data=b"hello", container=azure_container, blob="data.csv", blob_storage_credentials=blob_credentials
        )
        data = blob_storage_download(container=azure_container, blob=name, blob_storage_credentials=blob_credentials)
        listed = blob_storage_list(container=azure_container, blob_storage_credentials=blob_credentials)
        return data, [blob["name"] for blob in listed]

    assert move_a_blob() == (b"hello", ["data.csv"])


@pytest.mark.usefixtures("prefect_harness")
def test_an_async_flow_awaits_them(azure_container: str, blob_credentials: AzureBlobStorageCredentials) -> None:
    @flow
    async def move_a_blob() -> bytes:
        name = await blob_storage_upload(b"hello", azure_container, blob_credentials)
        return await blob_storage_download.with_options(retries=2)(azure_container, name, blob_credentials)

    assert asyncio.run(move_a_blob()) == b"hello"


@pytest.mark.parametrize(
    ("container", "blob", "said"),
    [
        ("", "b", "Container name ''"),
        ("https://a.blob.core.windows.net/c", "b", "Give the bare name"),
        ("c/folder", "b", "without address and folders"),
        ("container", "", "0 characters"),
        ("container", "x" * 1025, "1025 characters"),
        ("container", "a/../b", "'..'"),
    ],
    ids=["no container", "address", "folder", "no blob", "long", "dots"],
)
async def test_bad_names_are_refused_before_a_request(
    azurite_front: AzuriteFront, container: str, blob: str, said: str
) -> None:
    credentials = AzureBlobStorageCredentials(connection_string=azurite_front.connection_string)
    with pytest.raises(ValueError, match=said):
        await blob_storage_download.fn(container, blob, credentials)
    assert azurite_front.requests == []


async def test_content_and_overwrite_of_the_wrong_type_are_refused(
    azure_container: str, blob_credentials: AzureBlobStorageCredentials
) -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="int; give bytes"):
        await blob_storage_upload.fn(wrong, azure_container, blob_credentials)
    with pytest.raises(TypeError, match="overwrite is 5"):
        await blob_storage_upload.fn(b"", azure_container, blob_credentials, overwrite=wrong)
    with pytest.raises(ValueError, match="blob is empty"):
        await blob_storage_upload.fn(b"", azure_container, blob_credentials, blob="")
