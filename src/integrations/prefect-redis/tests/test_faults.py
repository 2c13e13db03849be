"""The line to Redis breaks, and Redis refuses: what becomes of each thing that is kept there."""

from __future__ import annotations

import os
import resource
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
from prefect.server.events.schemas.events import ReceivedEvent, Resource
from pydantic import SecretStr

from prefect_integration_kit.waiting import Backoff
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import EdgeFault
from prefect_integration_tests.backends.redis import RedisServer
from prefect_integration_tests.suites import HttpFaultSuite
from prefect_redis import RedisDatabase, RedisLockManager, cleanup_queue, lease_storage, ordering, redis_execute
from prefect_redis.cleanup_queue import WorkerCleanupQueue
from prefect_redis.client import clear_cached_clients
from prefect_redis.errors import RedisAccessDenied, RedisDatabaseError, RedisTLSError, RedisUnreachable
from prefect_redis.lease_storage import ConcurrencyLeaseStorage
from prefect_redis.messaging import Cache, Publisher
from prefect_redis.ordering import CausalOrdering

from ._redis_edge import Command, RedisEdge

SILENCE: frozenset[EdgeFault] = frozenset({"reset", "time-out", "truncated", "lost"})
POOL = uuid.uuid4()
_SCRIPTS = {"EVALSHA", "EVAL"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are told after a second."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_RETRY_SECONDS", "1")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_CONNECT_TIMEOUT_SECONDS", "2")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_ANSWER_TIMEOUT_SECONDS", "0.6")
    short = Backoff(initial_seconds=0.05, maximum_seconds=0.2, deadline_seconds=1.0)
    for module in (lease_storage, cleanup_queue, ordering):
        monkeypatch.setattr(module, "_RETRIES", short)
    monkeypatch.setattr(Publisher, "_retries", short)


class _RedisFaults(HttpFaultSuite):
    error = RedisDatabaseError
    named = "Redis"

    @pytest.fixture
    def edge_at_place(self, server: RedisServer) -> Any:
        """An edge, where its `url` leads to."""
        return RedisEdge(server.port)

    @pytest.fixture
    async def edge(self, edge_at_place: RedisEdge, admin: Any, messaging_at: Callable[[str], None]) -> Any:
        edge = edge_at_place
        self.admin = admin
        messaging_at(edge.url)
        await self._changed(edge, "warm")  # from here on scripts are known
        yield edge
        await clear_cached_clients()
        edge.close()

    def strikes(self, call: Any) -> bool:
        return call.name in _SCRIPTS

    def refusal(self, fault: EdgeFault) -> Any:
        return {
            "429": b"ERR max number of clients reached",
            "500": b"BUSY Redis is busy running a script.",
            "503": b"LOADING Redis is loading the dataset in memory",
        }.get(fault)


class TestDatabase(_RedisFaults):
    def strikes(self, call: Command) -> bool:
        return call.name in ("SET", "GET")

    async def change(self, edge: RedisEdge, key: str) -> None:
        block = RedisDatabase(connection_url=SecretStr(edge.url))
        await block.awrite_path(key, b"content")
        assert await block.aread_path(key) == b"content"

    def changes(self, edge: RedisEdge, key: str) -> int:
        return self.admin.exists(key)


class TestCommands(_RedisFaults):
    unsure = SILENCE

    def strikes(self, call: Command) -> bool:
        return call.name == "INCR"

    async def change(self, edge: RedisEdge, key: str) -> None:
        await redis_execute.fn(RedisDatabase(connection_url=SecretStr(edge.url), socket_timeout=0.6), f"INCR {key}")

    def changes(self, edge: RedisEdge, key: str) -> int:
        return int(self.admin.get(key) or 0)


class TestLocks(_RedisFaults):
    async def change(self, edge: RedisEdge, key: str) -> None:
        locks = RedisLockManager(connection_url=edge.url)
        assert await locks.aacquire_lock(key, "one", acquire_timeout=0, hold_timeout=60)
        assert locks.acquire_lock(key, "one", acquire_timeout=0, hold_timeout=60)

    def changes(self, edge: RedisEdge, key: str) -> int:
        return self.admin.exists(f"lock:{key}")


class TestMessages(_RedisFaults):
    stream: ClassVar = "events"

    async def change(self, edge: RedisEdge, key: str) -> None:
        async with Publisher("events", Cache()) as publisher:
            await publisher.publish_data(key.encode(), {"id": key})

    def changes(self, edge: RedisEdge, key: str) -> int:
        return sum(fields["data"] == key for _, fields in self.admin.xrange(self.stream))


class TestLeases(_RedisFaults):
    held: ClassVar = "prefect:concurrency:held-until"

    async def change(self, edge: RedisEdge, key: str) -> None:
        self.limit = uuid.uuid5(uuid.NAMESPACE_URL, key)
        await ConcurrencyLeaseStorage().create_lease([self.limit], timedelta(minutes=5))

    def changes(self, edge: RedisEdge, key: str) -> int:
        return self.admin.zcard(self.held) - 1  # but for the first


