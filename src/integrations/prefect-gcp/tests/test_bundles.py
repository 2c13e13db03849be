"""Bundles go through Cloud Storage unharmed or are refused, and the two steps run as Prefect calls them."""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from google.api_core import exceptions as google_exceptions

from prefect_gcp import GcpCredentials
from prefect_gcp.errors import GcpAccessDenied, GcpBucketNotFound, GcpObjectNotFound
from prefect_integration_kit.bundles import download_bundle
from prefect_integration_tests.suites import BundleSuite
from prefect_integration_tests.suites.bundle_steps import KEY, words

from ._bundles import GcsBundles


@pytest.fixture(autouse=True)
def surroundings(gcs_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Google's client finds on a machine that may use the store."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.endpoint)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", gcs_server.project)


class TestBundles(GcsBundles, BundleSuite):
    missing_errors = (GcpObjectNotFound, google_exceptions.NotFound)
    missing_bucket_error = GcpBucketNotFound
    no_buckets = ("", "gs://bucket", "bucket/folder")

    @pytest.fixture
    def saved_block(
        self, prefect_harness: None, gcs_credentials: GcpCredentials, monkeypatch: pytest.MonkeyPatch
    ) -> str:
        gcs_credentials.save("gcs-bundle-store", overwrite=True)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
        return "gcs-bundle-store"

    def download(self, bucket: str, key: str, folder: Path, block: str | None) -> Path:
        from prefect_gcp.bundles._store import GcsBundleStore

        return download_bundle(GcsBundleStore.open(bucket, block), key, folder)

    @pytest.fixture
    def front(self, gcs_front: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        """A front that all requests go through from here on."""
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_front.endpoint)
        return gcs_front

    def test_a_request_that_is_denied_says_which_permission_is_missing(
        self, front: Any, behind: Any, file: Path
    ) -> None:
        front.fail("*", status=403, times=None)
        for call in (lambda: self.upload(file, behind.bucket, KEY), lambda: self.execute(behind.bucket, KEY)):
            with pytest.raises(GcpAccessDenied, match=rf"gs://{behind.bucket}/{KEY}.*storage\.objects\.get"):
                call()

    @pytest.mark.parametrize("fault", ["refused", "done but refused", "cut", "corrupted"])
    @pytest.mark.parametrize("size", [1000, 9 * 1024 * 1024], ids=["small", "in parts"])
    def test_a_single_failure_on_the_way_does_no_harm(
        self, front: Any, behind: Any, tmp_path: Path, fault: str, size: int
    ) -> None:
        content = os.urandom(size)
        (tmp_path / "up").write_bytes(content)
        break_: dict[str, Callable[[Any], None]] = {
            "refused": lambda operation: front.fail(operation, status=503),
            "done but refused": lambda operation: front.fail(operation, status=503, after=True),
            "cut": front.cut,
            "corrupted": front.corrupt,
        }
        operations = ("upload", "download") if fault == "corrupted" else ("upload", "metadata", "download")
        if (fault, size) == ("corrupted", 1000):
            operations = ("upload", "download")
        elif fault == "corrupted":
            operations = ("download",)  # what the front spoils of a resumable upload, the server does not notice
        for operation in operations:
            break_[fault](operation)
        self.upload(tmp_path / "up", behind.bucket, KEY)
        assert self.download(behind.bucket, KEY, tmp_path / "down", None).read_bytes() == content
        assert behind.get(KEY) == content

    def test_cloud_storage_is_told_the_checksum_and_the_key_that_encrypts(
        self, front: Any, behind: Any, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kms = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
        options = {**self.options(behind.bucket), "--kms-key-name": kms}
        assert self.run_main("upload", monkeypatch, *words(options), str(file)) == 0
        (request,) = front.seen("upload")
        checksum = base64.b64encode(google_crc32c.value(file.read_bytes()).to_bytes(4, "big")).decode()
        assert checksum.encode() in request.body
        assert request.query["kmsKeyName"] == kms
        assert "predefinedAcl" not in request.query

    def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(
        self, front: Any, behind: Any, file: Path, tmp_path: Path
    ) -> None:
        self.upload(file, behind.bucket, KEY)
        front.fail("download", status=412)
        assert self.download(behind.bucket, KEY, tmp_path / "down", None).read_bytes() == file.read_bytes()
        first, second = front.seen("download")
        assert int(first.query["ifGenerationMatch"]) > 0
        assert len(front.seen("metadata")) == 2
        assert second.query["ifGenerationMatch"]

    def test_a_python_that_google_warns_of_runs_the_steps_too(
        self, behind: Any, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sdk_module = "google.api_core._python_version_support"  # warns when the SDK is imported
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert self.run_main("upload", monkeypatch, *words(self.options(behind.bucket)), str(file)) == 0
            warnings.warn_explicit("This Python is old.", FutureWarning, "x.py", 1, module=sdk_module)
            with pytest.raises(FutureWarning):
                warnings.warn_explicit("This call is old.", FutureWarning, "x.py", 1, module="shop.flows")
