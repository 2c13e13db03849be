"""The order of events that follow one another, kept in Redis for all processes of a Prefect server.

A server uses it with `PREFECT_SERVER_EVENTS_CAUSAL_ORDERING=prefect_redis.ordering`.

An event that arrives before the one it follows is parked, and handled by whoever has handled the other. Each event
takes two requests, one before and one after its handler, and each of these is a single step at the server: no event can
be parked between the moment at which its leader is done and the one at which the leader's followers are fetched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from prefect.logging import get_logger
from prefect.server.events.ordering import (
    MAX_DEPTH_OF_PRECEDING_EVENT,
    PRECEDING_EVENT_LOOKBACK,
    SEEN_EXPIRATION,
    EventArrivedEarly,
    MaxDepthExceeded,
    event_handler,
)
from prefect.server.events.ordering import CausalOrdering as _CausalOrdering
from prefect.server.events.ordering.memory import EventBeingProcessed
from prefect.server.events.schemas.events import Event, ReceivedEvent
from prefect.types._datetime import now

from prefect_integration_kit.waiting import Backoff, aretry

from ._reading import in_time
from ._scripts import Script
from .client import cluster_key_prefix, get_async_redis_client
from .errors import is_transient, redis_errors

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = [
    "COMPLETE_PROCESSING_SCRIPT",
    "IN_FLIGHT_EVENT_TIMEOUT",
    "CausalOrdering",
    "EventBeingProcessed",
    "EventProcessingCompletion",
    "cluster_key_prefix",
    "get_async_redis_client",
    "logger",
]

logger: logging.Logger = get_logger(__name__)

IN_FLIGHT_EVENT_TIMEOUT: timedelta = timedelta(seconds=8)
"""How long `wait_for_leader` waits for a leader that is being processed."""

_RETRIES = Backoff(initial_seconds=0.1, maximum_seconds=1.0, deadline_seconds=10.0)

_PROCESSING = timedelta(seconds=60)
"""After this a process that said it handles an event, and died, is in nobody's way."""

_PARKED = PRECEDING_EVENT_LOOKBACK * 4
"""How long parked events stay at most: all servers may be down when they are due."""

_PARK = """
local function park(keys, id, leader, event, received, milliseconds)
    redis.call('SET', keys .. 'event:' .. id, event, 'PX', milliseconds)
    redis.call('SADD', keys .. 'followers:' .. leader, id)
    redis.call('PEXPIRE', keys .. 'followers:' .. leader, milliseconds)
    redis.call('ZADD', keys .. 'waitlist', received, id)
    redis.call('PEXPIRE', keys .. 'waitlist', milliseconds)
end
local function unpark(keys, id, leader)
    redis.call('ZREM', keys .. 'waitlist', id)
    redis.call('SREM', keys .. 'followers:' .. leader, id)
    redis.call('DEL', keys .. 'event:' .. id)
end
"""

_BEGIN = Script(
    _PARK
    + """
-- KEYS: processing. ARGV: prefix, id, leader ('' for none), event, received, milliseconds of parking, of processing,
-- what this call is known by: when its answer was lost it comes again, and is not in its own way.
if not redis.call('SET', KEYS[1], ARGV[8], 'NX', 'PX', ARGV[7]) and redis.call('GET', KEYS[1]) ~= ARGV[8] then
    return 'busy'
end
if ARGV[3] == '' or redis.call('EXISTS', ARGV[1] .. 'seen:' .. ARGV[3]) == 1 then return 'go' end
park(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
redis.call('DEL', KEYS[1])
return 'early'
"""
)

COMPLETE_PROCESSING_SCRIPT: str = (
    _PARK
    + """
-- KEYS: processing. ARGV: prefix, id, leader ('' for none), milliseconds for which it counts as seen.
redis.call('SET', ARGV[1] .. 'seen:' .. ARGV[2], '1', 'PX', ARGV[4])
redis.call('DEL', KEYS[1])
if ARGV[3] ~= '' then unpark(ARGV[1], ARGV[2], ARGV[3]) end
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', ARGV[1] .. 'followers:' .. ARGV[2])) do
    local event = redis.call('GET', ARGV[1] .. 'event:' .. id)
    if event then found[#found + 1] = event end
end
return found
"""
)
"""Marks an event as seen, fetches its followers, and lets go of it, in one step."""

