"""The MariaDB server comes, is asked, and goes without a trace."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.mariadb import MariaDb, mariadb_program
from prefect_integration_tests.backends.processes import ServerError, accepts_connections

pytestmark = pytest.mark.skipif(mariadb_program("mariadbd") is None, reason="MariaDB is not installed")

_CLIENT_SSL = 0x0800


def test_statements_are_run_and_failures_told(mariadb: MariaDb) -> None:
    mariadb.run("CREATE TABLE IF NOT EXISTS shop (item TEXT)")
    mariadb.run("DELETE FROM shop; INSERT INTO shop VALUES ('bread'), ('salt'), ('ünder 🧂')")
    rows = mariadb.run("SELECT item, CHAR_LENGTH(item) FROM shop ORDER BY 2, 1").splitlines()
    assert rows == ["salt\t4", "bread\t5", "ünder 🧂\t7"]
    with pytest.raises(ServerError, match="doesn't exist"):
        mariadb.run("SELECT * FROM absent")


def test_the_password_is_asked_for(mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb, "password", "another")
    with pytest.raises(ServerError, match="Access denied for user 'prefect'") as failure:
        mariadb.run("SELECT 1")
    assert "another" not in str(failure.value)


def speaks_tls(server: MariaDb) -> bool:
    """Read what the server says it can do: https://mariadb.com/kb/en/connection/#initial-handshake-packet."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        greeting = connection.recv(1024)
    version_end = greeting.index(b"\0", 5)
    flags = version_end + 1 + 4 + 8 + 1
    return bool(int.from_bytes(greeting[flags : flags + 2], "little") & _CLIENT_SSL)


def test_it_speaks_tls_with_a_certificate_only(mariadb: MariaDb, tmp_path: Path) -> None:
    certificate = PrivateCA(tmp_path).issue("mariadb", "127.0.0.1")
    with MariaDb.start(certificate=certificate) as server:
        assert speaks_tls(server)
        folder = Path(server.run("SELECT @@datadir").strip())
        assert folder.is_dir()
    assert not speaks_tls(mariadb)
    assert not folder.exists()
    assert not accepts_connections(server.port)


def test_data_survive_a_restart(mariadb: MariaDb) -> None:
    mariadb.run("CREATE OR REPLACE TABLE kept (item TEXT); INSERT INTO kept VALUES ('bread')")
    mariadb.process.restart()
    assert mariadb.run("SELECT item FROM kept") == "bread\n"


def test_temporary_tables_of_other_servers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    of_another = tmp_path / "#sql-temptable-1e8b-1-3.MAI"
    of_another.touch()
    with MariaDb.start():
        assert of_another.exists()
