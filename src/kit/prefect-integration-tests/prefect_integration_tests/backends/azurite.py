"""A Blob Storage server on this machine: azurite, Microsoft's own emulator, see `_azurite_program`.

It keeps blobs in memory, and checks keys and shared access signatures; over TLS also the claims of tokens. The front
adds what it lacks: the endpoint of Data Lake Storage, and faults.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

import pytest

from ._azurite_front import AzuriteFront
from ._azurite_messages import AzuriteRequest
from ._azurite_program import azurite_command
from ._lifetime import Stopped, started
from .processes import HOST, LocalServer, accepts_connections, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

    from .azure_identity import AzureIdentity
    from .certificates import PrivateCA

__all__ = ["ACCOUNT", "ACCOUNT_KEY", "Azurite", "AzuriteFront", "AzuriteRequest", "connection_string"]

ACCOUNT = "devstoreaccount1"
"""The account that every emulator of Azure Storage knows, see
https://learn.microsoft.com/azure/storage/common/storage-connect-azurite#well-known-storage-account-and-key."""

ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite(Stopped):
    """A server that keeps everything in memory.

    ```python
    with Azurite.start() as server:
        container = server.new_container()
        server.client().get_blob_client(container, "a.txt").upload_blob(b"hello")
    ```
    """

    account: str = ACCOUNT
    account_key: str = ACCOUNT_KEY

    def __init__(self, folder: Path, ca: PrivateCA | None = None) -> None:
        """Describe the server; `start` starts it.

        Args:
            folder: Empty folder for its log.
            ca: Who signs its certificate: it then speaks TLS and takes tokens, too. Plain HTTP by default.
        """
        self._folder = folder
        self._ca = ca
        self.port = free_port()
        self._server = LocalServer(
            [
                *azurite_command(),
                *("--blobHost", HOST, "--blobPort", str(self.port)),
                *("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"),
                *self._tls(),
            ],
            lambda: accepts_connections(self.port),
            name="azurite",
            cwd=folder,
            log_path=folder / "server.log",
            stop_signal=SIGKILL,  # its data are thrown away
        )

    @classmethod
    def start(cls, ca: PrivateCA | None = None) -> Self:
        """Start a server on a free port (about 3 s) and wait until it answers.

        Args:
            ca: Who signs its certificate; plain HTTP by default.

        Raises:
            ServerError: If it does not start.
        """
        return started(lambda: cls(Path(tempfile.mkdtemp(prefix="azurite-")), ca))

    def _tls(self) -> tuple[str, ...]:
        if self._ca is None:
            return ()
        issued = self._ca.issue(f"azurite-{self.port}", HOST)
        return ("--oauth", "basic", "--cert", str(issued.cert_file), "--key", str(issued.key_file))

    @property
    def endpoint(self) -> str:
        """Address of the account's Blob service."""
        return f"{'http' if self._ca is None else 'https'}://{HOST}:{self.port}/{self.account}"

    @property
    def connection_string(self) -> str:
        """What an account's page in the portal offers to copy."""
        return connection_string(self.endpoint)

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it. Blobs do not survive."""
        return self._server

    def client(self, **options: Any) -> Any:
        """Open a sync `azure.storage.blob.BlobServiceClient` with the account's key.

        Args:
            options: Further keywords of the client.
        """
        from azure.storage.blob import BlobServiceClient

        if self._ca is not None:
            options.setdefault("connection_verify", str(self._ca.ca_file))
        return BlobServiceClient.from_connection_string(self.connection_string, **options)

    @cached_property
    def _own_client(self) -> Any:
        return self.client()

    def new_container(self, prefix: str = "test") -> str:
        """Create an empty container with a unique name.

        Args:
            prefix: Start of the name.

        Returns:
            The container's name.
        """
        container = f"{prefix}-{uuid.uuid4().hex[:20]}"
        self._own_client.create_container(container)
        return container

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def connection_string(endpoint: str, account: str = ACCOUNT, key: str = ACCOUNT_KEY) -> str:
    """Write the connection string of an account whose Blob service has an address of its own."""
    protocol = endpoint.partition(":")[0]
    return f"DefaultEndpointsProtocol={protocol};AccountName={account};AccountKey={key};BlobEndpoint={endpoint};"


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A Blob Storage server for the whole session; see `Azurite` for what it offers."""
    with Azurite.start() as server:
        yield server


@pytest.fixture
def azure_container(azurite: Azurite) -> str:
    """Name of a fresh, empty container of `azurite`."""
    return azurite.new_container()


@pytest.fixture
def azurite_front(azurite: Azurite) -> Iterator[AzuriteFront]:
    """A front before `azurite` that listens in, fails on demand, and can play a hierarchical namespace."""
    with AzuriteFront(azurite) as front:
        yield front


@pytest.fixture(scope="session")
def azurite_oauth(azure_identity: AzureIdentity) -> Iterator[Azurite]:
    """A second server, over TLS by the authority of `azure_identity`, whose tokens it takes."""
    with Azurite.start(azure_identity.ca) as server:
        yield server
