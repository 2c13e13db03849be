"""Waiting backs off as it should, listens to the server, and ends on its deadline, by any clock."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_integration_kit.waiting import (
    SYSTEM_CLOCK,
    Backoff,
    WaitTimeout,
    apoll,
    aretry,
    poll,
    retry,
    retry_after_seconds,
)
from prefect_integration_tests.clock import FakeClock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class Busy(Exception):
    """An error that passes; it may carry what the server asked for."""

    def __init__(self, retry_after: float | bool = True) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


def verdict(error: Exception) -> bool | float:
    return error.retry_after if isinstance(error, Busy) else False


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Call a sync function of this module or its async form; `work` is a plain function in both."""

    def face(function: Any, work: Callable[[], Any], **options: Any) -> Any:
        if request.param == "sync":
            return function(work, **options)

        async def awork() -> Any:
            return work()

        return asyncio.run({retry: aretry, poll: apoll}[function](awork, **options))

    return face


def failing(times: int, error: Callable[[], Exception] = Busy, result: str = "done") -> Callable[[], str]:
    left = iter(range(times))

    def work() -> str:
        for _ in left:
            raise error()
        return result

    return work


@given(
    attempt=st.integers(1, 5000),
    initial=st.floats(0, 100),
    factor=st.floats(1, 1e6),
    maximum=st.floats(0, 1000),
    draw=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 1e6),
)
def test_a_delay_is_jittered_below_its_bound_and_never_shorter_than_asked(
    attempt: int, initial: float, factor: float, maximum: float, draw: float, asked: float | None
):
    backoff = Backoff(initial, factor, maximum, random=lambda: draw)
    delay = backoff.delay(attempt, asked)
    assert delay >= (asked or 0)
    assert 0 <= delay <= max(maximum, asked or 0)


def test_delays_double_up_to_the_maximum():
    backoff = Backoff(initial_seconds=1, factor=2, maximum_seconds=5, random=lambda: 1.0)
    assert [backoff.delay(n) for n in range(1, 6)] == [1, 2, 4, 5, 5]


@given(
    errors=st.lists(st.just(True) | st.floats(0, 50), max_size=40),
    deadline=st.floats(0, 200),
    draw=st.floats(0, 1, exclude_max=True),
    limit=st.none() | st.integers(1, 10),
)
def test_no_wait_is_shorter_than_asked_and_none_ends_past_the_deadline(
    errors: list[bool | float], deadline: float, draw: float, limit: int | None
):
    clock = FakeClock()
    start = clock.monotonic()
    backoff = Backoff(deadline_seconds=deadline, max_attempts=limit, random=lambda: draw)
    asked = iter(errors)
    attempts: list[bool | float] = []

    def work() -> str:
        for error in asked:
            attempts.append(error)
            raise Busy(error)
        return "done"

    with contextlib.suppress(Busy):
        assert retry(work, is_transient=verdict, backoff=backoff, clock=clock) == "done"
    assert clock.monotonic() - start <= deadline + 1e-6
    for error, slept in zip(attempts, clock.sleeps, strict=False):
        assert error is True or slept >= error
    assert limit is None or len(attempts) <= limit


def test_work_that_comes_good_is_returned(run: Callable[..., Any], fake_clock: FakeClock):
    told: list[tuple[type[Exception], float]] = []
    backoff = Backoff(initial_seconds=1, random=lambda: 1.0)
    result = run(
        retry,
        failing(3),
        is_transient=verdict,
        backoff=backoff,
        clock=fake_clock,
        on_retry=lambda error, delay: told.append((type(error), delay)),
    )
    assert result == "done"
    assert fake_clock.sleeps == [1, 2, 4]
    assert told == [(Busy, 1), (Busy, 2), (Busy, 4)]


def test_retry_after_is_obeyed(run: Callable[..., Any], fake_clock: FakeClock):
    run(retry, failing(2, lambda: Busy(17.5)), is_transient=verdict, clock=fake_clock)
    assert fake_clock.sleeps == [17.5, 17.5]


def test_asked_to_wait_past_the_deadline_the_error_is_raised_at_once(run: Callable[..., Any], fake_clock: FakeClock):
    with pytest.raises(Busy):
        run(
            retry,
            failing(1, lambda: Busy(61)),
            is_transient=verdict,
            backoff=Backoff(deadline_seconds=60),
            clock=fake_clock,
        )
    assert fake_clock.sleeps == []


def test_time_spent_in_the_work_counts(run: Callable[..., Any], fake_clock: FakeClock):
    calls: list[float] = []

    def slow() -> str:
        calls.append(fake_clock.now_seconds)
        fake_clock.advance(50)
        raise Busy

    with pytest.raises(Busy):
        run(retry, slow, is_transient=verdict, backoff=Backoff(deadline_seconds=120), clock=fake_clock)
    assert len(calls) == 3


def test_a_permanent_error_is_raised_unchanged_without_a_wait(run: Callable[..., Any], fake_clock: FakeClock):
    error = KeyError("gone")

    def work() -> str:
        raise error

    with pytest.raises(KeyError) as caught:
        run(retry, work, is_transient=verdict, clock=fake_clock)
    assert caught.value is error
    assert fake_clock.sleeps == []


def test_a_zero_from_the_server_means_at_once(run: Callable[..., Any], fake_clock: FakeClock):
    run(
        retry,
        failing(1, lambda: Busy(0.0)),
        is_transient=verdict,
        backoff=Backoff(random=lambda: 0.0),
        clock=fake_clock,
    )
    assert fake_clock.sleeps == [0]


