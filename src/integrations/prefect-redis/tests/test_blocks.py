"""The block reaches every kind of Redis, keeps results, and says what is wrong."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, patch

import pytest
import redis
from prefect import flow, task
from prefect.cache_policies import INPUTS
from pydantic import SecretStr, ValidationError

from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.redis import RedisSentinels, RedisServer
from prefect_redis import (
    RedisDatabase,
    RedisLockManager,
    redis_execute,
    redis_get,
    redis_get_binary,
    redis_set,
    redis_set_binary,
)
from prefect_redis.connection import aclose_redis_client, close_redis_client
from prefect_redis.errors import (
    RedisAccessDenied,
    RedisCommandFailed,
    RedisCommandInvalid,
    RedisDatabaseError,
    RedisKeyNotFound,
    RedisOutOfMemory,
    RedisTLSError,
    RedisUnreachable,
    RedisUrlInvalid,
    RedisValueTooLarge,
    RedisWrongType,
)


def test_importing_the_package_does_not_load_redis() -> None:
    code = "import sys, prefect_redis; print([name for name in sys.modules if name.partition('.')[0] == 'redis'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


async def test_one_address_reaches_every_kind(any_url: str) -> None:
    block = RedisDatabase(connection_url=any_url)
    client, aclient = block.get_client(), block.get_async_client()
    client.set("a", 1)
    assert await aclient.get("a") == b"1"
    close_redis_client(client)
    await aclose_redis_client(aclient)


async def test_fields_reach_a_server_with_tls_and_acl(secure: RedisServer) -> None:
    login = {"username": "app", "password": "app-pw", "ssl": True, "ssl_ca_certs": str(secure.ca_file)}
    block = RedisDatabase(host="127.0.0.1", port=secure.port, **login)
    assert block.write_path("app:a", b"1", _sync=True)
    client = block.get_async_client()
    assert await client.get("app:a") == b"1"
    await aclose_redis_client(client)


def test_a_client_certificate_is_shown(tmp_path: Any) -> None:
    authority = PrivateCA(tmp_path)
    certificate = authority.issue("redis", "127.0.0.1")
    mine = authority.issue("client")
    options = {"certificate": certificate, "ca_file": authority.ca_file, "wants_client_certificate": True}
    with RedisServer.start(**options) as server:
        tls = {"ssl_ca_certs": authority.ca_file, "ssl_certfile": mine.cert_file, "ssl_keyfile": mine.key_file}
        paths = {name: str(path) for name, path in tls.items()}
        block = RedisDatabase(host="127.0.0.1", port=server.port, ssl=True, **paths)
        assert block.write_path("a", b"1")
        query = "&".join(f"{name}={path}" for name, path in paths.items())
        url = f"rediss://127.0.0.1:{server.port}/0?{query}"
        assert RedisDatabase(connection_url=url).read_path("a") == b"1"
        assert RedisDatabase.from_connection_string(url).read_path("a") == b"1"


def test_a_string_becomes_a_block() -> None:
    block = RedisDatabase.from_connection_string("rediss://me:p%40ss@redis.example.com:6380/3")
    assert (block.host, block.port, block.db, block.ssl) == ("redis.example.com", 6380, 3, True)
    assert (block.username, block.password) == (SecretStr("me"), SecretStr("p@ss"))
    url = "redis+sentinel://:pw@a:1,b:2/mymaster/0"
    assert RedisDatabase.from_connection_string(SecretStr(url)).connection_url == SecretStr(url)
    with pytest.raises(RedisUrlInvalid, match="redis"):
        RedisDatabase.from_connection_string("http://localhost")


def test_parameters_can_be_unpacked(server: RedisServer) -> None:
    block = RedisDatabase(host="127.0.0.1", port=server.port, socket_timeout=7, key_ttl=5)
    with redis.Redis(**block.as_connection_params()) as client:
        assert client.ping()
    assert block.as_connection_params()["socket_timeout"] == 7
    assert "key_ttl" not in block.as_connection_params()


def test_parameters_hold_what_is_set_alone() -> None:
    assert RedisDatabase(db=2).as_connection_params() == {"host": "localhost", "port": 6379, "db": 2, "ssl": False}
    given = RedisDatabase(username="me", password="pw").as_connection_params()
    assert (given["username"], given["password"]) == ("me", "pw")


def test_a_lock_manager_takes_the_parameters_of_a_block(server: RedisServer) -> None:
    block = RedisDatabase(connection_url=server.url_for(db=3))
    locks = RedisLockManager(**block.as_connection_params())
    assert locks.acquire_lock("k", "me")
    assert block.get_client().get("lock:k") == b"me"
    locks.release_lock("k", "me")
    with pytest.raises(TypeError, match="connection_url"):  # rather than connect to somewhere else
        redis.Redis(**block.as_connection_params())


def test_bad_fields_are_named() -> None:
    with pytest.raises(ValueError, match="password is missing"):
        RedisDatabase(username="me")
    with pytest.raises(ValueError, match="host is missing"):
        RedisDatabase(host="")
    with pytest.raises(ValidationError, match="key_ttl"):
        RedisDatabase(key_ttl=0)
    with pytest.raises(ValidationError, match="connection_url") as caught:
        RedisDatabase(connection_url="nonsense://:secret-pw@localhost")
    assert "secret-pw" not in str(caught.value)


# Results


@pytest.mark.parametrize("is_async", [False, True], ids=["sync flow", "async flow"])
async def test_results_are_kept_and_read(prefect_harness: None, database: RedisDatabase, is_async: bool) -> None:
    await database.asave("results", overwrite=True)
    calls: list[int] = []
    options: dict[str, Any] = {"cache_policy": INPUTS, "persist_result": True, "result_storage_key": "four"}

    def body(x: int) -> int:
        calls.append(x)
        return x + 1

    async def abody(x: int) -> int:
        return body(x)

    add = task(abody if is_async else body, **options)
    if is_async:

        @flow(result_storage=database)
        async def run() -> int:
            return await add(3)

        assert [await run(), await run()] == [4, 4]
    else:

        @flow(result_storage=database)
        def run_sync() -> int:
            return add(3)

        results: list[int] = []
        thread = threading.Thread(target=lambda: results.extend([run_sync(), run_sync()]))
        thread.start()
        thread.join()
        assert results == [4, 4]
    assert calls == [3]
    assert b"result" in await database.aread_path("four")


def test_keys_live_as_long_as_the_block_says(database: RedisDatabase, admin: Any) -> None:
    database.write_path("for ever", b"1")
    RedisDatabase(port=database.port, key_ttl=100).write_path("a while", b"1")
    assert admin.ttl("for ever") == -1
    assert 90 < admin.ttl("a while") <= 100


def test_a_result_goes_when_its_cache_expires(prefect_harness: None, database: RedisDatabase, admin: Any) -> None:
    storage = RedisDatabase(port=database.port, key_ttl=100_000)
    storage.save("expiring", overwrite=True)

    @task(persist_result=True, cache_expiration=timedelta(minutes=10), result_storage_key="ten")
    def ten() -> int:
        return 10

    @flow(result_storage=storage)
    def run() -> int:
        return ten()

    assert run() == 10
    assert 500 < admin.ttl("ten") <= 600


async def test_a_result_that_cannot_be_stored_raises(impatient: None, call: Any) -> None:
    database = RedisDatabase(host="127.0.0.1", port=1)
    with pytest.raises(RedisUnreachable, match=r"127\.0\.0\.1:1"):
        await call(database, "write_path", "one", content=b"1")


# Faults


def test_a_failover_is_outlasted() -> None:
    with RedisSentinels.start(password="pw") as sentinels:
        block = RedisDatabase(connection_url=sentinels.url)
        block.write_path("a", b"1")
        with sentinels.primary().client() as client:
            client.wait(1, 5000)
        sentinels.primary().process.kill()
        assert block.read_path("a") == b"1"
        assert block.write_path("a", b"2")
        assert block.read_path("a") == b"2"


def test_a_restart_is_outlasted() -> None:
    with RedisServer.start(is_durable=True) as server:
        block = RedisDatabase(port=server.port)
        block.write_path("a", b"1")
        server.process.kill()
        threading.Timer(0.5, server.process.start).start()
        assert block.read_path("a") == b"1"


def test_a_server_that_is_down_is_named(impatient: None) -> None:
    with pytest.raises(RedisUnreachable, match=r"127\.0\.0\.1:1/0, key 'a'.*Check host and port") as caught:
        RedisDatabase(host="127.0.0.1", port=1).read_path("a")
    assert isinstance(caught.value, redis.exceptions.ConnectionError)
    assert isinstance(caught.value, ConnectionError)
    with pytest.raises(RedisUnreachable, match=r"redis\.invalid"):
        RedisDatabase(host="redis.invalid").read_path("a")


def test_access_is_denied_for_password_and_acl(impatient: None, secure: RedisServer) -> None:
    tls = {"ssl": True, "ssl_ca_certs": str(secure.ca_file), "host": "127.0.0.1", "port": secure.port}
    with pytest.raises(RedisAccessDenied, match="Check username and password") as caught:
        RedisDatabase(username="app", password="not-that-pw", **tls).read_path("app:a")
    assert "not-that-pw" not in repr(caught.value)
    with pytest.raises(RedisAccessDenied, match=r"'other'.*ACL"):
        RedisDatabase(username="app", password="app-pw", **tls).write_path("other", b"1")
    with pytest.raises(RedisAccessDenied):
        RedisDatabase(username="reader", password="reader-pw", **tls).write_path("app:a", b"1")


def test_tls_faults_are_told_apart(
    impatient: None, secure: RedisServer, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_CONNECT_TIMEOUT_SECONDS", "0.5")
    with pytest.raises(RedisTLSError, match="ssl_ca_certs"):
        RedisDatabase(host="127.0.0.1", port=secure.port, password="default-pw", ssl=True).read_path("a")
    with pytest.raises(RedisUnreachable):
        RedisDatabase(host="127.0.0.1", port=server.port, ssl=True, socket_timeout=0.5).read_path("a")
    with pytest.raises(RedisUnreachable):
        RedisDatabase(host="127.0.0.1", port=secure.port, password="default-pw").read_path("a")


def test_what_is_too_large_is_told(impatient: None) -> None:
    with RedisServer.start(options=["--proto-max-bulk-len", "1mb", "--maxmemory", "20mb"]) as server:
        block = RedisDatabase(port=server.port)
        with pytest.raises(RedisValueTooLarge, match=r"'big'.*proto-max-bulk-len"):
            block.write_path("big", b"0" * (3 * 1024 * 1024))
        with pytest.raises(RedisValueTooLarge):
            block.write_path("k" * (3 * 1024 * 1024), b"0")
        assert block.write_path("small", b"0" * 100_000)

        def fill() -> None:
            for number in range(100):
                block.write_path(f"filling-{number}", b"0" * 900_000)

        with pytest.raises(RedisOutOfMemory, match="key_ttl"):
            fill()


def test_a_key_of_another_type_is_told(database: RedisDatabase, admin: Any) -> None:
    admin.lpush("list", 1)
    with pytest.raises(RedisWrongType, match="'list'"):
        database.read_path("list")


def test_errors_travel(impatient: None) -> None:
    with pytest.raises(RedisDatabaseError) as caught:
        RedisDatabase(host="127.0.0.1", port=1).read_path("a")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert isinstance(again, RedisUnreachable)
    assert isinstance(again, redis.exceptions.ConnectionError)


# Tasks


async def test_values_and_bytes_are_set_and_read(prefect_harness: None, database: RedisDatabase, admin: Any) -> None:
    @flow
    async def run() -> list[Any]:
        await redis_set(database, "value", {"a": [1, 2.5, None]}, ex=100)
        await redis_set_binary(database, "bytes", b"\x00\xff", px=50_000)
        await redis_set_binary(database, "bytes", b"other", nx=True)
        await redis_set_binary(database, "absent", b"other", xx=True)
        return [
            await redis_get(database, "value"),
            await redis_get_binary(database, "bytes"),
            await redis_get_binary(database, "absent"),
            await redis_execute(database, "HSET user:1 name", args=["Ada Lovelace"]),
            await redis_execute(database, "HGET user:1 name"),
        ]

    assert await run() == [{"a": [1, 2.5, None]}, b"\x00\xff", None, 1, b"Ada Lovelace"]
    assert 90 < admin.ttl("value") <= 100
    assert 40 < admin.ttl("bytes") <= 50


async def test_what_redis_py_takes_is_taken(database: RedisDatabase, admin: Any) -> None:
    for number, value in enumerate(["text", 5, 1.5, bytearray(b"bytes"), memoryview(b"view")]):
        await redis_set_binary.fn(database, "value", value)  # pyright: ignore[reportArgumentType]
        expected = [b"text", b"5", b"1.5", b"bytes", b"view"][number]
        assert await redis_get_binary.fn(database, "value") == expected
    for key in (b"key", 7):
        await redis_set.fn(database, key, "here", ex=timedelta(minutes=2))  # pyright: ignore[reportArgumentType]
        assert await redis_get.fn(database, key) == "here"  # pyright: ignore[reportArgumentType]
        assert 110 < admin.ttl(key) <= 120
    await redis_set.fn(database, "soon", 1, px=timedelta(minutes=3))  # pyright: ignore[reportArgumentType]
    assert 170 < admin.ttl("soon") <= 180
    assert await database.awrite_path("path", "text")  # pyright: ignore[reportArgumentType]
    assert await database.aread_path("path") == b"text"
    with pytest.raises(redis.exceptions.DataError, match="NoneType"):
        await redis_set_binary.fn(database, "value", None)  # pyright: ignore[reportArgumentType]


def test_a_command_in_a_cached_task_runs_each_time(prefect_harness: None, database: RedisDatabase) -> None:
    @flow(persist_result=True)
    def run() -> list[Any]:
        return [redis_execute(database, "INCR counter") for _ in range(3)]

    assert run() == [1, 2, 3]


def test_a_sync_flow_calls_tasks_without_await(prefect_harness: None, database: RedisDatabase) -> None:
    @flow
    def run() -> Any:
        redis_set(database, "value", 7, ex=0.5)
        return redis_get(database, "value")

    assert run() == 7


def test_programs_written_for_coroutines_may_run_the_results_in_a_sync_flow(
    prefect_harness: None, database: RedisDatabase
) -> None:
    @flow
    def run() -> Any:
        first = asyncio.run(redis_set(database, "value", {"a": 7}))
        second = asyncio.run(redis_set_binary(database, "bytes", b"\0"))
        found = [asyncio.run(redis_get(database, "value")), asyncio.run(redis_get_binary(database, "bytes"))]
        return first, second, found, [type(each) for each in found], asyncio.run(redis_execute(database, "DBSIZE"))

    assert run() == (None, None, [{"a": 7}, b"\0"], [dict, bytes], 2)


async def test_wrong_arguments_of_tasks_are_told(prefect_harness: None, database: RedisDatabase) -> None:
    with pytest.raises(RedisCommandInvalid, match="nx and xx"):
        await redis_set.fn(database, "a", 1, nx=True, xx=True)
    with pytest.raises(RedisCommandInvalid, match="ex and px"):
        await redis_set.fn(database, "a", 1, ex=1, px=1)
    with pytest.raises(RedisCommandInvalid, match="ex is 0"):
        await redis_set.fn(database, "a", 1, ex=0)
    with pytest.raises(RedisCommandInvalid, match="cmd is empty"):
        await redis_execute.fn(database, " ")
    with pytest.raises(RedisCommandFailed, match="NONSENSE"):
        await redis_execute.fn(database, "NONSENSE")
    with pytest.raises(RedisKeyNotFound, match="'absent'"):
        await redis_get.fn(database, "absent")


@pytest.mark.parametrize("is_async", [False, True], ids=["get_client", "get_async_client"])
async def test_a_client_of_the_callers_own_is_used(is_async: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    client = AsyncMock() if is_async else MagicMock()
    client.get.return_value = b"kept"
    monkeypatch.setattr(RedisDatabase, "get_async_client" if is_async else "get_client", lambda self: client)
    block = RedisDatabase(host="no.such.host.invalid")
    await redis_set_binary.fn(block, "key", b"new", ex=5)
    client.set.assert_called_once_with("key", b"new", px=5000, nx=False, xx=False)
    assert await redis_get_binary.fn(block, "key") == b"kept"
    assert await block.aread_path("key") == b"kept"


@pytest.mark.parametrize("name", ["redis.asyncio.Redis", "redis.asyncio.Redis.get", "redis.Redis"])
async def test_what_replaces_redis_py_is_used_each_time(name: str) -> None:
    block = RedisDatabase(host="no.such.host.invalid")
    for value in (b"one", b"two"):
        get = MagicMock(return_value=value) if name == "redis.Redis" else AsyncMock(return_value=value)
        with patch(name, get if name.endswith("get") else MagicMock(return_value=MagicMock(get=get))):
            assert await redis_get_binary.fn(block, "key") == value
            assert await block.aread_path("key") == value
        get.assert_called_with("key")


async def test_each_face_uses_what_replaces_its_own_class() -> None:
    block = RedisDatabase(host="no.such.host.invalid")
    with patch("redis.Redis") as kind, patch("redis.asyncio.Redis") as akind:
        kind.return_value.get.return_value = b"sync"
        akind.return_value.get = AsyncMock(return_value=b"async")
        assert block.read_path("key", _sync=True) == b"sync"  # pyright: ignore[reportCallIssue]
        assert await block.aread_path("key") == b"async"


@pytest.mark.parametrize("is_mock", [True, False], ids=["mock", "namespace"])
async def test_what_stands_in_for_a_block_needs_no_more_than_a_client(is_mock: bool) -> None:
    client = AsyncMock()
    client.get.return_value = b"kept"
    make = MagicMock(return_value=client)
    block: Any = MagicMock(get_async_client=make) if is_mock else SimpleNamespace(get_async_client=make)
    await redis_set_binary.fn(block, "key", b"new")
    assert await redis_get_binary.fn(block, "key") == b"kept"
    client.get.return_value = None
    with pytest.raises(RedisKeyNotFound, match="'key'"):
        await redis_get.fn(block, "key")


@pytest.mark.parametrize(
    ("command", "answer"),
    [("SET a 1", b"OK"), ("MSET b 2 c 3", b"OK"), ("EXPIRE a 100", 1), ("PING", True), ("INFO server", bytes)],
)
async def test_a_command_gives_what_the_server_answers(database: RedisDatabase, command: str, answer: Any) -> None:
    """One text is no command that redis-py has a form of its own for, unless it is a single word."""
    if command.startswith("EXPIRE"):
        await redis_execute.fn(database, "SET a 1")
    given = await redis_execute.fn(database, command)
    assert isinstance(given, answer) if isinstance(answer, type) else (given, type(given)) == (answer, type(answer))
