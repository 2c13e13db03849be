"""What containers print is printed once and in order, however much comes between two looks."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Any

import pytest

from prefect_azure._aci.output import Outputs, SeenLines, without_time
from prefect_azure.errors import AzureAccessDenied, AzureNotFound, AzureUnavailable
from prefect_integration_kit.waiting import SYSTEM_CLOCK
from prefect_integration_tests.pool_runs import until

LIMIT_BYTES = 4 << 20


class Log:
    """A log as Azure shows it: its last lines, or at most 4 MB of its end."""

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES, has_times: bool = True) -> None:
        self.lines: list[str] = []
        self.partial = ""
        self.asked: list[int | None] = []
        self.errors: list[Exception] = []
        self._limit_bytes = limit_bytes
        self._has_times = has_times

    def print(self, *lines: str) -> None:
        for line in lines:
            number = len(self.lines)
            self.lines.append(f"2026-11-26T05:30:00.{number:09}Z {line}" if self._has_times else line)

    def show(self, tail: int | None) -> str:
        text = "".join(f"{line}\n" for line in (self.lines if tail is None else self.lines[-tail:]))
        return text[-self._limit_bytes :] + self.partial

    async def read(self, tail: int | None) -> str:
        self.asked.append(tail)
        if self.errors:
            raise self.errors.pop(0)
        return self.show(tail)


def look(seen: SeenLines, log: Log, tail: int, *, is_last: bool = False) -> list[str]:
    """One look as the worker takes it."""
    new = seen.unseen(log.show(tail), asked=tail, is_last=is_last)
    if new is None:
        new = seen.unseen(log.show(None), asked=None, is_last=is_last)
    assert new is not None
    return [without_time(line) for line in new]


@pytest.mark.parametrize("has_times", [True, False], ids=["with times", "without times"])
@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_seen_once_and_in_order(seed: int, has_times: bool) -> None:
    chance = random.Random(seed)
    log, seen, got = Log(has_times=has_times), SeenLines(), []
    for _ in range(30):
        # Few different lines, so that without times they are easily mistaken for each other.
        log.print(*(chance.choice("abc") for _ in range(chance.choice([0, 1, 2, 5, 9, 10, 11, 40]))))
        got += look(seen, log, 10)
    got += look(seen, log, 10, is_last=True)
    assert got == [without_time(line) for line in log.lines]


def test_a_burst_of_ten_thousand_lines_is_seen_whole() -> None:
    log, seen = Log(), SeenLines()
    log.print("first")
    assert look(seen, log, 100) == ["first"]
    log.print(*(f"line {number}" for number in range(10_000)))
    assert look(seen, log, 100) == [f"line {number}" for number in range(10_000)]


def test_lines_are_counted_on_where_the_beginning_is_shown_no_more() -> None:
    log, seen = Log(limit_bytes=4000), SeenLines()
    got: list[str] = []
    for start in range(0, 400, 40):
        log.print(*(f"line {number}" for number in range(start, start + 40)))
        got += look(seen, log, 10)
    assert got == [f"line {number}" for number in range(400)]


def test_a_line_that_is_not_ended_waits_for_its_end() -> None:
    log, seen = Log(), SeenLines()
    log.print("one")
    log.partial = "half a "
    assert look(seen, log, 10) == ["one"]
    log.partial = ""
    log.lines.append("half a line")
    log.partial = "rest"
    assert look(seen, log, 10) == ["half a line"]
    assert look(seen, log, 10, is_last=True) == ["rest"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("2026-11-26T05:30:00.123456789Z hello", "hello"),
        ("2026-11-26T05:30:00Z 2025-01-01T00:00:00Z own time", "2025-01-01T00:00:00Z own time"),
        ("2026-11-26T05:30:00+00:00 \ttab", "\ttab"),
        ("2026-11-26T05:30:00.1Z windows\r", "windows"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_azure_s_time_is_taken_off_a_line(line: str, text: str) -> None:
    assert without_time(line) == text


class Printed:
    """Outputs that print into a list."""

    def __init__(self, tail_lines: int = 10) -> None:
        self.lines: list[str] = []
        self.records: list[str] = []
        logger = logging.getLogger(f"test-aci-output-{id(self)}")
        logger.addHandler(self._Handler(self.records))
        logger.propagate = False
        self.outputs = Outputs(interval_seconds=0.01, tail_lines=tail_lines, logger=logger, write=self.write)

    class _Handler(logging.Handler):
        def __init__(self, records: list[str]) -> None:
            super().__init__()
            self.said = records

        def emit(self, record: logging.LogRecord) -> None:
            self.said.append(record.getMessage())

    def write(self, lines: Sequence[str]) -> None:
        self.lines += lines


async def test_output_is_followed_until_the_group_has_ended() -> None:
    log, printed = Log(), Printed()
    printed.outputs.start("x", log.read)
    log.print("early")
    await until(lambda: printed.lines == ["early"], "the first line")
    log.print(*map(str, range(1000)))
    printed.outputs.has_ended("x")
    await printed.outputs.finish("x")
    assert printed.lines == ["early", *map(str, range(1000))]
    assert printed.records == []


async def test_one_look_takes_one_call_unless_more_was_printed_than_it_shows() -> None:
    log, printed = Log(), Printed()
    printed.outputs.start("x", log.read)
    for count in range(1, 5):
        log.print("some", "more")
        await until(lambda count=count: len(printed.lines) == 2 * count, "the lines")
    assert set(log.asked) == {10}
    log.print(*map(str, range(100)))
    await until(lambda: len(printed.lines) == 108, "the burst")
    assert log.asked.count(None) == 1
    # Who has printed much will print much: the look after it asks for more lines.
    await until(lambda: log.asked[-1] == 10, "a look with few lines")
    assert 200 in log.asked
    await printed.outputs.close()


@pytest.mark.parametrize("error", [AzureUnavailable("503"), AzureNotFound("not yet")], ids=["unavailable", "not there"])
async def test_output_goes_on_after_a_log_could_not_be_read(error: Exception) -> None:
    log, printed = Log(), Printed()
    log.errors = [error, error]
    log.print("hello")
    printed.outputs.start("x", log.read)
    await until(lambda: printed.lines, "the line")
    await printed.outputs.finish("x")
    assert printed.lines == ["hello"]
    assert len(printed.records) == (1 if isinstance(error, AzureUnavailable) else 0)  # said once


async def test_a_log_that_may_not_be_read_is_said_and_left_alone() -> None:
    log, printed = Log(), Printed()
    log.errors = [AzureAccessDenied("no role")]
    printed.outputs.start("x", log.read)
    await printed.outputs.finish("x")
    assert printed.records == ["The output of container group 'x' cannot be printed any more: no role"]
    assert len(log.asked) == 1


async def test_output_of_a_group_that_is_gone_is_not_waited_for() -> None:
    log, printed = Log(), Printed()
    log.errors = [AzureNotFound("gone")] * 10
    printed.outputs.start("x", log.read)
    await until(lambda: len(log.asked) >= 3, "looks")
    await asyncio.wait_for(printed.outputs.finish("x"), 5)
    assert len(log.asked) <= 4


async def test_a_worker_that_closes_looks_no_more() -> None:
    log, printed = Log(), Printed()
    printed.outputs.start("x", log.read)
    await until(lambda: log.asked, "a look")
    await printed.outputs.close()
    seen: Any = len(log.asked)
    await SYSTEM_CLOCK.asleep(0.03)
    assert len(log.asked) == seen
