"""What holds for task runners: what tasks get and give, what they wait for, and what travels to other processes."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import abstractmethod
from collections.abc import Hashable, Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar

import prefect
import pytest
from prefect import unmapped
from prefect.context import FlowRunContext, TagsContext, TaskRunContext
from prefect.futures import as_completed, wait
from prefect.utilities.annotations import allow_failure, quote

from prefect_integration_kit.task_run_pickles import dumps

from .base import Suite

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

    from prefect_integration_kit.task_run_orders import Packer

__all__ = ["RemoteTaskRunnerSuite", "TaskRunnerSuite"]

# Their overloads know nothing of a task that is a parameter.
flow: Any = prefect.flow
task: Any = prefect.task

_ORDER_BYTES = 20_000
"""What a task run may weigh; the rest travels once for all of them."""

_LARGE = 10_000_000


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
async def aadd(x: int, y: int = 1) -> int:
    return x + y


@task
def fail() -> None:
    raise ValueError("no")


class Refusal(Exception):
    """Cannot be pickled by itself, as many an error of users: its arguments are not those of its class."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.lock = threading.Lock()


@task
def refuse(code: int) -> None:
    raise Refusal(code, "closed")


@task
def size(content: bytes, number: int = 0) -> int:
    return len(content) + number


@task(timeout_seconds=0.5)
def sleep_forever() -> None:
    time.sleep(30)


@task(timeout_seconds=0.5)
def yield_forever() -> Iterator[int]:
    yield 1
    time.sleep(30)


@task(timeout_seconds=0.5)
async def asleep_forever() -> None:
    await asyncio.sleep(30)


@task(timeout_seconds=20)
def in_time(number: int) -> int:
    return number + 1


