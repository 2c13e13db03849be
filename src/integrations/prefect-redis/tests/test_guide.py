"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.backends.redis import RedisServer, redis_program
from prefect_integration_tests.suites import GuideSuite
from prefect_redis import RedisDatabase, RedisLockManager
from prefect_redis.client import close_all_cached_connections

if TYPE_CHECKING:
    from pathlib import Path

_USERS = {"app": "on >app-pw ~app:* ~sum-* ~lock:app-* ~events* +@all", "default": "on nopass ~* &* +@all"}


@pytest.fixture(scope="session")
def guide_server() -> Iterator[RedisServer]:
    """The server of the reader."""
    if redis_program() is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    with RedisServer.start(users=_USERS) as server:
        yield server


class TestGuide(GuideSuite):
    distribution = "prefect-redis"

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, guide_server: RedisServer, prefect_harness: None, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Callable[[], object] | None]:
        """A server at the usual port, and a reader who knows the password."""
        port = guide_server.port
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "app-pw")
        monkeypatch.setenv("PREFECT_REDIS_MESSAGING_URL", guide_server.url)
        monkeypatch.setattr(RedisDatabase.model_fields["port"], "default", port)
        RedisDatabase.model_rebuild(force=True)
        init: Any = RedisLockManager.__init__
        monkeypatch.setattr(RedisLockManager, "__init__", lambda self, **given: init(self, **{"port": port, **given}))

        def save() -> None:
            RedisDatabase(port=port, username="app", password="app-pw").save("redis", overwrite=True)

        yield save
        close_all_cached_connections()
        monkeypatch.undo()
        RedisDatabase.model_rebuild(force=True)

    @pytest.fixture
    def provocations(
        self, guide_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> Mapping[str, Callable[[], object]]:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_RETRY_SECONDS", "0")

        def read(key: str, **fields: Any) -> Callable[[], object]:
            fields = {"port": guide_server.port, "username": "app", "password": "app-pw", **fields}
            return lambda: RedisDatabase(**fields).read_path(key)

        return {
            "The server cannot be reached": read("daily", host="127.0.0.1", port=1),
            "The password is wrong": read("app:daily", password="of another user"),
            "The user may not do that": read("daily"),
            "Nothing is stored under the key": read("app:missing"),
            "The address is none of Redis": lambda: RedisDatabase.from_connection_string("http://localhost"),
        }
