"""Redis servers that are empty before each test, and blocks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from prefect_integration_tests.backends.redis import RedisCluster, RedisSentinels, RedisServer
from prefect_redis import RedisDatabase


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """An empty server."""
    redis_server.empty()
    return redis_server


@pytest.fixture
def secure(redis_secure: RedisServer) -> RedisServer:
    """An empty server with TLS and ACL."""
    redis_secure.empty()
    return redis_secure


@pytest.fixture
def cluster(redis_cluster: RedisCluster) -> RedisCluster:
    """An empty Cluster."""
    redis_cluster.empty()
    return redis_cluster


@pytest.fixture
def sentinels(redis_sentinels: RedisSentinels) -> RedisSentinels:
    """Sentinels of an empty primary."""
    redis_sentinels.primary().empty()
    return redis_sentinels


@pytest.fixture(params=["single", "tls", "sentinel", "cluster"])
def any_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty Redis of each kind."""
    if request.param == "single":
        return request.getfixturevalue("server").url
    if request.param == "tls":
        return request.getfixturevalue("secure").url
    return request.getfixturevalue("sentinels" if request.param == "sentinel" else "cluster").url


@pytest.fixture
def database(server: RedisServer) -> RedisDatabase:
    """A block for the plain server."""
    return RedisDatabase(port=server.port)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are told at once."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_RETRY_SECONDS", "0")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_CONNECT_TIMEOUT_SECONDS", "2")


@pytest.fixture
def messaging_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let servers use the Redis at an address."""

    def use(url: str) -> None:
        monkeypatch.setenv("PREFECT_REDIS_MESSAGING_URL", url)
        monkeypatch.setenv("PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL", url)

    return use


@pytest.fixture
async def messaging(server: RedisServer, messaging_at: Callable[[str], None]) -> AsyncIterator[RedisServer]:
    """The plain server as that of messages; its clients are closed after the test."""
    from prefect_redis.client import clear_cached_clients

    messaging_at(server.url)
    yield server
    await clear_cached_clients()


@pytest.fixture
async def any_messaging(any_url: str, messaging_at: Callable[[str], None]) -> AsyncIterator[str]:
    """A Redis of each kind as that of messages."""
    from prefect_redis.client import clear_cached_clients

    messaging_at(any_url)
    yield any_url
    await clear_cached_clients()


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Any]:
    """A client of the plain server, to look at what is stored."""
    with server.client() as client:
        yield client
