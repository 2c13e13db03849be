"""Clients of the Redis that servers share, kept for each event loop, and names of keys that suit a Cluster, too."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field

from . import _urls
from .connection import aclose_redis_client, client_of, redis_from_url
from .settings import current

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = [
    "CacheKey",
    "RedisMessagingSettings",
    "aclose_redis_client",
    "async_redis_from_settings",
    "cached",
    "clear_cached_clients",
    "close_all_cached_connections",
    "cluster_key_prefix",
    "get_async_redis_client",
    "is_cluster_url",
    "normalize_cluster_url",
    "redis_from_url",
    "redis_key",
]

_NOT_GIVEN: Any = object()


class RedisMessagingSettings(PrefectBaseSettings):
    """How servers reach Redis: `PREFECT_REDIS_MESSAGING_*`.

    Where `url` is set, the other fields that name the server are not looked at.
    """

    model_config = build_settings_config(("redis", "messaging"), frozen=True)

    url: str | None = Field(
        default=None,
        repr=False,
        description="Address of one server, of Sentinels or of a Cluster, with user, password and certificates.",
    )
    host: str = Field(default="localhost", description="Host of the server.")
    port: int = Field(default=6379, description="Port of the server.")
    db: int = Field(default=0, description="Number of the database.")
    username: str = Field(default="default", description="User to log in as.")
    password: str = Field(default="", repr=False, description="Password of the user.")
    health_check_interval: int = Field(
        default=20, description="Seconds without traffic after which a connection is checked before it is used."
    )
    ssl: bool = Field(default=False, description="Whether to speak TLS.")
    socket_timeout: float | None = Field(
        default=None, description="Seconds to wait for an answer; by default there is no limit."
    )
    socket_connect_timeout: float | None = Field(
        default=None, description="Seconds that connecting may take; by default there is no limit."
    )
    protocol: int = Field(default=2, description="Version of the protocol, 2 or 3.")


CacheKey = tuple[
    Callable[..., Any], tuple[Any, ...], tuple[tuple[str, Any], ...], asyncio.events.AbstractEventLoop | None
]
"""What tells kept clients apart: the function, its arguments, and the event loop."""

_clients: dict[CacheKey, Any] = {}


def is_cluster_url(url: str) -> bool:
    """Say whether a URL names a Cluster: by `redis+cluster://` or `rediss+cluster://`, or by `?cluster=true`.

    Args:
        url: Any URL.
    """
    return _urls.mode_of(url) == "cluster"


def normalize_cluster_url(url: str) -> str:
    """Turn the URL of a Cluster into that of its first node, as redis-py reads it.

    Args:
        url: A URL; others than those of a Cluster are returned as they are.
    """
    return _urls.plain(url) if is_cluster_url(url) else url


def cluster_key_prefix(prefix: str, url: str | None = None) -> str:
    """Make all keys with a prefix live in one slot of a Cluster, so that scripts can use them together.

    Args:
        prefix: The prefix, such as `events`.
        url: Address of Redis; that of the settings by default.

    Returns:
        `{prefix}` for a Cluster, else the prefix itself.
    """
    url = url or current(RedisMessagingSettings).url
    if not url or not is_cluster_url(url) or "{" in prefix:
        return prefix
    return f"{{{prefix}}}"


def redis_key(prefix: str, suffix: str, url: str | None = None) -> str:
    """Name a key, in the slot of its prefix where that matters.

    Args:
        prefix: What the key belongs to.
        suffix: What it is.
        url: Address of Redis; that of the settings by default.
    """
    return f"{cluster_key_prefix(prefix, url)}:{suffix}"


def cached(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a function made for each event loop and set of arguments.

    Args:
        fn: Makes a client.
    """

    @functools.wraps(fn)
    def keeping(*args: Any, **kwargs: Any) -> Any:
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if _stand_in() is not None:
            return fn(*args, **kwargs)
        key: CacheKey = (fn, args, tuple(sorted(kwargs.items())), loop)
        # No `KeyError` here: it would name the key, with passwords in it, behind any error of what follows.
        client = _clients.get(key, _NOT_GIVEN)
        if client is _NOT_GIVEN:
            _forget_closed_loops()
            client = _clients.setdefault(key, fn(*args, **kwargs))
        return client

    return keeping


def __getattr__(name: str) -> Any:
    """Give the class of redis-py that tests look for here, to put another in its place."""
    if name != "Redis":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import redis.asyncio

    return redis.asyncio.Redis


def _stand_in() -> Any:
    here = globals().get("Redis")
    # What is put back after a test is the class itself.
    is_ours = here is not None and not str(getattr(here, "__module__", "")).startswith("redis.")
    return here if is_ours else None


def _client_at(url: str, options: dict[str, Any]) -> Any:
    kind = _stand_in()
    return redis_from_url(url, asynchronous=True, **options) if kind is None else kind.from_url(url, **options)


def _client_with(options: dict[str, Any]) -> Any:
    kind = _stand_in()
    return client_of(options, asynchronous=True) if kind is None else kind(**options)


