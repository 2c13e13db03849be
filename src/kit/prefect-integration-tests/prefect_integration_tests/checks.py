"""Checks of the rules that no suite can prove without knowing the service: a package's own tests call them.

Rule 5, state tells the truth: `assert_ends_in_error`. Rule 6, transient is not failure:
`assert_transient_is_retried`, `assert_permanent_is_raised_at_once`. Rule 7, credentials outlive the
run: `assert_refreshes_once`. Rule 8, bounded: `measure_loop_lag`, `assert_loop_is_free`,
`peak_memory`, `assert_flat_memory`, `assert_threads_do_not_grow`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import inspect
import sys
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

LOOP_LAG_LIMIT_SECONDS = 0.05
"""How long the event loop may be kept from its other work."""

_SAMPLE_SECONDS = 0.002


async def _settle(value: T | Awaitable[T]) -> T:
    if inspect.isawaitable(value):
        return await value
    return value


# State


async def assert_ends_in_error(
    run: Callable[[], Any],
    *names: str,
    error: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> Exception:
    """Check that an operation fails, and that the error names what it is about.

    Args:
        run: The operation; what it returns is awaited if it can be.
        names: Texts that the message must hold, such as the name of the bucket.
        error: What it must raise.

    Returns:
        The error, for further checks.

    Raises:
        AssertionError: If it succeeds, or a name is missing.
    """
    try:
        result = await _settle(run())
    except error as exc:
        raised = exc
    else:
        raise AssertionError(f"The operation returned {result!r} instead of failing.")
    missing = [name for name in names if name not in str(raised)]
    assert not missing, f"{type(raised).__name__} does not name {missing}: {raised}"
    return raised


# Transient and permanent failures


@dataclass
class Injector:
    """Counts calls and fails the first ones; put it at the network's edge.

    Attributes:
        failures: Errors to raise, in order.
        calls: How often the edge was reached.
    """

    failures: Sequence[BaseException]
    calls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> None:
        """Count a call, and raise the next failure if one is left."""
        with self._lock:
            self.calls += 1
            turn = self.calls - 1
        if turn < len(self.failures):
            raise self.failures[turn]


async def assert_transient_is_retried(
    call: Callable[[], T | Awaitable[T]],
    inject: Callable[[int], Any],
    *,
    attempts: Callable[[], int] | None = None,
    failures: int = 2,
) -> T:
    """Check that an operation survives failures which pass.

    Args:
        call: The operation.
        inject: Makes the service fail the given number of times, then work.
        attempts: Reads how often the service was reached since `inject`. With it, an operation that
            never met the failures is found out.
        failures: How many failures to inject.

    Returns:
        What the operation returned.

    Raises:
        AssertionError: If the operation fails or did not meet the failures.
    """
    await _settle(inject(failures))
    try:
        result = await _settle(call())
    except Exception as exc:
        raise AssertionError(f"{failures} passing failures ended in {exc!r}.") from exc
    if attempts is not None:
        assert attempts() > failures, f"Only {attempts()} attempts; the failures were not met."
    return result


async def assert_permanent_is_raised_at_once(
    call: Callable[[], Any],
    inject: Callable[[int], Any],
    attempts: Callable[[], int],
    *names: str,
    error: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> Exception:
    """Check that an operation does not repeat what cannot succeed.

    Args:
        call: The operation.
        inject: Makes the service fail the given number of times in a way that is for good.
        attempts: Reads how often the service was reached since `inject`.
        names: Texts that the message must hold.
        error: What it must raise.

    Returns:
        The error.

    Raises:
        AssertionError: If there were several attempts, no error, or a name is missing.
    """
    await _settle(inject(5))
    raised = await assert_ends_in_error(call, *names, error=error)
    assert attempts() == 1, f"A permanent error was tried {attempts()} times."
    return raised


# Credentials


def assert_refreshes_once(use: Callable[[], Any], refreshes: Callable[[], int], *, threads: int = 16) -> None:
    """Check that many threads which find a token expired refresh it once between them.

    Args:
        use: Uses the credentials; the token must be expired before the check.
        refreshes: Reads how often the token was refreshed so far.
        threads: How many threads use the credentials at the same moment.

    Raises:
        AssertionError: If there was no refresh or more than one.
    """
    before = refreshes()
    run_together(use, threads=threads)
    count = refreshes() - before
    assert count == 1, f"{threads} threads caused {count} refreshes instead of one."


def run_together(work: Callable[[], T], *, threads: int = 16) -> list[T]:
    """Run the same work in many threads that start at the same moment.

    Args:
        work: What each thread does.
        threads: How many.

    Returns:
        One result for each thread.

    Raises:
        Exception: The first error of a thread.
    """
    barrier = threading.Barrier(threads)

    def start() -> T:
        barrier.wait(timeout=30)
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(start) for _ in range(threads)]]


# The event loop


async def measure_loop_lag(work: Callable[[], Awaitable[Any]]) -> float:
    """Measure the longest time that the event loop was kept busy while some work ran.

    A busy machine, or other threads that hold the interpreter's lock, keep every thread waiting. A thread that does
    nothing but sleep shows how long, and that much of the loop's lag is not the work's fault, unless the loop's own
    thread was computing all the while.

    Args:
        work: Starts the work.

    Returns:
        Seconds.
    """
    longest = computing = 0.0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal longest, computing
        while not done.is_set():
            before, computed = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_SAMPLE_SECONDS)
            longest = max(longest, time.perf_counter() - before - _SAMPLE_SECONDS)
            computing = max(computing, time.thread_time() - computed - _SAMPLE_SECONDS)

    with _sleeper() as others:
        watcher = asyncio.create_task(watch())
        await asyncio.sleep(0)
        try:
            await work()
        finally:
            done.set()
            await watcher
    return max(longest - others[0], computing, 0.0)


@contextmanager
def _sleeper() -> Generator[list[float], None, None]:
    """Measure, in a thread, by how much a short sleep was longer than asked for at worst; first item of the list."""
    longest, stop = [0.0], threading.Event()

    def sleep() -> None:
        while not stop.is_set():
            before = time.perf_counter()
            time.sleep(_SAMPLE_SECONDS)
            longest[0] = max(longest[0], time.perf_counter() - before - _SAMPLE_SECONDS)

    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    try:
        yield longest
    finally:
        stop.set()
        thread.join()


async def assert_loop_is_free(
    work: Callable[[], Awaitable[Any]],
    *,
    limit_seconds: float = LOOP_LAG_LIMIT_SECONDS,
    tries: int = 4,
) -> float:
    """Check that work does not block the event loop.

    A busy machine may stall once; code that blocks stalls every time. So the best of a few tries
    counts.

    Args:
        work: Starts the work; it must be safe to repeat.
        limit_seconds: The longest lag that is fine.
        tries: How often to try at most.

    Returns:
        The lag of the best try, in seconds.

    Raises:
        AssertionError: If the lag was longer in each try.
    """
    lags: list[float] = []
    for _ in range(tries):
        lags.append(await measure_loop_lag(work))
        if lags[-1] <= limit_seconds:
            return lags[-1]
    shown = ", ".join(f"{lag * 1000:.0f} ms" for lag in lags)
    raise AssertionError(f"The event loop was blocked for {shown}; {limit_seconds * 1000:.0f} ms are fine.")


# Memory and threads


@dataclass
class Memory:
    """What `peak_memory` found.

    Attributes:
        growth_bytes: How far the memory rose above where it was at the start; known when the context has ended.
    """

    growth_bytes: int = 0


def _resident_bytes() -> int | None:
    """Read the resident size of this process; `None` where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    import resource

    return int(pages) * resource.getpagesize()