class TestCleanupQueue(_RedisFaults):
    """A message is stored, reserved and done; each step may meet the fault."""

    async def change(self, edge: RedisEdge, key: str) -> None:
        queue = WorkerCleanupQueue()
        message_id = uuid.uuid4()
        kind: Any = "cancelling_timeout_teardown.v1"
        await queue.enqueue(
            message_id=message_id, idempotency_key=key, work_pool_id=POOL, kind=kind, target={"id": key}
        )
        reserved = await queue.reserve(work_pool_id=POOL)
        assert reserved is not None
        assert (reserved.message_id, reserved.delivery_count) == (message_id, 1)
        token = reserved.reservation_token
        done = await queue.ack(work_pool_id=POOL, message_id=message_id, reservation_token=token)
        assert done.status == "accepted"

    def changes(self, edge: RedisEdge, key: str) -> int:
        return self.admin.zcard("prefect:worker-cleanup:acked") - 1

    @pytest.mark.parametrize("step", [1, 2, 3], ids=["stored", "reserved", "done"])
    async def test_each_step_outlasts_a_lost_answer(self, edge: RedisEdge, step: int) -> None:
        seen = 0

        def where(call: Command) -> bool:
            nonlocal seen
            seen += call.name in _SCRIPTS
            return call.name in _SCRIPTS and seen == step

        with edge.fault("lost", where=where) as struck:
            await self._changed(edge, "once")
            assert struck() == 1
        assert self.changes(edge, "once") == 1


class TestOrdering(_RedisFaults):
    """An event is begun, handled, and counts as seen."""

    @pytest.fixture(autouse=True)
    def _nothing_handled(self) -> None:
        self.handled: list[str] = []

    def event(self, key: str, follows: uuid.UUID | None = None) -> ReceivedEvent:
        moment = datetime.now(timezone.utc)
        resource_ = Resource({"prefect.resource.id": key})
        return ReceivedEvent(
            id=uuid.uuid4(), occurred=moment, received=moment, event=key, resource=resource_, follows=follows
        )

    async def change(self, edge: RedisEdge, key: str) -> None:
        order = CausalOrdering("faults")
        event = self.event(key)

        async def handle(event: Any, depth: int = 0) -> None: ...

        async with order.preceding_event_confirmed(handle, event):
            self.handled.append(key)
        assert await order.event_has_been_seen(event)

    def changes(self, edge: RedisEdge, key: str) -> int:
        return self.handled.count(key)

    async def test_lost_followers_are_not_lost_with_an_answer(self, edge: RedisEdge) -> None:
        order = CausalOrdering("faults")
        old = self.event("old", uuid.uuid4()).model_copy(
            update={"received": datetime.now(timezone.utc) - timedelta(minutes=20)}
        )
        await order.record_follower(old)
        await order.get_lost_followers()  # the script is known now
        self.admin.delete(*self.admin.keys("prefect:ordering:faults:taken:*"))
        self.admin.zadd("prefect:ordering:faults:waitlist", {str(old.id): 1})
        with edge.fault("lost", where=self.strikes) as struck:
            assert [each.id for each in await order.get_lost_followers()] == [old.id]
            assert struck() == 1


def test_a_lock_that_was_released_is_not_missed_when_the_answer_is_lost(server: RedisServer, admin: Any) -> None:
    """Somebody else has it already when the release is sent again."""
    edge = RedisEdge(server.port)
    locks = RedisLockManager(port=edge.port)
    locks.acquire_lock("warm", "one", hold_timeout=60)
    locks.release_lock("warm", "one")
    locks.acquire_lock("record", "one", hold_timeout=60)

    def inherit() -> None:
        while not admin.set("lock:record", "two", nx=True):
            time.sleep(0.001)

    with edge.fault("lost", where=lambda call: call.name in _SCRIPTS) as struck:
        thread = threading.Thread(target=inherit, daemon=True)
        thread.start()
        locks.release_lock("record", "one")
        thread.join(10)
        assert struck() == 1
    assert admin.get("lock:record") == "two"
    edge.close()


# Servers that cannot be reached, or refuse for good

Operation = Callable[[str], Awaitable[Any]]


async def _database(url: str) -> None:
    await RedisDatabase(connection_url=url).awrite_path("key", b"1")


async def _commands(url: str) -> None:
    await redis_execute.fn(RedisDatabase(connection_url=url), "SET key 1")


async def _locks(url: str) -> None:
    await RedisLockManager(connection_url=url).aacquire_lock("key", "one", acquire_timeout=0, hold_timeout=60)


async def _messages(url: str) -> None:
    async with Publisher("events", Cache()) as publisher:
        await publisher.publish_data(b"1", {"id": "1"})


async def _leases(url: str) -> None:
    await ConcurrencyLeaseStorage().create_lease([uuid.uuid4()], timedelta(minutes=5))


