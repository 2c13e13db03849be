"""A lock has one holder, whatever processes and clocks do."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time
import uuid
from typing import Any
from unittest.mock import patch

import cloudpickle
import pytest
import redis
import redis.asyncio
from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.filesystems import LocalFileSystem
from prefect.locking.protocol import LockManager
from prefect.transactions import IsolationLevel

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.redis import RedisServer
from prefect_redis import RedisLockManager
from prefect_redis.errors import RedisAccessDenied, RedisLockNotHeld, RedisUnreachable, RedisUrlInvalid


@pytest.fixture
def locks(server: RedisServer) -> RedisLockManager:
    return RedisLockManager(port=server.port)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_REDIS_LOCK_LEASE_SECONDS", "0.6")


def test_it_is_a_lock_manager(locks: RedisLockManager) -> None:
    assert isinstance(locks, LockManager)


async def test_one_holder_at_a_time(any_url: str, call: Any) -> None:
    locks = RedisLockManager(connection_url=any_url)
    assert await call(locks, "acquire_lock", "record", "one")
    assert await call(locks, "acquire_lock", "record", "one"), "a holder keeps what it has"
    assert not await call(locks, "acquire_lock", "record", "two", acquire_timeout=0)
    assert locks.is_locked("record")
    assert locks.is_lock_holder("record", "one")
    assert not locks.is_lock_holder("record", "two")
    locks.release_lock("record", "one")
    assert not locks.is_locked("record")
    assert await call(locks, "acquire_lock", "record", "two", acquire_timeout=0, hold_timeout=5)
    locks.release_lock("record", "two")


def test_only_the_holder_releases(locks: RedisLockManager) -> None:
    locks.acquire_lock("record", "one")
    with pytest.raises(RedisLockNotHeld, match="'two'"):
        locks.release_lock("record", "two")
    assert locks.is_lock_holder("record", "one")
    locks.release_lock("record", "one")
    locks.release_lock("record", "one")  # nobody holds it: no error


async def test_waiting_ends_when_the_lock_is_free(locks: RedisLockManager, call: Any) -> None:
    locks.acquire_lock("record", "one")
    threading.Timer(0.1, locks.release_lock, ["record", "one"]).start()
    assert await _wait(locks, call, timeout=5)
    assert await call(locks, "acquire_lock", "record", "two", acquire_timeout=0)


async def _wait(locks: RedisLockManager, call: Any, timeout: float) -> bool:
    if call.face == "sync":
        return await asyncio.to_thread(locks.wait_for_lock, "record", timeout)
    return await locks.await_for_lock("record", timeout)


@pytest.mark.parametrize("seconds", [0, 0.15])
async def test_timeouts_are_exact(locks: RedisLockManager, call: Any, seconds: float) -> None:
    locks.acquire_lock("record", "one")
    begin = time.monotonic()
    assert not await call(locks, "acquire_lock", "record", "two", acquire_timeout=seconds)
    assert not await _wait(locks, call, seconds)
    taken = time.monotonic() - begin
    assert 2 * seconds <= taken < 2 * seconds + 1.0


def test_a_hold_timeout_frees_the_lock(locks: RedisLockManager) -> None:
    locks.acquire_lock("record", "one", hold_timeout=0.1)
    assert locks.acquire_lock("record", "two", acquire_timeout=5)
    assert not locks.is_lock_holder("record", "one")
    with pytest.raises(ValueError, match="hold_timeout"):
        locks.acquire_lock("other", "one", hold_timeout=0)


def test_a_lock_is_renewed_while_its_holder_lives(locks: RedisLockManager, admin: Any, short_leases: None) -> None:
    locks.acquire_lock("record", "one")
    seen_high = 0
    begin = time.monotonic()
    while time.monotonic() - begin < 1.2:  # two leases
        assert locks.is_lock_holder("record", "one")
        seen_high += admin.pttl("lock:record") > 350
        time.sleep(0.02)
    assert seen_high > 10
    locks.release_lock("record", "one")
    assert admin.exists("lock:record") == 0


def test_a_lost_lease_is_told(
    locks: RedisLockManager, admin: Any, short_leases: None, caplog: pytest.LogCaptureFixture
) -> None:
    locks.acquire_lock("record", "one")
    admin.delete("lock:record")  # as an eviction or an operator would
    other = RedisLockManager(port=locks.port)
    assert other.acquire_lock("record", "two", acquire_timeout=0)

    def is_told() -> bool | None:
        return any("was lost" in record.message for record in caplog.records if record.levelno == logging.ERROR) or None

    poll(is_told, subject="the error in the log", interval_seconds=0.02, timeout_seconds=5)
    assert locks.is_lock_holder("record", "two")
    other.release_lock("record", "two")


def test_a_lock_costs_two_requests(locks: RedisLockManager, admin: Any) -> None:
    def count() -> tuple[int, int]:
        stats = admin.info("commandstats")
        return stats["cmdstat_evalsha"]["calls"], admin.info("stats")["total_connections_received"]

    for key in ("warm", *(f"record-{number}" for number in range(10))):
        locks.acquire_lock(key, "one")
        locks.release_lock(key, "one")
        if key == "warm":
            before = count()
    assert count() == (before[0] + 20, before[1])


def test_short_locks_share_a_thread_that_ends_with_the_manager(server: RedisServer) -> None:
    locks = RedisLockManager(port=server.port)
    others = set(_renewing_threads())
    seen: set[threading.Thread] = set()
    for number in range(20):
        locks.acquire_lock(f"record-{number}", "one")
        seen |= set(_renewing_threads()) - others
        locks.release_lock(f"record-{number}", "one")
    (thread,) = seen
    del locks
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def _renewing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefect-redis-locks"]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(
    locks: RedisLockManager, jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is the server's; a client's clock is only looked at for how long it waits, and that one cannot jump."""
    locks.acquire_lock("record", "one", hold_timeout=30)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert locks.is_lock_holder("record", "one")
    assert not locks.acquire_lock("record", "two", acquire_timeout=0.05)
    locks.release_lock("record", "one")
    assert locks.acquire_lock("record", "two", acquire_timeout=0, hold_timeout=30)
    assert not locks.acquire_lock("record", "one", acquire_timeout=0.05)


