"""Messages reach every group, whoever dies, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from prefect.server.utilities.messaging import BrokerModule, CacheModule, StopConsumer

from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.redis import RedisSentinels, RedisServer
from prefect_redis import RedisLockManager
from prefect_redis import messaging as broker
from prefect_redis.client import clear_cached_clients
from prefect_redis.dead_letters import discard_dead_letters, read_dead_letters, replay_dead_letters
from prefect_redis.errors import RedisAccessDenied, RedisUnreachable
from prefect_redis.messaging import Cache, Consumer, Publisher, ephemeral_subscription

SOON = timedelta(milliseconds=20)


async def publish(*contents: str, topic: str = "events", **options: Any) -> None:
    async with Publisher(topic, Cache(), **options) as publisher:
        for content in contents:
            await publisher.publish_data(content.encode(), {"id": content})


class Received:
    """A handler that remembers, and fails as it is told."""

    def __init__(self, fail: Callable[[str], bool] = lambda content: False) -> None:
        self.contents: list[str] = []
        self.attributes: list[Any] = []
        self._fail = fail

    async def __call__(self, message: Any) -> None:
        self.contents.append(message.data)
        self.attributes.append(message.attributes)
        if self._fail(message.data):
            raise ValueError(f"cannot read {message.data}")

    async def until(self, *contents: str) -> None:
        async def look() -> bool | None:
            return set(contents) <= set(self.contents) or None

        await apoll(look, subject=f"{contents}, not only {self.contents},", interval_seconds=0.01, timeout_seconds=15)


async def true_soon(look: Callable[[], Any], subject: str) -> None:
    async def once() -> bool | None:
        with contextlib.suppress(Exception):
            return bool(look()) or None
        return None

    await apoll(once, subject=subject, interval_seconds=0.02, timeout_seconds=20)


@asynccontextmanager
async def consuming(handler: Any, **options: Any) -> AsyncIterator[Consumer]:
    options = {"topic": "events", "block": SOON, "min_idle_time": timedelta(milliseconds=200), **options}
    consumer = Consumer(**options)
    task = asyncio.create_task(consumer.run(handler))
    try:
        yield consumer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_a_server_can_use_the_module() -> None:
    assert isinstance(broker, BrokerModule)
    assert isinstance(broker, CacheModule)


async def test_each_group_sees_each_message_once_in_order(any_messaging: str) -> None:
    contents = [f"m{number}" for number in range(57)]
    await publish(*contents)
    one, two = Received(), Received()
    async with consuming(one, group="one"), consuming(two, group="two"):
        await one.until(*contents)
        await two.until(*contents)
    assert one.contents == two.contents == contents
    assert one.attributes[0] == {"id": "m0"}


async def test_consumers_of_a_group_share(messaging: RedisServer) -> None:
    contents = [f"m{number}" for number in range(40)]
    one, two = Received(), Received()
    async with consuming(one, group="g", name="one"), consuming(two, group="g", name="two"):
        await publish(*contents)
        await true_soon(lambda: len(one.contents + two.contents) >= len(contents), "all messages")
    assert sorted(one.contents + two.contents) == sorted(contents)


async def test_stopping_acknowledges_as_it_is_told(messaging: RedisServer, admin: Any) -> None:
    await publish("a", "b", "c")

    async def stop_at_first(message: Any) -> None:
        raise StopConsumer(ack=True)

    await Consumer("events", group="g", name="one", block=SOON, min_idle_time=SOON).run(stop_at_first)
    rest = Received()
    async with consuming(rest, group="g", name="two", min_idle_time=SOON):
        await rest.until("b", "c")
    assert "a" not in rest.contents


async def test_what_was_not_acknowledged_comes_again(messaging: RedisServer) -> None:
    await publish("a")

    async def stop(message: Any) -> None:
        raise StopConsumer(ack=False)

    await Consumer("events", group="g", name="one", block=SOON).run(stop)
    again = Received()
    async with consuming(again, group="g", name="two", min_idle_time=SOON):
        await again.until("a")


async def test_a_handler_may_acknowledge_by_itself(messaging: RedisServer, admin: Any) -> None:
    await publish("a", "b")

    async def only_a(message: Any) -> None:
        if message.data == "a":
            await message.acknowledge()

    async with consuming(only_a, group="g", automatically_acknowledge=False, min_idle_time=timedelta(seconds=60)):
        await true_soon(lambda: admin.xpending("events", "g")["pending"] == 1, "one pending message")


async def test_a_failing_message_is_tried_again_and_then_a_dead_letter_with_its_reason(messaging: RedisServer) -> None:
    received = Received(fail=lambda content: content == "bad")
    await publish("bad", "good")
    async with consuming(received, group="g", min_idle_time=SOON, max_retries=2):
        await received.until("good")

        async def look() -> Any:
            return await read_dead_letters("events") or None

        (letter,) = await apoll(look, subject="a dead letter", interval_seconds=0.02, timeout_seconds=10)
        assert received.contents.count("bad") == 3
        assert letter.reason == "ValueError: cannot read bad"
        assert (letter.data, letter.attributes, letter.group, letter.deliveries) == ("bad", {"id": "bad"}, "g", 3)
        received._fail = lambda content: False
        assert await replay_dead_letters("events") == 1
        await true_soon(lambda: received.contents.count("bad") == 4, "the replayed message")
    assert await read_dead_letters("events") == []
    assert await discard_dead_letters("events") == 0


async def test_handled_messages_do_not_come_again_however_short_the_idle_time(messaging: RedisServer) -> None:
    contents = [f"m{number}" for number in range(100)]
    await publish(*contents)
    received = Received()
    async with consuming(received, min_idle_time=timedelta(0)):
        await received.until(*contents)
        await publish("last")
        await received.until("last")
    assert received.contents == [*contents, "last"]


async def test_a_long_handler_keeps_its_message(messaging: RedisServer) -> None:
    await publish("slow")
    release = asyncio.Event()
    seen: list[str] = []

    async def slow(message: Any) -> None:
        seen.append("first")
        await release.wait()

    async def other(message: Any) -> None:
        seen.append("second")

    idle = timedelta(milliseconds=150)
    async with consuming(slow, group="g", name="one", min_idle_time=idle):
        await true_soon(lambda: seen, "the first delivery")
        async with consuming(other, group="g", name="two", min_idle_time=idle):
            await publish("next")
            await true_soon(lambda: "second" in seen, "the next message")
            await asyncio.sleep(4 * idle.total_seconds())
            assert seen == ["first", "second"]
        release.set()


async def test_messages_are_not_published_twice(any_messaging: str, messaging_at: Any) -> None:
    await publish("a", "b", "a", deduplicate_by="id")
    await publish("b", "c", deduplicate_by="id")
    received = Received()
    async with consuming(received):
        await received.until("a", "b", "c")
    assert received.contents == ["a", "b", "c"]
    await Cache().clear_recently_seen_messages()
    await publish("a", deduplicate_by="id")
    async with consuming(received):
        await true_soon(lambda: received.contents.count("a") == 2, "the forgotten message")


async def test_the_cache_remembers_and_forgets(any_messaging: str) -> None:
    cache = Cache()
    message = broker.RedisStreamsMessage(b"", {"id": "1"})
    anonymous = broker.RedisStreamsMessage(b"", {})
    assert await cache.without_duplicates("id", [message, anonymous]) == [message, anonymous]
    assert await cache.without_duplicates("id", [message, anonymous]) == [anonymous]
    await cache.forget_duplicates("id", [message])
    assert await cache.without_duplicates("id", [message]) == [message]
    await cache.clear_recently_seen_messages()
    assert await cache.without_duplicates("id", [message]) == [message]


async def test_a_batch_that_is_not_full_is_sent_in_time(messaging: RedisServer) -> None:
    received = Received()
    async with (
        consuming(received),
        Publisher("events", Cache(), batch_size=100, publish_every=timedelta(milliseconds=30)) as publisher,
    ):
        await publisher.publish_data(b"a", {})
        await received.until("a")


async def test_a_broken_topic_raises_and_can_be_published_to_later(messaging: RedisServer) -> None:
    with pytest.raises(ValueError, match="oops"):
        async with broker.break_topic():
            await publish("a", deduplicate_by="id")
    await publish("a", deduplicate_by="id")
    received = Received()
    async with consuming(received):
        await received.until("a")
    assert received.contents == ["a"]


async def test_bytes_that_are_no_text_arrive(messaging: RedisServer) -> None:
    async with Publisher("events", Cache()) as publisher:
        await publisher.publish_data(b"\xff\x00", {})
    received = Received()
    async with consuming(received):
        await true_soon(lambda: received.contents == [b"\xff\x00"], "the bytes")


# Ephemeral subscriptions


async def test_listeners_hear_what_comes_and_leave_no_state(any_messaging: str) -> None:
    await publish("before")
    one, two = Received(), Received()
    async with ephemeral_subscription("events") as first, ephemeral_subscription("events") as second:
        await publish("between")
        async with consuming(one, **first), consuming(two, **second):
            await one.until("between")
            await publish("after")
            await one.until("after")
            await two.until("after")
    assert one.contents == two.contents == ["between", "after"]
    client: Any = broker.get_async_redis_client()
    assert await client.xinfo_groups("events" if "cluster" not in any_messaging else "{events}") == []


async def test_a_listener_survives_its_own_mistakes(messaging: RedisServer) -> None:
    received = Received(fail=lambda content: content == "bad")
    async with ephemeral_subscription("events") as options, consuming(received, **options):
        await publish("bad", "good")
        await received.until("good")


# Death and resurrection

_CONSUMER = """
import asyncio, sys
from datetime import timedelta
from prefect_redis.messaging import Consumer

