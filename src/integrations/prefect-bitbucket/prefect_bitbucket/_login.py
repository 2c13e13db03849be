"""Which user name and token a block of credentials means, for git and for the API. Pure.

Bitbucket Cloud asks for fixed user names beside tokens
(https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/,
https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/), Data Center for that of the token's owner, or
for a fixed one, too, where the token belongs to a project or repository
(https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from prefect_integration_kit.git import GitAuth
from prefect_integration_kit.git_logins import split_login

from .errors import BitBucketAppPasswordRefused, BitBucketCredentialsError

if TYPE_CHECKING:
    from .credentials import BitBucketCredentials

TokenType = Literal["api", "access", "http"]

API_USER = "x-bitbucket-api-token-auth"
ACCESS_USER = "x-token-auth"
FIXED_USERS = frozenset({API_USER, ACCESS_USER})

# How tokens begin, so that one can be told from the other.
_API, _ACCESS, _DATA_CENTER, _APP_PASSWORD = "ATATT", "ATCTT", "BBDC-", "ATBB"

NO_APP_PASSWORDS = (
    "Bitbucket Cloud has not accepted app passwords since June 2026. Create an API token with the scope "
    "read:repository:bitbucket (https://id.atlassian.com/manage-profile/security/api-tokens), or an access token of "
    "the repository, project or workspace, and set it as `token`."
)
_NOTHING = (
    "The Bitbucket credentials have neither a token nor a user name and a password. Set `token`, or pull without "
    "credentials if the repository is public."
)
_SERVER_WITHOUT_USER = (
    "Bitbucket Server wants a user name beside the token. Please provide a `username` and a `password` or `token` in "
    "the BitBucketCredentials block; for the token of a project or repository, set `token_type` to 'access'."
)


def given_token(credentials: BitBucketCredentials) -> str:
    """Find the token as it was given; empty if there is none."""
    return credentials.token.get_secret_value() if credentials.token is not None else ""


def own_login(credentials: BitBucketCredentials) -> tuple[str, str]:
    """Find user name and token of a token that was given as `user:token`; the name is empty otherwise."""
    if credentials.username:
        return "", ""
    username, token = split_login(given_token(credentials))
    return (username, token) if username else ("", "")


def plain_token(credentials: BitBucketCredentials) -> str:
    """Find the token without a user name in front of it; empty if there is none."""
    return own_login(credentials)[1] or given_token(credentials)


def token_type(credentials: BitBucketCredentials) -> TokenType | None:
    """Tell the kind of token: by the field, else by what it looks like; `None` if neither says."""
    if credentials.token_type is not None:
        return credentials.token_type
    token, username = plain_token(credentials), own_login(credentials)[0]
    if token.startswith(_API) or username == API_USER:
        return "api"
    if token.startswith(_ACCESS) or username == ACCESS_USER:
        return "access"
    return "http" if token.startswith(_DATA_CENTER) else None


def git_user(credentials: BitBucketCredentials) -> str:
    """Find the user name that git sends beside the token; empty where none is known."""
    username = own_login(credentials)[0] or credentials.username or ""
    kind = token_type(credentials)
    if kind == "access":
        return ACCESS_USER
    if kind == "api":
        is_address = "@" in username  # Cloud knows users by another name than their e-mail address
        return API_USER if not username or is_address or username in FIXED_USERS else username
    return username


def git_login(credentials: BitBucketCredentials) -> tuple[str, str] | None:
    """Find user name and token or password, as git sends them; `None` if there is nothing to send.

    Raises:
        BitBucketCredentialsError: If a password has no user name.
    """
    if token := plain_token(credentials):
        return git_user(credentials) or ACCESS_USER, token
    if credentials.password is None or not (password := credentials.password.get_secret_value()):
        return None
    if not credentials.username:
        raise BitBucketCredentialsError(
            "The Bitbucket credentials have a password but no user name. Please provide a `username` and a `password` "
            "or `token` in the BitBucketCredentials block."
        )
    return credentials.username, password


def git_auth(credentials: BitBucketCredentials | None) -> GitAuth | None:
    """Say who asks, as git does; `None` for nobody."""
    if credentials is None:
        return None
    kind = token_type(credentials)
    is_server = kind == "http" or (kind is None and is_own_server(credentials.url))
    if is_server and (token := plain_token(credentials)) and not git_user(credentials):
        return GitAuth.bearer(token)  # right for every token of a Data Center, whoever owns it
    login = git_login(credentials)
    return None if login is None else GitAuth.basic(login[0], login[1].rstrip("\r\n"))


def login_for_address(credentials: BitBucketCredentials, url: str) -> tuple[str, str]:
    """Find user name and token or password to write into an address.

    Raises:
        BitBucketCredentialsError: If the block has none, or lacks the user name that a server wants.
    """
    refuse_app_password(credentials, url)
    is_server = token_type(credentials) == "http" or "bitbucketserver" in urlsplit(url).netloc.lower()
    login = (None if is_server else _password_as_token(credentials)) or git_login(credentials)
    if login is None:
        raise BitBucketCredentialsError(_NOTHING)
    if is_server and plain_token(credentials) and not git_user(credentials):
        raise BitBucketCredentialsError(_SERVER_WITHOUT_USER)
    return login


def _password_as_token(credentials: BitBucketCredentials) -> tuple[str, str] | None:
    """Read a password that has no user name as a token, as Prefect's own step does; `None` if it is no such thing."""
    if credentials.username or credentials.password is None or given_token(credentials):
        return None
    username, token = split_login(credentials.password.get_secret_value())
    return (username or ACCESS_USER, token) if token else None


def saved_login(credentials: BitBucketCredentials) -> tuple[str, str] | None:
    """Find user name and token to save, so that Prefect's own step understands them; `None` to leave what is there."""
    if not (token := plain_token(credentials)):
        return None
    user = git_user(credentials)
    if not user and token_type(credentials) == "http":
        return None
    return user or ACCESS_USER, token


# Where, and with what


def is_own_server(url: str | None) -> bool:
    """Say whether an address is that of a Bitbucket Data Center or Server."""
    return bool(url) and not is_cloud(url)


def is_cloud(url: str | None) -> bool:
    """Say whether an address is that of Bitbucket Cloud."""
    host = (urlsplit(url if url and "://" in url else f"https://{url or ''}").hostname or "").lower()
    return host == "bitbucket.org" or host.endswith(".bitbucket.org")


def is_app_password(credentials: BitBucketCredentials) -> bool:
    """Say whether what git would send looks like an app password."""
    password = credentials.password.get_secret_value() if credentials.password is not None else ""
    return (plain_token(credentials) or password).startswith(_APP_PASSWORD)


def refuse_app_password(credentials: BitBucketCredentials, url: str) -> None:
    """Refuse to send an app password to Bitbucket Cloud.

    Raises:
        BitBucketAppPasswordRefused: If it is one.
    """
    if is_app_password(credentials) and is_cloud(url):
        raise BitBucketAppPasswordRefused(f"The Bitbucket credentials hold an app password. {NO_APP_PASSWORDS}")


def secrets_of(credentials: BitBucketCredentials) -> list[str]:
    """List what must not be said."""
    password = credentials.password.get_secret_value() if credentials.password is not None else ""
    return [text for text in (plain_token(credentials), given_token(credentials), password) if text]
