"""Cleanup messages are handed to one worker at a time, and given up after some attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.server.worker_communication.cleanup_queue import get_worker_cleanup_queue

from prefect_integration_tests.backends.redis import RedisServer
from prefect_redis.cleanup_queue import WorkerCleanupQueue

KIND = "cancelling_timeout_teardown.v1"
OTHER_KIND = "pending_claim_teardown.v1"
POOL = uuid4()


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set how long leases last and how often a message is delivered."""
    from prefect.settings import get_current_settings

    settings = get_current_settings().server.worker_channel

    def use(lease_seconds: float = 60.0, attempts: int = 3, retention: float | None = None) -> None:
        monkeypatch.setattr(settings, "cleanup_lease_seconds", lease_seconds)
        monkeypatch.setattr(settings, "cleanup_max_delivery_attempts", attempts)
        monkeypatch.setattr(settings, "cleanup_completed_idempotency_retention_seconds", retention)

    use()
    return use


@pytest.fixture
def queue(messaging: RedisServer, policy: Any) -> WorkerCleanupQueue:
    return WorkerCleanupQueue()


async def add(queue: WorkerCleanupQueue, key: str = "k", pool: UUID = POOL, kind: Any = KIND, **options: Any) -> UUID:
    message_id = options.pop("message_id", uuid4())
    target = {"id": key, "empty": [], "nested": {"a": {}}}
    stored = await queue.enqueue(
        message_id=message_id, idempotency_key=key, work_pool_id=pool, kind=kind, target=target, **options
    )
    return stored.message_id


async def test_a_message_is_reserved_and_done(any_messaging: str, policy: Any) -> None:
    queue = WorkerCleanupQueue()
    message_id = await add(queue, data={"reason": "ü"})
    reserved = await queue.reserve(work_pool_id=POOL)
    assert reserved is not None
    assert (reserved.message_id, reserved.delivery_count) == (message_id, 1)
    assert reserved.target == {"id": "k", "empty": [], "nested": {"a": {}}}
    assert reserved.data == {"reason": "ü"}
    assert await queue.reserve(work_pool_id=POOL) is None
    assert (await queue.read_message(work_pool_id=POOL, message_id=message_id)) is not None
    assert (await queue.read_message(work_pool_id=uuid4(), message_id=message_id)) is None
    token = {"message_id": message_id, "reservation_token": reserved.reservation_token}
    renewed = await queue.renew(work_pool_id=POOL, **token)
    assert renewed.status == "accepted"
    assert renewed.lease_expires_at is not None
    assert renewed.lease_expires_at >= reserved.lease_expires_at
    wrong = {**token, "reservation_token": "wrong"}
    assert (await queue.ack(work_pool_id=POOL, **wrong)).status == "invalid_token"
    assert (await queue.ack(work_pool_id=uuid4(), **token)).status == "unauthorized"
    assert (await queue.ack(work_pool_id=POOL, **token)).status == "accepted"
    assert (await queue.ack(work_pool_id=POOL, **token)).status == "not_found"
    assert await queue.read_message(work_pool_id=POOL, message_id=message_id) is None


async def test_producers_may_repeat_themselves(queue: WorkerCleanupQueue, policy: Any) -> None:
    first = await add(queue)
    assert await add(queue) == first, "the key is the same"
    assert await add(queue, message_id=first) == first
    with pytest.raises(ValueError, match="different cleanup message"):
        await add(queue, "other", message_id=first)
    with pytest.raises(ValueError, match="idempotency_key"):
        await add(queue, "")
    reserved = await queue.reserve(work_pool_id=POOL)
    assert reserved is not None
    await queue.ack(work_pool_id=POOL, message_id=first, reservation_token=reserved.reservation_token)
    assert await add(queue) == first, "it is done, and remembered"
    policy(retention=0)
    await asyncio.sleep(0.01)
    assert await add(queue) != first


async def test_kinds_and_queues_are_chosen(queue: WorkerCleanupQueue) -> None:
    mine = uuid4()
    await add(queue, "a", kind=OTHER_KIND)
    wanted = await add(queue, "b", work_queue_id=mine)
    assert await queue.reserve(work_pool_id=uuid4()) is None
    none: Any = {"preferred_work_queue_ids": [uuid4()], "allow_fallback_to_any_queue": False}
    assert await queue.reserve(work_pool_id=POOL, **none) is None
    assert await queue.reserve(work_pool_id=POOL, cleanup_kinds=[]) is None
    found = await queue.reserve(work_pool_id=POOL, preferred_work_queue_ids=[mine])
    assert found is not None
    assert found.message_id == wanted
    assert found.work_queue_id == mine
    assert await queue.reserve(work_pool_id=POOL, cleanup_kinds=[KIND]) is None
    assert await queue.reserve(work_pool_id=POOL, preferred_work_queue_ids=[mine]) is not None


