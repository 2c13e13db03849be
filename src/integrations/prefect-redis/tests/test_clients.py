"""Kept clients of servers: what goes wrong says nothing of passwords, and threads may keep and close them at once."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
import redis.asyncio

from prefect_redis.client import close_all_cached_connections, get_async_redis_client
from prefect_redis.errors import RedisUrlInvalid

PASSWORD = "secret-pw"


@pytest.fixture
def without_kept_clients() -> Iterator[None]:
    close_all_cached_connections()
    yield
    close_all_cached_connections()


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize(
    "arguments",
    [{"url": f"redis://:{PASSWORD}@localhost:99999/0"}, {"password": PASSWORD}],
    ids=["bad URL", "bad URL in the settings"],
)
def test_a_client_that_cannot_be_made_tells_no_password(
    without_kept_clients: None, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, str]
) -> None:
    monkeypatch.setenv("PREFECT_REDIS_MESSAGING_URL", "nonsense://localhost")
    with pytest.raises(RedisUrlInvalid) as caught:
        get_async_redis_client(**arguments)
    assert PASSWORD not in shown(caught.value)


@pytest.mark.parametrize("arguments", [{}, {"host": "localhost"}, {"port": 2, "db": 3}], ids=str)
def test_a_url_in_the_settings_comes_before_arguments(
    without_kept_clients: None, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    monkeypatch.setenv("PREFECT_REDIS_MESSAGING_URL", "redis://redis.invalid:1/7")
    reached = get_async_redis_client(**arguments).connection_pool.connection_kwargs
    assert [reached[name] for name in ("host", "port", "db")] == ["redis.invalid", 1, 7]


def test_threads_keep_and_close_clients_at_once(without_kept_clients: None) -> None:
    errors: list[BaseException] = []
    is_over = threading.Event()

    def trying(call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as exc:
            errors.append(exc)

    def keep(number: int) -> None:
        for turn in range(150):
            trying(lambda turn=turn: get_async_redis_client(password=f"{PASSWORD}-{number}-{turn}"))

    def close() -> None:
        while not is_over.is_set():
            trying(close_all_cached_connections)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        closing = [threading.Thread(target=close) for _ in range(2)]
        keeping = [threading.Thread(target=keep, args=(number,)) for number in range(3)]
        for thread in (*closing, *keeping):
            thread.start()
        for thread in keeping:
            thread.join()
        is_over.set()
        for thread in closing:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors, [type(error) for error in errors]


async def test_a_class_in_the_place_of_redis_py_s_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        kind = MagicMock()
        with monkeypatch.context() as patched:
            patched.setattr("prefect_redis.client.Redis", kind)
            assert get_async_redis_client(host="redis.invalid") is kind.return_value
            assert get_async_redis_client(url="redis://redis.invalid") is kind.from_url.return_value
        assert kind.call_args.kwargs["host"] == "redis.invalid"
        assert kind.from_url.call_args.args == ("redis://redis.invalid",)
    assert isinstance(get_async_redis_client(host="redis.invalid"), redis.asyncio.Redis)
