"""Open and close clients by URL: one server, a primary behind Sentinel, or a Cluster."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from . import _urls

if TYPE_CHECKING:
    import redis
    import redis.asyncio

__all__ = ["SENTINEL_SCHEMES", "aclose_redis_client", "close_redis_client", "is_sentinel_url", "redis_from_url"]

SENTINEL_SCHEMES: frozenset[str] = _urls.SENTINEL_SCHEMES
"""Schemes of URLs that name Sentinels."""

_RETRIES = 3
_NO_LIMIT = 2**31
"""Of connections of a client. By default redis-py 8 refuses the 101st; before that there was no limit."""
_FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS = 0.05, 0.5


def is_sentinel_url(url: str) -> bool:
    """Say whether a URL names Sentinels.

    Args:
        url: Any URL.
    """
    return _urls.mode_of(url) == "sentinel"


@overload
def redis_from_url(url: str, *, asynchronous: Literal[False] = False, **kwargs: Any) -> redis.Redis: ...


@overload
def redis_from_url(url: str, *, asynchronous: Literal[True], **kwargs: Any) -> redis.asyncio.Redis: ...


@overload
def redis_from_url(url: str, *, asynchronous: bool, **kwargs: Any) -> redis.Redis | redis.asyncio.Redis: ...


def redis_from_url(url: str, *, asynchronous: bool = False, **kwargs: Any) -> redis.Redis | redis.asyncio.Redis:
    """Make a client for any address of Redis.

    ```python
    from prefect_redis.connection import redis_from_url

    one = redis_from_url("rediss://user:secret@redis.example.com:6379/0?ssl_ca_certs=/etc/ssl/own-ca.pem")
    primary = redis_from_url("redis+sentinel://user:secret@sentinel-1:26379,sentinel-2:26379/mymaster/0")
    ```

    `redis+cluster://host:port,host:port` gives a client of a Cluster, which connects at once.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`, the last two also with
            `rediss`. Its query holds arguments of redis-py's connections, for TLS `ssl_ca_certs`, `ssl_certfile` and
            `ssl_keyfile`; those that begin with `sentinel_` are for Sentinels, such as `sentinel_password`.
        asynchronous: Whether to make a client of `redis.asyncio`.
        kwargs: Further arguments of the client. What the URL says comes first.

    Returns:
        A client; of a Cluster, `redis.cluster.RedisCluster` or its async twin. Close it with `close_redis_client` or
        `aclose_redis_client`.

    Raises:
        RedisUrlInvalid: If the URL is none of Redis.
    """
    address = _urls.parse(url)
    options = {"retry": _retry(asynchronous), "max_connections": _NO_LIMIT, **kwargs, **address.options}
    if address.mode == "sentinel":
        return _behind_sentinels(address, options, asynchronous)
    if address.mode == "cluster":
        return _cluster(address, options, asynchronous)
    if address.nodes:
        options["host"], options["port"] = address.nodes[0]
    return client_of(options, asynchronous=asynchronous)


def client_of(options: dict[str, Any], *, asynchronous: bool = False) -> redis.Redis | redis.asyncio.Redis:
    """Make a client of one server from redis-py's own arguments."""
    import redis
    import redis.asyncio

    options = {"retry": _retry(asynchronous), "max_connections": _NO_LIMIT, **options}
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
        options.pop("connection_class", None)
    return redis.asyncio.Redis(**options) if asynchronous else redis.Redis(**options)


class Resent(threading.local):
    """How often commands of this thread were sent again."""

    count = 0


resent = Resent()


def _retry(asynchronous: bool) -> Any:
    """Some quick tries: a restarted server closed our connections, and the next attempt works."""
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import ExponentialBackoff
    from redis.retry import Retry

    class Counting(ExponentialBackoff):
        def compute(self, failures: int) -> float:
            resent.count += 1
            return super().compute(failures)

    backoff = Counting(cap=_LAST_DELAY_SECONDS, base=_FIRST_DELAY_SECONDS)
    return AsyncRetry(backoff, _RETRIES) if asynchronous else Retry(backoff, _RETRIES)


def no_retry() -> Any:
    """For clients whose commands must not be sent twice."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 0)


def _behind_sentinels(
    address: _urls.Address, options: dict[str, Any], asynchronous: bool
) -> redis.Redis | redis.asyncio.Redis:
    from redis.asyncio.sentinel import Sentinel as AsyncSentinel
    from redis.sentinel import Sentinel

    cls = cast("Any", AsyncSentinel if asynchronous else Sentinel)
    timeouts = {k: v for k, v in options.items() if k == "socket_connect_timeout" and v is not None}
    of_sentinels = {"socket_timeout": 5.0, **timeouts, **address.sentinel_options}
    sentinel = cls(list(address.nodes), sentinel_kwargs=of_sentinels)
    return sentinel.master_for(address.service, **options)


def _cluster(address: _urls.Address, options: dict[str, Any], asynchronous: bool) -> Any:
    from redis.asyncio.cluster import ClusterNode as AsyncNode
    from redis.asyncio.cluster import RedisCluster as AsyncCluster
    from redis.cluster import ClusterNode, RedisCluster

    is_sent_once = getattr(options.get("retry"), "_retries", None) == 0
    options = {name: value for name, value in options.items() if name not in ("db", "retry")}
    if is_sent_once:
        options |= _no_repeats()
    if asynchronous:
        return AsyncCluster(startup_nodes=[AsyncNode(host, port) for host, port in address.nodes], **options)
    return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in address.nodes], **options)


def _no_repeats() -> dict[str, Any]:
    """Keep a Cluster's client from sending a command to the next node; redis-py before 6 had a number for it."""
    import redis

    is_old = int(redis.__version__.partition(".")[0]) < 6
    return {"cluster_error_retry_attempts": 0} if is_old else {"retry": no_retry()}


def close_redis_client(client: redis.Redis) -> None:
    """Close a client and, where it has some, its connections to Sentinels.

    Args:
        client: A client of `redis_from_url`.
    """
    client.close()
    for sentinel in _sentinels(client):
        sentinel.close()


async def aclose_redis_client(client: redis.asyncio.Redis) -> None:
    """Async form of `close_redis_client`.

    Args:
        client: A client of `redis_from_url(..., asynchronous=True)`.
    """
    await client.aclose()
    for sentinel in _sentinels(client):
        await sentinel.aclose()


def _sentinels(client: Any) -> list[Any]:
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    return list(getattr(manager, "sentinels", ()))
