"""Work at another service is started, waited for, and stopped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from prefect_integration_kit import remote_work
from prefect_integration_kit.remote_work import Failures, Patience, RemoteWork, arun, run
from prefect_integration_kit.sdk_errors import TranslatedError


class Busy(TranslatedError):
    """It may pass."""


class TooLate(TranslatedError, TimeoutError):
    """The time was up."""


class Work(RemoteWork[str]):
    failures = Failures(TranslatedError, TranslatedError, TooLate, lambda error: isinstance(error, Busy))
    subject = "The work"

    def __init__(self, looks: list[Any] | None = None, starts: list[Any] | None = None) -> None:
        self.looks = looks if looks is not None else [True]
        self.starts = starts or []
        self.state = ""
        self.stopped: list[str] = []
        self.starting, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    @property
    def is_started(self) -> bool:
        return self.state == "running"

    def start(self) -> None:
        self.starting.set()
        self.go_on.wait(10)
        if self.starts and isinstance(error := self.starts.pop(0), Exception):
            raise error
        self.state = "running"

    def look(self) -> bool:
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, Exception):
            raise found
        self.state = "done" if found else "running"
        return found

    def result(self) -> str:
        return self.state

    def stop(self, reason: str) -> None:
        self.stopped.append(reason)


RUN = (run, arun)


async def test_work_that_ends_gives_its_result_and_passing_failures_are_outlasted(call: Any, fake_clock: Any) -> None:
    work = Work([Busy("x"), False, Busy("x"), True], starts=[Busy("x")])
    assert await call(RUN, work, Patience(7.0, clock=fake_clock)) == "done"
    assert fake_clock.sleeps[1:] == [7.0, 7.0, 7.0]
    assert work.stopped == []


async def test_looks_that_fail_for_ever_fail_the_wait(call: Any, fake_clock: Any) -> None:
    with pytest.raises(Busy):
        await call(RUN, Work([Busy("x")]), Patience(60.0, clock=fake_clock))
    assert sum(fake_clock.sleeps) >= remote_work.PATIENCE_SECONDS


async def test_a_lasting_failure_is_raised_at_once(call: Any, fake_clock: Any) -> None:
    with pytest.raises(TranslatedError, match="no"):
        await call(RUN, Work([TranslatedError("no")]), Patience(60.0, clock=fake_clock))
    assert fake_clock.sleeps == []


@pytest.mark.parametrize("stops", [True, False])
async def test_work_out_of_time_is_stopped_unless_told_otherwise(call: Any, fake_clock: Any, stops: bool) -> None:
    work = Work([False])
    with pytest.raises(TooLate, match="It was stopped" if stops else "It goes on"):
        await call(RUN, work, Patience(1.0, 5.0, stops, fake_clock))
    assert len(work.stopped) == int(stops)


@pytest.mark.parametrize("name", ["interval_seconds", "timeout_seconds"])
async def test_times_that_are_not_positive_are_refused_before_anything_starts(call: Any, name: str) -> None:
    work = Work()
    with pytest.raises(TranslatedError, match=f"The work: {name} is 0"):
        await call(RUN, work, Patience(**{"interval_seconds": 1.0, name: 0}))
    assert not work.starting.is_set()


async def test_work_whose_start_is_under_way_when_the_wait_is_cancelled_is_stopped() -> None:
    work = Work([False])
    work.go_on.clear()
    waiting = asyncio.create_task(arun(work, Patience(0.01)))
    await asyncio.to_thread(work.starting.wait, 10)
    waiting.cancel()
    work.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.stopped == ["The Prefect run that waited for it was cancelled."]


async def test_a_wait_can_be_cancelled_at_any_moment_and_the_work_is_stopped() -> None:
    """The moments between the end of the start and the first look are the ones that matter."""
    for turns in range(60):
        work = Work([False])
        waiting = asyncio.create_task(arun(work, Patience(0.01)))
        await asyncio.sleep(0.0005 * turns)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(work.stopped) == int(work.state == "running")


async def test_requests_run_where_the_package_says() -> None:
    names: set[str] = set()

    class Own(Work):
        async def in_thread(self, call: Any) -> Any:
            names.add(getattr(call, "__name__", ""))
            return await asyncio.to_thread(call)

    assert await arun(Own([False, True]), Patience(0.01)) == "done"
    assert names == {"start", "look", "settle", "result"}
