"""GitHub repositories: pull a flow's code from github.com or from an Enterprise Server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from prefect.filesystems import ReadableDeploymentStorage
from pydantic import ConfigDict, Field, HttpUrl, field_validator, model_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.git import (
    GitAuth,
    GitRepositoryNotFound,
    GitSource,
    Pulled,
    parse_address,
)
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

from ._login import git_auth, is_app, is_somebody
from .credentials import GitHubAppCredentials, GitHubCredentials
from .exceptions import InvalidRepositoryURLError

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["GitHubRepository"]


class GitHubRepository(QuickKey, HostedRepositoryBlock, ReadableDeploymentStorage):
    """Pull a flow's code from a git repository at GitHub. An installation of git is needed.

    Examples:
        Load a stored repository:
        ```python
        from prefect_github import GitHubRepository

        github_repository_block = GitHubRepository.load("BLOCK_NAME")
        ```

        Pull a folder of a private repository at a tag:
        ```python
        from prefect_github import GitHubCredentials, GitHubRepository

        repository = GitHubRepository(
            repository_url="https://github.com/my-org/my-repository.git",
            reference="v1.2.0",
            credentials=GitHubCredentials.load("BLOCK_NAME"),
        )
        repository.get_directory(from_path="flows", local_path="code")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "GitHub Repository"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/41971cfecfea5f79ff334164f06ecb34d1038dd4-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-github")

    _address_field: ClassVar[str] = "repository_url"

    repository_url: RepositoryUrl = Field(
        title="Repository URL",
        description="The address that GitHub shows for cloning, of HTTPS or of SSH, such as "
        "https://github.com/org/repo.git.",
    )
    reference: Reference = Field(
        default=None,
        description="What to pull: a branch, a tag, a commit, or a pull request such as pull/7/head. Without, the "
        "default branch.",
    )
    credentials: GitHubCredentials | GitHubAppCredentials | None = Field(
        default=None, description="Who asks: a token, or an App. Public repositories need nobody."
    )
    git_depth: int | None = Field(
        default=1, ge=1, description="How many commits of history to get. None is for all of it."
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

    @field_validator("credentials", mode="before")
    @classmethod
    def _is_app(cls, credentials: Any) -> Any:
        """Tell an App from a token in what was saved: all fields of the latter may be missing."""
        if not isinstance(credentials, Mapping):
            return credentials
        fields = cast("Mapping[str, Any]", credentials)
        return GitHubAppCredentials.model_validate(fields) if {"app_id", "private_key"} <= set(fields) else fields

    @model_validator(mode="after")
    def _goes_over_https(self) -> Self:
        """Refuse credentials for an address that they cannot, or must not, be sent to."""
        if not is_somebody(self.credentials):
            return self
        address = parse_address(self.repository_url)
        if address.kind == "http" and (address.url.startswith("https://") or address.is_loopback):
            return self
        if address.kind == "file" or (address.kind == "ssh" and self.ssh_private_key is not None):
            return self
        remedy = "give the address that GitHub shows under HTTPS, such as https://github.com/org/repo.git"
        if address.kind == "ssh":
            remedy += ", or `ssh_private_key` in place of `credentials`"
        raise InvalidRepositoryURLError(
            f"repository_url {address.url!r} cannot be used with credentials, which go over HTTPS only; {remedy}."
        )

    def _identity(self) -> GitIdentity | None:
        if self.credentials is None:
            return None
        return GitIdentity(
            self._auth if is_somebody(self.credentials) else None,
            _advice(self.credentials),
            self.credentials.ca_bundle,
            self.credentials.verify,
        )

    def _auth(self) -> GitAuth | None:
        return git_auth(self.credentials)

    def _source(self) -> GitSource:
        return replace(super()._source(), reference=_full_reference(self.reference))

    def _pull(
        self, from_path: str | None, local_path: str | Path | None, stop: threading.Event | None = None
    ) -> Pulled:
        try:
            return super()._pull(from_path, local_path, stop)
        except GitRepositoryNotFound as exc:  # what GitHub says, too, of one that the token may not see
            if self.credentials is None or not is_somebody(self.credentials):
                raise
            raise type(exc)(f"{str(exc).rstrip('.')}. {_advice(self.credentials)}", subject=exc.subject) from exc


def _full_reference(reference: str | None) -> str | None:
    """Write `pull/7` as git names it: `refs/pull/7/head`. A branch may be called so, but hardly is."""
    parts = (reference or "").strip().removeprefix("refs/").split("/")
    if len(parts) in (2, 3) and parts[0] == "pull" and parts[1].isdigit():
        if len(parts) == 2:
            parts.append("head")
        if parts[2] in ("head", "merge"):
            return "/".join(["refs", *parts])
    return reference


def _advice(credentials: GitHubCredentials | GitHubAppCredentials) -> str:
    """Say what GitHub wants of these credentials."""
    if is_app(credentials):
        return (
            "The App must be installed for the repository, with the permission to read its contents; `repositories` "
            "and `permissions` may leave it out."
        )
    return (
        "A fine-grained token must have been made for the repository, with the permission to read its contents; a "
        "classic one needs the scope repo. An organization with single sign-on must authorize the token."
    )
