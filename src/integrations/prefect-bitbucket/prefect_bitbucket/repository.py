"""Bitbucket repositories: pull a flow's code from Bitbucket Cloud or from a Data Center."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.exceptions import InvalidRepositoryURLError
from prefect.filesystems import ReadableDeploymentStorage
from pydantic import ConfigDict, Field, HttpUrl, model_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.git import parse_address
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
)

from ._login import NO_APP_PASSWORDS, git_auth, is_app_password, is_cloud, plain_token, refuse_app_password, token_type
from .credentials import BitBucketCredentials

if TYPE_CHECKING:
    from typing_extensions import Self

    from prefect_integration_kit.git import GitAuth

__all__ = ["BitBucketCredentials", "BitBucketRepository"]


class BitBucketRepository(QuickKey, HostedRepositoryBlock, ReadableDeploymentStorage):
    """Pull a flow's code from a git repository at Bitbucket. An installation of git is needed.

    Examples:
        Load a stored repository:
        ```python
        from prefect_bitbucket import BitBucketRepository

        bitbucket_repository_block = BitBucketRepository.load("BLOCK_NAME")
        ```

        Pull a folder of a private repository at a tag:
        ```python
        from prefect_bitbucket import BitBucketCredentials, BitBucketRepository

        repository = BitBucketRepository(
            repository="https://bitbucket.org/my-workspace/my-repository.git",
            reference="v1.2.0",
            bitbucket_credentials=BitBucketCredentials.load("BLOCK_NAME"),
        )
        repository.get_directory(from_path="flows", local_path="code")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "BitBucket Repository"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/5d729f7355fb6828c4b605268ded9cfafab3ae4f-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-bitbucket")

    repository: RepositoryUrl = Field(
        description="The address that Bitbucket shows for cloning, of HTTPS or of SSH, such as "
        "https://bitbucket.org/workspace/repository.git or https://bitbucket.example.com/scm/project/repository.git."
    )
    reference: Reference = Field(
        default=None,
        description="What to pull: a branch, a tag, a commit, or, at a Data Center, a pull request such as "
        "pull-requests/7/from. Without, the default branch.",
    )
    bitbucket_credentials: BitBucketCredentials | None = Field(
        default=None, description="Who asks. Public repositories need nobody."
    )
    git_depth: int | None = Field(
        default=1,
        ge=1,
        description="How many commits of history to get. None is for all of it.",
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

    @model_validator(mode="after")
    def _goes_over_https(self) -> Self:
        """Refuse credentials for an address of SSH, which takes none: they would be of no use, in silence."""
        address = parse_address(self.repository)
        if self.bitbucket_credentials is not None and self.ssh_private_key is None and address.kind == "ssh":
            raise InvalidRepositoryURLError(
                f"repository {address.url!r} is an address of SSH, and credentials can only be used over HTTPS. Give "
                "the address that Bitbucket shows under HTTPS, or `ssh_private_key` in place of "
                "`bitbucket_credentials`."
            )
        return self

    def _identity(self) -> GitIdentity | None:
        credentials = self.bitbucket_credentials
        if credentials is None:
            return None
        refuse_app_password(credentials, self.repository)
        return GitIdentity(
            self._auth if git_auth(credentials) is not None else None,
            _advice(credentials, self.repository),
            credentials.ca_bundle,
            credentials.verify,
        )

    def _auth(self) -> GitAuth | None:
        return git_auth(self.bitbucket_credentials)


def _advice(credentials: BitBucketCredentials, url: str) -> str:
    """Say what Bitbucket wants of these credentials."""
    has_token = bool(plain_token(credentials))
    if is_app_password(credentials) or (is_cloud(url) and not has_token):
        return NO_APP_PASSWORDS
    if not has_token:
        return (
            "Check `username` and `password`; where the Data Center asks for a second factor, use an HTTP access token."
        )
    kind = token_type(credentials)
    if kind == "api":
        return (
            "An API token needs the scope read:repository:bitbucket; `username` is left empty, or is the one that "
            "Bitbucket shows under personal settings, never the e-mail address."
        )
    if kind == "access":
        return "An access token needs the permission to read repositories, and reads only those that it was made for."
    return (
        "A token of Bitbucket Cloud needs no `username`; the HTTP access token of a user at a Data Center needs "
        "theirs. Set `token_type` to 'api', 'access' or 'http' to say which it is."
    )
