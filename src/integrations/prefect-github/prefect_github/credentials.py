"""Who we are at GitHub: a token, or an App. These blocks are the only ones that build clients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, field_validator, model_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.git_block import CaBundle, Verify
from prefect_integration_kit.git_clone_step import teach_git_clone

from ._hosts import server_of
from ._login import USER, address_with_token, atoken_of, login_of, token_of
from .errors import GitHubCredentialsError

if TYPE_CHECKING:
    from sgqlc.endpoint.http import HTTPEndpoint
    from typing_extensions import Self

__all__ = ["GitHubAppCredentials", "GitHubCredentials"]

_LOGO = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/41971cfecfea5f79ff334164f06ecb34d1038dd4-250x250.png")
_DOCUMENTATION = HttpUrl("https://docs.prefect.io/integrations/prefect-github")

_BaseUrl = Annotated[
    str | None,
    Field(
        title="Base URL",
        description="Address of a GitHub Enterprise Server, such as https://github.example.com, or of a tenant, such "
        "as https://shop.ghe.com, for its API. Without, github.com. Repositories have addresses of their own.",
    ),
]
_RateLimitWait = Annotated[
    float,
    Field(
        ge=0,
        description="Seconds that a request may wait, all in all, for a rate limit of GitHub to pass; the hourly one "
        "takes an hour at most. With 0, it fails at once.",
    ),
]
_HOUR = 3600.0
_OWNER = re.compile(r"[a-z0-9][\w-]*(?:/(?!\.{1,2}$)[\w.-]+)?", re.ASCII | re.IGNORECASE)


def __getattr__(name: str) -> Any:
    """Give the class of sgqlc that tests of flows look for here, to put another in its place."""
    if name != "HTTPEndpoint":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sgqlc.endpoint.http import HTTPEndpoint

    return HTTPEndpoint


def _checked_base_url(url: str | None) -> str | None:
    if url is None or not url.strip():
        return None
    server_of(url)
    return url.strip()


class GitHubCredentials(QuickKey, CredentialsBlock):
    """Authenticate to GitHub by a token: github.com, a tenant of ghe.com, or an Enterprise Server.

    Attributes:
        token: What proves who asks.

    Examples:
        Load stored credentials:
        ```python
        from prefect_github import GitHubCredentials

        github_credentials_block = GitHubCredentials.load("BLOCK_NAME")
        ```

        A token of an Enterprise Server:
        ```python
        import os

        from prefect_github import GitHubCredentials

        GitHubCredentials(
            token=os.environ["GITHUB_TOKEN"],
            base_url="https://github.example.com",
        ).save("shop-github")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "GitHub Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    token: SecretStr | None = Field(
        default=None,
        description="A fine-grained or classic personal access token, or that of a workflow of GitHub Actions. "
        "Without, only what is public can be pulled, and the API not be used.",
    )
    base_url: _BaseUrl = None
    ca_bundle: CaBundle = None
    verify: Verify = True
    rate_limit_wait_seconds: _RateLimitWait = _HOUR

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        return _checked_base_url(url)

    def format_git_credentials(self, url: str) -> str:
        """Write the token into the address of a repository, for Prefect's own `git_clone` step.

        `GitHubRepository` needs no such address, and keeps the token out of it.

        Args:
            url: Address of the repository, such as `https://github.com/org/repo.git`.

        Returns:
            The address with the token in it, encoded once, and without a user name unless the token was given as
            `user:token`. An address that is none over HTTP stays as it is.

        Raises:
            ValueError: If the block has no token.
        """
        username, token = login_of(self)
        if not token:
            raise GitHubCredentialsError(
                "The GitHub credentials have no token. Set `token`, or pull without credentials if the repository is "
                "public."
            )
        return address_with_token(url, token, username)

    def get_client(self) -> HTTPEndpoint:
        """Build a client of GitHub's GraphQL API; it connects on first use.

        `execute_graphql` and the tasks of this package do more: they wait for rate limits, repeat what fails for a
        moment, and raise errors. The client returns errors as data.

        Returns:
            An [endpoint](https://sgqlc.readthedocs.io/en/latest/sgqlc.endpoint.http.html) to call with an operation
            and its variables: `client(op, {"name": "…"})`.

        Raises:
            ValueError: If `ca_bundle` is no certificate.
        """
        from ._endpoint import endpoint

        return endpoint(self)


class GitHubAppCredentials(QuickKey, CredentialsBlock):
    """Authenticate to GitHub as the installation of a GitHub App, by the App's private key.

    An App belongs to no person, sees only what it was installed for, and gets tokens that last an hour. They are made
    when needed, shared by all that runs in a process, and renewed five minutes before they end. Repositories, the
    GraphQL tasks and Prefect's own storage take the block as they take `GitHubCredentials`.

    Examples:
        Load stored credentials:
        ```python
        from prefect_github import GitHubAppCredentials

        github_app_credentials_block = GitHubAppCredentials.load("BLOCK_NAME")
        ```

        An App that an organization has installed:
        ```python
        from pathlib import Path

        from prefect_github import GitHubAppCredentials

        GitHubAppCredentials(
            app_id="123456",
            private_key=Path("shop-flows.private-key.pem").read_text(),
            owner="my-org",
        ).save("shop-app")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "GitHub App Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    app_id: str = Field(
        title="App ID", description="Number of the App, or its client ID; both are on the page of its settings."
    )
    private_key: SecretStr = Field(
        description="Text of a private key that GitHub made for the App, in PEM form. Line breaks may be written "
        "as \\n."
    )
    installation_id: int | None = Field(
        default=None,
        title="Installation ID",
        description="Number of the installation, which is at the end of its page's address. Without, it is found by "
        "`owner`.",
    )
    owner: str | None = Field(
        default=None,
        description="Organization or user that has installed the App, or a repository (owner/name) that it is "
        "installed for.",
    )
    repositories: list[str] | None = Field(
        default=None,
        description="Names of the repositories that tokens are for. Without, all that the App is installed for.",
    )
    permissions: dict[str, str] | None = Field(
        default=None,
        description="What tokens may, such as contents: read. Without, all that the App may.",
    )
    base_url: _BaseUrl = None
    ca_bundle: CaBundle = None
    verify: Verify = True
    rate_limit_wait_seconds: _RateLimitWait = _HOUR

    @field_validator("app_id", mode="before")
    @classmethod
    def _is_id(cls, app_id: Any) -> Any:
        text = str(app_id).strip() if isinstance(app_id, int | str) and not isinstance(app_id, bool) else app_id
        if text == "":
            raise ValueError("app_id is empty. Give the App ID or the client ID from the page of the App's settings.")
        return text

    @field_validator("private_key")
    @classmethod
    def _is_key(cls, key: SecretStr) -> SecretStr:
        from ._app import clean_key

        return SecretStr(clean_key(key.get_secret_value()))

    @field_validator("owner")
    @classmethod
    def _is_owner(cls, owner: str | None) -> str | None:
        text = (owner or "").strip().removesuffix("/")
        if text and not _OWNER.fullmatch(text):
            raise ValueError("owner is the name of an organization or user, or owner/name of a repository.")
        return text or None

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        return _checked_base_url(url)

    @model_validator(mode="after")
    def _names_its_installation(self) -> Self:
        if self.installation_id is None and self.owner is None:
            raise ValueError(
                "installation_id is missing. Give it, or `owner`: the organization or user that has installed the App."
            )
        return self

    async def aget_token(self) -> SecretStr:
        """Async form of `get_token`."""
        return SecretStr(await atoken_of(self))

    @async_dispatch(aget_token)
    def get_token(self) -> SecretStr:
        """Get a token of the installation, for other programs than those of this package.

        Returns:
            A token that lasts for five minutes at least, and for an hour at most.

        Raises:
            GitHubError: If GitHub does not make one.

        Example:
            ```python
            import os
            import subprocess

            from prefect_github import GitHubAppCredentials

            token = GitHubAppCredentials.load("BLOCK_NAME").get_token()
            environment = {**os.environ, "GH_TOKEN": token.get_secret_value()}
            subprocess.run(["gh", "release", "list"], env=environment, check=True)
            ```
        """
        return SecretStr(token_of(self))

    def format_git_credentials(self, url: str) -> str:
        """Write a token of the installation into the address of a repository, for Prefect's own storage.

        `GitHubRepository` needs no such address, and keeps the token out of it.

        Args:
            url: Address of the repository, such as `https://github.com/org/repo.git`.

        Returns:
            The address with `x-access-token` and a token that lasts for five minutes at least. An address that is none
            over HTTP stays as it is.

        Raises:
            GitHubError: If GitHub does not make a token.
        """
        if not url.lower().startswith(("https://", "http://")):
            return url
        return address_with_token(url, token_of(self), USER)

    def get_client(self) -> HTTPEndpoint:
        """Build a client of GitHub's GraphQL API; it asks for a token when it is called.

        See `GitHubCredentials.get_client`.

        Returns:
            An [endpoint](https://sgqlc.readthedocs.io/en/latest/sgqlc.endpoint.http.html) to call with an operation
            and its variables.

        Raises:
            ValueError: If `ca_bundle` is no certificate.
        """
        from ._endpoint import endpoint

        return endpoint(self)


teach_git_clone(("app_id", "private_key"), GitHubAppCredentials)
