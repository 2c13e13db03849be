"""Ways to log in: which fields each needs, and what the connector is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from prefect_integration_kit.redact import secrets_in

from .errors import SnowflakeCredentialsError

if TYPE_CHECKING:
    from prefect.blocks.core import Block

    from .credentials import SnowflakeCredentials

Authenticator = Literal[
    "snowflake",
    "snowflake_jwt",
    "externalbrowser",
    "okta_endpoint",
    "oauth",
    "username_password_mfa",
    "workload_identity",
    "oauth_client_credentials",
    "programmatic_access_token",
]


@dataclass(frozen=True)
class Way:
    """One way to log in.

    Attributes:
        needs: Groups of fields; of each group one must be given.
        sends: Fields that the connector is told beside account, user and role.
    """

    needs: tuple[tuple[str, ...], ...]
    sends: tuple[str, ...] = ()


_KEY = ("private_key", "private_key_path")
_TOKEN = ("token", "token_file_path")
_MFA = ("password", "passcode")
_OAUTH_CLIENT = (
    *("oauth_client_id", "oauth_client_secret", "oauth_token_request_url", "oauth_scope"),
    "oauth_credentials_in_body",
)

# https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-connect
WAYS: Mapping[str, Way] = {
    "snowflake": Way((("user",), ("password", *_KEY)), ("password",)),
    "snowflake_jwt": Way((("user",), _KEY)),
    "externalbrowser": Way((("user",),)),
    "okta_endpoint": Way((("user",), ("password",), ("endpoint",)), ("password",)),
    "oauth": Way((_TOKEN,)),
    "username_password_mfa": Way((("user",), ("password",)), _MFA),
    "workload_identity": Way((("workload_identity_provider",),), ("workload_identity_provider",)),
    "oauth_client_credentials": Way((("oauth_client_id",), ("oauth_client_secret",)), _OAUTH_CLIENT),
    "programmatic_access_token": Way((_TOKEN,)),
}

_TOKEN_WAYS = frozenset({"oauth", "programmatic_access_token"})


@dataclass
class Given:
    """Which fields of a credentials block are given.

    Attributes:
        authenticator: The way to log in.
        names: Names of the fields that have a value.
        workload_identity_provider: Value of that field.
        has_token_provider: Whether a function hands out tokens.
    """

    authenticator: str
    names: set[str] = field(default_factory=set[str])
    workload_identity_provider: str | None = None
    has_token_provider: bool = False


def check(given: Given) -> None:
    """Refuse fields that do not fit together.

    Args:
        given: Which there are.

    Raises:
        SnowflakeCredentialsError: If a field is missing or one too many is given. The message names it.
    """
    way = WAYS[given.authenticator]
    for group in way.needs:
        if given.has_token_provider and group == _TOKEN:
            continue
        if not given.names.intersection(group):
            wanted = " or ".join(f"`{name}`" for name in group)
            raise SnowflakeCredentialsError(f"authenticator is {given.authenticator!r}, which needs {wanted}.")
    for one, other in ((_KEY), (_TOKEN)):
        if {one, other} <= given.names:
            raise SnowflakeCredentialsError(f"`{one}` and `{other}` are both given; give one of them.")
    if given.authenticator == "workload_identity":
        _check_workload_identity(given)


def _check_workload_identity(given: Given) -> None:
    has_token = given.has_token_provider or bool(given.names.intersection(_TOKEN))
    if given.workload_identity_provider == "oidc" and not has_token:
        raise SnowflakeCredentialsError(
            "workload_identity_provider is 'oidc', which needs `token` or `token_file_path`."
        )


def further_arguments(block: Block) -> dict[str, Any]:
    """Give the fields of a block that it does not know itself, which are arguments of the connector.

    Args:
        block: The block.
    """
    extra: dict[str, Any] = block.model_extra or {}
    return {name: value for name, value in extra.items() if name != "block_type_slug"}  # Prefect's own


def connect_arguments(credentials: SnowflakeCredentials) -> dict[str, Any]:
    """Make the arguments of `snowflake.connector.connect`; files are read now.

    Args:
        credentials: The block.

    Raises:
        SnowflakeCredentialsError: If a key or token cannot be read.
    """
    way = WAYS[credentials.authenticator]
    arguments = further_arguments(credentials)
    for name in ("account", "user", "role", "autocommit", *way.sends):
        value = getattr(credentials, name)
        if value is not None:
            arguments[name] = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    arguments["authenticator"] = credentials.authenticator
    if credentials.authenticator == "okta_endpoint":
        arguments["authenticator"] = credentials.endpoint  # the connector takes the address in place of a name
    if credentials.client_prefetch_threads is not None:
        arguments["client_prefetch_threads"] = credentials.client_prefetch_threads
    if credentials.session_parameters:
        arguments["session_parameters"] = dict(credentials.session_parameters)
    if credentials.authenticator in _TOKEN_WAYS or _wants_identity_token(credentials):
        arguments["token"] = credentials.current_token()
    key = credentials.resolve_private_key()
    if key is not None and credentials.authenticator in ("snowflake", "snowflake_jwt"):
        arguments["private_key"] = key
        arguments["authenticator"] = "snowflake_jwt"
        arguments.pop("password", None)
    return arguments


def _wants_identity_token(credentials: SnowflakeCredentials) -> bool:
    return credentials.authenticator == "workload_identity" and credentials.workload_identity_provider == "oidc"


def secrets_of(credentials: SnowflakeCredentials, arguments: Mapping[str, Any]) -> list[str]:
    """List what must not be shown of a login.

    Args:
        credentials: The block.
        arguments: What the connector is told.
    """
    named = (arguments.get(name) for name in ("password", "token", "passcode", "oauth_client_secret"))
    return [*secrets_in(credentials), *(value for value in named if isinstance(value, str))]