async def _cleanup(url: str) -> None:
    kind: Any = "cancelling_timeout_teardown.v1"
    await WorkerCleanupQueue().enqueue(
        message_id=uuid.uuid4(), idempotency_key=uuid.uuid4().hex, work_pool_id=POOL, kind=kind, target={"id": "x"}
    )


async def _ordering(url: str) -> None:
    moment = datetime.now(timezone.utc)
    resource_ = Resource({"prefect.resource.id": "a"})
    event = ReceivedEvent(id=uuid.uuid4(), occurred=moment, received=moment, event="e", resource=resource_)
    await CausalOrdering("faults").record_event_as_seen(event)


OPERATIONS: dict[str, Operation] = {
    "database": _database,
    "commands": _commands,
    "locks": _locks,
    "messages": _messages,
    "leases": _leases,
    "cleanup": _cleanup,
    "ordering": _ordering,
}


@pytest.fixture(params=list(OPERATIONS))
async def operation(request: pytest.FixtureRequest, messaging_at: Callable[[str], None]) -> Any:
    """Does something with each kind of thing at an address."""

    async def do(url: str) -> None:
        messaging_at(url)
        await OPERATIONS[request.param](url)

    yield do
    await clear_cached_clients()


async def test_a_host_that_nobody_knows_is_named(operation: Operation) -> None:
    with pytest.raises(RedisUnreachable, match=rf"{UNRESOLVABLE_HOST}.*Check host and port"):
        await operation(f"redis://{UNRESOLVABLE_HOST}:6379/0")


async def test_a_certificate_that_nobody_trusts_is_refused(operation: Operation, secure: RedisServer) -> None:
    url = secure.url.partition("?")[0]
    with pytest.raises(RedisTLSError, match="ssl_ca_certs") as caught:
        await operation(url)
    assert "default-pw" not in f"{caught.value}{caught.value!r}"


async def test_access_that_was_taken_away_is_told_at_once(
    operation: Operation, server: RedisServer, admin: Any
) -> None:
    admin.execute_command("ACL", "SETUSER", "worker", "on", ">worker-pw", "~*", "&*", "+@all")
    try:
        url = server.url_for("worker", "worker-pw")
        await operation(url)
        admin.execute_command("ACL", "SETUSER", "worker", "-@all")
        began = time.monotonic()
        with pytest.raises(RedisAccessDenied, match="ACL") as caught:
            await operation(url)
        assert time.monotonic() - began < 1.0
        assert "worker-pw" not in f"{caught.value}{caught.value!r}"
    finally:
        admin.execute_command("ACL", "DELUSER", "worker")


@pytest.fixture(scope="module")
def full_server() -> Iterator[RedisServer]:
    """A server that cannot write to its disk any more."""
    with RedisServer.start(options=["--save", "1 1"]) as server, server.client() as client:
        resource.prlimit(client.info("server")["process_id"], resource.RLIMIT_FSIZE, (300_000, 300_000))
        client.set("first", os.urandom(500_000).hex())
        deadline = time.monotonic() + 10
        while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server


async def test_a_server_whose_disk_is_full_is_told(operation: Operation, full_server: RedisServer) -> None:
    with pytest.raises(RedisDatabaseError, match="unable to persist to disk"):
        await operation(full_server.url)


# Clocks


@pytest.fixture(params=[-86_400, 86_400])
def jump(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the clock of this process jump."""
    real = time.time

    def now() -> None:
        monkeypatch.setattr(time, "time", lambda: real() + request.param)

    return now


def test_a_clock_that_jumps_lets_keys_live_as_long_as_they_should(
    server: RedisServer, admin: Any, jump: Callable[[], None]
) -> None:
    jump()
    RedisDatabase(port=server.port, key_ttl=100).write_path("a while", b"1")
    assert 90 < admin.ttl("a while") <= 100


async def test_a_clock_that_jumps_loses_no_message(
    messaging: RedisServer, admin: Any, jump: Callable[[], None]
) -> None:
    await _messages("")
    jump()
    await _messages("")
    assert admin.xlen("events") == 2


async def test_a_clock_that_jumps_ends_no_lease(messaging: RedisServer, jump: Callable[[], None]) -> None:
    storage = ConcurrencyLeaseStorage()
    lease = await storage.create_lease([uuid.uuid4()], timedelta(minutes=5))
    jump()
    assert await storage.read_expired_lease_ids() == []
    assert await storage.renew_lease(lease.id, timedelta(minutes=5))


async def test_a_clock_that_jumps_keeps_reservations(messaging: RedisServer, jump: Callable[[], None]) -> None:
    await _cleanup("")
    queue = WorkerCleanupQueue()
    reserved = await queue.reserve(work_pool_id=POOL)
    assert reserved is not None
    jump()
    assert await queue.reserve(work_pool_id=POOL) is None
    token = {"message_id": reserved.message_id, "reservation_token": reserved.reservation_token}
    assert (await queue.ack(work_pool_id=POOL, **token)).status == "accepted"
