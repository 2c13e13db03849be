"""What every integration must do, by the suites that all share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prefect_gitlab import GitLabCredentials, GitLabRepository
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from prefect.blocks.core import Block


class TestPackage(PackageSuite):
    package = "prefect_gitlab"


class TestInterface(InterfaceSuite):
    package = "prefect_gitlab"


class TestBlocks(BlockSuite):
    package = "prefect_gitlab"
    alternatives = frozenset({"access_token", "ssh_private_key"})

    def make(self, cls: type[Block], canary: str) -> Block:
        credentials = GitLabCredentials(token=canary, password=canary, url="https://git.example.com")
        if cls is GitLabCredentials:
            return credentials
        return GitLabRepository(repository="https://git.example.com/shop/etl.git", credentials=credentials)


class TestCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary: str) -> GitLabCredentials:
        return GitLabCredentials(token=canary, url="https://git.example.com")

    def close(self, client: object) -> None:
        client.session.close()  # pyright: ignore[reportAttributeAccessIssue]
