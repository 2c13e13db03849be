"""The queue of what workers must clean up, shared by all processes of a Prefect server.

A server uses it with `PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE=prefect_redis.cleanup_queue`. All time is
that of Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import orjson
from prefect.server.worker_communication.cleanup_queue import (
    CleanupQueueDeadLetter,
    CleanupQueueLeaseExpiryResult,
    CleanupQueueMessage,
    CleanupQueueOperation,
    CleanupQueueOperationResult,
    CleanupQueueReservation,
    CleanupQueueWakeup,
    record_cleanup_queue_dead_letter,
    record_cleanup_queue_lease_expiry_result,
    record_cleanup_queue_operation,
)
from prefect.server.worker_communication.cleanup_queue import WorkerCleanupQueue as _WorkerCleanupQueue
from prefect.settings.base import PrefectBaseSettings, build_settings_config
from prefect.settings.context import get_current_settings
from pydantic import Field

from prefect_integration_kit.waiting import Backoff, aretry

from . import _cleanup_scripts
from ._reading import in_time
from .client import RedisMessagingSettings, async_redis_from_settings, cluster_key_prefix
from .connection import redis_from_url
from .errors import is_transient, redis_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prefect.client.schemas.worker_channel import CleanupKind
    from redis.asyncio import Redis

__all__ = ["RedisWorkerCleanupQueueSettings", "WorkerCleanupQueue", "redis_from_url"]

_EXHAUSTED = "max_delivery_attempts_reached"
_SOURCE = "redis_cleanup_queue"
_EXPIRE_AT_ONCE = 100
_WAIT_SECONDS = 5.0
_RETRIES = Backoff(initial_seconds=0.1, maximum_seconds=1.0, deadline_seconds=10.0)


class RedisWorkerCleanupQueueSettings(PrefectBaseSettings):
    """How servers reach the Redis of the cleanup queue: `PREFECT_REDIS_WORKER_CLEANUP_QUEUE_*`.

    Where `url` is set, the other fields that name the server are not looked at.
    """

    model_config = build_settings_config(("redis", "worker", "cleanup", "queue"))

    key_prefix: str = Field(default="prefect:worker-cleanup", min_length=1, description="Begins the names of all keys.")
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


class WorkerCleanupQueue(_WorkerCleanupQueue):
    """Cleanup messages in Redis, each handed to one worker at a time.

    Args:
        redis_client: A client of `redis.asyncio` that decodes answers; by default that of
            `RedisWorkerCleanupQueueSettings`.
        key_prefix: Begins the names of all keys; by default that of the settings.
    """

    def __init__(self, *, redis_client: Redis | None = None, key_prefix: str | None = None) -> None:
        settings = RedisWorkerCleanupQueueSettings()
        prefix = key_prefix or settings.key_prefix
        is_clustered = redis_client is not None and hasattr(redis_client, "nodes_manager")
        tagged = f"{{{prefix}}}" if is_clustered and "{" not in prefix else None
        self._prefix = f"{tagged or cluster_key_prefix(prefix, settings.url or 'redis://')}:"
        self._given_client = redis_client
        self._server = RedisMessagingSettings(**settings.model_dump(exclude={"key_prefix"}))

    @property
    def _client(self) -> Any:
        return self._given_client if self._given_client is not None else async_redis_from_settings(self._server)

    async def _run(self, script: Any, *arguments: Any) -> Any:
        async def call() -> Any:
            # The first key chooses the node; all keys share its slot.
            return await script.run(self._client, [f"{self._prefix}pools"], [self._prefix, *arguments])

        return await self._call(call)

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        async def once() -> Any:
            with redis_errors("Redis, cleanup queue"):
                return await call()

        return await aretry(once, is_transient=is_transient, backoff=_RETRIES)

    async def enqueue(
        self,
        *,
        message_id: UUID,
        idempotency_key: str,
        work_pool_id: UUID,
        kind: CleanupKind,
        target: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
        work_queue_id: UUID | None = None,
    ) -> CleanupQueueMessage:
        """Store a message, unless it was produced before.

        Args:
            message_id: Its id.
            idempotency_key: What its producer calls it, within the work pool.
            work_pool_id: The work pool whose workers it is for.
            kind: What is to be cleaned up.
            target: What it is about.
            data: What else to know.
            work_queue_id: The work queue whose workers should have it.

        Returns:
            The message, or the one that was produced before.

        Raises:
            ValueError: If the key is empty, or the id is that of another message.
        """
        if not idempotency_key:
            raise ValueError("idempotency_key must be non-empty")
        retention = get_current_settings().server.worker_channel.cleanup_completed_idempotency_retention_seconds
        payload = orjson.dumps({"target": dict(target), "data": dict(data or {})}, default=str)
        arguments = [str(work_pool_id), str(message_id), idempotency_key, str(work_queue_id or ""), str(kind), payload]
        answer = await self._run(
            _cleanup_scripts.ENQUEUE, *arguments, -1 if retention is None else int(retention * 1000)
        )
        status = _text(answer[0])
        if status == "conflict":
            raise ValueError("message_id is already associated with a different cleanup message")
        self._record("enqueue", status, work_pool_id, message_id, str(kind))
        return _message(answer[1])

    async def reserve(
        self,
        *,
        work_pool_id: UUID,
        cleanup_kinds: Iterable[CleanupKind] | None = None,
        preferred_work_queue_ids: Iterable[UUID] | None = None,
        allow_fallback_to_any_queue: bool = True,
    ) -> CleanupQueueReservation | None:
        """Take the oldest message that fits, for as long as a lease lasts.

        Args:
            work_pool_id: The work pool.
            cleanup_kinds: Kinds that will do; all by default.
            preferred_work_queue_ids: Work queues whose messages come first.
            allow_fallback_to_any_queue: Whether those of others will do.

        Returns:
            The message and the token of the reservation; `None` if there is none.
        """
        kinds = [-1] if cleanup_kinds is None else _counted(str(kind) for kind in cleanup_kinds)
        queues = [-1] if preferred_work_queue_ids is None else _counted(str(each) for each in preferred_work_queue_ids)
        lease, attempts = _policy()
        fallback = int(allow_fallback_to_any_queue)
        head = [str(work_pool_id), token_urlsafe(32), lease, attempts, _EXPIRE_AT_ONCE, fallback]
        answer = await self._run(_cleanup_scripts.RESERVE, *head, *kinds, *queues)
        record_cleanup_queue_lease_expiry_result(self._expired(answer))
        if len(answer) < 3:
            return None
        fields = _fields(answer[2])
        message = _message(answer[2])
        self._record("reserve", "accepted", work_pool_id, message.message_id, str(message.kind))
        return CleanupQueueReservation(
            **message.model_dump(),
            reservation_token=fields["token"],
            lease_expires_at=_moment(fields["lease"]),
        )

    async def ack(self, *, work_pool_id: UUID, message_id: UUID, reservation_token: str) -> CleanupQueueOperationResult:
        """Say that a message is done.

        Args:
            work_pool_id: The work pool.
            message_id: The message.
            reservation_token: The token of the reservation.
        """
        return await self._finish("ack", work_pool_id, message_id, reservation_token)

    async def release(
        self, *, work_pool_id: UUID, message_id: UUID, reservation_token: str, reason: str
    ) -> CleanupQueueOperationResult:
        """Give a message back, for others to try.

        Args:
            work_pool_id: The work pool.
            message_id: The message.
            reservation_token: The token of the reservation.
            reason: Why it could not be done.

        Raises:
            ValueError: If there is no reason.
        """
        if not reason:
            raise ValueError("release reason must be non-empty")
        return await self._finish("release", work_pool_id, message_id, reservation_token, reason)

    async def renew(
        self, *, work_pool_id: UUID, message_id: UUID, reservation_token: str
    ) -> CleanupQueueOperationResult:
        """Keep a message for another lease.

        Args:
            work_pool_id: The work pool.
            message_id: The message.
            reservation_token: The token of the reservation.
        """
        return await self._finish("renew", work_pool_id, message_id, reservation_token)

    async def _finish(
        self, operation: CleanupQueueOperation, pool: UUID, message_id: UUID, token: str, reason: str = ""
    ) -> CleanupQueueOperationResult:
        lease, attempts = _policy()
        arguments = [operation, str(pool), str(message_id), token, attempts, lease, reason, token_urlsafe(16)]
        answer = await self._run(_cleanup_scripts.FINISH, *arguments)
        status, why = _text(answer[0]), _text(answer[1])
        dead_letter = _dead_letter(answer[2]) if status == "dead_lettered" else None
        if dead_letter is not None:
            record_cleanup_queue_dead_letter(dead_letter, source=_SOURCE)
        self._record(operation, status, pool, message_id)
        is_renewed = operation == "renew" and status == "accepted"
        return CleanupQueueOperationResult(
            message_id=message_id,
            operation=operation,
            status=cast("Any", status),
            lease_expires_at=_moment(answer[2]) if is_renewed else None,
            reason=why or None,
            dead_letter=dead_letter,
        )

    async def expire_leases(
        self, *, limit: int = 100, work_pool_id: UUID | None = None
    ) -> CleanupQueueLeaseExpiryResult:
        """Take messages back whose leases are over.

        Args:
            limit: How many at most.
            work_pool_id: The work pool; all by default.

        Raises:
            ValueError: If the limit is below 1.
        """
        if limit < 1:
            raise ValueError("limit must be at least 1")
        _, attempts = _policy()
        result = self._expired(await self._run(_cleanup_scripts.EXPIRE, limit, str(work_pool_id or ""), attempts))
        record_cleanup_queue_lease_expiry_result(result)
        return result

    def _expired(self, answer: list[Any]) -> CleanupQueueLeaseExpiryResult:
        dead_letters = [_dead_letter(each) for each in answer[1]]
        for dead_letter in dead_letters:
            record_cleanup_queue_dead_letter(dead_letter, source=_SOURCE)
        redelivered = [_message(each) for each in answer[0]]
        return CleanupQueueLeaseExpiryResult(redelivered=redelivered, dead_lettered=dead_letters)

    async def read_message(self, *, work_pool_id: UUID, message_id: UUID) -> CleanupQueueMessage | None:
        """Read a message that is neither done nor given up.

        Args:
            work_pool_id: The work pool; messages of others are not shown.
            message_id: The message.
        """
        fields = await self._read(work_pool_id, message_id)
        return _message(fields) if fields.get("state") in ("ready", "reserved") else None

    async def read_dead_letter(self, *, work_pool_id: UUID, message_id: UUID) -> CleanupQueueDeadLetter | None:
        """Read a message that was given up.

        Args:
            work_pool_id: The work pool; messages of others are not shown.
            message_id: The message.
        """
        fields = await self._read(work_pool_id, message_id)
        return _dead_letter(fields) if fields.get("state") == "dead" else None

    async def _read(self, work_pool_id: UUID, message_id: UUID) -> dict[str, str]:
        fields = _fields(await self._call(lambda: in_time(self._client.hgetall(f"{self._prefix}message:{message_id}"))))
        return fields if fields.get("pool") == str(work_pool_id) else {}

    async def wake_dispatchers(self, work_pool_id: UUID) -> CleanupQueueWakeup:
        """Tell all who wait for a work pool, in all processes, to look.

        Args:
            work_pool_id: The work pool.
        """
        sequence = await self._run(_cleanup_scripts.WAKE, str(work_pool_id))
        return CleanupQueueWakeup(work_pool_id=work_pool_id, sequence=int(sequence))

    async def read_wakeup_sequence(self, work_pool_id: UUID) -> int:
        """Read how often a work pool was woken.

        Args:
            work_pool_id: The work pool.
        """
        return int(await self._call(lambda: in_time(self._client.get(f"{self._prefix}wake:{work_pool_id}"))) or 0)

    async def wait_for_wakeup(
        self, work_pool_id: UUID, *, after: int = 0, timeout: float | None = None
    ) -> CleanupQueueWakeup | None:
        """Wait until a work pool is woken.

        Args:
            work_pool_id: The work pool.
            after: The wakeup that is known already.
            timeout: Seconds to wait; `None` waits for ever.

        Returns:
            The wakeup; `None` when the time is up.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        limit = self._server.socket_timeout
        longest = _WAIT_SECONDS if limit is None else min(_WAIT_SECONDS, limit / 2)
        while True:
            left = longest if deadline is None else min(longest, deadline - time.monotonic())
            sequence = await self._next_wakeup(work_pool_id, after, max(0.0, left))
            if sequence > after:
                return CleanupQueueWakeup(work_pool_id=work_pool_id, sequence=sequence)
            if deadline is not None and time.monotonic() >= deadline:
                return None
            await asyncio.sleep(0)

    async def _next_wakeup(self, work_pool_id: UUID, after: int, seconds: float) -> int:
        """Block at the stream whose only entry is the latest wakeup, named after it."""
        if seconds <= 0:
            return await self.read_wakeup_sequence(work_pool_id)
        streams = {f"{self._prefix}wakes:{work_pool_id}": f"{after}-1"}
        block = max(1, int(seconds * 1000))
        if not await self._call(
            lambda: in_time(self._client.xread(streams, block=block), timedelta(milliseconds=block))
        ):
            return after
        return await self.read_wakeup_sequence(work_pool_id)

    def _record(self, operation: str, status: str, pool: UUID, message_id: UUID, kind: str | None = None) -> None:
        record_cleanup_queue_operation(
            operation, status=status, work_pool_id=pool, message_id=message_id, cleanup_kind=kind
        )


