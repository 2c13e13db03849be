"""Tasks on Ray: what they get, what they give, and what they wait for."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from prefect import flow, task

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


def test_tasks_that_submit_tasks_do_not_wait_for_each_other(runner: RayTaskRunner[Any]) -> None:
    @task
    def outer(depth: int) -> int:
        return 1 if depth == 0 else outer.submit(depth - 1).result() + 1

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
