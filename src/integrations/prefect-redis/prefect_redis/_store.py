"""Commands of blocks and tasks: one client for equal settings, failures that pass tried again, errors that say more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_integration_kit.coroutines import settled
from prefect_integration_kit.kept import SharedValues, fingerprint
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.waiting import Backoff, retry

from .connection import no_retry
from .errors import RedisKeyNotFound, RedisUnreachable, RedisValueTooLarge, is_transient, redis_errors, was_not_run
from .settings import RedisSettings, current

if TYPE_CHECKING:
    from .blocks import RedisDatabase

R = TypeVar("R")

_MAX_BYTES = 512 * 1024 * 1024
"""What a key or value may have at most: https://redis.io/docs/latest/develop/reference/protocol-spec/"""

_BIG_BYTES = 1024 * 1024
"""From here on a server that hangs up in the middle of a value has likely refused its size."""

_RECORD_START = b'{"metadata":'
_METADATA_BYTES = 64 * 1024

_clients: SharedValues[Any] = SharedValues(maximum=64)
os.register_at_fork(after_in_child=_clients.clear)


def client_of_block(block: RedisDatabase, *, is_repeatable: bool = True) -> Any:
    """The client that equal blocks share. Its pool belongs to all threads.

    Args:
        block: Where.
        is_repeatable: Whether redis-py may send a command again. If not, it may also wait as long as it likes.
    """

    def make() -> Any:
        seconds = current(RedisSettings).answer_timeout_seconds
        defaults = {"socket_timeout": seconds} if is_repeatable else {"retry": no_retry()}
        return block._client(asynchronous=False, **defaults)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    return _clients.get((fingerprint(block), is_repeatable), make)


def call(
    block: RedisDatabase,
    subject: str,
    command: Callable[[Any], R],
    *,
    is_repeatable: bool = True,
    is_async: bool = True,
) -> R:
    """Run a command, again while the server cannot be reached.

    Args:
        block: Where.
        subject: What it is about, for errors.
        command: Gets the client.
        is_repeatable: Whether it may run twice: it may have had its effect when the connection broke.
        is_async: Whether the caller is async: what stands in for our clients is then one of asyncio, if there is one.
    """
    what = f"{_named(block)}, {subject}"
    secrets = block.secret_values() if hasattr(block, "secret_values") else []

    def once() -> R:
        with redis_errors(what, secrets):
            own = _own_client(block, is_async=is_async)
            if own is None:
                return command(client_of_block(block, is_repeatable=is_repeatable))
            return settled(command(own))

    seconds = current(RedisSettings).retry_seconds
    backoff = Backoff(initial_seconds=0.2, maximum_seconds=2.0, deadline_seconds=seconds)
    if is_repeatable:
        return retry(once, is_transient=is_transient, backoff=backoff)
    try:
        return retry(once, is_transient=was_not_run, backoff=backoff)
    except RedisUnreachable as exc:
        if not was_not_run(exc):
            exc.args = (f"{exc} The command may have run, so it was not sent again.",)
        raise


def _named(block: RedisDatabase) -> str:
    # What stands in for a block, as in tests of flows, may have nothing but a way to make clients.
    return f"Redis at {getattr(block, 'address', type(block).__name__)}"


def _own_client(block: RedisDatabase, *, is_async: bool) -> Any:
    """Get the client of a subclass or a test of a flow that has put its own in the place of ours or of redis-py's."""
    from .blocks import RedisDatabase

    names = ["get_client", "get_async_client"]
    if is_async and not issubclass(type(block), RedisDatabase):
        names.reverse()
    for name in names:
        if is_replaced(block, name, f"{__package__}.blocks"):
            return getattr(block, name)()
    if is_async and _is_patched("redis.asyncio"):
        return block.get_async_client()
    return block.get_client() if _is_patched("redis") else None


def _is_patched(module: str) -> bool:
    """Say whether a test has replaced the class of clients, or methods of it that our tasks call."""
    kind: Any = getattr(sys.modules.get(module), "Redis", None)
    if kind is None:
        return False
    # What instruments redis-py in production replaces `execute_command` alone, and by no mock.
    parts = kind, getattr(kind, "get", None), getattr(kind, "set", None)
    is_mock = _module_of(type(getattr(kind, "execute_command", None))) == "unittest.mock"
    return is_mock or not all(_module_of(part).startswith("redis.") for part in parts)


