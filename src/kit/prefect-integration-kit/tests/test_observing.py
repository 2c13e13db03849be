"""An observer runs in a thread of its own while it has users, whatever happens to it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import Any

import pytest

from prefect_integration_kit.observing import BackgroundObserver, Main, observe_for_ever
from prefect_integration_kit.waiting import Backoff, apoll, poll

NAME = "test-observer"
logger = logging.getLogger("test")
setting = contextvars.ContextVar("setting", default="")


class Group(Exception):
    """What a group of tasks raises; Python 3.10 has none of its own."""

    def __init__(self, *exceptions: Exception) -> None:
        super().__init__("unhandled errors in a TaskGroup")
        self.exceptions = exceptions


class Observation:
    """Observes nothing, until it is cancelled, and keeps what a test asks about."""

    def __init__(self) -> None:
        self.settings: list[str] = []
        self.ends = 0

    async def run(self) -> None:
        self.settings.append(setting.get())
        try:
            await asyncio.Event().wait()
        finally:
            self.ends += 1


def observer(main: Main) -> BackgroundObserver:
    return BackgroundObserver(main, subject="boxes", thread_name=NAME, backoff=Backoff(), logger=logger)


def threads() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def until(is_so: Any) -> None:
    poll(lambda: is_so() or None, subject="what the test waits for", interval_seconds=0.005, timeout_seconds=30)


async def auntil(is_so: Any) -> None:
    async def look() -> Any:
        return is_so() or None

    await apoll(look, subject="what the test waits for", interval_seconds=0.005, timeout_seconds=30)


def test_it_runs_once_and_until_its_last_user_has_gone() -> None:
    observation = Observation()
    background = observer(observation.run)
    assert not background.is_running
    for turn in (1, 2):
        background.acquire()
        background.acquire()
        until(lambda turn=turn: len(observation.settings) == turn)
        assert threads() == 1
        background.release()
        assert (background.is_running, observation.ends) == (True, turn - 1)
        background.release()
        assert (background.is_running, observation.ends, threads()) == (False, turn, 0)
        background.release()  # once too often does no harm


async def test_users_in_other_event_loops_share_it() -> None:
    observation = Observation()
    background = observer(observation.run)
    background.acquire()
    await asyncio.to_thread(background.acquire)
    await auntil(lambda: observation.settings)
    await asyncio.to_thread(lambda: asyncio.run(background.arelease()))
    assert (background.is_running, threads()) == (True, 1)
    await background.arelease()
    assert (background.is_running, observation.ends, threads()) == (False, 1, 0)


async def test_users_of_an_event_loop_go_on_while_it_ends() -> None:
    goes_on = threading.Event()

    async def ends_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            goes_on.wait(30)

    background = observer(ends_slowly)
    background.acquire()
    releasing = asyncio.create_task(background.arelease())
    await auntil(lambda: not background.is_running)
    assert not releasing.done()
    goes_on.set()
    await releasing
    assert threads() == 0


def test_it_sees_the_context_of_whoever_had_it_started() -> None:
    observation = Observation()
    background = observer(observation.run)
    token = setting.set("of the first")
    background.acquire()
    setting.reset(token)
    until(lambda: observation.settings)
    background.release()
    assert observation.settings == ["of the first"]


def test_a_thread_that_died_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies() -> None:
        raise SystemExit

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    background = observer(dies)
    background.acquire()
    until(lambda: not background.is_running)
    background.acquire()
    background.release()
    background.release()
    assert not background.is_running


async def test_it_is_started_again_for_ever_and_ever_more_slowly(
    fake_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    async def fails() -> None:
        tries.append(1)
        if len(tries) == 10:
            await asyncio.Event().wait()
        raise ValueError("a bug")

    backoff = Backoff(initial_seconds=5.0, maximum_seconds=300.0, random=lambda: 1.0)
    task = asyncio.create_task(
        observe_for_ever(fails, subject="boxes", backoff=backoff, logger=logger, clock=fake_clock)
    )
    await auntil(lambda: len(tries) == 10)
    task.cancel()
    assert fake_clock.sleeps == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert caplog.text.count("ValueError: a bug") >= 9


async def test_a_long_run_is_forgiven_the_failures_before_it(fake_clock: Any) -> None:
    tries: list[int] = []

    async def fails() -> None:
        tries.append(1)
        if len(tries) == 3:
            fake_clock.sleep(1000)
        if len(tries) == 5:
            await asyncio.Event().wait()

    backoff = Backoff(initial_seconds=5.0, maximum_seconds=300.0, random=lambda: 1.0)
    task = asyncio.create_task(
        observe_for_ever(fails, subject="boxes", backoff=backoff, logger=logger, clock=fake_clock)
    )
    await auntil(lambda: len(tries) == 5)
    task.cancel()
    assert fake_clock.sleeps == [5, 10, 1000, 5, 10]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        pytest.param(ValueError("a bug"), "ValueError: a bug", id="error"),
        pytest.param(Group(Group(ValueError("a bug"))), "ValueError: a bug", id="group-of-one"),
        pytest.param(Group(OSError(), OSError()), "Group: unhandled errors in a TaskGroup", id="group-of-two"),
        pytest.param(None, "it came to an end", id="end"),
    ],
)
async def test_the_log_says_why_it_stopped(
    error: Exception | None, why: str, fake_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    async def ends() -> None:
        tries.append(1)
        if len(tries) == 2:
            await asyncio.Event().wait()
        if error is not None:
            raise error

    backoff = Backoff(initial_seconds=5.0, random=lambda: 1.0)
    task = asyncio.create_task(
        observe_for_ever(ends, subject="boxes", backoff=backoff, logger=logger, clock=fake_clock)
    )
    await auntil(lambda: len(tries) == 2)
    task.cancel()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said == [f"The observer of boxes stopped and is started again in 5 seconds: {why}"]