async def handle(message):
    print(message.data, flush=True)

async def main():
    idle = timedelta(milliseconds=300)
    block = timedelta(milliseconds=20)
    await Consumer("events", name=sys.argv[1], group="g", block=block, min_idle_time=idle).run(handle)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_nothing_is_lost_when_consumers_are_killed(messaging: RedisServer) -> None:
    """At least once, whoever dies: every id is seen, and what is seen twice was in the hands of a dead one."""
    contents = [f"m{number}" for number in range(600)]
    seen: list[str] = []

    async def read(process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            seen.append(line.decode().strip())

    for round_ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CONSUMER, f"c{round_}", stdout=subprocess.PIPE
        )
        reader = asyncio.create_task(read(process))
        await publish(*contents[round_ * 200 : round_ * 200 + 200])
        count = len(seen)
        await true_soon(lambda count=count: len(seen) > count + 20, "some messages")
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await reader
    rest = Received()
    async with consuming(rest, group="g", name="last", min_idle_time=timedelta(milliseconds=300)):
        await rest.until(*(set(contents) - set(seen)))
    together = seen + rest.contents
    assert set(together) == set(contents)
    assert len(together) - len(contents) <= 3 * 200


async def test_a_restarted_redis_is_connected_to_again(messaging_at: Callable[[str], None]) -> None:
    with RedisServer.start(is_durable=True) as server:
        messaging_at(server.url)
        received, heard = Received(), Received()
        async with (
            consuming(received, group="g") as consumer,
            ephemeral_subscription("events") as options,
            consuming(heard, **options),
        ):
            await publish("before")
            await received.until("before")

            def blocked() -> int:
                with server.client() as client:
                    return sum(each["cmd"] in ("xread", "xreadgroup") for each in client.client_list())

            await true_soon(lambda: blocked() == 2, "two readers")
            server.process.restart()
            await publish("after")
            await received.until("after")
            await heard.until("after")
            await true_soon(lambda: blocked() == 2, "two readers after the restart")
            assert consumer.health.is_healthy
        assert received.contents.count("after") == 1
        await clear_cached_clients()