def _reset_peak() -> bool:
    """Let the system count this process's peak anew; `False` where it does not."""
    try:
        # https://www.kernel.org/doc/html/latest/filesystems/proc.html: 5 resets VmHWM to the present resident size
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_bytes() -> int:
    """Read the peak since `_reset_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _release_unused() -> None:
    """Give freed memory back to the system, where the C library can, so that growth shows."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def peak_memory() -> Generator[Memory, None, None]:
    """Measure how far memory rises while the context lasts.

    The system's own count of the peak is read where it can be reset, else the resident size is sampled; both count
    native code too. Where the system tells neither, Python's own allocations are traced instead.
    """
    memory = Memory()
    _release_unused()
    start = _resident_bytes()
    if start is None:
        tracemalloc.start()
        try:
            yield memory
        finally:
            memory.growth_bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return
    if _reset_peak():
        try:
            yield memory
        finally:
            memory.growth_bytes = max(_peak_bytes() - start, 0)
        return
    done = threading.Event()

    def sample() -> None:
        while True:
            memory.growth_bytes = max(memory.growth_bytes, (_resident_bytes() or start) - start)
            if done.wait(_SAMPLE_SECONDS):
                return

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield memory
    finally:
        done.set()
        sampler.join()


async def assert_flat_memory(work: Callable[[], Any], *, limit_bytes: int, what: str = "The work") -> int:
    """Check that memory stays within a bound while work runs.

    Args:
        work: Does the work; what it returns is awaited if it can be.
        limit_bytes: How far memory may rise. Take less than the size of what is moved.
        what: Name of the work, for the message.

    Returns:
        How far it rose, in bytes.

    Raises:
        AssertionError: If it rose further.
    """
    with peak_memory() as memory:
        await _settle(work())
    grown, limit = memory.growth_bytes / 2**20, limit_bytes / 2**20
    assert memory.growth_bytes <= limit_bytes, f"{what} took {grown:.0f} MiB; {limit:.0f} MiB are fine."
    return memory.growth_bytes


async def assert_threads_do_not_grow(work: Callable[[], Any], *, times: int = 5, slack: int = 2) -> None:
    """Check that repeated work does not leave threads behind.

    Args:
        work: Does the work once; what it returns is awaited if it can be.
        times: How often to repeat it behind the first, which may fill pools.
        slack: How many threads more are fine.

    Raises:
        AssertionError: If there are more.
    """
    await _settle(work())
    before = threading.active_count()
    for _ in range(times):
        await _settle(work())
    grown = threading.active_count() - before
    assert grown <= slack, f"{times} repetitions left {grown} threads behind."