def _module_of(part: Any) -> str:
    return str(getattr(part, "__module__", ""))


def shown(key: Any) -> str:
    """A key as messages quote it."""
    return repr(f"{key[:200]}…" if isinstance(key, str) and len(key) > 1000 else key)


def size_of(value: Any) -> int:
    """How many bytes redis-py sends for a key or value: it takes numbers, too. What it refuses counts nothing."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes | bytearray | memoryview):
        return memoryview(cast("bytes", value)).nbytes
    return len(repr(value)) if isinstance(value, int | float) else 0


def get(block: RedisDatabase, key: str, *, is_async: bool = True) -> bytes | None:
    """The value of a key; `None` if there is none."""
    return call(block, f"key {shown(key)}", lambda client: client.get(key), is_async=is_async)


def require(block: RedisDatabase, key: str, *, is_async: bool = True) -> bytes:
    """The value of a key.

    Raises:
        RedisKeyNotFound: If there is none.
    """
    value = get(block, key, is_async=is_async)
    if value is None:
        subject = f"{_named(block)}, key {shown(key)}"
        raise RedisKeyNotFound(f"{subject}: it does not exist. {RedisKeyNotFound.remedy}", subject=subject)
    return value


def put(
    block: RedisDatabase,
    key: str,
    value: bytes,
    *,
    ttl_ms: int | None = None,
    nx: bool = False,
    xx: bool = False,
    is_async: bool = True,
) -> bool:
    """Set a key; say whether it was set."""
    check_size(block, key, value)
    size = size_of(key) + size_of(value)
    try:
        done = call(
            block,
            f"key {shown(key)}",
            lambda client: client.set(key, value, px=ttl_ms, nx=nx, xx=xx),
            is_repeatable=size < _BIG_BYTES and not nx,
            is_async=is_async,
        )
    except ConnectionError as exc:
        if size < _BIG_BYTES or _says_why(exc):
            raise
        raise _too_large(block, key, size, "the server hung up in the middle of it") from exc
    return bool(done)


def _says_why(exc: BaseException) -> bool:
    """Whether the connection was never made, which has nothing to do with a value's size."""
    words = ("refused", "timed out", "timeout", "resolve", "not known", "tls", "ssl")
    return any(word in str(exc).lower() for word in words)


def check_size(block: RedisDatabase, key: str, value: bytes) -> None:
    """Refuse what no server takes, before it is sent."""
    for what, size in (("the key", size_of(key)), ("the value", size_of(value))):
        if size > _MAX_BYTES:
            raise _too_large(block, key, size, f"{what} has more than the 512 MiB that Redis takes")


def _too_large(block: RedisDatabase, key: str, size: int, why: str) -> RedisValueTooLarge:
    subject = f"{_named(block)}, key {shown(key)}"
    message = f"{subject}: {size} bytes were not stored: {why}. {RedisValueTooLarge.remedy}"
    return RedisValueTooLarge(message, subject=subject)


def milliseconds_left(content: bytes, key_ttl: int | None) -> int | None:
    """How long content is worth keeping: `key_ttl` seconds, or until the result in it expires if that is sooner.

    Prefect writes a result as JSON that begins with its metadata.

    Args:
        content: What is about to be stored.
        key_ttl: Seconds that keys live.
    """
    limits = [key_ttl * 1000] if key_ttl else []
    if isinstance(content, bytes) and content.startswith(_RECORD_START):
        expiration = _expiration(content[len(_RECORD_START) :][:_METADATA_BYTES])
        if expiration is not None:
            left = (expiration - datetime.now(timezone.utc)).total_seconds()
            limits.append(max(1, int(left * 1000)))
    return min(limits, default=None)


def _expiration(head: bytes) -> datetime | None:
    try:
        metadata, _ = json.JSONDecoder().raw_decode(head.decode("utf-8", "ignore"))
        moment = datetime.fromisoformat(str(metadata["expiration"]).replace("Z", "+00:00"))
    except (ValueError, KeyError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