def _forget_closed_loops() -> None:
    for client in _taken(lambda loop: loop is not None and loop.is_closed()):
        _drop_sockets(client)


def _taken(wanted: Callable[[asyncio.AbstractEventLoop | None], bool]) -> list[Any]:
    """Forget the clients of some event loops, and return them. Other threads may keep and forget some meanwhile."""
    taken = [_clients.pop(key, _NOT_GIVEN) for key in list(_clients) if wanted(key[3])]
    return [client for client in taken if client is not _NOT_GIVEN]


def _drop_sockets(client: Any) -> None:
    """Close connections whose event loop is gone: nobody can wait for them any more."""
    pools = [getattr(client, "connection_pool", None)]
    pools += list(getattr(getattr(client, "nodes_manager", None), "nodes_cache", {}).values())
    for pool in pools:
        for name in ("_available_connections", "_in_use_connections", "_connections"):
            for connection in list(getattr(pool, name, None) or ()):
                with contextlib.suppress(Exception):
                    connection._close()  # noqa: SLF001 - the public way waits


def close_all_cached_connections() -> None:
    """Close and forget all kept clients. What another event loop uses is closed without waiting."""
    for client in _taken(lambda _: True):
        _drop_sockets(client)


async def clear_cached_clients() -> None:
    """Forget the kept clients of this event loop and close them, so that the next ones connect anew."""
    loop = asyncio.get_running_loop()
    for client in _taken(lambda kept_for: kept_for is loop or kept_for is None):
        with contextlib.suppress(Exception):
            await aclose_redis_client(client)
    _forget_closed_loops()


@cached
def get_async_redis_client(
    url: str | None = None,
    host: str | None = None,
    port: int | None = None,
    db: int | None = None,
    password: str | None = None,
    username: str | None = None,
    health_check_interval: int | None = None,
    decode_responses: bool = True,
    ssl: bool | None = None,
    socket_timeout: float | Any | None = _NOT_GIVEN,
    socket_connect_timeout: float | Any | None = _NOT_GIVEN,
    protocol: int | None = None,
) -> Redis:
    """Get the client of this event loop; what is not given is that of `RedisMessagingSettings`.

    Args:
        url: Address of one server, of Sentinels or of a Cluster. With it, or one in the settings, the arguments that
            name a server are not looked at.
        host: Host of the server.
        port: Port of the server.
        db: Number of the database.
        password: Password of the user.
        username: User to log in as.
        health_check_interval: Seconds without traffic after which a connection is checked before it is used.
        decode_responses: Whether answers are text rather than bytes.
        ssl: Whether to speak TLS.
        socket_timeout: Seconds to wait for an answer; `None` for no limit.
        socket_connect_timeout: Seconds that connecting may take; `None` for no limit.
        protocol: Version of the protocol, 2 or 3.

    Returns:
        A client that equal arguments share. Do not close it.
    """
    settings = RedisMessagingSettings()

    def chosen(given: Any, default: Any) -> Any:
        return default if given is None or given is _NOT_GIVEN else given

    options: dict[str, Any] = {
        "health_check_interval": chosen(health_check_interval, settings.health_check_interval),
        "decode_responses": decode_responses,
        "socket_timeout": settings.socket_timeout if socket_timeout is _NOT_GIVEN else socket_timeout,
        "socket_connect_timeout": (
            settings.socket_connect_timeout if socket_connect_timeout is _NOT_GIVEN else socket_connect_timeout
        ),
        "protocol": chosen(protocol, settings.protocol),
    }
    url = url or settings.url
    if url:
        return _client_at(url, options)
    options |= {
        "host": chosen(host, settings.host),
        "port": chosen(port, settings.port),
        "db": chosen(db, settings.db),
        "username": chosen(username, settings.username),
        "password": chosen(password, settings.password) or None,
        "ssl": chosen(ssl, settings.ssl),
    }
    if options["password"] is None and options["username"] == "default":
        options["username"] = None  # nothing to log in with
    return _client_with(options)


@cached
def async_redis_from_settings(settings: RedisMessagingSettings, **options: Any) -> Redis:
    """Get the client of this event loop for given settings.

    Args:
        settings: How to reach Redis.
        options: Further arguments of the client; they come before the settings.

    Returns:
        A client that equal arguments share. Do not close it.
    """
    chosen: dict[str, Any] = {
        "health_check_interval": settings.health_check_interval,
        "decode_responses": True,
        "socket_timeout": settings.socket_timeout,
        "socket_connect_timeout": settings.socket_connect_timeout,
        "protocol": settings.protocol,
        **options,
    }
    if settings.url:
        return _client_at(settings.url, chosen)
    has_login = bool(settings.password) or settings.username != "default"
    server: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "db": settings.db,
        "username": settings.username if has_login else None,
        "password": settings.password or None,
        "ssl": settings.ssl,
    }
    return _client_with({**server, **chosen})
