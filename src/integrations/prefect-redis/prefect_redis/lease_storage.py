"""Leases of concurrency limits, shared by all processes of a Prefect server.

A server uses it with `PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=prefect_redis.lease_storage`.

Whether a lease has expired is decided by the clock of Redis, in the same step that renews it: a lease that was renewed
is not expired, and one that is reported as expired can be renewed no more.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson
from prefect.logging import get_logger
from prefect.server.concurrency.lease_storage import ConcurrencyLeaseStorage as _ConcurrencyLeaseStorage
from prefect.server.concurrency.lease_storage import ConcurrencyLimitLeaseMetadata
from prefect.server.utilities.leasing import ResourceLease

from prefect_integration_kit.waiting import Backoff, aretry

from ._reading import in_time
from ._scripts import SERVER_TIME, Script
from .client import cluster_key_prefix, get_async_redis_client
from .errors import is_transient, redis_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prefect.types._concurrency import ConcurrencyLeaseHolder
    from redis.asyncio import Redis

__all__ = ["ConcurrencyLeaseStorage", "cluster_key_prefix", "get_async_redis_client", "logger"]

logger: logging.Logger = get_logger(__name__)

R = TypeVar("R")

_CLAIM_MS = 30_000
"""How long a process has to give back the slots of leases that it was told are expired, before another is told."""

_PROCESS = uuid.uuid4().hex
_RETRIES = Backoff(initial_seconds=0.1, maximum_seconds=1.0, deadline_seconds=10.0)

_CREATE = Script(
    SERVER_TIME
    + """
-- KEYS: lease, expirations. ARGV: id, milliseconds to live, record, prefix of limits, ids of limits.
local now = server_time()
local expires = now + tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'record', ARGV[3], 'expires', expires, 'created', now)
    redis.call('ZADD', KEYS[2], expires, ARGV[1])
    for i = 5, #ARGV do redis.call('SADD', ARGV[4] .. ARGV[i], ARGV[1]) end
end
return redis.call('HMGET', KEYS[1], 'expires', 'created')
"""
)
_RENEW = Script(
    SERVER_TIME
    + """
-- KEYS: lease, expirations. ARGV: id, milliseconds to live.
local expires = redis.call('HGET', KEYS[1], 'expires')
if not expires then
    redis.call('ZREM', KEYS[2], ARGV[1])
    return 0
end
local now = server_time()
if tonumber(expires) <= now then return 0 end
redis.call('HSET', KEYS[1], 'expires', now + tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
return 1
"""
)
_REVOKE = Script("""
-- KEYS: lease, expirations, claims. ARGV: id, prefix of limits.
local record = redis.call('HGET', KEYS[1], 'record')
if record then
    for _, limit in ipairs(cjson.decode(record)['resource_ids']) do redis.call('SREM', ARGV[2] .. limit, ARGV[1]) end
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])
""")
_ACTIVE = Script(
    SERVER_TIME
    + """
-- KEYS: expirations. ARGV: offset, limit.
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. server_time(), '+inf', 'LIMIT', ARGV[1], ARGV[2])
"""
)
_EXPIRED = Script(
    SERVER_TIME
    + """