async def test_a_cancelled_wait_ends_at_once():
    waiting = asyncio.create_task(
        aretry(_always_busy, is_transient=lambda _: 3600.0, backoff=Backoff(deadline_seconds=1e9))
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 5)


async def _always_busy() -> str:
    raise Busy


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30),
        ("Fri, 02 Jan 2026 03:04:35 +0000", 30),
        ("Fri, 02 Jan 2026 04:04:35 +0100", 30),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        ("Fri, 99 Jan 2026 03:00:00 GMT", None),
        ("0 JAN 0 0:3000000000", None),
        ("0 JAN 0 0:0 3000000000000", None),
    ],
)
def test_retry_after_is_read(value: str | None, seconds: float | None):
    assert retry_after_seconds(value, now=NOW) == seconds


@given(value=st.text() | st.from_regex(r"\w{3}, \d+ (Jan|Feb) \d+ \d+:\d+:\d+ ([A-Z]{1,5}|[+-]\d+)", fullmatch=True))
def test_whatever_a_server_sends_is_a_number_or_nothing(value: str):
    seconds = retry_after_seconds(value, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(ahead=st.integers(0, 10**7))
def test_a_date_and_its_distance_agree(ahead: int):
    assert retry_after_seconds(format_datetime(NOW + timedelta(seconds=ahead), usegmt=True), now=NOW) == ahead


def test_without_a_present_the_system_tells_it():
    soon = datetime.now(timezone.utc) + timedelta(seconds=100)
    seconds = retry_after_seconds(format_datetime(soon, usegmt=True))
    assert seconds is not None
    assert 90 <= seconds <= 100


def appearing_at(clock: FakeClock, seconds: float, looks: list[float]) -> Callable[[], str | None]:
    start = clock.monotonic()

    def look() -> str | None:
        now = clock.monotonic() - start
        looks.append(now)
        return "there" if now >= seconds else None

    return look


def test_what_is_there_is_returned_without_a_wait(run: Callable[..., Any], fake_clock: FakeClock):
    assert run(poll, lambda: "there", subject="x", interval_seconds=5, clock=fake_clock) == "there"
    assert fake_clock.sleeps == []


def test_a_false_value_counts_as_found(run: Callable[..., Any], fake_clock: FakeClock):
    assert run(poll, lambda: 0, subject="x", interval_seconds=5, clock=fake_clock) == 0


def test_the_last_look_falls_on_the_deadline(run: Callable[..., Any], fake_clock: FakeClock):
    looks: list[float] = []
    look = appearing_at(fake_clock, 12, looks)
    assert run(poll, look, subject="x", interval_seconds=5, timeout_seconds=12, clock=fake_clock) == "there"
    assert looks == [0, 5, 10, 12]


def test_a_wait_that_fails_says_for_what_and_how_long(run: Callable[..., Any], fake_clock: FakeClock):
    looks: list[float] = []
    with pytest.raises(WaitTimeout, match=r"Object s3://b/k was not there after 12 seconds") as caught:
        run(
            poll,
            appearing_at(fake_clock, 13, looks),
            subject="Object s3://b/k",
            interval_seconds=5,
            timeout_seconds=12,
            clock=fake_clock,
        )
    assert looks == [0, 5, 10, 12]
    assert isinstance(caught.value, TimeoutError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_no_time_at_all_is_one_look(run: Callable[..., Any], fake_clock: FakeClock):
    looks: list[float] = []
    with pytest.raises(WaitTimeout):
        run(
            poll,
            appearing_at(fake_clock, 1, looks),
            subject="x",
            interval_seconds=5,
            timeout_seconds=0,
            clock=fake_clock,
        )
    assert looks == [0]


def test_without_a_timeout_it_waits_on(run: Callable[..., Any], fake_clock: FakeClock):
    looks: list[float] = []
    run(poll, appearing_at(fake_clock, 1e6, looks), subject="x", interval_seconds=1e4, clock=fake_clock)
    assert len(looks) == 101


def test_a_slow_look_does_not_add_looks_after_the_deadline(run: Callable[..., Any], fake_clock: FakeClock):
    looks: list[float] = []

    def slow() -> None:
        looks.append(fake_clock.now_seconds)
        fake_clock.advance(8)

    with pytest.raises(WaitTimeout):
        run(poll, slow, subject="x", interval_seconds=1, timeout_seconds=10, clock=fake_clock)
    assert len(looks) == 2


@given(interval=st.floats(0.01, 50), timeout=st.floats(0, 500))
def test_a_poll_never_overstays(interval: float, timeout: float):
    clock = FakeClock()
    start = clock.monotonic()
    looks: list[float] = []
    with pytest.raises(WaitTimeout):
        poll(
            appearing_at(clock, 1e9, looks),
            subject="x",
            interval_seconds=interval,
            timeout_seconds=timeout,
            clock=clock,
        )
    assert looks[-1] == pytest.approx(timeout, abs=1e-6)
    assert clock.monotonic() - start == pytest.approx(timeout, abs=1e-6)


def test_a_negative_interval_is_refused(run: Callable[..., Any]):
    with pytest.raises(ValueError, match="interval_seconds is -1"):
        run(poll, lambda: "there", subject="x", interval_seconds=-1)


def test_an_error_of_the_look_ends_the_wait(run: Callable[..., Any], fake_clock: FakeClock):
    def look() -> None:
        raise PermissionError("403")

    with pytest.raises(PermissionError, match="403"):
        run(poll, look, subject="x", interval_seconds=1, clock=fake_clock)


async def test_the_system_clock_goes_forward():
    start = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.sleep(0.001)
    await SYSTEM_CLOCK.asleep(0.001)
    assert SYSTEM_CLOCK.monotonic() - start >= 0.002
