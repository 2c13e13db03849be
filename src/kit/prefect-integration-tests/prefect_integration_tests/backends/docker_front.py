"""A Docker engine under a TCP address, plain or by TLS with client certificates, as a remote engine is reached."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._lifetime import Stopped
from .certificates import PrivateCA
from .processes import HOST

if TYPE_CHECKING:
    from typing_extensions import Self

    from .docker import DockerEngine

_CHUNK_BYTES = 65536


class DockerFront(Stopped):
    """Passes what it hears at a TCP port on to an engine's socket and back.

    ```python
    with DockerFront.start(engine) as front:
        environment = {"DOCKER_HOST": front.base_url, "DOCKER_CERT_PATH": str(front.cert_folder)}
    ```
    """

    def __init__(self, socket_path: str, folder: Path, *, tls: bool = True) -> None:
        """Describe the front; `start` starts it.

        Args:
            socket_path: The engine's socket.
            folder: Empty folder for certificates.
            tls: Whether it speaks TLS and asks clients for a certificate.
        """
        self._socket_path = socket_path
        self._folder = folder
        self._context = self._make_certificates() if tls else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="docker-front", daemon=True)
        self._is_ready = threading.Event()
        self._end = asyncio.Event()
        self._port = 0
        self.accepted = 0

    @classmethod
    def start(cls, engine: DockerEngine, *, tls: bool = True) -> Self:
        """Start a front on a free port of the loopback address.

        Args:
            engine: The engine behind it.
            tls: Whether it speaks TLS and asks clients for a certificate.
        """
        folder = Path(tempfile.mkdtemp(prefix="docker-front-"))
        front = cls(engine.socket_url.removeprefix("unix://"), folder, tls=tls)
        front._thread.start()
        front._is_ready.wait(10)
        return front

    @property
    def base_url(self) -> str:
        """The address that clients take."""
        return f"tcp://{HOST}:{self._port}"

    @property
    def cert_folder(self) -> Path:
        """Folder with `ca.pem`, `cert.pem` and `key.pem` for a client."""
        return self._folder / "client"

    @property
    def stranger_folder(self) -> Path:
        """The same of an authority that the front does not know."""
        return self._folder / "stranger"

    def _make_certificates(self) -> ssl.SSLContext:
        authorities: dict[str, PrivateCA] = {}
        for name in ("client", "stranger"):
            folder = self._folder / name
            folder.mkdir()
            authorities[name] = PrivateCA(folder)
            issued = authorities[name].issue(name)
            issued.cert_file.rename(folder / "cert.pem")
            issued.key_file.rename(folder / "key.pem")
        server = authorities["client"].issue("server", HOST)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.cert_file, server.key_file)
        context.load_verify_locations(authorities["client"].ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda loop, context: None)  # clients that are sent away are what it is for
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, HOST, 0, ssl=self._context)
        self._port = server.sockets[0].getsockname()[1]
        self._is_ready.set()
        await self._end.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        engine_reader, engine_writer = await asyncio.open_unix_connection(self._socket_path)
        with contextlib.suppress(OSError):
            pumps = [
                asyncio.ensure_future(_pump(reader, engine_writer)),
                asyncio.ensure_future(_pump(engine_reader, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        for end in (engine_writer, writer):
            with contextlib.suppress(OSError):
                end.close()

    def stop(self) -> None:
        """End all connections and remove the certificates."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()


@pytest.fixture(scope="session")
def docker_tls_front(docker_engine: DockerEngine) -> Iterator[DockerFront]:
    """The engine under a TCP address that speaks TLS and asks clients for a certificate."""
    with DockerFront.start(docker_engine) as front:
        yield front