async def test_what_is_handled_while_redis_restarts_is_acknowledged_then(messaging_at: Callable[[str], None]) -> None:
    with RedisServer.start(is_durable=True) as server:
        messaging_at(server.url)
        await publish("held")
        release = asyncio.Event()
        seen: list[str] = []

        async def hold(message: Any) -> None:
            seen.append(message.data)
            await release.wait()

        async with consuming(hold, group="g"):
            await true_soon(lambda: seen, "the message")
            server.process.restart()
            release.set()
            await publish("next")

            def pending() -> int:
                with server.client() as client:
                    return client.xpending("events", "g")["pending"]

            await true_soon(lambda: "next" in seen and pending() == 0, "the acknowledgements")
        assert seen == ["held", "next"]
        await clear_cached_clients()


async def test_a_failover_of_sentinels_is_outlasted(messaging_at: Callable[[str], None]) -> None:
    with RedisSentinels.start(password="pw") as sentinels:
        messaging_at(sentinels.url)
        locks = RedisLockManager(connection_url=sentinels.url)
        received = Received()
        async with consuming(received, group="g"):
            await publish("before")
            await received.until("before")
            locks.acquire_lock("record", "one")
            old = sentinels.primary()
            with old.client() as client:
                client.wait(1, 5000)
            old.process.kill()
            await publish("after")
            await received.until("after")
        assert await asyncio.to_thread(locks.is_lock_holder, "record", "one")
        await clear_cached_clients()


