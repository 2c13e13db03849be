"""GitLab repositories: pull a flow's code from gitlab.com or from an instance of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.filesystems import ReadableDeploymentStorage
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, model_validator

from prefect_integration_kit.blocks import QuickKey
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

from ._login import git_auth
from .credentials import GitLabCredentials

if TYPE_CHECKING:
    from typing_extensions import Self

    from prefect_integration_kit.git import GitAuth
    from prefect_integration_kit.waiting import Backoff

__all__ = [
    "CLONE_RETRY_MAX_DELAY_JITTER_SECONDS",
    "CLONE_RETRY_MIN_DELAY_JITTER_SECONDS",
    "CLONE_RETRY_MIN_DELAY_SECONDS",
    "MAX_CLONE_ATTEMPTS",
    "GitLabCredentials",
    "GitLabRepository",
]

MAX_CLONE_ATTEMPTS = 3
"""How often a pull is tried when GitLab cannot be reached or is in trouble."""

CLONE_RETRY_MIN_DELAY_SECONDS = 1
"""Seconds between two attempts, at least."""

CLONE_RETRY_MIN_DELAY_JITTER_SECONDS = 0
"""Lower bound of the random part of that wait, in seconds."""

CLONE_RETRY_MAX_DELAY_JITTER_SECONDS = 3
"""Upper bound of the random part of that wait, in seconds."""


class GitLabRepository(QuickKey, HostedRepositoryBlock, ReadableDeploymentStorage):
    """Pull a flow's code from a git repository at GitLab. An installation of git is needed.

    Examples:
        Load a stored repository:
        ```python
        from prefect_gitlab import GitLabRepository

        gitlab_repository_block = GitLabRepository.load("BLOCK_NAME")
        ```

        Pull a folder of a private repository at a tag:
        ```python
        from prefect_gitlab import GitLabCredentials, GitLabRepository

        repository = GitLabRepository(
            repository="https://gitlab.com/testing/my-repository.git",
            reference="v1.2.0",
            credentials=GitLabCredentials.load("BLOCK_NAME"),
        )
        repository.get_directory(from_path="flows", local_path="code")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "GitLab Repository"
    _logo_url = HttpUrl(
        "https://images.ctfassets.net/gm98wzqotmnx/55edIimT4g9gbjhkh5a3Sp/dfdb9391d8f45c2e93e72e3a4d350771/"
        "gitlab-logo-500.png?h=250"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-gitlab")

    repository: RepositoryUrl = Field(
        description="The address that GitLab shows for cloning, of HTTPS or of SSH, such as "
        "https://gitlab.com/group/project.git."
    )
    reference: Reference = Field(
        default=None,
        description="What to pull: a branch, a tag, a commit, or a merge request such as merge-requests/7/head. "
        "Without, the default branch.",
    )
    git_depth: int | None = Field(
        default=1,
        ge=1,
        json_schema_extra={"gte": 1},
        description="How many commits of history to get. None is for all of it.",
    )
    credentials: GitLabCredentials | None = Field(
        default=None, description="Who asks. Public repositories need nobody."
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="A token, as in credentials, for those who want no block of credentials. It cannot be given beside "
        "them.",
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
    def _names_one_identity(self) -> Self:
        if self.access_token is not None and self.credentials is not None:
            raise ValueError("access_token and credentials both say who asks. Give one of them.")
        return self

    def model_post_init(self, context: Any, /) -> None:
        """Take `name=` for the name to save under, as the first releases documented it."""
        super().model_post_init(context)
        name = (self.model_extra or {}).get("name")
        if isinstance(name, str) and self._block_document_name is None:
            self._block_document_name = name

    def _credentials(self) -> GitLabCredentials | None:
        if self.access_token is not None:
            return GitLabCredentials(token=self.access_token)
        return self.credentials

    def _identity(self) -> GitIdentity | None:
        credentials = self._credentials()
        if credentials is None:
            return None
        return GitIdentity(
            self._auth if git_auth(credentials) is not None else None,
            _advice(credentials),
            credentials.ca_bundle,
            credentials.verify,
        )

    def _auth(self) -> GitAuth | None:
        return git_auth(self._credentials())

    def _backoff(self) -> Backoff:
        return backoff_of(globals())


def _advice(credentials: GitLabCredentials) -> str:
    """Say what GitLab wants of this kind of token."""
    if credentials.token_type == "deploy":  # noqa: S105 - a kind of token
        return "A deploy token needs the scope read_repository, and `username` is the one that GitLab shows beside it."
    if credentials.token_type == "job":  # noqa: S105
        return (
            "A job token ends with its job, and reads only projects whose allowlist has that of the job "
            "(Settings > CI/CD > Job token permissions)."
        )
    return (
        "The token needs the scope read_repository or api, and its owner at least the role Reporter. For a deploy or "
        "job token set `token_type`."
    )
