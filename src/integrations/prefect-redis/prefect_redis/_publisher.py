"""Publish messages: some at a time, none of them twice, and none forgotten when Redis is away for a moment."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson
from prefect.server.utilities.messaging import Cache as _Cache
from prefect.server.utilities.messaging import Publisher as _Publisher

from prefect_integration_kit.waiting import Backoff, aretry

from . import _streams
from ._message_cache import MESSAGE_DEDUPLICATION_LOOKBACK, Cache, logger
from ._message_settings import RedisMessagingPublisherSettings, RedisStreamsMessage, span
from .client import cluster_key_prefix, get_async_redis_client
from .errors import is_transient, redis_errors
from .settings import current

if TYPE_CHECKING:
    from typing_extensions import Self

_breaks: list[object] = []

_BATCH_MS = 300_000
"""How long Redis remembers a batch whose messages nothing tells apart; the publisher gives up long before."""


@contextmanager
def broken() -> Generator[None, None, None]:
    """Let nothing be published for a while."""
    mark = object()
    _breaks.append(mark)
    try:
        yield
    finally:
        _breaks.remove(mark)


class Publisher(_Publisher):
    """Publishes messages to a topic, some at a time.

    A message is on its way when `publish_data` has returned, and it or the publisher's `async with` block raises if it
    could not be sent. When Redis is away for a moment, sending is tried again.

    Args:
        topic: Name of the topic.
        cache: Remembers what was published.
        deduplicate_by: Attribute that messages are told apart by.
        batch_size: How many are sent together.
        publish_every: After what time a batch that is not full is sent.
    """

    _retries = Backoff(initial_seconds=0.1, maximum_seconds=1.0, deadline_seconds=5.0)

    def __init__(
        self,
        topic: str,
        cache: _Cache,
        deduplicate_by: str | None = None,
        batch_size: int | None = None,
        publish_every: timedelta | None = None,
    ) -> None:
        settings = current(RedisMessagingPublisherSettings)
        self.topic = topic
        self.stream = cluster_key_prefix(topic)
        self.cache = cache
        self.deduplicate_by = deduplicate_by if deduplicate_by is not None else settings.deduplicate_by
        self.batch_size = batch_size if batch_size is not None else settings.batch_size
        self.publish_every = span(publish_every, settings.publish_every)
        self._max_length = settings.max_stream_length
        self._batch: list[RedisStreamsMessage] = []
        self._sending = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await timer
        await self._publish_batch()

    async def publish_data(self, data: bytes, attributes: dict[str, Any]) -> None:
        """Publish a message.

        Args:
            data: Its content.
            attributes: What is said about it.

        Raises:
            RedisUnreachable: If Redis was away for too long. This message was not published then; those before it are
                still waiting to be.
        """
        message = RedisStreamsMessage(data, attributes)
        self._batch.append(message)
        if len(self._batch) >= self.batch_size:
            try:
                await self._publish_batch()
            except BaseException:
                if message in self._batch:
                    self._batch.remove(message)
                raise
        elif self._timer is None:
            self._timer = asyncio.create_task(self._publish_periodically(), name=f"publish {self.topic}")

    async def _publish_periodically(self) -> None:
        while True:
            await asyncio.sleep(self.publish_every.total_seconds())
            try:
                await self._publish_batch()
            except Exception as exc:  # noqa: BLE001 - the batch is kept for the next time
                logger.warning("Messages of %r were not published, trying again: %s", self.topic, exc)

    async def _publish_batch(self) -> None:
        async with self._sending:
            batch, self._batch = self._batch, []
            if not batch:
                return
            try:
                await self._send(batch)
            except BaseException:
                self._batch = batch + self._batch
                raise

    async def _send(self, batch: list[RedisStreamsMessage]) -> None:
        if _breaks:
            raise ValueError("oops")
        attribute = self.deduplicate_by
        if attribute and not isinstance(self.cache, Cache):  # not ours: ask it first
            batch = await self.cache.without_duplicates(attribute, batch)
            try:
                return await self._add(batch, None, None)
            except BaseException:
                await self.cache.forget_duplicates(attribute, batch)
                raise
        return await self._add(batch, attribute, self.cache if isinstance(self.cache, Cache) else None)

    async def _add(self, batch: list[RedisStreamsMessage], attribute: str | None, cache: Cache | None) -> None:
        if not batch:
            return
        milliseconds = int(MESSAGE_DEDUPLICATION_LOOKBACK.total_seconds() * 1000)
        keys: list[Any] = [self.stream]
        arguments: list[Any] = [self._max_length, milliseconds, 0, _BATCH_MS]
        unknown = unmarked = 0
        for message in batch:
            index = 0
            if attribute and cache is not None:
                if message.attributes and attribute in message.attributes:
                    index = len(keys)
                    keys.append(cache.key(attribute, message.attributes[attribute], self.stream))
                else:
                    unknown += 1
            unmarked += not index
            arguments += [index, message.data, orjson.dumps(message.attributes, default=str)]
        if unknown:
            logger.warning("%d messages have no attribute %r to tell them apart by.", unknown, attribute)

        if unmarked:  # nothing tells these messages apart, so the batch is: an answer may get lost
            keys.append(f"{self.stream}:batch:{uuid.uuid4().hex}")
            arguments[2] = len(keys) - 1

        async def once() -> None:
            with redis_errors(f"Redis, topic {self.topic!r}"):
                await _streams.PUBLISH.run(get_async_redis_client(), keys, arguments)

        await aretry(once, is_transient=is_transient, backoff=self._retries)
