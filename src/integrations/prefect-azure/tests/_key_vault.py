"""A key vault on this machine, and credentials that reach it."""

from __future__ import annotations

import time
from typing import Any

from prefect_azure import AzureCredentials
from prefect_integration_tests.backends.key_vault import KeyVault

VAULT_URL = "https://shop.vault.azure.net"


class StaticCredential:
    """A `TokenCredential` whose token never changes."""

    def __init__(self, token: str = "token") -> None:
        self.token = token
        self.asked: list[dict[str, Any]] = []

    def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        from azure.core.credentials import AccessToken

        self.asked.append({"scopes": scopes, **kwargs})
        return AccessToken(self.token, int(time.time()) + 3600)


def credentials_for(vault: KeyVault, **fields: Any) -> AzureCredentials:
    """Make a block for a server that takes every token.

    Args:
        vault: The server.
        **fields: Further fields of the block.
    """
    return AzureCredentials(endpoints={"keyvault": vault.endpoint}, **fields).with_credential(StaticCredential())
