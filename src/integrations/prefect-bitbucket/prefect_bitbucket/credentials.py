"""Who we are at Bitbucket: one block for every kind of token, the only module that builds clients."""

from __future__ import annotations

from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

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

from ._login import (
    ACCESS_USER,
    API_USER,
    TokenType,
    is_cloud,
    login_for_address,
    own_login,
    plain_token,
    refuse_app_password,
    saved_login,
    token_type,
)
from .errors import BitBucketCredentialsError

if TYPE_CHECKING:
    from atlassian.bitbucket import Bitbucket
    from atlassian.bitbucket.cloud import Cloud
    from prefect.client.schemas.objects import BlockDocument
    from typing_extensions import Self

__all__ = ["BitBucketCredentials", "ClientType"]

_CLOUD_API = "https://api.bitbucket.org/"

# Classes of the SDK that can be imported from here, and where they are; importing them takes half a second.
_SDK_NAMES = {"Bitbucket": "atlassian.bitbucket", "Cloud": "atlassian.bitbucket.cloud"}


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_SDK_NAMES[name]), name)


def _client_class(name: str) -> Any:
    """The SDK's class, or what a test of a flow has put in its place here."""
    return globals().get(name) or __getattr__(name)


class ClientType(Enum):
    """Which API a client is for: `LOCAL` for Data Center and Server, `CLOUD` for bitbucket.org."""

    LOCAL = "local"
    CLOUD = "cloud"


