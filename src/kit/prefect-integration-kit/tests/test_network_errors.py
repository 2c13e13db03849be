"""Failures of the network."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl

import pytest

from prefect_integration_kit.network_errors import is_network_error, no_answer


class _Wrapped(Exception):
    def __init__(self, reason: BaseException) -> None:
        super().__init__(f"HTTPSConnectionPool(host='example.com'): {reason}")
        self.reason = reason


class _Refusal(ConnectionError):
    """A service's, which happens to be one."""


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "reset"),
        socket.gaierror(-2, "Name or service not known"),
        ssl.SSLError(1, "certificate verify failed"),
        http.client.RemoteDisconnected("closed"),
        TimeoutError("timed out"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_broken_connections_are_failures_of_the_network(error: BaseException) -> None:
    assert is_network_error(error)


@pytest.mark.parametrize(
    "error", [asyncio.TimeoutError(), _Refusal("no"), ValueError("no"), FileNotFoundError(2, "no")], ids=repr
)
def test_other_errors_are_none(error: BaseException) -> None:
    assert not is_network_error(error)


def test_the_innermost_reason_is_told() -> None:
    inner = OSError("<urllib3.connection.HTTPSConnection object at 0x7f00>: Name does not resolve")
    assert no_answer(_Wrapped(_Wrapped(inner))) == "no answer (OSError: Name does not resolve)"
