"""Logins that end, where the connector would wait for an identity provider for as long as it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .errors import SnowflakeUnavailable

LOGIN_SECONDS = 120
"""How long a login may take that asks an identity provider: the connector's own limit for other ways."""


def limited(connect: Callable[..., Any], subject: str) -> Callable[..., Any]:
    """Make `snowflake.connector.connect` end where it would not.

    Without `login_timeout` it asks Okta again and again. A token of an OAuth client it asks for without a time-out
    even with one: that is done in a thread, which is left behind when the time is up.

    Args:
        connect: The connector's function.
        subject: The login, for messages.
    """

    def login(**arguments: Any) -> Any:
        authenticator = str(arguments.get("authenticator")).lower()
        if authenticator.startswith("https://"):
            arguments.setdefault("login_timeout", LOGIN_SECONDS)
        if authenticator != "oauth_client_credentials":
            return connect(**arguments)
        return _Attempt(partial(connect, **arguments)).wait(arguments, subject)

    return login


class _Attempt:
    """A login by a thread.

    Args:
        connect: Opens the connection. One that comes too late is closed.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._is_given_up = False
        self._done = threading.Event()
        self._connection: Any = None
        self._error: BaseException | None = None

    def wait(self, arguments: Mapping[str, Any], subject: str) -> Any:
        """Log in, and give the connection.

        Raises:
            SnowflakeUnavailable: If the time is up.
        """
        seconds = arguments.get("login_timeout") or LOGIN_SECONDS
        context = copy_context()
        threading.Thread(target=partial(context.run, self._run), name="snowflake-login", daemon=True).start()
        try:
            self._done.wait(seconds)
        finally:
            self._give_up()
        if self._error is not None:
            raise self._error
        if not self._done.is_set():
            raise SnowflakeUnavailable(
                f"{subject}: it has not ended within {seconds:g} seconds; {_asked(arguments)} or Snowflake does not "
                "answer. Check `oauth_token_request_url` and the network; `login_timeout` is the limit.",
                subject=subject,
            )
        return self._connection

    def _run(self) -> None:
        try:
            connection = self._connect()
        except BaseException as exc:  # noqa: BLE001 - raised by the thread that waits
            self._error = exc
            self._done.set()
            return
        with self._lock:
            if not self._is_given_up:
                self._connection = connection
                self._done.set()
                return
        with suppress(Exception):
            connection.close()

    def _give_up(self) -> None:
        """Let a connection that is not there yet be closed when it comes."""
        with self._lock:
            self._is_given_up = True


def _asked(arguments: Mapping[str, Any]) -> str:
    host = urlsplit(str(arguments.get("oauth_token_request_url") or "")).hostname
    return f"the token endpoint at {host}" if host else "the account's token endpoint"