def _count_up(port: int, name: str, rounds: int) -> None:
    locks = RedisLockManager(port=port)
    client: Any = RedisLockManager(port=port).client
    for _ in range(rounds):
        assert locks.acquire_lock("counter", name)
        value = int(client.get("count") or 0)
        client.set("count", value + 1)
        locks.release_lock("counter", name)


def test_two_processes_exclude_each_other(server: RedisServer, admin: Any) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count_up, args=(server.port, f"p{number}", 40)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert admin.get("count") == "80"


def test_a_lock_of_a_dead_process_becomes_free(server: RedisServer, short_leases: None) -> None:
    code = (
        "import os, sys; from prefect_redis import RedisLockManager;"
        "RedisLockManager(port=int(sys.argv[1])).acquire_lock('record', 'dead'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(server.port)], check=True, timeout=60)
    locks = RedisLockManager(port=server.port)
    assert locks.acquire_lock("record", "heir", acquire_timeout=10)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_a_manager_travels_without_its_connections(locks: RedisLockManager, pickler: Any) -> None:
    locks.acquire_lock("record", "one")
    again = pickle.loads(pickler.dumps(locks))
    assert again.is_lock_holder("record", "one")
    again.release_lock("record", "one")
    assert again.port == locks.port


def test_a_restarted_redis_is_connected_to_again() -> None:
    with RedisServer.start(is_durable=True) as server:
        locks = RedisLockManager(port=server.port)
        locks.acquire_lock("record", "one")
        server.process.restart()
        assert locks.is_lock_holder("record", "one")
        server.process.kill()
        threading.Timer(0.5, server.process.start).start()
        assert locks.is_lock_holder("record", "one")
        locks.release_lock("record", "one")


def test_faults_are_told(impatient: None, secure: RedisServer) -> None:
    with pytest.raises(RedisUnreachable, match=r"127\.0\.0\.1:1/0.*'record'"):
        RedisLockManager(host="127.0.0.1", port=1).acquire_lock("record", "one")
    denied = RedisLockManager(connection_url=secure.url_for("app", "wrong-pw"))
    with pytest.raises(RedisAccessDenied) as caught:
        denied.acquire_lock("record", "one")
    assert "wrong-pw" not in f"{caught.value}{denied!r}"
    with pytest.raises(RedisUrlInvalid, match="redis"):
        RedisLockManager(connection_url="http://localhost")


def test_runs_that_want_the_same_result_compute_it_once(
    prefect_harness: None, locks: RedisLockManager, tmp_path: Any
) -> None:
    computed: list[int] = []
    storage = LocalFileSystem(basepath=str(tmp_path))
    storage.save("locked-results", overwrite=True)
    policy = INPUTS.configure(isolation_level=IsolationLevel.SERIALIZABLE, lock_manager=locks)

    @task(cache_policy=policy, persist_result=True, result_storage=storage)
    def square(x: int, salt: str) -> int:
        computed.append(x)
        time.sleep(0.2)
        return x * x

    @flow
    def squares() -> list[int]:
        salt = uuid.uuid4().hex
        return [future.result() for future in [square.submit(7, salt) for _ in range(4)]]

    assert squares() == [49] * 4
    assert computed == [7]


async def test_clients_of_the_callers_own_are_used(server: RedisServer, call: Any) -> None:
    """Tests of flows set them, and need not know that ours decode answers."""
    locks = RedisLockManager(host="no.such.host.invalid")
    locks.client = redis.Redis(port=server.port)
    locks.async_client = redis.asyncio.Redis(port=server.port)
    assert await call(locks, "acquire_lock", "record", "one", hold_timeout=30)
    assert locks.is_lock_holder("record", "one")
    assert not await call(locks, "acquire_lock", "record", "two", acquire_timeout=0)
    locks.release_lock("record", "one")
    assert await _wait(locks, call, timeout=0)
    locks.client.close()
    await locks.async_client.aclose()


def test_a_client_can_be_patched_for_a_while(locks: RedisLockManager) -> None:
    with patch.object(locks, "client") as client, patch.object(locks, "async_client"):
        client.execute_command.return_value = "one"
        assert locks.is_lock_holder("record", "one")
    assert not locks.is_locked("record")


async def test_classes_in_the_place_of_redis_py_s_are_used(server: RedisServer, call: Any) -> None:
    def here(kind: Any) -> Any:
        return lambda **fields: kind(**{**fields, "host": "127.0.0.1"})

    with (
        patch("prefect_redis.locking.Redis", here(redis.Redis)),
        patch("prefect_redis.locking.AsyncRedis", here(redis.asyncio.Redis)),
    ):
        locks = RedisLockManager(host="no.such.host.invalid", port=server.port)
        assert await call(locks, "acquire_lock", "record", "one", hold_timeout=30)
        assert locks.is_lock_holder("record", "one")
        assert not await _wait(locks, call, timeout=0)
        locks.release_lock("record", "one")
        locks.client.close()
        await locks.async_client.aclose()
    assert RedisLockManager().client.connection_pool.connection_kwargs["host"] == "localhost"
