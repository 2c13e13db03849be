"""Tasks on Ray: what they get, what they give, and what they wait for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import prefect
import pytest
from prefect import flow, task, unmapped
from prefect.context import TagsContext, TaskRunContext
from prefect.futures import as_completed, wait
from prefect.utilities.annotations import allow_failure, quote

from prefect_ray import RayTaskRunner
from prefect_ray.context import remote_options


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
async def aadd(x: int, y: int = 1) -> int:
    return x + y


@task
def fail() -> None:
    raise ValueError("no")


@pytest.mark.parametrize("each", [add, aadd], ids=["sync", "async"])
def test_a_task_returns_its_result(runner: RayTaskRunner[Any], each: Any) -> None:
    @flow(task_runner=runner)
    def numbers() -> list[int]:
        return [each.submit(1).result(), *each.map([1, 2], y=unmapped(10)).result()]

    assert numbers() == [2, 11, 12]


async def test_an_async_flow_submits(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    async def numbers() -> list[int]:
        return [add.submit(1).result(), *aadd.map([1, 2]).result()]

    assert await numbers() == [2, 2, 3]


def test_futures_are_resolved_in_containers(runner: RayTaskRunner[Any]) -> None:
    @task
    def total(parts: dict[str, Any]) -> int:
        return sum(parts["list"]) + parts["deep"]["tuple"][0] + parts["plain"]

    @flow(task_runner=runner)
    def numbers() -> int:
        one, two = add.submit(0), add.submit(1)
        return total.submit({"list": [one, two], "deep": {"tuple": (two,)}, "plain": 10}).result()

    assert numbers() == 15


def test_quoted_futures_are_left_alone(runner: RayTaskRunner[Any]) -> None:
    @task
    def length(values: Any) -> int:
        return len(values)

    @flow(task_runner=runner)
    def numbers() -> int:
        return length.submit(quote([1, 2, 3])).result()

    assert numbers() == 3


def test_wait_for_comes_first(runner: RayTaskRunner[Any], tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    @task
    def note(number: int) -> None:
        with notes.open("a") as file:
            file.write(f"{number}\n")

    @flow(task_runner=runner)
    def numbers() -> None:
        first = note.submit(1)
        second = note.submit(2, wait_for=[first])
        note.submit(3, wait_for=[second]).wait()

    numbers()
    assert notes.read_text().split() == ["1", "2", "3"]


def test_what_waits_for_a_failed_task_does_not_start(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def numbers() -> list[str]:
        failed = fail.submit()
        after = add.submit(failed)
        allowed = add.submit(1, wait_for=[allow_failure(failed)])
        return [each.state.name for each in (failed, after, allowed) if each.wait() is None]

    assert numbers() == ["Failed", "NotReady", "Completed"]


def test_a_failed_task_raises_its_own_error(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def numbers() -> Any:
        return fail.submit().result(raise_on_failure=False), fail.submit().result()

    with pytest.raises(ValueError, match="no"):
        numbers()


def test_tags_and_runs_are_known_on_the_worker(runner: RayTaskRunner[Any]) -> None:
    @task
    def where() -> tuple[set[str], str, str]:
        context = TaskRunContext.get()
        assert context is not None
        return TagsContext.get().current_tags, str(context.task_run.flow_run_id), str(prefect.runtime.flow_run.id)

    @flow(task_runner=runner)
    def tagged() -> tuple[Any, str]:
        with prefect.tags("a", "b"):
            return where.submit().result(), str(prefect.runtime.flow_run.id)

    (tags, flow_run_id, seen_id), expected = tagged()
    assert tags == {"a", "b"}
    assert {flow_run_id, seen_id} == {expected}


def test_a_task_submits_tasks(runner: RayTaskRunner[Any]) -> None:
    @task
    def outer() -> int:
        return sum(add.submit(number).result() for number in range(3))

    @flow(task_runner=runner)
    def numbers() -> int:
        return outer.submit().result() + outer.submit().result()

    assert numbers() == 12


def test_tasks_that_submit_tasks_do_not_wait_for_each_other(runner: RayTaskRunner[Any]) -> None:
    @task
    def outer(depth: int) -> int:
        return 1 if depth == 0 else outer.submit(depth - 1).result() + 1

    @flow(task_runner=runner)
    def numbers() -> int:
        with remote_options(num_cpus=2):  # each one needs the whole cluster, but for the time in which it waits
            return outer.submit(2).result()

    assert numbers() == 3


def test_an_async_task_submits_tasks(runner: RayTaskRunner[Any]) -> None:
    @task
    async def outer() -> int:
        return add.submit(1).result() + aadd.submit(2).result()

    @flow(task_runner=runner)
    def numbers() -> int:
        return outer.submit().result()

    assert numbers() == 5


def test_futures_can_be_waited_for_together(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def numbers() -> tuple[int, list[int]]:
        futures = add.map(range(5))
        done, not_done = wait(futures, timeout=30)
        assert not not_done
        return len(done), sorted(each.result() for each in as_completed(add.map(range(3))))

    assert numbers() == (5, [1, 2, 3])


def test_a_wait_with_a_timeout_comes_back(runner: RayTaskRunner[Any], tmp_path: Path) -> None:
    release = tmp_path / "release"

    @task
    def slow() -> int:
        while not release.exists():
            time.sleep(0.02)
        return 1

    @flow(task_runner=runner)
    def numbers() -> tuple[bool, int]:
        future = slow.submit()
        future.wait(timeout=0.1)
        with pytest.raises(TimeoutError, match="did not complete within"):
            future.result(timeout=0.1)
        was_settled = future.is_settled
        release.touch()
        return was_settled, future.result(timeout=30)

    assert numbers() == (False, 1)


def test_references_to_objects_arrive_as_references(runner: RayTaskRunner[Any]) -> None:
    import ray

    @task
    def total(parts: list[Any]) -> int:
        return sum(ray.get(parts))

    @flow(task_runner=runner)
    def numbers() -> int:
        return total.submit([ray.put(1), ray.put(2)]).result()

    assert numbers() == 3


def test_a_callback_is_called_when_a_task_run_has_ended(runner: RayTaskRunner[Any], eventually: Any) -> None:
    called: list[int] = []

    @flow(task_runner=runner)
    def numbers() -> None:
        future = add.submit(1)
        future.add_done_callback(lambda done: called.append(done.result()))
        future.wait()
        future.add_done_callback(lambda done: called.append(-done.result()))
        eventually(lambda: len(called) == 2)

    numbers()
    assert sorted(called) == [-2, 2]


def test_a_runner_without_a_flow(runner: RayTaskRunner[Any]) -> None:
    with runner:
        first = runner.submit(add, {"x": 1, "y": 2})
        assert runner.submit(add, {"x": first, "y": 2}).result() == 5
        assert [each.result() for each in runner.map(add, {"x": [1, 2], "y": 1})] == [2, 3]


def test_a_runner_that_was_not_started_says_so(runner: RayTaskRunner[Any]) -> None:
    with pytest.raises(RuntimeError, match="must be started"):
        runner.submit(add, {"x": 1})
