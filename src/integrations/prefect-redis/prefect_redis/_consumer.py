"""Consume messages: each at least once, whoever dies, and for as long as it takes Redis to come back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect.server.utilities.messaging import Consumer as _Consumer
from prefect.server.utilities.messaging import MessageHandler, StopConsumer
from redis.exceptions import ResponseError

from prefect_integration_kit.health import Health, HealthMonitor
from prefect_integration_kit.waiting import Backoff

from . import _reading, _streams
from ._batches import BatchSize
from ._message_cache import logger
from ._message_settings import RedisMessagingConsumerSettings, Subscription, span
from ._reading import Entry
from ._scripts import text
from .client import cluster_key_prefix, get_async_redis_client
from .errors import is_transient, redis_errors
from .settings import current

if TYPE_CHECKING:
    from redis.asyncio import Redis

EPHEMERAL = "ephemeral-"
"""How the names of groups begin that nobody comes back to."""

_MAX_DEAD_LETTERS = 10_000
_BROADCAST_BATCH = 200
_LAST_WORDS_SECONDS = 2.0


class Consumer(_Consumer):
    """Consumes the messages of a topic, until its handler raises `StopConsumer`.

    Redis may go away and come back: the consumer connects again, for ever, and `health` says how it is.

    Args:
        topic: Name of the topic.
        name: Name of this consumer, unique in its group.
        group: Consumers that share the messages; the topic by default.
        block: How long one read waits.
        min_idle_time: After what time a message is handled again that failed, or whose consumer is gone.
        should_process_pending_messages: Whether to take over messages of consumers that are gone.
        starting_message_id: Where a new group begins.
        automatically_acknowledge: Whether a message counts as handled when the handler returns.
        max_retries: How often a message is handled again before it goes to the dead letters.
        trim_every: Time between two removals of handled messages.
        read_batch_size: How many messages to fetch at a time; 1 lets the number follow the pace of the handler.
        use_consumer_group: Whether to share messages with others; else it sees all that arrive, and the server keeps
            nothing of it.
    """

    def __init__(
        self,
        topic: str,
        name: str | None = None,
        group: str | None = None,
        block: timedelta | None = None,
        min_idle_time: timedelta | None = None,
        should_process_pending_messages: bool | None = None,
        starting_message_id: str | None = None,
        automatically_acknowledge: bool | None = None,
        max_retries: int | None = None,
        trim_every: timedelta | None = None,
        read_batch_size: int | None = 1,
        use_consumer_group: bool = True,
    ) -> None:
        settings = current(RedisMessagingConsumerSettings)

        def chosen(given: Any, default: Any) -> Any:
            return default if given is None else given

        self.topic = topic
        self.name = name or topic
        self.stream = cluster_key_prefix(topic)
        self.group = group or topic
        self.block = span(block, settings.block)
        self.min_idle_time = span(min_idle_time, settings.min_idle_time)
        self.should_process_pending_messages: bool = chosen(
            should_process_pending_messages, settings.should_process_pending_messages
        )
        self.starting_message_id: str = chosen(starting_message_id, settings.starting_message_id)
        self.automatically_acknowledge: bool = chosen(automatically_acknowledge, settings.automatically_acknowledge)
        self.trim_every = span(trim_every, settings.trim_every)
        self.subscription = Subscription(chosen(max_retries, settings.max_retries), f"{self.stream}:dlq")
        self.use_consumer_group = use_consumer_group
        self._idle_threshold = span(None, settings.trim_idle_threshold)
        self._batch_size = BatchSize(read_batch_size)
        self._handled: list[str] = []  # not acknowledged yet
        self._position: str | None = None
        self._had_group = False
        self._monitor = HealthMonitor(f"Consumer {self.name!r} of {topic!r}", logger, Health(), patience=3, memory=5)
        self._next_maintenance = 0.0
        self._next_claims = 0.0

    @property
    def health(self) -> Health:
        """Whether Redis answers this consumer."""
        return self._monitor.health

    async def run(self, handler: MessageHandler) -> None:
        """Consume messages until the handler raises `StopConsumer`.

        A handler that raises anything else gets the message again after `min_idle_time`.

        Args:
            handler: Called with one message after another.

        Raises:
            RedisAccessDenied: If Redis refuses the very first request for good.
        """
        backoff = Backoff(initial_seconds=0.2, maximum_seconds=10.0)
        failures = 0
        self._monitor.starting()
        self._next_maintenance = time.monotonic() + self.trim_every.total_seconds()
        try:
            while True:
                try:
                    with redis_errors(f"Redis, consumer {self.name!r} of {self.topic!r}"):
                        await (self._consume(handler) if self.use_consumer_group else self._listen(handler))
                except StopConsumer:  # noqa: PERF203 - a loop of waits
                    return
                except Exception as exc:
                    has_worked = self.health.last_success is not None
                    if not has_worked and not is_transient(exc) and not _lacks_group(exc):
                        raise
                    failures = 1 if self.health.consecutive_failures == 0 else failures + 1
                    self._monitor.failed(str(exc))
                    await asyncio.sleep(backoff.delay(failures))
        finally:
            self._monitor.stopped()

    async def cleanup(self) -> None:
        """Take this consumer off its group, unless messages of it are still to be handled by others."""
        if not self.use_consumer_group:
            return
        try:
            leave = _streams.LEAVE.run(get_async_redis_client(), [self.stream], [self.group, self.name])
            await asyncio.wait_for(leave, _LAST_WORDS_SECONDS)
        except Exception as exc:  # noqa: BLE001 - the next maintenance of any consumer removes it
            logger.debug("Consumer %r was not removed: %s", self.name, exc)

    # With a group

    async def _consume(self, handler: MessageHandler) -> None:
        client: Any = get_async_redis_client(decode_responses=False)
        await self._make_group(client)
        entries: list[Entry] = []
        while True:
            now = time.monotonic()
            if now >= self._next_maintenance:
                await self._maintain(client)
            if self.should_process_pending_messages and now >= self._next_claims:
                await self._acknowledge(client)  # or what we have handled would come again
                await self.process_pending_messages(handler, client, self._batch_size.size)
                self._next_claims = time.monotonic() + self.min_idle_time.total_seconds() / 2
            entries = await self._read(client)
            self._monitor.succeeded()
            await self._handle(client, handler, entries)

    async def _acknowledge(self, client: Any) -> None:
        if handled := list(self._handled):
            await _reading.in_time(client.xack(self.stream, self.group, *handled))
            del self._handled[: len(handled)]

    async def _make_group(self, client: Any) -> None:
        # A group that was there and is gone was deleted with all the rest: what came since then is for us.
        start = "0" if self._had_group else self.starting_message_id
        try:
            made = client.xgroup_create(self.stream, self.group, id=start, mkstream=True)
            await _reading.in_time(made)
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise
        self._had_group = True

    async def _read(self, client: Any) -> list[Entry]:
        """Acknowledge what was handled and fetch what is there in one request; wait only if there is nothing."""
        arguments = {"groupname": self.group, "consumername": self.name, "streams": {self.stream: ">"}}
        count = self._batch_size.size
        if self._handled:
            handled = list(self._handled)
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.xack(self.stream, self.group, *handled)
                pipeline.xreadgroup(**arguments, count=count)
                _, answer = await _reading.in_time(pipeline.execute())
            del self._handled[: len(handled)]
            if found := _reading.entries(answer):
                return found
        block = _reading.block_milliseconds(self.block)
        return _reading.entries(
            await _reading.in_time(client.xreadgroup(**arguments, count=count, block=block), self.block)
        )

    async def process_pending_messages(
        self, handler: MessageHandler, redis_client: Redis, message_batch_size: int, start_id: str = "0-0"
    ) -> None:
        """Handle messages again that have failed, and those of consumers that are gone.

        Args:
            handler: Called with one message after another.
            redis_client: The client to use.
            message_batch_size: How many to take over at a time.
            start_id: The first message to look at.
        """
        client: Any = redis_client
        idle = int(self.min_idle_time.total_seconds() * 1000)
        cursor = start_id
        while True:
            claimed = client.xautoclaim(
                self.stream, self.group, self.name, min_idle_time=idle, start_id=cursor, count=message_batch_size
            )
            answer = await _reading.in_time(claimed)
            cursor = text(answer[0])
            entries = [(text(entry_id), fields) for entry_id, fields in answer[1] if fields]
            entries = [entry for entry in entries if not await self._gave_up(client, entry)]
            await self._handle(client, handler, entries)
            if cursor == "0-0":
                return

    async def _gave_up(self, client: Any, entry: Entry) -> bool:
        """Give a message up that was delivered too often already: whoever had it did not live to say why it failed."""
        reason = "It was delivered again and again, and no consumer lived to handle it."
        return await self._bury(client, entry, reason, retries=self.subscription.max_retries + 1)

    async def _bury(self, client: Any, entry: Entry, reason: str, *, retries: int) -> bool:
        entry_id, fields = entry
        data, attributes = _reading.field(fields, "data"), _reading.field(fields, "attributes")
        keys = [self.stream, self.subscription.dlq_key]
        arguments = [self.group, self.name, entry_id, retries, _MAX_DEAD_LETTERS, reason, data, attributes]
        moved = bool(await _streams.FAILED.run(client, keys, arguments))
        if moved:
            logger.warning("Message %s of %r goes to the dead letters: %s", entry_id, self.topic, reason)
        return moved

    async def _handle(self, client: Any, handler: MessageHandler, entries: list[Entry]) -> None:
        if not entries:
            return
        begin = time.monotonic()
        waiting = [entry_id for entry_id, _ in entries]
        keeper = asyncio.create_task(self._keep(client, waiting))
        try:
            for entry in entries:
                await self._handle_one(client, handler, entry)
                waiting.pop(0)
        except BaseException:
            await self._last_words(client, waiting[1:])
            raise
        finally:
            keeper.cancel()
        self._batch_size.took(len(entries), time.monotonic() - begin)

    async def _handle_one(self, client: Any, handler: MessageHandler, entry: Entry) -> None:
        entry_id, fields = entry

        async def acknowledge() -> None:
            await client.xack(self.stream, self.group, entry_id)

        try:
            message = _reading.message(fields, acknowledge)
            await handler(message)
        except StopConsumer as stop:
            if stop.ack:
                self._handled.append(entry_id)
            raise
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises is about its message
            logger.exception("Message %s of %r was not handled.", entry_id, self.topic)
            reason = f"{type(exc).__name__}: {exc}"
            await self._bury(client, entry, reason, retries=self.subscription.max_retries)
        else:
            if self.automatically_acknowledge:
                self._handled.append(entry_id)

    async def _keep(self, client: Any, waiting: list[str]) -> None:
        """Say again and again that messages are being worked on, while they are."""
        pause = self.min_idle_time.total_seconds() / 3
        while pause > 0:
            await asyncio.sleep(pause)
            with contextlib.suppress(Exception):
                await _streams.KEEP.run(client, [self.stream], [self.group, self.name, *waiting])

    async def _last_words(self, client: Any, unseen: list[str]) -> None:
        """Before the consumer ends: acknowledge what it handled, and hand back what it has not looked at."""

        async def say() -> None:
            if self._handled:
                await client.xack(self.stream, self.group, *self._handled)
                self._handled.clear()
            if unseen:
                idle = int(self.min_idle_time.total_seconds() * 1000)
                await _streams.HAND_BACK.run(client, [self.stream], [self.group, self.name, idle, *unseen])

        task = asyncio.ensure_future(say())
        done, _ = await asyncio.wait([task], timeout=_LAST_WORDS_SECONDS)
        if not done:
            task.cancel()
        elif task.exception() is not None:
            logger.debug("Consumer %r could not say what it has handled: %s", self.name, task.exception())

    async def _maintain(self, client: Any) -> None:
        self._next_maintenance = time.monotonic() + self.trim_every.total_seconds()
        idle = int(self._idle_threshold.total_seconds() * 1000)
        removed = await _streams.MAINTAIN.run(
            client, [self.stream, f"{self.stream}:alive"], [idle, EPHEMERAL, self.group]
        )
        if removed:
            logger.debug("Removed %d handled messages from %r.", removed, self.topic)

    # Without a group

    async def _listen(self, handler: MessageHandler) -> None:
        client: Any = get_async_redis_client(decode_responses=False)
        if self._position is None:
            self._position = self.starting_message_id
        if self._position == "$":
            self._position = await _reading.last_id(client, self.stream)
        while True:
            block = _reading.block_milliseconds(self.block)
            read = client.xread({self.stream: self._position}, count=_BROADCAST_BATCH, block=block)
            entries = _reading.entries(await _reading.in_time(read, self.block))
            self._monitor.succeeded()
            for entry_id, fields in entries:
                self._position = entry_id
                try:
                    await handler(_reading.message(fields))
                except StopConsumer:
                    raise
                except Exception:  # noqa: BLE001 - whatever a handler raises is about its message
                    logger.exception("Message %s of %r was not handled.", entry_id, self.topic)


def _lacks_group(exc: BaseException) -> bool:
    return "NOGROUP" in str(exc)