_COMPLETE = Script(COMPLETE_PROCESSING_SCRIPT)
_PARK_ONE = Script(_PARK + "park(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])\nreturn 1")
_UNPARK_ONE = Script(_PARK + "unpark(ARGV[1], ARGV[2], ARGV[3])\nreturn 1")
_PROCESS_ONE = Script("""
-- KEYS: processing. ARGV: milliseconds of processing, what this call is known by.
if redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[1]) or redis.call('GET', KEYS[1]) == ARGV[2] then return 1 end
return 0
""")
_LOST = Script("""
-- KEYS: waitlist. ARGV: prefix, until when, how many, from when another caller may have them, what this call is known
-- by. Each lost event is given to one caller, who has a while to handle it; then the next one gets it.
local found = {}
local function take(id)
    local event = redis.call('GET', ARGV[1] .. 'event:' .. id)
    if event then found[#found + 1] = event end
    return event
end
local mine = ARGV[1] .. 'taken:' .. ARGV[5]
for _, id in ipairs(redis.call('LRANGE', mine, 0, -1)) do take(id) end
if #found > 0 then return found end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])) do
    if take(id) then
        redis.call('ZADD', KEYS[1], ARGV[4], id)
        redis.call('RPUSH', mine, id)
    else
        redis.call('ZREM', KEYS[1], id)
    end
end
redis.call('PEXPIRE', mine, 60000)
return found
""")
_LOST_AT_ONCE = 500


class EventProcessingCompletion:
    """What came of handling an event.

    Attributes:
        followers: Events that were waiting for it, in the order in which they occurred.
    """

    def __init__(self) -> None:
        self.followers: list[ReceivedEvent] = []


