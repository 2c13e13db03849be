"""A proxy before a Redis server that knows commands: it can run one and still lose the answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prefect_integration_tests.backends._strikes import Strike, Strikes
from prefect_integration_tests.backends.http_edge import EdgeFault

_AGGREGATES = b"*%~>|"
_BULKS = b"$=!"
_PIECES = 5


@dataclass(frozen=True)
class Command:
    """A command that reached the edge."""

    words: tuple[bytes, ...]

    @property
    def name(self) -> str:
        """Its first word."""
        return self.words[0].decode().upper()


@dataclass(eq=False)
class _Strike(Strike[Command]):
    refusal: bytes = b"ERR"


class RedisEdge:
    """Speaks for a server on a port of its own."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._strikes = Strikes[_Strike]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._open: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="redis-edge", daemon=True).start()

    @contextmanager
    def fault(
        self, fault: EdgeFault, *, times: int | None = 1, where: Callable[[Command], bool], refusal: bytes | None = None
    ) -> Generator[Callable[[], int], None, None]:
        """Spoil commands while the context lasts; it gives a function that tells how many were.

        Of a fault that lasts, the connections that there are at its end are lost: what somebody has sent by one of
        them, and given up, is not to be done a moment later.
        """
        with self._strikes.during(_Strike(fault, times, where, refusal=refusal or b"ERR")) as struck:
            yield struck
            if times is None:
                self._lost.update(self._open.copy())

    def close(self) -> None:
        """Stop, and break all connections."""
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="redis-edge", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        with contextlib.suppress(OSError, EOFError), client, socket.create_connection(self._upstream) as server:
            asked, answered = client.makefile("rb"), server.makefile("rb")
            while True:
                raw, words = _command(asked)
                self._answer(client, server, answered, raw, Command(words))
        self._open.discard(client)
        self._lost.discard(client)

    def _answer(
        self, client: socket.socket, server: socket.socket, answered: Any, raw: bytes, command: Command
    ) -> None:
        strike = self._strikes.met_by(command)
        if strike is None:
            if client in self._lost:
                _cut(client)
            server.sendall(raw)
            client.sendall(_reply(answered))
            return
        if strike.fault == "reset":
            _cut(client)
        if strike.fault == "time-out":
            self._say_nothing(client, strike)
        if strike.fault in ("429", "500", "503"):
            client.sendall(b"-" + strike.refusal + b"\r\n")
            if strike.fault == "429":
                raise EOFError  # Redis hangs up
            return
        server.sendall(raw)
        reply = _reply(answered)
        if strike.fault == "lost":
            _cut(client)
        if strike.fault == "truncated":
            client.sendall(reply[: len(reply) // 2])
            _cut(client)
        size = max(1, -(-len(reply) // _PIECES))
        for start in range(0, len(reply), size):
            threading.Event().wait(0.1)  # the fault itself takes time
            client.sendall(reply[start : start + size])

    def _say_nothing(self, client: socket.socket, strike: _Strike) -> None:
        client.settimeout(0.05)
        while not self._strikes.is_over(strike):
            with contextlib.suppress(TimeoutError):
                if not client.recv(1):
                    break  # it hung up
        raise EOFError


def _cut(connection: socket.socket) -> None:
    """Break a connection by RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise EOFError


def _line(stream: Any) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError
    return line


def _command(stream: Any) -> tuple[bytes, tuple[bytes, ...]]:
    raw = _line(stream)
    words: list[bytes] = []
    for _ in range(int(raw[1:])):
        head = _line(stream)
        word = stream.read(int(head[1:]) + 2)
        raw += head + word
        words.append(word[:-2])
    return raw, tuple(words)


def _reply(stream: Any) -> bytes:
    return b"".join(_parts(stream))


def _parts(stream: Any) -> Iterator[bytes]:
    line = _line(stream)
    yield line
    kind = line[:1]
    if kind in _BULKS and int(line[1:]) >= 0:
        yield stream.read(int(line[1:]) + 2)
    if kind in _AGGREGATES:
        for _ in range(max(0, int(line[1:])) * (2 if kind in b"%|" else 1)):
            yield from _parts(stream)