class TaskRunnerSuite(Suite):
    """Tasks that are submitted to a task runner, one by one and mapped, in a flow and without one.

    Attributes:
        not_started: What a task runner says that was not started, as a regular expression.
    """

    not_started: ClassVar[str] = "must be started"

    @pytest.fixture
    @abstractmethod
    def task_runner(self) -> TaskRunner[Any]:
        """A task runner for at least two task runs at a time, and a Prefect server (`prefect_harness`)."""

    @pytest.mark.parametrize("each", [add, aadd], ids=["sync", "async"])
    def test_a_task_returns_its_result(self, task_runner: Any, each: Any) -> None:
        """One that is submitted, and each of those that are mapped."""

        @flow(task_runner=task_runner)
        def numbers() -> list[int]:
            return [each.submit(1).result(), *each.map([1, 2], y=unmapped(10)).result()]

        assert numbers() == [2, 11, 12]

    async def test_an_async_flow_submits(self, task_runner: Any) -> None:
        """Sync tasks and async ones."""

        @flow(task_runner=task_runner)
        async def numbers() -> list[int]:
            return [add.submit(1).result(), *aadd.map([1, 2]).result()]

        assert await numbers() == [2, 2, 3]

    def test_futures_are_resolved_in_containers(self, task_runner: Any) -> None:
        """However deep they are."""

        @task
        def total(parts: dict[str, Any]) -> int:
            return sum(parts["list"]) + parts["deep"]["tuple"][0] + parts["plain"]

        @flow(task_runner=task_runner)
        def numbers() -> int:
            one, two = add.submit(0), add.submit(1)
            return total.submit({"list": [one, two], "deep": {"tuple": (two,)}, "plain": 10}).result()

        assert numbers() == 15

    def test_quoted_futures_are_left_alone(self, task_runner: Any) -> None:
        """What is quoted arrives as it is."""

        @task
        def length(values: Any) -> int:
            return len(values)

        @flow(task_runner=task_runner)
        def numbers() -> int:
            return length.submit(quote([1, 2, 3])).result()

        assert numbers() == 3

    def test_wait_for_comes_first(self, task_runner: Any, tmp_path: Path) -> None:
        """A task run does not start before those that it waits for have ended."""
        notes = tmp_path / "notes"

        @task
        def note(number: int) -> None:
            with notes.open("a") as file:
                file.write(f"{number}\n")

        @flow(task_runner=task_runner)
        def numbers() -> None:
            first = note.submit(1)
            second = note.submit(2, wait_for=[first])
            note.submit(3, wait_for=[second]).wait()

        numbers()
        assert notes.read_text().split() == ["1", "2", "3"]

    def test_what_waits_for_a_failed_task_does_not_start(self, task_runner: Any) -> None:
        """Unless it allows for that."""

        @flow(task_runner=task_runner)
        def numbers() -> list[str]:
            failed = fail.submit()
            after = add.submit(failed)
            allowed = add.submit(1, wait_for=[allow_failure(failed)])
            return [each.state.name for each in (failed, after, allowed) if each.wait() is None]

        assert numbers() == ["Failed", "NotReady", "Completed"]

    def test_a_failed_task_raises_its_own_error(self, task_runner: Any) -> None:
        """Where the result is asked for."""

        @flow(task_runner=task_runner)
        def numbers() -> Any:
            return fail.submit().result(raise_on_failure=False), fail.submit().result()

        with pytest.raises(ValueError, match="no"):
            numbers()

    def test_an_error_of_any_class_is_the_task_runs_own(self, task_runner: Any) -> None:
        """Also one whose class does not provide for other processes, and which holds what stays in its own."""

        @flow(task_runner=task_runner)
        def refused() -> Any:
            states = [each.state for each in refuse.map([1, 2]) if each.wait() is None]
            assert [state.name for state in states] == ["Failed", "Failed"]
            refuse.submit(7).result()

        with pytest.raises(Refusal, match="7: closed") as caught:
            refused()
        assert caught.value.code == 7

    def test_tags_and_runs_are_known_on_the_worker(self, task_runner: Any) -> None:
        """A task knows of the flow run that has submitted it, and of its tags."""

        @task
        def where() -> tuple[set[str], str, str]:
            context = TaskRunContext.get()
            assert context is not None
            tags = TagsContext.get().current_tags
            return tags, str(context.task_run.flow_run_id), str(prefect.runtime.flow_run.id)

        @flow(task_runner=task_runner)
        def tagged() -> tuple[Any, str]:
            with prefect.tags("a", "b"):
                return where.submit().result(), str(prefect.runtime.flow_run.id)

        (tags, flow_run_id, seen_id), expected = tagged()
        assert tags == {"a", "b"}
        assert {flow_run_id, seen_id} == {expected}

    def test_a_task_submits_tasks(self, task_runner: Any) -> None:
        """To the task runner of its flow run."""

        @task
        def outer() -> int:
            return sum(add.submit(number).result() for number in range(3))

        @flow(task_runner=task_runner)
        def numbers() -> int:
            return outer.submit().result() + outer.submit().result()

        assert numbers() == 12

    def test_an_async_task_submits_tasks(self, task_runner: Any) -> None:
        """Sync tasks and async ones."""

        @task
        async def outer() -> int:
            return add.submit(1).result() + aadd.submit(2).result()

        @flow(task_runner=task_runner)
        def numbers() -> int:
            return outer.submit().result()

        assert numbers() == 5

    def test_futures_can_be_waited_for_together(self, task_runner: Any) -> None:
        """By Prefect's `wait` and `as_completed`."""

        @flow(task_runner=task_runner)
        def numbers() -> tuple[int, list[int]]:
            futures = add.map(range(5))
            done, not_done = wait(list(futures), timeout=30)
            assert not not_done
            return len(done), sorted(each.result() for each in as_completed(list(add.map(range(3)))))

        assert numbers() == (5, [1, 2, 3])

    def test_a_wait_with_a_timeout_comes_back(self, task_runner: Any, tmp_path: Path) -> None:
        """In time, and the task run goes on."""
        release = tmp_path / "release"

        @task
        def slow() -> int:
            while not release.exists():
                time.sleep(0.02)
            return 1

        @flow(task_runner=task_runner)
        def numbers() -> tuple[bool, int]:
            future = slow.submit()
            future.wait(timeout=0.1)
            with pytest.raises(TimeoutError, match="did not complete within"):
                future.result(timeout=0.1)
            was_final = future.state.is_final()
            release.touch()
            return was_final, future.result(timeout=30)

        assert numbers() == (False, 1)

    def test_a_runner_without_a_flow(self, task_runner: Any) -> None:
        """It is started by a `with` statement."""
        with task_runner:
            first = task_runner.submit(add, {"x": 1, "y": 2})
            assert task_runner.submit(add, {"x": first, "y": 2}).result() == 5
            assert [each.result() for each in task_runner.map(add, {"x": [1, 2], "y": 1})] == [2, 3]

    def test_a_runner_that_was_not_started_says_so(self, task_runner: Any) -> None:
        """Rather than lose the task run."""
        with pytest.raises(RuntimeError, match=self.not_started):
            task_runner.submit(add, {"x": 1})