class CausalOrdering(_CausalOrdering):
    """Keeps events of one kind of consumer in order.

    Args:
        scope: Whose order it is, such as `triggers`.

    Attributes:
        redis: The client.
    """

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self._given_client: Redis | None = None
        self._prefix = f"{cluster_key_prefix(f'prefect:ordering:{scope}')}:"

    @property
    def redis(self) -> Redis:
        """The client: one that was set here, which must decode answers, else that of this event loop."""
        return self._given_client if self._given_client is not None else get_async_redis_client()

    @redis.setter
    def redis(self, client: Redis | None) -> None:
        self._given_client = client

    @redis.deleter
    def redis(self) -> None:
        self._given_client = None

    def _key(self, kind: str, event: UUID | Event | str = "") -> str:
        return f"{self._prefix}{kind}{f':{_id(event)}' if event else ''}"

    async def _run(self, script: Script, key: str, arguments: list[Any]) -> Any:
        """Run a script. Each may run twice with the same effect, so a lost answer does no harm."""
        return await self._persist(lambda: script.run(self.redis, [key], arguments))

    async def _ask(self, command: Callable[[], Awaitable[Any]]) -> Any:
        return await self._persist(lambda: in_time(command()))

    async def _persist(self, command: Callable[[], Awaitable[Any]]) -> Any:
        async def once() -> Any:
            with redis_errors(f"Redis, order of events for {self.scope!r}"):
                return await command()

        return await aretry(once, is_transient=is_transient, backoff=_RETRIES)

    async def record_event_as_processing(self, event: ReceivedEvent) -> bool:
        """Say that an event is being handled.

        Args:
            event: The event.

        Returns:
            `False` if it is being handled already.
        """
        arguments = [_ms(_PROCESSING), uuid4().hex]
        return bool(await self._run(_PROCESS_ONE, self._key("processing", event), arguments))

    async def event_has_started_processing(self, event: UUID | Event) -> bool:
        """Say whether an event is being handled.

        Args:
            event: The event, or its id.
        """
        return bool(await self._ask(lambda: self.redis.exists(self._key("processing", event))))

    async def forget_event_is_processing(self, event: ReceivedEvent) -> None:
        """Say that an event is not being handled any more.

        Args:
            event: The event.
        """
        await self._ask(lambda: self.redis.delete(self._key("processing", event)))

    async def event_has_been_seen(self, event: UUID | Event) -> bool:
        """Say whether an event was handled.

        Args:
            event: The event, or its id.
        """
        return bool(await self._ask(lambda: self.redis.exists(self._key("seen", event))))

    async def record_event_as_seen(self, event: ReceivedEvent) -> None:
        """Say that an event was handled.

        Args:
            event: The event.
        """
        await self._ask(lambda: self.redis.set(self._key("seen", event), "1", px=_ms(SEEN_EXPIRATION)))

    async def record_follower(self, event: ReceivedEvent) -> None:
        """Park an event until the one that it follows is handled.

        Args:
            event: The event; it must follow another.
        """
        await self._run(_PARK_ONE, self._key("waitlist"), self._parking(event, _followed(event)))

    def _parking(self, event: ReceivedEvent, leader: UUID | str) -> list[Any]:
        moment = event.received.timestamp()
        return [self._prefix, str(event.id), str(leader), event.model_dump_json(), moment, _ms(_PARKED)]

    async def forget_follower(self, follower: ReceivedEvent) -> None:
        """Take an event from where it was parked.

        Args:
            follower: The event; it must follow another.
        """
        arguments = [self._prefix, str(follower.id), _followed(follower)]
        await self._run(_UNPARK_ONE, self._key("waitlist"), arguments)

    async def get_lost_followers(self) -> list[ReceivedEvent]:
        """Take the events whose leaders have not come for a quarter of an hour. No other process gets them, too.

        Returns:
            The events, in the order in which they occurred.
        """
        until = (now("UTC") - PRECEDING_EVENT_LOOKBACK).timestamp()
        arguments = [self._prefix, until, _LOST_AT_ONCE, until + _PROCESSING.total_seconds(), uuid4().hex]
        return _events(await self._run(_LOST, self._key("waitlist"), arguments))

    async def followers_by_id(self, follower_ids: list[UUID]) -> list[ReceivedEvent]:
        """Read parked events.

        Args:
            follower_ids: Their ids.

        Returns:
            The events, in the order in which they occurred.
        """
        if not follower_ids:
            return []
        keys = [self._key("event", each) for each in follower_ids]
        found: list[Any] = await self._ask(lambda: self.redis.mget(keys))
        return _events([event for event in found if event is not None])

    async def get_followers(self, leader: ReceivedEvent) -> list[ReceivedEvent]:
        """Read the events that wait for another.

        Args:
            leader: That one.

        Returns:
            The events, in the order in which they occurred.
        """
        client: Any = self.redis
        ids = await self._ask(lambda: client.smembers(self._key("followers", leader)))
        return await self.followers_by_id([UUID(each) for each in ids])

    async def complete_event_and_get_followers(self, event: ReceivedEvent) -> list[ReceivedEvent]:
        """Say that an event was handled, let go of it, and read who waits for it, in one step.

        Args:
            event: The event.

        Returns:
            Its followers, in the order in which they occurred.
        """
        arguments = [self._prefix, str(event.id), _leader(event), _ms(SEEN_EXPIRATION)]
        return _events(await self._run(_COMPLETE, self._key("processing", event), arguments))

    @asynccontextmanager
    async def event_is_processing(self, event: ReceivedEvent) -> AsyncGenerator[EventProcessingCompletion, None]:
        """Handle an event within a block. When the block ends well the event counts as seen.

        Args:
            event: The event.

        Yields:
            What has its followers when the block has ended.

        Raises:
            EventBeingProcessed: If another process is handling it.
        """
        if not await self.record_event_as_processing(event):
            self._log(event, "is already being processed")
            raise EventBeingProcessed(event)
        completion = EventProcessingCompletion()
        try:
            yield completion
        except BaseException:
            await self.forget_event_is_processing(event)
            raise
        completion.followers = await self.complete_event_and_get_followers(event)

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Return when an event may be handled as far as the one that it follows goes.

        Args:
            event: The event.

        Raises:
            EventArrivedEarly: If its leader was not handled in time; the event is parked.
        """
        leader = _waits_for(event)
        if not leader or await self.event_has_been_seen(UUID(leader)):
            return
        deadline = time.monotonic() + IN_FLIGHT_EVENT_TIMEOUT.total_seconds()
        while await self.event_has_started_processing(UUID(leader)) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        if await self.event_has_been_seen(UUID(leader)):
            return
        self._log(event, "arrived before the event it follows %s", leader)
        await self.record_follower(event)
        if await self.event_has_been_seen(UUID(leader)):  # it was done between our look and the parking
            await self.forget_follower(event)
            return
        raise EventArrivedEarly(event)

    @asynccontextmanager
    async def preceding_event_confirmed(
        self, handler: event_handler, event: ReceivedEvent, depth: int = 0
    ) -> AsyncGenerator[None, None]:
        """Handle an event within a block if its turn has come, and then those that waited for it.

        Args:
            handler: Called with each event that waited.
            event: The event.
            depth: How many events in a row have led here.

        Raises:
            EventArrivedEarly: If the event that this one follows was not handled yet. This one is parked.
            EventBeingProcessed: If another process is handling this event.
            MaxDepthExceeded: If events follow each other in a circle, or in a very long chain.
        """
        if depth > MAX_DEPTH_OF_PRECEDING_EVENT:
            self._log(event, "has exceeded the maximum recursion depth %s", MAX_DEPTH_OF_PRECEDING_EVENT)
            raise MaxDepthExceeded(event)
        leader = _waits_for(event)
        arguments = [*self._parking(event, leader), _ms(_PROCESSING), uuid4().hex]
        answer = await self._run(_BEGIN, self._key("processing", event), arguments)
        if answer == "busy":
            self._log(event, "is already being processed")
            raise EventBeingProcessed(event)
        if answer == "early":
            self._log(event, "arrived before the event it follows %s", leader)
            raise EventArrivedEarly(event)
        try:
            yield
        except BaseException:
            await self.forget_event_is_processing(event)
            raise
        failure: Exception | None = None
        for follower in await self.complete_event_and_get_followers(event):
            try:
                await handler(follower, depth=depth + 1)
            except MaxDepthExceeded:  # noqa: PERF203 - `get_lost_followers` finds the rest again
                self._log(event, "reached its max depth of %s followers processed.", MAX_DEPTH_OF_PRECEDING_EVENT)
            except (EventArrivedEarly, EventBeingProcessed):
                self._log(follower, "is in other hands")
            except Exception as exc:  # noqa: BLE001 - the others must not wait for this one
                failure = failure or exc
        if failure is not None:
            raise failure

    def _log(self, event: ReceivedEvent, message: str, *arguments: Any) -> None:
        logger.info(
            f"Event %r (%s) for %r {message}",  # noqa: G004 - the message is a format of ours
            event.event,
            event.id,
            event.resource.id,
            *arguments,
            extra={"event_id": event.id, "follows": event.follows, "resource_id": event.resource.id},
        )


def _id(event: UUID | Event | str) -> str:
    return str(event.id if isinstance(event, Event) else event)


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _followed(event: ReceivedEvent) -> str:
    if event.follows is None:
        raise ValueError(f"Event {event.id} follows no other.")
    return str(event.follows)


def _leader(event: ReceivedEvent) -> str:
    return str(event.follows) if event.follows and event.follows != event.id else ""


def _waits_for(event: ReceivedEvent) -> str:
    """The event that this one waits for; none for an old event, whose leader may be forgotten."""
    if now("UTC") - event.received >= PRECEDING_EVENT_LOOKBACK:
        return ""
    return _leader(event)


def _events(found: list[Any]) -> list[ReceivedEvent]:
    events = [ReceivedEvent.model_validate_json(each) for each in found]
    return sorted(events, key=lambda event: event.occurred)
