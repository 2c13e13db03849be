"""The steps of bundles, as the suites of kit-tests call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from prefect_azure.bundles.execute import execute_bundle_from_azure_blob_storage
from prefect_azure.bundles.upload import upload_bundle_to_azure_blob_storage
from prefect_azure.errors import AzureBundleRefused
from prefect_integration_tests.suites.bundle_steps import BundleStepsSuite

BLOCK = "azure-bundle-store"


class BlobBundles(BundleStepsSuite):
    package = "prefect_azure"
    scheme = "azure"
    noun = "container"
    block_option = "--azure-blob-storage-credentials-block-name"
    block = BLOCK
    refused_error = AzureBundleRefused

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind

    def upload_step(self, path: Path | str, bucket: str, key: str, block: str | None) -> Any:
        return upload_bundle_to_azure_blob_storage(cast("Path", path), bucket, key, block or "")

    def execute_step(self, bucket: str, key: str, block: str | None, **options: Any) -> Any:
        return execute_bundle_from_azure_blob_storage(bucket, key, block or "", **options)