def _policy() -> tuple[int, int]:
    """Milliseconds of a lease, and how often a message is delivered at most."""
    settings = get_current_settings().server.worker_channel
    return int(settings.cleanup_lease_seconds * 1000), settings.cleanup_max_delivery_attempts


def _counted(values: Iterable[str]) -> list[Any]:
    found = list(values)
    return [len(found), *found]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _fields(flat: Any) -> dict[str, str]:
    if isinstance(flat, Mapping):
        pairs: Iterable[tuple[Any, Any]] = cast("Mapping[Any, Any]", flat).items()
    else:
        pairs = zip(flat[::2], flat[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _moment(milliseconds: Any) -> Any:
    return datetime.fromtimestamp(float(_text(milliseconds)) / 1000, timezone.utc)


def _message(flat: Any) -> CleanupQueueMessage:
    fields = _fields(flat)
    return CleanupQueueMessage(
        message_id=UUID(fields["id"]),
        idempotency_key=fields["key"],
        work_pool_id=UUID(fields["pool"]),
        work_queue_id=UUID(fields["queue"]) if fields["queue"] else None,
        kind=cast("Any", fields["kind"]),
        created_at=_moment(fields["created"]),
        updated_at=_moment(fields["updated"]),
        delivery_count=int(fields["deliveries"]),
        **orjson.loads(fields["payload"]),
    )


def _dead_letter(flat: Any) -> CleanupQueueDeadLetter:
    fields = _fields(flat)
    return CleanupQueueDeadLetter(
        message=_message(fields),
        reason=_EXHAUSTED,
        final_delivery_count=int(fields["deliveries"]),
        moved_at=_moment(fields["moved"]),
        reservation_token=fields.get("token"),
        lease_expires_at=_moment(fields["lease"]) if fields.get("lease") else None,
        release_reason=fields.get("release_reason") or None,
    )
