"""What a job prints is printed here, once and in order, until it has ended."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from prefect_integration_kit.output_streams import OutputStreams, print_lines
from prefect_integration_kit.waiting import SYSTEM_CLOCK, apoll


class Box:
    """A log of numbered lines that shows the last ones."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.asked: list[int | None] = []
        self.errors: list[Exception] = []

    def print(self, *texts: str) -> None:
        self.lines += [f"{len(self.lines) + number} {text}" for number, text in enumerate(texts)]

    async def read(self, tail: int | None) -> str:
        self.asked.append(tail)
        if self.errors:
            raise self.errors.pop(0)
        return "\n".join(self.lines if tail is None else self.lines[-tail:])


class BoxStreams(OutputStreams[list[str]]):
    """Tells lines by their numbers."""

    subject = "box"
    gone_after_looks = 3

    def nothing_seen(self) -> list[str]:
        return []

    def unseen(self, seen: list[str], content: str, *, asked: int | None, is_last: bool) -> list[str] | None:
        lines = [line.split(" ", 1) for line in content.splitlines()]
        if asked is not None and lines and int(lines[0][0]) > len(seen):
            return None
        new = [text for number, text in lines if int(number) >= len(seen)]
        seen += new
        return new

    def is_missing(self, error: Exception) -> bool:
        return isinstance(error, LookupError)

    def is_passing(self, error: Exception) -> bool:
        return isinstance(error, ConnectionError)


class Printed:
    """Streams that print into a list, and what they say of it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.lines: list[str] = []
        self._caplog = caplog
        logger = logging.getLogger("test-output-streams")
        self.streams = BoxStreams(interval_seconds=0.01, tail_lines=10, logger=logger, write=self.lines.extend)

    @property
    def said(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records if record.name == "test-output-streams"]


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture) -> Printed:
    return Printed(caplog)


async def until(is_so: Any, subject: str) -> None:
    async def look() -> bool | None:
        return bool(is_so()) or None

    await apoll(look, subject=subject, interval_seconds=0.01, timeout_seconds=20)


async def test_output_is_followed_until_the_job_has_ended(printed: Printed) -> None:
    box = Box()
    printed.streams.start("x", box.read)
    printed.streams.start("x", box.read)  # it goes on already
    box.print("early")
    await until(lambda: printed.lines == ["early"], "the first line")
    box.print(*map(str, range(1000)))
    printed.streams.has_ended("x")
    await printed.streams.finish("x")
    await printed.streams.finish("x")  # there is nothing to wait for
    assert printed.lines == ["early", *map(str, range(1000))]
    assert printed.said == []


async def test_all_is_read_only_when_more_was_printed_than_a_look_shows(printed: Printed) -> None:
    box = Box()
    printed.streams.start("x", box.read)
    for count in range(1, 5):
        box.print("some", "more")
        await until(lambda count=count: len(printed.lines) == 2 * count, "the lines")
    assert set(box.asked) == {10}
    box.print(*map(str, range(100)))
    await until(lambda: len(printed.lines) == 108 and box.asked[-1] == 10, "the burst, and a look with few lines")
    assert box.asked.count(None) == 1
    assert 200 in box.asked  # who has printed much will print much
    await printed.streams.close()


@pytest.mark.parametrize("error", [ConnectionError("503"), LookupError("not yet")], ids=["passing", "missing"])
async def test_output_goes_on_after_a_log_could_not_be_read(printed: Printed, error: Exception) -> None:
    box = Box()
    box.errors = [error, error]
    box.print("hello")
    printed.streams.start("x", box.read)
    await until(lambda: printed.lines, "the line")
    await printed.streams.finish("x")
    assert printed.lines == ["hello"]
    said_once = ["Output of box 'x' cannot be read at present: 503"]
    assert printed.said == (said_once if isinstance(error, ConnectionError) else [])


async def test_a_log_that_may_not_be_read_is_said_and_left_alone(printed: Printed) -> None:
    box = Box()
    box.errors = [PermissionError("no role")]
    printed.streams.start("x", box.read)
    await printed.streams.finish("x")
    assert printed.said == ["The output of box 'x' cannot be printed any more: no role"]
    assert len(box.asked) == 1


async def test_a_log_that_is_gone_is_not_looked_for_any_more(printed: Printed) -> None:
    box = Box()
    box.errors = [LookupError("gone")] * 10
    printed.streams.start("x", box.read)
    await until(lambda: len(box.asked) >= 3, "looks")
    await asyncio.wait_for(printed.streams.finish("x"), 5)
    assert len(box.asked) == 3
    assert printed.said == []


async def test_streams_that_are_closed_look_no_more(printed: Printed) -> None:
    box = Box()
    printed.streams.start("x", box.read)
    await until(lambda: box.asked, "a look")
    await printed.streams.close()
    looks = len(box.asked)
    await SYSTEM_CLOCK.asleep(0.03)
    assert len(box.asked) == looks


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([])
    print_lines(["one", "two"])
    assert capsys.readouterr().err == "one\ntwo\n"
