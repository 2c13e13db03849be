"""The steps of bundles, as the suites of kit-tests call them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_aws.bundles.execute import execute_bundle_from_s3
from prefect_aws.bundles.upload import upload_bundle_to_s3
from prefect_aws.errors import AwsBundleRefused
from prefect_integration_tests.suites.bundle_steps import BundleStepsSuite


class S3Bundles(BundleStepsSuite):
    package = "prefect_aws"
    scheme = "s3"
    block_option = "--aws-credentials-block-name"
    refused_error = AwsBundleRefused
    deletes_after_run = False

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind

    def upload_step(self, path: Path | str, bucket: str, key: str, block: str | None) -> Any:
        return upload_bundle_to_s3(str(path), bucket, key, block)

    def execute_step(self, bucket: str, key: str, block: str | None, **options: Any) -> None:
        execute_bundle_from_s3(bucket, key, block, **options)
