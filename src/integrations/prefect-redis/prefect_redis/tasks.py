"""Tasks that read and write keys of Redis, and run any of its commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from prefect.cache_policies import NO_CACHE

from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread

from . import _store
from .blocks import RedisDatabase
from .errors import RedisCommandInvalid

__all__ = ["redis_execute", "redis_get", "redis_get_binary", "redis_set", "redis_set_binary"]


def _pickle() -> Any:
    import cloudpickle

    return cloudpickle


def _milliseconds(given: Any, unit: int) -> float | None:
    """A time to live in milliseconds; like redis-py, we take a `timedelta` in the place of a number."""
    if isinstance(given, timedelta):
        return given / timedelta(milliseconds=1)
    return None if given is None else given * unit


def _set(
    credentials: RedisDatabase,
    key: str,
    value: bytes,
    ex: float | None,
    px: float | None,
    nx: bool,
    xx: bool,
) -> None:
    if nx and xx:
        raise RedisCommandInvalid("nx and xx exclude each other: a key cannot be both absent and there. Give one.")
    if ex is not None and px is not None:
        raise RedisCommandInvalid("ex and px are both given. Give seconds as ex, or milliseconds as px.")
    ttl_ms = _milliseconds(px, 1) if ex is None else _milliseconds(ex, 1000)
    if ttl_ms is not None and round(ttl_ms) < 1:
        name = "ex" if ex is not None else "px"
        raise RedisCommandInvalid(f"{name} is {ex if ex is not None else px}; a key lives for a millisecond at least.")
    _store.put(credentials, key, value, ttl_ms=None if ttl_ms is None else round(ttl_ms), nx=nx, xx=xx)


@async_task(cache_policy=NO_CACHE)
async def redis_set(
    credentials: RedisDatabase,
    key: str,
    value: Any,
    ex: float | None = None,
    px: float | None = None,
    nx: bool = False,
    xx: bool = False,
) -> None:
    """Store any Python value under a key, pickled by cloudpickle.

    Args:
        credentials: The database.
        key: Where to store it.
        value: Anything that can be pickled; open connections cannot.
        ex: Seconds until the key expires.
        px: Milliseconds until the key expires.
        nx: Whether to leave a key as it is that is already there.
        xx: Whether to set only a key that is already there.

    Raises:
        RedisCommandInvalid: If two options exclude each other.
    """
    content = _pickle().dumps(value)
    await run_sync_in_worker_thread(_set, credentials, key, content, ex, px, nx, xx)


@async_task(cache_policy=NO_CACHE)
async def redis_set_binary(
    credentials: RedisDatabase,
    key: str,
    value: bytes,
    ex: float | None = None,
    px: float | None = None,
    nx: bool = False,
    xx: bool = False,
) -> None:
    """Store bytes under a key, as they are.

    Args:
        credentials: The database.
        key: Where to store them.
        value: The bytes.
        ex: Seconds until the key expires.
        px: Milliseconds until the key expires.
        nx: Whether to leave a key as it is that is already there.
        xx: Whether to set only a key that is already there.

    Raises:
        RedisCommandInvalid: If two options exclude each other.
    """
    await run_sync_in_worker_thread(_set, credentials, key, value, ex, px, nx, xx)


@async_task(cache_policy=NO_CACHE)
async def redis_get(credentials: RedisDatabase, key: str) -> Any:
    """Read a Python value that `redis_set` stored.

    Values are unpickled, which runs code that is in them: read only what you trust.

    Args:
        credentials: The database.
        key: Where it is stored.

    Returns:
        A copy of the value.

    Raises:
        RedisKeyNotFound: If nothing is stored under the key.
    """
    return _pickle().loads(await run_sync_in_worker_thread(_store.require, credentials, key))


@async_task(cache_policy=NO_CACHE)
async def redis_get_binary(credentials: RedisDatabase, key: str) -> bytes | None:
    """Read the bytes that are stored under a key.

    Args:
        credentials: The database.
        key: Where they are stored.

    Returns:
        The bytes; `None` if the key does not exist.
    """
    return await run_sync_in_worker_thread(_store.get, credentials, key)


@async_task(cache_policy=NO_CACHE)
async def redis_execute(credentials: RedisDatabase, cmd: str, args: Sequence[Any] = ()) -> Any:
    """Run a command.

    Args:
        credentials: The database.
        cmd: The command and its arguments, separated by spaces, such as `"HGET user:1 name"`.
        args: Further arguments, each taken as it is: values with spaces, or from outside, belong here.

    Returns:
        What the server answers.

    Raises:
        RedisCommandInvalid: If `cmd` is empty.
        RedisCommandFailed: If the server refuses the command.
    """
    return await run_sync_in_worker_thread(_execute, credentials, cmd, args)


def _execute(credentials: RedisDatabase, cmd: str, args: Sequence[Any]) -> Any:
    words = cmd.split()
    if not words:
        raise RedisCommandInvalid("cmd is empty. Give a command, such as 'PING'.")

    def run(client: Any) -> Any:
        # A Cluster finds the node by the words. One server gets them in one piece, as redis-py splits them, too: what
        # it answers then stays as it is, rather than `OK` becoming `True` where redis-py knows the command.
        sent = words if hasattr(client, "nodes_manager") else [cmd]
        return client.execute_command(*sent, *args)

    return _store.call(credentials, f"command {words[0]}", run, is_repeatable=False)
