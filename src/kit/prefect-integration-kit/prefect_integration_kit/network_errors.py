"""Failures of the network, as Python and the HTTP clients below SDKs raise them."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from typing import Any

_MODULES = frozenset({"builtins", "socket", "ssl", "http.client", "_ssl"})
_DEEPEST = 8


def is_network_error(exc: BaseException) -> bool:
    """Say whether Python's own library raised an exception for a connection that failed, broke or took too long.

    A subclass of somebody else's is none, and neither is a time-out without words: that of asyncio or of a future.
    """
    if type(exc).__module__ not in _MODULES:
        return False
    if isinstance(exc, TimeoutError):
        return bool(exc.args)  # a time-out of asyncio or of a future has none, a socket's says what timed out
    return isinstance(exc, ConnectionError | socket.gaierror | ssl.SSLError | http.client.HTTPException)


def no_answer(exc: BaseException) -> str:
    """Say why there was no answer, by the innermost reason: the layers of an HTTP client repeat address and pool."""
    reason: Any = exc
    for _ in range(_DEEPEST):
        inner = getattr(reason, "inner_exception", None) or getattr(reason, "reason", None)
        inner = inner or next(iter(getattr(reason, "args", ())), None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = re.sub(r"<[^>]* object at 0x[0-9a-f]+>:? ?", "", str(reason))
    return f"no answer ({type(reason).__name__}: {text})"