-- KEYS: expirations, claims. ARGV: limit, process, milliseconds of a claim. Each lease is told to one process at a
-- time, or two of them would give its slots back.
local now = server_time()
local found, offset, wanted = {}, 0, tonumber(ARGV[1])
while #found < wanted do
    local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', offset, 200)
    if #ids == 0 then break end
    for _, id in ipairs(ids) do
        local claim = redis.call('HGET', KEYS[2], id)
        local till, process = 0, ''
        if claim then till, process = string.match(claim, '^(%d+) (.*)$') end
        if #found < wanted and (tonumber(till) <= now or process == ARGV[2]) then
            redis.call('HSET', KEYS[2], id, (now + tonumber(ARGV[3])) .. ' ' .. ARGV[2])
            found[#found + 1] = id
        end
    end
    offset = offset + #ids
end
return found
"""
)
_HOLDERS = Script(
    SERVER_TIME
    + """
-- KEYS: leases of the limit. ARGV: prefix of leases.
local now, found = server_time(), {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local lease = redis.call('HMGET', ARGV[1] .. id, 'record', 'expires')
    if not lease[1] then
        redis.call('SREM', KEYS[1], id)
    elseif tonumber(lease[2]) > now then
        found[#found + 1] = id
        found[#found + 1] = lease[1]
    end
end
return found
"""
)


class ConcurrencyLeaseStorage(_ConcurrencyLeaseStorage):
    """Leases in Redis.

    Args:
        redis_client: A client of `redis.asyncio` that decodes answers; by default that of `RedisMessagingSettings`.

    Attributes:
        redis_client: The client.
        base_prefix: Begins all keys.
        lease_prefix: Begins the keys of leases.
        expirations_key: The sorted set of leases by the time at which they expire.
        expiration_prefix: Begins the key of claims on expired leases.
    """

    def __init__(self, redis_client: Redis | None = None) -> None:
        self._given_client = redis_client
        self.base_prefix = f"{cluster_key_prefix('prefect:concurrency')}:"
        self.lease_prefix = f"{self.base_prefix}held:"
        self.expirations_key = f"{self.base_prefix}held-until"
        self.expiration_prefix = f"{self.base_prefix}expiration:"

    @property
    def redis_client(self) -> Redis:
        """The client; without one that was given, that of the event loop."""
        return self._given_client if self._given_client is not None else get_async_redis_client()

    @redis_client.setter
    def redis_client(self, client: Redis | None) -> None:
        self._given_client = client

    @redis_client.deleter
    def redis_client(self) -> None:
        self._given_client = None

    @property
    def _limits(self) -> str:
        return f"{self.base_prefix}held-of:"

    @property
    def _claims(self) -> str:
        return f"{self.expiration_prefix}claims"

    def _lease(self, lease_id: UUID) -> str:
        return f"{self.lease_prefix}{lease_id}"

    async def _call(self, subject: str, call: Callable[[], Awaitable[R]]) -> R:
        """Each of our scripts may run twice, so a lost answer does no harm."""

        async def once() -> R:
            with redis_errors(f"Redis, {subject}"):
                return await call()

        return await aretry(once, is_transient=is_transient, backoff=_RETRIES)

    async def create_lease(
        self,
        resource_ids: list[UUID],
        ttl: timedelta,
        metadata: ConcurrencyLimitLeaseMetadata | None = None,
    ) -> ResourceLease[ConcurrencyLimitLeaseMetadata]:
        """Create a lease.

        Args:
            resource_ids: The limits that it takes slots of.
            ttl: How long it is held without being renewed.
            metadata: How many slots, and who holds them.
        """
        lease_id = uuid.uuid4()
        record = {
            "resource_ids": [str(resource_id) for resource_id in resource_ids],
            "metadata": metadata.model_dump(mode="json") if metadata is not None else None,
        }
        keys = [self._lease(lease_id), self.expirations_key]
        limits = [str(resource_id) for resource_id in resource_ids]
        arguments = [str(lease_id), _milliseconds(ttl), orjson.dumps(record), self._limits, *limits]
        expires, created = await self._call(
            f"lease {lease_id}", lambda: _CREATE.run(self.redis_client, keys, arguments)
        )
        return ResourceLease(
            id=lease_id,
            resource_ids=resource_ids,
            metadata=metadata,
            expiration=_moment(expires),
            created_at=_moment(created),
        )

    async def read_lease(self, lease_id: UUID) -> ResourceLease[ConcurrencyLimitLeaseMetadata] | None:
        """Read a lease, expired or not.

        Args:
            lease_id: Its id.

        Returns:
            The lease; `None` if it does not exist.
        """
        client: Any = self.redis_client
        names = ("record", "expires", "created")
        record, expires, created = await self._call(
            f"lease {lease_id}", lambda: in_time(client.hmget(self._lease(lease_id), *names))
        )
        if record is None:
            return None
        resource_ids, metadata = _read(record)
        return ResourceLease(
            id=lease_id,
            resource_ids=resource_ids,
            metadata=metadata,
            expiration=_moment(expires),
            created_at=_moment(created),
        )

    async def renew_lease(self, lease_id: UUID, ttl: timedelta) -> bool:
        """Hold a lease for longer.

        Args:
            lease_id: Its id.
            ttl: How long from now.

        Returns:
            Whether it was renewed: `False` if it does not exist, or has expired by the clock of Redis.
        """
        keys = [self._lease(lease_id), self.expirations_key]
        arguments = [str(lease_id), _milliseconds(ttl)]
        return bool(await self._call(f"lease {lease_id}", lambda: _RENEW.run(self.redis_client, keys, arguments)))

    async def revoke_lease(self, lease_id: UUID) -> None:
        """Remove a lease.

        Args:
            lease_id: Its id; one that does not exist is no error.
        """
        keys = [self._lease(lease_id), self.expirations_key, self._claims]
        arguments = [str(lease_id), self._limits]
        await self._call(f"lease {lease_id}", lambda: _REVOKE.run(self.redis_client, keys, arguments))

    async def read_active_lease_ids(self, limit: int = 100, offset: int = 0) -> list[UUID]:
        """Read ids of leases that have not expired, those that expire first at the front.

        Args:
            limit: How many at most.
            offset: How many to leave out.
        """
        keys = [self.expirations_key]
        found = await self._call("active leases", lambda: _ACTIVE.run(self.redis_client, keys, [offset, limit]))
        return [UUID(_text(lease_id)) for lease_id in found]

    async def read_expired_lease_ids(self, limit: int = 100) -> list[UUID]:
        """Read ids of leases that have expired, for this process to give their slots back.

        Another process is told the same ones half a minute later at the earliest, if they are still there.

        Args:
            limit: How many at most.
        """
        keys = [self.expirations_key, self._claims]
        arguments = [limit, _PROCESS, _CLAIM_MS]
        found = await self._call("expired leases", lambda: _EXPIRED.run(self.redis_client, keys, arguments))
        return [UUID(_text(lease_id)) for lease_id in found]

    async def list_holders_for_limit(self, limit_id: UUID) -> list[tuple[UUID, ConcurrencyLeaseHolder]]:
        """List who holds slots of a limit.

        Args:
            limit_id: The limit.

        Returns:
            Ids of leases that have not expired, each with its holder.
        """
        keys = [f"{self._limits}{limit_id}"]
        flat = await self._call("holders", lambda: _HOLDERS.run(self.redis_client, keys, [self.lease_prefix]))
        holders: list[tuple[UUID, ConcurrencyLeaseHolder]] = []
        for lease_id, record in zip(flat[::2], flat[1::2], strict=True):
            _, metadata = _read(record)
            if metadata is not None and metadata.holder is not None:
                holders.append((UUID(_text(lease_id)), metadata.holder))
        return holders


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _milliseconds(ttl: timedelta) -> int:
    return int(ttl.total_seconds() * 1000)


def _moment(milliseconds: str | bytes) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, timezone.utc)


def _read(record: str | bytes) -> tuple[list[UUID], ConcurrencyLimitLeaseMetadata | None]:
    fields = orjson.loads(record)
    metadata = fields["metadata"]
    resource_ids = [UUID(resource_id) for resource_id in fields["resource_ids"]]
    return resource_ids, ConcurrencyLimitLeaseMetadata.model_validate(metadata) if metadata is not None else None
