"""Events that follow one another are handled in that order, whatever order they arrive in."""

from __future__ import annotations

import asyncio
import contextlib
import random
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis.asyncio
from prefect.server.events.ordering import CausalOrderingModule, EventArrivedEarly
from prefect.server.events.schemas.events import ReceivedEvent, Resource

from prefect_integration_tests.backends.redis import RedisServer
from prefect_redis import ordering as module
from prefect_redis.ordering import CausalOrdering, EventBeingProcessed

START = datetime.now(timezone.utc)


def event(follows: UUID | None = None, number: int = 0, received: datetime | None = None) -> ReceivedEvent:
    return ReceivedEvent(
        id=uuid4(),
        occurred=START + timedelta(milliseconds=number),
        received=received or datetime.now(timezone.utc),
        event=f"event.{number}",
        resource=Resource({"prefect.resource.id": "a"}),
        follows=follows,
    )


class Handler:
    """Handles events as the server's triggers do."""

    def __init__(self, order: CausalOrdering, fail: tuple[UUID, ...] = ()) -> None:
        self.order = order
        self.handled: list[UUID] = []
        self.fail = set(fail)

    async def __call__(self, event: ReceivedEvent, depth: int = 0) -> None:
        async with self.order.preceding_event_confirmed(self, event, depth):
            if event.id in self.fail:
                self.fail.remove(event.id)
                raise ValueError("not this time")
            self.handled.append(event.id)

    async def deliver(self, event: ReceivedEvent) -> None:
        if await self.order.event_has_been_seen(event):
            return
        with contextlib.suppress(EventArrivedEarly):
            await self(event)


@pytest.fixture
def order(messaging: RedisServer) -> CausalOrdering:
    return CausalOrdering("tests")


def test_a_server_can_use_the_module() -> None:
    assert isinstance(module, CausalOrderingModule)


async def test_a_follower_waits_for_its_leader(any_messaging: str) -> None:
    order = CausalOrdering("tests")
    handler = Handler(order)
    leader = event()
    follower = event(leader.id, 1)
    with pytest.raises(EventArrivedEarly):
        await handler(follower)
    assert [each.id for each in await order.get_followers(leader)] == [follower.id]
    await handler(leader)
    assert handler.handled == [leader.id, follower.id]
    assert await order.get_followers(leader) == []
    assert await order.get_lost_followers() == []
    assert await order.event_has_been_seen(follower.id)


@pytest.mark.parametrize("seed", range(5))
async def test_shuffled_and_repeated_events_are_handled_once_in_order(order: CausalOrdering, seed: int) -> None:
    dice = random.Random(seed)
    chains: list[list[ReceivedEvent]] = []
    for _ in range(4):
        chain = [event()]
        for number in range(1, 8):
            chain.append(event(chain[-1].id, number))
        chains.append(chain)
    arriving = [each for chain in chains for each in chain] * 2
    dice.shuffle(arriving)
    handler = Handler(order)
    for each in arriving:
        await handler.deliver(each)
    assert sorted(handler.handled) == sorted(each.id for chain in chains for each in chain)
    for chain in chains:
        assert [each for each in handler.handled if each in {one.id for one in chain}] == [one.id for one in chain]


async def test_several_processes_lose_and_repeat_nothing(order: CausalOrdering) -> None:
    leader = event()
    followers = [event(leader.id, number) for number in range(1, 20)]
    handlers = [Handler(CausalOrdering("tests")) for _ in range(4)]

    async def deliver(number: int, each: ReceivedEvent) -> None:
        await asyncio.sleep(0)
        await handlers[number % 4].deliver(each)

    await asyncio.gather(*(deliver(n, each) for n, each in enumerate([*followers[:9], leader, *followers[9:]])))
    together = [each for handler in handlers for each in handler.handled]
    assert sorted(together) == sorted(each.id for each in [leader, *followers])


async def test_an_event_that_fails_is_not_seen_and_may_come_again(order: CausalOrdering) -> None:
    one = event()
    handler = Handler(order, fail=(one.id,))
    with pytest.raises(ValueError, match="not this time"):
        await handler(one)
    assert not await order.event_has_been_seen(one)
    await handler(one)
    assert handler.handled == [one.id]