class BitBucketCredentials(QuickKey, CredentialsBlock):
    """Authenticate to Bitbucket, Cloud or an instance of your own, by any kind of token.

    Attributes:
        token: An access token to authenticate with BitBucket. This is required for accessing private repositories.
        username: Identification name unique across entire BitBucket site.
        password: The password to authenticate to BitBucket.
        url: The base URL of your BitBucket instance.

    Example:
        Load stored credentials:
        ```python
        from prefect_bitbucket import BitBucketCredentials

        bitbucket_credentials_block = BitBucketCredentials.load("BLOCK_NAME")
        ```

        An HTTP access token of a Data Center:
        ```python
        import os

        from prefect_bitbucket import BitBucketCredentials

        BitBucketCredentials(
            url="https://bitbucket.example.com",
            username="ada",
            token=os.environ["BITBUCKET_TOKEN"],
        ).save("shop-bitbucket")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "BitBucket Credentials"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/5d729f7355fb6828c4b605268ded9cfafab3ae4f-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-bitbucket")

    token: SecretStr | None = Field(
        default=None,
        title="Personal Access Token",
        description="An API token, an access token of a repository, project or workspace, or an HTTP access token of a "
        "Data Center. `user:token` says the user name as well.",
    )
    username: str | None = Field(
        default=None,
        description="User name at a Data Center, or beside a password. At Bitbucket Cloud, tokens need none: theirs "
        "are fixed, and known.",
    )
    password: SecretStr | None = Field(
        default=None,
        description="Password of the user at a Data Center. Bitbucket Cloud takes none; use a token.",
    )
    url: str | None = Field(
        default=None,
        title="URL",
        description="Address of an instance of your own, such as https://bitbucket.example.com, for its API. Without, "
        "that of Bitbucket Cloud. Repositories have addresses of their own.",
    )
    token_type: TokenType | None = Field(
        default=None,
        title="Token Type",
        description="What kind of token it is: api, access (of a repository, project or workspace) or http (of a user "
        "at a Data Center). Without, it is told by what the token looks like.",
    )
    email: str | None = Field(
        default=None,
        description="E-mail address of the Atlassian account that an API token belongs to. The API asks for it; git "
        "does not.",
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
        return instance_address(url, "https://bitbucket.example.com", "`token`, or `username` and `password`")

    @model_validator(mode="after")
    def _names_no_fixed_user(self) -> Self:
        """Leave the name out that the token has without it, too: it is saved for `git_clone` in YAML."""
        if self.token is not None and (
            self.username in ("", ACCESS_USER) or (self.username == API_USER and token_type(self) == "api")
        ):
            self.username = None
        return self

    def _to_block_document(self, *args: Any, **options: Any) -> BlockDocument:
        """Save who asks in the form that `git_clone` in YAML understands: it takes the saved fields as they are."""
        document = super()._to_block_document(*args, **options)
        if options.get("include_secrets") and (login := saved_login(self)) is not None:
            username, token = login
            if self.username and self.username != username and "@" in self.username and self.email is None:
                document.data["email"] = self.username
            save_login(document.data, username, token)
            if self.password is None and own_login(self) == login and ":" not in token:
                document.data["password"] = SAVED_APART
        return document

    def format_git_credentials(self, url: str) -> str:
        """Write the credentials into the address of a repository, for Prefect's own `git_clone` step.

        `BitBucketRepository` needs no such address, and keeps the credentials out of it.

        Args:
            url: Address of the repository, such as `https://bitbucket.org/org/repo.git`.

        Returns:
            The address with user name and token or password in it, each encoded once. Without a `username`, that is
            `x-token-auth` for access tokens and `x-bitbucket-api-token-auth` for API tokens; a password alone is taken
            for a token. An address that is none over HTTP stays as it is.

        Raises:
            ValueError: If the block has no token or password, lacks the user name that a server wants, or holds an app
                password, which Bitbucket Cloud takes no longer.
        """
        return address_with_login(url, *login_for_address(self, url))

    def get_client(self, client_type: str | ClientType, **client_kwargs: Any) -> Cloud | Bitbucket:
        """Build a client of Bitbucket's API; it connects on first use.

        Args:
            client_type: `"cloud"` for bitbucket.org, `"local"` for an instance of your own.
            client_kwargs: Further arguments of the client
                (https://atlassian-python-api.readthedocs.io/bitbucket.html), which win over those of the block.

        Returns:
            A client with the address and the credentials set. Tokens go as `Bearer`, but API tokens, which go with the
            e-mail address.

        Raises:
            ValueError: If `client_type` is neither, an instance of your own has no `url`, an API token no `email`, or
                `ca_bundle` is no certificate.

        Example:
            ```python
            from prefect_bitbucket import BitBucketCredentials

            client = BitBucketCredentials.load("BLOCK_NAME").get_client("cloud")
            for repository in client.workspaces.get("shop").repositories.each():
                print(repository.name)
            ```
        """
        kind = _client_type(client_type)
        url = str(client_kwargs.get("url") or self._server(kind))
        warn_of_exposure(self.logger, url, verify=self.verify)
        options: dict[str, Any] = {"url": url, **self._tls(), **self._login_for_api(kind, url), **client_kwargs}
        options["url"] = url
        return _client_class("Cloud" if kind is ClientType.CLOUD else "Bitbucket")(**options)

    def _server(self, kind: ClientType) -> str:
        if kind is ClientType.CLOUD:
            return _CLOUD_API if self.url is None or is_cloud(self.url) else with_scheme(self.url)
        if self.url is None:
            raise BitBucketCredentialsError(
                "The Bitbucket credentials have no url. Set it to the address of your instance, such as "
                "https://bitbucket.example.com, or ask for a client of type 'cloud'."
            )
        return with_scheme(self.url)

    def _tls(self) -> dict[str, Any]:
        if self.ca_bundle is None and self.verify:
            return {}
        from prefect_integration_kit.requests_sessions import requests_session

        # Some releases of the client tell their session for each request what `verify_ssl` says.
        return {"session": requests_session(self.ca_bundle, verify=self.verify), "verify_ssl": self.verify}

    def _login_for_api(self, kind: ClientType, url: str) -> dict[str, str]:
        if kind is ClientType.CLOUD:
            refuse_app_password(self, url)
        token = plain_token(self)
        email = self.email or (self.username if self.username and "@" in self.username else None)
        if token and kind is ClientType.CLOUD and (token_type(self) == "api" or (email and token_type(self) is None)):
            if not email:
                raise BitBucketCredentialsError(
                    "email is missing: Bitbucket's API takes an API token together with the e-mail address of the "
                    "Atlassian account that it belongs to."
                )
            return {"username": email, "password": token.strip()}
        if token:
            return {"token": header_token(token, "Bitbucket", BitBucketCredentialsError)}
        password = self.password.get_secret_value() if self.password is not None else ""
        if password and not self.username:
            raise BitBucketCredentialsError(
                "The Bitbucket credentials have a password but no user name. Please provide a `username`."
            )
        return {"username": self.username or "", "password": password} if password else {}


def _client_type(client_type: str | ClientType) -> ClientType:
    try:
        return ClientType(client_type.lower() if isinstance(client_type, str) else client_type)
    except ValueError as exc:
        raise BitBucketCredentialsError(
            f"client_type is {client_type!r}. Give 'cloud' for bitbucket.org, or 'local' for an instance of your own."
        ) from exc
