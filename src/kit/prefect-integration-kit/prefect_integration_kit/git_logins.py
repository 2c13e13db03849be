"""Credentials of a git host as Prefect's own steps take them: in the address, or as a user name beside a token.

`git_clone` in YAML gets what a block was saved with, as a dictionary, and sends its `username` and `token`. Without a
user name it guesses one by the host's name, so one must be saved. Beside it there must be `access_token` or `password`,
though `token` is preferred to the latter: hence `UNUSED_PASSWORD`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from pydantic import SecretStr

UNUSED_PASSWORD = "unused, see token"  # noqa: S105 - none
"""What a block is saved with in place of a password, beside a token that may be changed by hand later."""

SAVED_APART = "unused, see username and token"
"""The same beside a token that was given as `user:token`, and is saved as two fields."""


def save_login(data: dict[str, Any], username: str, token: str) -> None:
    """Put who asks into what a block is saved with.

    Args:
        data: Fields of the document; `password` stays if there is one.
        username: As git is to send it.
        token: As git is to send it.
    """
    data.update(username=username, token=token, password=data.get("password") or UNUSED_PASSWORD)


def put_together(values: Any) -> Any:
    """Read a token that was given with its user name, and was saved apart from it, as it was given.

    Args:
        values: What a block is made of, before it is validated; what is no mapping stays as it is.
    """
    if not isinstance(values, dict):
        return values
    fields = cast("dict[str, Any]", values)
    if _text(fields.get("password")) != SAVED_APART:
        return fields
    username, token = fields.get("username"), _text(fields.get("token"))
    if username and token and ":" not in token:  # else it was changed by hand
        fields = {**fields, "username": None, "token": f"{username}:{token}"}
    return {**fields, "password": None}


def _text(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def given_password(password: SecretStr | None) -> SecretStr | None:
    """Read the field `password` of a block, which may have been saved by `save_login`."""
    if password is None or password.get_secret_value() in ("", UNUSED_PASSWORD):
        return None
    return password


def address_with_login(url: str, username: str, password: str) -> str:
    """Write a user name and a password into an address over HTTP, in place of those that are in it.

    Both are taken as they are and encoded once, whatever characters they have.

    Args:
        url: Address of a repository, or of its host.
        username: May be empty.
        password: Password or token.

    Returns:
        The new address; `url` itself if it is none over HTTP, since SSH takes no passwords.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        return url
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{host}").geturl()


def split_login(token: str) -> tuple[str, str]:
    """Take a token apart that was given as `user:token`, as Prefect's blocks have always taken it.

    Returns:
        The user name, empty if there is none, and the token.
    """
    username, colon, rest = token.partition(":")
    return (username, rest) if colon and username and rest else ("", token)


def header_token(token: str, host: str, failure: Callable[[str], Exception]) -> str:
    """Give a token as it can stand in a header of a request to a host's API.

    Args:
        token: As it was given; a line break at its end does no harm.
        host: Name of the host, for the message.
        failure: Makes the error of the message.

    Returns:
        The token, without what surrounds it.

    Raises:
        Exception: What `failure` makes, if the token cannot be sent. Unlike an HTTP library's own error, it does not
            hold the token.
    """
    from .git import GitAuth, GitInvalidRequest

    try:
        GitAuth.bearer(token)
    except GitInvalidRequest:
        raise failure(
            f"The token of the {host} credentials has a line break or another character in it that no token has. Check "
            "that it was copied as a whole, and nothing else with it."
        ) from None
    return token.strip()
