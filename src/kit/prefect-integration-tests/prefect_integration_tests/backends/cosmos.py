"""A Cosmos DB account in this process, in the shape of its REST API, for Azure's own SDK.

Requests are checked as the service does: signatures of keys, tokens, partition keys, ETags, sizes. Containers have as
many partitions as a test wants, so that queries are planned and merged by the SDK. Queries are run by an evaluator of
the SQL that tests use; what it does not know is a 400. Not there: change feed, batches, stored procedures, triggers,
throughput, time to live, several regions, prefixes of hierarchical keys.
"""

from __future__ import annotations

import base64
import ssl
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ._azure.cosmos_calls import CosmosCall
from ._azure.cosmos_server import CosmosServer
from ._azure.cosmos_store import CosmosRefused, Json
from ._call_faults import Fault, When
from .certificates import PrivateCA

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Cosmos", "CosmosCall", "CosmosRefused", "cosmos", "empty_cosmos"]


def _key(word: str) -> str:
    return base64.b64encode(word.encode().ljust(64, b"=")).decode()


class Cosmos:
    """The account, and what a test may do to it. Every method may be called from any thread."""

    def __init__(self, ca: PrivateCA | None = None) -> None:
        """Start to listen on free loopback ports.

        Args:
            ca: Issues the certificate of the port that speaks TLS, which tokens need.
        """
        context: ssl.SSLContext | None = None
        if ca is not None:
            issued = ca.issue(f"cosmos-{uuid.uuid4().hex[:8]}", "127.0.0.1", "localhost")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(issued.cert_file, issued.key_file)
        self.key, self.readonly_key = _key("primary"), _key("readonly")
        self.server = CosmosServer({"primary": self.key, "readonly": self.readonly_key}, context)

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port/`."""
        return self.server.endpoint

    @property
    def tls_endpoint(self) -> str:
        """`https://127.0.0.1:port/`."""
        return self.server.tls_endpoint

    @property
    def connection_string(self) -> str:
        """With the primary key."""
        return f"AccountEndpoint={self.endpoint};AccountKey={self.key};"

    @property
    def calls(self) -> list[CosmosCall]:
        """All requests since the last reset, in order."""
        return self.server.calls

    @property
    def on_call(self) -> list[Callable[[CosmosCall], None]]:
        """Functions that are told of each call before it is answered. They may raise `CosmosRefused`."""
        return self.server.on_call

    @property
    def denied(self) -> set[str]:
        """Actions that no token may do, such as `Microsoft.DocumentDB/databaseAccounts/readMetadata`."""
        return self.server.denied

    def calls_of(self, method: str) -> list[CosmosCall]:
        """Give the calls of one kind so far.

        Args:
            method: Such as `Items_Query`; `*` stands for anything in it.
        """
        from fnmatch import fnmatchcase

        return [call for call in list(self.calls) if fnmatchcase(call.method, method)]

    def check_tokens(self, check: Callable[[str], str | None]) -> None:
        """Take tokens from now on, until the reset.

        Args:
            check: Gives who a token is of, `None` for one that is not good, such as `azure_identity.check`.
        """
        self.server.check_token = check

    def container(
        self, name: str, *paths: str, database: str = "shop", partitions: int = 1, unique: tuple[str, ...] = ()
    ) -> str:
        """Make a container, and its database where need be.

        Args:
            name: Of the container.
            paths: Of the partition key; `/id` by default.
            database: Its database.
            partitions: How many physical partitions it has.
            unique: Paths whose values together must be unique within a partition key.

        Returns:
            Its name.
        """
        store = self.server.store
        if database not in store.databases:
            store.create_database({"id": database})
        key = {"paths": list(paths or ("/id",)), "kind": "MultiHash" if len(paths) > 1 else "Hash", "version": 2}
        body: Json = {"id": name, "partitionKey": key}
        if unique:
            body["uniqueKeyPolicy"] = {"uniqueKeys": [{"paths": list(unique)}]}
        store.create_container(database, body, partitions)
        return name

    def items(self, container: str, database: str = "shop") -> list[Json]:
        """All items of a container, without the service's own properties."""
        found = self.server.store.container(database, container).items.values()
        return [{name: value for name, value in item.items() if not name.startswith("_")} for item in found]

    def split(self, container: str, partitions: int, database: str = "shop") -> None:
        """Split the partitions of a container, as when it grows: the ranges that clients know are gone.

        Args:
            container: Its name.
            partitions: How many there are from now on.
            database: Its database.
        """
        self.server.store.container(database, container).split(partitions)

    def fail(
        self,
        method: str,
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = "before",
        skip: int = 0,
        message: str = "",
        substatus: int | None = None,
        retry_after_ms: int | None = None,
        delay_seconds: float = 0.0,
        where: Callable[[CosmosCall], bool] | None = None,
    ) -> None:
        """Let calls fail, or be slow.

        Args:
            method: Such as `Item_Create`; `*` stands for anything in it.
            status: HTTP status of the refusal.
            times: How many calls; `None` for all.
            when: As for the other local servers: `before`, `after`, `lost`, `late`, `cut`, `slow`, `garbled`.
            skip: How many calls pass first.
            message: What is said; by default what Cosmos DB says for that status.
            substatus: Its finer number.
            retry_after_ms: Send `x-ms-retry-after-ms`.
            delay_seconds: Wait before anything else.
            where: Strike only calls for which this is true.
        """
        error = CosmosRefused(status, message, substatus=substatus, retry_after_ms=retry_after_ms)
        self.server.faults.add(Fault(method, error, times, when, skip, delay_seconds, where))

    def heal(self) -> None:
        """End all faults."""
        self.server.faults.clear()

    def cut_connections(self) -> None:
        """Close all open connections; new ones are welcome."""
        self.server.cut_connections()

    def client(self) -> Any:
        """Give a plain client of Azure's SDK with the primary key."""
        from azure.cosmos import CosmosClient

        return CosmosClient(self.endpoint, self.key)

    def reset(self) -> None:
        """Forget everything: databases, calls, faults, permissions."""
        self.server.reset()

    def close(self) -> None:
        """Stop to listen."""
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


@pytest.fixture(scope="session")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cosmos]:
    """The local account; tests share it, see `empty_cosmos`."""
    with Cosmos(PrivateCA(tmp_path_factory.mktemp("cosmos"))) as account:
        yield account


@pytest.fixture
def empty_cosmos(cosmos: Cosmos) -> Cosmos:
    """The local account after a reset."""
    cosmos.reset()
    return cosmos
