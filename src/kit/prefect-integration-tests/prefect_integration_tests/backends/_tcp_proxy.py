"""The engine of `faults`: one thread that moves bytes between sockets and spoils them on demand.

It needs the standard library alone, since `python _tcp_proxy.py` is also a process of its own, told what to do by lines
of JSON on its standard input; that keeps its work off the interpreter lock of the program under test.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any

_CHUNK_BYTES = 1 << 20
_QUEUE_BYTES = 16 << 20  # more than bandwidth x delay of any line that tests ask for
_THROTTLE_SLICE_SECONDS = 0.02
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing the socket then sends RST instead of FIN


@dataclass(frozen=True)
class Faults:
    """What is wrong with the line; the defaults are a good one."""

    latency_seconds: float = 0.0
    bytes_per_second: float | None = None
    reset_after_bytes: int | None = None
    reset_times: int | None = None
    blackhole: bool = False
    refuse: bool = False


class _Lane:
    """One direction of one connection: bytes on their way, each chunk with the time when it may arrive."""

    __slots__ = ("blocked", "ended", "free_at", "passed_end", "queue", "queued_bytes", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.queue: deque[tuple[float, memoryview]] = deque()
        self.queued_bytes = 0
        self.free_at = 0.0
        self.ended = False  # the source has sent its last byte
        self.passed_end = False  # and the sink knows
        self.blocked = False  # the sink takes no more for now


class _Connection:
    """A client, its connection to the target, and the two lanes between them."""

    __slots__ = ("client", "connecting", "down", "moved_bytes", "up", "upstream")

    def __init__(self, client: socket.socket, upstream: socket.socket) -> None:
        self.client = client
        self.upstream = upstream
        self.up = _Lane(client, upstream)
        self.down = _Lane(upstream, client)
        self.connecting = True
        self.moved_bytes = 0


class ProxyEngine:
    """A TCP proxy on a loopback port; `start` runs it in a daemon thread."""

    def __init__(self, target_host: str, target_port: int, port: int) -> None:
        self.faults = Faults()
        self.accepted = 0
        self._target = socket.getaddrinfo(target_host, target_port, type=socket.SOCK_STREAM)[0]
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._delayed: set[tuple[_Connection, _Lane]] = set()
        self._buffer = memoryview(bytearray(_CHUNK_BYTES))
        self._commands: deque[tuple[Any, threading.Event]] = deque()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_out, _READ, None)
        self._listener: socket.socket | None = None
        self.port = port
        self._listen()
        self._thread = threading.Thread(target=self._run, name="tcp-proxy", daemon=True)
        self._is_open = True

    # Called from other threads.

    def start(self) -> None:
        """Begin to accept connections."""
        self._thread.start()

    def set(self, faults: Faults) -> None:
        """Make the line as bad as asked; true when it returns."""
        self._command(faults)

    def reset_connections(self) -> None:
        """End every open connection by RST, at both ends."""
        self._command("reset")

    def close(self) -> None:
        """End all connections and the thread."""
        if self._is_open:
            self._command("close")
            self._thread.join(10)
            self._is_open = False

    def _command(self, command: Any) -> None:
        done = threading.Event()
        self._commands.append((command, done))
        with contextlib.suppress(BlockingIOError):  # a wake-up is already under way
            self._wake_in.send(b"\0")
        done.wait(10)

    # The proxy's own thread.

    def _run(self) -> None:
        while True:
            for key, events in self._selector.select(self._time_to_next()):
                if key.data is None:
                    if not self._obey():
                        return
                elif key.data is self:
                    self._accept()
                else:
                    self._serve(key.data, key.fileobj, events)
            if self._delayed and not self.faults.blackhole:
                for connection, lane in list(self._delayed):
                    if connection in self._connections:
                        self._guard(connection, self._flush, lane)

    def _time_to_next(self) -> float | None:
        if not self._delayed or self.faults.blackhole:
            return None
        now = time.monotonic()
        return max(0.0, min(lane.queue[0][0] for _, lane in self._delayed) - now)

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(1024)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._selector.register(listener, _READ, self)

    def _unlisten(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _obey(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._wake_out.recv(4096)
        while self._commands:
            command, done = self._commands.popleft()
            try:
                if command == "close":
                    self._shut()
                    return False
                if command == "reset":
                    self._reset_all()
                else:
                    self._apply(command)
            finally:
                done.set()
        return True

    def _apply(self, faults: Faults) -> None:
        if faults.reset_after_bytes != self.faults.reset_after_bytes:
            for connection in self._connections:  # a pooled connection has a past that does not count
                connection.moved_bytes = 0
        self.faults = faults
        if faults.refuse:
            self._unlisten()
        elif self._listener is None:
            self._listen()
        for connection in list(self._connections):  # a blackhole may have begun or ended
            self._guard(connection, self._watch)

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            self._reset(connection)

    def _shut(self) -> None:
        self._unlisten()
        self._reset_all()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self.accepted += 1
        family, kind, protocol, _, address = self._target
        upstream = socket.socket(family, kind, protocol)
        for side in (client, upstream):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, upstream)
        self._connections.add(connection)
        upstream.connect_ex(address)  # its outcome shows when the socket becomes writable
        self._selector.register(upstream, _WRITE, connection)

    def _serve(self, connection: _Connection, side: Any, events: int) -> None:
        if connection not in self._connections:
            return  # ended by an earlier event of this round
        if connection.connecting:
            if connection.upstream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._reset(connection)
                return
            connection.connecting = False
            self._guard(connection, self._watch)
            return
        outgoing, incoming = (
            (connection.up, connection.down) if side is connection.client else (connection.down, connection.up)
        )
        if events & _WRITE:
            incoming.blocked = False
            self._guard(connection, self._flush, incoming)
        if events & _READ and connection in self._connections:
            self._guard(connection, self._read, outgoing)

    def _guard(self, connection: _Connection, step: Any, *args: Any) -> None:
        """Take one step; a broken socket ends the connection at both ends, as a broken line would."""
        try:
            step(connection, *args)
        except OSError:
            self._reset(connection)

    def _read(self, connection: _Connection, lane: _Lane) -> None:
        faults = self.faults
        try:
            size = lane.source.recv_into(self._buffer[: min(_CHUNK_BYTES, self._throttle_slice())])
        except BlockingIOError:
            return
        if size == 0:
            lane.ended = True
        elif faults.latency_seconds or faults.bytes_per_second is not None or lane.queue:
            self._delay(connection, lane, bytes(self._buffer[:size]))
        else:
            sent = self._send(connection, lane, self._buffer[:size])
            if sent < 0:
                return
            if sent < size:
                self._delay(connection, lane, bytes(self._buffer[sent:size]))
        self._finish(connection, lane)

    def _throttle_slice(self) -> int:
        """Bytes that may be under way at once in a lane."""
        rate = self.faults.bytes_per_second
        return _QUEUE_BYTES if rate is None else max(1, int(rate * _THROTTLE_SLICE_SECONDS))

    def _delay(self, connection: _Connection, lane: _Lane, chunk: bytes) -> None:
        now = time.monotonic()
        due = now + self.faults.latency_seconds / 2  # the other half is the way back
        if self.faults.bytes_per_second is not None:
            lane.free_at = max(now, lane.free_at) + len(chunk) / self.faults.bytes_per_second
            due += lane.free_at - now
        if lane.queue:
            due = max(due, lane.queue[-1][0])
        lane.queue.append((due, memoryview(chunk)))
        lane.queued_bytes += len(chunk)
        if not lane.blocked:
            self._delayed.add((connection, lane))

    def _flush(self, connection: _Connection, lane: _Lane) -> None:
        now = time.monotonic()
        while lane.queue and not lane.blocked and lane.queue[0][0] <= now:
            due, chunk = lane.queue[0]
            sent = self._send(connection, lane, chunk)
            if sent < 0:
                return
            lane.queued_bytes -= sent
            if sent == len(chunk):
                lane.queue.popleft()
            else:
                lane.queue[0] = (due, chunk[sent:])
        self._finish(connection, lane)

    def _finish(self, connection: _Connection, lane: _Lane) -> None:
        """Settle what a step left: who is to be woken, and whether the end can be passed on."""
        if lane.queue and not lane.blocked:
            self._delayed.add((connection, lane))
        else:
            self._delayed.discard((connection, lane))
        if lane.ended and not lane.queue and not lane.passed_end:
            lane.passed_end = True
            with contextlib.suppress(OSError):  # the other side may have gone first
                lane.sink.shutdown(socket.SHUT_WR)
        if connection.up.passed_end and connection.down.passed_end:
            self._close(connection)
        else:
            self._watch(connection)

    def _send(self, connection: _Connection, lane: _Lane, chunk: memoryview) -> int:
        """Send what the sink takes and return its size; -1 when the connection was reset on the way."""
        allowed = self.faults.reset_after_bytes
        if allowed is not None:
            chunk = chunk[: max(0, allowed - connection.moved_bytes)]
        try:
            sent = lane.sink.send(chunk) if chunk else 0
        except BlockingIOError:
            lane.blocked = True
            return 0
        connection.moved_bytes += sent
        if allowed is not None and connection.moved_bytes >= allowed:
            self._reset(connection)
            self._count_reset()
            return -1
        if sent < len(chunk):
            lane.blocked = True
        return sent

    def _count_reset(self) -> None:
        faults = self.faults
        if faults.reset_times is not None:
            left = faults.reset_times - 1
            self.faults = (
                replace(faults, reset_times=left)
                if left > 0
                else replace(faults, reset_times=None, reset_after_bytes=None)
            )

    def _watch(self, connection: _Connection) -> None:
        if connection.connecting:
            return
        room = self._throttle_slice()
        for side, outgoing, incoming in (
            (connection.client, connection.up, connection.down),
            (connection.upstream, connection.down, connection.up),
        ):
            events = 0
            if not self.faults.blackhole:
                if not outgoing.ended and not outgoing.blocked and outgoing.queued_bytes < room:
                    events |= _READ
                if incoming.blocked:
                    events |= _WRITE
            self._select(side, events, connection)

    def _select(self, side: socket.socket, events: int, connection: _Connection) -> None:
        key = self._selector.get_map().get(side)
        if key is None:
            if events:
                self._selector.register(side, events, connection)
        elif not events:
            self._selector.unregister(side)
        elif key.events != events:
            self._selector.modify(side, events, connection)

    def _reset(self, connection: _Connection) -> None:
        for side in (connection.client, connection.upstream):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        for lane in (connection.up, connection.down):
            self._delayed.discard((connection, lane))
        for side in (connection.client, connection.upstream):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(side)
            side.close()


def main() -> None:
    """Serve commands from standard input until it ends: one line of JSON each, answered by one line."""
    engine = ProxyEngine(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    engine.start()
    answer: dict[str, Any] = {"port": engine.port}
    while True:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            break
        command = json.loads(line)
        if "faults" in command:
            engine.set(Faults(**command["faults"]))
        elif "reset" in command:
            engine.reset_connections()
        answer = {"accepted": engine.accepted, "faults": asdict(engine.faults)}
    engine.close()


if __name__ == "__main__":
    main()
