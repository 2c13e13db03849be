"""Snowflake on this machine: fakesnow, which runs its SQL on DuckDB, behind a front that does the rest.

What the front adds, in the shape of the protocol that Snowflake's connector speaks: logins by each authenticator, with
their fields checked; queries that run by themselves, take their time (`CALL SYSTEM$WAIT(60)`) and can be cancelled;
several statements in one request; query tags; sessions that end; warehouses that are suspended.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._lifetime import Stopped, started
from ._snowflake.front import SnowflakeFront
from ._snowflake.logins import Accounts
from ._snowflake.queries import SnowflakeQuery
from .processes import LocalServer, accepts_connections, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Accounts", "SnowflakeQuery", "SnowflakeServer"]

_START_SECONDS = 60


class SnowflakeServer(Stopped):
    """A Snowflake account, as far as its connector can tell.

    ```python
    with SnowflakeServer.start() as server:
        connection = snowflake.connector.connect(**server.connect_arguments())
    ```
    """

    def __init__(self) -> None:
        """Describe fakesnow, and start the front; `start` does both."""
        port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="fakesnow-")
        program = [sys.executable, "-m", f"{__package__}._fakesnow_program", str(port), self._folder.name]
        self.process = LocalServer(
            program,
            lambda: accepts_connections(port),
            name="fakesnow",
            env={"HOME": self._folder.name},
            start_timeout_seconds=_START_SECONDS,
        )
        self._front = SnowflakeFront(port)

    @classmethod
    def start(cls) -> Self:
        """Start one (some 3 s).

        Raises:
            ServerError: If it does not start.
        """
        return started(cls)

    def stop(self) -> None:
        """End it."""
        self._front.close()
        self.process.stop()
        self._folder.cleanup()

    def reset(self) -> None:
        """Forget users, logins, queries and faults; databases stay."""
        self._front.reset()

    @property
    def port(self) -> int:
        """Where it listens, on the loopback address."""
        return self._front.port

    def address(self) -> dict[str, Any]:
        """Give the arguments of `snowflake.connector.connect` that lead here."""
        return {"account": "fakesnow", "host": "127.0.0.1", "port": self.port, "protocol": "http"}

    def connect_arguments(self, **arguments: Any) -> dict[str, Any]:
        """Give all arguments of `snowflake.connector.connect`.

        Args:
            arguments: Further ones.
        """
        return {**self.address(), "user": "fake", "password": "snow", **arguments}

    def new_database(self) -> str:
        """Give the name of a database that nobody has used; it is made by the first login to it."""
        return f"TEST_{uuid.uuid4().hex[:16]}".upper()

    @property
    def accounts(self) -> Accounts:
        """Who may log in. There is the user `fake`, with the password `snow`."""
        return self._front.accounts

    @property
    def logins(self) -> list[dict[str, Any]]:
        """`data` of each login-request, with the query of its URL as `query`."""
        return self._front.logins

    @property
    def authenticator_requests(self) -> list[dict[str, Any]]:
        """`data` of each authenticator-request, by which single sign-on begins; all are refused."""
        return self._front.authenticator_requests

    @property
    def token_requests(self) -> list[dict[str, str]]:
        """Forms that OAuth clients have sent for tokens."""
        return self._front.token_requests

    @property
    def queries(self) -> list[SnowflakeQuery]:
        """The statements so far, those that fetch results not among them."""
        return [query for query in list(self._front.queries.all) if "result_scan(" not in query.sql]

    def queries_like(self, text: str) -> list[SnowflakeQuery]:
        """Give the statements so far that hold a text."""
        return [query for query in self.queries if text in query.sql]

    @property
    def closed_sessions(self) -> int:
        """How many sessions were closed by their clients."""
        return self._front.closed_sessions

    def hold_queries(self) -> threading.Event:
        """Let queries take for ever, until they are cancelled or `release_queries` is called.

        Returns:
            It is set once one is held.
        """
        self._front.queries.held.clear()
        self._front.queries.is_holding = True
        return self._front.queries.held

    @property
    def held(self) -> threading.Event:
        """Set once a query is held, or waits by `SYSTEM$WAIT`."""
        return self._front.queries.held

    def release_queries(self) -> None:
        """Let queries end."""
        self._front.queries.is_holding = False

    def cut_results(self, rows: int) -> None:
        """Let results come in parts, which their readers fetch one by one.

        Args:
            rows: How many rows a part has.
        """
        self._front.rows_per_chunk = rows

    @property
    def fetched_parts(self) -> int:
        """How many parts of results were fetched, the first ones not counted: they come with the answer."""
        return self._front.chunks.fetched

    def suspend_warehouse(self) -> None:
        """Refuse all statements that need a warehouse."""
        self._front.queries.is_suspended = True

    def refuse(self, pattern: str, code: str, state: str, message: str) -> None:
        """Let statements fail.

        Args:
            pattern: Regular expression that is searched in them; case does not count.
            code: Number of the error, six digits.
            state: SQLSTATE.
            message: What is said.
        """
        self._front.queries.refusals.append((re.compile(pattern, re.IGNORECASE), (code, state, message)))

    def fail(self, path: str, *, status: int = 503, times: int = 1) -> None:
        """Spoil the next requests.

        Args:
            path: Regular expression that is searched in their path.
            status: HTTP status.
            times: How many.
        """
        self._front.faults.append([path, status, times])

    def expire_sessions(self, *, for_good: bool = False) -> None:
        """End all sessions.

        Args:
            for_good: Whether only a login helps, not the renewal that the connector does by itself.
        """
        self._front.expire(for_good=for_good)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} port {self.port}>"


@pytest.fixture(scope="session")
def snowflake_process() -> Iterator[SnowflakeServer]:
    """Fakesnow and the front, started once."""
    with SnowflakeServer.start() as server:
        yield server


@pytest.fixture
def snowflake_server(snowflake_process: SnowflakeServer) -> SnowflakeServer:
    """The account of `snowflake_process`, with nothing left of tests before; see `SnowflakeServer`."""
    snowflake_process.reset()
    return snowflake_process
