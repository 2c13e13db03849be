"""A PostgreSQL server on this machine, from the system's own package; it has TLS where it is given a certificate."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._lifetime import Stopped, started
from .certificates import Certificate
from .processes import HOST, LocalServer, ServerError, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Postgres", "postgres_program"]

_TRUST = (f"host all all {HOST}/32 trust",)
_USER = "postgres"


def postgres_program(name: str) -> str | None:
    """Find a program of PostgreSQL: on `PATH`, or where Debian keeps it, the newest version first.

    Args:
        name: Such as `initdb`.

    Returns:
        Its path; `None` if it is not installed.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version, reverse=True)
    return shutil.which(name) or (str(versions[0]) if versions else None)


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parts[-3])]


class Postgres(Stopped):
    """A server with one superuser, `postgres`.

    ```python
    with Postgres.start() as server:
        psycopg.connect(server.url)
    ```
    """

    def __init__(self, folder: Path, hba: Sequence[str], certificate: Certificate | None) -> None:
        """Make a cluster; `start` starts the server.

        Raises:
            ServerError: If PostgreSQL is not installed, or the cluster cannot be made.
        """
        self._folder = folder
        self._data = folder / "data"
        self.port = free_port()
        self._make_cluster(hba, certificate)
        tls = ["-c", "ssl=on"] if certificate else []
        options = ["-c", "fsync=off", "-c", "listen_addresses=" + HOST, "-k", str(folder), *tls]
        command = [_program("postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        self._server = LocalServer([*_as_user(), *command], self._answers, name="postgres", cwd=folder)

    @classmethod
    def start(cls, hba: Sequence[str] = _TRUST, certificate: Certificate | None = None) -> Self:
        """Start a server on a free port (about 1 s) and wait until it answers.

        Args:
            hba: Lines of `pg_hba.conf`: who may connect from where, and how that is proven
                (https://www.postgresql.org/docs/current/auth-pg-hba-conf.html).
            certificate: What it speaks TLS with.

        Raises:
            ServerError: If PostgreSQL is not installed, or does not start.
        """
        return started(lambda: cls(Path(tempfile.mkdtemp(prefix="postgres-")), hba, certificate))

    @property
    def url(self) -> str:
        """`postgresql://postgres@127.0.0.1:port/postgres`."""
        return f"postgresql://{_USER}@{HOST}:{self.port}/postgres"

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it."""
        return self._server

    def run(self, sql: str) -> str:
        """Run statements as the superuser, through the server's own socket.

        Args:
            sql: The statements.

        Returns:
            Rows, one a line, columns separated by `|`.

        Raises:
            ServerError: If one of them fails.
        """
        where = ["-h", str(self._folder), "-p", str(self.port), "-U", _USER, "-d", "postgres"]
        return self._call([_program("psql"), *where, "-v", "ON_ERROR_STOP=1", "-Atqc", sql])

    def _answers(self) -> bool:
        """Whether it runs statements: it listens a moment before that."""
        try:
            return self.run("select 1") == "1\n"
        except ServerError:
            return False

    def stop(self) -> None:
        """End the server and remove its files."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_cluster(self, hba: Sequence[str], certificate: Certificate | None) -> None:
        self._own(self._folder)
        initial = ["-U", _USER, "-A", "trust", "-N", "--no-locale", "-E", "UTF8"]
        self._call([_program("initdb"), "-D", str(self._data), *initial])
        lines = [f"local all {_USER} trust", *hba]
        (self._data / "pg_hba.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if certificate is not None:
            for source, name in ((certificate.cert_file, "server.crt"), (certificate.key_file, "server.key")):
                target = self._data / name
                shutil.copyfile(source, target)
                target.chmod(0o600)
                self._own(target)

    def _own(self, path: Path) -> None:
        if _as_user():
            shutil.chown(path, _USER, _USER)

    def _call(self, command: list[str]) -> str:
        done = subprocess.run(
            [*_as_user(), *command], cwd=self._folder, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise ServerError(f"{Path(command[0]).name} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


def _program(name: str) -> str:
    found = postgres_program(name)
    if found is None:
        raise ServerError(f"The program {name!r} is missing. Install PostgreSQL: apt-get install postgresql")
    return found


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole session; tests that need it are skipped where it is not installed."""
    if postgres_program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with Postgres.start() as server:
        yield server
