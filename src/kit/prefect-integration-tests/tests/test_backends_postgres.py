"""The PostgreSQL server comes, is asked, and goes without a trace."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.postgres import Postgres, postgres_program
from prefect_integration_tests.backends.processes import ServerError, accepts_connections

pytestmark = pytest.mark.skipif(postgres_program("postgres") is None, reason="PostgreSQL is not installed")


def test_statements_are_run_and_failures_told(postgres: Postgres) -> None:
    postgres.run("create table if not exists shop (item text)")
    postgres.run("delete from shop; insert into shop values ('bread'), ('salt')")
    assert postgres.run("select item, length(item) from shop order by 1").split() == ["bread|5", "salt|4"]
    with pytest.raises(ServerError, match="does not exist"):
        postgres.run("select * from absent")


def speaks_tls(server: Postgres) -> bool:
    """Ask as every client does: https://www.postgresql.org/docs/current/protocol-flow.html."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(struct.pack("!ii", 8, 80877103))
        return connection.recv(1) == b"S"


def test_it_speaks_tls_with_a_certificate_only(postgres: Postgres, tmp_path: Path) -> None:
    certificate = PrivateCA(tmp_path).issue("postgres", "127.0.0.1")
    with Postgres.start(certificate=certificate) as server:
        assert speaks_tls(server)
        folder = Path(server.run("show data_directory").strip())
    assert not speaks_tls(postgres)
    assert not folder.exists()
    assert not accepts_connections(server.port)
