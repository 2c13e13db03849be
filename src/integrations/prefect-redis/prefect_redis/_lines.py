"""Commands that go straight over connections which are kept.

For each command a client of redis-py takes a connection out of its pool, looks whether somebody has written into it,
measures, and puts it back. That takes several times as long as a short command itself. A line does none of it, and is
as patient: lost connections are made anew and the command is sent again, as often as the client would.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from .settings import RedisSettings, current

_ROOMY = 100
"""What a pool must hold at least to do without the connections that a line keeps."""


class Line:
    """One server, for threads. It has as many connections as threads were ever in the middle of a command.

    Args:
        pool: A pool of redis-py.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: list[Any] = []
        self._pid = os.getpid()

    def execute_command(self, *arguments: Any) -> Any:
        """Send a command and return what was answered.

        Args:
            arguments: Its name and arguments. It must be safe to repeat: its answer may get lost.
        """
        if self._pid != os.getpid():  # in a fork the connections are still those of the parent
            self._idle, self._pid = [], os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _taken_from(self._pool)

        def exchange() -> Any:
            try:
                connection.send_packed_command(packed)
                return connection.read_response()
            except BaseException as exc:
                # Also an interrupt between the two: the next command must not read this one's answer.
                if not _is_answer(exc):
                    connection.disconnect()
                raise

        def drop(_: Exception) -> None:
            connection.disconnect()

        try:
            packed = connection.pack_command(*arguments)
            answer = connection.retry.call_with_retry(exchange, drop)
            if _is_to_move(connection):
                connection.disconnect()
            return answer
        finally:
            self._idle.append(connection)

    def evalsha(self, digest: str, numkeys: int, *rest: Any) -> Any:
        """Run a script that the server knows."""
        return self.execute_command("EVALSHA", digest, numkeys, *rest)

    def eval(self, source: str, numkeys: int, *rest: Any) -> Any:
        """Run a script."""
        return self.execute_command("EVAL", source, numkeys, *rest)


class AsyncLine:
    """One server, for the coroutines of one event loop.

    Args:
        pool: A pool of `redis.asyncio`. Closing it closes the line's connections.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: list[Any] = []
        self._seconds: float | None = None

    async def execute_command(self, *arguments: Any) -> Any:
        """Async form of `Line.execute_command`."""
        connection = self._idle.pop() if self._idle else await _not_yet_connected(self._pool)
        if connection.socket_timeout is not None:
            # redis-py keeps it by `asyncio.wait_for`, which may lose a cancellation before Python 3.12
            # (https://github.com/python/cpython/issues/86296): whoever cancels would wait for ever.
            self._seconds, connection.socket_timeout = connection.socket_timeout, None
        # What goes over a line waits for nothing: who is silent for so long has gone.
        seconds = self._seconds or current(RedisSettings).answer_timeout_seconds

        async def exchange() -> Any:
            if not connection.is_connected:
                await connection.connect()
            with _answered_within(seconds, connection):
                await connection.send_packed_command(packed)
                return await connection.read_response()

        async def drop(_: Exception) -> None:
            await connection.disconnect()

        try:
            packed = connection.pack_command(*arguments)
            answer = await connection.retry.call_with_retry(exchange, drop)
            if _is_to_move(connection):
                await connection.disconnect()
            return answer
        finally:
            self._idle.append(connection)

    async def evalsha(self, digest: str, numkeys: int, *rest: Any) -> Any:
        """Async form of `Line.evalsha`."""
        return await self.execute_command("EVALSHA", digest, numkeys, *rest)

    async def eval(self, source: str, numkeys: int, *rest: Any) -> Any:
        """Async form of `Line.eval`."""
        return await self.execute_command("EVAL", source, numkeys, *rest)


@contextmanager
def _answered_within(seconds: float, connection: Any) -> Generator[None, None, None]:
    """Break an async connection that has said nothing for so long; whoever waits for it gets a `TimeoutError`."""
    from redis import exceptions

    def give_up() -> None:
        if (writer := getattr(connection, "_writer", None)) is not None:
            writer.transport.abort()

    loop = asyncio.get_running_loop()
    deadline = loop.call_later(seconds, give_up)
    try:
        yield
    except (OSError, exceptions.ConnectionError) as exc:
        if loop.time() < deadline.when():
            raise
        raise exceptions.TimeoutError(f"There was no answer within {seconds:g} seconds") from exc
    finally:
        deadline.cancel()


async def due(answer: Awaitable[Any], seconds: float) -> Any:
    """Wait for an answer that is due: a connection whose other end has vanished says nothing, for ever.

    Args:
        answer: Of a client. Giving it up closes the connection that it would have come over.
        seconds: How long it may take.
    """
    from redis import exceptions

    task = asyncio.ensure_future(answer)
    try:  # not `asyncio.wait_for`, which may lose a cancellation (https://github.com/python/cpython/issues/86296)
        await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
    if task.done():
        return task.result()
    task.cancel()
    raise exceptions.ConnectionError("there was no answer in time")


def in_time(line: Any, answer: Awaitable[Any]) -> Awaitable[Any]:
    """Limit how long a command's answer is waited for; a line does so itself, and clients of groups have no limit.

    Args:
        line: What the command goes through, of `line_of`.
        answer: Its answer.
    """
    return answer if isinstance(line, AsyncLine) else due(answer, current(RedisSettings).answer_timeout_seconds)


_lines: WeakKeyDictionary[Any, Line | AsyncLine] = WeakKeyDictionary()


def line_of(client: Any) -> Any:
    """The line to a client's server, or the client itself.

    A Cluster and Sentinels say for each command where it goes, and a pool of few connections may need each of them:
    there, commands go through the client.

    Args:
        client: A client of redis-py, of one event loop where it is async.
    """
    line = _lines.get(client)
    if line is None:
        pool: Any = getattr(client, "connection_pool", None)
        kind = _kind_of_line(pool)
        if kind is None:
            return client
        line = _lines.setdefault(client, kind(pool))
    return line


def _kind_of_line(pool: Any) -> type[Line | AsyncLine] | None:
    import redis
    import redis.asyncio

    cls: Any = pool.__class__  # not `isinstance`: the pools of Sentinels inherit from these
    kind = Line if cls is redis.ConnectionPool else AsyncLine if cls is redis.asyncio.ConnectionPool else None
    return kind if kind is not None and pool.max_connections >= _ROOMY else None


def _taken_from(pool: Any) -> Any:
    """A connection out of a pool. Before redis-py 5.3 it wants a name of a command, from then on it warns of one."""
    name = inspect.signature(pool.get_connection).parameters["command_name"]
    return pool.get_connection("PING") if name.default is inspect.Parameter.empty else pool.get_connection()


async def _not_yet_connected(pool: Any) -> Any:
    """An async connection; newer releases of redis-py give one without connecting it first."""
    available: Any = getattr(pool, "get_available_connection", None)
    return await _taken_from(pool) if available is None else available()


def _is_answer(exc: BaseException) -> bool:
    from redis.exceptions import ResponseError

    return isinstance(exc, ResponseError)


def _is_to_move(connection: Any) -> bool:
    """Whether the server has said that it is about to go away, which redis-py 7 and later understand."""
    return hasattr(connection, "should_reconnect") and connection.should_reconnect()
