"""Commands over kept connections are those of the client: none lost, none mixed up, and nobody is refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
import redis.asyncio

from prefect_integration_tests.backends.redis import RedisCluster, RedisServer
from prefect_redis import RedisLockManager
from prefect_redis._lines import AsyncLine, Line, line_of
from prefect_redis.client import clear_cached_clients, get_async_redis_client
from prefect_redis.connection import aclose_redis_client, client_of, close_redis_client, redis_from_url
from prefect_redis.errors import RedisUnreachable, is_transient, redis_errors
from prefect_redis.messaging import Cache, Publisher


def test_threads_get_their_own_answers(admin: Any) -> None:
    line = line_of(admin)
    assert isinstance(line, Line)
    assert line_of(admin) is line

    def echo(number: int) -> str:
        return line.execute_command("ECHO", number)

    before = admin.info("stats")["total_connections_received"]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(echo, range(500))) == [str(number) for number in range(500)]
    assert admin.info("stats")["total_connections_received"] - before <= 8


def test_an_interrupted_command_leaves_no_answer_to_the_next(server: RedisServer) -> None:
    class Interrupted(redis.Connection):
        is_due = False

        def read_response(self, *args: Any, **kwargs: Any) -> Any:
            if Interrupted.is_due:  # the command has gone, and its answer is on the way
                Interrupted.is_due = False
                raise KeyboardInterrupt
            return super().read_response(*args, **kwargs)

    client = redis.Redis(connection_pool=redis.ConnectionPool.from_url(server.url, connection_class=Interrupted))
    line = line_of(client)
    assert isinstance(line, Line)
    assert line.execute_command("ECHO", "zero") == b"zero"
    Interrupted.is_due = True
    with pytest.raises(KeyboardInterrupt):
        line.execute_command("ECHO", "one")
    assert line.execute_command("ECHO", "two") == b"two"
    close_redis_client(client)


async def test_coroutines_get_their_own_answers(messaging: RedisServer, admin: Any) -> None:
    line = line_of(get_async_redis_client())
    assert isinstance(line, AsyncLine)
    before = admin.info("stats")["total_connections_received"]
    for _ in range(3):
        answers = await asyncio.gather(*(line.execute_command("ECHO", number) for number in range(50)))
        assert answers == [str(number) for number in range(50)]
    assert admin.info("stats")["total_connections_received"] - before <= 50


async def test_a_cancelled_command_leaves_no_answer_to_the_next(messaging: RedisServer, admin: Any) -> None:
    line = line_of(get_async_redis_client())
    waiting = asyncio.create_task(line.execute_command("BLPOP", "list", 0))
    while not admin.info("clients")["blocked_clients"]:
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    admin.rpush("list", "late")
    assert await line.execute_command("ECHO", "mine") == "mine"


@pytest.mark.parametrize("options", [{}, {"socket_timeout": 20}], ids=["by default", "with a time-out"])
async def test_a_cancellation_is_never_lost(server: RedisServer, options: dict[str, Any]) -> None:
    """`asyncio.wait_for` of Python before 3.12 loses one that comes when it has just ended, and so would redis-py."""
    client = redis_from_url(server.url, asynchronous=True, **options)
    line = line_of(client)

    async def work() -> None:
        while True:
            await line.execute_command("PING")

    for steps in range(300):
        task = asyncio.create_task(work())
        for _ in range(steps % 60):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2)
        assert done, f"It goes on although it was cancelled after {steps % 60} steps of the loop."
    await aclose_redis_client(client)


async def test_closing_the_client_closes_the_connections(server: RedisServer, admin: Any) -> None:
    before = admin.info("clients")["connected_clients"]
    client, aclient = redis_from_url(server.url), redis_from_url(server.url, asynchronous=True)
    line_of(client).execute_command("PING")
    await line_of(aclient).execute_command("PING")
    assert admin.info("clients")["connected_clients"] == before + 2
    close_redis_client(client)
    await aclose_redis_client(aclient)
    while admin.info("clients")["connected_clients"] > before:
        await asyncio.sleep(0.01)


async def test_lost_connections_are_made_anew(messaging_at: Callable[[str], None]) -> None:
    with RedisServer.start() as server:
        messaging_at(server.url)
        aline = line_of(get_async_redis_client())
        with client_of({"port": server.port}) as patient:
            line = line_of(patient)
            assert line.execute_command("ECHO", 1) == b"1"
            assert await aline.execute_command("ECHO", 1) == "1"
            server.process.restart()
            assert line.execute_command("ECHO", 2) == b"2"
            assert await aline.execute_command("ECHO", 2) == "2"
        await clear_cached_clients()


async def test_where_each_command_is_led_somewhere_it_goes_through_the_client(any_url: str) -> None:
    client = redis_from_url(any_url)
    is_one_server = "sentinel" not in any_url and "cluster" not in any_url
    assert (line_of(client) is not client) == is_one_server
    close_redis_client(client)


def test_a_pool_of_few_connections_keeps_them(server: RedisServer) -> None:
    client = redis_from_url(f"{server.url}?max_connections=2")
    assert line_of(client) is client
    close_redis_client(client)


async def test_any_number_may_wait_at_a_time(messaging: RedisServer) -> None:
    """redis-py 8 would refuse the 101st connection."""
    client: Any = get_async_redis_client()
    waits = [client.blpop(f"list-{number}", timeout=0.2) for number in range(130)]
    assert await asyncio.gather(*waits) == [None] * 130

    async def publish(number: int) -> None:
        async with Publisher("events", Cache()) as publisher:
            await publisher.publish_data(b"", {"id": number})

    await asyncio.gather(*(publish(number) for number in range(130)))
    assert await client.xlen("events") == 130


async def test_many_may_begin_at_a_time_in_a_cluster(
    cluster: RedisCluster, messaging_at: Callable[[str], None]
) -> None:
    """redis-py 8 closes connections that the first commands are about to use."""
    messaging_at(cluster.url)

    async def publish(number: int) -> None:
        async with Publisher("events", Cache()) as publisher:
            await publisher.publish_data(b"", {"id": number})

    locks = RedisLockManager(connection_url=cluster.url)
    await asyncio.gather(*(publish(number) for number in range(20)))
    assert all(await asyncio.gather(*(locks.aacquire_lock(f"record-{number}", "one") for number in range(20))))
    client: Any = get_async_redis_client()
    assert await client.xlen("{events}") >= 20
    await clear_cached_clients()


async def test_a_command_on_a_closed_connection_may_be_tried_again(server: RedisServer) -> None:
    client: Any = redis.asyncio.Redis.from_url(server.url)
    connection = client.connection_pool.make_connection()
    await connection.connect()
    connection._writer.transport.abort()
    await connection._writer.wait_closed()

    async def ping() -> None:
        with redis_errors("Redis"):
            await connection.send_command("PING", check_health=False)
            await connection.read_response()

    with pytest.raises(RedisUnreachable) as caught:
        await ping()
    assert is_transient(caught.value)
    await client.aclose()


_FORK = """
import os, sys
from prefect_redis import RedisLockManager

locks = RedisLockManager(port=int(sys.argv[1]))
locks.acquire_lock("of the parent", "parent")
child = os.fork()
if child == 0:
    locks.acquire_lock("of the child", "child")
    assert locks.is_lock_holder("of the parent", "parent")
    print(locks._renewals.keys, flush=True)
    os._exit(0)
for _ in range(100):
    assert locks.is_lock_holder("of the parent", "parent")
assert os.waitpid(child, 0)[1] == 0
print(locks._renewals.keys)
"""


def test_a_fork_has_its_own_connections_and_renews_its_own_locks(server: RedisServer) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORK, str(server.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["['of the child']", "['of the parent']"], done.stderr
