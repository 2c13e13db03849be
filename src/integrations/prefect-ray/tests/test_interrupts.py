"""Interrupts of a worker arrive in a task's function, also while it blocks, and nowhere else."""

from __future__ import annotations

import _thread
import asyncio
import logging
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import task

from prefect_ray._interrupts import held, let_in_function


def _let_in(each: Any) -> Any:
    let_in_function(each)
    return each.fn


@task
def block() -> None:
    time.sleep(60)


@task
async def ablock() -> None:
    await asyncio.sleep(60)


@task
def wait_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def test_an_interrupt_waits_until_the_function_begins() -> None:
    begun: list[int] = []

    @task
    def begin() -> None:
        begun.append(1)

    function = _let_in(begin)
    with held():
        _thread.interrupt_main()
        time.sleep(0.01)
        with pytest.raises(KeyboardInterrupt):
            function()
        _thread.interrupt_main()  # too late
    assert begun == []


@task
def yield_and_block() -> Iterator[int]:
    yield 1
    time.sleep(60)


@pytest.mark.parametrize("each", [block, wait_for_a_lock, yield_and_block], ids=["sleep", "lock", "generator"])
def test_an_interrupt_ends_a_call_that_blocks(each: Any) -> None:
    function = _let_in(each.with_options())
    began = time.monotonic()
    with held():
        threading.Timer(0.1, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            function()
    assert time.monotonic() - began < 20


def test_a_second_interrupt_lets_the_function_tidy_up() -> None:
    tidied: list[int] = []

    @task
    def tidies() -> None:
        try:
            time.sleep(60)
        finally:
            _thread.interrupt_main()
            time.sleep(0.01)
            tidied.append(1)

    function = _let_in(tidies)
    with held():
        threading.Timer(0.1, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            function()
    assert tidied == [1]


def test_an_interrupt_ends_a_coroutine() -> None:
    function = _let_in(ablock.with_options())
    began = time.monotonic()
    with held():
        threading.Timer(0.3, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(function())
    assert time.monotonic() - began < 20


def test_nothing_is_left_behind() -> None:
    before = signal.getsignal(signal.SIGINT)
    with held(), held():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_left_alone() -> None:
    ended: list[int] = []

    @task
    def end() -> None:
        ended.append(1)

    def run() -> None:
        with held():
            _let_in(end)()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=10)
    assert ended == [1]


class Holds(logging.Handler):
    """Is interrupted while it handles what is logged."""

    has_ended = False

    def emit(self, record: logging.LogRecord) -> None:
        _thread.interrupt_main()
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            time.sleep(0.01)
        self.has_ended = True


def test_an_interrupt_leaves_who_logs_in_peace() -> None:
    handler, logger = Holds(), logging.getLogger("interrupted")
    logger.addHandler(handler)

    @task
    def logs() -> None:
        logger.warning("now")
        time.sleep(60)

    function = _let_in(logs)
    began = time.monotonic()
    with held(), pytest.raises(KeyboardInterrupt):
        function()
    assert time.monotonic() - began < 20
    assert handler.has_ended