class RemoteTaskRunnerSuite(TaskRunnerSuite):
    """The same for tasks that run in other processes, and what travels to those.

    Attributes:
        argument_error: What is raised for what cannot be sent.
        worker: What a process that runs tasks is called in that error.
        time_limit_seconds: By when a task with a time limit of half a second must have ended.
    """

    argument_error: ClassVar[type[Exception]]
    worker: ClassVar[str]
    time_limit_seconds: ClassVar[float] = 5.0

    @abstractmethod
    def packer(self, task_runner: Any) -> Packer:
        """What packs the task runs of a flow run.

        Args:
            task_runner: The flow run's own task runner, started.
        """

    @abstractmethod
    def parcels(self, future: Any) -> set[Hashable]:
        """Say which parcels a task run needs.

        Args:
            future: Of the task run.
        """

    def test_the_payload_of_a_task_run_is_small(self, task_runner: Any) -> None:
        """Whatever the parameters of the flow run are."""
        sizes: list[int] = []

        @flow(task_runner=task_runner)
        def mapped(note: str) -> list[int]:
            context = FlowRunContext.get()
            assert context is not None
            assert context.flow_run is not None
            packer = self.packer(context.task_runner)
            packed = packer.pack(add, context.flow_run.id, {"x": 1, "y": 2}, None, None, "state")
            sizes.append(len(dumps(packed.order)))
            return add.map(range(20)).result()

        assert mapped("x" * 200_000) == list(range(1, 21))
        assert sizes[0] < _ORDER_BYTES

    def test_an_unmapped_argument_is_sent_once(self, task_runner: Any) -> None:
        """As is the task, with its settings and the context."""

        @flow(task_runner=task_runner)
        def mapped() -> tuple[int, int]:
            futures = size.map(unmapped(b"x" * _LARGE), range(8))
            parcels = set[Hashable]().union(*(self.parcels(each) for each in futures))
            return sum(futures.result()), len(parcels)

        assert mapped() == (8 * _LARGE + 28, 2)

    def test_a_changed_argument_is_sent_as_it_is_now(self, task_runner: Any) -> None:
        """It is the same object, and another value."""
        content = bytearray(b"x" * 10_000)

        @flow(task_runner=task_runner)
        def numbers() -> list[int]:
            first = size.submit(content)
            content.extend(b"y")
            return [first.result(), size.submit(content).result()]

        assert numbers() == [10_000, 10_001]

    def test_an_argument_that_cannot_be_pickled_is_named(self, task_runner: Any) -> None:
        """With its type."""

        @flow(task_runner=task_runner)
        def unpicklable() -> None:
            size.submit(threading.Lock())

        named = rf"'content' of type 'lock' cannot be sent to {self.worker}"
        with pytest.raises(self.argument_error, match=named):
            unpicklable()

    def test_a_task_that_cannot_be_pickled_is_named(self, task_runner: Any) -> None:
        """Its function refers to something that stays here."""
        event = Event()

        @task
        def waits() -> None:
            event.wait()

        @flow(task_runner=task_runner)
        def unpicklable() -> None:
            waits.submit()

        with pytest.raises(self.argument_error, match="'waits' cannot be sent"):
            unpicklable()

    @pytest.mark.parametrize("each", [sleep_forever, yield_forever, asleep_forever], ids=["sync", "generator", "async"])
    def test_a_time_limit_ends_a_task_that_blocks(self, task_runner: Any, each: Any) -> None:
        """Prefect's own limit ends a sync task in a thread only when its function looks up."""

        @flow(task_runner=task_runner)
        def limited() -> tuple[str, float]:
            in_time.submit(1).wait()
            began = time.monotonic()
            future = each.submit()
            future.wait()
            return future.state.name, time.monotonic() - began

        name, seconds = limited()
        assert name == "TimedOut"
        assert seconds < self.time_limit_seconds

    def test_a_time_limit_that_is_kept_changes_nothing(self, task_runner: Any) -> None:
        """Nor does one of a task that waits for others."""

        @task(timeout_seconds=20)
        def asks_for_more() -> int:
            return in_time.submit(1).result() + in_time.submit(2).result()

        @flow(task_runner=task_runner)
        def limited() -> list[int]:
            return [in_time.submit(1).result(), asks_for_more.submit().result()]

        assert limited() == [2, 5]
