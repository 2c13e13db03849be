"""Who asks: the token of a block of credentials, as git and the API get it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.git import GitAuth, GitInvalidRequest

from .errors import GitHubCredentialsError

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import TypeIs

    from .credentials import GitHubAppCredentials, GitHubCredentials

    Credentials: TypeAlias = GitHubCredentials | GitHubAppCredentials

# GitHub looks at the token alone; this is the name that it documents beside those of Apps:
# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
USER = "x-access-token"

_WITH_USER = re.compile(r"([a-z0-9][a-z0-9-]*):([\w.-]+)", re.ASCII | re.IGNORECASE)
"""A user name, and what all tokens of GitHub are made of, which is no colon."""


def is_app(credentials: Credentials) -> TypeIs[GitHubAppCredentials]:
    """Say whether an App asks."""
    from .credentials import GitHubAppCredentials

    return isinstance(credentials, GitHubAppCredentials)


def token_of(credentials: Credentials) -> str:
    """Find the token; empty if there is none. That of an App is made, or taken from the last time.

    Raises:
        GitHubError: If GitHub does not make one.
    """
    return login_of(credentials)[1]


def login_of(credentials: Credentials) -> tuple[str, str]:
    """Find the user name, empty unless it was given with the token as `user:token`, and the token, as `token_of` does.

    GitHub writes `x-access-token:TOKEN` where it tells how to clone by a token.
    """
    if is_app(credentials):
        from ._app import installation_token

        return "", installation_token(credentials)
    given = _given(credentials)
    found = _WITH_USER.fullmatch(given)
    return (found[1], found[2]) if found is not None else ("", given)


def _given(credentials: GitHubCredentials) -> str:
    return credentials.token.get_secret_value().strip() if credentials.token is not None else ""


async def atoken_of(credentials: Credentials) -> str:
    """Async form of `token_of`; a thread is taken only when one must be made."""
    if is_app(credentials):
        from ._app import installation_token, kept_token

        return kept_token(credentials) or await run_sync_in_worker_thread(installation_token, credentials)
    return token_of(credentials)


def forget_token(credentials: Credentials, token: str) -> bool:
    """Forget the token of an App that GitHub does not accept any more, and say whether another can be made.

    Args:
        credentials: Whose it is.
        token: The one that was refused.
    """
    if not is_app(credentials):
        return False
    from ._app import forget

    forget(credentials, token)
    return True


def secrets_of(credentials: Credentials) -> list[str]:
    """List what must not be said, as far as it is known without asking GitHub."""
    if is_app(credentials):
        from ._app import kept_token

        found = [credentials.private_key.get_secret_value(), kept_token(credentials)]
    else:
        found = [token_of(credentials), _given(credentials)]
    return [text for text in found if text]


def api_header(token: str) -> dict[str, str]:
    """Write the header that the API wants; none without a token.

    Raises:
        GitHubCredentialsError: If the token cannot stand in a header.
    """
    if not token:
        return {}
    try:
        return {"Authorization": GitAuth.bearer(token).header}
    except GitInvalidRequest as exc:
        raise GitHubCredentialsError(
            "The token of the GitHub credentials has a line break or another character in it that no token has. Check "
            "that it was copied as a whole, and nothing else with it."
        ) from exc


def git_auth(credentials: Credentials | None) -> GitAuth | None:
    """Say who asks, as git does; `None` for nobody. It may ask GitHub for a token."""
    username, token = ("", "") if credentials is None else login_of(credentials)
    return GitAuth.basic(username or USER, token) if token else None


def is_somebody(credentials: Credentials | None) -> bool:
    """Say whether there will be a token, without asking GitHub for one."""
    return credentials is not None and (is_app(credentials) or bool(token_of(credentials)))


def address_with_token(url: str, token: str, username: str = "") -> str:
    """Write a token into an address over HTTP, in place of what is in it; other addresses stay as they are.

    Args:
        url: Address of a repository, or of its host.
        token: As it is; it is encoded once.
        username: What to write before it; without, the token stands alone, as GitHub takes it, too.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        return url
    host = parts.netloc.rpartition("@")[2]
    login = f"{username}:{quote(token, safe='')}" if username else quote(token, safe="")
    return parts._replace(netloc=f"{login}@{host}").geturl()