async def test_a_released_message_comes_again_and_is_given_up(queue: WorkerCleanupQueue, policy: Any) -> None:
    policy(attempts=2)
    message_id = await add(queue)
    statuses: list[str] = []
    for _ in range(2):
        reserved = await queue.reserve(work_pool_id=POOL)
        assert reserved is not None
        token = {"message_id": message_id, "reservation_token": reserved.reservation_token}
        result = await queue.release(work_pool_id=POOL, **token, reason="no permission")
        statuses.append(result.status)
    assert statuses == ["accepted", "dead_lettered"]
    letter = await queue.read_dead_letter(work_pool_id=POOL, message_id=message_id)
    assert letter is not None
    assert result.dead_letter == letter
    assert (letter.release_reason, letter.final_delivery_count) == ("no permission", 2)
    assert await queue.reserve(work_pool_id=POOL) is None
    with pytest.raises(ValueError, match="reason"):
        await queue.release(work_pool_id=POOL, **token, reason="")


async def test_leases_expire(queue: WorkerCleanupQueue, policy: Any) -> None:
    policy(lease_seconds=0.001, attempts=2)
    message_id = await add(queue)
    first = await queue.reserve(work_pool_id=POOL)
    assert first is not None
    await asyncio.sleep(0.02)
    assert [each.message_id for each in (await queue.expire_leases()).redelivered] == [message_id]
    late = await queue.ack(work_pool_id=POOL, message_id=message_id, reservation_token=first.reservation_token)
    assert late.status == "not_current"
    second = await queue.reserve(work_pool_id=POOL)
    assert second is not None
    await asyncio.sleep(0.02)
    result = await queue.expire_leases(work_pool_id=POOL)
    assert [each.message.message_id for each in result.dead_lettered] == [message_id]
    with pytest.raises(ValueError, match="limit"):
        await queue.expire_leases(limit=0)


async def test_an_expired_reservation_is_not_taken_for_a_current_one(queue: WorkerCleanupQueue, policy: Any) -> None:
    policy(lease_seconds=0.001)
    message_id = await add(queue)
    reserved = await queue.reserve(work_pool_id=POOL)
    assert reserved is not None
    await asyncio.sleep(0.02)
    late = await queue.ack(work_pool_id=POOL, message_id=message_id, reservation_token=reserved.reservation_token)
    assert (late.status, late.reason) == ("expired", "lease_expired")


async def test_several_workers_never_get_the_same_message(queue: WorkerCleanupQueue) -> None:
    ids = [await add(queue, f"k{number}") for number in range(20)]
    reserved = await asyncio.gather(*(WorkerCleanupQueue().reserve(work_pool_id=POOL) for _ in range(30)))
    assert sorted(each.message_id for each in reserved if each) == sorted(ids)


async def test_dispatchers_are_woken(any_messaging: str, policy: Any) -> None:
    queue = WorkerCleanupQueue()
    pool = uuid4()
    assert await queue.read_wakeup_sequence(pool) == 0
    waiting = asyncio.create_task(WorkerCleanupQueue().wait_for_wakeup(pool, after=0, timeout=10))
    await asyncio.sleep(0.05)
    await add(queue, pool=pool)
    wakeup = await waiting
    assert wakeup is not None
    assert wakeup.sequence == await queue.read_wakeup_sequence(pool) == 1
    assert await queue.wait_for_wakeup(pool, after=1, timeout=0.05) is None
    assert (await queue.wake_dispatchers(pool)).sequence == 2
    seen = await queue.wait_for_wakeup(pool, after=1)
    assert seen is not None
    assert seen.sequence == 2


async def test_the_server_finds_the_queue(messaging: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import get_current_settings

    monkeypatch.setattr(
        get_current_settings().server.worker_channel, "cleanup_queue_storage", "prefect_redis.cleanup_queue"
    )
    assert isinstance(get_worker_cleanup_queue(), WorkerCleanupQueue)
