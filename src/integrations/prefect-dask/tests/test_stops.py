"""Stops of task runs: they arrive in the function of a task, and neither around it nor in the midst of logging."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_run_logger, task
from prefect.context import FlowRunContext

from prefect_dask import DaskTaskRunner
from prefect_dask._stops import Stop

Eventually = Callable[[Callable[[], Any]], Any]

SECONDS = 60


class Holds(logging.Handler):
    """Holds the thread that logs certain words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self.go_on = threading.Event()
        self.rounds = 0
        self.has_ended = False

    def handle(self, record: logging.LogRecord) -> bool:  # without a lock: others may log
        if self._words in record.getMessage() and not self.rounds:
            deadline = time.monotonic() + SECONDS
            while not self.go_on.wait(0.005) and time.monotonic() < deadline:
                self.rounds += 1
            self.has_ended = True
        return True


@pytest.fixture
def holds(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Holds]:
    """A handler of what task runs and Prefect's engine log, at all levels."""
    handler = Holds(request.param)
    logger = logging.getLogger("prefect.task_runs")
    with caplog.at_level(logging.DEBUG, logger=logger.name):
        logger.addHandler(handler)
        yield handler
        handler.go_on.set()
        logger.removeHandler(handler)


@task
def work(begun: Path) -> None:
    begun.touch()
    get_run_logger().info("Hold me here.")
    while True:
        time.sleep(0.01)


@task
def work_on(begun: Path) -> Iterator[None]:
    begun.touch()
    get_run_logger().info("Hold me here.")
    while True:
        time.sleep(0.01)
        yield


@pytest.mark.parametrize(
    ("each", "holds", "begins"),
    [
        (work, "Hold me here.", True),
        (work_on, "Hold me here.", True),
        (work.with_options(timeout_seconds=10 * SECONDS), "Hold me here.", True),
        (work_on.with_options(timeout_seconds=10 * SECONDS), "Hold me here.", True),
        (work, "Executing task", False),
    ],
    ids=["function", "generator", "time limit", "generator with a time limit", "engine"],
    indirect=["holds"],
)
def test_a_stop_leaves_who_logs_in_peace(
    runner: DaskTaskRunner, holds: Holds, eventually: Eventually, tmp_path: Path, each: Any, begins: bool
) -> None:
    @flow(task_runner=runner)
    def stops() -> bool:
        context = FlowRunContext.get()
        assert context is not None
        future = each.submit(tmp_path / "begun")
        eventually(lambda: holds.rounds)
        assert context.task_runner.client.stop_task_runs([future.task_run_id]) == {future.task_run_id}
        then = holds.rounds
        eventually(lambda: holds.rounds > then + 50)
        holds.go_on.set()
        future.wait(timeout=SECONDS)
        return future.state.is_crashed()

    assert stops()
    eventually(lambda: holds.has_ended)
    assert (tmp_path / "begun").exists() is begins


class Ended(BaseException):
    """What a stop raises here."""


def test_a_stop_waits_until_the_function_begins() -> None:
    stop, begun = Stop(Ended), False
    stop.ask()
    with pytest.raises(Ended), stop.let_in():
        begun = True
    assert not begun


def test_a_stop_that_comes_too_late_changes_nothing() -> None:
    for _ in range(300):
        stop = Stop(Ended)
        ended: list[bool] = []

        def run(stop: Stop = stop, ended: list[bool] = ended) -> None:
            was_stopped = False
            try:
                with stop.let_in():
                    sum(range(100))
            except Ended:
                was_stopped = True
            for _ in range(100):
                threading.get_ident()
            ended.append(was_stopped)

        thread = threading.Thread(target=run)
        thread.start()
        stop.ask()
        thread.join()
        assert len(ended) == 1


def test_a_stop_cancels_what_a_coroutine_awaits() -> None:
    async def wait() -> None:
        stop = Stop(Ended)
        with stop.let_in_coroutine():
            threading.Thread(target=stop.ask).start()
            await asyncio.sleep(SECONDS)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(wait())


@pytest.mark.parametrize("when", ["before", "at the end", "after"])
def test_a_coroutine_is_cancelled_in_its_function_alone(when: str) -> None:
    events: list[str] = []

    async def wait() -> None:
        stop = Stop(Ended)
        if when == "before":
            stop.ask()
        with stop.let_in_coroutine():
            events.append("begun")
            if when == "at the end":
                stop.ask()
        if when == "after":
            stop.ask()
        for _ in range(3):
            await asyncio.sleep(0)
        events.append("ended")

    if when == "before":
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(wait())
    else:
        asyncio.run(wait())
    assert events == ([] if when == "before" else ["begun", "ended"])
