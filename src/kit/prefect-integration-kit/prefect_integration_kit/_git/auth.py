"""Who asks: credentials as an `Authorization` header, whatever characters they have."""

from __future__ import annotations

import base64
import re

from pydantic import SecretStr

from .errors import GitInvalidRequest

_BAD_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class GitAuth:
    """Credentials for one host over HTTP. Its `repr` does not show them."""

    __slots__ = ("_header", "_secrets")

    def __init__(self, authorization: SecretStr | str, *secrets: SecretStr | str) -> None:
        """Take the value of an `Authorization` header.

        Args:
            authorization: Scheme and credentials, such as `Bearer …`.
            secrets: What in it must not be said; the part behind the scheme is hidden in any case.

        Raises:
            GitInvalidRequest: If it is empty or cannot stand in a header.
        """
        value = _plain(authorization).strip()
        if not value or _BAD_IN_HEADER.search(value) or not value.isascii():
            raise GitInvalidRequest(
                "The Authorization header is empty, or has a line break or another character in it that no header can "
                "have. Check that the token was copied as a whole, and nothing else with it."
            )
        self._header = value
        self._secrets = (value.partition(" ")[2].strip() or value, *map(_plain, secrets))

    @classmethod
    def basic(cls, username: SecretStr | str, password: SecretStr | str) -> GitAuth:
        """Make credentials of a user name and a password or token. All characters are allowed, but `:` in the name.

        Args:
            username: May be empty, where the host does not look at it.
            password: Password or token.

        Raises:
            GitInvalidRequest: If the user name has a colon in it (RFC 7617, section 2).
        """
        name, word = _plain(username), _plain(password)
        if ":" in name:
            raise GitInvalidRequest("The user name has a ':' in it, which HTTP does not allow. Check the field.")
        encoded = base64.b64encode(f"{name}:{word}".encode()).decode()
        return cls(f"Basic {encoded}", *(text for text in (word, f"{name}:{word}" if word else "") if text))

    @classmethod
    def bearer(cls, token: SecretStr | str) -> GitAuth:
        """Make credentials of an access token that goes as `Bearer`.

        Args:
            token: The token.
        """
        return cls(f"Bearer {_plain(token).strip()}", token)

    @property
    def header(self) -> str:
        """The value of the header."""
        return self._header

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be said."""
        return self._secrets

    def __repr__(self) -> str:
        return f"GitAuth({self._header.partition(' ')[0]!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GitAuth) and other._header == self._header

    def __hash__(self) -> int:
        return hash(self._header)
