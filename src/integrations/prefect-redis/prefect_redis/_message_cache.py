"""Which messages were published already."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, TypeVar

from prefect.logging import get_logger
from prefect.server.utilities.messaging import Cache as _Cache
from prefect.server.utilities.messaging import Message

from .client import cluster_key_prefix, get_async_redis_client

logger: logging.Logger = get_logger("prefect_redis.messaging")

M = TypeVar("M", bound=Message)

MESSAGE_DEDUPLICATION_LOOKBACK: timedelta = timedelta(minutes=5)
"""How long a published message is remembered, so that it is not published again."""


class Cache(_Cache):
    """Remembers which messages were published.

    Args:
        topic: Begins the names of its keys.
    """

    def __init__(self, topic: str = "messaging-cache") -> None:
        self.topic = topic
        self._prefix = cluster_key_prefix(topic)

    def key(self, attribute: str, value: Any, stream: str | None = None) -> str:
        """Name the key that remembers a message.

        Args:
            attribute: What messages are told apart by.
            value: The message's.
            stream: The stream that the key must share a slot with, in a Cluster.
        """
        prefix = self._prefix
        if prefix != self.topic and stream is not None:
            prefix = f"{stream}:{self.topic}"
        return f"{prefix}:{attribute}:{value}"

    async def clear_recently_seen_messages(self) -> None:
        """Forget all messages."""
        client: Any = get_async_redis_client()
        found: list[str] = []
        patterns = {f"{self.topic}:*", f"{{{self.topic}}}:*", f"{{*}}:{self.topic}:*"}
        for pattern in patterns:
            found += [key async for key in client.scan_iter(match=pattern.replace("[", "\\["), count=1000)]
        for key in found:  # one by one: in a Cluster they live in several slots
            await client.unlink(key)

    async def without_duplicates(self, attribute: str, messages: list[M]) -> list[M]:
        """Keep what was not published before, and remember it.

        Args:
            attribute: What messages are told apart by; those without it are kept.
            messages: What is about to be published.
        """
        known, unknown = _by_attribute(attribute, messages)
        client: Any = get_async_redis_client()
        seconds = int(MESSAGE_DEDUPLICATION_LOOKBACK.total_seconds())
        async with client.pipeline(transaction=False) as pipeline:
            for message in known:
                pipeline.set(self.key(attribute, message.attributes[attribute]), "1", nx=True, ex=seconds)
            answers: list[Any] = await pipeline.execute() if known else []
        return [message for message, is_new in zip(known, answers, strict=True) if is_new] + unknown

    async def forget_duplicates(self, attribute: str, messages: list[M]) -> None:
        """Forget messages that could not be published after all.

        Args:
            attribute: What messages are told apart by.
            messages: Those messages.
        """
        known, _ = _by_attribute(attribute, messages)
        client: Any = get_async_redis_client()
        async with client.pipeline(transaction=False) as pipeline:
            for message in known:
                pipeline.delete(self.key(attribute, message.attributes[attribute]))
            if known:
                await pipeline.execute()


def _by_attribute(attribute: str, messages: list[M]) -> tuple[list[M], list[M]]:
    known: list[M] = []
    unknown: list[M] = []
    for message in messages:
        has_it = bool(message.attributes) and attribute in message.attributes
        (known if has_it else unknown).append(message)
    if unknown:
        logger.warning("%d messages have no attribute %r to tell them apart by.", len(unknown), attribute)
    return known, unknown
