"""A MariaDB server on this machine, from the system's own package; it has TLS where it is given a certificate."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._lifetime import Stopped, started
from .certificates import Certificate
from .processes import HOST, LocalServer, ServerError, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MariaDb", "mariadb_program"]

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")
_FIRST_STATEMENTS = """\
CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO '{user}'@'%' WITH GRANT OPTION;
"""


def mariadb_program(name: str) -> str | None:
    """Find a program of MariaDB: on `PATH`, or where daemons are kept, which is not on every user's `PATH`.

    Args:
        name: Such as `mariadbd`.

    Returns:
        Its path; `None` if it is not installed.
    """
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_PLACES))


class MariaDb(Stopped):
    """A server with one database, `prefect`, and one user who may do everything, with a password.

    ```python
    with MariaDb.start() as server:
        pymysql.connect(host=server.host, port=server.port, user=server.user, password=server.password)
    ```
    """

    host = HOST
    user = "prefect"
    password = "mariadb-password"
    database = "prefect"

    def __init__(self, folder: Path, certificate: Certificate | None) -> None:
        """Make the data folder; `start` starts the server.

        Raises:
            ServerError: If MariaDB is not installed, or the data folder cannot be made.
        """
        self._folder = folder
        self._data = folder / "data"
        self._socket = folder / "s.sock"
        self.port = free_port()
        self._make_data()
        first = folder / "first.sql"
        first.write_text(
            _FIRST_STATEMENTS.format(database=self.database, user=self.user, password=self.password), encoding="utf-8"
        )
        tls = [f"--ssl-cert={certificate.cert_file}", f"--ssl-key={certificate.key_file}"] if certificate else []
        command = [
            _program("mariadbd"),
            "--no-defaults",
            f"--datadir={self._data}",
            *_as_user(),
            f"--port={self.port}",
            f"--bind-address={HOST}",
            f"--socket={self._socket}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={first}",
            *self._own_temporary(),
            "--character-set-server=utf8mb4",
            "--skip-log-bin",
            "--skip-name-resolve",  # an address is all that this machine's resolver may have of a client
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-innodb-doublewrite",
            *tls,
        ]
        self._server = LocalServer(command, self._answers, name="mariadb", cwd=folder)

    @classmethod
    def start(cls, certificate: Certificate | None = None) -> Self:
        """Start a server on a free port (about 3 s, most of it for the data folder) and wait until it answers.

        Args:
            certificate: What it speaks TLS with.

        Raises:
            ServerError: If MariaDB is not installed, or does not start.
        """
        return started(lambda: cls(Path(tempfile.mkdtemp(prefix="mariadb-")), certificate))

    @property
    def url(self) -> str:
        """`mysql://prefect:password@127.0.0.1:port/prefect`; SQLAlchemy wants a driver's name after `mysql`."""
        return f"mysql://{self.user}:{self.password}@{HOST}:{self.port}/{self.database}"

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it."""
        return self._server

    def run(self, sql: str) -> str:
        """Run statements as the user, by TCP, in the server's database.

        Args:
            sql: The statements.

        Returns:
            Rows, one a line, columns separated by tabs.

        Raises:
            ServerError: If one of them fails.
        """
        where = [f"--host={HOST}", f"--port={self.port}", f"--user={self.user}", f"--database={self.database}"]
        output = ["--default-character-set=utf8mb4", "--batch", "--skip-column-names"]
        command = [_program("mariadb"), "--no-defaults", "--protocol=tcp", *where, *output, f"--execute={sql}"]
        return self._call(command, MYSQL_PWD=self.password)

    def _answers(self) -> bool:
        """Whether the user can log in: the server listens before it runs its first statements."""
        try:
            return self.run("SELECT 1") == "1\n"
        except ServerError:
            return False

    def stop(self) -> None:
        """End the server and remove its files."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_data(self) -> None:
        normal = "--auth-root-authentication-method=normal"
        own = [f"--datadir={self._data}", *self._own_temporary(), *_as_user()]
        options = ["--no-defaults", *own, normal, "--skip-test-db"]
        self._call([_program("mariadb-install-db"), *options])

    def _own_temporary(self) -> list[str]:
        """A server that starts removes all temporary tables in its folder, those of other servers, too."""
        return [f"--tmpdir={self._folder}"]

    def _call(self, command: list[str], **env: str) -> str:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{Path(command[0]).name} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout


def _as_user() -> list[str]:
    """MariaDB runs as root only where it is told to."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _program(name: str) -> str:
    found = mariadb_program(name)
    if found is None:
        raise ServerError(f"The program {name!r} is missing. Install MariaDB: apt-get install mariadb-server")
    return found


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A MariaDB server for the whole session; tests that need it are skipped where it is not installed."""
    if mariadb_program("mariadbd") is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    with MariaDb.start() as server:
        yield server
