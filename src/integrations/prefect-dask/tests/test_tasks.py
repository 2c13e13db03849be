"""Tasks on Dask: what they get, what they give, and what they wait for."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from distributed import Client, LocalCluster
from prefect import flow, task

from prefect_dask import DaskTaskRunner
from prefect_dask.errors import DaskArgumentError
from prefect_integration_tests.suites import RemoteTaskRunnerSuite


@task
def add(x: int, y: int = 1) -> int:
    return x + y


class TestTasks(RemoteTaskRunnerSuite):
    argument_error = DaskArgumentError
    worker = "a Dask worker"

    @pytest.fixture
    def task_runner(self, runner: DaskTaskRunner) -> DaskTaskRunner:
        return runner

    def packer(self, task_runner: DaskTaskRunner) -> Any:
        return task_runner.client._packer

    def parcels(self, future: Any) -> set[Hashable]:
        return {parcel.key for parcel in future.wrapped_future.parcels}


def test_tasks_that_submit_tasks_do_not_wait_for_each_other(seen: Any) -> None:
    @task
    def outer(depth: int) -> int:
        return 1 if depth == 0 else outer.submit(depth - 1).result() + 1

    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=options))
    def numbers() -> int:
        return outer.submit(3).result()

    assert numbers() == 4


def test_a_global_client_is_left_alone(threads_cluster: LocalCluster) -> None:
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with Client(threads_cluster) as mine:

        @flow(task_runner=DaskTaskRunner(cluster_kwargs=options))
        def numbers() -> int:
            return add.submit(1).result()

        assert numbers() == 2
        assert mine.status == "running"
        assert mine.submit(lambda: 7).result() == 7
