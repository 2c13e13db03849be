"""The checks pass what is right and refuse what is not."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

from prefect_integration_kit.waiting import Backoff, poll, retry
from prefect_integration_tests.checks import (
    Injector,
    assert_ends_in_error,
    assert_flat_memory,
    assert_loop_is_free,
    assert_permanent_is_raised_at_once,
    assert_refreshes_once,
    assert_threads_do_not_grow,
    assert_transient_is_retried,
    measure_loop_lag,
    peak_memory,
    run_together,
)

MIB = 2**20


class Service:
    """A service that fails as often as it is told to, and a client that repeats or does not."""

    def __init__(self, clock, *, patient: bool) -> None:
        self.edge = Injector([])
        self.clock = clock
        self.patient = patient

    def fail(self, times: int) -> None:
        self.edge = Injector([ConnectionError("gone")] * times)

    def attempts(self) -> int:
        return self.edge.calls

    def use(self) -> str:
        def call() -> str:
            self.edge()
            return "done"

        return retry(call, is_transient=lambda _: self.patient, backoff=Backoff(), clock=self.clock)

    async def ause(self) -> str:
        return self.use()


async def test_an_error_must_come_and_name_its_subject() -> None:
    def fail() -> None:
        raise KeyError("bucket 'b'")

    assert isinstance(await assert_ends_in_error(fail, "b", error=KeyError), KeyError)
    with pytest.raises(AssertionError, match=r"does not name \['elsewhere'\]"):
        await assert_ends_in_error(fail, "b", "elsewhere")
    with pytest.raises(AssertionError, match="returned 1 instead of failing"):
        await assert_ends_in_error(lambda: 1)
    with pytest.raises(KeyError):
        await assert_ends_in_error(fail, "b", error=ValueError)


@pytest.mark.parametrize("face", ["use", "ause"])
async def test_transient_failures_must_be_survived(fake_clock, face) -> None:
    good = Service(fake_clock, patient=True)
    result = await assert_transient_is_retried(getattr(good, face), good.fail, attempts=good.attempts)
    assert result == "done"
    bad = Service(fake_clock, patient=False)
    with pytest.raises(AssertionError, match="2 passing failures ended in ConnectionError"):
        await assert_transient_is_retried(getattr(bad, face), bad.fail, attempts=bad.attempts)


async def test_failures_that_are_never_met_prove_nothing(fake_clock) -> None:
    service = Service(fake_clock, patient=True)
    with pytest.raises(AssertionError, match="failures were not met"):
        await assert_transient_is_retried(lambda: "cached", service.fail, attempts=service.attempts)


async def test_permanent_failures_must_be_raised_at_once(fake_clock) -> None:
    good = Service(fake_clock, patient=False)
    await assert_permanent_is_raised_at_once(good.use, good.fail, good.attempts, "gone")
    bad = Service(fake_clock, patient=True)
    with pytest.raises(AssertionError, match=r"was tried 6 times|returned"):
        await assert_permanent_is_raised_at_once(bad.use, bad.fail, bad.attempts, "gone")


def test_a_refresh_must_happen_once() -> None:
    class Token:
        def __init__(self, lock) -> None:
            self.fresh, self.refreshes, self.lock = False, 0, lock

        def use(self) -> None:
            with self.lock:
                if not self.fresh:
                    time.sleep(0.01)
                    self.refreshes += 1
                    self.fresh = True

    from contextlib import nullcontext

    good, bad, fresh = Token(threading.Lock()), Token(nullcontext()), Token(threading.Lock())
    assert_refreshes_once(good.use, lambda: good.refreshes)
    with pytest.raises(AssertionError, match="refreshes instead of one"):
        assert_refreshes_once(bad.use, lambda: bad.refreshes)
    fresh.fresh = True
    with pytest.raises(AssertionError, match="0 refreshes"):
        assert_refreshes_once(fresh.use, lambda: fresh.refreshes)


def test_threads_start_together_and_their_errors_are_seen() -> None:
    barrier = threading.Barrier(8)
    assert len(run_together(lambda: barrier.wait(timeout=10), threads=8)) == 8

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_together(fail, threads=2)


async def test_a_blocked_loop_is_found_out() -> None:
    async def block() -> None:
        time.sleep(0.3)

    async def compute() -> None:
        start = time.thread_time()
        while time.thread_time() - start < 0.2:
            pass

    async def wait() -> None:
        await asyncio.sleep(0.1)

    assert await measure_loop_lag(block) > 0.1
    assert await measure_loop_lag(compute) > 0.1
    assert await assert_loop_is_free(wait) <= 0.05
    with pytest.raises(AssertionError, match=r"event loop was blocked for .* ms"):
        await assert_loop_is_free(block, tries=2)


async def test_one_stall_of_the_machine_is_forgiven() -> None:
    calls = 0

    async def stall_once() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            time.sleep(0.1)

    await assert_loop_is_free(stall_once)


async def test_what_other_threads_keep_from_every_thread_is_not_the_loops_fault() -> None:
    stop = threading.Event()

    def hold_the_lock() -> None:  # each turn of such a thread lasts the interpreter's switch interval
        while not stop.is_set():
            pass

    threads = [threading.Thread(target=hold_the_lock) for _ in range(6)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.02)
    for thread in threads:
        thread.start()
    try:
        await assert_loop_is_free(lambda: asyncio.sleep(0.5))
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()


async def test_memory_that_grows_is_found_out() -> None:
    def hoard() -> int:
        return len(bytearray(64 * MIB).replace(b"\0", b"x"))

    async def careful() -> None:
        for _ in range(64):
            bytearray(MIB)

    await assert_flat_memory(careful, limit_bytes=32 * MIB)
    with pytest.raises(AssertionError, match="Hoarding took"):
        await assert_flat_memory(hoard, limit_bytes=32 * MIB, what="Hoarding")


def test_memory_is_sampled_where_the_peak_cannot_be_reset(monkeypatch) -> None:
    monkeypatch.setattr("prefect_integration_tests.checks._reset_peak", lambda: False)
    with peak_memory() as memory:
        held = bytearray(64 * MIB).replace(b"\0", b"x")
        poll(
            lambda: memory.growth_bytes >= 32 * MIB or None,
            subject="a sample",
            interval_seconds=0.01,
            timeout_seconds=30,
        )
    assert len(held) == 64 * MIB


def test_memory_is_measured_without_proc(monkeypatch) -> None:
    monkeypatch.setattr("prefect_integration_tests.checks._resident_bytes", lambda: None)
    with peak_memory() as memory:
        bytearray(8 * MIB)
    assert 8 * MIB <= memory.growth_bytes < 16 * MIB


async def test_threads_that_stay_are_found_out() -> None:
    end = threading.Event()

    def leave() -> None:
        threading.Thread(target=end.wait, daemon=True).start()

    try:
        await assert_threads_do_not_grow(lambda: None)
        with pytest.raises(AssertionError, match="left 5 threads behind"):
            await assert_threads_do_not_grow(leave)
    finally:
        end.set()
