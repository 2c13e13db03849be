"""Clients of Cosmos DB accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prefect_integration_kit.extras import require_extra

from .._identity import describe, secrets_of, token_credential
from .._repeating import repeated
from .._transports import shared_transport
from ..errors import AzureCredentialsError, azure_errors
from .connection import Account, parse_account_url, parse_connection_string

if TYPE_CHECKING:
    from azure.cosmos import CosmosClient

    from ..credentials import AzureCosmosDbCredentials


def open_client(block: AzureCosmosDbCredentials) -> CosmosClient:
    """Open a client of an account. It asks the account once which regions it has.

    Args:
        block: Who we are, and which account.

    Raises:
        ImportError: If the extra `cosmos-db` is not installed.
        AzureCredentialsError: If the connection string is malformed, or the key or identity is refused.
        AzureUnavailable: If the account cannot be reached.
    """
    sdk = require_extra("azure.cosmos", distribution="prefect-azure", extra="cosmos-db")
    account = account_of(block)
    endpoints: Mapping[str, str] = block.endpoints or {}
    address = endpoints.get("cosmos") or account.endpoint
    credential: Any = account.key
    if credential is None:
        _check_token_transport(address)
        credential = token_credential(block)
    # Behind an address of one's own (a private link, a proxy, an emulator), the public addresses of the regions that
    # the account tells of are not to be used.
    options: dict[str, Any] = {"enable_endpoint_discovery": False} if address != account.endpoint else {}
    context = failure_context(block)

    def connect() -> Any:
        with azure_errors(f"Cosmos DB account '{account.name}'", **context):
            return sdk.CosmosClient(address, credential, transport=shared_transport(), **options)

    return repeated(connect)


def account_of(block: AzureCosmosDbCredentials) -> Account:
    """Read which account a block is for.

    Args:
        block: Who we are, and which account.

    Raises:
        AzureCredentialsError: If the connection string or the address is malformed.
    """
    url: str | None = getattr(block, "account_url", None)
    if block.connection_string is not None:  # pyright: ignore[reportUnnecessaryComparison] - it was given an address
        return parse_connection_string(block.connection_string.get_secret_value())
    return parse_account_url(url or "")


def failure_context(block: AzureCosmosDbCredentials) -> dict[str, Any]:
    """Say who asks and what must not be in messages, as arguments of `azure_errors`.

    Args:
        block: Who we are; an object of a user's own, with the block's methods only, gives none.
    """
    try:
        account = account_of(block)
        who = "the account key" if account.key else describe(block)
        return {"identity": who, "secrets": [*secrets_of(block), account.key]}
    except (AttributeError, TypeError, ValueError):
        return {}


def _check_token_transport(address: str) -> None:
    if urlsplit(address).scheme != "https":
        raise AzureCredentialsError(
            f"The address {address} of the Cosmos DB account starts with http://, and tokens go out over https only. "
            "Use https://, or give a connection string with an AccountKey, which is not sent itself.",
            subject="Cosmos DB account",
        )
