"""Leases expire by the clock of Redis, and are given back once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import redis.asyncio
from prefect.server.concurrency.lease_storage import ConcurrencyLeaseStorageModule, ConcurrencyLimitLeaseMetadata
from prefect.types._concurrency import ConcurrencyLeaseHolder

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.redis import RedisServer
from prefect_redis import lease_storage as module
from prefect_redis.client import clear_cached_clients
from prefect_redis.errors import RedisUnreachable
from prefect_redis.lease_storage import ConcurrencyLeaseStorage

LONG, SHORT = timedelta(minutes=5), timedelta(milliseconds=50)


def held_by(holder_id: uuid.UUID | None = None, slots: int = 1) -> ConcurrencyLimitLeaseMetadata:
    holder = ConcurrencyLeaseHolder(type="flow_run", id=holder_id) if holder_id else None
    return ConcurrencyLimitLeaseMetadata(slots=slots, holder=holder)


async def expired(storage: ConcurrencyLeaseStorage, count: int = 1) -> list[uuid.UUID]:
    async def look() -> list[uuid.UUID] | None:
        found = await storage.read_expired_lease_ids()
        return found if len(found) >= count else None

    return await apoll(look, subject="expired leases", interval_seconds=0.02, timeout_seconds=10)


def test_a_server_can_use_the_module() -> None:
    assert isinstance(module, ConcurrencyLeaseStorageModule)


async def test_a_lease_lives(any_messaging: str) -> None:
    storage = ConcurrencyLeaseStorage()
    limits = [uuid.uuid4(), uuid.uuid4()]
    holder = uuid.uuid4()
    lease = await storage.create_lease(limits, LONG, held_by(holder, slots=2))
    assert abs(lease.expiration - datetime.now(timezone.utc) - LONG) < timedelta(seconds=5)
    assert await storage.read_lease(lease.id) == lease
    assert await storage.read_active_lease_ids() == [lease.id]
    assert await storage.read_expired_lease_ids() == []
    for limit in limits:
        ((lease_id, found),) = await storage.list_holders_for_limit(limit)
        assert (lease_id, found.id) == (lease.id, holder)
    assert await storage.renew_lease(lease.id, LONG * 2)
    renewed = await storage.read_lease(lease.id)
    assert renewed is not None
    assert renewed.expiration > lease.expiration
    await storage.revoke_lease(lease.id)
    await storage.revoke_lease(lease.id)
    assert await storage.read_lease(lease.id) is None
    assert await storage.read_active_lease_ids() == []
    assert await storage.list_holders_for_limit(limits[0]) == []
    assert not await storage.renew_lease(lease.id, LONG)


async def test_an_expired_lease_cannot_be_renewed_and_a_renewed_one_is_not_expired(any_messaging: str) -> None:
    storage = ConcurrencyLeaseStorage()
    limit = uuid.uuid4()
    gone = await storage.create_lease([limit], SHORT, held_by(uuid.uuid4()))
    kept = await storage.create_lease([limit], timedelta(seconds=2), held_by(uuid.uuid4()))
    assert await storage.renew_lease(kept.id, LONG)
    assert await expired(storage) == [gone.id]
    assert not await storage.renew_lease(gone.id, LONG)
    assert await storage.read_active_lease_ids() == [kept.id]
    assert [lease_id for lease_id, _ in await storage.list_holders_for_limit(limit)] == [kept.id]
    assert await storage.read_lease(gone.id) is not None, "its slots are still to be given back"


async def test_active_leases_come_in_pages(messaging: RedisServer) -> None:
    storage = ConcurrencyLeaseStorage()
    leases = [await storage.create_lease([], LONG + timedelta(seconds=number)) for number in range(5)]
    assert await storage.read_active_lease_ids(limit=2) == [leases[0].id, leases[1].id]
    assert await storage.read_active_lease_ids(limit=2, offset=4) == [leases[4].id]
    assert (await storage.read_lease(leases[0].id)).metadata is None  # type: ignore[union-attr]


_SERVER = """
import asyncio
from prefect_redis.lease_storage import ConcurrencyLeaseStorage

print("ready", flush=True)
input()
print(*asyncio.run(ConcurrencyLeaseStorage().read_expired_lease_ids()))
"""


async def test_three_servers_never_exceed_a_limit(messaging: RedisServer) -> None:
    """Slots are counted as a server does: taken with a lease, given back by whoever is told that it is expired."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": {**os.environ}}
    others = [await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVER, **pipes) for _ in range(2)]
    for other in others:
        assert other.stdout is not None
        await other.stdout.readline()
    storage = ConcurrencyLeaseStorage()
    for _ in range(4):
        await storage.create_lease([uuid.uuid4()], SHORT, held_by(uuid.uuid4()))
    mine = await expired(storage, 4)
    assert await storage.read_expired_lease_ids() == mine, "the same process may ask again"
    told = [(await other.communicate(b"\n"))[0].decode().split() for other in others]
    assert told == [[], []], "two servers would give the slots back twice"


async def test_renewals_and_expiries_race_without_a_double_grant(messaging: RedisServer) -> None:
    """A limit of one slot: while anybody's renewals succeed, nobody is told that the lease is expired."""
    storages = [ConcurrencyLeaseStorage() for _ in range(3)]
    lease = await storages[0].create_lease([uuid.uuid4()], timedelta(milliseconds=80), held_by(uuid.uuid4()))
    renewed_after_expiry = 0
    was_expired = False
    for number in range(400):
        storage = storages[number % 3]
        if number % 2:
            was_expired = was_expired or lease.id in await storage.read_expired_lease_ids()
        elif number < 200:
            is_renewed = await storage.renew_lease(lease.id, timedelta(milliseconds=80))
            renewed_after_expiry += is_renewed and was_expired
        else:
            await asyncio.sleep(0.002)
    assert was_expired
    assert renewed_after_expiry == 0


async def test_a_redis_that_is_down_is_told(
    messaging_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_integration_kit.waiting import Backoff

    monkeypatch.setattr(module, "_RETRIES", Backoff(initial_seconds=0, max_attempts=2))
    messaging_at("redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnreachable, match="lease"):
        await ConcurrencyLeaseStorage().renew_lease(uuid.uuid4(), LONG)
    await clear_cached_clients()


async def test_a_restart_is_outlasted(messaging_at: Callable[[str], None]) -> None:
    with RedisServer.start(is_durable=True) as server:
        messaging_at(server.url)
        storage: Any = ConcurrencyLeaseStorage()
        lease = await storage.create_lease([uuid.uuid4()], LONG)
        server.process.restart()
        assert await storage.renew_lease(lease.id, LONG)
        await clear_cached_clients()


async def test_a_client_can_be_set(server: RedisServer, messaging_at: Callable[[str], None]) -> None:
    messaging_at("redis://127.0.0.1:1/0")
    storage = ConcurrencyLeaseStorage()
    storage.redis_client = redis.asyncio.Redis(port=server.port, decode_responses=True)
    lease = await storage.create_lease([uuid.uuid4()], LONG)
    assert await storage.read_active_lease_ids() == [lease.id]
    await storage.redis_client.aclose()
