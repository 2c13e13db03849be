"""Messages between the processes of a Prefect server, through streams of Redis.

A server uses it with `PREFECT_MESSAGING_BROKER=prefect_redis.messaging` and
`PREFECT_MESSAGING_CACHE=prefect_redis.messaging`.

Each topic is a stream. A group of consumers shares its messages: every message is handled at least once, by one of
them, and by another if that one dies. Consumers without a group see all messages that arrive while they listen, and
leave nothing behind at the server. A message that fails again and again goes to the dead letters of its topic, see
`prefect_redis.dead_letters`.
"""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from prefect.logging import get_logger

from prefect_integration_kit.waiting import Backoff, aretry

from ._consumer import EPHEMERAL, Consumer
from ._message_cache import MESSAGE_DEDUPLICATION_LOOKBACK, Cache, M
from ._message_settings import (
    RedisMessagingConsumerSettings,
    RedisMessagingPublisherSettings,
    RedisStreamsMessage,
    Subscription,
    TimeDelta,
)
from ._publisher import Publisher, broken
from ._reading import last_id
from .client import clear_cached_clients, cluster_key_prefix, get_async_redis_client
from .errors import is_transient, redis_errors

__all__ = [
    "MESSAGE_DEDUPLICATION_LOOKBACK",
    "Cache",
    "Consumer",
    "M",
    "Publisher",
    "RedisMessagingConsumerSettings",
    "RedisMessagingPublisherSettings",
    "RedisStreamsMessage",
    "Subscription",
    "TimeDelta",
    "break_topic",
    "clear_cached_clients",
    "cluster_key_prefix",
    "ephemeral_subscription",
    "get_async_redis_client",
    "logger",
]

logger: logging.Logger = get_logger(__name__)


@asynccontextmanager
async def ephemeral_subscription(
    topic: str, source: str | None = None, group: str | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Listen to all messages of a topic from now on.

    Nothing is kept at the server, so nothing is left there however the listener ends.

    Args:
        topic: Name of the topic.
        source: The stream to read, where it has another name.
        group: A name for the listener.

    Yields:
        Arguments for `Consumer`.
    """
    stream_of = source or topic
    name = group or f"{EPHEMERAL}{socket.gethostname()}-{uuid.uuid4().hex}"

    async def look() -> str:
        return await last_id(get_async_redis_client(), cluster_key_prefix(stream_of))

    try:
        backoff = Backoff(initial_seconds=0.1, maximum_seconds=1.0, deadline_seconds=5.0)
        position = await aretry(look, is_transient=is_transient, backoff=backoff)
    except Exception as exc:
        if not is_transient(exc):
            with redis_errors(f"Redis, topic {topic!r}"):
                raise
        position = "$"  # the consumer finds out when Redis is there
    yield {
        "topic": stream_of,
        "name": name,
        "group": name,
        "starting_message_id": position,
        "use_consumer_group": False,
    }


@asynccontextmanager
async def break_topic() -> AsyncGenerator[None, None]:
    """Make publishing fail with `ValueError("oops")`, for tests of what depends on it."""
    with broken():
        yield
