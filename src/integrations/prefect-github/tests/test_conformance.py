"""What every integration must do, by the suites that all share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prefect_github import GitHubAppCredentials, GitHubCredentials, GitHubRepository
from prefect_integration_tests.leaks import new_canary
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from prefect.blocks.core import Block


def key_with(canary: str) -> str:
    """Write a private key that cannot be used, and holds the canary."""
    return f"-----BEGIN RSA PRIVATE KEY-----\n{canary}\n-----END RSA PRIVATE KEY-----\n"


class TestPackage(PackageSuite):
    package = "prefect_github"


class TestInterface(InterfaceSuite):
    package = "prefect_github"
    listed_modules = frozenset({"prefect_github.schemas.graphql_schema"})


class TestBlocks(BlockSuite):
    package = "prefect_github"
    alternatives = frozenset({"ssh_private_key"})

    def make(self, cls: type[Block], canary: str) -> Block:
        if cls is GitHubAppCredentials:
            return GitHubAppCredentials(app_id="7", private_key=key_with(canary), owner="shop")
        credentials = GitHubCredentials(token=canary, base_url="https://git.example.com")
        if cls is GitHubCredentials:
            return credentials
        return GitHubRepository(repository_url="https://git.example.com/shop/etl.git", credentials=credentials)


class TestCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary: str) -> GitHubCredentials:
        return GitHubCredentials(token=canary, base_url="https://git.example.com")


class TestAppCredentials(CredentialsSuite):
    @pytest.fixture
    def canary(self) -> str:
        """The key as a whole."""
        return key_with(new_canary())

    @pytest.fixture
    def credentials(self, canary: str) -> GitHubAppCredentials:
        return GitHubAppCredentials(app_id="7", private_key=canary, installation_id=1)