async def test_an_emptied_redis_is_no_error(messaging: RedisServer, admin: Any) -> None:
    received = Received()
    async with consuming(received, group="g", starting_message_id="$"):
        await true_soon(lambda: admin.xinfo_groups("events"), "the group")
        admin.flushall()
        await publish("after")
        await received.until("after")


async def test_a_redis_that_is_not_there_yet_is_waited_for(messaging_at: Callable[[str], None]) -> None:
    with RedisServer.start() as server:
        messaging_at(server.url)
        server.process.kill()
        received = Received()
        async with consuming(received, group="g") as consumer:
            await true_soon(lambda: consumer.health.consecutive_failures >= 1, "a failure")
            server.process.start()
            await publish("at last")
            await received.until("at last")
        await clear_cached_clients()


async def test_a_wrong_password_is_told_at_once(secure: RedisServer, messaging_at: Callable[[str], None]) -> None:
    messaging_at(secure.url_for("app", "wrong-pw"))
    with pytest.raises(RedisAccessDenied, match="password") as caught:
        await Consumer("events", block=SOON).run(Received())
    assert "wrong-pw" not in str(caught.value)
    with pytest.raises(RedisAccessDenied):
        await publish("a")
    await clear_cached_clients()


async def test_an_acl_that_forbids_the_stream_is_told(secure: RedisServer, messaging_at: Callable[[str], None]) -> None:
    messaging_at(secure.url_for("reader", "reader-pw"))
    with pytest.raises(RedisAccessDenied, match="ACL"):
        await Consumer("events", block=SOON).run(Received())
    await clear_cached_clients()


