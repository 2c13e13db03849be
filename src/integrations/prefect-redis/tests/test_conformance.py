"""What holds for every integration, shown for this one."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_integration_tests.backends.redis import RedisCluster, RedisSentinels, RedisServer
from prefect_integration_tests.suites import BlockSuite, CredentialsSuite, FileSystemSuite, InterfaceSuite, PackageSuite
from prefect_redis import RedisDatabase


class TestPackage(PackageSuite):
    package = "prefect_redis"
    one_face = frozenset(
        {
            "prefect_redis.messaging",
            "prefect_redis.ordering",
            "prefect_redis.lease_storage",
            "prefect_redis.cleanup_queue",
            "prefect_redis.dead_letters",
            "prefect_redis.client",
            "prefect_redis.connection",
            "prefect_redis.locking",  # Prefect's protocol of lock managers
            "prefect_redis._consumer",
            "prefect_redis._message_settings",
        }
    )


class TestInterface(InterfaceSuite):
    package = "prefect_redis"


class TestBlocks(BlockSuite):
    package = "prefect_redis"
    alternatives = frozenset({"connection_url"})

    def make(self, cls: Any, canary: str) -> Any:
        return cls(username=canary, password=canary, ssl_password=canary)


class TestUrlBlocks(BlockSuite):
    package = "prefect_redis"
    alternatives = frozenset({"username", "password", "ssl_password"})

    def make(self, cls: Any, canary: str) -> Any:
        return cls(connection_url=f"redis://localhost:6379/0?password={canary}")


class TestCredentials(CredentialsSuite):
    @pytest.fixture
    def credentials(self, canary: str) -> RedisDatabase:
        return RedisDatabase(host="redis.invalid", username="me", password=canary)


class TestDatabase(FileSystemSuite):
    @pytest.fixture
    def filesystem(self, database: RedisDatabase) -> RedisDatabase:
        return database


class TestSecureDatabase(FileSystemSuite):
    @pytest.fixture
    def filesystem(self, secure: RedisServer) -> RedisDatabase:
        return RedisDatabase(
            port=secure.port, username="default", password="default-pw", ssl=True, ssl_ca_certs=str(secure.ca_file)
        )


class TestDatabaseBehindSentinels(FileSystemSuite):
    @pytest.fixture
    def filesystem(self, sentinels: RedisSentinels) -> RedisDatabase:
        return RedisDatabase(connection_url=sentinels.url)


class TestClusteredDatabase(FileSystemSuite):
    @pytest.fixture
    def filesystem(self, cluster: RedisCluster) -> RedisDatabase:
        return RedisDatabase(connection_url=cluster.url)
