"""Bundles go through Blob Storage unharmed or are refused, and the two steps run as Prefect calls them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core import exceptions as azure_exceptions

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.bundles._store import BlobBundleStore
from prefect_azure.errors import AzureAccessDenied, BlobNotFound, ContainerNotFound
from prefect_integration_kit.bundles import download_bundle
from prefect_integration_tests.backends._azurite_front import AzuriteFront
from prefect_integration_tests.suites import BundleSuite
from prefect_integration_tests.suites.bundle_steps import KEY, words

from ._bundles import BLOCK, BlobBundles

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azurite import Azurite


def save(name: str, connection_string: str) -> str:
    """Save a block; return its name."""
    block: Any = AzureBlobStorageCredentials(connection_string=connection_string)
    block.save(name, overwrite=True, _sync=True)
    return name


@pytest.fixture(scope="module", autouse=True)
def block(prefect_harness: None, azurite: Azurite) -> str:
    """Name of a saved block that reaches the store."""
    return save(BLOCK, azurite.connection_string)


@pytest.fixture(scope="module")
def one_front(azurite: Azurite) -> Iterator[AzuriteFront]:
    with AzuriteFront(azurite) as front:
        yield front


@pytest.fixture(scope="module")
def through_front(prefect_harness: None, one_front: AzuriteFront) -> str:
    """Name of a saved block that reaches the store through the front."""
    return save(f"{BLOCK}-fronted", one_front.connection_string)


@pytest.fixture
def front(one_front: AzuriteFront) -> AzuriteFront:
    """The front, without faults; nothing has arrived yet."""
    one_front.heal()
    one_front.requests.clear()
    return one_front


class TestBundles(BlobBundles, BundleSuite):
    missing_errors = (BlobNotFound, azure_exceptions.ResourceNotFoundError)
    missing_bucket_error = ContainerNotFound
    no_buckets = ("", "https://shop.blob.core.windows.net/bundles", "bundles/may")

    @pytest.fixture
    def saved_block(self, prefect_harness: None, monkeypatch: pytest.MonkeyPatch, block: str) -> str:
        return block

    def download(self, bucket: str, key: str, folder: Path, block: str | None) -> Path:
        return download_bundle(BlobBundleStore.open(bucket, block or ""), key, folder)

    def missing(self, bucket: str, key: str) -> str:
        return f"Blob {key!r} of container {bucket!r}"

    def test_a_block_must_be_named(self, behind: Any, file: Path) -> None:
        for call in (lambda: self.upload(file, behind.bucket, KEY, ""), lambda: self.execute(behind.bucket, KEY, "")):
            with pytest.raises(ValueError, match="azure_blob_storage_credentials_block_name is empty"):
                call()

    def test_a_request_that_is_denied_names_the_bundle(
        self, front: AzuriteFront, through_front: str, behind: Any, file: Path
    ) -> None:
        front.fail("*", status=403, times=None)
        for call in (
            lambda: self.upload(file, behind.bucket, KEY, through_front),
            lambda: self.execute(behind.bucket, KEY, through_front),
        ):
            with pytest.raises(AzureAccessDenied, match=self.missing(behind.bucket, KEY)):
                call()

    @pytest.mark.parametrize("fault", ["refused", "done but refused", "lost", "cut", "corrupted"])
    @pytest.mark.parametrize("size", [1000, 9 * 1024 * 1024], ids=["small", "in parts"])
    def test_a_single_failure_on_the_way_does_no_harm(
        self, front: AzuriteFront, through_front: str, behind: Any, tmp_path: Path, fault: str, size: int
    ) -> None:
        content = os.urandom(size)
        (tmp_path / "up").write_bytes(content)
        break_: dict[str, Callable[[Any], None]] = {
            "refused": lambda operation: front.fail(operation, status=503),
            "done but refused": lambda operation: front.fail(operation, status=503, after=True),
            "lost": front.lose,
            "cut": front.cut,
            "corrupted": front.corrupt,
        }
        uploads = ("upload",) if size == 1000 else ("block", "commit")
        for operation in ("download",) if fault == "corrupted" else (*uploads, "download"):
            break_[fault](operation)
        self.upload(tmp_path / "up", behind.bucket, KEY, through_front)
        assert self.download(behind.bucket, KEY, tmp_path / "down", through_front).read_bytes() == content
        assert behind.get(KEY) == content

    def test_azure_is_told_the_checksum_and_the_scope_that_encrypts(
        self, front: AzuriteFront, through_front: str, behind: Any, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = {**self.options(behind.bucket), self.block_option: through_front, "--encryption-scope": "shop"}
        assert self.run_main("upload", monkeypatch, *words(options), str(file)) == 0
        (request,) = front.seen("upload")
        assert request.headers["content-md5"] == base64.b64encode(hashlib.md5(file.read_bytes()).digest()).decode()
        assert request.headers["x-ms-encryption-scope"] == "shop"

    def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(
        self, front: AzuriteFront, through_front: str, behind: Any, tmp_path: Path
    ) -> None:
        content = os.urandom(9 * 1024 * 1024)
        (tmp_path / "up").write_bytes(content)
        self.upload(tmp_path / "up", behind.bucket, KEY)
        front.fail("download", status=412)
        assert self.download(behind.bucket, KEY, tmp_path / "down", through_front).read_bytes() == content
        downloads = front.seen("download")
        etag = behind.client.get_blob_client(KEY).get_blob_properties().etag
        # All parts are of one version.
        assert {request.headers.get("if-match") for request in downloads} == {None, etag}
