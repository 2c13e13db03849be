"""Who we are at GitLab: one block for every kind of token, the only module that builds clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, field_validator, model_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.git_block import CaBundle, Verify
from prefect_integration_kit.git_hosts import instance_address, warn_of_exposure, with_scheme
from prefect_integration_kit.git_logins import (
    SAVED_APART,
    address_with_login,
    given_password,
    header_token,
    put_together,
    save_login,
)

from ._login import ANY_USER, JOB_USER, is_deploy_token, login_of, own_login, token_of
from .errors import GitLabCredentialsError

if TYPE_CHECKING:
    from gitlab import Gitlab
    from prefect.client.schemas.objects import BlockDocument
    from typing_extensions import Self

__all__ = ["GitLabCredentials", "TokenType"]

TokenType = Literal["personal", "project", "group", "deploy", "job", "oauth"]

_LOGO = HttpUrl(
    "https://images.ctfassets.net/gm98wzqotmnx/55edIimT4g9gbjhkh5a3Sp/dfdb9391d8f45c2e93e72e3a4d350771/"
    "gitlab-logo-500.png?h=250"
)
_DOCUMENTATION = HttpUrl("https://docs.prefect.io/integrations/prefect-gitlab")


_TIMEOUT_SECONDS = 60.0
"""How long one request may take: without, a server that does not answer would be waited for without an end."""


def __getattr__(name: str) -> Any:
    """Give the class of the SDK that tests of flows look for here, to put another in its place."""
    if name != "Gitlab":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gitlab import Gitlab

    return Gitlab


class GitLabCredentials(QuickKey, CredentialsBlock):
    """Authenticate to GitLab, gitlab.com or an instance of your own, by any kind of token.

    Attributes:
        token: What proves who asks.
        url: URL to self-hosted GitLab instances.

    Example:
        Load stored credentials:
        ```python
        from prefect_gitlab import GitLabCredentials

        gitlab_credentials_block = GitLabCredentials.load("BLOCK_NAME")
        ```

        A deploy token, which has a user name of its own:
        ```python
        import os

        from prefect_gitlab import GitLabCredentials

        GitLabCredentials(
            token=os.environ["DEPLOY_TOKEN"],
            token_type="deploy",
            username="gitlab+deploy-token-7",
        ).save("shop-deploy-token")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "GitLab Credentials"
    _logo_url = _LOGO
    _documentation_url = _DOCUMENTATION

    token: SecretStr | None = Field(
        default=None,
        title="Personal Access Token",
        description="A personal, project, group, deploy, CI job or OAuth token. `user:token` is taken for a deploy "
        "token. A job token is that of the environment (CI_JOB_TOKEN) if none is given.",
    )
    url: str | None = Field(
        default=None,
        title="URL",
        description="Address of a GitLab instance of your own, such as https://git.example.com or "
        "https://example.com/gitlab, for its API. Without, gitlab.com. Repositories have addresses of their own.",
    )
    token_type: TokenType = Field(
        default="personal",
        title="Token Type",
        description="What kind of token it is: personal, project, group, deploy, job or oauth. It says which user name "
        "git sends along, and how the API is asked.",
    )
    username: str | None = Field(
        default=ANY_USER,
        description="User name that git sends along. Only a deploy token has one of its own, which GitLab shows beside "
        "it.",
    )
    password: SecretStr | None = Field(
        default=None,
        description="Password of `username`, for an instance that lets git in by it. A token is better, and is what is "
        "used if both are given.",
    )
    ca_bundle: CaBundle = None
    verify: Verify = True

    @model_validator(mode="before")
    @classmethod
    def _puts_together(cls, values: Any) -> Any:
        return put_together(values)

    @field_validator("password")
    @classmethod
    def _is_password(cls, password: SecretStr | None) -> SecretStr | None:
        return given_password(password)

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        return instance_address(url, "https://git.example.com", "`token`")

    @model_validator(mode="after")
    def _knows_its_user(self) -> Self:
        """Find the user name, so that it is also in what is saved: `git_clone` in YAML reads it from there."""
        if self.username and self.username != ANY_USER:
            return self
        username = JOB_USER if self.token_type == "job" else ANY_USER  # noqa: S105 - a kind of token
        if self.token_type == "deploy" and self.token is not None and not own_login(self)[0]:  # noqa: S105
            raise ValueError(
                "username is missing: a deploy token has one of its own, such as gitlab+deploy-token-7, which GitLab "
                "shows beside the token."
            )
        if self.username != username:
            self.username = username
        return self

    def _to_block_document(self, *args: Any, **options: Any) -> BlockDocument:
        """Save who asks in the form that `git_clone` in YAML understands: it takes the saved fields as they are."""
        document = super()._to_block_document(*args, **options)
        login = login_of(self)
        if login is not None and self.token is not None and options.get("include_secrets"):
            save_login(document.data, *login)
            if self.password is None and own_login(self) == login and ":" not in login[1]:
                document.data["password"] = SAVED_APART
        return document

    def format_git_credentials(self, url: str) -> str:
        """Write the credentials into the address of a repository, for Prefect's own `git_clone` step.

        `GitLabRepository` needs no such address, and keeps the credentials out of it.

        Args:
            url: Address of the repository, such as `https://gitlab.com/org/repo.git`.

        Returns:
            The address with user name and token in it, each encoded once: `oauth2` for most kinds of tokens, the user
            name of a deploy token, `gitlab-ci-token` for that of a job. An address that is none over HTTP stays as it
            is.

        Raises:
            ValueError: If the block has neither a token nor a password.
        """
        login = login_of(self)
        if login is None:
            raise GitLabCredentialsError(
                "The GitLab credentials have no token. Set `token`, or pull without credentials if the repository is "
                "public."
            )
        return address_with_login(url, *login)

    def get_client(self) -> Gitlab:
        """Build a client of GitLab's API; it connects on first use.

        Without a token it sees what is public.

        Returns:
            A [client](https://python-gitlab.readthedocs.io/en/stable/api-usage.html) with `url` and the token set. The
            first look at its `user` asks GitLab whose token it is.

        Raises:
            ValueError: If the token is a deploy token, which the API does not take, or `ca_bundle` is no certificate.

        Example:
            ```python
            from prefect_gitlab import GitLabCredentials

            client = GitLabCredentials.load("BLOCK_NAME").get_client()
            print(client.projects.get("shop/etl").default_branch)
            ```
        """
        from ._client import build_client, replaced_class  # heavy: imported when needed

        login = {"url": self._server(), **self._token_for_api()}
        if (made_by := replaced_class()) is not None:
            # Asked as in earlier releases, which sent all tokens as those of OAuth, and logged in at once.
            client = made_by(**{"oauth_token" if name == "private_token" else name: login[name] for name in login})
            client.auth()
            return client
        from prefect_integration_kit.requests_sessions import requests_session

        session = requests_session(self.ca_bundle, verify=self.verify)
        return build_client(**login, ssl_verify=self.verify, session=session, timeout=_TIMEOUT_SECONDS)

    def _server(self) -> str | None:
        if self.url is None:
            return None
        url = with_scheme(self.url)
        warn_of_exposure(self.logger, url, verify=self.verify)
        return url

    def _token_for_api(self) -> dict[str, Any]:
        """Say which token it is: each kind goes in a header of its own (https://docs.gitlab.com/api/rest/authentication/)."""
        login = login_of(self)
        if login is None:
            return {}
        if not token_of(self):
            raise GitLabCredentialsError(
                "The GitLab credentials hold a password, which the API does not take. Use a personal, project or group "
                "access token with the scope api."
            )
        if is_deploy_token(self):
            raise GitLabCredentialsError(
                "The GitLab credentials hold a deploy token, which can pull repositories but not use the API. Use a "
                "personal, project or group access token with the scope api."
            )
        names = {"job": "job_token", "oauth": "oauth_token"}
        return {names.get(self.token_type, "private_token"): header_token(login[1], "GitLab", GitLabCredentialsError)}
