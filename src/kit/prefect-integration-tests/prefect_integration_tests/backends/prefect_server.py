"""A real Prefect server on this machine, with its services, for workers and containers to talk to."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._lifetime import Stopped, started
from .processes import HOST, LocalServer, answers_http, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

_START_SECONDS = 180  # a busy machine with several pytest workers is slow


class PrefectServer(Stopped):
    """A Prefect server with a database of its own, which the user's own profile knows nothing of.

    ```python
    with PrefectServer.start() as server:
        subprocess.run(["prefect", "work-pool", "ls"], env={**os.environ, **server.environment})
    ```
    """

    def __init__(self, host: str = HOST, database_url: str | None = None) -> None:
        """Describe the server; `start` starts it.

        Args:
            host: Address of this machine to listen on. Tasks of `ecs_emulator` share the loopback address. For
                containers of Docker's default network it is `DockerEngine.bridge_address`.
            database_url: An empty database, such as `postgresql+asyncpg://…`; an own SQLite file if it is `None`.
        """
        self.host = host
        self._database_url = database_url
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="prefect-server-"))
        self._server = LocalServer(
            # What `prefect server start` runs in a child of its own.
            [
                *(sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"),
                *("--lifespan", "on", "--host", host, "--port", str(self.port), "--log-level", "error"),
            ],
            lambda: answers_http(f"{self.api_url}/health"),
            name="prefect-server",
            env={
                **self.environment,
                **self._database(),
                "PREFECT__SERVER_FINAL": "1",
                "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
                "PREFECT_UI_ENABLED": "false",
            },
            cwd=self._folder,
            log_path=self._folder / "server.log",
            start_timeout_seconds=_START_SECONDS,
            stop_signal=signal.SIGKILL,  # its data are thrown away
        )

    @property
    def _home(self) -> dict[str, str]:
        return {
            "PREFECT_HOME": str(self._folder / "home"),
            "PREFECT_PROFILES_PATH": str(self._folder / "home" / "profiles.toml"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "NO_PROXY": f"{HOST},localhost,{self.host}",
        }

    def _database(self) -> dict[str, str]:
        """Make the database, migrated already if that can be had, and return the variables that name it."""
        from ..harness import Template, cache_folder

        cache = cache_folder()
        database = self._folder / "prefect.db"
        if cache is not None and self._database_url is None:
            Template(cache).copy_to(database)
        url = self._database_url or f"sqlite+aiosqlite:///{database}"
        return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url}

    @property
    def api_url(self) -> str:
        """What clients take as `PREFECT_API_URL`, here and in containers."""
        return f"http://{self.host}:{self.port}/api"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a process of this machine, such as a worker or the `prefect` command, that uses the server."""
        from ..harness import bytecode_variables, cache_folder

        return {**self._home, "PREFECT_API_URL": self.api_url, **bytecode_variables(cache_folder())}

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it. Data survive `restart`."""
        return self._server

    @classmethod
    def start(cls, host: str = HOST, database_url: str | None = None) -> Self:
        """Start a server on a free port (about 5 s) and wait until it answers.

        Args:
            host: Address of this machine to listen on.
            database_url: An empty database, such as `postgresql+asyncpg://…`; an own SQLite file if it is `None`. On
                SQLite the server answers 503 when some hundred runs begin at once.

        Raises:
            ServerError: If it does not start.
        """
        return started(lambda: cls(host, database_url))

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def reachable_prefect_server() -> Iterator[PrefectServer]:
    """A Prefect server for the whole session that processes and containers of this machine reach.

    `prefect_harness` is for what this process does, and its server runs no services: no scheduler, nobody who marks
    late runs or lost workers. Take this one when a worker runs as a process of its own, or to kill the server.
    """
    with PrefectServer.start() as server:
        yield server
