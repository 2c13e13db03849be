"""Snowpark Container Services at the network's edge, for Snowflake's own connector.

A server in this process that speaks what the connector speaks: it signs users in, takes statements with values apart,
and answers rows. It knows compute pools, job services, secrets, and what the role may do. A job's container is a
process of this machine. Statements and errors follow Snowflake's published reference, and have not been compared with
Snowflake's own.
"""

from __future__ import annotations

import secrets as tokens
from collections.abc import Iterator

import pytest

from ._http_server import HttpServer
from ._lifetime import Stopped
from .snowpark_account import DATABASE, POOL, SCHEMA, Account, Json, Login, Pool
from .snowpark_jobs import JobService
from .snowpark_server import WRONG_PASSWORD, Handler, refused

__all__ = ["DATABASE", "POOL", "SCHEMA", "JobService", "Pool", "Snowpark", "empty_snowpark", "snowpark"]


class Snowpark(Account, Stopped):
    """The server, and what a test may do to it. Every method may be called from any thread."""

    user, password, account = "FLOWS_USER", "let-me-in-7153", "acme"

    def __init__(self) -> None:
        """Start to listen on a free loopback port."""
        super().__init__()
        self._sessions: set[str] = set()
        self._masters: set[str] = set()
        self._server = HttpServer(self, Handler)
        self._server.start("snowpark")

    def stop(self) -> None:
        """Stop, and end all containers."""
        self._server.end()
        self.end_jobs()
        self.folder.cleanup()

    @property
    def fields(self) -> Json:
        """Fields of a credentials block that lead here."""
        return {
            "account": self.account,
            "user": self.user,
            "password": self.password,
            "host": "127.0.0.1",
            "port": self._server.server_port,
            "protocol": "http",
        }

    def expire_sessions(self) -> None:
        """End all sessions, and let nobody renew them."""
        with self.lock:
            self._sessions.clear()
            self._masters.clear()

    # Sessions

    def sign_in(self, data: Json, query: dict[str, str]) -> Json:
        """Answer a login request."""
        login = Login(
            user=str(data.get("LOGIN_NAME", "")),
            account=str(data.get("ACCOUNT_NAME", "")),
            authenticator=str(data.get("AUTHENTICATOR", "")),
            application=str(data.get("CLIENT_ENVIRONMENT", {}).get("APPLICATION", "")),
            token=str(data.get("TOKEN", "")),
            role=str(query.get("roleName", "")),
        )
        self.state.logins.append(login)
        is_known = login.authenticator == "OAUTH" or (login.user, data.get("PASSWORD")) == (self.user, self.password)
        if not is_known:
            return refused(WRONG_PASSWORD, "Incorrect username or password was specified.")
        token, master = tokens.token_hex(16), tokens.token_hex(16)
        with self.lock:
            self._sessions.add(token)
            self._masters.add(master)
        database, schema = self.default_place
        info = {
            "databaseName": query.get("databaseName") or database,
            "schemaName": query.get("schemaName") or schema,
            "warehouseName": None,
            "roleName": login.role or "ROLE",
        }
        parameters = [
            {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
            {"name": "TIMEZONE", "value": "UTC"},
            {"name": "CLIENT_SESSION_KEEP_ALIVE", "value": False},
        ]
        answer = {
            "token": token,
            "masterToken": master,
            "validityInSeconds": 3600,
            "masterValidityInSeconds": 14400,
            "sessionId": 1,
            "sessionInfo": info,
            "parameters": parameters,
        }
        return {"success": True, "code": None, "message": None, "data": answer}

    def is_session(self, header: str) -> bool:
        """Whether a token is one of those handed out."""
        return header.removeprefix('Snowflake Token="').removesuffix('"') in self._sessions


@pytest.fixture(scope="session")
def snowpark() -> Iterator[Snowpark]:
    """The server, started once."""
    with Snowpark() as server:
        yield server


@pytest.fixture
def empty_snowpark(snowpark: Snowpark) -> Iterator[Snowpark]:
    """The server as it is at the beginning; what a test has started ends with it."""
    snowpark.reset()
    yield snowpark
    snowpark.reset()
