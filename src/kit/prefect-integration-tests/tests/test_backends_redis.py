"""Redis comes in four shapes, is asked, and goes without a trace."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from prefect_integration_tests.backends.processes import ServerError, accepts_connections
from prefect_integration_tests.backends.redis import (
    RedisCluster,
    RedisSentinels,
    RedisServer,
    redis_program,
)

pytestmark = pytest.mark.skipif(redis_program() is None, reason="Redis is not installed")


def test_one_server_stores_and_is_emptied(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("bread", 7)
        assert client.get("bread") == b"7"
        redis_server.empty()
        assert client.get("bread") is None


def test_nothing_is_left_of_it() -> None:
    with RedisServer.start(is_durable=True) as server:
        with server.client() as client:
            client.set("bread", 7)
        server.process.restart()
        with server.client() as client:
            assert client.get("bread") == "7"
    assert not server.folder.exists()
    assert not accepts_connections(server.port)


def test_a_wrong_option_is_told() -> None:
    with pytest.raises(ServerError, match="nonsense"):
        RedisServer.start(options=["--nonsense", "1"])


def test_tls_and_acl_hold(redis_secure: RedisServer) -> None:
    with redis.Redis.from_url(redis_secure.url_for("app", "app-pw")) as app:
        app.set("app:bread", 7)
        with pytest.raises(NoPermissionError):
            app.set("other", 7)
    with redis.Redis.from_url(redis_secure.url_for("reader", "reader-pw")) as reader, pytest.raises(NoPermissionError):
        reader.set("app:bread", 8)
    with redis.Redis.from_url(redis_secure.url_for("app", "wrong")) as wrong, pytest.raises(AuthenticationError):
        wrong.ping()
    with (
        redis.Redis(port=redis_secure.port, password="default-pw") as plain,
        pytest.raises(redis.exceptions.ConnectionError),
    ):
        plain.ping()


def test_sentinels_replace_a_dead_primary() -> None:
    with RedisSentinels.start(password="pw") as sentinels:
        old = sentinels.primary()
        with old.client() as client:
            client.set("bread", 7)
            client.wait(1, 5000)
        old.process.kill()
        new = sentinels.await_failover(old)
        with new.client() as client:
            assert client.get("bread") == "7"
    assert not any(accepts_connections(server.port) for server in sentinels.servers)


def test_a_cluster_spreads_keys(redis_cluster: RedisCluster) -> None:
    redis_cluster.empty()
    with redis.RedisCluster(host="127.0.0.1", port=redis_cluster.servers[0].port) as client:
        for number in range(60):
            client.set(f"key-{number}", number)
        assert client.get("key-59") == b"59"
    for server in redis_cluster.servers:
        with server.client() as client:
            assert client.dbsize() > 0


def test_a_server_of_a_cluster_refuses_other_slots(redis_cluster: RedisCluster) -> None:
    with redis_cluster.servers[0].client() as client, pytest.raises(RedisError, match=r"15495 127\.0\.0\.1"):
        client.get("a")  # slot 15495 is the third server's
