"""What every integration must do, by the suites that all share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_bitbucket import BitBucketCredentials, BitBucketRepository
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from prefect.blocks.core import Block


class TestPackage(PackageSuite):
    package = "prefect_bitbucket"


class TestInterface(InterfaceSuite):
    package = "prefect_bitbucket"


class TestBlocks(BlockSuite):
    package = "prefect_bitbucket"
    alternatives = frozenset({"ssh_private_key"})

    def make(self, cls: type[Block], canary: str) -> Block:
        credentials = BitBucketCredentials(token=canary, password=canary, username="ada")
        if cls is BitBucketCredentials:
            return credentials
        return BitBucketRepository(
            repository="https://bitbucket.example.com/scm/shop/etl.git", bitbucket_credentials=credentials
        )


class TestCloudCredentials(CredentialsSuite):
    get_client_kwargs: ClassVar[dict[str, Any]] = {"client_type": "cloud"}

    @pytest.fixture
    def credentials(self, canary: str) -> BitBucketCredentials:
        return BitBucketCredentials(token=canary)


class TestServerCredentials(CredentialsSuite):
    get_client_kwargs: ClassVar[dict[str, Any]] = {"client_type": "local"}

    @pytest.fixture
    def credentials(self, canary: str) -> BitBucketCredentials:
        return BitBucketCredentials(username="ada", password=canary, url="https://bitbucket.example.com")
