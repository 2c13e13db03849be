"""Connection strings of Cosmos DB."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import AzureCredentialsError

_HINT = (
    "Copy it from the Azure portal (Keys, Primary Connection String): "
    "AccountEndpoint=https://ACCOUNT.documents.azure.com:443/;AccountKey=KEY; "
    "Leave AccountKey out to sign in with an identity instead."
)


@dataclass(frozen=True)
class Account:
    """Which account, and its key if that is how we sign in.

    Attributes:
        endpoint: Address of the account, such as `https://shop.documents.azure.com:443/`.
        key: Primary, secondary or read-only key in Base64; `None` to sign in with a token.
    """

    endpoint: str
    key: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The account for messages: the first part of its host name."""
        return (urlsplit(self.endpoint).hostname or self.endpoint).partition(".documents.")[0]


def parse_connection_string(text: str) -> Account:
    """Read a connection string; it is never repeated in an error.

    Args:
        text: `AccountEndpoint=ADDRESS;AccountKey=KEY;`, in any order and case of the names. Other settings, such as
            `Database`, are passed over.

    Raises:
        AzureCredentialsError: If it has no address, the address is none of http or https, or the key is not Base64.
    """
    settings: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.strip().strip("\"'").split(";"))):
        name, equals, value = part.partition("=")
        if not equals:
            raise AzureCredentialsError(
                f"connection_string is not one of Cosmos DB: a part of it has no '='. {_HINT}",
                subject="connection_string",
            )
        settings[name.strip().lower()] = value.strip()
    endpoint = settings.get("accountendpoint")
    if not endpoint:
        other = " It looks like one of a storage account." if "accountname" in settings else ""
        raise AzureCredentialsError(
            f"connection_string has no AccountEndpoint.{other} {_HINT}", subject="connection_string"
        )
    _check_endpoint(endpoint, "AccountEndpoint in connection_string", _HINT)
    key = settings.get("accountkey") or None
    if key is not None:
        _check_key(key)
    return Account(endpoint, key)


def parse_account_url(url: str) -> Account:
    """Read the address of an account that we sign in to with a token.

    Args:
        url: Such as `https://shop.documents.azure.com`.

    Raises:
        AzureCredentialsError: If it is none of http or https.
    """
    _check_endpoint(url, "account_url", "It has the form https://ACCOUNT.documents.azure.com.")
    return Account(url.strip())


def _check_endpoint(endpoint: str, what: str, hint: str) -> None:
    try:
        parts = urlsplit(endpoint.strip())
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        is_good = False
    if not is_good:
        raise AzureCredentialsError(f"{what} is not an address that starts with https://. {hint}", subject=what)


def _check_key(key: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise AzureCredentialsError(
            f"AccountKey in connection_string is not Base64, so it is not a whole key. {_HINT}",
            subject="connection_string",
        ) from None
