"""A block on the kit's git layer passes the suite of git repositories."""

from __future__ import annotations

from typing import Any

from prefect.filesystems import ReadableDeploymentStorage
from pydantic import ConfigDict, SecretStr

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.git import GitAccess, GitAuth, GitSource
from prefect_integration_kit.git_block import (
    TIMEOUT_SECONDS,
    CaBundle,
    Directories,
    GitRepositoryBlock,
    IncludeSubmodules,
    Lfs,
    Proxy,
    Reference,
    RepositoryUrl,
    SshKnownHosts,
    SshPrivateKey,
    TimeoutSeconds,
    Verify,
)
from prefect_integration_tests.backends.git_server import basic
from prefect_integration_tests.suites import GitRepositorySuite


class PlainGitRepository(QuickKey, GitRepositoryBlock, ReadableDeploymentStorage):
    """A repository of no host in particular."""

    model_config = ConfigDict(hide_input_in_errors=True)

    repository: RepositoryUrl
    reference: Reference = None
    git_depth: int | None = 1
    username: str = "user"
    token: SecretStr | None = None
    include_submodules: IncludeSubmodules = False
    directories: Directories = None
    lfs: Lfs = None
    ssh_private_key: SshPrivateKey = None
    ssh_known_hosts: SshKnownHosts = None
    ca_bundle: CaBundle = None
    verify: Verify = True
    proxy: Proxy = None
    timeout_seconds: TimeoutSeconds = TIMEOUT_SECONDS

    def _source(self) -> GitSource:
        return GitSource(
            self.repository,
            self.reference,
            self.git_depth,
            self.directories,
            self.include_submodules,
            self.lfs,
            GitAccess(
                GitAuth.basic(self.username, self.token) if self.token is not None else None,
                self.ca_bundle,
                self.verify,
                self.proxy,
                self.ssh_private_key,
                self.ssh_known_hosts,
            ),
            self.timeout_seconds,
        )


class TestPlainRepository(GitRepositorySuite):
    def make_block(self, url: str, token: str | None, **fields: Any) -> PlainGitRepository:
        return PlainGitRepository(repository=url, token=None if token is None else SecretStr(token), **fields)

    def authorization(self, token: str) -> str:
        return basic("user", token)
