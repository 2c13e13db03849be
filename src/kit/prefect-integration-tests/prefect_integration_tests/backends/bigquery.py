"""BigQuery on this machine: bqemulator, an emulator on DuckDB, with REST and the Storage Read API.

Queries, tables, loads, streaming inserts and Arrow streams are real. It runs a job to its end before it answers, knows
no identity, ignores a query's destination, and says that every dry run reads 0 bytes: `bigquery_front` stands before it
where a test needs another answer, a job that takes its time, or a line that breaks.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from ._bigquery_front import BigQueryCall, BigQueryFront
from ._lifetime import Stopped
from ._sharing import Shared
from .processes import HOST, accepts_connections

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BigQueryCall", "BigQueryFront", "BigQueryServer"]

_START_SECONDS = 90
_STOP_SECONDS = 10


def _shared() -> Shared:
    from . import _bigquery_keeper

    return Shared(
        "bigquery", _bigquery_keeper.__name__, _is_up, start_seconds=_START_SECONDS, stop_seconds=_STOP_SECONDS
    )


def _ports(folder: Path) -> dict[str, int]:
    from ._bigquery_keeper import PORTS

    return json.loads((folder / PORTS).read_text(encoding="utf-8"))


def _is_up(folder: Path) -> bool:
    try:
        return accepts_connections(_ports(folder)["rest"])
    except FileNotFoundError:
        return False


class BigQueryServer(Stopped):
    """A BigQuery emulator, shared by the test processes of this user.

    ```python
    with BigQueryServer.start() as server:
        dataset = server.new_dataset()
        server.client().query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS n")
    ```
    """

    def __init__(self, folder: Path, users: IO[str]) -> None:
        """Describe a running emulator; `start` finds or starts one.

        Args:
            folder: The keeper's folder.
            users: The lock that keeps it running.
        """
        from ._bigquery_keeper import OBJECTS, PROJECT

        self._users = users
        ports = _ports(folder)
        self.project = PROJECT
        self.rest_port = ports["rest"]
        self.grpc_port = ports["grpc"]
        self.objects = folder / OBJECTS
        """Folder that the emulator takes for Cloud Storage: `gs://bucket/key` is the file `bucket/key` in it."""

    @classmethod
    def start(cls) -> Self:
        """Use the emulator that runs, or start one (some 5 s).

        Raises:
            ServerError: If it does not start.
        """
        return cls(*_shared().join())

    @property
    def endpoint(self) -> str:
        """URL of the REST API, for `client_options={"api_endpoint": ...}`."""
        return f"http://{HOST}:{self.rest_port}"

    @property
    def storage_endpoint(self) -> str:
        """URL of the Storage API: gRPC without encryption."""
        return f"http://{HOST}:{self.grpc_port}"

    def client(self, **options: Any) -> Any:
        """Open a `google.cloud.bigquery.Client`.

        Args:
            options: Further arguments of it.
        """
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        anonymous: Any = AnonymousCredentials()  # pyright: ignore[reportNoUntypedCall]
        defaults: dict[str, Any] = {
            "project": self.project,
            "credentials": anonymous,
            "client_options": {"api_endpoint": self.endpoint},
        }
        return bigquery.Client(**{**defaults, **options})

    @cached_property
    def _own_client(self) -> Any:
        return self.client()

    def new_dataset(self, prefix: str = "test") -> str:
        """Create an empty data set with a unique name, and return the name."""
        dataset = f"{prefix}_{uuid.uuid4().hex[:20]}"
        self._own_client.create_dataset(dataset)
        return dataset

    def delete_dataset(self, dataset: str) -> None:
        """Delete a data set with its tables."""
        self._own_client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query, and return its rows as tuples."""
        return [tuple(row.values()) for row in self._own_client.query(query).result()]

    def put_object(self, bucket: str, key: str, content: bytes) -> str:
        """Put an object into what the emulator takes for Cloud Storage, and return its `gs://` URI."""
        path = self.objects / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"gs://{bucket}/{key}"

    def stop(self) -> None:
        """Give the emulator back; it ends when this was its last user."""
        _shared().leave(self._users)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint}>"


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[BigQueryServer]:
    """A BigQuery emulator for the whole session; see `BigQueryServer` for what it offers."""
    with BigQueryServer.start() as server:
        yield server


@pytest.fixture
def bigquery_dataset(bigquery_server: BigQueryServer) -> Iterator[str]:
    """Name of a fresh, empty data set of `bigquery_server`, deleted after the test."""
    dataset = bigquery_server.new_dataset()
    yield dataset
    bigquery_server.delete_dataset(dataset)


@pytest.fixture
def bigquery_front(bigquery_server: BigQueryServer) -> Iterator[BigQueryFront]:
    """A server before `bigquery_server` that records requests and spoils answers; see `BigQueryFront`."""
    front = BigQueryFront(bigquery_server.rest_port)
    yield front
    front.close()
