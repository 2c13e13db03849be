"""From the queue to the handlers: each event once, and none lost."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import Any, TypeVar, cast
from uuid import uuid4

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock

from ..errors import AwsError
from ..settings import EcsObserverSettings
from ._bounded import RecentlyUsed
from ._events import read_event, tags_of_event, type_of
from ._filters import (
    AsyncEcsEventHandler,
    EcsEventHandler,
    EcsTaskLastStatus,
    EventHandlerFilters,
    EventType,
    FilterCase,
    HandlerWithFilters,
    LastStatusFilter,
    TagsFilter,
)
from ._health import EcsObserverHealth, HealthMonitor, combined
from ._prefect import TaskNotReady, shared_client
from ._sqs import (
    SQS_CONSECUTIVE_FAILURES,
    SQS_MEMORY,
    SQS_VISIBILITY_EXTENSION_INTERVAL_SECONDS,
    SQS_VISIBILITY_EXTENSION_RETRY_INTERVAL_SECONDS,
    SqsMessage,
    SqsSubscriber,
)
from ._tasks import EcsTaskTagsReader

logger = get_logger("prefect_aws.observers.ecs")

MAX_EVENTS_UNDER_WAY = 100
"""How many events are worked on at a time; further ones stay in the queue."""

HOLD_SECONDS = 900.0
"""For how long one receipt of a message is tried again: each new receipt counts towards the queue's `maxReceiveCount`
(3 in queues set up by older guides), after which SQS puts the message aside."""

_SHUTDOWN_SECONDS = 5.0
_REMEMBERED_MESSAGES = 1_000

H = TypeVar("H", bound="EcsEventHandler | AsyncEcsEventHandler")


def _monitor(subject: str) -> HealthMonitor:
    return HealthMonitor(subject, logger, patience=SQS_CONSECUTIVE_FAILURES, memory=SQS_MEMORY)


class EcsObserver:
    """Reads ECS events from a queue and calls the handlers that want them.

    A message is deleted from the queue when all of its handlers have succeeded or none wants it, and not before. While
    ECS does not say whose task it is about, or a handler fails because a service cannot be reached, it is tried again
    for a quarter of an hour, hidden from other observers; after that, or when a handler fails otherwise, it goes back
    to the queue. Handlers that have succeeded are not called again for the same message. Events of one task are
    handled one after the other, those of different tasks at the same time.

    A message that holds no event can never succeed. It is deleted, with a warning that does not repeat it.

    Attributes:
        settings: Whether and how to observe.
        sqs_subscriber: Where messages come from; made from `settings` for each run when none is given.
        ecs_tags_reader: Tells the tags of tasks.
        event_handlers: The handlers of each type of event, in the order in which they are called.

    Example:
        ```python
        from prefect_aws.observers.ecs import FilterCase, ecs_observer


        @ecs_observer.on_event("task", tags={"team": FilterCase.PRESENT}, statuses=["STOPPED"])
        def report(event: dict, tags: dict[str, str]) -> None:
            print(tags["team"], event["detail"]["stoppedReason"])
        ```
    """

    def __init__(
        self,
        settings: EcsObserverSettings | None = None,
        sqs_subscriber: SqsSubscriber | None = None,
        ecs_tags_reader: EcsTaskTagsReader | None = None,
    ) -> None:
        """Say what to observe with; `run` observes.

        Args:
            settings: Settings; read from the environment for each run when not given.
            sqs_subscriber: Where messages come from.
            ecs_tags_reader: Tells the tags of tasks.
        """
        self._given_settings = settings
        self._given_subscriber = sqs_subscriber
        self._own_settings: EcsObserverSettings | None = None
        self._own_subscriber: SqsSubscriber | None = None
        self._subscriber: SqsSubscriber | None = None
        self.ecs_tags_reader = ecs_tags_reader or EcsTaskTagsReader()
        self.event_handlers: dict[EventType, list[HandlerWithFilters]] = defaultdict(list)
        self.clock: Clock = SYSTEM_CLOCK
        self.backoff = Backoff(initial_seconds=1.0, maximum_seconds=60.0, deadline_seconds=HOLD_SECONDS)
        self.handler_monitor = _monitor("Handlers of ECS events")
        self._idle = _monitor("ECS events")
        self._succeeded: RecentlyUsed[str, set[int]] = RecentlyUsed(_REMEMBERED_MESSAGES)

    @property
    def settings(self) -> EcsObserverSettings:
        """The settings that were given, or those of the environment."""
        return self._own_settings or self._given_settings or EcsObserverSettings()

    @settings.setter
    def settings(self, value: EcsObserverSettings) -> None:
        self._own_settings = value

    @settings.deleter
    def settings(self) -> None:  # what `unittest.mock.patch.object` does when it is over
        self._own_settings = None

    @property
    def sqs_subscriber(self) -> SqsSubscriber:
        """The subscriber that was given, or one for the queue of the settings."""
        if (given := self._own_subscriber or self._given_subscriber) is not None:
            return given
        if self._subscriber is None:
            sqs = self.settings.sqs
            self._subscriber = SqsSubscriber(sqs.queue_name, sqs.queue_region)
        return self._subscriber

    @sqs_subscriber.setter
    def sqs_subscriber(self, value: SqsSubscriber) -> None:
        self._own_subscriber = value

    @sqs_subscriber.deleter
    def sqs_subscriber(self) -> None:
        self._own_subscriber = None

    @property
    def health(self) -> EcsObserverHealth:
        """How the observer is now. Any thread may ask."""
        return combined(self._queue_monitor.health, self._tags_monitor.health, self.handler_monitor.health)

    @property
    def _queue_monitor(self) -> HealthMonitor:
        subscriber = self._own_subscriber or self._given_subscriber or self._subscriber
        return _monitor_of(subscriber) or self._idle

    @property
    def _tags_monitor(self) -> HealthMonitor:
        return _monitor_of(self.ecs_tags_reader) or self._idle

    def on_event(
        self,
        event_type: EventType,
        /,
        tags: dict[str, str | FilterCase] | None = None,
        statuses: list[EcsTaskLastStatus] | None = None,
    ) -> Callable[[H], H]:
        """Register a handler.

        Args:
            event_type: What the events are about.
            tags: Tags that the task must have: a value, or a `FilterCase`.
            statuses: Values of `lastStatus` to be told of; all when not given.

        Returns:
            A decorator, which gives back the function that it is applied to. A plain function is called in a thread.
        """
        filters = EventHandlerFilters(tags=TagsFilter(**tags or {}), last_status=LastStatusFilter(*statuses or []))

        def register(handler: H) -> H:
            self.event_handlers[event_type].append(HandlerWithFilters(handler, filters))
            return handler

        return register

    async def run(self) -> None:
        """Observe until cancelled.

        Cancelling stops receiving, gives what is under way some seconds to end, and returns the rest to the queue.
        """
        self._subscriber = None  # the settings may have changed since
        subscriber, monitor = self.sqs_subscriber, self._queue_monitor
        for each in (monitor, self._tags_monitor, self.handler_monitor):
            each.starting()
        try:
            async with self.ecs_tags_reader, shared_client():
                under_way = _UnderWay(self, subscriber)
                async with _closing(subscriber.stream_messages()) as messages:
                    await under_way.take(messages)
        finally:
            monitor.stopped()

    async def _handle(self, message_id: str, event: dict[str, Any]) -> None:
        """Call the handlers that want an event and have not had it.

        Raises:
            AwsError: If it cannot be known whose task it is.
            Exception: What a handler raised; the others have been called nevertheless.
        """
        kind, detail = type_of(event), cast("dict[str, Any]", event["detail"])
        if kind is None:
            return
        tags: dict[str, str] = {}
        if kind == "task":
            tags = await self.ecs_tags_reader.read_tags(detail["clusterArn"], detail["taskArn"])
            # ECS does not know a task any more an hour after its end, and not yet right after its start.
            tags = tags or tags_of_event(detail)
        succeeded = self._succeeded.get(message_id) or set[int]()
        self._succeeded.put(message_id, succeeded)
        failure: Exception | None = None
        for handler, filters in self.event_handlers[kind]:
            is_wanted = filters["tags"].is_match(tags) and filters["last_status"].is_match(detail.get("lastStatus", ""))
            if not is_wanted or id(handler) in succeeded:
                continue
            try:
                await _call(handler, event, tags)
            except Exception as exc:  # noqa: BLE001 - handlers are anybody's
                failure = failure or exc
            else:
                succeeded.add(id(handler))
        if failure is None:
            self.handler_monitor.succeeded()
            return
        if not isinstance(failure, TaskNotReady):
            self.handler_monitor.failed(f"{type(failure).__name__}: {failure}")
        raise failure


@contextlib.asynccontextmanager
async def _closing(messages: AsyncIterable[SqsMessage]) -> AsyncGenerator[AsyncIterator[SqsMessage], None]:
    """Close a generator when it has served; any other iterable is only read."""
    try:
        yield aiter(messages)
    finally:
        if isinstance(messages, AsyncGenerator):
            await messages.aclose()


# What stands in for a subscriber or a reader, in a test of a user, has only what is published of them.


def _monitor_of(part: object) -> HealthMonitor | None:
    monitor = getattr(part, "monitor", None)
    return monitor if isinstance(monitor, HealthMonitor) else None


async def _give_back(subscriber: SqsSubscriber, item: SqsMessage) -> None:
    if _monitor_of(subscriber) is not None:
        await subscriber.hide(item.message, 0)


async def _call(handler: EcsEventHandler | AsyncEcsEventHandler, event: dict[str, Any], tags: dict[str, str]) -> None:
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        await cast("AsyncEcsEventHandler", handler)(event, tags)
    else:
        await anyio.to_thread.run_sync(handler, event, tags)


class _Turn(asyncio.Lock):
    """A lock that knows how many have or want it."""

    users = 0


class _UnderWay:
    """The events of one run that are being handled."""

    def __init__(self, observer: EcsObserver, subscriber: SqsSubscriber) -> None:
        self._observer = observer
        self._subscriber = subscriber
        self._slots = asyncio.Semaphore(MAX_EVENTS_UNDER_WAY)
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[str, _Turn] = {}

    async def take(self, messages: AsyncIterator[SqsMessage]) -> None:
        try:
            while True:
                await self._slots.acquire()
                try:
                    message = await anext(messages)
                except StopAsyncIteration:
                    break
                task = asyncio.create_task(self._process(message))
                self._tasks.add(task)
                task.add_done_callback(self._done)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            if self._tasks:
                with anyio.CancelScope(shield=True):
                    await self._wind_down(set(self._tasks))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("An ECS event could not be handled; its message stays in the queue.", exc_info=error)

    async def _wind_down(self, tasks: set[asyncio.Task[None]]) -> None:
        """Let events end that are about to, and give the others back."""
        grace = asyncio.create_task(self._observer.clock.asleep(_SHUTDOWN_SECONDS))
        while not grace.done() and not all(task.done() for task in tasks):
            await asyncio.wait({grace, *(task for task in tasks if not task.done())}, return_when="FIRST_COMPLETED")
        for task in (grace, *tasks):
            task.cancel()
        await asyncio.wait({grace, *tasks}, timeout=_SHUTDOWN_SECONDS)

    async def _process(self, item: SqsMessage) -> None:
        message_id = str(item.message.get("MessageId") or uuid4())
        event = read_event(str(item.message.get("Body", "")))
        if event is None:
            logger.warning("Message %s holds no ECS event and was deleted from the queue.", message_id)
            await item.ack()
            return
        hiding = asyncio.create_task(self._keep_hidden(item))
        is_handled = False
        try:
            async with self._turn(str(event["detail"].get("taskArn") or message_id)):
                is_handled = await self._persist(message_id, event)
            if is_handled:
                await item.ack()
        except asyncio.CancelledError:
            with anyio.move_on_after(_SHUTDOWN_SECONDS, shield=True):
                await _give_back(self._subscriber, item)
            raise
        finally:
            hiding.cancel()

    @contextlib.asynccontextmanager
    async def _turn(self, key: str) -> AsyncGenerator[None, None]:
        """Wait for the events of the same task that came before."""
        turn = self._turns.setdefault(key, _Turn())
        turn.users += 1
        try:
            async with turn:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[key]

    async def _persist(self, message_id: str, event: dict[str, Any]) -> bool:
        """Handle an event, again and again while what fails is out there; say whether it was handled."""
        clock, backoff = self._observer.clock, self._observer.backoff
        start, failures = clock.monotonic(), 0
        while True:
            try:
                await self._observer._handle(message_id, event)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            except Exception as exc:
                failures += 1
                delay = backoff.next_delay(failures, clock.monotonic() - start) if _may_pass(exc) else None
                if delay is None:
                    logger.exception(
                        "ECS event %s could not be handled; message %s stays in the queue.", event.get("id"), message_id
                    )
                    return False
                logger.debug("ECS event %s is tried again in %.0f seconds: %s", event.get("id"), delay, exc)
            else:
                return True
            await clock.asleep(delay)

    async def _keep_hidden(self, item: SqsMessage) -> None:
        clock = self._observer.clock
        while True:
            await clock.asleep(SQS_VISIBILITY_EXTENSION_INTERVAL_SECONDS)
            while not await item.extend_visibility():
                await clock.asleep(SQS_VISIBILITY_EXTENSION_RETRY_INTERVAL_SECONDS)


def _may_pass(error: Exception) -> bool:
    """Say whether an error lies in a service rather than in a handler."""
    import httpx

    return isinstance(error, AwsError | httpx.HTTPError | OSError | TaskNotReady)
