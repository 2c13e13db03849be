"""The steps of bundles, as the suites of kit-tests call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from prefect_gcp.bundles.execute import execute_bundle_from_gcs
from prefect_gcp.bundles.upload import upload_bundle_to_gcs
from prefect_gcp.errors import GcpBundleRefused
from prefect_integration_tests.suites.bundle_steps import BundleStepsSuite


class GcsBundles(BundleStepsSuite):
    package = "prefect_gcp"
    scheme = "gs"
    block_option = "--gcp-credentials-block-name"
    refused_error = GcpBundleRefused

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind

    def upload_step(self, path: Path | str, bucket: str, key: str, block: str | None) -> Any:
        return upload_bundle_to_gcs(cast("Path", path), bucket, key, block)

    def execute_step(self, bucket: str, key: str, block: str | None, **options: Any) -> None:
        execute_bundle_from_gcs(bucket, key, block, **options)
