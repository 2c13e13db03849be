"""What every integration must do, by the suites that all share."""

import pytest

from prefect_acme import AcmeBucket, AcmeCredentials
from prefect_integration_tests.suites import (
    BlockSuite,
    CredentialsSuite,
    FileSystemSuite,
    PackageSuite,
)


class TestPackage(PackageSuite):
    package = "prefect_acme"


class TestBlocks(BlockSuite):
    package = "prefect_acme"

    def make(self, cls, canary):
        credentials = AcmeCredentials(api_token=canary)
        if cls is AcmeCredentials:
            return credentials
        return cls(bucket_name="b", bucket_folder="base", credentials=credentials)


class TestCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary):
        return AcmeCredentials(api_token=canary)


class TestBucket(FileSystemSuite):
    @pytest.fixture
    def filesystem(self, bucket: AcmeBucket):
        return bucket
