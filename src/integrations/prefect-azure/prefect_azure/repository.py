"""Azure DevOps repositories: pull a flow's code from Azure Repos or Azure DevOps Server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prefect.filesystems import ReadableDeploymentStorage
from pydantic import ConfigDict, Field, HttpUrl

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.git import GitAuth
from prefect_integration_kit.git_block import (
    TIMEOUT_SECONDS,
    CaBundle,
    Directories,
    GitIdentity,
    HostedRepositoryBlock,
    IncludeSubmodules,
    Lfs,
    Proxy,
    Reference,
    RepositoryUrl,
    SshKnownHosts,
    SshPrivateKey,
    TimeoutSeconds,
    Verify,
    backoff_of,
)

from .credentials import AzureDevopsCredentials

if TYPE_CHECKING:
    from prefect_integration_kit.waiting import Backoff

__all__ = [
    "CLONE_RETRY_MAX_DELAY_JITTER_SECONDS",
    "CLONE_RETRY_MIN_DELAY_JITTER_SECONDS",
    "CLONE_RETRY_MIN_DELAY_SECONDS",
    "MAX_CLONE_ATTEMPTS",
    "AzureDevopsCredentials",
    "AzureDevopsRepository",
]

MAX_CLONE_ATTEMPTS = 3
"""How often a pull is tried when Azure DevOps cannot be reached or is in trouble."""

CLONE_RETRY_MIN_DELAY_SECONDS = 1
"""Seconds between two attempts, at least."""

CLONE_RETRY_MIN_DELAY_JITTER_SECONDS = 0
"""Lower bound of the random part of that wait, in seconds."""

CLONE_RETRY_MAX_DELAY_JITTER_SECONDS = 3
"""Upper bound of the random part of that wait, in seconds."""

# https://learn.microsoft.com/en-us/azure/devops/repos/git/use-ssh-keys-to-authenticate
_CLOUD = re.compile(r"^https://dev\.azure\.com/(?P<organization>[^/]+)/(?P<project>[^/]+)/_git/")
_OLD_CLOUD = re.compile(
    r"^https://(?P<organization>[^./]+)\.visualstudio\.com/(?:DefaultCollection/)?(?P<project>[^/]+)/_git/",
    re.IGNORECASE,
)


class AzureDevopsRepository(QuickKey, HostedRepositoryBlock, ReadableDeploymentStorage):
    """Pull a flow's code from a git repository of Azure DevOps.

    Examples:
        Load a stored repository:
        ```python
        from prefect_azure.repository import AzureDevopsRepository

        azuredevops_repository_block = AzureDevopsRepository.load("BLOCK_NAME")
        ```

        Pull a folder of a private repository:
        ```python
        from prefect_azure import AzureDevopsCredentials, AzureDevopsRepository

        repository = AzureDevopsRepository(
            repository="https://dev.azure.com/myorg/myproject/_git/myrepo",
            reference="develop",
            credentials=AzureDevopsCredentials.load("BLOCK_NAME"),
        )
        repository.get_directory(from_path="flows", local_path="code")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Azure DevOps Repository"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-azure")

    repository: RepositoryUrl = Field(
        description="The address that Azure DevOps shows for cloning, such as "
        "https://dev.azure.com/myorg/myproject/_git/myrepo. Those of visualstudio.com, of Azure DevOps Server and of "
        "SSH do as well."
    )
    reference: Reference = Field(
        default=None,
        description="What to pull: a branch, a tag, a commit, or a reference such as refs/pull/1/merge. Without, the "
        "default branch.",
    )
    git_depth: int | None = Field(
        default=1,
        ge=1,
        description="How many commits of history to get. None is for all of it.",
    )
    credentials: AzureDevopsCredentials | None = Field(
        default=None,
        title="Credentials",
        description="Who asks: a personal access token, or an identity of Microsoft Entra ID. Public projects need "
        "none.",
    )
    include_submodules: IncludeSubmodules = False
    directories: Directories = None
    lfs: Lfs = None
    ssh_private_key: SshPrivateKey = None
    ssh_known_hosts: SshKnownHosts = None
    ca_bundle: CaBundle = None
    verify: Verify = True
    proxy: Proxy = None
    timeout_seconds: TimeoutSeconds = TIMEOUT_SECONDS

    def _identity(self) -> GitIdentity | None:
        if self.credentials is None:
            return None
        return GitIdentity(
            None if _is_empty(self.credentials) else self._auth, url_rewrites=_ssh_forms(self.repository)
        )

    def _auth(self) -> GitAuth | None:
        """Ask who we are. Azure DevOps takes both kinds of tokens in a header, Server also where it offers Kerberos."""
        credentials = self.credentials
        if credentials is None:
            return None
        token = credentials.token
        return GitAuth(credentials.get_auth_header()["Authorization"], *([token] if token is not None else []))

    def _backoff(self) -> Backoff:
        return backoff_of(globals())


def _is_empty(credentials: AzureDevopsCredentials) -> bool:
    """Say whether a block names nobody: a token is optional, for public projects."""
    if credentials.token is not None or credentials.own_credential is not None:
        return False
    return credentials.identity is None and credentials.identity_kind == "default"


def _ssh_forms(repository: str) -> tuple[tuple[str, str], ...]:
    """Say how submodules of the same project are written for SSH, so that they come over HTTP, with the credentials."""
    from prefect_integration_kit.git import parse_address

    url = parse_address(repository).url
    if (cloud := _CLOUD.match(url)) is not None:
        hosts = ("git@ssh.dev.azure.com:v3/", "ssh://git@ssh.dev.azure.com/v3/")
    elif (cloud := _OLD_CLOUD.match(url)) is not None:
        user = f"{cloud['organization']}@vs-ssh.visualstudio.com"
        hosts = (f"{user}:v3/", f"ssh://{user}/v3/")
    else:
        return ()
    return tuple((f"{host}{cloud['organization']}/{cloud['project']}/", cloud[0]) for host in hosts)