async def test_publishing_to_a_dead_redis_raises_and_loses_nothing_that_was_accepted(
    messaging_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_integration_kit.waiting import Backoff

    monkeypatch.setattr(Publisher, "_retries", Backoff(initial_seconds=0.01, deadline_seconds=0.1))
    with RedisServer.start() as server:
        messaging_at(server.url)
        async with Publisher("events", Cache(), deduplicate_by="id", batch_size=2) as publisher:
            await publisher.publish_data(b"accepted", {"id": "accepted"})
            server.process.kill()
            with pytest.raises(RedisUnreachable):
                await publisher.publish_data(b"refused", {"id": "refused"})
            server.process.start()
        received = Received()
        async with consuming(received):
            await received.until("accepted")
        assert received.contents == ["accepted"]
        await clear_cached_clients()


# Bounded

_SUBSCRIBER = """
import asyncio
from prefect_redis.messaging import Consumer, ephemeral_subscription

async def main():
    async def handle(message): ...
    async def one():
        async with ephemeral_subscription("events") as options:
            print("ready", flush=True)
            await Consumer(**options).run(handle)
    await asyncio.gather(*(one() for _ in range(50)))

asyncio.run(main())
"""


@pytest.mark.slow
async def test_fifty_killed_subscribers_hold_nothing_up(messaging: RedisServer, admin: Any) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SUBSCRIBER, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(50):
        await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await publish(*(f"m{number}" for number in range(500)))
    received = Received()
    async with consuming(received, group="g", trim_every=timedelta(milliseconds=50)):
        await received.until("m499")
        await true_soon(lambda: admin.xlen("events") <= 1, "an empty stream")
    assert [group["name"] for group in admin.xinfo_groups("events")] == ["g"]


async def test_groups_without_a_live_consumer_hold_nothing_up(
    messaging: RedisServer, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_REDIS_MESSAGING_CONSUMER_TRIM_IDLE_THRESHOLD", "0.3")
    await publish(*(f"m{number}" for number in range(100)))
    for group in ("dead", "ephemeral-old"):
        admin.xgroup_create("events", group, id="0")
        admin.xreadgroup(group, "gone", {"events": ">"}, count=1)
    received = Received()
    async with consuming(received, group="g", trim_every=timedelta(milliseconds=50)):
        await true_soon(lambda: admin.xlen("events") <= 1, "an empty stream")
        await true_soon(lambda: len(admin.xinfo_groups("events")) == 2, "the removal of the old group")
    assert {group["name"] for group in admin.xinfo_groups("events")} == {"g", "dead"}


async def test_what_a_live_group_has_not_handled_is_not_trimmed(messaging: RedisServer, admin: Any) -> None:
    await publish(*(f"m{number}" for number in range(20)))
    fast, slow = Received(), Received(fail=lambda content: True)
    async with (
        consuming(fast, group="fast", trim_every=timedelta(milliseconds=30)),
        consuming(slow, group="slow", trim_every=timedelta(milliseconds=30), min_idle_time=timedelta(seconds=60)),
    ):
        await fast.until("m19")
        await slow.until("m19")
        await asyncio.sleep(0.2)
        assert admin.xlen("events") == 20


async def test_a_stream_has_a_limit(messaging: RedisServer, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_REDIS_MESSAGING_PUBLISHER_MAX_STREAM_LENGTH", "200")
    await publish(*(f"m{number}" for number in range(1000)), batch_size=100)
    assert admin.xlen("events") < 400  # the server removes whole nodes of 100


async def test_a_consumer_that_ends_takes_its_leave(messaging: RedisServer, admin: Any) -> None:
    await publish("a")
    received = Received()
    async with consuming(received, group="g", name="one") as consumer:
        await received.until("a")
    assert len(admin.xinfo_consumers("events", "g")) == 1
    await consumer.cleanup()
    assert admin.xinfo_consumers("events", "g") == []


async def test_spans_are_read_as_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_REDIS_MESSAGING_CONSUMER_BLOCK", "2.5")
    monkeypatch.setenv("PREFECT_REDIS_MESSAGING_PUBLISHER_PUBLISH_EVERY", "3")
    assert broker.RedisMessagingConsumerSettings().block == timedelta(seconds=2.5)
    assert broker.RedisMessagingPublisherSettings().publish_every == timedelta(seconds=3)
    assert json.loads(broker.RedisMessagingConsumerSettings().model_dump_json())["max_retries"] == 3


async def test_a_batch_costs_one_request(messaging: RedisServer, admin: Any) -> None:
    await publish("warm", deduplicate_by="id")
    before = admin.info("commandstats")["cmdstat_evalsha"]["calls"]
    await publish(*(f"m{number}" for number in range(50)), deduplicate_by="id", batch_size=10)
    assert admin.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 5


async def test_many_messages_flow_quickly(messaging: RedisServer) -> None:
    """Not a measurement: a message that costs a request of its own would not pass."""
    contents = [uuid.uuid4().hex for _ in range(5000)]
    received = Received()
    async with consuming(received):
        await publish(*contents, batch_size=500)
        await received.until(*contents)
    assert received.contents == contents