async def test_a_failing_follower_holds_no_other_up(order: CausalOrdering) -> None:
    leader = event()
    bad, good = event(leader.id, 1), event(leader.id, 2)
    handler = Handler(order, fail=(bad.id,))
    await handler.deliver(bad)
    await handler.deliver(good)
    with pytest.raises(ValueError, match="not this time"):
        await handler(leader)
    assert handler.handled == [leader.id, good.id]


async def test_an_event_is_handled_by_one_at_a_time(order: CausalOrdering) -> None:
    one = event()
    async with order.event_is_processing(one):
        assert await order.event_has_started_processing(one)
        with pytest.raises(EventBeingProcessed):
            await Handler(order)(one)
    assert not await order.event_has_started_processing(one)
    assert await order.event_has_been_seen(one)


async def test_followers_are_part_of_the_completion(order: CausalOrdering) -> None:
    leader = event()
    later, sooner = event(leader.id, 2), event(leader.id, 1)
    await order.record_follower(later)
    await order.record_follower(sooner)
    async with order.event_is_processing(leader) as completion:
        pass
    assert [each.id for each in completion.followers] == [sooner.id, later.id]
    assert [each.id for each in await order.followers_by_id([later.id, uuid4()])] == [later.id]
    await order.forget_follower(later)
    assert [each.id for each in await order.get_followers(leader)] == [sooner.id]


async def test_lost_followers_are_given_to_one_process(order: CausalOrdering) -> None:
    old = event(uuid4(), received=datetime.now(timezone.utc) - timedelta(minutes=20))
    fresh = event(uuid4())
    await order.record_follower(old)
    await order.record_follower(fresh)
    taken = await asyncio.gather(*(CausalOrdering("tests").get_lost_followers() for _ in range(3)))
    assert [each.id for found in taken for each in found] == [old.id]
    handler = Handler(order)
    await handler(old)  # too old to wait for anybody
    assert handler.handled == [old.id]


async def test_lost_followers_come_again_when_whoever_took_them_died(
    order: CausalOrdering, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = event(uuid4(), received=datetime.now(timezone.utc) - timedelta(minutes=20))
    await order.record_follower(old)
    with monkeypatch.context() as patched:
        patched.setattr(module, "_PROCESSING", timedelta(0))  # for so long it has them to itself
        assert [each.id for each in await order.get_lost_followers()] == [old.id]
    (again,) = await order.get_lost_followers()
    assert await order.get_lost_followers() == []
    handler = Handler(order)
    await handler(again)
    assert handler.handled == [old.id]


async def test_waiting_for_a_leader_that_is_done_meanwhile(order: CausalOrdering) -> None:
    leader = event()
    follower = event(leader.id, 1)
    await order.record_event_as_processing(leader)
    waiting = asyncio.create_task(order.wait_for_leader(follower))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await order.complete_event_and_get_followers(leader)
    await waiting
    with pytest.raises(EventArrivedEarly):
        await order.wait_for_leader(event(uuid4()))


async def test_all_that_is_stored_expires(order: CausalOrdering, admin: Any) -> None:
    await Handler(order).deliver(event(uuid4()))
    await Handler(order).deliver(event())
    keys = admin.keys("*")
    assert len(keys) == 4
    assert all(0 < admin.ttl(key) <= 3600 for key in keys)


async def test_an_event_takes_two_requests(order: CausalOrdering, admin: Any) -> None:
    await Handler(order)(event())  # the scripts are known now
    before = admin.info("commandstats")
    for number in range(10):
        await Handler(order)(event(number=number))
    calls = admin.info("commandstats")["cmdstat_evalsha"]["calls"] - before["cmdstat_evalsha"]["calls"]
    assert calls == 20
    assert admin.info("commandstats").get("cmdstat_eval") == before.get("cmdstat_eval")


async def test_a_client_of_the_callers_own_is_used(server: RedisServer) -> None:
    order = CausalOrdering("tests")
    order.redis = redis.asyncio.Redis(port=server.port, decode_responses=True)
    first = event()
    handler = Handler(order)
    await handler(first)
    assert await order.event_has_been_seen(first)
    await order.redis.aclose()
