"""Who may log in: each authenticator's fields are checked, as Snowflake's login-request has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

WRONG_PASSWORD = ("390100", "Incorrect username or password was specified.")
WRONG_JWT = ("390144", "JWT token is invalid. [0c6f3b2a-1111-4222-8333-444455556666]")
WRONG_OAUTH = ("390303", "Invalid OAuth access token. [0c6f3b2a-1111-4222-8333-444455556666]")
EXPIRED_OAUTH = ("390318", "OAuth access token expired. [0c6f3b2a-1111-4222-8333-444455556666]")
WRONG_PAT = ("394400", "Programmatic access token is invalid.")
WRONG_IDENTITY = ("394300", "Workload identity federation authentication failed.")
WRONG_ROLE = (
    "390189",
    "Role '{role}' specified in the connect string does not exist or not authorized.",
)


@dataclass
class Accounts:
    """The users of an account, and what they may show.

    Attributes:
        passwords: By user.
        public_keys: Public keys in PEM, by user.
        oauth_tokens: OAuth access tokens that are good.
        expired_tokens: OAuth access tokens that were good.
        access_tokens: Programmatic access tokens that are good.
        identity_tokens: OIDC tokens of workloads that are good.
        oauth_clients: Secrets of OAuth clients, by ID.
        roles: Roles that exist; any, when empty.
    """

    passwords: dict[str, str] = field(default_factory=lambda: {"FAKE": "snow"})
    public_keys: dict[str, bytes] = field(default_factory=dict[str, bytes])
    oauth_tokens: set[str] = field(default_factory=set[str])
    expired_tokens: set[str] = field(default_factory=set[str])
    access_tokens: set[str] = field(default_factory=set[str])
    identity_tokens: set[str] = field(default_factory=set[str])
    oauth_clients: dict[str, str] = field(default_factory=dict[str, str])
    roles: set[str] = field(default_factory=set[str])

    def refusal(self, data: Json, role: str | None) -> tuple[str, str] | None:
        """Check a login.

        Args:
            data: `data` of the request.
            role: The role asked for.

        Returns:
            Code and message of the refusal; `None` when the user may come in.
        """
        check = _CHECKS.get(str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper())
        refused = WRONG_PASSWORD if check is None else check(self, data)
        if refused is None and role and self.roles and role not in self.roles:
            return WRONG_ROLE[0], WRONG_ROLE[1].format(role=role)
        return refused

    def _password(self, data: Json) -> tuple[str, str] | None:
        known = self.passwords.get(str(data.get("LOGIN_NAME", "")).upper())
        return None if known is not None and data.get("PASSWORD") == known else WRONG_PASSWORD

    def _key(self, data: Json) -> tuple[str, str] | None:
        import jwt

        user = str(data.get("LOGIN_NAME", "")).upper()
        key = self.public_keys.get(user)
        if key is None:
            return WRONG_JWT
        try:
            claims = jwt.decode(str(data.get("TOKEN")), key, algorithms=["RS256", "ES256", "ES384", "ES512"])
        except jwt.PyJWTError:
            return WRONG_JWT
        return None if str(claims.get("sub", "")).endswith(f".{user}") else WRONG_JWT

    def _oauth(self, data: Json) -> tuple[str, str] | None:
        token = data.get("TOKEN")
        if token in self.expired_tokens:
            return EXPIRED_OAUTH
        return None if token in self.oauth_tokens else WRONG_OAUTH

    def _access_token(self, data: Json) -> tuple[str, str] | None:
        return None if data.get("TOKEN") in self.access_tokens else WRONG_PAT

    def _identity(self, data: Json) -> tuple[str, str] | None:
        return None if data.get("PROVIDER") and data.get("TOKEN") in self.identity_tokens else WRONG_IDENTITY


_CHECKS: dict[str, Callable[[Accounts, Json], tuple[str, str] | None]] = {
    "SNOWFLAKE": Accounts._password,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    "USERNAME_PASSWORD_MFA": Accounts._password,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    "SNOWFLAKE_JWT": Accounts._key,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    "OAUTH": Accounts._oauth,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    "PROGRAMMATIC_ACCESS_TOKEN": Accounts._access_token,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    "WORKLOAD_IDENTITY": Accounts._identity,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
}
