"""Tasks on Ray: what they get, what they give, and what they wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task, unmapped
from prefect.futures import as_completed, wait

from prefect_integration_tests.suites import RemoteTaskRunnerSuite
from prefect_ray import RayTaskRunner
from prefect_ray.context import remote_options
from prefect_ray.errors import RayArgumentError


@task
def add(x: int, y: int = 1) -> int:
    return x + y


class TestTasks(RemoteTaskRunnerSuite):
    argument_error = RayArgumentError
    worker = "a Ray worker"
    time_limit_seconds = 2.5 + 5  # the other five are for a machine that is busy

    @pytest.fixture
    def task_runner(self, runner: RayTaskRunner[Any]) -> RayTaskRunner[Any]:
        return runner

    def packer(self, task_runner: Any) -> Any:
        return task_runner._submitter._packer

    def parcels(self, future: Any) -> set[Hashable]:
        return {id(parcel) for parcel in future._holds}


@pytest.mark.parametrize(
    "results_of",
    [
        lambda futures: [each.result(timeout=60) for each in futures],
        lambda futures: futures.result(timeout=60),
        lambda futures: [each.result() for each in as_completed(list(futures), timeout=60)],
        lambda futures: [each.result() for each in wait(list(futures), timeout=60).done],
    ],
    ids=["each", "list", "as_completed", "wait"],
)
def test_tasks_that_submit_tasks_do_not_wait_for_each_other(
    runner: RayTaskRunner[Any], results_of: Callable[[Any], list[int]]
) -> None:
    @task
    def outer(depth: int) -> int:
        return 1 if depth == 0 else sum(results_of(outer.map([depth - 1]))) + 1

    @flow(task_runner=runner)
    def numbers() -> int:
        with remote_options(num_cpus=2):  # each one needs the whole cluster, but for the time in which it waits
            return outer.submit(2).result()

    assert numbers() == 3


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


def test_one_thread_makes_the_calls_of_all_task_runs(
    runner: RayTaskRunner[Any], eventually: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[int] = []

    @task
    def number_of(number: int, go_on: Path) -> int:
        while not go_on.exists():
            time.sleep(0.01)
        return number

    def fail(_: Any) -> None:
        raise ValueError("no call")

    def watching() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name == "prefect-ray-watch"]

    @flow(task_runner=runner)
    def numbers() -> list[str]:
        futures = number_of.map(range(20), unmapped(tmp_path / "go on"))
        for each in futures:
            each.add_done_callback(fail)
            for _ in range(2):
                each.add_done_callback(lambda done: called.append(done.result()))
        names = watching()
        (tmp_path / "go on").touch()
        eventually(lambda: len(called) == 40)
        eventually(lambda: not watching())
        return names

    assert numbers() == ["prefect-ray-watch"]
    assert sorted(called) == [each for each in range(20) for _ in range(2)]
    assert "no call" in caplog.text
