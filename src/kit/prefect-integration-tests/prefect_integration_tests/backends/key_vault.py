"""Azure Key Vault on this machine: TLS, challenge authentication, versions, soft delete, failures when told to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ._azure.key_vault_server import VaultCall, VaultServer, When
from ._azure.key_vault_store import VaultStore
from ._lifetime import Stopped
from .azure_identity import AzureIdentity
from .certificates import PrivateCA
from .processes import HOST

__all__ = ["KeyVault", "VaultCall", "When"]

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


class KeyVault(Stopped):
    """A vault, with what tests tell it and ask of it.

    ```python
    with KeyVault(tmp_path) as vault:
        client = SecretClient(
            vault.endpoint, credential, verify_challenge_resource=False, connection_verify=str(vault.ca_bundle)
        )
    ```
    """

    def __init__(self, folder: Path, ca: PrivateCA | None = None, authority: str | None = None) -> None:
        """Start to listen on a free port.

        Args:
            folder: An existing folder for its certificates.
            ca: Who signs its certificate; an authority of its own by default.
            authority: Address of the tenant, which its challenge sends clients to.
        """
        ca = ca or PrivateCA(folder)
        self.ca_bundle = ca.ca_file
        issued = ca.issue("key-vault", HOST, "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.cert_file, issued.key_file)
        self._server = VaultServer(context, authority or f"https://login.microsoftonline.com/{TENANT}")

    @property
    def endpoint(self) -> str:
        """`https://127.0.0.1:port`."""
        return self._server.endpoint

    @property
    def store(self) -> VaultStore:
        """What it keeps; its attributes change how it works."""
        return self._server.store

    @property
    def calls(self) -> list[VaultCall]:
        """The requests that carried a token, oldest first."""
        return self._server.calls

    @property
    def challenges(self) -> int:
        """How many requests were told to bring a token, or another one."""
        return self._server.challenges

    @property
    def pending_faults(self) -> int:
        """How many faults have calls left to strike."""
        return self._server.pending_faults

    @property
    def denied(self) -> set[str]:
        """Actions that nobody may do, such as `getSecret/action`."""
        return self._server.denied

    @property
    def fail(self) -> Callable[..., None]:
        """Let calls fail; see `VaultServer.fail`."""
        return self._server.fail

    def calls_of(self, operation: str) -> list[VaultCall]:
        """The calls of one operation, such as `GetSecret`."""
        return self._server.calls_of(operation)

    def on_call(self, hook: Callable[[VaultCall], None]) -> None:
        """Be told of each call before it is answered."""
        self._server.on_call.append(hook)

    def check_tokens(self, check: Callable[[str], str | None]) -> None:
        """Look at tokens from now on.

        Args:
            check: Gives who a token is of; `None` for one that is not good, which is challenged.
        """
        self._server.check_token = check

    def reset(self) -> None:
        """Forget secrets, calls, faults and permissions."""
        self._server.reset()

    def stop(self) -> None:
        """Stop to listen."""
        self._server.close()


@pytest.fixture(scope="session")
def key_vault(azure_identity: AzureIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyVault]:
    """A vault in the tenant of `azure_identity`, whose authority has signed its certificate.

    A test that uses it begins with `reset()`, or takes `empty_key_vault`. `check_tokens(azure_identity.check)` makes it
    look at tokens.
    """
    authority = f"{azure_identity.authority}/{azure_identity.tenant_id}"
    with KeyVault(tmp_path_factory.mktemp("key-vault"), azure_identity.ca, authority) as vault:
        yield vault


@pytest.fixture
def empty_key_vault(key_vault: KeyVault) -> KeyVault:
    """The vault, empty, without faults; every token is good."""
    key_vault.reset()
    return key_vault
