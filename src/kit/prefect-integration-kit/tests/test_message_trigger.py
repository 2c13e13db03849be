"""Messages are acted on, and taken from the service only when that has succeeded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from prefect_integration_kit.message_actions import CallHandler, Malformed, find_value, problems_of
from prefect_integration_kit.message_trigger import MessageSource, Runs, TriggerCounts, TriggerRun
from prefect_integration_kit.remote_work import Failures
from prefect_integration_kit.sdk_errors import TranslatedError
from prefect_integration_kit.waiting import apoll


class Busy(TranslatedError):
    """It may pass."""


@dataclass(frozen=True)
class Letter:
    message_id: str
    body: str = ""
    receive_count: int = 0
    group_id: str | None = None

    def json(self) -> Any:
        return self.body


@dataclass
class Letterbox(MessageSource[Letter]):
    """A queue in memory. What is put back comes again at once."""

    letters: list[Letter] = field(default_factory=list)
    receive_errors: list[Exception] = field(default_factory=list)
    take_refusals: dict[str, str] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    hidden: list[tuple[str, int]] = field(default_factory=list)
    kept: list[list[str]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    lease_seconds: float | None = None

    failures = Failures(TranslatedError, TranslatedError, TranslatedError, lambda error: isinstance(error, Busy))
    remedy = "has no dead-letter box."
    subject = "The letterbox"

    def puts_aside(self) -> bool:
        return False

    def is_missing(self, error: Exception) -> bool:
        return False

    def receive(self, maximum: int) -> list[Letter]:
        self.asked.append(maximum)
        if self.receive_errors:
            raise self.receive_errors.pop(0)
        return [self.letters.pop(0) for _ in range(min(maximum, len(self.letters)))]

    def take(self, message: Letter) -> str | None:
        if message.message_id in self.take_refusals:
            return self.take_refusals.pop(message.message_id)
        self.taken.append(message.message_id)
        return None

    def hide(self, message: Letter, seconds: int) -> None:
        self.hidden.append((message.message_id, seconds))
        self.letters.append(message)

    def keep(self, messages: Any) -> None:
        self.kept.append([message.message_id for message in messages])


def started(source: Letterbox, handler: Any, clock: Any, concurrency: int = 3) -> TriggerRun[Letter]:
    return TriggerRun(source, CallHandler(handler), concurrency=concurrency, max_backoff_seconds=600, clock=clock)


async def test_what_was_acted_on_is_taken_and_no_more_is_held_than_is_worked_on(fake_clock: Any) -> None:
    source = Letterbox([Letter(str(number)) for number in range(10)])
    assert await started(source, print, fake_clock).run(until_empty=True) == TriggerCounts(started=10)
    assert sorted(source.taken) == sorted(str(number) for number in range(10))
    assert max(source.asked) == 3


async def test_what_could_not_be_handled_comes_again_later_each_time(fake_clock: Any) -> None:
    """The service here does not count deliveries, so the trigger does."""
    source = Letterbox([Letter("1")])
    errors = [OSError("disk full") for _ in range(8)]

    def handle(_: Letter) -> None:
        if errors:
            raise errors.pop()

    run = started(source, handle, fake_clock)
    assert await run.run(until_empty=True) == TriggerCounts(started=1, failed=8)
    assert len(source.hidden) == 8
    assert all(1 <= seconds <= min(600, 10 * 2**number) for number, (_, seconds) in enumerate(source.hidden))
    assert 1 in source.asked  # one is enough to see whether it is over


async def test_what_is_malformed_stays_and_is_told_once(fake_clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    letter = Letter("1")
    source = Letterbox([letter, letter])

    class Refuses(CallHandler[Letter]):
        async def act(self, message: Letter) -> str:
            raise Malformed("no address")

    run = TriggerRun(source, Refuses(print), concurrency=1, max_backoff_seconds=60, clock=fake_clock)
    assert await run.run(until_empty=True) == TriggerCounts(malformed=1)
    assert caplog.text.count("is malformed and stays there: no address") == 1
    assert "The letterbox has no dead-letter box." in caplog.text
    assert source.taken == []


async def test_receiving_outlasts_what_passes_and_is_quick_again_afterwards(fake_clock: Any) -> None:
    source = Letterbox([Letter("1"), Letter("2")], receive_errors=[Busy("x") for _ in range(5)])
    states: list[str] = []
    run = started(source, lambda _: states.append(run.health.state), fake_clock)
    assert (await run.run(until_empty=True)).started == 2
    assert len(fake_clock.sleeps) == 5
    assert states[-1] == "healthy"
    assert run.health.state == "stopped"
    assert run.health.recent_errors == ("x",) * 5


async def test_what_will_not_pass_ends_the_run(fake_clock: Any) -> None:
    with pytest.raises(TranslatedError, match="denied"):
        await started(Letterbox(receive_errors=[TranslatedError("denied")]), print, fake_clock).run(until_empty=False)


async def test_behind_a_message_that_could_not_be_taken_its_group_waits(fake_clock: Any) -> None:
    letters = [Letter("a1", group_id="a"), Letter("b1", group_id="b"), Letter("a2", group_id="a")]
    source = Letterbox(letters, take_refusals={"a1": "too old"})
    assert (await started(source, print, fake_clock).run(until_empty=True)).started == 1
    assert source.taken == ["b1"]


async def test_messages_are_kept_while_they_are_worked_on_and_no_longer(fake_clock: Any) -> None:
    source = Letterbox([Letter("1", group_id="a"), Letter("2", group_id="a")], lease_seconds=5.0)

    async def handle(letter: Letter) -> None:
        before = len(source.kept)

        async def kept_on() -> bool | None:
            return len(source.kept) >= before + 3 or None

        await apoll(kept_on, subject="three renewals", interval_seconds=0.001, timeout_seconds=10)

    assert (await started(source, handle, fake_clock).run(until_empty=True)).started == 2
    assert source.kept[0] == ["1", "2"]
    assert source.kept[-1] == ["2"]
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing goes on that could keep them


async def test_runs_are_stopped_from_anywhere_and_give_back_what_came_too_late(fake_clock: Any) -> None:
    runs: Runs[Letter] = Runs()
    source = Letterbox([Letter(str(number)) for number in range(3)])
    run = started(source, lambda _: runs.stop(), fake_clock, concurrency=1)
    counts = await runs.until_told(runs.run(run, until_empty=False))
    assert counts.started >= 1
    assert counts.started + len(source.letters) == 3
    assert (len(runs), runs.health.state) == (0, "stopped")


def test_what_makes_no_sense_is_named() -> None:
    assert problems_of({"number": "a.b"}, "json", "pack/nightly") == []
    assert "deployment is 'nightly'" in problems_of(None, "json", "nightly")[0]
    assert "body_format is 'xml'" in problems_of(None, "xml", None)[0]
    with pytest.raises(Malformed, match=r"the body has no 'a\.c'"):
        find_value({"a": {"b": 1}}, "a.c")
