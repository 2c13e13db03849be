"""What stands between a PostgreSQL server and Microsoft Entra ID: an LDAP server to which a good token is a password.

Azure's own servers ask Entra ID themselves; PostgreSQL's can ask an LDAP server.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Any

# https://www.rfc-editor.org/rfc/rfc4511
_BIND, _UNBIND, _BIND_RESPONSE = 0x60, 0x42, 0x61
_SUCCESS, _INVALID_CREDENTIALS = 0, 49


class TokenDoor:
    """An LDAP server on a loopback port.

    Attributes:
        asked: Name and password of each bind, oldest first.
    """

    def __init__(self, check: Callable[[str], object]) -> None:
        """Start to listen.

        Args:
            check: Gives something true for a good token.
        """
        self.asked: list[tuple[str, str]] = []
        door = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (message := _read(self.rfile)) is not None:
                    tag, identifier, content = message
                    if tag == _UNBIND:
                        return
                    name, password = _bind(content)
                    door.asked.append((name, password))
                    code = _SUCCESS if check(password) else _INVALID_CREDENTIALS
                    answer = _wrap(0x0A, bytes([code])) + _wrap(0x04, b"") + _wrap(0x04, b"")
                    self.wfile.write(_wrap(0x30, _wrap(0x02, identifier) + _wrap(_BIND_RESPONSE, answer)))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _read(stream: Any) -> tuple[int, bytes, bytes] | None:
    """Read one message: the operation's tag, the message's identifier, the operation's content."""
    outer = _element(stream)
    if outer is None:
        return None
    _, content = outer
    _, identifier, rest = _split(content)
    tag, operation, _ = _split(rest)
    return tag, identifier, operation


def _bind(content: bytes) -> tuple[str, str]:
    _, _version, rest = _split(content)
    _, name, rest = _split(rest)
    _, password, _ = _split(rest)
    return name.decode(), password.decode()


def _element(stream: Any) -> tuple[int, bytes] | None:
    head = stream.read(2)
    if len(head) < 2:
        return None
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(stream.read(length & 0x7F), "big")
    return head[0], stream.read(length)


def _split(content: bytes) -> tuple[int, bytes, bytes]:
    length, start = content[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(content[2:start], "big")
    return content[0], content[start : start + length], content[start + length :]


def _wrap(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content
