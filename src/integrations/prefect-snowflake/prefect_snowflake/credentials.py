"""Who we are at Snowflake: the credentials block, the only module that opens connections."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional

from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, HttpUrl, PrivateAttr, SecretBytes, SecretStr, field_validator, model_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import run_sync_in_worker_thread

from ._authentication import Authenticator, Given, check, connect_arguments, secrets_of
from ._faces import paired
from ._login_limits import limited
from .errors import (
    InvalidPemFormat,
    SnowflakeCredentialsError,
    SnowflakeUnavailable,
    is_broken_answer,
    snowflake_errors,
)

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from typing_extensions import Self

__all__ = ["InvalidPemFormat", "SnowflakeCredentials"]


def __getattr__(name: str) -> Any:
    if name != "snowflake":  # by which tests find `connector.connect`, to replace it
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("snowflake.connector")
    return import_module("snowflake")


TokenProvider = Callable[[], "str | SecretStr"]

_APPLICATION = "Prefect_Snowflake_Collection"
"""Name under which Snowflake counts the connections of this package."""
_CUT_OFF_ATTEMPTS = 3


class SnowflakeCredentials(QuickKey, CredentialsBlock):
    """Authenticate to Snowflake by password, key pair, token, single sign-on or workload identity.

    Further arguments of `snowflake.connector.connect`, such as `host` or `proxy_host`, may be given as fields of the
    same name.

    Attributes:
        account: Identifier of the account, such as `nh12345.us-east-2.aws`.
        user: Name to log in with.
        password: Password of the user.
        private_key: Private key of the user, as PEM or as the base64 form of DER.
        private_key_path: File that holds the private key.
        private_key_passphrase: What the private key is encrypted with.
        authenticator: How to log in.
        workload_identity_provider: Where the identity of the workload comes from.
        token: Token to log in with.
        token_file_path: File that holds the token; it is read at each login.
        endpoint: Address of Okta.
        role: Role to work in.
        autocommit: Whether each statement is committed by itself.
        oauth_client_id: ID of the OAuth client.
        oauth_client_secret: Secret of the OAuth client.
        oauth_token_request_url: Address that gives tokens to the OAuth client.
        oauth_scope: Scope of the tokens.
        oauth_credentials_in_body: Whether the OAuth client names itself in the request's body.
        passcode: Passcode of the second factor.
        session_parameters: Parameters of each session.
        client_prefetch_threads: How many threads download a result.

    Example:
        Load stored credentials:
        ```python
        from prefect_snowflake import SnowflakeCredentials

        snowflake_credentials = SnowflakeCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Snowflake Credentials"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/bd359de0b4be76c2254bd329fe3a267a1a3879c2-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-snowflake")
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    account: str = Field(
        default=..., description="Identifier of the account, such as nh12345.us-east-2.aws or organization-account."
    )
    user: str | None = Field(default=None, description="Name to log in with.")
    password: SecretStr | None = Field(default=None, description="Password of the user.")
    private_key: SecretBytes | None = Field(
        default=None,
        description="Private key of the user: PEM (PKCS#8 or PKCS#1, encrypted or not), or the base64 form of DER.",
    )
    private_key_path: Path | None = Field(default=None, description="File that holds the private key.")
    private_key_passphrase: SecretStr | None = Field(
        default=None, description="What the private key is encrypted with."
    )
    authenticator: Authenticator = Field(
        default="snowflake",
        description="How to log in. Here externalbrowser opens a browser, so that it only works where there is one.",
    )
    workload_identity_provider: Optional[Literal["aws", "azure", "gcp", "oidc"]] = Field(  # noqa: UP045 - as published
        default=None,
        description="Where the identity of the workload comes from, when authenticator is workload_identity.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Token to log in with, when authenticator is oauth or programmatic_access_token, or "
        "workload_identity_provider is oidc.",
    )
    token_file_path: Path | None = Field(
        default=None, description="File that holds the token instead; it is read at each login, so that it may change."
    )
    endpoint: str | None = Field(
        default=None, description="Address of Okta, when authenticator is okta_endpoint: https://<name>.okta.com."
    )
    role: str | None = Field(default=None, description="Role to work in; the user's default role when not given.")
    autocommit: bool | None = Field(
        default=None, description="Whether each statement is committed by itself; as set for the user when not given."
    )
    oauth_client_id: str | None = Field(
        default=None, description="ID of the OAuth client, when authenticator is oauth_client_credentials."
    )
    oauth_client_secret: SecretStr | None = Field(
        default=None, description="Secret of the OAuth client, when authenticator is oauth_client_credentials."
    )
    oauth_token_request_url: str | None = Field(
        default=None, description="Address that gives tokens to the OAuth client; Snowflake's own when not given."
    )
    oauth_scope: str | None = Field(default=None, description="Scope of the tokens; made of the role when not given.")
    oauth_credentials_in_body: bool | None = Field(
        default=None, description="Whether the OAuth client names itself in the request's body, not in its header."
    )
    passcode: SecretStr | None = Field(
        default=None, description="Passcode of the second factor, when authenticator is username_password_mfa."
    )
    session_parameters: dict[str, Any] | None = Field(
        default=None, description="Parameters of each session, such as TIMEZONE or STATEMENT_TIMEOUT_IN_SECONDS."
    )
    client_prefetch_threads: int | None = Field(
        default=None, ge=1, le=10, description="How many threads download a result; 4 when not given."
    )

    _token_provider: TokenProvider | None = PrivateAttr(default=None)

    @field_validator("private_key", mode="after")
    @classmethod
    def _check_private_key(cls, value: SecretBytes | None) -> SecretBytes | None:
        from ._keys import storable

        return None if value is None else SecretBytes(storable(value.get_secret_value()))

    @field_validator("endpoint", mode="after")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().startswith("https://"):
            raise ValueError("endpoint must start with https://, as in https://example.okta.com.")
        return value

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        check(self._given(has_token_provider=self._token_provider is not None))
        return self

    def _given(self, *, has_token_provider: bool = False) -> Given:
        names = {name for name in type(self).model_fields if getattr(self, name) not in (None, "")}
        return Given(self.authenticator, names, self.workload_identity_provider, has_token_provider)

    @classmethod
    def with_token_provider(cls, provider: TokenProvider, **fields: Any) -> Self:
        """Make credentials whose token comes from a function, for tokens that live shorter than a flow run.

        The function is not saved with the block.

        Args:
            provider: Called at each login; it returns the token.
            fields: The fields of the block. `authenticator` is `oauth` when not given.

        Returns:
            The block.

        Raises:
            SnowflakeCredentialsError: If the fields do not fit together.

        Example:
            ```python
            from prefect_snowflake import SnowflakeCredentials

            credentials = SnowflakeCredentials.with_token_provider(lambda: "TOKEN", account="ACCOUNT")
            ```
        """
        given: dict[str, Any] = {"authenticator": "oauth", **fields, "token": "from a provider"}
        made = cls(**given)
        made._token_provider = provider
        made.token = None
        return made

    def current_token(self) -> str:
        """Get the token to log in with: from the provider, the file, or the field, in that order.

        Raises:
            SnowflakeCredentialsError: If the file cannot be read or the token is empty.
        """
        if self._token_provider is not None:
            got = self._token_provider()
            source, token = "The token provider", got.get_secret_value() if isinstance(got, SecretStr) else got
        elif self.token_file_path is not None:
            source = f"token_file_path: the file {self.token_file_path}"
            try:
                token = self.token_file_path.expanduser().read_text(encoding="utf-8")
            except (OSError, RuntimeError, UnicodeDecodeError) as exc:
                why = getattr(exc, "strerror", None) or type(exc).__name__
                raise SnowflakeCredentialsError(f"{source} cannot be read ({why}).") from None
        else:
            source, token = "token", self.token.get_secret_value() if self.token else ""
        if not token.strip():
            raise SnowflakeCredentialsError(f"{source} has no token.")
        return token.strip()

    def resolve_private_key(self) -> bytes | None:
        r"""Read the private key.

        PEM is taken as PKCS#8 and PKCS#1, with a passphrase or without, with real line ends, written ones (`\n`) or
        spaces in their place; so are the base64 form of DER, of PEM, and DER itself.

        Returns:
            The key as DER of PKCS#8 without a passphrase; `None` when there is none.

        Raises:
            InvalidPemFormat: If it is no private key, or the passphrase does not fit. The message says nothing of it.
        """
        from ._keys import der_key, read_key_file

        if self.private_key is not None:
            key, field = self.private_key.get_secret_value(), "private_key"
        elif self.private_key_path is not None:
            key, field = read_key_file(self.private_key_path), "private_key_path"
        else:
            return None
        passphrase, password = (
            secret.get_secret_value() if secret else None for secret in (self.private_key_passphrase, self.password)
        )
        return der_key(key, passphrase, field, password)

    def _connect(self, connect_kwargs: dict[str, Any]) -> SnowflakeConnection:
        from ._sdk_logs import guard_sdk_logs
        from .settings import SnowflakeSettings

        arguments = {"application": _APPLICATION, **connect_arguments(self), **connect_kwargs}
        if "login_timeout" not in arguments:
            limit = SnowflakeSettings().login_timeout_seconds
            if limit is not None:
                arguments["login_timeout"] = limit
        import snowflake.connector  # heavy: imported when needed

        guard_sdk_logs()
        replaced: Any = globals().get("snowflake")  # by a test, in the place of the package
        connector: Any = snowflake.connector if replaced is None else replaced.connector
        subject = f"Login to Snowflake account {self.account!r}"
        connect: Any = connector.connect
        if str(getattr(connect, "__module__", "")).startswith("snowflake.connector"):  # the connector's own
            connect = limited(connect, subject)
        with snowflake_errors(subject, secrets=secrets_of(self, arguments)):
            for _ in range(1 if "passcode" in arguments else _CUT_OFF_ATTEMPTS):  # a passcode is good once
                try:
                    return connect(**arguments)
                except Exception as exc:  # noqa: PERF203 - most do not come here
                    if not is_broken_answer(exc):
                        raise
            raise SnowflakeUnavailable(
                f"{subject}: the answer broke off. Check the network, and try again.", subject=subject
            )

    def secrets(self) -> list[str]:
        """List the block's secrets in the open, for whoever must keep them out of a text."""
        return secrets_of(self, {})

    async def get_client_async(self, **connect_kwargs: Any) -> SnowflakeConnection:
        """Async form of `get_client`."""
        return await run_sync_in_worker_thread(self._connect, connect_kwargs)

    @paired(get_client_async)
    def get_client(self, **connect_kwargs: Any) -> SnowflakeConnection:
        """Log in and open a connection; the caller closes it.

        Args:
            connect_kwargs: Further arguments of `snowflake.connector.connect`
                (https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api#functions); they
                come before the fields of this block.

        Returns:
            The connection.

        Raises:
            SnowflakeLoginRefused: If user, secret or role is wrong.
            SnowflakeUnavailable: If the account cannot be reached.
            InvalidPemFormat: If the private key cannot be read.

        Example:
            ```python
            from prefect_snowflake import SnowflakeCredentials

            with SnowflakeCredentials.load("BLOCK_NAME").get_client() as connection:
                print(connection.cursor().execute("SELECT CURRENT_USER()").fetchone())
            ```
        """
        return self._connect(connect_kwargs)
